"""The signed key directory: whose keys verify what ([COL-KEY-006] to [COL-KEY-010]).

What it is checked against cannot stand in a directory itself: the centre's directory key, pinned out of band. A
directory with one bad key is refused whole.
"""

from dataclasses import dataclass, field

from coloan.v1.directory_pb2 import (
    KEY_ALGORITHM_ED25519,
    KEY_PURPOSE_SIGN,
    KEY_PURPOSE_UNSPECIFIED,
    KEY_STATUS_UNSPECIFIED,
    Key,
    KeyDirectory,
)
from coloan.v1.envelope_pb2 import DIRECTION_EVENT, Envelope, SignedHeader

from coloan_bank.contract import message_of
from coloan_bank.dsse import SPEC_VERSION, is_uuid7, pae, read, read_envelope, read_payload
from coloan_bank.keys import is_party, is_strong, key_id, possession_text, verify
from coloan_bank.limits import DIRECTORY_FIELDS_MAX, KEYS_MAX
from coloan_bank.refused import check

_METHOD = "coloan.v1.Directory/GetKeys"


@dataclass(frozen=True)
class Trust:
    """What was agreed out of band ([COL-KEY-006])."""

    directory_key: bytes
    centre: str
    environment: str


@dataclass(frozen=True)
class Directory:
    """A key directory that verified as a whole; immutable."""

    trust: Trust
    number: int
    keys: tuple[Key, ...] = field(repr=False)
    data: bytes = field(repr=False)

    @classmethod
    def load(cls, data: bytes, trust: Trust, held_number: int = 0) -> "Directory":
        """Takes a directory in place of the one that is held; number 0: none is."""
        check(is_strong(trust.directory_key), "KEY_WEAK")
        envelope = read_envelope(data)
        _check_signature(envelope, trust)
        payload = read_payload(envelope)
        _check_header(payload.header, trust)
        directory = read(KeyDirectory, payload.body, DIRECTORY_FIELDS_MAX)
        _check_frame(directory, payload.header, held_number)
        for key in directory.keys:
            _check_key(key, trust.environment)
        return cls(trust, directory.number, tuple(directory.keys), data)

    @property
    def centre(self) -> str:
        return self.trust.centre

    @property
    def environment(self) -> str:
        return self.trust.environment

    def signing_keys(self, party: str) -> list[Key]:
        """The keys that a party signs messages with, whatever their state."""
        return [key for key in self.keys if key.party == party and key.purpose == KEY_PURPOSE_SIGN]


def _check_signature(envelope: Envelope, trust: Trust) -> None:
    check(message_of(envelope.payload_type) is KeyDirectory, "PAYLOAD_TYPE_WRONG")
    check(len(envelope.signatures) == 1, "SIGNATURE_COUNT")
    signature = envelope.signatures[0]
    check(not signature.HasField("batch"), "PROFILE_UNSUPPORTED")
    check(signature.keyid in ("", key_id(trust.directory_key)), "KEY_UNKNOWN")
    signed = pae(envelope.payload_type, envelope.payload)
    check(verify(trust.directory_key, signed, signature.sig), "SIGNATURE_INVALID")


def _check_header(header: SignedHeader, trust: Trust) -> None:
    check(header.spec_version == SPEC_VERSION, "SPEC_VERSION")
    check(header.environment == trust.environment, "ENVIRONMENT_WRONG")
    check(header.sender == trust.centre, "SENDER_WRONG")
    check(header.recipient == "", "RECIPIENT_WRONG")
    check(header.method == _METHOD, "METHOD_WRONG")
    check(header.direction == DIRECTION_EVENT, "DIRECTION_WRONG")
    check(is_uuid7(header.message_id), "MESSAGE_ID_INVALID")
    check(header.in_reply_to == b"", "IN_REPLY_TO_WRONG")
    check(header.expires_ms == 0, "LIFETIME_WRONG")


def _check_frame(directory: KeyDirectory, header: SignedHeader, held_number: int) -> None:
    check(directory.environment == header.environment, "ENVIRONMENT_WRONG")
    check(directory.number == header.sequence and directory.number > held_number, "SEQUENCE_WRONG")
    check(0 < directory.issued_ms == header.created_ms, "DIRECTORY_INVALID")
    check(1 <= len(directory.keys) <= KEYS_MAX, "DIRECTORY_INVALID")
    distinct = {key.public_key for key in directory.keys}
    check(len(distinct) == len(directory.keys), "DIRECTORY_INVALID")


def _check_key(key: Key, environment: str) -> None:
    check(key.environment == environment, "ENVIRONMENT_WRONG")
    check(key.algorithm == KEY_ALGORITHM_ED25519, "DIRECTORY_INVALID")
    check(is_party(key.party), "DIRECTORY_INVALID")
    check(key.purpose != KEY_PURPOSE_UNSPECIFIED, "DIRECTORY_INVALID")
    check(key.status != KEY_STATUS_UNSPECIFIED, "DIRECTORY_INVALID")
    check(0 <= key.valid_from_ms < key.valid_until_ms, "DIRECTORY_INVALID")
    check(is_strong(key.public_key), "KEY_WEAK")
    possession = possession_text(key.party, environment, key.public_key)
    check(verify(key.public_key, possession, key.possession), "KEY_POSSESSION")
