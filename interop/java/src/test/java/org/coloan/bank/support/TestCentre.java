package org.coloan.bank.support;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Server;
import io.grpc.ServerCallHandler;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.coloan.bank.centre.Centre;
import org.coloan.bank.centre.ErrorDetails;
import org.coloan.bank.centre.Method;
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
import org.coloan.v1.Ack;
import org.coloan.v1.AckLevel;
import org.coloan.v1.Capabilities;
import org.coloan.v1.CapabilitiesQuery;
import org.coloan.v1.Credit;
import org.coloan.v1.Direction;
import org.coloan.v1.Event;
import org.coloan.v1.EventKind;
import org.coloan.v1.EventList;
import org.coloan.v1.EventListQuery;
import org.coloan.v1.EventState;
import org.coloan.v1.Heartbeat;
import org.coloan.v1.KeysAnswer;
import org.coloan.v1.KeysQuery;
import org.coloan.v1.Open;
import org.coloan.v1.SignedHeader;

/**
 * A small centre for one bank, without TLS, rules or store: messages with all their checks, and one stream.
 * It is no reference.
 */
public final class TestCentre implements AutoCloseable {
    private static final String APPLICATION = "01900000-0000-7000-8000-000000000000";
    private static final List<Body> FRAMES = List.of(
            new Body(Open.getDefaultInstance(), Direction.DIRECTION_REQUEST),
            new Body(Credit.getDefaultInstance(), Direction.DIRECTION_REQUEST),
            new Body(Ack.getDefaultInstance(), Direction.DIRECTION_ACK));

    public final SigningKey root = Keys.make(Keys.CENTRE);
    public final SigningKey key = Keys.make(Keys.CENTRE);
    public final SigningKey bankKey = Keys.make(Keys.BANK);
    /** Reasons to refuse the next calls with. */
    public final Deque<Reason> failNext = new ArrayDeque<>();

    private final KeyDirectory directory;
    private final Server server;
    private final Map<ByteString, ByteString> answers = new HashMap<>(); // by digest of the request
    private final List<ByteString> outbox = new ArrayList<>();
    private final List<Ack> acks = new ArrayList<>();
    private final List<Credit> credits = new ArrayList<>();
    private StreamObserver<ByteString> stream; // null: none is open
    private Opened<Message> open;
    private ByteString newerDirectory = ByteString.EMPTY;
    private int repliesToDrop;
    private int calls;
    private int streams;

    public TestCentre() throws IOException {
        directory = KeyDirectory.load(issue(1, List.of(key, bankKey)), Keys.trust(root));
        ServerServiceDefinition joint = ServerServiceDefinition.builder("coloan.v1.JointApproval")
                .addMethod(
                        Method.descriptor(Method.DELIVER, MethodType.BIDI_STREAMING),
                        ServerCalls.asyncBidiStreamingCall(this::onStream))
                .addMethod(
                        Method.LIST_EVENTS.descriptor(),
                        unary(Method.LIST_EVENTS.name(), EventListQuery.getDefaultInstance()))
                .addMethod(
                        Method.ACKNOWLEDGE_EVENT.descriptor(),
                        unary(Method.ACKNOWLEDGE_EVENT.name(), Ack.getDefaultInstance()))
                .build();
        ServerServiceDefinition keys = ServerServiceDefinition.builder("coloan.v1.Directory")
                .addMethod(
                        Method.GET_CAPABILITIES.descriptor(),
                        unary(Method.GET_CAPABILITIES.name(), CapabilitiesQuery.getDefaultInstance()))
                .addMethod(Method.GET_KEYS.descriptor(), unary(Method.GET_KEYS.name(), KeysQuery.getDefaultInstance()))
                .build();
        server = NettyServerBuilder.forPort(0)
                .addService(joint)
                .addService(keys)
                .build()
                .start();
    }

