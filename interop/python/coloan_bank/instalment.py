"""The first monthly instalment of a loan part ([COL-OFR-010]): exact, rounded once, half up to the fen."""

from fractions import Fraction
from math import floor

from coloan.v1.decision_pb2 import REPAYMENT_METHOD_EQUAL_INSTALMENT, REPAYMENT_METHOD_EQUAL_PRINCIPAL, LoanPart

from coloan_bank.refused import check

_MONTHS_PPM = 12 * 1_000_000  # a yearly rate in millionths over this is the rate of a month


def instalment_fen(part: LoanPart) -> int:
    known = (REPAYMENT_METHOD_EQUAL_INSTALMENT, REPAYMENT_METHOD_EQUAL_PRINCIPAL)
    check(part.term_months > 0 and part.rate_ppm >= 0 and part.method in known, "FIELD_INVALID")
    principal, months = Fraction(part.amount_fen), part.term_months
    rate = Fraction(part.rate_ppm, _MONTHS_PPM)
    if rate == 0:
        exact = principal / months
    elif part.method == REPAYMENT_METHOD_EQUAL_PRINCIPAL:
        exact = principal / months + principal * rate
    else:
        growth = (1 + rate) ** months
        exact = principal * rate * growth / (growth - 1)
    return floor(exact + Fraction(1, 2))
