from pathlib import Path
from typing import Any

import grpc
import pytest
from coloan.v1.directory_pb2 import CapabilitiesQuery
from coloan.v1.envelope_pb2 import DIRECTION_EVENT
from coloan.v1.push_pb2 import Event
from google.rpc.status_pb2 import Any as AnyDetail
from google.rpc.status_pb2 import BadRequest, ErrorInfo, LocalizedMessage, RetryInfo, Status

from coloan_bank.bank import Bank
from coloan_bank.client import Client
from coloan_bank.directory import Directory
from coloan_bank.dsse import now_ms
from coloan_bank.journal import Journal
from coloan_bank.keys import Signer
from coloan_bank.methods import DELIVER, GET_CAPABILITIES
from coloan_bank.refusals import refusal_of
from coloan_bank.refused import Action, OutcomeUnknown, Refused
from tests.support.centre import Centre, any_of
from tests.support.folder import CENTRE, issue, key_of
from tests.support.refusing import refused

# -- What a failed call says -------------------------------------------------------------------------------------------


class Failed(grpc.RpcError):
    """A failed call as gRPC gives it."""

    def __init__(self, code: grpc.StatusCode, details: bytes | None) -> None:
        self._code = code
        self._metadata = () if details is None else (("grpc-status-details-bin", details),)

    def code(self) -> grpc.StatusCode:
        return self._code

    def trailing_metadata(self) -> Any:
        return self._metadata


def status(*details: AnyDetail) -> bytes:
    return Status(code=9, message="x", details=details).SerializeToString()


def info(reason: str, domain: str = "coloan.v1") -> AnyDetail:
    return any_of("google.rpc.ErrorInfo", ErrorInfo(reason=reason, domain=domain).SerializeToString())


def read(
    details: bytes | None, code: grpc.StatusCode = grpc.StatusCode.FAILED_PRECONDITION, signed: str = ""
) -> Refused:
    def open_refusal(_: bytes) -> str:
        return signed

    failed: Any = Failed(code, details)
    return refusal_of(failed, open_refusal)


def test_a_refusal_says_reason_action_and_field() -> None:
    retry = RetryInfo()
    retry.retry_delay.seconds, retry.retry_delay.nanos = 2, 500_000_000
    bad = BadRequest(field_violations=[BadRequest.FieldViolation(field="persons[0].mobile")])
    text = LocalizedMessage(locale="zh-CN", message="字段有误")
    refusal = read(
        status(
            info("FIELD_INVALID"),
            any_of("google.rpc.RetryInfo", retry.SerializeToString()),
            any_of("google.rpc.BadRequest", bad.SerializeToString()),
            any_of("google.rpc.LocalizedMessage", text.SerializeToString()),
            any_of("google.rpc.DebugInfo", b"\xff"),
            info("OTHER", "elsewhere"),
        )
    )
    assert (refusal.reason, refusal.field, refusal.text_zh) == ("FIELD_INVALID", "persons[0].mobile", "字段有误")
    assert (refusal.action, refusal.retry_after_ms) == (Action.SEND_AGAIN, 2500)
    assert not refusal.signed
    assert read(status(info("EXPIRED"))).action is Action.MEND_OR_GIVE_UP


ENVELOPE = any_of("coloan.v1.Envelope", b"signed")


@pytest.mark.parametrize(
    "details",
    [
        status(),
        status(info("A"), info("B")),
        status(info("A", "elsewhere")),
        b"\xff",
        bytes(5000),
        status(info("EXPIRED"), any_of("google.rpc.RetryInfo", b"\xff")),
        status(info("EXPIRED"), ENVELOPE),
    ],
)
def test_an_answer_against_the_protocol_leaves_the_outcome_unknown(details: bytes) -> None:
    refusal = read(details, signed="INTERNAL")
    assert isinstance(refusal, OutcomeUnknown)
    assert refusal.reason == "PEER_ANSWER_INVALID"


def test_a_signed_refusal_is_evidence() -> None:
    refusal = read(status(info("EXPIRED"), ENVELOPE), signed="EXPIRED")
    assert (refusal.reason, refusal.evidence) == ("EXPIRED", b"signed")


@pytest.mark.parametrize(
    ("code", "reason", "is_unknown"),
    [
        (grpc.StatusCode.UNAVAILABLE, "PEER_UNREACHABLE", True),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", True),
        (grpc.StatusCode.CANCELLED, "CALL_CANCELLED", True),
        (grpc.StatusCode.INTERNAL, "PEER_ANSWER_INVALID", True),
        (grpc.StatusCode.UNIMPLEMENTED, "METHOD_UNKNOWN", False),
    ],
)
def test_a_failure_without_details(code: grpc.StatusCode, reason: str, is_unknown: bool) -> None:
    refusal = read(None, code)
    assert (refusal.reason, isinstance(refusal, OutcomeUnknown)) == (reason, is_unknown)


# -- Calls -------------------------------------------------------------------------------------------------------------


