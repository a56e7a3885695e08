"""What a bank checks itself before it believes it: submissions, offers, joint decisions (chapter 7).

Each works on kept messages and the key directory alone; nobody has to be asked.
"""

import hashlib
from dataclasses import dataclass, field

from coloan.v1.application_pb2 import Application
from coloan.v1.decision_pb2 import (
    BANK_VERDICT_APPROVE,
    BANK_VERDICT_DECLINE,
    BANK_VERDICT_UNSPECIFIED,
    FUND_VERDICT_APPROVE,
    FUND_VERDICT_REJECT,
    OUTCOME_APPROVED_COMBINED,
    OUTCOME_APPROVED_FUND_ONLY,
    OUTCOME_DECLINED_BANK,
    OUTCOME_REJECTED_FUND,
    BankDecision,
    BankVerdict,
    FundDecision,
    FundVerdict,
    JointDecision,
    Offer,
    OfferTerms,
    Outcome,
)
from coloan.v1.push_pb2 import Event

from coloan_bank.directory import Directory
from coloan_bank.dsse import read
from coloan_bank.envelope import open_kept
from coloan_bank.instalment import instalment_fen
from coloan_bank.intake import Incoming
from coloan_bank.methods import DELIVER, REPORT_BANK_DECISION, SUBMIT_APPLICATION, SUPPLEMENT_APPLICATION
from coloan_bank.personal import commitments_of, reveal
from coloan_bank.refused import Refused, check

TERMS_DOMAIN = b"coloan terms v1\n"

# -- Offers ------------------------------------------------------------------------------------------------------------


def read_offer(offer: Offer, application_id: str, bank: str) -> OfferTerms:
    """The terms of an offer: their digest, their numbers, and that they are meant for us ([COL-OFR-003])."""
    check(offer.terms_digest == hashlib.sha256(TERMS_DOMAIN + offer.terms).digest(), "TERMS_DIGEST_WRONG")
    terms = read(OfferTerms, offer.terms)
    check(terms.application_id == application_id, "FIELD_INVALID", field="application_id")
    check(terms.bank == bank, "FIELD_INVALID", field="bank")
    check(terms.version > 0, "FIELD_INVALID", field="version")
    down_payment = terms.price_fen - terms.fund.amount_fen - terms.commercial.amount_fen
    check(terms.down_payment_fen == down_payment, "AMOUNT_INVALID", field="down_payment_fen")
    for part in (terms.fund, terms.commercial):
        if part.amount_fen > 0:
            check(part.instalment_fen == instalment_fen(part), "AMOUNT_INVALID", field="instalment_fen")
    return terms


# -- Submissions -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Submission:
    """An application as somebody signed it, and what its persons' consents let us see."""

    application: Application = field(repr=False)
    values: dict[str, str] = field(repr=False)
    digest: bytes


def read_submission(incoming: Incoming, directory: Directory, bank: str) -> Submission:
    """The submission in an APPLICATION event ([COL-SUB-009]). It names the bank of its time: after a change of bank
    that is another one, and the status names us."""
    event = incoming.event
    kept = open_kept(event.application_envelope, directory)
    check(kept.header.recipient == directory.centre, "RECIPIENT_WRONG")
    check(kept.header.method in (SUBMIT_APPLICATION.name, SUPPLEMENT_APPLICATION.name), "METHOD_WRONG")
    application = kept.read_body(Application)
    check(event.status.bank == bank, "BANK_UNKNOWN")
    check(event.status.bank_epoch > 1 or application.bank == bank, "BANK_UNKNOWN")
    values = reveal(commitments_of(application), incoming.opened.disclosures)
    return Submission(application, values, kept.digest)


# -- Joint decisions ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Rule:
    """Which verdicts an outcome follows from ([COL-JNT-004])."""

    fund: FundVerdict
    bank: BankVerdict
    is_approval: bool


_RULES: dict[Outcome, _Rule] = {
    OUTCOME_APPROVED_COMBINED: _Rule(FUND_VERDICT_APPROVE, BANK_VERDICT_APPROVE, is_approval=True),
    OUTCOME_APPROVED_FUND_ONLY: _Rule(FUND_VERDICT_APPROVE, BANK_VERDICT_UNSPECIFIED, is_approval=True),
    OUTCOME_REJECTED_FUND: _Rule(FUND_VERDICT_REJECT, BANK_VERDICT_UNSPECIFIED, is_approval=False),
    OUTCOME_DECLINED_BANK: _Rule(FUND_VERDICT_APPROVE, BANK_VERDICT_DECLINE, is_approval=False),
}


def verify_joint_decision(joint: JointDecision, directory: Directory, bank: str) -> bool:
    """Both signatures, and that both mean the same terms; gives whether the loan is approved."""
    rule = _RULES.get(joint.outcome)
    if rule is None:
        raise Refused("FIELD_INVALID", field="outcome")
    fund = _fund_side(joint, directory, bank)
    check(fund.verdict == rule.fund, "FIELD_INVALID", field="fund_envelope")
    check(bool(joint.bank_envelope) == (rule.bank != BANK_VERDICT_UNSPECIFIED), "FIELD_MISSING", field="bank_envelope")
    terms = read_offer(fund.offer, joint.application_id, bank) if fund.verdict == FUND_VERDICT_APPROVE else OfferTerms()
    if joint.bank_envelope:
        decision = _bank_side(joint, directory, bank)
        check(decision.verdict == rule.bank, "FIELD_INVALID", field="bank_envelope")
        check(decision.terms_digest == fund.offer.terms_digest, "TERMS_DIGEST_WRONG")
        check((decision.offer_version, decision.bank_epoch) == (terms.version, terms.bank_epoch), "OFFER_STALE")
    check(joint.terms_digest == (fund.offer.terms_digest if rule.is_approval else b""), "TERMS_DIGEST_WRONG")
    if rule.is_approval:
        check(bool(joint.bank_envelope) == (terms.commercial.amount_fen > 0), "AMOUNT_INVALID", field="commercial")
    return rule.is_approval


def _fund_side(joint: JointDecision, directory: Directory, bank: str) -> FundDecision:
    kept = open_kept(joint.fund_envelope, directory)
    check(kept.header.sender == directory.centre, "SENDER_WRONG")
    check(kept.header.recipient == bank, "RECIPIENT_WRONG")
    check(kept.header.method == DELIVER, "METHOD_WRONG")
    decision = kept.read_body(Event).fund_decision
    check(decision.application_id == joint.application_id, "FIELD_INVALID", field="fund_envelope")
    return decision


def _bank_side(joint: JointDecision, directory: Directory, bank: str) -> BankDecision:
    kept = open_kept(joint.bank_envelope, directory)
    check(kept.header.sender == bank, "SENDER_WRONG")
    check(kept.header.recipient == directory.centre, "RECIPIENT_WRONG")
    check(kept.header.method == REPORT_BANK_DECISION.name, "METHOD_WRONG")
    check(kept.header.application_id == joint.application_id, "FIELD_INVALID", field="bank_envelope")
    return kept.read_body(BankDecision)
