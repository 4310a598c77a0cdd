"""An instrument talks to nobody: no connection, and no file but those that are asked for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tnca_synth.midi.files.writer import encode_midi_file
from tnca_synth.midi.messages import note_off, note_on

pytestmark = pytest.mark.device

SUPPORT = Path(__file__).parents[1] / "support"
SONG = encode_midi_file([(0, note_on(0, 60, 64)), (2400, note_off(0, 60))], 48_000)
PATIENCE_S = 10.0
"""ONNX Runtime's telemetry looked up its host some 9 s after the import."""

RENDER = """
import sys
from tnca_synth.cli import main
if __name__ == "__main__":
    import no_network
    no_network.forbid()
    sys.exit(main(["render", "song.mid", "--workers", "2"]))
"""
PLAY = """
import sys, time
from tnca_synth.live.benchmark.jack_probe import JackServer
from tnca_synth.live.session.session import LiveOptions, LiveSession
from tnca_synth.midi.messages import note_on
if __name__ == "__main__":
    import no_network
    no_network.forbid()
    with JackServer(48_000, 256, sys.argv[1]), LiveSession(LiveOptions(block_size=256)) as session:
        session.send(note_on(0, 60, 100))
        deadline = time.monotonic() + 20
        while session.status().voices != 1:
            assert time.monotonic() < deadline
            time.sleep(0.05)
"""
WAIT = f"""
import no_network
no_network.forbid()
import time
from tnca_synth.engine.bank.bank import Bank
model = Bank.load().growth_model("mel", "cpu")
time.sleep({PATIENCE_S})
"""


def run(script: str, folder: Path, *arguments: str) -> set[str]:
    """Run a script with a home of its own; return the files below the folder afterwards, all but the script."""
    (folder / "home").mkdir(parents=True)
    (folder / "song.mid").write_bytes(SONG)
    (folder / "script.py").write_text(script)
    places = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"), str(folder / "home"))
    path = os.pathsep.join([str(SUPPORT), *filter(None, sys.path)])
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    done = subprocess.run(
        [sys.executable, "script.py", *arguments],
        cwd=folder,
        env={**environment, **places, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()}
    return found - {"script.py", "song.mid"}


def test_a_render_opens_no_connection_and_writes_nothing_else(tmp_path: Path) -> None:
    assert run(RENDER, tmp_path) == {"song.wav"}


def test_live_play_opens_no_connection_and_writes_nothing(tmp_path: Path) -> None:
    assert run(PLAY, tmp_path, f"tnca-test-privacy-{os.getpid()}") == set()


def test_a_model_that_stays_open_looks_nothing_up(tmp_path: Path) -> None:
    assert run(WAIT, tmp_path) == set()


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
def test_the_filter_of_these_tests_works(tmp_path: Path, family: str) -> None:
    script = (
        f"import no_network, socket\nno_network.forbid()\nsocket.socket(socket.AF_UNIX)\nsocket.socket(socket.{family})"
    )
    with pytest.raises(AssertionError):
        run(script, tmp_path)
