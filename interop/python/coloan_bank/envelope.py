"""The signed envelope: seal what we say, open what the other side says, with every check in the order of chapter 4.

The bytes of `payload` that arrived are the bytes that are verified, hashed and kept; nothing is ever encoded again from
what was decoded ([COL-ENV-001]).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from coloan.v1.directory_pb2 import Key
from coloan.v1.envelope_pb2 import (
    DIRECTION_ACK,
    DIRECTION_EVENT,
    DIRECTION_REFUSAL,
    DIRECTION_REPLY,
    DIRECTION_REQUEST,
    DIRECTION_UNSPECIFIED,
    Direction,
    Disclosure,
    Envelope,
    Signature,
    SignedHeader,
    SignedPayload,
)
from google.protobuf.message import Message

from coloan_bank.contract import message_of, payload_type
from coloan_bank.directory import Directory
from coloan_bank.dsse import (
    DIGEST_BYTES,
    SPEC_VERSION,
    M,
    digest_of,
    is_uuid7,
    pae,
    read,
    read_envelope,
    read_payload,
)
from coloan_bank.keys import Signer, is_in_force, key_id, verify, was_valid
from coloan_bank.limits import (
    CLOCK_AHEAD_MS_MAX,
    KEY_TRIES_MAX,
    LIFE_MS_MAX,
    MESSAGE_BYTES_MAX,
    PAYLOAD_BYTES_MAX,
    SIGNATURES_MAX,
)
from coloan_bank.refused import Refused, check
from coloan_bank.scan import scan

_ANSWERS = (DIRECTION_REPLY, DIRECTION_ACK, DIRECTION_REFUSAL)

# -- Sealing -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sealed:
    """A signed message of ours: the bytes to send, and to send again."""

    envelope: bytes = field(repr=False)
    digest: bytes
    message_id: bytes


def seal(signer: Signer, header: SignedHeader, body: Message, disclosures: Iterable[Disclosure] = ()) -> Sealed:
    """Signs a message. The header holds everything but version and sender."""
    full = SignedHeader(spec_version=SPEC_VERSION, sender=signer.party)
    full.MergeFrom(header)
    payload = SignedPayload(header=full, body=body.SerializeToString()).SerializeToString()
    name = payload_type(body)
    signature = Signature(sig=signer.sign(pae(name, payload)), keyid=signer.key_id)
    envelope = Envelope(payload=payload, payload_type=name, signatures=[signature], disclosures=disclosures)
    data = envelope.SerializeToString()
    # Nothing leaves that the other side could not read.
    scan(Envelope, data, MESSAGE_BYTES_MAX)
    scan(SignedPayload, payload, PAYLOAD_BYTES_MAX)
    return Sealed(data, digest_of(name, payload), full.message_id)


def stored_form(envelope: Envelope) -> bytes:
    """What is kept of a message: the same signed bytes, without the personal values ([COL-ENV-011])."""
    kept = Envelope(payload=envelope.payload, payload_type=envelope.payload_type, signatures=envelope.signatures)
    return kept.SerializeToString()


# -- Opening -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Expected:
    """What the receiver knows by itself. `bodies`: the messages that may come here, each with its direction."""

    directory: Directory
    environment: str
    sender: str
    recipient: str
    method: str
    bodies: Mapping[type[Message], Direction]
    now_ms: int
    in_reply_to: bytes | None = None  # digest of our own message; None: not known here


@dataclass(frozen=True)
class Opened:
    """A message whose signature and header are right; its body is bytes until it is read (step 11)."""

    message: type[Message]
    header: SignedHeader
    digest: bytes
    envelope: Envelope = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def disclosures(self) -> Sequence[Disclosure]:
        return self.envelope.disclosures

    def read_body(self, message: type[M]) -> M:
        check(self.message is message, "PAYLOAD_TYPE_WRONG")
        return read(message, self.body)


def open_envelope(data: bytes, expected: Expected) -> Opened:
    """Steps 1 to 8, and 10: a bank keeps no table of duplicates but its journal of events."""
    envelope = read_envelope(data)
    message = message_of(envelope.payload_type)
    if message is None or message not in expected.bodies:
        raise Refused("PAYLOAD_TYPE_WRONG")
    direction = expected.bodies[message]
    # An event may be read long after it was made. Whether its key was in force then is known with the header.
    is_event = direction == DIRECTION_EVENT
    makers = _verify_signatures(
        envelope,
        expected.directory.signing_keys(expected.sender),
        lambda key: is_event or is_in_force(key, expected.now_ms),
    )
    payload = read_payload(envelope)
    _check_complete(payload.header)
    _check_header(payload.header, expected, direction)
    _check_form(payload.header, expected.in_reply_to)
    if is_event:
        check(all(was_valid(key, payload.header.created_ms) for key in makers), "KEY_NOT_VALID")
    _check_time(payload.header, expected.now_ms)
    return _opened(message, envelope, payload)


def open_kept(data: bytes, directory: Directory) -> Opened:
    """A kept message, against a directory alone ([COL-CHK-007]): by keys of whom its header names, in force when it
    says it was made. The caller compares recipient and method with what the message is used for."""
    envelope = read_envelope(data)
    message = message_of(envelope.payload_type)
    if message is None:
        raise Refused("PAYLOAD_TYPE_WRONG")
    _check_signature_count(envelope)
    payload = read_payload(envelope)
    header = payload.header
    _check_complete(header)
    check(header.spec_version == SPEC_VERSION, "SPEC_VERSION")
    check(header.environment == directory.environment, "ENVIRONMENT_WRONG")
    _check_form(header, None)
    _verify_signatures(envelope, directory.signing_keys(header.sender), lambda key: was_valid(key, header.created_ms))
    return _opened(message, envelope, payload)


def _opened(message: type[Message], envelope: Envelope, payload: SignedPayload) -> Opened:
    digest = digest_of(envelope.payload_type, envelope.payload)
    return Opened(message, payload.header, digest, envelope, payload.body)


# -- Steps 5 and 6: signatures -----------------------------------------------------------------------------------------


def _check_signature_count(envelope: Envelope) -> None:
    check(1 <= len(envelope.signatures) <= SIGNATURES_MAX, "SIGNATURE_COUNT")


def _verify_signatures(envelope: Envelope, keys: list[Key], is_usable: Callable[[Key], bool]) -> list[Key]:
    """Every signature verifies, each by a key of its own; gives these keys."""
    _check_signature_count(envelope)
    candidates = [_candidates(signature, keys, is_usable) for signature in envelope.signatures]
    signed = pae(envelope.payload_type, envelope.payload)
    makers = [
        _maker(signature, choice, signed) for signature, choice in zip(envelope.signatures, candidates, strict=True)
    ]
    distinct = {key.public_key for key in makers}
    check(len(distinct) == len(makers), "SIGNATURE_INVALID")
    return makers


def _candidates(signature: Signature, keys: list[Key], is_usable: Callable[[Key], bool]) -> list[Key]:
    """The key id narrows the party's keys, it never adds one ([COL-CHK-004])."""
    check(not signature.HasField("batch"), "PROFILE_UNSUPPORTED")
    named = [key for key in keys if signature.keyid in ("", key_id(key.public_key))]
    check(named, "KEY_UNKNOWN")
    usable = [key for key in named if is_usable(key)]
    check(usable, "KEY_NOT_VALID")
    return usable[:KEY_TRIES_MAX]


