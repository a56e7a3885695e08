// A small centre for tests: real mutual TLS and gRPC, all checks of messages, the life of an application with a fixed
// offer, and no rules, store or authorities. It is no reference for a centre.
import fs from 'node:fs';
import path from 'node:path';
import grpc from '@grpc/grpc-js';
import { check, Refused } from '../../refused.js';
import { decode, encode } from '../../contract.js';
import { DELIVER, METHODS } from '../../methods.js';
import { keyId, possessionText, Signer, verify } from '../../keys.js';
import { checkTime, digestOf, open, openBody, seal, sha256, uuid7 } from '../../envelope.js';
import { fieldsOf, reveal } from '../../personal.js';
import { instalmentFen } from '../../instalment.js';
import { REASONS } from './reasons.js';

const same = (bytes) => bytes;
const any = (name, object) => ({ type_url: `type.googleapis.com/${name}`, value: encode(name, object) });
const YUAN = 100n;

function uuidText(id) {
  return id.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/** What is kept of a message: the same signed bytes, without the personal values. */
function storedForm({ payload, payload_type: type, signatures }) {
  return encode('Envelope', { payload, payload_type: type, signatures });
}

export class Centre {
  constructor(folder, party, directory) {
    Object.assign(this, { folder, party, directory });
    this.signer = Signer.load(party, path.join(folder, `${party.split(':')[1]}.sign.key`));
    this.answered = new Map(); // sender and message id -> {digest, reply}
    this.cases = new Map();
    this.rotations = new Set(); // key ids that were asked for
    this.outboxes = new Map(); // bank -> [envelope]
    this.streams = new Map(); // bank -> {call, epoch, sessionId, open}
    this.acks = []; // {bank, sequence, level, bank_reference}
    this.failNext = []; // reasons to refuse the next calls with
    this.dropReplies = 0; // replies to keep from their callers
    this.calls = 0;
  }

  async start() {
    const file = (name) => fs.readFileSync(path.join(this.folder, name));
    const id = this.party.split(':')[1];
    const pair = { private_key: file(`${id}.key`), cert_chain: file(`${id}.pem`) };
    const unary = (key) => [METHODS[key].name, false, (call, done) => this.unary(key, call, done)];
    const rows = [...Object.keys(METHODS).map(unary), [DELIVER, true, (call) => this.stream(call)]];
    this.beats = setInterval(() => [...this.streams.keys()].forEach((bank) => this.beat(bank)), 200);
    this.server = new grpc.Server();
    this.server.addService(Object.fromEntries(rows.map(([name, streams]) => [name, {
      path: `/${name}`,
      requestStream: streams,
      responseStream: streams,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    }])), Object.fromEntries(rows.map(([name, , handler]) => [name, handler])));
    const credentials = grpc.ServerCredentials.createSsl(file('ca.pem'), [pair], true);
    this.port = await new Promise((resolve, reject) => {
      this.server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port)));
    });
    return this.port;
  }

  stop() {
    clearInterval(this.beats);
    this.server.forceShutdown();
  }

  // -- Messages --------------------------------------------------------------------------------------------------

  say(name, body, recipient, method, direction, more = {}) {
    const now = Date.now();
    const event = direction === 'DIRECTION_EVENT';
    return seal(this.signer, name, body, {
      environment: this.directory.environment,
      message_id: uuid7(now),
      recipient,
      method,
      direction,
      created_ms: BigInt(now),
      expires_ms: event ? 0n : BigInt(now + 600_000),
      in_reply_to: more.inReplyTo,
      application_id: more.applicationId,
      sequence: more.sequence,
    }, more.disclosures);
  }

  expected(sender, method, bodies, nowMs) {
    const { directory, party: recipient } = this;
    return { directory, environment: directory.environment, sender, recipient, method, bodies, nowMs };
  }

  refusal(error, opened, sender, method) {
    if (!(error instanceof Refused)) {
      throw error;
    }
    const { reason, field } = error;
    const row = REASONS[reason];
    const details = [any('google.rpc.ErrorInfo', { reason, domain: 'coloan.v1' })];
    if (row.retry === 'DELAY') {
      details.push(any('google.rpc.RetryInfo', { retry_delay: { nanos: 1_000_000 } }));
    }
    if (field) {
      details.push(any('google.rpc.BadRequest', { field_violations: [{ field }] }));
    }
    if (opened) {
      const body = { reason, number: row.number, text_en: row.textEn, text_zh: row.textZh, field };
      const more = { inReplyTo: opened.digest };
      const { envelope } = this.say('Refusal', body, sender, method, 'DIRECTION_REFUSAL', more);
      details.push({ type_url: 'type.googleapis.com/coloan.v1.Envelope', value: envelope });
    }
    const code = grpc.status[row.code];
    const metadata = new grpc.Metadata();
    metadata.set('grpc-status-details-bin', encode('google.rpc.Status', { code, message: row.textEn, details }));
    return { code, details: row.textEn, metadata };
  }

  partyOf(call) {
    const [, party] = /(?:^|, )URI:urn:coloan:party:([a-z:0-9-]+)(?:,|$)/.exec(call.getAuthContext().sslPeerCertificate.subjectaltname);
    return party;
  }

  // -- Unary calls -----------------------------------------------------------------------------------------------

  unary(key, call, done) {
    this.calls++;
    const { name, request, reply } = METHODS[key];
    const sender = this.partyOf(call);
    let opened;
    try {
      const injected = this.failNext.shift();
      check(injected === undefined, injected);
      opened = open(call.request, this.expected(sender, name, { [request]: 'DIRECTION_REQUEST' }, Date.now()));
      const bytes = this.answer(key, opened, sender, name, reply);
      if (this.dropReplies > 0) {
        this.dropReplies--;
        done({ code: grpc.status.UNAVAILABLE, details: 'the reply got lost' });
        return;
      }
      done(null, bytes);
    } catch (error) {
      done(this.refusal(error, opened, sender, name));
    }
  }

  answer(key, opened, sender, name, reply) {
    const id = `${sender} ${opened.header.message_id.toString('hex')}`;
    const known = this.answered.get(id);
    if (known !== undefined) {
      check(known.digest.equals(opened.digest), 'MESSAGE_ID_REUSED');
      return known.reply;
    }
    checkTime(opened.header, Date.now());
    const body = openBody(opened);
    reveal(opened.name === 'Application' ? fieldsOf(body) : new Map(), opened.disclosures, { all: true });
    const told = this[key](body, opened, sender);
    const more = { inReplyTo: opened.digest, applicationId: told.application_id };
    const bytes = this.say(reply, told, sender, name, 'DIRECTION_REPLY', more).envelope;
    this.answered.set(id, { digest: opened.digest, reply: bytes });
    return bytes;
  }

  caseOf(id, sender) {
    const found = this.cases.get(id);
    check(found !== undefined && found.bank === sender, 'APPLICATION_UNKNOWN');
    return found;
  }

  SubmitApplication(application, opened, sender) {
    check(application.bank === sender, 'BANK_UNKNOWN', { field: 'bank' });
    const id = uuidText(uuid7());
    this.cases.set(id, { id, bank: sender, application, state: 'CASE_STATE_VERIFYING' });
    const stored = storedForm(opened.envelope);
    const event = { kind: 'EVENT_KIND_APPLICATION', application_id: id, application_envelope: stored };
    this.push(this.cases.get(id), event, opened.disclosures);
    return { application_id: id, accepted_ms: BigInt(Date.now()), status: this.status(this.cases.get(id)) };
  }

  status({ id, bank, state, version = 0 }) {
    return { application_id: id, bank, bank_epoch: 1, state, offer_version: version };
  }

  ReportVerifications(report, opened, sender) {
    const found = this.caseOf(opened.header.application_id, sender);
    check(found.state === 'CASE_STATE_VERIFYING', 'STATE_CONFLICT');
    check(report.results.some((result) => result.item === 'ITEM_INCOME'), 'FIELD_MISSING', { field: 'results' });
    if (found.application?.home.contract_no === 'TEST-P05') {
      found.state = 'CASE_STATE_REJECTED';
      this.pushFundDecision(found, { verdict: 'FUND_VERDICT_REJECT', reasons: [{ code: 'CON-MONTHS' }] });
      this.pushJoint(found, 'OUTCOME_REJECTED_FUND');
      return this.status(found);
    }
    found.state = 'CASE_STATE_OFFERED';
    this.offer(found, { amount_fen: 240_000n * YUAN, rate_ppm: 30500 });
    return this.status(found);
  }

  offer(found, commercial) {
    const common = { term_months: 360, method: 'REPAYMENT_METHOD_EQUAL_INSTALMENT' };
    const part = (changes) => ({ ...common, ...changes, instalment_fen: instalmentFen({ ...common, ...changes }) });
    found.version = (found.version ?? 0) + 1;
    const terms = encode('OfferTerms', {
      application_id: found.id,
      version: found.version,
      bank_epoch: 1,
      bank: found.bank,
      fund: part({ amount_fen: 800_000n * YUAN, rate_ppm: 26000 }),
      commercial: part(commercial),
      price_fen: 1_300_000n * YUAN,
      down_payment_fen: 500_000n * YUAN - commercial.amount_fen,
      valid_until_ms: BigInt(Date.now() + 86_400_000),
    });
    found.offer = { terms, terms_digest: sha256('coloan terms v1\n', terms) };
    this.pushFundDecision(found, { verdict: 'FUND_VERDICT_APPROVE', offer: found.offer });
  }

  pushFundDecision(found, decision) {
    const event = { application_id: found.id, fund_decision: { application_id: found.id, ...decision } };
    found.fundEnvelope = this.push(found, { kind: 'EVENT_KIND_FUND_DECISION', ...event });
  }

  pushJoint(found, outcome, more) {
    const decided = { application_id: found.id, outcome, decided_ms: BigInt(Date.now()) };
    found.joint = { ...decided, fund_envelope: found.fundEnvelope, ...more };
    this.push(found, { kind: 'EVENT_KIND_JOINT_DECISION', application_id: found.id, joint_decision: found.joint });
  }

  ReportBankDecision(decision, opened, sender) {
    const found = this.caseOf(opened.header.application_id, sender);
    check(found.state === 'CASE_STATE_OFFERED', 'STATE_CONFLICT');
    check(decision.offer_version === found.version, 'OFFER_STALE', { field: 'offer_version' });
    check(decision.terms_digest.equals(found.offer.terms_digest), 'TERMS_DIGEST_WRONG', { field: 'terms_digest' });
    if (decision.verdict === 'BANK_VERDICT_COUNTER') {
      const { amount_fen, rate_ppm } = decision.counter;
      this.offer(found, { amount_fen, rate_ppm });
      return this.outcome(found, 'OUTCOME_PENDING');
    }
    const approves = decision.verdict === 'BANK_VERDICT_APPROVE';
    const outcome = approves ? 'OUTCOME_APPROVED_COMBINED' : 'OUTCOME_DECLINED_BANK';
    found.state = approves ? 'CASE_STATE_APPROVED' : 'CASE_STATE_REJECTED';
    const terms_digest = approves ? found.offer.terms_digest : undefined;
    this.pushJoint(found, outcome, { terms_digest, bank_envelope: storedForm(opened.envelope) });
    return this.outcome(found, outcome);
  }

  outcome({ id, version, offer }, outcome) {
    return { application_id: id, outcome, offer_version: version, terms_digest: offer.terms_digest };
  }

  ListApplications({ page_size: size }, _opened, sender) {
    const own = [...this.cases.values()].filter(({ bank }) => bank === sender).reverse();
    return { applications: own.slice(0, size).map((found) => this.status(found)) };
  }

  QueryVerifications({ consent_id: consentId }, opened, sender) {
    const { application } = this.caseOf(opened.header.application_id, sender);
    check(application.consents.some((consent) => consent.consent_id === consentId), 'CONSENT_MISSING');
    const facts = [{ name: 'price_fen', number: application.home.price_fen }, { name: 'area_centi_m2', number: 1n }];
    return { results: [{ item: 'ITEM_CONTRIBUTION' }, { item: 'ITEM_HOME_CONTRACT', facts }] };
  }

  GetApplication({ application_id: id }, _opened, sender) {
    return { status: this.status(this.caseOf(id, sender)) };
  }

  GetKeys({ known_number: known }) {
    const { number, bytes } = this.directory;
    return { number, directory: known === number ? undefined : bytes };
  }

  RotateKey({ new_key: key }, _opened, sender) {
    const { environment, number } = this.directory;
    check(key.party === sender, 'KEY_NOT_OWNED', { field: 'new_key.party' });
    const text = possessionText(sender, environment, key.public_key);
    check(verify(key.public_key, text, key.possession), 'KEY_POSSESSION', { field: 'new_key.possession' });
    check(!this.rotations.has(keyId(key.public_key)), 'KEY_KNOWN', { field: 'new_key.public_key' });
    this.rotations.add(keyId(key.public_key));
    return { state: 'ROTATION_STATE_PENDING', number };
  }

  GetCapabilities() {
    const { environment } = this.directory;
    return { spec_version_min: '1.0', spec_version_max: '1.0', environment, party: this.party };
  }

  // -- Events ----------------------------------------------------------------------------------------------------

  push(found, event, disclosures) {
    const { bank, id: applicationId } = found;
    const outbox = this.outboxes.get(bank) ?? [];
    this.outboxes.set(bank, outbox);
    const body = { ...event, status: this.status(found) };
    const more = { sequence: BigInt(outbox.length + 1), applicationId, disclosures };
    const { envelope } = this.say('Event', body, bank, DELIVER, 'DIRECTION_EVENT', more);
    outbox.push(envelope);
    this.streams.get(bank)?.call.write(envelope);
    return storedForm(decode('Envelope', envelope));
  }

  endStream(call, reason) {
    call.emit('error', this.refusal(new Refused(reason)));
  }

  answerOpen(call, sender, opened) {
    const { resume_after: after, session_id: sessionId, epoch, max_outstanding: outstanding } = openBody(opened);
    const older = this.streams.get(sender);
    check(older?.call !== call, 'STATE_CONFLICT');
    check(sessionId.length === 16 && outstanding > 0 && outstanding <= 1000, 'FIELD_INVALID');
    check(after <= BigInt(this.outboxes.get(sender)?.length ?? 0), 'SEQUENCE_WRONG');
    if (older !== undefined && older.epoch > epoch) {
      this.endStream(call, 'STREAM_FENCED');
      return;
    }
    this.streams.set(sender, { call, epoch, sessionId, open: opened.digest });
    if (older !== undefined && !older.sessionId.equals(sessionId)) {
      this.endStream(older.call, 'STREAM_FENCED');
    }
    const outbox = this.outboxes.get(sender) ?? [];
    this.beat(sender);
    outbox.slice(Number(after)).forEach((envelope) => call.write(envelope));
  }

  /** A frame in reply to Open. */
  tell(bank, name, body) {
    const { call, open: inReplyTo } = this.streams.get(bank);
    call.write(this.say(name, body, bank, DELIVER, 'DIRECTION_REPLY', { inReplyTo }).envelope);
  }

  beat(bank) {
    const received = new Set(this.acks.filter((ack) => ack.bank === bank).map((ack) => Number(ack.sequence)));
    let floor = 0;
    while (received.has(floor + 1)) {
      floor++;
    }
    const head = this.outboxes.get(bank)?.length ?? 0;
    this.tell(bank, 'Heartbeat', { head, received_floor: floor, server_time_ms: BigInt(Date.now()) });
  }

  drain(bank, reconnectAfterMs) {
    const { call } = this.streams.get(bank);
    this.tell(bank, 'Drain', { reconnect_after_ms: BigInt(reconnectAfterMs) });
    this.streams.delete(bank);
    call.end();
  }

  takeAck(bank, opened) {
    const ack = openBody(opened);
    const event = this.outboxes.get(bank)?.[Number(ack.sequence) - 1];
    check(event !== undefined, 'EVENT_UNKNOWN');
    const { payload, payload_type: type } = decode('Envelope', event);
    check(digestOf(type, payload).equals(opened.header.in_reply_to), 'ACK_WRONG');
    this.acks.push({ bank, ...ack });
  }

  stream(call) {
    const sender = this.partyOf(call);
    const bodies = { Open: 'DIRECTION_REQUEST', Ack: 'DIRECTION_ACK', Credit: 'DIRECTION_REQUEST' };
    call.on('data', (bytes) => {
      try {
        const opened = open(bytes, this.expected(sender, DELIVER, bodies, Date.now()));
        checkTime(opened.header, Date.now());
        if (opened.name === 'Open') {
          this.answerOpen(call, sender, opened);
        } else {
          check(this.streams.get(sender)?.call === call, 'STATE_CONFLICT');
          check(opened.name === 'Ack', 'FIELD_INVALID'); // any credit is too much here
          this.takeAck(sender, opened);
        }
      } catch (error) {
        call.emit('error', this.refusal(error));
      }
    });
    const gone = () => {
      if (this.streams.get(sender)?.call === call) {
        this.streams.delete(sender);
      }
    };
    call.on('cancelled', gone);
    call.on('end', () => call.end());
  }
}
