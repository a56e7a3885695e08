/* A whole life with a whole server, the simulated register and a clock that is moved: approval, contracts, registration,
 * checks, payment of both legs, repayment, settlement. And where it does not run smoothly: an entry that differs, a
 * register that never answers, a home that is not built yet, checks that run out, restarts in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <coloan/v1/review.pb-c.h>

#include "server/cases/deadline.h"
#include "tests/e2e/journey.h"

#define STATE(name) COLOAN__V1__CASE_STATE__CASE_STATE_##name
#define KIND(name)  COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_##name
#define FUND        COLOAN__V1__LEG__LEG_FUND
#define BANK        COLOAN__V1__LEG__LEG_COMMERCIAL
#define NO_LEG      COLOAN__V1__LEG__LEG_UNSPECIFIED

static struct world world;
static struct journey journey;

/* Moves the clock to the next time of asking; the answer is taken when it returns. */
static void poll_once(void)
{
    long long polls = journey_metric(&journey, "coloan_polls_total");
    journey_to_due(&journey, DUE_POLL);
    for (int tries = 0; tries < 400 && journey_metric(&journey, "coloan_polls_total") == polls; tries++) {
        journey_tick(&journey);
    }
    assert_int_equal(journey_metric(&journey, "coloan_polls_total"), polls + 1);
    for (int tries = 0; tries < 5; tries++) {
        journey_tick(&journey);
    }
}

/* Up to the payment: the register says so at the third time of asking. */
static void register_it(Coloan__V1__CaseState then)
{
    journey_sign(&journey);
    assert_int_equal(journey_state(&journey), STATE(SIGNED));
    journey_file(&journey);
    for (int poll = 0; poll < 3; poll++) {
        assert_int_equal(journey_state(&journey), STATE(REGISTERING));
        poll_once();
    }
    journey_until(&journey, then);
}

static void approve(const char *persona, const char *external_ref)
{
    journey_to_approval(&journey, persona, external_ref);
    journey_confirm(&journey);
    assert_int_equal(journey_state(&journey), STATE(CONFIRMED));
}

static void repay(Coloan__V1__Leg leg, int64_t amount_fen, int64_t left_fen)
{
    Coloan__V1__Milestone *milestone = journey_milestone(&journey, KIND(REPAID), leg);
    milestone->amount_fen = amount_fen;
    milestone->balance_fen = left_fen;
    assert_string_equal(cl_status_name(journey_try_tell(&journey, milestone)), "OK");
}

static void settle(Coloan__V1__Leg leg, int64_t rest_fen)
{
    Coloan__V1__Milestone *milestone = journey_milestone(&journey, KIND(SETTLED), leg);
    milestone->amount_fen = rest_fen;
    assert_string_equal(cl_status_name(journey_try_tell(&journey, milestone)), "OK");
}

/* The timeline's commands, in order, without the checks, of which there are as many as there are batches of answers. */
static void assert_timeline(const char *const *commands, size_t count)
{
    const Coloan__V1__ApplicationView *view = journey_view(&journey);
    size_t next = 0;
    for (size_t i = 0; i < view->n_timeline; i++) {
        const Coloan__V1__TimelineEntry *entry = view->timeline[i];
        if (strcmp(entry->command, "CHECK") == 0) {
            continue;
        }
        assert_true(next < count);
        assert_string_equal(entry->command, commands[next++]);
        assert_true(strlen(entry->sentence_en) > 0 && strlen(entry->sentence_zh) > 0);
    }
    assert_int_equal(next, count);
}

