package org.coloan.bank.conform;

import coloan.conform.v1.Testee.Answer;
import coloan.conform.v1.Testee.Commit;
import coloan.conform.v1.Testee.JudgeDirectory;
import coloan.conform.v1.Testee.JudgeEnvelope;
import coloan.conform.v1.Testee.JudgePossession;
import coloan.conform.v1.Testee.JudgeSignature;
import coloan.conform.v1.Testee.Question;
import coloan.conform.v1.Testee.Sign;
import coloan.conform.v1.Testee.Signed;
import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.SecureRandom;
import java.security.spec.NamedParameterSpec;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.coloan.bank.envelope.Expected;
import org.coloan.bank.envelope.Opened;
import org.coloan.bank.envelope.Opener;
import org.coloan.bank.envelope.Personal;
import org.coloan.bank.key.KeyDirectory;
import org.coloan.bank.key.Possession;
import org.coloan.bank.key.SigningKey;
import org.coloan.bank.key.Trust;
import org.coloan.bank.key.VerifyKey;
import org.coloan.bank.wire.Contract;
import org.coloan.bank.wire.Digests;
import org.coloan.bank.wire.Reason;
import org.coloan.bank.wire.Refused;
import org.coloan.v1.Application;
import org.coloan.v1.BankDecision;
import org.coloan.v1.Direction;

/** Questions on standard input, answers on standard output, each behind its length. */
public final class Testee {
    private static final String OK = "OK";
    private static final List<Message> BODIES =
            List.of(Application.getDefaultInstance(), BankDecision.getDefaultInstance());

    private Testee() {}

    public static void main(String[] arguments) throws IOException, GeneralSecurityException {
        DataInputStream questions = new DataInputStream(new BufferedInputStream(System.in));
        DataOutputStream answers = new DataOutputStream(new BufferedOutputStream(System.out));
        while (true) {
            Optional<Question> question = next(questions);
            if (question.isEmpty()) {
                return;
            }
            byte[] answer = answer(question.get())
                    .setNumber(question.get().getNumber())
                    .build()
                    .toByteArray();
            answers.writeInt(answer.length);
            answers.write(answer);
            answers.flush();
        }
    }

    private static Optional<Question> next(DataInputStream questions) throws IOException {
        try {
            byte[] question = new byte[questions.readInt()];
            questions.readFully(question);
            return Optional.of(Question.parseFrom(question));
        } catch (EOFException end) {
            return Optional.empty();
        }
    }

    private static Answer.Builder answer(Question question) throws GeneralSecurityException {
        Answer.Builder answer = Answer.newBuilder();
        return switch (question.getAskCase()) {
            case SIGN -> answer.setSigned(sign(question.getSign()));
            case NAME_KEY ->
                answer.setKeyId(
                        VerifyKey.of(question.getNameKey().getPublicKey()).id());
            case COMMIT -> answer.setCommitment(commitment(question.getCommit()));
            case JUDGE_POSSESSION -> answer.setReason(judge(question.getJudgePossession()));
            case JUDGE_SIGNATURE -> answer.setReason(judge(question.getJudgeSignature()));
            case JUDGE_DIRECTORY -> answer.setReason(judge(question.getJudgeDirectory()));
            case JUDGE_ENVELOPE -> judge(answer, question.getJudgeEnvelope());
            default -> answer.setNotImplemented(true);
        };
    }

    // ---- To make ---------------------------------------------------------------------------------------------------

    private static Signed sign(Sign ask) throws GeneralSecurityException {
        SigningKey key = keyOf(ask.getSeed());
        ByteString pae = Digests.pae(ask.getPayloadType(), ask.getPayload());
        return Signed.newBuilder()
                .setPae(pae)
                .setDigest(Digests.sha256(pae))
                .setPublicKey(key.publicKey().bytes())
                .setSignature(key.sign(pae))
                .build();
    }

