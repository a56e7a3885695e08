package org.coloan.bank.centre;

import java.time.Duration;
import java.util.concurrent.ThreadLocalRandom;

/** Waiting, up to a fifth longer than told: so that not all banks come back at the same moment. */
public final class Pause {
    private static final long JITTER_PARTS = 5;

    private Pause() {}

    public static void withJitter(Duration duration) throws InterruptedException {
        long millis = duration.toMillis();
        Thread.sleep(millis + ThreadLocalRandom.current().nextLong(millis / JITTER_PARTS + 1));
    }
}
