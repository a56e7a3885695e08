/* Events that a bank will not take, parks, has once more, fetches and compares: over real TLS, on a stream and without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <unistd.h>

#include "libcoloan/chain.h"
#include "server/cases/delivery.h"
#include "server/push/lane.h"
#include "tests/e2e/world.h"

enum { ARENA_BYTES = 16 * 1024 * 1024, WAIT_MS = 10000, QUIET_MS = 600 };

static struct world world;
static struct cl_session *alpha, *beta, *officer;
static struct cl_arena *arena;
static char first[64], second[64]; /* applications: alpha's events 1 and 2 tell of them */

static void connect_all(void)
{
    alpha = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    beta = world_session(&world, "beta", WORLD_KEY_BETA);
    officer = world_session(&world, "officer", WORLD_KEY_OFFICER);
}

static void disconnect(void)
{
    cl_session_free(alpha);
    cl_session_free(beta);
    cl_session_free(officer);
}

/* -- Help ----------------------------------------------------------------------------------------------------- */

static const ProtobufCMessage *ask(struct cl_session *session, const struct cl_session_call *what, const char *expected)
{
    struct cl_answer answer;
    struct cl_status status = cl_session_call(&answer, session, arena, what, (struct cl_patience){.total_ms = WAIT_MS});
    assert_string_equal(cl_status_name(status), expected);
    return answer.body;
}

static void submit(char out[64], const char *persona)
{
    struct world_submission submission;
    world_submission(&submission, arena, people_find(world.people, persona), WORLD_ALPHA, persona);
    struct cl_session_call what = world_submit_call(&submission);
    const ProtobufCMessage *body = ask(alpha, &what, "OK");
    (void)snprintf(out, 64, "%s", ((const Coloan__V1__ApplicationReceipt *)body)->application_id);
}

static void report(const char *application_id, const char *persona)
{
    struct cl_session_call what = {
        .method = "coloan.v1.JointApproval/ReportVerifications",
        .body = &world_bank_report(arena, people_find(world.people, persona))->base,
        .reply_type = &coloan__v1__application_status__descriptor,
        .application_id = application_id,
    };
    (void)ask(alpha, &what, "OK");
}

static struct cl_delivery *open_stream(uint64_t after, uint64_t epoch)
{
    struct cl_deliver_options options = {
        .resume_after = after, .epoch = epoch, .max_outstanding = 10, .session_id = {(uint8_t)epoch}};
    struct cl_delivery *delivery = NULL;
    assert_true(cl_is_ok(cl_session_deliver_open(&delivery, alpha, &options)));
    return delivery;
}

static struct cl_delivered next(struct cl_delivery *delivery, int64_t wait_ms)
{
    struct cl_delivered delivered;
    do {
        struct cl_status status = cl_session_deliver_next(&delivered, delivery, arena, wait_ms);
        assert_string_equal(cl_status_name(status), "OK");
    } while (delivered.kind == CL_DELIVERED_HEARTBEAT);
    return delivered;
}

static struct cl_delivered next_event(struct cl_delivery *delivery, uint64_t sequence, bool again)
{
    struct cl_delivered delivered = next(delivery, WAIT_MS);
    assert_int_equal(delivered.kind, CL_DELIVERED_EVENT);
    assert_int_equal(delivered.sequence, sequence);
    assert_int_equal(delivered.again, again);
    return delivered;
}

static void assert_quiet(struct cl_delivery *delivery)
{
    struct cl_delivered delivered = next(delivery, QUIET_MS);
    if (delivered.kind == CL_DELIVERED_END) {
        fail_msg("the stream was ended: %s", cl_status_name(delivered.ended));
    }
    assert_int_equal(delivered.kind, CL_DELIVERED_NOTHING);
}

static void receive(struct cl_delivery *delivery, const struct cl_delivered *event)
{
    struct cl_deliver_ack ack = {.sequence = event->sequence,
                                 .digest = event->opened.digest,
                                 .level = COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED};
    assert_true(cl_is_ok(cl_session_deliver_ack(delivery, arena, &ack)));
}

static void refuse(struct cl_delivery *delivery, const struct cl_delivered *event, int64_t delay_ms, const char *reason)
{
    struct cl_deliver_nack nack = {
        .sequence = event->sequence, .digest = event->opened.digest, .delay_ms = delay_ms, .reason = reason};
    assert_true(cl_is_ok(cl_session_deliver_nack(delivery, arena, &nack)));
}

