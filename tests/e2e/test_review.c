/* Officers, over real TLS: a case that no machine could settle is settled by a person and approved to the fen; claims are
 * one officer's at a time; a settled item changes by two officers only; every refusal leaves everything as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <pthread.h>

#include <coloan/v1/decision.pb-c.h>
#include <coloan/v1/review.pb-c.h>
#include <coloan/v1/verification.pb-c.h>

#include "libcoloan/personal.h"
#include "libcoloan/sha256.h"
#include "libcoloan/wirescan.h"
#include "server/domain/catalogue.h"
#include "server/replay.h"
#include "server/rulebook.h"
#include "server/store/sql.h"
#include "tests/e2e/world.h"

enum { ARENA_BYTES = 16 * 1024 * 1024, WAIT_MS = 10000, PARTS_MAX = 24 };

#define MINUTE_MS (INT64_C(60) * 1000)
#define DAY_MS    (24 * 60 * MINUTE_MS)

#define PASS COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_PASS
#define FAIL COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_FAIL

static struct world world;
static struct cl_arena *arena;
static struct cl_session *alpha, *officer, *second;
static char last_field[CL_REFUSAL_FIELD_BYTES_MAX];

/* -- Calls --------------------------------------------------------------------------------------------------- */

static struct cl_status call(const ProtobufCMessage **out, struct cl_session *session,
                             const struct cl_session_call *what)
{
    struct cl_answer answer;
    struct cl_status status = cl_session_call(&answer, session, arena, what, (struct cl_patience){.total_ms = WAIT_MS});
    *out = answer.body;
    assert_true(cl_is_ok(status) || answer.refusal_signed);
    (void)snprintf(last_field, sizeof last_field, "%s", answer.field);
    return status;
}

static const ProtobufCMessage *must(struct cl_session *session, const struct cl_session_call *what)
{
    const ProtobufCMessage *body = NULL;
    struct cl_status status = call(&body, session, what);
    if (cl_failed(status)) {
        fail_msg("%s: %s %s", what->method, cl_status_name(status), last_field);
    }
    return body;
}

static char *text(const char *value)
{
    char *copy = cl_arena_text(arena, value);
    assert_non_null(copy);
    return copy;
}

/* Its id is the caller's: 64 bytes. */
static void submit(char *id_out, const char *persona)
{
    struct world_submission submission;
    world_submission(&submission, arena, people_find(world.people, persona), WORLD_ALPHA, persona);
    struct cl_session_call what = world_submit_call(&submission);
    (void)snprintf(id_out, 64, "%s", ((const Coloan__V1__ApplicationReceipt *)must(alpha, &what))->application_id);
}

static void report(const char *persona, const char *application_id)
{
    struct cl_session_call what = {
        .method = "coloan.v1.JointApproval/ReportVerifications",
        .body = &world_bank_report(arena, people_find(world.people, persona))->base,
        .reply_type = &coloan__v1__application_status__descriptor,
        .application_id = application_id,
    };
    (void)must(alpha, &what);
}

static const Coloan__V1__ApplicationView *view(const char *application_id)
{
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    query.application_id = text(application_id);
    query.with_items = 1;
    query.with_timeline = 1;
    struct cl_session_call what = {
        .method = "coloan.v1.JointApproval/GetApplication",
        .body = &query.base,
        .reply_type = &coloan__v1__application_view__descriptor,
    };
    return (const Coloan__V1__ApplicationView *)must(officer, &what);
}

