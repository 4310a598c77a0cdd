"""The package holds what it should, imports no more than it must, and its layers stay in order."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import tnca_synth

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SETUPTOOLS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
PACKAGE_DIRS: dict[str, str] = SETUPTOOLS["package-dir"]
FOLDERS = sorted({path.split("/")[0] for path in PACKAGE_DIRS.values()})
BARE_NAMES = {folder for folder in FOLDERS if folder != "tnca_synth"}


def modules_after(statement: str) -> set[str]:
    """Return the names of the modules that a fresh Python has loaded after a statement."""
    script = f"import sys\n{statement}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    return set(done.stdout.split())


def all_modules_of(*folders: str) -> list[str]:
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [".".join(("tnca_synth", *path.relative_to(ROOT).with_suffix("").parts)) for path in paths]


def test_the_engine_needs_no_torch_and_no_devices() -> None:
    imports = ", ".join(all_modules_of("engine", "midi"))
    loaded = modules_after(f"import {imports}")
    assert not loaded & {"torch", "onnx", "scipy", "librosa", "matplotlib", "sounddevice", "rtmidi", "_rtmidi"}


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = modules_after("import tnca_synth; dir(tnca_synth); tnca_synth.__version__")
    assert not loaded & {"numpy", "onnxruntime", "mido", "soundfile", "torch"}
    assert {name for name in loaded if name.startswith("tnca_synth.")} <= {"tnca_synth.version"}


@pytest.mark.parametrize("name", tnca_synth.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(tnca_synth, name) is not None
    assert name in dir(tnca_synth)


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Sinth'"):
        tnca_synth.Sinth  # noqa: B018


def test_every_package_folder_is_listed() -> None:
    found = {
        ".".join(("tnca_synth", *path.parent.relative_to(ROOT).parts))
        for folder in BARE_NAMES
        for path in (ROOT / folder).rglob("__init__.py")
    }
    assert found | {"tnca_synth"} == set(SETUPTOOLS["packages"])
    assert set(PACKAGE_DIRS) == set(SETUPTOOLS["packages"])


def bare_imports(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.append(node.module or "")
    return [name for name in found if name.split(".")[0] in BARE_NAMES]


def test_a_bare_import_is_found() -> None:
    assert bare_imports("def f():\n    import engine.spectra.spec\nfrom midi import x\nfrom .export import y") == [
        "midi",
        "engine.spectra.spec",
    ]


@pytest.mark.parametrize("folder", [*FOLDERS, "tests", "benchmarks", "examples"])
def test_no_folder_is_imported_by_its_bare_name(folder: str) -> None:
    bare = {str(path): bare_imports(path.read_text()) for path in (ROOT / folder).rglob("*.py")}
    assert {path: names for path, names in bare.items() if names} == {}


def installed_view(folder: Path) -> Path:
    """Make links in `folder` that look like the installed package."""
    (folder / "tnca_synth").mkdir()
    for path in [*(ROOT / "tnca_synth").iterdir(), *(ROOT / name for name in BARE_NAMES)]:
        if path.name != "__pycache__":
            (folder / "tnca_synth" / path.name).symlink_to(path)
    return folder


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    script = "import sys; from importlinter.cli import lint_imports_command as run; run()"
    arguments = ["--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_layers_are_in_order(tmp_path: Path) -> None:
    done = lint_imports(installed_view(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 broken" in done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("midi/planted.py", "from ..engine.spectra import spec", "never upward"),
        ("engine/planted.py", "from ..training import config", "never upward"),
        ("errors.py", "from .midi.files import song", "never upward"),
        ("engine/planted.py", "import torch", "torch and onnx only in training and export"),
        ("cli/planted.py", "import textual", "textual only in live"),
        ("cli/planted.py", "def run():\n    import torch", "torch and onnx only in training and export"),
        ("engine/planted.py", "import onnxruntime", "onnxruntime only in engine.models.onnx_runtime"),
        ("midi/planted.py", "import mido", "mido nowhere"),
        ("engine/planted.py", "import rtmidi", "python-rtmidi only in midi"),
        ("training/planted.py", "import soundfile", "soundfile only in engine.output.audiofile"),
        ("engine/planted.py", "import sounddevice", "no audio device"),
        ("engine/spectra/planted.py", "from ..growth import grower", "along the signal path"),
        ("midi/spec/planted.py", "from ..state import channel", "inside midi"),
        ("live/audio/planted.py", "from ..session import session", "inside live"),
        ("training/measure/planted.py", "from ..loop import loop", "inside training"),
        ("bridge/link.py", "from .serving import server", "inside the bridge"),
    ],
)
def test_a_planted_violation_is_caught(tmp_path: Path, module: str, line: str, contract: str) -> None:
    view = tmp_path / "view"
    view.mkdir()
    for name in BARE_NAMES:
        shutil.copytree(ROOT / name, view / "tnca_synth" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in (ROOT / "tnca_synth").glob("*.py"):
        shutil.copy(path, view / "tnca_synth")
    with (view / "tnca_synth" / module).open("a") as file:
        file.write(f"\n{line}\n")
    done = lint_imports(view)
    assert done.returncode == 1, done.stdout + done.stderr
    assert [text for text in done.stdout.splitlines() if contract in text and " BROKEN" in text], done.stdout


def make_wheel(folder: Path, **environment: str) -> Path:
    """Build a wheel from a copy of the sources in `folder`."""
    source = folder / "source"
    source.mkdir(parents=True)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", "_hop.*"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source)
    options = ["--quiet", "--no-deps", "--no-build-isolation", "-w", "wheels", "."]
    environment = {**os.environ, "PIP_NO_INDEX": "1", **environment}
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options], cwd=source, check=True, timeout=300, env=environment
    )
    (wheel,) = (source / "wheels").glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source folder with a wheel in `wheels`."""
    return make_wheel(tmp_path_factory.mktemp("build")).parents[1]


