#!/usr/bin/env node
// The whole life of an application against a running centre, then everything a bank may not do, each with the reason it
// has to be refused with. Prints one line per step; exits 1 at the first that is wrong.
import { execFileSync } from 'node:child_process';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { Bank, makeApplication, makeConsents } from './bank.js';
import { Client, connect, refusalOf } from './client.js';
import { Deliver } from './deliver.js';
import { Directory } from './directory.js';
import { sha256, SPEC_VERSION, uuid7 } from './envelope.js';
import { Journal } from './journal.js';
import { loadPublicKey, possessionText, Signer } from './keys.js';
import { decode, encode } from './contract.js';
import { Refused } from './refused.js';
import { DELIVER, METHODS } from './methods.js';
import { instalmentFen } from './instalment.js';

const WAIT_MS_MAX = 60_000;
const HOUR_MS = 3_600_000;
const BASIC = ['GetApplication', { application_id: uuidOfNobody() }]; // a request that changes nothing

const usage = `usage: node e2e.js --target HOST:PORT --certs FOLDER [--bank bank:cn-beta-js] [--other bank:cn-alpha-js]
                   [--centre fund:cn-nj-prov] [--environment test] [--persona p01.json] [--refused p05.json]
  FOLDER is what certs/make-dev makes, with directory.bin. The centre's authorities have to know both personas: one that
  gets a combined loan, and one that the fund refuses.`;

function uuidOfNobody() {
  return '01900000-0000-7000-8000-000000000000';
}

// -- Steps -------------------------------------------------------------------------------------------------------

let steps = 0;
async function step(title, run) {
  const started = performance.now();
  let result;
  try {
    result = await run();
  } catch (error) {
    console.error(`FAILED  ${title}\n        ${error.stack}`);
    throw error;
  }
  steps++;
  console.log(`ok  ${title}  (${Math.round(performance.now() - started)} ms)`);
  return result;
}

/** Runs what has to be refused, and gives the refusal. */
async function refused(reason, run) {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof Refused)) {
      throw error;
    }
    assert.equal(error.reason, reason, `refused with ${error.message}`);
    return error;
  }
  return assert.fail(`not refused; ${reason} was due`);
}

async function until(what, condition) {
  const end = Date.now() + WAIT_MS_MAX;
  while (!condition()) {
    assert.ok(Date.now() < end, `${what} did not come within ${WAIT_MS_MAX / 1000} s`);
    await sleep(20);
  }
}

// -- Parties -----------------------------------------------------------------------------------------------------

function readFolder({ certs, centre, environment }) {
  const read = (name) => fs.readFileSync(path.join(certs, name));
  const idOf = (party) => party.split(':')[1];
  const trust = { publicKey: loadPublicKey(path.join(certs, 'directory.pub')), centre, environment };
  return {
    directory: Directory.load(read('directory.bin'), trust),
    signer: (party) => Signer.load(party, path.join(certs, `${idOf(party)}.sign.key`)),
    tls: (party) => ({ ca: read('ca.pem'), cert: read(`${idOf(party)}.pem`), key: read(`${idOf(party)}.key`) }),
  };
}

/** A certificate that says the right name and comes from nobody we agreed on. */
function strangerTls(tls, party) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'coloan-stranger-'));
  const [cert, key] = ['cert.pem', 'key.pem'].map((name) => path.join(folder, name));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-days', '1',
    '-subj', '/CN=stranger', '-addext', `subjectAltName=URI:urn:coloan:party:${party}`, '-keyout', key, '-out', cert],
  { stdio: 'pipe' });
  const files = { ca: tls.ca, cert: fs.readFileSync(cert), key: fs.readFileSync(key) };
  fs.rmSync(folder, { recursive: true });
  return files;
}

/** What the bank decides stands in the reference of the application: an approval, unless it says otherwise. */
function decisionFor({ version, commercial }, { external_ref: ref }) {
  if (ref.startsWith('decline')) {
    return { verdict: 'BANK_VERDICT_DECLINE' };
  }
  if (ref.startsWith('counter') && version === 1) {
    const counter = { ...commercial, amount_fen: commercial.amount_fen - 4_000_000n };
    return { verdict: 'BANK_VERDICT_COUNTER', counter: { ...counter, instalment_fen: instalmentFen(counter) } };
  }
  return { verdict: 'BANK_VERDICT_APPROVE' };
}

