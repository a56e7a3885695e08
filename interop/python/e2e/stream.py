"""The stream: resumed after cuts, asked for again, fenced; and what stands for all events of both sides."""

import hashlib
import time
from contextlib import closing

from coloan.v1.push_pb2 import (
    STEERING_ACTION_REPLAY,
    EventListQuery,
    EventSteering,
    ReconcileQuery,
)

from coloan_bank.client import Client
from coloan_bank.deliver import Deliver
from coloan_bank.intake import Incoming, Intake
from coloan_bank.journal import Journal
from coloan_bank.methods import LIST_EVENTS, RECONCILE, STEER_EVENTS
from e2e.life import decided, give_up, submit
from e2e.steps import Steps, refused, until
from e2e.world import BankUnderTest, Stream, World

_CHAIN_DOMAIN = b"coloan events v1\n"
_PENDING_LOOKS_MAX = 300
_LOOK_S = 0.1


def resume(world: World, stream: Stream, step: Steps) -> None:
    bank, deliver = world.bank, stream.deliver
    journal = bank.journal
    with step("after a cut the stream comes back and everything is acknowledged"):
        cut = deliver.session
        deliver.cut()

        def floor() -> int:
            session = deliver.session
            return session.heartbeat.received_floor if session and session is not cut and session.heartbeat else 0

        until("a heartbeat that has all", lambda: floor() == journal.last_sequence)
    with step("events that came while the stream was cut are delivered, once"):
        give_up(bank)
        before = journal.last_sequence
        deliver.cut()
        decided(bank, submit(bank, world.persona))
        came = sorted(sequence for sequence in journal.events if sequence > before)
        assert came == list(range(before + 1, before + 1 + len(came)))


def asked_again(bank: BankUnderTest, step: Steps, way: str) -> None:
    """One event once more, by whichever way this bank has now ([COL-DEL-027])."""
    journal, last = bank.journal, bank.journal.last_sequence
    with step(f"an event that is asked for again comes by {way}, is acknowledged, and is not taken over twice"):
        until("its reference", lambda: journal.events[last].reference)
        reference, count = journal.events[last].reference, len(journal.events)
        steering = EventSteering(action=STEERING_ACTION_REPLAY, to=last, note="try it", **{"from": last})  # type: ignore[arg-type]  # a keyword of Python
        sealed = bank.client.seal(STEER_EVENTS.name, steering)
        bank.client.send(STEER_EVENTS, sealed)
        nothing_pending(bank.client)
        assert (journal.events[last].reference, len(journal.events)) == (reference, count)
        assert sum(text.startswith(f"{last} ") for text in bank.said) == 1


def nothing_pending(client: Client) -> None:
    for _ in range(_PENDING_LOOKS_MAX):
        if not client.call(LIST_EVENTS, EventListQuery(limit=10, pending=True)).events:
            return
        time.sleep(_LOOK_S)
    raise AssertionError("an event is not acknowledged")


def same_chain(bank: BankUnderTest, step: Steps) -> None:
    journal = bank.journal
    with step("the chain over all events is the same on both sides"):
        answer = bank.client.call(RECONCILE, ReconcileQuery(sequences=[1, journal.last_sequence]))
        assert answer.head.sequence == journal.last_sequence
        assert answer.head.chain == chain_of(journal)
        assert answer.marks[1].chain == answer.head.chain


def chain_of(journal: Journal) -> bytes:
    """What stands for all events up to the last one ([COL-DEL-029])."""
    chain = bytes(32)
    for sequence in range(1, journal.last_sequence + 1):
        link = _CHAIN_DOMAIN + chain + sequence.to_bytes(8, "big") + journal.events[sequence].digest
        chain = hashlib.sha256(link).digest()
    return chain


def fencing(world: World, step: Steps) -> None:
    def never(incoming: Incoming) -> str:
        raise AssertionError(f"event {incoming.sequence} for the old session")

    older = closing(Journal(world.work / "older.journal"))
    with step("an older session is fenced off"), refused("STREAM_FENCED"), older as journal:
        journal.last_sequence = world.bank.journal.last_sequence
        intake = Intake(world.client, journal, never)
        Deliver(world.client, intake, world.bank.said.append, epoch=0).run()  # lower than any that a journal counts
