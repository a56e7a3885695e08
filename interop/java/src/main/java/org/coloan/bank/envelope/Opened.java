package org.coloan.bank.envelope;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import java.util.List;
import org.coloan.v1.Disclosure;
import org.coloan.v1.SignedHeader;

/**
 * A message whose sender is proven and whose body is read. The disclosures are what came beside it, not yet
 * judged.
 */
public record Opened<M extends Message>(SignedHeader header, M body, ByteString digest, List<Disclosure> disclosures) {
    /** The same message, its body as the type that it was expected to be. */
    public <N extends Message> Opened<N> as(Class<N> type) {
        return new Opened<>(header, type.cast(body), digest, disclosures);
    }
}
