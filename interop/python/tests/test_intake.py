"""The process dies at every step of taking an event over, and is started again ([COL-DEL-008], [COL-DEL-011])."""

from pathlib import Path
from typing import Any

import pytest

from coloan_bank.client import Client
from coloan_bank.intake import Incoming, Intake
from coloan_bank.journal import Journal
from tests.support.centre import Centre
from tests.support.refusing import refused

EVENTS = 3
WRITES = 2 * EVENTS  # each event is kept, then applied


class Died(BaseException):
    """The process is gone: nothing catches it."""


class MortalJournal(Journal):
    """Dies at its `dies_at`th record, before or after that is durable; 0: never."""

    def __init__(self, file: Path, dies_at: int = 0, *, after: bool = False) -> None:
        super().__init__(file)
        self._dies_at = dies_at
        self._after = after
        self._count = 0

    def _write(self, **record: Any) -> None:
        self._count += 1
        if self._count == self._dies_at and not self._after:
            raise Died
        super()._write(**record)
        if self._count == self._dies_at:
            raise Died


class Core:
    """What the bank's core took over, kept over restarts of the bank."""

    def __init__(self) -> None:
        self.taken: list[int] = []

    def apply(self, incoming: Incoming) -> str:
        self.taken.append(incoming.sequence)
        return f"r-{incoming.sequence}"


def live(intake: Intake, centre: Centre) -> None:
    """One life of a process: what was left, then what comes again, as the centre sends it."""
    for kept in intake.journal.unapplied():
        intake.take_over(kept)
    for event in centre.events[intake.journal.last_sequence :]:
        incoming = intake.verify(event.envelope)
        intake.take_over(intake.keep(incoming, event.envelope, in_order=True))


@pytest.mark.parametrize("after", [False, True], ids=["before it is durable", "after it is durable"])
@pytest.mark.parametrize("dies_at", range(1, WRITES + 1))
def test_no_event_is_lost_or_taken_over_twice(
    client: Client, centre: Centre, tmp_path: Path, dies_at: int, after: bool
) -> None:
    for _ in range(EVENTS):
        centre.push()
    core, file = Core(), tmp_path / "bank.journal"
    first = MortalJournal(file, dies_at, after=after)
    with pytest.raises(Died):
        live(Intake(client, first, core.apply), centre)
    first.close()
    second = MortalJournal(file)
    live(Intake(client, second, core.apply), centre)
    assert [kept.reference for kept in second.events.values()] == ["r-1", "r-2", "r-3"]
    # Only where it died between the core and the journal is the core asked again, for the same event: it has to know
    # the event by its number.
    asked_again = dies_at // 2 if dies_at % 2 == 0 and not after else None
    expected = [sequence for sequence in (1, 2, 3) for _ in range(2 if sequence == asked_again else 1)]
    assert core.taken == expected
    second.close()


def test_an_event_comes_both_ways_and_is_one_event(client: Client, centre: Centre, journal: Journal) -> None:
    core = Core()
    intake = Intake(client, journal, core.apply)
    event = centre.event(1)
    by_stream = intake.keep(intake.verify(event.envelope), event.envelope, in_order=True)
    by_call = intake.keep(intake.verify(event.envelope), event.envelope, in_order=False)
    assert by_stream is by_call
    assert [intake.take_over(kept) for kept in (by_stream, by_call)] == ["r-1", "r-1"]
    assert core.taken == [1]


@pytest.mark.parametrize("in_order", [True, False], ids=["stream", "call"])
def test_another_event_under_a_known_number(client: Client, centre: Centre, journal: Journal, in_order: bool) -> None:
    intake = Intake(client, journal, Core().apply)
    first, other = centre.event(1), centre.event(1, "another")
    intake.keep(intake.verify(first.envelope), first.envelope, in_order=in_order)
    with refused("SEQUENCE_WRONG"):
        intake.keep(intake.verify(other.envelope), other.envelope, in_order=in_order)
