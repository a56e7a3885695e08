package org.coloan.bank.event;

import com.google.protobuf.ByteString;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * The frames of one stream, taken one at a time: the next is asked for when the last was dealt with, so a
 * slow bank slows the centre down and fills no memory.
 */
final class Frames extends ClientCall.Listener<ByteString> {
    /** What comes from the other side. */
    sealed interface Signal {}

    record Frame(ByteString bytes) implements Signal {}

    record Ended(Status status, Metadata trailers) implements Signal {}

    /** Nothing came for too long. */
    record Silence() implements Signal {}

    private final ClientCall<ByteString, ByteString> call;
    private final BlockingQueue<Signal> signals = new LinkedBlockingQueue<>();
    private boolean cancelled;

    private Frames(ClientCall<ByteString, ByteString> call) {
        this.call = call;
    }

    static Frames start(ClientCall<ByteString, ByteString> call) {
        Frames frames = new Frames(call);
        call.start(frames, new Metadata());
        return frames;
    }

    @Override
    public void onMessage(ByteString bytes) {
        signals.add(new Frame(bytes));
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
        signals.add(new Ended(status, trailers));
    }

    Signal next(Duration silenceMax) throws InterruptedException {
        call.request(1);
        Signal signal = signals.poll(silenceMax.toMillis(), TimeUnit.MILLISECONDS);
        return signal == null ? new Silence() : signal;
    }

    synchronized void send(ByteString bytes) {
        if (!cancelled) { // what is sent after that is lost, as it would be on a broken connection
            call.sendMessage(bytes);
        }
    }

    /** Cuts the stream, from whichever thread. */
    synchronized void cancel(String why) {
        cancelled = true;
        call.cancel(why, null);
    }
}
