package org.coloan.bank;

import static org.coloan.bank.support.Refusals.assertOutcome;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.coloan.bank.envelope.Expected;
import org.coloan.bank.envelope.Opened;
import org.coloan.bank.envelope.Opener;
import org.coloan.bank.envelope.Personal;
import org.coloan.bank.key.KeyDirectory;
import org.coloan.bank.key.Possession;
import org.coloan.bank.key.SigningKey;
import org.coloan.bank.key.VerifyKey;
import org.coloan.bank.support.Keys;
import org.coloan.bank.support.Vectors;
import org.coloan.bank.support.Vectors.Case;
import org.coloan.bank.wire.Contract;
import org.coloan.bank.wire.Digests;
import org.coloan.bank.wire.Hex;
import org.coloan.bank.wire.Reason;
import org.coloan.bank.wire.Refused;
import org.coloan.v1.Application;
import org.coloan.v1.BankDecision;
import org.coloan.v1.Direction;
import org.coloan.v1.Envelope;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/** The golden vectors: what every implementation has to make, or judge, alike. */
class VectorsTest {
    private static final KeyDirectory DIRECTORY = Vectors.directory();

    @Test
    void everyFileIsJudged() throws IOException {
        List<String> judged = List.of(
                "batch.json",
                "commitment.json",
                "directory.json",
                "envelope.json",
                "keyid.json",
                "pae.json",
                "parties.json",
                "possession.json",
                "signature.json");
        assertEquals(judged, Vectors.files());
    }

    @TestFactory
    Stream<DynamicTest> pae() {
        return Vectors.each("pae.json", 6, one -> {
            ByteString pae = Digests.pae(one.text("payload_type"), one.bytes("payload"));
            assertEquals(one.text("pae"), Hex.of(pae));
            assertEquals(one.text("digest"), Hex.of(Digests.sha256(pae)));
            SigningKey key = Keys.of("bank:cn-alpha-js", one.bytes("seed"), one.bytes("public_key"));
            assertEquals(one.text("signature"), Hex.of(key.sign(pae)));
        });
    }

    @TestFactory
    Stream<DynamicTest> keyId() {
        return Vectors.each("keyid.json", 9, one -> {
            assertEquals(
                    one.text("keyid"), VerifyKey.of(one.bytes("public_key")).id());
        });
    }

    @TestFactory
    Stream<DynamicTest> possession() {
        return Vectors.each("possession.json", 10, one -> {
            VerifyKey key = VerifyKey.of(one.bytes("public_key"));
            boolean proven =
                    Possession.isProven(one.text("party"), one.text("environment"), key, one.bytes("possession"));
            assertEquals(one.isGood(), proven);
        });
    }

    @TestFactory
    Stream<DynamicTest> commitment() {
        return Vectors.each("commitment.json", 7, one -> {
            ByteString made = Personal.commitment(one.text("path"), one.bytes("salt"), one.bytes("value"));
            assertEquals(one.text("commitment"), Hex.of(made));
        });
    }

    @TestFactory
    Stream<DynamicTest> signature() {
        return Vectors.each("signature.json", 8, one -> assertEquals(one.isGood(), verifies(one)));
    }

    /** A weak key is refused before it can verify anything. */
    private static boolean verifies(Case one) {
        try {
            return VerifyKey.of(one.bytes("public_key")).verifies(one.bytes("message"), one.bytes("signature"));
        } catch (Refused weak) {
            assertEquals(Reason.KEY_WEAK.name(), weak.reason());
            return false;
        }
    }

    @TestFactory
    Stream<DynamicTest> directory() {
        return Vectors.each("directory.json", 10, one -> {
            assertOutcome(
                    one.text("expect"),
                    () -> KeyDirectory.load(one.bytes("directory"), Vectors.trust(), one.number("held_number")));
        });
    }

    @TestFactory
    Stream<DynamicTest> envelope() {
        return Vectors.each("envelope.json", 63, one -> {
            assertOutcome(one.text("expect"), () -> receive(one, false));
            if (one.has("digest")) {
                assertKept(one);
            }
        });
    }

    @TestFactory
    Stream<DynamicTest> batch() {
        return Vectors.each("batch.json", 10, one -> assertOutcome(one.text("expect"), () -> receive(one, true)));
    }

    @TestFactory
    Stream<DynamicTest> batchWithoutTheProfile() {
        return Vectors.each("batch.json", 10, one -> {
            Envelope envelope = Contract.readEnvelope(one.bytes("envelope"));
            boolean hasProof = envelope.getSignatures(0).hasBatch();
            String expect = hasProof ? Reason.PROFILE_UNSUPPORTED.name() : one.text("expect");
            assertOutcome(expect, () -> receive(one, false));
        });
    }

    private static void assertKept(Case one) {
        Opened<Message> opened = receive(one, false);
        assertEquals(one.text("digest"), Hex.of(opened.digest()));
        assertEquals(one.text("message_id"), Hex.of(opened.header().getMessageId()));
        Envelope stored = Contract.readEnvelope(one.bytes("envelope")).toBuilder()
                .clearDisclosures()
                .build();
        assertEquals(one.text("stored"), Hex.of(stored.toByteString()));
    }

    /** All of a receiver's checks but duplicates and business. */
    private static Opened<Message> receive(Case one, boolean batches) {
        ByteString zeros = ByteString.copyFrom(new byte[(int) one.number("zeros_appended")]);
        ByteString answered = one.bytes("in_reply_to");
        Message type = messageType(one.text("body_type"));
        Direction direction = Direction.valueOf("DIRECTION_" + one.text("direction"));
        Expected expected = new Expected(
                DIRECTORY,
                one.text("sender"),
                one.text("recipient"),
                one.text("method"),
                List.of(new Expected.Body(type, direction)),
                answered.isEmpty() ? Optional.empty() : Optional.of(answered),
                batches);
        Opened<Message> opened = Opener.open(one.bytes("envelope").concat(zeros), expected, one.number("now_ms"));
        Map<String, ByteString> commitments =
                opened.body() instanceof Application application ? Personal.commitmentsOf(application) : Map.of();
        Personal.reveal(commitments, opened.disclosures(), Personal.Extent.ALL);
        return opened;
    }

    private static Message messageType(String name) {
        return switch (name) {
            case "Application" -> Application.getDefaultInstance();
            case "BankDecision" -> BankDecision.getDefaultInstance();
            default -> throw new AssertionError("a message that no case had before: " + name);
        };
    }
}
