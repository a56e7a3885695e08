package org.coloan.bank.e2e;

import static org.coloan.bank.e2e.Steps.expect;
import static org.coloan.bank.e2e.Steps.expectEqual;
import static org.coloan.bank.e2e.Steps.expectRefused;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import io.grpc.CallOptions;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.coloan.bank.centre.Centre;
import org.coloan.bank.centre.Credentials;
import org.coloan.bank.centre.Method;
import org.coloan.bank.envelope.Sealed;
import org.coloan.bank.key.Party;
import org.coloan.bank.key.SigningKey;
import org.coloan.bank.key.VerifyKey;
import org.coloan.bank.loan.Submission;
import org.coloan.bank.wire.Contract;
import org.coloan.bank.wire.Digests;
import org.coloan.bank.wire.Hex;
import org.coloan.bank.wire.Limits;
import org.coloan.bank.wire.Reason;
import org.coloan.bank.wire.Refused;
import org.coloan.v1.Ack;
import org.coloan.v1.AckLevel;
import org.coloan.v1.ApplicationQuery;
import org.coloan.v1.CapabilitiesQuery;
import org.coloan.v1.Credit;
import org.coloan.v1.Direction;
import org.coloan.v1.Disclosure;
import org.coloan.v1.Envelope;
import org.coloan.v1.Key;
import org.coloan.v1.KeyAlgorithm;
import org.coloan.v1.KeyPurpose;
import org.coloan.v1.KeyRotation;
import org.coloan.v1.KeyRotationReceipt;
import org.coloan.v1.KeyStatus;
import org.coloan.v1.KeysQuery;
import org.coloan.v1.Open;
import org.coloan.v1.RotationReason;
import org.coloan.v1.RotationState;
import org.coloan.v1.Signature;
import org.coloan.v1.SignedHeader;

/** Everything that a bank may not do, each with the reason that it has to be refused with. */
final class Hostile {
    private static final Duration HOUR = Duration.ofHours(1);
    private static final Duration SHORT = Duration.ofSeconds(3);
    private static final Duration KEY_LIFE = Duration.ofDays(365);
    private static final ApplicationQuery NOBODYS = ApplicationQuery.newBuilder()
            .setApplicationId("01900000-0000-7000-8000-000000000000")
            .build();
    private static final ByteString NO_DIGEST = Digests.sha256(ByteString.copyFromUtf8("nothing"));

    private final World world;
    private final Steps steps;
    private final Centre centre;

    private Hostile(World world) {
        this.world = world;
        this.steps = world.steps();
        this.centre = world.centre();
    }

    static void run(World world) throws Exception {
        Hostile hostile = new Hostile(world);
        hostile.bytes();
        hostile.headers();
        hostile.transport();
        hostile.parties();
        hostile.disclosures();
        hostile.keys();
        hostile.streams();
    }

    // ---- Bytes and headers -----------------------------------------------------------------------------------------

    private void bytes() throws Steps.Failed {
        refused(
                "a flipped bit of the payload",
                Reason.SIGNATURE_INVALID,
                changed(envelope -> envelope.toBuilder()
                        .setPayload(flipped(envelope.getPayload()))
                        .build()));
        refused("a flipped bit of the signature", Reason.SIGNATURE_INVALID, changed(envelope -> {
            Signature signature = envelope.getSignatures(0);
            Signature other =
                    signature.toBuilder().setSig(flipped(signature.getSig())).build();
            return envelope.toBuilder().setSignatures(0, other).build();
        }));
        Sealed longer = question();
        refused(
                "a field that is not of this version",
                Reason.WIRE_UNKNOWN_FIELD,
                new Sealed(longer.envelope().concat(Hex.parse("7801")), longer.digest(), longer.messageId()));
        refused(
                "another payload type",
                Reason.PAYLOAD_TYPE_WRONG,
                centre.seal(header(), KeysQuery.getDefaultInstance(), List.of()));
    }

    private Sealed changed(UnaryOperator<Envelope> change) {
        Sealed message = question();
        ByteString bytes =
                change.apply(Contract.readEnvelope(message.envelope())).toByteString();
        return new Sealed(bytes, message.digest(), message.messageId());
    }

