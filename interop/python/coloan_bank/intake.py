"""Events of the centre, whichever way they come: each verified, made durable, and taken over once (chapter 8).

The stream (deliver.py) and the call-back (inbox.py) both hand their events to one Intake over one journal, so a bank
may change the way at any time, and an event that comes both ways is one event.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from coloan.v1.envelope_pb2 import DIRECTION_EVENT
from coloan.v1.push_pb2 import ACK_LEVEL_APPLIED, ACK_LEVEL_RECEIVED, Ack, Event, EventListQuery

from coloan_bank.client import Client
from coloan_bank.envelope import Opened
from coloan_bank.journal import Journal, KeptEvent
from coloan_bank.methods import DELIVER, LIST_EVENTS
from coloan_bank.refused import check

Apply = Callable[["Incoming"], str]


@dataclass(frozen=True)
class Incoming:
    """A verified event: what it says, and the envelope it came in."""

    event: Event
    opened: Opened

    @property
    def sequence(self) -> int:
        return self.opened.header.sequence


class Intake:
    """`apply` takes an event over into the bank's core and gives the bank's own reference of it. It is called once for
    each event, unless the process dies before the reference is durable."""

    def __init__(self, client: Client, journal: Journal, apply: Apply) -> None:
        self.journal = journal
        self._client = client
        self._apply = apply
        self._keeping = threading.Lock()
        self._applying = threading.Lock()

    def verify(self, data: bytes) -> Incoming:
        """All checks of an event; its header names Deliver whichever way it comes ([COL-DEL-030])."""
        return self.incoming(self._client.open(data, DELIVER, {Event: DIRECTION_EVENT}))

    def incoming(self, opened: Opened) -> Incoming:
        event = opened.read_body(Event)
        check(opened.header.application_id == event.application_id, "FIELD_INVALID", field="application_id")
        return Incoming(event, opened)

    def keep(self, incoming: Incoming, data: bytes, *, in_order: bool) -> KeptEvent:
        """Durable when this returns: now it may be acknowledged RECEIVED ([COL-DEL-008]). A stream has an order, and a
        hole that nobody named ends it ([COL-DEL-012]); calls have none, and what is missing comes by another call."""
        sequence, digest = incoming.sequence, incoming.opened.digest
        with self._keeping:
            known = self.journal.events.get(sequence)
            if known is not None:
                check(known.digest == digest, "SEQUENCE_WRONG", f"event {sequence} was another one before")
                return known
            expected = self.journal.last_sequence + 1
            is_next = sequence == expected or sequence in self.journal.held
            check(
                is_next or (not in_order and sequence > expected), "SEQUENCE_WRONG", f"{sequence} after {expected - 1}"
            )
            if not is_next:
                self.journal.hold(expected, sequence - 1)
            self.journal.event(sequence, digest, data)
            return self.journal.events[sequence]

    def take_over(self, kept: KeptEvent) -> str:
        """Once for each event, whoever asks; gives the bank's reference."""
        with self._applying:
            if not kept.reference:
                self.journal.applied(kept.sequence, self._apply(self.verify(kept.envelope)))
            return kept.reference

    def owed(self) -> list[KeptEvent]:
        """Events that the centre does not know to be applied: an acknowledgement is not answered, and a break or a
        crash may have swallowed it. The centre takes the same one twice ([COL-DEL-010])."""
        known = self._client.call(LIST_EVENTS, EventListQuery(limit=1)).applied_floor
        return [kept for kept in list(self.journal.events.values()) if kept.sequence > known]


def acknowledgement(kept: KeptEvent) -> Ack:
    """As far as we have come with it; APPLIED includes RECEIVED."""
    return applied(kept) if kept.reference else received(kept)


def received(kept: KeptEvent) -> Ack:
    return Ack(sequence=kept.sequence, level=ACK_LEVEL_RECEIVED)


def applied(kept: KeptEvent) -> Ack:
    return Ack(sequence=kept.sequence, level=ACK_LEVEL_APPLIED, bank_reference=kept.reference)
