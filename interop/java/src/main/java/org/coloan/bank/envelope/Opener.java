package org.coloan.bank.envelope;

import static org.coloan.bank.wire.Refused.check;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;
import org.coloan.bank.key.DirectoryKey;
import org.coloan.bank.key.KeyDirectory;
import org.coloan.bank.wire.Contract;
import org.coloan.bank.wire.Digests;
import org.coloan.bank.wire.Limits;
import org.coloan.bank.wire.MessageId;
import org.coloan.bank.wire.Reason;
import org.coloan.v1.Direction;
import org.coloan.v1.Disclosure;
import org.coloan.v1.Envelope;
import org.coloan.v1.Signature;
import org.coloan.v1.SignedHeader;
import org.coloan.v1.SignedPayload;

/**
 * Opens what others say, with every check in the order of chapter 4; the first that fails names the reason.
 * The bytes of the payload that arrived are the bytes that are verified and hashed: nothing is ever encoded
 * again from what was decoded.
 */
public final class Opener {
    private Opener() {}

    /** What steps 1 to 8 prove; the body is still bytes. */
    public record Proven(
            SignedHeader header, Message bodyType, ByteString body, ByteString digest, List<Disclosure> disclosures) {}

    /** Who made a message, and how it is named. */
    private record Makers(List<DirectoryKey> keys, ByteString digest) {}

    /** Steps 1 to 8, 10 and 11. What the disclosures commit to is known by whoever knows the body. */
    public static Opened<Message> open(ByteString bytes, Expected expected, long nowMs) {
        return read(prove(bytes, expected, nowMs), nowMs);
    }

    /** Steps 1 to 8. Step 9, duplicates, is of whoever answers requests. */
    public static Proven prove(ByteString bytes, Expected expected, long nowMs) {
        Envelope envelope = Contract.readEnvelope(bytes);
        Optional<Expected.Body> body = expected.bodyOf(envelope.getPayloadType());
        check(body.isPresent(), Reason.PAYLOAD_TYPE_WRONG);
        boolean isEvent = body.get().direction() == Direction.DIRECTION_EVENT;
        // An event may be read long after it was made: its key is judged by that moment, which its header tells.
        Predicate<DirectoryKey> inForce = key -> isEvent || key.isInForce(nowMs);
        Makers makers = verify(envelope, expected.directory(), expected.sender(), inForce, expected.batches());
        SignedPayload payload = Contract.readPayload(envelope);
        checkComplete(payload);
        SignedHeader header = payload.getHeader();
        checkTransport(header, expected, body.get().direction());
        checkForm(header, expected.inReplyTo());
        boolean wereInForce = makers.keys().stream().allMatch(key -> key.wasInForce(header.getCreatedMs()));
        check(!isEvent || wereInForce, Reason.KEY_NOT_VALID);
        return new Proven(header, body.get().type(), payload.getBody(), makers.digest(), envelope.getDisclosuresList());
    }

    /** Steps 10 and 11. */
    public static Opened<Message> read(Proven proven, long nowMs) {
        checkTime(proven.header(), nowMs);
        Message body = Contract.read(proven.bodyType(), proven.body());
        return new Opened<>(proven.header(), body, proven.digest(), proven.disclosures());
    }

    /**
     * A kept message against a directory alone ([COL-CHK-007]): its keys are those that were in force when it
     * was made. Sender, recipient and method are for the caller to compare with what the message is used for.
     */
    public static <M extends Message> Opened<M> openKept(ByteString bytes, M type, KeyDirectory directory) {
        Envelope envelope = Contract.readEnvelope(bytes);
        check(envelope.getPayloadType().equals(Contract.payloadType(type)), Reason.PAYLOAD_TYPE_WRONG);
        SignedPayload payload = Contract.readPayload(envelope);
        checkComplete(payload);
        SignedHeader header = payload.getHeader();
        check(header.getSpecVersion().equals(Contract.SPEC_VERSION), Reason.SPEC_VERSION);
        check(header.getEnvironment().equals(directory.environment()), Reason.ENVIRONMENT_WRONG);
        checkForm(header, Optional.empty());
        Predicate<DirectoryKey> wasInForce = key -> key.wasInForce(header.getCreatedMs());
        Makers makers = verify(envelope, directory, header.getSender(), wasInForce, true);
        M body = Contract.read(type, payload.getBody());
        return new Opened<>(header, body, makers.digest(), envelope.getDisclosuresList());
    }

    // ---- Steps 5 and 6: signatures ---------------------------------------------------------------------------------

    /**
     * Every signature verifies, each by a key of its own. All keys are found before the first signature costs
     * anything.
     */
    private static Makers verify(
            Envelope envelope,
            KeyDirectory directory,
            String sender,
            Predicate<DirectoryKey> inForce,
            boolean batches) {
        List<Signature> signatures = envelope.getSignaturesList();
        boolean count = !signatures.isEmpty() && signatures.size() <= Limits.SIGNATURES_MAX;
        check(count, Reason.SIGNATURE_COUNT);
        List<List<DirectoryKey>> candidates = new ArrayList<>();
        for (Signature signature : signatures) {
            check(batches || !signature.hasBatch(), Reason.PROFILE_UNSUPPORTED);
            candidates.add(candidates(directory.signingKeys(sender, signature.getKeyid()), inForce));
        }
        ByteString pae = Digests.pae(envelope.getPayloadType(), envelope.getPayload());
        List<DirectoryKey> makers = new ArrayList<>();
        for (int i = 0; i < signatures.size(); i++) {
            makers.add(makerOf(signatures.get(i), pae, candidates.get(i)));
        }
        check(new HashSet<>(makers).size() == makers.size(), Reason.SIGNATURE_INVALID);
        return new Makers(makers, Digests.sha256(pae));
    }