def _maker(signature: Signature, candidates: list[Key], signed: bytes) -> Key:
    for key in candidates:
        if verify(key.public_key, signed, signature.sig):
            return key
    raise Refused("SIGNATURE_INVALID")


# -- Step 8: the header ------------------------------------------------------------------------------------------------


def _check_complete(header: SignedHeader) -> None:
    texts = (header.spec_version, header.environment, header.sender, header.recipient, header.method)
    check(all(texts) and header.message_id and header.direction != DIRECTION_UNSPECIFIED, "HEADER_INCOMPLETE")
    check(header.created_ms > 0, "HEADER_INCOMPLETE")
    check(header.expires_ms != 0 or header.direction == DIRECTION_EVENT, "HEADER_INCOMPLETE")
    check(header.in_reply_to or header.direction not in _ANSWERS, "HEADER_INCOMPLETE")


def _check_header(header: SignedHeader, expected: Expected, direction: Direction) -> None:
    """The header against what the transport knows."""
    check(header.spec_version == SPEC_VERSION, "SPEC_VERSION")
    check(header.environment == expected.environment, "ENVIRONMENT_WRONG")
    check(header.sender == expected.sender, "SENDER_WRONG")
    check(header.recipient == expected.recipient, "RECIPIENT_WRONG")
    check(header.method == expected.method, "METHOD_WRONG")
    check(header.direction == direction, "DIRECTION_WRONG")


def _check_form(header: SignedHeader, answered: bytes | None) -> None:
    check(is_uuid7(header.message_id), "MESSAGE_ID_INVALID")
    is_answer = header.direction in _ANSWERS
    check(len(header.in_reply_to) == (DIGEST_BYTES if is_answer else 0), "IN_REPLY_TO_WRONG")
    check(not is_answer or answered in (None, header.in_reply_to), "IN_REPLY_TO_WRONG")
    check((header.sequence > 0) == (header.direction == DIRECTION_EVENT), "SEQUENCE_WRONG")


# -- Step 10: time -----------------------------------------------------------------------------------------------------


def _check_time(header: SignedHeader, now_ms: int) -> None:
    check(header.created_ms <= now_ms + CLOCK_AHEAD_MS_MAX, "CREATED_IN_FUTURE")
    if header.direction == DIRECTION_EVENT:
        check(header.expires_ms == 0, "LIFETIME_WRONG")
        return
    check(1 <= header.expires_ms - header.created_ms <= LIFE_MS_MAX, "LIFETIME_WRONG")
    # A reply or refusal is tied to its request by digest, and is repeated byte for byte however late ([COL-TIM-004]).
    if header.direction in (DIRECTION_REQUEST, DIRECTION_ACK):
        check(now_ms <= header.expires_ms, "EXPIRED")
