"""A bank's side of the joint approval (chapter 7): hands applications in, answers for its own items, decides on its own
money, reports what it did, and believes nothing that it has not checked itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from coloan.v1 import push_pb2
from coloan.v1.application_pb2 import (
    CONSENT_PURPOSE_CREDIT_REPORT,
    CONSENT_PURPOSE_SHARE,
    CONSENT_PURPOSE_VERIFY,
    Application,
    ApplicationQuery,
    ApplicationReceipt,
    ApplicationStatus,
    ApplicationView,
    Consent,
    Milestone,
    OfferConfirmation,
    Withdrawal,
)
from coloan.v1.decision_pb2 import FUND_VERDICT_APPROVE, BankDecision, FundDecision, JointDecision, OfferTerms
from coloan.v1.envelope_pb2 import Disclosure
from coloan.v1.push_pb2 import Event, EventKind
from coloan.v1.verification_pb2 import VerificationReport, VerificationResult

from coloan_bank.client import Client
from coloan_bank.envelope import Sealed
from coloan_bank.evidence import Submission, read_offer, read_submission, verify_joint_decision
from coloan_bank.intake import Incoming, Intake
from coloan_bank.journal import Journal
from coloan_bank.methods import (
    BY_NAME,
    CONFIRM_OFFER,
    GET_APPLICATION,
    REPORT_BANK_DECISION,
    REPORT_MILESTONE,
    REPORT_VERIFICATIONS,
    SUBMIT_APPLICATION,
    WITHDRAW_APPLICATION,
    A,
    Method,
    Q,
)
from coloan_bank.personal import PERSON_FIELDS, conceal
from coloan_bank.refused import Action, OutcomeUnknown, Refused, check

# An answer that comes too late: it was given before, or the case has gone on meanwhile and later events tell how.
_TOO_LATE = ("STATE_CONFLICT", "STALE_EPOCH", "OFFER_STALE", "OFFER_EXPIRED")


class Core(Protocol):
    """The bank's own business."""

    def verify(self, application: Application, values: Mapping[str, str]) -> list[VerificationResult]:
        """INCOME, and CREDIT_BANK for each person."""

    def decide(self, terms: OfferTerms, application: Application) -> BankDecision:
        """A verdict on the commercial part, and the bank's reference of it."""


@dataclass
class Case:
    """What the bank knows of one application: what it verified, nothing else."""

    submission: Submission | None = None
    fund_decision: FundDecision | None = None
    terms: OfferTerms | None = None
    joint: JointDecision | None = None
    approved: bool = False
    status: ApplicationStatus = field(default_factory=ApplicationStatus)


