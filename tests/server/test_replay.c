/* Decisions made again from their records: the same bytes, or words for where they part. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "libcoloan/dsse.h"
#include "server/cases/convert.h"
#include "tests/server/records.h"

#define ARENA_BYTES (4 * 1024 * 1024)
#define CASE_ID     "019357a0-0000-7000-8000-000000000001"

static struct rule_set rules;
static struct cl_arena *arena;

static const struct persona personas[] = {
    {.name = "approved",
     .persons = {{.id_number = "990101199603150019", .base_yuan = 18000, .balance_yuan = 62000}},
     .price_yuan = 1300000},
    {.name = "refused for months",
     .persons = {{.id_number = "990101199603150019", .base_yuan = 18000, .balance_yuan = 62000, .months = 5}},
     .price_yuan = 1300000},
    {.name = "a couple, ratios cut it",
     .persons = {{.id_number = "990101199603150019", .base_yuan = 6000, .balance_yuan = 62000},
                 {.id_number = "990101199603150027", .base_yuan = 5000, .balance_yuan = 30000}},
     .price_yuan = 3000000},
    {.name = "an older man's term",
     .persons = {{.id_number = "990101196806150031", .base_yuan = 30000, .balance_yuan = 80000}},
     .price_yuan = 1200000},
};

static void make(struct made_record *record, size_t index)
{
    struct world_case world;
    cl_arena_reset(arena);
    persona_case(&world, &personas[index], world_now_ms());
    record_make(record, arena, &world, &rules, world_now_ms(), CASE_ID);
}

/* Covers: COL-DEC-002 */
static void test_the_same_rules_give_the_same_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof personas / sizeof personas[0]; i++) {
        struct made_record record;
        struct replay_source source;
        struct replay replay;
        char difference[REPLAY_DIFFERENCE_BYTES_MAX] = "";
        make(&record, i);
        assert_true(cl_is_ok(replay_read(&source, arena, record.file)));
        assert_true(cl_is_ok(replay_decision(&replay, arena, &source, &rules)));
        if (!replay_same(&replay, arena, source.record, difference)) {
            fail_msg("%s: %s", personas[i].name, difference);
        }
    }
}

static void other_rules(struct made_record *record)
{
    (void)record;
    rules.balance_multiple = 4;
}

static void other_trace_digest(struct made_record *record)
{
    record->message.trace_digest.data[0] ^= 1;
}

static void other_verdict(struct made_record *record)
{
    record->message.verdict = COLOAN__V1__FUND_VERDICT__FUND_VERDICT_REJECT;
}

static void other_limit(struct made_record *record)
{
    convert_text(&record->message.binding_limit, "AMT-BAL");
}

static void other_reason(struct made_record *record)
{
    convert_text(&record->message.reasons[0]->code, "AMT-BAL");
}

static void other_moment(struct made_record *record)
{
    record->message.decided_ms += INT64_C(86400000);
}

static void other_result(struct made_record *record)
{
    record->message.results[0]->outcome = COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_FAIL;
    record->message.results[0]->failure = COLOAN__V1__FAILURE_KIND__FAILURE_KIND_MISMATCH;
}

static void no_terms(struct made_record *record)
{
    record->message.terms.len = 0;
}

static void test_each_difference_is_named(void **state)
{
    (void)state;
    static const struct {
        void (*change)(struct made_record *record);
        const char *names;
    } rows[] = {
        {other_rules, "fund."},
        {other_trace_digest, "trace_digest"},
        {other_verdict, "verdict"},
        {other_limit, "binding_limit"},
        {other_reason, "reason"},
        {other_moment, "steps["},
        {other_result, "identity.id_number"},
        {no_terms, "terms"},
    };
    const struct rule_set kept = rules;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct made_record record;
        struct replay replay;
        char difference[REPLAY_DIFFERENCE_BYTES_MAX] = "";
        make(&record, 0);
        rows[i].change(&record);
        assert_true(cl_is_ok(replay_decision(&replay, arena, &record.source, &rules)));
        assert_false(replay_same(&replay, arena, &record.message, difference));
        rules = kept;
        if (strstr(difference, rows[i].names) == NULL) {
            fail_msg("row %zu: \"%s\" does not name %s", i, difference, rows[i].names);
        }
    }
}

static void test_what_cannot_be_read_is_refused(void **state)
{
    (void)state;
    struct made_record record;
    struct replay_source source;
    struct replay replay;
    make(&record, 0);
    assert_int_equal(replay_read(&source, arena, cl_bytes(record.file.data, record.file.len / 2)).reason,
                     CL_WIRE_MALFORMED);
    record.source.disclosure_count = 0;
    assert_int_equal(replay_decision(&replay, arena, &record.source, &rules).reason, CL_DISCLOSURE_MISSING);
    make(&record, 0);
    record.message.application.len -= 1;
    assert_true(cl_failed(replay_decision(&replay, arena, &record.source, &rules)));
    make(&record, 0);
    record.message.n_results = CL_ITEM_RESULTS_MAX + 1;
    assert_int_equal(replay_decision(&replay, arena, &record.source, &rules).reason, CL_FIELD_INVALID);
}

static int setup(void **state)
{
    (void)state;
    world_rules(&rules);
    return cl_is_ok(cl_arena_create(&arena, ARENA_BYTES)) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    cl_arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_same_rules_give_the_same_bytes),
        cmocka_unit_test(test_each_difference_is_named),
        cmocka_unit_test(test_what_cannot_be_read_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