/** The bank's own business, with the persona's answers. */
function coreOf(incomeFen) {
  return {
    verify: (application) => [
      { item: 'ITEM_INCOME', outcome: 'ITEM_OUTCOME_PASS', observed_ms: BigInt(Date.now()), source_receipt: 'js-income',
        facts: [{ name: 'monthly_fen', number: BigInt(incomeFen) }] },
      ...application.persons.map((_, person) => ({
        item: 'ITEM_CREDIT_BANK', person, outcome: 'ITEM_OUTCOME_PASS', observed_ms: BigInt(Date.now()),
        source_receipt: `js-credit-${person}`, // the conclusion only: the report itself is never shared
      })),
    ],
    decide: (terms, application) => ({ bank_reference: `js-${terms.version}`, ...decisionFor(terms, application) }),
  };
}

/** A fresh submission of the persona, as [application, options of the message]. */
function submissionOf(persona, centre, bank, prefix = 'approve') {
  const { income_fen: _income, ...values } = persona;
  const ref = `${prefix}-${uuid7().toString('hex').slice(0, 24)}`;
  const consents = makeConsents(values.persons.length, centre, bank, Date.now() + 24 * HOUR_MS, sha256('letter'), ref);
  const { application, disclosures } = makeApplication({ external_ref: ref, bank, consents, ...values });
  return [application, { disclosures }];
}

// -- The life of an application ----------------------------------------------------------------------------------

async function life({ bank, client, persona }) {
  const [application, more] = submissionOf(persona, client.directory.centre, bank.party);
  const sealed = client.sealRequest('SubmitApplication', application, more);
  const receipt = await step('an application is accepted', async () => (await client.send('SubmitApplication', sealed)).body);
  const id = receipt.application_id;
  const file = () => bank.cases.get(id) ?? {};

  await step('the same message again gets the same reply, byte for byte', async () => {
    const [first, second] = [await client.sendOnce('SubmitApplication', sealed), await client.sendOnce('SubmitApplication', sealed)];
    assert.ok(first.equals(second));
    const { body } = client.open(second, METHODS.SubmitApplication.name, { ApplicationReceipt: 'DIRECTION_REPLY' }, sealed.digest);
    assert.equal(body.application_id, id);
  });
  await step('the same id with other bytes is MESSAGE_ID_REUSED', async () => {
    const other = { ...application, external_ref: `${application.external_ref}x` };
    const reused = client.sealRequest('SubmitApplication', other, { ...more, messageId: sealed.messageId });
    const refusal = await refused('MESSAGE_ID_REUSED', () => client.sendOnce('SubmitApplication', reused));
    assert.ok(refusal.signed, 'the refusal is signed');
  });
  await step('the APPLICATION event carries the submission and the values the consents allow', async () => {
    await until('the event', () => file().application !== undefined);
    assert.ok(file().digest.equals(sealed.digest));
    assert.equal(file().values.get('persons[0].name'), persona.persons[0].name);
    assert.equal(file().values.size, more.disclosures.length);
  });
  await step('the FUND_DECISION event carries an offer', async () => {
    await until('the event', () => file().fundDecision !== undefined);
    assert.equal(file().fundDecision.verdict, 'FUND_VERDICT_APPROVE');
    const { fund, commercial } = file().terms;
    console.log(`        fund ${fund.amount_fen / 100n} yuan, commercial ${commercial.amount_fen / 100n} yuan`);
  });
  await step('the JOINT_DECISION event carries both signatures over the same terms', async () => {
    await until('the event', () => file().joint !== undefined);
    assert.equal(file().joint.outcome, 'OUTCOME_APPROVED_COMBINED');
    assert.ok(file().approved);
  });
  await step('GetApplication says so, too', async () => {
    assert.equal((await bank.get(id)).status.state, 'CASE_STATE_APPROVED');
  });
  await step('ListApplications begins with it', async () => {
    const { applications } = await client.call('ListApplications', { page_size: 1 });
    assert.equal(applications[0].application_id, id);
  });
  await step('QueryVerifications gives what the bank may see, and no more', async () => {
    const { consent_id: consentId } = application.consents.find(({ purpose }) => purpose === 'CONSENT_PURPOSE_SHARE');
    const { results } = await client.call('QueryVerifications', { consent_id: consentId }, { applicationId: id });
    const facts = (item) => results.find((result) => result.item === item)?.facts.map(({ name }) => name).sort();
    assert.deepEqual(facts('ITEM_HOME_CONTRACT'), ['area_centi_m2', 'price_fen']);
    assert.deepEqual(facts('ITEM_CONTRIBUTION'), []); // the verdict only
    assert.equal(facts('ITEM_CREDIT_FUND'), undefined);
  });
  await step("QueryVerifications without the persons' consent is CONSENT_MISSING", () =>
    refused('CONSENT_MISSING', () => client.call('QueryVerifications', { consent_id: 'x' }, { applicationId: id })));
}

