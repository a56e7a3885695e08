/* Threads while it is connected: some workers, which send what the ledger gives them (first what has no answer yet,
 * then what is to be repeated, then new households), and one receiver, which records each event, puts the request that
 * follows from it into the ledger, and only then acknowledges. So the bank could itself be killed anywhere.
 *
 * One mutex guards cases, events and counters; no call is made under it. */
#include "tests/crash/bank.h"

#include <assert.h>
#include <coloan/v1/decision.pb-c.h>
#include <coloan/v1/verification.pb-c.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/sha256.h"

enum {
    THREADS_MAX = 16,
    ARENA_BYTES = 4 * 1024 * 1024,
    ATTEMPT_MS = 10000,
    FIRST_ANSWER_MS = 20000,
    FIRST_ATTEMPT_MS = 2000, /* then somebody looks whether there is a centre at all */
    IDLE_MS = 2,
    STREAM_WAIT_MS = 50,
    REPEAT_AT_CONNECT = 16, /* the answers given last are those a crash endangers */
    REPEAT_ONE_IN = 8,
    RESUME_BACK_MAX = 50,
    WINDOW = 500,
    PAGE = 100,
};

struct case_kept {
    char application_id[CL_UUID_TEXT_BYTES]; /* "": not told yet */
    bool ended;
    unsigned joint_count;
    Coloan__V1__Outcome joint_outcome;
    struct cl_digest bank_decision; /* of our own request, as the joint decision shows it */
    bool approved;                  /* our decision was answered */
    unsigned listed_count;
};

struct event_kept {
    struct cl_digest message, envelope;
    char application_id[CL_UUID_TEXT_BYTES];
};

struct bank {
    const struct world *world;
    uint64_t seed;
    unsigned thread_count, open_cases_max, cases_max;
    bool plain, memory_comes_back;
    struct ledger *ledger;

    pthread_mutex_t mutex; /* guards until the empty line */
    struct case_kept *cases;
    size_t case_count, case_room;
    struct event_kept *events; /* sequence is the index + 1 */
    size_t event_count, event_room;
    uint64_t events_again, open_cases, joint_decisions, late_answers, store_failures, ok_after_failures;
    bool store_failed; /* in this life of the centre */
    char violation[BANK_VIOLATION_BYTES_MAX];

    enum bank_mood mood;
    int64_t connected_ms; /* Unix; an answer made before is of an earlier life */
    struct cl_session *session;
    atomic_bool stopping;
    atomic_uint_least64_t position; /* of the stream */
    uint64_t epoch;
    struct worker {
        struct bank *bank;
        pthread_t thread;
        struct cl_arena *arena;
        uint64_t random;
    } workers[THREADS_MAX], receiver;
};

