/* What the register's and the authorities' answers do between filing and payment, answer by answer; and which answers
 * are asked for anew before the fund decides again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/cases/check.h"
#include "server/cases/deadline.h"
#include "server/cases/registry.h"
#include "server/cases/settle.h"
#include "server/source/source.h"
#include "tests/server/cases/kit.h"

#define BOTH_FEN (KIT_FUND_FEN + KIT_BANK_FEN)

static const struct kit_place filed = {CASE_REGISTERING, FUND_SIGNED, BANK_SIGNED, REGISTRY_FILED, {0}, 0};
static const struct kit_place asked_more = {CASE_REGISTRY_SUPPLEMENT, FUND_SIGNED, BANK_SIGNED,
                                            REGISTRY_SUPPLEMENT,      {0},         0};
static const struct kit_place registered = {
    CASE_CHECKING, FUND_SIGNED, BANK_SIGNED, REGISTRY_REGISTERED, {.total = 3, .open = 2}, 0};
static const struct kit_place deciding = {CASE_VERIFYING, FUND_PENDING, BANK_PENDING, REGISTRY_NOT_STARTED, {0}, 0};

/* -- A case with items ----------------------------------------------------------------------------------------- */

static void add_item(const char *id, enum item_phase phase, enum item item, enum item_owner owner)
{
    struct store_tx *tx = store_fixture_begin(kit.fixture);
    struct item_row row = {
        .application_id = id, .phase = (int)phase, .item = (int)item, .owner = (int)owner, .result = cl_bytes("", 0)};
    assert_int_equal(items_insert(tx, &row).reason, CL_OK);
    assert_int_equal(store_fixture_end(kit.fixture, cl_ok()).reason, CL_OK);
}

static struct item_row item_of(const char *id, enum item_phase phase, enum item item)
{
    struct item_rows rows;
    struct store_tx *tx = store_fixture_begin(kit.fixture);
    assert_int_equal(items_list(&rows, store_tx_sql(tx), kit.arena, id, (int)phase).reason, CL_OK);
    assert_int_equal(store_fixture_end(kit.fixture, cl_ok()).reason, CL_OK);
    for (size_t i = 0; i < rows.count; i++) {
        if (rows.rows[i].item == (int)item) {
            return rows.rows[i];
        }
    }
    return (struct item_row){.item = 0};
}

static long long count(const char *query)
{
    struct sql_statement *statement = NULL;
    bool row = false;
    struct store_tx *tx = store_fixture_begin(kit.fixture);
    assert_int_equal(sql_prepare(&statement, store_tx_sql(tx), query).reason, CL_OK);
    assert_int_equal(sql_step(&row, statement).reason, CL_OK);
    long long value = sql_column_i64(statement, 0);
    sql_finish(statement);
    assert_int_equal(store_fixture_end(kit.fixture, cl_ok()).reason, CL_OK);
    return value;
}

static void put(const char *id, enum item item, enum item_owner owner, int outcome, int64_t valid_until_ms)
{
    add_item(id, PHASE_DECISION, item, owner);
    Coloan__V1__VerificationResult result = COLOAN__V1__VERIFICATION_RESULT__INIT;
    struct item_row row = {.application_id = id,
                           .phase = PHASE_DECISION,
                           .item = (int)item,
                           .outcome = outcome,
                           .settled_ms = kit.now_ms,
                           .valid_until_ms = valid_until_ms};
    result.item = (Coloan__V1__Item)item;
    result.outcome = (Coloan__V1__ItemOutcome)outcome;
    assert_int_equal(cl_pack(&row.result, kit.arena, &result.base).reason, CL_OK);
    struct store_tx *tx = store_fixture_begin(kit.fixture);
    assert_int_equal(items_settle(tx, &row).reason, CL_OK);
    assert_int_equal(store_fixture_end(kit.fixture, cl_ok()).reason, CL_OK);
}

/* Checked again is what the decision rested on. */
static void add_check(const char *id)
{
    put(id, ITEM_LOAN_HISTORY, OWNER_FUND, ITEM_PASS, kit.now_ms + KIT_DAY_MS);
    add_item(id, PHASE_DISBURSEMENT, ITEM_LOAN_HISTORY, OWNER_FUND);
}

/* -- Answers --------------------------------------------------------------------------------------------------- */

struct said {
    enum source_outcome outcome;
    enum source_failure failure;
    struct {
        const char *name; /* NULL: no more */
        int64_t number;
        const char *text; /* NULL: none */
    } facts[SOURCE_FACTS_MAX];
};

