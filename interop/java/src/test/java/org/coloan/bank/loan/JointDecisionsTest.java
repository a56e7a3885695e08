package org.coloan.bank.loan;

import static org.coloan.bank.support.Refusals.assertRefused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.coloan.bank.centre.Method;
import org.coloan.bank.envelope.Sealer;
import org.coloan.bank.key.KeyDirectory;
import org.coloan.bank.key.SigningKey;
import org.coloan.bank.support.Keys;
import org.coloan.bank.wire.Contract;
import org.coloan.bank.wire.MessageId;
import org.coloan.bank.wire.Reason;
import org.coloan.v1.BankDecision;
import org.coloan.v1.BankVerdict;
import org.coloan.v1.Direction;
import org.coloan.v1.Event;
import org.coloan.v1.FundDecision;
import org.coloan.v1.FundVerdict;
import org.coloan.v1.JointDecision;
import org.coloan.v1.LoanPart;
import org.coloan.v1.Offer;
import org.coloan.v1.OfferTerms;
import org.coloan.v1.Outcome;
import org.coloan.v1.RepaymentMethod;
import org.coloan.v1.SignedHeader;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class JointDecisionsTest {
    private static final long NOW_MS = 1_795_564_800_000L; // 2026-11-25 00:00 UTC
    private static final String ID = "01900000-0000-7000-8000-000000000000";
    private static final SigningKey ROOT = Keys.make(Keys.CENTRE);
    private static final SigningKey CENTRE = Keys.make(Keys.CENTRE);
    private static final SigningKey BANK = Keys.make(Keys.BANK);
    private static final KeyDirectory DIRECTORY = Keys.load(
            ROOT,
            NOW_MS,
            List.of(Keys.entry(CENTRE, NOW_MS).build(), Keys.entry(BANK, NOW_MS).build()));

    private static LoanPart.Builder part(long amountFen, int ratePpm) {
        LoanPart.Builder part = LoanPart.newBuilder()
                .setAmountFen(amountFen)
                .setRatePpm(ratePpm)
                .setTermMonths(360)
                .setMethod(RepaymentMethod.REPAYMENT_METHOD_EQUAL_INSTALMENT);
        return part.setInstalmentFen(Instalment.fen(part.build()));
    }

    private static OfferTerms.Builder terms() {
        return OfferTerms.newBuilder()
                .setApplicationId(ID)
                .setVersion(1)
                .setBankEpoch(1)
                .setBank(Keys.BANK)
                .setFund(part(80_000_000, 26_000))
                .setCommercial(part(24_000_000, 30_500))
                .setPriceFen(130_000_000)
                .setDownPaymentFen(26_000_000);
    }

    private static Offer offer(OfferTerms.Builder terms) {
        ByteString bytes = terms.build().toByteString();
        return Offer.newBuilder()
                .setTerms(bytes)
                .setTermsDigest(Offers.digest(bytes))
                .build();
    }

    private static SignedHeader.Builder header(String sender, String recipient, String method, Direction direction) {
        return SignedHeader.newBuilder()
                .setSpecVersion(Contract.SPEC_VERSION)
                .setEnvironment("test")
                .setMessageId(MessageId.next(NOW_MS))
                .setSender(sender)
                .setRecipient(recipient)
                .setMethod(method)
                .setDirection(direction)
                .setCreatedMs(NOW_MS)
                .setApplicationId(ID);
    }

    private static ByteString sealed(SigningKey key, SignedHeader.Builder header, Message body) {
        return Sealer.seal(key, header.build(), body, List.of()).envelope();
    }

    private static SignedHeader.Builder eventHeader() {
        return header(Keys.CENTRE, Keys.BANK, Method.DELIVER, Direction.DIRECTION_EVENT)
                .setSequence(2);
    }

    private static ByteString fundSays(UnaryOperator<FundDecision.Builder> change) {
        FundDecision.Builder decision = FundDecision.newBuilder()
                .setApplicationId(ID)
                .setVerdict(FundVerdict.FUND_VERDICT_APPROVE)
                .setOffer(offer(terms()));
        Event event = Event.newBuilder().setFundDecision(change.apply(decision)).build();
        return sealed(CENTRE, eventHeader(), event);
    }

    private static ByteString bankSays(UnaryOperator<BankDecision.Builder> change) {
        return bankSays(Method.REPORT_BANK_DECISION.name(), change);
    }

    private static ByteString bankSays(String method, UnaryOperator<BankDecision.Builder> change) {
        BankDecision.Builder decision = BankDecision.newBuilder()
                .setOfferVersion(1)
                .setBankEpoch(1)
                .setTermsDigest(offer(terms()).getTermsDigest())
                .setVerdict(BankVerdict.BANK_VERDICT_APPROVE);
        SignedHeader.Builder header = header(Keys.BANK, Keys.CENTRE, method, Direction.DIRECTION_REQUEST)
                .setExpiresMs(NOW_MS + 1000);
        return sealed(BANK, header, change.apply(decision).build());
    }

    private static JointDecision.Builder approved() {
        return JointDecision.newBuilder()
                .setApplicationId(ID)
                .setOutcome(Outcome.OUTCOME_APPROVED_COMBINED)
                .setTermsDigest(offer(terms()).getTermsDigest())
                .setFundEnvelope(fundSays(UnaryOperator.identity()))
                .setBankEnvelope(bankSays(UnaryOperator.identity()));
    }

    private static JointDecisions.Verified verify(JointDecision.Builder joint) {
        return JointDecisions.verify(joint.build(), DIRECTORY, Keys.BANK);
    }

    @Test
    void theFourOutcomes() {
        assertTrue(verify(approved()).isApproved());
        JointDecision.Builder declined = approved()
                .setOutcome(Outcome.OUTCOME_DECLINED_BANK)
                .clearTermsDigest()
                .setBankEnvelope(bankSays(decision -> decision.setVerdict(BankVerdict.BANK_VERDICT_DECLINE)));
        assertFalse(verify(declined).isApproved());
        JointDecision.Builder rejected = approved()
                .setOutcome(Outcome.OUTCOME_REJECTED_FUND)
                .clearTermsDigest()
                .clearBankEnvelope()
                .setFundEnvelope(
                        fundSays(decision -> decision.clearOffer().setVerdict(FundVerdict.FUND_VERDICT_REJECT)));
        assertFalse(verify(rejected).isApproved());
        Offer alone = offer(terms().setCommercial(LoanPart.getDefaultInstance()).setDownPaymentFen(50_000_000));
        JointDecision.Builder fundOnly = approved()
                .setOutcome(Outcome.OUTCOME_APPROVED_FUND_ONLY)
                .clearBankEnvelope()
                .setTermsDigest(alone.getTermsDigest())
                .setFundEnvelope(fundSays(decision -> decision.setOffer(alone)));
        assertEquals(0, verify(fundOnly).terms().orElseThrow().getCommercial().getAmountFen());
    }

    @TestFactory
    Stream<DynamicTest> notBelieved() {
        ByteString other = offer(terms().setVersion(2)).getTermsDigest();
        return Stream.of(
                refused("no outcome", Reason.FIELD_INVALID, joint -> joint.setOutcome(Outcome.OUTCOME_PENDING)),
                refused(
                        "another outcome",
                        Reason.FIELD_INVALID,
                        joint -> joint.setOutcome(Outcome.OUTCOME_DECLINED_BANK)),
                refused(
                        "an outcome without the bank",
                        Reason.FIELD_MISSING,
                        joint -> joint.setOutcome(Outcome.OUTCOME_APPROVED_FUND_ONLY)),
                refused("no fund", Reason.MESSAGE_EMPTY, joint -> joint.clearFundEnvelope()),
                refused("no bank", Reason.FIELD_MISSING, joint -> joint.clearBankEnvelope()),
                refused(
                        "both changed over",
                        Reason.PAYLOAD_TYPE_WRONG,
                        joint -> joint.setFundEnvelope(joint.getBankEnvelope())),
                refused("another digest", Reason.TERMS_DIGEST_WRONG, joint -> joint.setTermsDigest(other)),
                refused("another application", Reason.FIELD_INVALID, joint -> joint.setApplicationId("another")),
                bank("with another digest", Reason.TERMS_DIGEST_WRONG, decision -> decision.setTermsDigest(other)),
                bank("of another version", Reason.OFFER_STALE, decision -> decision.setOfferVersion(2)),
                bank("of another epoch", Reason.STALE_EPOCH, decision -> decision.setBankEpoch(2)),
                bank(
                        "that declines",
                        Reason.FIELD_INVALID,
                        decision -> decision.setVerdict(BankVerdict.BANK_VERDICT_DECLINE)),
                refused(
                        "said elsewhere",
                        Reason.METHOD_WRONG,
                        joint -> joint.setBankEnvelope(bankSays("coloan.v1.X/Y", UnaryOperator.identity()))),
                refused("a forged fund", Reason.SIGNATURE_INVALID, joint -> joint.setFundEnvelope(forged())));
    }

    private static ByteString forged() {
        ByteString bytes = fundSays(UnaryOperator.identity());
        ByteString payload = Contract.readEnvelope(fundSays(FundDecision.Builder::clearReasons))
                .getPayload();
        return Contract.readEnvelope(bytes).toBuilder()
                .setPayload(payload)
                .build()
                .toByteString();
    }

    private static DynamicTest bank(String name, Reason reason, UnaryOperator<BankDecision.Builder> change) {
        return refused("a bank " + name, reason, joint -> joint.setBankEnvelope(bankSays(change)));
    }

    private static DynamicTest refused(String name, Reason reason, UnaryOperator<JointDecision.Builder> change) {
        return DynamicTest.dynamicTest(name, () -> assertRefused(reason, () -> verify(change.apply(approved()))));
    }

    @TestFactory
    Stream<DynamicTest> wrongOffers() {
        LoanPart dear = part(80_000_000, 26_000).setInstalmentFen(320_273).build();
        LoanPart negative = part(80_000_000, 26_000).setAmountFen(-1).build();
        return Stream.of(
                offer("of another application", Reason.FIELD_INVALID, terms -> terms.setApplicationId("b")),
                offer("to another bank", Reason.FIELD_INVALID, terms -> terms.setBank(Keys.OTHER_BANK)),
                offer("without a version", Reason.FIELD_INVALID, terms -> terms.clearVersion()),
                offer("without a part", Reason.FIELD_MISSING, terms -> terms.clearCommercial()),
                offer("that does not add up", Reason.AMOUNT_INVALID, terms -> terms.setDownPaymentFen(1)),
                offer("of less than nothing", Reason.AMOUNT_INVALID, terms -> terms.setFund(negative)),
                offer("with another instalment", Reason.AMOUNT_INVALID, terms -> terms.setFund(dear)));
    }

    private static DynamicTest offer(String name, Reason reason, UnaryOperator<OfferTerms.Builder> change) {
        Offer wrong = offer(change.apply(terms()));
        return DynamicTest.dynamicTest(name, () -> assertRefused(reason, () -> Offers.read(wrong, ID, Keys.BANK)));
    }

    @Test
    void anOfferWithTheDigestOfAnotherIsNotRead() {
        Offer wrong = offer(terms()).toBuilder()
                .setTermsDigest(offer(terms().setVersion(2)).getTermsDigest())
                .build();
        assertRefused(Reason.TERMS_DIGEST_WRONG, () -> Offers.read(wrong, ID, Keys.BANK));
    }
}
