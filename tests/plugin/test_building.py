"""The plugin is built, installed, found by scanners, examined and removed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tnca_synth import __version__
from tnca_synth.bridge.parameters import PARAMETERS
from tnca_synth.bridge.plugin import build as building
from tnca_synth.bridge.plugin.build import BuildError, find_tools
from tnca_synth.bridge.plugin.turtle import plugin_description

COMMAND = [sys.executable, "-m", "tnca_synth", "plugin"]
device = pytest.mark.device


def run(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config"), **variables}
    return subprocess.run([*COMMAND, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_without_headers_the_error_says_what_to_install(tmp_path: Path) -> None:
    done = run(tmp_path, "build", "-o", str(tmp_path), TNCA_DPF=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "sudo apt-get install dpf-source" in done.stderr


def test_without_a_compiler_the_error_says_what_to_install(tmp_path: Path) -> None:
    done = run(tmp_path, "build", "-o", str(tmp_path), CXX="no-such-compiler")
    assert done.returncode == 1
    assert "no compiler 'no-such-compiler'" in done.stderr and "g++" in done.stderr


def test_an_error_of_the_compiler_is_one_line(tmp_path: Path) -> None:
    done = run(tmp_path, "build", "-o", str(tmp_path), CXX="c++ --no-such-option")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "no-such-option" in done.stderr


def test_another_system_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building.sys, "platform", "win32")
    with pytest.raises(BuildError, match="Linux only"):
        find_tools()


def test_the_description_has_a_port_for_every_parameter() -> None:
    text = plugin_description()
    for one in PARAMETERS:
        assert f'lv2:symbol "{one.symbol}"' in text
    assert text.count("lv2:index ") == 3 + len(PARAMETERS) + 7


@device
def test_install_doctor_and_uninstall(tmp_path: Path) -> None:
    assert run(tmp_path, "doctor").returncode == 1  # nothing is there
    installed = run(tmp_path, "install", "--json")
    assert installed.returncode == 0, installed.stderr
    places = [Path(one) for one in json.loads(installed.stdout)["paths"]]
    assert [one.parent.name for one in places] == [".vst3", ".clap", ".lv2"]
    assert all(one.exists() for one in places)
    command = (tmp_path / ".config/tnca-synth/engine").read_text().splitlines()
    assert command == [sys.executable, "-m", "tnca_synth", "bridge-engine", "--detach"]

    doctor = run(tmp_path, "doctor", "--json")
    findings = {one["subject"]: one for one in json.loads(doctor.stdout)["findings"]}
    assert doctor.returncode == 0, findings
    assert all(findings[host]["is_well"] for host in ("vst3", "clap", "lv2", "engine", "lv2ls", "qtractor", "Ardour"))

    library = tmp_path / ".clap/tnca-synth.clap"
    library.write_bytes(library.read_bytes().replace(f"plugin {__version__}\n".encode(), b"plugin 0.0.1\n"))
    (tmp_path / ".config/tnca-synth/engine").write_text("/nowhere/python\n")
    shutil.rmtree(tmp_path / ".lv2")
    doctor = run(tmp_path, "doctor", "--json")
    findings = {one["subject"]: one for one in json.loads(doctor.stdout)["findings"]}
    assert doctor.returncode == 1
    assert not any(findings[one]["is_well"] for one in ("clap", "engine", "lv2", "lv2ls"))
    assert "another version" in findings["clap"]["text"]

    assert run(tmp_path, "uninstall").returncode == 0
    assert not [one for one in tmp_path.rglob("*") if one.is_file() and "tnca" in str(one.relative_to(tmp_path))]
    assert "nothing was installed" in run(tmp_path, "uninstall").stdout


@device
def test_lv2_validate_finds_nothing(bundles: dict[str, Path]) -> None:
    files = [str(one) for one in bundles["lv2"].glob("*.ttl")]
    done = subprocess.run(["lv2_validate", *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Found 0 errors" in done.stdout + done.stderr, done.stdout + done.stderr


@device
def test_lv2bench_runs_it(host_environment: dict[str, str]) -> None:
    command = ["lv2bench", "-n", "48000", "-b", "256", "urn:tnca-synth:synth"]
    done = subprocess.run(command, env=host_environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "urn:tnca-synth:synth" in done.stdout


@device
def test_the_lv2_host_sees_names_ranges_and_units(host_environment: dict[str, str]) -> None:
    command = ["lv2info", "urn:tnca-synth:synth"]
    told = subprocess.run(command, env=host_environment, capture_output=True, text=True, check=True).stdout
    for one in PARAMETERS:
        assert f"Symbol:      {one.symbol}\n" in told and f"Name:        {one.name}\n" in told
    assert "Has latency:       yes" in told
    assert '41.0 = "Violin"' in told


@device
def test_the_libraries_export_their_entries_alone(bundles: dict[str, Path]) -> None:
    entries = {
        "vst3": {"GetPluginFactory", "ModuleEntry", "ModuleExit", "bundleEntry", "bundleExit"},
        "clap": {"clap_entry"},
        "lv2": {"lv2_descriptor"},
    }
    for form, bundle in bundles.items():
        library = next(bundle.rglob("*.so"), bundle)
        told = subprocess.run(["nm", "-D", "--defined-only", str(library)], capture_output=True, text=True, check=True)
        names = {line.split()[-1] for line in told.stdout.splitlines()}
        assert {one for one in names if not one.startswith("_")} == entries[form]
