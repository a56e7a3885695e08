// A bank's side of the joint approval (chapter 7): hands applications in, answers for its own items, decides on its own
// money, and believes nothing that it has not checked itself.
import { check, Refused } from './refused.js';
import { decode } from './contract.js';
import { METHODS, DELIVER } from './methods.js';
import { sha256, openBody, verifyKept } from './envelope.js';
import { conceal, fieldsOf, reveal } from './personal.js';
import { scan } from './scan.js';
import { PAYLOAD_BYTES_MAX } from './limits.js';
import { instalmentFen } from './instalment.js';
import { Deliver } from './deliver.js';

const TERMS_DOMAIN = 'coloan terms v1\n';

// -- Checks ------------------------------------------------------------------------------------------------------

/** The terms of an offer: its digest, its numbers, and that it is meant for us. */
export function readOffer(offer, applicationId, bank) {
  check(offer !== null, 'FIELD_MISSING', { field: 'offer' });
  check(offer.terms_digest.equals(sha256(TERMS_DOMAIN, offer.terms)), 'TERMS_DIGEST_WRONG');
  scan('OfferTerms', offer.terms, PAYLOAD_BYTES_MAX);
  const terms = decode('OfferTerms', offer.terms);
  check(terms.application_id === applicationId && terms.bank === bank && terms.version > 0, 'FIELD_INVALID');
  check(terms.fund !== null && terms.commercial !== null, 'FIELD_MISSING');
  const borrowed = terms.fund.amount_fen + terms.commercial.amount_fen;
  check(terms.price_fen - borrowed === terms.down_payment_fen, 'AMOUNT_INVALID', { field: 'down_payment_fen' });
  const lent = [terms.fund, terms.commercial].filter((part) => part.amount_fen > 0n);
  lent.forEach((part) => check(part.instalment_fen === instalmentFen(part), 'AMOUNT_INVALID', { field: 'instalment_fen' }));
  return terms;
}

/** How the application that a case stands on was handed in. */
const HANDED_IN_BY = [METHODS.SubmitApplication.name, METHODS.SupplementApplication.name];

/** The submission in an APPLICATION event: who signed it, and the values that its persons' consents let us see. It names
 * the bank of its time: after a change of bank that is another one, and the status names us. */
export function readSubmission(event, disclosures, directory, bank) {
  const kept = verifyKept(event.application_envelope, directory);
  check(kept.name === 'Application' && kept.header.recipient === directory.centre, 'RECIPIENT_WRONG');
  check(HANDED_IN_BY.includes(kept.header.method), 'METHOD_WRONG');
  const application = openBody(kept);
  check(event.status?.bank === bank, 'BANK_UNKNOWN');
  check(event.status.bank_epoch > 1 || application.bank === bank, 'BANK_UNKNOWN');
  const values = reveal(fieldsOf(application), disclosures, { all: false });
  return { application, values, digest: kept.digest, sender: kept.header.sender };
}

function checkFundSide(joint, directory, bank) {
  const kept = verifyKept(joint.fund_envelope, directory);
  check(kept.name === 'Event' && kept.header.sender === directory.centre, 'SENDER_WRONG');
  check(kept.header.recipient === bank && kept.header.method === DELIVER, 'RECIPIENT_WRONG');
  const { fund_decision: decision } = openBody(kept);
  check(decision !== null && decision.application_id === joint.application_id, 'FIELD_INVALID', { field: 'fund_envelope' });
  return decision;
}

function checkBankSide(joint, directory, bank) {
  const kept = verifyKept(joint.bank_envelope, directory);
  check(kept.name === 'BankDecision' && kept.header.sender === bank, 'SENDER_WRONG');
  check(kept.header.recipient === directory.centre, 'RECIPIENT_WRONG');
  check(kept.header.application_id === joint.application_id, 'FIELD_INVALID', { field: 'bank_envelope' });
  return openBody(kept);
}

