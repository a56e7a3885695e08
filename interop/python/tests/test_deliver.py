import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from coloan.v1.push_pb2 import ACK_LEVEL_APPLIED, ACK_LEVEL_RECEIVED, Ack, Gap, Heartbeat, Held

from coloan_bank.client import Client
from coloan_bank.deliver import Deliver
from coloan_bank.intake import Incoming, Intake
from coloan_bank.journal import Journal
from coloan_bank.refused import Refused
from tests.conftest import Until
from tests.support.centre import Centre

_RECONNECT_MS = 5


class Listening:
    """A Deliver that runs beside a test; `taken` are the events that the bank's core took over, in order."""

    def __init__(self, client: Client, journal: Journal, *, epoch: int | None = None) -> None:
        self.taken: list[int] = []
        self.said: list[str] = []
        self.failing = False
        self.fault: Refused | None = None
        self.journal = journal
        intake = Intake(client, journal, self._apply)
        self.deliver = Deliver(client, intake, self.said.append, epoch=epoch, reconnect_ms=_RECONNECT_MS)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _apply(self, incoming: Incoming) -> str:
        if self.failing:
            raise Refused("STORE_FAILED")
        self.taken.append(incoming.sequence)
        return f"r-{incoming.sequence}"

    def _run(self) -> None:
        try:
            self.deliver.run()
        except Refused as refused:
            self.fault = refused

    def stop(self) -> None:
        self.deliver.stop()
        self._thread.join()


Listen = Callable[..., Listening]


@pytest.fixture
def listen(client: Client) -> Iterator[Listen]:
    running: list[Listening] = []

    def start(journal: Journal, *, epoch: int | None = None) -> Listening:
        running.append(Listening(client, journal, epoch=epoch))
        return running[-1]

    yield start
    for listening in running:
        listening.stop()


def acks_of(centre: Centre, level: int) -> list[Ack]:
    return [ack for ack in list(centre.acks) if ack.level == level]


def range_of(message: type[Gap] | type[Held], first: int, last: int) -> Gap | Held:
    return message(to=last, **{"from": first})  # a keyword of Python


def test_events_are_taken_over_once_and_in_order(
    centre: Centre, journal: Journal, listen: Listen, until: Until
) -> None:
    """Over a cut and a drain."""
    listening = listen(journal)
    until(lambda: centre.streams)
    centre.push()
    until(lambda: listening.taken == [1])
    listening.deliver.cut()
    until(lambda: len(centre.streams) == 2 and centre.streams[-1].opened.is_set())
    centre.push()
    until(lambda: listening.taken == [1, 2])
    centre.streams[-1].drain(_RECONNECT_MS)
    until(lambda: len(centre.streams) == 3 and centre.streams[-1].opened.is_set())
    centre.push()
    until(lambda: listening.taken == [1, 2, 3])
    until(lambda: centre.applied_floor() == 3)
    assert [ack.bank_reference for ack in acks_of(centre, ACK_LEVEL_APPLIED)] == ["r-1", "r-2", "r-3"]
    assert [stream.opening.resume_after for stream in centre.streams] == [0, 1, 2]
    assert len({stream.opening.session_id for stream in centre.streams}) == 1


def test_an_event_that_comes_twice_is_acknowledged_twice_and_taken_over_once(
    centre: Centre, journal: Journal, listen: Listen, until: Until
) -> None:
    listening = listen(journal)
    until(lambda: centre.streams)
    centre.push()
    centre.streams[-1].send(centre.events[0].envelope)
    until(lambda: len(acks_of(centre, ACK_LEVEL_APPLIED)) == 2)
    assert listening.taken == [1]


def test_an_event_that_was_received_and_not_taken_over_comes_back_after_a_restart(
    centre: Centre, listen: Listen, until: Until, tmp_path: Path
) -> None:
    file = tmp_path / "restarted.journal"
    first = Journal(file)
    broken = listen(first)
    broken.failing = True
    until(lambda: centre.streams)
    centre.push()
    until(lambda: any("STORE_FAILED" in text for text in broken.said))
    until(lambda: acks_of(centre, ACK_LEVEL_RECEIVED))
    broken.stop()
    first.close()
    assert not acks_of(centre, ACK_LEVEL_APPLIED)
    second = Journal(file)
    listening = listen(second)
    until(lambda: centre.applied_floor() == 1)
    assert listening.taken == [1]
    listening.stop()
    second.close()


