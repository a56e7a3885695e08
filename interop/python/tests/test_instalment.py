import pytest
from coloan.v1.decision_pb2 import (
    REPAYMENT_METHOD_EQUAL_INSTALMENT,
    REPAYMENT_METHOD_EQUAL_PRINCIPAL,
    REPAYMENT_METHOD_UNSPECIFIED,
    LoanPart,
    RepaymentMethod,
)

from coloan_bank.instalment import instalment_fen
from tests.support.refusing import refused

EQUAL = REPAYMENT_METHOD_EQUAL_INSTALMENT


def first(amount_fen: int, rate_ppm: int, term_months: int, method: RepaymentMethod = EQUAL) -> int:
    part = LoanPart(amount_fen=amount_fen, rate_ppm=rate_ppm, term_months=term_months, method=method)
    return instalment_fen(part)


@pytest.mark.parametrize(
    ("amount_fen", "rate_ppm", "expected"),
    [
        (80_000_000, 26_000, 320_272),
        (24_000_000, 30_500, 101_833),
        (100_000_000, 26_000, 400_340),
        (100_000_000, 30_750, 425_660),
    ],
)
def test_published_instalments_to_the_fen(amount_fen: int, rate_ppm: int, expected: int) -> None:
    assert first(amount_fen, rate_ppm, 360) == expected


def test_equal_principal_no_interest_and_nothing_borrowed() -> None:
    assert first(12_000_000, 12_000, 120, REPAYMENT_METHOD_EQUAL_PRINCIPAL) == 112_000  # 100,000 and 0.1 % of it all
    assert first(100, 0, 3) == 33
    assert first(200, 0, 3) == 67
    assert first(1, 0, 2) == 1  # half up
    assert first(0, 26_000, 360) == 0


def test_what_cannot_be_computed() -> None:
    with refused("FIELD_INVALID"):
        first(1, 26_000, 0)
    with refused("FIELD_INVALID"):
        first(1, -1, 360)
    with refused("FIELD_INVALID"):
        first(1, 26_000, 360, REPAYMENT_METHOD_UNSPECIFIED)
