from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from coloan.v1.application_pb2 import ApplicationQuery
from coloan.v1.directory_pb2 import KEY_STATUS_RETIRED, KEY_STATUS_RETIRING, KeysQuery
from coloan.v1.envelope_pb2 import (
    DIRECTION_ACK,
    DIRECTION_EVENT,
    DIRECTION_REFUSAL,
    DIRECTION_REPLY,
    DIRECTION_REQUEST,
    DIRECTION_UNSPECIFIED,
    Envelope,
    Signature,
    SignedHeader,
    SignedPayload,
)

from coloan_bank.contract import payload_type
from coloan_bank.directory import Directory, Trust
from coloan_bank.dsse import is_uuid7, pae, uuid7
from coloan_bank.envelope import Expected, open_envelope, open_kept, seal
from coloan_bank.keys import Signer
from tests.support.folder import BANK, CENTRE, DAY_MS, OTHER, issue, key_of
from tests.support.refusing import judged, refused

NOW = 1_795_564_800_000
METHOD = "coloan.v1.JointApproval/GetApplication"
ROOT, BETA, SECOND, RETIRED, FUTURE, FUND, OLD_FUND, STRANGER = (
    Signer.from_seed(party, bytes([i] * 32))
    for i, party in enumerate((CENTRE, BANK, BANK, BANK, BANK, CENTRE, CENTRE, BANK), 1)
)
KEYS = [
    key_of(BETA, NOW),
    key_of(SECOND, NOW, status=KEY_STATUS_RETIRING),
    key_of(RETIRED, NOW, status=KEY_STATUS_RETIRED),
    key_of(FUTURE, NOW, valid_from_ms=NOW + DAY_MS),
    key_of(FUND, NOW),
    key_of(OLD_FUND, NOW, status=KEY_STATUS_RETIRED),
]
DIRECTORY = Directory.load(issue(ROOT, KEYS, NOW), Trust(ROOT.public_key, CENTRE, "test"))
BODY = ApplicationQuery(application_id="x")
QUESTION, OTHER_QUESTION = bytes([1] * 32), bytes([2] * 32)


def header(**fields: Any) -> SignedHeader:
    right: dict[str, Any] = {
        "environment": "test",
        "message_id": uuid7(NOW),
        "recipient": CENTRE,
        "method": METHOD,
        "direction": DIRECTION_REQUEST,
        "created_ms": NOW,
        "expires_ms": NOW + 60_000,
    }
    return SignedHeader(**right | fields)


def request(signer: Signer = BETA, **fields: Any) -> bytes:
    return seal(signer, header(**fields), BODY).envelope


def signed(payload: bytes, name: str = payload_type(ApplicationQuery)) -> bytes:
    """Whatever payload and type, with a right signature."""
    signature = Signature(sig=BETA.sign(pae(name, payload)), keyid=BETA.key_id)
    return Envelope(payload=payload, payload_type=name, signatures=[signature]).SerializeToString()


def raw_header(**fields: Any) -> bytes:
    full = header(**{"spec_version": "1.0", "sender": BANK} | fields)
    return signed(SignedPayload(header=full, body=BODY.SerializeToString()).SerializeToString())


def change(data: bytes, edit: Callable[[Envelope], object]) -> bytes:
    """As an attacker on the wire could."""
    envelope = Envelope.FromString(data)
    edit(envelope)
    return envelope.SerializeToString()