static void answer(const char *id, enum item_phase phase, enum item item, const struct said *said)
{
    struct source_inquiry *inquiry = NULL;
    struct case_effect effect = {0};
    assert_int_equal(source_inquiry_create(&inquiry, 1).reason, CL_OK);
    assert_int_equal(source_text(inquiry->application_id, sizeof inquiry->application_id, id, strlen(id)).reason,
                     CL_OK);
    inquiry->person_count = 1;
    assert_int_equal(source_inquiry_add(inquiry, (enum source_item)item, 0, 0).reason, CL_OK);
    struct source_question *question = &inquiry->questions[0];
    question->phase = (int)phase;
    question->answer = (struct source_answer){.outcome = said->outcome,
                                              .failure = said->failure,
                                              .authority = "register",
                                              .receipt = "R-1",
                                              .observed_ms = kit.now_ms};
    for (size_t i = 0; i < SOURCE_FACTS_MAX && said->facts[i].name != NULL; i++) {
        struct source_fact *fact = &question->answer.facts[question->answer.fact_count++];
        fact->name = said->facts[i].name;
        fact->number = said->facts[i].number;
        (void)snprintf(fact->text, sizeof fact->text, "%s", said->facts[i].text == NULL ? "" : said->facts[i].text);
    }
    struct store_tx *tx = store_fixture_begin(kit.fixture);
    struct case_tx view = case_tx_of(&kit.cases, tx, kit.arena, &effect);
    struct cl_status status = case_take_answers(&view, inquiry);
    source_inquiry_free(inquiry);
    source_inquiry_free(effect.inquiry);
    assert_string_equal(cl_status_name(store_fixture_end(kit.fixture, status)), "OK");
}

#define STATE(state_)                                                                                                  \
    {                                                                                                                  \
        {                                                                                                              \
            "state", (state_), NULL                                                                                    \
        }                                                                                                              \
    }
#define DONE(match, amount)                                                                                            \
    {                                                                                                                  \
        {"state", REGISTRATION_DONE, NULL}, {"mortgagee_match", (match), NULL}, {"amount_fen", (amount), NULL},        \
            {"registered_on", 20261125, NULL},                                                                         \
        {                                                                                                              \
            "certificate_no", 0, "C-1"                                                                                 \
        }                                                                                                              \
    }

static const struct {
    const char *name;
    const struct kit_place *place;
    struct said said;
    enum registry_track then;
    enum item_outcome item;
    unsigned events;
} rows[] = {
    {"pending", &filed, {SOURCE_PASS, 0, STATE(REGISTRATION_PENDING)}, REGISTRY_FILED, ITEM_OPEN, 0},
    {"wants more", &filed, {SOURCE_PASS, 0, STATE(REGISTRATION_NEED_MORE_MATERIAL)}, REGISTRY_SUPPLEMENT, ITEM_OPEN, 1},
    {"still wants it",
     &asked_more,
     {SOURCE_PASS, 0, STATE(REGISTRATION_NEED_MORE_MATERIAL)},
     REGISTRY_SUPPLEMENT,
     ITEM_OPEN,
     0},
    {"goes on", &asked_more, {SOURCE_PASS, 0, STATE(REGISTRATION_PENDING)}, REGISTRY_FILED, ITEM_OPEN, 1},
    {"sent back", &filed, {SOURCE_PASS, 0, STATE(REGISTRATION_REJECTED)}, REGISTRY_REJECTED, ITEM_PASS, 1},
    {"taken back", &asked_more, {SOURCE_PASS, 0, STATE(REGISTRATION_CANCELLED)}, REGISTRY_REJECTED, ITEM_PASS, 1},
    {"done", &filed, {SOURCE_PASS, 0, DONE(1, BOTH_FEN)}, REGISTRY_REGISTERED, ITEM_PASS, 1},
    {"done after more", &asked_more, {SOURCE_PASS, 0, DONE(1, BOTH_FEN)}, REGISTRY_REGISTERED, ITEM_PASS, 1},
    {"a fen less", &filed, {SOURCE_PASS, 0, DONE(1, BOTH_FEN - 1)}, REGISTRY_HELD, ITEM_MANUAL, 1},
    {"a fen more", &filed, {SOURCE_PASS, 0, DONE(1, BOTH_FEN + 1)}, REGISTRY_HELD, ITEM_MANUAL, 1},
    {"one part only", &filed, {SOURCE_PASS, 0, DONE(1, KIT_FUND_FEN)}, REGISTRY_HELD, ITEM_MANUAL, 1},
    {"other mortgagees", &asked_more, {SOURCE_PASS, 0, DONE(0, BOTH_FEN)}, REGISTRY_HELD, ITEM_MANUAL, 1},
    {"done, without an entry", &filed, {SOURCE_PASS, 0, STATE(REGISTRATION_DONE)}, REGISTRY_HELD, ITEM_MANUAL, 1},
    {"no such number", &filed, {SOURCE_FAIL, SOURCE_NO_RECORD, {{NULL, 0, NULL}}}, REGISTRY_FILED, ITEM_OPEN, 0},
    {"no answer", &filed, {SOURCE_MANUAL, SOURCE_UNREACHABLE, {{NULL, 0, NULL}}}, REGISTRY_FILED, ITEM_OPEN, 0},
    {"nonsense", &filed, {SOURCE_PASS, 0, STATE(9)}, REGISTRY_FILED, ITEM_OPEN, 0},
    {"closed", &filed, {SOURCE_OPEN, 0, {{NULL, 0, NULL}}}, REGISTRY_FILED, ITEM_OPEN, 0},
};

