"""How near a bank's programs come to the recordings of a SoundFont, as a model of hearing judges it.

Of each program a few keys that training never heard are rendered as a user hears them, dry and at full band, and
compared by Zimtohrli with the SoundFont and, beside it, with what a sampler makes of a recording three semitones lower.

    python benchmarks/programs.py --bank BANK --bank OTHER --preset foundation --keys 2

A program that a bank lacks is played by the instrument that it puts in its place, as it would in a song.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from tnca_synth.engine.bank.bank import Bank
from tnca_synth.training.config.instruments import InstrumentConfig
from tnca_synth.training.config.run import load_preset
from tnca_synth.training.measure.hearing import HEARING_RATE, hearing_distance
from tnca_synth.training.measure.recording import HELD_OUT_VELOCITY, is_held_out_key
from tnca_synth.training.sources.soundfont import SoundFont
from tnca_synth.training.sources.soundfont_file import DRUM_BANK, Preset
from tnca_synth.training.validation.evaluation import SAMPLER_SEMITONES, sampler
from tnca_synth.training.validation.rendered import NoteRenderer

HOLD_S, TAIL_S = 1.5, 0.8
LOWEST, HIGHEST = 40, 84
AUDIBLE = 1e-3


def keys_of(one: InstrumentConfig, count: int) -> list[int]:
    """Return held-out keys of a program, or drums of a kit, spread over what is played."""
    if one.drum_keys:
        keys = list(one.keys or range(one.low, one.high + 1))
    else:
        keys = [key for key in range(max(one.low, LOWEST), min(one.high, HIGHEST) + 1) if is_held_out_key(key)]
    places = np.linspace(0, len(keys) - 1, count + 2)[1:-1].round().astype(int)
    return [keys[place] for place in dict.fromkeys(places.tolist())] if keys else []


def main() -> None:
    """Print a row for each program and the means."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bank", action="append", type=Path, help="bank to judge; the shipped one by default")
    parser.add_argument("--preset", default="foundation")
    parser.add_argument("--keys", type=int, default=2, help="keys of each program")
    parser.add_argument("--instrument", action="append", help="judge this one alone; may be repeated")
    parser.add_argument("--json", type=Path, help="write all distances to this file")
    arguments = parser.parse_args()
    data = load_preset(arguments.preset).data
    font = SoundFont(data.soundfont, HEARING_RATE)
    banks = {str(path or "shipped"): Bank.load(path) for path in arguments.bank or [None]}
    renderers = {name: NoteRenderer(bank, bank.growth_model("dual", "cpu"), "harmonic") for name, bank in banks.items()}
    chosen = [one for one in data.instruments if not arguments.instrument or one.name in arguments.instrument]
    print(f"{'program':28s}", *(f"{name[-16:]:>17s}" for name in (*renderers, "sampler")))
    table: dict[str, dict[str, float]] = {}
    for one in chosen:
        preset = Preset(DRUM_BANK if one.drum_keys else one.bank, one.program, one.name)
        found: dict[str, list[float]] = {}
        for key in keys_of(one, arguments.keys):
            recording = font.play(preset, key, HELD_OUT_VELOCITY, HOLD_S, TAIL_S)
            if np.abs(recording).max() < AUDIBLE:
                continue
            for name, renderer in renderers.items():
                audio = renderer.render(one, key, HELD_OUT_VELOCITY, HOLD_S, len(recording))
                found.setdefault(name, []).append(hearing_distance(recording, audio, HEARING_RATE))
            if not one.drum_keys:
                low = font.play(preset, key - SAMPLER_SEMITONES, HELD_OUT_VELOCITY, HOLD_S, TAIL_S)
                moved = np.pad(sampler(low, HEARING_RATE), (0, len(recording)))[: len(recording)]
                found.setdefault("sampler", []).append(hearing_distance(recording, moved, HEARING_RATE))
        if not found:
            continue
        table[one.name] = {name: float(np.mean(values)) for name, values in found.items()}
        cells = [f"{table[one.name].get(name, np.nan):17.4f}" for name in (*renderers, "sampler")]
        print(f"{one.name:28s}", *cells, flush=True)
    for label, stat in (("mean", np.mean), ("median", np.median)):
        cells = [f"{stat([row[name] for row in table.values() if name in row]):17.4f}" for name in renderers]
        print(f"{label:28s}", *cells)
    for name in renderers:
        both = [row for row in table.values() if "sampler" in row]
        print(f"{name}: nearer than the sampler on {sum(row[name] < row['sampler'] for row in both)} of {len(both)}")
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1))


if __name__ == "__main__":
    main()
