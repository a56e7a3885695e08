/* The bank as a server: the centre calls BankInbox.Notify with one event at a time. A poll thread hands the call to the
 * inbox thread, which makes all that wait durable with one sync and then answers each; another thread tells the centre
 * what was applied.
 *
 * Events of different applications come in any order, so one may come before a lower one; the state knows what is
 * missing, and a stream can take over at any time. */
#include <stdlib.h>
#include <string.h>

#include "client/bank/bank.h"
#include "libcoloan/limits.h"
#include "libcoloan/log.h"
#include "libcoloan/rpc.h"

enum {
    WAITING_MAX = 256, /* calls; the centre makes some at once, and a second one after its deadline */
    BATCH_MAX = 64,    /* answered after one sync */
    ACKS_MAX = 64,
    SLICE_MS = 20,
    REFUSED_MS = 60 * 1000,
    GRACE_MS = 1000,
};

#define PARTY_URN "urn:coloan:party:"

struct bank_inbox {
    struct bank *bank;
    struct cl_rpc_server *server;
    struct cl_queue *calls; /* struct waiting, owned by the queue */
    pthread_t taker, teller;
    bool takes, tells;
};

/* A call whose answer is owed. */
struct waiting {
    struct cl_rpc_call *call; /* referenced */
    struct cl_arena *arena;
    struct cl_delivered delivered;
    struct bank_entry *entry; /* NULL: it was here before, or is refused */
    bool refused;
};

static void waiting_free(struct waiting *waiting)
{
    cl_rpc_call_unref(waiting->call);
    cl_arena_free(waiting->arena);
    free(waiting);
}

/* -- Calls come in -------------------------------------------------------------------------------------------- */

/* The certificate is one of the scheme's; it has to be the centre's, too. */
static bool is_centre(const struct bank_inbox *inbox, struct cl_rpc_call *call)
{
    char uri[sizeof PARTY_URN + CL_PARTY_BYTES_MAX];
    return cl_is_ok(cl_rpc_call_certificate_uri(uri, sizeof uri, call)) &&
           strncmp(uri, PARTY_URN, sizeof PARTY_URN - 1) == 0 &&
           strcmp(uri + sizeof PARTY_URN - 1, cl_session_centre(inbox->bank->session)) == 0;
}

static struct cl_status take_call(struct bank_inbox *inbox, struct cl_rpc_call *call, struct cl_bytes message)
{
    if (!is_centre(inbox, call)) {
        return cl_fail(CL_CALLER_NOT_ALLOWED);
    }
    struct waiting *waiting = calloc(1, sizeof *waiting);
    if (waiting == NULL || cl_failed(cl_arena_create(&waiting->arena, 2 * CL_MESSAGE_ARENA_BYTES_MAX))) {
        free(waiting);
        return cl_fail(CL_MEMORY_LIMIT);
    }
    waiting->call = cl_rpc_call_ref(call);
    struct cl_status status = cl_session_notified(&waiting->delivered, inbox->bank->session, waiting->arena, message);
    if (cl_is_ok(status)) {
        status = cl_queue_push(inbox->calls, waiting);
    }
    if (cl_failed(status)) {
        waiting_free(waiting);
    }
    return status;
}

static void on_notify(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    struct cl_status status = take_call(user, call, message);
    if (cl_failed(status)) {
        cl_log(CL_LOG_WARNING, "bank.call_refused", cl_log_text("reason", cl_status_name(status)));
        cl_rpc_finish(call, status, cl_bytes(NULL, 0));
    }
}

/* -- Made durable and answered -------------------------------------------------------------------------------- */

/* Notes an event that is new. SEQUENCE_WRONG when it is another one than was here under its number. */
static struct cl_status note(struct bank *bank, struct waiting *waiting)
{
    const struct cl_delivered *delivered = &waiting->delivered;
    size_t id_len = strlen(delivered->event->application_id);
    if (bank_state_has(bank->state, delivered->sequence)) {
        const struct bank_entry *known = bank_state_find(bank->state, delivered->sequence);
        bool other = known != NULL && !cl_digest_equal(&known->digest, &delivered->opened.digest);
        return other ? cl_fail(CL_SEQUENCE_WRONG) : cl_ok();
    }
    waiting->refused = id_len == 0 || id_len > CL_TEXT_BYTES_MAX;
    if (waiting->refused) {
        return cl_ok();
    }
    struct cl_status status = bank_note(bank, &(struct bank_record){.kind = BANK_RECORD_EVENT,
                                                                    .sequence = delivered->sequence,
                                                                    .digest = delivered->opened.digest,
                                                                    .number = cl_clock_unix_ms(cl_clock_system()),
                                                                    .text = delivered->event->application_id,
                                                                    .bytes = delivered->envelope});
    if (cl_is_ok(status)) {
        waiting->entry = bank_state_find(bank->state, delivered->sequence);
    }
    return status;
}

