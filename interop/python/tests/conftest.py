import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coloan_bank.client import Client
from coloan_bank.journal import Journal
from coloan_bank.keys import Signer
from coloan_bank.transport import TlsFiles, connect
from tests.support import folder as folders
from tests.support.centre import Centre
from tests.support.folder import BANK, CENTRE

_WAIT_S_MAX = 10.0

Until = Callable[[Callable[[], object]], None]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("coloan") / "certs"
    folders.make(made)
    return made


@pytest.fixture
def centre(folder: Path) -> Iterator[Centre]:
    centre = Centre(folder)
    yield centre
    centre.stop()


@pytest.fixture
def client(folder: Path, centre: Centre) -> Iterator[Client]:
    channel = connect(f"localhost:{centre.port}", CENTRE, TlsFiles.load(folder, BANK))
    yield Client(channel, Signer.load(BANK, folder / "cn-beta-js.sign.key"), centre.directory)
    channel.close()


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "bank.journal")
    yield journal
    journal.close()


@pytest.fixture
def until() -> Until:
    def wait(happened: Callable[[], object]) -> None:
        end = time.monotonic() + _WAIT_S_MAX
        while not happened():
            assert time.monotonic() < end, f"did not happen within {_WAIT_S_MAX:.0f} s"
            time.sleep(0.005)

    return wait
