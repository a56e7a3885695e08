"""The bytes of an envelope: what is signed, what names a message, and how both are read from the wire (chapter 3)."""

import hashlib
import os
import time
from typing import TypeVar

from coloan.v1.envelope_pb2 import Envelope, SignedPayload
from google.protobuf.message import Message

from coloan_bank.limits import FIELDS_MAX, MESSAGE_BYTES_MAX, PAYLOAD_BYTES_MAX
from coloan_bank.refused import check
from coloan_bank.scan import scan

SPEC_VERSION = "1.0"
MESSAGE_ID_BYTES = 16
DIGEST_BYTES = 32

M = TypeVar("M", bound=Message)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE v1 pre-authentication encoding: what is signed."""
    name = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)


def digest_of(payload_type: str, payload: bytes) -> bytes:
    """What receipts, replies and acknowledgements name a message by."""
    return hashlib.sha256(pae(payload_type, payload)).digest()


def uuid7(at_ms: int) -> bytes:
    """UUIDv7 (RFC 9562): 48 bits of Unix ms, version, variant, 74 random bits."""
    made = bytearray(at_ms.to_bytes(6, "big") + os.urandom(MESSAGE_ID_BYTES - 6))
    made[6] = 0x70 | made[6] & 0x0F
    made[8] = 0x80 | made[8] & 0x3F
    return bytes(made)


def is_uuid7(message_id: bytes) -> bool:
    return len(message_id) == MESSAGE_ID_BYTES and message_id[6] >> 4 == 7 and message_id[8] >> 6 == 2


def read(message: type[M], data: bytes, fields_max: int = FIELDS_MAX) -> M:
    """Scans, then decodes: the only way from foreign bytes to a message."""
    scan(message, data, MESSAGE_BYTES_MAX, fields_max)
    return message.FromString(data)


def read_envelope(data: bytes) -> Envelope:
    """Steps 1 to 3: size, byte scan, decode."""
    envelope = read(Envelope, data)
    check(envelope.payload, "MESSAGE_EMPTY")
    check(len(envelope.payload) <= PAYLOAD_BYTES_MAX, "MESSAGE_TOO_LARGE")
    return envelope


def read_payload(envelope: Envelope) -> SignedPayload:
    """Step 7: scan and decode the signed bytes; the body in it stays bytes."""
    payload = read(SignedPayload, envelope.payload)
    check(payload.HasField("header"), "HEADER_INCOMPLETE")
    return payload