static struct cl_status make_answer(struct cl_bytes *out, const struct bank *bank, struct waiting *waiting)
{
    const struct cl_delivered *delivered = &waiting->delivered;
    if (waiting->refused) {
        return cl_session_notified_nack(out, bank->session, waiting->arena,
                                        &(struct cl_deliver_nack){.sequence = delivered->sequence,
                                                                  .digest = delivered->opened.digest,
                                                                  .delay_ms = REFUSED_MS,
                                                                  .reason = "FIELD_INVALID"});
    }
    return cl_session_notified_ack(out, bank->session, waiting->arena,
                                   &(struct cl_deliver_ack){.sequence = delivered->sequence,
                                                            .digest = delivered->opened.digest,
                                                            .level = COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED});
}

static void answer(const struct bank *bank, struct waiting *waiting, struct cl_status status)
{
    struct cl_bytes bytes;
    if (cl_is_ok(status)) {
        status = make_answer(&bytes, bank, waiting);
    }
    if (cl_is_ok(status)) {
        cl_rpc_reply(waiting->call, bytes);
    } else {
        cl_rpc_finish(waiting->call, status, cl_bytes(NULL, 0));
    }
}

static void take_batch(struct bank *bank, struct waiting *const *batch, size_t count)
{
    struct cl_status statuses[BATCH_MAX];
    for (size_t i = 0; i < count; i++) {
        statuses[i] = note(bank, batch[i]);
    }
    struct cl_status synced = bank_sync(bank);
    for (size_t i = 0; i < count; i++) {
        answer(bank, batch[i], cl_is_ok(synced) ? statuses[i] : synced);
        if (cl_is_ok(synced) && batch[i]->entry != NULL) {
            bank_dispatch(bank, batch[i]->entry);
        }
        waiting_free(batch[i]);
    }
}

static void *take(void *argument)
{
    struct bank_inbox *inbox = argument;
    while (!cl_session_stopped(inbox->bank->session)) {
        void *elements[BATCH_MAX];
        struct waiting *batch[BATCH_MAX];
        size_t count = cl_queue_take(inbox->calls, elements, BATCH_MAX, SLICE_MS);
        for (size_t i = 0; i < count; i++) {
            batch[i] = elements[i];
        }
        if (count > 0) {
            take_batch(inbox->bank, batch, count);
        }
    }
    return NULL;
}

/* -- What was applied ----------------------------------------------------------------------------------------- */

/* Asks until there is an answer, and notes that there was; a refusal is one. OK when we are to stop before it. */
static struct cl_status tell(struct bank *bank, struct cl_arena *arena, const struct bank_ack *ack)
{
    struct cl_backoff backoff = {0};
    Coloan__V1__Ack body = COLOAN__V1__ACK__INIT;
    char reference[CL_TEXT_BYTES_MAX + 1];
    memcpy(reference, ack->reference, sizeof reference);
    body.sequence = ack->sequence;
    body.level = COLOAN__V1__ACK_LEVEL__ACK_LEVEL_APPLIED;
    body.bank_reference = reference;
    for (;;) {
        struct cl_answer answer;
        cl_arena_reset(arena);
        struct cl_status status = cl_session_call(&answer, bank->session, arena,
                                                  &(struct cl_session_call){
                                                      .method = "coloan.v1.JointApproval/AcknowledgeEvent",
                                                      .body = &body.base,
                                                      .reply_type = &coloan__v1__event_state__descriptor,
                                                      .acknowledges = &ack->digest,
                                                  },
                                                  (struct cl_patience){.attempt_ms = 0});
        if (cl_is_ok(status) || (answer.refused && cl_reason_info(status.reason)->retry != CL_RETRY_DELAY)) {
            return bank_note_said(bank, ack->sequence, true);
        }
        if (cl_session_stopped(bank->session)) {
            return cl_ok();
        }
        (void)cl_session_pause(bank->session, cl_backoff_next(&backoff, answer.retry_after_ms, cl_random_system()));
    }
}

