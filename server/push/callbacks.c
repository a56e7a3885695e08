#include "server/push/callbacks.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/breaker.h"
#include "libcoloan/clock.h"
#include "libcoloan/log.h"
#include "libcoloan/refusal.h"
#include "libcoloan/rpc.h"

enum {
    LOOK_MS = 1000,         /* what is due by time, or was changed on another node, is found this soon */
    REST_MS = 60 * 1000,    /* a bank's other threads are woken when there is more than one thing to do */
    LEASE_MS = 60 * 1000,   /* from taking an event to writing its outcome: a call, and a busy writer */
    FAILURES_MAX = 5,       /* in a row, before a bank is left alone */
    OPEN_MS = 30 * 1000,    /* so long */
    SEVERED_WAIT_MS = 1000, /* after the store refused a command */
};

#define NOTIFY_METHOD "coloan.v1.BankInbox/Notify"

/* One bank; shared by its threads. */
struct inbox {
    struct callbacks *callbacks;
    char party[CL_PARTY_BYTES_MAX + 1];
    const struct callbacks_bank *bank;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t changed;
    bool woken;
    struct cl_breaker breaker;
    struct cl_rpc_client *client; /* of `generation` */
    uint64_t generation;
    unsigned users; /* calls that use the client */
};

struct worker {
    struct inbox *inbox;
    struct cl_arena *arena;
    pthread_t thread;
    bool runs, first;             /* the first of its bank looks by itself */
    struct cl_rpc_stream *stream; /* the call under way; under the inbox's mutex */
};

struct callbacks {
    struct callbacks_options options;
    struct inbox *inboxes;
    struct worker *workers;
    size_t worker_count;
    atomic_bool stopping;
    pthread_mutex_t mutex; /* guards the identity */
    char *ca_pem, *cert_pem, *key_pem;
    atomic_uint_least64_t generation; /* of the identity, from 1 */
    atomic_uint_least64_t calls, failures;
};

static int64_t now_ms(const struct callbacks *callbacks)
{
    return cl_clock_monotonic_ms(callbacks->options.cases->centre->clock);
}

/* -- Connections ---------------------------------------------------------------------------------------------- */

static struct cl_status connect_inbox(struct cl_rpc_client **out, struct callbacks *callbacks,
                                      const struct inbox *inbox)
{
    (void)pthread_mutex_lock(&callbacks->mutex);
    struct cl_rpc_client_options options = {.target = inbox->bank->target,
                                            .server_name = inbox->bank->server_name,
                                            .server_party = inbox->party,
                                            .ca_pem = callbacks->ca_pem,
                                            .cert_pem = callbacks->cert_pem,
                                            .key_pem = callbacks->key_pem};
    struct cl_status status = cl_rpc_client_create(out, &options);
    (void)pthread_mutex_unlock(&callbacks->mutex);
    return status;
}

/* The inbox's connection, made anew when there is a new identity and no other thread uses the old one. The caller gives it
 * back with give_back. */
static struct cl_status borrow(struct cl_rpc_client **out, struct inbox *inbox)
{
    struct callbacks *callbacks = inbox->callbacks;
    struct cl_status status = cl_ok();
    (void)pthread_mutex_lock(&inbox->mutex);
    uint64_t generation = atomic_load(&callbacks->generation);
    if (inbox->users == 0 && (inbox->client == NULL || inbox->generation != generation)) {
        cl_rpc_client_free(inbox->client);
        inbox->client = NULL;
        status = connect_inbox(&inbox->client, callbacks, inbox);
        inbox->generation = generation;
    }
    if (cl_is_ok(status)) {
        inbox->users++;
        *out = inbox->client;
    }
    (void)pthread_mutex_unlock(&inbox->mutex);
    return status;
}

static void give_back(struct inbox *inbox)
{
    (void)pthread_mutex_lock(&inbox->mutex);
    inbox->users--;
    (void)pthread_mutex_unlock(&inbox->mutex);
}