def test_acknowledgements_that_were_lost_are_sent_again(
    centre: Centre, journal: Journal, listen: Listen, until: Until
) -> None:
    listen(journal)
    until(lambda: centre.streams)
    centre.push()
    until(lambda: centre.applied_floor() == 1)
    centre.acks.clear()
    centre.streams[-1].end()
    until(lambda: centre.applied_floor() == 1)


def test_a_hole_that_nobody_named_ends_the_stream(
    centre: Centre, journal: Journal, listen: Listen, until: Until
) -> None:
    listening = listen(journal)
    until(lambda: centre.streams)
    centre.push()
    centre.streams[-1].send(centre.event(3).envelope)
    until(lambda: any("SEQUENCE_WRONG" in text for text in listening.said))
    assert 3 not in journal.events
    assert all(ack.sequence == 1 for ack in centre.acks)


def test_a_gap_is_told_and_passed_over(centre: Centre, journal: Journal, listen: Listen, until: Until) -> None:
    listening = listen(journal)
    until(lambda: centre.streams and centre.streams[-1].opened.is_set())
    centre.push()
    centre.events.append(centre.event(2))  # it cannot be served
    centre.streams[-1].tell(range_of(Gap, 2, 2))
    centre.push()
    until(lambda: listening.taken == [1, 3])
    assert any("cannot be delivered" in text for text in listening.said)


def test_an_event_that_is_held_back_comes_later_with_its_own_number(
    centre: Centre, journal: Journal, listen: Listen, until: Until
) -> None:
    listening = listen(journal)
    until(lambda: centre.streams and centre.streams[-1].opened.is_set())
    centre.events.append(centre.event(1))
    centre.streams[-1].tell(range_of(Held, 1, 1))
    centre.push()
    centre.streams[-1].send(centre.events[0].envelope)
    until(lambda: listening.taken == [2, 1])
    assert journal.held == set()


def test_a_number_that_comes_back_as_another_event_is_not_acknowledged(
    centre: Centre, journal: Journal, listen: Listen, until: Until
) -> None:
    listening = listen(journal)
    until(lambda: centre.streams)
    centre.push()
    until(lambda: centre.applied_floor() == 1)
    centre.streams[-1].send(centre.event(1, "another").envelope)
    until(lambda: any("was another one before" in text for text in listening.said))
    assert listening.taken == [1]


def test_a_newer_process_fences_this_one_for_good(
    centre: Centre, journal: Journal, listen: Listen, until: Until
) -> None:
    listening = listen(journal)
    until(lambda: centre.streams and centre.streams[-1].opened.is_set())
    centre.streams[-1].refuse("STREAM_FENCED")
    until(lambda: listening.fault)
    assert listening.fault
    assert listening.fault.reason == "STREAM_FENCED"
    assert len(centre.streams) == 1


def test_the_epoch_rises_with_each_start(centre: Centre, listen: Listen, until: Until, tmp_path: Path) -> None:
    def start() -> int:
        before = len(centre.streams)
        journal = Journal(tmp_path / "epoch.journal")
        listening = listen(journal)
        until(lambda: len(centre.streams) > before and centre.streams[-1].opened.is_set())
        listening.stop()
        journal.close()
        return centre.streams[-1].opening.epoch

    assert [start(), start()] == [1, 2]


def test_a_bank_that_is_behind_gives_credit(centre: Centre, journal: Journal, listen: Listen, until: Until) -> None:
    listen(journal)
    until(lambda: centre.streams and centre.streams[-1].opened.is_set())
    stream = centre.streams[-1]
    stream.tell(Heartbeat(head=150))
    until(lambda: stream.opening.max_outstanding + stream.credit == 150)
    stream.tell(Heartbeat(head=5000))
    until(lambda: stream.opening.max_outstanding + stream.credit == 1000)
    stream.tell(Heartbeat(head=9000))
    centre.push()
    until(lambda: centre.applied_floor() == 1)
    assert stream.opening.max_outstanding + stream.credit == 1000


def test_a_stream_without_heartbeats_is_cut(
    centre: Centre, journal: Journal, listen: Listen, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coloan_bank.deliver.SILENCE_MS_MAX", 50)
    monkeypatch.setattr("coloan_bank.deliver._WATCH_S", 0.01)
    listening = listen(journal)
    until(lambda: len(centre.streams) > 1)
    assert any("CALL_CANCELLED" in text for text in listening.said)