/* What was applied before we stopped and not said, or sent on a stream without an answer; the centre takes each once. */
static struct cl_status tell_unheard(struct bank *bank, struct cl_arena *arena)
{
    struct bank_applied *unheard = NULL;
    size_t count = 0;
    struct cl_status status = bank_state_unheard(&unheard, &count, bank->state);
    if (cl_is_ok(status)) {
        status = bank_sync(bank);
    }
    for (size_t i = 0; i < count && cl_is_ok(status) && !cl_session_stopped(bank->session); i++) {
        struct bank_ack ack = {.sequence = unheard[i].sequence, .digest = unheard[i].digest};
        memcpy(ack.reference, unheard[i].reference, sizeof ack.reference);
        status = tell(bank, arena, &ack);
    }
    free(unheard);
    return status;
}

static struct cl_status tell_queued(struct bank *bank, struct cl_arena *arena)
{
    void *acks[ACKS_MAX];
    size_t count = cl_queue_take(bank->acks, acks, ACKS_MAX, SLICE_MS);
    struct cl_status status = count == 0 ? cl_ok() : bank_sync(bank);
    for (size_t i = 0; i < count; i++) {
        if (cl_is_ok(status)) {
            status = tell(bank, arena, acks[i]);
        }
        free(acks[i]);
    }
    return status;
}

static void *tell_applied(void *argument)
{
    struct bank *bank = ((struct bank_inbox *)argument)->bank;
    struct cl_arena *arena = NULL;
    if (cl_failed(cl_arena_create(&arena, 4 * CL_MESSAGE_ARENA_BYTES_MAX))) {
        bank_give_up(bank, "bank.inbox", cl_fail(CL_MEMORY_LIMIT));
        return NULL;
    }
    atomic_store(&bank->acks_lost, true); /* for what was before us */
    struct cl_status status = cl_ok();
    while (cl_is_ok(status) && !cl_session_stopped(bank->session)) {
        bool lost = atomic_exchange(&bank->acks_lost, false);
        status = lost ? tell_unheard(bank, arena) : tell_queued(bank, arena);
    }
    if (cl_failed(status)) {
        bank_give_up(bank, "bank.inbox", status);
    }
    cl_arena_free(arena);
    return NULL;
}

/* -- Life ----------------------------------------------------------------------------------------------------- */

static struct cl_status open_server(struct bank_inbox *inbox, uint16_t *port_out)
{
    const struct client_profile *profile = &inbox->bank->config->profile;
    const struct cl_rpc_method method = {"/coloan.v1.BankInbox/Notify", CL_RPC_UNARY, on_notify, inbox};
    const struct cl_rpc_server_options options = {
        .methods = &method, .method_count = 1, .poll_thread_count = 1, .accept_count = 16, .send_queue_max = 16};
    const struct cl_rpc_listen listen = {.address = inbox->bank->config->listen,
                                         .ca_pem = profile->ca_pem,
                                         .cert_pem = profile->cert_pem,
                                         .key_pem = profile->key_pem};
    struct cl_status status = cl_rpc_server_create(&inbox->server, &options);
    if (cl_is_ok(status)) {
        status = cl_rpc_server_listen_tls(inbox->server, &listen, port_out);
    }
    return cl_is_ok(status) ? cl_rpc_server_start(inbox->server) : status;
}

struct cl_status bank_inbox_start(struct bank_inbox **out, uint16_t *port_out, struct bank *bank)
{
    struct bank_inbox *inbox = calloc(1, sizeof *inbox);
    if (inbox == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    inbox->bank = bank;
    struct cl_status status = cl_queue_create(&inbox->calls, WAITING_MAX);
    if (cl_is_ok(status)) {
        status = open_server(inbox, port_out);
    }
    if (cl_is_ok(status)) {
        inbox->takes = pthread_create(&inbox->taker, NULL, take, inbox) == 0;
        inbox->tells = inbox->takes && pthread_create(&inbox->teller, NULL, tell_applied, inbox) == 0;
        status = inbox->tells ? cl_ok() : cl_fail(CL_SYSTEM);
    }
    if (cl_failed(status)) {
        cl_session_stop(bank->session);
        bank_inbox_stop(inbox);
        return status;
    }
    *out = inbox;
    return cl_ok();
}

void bank_inbox_stop(struct bank_inbox *inbox)
{
    if (inbox == NULL) {
        return;
    }
    if (inbox->takes) {
        (void)pthread_join(inbox->taker, NULL);
    }
    if (inbox->tells) {
        (void)pthread_join(inbox->teller, NULL);
    }
    if (inbox->server != NULL) {
        cl_rpc_server_stop(inbox->server, GRACE_MS);
    }
    void *element = NULL;
    while (inbox->calls != NULL && cl_queue_take(inbox->calls, &element, 1, 0) == 1) {
        waiting_free(element); /* unanswered: the centre calls again */
    }
    cl_rpc_server_free(inbox->server);
    cl_queue_free(inbox->calls);
    free(inbox);
}