static void the_register_moves_the_case(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *id = kit_stand(i + 1, rows[i].place);
        add_item(id, PHASE_REGISTRATION, ITEM_REGISTRATION, OWNER_FUND);
        long long events = count("SELECT count(*) FROM outbox WHERE kind = 1");
        answer(id, PHASE_REGISTRATION, ITEM_REGISTRATION, &rows[i].said);
        struct application_row row = kit_row(id);
        struct item_row item = item_of(id, PHASE_REGISTRATION, ITEM_REGISTRATION);
        if (row.registry != (int)rows[i].then || item.outcome != (int)rows[i].item) {
            fail_msg("%s: %s, item %d", rows[i].name, lifecycle_track_name(TRACK_REGISTRY, row.registry), item.outcome);
        }
        assert_int_equal(count("SELECT count(*) FROM outbox WHERE kind = 1"), events + rows[i].events);
        bool polled = row.registry == REGISTRY_FILED || row.registry == REGISTRY_SUPPLEMENT;
        assert_true(rows[i].events == 0 || (kit_due(id, DUE_POLL) != 0) == polled);
    }
}

/* Registered: the checks are open, and none of the answers is another case's. */
static void checks_begin_with_the_entry(void **state)
{
    (void)state;
    const char *id = kit_stand(1, &filed);
    add_item(id, PHASE_REGISTRATION, ITEM_REGISTRATION, OWNER_FUND);
    put(id, ITEM_LOAN_HISTORY, OWNER_FUND, ITEM_PASS, kit.now_ms + KIT_DAY_MS);
    const struct said done = {SOURCE_PASS, 0, DONE(1, BOTH_FEN)};
    answer(id, PHASE_REGISTRATION, ITEM_REGISTRATION, &done);
    struct application_row row = kit_row(id);
    assert_int_equal(row.checks_total, 1 + count("SELECT count(*) FROM items WHERE phase = 2"));
    assert_true(row.checks_total > 2);
    /* The couple gave no consent: what nobody may ask about is a person's, at once. */
    assert_true(row.checks_bad > 0);
    assert_int_equal(row.state, CASE_HELD);
    answer(id, PHASE_REGISTRATION, ITEM_REGISTRATION, &done); /* told twice */
    assert_int_equal(kit_row(id).registry, REGISTRY_REGISTERED);
}

static const struct said free_of_loans = {SOURCE_PASS, 0, {{"loans_used", 0, NULL}, {"loans_open", 0, NULL}}};
static const struct said new_loan = {SOURCE_PASS, 0, {{"loans_used", 1, NULL}, {"loans_open", 1, NULL}}};
static const struct said mismatch = {SOURCE_FAIL, SOURCE_MISMATCH, {{NULL, 0, NULL}}};
static const struct said unreachable = {SOURCE_MANUAL, SOURCE_UNREACHABLE, {{NULL, 0, NULL}}};
static const struct said not_its_fact = {SOURCE_PASS, 0, {{"status", 0, NULL}}};