/** Whether an outcome was reached with a decision of the bank, and whether it is an approval. */
const OUTCOMES = {
  OUTCOME_APPROVED_COMBINED: { byBank: true, approved: true, fund: 'FUND_VERDICT_APPROVE', bank: 'BANK_VERDICT_APPROVE' },
  OUTCOME_APPROVED_FUND_ONLY: { byBank: false, approved: true, fund: 'FUND_VERDICT_APPROVE' },
  OUTCOME_REJECTED_FUND: { byBank: false, approved: false, fund: 'FUND_VERDICT_REJECT' },
  OUTCOME_DECLINED_BANK: { byBank: true, approved: false, fund: 'FUND_VERDICT_APPROVE', bank: 'BANK_VERDICT_DECLINE' },
};

/** Anyone who holds the directory can do this, without the centre: both signatures, and that both mean the same terms. */
export function verifyJointDecision(joint, directory, bank) {
  const outcome = OUTCOMES[joint.outcome];
  check(outcome !== undefined, 'FIELD_INVALID', { field: 'outcome' });
  const fund = checkFundSide(joint, directory, bank);
  check(fund.verdict === outcome.fund, 'FIELD_INVALID', { field: 'fund_envelope' });
  const terms = fund.verdict === 'FUND_VERDICT_APPROVE' ? readOffer(fund.offer, joint.application_id, bank) : null;
  check((joint.bank_envelope.length > 0) === outcome.byBank, 'FIELD_MISSING', { field: 'bank_envelope' });
  if (outcome.byBank) {
    const decision = checkBankSide(joint, directory, bank);
    check(decision.verdict === outcome.bank, 'FIELD_INVALID', { field: 'bank_envelope' });
    check(decision.terms_digest.equals(fund.offer.terms_digest), 'TERMS_DIGEST_WRONG');
    check(decision.offer_version === terms.version && decision.bank_epoch === terms.bank_epoch, 'OFFER_STALE');
  }
  if (outcome.approved) {
    check(joint.terms_digest.equals(fund.offer.terms_digest), 'TERMS_DIGEST_WRONG');
    check(outcome.byBank === terms.commercial.amount_fen > 0n, 'AMOUNT_INVALID', { field: 'commercial' });
  }
  return { approved: outcome.approved, terms };
}

/** Why the centre does not take an answer any more that was right when it was due. */
const TOO_LATE = ['STATE_CONFLICT', 'STALE_EPOCH', 'OFFER_STALE', 'OFFER_EXPIRED'];

// -- Applications ------------------------------------------------------------------------------------------------

/** An Application from plain values: persons and address become commitments, with their disclosures beside them. */
export function makeApplication({ persons, home, ...rest }) {
  const disclosures = [];
  const hide = (path, text) => {
    const { commitment, disclosure } = conceal(path, text);
    disclosures.push(disclosure);
    return commitment;
  };
  const hiddenPersons = persons.map((person, i) => ({
    ...person,
    name: hide(`persons[${i}].name`, person.name),
    id_number: hide(`persons[${i}].id_number`, person.id_number),
    mobile: hide(`persons[${i}].mobile`, person.mobile),
  }));
  const hiddenHome = { ...home, address: hide('home.address', home.address) };
  return { application: { ...rest, persons: hiddenPersons, home: hiddenHome }, disclosures };
}

/** The four consents of each person that a submission needs ([COL-CON-001]). */
export function makeConsents(personCount, centre, bank, untilMs, letterSha256, prefix) {
  const wanted = [
    ['CONSENT_PURPOSE_VERIFY', centre],
    ['CONSENT_PURPOSE_CREDIT_REPORT', centre],
    ['CONSENT_PURPOSE_CREDIT_REPORT', bank],
    ['CONSENT_PURPOSE_SHARE', bank],
  ];
  return Array.from({ length: personCount }, (_, person) => wanted.map(([purpose, receiver], i) => ({
    consent_id: `${prefix}-${person}-${i}`,
    person,
    purpose,
    receiver,
    until_ms: BigInt(untilMs),
    document_sha256: letterSha256,
  }))).flat();
}

// -- The bank ----------------------------------------------------------------------------------------------------

/** `core` is the bank's own business: {verify(application, values) -> results, decide(terms, application) -> {verdict, ...}}. */
export class Bank {
  constructor({ client, journal, core, say = () => {} }) {
    Object.assign(this, { client, journal, core, say });
    this.party = client.signer.party;
    this.cases = new Map(); // application id -> {application, values, terms, joint}
    this.deliver = new Deliver({ client, journal, apply: (opened) => this.apply(opened), say });
  }

