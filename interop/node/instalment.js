// The first monthly instalment of a loan part ([COL-OFR-010]): exact in whole numbers of any size, rounded once, half up.
import { check } from './refused.js';

const MONTHS = 12n;
const PPM = 1_000_000n;

function divideHalfUp(numerator, denominator) {
  return (2n * numerator + denominator) / (2n * denominator);
}

export function instalmentFen({ amount_fen: principal, rate_ppm: rate, term_months: term, method }) {
  const [n, unit] = [BigInt(term), MONTHS * PPM]; // the rate of a month is rate / unit
  const r = BigInt(rate);
  check(n > 0n && r >= 0n, 'FIELD_INVALID');
  if (method === 'REPAYMENT_METHOD_EQUAL_PRINCIPAL') {
    return divideHalfUp(principal * (unit + r * n), n * unit); // P/n + P r
  }
  check(method === 'REPAYMENT_METHOD_EQUAL_INSTALMENT', 'FIELD_INVALID');
  if (r === 0n) {
    return divideHalfUp(principal, n);
  }
  const [grown, flat] = [(unit + r) ** n, unit ** n];
  return divideHalfUp(principal * r * grown, unit * (grown - flat)); // P r (1+r)^n / ((1+r)^n - 1)
}
