#include "server/api/unary.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/direct.h"
#include "server/api/effects.h"
#include "server/api/shared.h"
#include "server/store/messages.h"

struct unary {
    struct store_command command; /* first: a command is cast back */
    struct api *api;
    size_t method;            /* its index */
    struct cl_rpc_call *call; /* referenced */
    int64_t began_ms;         /* monotonic */
    struct api_request request;
    struct cl_arena_mark before; /* of the request's arena: the writer begins there */
    struct case_effect effect;
    struct cl_bytes reply; /* in the request's arena */
    bool repeated;
};

static void unary_free(struct unary *unary)
{
    api_request_free(&unary->request);
    cl_rpc_call_unref(unary->call);
    free(unary);
}

static void send_reply(struct unary *unary)
{
    struct api *api = unary->api;
    api_count(unary->repeated ? &api->counters.repeats : &api->counters.replies);
    cl_rpc_reply(unary->call, unary->reply);
    if (api->meter.replied != NULL) {
        int64_t took_ms = cl_clock_monotonic_ms(api->centre->clock) - unary->began_ms;
        api->meter.replied(api->meter.user, unary->method, took_ms);
    }
}

/* -- In the transaction -------------------------------------------------------------------------------------- */

static struct case_request request_of(const struct unary *unary, const char *application_id)
{
    return (struct case_request){
        .opened = &unary->request.opened,
        .body = unary->request.body,
        .sender = unary->request.sender,
        .sender_kind = unary->request.sender_kind,
        .application_id = application_id,
    };
}

/* A reply that only tells is not told again once a consent that it rests on was withdrawn. */
static struct cl_status check_repeat(const struct unary *unary, struct case_tx *tx)
{
    if (!unary->request.method->reads || cl_failed(unary->request.body_status)) {
        return cl_ok();
    }
    struct case_request request = request_of(unary, unary->request.opened.header->application_id);
    return case_may_repeat(tx, &request);
}

/* Step 9. `unary->reply` is set when the same message was answered before. */
static struct cl_status find_duplicate(struct unary *unary, struct case_tx *tx)
{
    const struct cl_opened *opened = &unary->request.opened;
    struct message_duplicate duplicate;
    struct cl_status status = messages_find_duplicate(&duplicate, tx->sql, unary->request.arena, unary->request.sender,
                                                      opened->message_id.bytes);
    if (cl_failed(status) || !duplicate.found) {
        return status;
    }
    if (!cl_digest_equal(&duplicate.digest, &opened->digest)) {
        return cl_fail(CL_MESSAGE_ID_REUSED);
    }
    if (!duplicate.has_reply) {
        return cl_fail(CL_INTERNAL); /* request and reply are written together */
    }
    unary->reply = duplicate.reply;
    unary->repeated = true;
    return check_repeat(unary, tx);
}

static struct cl_status run_handler(ProtobufCMessage **reply_out, struct unary *unary, struct case_tx *tx,
                                    const char *application_id)
{
    struct case_request request = request_of(unary, application_id);
    return unary->request.method->handler(reply_out, tx, &request);
}

static struct centre_speech reply_of(const struct unary *unary, const ProtobufCMessage *body, int64_t now_ms)
{
    return (struct centre_speech){
        .direction = COLOAN__V1__DIRECTION__DIRECTION_REPLY,
        .recipient = unary->request.sender,
        .method = api_method_name(unary->request.method),
        .in_reply_to = &unary->request.opened.digest,
        .application_id = unary->effect.application_id,
        .spec_version = unary->request.opened.header->spec_version,
        .body = body,
        .now_ms = now_ms,
    };
}

/* Seals the reply and puts it into the log. */
static struct cl_status keep_reply(struct cl_digest *digest_out, struct unary *unary, struct case_tx *tx,
                                   const ProtobufCMessage *body)
{
    struct centre_speech speech = reply_of(unary, body, tx->now_ms);
    struct centre_sealed sealed;
    struct cl_status status = centre_seal(&sealed, tx->arena, unary->api->centre, &speech);
    if (cl_failed(status)) {
        return status;
    }
    unary->reply = sealed.envelope;
    *digest_out = sealed.digest;
    return case_keep(tx, &sealed, &speech);
}

/* Answers without keeping anything. */
static struct cl_status tell(struct unary *unary, struct case_tx *tx, const char *application_id)
{
    ProtobufCMessage *body = NULL;
    struct centre_sealed sealed;
    struct cl_status status = run_handler(&body, unary, tx, application_id);
    if (cl_is_ok(status)) {
        struct centre_speech speech = reply_of(unary, body, tx->now_ms);
        status = centre_seal(&sealed, tx->arena, unary->api->centre, &speech);
    }
    if (cl_is_ok(status)) {
        unary->reply = sealed.envelope;
    }
    return status;
}

