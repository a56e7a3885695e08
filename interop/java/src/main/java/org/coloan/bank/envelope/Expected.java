package org.coloan.bank.envelope;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import java.util.List;
import java.util.Optional;
import org.coloan.bank.key.KeyDirectory;
import org.coloan.bank.wire.Contract;
import org.coloan.v1.Direction;

/**
 * What a receiver knows before it opens a message: from the connection, from the call, and from what it asked
 * itself.
 *
 * @param sender the party of the certificate on the other side
 * @param recipient we
 * @param bodies the messages that may come here, each with its direction
 * @param inReplyTo the digest of our message that is answered, when there is one
 * @param batches whether the profile "batch" is in service (chapter 11)
 */
public record Expected(
        KeyDirectory directory,
        String sender,
        String recipient,
        String method,
        List<Body> bodies,
        Optional<ByteString> inReplyTo,
        boolean batches) {
    /** A message type, by its default instance, and the direction that it has here. */
    public record Body(Message type, Direction direction) {}

    Optional<Body> bodyOf(String payloadType) {
        return bodies.stream()
                .filter(body -> Contract.payloadType(body.type()).equals(payloadType))
                .findFirst();
    }
}
