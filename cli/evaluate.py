"""`tnca-synth evaluate`: a bank's models against recordings they never saw."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import UsageError
from .output import print_json, print_table, print_warning

if TYPE_CHECKING:
    from ..engine.bank.bank import Bank
    from ..training.config.run import TrainConfig
    from ..training.validation.evaluation import NoteResult

MEANS = ("new keys", "new velocity", "pitched")
DEFAULT_PATHS = ("dual+harmonic", "dual+griffin-lim", "mel+vocoder", "mel+griffin-lim")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `evaluate`."""
    parser.add_argument("--bank", type=Path, metavar="PATH", help="bank to judge (default: the one that is shipped)")
    parser.add_argument("--preset", default="dual", help="whose recordings to compare with (default: dual)")
    parser.add_argument(
        "--path",
        action="append",
        metavar="REPRESENTATION+DECODER",
        help=f"a path to judge, may be repeated (default: those of {', '.join(DEFAULT_PATHS)} that the bank plays)",
    )
    parser.add_argument("--instrument", action="append", metavar="NAME", help="judge this instrument, may be repeated")
    parser.add_argument(
        "--keys", type=int, default=4, metavar="N", help="held-out keys per instrument, at two velocities (default: 4)"
    )
    parser.add_argument("--json", action="store_true", help="print every note's result and the means as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Play held-out notes and print how far they are from their recordings."""
    from ..training.config.run import load_preset
    from ..training.validation.evaluation import as_rows, summarise

    if arguments.keys < 1:
        raise UsageError(f"--keys must be at least 1, got {arguments.keys}")
    config = load_preset(arguments.preset)
    results = _results(arguments, config)
    summary = summarise(results)
    if arguments.json:
        print_json({"summary": summary, "notes": as_rows(results)})
        return 0
    instruments = list(dict.fromkeys(result.instrument for result in results))
    for title, key, digits in (("STFT distance", "distance", 2), ("mel error, dB", "mel_db", 2)):
        print(f"\n{title}, mean over held-out notes")
        rows = [
            [name, *(_cell(table.get(name, {}), key, digits) for table in summary.values())] for name in instruments
        ]
        for mean in MEANS:
            rows.append([f"mean, {mean}", *(_cell(table.get(mean, {}), key, digits) for table in summary.values())])
        print_table(["", *summary], rows)
    print("\nshare of pitched notes within 10 cents of the recording (SwiftF0)")
    print_table(list(summary), [[_cell(table.get("pitched", {}), "within_10_cents", 3) for table in summary.values()]])
    return 0


def _results(arguments: argparse.Namespace, config: TrainConfig) -> list[NoteResult]:
    from ..engine.bank.bank import Bank
    from ..engine.bank.chooser import find_instrument
    from ..training.data.references import instruments_to_judge
    from ..training.validation.evaluation import Evaluator, reference_notes

    bank = Bank.load(arguments.bank)
    known = {one.name: one for one in instruments_to_judge(config.data, bank)}
    wanted = [find_instrument(known.values(), name).name for name in arguments.instrument or known]
    evaluator = Evaluator(bank, tuple(map(_path, arguments.path)) if arguments.path else _paths_of(bank))
    results: list[NoteResult] = []
    heard = []
    for name in dict.fromkeys(wanted):
        for reference in reference_notes(known[name], config.data, evaluator.sample_rate, arguments.keys):
            results += evaluator.note(reference, known[name])
            heard += [] if reference.is_held_out else [name]
    if heard:
        names = ", ".join(dict.fromkeys(heard))
        print_warning(f"nothing is held out of {names}: these are notes that training heard")
    if not results:
        raise UsageError("there is no note to compare with: the recordings of the preset are silent")
    return results


def _paths_of(bank: Bank) -> tuple[tuple[str, str], ...]:
    """Return the usual paths that a bank can play, or else every representation with its best decoder."""
    from ..engine.names import REPRESENTATIONS

    models = bank.decoder_models
    usual = [_path(text) for text in DEFAULT_PATHS]
    wanted = [*usual, *((name, REPRESENTATIONS[name].default_decoder) for name in bank.representations)]
    there = [one for one in wanted if one[0] in bank.representations and (one[1] != "vocoder" or "vocoder" in models)]
    return tuple(dict.fromkeys(there if any(one in usual for one in there) else wanted[len(usual) :]))


def _path(text: str) -> tuple[str, str]:
    representation, plus, decoder = text.partition("+")
    if not plus:
        raise UsageError(f"--path wants REPRESENTATION+DECODER such as dual+harmonic, got {text!r}")
    return representation, decoder


def _cell(values: dict[str, Any], key: str, digits: int) -> str:
    value = values.get(key, math.nan)
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
