import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from coloan.v1.directory_pb2 import (
    KEY_ALGORITHM_SM2_SM3,
    KEY_PURPOSE_UNSPECIFIED,
    KEY_STATUS_ACTIVE,
    KEY_STATUS_COMPROMISED,
    KEY_STATUS_RETIRED,
    KEY_STATUS_RETIRING,
    KEY_STATUS_UNSPECIFIED,
    Key,
    KeyStatus,
)
from coloan.v1.envelope_pb2 import DIRECTION_REPLY, Envelope

from coloan_bank.directory import Directory, Trust
from coloan_bank.keys import (
    Signer,
    is_environment,
    is_in_force,
    is_party,
    is_strong,
    key_id,
    load_public_key,
    verify,
    was_valid,
)
from tests.support.folder import BANK, CENTRE, OTHER, issue, key_of
from tests.support.refusing import refused

NOW = 1_795_564_800_000
ROOT = Signer.from_seed(CENTRE, bytes([1] * 32))
ALPHA = Signer.from_seed(OTHER, bytes([2] * 32))
BETA = Signer.from_seed(BANK, bytes([3] * 32))
TRUST = Trust(ROOT.public_key, CENTRE, "test")
IDENTITY = bytes([1]) + bytes(31)

# -- Names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["bank:cn-alpha-js", "fund:x", "authority:civil-affairs", "bank:" + "x" * 59])
def test_a_party(text: str) -> None:
    assert is_party(text)


@pytest.mark.parametrize(
    "text", ["", "bank:", "bank", "Bank:x", "bank:X", "shop:x", "bank:a:b", "bank:a b", "bank:" + "x" * 60, "bank:x\n"]
)
def test_no_party(text: str) -> None:
    assert not is_party(text)


def test_environments() -> None:
    assert all(is_environment(text) for text in ("prod", "test", "conf/run-1"))
    assert not any(is_environment(text) for text in ("", "Prod", "conf/", "conf/A", "conf/a/b", "conf/" + "a" * 60))


def test_a_key_id_is_half_of_a_digest() -> None:
    key = bytes([9] * 32)
    assert key_id(key) == hashlib.sha256(b"\x01" + key).hexdigest()[:32]


# -- Points and signatures ---------------------------------------------------------------------------------------------

WEAK = {
    "the identity": IDENTITY,
    "order 2": bytes.fromhex("ec" + "ff" * 30 + "7f"),
    "order 4": bytes(32),
    "order 8": bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    "the identity, written with p + 1": bytes.fromhex("ee" + "ff" * 30 + "7f"),
    "not on the curve": bytes([2]) + bytes(31),
    "too short": b"\x01",
}


@pytest.mark.parametrize("key", WEAK.values(), ids=WEAK.keys())
def test_a_weak_key_verifies_nothing(key: bytes) -> None:
    assert not is_strong(key)
    assert not verify(key, b"x", IDENTITY + bytes(32))


def test_signatures() -> None:
    signature = ALPHA.sign(b"x")
    assert verify(ALPHA.public_key, b"x", signature)
    assert not verify(ALPHA.public_key, b"y", signature)
    assert not verify(BETA.public_key, b"x", signature)
    assert not verify(ALPHA.public_key, b"x", signature[1:])
    assert not verify(ALPHA.public_key, b"x", IDENTITY + bytes(32))


# -- Files -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """As the README tells to make it."""
    file = tmp_path / "cn-yours.sign.key"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ED25519", "-out", file], check=True)
    file.chmod(0o600)
    return file


def test_a_key_file_as_openssl_makes_it(key_file: Path) -> None:
    public = key_file.with_suffix(".pub")
    subprocess.run(["openssl", "pkey", "-in", key_file, "-pubout", "-out", public], check=True)
    assert Signer.load(BANK, key_file).public_key == load_public_key(public)


def test_a_key_file_has_to_be_private(key_file: Path) -> None:
    key_file.chmod(0o640)
    with pytest.raises(PermissionError, match="chmod 600"):
        Signer.load(BANK, key_file)


def test_other_key_files_are_refused_and_not_shown(tmp_path: Path, key_file: Path) -> None:
    secret = key_file.read_bytes().splitlines()[1]
    longer = base64.b64encode(base64.b64decode(secret) + b"\x00")
    for content in (b"", b"no key", key_file.read_bytes()[:-30], key_file.read_bytes().replace(secret, longer)):
        key_file.write_bytes(content)
        with pytest.raises(ValueError, match="holds no Ed25519 private key") as caught:
            Signer.load(BANK, key_file)
        assert secret.decode() not in str(caught.value)
    tls_key = tmp_path / "tls.key"
    curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
    subprocess.run(["openssl", "genpkey", *curve, "-out", str(tls_key)], check=True)
    tls_key.chmod(0o600)
    with pytest.raises(ValueError, match="holds no Ed25519 private key"):
        Signer.load(BANK, tls_key)


def test_a_signer_shows_no_secret() -> None:
    assert bytes([2] * 32).hex() not in repr(ALPHA)
    with pytest.raises(ValueError, match="no party"):
        Signer.from_seed("nobody", bytes(32))


# -- When a key may verify ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "at_ms", "live", "kept"),
    [
        (KEY_STATUS_ACTIVE, 10, True, True),
        (KEY_STATUS_ACTIVE, 19, True, True),
        (KEY_STATUS_ACTIVE, 9, False, False),
        (KEY_STATUS_ACTIVE, 20, False, False),
        (KEY_STATUS_RETIRING, 15, True, True),
        (KEY_STATUS_RETIRED, 15, False, True),
        (KEY_STATUS_COMPROMISED, 15, False, True),
        (KEY_STATUS_COMPROMISED, 20, False, False),
    ],
)
def test_when_a_key_may_verify(status: KeyStatus, at_ms: int, live: bool, kept: bool) -> None:
    key = Key(status=status, valid_from_ms=10, valid_until_ms=20)
    assert is_in_force(key, at_ms) == live
    assert was_valid(key, at_ms) == kept


