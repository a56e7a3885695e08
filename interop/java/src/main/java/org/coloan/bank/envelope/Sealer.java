package org.coloan.bank.envelope;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import java.util.List;
import org.coloan.bank.key.SigningKey;
import org.coloan.bank.wire.Contract;
import org.coloan.bank.wire.Digests;
import org.coloan.bank.wire.Scan;
import org.coloan.v1.Disclosure;
import org.coloan.v1.Envelope;
import org.coloan.v1.Signature;
import org.coloan.v1.SignedHeader;
import org.coloan.v1.SignedPayload;

/** Signs what we say (chapter 3). */
public final class Sealer {
    private Sealer() {}

    /** {@code header} is complete. Refused when the other side could not read the message: then nothing leaves. */
    public static Sealed seal(SigningKey key, SignedHeader header, Message body, List<Disclosure> disclosures) {
        ByteString payload = SignedPayload.newBuilder()
                .setHeader(header)
                .setBody(body.toByteString())
                .build()
                .toByteString();
        String type = Contract.payloadType(body);
        ByteString pae = Digests.pae(type, payload);
        Envelope envelope = Envelope.newBuilder()
                .setPayload(payload)
                .setPayloadType(type)
                .addSignatures(Signature.newBuilder()
                        .setSig(key.sign(pae))
                        .setKeyid(key.publicKey().id()))
                .addAllDisclosures(disclosures)
                .build();
        ByteString bytes = envelope.toByteString();
        Contract.readPayload(Contract.readEnvelope(bytes));
        Scan.scan(body.getDescriptorForType(), body.toByteString());
        return new Sealed(bytes, Digests.sha256(pae), header.getMessageId());
    }
}