/** The borrower gives up what is open, so that the same person may stand in another application. */
async function giveUp({ bank, client, options }) {
  const open = options.simulated ? [] : [...bank.cases].filter(([, file]) => file.joint !== undefined && !file.ended);
  for (const [applicationId, file] of open) {
    file.ended = true;
    await client.call('WithdrawApplication', {}, { applicationId }).catch((error) => {
      assert.equal(error.reason, 'STATE_CONFLICT'); // it had ended by itself
    });
  }
}

/** Another application, until it is decided. */
async function decided(world, persona, prefix) {
  const { bank, client } = world;
  await giveUp(world);
  const [application, more] = submissionOf(persona, client.directory.centre, bank.party, prefix);
  const sealed = client.sealRequest('SubmitApplication', application, more);
  const { application_id: id } = (await client.send('SubmitApplication', sealed)).body;
  await until('the joint decision', () => bank.cases.get(id)?.joint !== undefined);
  return bank.cases.get(id);
}

async function otherEnds(world) {
  await step('a counter-offer leads to a second offer, which both sign', async () => {
    const { joint, terms } = await decided(world, world.persona, 'counter');
    assert.equal(joint.outcome, 'OUTCOME_APPROVED_COMBINED');
    assert.equal(terms.version, 2);
  });
  await step("a bank's decline ends the case, signed by both", async () => {
    const { joint, approved } = await decided(world, world.persona, 'decline');
    assert.equal(joint.outcome, 'OUTCOME_DECLINED_BANK');
    assert.equal(approved, false);
  });
  await step("the fund's refusal ends the case without the bank", async () => {
    const { joint, fundDecision } = await decided(world, world.options.refused, 'approve');
    assert.equal(joint.outcome, 'OUTCOME_REJECTED_FUND');
    assert.equal(joint.bank_envelope.length, 0);
    assert.ok(fundDecision.reasons.length > 0);
  });
}

async function resume(world) {
  const { bank, client, persona } = world;
  // Covers: COL-DEL-015
  await step('after a cut the stream comes back and everything is acknowledged', async () => {
    const { stream } = bank.deliver;
    bank.deliver.cut();
    const floor = () => (bank.deliver.stream === stream ? undefined : bank.deliver.heartbeat?.received_floor);
    await until('a heartbeat that has all', () => floor() === bank.journal.lastSequence);
  });
  await step('events that came while the stream was cut are delivered, once', async () => {
    await giveUp(world);
    const before = bank.journal.lastSequence;
    bank.deliver.cut();
    const [application, more] = submissionOf(persona, client.directory.centre, bank.party);
    const { body } = await client.send('SubmitApplication', client.sealRequest('SubmitApplication', application, more));
    await until('the joint decision', () => bank.cases.get(body.application_id)?.joint !== undefined);
    const numbers = [...bank.journal.events.keys()].map(BigInt).filter((sequence) => sequence > before);
    assert.deepEqual(numbers, numbers.map((_, i) => before + 1n + BigInt(i)));
  });
}

