package org.coloan.bank.centre;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import google.rpc.StatusOuterClass;
import google.rpc.StatusOuterClass.Any;
import google.rpc.StatusOuterClass.BadRequest;
import google.rpc.StatusOuterClass.Duration;
import google.rpc.StatusOuterClass.ErrorInfo;
import google.rpc.StatusOuterClass.LocalizedMessage;
import google.rpc.StatusOuterClass.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.Optional;
import java.util.function.Function;
import org.coloan.bank.wire.Reason;
import org.coloan.bank.wire.Refused;
import org.coloan.bank.wire.Refused.Action;
import org.coloan.v1.Envelope;
import org.coloan.v1.Refusal;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ErrorDetailsTest {
    private static final Function<ByteString, Refusal> UNSIGNED = envelope -> {
        throw new AssertionError("nothing is signed here");
    };

    private static Refused read(Function<ByteString, Refusal> openRefusal, ByteString details) {
        Metadata trailers = new Metadata();
        trailers.put(
                Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER), details.toByteArray());
        return ErrorDetails.read(Status.FAILED_PRECONDITION, trailers, openRefusal);
    }

    private static ByteString status(Any... details) {
        StatusOuterClass.Status.Builder status = StatusOuterClass.Status.newBuilder();
        for (Any detail : details) {
            status.addDetails(detail);
        }
        return status.build().toByteString();
    }

    private static Any any(Message message) {
        return Any.newBuilder()
                .setTypeUrl(
                        "type.googleapis.com/" + message.getDescriptorForType().getFullName())
                .setValue(message.toByteString())
                .build();
    }

    private static Any info(String reason, String domain) {
        return any(ErrorInfo.newBuilder().setReason(reason).setDomain(domain).build());
    }

    private static Any info(Reason reason) {
        return info(reason.name(), "coloan.v1");
    }

    @Test
    void everythingThatARefusalSays() {
        Any retry = any(RetryInfo.newBuilder()
                .setRetryDelay(Duration.newBuilder().setSeconds(2).setNanos(500_000_000))
                .build());
        Any field = any(BadRequest.newBuilder()
                .addFieldViolations(BadRequest.FieldViolation.newBuilder().setField("persons[0].mobile"))
                .build());
        Any chinese = any(LocalizedMessage.newBuilder().setLocale("zh-CN").build());
        Any unknown = Any.newBuilder().setTypeUrl("type.googleapis.com/x.Y").build();
        ByteString details =
                status(info(Reason.FIELD_INVALID), retry, field, chinese, unknown, info("OTHER", "elsewhere"));
        Refused refused = read(UNSIGNED, details);
        assertTrue(refused.is(Reason.FIELD_INVALID));
        assertEquals("persons[0].mobile", refused.field());
        assertEquals(Optional.of(java.time.Duration.ofMillis(2500)), refused.retryAfter());
        assertFalse(refused.signed());
        assertEquals(Action.MEND, read(UNSIGNED, status(info(Reason.EXPIRED))).action());
    }

    /** Then nobody knows whether the message was processed ([COL-ERR-006]). */
    @Test
    void answersAgainstTheProtocol() {
        assertUnknown(read(UNSIGNED, status()));
        assertUnknown(read(UNSIGNED, status(info(Reason.EXPIRED), info(Reason.INTERNAL))));
        assertUnknown(read(UNSIGNED, status(info("EXPIRED", "elsewhere"))));
        assertUnknown(read(UNSIGNED, ByteString.copyFrom(new byte[] {-1})));
        assertUnknown(read(UNSIGNED, ByteString.copyFrom(new byte[5000])));
        Any envelope = any(Envelope.getDefaultInstance());
        ByteString signed = status(info(Reason.EXPIRED), envelope);
        assertUnknown(read(bytes -> refusal(Reason.INTERNAL), signed));
        assertUnknown(read(
                bytes -> {
                    throw new Refused(Reason.SIGNATURE_INVALID);
                },
                signed));
        assertTrue(read(bytes -> refusal(Reason.EXPIRED), signed).signed());
    }

    private static Refusal refusal(Reason reason) {
        return Refusal.newBuilder().setReason(reason.name()).build();
    }

    private static void assertUnknown(Refused refused) {
        assertEquals(Reason.PEER_ANSWER_INVALID.name(), refused.reason());
        assertEquals(Action.SEND_AGAIN, refused.action());
    }

    @ParameterizedTest
    @CsvSource({
        "UNAVAILABLE, PEER_UNREACHABLE, SEND_AGAIN",
        "DEADLINE_EXCEEDED, DEADLINE_EXCEEDED, SEND_AGAIN",
        "CANCELLED, CALL_CANCELLED, SEND_AGAIN",
        "INTERNAL, PEER_ANSWER_INVALID, SEND_AGAIN",
        "UNIMPLEMENTED, METHOD_UNKNOWN, MEND",
    })
    void failuresWithoutDetails(Status.Code code, Reason reason, Action action) {
        Refused refused = ErrorDetails.read(code.toStatus(), new Metadata(), UNSIGNED);
        assertTrue(refused.is(reason));
        assertEquals(action, refused.action());
    }

    @Test
    void whatWeRefuseReadsAsARefusal() {
        Refused ours = new Refused(Reason.SEQUENCE_WRONG);
        Refused theirs = ErrorDetails.read(Status.FAILED_PRECONDITION, ErrorDetails.of(ours), UNSIGNED);
        assertEquals(ours.reason(), theirs.reason());
    }
}
