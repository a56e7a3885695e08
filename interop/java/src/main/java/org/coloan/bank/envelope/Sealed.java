package org.coloan.bank.envelope;

import com.google.protobuf.ByteString;

/** A signed message of ours: {@code envelope} are the bytes to keep, to send, and to send again. */
public record Sealed(ByteString envelope, ByteString digest, ByteString messageId) {}
