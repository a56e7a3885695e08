/* A bank that is called: a real gRPC server with mutual TLS that answers as each test tells it to, well and in every
 * wrong way, and is away when it likes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "libcoloan/limits.h"
#include "libcoloan/rpc.h"
#include "tests/e2e/world.h"

enum { ARENA_BYTES = 16 * 1024 * 1024, WAIT_MS = 10000, SEEN_MAX = 64, DAY_S = 24 * 3600 };

static struct world world;
static struct cl_session *alpha, *officer;
static struct cl_arena *arena;

/* -- The inbox ------------------------------------------------------------------------------------------------ */

enum manner {
    RECEIVES,
    APPLIES,
    REFUSES, /* by a Nack */
    SAYS_GARBAGE,
    SAYS_NOTHING,    /* ends well without an answer */
    NAMES_ANOTHER,   /* sequence */
    ANSWERS_ANOTHER, /* digest */
    FAILS,           /* FIELD_INVALID */
    IS_OVERLOADED,   /* the bank, not the event */
    HANGS,
};

static struct {
    struct cl_rpc_server *server;
    uint16_t port;
    pthread_mutex_t mutex; /* guards the rest */
    enum manner manner;    /* towards `picky`, or everybody */
    char picky[64];        /* an application; "": all */
    uint64_t seen[SEEN_MAX];
    size_t seen_count;
    size_t disclosures; /* of the last event */
} inbox = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static void behave(enum manner manner, const char *application)
{
    (void)pthread_mutex_lock(&inbox.mutex);
    inbox.manner = manner;
    (void)snprintf(inbox.picky, sizeof inbox.picky, "%s", application);
    inbox.seen_count = 0;
    (void)pthread_mutex_unlock(&inbox.mutex);
}

static enum manner note(const struct cl_delivered *event)
{
    (void)pthread_mutex_lock(&inbox.mutex);
    bool meant = inbox.picky[0] == '\0' || strcmp(inbox.picky, event->event->application_id) == 0;
    enum manner manner = meant ? inbox.manner : RECEIVES;
    if (inbox.seen_count < SEEN_MAX) {
        inbox.seen[inbox.seen_count++] = event->sequence;
    }
    inbox.disclosures = event->opened.disclosure_count;
    (void)pthread_mutex_unlock(&inbox.mutex);
    return manner;
}

static struct cl_bytes answer(struct cl_arena *own, const struct cl_delivered *event, enum manner manner)
{
    struct cl_bytes bytes = cl_bytes_text("no envelope");
    struct cl_deliver_ack ack = {.sequence = event->sequence + (manner == NAMES_ANOTHER ? 1 : 0),
                                 .digest = event->opened.digest,
                                 .level = manner == APPLIES ? COLOAN__V1__ACK_LEVEL__ACK_LEVEL_APPLIED
                                                            : COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED,
                                 .reference = manner == APPLIES ? "core-1" : NULL};
    struct cl_deliver_nack nack = {
        .sequence = event->sequence, .digest = event->opened.digest, .delay_ms = 3600 * 1000, .reason = "CORE_DOWN"};
    ack.digest.bytes[0] ^= manner == ANSWERS_ANOTHER ? 1 : 0;
    if (manner == SAYS_GARBAGE) {
        return bytes;
    }
    struct cl_status status = manner == REFUSES ? cl_session_notified_nack(&bytes, alpha, own, &nack)
                                                : cl_session_notified_ack(&bytes, alpha, own, &ack);
    assert_true(cl_is_ok(status));
    return bytes;
}

static void on_notify(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    (void)user;
    struct cl_arena *own = NULL;
    struct cl_delivered event;
    assert_true(cl_is_ok(cl_arena_create(&own, 2 * CL_MESSAGE_ARENA_BYTES_MAX)));
    assert_string_equal(cl_status_name(cl_session_notified(&event, alpha, own, message)), "OK");
    enum manner manner = note(&event);
    if (manner == FAILS || manner == IS_OVERLOADED) {
        cl_rpc_finish(call, cl_fail(manner == FAILS ? CL_FIELD_INVALID : CL_OVERLOADED), cl_bytes(NULL, 0));
    } else if (manner == SAYS_NOTHING) {
        cl_rpc_finish(call, cl_ok(), cl_bytes(NULL, 0));
    } else if (manner != HANGS) {
        cl_rpc_reply(call, answer(own, &event, manner));
    }
    cl_arena_free(own);
}