static const Coloan__V1__ApplicationView *wait_for(const char *application_id, Coloan__V1__CaseState state)
{
    const struct timespec pause = {.tv_nsec = 30000000};
    const Coloan__V1__ApplicationView *told = NULL;
    for (int tries = 0; tries < 300; tries++) {
        told = view(application_id);
        if (told->status->state == state) {
            return told;
        }
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("%s is in state %d, not %d", application_id, (int)told->status->state, (int)state);
    return NULL;
}

/* A persona's case in that state. Each persona has one: its persons stand in one open case only. */
static void open_case(char *id_out, const char *persona, Coloan__V1__CaseState state)
{
    submit(id_out, persona);
    report(persona, id_out);
    (void)wait_for(id_out, state);
}

/* -- Review -------------------------------------------------------------------------------------------------- */

static const Coloan__V1__TaskList *list(struct cl_session *session, Coloan__V1__TaskListQuery *query)
{
    struct cl_session_call what = {
        .method = "coloan.v1.Review/ListTasks", .body = &query->base, .reply_type = &coloan__v1__task_list__descriptor};
    return (const Coloan__V1__TaskList *)must(session, &what);
}

static const Coloan__V1__TaskList *tasks_of(const char *application_id)
{
    Coloan__V1__TaskListQuery query = COLOAN__V1__TASK_LIST_QUERY__INIT;
    query.application_id = text(application_id);
    return list(officer, &query);
}

/* The open task of that kind and item; there is one. */
static const Coloan__V1__Task *open_task(const char *application_id, Coloan__V1__TaskKind kind, Coloan__V1__Item item)
{
    const Coloan__V1__TaskList *tasks = tasks_of(application_id);
    const Coloan__V1__Task *found = NULL;
    for (size_t i = 0; i < tasks->n_tasks; i++) {
        const Coloan__V1__Task *task = tasks->tasks[i];
        if (task->ending == 0 && task->kind == kind && task->item == item) {
            assert_null(found);
            found = task;
        }
    }
    assert_non_null(found);
    return found;
}

static size_t open_tasks(const char *application_id)
{
    const Coloan__V1__TaskList *tasks = tasks_of(application_id);
    size_t count = 0;
    for (size_t i = 0; i < tasks->n_tasks; i++) {
        count += tasks->tasks[i]->ending == 0 ? 1 : 0;
    }
    return count;
}

static const char *claim(struct cl_session *session, const char *task_id)
{
    Coloan__V1__TaskClaim body = COLOAN__V1__TASK_CLAIM__INIT;
    body.task_id = text(task_id);
    struct cl_session_call what = {
        .method = "coloan.v1.Review/ClaimTask", .body = &body.base, .reply_type = &coloan__v1__task__descriptor};
    const ProtobufCMessage *reply = NULL;
    return cl_status_name(call(&reply, session, &what));
}

static const char *release(struct cl_session *session, const char *task_id)
{
    Coloan__V1__TaskRelease body = COLOAN__V1__TASK_RELEASE__INIT;
    body.task_id = text(task_id);
    struct cl_session_call what = {
        .method = "coloan.v1.Review/ReleaseTask", .body = &body.base, .reply_type = &coloan__v1__task__descriptor};
    const ProtobufCMessage *reply = NULL;
    return cl_status_name(call(&reply, session, &what));
}

static const Coloan__V1__TaskView *get_task(const char *task_id)
{
    Coloan__V1__TaskQuery body = COLOAN__V1__TASK_QUERY__INIT;
    body.task_id = text(task_id);
    struct cl_session_call what = {
        .method = "coloan.v1.Review/GetTask", .body = &body.base, .reply_type = &coloan__v1__task_view__descriptor};
    return (const Coloan__V1__TaskView *)must(officer, &what);
}

/* Facts as "name=number", between blanks. */
static Coloan__V1__Finding *finding(Coloan__V1__ItemOutcome outcome, const char *facts, const char *note)
{
    Coloan__V1__Finding *made = cl_arena_alloc(arena, sizeof *made);
    assert_non_null(made);
    coloan__v1__finding__init(made);
    made->outcome = outcome;
    made->note = text(note);
    made->facts = cl_arena_array(arena, 16, sizeof *made->facts);
    char *rest = text(facts);
    for (char *word = strtok_r(rest, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *equals = strchr(word, '=');
        Coloan__V1__Fact *fact = cl_arena_alloc(arena, sizeof *fact);
        assert_non_null(fact);
        coloan__v1__fact__init(fact);
        *equals = '\0';
        fact->name = word;
        fact->number = atoll(equals + 1);
        made->facts[made->n_facts++] = fact;
    }
    return made;
}

static Coloan__V1__Finding *failed(Coloan__V1__FailureKind failure, const char *note)
{
    Coloan__V1__Finding *made = finding(FAIL, "", note);
    made->failure = failure;
    return made;
}

static const char *settle(const Coloan__V1__ApplicationStatus **out, struct cl_session *session,
                          const char *application_id, const char *task_id, Coloan__V1__Finding *what_was_found)
{
    Coloan__V1__ItemSettlement body = COLOAN__V1__ITEM_SETTLEMENT__INIT;
    body.task_id = text(task_id);
    body.finding = what_was_found;
    struct cl_session_call what = {.method = "coloan.v1.Review/SettleItem",
                                   .body = &body.base,
                                   .reply_type = &coloan__v1__application_status__descriptor,
                                   .application_id = application_id};
    const ProtobufCMessage *reply = NULL;
    const char *got = cl_status_name(call(&reply, session, &what));
    if (out != NULL) {
        *out = (const Coloan__V1__ApplicationStatus *)reply;
    }
    return got;
}

static const char * override(const Coloan__V1__ItemOverride **out, struct cl_session *session,
                             const char *application_id, Coloan__V1__OverrideRequest *body)
{
    struct cl_session_call what = {.method = "coloan.v1.Review/Override",
                                   .body = &body->base,
                                   .reply_type = &coloan__v1__item_override__descriptor,
                                   .application_id = application_id};
    const ProtobufCMessage *reply = NULL;
    const char *got = cl_status_name(call(&reply, session, &what));
    if (out != NULL) {
        *out = (const Coloan__V1__ItemOverride *)reply;
    }
    return got;
}

static Coloan__V1__OverrideRequest proposal(Coloan__V1__Item item, Coloan__V1__Finding *what_was_found)
{
    Coloan__V1__OverrideRequest body = COLOAN__V1__OVERRIDE_REQUEST__INIT;
    body.step = COLOAN__V1__OVERRIDE_STEP__OVERRIDE_STEP_PROPOSE;
    body.item = item;
    body.finding = what_was_found;
    return body;
}

static Coloan__V1__OverrideRequest confirmation(const Coloan__V1__ItemOverride *of)
{
    Coloan__V1__OverrideRequest body = COLOAN__V1__OVERRIDE_REQUEST__INIT;
    body.step = COLOAN__V1__OVERRIDE_STEP__OVERRIDE_STEP_CONFIRM;
    body.override_id = of->override_id;
    body.proposal_digest = of->proposal_digest;
    return body;
}

static Coloan__V1__OverrideRequest withdrawal(const Coloan__V1__ItemOverride *of)
{
    Coloan__V1__OverrideRequest body = COLOAN__V1__OVERRIDE_REQUEST__INIT;
    body.step = COLOAN__V1__OVERRIDE_STEP__OVERRIDE_STEP_WITHDRAW;
    body.override_id = of->override_id;
    return body;
}

/* -- Everything there is ------------------------------------------------------------------------------------- */

/* The digest of all rows of these tables: what a refusal must not change. */
static struct cl_digest everything(void)
{
    static const char *const texts[] = {
        "SELECT id || ' ' || state || ' ' || fund || ' ' || bank_track || ' ' || items_by_person || ' ' ||"
        " items_by_machine || ' ' || deadline_ms || ' ' || changed_ms FROM applications ORDER BY id",
        "SELECT application_id || item || ' ' || person || ' ' || outcome || ' ' || settled_ms FROM items"
        " ORDER BY application_id, phase, item, person",
        "SELECT result FROM items ORDER BY application_id, phase, item, person",
        "SELECT id || ending || ' ' || coalesce(claimed_by, '') || claimed_until_ms FROM tasks ORDER BY id",
        "SELECT id || state || ' ' || ended_ms FROM overrides ORDER BY id",
        "SELECT count(*) FROM officer_actions",
        "SELECT count(*) FROM case_log",
        "SELECT count(*) FROM item_results",
        "SELECT count(*) FROM outbox",
        "SELECT count(*) FROM messages",
        "SELECT count(*) FROM traces",
        "SELECT item || reason || referred || ' ' || settled || ' ' || overridden FROM reason_counts"
        " ORDER BY item, reason",
        "SELECT officer || step || count FROM officer_counts ORDER BY officer, step",
    };
    struct sql_health health = {0};
    struct sql *sql = NULL;
    struct cl_sha256 hash;
    struct cl_digest digest;
    cl_sha256_init(&hash);
    assert_true(cl_is_ok(sql_open(&sql, world_database(&world), SQL_READ, &health)));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sql_statement *statement = NULL;
        bool row = false;
        assert_true(cl_is_ok(sql_ask(&statement, &row, sql, texts[i])));
        while (row) {
            cl_sha256_add(&hash, sql_column_bytes(statement, 0));
            assert_true(cl_is_ok(sql_step(&row, statement)));
        }
    }
    sql_close(sql);
    cl_sha256_finish(&hash, &digest);
    return digest;
}

static void assert_refused(const char *name, const char *got, const char *reason, const char *field,
                           const struct cl_digest *before)
{
    struct cl_digest after = everything();
    if (strcmp(got, reason) != 0 || strcmp(last_field, field) != 0) {
        fail_msg("%s: %s \"%s\", expected %s \"%s\"", name, got, last_field, reason, field);
    }
    if (!cl_digest_equal(before, &after)) {
        fail_msg("%s: a refusal changed something", name);
    }
}

/* -- Cases that all tests share ------------------------------------------------------------------------------ */

static char broken[64];     /* P24: the loan history is garbage */
static char silent[64];     /* P21: the marriage register does not answer */
static char unrecorded[64]; /* P22: the marriage register has no record */
static char dearer[64];     /* P23: the contract has another price; the borrower has to mend it */
static char young[64];      /* P02: the bank has not reported yet */

/* Covers: COL-OFC-001 */
static void test_a_task_says_why_a_person_is_needed(void **state)
{
    (void)state;
    static const struct {
        const char *id, *reason;
        Coloan__V1__Item item;
        Coloan__V1__FailureKind failure;
    } rows[] = {
        {broken, "SYS-SOURCE", COLOAN__V1__ITEM__ITEM_LOAN_HISTORY, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_PARSE},
        {silent, "SYS-SOURCE", COLOAN__V1__ITEM__ITEM_MARRIAGE, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_TIMEOUT},
        {unrecorded, "MAR-RECORD", COLOAN__V1__ITEM__ITEM_MARRIAGE, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_NO_RECORD},
    };
    cl_arena_reset(arena);
    open_case(broken, "P24", COLOAN__V1__CASE_STATE__CASE_STATE_MANUAL);
    open_case(silent, "P21", COLOAN__V1__CASE_STATE__CASE_STATE_MANUAL);
    open_case(unrecorded, "P22", COLOAN__V1__CASE_STATE__CASE_STATE_MANUAL);
    open_case(dearer, "P23", COLOAN__V1__CASE_STATE__CASE_STATE_SUPPLEMENT);
    submit(young, "P02");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const Coloan__V1__Task *task = open_task(rows[i].id, COLOAN__V1__TASK_KIND__TASK_KIND_ITEM, rows[i].item);
        assert_string_equal(task->reason, rows[i].reason);
        assert_int_equal(task->failure, rows[i].failure);
        assert_string_equal(task->authority, "sandbox");
        assert_int_equal(task->person, 0);
        assert_int_equal(task->deadline_ms, view(rows[i].id)->status->deadline_ms);
        assert_string_equal(task->claimed_by, "");
        assert_int_equal(open_tasks(rows[i].id), 1);
    }
    assert_int_equal(open_tasks(dearer), 0); /* the borrower's turn */
    assert_int_equal(open_tasks(young), 0);
}

