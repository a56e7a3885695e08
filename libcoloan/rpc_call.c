/* One call of a server.
 *
 * Life. A call begins with RECV_CLOSE in flight, in a batch of its own: that op always succeeds and makes its
 * batch-mates look successful, and it is the only word of a cancel, a deadline or a lost peer. When it came back the
 * call is closed: nothing more is started on it. When it is closed and its last tag is back, the core call is let go,
 * whoever still holds the struct: so a reply that is late, even later than the server, finds `core` NULL and is a
 * no-op.
 *
 * Sending. Messages wait in a list; one batch is in flight; its tag starts the next. The outcome leaves with the last
 * message, in the same batch, so a unary reply is one batch. Batches are started with the call's mutex held: core wants
 * them serialised, and a queue polled with next never completes inline.
 *
 * Receiving. A stream asks for its next message when the handler has returned, or has said that it is done with the last
 * one: a peer that sends too fast is slowed by not being read. Everything of one call happens on the one thread that polls its queue, but for the functions of
 * rpc.h. */
#include "libcoloan/rpc_call.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/clock.h"
#include "libcoloan/limits.h"
#include "libcoloan/refusal.h"

enum { PEER_BYTES_MAX = 80 }; /* "ipv6:%5B" and a full address with scope and port; cut past it, as it is no identity */

struct outgoing {
    struct outgoing *next;
    grpc_byte_buffer *buffer;
};

struct cl_rpc_call {
    atomic_uint refs;
    const struct cl_rpc_method *method;
    struct rpc_flight *flight; /* valid while `core` is set */
    int64_t deadline_ms;
    unsigned send_queue_max;
    void *state;
    char peer[PEER_BYTES_MAX];

    pthread_mutex_t mutex; /* guards what follows, and batches */
    grpc_call *core;       /* NULL when everything is over */
    unsigned tags_in_flight;
    bool closed;
    cl_rpc_end *end;
    void *end_user;

    struct outgoing *first, **last_next;
    unsigned waiting;
    bool initial_sent, sending, has_outcome, outcome_sent;
    struct cl_status outcome;
    grpc_slice details, message;
    grpc_metadata trailer;

    struct rpc_tag close_tag, receive_tag, send_tag;
    int cancelled;              /* written by the close op */
    grpc_byte_buffer *received; /* written by a receive op */
    grpc_byte_buffer *in_batch; /* of the send batch in flight */
};

/* -- Flight -------------------------------------------------------------------------------------------------- */

void rpc_flight_init(struct rpc_flight *flight)
{
    atomic_init(&flight->tag_count, 0);
    (void)pthread_mutex_init(&flight->mutex, NULL);
    (void)pthread_cond_init(&flight->landed, NULL);
}

void rpc_flight_close(struct rpc_flight *flight)
{
    (void)pthread_cond_destroy(&flight->landed);
    (void)pthread_mutex_destroy(&flight->mutex);
}

void rpc_flight_enter(struct rpc_flight *flight)
{
    atomic_fetch_add(&flight->tag_count, 1);
}

void rpc_flight_leave(struct rpc_flight *flight)
{
    if (atomic_fetch_sub(&flight->tag_count, 1) > 1) {
        return;
    }
    (void)pthread_mutex_lock(&flight->mutex);
    (void)pthread_cond_broadcast(&flight->landed);
    (void)pthread_mutex_unlock(&flight->mutex);
}

void rpc_flight_wait(struct rpc_flight *flight)
{
    (void)pthread_mutex_lock(&flight->mutex);
    while (atomic_load(&flight->tag_count) > 0) {
        (void)pthread_cond_wait(&flight->landed, &flight->mutex);
    }
    (void)pthread_mutex_unlock(&flight->mutex);
}

/* -- Life ---------------------------------------------------------------------------------------------------- */

static void drop_queue(struct cl_rpc_call *call)
{
    while (call->first != NULL) {
        struct outgoing *next = call->first->next;
        grpc_byte_buffer_destroy(call->first->buffer);
        free(call->first);
        call->first = next;
    }
    call->last_next = &call->first;
    call->waiting = 0;
}

