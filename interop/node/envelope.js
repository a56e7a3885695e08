// The signed envelope: seal what we say, open what the other side says, with every check in the order of the
// specification (chapter 4). The bytes of `payload` that arrived are the bytes that are verified, hashed and kept; nothing
// is ever encoded again from what was decoded.
import crypto from 'node:crypto';
import { check } from './refused.js';
import { MESSAGE_BYTES_MAX, PAYLOAD_BYTES_MAX, SIGNATURES_MAX, KEY_TRIES_MAX, CLOCK_AHEAD_MS_MAX,
  LIFE_MS_MAX } from './limits.js';
import { decode, encode, messageOf, payloadType } from './contract.js';
import { scan } from './scan.js';
import { keyInForce, verify } from './keys.js';

export const SPEC_VERSION = '1.0';

/** DSSE v1 pre-authentication encoding: what is signed. */
export function pae(type, payload) {
  const typeBytes = Buffer.from(type);
  return Buffer.concat([Buffer.from(`DSSEv1 ${typeBytes.length} `), typeBytes, Buffer.from(` ${payload.length} `), payload]);
}

export function sha256(...parts) {
  const hash = crypto.createHash('sha256');
  parts.forEach((part) => hash.update(part));
  return hash.digest();
}

/** The message digest: what receipts, replies and acknowledgements name. */
export function digestOf(type, payload) {
  return sha256(pae(type, payload));
}

/** UUIDv7 (RFC 9562): 48 bits of Unix ms, version, variant, 74 random bits. */
export function uuid7(nowMs = Date.now(), random = crypto.randomBytes(10)) {
  const id = Buffer.alloc(16);
  id.writeUIntBE(nowMs, 0, 6);
  random.copy(id, 6);
  id[6] = 0x70 | (id[6] & 0x0f);
  id[8] = 0x80 | (id[8] & 0x3f);
  return id;
}

export function isUuid7(bytes) {
  return bytes.length === 16 && bytes[6] >> 4 === 7 && bytes[8] >> 6 === 2;
}

// -- Sealing -----------------------------------------------------------------------------------------------------

/** Signs a message. `header` holds everything but version and sender; `body` is an object of message `name`.
 * Gives {envelope, digest, messageId, header}: `envelope` are the bytes to send, and to send again. */
export function seal(signer, name, body, header, disclosures = []) {
  const full = { spec_version: SPEC_VERSION, sender: signer.party, ...header };
  const payload = encode('SignedPayload', { header: full, body: encode(name, body) });
  const type = payloadType(name);
  const text = pae(type, payload);
  const signatures = [{ sig: signer.sign(text), keyid: signer.keyId }];
  const envelope = encode('Envelope', { payload, payload_type: type, signatures, disclosures });
  scan('Envelope', envelope, MESSAGE_BYTES_MAX); // nothing leaves that the other side could not read
  scan('SignedPayload', payload, PAYLOAD_BYTES_MAX);
  return { envelope, digest: sha256(text), messageId: full.message_id, header: full };
}

// -- Opening -----------------------------------------------------------------------------------------------------

/** Steps 1 to 3: size, byte scan, decode. */
export function readEnvelope(bytes) {
  scan('Envelope', bytes, MESSAGE_BYTES_MAX);
  const envelope = decode('Envelope', bytes);
  check(envelope.payload.length > 0, 'MESSAGE_EMPTY');
  check(envelope.payload.length <= PAYLOAD_BYTES_MAX, 'MESSAGE_TOO_LARGE');
  return { ...envelope, messageName: messageOf(envelope.payload_type) };
}

/** Step 7: scan and decode the signed bytes; the body stays bytes. */
export function readPayload(payload) {
  scan('SignedPayload', payload, MESSAGE_BYTES_MAX);
  return decode('SignedPayload', payload);
}

/** Step 5 for one signature: the key id narrows the party's keys, it never adds one. */
function chooseKeys(signature, keys, inForce) {
  check(signature.batch === null, 'PROFILE_UNSUPPORTED');
  const known = keys.filter((key) => signature.keyid === '' || signature.keyid === key.keyId);
  check(known.length > 0, 'KEY_UNKNOWN');
  const usable = known.filter(inForce).slice(0, KEY_TRIES_MAX);
  check(usable.length > 0, 'KEY_NOT_VALID');
  return usable;
}

/** Steps 5 and 6: every signature verifies, each by a key of its own. */
function verifyAll(envelope, keys, inForce) {
  const choices = envelope.signatures.map((signature) => chooseKeys(signature, keys, inForce));
  const text = pae(envelope.payload_type, envelope.payload);
  const makers = envelope.signatures.map(({ sig }, i) => choices[i].find((key) => verify(key.public_key, text, sig)));
  check(makers.every((maker) => maker !== undefined), 'SIGNATURE_INVALID');
  check(new Set(makers).size === makers.length, 'SIGNATURE_INVALID');
  return { digest: sha256(text), key: makers[0] };
}

function checkCount(envelope) {
  check(envelope.signatures.length >= 1 && envelope.signatures.length <= SIGNATURES_MAX, 'SIGNATURE_COUNT');
}

