"""The golden vectors of interop/vectors: what every implementation has to make, or judge, alike."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from coloan.v1.application_pb2 import Application
from coloan.v1.envelope_pb2 import Direction, Envelope

from coloan_bank.contract import MESSAGES
from coloan_bank.directory import Directory, Trust
from coloan_bank.dsse import digest_of, pae
from coloan_bank.envelope import Expected, Opened, open_envelope, stored_form
from coloan_bank.keys import Signer, is_environment, is_party, key_id, possession_text, verify
from coloan_bank.personal import commit, commitments_of, reveal_all
from tests.support.refusing import judged

FOLDER = Path(__file__).parents[2] / "vectors"
# How many cases each file has: none is left out unseen, and whoever adds one changes the number here.
COUNTS = {
    "batch": 10,
    "commitment": 7,
    "directory": 10,
    "envelope": 63,
    "keyid": 9,
    "pae": 6,
    "possession": 10,
    "signature": 8,
}

Row = dict[str, Any]
PARTIES: Row = json.loads((FOLDER / "parties.json").read_text(encoding="utf-8"))
TRUST = Trust(bytes.fromhex(PARTIES["directory_key"]), PARTIES["centre"], PARTIES["environment"])
DIRECTORY = Directory.load(bytes.fromhex(PARTIES["directory"]), TRUST)


@dataclass(frozen=True)
class Case:
    file: str
    row: Row


CASES = [
    Case(file.stem, row)
    for file in sorted(FOLDER.glob("*.json"))
    if file.stem != "parties"
    for row in json.loads(file.read_text(encoding="utf-8"))["cases"]
]


def judge_pae(row: Row) -> None:
    payload, name = bytes.fromhex(row["payload"]), row["payload_type"]
    signer = Signer.from_seed(PARTIES["centre"], bytes.fromhex(row["seed"]))
    assert signer.public_key.hex() == row["public_key"]
    assert pae(name, payload).hex() == row["pae"]
    assert digest_of(name, payload).hex() == row["digest"]
    assert signer.sign(pae(name, payload)).hex() == row["signature"]


def judge_keyid(row: Row) -> None:
    assert row["algorithm"] == 1
    assert key_id(bytes.fromhex(row["public_key"])) == row["keyid"]


def judge_possession(row: Row) -> None:
    key = bytes.fromhex(row["public_key"])
    text = possession_text(row["party"], row["environment"], key)
    named = is_party(row["party"]) and is_environment(row["environment"])
    assert (named and verify(key, text, bytes.fromhex(row["possession"]))) == (row["expect"] == "OK")


def judge_commitment(row: Row) -> None:
    assert commit(row["path"], bytes.fromhex(row["salt"]), bytes.fromhex(row["value"])).hex() == row["commitment"]


def judge_signature(row: Row) -> None:
    key, message, signature = (bytes.fromhex(row[name]) for name in ("public_key", "message", "signature"))
    assert verify(key, message, signature) == (row["expect"] == "OK")


def judge_directory(row: Row) -> None:
    with judged(row["expect"]):
        Directory.load(bytes.fromhex(row["directory"]), TRUST, row["held_number"])


def receive(row: Row) -> Opened:
    """All of a receiver's checks but duplicates and business."""
    expected = Expected(
        directory=DIRECTORY,
        environment=row["environment"],
        sender=row["sender"],
        recipient=row["recipient"],
        method=row["method"],
        bodies={MESSAGES[row["body_type"]]: cast(Direction, Direction.Value(f"DIRECTION_{row['direction']}"))},
        in_reply_to=bytes.fromhex(row["in_reply_to"]) or None,
        now_ms=row["now_ms"],
    )
    opened = open_envelope(bytes.fromhex(row["envelope"]) + bytes(row.get("zeros_appended", 0)), expected)
    body = opened.read_body(opened.message)
    reveal_all(commitments_of(body) if isinstance(body, Application) else {}, opened.disclosures)
    return opened


def judge_envelope(row: Row) -> None:
    with judged(row["expect"]):
        opened = receive(row)
    if "digest" in row:
        assert opened.digest.hex() == row["digest"]
        assert opened.header.message_id.hex() == row["message_id"]
        assert stored_form(opened.envelope).hex() == row["stored"]


def judge_batch(row: Row) -> None:
    """This bank does not have the profile: it refuses whatever carries a proof, as the vectors' README says."""
    envelope = Envelope.FromString(bytes.fromhex(row["envelope"]))
    has_proof = any(signature.HasField("batch") for signature in envelope.signatures)
    with judged("PROFILE_UNSUPPORTED" if has_proof else row["expect"]):
        receive(row)


JUDGES: dict[str, Callable[[Row], None]] = {
    "batch": judge_batch,
    "commitment": judge_commitment,
    "directory": judge_directory,
    "envelope": judge_envelope,
    "keyid": judge_keyid,
    "pae": judge_pae,
    "possession": judge_possession,
    "signature": judge_signature,
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.file}: {case.row['name']}")
def test_vector(case: Case) -> None:
    JUDGES[case.file](case.row)


def test_every_vector_is_judged() -> None:
    assert Counter(case.file for case in CASES) == COUNTS
