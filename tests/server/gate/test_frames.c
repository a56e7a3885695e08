/* frames: every verdict at its border and one past it, whole and byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "server/gate/frames.h"

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

enum { DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4 };

/* Frames of a client, `count` times over; `stream_step` is added to the stream each time. */
struct step {
    uint32_t count, len;
    uint8_t type, flags;
    uint32_t stream, stream_step;
};

struct row {
    const char *name;
    bool acked; /* the settings, before the steps */
    struct step steps[4];
    enum frames_verdict verdict;
};

static const struct row rows[] = {
    {"nothing", true, {{0}}, FRAMES_FINE},
    {"a call", true, {{1, 100, HEADERS, END_HEADERS, 1, 0}, {1, 200, DATA, END_STREAM, 1, 0}}, FRAMES_FINE},
    {"frame of 16384", true, {{1, 16384, DATA, 0, 1, 0}}, FRAMES_FINE},
    {"frame of 16385", true, {{1, 16385, DATA, 0, 1, 0}}, FRAMES_FRAME_SIZE},
    {"frame of the largest size", true, {{1, 0xffffff, DATA, 0, 1, 0}}, FRAMES_FRAME_SIZE},
    {"large frame of an unknown type", true, {{1, 16385, 77, 0, 1, 0}}, FRAMES_FRAME_SIZE},

    {"headers on stream 0", true, {{1, 10, HEADERS, END_HEADERS, 0, 0}}, FRAMES_STREAM_ID},
    {"headers on an even stream", true, {{1, 10, HEADERS, END_HEADERS, 2, 0}}, FRAMES_STREAM_ID},
    {"the last stream there is", true, {{1, 10, HEADERS, END_HEADERS, 0x7fffffff, 0}}, FRAMES_FINE},
    {"data on stream 0", true, {{1, 100, DATA, 0, 0, 0}}, FRAMES_STREAM_ID},
    {"data on an even stream", true, {{1, 100, DATA, 0, 4, 0}}, FRAMES_STREAM_ID},
    {"reset of stream 0", true, {{1, 4, RST_STREAM, 0, 0, 0}}, FRAMES_STREAM_ID},
    {"settings on a stream", true, {{1, 0, SETTINGS, 0, 1, 0}}, FRAMES_STREAM_ID},

    {"push", true, {{1, 10, PUSH_PROMISE, END_HEADERS, 1, 0}}, FRAMES_SEQUENCE},
    {"continuation of nothing", true, {{1, 10, CONTINUATION, END_HEADERS, 1, 0}}, FRAMES_SEQUENCE},
    {"continuation after the end",
     true,
     {{1, 10, HEADERS, END_HEADERS, 1, 0}, {1, 10, CONTINUATION, END_HEADERS, 1, 0}},
     FRAMES_SEQUENCE},
    {"continuation of another stream",
     true,
     {{1, 10, HEADERS, 0, 1, 0}, {1, 10, CONTINUATION, END_HEADERS, 3, 0}},
     FRAMES_SEQUENCE},
    {"data inside a block", true, {{1, 10, HEADERS, 0, 1, 0}, {1, 100, DATA, 0, 1, 0}}, FRAMES_SEQUENCE},
    {"ping inside a block", true, {{1, 10, HEADERS, 0, 1, 0}, {1, 8, PING, 0, 0, 0}}, FRAMES_SEQUENCE},
    {"headers inside a block", true, {{1, 10, HEADERS, 0, 1, 0}, {1, 10, HEADERS, END_HEADERS, 3, 0}}, FRAMES_SEQUENCE},

    {"block of 16384 in one", true, {{1, 16384, HEADERS, END_HEADERS, 1, 0}}, FRAMES_FINE},
    {"block of 16384 in two",
     true,
     {{1, 16000, HEADERS, 0, 1, 0}, {1, 384, CONTINUATION, END_HEADERS, 1, 0}},
     FRAMES_FINE},
    {"block of 16385 in two",
     true,
     {{1, 16000, HEADERS, 0, 1, 0}, {1, 385, CONTINUATION, END_HEADERS, 1, 0}},
     FRAMES_BLOCK_SIZE},
    {"large blocks one after another", true, {{40, 16384, HEADERS, END_HEADERS, 1, 2}}, FRAMES_FINE},

    {"8 continuations",
     true,
     {{1, 1, HEADERS, 0, 1, 0}, {7, 1, CONTINUATION, 0, 1, 0}, {1, 1, CONTINUATION, END_HEADERS, 1, 0}},
     FRAMES_FINE},
    {"9 continuations", true, {{1, 1, HEADERS, 0, 1, 0}, {9, 1, CONTINUATION, 0, 1, 0}}, FRAMES_CONTINUATIONS},
    {"9 empty continuations", true, {{1, 1, HEADERS, 0, 1, 0}, {9, 0, CONTINUATION, 0, 1, 0}}, FRAMES_CONTINUATIONS},
    {"8 continuations in each of two blocks",
     true,
     {{1, 1, HEADERS, 0, 1, 0},
      {7, 1, CONTINUATION, 0, 1, 0},
      {1, 1, CONTINUATION, END_HEADERS, 1, 0},
      {1, 1, HEADERS, 0, 3, 0}},
     FRAMES_FINE},

    {"16 streams before the acknowledgement", false, {{16, 10, HEADERS, END_HEADERS, 1, 2}}, FRAMES_FINE},
    {"17 streams before the acknowledgement", false, {{17, 10, HEADERS, END_HEADERS, 1, 2}}, FRAMES_STREAMS_BEFORE_ACK},
    {"17 streams, acknowledged after 16",
     false,
     {{16, 10, HEADERS, END_HEADERS, 1, 2}, {1, 0, SETTINGS, ACK, 0, 0}, {100, 10, HEADERS, END_HEADERS, 33, 2}},
     FRAMES_FINE},

    {"50 resets", true, {{50, 4, RST_STREAM, 0, 1, 2}}, FRAMES_FINE},
    {"51 resets", true, {{51, 4, RST_STREAM, 0, 1, 2}}, FRAMES_RESETS},
    {"rapid reset", true, {{60, 10, HEADERS, END_HEADERS, 1, 2}, {51, 4, RST_STREAM, 0, 1, 2}}, FRAMES_RESETS},

    /* two control frames, SETTINGS and its acknowledgement, have been before */
    {"398 pings", true, {{398, 8, PING, 0, 0, 0}}, FRAMES_FINE},
    {"399 pings", true, {{399, 8, PING, 0, 0, 0}}, FRAMES_CONTROLS},
    {"399 settings", true, {{399, 0, SETTINGS, 0, 0, 0}}, FRAMES_CONTROLS},
    {"399 priorities", true, {{399, 5, PRIORITY, 0, 1, 0}}, FRAMES_CONTROLS},
    {"399 window updates", true, {{399, 4, WINDOW_UPDATE, 0, 0, 0}}, FRAMES_CONTROLS},
    {"399 farewells", true, {{399, 8, GOAWAY, 0, 0, 0}}, FRAMES_CONTROLS},
    {"399 unknown", true, {{399, 0, 200, 0, 0, 0}}, FRAMES_CONTROLS},
    {"399 empty data", true, {{399, 0, DATA, 0, 1, 0}}, FRAMES_CONTROLS},
    {"399 data of 63 bytes", true, {{399, 63, DATA, 0, 1, 0}}, FRAMES_CONTROLS},
    {"5000 data of 64 bytes", true, {{5000, 64, DATA, 0, 1, 0}}, FRAMES_FINE},
    {"5000 small data that end a stream", true, {{5000, 1, DATA, END_STREAM, 1, 2}}, FRAMES_FINE},
    {"too many trailers",
     true,
     {{1, 1, HEADERS, END_HEADERS, 1, 0}, {401, 1, HEADERS, END_HEADERS, 1, 0}},
     FRAMES_CONTROLS},
    {"two window updates for each stream",
     true,
     {{1000, 10, HEADERS, END_HEADERS, 1, 2}, {2398, 4, WINDOW_UPDATE, 0, 0, 0}},
     FRAMES_FINE},
    {"one more than that",
     true,
     {{1000, 10, HEADERS, END_HEADERS, 1, 2}, {2399, 4, WINDOW_UPDATE, 0, 0, 0}},
     FRAMES_CONTROLS},

    {"50000 streams", true, {{50000, 10, HEADERS, END_HEADERS, 1, 2}}, FRAMES_FINE},
    {"50001 streams", true, {{50001, 10, HEADERS, END_HEADERS, 1, 2}}, FRAMES_STREAMS},
};