const ask = async (client, name, body) => (await client.send(name, client.sealRequest(name, body))).body;

/** What stands for all events up to the last one of the journal (COL-DEL-029). */
function chainOf(journal) {
  let chain = Buffer.alloc(32);
  for (let sequence = 1n; sequence <= journal.lastSequence; sequence++) {
    const number = Buffer.alloc(8);
    number.writeBigUInt64BE(sequence);
    chain = sha256(Buffer.concat([Buffer.from('coloan events v1\n'), chain, number, journal.events.get(`${sequence}`).digest]));
  }
  return chain;
}

async function askedAgain(bank, client) {
  // Covers: COL-DEL-027
  await step('an event that is asked for again is taken over once and acknowledged', async () => {
    const { lastSequence: last } = bank.journal;
    const { reference } = bank.journal.events.get(`${last}`);
    await ask(client, 'SteerEvents', { action: 'STEERING_ACTION_REPLAY', from: last, to: last, note: 'try it' });
    for (let tries = 0; (await ask(client, 'ListEvents', { limit: 10, pending: true })).events.length > 0; tries++) {
      assert.ok(tries < 100, 'it was not acknowledged');
      await sleep(100);
    }
    assert.equal(bank.journal.lastSequence, last);
    assert.equal(bank.journal.events.get(`${last}`).reference, reference);
  });
  // Covers: COL-DEL-029
  await step('the chain over all events is the same on both sides', async () => {
    const { marks, head } = await ask(client, 'Reconcile', { sequences: [1n, bank.journal.lastSequence] });
    assert.equal(head.sequence, bank.journal.lastSequence);
    assert.deepEqual(head.chain, chainOf(bank.journal));
    assert.deepEqual(marks[1].chain, head.chain);
  });
}

// -- What must be refused ----------------------------------------------------------------------------------------

function flipBit(sealed, field) {
  const envelope = decode('Envelope', sealed.envelope);
  const bytes = field(envelope);
  bytes[bytes.length - 1] ^= 1;
  return { ...sealed, envelope: encode('Envelope', envelope) };
}

async function hostileBytes(client) {
  const once = (sealed) => client.sendOnce(BASIC[0], sealed);
  const sealed = () => client.sealRequest(...BASIC);
  await step('a flipped bit of the payload is SIGNATURE_INVALID', () =>
    refused('SIGNATURE_INVALID', () => once(flipBit(sealed(), (envelope) => envelope.payload))));
  await step('a flipped bit of the signature is SIGNATURE_INVALID', () =>
    refused('SIGNATURE_INVALID', () => once(flipBit(sealed(), (envelope) => envelope.signatures[0].sig))));
  await step('a field that is not of this version is WIRE_UNKNOWN_FIELD', () => {
    const { envelope, ...rest } = sealed();
    return refused('WIRE_UNKNOWN_FIELD', () => once({ ...rest, envelope: Buffer.concat([envelope, Buffer.of(0x78, 1)]) }));
  });
  // Covers: COL-ENV-008
  await step('another payload type is PAYLOAD_TYPE_WRONG', () =>
    refused('PAYLOAD_TYPE_WRONG', () => once(client.seal(METHODS[BASIC[0]].name, 'KeysQuery', {}))));
}

