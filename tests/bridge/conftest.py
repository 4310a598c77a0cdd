"""An engine that all tests of the bridge share, in a folder of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path

import bridge_client
import pytest


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory):
    return bridge_client.load(bridge_client.build(tmp_path_factory.mktemp("client")))


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory, library) -> Iterator[Path]:
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
