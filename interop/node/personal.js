// Personal values: the signed body holds salted commitments, the values travel beside it ([COL-PER-001] to [COL-PER-008]).
import crypto from 'node:crypto';
import { check } from './refused.js';
import { SALT_BYTES, VALUE_BYTES_MAX } from './limits.js';
import { checkText } from './scan.js';
import { sha256 } from './envelope.js';

const DOMAIN = Buffer.from('coloan field v1');

function counted(bytes) {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return [length, bytes];
}

export function commitment(path, salt, value) {
  return sha256(DOMAIN, ...counted(Buffer.from(path)), ...counted(salt), ...counted(value));
}

/** Commits to a text: the commitment goes into the body, the disclosure beside it. Every field has a salt of its own. */
export function conceal(path, text, salt = crypto.randomBytes(SALT_BYTES)) {
  const value = Buffer.from(text);
  checkValue(value, 'FIELD_INVALID');
  return { commitment: commitment(path, salt, value), disclosure: { path, salt, value } };
}

function checkValue(value, reason) {
  check(value.length >= 1 && value.length <= VALUE_BYTES_MAX, reason);
  try {
    checkText(value);
  } catch {
    check(false, reason);
  }
}

/** The commitments of an Application by path. */
export function fieldsOf(application) {
  const fields = new Map();
  const add = (path, value) => {
    check(value.length === 0 || value.length === 32, 'FIELD_INVALID', { field: path });
    if (value.length > 0) {
      fields.set(path, value);
    }
  };
  application.persons.forEach((person, i) => {
    add(`persons[${i}].name`, person.name);
    add(`persons[${i}].id_number`, person.id_number);
    add(`persons[${i}].mobile`, person.mobile);
  });
  if (application.home !== null) {
    add('home.address', application.home.address);
  }
  add('account', application.account ?? new Uint8Array(0));
  return fields;
}

/** Checks disclosures against commitments and gives the texts by path. With `all` none may be missing (a submission);
 * without, only those the consents allow are there (an event). */
export function reveal(fields, disclosures, { all }) {
  const values = new Map();
  const salts = new Set();
  for (const { path, salt, value } of disclosures) {
    check(fields.has(path) && !values.has(path), 'DISCLOSURE_UNEXPECTED');
    check(salt.length === SALT_BYTES, 'DISCLOSURE_MISMATCH');
    checkValue(value, 'DISCLOSURE_MISMATCH');
    check(crypto.timingSafeEqual(commitment(path, salt, value), fields.get(path)), 'DISCLOSURE_MISMATCH');
    check(!salts.has(salt.toString('hex')), 'DISCLOSURE_MISMATCH'); // it would show that two fields are equal
    salts.add(salt.toString('hex'));
    values.set(path, value.toString());
  }
  check(!all || values.size === fields.size, 'DISCLOSURE_MISSING');
  return values;
}
