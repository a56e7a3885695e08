#include "server/api/deliver.h"

#include <coloan/v1/push.pb-c.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/acknowledge.h"
#include "server/api/shared.h"
#include "server/store/pending.h"
#include "server/store/sessions.h"

/* A bank may send acknowledgements faster than they are written. So many of a stream wait for the writer; the next frame is
 * read when one of them is through, and the bank's own sending waits: it fills no queue that others need, too. */
enum { UNSETTLED_MAX = 256 };

/* The call's own, from Open to its end, and each waiting acknowledgement's. */
struct stream {
    struct push_stream *push;
    atomic_uint unsettled;
    atomic_uint refs;
};

/* What a frame's handling leaves: the reason to end the stream for, and the field to blame. */
struct frame {
    struct api *api;
    struct cl_rpc_call *call;
    struct api_request request;
    const char *field;
    bool full; /* the next frame is read later */
};

static struct stream **stream_of(struct cl_rpc_call *call)
{
    return (struct stream **)cl_rpc_call_state(call);
}

static struct stream *stream_ref(struct stream *stream)
{
    (void)atomic_fetch_add(&stream->refs, 1);
    return stream;
}

static void stream_unref(struct stream *stream)
{
    if (atomic_fetch_sub(&stream->refs, 1) == 1) {
        free(stream);
    }
}

/* -- Open ---------------------------------------------------------------------------------------------------- */

static void ended(struct cl_rpc_call *call, bool cancelled, void *user)
{
    (void)cancelled;
    (void)user;
    push_end((*stream_of(call))->push);
    stream_unref(*stream_of(call));
    *stream_of(call) = NULL;
}

/* The stream's place in the order of the party's streams, which other nodes learn of. And the party is here: what could
 * not get through to it by call waits no longer. */
struct numbering {
    struct store_command command; /* first: a command is cast back */
    struct push *push;
    int64_t now_ms;
    char party[CL_PARTY_BYTES_MAX + 1];
    struct cl_digest open;
    uint64_t number;
};

static struct cl_status numbering_apply(struct store_command *command, struct store_tx *tx)
{
    struct numbering *numbering = (struct numbering *)command;
    char text[CL_PARTY_BYTES_MAX + 32];
    struct cl_status status = sessions_open(&numbering->number, tx, numbering->party);
    if (cl_failed(status)) {
        return status;
    }
    (void)snprintf(text, sizeof text, "open %" PRIu64 " %s", numbering->number, numbering->party);
    status = pending_hasten(tx, numbering->party, numbering->now_ms);
    return cl_is_ok(status) ? store_tell(tx, text) : status;
}

static void numbering_done(struct store_command *command, struct cl_status status)
{
    struct numbering *numbering = (struct numbering *)command;
    if (cl_is_ok(status)) {
        push_numbered(numbering->push, numbering->party, &numbering->open, numbering->number);
        push_look(numbering->push, numbering->party);
    }
    free(numbering);
}

/* Without a number the stream is fenced by its own node alone; the bank's next one will have one. */
static void number_stream(struct frame *frame)
{
    struct numbering *numbering = calloc(1, sizeof *numbering);
    if (numbering == NULL) {
        return;
    }
    numbering->command = (struct store_command){.apply = numbering_apply, .done = numbering_done};
    numbering->push = frame->api->push;
    numbering->now_ms = cl_clock_unix_ms(frame->api->centre->clock);
    numbering->open = frame->request.opened.digest;
    memcpy(numbering->party, frame->request.sender, sizeof numbering->party);
    if (cl_failed(store_submit(frame->api->store, &numbering->command))) {
        free(numbering);
    }
}

static struct cl_status blame(struct frame *frame, const char *field)
{
    frame->field = field;
    return cl_fail(CL_FIELD_INVALID);
}

static struct cl_status take_open(struct frame *frame)
{
    const Coloan__V1__Open *open = (const Coloan__V1__Open *)frame->request.body;
    if (*stream_of(frame->call) != NULL) {
        return cl_fail(CL_STATE_CONFLICT);
    }
    if (open->session_id.len != CL_UUID_BYTES) {
        return blame(frame, "session_id");
    }
    if (open->max_outstanding == 0 || open->max_outstanding > PUSH_OUTSTANDING_MAX) {
        return blame(frame, "max_outstanding");
    }
    struct push_opening opening = {
        .call = frame->call,
        .party = frame->request.sender,
        .digest = frame->request.opened.digest,
        .resume_after = open->resume_after,
        .epoch = open->epoch,
        .max_outstanding = open->max_outstanding,
    };
    struct stream *stream = calloc(1, sizeof *stream);
    struct cl_status status =
        stream == NULL ? cl_fail(CL_MEMORY_LIMIT) : push_open(&stream->push, frame->api->push, &opening);
    if (cl_failed(status)) {
        free(stream);
        return status;
    }
    atomic_init(&stream->refs, 1);
    *stream_of(frame->call) = stream;
    number_stream(frame);
    if (!cl_rpc_call_on_end(frame->call, ended, NULL)) {
        ended(frame->call, true, NULL); /* over already */
    }
    return cl_ok();
}

