/* The stream thread: opens the stream after the last durable event, makes every batch of events durable with one sync,
 * acknowledges, and starts anew when the stream ends, waiting longer each time. */
#include <stdlib.h>
#include <string.h>

#include "client/bank/bank.h"
#include "libcoloan/log.h"

enum {
    SLICE_MS = 20,          /* between two looks for acknowledgements to send */
    BATCH_MAX = 64,         /* events made durable with one sync */
    ACKS_MAX = 256,         /* sent in one go */
    REFUSED_MS = 60 * 1000, /* a person needs longer, and is called by the tenth refusal */
};

struct streaming {
    struct bank *bank;
    struct cl_delivery *delivery;
    struct cl_arena *arena; /* of one frame or acknowledgement */
    struct cl_backoff backoff;
    uint8_t session_id[CL_UUID_BYTES];
    int64_t heard_ms; /* monotonic, of the last frame */
    int64_t reconnect_ms;
    struct bank_entry *batch[BATCH_MAX]; /* noted, and not yet durable */
    size_t batch_count;
    struct repeated {
        uint64_t sequence;
        struct cl_digest digest;
    } repeated[BATCH_MAX]; /* came before; to be acknowledged again once that is sure to be durable */
    size_t repeated_count;
};

/* -- Acknowledging -------------------------------------------------------------------------------------------- */

static struct cl_status acknowledge(struct streaming *streaming, Coloan__V1__AckLevel level, uint64_t sequence,
                                    const struct cl_digest *digest, const char *reference)
{
    cl_arena_reset(streaming->arena);
    return cl_session_deliver_ack(
        streaming->delivery, streaming->arena,
        &(struct cl_deliver_ack){.sequence = sequence, .digest = *digest, .level = level, .reference = reference});
}

/* Nobody says that an acknowledgement came in, so the last ones are repeated; the centre takes each once. */
static struct cl_status acknowledge_unheard(struct streaming *streaming)
{
    struct bank *bank = streaming->bank;
    struct bank_applied *unheard = NULL;
    size_t count = 0;
    struct cl_status status = bank_state_unheard(&unheard, &count, bank->state);
    if (cl_is_ok(status)) {
        status = bank_sync(bank);
    }
    for (size_t i = 0; i < count && cl_is_ok(status); i++) {
        status = acknowledge(streaming, COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED, unheard[i].sequence,
                             &unheard[i].digest, NULL);
        if (cl_is_ok(status)) {
            status = acknowledge(streaming, COLOAN__V1__ACK_LEVEL__ACK_LEVEL_APPLIED, unheard[i].sequence,
                                 &unheard[i].digest, unheard[i].reference);
        }
        if (cl_is_ok(status) && !unheard[i].sent) {
            status = bank_note_said(bank, unheard[i].sequence, false);
        }
    }
    free(unheard);
    return status;
}

static struct cl_status acknowledge_applied(struct streaming *streaming)
{
    void *acks[ACKS_MAX];
    if (atomic_exchange(&streaming->bank->acks_lost, false)) {
        return acknowledge_unheard(streaming);
    }
    size_t count = cl_queue_take(streaming->bank->acks, acks, ACKS_MAX, 0);
    struct cl_status status = count == 0 ? cl_ok() : bank_sync(streaming->bank);
    for (size_t i = 0; i < count; i++) {
        struct bank_ack *ack = acks[i];
        if (cl_is_ok(status)) {
            status = acknowledge(streaming, COLOAN__V1__ACK_LEVEL__ACK_LEVEL_APPLIED, ack->sequence, &ack->digest,
                                 ack->reference);
        }
        if (cl_is_ok(status)) {
            status = bank_note_said(streaming->bank, ack->sequence, false);
        }
        free(ack); /* on failure it is among the unheard ones after the reconnect */
    }
    return status;
}

/* -- Receiving ------------------------------------------------------------------------------------------------ */

/* Signed by the centre and yet not to be understood: it holds up its own application, and somebody has to look. */
static struct cl_status refuse_event(struct streaming *streaming, const struct cl_delivered *delivered)
{
    struct cl_status status = cl_ok();
    cl_log(CL_LOG_ERROR, "bank.refused", cl_log_number("sequence", (int64_t)delivered->sequence));
    if (!delivered->again) {
        status = bank_remember(streaming->bank, &(struct bank_record){.kind = BANK_RECORD_HELD,
                                                                      .number = (int64_t)delivered->sequence,
                                                                      .sequence = delivered->sequence});
    }
    if (cl_failed(status)) {
        return status;
    }
    return cl_session_deliver_nack(streaming->delivery, streaming->arena,
                                   &(struct cl_deliver_nack){.sequence = delivered->sequence,
                                                             .digest = delivered->opened.digest,
                                                             .delay_ms = REFUSED_MS,
                                                             .reason = "FIELD_INVALID"});
}

