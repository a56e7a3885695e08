package org.coloan.bank.loan;

import static org.coloan.bank.wire.Refused.check;

import com.google.protobuf.ByteString;
import java.util.List;
import org.coloan.bank.wire.Contract;
import org.coloan.bank.wire.Digests;
import org.coloan.bank.wire.Limits;
import org.coloan.bank.wire.Reason;
import org.coloan.v1.LoanPart;
import org.coloan.v1.Offer;
import org.coloan.v1.OfferTerms;

/**
 * The terms of an offer, believed only when digest, application, bank, sum and instalments are right
 * ([COL-OFR-001] to [COL-OFR-003]).
 */
public final class Offers {
    private static final ByteString DOMAIN = ByteString.copyFromUtf8("coloan terms v1\n");

    private Offers() {}

    public static ByteString digest(ByteString terms) {
        return Digests.sha256(DOMAIN, terms);
    }

    public static OfferTerms read(Offer offer, String applicationId, String bank) {
        check(offer.getTermsDigest().equals(digest(offer.getTerms())), Reason.TERMS_DIGEST_WRONG);
        OfferTerms terms = Contract.read(OfferTerms.getDefaultInstance(), offer.getTerms());
        boolean ours = terms.getApplicationId().equals(applicationId)
                && terms.getBank().equals(bank);
        check(ours && terms.getVersion() > 0, Reason.FIELD_INVALID, "terms");
        check(terms.hasFund() && terms.hasCommercial(), Reason.FIELD_MISSING, "terms");
        checkSum(terms);
        List.of(terms.getFund(), terms.getCommercial()).forEach(Offers::checkInstalment);
        return terms;
    }

    private static void checkSum(OfferTerms terms) {
        List<Long> amounts = List.of(
                terms.getPriceFen(),
                terms.getDownPaymentFen(),
                terms.getFund().getAmountFen(),
                terms.getCommercial().getAmountFen());
        boolean sane = amounts.stream().allMatch(amount -> amount >= 0 && amount <= Limits.AMOUNT_FEN_MAX);
        check(sane, Reason.AMOUNT_INVALID, "terms");
        long borrowed = terms.getFund().getAmountFen() + terms.getCommercial().getAmountFen();
        check(terms.getPriceFen() - borrowed == terms.getDownPaymentFen(), Reason.AMOUNT_INVALID, "down_payment_fen");
    }

    private static void checkInstalment(LoanPart part) {
        boolean right = part.getAmountFen() == 0 || part.getInstalmentFen() == Instalment.fen(part);
        check(right, Reason.AMOUNT_INVALID, "instalment_fen");
    }
}
