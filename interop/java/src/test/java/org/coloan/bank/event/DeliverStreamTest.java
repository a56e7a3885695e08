package org.coloan.bank.event;

import static org.coloan.bank.support.Wait.until;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.coloan.bank.centre.Centre;
import org.coloan.bank.envelope.Sealed;
import org.coloan.bank.journal.Journal;
import org.coloan.bank.journal.KeptEvent;
import org.coloan.bank.support.TestCentre;
import org.coloan.bank.wire.Reason;
import org.coloan.bank.wire.Refused;
import org.coloan.v1.AckLevel;
import org.coloan.v1.Drain;
import org.coloan.v1.Gap;
import org.coloan.v1.Held;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DeliverStreamTest {
    @TempDir
    Path folder;

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final List<Long> taken = new CopyOnWriteArrayList<>();
    private final List<String> told = new CopyOnWriteArrayList<>();
    private TestCentre there;
    private Centre centre;
    private Journal journal;
    private DeliverStream stream;

    @BeforeEach
    void connect() throws IOException {
        there = new TestCentre();
        centre = there.connect();
        journal = Journal.open(folder.resolve("bank.journal"));
    }

    @AfterEach
    void close() throws IOException {
        stream.stop();
        threads.shutdownNow();
        centre.close();
        there.close();
        journal.close();
    }

    private Future<?> listen(EventHandler handler) {
        Intake intake = new Intake(centre, journal, handler);
        stream = new DeliverStream(centre, journal, intake, journal.started(), told::add);
        return threads.submit(() -> {
            stream.run();
            return null;
        });
    }

    private Future<?> listen() {
        return listen(event -> {
            taken.add(event.header().getSequence());
            return "r-" + event.header().getSequence();
        });
    }

    private int applied() {
        return there.acks(AckLevel.ACK_LEVEL_APPLIED).size();
    }

    @Test
    void eventsAreTakenOverOnceAndInOrderOverACutAndADrain() throws InterruptedException {
        listen();
        there.push();
        until(() -> applied() == 1);
        stream.cut();
        there.push();
        until(() -> taken.size() == 2 && there.hasStream());
        there.tell(Drain.newBuilder().setReconnectAfterMs(5).build());
        there.endStream();
        there.push();
        until(() -> taken.size() == 3);
        assertEquals(List.of(1L, 2L, 3L), taken);
        until(() -> there.acks(AckLevel.ACK_LEVEL_APPLIED).stream()
                .anyMatch(ack -> ack.getBankReference().equals("r-3")));
        assertEquals(2, there.lastOpen().getResumeAfter());
    }

    @Test
    void anEventThatComesAgainIsAcknowledgedAgainAndNotTakenOver() throws InterruptedException {
        listen();
        Sealed event = there.push();
        until(() -> applied() == 1);
        there.send(event.envelope());
        until(() -> applied() == 2 && there.acks(AckLevel.ACK_LEVEL_RECEIVED).size() == 2);
        assertEquals(List.of(1L), taken);
    }

    @Test
    void anEventThatCannotBeTakenOverNowIsHandedInAgain() throws InterruptedException {
        listen(event -> {
            taken.add(event.header().getSequence());
            if (taken.size() == 1) {
                throw new Refused(Reason.STORE_FAILED);
            }
            return "r";
        });
        there.push();
        until(() -> applied() == 1);
        assertEquals(List.of(1L, 1L), taken);
        assertTrue(told.get(0).contains("STORE_FAILED"), told.toString());
    }

    @Test
    void anEventThatWasReceivedBeforeACrashIsTakenOverAfterIt() throws InterruptedException {
        Sealed event = there.push();
        journal.received(1, event.digest(), event.envelope());
        listen();
        until(() -> applied() == 1);
        assertEquals(List.of(1L), taken);
        assertEquals(1, there.lastOpen().getResumeAfter());
    }

    @Test
    void aHoleThatNobodyNamedEndsTheStream() throws InterruptedException {
        listen();
        there.push();
        until(() -> applied() == 1);
        there.skip();
        there.push();
        until(() -> told.stream().anyMatch(text -> text.contains("SEQUENCE_WRONG")));
        assertEquals(List.of(1L), taken);
    }

    @Test
    void whatIsHeldComesLaterAndWhatIsLostDoesNot() throws InterruptedException {
        listen();
        until(there::hasStream);
        there.tell(Held.newBuilder().setFrom(1).setTo(2).build());
        there.tell(Gap.newBuilder().setFrom(3).setTo(3).build());
        there.send(there.event(4, TestCentre.statusEvent()).envelope());
        there.send(there.event(1, TestCentre.statusEvent()).envelope());
        until(() -> taken.size() == 2);
        assertEquals(List.of(4L, 1L), taken);
        assertTrue(journal.isHeld(2));
        assertTrue(told.get(0).contains("events 3 to 3 cannot be delivered"), told.toString());
    }

    @Test
    void aNumberThatComesBackAsAnotherEventIsNotAcknowledged() throws InterruptedException {
        listen();
        there.push();
        until(() -> applied() == 1);
        there.forgetEvents();
        there.push();
        until(() -> told.stream().anyMatch(text -> text.contains("SEQUENCE_WRONG")));
        assertEquals(1, taken.size());
    }

    @Test
    void aFencedStreamDoesNotComeBack() throws InterruptedException {
        Future<?> running = listen();
        until(there::hasStream);
        there.fence();
        ExecutionException ended = assertThrows(ExecutionException.class, running::get);
        Refused refused = assertInstanceOf(Refused.class, ended.getCause());
        assertTrue(refused.is(Reason.STREAM_FENCED));
        assertEquals(1, there.streams());
    }

    @Test
    void withMuchToCatchUpOnMoreMayBeOnItsWay() throws InterruptedException {
        for (int i = 0; i < 150; i++) {
            there.push();
        }
        listen();
        until(() -> applied() == 150);
        assertEquals(50, there.credits().get(0).getMore());
        assertEquals(
                150,
                journal.eventsAfter(0).stream().filter(KeptEvent::isApplied).count());
    }
}