/* Covers: COL-MIL-001, COL-MIL-009, COL-LIF-003 */
static void test_a_whole_life(void **state)
{
    (void)state;
    static const char *const commands[] = {
        "SUBMIT",     "FUND_APPROVE", "BANK_APPROVE", "CONFIRM",       "SIGN_FUND",
        "SIGN_BANK",  "FILE",         "REGISTER",     "DISBURSE_FUND", "DISBURSE_BANK",
        "REPAY_FUND", "OVERDUE_BANK", "SETTLE_FUND",  "SETTLE_BANK",   "RELEASE_MORTGAGE"};
    approve("P01", "L-WHOLE");
    int64_t filed_ms = world_now_ms(&world);
    register_it(STATE(READY));
    assert_true(world_now_ms(&world) - filed_ms < JOURNEY_DAY_MS); /* on the day the register does it */
    int64_t fund_fen = journey_terms(&journey)->fund->amount_fen;
    int64_t bank_fen = journey_terms(&journey)->commercial->amount_fen;

    journey_tell(&journey, KIND(DISBURSED), FUND);
    assert_int_equal(journey_state(&journey), STATE(HALF_DISBURSED));
    journey_stays(&journey, STATE(HALF_DISBURSED));
    assert_int_equal(journey_metric(&journey, "coloan_half_disbursed_total"), 1);
    assert_int_equal(journey_metric(&journey, "coloan_cases{state=\"HALF_DISBURSED\"}"), 1);
    journey_to_due(&journey, DUE_HALF_PAID); /* at the end of the day */
    journey_stays(&journey, STATE(HALF_DISBURSED));
    assert_int_equal(journey_metric(&journey, "coloan_half_disbursed_total"), 2);
    assert_true(journey_count(&journey, "SELECT count(*) FROM open_persons") > 0);
    journey_tell(&journey, KIND(DISBURSED), BANK);
    assert_int_equal(journey_state(&journey), STATE(REPAYING));
    assert_int_equal(journey_count(&journey, "SELECT count(*) FROM open_persons"), 0); /* the loan is on record now */

    journey_wait_ms(&journey, 30 * JOURNEY_DAY_MS);
    repay(FUND, 120000, fund_fen - 120000);
    Coloan__V1__Milestone *overdue = journey_milestone(&journey, KIND(OVERDUE), BANK);
    overdue->amount_fen = 90000;
    assert_string_equal(cl_status_name(journey_try_tell(&journey, overdue)), "OK");
    settle(FUND, fund_fen - 120000);
    assert_int_equal(journey_state(&journey), STATE(REPAYING));
    settle(BANK, bank_fen);
    assert_int_equal(journey_state(&journey), STATE(SETTLED));
    journey_tell(&journey, KIND(MORTGAGE_RELEASED), NO_LEG);
    const Coloan__V1__ApplicationView *view = journey_view(&journey);
    assert_int_equal(view->status->next_actor, COLOAN__V1__ACTOR__ACTOR_NOBODY);
    assert_int_equal(view->n_milestones, 10);
    assert_int_equal(view->milestones[3]->kind, KIND(DISBURSED));
    assert_int_equal(view->milestones[3]->account.len, CL_DIGEST_BYTES);
    assert_timeline(commands, sizeof commands / sizeof commands[0]);
    assert_int_equal(journey_count(&journey, "SELECT count(*) FROM due"), 0);
}

static const Coloan__V1__TaskList *open_tasks(struct cl_session *officer, Coloan__V1__TaskKind kind)
{
    Coloan__V1__TaskListQuery query = COLOAN__V1__TASK_LIST_QUERY__INIT;
    struct cl_answer answer;
    query.kind = kind;
    struct cl_session_call what = {
        .method = "coloan.v1.Review/ListTasks", .body = &query.base, .reply_type = &coloan__v1__task_list__descriptor};
    struct cl_status status =
        cl_session_call(&answer, officer, journey.arena, &what, (struct cl_patience){.total_ms = 10000});
    assert_string_equal(cl_status_name(status), "OK");
    return (const Coloan__V1__TaskList *)answer.body;
}

static const char *answer_of(struct cl_session *session, const char *method, const ProtobufCMessage *body,
                             const ProtobufCMessageDescriptor *reply_type)
{
    struct cl_answer answer;
    struct cl_session_call what = {
        .method = method, .body = body, .reply_type = reply_type, .application_id = journey.id};
    return cl_status_name(
        cl_session_call(&answer, session, journey.arena, &what, (struct cl_patience){.total_ms = 10000}));
}