static size_t put_frame(uint8_t *out, const struct step *step, uint32_t stream)
{
    const uint8_t header[FRAMES_HEADER_BYTES] = {
        (uint8_t)(step->len >> 16), (uint8_t)(step->len >> 8), (uint8_t)step->len,     step->type,     step->flags,
        (uint8_t)(stream >> 24),    (uint8_t)(stream >> 16),   (uint8_t)(stream >> 8), (uint8_t)stream};
    memcpy(out, header, sizeof header);
    uint32_t len = step->len > 20000 ? 0 : step->len; /* what is too large is refused by its header */
    memset(out + sizeof header, 0x80, len);
    return sizeof header + len;
}

/* In pieces of `piece` bytes. */
static enum frames_verdict take(struct frames *frames, const uint8_t *bytes, size_t len, size_t piece, int64_t now_ms)
{
    enum frames_verdict verdict = FRAMES_FINE;
    for (size_t at = 0; at < len && verdict == FRAMES_FINE; at += piece) {
        size_t next = len - at < piece ? len - at : piece;
        verdict = frames_take(frames, cl_bytes(bytes + at, next), now_ms);
    }
    return verdict;
}

static enum frames_verdict begin(struct frames *frames, bool acked, size_t piece)
{
    static const uint8_t bytes[] = PREFACE "\0\0\0\x04\0\0\0\0\0"
                                           "\0\0\0\x04\x01\0\0\0\0";
    return take(frames, bytes, sizeof bytes - 1 - (acked ? 0 : FRAMES_HEADER_BYTES), piece, 0);
}

