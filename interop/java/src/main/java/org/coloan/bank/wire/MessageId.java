package org.coloan.bank.wire;

import com.google.protobuf.ByteString;
import java.nio.ByteBuffer;
import java.security.SecureRandom;

/** UUIDv7 (RFC 9562): 48 bits of Unix ms, version, variant, 74 random bits ([COL-HDR-007]). */
public final class MessageId {
    public static final int BYTES = 16;
    private static final SecureRandom RANDOM = new SecureRandom();

    private MessageId() {}

    public static ByteString next(long nowMs) {
        byte[] id = new byte[BYTES];
        RANDOM.nextBytes(id);
        byte[] time = ByteBuffer.allocate(Long.BYTES).putLong(nowMs).array();
        System.arraycopy(time, 2, id, 0, 6);
        id[6] = (byte) (0x70 | id[6] & 0x0f);
        id[8] = (byte) (0x80 | id[8] & 0x3f);
        return ByteString.copyFrom(id);
    }

    public static boolean isValid(ByteString id) {
        return id.size() == BYTES && (id.byteAt(6) & 0xf0) == 0x70 && (id.byteAt(8) & 0xc0) == 0x80;
    }
}
