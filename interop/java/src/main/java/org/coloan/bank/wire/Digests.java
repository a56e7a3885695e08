package org.coloan.bank.wire;

import com.google.protobuf.ByteString;
import java.nio.ByteBuffer;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** What is signed, and how a message is named ([COL-ENV-002], [COL-ENV-003]). */
public final class Digests {
    public static final int BYTES = 32;

    private Digests() {}

    public static ByteString sha256(ByteString... parts) {
        try {
            MessageDigest digest = MessageDigest.getInstance("SHA-256");
            for (ByteString part : parts) {
                digest.update(part.asReadOnlyByteBuffer());
            }
            return ByteString.copyFrom(digest.digest());
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException("every Java has SHA-256", impossible);
        }
    }

    /** DSSE v1 pre-authentication encoding. */
    public static ByteString pae(String payloadType, ByteString payload) {
        ByteString type = ByteString.copyFromUtf8(payloadType);
        return ByteString.copyFromUtf8("DSSEv1 " + type.size() + " ")
                .concat(type)
                .concat(ByteString.copyFromUtf8(" " + payload.size() + " "))
                .concat(payload);
    }

    /** Big-endian, four bytes. */
    public static ByteString u32(int value) {
        return ByteString.copyFrom(
                ByteBuffer.allocate(Integer.BYTES).putInt(value).flip());
    }

    /** Big-endian, eight bytes. */
    public static ByteString u64(long value) {
        return ByteString.copyFrom(
                ByteBuffer.allocate(Long.BYTES).putLong(value).flip());
    }
}
