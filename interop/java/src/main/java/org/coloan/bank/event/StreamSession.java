package org.coloan.bank.event;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import org.coloan.bank.centre.Centre;
import org.coloan.bank.centre.Method;
import org.coloan.bank.envelope.Expected.Body;
import org.coloan.bank.envelope.Opened;
import org.coloan.bank.envelope.Sealed;
import org.coloan.bank.journal.Journal;
import org.coloan.bank.journal.KeptEvent;
import org.coloan.bank.wire.Limits;
import org.coloan.bank.wire.Reason;
import org.coloan.bank.wire.Refused;
import org.coloan.v1.Ack;
import org.coloan.v1.Credit;
import org.coloan.v1.Direction;
import org.coloan.v1.Drain;
import org.coloan.v1.Event;
import org.coloan.v1.Gap;
import org.coloan.v1.Heartbeat;
import org.coloan.v1.Held;
import org.coloan.v1.Open;

/** One stream, from its Open to its end. */
final class StreamSession {
    private static final int OUTSTANDING = 100;
    private static final Duration SILENCE_MAX = Limits.HEARTBEAT.multipliedBy(3);
    private static final List<Body> FRAMES = List.of(
            new Body(Event.getDefaultInstance(), Direction.DIRECTION_EVENT),
            new Body(Heartbeat.getDefaultInstance(), Direction.DIRECTION_REPLY),
            new Body(Gap.getDefaultInstance(), Direction.DIRECTION_REPLY),
            new Body(Held.getDefaultInstance(), Direction.DIRECTION_REPLY),
            new Body(Drain.getDefaultInstance(), Direction.DIRECTION_REPLY));

    private final Centre centre;
    private final Journal journal;
    private final Intake intake;
    private final Consumer<String> operator;
    private final Frames frames;
    private final Sealed open;
    private int outstandingMax = OUTSTANDING;
    private volatile Heartbeat heartbeat; // null: none came yet
    private Drain drain; // null: the stream goes on

    StreamSession(
            Centre centre,
            Journal journal,
            Intake intake,
            Consumer<String> operator,
            ByteString sessionId,
            long epoch) {
        this.centre = centre;
        this.journal = journal;
        this.intake = intake;
        this.operator = operator;
        this.frames = Frames.start(centre.deliver());
        this.open = request(Open.newBuilder()
                .setResumeAfter(journal.lastSequence())
                .setSessionId(sessionId)
                .setEpoch(epoch)
                .setMaxOutstanding(OUTSTANDING)
                .build());
    }

    /** Gives the Drain that ended the stream in good order, if one did. */
    Optional<Drain> run() throws InterruptedException {
        intake.applyAll(this::acknowledgeApplied); // what was received before a crash
        while (true) {
            Frames.Signal signal = frames.next(SILENCE_MAX);
            if (signal instanceof Frames.Frame frame) {
                take(frame.bytes());
            } else if (signal instanceof Frames.Ended ended) {
                return end(ended);
            } else {
                throw Refused.unknownOutcome(Reason.PEER_UNREACHABLE, Duration.ZERO, "no frame came for too long");
            }
        }
    }

    private Optional<Drain> end(Frames.Ended ended) {
        if (!ended.status().isOk()) {
            throw centre.refusal(ended.status(), ended.trailers(), Method.DELIVER, Optional.empty());
        }
        return Optional.ofNullable(drain);
    }

    void cut() {
        frames.cancel("cut by us");
    }

    Optional<Heartbeat> heartbeat() {
        return Optional.ofNullable(heartbeat);
    }

    // ---- What the centre sends -------------------------------------------------------------------------------------

    private void take(ByteString bytes) {
        Opened<Message> frame = centre.open(bytes, Method.DELIVER, FRAMES, Optional.of(open.digest()));
        Message body = frame.body();
        if (body instanceof Event) {
            takeEvent(frame.as(Event.class), bytes);
        } else if (body instanceof Heartbeat beat) {
            takeHeartbeat(beat);
        } else if (body instanceof Held held) {
            intake.hold(held.getFrom(), held.getTo());
        } else if (body instanceof Gap gap) {
            intake.lose(gap.getFrom(), gap.getTo());
            operator.accept("events " + gap.getFrom() + " to " + gap.getTo()
                    + " cannot be delivered: ask with GetApplication, and call the centre");
        } else if (body instanceof Drain last) {
            drain = last;
        }
    }

    private void takeEvent(Opened<Event> event, ByteString bytes) {
        intake.receive(event, bytes, Intake.Way.STREAM);
        acknowledgeReceived(event.header().getSequence(), event.digest());
        journal.event(event.header().getSequence())
                .filter(KeptEvent::isApplied)
                .ifPresent(this::acknowledgeApplied); // it came again
        intake.applyAll(this::acknowledgeApplied);
    }

    /** The first tells what the centre has of ours ([COL-DEL-015]): what it does not know is said again. */
    private void takeHeartbeat(Heartbeat beat) {
        boolean isFirst = heartbeat == null;
        heartbeat = beat;
        if (!isFirst) {
            return;
        }
        long sure = Math.min(beat.getReceivedFloor(), journal.lastSequence() - OUTSTANDING);
        for (KeptEvent event : journal.eventsAfter(sure)) {
            acknowledgeReceived(event.sequence(), event.digest());
            if (event.isApplied()) {
                acknowledgeApplied(event);
            }
        }
        askForMore(beat.getHead() - beat.getReceivedFloor());
    }

    /** With much to catch up on, more may be on its way at once ([COL-DEL-006]). */
    private void askForMore(long backlog) {
        int wanted = (int) Math.min(backlog, Limits.OUTSTANDING_MAX);
        if (wanted > outstandingMax) {
            request(Credit.newBuilder().setMore(wanted - outstandingMax).build());
            outstandingMax = wanted;
        }
    }

    // ---- What we send ----------------------------------------------------------------------------------------------

    private Sealed request(Message frame) {
        Sealed sealed = centre.seal(centre.header(Method.DELIVER, Direction.DIRECTION_REQUEST), frame, List.of());
        frames.send(sealed.envelope());
        return sealed;
    }

    private void acknowledgeReceived(long sequence, ByteString digest) {
        acknowledge(digest, Acknowledgements.received(sequence));
    }

    private void acknowledgeApplied(KeptEvent event) {
        acknowledge(event.digest(), Acknowledgements.applied(event));
    }

    private void acknowledge(ByteString digest, Ack ack) {
        frames.send(centre.sealAck(Method.DELIVER, digest, ack).envelope());
    }
}
