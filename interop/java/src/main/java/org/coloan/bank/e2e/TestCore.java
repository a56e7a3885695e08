package org.coloan.bank.e2e;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.coloan.bank.loan.Core;
import org.coloan.bank.loan.Instalment;
import org.coloan.v1.Application;
import org.coloan.v1.BankDecision;
import org.coloan.v1.BankVerdict;
import org.coloan.v1.Fact;
import org.coloan.v1.Item;
import org.coloan.v1.ItemOutcome;
import org.coloan.v1.LoanPart;
import org.coloan.v1.OfferTerms;
import org.coloan.v1.VerificationResult;

/** A core that finds everybody creditworthy, and decides by what the application's reference begins with. */
record TestCore(long incomeFen) implements Core {
    private static final long COUNTERED_FEN = 4_000_000;

    @Override
    public List<VerificationResult> verify(Application application, Map<String, String> values) {
        List<VerificationResult> results = new ArrayList<>();
        results.add(passed(Item.ITEM_INCOME, 0)
                .addFacts(Fact.newBuilder().setName("monthly_fen").setNumber(incomeFen))
                .build());
        for (int person = 0; person < application.getPersonsCount(); person++) {
            results.add(passed(Item.ITEM_CREDIT_BANK, person).build()); // the verdict: the report itself stays here
        }
        return results;
    }

    private static VerificationResult.Builder passed(Item item, int person) {
        return VerificationResult.newBuilder()
                .setItem(item)
                .setPerson(person)
                .setOutcome(ItemOutcome.ITEM_OUTCOME_PASS)
                .setObservedMs(System.currentTimeMillis())
                .setSourceReceipt("test-" + item.getNumber() + "-" + person);
    }

    @Override
    public BankDecision decide(OfferTerms terms, Application application) {
        String reference = application.getExternalRef();
        BankDecision.Builder decision = BankDecision.newBuilder().setBankReference("loan-" + terms.getVersion());
        if (reference.startsWith("decline")) {
            return decision.setVerdict(BankVerdict.BANK_VERDICT_DECLINE).build();
        }
        if (reference.startsWith("counter") && terms.getVersion() == 1) {
            LoanPart less = lend(terms.getCommercial());
            return decision.setVerdict(BankVerdict.BANK_VERDICT_COUNTER)
                    .setCounter(less)
                    .build();
        }
        return decision.setVerdict(BankVerdict.BANK_VERDICT_APPROVE).build();
    }

    private static LoanPart lend(LoanPart offered) {
        LoanPart less = offered.toBuilder()
                .setAmountFen(offered.getAmountFen() - COUNTERED_FEN)
                .build();
        return less.toBuilder().setInstalmentFen(Instalment.fen(less)).build();
    }
}