class Bank:
    """`say` tells an operator; nothing of a person is in it."""

    def __init__(self, client: Client, journal: Journal, core: Core, say: Callable[[str], None] = print) -> None:
        self.party = client.signer.party
        self.cases: dict[str, Case] = {}
        self.intake = Intake(client, journal, self.apply)
        self._client = client
        self._journal = journal
        self._core = core
        self._say = say

    # -- After a start of the process ------------------------------------------------------------------------------

    def recover(self) -> None:
        """What was known is known again, and what was on its way goes again, byte for byte."""
        for kept in sorted(self._journal.events.values(), key=lambda event: event.sequence):
            if kept.reference:
                self._note(self.intake.verify(kept.envelope))
        for pending in list(self._journal.pending.values()):
            try:
                self._settle(BY_NAME[pending.method], pending.sealed)
            except OutcomeUnknown:
                raise
            except Refused as refused:
                self._say(f"{pending.method} of before was not done: {refused}")

    # -- What we say -----------------------------------------------------------------------------------------------

    def submit(self, application: Application, disclosures: Sequence[Disclosure]) -> ApplicationReceipt:
        return self.send(SUBMIT_APPLICATION, application, disclosures=disclosures)

    def confirm(self, application_id: str, confirmation: OfferConfirmation) -> ApplicationStatus:
        """The borrower accepts, at our counter, what both lenders have signed ([COL-BOR-005])."""
        return self.send(CONFIRM_OFFER, confirmation, application_id=application_id)

    def report(self, application_id: str, milestone: Milestone, account: str = "") -> ApplicationStatus:
        """Contracts, registration, payments ([COL-MIL-001]). `account`: where a leg was paid to ([COL-MIL-006])."""
        disclosures = []
        if account:
            concealed = conceal("account", account)
            milestone.account = concealed.commitment
            disclosures = [concealed.disclosure]
        return self.send(REPORT_MILESTONE, milestone, application_id=application_id, disclosures=disclosures)

    def withdraw(self, application_id: str) -> ApplicationStatus:
        return self.send(WITHDRAW_APPLICATION, Withdrawal(), application_id=application_id)

    def get(self, application_id: str, *, with_timeline: bool = False) -> ApplicationView:
        query = ApplicationQuery(application_id=application_id, with_timeline=with_timeline)
        return self._client.call(GET_APPLICATION, query, application_id=application_id)

    def send(self, method: Method[Q, A], body: Q, **header: Any) -> A:
        """A request that changes something: kept before it is sent, sent until its outcome is known."""
        sealed = self._client.seal(method.name, body, **header)
        self._journal.sending(method.name, sealed)
        return self._settle(method, sealed)

    def _settle(self, method: Method[Q, A], sealed: Sealed) -> A:
        try:
            reply = self._client.send(method, sealed)
        except Refused as refused:
            if refused.action is Action.MEND_OR_GIVE_UP:
                self._journal.settled(sealed)  # never processed, and never will be
            raise
        self._journal.settled(sealed)
        return reply

    # -- What we are told ------------------------------------------------------------------------------------------

    def apply(self, incoming: Incoming) -> str:
        """Takes one event over and gives our reference of it. If the answer that it asks for cannot be given now, the
        event stays unapplied and comes here again."""
        self._note(incoming)
        self._answer(incoming)
        event = incoming.event
        self._say(f"{incoming.sequence} {EventKind.Name(event.kind)} {event.application_id}")
        return f"py-{incoming.sequence}"

    def _note(self, incoming: Incoming) -> None:
        event = incoming.event
        case = self.cases.setdefault(event.application_id, Case())
        case.status = event.status
        match event.kind:
            case push_pb2.EVENT_KIND_APPLICATION:
                case.submission = read_submission(incoming, self._client.directory, self.party)
            case push_pb2.EVENT_KIND_FUND_DECISION:
                self._note_fund_decision(case, event)
            case push_pb2.EVENT_KIND_JOINT_DECISION:
                joint = event.joint_decision
                check(joint.application_id == event.application_id, "FIELD_INVALID", field="joint_decision")
                case.approved = verify_joint_decision(joint, self._client.directory, self.party)
                case.joint = joint
            case push_pb2.EVENT_KIND_CONSENT_WITHDRAWN if case.submission:
                case.submission = replace(case.submission, values={})  # what rested on the consent
            case push_pb2.EVENT_KIND_RELEASED:
                del self.cases[event.application_id]  # another bank's now

    def _note_fund_decision(self, case: Case, event: Event) -> None:
        decision = event.fund_decision
        check(decision.application_id == event.application_id, "FIELD_INVALID", field="fund_decision")
        case.fund_decision = decision
        case.terms = None
        if decision.verdict == FUND_VERDICT_APPROVE:
            case.terms = read_offer(decision.offer, event.application_id, self.party)

    def _answer(self, incoming: Incoming) -> None:
        application_id = incoming.event.application_id
        case = self.cases.get(application_id, Case())
        match incoming.event.kind:
            case push_pb2.EVENT_KIND_APPLICATION if case.submission:
                results = self._core.verify(case.submission.application, case.submission.values)
                self._tell(REPORT_VERIFICATIONS, VerificationReport(results=results), application_id)
            case push_pb2.EVENT_KIND_FUND_DECISION if case.terms and case.terms.commercial.amount_fen > 0:
                if case.submission is None:
                    self._say(f"{application_id} waits for a decision, and its submission never came here")
                    return
                decision = self._core.decide(case.terms, case.submission.application)
                decision.offer_version = case.terms.version
                decision.bank_epoch = case.terms.bank_epoch
                decision.terms_digest = incoming.event.fund_decision.offer.terms_digest
                self._tell(REPORT_BANK_DECISION, decision, application_id)

    def _tell(self, method: Method[Q, A], body: Q, application_id: str) -> None:
        """An event may be taken over again after a crash, or long after it was made."""
        try:
            self.send(method, body, application_id=application_id)
        except Refused as refused:
            if refused.reason not in _TOO_LATE:
                raise
            self._say(f"{method.name} {application_id}: {refused.reason}")


# -- Applications ------------------------------------------------------------------------------------------------------


def conceal_all(application: Application, persons: Sequence[Mapping[str, str]], address: str) -> list[Disclosure]:
    """Puts the commitments to personal values into an application, and gives what travels beside it."""
    disclosures = []
    for i, (person, values) in enumerate(zip(application.persons, persons, strict=True)):
        for name in PERSON_FIELDS:
            concealed = conceal(f"persons[{i}].{name}", values[name])
            setattr(person, name, concealed.commitment)
            disclosures.append(concealed.disclosure)
    concealed = conceal("home.address", address)
    application.home.address = concealed.commitment
    return [*disclosures, concealed.disclosure]


def consents_for(
    person_count: int, centre: str, bank: str, until_ms: int, letter_sha256: bytes, prefix: str
) -> list[Consent]:
    """The four consents of each person that a submission needs ([COL-CON-001])."""
    wanted = (
        (CONSENT_PURPOSE_VERIFY, centre),
        (CONSENT_PURPOSE_CREDIT_REPORT, centre),
        (CONSENT_PURPOSE_CREDIT_REPORT, bank),
        (CONSENT_PURPOSE_SHARE, bank),
    )
    return [
        Consent(
            consent_id=f"{prefix}-{person}-{i}",
            person=person,
            purpose=purpose,
            receiver=receiver,
            until_ms=until_ms,
            document_sha256=letter_sha256,
        )
        for person in range(person_count)
        for i, (purpose, receiver) in enumerate(wanted)
    ]
