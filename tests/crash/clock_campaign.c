/* clock_campaign: the centre's wall clock jumps while an application is submitted, verified, reported on and decided: by
 * a second up to a day in both directions, to 1970, to the last second of 32 bits, or it stands still. What was answered
 * is answered again with the same bytes whatever the clock says; what was refused for its time was not processed, and is
 * taken when the clock is right; there is one decision; and what is due is done once and not forgotten.
 *
 * The centre runs in this process. The bank's own clock is right. It reads answers by another clock that is far ahead,
 * so that one from the centre's wrong future is not refused on its side, where nothing is tried here. */
#include <coloan/v1/decision.pb-c.h>
#include <coloan/v1/verification.pb-c.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/log.h"
#include "libcoloan/sha256.h"
#include "server/domain/lifecycle.h"
#include "server/store/messages.h"
#include "tests/e2e/world.h"
#include "tests/support/campaign.h"

enum {
    ARENA_BYTES = 8 * 1024 * 1024,
    KEPT = 64, /* answered requests that are sent again under every clock */
    CALL_MS = 10000,
    WAIT_MS = 20000,
    LOOK_EVERY_MS = 2,
    JUMP_MS_MAX = 60, /* how long the clock is wrong while nobody asks */
};

#define JOINT           "coloan.v1.JointApproval/"
#define SECOND_MS       INT64_C(1000)
#define DAY_MS          (24 * 3600 * SECOND_MS)
#define END_32_MS       INT64_C(2147483647000)
#define READER_AHEAD_MS (800 * DAY_MS) /* keys are valid for 900 days */

static const struct jump {
    const char *name;
    int64_t by_ms;
    int64_t to_ms; /* 0: by_ms counts */
    bool stands;
} jumps[] = {
    {"1 s ahead", SECOND_MS, 0, false},
    {"1 s back", -SECOND_MS, 0, false},
    {"5 min ahead", 300 * SECOND_MS, 0, false},
    {"5 min back", -300 * SECOND_MS, 0, false},
    {"1 h ahead", 3600 * SECOND_MS, 0, false},
    {"1 h back", -3600 * SECOND_MS, 0, false},
    {"1 day ahead", DAY_MS, 0, false},
    {"1 day back", -DAY_MS, 0, false},
    {"1970", 0, 1, false},
    {"2038", 0, END_32_MS, false},
    {"standing still", 0, 0, true},
};
enum { JUMPS = sizeof jumps / sizeof jumps[0] };

struct kept {
    struct cl_request request; /* its bytes are `envelope` */
    uint8_t *envelope;
    struct cl_digest reply;
};

static struct campaign campaign;
static struct world world;
static struct cl_session *maker, *reader;
static struct cl_arena *arena;
static struct kept kept[KEPT];
static char application_id[64];
static const struct jump *jump;
static bool planted;

static uint64_t refused_for_time, taken_in_spite, repeated, decided, not_offered, due_steps;

static const struct campaign_count told[] = {
    {"refused_for_time", &refused_for_time},
    {"taken_in_spite", &taken_in_spite},
    {"repeated", &repeated},
    {"decided", &decided},
    {"not_offered", &not_offered},
    {"due_steps", &due_steps},
};

/* -- The planted fault: the centre looks at the time before it looks for duplicates ---------------------------- */

struct cl_status __real_messages_find_duplicate(struct message_duplicate *out, struct sql *sql, struct cl_arena *memory,
                                                const char *sender, const uint8_t message_id[MESSAGE_ID_BYTES]);
struct cl_status __wrap_messages_find_duplicate(struct message_duplicate *out, struct sql *sql, struct cl_arena *memory,
                                                const char *sender, const uint8_t message_id[MESSAGE_ID_BYTES]);

struct cl_status __wrap_messages_find_duplicate(struct message_duplicate *out, struct sql *sql, struct cl_arena *memory,
                                                const char *sender, const uint8_t message_id[MESSAGE_ID_BYTES])
{
    bool wrong = world.server_ahead_ms != 0; /* then the time would have refused it */
    if (planted && wrong) {
        *out = (struct message_duplicate){.found = false};
        return cl_ok();
    }
    return __real_messages_find_duplicate(out, sql, memory, sender, message_id);
}

/* -- Clocks --------------------------------------------------------------------------------------------------- */

static int64_t reader_unix_ms(void *user)
{
    (void)user;
    return cl_clock_unix_ms(cl_clock_system()) + READER_AHEAD_MS;
}

static int64_t reader_monotonic_ms(void *user)
{
    (void)user;
    return cl_clock_monotonic_ms(cl_clock_system());
}

static const struct cl_clock reader_clock = {.unix_ms = reader_unix_ms, .monotonic_ms = reader_monotonic_ms};

