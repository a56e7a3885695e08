package org.coloan.bank;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import org.coloan.bank.envelope.Personal;
import org.coloan.bank.envelope.Sealed;
import org.coloan.bank.envelope.Sealer;
import org.coloan.bank.key.SigningKey;
import org.coloan.bank.loan.Instalment;
import org.coloan.bank.loan.Offers;
import org.coloan.bank.support.Keys;
import org.coloan.bank.support.Repository;
import org.coloan.bank.wire.Contract;
import org.coloan.bank.wire.Digests;
import org.coloan.bank.wire.Hex;
import org.coloan.v1.ApplicationQuery;
import org.coloan.v1.Direction;
import org.coloan.v1.Envelope;
import org.coloan.v1.LoanPart;
import org.coloan.v1.OfferTerms;
import org.coloan.v1.RepaymentMethod;
import org.coloan.v1.SignedHeader;
import org.coloan.v1.SignedPayload;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The worked example of the specification, made here, is the block that stands there, byte for byte. */
class ExampleTest {
    private static final ByteString SEED =
            Hex.parse("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
    private static final ByteString PUBLIC_KEY =
            Hex.parse("03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
    private static final SigningKey KEY = Keys.of(Keys.BANK, SEED, PUBLIC_KEY);
    private static final String APPLICATION = "019abcde-0000-7000-8000-000000000001";
    private static final long CREATED_MS = 1_795_564_800_000L; // 2026-11-25 00:00 UTC
    private static final int HEX_PER_LINE = 64;

    @ParameterizedTest
    @ValueSource(strings = {"en", "zh"})
    void standsInTheSpecification(String language) throws IOException {
        String page = Files.readString(Repository.root().resolve("docs/spec/" + language + "/specification.md"));
        String example = String.join("\n\n", key(), message(), personal(), terms());
        assertTrue(page.contains("```\n" + example + "\n```\n"), example);
    }

    @Test
    void theInstalmentsOfItsTermsAreRight() {
        assertEquals(320_272, Instalment.fen(part(80_000_000, 26_000, 0)));
        assertEquals(101_833, Instalment.fen(part(24_000_000, 30_500, 0)));
    }

    private static String key() {
        return rows(
                row("seed", SEED),
                row("public key", KEY.publicKey().bytes()),
                row("keyid", KEY.publicKey().id()),
                row("possession", KEY.provePossession("test")));
    }

    private static String message() {
        ApplicationQuery body =
                ApplicationQuery.newBuilder().setApplicationId(APPLICATION).build();
        SignedHeader header = SignedHeader.newBuilder()
                .setSpecVersion(Contract.SPEC_VERSION)
                .setEnvironment("test")
                .setMessageId(Hex.parse("01a21000880070008000000000000001"))
                .setSender(Keys.BANK)
                .setRecipient(Keys.CENTRE)
                .setMethod("coloan.v1.JointApproval/GetApplication")
                .setDirection(Direction.DIRECTION_REQUEST)
                .setCreatedMs(CREATED_MS)
                .setExpiresMs(CREATED_MS + 600_000)
                .setApplicationId(APPLICATION)
                .build();
        Sealed sealed = Sealer.seal(KEY, header, body, List.of());
        Envelope envelope = Contract.readEnvelope(sealed.envelope());
        SignedPayload payload = Contract.readPayload(envelope);
        return rows(
                row("header", payload.getHeader().toByteString()),
                row("body", payload.getBody()),
                row("payload", envelope.getPayload()),
                row("payload_type", envelope.getPayloadType()),
                row("PAE", Digests.pae(envelope.getPayloadType(), envelope.getPayload())),
                row("digest", sealed.digest()),
                row("sig", envelope.getSignatures(0).getSig()),
                row("envelope", sealed.envelope()));
    }

    private static String personal() {
        String path = "persons[0].name";
        ByteString salt = Hex.parse("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
        ByteString value = ByteString.copyFromUtf8("测试甲");
        return rows(
                row("path", path),
                row("salt", salt),
                row("value", value.toStringUtf8() + " = " + Hex.of(value)),
                row("commitment", Personal.commitment(path, salt, value)));
    }

    private static String terms() {
        ByteString terms = OfferTerms.newBuilder()
                .setApplicationId(APPLICATION)
                .setVersion(1)
                .setBankEpoch(1)
                .setBank(Keys.BANK)
                .setFund(part(80_000_000, 26_000, 320_272))
                .setCommercial(part(24_000_000, 30_500, 101_833))
                .setPriceFen(130_000_000)
                .setDownPaymentFen(26_000_000)
                .setValidUntilMs(CREATED_MS + 90 * Keys.DAY_MS)
                .setInterestSubsidy(true)
                .build()
                .toByteString();
        return rows(row("terms", terms), row("terms_digest", Offers.digest(terms)));
    }

    private static LoanPart part(long amountFen, int ratePpm, long instalmentFen) {
        return LoanPart.newBuilder()
                .setAmountFen(amountFen)
                .setRatePpm(ratePpm)
                .setTermMonths(360)
                .setMethod(RepaymentMethod.REPAYMENT_METHOD_EQUAL_INSTALMENT)
                .setInstalmentFen(instalmentFen)
                .build();
    }

    private static String rows(String... rows) {
        return String.join("\n", rows);
    }

    private static String row(String name, ByteString bytes) {
        String hex = Hex.of(bytes);
        List<String> lines = new ArrayList<>();
        for (int from = 0; from < hex.length(); from += HEX_PER_LINE) {
            String part = hex.substring(from, Math.min(hex.length(), from + HEX_PER_LINE));
            lines.add(row(from == 0 ? name : "", part));
        }
        return String.join("\n", lines);
    }

    private static String row(String name, String text) {
        return String.format("%-15s %s", name, text);
    }
}