    /** The JDK makes a key from the 32 bytes that its random source gives: here these are the seed. */
    private static SigningKey keyOf(ByteString seed) throws GeneralSecurityException {
        SecureRandom source = new SecureRandom() {
            private static final long serialVersionUID = 1;

            @Override
            public void nextBytes(byte[] bytes) {
                seed.copyTo(bytes, 0);
            }
        };
        KeyPairGenerator generator = KeyPairGenerator.getInstance("Ed25519");
        generator.initialize(NamedParameterSpec.ED25519, source);
        KeyPair pair = generator.generateKeyPair();
        return new SigningKey("bank:testee", pair.getPrivate(), VerifyKey.of(pair.getPublic()));
    }

    private static ByteString commitment(Commit ask) {
        return Personal.commitment(ask.getPath(), ask.getSalt(), ask.getValue());
    }

    // ---- To judge --------------------------------------------------------------------------------------------------

    private static String judge(JudgePossession ask) {
        return reasonOf(() -> {
            VerifyKey key = VerifyKey.of(ask.getPublicKey());
            boolean proven = Possession.isProven(ask.getParty(), ask.getEnvironment(), key, ask.getPossession());
            Refused.check(proven, Reason.KEY_POSSESSION);
        });
    }

    /** Here a key that is weak is no other case than a signature that is wrong. */
    private static String judge(JudgeSignature ask) {
        String reason = reasonOf(() -> {
            boolean verifies = VerifyKey.of(ask.getPublicKey()).verifies(ask.getMessage(), ask.getSignature());
            Refused.check(verifies, Reason.SIGNATURE_INVALID);
        });
        return reason.equals(OK) ? OK : Reason.SIGNATURE_INVALID.name();
    }

    private static String judge(JudgeDirectory ask) {
        return reasonOf(() -> KeyDirectory.load(ask.getDirectory(), trust(ask.getTrust()), ask.getHeldNumber()));
    }

    private static Answer.Builder judge(Answer.Builder answer, JudgeEnvelope ask) {
        Optional<Message> type = BODIES.stream()
                .filter(body -> body.getDescriptorForType().getName().equals(ask.getBodyType()))
                .findFirst();
        if (type.isEmpty()) {
            return answer.setNotImplemented(true);
        }
        try {
            Opened<Message> opened = receive(ask, type.get());
            ByteString stored = Contract.readEnvelope(ask.getEnvelope()).toBuilder()
                    .clearDisclosures()
                    .build()
                    .toByteString();
            return answer.setOpened(coloan.conform.v1.Testee.Opened.newBuilder()
                    .setDigest(opened.digest())
                    .setMessageId(opened.header().getMessageId())
                    .setStored(stored));
        } catch (Refused refused) {
            return answer.setReason(refused.reason());
        }
    }

    /** All of a receiver's checks but duplicates and business. */
    private static Opened<Message> receive(JudgeEnvelope ask, Message type) {
        Direction direction = Direction.valueOf("DIRECTION_" + ask.getDirection());
        Expected expected = new Expected(
                KeyDirectory.load(ask.getDirectory(), trust(ask.getTrust())),
                ask.getSender(),
                ask.getRecipient(),
                ask.getMethod(),
                List.of(new Expected.Body(type, direction)),
                Optional.of(ask.getInReplyTo()).filter(digest -> !digest.isEmpty()),
                ask.getBatch());
        Opened<Message> opened = Opener.open(ask.getEnvelope(), expected, ask.getNowMs());
        Map<String, ByteString> commitments =
                opened.body() instanceof Application application ? Personal.commitmentsOf(application) : Map.of();
        Personal.reveal(commitments, opened.disclosures(), Personal.Extent.ALL);
        return opened;
    }

    private static Trust trust(coloan.conform.v1.Testee.Trust trust) {
        return new Trust(VerifyKey.of(trust.getDirectoryKey()), trust.getCentre(), trust.getEnvironment());
    }

    private static String reasonOf(Runnable judge) {
        try {
            judge.run();
            return OK;
        } catch (Refused refused) {
            return refused.reason();
        }
    }
}