async function hostileHeaders(client, signer) {
  const { directory } = client;
  const now = Date.now();
  const elsewhere = (changes) => new Client({ channel: client.channel, signer, directory: { ...directory, ...changes } });
  const seals = {
    RECIPIENT_WRONG: elsewhere({ centre: 'fund:cn-elsewhere' }).sealRequest(...BASIC),
    ENVIRONMENT_WRONG: elsewhere({ environment: 'conf/another-run' }).sealRequest(...BASIC),
    METHOD_WRONG: client.seal(METHODS.ListApplications.name, METHODS[BASIC[0]].request, BASIC[1]),
    DIRECTION_WRONG: client.seal(METHODS[BASIC[0]].name, METHODS[BASIC[0]].request, BASIC[1],
      { direction: 'DIRECTION_ACK', inReplyTo: sha256('nothing') }),
    MESSAGE_ID_INVALID: client.sealRequest(...BASIC, { messageId: Buffer.alloc(16, 1) }),
    EXPIRED: client.sealRequest(...BASIC, { createdMs: now - HOUR_MS }),
    CREATED_IN_FUTURE: client.sealRequest(...BASIC, { createdMs: now + HOUR_MS }),
    LIFETIME_WRONG: client.sealRequest(...BASIC, { lifeMs: HOUR_MS }),
    APPLICATION_UNKNOWN: client.sealRequest(...BASIC),
  };
  for (const [reason, sealed] of Object.entries(seals)) {
    const proven = ['EXPIRED', 'CREATED_IN_FUTURE', 'LIFETIME_WRONG', 'APPLICATION_UNKNOWN'].includes(reason);
    await step(`${reason} is refused${proven ? ', and the refusal is signed' : ''}`, async () => {
      const refusal = await refused(reason, () => client.sendOnce(BASIC[0], sealed));
      assert.ok(refusal.signed || !proven, 'the refusal is not signed');
    });
  }
}

const DEFLATE = { 'grpc.default_compression_algorithm': 1, 'grpc.default_compression_level': 2 };

async function hostileTransport({ client, signer, folder, options }) {
  const { target, centre, bank } = options;
  // Covers: COL-TLS-006
  await step('a compressed message is not even looked at', async () => {
    const squeezing = connect(target, centre, folder.tls(bank), DEFLATE);
    const sealed = client.sealRequest('GetCapabilities', {});
    const sending = new Client({ channel: squeezing, signer, directory: client.directory }).sendOnce('GetCapabilities', sealed);
    await refused('METHOD_UNKNOWN', () => sending).finally(() => squeezing.close());
  });
}

async function hostileParties({ client, signer, folder, options }) {
  const { target, centre, bank, other } = options;
  const channel = connect(target, centre, folder.tls(other));
  const { directory } = client;
  await step("a message of ours on another bank's connection is KEY_UNKNOWN", () =>
    refused('KEY_UNKNOWN', () => new Client({ channel, signer, directory }).sendOnce(BASIC[0], client.sealRequest(...BASIC))));
  await step('a message that another bank signed in our name is SENDER_WRONG', () => {
    const impostor = Object.create(folder.signer(other), { party: { value: bank } });
    const liar = new Client({ channel, signer: impostor, directory });
    return refused('SENDER_WRONG', () => liar.sendOnce(BASIC[0], liar.sealRequest(...BASIC)));
  });
  channel.close();
  await step('a certificate of a stranger does not connect', async () => {
    const stranger = connect(target, centre, strangerTls(folder.tls(bank), bank));
    const lost = new Client({ channel: stranger, signer, directory });
    await refused('PEER_UNREACHABLE', () => lost.sendOnce(BASIC[0], lost.sealRequest(...BASIC), 3000));
    stranger.close();
  });
  await step('a server that is not the centre is not talked to', async () => {
    const mistaken = connect(target, 'fund:cn-elsewhere', folder.tls(bank));
    const lost = new Client({ channel: mistaken, signer, directory });
    await refused('PEER_UNREACHABLE', () => lost.sendOnce(BASIC[0], lost.sealRequest(...BASIC), 3000));
    mistaken.close();
  });
}

/** A new key as a directory's entry, with its proof of possession. */
function freshKey(party, environment) {
  const { publicKey, privateKey } = crypto.generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  return {
    party, environment, public_key: raw, purpose: 'KEY_PURPOSE_SIGN', algorithm: 'KEY_ALGORITHM_ED25519',
    status: 'KEY_STATUS_ACTIVE', valid_from_ms: BigInt(Date.now()), valid_until_ms: BigInt(Date.now() + 365 * 24 * HOUR_MS),
    possession: crypto.sign(null, possessionText(party, environment, raw), privateKey),
  };
}

