"""The life of applications: from the submission to signed contracts, and all other ends."""

import hashlib
from functools import partial

from coloan.v1.application_pb2 import (
    CASE_STATE_APPROVED,
    CASE_STATE_CANCELLED,
    CASE_STATE_CONFIRMED,
    CASE_STATE_SIGNED,
    CASE_STATE_SIGNING,
    CONSENT_PURPOSE_SHARE,
    LEG_COMMERCIAL,
    LEG_FUND,
    MILESTONE_KIND_CANCELLED,
    MILESTONE_KIND_DISBURSED,
    MILESTONE_KIND_SIGNED,
    ApplicationListQuery,
    ApplicationReceipt,
    CaseState,
    Milestone,
    OfferConfirmation,
)
from coloan.v1.decision_pb2 import (
    FUND_VERDICT_APPROVE,
    OUTCOME_APPROVED_COMBINED,
    OUTCOME_DECLINED_BANK,
    OUTCOME_REJECTED_FUND,
)
from coloan.v1.envelope_pb2 import DIRECTION_REPLY
from coloan.v1.verification_pb2 import (
    ITEM_CONTRIBUTION,
    ITEM_CREDIT_FUND,
    ITEM_HOME_CONTRACT,
    Item,
    VerificationAnswer,
    VerificationQuery,
)

from coloan_bank.bank import Case
from coloan_bank.dsse import now_ms
from coloan_bank.methods import LIST_APPLICATIONS, QUERY_VERIFICATIONS, SUBMIT_APPLICATION
from coloan_bank.refused import Refused
from e2e.steps import Steps, refused, until
from e2e.world import BankUnderTest, Persona, World

ACCOUNT = "6222990000000000"  # of nobody

# -- Applications ------------------------------------------------------------------------------------------------------


def give_up(party: BankUnderTest) -> None:
    """The borrower gives up what is open, so that the same person may stand in another application."""
    for application_id, case in list(party.bank.cases.items()):
        if case.joint is None:
            continue
        try:
            party.bank.withdraw(application_id)
        except Refused as refusal:
            assert refusal.reason == "STATE_CONFLICT", refusal  # it had ended by itself
        del party.bank.cases[application_id]


def submit(party: BankUnderTest, persona: Persona, prefix: str = "approve") -> str:
    """Another application; gives its id."""
    application, disclosures = persona.apply(party.party, party.client.directory.centre, prefix)
    return party.bank.submit(application, disclosures).application_id


def decided(party: BankUnderTest, application_id: str) -> Case:
    until("the joint decision", lambda: case_of(party, application_id).joint)
    return case_of(party, application_id)


def case_of(party: BankUnderTest, application_id: str) -> Case:
    return party.bank.cases.get(application_id, Case())


# -- One application, looked at closely --------------------------------------------------------------------------------


def life(world: World, step: Steps) -> None:
    client, bank = world.client, world.bank.bank
    application, disclosures = world.persona.apply(bank.party, client.directory.centre, "approve")
    sealed = client.seal(SUBMIT_APPLICATION.name, application, disclosures=disclosures)
    with step("an application is accepted"):
        application_id = client.send(SUBMIT_APPLICATION, sealed).application_id
    case = partial(case_of, world.bank, application_id)

    with step("the same message again gets the same reply, byte for byte"):
        first, second = client.send_once(SUBMIT_APPLICATION, sealed), client.send_once(SUBMIT_APPLICATION, sealed)
        assert first == second
        opened = client.open(second, SUBMIT_APPLICATION.name, {ApplicationReceipt: DIRECTION_REPLY}, sealed.digest)
        assert opened.read_body(ApplicationReceipt).application_id == application_id
    with step("the same id with other bytes is MESSAGE_ID_REUSED"), refused("MESSAGE_ID_REUSED", signed=True):
        application.external_ref += "x"
        reused = client.seal(
            SUBMIT_APPLICATION.name, application, disclosures=disclosures, message_id=sealed.message_id
        )
        client.send_once(SUBMIT_APPLICATION, reused)
    with step("the APPLICATION event carries the submission and the values the consents allow"):
        until("the event", lambda: case().submission)
        submission = case().submission
        assert submission
        assert submission.digest == sealed.digest
        assert submission.values["persons[0].name"] == world.persona.persons[0]["name"]
        assert len(submission.values) == len(disclosures)
    with step("the FUND_DECISION event carries an offer"):
        until("the event", lambda: case().terms)
        decision, terms = case().fund_decision, case().terms
        assert decision
        assert terms
        assert decision.verdict == FUND_VERDICT_APPROVE
        fund, commercial = terms.fund.amount_fen // 100, terms.commercial.amount_fen // 100
        print(f"        fund {fund} yuan, commercial {commercial} yuan")
    with step("the JOINT_DECISION event carries both signatures over the same terms"):
        joint = decided(world.bank, application_id).joint
        assert joint
        assert joint.outcome == OUTCOME_APPROVED_COMBINED
        assert case().approved
    with step("GetApplication says so, too"):
        assert bank.get(application_id).status.state == CASE_STATE_APPROVED
    with step("ListApplications begins with it"):
        listed = client.call(LIST_APPLICATIONS, ApplicationListQuery(page_size=1)).applications
        assert listed[0].application_id == application_id
    consent_id = next(one.consent_id for one in application.consents if one.purpose == CONSENT_PURPOSE_SHARE)
    query_verifications(world, step, application_id, consent_id)


