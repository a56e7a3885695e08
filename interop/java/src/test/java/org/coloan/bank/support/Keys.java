package org.coloan.bank.support;

import com.google.protobuf.ByteString;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.List;
import org.coloan.bank.envelope.Sealer;
import org.coloan.bank.key.KeyDirectory;
import org.coloan.bank.key.SigningKey;
import org.coloan.bank.key.Trust;
import org.coloan.bank.key.VerifyKey;
import org.coloan.bank.wire.Contract;
import org.coloan.bank.wire.Hex;
import org.coloan.bank.wire.MessageId;
import org.coloan.v1.Direction;
import org.coloan.v1.Key;
import org.coloan.v1.KeyAlgorithm;
import org.coloan.v1.KeyPurpose;
import org.coloan.v1.KeyStatus;
import org.coloan.v1.SignedHeader;

/** Signing keys and directories that are made when a test begins. */
public final class Keys {
    public static final String CENTRE = "fund:cn-nj-prov";
    public static final String BANK = "bank:cn-beta-js";
    public static final String OTHER_BANK = "bank:cn-alpha-js";
    public static final long DAY_MS = 86_400_000;

    private static final ByteString PKCS8_PREFIX = Hex.parse("302e020100300506032b657004220420"); // before the seed

    private Keys() {}

    public static SigningKey make(String party) {
        try {
            KeyPair pair = KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
            return new SigningKey(party, pair.getPrivate(), VerifyKey.of(pair.getPublic()));
        } catch (GeneralSecurityException impossible) {
            throw new AssertionError(impossible);
        }
    }

    /** A published test key. */
    public static SigningKey of(String party, ByteString seed, ByteString publicKey) {
        try {
            byte[] pkcs8 = PKCS8_PREFIX.concat(seed).toByteArray();
            PrivateKey key = KeyFactory.getInstance("Ed25519").generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
            return new SigningKey(party, key, VerifyKey.of(publicKey));
        } catch (GeneralSecurityException impossible) {
            throw new AssertionError(impossible);
        }
    }

    /** The entry of a directory for a key, in force from a day before {@code nowMs} on. */
    public static Key.Builder entry(SigningKey key, long nowMs) {
        return Key.newBuilder()
                .setParty(key.party())
                .setPurpose(KeyPurpose.KEY_PURPOSE_SIGN)
                .setEnvironment("test")
                .setAlgorithm(KeyAlgorithm.KEY_ALGORITHM_ED25519)
                .setPublicKey(key.publicKey().bytes())
                .setValidFromMs(nowMs - DAY_MS)
                .setValidUntilMs(nowMs + 90 * DAY_MS)
                .setStatus(KeyStatus.KEY_STATUS_ACTIVE)
                .setPossession(key.provePossession("test"));
    }

    public static org.coloan.v1.KeyDirectory.Builder directory(long number, long nowMs, List<Key> keys) {
        return org.coloan.v1.KeyDirectory.newBuilder()
                .setNumber(number)
                .setEnvironment("test")
                .setIssuedMs(nowMs)
                .addAllKeys(keys);
    }

    public static SignedHeader.Builder directoryHeader(long number, long nowMs) {
        return SignedHeader.newBuilder()
                .setSpecVersion(Contract.SPEC_VERSION)
                .setEnvironment("test")
                .setMessageId(MessageId.next(nowMs))
                .setSender(CENTRE)
                .setMethod("coloan.v1.Directory/GetKeys")
                .setDirection(Direction.DIRECTION_EVENT)
                .setCreatedMs(nowMs)
                .setSequence(number);
    }

    /** A directory as the centre issues it. */
    public static ByteString issue(SigningKey root, long number, long nowMs, List<Key> keys) {
        return Sealer.seal(
                        root,
                        directoryHeader(number, nowMs).build(),
                        directory(number, nowMs, keys).build(),
                        List.of())
                .envelope();
    }

    public static Trust trust(SigningKey root) {
        return new Trust(root.publicKey(), CENTRE, "test");
    }

    public static KeyDirectory load(SigningKey root, long nowMs, List<Key> keys) {
        return KeyDirectory.load(issue(root, 1, nowMs, keys), trust(root));
    }
}
