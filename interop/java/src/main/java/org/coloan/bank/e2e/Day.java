package org.coloan.bank.e2e;

import static org.coloan.bank.e2e.Steps.await;
import static org.coloan.bank.e2e.Steps.expect;
import static org.coloan.bank.e2e.Steps.expectEqual;
import static org.coloan.bank.e2e.Steps.expectRefused;
import static org.coloan.bank.e2e.Steps.until;

import com.google.protobuf.ByteString;
import java.util.List;
import java.util.Optional;
import org.coloan.bank.centre.Centre;
import org.coloan.bank.centre.Method;
import org.coloan.bank.envelope.Sealed;
import org.coloan.bank.key.KeyDirectory;
import org.coloan.bank.loan.CaseFile;
import org.coloan.bank.loan.Submission;
import org.coloan.bank.wire.Contract;
import org.coloan.bank.wire.Limits;
import org.coloan.bank.wire.Reason;
import org.coloan.bank.wire.Refused;
import org.coloan.v1.Application;
import org.coloan.v1.ApplicationListQuery;
import org.coloan.v1.ApplicationQuery;
import org.coloan.v1.Capabilities;
import org.coloan.v1.CapabilitiesQuery;
import org.coloan.v1.CaseState;
import org.coloan.v1.ConsentPurpose;
import org.coloan.v1.Direction;
import org.coloan.v1.Fact;
import org.coloan.v1.FundVerdict;
import org.coloan.v1.Item;
import org.coloan.v1.KeysAnswer;
import org.coloan.v1.KeysQuery;
import org.coloan.v1.Outcome;
import org.coloan.v1.SignedHeader;
import org.coloan.v1.VerificationQuery;
import org.coloan.v1.VerificationResult;

/** What a bank does all day: learns what the centre can do, hands an application in, and sees it decided. */
final class Day {
    private static final long FEN = 100;

    private final World world;
    private final Steps steps;
    private final Centre centre;
    private final TestBank beta;

    private Day(World world) {
        this.world = world;
        this.steps = world.steps();
        this.centre = world.centre();
        this.beta = world.beta();
    }

    static void run(World world) throws Steps.Failed {
        Day day = new Day(world);
        day.beginning();
        day.application();
        day.otherEnds();
    }

    private void beginning() throws Steps.Failed {
        steps.step("GetCapabilities names the centre and its environment", () -> {
            Capabilities capabilities = centre.ask(Method.GET_CAPABILITIES, CapabilitiesQuery.getDefaultInstance());
            expectEqual(world.options().centre(), capabilities.getParty());
            expectEqual(world.options().environment(), capabilities.getEnvironment());
            expectEqual(Contract.SPEC_VERSION, capabilities.getSpecVersionMin()); // a window of one version so far
            expectEqual(Contract.SPEC_VERSION, capabilities.getSpecVersionMax());
        });
        steps.step("GetKeys gives the directory that is held, or a newer one", () -> {
            KeysAnswer answer = centre.ask(Method.GET_KEYS, KeysQuery.getDefaultInstance());
            expect(answer.getNumber() >= centre.directory().number(), "the directory is not older");
            KeyDirectory given =
                    KeyDirectory.load(answer.getDirectory(), centre.directory().trust());
            expectEqual(answer.getNumber(), given.number());
        });
        steps.step("a directory that is known is not sent again", () -> {
            centre.refreshDirectory();
            expect(!centre.refreshDirectory(), "nothing is newer");
        });
        steps.step("the stream opens with a heartbeat", () -> await("a heartbeat", world.stream()::heartbeat));
    }

    private void application() throws Steps.Failed {
        Submission.Outgoing submission =
                world.persona().submission("approve", world.options().centre(), beta.party);
        Application application = submission.application();
        SignedHeader.Builder header = centre.header(Method.SUBMIT_APPLICATION.name(), Direction.DIRECTION_REQUEST);
        Sealed message = centre.seal(header, application, submission.disclosures());
        ByteString reply = submitTwice(message);
        String id = centre.openReply(Method.SUBMIT_APPLICATION, message, reply)
                .body()
                .getApplicationId();
        steps.step("the same id with other bytes is MESSAGE_ID_REUSED", () -> {
            Application other = application.toBuilder()
                    .setExternalRef(application.getExternalRef() + "x")
                    .build();
            Sealed reused = centre.seal(header, other, submission.disclosures());
            Refused refusal = expectRefused(Reason.MESSAGE_ID_REUSED, () -> once(Method.SUBMIT_APPLICATION, reused));
            expect(refusal.signed(), "the refusal is signed");
        });
        events(id, message, submission);
        views(id, application);
    }

    private ByteString submitTwice(Sealed message) throws Steps.Failed {
        ByteString[] first = new ByteString[1];
        steps.step("an application is accepted", () -> first[0] = once(Method.SUBMIT_APPLICATION, message));
        steps.step("the same message again gets the same reply, byte for byte", () -> {
            expectEqual(first[0], once(Method.SUBMIT_APPLICATION, message));
        });
        return first[0];
    }

