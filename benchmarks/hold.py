"""Hold every instrument and say what becomes of its sound, beside its recording or for minutes alone.

    python benchmarks/hold.py [--seconds 30] [--keys 3] [--representation dual] [--decoder NAME] [--bank PATH] [--json]
    python benchmarks/hold.py --minutes 10
    python benchmarks/hold.py --rate 44100 --seconds 12 --keys 1

Notes are rendered dry, as `tnca-synth render` does it, and judged by what is heard:

- off: how far the level after 6 s, over that of seconds 1 to 4, is from what it is in the recording
- step: how far a second's level is from the one before, about 4 s after the onset, where training ends, further than
  it ever is in the recording
- course: the most that the level of 4 s, over that of seconds 1 to 4, is from what it is in the recording, at any time
  while the recording sounds
- cents: how far the pitch after 8 s, over that of seconds 1 to 4, is from what it is in the recording
- spectrum: how far the mel bands after 6 s, over those of seconds 1 to 4, are from what they are in the recording: root
  mean square in dB over the bands that are less than 60 dB below its loudest one

Every program is held whose recording still sounds after 5 s; the rest is told of those that sound in the end. Alone,
the drift is how far the level of any minute is from that of the first; cents and spectrum are the same of the last
seconds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.bank.instruments import BankInstrument
from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.spectra.pitch import pitch_to_hz
from tnca_synth.engine.spectra.spec import AudioSpec
from tnca_synth.engine.spectra.stft import mel_filterbank, power_spectrogram
from tnca_synth.midi.messages import DRUM_CHANNEL, NUM_CHANNELS, note_on, program_change
from tnca_synth.training.config.run import load_preset
from tnca_synth.training.measure.tuning_and_tonality import estimate_tuning
from tnca_synth.training.sources.soundfont import SoundFont

RATE = 22_050
EARLY_S, LATE_FROM_S, PITCH_FROM_S = (1.0, 4.0), 6.0, 8.0
STEP_S = (3.4, 5.0)
SIDE_S = 1.0
GAP_S = 0.2
MOVE_EVERY_S = 0.1
SHARES = {1: (0.5,), 3: (0.2, 0.5, 0.8), 5: (0.2, 0.35, 0.5, 0.65, 0.8)}
"""Where keys lie in the range of an instrument, by how many there are."""
GONE_DB = -75.0
COURSE_S = 4.0
BANDS_RANGE_DB = 60.0
MOST_DB, MOST_STEP_DB, MOST_DRIFT_DB = 1.0, 0.5, 0.5
"""What is asked of a program: in its course, beside the recording; about the end of training; in minutes."""
SWELL_S = 60
"""Swells average out over so long."""

Held = tuple[BankInstrument, int]
"""An instrument and the key that is held."""


def spec_now() -> AudioSpec:
    """Return how spectra are told at the rate."""
    scale = RATE // 22_050
    return AudioSpec(RATE, 1024 * scale, 256 * scale)


def level_db(audio: FloatArray, start_s: float, stop_s: float) -> float:
    """Return the level between two times in dB of mean power."""
    part = audio[round(start_s * RATE) : round(stop_s * RATE)].astype(np.float64)
    return float(10.0 * np.log10(np.mean(part**2) + 1e-12))


def off_db(ours: FloatArray, recorded: FloatArray, seconds: float) -> float:
    """Return how far the late level, over the early one, is from that of the recording."""
    ours_db, recorded_db = (level_db(one, LATE_FROM_S, seconds) - level_db(one, *EARLY_S) for one in (ours, recorded))
    return ours_db - recorded_db


def step_db(ours: FloatArray, recorded: FloatArray, seconds: float) -> float:
    """Return how much further a level moves where training ends than it ever does in the recording, 0 at least."""
    here = [abs(_move_db(ours, at)) for at in np.arange(*STEP_S, MOVE_EVERY_S)]
    ever = [abs(_move_db(recorded, at)) for at in np.arange(EARLY_S[0] + SIDE_S, seconds - 2.0 * SIDE_S, MOVE_EVERY_S)]
    return max(max(here) - max(ever), 0.0)


def course_db(ours: FloatArray, recorded: FloatArray, seconds: float) -> float:
    """Return the most that the level of a few seconds, over the early one, is from that of the recording."""
    starts = np.arange(EARLY_S[0], seconds - COURSE_S + 0.5, 1.0)
    sounding = [at for at in starts if level_db(recorded, at + COURSE_S - SIDE_S, at + COURSE_S) >= GONE_DB]
    moved = [
        np.array([level_db(one, at, at + COURSE_S) for at in sounding]) - level_db(one, *EARLY_S)
        for one in (ours, recorded)
    ]
    return float(max(moved[0] - moved[1], key=abs))


def bands_db(audio: FloatArray, start_s: float, stop_s: float) -> NDArray[np.float64]:
    """Return the mean power of the mel bands between two times in dB."""
    spec = spec_now()
    power = power_spectrogram(audio[round(start_s * RATE) : round(stop_s * RATE)], spec) @ mel_filterbank(spec).T
    levels: NDArray[np.float64] = 10.0 * np.log10(power.mean(0).astype(np.float64) + 1e-12)
    return levels


def spectrum_db(moved: NDArray[np.float64], levels: NDArray[np.float64]) -> float:
    """Return the root mean square of how far bands moved in dB, over those that are heard beside the loudest one."""
    return float(np.sqrt(np.mean(moved[levels > levels.max() - BANDS_RANGE_DB] ** 2)))


def spectrum_off_db(ours: FloatArray, recorded: FloatArray, seconds: float) -> float:
    """Return how far the late spectrum, over the early one, is from that of the recording."""
    moved = [bands_db(one, LATE_FROM_S, seconds) - bands_db(one, *EARLY_S) for one in (ours, recorded)]
    return spectrum_db(moved[0] - moved[1], bands_db(recorded, LATE_FROM_S, seconds))


def _move_db(audio: FloatArray, at_s: float) -> float:
    half = GAP_S / 2
    return level_db(audio, at_s + half, at_s + half + SIDE_S) - level_db(audio, at_s - half - SIDE_S, at_s - half)


def cents_moved(audio: FloatArray, key: int, from_s: float, seconds: float) -> float:
    """Return how far the pitch moves from the early seconds to the late ones."""
    hz, spec = float(pitch_to_hz(key)), spec_now()
    early, late = (
        estimate_tuning(audio[round(a * RATE) : round(b * RATE)], hz, spec, inharmonic=False)[0]
        for a, b in (EARLY_S, (from_s, seconds))
    )
    return late - early


def sounds(
    held: Sequence[Held], seconds: float, velocity: int, **options: Any
) -> Iterator[tuple[Held, Iterator[FloatArray]]]:
    """Yield each held note with its dry sound, second by second; as many at once as there are MIDI channels."""
    channels = [channel for channel in range(NUM_CHANNELS) if channel != DRUM_CHANNEL]
    for start in range(0, len(held), len(channels)):
        some = held[start : start + len(channels)]
        synth = assemble_synth(sample_rate=RATE, effects=False, stems=True, **options).synth
        for channel, (instrument, key) in zip(channels, some, strict=False):
            synth.send(program_change(channel, instrument.program), 0)
            synth.send(note_on(channel, key, velocity), synth.latency_frames)
        parts: list[list[FloatArray]] = [[] for _ in some]
        for _ in range(round(seconds)):
            stems = synth.render_stems(RATE).stems
            for channel, part in zip(channels, parts, strict=False):
                part.append(stems[channel].sum(1))
        for one, part in zip(some, parts, strict=True):
            yield one, iter(part)


def beside_recordings(
    bank: Bank, seconds: float, num_keys: int, velocity: int, **options: Any
) -> list[dict[str, object]]:
    """Hold every instrument whose recording still sounds in the end; return the worst figures of its keys."""
    font = SoundFont(load_preset("dual").data.soundfont, RATE)
    pitched = [one for one in bank.instruments if not one.is_drums]
    held = [(one, round(one.low + share * (one.high - one.low))) for share in SHARES[num_keys] for one in pitched]
    rows: dict[str, dict[str, object]] = {}
    for (instrument, key), parts in sounds(held, seconds, velocity, **options):
        ours = np.concatenate(list(parts))
        recorded = font.render(instrument.program, key, velocity, seconds, 0.1, drums=False)
        if level_db(recorded, EARLY_S[1], EARLY_S[0] + COURSE_S) < GONE_DB:
            continue
        row = rows.setdefault(instrument.name, {"instrument": instrument.name, "keys": ""})
        row["keys"] = f"{row['keys']} {key}".strip()
        _worst(row, "course_db", course_db(ours, recorded, seconds))
        _worst(row, "step_db", step_db(ours, recorded, seconds))
        if level_db(recorded, seconds - SIDE_S, seconds) < GONE_DB:
            continue
        _worst(row, "off_db", off_db(ours, recorded, seconds))
        _worst(row, "spectrum_db", spectrum_off_db(ours, recorded, seconds))
        if instrument.pitched:
            moved = [cents_moved(one, key, PITCH_FROM_S, seconds) for one in (ours, recorded)]
            _worst(row, "cents", moved[0] - moved[1])
    return list(rows.values())


def _worst(row: dict[str, object], name: str, value: float) -> None:
    before = row.get(name, 0.0)
    assert isinstance(before, float)
    row[name] = round(max(before, value, key=abs), 2)


def alone(bank: Bank, minutes: float, velocity: int, **options: Any) -> list[dict[str, object]]:
    """Hold one note of every instrument in the middle of its range; return what becomes of level and pitch."""
    pitched = [one for one in bank.instruments if not one.is_drums]
    held = [(one, (one.low + one.high) // 2) for one in pitched]
    return [
        _drift(instrument, key, list(parts))
        for (instrument, key), parts in sounds(held, 60.0 * minutes, velocity, **options)
    ]


def _drift(instrument: BankInstrument, key: int, parts: list[FloatArray]) -> dict[str, object]:
    seconds_db = np.array([level_db(part, 0.0, 1.0) for part in parts])[2:]
    count = min(SWELL_S, len(seconds_db))
    power = np.mean(10.0 ** (seconds_db[: len(seconds_db) // count * count].reshape(-1, count) / 10.0), axis=1)
    minutes_db = 10.0 * np.log10(power)
    row: dict[str, object] = {
        "instrument": instrument.name,
        "key": key,
        "db_at_2_s": round(float(seconds_db[0]), 2),
        "db_at_end": round(float(seconds_db[-1]), 2),
        "range_db": round(float(np.ptp(seconds_db)), 2),
        "drift_db": round(float(np.abs(minutes_db - minutes_db[0]).max()), 2),
        "finite": bool(np.isfinite(seconds_db).all()),
    }
    if seconds_db[-1] > GONE_DB:
        ends = np.concatenate([*parts[:4], *parts[-4:]])
        early, late = bands_db(ends, *EARLY_S), bands_db(ends, 5.0, 8.0)
        row["spectrum_db"] = round(spectrum_db(late - early, early), 2)
        if instrument.pitched:
            row["cents"] = round(cents_moved(ends, key, 4.0, 8.0), 2)
    return row


def verdict(rows: Sequence[dict[str, Any]]) -> str:
    """Say how many programs stay within what is asked for."""

    def count(name: str, most: float) -> str:
        known = [row[name] for row in rows if name in row]
        return f"{sum(abs(value) <= most for value in known)} of {len(known)}"

    if "drift_db" in rows[0]:
        sounding = [row for row in rows if row["db_at_end"] > GONE_DB]
        steady = sum(row["drift_db"] <= MOST_DRIFT_DB for row in sounding)
        broken = sum(not row["finite"] for row in rows)
        return f"{steady} of {len(sounding)} that still sound drift by {MOST_DRIFT_DB} dB at most; {broken} not finite"
    return (
        f"{count('off_db', MOST_DB)} programs are off by {MOST_DB} dB at most, {count('course_db', MOST_DB)} at any "
        f"time; {count('step_db', MOST_STEP_DB)} step by {MOST_STEP_DB} dB at most"
    )


def main() -> None:
    """Parse the arguments and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--keys", type=int, choices=tuple(SHARES), default=3)
    parser.add_argument("--minutes", type=float, help="hold so long, without a recording")
    parser.add_argument("--velocity", type=int, default=90)
    parser.add_argument("--representation", default="dual")
    parser.add_argument("--decoder")
    parser.add_argument("--bank", type=Path)
    parser.add_argument("--rate", type=int, choices=(22_050, 44_100), default=RATE, help="of rendering, in Hz")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    globals()["RATE"] = given.rate
    options = {"representation": given.representation, "decoder": given.decoder, "bank_path": given.bank}
    bank = Bank.load(given.bank)
    if given.minutes is None:
        rows = beside_recordings(bank, given.seconds, given.keys, given.velocity, **options)
    else:
        rows = alone(bank, given.minutes, given.velocity, **options)
    if given.json:
        print(json.dumps(rows, indent=1))
        return
    names = list(rows[0])
    names += [name for row in rows for name in row if name not in names]
    names = list(dict.fromkeys(names))
    print("| " + " | ".join(names) + " |", "|" + "---|" * len(names), sep="\n")
    for row in rows:
        print("| " + " | ".join(str(row.get(name, "")) for name in names) + " |")
    print(f"\n{verdict(rows)}")


if __name__ == "__main__":
    main()
