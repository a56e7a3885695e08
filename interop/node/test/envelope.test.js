import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Signer } from '../keys.js';
import { Directory } from '../directory.js';
import { decode, encode, payloadType } from '../contract.js';
import { checkTime, digestOf, isUuid7, open, openBody, pae, seal, sha256, uuid7, verifyKept } from '../envelope.js';
import { describeKey, issueDirectory } from './support/folder.js';
import { expectReason } from './support/refusing.js';

const NOW = Date.UTC(2026, 10, 25);
const DAY = 86_400_000;
const CENTRE = 'fund:cn-nj-prov';
const BANK = 'bank:cn-beta-js';
const METHOD = 'coloan.v1.JointApproval/GetApplication';
const root = Signer.fromSeed(CENTRE, Buffer.alloc(32, 1));
const bank = Signer.fromSeed(BANK, Buffer.alloc(32, 2));
const second = Signer.fromSeed(BANK, Buffer.alloc(32, 3));
const retired = Signer.fromSeed(BANK, Buffer.alloc(32, 4));
const future = Signer.fromSeed(BANK, Buffer.alloc(32, 5));
const centre = Signer.fromSeed(CENTRE, Buffer.alloc(32, 6));
const oldCentre = Signer.fromSeed(CENTRE, Buffer.alloc(32, 7));
const stranger = Signer.fromSeed(BANK, Buffer.alloc(32, 8));
const directory = Directory.load(issueDirectory(root, [
  describeKey(bank, 'test', NOW),
  describeKey(second, 'test', NOW, { status: 'KEY_STATUS_RETIRING' }),
  describeKey(retired, 'test', NOW, { status: 'KEY_STATUS_RETIRED' }),
  describeKey(future, 'test', NOW, { valid_from_ms: BigInt(NOW + DAY) }),
  describeKey(centre, 'test', NOW),
  describeKey(oldCentre, 'test', NOW, { status: 'KEY_STATUS_RETIRED' }),
], { nowMs: NOW }), { publicKey: root.publicKey, centre: CENTRE, environment: 'test' });

const header = (more = {}) => ({
  environment: 'test',
  message_id: uuid7(NOW),
  recipient: CENTRE,
  method: METHOD,
  direction: 'DIRECTION_REQUEST',
  created_ms: BigInt(NOW),
  expires_ms: BigInt(NOW + 60_000),
  ...more,
});
const request = (more = {}, signer = bank) => seal(signer, 'ApplicationQuery', { application_id: 'x' }, header(more)).envelope;
const expected = (more = {}) => ({
  directory,
  environment: 'test',
  sender: BANK,
  recipient: CENTRE,
  method: METHOD,
  bodies: { ApplicationQuery: 'DIRECTION_REQUEST' },
  nowMs: NOW,
  ...more,
});
const openIt = (bytes, more) => open(bytes, expected(more));

test('PAE, digest and signature of the published vector', () => {
  const type = 'application/vnd.hpf.clp.v1.submit-application+protobuf';
  const payload = Buffer.from('0a03616263', 'hex');
  const signer = Signer.fromSeed('bank:x', Buffer.from([...Array(32).keys()]));
  assert.equal(pae('t', Buffer.from('pay')).toString(), 'DSSEv1 1 t 3 pay');
  assert.equal(digestOf(type, payload).toString('hex'), '7659413c56c2fcbdea426ec5ed4705e0ded8ba7a4fe446280fe42ddda23efc96');
  assert.equal(signer.sign(pae(type, payload)).toString('hex'),
    'beaf6b16288fd079a4a08225cd5ac49e0103af7134c78bfac7107b774ca4b0999c73ca324573cd31987be0e623b052bef223d0d16438ef993292e33b5264fe00');
});

test('UUIDv7', () => {
  const id = uuid7(NOW);
  assert.ok(isUuid7(id));
  assert.equal(id.readUIntBE(0, 6), NOW);
  assert.ok(!isUuid7(Buffer.alloc(16)) && !isUuid7(id.subarray(1)));
});

test('a message that is right', () => {
  const sealed = seal(bank, 'ApplicationQuery', { application_id: 'x' }, header());
  const opened = openIt(sealed.envelope);
  assert.ok(opened.digest.equals(sealed.digest));
  assert.equal(opened.header.sender, BANK);
  assert.equal(opened.key.keyId, bank.keyId);
  assert.equal(openBody(opened).application_id, 'x');
});

/** Changes a sealed envelope as an attacker on the wire could. */
function change(bytes, edit) {
  const envelope = decode('Envelope', bytes);
  edit(envelope);
  return encode('Envelope', envelope);
}

const flip = (bytes) => {
  bytes[bytes.length - 1] ^= 1;
};

/** Signs whatever payload and type. */
function signed(payload, type = payloadType('ApplicationQuery'), signer = bank) {
  const signatures = [{ sig: signer.sign(pae(type, payload)), keyid: signer.keyId }];
  return encode('Envelope', { payload, payload_type: type, signatures });
}