static void test_tasks_are_listed_by_page_and_filter(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    Coloan__V1__TaskListQuery query = COLOAN__V1__TASK_LIST_QUERY__INIT;
    query.page_size = 2;
    const Coloan__V1__TaskList *page = list(officer, &query);
    assert_int_equal(page->n_tasks, 2);
    assert_true(page->tasks[0]->deadline_ms <= page->tasks[1]->deadline_ms);
    query.page_token = page->next_page_token;
    assert_string_not_equal(query.page_token, "");
    const Coloan__V1__TaskList *rest = list(officer, &query);
    assert_int_equal(rest->n_tasks, 1);
    assert_string_equal(rest->next_page_token, "");
    assert_string_not_equal(rest->tasks[0]->task_id, page->tasks[1]->task_id);
    query = (Coloan__V1__TaskListQuery)COLOAN__V1__TASK_LIST_QUERY__INIT;
    query.mine = 1;
    assert_int_equal(list(officer, &query)->n_tasks, 0);
    assert_string_equal(claim(officer, rest->tasks[0]->task_id), "OK");
    assert_int_equal(list(officer, &query)->n_tasks, 1);
    assert_int_equal(list(second, &query)->n_tasks, 0);
    query.mine = 0;
    query.unclaimed = 1;
    assert_int_equal(list(officer, &query)->n_tasks, 2);
    query.kind = COLOAN__V1__TASK_KIND__TASK_KIND_OVERRIDE;
    assert_int_equal(list(officer, &query)->n_tasks, 0);
    assert_string_equal(release(officer, rest->tasks[0]->task_id), "OK");

    struct cl_session_call what = {
        .method = "coloan.v1.Review/ListTasks", .body = &query.base, .reply_type = &coloan__v1__task_list__descriptor};
    const ProtobufCMessage *reply = NULL;
    query.page_size = CL_LIST_PAGE_MAX + 1;
    struct cl_digest before = everything();
    assert_refused("page", cl_status_name(call(&reply, officer, &what)), "FIELD_INVALID", "page_size", &before);
    query.page_size = 1;
    query.page_token = text("12/34");
    assert_refused("token", cl_status_name(call(&reply, officer, &what)), "PAGE_TOKEN_INVALID", "page_token", &before);
}

/* -- What an officer sees ------------------------------------------------------------------------------------ */

static int64_t rows_of(const char *query)
{
    struct sql_health health = {0};
    struct sql *sql = NULL;
    struct sql_statement *statement = NULL;
    bool row = false;
    assert_true(cl_is_ok(sql_open(&sql, world_database(&world), SQL_READ, &health)));
    assert_true(cl_is_ok(sql_prepare(&statement, sql, query)));
    assert_true(cl_is_ok(sql_step(&row, statement)) && row);
    int64_t count = sql_column_i64(statement, 0);
    sql_finish(statement);
    sql_close(sql);
    return count;
}

static const char *persona_value(const char *persona, const char *field)
{
    const json_t *people = json_object_get(people_find(world.people, persona), "people");
    return json_string_value(json_object_get(json_array_get(people, 0), field));
}

static void assert_value(const struct cl_answer *answer, const char *path, const char *value)
{
    struct cl_bytes got = cl_disclosure_value(answer->opened.disclosures, answer->opened.disclosure_count, path);
    assert_true(cl_bytes_equal(got, cl_bytes_text(value)));
}

/* The values go beside the reply, each as the borrower's side committed to it; what is kept has none. */
static void test_personal_values_go_beside_the_reply(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    const Coloan__V1__Task *task =
        open_task(broken, COLOAN__V1__TASK_KIND__TASK_KIND_ITEM, COLOAN__V1__ITEM__ITEM_LOAN_HISTORY);
    Coloan__V1__TaskQuery body = COLOAN__V1__TASK_QUERY__INIT;
    body.task_id = task->task_id;
    struct cl_session_call what = {
        .method = "coloan.v1.Review/GetTask", .body = &body.base, .reply_type = &coloan__v1__task_view__descriptor};
    struct cl_request request;
    struct cl_answer first, again;
    struct cl_patience patience = {.total_ms = WAIT_MS};
    assert_true(cl_is_ok(cl_session_prepare(&request, officer, arena, &what)));
    assert_true(cl_is_ok(cl_session_send(&first, officer, arena, &request, patience)));
    const Coloan__V1__TaskView *told = (const Coloan__V1__TaskView *)first.body;

    struct cl_opened submission;
    ProtobufCMessage *application = NULL;
    struct cl_personal_field fields[CL_PERSONAL_FIELDS_MAX];
    size_t count = 0;
    struct cl_bytes kept = cl_bytes(told->submission_envelope.data, told->submission_envelope.len);
    assert_true(cl_is_ok(cl_envelope_verify(&submission, arena, kept, world.keyring)));
    assert_int_equal(submission.disclosure_count, 0);
    assert_string_equal(submission.header->sender, WORLD_ALPHA);
    assert_true(cl_is_ok(cl_opened_body(&application, arena, &submission)));
    assert_true(cl_is_ok(cl_personal_fields(fields, &count, application)));
    struct cl_status checked =
        cl_disclosure_check(fields, count, first.opened.disclosures, first.opened.disclosure_count);
    assert_string_equal(cl_status_name(checked), "OK");
    assert_value(&first, "persons[0].id_number", persona_value("P24", "id_number"));
    assert_value(&first, "persons[0].name", persona_value("P24", "name"));

    assert_true(cl_is_ok(cl_session_send(&again, officer, arena, &request, patience)));
    assert_true(cl_bytes_equal(first.envelope, again.envelope));
    static const char stored[] = "SELECT count(*) FROM messages WHERE method = 'coloan.v1.Review/GetTask'";
    static const char leaked[] = "SELECT count(*) FROM messages WHERE method = 'coloan.v1.Review/GetTask'"
                                 " AND (instr(envelope, CAST('99010119961024171X' AS BLOB)) > 0"
                                 " OR instr(envelope, CAST('persons[0].name' AS BLOB)) > 0)";
    assert_int_equal(rows_of(stored), 2); /* one request, one reply */
    assert_int_equal(rows_of(leaked), 0);
}