static void set_clock(const struct jump *to)
{
    int64_t now_ms = world_now_ms(&world);
    int64_t ahead_ms = to == NULL ? 0 : to->to_ms != 0 ? to->to_ms - now_ms : to->by_ms;
    __atomic_store_n(&world.server_ahead_ms, ahead_ms, __ATOMIC_RELAXED);
    __atomic_store_n(&world.server_stands_ms, to != NULL && to->stands ? now_ms : 0, __ATOMIC_RELAXED);
}

/* The server is kept company meanwhile, as its main thread would. */
static void let_pass(int64_t ms)
{
    for (int64_t passed_ms = 0; passed_ms < ms; passed_ms += LOOK_EVERY_MS) {
        coloand_tick(world.server);
        (void)poll(NULL, 0, LOOK_EVERY_MS);
    }
}

/* -- Calls ---------------------------------------------------------------------------------------------------- */

static struct cl_status send_once(struct cl_answer *out, const struct cl_request *request)
{
    return cl_session_send(out, reader, arena, request, (struct cl_patience){.attempt_ms = CALL_MS});
}

/* At the right time. A certificate that seemed to have expired has cost the connection, and gRPC waits before another. */
static struct cl_status send(struct cl_answer *out, const struct cl_request *request)
{
    return cl_session_send(out, reader, arena, request,
                           (struct cl_patience){.attempt_ms = CALL_MS, .total_ms = 2 * CALL_MS});
}

static bool is_processed(const struct cl_request *request)
{
    struct sql_health health = {.failed = false};
    struct sql *sql = NULL;
    struct message_row row;
    bool found = false;
    struct cl_status status = sql_open(&sql, pki_files_path(&world.files, "coloan.db"), SQL_READ, &health);
    if (cl_is_ok(status)) {
        status = messages_get(&found, &row, sql, arena, &request->digest);
    }
    if (cl_failed(status)) {
        campaign_violated(&campaign, "the database cannot be read: %s", cl_status_name(status));
    }
    sql_close(sql);
    return found;
}

static void keep(const struct cl_request *request, struct cl_bytes reply, uint64_t *dice)
{
    struct kept *place = &kept[campaign_dice(dice, KEPT)];
    free(place->envelope);
    place->envelope = malloc(request->envelope.len);
    if (place->envelope == NULL) {
        return;
    }
    memcpy(place->envelope, request->envelope.data, request->envelope.len);
    place->request = *request;
    place->request.envelope = cl_bytes(place->envelope, request->envelope.len);
    cl_sha256(&place->reply, reply);
}

/* Certificate and key are judged before the message, and are not for ever. */
static bool is_for_identity(struct cl_status status)
{
    return status.reason == CL_CERTIFICATE_EXPIRED || status.reason == CL_PEER_UNREACHABLE ||
           status.reason == CL_KEY_NOT_VALID;
}

/* The same bytes get the same answer, whatever the clock says. */
static void repeat(const struct kept *entry, const char *when)
{
    struct cl_answer answer;
    struct cl_digest reply;
    cl_arena_reset(arena);
    struct cl_status status = send_once(&answer, &entry->request);
    if (is_for_identity(status)) {
        return;
    }
    cl_sha256(&reply, answer.envelope);
    repeated++;
    if (cl_failed(status) || !cl_digest_equal(&reply, &entry->reply)) {
        campaign_violated(&campaign, "%s: %s, answered before, came again and got %s", when, entry->request.method,
                          cl_failed(status) ? cl_status_name(status) : "another answer");
    }
}

static bool is_for_time(struct cl_status status)
{
    return status.reason == CL_EXPIRED || status.reason == CL_CREATED_IN_FUTURE;
}

/* Sends at the wrong time, then at the right one, then at the wrong one again. NULL when it was not taken. */
static const ProtobufCMessage *call(const struct cl_session_call *what, uint64_t *dice)
{
    struct cl_request request;
    struct cl_answer answer;
    struct cl_status status = cl_session_prepare(&request, maker, arena, what);
    if (cl_failed(status)) {
        campaign_violated(&campaign, "%s cannot be prepared: %s", what->method, cl_status_name(status));
        return NULL;
    }
    set_clock(jump);
    status = send_once(&answer, &request);
    set_clock(NULL);
    if (cl_failed(status)) {
        refused_for_time += is_for_time(status);
        if (is_for_time(status) && answer.refused && is_processed(&request)) {
            campaign_violated(&campaign, "%s: %s was refused with %s and is processed", jump->name, what->method,
                              cl_status_name(status));
        }
        status = send(&answer, &request);
    } else {
        taken_in_spite++;
    }
    if (cl_failed(status)) {
        campaign_violated(&campaign, "after %s, %s was refused: %s %s", jump->name, what->method,
                          cl_status_name(status), answer.field);
        return NULL;
    }
    request.method = what->method; /* outlives the arena */
    keep(&request, answer.envelope, dice);
    return answer.body;
}