static const char *ended_by(struct cl_delivery *delivery)
{
    struct cl_delivered delivered = next(delivery, WAIT_MS);
    while (delivered.kind == CL_DELIVERED_EVENT) {
        delivered = next(delivery, WAIT_MS);
    }
    assert_int_equal(delivered.kind, CL_DELIVERED_END);
    return cl_status_name(delivered.ended);
}

static const Coloan__V1__EventList *list(struct cl_session *session, const Coloan__V1__EventListQuery *query,
                                         const char *expected)
{
    struct cl_session_call what = {.method = "coloan.v1.JointApproval/ListEvents",
                                   .body = &query->base,
                                   .reply_type = &coloan__v1__event_list__descriptor};
    return (const Coloan__V1__EventList *)ask(session, &what, expected);
}

static const Coloan__V1__EventList *list_pending(void)
{
    Coloan__V1__EventListQuery query = COLOAN__V1__EVENT_LIST_QUERY__INIT;
    query.limit = 100;
    query.pending = 1;
    return list(alpha, &query, "OK");
}

static const Coloan__V1__EventList *steer(struct cl_session *session, const char *recipient,
                                          Coloan__V1__SteeringAction action, uint64_t from, uint64_t to,
                                          const char *expected)
{
    Coloan__V1__EventSteering body = COLOAN__V1__EVENT_STEERING__INIT;
    body.recipient = cl_arena_text(arena, recipient);
    body.action = action;
    body.from = from;
    body.to = to;
    body.note = cl_arena_text(arena, "core was down");
    struct cl_session_call what = {.method = "coloan.v1.JointApproval/SteerEvents",
                                   .body = &body.base,
                                   .reply_type = &coloan__v1__event_list__descriptor};
    return (const Coloan__V1__EventList *)ask(session, &what, expected);
}

static const Coloan__V1__EventView *view(struct cl_session *session, const char *recipient, uint64_t sequence,
                                         const char *expected, size_t *disclosures_out)
{
    Coloan__V1__EventQuery body = COLOAN__V1__EVENT_QUERY__INIT;
    struct cl_answer answer;
    body.recipient = cl_arena_text(arena, recipient);
    body.sequence = sequence;
    struct cl_session_call what = {.method = "coloan.v1.JointApproval/GetEvent",
                                   .body = &body.base,
                                   .reply_type = &coloan__v1__event_view__descriptor};
    struct cl_status status = cl_session_call(&answer, session, arena, &what, (struct cl_patience){0});
    assert_string_equal(cl_status_name(status), expected);
    *disclosures_out = answer.opened.disclosure_count;
    return (const Coloan__V1__EventView *)answer.body;
}

/* -- Refusing ------------------------------------------------------------------------------------------------- */

/* Covers: COL-DEL-022, COL-DEL-023, COL-DEL-024 */
static void test_a_refused_event_blocks_only_its_own_case(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    struct cl_delivery *stream = open_stream(0, 1);
    struct cl_delivered one = next_event(stream, 1, false);
    struct cl_delivered two = next_event(stream, 2, false);
    refuse(stream, &one, 3600 * 1000, "CORE_DOWN");
    receive(stream, &two);
    report(first, "P01"); /* makes event 3, of the refused event's case */
    struct cl_delivered held = next(stream, WAIT_MS);
    assert_int_equal(held.kind, CL_DELIVERED_HELD);
    assert_int_equal(held.from, 3);
    assert_int_equal(held.to, 3);
    report(second, "P03"); /* and 4, of the other */
    struct cl_delivered four = next_event(stream, 4, false);
    receive(stream, &four);
    const Coloan__V1__EventList *pending = list_pending();
    assert_int_equal(pending->n_events, 2);
    assert_int_equal(pending->events[0]->state, COLOAN__V1__DELIVERY_STATE__DELIVERY_STATE_WAITING);
    assert_string_equal(pending->events[0]->reason, "CORE_DOWN");
    assert_int_equal(pending->events[0]->tries, 1);
    assert_int_equal(pending->events[1]->state, COLOAN__V1__DELIVERY_STATE__DELIVERY_STATE_PENDING);
    assert_int_equal(pending->head, 4);
    assert_int_equal(pending->received_floor, 0);
    cl_session_deliver_close(stream);

    disconnect();
    world_restart(&world); /* what was refused is known over a restart, and over another session */
    connect_all();
    stream = open_stream(4, 2);
    assert_quiet(stream);
    cl_session_deliver_close(stream);
    world.ahead_ms += 3600 * 1000;
    stream = open_stream(4, 3);
    one = next_event(stream, 1, true);
    assert_quiet(stream);
    receive(stream, &one);
    struct cl_delivered three = next_event(stream, 3, true);
    receive(stream, &three);
    assert_quiet(stream);
    pending = list_pending();
    assert_int_equal(pending->n_events, 0);
    assert_int_equal(pending->received_floor, 4);
    cl_session_deliver_close(stream);
}

