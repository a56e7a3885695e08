import { test } from 'node:test';
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { isEnvironment, isParty, isStrong, keyId, keyInForce, Signer, verify } from '../keys.js';
import { Directory } from '../directory.js';
import { decode, encode, payloadType } from '../contract.js';
import { pae } from '../envelope.js';
import { describeKey, issueDirectory } from './support/folder.js';
import { expectReason } from './support/refusing.js';

const hex = (text) => Buffer.from(text, 'hex');
const seeded = (party, byte) => Signer.fromSeed(party, Buffer.alloc(32, byte));
const NOW = Date.UTC(2026, 10, 25);
const CENTRE = 'fund:cn-nj-prov';
const root = seeded(CENTRE, 1);
const alpha = seeded('bank:cn-alpha-js', 2);
const beta = seeded('bank:cn-beta-js', 3);
const trust = { publicKey: root.publicKey, centre: CENTRE, environment: 'test' };
const keys = () => [describeKey(alpha, 'test', NOW), describeKey(beta, 'test', NOW)];
const issue = (list = keys(), more = {}) => issueDirectory(root, list, { nowMs: NOW, ...more });

test('party ids and environments', () => {
  ['bank:cn-alpha-js', 'fund:x', 'authority:civil-affairs'].forEach((text) => assert.ok(isParty(text), text));
  ['bank:', 'bank', 'Bank:x', 'bank:X', 'shop:x', 'bank:a:b', 'bank:a b', `bank:${'x'.repeat(60)}`, 'bank:x\n']
    .forEach((text) => assert.ok(!isParty(text), text));
  ['prod', 'test', 'conf/run-1'].forEach((text) => assert.ok(isEnvironment(text), text));
  ['', 'Prod', 'conf/', 'conf/A', 'conf/a/b', `conf/${'a'.repeat(60)}`].forEach((text) => assert.ok(!isEnvironment(text), text));
});

test('a key id is half of SHA-256(01 || key)', () => {
  const key = Buffer.alloc(32, 9);
  assert.equal(keyId(key), crypto.createHash('sha256').update(hex(`01${key.toString('hex')}`)).digest('hex').slice(0, 32));
});

test('points of small or mixed order and non-canonical ones are weak', () => {
  assert.ok(isStrong(alpha.publicKey));
  const weak = {
    'the identity': `01${'00'.repeat(31)}`,
    'order 2': `ec${'ff'.repeat(30)}7f`,
    'order 4': '00'.repeat(32),
    'order 8': '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'the identity, written with p + 1': `ee${'ff'.repeat(30)}7f`,
    'not on the curve': `02${'00'.repeat(31)}`,
    'too short': '01',
  };
  Object.entries(weak).forEach(([name, key]) => assert.ok(!isStrong(hex(key)), name));
});

test('a signature whose R is the identity is refused', () => {
  const message = Buffer.from('x');
  assert.ok(verify(alpha.publicKey, message, alpha.sign(message)));
  assert.ok(!verify(alpha.publicKey, message, hex(`01${'00'.repeat(63)}`)));
  assert.ok(!verify(alpha.publicKey, message, alpha.sign(message).subarray(1)));
  assert.ok(!verify(beta.publicKey, message, alpha.sign(message)));
});

test('a key file has to be private', () => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'coloan-key-')), 'x.sign.key');
  const { privateKey } = crypto.generateKeyPairSync('ed25519');
  fs.writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  assert.equal(Signer.load('bank:x', file).keyId.length, 32);
  fs.chmodSync(file, 0o640);
  assert.throws(() => Signer.load('bank:x', file), /chmod 600/);
  fs.rmSync(path.dirname(file), { recursive: true });
});

test('a directory that is right', () => {
  const directory = Directory.load(issue(), trust);
  assert.equal(directory.number, 1n);
  assert.equal(directory.candidates('bank:cn-alpha-js').length, 1);
  assert.equal(directory.candidates('bank:cn-alpha-js')[0].keyId, alpha.keyId);
  assert.equal(directory.candidates('bank:cn-alpha-js', 'KEY_PURPOSE_WITNESS').length, 0);
  assert.equal(directory.candidates('bank:cn-nobody').length, 0);
});

function flipLast(bytes) {
  const envelope = decode('Envelope', bytes);
  envelope.signatures[0].sig[63] ^= 1;
  return encode('Envelope', envelope);
}

function twice(bytes) {
  const envelope = decode('Envelope', bytes);
  return encode('Envelope', { ...envelope, signatures: [...envelope.signatures, ...envelope.signatures] });
}

function withoutHeader() {
  const payload_type = payloadType('KeyDirectory');
  const payload = encode('SignedPayload', { body: Buffer.from('0801', 'hex') });
  return encode('Envelope', { payload, payload_type, signatures: [{ sig: root.sign(pae(payload_type, payload)) }] });
}