struct cl_rpc_call *cl_rpc_call_ref(struct cl_rpc_call *call)
{
    atomic_fetch_add(&call->refs, 1);
    return call;
}

void cl_rpc_call_unref(struct cl_rpc_call *call)
{
    if (atomic_fetch_sub(&call->refs, 1) > 1) {
        return;
    }
    assert(call->core == NULL && call->first == NULL);
    (void)pthread_mutex_destroy(&call->mutex);
    free(call);
}

static void start(struct cl_rpc_call *call, struct rpc_tag *tag, const grpc_op *ops, size_t op_count)
{
    call->tags_in_flight++;
    rpc_flight_enter(call->flight);
    grpc_call_error error = grpc_call_start_batch(call->core, ops, op_count, tag, NULL);
    assert(error == GRPC_CALL_OK); /* anything else is a mistake of ours in the order of batches */
}

/* Ends the work on a tag that came back; with the mutex held, which it releases. The call may be gone when it returns.
 */
static void land(struct cl_rpc_call *call)
{
    call->tags_in_flight--;
    grpc_call *over = call->closed && call->tags_in_flight == 0 ? call->core : NULL;
    if (over != NULL) {
        call->core = NULL;
        grpc_slice_unref(call->details);
        call->details = grpc_empty_slice();
    }
    (void)pthread_mutex_unlock(&call->mutex);
    if (over != NULL) {
        grpc_call_unref(over);
        cl_rpc_call_unref(call);
    }
}

static void close_done(struct rpc_tag *tag, bool ok)
{
    (void)ok; /* always true */
    struct cl_rpc_call *call = tag->owner;
    (void)pthread_mutex_lock(&call->mutex);
    call->closed = true;
    drop_queue(call);
    cl_rpc_end *end = call->end;
    (void)pthread_mutex_unlock(&call->mutex);
    if (end != NULL) {
        end(call, call->cancelled != 0, call->end_user);
    }
    (void)pthread_mutex_lock(&call->mutex);
    land(call);
}

/* -- Sending ------------------------------------------------------------------------------------------------- */

static void add_message(struct cl_rpc_call *call, grpc_op *op)
{
    struct outgoing *outgoing = call->first;
    call->first = outgoing->next;
    if (call->first == NULL) {
        call->last_next = &call->first;
    }
    call->waiting--;
    call->in_batch = outgoing->buffer;
    free(outgoing);
    *op = (grpc_op){.op = GRPC_OP_SEND_MESSAGE};
    op->data.send_message.send_message = call->in_batch;
}

static void add_outcome(struct cl_rpc_call *call, grpc_op *op)
{
    const struct cl_reason_info *info = cl_reason_info(call->outcome.reason);
    bool failed = cl_failed(call->outcome);
    call->trailer = (grpc_metadata){.key = grpc_slice_from_static_string(RPC_DETAILS_KEY), .value = call->details};
    call->message = grpc_slice_from_static_string(info->text_en);
    *op = (grpc_op){.op = GRPC_OP_SEND_STATUS_FROM_SERVER};
    op->data.send_status_from_server.status = (grpc_status_code)info->grpc_code;
    op->data.send_status_from_server.trailing_metadata_count = failed ? 1 : 0;
    op->data.send_status_from_server.trailing_metadata = failed ? &call->trailer : NULL;
    op->data.send_status_from_server.status_details = failed ? &call->message : NULL;
    call->outcome_sent = true;
}