static void test_get_task_shows_the_case(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    const Coloan__V1__Task *task =
        open_task(unrecorded, COLOAN__V1__TASK_KIND__TASK_KIND_ITEM, COLOAN__V1__ITEM__ITEM_MARRIAGE);
    const Coloan__V1__TaskView *told = get_task(task->task_id);
    assert_string_equal(told->task->task_id, task->task_id);
    assert_string_equal(told->status->application_id, unrecorded);
    assert_int_equal(told->status->state, COLOAN__V1__CASE_STATE__CASE_STATE_MANUAL);
    assert_true(told->n_items > 10);
    assert_int_equal(told->n_past, 0);
    assert_int_equal(told->n_overrides, 0);
    assert_true(told->n_timeline >= 2);
    assert_string_equal(told->timeline[told->n_timeline - 1]->command, "FUND_MANUAL");

    Coloan__V1__TaskQuery body = COLOAN__V1__TASK_QUERY__INIT;
    body.task_id = text(unrecorded); /* an application's id is no task's */
    struct cl_session_call what = {
        .method = "coloan.v1.Review/GetTask", .body = &body.base, .reply_type = &coloan__v1__task_view__descriptor};
    const ProtobufCMessage *reply = NULL;
    struct cl_digest before = everything();
    assert_refused("no task", cl_status_name(call(&reply, officer, &what)), "TASK_UNKNOWN", "task_id", &before);
}

/* -- Claims -------------------------------------------------------------------------------------------------- */

/* Covers: COL-OFC-002 */
static void test_a_claim_is_one_officers_for_a_while(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    char id[64];
    (void)snprintf(id, sizeof id, "%s",
                   open_task(silent, COLOAN__V1__TASK_KIND__TASK_KIND_ITEM, COLOAN__V1__ITEM__ITEM_MARRIAGE)->task_id);
    assert_string_equal(claim(officer, id), "OK");
    const Coloan__V1__Task *held = get_task(id)->task;
    assert_string_equal(held->claimed_by, WORLD_OFFICER);
    assert_true(held->claimed_until_ms > world_now_ms(&world) + 29 * MINUTE_MS);
    struct cl_digest before = everything();
    assert_refused("held", claim(second, id), "TASK_CLAIMED", "", &before);
    assert_refused("another's", release(second, id), "TASK_NOT_CLAIMED", "", &before);
    assert_refused("unknown", claim(second, silent), "TASK_UNKNOWN", "task_id", &before);
    assert_refused("unknown", release(second, silent), "TASK_UNKNOWN", "task_id", &before);
    world.ahead_ms += 20 * MINUTE_MS;
    assert_string_equal(claim(officer, id), "OK"); /* prolonged */
    world.ahead_ms += 20 * MINUTE_MS;
    before = everything();
    assert_refused("prolonged", claim(second, id), "TASK_CLAIMED", "", &before);
    world.ahead_ms += 11 * MINUTE_MS;
    assert_string_equal(get_task(id)->task->claimed_by, "");
    before = everything();
    assert_refused("ended", release(officer, id), "TASK_NOT_CLAIMED", "", &before);
    assert_refused("settled late", settle(NULL, officer, silent, id, finding(PASS, "status=1", "SRC-DESK")),
                   "TASK_NOT_CLAIMED", "", &before);
    assert_string_equal(claim(second, id), "OK");
    assert_string_equal(release(second, id), "OK");
    before = everything();
    assert_refused("released", release(second, id), "TASK_NOT_CLAIMED", "", &before);
}

struct racer {
    struct cl_session *session;
    struct cl_arena *arena;
    const char *task_id;
    pthread_barrier_t *start;
    struct cl_status status;
};

static void *race(void *user)
{
    struct racer *racer = user;
    Coloan__V1__TaskClaim body = COLOAN__V1__TASK_CLAIM__INIT;
    body.task_id = cl_unconst(racer->task_id);
    struct cl_session_call what = {
        .method = "coloan.v1.Review/ClaimTask", .body = &body.base, .reply_type = &coloan__v1__task__descriptor};
    struct cl_answer answer;
    (void)pthread_barrier_wait(racer->start);
    racer->status =
        cl_session_call(&answer, racer->session, racer->arena, &what, (struct cl_patience){.total_ms = WAIT_MS});
    return NULL;
}

/* Covers: COL-OFC-002 */
static void test_of_two_who_claim_at_once_one_gets_it(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    char id[64];
    (void)snprintf(id, sizeof id, "%s",
                   open_task(silent, COLOAN__V1__TASK_KIND__TASK_KIND_ITEM, COLOAN__V1__ITEM__ITEM_MARRIAGE)->task_id);
    for (int round = 0; round < 20; round++) {
        pthread_barrier_t start;
        pthread_t threads[2];
        struct racer racers[2] = {{.session = officer}, {.session = second}};
        assert_int_equal(pthread_barrier_init(&start, NULL, 2), 0);
        for (int i = 0; i < 2; i++) {
            racers[i].task_id = id;
            racers[i].start = &start;
            assert_true(cl_is_ok(cl_arena_create(&racers[i].arena, ARENA_BYTES)));
            assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
        }
        for (int i = 0; i < 2; i++) {
            (void)pthread_join(threads[i], NULL);
            cl_arena_free(racers[i].arena);
        }
        (void)pthread_barrier_destroy(&start);
        int winner = cl_is_ok(racers[0].status) ? 0 : 1;
        assert_string_equal(cl_status_name(racers[winner].status), "OK");
        assert_string_equal(cl_status_name(racers[1 - winner].status), "TASK_CLAIMED");
        assert_string_equal(release(racers[winner].session, id), "OK");
    }
}

/* -- Settling ------------------------------------------------------------------------------------------------ */

static Coloan__V1__Finding *good(void)
{
    return finding(PASS, "loans_used=0 loans_open=0", "SRC-DESK");
}

static Coloan__V1__Finding *nothing(void)
{
    return NULL;
}

static Coloan__V1__Finding *no_outcome(void)
{
    return finding(COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_UNSPECIFIED, "", "SRC-DESK");
}

static Coloan__V1__Finding *manual(void)
{
    return finding(COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_MANUAL, "", "SRC-DESK");
}

static Coloan__V1__Finding *fail_for_nothing(void)
{
    return failed(COLOAN__V1__FAILURE_KIND__FAILURE_KIND_UNSPECIFIED, "SRC-DESK");
}

static Coloan__V1__Finding *fail_of_the_way(void)
{
    return failed(COLOAN__V1__FAILURE_KIND__FAILURE_KIND_TIMEOUT, "SRC-DESK");
}

static Coloan__V1__Finding *fail_that_settles_nothing(void)
{
    return failed(COLOAN__V1__FAILURE_KIND__FAILURE_KIND_NO_RECORD, "SRC-DESK");
}

static Coloan__V1__Finding *fail_with_facts(void)
{
    Coloan__V1__Finding *made = good();
    made->outcome = FAIL;
    made->failure = COLOAN__V1__FAILURE_KIND__FAILURE_KIND_MISMATCH;
    return made;
}

static Coloan__V1__Finding *pass_with_failure(void)
{
    Coloan__V1__Finding *made = good();
    made->failure = COLOAN__V1__FAILURE_KIND__FAILURE_KIND_MISMATCH;
    return made;
}

static Coloan__V1__Finding *fact_missing(void)
{
    return finding(PASS, "loans_used=0", "SRC-DESK");
}

static Coloan__V1__Finding *fact_unknown(void)
{
    return finding(PASS, "loans_used=0 loans_open=0 months=6", "SRC-DESK");
}

static Coloan__V1__Finding *fact_below(void)
{
    return finding(PASS, "loans_used=0 loans_open=-1", "SRC-DESK");
}

static Coloan__V1__Finding *fact_above(void)
{
    return finding(PASS, "loans_used=101 loans_open=0", "SRC-DESK");
}

