#include "server/api/exchange.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/direct.h"
#include "server/api/effects.h"
#include "server/api/shared.h"
#include "server/store/messages.h"

struct exchange {
    struct store_command command; /* first: a command is cast back */
    struct api *api;
    size_t method;    /* its index */
    int64_t began_ms; /* monotonic */
    void (*answered)(void *user, const struct exchange_answer *answer);
    void *user;
    struct api_request request;
    struct cl_arena_mark before; /* of the request's arena: the writer begins there */
    struct case_effect effect;
    struct cl_bytes reply; /* in the request's arena */
    bool repeated;
};

static void exchange_free(struct exchange *exchange)
{
    api_request_free(&exchange->request);
    free(exchange);
}

static void send_reply(struct exchange *exchange)
{
    struct api *api = exchange->api;
    api_count(exchange->repeated ? &api->counters.repeats : &api->counters.replies);
    exchange->answered(exchange->user, &(struct exchange_answer){.status = cl_ok(), .reply = exchange->reply});
    if (api->meter.replied != NULL) {
        int64_t took_ms = cl_clock_monotonic_ms(api->centre->clock) - exchange->began_ms;
        api->meter.replied(api->meter.user, exchange->method, took_ms);
    }
}

static void send_refusal(struct exchange *exchange, struct cl_status reason)
{
    struct cl_refusal_details details;
    api_refuse_counted(&details, exchange->api, &exchange->request, reason, exchange->effect.field.text);
    exchange->answered(exchange->user, &(struct exchange_answer){.status = reason, .refusal = &details});
}

/* Before there is an exchange, or for a sender who is not proven. */
static void refuse_unsigned(struct api *api, const struct exchange_call *call, struct cl_status reason)
{
    struct cl_refusal_details details;
    api_refuse_counted(&details, api, NULL, reason, "");
    call->answered(call->user, &(struct exchange_answer){.status = reason, .refusal = &details});
}

/* -- In the transaction -------------------------------------------------------------------------------------- */

static struct case_request request_of(const struct exchange *exchange, const char *application_id)
{
    return (struct case_request){
        .opened = &exchange->request.opened,
        .body = exchange->request.body,
        .sender = exchange->request.sender,
        .sender_kind = exchange->request.sender_kind,
        .application_id = application_id,
    };
}

/* A reply that only tells is not told again once a consent that it rests on was withdrawn. */
static struct cl_status check_repeat(const struct exchange *exchange, struct case_tx *tx)
{
    if (!exchange->request.method->reads || cl_failed(exchange->request.body_status)) {
        return cl_ok();
    }
    struct case_request request = request_of(exchange, exchange->request.opened.header->application_id);
    return case_may_repeat(tx, &request);
}

/* Step 9. `exchange->reply` is set when the same message was answered before. */
static struct cl_status find_duplicate(struct exchange *exchange, struct case_tx *tx)
{
    const struct cl_opened *opened = &exchange->request.opened;
    struct message_duplicate duplicate;
    struct cl_status status = messages_find_duplicate(&duplicate, tx->sql, exchange->request.arena,
                                                      exchange->request.sender, opened->message_id.bytes);
    if (cl_failed(status) || !duplicate.found) {
        return status;
    }
    if (!cl_digest_equal(&duplicate.digest, &opened->digest)) {
        return cl_fail(CL_MESSAGE_ID_REUSED);
    }
    if (!duplicate.has_reply) {
        return cl_fail(CL_INTERNAL); /* request and reply are written together */
    }
    exchange->reply = duplicate.reply;
    exchange->repeated = true;
    return check_repeat(exchange, tx);
}

static struct cl_status run_handler(ProtobufCMessage **reply_out, struct exchange *exchange, struct case_tx *tx,
                                    const char *application_id)
{
    struct case_request request = request_of(exchange, application_id);
    return exchange->request.method->handler(reply_out, tx, &request);
}

