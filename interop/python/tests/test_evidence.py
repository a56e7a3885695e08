import hashlib
from dataclasses import dataclass
from typing import Any

import pytest
from coloan.v1.application_pb2 import Application, Home, Person
from coloan.v1.decision_pb2 import (
    BANK_VERDICT_APPROVE,
    BANK_VERDICT_DECLINE,
    FUND_VERDICT_APPROVE,
    FUND_VERDICT_REJECT,
    OUTCOME_APPROVED_COMBINED,
    OUTCOME_APPROVED_FUND_ONLY,
    OUTCOME_DECLINED_BANK,
    OUTCOME_PENDING,
    OUTCOME_REJECTED_FUND,
    REPAYMENT_METHOD_EQUAL_INSTALMENT,
    BankDecision,
    FundDecision,
    JointDecision,
    LoanPart,
    Offer,
    OfferTerms,
)
from coloan.v1.envelope_pb2 import DIRECTION_EVENT, DIRECTION_REQUEST, Direction, Disclosure, SignedHeader
from coloan.v1.push_pb2 import EVENT_KIND_APPLICATION, EVENT_KIND_FUND_DECISION, Event
from google.protobuf.message import Message

from coloan_bank.bank import conceal_all
from coloan_bank.directory import Directory, Trust
from coloan_bank.dsse import uuid7
from coloan_bank.envelope import Opened, open_kept, seal
from coloan_bank.evidence import TERMS_DOMAIN, read_offer, read_submission, verify_joint_decision
from coloan_bank.intake import Incoming
from coloan_bank.keys import Signer
from coloan_bank.methods import DELIVER, GET_APPLICATION, REPORT_BANK_DECISION, SUBMIT_APPLICATION
from tests.support.folder import BANK, CENTRE, OTHER, issue, key_of
from tests.support.refusing import judged

NOW = 1_795_564_800_000
ID = "019abcde-0000-7000-8000-000000000001"
ROOT, FUND, BETA, ALPHA = (
    Signer.from_seed(party, bytes([i] * 32)) for i, party in enumerate((CENTRE, CENTRE, BANK, OTHER), 1)
)
DIRECTORY = Directory.load(
    issue(ROOT, [key_of(signer, NOW) for signer in (FUND, BETA, ALPHA)], NOW), Trust(ROOT.public_key, CENTRE, "test")
)


def kept(signer: Signer, recipient: str, method: str, direction: Direction, body: Message, header: Any = None) -> bytes:
    right: dict[str, Any] = {
        "environment": "test",
        "message_id": uuid7(NOW),
        "recipient": recipient,
        "method": method,
        "direction": direction,
        "created_ms": NOW,
        "expires_ms": 0 if direction == DIRECTION_EVENT else NOW + 60_000,
        "application_id": ID,
        "sequence": 1 if direction == DIRECTION_EVENT else 0,
    }
    return seal(signer, SignedHeader(**right | (header or {})), body).envelope


# -- Offers ------------------------------------------------------------------------------------------------------------


def part(amount_fen: int, instalment_fen: int) -> LoanPart:
    return LoanPart(
        amount_fen=amount_fen,
        rate_ppm=26_000,
        term_months=360,
        method=REPAYMENT_METHOD_EQUAL_INSTALMENT,
        instalment_fen=instalment_fen,
    )


def offer(**fields: Any) -> Offer:
    right: dict[str, Any] = {
        "application_id": ID,
        "version": 1,
        "bank_epoch": 1,
        "bank": BANK,
        "fund": part(80_000_000, 320_272),
        "commercial": part(100_000_000, 400_340),
        "price_fen": 200_000_000,
        "down_payment_fen": 20_000_000,
    }
    terms = OfferTerms(**right | fields).SerializeToString()
    return Offer(terms=terms, terms_digest=hashlib.sha256(TERMS_DOMAIN + terms).digest())


