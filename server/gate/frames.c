#include "server/gate/frames.h"

#include <assert.h>
#include <string.h>

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum {
    PREFACE_BYTES = sizeof preface - 1,
    SECOND_MS = 1000,
    /* A message costs 5 bytes of gRPC and a signed envelope more than 100; less than this in a frame that does not end
       its stream is no message, and 2 MB of 1-byte frames took core 93 MB. */
    SMALL_DATA_BYTES = 64,
    CONTROLS_PER_STREAM = 2, /* a window update for the stream and one for the connection */
    /* Sent to the client: one that reads events as fast as they come updates both windows every few KiB. A PING earns
       its sender 17 bytes of answer, so that no flood can pay for itself. */
    SENT_BYTES_PER_CONTROL = 1024,
};

enum frame_type {
    DATA = 0,
    HEADERS = 1,
    RST_STREAM = 3,
    SETTINGS = 4,
    PUSH_PROMISE = 5,
    CONTINUATION = 9,
};

enum { FLAG_END_STREAM = 0x1, FLAG_ACK = 0x1, FLAG_END_HEADERS = 0x4 };

struct frame {
    uint32_t len, stream;
    uint8_t type, flags;
};

struct frames_limits frames_limits_default(void)
{
    return (struct frames_limits){
        .frame_bytes_max = 16384, /* what our SETTINGS allow, and the least HTTP/2 lets one ask for */
        .block_bytes_max = 16384, /* twice the metadata that rpc accepts */
        .continuations_max = 8,
        .streams_before_ack_max = 16,
        .resets_per_s_max = 50,
        .controls_per_s_max = 400,
        .streams_per_s_max = 50000,
        .settings_ms_max = 5000,
        .block_ms_max = 5000,
        .frame_ms_max = 30000,
    };
}

const char *frames_verdict_name(enum frames_verdict verdict)
{
    static const char *const names[] = {
#define FRAMES_NAME(name, text) text,
        FRAMES_VERDICTS(FRAMES_NAME)
#undef FRAMES_NAME
    };
    assert((unsigned)verdict < FRAMES_VERDICT_COUNT);
    return names[verdict];
}

void frames_init(struct frames *out, const struct frames_limits *limits, int64_t now_ms)
{
    *out = (struct frames){.limits = limits, .opened_ms = now_ms, .second_ms = now_ms};
}

/* -- Counting ------------------------------------------------------------------------------------------------ */

/* Frames without a message that are free in this second, besides those that always are. */
static uint64_t earned(const struct frames *frames)
{
    return CONTROLS_PER_STREAM * (uint64_t)frames->streams + frames->sent_bytes / SENT_BYTES_PER_CONTROL;
}

static void turn_second(struct frames *frames, int64_t now_ms)
{
    int64_t passed_ms = now_ms - frames->second_ms;
    if (passed_ms < SECOND_MS) {
        return;
    }
    frames->earned_before = passed_ms < 2 * SECOND_MS ? earned(frames) : 0;
    frames->second_ms = now_ms;
    frames->resets = frames->controls = frames->streams = 0;
    frames->sent_bytes = 0;
}

void frames_sent(struct frames *frames, size_t len)
{
    frames->sent_bytes += len;
}

static enum frames_verdict count_control(struct frames *frames)
{
    uint64_t free = earned(frames) + frames->earned_before;
    frames->controls++;
    return frames->controls > frames->limits->controls_per_s_max + free ? FRAMES_CONTROLS : FRAMES_FINE;
}

static enum frames_verdict count_reset(struct frames *frames)
{
    frames->resets++;
    return frames->resets > frames->limits->resets_per_s_max ? FRAMES_RESETS : FRAMES_FINE;
}

static enum frames_verdict count_stream(struct frames *frames, uint32_t stream)
{
    if (stream <= frames->last_stream) {
        return count_control(frames); /* trailers, or a stream that is gone */
    }
    frames->last_stream = stream;
    frames->streams++;
    frames->streams_unacked += frames->acked ? 0 : 1;
    if (frames->streams_unacked > frames->limits->streams_before_ack_max && !frames->acked) {
        return FRAMES_STREAMS_BEFORE_ACK;
    }
    return frames->streams > frames->limits->streams_per_s_max ? FRAMES_STREAMS : FRAMES_FINE;
}

/* -- Frames -------------------------------------------------------------------------------------------------- */

static struct frame read_header(const uint8_t *at)
{
    return (struct frame){
        .len = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2],
        .type = at[3],
        .flags = at[4],
        .stream = ((uint32_t)at[5] << 24 | (uint32_t)at[6] << 16 | (uint32_t)at[7] << 8 | at[8]) & 0x7fffffff,
    };
}

static enum frames_verdict count_block(struct frames *frames, const struct frame *frame)
{
    frames->block_bytes += frame->len; /* both below the limits that were checked: no overflow */
    frames->block_ends = (frame->flags & FLAG_END_HEADERS) != 0;
    return frames->block_bytes > frames->limits->block_bytes_max ? FRAMES_BLOCK_SIZE : FRAMES_FINE;
}

static enum frames_verdict begin_headers(struct frames *frames, const struct frame *frame)
{
    if (frame->stream % 2 == 0) {
        return FRAMES_STREAM_ID;
    }
    frames->in_block = true;
    frames->block_stream = frame->stream;
    frames->block_bytes = 0;
    frames->continuations = 0;
    enum frames_verdict verdict = count_block(frames, frame);
    return verdict == FRAMES_FINE ? count_stream(frames, frame->stream) : verdict;
}

