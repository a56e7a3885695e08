package org.coloan.bank.wire;

import java.time.Duration;

/** The numbers of the specification, chapter 12. */
public final class Limits {
    public static final int MESSAGE_BYTES_MAX = 256 * 1024;
    public static final int PAYLOAD_BYTES_MAX = 192 * 1024;
    public static final int NESTING_MAX = 8;
    public static final int FIELDS_MAX = 4096;
    public static final int SIGNATURES_MAX = 4;
    public static final int KEY_TRIES_MAX = 4;
    public static final int BATCH_MAX = 1024;
    public static final int KEYS_MAX = 700;
    public static final int DIRECTORY_FIELDS_MAX = 10 * KEYS_MAX + 64;
    public static final int SALT_BYTES = 16;
    public static final int VALUE_BYTES_MAX = 256;
    public static final int PARTY_BYTES_MAX = 64;
    public static final int ENVIRONMENT_BYTES_MAX = 64;
    public static final int ERROR_DETAILS_BYTES_MAX = 4096;
    public static final int METADATA_BYTES_MAX = 8192;
    public static final int OUTSTANDING_MAX = 1000;
    public static final long AMOUNT_FEN_MAX = 1_000_000_000_000L;

    public static final long CLOCK_AHEAD_MS_MAX = 30_000;
    public static final long MESSAGE_LIFE_MS_MAX = 600_000;
    public static final Duration DEADLINE = Duration.ofSeconds(30);
    public static final Duration HEARTBEAT = Duration.ofSeconds(15);

    private Limits() {}
}
