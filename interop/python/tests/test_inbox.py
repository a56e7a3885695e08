from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from coloan.v1.envelope_pb2 import DIRECTION_ACK, Direction
from coloan.v1.push_pb2 import ACK_LEVEL_APPLIED, ACK_LEVEL_RECEIVED, Ack
from google.protobuf.message import Message

from coloan_bank.client import Client
from coloan_bank.dsse import now_ms
from coloan_bank.envelope import Expected, open_envelope
from coloan_bank.inbox import Inbox
from coloan_bank.intake import Incoming, Intake
from coloan_bank.journal import Journal
from coloan_bank.keys import Signer
from coloan_bank.methods import NOTIFY
from coloan_bank.refused import Refused
from coloan_bank.transport import TlsFiles, connect
from tests.conftest import Until
from tests.support.centre import Centre
from tests.support.folder import BANK, CENTRE, ENVIRONMENT, OTHER

_CALL_S = 5.0
Open = Callable[[Journal], "Opened"]


class Opened:
    """An inbox that runs, and what it took over."""

    def __init__(self, client: Client, journal: Journal, folder: Path, centre: Centre) -> None:
        self.taken: list[int] = []
        self.said: list[str] = []
        self.failing = False
        self._folder = folder
        self._centre = centre
        intake = Intake(client, journal, self._apply)
        self.inbox = Inbox(client, intake, TlsFiles.load(folder, BANK), "127.0.0.1:0", self.said.append)
        self.inbox.start()

    def _apply(self, incoming: Incoming) -> str:
        if self.failing:
            raise Refused("STORE_FAILED")
        self.taken.append(incoming.sequence)
        return f"r-{incoming.sequence}"

    def call(self, data: bytes, caller: str = CENTRE) -> bytes:
        """As the centre calls, or who else has a certificate of the scheme."""
        channel = connect(f"127.0.0.1:{self.inbox.port}", BANK, TlsFiles.load(self._folder, caller))
        notify: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{NOTIFY}")
        try:
            return notify(data, timeout=_CALL_S)
        finally:
            channel.close()

    def notify(self, sequence: int) -> Ack:
        """Calls with an event and reads the answer as the centre does ([COL-CAL-002])."""
        event = self._centre.events[sequence - 1]
        bodies: dict[type[Message], Direction] = {Ack: DIRECTION_ACK}
        directory = self._centre.directory
        expected = Expected(directory, ENVIRONMENT, BANK, CENTRE, NOTIFY, bodies, now_ms(), event.digest)
        return open_envelope(self.call(event.envelope), expected).read_body(Ack)

    def refused_with(self, data: bytes, caller: str = CENTRE) -> str:
        with pytest.raises(grpc.RpcError) as caught:
            self.call(data, caller)
        assert isinstance(caught.value, grpc.Call)
        return caught.value.details() or ""


@pytest.fixture
def open_inbox(client: Client, folder: Path, centre: Centre) -> Iterator[Open]:
    running: list[Opened] = []

    def start(journal: Journal) -> Opened:
        running.append(Opened(client, journal, folder, centre))
        return running[-1]

    yield start
    for opened in running:
        opened.inbox.stop()


def test_an_event_is_received_at_once_and_applied_afterwards(
    centre: Centre, journal: Journal, open_inbox: Open, until: Until
) -> None:
    opened = open_inbox(journal)
    centre.push()
    assert opened.notify(1).level in (ACK_LEVEL_RECEIVED, ACK_LEVEL_APPLIED)
    until(lambda: centre.applied_floor() == 1)
    assert centre.acks[-1].bank_reference == "r-1"
    assert opened.taken == [1]


def test_an_event_that_comes_twice_is_answered_twice_and_taken_over_once(
    centre: Centre, journal: Journal, open_inbox: Open, until: Until
) -> None:
    opened = open_inbox(journal)
    centre.push()
    opened.notify(1)
    until(lambda: centre.applied_floor() == 1)
    again = opened.notify(1)
    assert (again.level, again.bank_reference) == (ACK_LEVEL_APPLIED, "r-1")
    assert opened.taken == [1]


def test_calls_have_no_order(centre: Centre, journal: Journal, open_inbox: Open, until: Until) -> None:
    opened = open_inbox(journal)
    for _ in range(3):
        centre.push()
    opened.notify(3)
    assert journal.held == {1, 2}
    opened.notify(1)
    opened.notify(2)
    until(lambda: centre.applied_floor() == 3)
    assert sorted(opened.taken) == [1, 2, 3]
    assert (journal.held, journal.last_sequence) == (set(), 3)


def test_what_is_not_the_centres_word_is_not_taken(centre: Centre, journal: Journal, open_inbox: Open) -> None:
    opened = open_inbox(journal)
    event = centre.event(1).envelope
    assert opened.refused_with(event, OTHER) == "CALLER_NOT_ALLOWED"
    assert opened.refused_with(b"") == "MESSAGE_EMPTY"
    assert opened.refused_with(event + b"\x78\x01") == "WIRE_UNKNOWN_FIELD"
    trusted, centre.signer = centre.signer, Signer.generate(CENTRE)
    forged, centre.signer = centre.event(1).envelope, trusted
    assert opened.refused_with(forged) == "KEY_UNKNOWN"
    assert journal.events == {}


def test_a_number_that_comes_back_as_another_event_is_refused(
    centre: Centre, journal: Journal, open_inbox: Open
) -> None:
    opened = open_inbox(journal)
    centre.push()
    opened.notify(1)
    assert opened.refused_with(centre.event(1, "another").envelope) == "SEQUENCE_WRONG"


def test_what_was_received_before_a_crash_is_applied_after_it(
    client: Client, centre: Centre, open_inbox: Open, until: Until, tmp_path: Path
) -> None:
    file = tmp_path / "restarted.journal"
    first = Journal(file)
    broken = open_inbox(first)
    broken.failing = True
    centre.push()
    assert broken.notify(1).level == ACK_LEVEL_RECEIVED
    broken.inbox.stop()
    first.close()
    second = Journal(file)
    opened = open_inbox(second)
    until(lambda: centre.applied_floor() == 1)
    assert opened.taken == [1]
    opened.inbox.stop()
    second.close()


def test_an_event_that_cannot_be_taken_over_now_is_tried_again(
    centre: Centre, journal: Journal, open_inbox: Open, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coloan_bank.inbox._RETRY_S", 0.01)
    opened = open_inbox(journal)
    opened.failing = True
    centre.push()
    opened.notify(1)
    until(lambda: any("STORE_FAILED" in text for text in opened.said))
    opened.failing = False
    until(lambda: centre.applied_floor() == 1)
    assert opened.taken == [1]
