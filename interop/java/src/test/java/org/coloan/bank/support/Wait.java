package org.coloan.bank.support;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import java.util.function.BooleanSupplier;

public final class Wait {
    private static final Duration MAX = Duration.ofSeconds(20);

    private Wait() {}

    public static void until(BooleanSupplier condition) throws InterruptedException {
        long end = System.nanoTime() + MAX.toNanos();
        while (!condition.getAsBoolean()) {
            assertTrue(System.nanoTime() < end, "did not happen in time");
            Thread.sleep(5);
        }
    }
}
