"""The call-back: the other bank keeps no stream, and the centre calls its inbox (chapter 8.2)."""

import grpc
from coloan.v1.decision_pb2 import OUTCOME_APPROVED_COMBINED
from coloan.v1.push_pb2 import DELIVERY_STATE_APPLIED, EventListQuery

from coloan_bank.inbox import Inbox
from coloan_bank.methods import LIST_EVENTS, NOTIFY
from coloan_bank.transport import connect
from e2e.life import case_of, decided, give_up, submit
from e2e.steps import Steps, until
from e2e.stream import asked_again, same_chain
from e2e.world import BankUnderTest, Stream, World

_CALL_S = 5.0


def open_inbox(world: World, port: int) -> Inbox:
    other = world.other
    tls = world.folder.tls(other.party)
    inbox = Inbox(other.client, other.bank.intake, tls, f"127.0.0.1:{port}", other.said.append)
    inbox.start()
    return inbox


def callback(world: World, step: Steps) -> None:
    assert world.options.inbox_port
    port, other = world.options.inbox_port, world.other
    give_up(world.bank)  # the same persona applies at the other bank
    inbox = open_inbox(world, port)
    only_the_centre_calls(world, step, port)
    with step("a whole application is told by calls, and decided by both"):
        case = decided(other, submit(other, world.persona))
        assert case.joint
        assert case.joint.outcome == OUTCOME_APPROVED_COMBINED
        assert case.approved
    everything_applied(other, step, "what came by calls is acknowledged APPLIED under the bank's references")
    asked_again(other, step, "a call")
    with step("an event that came while the bank was down is called with again after its restart, once"):
        inbox.stop()
        before = other.journal.last_sequence
        application_id = max(other.bank.cases)
        other.bank.withdraw(application_id)
        other.journal.close()
        other.open()
        inbox = open_inbox(world, port)
        until("the event", lambda: other.journal.last_sequence == before + 1)
        until("its end", lambda: not other.journal.unapplied())
        assert case_of(other, application_id).joint, "the restarted bank knows what it knew"
    stream = Stream(other)
    with step("the same bank takes its events by stream, from where the calls ended"):
        until("a heartbeat", lambda: stream.deliver.session and stream.deliver.session.heartbeat)
        told = len(other.said)
        decided(other, submit(other, world.persona))
        assert not any("refused" in text for text in other.said[told:])
        events = other.journal.events
        assert sorted(events) == list(range(1, other.journal.last_sequence + 1))
    everything_applied(other, step, "what came by calls and by stream is one sequence, each event applied once")
    same_chain(other, step)
    stream.stop()
    inbox.stop()


def only_the_centre_calls(world: World, step: Steps, port: int) -> None:
    with step("a call by who is not the centre is CALLER_NOT_ALLOWED"):
        channel = connect(f"127.0.0.1:{port}", world.other.party, world.folder.tls(world.bank.party))
        try:
            call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(f"/{NOTIFY}")
            call(b"x", timeout=_CALL_S)
        except grpc.RpcError as failed:
            assert isinstance(failed, grpc.Call)
            assert failed.details() == "CALLER_NOT_ALLOWED", failed.details()
        else:
            raise AssertionError("not refused")
        finally:
            channel.close()


def everything_applied(bank: BankUnderTest, step: Steps, title: str) -> None:
    def states() -> list[tuple[int, int, str]]:
        listed = bank.client.call(LIST_EVENTS, EventListQuery(limit=100)).events
        return [(one.sequence, one.state, one.bank_reference) for one in listed]

    with step(title):
        kept = sorted(bank.journal.events)
        due = [(sequence, DELIVERY_STATE_APPLIED, f"py-{sequence}") for sequence in kept]
        until("their acknowledgement", lambda: states() == due)
        for sequence in kept:
            assert sum(text.startswith(f"{sequence} ") for text in bank.said) == 1