    private static ByteString flipped(ByteString bytes) {
        byte[] copy = bytes.toByteArray();
        copy[copy.length - 1] ^= 1;
        return ByteString.copyFrom(copy);
    }

    private void headers() throws Steps.Failed {
        long nowMs = System.currentTimeMillis();
        headerRefused(Reason.RECIPIENT_WRONG, header().setRecipient("fund:cn-elsewhere"));
        headerRefused(Reason.ENVIRONMENT_WRONG, header().setEnvironment("conf/another-run"));
        headerRefused(Reason.METHOD_WRONG, header().setMethod(Method.LIST_APPLICATIONS.name()));
        headerRefused(
                Reason.DIRECTION_WRONG,
                header().setDirection(Direction.DIRECTION_ACK).setInReplyTo(NO_DIGEST));
        headerRefused(Reason.MESSAGE_ID_INVALID, header().setMessageId(NO_DIGEST.substring(0, 16)));
        provenRefused(Reason.EXPIRED, lived(nowMs - HOUR.toMillis(), Limits.MESSAGE_LIFE_MS_MAX));
        provenRefused(Reason.CREATED_IN_FUTURE, lived(nowMs + HOUR.toMillis(), Limits.MESSAGE_LIFE_MS_MAX));
        provenRefused(Reason.LIFETIME_WRONG, lived(nowMs, HOUR.toMillis()));
        provenRefused(Reason.APPLICATION_UNKNOWN, header());
    }

    private SignedHeader.Builder lived(long createdMs, long lifeMs) {
        return header().setCreatedMs(createdMs).setExpiresMs(createdMs + lifeMs);
    }

    private void headerRefused(Reason reason, SignedHeader.Builder header) throws Steps.Failed {
        steps.step(reason + " is refused", () -> {
            expectRefused(reason, () -> once(centre.seal(header, NOBODYS, List.of())));
        });
    }

    /** From step 9 on the sender is proven, and the refusal is evidence. */
    private void provenRefused(Reason reason, SignedHeader.Builder header) throws Steps.Failed {
        steps.step(reason + " is refused, and the refusal is signed", () -> {
            Refused refusal = expectRefused(reason, () -> once(centre.seal(header, NOBODYS, List.of())));
            expect(refusal.signed(), "the refusal is signed");
        });
    }

    private void refused(String what, Reason reason, Sealed message) throws Steps.Failed {
        steps.step(what + " is " + reason, () -> expectRefused(reason, () -> once(message)));
    }

    private SignedHeader.Builder header() {
        return centre.header(Method.GET_APPLICATION.name(), Direction.DIRECTION_REQUEST);
    }

    private Sealed question() {
        return centre.seal(header(), NOBODYS, List.of());
    }

    private void once(Sealed message) {
        centre.sendOnce(Method.GET_APPLICATION, message, Limits.DEADLINE);
    }

    // ---- Connections -----------------------------------------------------------------------------------------------

    private void transport() throws Steps.Failed {
        steps.step("a compressed message is not even looked at", () -> {
            CallOptions squeezed = CallOptions.DEFAULT
                    .withDeadlineAfter(Limits.DEADLINE.toSeconds(), TimeUnit.SECONDS)
                    .withCompression("gzip");
            Sealed message = centre.seal(Method.GET_CAPABILITIES, "", CapabilitiesQuery.getDefaultInstance());
            expectRefused(Reason.METHOD_UNKNOWN, () -> centre.sendOnce(Method.GET_CAPABILITIES, message, squeezed));
        });
    }