/* Starts the next batch when there is something to send and none is in flight. With the mutex held. */
static void send_next(struct cl_rpc_call *call)
{
    if (call->sending || call->closed || call->outcome_sent || (call->first == NULL && !call->has_outcome)) {
        return;
    }
    grpc_op ops[3];
    size_t op_count = 0;
    if (!call->initial_sent) {
        ops[op_count++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
        call->initial_sent = true;
    }
    if (call->first != NULL) {
        add_message(call, &ops[op_count++]);
    }
    if (call->first == NULL && call->has_outcome) {
        add_outcome(call, &ops[op_count++]);
    }
    call->sending = true;
    start(call, &call->send_tag, ops, op_count);
}

static void send_done(struct rpc_tag *tag, bool ok)
{
    struct cl_rpc_call *call = tag->owner;
    (void)pthread_mutex_lock(&call->mutex);
    call->sending = false;
    grpc_byte_buffer_destroy(call->in_batch); /* NULL is fine */
    call->in_batch = NULL;
    if (ok) {
        send_next(call);
    } else if (!call->closed) {
        (void)grpc_call_cancel(call->core, NULL); /* the peer cannot be reached: the close tag follows */
    }
    land(call);
}

/* With the mutex held. */
static void enqueue(struct cl_rpc_call *call, struct outgoing *outgoing)
{
    *call->last_next = outgoing;
    call->last_next = &outgoing->next;
    call->waiting++;
}

/* With the mutex held. */
static void set_outcome(struct cl_rpc_call *call, struct cl_status outcome, struct cl_bytes details)
{
    call->has_outcome = true;
    call->outcome = outcome;
    if (cl_is_ok(outcome)) {
        return;
    }
    struct cl_refusal_details own;
    if (details.len == 0) {
        cl_refusal_build(&own, &(struct cl_refusal){.status = outcome});
        details = cl_bytes(own.bytes, own.len);
    }
    call->details = grpc_slice_from_copied_buffer((const char *)details.data, details.len);
}

/* Queues a copy of the message, unless the call has its outcome or is over, or its queue is full; `last` makes OK the
 * outcome. */
static enum cl_rpc_sent push(struct cl_rpc_call *call, struct cl_bytes message, bool last)
{
    if (message.len > CL_MESSAGE_BYTES_MAX) {
        cl_rpc_finish(call, cl_fail(CL_MESSAGE_TOO_LARGE), cl_bytes(NULL, 0));
        return CL_RPC_ENDED;
    }
    struct outgoing *outgoing = malloc(sizeof *outgoing);
    if (outgoing == NULL) {
        return CL_RPC_FULL;
    }
    enum cl_rpc_sent sent = CL_RPC_QUEUED;
    (void)pthread_mutex_lock(&call->mutex);
    if (call->closed || call->has_outcome) {
        sent = CL_RPC_ENDED;
    } else if (call->waiting >= call->send_queue_max) {
        sent = CL_RPC_FULL;
    } else {
        *outgoing = (struct outgoing){.buffer = rpc_buffer_of(message)};
        enqueue(call, outgoing);
        outgoing = NULL;
        if (last) {
            set_outcome(call, cl_ok(), cl_bytes(NULL, 0));
        }
        send_next(call);
    }
    (void)pthread_mutex_unlock(&call->mutex);
    free(outgoing);
    return sent;
}

enum cl_rpc_sent cl_rpc_send(struct cl_rpc_call *call, struct cl_bytes message)
{
    return push(call, message, false);
}

void cl_rpc_reply(struct cl_rpc_call *call, struct cl_bytes message)
{
    if (push(call, message, true) == CL_RPC_FULL) {
        cl_rpc_finish(call, cl_fail(CL_OVERLOADED), cl_bytes(NULL, 0));
    }
}

void cl_rpc_finish(struct cl_rpc_call *call, struct cl_status outcome, struct cl_bytes details)
{
    assert(details.len <= CL_REFUSAL_DETAILS_BYTES_MAX);
    (void)pthread_mutex_lock(&call->mutex);
    if (!call->closed && !call->has_outcome) {
        set_outcome(call, outcome, details);
        send_next(call);
    }
    (void)pthread_mutex_unlock(&call->mutex);
}

void cl_rpc_cancel(struct cl_rpc_call *call)
{
    (void)pthread_mutex_lock(&call->mutex);
    if (!call->closed) {
        drop_queue(call);
        call->has_outcome = true;
        call->outcome_sent = true; /* there is nobody to send one to */
        (void)grpc_call_cancel(call->core, NULL);
    }
    (void)pthread_mutex_unlock(&call->mutex);
}

static void refuse(struct cl_rpc_call *call, enum cl_reason reason)
{
    cl_rpc_finish(call, cl_fail(reason), cl_bytes(NULL, 0));
}

/* -- Receiving ----------------------------------------------------------------------------------------------- */

/* Hands a received message to the handler, or refuses it. */
static void deliver(struct cl_rpc_call *call, grpc_byte_buffer *buffer)
{
    struct cl_bytes message;
    grpc_slice gathered;
    struct cl_status status = rpc_buffer_bytes(&message, &gathered, buffer);
    if (cl_failed(status)) {
        refuse(call, status.reason);
        return;
    }
    call->method->handler(call, message, call->method->user);
    grpc_slice_unref(gathered);
}

/* Asks for the next message, unless the call has its outcome or is over. With the mutex held. */
static void receive_next(struct cl_rpc_call *call)
{
    if (call->closed || call->has_outcome) {
        return;
    }
    call->received = NULL;
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &call->received;
    start(call, &call->receive_tag, &op, 1);
}

static void receive_done(struct rpc_tag *tag, bool ok)
{
    struct cl_rpc_call *call = tag->owner;
    grpc_byte_buffer *buffer = call->received;
    (void)pthread_mutex_lock(&call->mutex);
    bool wanted = !call->closed && !call->has_outcome;
    bool half_closed = ok && buffer == NULL && grpc_call_failed_before_recv_message(call->core) == 0;
    (void)pthread_mutex_unlock(&call->mutex);
    if (wanted && buffer != NULL) {
        deliver(call, buffer);
    } else if (wanted && half_closed) {
        call->method->handler(call, cl_bytes(NULL, 0), call->method->user);
    }
    grpc_byte_buffer_destroy(buffer);
    (void)pthread_mutex_lock(&call->mutex);
    land(call);
}

void cl_rpc_next(struct cl_rpc_call *call)
{
    assert(!rpc_has_one_request(call->method->shape));
    (void)pthread_mutex_lock(&call->mutex);
    receive_next(call);
    (void)pthread_mutex_unlock(&call->mutex);
}

/* -- Arrival ------------------------------------------------------------------------------------------------- */

static struct cl_rpc_call *call_create(const struct rpc_arrival *arrival)
{
    struct cl_rpc_call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        return NULL;
    }
    atomic_init(&call->refs, 1); /* until the core call is let go */
    (void)pthread_mutex_init(&call->mutex, NULL);
    call->method = arrival->method;
    call->flight = arrival->flight;
    call->send_queue_max = arrival->send_queue_max;
    call->core = arrival->core;
    call->details = grpc_empty_slice();
    call->last_next = &call->first;
    call->close_tag = (struct rpc_tag){.done = close_done, .owner = call};
    call->receive_tag = (struct rpc_tag){.done = receive_done, .owner = call};
    call->send_tag = (struct rpc_tag){.done = send_done, .owner = call};
    call->deadline_ms = rpc_time_to_ms(arrival->deadline);
    char *peer = grpc_call_get_peer(arrival->core);
    (void)snprintf(call->peer, sizeof call->peer, "%s", peer);
    gpr_free(peer);
    return call;
}