/* Covers: COL-DEL-022 */
static void test_refusals_that_do_not_fit_end_the_stream(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t sequence;
        bool other_digest;
        int64_t delay_ms;
        const char *reason, *expected;
    } rows[] = {
        {"a delay below zero", 1, false, -1, "X", "FIELD_INVALID"},
        {"a delay of more than a day", 1, false, DELIVERY_DELAY_MS_MAX + 1, "X", "FIELD_INVALID"},
        {"no reason", 1, false, 0, "", "FIELD_INVALID"},
        {"a sentence for a reason", 1, false, 0, "the core is down", "FIELD_INVALID"},
        {"another digest", 1, true, 0, "X", "ACK_WRONG"},
        {"never sent", 99, false, 0, "X", "EVENT_UNKNOWN"},
        {"acknowledged before", 1, false, 0, "X", "ACK_WRONG"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cl_arena_reset(arena);
        struct cl_delivery *stream = open_stream(0, 10 + i);
        struct cl_delivered event = next_event(stream, 1, false);
        event.sequence = rows[i].sequence;
        event.opened.digest.bytes[0] ^= rows[i].other_digest ? 1 : 0;
        refuse(stream, &event, rows[i].delay_ms, rows[i].reason);
        const char *ended = ended_by(stream);
        if (strcmp(ended, rows[i].expected) != 0) {
            fail_msg("%s: %s", rows[i].name, ended);
        }
        cl_session_deliver_close(stream);
    }
}

/* Covers: COL-DEL-026 */
static void test_an_event_refused_too_often_is_parked_and_let_go(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    char third[64];
    submit(third, "P05"); /* event 5 */
    struct cl_delivery *stream = open_stream(4, 30);
    struct cl_delivered event = next_event(stream, 5, false);
    for (int i = 1; i < DELIVERY_REFUSALS_MAX; i++) {
        refuse(stream, &event, 0, "NOT_UNDERSTOOD");
        event = next_event(stream, 5, true);
    }
    refuse(stream, &event, 0, "NOT_UNDERSTOOD");
    assert_quiet(stream);
    cl_session_deliver_close(stream);
    world.ahead_ms += 24 * 3600 * 1000;
    stream = open_stream(5, 31);
    assert_quiet(stream);
    const Coloan__V1__EventList *pending = list_pending();
    assert_int_equal(pending->n_events, 1);
    assert_int_equal(pending->events[0]->state, COLOAN__V1__DELIVERY_STATE__DELIVERY_STATE_PARKED);
    char *metrics = world_http_get(&world, "/metrics");
    assert_non_null(strstr(metrics, "coloan_events_parked_total 1"));
    free(metrics);

    (void)steer(alpha, "", COLOAN__V1__STEERING_ACTION__STEERING_ACTION_REPLAY, 5, 5, "STATE_CONFLICT");
    (void)steer(officer, WORLD_ALPHA, COLOAN__V1__STEERING_ACTION__STEERING_ACTION_UNPARK, 5, 5, "OK");
    event = next_event(stream, 5, true);
    receive(stream, &event);
    assert_quiet(stream);
    (void)steer(officer, WORLD_ALPHA, COLOAN__V1__STEERING_ACTION__STEERING_ACTION_UNPARK, 5, 5, "STATE_CONFLICT");
    (void)steer(officer, WORLD_ALPHA, COLOAN__V1__STEERING_ACTION__STEERING_ACTION_PARK, 5, 5, "STATE_CONFLICT");
    cl_session_deliver_close(stream);
}

/* So much time goes by, as the server sees it; the frame has it look. */
static void wait_long(struct cl_delivery *stream, int64_t wait_ms)
{
    (void)__atomic_add_fetch(&world.server_elapsed_ms, wait_ms, __ATOMIC_RELAXED);
    assert_true(cl_is_ok(cl_session_deliver_credit(stream, arena, 1)));
}

