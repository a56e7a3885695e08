/* The frame counter over any bytes: it does not crash, and its verdict does not depend on how the bytes are cut. The
 * first byte of the input chooses the pieces. */
#include <assert.h>
#include <stdint.h>

#include "server/gate/frames.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum frames_verdict take(const uint8_t *data, size_t size, size_t piece)
{
    struct frames_limits limits = frames_limits_default();
    struct frames frames;
    enum frames_verdict verdict = FRAMES_FINE;
    frames_init(&frames, &limits, 0);
    for (size_t at = 0; at < size && verdict == FRAMES_FINE; at += piece) {
        verdict = frames_take(&frames, cl_bytes(data + at, size - at < piece ? size - at : piece), 0);
        assert(frames.header_len <= FRAMES_HEADER_BYTES);
        assert(frames.payload_left <= limits.frame_bytes_max || verdict != FRAMES_FINE);
    }
    if (verdict == FRAMES_FINE) {
        verdict = frames_look(&frames, limits.settings_ms_max);
        assert(verdict == FRAMES_FINE);
    }
    return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    enum frames_verdict whole = take(data + 1, size - 1, size);
    enum frames_verdict pieces = take(data + 1, size - 1, 1 + data[0] % 32U);
    assert(whole == pieces);
    return 0;
}