/* -- A call --------------------------------------------------------------------------------------------------- */

/* Sets the stream where callbacks_stop finds it; false when it stopped already. */
static bool expose(struct worker *worker, struct cl_rpc_stream *stream)
{
    (void)pthread_mutex_lock(&worker->inbox->mutex);
    bool goes_on = stream == NULL || !atomic_load(&worker->inbox->callbacks->stopping);
    worker->stream = goes_on ? stream : NULL;
    (void)pthread_mutex_unlock(&worker->inbox->mutex);
    return goes_on;
}

/* Waits for the one answer, and for the end behind it. */
static struct cl_status receive(struct cl_bytes *out, struct worker *worker, struct cl_rpc_stream *stream)
{
    struct cl_rpc_buffer answer = {NULL, 0};
    struct cl_rpc_result result;
    enum cl_rpc_received received = cl_rpc_stream_receive(stream, CALLBACKS_CALL_MS, &answer);
    if (received == CL_RPC_MESSAGE) {
        const uint8_t *copy = cl_arena_copy(worker->arena, cl_bytes(answer.data, answer.len));
        free(answer.data);
        *out = cl_bytes(copy, answer.len);
        return copy == NULL ? cl_fail(CL_MEMORY_LIMIT) : cl_ok();
    }
    if (received == CL_RPC_TIMEOUT) {
        return cl_fail(CL_DEADLINE_EXCEEDED);
    }
    struct cl_status status = cl_rpc_stream_outcome(stream, &result);
    struct cl_refusal_read refusal;
    if (cl_is_ok(status)) {
        status = cl_refusal_read(&refusal, cl_bytes(result.details.data, result.details.len));
        status = cl_is_ok(status) ? refusal.status : cl_fail(CL_PEER_ANSWER_INVALID);
    }
    cl_rpc_result_free(&result);
    return cl_is_ok(status) ? cl_fail(CL_PEER_ANSWER_INVALID) : status; /* it ended well and said nothing */
}

/* One request and one answer on a stream, which, unlike a unary call, can be cut off from outside. */
static struct cl_status call(struct cl_bytes *out, struct worker *worker, struct cl_rpc_client *client,
                             struct cl_bytes envelope)
{
    struct cl_rpc_stream *stream = NULL;
    struct cl_status status = cl_rpc_stream_open(&stream, client, "/" NOTIFY_METHOD, CALLBACKS_CALL_MS);
    if (cl_failed(status)) {
        return status;
    }
    status = expose(worker, stream) ? cl_rpc_stream_send(stream, envelope) : cl_fail(CL_SHUTTING_DOWN);
    if (cl_is_ok(status)) {
        status = cl_rpc_stream_half_close(stream);
    }
    if (cl_is_ok(status) || status.reason == CL_CALL_CANCELLED) {
        status = receive(out, worker, stream);
    }
    (void)expose(worker, NULL);
    cl_rpc_stream_close(stream);
    return status;
}

/* The answer has to be the bank's own word on this very event. */
static struct cl_status verify(struct cl_opened *out, ProtobufCMessage **body_out, struct worker *worker,
                               const struct case_call *event, struct cl_bytes answer)
{
    static const struct cl_expected_body bodies[] = {
        {&coloan__v1__ack__descriptor, COLOAN__V1__DIRECTION__DIRECTION_ACK},
        {&coloan__v1__nack__descriptor, COLOAN__V1__DIRECTION__DIRECTION_ACK},
    };
    const struct centre *centre = worker->inbox->callbacks->options.cases->centre;
    struct cl_keyring *keyring = cl_keyring_slot_take(centre->keyrings);
    struct cl_expectation expected = {.keyring = keyring,
                                      .environment = centre->environment,
                                      .sender = worker->inbox->party,
                                      .recipient = centre->party,
                                      .method = NOTIFY_METHOD,
                                      .bodies = bodies,
                                      .body_count = sizeof bodies / sizeof bodies[0],
                                      .in_reply_to = &event->digest,
                                      .now_ms = cl_clock_unix_ms(centre->clock)};
    struct cl_status status = cl_envelope_open(out, worker->arena, answer, &expected);
    cl_keyring_unref(keyring);
    return cl_is_ok(status) ? cl_opened_body(body_out, worker->arena, out) : status;
}

