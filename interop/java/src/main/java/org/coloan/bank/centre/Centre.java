package org.coloan.bank.centre;

import static org.coloan.bank.wire.Refused.check;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.coloan.bank.envelope.Expected;
import org.coloan.bank.envelope.Expected.Body;
import org.coloan.bank.envelope.Opened;
import org.coloan.bank.envelope.Opener;
import org.coloan.bank.envelope.Sealed;
import org.coloan.bank.envelope.Sealer;
import org.coloan.bank.key.KeyDirectory;
import org.coloan.bank.key.SigningKey;
import org.coloan.bank.wire.Contract;
import org.coloan.bank.wire.Limits;
import org.coloan.bank.wire.MessageId;
import org.coloan.bank.wire.Reason;
import org.coloan.bank.wire.Refused;
import org.coloan.v1.Direction;
import org.coloan.v1.Disclosure;
import org.coloan.v1.Event;
import org.coloan.v1.KeysAnswer;
import org.coloan.v1.KeysQuery;
import org.coloan.v1.Refusal;
import org.coloan.v1.SignedHeader;

/**
 * The fund centre, as a bank talks to it: signs what we say, verifies what it answers, and sends a message
 * again, as the same bytes, until its outcome is known (chapters 4.1 and 6). For any number of threads.
 */
public final class Centre implements AutoCloseable {
    private static final int TRIES = 8;
    private static final List<Body> EVENT = List.of(new Body(Event.getDefaultInstance(), Direction.DIRECTION_EVENT));
    private static final List<Body> REFUSAL =
            List.of(new Body(Refusal.getDefaultInstance(), Direction.DIRECTION_REFUSAL));

    private final ManagedChannel channel;
    private final SigningKey key;
    private final Clock clock;
    private final boolean batches;
    private volatile KeyDirectory directory;

    /** {@code batches}: whether it was agreed that the centre may send us batch signatures (chapter 11). */
    public Centre(ManagedChannel channel, SigningKey key, KeyDirectory directory, Clock clock, boolean batches) {
        this.channel = channel;
        this.key = key;
        this.directory = directory;
        this.clock = clock;
        this.batches = batches;
    }

    public Centre(ManagedChannel channel, SigningKey key, KeyDirectory directory) {
        this(channel, key, directory, Clock.systemUTC(), false);
    }

    public String party() {
        return key.party();
    }

    public KeyDirectory directory() {
        return directory;
    }

    // ---- What we say -----------------------------------------------------------------------------------------------

    /** A complete header, to which the caller may add what its message is about. */
    public SignedHeader.Builder header(String method, Direction direction) {
        long nowMs = clock.millis();
        return SignedHeader.newBuilder()
                .setSpecVersion(Contract.SPEC_VERSION)
                .setEnvironment(directory.environment())
                .setMessageId(MessageId.next(nowMs))
                .setSender(key.party())
                .setRecipient(directory.centre())
                .setMethod(method)
                .setDirection(direction)
                .setCreatedMs(nowMs)
                .setExpiresMs(nowMs + Limits.MESSAGE_LIFE_MS_MAX);
    }

    /**
     * Keep the bytes durably before they are first sent, and send no others for the same purpose
     * ([COL-DUP-001]).
     */
    public Sealed seal(SignedHeader.Builder header, Message body, List<Disclosure> disclosures) {
        return Sealer.seal(key, header.build(), body, disclosures);
    }

    public <Q extends Message> Sealed seal(Method<Q, ?> method, String applicationId, Q body) {
        SignedHeader.Builder header = header(method.name(), Direction.DIRECTION_REQUEST);
        return seal(header.setApplicationId(applicationId), body, List.of());
    }

    /** An acknowledgement or refusal of the event with that digest. */
    public Sealed sealAck(String method, ByteString eventDigest, Message ack) {
        return seal(header(method, Direction.DIRECTION_ACK).setInReplyTo(eventDigest), ack, List.of());
    }

    // ---- Calls -----------------------------------------------------------------------------------------------------

    /** Seals, sends, and gives the answer: for questions, which change nothing. */
    public <Q extends Message, R extends Message> R ask(Method<Q, R> method, Q question) {
        return ask(method, "", question);
    }

    public <Q extends Message, R extends Message> R ask(Method<Q, R> method, String applicationId, Q question) {
        return send(method, seal(method, applicationId, question)).body();
    }

