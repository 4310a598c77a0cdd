"""How fast notes of a bank begin, beside the recordings of a SoundFont, with and without envelopes of attacks.

    python benchmarks/attacks.py [--bank DIR] [--preset foundation] [--keys 1] [--drums 24] [--kind drums]

Rise is 10 to 90 % (`training.measure.attacks.rise_ms`), asked for within 2 ms of the recording's. Notes are rendered
as a user hears them, dry, on keys that training never heard, at a velocity that it never heard. Kits are told by
drums spread over their keys.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from programs import keys_of

from tnca_synth.engine.bank.bank import Bank
from tnca_synth.engine.keys.stored.onsets import no_onsets
from tnca_synth.engine.models.growth_model import OnnxGrowthModel
from tnca_synth.training.config.instruments import InstrumentConfig
from tnca_synth.training.config.run import load_preset
from tnca_synth.training.measure.attacks import level_window_s, rise_ms
from tnca_synth.training.measure.hearing import HEARING_RATE, hearing_distance
from tnca_synth.training.measure.recording import HELD_OUT_VELOCITY
from tnca_synth.training.sources.soundfont import SoundFont
from tnca_synth.training.validation.rendered import NoteRenderer

HOLD_S, TAIL_S = 0.5, 0.3
AUDIBLE = 1e-3
WITHIN_MS = 2.0
KINDS = {"pianos": range(8), "mallets": range(8, 16), "guitars": range(24, 32), "basses": range(32, 40)}
PLUCKED = (45, 46, 104, 105, 106, 107, 108)
Row = dict[str, Any]


def kind_of(one: InstrumentConfig) -> str:
    """Return what a program is counted among."""
    if one.drum_keys:
        return "drums"
    named = next((kind for kind, programs in KINDS.items() if one.program in programs), "others")
    return "plucks" if one.program in PLUCKED else named


def sides_of(path: Path | None) -> dict[str, NoteRenderer]:
    """Return what renders notes of a bank without envelopes of attacks, and with them."""
    bank = Bank.load(path)
    motions, correction = bank.measured("dual")
    models = bank.models_of("dual")
    plain = None if correction is None else replace(correction, onsets=no_onsets())
    without = OnnxGrowthModel(models["seed"], models["step"], "cpu", 1, motions, plain)
    growths = {"without": without, "with": bank.growth_model("dual", "cpu")}
    return {name: NoteRenderer(bank, growth, "harmonic") for name, growth in growths.items()}


def rows_of(
    one: InstrumentConfig, keys: Sequence[int], font: SoundFont, sides: dict[str, NoteRenderer]
) -> Iterator[Row]:
    """Yield what was measured on some keys of a program or a kit."""
    for key in keys:
        recorded = font.render(one.program, key, HELD_OUT_VELOCITY, HOLD_S, TAIL_S, one.drum_keys)
        if np.abs(recorded).max() < AUDIBLE:
            continue
        window_s = level_window_s(recorded, HEARING_RATE, key if one.pitched else None)
        row: Row = {"kind": kind_of(one), "instrument": one.name, "key": key}
        row["recorded_ms"] = rise_ms(recorded, HEARING_RATE, window_s)
        for name, renderer in sides.items():
            ours = renderer.render(one, key, HELD_OUT_VELOCITY, HOLD_S, len(recorded))
            row[f"{name}_ms"] = rise_ms(ours, HEARING_RATE, window_s)
            row[f"{name}_distance"] = hearing_distance(recorded, ours, HEARING_RATE)
        yield row


def summary(rows: Sequence[Row], side: str) -> str:
    """Say how far some notes are off on one side: median, share within what is asked, distance."""
    off = np.array([abs(row[f"{side}_ms"] - row["recorded_ms"]) for row in rows])
    distance = np.mean([row[f"{side}_distance"] for row in rows])
    return f"{np.median(off):.1f} ms | {np.mean(off <= WITHIN_MS):.0%} | {1e3 * distance:.2f}"


def main() -> None:
    """Parse the arguments and print a table by kinds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bank", type=Path)
    parser.add_argument("--preset", action="append", help="lists programs; may be repeated")
    parser.add_argument("--keys", type=int, default=1, help="of each program")
    parser.add_argument("--drums", type=int, default=24, help="of each kit")
    parser.add_argument("--kits", type=int, default=2, help="so many kits")
    parser.add_argument("--kind", action="append", help="this kind alone; may be repeated")
    parser.add_argument("--instrument", action="append", help="this one alone; may be repeated")
    parser.add_argument("--json", type=Path, help="write all rows to this file")
    given = parser.parse_args()
    presets = [load_preset(name).data for name in given.preset or ["foundation", "foundation-added"]]
    font, sides = SoundFont(presets[0].soundfont, HEARING_RATE), sides_of(given.bank)
    kits = [one for data in presets for one in data.instruments if one.drum_keys][: given.kits]
    rows: list[Row] = []
    for one in [*(one for data in presets for one in data.instruments if not one.drum_keys), *kits]:
        keys = keys_of(one, given.drums if one.drum_keys else given.keys)
        known = [key for key in keys if all(side.knows(one, key) for side in sides.values())]
        if kind_of(one) in (given.kind or [kind_of(one)]) and one.name in (given.instrument or [one.name]):
            rows += rows_of(one, known, font, sides)
    print(
        "| kind | notes | without: off | within 2 ms | 1000 x Zimtohrli | with: off | within 2 ms | 1000 x Zimtohrli |"
    )
    print("|" + "---|" * 8)
    for kind in dict.fromkeys(row["kind"] for row in rows):
        some = [row for row in rows if row["kind"] == kind]
        print(f"| {kind} | {len(some)} | {summary(some, 'without')} | {summary(some, 'with')} |")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