static enum frames_verdict begin_continuation(struct frames *frames, const struct frame *frame)
{
    if (frame->type != CONTINUATION || frame->stream != frames->block_stream) {
        return FRAMES_SEQUENCE;
    }
    frames->continuations++;
    if (frames->continuations > frames->limits->continuations_max) {
        return FRAMES_CONTINUATIONS;
    }
    return count_block(frames, frame);
}

static enum frames_verdict begin_settings(struct frames *frames, const struct frame *frame)
{
    if (frame->stream != 0) {
        return FRAMES_STREAM_ID;
    }
    if ((frame->flags & FLAG_ACK) != 0) {
        frames->acked = true;
    }
    return count_control(frames);
}

static enum frames_verdict begin_data(struct frames *frames, const struct frame *frame)
{
    if (frame->stream % 2 == 0) {
        return FRAMES_STREAM_ID;
    }
    bool carries = frame->len >= SMALL_DATA_BYTES || (frame->flags & FLAG_END_STREAM) != 0;
    return carries ? FRAMES_FINE : count_control(frames);
}

static enum frames_verdict begin_first(struct frames *frames, const struct frame *frame)
{
    if (frame->type != SETTINGS || (frame->flags & FLAG_ACK) != 0) {
        return FRAMES_PREFACE;
    }
    frames->settings_seen = true;
    return begin_settings(frames, frame);
}

static enum frames_verdict begin_frame(struct frames *frames, const struct frame *frame)
{
    if (frame->len > frames->limits->frame_bytes_max) {
        return FRAMES_FRAME_SIZE;
    }
    if (!frames->settings_seen) {
        return begin_first(frames, frame);
    }
    if (frames->in_block) {
        return begin_continuation(frames, frame);
    }
    switch (frame->type) {
    case DATA:
        return begin_data(frames, frame);
    case HEADERS:
        return begin_headers(frames, frame);
    case RST_STREAM:
        return frame->stream == 0 ? FRAMES_STREAM_ID : count_reset(frames);
    case SETTINGS:
        return begin_settings(frames, frame);
    case PUSH_PROMISE: /* a client never pushes */
    case CONTINUATION: /* of nothing */
        return FRAMES_SEQUENCE;
    default: /* PRIORITY, PING, GOAWAY, WINDOW_UPDATE, and what HTTP/2 does not know */
        return count_control(frames);
    }
}

static void end_frame(struct frames *frames)
{
    frames->header_len = 0;
    if (frames->in_block && frames->block_ends) {
        frames->in_block = false;
    }
}

/* -- Bytes --------------------------------------------------------------------------------------------------- */

static enum frames_verdict take_preface(struct frames *frames, struct cl_bytes *in)
{
    size_t left = PREFACE_BYTES - (size_t)frames->preface_len;
    size_t len = in->len < left ? in->len : left;
    if (memcmp(preface + frames->preface_len, in->data, len) != 0) {
        return FRAMES_PREFACE;
    }
    frames->preface_len = (uint8_t)(frames->preface_len + len);
    *in = cl_bytes(in->data + len, in->len - len);
    return FRAMES_FINE;
}

/* Gathers a header; when it is whole, judges its frame. */
static enum frames_verdict take_header(struct frames *frames, struct cl_bytes *in, int64_t now_ms)
{
    if (frames->header_len == 0 && !frames->in_block) {
        frames->begun_ms = now_ms;
    }
    size_t left = FRAMES_HEADER_BYTES - (size_t)frames->header_len;
    size_t len = in->len < left ? in->len : left;
    memcpy(frames->header + frames->header_len, in->data, len);
    frames->header_len = (uint8_t)(frames->header_len + len);
    *in = cl_bytes(in->data + len, in->len - len);
    if (frames->header_len < FRAMES_HEADER_BYTES) {
        return FRAMES_FINE;
    }
    struct frame frame = read_header(frames->header);
    frames->payload_left = frame.len;
    enum frames_verdict verdict = begin_frame(frames, &frame);
    if (verdict == FRAMES_FINE && frame.len == 0) {
        end_frame(frames);
    }
    return verdict;
}

static void take_payload(struct frames *frames, struct cl_bytes *in)
{
    size_t len = in->len < frames->payload_left ? in->len : frames->payload_left;
    frames->payload_left -= (uint32_t)len;
    *in = cl_bytes(in->data + len, in->len - len);
    if (frames->payload_left == 0) {
        end_frame(frames);
    }
}

enum frames_verdict frames_take(struct frames *frames, struct cl_bytes in, int64_t now_ms)
{
    turn_second(frames, now_ms);
    if (frames->preface_len < PREFACE_BYTES && in.len > 0) {
        enum frames_verdict verdict = take_preface(frames, &in);
        if (verdict != FRAMES_FINE) {
            return verdict;
        }
    }
    while (in.len > 0) {
        if (frames->header_len == FRAMES_HEADER_BYTES) {
            take_payload(frames, &in);
            continue;
        }
        enum frames_verdict verdict = take_header(frames, &in, now_ms);
        if (verdict != FRAMES_FINE) {
            return verdict;
        }
    }
    return FRAMES_FINE;
}

enum frames_verdict frames_look(const struct frames *frames, int64_t now_ms)
{
    const struct frames_limits *limits = frames->limits;
    if (!frames->acked && now_ms - frames->opened_ms > limits->settings_ms_max) {
        return FRAMES_SETTINGS_LATE;
    }
    int64_t open_ms = now_ms - frames->begun_ms;
    if (frames->in_block && open_ms > limits->block_ms_max) {
        return FRAMES_BLOCK_LATE;
    }
    if (frames->header_len > 0 && open_ms > limits->frame_ms_max) {
        return FRAMES_FRAME_LATE;
    }
    return FRAMES_FINE;
}