static Coloan__V1__Finding *fact_twice(void)
{
    return finding(PASS, "loans_used=0 loans_used=0 loans_open=0", "SRC-DESK");
}

static Coloan__V1__Finding *too_many_facts(void)
{
    return finding(PASS, "a=0 b=0 c=0 d=0 e=0 f=0 g=0 h=0 i=0", "SRC-DESK");
}

static Coloan__V1__Finding *fact_with_text(void)
{
    Coloan__V1__Finding *made = good();
    made->facts[1]->text = text("none");
    return made;
}

static Coloan__V1__Finding *unproven(void)
{
    return finding(PASS, "loans_used=0 loans_open=0", "");
}

static Coloan__V1__Finding *half_a_digest(void)
{
    Coloan__V1__Finding *made = good();
    made->document_sha256 = (ProtobufCBinaryData){.len = 16, .data = (uint8_t *)text("0123456789abcdef")};
    return made;
}

static Coloan__V1__Finding *unknown_note(void)
{
    return finding(PASS, "loans_used=0 loans_open=0", "BECAUSE");
}

static Coloan__V1__Finding *note_of_overrides(void)
{
    return finding(PASS, "loans_used=0 loans_open=0", "SRC-STALE");
}

/* Covers: COL-OFC-003, COL-LIF-001 */
static void test_what_settles_nothing_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        Coloan__V1__Finding *(*made)(void);
        const char *reason, *field;
    } rows[] = {
        {"nothing", nothing, "FIELD_MISSING", "finding"},
        {"no outcome", no_outcome, "FIELD_MISSING", "finding.outcome"},
        {"manual again", manual, "FIELD_INVALID", "finding.outcome"},
        {"fail without a kind", fail_for_nothing, "FIELD_MISSING", "finding.failure"},
        {"fail of the way", fail_of_the_way, "FIELD_INVALID", "finding.failure"},
        {"fail that asks for a person", fail_that_settles_nothing, "FIELD_INVALID", "finding.failure"},
        {"fail with facts", fail_with_facts, "FIELD_INVALID", "finding.facts"},
        {"pass with a failure", pass_with_failure, "FIELD_INVALID", "finding.failure"},
        {"fact missing", fact_missing, "FIELD_MISSING", "finding.facts"},
        {"fact unknown", fact_unknown, "FIELD_INVALID", "finding.facts[2].name"},
        {"fact below its range", fact_below, "FIELD_INVALID", "finding.facts[1].number"},
        {"fact above its range", fact_above, "FIELD_INVALID", "finding.facts[0].number"},
        {"fact twice", fact_twice, "FIELD_INVALID", "finding.facts[1].name"},
        {"too many facts", too_many_facts, "FIELD_INVALID", "finding.facts"},
        {"fact with a text", fact_with_text, "FIELD_INVALID", "finding.facts[1].text"},
        {"neither proof nor note", unproven, "FIELD_MISSING", "finding.note"},
        {"half a digest", half_a_digest, "FIELD_INVALID", "finding.document_sha256"},
        {"unknown note", unknown_note, "NOTE_UNKNOWN", "finding.note"},
        {"a note of overrides", note_of_overrides, "NOTE_UNKNOWN", "finding.note"},
    };
    cl_arena_reset(arena);
    char id[64];
    (void)snprintf(
        id, sizeof id, "%s",
        open_task(broken, COLOAN__V1__TASK_KIND__TASK_KIND_ITEM, COLOAN__V1__ITEM__ITEM_LOAN_HISTORY)->task_id);
    struct cl_digest before = everything();
    assert_refused("without a claim", settle(NULL, officer, broken, id, good()), "TASK_NOT_CLAIMED", "", &before);
    assert_string_equal(claim(officer, id), "OK");
    before = everything();
    assert_refused("another's claim", settle(NULL, second, broken, id, good()), "TASK_NOT_CLAIMED", "", &before);
    assert_refused("another case", settle(NULL, officer, silent, id, good()), "TASK_UNKNOWN", "task_id", &before);
    assert_refused("no task", settle(NULL, officer, broken, broken, good()), "TASK_UNKNOWN", "task_id", &before);
    assert_refused("no case", settle(NULL, officer, id, id, good()), "APPLICATION_UNKNOWN", "", &before);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_refused(rows[i].name, settle(NULL, officer, broken, id, rows[i].made()), rows[i].reason, rows[i].field,
                       &before);
    }
}

static void assert_part(const Coloan__V1__LoanPart *part, int64_t amount_fen, int64_t instalment_fen)
{
    assert_int_equal(part->amount_fen, amount_fen);
    assert_int_equal(part->instalment_fen, instalment_fen);
}

static const Coloan__V1__JointOutcome *approve(const char *application_id, const Coloan__V1__ApplicationView *offered)
{
    Coloan__V1__BankDecision decision = COLOAN__V1__BANK_DECISION__INIT;
    decision.offer_version = offered->status->offer_version;
    decision.terms_digest = offered->offer->terms_digest;
    decision.bank_epoch = offered->status->bank_epoch;
    decision.verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_APPROVE;
    decision.bank_reference = text("L-1");
    struct cl_session_call what = {.method = "coloan.v1.JointApproval/ReportBankDecision",
                                   .body = &decision.base,
                                   .reply_type = &coloan__v1__joint_outcome__descriptor,
                                   .application_id = application_id};
    return (const Coloan__V1__JointOutcome *)must(alpha, &what);
}

/* P24 is P01 but for a platform that answers garbage: once a person has looked, it gets what P01 gets, to the fen. */
static void test_a_settled_case_is_approved(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    char id[64];
    (void)snprintf(
        id, sizeof id, "%s",
        open_task(broken, COLOAN__V1__TASK_KIND__TASK_KIND_ITEM, COLOAN__V1__ITEM__ITEM_LOAN_HISTORY)->task_id);
    Coloan__V1__Finding *found = finding(PASS, "loans_used=0 loans_open=0", "");
    uint8_t document[CL_DIGEST_BYTES] = {7, 7, 7};
    found->document_sha256 = (ProtobufCBinaryData){.len = sizeof document, .data = document};
    const Coloan__V1__ApplicationStatus *status = NULL;
    assert_string_equal(settle(&status, officer, broken, id, found), "OK");
    assert_int_equal(status->state, COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED);
    assert_int_equal(status->items->by_person, 1);
    assert_int_equal(status->items->by_machine, status->items->total - 1);

    const Coloan__V1__ApplicationView *offered = view(broken);
    ProtobufCMessage *message = NULL;
    assert_true(cl_is_ok(cl_unpack(&message, arena, &coloan__v1__offer_terms__descriptor,
                                   cl_bytes(offered->offer->terms.data, offered->offer->terms.len))));
    const Coloan__V1__OfferTerms *terms = (const Coloan__V1__OfferTerms *)message;
    assert_part(terms->fund, 80000000, 320272);
    assert_part(terms->commercial, 24000000, 101833);
    assert_int_equal(terms->down_payment_fen, 26000000);
    assert_int_equal(approve(broken, offered)->outcome, COLOAN__V1__OUTCOME__OUTCOME_APPROVED_COMBINED);

    const Coloan__V1__TaskView *told = get_task(id);
    assert_int_equal(told->task->ending, COLOAN__V1__TASK_ENDING__TASK_ENDING_SETTLED);
    assert_string_equal(told->task->ended_by, WORLD_OFFICER);
    assert_int_equal(told->n_past, 1); /* what the machine had */
    assert_int_equal(told->past[0]->result->failure, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_PARSE);
    assert_string_equal(told->past[0]->result->authority, "sandbox");
    assert_true(told->n_actions >= 2);
    const Coloan__V1__OfficerAction *last = told->actions[told->n_actions - 1];
    assert_int_equal(last->step, COLOAN__V1__OFFICER_STEP__OFFICER_STEP_SETTLE);
    assert_string_equal(last->officer, WORLD_OFFICER);
    assert_memory_equal(last->document_sha256.data, document, sizeof document);
    bool moved = false;
    for (size_t i = 0; i < told->n_timeline; i++) {
        moved = moved || (strcmp(told->timeline[i]->command, "SETTLE_ITEM") == 0 &&
                          strcmp(told->timeline[i]->by, WORLD_OFFICER) == 0);
    }
    assert_true(moved);
    struct cl_digest before = everything();
    assert_refused("settled twice", settle(NULL, officer, broken, id, good()), "TASK_ENDED", "", &before);
    assert_refused("claimed afterwards", claim(officer, id), "TASK_ENDED", "", &before);
    assert_refused("released afterwards", release(officer, id), "TASK_ENDED", "", &before);
}

