/* What a broken or dishonest bank says with its own valid key: about terms that nobody offered, an old or a coming epoch,
 * twice and differently, under an id it used before, after it was released, and of events that it does not have. None of
 * it may have an effect that the truth alone could not have had. */
#include <assert.h>
#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/decision.pb-c.h>
#include <coloan/v1/verification.pb-c.h>
#include <string.h>

#include "tests/sim/lender_shared.h"

enum lie {
    LIE_TERMS,
    LIE_VERSION,
    LIE_EPOCH,
    LIE_BOTH_WAYS,
    LIE_SAME_ID,
    LIE_ACK_DIGEST,
    LIE_ACK_REFERENCE,
    LIE_ACK_AHEAD,
    LIE_COUNT
};

static void say(struct lender *lender, const char *application_id, const Coloan__V1__BankDecision *decision,
                const struct cl_uuid *message_id)
{
    struct entry *entry =
        party_sign(lender->party, &(struct ask){.method = "coloan.v1.JointApproval/ReportBankDecision",
                                                .body = &decision->base,
                                                .application_id = application_id,
                                                .message_id = message_id,
                                                .lie = true});
    lender->lies++;
    party_send(lender->party, entry, NULL, NULL, 0);
}

/* An approval of what was offered last, bent by `lie`. */
static void decide_wrongly(struct lender *lender, struct lender_case *kept, enum lie lie, const struct entry *honest)
{
    Coloan__V1__BankDecision decision = COLOAN__V1__BANK_DECISION__INIT;
    struct cl_digest digest = kept->terms;
    decision.offer_version = kept->version;
    decision.bank_epoch = kept->epoch;
    decision.verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_APPROVE;
    decision.bank_reference = cl_unconst("lie");
    decision.terms_digest = (ProtobufCBinaryData){.len = sizeof digest.bytes, .data = digest.bytes};
    uint64_t dice = dice_below(&lender->sim->dice, 2);
    if (lie == LIE_TERMS) {
        digest.bytes[0] ^= 1;
    } else if (lie == LIE_VERSION) {
        decision.offer_version = dice == 0 ? kept->version + 1 : kept->version - 1;
    } else if (lie == LIE_EPOCH) {
        decision.bank_epoch = dice == 0 ? kept->epoch + 1 : kept->epoch - 1;
    } else if (dice == 0) {
        decision.verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_DECLINE;
    }
    say(lender, kept->id, &decision, lie == LIE_SAME_ID && honest != NULL ? &honest->message_id : NULL);
}

static void say_of_case(struct lender *lender, const char *method, const char *application_id,
                        const ProtobufCMessage *body)
{
    struct entry *entry = party_sign(
        lender->party, &(struct ask){.method = method, .body = body, .application_id = application_id, .lie = true});
    lender->lies++;
    party_send(lender->party, entry, NULL, NULL, 0);
}

/* After its release: the customer's income is not enough, or the customer gives up. */
static void meddle(struct lender *lender, const struct lender_case *kept)
{
    Coloan__V1__Withdrawal withdrawal = COLOAN__V1__WITHDRAWAL__INIT;
    Coloan__V1__VerificationReport report = COLOAN__V1__VERIFICATION_REPORT__INIT;
    Coloan__V1__VerificationResult result = COLOAN__V1__VERIFICATION_RESULT__INIT;
    Coloan__V1__VerificationResult *results = &result;
    if (dice_below(&lender->sim->dice, 2) == 0) {
        say_of_case(lender, "coloan.v1.JointApproval/WithdrawApplication", kept->id, &withdrawal.base);
        return;
    }
    result.item = COLOAN__V1__ITEM__ITEM_INCOME;
    result.outcome = COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_FAIL;
    result.observed_ms = party_now_ms(lender->party);
    report.results = &results;
    report.n_results = 1;
    say_of_case(lender, "coloan.v1.JointApproval/ReportVerifications", kept->id, &report.base);
}

static void acknowledge_wrongly(struct lender *lender, enum lie lie, uint64_t sequence, const struct cl_digest *digest)
{
    struct cl_digest wrong = *digest;
    lender->lies++;
    sim_say(lender->sim, "%s lies about event %llu", base_party(lender->role), (unsigned long long)sequence);
    if (lie == LIE_ACK_REFERENCE) {
        char reference[CL_TEXT_BYTES_MAX + 1];
        lender_reference(reference, lender, sequence);
        lender_acknowledge(lender, sequence, digest, reference);
        lender_acknowledge(lender, sequence, digest, "another");
    } else if (lie == LIE_ACK_AHEAD) {
        lender_acknowledge(lender, sequence + 1000, digest, NULL);
    } else {
        wrong.bytes[0] ^= 1;
        lender_acknowledge(lender, sequence, &wrong, NULL);
    }
}

void lender_may_lie(struct lender *lender, const Coloan__V1__Event *event, uint64_t sequence,
                    const struct cl_digest *digest, const struct entry *honest)
{
    struct sim *sim = lender->sim;
    struct lender_case *kept = lender_case_of(lender, event->application_id);
    if (!sim_strikes(sim, sim->faults.lies)) {
        return;
    }
    if (kept->released && dice_below(&sim->dice, 2) == 0) {
        meddle(lender, kept);
        return;
    }
    bool decides = event->kind == COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION;
    enum lie lie = (enum lie)dice_below(&sim->dice, decides ? LIE_ACK_DIGEST : LIE_COUNT);
    if (lie >= LIE_ACK_DIGEST) {
        acknowledge_wrongly(lender, lie, sequence, digest);
    } else if (kept->offered) {
        decide_wrongly(lender, kept, lie, decides ? honest : NULL);
    }
}
