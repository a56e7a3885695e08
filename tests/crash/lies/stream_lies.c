/* Lies on a Deliver stream, in frames as they are. The bank is dead: its stream may still be open for a moment, and
 * then ours is refused and opened again. */
#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "tests/crash/lies/lie.h"

#include <coloan/v1/push.pb-c.h>

#define RECEIVED COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED

enum {
    EPOCH = 1, /* no later life of the bank has a lower one */
    WINDOW = 1000,
    FRAME_MS_MAX = 20000,
    SILENT_MS_MAX = 400,
    OPEN_TRIES = 200,
    OPEN_AGAIN_MS = 50,
    BEYOND = 1000,
    TAKEN_MAX = 200, /* events it has sent to itself again */
};

/* -- A stream ------------------------------------------------------------------------------------------------- */

struct opening {
    uint64_t resume_after, epoch;
};

static struct cl_status outcome_of(struct cl_rpc_stream *stream)
{
    struct cl_rpc_result result;
    struct cl_refusal_read refusal;
    struct cl_status status = cl_rpc_stream_outcome(stream, &result);
    if (cl_is_ok(status) && result.code != CL_GRPC_OK) {
        status = cl_refusal_read(&refusal, cl_bytes(result.details.data, result.details.len));
        status = cl_is_ok(status) ? refusal.status : status;
    }
    cl_rpc_result_free(&result);
    return status;
}

/* The next frame is thrown away. DEADLINE_EXCEEDED: none came; anything else: the stream is over, or OK. */
static struct cl_status next_frame(bool *over_out, struct cl_rpc_stream *stream, int64_t wait_ms)
{
    struct cl_rpc_buffer frame = {NULL, 0};
    enum cl_rpc_received received = cl_rpc_stream_receive(stream, wait_ms, &frame);
    free(frame.data);
    *over_out = received == CL_RPC_OVER;
    if (received == CL_RPC_OVER) {
        return outcome_of(stream);
    }
    return received == CL_RPC_TIMEOUT ? cl_fail(CL_DEADLINE_EXCEEDED) : cl_ok();
}

/* A send finds a stream that is over; the next frame says why. */
static void say(struct cl_rpc_stream *stream, struct cl_bytes frame)
{
    struct cl_status sent = cl_rpc_stream_send(stream, frame);
    assert(cl_is_ok(sent) || sent.reason == CL_CALL_CANCELLED);
}

static struct cl_request request_of(struct liar *liar, const ProtobufCMessage *body)
{
    return lie_prepare(liar, liar->session, &(struct cl_session_call){.method = DELIVER_METHOD, .body = body});
}

static struct cl_rpc_stream *dial(struct liar *liar)
{
    struct cl_rpc_stream *stream = NULL;
    struct cl_status status = cl_rpc_stream_open(&stream, liar->client, "/" DELIVER_METHOD, CL_RPC_NO_TIMEOUT);
    assert(cl_is_ok(status));
    return stream;
}

/* Opens one and waits for its first frame. NULL and the reason when it is refused. */
static struct cl_rpc_stream *open_once(struct cl_status *status_out, struct liar *liar, const struct opening *opening)
{
    uint8_t session_id[CL_UUID_BYTES];
    bool over = false;
    Coloan__V1__Open body = COLOAN__V1__OPEN__INIT;
    cl_random_fill(cl_random_system(), session_id, sizeof session_id);
    body.resume_after = opening->resume_after;
    body.session_id.data = session_id;
    body.session_id.len = sizeof session_id;
    body.epoch = opening->epoch;
    body.max_outstanding = WINDOW;
    struct cl_rpc_stream *stream = dial(liar);
    say(stream, request_of(liar, &body.base).envelope);
    *status_out = next_frame(&over, stream, FRAME_MS_MAX);
    if (cl_failed(*status_out) || over) {
        cl_rpc_stream_close(stream);
        return NULL;
    }
    return stream;
}