# -- Directories -------------------------------------------------------------------------------------------------------


def keys() -> list[Key]:
    return [key_of(ALPHA, NOW), key_of(BETA, NOW)]


def changed(data: bytes, **fields: object) -> bytes:
    """The same signed bytes in another envelope."""
    envelope = Envelope.FromString(data)
    for name, value in fields.items():
        setattr(envelope, name, value)
    return envelope.SerializeToString()


def signed_twice(data: bytes) -> bytes:
    envelope = Envelope.FromString(data)
    envelope.signatures.add().CopyFrom(envelope.signatures[0])
    return envelope.SerializeToString()


def test_a_directory_that_is_right() -> None:
    directory = Directory.load(issue(ROOT, keys(), NOW), TRUST)
    assert directory.number == 1
    assert [key_id(key.public_key) for key in directory.signing_keys(OTHER)] == [ALPHA.key_id]
    assert directory.signing_keys("bank:cn-nobody") == []


WRONG_DIRECTORIES = {
    "by another key": (issue(ALPHA, keys(), NOW), "KEY_UNKNOWN"),
    "signed twice": (signed_twice(issue(ROOT, keys(), NOW)), "SIGNATURE_COUNT"),
    "of another type": (changed(issue(ROOT, keys(), NOW), payload_type="x"), "PAYLOAD_TYPE_WRONG"),
    "changed": (changed(issue(ROOT, keys(), NOW), payload=b"\x0a\x00"), "SIGNATURE_INVALID"),
    "for somebody": (issue(ROOT, keys(), NOW, recipient=BANK), "RECIPIENT_WRONG"),
    "of another environment": (issue(ROOT, keys(), NOW, environment="prod"), "ENVIRONMENT_WRONG"),
    "of another sender": (issue(ROOT, keys(), NOW, sender="fund:x"), "SENDER_WRONG"),
    "of another method": (issue(ROOT, keys(), NOW, method="x"), "METHOD_WRONG"),
    "that is a reply": (issue(ROOT, keys(), NOW, direction=DIRECTION_REPLY), "DIRECTION_WRONG"),
    "that expires": (issue(ROOT, keys(), NOW, expires_ms=1), "LIFETIME_WRONG"),
    "whose sequence is not its number": (issue(ROOT, keys(), NOW, sequence=2), "SEQUENCE_WRONG"),
    "with number 0": (issue(ROOT, keys(), NOW, number=0), "SEQUENCE_WRONG"),
    "made at another time": (issue(ROOT, keys(), NOW, created_ms=NOW + 1), "DIRECTORY_INVALID"),
    "without keys": (issue(ROOT, [], NOW), "DIRECTORY_INVALID"),
    "with the same key twice": (issue(ROOT, [*keys(), keys()[0]], NOW), "DIRECTORY_INVALID"),
}


@pytest.mark.parametrize(("data", "reason"), WRONG_DIRECTORIES.values(), ids=WRONG_DIRECTORIES.keys())
def test_a_directory_is_refused(data: bytes, reason: str) -> None:
    with refused(reason):
        Directory.load(data, TRUST)


WRONG_KEYS: dict[str, tuple[dict[str, object], str]] = {
    "of SM2": ({"algorithm": KEY_ALGORITHM_SM2_SM3}, "DIRECTORY_INVALID"),
    "of nobody": ({"party": "nobody"}, "DIRECTORY_INVALID"),
    "that never begins": ({"valid_from_ms": 5, "valid_until_ms": 5}, "DIRECTORY_INVALID"),
    "of no purpose": ({"purpose": KEY_PURPOSE_UNSPECIFIED}, "DIRECTORY_INVALID"),
    "of no status": ({"status": KEY_STATUS_UNSPECIFIED}, "DIRECTORY_INVALID"),
    "of another environment": ({"environment": "prod"}, "ENVIRONMENT_WRONG"),
    "that is weak": ({"public_key": IDENTITY}, "KEY_WEAK"),
    "with another party's proof": ({"possession": BETA.prove_possession("test")}, "KEY_POSSESSION"),
    "with a proof for another environment": ({"possession": ALPHA.prove_possession("prod")}, "KEY_POSSESSION"),
    "without a proof": ({"possession": b""}, "KEY_POSSESSION"),
}


@pytest.mark.parametrize(("fields", "reason"), WRONG_KEYS.values(), ids=WRONG_KEYS.keys())
def test_a_directory_is_refused_whole_for_one_key(fields: dict[str, object], reason: str) -> None:
    with refused(reason):
        Directory.load(issue(ROOT, [key_of(BETA, NOW), key_of(ALPHA, NOW, **fields)], NOW), TRUST)


def test_a_directory_is_replaced_by_a_newer_one_only() -> None:
    Directory.load(issue(ROOT, keys(), NOW, 6), TRUST, held_number=5)
    for number in (4, 5):
        with refused("SEQUENCE_WRONG"):
            Directory.load(issue(ROOT, keys(), NOW, number), TRUST, held_number=5)


def test_a_weak_pinned_key_is_refused() -> None:
    with refused("KEY_WEAK"):
        Directory.load(issue(ROOT, keys(), NOW), Trust(IDENTITY, CENTRE, "test"))
