/* evidence: a joint decision that both signed verifies; every one that differs in one thing does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "client/evidence.h"
#include "libcoloan/dsse.h"
#include "libcoloan/limits.h"
#include "libcoloan/sha256.h"
#include "tests/support/signing.h"

#define APPLICATION "01a210b4-3a14-74fa-911e-58779abdeec1"
#define OTHER       "01a210b4-3a14-74fa-911e-58779abdeec2"

static struct signing signing;
static struct cl_arena *arena;

/* What is put together, with every part open to change. */
struct plan {
    const char *terms_application, *fund_application, *bank_application, *joint_application;
    const char *terms_bank;
    enum signing_key fund_signer, bank_signer, joint_signer;
    Coloan__V1__FundVerdict fund_verdict;
    Coloan__V1__BankVerdict bank_verdict;
    Coloan__V1__Outcome outcome;
    int64_t commercial_fen;
    uint32_t bank_version;
    bool no_fund, no_bank, no_offer, no_stated_digest;
    bool other_named_digest, other_stated_digest, other_terms, swapped_kind;
    size_t damage; /* flip a bit of the joint envelope at this byte; 0: none */
};

static const struct plan good = {
    .terms_application = APPLICATION,
    .fund_application = APPLICATION,
    .bank_application = APPLICATION,
    .joint_application = APPLICATION,
    .terms_bank = SIGNING_ALPHA,
    .fund_signer = SIGNING_CENTRE_SIGN,
    .bank_signer = SIGNING_ALPHA_ACTIVE,
    .joint_signer = SIGNING_CENTRE_SIGN,
    .fund_verdict = COLOAN__V1__FUND_VERDICT__FUND_VERDICT_APPROVE,
    .bank_verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_APPROVE,
    .outcome = COLOAN__V1__OUTCOME__OUTCOME_APPROVED_COMBINED,
    .commercial_fen = 24000000,
    .bank_version = 1,
};

static ProtobufCBinaryData data_of(struct cl_bytes bytes)
{
    return (ProtobufCBinaryData){.data = cl_arena_copy(arena, bytes), .len = bytes.len};
}

static struct cl_bytes seal(enum signing_key key, const ProtobufCMessage *body, Coloan__V1__Direction direction,
                            const char *application_id)
{
    bool event = direction == COLOAN__V1__DIRECTION__DIRECTION_EVENT;
    struct cl_message message = signing_message();
    struct cl_sealed sealed;
    message.direction = direction;
    message.recipient = event ? SIGNING_ALPHA : SIGNING_CENTRE;
    message.method = event ? "coloan.v1.JointApproval/Deliver" : "coloan.v1.JointApproval/ReportBankDecision";
    message.expires_ms = event ? 0 : message.expires_ms;
    message.sequence = event ? 7 : 0;
    message.application_id = application_id;
    message.body = body;
    assert_true(cl_is_ok(cl_envelope_seal(&sealed, arena, signing.signers[key], &message)));
    return sealed.stored;
}

static Coloan__V1__Offer *make_offer(const struct plan *plan)
{
    struct cl_sha256 hash;
    struct cl_digest digest;
    struct cl_bytes bytes;
    Coloan__V1__LoanPart fund = COLOAN__V1__LOAN_PART__INIT;
    Coloan__V1__LoanPart commercial = COLOAN__V1__LOAN_PART__INIT;
    Coloan__V1__OfferTerms terms = COLOAN__V1__OFFER_TERMS__INIT;
    Coloan__V1__Offer *offer = cl_arena_alloc(arena, sizeof *offer);
    coloan__v1__offer__init(offer);
    fund.amount_fen = 80000000;
    commercial.amount_fen = plan->commercial_fen;
    terms.application_id = cl_arena_text(arena, plan->terms_application);
    terms.version = 1;
    terms.bank_epoch = 1;
    terms.bank = cl_arena_text(arena, plan->terms_bank);
    terms.fund = &fund;
    terms.commercial = &commercial;
    assert_true(cl_is_ok(cl_pack(&bytes, arena, &terms.base)));
    cl_sha256_init(&hash);
    cl_sha256_add(&hash, cl_bytes_text("coloan terms v1\n"));
    cl_sha256_add(&hash, bytes);
    cl_sha256_finish(&hash, &digest);
    offer->terms_digest = data_of(cl_bytes(digest.bytes, CL_DIGEST_BYTES));
    terms.price_fen = plan->other_terms ? 1 : 0;
    assert_true(cl_is_ok(cl_pack(&bytes, arena, &terms.base)));
    offer->terms = data_of(bytes);
    return offer;
}

static struct cl_bytes make_fund(const struct plan *plan, Coloan__V1__Offer *offer)
{
    Coloan__V1__FundDecision decision = COLOAN__V1__FUND_DECISION__INIT;
    Coloan__V1__Event event = COLOAN__V1__EVENT__INIT;
    decision.application_id = cl_arena_text(arena, plan->fund_application);
    decision.verdict = plan->fund_verdict;
    decision.offer = plan->no_offer ? NULL : offer;
    event.kind = COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION;
    event.fund_decision = plan->swapped_kind ? NULL : &decision;
    return seal(plan->fund_signer, &event.base, COLOAN__V1__DIRECTION__DIRECTION_EVENT, plan->fund_application);
}

