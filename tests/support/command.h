/* command.h - a line of `coloan`, run in this process, and what it said.
 *
 * One thread. Aborts the test when the line cannot be run at all: that is not what is tested. */
#ifndef COLOAN_TESTS_COMMAND_H
#define COLOAN_TESTS_COMMAND_H

#include "client/cli.h"

struct command_said {
    char *out, *err; /* of the last line that was run; command_forget frees them */
};

/* Runs "coloan <line>": words between blanks. What the line before said is freed. */
enum cli_exit command_run(struct command_said *said, const char *line);

void command_forget(struct command_said *said);

#endif