static bool names_event(const struct cl_opened *opened, const ProtobufCMessage *body, uint64_t sequence)
{
    bool is_nack = opened->body_type == &coloan__v1__nack__descriptor;
    return (is_nack ? ((const Coloan__V1__Nack *)body)->sequence : ((const Coloan__V1__Ack *)body)->sequence) ==
           sequence;
}

/* -- Commands ------------------------------------------------------------------------------------------------- */

/* What a thread has the writer do: take an event, or write what became of the call. */
struct job {
    struct worker *worker;
    struct case_effect effect;
    bool found;
    struct case_call event;
    struct cl_opened opened;
    ProtobufCMessage *body;
    bool hasten;
    struct case_call_failure failure;
};

static struct case_tx view_of(struct job *job, struct store_tx *tx)
{
    job->effect = (struct case_effect){0};
    return case_tx_of(job->worker->inbox->callbacks->options.cases, tx, job->worker->arena, &job->effect);
}

static struct cl_status claim(void *user, struct store_tx *store_tx)
{
    struct job *job = user;
    struct case_tx tx = view_of(job, store_tx);
    return case_claim_event(&job->found, &job->event, &tx, job->worker->inbox->party, tx.now_ms + LEASE_MS);
}

static struct cl_status answered(void *user, struct store_tx *store_tx)
{
    struct job *job = user;
    struct case_tx tx = view_of(job, store_tx);
    tx.by = job->worker->inbox->party;
    tx.message = &job->opened.digest;
    struct case_request request = {
        .opened = &job->opened, .body = job->body, .sender = tx.by, .sender_kind = CL_PARTY_BANK};
    return case_call_answered(&tx, &request, job->hasten);
}

static struct cl_status failed(void *user, struct store_tx *store_tx)
{
    struct job *job = user;
    struct case_tx tx = view_of(job, store_tx);
    return case_call_failed(&tx, job->worker->inbox->party, &job->failure);
}

static struct cl_status run_job(struct job *job, struct cl_status (*apply)(void *user, struct store_tx *tx))
{
    struct callbacks *callbacks = job->worker->inbox->callbacks;
    struct cl_status status = store_run(callbacks->options.store, apply, job);
    if (cl_is_ok(status)) {
        callbacks->options.done(callbacks->options.user, &job->effect);
    }
    return status;
}

/* -- One event ------------------------------------------------------------------------------------------------ */

/* Not the event's fault, nor the bank's word on it. */
static bool is_unreachable(struct cl_status status)
{
    enum cl_grpc_code code = cl_reason_info(status.reason)->grpc_code;
    return code == CL_GRPC_UNAVAILABLE || code == CL_GRPC_DEADLINE_EXCEEDED || code == CL_GRPC_CANCELLED ||
           code == CL_GRPC_RESOURCE_EXHAUSTED;
}

static bool note_outcome(struct inbox *inbox, bool reached)
{
    (void)pthread_mutex_lock(&inbox->mutex);
    bool was_failing = inbox->breaker.failures > 0;
    bool opened = false;
    if (reached) {
        cl_breaker_succeeded(&inbox->breaker);
    } else {
        opened = cl_breaker_failed(&inbox->breaker, now_ms(inbox->callbacks));
    }
    (void)pthread_mutex_unlock(&inbox->mutex);
    if (opened) {
        cl_log(CL_LOG_WARNING, "callbacks.bank_left_alone", cl_log_text("party", inbox->party),
               cl_log_number("open_ms", OPEN_MS));
    }
    return reached && was_failing;
}

