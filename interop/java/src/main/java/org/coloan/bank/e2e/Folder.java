package org.coloan.bank.e2e;

import com.google.protobuf.ByteString;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.coloan.bank.centre.Credentials;
import org.coloan.bank.key.KeyDirectory;
import org.coloan.bank.key.Party;
import org.coloan.bank.key.SigningKey;
import org.coloan.bank.key.Trust;
import org.coloan.bank.key.VerifyKey;

/** Certificates and keys of several parties, each file called by its party, as certs/make-dev makes them. */
record Folder(Path path, String centre, String environment) {
    KeyDirectory directory() throws IOException {
        Trust trust = new Trust(VerifyKey.load(path.resolve("directory.pub")), centre, environment);
        return KeyDirectory.load(ByteString.copyFrom(Files.readAllBytes(path.resolve("directory.bin"))), trust);
    }

    Credentials credentials(String party) {
        String id = Party.id(party);
        return new Credentials(path.resolve("ca.pem"), path.resolve(id + ".pem"), path.resolve(id + ".key"));
    }

    SigningKey signingKey(String party) throws IOException {
        String id = Party.id(party);
        return SigningKey.load(party, path.resolve(id + ".sign.key"), path.resolve(id + ".sign.pub"));
    }
}
