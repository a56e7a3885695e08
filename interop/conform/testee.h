/* testee.h - a program that answers on its standard output what it is asked on its standard input
 * (proto/coloan/conform/v1/testee.proto).
 *
 * A testee that ends, says nothing in time, or says what is no answer is ended and begun anew with the next question: a
 * crash costs one case. Its standard error is the suite's.
 *
 * Owner: whoever created it. One thread. Fails: see conform_testee_ask. */
#ifndef COLOAN_CONFORM_TESTEE_H
#define COLOAN_CONFORM_TESTEE_H

#include <coloan/conform/v1/testee.pb-c.h>

#include "libcoloan/arena.h"

/* The largest envelope is 256 KiB; a directory may be as large. */
#define CONFORM_FRAME_BYTES_MAX (1024 * 1024)
#define CONFORM_TROUBLE_BYTES   160
#define CONFORM_NOT_IMPLEMENTED 89 /* the testee's status when it knows nothing of this */

enum conform_heard {
    CONFORM_ANSWERED,
    CONFORM_UNKNOWN_HERE, /* it ended with CONFORM_NOT_IMPLEMENTED before it answered anything */
    CONFORM_NO_TESTEE,    /* it cannot be started */
    CONFORM_TROUBLED,     /* it crashed, or was silent, or spoke otherwise */
};

struct conform_testee;

/* `command` is for the shell, and is not started yet. NULL: no memory. */
struct conform_testee *conform_testee_create(const char *command, int64_t answer_ms);
void conform_testee_free(struct conform_testee *testee); /* NULL is fine; ends the program */

/* The answer lives in the arena. `trouble` says what happened unless it answered. */
enum conform_heard conform_testee_ask(const Coloan__Conform__V1__Answer **out, struct conform_testee *testee,
                                      struct cl_arena *arena, Coloan__Conform__V1__Question *question,
                                      char trouble[CONFORM_TROUBLE_BYTES]);

#endif
