package org.coloan.bank.key;

import static org.coloan.bank.wire.Refused.check;

import com.google.protobuf.ByteString;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.Signature;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.EnumSet;
import java.util.Set;
import org.coloan.bank.wire.Reason;

/** Our own key: signs, and never shows itself. */
public final class SigningKey {
    private static final Set<PosixFilePermission> OWNER_ONLY =
            EnumSet.of(PosixFilePermission.OWNER_READ, PosixFilePermission.OWNER_WRITE);
    private static final byte[] PEM_BEGIN = "-----BEGIN PRIVATE KEY-----\n".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] PEM_END = "-----END PRIVATE KEY-----\n".getBytes(StandardCharsets.US_ASCII);
    private static final ByteString TRIAL = ByteString.copyFromUtf8("do the two halves belong together?");

    private final String party;
    private final PrivateKey privateKey;
    private final VerifyKey publicKey;

    /**
     * KEY_FILE_INVALID when the two are not halves of one key. The JDK does not compute the public half of a
     * private key.
     */
    public SigningKey(String party, PrivateKey privateKey, VerifyKey publicKey) {
        check(Party.isParty(party), Reason.FIELD_INVALID, "party");
        this.party = party;
        this.privateKey = privateKey;
        this.publicKey = publicKey;
        check(publicKey.verifies(TRIAL, sign(TRIAL)), Reason.KEY_FILE_INVALID);
    }

    /**
     * The two files that {@code openssl genpkey -algorithm ED25519} and {@code openssl pkey -pubout} write
     * (chapter 5); the private one may be read by its owner only.
     */
    public static SigningKey load(String party, Path privateFile, Path publicFile) throws IOException {
        boolean ownerOnly = OWNER_ONLY.containsAll(Files.getPosixFilePermissions(privateFile));
        check(ownerOnly, Reason.KEY_FILE_MODE, privateFile.toString());
        byte[] pem = Files.readAllBytes(privateFile);
        try {
            return new SigningKey(party, parse(pem), VerifyKey.load(publicFile));
        } catch (GeneralSecurityException | IllegalArgumentException unusable) {
            throw new IOException(privateFile + " holds no Ed25519 key in PKCS#8", unusable);
        } finally {
            Arrays.fill(pem, (byte) 0);
        }
    }

    private static PrivateKey parse(byte[] pem) throws GeneralSecurityException {
        int from = PEM_BEGIN.length;
        int to = pem.length - PEM_END.length;
        boolean framed = from < to
                && Arrays.equals(pem, 0, from, PEM_BEGIN, 0, from)
                && Arrays.equals(pem, to, pem.length, PEM_END, 0, PEM_END.length);
        check(framed, Reason.KEY_FILE_INVALID);
        byte[] base64 = Arrays.copyOfRange(pem, from, to);
        byte[] pkcs8 = Base64.getMimeDecoder().decode(base64);
        try {
            return KeyFactory.getInstance("Ed25519").generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
        } finally {
            Arrays.fill(base64, (byte) 0);
            Arrays.fill(pkcs8, (byte) 0);
        }
    }

    public String party() {
        return party;
    }

    public VerifyKey publicKey() {
        return publicKey;
    }

    public ByteString sign(ByteString message) {
        try {
            Signature ed25519 = Signature.getInstance("Ed25519");
            ed25519.initSign(privateKey);
            ed25519.update(message.asReadOnlyByteBuffer());
            return ByteString.copyFrom(ed25519.sign());
        } catch (GeneralSecurityException unusable) {
            throw new IllegalStateException("the signing key does not sign", unusable);
        }
    }

    /** The proof for the directory that we hold this key. */
    public ByteString provePossession(String environment) {
        return sign(Possession.text(party, environment, publicKey));
    }
}