/* `certificate` of the pki folder: "inbox" is alpha's. */
static void open_inbox(const char *certificate)
{
    char name[64];
    char address[32];
    const struct cl_rpc_method method = {"/coloan.v1.BankInbox/Notify", CL_RPC_UNARY, on_notify, NULL};
    const struct cl_rpc_server_options options = {
        .methods = &method, .method_count = 1, .poll_thread_count = 2, .accept_count = 8, .send_queue_max = 8};
    char *ca = pki_files_text(&world.files, "ca.pem");
    (void)snprintf(name, sizeof name, "%s.pem", certificate);
    char *cert = pki_files_text(&world.files, name);
    (void)snprintf(name, sizeof name, "%s.key", certificate);
    char *key = pki_files_text(&world.files, name);
    (void)snprintf(address, sizeof address, "127.0.0.1:%d", inbox.port);
    struct cl_rpc_listen listen = {.address = address, .ca_pem = ca, .cert_pem = cert, .key_pem = key};
    uint16_t port = 0;
    assert_true(cl_is_ok(cl_rpc_server_create(&inbox.server, &options)));
    assert_true(cl_is_ok(cl_rpc_server_listen_tls(inbox.server, &listen, &port)));
    assert_true(cl_is_ok(cl_rpc_server_start(inbox.server)));
    free(ca);
    free(cert);
    free(key);
}

static void close_inbox(void)
{
    cl_rpc_server_stop(inbox.server, 0);
    cl_rpc_server_free(inbox.server);
    inbox.server = NULL;
}

/* A port that nobody has just now: it stands in the configuration before anybody listens on it. */
static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0) {
        abort();
    }
    (void)close(fd);
    return ntohs(address.sin_port);
}

/* -- Help ----------------------------------------------------------------------------------------------------- */

static void nap(void)
{
    const struct timespec pause = {.tv_nsec = 20000000};
    (void)nanosleep(&pause, NULL);
}

static const ProtobufCMessage *ask(struct cl_session *session, const struct cl_session_call *what)
{
    struct cl_answer answered;
    struct cl_status status =
        cl_session_call(&answered, session, arena, what, (struct cl_patience){.total_ms = WAIT_MS});
    assert_string_equal(cl_status_name(status), "OK");
    return answered.body;
}

static const char *submit(const char *persona)
{
    static char id[64];
    struct world_submission submission;
    world_submission(&submission, arena, people_find(world.people, persona), WORLD_ALPHA, persona);
    struct cl_session_call what = world_submit_call(&submission);
    (void)snprintf(id, sizeof id, "%s", ((const Coloan__V1__ApplicationReceipt *)ask(alpha, &what))->application_id);
    return id;
}

static void report(const char *application_id, const char *persona)
{
    struct cl_session_call what = {
        .method = "coloan.v1.JointApproval/ReportVerifications",
        .body = &world_bank_report(arena, people_find(world.people, persona))->base,
        .reply_type = &coloan__v1__application_status__descriptor,
        .application_id = application_id,
    };
    (void)ask(alpha, &what);
}

static const Coloan__V1__EventState *state_of(uint64_t sequence)
{
    Coloan__V1__EventListQuery query = COLOAN__V1__EVENT_LIST_QUERY__INIT;
    static char bank[] = WORLD_ALPHA;
    query.recipient = bank;
    query.after = sequence - 1;
    query.limit = 1;
    struct cl_session_call what = {.method = "coloan.v1.JointApproval/ListEvents",
                                   .body = &query.base,
                                   .reply_type = &coloan__v1__event_list__descriptor};
    const Coloan__V1__EventList *list = (const Coloan__V1__EventList *)ask(officer, &what);
    assert_int_equal(list->n_events, 1);
    assert_int_equal(list->events[0]->sequence, sequence);
    return list->events[0];
}

static const Coloan__V1__EventState *wait_for(uint64_t sequence, Coloan__V1__DeliveryState state)
{
    const Coloan__V1__EventState *found = NULL;
    for (int tries = 0; tries < WAIT_MS / 20; tries++) {
        cl_arena_reset(arena);
        found = state_of(sequence);
        if (found->state == state) {
            return found;
        }
        nap();
    }
    fail_msg("event %d is in state %d, not %d", (int)sequence, (int)found->state, (int)state);
    return NULL;
}