function isAnswer(direction) {
  return ['DIRECTION_REPLY', 'DIRECTION_ACK', 'DIRECTION_REFUSAL'].includes(direction);
}

/** Step 8: the header against the transport. `expected` holds what the receiver knows by itself. */
function checkHeader(header, expected) {
  check(header !== null, 'HEADER_INCOMPLETE');
  const isEvent = header.direction === 'DIRECTION_EVENT';
  const texts = [header.spec_version, header.environment, header.sender, header.recipient, header.method];
  const timed = header.created_ms > 0n && (header.expires_ms !== 0n || isEvent);
  const bound = header.in_reply_to.length > 0 || !isAnswer(header.direction);
  const named = header.message_id.length > 0 && header.direction !== 'DIRECTION_UNSPECIFIED';
  check(texts.every((text) => text !== '') && timed && bound && named, 'HEADER_INCOMPLETE');
  check(header.spec_version === SPEC_VERSION, 'SPEC_VERSION');
  check(header.environment === expected.environment, 'ENVIRONMENT_WRONG');
  check(header.sender === expected.sender, 'SENDER_WRONG');
  check(header.recipient === expected.recipient, 'RECIPIENT_WRONG');
  check(header.method === expected.method, 'METHOD_WRONG');
  check(header.direction === expected.direction, 'DIRECTION_WRONG');
  check(isUuid7(header.message_id), 'MESSAGE_ID_INVALID');
  check(header.in_reply_to.length === (isAnswer(header.direction) ? 32 : 0), 'IN_REPLY_TO_WRONG');
  const answersOurs = expected.inReplyTo === undefined || !isAnswer(header.direction) ||
    crypto.timingSafeEqual(header.in_reply_to, expected.inReplyTo);
  check(answersOurs, 'IN_REPLY_TO_WRONG');
  check(isEvent === header.sequence > 0n, 'SEQUENCE_WRONG');
}

/** Steps 1 to 8. `expected`: {directory, environment, sender, recipient, method, bodies, inReplyTo, nowMs}, where bodies
 * maps the message names that may come here to their directions, e.g. {ApplicationReceipt: 'DIRECTION_REPLY'}. An event
 * may be read long after it was made, so its key has to have been in force then: see [COL-CHK-006]. */
export function open(bytes, expected) {
  const envelope = readEnvelope(bytes);
  const direction = Object.hasOwn(expected.bodies, envelope.messageName) && expected.bodies[envelope.messageName];
  check(direction, 'PAYLOAD_TYPE_WRONG');
  checkCount(envelope);
  const keys = expected.directory.candidates(expected.sender);
  const isEvent = direction === 'DIRECTION_EVENT';
  const inForce = (candidate) => isEvent || keyInForce(candidate, 'LIVE', BigInt(expected.nowMs));
  const { digest, key } = verifyAll(envelope, keys, inForce);
  const { header, body } = readPayload(envelope.payload);
  checkHeader(header, { ...expected, direction });
  check(!isEvent || keyInForce(key, 'ARCHIVE', header.created_ms), 'KEY_NOT_VALID');
  return { name: envelope.messageName, header, body, digest, key, envelope, disclosures: envelope.disclosures };
}

/** Step 10. */
export function checkTime(header, nowMs) {
  const now = BigInt(nowMs);
  check(header.created_ms <= now + BigInt(CLOCK_AHEAD_MS_MAX), 'CREATED_IN_FUTURE');
  if (header.direction === 'DIRECTION_EVENT') {
    check(header.expires_ms === 0n, 'LIFETIME_WRONG');
    return;
  }
  const life = header.expires_ms - header.created_ms;
  check(header.created_ms > 0n && life >= 1n && life <= BigInt(LIFE_MS_MAX), 'LIFETIME_WRONG');
  // A reply or refusal is tied to its request by digest and is repeated byte for byte however late.
  const expires = header.direction === 'DIRECTION_REQUEST' || header.direction === 'DIRECTION_ACK';
  check(!expires || now <= header.expires_ms, 'EXPIRED');
}

/** Step 11: scan and decode the body of an opened message. */
export function openBody(opened) {
  scan(opened.name, opened.body, MESSAGE_BYTES_MAX);
  return decode(opened.name, opened.body);
}

/** A kept message, against a directory alone: sender, recipient and method are whom the header names, and the keys are
 * those in force when it says it was made ([COL-CHK-007]). */
export function verifyKept(bytes, directory) {
  const envelope = readEnvelope(bytes);
  check(envelope.messageName !== undefined, 'PAYLOAD_TYPE_WRONG');
  checkCount(envelope);
  const { header, body } = readPayload(envelope.payload);
  check(header !== null, 'HEADER_INCOMPLETE');
  const { sender, recipient, method, direction } = header;
  checkHeader(header, { environment: directory.environment, sender, recipient, method, direction });
  const inForce = (candidate) => keyInForce(candidate, 'ARCHIVE', header.created_ms);
  const { digest, key } = verifyAll(envelope, directory.candidates(sender), inForce);
  return { name: envelope.messageName, header, body, digest, key, envelope, disclosures: envelope.disclosures };
}