static struct cl_status process(struct unary *unary, struct case_tx *tx)
{
    const char *application_id = unary->request.opened.header->application_id;
    char fresh[CL_UUID_TEXT_BYTES];
    if (unary->request.method->creates) {
        struct cl_uuid id;
        cl_uuid7_make(&id, tx->now_ms, unary->api->centre->random);
        cl_uuid_text(fresh, &id);
        application_id = cl_arena_text(tx->arena, fresh);
        if (application_id == NULL) {
            return cl_fail(CL_MEMORY_LIMIT);
        }
    }
    if (unary->request.method->fleeting) {
        return tell(unary, tx, application_id);
    }
    /* What a handler writes may refer to its request's row. Where it writes nothing, the row is written once, with its
       reply: changing it afterwards costs as much as a row more. */
    bool reads = unary->request.method->reads;
    ProtobufCMessage *reply = NULL;
    struct cl_digest digest;
    struct cl_status status = reads ? cl_ok() : api_log_received(&unary->request, tx, application_id, NULL);
    if (cl_is_ok(status)) {
        status = run_handler(&reply, unary, tx, application_id);
    }
    if (cl_is_ok(status)) {
        status = keep_reply(&digest, unary, tx, reply);
    }
    if (cl_failed(status)) {
        return status;
    }
    return reads ? api_log_received(&unary->request, tx, application_id, &digest)
                 : messages_set_reply(tx->tx, &unary->request.opened.digest, &digest);
}

/* Steps 10 to 12. */
static struct cl_status take(struct unary *unary, struct case_tx *tx)
{
    struct cl_status status = cl_header_check_time(unary->request.opened.header, tx->now_ms);
    if (cl_is_ok(status)) {
        status = unary->request.body_status;
    }
    return cl_is_ok(status) ? process(unary, tx) : status;
}

/* What is kept has no personal values; what is sent gets those that may be seen now, a repetition like the first. */
static struct cl_status disclose(struct unary *unary, struct case_tx *tx)
{
    const struct api_method *method = unary->request.method;
    struct case_disclosures disclosures;
    struct cl_status status =
        case_reply_disclosures(&disclosures, tx->arena, tx->sql, tx->cases, unary->reply, method->reply, tx->now_ms);
    if (cl_failed(status) || disclosures.count == 0) {
        return status;
    }
    return case_with_disclosures(&unary->reply, tx->arena, unary->reply, &disclosures);
}

static struct cl_status unary_apply(struct store_command *command, struct store_tx *store_tx)
{
    struct unary *unary = (struct unary *)command;
    struct case_tx tx = case_tx_of(unary->api->cases, store_tx, unary->request.arena, &unary->effect);
    tx.by = unary->request.sender;
    tx.message = &unary->request.opened.digest;
    struct cl_status status = unary->request.method->fleeting ? cl_ok() : find_duplicate(unary, &tx);
    if (cl_is_ok(status) && !unary->repeated) {
        status = take(unary, &tx);
    }
    return cl_is_ok(status) && unary->request.method->discloses ? disclose(unary, &tx) : status;
}

static void unary_again(struct store_command *command)
{
    struct unary *unary = (struct unary *)command;
    effects_reset(&unary->effect);
    unary->reply = cl_bytes(NULL, 0);
    unary->repeated = false;
    cl_arena_rewind(unary->request.arena, &unary->before);
}

/* -- After it ------------------------------------------------------------------------------------------------ */

static void unary_done(struct store_command *command, struct cl_status status)
{
    struct unary *unary = (struct unary *)command;
    if (cl_is_ok(status)) {
        effects_put_in_force(unary->api->effects, &unary->effect);
        send_reply(unary);
        effects_carry_out(unary->api->effects, &unary->effect);
    } else {
        effects_drop(&unary->effect);
        api_finish_refused(unary->api, unary->call, &unary->request, status, unary->effect.field.text);
    }
    unary_free(unary);
}

/* -- The call ------------------------------------------------------------------------------------------------ */

static void submit(struct unary *unary)
{
    unary->command = (struct store_command){.apply = unary_apply, .done = unary_done, .again = unary_again};
    unary->before = cl_arena_mark(unary->request.arena);
    struct cl_status status = store_submit(unary->api->store, &unary->command);
    if (cl_failed(status)) {
        api_finish_refused(unary->api, unary->call, &unary->request, status, "");
        unary_free(unary);
    }
}

static void answer_directly(struct unary *unary)
{
    struct cl_status status = cl_header_check_time(unary->request.opened.header, unary->request.received_ms);
    if (cl_is_ok(status)) {
        status = unary->request.body_status;
    }
    if (cl_is_ok(status)) {
        status = direct_answer(&unary->reply, unary->api->centre, &unary->request);
    }
    if (cl_is_ok(status)) {
        send_reply(unary);
    } else {
        api_finish_refused(unary->api, unary->call, &unary->request, status, "");
    }
    unary_free(unary);
}

void api_unary(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    const struct api_endpoint *endpoint = user;
    struct api *api = endpoint->api;
    api_count(&api->counters.calls[endpoint->index]);
    char sender[CL_PARTY_BYTES_MAX + 1];
    struct cl_status status = api_identify(sender, &api->pipeline, cl_rpc_call_peer(call));
    struct unary *unary = cl_is_ok(status) ? calloc(1, sizeof *unary) : NULL;
    if (unary == NULL) {
        api_finish_refused(api, call, NULL, cl_failed(status) ? status : cl_fail(CL_MEMORY_LIMIT), "");
        return;
    }
    unary->api = api;
    unary->method = endpoint->index;
    unary->began_ms = cl_clock_monotonic_ms(api->centre->clock);
    unary->call = cl_rpc_call_ref(call);
    bool proven = false;
    status = api_open(&unary->request, &proven, &api->pipeline, endpoint->method, sender, message);
    if (cl_failed(status)) {
        api_finish_refused(api, call, proven ? &unary->request : NULL, status, "");
        unary_free(unary);
        return;
    }
    if (endpoint->method->way == API_DIRECT) {
        answer_directly(unary);
    } else {
        submit(unary);
    }
}
