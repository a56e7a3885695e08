package org.coloan.bank.event;

import com.google.protobuf.ByteString;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status;
import io.grpc.stub.ServerCalls;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.coloan.bank.centre.Centre;
import org.coloan.bank.centre.Credentials;
import org.coloan.bank.centre.ErrorDetails;
import org.coloan.bank.centre.Method;
import org.coloan.bank.envelope.Opened;
import org.coloan.bank.journal.Journal;
import org.coloan.bank.journal.KeptEvent;
import org.coloan.bank.wire.Refused;
import org.coloan.v1.Event;
import org.coloan.v1.EventListQuery;

/**
 * Events by calls of the centre, for a bank that keeps no stream open (chapter 8.2). A call is answered
 * RECEIVED as soon as its event is durable, for the centre waits 10 s only; another thread takes the events
 * over and says APPLIED by AcknowledgeEvent.
 */
public final class Inbox implements AutoCloseable {
    private static final String SERVICE = "coloan.v1.BankInbox";
    private static final Duration AGAIN_AFTER = Duration.ofSeconds(2);

    private final Centre centre;
    private final Journal journal;
    private final Intake intake;
    private final Consumer<String> operator;
    private final Server server;
    private final ScheduledExecutorService applier = Executors.newSingleThreadScheduledExecutor();

    /** Lets in the centre alone. {@code operator} is told what somebody should know. */
    public Inbox(
            int port, Credentials credentials, Centre centre, Journal journal, Intake intake, Consumer<String> operator)
            throws IOException, GeneralSecurityException {
        this.centre = centre;
        this.journal = journal;
        this.intake = intake;
        this.operator = operator;
        this.server = credentials
                .listen(port, centre.directory().centre())
                .addService(ServerServiceDefinition.builder(SERVICE)
                        .addMethod(
                                Method.descriptor(Method.NOTIFY, MethodType.UNARY),
                                ServerCalls.asyncUnaryCall(this::onNotify))
                        .build())
                .build();
    }

    public void start() throws IOException {
        server.start();
        applier.execute(() -> untilItWorks(this::sayAgain));
        applier.execute(() -> untilItWorks(this::applyAll));
    }

    public int port() {
        return server.getPort();
    }

    private void onNotify(ByteString bytes, StreamObserver<ByteString> reply) {
        try {
            reply.onNext(receive(bytes));
            reply.onCompleted();
        } catch (Refused refused) {
            operator.accept("a call was refused: " + refused.getMessage());
            Status status = Status.FAILED_PRECONDITION.withDescription(refused.reason());
            reply.onError(status.asRuntimeException(ErrorDetails.of(refused)));
            return;
        }
        applier.execute(() -> untilItWorks(this::applyAll));
    }

    /** Gives the answer once the event is durable ([COL-CAL-002]). */
    private ByteString receive(ByteString bytes) {
        Opened<Event> event = centre.openEvent(bytes);
        intake.receive(event, bytes, Intake.Way.CALL);
        long sequence = event.header().getSequence();
        return centre.sealAck(Method.NOTIFY, event.digest(), Acknowledgements.received(sequence))
                .envelope();
    }

    // ---- The applier's thread --------------------------------------------------------------------------------------

    private void untilItWorks(Runnable work) {
        try {
            work.run();
        } catch (Refused refused) {
            operator.accept("tried again in " + AGAIN_AFTER.toSeconds() + " s: " + refused.getMessage());
            if (!applier.isShutdown()) {
                applier.schedule(() -> untilItWorks(work), AGAIN_AFTER.toMillis(), TimeUnit.MILLISECONDS);
            }
        } catch (RuntimeException fault) {
            operator.accept("events are not taken over any more until the next start: " + fault);
        }
    }

    private void applyAll() {
        intake.applyAll(this::sayApplied);
    }

    private void sayApplied(KeptEvent event) {
        Method<?, ?> method = Method.ACKNOWLEDGE_EVENT;
        centre.send(method, centre.sealAck(method.name(), event.digest(), Acknowledgements.applied(event)));
    }

    /** What was applied before we stopped and perhaps not said: the centre takes the same acknowledgement twice. */
    private void sayAgain() {
        EventListQuery anything = EventListQuery.newBuilder().setLimit(1).build();
        long floor = centre.ask(Method.LIST_EVENTS, anything).getAppliedFloor();
        journal.eventsAfter(floor).stream().filter(KeptEvent::isApplied).forEach(this::sayApplied);
    }

    /** Answers what it took, and takes no more. */
    @Override
    public void close() {
        server.shutdown();
        applier.shutdown();
        try {
            boolean ended =
                    server.awaitTermination(1, TimeUnit.SECONDS) && applier.awaitTermination(1, TimeUnit.SECONDS);
            if (ended) {
                return;
            }
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
        server.shutdownNow();
        applier.shutdownNow();
    }
}
