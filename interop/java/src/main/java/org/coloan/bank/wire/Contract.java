package org.coloan.bank.wire;

import static org.coloan.bank.wire.Refused.check;

import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import org.coloan.v1.Envelope;
import org.coloan.v1.SignedPayload;

/**
 * The messages of proto/coloan/v1: foreign bytes are scanned, then decoded. A message type is named by its
 * default instance.
 */
public final class Contract {
    public static final String SPEC_VERSION = "1.0";
    private static final String TYPE_BEFORE = "application/vnd.coloan.v1.";
    private static final String TYPE_AFTER = "+protobuf";

    private Contract() {}

    public static String payloadType(Message message) {
        return TYPE_BEFORE + message.getDescriptorForType().getName() + TYPE_AFTER;
    }

    public static <M extends Message> M read(M type, ByteString bytes) {
        return read(type, bytes, Limits.FIELDS_MAX);
    }

    public static <M extends Message> M read(M type, ByteString bytes, int fieldsMax) {
        Scan.scan(type.getDescriptorForType(), bytes, fieldsMax);
        return decode(type, bytes);
    }

    /** Without a scan: of what we wrote ourselves, or of what may hold fields that we do not know. */
    @SuppressWarnings("unchecked") // the parser of a message type makes messages of that type
    public static <M extends Message> M decode(M type, ByteString bytes) {
        try {
            return (M) type.getParserForType().parseFrom(bytes);
        } catch (InvalidProtocolBufferException malformed) {
            throw new Refused(Reason.WIRE_MALFORMED);
        }
    }

    /** Steps 1 to 3 of chapter 4. */
    public static Envelope readEnvelope(ByteString bytes) {
        check(!bytes.isEmpty(), Reason.MESSAGE_EMPTY);
        check(bytes.size() <= Limits.MESSAGE_BYTES_MAX, Reason.MESSAGE_TOO_LARGE);
        Envelope envelope = read(Envelope.getDefaultInstance(), bytes);
        check(!envelope.getPayload().isEmpty(), Reason.MESSAGE_EMPTY);
        check(envelope.getPayload().size() <= Limits.PAYLOAD_BYTES_MAX, Reason.MESSAGE_TOO_LARGE);
        return envelope;
    }

    /** Step 7; the body stays bytes. */
    public static SignedPayload readPayload(Envelope envelope) {
        return read(SignedPayload.getDefaultInstance(), envelope.getPayload());
    }
}
