package org.coloan.bank.wire;

import static org.coloan.bank.wire.Refused.check;

import com.google.protobuf.ByteString;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.WireFormat;
import java.util.HashSet;
import java.util.Set;

/**
 * Protobuf bytes checked before they are decoded ([COL-SCN-001] to [COL-SCN-008]). A decoder takes the last
 * of several single fields, keeps or drops unknown ones and cuts numbers off, so two receivers of the same
 * signed bytes could read two messages. What passes here is read alike by every decoder.
 */
public final class Scan {
    private static final int WIRE_TYPE_BITS = 3;
    private static final long FIELD_NUMBER_MAX = (1L << 29) - 1;
    private static final int VARINT_BITS_MAX = 64;

    private final ByteString bytes;
    private int at;
    private int fieldsLeft;

    private Scan(ByteString bytes, int fieldsMax) {
        this.bytes = bytes;
        this.fieldsLeft = fieldsMax;
    }

    public static void scan(Descriptor message, ByteString bytes) {
        scan(message, bytes, Limits.FIELDS_MAX);
    }

    public static void scan(Descriptor message, ByteString bytes, int fieldsMax) {
        new Scan(bytes, fieldsMax).message(message, bytes.size(), 1);
    }

    /** Valid UTF-8 without control characters (C0, DEL, C1). */
    public static void text(ByteString bytes) {
        check(bytes.isValidUtf8(), Reason.TEXT_ENCODING);
        check(bytes.toStringUtf8().chars().noneMatch(Character::isISOControl), Reason.TEXT_CONTROL);
    }

    private void message(Descriptor message, int end, int depth) {
        check(depth <= Limits.NESTING_MAX, Reason.WIRE_TOO_DEEP);
        Set<Object> seen = new HashSet<>();
        while (at < end) {
            countField();
            long key = varint(end);
            FieldDescriptor field = fieldOf(message, key);
            check(field.isRepeated() || seen.add(single(field)), Reason.WIRE_DUPLICATE);
            if (wireType(key) == WireFormat.WIRETYPE_LENGTH_DELIMITED) {
                delimited(field, end, depth);
            } else {
                number(field, end);
            }
        }
    }

    private FieldDescriptor fieldOf(Descriptor message, long key) {
        long number = key >>> WIRE_TYPE_BITS;
        int wireType = wireType(key);
        check(number >= 1 && number <= FIELD_NUMBER_MAX, Reason.WIRE_MALFORMED);
        check(wireType <= WireFormat.WIRETYPE_FIXED32, Reason.WIRE_MALFORMED);
        boolean group = wireType == WireFormat.WIRETYPE_START_GROUP || wireType == WireFormat.WIRETYPE_END_GROUP;
        check(!group, Reason.WIRE_TYPE);
        FieldDescriptor field = message.findFieldByNumber((int) number);
        check(field != null, Reason.WIRE_UNKNOWN_FIELD);
        boolean packed = field.isPackable() && wireType == WireFormat.WIRETYPE_LENGTH_DELIMITED;
        check(packed || wireType == declaredWireType(field), Reason.WIRE_TYPE);
        return field;
    }

    private static int wireType(long key) {
        return (int) key & (1 << WIRE_TYPE_BITS) - 1;
    }

    private static int declaredWireType(FieldDescriptor field) {
        return field.getLiteType().getWireType();
    }

    /** What may stand once: the field, or the oneof that it is part of. */
    private static Object single(FieldDescriptor field) {
        return field.getContainingOneof() == null ? field : field.getContainingOneof();
    }

    private void countField() {
        check(fieldsLeft > 0, Reason.WIRE_TOO_MANY_FIELDS);
        fieldsLeft--;
    }

    private void delimited(FieldDescriptor field, int end, int depth) {
        int length = length(end);
        int inner = at + length;
        switch (field.getType()) {
            case MESSAGE -> message(field.getMessageType(), inner, depth + 1);
            case STRING -> text(bytes.substring(at, inner));
            case BYTES -> {} // whatever they are, they are no text and no message here
            default -> packed(field, inner);
        }
        at = inner;
    }

    private int length(int end) {
        long length = varint(end);
        check(length >= 0 && length <= end - at, Reason.WIRE_MALFORMED);
        return (int) length;
    }

    private void packed(FieldDescriptor field, int end) {
        while (at < end) {
            countField();
            number(field, end);
        }
    }

    private void number(FieldDescriptor field, int end) {
        switch (declaredWireType(field)) {
            case WireFormat.WIRETYPE_FIXED64 -> skip(Long.BYTES, end);
            case WireFormat.WIRETYPE_FIXED32 -> skip(Integer.BYTES, end);
            default -> fits(field, varint(end));
        }
    }

    private void skip(int count, int end) {
        check(count <= end - at, Reason.WIRE_MALFORMED);
        at += count;
    }

    /** A negative int32 is written as the 64 bits of the same number. */
    private static void fits(FieldDescriptor field, long value) {
        switch (field.getType()) {
            case ENUM -> check(isDeclared(field, value), Reason.ENUM_UNKNOWN);
            case BOOL -> check(value == 0 || value == 1, Reason.WIRE_VARINT);
            case INT32 -> check(value == (int) value, Reason.WIRE_VARINT);
            case UINT32, SINT32 -> check(value >>> Integer.SIZE == 0, Reason.WIRE_VARINT);
            default -> {} // 64 bits: every value fits
        }
    }

    private static boolean isDeclared(FieldDescriptor field, long value) {
        return value == (int) value && field.getEnumType().findValueByNumber((int) value) != null;
    }

    private long varint(int end) {
        long value = 0;
        for (int shift = 0; shift < VARINT_BITS_MAX; shift += 7) {
            check(at < end, Reason.WIRE_MALFORMED);
            int octet = bytes.byteAt(at++) & 0xff;
            check(shift + 7 <= VARINT_BITS_MAX || octet <= 1, Reason.WIRE_MALFORMED); // one bit is left in the tenth
            value |= (long) (octet & 0x7f) << shift;
            if (octet < 0x80) {
                check(octet != 0 || shift == 0, Reason.WIRE_VARINT);
                return value;
            }
        }
        throw new Refused(Reason.WIRE_MALFORMED);
    }
}