/* -- Small things --------------------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void lock(struct bank *bank)
{
    (void)pthread_mutex_lock(&bank->mutex);
}

static void unlock(struct bank *bank)
{
    (void)pthread_mutex_unlock(&bank->mutex);
}

/* With the mutex held. The first one counts; what follows is mostly its consequence. */
__attribute__((format(printf, 2, 3))) static void violated(struct bank *bank, const char *format, ...)
{
    if (bank->violation[0] != '\0') {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(bank->violation, sizeof bank->violation, format, arguments);
    va_end(arguments);
}

static void *grown(void *list, size_t count, size_t *room, size_t size)
{
    if (count < *room) {
        return list;
    }
    *room = *room == 0 ? 1024 : 2 * *room;
    void *larger = realloc(list, *room * size);
    assert(larger != NULL);
    return larger;
}

static void reference_of(char out[32], uint64_t household)
{
    (void)snprintf(out, 32, "K-%" PRIu64, household);
}

/* The case an external reference names, or NULL with a violation; the mutex is held. */
static struct case_kept *case_of(struct bank *bank, const char *reference, uint64_t *household_out)
{
    uint64_t household = 0;
    char again[32] = "";
    if (sscanf(reference, "K-%" SCNu64, &household) == 1) {
        reference_of(again, household);
    }
    if (strcmp(again, reference) != 0 || household >= bank->case_count) {
        violated(bank, "an application of nobody: %s", reference);
        return NULL;
    }
    *household_out = household;
    return &bank->cases[household];
}

/* The centre names a case's id in receipts, events and lists; it has to be one and the same. */
static void note_id(struct bank *bank, struct case_kept *kept, const char *application_id, const char *where)
{
    if (kept->application_id[0] == '\0') {
        (void)snprintf(kept->application_id, sizeof kept->application_id, "%s", application_id);
    } else if (strcmp(kept->application_id, application_id) != 0) {
        violated(bank, "a submission has two applications: %s and, in %s, %s", kept->application_id, where,
                 application_id);
    }
}

static void end_case(struct bank *bank, struct case_kept *kept)
{
    bank->open_cases -= kept->ended ? 0 : 1;
    kept->ended = true;
}

/* -- Requests ------------------------------------------------------------------------------------------------- */

static void prepare(struct bank *bank, struct cl_arena *arena, const struct cl_session_call *call, enum entry_kind kind,
                    uint64_t household)
{
    struct cl_request request;
    struct cl_status status = cl_session_prepare(&request, bank->session, arena, call);
    if (cl_failed(status)) {
        lock(bank);
        violated(bank, "a request cannot be prepared: %s", cl_status_name(status));
        unlock(bank);
        return;
    }
    ledger_add(bank->ledger, &request, kind, household);
}

/* A household's application goes into the ledger, when fewer than open_cases_max are open. */
static bool apply_for_another(struct worker *worker)
{
    struct bank *bank = worker->bank;
    lock(bank);
    bool may = bank->mood == BANK_BUSY && bank->open_cases < bank->open_cases_max && bank->violation[0] == '\0' &&
               (bank->cases_max == 0 || bank->case_count < bank->cases_max);
    uint64_t household = bank->case_count;
    if (may) {
        bank->cases = grown(bank->cases, bank->case_count, &bank->case_room, sizeof *bank->cases);
        bank->cases[bank->case_count++] = (struct case_kept){.application_id = ""};
        bank->open_cases++;
    }
    unlock(bank);
    if (!may) {
        return false;
    }
    char reference[32];
    reference_of(reference, household);
    struct world_submission submission;
    json_t *persona = people_make_generated(household);
    assert(persona != NULL);
    world_submission(&submission, worker->arena, persona, WORLD_ALPHA, reference);
    json_decref(persona);
    struct cl_session_call call = {
        .method = "coloan.v1.JointApproval/SubmitApplication",
        .body = &submission.application->base,
        .reply_type = &coloan__v1__application_receipt__descriptor,
        .disclosures = submission.disclosures,
        .disclosure_count = submission.disclosure_count,
    };
    prepare(bank, worker->arena, &call, ENTRY_SUBMIT, household);
    return true;
}

static void report(struct bank *bank, struct cl_arena *arena, uint64_t household, const char *application_id)
{
    json_t *persona = people_make_generated(household);
    assert(persona != NULL);
    struct cl_session_call call = {
        .method = "coloan.v1.JointApproval/ReportVerifications",
        .body = &world_bank_report(arena, persona)->base,
        .reply_type = &coloan__v1__application_status__descriptor,
        .application_id = application_id,
    };
    json_decref(persona);
    prepare(bank, arena, &call, ENTRY_REPORT, household);
}

static void decide(struct bank *bank, struct cl_arena *arena, uint64_t household, const Coloan__V1__Event *event)
{
    Coloan__V1__BankDecision decision = COLOAN__V1__BANK_DECISION__INIT;
    decision.offer_version = event->status->offer_version;
    decision.terms_digest = event->fund_decision->offer->terms_digest;
    decision.bank_epoch = event->status->bank_epoch;
    decision.verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_APPROVE;
    decision.bank_reference = event->status->external_ref;
    struct cl_session_call call = {
        .method = "coloan.v1.JointApproval/ReportBankDecision",
        .body = &decision.base,
        .reply_type = &coloan__v1__joint_outcome__descriptor,
        .application_id = event->application_id,
    };
    prepare(bank, arena, &call, ENTRY_DECIDE, household);
}

/* -- Answers -------------------------------------------------------------------------------------------------- */

/* What an answer says, besides its bytes; the mutex is held. */
static void read_answer(struct bank *bank, const struct entry *entry, const void *body)
{
    struct case_kept *kept = &bank->cases[entry->household];
    if (entry->kind == ENTRY_SUBMIT) {
        const Coloan__V1__ApplicationReceipt *receipt = body;
        char reference[32];
        reference_of(reference, entry->household);
        if (strcmp(receipt->status->external_ref, reference) != 0) {
            violated(bank, "the receipt of %s is of %s", reference, receipt->status->external_ref);
        }
        note_id(bank, kept, receipt->application_id, "the receipt");
    }
    if (entry->kind == ENTRY_DECIDE) {
        const Coloan__V1__JointOutcome *outcome = body;
        kept->approved = true;
        if (outcome->outcome != COLOAN__V1__OUTCOME__OUTCOME_APPROVED_COMBINED) {
            violated(bank, "an approval of the offer came out as %d", (int)outcome->outcome);
        }
    }
}

/* Reasons that say nothing was promised: later again, with the same bytes. */
static bool is_passing(const struct bank *bank, struct cl_status status)
{
    switch ((int)status.reason) {
    case CL_PEER_UNREACHABLE:
    case CL_DEADLINE_EXCEEDED:
    case CL_CALL_CANCELLED:
    case CL_SHUTTING_DOWN:
    case CL_STORE_FAILED:
    case CL_OVERLOADED:
        return true;
    case CL_MEMORY_LIMIT:
        return bank->memory_comes_back;
    default:
        return false;
    }
}

static void take_failure(struct bank *bank, const struct entry *entry, struct cl_status status,
                         const struct cl_answer *answer)
{
    lock(bank);
    if (status.reason == CL_STORE_FAILED) {
        bank->store_failures++;
        bank->store_failed = true;
    }
    if (!is_passing(bank, status)) {
        violated(bank, "%s of K-%" PRIu64 " (sent %u times, %s) was refused: %s %s", entry->method, entry->household,
                 entry->sent_count, entry->acknowledged ? "answered before" : "never answered", cl_status_name(status),
                 answer->field);
    }
    unlock(bank);
}

static void take_answer(struct bank *bank, struct entry *entry, const struct cl_answer *answer, bool failed_before)
{
    bool late = !entry->acknowledged && answer->opened.header->created_ms < bank->connected_ms;
    bool same = ledger_answered(bank->ledger, entry, answer->envelope);
    lock(bank);
    bank->ok_after_failures += failed_before;
    bank->late_answers += late;
    if (!same) {
        violated(bank, "%s of K-%" PRIu64 " was sent again and got another answer than before", entry->method,
                 entry->household);
    }
    read_answer(bank, entry, answer->body);
    unlock(bank);
}

static void send_entry(struct worker *worker, struct entry *entry)
{
    struct bank *bank = worker->bank;
    struct cl_request request = {.method = entry->method,
                                 .reply_type = entry->reply_type,
                                 .message_id = entry->message_id,
                                 .digest = entry->digest,
                                 .envelope = cl_bytes(entry->envelope, entry->envelope_len),
                                 .expires_ms = entry->expires_ms};
    struct cl_answer answer;
    lock(bank);
    bool failed_before = bank->store_failed;
    unlock(bank);
    struct cl_status status = cl_session_send(&answer, bank->session, worker->arena, &request,
                                              (struct cl_patience){.attempt_ms = ATTEMPT_MS});
    if (cl_is_ok(status)) {
        take_answer(bank, entry, &answer, failed_before);
        return;
    }
    take_failure(bank, entry, status, &answer);
    ledger_unanswered(bank->ledger, entry);
    (void)cl_session_pause(bank->session, IDLE_MS);
}

static struct entry *next_entry(struct worker *worker)
{
    struct bank *bank = worker->bank;
    struct entry *entry = ledger_take_repeat(bank->ledger);
    if (entry == NULL) {
        entry = ledger_take_open(bank->ledger);
    }
    uint64_t dice = next_random(&worker->random);
    if (entry == NULL && bank->mood == BANK_BUSY && !bank->plain && dice % REPEAT_ONE_IN == 0) {
        entry = ledger_take_any(bank->ledger, dice / REPEAT_ONE_IN);
    }
    return entry;
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    while (!atomic_load(&worker->bank->stopping)) {
        cl_arena_reset(worker->arena);
        struct entry *entry = next_entry(worker);
        if (entry != NULL) {
            send_entry(worker, entry);
        } else if (!apply_for_another(worker)) {
            (void)cl_session_pause(worker->bank->session, IDLE_MS);
        }
    }
    return NULL;
}

/* -- Events --------------------------------------------------------------------------------------------------- */

enum seen { SEEN_FIRST, SEEN_AGAIN, SEEN_WRONG };

/* The first time it is kept, later it has to be what was kept. */
static enum seen keep_event(struct bank *bank, const struct cl_delivered *delivered)
{
    struct event_kept event = {.message = delivered->opened.digest};
    cl_sha256(&event.envelope, delivered->envelope);
    (void)snprintf(event.application_id, sizeof event.application_id, "%s", delivered->event->application_id);
    if (delivered->sequence == bank->event_count + 1) {
        bank->events = grown(bank->events, bank->event_count, &bank->event_room, sizeof *bank->events);
        bank->events[bank->event_count++] = event;
        return SEEN_FIRST;
    }
    if (delivered->sequence > bank->event_count) {
        violated(bank, "event %" PRIu64 " came after event %zu", delivered->sequence, bank->event_count);
        return SEEN_WRONG;
    }
    const struct event_kept *kept = &bank->events[delivered->sequence - 1];
    bank->events_again++;
    if (!cl_digest_equal(&kept->message, &event.message) || !cl_digest_equal(&kept->envelope, &event.envelope)) {
        violated(bank, "event %" PRIu64 " changed its bytes", delivered->sequence);
        return SEEN_WRONG;
    }
    return SEEN_AGAIN;
}

static void take_joint_decision(struct bank *bank, struct worker *worker, struct case_kept *kept,
                                const Coloan__V1__JointDecision *joint)
{
    struct cl_opened opened;
    if (++kept->joint_count > 1) {
        violated(bank, "application %s was decided twice", joint->application_id);
    }
    bank->joint_decisions++;
    kept->joint_outcome = joint->outcome;
    end_case(bank, kept);
    if (joint->bank_envelope.len == 0) {
        return;
    }
    struct cl_status status = cl_envelope_verify(
        &opened, worker->arena, cl_bytes(joint->bank_envelope.data, joint->bank_envelope.len), bank->world->keyring);
    if (cl_failed(status)) {
        violated(bank, "the joint decision of %s does not verify: %s", joint->application_id, cl_status_name(status));
        return;
    }
    kept->bank_decision = opened.digest;
}

static bool waits_for_a_person(const Coloan__V1__Event *event)
{
    return event->status->state == COLOAN__V1__CASE_STATE__CASE_STATE_SUPPLEMENT ||
           event->status->state == COLOAN__V1__CASE_STATE__CASE_STATE_MANUAL;
}

/* An event that is new: what it says is noted under the mutex, what follows from it is prepared without. */
static void follow(struct worker *worker, const Coloan__V1__Event *event)
{
    struct bank *bank = worker->bank;
    uint64_t household = 0;
    lock(bank);
    struct case_kept *kept = case_of(bank, event->status->external_ref, &household);
    if (kept != NULL) {
        note_id(bank, kept, event->application_id, "an event");
        if (event->kind == COLOAN__V1__EVENT_KIND__EVENT_KIND_JOINT_DECISION) {
            take_joint_decision(bank, worker, kept, event->joint_decision);
        } else if (event->kind == COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION && waits_for_a_person(event)) {
            end_case(bank, kept);
        }
    }
    unlock(bank);
    if (kept == NULL) {
        return;
    }
    if (event->kind == COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION) {
        report(bank, worker->arena, household, event->application_id);
    } else if (event->kind == COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION &&
               event->status->state == COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED) {
        decide(bank, worker->arena, household, event);
    }
}

static void send_acknowledgement(struct worker *worker, struct cl_delivery *delivery, const struct cl_deliver_ack *ack)
{
    struct cl_status status = cl_session_deliver_ack(delivery, worker->arena, ack);
    if (cl_failed(status) && !is_passing(worker->bank, status)) {
        lock(worker->bank);
        violated(worker->bank, "an acknowledgement cannot be sent: %s", cl_status_name(status));
        unlock(worker->bank);
    }
}

/* An acknowledgement that was under way when the centre died is lost, and counts as outstanding until it comes again
 * (COL-DEL-015). */
static void acknowledge_again(struct worker *worker, struct cl_delivery *delivery, uint64_t floor)
{
    struct bank *bank = worker->bank;
    for (uint64_t sequence = floor + 1; sequence <= bank->event_count; sequence++) { /* only this thread adds events */
        const struct event_kept *event = &bank->events[sequence - 1];
        struct cl_deliver_ack ack = {.sequence = sequence,
                                     .digest = event->message,
                                     .level = COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED,
                                     .application_id = event->application_id};
        send_acknowledgement(worker, delivery, &ack);
        cl_arena_reset(worker->arena);
    }
}

static void acknowledge(struct worker *worker, struct cl_delivery *delivery, const struct cl_delivered *delivered)
{
    struct cl_deliver_ack ack = {.sequence = delivered->sequence,
                                 .digest = delivered->opened.digest,
                                 .level = COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED,
                                 .application_id = delivered->event->application_id};
    send_acknowledgement(worker, delivery, &ack);
    if (delivered->sequence % 2 == 0) { /* some stay RECEIVED only */
        ack.level = COLOAN__V1__ACK_LEVEL__ACK_LEVEL_APPLIED;
        ack.reference = "core";
        send_acknowledgement(worker, delivery, &ack);
    }
}

static void take_event(struct worker *worker, struct cl_delivery *delivery, const struct cl_delivered *delivered)
{
    struct bank *bank = worker->bank;
    lock(bank);
    enum seen seen = keep_event(bank, delivered);
    unlock(bank);
    if (seen == SEEN_FIRST) {
        follow(worker, delivered->event);
    }
    if (seen != SEEN_WRONG) {
        acknowledge(worker, delivery, delivered);
    }
    atomic_store(&bank->position, delivered->sequence);
}

static void take_heartbeat(struct bank *bank, const struct cl_delivered *delivered)
{
    lock(bank);
    if (delivered->head < bank->event_count) {
        violated(bank, "the stream went back: its head is %" PRIu64 ", event %zu was received", delivered->head,
                 bank->event_count);
    }
    unlock(bank);
}

/* Only a centre that is killed or stopped may end a stream. */
static void take_end(struct bank *bank, struct cl_status how)
{
    bool may = bank->mood == BANK_BUSY && (cl_is_ok(how) || is_passing(bank, how));
    if (!may && !atomic_load(&bank->stopping)) {
        lock(bank);
        violated(bank, "the stream was ended: %s", cl_status_name(how));
        unlock(bank);
    }
}

/* One stream until it ends. */
static void receive(struct worker *worker, struct cl_delivery *delivery)
{
    struct bank *bank = worker->bank;
    bool greeted = false;
    while (!atomic_load(&bank->stopping)) {
        struct cl_delivered delivered;
        cl_arena_reset(worker->arena);
        struct cl_status status = cl_session_deliver_next(&delivered, delivery, worker->arena, STREAM_WAIT_MS);
        if (cl_failed(status)) {
            lock(bank);
            violated(bank, "a frame of the stream is wrong: %s", cl_status_name(status));
            unlock(bank);
            return;
        }
        if (delivered.kind == CL_DELIVERED_EVENT) {
            take_event(worker, delivery, &delivered);
        } else if (delivered.kind == CL_DELIVERED_HEARTBEAT) {
            take_heartbeat(bank, &delivered);
            if (!greeted) {
                acknowledge_again(worker, delivery, delivered.received_floor);
            }
            greeted = true;
        } else if (delivered.kind == CL_DELIVERED_GAP) {
            lock(bank);
            violated(bank, "a gap: events %" PRIu64 " to %" PRIu64, delivered.from, delivered.to);
            unlock(bank);
        } else if (delivered.kind == CL_DELIVERED_END) {
            take_end(bank, delivered.ended);
            return;
        }
    }
}

/* Where to go on: nowhere past what is kept. */
static uint64_t resume_after(struct worker *worker)
{
    struct bank *bank = worker->bank;
    lock(bank);
    uint64_t back = bank->mood == BANK_BUSY && !bank->plain ? next_random(&worker->random) % RESUME_BACK_MAX : 0;
    uint64_t kept = bank->event_count;
    unlock(bank);
    return bank->mood == BANK_REPLAY ? 0 : kept - (back < kept ? back : kept);
}

static void *listen_to_events(void *argument)
{
    struct worker *worker = argument;
    struct bank *bank = worker->bank;
    while (!atomic_load(&bank->stopping)) {
        struct cl_delivery *delivery = NULL;
        struct cl_deliver_options options = {.resume_after = resume_after(worker),
                                             .epoch = ++bank->epoch,
                                             .max_outstanding = WINDOW,
                                             .session_id = {(uint8_t)bank->seed, 1}};
        struct cl_status status = cl_session_deliver_open(&delivery, bank->session, &options);
        if (cl_is_ok(status)) {
            receive(worker, delivery);
            cl_session_deliver_close(delivery);
        }
        (void)cl_session_pause(bank->session, IDLE_MS);
    }
    return NULL;
}

/* -- Life ----------------------------------------------------------------------------------------------------- */

struct bank *bank_create(const struct bank_options *options)
{
    assert(options->thread_count >= 1 && options->thread_count <= THREADS_MAX);
    struct bank *bank = calloc(1, sizeof *bank);
    assert(bank != NULL);
    bank->world = options->world;
    bank->seed = options->seed;
    bank->thread_count = options->thread_count;
    bank->plain = options->plain;
    bank->memory_comes_back = options->memory_comes_back;
    bank->cases_max = options->cases_max;
    bank->open_cases_max = options->open_cases_max;
    bank->ledger = ledger_create();
    (void)pthread_mutex_init(&bank->mutex, NULL);
    for (unsigned i = 0; i <= bank->thread_count; i++) {
        struct worker *worker = i == bank->thread_count ? &bank->receiver : &bank->workers[i];
        worker->bank = bank;
        worker->random = bank->seed * 1000 + i;
        struct cl_status status = cl_arena_create(&worker->arena, ARENA_BYTES);
        assert(cl_is_ok(status));
    }
    return bank;
}

void bank_free(struct bank *bank)
{
    if (bank == NULL) {
        return;
    }
    assert(bank->session == NULL);
    for (unsigned i = 0; i < bank->thread_count; i++) {
        cl_arena_free(bank->workers[i].arena);
    }
    cl_arena_free(bank->receiver.arena);
    ledger_free(bank->ledger);
    (void)pthread_mutex_destroy(&bank->mutex);
    free(bank->cases);
    free(bank->events);
    free(bank);
}

static bool has_answered(struct bank *bank, const struct bank_watch *watch)
{
    Coloan__V1__CapabilitiesQuery query = COLOAN__V1__CAPABILITIES_QUERY__INIT;
    struct cl_session_call call = {.method = "coloan.v1.Directory/GetCapabilities",
                                   .body = &query.base,
                                   .reply_type = &coloan__v1__capabilities__descriptor};
    struct cl_answer answer;
    bool answered = false;
    for (int waited_ms = 0; !answered && waited_ms < FIRST_ANSWER_MS; waited_ms += FIRST_ATTEMPT_MS) {
        if (watch != NULL && !watch->lives(watch->user)) {
            return false;
        }
        cl_arena_reset(bank->receiver.arena);
        answered = cl_is_ok(cl_session_call(&answer, bank->session, bank->receiver.arena, &call,
                                            (struct cl_patience){.total_ms = FIRST_ATTEMPT_MS}));
    }
    return answered;
}

bool bank_connect(struct bank *bank, uint16_t port, enum bank_mood mood)
{
    return bank_connect_while(bank, port, mood, NULL);
}

bool bank_connect_while(struct bank *bank, uint16_t port, enum bank_mood mood, const struct bank_watch *watch)
{
    char target[32];
    (void)snprintf(target, sizeof target, "127.0.0.1:%u", port);
    bank->session = world_session_at(bank->world, target, "alpha", WORLD_KEY_ALPHA);
    bank->mood = mood;
    bank->connected_ms = cl_clock_unix_ms(cl_clock_system());
    bank->store_failed = false;
    atomic_store(&bank->stopping, false);
    atomic_store(&bank->position, 0);
    if (!has_answered(bank, watch)) {
        cl_session_free(bank->session);
        bank->session = NULL;
        return false;
    }
    if (mood == BANK_BUSY && !bank->plain) {
        ledger_repeat_last(bank->ledger, REPEAT_AT_CONNECT);
    }
    int failed = pthread_create(&bank->receiver.thread, NULL, listen_to_events, &bank->receiver);
    for (unsigned i = 0; i < bank->thread_count; i++) {
        failed |= pthread_create(&bank->workers[i].thread, NULL, work, &bank->workers[i]);
    }
    assert(failed == 0);
    return true;
}

void bank_disconnect(struct bank *bank)
{
    if (bank->session == NULL) {
        return;
    }
    atomic_store(&bank->stopping, true);
    cl_session_stop(bank->session);
    for (unsigned i = 0; i < bank->thread_count; i++) {
        (void)pthread_join(bank->workers[i].thread, NULL);
    }
    (void)pthread_join(bank->receiver.thread, NULL);
    cl_session_free(bank->session);
    bank->session = NULL;
}

const char *bank_violation(struct bank *bank)
{
    lock(bank);
    bool any = bank->violation[0] != '\0';
    unlock(bank);
    return any ? bank->violation : NULL; /* written once */
}

struct bank_counts bank_counts(struct bank *bank)
{
    struct bank_counts counts = {.requests = ledger_counts(bank->ledger)};
    lock(bank);
    counts.applications = bank->case_count;
    counts.events = bank->event_count;
    counts.events_again = bank->events_again;
    counts.open_cases = bank->open_cases;
    counts.joint_decisions = bank->joint_decisions;
    counts.late_answers = bank->late_answers;
    counts.store_failures = bank->store_failures;
    counts.ok_after_failures = bank->ok_after_failures;
    unlock(bank);
    return counts;
}

/* -- Checks --------------------------------------------------------------------------------------------------- */

/* Until `done`, a violation, or too late, which is one. */
static void wait_until(struct bank *bank, bool (*done)(struct bank *bank), const char *what, int64_t wait_ms)
{
    int64_t end_ms = cl_clock_monotonic_ms(cl_clock_system()) + wait_ms;
    while (bank_violation(bank) == NULL && !done(bank)) {
        if (cl_clock_monotonic_ms(cl_clock_system()) >= end_ms) {
            struct bank_counts counts = bank_counts(bank);
            lock(bank);
            violated(bank, "%s takes too long: %" PRIu64 " requests and %" PRIu64 " cases are open", what,
                     counts.requests.open, counts.open_cases);
            unlock(bank);
            return;
        }
        (void)poll(NULL, 0, IDLE_MS);
    }
}

static bool is_finished(struct bank *bank)
{
    struct bank_counts counts = bank_counts(bank);
    return counts.requests.open == 0 && counts.open_cases == 0;
}

void bank_finish(struct bank *bank, int64_t wait_ms)
{
    wait_until(bank, is_finished, "finishing", wait_ms);
}

static bool has_repeated(struct bank *bank)
{
    return ledger_counts(bank->ledger).repeats_due == 0;
}

void bank_check_answers(struct bank *bank, int64_t wait_ms)
{
    wait_until(bank, has_repeated, "what was to be repeated before", wait_ms); /* would be counted with these */
    struct ledger_counts before = ledger_counts(bank->ledger);
    ledger_repeat_last(bank->ledger, LEDGER_RETAINED_MAX);
    wait_until(bank, has_repeated, "asking for every answer again", wait_ms);
    struct ledger_counts after = ledger_counts(bank->ledger);
    uint64_t kept = after.acknowledged < LEDGER_RETAINED_MAX ? after.acknowledged : LEDGER_RETAINED_MAX;
    lock(bank);
    if (after.repeated - before.repeated != kept) {
        violated(bank, "of %" PRIu64 " answers %" PRIu64 " came again", kept, after.repeated - before.repeated);
    }
    unlock(bank);
}

static bool has_replayed(struct bank *bank)
{
    lock(bank);
    bool all = atomic_load(&bank->position) >= bank->event_count;
    unlock(bank);
    return all;
}

void bank_check_stream(struct bank *bank, int64_t wait_ms)
{
    assert(bank->mood == BANK_REPLAY);
    wait_until(bank, has_replayed, "reading the whole stream again", wait_ms);
}

/* A page of the list is noted; false at the end or when it cannot be had. */
static bool list_page(struct bank *bank, struct cl_arena *arena, char token[256])
{
    Coloan__V1__ApplicationListQuery query = COLOAN__V1__APPLICATION_LIST_QUERY__INIT;
    query.page_size = PAGE;
    query.page_token = token;
    struct cl_session_call call = {.method = "coloan.v1.JointApproval/ListApplications",
                                   .body = &query.base,
                                   .reply_type = &coloan__v1__application_list__descriptor};
    struct cl_answer answer;
    struct cl_status status =
        cl_session_call(&answer, bank->session, arena, &call, (struct cl_patience){.total_ms = FIRST_ANSWER_MS});
    lock(bank);
    if (cl_failed(status)) {
        violated(bank, "the list cannot be had: %s %s", cl_status_name(status), answer.field);
        unlock(bank);
        return false;
    }
    const Coloan__V1__ApplicationList *list = (const Coloan__V1__ApplicationList *)(const void *)answer.body;
    for (size_t i = 0; i < list->n_applications; i++) {
        const Coloan__V1__ApplicationStatus *listed = list->applications[i];
        uint64_t household = 0;
        struct case_kept *kept = case_of(bank, listed->external_ref, &household);
        if (kept != NULL) {
            kept->listed_count++;
            note_id(bank, kept, listed->application_id, "the list");
            if (kept->approved && listed->outcome != COLOAN__V1__OUTCOME__OUTCOME_APPROVED_COMBINED) {
                violated(bank, "the approval of %s became %d", listed->external_ref, (int)listed->outcome);
            }
        }
    }
    (void)snprintf(token, 256, "%s", list->next_page_token);
    unlock(bank);
    return token[0] != '\0';
}

static void check_submission(void *user, const struct entry *entry)
{
    struct bank *bank = user;
    unsigned times = bank->cases[entry->household].listed_count;
    if (times != 1) {
        violated(bank, "the acknowledged submission K-%" PRIu64 " is listed %u times", entry->household, times);
    }
}

static void check_decision(void *user, const struct entry *entry)
{
    struct bank *bank = user;
    const struct case_kept *kept = &bank->cases[entry->household];
    if (kept->joint_count != 1 || kept->joint_outcome != COLOAN__V1__OUTCOME__OUTCOME_APPROVED_COMBINED) {
        violated(bank, "the acknowledged decision on K-%" PRIu64 " has %u joint decisions", entry->household,
                 kept->joint_count);
    }
    if (!cl_digest_equal(&kept->bank_decision, &entry->digest)) {
        violated(bank, "the joint decision on K-%" PRIu64 " holds other words than ours", entry->household);
    }
}

void bank_check_cases(struct bank *bank)
{
    char token[256] = "";
    struct cl_arena *arena = NULL;
    struct cl_status status = cl_arena_create(&arena, ARENA_BYTES);
    assert(cl_is_ok(status));
    for (size_t i = 0; i < bank->case_count; i++) {
        bank->cases[i].listed_count = 0;
    }
    while (list_page(bank, arena, token)) {
        cl_arena_reset(arena);
    }
    cl_arena_free(arena);
    lock(bank);
    ledger_each(bank->ledger, ENTRY_SUBMIT, check_submission, bank);
    ledger_each(bank->ledger, ENTRY_DECIDE, check_decision, bank);
    unlock(bank);
}

void bank_each_answered(struct bank *bank, void (*each)(void *user, const struct entry *entry), void *user)
{
    ledger_each(bank->ledger, ENTRY_SUBMIT, each, user);
    ledger_each(bank->ledger, ENTRY_REPORT, each, user);
    ledger_each(bank->ledger, ENTRY_DECIDE, each, user);
}