static struct cl_status write_failure(struct job *job, struct cl_status why, bool unreachable)
{
    uint32_t random = 0;
    cl_random_fill(job->worker->inbox->callbacks->options.cases->centre->random, (uint8_t *)&random, sizeof random);
    job->failure = (struct case_call_failure){.sequence = job->event.sequence,
                                              .unreachable = unreachable,
                                              .stream = job->event.stream,
                                              .note = cl_reason_info(why.reason)->name,
                                              .random = random};
    return run_job(job, failed);
}

static struct cl_status deliver(struct job *job)
{
    struct worker *worker = job->worker;
    struct callbacks *callbacks = worker->inbox->callbacks;
    struct cl_rpc_client *client = NULL;
    struct cl_bytes answer = {NULL, 0};
    struct cl_status status = borrow(&client, worker->inbox);
    if (cl_is_ok(status)) {
        status = call(&answer, worker, client, job->event.envelope);
        give_back(worker->inbox);
    }
    if (atomic_load(&callbacks->stopping) && cl_failed(status)) {
        return cl_fail(CL_SHUTTING_DOWN); /* the lease ends by itself */
    }
    atomic_fetch_add(&callbacks->calls, 1);
    bool unreachable = cl_failed(status) && is_unreachable(status);
    job->hasten = note_outcome(worker->inbox, !unreachable);
    if (cl_is_ok(status)) {
        status = verify(&job->opened, &job->body, worker, &job->event, answer);
    }
    if (cl_is_ok(status) && !names_event(&job->opened, job->body, job->event.sequence)) {
        status = cl_fail(CL_ACK_WRONG);
    }
    if (cl_is_ok(status)) {
        status = run_job(job, answered);
    }
    if (cl_is_ok(status) || status.reason == CL_STORE_FAILED || status.reason == CL_SHUTTING_DOWN) {
        return status;
    }
    atomic_fetch_add(&callbacks->failures, 1);
    return write_failure(job, status, unreachable);
}

/* -- The threads ---------------------------------------------------------------------------------------------- */

static void wake(struct inbox *inbox)
{
    (void)pthread_mutex_lock(&inbox->mutex);
    inbox->woken = true;
    (void)pthread_cond_signal(&inbox->changed);
    (void)pthread_mutex_unlock(&inbox->mutex);
}

static void wait_for_news(struct inbox *inbox, int64_t wait_ms)
{
    struct timespec until = cl_monotonic_after(wait_ms);
    int waited = 0;
    (void)pthread_mutex_lock(&inbox->mutex);
    while (!inbox->woken && !atomic_load(&inbox->callbacks->stopping) && waited == 0) {
        waited = pthread_cond_timedwait(&inbox->changed, &inbox->mutex, &until);
    }
    inbox->woken = false;
    (void)pthread_mutex_unlock(&inbox->mutex);
}

/* Whether the bank may be called now. */
static bool may_call(struct inbox *inbox)
{
    struct callbacks *callbacks = inbox->callbacks;
    if (callbacks->options.streams(callbacks->options.user, inbox->party)) {
        return false;
    }
    (void)pthread_mutex_lock(&inbox->mutex);
    bool lets = cl_breaker_lets(&inbox->breaker, now_ms(callbacks));
    if (lets) {
        cl_breaker_sent(&inbox->breaker);
    }
    (void)pthread_mutex_unlock(&inbox->mutex);
    return lets;
}

/* The probe that was let out found nothing to call with. */
static void take_back(struct inbox *inbox)
{
    (void)pthread_mutex_lock(&inbox->mutex);
    inbox->breaker.probing = false;
    (void)pthread_mutex_unlock(&inbox->mutex);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct inbox *inbox = worker->inbox;
    while (!atomic_load(&inbox->callbacks->stopping)) {
        if (!may_call(inbox)) {
            wait_for_news(inbox, worker->first ? LOOK_MS : REST_MS);
            continue;
        }
        struct job job = {.worker = worker};
        cl_arena_reset(worker->arena);
        struct cl_status status = run_job(&job, claim);
        if (cl_is_ok(status) && job.found) {
            wake(inbox); /* there may be more, of other applications */
            status = deliver(&job);
        } else {
            take_back(inbox);
        }
        if (cl_failed(status) || !job.found) {
            wait_for_news(inbox, cl_failed(status) ? SEVERED_WAIT_MS : worker->first ? LOOK_MS : REST_MS);
        }
    }
    return NULL;
}