const body = encode('ApplicationQuery', { application_id: 'x' });
const rawHeader = (more) => signed(encode('SignedPayload', { header: { spec_version: '1.0', sender: BANK, ...header(more) }, body }));
const reply = { direction: 'DIRECTION_REPLY', in_reply_to: sha256('q') };
const replies = { bodies: { ApplicationQuery: 'DIRECTION_REPLY' } };

/** name, bytes, expectation, reason (undefined: opens); in the order of the checks */
const rows = [
  ['nothing at all', Buffer.alloc(0), {}, 'MESSAGE_EMPTY'],
  ['no payload', Buffer.from('1200', 'hex'), {}, 'MESSAGE_EMPTY'],
  ['256 KiB and a byte', Buffer.alloc(256 * 1024 + 1), {}, 'MESSAGE_TOO_LARGE'],
  ['a payload past 192 KiB', signed(Buffer.alloc(192 * 1024 + 1)), {}, 'MESSAGE_TOO_LARGE'],
  ['an unknown field', Buffer.concat([request(), Buffer.from('7801', 'hex')]), {}, 'WIRE_UNKNOWN_FIELD'],
  ['the payload type of another method', request(), { bodies: { KeysQuery: 'DIRECTION_REQUEST' } }, 'PAYLOAD_TYPE_WRONG'],
  ['no payload type', signed(Buffer.from('0a00', 'hex'), ''), {}, 'PAYLOAD_TYPE_WRONG'],
  ['a name of Object.prototype as its type', signed(Buffer.from('0a00', 'hex'), payloadType('constructor')), {}, 'PAYLOAD_TYPE_WRONG'],
  ['no signature', change(request(), (e) => e.signatures.pop()), {}, 'SIGNATURE_COUNT'],
  ['five signatures', change(request(), (e) => e.signatures.push(...Array(4).fill(e.signatures[0]))), {}, 'SIGNATURE_COUNT'],
  ['a batch proof', change(request(), (e) => { e.signatures[0].batch = { count: 1 }; }), {}, 'PROFILE_UNSUPPORTED'],
  ['a key that is in no directory', request({}, stranger), {}, 'KEY_UNKNOWN'],
  ["the certificate of another party", request(), { sender: 'bank:cn-alpha-js' }, 'KEY_UNKNOWN'],
  ['a retired key', request({}, retired), {}, 'KEY_NOT_VALID'],
  ['a key of tomorrow', request({}, future), {}, 'KEY_NOT_VALID'],
  ['a retiring key', request({}, second), {}],
  ['no key id', change(request(), (e) => { e.signatures[0].keyid = ''; }), {}],
  ['no key id and a stranger', change(request({}, stranger), (e) => { e.signatures[0].keyid = ''; }), {}, 'SIGNATURE_INVALID'],
  ['a flipped payload', change(request(), (e) => flip(e.payload)), {}, 'SIGNATURE_INVALID'],
  ['a flipped signature', change(request(), (e) => flip(e.signatures[0].sig)), {}, 'SIGNATURE_INVALID'],
  ['a short signature', change(request(), (e) => { e.signatures[0].sig = e.signatures[0].sig.subarray(1); }), {}, 'SIGNATURE_INVALID'],
  ['the same signature twice', change(request(), (e) => e.signatures.push(e.signatures[0])), {}, 'SIGNATURE_INVALID'],
  ['a payload that is no message', signed(Buffer.from('0f', 'hex')), {}, 'WIRE_MALFORMED'],
  ['no header', signed(encode('SignedPayload', { body })), {}, 'HEADER_INCOMPLETE'],
  ['no environment', rawHeader({ environment: '' }), {}, 'HEADER_INCOMPLETE'],
  ['no recipient', rawHeader({ recipient: '' }), {}, 'HEADER_INCOMPLETE'],
  ['no method', rawHeader({ method: '' }), {}, 'HEADER_INCOMPLETE'],
  ['no message id', rawHeader({ message_id: undefined }), {}, 'HEADER_INCOMPLETE'],
  ['no creation', rawHeader({ created_ms: 0n }), {}, 'HEADER_INCOMPLETE'],
  ['no expiry', rawHeader({ expires_ms: 0n }), {}, 'HEADER_INCOMPLETE'],
  ['no direction', rawHeader({ direction: 'DIRECTION_UNSPECIFIED' }), {}, 'HEADER_INCOMPLETE'],
  ['a reply to nothing', rawHeader({ direction: 'DIRECTION_REPLY' }), replies, 'HEADER_INCOMPLETE'],
  ['version 1.1', rawHeader({ spec_version: '1.1' }), {}, 'SPEC_VERSION'],
  ['another environment', request({ environment: 'prod' }), {}, 'ENVIRONMENT_WRONG'],
  ['another sender', request({ sender: 'bank:cn-alpha-js' }), {}, 'SENDER_WRONG'],
  ['another recipient', request({ recipient: 'fund:x' }), {}, 'RECIPIENT_WRONG'],
  ['another method', request({ method: 'coloan.v1.Directory/GetKeys' }), {}, 'METHOD_WRONG'],
  ['another direction', request({ ...reply }), {}, 'DIRECTION_WRONG'],
  ['an id that is no UUIDv7', request({ message_id: Buffer.alloc(16, 1) }), {}, 'MESSAGE_ID_INVALID'],
  ['a request that answers', request({ in_reply_to: sha256('q') }), {}, 'IN_REPLY_TO_WRONG'],
  ['an answer to half a digest', request({ ...reply, in_reply_to: Buffer.alloc(16) }), replies, 'IN_REPLY_TO_WRONG'],
  ['an answer to another request', request({ ...reply }), { ...replies, inReplyTo: sha256('other') }, 'IN_REPLY_TO_WRONG'],
  ['an answer to ours', request({ ...reply }), { ...replies, inReplyTo: sha256('q') }],
  ['a request with a sequence', request({ sequence: 1n }), {}, 'SEQUENCE_WRONG'],
];
for (const [name, bytes, more, reason] of rows) {
  test(`open: ${name}`, () => expectReason(reason, () => openIt(bytes, more)));
}

