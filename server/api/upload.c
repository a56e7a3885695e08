#include "server/api/upload.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/spec.h"
#include "server/api/shared.h"
#include "server/cases/documents.h"

/* One stream. Held by its call until that is over and by the chunk on the way; never used by both at once. */
struct upload {
    atomic_uint refs;
    struct api *api;
    const struct api_endpoint *endpoint;
    struct document_upload document;
    char sender[CL_PARTY_BYTES_MAX + 1];
    struct cl_digest first; /* the message that the receipt answers; with document.named, as the next */
    char spec_version[CL_SPEC_VERSION_BYTES_MAX]; /* of that message */
    int64_t began_ms;                             /* monotonic */
};

/* One chunk, or the stream's end, on its way through the writer. */
struct chunk {
    struct store_command command; /* first: a command is cast back */
    struct upload *upload;        /* referenced */
    struct cl_rpc_call *call;     /* referenced */
    struct api_request request;   /* of the end: an arena and nothing else */
    bool is_end;
    bool is_sealed;
    struct document_piece piece;
    enum document_taken taken;
    struct document_upload document; /* the upload's before this chunk went to the writer */
    struct cl_arena_mark before;     /* of the request's arena, the same */
    struct case_effect effect;
    struct cl_bytes reply; /* in the request's arena; empty: the stream goes on */
};

/* -- Life ---------------------------------------------------------------------------------------------------- */

static void upload_unref(struct upload *upload)
{
    if (atomic_fetch_sub(&upload->refs, 1) == 1) {
        document_upload_close(&upload->document);
        free(upload);
    }
}

static void ended(struct cl_rpc_call *call, bool cancelled, void *user)
{
    (void)call;
    (void)cancelled;
    upload_unref(user);
}

/* The call's upload, made with its first message; NULL when there is no memory or the call is over. */
static struct upload *upload_of(struct cl_rpc_call *call, const struct api_endpoint *endpoint)
{
    void **slot = cl_rpc_call_state(call);
    if (*slot != NULL) {
        return *slot;
    }
    struct upload *upload = calloc(1, sizeof *upload);
    if (upload == NULL) {
        return NULL;
    }
    atomic_init(&upload->refs, 1);
    upload->api = endpoint->api;
    upload->endpoint = endpoint;
    upload->began_ms = cl_clock_monotonic_ms(endpoint->api->centre->clock);
    if (!cl_rpc_call_on_end(call, ended, upload)) {
        upload_unref(upload);
        return NULL;
    }
    *slot = upload;
    return upload;
}

static struct chunk *chunk_create(struct upload *upload, struct cl_rpc_call *call)
{
    struct chunk *chunk = calloc(1, sizeof *chunk);
    if (chunk != NULL) {
        atomic_fetch_add(&upload->refs, 1);
        chunk->upload = upload;
        chunk->call = cl_rpc_call_ref(call);
    }
    return chunk;
}

static void chunk_free(struct chunk *chunk)
{
    upload_unref(chunk->upload);
    cl_rpc_call_unref(chunk->call);
    api_request_free(&chunk->request);
    free(chunk);
}

/* -- In the transaction -------------------------------------------------------------------------------------- */

/* The receipt of a complete document is evidence and stays in the log; others only say where to go on. */
static struct cl_status make_receipt(struct chunk *chunk, struct case_tx *tx)
{
    const struct upload *upload = chunk->upload;
    const struct centre *centre = upload->api->centre;
    Coloan__V1__DocumentReceipt *receipt = NULL;
    struct centre_sealed sealed;
    struct cl_status status = document_receipt(&receipt, tx, &upload->document);
    if (cl_failed(status)) {
        return status;
    }
    struct centre_speech speech = {
        .direction = COLOAN__V1__DIRECTION__DIRECTION_REPLY,
        .recipient = upload->sender,
        .method = api_method_name(upload->endpoint->method),
        .in_reply_to = &upload->first,
        .application_id = upload->document.application_id,
        .spec_version = upload->spec_version,
        .body = &receipt->base,
        .now_ms = tx->now_ms,
    };
    status = centre_seal(&sealed, tx->arena, centre, &speech);
    if (cl_failed(status)) {
        return status;
    }
    chunk->reply = sealed.envelope;
    if (!receipt->complete) {
        return cl_ok();
    }
    return case_keep(tx, &sealed, &speech);
}

static struct cl_status chunk_apply(struct store_command *command, struct store_tx *store_tx)
{
    struct chunk *chunk = (struct chunk *)command;
    struct upload *upload = chunk->upload;
    struct case_tx tx = case_tx_of(upload->api->cases, store_tx, chunk->request.arena, &chunk->effect);
    tx.by = upload->sender;
    if (chunk->is_end) {
        return make_receipt(chunk, &tx);
    }
    struct cl_status status =
        document_take(&chunk->taken, &tx, &upload->document, upload->sender,
                      (const Coloan__V1__DocumentChunk *)chunk->request.body, chunk->is_sealed ? &chunk->piece : NULL);
    if (cl_is_ok(status) && chunk->taken == DOCUMENT_COMPLETE) {
        status = make_receipt(chunk, &tx);
    }
    return status;
}

static void chunk_again(struct store_command *command)
{
    struct chunk *chunk = (struct chunk *)command;
    effects_reset(&chunk->effect);
    document_upload_go_back(&chunk->upload->document, &chunk->document);
    chunk->reply = cl_bytes(NULL, 0);
    cl_arena_rewind(chunk->request.arena, &chunk->before);
}

/* -- After it ------------------------------------------------------------------------------------------------ */

