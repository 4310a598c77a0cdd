"""`tnca-synth plugin`: build, install, remove and examine the plugin for digital audio workstations."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from .output import print_json, print_table

ACTIONS = {
    "build": "compile it into a folder",
    "install": "compile it and put it where hosts look, for this user",
    "uninstall": "remove what install has written",
    "doctor": "say what is missing, and whether hosts see it",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `plugin`."""
    parser.add_argument("action", choices=ACTIONS, help="; ".join(f"{name}: {text}" for name, text in ACTIONS.items()))
    parser.add_argument("-o", "--output", type=Path, default=Path("build/plugin"), metavar="FOLDER",
                        help="where build writes the bundles (default: build/plugin)")  # fmt: skip
    parser.add_argument("--format", choices=("vst3", "clap", "lv2"), action="append", metavar="FORMAT",
                        help="vst3, clap or lv2 alone; may be repeated (default: all three)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Do what was asked for."""
    from ..bridge.plugin.build import FORMATS, build
    from ..bridge.plugin.install import install, uninstall

    formats = tuple(arguments.format or FORMATS)
    if arguments.action == "doctor":
        return _examine(arguments.json)
    if arguments.action == "uninstall":
        written = uninstall(formats)
    elif arguments.action == "install":
        written = list(install(formats).values())
    else:
        written = list(build(arguments.output, formats=formats).values())
    if arguments.json:
        print_json({"action": arguments.action, "paths": [str(path) for path in written]})
    else:
        for path in written:
            print(path)
        if arguments.action == "uninstall" and not written:
            print("nothing was installed")
    return 0


def _examine(as_json: bool) -> int:
    from ..bridge.plugin.doctor import examine

    findings = list(examine())
    if as_json:
        print_json({"findings": [asdict(one) for one in findings]})
    else:
        words = {True: "ok", False: "no", None: "-"}
        print_table(
            ("", "WHAT", "TIME", "FOUND"),
            [
                (words[one.is_well], one.subject, "" if one.seconds is None else f"{one.seconds:.2f} s", one.text)
                for one in findings
            ],
        )
    return 1 if any(one.is_well is False for one in findings) else 0
