"""Ed25519 signing keys: our own from its PEM file, and how anybody's are named and verified ([COL-KEY-001] to
[COL-KEY-008]).

PyNaCl carries libsodium, whose strictness the specification asks for: S below the group order, canonical points, no
keys or R of small order. OpenSSL's verifier accepts some of these.
"""

import base64
import binascii
import hashlib
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

from coloan.v1.directory_pb2 import KEY_ALGORITHM_ED25519, KEY_STATUS_ACTIVE, KEY_STATUS_RETIRING, Key
from nacl.bindings import crypto_core_ed25519_is_valid_point
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from coloan_bank.limits import ENVIRONMENT_BYTES_MAX, PARTY_BYTES_MAX

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64
_KEY_ID_BYTES = 16
_POSSESSION_DOMAIN = b"coloan key possession v1\n"
_PARTY = re.compile(r"(fund|bank|channel|officer|authority):[a-z0-9-]+")
_ENVIRONMENT = re.compile(r"prod|test|conf/[a-z0-9-]+")

# RFC 8410: what stands before the 32 bytes of an Ed25519 key in DER, in PKCS#8 and in SubjectPublicKeyInfo.
_PKCS8_PREFIX = bytes.fromhex("302e020100300506032b657004220420")
_SPKI_PREFIX = bytes.fromhex("302a300506032b6570032100")


def is_party(text: str) -> bool:
    return len(text) <= PARTY_BYTES_MAX and _PARTY.fullmatch(text) is not None


def is_environment(text: str) -> bool:
    return len(text) <= ENVIRONMENT_BYTES_MAX and _ENVIRONMENT.fullmatch(text) is not None


def key_id(public_key: bytes) -> str:
    return hashlib.sha256(bytes([KEY_ALGORITHM_ED25519]) + public_key).digest()[:_KEY_ID_BYTES].hex()


def possession_text(party: str, environment: str, public_key: bytes) -> bytes:
    return _POSSESSION_DOMAIN + f"{party}\n{environment}\n".encode() + public_key


def is_strong(public_key: bytes) -> bool:
    """A canonical point of the main subgroup: with a weak key some libraries accept signatures that nobody made."""
    return len(public_key) == PUBLIC_KEY_BYTES and crypto_core_ed25519_is_valid_point(public_key)


def verify(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Pure Ed25519, as strict as [COL-KEY-005] asks for."""
    if len(signature) != SIGNATURE_BYTES or not is_strong(public_key):
        return False
    try:
        VerifyKey(public_key).verify(message, signature)
    except BadSignatureError:
        return False
    return True


def was_valid(key: Key, made_ms: int) -> bool:
    """Whether a key verifies a kept message or an event made at that moment, whatever its status now."""
    return key.valid_from_ms <= made_ms < key.valid_until_ms


def is_in_force(key: Key, now_ms: int) -> bool:
    """Whether a key verifies a message that arrives now."""
    return was_valid(key, now_ms) and key.status in (KEY_STATUS_ACTIVE, KEY_STATUS_RETIRING)


@dataclass(frozen=True)
class Signer:
    """Our own key. Python cannot wipe it from memory: a real bank signs in an HSM or a process of its own."""

    party: str
    _key: SigningKey

    @classmethod
    def load(cls, party: str, file: Path) -> "Signer":
        """A PEM PKCS#8 file as `openssl genpkey -algorithm ED25519` writes it, readable by its owner only."""
        with file.open("rb") as opened:
            if stat.S_IMODE(os.fstat(opened.fileno()).st_mode) & 0o077:
                raise PermissionError(f"{file} can be read by others: chmod 600")
            return cls.from_seed(party, _unwrap(opened.read(), "PRIVATE KEY", _PKCS8_PREFIX, file))

    @classmethod
    def from_seed(cls, party: str, seed: bytes) -> "Signer":
        if not is_party(party):
            raise ValueError(f"'{party}' is no party")
        return cls(party, SigningKey(seed))

    @classmethod
    def generate(cls, party: str) -> "Signer":
        return cls.from_seed(party, os.urandom(PUBLIC_KEY_BYTES))

    @property
    def public_key(self) -> bytes:
        return bytes(self._key.verify_key)

    @property
    def key_id(self) -> str:
        return key_id(self.public_key)

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message).signature

    def prove_possession(self, environment: str) -> bytes:
        """The proof for the directory that we hold this key."""
        return self.sign(possession_text(self.party, environment, self.public_key))


def load_public_key(file: Path) -> bytes:
    """The 32 bytes of a PEM file as `openssl pkey -pubout` writes it."""
    return _unwrap(file.read_bytes(), "PUBLIC KEY", _SPKI_PREFIX, file)


def _unwrap(pem: bytes, label: str, prefix: bytes, file: Path) -> bytes:
    """The 32 bytes behind the prefix. The text of a bad file stands in no error: it may be a key."""
    frame = re.fullmatch(f"-----BEGIN {label}-----(.+)-----END {label}-----\\s*".encode(), pem, re.DOTALL)
    try:
        der = base64.b64decode(b"".join(frame[1].split()), validate=True) if frame else b""
    except binascii.Error:
        der = b""
    if len(der) != len(prefix) + PUBLIC_KEY_BYTES or not der.startswith(prefix):
        raise ValueError(f"{file} holds no Ed25519 {label.lower()} in PEM")
    return der[len(prefix) :]
