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
GROUPS = ("all", *MEANS)
"""Of notes in a summary, beside the instruments."""
COLUMNS = (
    ("Zimtohrli", "zimtohrli", 4),
    ("ViSQOL", "visqol", 2),
    (">10 kHz dB", "top_db", 1),
    ("STFT distance", "distance", 2),
    ("mel dB", "mel_db", 2),
    ("within 10 cents", "within_10_cents", 3),
    ("within 5 cents", "within_5_cents", 3),
)
TABLES = (("Zimtohrli", "zimtohrli", 4), ("STFT distance", "distance", 2))
Summary = dict[str, dict[str, dict[str, float]]]
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
    from ..engine.bank.bank import Bank
    from ..training.config.run import load_preset
    from ..training.validation.anchors import ANCHORS
    from ..training.validation.evaluation import as_rows, summarise

    if arguments.keys < 1:
        raise UsageError(f"--keys must be at least 1, got {arguments.keys}")
    config = load_preset(arguments.preset)
    bank = Bank.load(arguments.bank)
    results = _results(arguments, config, bank)
    summary = summarise(results)
    if arguments.json:
        print_json({"summary": summary, "notes": as_rows(results)})
        return 0
    print("\nheld-out notes with a pitch")
    header = [
        "path",
        "per-key correction",
        "like Opus at kb/s",
        *(title for title, _, _ in COLUMNS),
        "nearer than the sampler",
    ]
    print_table(header, [_overall(path, summary, bank) for path in summary])
    instruments = list(dict.fromkeys(result.instrument for result in results))
    shown = {path: table for path, table in summary.items() if path not in ANCHORS}
    for title, key, digits in TABLES:
        print(f"\n{title}, mean over held-out notes")
        groups = [*((name, name) for name in instruments), *((f"mean, {name}", name) for name in MEANS)]
        rows = [
            [label, *(_cell(table.get(name, {}), key, digits) for table in shown.values())] for label, name in groups
        ]
        print_table(["", *shown], rows)
    return 0


def _overall(path: str, summary: Summary, bank: Bank) -> list[str]:
    """Return a row that sums up a path."""
    from ..engine.bank.bank import CORRECTION
    from ..training.validation.anchors import opus_text

    pitched = summary[path].get("pitched", {})
    representation = path.partition("+")[0]
    corrected = "-"
    if representation in bank.representations:
        corrected = "yes" if CORRECTION in bank.models_of(representation) else "no"
    rate = opus_text(pitched.get("opus_kbps", math.nan))
    cells = [_cell(pitched, key, digits) for _, key, digits in COLUMNS]
    return [path, corrected, rate, *cells, _against_sampler(summary[path], summary.get("sampler", {}))]


def _against_sampler(ours: dict[str, dict[str, float]], theirs: dict[str, dict[str, float]]) -> str:
    """Say on how many instruments a path is nearer to the recordings than the sampler."""
    both = [name for name in ours if name in theirs and name not in GROUPS]
    if not both or ours is theirs:
        return "-"
    return f"{sum(ours[name]['zimtohrli'] < theirs[name]['zimtohrli'] for name in both)} of {len(both)}"


def _results(arguments: argparse.Namespace, config: TrainConfig, bank: Bank) -> list[NoteResult]:
    from ..engine.bank.chooser import find_instrument
    from ..training.data.references import instruments_to_judge
    from ..training.validation.evaluation import Evaluator
    from ..training.validation.held_out import reference_notes

    known = {one.name: one for one in instruments_to_judge(config.data, bank)}
    wanted = [find_instrument(known.values(), name).name for name in arguments.instrument or known]
    evaluator = Evaluator(bank, tuple(map(_path, arguments.path)) if arguments.path else _paths_of(bank))
    results: list[NoteResult] = []
    heard = []
    for name in dict.fromkeys(wanted):
        for reference in reference_notes(known[name], config.data, arguments.keys):
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

    usual = [_path(text) for text in DEFAULT_PATHS]
    wanted = [*usual, *((name, REPRESENTATIONS[name].default_decoder) for name in bank.representations)]
    there = [one for one in wanted if one[0] in bank.representations and _has_models(bank, *one)]
    return tuple(dict.fromkeys(there if any(one in usual for one in there) else wanted[len(usual) :]))


def _has_models(bank: Bank, representation: str, decoder: str) -> bool:
    return decoder != "vocoder" or decoder in bank.home(representation).decoder_models


def _path(text: str) -> tuple[str, str]:
    representation, plus, decoder = text.partition("+")
    if not plus:
        raise UsageError(f"--path wants REPRESENTATION+DECODER such as dual+harmonic, got {text!r}")
    return representation, decoder


def _cell(values: dict[str, Any], key: str, digits: int) -> str:
    value = values.get(key, math.nan)
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