#define WAITING  COLOAN__V1__DELIVERY_STATE__DELIVERY_STATE_WAITING
#define RECEIVED COLOAN__V1__DELIVERY_STATE__DELIVERY_STATE_RECEIVED
#define APPLIED  COLOAN__V1__DELIVERY_STATE__DELIVERY_STATE_APPLIED
#define PARKED   COLOAN__V1__DELIVERY_STATE__DELIVERY_STATE_PARKED
#define PENDING  COLOAN__V1__DELIVERY_STATE__DELIVERY_STATE_PENDING

static size_t seen_count(void)
{
    (void)pthread_mutex_lock(&inbox.mutex);
    size_t count = inbox.seen_count;
    (void)pthread_mutex_unlock(&inbox.mutex);
    return count;
}

static size_t times_seen(uint64_t sequence)
{
    size_t times = 0;
    (void)pthread_mutex_lock(&inbox.mutex);
    for (size_t i = 0; i < inbox.seen_count; i++) {
        times += inbox.seen[i] == sequence ? 1 : 0;
    }
    (void)pthread_mutex_unlock(&inbox.mutex);
    return times;
}

/* -- Tests ---------------------------------------------------------------------------------------------------- */

/* Covers: COL-CAL-001, COL-CAL-002, COL-DEL-030 */
static void test_events_come_by_call(void **state)
{
    (void)state;
    behave(RECEIVES, "");
    (void)submit("P01"); /* event 1 */
    (void)wait_for(1, RECEIVED);
    assert_int_equal(inbox.disclosures, 4);
    behave(APPLIES, "");
    (void)submit("P03"); /* 2 */
    const Coloan__V1__EventState *event = wait_for(2, APPLIED);
    assert_string_equal(event->bank_reference, "core-1");
    assert_int_equal(seen_count(), 1);
}

/* Covers: COL-CAL-003 */
static void test_a_bad_answer_fails_the_call_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        enum manner manner;
        Coloan__V1__DeliveryCause cause;
        const char *note;
    } rows[] = {
        {SAYS_GARBAGE, COLOAN__V1__DELIVERY_CAUSE__DELIVERY_CAUSE_REFUSED, "WIRE_MALFORMED"},
        {SAYS_NOTHING, COLOAN__V1__DELIVERY_CAUSE__DELIVERY_CAUSE_REFUSED, "PEER_ANSWER_INVALID"},
        {NAMES_ANOTHER, COLOAN__V1__DELIVERY_CAUSE__DELIVERY_CAUSE_REFUSED, "ACK_WRONG"},
        {ANSWERS_ANOTHER, COLOAN__V1__DELIVERY_CAUSE__DELIVERY_CAUSE_REFUSED, "IN_REPLY_TO_WRONG"},
        {FAILS, COLOAN__V1__DELIVERY_CAUSE__DELIVERY_CAUSE_REFUSED, "FIELD_INVALID"},
        {IS_OVERLOADED, COLOAN__V1__DELIVERY_CAUSE__DELIVERY_CAUSE_NO_WAY, "OVERLOADED"},
    };
    cl_arena_reset(arena);
    behave(rows[0].manner, "");
    (void)submit("P05"); /* 3 */
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const Coloan__V1__EventState *event = NULL;
        for (int tries = 0; tries < WAIT_MS / 20; tries++) {
            cl_arena_reset(arena);
            event = state_of(3);
            if (event->tries == i + 1) {
                break;
            }
            nap();
        }
        assert_int_equal(event->tries, i + 1);
        if (event->state != WAITING || event->cause != rows[i].cause || strcmp(event->reason, rows[i].note) != 0) {
            fail_msg("row %zu: state %d, cause %d, %s", i, (int)event->state, (int)event->cause, event->reason);
        }
        behave(i + 1 < sizeof rows / sizeof rows[0] ? rows[i + 1].manner : RECEIVES, "");
        world.ahead_ms += event->next_ms - world_now_ms(&world) + 1000;
    }
    (void)wait_for(3, RECEIVED);
}

/* Covers: COL-CAL-003, COL-DEL-023 */
static void test_a_refused_event_holds_up_its_own_application(void **state)
{
    (void)state;
    char picky[64];
    cl_arena_reset(arena);
    behave(RECEIVES, "");
    (void)snprintf(picky, sizeof picky, "%s", submit("P02")); /* 4 */
    (void)wait_for(4, RECEIVED);
    behave(REFUSES, picky);
    report(picky, "P02"); /* 5, of the refusing case */
    const Coloan__V1__EventState *event = wait_for(5, WAITING);
    assert_string_equal(event->reason, "CORE_DOWN");
    (void)submit("P04"); /* 6, of another */
    (void)wait_for(6, RECEIVED);
    assert_int_equal(times_seen(5), 1);
    behave(RECEIVES, "");
    world.ahead_ms += 3600 * 1000 + 1000;
    (void)wait_for(5, RECEIVED);
}