static void each_check_counts(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const struct said *said;
        uint32_t open, bad;
        enum case_state state;
    } checks[] = {
        {"passed", &free_of_loans, 0, 0, CASE_READY},
        {"a loan since", &new_loan, 0, 1, CASE_HELD},
        {"no", &mismatch, 0, 1, CASE_HELD},
        {"no answer", &unreachable, 0, 1, CASE_HELD},
        {"not an answer", &not_its_fact, 0, 1, CASE_HELD},
    };
    for (unsigned i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        const char *id = kit_stand(i + 1, &registered);
        add_check(id);
        answer(id, PHASE_DISBURSEMENT, ITEM_LOAN_HISTORY, checks[i].said);
        struct application_row row = kit_row(id);
        if (row.state != (int)checks[i].state || row.checks_total != 2 || row.checks_open != checks[i].open ||
            row.checks_bad != checks[i].bad) {
            fail_msg("%s: %s, %u open, %u bad", checks[i].name, lifecycle_state_name((enum case_state)row.state),
                     row.checks_open, row.checks_bad);
        }
        assert_int_equal(kit_due(id, DUE_RENEWAL) != 0, checks[i].state == CASE_READY);
    }
}

static enum cl_reason run_due(const char *id, enum due_kind kind)
{
    struct case_effect effect = {0};
    struct store_tx *tx = store_fixture_begin(kit.fixture);
    struct case_tx view = case_tx_of(&kit.cases, tx, kit.arena, &effect);
    struct cl_status status = case_run_due(&view, id, (int)kind);
    source_inquiry_free(effect.inquiry);
    return store_fixture_end(kit.fixture, status).reason;
}

static void what_has_run_out_holds_the_payment(void **state)
{
    (void)state;
    const char *id = kit_stand(1, &registered);
    add_check(id);
    answer(id, PHASE_DISBURSEMENT, ITEM_LOAN_HISTORY, &free_of_loans);
    int64_t until_ms = kit_due(id, DUE_RENEWAL) - 1;
    assert_int_equal(until_ms, item_of(id, PHASE_DISBURSEMENT, ITEM_LOAN_HISTORY).valid_until_ms);
    kit.now_ms = until_ms;
    assert_int_equal(run_due(id, DUE_RENEWAL), CL_OK); /* not yet */
    assert_int_equal(kit_row(id).state, CASE_READY);
    kit.now_ms = until_ms + 1;
    assert_int_equal(run_due(id, DUE_RENEWAL), CL_OK);
    assert_int_not_equal(kit_row(id).state, CASE_READY);
    assert_int_equal(run_due(id, DUE_RENEWAL), CL_OK); /* once */
}

/* A pre-sale home whose completion is not filed yet, under rules that hold no part, one or both. */
static void completion_is_awaited_as_the_rules_say(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum bank_track bank;
        int32_t hold_from;
        bool hold_fund;
        enum case_state state;
    } holds[] = {
        {"both held", BANK_SIGNED, 20200101, true, CASE_AWAITING_COMPLETION},
        {"the bank's held, and the fund's with it", BANK_SIGNED, 20200101, false, CASE_AWAITING_COMPLETION},
        {"the fund's alone held", BANK_NOT_NEEDED, 20200101, true, CASE_AWAITING_COMPLETION},
        {"the fund's alone not held", BANK_NOT_NEEDED, 20200101, false, CASE_READY},
        {"accepted before", BANK_SIGNED, 20990101, true, CASE_READY},
        {"never", BANK_SIGNED, 0, false, CASE_READY},
    };
    static const struct said not_filed = {SOURCE_PASS, 0, {{"filed_on", 0, NULL}}};
    static const struct said is_filed = {SOURCE_PASS, 0, {{"filed_on", 20261120, NULL}}};
    for (unsigned i = 0; i < sizeof holds / sizeof holds[0]; i++) {
        struct kit_place place = registered;
        place.bank = holds[i].bank;
        kit.presale = true;
        kit.rules.presale_hold_from = holds[i].hold_from;
        kit.rules.presale_hold_fund = holds[i].hold_fund;
        const char *id = kit_stand(i + 1, &place);
        add_item(id, PHASE_DISBURSEMENT, ITEM_COMPLETION_FILING, OWNER_FUND);
        answer(id, PHASE_DISBURSEMENT, ITEM_COMPLETION_FILING, &not_filed);
        if (kit_row(id).state != (int)holds[i].state) {
            fail_msg("%s: %s", holds[i].name, lifecycle_state_name((enum case_state)kit_row(id).state));
        }
        int64_t due_ms = kit_due(id, DUE_COMPLETION);
        assert_int_equal(due_ms != 0, holds[i].state == CASE_AWAITING_COMPLETION);
        if (due_ms == 0) {
            continue;
        }
        int64_t before_ms = kit.now_ms;
        kit.now_ms = due_ms;
        assert_int_equal(run_due(id, DUE_COMPLETION), CL_OK);
        assert_int_equal(kit_row(id).state, CASE_AWAITING_COMPLETION);
        assert_true(kit_due(id, DUE_COMPLETION) > due_ms); /* and tomorrow again */
        answer(id, PHASE_DISBURSEMENT, ITEM_COMPLETION_FILING, &is_filed);
        assert_int_equal(kit_row(id).state, CASE_READY);
        assert_int_equal(kit_due(id, DUE_COMPLETION), 0);
        kit.now_ms = before_ms;
    }
}

