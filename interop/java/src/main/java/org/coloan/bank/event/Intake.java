package org.coloan.bank.event;

import static org.coloan.bank.wire.Refused.check;

import com.google.protobuf.ByteString;
import java.util.Optional;
import java.util.function.Consumer;
import org.coloan.bank.centre.Centre;
import org.coloan.bank.envelope.Opened;
import org.coloan.bank.journal.Journal;
import org.coloan.bank.journal.KeptEvent;
import org.coloan.bank.wire.Reason;
import org.coloan.v1.Event;

/**
 * The one place where events arrive, whichever way they come: each is made durable once, and taken over once.
 * What comes again is acknowledged again and changes nothing ([COL-DEL-008], [COL-DEL-011], [COL-DEL-012]).
 */
public final class Intake {
    /** No centre holds back so many. */
    private static final long RANGE_MAX = 100_000;

    private final Centre centre;
    private final Journal journal;
    private final EventHandler handler;
    private final Object applying = new Object();

    public Intake(Centre centre, Journal journal, EventHandler handler) {
        this.centre = centre;
        this.journal = journal;
        this.handler = handler;
    }

    /** How the events that are not here yet make themselves known. */
    public enum Way {
        /** In order; what is left out is named by a Held or a Gap before. */
        STREAM,
        /** Those of different applications in any order: whatever is missing comes later. */
        CALL
    }

    /** Returns when the event is durable here, now or before. */
    public synchronized void receive(Opened<Event> event, ByteString bytes, Way way) {
        boolean named = event.header().getApplicationId().equals(event.body().getApplicationId());
        check(named, Reason.FIELD_INVALID, "application_id");
        long sequence = event.header().getSequence();
        Optional<KeptEvent> known = journal.event(sequence);
        if (known.isPresent()) {
            check(known.get().digest().equals(event.digest()), Reason.SEQUENCE_WRONG);
            return;
        }
        if (way == Way.CALL && sequence > next()) {
            hold(next(), sequence - 1);
        }
        check(sequence == next() || journal.isHeld(sequence), Reason.SEQUENCE_WRONG);
        journal.received(sequence, event.digest(), bytes);
    }

    private long next() {
        return journal.lastSequence() + 1;
    }

    /** These come later, with their own numbers ([COL-DEL-024]). */
    public synchronized void hold(long from, long to) {
        checkRange(from, to);
        journal.held(from, to);
    }

    /** These do not come any more ([COL-DEL-016]). */
    public synchronized void lose(long from, long to) {
        checkRange(from, to);
        journal.lost(from, to);
    }

    private void checkRange(long from, long to) {
        check(from == next() && to >= from && to - from < RANGE_MAX, Reason.SEQUENCE_WRONG);
    }

    /** Takes over everything that is here and was not yet; {@code applied} hears of each when that is durable. */
    public void applyAll(Consumer<KeptEvent> applied) {
        synchronized (applying) {
            for (KeptEvent event : journal.unappliedEvents()) {
                String reference = handler.apply(centre.openEvent(event.envelope()));
                journal.applied(event.sequence(), reference);
                applied.accept(journal.event(event.sequence()).orElseThrow());
            }
        }
    }
}
