package org.coloan.bank.loan;

import static org.coloan.bank.wire.Refused.check;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.coloan.bank.centre.Centre;
import org.coloan.bank.centre.Method;
import org.coloan.bank.envelope.Opened;
import org.coloan.bank.envelope.Personal;
import org.coloan.bank.envelope.Personal.Concealed;
import org.coloan.bank.envelope.Sealed;
import org.coloan.bank.event.EventHandler;
import org.coloan.bank.journal.Journal;
import org.coloan.bank.journal.KeptEvent;
import org.coloan.bank.journal.Request;
import org.coloan.bank.wire.Reason;
import org.coloan.bank.wire.Refused;
import org.coloan.v1.ApplicationReceipt;
import org.coloan.v1.ApplicationStatus;
import org.coloan.v1.BankDecision;
import org.coloan.v1.Direction;
import org.coloan.v1.Disclosure;
import org.coloan.v1.Event;
import org.coloan.v1.FundDecision;
import org.coloan.v1.FundVerdict;
import org.coloan.v1.JointDecision;
import org.coloan.v1.Milestone;
import org.coloan.v1.OfferTerms;
import org.coloan.v1.SignedHeader;
import org.coloan.v1.VerificationReport;

/**
 * A bank's side of the joint approval (chapter 7): hands applications in, answers for its own items, decides
 * on its own money, and believes nothing that it has not checked itself. It acts on its events, which come in
 * order, and not on replies.
 */
public final class Bank implements EventHandler {
    private final Centre centre;
    private final Journal journal;
    private final Core core;
    private final Consumer<String> operator;
    private final Map<String, CaseFile> cases = new ConcurrentHashMap<>();

    /** Reads the cases back from the events that were taken over before. */
    public Bank(Centre centre, Journal journal, Core core, Consumer<String> operator) {
        this.centre = centre;
        this.journal = journal;
        this.core = core;
        this.operator = operator;
        journal.eventsAfter(0).stream()
                .filter(KeptEvent::isApplied)
                .map(KeptEvent::envelope)
                .forEach(envelope -> learn(centre.openEvent(envelope)));
    }

    public Optional<CaseFile> find(String applicationId) {
        return Optional.ofNullable(cases.get(applicationId));
    }

    // ---- Requests --------------------------------------------------------------------------------------------------

    /** At start, before anything else: what was on its way when the process died, byte for byte ([COL-DUP-006]). */
    public void resend() {
        for (Request request : journal.openRequests()) {
            Method<?, ?> method = Method.named(request.method());
            try {
                settle(method, request.message());
            } catch (Refused refused) {
                if (refused.action() == Refused.Action.SEND_AGAIN) {
                    throw refused;
                }
                operator.accept(method.name() + " was refused: " + refused.reason());
            }
        }
    }

    public ApplicationReceipt submit(Submission.Outgoing submission) {
        return send(Method.SUBMIT_APPLICATION, "", submission.application(), submission.disclosures());
    }

    /** What we did after the approval (chapter 7.7). */
    public ApplicationStatus report(String applicationId, Milestone milestone) {
        return send(Method.REPORT_MILESTONE, applicationId, milestone, List.of());
    }

    /** A payment, with the account that it went to ([COL-MIL-006]). */
    public ApplicationStatus reportPayment(String applicationId, Milestone payment, String account) {
        Concealed concealed = Personal.conceal("account", account);
        Milestone committed =
                payment.toBuilder().setAccount(concealed.commitment()).build();
        return send(Method.REPORT_MILESTONE, applicationId, committed, List.of(concealed.disclosure()));
    }

    /** For what changes something: kept before it is sent, and sent until its outcome is known. */
    public <Q extends Message, R extends Message> R send(
            Method<Q, R> method, String applicationId, Q body, List<Disclosure> disclosures) {
        SignedHeader.Builder header =
                centre.header(method.name(), Direction.DIRECTION_REQUEST).setApplicationId(applicationId);
        Sealed message = centre.seal(header, body, disclosures);
        journal.sending(Request.of(method.name(), message));
        return settle(method, message);
    }

