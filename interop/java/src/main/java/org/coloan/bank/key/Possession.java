package org.coloan.bank.key;

import com.google.protobuf.ByteString;

/** The proof that comes with every key of a directory: its own signature over whose it is ([COL-KEY-004]). */
public final class Possession {
    private static final String DOMAIN = "coloan key possession v1\n";

    private Possession() {}

    public static ByteString text(String party, String environment, VerifyKey key) {
        return ByteString.copyFromUtf8(DOMAIN + party + "\n" + environment + "\n")
                .concat(key.bytes());
    }

    public static boolean isProven(String party, String environment, VerifyKey key, ByteString proof) {
        return key.verifies(text(party, environment, key), proof);
    }
}