static const char *claim_task(struct cl_session *officer, char *task_id)
{
    Coloan__V1__TaskClaim claim = COLOAN__V1__TASK_CLAIM__INIT;
    claim.task_id = task_id;
    return answer_of(officer, "coloan.v1.Review/ClaimTask", &claim.base, &coloan__v1__task__descriptor);
}

static const char *settle_task(struct cl_session *officer, const char *task_id, int64_t amount_fen)
{
    struct {
        const char *name, *text;
        int64_t number;
    } given[] = {{"state", "", REGISTRATION_DONE},
                 {"mortgagee_match", "", 1},
                 {"amount_fen", "", amount_fen},
                 {"registered_on", "", 20261130},
                 {"certificate_no", "TEST-CERT-1", 0}};
    enum { GIVEN = sizeof given / sizeof given[0] };
    Coloan__V1__Fact facts[GIVEN];
    Coloan__V1__Fact *list[GIVEN];
    Coloan__V1__Finding finding = COLOAN__V1__FINDING__INIT;
    Coloan__V1__ItemSettlement body = COLOAN__V1__ITEM_SETTLEMENT__INIT;
    for (size_t i = 0; i < GIVEN; i++) {
        coloan__v1__fact__init(&facts[i]);
        facts[i].name = cl_arena_text(journey.arena, given[i].name);
        facts[i].text = cl_arena_text(journey.arena, given[i].text);
        facts[i].number = given[i].number;
        list[i] = &facts[i];
    }
    finding.outcome = COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_PASS;
    finding.facts = list;
    finding.n_facts = GIVEN;
    finding.note = cl_arena_text(journey.arena, "SRC-LETTER");
    body.task_id = cl_arena_text(journey.arena, task_id);
    body.finding = &finding;
    return answer_of(officer, "coloan.v1.Review/SettleItem", &body.base, &coloan__v1__application_status__descriptor);
}

/* The register corrected its entry, says a letter: registered as contracted, and what matters is checked. */
static void settle_registration(void)
{
    struct cl_session *officer = world_session(&world, "officer", WORLD_KEY_OFFICER);
    const Coloan__V1__TaskList *tasks = open_tasks(officer, COLOAN__V1__TASK_KIND__TASK_KIND_REGISTRATION);
    assert_int_equal(tasks->n_tasks, 1);
    char task_id[64]; /* each step of the journey begins its arena anew */
    (void)snprintf(task_id, sizeof task_id, "%s", tasks->tasks[0]->task_id);
    assert_string_equal(tasks->tasks[0]->application_id, journey.id);
    assert_int_equal(tasks->tasks[0]->item, COLOAN__V1__ITEM__ITEM_REGISTRATION);
    assert_string_equal(claim_task(officer, task_id), "OK");
    const Coloan__V1__OfferTerms *terms = journey_terms(&journey);
    int64_t lent_fen = terms->fund->amount_fen + terms->commercial->amount_fen;
    assert_string_equal(settle_task(officer, task_id, lent_fen - 100), "FIELD_INVALID"); /* what the register has */
    assert_int_equal(journey_state(&journey), STATE(HELD));
    assert_string_equal(settle_task(officer, task_id, lent_fen), "OK");
    journey_until(&journey, STATE(READY));
    assert_int_equal(open_tasks(officer, COLOAN__V1__TASK_KIND__TASK_KIND_REGISTRATION)->n_tasks, 0);
    assert_int_equal(journey_steps(&journey, "REGISTER"), 1);
    journey_tell(&journey, KIND(DISBURSED), FUND);
    assert_int_equal(open_tasks(officer, COLOAN__V1__TASK_KIND__TASK_KIND_HALF_DISBURSED)->n_tasks, 1);
    journey_tell(&journey, KIND(DISBURSED), BANK);
    assert_int_equal(open_tasks(officer, COLOAN__V1__TASK_KIND__TASK_KIND_HALF_DISBURSED)->n_tasks, 0);
    cl_session_free(officer);
}

