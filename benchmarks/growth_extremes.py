"""Hold notes under extreme growth controls for half a minute, then set these back, and say what becomes of the sound.

    python benchmarks/growth_extremes.py [--instruments violin,trumpet] [--wild-s 30] [--json FILE]

One channel for each setting and a last one that is left alone, so that all hear the same note. A row has the highest
peak, the highest level of any second against the highest of the untouched note, and the differences in level and
spectrum (24 bands, as in `healing.py`) two seconds after the controls are back.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from tnca_synth.engine.arrays import FloatArray
from tnca_synth.engine.open import assemble_synth
from tnca_synth.engine.synth import Synth
from tnca_synth.midi import messages
from tnca_synth.midi.spec import growth_controllers

from healing import RATE, bands_db, level_db  # isort: skip

CORNERS = ("trumpet", "grand-piano", "clarinet")
SETTINGS: dict[str, dict[int, int]] = {
    "still": {20: 0},
    "fast": {20: 127},
    "slow": {20: 8},
    "sparse": {21: 0},
    "fast, sparse": {20: 127, 21: 0},
    "highest threshold": {22: 127},
    "far corner": {102: 127, 103: 127},
    "morph to and fro": {},
    "damage all the time": {},
    "everything": {20: 100, 21: 20, 22: 120, 102: 64, 103: 64},
    "untouched": {},
}
CHANNELS = [channel for channel in range(len(SETTINGS) + 1) if channel != messages.DRUM_CHANNEL]
RESTLESS = ("damage all the time", "everything")
WILD_FROM_S, BACK_S, LATER_S = 1.0, 4.0, 2.0


def unsettle(synth: Synth, wild_s: float) -> None:
    """Send all that shall happen: settings, gestures ten times a second, and back to neutral."""
    stop_s = WILD_FROM_S + wild_s
    for channel, (name, values) in zip(CHANNELS, SETTINGS.items(), strict=True):
        for controller, value in values.items():
            synth.send(messages.control_change(channel, controller, value), round(WILD_FROM_S * RATE))
        for step in range(round(wild_s * 10)):
            frame = round((WILD_FROM_S + step / 10) * RATE)
            if name in RESTLESS:
                synth.send(messages.control_change(channel, growth_controllers.DAMAGE, 127 * (step % 2)), frame)
            if name == "morph to and fro":
                synth.send(messages.control_change(channel, growth_controllers.MORPH_X, 127 * (step // 2 % 2)), frame)
        for controller, neutral in growth_controllers.NEUTRAL.items():
            if name != "untouched":
                synth.send(messages.control_change(channel, controller, int(neutral)), round(stop_s * RATE))


def render(instrument: str, wild_s: float) -> FloatArray:
    """Return the channels of one instrument, (settings, N)."""
    ensemble = assemble_synth(instrument=instrument, sample_rate=RATE, effects=False, max_voices=16, stems=True)
    ensemble.synth.obey_growth_controllers()
    low_high = {one.name: (one.low, one.high) for one in ensemble.bank.instruments} if ensemble.bank else {}
    key = sum(low_high[instrument]) // 2
    for channel in CHANNELS:
        ensemble.set_morph(channel, *CORNERS)
        ensemble.synth.send(messages.note_on(channel, key, 90), 0)
    unsettle(ensemble.synth, wild_s)
    seconds = round(WILD_FROM_S + wild_s + BACK_S)
    return np.concatenate([ensemble.synth.render_stems(RATE).stems[CHANNELS, :, 0] for _ in range(seconds)], 1)


def facts(instrument: str, wild_s: float) -> list[dict[str, object]]:
    """Measure one instrument under every setting."""
    sound = render(instrument, wild_s)
    seconds = sound.reshape(len(SETTINGS), -1, RATE)
    highest = [max(level_db(second) for second in channel) for channel in seconds]
    tail = sound[:, round((WILD_FROM_S + wild_s + LATER_S) * RATE) :]
    rows: list[dict[str, object]] = []
    for index, name in enumerate(list(SETTINGS)[:-1]):
        spectrum = np.sqrt(np.mean((bands_db(tail[index]) - bands_db(tail[-1])) ** 2))
        rows.append(
            {
                "instrument": instrument,
                "setting": name,
                "finite": bool(np.isfinite(sound[index]).all()),
                "peak": round(float(np.abs(sound[index]).max()), 3),
                "louder_db": round(highest[index] - highest[-1], 1),
                "after_level_db": round(level_db(tail[index]) - level_db(tail[-1]), 2),
                "after_spectrum_db": round(float(spectrum), 2),
            }
        )
    return rows


def main() -> None:
    """Parse the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--instruments", default="violin,trumpet,church-organ,clarinet,grand-piano")
    parser.add_argument("--wild-s", type=float, default=30.0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = []
    for instrument in arguments.instruments.split(","):
        for row in facts(instrument, arguments.wild_s):
            rows.append(row)
            print("  ".join(f"{key}={value}" for key, value in row.items()), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