/* -- Overriding ---------------------------------------------------------------------------------------------- */

/* Settled as a contradiction, then changed by a ruling that two officers agree on. */
/* Covers: COL-OFC-004 */
static void test_a_settled_item_changes_by_two_officers(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    char id[64];
    (void)snprintf(id, sizeof id, "%s",
                   open_task(silent, COLOAN__V1__TASK_KIND__TASK_KIND_ITEM, COLOAN__V1__ITEM__ITEM_MARRIAGE)->task_id);
    const Coloan__V1__ApplicationStatus *status = NULL;
    assert_string_equal(claim(second, id), "OK");
    assert_string_equal(
        settle(&status, second, silent, id, failed(COLOAN__V1__FAILURE_KIND__FAILURE_KIND_MISMATCH, "SRC-LETTER")),
        "OK");
    assert_int_equal(status->state, COLOAN__V1__CASE_STATE__CASE_STATE_SUPPLEMENT);
    assert_string_equal(status->reasons[0]->code, "MAR-CONTRADICT");

    const Coloan__V1__ItemOverride *proposed = NULL;
    Coloan__V1__OverrideRequest body = proposal(COLOAN__V1__ITEM__ITEM_MARRIAGE, finding(PASS, "status=1", "RULING"));
    assert_string_equal(override(&proposed, officer, silent, &body), "OK");
    assert_int_equal(proposed->state, COLOAN__V1__OVERRIDE_STATE__OVERRIDE_STATE_PROPOSED);
    assert_string_equal(proposed->proposed_by, WORLD_OFFICER);
    assert_int_equal(proposed->status->state, COLOAN__V1__CASE_STATE__CASE_STATE_SUPPLEMENT); /* nothing changed */
    const Coloan__V1__Task *task =
        open_task(silent, COLOAN__V1__TASK_KIND__TASK_KIND_OVERRIDE, COLOAN__V1__ITEM__ITEM_MARRIAGE);
    assert_int_equal(task->deadline_ms, proposed->expires_ms);

    struct cl_digest before = everything();
    Coloan__V1__OverrideRequest confirms = confirmation(proposed);
    Coloan__V1__OverrideRequest blind = confirms;
    blind.proposal_digest = (ProtobufCBinaryData){.len = 0, .data = NULL};
    Coloan__V1__OverrideRequest unknown = confirms;
    unknown.override_id = task->task_id;
    Coloan__V1__OverrideRequest withdraws = withdrawal(proposed);
    assert_refused("same officer", override(NULL, officer, silent, &confirms), "FOUR_EYES", "", &before);
    assert_refused("unseen", override(NULL, second, silent, &blind), "FIELD_INVALID", "proposal_digest", &before);
    assert_refused("unknown", override(NULL, second, silent, &unknown), "OVERRIDE_UNKNOWN", "override_id", &before);
    assert_refused("another case", override(NULL, second, broken, &confirms), "OVERRIDE_UNKNOWN", "override_id",
                   &before);
    assert_refused("another's", override(NULL, second, silent, &withdraws), "CALLER_NOT_ALLOWED", "", &before);
    assert_refused("proposed twice", override(NULL, second, silent, &body), "OVERRIDE_PENDING", "item", &before);

    const Coloan__V1__ItemOverride *confirmed = NULL;
    assert_string_equal(override(&confirmed, second, silent, &confirms), "OK");
    assert_int_equal(confirmed->state, COLOAN__V1__OVERRIDE_STATE__OVERRIDE_STATE_CONFIRMED);
    assert_string_equal(confirmed->ended_by, WORLD_SECOND);
    assert_int_equal(confirmed->status->state, COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED);
    assert_int_equal(open_tasks(silent), 0);
    const Coloan__V1__TaskView *told = get_task(id);
    assert_int_equal(told->n_past, 2); /* the machine's, the officer's */
    assert_int_equal(told->past[1]->result->failure, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_MISMATCH);
    assert_int_equal(told->n_overrides, 1);
    before = everything();
    assert_refused("confirmed twice", override(NULL, second, silent, &confirms), "OVERRIDE_ENDED", "override_id",
                   &before);
    assert_refused("withdrawn afterwards", override(NULL, officer, silent, &withdraws), "OVERRIDE_ENDED", "override_id",
                   &before);
    assert_refused("of a decided case", override(NULL, officer, silent, &body), "STATE_CONFLICT", "", &before);
}

/* Covers: COL-OFC-004 */
static void test_what_no_officer_may_change_is_refused(void **state)
{
    (void)state;
    static const char price[] = "price_fen=130000000 area_centi_m2=8900";
    cl_arena_reset(arena);
    const struct {
        const char *name, *id;
        Coloan__V1__Item item;
        uint32_t person;
        Coloan__V1__Finding *found;
        const char *reason, *field;
    } rows[] = {
        {"no item", dearer, 0, 0, finding(PASS, price, "RULING"), "FIELD_MISSING", "item"},
        {"an item it has not", dearer, COLOAN__V1__ITEM__ITEM_MARRIAGE, 1, finding(PASS, "status=1", "RULING"),
         "FIELD_INVALID", "item"},
        {"no finding", dearer, COLOAN__V1__ITEM__ITEM_HOME_CONTRACT, 0, NULL, "FIELD_MISSING", "finding"},
        {"no reason", dearer, COLOAN__V1__ITEM__ITEM_HOME_CONTRACT, 0, finding(PASS, price, ""), "FIELD_MISSING",
         "finding.note"},
        {"no such reason", dearer, COLOAN__V1__ITEM__ITEM_HOME_CONTRACT, 0, finding(PASS, price, "BECAUSE"),
         "NOTE_UNKNOWN", "finding.note"},
        {"a reason to settle", dearer, COLOAN__V1__ITEM__ITEM_HOME_CONTRACT, 0, finding(PASS, price, "DOC-PAPER"),
         "NOTE_UNKNOWN", "finding.note"},
        {"out of range", dearer, COLOAN__V1__ITEM__ITEM_HOME_CONTRACT, 0,
         finding(PASS, "price_fen=0 area_centi_m2=8900", "RULING"), "FIELD_INVALID", "finding.facts[0].number"},
        {"leaves it to a person", dearer, COLOAN__V1__ITEM__ITEM_CREDIT_FUND, 0,
         failed(COLOAN__V1__FAILURE_KIND__FAILURE_KIND_MISMATCH, "RULING"), "FIELD_INVALID", "finding.failure"},
        {"a consent", dearer, COLOAN__V1__ITEM__ITEM_CONSENT, 0, finding(PASS, "", "RULING"), "ITEM_NOT_OWNED", "item"},
        {"the bank's credit query", dearer, COLOAN__V1__ITEM__ITEM_CREDIT_BANK, 0, finding(PASS, "", "RULING"),
         "ITEM_NOT_OWNED", "item"},
        {"an open item", young, COLOAN__V1__ITEM__ITEM_INCOME, 0, finding(PASS, "monthly_fen=1", "RULING"),
         "STATE_CONFLICT", "item"},
        {"a task's item", unrecorded, COLOAN__V1__ITEM__ITEM_MARRIAGE, 0, finding(PASS, "status=1", "RULING"),
         "STATE_CONFLICT", "item"},
        {"a decided case", broken, COLOAN__V1__ITEM__ITEM_MARRIAGE, 0, finding(PASS, "status=1", "RULING"),
         "STATE_CONFLICT", ""},
    };
    struct cl_digest before = everything();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Coloan__V1__OverrideRequest body = proposal(rows[i].item, rows[i].found);
        body.person = rows[i].person;
        assert_refused(rows[i].name, override(NULL, officer, rows[i].id, &body), rows[i].reason, rows[i].field,
                       &before);
    }
    Coloan__V1__OverrideRequest stepless =
        proposal(COLOAN__V1__ITEM__ITEM_HOME_CONTRACT, finding(PASS, price, "RULING"));
    stepless.step = COLOAN__V1__OVERRIDE_STEP__OVERRIDE_STEP_UNSPECIFIED;
    assert_refused("no step", override(NULL, officer, dearer, &stepless), "FIELD_MISSING", "step", &before);
}