/* Covers: COL-DEL-025 */
static void test_progress_keeps_an_event_from_coming_again(void **state)
{
    (void)state;
    enum { LEASE_MS = 30 * 1000, MOST_MS = 20 * 1000 };
    cl_arena_reset(arena);
    struct cl_delivery *stream = open_stream(5, 50);
    char another[64];
    submit(another, "P04"); /* event 6 */
    struct cl_delivered event = next_event(stream, 6, false);
    wait_long(stream, MOST_MS);
    assert_quiet(stream);
    assert_true(cl_is_ok(cl_session_deliver_in_progress(stream, arena, 6)));
    assert_quiet(stream); /* and by now it was heard */
    wait_long(stream, MOST_MS);
    assert_quiet(stream);
    wait_long(stream, LEASE_MS);
    event = next_event(stream, 6, true);
    receive(stream, &event);
    assert_quiet(stream);
    wait_long(stream, 2 * LEASE_MS);
    assert_quiet(stream);
    cl_session_deliver_close(stream);
}

/* Holds the writer back until everything was sent, or what was sent has to wait. */
static struct {
    sqlite3 *database;
    atomic_bool all_sent;
} hold;

static void *hold_back(void *argument)
{
    enum { LONGEST_MS = 3000, STEP_MS = 50 };
    (void)argument;
    for (int ms = 0; ms < LONGEST_MS && !atomic_load(&hold.all_sent); ms += STEP_MS) {
        (void)usleep(STEP_MS * 1000);
    }
    (void)usleep(10 * STEP_MS * 1000); /* all of it arrives */
    assert(sqlite3_exec(hold.database, "ROLLBACK", NULL, NULL, NULL) == SQLITE_OK);
    return NULL;
}