static enum frames_verdict run_step(struct frames *frames, const struct step *step, size_t piece, int64_t now_ms)
{
    static uint8_t bytes[FRAMES_HEADER_BYTES + 20000];
    enum frames_verdict verdict = FRAMES_FINE;
    for (uint32_t i = 0; i < step->count && verdict == FRAMES_FINE; i++) {
        size_t len = put_frame(bytes, step, step->stream + i * step->stream_step);
        verdict = take(frames, bytes, len, piece, now_ms);
    }
    return verdict;
}

static void each_limit_holds_at_its_border(void **state)
{
    (void)state;
    static const size_t pieces[] = {65536, 1, 7};
    struct frames_limits limits = frames_limits_default();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] * 3; i++) {
        const struct row *row = &rows[i / 3];
        struct frames frames;
        frames_init(&frames, &limits, 0);
        enum frames_verdict verdict = begin(&frames, row->acked, pieces[i % 3]);
        for (size_t s = 0; s < 4 && verdict == FRAMES_FINE; s++) {
            verdict = run_step(&frames, &row->steps[s], pieces[i % 3], 0);
        }
        if (verdict != row->verdict) {
            fail_msg("%s: %s", row->name, frames_verdict_name(verdict));
        }
    }
}

static void what_is_not_http2_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *bytes;
        size_t len;
    } wrong[] = {
        {"HTTP/1.1", "GET / HTTP/1.1\r\n", 16},
        {"one byte", "p", 1},
        {"the last byte", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r", 24},
        {"ping first", PREFACE "\0\0\x08\x06\0\0\0\0\0", 33},
        {"acknowledgement first", PREFACE "\0\0\0\x04\x01\0\0\0\0", 33},
        {"headers first", PREFACE "\0\0\x01\x01\x04\0\0\0\x01", 33},
    };
    struct frames_limits limits = frames_limits_default();
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct frames frames;
        frames_init(&frames, &limits, 0);
        enum frames_verdict verdict = frames_take(&frames, cl_bytes(wrong[i].bytes, wrong[i].len), 0);
        if (verdict != FRAMES_PREFACE) {
            fail_msg("%s: %s", wrong[i].name, frames_verdict_name(verdict));
        }
    }
}

static void a_second_later_counting_begins_anew(void **state)
{
    (void)state;
    struct frames_limits limits = frames_limits_default();
    struct frames frames;
    const struct step resets = {50, 4, RST_STREAM, 0, 1, 2};
    const struct step one = {1, 4, RST_STREAM, 0, 1, 0};
    frames_init(&frames, &limits, 0);
    assert_int_equal(begin(&frames, true, 65536), FRAMES_FINE);
    assert_int_equal(run_step(&frames, &resets, 65536, 0), FRAMES_FINE);
    assert_int_equal(run_step(&frames, &resets, 65536, 1000), FRAMES_FINE);
    assert_int_equal(run_step(&frames, &one, 65536, 1999), FRAMES_RESETS);
}

static void window_updates_may_come_a_second_after_their_streams(void **state)
{
    (void)state;
    struct frames_limits limits = frames_limits_default();
    const struct step streams = {1000, 10, HEADERS, END_HEADERS, 1, 2};
    const struct step updates = {2400, 4, WINDOW_UPDATE, 0, 0, 0};
    static const struct {
        int64_t after_ms;
        enum frames_verdict verdict;
    } times[] = {{1000, FRAMES_FINE}, {1999, FRAMES_FINE}, {2000, FRAMES_CONTROLS}};
    for (size_t i = 0; i < 3; i++) {
        struct frames frames;
        frames_init(&frames, &limits, 0);
        assert_int_equal(begin(&frames, true, 65536), FRAMES_FINE);
        assert_int_equal(run_step(&frames, &streams, 65536, 0), FRAMES_FINE);
        assert_int_equal(run_step(&frames, &updates, 65536, times[i].after_ms), times[i].verdict);
    }
}