/* Covers: COL-OFC-004 */
static void test_a_proposal_is_withdrawn_expires_or_is_overtaken(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    Coloan__V1__OverrideRequest body = proposal(
        COLOAN__V1__ITEM__ITEM_HOME_CONTRACT, finding(PASS, "price_fen=130000000 area_centi_m2=8900", "SRC-CORRECTED"));
    const Coloan__V1__ItemOverride *withdrawn = NULL, *expired = NULL, *overtaken = NULL, *told = NULL;
    assert_string_equal(override(&withdrawn, officer, dearer, &body), "OK");
    Coloan__V1__OverrideRequest withdraws = withdrawal(withdrawn);
    assert_string_equal(override(&told, officer, dearer, &withdraws), "OK");
    assert_int_equal(told->state, COLOAN__V1__OVERRIDE_STATE__OVERRIDE_STATE_WITHDRAWN);
    assert_int_equal(open_tasks(dearer), 0);
    struct cl_digest before = everything();
    Coloan__V1__OverrideRequest confirms = confirmation(withdrawn);
    assert_refused("withdrawn", override(NULL, second, dearer, &confirms), "OVERRIDE_ENDED", "override_id", &before);

    assert_string_equal(override(&expired, officer, dearer, &body), "OK");
    confirms = confirmation(expired);
    world.ahead_ms += 3 * DAY_MS;
    before = everything();
    assert_refused("expired", override(NULL, second, dearer, &confirms), "OVERRIDE_ENDED", "override_id", &before);
    assert_string_equal(override(&told, second, dearer, &body), "OK"); /* makes way for another */
    withdraws = withdrawal(told);
    assert_string_equal(override(NULL, second, dearer, &withdraws), "OK");

    body = proposal(COLOAN__V1__ITEM__ITEM_CHILDREN, finding(PASS, "minors=1", "DATA-ENTRY"));
    assert_string_equal(override(&overtaken, officer, unrecorded, &body), "OK");
    char id[64];
    (void)snprintf(
        id, sizeof id, "%s",
        open_task(unrecorded, COLOAN__V1__TASK_KIND__TASK_KIND_ITEM, COLOAN__V1__ITEM__ITEM_MARRIAGE)->task_id);
    const Coloan__V1__ApplicationStatus *status = NULL;
    assert_string_equal(claim(officer, id), "OK");
    assert_string_equal(settle(&status, officer, unrecorded, id, finding(PASS, "status=1", "DOC-PAPER")), "OK");
    assert_int_equal(status->state, COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED);
    assert_int_equal(open_tasks(unrecorded), 0);
    before = everything();
    confirms = confirmation(overtaken);
    assert_refused("overtaken", override(NULL, second, unrecorded, &confirms), "OVERRIDE_ENDED", "override_id",
                   &before);
    assert_int_equal(get_task(id)->overrides[0]->state, COLOAN__V1__OVERRIDE_STATE__OVERRIDE_STATE_OVERTAKEN);
}

/* Nobody has to ask for it: the centre ends by itself what nobody confirmed. */
static void test_the_centre_ends_what_nobody_confirmed(void **state)
{
    (void)state;
    static const char under_way[] = "SELECT count(*) FROM overrides WHERE state = 1";
    static const char expired[] = "SELECT count(*) FROM overrides WHERE state = 4";
    cl_arena_reset(arena);
    Coloan__V1__OverrideRequest body = proposal(
        COLOAN__V1__ITEM__ITEM_HOME_CONTRACT, finding(PASS, "price_fen=130000000 area_centi_m2=8900", "SRC-CORRECTED"));
    assert_string_equal(override(NULL, officer, dearer, &body), "OK");
    int64_t before = rows_of(expired);
    assert_int_equal(rows_of(under_way), 1);
    coloand_tick(world.server);
    assert_int_equal(open_tasks(dearer), 1); /* a call after the tick: the sweep is done */
    assert_int_equal(rows_of(under_way), 1);
    world.ahead_ms += 3 * DAY_MS;
    const struct timespec pause = {.tv_nsec = 30000000};
    for (int tries = 0; tries < 200 && rows_of(under_way) > 0; tries++) {
        coloand_tick(world.server);
        (void)nanosleep(&pause, NULL);
    }
    assert_int_equal(rows_of(under_way), 0);
    assert_int_equal(rows_of(expired), before + 1);
    assert_int_equal(open_tasks(dearer), 0);
}

/* -- Decisions ----------------------------------------------------------------------------------------------- */

static const char *decision_of(struct cl_answer *out, const char *application_id, uint32_t number)
{
    Coloan__V1__DecisionQuery body = COLOAN__V1__DECISION_QUERY__INIT;
    body.application_id = text(application_id);
    body.number = number;
    struct cl_session_call what = {.method = "coloan.v1.Review/GetDecision",
                                   .body = &body.base,
                                   .reply_type = &coloan__v1__decision_record__descriptor};
    struct cl_status status = cl_session_call(out, officer, arena, &what, (struct cl_patience){.total_ms = WAIT_MS});
    (void)snprintf(last_field, sizeof last_field, "%s", out->field);
    return cl_status_name(status);
}