static struct cl_bytes make_bank(const struct plan *plan, const Coloan__V1__Offer *offer)
{
    Coloan__V1__BankDecision decision = COLOAN__V1__BANK_DECISION__INIT;
    decision.offer_version = plan->bank_version;
    decision.bank_epoch = 1;
    decision.verdict = plan->bank_verdict;
    decision.terms_digest = data_of(cl_bytes(offer->terms_digest.data, offer->terms_digest.len));
    decision.terms_digest.data[0] ^= plan->other_named_digest ? 1 : 0;
    return seal(plan->bank_signer, &decision.base, COLOAN__V1__DIRECTION__DIRECTION_REQUEST, plan->bank_application);
}

static struct cl_bytes make_joint(const struct plan *plan)
{
    Coloan__V1__JointDecision joint = COLOAN__V1__JOINT_DECISION__INIT;
    Coloan__V1__Event event = COLOAN__V1__EVENT__INIT;
    Coloan__V1__Offer *offer = make_offer(plan);
    joint.application_id = cl_arena_text(arena, plan->joint_application);
    joint.outcome = plan->outcome;
    if (!plan->no_stated_digest) {
        joint.terms_digest = data_of(cl_bytes(offer->terms_digest.data, offer->terms_digest.len));
        joint.terms_digest.data[0] ^= plan->other_stated_digest ? 1 : 0;
    }
    joint.fund_envelope = plan->no_fund ? joint.fund_envelope : data_of(make_fund(plan, offer));
    joint.bank_envelope = plan->no_bank ? joint.bank_envelope : data_of(make_bank(plan, offer));
    event.kind = COLOAN__V1__EVENT_KIND__EVENT_KIND_JOINT_DECISION;
    event.joint_decision = &joint;
    struct cl_bytes envelope =
        seal(plan->joint_signer, &event.base, COLOAN__V1__DIRECTION__DIRECTION_EVENT, plan->joint_application);
    uint8_t *copy = cl_arena_copy(arena, envelope);
    copy[plan->damage] ^= plan->damage > 0 ? 1 : 0;
    return cl_bytes(copy, envelope.len);
}

