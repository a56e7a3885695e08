package org.coloan.bank.envelope;

import com.google.protobuf.ByteString;
import java.util.Optional;
import org.coloan.bank.wire.Digests;
import org.coloan.bank.wire.Hex;
import org.coloan.bank.wire.Limits;
import org.coloan.v1.BatchProof;

/**
 * Several messages under one signature (chapter 11): the proof leads from one of them to the root that was
 * signed.
 */
final class Batch {
    private static final ByteString DOMAIN = ByteString.copyFromUtf8("coloan batch v1\n");
    private static final ByteString LEAF = Hex.parse("00");
    private static final ByteString NODE = Hex.parse("01");

    private Batch() {}

    /** What the signature is over; nothing when the proof is none. */
    static Optional<ByteString> signedText(ByteString pae, BatchProof proof) {
        int count = proof.getCount(); // unsigned on the wire: what is past the limit may be negative here
        int index = proof.getIndex();
        boolean inRange = count >= 1 && count <= Limits.BATCH_MAX && index >= 0 && index < count;
        return inRange
                ? root(Digests.sha256(LEAF, pae), proof)
                        .map(root -> DOMAIN.concat(root).concat(Digests.u32(count)))
                : Optional.empty();
    }

    /**
     * Up through the levels as RFC 6962 has them: an odd last node goes up as it is, and takes no sibling
     * from the path.
     */
    private static Optional<ByteString> root(ByteString leaf, BatchProof proof) {
        ByteString node = leaf;
        int taken = 0;
        int index = proof.getIndex();
        for (int width = proof.getCount(); width > 1; width = (width + 1) / 2, index /= 2) {
            boolean right = index % 2 == 1;
            if (!right && index + 1 == width) {
                continue;
            }
            if (taken == proof.getPathCount()) {
                return Optional.empty();
            }
            ByteString sibling = proof.getPath(taken++);
            node = right ? Digests.sha256(NODE, sibling, node) : Digests.sha256(NODE, node, sibling);
        }
        return taken == proof.getPathCount() ? Optional.of(node) : Optional.empty();
    }
}