/* -- One application ------------------------------------------------------------------------------------------ */

static bool submit(const json_t *person, uint64_t *dice)
{
    char reference[32];
    struct world_submission submission;
    (void)snprintf(reference, sizeof reference, "C-%" PRIu64, campaign.run);
    world_submission(&submission, arena, person, WORLD_ALPHA, reference);
    struct cl_session_call what = world_submit_call(&submission);
    const Coloan__V1__ApplicationReceipt *receipt = (const Coloan__V1__ApplicationReceipt *)call(&what, dice);
    if (receipt != NULL) {
        (void)snprintf(application_id, sizeof application_id, "%s", receipt->application_id);
    }
    return receipt != NULL;
}

static const Coloan__V1__ApplicationView *view(void)
{
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    struct cl_request request;
    struct cl_answer answer = {.body = NULL};
    query.application_id = application_id;
    query.with_timeline = 1;
    struct cl_session_call what = {
        .method = JOINT "GetApplication", .body = &query.base, .reply_type = &coloan__v1__application_view__descriptor};
    struct cl_status status = cl_session_prepare(&request, maker, arena, &what);
    if (cl_is_ok(status)) {
        status = send(&answer, &request);
    }
    if (cl_failed(status)) {
        campaign_violated(&campaign, "the application cannot be seen: %s", cl_status_name(status));
    }
    return cl_is_ok(status) ? (const Coloan__V1__ApplicationView *)answer.body : NULL;
}

/* Until the case is past verifying; NULL on a violation. */
static const Coloan__V1__ApplicationView *wait_for_fund(void)
{
    const Coloan__V1__ApplicationView *seen = view();
    for (int waited_ms = 0; seen != NULL && seen->status->state == COLOAN__V1__CASE_STATE__CASE_STATE_VERIFYING;
         waited_ms += LOOK_EVERY_MS) {
        if (waited_ms >= WAIT_MS) {
            campaign_violated(&campaign, "after %s the fund does not decide", jump->name);
            return NULL;
        }
        let_pass(LOOK_EVERY_MS);
        cl_arena_reset(arena);
        seen = view();
    }
    return seen;
}

static void report(const json_t *person, uint64_t *dice)
{
    struct cl_session_call what = {.method = JOINT "ReportVerifications",
                                   .body = &world_bank_report(arena, person)->base,
                                   .reply_type = &coloan__v1__application_status__descriptor,
                                   .application_id = application_id};
    (void)call(&what, dice);
}

static void decide(const Coloan__V1__ApplicationView *seen, uint64_t *dice)
{
    Coloan__V1__BankDecision decision = COLOAN__V1__BANK_DECISION__INIT;
    decision.offer_version = seen->status->offer_version;
    decision.terms_digest = seen->offer->terms_digest;
    decision.bank_epoch = seen->status->bank_epoch;
    decision.verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_APPROVE;
    decision.bank_reference = seen->status->external_ref;
    struct cl_session_call what = {.method = JOINT "ReportBankDecision",
                                   .body = &decision.base,
                                   .reply_type = &coloan__v1__joint_outcome__descriptor,
                                   .application_id = application_id};
    decided += call(&what, dice) != NULL;
}

/* -- What is due ---------------------------------------------------------------------------------------------- */

/* The answer to a question with up to two values. */
static int64_t count_rows(const char *text, int first, int second)
{
    struct sql_health health = {.failed = false};
    struct sql *sql = NULL;
    struct sql_statement *statement = NULL;
    bool row = false;
    int64_t count = -1;
    struct cl_status status = sql_open(&sql, pki_files_path(&world.files, "coloan.db"), SQL_READ, &health);
    if (cl_is_ok(status)) {
        status = sql_prepare(&statement, sql, text);
    }
    if (cl_is_ok(status) && strstr(text, "$1") != NULL) {
        sql_bind_i64(statement, 1, first);
    }
    if (cl_is_ok(status) && strstr(text, "$2") != NULL) {
        sql_bind_i64(statement, 2, second);
    }
    if (cl_is_ok(status)) {
        status = sql_step(&row, statement);
    }
    if (cl_is_ok(status) && row) {
        count = sql_column_i64(statement, 0);
        sql_finish(statement);
    }
    sql_close(sql);
    return count;
}

