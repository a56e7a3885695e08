import { test } from 'node:test';
import assert from 'node:assert/strict';
import { commitment, conceal, fieldsOf, reveal } from '../personal.js';
import { makeApplication } from '../bank.js';
import { expectReason } from './support/refusing.js';

const person = { name: '测试甲', id_number: '990101199603150019', mobile: '13900000001' };
const make = () => {
  const { application, disclosures } = makeApplication({ persons: [person, person], home: { address: '测试路1号' } });
  return { fields: fieldsOf(application), disclosures };
};

test('a commitment is the hash of counted path, salt and value', () => {
  // SHA-256("coloan field v1" || 00000001 "p" || 00000010 salt || 00000001 "v"), computed with sha256sum
  const salt = Buffer.alloc(16, 7);
  const got = commitment('p', salt, Buffer.from('v')).toString('hex');
  assert.equal(got, 'd1ec32e968bd07b8c8b4ffef3724a99d822f1c3ccd07cd1f02aa514d0ac01028');
});

test('every field of an application is committed to, with a salt of its own', () => {
  const { fields, disclosures } = make();
  assert.deepEqual([...fields.keys()], ['persons[0].name', 'persons[0].id_number', 'persons[0].mobile',
    'persons[1].name', 'persons[1].id_number', 'persons[1].mobile', 'home.address']);
  assert.notDeepEqual(fields.get('persons[0].name'), fields.get('persons[1].name'));
  const values = reveal(fields, disclosures, { all: true });
  assert.equal(values.get('persons[1].name'), '测试甲');
});

const spoilers = [
  ['nothing', (list) => list, undefined],
  ['a value missing', (list) => list.slice(1), 'DISCLOSURE_MISSING'],
  ['another value', ([first, ...rest]) => [{ ...first, value: Buffer.from('乙') }, ...rest], 'DISCLOSURE_MISMATCH'],
  ['another salt', ([first, ...rest]) => [{ ...first, salt: Buffer.alloc(16) }, ...rest], 'DISCLOSURE_MISMATCH'],
  ['a short salt', ([first, ...rest]) => [{ ...first, salt: first.salt.subarray(1) }, ...rest], 'DISCLOSURE_MISMATCH'],
  ['an empty value', ([first, ...rest]) => [{ ...first, value: Buffer.alloc(0) }, ...rest], 'DISCLOSURE_MISMATCH'],
  ['values swapped', ([a, b, ...rest]) => [{ ...a, value: b.value }, { ...b, value: a.value }, ...rest], 'DISCLOSURE_MISMATCH'],
  ['paths swapped', ([a, b, ...rest]) => [{ ...a, path: b.path }, { ...b, path: a.path }, ...rest], 'DISCLOSURE_MISMATCH'],
  ['a field twice', ([first, ...rest]) => [first, first, ...rest], 'DISCLOSURE_UNEXPECTED'],
  ['a path that is not there', (list) => [...list, { ...list[0], path: 'persons[2].name' }], 'DISCLOSURE_UNEXPECTED'],
];
for (const [name, spoil, reason] of spoilers) {
  test(`disclosures with ${name}`, () => {
    const { fields, disclosures } = make();
    expectReason(reason, () => reveal(fields, spoil(disclosures), { all: true }));
  });
}

test('an event may leave values out, but not change one', () => {
  const { fields, disclosures } = make();
  assert.equal(reveal(fields, disclosures.slice(0, 3), { all: false }).size, 3);
  expectReason('DISCLOSURE_MISMATCH', () => reveal(fields, [{ ...disclosures[0], value: Buffer.from('乙') }], { all: false }));
});

test('a salt used twice is refused', () => {
  const salt = Buffer.alloc(16, 7);
  const [a, b] = [conceal('a', '1', salt), conceal('b', '2', salt)];
  const fields = new Map([['a', a.commitment], ['b', b.commitment]]);
  expectReason('DISCLOSURE_MISMATCH', () => reveal(fields, [a.disclosure, b.disclosure], { all: true }));
});

test('a salt has 16 bytes, even when the commitment was made with another', () => {
  const short = conceal('a', '1', Buffer.alloc(15, 7));
  expectReason('DISCLOSURE_MISMATCH', () => reveal(new Map([['a', short.commitment]]), [short.disclosure], { all: true }));
});

test('a commitment has 32 bytes or is not there', () => {
  const fields = (name) => fieldsOf({ persons: [{ ...person, name, id_number: Buffer.alloc(0), mobile: Buffer.alloc(0) }], home: null });
  assert.equal(fields(Buffer.alloc(32)).size, 1);
  assert.equal(fields(Buffer.alloc(0)).size, 0);
  expectReason('FIELD_INVALID', () => fields(Buffer.alloc(31)));
});

test('values are 1 to 256 bytes of clean text', () => {
  conceal('p', 'x'.repeat(256));
  expectReason('FIELD_INVALID', () => conceal('p', 'x'.repeat(257)));
  expectReason('FIELD_INVALID', () => conceal('p', ''));
  expectReason('FIELD_INVALID', () => conceal('p', 'a\nb'));
});