static struct cl_rpc_stream *open_stream(struct cl_status *status_out, struct liar *liar, uint64_t resume_after)
{
    struct opening opening = {.resume_after = resume_after, .epoch = EPOCH};
    struct cl_rpc_stream *stream = open_once(status_out, liar, &opening);
    for (int tries = 0; status_out->reason == CL_STREAM_FENCED && tries < OPEN_TRIES; tries++) {
        (void)poll(NULL, 0, OPEN_AGAIN_MS);
        stream = open_once(status_out, liar, &opening);
    }
    return stream;
}

/* Throws away what comes until it ends, which it has to. */
static struct cl_status end_of(struct cl_rpc_stream *stream)
{
    bool over = false;
    struct cl_status status = cl_ok();
    while (!over && cl_is_ok(status)) {
        status = next_frame(&over, stream, FRAME_MS_MAX);
    }
    cl_rpc_stream_close(stream);
    return status;
}

/* Opens a stream, says this, and it has to end. */
static enum lie_told say_one(struct liar *liar, struct cl_bytes frame, struct cl_status *status_out)
{
    struct cl_digest said = liar->said;
    struct cl_rpc_stream *stream = open_stream(status_out, liar, facts_head(liar->options.facts, liar->bank));
    liar->said = said;
    if (stream != NULL) {
        say(stream, frame);
        *status_out = end_of(stream);
    }
    return LIE_TOLD;
}

/* -- Lies ----------------------------------------------------------------------------------------------------- */

static enum lie_told open_beyond(struct liar *liar, struct cl_status *status_out)
{
    struct cl_rpc_stream *stream = open_stream(status_out, liar, facts_head(liar->options.facts, liar->bank) + BEYOND);
    cl_rpc_stream_close(stream);
    return LIE_TOLD;
}

static enum lie_told open_below(struct liar *liar, struct cl_status *status_out)
{
    struct opening below = {.epoch = EPOCH - 1};
    struct cl_rpc_stream *stream = open_stream(status_out, liar, facts_head(liar->options.facts, liar->bank));
    if (stream == NULL) {
        return LIE_TOLD;
    }
    struct cl_rpc_stream *second = open_once(status_out, liar, &below);
    cl_rpc_stream_close(second);
    cl_rpc_stream_close(stream);
    return LIE_TOLD;
}

static enum lie_told speak_before_open(struct liar *liar, struct cl_status *status_out)
{
    Coloan__V1__Credit body = COLOAN__V1__CREDIT__INIT;
    body.more = 1;
    struct cl_rpc_stream *stream = dial(liar);
    say(stream, request_of(liar, &body.base).envelope);
    *status_out = end_of(stream);
    return LIE_TOLD;
}

static enum lie_told greed(struct liar *liar, struct cl_status *status_out)
{
    Coloan__V1__Credit body = COLOAN__V1__CREDIT__INIT;
    body.more = 1;
    return say_one(liar, request_of(liar, &body.base).envelope, status_out);
}

static enum lie_told wrong_digest(struct liar *liar, struct cl_status *status_out)
{
    struct fact_event event;
    if (!facts_pending(&event, liar->options.facts, liar->bank, liar->dice)) {
        return LIE_NOTHING;
    }
    event.digest.bytes[0] ^= 1;
    struct lie_word word = {.sequence = event.sequence, .digest = event.digest, .level = RECEIVED, .text = ""};
    return say_one(liar, lie_word(liar, liar->session, DELIVER_METHOD, &word).envelope, status_out);
}

static enum lie_told of_the_future(struct liar *liar, struct cl_status *status_out)
{
    struct lie_word word = {
        .sequence = facts_head(liar->options.facts, liar->bank) + BEYOND, .level = RECEIVED, .text = ""};
    return say_one(liar, lie_word(liar, liar->session, DELIVER_METHOD, &word).envelope, status_out);
}

static enum lie_told applied_otherwise(struct liar *liar, struct cl_status *status_out)
{
    struct fact_event event;
    if (!facts_applied(&event, liar->options.facts, liar->bank, liar->dice)) {
        return LIE_NOTHING;
    }
    struct lie_word word = {.sequence = event.sequence,
                            .digest = event.digest,
                            .level = COLOAN__V1__ACK_LEVEL__ACK_LEVEL_APPLIED,
                            .text = "another"};
    return say_one(liar, lie_word(liar, liar->session, DELIVER_METHOD, &word).envelope, status_out);
}

