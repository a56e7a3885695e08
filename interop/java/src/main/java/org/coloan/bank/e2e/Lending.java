package org.coloan.bank.e2e;

import static org.coloan.bank.e2e.Steps.await;
import static org.coloan.bank.e2e.Steps.expect;
import static org.coloan.bank.e2e.Steps.expectEqual;
import static org.coloan.bank.e2e.Steps.expectRefused;

import com.google.protobuf.ByteString;
import java.util.List;
import java.util.Optional;
import org.coloan.bank.centre.Method;
import org.coloan.bank.loan.CaseFile;
import org.coloan.bank.loan.JointDecisions;
import org.coloan.bank.wire.Digests;
import org.coloan.bank.wire.Hex;
import org.coloan.bank.wire.MessageId;
import org.coloan.bank.wire.Reason;
import org.coloan.v1.ApplicationStatus;
import org.coloan.v1.CaseState;
import org.coloan.v1.Leg;
import org.coloan.v1.LoanPart;
import org.coloan.v1.Milestone;
import org.coloan.v1.MilestoneKind;
import org.coloan.v1.OfferConfirmation;
import org.coloan.v1.OfferTerms;

/** After the approval (chapter 7.7): confirmed, signed, filed; then paid and repaid, or cancelled by agreement. */
final class Lending {
    private static final String ACCOUNT = "3200000000000001"; // of the simulated authorities; nobody's

    private final World world;
    private final Steps steps;
    private final TestBank beta;
    private final String id;
    private final CaseFile file;
    private final OfferTerms terms;
    private final String reference =
            Hex.of(MessageId.next(System.currentTimeMillis())).substring(0, 24);

    private Lending(World world, CaseFile file) {
        this.world = world;
        this.steps = world.steps();
        this.beta = world.beta();
        this.file = file;
        this.id = file.status().getApplicationId();
        this.terms = file.joint().flatMap(JointDecisions.Verified::terms).orElseThrow();
    }

    static void run(World world) throws Exception {
        World.giveUp(world.beta());
        Lending lending = new Lending(world, world.beta().decided(world.persona(), "approve"));
        lending.contracts();
        if (world.options().register()) {
            lending.payment();
            lending.repayment();
        } else {
            lending.cancellation();
        }
    }

    private void contracts() throws Steps.Failed {
        steps.step("a contract before the borrower has confirmed the offer is STATE_CONFLICT", () -> {
            expectRefused(Reason.STATE_CONFLICT, () -> report(MilestoneKind.MILESTONE_KIND_SIGNED, Leg.LEG_FUND));
        });
        steps.step("the borrower confirms the terms that both lenders signed", () -> {
            OfferConfirmation confirmation = OfferConfirmation.newBuilder()
                    .setOfferVersion(terms.getVersion())
                    .setTermsDigest(file.jointDecision().orElseThrow().getTermsDigest())
                    .setDocumentSha256(Digests.sha256(ByteString.copyFromUtf8("what the borrower signed")))
                    .build();
            ApplicationStatus status = beta.bank.send(Method.CONFIRM_OFFER, id, confirmation, List.of());
            expectEqual(CaseState.CASE_STATE_CONFIRMED, status.getState());
        });
        step("the fund's loan contract is signed", CaseState.CASE_STATE_SIGNING, () -> {
            return report(MilestoneKind.MILESTONE_KIND_SIGNED, Leg.LEG_FUND);
        });
        step("the commercial loan contract is signed", CaseState.CASE_STATE_SIGNED, () -> {
            return report(MilestoneKind.MILESTONE_KIND_SIGNED, Leg.LEG_COMMERCIAL);
        });
        steps.step("a payment before the mortgage is registered is STATE_CONFLICT", () -> {
            expectRefused(Reason.STATE_CONFLICT, () -> pay(Leg.LEG_FUND, terms.getFund()));
        });
    }

    /** As the simulated register wants it: amount and contract. */
    private String registration() {
        long borrowed = terms.getFund().getAmountFen() + terms.getCommercial().getAmountFen();
        return "REG-" + borrowed + "-" + world.persona().text("home.contract_no");
    }