static void receive_close(struct cl_rpc_call *call)
{
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    op.data.recv_close_on_server.cancelled = &call->cancelled;
    start(call, &call->close_tag, &op, 1);
}

/* Every unary call needs a deadline that leaves time to answer, and gets at most the default. Streams last as they
 * like. */
static struct cl_status check_deadline(struct cl_rpc_call *call)
{
    if (call->method->shape != CL_RPC_UNARY) {
        return cl_ok();
    }
    if (call->deadline_ms == CL_RPC_NO_DEADLINE) {
        return cl_fail(CL_DEADLINE_MISSING);
    }
    int64_t now_ms = cl_clock_monotonic_ms(cl_clock_system());
    if (call->deadline_ms - now_ms < CL_DEADLINE_MS_MIN) {
        return cl_fail(CL_DEADLINE_TOO_SHORT);
    }
    if (call->deadline_ms - now_ms > CL_DEADLINE_MS_DEFAULT) {
        call->deadline_ms = now_ms + CL_DEADLINE_MS_DEFAULT;
    }
    return cl_ok();
}

static struct cl_status check_arrival(struct cl_rpc_call *call, const grpc_byte_buffer *payload)
{
    if (call->method == NULL) {
        return cl_fail(CL_METHOD_UNKNOWN);
    }
    struct cl_status status = check_deadline(call);
    if (cl_failed(status)) {
        return status;
    }
    if (rpc_has_one_request(call->method->shape) && payload == NULL) {
        return cl_fail(CL_MESSAGE_EMPTY);
    }
    return cl_ok();
}

