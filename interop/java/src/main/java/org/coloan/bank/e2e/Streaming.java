package org.coloan.bank.e2e;

import static org.coloan.bank.e2e.Steps.expect;
import static org.coloan.bank.e2e.Steps.expectEqual;
import static org.coloan.bank.e2e.Steps.expectRefused;
import static org.coloan.bank.e2e.Steps.until;

import com.google.protobuf.ByteString;
import java.util.List;
import java.util.Optional;
import java.util.stream.LongStream;
import org.coloan.bank.centre.Centre;
import org.coloan.bank.centre.Method;
import org.coloan.bank.event.DeliverStream;
import org.coloan.bank.event.Intake;
import org.coloan.bank.journal.Journal;
import org.coloan.bank.journal.KeptEvent;
import org.coloan.bank.wire.Digests;
import org.coloan.bank.wire.Reason;
import org.coloan.v1.EventListQuery;
import org.coloan.v1.EventSteering;
import org.coloan.v1.Heartbeat;
import org.coloan.v1.ReconcileAnswer;
import org.coloan.v1.ReconcileQuery;
import org.coloan.v1.SteeringAction;

/** Events over the stream when things go wrong: cuts, repetitions, a second process, a restart. */
final class Streaming {
    private static final ByteString CHAIN_DOMAIN = ByteString.copyFromUtf8("coloan events v1\n");

    private final World world;
    private final Steps steps;
    private final TestBank beta;
    private final Centre centre;
    private final Journal journal;

    private Streaming(World world) {
        this.world = world;
        this.steps = world.steps();
        this.beta = world.beta();
        this.centre = world.centre();
        this.journal = world.beta().journal;
    }

    static void run(World world) throws Steps.Failed {
        Streaming streaming = new Streaming(world);
        streaming.resume();
        streaming.repetition();
        streaming.fencing();
    }

    private void resume() throws Steps.Failed {
        steps.step("after a cut the stream comes back and everything is acknowledged", () -> {
            Heartbeat before = world.stream().heartbeat().orElseThrow();
            world.stream().cut();
            until("a heartbeat that has all", () -> {
                Optional<Heartbeat> now = world.stream().heartbeat().filter(beat -> beat != before);
                return now.isPresent() && now.get().getReceivedFloor() == journal.lastSequence();
            });
        });
        steps.step("events that came while the stream was cut are delivered, once", () -> {
            World.giveUp(beta);
            long before = journal.lastSequence();
            world.stream().cut();
            beta.decided(world.persona(), "approve");
            List<Long> came = journal.eventsAfter(before).stream()
                    .map(KeptEvent::sequence)
                    .toList();
            List<Long> inOrder = LongStream.rangeClosed(before + 1, journal.lastSequence())
                    .boxed()
                    .toList();
            expectEqual(inOrder, came);
        });
    }

    private void repetition() throws Steps.Failed {
        steps.step("an event that is asked for again is taken over once and acknowledged", () -> {
            until("all acknowledgements", () -> pending() == 0);
            long last = journal.lastSequence();
            Optional<String> reference = journal.event(last).orElseThrow().reference();
            EventSteering again = EventSteering.newBuilder()
                    .setAction(SteeringAction.STEERING_ACTION_REPLAY)
                    .setFrom(last)
                    .setTo(last)
                    .setNote("try it")
                    .build();
            centre.ask(Method.STEER_EVENTS, again);
            until("its acknowledgement", () -> pending() == 0);
            expectEqual(last, journal.lastSequence());
            expectEqual(reference, journal.event(last).orElseThrow().reference());
        });
        steps.step("the chain over all events is the same on both sides", () -> {
            long last = journal.lastSequence();
            ReconcileQuery query = ReconcileQuery.newBuilder()
                    .addSequences(1)
                    .addSequences(last)
                    .build();
            ReconcileAnswer answer = centre.ask(Method.RECONCILE, query);
            expectEqual(last, answer.getHead().getSequence());
            expectEqual(chain(), answer.getHead().getChain());
            expectEqual(chain(), answer.getMarks(1).getChain());
        });
    }

    private int pending() {
        EventListQuery query =
                EventListQuery.newBuilder().setLimit(10).setPending(true).build();
        return centre.ask(Method.LIST_EVENTS, query).getEventsCount();
    }

    /** What stands for all events that came ([COL-DEL-029]). */
    private ByteString chain() {
        ByteString chain = ByteString.copyFrom(new byte[Digests.BYTES]);
        for (KeptEvent event : journal.eventsAfter(0)) {
            chain = Digests.sha256(CHAIN_DOMAIN, chain, Digests.u64(event.sequence()), event.digest());
        }
        return chain;
    }

    private void fencing() throws Steps.Failed {
        steps.step("an older process of ours is fenced off", () -> {
            try (Journal other = Journal.open(world.work().resolve("older.journal"))) {
                other.lost(1, journal.lastSequence());
                Intake nothing = new Intake(centre, other, event -> {
                    throw new IllegalStateException("an event for the older process");
                });
                DeliverStream older = new DeliverStream(centre, other, nothing, 0, news -> {});
                expectRefused(Reason.STREAM_FENCED, older::run);
            }
        });
        steps.step("a process that starts again knows its cases and has nothing to send", () -> {
            try (TestBank again = new TestBank(
                    world.folder(),
                    beta.party,
                    world.options().target(),
                    world.work().resolve("beta.journal"),
                    new TestCore(0))) {
                expectEqual(journal.lastSequence(), again.journal.lastSequence());
                expect(again.journal.openRequests().isEmpty(), "every request is settled");
                journal.eventsAfter(0).forEach(event -> {
                    String id = centre.openEvent(event.envelope()).body().getApplicationId();
                    expectEqual(beta.file(id).status(), again.file(id).status());
                });
            }
        });
    }
}
