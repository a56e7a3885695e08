package org.coloan.bank.journal;

import com.google.protobuf.ByteString;
import java.util.Optional;

/** An event that is durable here; {@code reference} is the bank's own, once its core has taken the event over. */
public record KeptEvent(long sequence, ByteString digest, ByteString envelope, Optional<String> reference) {
    public boolean isApplied() {
        return reference.isPresent();
    }

    KeptEvent appliedAs(String ours) {
        return new KeptEvent(sequence, digest, envelope, Optional.of(ours));
    }
}