    private void parties() throws Exception {
        Credentials others = world.folder().credentials(world.options().other());
        try (Centre elsewhere =
                connect(others, world.options().centre(), world.options().bank())) {
            steps.step("a message of ours on another bank's connection is KEY_UNKNOWN", () -> {
                expectRefused(
                        Reason.KEY_UNKNOWN,
                        () -> elsewhere.sendOnce(Method.GET_APPLICATION, question(), Limits.DEADLINE));
            });
        }
        try (Centre liar =
                connect(others, world.options().centre(), world.options().other())) {
            steps.step("a message that another bank signed in our name is SENDER_WRONG", () -> {
                Sealed lie = liar.seal(header(), NOBODYS, List.of());
                expectRefused(Reason.SENDER_WRONG, () -> liar.sendOnce(Method.GET_APPLICATION, lie, Limits.DEADLINE));
            });
        }
        Credentials ours = world.folder().credentials(world.options().bank());
        notConnected(
                "a certificate of a stranger does not connect",
                stranger(ours.ca()),
                world.options().centre());
        notConnected("a server that is not the centre is not talked to", ours, "fund:cn-elsewhere");
    }

    private void notConnected(String title, Credentials credentials, String peer) throws Exception {
        try (Centre lost = connect(credentials, peer, world.options().bank())) {
            steps.step(title, () -> {
                expectRefused(Reason.PEER_UNREACHABLE, () -> lost.sendOnce(Method.GET_APPLICATION, question(), SHORT));
            });
        }
    }

    private Centre connect(Credentials credentials, String peer, String signer) throws Exception {
        return new Centre(
                credentials.connect(world.options().target(), peer),
                world.folder().signingKey(signer),
                centre.directory());
    }

    /** A certificate that says the right name and comes from nobody we agreed on. */
    private Credentials stranger(Path ca) throws Exception {
        Path certificate = world.work().resolve("stranger.pem");
        Path key = world.work().resolve("stranger.key");
        List<String> command = new ArrayList<>(List.of("openssl", "req", "-x509", "-newkey", "ec", "-noenc"));
        command.addAll(List.of("-pkeyopt", "ec_paramgen_curve:P-256", "-days", "1", "-subj", "/CN=stranger"));
        command.addAll(List.of(
                "-addext", "subjectAltName=URI:" + Party.uri(world.options().bank())));
        command.addAll(List.of("-keyout", key.toString(), "-out", certificate.toString()));
        Process openssl = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
        expectEqual(0, openssl.waitFor());
        return new Credentials(ca, certificate, key);
    }

    // ---- Personal values -------------------------------------------------------------------------------------------

    private void disclosures() throws Steps.Failed {
        submissionRefused(
                "a commitment without its value", Reason.DISCLOSURE_MISSING, disclosures -> disclosures.remove(0));
        submissionRefused("a value that was not committed to", Reason.DISCLOSURE_MISMATCH, disclosures -> {
            ByteString other = ByteString.copyFromUtf8("测试乙");
            disclosures.set(0, disclosures.get(0).toBuilder().setValue(other).build());
        });
        submissionRefused(
                "a value for a path that is not there",
                Reason.DISCLOSURE_UNEXPECTED,
                disclosures -> disclosures.add(disclosures.get(0).toBuilder()
                        .setPath("persons[3].name")
                        .build()));
    }

    private interface Spoiling {
        void spoil(List<Disclosure> disclosures);
    }

    private void submissionRefused(String what, Reason reason, Spoiling spoiling) throws Steps.Failed {
        steps.step(what + " is " + reason, () -> {
            Submission.Outgoing submission = world.persona()
                    .submission(
                            "approve", world.options().centre(), world.options().bank());
            List<Disclosure> disclosures = new ArrayList<>(submission.disclosures());
            spoiling.spoil(disclosures);
            SignedHeader.Builder header = centre.header(Method.SUBMIT_APPLICATION.name(), Direction.DIRECTION_REQUEST);
            Sealed message = centre.seal(header, submission.application(), disclosures);
            expectRefused(reason, () -> centre.sendOnce(Method.SUBMIT_APPLICATION, message, Limits.DEADLINE));
        });
    }

    // ---- Keys ------------------------------------------------------------------------------------------------------

