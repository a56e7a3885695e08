package org.coloan.bank.loan;

import java.util.List;
import java.util.Map;
import org.coloan.v1.Application;
import org.coloan.v1.BankDecision;
import org.coloan.v1.OfferTerms;
import org.coloan.v1.VerificationResult;

/** The bank's own business, behind the protocol. Either method may be asked the same again after a crash. */
public interface Core {
    /** What the bank answers for: INCOME, and CREDIT_BANK of each person (chapter 7.3). */
    List<VerificationResult> verify(Application application, Map<String, String> values);

    /** Verdict, reference, and with a counter-offer its terms; what the decision is about is filled in. */
    BankDecision decide(OfferTerms terms, Application application);
}