async function rotation({ client, options }) {
  const { bank, other, environment } = options;
  const rotate = (key) => client.call('RotateKey', { new_key: key, reason: 'ROTATION_REASON_SCHEDULED' });
  await step("another party's key is KEY_NOT_OWNED", () =>
    refused('KEY_NOT_OWNED', () => rotate(freshKey(other, environment))));
  await step('a key that nobody proves to hold is KEY_POSSESSION', () =>
    refused('KEY_POSSESSION', () => rotate({ ...freshKey(bank, environment), possession: Buffer.alloc(64, 1) })));
  const key = freshKey(bank, environment);
  await step('a new key of ours waits for the next directory', async () => {
    const receipt = await rotate(key);
    assert.equal(receipt.state, 'ROTATION_STATE_PENDING');
    assert.equal(receipt.number, client.directory.number);
  });
  await step('the same key again is KEY_KNOWN', () => refused('KEY_KNOWN', () => rotate(key)));
}

async function hostileDisclosures({ bank, client, persona }) {
  const submit = ([application, more]) =>
    client.sendOnce('SubmitApplication', client.sealRequest('SubmitApplication', application, more));
  const fresh = () => submissionOf(persona, client.directory.centre, bank.party);
  await step('a commitment without its value is DISCLOSURE_MISSING', () => {
    const [application, { disclosures }] = fresh();
    return refused('DISCLOSURE_MISSING', () => submit([application, { disclosures: disclosures.slice(1) }]));
  });
  await step('a value that was not committed to is DISCLOSURE_MISMATCH', () => {
    const [application, { disclosures }] = fresh();
    const [first, ...rest] = disclosures;
    const lie = { ...first, value: Buffer.from('测试乙') };
    return refused('DISCLOSURE_MISMATCH', () => submit([application, { disclosures: [lie, ...rest] }]));
  });
  await step('a value for a path that is not there is DISCLOSURE_UNEXPECTED', () => {
    const [application, { disclosures }] = fresh();
    const extra = { ...disclosures[0], path: 'persons[3].name' };
    return refused('DISCLOSURE_UNEXPECTED', () => submit([application, { disclosures: [...disclosures, extra] }]));
  });
}

/** A stream of a bank that has no events: sends the frames that `frames` makes, and gives what ended it. */
async function streamRefusal(client, frames) {
  const stream = client.stream(DELIVER);
  stream.on('data', () => {});
  const ended = new Promise((resolve) => { stream.on('error', resolve); });
  const send = (name, body, more) => stream.write(client.seal(DELIVER, name, body, more).envelope);
  frames(send);
  const error = await ended;
  throw refusalOf(error, (bytes) => client.openRefusal(bytes, DELIVER));
}

async function hostileStreams({ folder, options }) {
  const { target, centre, other } = options;
  const channel = connect(target, centre, folder.tls(other));
  const client = new Client({ channel, signer: folder.signer(other), directory: folder.directory });
  const opening = (more) => ['Open', { session_id: sha256('s').subarray(16), epoch: BigInt(Date.now()), max_outstanding: 1, ...more }];
  const ack = (sequence) => ['Ack', { sequence, level: 'ACK_LEVEL_RECEIVED' }, { direction: 'DIRECTION_ACK', inReplyTo: sha256('e') }];
  const rows = [
    ['a stream that does not begin with Open', 'STATE_CONFLICT', [ack(1n)]],
    ['a second Open', 'STATE_CONFLICT', [opening(), opening()]],
    ['an Open that lets nothing be sent', 'FIELD_INVALID', [opening({ max_outstanding: 0 })]],
    ['an Open with half a session id', 'FIELD_INVALID', [opening({ session_id: Buffer.alloc(8) })]],
    ['an Open past the last event', 'SEQUENCE_WRONG', [opening({ resume_after: 1_000_000n })]],
    ['more credit than there may be', 'FIELD_INVALID', [opening(), ['Credit', { more: 1000 }]]],
    ['an acknowledgement of no event', 'EVENT_UNKNOWN', [opening(), ack(1_000_000n)]],
  ];
  for (const [name, reason, frames] of rows) {
    // Covers: COL-DEL-001, COL-DEL-002, COL-DEL-003, COL-DEL-006, COL-DEL-009
    await step(`${name} is ${reason}`, () =>
      refused(reason, () => streamRefusal(client, (send) => frames.forEach((frame) => send(...frame)))));
  }
  channel.close();
}

