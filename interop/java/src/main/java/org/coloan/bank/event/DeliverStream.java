package org.coloan.bank.event;

import com.google.protobuf.ByteString;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Consumer;
import org.coloan.bank.centre.Centre;
import org.coloan.bank.centre.Pause;
import org.coloan.bank.journal.Journal;
import org.coloan.bank.wire.Reason;
import org.coloan.bank.wire.Refused;
import org.coloan.v1.Drain;
import org.coloan.v1.Heartbeat;

/**
 * Events by one stream that comes back by itself and goes on where it was (chapter 8.1). Each is verified,
 * written to the journal, acknowledged RECEIVED, taken over, acknowledged APPLIED. Acknowledgements are not
 * answered; those that a break may have swallowed are sent again, and the centre takes the same one twice.
 */
public final class DeliverStream {
    private static final int SESSION_ID_BYTES = 16;
    private static final Duration BACKOFF_MIN = Duration.ofMillis(500);
    private static final Duration BACKOFF_MAX = Duration.ofSeconds(30);

    private final Centre centre;
    private final Journal journal;
    private final Intake intake;
    private final long epoch;
    private final Consumer<String> operator;
    private final ByteString sessionId; // of this process, kept across reconnects
    private volatile boolean stopped;
    private volatile StreamSession session; // the last one; null before the first

    /**
     * @param epoch rises with each start of the bank's process: {@link Journal#started}
     * @param operator is told what somebody should know; nothing personal
     */
    public DeliverStream(Centre centre, Journal journal, Intake intake, long epoch, Consumer<String> operator) {
        this.centre = centre;
        this.journal = journal;
        this.intake = intake;
        this.epoch = epoch;
        this.operator = operator;
        byte[] random = new byte[SESSION_ID_BYTES];
        new SecureRandom().nextBytes(random);
        this.sessionId = ByteString.copyFrom(random);
    }

    /** Runs until {@link #stop}, or until another process of this bank takes over: then Refused, STREAM_FENCED. */
    public void run() throws InterruptedException {
        Duration backoff = BACKOFF_MIN;
        while (!stopped) {
            long before = journal.lastSequence();
            Optional<Drain> drain = runSession();
            boolean delivered = journal.lastSequence() > before;
            backoff = delivered ? BACKOFF_MIN : backoff;
            if (!stopped) {
                Pause.withJitter(drain.map(Drain::getReconnectAfterMs)
                        .map(Duration::ofMillis)
                        .orElse(backoff));
            }
            backoff = shorter(backoff.multipliedBy(2), BACKOFF_MAX);
        }
    }

    private static Duration shorter(Duration one, Duration other) {
        return one.compareTo(other) < 0 ? one : other;
    }

    private Optional<Drain> runSession() throws InterruptedException {
        session = new StreamSession(centre, journal, intake, operator, sessionId, epoch);
        try {
            return session.run();
        } catch (Refused refused) {
            if (stopped) {
                return Optional.empty();
            }
            if (refused.is(Reason.STREAM_FENCED)) {
                throw refused; // another process has taken over: this one must not come back ([COL-DEL-005])
            }
            operator.accept("the stream ended: " + refused.getMessage());
            return Optional.empty();
        } finally {
            session.cut();
        }
    }

    public void stop() {
        stopped = true;
        cut();
    }

    /** Cuts the connection, as a network would: {@link #run} comes back by itself. */
    public void cut() {
        Optional.ofNullable(session).ifPresent(StreamSession::cut);
    }

    /** The last one of the stream that is open now. */
    public Optional<Heartbeat> heartbeat() {
        return Optional.ofNullable(session).flatMap(StreamSession::heartbeat);
    }
}