/* Of a case that has gone on without it an answer is kept and moves nothing. */
static void a_late_answer_moves_nothing(void **state)
{
    (void)state;
    static const struct kit_place paid = {CASE_HALF_DISBURSED, FUND_DISBURSED, BANK_SIGNED,
                                          REGISTRY_REGISTERED, {.total = 2},   0};
    const char *id = kit_stand(1, &paid);
    add_check(id);
    struct application_row before = kit_row(id);
    answer(id, PHASE_DISBURSEMENT, ITEM_LOAN_HISTORY, &new_loan);
    struct application_row after = kit_row(id);
    assert_int_equal(after.state, before.state);
    assert_int_equal(after.checks_bad, 0);
    assert_int_equal(after.changed_ms, before.changed_ms);
    assert_int_not_equal(item_of(id, PHASE_DISBURSEMENT, ITEM_LOAN_HISTORY).outcome, ITEM_OPEN);
}

/* -- Deciding anew --------------------------------------------------------------------------------------------- */

static struct cl_status refresh(void *id, struct store_tx *tx)
{
    struct case_effect effect = {0};
    struct case_tx view = case_tx_of(&kit.cases, tx, kit.arena, &effect);
    struct case_file *file = NULL;
    struct cl_status status = file_open(&file, &view, id, NULL);
    if (cl_is_ok(status)) {
        status = file_load_facts(file, &view);
    }
    return cl_is_ok(status) ? settle_refresh(file, &view) : status;
}

static void answers_that_have_run_out_are_asked_for_anew(void **state)
{
    (void)state;
    const char *id = kit_stand(1, &deciding);
    put(id, ITEM_IDENTITY, OWNER_FUND, ITEM_PASS, kit.now_ms);         /* to the last moment */
    put(id, ITEM_LOAN_HISTORY, OWNER_FUND, ITEM_PASS, kit.now_ms - 1); /* just not */
    put(id, ITEM_FRAUD_LIST, OWNER_FUND, ITEM_MANUAL, kit.now_ms - 1); /* nobody answered then */
    put(id, ITEM_INCOME, OWNER_BANK, ITEM_PASS, kit.now_ms - 1);       /* the bank's own to report anew */
    put(id, ITEM_CONSENT, OWNER_LOCAL, ITEM_PASS, kit.now_ms - 1);     /* ours: settled with the consents */
    struct store_tx *tx = store_fixture_begin(kit.fixture);
    assert_string_equal(cl_status_name(store_fixture_end(kit.fixture, refresh((void *)(uintptr_t)id, tx))), "OK");
    assert_int_equal(item_of(id, PHASE_DECISION, ITEM_IDENTITY).outcome, ITEM_PASS);
    assert_int_equal(item_of(id, PHASE_DECISION, ITEM_LOAN_HISTORY).outcome, ITEM_OPEN);
    assert_int_equal(item_of(id, PHASE_DECISION, ITEM_FRAUD_LIST).outcome, ITEM_OPEN);
    assert_int_equal(item_of(id, PHASE_DECISION, ITEM_INCOME).outcome, ITEM_PASS);
    assert_int_equal(item_of(id, PHASE_DECISION, ITEM_CONSENT).outcome, ITEM_PASS);
}

int main(void)
{
    if (kit_open() != 0) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_register_moves_the_case, kit_set_up, kit_tear_down),
        cmocka_unit_test_setup_teardown(checks_begin_with_the_entry, kit_set_up, kit_tear_down),
        cmocka_unit_test_setup_teardown(each_check_counts, kit_set_up, kit_tear_down),
        cmocka_unit_test_setup_teardown(what_has_run_out_holds_the_payment, kit_set_up, kit_tear_down),
        cmocka_unit_test_setup_teardown(completion_is_awaited_as_the_rules_say, kit_set_up, kit_tear_down),
        cmocka_unit_test_setup_teardown(a_late_answer_moves_nothing, kit_set_up, kit_tear_down),
        cmocka_unit_test_setup_teardown(answers_that_have_run_out_are_asked_for_anew, kit_set_up, kit_tear_down),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kit_close();
    return failed;
}