static struct cl_status take_repetition(struct streaming *streaming, const struct cl_delivered *delivered)
{
    struct repeated *repeated = &streaming->repeated[streaming->repeated_count];
    const struct bank_entry *known = bank_state_find(streaming->bank->state, delivered->sequence);
    if (known != NULL && !cl_digest_equal(&known->digest, &delivered->opened.digest)) {
        return cl_fail(CL_SEQUENCE_WRONG);
    }
    *repeated = (struct repeated){.sequence = delivered->sequence, .digest = delivered->opened.digest};
    streaming->repeated_count++;
    return cl_ok();
}

static struct cl_status take_event(struct streaming *streaming, const struct cl_delivered *delivered)
{
    struct bank *bank = streaming->bank;
    size_t id_len = strlen(delivered->event->application_id);
    if (bank_state_has(bank->state, delivered->sequence)) {
        return take_repetition(streaming, delivered);
    }
    if (id_len == 0 || id_len > CL_TEXT_BYTES_MAX) {
        return refuse_event(streaming, delivered);
    }
    const struct bank_record record = {.kind = BANK_RECORD_EVENT,
                                       .sequence = delivered->sequence,
                                       .digest = delivered->opened.digest,
                                       .number = cl_clock_unix_ms(cl_clock_system()),
                                       .text = delivered->event->application_id,
                                       .bytes = delivered->envelope};
    struct cl_status status = bank_note(bank, &record);
    if (cl_failed(status)) {
        return status;
    }
    streaming->batch[streaming->batch_count++] = bank_state_find(bank->state, record.sequence);
    return cl_ok();
}

/* One sync, then the acknowledgements and the work. */
static struct cl_status settle_batch(struct streaming *streaming)
{
    struct bank *bank = streaming->bank;
    if (streaming->batch_count == 0 && streaming->repeated_count == 0) {
        return cl_ok();
    }
    struct cl_status status = bank_sync(bank);
    if (cl_failed(status)) {
        return status;
    }
    for (size_t i = 0; i < streaming->batch_count; i++) {
        const struct bank_entry *entry = streaming->batch[i];
        if (cl_is_ok(status)) {
            status = acknowledge(streaming, COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED, entry->sequence, &entry->digest,
                                 NULL);
        }
    }
    for (size_t i = 0; i < streaming->batch_count; i++) {
        bank_dispatch(bank, streaming->batch[i]);
    }
    for (size_t i = 0; i < streaming->repeated_count && cl_is_ok(status); i++) {
        status = acknowledge(streaming, COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED, streaming->repeated[i].sequence,
                             &streaming->repeated[i].digest, NULL);
    }
    streaming->batch_count = 0;
    streaming->repeated_count = 0;
    return status;
}

static struct cl_status take_gap(struct streaming *streaming, const struct cl_delivered *delivered)
{
    cl_log(CL_LOG_ERROR, "bank.gap", cl_log_number("from", (int64_t)delivered->from),
           cl_log_number("to", (int64_t)delivered->to));
    bank_say(streaming->bank, &(struct bank_line){.what = "gap", .sequence = delivered->to});
    return bank_remember(streaming->bank, &(struct bank_record){.kind = BANK_RECORD_GAP, .sequence = delivered->to});
}

/* `*over_out`: the stream is over, with that reason. */
static struct cl_status take_frame(struct streaming *streaming, const struct cl_delivered *delivered, bool *over_out)
{
    switch (delivered->kind) {
    case CL_DELIVERED_NOTHING:
        return cl_ok();
    case CL_DELIVERED_EVENT:
        return take_event(streaming, delivered);
    case CL_DELIVERED_GAP:
        return take_gap(streaming, delivered);
    case CL_DELIVERED_HELD:
        return bank_remember(streaming->bank, &(struct bank_record){.kind = BANK_RECORD_HELD,
                                                                    .number = (int64_t)delivered->from,
                                                                    .sequence = delivered->to});
    case CL_DELIVERED_HEARTBEAT:
        streaming->backoff.next_ms = 0;
        return cl_ok();
    case CL_DELIVERED_DRAIN:
        streaming->reconnect_ms = delivered->reconnect_after_ms;
        return cl_ok();
    case CL_DELIVERED_END:
        *over_out = true;
        return delivered->ended;
    }
    return cl_ok();
}