const withKey = (more) => () => issue([describeKey(alpha, 'test', NOW, more), describeKey(beta, 'test', NOW)]);
const wrongDirectories = [
  ['signed by somebody else', () => issueDirectory(seeded(CENTRE, 4), keys(), { nowMs: NOW }), 'KEY_UNKNOWN'],
  ['with a broken signature', () => flipLast(issue()), 'SIGNATURE_INVALID'],
  ['with two signatures', () => twice(issue()), 'SIGNATURE_COUNT'],
  ['without a header', withoutHeader, 'HEADER_INCOMPLETE'],
  ['of another centre', () => issueDirectory(Object.create(root, { party: { value: 'fund:x' } }), keys(), { nowMs: NOW }), 'SENDER_WRONG'],
  ['of another version', () => issue(keys(), { spec_version: '1.1' }), 'SPEC_VERSION'],
  ['of another environment', () => issue(keys(), { environment: 'prod' }), 'ENVIRONMENT_WRONG'],
  ['whose header is of another environment', () => issue(keys(), { environment: 'prod', directory: { environment: 'test' } }), 'ENVIRONMENT_WRONG'],
  ['that says itself to be of another environment', () => issue(keys(), { directory: { environment: 'prod' } }), 'ENVIRONMENT_WRONG'],
  ['issued at another time than its header says', () => issue(keys(), { directory: { issued_ms: 1n } }), 'DIRECTORY_INVALID'],
  ['with an id that is no UUIDv7', () => issue(keys(), { message_id: Buffer.alloc(16) }), 'MESSAGE_ID_INVALID'],
  ['that answers something', () => issue(keys(), { in_reply_to: Buffer.alloc(32) }), 'IN_REPLY_TO_WRONG'],
  ['with a recipient', () => issue(keys(), { recipient: 'bank:cn-beta-js' }), 'RECIPIENT_WRONG'],
  ['with another method', () => issue(keys(), { method: 'coloan.v1.JointApproval/Deliver' }), 'METHOD_WRONG'],
  ['as a reply', () => issue(keys(), { direction: 'DIRECTION_REPLY' }), 'DIRECTION_WRONG'],
  ['that expires', () => issue(keys(), { expires_ms: 1n }), 'LIFETIME_WRONG'],
  ['whose sequence is not its number', () => issue(keys(), { sequence: 2n }), 'SEQUENCE_WRONG'],
  ['with number 0', () => issue(keys(), { number: 0n }), 'SEQUENCE_WRONG'],
  ['without keys', () => issue([]), 'DIRECTORY_INVALID'],
  ['with the same key twice', () => issue([...keys(), keys()[0]]), 'DIRECTORY_INVALID'],
  ['with a key of SM2', withKey({ algorithm: 'KEY_ALGORITHM_SM2_SM3' }), 'DIRECTORY_INVALID'],
  ['with a key of nobody', withKey({ party: 'nobody' }), 'DIRECTORY_INVALID'],
  ['with a key that never begins', withKey({ valid_from_ms: 5n, valid_until_ms: 5n }), 'DIRECTORY_INVALID'],
  ['with a key of no purpose', withKey({ purpose: 'KEY_PURPOSE_UNSPECIFIED' }), 'DIRECTORY_INVALID'],
  ['with a key of another environment', withKey({ environment: 'prod' }), 'ENVIRONMENT_WRONG'],
  ['with a weak key', withKey({ public_key: hex(`01${'00'.repeat(31)}`) }), 'KEY_WEAK'],
  ["with another party's proof", withKey({ possession: beta.provePossession('test') }), 'KEY_POSSESSION'],
  ['with a proof for another environment', withKey({ possession: alpha.provePossession('prod') }), 'KEY_POSSESSION'],
  ['without a proof', withKey({ possession: Buffer.alloc(0) }), 'KEY_POSSESSION'],
];
for (const [name, make, reason] of wrongDirectories) {
  test(`a directory ${name}`, () => expectReason(reason, () => Directory.load(make(), trust)));
}

test('a directory that is not newer than the one held', () => {
  const held = Directory.load(issue(keys(), { number: 5n }), trust);
  Directory.load(issue(keys(), { number: 6n }), trust, held);
  expectReason('SEQUENCE_WRONG', () => Directory.load(issue(keys(), { number: 5n }), trust, held));
  expectReason('SEQUENCE_WRONG', () => Directory.load(issue(keys(), { number: 4n }), trust, held));
});

test('a weak pinned key is refused', () => {
  expectReason('KEY_WEAK', () => Directory.load(issue(), { ...trust, publicKey: hex(`01${'00'.repeat(31)}`) }));
});

test('when a key may verify', () => {
  const key = (status) => ({ status: `KEY_STATUS_${status}`, valid_from_ms: 10n, valid_until_ms: 20n });
  const rows = [
    ['ACTIVE', 'LIVE', 10n, true], ['ACTIVE', 'LIVE', 19n, true], ['ACTIVE', 'LIVE', 9n, false], ['ACTIVE', 'LIVE', 20n, false],
    ['RETIRING', 'LIVE', 15n, true], ['RETIRED', 'LIVE', 15n, false], ['COMPROMISED', 'LIVE', 15n, false],
    ['RETIRED', 'ARCHIVE', 15n, true], ['COMPROMISED', 'ARCHIVE', 15n, true], ['COMPROMISED', 'ARCHIVE', 20n, false],
  ];
  rows.forEach(([status, use, at, fits]) => assert.equal(keyInForce(key(status), use, at), fits, `${status} ${use} ${at}`));
});
