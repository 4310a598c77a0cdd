"""Erase a quarter of the cells of sustained notes, and say how long each instrument takes to heal.

    python benchmarks/healing.py [--share 0.25] [--bank PATH] [--json FILE]

Every sustaining instrument plays its middle key twice with the harmonic decoder, wounded and not; five wounds, each
elsewhere, and the worst of them counts. 200 ms after a wound, over 100 ms, two differences are taken: of level, and of
the spectrum (root mean square over 24 bands from 100 Hz up, within 50 dB of the loudest). `healed_s` says from when
on the level stays within 1 dB, 1.4 if it does not before the next wound.
"""

from __future__ import annotations

import argparse
import json
from itertools import pairwise
from pathlib import Path

import numpy as np

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.open import OpenSynth, assemble_synth
from tnca_synth.midi import messages

RATE = 22050
WOUNDS = 5
EVERY_S, FIRST_S, HEAL_S, WINDOW_S = 1.5, 1.0, 0.2, 0.1
STEP_S = 0.01
EDGES_HZ = np.geomspace(100.0, RATE / 2, 25)
DECAY_DB, SILENCE_DB = 6.0, -80.0
GOAL_DB = 1.0


def play(name: str, key: int, share: float, bank: Path | None) -> FloatArray:
    """Return a held note, wounded `WOUNDS` times if there is a share to erase."""
    ensemble: OpenSynth = assemble_synth(
        instrument=name, bank_path=bank, sample_rate=RATE, effects=False, max_voices=2, decoder="harmonic"
    )
    ensemble.synth.send(messages.note_on(0, key, 90), 0)
    for damage_grid in range(WOUNDS if share else 0):
        ensemble.synth.damage(0, share, round((FIRST_S + EVERY_S * damage_grid) * RATE))
    return ensemble.synth.render(round((FIRST_S + EVERY_S * WOUNDS) * RATE))[:, 0]


def bands_db(audio: FloatArray) -> FloatArray:
    """Return the level of each band, no lower than 50 dB below the loudest."""
    power = np.abs(np.fft.rfft(audio * np.hanning(len(audio)))) ** 2
    hz = np.fft.rfftfreq(len(audio), 1.0 / RATE)
    sums = np.array([power[(hz >= low) & (hz < high)].sum() for low, high in pairwise(EDGES_HZ)])
    return 10.0 * np.log10(np.maximum(sums, sums.max() * 1e-5) + 1e-15)


def level_db(audio: FloatArray) -> float:
    """Return the mean level."""
    return float(10.0 * np.log10(np.mean(np.square(audio, dtype=np.float64)) + 1e-15))


def wound_facts(wounded: FloatArray, whole: FloatArray, at_s: float) -> dict[str, float]:
    """Compare what follows a wound with the same time of the note that had none."""

    def parts(start_s: float) -> tuple[FloatArray, FloatArray]:
        where = slice(round((at_s + start_s) * RATE), round((at_s + start_s + WINDOW_S) * RATE))
        return wounded[where], whole[where]

    def spectrum_db(start_s: float) -> float:
        one, other = parts(start_s)
        return float(np.sqrt(np.mean((bands_db(one) - bands_db(other)) ** 2)))

    def off_db(start_s: float) -> float:
        one, other = parts(start_s)
        return level_db(one) - level_db(other)

    starts = np.arange(0.0, EVERY_S - WINDOW_S, STEP_S)
    ill = [start for start in starts if abs(off_db(start)) > GOAL_DB]
    return {
        "hit_spectrum_db": spectrum_db(0.0),
        "level_db": off_db(HEAL_S),
        "spectrum_db": spectrum_db(HEAL_S),
        "healed_s": float(ill[-1] + STEP_S) if ill else 0.0,
    }


def instrument_facts(name: str, key: int, share: float, bank: Path | None) -> dict[str, object] | None:
    """Measure one instrument, None if its notes die away by themselves."""
    whole = play(name, key, 0.0, bank)
    early, late = (level_db(whole[round(second * RATE) : round((second + 0.5) * RATE)]) for second in (1.0, 3.0))
    if late < early - DECAY_DB or early < SILENCE_DB:
        return None
    wounded = play(name, key, share, bank)
    facts = [wound_facts(wounded, whole, FIRST_S + EVERY_S * damage_grid) for damage_grid in range(WOUNDS)]
    worst = {key: round(max(abs(fact[key]) for fact in facts), 2) for key in facts[0]}
    is_healed = worst["level_db"] <= GOAL_DB and worst["spectrum_db"] <= GOAL_DB
    return {"instrument": name, "key": key, **worst, "within_1_db_after_200_ms": is_healed}


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--share", type=float, default=0.25)
    parser.add_argument("--bank", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    bank = assemble_synth(bank_path=arguments.bank).bank
    assert bank is not None
    rows = []
    for one in bank.instruments:
        row = (
            None
            if one.is_drums
            else instrument_facts(one.name, (one.low + one.high) // 2, arguments.share, arguments.bank)
        )
        if row is not None:
            rows.append(row)
            print("  ".join(f"{key}={value}" for key, value in row.items()), flush=True)
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"share": arguments.share, "worst_of": WOUNDS, "rows": rows}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