/* Covers: COL-REG-002 */
static void test_an_entry_that_differs_is_held(void **state)
{
    (void)state;
    approve("P02", "L-DIFFERS");
    journey_sign(&journey);
    Coloan__V1__Milestone *filing = journey_milestone(&journey, KIND(REGISTRATION_FILED), NO_LEG);
    filing->reference = cl_arena_text(journey.arena, "REG-100-TEST-P02"); /* one yuan */
    assert_string_equal(cl_status_name(journey_try_tell(&journey, filing)), "OK");
    for (int poll = 0; poll < 3; poll++) {
        poll_once();
    }
    journey_until(&journey, STATE(HELD));
    const Coloan__V1__ApplicationStatus *status = journey_view(&journey)->status;
    assert_int_equal(status->registry, COLOAN__V1__REGISTRY_TRACK__REGISTRY_TRACK_HELD);
    assert_int_equal(status->next_actor, COLOAN__V1__ACTOR__ACTOR_OFFICER);
    assert_int_equal(journey_count(&journey, "SELECT count(*) FROM due WHERE kind = 5"), 0);
    Coloan__V1__Milestone *payment = journey_milestone(&journey, KIND(DISBURSED), FUND);
    assert_string_equal(cl_status_name(journey_try_tell(&journey, payment)), "STATE_CONFLICT");
    settle_registration();
}

/* A person took the consent back after signing: nobody may be asked again, so an officer has to see to each check. */
static void bar_checks(const char *persona, const char *external_ref)
{
    char consent_id[64];
    approve(persona, external_ref);
    journey_sign(&journey);
    Coloan__V1__ConsentWithdrawal withdrawal = COLOAN__V1__CONSENT_WITHDRAWAL__INIT;
    (void)snprintf(consent_id, sizeof consent_id, "%s-0-0", external_ref);
    withdrawal.consent_id = consent_id;
    assert_string_equal(answer_of(journey.bank, "coloan.v1.JointApproval/WithdrawConsent", &withdrawal.base,
                                  &coloan__v1__application_status__descriptor),
                        "OK");
    journey_file(&journey);
    for (int poll = 0; poll < 3; poll++) {
        poll_once();
    }
    journey_until(&journey, STATE(HELD));
}

static const char *settle_check(struct cl_session *officer, char *task_id, Coloan__V1__Finding *finding)
{
    Coloan__V1__ItemSettlement body = COLOAN__V1__ITEM_SETTLEMENT__INIT;
    finding->note = cl_arena_text(journey.arena, "SRC-DESK");
    body.task_id = task_id;
    body.finding = finding;
    return answer_of(officer, "coloan.v1.Review/SettleItem", &body.base, &coloan__v1__application_status__descriptor);
}

static void test_a_check_that_does_not_hold_stops_the_payment(void **state)
{
    (void)state;
    bar_checks("P07", "L-BARRED");
    struct cl_session *officer = world_session(&world, "officer", WORLD_KEY_OFFICER);
    const Coloan__V1__TaskList *tasks = open_tasks(officer, COLOAN__V1__TASK_KIND__TASK_KIND_CHECK);
    size_t count = tasks->n_tasks;
    assert_true(count > 0);
    assert_int_equal(tasks->tasks[0]->failure, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_NOT_AUTHORISED);
    char task_id[64];
    (void)snprintf(task_id, sizeof task_id, "%s", tasks->tasks[0]->task_id);
    assert_string_equal(claim_task(officer, task_id), "OK");
    Coloan__V1__Finding finding = COLOAN__V1__FINDING__INIT;
    finding.outcome = COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_FAIL;
    finding.failure = COLOAN__V1__FAILURE_KIND__FAILURE_KIND_MISMATCH;
    assert_string_equal(settle_check(officer, task_id, &finding), "OK");
    assert_int_equal(open_tasks(officer, COLOAN__V1__TASK_KIND__TASK_KIND_CHECK)->n_tasks, count - 1);
    journey_stays(&journey, STATE(HELD)); /* looked at, and it does not hold: no payment */
    cl_session_free(officer);
}

