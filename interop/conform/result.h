/* result.h - what became of one case, and of all of them together: the one thing that every report is made from.
 *
 * Owner: whoever runs the cases; plain values and borrowed texts. Cannot fail. */
#ifndef COLOAN_CONFORM_RESULT_H
#define COLOAN_CONFORM_RESULT_H

#include <stdint.h>
#include <stdio.h>

#include "interop/conform/outcome.h"
#include "interop/conform/suite.h"

/* Enough to see where bytes part; whole vectors are in their files. */
#define CONFORM_SEEN_BYTES  200
#define CONFORM_CAUSE_BYTES 200

struct conform_result {
    const struct conform_case *one;
    enum conform_outcome outcome;
    /* Of what did not pass. */
    const char *part; /* which of several values, "digest"; "": there is one only */
    char expected[CONFORM_SEEN_BYTES], actual[CONFORM_SEEN_BYTES];
    int64_t differs_at;              /* the first byte that does, from 0; -1: no bytes were compared */
    char cause[CONFORM_CAUSE_BYTES]; /* a likely one, in English; "": see the reason's own text */
    int64_t took_us;
};

struct conform_run {
    const char *mode; /* "vectors" */
    const char *testee;
    int64_t began_ms; /* Unix */
    int64_t took_ms;
    const struct conform_result *results;
    size_t count;
};

/* So many of each. */
void conform_run_count(size_t counts[CONFORM_OUTCOMES], const struct conform_run *run);

#endif