    /** The bank's side of a connection. */
    public Centre connect() {
        ManagedChannel channel = NettyChannelBuilder.forAddress("localhost", server.getPort())
                .usePlaintext()
                .build();
        return new Centre(channel, bankKey, directory);
    }

    public KeyDirectory directory() {
        return directory;
    }

    public ByteString issue(long number, List<SigningKey> keys) {
        long nowMs = System.currentTimeMillis();
        return Keys.issue(
                root,
                number,
                nowMs,
                keys.stream().map(one -> Keys.entry(one, nowMs).build()).toList());
    }

    public synchronized void offerDirectory(ByteString bytes) {
        newerDirectory = bytes;
    }

    public synchronized void dropReplies(int count) {
        repliesToDrop = count;
    }

    public synchronized int calls() {
        return calls;
    }

    /** How many different requests were answered. */
    public synchronized int processed() {
        return answers.size();
    }

    // ---- Calls -----------------------------------------------------------------------------------------------------

    private ServerCallHandler<ByteString, ByteString> unary(String method, Message type) {
        return ServerCalls.asyncUnaryCall((bytes, reply) -> {
            try {
                reply.onNext(answer(method, type, bytes));
                reply.onCompleted();
            } catch (Refused refused) {
                reply.onError(failure(refused));
            } catch (StatusRuntimeException dropped) {
                reply.onError(dropped);
            }
        });
    }

    private static StatusRuntimeException failure(Refused refused) {
        return Status.FAILED_PRECONDITION.asRuntimeException(ErrorDetails.of(refused));
    }

    private synchronized ByteString answer(String method, Message type, ByteString bytes) {
        calls++;
        if (!failNext.isEmpty()) {
            throw failure(new Refused(failNext.remove()));
        }
        Direction direction = type instanceof Ack ? Direction.DIRECTION_ACK : Direction.DIRECTION_REQUEST;
        Opened<Message> request = openMessage(bytes, method, List.of(new Body(type, direction)));
        ByteString reply = answers.computeIfAbsent(
                request.digest(),
                digest -> say(replyHeader(method, digest), replyTo(request.body()))
                        .envelope());
        if (repliesToDrop > 0) {
            repliesToDrop--;
            throw Status.UNAVAILABLE.asRuntimeException();
        }
        return reply;
    }

    private Message replyTo(Message body) {
        if (body instanceof Ack ack) {
            acks.add(ack);
            return EventState.getDefaultInstance();
        }
        if (body instanceof KeysQuery) {
            return KeysAnswer.newBuilder()
                    .setNumber(newerDirectory.isEmpty() ? 1 : 2)
                    .setDirectory(newerDirectory)
                    .build();
        }
        return body instanceof EventListQuery
                ? EventList.getDefaultInstance()
                : Capabilities.newBuilder().setParty(Keys.CENTRE).build();
    }

    private Opened<Message> openMessage(ByteString bytes, String method, List<Body> bodies) {
        Expected expected = new Expected(directory, Keys.BANK, Keys.CENTRE, method, bodies, Optional.empty(), false);
        return Opener.open(bytes, expected, System.currentTimeMillis());
    }

    private SignedHeader.Builder header(String method, Direction direction) {
        long nowMs = System.currentTimeMillis();
        return SignedHeader.newBuilder()
                .setSpecVersion(Contract.SPEC_VERSION)
                .setEnvironment("test")
                .setMessageId(MessageId.next(nowMs))
                .setSender(Keys.CENTRE)
                .setRecipient(Keys.BANK)
                .setMethod(method)
                .setDirection(direction)
                .setCreatedMs(nowMs);
    }

    private SignedHeader.Builder replyHeader(String method, ByteString request) {
        SignedHeader.Builder header = header(method, Direction.DIRECTION_REPLY);
        return header.setExpiresMs(header.getCreatedMs() + Limits.MESSAGE_LIFE_MS_MAX)
                .setInReplyTo(request);
    }

    private Sealed say(SignedHeader.Builder header, Message body) {
        return Sealer.seal(key, header.build(), body, List.of());
    }