static void window_updates_may_answer_what_was_sent(void **state)
{
    (void)state;
    struct frames_limits limits = frames_limits_default();
    static const struct {
        size_t sent_bytes;
        int64_t after_ms;
        uint32_t updates;
        enum frames_verdict verdict;
    } cases[] = {
        {1000 * 1024, 0, 1398, FRAMES_FINE},
        {1000 * 1024, 0, 1399, FRAMES_CONTROLS},
        {1000 * 1024 - 1, 0, 1397, FRAMES_FINE},
        {1000 * 1024 - 1, 0, 1398, FRAMES_CONTROLS},
        {1023, 0, 398, FRAMES_FINE},
        {1023, 0, 399, FRAMES_CONTROLS},
        {1000 * 1024, 1999, 1400, FRAMES_FINE},
        {1000 * 1024, 2000, 1400, FRAMES_CONTROLS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct step updates = {cases[i].updates, 4, WINDOW_UPDATE, 0, 0, 0};
        struct frames frames;
        frames_init(&frames, &limits, 0);
        assert_int_equal(begin(&frames, true, 65536), FRAMES_FINE);
        frames_sent(&frames, cases[i].sent_bytes);
        assert_int_equal(run_step(&frames, &updates, 65536, cases[i].after_ms), cases[i].verdict);
    }
}

static void what_began_must_go_on(void **state)
{
    (void)state;
    static const uint8_t block[] = "\0\0\x0a\x01\x04\0\0\0\x01"
                                   "12345";
    static const uint8_t data[] = "\0\0\x0a\0\0\0\0\0\x01"
                                  "12345";
    static const struct {
        const char *name;
        bool acked;
        const uint8_t *bytes;
        size_t len;
        int64_t after_ms;
        enum frames_verdict verdict;
    } cases[] = {
        {"no acknowledgement, 5000 ms", false, NULL, 0, 5000, FRAMES_FINE},
        {"no acknowledgement, 5001 ms", false, NULL, 0, 5001, FRAMES_SETTINGS_LATE},
        {"acknowledged, an hour", true, NULL, 0, 3600000, FRAMES_FINE},
        {"half a block, 5000 ms", true, block, 14, 5000, FRAMES_FINE},
        {"half a block, 5001 ms", true, block, 14, 5001, FRAMES_BLOCK_LATE},
        {"half a data frame, 30000 ms", true, data, 14, 30000, FRAMES_FINE},
        {"half a data frame, 30001 ms", true, data, 14, 30001, FRAMES_FRAME_LATE},
        {"half a frame header, 30001 ms", true, data, 8, 30001, FRAMES_FRAME_LATE},
    };
    struct frames_limits limits = frames_limits_default();
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct frames frames;
        frames_init(&frames, &limits, 0);
        assert_int_equal(begin(&frames, cases[i].acked, 65536), FRAMES_FINE);
        assert_int_equal(frames_take(&frames, cl_bytes(cases[i].bytes, cases[i].len), 0), FRAMES_FINE);
        enum frames_verdict verdict = frames_look(&frames, cases[i].after_ms);
        if (verdict != cases[i].verdict) {
            fail_msg("%s: %s", cases[i].name, frames_verdict_name(verdict));
        }
    }
}

static void a_block_is_timed_from_its_first_frame(void **state)
{
    (void)state;
    struct frames_limits limits = frames_limits_default();
    struct frames frames;
    const struct step headers = {1, 10, HEADERS, 0, 1, 0};
    const struct step more = {1, 10, CONTINUATION, 0, 1, 0};
    const struct step last = {1, 10, CONTINUATION, END_HEADERS, 1, 0};
    frames_init(&frames, &limits, 0);
    assert_int_equal(begin(&frames, true, 65536), FRAMES_FINE);
    assert_int_equal(run_step(&frames, &headers, 65536, 0), FRAMES_FINE);
    assert_int_equal(run_step(&frames, &more, 65536, 4000), FRAMES_FINE);
    assert_int_equal(frames_look(&frames, 5001), FRAMES_BLOCK_LATE);
    assert_int_equal(run_step(&frames, &last, 65536, 5001), FRAMES_FINE);
    assert_int_equal(frames_look(&frames, 60000), FRAMES_FINE);
}

static void every_verdict_has_a_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FRAMES_VERDICT_COUNT; i++) {
        assert_true(strlen(frames_verdict_name((enum frames_verdict)i)) > 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_limit_holds_at_its_border),
        cmocka_unit_test(what_is_not_http2_is_refused),
        cmocka_unit_test(a_second_later_counting_begins_anew),
        cmocka_unit_test(window_updates_may_come_a_second_after_their_streams),
        cmocka_unit_test(window_updates_may_answer_what_was_sent),
        cmocka_unit_test(what_began_must_go_on),
        cmocka_unit_test(a_block_is_timed_from_its_first_frame),
        cmocka_unit_test(every_verdict_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
