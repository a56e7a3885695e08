package org.coloan.bank.wire;

import java.time.Duration;
import java.util.Objects;
import java.util.Optional;

/**
 * Something that must not be: a check of ours that failed, or a refusal of the centre. It is named by a
 * reason of docs/REASONS.md. Everything that a peer can cause is thrown as this; any other exception is a
 * fault of ours or of the machine.
 */
public final class Refused extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** What the sender of the refused message does now. */
    public enum Action {
        /**
         * The outcome is open, or the centre could not take the message now: the same bytes again, after
         * {@link #retryAfter}.
         */
        SEND_AGAIN,
        /** Nothing was processed: mend what {@link #field} names and make a new message. */
        MEND,
        /** Nothing was processed, and no other message would be. */
        GIVE_UP
    }

    private final String reason;
    private final String field;
    private final Duration retryAfter; // null: not the same bytes again
    private final boolean signed;

    private Refused(String reason, String field, Duration retryAfter, boolean signed, String detail) {
        super(reason + (field.isEmpty() ? "" : " in " + field) + (detail.isEmpty() ? "" : ": " + detail));
        this.reason = reason;
        this.field = field;
        this.retryAfter = retryAfter;
        this.signed = signed;
    }

    public Refused(Reason reason) {
        this(reason, "");
    }

    /** {@code field} is the path to mend, in the contract's names. */
    public Refused(Reason reason, String field) {
        this(reason.name(), field, null, false, "");
    }

    /** What the centre said; {@code signed} when it signed it, too, and we have verified that. */
    public static Refused byCentre(String reason, String field, Optional<Duration> retryAfter, boolean signed) {
        return new Refused(reason, field, retryAfter.orElse(null), signed, "");
    }

    /** A call whose outcome nobody knows yet. */
    public static Refused unknownOutcome(Reason reason, Duration retryAfter, String detail) {
        return new Refused(reason.name(), "", retryAfter, false, detail);
    }

    public static void check(boolean condition, Reason reason) {
        check(condition, reason, "");
    }

    public static void check(boolean condition, Reason reason, String field) {
        if (!condition) {
            throw new Refused(reason, field);
        }
    }

    /** The name in docs/REASONS.md; of a later centre perhaps one that we do not know. */
    public String reason() {
        return reason;
    }

    public boolean is(Reason other) {
        return Objects.equals(reason, other.name());
    }

    public String field() {
        return field;
    }

    public Optional<Duration> retryAfter() {
        return Optional.ofNullable(retryAfter);
    }

    /** Whether it is evidence: the centre's own signature over the refusal of this very message. */
    public boolean signed() {
        return signed;
    }

    public Action action() {
        if (retryAfter != null) {
            return Action.SEND_AGAIN;
        }
        boolean never = Reason.named(reason)
                .map(Reason::retry)
                .filter(Reason.Retry.NEVER::equals)
                .isPresent();
        return never ? Action.GIVE_UP : Action.MEND;
    }
}