/* Covers: COL-JNT-004 */
static void one_difference_is_enough(void **state)
{
    (void)state;
    const Coloan__V1__Outcome alone = COLOAN__V1__OUTCOME__OUTCOME_APPROVED_FUND_ONLY;
    const Coloan__V1__Outcome rejected = COLOAN__V1__OUTCOME__OUTCOME_REJECTED_FUND;
    const Coloan__V1__Outcome declined = COLOAN__V1__OUTCOME__OUTCOME_DECLINED_BANK;
    const struct {
        const char *name;
        enum cl_reason reason;
        struct plan plan;
    } rows[] = {
#define ROW(row_name, row_reason, ...)                                                                                 \
    {                                                                                                                  \
        .name = (row_name), .reason = (row_reason), .plan = { __VA_ARGS__ }                                            \
    }
        ROW("nothing", CL_OK, .damage = 0),
        ROW("damaged", CL_OK, .damage = 100),
        ROW("terms of another application", CL_APPLICATION_UNKNOWN, .terms_application = OTHER),
        ROW("fund decision of another application", CL_APPLICATION_UNKNOWN, .fund_application = OTHER),
        ROW("bank decision of another application", CL_APPLICATION_UNKNOWN, .bank_application = OTHER),
        ROW("joint decision of another application", CL_APPLICATION_UNKNOWN, .joint_application = OTHER),
        ROW("terms for another bank", CL_SENDER_WRONG, .terms_bank = SIGNING_BETA),
        ROW("another bank signed", CL_SENDER_WRONG, .bank_signer = SIGNING_BETA_SIGN),
        ROW("a stranger signed for the bank", CL_KEY_UNKNOWN, .bank_signer = SIGNING_STRANGER),
        ROW("an expired key of the bank", CL_KEY_NOT_VALID, .bank_signer = SIGNING_ALPHA_PAST),
        ROW("the bank signed the centre's decision", CL_SENDER_WRONG, .fund_signer = SIGNING_ALPHA_ACTIVE),
        ROW("the bank signed the joint decision", CL_SENDER_WRONG, .joint_signer = SIGNING_ALPHA_ACTIVE),
        ROW("the terms were changed", CL_TERMS_DIGEST_WRONG, .other_terms = true),
        ROW("the bank named other terms", CL_TERMS_DIGEST_WRONG, .other_named_digest = true),
        ROW("the bank named another version", CL_TERMS_DIGEST_WRONG, .bank_version = 2),
        ROW("other terms are stated", CL_STATE_CONFLICT, .other_stated_digest = true),
        ROW("no terms are stated", CL_STATE_CONFLICT, .no_stated_digest = true),
        ROW("no bank decision", CL_STATE_CONFLICT, .no_bank = true),
        ROW("no fund decision", CL_FIELD_MISSING, .no_fund = true),
        ROW("neither", CL_STATE_CONFLICT, .no_fund = true, .no_bank = true),
        ROW("the fund event holds no decision", CL_PAYLOAD_TYPE_WRONG, .swapped_kind = true),
        ROW("no offer", CL_SENDER_WRONG, .no_offer = true),
        ROW("the bank declined", CL_STATE_CONFLICT, .bank_verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_DECLINE),
        ROW("the bank declined, and so it is stated", CL_OK,
            .bank_verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_DECLINE, .outcome = declined,
            .no_stated_digest = true),
        ROW("the bank approved and a decline is stated", CL_STATE_CONFLICT, .outcome = declined),
        ROW("the bank countered", CL_STATE_CONFLICT, .bank_verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_COUNTER),
        ROW("the fund rejected", CL_STATE_CONFLICT, .fund_verdict = COLOAN__V1__FUND_VERDICT__FUND_VERDICT_REJECT),
        ROW("the fund rejected, and so it is stated", CL_OK,
            .fund_verdict = COLOAN__V1__FUND_VERDICT__FUND_VERDICT_REJECT, .outcome = rejected, .no_offer = true,
            .no_bank = true, .no_stated_digest = true),
        ROW("the fund approved and a rejection is stated", CL_STATE_CONFLICT, .outcome = rejected, .no_bank = true,
            .no_stated_digest = true),
        ROW("the fund alone", CL_OK, .commercial_fen = -1, .outcome = alone, .no_bank = true),
        ROW("the fund alone with a commercial part", CL_STATE_CONFLICT, .outcome = alone, .no_bank = true),
        ROW("combined without a commercial part", CL_STATE_CONFLICT, .commercial_fen = -1),
#undef ROW
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct plan plan = good;
        const struct plan *change = &rows[i].plan;
        struct client_evidence evidence;
        cl_arena_reset(arena);
#define TAKE(member) plan.member = change->member ? change->member : plan.member
        TAKE(terms_application);
        TAKE(fund_application);
        TAKE(bank_application);
        TAKE(joint_application);
        TAKE(terms_bank);
        TAKE(fund_signer);
        TAKE(bank_signer);
        TAKE(joint_signer);
        TAKE(fund_verdict);
        TAKE(bank_verdict);
        TAKE(outcome);
        TAKE(commercial_fen);
        TAKE(bank_version);
        TAKE(no_fund);
        TAKE(no_bank);
        TAKE(no_offer);
        TAKE(no_stated_digest);
        TAKE(other_named_digest);
        TAKE(other_stated_digest);
        TAKE(other_terms);
        TAKE(swapped_kind);
        TAKE(damage);
#undef TAKE
        plan.commercial_fen = plan.commercial_fen < 0 ? 0 : plan.commercial_fen;
        struct cl_status status = client_evidence_check(&evidence, arena, make_joint(&plan), signing.keyring);
        bool expected = plan.damage > 0 ? cl_failed(status) : status.reason == rows[i].reason;
        if (!expected || evidence.step[0] == '\0') {
            fail_msg("%s: %s at \"%s\"", rows[i].name, cl_status_name(status), evidence.step);
        }
    }
}

static void what_is_not_a_joint_decision_is_refused(void **state)
{
    (void)state;
    struct client_evidence evidence;
    Coloan__V1__Event event = COLOAN__V1__EVENT__INIT;
    Coloan__V1__BankDecision decision = COLOAN__V1__BANK_DECISION__INIT;
    event.kind = COLOAN__V1__EVENT_KIND__EVENT_KIND_STATUS;
    struct cl_bytes status_event =
        seal(SIGNING_CENTRE_SIGN, &event.base, COLOAN__V1__DIRECTION__DIRECTION_EVENT, APPLICATION);
    struct cl_bytes other =
        seal(SIGNING_CENTRE_SIGN, &decision.base, COLOAN__V1__DIRECTION__DIRECTION_REQUEST, APPLICATION);
    assert_int_equal(client_evidence_check(&evidence, arena, status_event, signing.keyring).reason,
                     CL_PAYLOAD_TYPE_WRONG);
    assert_int_equal(client_evidence_check(&evidence, arena, other, signing.keyring).reason, CL_PAYLOAD_TYPE_WRONG);
    assert_int_equal(client_evidence_check(&evidence, arena, cl_bytes_text("no"), signing.keyring).reason,
                     CL_WIRE_MALFORMED);
    assert_int_equal(client_evidence_check(&evidence, arena, cl_bytes(NULL, 0), signing.keyring).reason,
                     CL_MESSAGE_EMPTY);
}

static int begin(void **state)
{
    (void)state;
    signing_init(&signing);
    return cl_failed(cl_arena_create(&arena, 8 * CL_MESSAGE_ARENA_BYTES_MAX)) ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    cl_arena_free(arena);
    signing_close(&signing);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_difference_is_enough),
        cmocka_unit_test(what_is_not_a_joint_decision_is_refused),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
