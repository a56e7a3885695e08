package org.coloan.bank.key;

import static org.coloan.bank.wire.Refused.check;

import com.google.protobuf.ByteString;
import java.util.List;
import org.coloan.bank.wire.Contract;
import org.coloan.bank.wire.Digests;
import org.coloan.bank.wire.Limits;
import org.coloan.bank.wire.MessageId;
import org.coloan.bank.wire.Reason;
import org.coloan.v1.Direction;
import org.coloan.v1.Envelope;
import org.coloan.v1.KeyPurpose;
import org.coloan.v1.Signature;
import org.coloan.v1.SignedHeader;
import org.coloan.v1.SignedPayload;

/**
 * The signed key directory: whose keys verify what ([COL-KEY-006] to [COL-KEY-010]). One with a single wrong
 * key is refused whole.
 */
public final class KeyDirectory {
    private static final String METHOD = "coloan.v1.Directory/GetKeys";

    private final Trust trust;
    private final long number;
    private final List<DirectoryKey> keys;

    private KeyDirectory(Trust trust, long number, List<DirectoryKey> keys) {
        this.trust = trust;
        this.number = number;
        this.keys = keys;
    }

    /** The first directory that is held. */
    public static KeyDirectory load(ByteString bytes, Trust trust) {
        return load(bytes, trust, 0);
    }

    /**
     * One that replaces the directory numbered {@code heldNumber}: an older one must not bring back a
     * withdrawn key.
     */
    public static KeyDirectory load(ByteString bytes, Trust trust, long heldNumber) {
        Envelope envelope = Contract.readEnvelope(bytes);
        org.coloan.v1.KeyDirectory type = org.coloan.v1.KeyDirectory.getDefaultInstance();
        check(envelope.getPayloadType().equals(Contract.payloadType(type)), Reason.PAYLOAD_TYPE_WRONG);
        checkSignature(envelope, trust.directoryKey());
        SignedPayload payload = Contract.readPayload(envelope);
        check(payload.hasHeader(), Reason.HEADER_INCOMPLETE);
        checkHeader(payload.getHeader(), trust);
        var directory = Contract.read(type, payload.getBody(), Limits.DIRECTORY_FIELDS_MAX);
        checkDirectory(directory, payload.getHeader(), trust, heldNumber);
        List<DirectoryKey> keys = directory.getKeysList().stream()
                .map(key -> DirectoryKey.of(key, trust.environment()))
                .toList();
        check(keys.stream().map(DirectoryKey::key).distinct().count() == keys.size(), Reason.DIRECTORY_INVALID);
        return new KeyDirectory(trust, directory.getNumber(), keys);
    }

    private static void checkSignature(Envelope envelope, VerifyKey pinned) {
        check(envelope.getSignaturesCount() == 1, Reason.SIGNATURE_COUNT);
        Signature signature = envelope.getSignatures(0);
        check(!signature.hasBatch(), Reason.PROFILE_UNSUPPORTED);
        String keyId = signature.getKeyid();
        check(keyId.isEmpty() || keyId.equals(pinned.id()), Reason.KEY_UNKNOWN);
        ByteString pae = Digests.pae(envelope.getPayloadType(), envelope.getPayload());
        check(pinned.verifies(pae, signature.getSig()), Reason.SIGNATURE_INVALID);
    }

    private static void checkHeader(SignedHeader header, Trust trust) {
        check(header.getSpecVersion().equals(Contract.SPEC_VERSION), Reason.SPEC_VERSION);
        check(header.getEnvironment().equals(trust.environment()), Reason.ENVIRONMENT_WRONG);
        check(header.getSender().equals(trust.centre()), Reason.SENDER_WRONG);
        check(header.getRecipient().isEmpty(), Reason.RECIPIENT_WRONG);
        check(header.getMethod().equals(METHOD), Reason.METHOD_WRONG);
        check(header.getDirection() == Direction.DIRECTION_EVENT, Reason.DIRECTION_WRONG);
        check(MessageId.isValid(header.getMessageId()), Reason.MESSAGE_ID_INVALID);
        check(header.getInReplyTo().isEmpty(), Reason.IN_REPLY_TO_WRONG);
        check(header.getExpiresMs() == 0, Reason.LIFETIME_WRONG);
    }

    private static void checkDirectory(
            org.coloan.v1.KeyDirectory directory, SignedHeader header, Trust trust, long heldNumber) {
        check(directory.getEnvironment().equals(trust.environment()), Reason.ENVIRONMENT_WRONG);
        check(directory.getNumber() == header.getSequence(), Reason.SEQUENCE_WRONG);
        check(Long.compareUnsigned(directory.getNumber(), heldNumber) > 0, Reason.SEQUENCE_WRONG);
        boolean issued = directory.getIssuedMs() > 0 && directory.getIssuedMs() == header.getCreatedMs();
        check(issued, Reason.DIRECTORY_INVALID);
        int count = directory.getKeysCount();
        check(count >= 1 && count <= Limits.KEYS_MAX, Reason.DIRECTORY_INVALID);
    }

    public Trust trust() {
        return trust;
    }

    public String centre() {
        return trust.centre();
    }

    public String environment() {
        return trust.environment();
    }

    public long number() {
        return number;
    }

    /** The keys that a party signs messages with, whatever their state; an empty {@code keyId} narrows nothing. */
    public List<DirectoryKey> signingKeys(String party, String keyId) {
        return keys.stream()
                .filter(key -> key.party().equals(party) && key.purpose() == KeyPurpose.KEY_PURPOSE_SIGN)
                .filter(key -> keyId.isEmpty() || keyId.equals(key.key().id()))
                .toList();
    }
}
