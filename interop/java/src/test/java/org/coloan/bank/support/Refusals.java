package org.coloan.bank.support;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import org.coloan.bank.wire.Reason;
import org.coloan.bank.wire.Refused;
import org.junit.jupiter.api.function.Executable;

public final class Refusals {
    private Refusals() {}

    public static Refused assertRefused(Reason reason, Executable run) {
        return assertRefused(reason.name(), run);
    }

    public static Refused assertRefused(String reason, Executable run) {
        Refused refused = assertThrows(Refused.class, run);
        assertEquals(reason, refused.reason());
        return refused;
    }

    /** A vector's {@code expect}: OK, or the one reason. */
    public static void assertOutcome(String expect, Executable run) {
        if (!expect.equals("OK")) {
            assertRefused(expect, run);
            return;
        }
        try {
            run.execute();
        } catch (Throwable failure) {
            throw new AssertionError("should have been taken", failure);
        }
    }
}