def flip(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def expected(**fields: Any) -> Expected:
    right = Expected(DIRECTORY, "test", BANK, CENTRE, METHOD, {ApplicationQuery: DIRECTION_REQUEST}, NOW)
    return replace(right, **fields)


REPLY: dict[str, Any] = {"direction": DIRECTION_REPLY, "in_reply_to": QUESTION}
AS_REPLY: dict[str, Any] = {"bodies": {ApplicationQuery: DIRECTION_REPLY}}

# In the order of the checks.
ROWS: list[tuple[str, bytes, dict[str, Any], str]] = [
    ("right", request(), {}, "OK"),
    ("nothing at all", b"", {}, "MESSAGE_EMPTY"),
    ("no payload", b"\x12\x00", {}, "MESSAGE_EMPTY"),
    ("256 KiB and a byte", bytes(256 * 1024 + 1), {}, "MESSAGE_TOO_LARGE"),
    ("a payload past 192 KiB", signed(bytes(192 * 1024 + 1)), {}, "MESSAGE_TOO_LARGE"),
    ("an unknown field", request() + b"\x78\x01", {}, "WIRE_UNKNOWN_FIELD"),
    ("the type of another method", request(), {"bodies": {KeysQuery: DIRECTION_REQUEST}}, "PAYLOAD_TYPE_WRONG"),
    ("no payload type", signed(b"\x0a\x00", ""), {}, "PAYLOAD_TYPE_WRONG"),
    ("no signature", change(request(), lambda e: e.signatures.pop()), {}, "SIGNATURE_COUNT"),
    ("five", change(request(), lambda e: e.signatures.extend([e.signatures[0]] * 4)), {}, "SIGNATURE_COUNT"),
    ("a batch proof", change(request(), lambda e: e.signatures[0].batch.SetInParent()), {}, "PROFILE_UNSUPPORTED"),
    ("a key in no directory", request(STRANGER), {}, "KEY_UNKNOWN"),
    ("another party's certificate", request(), {"sender": OTHER}, "KEY_UNKNOWN"),
    ("a retired key", request(RETIRED), {}, "KEY_NOT_VALID"),
    ("a key of tomorrow", request(FUTURE), {}, "KEY_NOT_VALID"),
    ("a retiring key", request(SECOND), {}, "OK"),
    ("no key id", change(request(), lambda e: e.signatures[0].ClearField("keyid")), {}, "OK"),
    (
        "no key id and a stranger",
        change(request(STRANGER), lambda e: e.signatures[0].ClearField("keyid")),
        {},
        "SIGNATURE_INVALID",
    ),
    ("a flipped payload", change(request(), lambda e: setattr(e, "payload", flip(e.payload))), {}, "SIGNATURE_INVALID"),
    (
        "a short signature",
        change(request(), lambda e: setattr(e.signatures[0], "sig", e.signatures[0].sig[1:])),
        {},
        "SIGNATURE_INVALID",
    ),
    ("the same twice", change(request(), lambda e: e.signatures.append(e.signatures[0])), {}, "SIGNATURE_INVALID"),
    ("a payload that is no message", signed(b"\x0f"), {}, "WIRE_MALFORMED"),
    ("no header", signed(SignedPayload(body=b"x").SerializeToString()), {}, "HEADER_INCOMPLETE"),
    ("no environment", raw_header(environment=""), {}, "HEADER_INCOMPLETE"),
    ("no recipient", raw_header(recipient=""), {}, "HEADER_INCOMPLETE"),
    ("no method", raw_header(method=""), {}, "HEADER_INCOMPLETE"),
    ("no message id", raw_header(message_id=b""), {}, "HEADER_INCOMPLETE"),
    ("no creation", raw_header(created_ms=0), {}, "HEADER_INCOMPLETE"),
    ("no expiry", raw_header(expires_ms=0), {}, "HEADER_INCOMPLETE"),
    ("no direction", raw_header(direction=DIRECTION_UNSPECIFIED), {}, "HEADER_INCOMPLETE"),
    ("a reply to nothing", raw_header(direction=DIRECTION_REPLY), AS_REPLY, "HEADER_INCOMPLETE"),
    ("version 1.1", raw_header(spec_version="1.1"), {}, "SPEC_VERSION"),
    ("another environment", request(environment="prod"), {}, "ENVIRONMENT_WRONG"),
    ("another sender", request(sender=OTHER), {}, "SENDER_WRONG"),
    ("another recipient", request(recipient="fund:x"), {}, "RECIPIENT_WRONG"),
    ("another method", request(method="coloan.v1.Directory/GetKeys"), {}, "METHOD_WRONG"),
    ("another direction", request(**REPLY), {}, "DIRECTION_WRONG"),
    ("no UUIDv7", request(message_id=bytes([1] * 16)), {}, "MESSAGE_ID_INVALID"),
    ("a request that answers", request(in_reply_to=QUESTION), {}, "IN_REPLY_TO_WRONG"),
    ("half a digest", request(**REPLY | {"in_reply_to": bytes([1] * 16)}), AS_REPLY, "IN_REPLY_TO_WRONG"),
    ("another question", request(**REPLY), AS_REPLY | {"in_reply_to": OTHER_QUESTION}, "IN_REPLY_TO_WRONG"),
    ("our question", request(**REPLY), AS_REPLY | {"in_reply_to": QUESTION}, "OK"),
    ("a request with a sequence", request(sequence=1), {}, "SEQUENCE_WRONG"),
    ("30 s ahead", request(), {"now_ms": NOW - 30_000}, "OK"),
    ("more than 30 s ahead", request(), {"now_ms": NOW - 30_001}, "CREATED_IN_FUTURE"),
    ("at its end", request(), {"now_ms": NOW + 60_000}, "OK"),
    ("past its end", request(), {"now_ms": NOW + 60_001}, "EXPIRED"),
    ("no life", request(expires_ms=NOW), {}, "LIFETIME_WRONG"),
    ("10 min", request(expires_ms=NOW + 600_000), {}, "OK"),
    ("more than 10 min", request(expires_ms=NOW + 600_001), {}, "LIFETIME_WRONG"),
    ("a late reply", request(**REPLY), AS_REPLY | {"now_ms": NOW + 60_001}, "OK"),
    (
        "a late refusal",
        request(direction=DIRECTION_REFUSAL, in_reply_to=QUESTION),
        {"bodies": {ApplicationQuery: DIRECTION_REFUSAL}, "now_ms": NOW + 60_001},
        "OK",
    ),
    (
        "a late acknowledgement",
        request(direction=DIRECTION_ACK, in_reply_to=QUESTION),
        {"bodies": {ApplicationQuery: DIRECTION_ACK}, "now_ms": NOW + 60_001},
        "EXPIRED",
    ),
]


@pytest.mark.parametrize(("data", "fields", "reason"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_open(data: bytes, fields: dict[str, Any], reason: str) -> None:
    with judged(reason):
        open_envelope(data, expected(**fields))


def test_what_is_sealed_is_what_is_opened() -> None:
    sealed = seal(BETA, header(), BODY)
    opened = open_envelope(sealed.envelope, expected())
    assert opened.digest == sealed.digest
    assert opened.header.message_id == sealed.message_id
    assert opened.read_body(ApplicationQuery) == BODY
    with refused("PAYLOAD_TYPE_WRONG"):
        opened.read_body(KeysQuery)


def test_a_body_that_does_not_scan() -> None:
    full = header(spec_version="1.0", sender=BANK)
    opened = open_envelope(signed(SignedPayload(header=full, body=b"\x78\x01").SerializeToString()), expected())
    with refused("WIRE_UNKNOWN_FIELD"):
        opened.read_body(ApplicationQuery)


def test_nothing_is_sealed_that_could_not_be_read() -> None:
    with refused("TEXT_CONTROL"):
        request(application_id="a\nb")


def test_uuid7() -> None:
    made = uuid7(NOW)
    assert is_uuid7(made)
    assert int.from_bytes(made[:6], "big") == NOW
    assert not is_uuid7(bytes(16))
    assert not is_uuid7(made[1:])


# -- Events and kept messages: by keys of their time -------------------------------------------------------------------

EVENT: dict[str, Any] = {"direction": DIRECTION_EVENT, "expires_ms": 0, "sequence": 1, "recipient": BANK}
MUCH_LATER = NOW + 365 * DAY_MS  # every key is out of force by then
AS_EVENT: dict[str, Any] = {
    "bodies": {ApplicationQuery: DIRECTION_EVENT},
    "sender": CENTRE,
    "recipient": BANK,
    "now_ms": MUCH_LATER,
}


@pytest.mark.parametrize("signer", [FUND, OLD_FUND], ids=["active", "retired"])
def test_an_event_is_judged_by_a_key_of_its_time(signer: Signer) -> None:
    open_envelope(request(signer, **EVENT), expected(**AS_EVENT))
    with refused("KEY_NOT_VALID"):
        open_envelope(request(signer, **EVENT, created_ms=MUCH_LATER), expected(**AS_EVENT))


def test_an_event_has_a_number_and_no_end() -> None:
    with refused("SEQUENCE_WRONG"):
        open_envelope(request(FUND, **EVENT | {"sequence": 0}), expected(**AS_EVENT))
    with refused("LIFETIME_WRONG"):
        open_envelope(request(FUND, **EVENT | {"expires_ms": NOW + 1}), expected(**AS_EVENT))


KEPT_ROWS: list[tuple[str, bytes, str]] = [
    ("right", request(), "OK"),
    ("by a key that is retired now", request(RETIRED), "OK"),
    ("by a stranger", request(STRANGER), "KEY_UNKNOWN"),
    ("by a key of tomorrow", request(FUTURE), "KEY_NOT_VALID"),
    ("of another environment", request(environment="prod"), "ENVIRONMENT_WRONG"),
    ("of another version", raw_header(spec_version="2.0"), "SPEC_VERSION"),
    ("changed", change(request(), lambda e: setattr(e.signatures[0], "sig", bytes(64))), "SIGNATURE_INVALID"),
    ("without a header", signed(SignedPayload(body=b"x").SerializeToString()), "HEADER_INCOMPLETE"),
    ("of no type", signed(b"\x0a\x00", "x"), "PAYLOAD_TYPE_WRONG"),
    ("without a signature", change(request(), lambda e: e.signatures.pop()), "SIGNATURE_COUNT"),
]


@pytest.mark.parametrize(("data", "reason"), [row[1:] for row in KEPT_ROWS], ids=[row[0] for row in KEPT_ROWS])
def test_a_kept_message_needs_the_directory_alone(data: bytes, reason: str) -> None:
    with judged(reason):
        assert open_kept(data, DIRECTORY).header.sender == BANK
