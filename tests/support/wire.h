/* wire.h - protobuf bytes written by hand, right or wrong. For tests.
 *
 * Start from {0}; wire_free at the end. Aborts without memory. */
#ifndef COLOAN_TESTS_WIRE_H
#define COLOAN_TESTS_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "libcoloan/bytes.h"

struct wire {
    uint8_t *bytes;
    size_t len;
};

void wire_raw(struct wire *wire, const void *data, size_t len);
void wire_zeros(struct wire *wire, size_t len);
void wire_varint(struct wire *wire, uint64_t value);
void wire_tag(struct wire *wire, uint64_t number, unsigned wire_type);
void wire_number(struct wire *wire, uint64_t number, uint64_t value);             /* wire type 0 */
void wire_data(struct wire *wire, uint64_t number, const void *data, size_t len); /* wire type 2 */
void wire_text(struct wire *wire, uint64_t number, const char *text);
void wire_nested(struct wire *wire, uint64_t number, struct wire *inner); /* frees `inner` */
void wire_free(struct wire *wire);

static inline struct cl_bytes wire_bytes(const struct wire *wire)
{
    return cl_bytes(wire->bytes, wire->len);
}

#endif