static struct centre_speech reply_of(const struct exchange *exchange, const ProtobufCMessage *body, int64_t now_ms)
{
    return (struct centre_speech){
        .direction = COLOAN__V1__DIRECTION__DIRECTION_REPLY,
        .recipient = exchange->request.sender,
        .method = api_method_name(exchange->request.method),
        .in_reply_to = &exchange->request.opened.digest,
        .application_id = exchange->effect.application_id,
        .spec_version = exchange->request.opened.header->spec_version,
        .body = body,
        .now_ms = now_ms,
    };
}

/* Seals the reply and puts it into the log. */
static struct cl_status keep_reply(struct cl_digest *digest_out, struct exchange *exchange, struct case_tx *tx,
                                   const ProtobufCMessage *body)
{
    struct centre_speech speech = reply_of(exchange, body, tx->now_ms);
    struct centre_sealed sealed;
    struct cl_status status = centre_seal(&sealed, tx->arena, exchange->api->centre, &speech);
    if (cl_failed(status)) {
        return status;
    }
    exchange->reply = sealed.envelope;
    *digest_out = sealed.digest;
    return case_keep(tx, &sealed, &speech);
}

/* Answers without keeping anything. */
static struct cl_status tell(struct exchange *exchange, struct case_tx *tx, const char *application_id)
{
    ProtobufCMessage *body = NULL;
    struct centre_sealed sealed;
    struct cl_status status = run_handler(&body, exchange, tx, application_id);
    if (cl_is_ok(status)) {
        struct centre_speech speech = reply_of(exchange, body, tx->now_ms);
        status = centre_seal(&sealed, tx->arena, exchange->api->centre, &speech);
    }
    if (cl_is_ok(status)) {
        exchange->reply = sealed.envelope;
    }
    return status;
}

static struct cl_status process(struct exchange *exchange, struct case_tx *tx)
{
    const char *application_id = exchange->request.opened.header->application_id;
    char fresh[CL_UUID_TEXT_BYTES];
    if (exchange->request.method->creates) {
        struct cl_uuid id;
        cl_uuid7_make(&id, tx->now_ms, exchange->api->centre->random);
        cl_uuid_text(fresh, &id);
        application_id = cl_arena_text(tx->arena, fresh);
        if (application_id == NULL) {
            return cl_fail(CL_MEMORY_LIMIT);
        }
    }
    if (exchange->request.method->fleeting) {
        return tell(exchange, tx, application_id);
    }
    /* What a handler writes may refer to its request's row. Where it writes nothing, the row is written once, with its
       reply: changing it afterwards costs as much as a row more. */
    bool reads = exchange->request.method->reads;
    ProtobufCMessage *reply = NULL;
    struct cl_digest digest;
    struct cl_status status = reads ? cl_ok() : api_log_received(&exchange->request, tx, application_id, NULL);
    if (cl_is_ok(status)) {
        status = run_handler(&reply, exchange, tx, application_id);
    }
    if (cl_is_ok(status)) {
        status = keep_reply(&digest, exchange, tx, reply);
    }
    if (cl_failed(status)) {
        return status;
    }
    return reads ? api_log_received(&exchange->request, tx, application_id, &digest)
                 : messages_set_reply(tx->tx, &exchange->request.opened.digest, &digest);
}

/* Steps 10 to 12. */
static struct cl_status take(struct exchange *exchange, struct case_tx *tx)
{
    struct cl_status status = cl_header_check_time(exchange->request.opened.header, tx->now_ms);
    if (cl_is_ok(status)) {
        status = exchange->request.body_status;
    }
    return cl_is_ok(status) ? process(exchange, tx) : status;
}

/* What is kept has no personal values; what is sent gets those that may be seen now, a repetition like the first. */
static struct cl_status disclose(struct exchange *exchange, struct case_tx *tx)
{
    const struct api_method *method = exchange->request.method;
    struct case_disclosures disclosures;
    struct cl_status status =
        case_reply_disclosures(&disclosures, tx->arena, tx->sql, tx->cases, exchange->reply, method->reply, tx->now_ms);
    if (cl_failed(status) || disclosures.count == 0) {
        return status;
    }
    return case_with_disclosures(&exchange->reply, tx->arena, exchange->reply, &disclosures);
}

