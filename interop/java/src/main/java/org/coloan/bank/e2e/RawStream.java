package org.coloan.bank.e2e;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.coloan.bank.centre.Centre;
import org.coloan.bank.centre.Method;
import org.coloan.bank.envelope.Sealed;
import org.coloan.bank.wire.Digests;
import org.coloan.bank.wire.Limits;
import org.coloan.bank.wire.Refused;
import org.coloan.v1.Ack;
import org.coloan.v1.Direction;

/** Streams that send whatever frames they are told, and hear only how they end. */
record RawStream(Centre centre) {
    private static final ByteString NO_EVENT = Digests.sha256(ByteString.copyFromUtf8("no event"));
    private static final int FRAMES_MAX = 100;

    /** What ends a stream of these frames. */
    Refused send(Message... frames) throws Exception {
        CompletableFuture<Refused> end = new CompletableFuture<>();
        ClientCall<ByteString, ByteString> call = centre.deliver();
        call.start(
                new ClientCall.Listener<>() {
                    @Override
                    public void onClose(Status status, Metadata trailers) {
                        end.completeAsync(() -> centre.refusal(status, trailers, Method.DELIVER, Optional.empty()));
                    }
                },
                new Metadata());
        call.request(FRAMES_MAX);
        for (Message frame : frames) {
            call.sendMessage(seal(frame).envelope());
        }
        return end.get(Limits.DEADLINE.toSeconds(), TimeUnit.SECONDS);
    }

    private Sealed seal(Message frame) {
        return frame instanceof Ack
                ? centre.sealAck(Method.DELIVER, NO_EVENT, frame)
                : centre.seal(centre.header(Method.DELIVER, Direction.DIRECTION_REQUEST), frame, List.of());
    }
}
