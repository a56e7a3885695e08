package org.coloan.bank.centre;

import static org.coloan.bank.wire.Refused.check;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import google.rpc.StatusOuterClass.Any;
import google.rpc.StatusOuterClass.BadRequest;
import google.rpc.StatusOuterClass.ErrorInfo;
import google.rpc.StatusOuterClass.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import org.coloan.bank.wire.Contract;
import org.coloan.bank.wire.Limits;
import org.coloan.bank.wire.Reason;
import org.coloan.bank.wire.Refused;
import org.coloan.v1.Envelope;
import org.coloan.v1.Refusal;

/** What a failed call says ([COL-ERR-001] to [COL-ERR-009]). */
public final class ErrorDetails {
    private static final Metadata.Key<byte[]> DETAILS =
            Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);
    private static final String TYPES = "type.googleapis.com/";
    private static final String DOMAIN = "coloan.v1";
    static final Duration RETRY = Duration.ofSeconds(1);

    private ErrorDetails() {}

    /** {@code openRefusal} verifies a signed one; only that is evidence. */
    static Refused read(Status status, Metadata trailers, Function<ByteString, Refusal> openRefusal) {
        byte[] details = trailers == null ? null : trailers.get(DETAILS);
        if (details == null) {
            return withoutDetails(status);
        }
        try {
            return withDetails(ByteString.copyFrom(details), openRefusal);
        } catch (Refused fault) {
            return Refused.unknownOutcome(Reason.PEER_ANSWER_INVALID, RETRY, fault.getMessage());
        }
    }

    private static Refused withoutDetails(Status status) {
        String detail = status.getCode().name();
        return switch (status.getCode()) {
            case UNAVAILABLE -> Refused.unknownOutcome(Reason.PEER_UNREACHABLE, RETRY, detail);
            case DEADLINE_EXCEEDED -> Refused.unknownOutcome(Reason.DEADLINE_EXCEEDED, RETRY, detail);
            case CANCELLED -> Refused.unknownOutcome(Reason.CALL_CANCELLED, RETRY, detail);
            case UNIMPLEMENTED -> new Refused(Reason.METHOD_UNKNOWN);
            default -> Refused.unknownOutcome(Reason.PEER_ANSWER_INVALID, RETRY, detail);
        };
    }

    private static Refused withDetails(ByteString bytes, Function<ByteString, Refusal> openRefusal) {
        check(bytes.size() <= Limits.ERROR_DETAILS_BYTES_MAX, Reason.MESSAGE_TOO_LARGE);
        List<Any> details = Contract.decode(google.rpc.StatusOuterClass.Status.getDefaultInstance(), bytes)
                .getDetailsList();
        List<String> reasons = details.stream()
                .flatMap(any -> unpack(any, ErrorInfo.getDefaultInstance()).stream())
                .filter(info -> info.getDomain().equals(DOMAIN))
                .map(ErrorInfo::getReason)
                .toList();
        check(reasons.size() == 1, Reason.FIELD_MISSING);
        Optional<ByteString> signed = details.stream()
                .filter(any -> any.getTypeUrl().equals(typeUrl(Envelope.getDefaultInstance())))
                .map(Any::getValue)
                .findFirst();
        signed.ifPresent(envelope ->
                check(openRefusal.apply(envelope).getReason().equals(reasons.get(0)), Reason.FIELD_INVALID));
        return Refused.byCentre(reasons.get(0), fieldOf(details), retryOf(details), signed.isPresent());
    }

    private static String fieldOf(List<Any> details) {
        return details.stream()
                .flatMap(any -> unpack(any, BadRequest.getDefaultInstance()).stream())
                .flatMap(bad -> bad.getFieldViolationsList().stream())
                .map(BadRequest.FieldViolation::getField)
                .findFirst()
                .orElse("");
    }

    private static Optional<Duration> retryOf(List<Any> details) {
        return details.stream()
                .flatMap(any -> unpack(any, RetryInfo.getDefaultInstance()).stream())
                .map(RetryInfo::getRetryDelay)
                .map(delay -> Duration.ofSeconds(delay.getSeconds(), delay.getNanos()))
                .findFirst();
    }

    /** Nothing for a detail of another type: those that we do not know are skipped. */
    private static <M extends Message> Optional<M> unpack(Any any, M type) {
        boolean fits = any.getTypeUrl().equals(typeUrl(type));
        return fits ? Optional.of(Contract.decode(type, any.getValue())) : Optional.empty();
    }

    private static String typeUrl(Message type) {
        return TYPES + type.getDescriptorForType().getFullName();
    }

    /** The trailers of a call that we refuse. */
    public static Metadata of(Refused refused) {
        ErrorInfo info = ErrorInfo.newBuilder()
                .setReason(refused.reason())
                .setDomain(DOMAIN)
                .build();
        google.rpc.StatusOuterClass.Status status = google.rpc.StatusOuterClass.Status.newBuilder()
                .setCode(Status.Code.FAILED_PRECONDITION.value())
                .addDetails(Any.newBuilder().setTypeUrl(typeUrl(info)).setValue(info.toByteString()))
                .build();
        Metadata trailers = new Metadata();
        trailers.put(DETAILS, status.toByteArray());
        return trailers;
    }
}