/* Covers: COL-CAL-006 */
static void test_who_keeps_a_stream_open_is_not_called(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    behave(RECEIVES, "");
    struct cl_deliver_options options = {.resume_after = 6, .epoch = 1, .max_outstanding = 10};
    struct cl_delivery *delivery = NULL;
    struct cl_delivered delivered;
    assert_true(cl_is_ok(cl_session_deliver_open(&delivery, alpha, &options)));
    assert_true(cl_is_ok(cl_session_deliver_next(&delivered, delivery, arena, WAIT_MS)));
    assert_int_equal(delivered.kind, CL_DELIVERED_HEARTBEAT);
    (void)submit("P06"); /* 7 */
    assert_true(cl_is_ok(cl_session_deliver_next(&delivered, delivery, arena, WAIT_MS)));
    assert_int_equal(delivered.kind, CL_DELIVERED_EVENT);
    assert_int_equal(delivered.sequence, 7);
    for (int i = 0; i < 75; i++) {
        nap(); /* longer than a look of the calling thread */
    }
    assert_int_equal(seen_count(), 0);
    cl_session_deliver_close(delivery);
    (void)wait_for(7, RECEIVED); /* it had not been acknowledged on the stream */
}

/* Covers: COL-CAL-001, COL-CAL-004 */
static void test_a_bank_that_is_away_is_left_alone_and_caught_up(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    behave(RECEIVES, "");
    close_inbox();
    (void)submit("P07"); /* 8 */
    (void)submit("P08"); /* 9 */
    const Coloan__V1__EventState *event = wait_for(8, WAITING);
    assert_int_equal(event->cause, COLOAN__V1__DELIVERY_CAUSE__DELIVERY_CAUSE_NO_WAY);
    world.ahead_ms += 20 * 1000;
    open_inbox("server"); /* of the scheme, but another party's: nobody gets alpha's events but alpha */
    for (int i = 0; i < 100; i++) {
        nap();
    }
    assert_int_equal(seen_count(), 0);
    close_inbox();
    open_inbox("inbox");
    for (int tries = 0; tries < 5 && seen_count() < 2; tries++) {
        world.ahead_ms += 3600 * 1000;
        for (int i = 0; i < 400 && seen_count() < 2; i++) {
            nap(); /* the breaker, and gRPC's own wait between connections */
        }
    }
    (void)wait_for(8, RECEIVED);
    (void)wait_for(9, RECEIVED);
}

/* Covers: COL-CAL-005 */
static void test_after_five_working_days_it_is_parked(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    behave(FAILS, "");
    (void)submit("P09"); /* 10 */
    const Coloan__V1__EventState *event = wait_for(10, WAITING);
    assert_int_equal(event->tries, 1);
    world.ahead_ms += 8LL * DAY_S * 1000;
    event = wait_for(10, PARKED);
    assert_int_equal(event->tries, 2);
    char *metrics = world_http_get(&world, "/metrics");
    assert_non_null(strstr(metrics, "coloan_events_parked_total 1"));
    free(metrics);
}

/* Covers: COL-CAL-004 */
static void test_a_bank_that_comes_by_stream_is_not_kept_waiting(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    behave(RECEIVES, "");
    close_inbox();
    (void)submit("P10"); /* 11 */
    const Coloan__V1__EventState *event = wait_for(11, WAITING);
    for (int tries = 0; tries < WAIT_MS / 20 && event->tries < 3; tries++) {
        world.ahead_ms += 40 * 1000; /* the first two waits are over */
        nap();
        cl_arena_reset(arena);
        event = state_of(11);
    }
    assert_true(event->tries >= 3 && event->next_ms > world_now_ms(&world) + 40 * 1000);
    struct cl_deliver_options options = {.resume_after = 10, .epoch = 2, .max_outstanding = 10};
    struct cl_delivery *delivery = NULL;
    struct cl_delivered delivered = {.kind = CL_DELIVERED_NOTHING};
    assert_true(cl_is_ok(cl_session_deliver_open(&delivery, alpha, &options)));
    while (delivered.kind != CL_DELIVERED_EVENT || delivered.sequence != 11) {
        assert_true(cl_is_ok(cl_session_deliver_next(&delivered, delivery, arena, WAIT_MS)));
        assert_int_not_equal(delivered.kind, CL_DELIVERED_NOTHING);
    }
    const struct cl_deliver_ack ack = {
        .sequence = 11, .digest = delivered.opened.digest, .level = COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED};
    assert_true(cl_is_ok(cl_session_deliver_ack(delivery, arena, &ack)));
    (void)wait_for(11, RECEIVED);
    cl_session_deliver_close(delivery);
    open_inbox("inbox");
}

