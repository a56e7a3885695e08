package org.coloan.bank.loan;

import static org.coloan.bank.wire.Refused.check;

import java.math.BigInteger;
import org.coloan.bank.wire.Reason;
import org.coloan.bank.wire.Refused;
import org.coloan.v1.LoanPart;

/**
 * The first monthly instalment of a loan part ([COL-OFR-010]): exact in whole numbers, rounded once, half up
 * to the fen.
 */
public final class Instalment {
    private static final BigInteger UNIT = BigInteger.valueOf(12 * 1_000_000); // the rate of a month is rate / UNIT

    private Instalment() {}

    public static long fen(LoanPart part) {
        check(part.getTermMonths() > 0 && part.getRatePpm() >= 0 && part.getAmountFen() >= 0, Reason.FIELD_INVALID);
        BigInteger principal = BigInteger.valueOf(part.getAmountFen());
        BigInteger rate = BigInteger.valueOf(part.getRatePpm());
        return switch (part.getMethod()) {
            case REPAYMENT_METHOD_EQUAL_PRINCIPAL -> equalPrincipal(principal, rate, part.getTermMonths());
            case REPAYMENT_METHOD_EQUAL_INSTALMENT -> equalInstalment(principal, rate, part.getTermMonths());
            default -> throw new Refused(Reason.FIELD_INVALID, "method");
        };
    }

    /** P/n + P r. */
    private static long equalPrincipal(BigInteger principal, BigInteger rate, int months) {
        BigInteger n = BigInteger.valueOf(months);
        return roundedHalfUp(principal.multiply(UNIT.add(rate.multiply(n))), n.multiply(UNIT));
    }

    /** P r (1+r)^n / ((1+r)^n - 1), or P/n without interest. */
    private static long equalInstalment(BigInteger principal, BigInteger rate, int months) {
        if (rate.signum() == 0) {
            return roundedHalfUp(principal, BigInteger.valueOf(months));
        }
        BigInteger grown = UNIT.add(rate).pow(months);
        BigInteger flat = UNIT.pow(months);
        return roundedHalfUp(principal.multiply(rate).multiply(grown), UNIT.multiply(grown.subtract(flat)));
    }

    private static long roundedHalfUp(BigInteger numerator, BigInteger denominator) {
        BigInteger doubled = numerator.shiftLeft(1).add(denominator);
        return doubled.divide(denominator.shiftLeft(1)).longValueExact();
    }
}
