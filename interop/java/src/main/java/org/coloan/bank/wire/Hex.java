package org.coloan.bank.wire;

import com.google.protobuf.ByteString;
import java.util.HexFormat;

/** Bytes as lower-case hex. */
public final class Hex {
    private Hex() {}

    public static String of(ByteString bytes) {
        return HexFormat.of().formatHex(bytes.toByteArray());
    }

    public static ByteString parse(String text) {
        return ByteString.copyFrom(HexFormat.of().parseHex(text));
    }
}
