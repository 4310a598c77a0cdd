"""An engine that all tests of the bridge share, in a folder of its own."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import bridge_client
import pytest

from tnca_synth.engine.instrument_files.folder import VARIABLE

REFOUND_S = 20.0


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory):
    return bridge_client.load(bridge_client.build(tmp_path_factory.mktemp("client")))


@pytest.fixture(scope="session")
def instruments_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the user's instruments, for the engine and for this process."""
    folder = tmp_path_factory.mktemp("instruments")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        yield folder


@pytest.fixture
def own_instruments(instruments_folder: Path) -> Iterator[Path]:
    """The same, empty again after the test."""
    yield instruments_folder
    for path in instruments_folder.iterdir():
        path.unlink()


@pytest.fixture(scope="session")
def shared(
    tmp_path_factory: pytest.TempPathFactory, library, instruments_folder: Path
) -> Iterator[tuple[Path, bridge_client.Client]]:
    """A folder whose engine stays while there are tests, and the client that keeps it."""
    folder = tmp_path_factory.mktemp("shared")
    with bridge_client.environment(folder):
        keeper = bridge_client.Client(library)
        keeper.activate(48_000, 256, 30_000)
        assert keeper.status.name == "running", keeper.status.text
    yield folder, keeper
    keeper.close()


@pytest.fixture
def folder(shared: tuple[Path, bridge_client.Client]) -> Iterator[Path]:
    folder, keeper = shared
    with bridge_client.environment(folder):
        yield folder
        # Who lost the engine must find the next one here: in the environment of the next test it would find another.
        begin_s = time.monotonic()
        while keeper.status.name != "running" and time.monotonic() - begin_s < REFOUND_S:
            time.sleep(0.02)


@pytest.fixture
def open_client(library, folder: Path) -> Iterator[Callable[..., bridge_client.Client]]:
    """Make clients that are ready to play."""
    clients: list[bridge_client.Client] = []

    def make(rate: int = 48_000, max_block: int = 256, is_active: bool = True) -> bridge_client.Client:
        clients.append(bridge_client.Client(library))
        if is_active:
            clients[-1].activate(rate, max_block, 30_000)
            assert clients[-1].status.name == "running", clients[-1].status.text
        return clients[-1]

    yield make
    for client in clients:
        client.close()