/* The record alone, with the ID numbers beside it, gives the same decision again, byte for byte. */
/* Covers: COL-OFC-006, COL-DEC-002 */
static void test_a_decision_is_made_again_from_its_record(void **state)
{
    (void)state;
    static const struct {
        uint32_t number;
        Coloan__V1__FundVerdict verdict;
    } rows[] = {{1, COLOAN__V1__FUND_VERDICT__FUND_VERDICT_MANUAL},
                {2, COLOAN__V1__FUND_VERDICT__FUND_VERDICT_SUPPLEMENT},
                {3, COLOAN__V1__FUND_VERDICT__FUND_VERDICT_APPROVE},
                {0, COLOAN__V1__FUND_VERDICT__FUND_VERDICT_APPROVE}};
    struct rulebook book;
    struct cl_setting_error error = {""};
    const char *const path = COLOAN_SOURCE_DIR "/rules/REF-NJ-2026-11.yaml";
    cl_arena_reset(arena);
    assert_true(cl_is_ok(rulebook_load(&book, &path, 1, NULL, &error)));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_answer answer;
        struct replay_source source;
        struct replay again;
        char difference[REPLAY_DIFFERENCE_BYTES_MAX] = "";
        assert_string_equal(decision_of(&answer, silent, rows[i].number), "OK");
        assert_int_equal(answer.opened.disclosure_count, 1);
        assert_value(&answer, "persons[0].id_number", persona_value("P21", "id_number"));
        assert_true(cl_is_ok(replay_read(&source, arena, answer.envelope)));
        assert_int_equal(source.record->verdict, rows[i].verdict);
        assert_string_equal(source.record->bank, WORLD_ALPHA);
        struct cl_status status = replay_decision(&again, arena, &source, &book.sets[0]);
        assert_string_equal(cl_status_name(status), "OK");
        if (!replay_same(&again, arena, source.record, difference)) {
            fail_msg("decision %u: %s", rows[i].number, difference);
        }
    }
    rulebook_free(&book);
    struct cl_answer answer;
    struct cl_digest before = everything();
    assert_refused("no such decision", decision_of(&answer, silent, 4), "DECISION_UNKNOWN", "number", &before);
    assert_refused("not decided", decision_of(&answer, young, 0), "DECISION_UNKNOWN", "number", &before);
    assert_refused("no case", decision_of(&answer, "01890a5d-ac96-774b-bcce-b302099a8057", 0), "APPLICATION_UNKNOWN",
                   "", &before);
}

/* -- Counters ------------------------------------------------------------------------------------------------ */

static uint64_t count_of(const Coloan__V1__Counters *counters, const char *who, Coloan__V1__OfficerStep step)
{
    for (size_t i = 0; i < counters->n_officers; i++) {
        if (strcmp(counters->officers[i]->officer, who) == 0 && counters->officers[i]->step == step) {
            return counters->officers[i]->count;
        }
    }
    return 0;
}

/* Covers: COL-OFC-005 */
static void test_what_officers_did_is_counted(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    Coloan__V1__CountersQuery body = COLOAN__V1__COUNTERS_QUERY__INIT;
    struct cl_session_call what = {
        .method = "coloan.v1.Review/GetCounters", .body = &body.base, .reply_type = &coloan__v1__counters__descriptor};
    const Coloan__V1__Counters *counters = (const Coloan__V1__Counters *)must(officer, &what);
    assert_int_equal(count_of(counters, WORLD_OFFICER, COLOAN__V1__OFFICER_STEP__OFFICER_STEP_SETTLE), 2);
    assert_int_equal(count_of(counters, WORLD_SECOND, COLOAN__V1__OFFICER_STEP__OFFICER_STEP_SETTLE), 1);
    assert_int_equal(count_of(counters, WORLD_OFFICER, COLOAN__V1__OFFICER_STEP__OFFICER_STEP_CONFIRM), 0);
    assert_int_equal(count_of(counters, WORLD_SECOND, COLOAN__V1__OFFICER_STEP__OFFICER_STEP_CONFIRM), 1);
    assert_int_equal(count_of(counters, WORLD_OFFICER, COLOAN__V1__OFFICER_STEP__OFFICER_STEP_PROPOSE), 5);
    bool found = false;
    for (size_t i = 0; i < counters->n_reasons; i++) {
        const Coloan__V1__ReasonCounter *row = counters->reasons[i];
        if (row->item == COLOAN__V1__ITEM__ITEM_MARRIAGE && strcmp(row->reason, "MAR-CONTRADICT") == 0) {
            found = true;
            assert_int_equal(row->overridden, 1);
            assert_int_equal(row->referred, 0);
        }
        if (row->item == COLOAN__V1__ITEM__ITEM_LOAN_HISTORY && strcmp(row->reason, "SYS-SOURCE") == 0) {
            assert_int_equal(row->referred, 1);
            assert_int_equal(row->settled, 1);
            assert_int_equal(row->overridden, 0);
        }
    }
    assert_true(found);
}

static void assert_metric(const char *metrics, const char *line)
{
    if (strstr(metrics, line) == NULL) {
        fail_msg("no %s", line);
    }
}

/* Told after the next sweep. */
static void test_operators_see_it_too(void **state)
{
    (void)state;
    const struct timespec pause = {.tv_nsec = 30000000};
    char *metrics = world_http_get(&world, "/metrics");
    for (int tries = 0; tries < 200 && strstr(metrics, "coloan_overrides_total{reason=\"MAR-CONTRADICT\"} 1") == NULL;
         tries++) {
        free(metrics);
        coloand_tick(world.server);
        (void)nanosleep(&pause, NULL);
        metrics = world_http_get(&world, "/metrics");
    }
    assert_metric(metrics, "\ncoloan_tasks_open{kind=\"item\"} 0\n");
    assert_metric(metrics, "\ncoloan_officer_steps_total{step=\"settle\"} 3\n");
    assert_metric(metrics, "\ncoloan_officer_steps_total{step=\"confirm\"} 1\n");
    assert_metric(metrics, "\ncoloan_referrals_total{reason=\"SYS-SOURCE\"} 2\n");
    assert_metric(metrics, "\ncoloan_referrals_total{reason=\"MAR-RECORD\"} 1\n");
    assert_metric(metrics, "\ncoloan_overrides_total{reason=\"MAR-CONTRADICT\"} 1\n");
    free(metrics);
}

int main(void)
{
    struct world_options options = {0};
    world_open(&world, &options);
    bool made = cl_is_ok(cl_arena_create(&arena, ARENA_BYTES));
    alpha = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    officer = world_session(&world, "officer", WORLD_KEY_OFFICER);
    second = world_session(&world, "second", WORLD_KEY_SECOND);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_task_says_why_a_person_is_needed),
        cmocka_unit_test(test_tasks_are_listed_by_page_and_filter),
        cmocka_unit_test(test_personal_values_go_beside_the_reply),
        cmocka_unit_test(test_get_task_shows_the_case),
        cmocka_unit_test(test_a_claim_is_one_officers_for_a_while),
        cmocka_unit_test(test_of_two_who_claim_at_once_one_gets_it),
        cmocka_unit_test(test_what_settles_nothing_is_refused),
        cmocka_unit_test(test_a_settled_case_is_approved),
        cmocka_unit_test(test_what_no_officer_may_change_is_refused),
        cmocka_unit_test(test_a_settled_item_changes_by_two_officers),
        cmocka_unit_test(test_a_proposal_is_withdrawn_expires_or_is_overtaken),
        cmocka_unit_test(test_the_centre_ends_what_nobody_confirmed),
        cmocka_unit_test(test_a_decision_is_made_again_from_its_record),
        cmocka_unit_test(test_what_officers_did_is_counted),
        cmocka_unit_test(test_operators_see_it_too),
    };
    int failures = made ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    cl_session_free(alpha);
    cl_session_free(officer);
    cl_session_free(second);
    cl_arena_free(arena);
    world_close(&world);
    return failures;
}
