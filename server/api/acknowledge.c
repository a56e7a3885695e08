#include "server/api/acknowledge.h"

#include <stdlib.h>

#include "server/api/effects.h"
#include "server/api/shared.h"
#include "server/store/messages.h"

struct acknowledgement {
    struct store_command command; /* first: a command is cast back */
    struct api *api;
    struct api_request request;
    struct cl_arena_mark before; /* of the request's arena: the writer begins there */
    struct case_effect effect;
    acknowledge_done *done;
    void *user;
};

static struct cl_status acknowledgement_apply(struct store_command *command, struct store_tx *store_tx)
{
    struct acknowledgement *ack = (struct acknowledgement *)command;
    struct case_tx tx = case_tx_of(ack->api->cases, store_tx, ack->request.arena, &ack->effect);
    const struct cl_opened *opened = &ack->request.opened;
    struct message_duplicate duplicate;
    struct cl_status status =
        messages_find_duplicate(&duplicate, tx.sql, tx.arena, ack->request.sender, opened->message_id.bytes);
    if (cl_failed(status)) {
        return status;
    }
    if (duplicate.found) {
        return cl_digest_equal(&duplicate.digest, &opened->digest) ? cl_ok() : cl_fail(CL_MESSAGE_ID_REUSED);
    }
    status = cl_header_check_time(opened->header, tx.now_ms);
    if (cl_is_ok(status)) {
        status = ack->request.body_status;
    }
    if (cl_is_ok(status)) {
        status = api_log_received(&ack->request, &tx, opened->header->application_id, NULL);
    }
    if (cl_failed(status)) {
        return status;
    }
    tx.by = ack->request.sender;
    tx.message = &opened->digest;
    struct case_request request = {.opened = opened,
                                   .body = ack->request.body,
                                   .sender = ack->request.sender,
                                   .sender_kind = ack->request.sender_kind};
    return ack->request.method->handler(NULL, &tx, &request);
}

static void acknowledgement_again(struct store_command *command)
{
    struct acknowledgement *ack = (struct acknowledgement *)command;
    effects_reset(&ack->effect);
    cl_arena_rewind(ack->request.arena, &ack->before);
}

static void acknowledgement_done(struct store_command *command, struct cl_status status)
{
    struct acknowledgement *ack = (struct acknowledgement *)command;
    if (cl_is_ok(status)) {
        effects_carry_out(ack->api->effects, &ack->effect);
    }
    ack->done(ack->user, &ack->request, status, ack->effect.field.text);
    api_request_free(&ack->request);
    free(ack);
}

struct cl_status acknowledge_begin(struct api *api, struct api_request *request, acknowledge_done *done, void *user)
{
    struct acknowledgement *ack = calloc(1, sizeof *ack);
    if (ack == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    ack->command = (struct store_command){
        .apply = acknowledgement_apply, .done = acknowledgement_done, .again = acknowledgement_again};
    ack->api = api;
    ack->request = *request;
    ack->before = cl_arena_mark(ack->request.arena);
    ack->done = done;
    ack->user = user;
    struct cl_status status = store_submit(api->store, &ack->command);
    if (cl_failed(status)) {
        free(ack);
        return status;
    }
    request->arena = NULL;
    return cl_ok();
}