/* Covers: COL-DEL-010 */
static void test_acknowledgements_wait_for_the_writer(void **state)
{
    (void)state;
    enum { ACKNOWLEDGEMENTS = 6000 }; /* the writer's queue holds fewer */
    pthread_t thread;
    cl_arena_reset(arena);
    struct cl_delivery *stream = open_stream(5, 60);
    struct cl_delivered event = next_event(stream, 6, false);
    assert_int_equal(sqlite3_open(pki_files_path(&world.files, "coloan.db"), &hold.database), SQLITE_OK);
    assert_int_equal(sqlite3_busy_timeout(hold.database, WAIT_MS), SQLITE_OK);
    assert_int_equal(sqlite3_exec(hold.database, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(pthread_create(&thread, NULL, hold_back, NULL), 0);
    struct cl_arena_mark mark = cl_arena_mark(arena);
    for (int i = 0; i < ACKNOWLEDGEMENTS; i++) {
        receive(stream, &event);
        cl_arena_rewind(arena, &mark);
    }
    atomic_store(&hold.all_sent, true);
    (void)pthread_join(thread, NULL);
    assert_int_equal(sqlite3_close(hold.database), SQLITE_OK);
    assert_quiet(stream);
    cl_session_deliver_close(stream);
}

/* -- Without a stream ----------------------------------------------------------------------------------------- */

/* Covers: COL-DEL-027 */
static void test_a_replay_is_the_same_event(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    size_t disclosures = 0;
    const Coloan__V1__EventView *kept = view(alpha, "", 1, "OK", &disclosures);
    const Coloan__V1__EventList *asked =
        steer(alpha, WORLD_ALPHA, COLOAN__V1__STEERING_ACTION__STEERING_ACTION_REPLAY, 1, 2, "OK");
    assert_int_equal(asked->n_events, 2);
    assert_true(asked->events[0]->asked_again);
    assert_int_equal(asked->events[0]->state, COLOAN__V1__DELIVERY_STATE__DELIVERY_STATE_RECEIVED);
    struct cl_delivery *stream = open_stream(5, 40);
    struct cl_delivered one = next_event(stream, 1, true);
    struct cl_delivered two = next_event(stream, 2, true);
    assert_memory_equal(one.opened.digest.bytes, kept->event->digest.data, CL_DIGEST_BYTES);
    receive(stream, &one);
    receive(stream, &two);
    assert_quiet(stream);
    assert_int_equal(list_pending()->n_events, 0);
    cl_session_deliver_close(stream);
}

/* Covers: COL-DEL-028 */
/* Covers: COL-DEL-028 */
static void test_events_are_fetched_and_acknowledged_without_a_stream(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    char fourth[64];
    submit(fourth, "P02"); /* event 7 */
    const Coloan__V1__EventList *pending = list_pending();
    assert_int_equal(pending->n_events, 1);
    const Coloan__V1__EventState *event = pending->events[0];
    assert_int_equal(event->sequence, 7);
    assert_string_equal(event->application_id, fourth);
    assert_true(event->envelope.len > 0);

    size_t disclosures = 0;
    const Coloan__V1__EventView *fetched = view(alpha, "", 7, "OK", &disclosures);
    assert_true(disclosures >= 4); /* as beside the event on a stream */
    assert_int_equal(fetched->event->envelope.len, event->envelope.len);

    Coloan__V1__Ack ack = COLOAN__V1__ACK__INIT;
    struct cl_digest digest;
    ack.sequence = 7;
    ack.level = COLOAN__V1__ACK_LEVEL__ACK_LEVEL_APPLIED;
    ack.bank_reference = cl_arena_text(arena, "core-7");
    memcpy(digest.bytes, event->digest.data, sizeof digest.bytes);
    struct cl_session_call what = {.method = "coloan.v1.JointApproval/AcknowledgeEvent",
                                   .body = &ack.base,
                                   .reply_type = &coloan__v1__event_state__descriptor,
                                   .acknowledges = &digest};
    const Coloan__V1__EventState *acked = (const Coloan__V1__EventState *)ask(alpha, &what, "OK");
    assert_int_equal(acked->state, COLOAN__V1__DELIVERY_STATE__DELIVERY_STATE_APPLIED);
    assert_string_equal(acked->bank_reference, "core-7");
    (void)ask(beta, &what, "EVENT_UNKNOWN");
    digest.bytes[0] ^= 1;
    (void)ask(alpha, &what, "ACK_WRONG");
    assert_int_equal(list_pending()->n_events, 0);
    fetched = view(alpha, "", 7, "OK", &disclosures);
    assert_true(fetched->applied_envelope.len > 0 && fetched->received_envelope.len > 0);
    fetched = view(officer, WORLD_ALPHA, 5, "OK", &disclosures);
    assert_int_equal(disclosures, 0);
    assert_int_equal(fetched->event->envelope.len, 0);
    assert_int_equal(fetched->n_notes, DELIVERY_REFUSALS_MAX + 2); /* refused, parked, let go */
    assert_int_equal(fetched->notes[0]->step, COLOAN__V1__DELIVERY_STEP__DELIVERY_STEP_REFUSED);
    assert_string_equal(fetched->notes[0]->by, WORLD_ALPHA);
    assert_string_equal(fetched->notes[fetched->n_notes - 1]->by, WORLD_OFFICER);
}

/* Covers: COL-DEL-028 */
static void test_nobody_sees_or_steers_anothers_events(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    static char none[] = "";
    static char alphas[] = WORLD_ALPHA;
    static char betas[] = WORLD_BETA;
    static char officers[] = WORLD_OFFICER;
    const struct {
        struct cl_session *session;
        char *recipient;
        uint32_t limit;
        const char *expected;
    } rows[] = {
        {alpha, none, 10, "OK"},
        {alpha, alphas, 10, "OK"},
        {alpha, betas, 10, "BANK_UNKNOWN"},
        {officer, alphas, 10, "OK"},
        {officer, none, 10, "FIELD_MISSING"},
        {officer, officers, 10, "BANK_UNKNOWN"},
        {alpha, none, 0, "FIELD_INVALID"},
        {alpha, none, 101, "FIELD_INVALID"},
        {beta, none, 10, "OK"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Coloan__V1__EventListQuery query = COLOAN__V1__EVENT_LIST_QUERY__INIT;
        query.recipient = rows[i].recipient;
        query.limit = rows[i].limit;
        (void)list(rows[i].session, &query, rows[i].expected);
    }
    size_t ignored = 0;
    (void)view(beta, "", 1, "EVENT_UNKNOWN", &ignored);
    (void)view(beta, WORLD_ALPHA, 1, "BANK_UNKNOWN", &ignored);
    (void)view(alpha, "", UINT64_MAX, "EVENT_UNKNOWN", &ignored);
    (void)steer(beta, WORLD_ALPHA, COLOAN__V1__STEERING_ACTION__STEERING_ACTION_REPLAY, 1, 1, "BANK_UNKNOWN");
    (void)steer(alpha, "", COLOAN__V1__STEERING_ACTION__STEERING_ACTION_UNSPECIFIED, 1, 1, "FIELD_MISSING");
    (void)steer(alpha, "", COLOAN__V1__STEERING_ACTION__STEERING_ACTION_REPLAY, 0, 1, "FIELD_MISSING");
    (void)steer(alpha, "", COLOAN__V1__STEERING_ACTION__STEERING_ACTION_REPLAY, 2, 1, "FIELD_INVALID");
    (void)steer(alpha, "", COLOAN__V1__STEERING_ACTION__STEERING_ACTION_REPLAY, 1, 101, "FIELD_INVALID");
    (void)steer(alpha, "", COLOAN__V1__STEERING_ACTION__STEERING_ACTION_REPLAY, 99, 99, "EVENT_UNKNOWN");
}

/* Covers: COL-DEL-029 */
static void test_the_chain_tells_where_both_differ(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    Coloan__V1__EventListQuery all = COLOAN__V1__EVENT_LIST_QUERY__INIT;
    all.limit = 100;
    const Coloan__V1__EventList *events = list(alpha, &all, "OK");
    struct cl_digest chain = {{0}};
    for (size_t i = 0; i < events->n_events; i++) {
        struct cl_digest event;
        memcpy(event.bytes, events->events[i]->digest.data, sizeof event.bytes);
        cl_chain_next(&chain, &chain, i + 1, &event);
        assert_memory_equal(chain.bytes, events->events[i]->chain.data, CL_DIGEST_BYTES);
    }
    static const struct {
        uint64_t sequences[3];
        size_t count;
        const char *expected;
    } rows[] = {
        {{1, 3, 7}, 3, "OK"},         {{1}, 0, "FIELD_MISSING"},     {{3, 3}, 2, "FIELD_INVALID"},
        {{3, 1}, 2, "FIELD_INVALID"}, {{1, 99}, 2, "EVENT_UNKNOWN"}, {{0}, 1, "EVENT_UNKNOWN"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Coloan__V1__ReconcileQuery query = COLOAN__V1__RECONCILE_QUERY__INIT;
        uint64_t sequences[3];
        memcpy(sequences, rows[i].sequences, sizeof sequences);
        query.sequences = sequences;
        query.n_sequences = rows[i].count;
        struct cl_session_call what = {.method = "coloan.v1.JointApproval/Reconcile",
                                       .body = &query.base,
                                       .reply_type = &coloan__v1__reconcile_answer__descriptor};
        const Coloan__V1__ReconcileAnswer *answer =
            (const Coloan__V1__ReconcileAnswer *)ask(alpha, &what, rows[i].expected);
        if (answer == NULL) {
            continue;
        }
        assert_int_equal(answer->head->sequence, 7);
        assert_memory_equal(answer->head->chain.data, chain.bytes, CL_DIGEST_BYTES);
        assert_int_equal(answer->n_marks, 3);
        assert_memory_equal(answer->marks[1]->chain.data, events->events[2]->chain.data, CL_DIGEST_BYTES);
    }
}

int main(void)
{
    struct world_options options = {.extra = "calls_per_second: 1000000\nburst: 1000000\n"};
    world_open(&world, &options);
    bool made = cl_is_ok(cl_arena_create(&arena, ARENA_BYTES));
    connect_all();
    submit(first, "P01");
    submit(second, "P03");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_refused_event_blocks_only_its_own_case),
        cmocka_unit_test(test_refusals_that_do_not_fit_end_the_stream),
        cmocka_unit_test(test_an_event_refused_too_often_is_parked_and_let_go),
        cmocka_unit_test(test_a_replay_is_the_same_event),
        cmocka_unit_test(test_progress_keeps_an_event_from_coming_again),
        cmocka_unit_test(test_acknowledgements_wait_for_the_writer),
        cmocka_unit_test(test_events_are_fetched_and_acknowledged_without_a_stream),
        cmocka_unit_test(test_nobody_sees_or_steers_anothers_events),
        cmocka_unit_test(test_the_chain_tells_where_both_differ),
    };
    int failed = made ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    disconnect();
    cl_arena_free(arena);
    world_close(&world);
    return failed;
}