def test_busy_means_the_same_bytes_again(centre: Centre, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coloan_bank.refusals.RETRY_MS_DEFAULT", 1)
    centre.refuse_next = [("OVERLOADED", True), ("IN_PROGRESS", True)]
    centre.drop_next = 1
    assert client.call(GET_CAPABILITIES, CapabilitiesQuery()).party == CENTRE
    assert len(centre.received) == 4
    assert len(set(centre.received)) == 1


def test_what_has_to_be_mended_is_not_sent_again(centre: Centre, client: Client) -> None:
    centre.refuse_next = [("FIELD_INVALID", False)]
    with refused("FIELD_INVALID"):
        client.call(GET_CAPABILITIES, CapabilitiesQuery())
    assert len(centre.received) == 1


def test_tries_have_an_end(centre: Centre, client: Client) -> None:
    centre.refuse_next = [("OVERLOADED", True)] * 3
    with refused("OVERLOADED"):
        client.send(GET_CAPABILITIES, client.seal(GET_CAPABILITIES.name, CapabilitiesQuery()), tries=3)
    assert len(centre.received) == 3


def test_a_reply_that_answers_something_else_proves_nothing(centre: Centre, client: Client) -> None:
    first, second = (client.seal(GET_CAPABILITIES.name, CapabilitiesQuery()) for _ in range(2))
    client.send(GET_CAPABILITIES, first)
    centre.replies[second.digest] = centre.replies[first.digest]
    with pytest.raises(OutcomeUnknown, match="IN_REPLY_TO_WRONG"):
        client.send(GET_CAPABILITIES, second, tries=1)


# -- The key directory -------------------------------------------------------------------------------------------------


def issue_with_new_key(folder: Path, centre: Centre) -> Signer:
    """A directory that the client does not hold yet, and the key that is new in it."""
    root, new = Signer.load(CENTRE, folder / "directory.key"), Signer.generate(CENTRE)
    keys = [*centre.directory.keys, key_of(new, now_ms())]
    centre.directory = Directory.load(issue(root, keys, now_ms(), 2), centre.directory.trust)
    return new


def test_a_newer_directory_is_taken_over(folder: Path, centre: Centre, client: Client) -> None:
    assert not client.refresh_directory()
    old = centre.directory
    issue_with_new_key(folder, centre)
    assert client.refresh_directory()
    assert client.directory.number == 2
    centre.directory = old
    with refused("SEQUENCE_WRONG"):
        client.refresh_directory()


def test_an_unknown_key_is_looked_for_once(folder: Path, centre: Centre, client: Client) -> None:
    old, centre.signer = centre.signer, issue_with_new_key(folder, centre)
    event = centre.event(1).envelope
    centre.signer = old  # signs the answer that brings the directory
    client.open(event, DELIVER, {Event: DIRECTION_EVENT})
    assert client.directory.number == 2
    centre.signer = Signer.generate(CENTRE)
    event, centre.signer = centre.event(2).envelope, old
    asked = len(centre.received)
    with refused("KEY_UNKNOWN"):
        client.open(event, DELIVER, {Event: DIRECTION_EVENT})
    assert len(centre.received) == asked + 1


# -- What was on its way when the process died -------------------------------------------------------------------------


class NoCore:
    """Nothing is asked of it here."""

    verify: Any = None
    decide: Any = None


def test_a_request_without_an_answer_goes_again_after_a_restart(
    centre: Centre, client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "bank.journal"
    journal = Journal(file)
    bank = Bank(client, journal, NoCore())
    centre.drop_next = 1
    with monkeypatch.context() as impatient:
        impatient.setattr(client, "send", lambda method, sealed: Client.send(client, method, sealed, tries=1))
        with pytest.raises(OutcomeUnknown, match="PEER_UNREACHABLE"):
            bank.send(GET_CAPABILITIES, CapabilitiesQuery())
    journal.close()
    again = Journal(file)
    assert len(again.pending) == 1
    Bank(client, again, NoCore()).recover()
    assert again.pending == {}
    assert len(centre.received) == 2
    assert len(set(centre.received)) == 1
    again.close()


def test_a_request_that_was_refused_for_good_is_not_sent_after_a_restart(
    centre: Centre, client: Client, journal: Journal
) -> None:
    centre.refuse_next = [("FIELD_INVALID", False)]
    with refused("FIELD_INVALID"):
        Bank(client, journal, NoCore()).send(GET_CAPABILITIES, CapabilitiesQuery())
    assert journal.pending == {}


def test_what_expired_meanwhile_is_told_and_settled(centre: Centre, client: Client, journal: Journal) -> None:
    said: list[str] = []
    journal.sending(GET_CAPABILITIES.name, client.seal(GET_CAPABILITIES.name, CapabilitiesQuery()))
    centre.refuse_next = [("EXPIRED", False)]
    Bank(client, journal, NoCore(), said.append).recover()
    assert journal.pending == {}
    assert "EXPIRED" in said[0]