def query_verifications(world: World, step: Steps, application_id: str, consent_id: str) -> None:
    def ask(consent_id: str) -> VerificationAnswer:
        query = VerificationQuery(consent_id=consent_id)
        return world.client.call(QUERY_VERIFICATIONS, query, application_id=application_id)

    with step("QueryVerifications gives what the bank may see, and no more"):
        facts: dict[Item, list[str]] = {
            result.item: sorted(fact.name for fact in result.facts) for result in ask(consent_id).results
        }
        assert facts[ITEM_HOME_CONTRACT] == ["area_centi_m2", "price_fen"]
        assert facts[ITEM_CONTRIBUTION] == []  # the verdict only
        assert ITEM_CREDIT_FUND not in facts
    with step("QueryVerifications without the persons' consent is CONSENT_MISSING"), refused("CONSENT_MISSING"):
        ask("x")


# -- Other ends --------------------------------------------------------------------------------------------------------


def other_ends(world: World, step: Steps) -> None:
    bank, persona = world.bank, world.persona
    with step("a counter-offer leads to a second offer, which both sign"):
        give_up(bank)
        case = decided(bank, submit(bank, persona, "counter"))
        assert case.joint
        assert case.terms
        assert case.joint.outcome == OUTCOME_APPROVED_COMBINED
        assert case.terms.version == 2
    with step("a bank's decline ends the case, signed by both"):
        give_up(bank)
        case = decided(bank, submit(bank, persona, "decline"))
        assert case.joint
        assert case.joint.outcome == OUTCOME_DECLINED_BANK
        assert not case.approved
    with step("the fund's refusal ends the case without the bank"):
        give_up(bank)
        case = decided(bank, submit(bank, world.refused))
        assert case.joint
        assert case.fund_decision
        assert case.joint.outcome == OUTCOME_REJECTED_FUND
        assert case.joint.bank_envelope == b""
        assert case.fund_decision.reasons


# -- After the approval ------------------------------------------------------------------------------------------------


def after_approval(world: World, step: Steps) -> None:
    """Contracts; the mortgage is not waited for: they are cancelled by agreement, which frees the persons."""
    party, bank = world.bank, world.bank.bank
    give_up(party)
    application_id = submit(party, world.persona)
    case = decided(party, application_id)
    assert case.joint
    assert case.terms
    epoch, amount_fen = case.terms.bank_epoch, case.terms.fund.amount_fen

    def report(milestone: Milestone, account: str = "") -> CaseState:
        """What the bank did is told to nobody but in the reply: no event comes back for it."""
        milestone.bank_epoch, milestone.happened_ms = epoch, now_ms()
        return bank.report(application_id, milestone, account).state

    with step("the borrower confirms the terms that both signed, and a STATUS event says so"):
        confirmation = OfferConfirmation(
            offer_version=case.terms.version,
            terms_digest=case.joint.terms_digest,
            document_sha256=hashlib.sha256(b"confirmation").digest(),
        )
        bank.confirm(application_id, confirmation)
        until("the event", lambda: case_of(party, application_id).status.state == CASE_STATE_CONFIRMED)
    with step("the contract of the fund's leg is signed"):
        milestone = Milestone(kind=MILESTONE_KIND_SIGNED, leg=LEG_FUND, reference="py-fund")
        assert report(milestone) == CASE_STATE_SIGNING
    with step("the contract of the commercial leg is signed"):
        milestone = Milestone(kind=MILESTONE_KIND_SIGNED, leg=LEG_COMMERCIAL, reference="py-commercial")
        assert report(milestone) == CASE_STATE_SIGNED
    with step("a leg that is paid before the mortgage is registered is STATE_CONFLICT"), refused("STATE_CONFLICT"):
        paid = Milestone(kind=MILESTONE_KIND_DISBURSED, leg=LEG_FUND, amount_fen=amount_fen, reference="py-paid")
        report(paid, ACCOUNT)
    with step("contracts that are cancelled by agreement end the case"):
        cancelled = Milestone(kind=MILESTONE_KIND_CANCELLED, reference="py-cancelled")
        assert report(cancelled) == CASE_STATE_CANCELLED
    with step("the timeline tells all steps and milestones in order"):
        view = bank.get(application_id, with_timeline=True)
        kinds = [milestone.kind for milestone in view.milestones]
        assert kinds == [MILESTONE_KIND_SIGNED, MILESTONE_KIND_SIGNED, MILESTONE_KIND_CANCELLED]
        assert view.timeline[-1].state == CASE_STATE_CANCELLED