    private <R extends Message> R settle(Method<?, R> method, Sealed message) {
        try {
            R reply = centre.send(method, message).body();
            journal.settled(message);
            return reply;
        } catch (Refused refused) {
            if (refused.action() != Refused.Action.SEND_AGAIN) {
                journal.settled(message); // never processed, and never will be
            }
            throw refused;
        }
    }

    // ---- Events ----------------------------------------------------------------------------------------------------

    /** What an event leads to is sent from here, too: if that fails for now, the event is handed in again. */
    @Override
    public String apply(Opened<Event> event) {
        learn(event);
        act(event.body());
        return "event-" + event.header().getSequence();
    }

    /** Verifies what the event says, and notes it. */
    private void learn(Opened<Event> event) {
        Event body = event.body();
        String id = body.getApplicationId();
        CaseFile file = cases.getOrDefault(id, CaseFile.EMPTY).with(body.getStatus());
        switch (body.getKind()) {
            case EVENT_KIND_APPLICATION ->
                cases.put(id, file.with(Submission.read(event, centre.directory(), centre.party())));
            case EVENT_KIND_FUND_DECISION -> cases.put(id, learnFundDecision(file, id, body.getFundDecision()));
            case EVENT_KIND_JOINT_DECISION -> cases.put(id, learnJointDecision(file, id, body.getJointDecision()));
            case EVENT_KIND_RELEASED -> cases.remove(id); // another bank's now: no more is kept than the law asks for
            default -> cases.put(id, file);
        }
    }

    private CaseFile learnFundDecision(CaseFile file, String id, FundDecision decision) {
        check(decision.getApplicationId().equals(id), Reason.FIELD_INVALID, "fund_decision");
        Optional<OfferTerms> offer = decision.getVerdict() == FundVerdict.FUND_VERDICT_APPROVE
                ? Optional.of(Offers.read(decision.getOffer(), id, centre.party()))
                : Optional.empty();
        return file.with(decision, offer);
    }

    private CaseFile learnJointDecision(CaseFile file, String id, JointDecision joint) {
        check(joint.getApplicationId().equals(id), Reason.FIELD_INVALID, "joint_decision");
        return file.with(joint, JointDecisions.verify(joint, centre.directory(), centre.party()));
    }

    private void act(Event event) {
        String id = event.getApplicationId();
        switch (event.getKind()) {
            case EVENT_KIND_APPLICATION -> verify(id, cases.get(id).submission().orElseThrow());
            case EVENT_KIND_FUND_DECISION -> cases.get(id).offer().ifPresent(offer -> decide(id, offer));
            default -> {} // nothing to do but to know
        }
    }

    private void verify(String id, Submission.Incoming submission) {
        VerificationReport report = VerificationReport.newBuilder()
                .addAllResults(core.verify(submission.application(), submission.values()))
                .build();
        tell(Method.REPORT_VERIFICATIONS, id, report);
    }

    private void decide(String id, OfferTerms offer) {
        if (offer.getCommercial().getAmountFen() == 0) {
            return; // the fund lends alone, and decides alone
        }
        CaseFile file = cases.get(id);
        ByteString termsDigest = file.fundDecision().orElseThrow().getOffer().getTermsDigest();
        BankDecision decision = core
                .decide(offer, file.submission().orElseThrow().application())
                .toBuilder()
                .setOfferVersion(offer.getVersion())
                .setTermsDigest(termsDigest)
                .setBankEpoch(offer.getBankEpoch())
                .build();
        tell(Method.REPORT_BANK_DECISION, id, decision);
    }

    /**
     * An event may be taken over again after a crash, and the centre has our answer to it already; or the
     * case has moved on or gone to another bank meanwhile, and an event about that is on its way. Neither is
     * a reason to hold anything up.
     */
    private <Q extends Message> void tell(Method<Q, ?> method, String id, Q body) {
        try {
            send(method, id, body, List.of());
        } catch (Refused refused) {
            boolean overtaken = refused.is(Reason.STATE_CONFLICT)
                    || refused.is(Reason.STALE_EPOCH)
                    || refused.is(Reason.OFFER_STALE);
            if (!overtaken) {
                throw refused;
            }
            operator.accept(method.name() + " of " + id + ": " + refused.reason());
        }
    }
}
