/* asking.h - a question answered by the sandbox's authorities without a network: written, answered and read as on the wire.
 *
 * By itself, as the sandbox and the domain each have something named `answer`. The people are borrowed; one thread. */
#ifndef COLOAN_TESTS_POPULATION_ASKING_H
#define COLOAN_TESTS_POPULATION_ASKING_H

#include "sandbox/history.h"
#include "sandbox/people.h"
#include "server/source/source.h"

/* What reading the answer came to; what it says is in the question. `history`: of what was asked before; NULL: everything
 * is asked for the first time. */
enum source_failure asking_answer(struct source_question *question, const struct people *people,
                                  struct history *history, int64_t now_ms);

#endif