async function fencing({ bank, client, work }) {
  await step('an older session is fenced off', async () => {
    const journal = new Journal(path.join(work, 'older.journal'));
    const older = new Deliver({ client, journal, apply: () => assert.fail('an event for the old session') });
    older.epoch = 0n; // lower than any that a journal counts
    journal.lastSequence = bank.journal.lastSequence;
    await refused('STREAM_FENCED', () => older.run());
    journal.close();
  });
}

// -- All of it ---------------------------------------------------------------------------------------------------

export async function e2e(options) {
  const folder = readFolder(options);
  const { income_fen: incomeFen } = options.persona;
  const signer = folder.signer(options.bank);
  const channel = connect(options.target, options.centre, folder.tls(options.bank));
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'coloan-e2e-'));
  const journal = new Journal(path.join(work, 'bank.journal'));
  const client = new Client({ channel, signer, directory: folder.directory });
  const bank = new Bank({ client, journal, core: coreOf(incomeFen) });
  const world = { bank, client, signer, folder, options, work, persona: options.persona };
  bank.deliver.epoch = BigInt(Date.now()); // the journal is new each time: the clock rises where its counter cannot
  const delivering = bank.deliver.run();
  delivering.catch(() => {}); // awaited below
  try {
    await step('GetCapabilities names the centre and its environment', async () => {
      const capabilities = await client.call('GetCapabilities', {});
      assert.equal(capabilities.party, options.centre);
      assert.equal(capabilities.environment, options.environment);
      assert.equal(capabilities.spec_version_min, SPEC_VERSION); // a window of one version so far
      assert.equal(capabilities.spec_version_max, SPEC_VERSION);
    });
    await step('GetKeys gives the directory that is held, or a newer one', async () => {
      const answer = await client.call('GetKeys', { known_number: 0n });
      assert.ok(answer.number >= folder.directory.number);
      assert.equal(Directory.load(answer.directory, folder.directory.trust).number, answer.number);
    });
    await rotation(world);
    await step('the stream opens with a heartbeat', () => until('a heartbeat', () => bank.deliver.heartbeat !== null));
    await life(world);
    await resume(world);
    if (!options.simulated) { // it keeps no history of deliveries
      await askedAgain(bank, client);
    }
    await otherEnds(world);
    await hostileBytes(client);
    await hostileHeaders(client, signer);
    if (!options.simulated) { // the library under the simulated centre takes compressed messages
      await hostileTransport(world);
    }
    await hostileParties(world);
    await hostileDisclosures(world);
    await hostileStreams(world);
    await fencing(world);
  } finally {
    bank.deliver.stop();
    await delivering;
    client.close();
    journal.close();
    fs.rmSync(work, { recursive: true });
  }
  return steps;
}

async function main() {
  const string = (value) => ({ type: 'string', ...(value && { default: value }) });
  const { values } = parseArgs({ options: {
    target: string(), certs: string(), centre: string('fund:cn-nj-prov'), bank: string('bank:cn-beta-js'),
    other: string('bank:cn-alpha-js'), environment: string('test'),
    persona: string(fileURLToPath(new URL('p01.json', import.meta.url))),
    refused: string(fileURLToPath(new URL('p05.json', import.meta.url))), help: { type: 'boolean' },
  } });
  if (values.help || !values.target || !values.certs) {
    console.error(usage);
    process.exit(values.help ? 0 : 2);
  }
  const read = (file) => JSON.parse(fs.readFileSync(file, 'utf8'));
  const personas = { persona: read(values.persona), refused: read(values.refused) };
  console.log(`${await e2e({ ...values, ...personas })} steps passed`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await main();
  } catch {
    process.exit(1); // the failed step is on the screen
  }
}