/* What is still as it was at the decision, item by item. */
static const struct {
    Coloan__V1__Item item;
    const char *name;
    int64_t number;
} unchanged[] = {
    {COLOAN__V1__ITEM__ITEM_MARRIAGE, "status", COLOAN__V1__MARITAL_STATUS__MARITAL_STATUS_SINGLE},
    {COLOAN__V1__ITEM__ITEM_CONTRIBUTION, "months", 60},
    {COLOAN__V1__ITEM__ITEM_CONTRIBUTION, "base_fen", 1800000},
    {COLOAN__V1__ITEM__ITEM_CONTRIBUTION, "balance_fen", 6200000},
    {COLOAN__V1__ITEM__ITEM_CONTRIBUTION, "sealed", 0},
    {COLOAN__V1__ITEM__ITEM_LOAN_HISTORY, "loans_used", 0},
    {COLOAN__V1__ITEM__ITEM_LOAN_HISTORY, "loans_open", 0},
    {COLOAN__V1__ITEM__ITEM_CREDIT_FUND, "overdue_now", 0},
    {COLOAN__V1__ITEM__ITEM_CREDIT_FUND, "overdue_consecutive", 0},
    {COLOAN__V1__ITEM__ITEM_CREDIT_FUND, "overdue_total", 0},
    {COLOAN__V1__ITEM__ITEM_CREDIT_FUND, "debts_fen", 0},
    {COLOAN__V1__ITEM__ITEM_CREDIT_FUND, "mortgages_open", 0},
    {COLOAN__V1__ITEM__ITEM_DOWN_PAYMENT, "paid_fen", 26000000},
};

static void pass_check(struct cl_session *officer, const Coloan__V1__Task *task)
{
    enum { UNCHANGED = sizeof unchanged / sizeof unchanged[0] };
    Coloan__V1__Fact facts[UNCHANGED];
    Coloan__V1__Fact *list[UNCHANGED];
    Coloan__V1__Finding finding = COLOAN__V1__FINDING__INIT;
    char task_id[64];
    (void)snprintf(task_id, sizeof task_id, "%s", task->task_id);
    finding.outcome = COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_PASS;
    finding.facts = list;
    for (size_t i = 0; i < UNCHANGED; i++) {
        if (unchanged[i].item == task->item) {
            coloan__v1__fact__init(&facts[finding.n_facts]);
            facts[finding.n_facts].name = cl_arena_text(journey.arena, unchanged[i].name);
            facts[finding.n_facts].number = unchanged[i].number;
            list[finding.n_facts] = &facts[finding.n_facts];
            finding.n_facts++;
        }
    }
    assert_string_equal(claim_task(officer, task_id), "OK");
    assert_string_equal(settle_check(officer, task_id, &finding), "OK");
}

/* Each was looked at and holds: the payment may go on, though no machine asked. */
static void test_checks_that_an_officer_passes_let_the_payment_go_on(void **state)
{
    (void)state;
    bar_checks("E02", "L-PASSED");
    struct cl_session *officer = world_session(&world, "officer", WORLD_KEY_OFFICER);
    size_t left = open_tasks(officer, COLOAN__V1__TASK_KIND__TASK_KIND_CHECK)->n_tasks;
    size_t before = left;
    for (; left > 0; left--) {
        const Coloan__V1__TaskList *tasks = open_tasks(officer, COLOAN__V1__TASK_KIND__TASK_KIND_CHECK);
        const Coloan__V1__Task *ours = NULL;
        for (size_t i = 0; i < tasks->n_tasks && ours == NULL; i++) {
            ours = strcmp(tasks->tasks[i]->application_id, journey.id) == 0 ? tasks->tasks[i] : NULL;
        }
        if (ours == NULL) {
            break;
        }
        pass_check(officer, ours);
    }
    assert_true(left < before);
    journey_until(&journey, STATE(READY));
    journey_tell(&journey, KIND(DISBURSED), FUND);
    journey_tell(&journey, KIND(DISBURSED), BANK);
    assert_int_equal(journey_state(&journey), STATE(REPAYING));
    cl_session_free(officer);
}