static void check_due(void)
{
    static const char forgotten[] = "SELECT count(*) FROM due WHERE at_ms < unixepoch() * 1000 - 5000";
    static const char doubled[] = "SELECT count(*) FROM (SELECT 1 FROM case_log WHERE command IN ($1, $2)"
                                  " GROUP BY application_id, command HAVING count(*) > 1)";
    static const char decisions[] = "SELECT count(*) FROM decisions WHERE outcome = $1";
    static const char steps[] = "SELECT count(*) FROM case_log WHERE command IN ($1, $2)";
    for (int waited_ms = 0; count_rows(forgotten, 0, 0) != 0 && waited_ms < WAIT_MS; waited_ms += LOOK_EVERY_MS) {
        let_pass(LOOK_EVERY_MS);
    }
    if (count_rows(forgotten, 0, 0) != 0) {
        campaign_violated(&campaign, "after %s something due is not done", jump->name);
    }
    if (count_rows(doubled, COMMAND_DEADLINE, COMMAND_EXPIRE) != 0) {
        campaign_violated(&campaign, "after %s something due was done twice", jump->name);
    }
    int64_t approved = count_rows(decisions, COLOAN__V1__OUTCOME__OUTCOME_APPROVED_COMBINED, 0);
    if (approved != (int64_t)decided) {
        campaign_violated(&campaign, "%" PRIu64 " were approved, and there are %" PRId64 " decisions", decided,
                          approved);
    }
    due_steps = (uint64_t)count_rows(steps, COMMAND_DEADLINE, COMMAND_EXPIRE);
}

/* -- Runs ----------------------------------------------------------------------------------------------------- */

/* The clock is wrong for a while, with nobody asking: authorities answer, and what is due is looked at. */
static void let_clock_be_wrong(uint64_t *dice)
{
    set_clock(jump);
    let_pass((int64_t)campaign_dice(dice, JUMP_MS_MAX));
    set_clock(NULL);
}

static void run_application(uint64_t *dice)
{
    json_t *person = people_make_generated(campaign.run);
    if (person == NULL || !submit(person, dice)) {
        json_decref(person);
        return;
    }
    let_clock_be_wrong(dice);
    const Coloan__V1__ApplicationView *seen = view();
    bool open = seen != NULL && seen->status->state == COLOAN__V1__CASE_STATE__CASE_STATE_VERIFYING;
    if (open) {
        report(person, dice);
        seen = campaign_is_violated(&campaign) ? NULL : wait_for_fund();
    }
    json_decref(person);
    if (seen == NULL) {
        return;
    }
    if (seen->status->state == COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED) {
        decide(seen, dice);
    } else {
        not_offered++; /* ended by time, or generated so that a person has to look */
    }
}

static void run_one(void)
{
    uint64_t dice = campaign_seed_of_run(&campaign);
    jump = &jumps[campaign_dice(&dice, JUMPS)];
    cl_arena_reset(arena);
    run_application(&dice);
    check_due();
    const struct kept *entry = &kept[campaign_dice(&dice, KEPT)];
    if (entry->envelope != NULL && !campaign_is_violated(&campaign)) {
        set_clock(&jumps[campaign_dice(&dice, JUMPS)]);
        repeat(entry, jump->name);
        set_clock(NULL);
    }
}

static void repeat_all(void)
{
    for (size_t i = 0; i < (size_t)KEPT * JUMPS && !campaign_is_violated(&campaign); i++) {
        const struct kept *entry = &kept[i % KEPT];
        if (entry->envelope != NULL) {
            set_clock(&jumps[i / KEPT]);
            repeat(entry, jumps[i / KEPT].name);
        }
    }
    set_clock(NULL);
}

static const struct campaign_option options[] = {
    {"plant", NULL, "judges the time before it looks for duplicates, which has to be found", .flag = &planted},
};

static const struct campaign_plan plan = {
    .name = "clock",
    .purpose = "the centre's wall clock jumps; nothing is lost or doubled, and EXPIRED means never processed",
    .a_run = "an application, with one kind of jump at each of its steps",
    .runs = 500,
    .group = UINT32_MAX,
    .examples = "  ./dev campaign clock --runs 5000 --seed 7\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .counts = told,
    .count_count = sizeof told / sizeof told[0],
};

int main(int argc, char **argv)
{
    int result = EXIT_FAILURE;
    struct world_options centre = {.extra = "calls_per_second: 1000000\nburst: 1000000\n"};
    if (!campaign_begin(&campaign, &result, &plan, argc, argv)) {
        return result;
    }
    world_open(&world, &centre);
    maker = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    reader = world_session_by(&world, &reader_clock, "alpha", WORLD_KEY_ALPHA);
    if (cl_failed(cl_arena_create(&arena, ARENA_BYTES))) {
        campaign_violated(&campaign, "there is no memory");
    }
    while (campaign_next(&campaign)) {
        run_one();
    }
    repeat_all();
    result = campaign_end(&campaign);
    for (size_t i = 0; i < KEPT; i++) {
        free(kept[i].envelope);
    }
    cl_arena_free(arena);
    cl_session_free(maker);
    cl_session_free(reader);
    world_close(&world);
    return result;
}
