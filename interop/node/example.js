#!/usr/bin/env node
// The worked example of the specification, chapter 13: fixed key, time and salts, so that the bytes never change. Prints
// the block that stands in both languages; test/example.test.js compares.
import { fileURLToPath } from 'node:url';
import { Signer } from './keys.js';
import { encode, payloadType } from './contract.js';
import { pae, seal, sha256 } from './envelope.js';
import { commitment } from './personal.js';

const BANK = 'bank:cn-beta-js';
const CENTRE = 'fund:cn-nj-prov';
const APPLICATION = '019abcde-0000-7000-8000-000000000001';
const CREATED_MS = 1795564800000n; // 2026-11-25 00:00 UTC
const COLUMN = 15;
const HEX_PER_LINE = 64;

function row(name, value) {
  const text = Buffer.isBuffer(value) ? value.toString('hex') : value;
  const parts = Buffer.isBuffer(value) ? text.match(new RegExp(`.{1,${HEX_PER_LINE}}`, 'g')) : [text];
  return parts.map((part, i) => `${(i === 0 ? name : '').padEnd(COLUMN)} ${part}`).join('\n');
}

function keyRows(signer) {
  return [
    row('seed', Buffer.from([...Array(32).keys()])),
    row('public key', signer.publicKey),
    row('keyid', signer.keyId),
    row('possession', signer.provePossession('test')),
  ];
}

function messageRows(signer) {
  const name = 'ApplicationQuery';
  const body = { application_id: APPLICATION };
  const header = {
    environment: 'test',
    message_id: Buffer.from('01a21000880070008000000000000001', 'hex'),
    recipient: CENTRE,
    method: 'coloan.v1.JointApproval/GetApplication',
    direction: 'DIRECTION_REQUEST',
    created_ms: CREATED_MS,
    expires_ms: CREATED_MS + 600_000n,
    application_id: APPLICATION,
  };
  const { envelope, digest, header: full } = seal(signer, name, body, header);
  const payload = encode('SignedPayload', { header: full, body: encode(name, body) });
  const text = pae(payloadType(name), payload);
  return [
    row('header', encode('SignedHeader', full)),
    row('body', encode(name, body)),
    row('payload', payload),
    row('payload_type', payloadType(name)),
    row('PAE', text),
    row('digest', digest),
    row('sig', signer.sign(text)),
    row('envelope', envelope),
  ];
}

function personalRows() {
  const [path, salt, value] = ['persons[0].name', Buffer.from('a0a1a2a3a4a5a6a7a8a9aaabacadaeaf', 'hex'), '测试甲'];
  return [
    row('path', path),
    row('salt', salt),
    row('value', `${value} = ${Buffer.from(value).toString('hex')}`),
    row('commitment', commitment(path, salt, Buffer.from(value))),
  ];
}

function termsRows() {
  const part = { term_months: 360, method: 'REPAYMENT_METHOD_EQUAL_INSTALMENT' };
  const terms = encode('OfferTerms', {
    application_id: APPLICATION,
    version: 1,
    bank_epoch: 1,
    bank: BANK,
    fund: { ...part, amount_fen: 80_000_000n, rate_ppm: 26_000, instalment_fen: 320_272n },
    commercial: { ...part, amount_fen: 24_000_000n, rate_ppm: 30_500, instalment_fen: 101_833n },
    price_fen: 130_000_000n,
    down_payment_fen: 26_000_000n,
    valid_until_ms: CREATED_MS + 90n * 86_400_000n,
    interest_subsidy: true,
  });
  return [row('terms', terms), row('terms_digest', sha256('coloan terms v1\n', terms))];
}

export function example() {
  const signer = Signer.fromSeed(BANK, Buffer.from([...Array(32).keys()]));
  return [keyRows(signer), messageRows(signer), personalRows(), termsRows()].map((rows) => rows.join('\n')).join('\n\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(example());
}
