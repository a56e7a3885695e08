/* outcome.h - what a case can come to, and what a run of many then says to whoever called the program.
 *
 * Values only; any thread; cannot fail. */
#ifndef COLOAN_CONFORM_OUTCOME_H
#define COLOAN_CONFORM_OUTCOME_H

#include <stdbool.h>
#include <stddef.h>

enum conform_outcome {
    CONFORM_NOT_RUN, /* what comes before it failed */
    CONFORM_PASS,
    CONFORM_FAIL,          /* of a MUST */
    CONFORM_WARN,          /* the same of a SHOULD */
    CONFORM_UNSUPPORTED,   /* the testee says that it has no such thing */
    CONFORM_XFAIL,         /* fails, as was announced */
    CONFORM_XPASS,         /* was announced to fail, and passes: the announcement has to go */
    CONFORM_CONFIG_ERROR,  /* nothing can be said of the testee before something is set right */
    CONFORM_HARNESS_ERROR, /* nothing can be said, and it is the suite's fault */
    CONFORM_OUTCOMES
};

const char *conform_outcome_name(enum conform_outcome outcome); /* "PASS", ... */

/* Of a whole run; the program's status. */
enum conform_exit {
    CONFORM_EXIT_PASSED = 0, /* no FAIL and no XPASS */
    CONFORM_EXIT_FAILED = 1,
    CONFORM_EXIT_USAGE = 2,
    CONFORM_EXIT_CONFIG = 3,
    CONFORM_EXIT_HARNESS = 4,
};

/* Of a run with so many of each: what is worst decides. */
enum conform_exit conform_exit_of(const size_t counts[CONFORM_OUTCOMES]);

#endif
