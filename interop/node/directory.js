// The signed key directory: whose keys verify what ([COL-KEY-006] to [COL-KEY-010]). What it is checked against cannot stand in a
// directory itself: the centre's directory key, pinned out of band. A directory with one bad key is refused whole.
import { check } from './refused.js';
import { KEYS_MAX, DIRECTORY_FIELDS_MAX, PAYLOAD_BYTES_MAX } from './limits.js';
import { decode } from './contract.js';
import { scan } from './scan.js';
import { isParty, isStrong, keyId, possessionText, verify } from './keys.js';
import { isUuid7, pae, readEnvelope, readPayload, SPEC_VERSION } from './envelope.js';

const DIRECTORY_METHOD = 'coloan.v1.Directory/GetKeys';

function checkDirectoryHeader(header, trust) {
  check(header !== null, 'HEADER_INCOMPLETE');
  check(header.spec_version === SPEC_VERSION, 'SPEC_VERSION');
  check(header.environment === trust.environment, 'ENVIRONMENT_WRONG');
  check(header.sender === trust.centre, 'SENDER_WRONG');
  check(header.recipient === '', 'RECIPIENT_WRONG');
  check(header.method === DIRECTORY_METHOD, 'METHOD_WRONG');
  check(header.direction === 'DIRECTION_EVENT', 'DIRECTION_WRONG');
  check(isUuid7(header.message_id), 'MESSAGE_ID_INVALID');
  check(header.in_reply_to.length === 0, 'IN_REPLY_TO_WRONG');
  check(header.expires_ms === 0n, 'LIFETIME_WRONG');
}

function checkKey(key, environment) {
  check(key.environment === environment, 'ENVIRONMENT_WRONG');
  check(key.algorithm === 'KEY_ALGORITHM_ED25519' && key.public_key.length === 32, 'DIRECTORY_INVALID');
  const complete = isParty(key.party) && key.purpose !== 'KEY_PURPOSE_UNSPECIFIED' &&
    key.status !== 'KEY_STATUS_UNSPECIFIED' && key.valid_from_ms >= 0n && key.valid_from_ms < key.valid_until_ms;
  check(complete, 'DIRECTORY_INVALID');
  check(isStrong(key.public_key), 'KEY_WEAK');
  const text = possessionText(key.party, environment, key.public_key);
  check(verify(key.public_key, text, key.possession), 'KEY_POSSESSION');
}

/** A key directory that verified as a whole; immutable. */
export class Directory {
  /** `trust` is what was agreed out of band: {publicKey, centre, environment}. `held`: the directory to be replaced. */
  static load(bytes, trust, held) {
    check(isStrong(trust.publicKey), 'KEY_WEAK');
    const envelope = readEnvelope(bytes);
    check(envelope.messageName === 'KeyDirectory', 'PAYLOAD_TYPE_WRONG');
    check(envelope.signatures.length === 1, 'SIGNATURE_COUNT');
    const [signature] = envelope.signatures;
    check(signature.batch === null, 'PROFILE_UNSUPPORTED');
    check(signature.keyid === '' || signature.keyid === keyId(trust.publicKey), 'KEY_UNKNOWN');
    const text = pae(envelope.payload_type, envelope.payload);
    check(verify(trust.publicKey, text, signature.sig), 'SIGNATURE_INVALID');
    const { header, body } = readPayload(envelope.payload);
    checkDirectoryHeader(header, trust);
    scan('KeyDirectory', body, PAYLOAD_BYTES_MAX, DIRECTORY_FIELDS_MAX);
    return new Directory(bytes, decode('KeyDirectory', body), header, trust, held);
  }

  constructor(bytes, directory, header, trust, held) {
    check(directory.environment === trust.environment, 'ENVIRONMENT_WRONG');
    const newer = directory.number > 0n && directory.number === header.sequence &&
      (held === undefined || directory.number > held.number);
    check(newer, 'SEQUENCE_WRONG');
    const count = directory.keys.length;
    check(directory.issued_ms > 0n && directory.issued_ms === header.created_ms, 'DIRECTORY_INVALID');
    check(count >= 1 && count <= KEYS_MAX, 'DIRECTORY_INVALID');
    directory.keys.forEach((key) => checkKey(key, trust.environment));
    const distinct = new Set(directory.keys.map((key) => key.public_key.toString('hex')));
    check(distinct.size === count, 'DIRECTORY_INVALID');
    this.bytes = Buffer.from(bytes);
    this.trust = trust;
    this.number = directory.number;
    this.environment = trust.environment;
    this.centre = trust.centre;
    this.keys = directory.keys.map((key) => ({ ...key, keyId: keyId(key.public_key) }));
  }

  /** The keys of a party for a purpose, whatever their state. */
  candidates(party, purpose = 'KEY_PURPOSE_SIGN') {
    return this.keys.filter((key) => key.party === party && key.purpose === purpose);
  }
}