    private void events(String id, Sealed message, Submission.Outgoing submission) throws Steps.Failed {
        steps.step("the APPLICATION event carries the submission and the values the consents allow", () -> {
            Submission.Incoming incoming =
                    await("the event", () -> beta.bank.find(id).flatMap(CaseFile::submission));
            expectEqual(message.digest(), incoming.digest());
            expectEqual(world.persona().text("person.name"), incoming.values().get("persons[0].name"));
            expectEqual(submission.disclosures().size(), incoming.values().size());
        });
        steps.step("the FUND_DECISION event carries an offer", () -> {
            until("the event", () -> beta.bank.find(id).flatMap(CaseFile::offer).isPresent());
            CaseFile file = beta.file(id);
            expectEqual(
                    FundVerdict.FUND_VERDICT_APPROVE,
                    file.fundDecision().orElseThrow().getVerdict());
            long fund = file.offer().orElseThrow().getFund().getAmountFen() / FEN;
            long commercial = file.offer().orElseThrow().getCommercial().getAmountFen() / FEN;
            System.out.printf("        fund %d yuan, commercial %d yuan%n", fund, commercial);
        });
        steps.step("the JOINT_DECISION event carries both signatures over the same terms", () -> {
            until("the event", () -> beta.jointDecision(id).isPresent());
            expect(beta.file(id).joint().orElseThrow().isApproved(), "it is approved");
            expectEqual(
                    Outcome.OUTCOME_APPROVED_COMBINED,
                    beta.jointDecision(id).orElseThrow().getOutcome());
        });
    }

    private void views(String id, Application application) throws Steps.Failed {
        steps.step("GetApplication says so, too", () -> {
            ApplicationQuery query =
                    ApplicationQuery.newBuilder().setApplicationId(id).build();
            CaseState state =
                    centre.ask(Method.GET_APPLICATION, id, query).getStatus().getState();
            expectEqual(CaseState.CASE_STATE_APPROVED, state);
        });
        steps.step("ListApplications begins with it", () -> {
            ApplicationListQuery one =
                    ApplicationListQuery.newBuilder().setPageSize(1).build();
            expectEqual(
                    id,
                    centre.ask(Method.LIST_APPLICATIONS, one).getApplications(0).getApplicationId());
        });
        steps.step("QueryVerifications gives what the bank may see, and no more", () -> {
            String consent = application.getConsentsList().stream()
                    .filter(one -> one.getPurpose() == ConsentPurpose.CONSENT_PURPOSE_SHARE)
                    .findFirst()
                    .orElseThrow()
                    .getConsentId();
            List<VerificationResult> results = query(id, consent);
            expectEqual(Optional.of(List.of("area_centi_m2", "price_fen")), facts(results, Item.ITEM_HOME_CONTRACT));
            expectEqual(Optional.of(List.of()), facts(results, Item.ITEM_CONTRIBUTION)); // the verdict only
            expectEqual(Optional.empty(), facts(results, Item.ITEM_CREDIT_FUND));
        });
        steps.step("QueryVerifications without the persons' consent is CONSENT_MISSING", () -> {
            expectRefused(Reason.CONSENT_MISSING, () -> query(id, "x"));
        });
    }

    private List<VerificationResult> query(String id, String consent) {
        VerificationQuery query =
                VerificationQuery.newBuilder().setConsentId(consent).build();
        return centre.ask(Method.QUERY_VERIFICATIONS, id, query).getResultsList();
    }

    private static Optional<List<String>> facts(List<VerificationResult> results, Item item) {
        return results.stream()
                .filter(result -> result.getItem() == item)
                .findFirst()
                .map(result -> result.getFactsList().stream()
                        .map(Fact::getName)
                        .sorted()
                        .toList());
    }

    private void otherEnds() throws Steps.Failed {
        steps.step("a counter-offer leads to a second offer, which both sign", () -> {
            World.giveUp(beta);
            CaseFile file = beta.decided(world.persona(), "counter");
            expectEqual(
                    Outcome.OUTCOME_APPROVED_COMBINED,
                    file.jointDecision().orElseThrow().getOutcome());
            expectEqual(2, file.joint().orElseThrow().terms().orElseThrow().getVersion());
        });
        steps.step("a bank's decline ends the case, signed by both", () -> {
            World.giveUp(beta);
            CaseFile file = beta.decided(world.persona(), "decline");
            expectEqual(
                    Outcome.OUTCOME_DECLINED_BANK,
                    file.jointDecision().orElseThrow().getOutcome());
            expect(!file.joint().orElseThrow().isApproved(), "it is not approved");
        });
        steps.step("the fund's refusal ends the case without the bank", () -> {
            CaseFile file = beta.decided(world.refused(), "approve");
            expectEqual(
                    Outcome.OUTCOME_REJECTED_FUND,
                    file.jointDecision().orElseThrow().getOutcome());
            expect(file.jointDecision().orElseThrow().getBankEnvelope().isEmpty(), "the bank was not asked");
            expect(file.fundDecision().orElseThrow().getReasonsCount() > 0, "the decision says why");
        });
    }

    private ByteString once(Method<?, ?> method, Sealed message) {
        return centre.sendOnce(method, message, Limits.DEADLINE);
    }
}