FUND_ONLY: dict[str, Any] = {"commercial": LoanPart(), "down_payment_fen": 120_000_000}


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (offer(), "OK"),
        (offer(**FUND_ONLY), "OK"),
        (Offer(), "TERMS_DIGEST_WRONG"),
        (Offer(terms=offer().terms, terms_digest=hashlib.sha256(offer().terms).digest()), "TERMS_DIGEST_WRONG"),
        (offer(application_id="b"), "FIELD_INVALID"),
        (offer(bank=OTHER), "FIELD_INVALID"),
        (offer(version=0), "FIELD_INVALID"),
        (offer(down_payment_fen=20_000_001), "AMOUNT_INVALID"),
        (offer(fund=part(80_000_000, 320_273)), "AMOUNT_INVALID"),
    ],
)
def test_an_offer_is_decided_on_only_when_everything_in_it_is_right(one: Offer, reason: str) -> None:
    with judged(reason):
        read_offer(one, ID, BANK)


# -- Submissions -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Told:
    """An APPLICATION event, as the intake gives it."""

    recipient: str = CENTRE
    method: str = SUBMIT_APPLICATION.name
    status_bank: str = BANK
    application_bank: str = BANK
    epoch: int = 1
    lie: bool = False

    def incoming(self) -> Incoming:
        application = Application(bank=self.application_bank, persons=[Person()], home=Home())
        somebody = {"name": "测试甲", "id_number": "990101199603150019", "mobile": "19900010000"}
        disclosures = conceal_all(application, [somebody], "测试市虚构路1号")
        if self.lie:
            disclosures[0].value = "测试乙".encode()
        submission = kept(BETA, self.recipient, self.method, DIRECTION_REQUEST, application, {"application_id": ""})
        event = Event(kind=EVENT_KIND_APPLICATION, application_id=ID, application_envelope=submission)
        event.status.bank, event.status.bank_epoch = self.status_bank, self.epoch
        return Incoming(event, opened_with(disclosures))


def opened_with(disclosures: list[Disclosure]) -> Opened:
    opened = open_kept(kept(FUND, BANK, DELIVER, DIRECTION_EVENT, Event()), DIRECTORY)
    opened.envelope.disclosures.extend(disclosures)
    return opened


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (Told(), "OK"),
        (Told(application_bank=OTHER, epoch=2), "OK"),
        (Told(application_bank=OTHER), "BANK_UNKNOWN"),
        (Told(status_bank=OTHER), "BANK_UNKNOWN"),
        (Told(recipient=OTHER), "RECIPIENT_WRONG"),
        (Told(method=GET_APPLICATION.name), "METHOD_WRONG"),
        (Told(lie=True), "DISCLOSURE_MISMATCH"),
    ],
)
def test_a_submission_is_believed_only_as_it_was_signed(told: Told, reason: str) -> None:
    with judged(reason):
        submission = read_submission(told.incoming(), DIRECTORY, BANK)
        assert submission.values["persons[0].name"] == "测试甲"


# -- Joint decisions ---------------------------------------------------------------------------------------------------


def fund_says(verdict: Any = FUND_VERDICT_APPROVE, one: Offer | None = None, signer: Signer = FUND) -> bytes:
    decision = FundDecision(application_id=ID, verdict=verdict)
    if verdict == FUND_VERDICT_APPROVE:
        decision.offer.CopyFrom(one or offer())
    event = Event(kind=EVENT_KIND_FUND_DECISION, application_id=ID, fund_decision=decision)
    return kept(signer, BANK, DELIVER, DIRECTION_EVENT, event)


def bank_says(signer: Signer = BETA, header: dict[str, Any] | None = None, **fields: Any) -> bytes:
    right: dict[str, Any] = {
        "offer_version": 1,
        "bank_epoch": 1,
        "terms_digest": offer().terms_digest,
        "verdict": BANK_VERDICT_APPROVE,
        "bank_reference": "r",
    }
    decision = BankDecision(**right | fields)
    return kept(signer, CENTRE, REPORT_BANK_DECISION.name, DIRECTION_REQUEST, decision, header)