    // ---- Events ----------------------------------------------------------------------------------------------------

    /** An event, signed; it goes nowhere yet. */
    public Sealed event(long sequence, Event.Builder event) {
        return event(sequence, event, key);
    }

    public Sealed event(long sequence, Event.Builder event, SigningKey signer) {
        SignedHeader.Builder header = header(Method.DELIVER, Direction.DIRECTION_EVENT)
                .setSequence(sequence)
                .setApplicationId(event.getApplicationId());
        return Sealer.seal(signer, header.build(), event.build(), List.of());
    }

    public static Event.Builder statusEvent() {
        return Event.newBuilder().setKind(EventKind.EVENT_KIND_STATUS).setApplicationId(APPLICATION);
    }

    /** The next event; on the stream when there is one. */
    public synchronized Sealed push() {
        Sealed event = event(outbox.size() + 1, statusEvent());
        outbox.add(event.envelope());
        send(event.envelope());
        return event;
    }

    public synchronized void send(ByteString frame) {
        if (stream != null) {
            stream.onNext(frame);
        }
    }

    /** A frame in reply to the Open. */
    public synchronized void tell(Message frame) {
        send(say(replyHeader(Method.DELIVER, open.digest()), frame).envelope());
    }

    /** The next event gets lost. */
    public synchronized void skip() {
        outbox.add(ByteString.EMPTY);
    }

    /** Every event again, as others. */
    public synchronized void forgetEvents() {
        outbox.clear();
    }

    public synchronized void endStream() {
        StreamObserver<ByteString> ending = stream;
        stream = null;
        ending.onCompleted();
    }

    public synchronized void fence() {
        StreamObserver<ByteString> ending = stream;
        stream = null;
        ending.onError(failure(new Refused(Reason.STREAM_FENCED)));
    }

    public synchronized boolean hasStream() {
        return stream != null && open != null;
    }

    public synchronized int streams() {
        return streams;
    }

    public synchronized Open lastOpen() {
        return (Open) open.body();
    }

    public synchronized List<Credit> credits() {
        return List.copyOf(credits);
    }

    public synchronized List<Ack> acks(AckLevel level) {
        return acks.stream().filter(ack -> ack.getLevel() == level).toList();
    }

    private synchronized StreamObserver<ByteString> onStream(StreamObserver<ByteString> toBank) {
        ((ServerCallStreamObserver<ByteString>) toBank).setOnCancelHandler(() -> forget(toBank));
        stream = toBank;
        open = null;
        streams++;
        return new StreamObserver<>() {
            @Override
            public void onNext(ByteString bytes) {
                take(bytes);
            }

            @Override
            public void onError(Throwable cut) {
                forget(toBank);
            }

            @Override
            public void onCompleted() {
                forget(toBank);
            }
        };
    }

    private synchronized void forget(StreamObserver<ByteString> gone) {
        if (stream == gone) {
            stream = null;
        }
    }

    private synchronized void take(ByteString bytes) {
        Opened<Message> frame = openMessage(bytes, Method.DELIVER, FRAMES);
        if (frame.body() instanceof Ack ack) {
            acks.add(ack);
        } else if (frame.body() instanceof Credit credit) {
            credits.add(credit);
        } else if (frame.body() instanceof Open asked) {
            open = frame;
            tell(heartbeat());
            outbox.stream()
                    .skip(asked.getResumeAfter())
                    .filter(event -> !event.isEmpty())
                    .forEach(this::send);
        }
    }

    private Heartbeat heartbeat() {
        long floor = 0;
        while (isReceived(floor + 1)) {
            floor++;
        }
        return Heartbeat.newBuilder()
                .setHead(outbox.size())
                .setReceivedFloor(floor)
                .build();
    }

    private boolean isReceived(long sequence) {
        return acks.stream().anyMatch(ack -> ack.getSequence() == sequence);
    }

    @Override
    public void close() {
        server.shutdownNow();
    }
}
