package org.coloan.bank.event;

import static org.coloan.bank.support.Wait.until;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.coloan.bank.centre.Centre;
import org.coloan.bank.centre.Credentials;
import org.coloan.bank.centre.Method;
import org.coloan.bank.envelope.Expected;
import org.coloan.bank.envelope.Expected.Body;
import org.coloan.bank.envelope.Opened;
import org.coloan.bank.envelope.Opener;
import org.coloan.bank.envelope.Sealed;
import org.coloan.bank.journal.Journal;
import org.coloan.bank.key.Party;
import org.coloan.bank.support.Keys;
import org.coloan.bank.support.Repository;
import org.coloan.bank.support.TestCentre;
import org.coloan.bank.wire.Hex;
import org.coloan.bank.wire.Reason;
import org.coloan.bank.wire.Refused;
import org.coloan.v1.Ack;
import org.coloan.v1.AckLevel;
import org.coloan.v1.Direction;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Calls of the centre, over real mutual TLS. */
class InboxTest {
    @TempDir
    static Path certificates;

    @TempDir
    Path folder;

    private final List<Long> taken = new CopyOnWriteArrayList<>();
    private final AtomicInteger failures = new AtomicInteger();
    private TestCentre there;
    private Centre centre;
    private Journal journal;
    private Inbox inbox;

    @BeforeAll
    static void makeCertificates() throws IOException, InterruptedException {
        String makeDev = Repository.root().resolve("certs/make-dev").toString();
        Process made = new ProcessBuilder(makeDev, certificates.toString())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        assertEquals(0, made.waitFor());
    }

    @BeforeEach
    void listen() throws Exception {
        there = new TestCentre();
        centre = there.connect();
        journal = Journal.open(folder.resolve("bank.journal"));
        startInbox();
    }

    private void startInbox() throws Exception {
        Intake intake = new Intake(centre, journal, event -> {
            if (failures.getAndDecrement() > 0) {
                throw new Refused(Reason.STORE_FAILED);
            }
            taken.add(event.header().getSequence());
            return "r-" + event.header().getSequence();
        });
        inbox = new Inbox(0, credentials(Keys.BANK), centre, journal, intake, news -> {});
        inbox.start();
    }

    @AfterEach
    void close() throws IOException {
        inbox.close();
        centre.close();
        there.close();
        journal.close();
    }

    private static Credentials credentials(String party) {
        String id = Party.id(party);
        return new Credentials(
                certificates.resolve("ca.pem"), certificates.resolve(id + ".pem"), certificates.resolve(id + ".key"));
    }

    private ByteString call(String caller, String callee, ByteString event) throws Exception {
        ManagedChannel channel = credentials(caller).connect("localhost:" + inbox.port(), callee);
        try {
            return ClientCalls.blockingUnaryCall(
                    channel,
                    Method.descriptor(Method.NOTIFY, MethodType.UNARY),
                    CallOptions.DEFAULT.withDeadlineAfter(10, TimeUnit.SECONDS),
                    event);
        } finally {
            channel.shutdownNow();
        }
    }

    /** The event's acknowledgement, verified as the centre verifies it ([COL-CAL-002]). */
    private Ack notify(Sealed event) throws Exception {
        ByteString answer = call(Keys.CENTRE, Keys.BANK, event.envelope());
        List<Body> bodies = List.of(new Body(Ack.getDefaultInstance(), Direction.DIRECTION_ACK));
        Expected expected = new Expected(
                there.directory(), Keys.BANK, Keys.CENTRE, Method.NOTIFY, bodies, Optional.of(event.digest()), false);
        Opened<Message> opened = Opener.open(answer, expected, System.currentTimeMillis());
        return opened.as(Ack.class).body();
    }

    private void assertNotCalled(Status.Code code, String caller, String callee, ByteString event) {
        StatusRuntimeException failure = assertThrows(StatusRuntimeException.class, () -> call(caller, callee, event));
        assertEquals(code, failure.getStatus().getCode());
        assertEquals(0, journal.lastSequence());
    }

    private Sealed event(long sequence) {
        return there.event(sequence, TestCentre.statusEvent());
    }

    private List<String> saidApplied() {
        return there.acks(AckLevel.ACK_LEVEL_APPLIED).stream()
                .map(Ack::getBankReference)
                .toList();
    }

    @Test
    void anEventIsDurableBeforeTheAnswerAndThenApplied() throws Exception {
        Ack ack = notify(event(1));
        assertEquals(1, ack.getSequence());
        assertEquals(AckLevel.ACK_LEVEL_RECEIVED, ack.getLevel());
        assertEquals(1, journal.lastSequence());
        until(() -> saidApplied().equals(List.of("r-1")));
    }

    @Test
    void theSameEventTwiceIsTakenOverOnce() throws Exception {
        Sealed event = event(1);
        notify(event);
        notify(event);
        until(() -> !saidApplied().isEmpty());
        assertEquals(List.of(1L), taken);
    }

    @Test
    void eventsMayComeInAnyOrder() throws Exception {
        notify(event(3));
        assertTrue(journal.isHeld(1) && journal.isHeld(2));
        notify(event(1));
        notify(event(2));
        until(() -> saidApplied().size() == 3);
        assertEquals(List.of(3L, 1L, 2L), taken);
    }

    @Test
    void anotherEventUnderTheSameNumberFailsTheCall() throws Exception {
        notify(event(1));
        StatusRuntimeException failure = assertThrows(StatusRuntimeException.class, () -> notify(event(1)));
        assertEquals("SEQUENCE_WRONG", failure.getStatus().getDescription());
    }

    @Test
    void whatDoesNotVerifyFailsTheCall() {
        ByteString longer = event(1).envelope().concat(Hex.parse("7801"));
        assertNotCalled(Status.Code.FAILED_PRECONDITION, Keys.CENTRE, Keys.BANK, longer);
        ByteString forged =
                there.event(1, TestCentre.statusEvent(), Keys.make(Keys.CENTRE)).envelope();
        assertNotCalled(Status.Code.FAILED_PRECONDITION, Keys.CENTRE, Keys.BANK, forged);
    }

    @Test
    void nobodyButTheCentreIsLetIn() {
        assertNotCalled(Status.Code.UNAVAILABLE, Keys.OTHER_BANK, Keys.BANK, event(1).envelope());
    }

    @Test
    void aCallerThatMeansAnotherBankDoesNotTalkToUs() {
        assertNotCalled(Status.Code.UNAVAILABLE, Keys.CENTRE, Keys.OTHER_BANK, event(1).envelope());
    }

    @Test
    void whatCannotBeTakenOverNowIsTriedAgain() throws Exception {
        failures.set(1);
        notify(event(1));
        until(() -> saidApplied().equals(List.of("r-1")));
        assertEquals(List.of(1L), taken);
    }

    @Test
    void afterARestartWhatWasAppliedIsSaidAgainAndNotAppliedAgain() throws Exception {
        notify(event(1));
        until(() -> saidApplied().size() == 1);
        inbox.close();
        startInbox();
        until(() -> saidApplied().size() == 2);
        assertEquals(List.of(1L), taken);
    }
}
