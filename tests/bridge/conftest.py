"""An engine that all tests of the bridge share, in a folder of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import bridge_client
import pytest

from tnca_synth.engine.instrument_files.folder import VARIABLE


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
def shared_folder(tmp_path_factory: pytest.TempPathFactory, library, instruments_folder: Path) -> Iterator[Path]:
    """A folder whose engine stays while there are tests: a client keeps it."""
    folder = tmp_path_factory.mktemp("shared")
    with bridge_client.environment(folder):
        keeper = bridge_client.Client(library)
        keeper.activate(48_000, 256, 30_000)
        assert keeper.status.name == "running", keeper.status.text
    yield folder
    keeper.close()


@pytest.fixture
def folder(shared_folder: Path) -> Iterator[Path]:
    with bridge_client.environment(shared_folder):
        yield shared_folder


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
