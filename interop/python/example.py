"""The worked example of the specification, chapter 13: fixed key, time and salt, so that the bytes never change.

Prints the block that stands in the specification of both languages; tests/test_example.py compares.
"""

import hashlib
import textwrap

from coloan.v1.application_pb2 import ApplicationQuery
from coloan.v1.decision_pb2 import REPAYMENT_METHOD_EQUAL_INSTALMENT, LoanPart, OfferTerms
from coloan.v1.envelope_pb2 import DIRECTION_REQUEST, Envelope, SignedHeader, SignedPayload
from google.protobuf.message import Message

from coloan_bank.contract import payload_type
from coloan_bank.dsse import SPEC_VERSION, pae
from coloan_bank.envelope import seal
from coloan_bank.evidence import TERMS_DOMAIN
from coloan_bank.keys import Signer
from coloan_bank.limits import LIFE_MS_MAX
from coloan_bank.personal import commit

BANK = "bank:cn-beta-js"
CENTRE = "fund:cn-nj-prov"
ENVIRONMENT = "test"
APPLICATION = "019abcde-0000-7000-8000-000000000001"
CREATED_MS = 1_795_564_800_000  # 2026-11-25 00:00 UTC
SEED = bytes(range(32))
DAY_MS = 86_400_000
COLUMN = 15
HEX_PER_LINE = 64


def row(name: str, value: bytes | str) -> str:
    lines = textwrap.wrap(value.hex(), HEX_PER_LINE) if isinstance(value, bytes) else [value]
    return "\n".join(f"{name if i == 0 else '':{COLUMN}} {line}" for i, line in enumerate(lines))


def key_rows(signer: Signer) -> list[str]:
    return [
        row("seed", SEED),
        row("public key", signer.public_key),
        row("keyid", signer.key_id),
        row("possession", signer.prove_possession(ENVIRONMENT)),
    ]


def message_rows(signer: Signer) -> list[str]:
    body: Message = ApplicationQuery(application_id=APPLICATION)
    header = SignedHeader(
        spec_version=SPEC_VERSION,
        environment=ENVIRONMENT,
        message_id=bytes.fromhex("01a21000880070008000000000000001"),
        sender=signer.party,
        recipient=CENTRE,
        method="coloan.v1.JointApproval/GetApplication",
        direction=DIRECTION_REQUEST,
        created_ms=CREATED_MS,
        expires_ms=CREATED_MS + LIFE_MS_MAX,
        application_id=APPLICATION,
    )
    sealed = seal(signer, header, body)
    envelope = Envelope.FromString(sealed.envelope)
    payload = SignedPayload.FromString(envelope.payload)
    return [
        row("header", payload.header.SerializeToString()),
        row("body", payload.body),
        row("payload", envelope.payload),
        row("payload_type", payload_type(body)),
        row("PAE", pae(envelope.payload_type, envelope.payload)),
        row("digest", sealed.digest),
        row("sig", envelope.signatures[0].sig),
        row("envelope", sealed.envelope),
    ]


def personal_rows() -> list[str]:
    path, salt, value = "persons[0].name", bytes.fromhex("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf"), "测试甲"
    return [
        row("path", path),
        row("salt", salt),
        row("value", f"{value} = {value.encode().hex()}"),
        row("commitment", commit(path, salt, value.encode())),
    ]


def part(amount_fen: int, rate_ppm: int, instalment_fen: int) -> LoanPart:
    return LoanPart(
        amount_fen=amount_fen,
        rate_ppm=rate_ppm,
        term_months=360,
        method=REPAYMENT_METHOD_EQUAL_INSTALMENT,
        instalment_fen=instalment_fen,
    )


def terms_rows() -> list[str]:
    terms = OfferTerms(
        application_id=APPLICATION,
        version=1,
        bank_epoch=1,
        bank=BANK,
        fund=part(80_000_000, 26_000, 320_272),
        commercial=part(24_000_000, 30_500, 101_833),
        price_fen=130_000_000,
        down_payment_fen=26_000_000,
        valid_until_ms=CREATED_MS + 90 * DAY_MS,
        interest_subsidy=True,
    ).SerializeToString()
    return [row("terms", terms), row("terms_digest", hashlib.sha256(TERMS_DOMAIN + terms).digest())]


def example() -> str:
    signer = Signer.from_seed(BANK, SEED)
    blocks = (key_rows(signer), message_rows(signer), personal_rows(), terms_rows())
    return "\n\n".join("\n".join(rows) for rows in blocks)


if __name__ == "__main__":
    print(example())
