package org.coloan.bank.key;

import static org.coloan.bank.support.Refusals.assertRefused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.util.Base64;
import org.coloan.bank.support.Keys;
import org.coloan.bank.wire.Hex;
import org.coloan.bank.wire.Reason;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class VerifyKeyTest {
    private static final ByteString MESSAGE = ByteString.copyFromUtf8("message");

    @ParameterizedTest(name = "{0}")
    @CsvSource(delimiter = '|', textBlock = """
            the identity               | 0100000000000000000000000000000000000000000000000000000000000000
            of order 2                 | ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f
            of order 4                 | 0000000000000000000000000000000000000000000000000000000000000000
            of order 8                 | 26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05
            the identity, as p + 1     | eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f
            the identity, x minus zero | 0100000000000000000000000000000000000000000000000000000000000080
            not on the curve           | 0200000000000000000000000000000000000000000000000000000000000000
            too short                  | 01
            """)
    void weakKeys(String name, String hex) {
        assertRefused(Reason.KEY_WEAK, () -> VerifyKey.of(Hex.parse(hex)));
    }

    @Test
    void aPointOfMixedOrderIsWeak() {
        // The base point with the point of order 2 added: on the curve, of order 2 L.
        ByteString mixed = Hex.parse("9599999999999999999999999999999999999999999999999999999999999999");
        assertTrue(EdwardsPoint.decode(mixed).isPresent());
        assertFalse(EdwardsPoint.decode(mixed).orElseThrow().isOfSmallOrder());
        assertRefused(Reason.KEY_WEAK, () -> VerifyKey.of(mixed));
    }

    @Test
    void signaturesThatNobodyMade() {
        SigningKey key = Keys.make(Keys.BANK);
        ByteString signature = key.sign(MESSAGE);
        assertTrue(key.publicKey().verifies(MESSAGE, signature));
        assertFalse(key.publicKey().verifies(MESSAGE, Hex.parse("01" + "00".repeat(63))), "R is the identity");
        assertFalse(key.publicKey().verifies(MESSAGE, signature.substring(1)), "too short");
        assertFalse(key.publicKey().verifies(MESSAGE, ByteString.EMPTY), "empty");
        assertFalse(key.publicKey().verifies(MESSAGE, ByteString.copyFrom(new byte[64])), "zeros");
        assertFalse(Keys.make(Keys.BANK).publicKey().verifies(MESSAGE, signature), "another key");
    }

    @Test
    void halvesOfTwoKeysAreNoKey() throws GeneralSecurityException {
        KeyPair one = KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
        VerifyKey other = Keys.make(Keys.BANK).publicKey();
        assertRefused(Reason.KEY_FILE_INVALID, () -> new SigningKey(Keys.BANK, one.getPrivate(), other));
    }

    @Test
    void keyFiles(@TempDir Path folder) throws Exception {
        KeyPair pair = KeyPairGenerator.getInstance("Ed25519").generateKeyPair();
        Path privateFile = folder.resolve("x.sign.key");
        Path publicFile = folder.resolve("x.sign.pub");
        writePem(privateFile, "PRIVATE", pair.getPrivate().getEncoded());
        writePem(publicFile, "PUBLIC", pair.getPublic().getEncoded());
        mode(privateFile, "rw-------");
        SigningKey key = SigningKey.load(Keys.BANK, privateFile, publicFile);
        assertEquals(VerifyKey.of(pair.getPublic()), key.publicKey());
        mode(privateFile, "rw-r-----");
        assertRefused(Reason.KEY_FILE_MODE, () -> SigningKey.load(Keys.BANK, privateFile, publicFile));
        mode(privateFile, "rw-------");
        assertRefused(Reason.KEY_FILE_INVALID, () -> SigningKey.load(Keys.BANK, privateFile, privateFile));
        assertRefused(Reason.KEY_FILE_INVALID, () -> VerifyKey.load(privateFile));
        writePem(privateFile, "PRIVATE", new byte[48]);
        assertThrows(IOException.class, () -> SigningKey.load(Keys.BANK, privateFile, publicFile));
    }

    private static void writePem(Path file, String kind, byte[] der) throws IOException {
        String base64 = Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der);
        Files.writeString(file, "-----BEGIN " + kind + " KEY-----\n" + base64 + "\n-----END " + kind + " KEY-----\n");
    }

    private static void mode(Path file, String mode) throws IOException {
        Files.setPosixFilePermissions(file, PosixFilePermissions.fromString(mode));
    }

    @ParameterizedTest
    @ValueSource(strings = {"bank:cn-alpha-js", "fund:x", "authority:civil-affairs"})
    void parties(String text) {
        assertTrue(Party.isParty(text));
    }

    @ParameterizedTest
    @ValueSource(strings = {"bank:", "bank", "Bank:x", "bank:X", "shop:x", "bank:a:b", "bank:a b", "bank:x\n", ""})
    void noParties(String text) {
        assertFalse(Party.isParty(text));
        assertFalse(Party.isParty("bank:" + "x".repeat(60)));
    }
}