/* -- Life ----------------------------------------------------------------------------------------------------- */

static struct cl_status take_identity(struct callbacks *callbacks, const struct callbacks_identity *identity)
{
    char *ca = strdup(identity->ca_pem);
    char *cert = strdup(identity->cert_pem);
    char *key = strdup(identity->key_pem);
    if (ca == NULL || cert == NULL || key == NULL) {
        free(ca);
        free(cert);
        free(key);
        return cl_fail(CL_MEMORY_LIMIT);
    }
    (void)pthread_mutex_lock(&callbacks->mutex);
    free(callbacks->ca_pem);
    free(callbacks->cert_pem);
    if (callbacks->key_pem != NULL) {
        explicit_bzero(callbacks->key_pem, strlen(callbacks->key_pem));
    }
    free(callbacks->key_pem);
    callbacks->ca_pem = ca;
    callbacks->cert_pem = cert;
    callbacks->key_pem = key;
    (void)pthread_mutex_unlock(&callbacks->mutex);
    atomic_fetch_add(&callbacks->generation, 1);
    return cl_ok();
}

static void open_inbox(struct inbox *inbox, struct callbacks *callbacks, const struct callbacks_bank *bank)
{
    pthread_condattr_t attributes;
    inbox->callbacks = callbacks;
    inbox->bank = bank;
    memcpy(inbox->party, bank->party, strlen(bank->party) + 1);
    inbox->breaker = (struct cl_breaker){.failures_max = FAILURES_MAX, .open_ms = OPEN_MS};
    (void)pthread_mutex_init(&inbox->mutex, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&inbox->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
}

static struct cl_status start_worker(struct callbacks *callbacks, struct inbox *inbox)
{
    struct worker *worker = &callbacks->workers[callbacks->worker_count];
    worker->inbox = inbox;
    worker->first = callbacks->worker_count == 0 || worker[-1].inbox != inbox;
    struct cl_status status = cl_arena_create(&worker->arena, 4 * CL_MESSAGE_ARENA_BYTES_MAX);
    if (cl_failed(status)) {
        return status;
    }
    callbacks->worker_count++;
    worker->runs = pthread_create(&worker->thread, NULL, work, worker) == 0;
    if (!worker->runs) {
        return cl_fail(CL_SYSTEM);
    }
    (void)pthread_setname_np(worker->thread, "callbacks");
    return cl_ok();
}

static struct cl_status start_all(struct callbacks *callbacks)
{
    struct cl_status status = cl_ok();
    for (size_t i = 0; i < callbacks->options.bank_count; i++) {
        open_inbox(&callbacks->inboxes[i], callbacks, &callbacks->options.banks[i]);
    }
    for (size_t i = 0; i < callbacks->options.bank_count; i++) {
        for (unsigned j = 0; cl_is_ok(status) && j < callbacks->options.banks[i].parallel; j++) {
            status = start_worker(callbacks, &callbacks->inboxes[i]);
        }
    }
    return status;
}

static size_t count_workers(const struct callbacks_options *options)
{
    size_t count = 0;
    assert(options->bank_count <= CALLBACKS_BANKS_MAX);
    for (size_t i = 0; i < options->bank_count; i++) {
        assert(options->banks[i].parallel >= 1 && options->banks[i].parallel <= CALLBACKS_PARALLEL_MAX);
        count += options->banks[i].parallel;
    }
    return count;
}

struct cl_status callbacks_create(struct callbacks **out, const struct callbacks_options *options)
{
    struct callbacks *callbacks = calloc(1, sizeof *callbacks);
    if (callbacks == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    callbacks->options = *options;
    (void)pthread_mutex_init(&callbacks->mutex, NULL);
    callbacks->inboxes = calloc(options->bank_count + 1, sizeof callbacks->inboxes[0]);
    callbacks->workers = calloc(count_workers(options) + 1, sizeof callbacks->workers[0]);
    struct cl_status status =
        callbacks->inboxes == NULL || callbacks->workers == NULL ? cl_fail(CL_MEMORY_LIMIT) : cl_ok();
    if (cl_failed(status)) {
        callbacks->options.bank_count = 0; /* no inbox was opened */
    } else {
        status = take_identity(callbacks, &options->identity);
    }
    if (cl_is_ok(status)) {
        status = start_all(callbacks);
    }
    if (cl_failed(status)) {
        callbacks_free(callbacks);
        return status;
    }
    *out = callbacks;
    return cl_ok();
}

struct cl_status callbacks_reload(struct callbacks *callbacks, const struct callbacks_identity *identity)
{
    return take_identity(callbacks, identity);
}

static void cut_off(struct worker *worker)
{
    struct inbox *inbox = worker->inbox;
    (void)pthread_mutex_lock(&inbox->mutex);
    if (worker->stream != NULL) {
        cl_rpc_stream_cancel(worker->stream);
    }
    (void)pthread_cond_broadcast(&inbox->changed);
    (void)pthread_mutex_unlock(&inbox->mutex);
}

void callbacks_stop(struct callbacks *callbacks)
{
    atomic_store(&callbacks->stopping, true);
    for (size_t i = 0; i < callbacks->worker_count; i++) {
        cut_off(&callbacks->workers[i]);
    }
    for (size_t i = 0; i < callbacks->worker_count; i++) {
        if (callbacks->workers[i].runs) {
            (void)pthread_join(callbacks->workers[i].thread, NULL);
            callbacks->workers[i].runs = false;
        }
    }
}

void callbacks_free(struct callbacks *callbacks)
{
    if (callbacks == NULL) {
        return;
    }
    callbacks_stop(callbacks);
    for (size_t i = 0; i < callbacks->worker_count; i++) {
        cl_arena_free(callbacks->workers[i].arena);
    }
    for (size_t i = 0; callbacks->inboxes != NULL && i < callbacks->options.bank_count; i++) {
        struct inbox *inbox = &callbacks->inboxes[i];
        if (inbox->callbacks != NULL) {
            cl_rpc_client_free(inbox->client);
            (void)pthread_cond_destroy(&inbox->changed);
            (void)pthread_mutex_destroy(&inbox->mutex);
        }
    }
    free(callbacks->inboxes);
    free(callbacks->workers);
    free(callbacks->ca_pem);
    free(callbacks->cert_pem);
    if (callbacks->key_pem != NULL) {
        explicit_bzero(callbacks->key_pem, strlen(callbacks->key_pem));
    }
    free(callbacks->key_pem);
    (void)pthread_mutex_destroy(&callbacks->mutex);
    free(callbacks);
}

/* -- From other threads --------------------------------------------------------------------------------------- */

void callbacks_notify(struct callbacks *callbacks, const char *party)
{
    for (size_t i = 0; i < callbacks->options.bank_count; i++) {
        struct inbox *inbox = &callbacks->inboxes[i];
        if (party == NULL || strcmp(inbox->party, party) == 0) {
            wake(inbox);
        }
    }
}

void callbacks_counters(struct callbacks *callbacks, struct callbacks_counters *out)
{
    *out = (struct callbacks_counters){.calls = atomic_load(&callbacks->calls),
                                       .failures = atomic_load(&callbacks->failures)};
    for (size_t i = 0; i < callbacks->options.bank_count; i++) {
        (void)pthread_mutex_lock(&callbacks->inboxes[i].mutex);
        out->open_breakers += callbacks->inboxes[i].breaker.open ? 1 : 0;
        (void)pthread_mutex_unlock(&callbacks->inboxes[i].mutex);
    }
}