/* The call that was under way when it came had an end that nobody could hasten. Covers: COL-CAL-004 */
static void test_a_call_under_way_does_not_keep_it_waiting(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    behave(HANGS, "");
    (void)submit("P11"); /* 12 */
    for (int tries = 0; tries < WAIT_MS / 20 && seen_count() == 0; tries++) {
        nap();
    }
    assert_int_equal(seen_count(), 1);
    struct cl_deliver_options options = {.resume_after = 11, .epoch = 3, .max_outstanding = 10};
    struct cl_delivery *delivery = NULL;
    struct cl_delivered delivered;
    assert_true(cl_is_ok(cl_session_deliver_open(&delivery, alpha, &options)));
    assert_true(cl_is_ok(cl_session_deliver_next(&delivered, delivery, arena, WAIT_MS)));
    assert_int_equal(delivered.kind, CL_DELIVERED_HEARTBEAT);
    assert_true(cl_is_ok(cl_session_deliver_next(&delivered, delivery, arena, WAIT_MS)));
    assert_int_equal(delivered.kind, CL_DELIVERED_HELD);
    close_inbox();          /* the call fails */
    enum { SOON_MS = 800 }; /* the first wait of the schedule is a second at least */
    assert_true(cl_is_ok(cl_session_deliver_next(&delivered, delivery, arena, SOON_MS)));
    assert_int_equal(delivered.kind, CL_DELIVERED_EVENT);
    assert_int_equal(delivered.sequence, 12);
    const struct cl_deliver_ack ack = {
        .sequence = 12, .digest = delivered.opened.digest, .level = COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED};
    assert_true(cl_is_ok(cl_session_deliver_ack(delivery, arena, &ack)));
    (void)wait_for(12, RECEIVED);
    cl_session_deliver_close(delivery);
    open_inbox("inbox");
    (void)__atomic_add_fetch(&world.server_elapsed_ms, 60 * 1000, __ATOMIC_RELAXED); /* it is left alone no longer */
}

/* Stopping does not wait for a bank that does not answer. */
static void test_a_hanging_bank_does_not_delay_the_stop(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    behave(HANGS, "");
    (void)submit("P12"); /* 13 */
    for (int tries = 0; tries < WAIT_MS / 20 && seen_count() == 0; tries++) {
        nap();
    }
    assert_int_equal(seen_count(), 1);
    int64_t began_ms = cl_clock_monotonic_ms(cl_clock_system());
    world_stop(&world);
    assert_true(cl_clock_monotonic_ms(cl_clock_system()) - began_ms < 8000); /* a call may take ten seconds */
}

int main(void)
{
    char extra[128];
    inbox.port = free_port();
    (void)snprintf(extra, sizeof extra, "inboxes: [{bank: \"" WORLD_ALPHA "\", target: \"localhost:%d\"}]\n",
                   inbox.port);
    struct world_options options = {.extra = extra};
    world_open(&world, &options);
    bool made = cl_is_ok(cl_arena_create(&arena, ARENA_BYTES));
    alpha = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    officer = world_session(&world, "officer", WORLD_KEY_OFFICER);
    open_inbox("inbox");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_come_by_call),
        cmocka_unit_test(test_a_bad_answer_fails_the_call_and_nothing_else),
        cmocka_unit_test(test_a_refused_event_holds_up_its_own_application),
        cmocka_unit_test(test_who_keeps_a_stream_open_is_not_called),
        cmocka_unit_test(test_a_bank_that_is_away_is_left_alone_and_caught_up),
        cmocka_unit_test(test_after_five_working_days_it_is_parked),
        cmocka_unit_test(test_a_bank_that_comes_by_stream_is_not_kept_waiting),
        cmocka_unit_test(test_a_call_under_way_does_not_keep_it_waiting),
        cmocka_unit_test(test_a_hanging_bank_does_not_delay_the_stop),
    };
    int failed = made ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    close_inbox();
    cl_session_free(alpha);
    cl_session_free(officer);
    cl_arena_free(arena);
    world_close(&world);
    return failed;
}
