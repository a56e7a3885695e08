package org.coloan.bank.journal;

import com.google.protobuf.ByteString;
import org.coloan.bank.envelope.Sealed;

/** A request of ours whose outcome is not known yet, with the name of the method that takes it. */
public record Request(String method, ByteString messageId, ByteString digest, ByteString envelope) {
    public static Request of(String method, Sealed message) {
        return new Request(method, message.messageId(), message.digest(), message.envelope());
    }

    public Sealed message() {
        return new Sealed(envelope, digest, messageId);
    }
}
