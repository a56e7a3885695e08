/* The details of a failed call come from a peer that may be hostile. What reads back as a refusal must keep what the
 * header promises: a real reason, a retry within a day, a field that is a path. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "libcoloan/refusal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cl_refusal_read read;
    if (cl_failed(cl_refusal_read(&read, cl_bytes(data, size)))) {
        return 0;
    }
    assert(cl_failed(read.status));
    assert(read.retry_after_ms >= 0 && read.retry_after_ms <= INT64_C(24) * 3600 * 1000);
    assert(memchr(read.field, '\0', sizeof read.field) != NULL);
    assert(strpbrk(read.field, "\r\n\"\\ ") == NULL);
    assert(read.envelope.len <= size);
    return 0;
}
