#include "tests/support/wire.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static uint8_t *grow(struct wire *wire, size_t len)
{
    wire->bytes = realloc(wire->bytes, wire->len + len + 1);
    assert(wire->bytes != NULL);
    wire->len += len;
    return wire->bytes + wire->len - len;
}

void wire_raw(struct wire *wire, const void *data, size_t len)
{
    uint8_t *at = grow(wire, len);
    if (len > 0) {
        memcpy(at, data, len);
    }
}

void wire_zeros(struct wire *wire, size_t len)
{
    memset(grow(wire, len), 0, len);
}

void wire_varint(struct wire *wire, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        *grow(wire, 1) = (uint8_t)(value | 0x80);
    }
    *grow(wire, 1) = (uint8_t)value;
}

void wire_tag(struct wire *wire, uint64_t number, unsigned wire_type)
{
    wire_varint(wire, number << 3 | wire_type);
}

void wire_number(struct wire *wire, uint64_t number, uint64_t value)
{
    wire_tag(wire, number, 0);
    wire_varint(wire, value);
}

void wire_data(struct wire *wire, uint64_t number, const void *data, size_t len)
{
    wire_tag(wire, number, 2);
    wire_varint(wire, len);
    wire_raw(wire, data, len);
}

void wire_text(struct wire *wire, uint64_t number, const char *text)
{
    wire_data(wire, number, text, strlen(text));
}

void wire_nested(struct wire *wire, uint64_t number, struct wire *inner)
{
    wire_data(wire, number, inner->bytes, inner->len);
    wire_free(inner);
}

void wire_free(struct wire *wire)
{
    free(wire->bytes);
    *wire = (struct wire){0};
}