  /** A request that changes something: kept before it is sent, sent until its outcome is known. */
  async send(call, body, more) {
    const sealed = this.client.sealRequest(call, body, more);
    this.journal.sending(call, sealed);
    return this.settle(call, sealed);
  }

  async settle(call, sealed) {
    try {
      const reply = await this.client.send(call, sealed);
      this.journal.settled(sealed);
      return reply;
    } catch (error) {
      if (error instanceof Refused && error.retryAfterMs === undefined) {
        this.journal.settled(sealed); // refused for good: never processed
      }
      throw error;
    }
  }

  /** After a restart: what was on its way goes again, byte for byte. */
  async resend() {
    for (const { call, id, envelope, digest } of [...this.journal.pending.values()]) {
      await this.settle(call, { messageId: Buffer.from(id, 'hex'), envelope, digest });
    }
  }

  async submit(values) {
    const { application, disclosures } = makeApplication({ bank: this.party, ...values });
    return (await this.send('SubmitApplication', application, { disclosures })).body;
  }

  get(applicationId, more = {}) {
    return this.client.call('GetApplication', { application_id: applicationId, ...more }, { applicationId });
  }

  /** Takes one event over and gives our reference of it. What it leads to is sent from here, too: if that fails for now,
   * the event stays unapplied and comes again. */
  async apply({ body: event, header, disclosures }) {
    const id = event.application_id;
    switch (event.kind) {
      case 'EVENT_KIND_APPLICATION':
        await this.takeApplication(id, event, disclosures);
        break;
      case 'EVENT_KIND_FUND_DECISION':
        await this.takeFundDecision(id, event.fund_decision);
        break;
      case 'EVENT_KIND_JOINT_DECISION':
        this.takeJointDecision(id, event.joint_decision);
        break;
      case 'EVENT_KIND_RELEASED':
        this.cases.delete(id); // another bank's now
        break;
      default: // STATUS: nothing to do but to know
    }
    this.say(`${header.sequence} ${event.kind} ${id} ${event.status?.state ?? ''}`);
    return `js-${header.sequence}`;
  }

  caseOf(id) {
    if (!this.cases.has(id)) {
      this.cases.set(id, {});
    }
    return this.cases.get(id);
  }

  async takeApplication(id, event, disclosures) {
    const submission = readSubmission(event, disclosures, this.client.directory, this.party);
    Object.assign(this.caseOf(id), submission);
    const results = this.core.verify(submission.application, submission.values);
    await this.tell('ReportVerifications', id, { results });
  }

  async takeFundDecision(id, decision) {
    check(decision !== null && decision.application_id === id, 'FIELD_INVALID', { field: 'fund_decision' });
    this.caseOf(id).fundDecision = decision;
    if (decision.verdict !== 'FUND_VERDICT_APPROVE') {
      return; // nothing to decide: a JOINT_DECISION follows, or the fund decides anew
    }
    const terms = readOffer(decision.offer, id, this.party);
    this.caseOf(id).terms = terms;
    if (terms.commercial.amount_fen > 0n) {
      await this.tell('ReportBankDecision', id, {
        offer_version: terms.version,
        terms_digest: decision.offer.terms_digest,
        bank_epoch: terms.bank_epoch,
        ...this.core.decide(terms, this.caseOf(id).application),
      });
    }
  }

  takeJointDecision(id, joint) {
    check(joint !== null && joint.application_id === id, 'FIELD_INVALID', { field: 'joint_decision' });
    Object.assign(this.caseOf(id), { joint, ...verifyJointDecision(joint, this.client.directory, this.party) });
  }

  /** An event may be taken over again after a crash; then the centre has our answer to it already. Or the case went to
   * another bank meanwhile, or the offer was replaced or has ended: then an event that says so is on its way. */
  async tell(call, applicationId, body) {
    try {
      await this.send(call, body, { applicationId });
    } catch (error) {
      if (!(error instanceof Refused) || !TOO_LATE.includes(error.reason)) {
        throw error;
      }
      this.say(`${call} ${applicationId}: ${error.reason}`);
    }
  }
}