/* -- Acknowledgements ---------------------------------------------------------------------------------------- */

/* What the end of an acknowledgement needs. */
struct acknowledged {
    struct api *api;
    struct cl_rpc_call *call; /* referenced, as the stream */
    struct stream *stream;
};

/* A stream that was full goes on. */
static void acknowledged_free(struct acknowledged *acknowledged)
{
    if (atomic_fetch_sub(&acknowledged->stream->unsettled, 1) == UNSETTLED_MAX) {
        cl_rpc_next(acknowledged->call);
    }
    stream_unref(acknowledged->stream);
    cl_rpc_call_unref(acknowledged->call);
    free(acknowledged);
}

static void acknowledgement_ended(void *user, const struct api_request *request, struct cl_status status,
                                  const char *field)
{
    struct acknowledged *acknowledged = user;
    if (cl_failed(status)) {
        api_finish_refused(acknowledged->api, acknowledged->call, request, status, field);
    }
    acknowledged_free(acknowledged);
}

/* On success the request has been taken over. */
static struct cl_status take_ack(struct frame *frame)
{
    struct stream *stream = *stream_of(frame->call);
    if (stream == NULL) {
        return cl_fail(CL_STATE_CONFLICT);
    }
    struct acknowledged *acknowledged = calloc(1, sizeof *acknowledged);
    if (acknowledged == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    acknowledged->api = frame->api;
    acknowledged->call = cl_rpc_call_ref(frame->call);
    acknowledged->stream = stream_ref(stream);
    frame->full = atomic_fetch_add(&stream->unsettled, 1) + 1 == UNSETTLED_MAX;
    struct cl_status status = acknowledge_begin(frame->api, &frame->request, acknowledgement_ended, acknowledged);
    if (cl_failed(status)) {
        acknowledged_free(acknowledged);
    }
    return status;
}

/* -- Frames -------------------------------------------------------------------------------------------------- */

static struct cl_status take_frame(struct frame *frame)
{
    const struct cl_opened *opened = &frame->request.opened;
    if (opened->body_type == &coloan__v1__ack__descriptor || opened->body_type == &coloan__v1__nack__descriptor) {
        return take_ack(frame);
    }
    struct cl_status status = cl_header_check_time(opened->header, frame->request.received_ms);
    if (cl_is_ok(status)) {
        status = frame->request.body_status;
    }
    if (cl_failed(status)) {
        return status;
    }
    if (opened->body_type == &coloan__v1__open__descriptor) {
        return take_open(frame);
    }
    if (*stream_of(frame->call) == NULL) {
        return cl_fail(CL_STATE_CONFLICT);
    }
    if (opened->body_type == &coloan__v1__in_progress__descriptor) {
        push_in_progress((*stream_of(frame->call))->push,
                         ((const Coloan__V1__InProgress *)frame->request.body)->sequence);
        return cl_ok();
    }
    status = push_credit((*stream_of(frame->call))->push, ((const Coloan__V1__Credit *)frame->request.body)->more);
    frame->field = cl_failed(status) ? "more" : "";
    return status;
}

void api_deliver(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    const struct api_endpoint *endpoint = user;
    struct frame frame = {.api = endpoint->api, .call = call, .field = ""};
    if (message.data == NULL) {
        cl_rpc_finish(call, cl_ok(), cl_bytes(NULL, 0));
        return;
    }
    api_count(&frame.api->counters.calls[endpoint->index]);
    char sender[CL_PARTY_BYTES_MAX + 1];
    struct cl_status status = api_identify(sender, &frame.api->pipeline, cl_rpc_call_peer(call));
    if (cl_failed(status)) {
        api_finish_refused(frame.api, call, NULL, status, "");
        return;
    }
    bool proven = false;
    status = api_open(&frame.request, &proven, &frame.api->pipeline, endpoint->method, sender, message);
    if (cl_is_ok(status)) {
        status = take_frame(&frame);
    }
    if (cl_failed(status)) {
        api_finish_refused(frame.api, call, proven ? &frame.request : NULL, status, frame.field);
    }
    api_request_free(&frame.request);
    if (!frame.full) {
        cl_rpc_next(call);
    }
}
