package org.coloan.bank.e2e;

import static org.coloan.bank.e2e.Steps.expect;
import static org.coloan.bank.e2e.Steps.expectEqual;
import static org.coloan.bank.e2e.Steps.expectRefused;
import static org.coloan.bank.e2e.Steps.until;

import com.google.protobuf.ByteString;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.coloan.bank.centre.Method;
import org.coloan.bank.event.DeliverStream;
import org.coloan.bank.event.Inbox;
import org.coloan.bank.journal.KeptEvent;
import org.coloan.bank.loan.CaseFile;
import org.coloan.bank.wire.Limits;
import org.coloan.bank.wire.Reason;
import org.coloan.v1.DeliveryState;
import org.coloan.v1.EventList;
import org.coloan.v1.EventListQuery;
import org.coloan.v1.EventSteering;
import org.coloan.v1.Outcome;
import org.coloan.v1.SteeringAction;

/** Events by calls of the centre (chapter 8.2): the other bank keeps no stream open, and hosts an inbox instead. */
final class CallBack {
    private final World world;
    private final Steps steps;
    private final TestBank alpha;
    private final int port;

    private CallBack(World world, TestBank alpha, int port) {
        this.world = world;
        this.steps = world.steps();
        this.alpha = alpha;
        this.port = port;
    }

    static void run(World world, int port) throws Exception {
        World.giveUp(world.beta());
        TestCore core = new TestCore(world.persona().number("income_fen"));
        Options options = world.options();
        try (TestBank alpha = new TestBank(
                world.folder(), options.other(), options.target(), world.work().resolve("alpha.journal"), core)) {
            CallBack callBack = new CallBack(world, alpha, port);
            try (Inbox inbox = alpha.inbox(port)) {
                inbox.start();
                callBack.calls();
                callBack.strangers();
            }
            callBack.change();
        }
    }

    private void calls() throws Steps.Failed {
        steps.step("a whole case comes by calls: submitted, answered for, decided, approved by both", () -> {
            CaseFile file = alpha.decided(world.persona(), "approve");
            expectEqual(
                    Outcome.OUTCOME_APPROVED_COMBINED,
                    file.jointDecision().orElseThrow().getOutcome());
            expect(file.joint().orElseThrow().isApproved(), "both signatures are over the same terms");
        });
        steps.step("the centre has every event as APPLIED, under our reference", () -> {
            until("all acknowledgements", () -> events().getAppliedFloor() == alpha.journal.lastSequence());
            events().getEventsList().forEach(event -> {
                expectEqual(DeliveryState.DELIVERY_STATE_APPLIED, event.getState());
                KeptEvent kept = alpha.journal.event(event.getSequence()).orElseThrow();
                expectEqual(kept.reference().orElseThrow(), event.getBankReference());
            });
        });
        steps.step("an event that is asked for again comes by a call, is answered, and is taken over once", () -> {
            List<KeptEvent> before = alpha.journal.eventsAfter(0);
            EventSteering again = EventSteering.newBuilder()
                    .setAction(SteeringAction.STEERING_ACTION_REPLAY)
                    .setFrom(1)
                    .setTo(1)
                    .setNote("try it")
                    .build();
            alpha.centre.ask(Method.STEER_EVENTS, again);
            until("its acknowledgement", () -> !events().getEvents(0).getAskedAgain());
            expectEqual(before, alpha.journal.eventsAfter(0));
        });
    }

    private EventList events() {
        return alpha.centre.ask(
                Method.LIST_EVENTS, EventListQuery.newBuilder().setLimit(100).build());
    }

    private void strangers() throws Steps.Failed {
        steps.step("a call of anybody but the centre is not let in", () -> {
            ByteString event = alpha.journal.event(1).orElseThrow().envelope();
            Status.Code code = call(world.options().bank(), event);
            expectEqual(Status.Code.UNAVAILABLE, code);
        });
    }

    /** How a call of the inbox ends. */
    private Status.Code call(String caller, ByteString message) throws Exception {
        ManagedChannel channel = world.folder()
                .credentials(caller)
                .connect("localhost:" + port, world.options().other());
        try {
            CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(Limits.DEADLINE.toSeconds(), TimeUnit.SECONDS);
            ClientCalls.blockingUnaryCall(
                    channel, Method.descriptor(Method.NOTIFY, MethodType.UNARY), options, message);
            return Status.Code.OK;
        } catch (StatusRuntimeException failure) {
            return failure.getStatus().getCode();
        } finally {
            channel.shutdownNow();
        }
    }

    private void change() throws Steps.Failed {
        steps.step("the same bank goes on by a stream, from where the calls ended", () -> {
            long before = alpha.journal.lastSequence();
            ExecutorService threads = Executors.newSingleThreadExecutor();
            DeliverStream stream = alpha.stream();
            try {
                threads.submit(() -> {
                    stream.run();
                    return null;
                });
                Steps.await("a heartbeat", stream::heartbeat);
                World.giveUp(alpha);
                CaseFile file = alpha.decided(world.persona(), "decline");
                expectEqual(
                        Outcome.OUTCOME_DECLINED_BANK,
                        file.jointDecision().orElseThrow().getOutcome());
                expect(alpha.journal.lastSequence() > before, "more events came");
            } finally {
                stream.stop();
                threads.shutdownNow();
            }
        });
        steps.step("an event that there is not is EVENT_UNKNOWN", () -> {
            long beyond = events().getHead() + 1;
            org.coloan.v1.EventQuery query =
                    org.coloan.v1.EventQuery.newBuilder().setSequence(beyond).build();
            expectRefused(Reason.EVENT_UNKNOWN, () -> alpha.centre.ask(Method.GET_EVENT, query));
            expectEqual(Optional.empty(), alpha.journal.event(beyond));
        });
    }
}