def joint(**fields: Any) -> JointDecision:
    right: dict[str, Any] = {
        "application_id": ID,
        "outcome": OUTCOME_APPROVED_COMBINED,
        "terms_digest": offer().terms_digest,
        "fund_envelope": fund_says(),
        "bank_envelope": bank_says(),
    }
    return JointDecision(**right | fields)


DECLINED: dict[str, Any] = {
    "outcome": OUTCOME_DECLINED_BANK,
    "terms_digest": b"",
    "bank_envelope": bank_says(verdict=BANK_VERDICT_DECLINE),
}
REJECTED: dict[str, Any] = {
    "outcome": OUTCOME_REJECTED_FUND,
    "terms_digest": b"",
    "fund_envelope": fund_says(FUND_VERDICT_REJECT),
    "bank_envelope": b"",
}
ALONE: dict[str, Any] = {
    "outcome": OUTCOME_APPROVED_FUND_ONLY,
    "terms_digest": offer(**FUND_ONLY).terms_digest,
    "fund_envelope": fund_says(one=offer(**FUND_ONLY)),
    "bank_envelope": b"",
}


@pytest.mark.parametrize(
    ("decision", "is_approval"),
    [(joint(), True), (joint(**ALONE), True), (joint(**REJECTED), False), (joint(**DECLINED), False)],
)
def test_the_four_outcomes(decision: JointDecision, is_approval: bool) -> None:
    assert verify_joint_decision(decision, DIRECTORY, BANK) == is_approval


@pytest.mark.parametrize(
    ("decision", "reason"),
    [
        (joint(fund_envelope=b""), "MESSAGE_EMPTY"),
        (joint(fund_envelope=fund_says(signer=Signer.from_seed(CENTRE, bytes(32)))), "KEY_UNKNOWN"),
        (joint(fund_envelope=bank_says()), "SENDER_WRONG"),
        (joint(bank_envelope=b""), "FIELD_MISSING"),
        (joint(bank_envelope=fund_says()), "SENDER_WRONG"),
        (joint(bank_envelope=bank_says(ALPHA)), "SENDER_WRONG"),
        (joint(bank_envelope=bank_says(header={"recipient": OTHER})), "RECIPIENT_WRONG"),
        (joint(bank_envelope=bank_says(header={"method": "x"})), "METHOD_WRONG"),
        (joint(bank_envelope=bank_says(header={"application_id": "b"})), "FIELD_INVALID"),
        (joint(bank_envelope=bank_says(verdict=BANK_VERDICT_DECLINE)), "FIELD_INVALID"),
        (joint(bank_envelope=bank_says(terms_digest=bytes(32))), "TERMS_DIGEST_WRONG"),
        (joint(bank_envelope=bank_says(offer_version=2)), "OFFER_STALE"),
        (joint(bank_envelope=bank_says(bank_epoch=2)), "OFFER_STALE"),
        (joint(terms_digest=bytes(32)), "TERMS_DIGEST_WRONG"),
        (joint(application_id="b"), "FIELD_INVALID"),
        (joint(outcome=OUTCOME_PENDING), "FIELD_INVALID"),
        (joint(outcome=OUTCOME_DECLINED_BANK), "FIELD_INVALID"),
        (joint(outcome=OUTCOME_APPROVED_FUND_ONLY), "FIELD_MISSING"),
        (joint(outcome=OUTCOME_APPROVED_FUND_ONLY, bank_envelope=b""), "AMOUNT_INVALID"),
        (joint(**REJECTED | {"fund_envelope": fund_says()}), "FIELD_INVALID"),
        (joint(**DECLINED | {"terms_digest": offer().terms_digest}), "TERMS_DIGEST_WRONG"),
    ],
)
def test_a_joint_decision_is_believed_only_when_both_mean_the_same(decision: JointDecision, reason: str) -> None:
    with judged(reason):
        verify_joint_decision(decision, DIRECTORY, BANK)