static void answer(struct chunk *chunk)
{
    struct api *api = chunk->upload->api;
    api_count(&api->counters.replies);
    cl_rpc_reply(chunk->call, chunk->reply);
    if (api->meter.replied != NULL) {
        int64_t took_ms = cl_clock_monotonic_ms(api->centre->clock) - chunk->upload->began_ms;
        api->meter.replied(api->meter.user, chunk->upload->endpoint->index, took_ms);
    }
}

static void refuse(struct chunk *chunk, struct cl_status status, const char *field)
{
    struct api *api = chunk->upload->api;
    api_finish_refused(api, chunk->call, chunk->is_end ? NULL : &chunk->request, status, field);
}

static void chunk_done(struct store_command *command, struct cl_status status)
{
    struct chunk *chunk = (struct chunk *)command;
    struct effects *effects = chunk->upload->api->effects;
    if (cl_failed(status)) {
        effects_drop(&chunk->effect);
        refuse(chunk, status, chunk->effect.field.text);
        chunk_free(chunk);
        return;
    }
    effects_carry_out(effects, &chunk->effect);
    if (chunk->taken == DOCUMENT_DROPPED) {
        refuse(chunk, cl_fail(CL_DOCUMENT_DIGEST), "sha256");
    } else if (chunk->reply.len > 0) {
        answer(chunk);
    } else {
        cl_rpc_next(chunk->call); /* from here on the poll thread may be using the upload again */
    }
    chunk_free(chunk);
}

static void submit(struct chunk *chunk)
{
    chunk->command = (struct store_command){.apply = chunk_apply, .done = chunk_done, .again = chunk_again};
    chunk->document = chunk->upload->document;
    chunk->before = cl_arena_mark(chunk->request.arena);
    struct cl_status status = store_submit(chunk->upload->api->store, &chunk->command);
    if (cl_failed(status)) {
        refuse(chunk, status, "");
        chunk_free(chunk);
    }
}

/* -- The stream ---------------------------------------------------------------------------------------------- */

/* Half-closed before the document was complete: the receipt says how much is here. */
static void take_end(struct upload *upload, struct cl_rpc_call *call)
{
    if (!upload->document.named) {
        api_finish_refused(upload->api, call, NULL, cl_fail(CL_MESSAGE_EMPTY), "");
        return;
    }
    struct chunk *chunk = chunk_create(upload, call);
    if (chunk == NULL || cl_failed(cl_arena_create(&chunk->request.arena, CL_MESSAGE_ARENA_BYTES_MAX))) {
        api_finish_refused(upload->api, call, NULL, cl_fail(CL_MEMORY_LIMIT), "");
        if (chunk != NULL) {
            chunk_free(chunk);
        }
        return;
    }
    chunk->is_end = true;
    submit(chunk);
}

/* What can be said and done without the store. */
static struct cl_status prepare(struct chunk *chunk, struct field_path *field)
{
    struct upload *upload = chunk->upload;
    const struct cl_opened *opened = &chunk->request.opened;
    struct cl_status status = cl_header_check_time(opened->header, chunk->request.received_ms);
    if (cl_is_ok(status)) {
        status = chunk->request.body_status;
    }
    if (cl_failed(status)) {
        return status;
    }
    bool is_first = !upload->document.named;
    const Coloan__V1__DocumentChunk *body = (const Coloan__V1__DocumentChunk *)chunk->request.body;
    status = document_check(field, &upload->document, opened->header->application_id, body);
    if (cl_is_ok(status) && is_first) {
        upload->first = opened->digest;
        (void)snprintf(upload->spec_version, sizeof upload->spec_version, "%s", opened->header->spec_version);
        memcpy(upload->sender, chunk->request.sender, sizeof upload->sender);
    }
    /* The first chunk of a stream, and of a document, is sealed by the writer, which has to find or begin it. */
    if (cl_is_ok(status) && !is_first && upload->document.received_bytes > 0) {
        status = document_seal(&chunk->piece, &upload->document, chunk->request.arena, body);
        chunk->is_sealed = cl_is_ok(status);
    }
    return status;
}

static void take_chunk(struct upload *upload, struct cl_rpc_call *call, const char *sender, struct cl_bytes message)
{
    struct chunk *chunk = chunk_create(upload, call);
    if (chunk == NULL) {
        api_finish_refused(upload->api, call, NULL, cl_fail(CL_MEMORY_LIMIT), "");
        return;
    }
    bool proven = false;
    struct field_path field = {""};
    struct cl_status status =
        api_open(&chunk->request, &proven, &upload->api->pipeline, upload->endpoint->method, sender, message);
    if (cl_is_ok(status)) {
        status = prepare(chunk, &field);
    }
    if (cl_failed(status)) {
        api_finish_refused(upload->api, call, proven ? &chunk->request : NULL, status, field.text);
        chunk_free(chunk);
        return;
    }
    submit(chunk);
}

void api_upload(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    const struct api_endpoint *endpoint = user;
    struct upload *upload = upload_of(call, endpoint);
    if (upload == NULL) {
        api_finish_refused(endpoint->api, call, NULL, cl_fail(CL_MEMORY_LIMIT), "");
        return;
    }
    if (message.data == NULL) {
        take_end(upload, call);
        return;
    }
    api_count(&endpoint->api->counters.calls[endpoint->index]);
    char sender[CL_PARTY_BYTES_MAX + 1];
    struct cl_status status = api_identify(sender, &endpoint->api->pipeline, cl_rpc_call_peer(call));
    if (cl_failed(status)) {
        api_finish_refused(endpoint->api, call, NULL, status, "");
        return;
    }
    take_chunk(upload, call, sender, message);
}
