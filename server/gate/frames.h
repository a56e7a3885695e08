/* frames.h - counts HTTP/2 frames of one client and says when it goes past what an honest one does.
 *
 * It reads frame headers only: no HPACK, no stream states, nothing that allocates. What it must stop is what gRPC core
 * 1.51 does not: rapid reset, endless header blocks, streams before the settings are acknowledged, floods of frames
 * that carry nothing, and connections that begin something and do not go on.
 *
 * Values only: a struct frames belongs to its connection's thread; time is handed in. Made for hostile bytes: every
 * outcome is a verdict, and after any but FRAMES_FINE the connection is to be cut and the struct not used again. */
#ifndef COLOAN_GATE_FRAMES_H
#define COLOAN_GATE_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/bytes.h"

struct frames_limits {
    uint32_t frame_bytes_max;        /* payload of one frame */
    uint32_t block_bytes_max;        /* HEADERS with all its CONTINUATIONs: bounds HPACK's quadratic padding */
    uint32_t continuations_max;      /* of one block; CONTINUATION costs core far more than it costs the sender */
    uint32_t streams_before_ack_max; /* core enforces its own limit only once the client acknowledged it */
    uint32_t resets_per_s_max;       /* RST_STREAM; each costs core some 12 KB for a while */
    uint32_t controls_per_s_max;     /* frames that carry no message; two more are free with each new stream, and one
                                        with each KiB sent to the client */
    uint32_t streams_per_s_max;      /* new ones; far above what one core can serve, and only a second lock */
    int64_t settings_ms_max;         /* until preface, SETTINGS and the acknowledgement of ours are here */
    int64_t block_ms_max;            /* until a header block that began is whole */
    int64_t frame_ms_max;            /* until any other frame that began is whole */
};

/* Each has a test of its name. */
#define FRAMES_VERDICTS(X)                                                                                             \
    X(FINE, "fine")                                                                                                    \
    X(PREFACE, "preface")                       /* not HTTP/2, or the first frame is not SETTINGS */                   \
    X(FRAME_SIZE, "frame-size")                 /* a frame larger than was agreed */                                   \
    X(STREAM_ID, "stream-id")                   /* a stream number no client may use there */                          \
    X(SEQUENCE, "sequence")                     /* a frame inside another's header block, CONTINUATION alone, push */  \
    X(BLOCK_SIZE, "block-size")                 /* header block too large */                                           \
    X(CONTINUATIONS, "continuations")           /* header block in too many pieces */                                  \
    X(STREAMS_BEFORE_ACK, "streams-before-ack") /* many streams, settings not acknowledged */                          \
    X(RESETS, "resets")                                                                                                \
    X(CONTROLS, "controls")                                                                                            \
    X(STREAMS, "streams")                                                                                              \
    X(SETTINGS_LATE, "settings-late")                                                                                  \
    X(BLOCK_LATE, "block-late")                                                                                        \
    X(FRAME_LATE, "frame-late")

enum frames_verdict {
#define FRAMES_ENUM(name, text) FRAMES_##name,
    FRAMES_VERDICTS(FRAMES_ENUM)
#undef FRAMES_ENUM
        FRAMES_VERDICT_COUNT
};

#define FRAMES_HEADER_BYTES 9

struct frames {
    const struct frames_limits *limits; /* borrowed */
    int64_t opened_ms;
    int64_t begun_ms;                   /* when the block, or else the frame, that is not whole yet began */
    int64_t second_ms;                  /* when the second that is being counted began */
    uint32_t resets, controls, streams; /* in this second */
    uint64_t sent_bytes;                /* to the client, in this second */
    uint64_t earned_before;             /* control frames that the second before made free */
    uint32_t streams_unacked;
    uint32_t last_stream;
    uint32_t payload_left; /* of the frame at hand */
    uint32_t block_stream, block_bytes, continuations;
    uint8_t header[FRAMES_HEADER_BYTES];
    uint8_t header_len;
    uint8_t preface_len;
    bool settings_seen, acked;
    bool in_block;   /* HEADERS came without END_HEADERS, or its payload is not whole yet */
    bool block_ends; /* the frame at hand has END_HEADERS */
};

/* Each is tested at its border and one past it. */
struct frames_limits frames_limits_default(void);

void frames_init(struct frames *out, const struct frames_limits *limits, int64_t now_ms);

/* The next bytes from the client, in pieces of any size. None of `in` may be passed on unless FRAMES_FINE. */
enum frames_verdict frames_take(struct frames *frames, struct cl_bytes in, int64_t now_ms);

/* So many bytes went to the client, which answers them with window updates. */
void frames_sent(struct frames *frames, size_t len);

/* Whether something that began takes too long. Not while we ourselves hold the client up. */
enum frames_verdict frames_look(const struct frames *frames, int64_t now_ms);

/* "block-size", for logs and metrics. */
const char *frames_verdict_name(enum frames_verdict verdict);

#endif
