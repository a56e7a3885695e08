#include "tests/fuzz/negative.h"

#include <stdlib.h>
#include <string.h>

/* Byte after byte, so that coverage leads there and chance does not: 2^48 tries otherwise. */
int negative_parse(const uint8_t *data, size_t size)
{
    static const char way[] = "coloan";
    for (size_t i = 0; i < sizeof way - 1; i++) {
        if (i >= size || data[i] != (uint8_t)way[i]) {
            return (int)i;
        }
    }
    uint8_t *copy = malloc(size); /* the bug: no room for what a text of `size` characters needs */
    if (copy == NULL) {
        return -1;
    }
    memcpy(copy, data, size);
    copy[size] = '\0';
    int last = copy[size - 1];
    free(copy);
    return last;
}
