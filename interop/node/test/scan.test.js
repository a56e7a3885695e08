import { test } from 'node:test';
import { scan } from '../scan.js';
import { encode } from '../contract.js';
import { expectReason } from './support/refusing.js';

const hex = (text) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const NINE_BYTES = 'ff ff ff ff ff ff ff ff ff';

/** name, message, bytes, reason (undefined: fits), limits */
const rows = [
  ['nothing', 'SignedHeader', ''],
  ['a text', 'SignedHeader', '0a 03 31 2e 30'],
  ['all of a header', 'SignedHeader', encode('SignedHeader', { spec_version: '1.0', direction: 'DIRECTION_ACK', sequence: 2n ** 64n - 1n }).toString('hex')],
  ['a negative int32', 'LoanPart', '10 fe ff ff ff ff ff ff ff ff 01'],
  ['a packed list of enumerations', 'VerificationQuery', '0a 02 01 02'],
  ['the same list unpacked', 'VerificationQuery', '08 01 08 02'],
  ['a repeated message', 'Envelope', '1a 00 1a 00'],

  ['a cut length', 'SignedHeader', '0a', 'WIRE_MALFORMED'],
  ['a length past the end', 'SignedHeader', '0a 04 31 2e 30', 'WIRE_MALFORMED'],
  ['a length past the inner end', 'SignedPayload', '0a 02 0a 01', 'WIRE_MALFORMED'],
  ['field number 0', 'SignedHeader', '00 00', 'WIRE_MALFORMED'],
  ['wire type 6', 'SignedHeader', '0e 00', 'WIRE_MALFORMED'],
  ['wire type 7', 'SignedHeader', '0f 00', 'WIRE_MALFORMED'],
  ['a field number of 30 bits', 'SignedHeader', '80 80 80 80 10 00', 'WIRE_MALFORMED'],
  ['more than 64 bits', 'SignedHeader', `60 ${NINE_BYTES} 02`, 'WIRE_MALFORMED'],
  ['an endless varint', 'SignedHeader', `60 ${NINE_BYTES} ff 01`, 'WIRE_MALFORMED'],
  ['a group', 'SignedHeader', '0b 0c', 'WIRE_TYPE'],
  ['the end of a group', 'SignedHeader', '0c', 'WIRE_TYPE'],
  ['a number for a text', 'SignedHeader', '08 01', 'WIRE_TYPE'],
  ['a text for a number', 'SignedHeader', '62 00', 'WIRE_TYPE'],
  ['a padded number', 'SignedHeader', '60 81 00', 'WIRE_VARINT'],
  ['a padded length', 'SignedHeader', '0a 83 00 31 2e 30', 'WIRE_VARINT'],
  ['a padded field key', 'SignedHeader', '8a 00 03 31 2e 30', 'WIRE_VARINT'],
  ['a bool of 2', 'Person', '30 02', 'WIRE_VARINT'],
  ['an int32 of 2^31', 'LoanPart', '10 80 80 80 80 08', 'WIRE_VARINT'],
  ['a uint32 past its type', 'Credit', '08 80 80 80 80 10', 'WIRE_VARINT'],
  ['a text twice', 'SignedHeader', '0a 00 0a 00', 'WIRE_DUPLICATE'],
  ['a number twice', 'SignedHeader', '60 01 60 01', 'WIRE_DUPLICATE'],
  ['a field of tomorrow', 'SignedHeader', '68 01', 'WIRE_UNKNOWN_FIELD'],
  ['an unknown field inside', 'SignedPayload', '0a 02 68 01', 'WIRE_UNKNOWN_FIELD'],
  ['an undeclared enumeration value', 'SignedHeader', '38 06', 'ENUM_UNKNOWN'],
  ['an enumeration value past 32 bits', 'SignedHeader', '38 81 80 80 80 10', 'ENUM_UNKNOWN'],
  ['an undeclared value in a packed list', 'VerificationQuery', '0a 02 01 63', 'ENUM_UNKNOWN'],
  ['broken UTF-8', 'SignedHeader', '0a 01 ff', 'TEXT_ENCODING'],
  ['an overlong form', 'SignedHeader', '0a 02 c0 80', 'TEXT_ENCODING'],
  ['a surrogate', 'SignedHeader', '0a 03 ed a0 80', 'TEXT_ENCODING'],
  ['NUL', 'SignedHeader', '0a 01 00', 'TEXT_CONTROL'],
  ['a line feed', 'SignedHeader', '0a 01 0a', 'TEXT_CONTROL'],
  ['DEL', 'SignedHeader', '0a 01 7f', 'TEXT_CONTROL'],
  ['a C1 control', 'SignedHeader', '0a 02 c2 85', 'TEXT_CONTROL'],
  ['a no-break space, which is no control', 'SignedHeader', '0a 02 c2 a0'],
];

for (const [name, message, bytes, reason] of rows) {
  test(`scan: ${name}`, () => expectReason(reason, () => scan(message, hex(bytes), 1000)));
}

test('scan: size', () => {
  scan('SignedHeader', hex('0a 01 31'), 3);
  expectReason('MESSAGE_TOO_LARGE', () => scan('SignedHeader', hex('0a 01 31'), 2));
});

test('scan: number of fields, elements of packed lists included', () => {
  scan('VerificationQuery', hex('0a 02 01 02'), 1000, 3);
  expectReason('WIRE_TOO_MANY_FIELDS', () => scan('VerificationQuery', hex('0a 02 01 02'), 1000, 2));
  expectReason('WIRE_TOO_MANY_FIELDS', () => scan('Envelope', hex('1a 00 1a 00'), 1000, 1));
});

test('scan: a text inside a view of a larger buffer', () => {
  const larger = hex('ff 0a 01 31 ff');
  scan('SignedHeader', larger.subarray(1, 4), 1000);
});
