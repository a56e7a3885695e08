package org.coloan.bank.loan;

import static org.coloan.bank.support.Refusals.assertRefused;
import static org.junit.jupiter.api.Assertions.assertEquals;

import org.coloan.bank.wire.Reason;
import org.coloan.v1.LoanPart;
import org.coloan.v1.RepaymentMethod;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class InstalmentTest {
    @ParameterizedTest
    @CsvSource({
        "80000000, 26000, 360, EQUAL_INSTALMENT, 320272",
        "24000000, 30500, 360, EQUAL_INSTALMENT, 101833",
        "100000000, 26000, 360, EQUAL_INSTALMENT, 400340",
        "100000000, 30750, 360, EQUAL_INSTALMENT, 425660",
        "12000000, 12000, 120, EQUAL_PRINCIPAL, 112000",
        "100, 0, 3, EQUAL_INSTALMENT, 33",
        "200, 0, 3, EQUAL_INSTALMENT, 67",
        "1, 0, 2, EQUAL_INSTALMENT, 1",
        "0, 26000, 360, EQUAL_INSTALMENT, 0",
    })
    void toTheFen(long amountFen, int ratePpm, int months, String method, long expected) {
        assertEquals(expected, Instalment.fen(part(amountFen, ratePpm, months, method)));
    }

    @Test
    void whatCannotBeComputed() {
        assertRefused(Reason.FIELD_INVALID, () -> Instalment.fen(part(1, 26_000, 0, "EQUAL_INSTALMENT")));
        assertRefused(Reason.FIELD_INVALID, () -> Instalment.fen(part(1, -1, 360, "EQUAL_INSTALMENT")));
        assertRefused(Reason.FIELD_INVALID, () -> Instalment.fen(part(1, 26_000, 360, "UNSPECIFIED")));
    }

    private static LoanPart part(long amountFen, int ratePpm, int months, String method) {
        return LoanPart.newBuilder()
                .setAmountFen(amountFen)
                .setRatePpm(ratePpm)
                .setTermMonths(months)
                .setMethod(RepaymentMethod.valueOf("REPAYMENT_METHOD_" + method))
                .build();
    }
}
