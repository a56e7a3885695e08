package org.coloan.bank.envelope;

import static org.coloan.bank.support.Refusals.assertOutcome;
import static org.coloan.bank.support.Refusals.assertRefused;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.coloan.bank.key.KeyDirectory;
import org.coloan.bank.key.SigningKey;
import org.coloan.bank.support.Keys;
import org.coloan.bank.wire.Contract;
import org.coloan.bank.wire.Digests;
import org.coloan.bank.wire.Hex;
import org.coloan.bank.wire.Limits;
import org.coloan.bank.wire.MessageId;
import org.coloan.bank.wire.Reason;
import org.coloan.v1.ApplicationQuery;
import org.coloan.v1.BatchProof;
import org.coloan.v1.Direction;
import org.coloan.v1.Envelope;
import org.coloan.v1.KeyStatus;
import org.coloan.v1.KeysQuery;
import org.coloan.v1.Signature;
import org.coloan.v1.SignedHeader;
import org.coloan.v1.SignedPayload;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class OpenerTest {
    private static final long NOW_MS = 1_795_564_800_000L; // 2026-11-25 00:00 UTC
    private static final long LIFE_MS = 60_000;
    private static final String METHOD = "coloan.v1.JointApproval/GetApplication";
    private static final ApplicationQuery BODY =
            ApplicationQuery.newBuilder().setApplicationId("x").build();
    private static final ByteString QUESTION = Digests.sha256(ByteString.copyFromUtf8("q"));

    private static final SigningKey ROOT = Keys.make(Keys.CENTRE);
    private static final SigningKey BANK = Keys.make(Keys.BANK);
    private static final SigningKey RETIRING = Keys.make(Keys.BANK);
    private static final SigningKey RETIRED = Keys.make(Keys.BANK);
    private static final SigningKey FUTURE = Keys.make(Keys.BANK);
    private static final SigningKey CENTRE = Keys.make(Keys.CENTRE);
    private static final SigningKey STRANGER = Keys.make(Keys.BANK);
    private static final KeyDirectory DIRECTORY = Keys.load(
            ROOT,
            NOW_MS,
            List.of(
                    Keys.entry(BANK, NOW_MS).build(),
                    Keys.entry(RETIRING, NOW_MS)
                            .setStatus(KeyStatus.KEY_STATUS_RETIRING)
                            .build(),
                    Keys.entry(RETIRED, NOW_MS)
                            .setStatus(KeyStatus.KEY_STATUS_RETIRED)
                            .build(),
                    Keys.entry(FUTURE, NOW_MS)
                            .setValidFromMs(NOW_MS + Keys.DAY_MS)
                            .build(),
                    Keys.entry(CENTRE, NOW_MS).build()));

    private static SignedHeader.Builder header() {
        return SignedHeader.newBuilder()
                .setSpecVersion("1.0")
                .setEnvironment("test")
                .setMessageId(MessageId.next(NOW_MS))
                .setSender(Keys.BANK)
                .setRecipient(Keys.CENTRE)
                .setMethod(METHOD)
                .setDirection(Direction.DIRECTION_REQUEST)
                .setCreatedMs(NOW_MS)
                .setExpiresMs(NOW_MS + LIFE_MS);
    }

    private static ByteString request(SigningKey key) {
        return Sealer.seal(key, header().build(), BODY, List.of()).envelope();
    }

    private static ByteString with(UnaryOperator<SignedHeader.Builder> change) {
        return Sealer.seal(BANK, change.apply(header()).build(), BODY, List.of())
                .envelope();
    }

    /** Signs whatever payload, of whatever type. */
    private static ByteString signed(ByteString payload, String type) {
        return Envelope.newBuilder()
                .setPayload(payload)
                .setPayloadType(type)
                .addSignatures(Signature.newBuilder().setSig(BANK.sign(Digests.pae(type, payload))))
                .build()
                .toByteString();
    }

    private static ByteString signed(ByteString payload) {
        return signed(payload, Contract.payloadType(BODY));
    }

    /** As somebody on the way could change it. */
    private static ByteString changed(UnaryOperator<Envelope.Builder> change) {
        return change.apply(Contract.readEnvelope(request(BANK)).toBuilder())
                .build()
                .toByteString();
    }

    private static ByteString changedSignature(UnaryOperator<Signature.Builder> change) {
        return changed(envelope -> envelope.setSignatures(0, change.apply(envelope.getSignatures(0).toBuilder())));
    }

    private static Expected expected(Message type, Direction direction, Optional<ByteString> answered) {
        List<Expected.Body> bodies = List.of(new Expected.Body(type, direction));
        return new Expected(DIRECTORY, Keys.BANK, Keys.CENTRE, METHOD, bodies, answered, false);
    }

    private static final Expected REQUEST = expected(BODY, Direction.DIRECTION_REQUEST, Optional.empty());
    private static final Expected REPLY = expected(BODY, Direction.DIRECTION_REPLY, Optional.of(QUESTION));

    private static DynamicTest judged(String name, ByteString bytes, Expected expected, String outcome) {
        return DynamicTest.dynamicTest(name, () -> assertOutcome(outcome, () -> Opener.open(bytes, expected, NOW_MS)));
    }

    private static DynamicTest refused(String name, ByteString bytes, Reason reason) {
        return judged(name, bytes, REQUEST, reason.name());
    }

    @Test
    void aMessageThatIsRight() {
        Sealed sealed = Sealer.seal(BANK, header().build(), BODY, List.of());
        Opened<Message> opened = Opener.open(sealed.envelope(), REQUEST, NOW_MS);
        assertEquals(sealed.digest(), opened.digest());
        assertEquals(Keys.BANK, opened.header().getSender());
        assertEquals(BODY, opened.body());
    }

    @TestFactory
    Stream<DynamicTest> steps1To4() {
        ByteString zeros = ByteString.copyFrom(new byte[Limits.MESSAGE_BYTES_MAX + 1]);
        ByteString large = ByteString.copyFrom(new byte[Limits.PAYLOAD_BYTES_MAX + 1]);
        Expected keys = expected(KeysQuery.getDefaultInstance(), Direction.DIRECTION_REQUEST, Optional.empty());
        return Stream.of(
                refused("nothing at all", ByteString.EMPTY, Reason.MESSAGE_EMPTY),
                refused("no payload", Hex.parse("1200"), Reason.MESSAGE_EMPTY),
                refused("256 KiB and a byte", zeros, Reason.MESSAGE_TOO_LARGE),
                refused("a payload past 192 KiB", signed(large), Reason.MESSAGE_TOO_LARGE),
                refused("an unknown field", request(BANK).concat(Hex.parse("7801")), Reason.WIRE_UNKNOWN_FIELD),
                judged("another method's payload type", request(BANK), keys, Reason.PAYLOAD_TYPE_WRONG.name()),
                refused("no payload type", signed(Hex.parse("0a00"), ""), Reason.PAYLOAD_TYPE_WRONG));
    }

    @TestFactory
    Stream<DynamicTest> steps5And6() {
        Expected others = new Expected(
                DIRECTORY, Keys.OTHER_BANK, Keys.CENTRE, METHOD, REQUEST.bodies(), Optional.empty(), false);
        return Stream.of(
                refused("no signature", changed(Envelope.Builder::clearSignatures), Reason.SIGNATURE_COUNT),
                refused(
                        "five signatures",
                        changed(envelope ->
                                envelope.addAllSignatures(Collections.nCopies(4, envelope.getSignatures(0)))),
                        Reason.SIGNATURE_COUNT),
                refused(
                        "a batch proof",
                        changedSignature(signature ->
                                signature.setBatch(BatchProof.newBuilder().setCount(1))),
                        Reason.PROFILE_UNSUPPORTED),
                refused("a key that is in no directory", request(STRANGER), Reason.KEY_UNKNOWN),
                judged("another party's certificate", request(BANK), others, Reason.KEY_UNKNOWN.name()),
                refused("a retired key", request(RETIRED), Reason.KEY_NOT_VALID),
                refused("a key of tomorrow", request(FUTURE), Reason.KEY_NOT_VALID),
                judged("a retiring key", request(RETIRING), REQUEST, "OK"),
                judged("no key id", changedSignature(Signature.Builder::clearKeyid), REQUEST, "OK"),
                refused(
                        "another payload",
                        changed(envelope -> envelope.setPayload(QUESTION)),
                        Reason.SIGNATURE_INVALID),
                refused(
                        "a short signature",
                        changedSignature(
                                signature -> signature.setSig(signature.getSig().substring(1))),
                        Reason.SIGNATURE_INVALID),
                refused(
                        "the same signature twice",
                        changed(envelope -> envelope.addSignatures(envelope.getSignatures(0))),
                        Reason.SIGNATURE_INVALID));
    }

    @TestFactory
    Stream<DynamicTest> steps7And8() {
        ByteString headless =
                SignedPayload.newBuilder().setBody(BODY.toByteString()).build().toByteString();
        return Stream.of(
                refused("a payload that is no message", signed(Hex.parse("0f")), Reason.WIRE_MALFORMED),
                refused("no header", signed(headless), Reason.HEADER_INCOMPLETE),
                refused("no environment", with(SignedHeader.Builder::clearEnvironment), Reason.HEADER_INCOMPLETE),
                refused("no recipient", with(SignedHeader.Builder::clearRecipient), Reason.HEADER_INCOMPLETE),
                refused("no method", with(SignedHeader.Builder::clearMethod), Reason.HEADER_INCOMPLETE),
                refused("no message id", with(SignedHeader.Builder::clearMessageId), Reason.HEADER_INCOMPLETE),
                refused("no creation", with(SignedHeader.Builder::clearCreatedMs), Reason.HEADER_INCOMPLETE),
                refused("no expiry", with(SignedHeader.Builder::clearExpiresMs), Reason.HEADER_INCOMPLETE),
                refused("no direction", with(SignedHeader.Builder::clearDirection), Reason.HEADER_INCOMPLETE),
                refused("version 1.1", with(header -> header.setSpecVersion("1.1")), Reason.SPEC_VERSION),
                refused("production", with(header -> header.setEnvironment("prod")), Reason.ENVIRONMENT_WRONG),
                refused("another sender", with(header -> header.setSender(Keys.OTHER_BANK)), Reason.SENDER_WRONG),
                refused("another recipient", with(header -> header.setRecipient("fund:x")), Reason.RECIPIENT_WRONG),
                refused("another method", with(header -> header.setMethod("coloan.v1.X/Y")), Reason.METHOD_WRONG),
                refused("another direction", with(OpenerTest::asReply), Reason.DIRECTION_WRONG),
                refused("no UUIDv7", with(header -> header.setMessageId(QUESTION)), Reason.MESSAGE_ID_INVALID),
                refused("an answer", with(header -> header.setInReplyTo(QUESTION)), Reason.IN_REPLY_TO_WRONG),
                refused("a sequence", with(header -> header.setSequence(1)), Reason.SEQUENCE_WRONG));
    }

    private static SignedHeader.Builder asReply(SignedHeader.Builder header) {
        return header.setDirection(Direction.DIRECTION_REPLY).setInReplyTo(QUESTION);
    }

    @TestFactory
    Stream<DynamicTest> answers() {
        ByteString unbound = with(header -> header.setDirection(Direction.DIRECTION_REPLY));
        ByteString half = with(header -> asReply(header).setInReplyTo(QUESTION.substring(16)));
        ByteString other = with(header -> asReply(header).setInReplyTo(Digests.sha256()));
        return Stream.of(
                judged("to ours", with(OpenerTest::asReply), REPLY, "OK"),
                judged("to nothing", unbound, REPLY, Reason.HEADER_INCOMPLETE.name()),
                judged("to half a digest", half, REPLY, Reason.IN_REPLY_TO_WRONG.name()),
                judged("to another request", other, REPLY, Reason.IN_REPLY_TO_WRONG.name()));
    }

    @Test
    void anEventIsVerifiedWithTheKeyOfItsTime() {
        List<Expected.Body> bodies = List.of(new Expected.Body(BODY, Direction.DIRECTION_EVENT));
        Expected event = new Expected(DIRECTORY, Keys.CENTRE, Keys.BANK, METHOD, bodies, Optional.empty(), false);
        long muchLaterMs = NOW_MS + 365 * Keys.DAY_MS; // no key is in force any more
        Opener.open(event(NOW_MS, 1), event, muchLaterMs);
        assertRefused(Reason.KEY_NOT_VALID, () -> Opener.open(event(muchLaterMs, 1), event, muchLaterMs));
        assertRefused(Reason.SEQUENCE_WRONG, () -> Opener.open(event(NOW_MS, 0), event, muchLaterMs));
    }

    private static ByteString event(long createdMs, long sequence) {
        SignedHeader header = header().setSender(Keys.CENTRE)
                .setRecipient(Keys.BANK)
                .setDirection(Direction.DIRECTION_EVENT)
                .setCreatedMs(createdMs)
                .clearExpiresMs()
                .setSequence(sequence)
                .build();
        return Sealer.seal(CENTRE, header, BODY, List.of()).envelope();
    }

    @Test
    void time() {
        SignedHeader right = header().build();
        Opener.checkTime(right, NOW_MS - Limits.CLOCK_AHEAD_MS_MAX);
        Opener.checkTime(right, NOW_MS + LIFE_MS);
        assertRefused(Reason.CREATED_IN_FUTURE, () -> Opener.checkTime(right, NOW_MS - Limits.CLOCK_AHEAD_MS_MAX - 1));
        assertRefused(Reason.EXPIRED, () -> Opener.checkTime(right, NOW_MS + LIFE_MS + 1));
        Opener.checkTime(asReply(header()).build(), NOW_MS + Keys.DAY_MS);
        SignedHeader brief = header().setExpiresMs(NOW_MS).build();
        assertRefused(Reason.LIFETIME_WRONG, () -> Opener.checkTime(brief, NOW_MS));
        long tooLongMs = NOW_MS + Limits.MESSAGE_LIFE_MS_MAX + 1;
        SignedHeader lengthy = header().setExpiresMs(tooLongMs).build();
        assertRefused(Reason.LIFETIME_WRONG, () -> Opener.checkTime(lengthy, NOW_MS));
        SignedHeader event = header().setDirection(Direction.DIRECTION_EVENT).build();
        assertRefused(Reason.LIFETIME_WRONG, () -> Opener.checkTime(event, NOW_MS));
    }

    @Test
    void keptMessagesVerifyAgainstTheDirectoryAlone() {
        assertEquals(BODY, kept(request(BANK)));
        assertEquals(BODY, kept(request(RETIRED)));
        assertRefused(Reason.KEY_UNKNOWN, () -> kept(request(STRANGER)));
        assertRefused(Reason.KEY_NOT_VALID, () -> kept(request(FUTURE)));
        assertRefused(Reason.ENVIRONMENT_WRONG, () -> kept(with(header -> header.setEnvironment("prod"))));
        assertRefused(Reason.PAYLOAD_TYPE_WRONG, () -> kept(signed(Hex.parse("0a00"), "x")));
        assertRefused(Reason.HEADER_INCOMPLETE, () -> kept(with(SignedHeader.Builder::clearRecipient)));
        ByteString longer = request(BANK).concat(Hex.parse("7801"));
        assertRefused(Reason.WIRE_UNKNOWN_FIELD, () -> kept(longer));
    }

    private static ApplicationQuery kept(ByteString bytes) {
        return Opener.openKept(bytes, ApplicationQuery.getDefaultInstance(), DIRECTORY)
                .body();
    }

    @Test
    void nothingIsSealedThatCouldNotBeRead() {
        SignedHeader header = header().setApplicationId("a\nb").build();
        assertRefused(Reason.TEXT_CONTROL, () -> Sealer.seal(BANK, header, BODY, List.of()));
        ApplicationQuery body =
                ApplicationQuery.newBuilder().setApplicationId("\u0000").build();
        assertRefused(Reason.TEXT_CONTROL, () -> Sealer.seal(BANK, header().build(), body, List.of()));
    }
}
