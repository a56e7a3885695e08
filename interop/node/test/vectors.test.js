// The golden vectors of interop/vectors: what every implementation has to make, or judge, alike.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { decode, encode } from '../contract.js';
import { Directory } from '../directory.js';
import { checkTime, digestOf, open, openBody, pae } from '../envelope.js';
import { keyId, possessionText, Signer, verify } from '../keys.js';
import { commitment, fieldsOf, reveal } from '../personal.js';
import { expectReason } from './support/refusing.js';

const hex = (text) => Buffer.from(text, 'hex');
const read = (name) => JSON.parse(fs.readFileSync(new URL(`../../vectors/${name}.json`, import.meta.url), 'utf8'));
const parties = read('parties');
const trust = { publicKey: hex(parties.directory_key), centre: parties.centre, environment: parties.environment };
const directory = Directory.load(hex(parties.directory), trust);

/** One test for each case of a file. */
function each(file, run) {
  const { cases } = read(file);
  assert.ok(cases.length > 0);
  cases.forEach((row) => test(`${file}: ${row.name}`, () => run(row)));
}

/** `run` has to end as the case expects. */
function judge({ expect }, run) {
  expectReason(expect === 'OK' ? undefined : expect, run);
}

each('pae', (row) => {
  const payload = hex(row.payload);
  const signer = Signer.fromSeed(parties.centre, hex(row.seed));
  const text = pae(row.payload_type, payload);
  assert.equal(text.toString('hex'), row.pae);
  assert.equal(digestOf(row.payload_type, payload).toString('hex'), row.digest);
  assert.equal(signer.publicKey.toString('hex'), row.public_key);
  assert.equal(signer.sign(text).toString('hex'), row.signature);
});

each('keyid', (row) => assert.equal(keyId(hex(row.public_key)), row.keyid));

each('possession', (row) => {
  const text = possessionText(row.party, row.environment, hex(row.public_key));
  assert.equal(verify(hex(row.public_key), text, hex(row.possession)), row.expect === 'OK');
});

each('commitment', (row) =>
  assert.equal(commitment(row.path, hex(row.salt), hex(row.value)).toString('hex'), row.commitment));

each('signature', (row) =>
  assert.equal(verify(hex(row.public_key), hex(row.message), hex(row.signature)), row.expect === 'OK'));

each('directory', (row) => {
  const held = row.held_number > 0 ? { number: BigInt(row.held_number) } : undefined;
  judge(row, () => Directory.load(hex(row.directory), trust, held));
});

/** All of a receiver's checks but duplicates and business. */
function receive(row) {
  const bytes = Buffer.concat([hex(row.envelope), Buffer.alloc(row.zeros_appended ?? 0)]);
  const opened = open(bytes, {
    directory,
    environment: row.environment,
    sender: row.sender,
    recipient: row.recipient,
    method: row.method,
    bodies: { [row.body_type]: `DIRECTION_${row.direction}` },
    inReplyTo: row.in_reply_to === '' ? undefined : hex(row.in_reply_to),
    nowMs: row.now_ms,
  });
  checkTime(opened.header, row.now_ms);
  const body = openBody(opened);
  reveal(opened.name === 'Application' ? fieldsOf(body) : new Map(), opened.disclosures, { all: true });
  return opened;
}

each('envelope', (row) => {
  let opened;
  judge(row, () => { opened = receive(row); });
  if (row.digest !== undefined) {
    const { payload, payload_type, signatures } = opened.envelope;
    assert.equal(opened.digest.toString('hex'), row.digest);
    assert.equal(opened.header.message_id.toString('hex'), row.message_id);
    assert.equal(encode('Envelope', { payload, payload_type, signatures }).toString('hex'), row.stored);
  }
});

// This bank does not have the batch profile.
each('batch', (row) => {
  const { signatures } = decode('Envelope', hex(row.envelope));
  const hasProof = signatures.some(({ batch }) => batch !== null);
  judge(hasProof ? { expect: 'PROFILE_UNSUPPORTED' } : row, () => receive(row));
});
