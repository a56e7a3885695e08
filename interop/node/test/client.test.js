import { after, afterEach, before, beforeEach, test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import grpc from '@grpc/grpc-js';
import { checkCertificate, Client, connect, refusalOf } from '../client.js';
import { Directory } from '../directory.js';
import { decode, encode } from '../contract.js';
import { sha256 } from '../envelope.js';
import { loadPublicKey, Signer } from '../keys.js';
import { METHODS } from '../methods.js';
import { Refused } from '../refused.js';
import { Deliver } from '../deliver.js';
import { Journal } from '../journal.js';
import { Bank, readOffer, verifyJointDecision } from '../bank.js';
import { CENTRE, describeKey, issueDirectory, makeFolder, removeFolder } from './support/folder.js';
import { Centre } from './support/centre.js';
import { REASONS } from './support/reasons.js';

const BANK = 'bank:cn-beta-js';
let folder;
let directory;
let centre;
let client;

before(async () => {
  folder = makeFolder();
  const trust = { publicKey: loadPublicKey(path.join(folder, 'directory.pub')), centre: CENTRE, environment: 'test' };
  directory = Directory.load(fs.readFileSync(path.join(folder, 'directory.bin')), trust);
});
after(() => removeFolder(folder));

beforeEach(async () => {
  centre = new Centre(folder, CENTRE, directory);
  const port = await centre.start();
  const read = (name) => fs.readFileSync(path.join(folder, name));
  const tls = { ca: read('ca.pem'), cert: read('cn-beta-js.pem'), key: read('cn-beta-js.key') };
  const signer = Signer.load(BANK, path.join(folder, 'cn-beta-js.sign.key'));
  client = new Client({ channel: connect(`localhost:${port}`, CENTRE, tls), signer, directory });
});

afterEach(() => {
  client.close();
  centre.stop();
});

// -- Certificates and refusals -----------------------------------------------------------------------------------

// Covers: COL-TLS-005
test('the centre is who its certificate names', () => {
  const names = (subjectaltname) => checkCertificate(CENTRE, { subjectaltname });
  assert.equal(names(`URI:urn:coloan:party:${CENTRE}`), undefined);
  assert.equal(names(`DNS:localhost, URI:urn:coloan:party:${CENTRE}, IP Address:127.0.0.1`), undefined);
  assert.ok(names('DNS:localhost') instanceof Error);
  assert.ok(names(undefined) instanceof Error);
  assert.ok(names('URI:urn:coloan:party:fund:cn-elsewhere') instanceof Error);
  assert.ok(names(`URI:urn:coloan:party:${CENTRE}, URI:urn:coloan:party:bank:x`) instanceof Error);
  assert.ok(names(`DNS:URI:urn:coloan:party:${CENTRE}`) instanceof Error);
});

function failure(details, code = grpc.status.FAILED_PRECONDITION) {
  const metadata = new grpc.Metadata();
  if (details !== undefined) {
    metadata.set('grpc-status-details-bin', details);
  }
  return { code, metadata };
}

const any = (name, object) => ({ type_url: `type.googleapis.com/${name}`, value: encode(name, object) });
const info = (reason, domain = 'coloan.v1') => any('google.rpc.ErrorInfo', { reason, domain });
const status = (...details) => encode('google.rpc.Status', { code: 9, message: 'x', details });
const unsignedOf = (error) => refusalOf(error, () => assert.fail('nothing is signed here'));

test('what a failed call says', () => {
  const retry = any('google.rpc.RetryInfo', { retry_delay: { seconds: 2n, nanos: 500_000_000 } });
  const field = any('google.rpc.BadRequest', { field_violations: [{ field: 'persons[0].mobile' }] });
  const refusal = unsignedOf(failure(status(info('FIELD_INVALID'), retry, field, info('OTHER', 'elsewhere'))));
  assert.equal(refusal.reason, 'FIELD_INVALID');
  assert.equal(refusal.retryAfterMs, 2500);
  assert.equal(refusal.field, 'persons[0].mobile');
  assert.equal(refusal.signed, false);
  assert.equal(unsignedOf(failure(status(info('EXPIRED')))).retryAfterMs, undefined);
});

// Covers: COL-ERR-002, COL-ERR-006
test('answers against the protocol', () => {
  const wrong = [status(), status(info('A'), info('B')), status(info('A', 'elsewhere')), Buffer.from('ff', 'hex'), Buffer.alloc(5000)];
  wrong.forEach((details) => assert.equal(unsignedOf(failure(details)).reason, 'PEER_ANSWER_INVALID'));
  const envelope = { type_url: 'type.googleapis.com/coloan.v1.Envelope', value: Buffer.from('0a00', 'hex') };
  const lying = refusalOf(failure(status(info('EXPIRED'), envelope)), () => ({ reason: 'INTERNAL' }));
  assert.equal(lying.reason, 'PEER_ANSWER_INVALID');
  const forged = refusalOf(failure(status(info('EXPIRED'), envelope)), () => { throw new Refused('SIGNATURE_INVALID'); });
  assert.equal(forged.reason, 'PEER_ANSWER_INVALID');
  [lying, forged].forEach(({ retryAfterMs }) => assert.ok(retryAfterMs > 0)); // the outcome is unknown
});

// Covers: COL-ERR-009
test('failures without details', () => {
  const rows = { UNAVAILABLE: 'PEER_UNREACHABLE', DEADLINE_EXCEEDED: 'DEADLINE_EXCEEDED', CANCELLED: 'CALL_CANCELLED',
    UNIMPLEMENTED: 'METHOD_UNKNOWN', INTERNAL: 'PEER_ANSWER_INVALID' };
  Object.entries(rows).forEach(([code, reason]) => {
    const refusal = unsignedOf(failure(undefined, grpc.status[code]));
    assert.equal(refusal.reason, reason);
    assert.equal(refusal.retryAfterMs !== undefined, code !== 'UNIMPLEMENTED');
  });
});

// -- Calls -------------------------------------------------------------------------------------------------------

test('a call is answered', async () => {
  const capabilities = await client.call('GetCapabilities', {});
  assert.equal(capabilities.party, CENTRE);
  const answer = await client.call('GetKeys', { known_number: 1n });
  assert.equal(answer.directory.length, 0);
});

test('a newer directory is taken over, an older one is not', async () => {
  assert.equal(await client.refreshDirectory(), 1n);
  const signer = Signer.load(CENTRE, path.join(folder, 'directory.key'));
  const bytes = issueDirectory(signer, directory.keys.map(({ keyId: _computed, ...key }) => key), { number: 2n });
  centre.directory = Directory.load(bytes, directory.trust);
  assert.equal(await client.refreshDirectory(), 2n);
  centre.directory = directory;
  await assert.rejects(client.refreshDirectory(), (error) => error.reason === 'SEQUENCE_WRONG');
});

test('a key that is not known is looked for once in a newer directory', async () => {
  const [older, newer, stranger] = [centre.signer, 1, 2].map((key) =>
    (typeof key === 'number' ? Signer.fromSeed(CENTRE, Buffer.alloc(32, key)) : key));
  const keys = directory.keys.map(({ keyId: _computed, ...key }) => key);
  const bytes = issueDirectory(Signer.load(CENTRE, path.join(folder, 'directory.key')),
    [...keys, describeKey(newer, 'test', Date.now())], { number: 2n });
  const asked = sha256(Buffer.from('a request'));
  const said = (signer) => {
    centre.signer = signer;
    const { envelope } = centre.say('Capabilities', { party: CENTRE }, BANK, METHODS.GetCapabilities.name, 'DIRECTION_REPLY',
      { inReplyTo: asked });
    centre.signer = older;
    return [envelope, METHODS.GetCapabilities.name, { Capabilities: 'DIRECTION_REPLY' }, asked];
  };
  await assert.rejects(client.openFresh(...said(newer)), (error) => error.reason === 'KEY_UNKNOWN');
  centre.directory = Directory.load(bytes, directory.trust);
  assert.equal((await client.openFresh(...said(newer))).body.party, CENTRE);
  assert.equal(client.directory.number, 2n);
  await assert.rejects(client.openFresh(...said(stranger)), (error) => error.reason === 'KEY_UNKNOWN');
});

// Covers: COL-ERR-007
test('busy means the same bytes again, with the answer of the first that arrived', async () => {
  centre.failNext = ['OVERLOADED', 'IN_PROGRESS'];
  centre.dropReplies = 1;
  const sealed = client.sealRequest('GetCapabilities', {});
  const reply = await client.send('GetCapabilities', sealed);
  assert.equal(reply.body.party, CENTRE);
  assert.equal(centre.calls, 4);
  assert.equal(centre.answered.size, 1);
});

// Covers: COL-ERR-008
test('whatever has to be mended is not sent again', async () => {
  for (const reason of Object.keys(REASONS).filter((name) => REASONS[name].retry !== 'DELAY')) {
    centre.failNext = [reason];
    centre.calls = 0;
    await assert.rejects(client.call('GetCapabilities', {}), (error) => error.reason === reason);
    assert.equal(centre.calls, 1, reason);
  }
});

test('tries have an end, and then the outcome is still unknown', async () => {
  centre.failNext = Array(3).fill('OVERLOADED');
  const sealed = client.sealRequest('GetCapabilities', {});
  await assert.rejects(client.send('GetCapabilities', sealed, { tries: 3 }),
    (error) => error.reason === 'OVERLOADED' && error.retryAfterMs !== undefined);
  assert.equal(centre.calls, 3);
});

test('a reply that answers something else is refused', async () => {
  const [first, second] = [client.sealRequest('GetCapabilities', {}), client.sealRequest('GetCapabilities', {})];
  const { bytes } = await client.send('GetCapabilities', first);
  const bodies = { Capabilities: 'DIRECTION_REPLY' };
  client.open(bytes, 'coloan.v1.Directory/GetCapabilities', bodies, first.digest);
  assert.throws(() => client.open(bytes, 'coloan.v1.Directory/GetCapabilities', bodies, second.digest),
    (error) => error.reason === 'IN_REPLY_TO_WRONG');
  await assert.rejects(client.openReply(bytes, 'GetCapabilities', second.digest), // the outcome of the second is unknown
    (error) => error.reason === 'PEER_ANSWER_INVALID' && error.retryAfterMs > 0);
});

// -- Streams -----------------------------------------------------------------------------------------------------

function scratch() {
  return path.join(fs.mkdtempSync(path.join(folder, 'journal-')), 'bank.journal');
}

async function until(condition) {
  const end = Date.now() + 10_000;
  while (!condition()) {
    assert.ok(Date.now() < end, 'did not happen within 10 s');
    await new Promise((resolve) => { setTimeout(resolve, 5); });
  }
}

const pushed = () => centre.push({ id: '01900000-0000-7000-8000-000000000000', bank: BANK, state: 'CASE_STATE_VERIFYING' },
  { kind: 'EVENT_KIND_STATUS', application_id: '01900000-0000-7000-8000-000000000000' });

function listen(journal, apply) {
  const said = [];
  const deliver = new Deliver({ client, journal, apply, say: (text) => said.push(text), backoffMs: 5 });
  const running = deliver.run();
  running.catch(() => {});
  return { deliver, said, running, stop: async () => { deliver.stop(); await running; } };
}

// Covers: COL-DEL-011, COL-DEL-017
test('events are taken over once and in order, over a cut and a drain', async () => {
  const journal = new Journal(scratch());
  const taken = [];
  const { deliver, stop } = listen(journal, ({ header }) => `r-${taken.push(header.sequence)}`);
  pushed();
  await until(() => taken.length === 1);
  deliver.cut();
  pushed();
  await until(() => taken.length === 2);
  centre.drain(BANK, 5);
  pushed();
  await until(() => taken.length === 3);
  assert.deepEqual(taken, [1n, 2n, 3n]);
  const applied = () => centre.acks.filter((ack) => ack.level === 'ACK_LEVEL_APPLIED');
  await until(() => new Set(applied().map((ack) => ack.sequence)).size === 3);
  assert.equal(applied().find((ack) => ack.sequence === 3n).bank_reference, 'r-3');
  await stop();
});

// Covers: COL-DEL-008
test('an event that was received and not taken over comes back after a restart', async () => {
  const file = scratch();
  const first = new Journal(file);
  const broken = listen(first, () => { throw new Refused('STORE_FAILED'); });
  pushed();
  await until(() => broken.said.length > 0);
  await broken.stop();
  first.close();
  const second = new Journal(file);
  assert.equal(second.lastSequence, 1n);
  const taken = [];
  const { stop } = listen(second, ({ header }) => `r-${taken.push(header.sequence)}`);
  await until(() => centre.acks.some((ack) => ack.level === 'ACK_LEVEL_APPLIED'));
  assert.deepEqual(taken, [1n]);
  await stop();
});

// Covers: COL-DEL-012, COL-DEL-016
test('a hole without a Gap ends the stream; a Gap is told and passed over', async () => {
  const journal = new Journal(scratch());
  const taken = [];
  const { said, stop } = listen(journal, ({ header }) => `r-${taken.push(header.sequence)}`);
  pushed();
  await until(() => taken.length === 1);
  const broken = centre.streams.get(BANK);
  centre.outboxes.get(BANK).push(Buffer.alloc(0)); // number 2 is lost
  pushed();
  await until(() => said.some((text) => text.includes('SEQUENCE_WRONG')));
  const [first, , third] = centre.outboxes.get(BANK);
  centre.outboxes.set(BANK, [first]);
  await until(() => centre.streams.has(BANK) && centre.streams.get(BANK) !== broken);
  centre.tell(BANK, 'Gap', { from: 2n, to: 2n });
  centre.streams.get(BANK).call.write(third);
  await until(() => taken.length === 2);
  assert.deepEqual(taken, [1n, 3n]);
  assert.ok(said.some((text) => text.includes('events 2 to 2 cannot be delivered')));
  await stop();
});

// Covers: COL-DEL-012
test('an event number that comes back as another event is not acknowledged', async () => {
  const journal = new Journal(scratch());
  const { said, stop } = listen(journal, () => 'r');
  pushed();
  await until(() => centre.acks.length >= 2);
  centre.outboxes.delete(BANK);
  pushed(); // another number 1
  await until(() => said.some((text) => text.includes('was another one before')));
  await stop();
});

// Covers: COL-DEL-005
test('a newer session fences this one for good', async () => {
  const { running } = listen(new Journal(scratch()), () => 'r');
  await until(() => centre.streams.has(BANK));
  const newer = new Deliver({ client, journal: new Journal(scratch()), apply: () => 'r' });
  newer.epoch = 99n;
  const second = newer.run();
  await assert.rejects(running, (error) => error.reason === 'STREAM_FENCED');
  newer.stop();
  await second;
});

// -- The journal and the bank ------------------------------------------------------------------------------------

test('a journal remembers what was durable and drops a line cut off', () => {
  const file = scratch();
  const journal = new Journal(file);
  const sealed = client.sealRequest('GetCapabilities', {});
  assert.equal(journal.start(), 1n);
  journal.sending('GetCapabilities', sealed);
  journal.event(1n, Buffer.alloc(32, 1), Buffer.from('e'));
  journal.close();
  fs.appendFileSync(file, '{"kind":"applied","sequence":"n:1","refe');
  const again = new Journal(file);
  assert.equal(again.start(), 2n);
  assert.ok(again.pending.get(sealed.messageId.toString('hex')).envelope.equals(sealed.envelope));
  assert.equal(again.events.get('1').reference, undefined);
  again.applied(1n, 'ref');
  again.settled(sealed);
  again.close();
  const last = new Journal(file);
  assert.equal(last.events.get('1').reference, 'ref');
  assert.equal(last.pending.size, 0);
  assert.equal(fs.statSync(file).mode & 0o777, 0o600);
});

// Covers: COL-DUP-001
test('a request that got no answer goes again after a restart, byte for byte', async () => {
  const file = scratch();
  const journal = new Journal(file);
  centre.dropReplies = 1;
  const bank = new Bank({ client, journal, core: {} });
  const send = client.send;
  client.send = (call, sealed) => send.call(client, call, sealed, { tries: 1 });
  await assert.rejects(bank.send('GetCapabilities', {}), (error) => error.reason === 'PEER_UNREACHABLE');
  assert.equal(journal.pending.size, 1);
  journal.close();
  const restarted = new Bank({ client, journal: new Journal(file), core: {} });
  await restarted.resend();
  assert.equal(restarted.journal.pending.size, 0);
  assert.equal(centre.answered.size, 1);
});

// Covers: COL-OFR-001, COL-OFR-002, COL-OFR-003
test('an offer is decided on only when its digest, application, bank and sum are right', () => {
  const part = { amount_fen: 80_000_000n, rate_ppm: 26_000, term_months: 360, method: 'REPAYMENT_METHOD_EQUAL_INSTALMENT',
    instalment_fen: 320_272n };
  const nothing = { amount_fen: 0n };
  const right = { application_id: 'a', version: 1, bank_epoch: 1, bank: BANK, fund: part, commercial: nothing,
    price_fen: 100_000_000n, down_payment_fen: 20_000_000n, valid_until_ms: 1n };
  const offer = (more) => {
    const terms = encode('OfferTerms', { ...right, ...more });
    return { terms, terms_digest: sha256('coloan terms v1\n', terms) };
  };
  assert.equal(readOffer(offer(), 'a', BANK).version, 1);
  const wrong = [
    ['TERMS_DIGEST_WRONG', { ...offer(), terms_digest: sha256(offer().terms) }],
    ['FIELD_INVALID', offer({ application_id: 'b' })],
    ['FIELD_INVALID', offer({ bank: 'bank:cn-alpha-js' })],
    ['AMOUNT_INVALID', offer({ down_payment_fen: 20_000_001n })],
    ['AMOUNT_INVALID', offer({ fund: { ...part, instalment_fen: 320_273n } })],
  ];
  wrong.forEach(([reason, one]) => assert.throws(() => readOffer(one, 'a', BANK), (error) => error.reason === reason, reason));
});

// Covers: COL-JNT-004
test('a joint decision is believed only when both signatures name the same terms', async () => {
  const found = { id: '01900000-0000-7000-8000-000000000000', bank: BANK, state: 'CASE_STATE_VERIFYING' };
  centre.cases.set(found.id, found);
  const header = { applicationId: found.id };
  await client.call('ReportVerifications', { results: [{ item: 'ITEM_INCOME' }] }, header);
  const decide = { offer_version: 1, terms_digest: found.offer.terms_digest, bank_epoch: 1, verdict: 'BANK_VERDICT_APPROVE' };
  await client.call('ReportBankDecision', decide, header);
  const { joint } = found;
  const read = (more = {}) => verifyJointDecision({ ...joint, ...more }, directory, BANK);
  assert.ok(read().approved);
  const sealed = (body) => client.sealRequest('ReportBankDecision', { ...decide, ...body }, header).envelope;
  const wrong = [
    ['SIGNATURE_INVALID', { fund_envelope: flipped(joint.fund_envelope) }],
    ['MESSAGE_EMPTY', { fund_envelope: Buffer.alloc(0) }],
    ['FIELD_MISSING', { bank_envelope: Buffer.alloc(0) }],
    ['TERMS_DIGEST_WRONG', { terms_digest: Buffer.alloc(32) }],
    ['TERMS_DIGEST_WRONG', { bank_envelope: sealed({ terms_digest: Buffer.alloc(32) }) }],
    ['OFFER_STALE', { bank_envelope: sealed({ offer_version: 2 }) }],
    ['OFFER_STALE', { bank_envelope: sealed({ bank_epoch: 2 }) }],
    ['FIELD_INVALID', { bank_envelope: sealed({ verdict: 'BANK_VERDICT_DECLINE' }) }],
    ['FIELD_INVALID', { outcome: 'OUTCOME_DECLINED_BANK' }],
    ['FIELD_MISSING', { outcome: 'OUTCOME_APPROVED_FUND_ONLY' }],
    ['FIELD_INVALID', { outcome: 'OUTCOME_PENDING' }],
    ['SENDER_WRONG', { fund_envelope: joint.bank_envelope }],
    ['SENDER_WRONG', { bank_envelope: joint.fund_envelope }],
    ['FIELD_INVALID', { application_id: 'another' }],
  ];
  wrong.forEach(([reason, more]) => assert.throws(() => read(more), (error) => error.reason === reason, reason));
});

function flipped(bytes) {
  const envelope = decode('Envelope', Buffer.from(bytes)); // a copy: decoded bytes are views
  envelope.payload[envelope.payload.length - 1] ^= 1;
  return encode('Envelope', envelope);
}