/* Frames until none waits or the batch is full. */
static struct cl_status receive_batch(struct streaming *streaming, bool *over_out)
{
    int64_t wait_ms = SLICE_MS;
    while (streaming->batch_count < BATCH_MAX && streaming->repeated_count < BATCH_MAX && !*over_out) {
        struct cl_delivered delivered = {.kind = CL_DELIVERED_NOTHING};
        cl_arena_reset(streaming->arena);
        struct cl_status status = cl_session_deliver_next(&delivered, streaming->delivery, streaming->arena, wait_ms);
        if (cl_is_ok(status) && delivered.kind == CL_DELIVERED_NOTHING) {
            return cl_ok();
        }
        streaming->heard_ms = cl_clock_monotonic_ms(cl_clock_system());
        if (cl_is_ok(status)) {
            status = take_frame(streaming, &delivered, over_out);
        }
        if (cl_failed(status)) {
            return status;
        }
        wait_ms = 0;
    }
    return cl_ok();
}

/* -- One stream, and the next --------------------------------------------------------------------------------- */

static struct cl_status stream_once(struct streaming *streaming)
{
    struct bank *bank = streaming->bank;
    struct cl_deliver_options options = {.resume_after = bank_state_received(bank->state),
                                         .epoch = bank_state_epoch(bank->state),
                                         .max_outstanding = (uint32_t)bank->config->outstanding_max};
    memcpy(options.session_id, streaming->session_id, sizeof options.session_id);
    struct cl_status status = cl_session_deliver_open(&streaming->delivery, bank->session, &options);
    if (cl_failed(status)) {
        return status;
    }
    bool over = false;
    streaming->heard_ms = cl_clock_monotonic_ms(cl_clock_system());
    status = acknowledge_unheard(streaming);
    if (status.reason == CL_CALL_CANCELLED) {
        status = cl_ok(); /* the receive below says why */
    }
    while (cl_is_ok(status) && !over && !cl_session_stopped(bank->session)) {
        status = receive_batch(streaming, &over);
        struct cl_status settled = settle_batch(streaming); /* what came before a failure is good */
        status = cl_is_ok(status) ? settled : status;
        if (cl_is_ok(status) && !over) {
            status = acknowledge_applied(streaming);
        }
        if (cl_clock_monotonic_ms(cl_clock_system()) - streaming->heard_ms > CL_DELIVER_SILENCE_MS) {
            status = cl_fail(CL_DEADLINE_EXCEEDED);
        }
        if (status.reason == CL_CALL_CANCELLED && !over) {
            status = cl_ok(); /* a send found it ended; the next receive says how */
        }
    }
    cl_session_deliver_close(streaming->delivery);
    streaming->delivery = NULL;
    return status;
}

static void refresh_keys(struct streaming *streaming)
{
    cl_arena_reset(streaming->arena);
    struct cl_status status = cl_session_refresh_keys(NULL, streaming->bank->session, streaming->arena,
                                                      (struct cl_patience){.attempt_ms = CL_DEADLINE_MS_DEFAULT});
    cl_log(CL_LOG_INFO, "bank.keys", cl_log_text("reason", cl_status_name(status)));
}

void *bank_stream(void *argument)
{
    struct streaming streaming = {.bank = argument};
    struct bank *bank = streaming.bank;
    cl_random_fill(cl_random_system(), streaming.session_id, sizeof streaming.session_id);
    if (cl_failed(cl_arena_create(&streaming.arena, 4 * CL_MESSAGE_ARENA_BYTES_MAX))) {
        bank_give_up(bank, "bank.stream", cl_fail(CL_MEMORY_LIMIT));
    }
    while (streaming.arena != NULL && !cl_session_stopped(bank->session)) {
        streaming.reconnect_ms = 0;
        struct cl_status status = stream_once(&streaming);
        if (cl_session_stopped(bank->session)) {
            break;
        }
        cl_log(CL_LOG_INFO, "bank.stream", cl_log_text("ended", cl_status_name(status)),
               cl_log_number("received", (int64_t)bank_state_received(bank->state)));
        if (status.reason == CL_STREAM_FENCED) {
            bank_give_up(bank, "bank.stream", status); /* another of us runs: two would act twice */
            break;
        }
        if (status.reason == CL_KEY_UNKNOWN || status.reason == CL_KEY_NOT_VALID) {
            refresh_keys(&streaming);
        }
        (void)cl_session_pause(bank->session,
                               cl_backoff_next(&streaming.backoff, streaming.reconnect_ms, cl_random_system()));
    }
    cl_arena_free(streaming.arena);
    return NULL;
}