static enum lie_told refuse_what_it_has(struct liar *liar, struct cl_status *status_out)
{
    struct fact_event event;
    if (!facts_applied(&event, liar->options.facts, liar->bank, liar->dice)) {
        return LIE_NOTHING;
    }
    struct lie_word word = {.sequence = event.sequence, .digest = event.digest, .text = "CORE_DOWN"};
    return say_one(liar, lie_word(liar, liar->session, DELIVER_METHOD, &word).envelope, status_out);
}

/* Nobody answers acknowledgements: that an old one was taken shows by the wrong one behind it, which ends the stream. */
static enum lie_told acknowledge_again(struct liar *liar, struct cl_status *status_out)
{
    struct fact_message old;
    if (!facts_ack(&old, liar->options.facts, liar->arena, liar->bank, 1 + (int)(liar->dice % 2), liar->dice)) {
        return LIE_NOTHING;
    }
    bool elsewhere = strcmp(old.method, DELIVER_METHOD) != 0;
    Coloan__V1__Credit greedy = COLOAN__V1__CREDIT__INIT;
    greedy.more = 1;
    struct cl_rpc_stream *stream =
        elsewhere ? NULL : open_stream(status_out, liar, facts_head(liar->options.facts, liar->bank));
    if (stream == NULL) {
        return elsewhere ? LIE_NOTHING : LIE_TOLD;
    }
    say(stream, old.envelope);
    say(stream, request_of(liar, &greedy.base).envelope);
    *status_out = end_of(stream);
    return LIE_TOLD;
}

/* Takes everything and says nothing. */
static enum lie_told be_silent(struct liar *liar, uint64_t resume_after, struct cl_status *status_out)
{
    bool over = false;
    int64_t end_ms = cl_clock_monotonic_ms(cl_clock_system()) + (int64_t)(liar->dice % SILENT_MS_MAX);
    struct cl_rpc_stream *stream = open_stream(status_out, liar, resume_after);
    while (stream != NULL && !over && cl_clock_monotonic_ms(cl_clock_system()) < end_ms) {
        *status_out = next_frame(&over, stream, OPEN_AGAIN_MS);
    }
    *status_out = over || stream == NULL ? *status_out : cl_ok();
    cl_rpc_stream_close(stream);
    return LIE_TOLD;
}

static enum lie_told silence(struct liar *liar, struct cl_status *status_out)
{
    uint64_t head = facts_head(liar->options.facts, liar->bank);
    return be_silent(liar, head < TAKEN_MAX ? 0 : head - TAKEN_MAX, status_out);
}

static enum lie_told has_it_all(struct liar *liar, struct cl_status *status_out)
{
    return be_silent(liar, facts_head(liar->options.facts, liar->bank), status_out);
}

const struct lie stream_lies[] = {
    {"resumes behind what there is", CL_SEQUENCE_WRONG, true, open_beyond},
    {"opens a stream of a lower epoch", CL_STREAM_FENCED, true, open_below},
    {"speaks before it opened", CL_STATE_CONFLICT, true, speak_before_open},
    {"wants more than it may", CL_FIELD_INVALID, true, greed},
    {"acknowledges another digest on its stream", CL_ACK_WRONG, true, wrong_digest},
    {"acknowledges the future on its stream", CL_EVENT_UNKNOWN, true, of_the_future},
    {"applied it otherwise on its stream", CL_ACK_WRONG, true, applied_otherwise},
    {"refuses what it has on its stream", CL_ACK_WRONG, true, refuse_what_it_has},
    {"acknowledges once more on its stream, then wants more", CL_FIELD_INVALID, true, acknowledge_again},
    {"takes all and says nothing", CL_OK, true, silence},
    {"says that it has all, and acknowledges nothing", CL_OK, true, has_it_all},
};
const size_t stream_lie_count = sizeof stream_lies / sizeof stream_lies[0];
