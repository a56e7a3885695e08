/* negative.h - a parser with a planted bug, in a library of its own: only a fuzzer that sees coverage inside libraries
 * gets to the bug within a minute. Shows that the fuzzer works; see fuzz_negative.c. */
#ifndef COLOAN_TESTS_FUZZ_NEGATIVE_H
#define COLOAN_TESTS_FUZZ_NEGATIVE_H

#include <stddef.h>
#include <stdint.h>

int negative_parse(const uint8_t *data, size_t size);

#endif
