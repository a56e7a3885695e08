/* A target that must crash: `./dev fuzz` fails when it does not, because then no other result means anything. */
#include <stddef.h>
#include <stdint.h>

#include "tests/fuzz/negative.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)negative_parse(data, size);
    return 0;
}
