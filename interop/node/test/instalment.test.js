import { test } from 'node:test';
import assert from 'node:assert/strict';
import { instalmentFen } from '../instalment.js';
import { expectReason } from './support/refusing.js';

const EQUAL = 'REPAYMENT_METHOD_EQUAL_INSTALMENT';
const PRINCIPAL = 'REPAYMENT_METHOD_EQUAL_PRINCIPAL';
const of = (amount_fen, rate_ppm, term_months, method) => instalmentFen({ amount_fen, rate_ppm, term_months, method });

test('published instalments, to the fen', () => {
  assert.equal(of(80_000_000n, 26_000, 360, EQUAL), 320_272n);
  assert.equal(of(24_000_000n, 30_500, 360, EQUAL), 101_833n);
  assert.equal(of(100_000_000n, 26_000, 360, EQUAL), 400_340n);
  assert.equal(of(100_000_000n, 30_750, 360, EQUAL), 425_660n);
  assert.equal(of(40_000_000n, 42_000, 360, EQUAL) + of(60_000_000n, 28_500, 360, EQUAL), 443_741n);
});

test('equal principal, no interest, nothing borrowed', () => {
  assert.equal(of(12_000_000n, 12_000, 120, PRINCIPAL), 112_000n); // 100,000 and 0.1 % of 12,000,000
  assert.equal(of(100n, 0, 3, EQUAL), 33n);
  assert.equal(of(200n, 0, 3, EQUAL), 67n);
  assert.equal(of(0n, 26_000, 360, EQUAL), 0n);
});

test('what cannot be computed', () => {
  expectReason('FIELD_INVALID', () => of(1n, 26_000, 0, EQUAL));
  expectReason('FIELD_INVALID', () => of(1n, 26_000, 360, 'REPAYMENT_METHOD_UNSPECIFIED'));
});