    /** A key id narrows the keys of the sender; it never adds one ([COL-ENV-006], [COL-CHK-004]). */
    private static List<DirectoryKey> candidates(List<DirectoryKey> known, Predicate<DirectoryKey> inForce) {
        check(!known.isEmpty(), Reason.KEY_UNKNOWN);
        List<DirectoryKey> usable =
                known.stream().filter(inForce).limit(Limits.KEY_TRIES_MAX).toList();
        check(!usable.isEmpty(), Reason.KEY_NOT_VALID);
        return usable;
    }

    private static DirectoryKey makerOf(Signature signature, ByteString pae, List<DirectoryKey> candidates) {
        Optional<ByteString> text =
                signature.hasBatch() ? Batch.signedText(pae, signature.getBatch()) : Optional.of(pae);
        check(text.isPresent(), Reason.SIGNATURE_INVALID);
        Optional<DirectoryKey> maker = candidates.stream()
                .filter(key -> key.key().verifies(text.get(), signature.getSig()))
                .findFirst();
        check(maker.isPresent(), Reason.SIGNATURE_INVALID);
        return maker.get();
    }

    // ---- Step 8: the header ----------------------------------------------------------------------------------------

    private static void checkComplete(SignedPayload payload) {
        check(payload.hasHeader(), Reason.HEADER_INCOMPLETE);
        SignedHeader header = payload.getHeader();
        boolean texts = !header.getSpecVersion().isEmpty()
                && !header.getEnvironment().isEmpty()
                && !header.getSender().isEmpty()
                && !header.getRecipient().isEmpty()
                && !header.getMethod().isEmpty();
        boolean isEvent = header.getDirection() == Direction.DIRECTION_EVENT;
        boolean times = header.getCreatedMs() > 0 && (isEvent || header.getExpiresMs() != 0);
        boolean ids = !header.getMessageId().isEmpty()
                && header.getDirection() != Direction.DIRECTION_UNSPECIFIED
                && (!isAnswer(header) || !header.getInReplyTo().isEmpty());
        check(texts && times && ids, Reason.HEADER_INCOMPLETE);
    }

    private static void checkTransport(SignedHeader header, Expected expected, Direction direction) {
        check(header.getSpecVersion().equals(Contract.SPEC_VERSION), Reason.SPEC_VERSION);
        check(header.getEnvironment().equals(expected.directory().environment()), Reason.ENVIRONMENT_WRONG);
        check(header.getSender().equals(expected.sender()), Reason.SENDER_WRONG);
        check(header.getRecipient().equals(expected.recipient()), Reason.RECIPIENT_WRONG);
        check(header.getMethod().equals(expected.method()), Reason.METHOD_WRONG);
        check(header.getDirection() == direction, Reason.DIRECTION_WRONG);
    }

    private static void checkForm(SignedHeader header, Optional<ByteString> answered) {
        check(MessageId.isValid(header.getMessageId()), Reason.MESSAGE_ID_INVALID);
        int digestBytes = isAnswer(header) ? Digests.BYTES : 0;
        check(header.getInReplyTo().size() == digestBytes, Reason.IN_REPLY_TO_WRONG);
        boolean ours = !isAnswer(header) || answered.isEmpty() || answered.get().equals(header.getInReplyTo());
        check(ours, Reason.IN_REPLY_TO_WRONG);
        boolean isEvent = header.getDirection() == Direction.DIRECTION_EVENT;
        check(isEvent == (header.getSequence() != 0), Reason.SEQUENCE_WRONG);
    }

    private static boolean isAnswer(SignedHeader header) {
        return switch (header.getDirection()) {
            case DIRECTION_REPLY, DIRECTION_ACK, DIRECTION_REFUSAL -> true;
            default -> false;
        };
    }

    // ---- Step 10: time ---------------------------------------------------------------------------------------------

    static void checkTime(SignedHeader header, long nowMs) {
        check(header.getCreatedMs() <= nowMs + Limits.CLOCK_AHEAD_MS_MAX, Reason.CREATED_IN_FUTURE);
        if (header.getDirection() == Direction.DIRECTION_EVENT) {
            check(header.getExpiresMs() == 0, Reason.LIFETIME_WRONG);
            return;
        }
        long lifeMs = header.getExpiresMs() - header.getCreatedMs();
        check(lifeMs >= 1 && lifeMs <= Limits.MESSAGE_LIFE_MS_MAX, Reason.LIFETIME_WRONG);
        check(nowMs <= header.getExpiresMs() || isTied(header), Reason.EXPIRED);
    }

    /**
     * A reply or refusal is tied to its request by digest, and repeated byte for byte however late
     * ([COL-TIM-004]).
     */
    private static boolean isTied(SignedHeader header) {
        return header.getDirection() == Direction.DIRECTION_REPLY
                || header.getDirection() == Direction.DIRECTION_REFUSAL;
    }
}