    private void cancellation() throws Steps.Failed {
        step("both contracts are cancelled by agreement", CaseState.CASE_STATE_CANCELLED, () -> {
            return report(MilestoneKind.MILESTONE_KIND_CANCELLED, Leg.LEG_UNSPECIFIED);
        });
    }

    private void payment() throws Steps.Failed {
        step("the registration is filed", CaseState.CASE_STATE_REGISTERING, () -> {
            return beta.bank.report(
                    id,
                    milestone(MilestoneKind.MILESTONE_KIND_REGISTRATION_FILED, Leg.LEG_UNSPECIFIED)
                            .setReference(registration())
                            .build());
        });
        steps.step("the mortgage is registered, what matters is checked again, and STATUS events say so", () -> {
            await(
                    "READY",
                    () -> Optional.of(beta.file(id).status())
                            .filter(status -> status.getState() == CaseState.CASE_STATE_READY));
        });
        steps.step("a payment of another amount is AMOUNT_INVALID", () -> {
            LoanPart less = terms.getFund().toBuilder().setAmountFen(1).build();
            expectRefused(Reason.AMOUNT_INVALID, () -> pay(Leg.LEG_FUND, less));
        });
        step("the fund's leg is paid", CaseState.CASE_STATE_HALF_DISBURSED, () -> {
            return pay(Leg.LEG_FUND, terms.getFund());
        });
        step("the commercial leg is paid", CaseState.CASE_STATE_REPAYING, () -> {
            return pay(Leg.LEG_COMMERCIAL, terms.getCommercial());
        });
    }

    private void repayment() throws Steps.Failed {
        repay("the fund's leg", Leg.LEG_FUND, terms.getFund(), CaseState.CASE_STATE_REPAYING);
        repay("the commercial leg", Leg.LEG_COMMERCIAL, terms.getCommercial(), CaseState.CASE_STATE_SETTLED);
        step("the mortgage is deleted", CaseState.CASE_STATE_SETTLED, () -> {
            return report(MilestoneKind.MILESTONE_KIND_MORTGAGE_RELEASED, Leg.LEG_UNSPECIFIED);
        });
    }

    private void repay(String what, Leg leg, LoanPart part, CaseState end) throws Steps.Failed {
        long half = part.getAmountFen() / 2;
        long rest = part.getAmountFen() - half;
        step("half of " + what + " is repaid", CaseState.CASE_STATE_REPAYING, () -> {
            return beta.bank.report(
                    id,
                    milestone(MilestoneKind.MILESTONE_KIND_REPAID, leg)
                            .setAmountFen(half)
                            .setBalanceFen(rest)
                            .build());
        });
        step("the rest of " + what + " is repaid", end, () -> {
            return beta.bank.report(
                    id,
                    milestone(MilestoneKind.MILESTONE_KIND_SETTLED, leg)
                            .setAmountFen(rest)
                            .build());
        });
    }

    /** A step that leads to a state. */
    private interface Report {
        ApplicationStatus send();
    }

    private void step(String title, CaseState state, Report report) throws Steps.Failed {
        steps.step(title, () -> {
            ApplicationStatus status = report.send();
            expect(status.getState() == state, "expected " + state + ", found " + status.getState());
        });
    }

    private ApplicationStatus report(MilestoneKind kind, Leg leg) {
        return beta.bank.report(id, milestone(kind, leg).build());
    }

    private ApplicationStatus pay(Leg leg, LoanPart part) {
        Milestone payment = milestone(MilestoneKind.MILESTONE_KIND_DISBURSED, leg)
                .setAmountFen(part.getAmountFen())
                .build();
        return beta.bank.reportPayment(id, payment, ACCOUNT);
    }

    private Milestone.Builder milestone(MilestoneKind kind, Leg leg) {
        return Milestone.newBuilder()
                .setKind(kind)
                .setLeg(leg)
                .setBankEpoch(terms.getBankEpoch())
                .setReference(reference + "-" + kind.getNumber())
                .setHappenedMs(System.currentTimeMillis());
    }
}