static struct cl_status exchange_apply(struct store_command *command, struct store_tx *store_tx)
{
    struct exchange *exchange = (struct exchange *)command;
    struct case_tx tx = case_tx_of(exchange->api->cases, store_tx, exchange->request.arena, &exchange->effect);
    tx.by = exchange->request.sender;
    tx.message = &exchange->request.opened.digest;
    struct cl_status status = exchange->request.method->fleeting ? cl_ok() : find_duplicate(exchange, &tx);
    if (cl_is_ok(status) && !exchange->repeated) {
        status = take(exchange, &tx);
    }
    return cl_is_ok(status) && exchange->request.method->discloses ? disclose(exchange, &tx) : status;
}

static void exchange_again(struct store_command *command)
{
    struct exchange *exchange = (struct exchange *)command;
    effects_reset(&exchange->effect);
    exchange->reply = cl_bytes(NULL, 0);
    exchange->repeated = false;
    cl_arena_rewind(exchange->request.arena, &exchange->before);
}

/* -- After it ------------------------------------------------------------------------------------------------ */

static void exchange_done(struct store_command *command, struct cl_status status)
{
    struct exchange *exchange = (struct exchange *)command;
    struct effects *effects = exchange->api->effects;
    if (cl_is_ok(status)) {
        effects_put_in_force(effects, &exchange->effect);
        send_reply(exchange);
        effects_carry_out(effects, &exchange->effect);
    } else {
        effects_drop(&exchange->effect);
        send_refusal(exchange, status);
    }
    exchange_free(exchange);
}

/* -- The exchange -------------------------------------------------------------------------------------------- */

static void submit(struct exchange *exchange)
{
    exchange->command = (struct store_command){.apply = exchange_apply, .done = exchange_done, .again = exchange_again};
    exchange->before = cl_arena_mark(exchange->request.arena);
    struct cl_status status = store_submit(exchange->api->store, &exchange->command);
    if (cl_failed(status)) {
        send_refusal(exchange, status);
        exchange_free(exchange);
    }
}

static void answer_directly(struct exchange *exchange)
{
    struct cl_status status = cl_header_check_time(exchange->request.opened.header, exchange->request.received_ms);
    if (cl_is_ok(status)) {
        status = exchange->request.body_status;
    }
    if (cl_is_ok(status)) {
        status = direct_answer(&exchange->reply, exchange->api->centre, &exchange->request);
    }
    if (cl_is_ok(status)) {
        send_reply(exchange);
    } else {
        send_refusal(exchange, status);
    }
    exchange_free(exchange);
}

static struct exchange *make(struct api *api, size_t method, const struct exchange_call *call)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    if (exchange != NULL) {
        exchange->api = api;
        exchange->method = method;
        exchange->began_ms = cl_clock_monotonic_ms(api->centre->clock);
        exchange->answered = call->answered;
        exchange->user = call->user;
    }
    return exchange;
}

void exchange_begin(struct api *api, size_t method, const struct exchange_call *call)
{
    const struct api_method *row = api_method_at(method);
    assert(row != NULL && (row->way == API_STORED || row->way == API_DIRECT));
    api_count(&api->counters.calls[method]);
    char sender[CL_PARTY_BYTES_MAX + 1];
    struct cl_status status = api_identify(sender, &api->pipeline, call->peer);
    struct exchange *exchange = cl_is_ok(status) ? make(api, method, call) : NULL;
    if (exchange == NULL) {
        refuse_unsigned(api, call, cl_failed(status) ? status : cl_fail(CL_MEMORY_LIMIT));
        return;
    }
    bool proven = false;
    status = api_open(&exchange->request, &proven, &api->pipeline, row, sender, call->message);
    if (cl_failed(status)) {
        if (proven) {
            send_refusal(exchange, status);
        } else {
            refuse_unsigned(api, call, status);
        }
        exchange_free(exchange);
        return;
    }
    if (row->way == API_DIRECT) {
        answer_directly(exchange);
    } else {
        submit(exchange);
    }
}
