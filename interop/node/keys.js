// Ed25519 signing keys: our own from its PEM file, and how anybody's are named and verified ([COL-KEY-001] to [COL-KEY-005]).
import { readFileSync, statSync } from 'node:fs';
import crypto from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519.js';
import { PARTY_BYTES_MAX, ENVIRONMENT_BYTES_MAX } from './limits.js';

const ALGORITHM_ED25519 = 1; // KEY_ALGORITHM_ED25519, the byte that is hashed into a key id
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex'); // RFC 8410, before the 32 bytes of the key
const IDENTITY = Buffer.from(`01${'00'.repeat(31)}`, 'hex');
const POSSESSION = 'coloan key possession v1\n';
const KINDS = ['fund', 'bank', 'channel', 'officer', 'authority'];

export function isParty(text) {
  const [, kind] = /^([a-z]+):[a-z0-9-]+$/.exec(text) ?? [];
  return KINDS.includes(kind) && text.length <= PARTY_BYTES_MAX;
}

export function isEnvironment(text) {
  return /^(prod|test|conf\/[a-z0-9-]+)$/.test(text) && text.length <= ENVIRONMENT_BYTES_MAX;
}

export function keyId(publicKey) {
  const digest = crypto.createHash('sha256').update(Buffer.of(ALGORITHM_ED25519)).update(publicKey).digest();
  return digest.subarray(0, 16).toString('hex');
}

/** A canonical point of the main subgroup: with any other key OpenSSL accepts signatures that nobody made. */
export function isStrong(publicKey) {
  try {
    const point = ed25519.Point.fromBytes(publicKey, false); // false: strict, as RFC 8032
    return !point.is0() && point.isTorsionFree();
  } catch {
    return false;
  }
}

// -- Ed25519 -----------------------------------------------------------------------------------------------------

const KEYS_KEPT_MAX = 4096;
const publicKeys = new Map(); // hex to KeyObject, null for a weak key: looking at a key costs more than verifying

function publicKeyObject(publicKey) {
  const hex = publicKey.toString('hex');
  let object = publicKeys.get(hex);
  if (object === undefined) {
    const der = Buffer.concat([SPKI_PREFIX, publicKey]);
    object = isStrong(publicKey) ? crypto.createPublicKey({ key: der, format: 'der', type: 'spki' }) : null;
    if (publicKeys.size === KEYS_KEPT_MAX) {
      publicKeys.clear();
    }
    publicKeys.set(hex, object);
  }
  return object;
}

/** Pure Ed25519, as strict as libsodium ([COL-KEY-005]): a weak key verifies nothing, and with a strong one the only R of small
 * order that could fit is the identity. OpenSSL alone accepts both. */
export function verify(publicKey, message, signature) {
  if (signature.length !== 64 || signature.subarray(0, 32).equals(IDENTITY)) {
    return false;
  }
  const key = publicKeyObject(publicKey);
  return key !== null && crypto.verify(null, message, key, signature);
}

/** Our own key: signs, and never leaves OpenSSL's memory. */
export class Signer {
  constructor(party, privateKey) {
    if (!isParty(party) || privateKey.asymmetricKeyType !== 'ed25519') {
      throw new TypeError('a signer is a party with an Ed25519 key');
    }
    this.party = party;
    this.privateKey = privateKey;
    this.publicKey = crypto.createPublicKey(privateKey).export({ format: 'der', type: 'spki' }).subarray(-32);
    this.keyId = keyId(this.publicKey);
  }

  /** A PEM PKCS#8 file as `openssl genpkey -algorithm ED25519` writes it, readable by its owner only. */
  static load(party, file) {
    if ((statSync(file).mode & 0o077) !== 0) {
      throw new Error(`${file} can be read by others: chmod 600`);
    }
    return new Signer(party, crypto.createPrivateKey(readFileSync(file)));
  }

  static fromSeed(party, seed) {
    const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
    const der = Buffer.concat([prefix, seed]);
    return new Signer(party, crypto.createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
  }

  sign(message) {
    return crypto.sign(null, message, this.privateKey);
  }

  /** The proof for the directory that we hold this key. */
  provePossession(environment) {
    return this.sign(possessionText(this.party, environment, this.publicKey));
  }
}

/** The 32 bytes of a public key's PEM file. */
export function loadPublicKey(file) {
  const key = crypto.createPublicKey(readFileSync(file));
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new Error(`${file} is no Ed25519 key`);
  }
  return key.export({ format: 'der', type: 'spki' }).subarray(-32);
}

export function possessionText(party, environment, publicKey) {
  return Buffer.concat([Buffer.from(`${POSSESSION}${party}\n${environment}\n`), publicKey]);
}

/** Whether a key may verify a message: LIVE one that arrives at `atMs`, ARCHIVE one that was made at `atMs`. */
export function keyInForce(key, use, atMs) {
  const inTime = key.valid_from_ms <= atMs && atMs < key.valid_until_ms;
  const inUse = key.status === 'KEY_STATUS_ACTIVE' || key.status === 'KEY_STATUS_RETIRING';
  return inTime && (inUse || use === 'ARCHIVE');
}