const eventHeader = { direction: 'DIRECTION_EVENT', expires_ms: 0n, sequence: 1n, recipient: BANK };
const asEvent = { bodies: { ApplicationQuery: 'DIRECTION_EVENT' }, sender: CENTRE, recipient: BANK };

test('an event is verified with the key of its time', () => {
  const later = NOW + 365 * DAY; // every key is out of force by then
  openIt(request(eventHeader, centre), { ...asEvent, nowMs: later });
  openIt(request(eventHeader, oldCentre), { ...asEvent, nowMs: later });
  const created_ms = BigInt(later);
  expectReason('KEY_NOT_VALID', () => openIt(request({ ...eventHeader, created_ms }, centre), { ...asEvent, nowMs: later }));
  expectReason('SEQUENCE_WRONG', () => openIt(request({ ...eventHeader, sequence: 0n }, centre), asEvent));
});

test('time', () => {
  const at = (more, offset, reason) => expectReason(reason, () => checkTime({ ...header(), ...more }, NOW + offset));
  at({}, 0);
  at({}, -30_000);
  at({}, -30_001, 'CREATED_IN_FUTURE');
  at({}, 60_000);
  at({}, 60_001, 'EXPIRED');
  at({ direction: 'DIRECTION_ACK' }, 60_001, 'EXPIRED');
  at({ direction: 'DIRECTION_REPLY' }, 60_001);
  at({ direction: 'DIRECTION_REFUSAL' }, 60_001);
  at({ expires_ms: BigInt(NOW) }, 0, 'LIFETIME_WRONG');
  at({ expires_ms: BigInt(NOW + 600_000) }, 0);
  at({ expires_ms: BigInt(NOW + 600_001) }, 0, 'LIFETIME_WRONG');
  at({ direction: 'DIRECTION_EVENT', expires_ms: 0n }, 365 * DAY);
  at({ direction: 'DIRECTION_EVENT' }, 0, 'LIFETIME_WRONG');
});

test('a body that does not scan', () => {
  const wrong = signed(encode('SignedPayload', { header: { spec_version: '1.0', sender: BANK, ...header() }, body: Buffer.from('7801', 'hex') }));
  const opened = openIt(wrong);
  expectReason('WIRE_UNKNOWN_FIELD', () => openBody(opened));
});

test('kept messages verify against the directory alone', () => {
  const kept = verifyKept(request(), directory);
  assert.equal(kept.header.sender, BANK);
  verifyKept(request({}, retired), directory);
  expectReason('KEY_UNKNOWN', () => verifyKept(request({}, stranger), directory));
  expectReason('KEY_NOT_VALID', () => verifyKept(request({}, future), directory));
  expectReason('ENVIRONMENT_WRONG', () => verifyKept(request({ environment: 'prod' }), directory));
  expectReason('SIGNATURE_INVALID', () => verifyKept(change(request(), (e) => flip(e.payload)), directory));
  expectReason('HEADER_INCOMPLETE', () => verifyKept(signed(encode('SignedPayload', { body })), directory));
  expectReason('PAYLOAD_TYPE_WRONG', () => verifyKept(signed(Buffer.from('0a00', 'hex'), 'x'), directory));
});

test('nothing is sealed that could not be read', () => {
  expectReason('TEXT_CONTROL', () => seal(bank, 'ApplicationQuery', {}, header({ application_id: 'a\nb' })));
  assert.throws(() => seal(bank, 'ApplicationQuery', { no_such_field: 1 }, header()), TypeError);
});