@pytest.fixture(scope="module")
def wheel(source: Path) -> zipfile.ZipFile:
    (path,) = (source / "wheels").glob("*.whl")
    return zipfile.ZipFile(path)


def test_a_wheel_holds_every_module_and_all_data(source: Path, wheel: zipfile.ZipFile) -> None:
    packed = set(wheel.namelist())
    data = ("*.py", "*.onnx", "*.npz", "*.json", "*.toml", "*.tnca", "py.typed", "*.c", "*.h", "*.cpp", "*.hpp")
    expected = {
        str(Path("" if folder == "tnca_synth" else "tnca_synth", path.relative_to(source)))
        for folder in FOLDERS
        for pattern in data
        for path in (source / folder).rglob(pattern)
    } | {"tnca_synth/engine/kernel/_hop.so"}
    assert expected <= packed
    compiled = {"tnca_synth/bridge/jack/_jack.so"}  # where JACK's headers are
    assert {name for name in packed - expected - compiled if ".dist-info/" not in name} == set()


def test_a_wheel_carries_the_licences_of_the_code_and_of_the_recordings(wheel: zipfile.ZipFile) -> None:
    (notice,) = (name for name in wheel.namelist() if name.endswith("/NOTICE"))
    assert any(name.endswith("/LICENSE") for name in wheel.namelist())
    text = " ".join(wheel.read(notice).decode().split())
    assert "Frank Wen" in text
    assert "permission notice shall be included in all copies" in text
    metadata = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    assert "License-File: NOTICE" in wheel.read(metadata).decode()


IMPORTS_ALL = """
import importlib, pkgutil, tnca_synth
from tnca_synth import Synth, open_synth, render
import tnca_synth.engine.bank.bank, tnca_synth.instruments, tnca_synth.cli
print(tnca_synth.__file__, tnca_synth.engine.__file__)
"""


def imported_from(folder: Path, path: Path | str = "") -> list[Path]:
    """Return the files of the package and of its engine, as a Python that starts in a folder finds them."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
    environment["PYTHONPATH"] = str(path)
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS_ALL], cwd=folder, env=environment, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return [Path(one).resolve() for one in done.stdout.split()]


def test_a_python_that_starts_in_the_source_folder_finds_all_of_it(
    source: Path, wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    """Though another is installed, as after `pip install .`, the package is never half of one and half of the other."""
    wheel.extractall(tmp_path / "installed")
    assert imported_from(source, tmp_path / "installed") == [
        source / "tnca_synth" / "__init__.py",
        source / "engine" / "__init__.py",
    ]


def test_an_installed_package_is_found_whole_anywhere_else(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path / "installed")
    (tmp_path / "elsewhere").mkdir()
    assert imported_from(tmp_path / "elsewhere", tmp_path / "installed") == [
        tmp_path / "installed" / "tnca_synth" / "__init__.py",
        tmp_path / "installed" / "tnca_synth" / "engine" / "__init__.py",
    ]


def test_a_wheel_is_for_any_python_and_grows_by_the_kernel(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    assert Path(str(wheel.filename)).name.split("-")[2:4] == ["py3", "none"]
    assert core_of(Path(str(wheel.filename)), tmp_path / "installed") == "kernel"


def test_without_a_compiler_a_wheel_is_made_and_plays(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, CC="/nonexistent/cc")
    assert not [name for name in zipfile.ZipFile(wheel).namelist() if "/_hop" in name]
    assert core_of(wheel, tmp_path / "installed") == "numpy"


def core_of(wheel: Path, folder: Path) -> str:
    """Return what grows notes in what a wheel installs."""
    zipfile.ZipFile(wheel).extractall(folder)
    script = (
        "import numpy, tnca_synth.engine.open as e; o = e.assemble_synth(provider='cpu');"
        "o.synth.send(b'\\x90\\x3c\\x64'); assert numpy.abs(o.synth.render(4096)).max() > 0.01;"
        f"assert e.__file__.startswith({str(folder)!r}); print(o.core)"
    )
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
