package org.coloan.bank.loan;

import static org.coloan.bank.wire.Refused.check;

import com.google.protobuf.ByteString;
import java.util.Optional;
import org.coloan.bank.centre.Method;
import org.coloan.bank.envelope.Opened;
import org.coloan.bank.envelope.Opener;
import org.coloan.bank.key.KeyDirectory;
import org.coloan.bank.wire.Reason;
import org.coloan.bank.wire.Refused;
import org.coloan.v1.BankDecision;
import org.coloan.v1.BankVerdict;
import org.coloan.v1.Event;
import org.coloan.v1.FundDecision;
import org.coloan.v1.FundVerdict;
import org.coloan.v1.JointDecision;
import org.coloan.v1.OfferTerms;
import org.coloan.v1.Outcome;

/**
 * Both signatures of a joint decision, and that both mean the same terms ([COL-JNT-004]). Anyone who holds
 * the key directory can do this, without asking the centre or the bank.
 */
public final class JointDecisions {
    private JointDecisions() {}

    /** A joint decision that was verified; the terms are there when both, or the fund alone, approved them. */
    public record Verified(Outcome outcome, Optional<OfferTerms> terms) {
        public boolean isApproved() {
            return terms.isPresent();
        }
    }

    /** The table of COL-JNT-004: what each side has to have said. */
    private record Row(FundVerdict fund, Optional<BankVerdict> bank, boolean approved) {}

    private static Row rowOf(Outcome outcome) {
        return switch (outcome) {
            case OUTCOME_APPROVED_COMBINED ->
                new Row(FundVerdict.FUND_VERDICT_APPROVE, Optional.of(BankVerdict.BANK_VERDICT_APPROVE), true);
            case OUTCOME_APPROVED_FUND_ONLY -> new Row(FundVerdict.FUND_VERDICT_APPROVE, Optional.empty(), true);
            case OUTCOME_REJECTED_FUND -> new Row(FundVerdict.FUND_VERDICT_REJECT, Optional.empty(), false);
            case OUTCOME_DECLINED_BANK ->
                new Row(FundVerdict.FUND_VERDICT_APPROVE, Optional.of(BankVerdict.BANK_VERDICT_DECLINE), false);
            default -> throw new Refused(Reason.FIELD_INVALID, "outcome");
        };
    }

    public static Verified verify(JointDecision joint, KeyDirectory directory, String bank) {
        Row row = rowOf(joint.getOutcome());
        FundDecision fund = fundDecision(joint, directory, bank);
        check(fund.getVerdict() == row.fund(), Reason.FIELD_INVALID, "fund_envelope");
        Optional<OfferTerms> offered = fund.getVerdict() == FundVerdict.FUND_VERDICT_APPROVE
                ? Optional.of(Offers.read(fund.getOffer(), joint.getApplicationId(), bank))
                : Optional.empty();
        boolean byBank = !joint.getBankEnvelope().isEmpty();
        check(byBank == row.bank().isPresent(), Reason.FIELD_MISSING, "bank_envelope");
        if (byBank) {
            BankDecision decision = bankDecision(joint, directory, bank);
            check(decision.getVerdict() == row.bank().get(), Reason.FIELD_INVALID, "bank_envelope");
            checkSameTerms(decision, fund, offered.orElseThrow());
        }
        ByteString agreed = row.approved() ? fund.getOffer().getTermsDigest() : ByteString.EMPTY;
        check(joint.getTermsDigest().equals(agreed), Reason.TERMS_DIGEST_WRONG);
        if (row.approved()) {
            boolean commercial = offered.orElseThrow().getCommercial().getAmountFen() > 0;
            check(commercial == byBank, Reason.AMOUNT_INVALID, "commercial");
        }
        return new Verified(joint.getOutcome(), row.approved() ? offered : Optional.empty());
    }

    private static FundDecision fundDecision(JointDecision joint, KeyDirectory directory, String bank) {
        Opened<Event> kept = Opener.openKept(joint.getFundEnvelope(), Event.getDefaultInstance(), directory);
        check(kept.header().getSender().equals(directory.centre()), Reason.SENDER_WRONG);
        check(kept.header().getRecipient().equals(bank), Reason.RECIPIENT_WRONG);
        check(kept.header().getMethod().equals(Method.DELIVER), Reason.METHOD_WRONG);
        FundDecision decision = kept.body().getFundDecision();
        boolean same = decision.getApplicationId().equals(joint.getApplicationId());
        check(same, Reason.FIELD_INVALID, "fund_envelope");
        return decision;
    }

    private static BankDecision bankDecision(JointDecision joint, KeyDirectory directory, String bank) {
        Opened<BankDecision> kept =
                Opener.openKept(joint.getBankEnvelope(), BankDecision.getDefaultInstance(), directory);
        check(kept.header().getSender().equals(bank), Reason.SENDER_WRONG);
        check(kept.header().getRecipient().equals(directory.centre()), Reason.RECIPIENT_WRONG);
        check(kept.header().getMethod().equals(Method.REPORT_BANK_DECISION.name()), Reason.METHOD_WRONG);
        boolean same = kept.header().getApplicationId().equals(joint.getApplicationId());
        check(same, Reason.FIELD_INVALID, "bank_envelope");
        return kept.body();
    }

    private static void checkSameTerms(BankDecision decision, FundDecision fund, OfferTerms terms) {
        boolean digest = decision.getTermsDigest().equals(fund.getOffer().getTermsDigest());
        check(digest, Reason.TERMS_DIGEST_WRONG);
        check(decision.getOfferVersion() == terms.getVersion(), Reason.OFFER_STALE);
        check(decision.getBankEpoch() == terms.getBankEpoch(), Reason.STALE_EPOCH);
    }
}
