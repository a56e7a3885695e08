package org.coloan.bank.key;

import static org.coloan.bank.support.Refusals.assertRefused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.coloan.bank.envelope.Sealer;
import org.coloan.bank.support.Keys;
import org.coloan.bank.wire.Contract;
import org.coloan.bank.wire.Digests;
import org.coloan.bank.wire.Hex;
import org.coloan.bank.wire.Reason;
import org.coloan.v1.Direction;
import org.coloan.v1.Envelope;
import org.coloan.v1.Key;
import org.coloan.v1.KeyAlgorithm;
import org.coloan.v1.KeyPurpose;
import org.coloan.v1.KeyStatus;
import org.coloan.v1.SignedHeader;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class KeyDirectoryTest {
    private static final long NOW_MS = 1_795_564_800_000L; // 2026-11-25 00:00 UTC
    private static final SigningKey ROOT = Keys.make(Keys.CENTRE);
    private static final SigningKey ALPHA = Keys.make(Keys.OTHER_BANK);
    private static final SigningKey BETA = Keys.make(Keys.BANK);
    private static final ByteString DIGEST = Digests.sha256();

    private static List<Key> keys() {
        return List.of(
                Keys.entry(ALPHA, NOW_MS).build(), Keys.entry(BETA, NOW_MS).build());
    }

    @Test
    void findsTheKeysOfAParty() {
        KeyDirectory directory = Keys.load(ROOT, NOW_MS, keys());
        assertEquals(1, directory.number());
        assertEquals(
                ALPHA.publicKey(),
                directory.signingKeys(Keys.OTHER_BANK, "").get(0).key());
        assertTrue(directory.signingKeys("bank:cn-nobody", "").isEmpty());
        assertTrue(directory.signingKeys(Keys.BANK, ALPHA.publicKey().id()).isEmpty());
    }

    @Test
    void isReplacedByANewerOneOnly() {
        ByteString fifth = Keys.issue(ROOT, 5, NOW_MS, keys());
        KeyDirectory.load(fifth, Keys.trust(ROOT), 4);
        assertRefused(Reason.SEQUENCE_WRONG, () -> KeyDirectory.load(fifth, Keys.trust(ROOT), 5));
        assertRefused(Reason.SEQUENCE_WRONG, () -> KeyDirectory.load(fifth, Keys.trust(ROOT), 6));
    }

    @TestFactory
    Stream<DynamicTest> wrongHeaders() {
        return Stream.of(
                header("of another centre", Reason.SENDER_WRONG, header -> header.setSender("fund:x")),
                header("of another version", Reason.SPEC_VERSION, header -> header.setSpecVersion("1.1")),
                header("of another environment", Reason.ENVIRONMENT_WRONG, header -> header.setEnvironment("prod")),
                header("with a recipient", Reason.RECIPIENT_WRONG, header -> header.setRecipient(Keys.BANK)),
                header("with another method", Reason.METHOD_WRONG, header -> header.setMethod("coloan.v1.X/Y")),
                header("as a reply", Reason.DIRECTION_WRONG, header -> header.setDirection(Direction.DIRECTION_REPLY)),
                header("without a UUIDv7", Reason.MESSAGE_ID_INVALID, header -> header.clearMessageId()),
                header("that answers something", Reason.IN_REPLY_TO_WRONG, header -> header.setInReplyTo(DIGEST)),
                header("that expires", Reason.LIFETIME_WRONG, header -> header.setExpiresMs(1)),
                header("whose sequence is not its number", Reason.SEQUENCE_WRONG, header -> header.setSequence(2)),
                header("made at another time", Reason.DIRECTORY_INVALID, header -> header.setCreatedMs(1)));
    }

    private static DynamicTest header(String name, Reason reason, UnaryOperator<SignedHeader.Builder> change) {
        SignedHeader header = change.apply(Keys.directoryHeader(1, NOW_MS)).build();
        ByteString bytes = Sealer.seal(
                        ROOT, header, Keys.directory(1, NOW_MS, keys()).build(), List.of())
                .envelope();
        return refused(name, reason, bytes);
    }

    @TestFactory
    Stream<DynamicTest> wrongKeys() {
        ByteString weak = Hex.parse("01" + "00".repeat(31));
        return Stream.of(
                key("of SM2", Reason.DIRECTORY_INVALID, key -> key.setAlgorithm(KeyAlgorithm.KEY_ALGORITHM_SM2_SM3)),
                key("of nobody", Reason.DIRECTORY_INVALID, key -> key.setParty("nobody")),
                key("that never begins", Reason.DIRECTORY_INVALID, key -> key.setValidUntilMs(key.getValidFromMs())),
                key("of no purpose", Reason.DIRECTORY_INVALID, key -> key.clearPurpose()),
                key("of no status", Reason.DIRECTORY_INVALID, key -> key.clearStatus()),
                key("of another environment", Reason.ENVIRONMENT_WRONG, key -> key.setEnvironment("prod")),
                key("that is weak", Reason.KEY_WEAK, key -> key.setPublicKey(weak)),
                key(
                        "with another's proof",
                        Reason.KEY_POSSESSION,
                        key -> key.setPossession(BETA.provePossession("test"))),
                key("proven elsewhere", Reason.KEY_POSSESSION, key -> key.setPossession(ALPHA.provePossession("prod"))),
                key("without a proof", Reason.KEY_POSSESSION, key -> key.clearPossession()),
                key(
                        "that is there twice",
                        Reason.DIRECTORY_INVALID,
                        key -> key.mergeFrom(Keys.entry(BETA, NOW_MS).build())));
    }

    private static DynamicTest key(String name, Reason reason, UnaryOperator<Key.Builder> change) {
        Key wrong = change.apply(Keys.entry(ALPHA, NOW_MS)).build();
        Key right = Keys.entry(BETA, NOW_MS).build();
        return refused("with a key " + name, reason, Keys.issue(ROOT, 1, NOW_MS, List.of(wrong, right)));
    }

    @TestFactory
    Stream<DynamicTest> wrongSignatures() {
        Envelope right = Contract.readEnvelope(Keys.issue(ROOT, 1, NOW_MS, keys()));
        Envelope twice = right.toBuilder().addSignatures(right.getSignatures(0)).build();
        Envelope batch = right.toBuilder()
                .setSignatures(0, right.getSignatures(0).toBuilder().setBatch(org.coloan.v1.BatchProof.newBuilder()))
                .build();
        Envelope nameless = right.toBuilder()
                .setSignatures(
                        0, right.getSignatures(0).toBuilder().clearKeyid().setSig(ROOT.sign(DIGEST)))
                .build();
        return Stream.of(
                refused("by somebody else", Reason.KEY_UNKNOWN, Keys.issue(BETA, 1, NOW_MS, keys())),
                refused("twice", Reason.SIGNATURE_COUNT, twice.toByteString()),
                refused("in a batch", Reason.PROFILE_UNSUPPORTED, batch.toByteString()),
                refused("over something else", Reason.SIGNATURE_INVALID, nameless.toByteString()));
    }

    @TestFactory
    Stream<DynamicTest> wrongDirectories() {
        return Stream.of(
                refused("without keys", Reason.DIRECTORY_INVALID, Keys.issue(ROOT, 1, NOW_MS, List.of())),
                refused("with number 0", Reason.SEQUENCE_WRONG, Keys.issue(ROOT, 0, NOW_MS, keys())));
    }

    private static DynamicTest refused(String name, Reason reason, ByteString bytes) {
        return DynamicTest.dynamicTest(
                name, () -> assertRefused(reason, () -> KeyDirectory.load(bytes, Keys.trust(ROOT))));
    }

    @Test
    void whenAKeyVerifies() {
        assertTrue(key(KeyStatus.KEY_STATUS_ACTIVE).isInForce(10));
        assertTrue(key(KeyStatus.KEY_STATUS_RETIRING).isInForce(19));
        assertFalse(key(KeyStatus.KEY_STATUS_ACTIVE).isInForce(9));
        assertFalse(key(KeyStatus.KEY_STATUS_ACTIVE).isInForce(20));
        assertFalse(key(KeyStatus.KEY_STATUS_RETIRED).isInForce(15));
        assertFalse(key(KeyStatus.KEY_STATUS_COMPROMISED).isInForce(15));
        assertTrue(key(KeyStatus.KEY_STATUS_COMPROMISED).wasInForce(15));
        assertFalse(key(KeyStatus.KEY_STATUS_COMPROMISED).wasInForce(20));
    }

    private static DirectoryKey key(KeyStatus status) {
        return new DirectoryKey(Keys.BANK, KeyPurpose.KEY_PURPOSE_SIGN, status, 10, 20, BETA.publicKey());
    }
}
