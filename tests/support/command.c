#include "tests/support/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 1024, ARGUMENTS_MAX = 24 };

void command_forget(struct command_said *said)
{
    free(said->out);
    free(said->err);
    *said = (struct command_said){.out = NULL};
}

enum cli_exit command_run(struct command_said *said, const char *line)
{
    char copy[LINE_BYTES];
    char *arguments[ARGUMENTS_MAX + 1] = {NULL};
    int count = 0;
    size_t out_len = 0;
    size_t err_len = 0;
    int len = snprintf(copy, sizeof copy, "coloan %s", line);
    assert_true(len > 0 && len < LINE_BYTES);
    command_forget(said);
    FILE *out = open_memstream(&said->out, &out_len);
    FILE *err = open_memstream(&said->err, &err_len);
    assert_true(out != NULL && err != NULL);
    char *rest = copy;
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        assert_true(count < ARGUMENTS_MAX);
        arguments[count++] = word;
    }
    enum cli_exit code = cli_main(count, arguments, out, err);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(fclose(err), 0);
    return code;
}
