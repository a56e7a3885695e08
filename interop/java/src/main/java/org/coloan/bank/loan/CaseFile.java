package org.coloan.bank.loan;

import java.util.Optional;
import org.coloan.v1.ApplicationStatus;
import org.coloan.v1.FundDecision;
import org.coloan.v1.JointDecision;
import org.coloan.v1.OfferTerms;

/** What the bank knows of one case, all of it verified. Each event makes a new one of it. */
public record CaseFile(
        ApplicationStatus status,
        Optional<Submission.Incoming> submission,
        Optional<FundDecision> fundDecision,
        Optional<OfferTerms> offer,
        Optional<JointDecision> jointDecision,
        Optional<JointDecisions.Verified> joint) {
    static final CaseFile EMPTY = new CaseFile(
            ApplicationStatus.getDefaultInstance(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty(),
            Optional.empty());

    CaseFile with(ApplicationStatus newer) {
        return new CaseFile(newer, submission, fundDecision, offer, jointDecision, joint);
    }

    CaseFile with(Submission.Incoming newer) {
        return new CaseFile(status, Optional.of(newer), fundDecision, offer, jointDecision, joint);
    }

    CaseFile with(FundDecision newer, Optional<OfferTerms> terms) {
        return new CaseFile(status, submission, Optional.of(newer), terms, jointDecision, joint);
    }

    CaseFile with(JointDecision newer, JointDecisions.Verified verified) {
        return new CaseFile(status, submission, fundDecision, offer, Optional.of(newer), Optional.of(verified));
    }
}