    private void keys() throws Exception {
        String bank = world.options().bank();
        Key ours = freshKey(bank);
        Key others = freshKey(world.options().other());
        Key unproven =
                freshKey(bank).toBuilder().setPossession(ours.getPossession()).build();
        steps.step("another party's key is KEY_NOT_OWNED", () -> {
            expectRefused(Reason.KEY_NOT_OWNED, () -> rotate(others));
        });
        steps.step("a key that nobody proves to hold is KEY_POSSESSION", () -> {
            expectRefused(Reason.KEY_POSSESSION, () -> rotate(unproven));
        });
        steps.step("a new key of ours waits for the next directory", () -> {
            KeyRotationReceipt receipt = rotate(ours);
            expectEqual(RotationState.ROTATION_STATE_PENDING, receipt.getState());
            expectEqual(centre.directory().number(), receipt.getNumber());
        });
        steps.step("the same key again is KEY_KNOWN", () -> expectRefused(Reason.KEY_KNOWN, () -> rotate(ours)));
    }

    /** A new key as it shall stand in the directory, with its proof of possession ([COL-KEY-012]). */
    private Key freshKey(String party) throws GeneralSecurityException {
        KeyPair pair = KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
        SigningKey key = new SigningKey(party, pair.getPrivate(), VerifyKey.of(pair.getPublic()));
        long nowMs = System.currentTimeMillis();
        return Key.newBuilder()
                .setParty(party)
                .setPurpose(KeyPurpose.KEY_PURPOSE_SIGN)
                .setEnvironment(world.options().environment())
                .setAlgorithm(KeyAlgorithm.KEY_ALGORITHM_ED25519)
                .setPublicKey(key.publicKey().bytes())
                .setValidFromMs(nowMs)
                .setValidUntilMs(nowMs + KEY_LIFE.toMillis())
                .setStatus(KeyStatus.KEY_STATUS_ACTIVE)
                .setPossession(key.provePossession(world.options().environment()))
                .build();
    }

    private KeyRotationReceipt rotate(Key key) {
        KeyRotation rotation = KeyRotation.newBuilder()
                .setNewKey(key)
                .setReason(RotationReason.ROTATION_REASON_SCHEDULED)
                .build();
        return centre.ask(Method.ROTATE_KEY, rotation);
    }

    // ---- Streams ---------------------------------------------------------------------------------------------------

    /** On streams of the other bank, which has none of its own open. */
    private void streams() throws Exception {
        String other = world.options().other();
        try (Centre theirs =
                connect(world.folder().credentials(other), world.options().centre(), other)) {
            RawStream raw = new RawStream(theirs);
            Open open = Open.newBuilder()
                    .setSessionId(NO_DIGEST.substring(0, 16))
                    .setEpoch(System.currentTimeMillis())
                    .setMaxOutstanding(1)
                    .build();
            Ack early = ack(1);
            Ack late = ack(1_000_000);
            Credit credit = Credit.newBuilder().setMore(Limits.OUTSTANDING_MAX).build();
            Open nothing = open.toBuilder().setMaxOutstanding(0).build();
            Open half = open.toBuilder().setSessionId(NO_DIGEST.substring(0, 8)).build();
            Open ahead = open.toBuilder().setResumeAfter(1_000_000).build();
            streamRefused(raw, "a stream that does not begin with Open", Reason.STATE_CONFLICT, early);
            streamRefused(raw, "a second Open", Reason.STATE_CONFLICT, open, open);
            streamRefused(raw, "an Open that lets nothing be sent", Reason.FIELD_INVALID, nothing);
            streamRefused(raw, "an Open with half a session id", Reason.FIELD_INVALID, half);
            streamRefused(raw, "an Open past the last event", Reason.SEQUENCE_WRONG, ahead);
            streamRefused(raw, "more credit than there may be", Reason.FIELD_INVALID, open, credit);
            streamRefused(raw, "an acknowledgement of no event", Reason.EVENT_UNKNOWN, open, late);
        }
    }

    private static Ack ack(long sequence) {
        return Ack.newBuilder()
                .setSequence(sequence)
                .setLevel(AckLevel.ACK_LEVEL_RECEIVED)
                .build();
    }

    private void streamRefused(RawStream stream, String what, Reason reason, Message... frames) throws Steps.Failed {
        steps.step(
                what + " is " + reason,
                () -> expectEqual(reason.name(), stream.send(frames).reason()));
    }
}