void rpc_call_arrived(const struct rpc_arrival *arrival)
{
    struct cl_rpc_call *call = call_create(arrival);
    if (call == NULL) {
        grpc_byte_buffer_destroy(arrival->payload);
        grpc_call_unref(arrival->core); /* cancels it */
        return;
    }
    (void)pthread_mutex_lock(&call->mutex);
    receive_close(call);
    (void)pthread_mutex_unlock(&call->mutex);
    struct cl_status status = check_arrival(call, arrival->payload);
    if (cl_failed(status)) {
        refuse(call, status.reason);
    } else if (!rpc_has_one_request(call->method->shape)) {
        (void)pthread_mutex_lock(&call->mutex);
        receive_next(call);
        (void)pthread_mutex_unlock(&call->mutex);
    } else {
        deliver(call, arrival->payload);
    }
    grpc_byte_buffer_destroy(arrival->payload);
}

/* -- What a handler asks ------------------------------------------------------------------------------------- */

const char *cl_rpc_call_peer(const struct cl_rpc_call *call)
{
    return call->peer;
}

int64_t cl_rpc_call_deadline_ms(const struct cl_rpc_call *call)
{
    return call->deadline_ms;
}

void **cl_rpc_call_state(struct cl_rpc_call *call)
{
    return &call->state;
}

bool cl_rpc_call_on_end(struct cl_rpc_call *call, cl_rpc_end *end, void *user)
{
    (void)pthread_mutex_lock(&call->mutex);
    bool open = !call->closed;
    if (open) {
        assert(call->end == NULL);
        call->end = end;
        call->end_user = user;
    }
    (void)pthread_mutex_unlock(&call->mutex);
    return open;
}

static struct cl_status only_uri(char *out, size_t out_bytes, const grpc_auth_context *context)
{
    grpc_auth_property_iterator iterator =
        grpc_auth_context_find_properties_by_name(context, GRPC_PEER_URI_PROPERTY_NAME);
    const grpc_auth_property *uri = grpc_auth_property_iterator_next(&iterator);
    if (uri == NULL || grpc_auth_property_iterator_next(&iterator) != NULL) {
        return cl_fail(CL_CERTIFICATE_IDENTITY);
    }
    if (uri->value_length >= out_bytes || memchr(uri->value, '\0', uri->value_length) != NULL) {
        return cl_fail(CL_CERTIFICATE_IDENTITY);
    }
    memcpy(out, uri->value, uri->value_length);
    out[uri->value_length] = '\0';
    return cl_ok();
}

struct cl_status cl_rpc_call_certificate_uri(char *out, size_t out_bytes, struct cl_rpc_call *call)
{
    grpc_auth_context *context = grpc_call_auth_context(call->core);
    if (context == NULL || grpc_auth_context_peer_is_authenticated(context) == 0) {
        grpc_auth_context_release(context);
        return cl_fail(CL_PEER_UNKNOWN);
    }
    struct cl_status status = only_uri(out, out_bytes, context);
    grpc_auth_context_release(context);
    return status;
}
