package org.coloan.bank.key;

import com.google.protobuf.ByteString;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.SignatureException;
import java.security.spec.X509EncodedKeySpec;
import java.util.Base64;
import org.coloan.bank.wire.Digests;
import org.coloan.bank.wire.Hex;
import org.coloan.bank.wire.Reason;
import org.coloan.bank.wire.Refused;

/**
 * A public Ed25519 key that is strong enough to verify with ([COL-KEY-002], [COL-KEY-003], [COL-KEY-005]). A
 * weak one cannot be made. Verification is as strict as libsodium's: the JDK refuses S that is not below the
 * order of the group, and R is looked at here.
 */
public final class VerifyKey {
    private static final ByteString ALGORITHM_ED25519 = Hex.parse("01"); // KEY_ALGORITHM_ED25519
    private static final int KEY_ID_BYTES = 16;
    private static final int SIGNATURE_BYTES = 64;
    private static final ByteString X509_PREFIX =
            Hex.parse("302a300506032b6570032100"); // RFC 8410, before the 32 bytes
    private static final String PEM_BEGIN = "-----BEGIN PUBLIC KEY-----";
    private static final String PEM_END = "-----END PUBLIC KEY-----";

    private final ByteString bytes;
    private final PublicKey key;

    private VerifyKey(ByteString bytes, PublicKey key) {
        this.bytes = bytes;
        this.key = key;
    }

    /** KEY_WEAK unless the 32 bytes are a point of the main subgroup, written in the one way. */
    public static VerifyKey of(ByteString bytes) {
        Refused.check(
                EdwardsPoint.decode(bytes)
                        .filter(EdwardsPoint::isInMainSubgroup)
                        .isPresent(),
                Reason.KEY_WEAK);
        try {
            byte[] encoded = X509_PREFIX.concat(bytes).toByteArray();
            return new VerifyKey(
                    bytes, KeyFactory.getInstance("Ed25519").generatePublic(new X509EncodedKeySpec(encoded)));
        } catch (GeneralSecurityException unusable) {
            throw new Refused(Reason.KEY_WEAK);
        }
    }

    public static VerifyKey of(PublicKey key) {
        ByteString encoded = ByteString.copyFrom(key.getEncoded());
        return of(encoded.substring(encoded.size() - EdwardsPoint.BYTES));
    }

    /** From the PEM file that {@code openssl pkey -pubout} writes. */
    public static VerifyKey load(Path file) throws IOException {
        String pem = Files.readString(file).strip();
        boolean framed = pem.startsWith(PEM_BEGIN) && pem.endsWith(PEM_END);
        Refused.check(framed, Reason.KEY_FILE_INVALID, file.toString());
        String base64 = pem.substring(PEM_BEGIN.length(), pem.length() - PEM_END.length());
        ByteString encoded = ByteString.copyFrom(Base64.getMimeDecoder().decode(base64));
        Refused.check(encoded.startsWith(X509_PREFIX), Reason.KEY_FILE_INVALID, file.toString());
        return of(encoded.substring(X509_PREFIX.size()));
    }

    public boolean verifies(ByteString message, ByteString signature) {
        return signature.size() == SIGNATURE_BYTES
                && isSound(signature.substring(0, EdwardsPoint.BYTES))
                && jdkVerifies(message, signature);
    }

    private static boolean isSound(ByteString r) {
        return EdwardsPoint.decode(r).filter(point -> !point.isOfSmallOrder()).isPresent();
    }

    private boolean jdkVerifies(ByteString message, ByteString signature) {
        try {
            Signature ed25519 = Signature.getInstance("Ed25519");
            ed25519.initVerify(key);
            ed25519.update(message.asReadOnlyByteBuffer());
            return ed25519.verify(signature.toByteArray());
        } catch (SignatureException malformed) {
            return false;
        } catch (GeneralSecurityException impossible) {
            throw new IllegalStateException("every Java from 15 on has Ed25519", impossible);
        }
    }

    public ByteString bytes() {
        return bytes;
    }

    /** Computed, never chosen. */
    public String id() {
        return Hex.of(Digests.sha256(ALGORITHM_ED25519, bytes).substring(0, KEY_ID_BYTES));
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof VerifyKey that && bytes.equals(that.bytes);
    }

    @Override
    public int hashCode() {
        return bytes.hashCode();
    }
}
