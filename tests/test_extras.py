"""Every command finds what it imports in exactly the packages that the README has people install for it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

from tnca_synth.cli.commands import COMMANDS, JUDGE_PACKAGES, SCALE_PACKAGES, TRAIN_PACKAGES

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
IMPORT_NAMES = {
    "pyyaml": "yaml",
    "pillow": "PIL",
    "python-rtmidi": "rtmidi",
    "swift-f0": "swift_f0",
    "visqol-python": "visqol",
}
TRAINING = {"train", "learn", "learn-all", "export", "codec", "vocoder", "evaluate", "compare"}
SCALE = {"render-corpus"}
JUDGES = {"evaluate", "compare"}
BY_ITSELF = {"tinysoundfont"}
"""What the README installs by a command of its own."""
OPTIONAL = {"jack"}
"""Asked for only where a JACK server is to be measured, and said to be missing in one line."""


def import_names(requirements: list[str]) -> set[str]:
    names = [re.split(r"[<>=!;\[ ]", one, maxsplit=1)[0] for one in requirements]
    return {IMPORT_NAMES.get(name, name.replace("-", "_")) for name in names}


def imported(module: str) -> set[str]:
    """Return the modules that a module imports anywhere, but for what types alone ask for."""
    path = ROOT.joinpath(*module.split(".")[1:])
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if module == "tnca_synth":
        source = ROOT / "tnca_synth" / "__init__.py"
    package = module if source.name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()

    class Imports(ast.NodeVisitor):
        def visit_If(self, node: ast.If) -> None:
            if "TYPE_CHECKING" not in ast.dump(node.test):
                self.generic_visit(node)

        def visit_Import(self, node: ast.Import) -> None:
            found.update(alias.name for alias in node.names)

        def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names if is_module(f"{base}.{alias.name}"))

    Imports().visit(ast.parse(source.read_text(encoding="utf-8")))
    return found


@cache
def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split(".")[1:])
    return name.startswith("tnca_synth.") and (path.with_suffix(".py").is_file() or (path / "__init__.py").is_file())


@cache
def packages_of(command: str) -> frozenset[str]:
    """Return the top-level names of what a command's module imports, and what that imports, from others."""
    module = next(one.module for one in COMMANDS if one.name == command)
    waiting, seen, found = [f"tnca_synth.cli.{module}"], set[str](), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for other in imported(name):
            if other == "tnca_synth" or is_module(other):
                waiting.append(other)
            elif other.partition(".")[0] != "tnca_synth":
                found.add(other.partition(".")[0])
    return frozenset(found - sys.stdlib_module_names)


@pytest.mark.parametrize("command", [one.name for one in COMMANDS])
def test_a_command_needs_no_more_than_its_documented_extra(command: str) -> None:
    there = import_names(PROJECT["dependencies"])
    if command in TRAINING:
        there |= import_names(PROJECT["optional-dependencies"]["train"]) | BY_ITSELF
    if command in JUDGES:
        there |= import_names(PROJECT["optional-dependencies"]["judges"])
    if command in SCALE:
        there |= import_names(PROJECT["optional-dependencies"]["scale"])
    assert packages_of(command) - there - OPTIONAL == set()


def test_commands_that_train_are_those_that_import_training() -> None:
    assert {one.name for one in COMMANDS if {"torch", "soxr"} & packages_of(one.name)} == TRAINING


def test_what_is_missing_is_told_with_the_extra_that_has_it() -> None:
    base = import_names(PROJECT["dependencies"])
    assert set().union(*map(packages_of, TRAINING)) - base - OPTIONAL <= TRAIN_PACKAGES | JUDGE_PACKAGES
    assert set().union(*map(packages_of, SCALE)) - base <= SCALE_PACKAGES


def test_the_readme_installs_what_the_extra_lacks() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "pip install '.[train]'" in text
    assert "pip install '.[scale]'" in text
    assert "pip install '.[train,judges]'" in text
    assert all(f"pip install --no-deps {name}" in text for name in BY_ITSELF)