/* Covers: COL-REG-001, COL-REG-002 */
static void test_a_register_that_never_answers_is_given_up(void **state)
{
    (void)state;
    approve("P03", "L-NEVER");
    journey_sign(&journey);
    journey_tell(&journey, KIND(REGISTRATION_FILED), NO_LEG); /* a number the register does not know */
    poll_once();
    journey_stays(&journey, STATE(REGISTERING));
    journey_restart(&journey, 29 * JOURNEY_DAY_MS);
    journey_stays(&journey, STATE(REGISTERING));
    journey_restart(&journey, 2 * JOURNEY_DAY_MS);
    journey_until(&journey, STATE(HELD));
    assert_int_equal(journey_steps(&journey, "REGISTRY_HOLD"), 1);
}

/* Covers: COL-PAY-002 */
static void test_what_is_not_built_waits_for_its_completion(void **state)
{
    (void)state;
    journey.presale = true;
    approve("P11", "L-PRESALE");
    register_it(STATE(AWAITING_COMPLETION));
    journey_stays(&journey, STATE(AWAITING_COMPLETION));
    assert_int_equal(journey_view(&journey)->status->next_actor, COLOAN__V1__ACTOR__ACTOR_AUTHORITY);
    Coloan__V1__Milestone *payment = journey_milestone(&journey, KIND(DISBURSED), BANK);
    assert_string_equal(cl_status_name(journey_try_tell(&journey, payment)), "STATE_CONFLICT");
    journey_to_due(&journey, DUE_COMPLETION);
    journey_until(&journey, STATE(READY));
    payment = journey_milestone(&journey, KIND(DISBURSED), FUND);
    assert_string_equal(cl_status_name(journey_try_tell(&journey, payment)), "FIELD_INVALID");
    assert_string_equal(journey.field, "account"); /* not the supervised one */
    journey.account = "3200000000000001";
    journey_tell(&journey, KIND(DISBURSED), FUND);
    assert_int_equal(journey_state(&journey), STATE(HALF_DISBURSED));
    journey.presale = false;
}

/* Covers: COL-PAY-003 */
static void test_a_check_that_runs_out_is_made_again(void **state)
{
    (void)state;
    journey.presale = false;
    approve("P06", "L-RENEW");
    register_it(STATE(READY));
    unsigned checks = journey_steps(&journey, "CHECK");
    journey_stays(&journey, STATE(READY));
    assert_int_equal(journey_steps(&journey, "CHECK"), checks);
    journey_restart(&journey, 40 * JOURNEY_DAY_MS);
    for (int tries = 0; tries < 200 && journey_steps(&journey, "CHECK") < checks + 2; tries++) {
        journey_tick(&journey);
        cl_arena_reset(journey.arena);
    }
    journey_until(&journey, STATE(READY));
    assert_true(journey_steps(&journey, "CHECK") >= checks + 2);               /* run out, and made again */
    assert_true(journey_metric(&journey, "coloan_source_requests_total") > 3); /* since the restart */
}

int main(void)
{
    struct world_options options = {.extra = NULL};
    world_open(&world, &options);
    journey_begin(&journey, &world, "alpha", WORLD_KEY_ALPHA);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_life),
        cmocka_unit_test(test_an_entry_that_differs_is_held),
        cmocka_unit_test(test_a_check_that_does_not_hold_stops_the_payment),
        cmocka_unit_test(test_checks_that_an_officer_passes_let_the_payment_go_on),
        cmocka_unit_test(test_a_register_that_never_answers_is_given_up),
        cmocka_unit_test(test_what_is_not_built_waits_for_its_completion),
        cmocka_unit_test(test_a_check_that_runs_out_is_made_again),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    journey_end(&journey);
    world_close(&world);
    return failed;
}
