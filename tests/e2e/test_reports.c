/* What a bank reports of its items, over real TLS: what is wrong is refused with its reason and leaves the case as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <coloan/v1/verification.pb-c.h>

#include "libcoloan/limits.h"
#include "tests/e2e/world.h"

enum { ARENA_BYTES = 8 * 1024 * 1024, WAIT_MS = 10000 };

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)

static struct world world;
static struct cl_arena *arena;
static struct cl_session *alpha;
static const Coloan__V1__ApplicationReceipt *receipt;

static struct cl_status call(const ProtobufCMessage **out, const struct cl_session_call *what)
{
    struct cl_answer answer;
    struct cl_status status = cl_session_call(&answer, alpha, arena, what, (struct cl_patience){.total_ms = WAIT_MS});
    assert_true(cl_is_ok(status) || (answer.refused && answer.refusal_signed));
    *out = answer.body;
    return status;
}

/* P01 as it stands now, told with all its items. */
static const Coloan__V1__ApplicationView *look(void)
{
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    query.application_id = receipt->application_id;
    query.with_items = 1;
    struct cl_session_call what = {
        .method = "coloan.v1.JointApproval/GetApplication",
        .body = &query.base,
        .reply_type = &coloan__v1__application_view__descriptor,
    };
    const ProtobufCMessage *body = NULL;
    assert_string_equal(cl_status_name(call(&body, &what)), "OK");
    return (const Coloan__V1__ApplicationView *)body;
}

static const char *report(const Coloan__V1__VerificationReport *body)
{
    struct cl_session_call what = {
        .method = "coloan.v1.JointApproval/ReportVerifications",
        .body = &body->base,
        .reply_type = &coloan__v1__application_status__descriptor,
        .application_id = receipt->application_id,
    };
    const ProtobufCMessage *ignored = NULL;
    return cl_status_name(call(&ignored, &what));
}

/* Covers: COL-DEC-005 */
static void test_the_fund_has_ten_days(void **state)
{
    (void)state;
    struct world_submission submission;
    world_submission(&submission, arena, people_find(world.people, "P01"), WORLD_ALPHA, "reports");
    struct cl_session_call what = world_submit_call(&submission);
    const ProtobufCMessage *body = NULL;
    assert_string_equal(cl_status_name(call(&body, &what)), "OK");
    receipt = (const Coloan__V1__ApplicationReceipt *)body;
    assert_int_equal(receipt->status->deadline_ms - receipt->accepted_ms, 10 * DAY_MS);
}

/* -- Wrong reports -------------------------------------------------------------------------------------------- */

static void nothing_in_it(Coloan__V1__VerificationReport *body)
{
    body->n_results = 0;
}

static void too_many(Coloan__V1__VerificationReport *body)
{
    Coloan__V1__VerificationResult **many = cl_arena_alloc(arena, (CL_ITEM_RESULTS_MAX + 1) * sizeof *many);
    assert_non_null(many);
    for (size_t i = 0; i <= CL_ITEM_RESULTS_MAX; i++) {
        many[i] = body->results[0];
    }
    body->results = many;
    body->n_results = CL_ITEM_RESULTS_MAX + 1;
}

static void no_item(Coloan__V1__VerificationReport *body)
{
    body->results[0]->item = COLOAN__V1__ITEM__ITEM_UNSPECIFIED;
}

static void the_centres_item(Coloan__V1__VerificationReport *body)
{
    body->results[0]->item = COLOAN__V1__ITEM__ITEM_MARRIAGE;
}

static void seen_tomorrow(Coloan__V1__VerificationReport *body)
{
    body->results[0]->observed_ms = world_now_ms(&world) + DAY_MS;
}

static Coloan__V1__VerificationResult *income_of(Coloan__V1__VerificationReport *body)
{
    for (size_t i = 0; i < body->n_results; i++) {
        if (body->results[i]->item == COLOAN__V1__ITEM__ITEM_INCOME) {
            return body->results[i];
        }
    }
    fail_msg("no income in the report");
    return NULL;
}

static void no_fact(Coloan__V1__VerificationReport *body)
{
    income_of(body)->n_facts = 0;
}

static void another_fact(Coloan__V1__VerificationReport *body)
{
    income_of(body)->facts[0]->name = cl_arena_text(arena, "yearly_fen");
}

static void a_negative_fact(Coloan__V1__VerificationReport *body)
{
    income_of(body)->facts[0]->number = -1;
}

static void passed_and_failed(Coloan__V1__VerificationReport *body)
{
    income_of(body)->failure = COLOAN__V1__FAILURE_KIND__FAILURE_KIND_NO_RECORD;
}

static void nobody(Coloan__V1__VerificationReport *body)
{
    for (size_t i = 0; i < body->n_results; i++) {
        body->results[i]->person = CL_PERSONS_MAX - 1;
    }
}

/* Covers: COL-VER-001, COL-VER-002, COL-VER-004, COL-VER-005, COL-VER-006, COL-LIF-001 */
static void test_a_wrong_report_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*spoil)(Coloan__V1__VerificationReport *body);
        const char *reason;
    } rows[] = {
        {"nothing in it", nothing_in_it, "FIELD_MISSING"},
        {"too many", too_many, "FIELD_INVALID"},
        {"no item", no_item, "FIELD_MISSING"},
        {"an item of the centre", the_centres_item, "ITEM_NOT_OWNED"},
        {"observed tomorrow", seen_tomorrow, "FIELD_INVALID"},
        {"a pass without its fact", no_fact, "FIELD_MISSING"},
        {"a fact of another name", another_fact, "FIELD_INVALID"},
        {"a fact out of its bounds", a_negative_fact, "FIELD_INVALID"},
        {"a pass with a failure", passed_and_failed, "FIELD_INVALID"},
        {"of a person who is not there", nobody, "STATE_CONFLICT"},
    };
    const Coloan__V1__ApplicationView *before = look();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Coloan__V1__VerificationReport *body = world_bank_report(arena, people_find(world.people, "P01"));
        rows[i].spoil(body);
        const char *reason = report(body);
        if (strcmp(reason, rows[i].reason) != 0) {
            fail_msg("%s: %s", rows[i].name, reason);
        }
        const Coloan__V1__ApplicationView *after = look();
        assert_int_equal(after->status->state, before->status->state);
        for (size_t item = 0; item < after->n_items; item++) {
            bool income = after->items[item]->item == COLOAN__V1__ITEM__ITEM_INCOME;
            assert_true(!income || after->items[item]->outcome == COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_UNSPECIFIED);
        }
    }
    assert_string_equal(report(world_bank_report(arena, people_find(world.people, "P01"))), "OK");
}

int main(void)
{
    struct world_options options = {0};
    world_open(&world, &options);
    bool made = cl_is_ok(cl_arena_create(&arena, ARENA_BYTES));
    alpha = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_fund_has_ten_days),
        cmocka_unit_test(test_a_wrong_report_changes_nothing),
    };
    int failed = made ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    cl_session_free(alpha);
    cl_arena_free(arena);
    world_close(&world);
    return failed;
}
