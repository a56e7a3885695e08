package org.coloan.bank.e2e;

import java.time.Duration;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.coloan.bank.wire.Reason;
import org.coloan.bank.wire.Refused;

/** One line for each step; the first that is wrong ends everything. */
final class Steps {
    private static final Duration WAIT_MAX = Duration.ofSeconds(60);
    private static final Duration LOOK_AGAIN = Duration.ofMillis(20);

    private int passed;

    /** What a step does. */
    interface Action {
        void run() throws Exception;
    }

    /** A step was wrong; the message names it. */
    static final class Failed extends Exception {
        private static final long serialVersionUID = 1;

        Failed(String step, Exception cause) {
            super(step, cause);
        }
    }

    void step(String title, Action action) throws Failed {
        long started = System.nanoTime();
        try {
            action.run();
        } catch (Exception wrong) {
            throw new Failed(title, wrong);
        }
        passed++;
        long tookMs = Duration.ofNanos(System.nanoTime() - started).toMillis();
        System.out.printf("ok  %s  (%d ms)%n", title, tookMs);
    }

    int passed() {
        return passed;
    }

    static void expect(boolean condition, String what) {
        if (!condition) {
            throw new IllegalStateException("not so: " + what);
        }
    }

    static void expectEqual(Object expected, Object actual) {
        expect(expected.equals(actual), "expected " + expected + ", found " + actual);
    }

    /** Runs what has to be refused, and gives the refusal. */
    static Refused expectRefused(Reason reason, Action action) throws Exception {
        try {
            action.run();
        } catch (Refused refused) {
            expectEqual(reason.name(), refused.reason());
            return refused;
        }
        throw new IllegalStateException("not refused; " + reason + " was due");
    }

    static void until(String what, BooleanSupplier condition) throws InterruptedException {
        await(what, () -> condition.getAsBoolean() ? Optional.of(true) : Optional.empty());
    }

    static <T> T await(String what, Supplier<Optional<T>> found) throws InterruptedException {
        long end = System.nanoTime() + WAIT_MAX.toNanos();
        while (System.nanoTime() < end) {
            Optional<T> now = found.get();
            if (now.isPresent()) {
                return now.get();
            }
            Thread.sleep(LOOK_AGAIN.toMillis());
        }
        throw new IllegalStateException(what + " did not come within " + WAIT_MAX.toSeconds() + " s");
    }
}