    /** Sends until the outcome is known; Refused with the action SEND_AGAIN when it is not after all tries. */
    public <R extends Message> Opened<R> send(Method<?, R> method, Sealed message) {
        for (int left = TRIES; ; left--) {
            try {
                return openReply(method, message, sendOnce(method, message, Limits.DEADLINE));
            } catch (Refused refused) {
                if (left <= 1 || refused.action() != Refused.Action.SEND_AGAIN) {
                    throw refused;
                }
                pause(refused);
            }
        }
    }

    private static void pause(Refused refused) {
        try {
            Pause.withJitter(refused.retryAfter().orElseThrow());
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
            throw refused;
        }
    }

    /** One try; gives the reply's bytes as they came. */
    public ByteString sendOnce(Method<?, ?> method, Sealed message, Duration deadline) {
        CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(deadline.toMillis(), TimeUnit.MILLISECONDS);
        return sendOnce(method, message, options);
    }

    public ByteString sendOnce(Method<?, ?> method, Sealed message, CallOptions options) {
        try {
            return ClientCalls.blockingUnaryCall(channel, method.descriptor(), options, message.envelope());
        } catch (StatusRuntimeException failure) {
            throw refusal(failure.getStatus(), failure.getTrailers(), method.name(), Optional.of(message.digest()));
        }
    }

    /** A reply that does not verify tells nothing: the outcome is unknown, and the message goes again. */
    public <R extends Message> Opened<R> openReply(Method<?, R> method, Sealed message, ByteString reply) {
        try {
            List<Body> bodies = List.of(new Body(method.reply(), Direction.DIRECTION_REPLY));
            return open(reply, method.name(), bodies, Optional.of(message.digest()))
                    .as(typeOf(method.reply()));
        } catch (Refused invalid) {
            throw Refused.unknownOutcome(Reason.PEER_ANSWER_INVALID, ErrorDetails.RETRY, invalid.getMessage());
        }
    }

    @SuppressWarnings("unchecked") // the class of an R is a Class<R>
    private static <R extends Message> Class<R> typeOf(R type) {
        return (Class<R>) type.getClass();
    }

    /** The stream of chapter 8.1; its frames are envelopes. */
    public ClientCall<ByteString, ByteString> deliver() {
        return channel.newCall(Method.descriptor(Method.DELIVER, MethodType.BIDI_STREAMING), CallOptions.DEFAULT);
    }

    // ---- What the centre says --------------------------------------------------------------------------------------

    public Opened<Event> openEvent(ByteString bytes) {
        return open(bytes, Method.DELIVER, EVENT, Optional.empty()).as(Event.class);
    }

    /** {@code inReplyTo}: the digest of our message that is answered. */
    public Opened<Message> open(ByteString bytes, String method, List<Body> bodies, Optional<ByteString> inReplyTo) {
        return withCurrentKeys(method, () -> {
            Expected expected =
                    new Expected(directory, directory.centre(), key.party(), method, bodies, inReplyTo, batches);
            return Opener.open(bytes, expected, clock.millis());
        });
    }

    /**
     * The centre may have a new key: the directory is asked for once, before its message is refused (chapter
     * 5).
     */
    private <T> T withCurrentKeys(String method, Supplier<T> open) {
        try {
            return open.get();
        } catch (Refused refused) {
            boolean keyIsNew = refused.is(Reason.KEY_UNKNOWN) || refused.is(Reason.KEY_NOT_VALID);
            if (!keyIsNew || method.equals(Method.GET_KEYS.name()) || !refreshDirectory()) {
                throw refused;
            }
            return open.get();
        }
    }

    /** What a failed call or stream says; without {@code inReplyTo} of whichever message of ours. */
    public Refused refusal(Status status, Metadata trailers, String method, Optional<ByteString> inReplyTo) {
        return ErrorDetails.read(
                status,
                trailers,
                envelope -> open(envelope, method, REFUSAL, inReplyTo)
                        .as(Refusal.class)
                        .body());
    }

    // ---- Keys ------------------------------------------------------------------------------------------------------

    /** Takes a newer directory over, and tells whether there was one. At start, and every hour. */
    public synchronized boolean refreshDirectory() {
        KeyDirectory held = directory;
        KeysAnswer answer = ask(
                Method.GET_KEYS,
                KeysQuery.newBuilder().setKnownNumber(held.number()).build());
        if (answer.getDirectory().isEmpty()) {
            return false;
        }
        directory = KeyDirectory.load(answer.getDirectory(), held.trust(), held.number());
        check(directory.number() == answer.getNumber(), Reason.SEQUENCE_WRONG);
        return true;
    }

    @Override
    public void close() {
        channel.shutdownNow();
    }
}
