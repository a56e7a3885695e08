/* Every case of the vectors passes for libcoloan, and sees a falsified answer; what happens to a testee costs one case. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "interop/conform/vectors.h"

enum { ARENA_BYTES = 16 * 1024 * 1024, ANSWER_MS = 20000 };

static struct conform_suite *suite;
static struct conform_vectors *vectors;
static struct cl_arena *arena;

static int set_up(void **state)
{
    (void)state;
    struct cl_setting_error error;
    (void)signal(SIGPIPE, SIG_IGN);
    bool loaded = cl_is_ok(cl_arena_create(&arena, ARENA_BYTES)) &&
                  cl_is_ok(conform_suite_load(&suite, COLOAN_SOURCE_DIR "/interop/conform/cases", &error)) &&
                  cl_is_ok(conform_vectors_load(&vectors, COLOAN_SOURCE_DIR "/interop/vectors", suite, &error));
    if (!loaded) {
        print_error("%s\n", error.text);
    }
    return loaded ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    conform_vectors_free(vectors);
    conform_suite_free(suite);
    cl_arena_free(arena);
    return 0;
}

/* Puts every case to one testee; all come to that. */
static void expect_all(const char *command, int64_t answer_ms, enum conform_outcome expected, const char *actual)
{
    struct conform_testee *testee = conform_testee_create(command, answer_ms);
    assert_non_null(testee);
    for (size_t i = 0; i < conform_suite_count(suite); i++) {
        struct conform_result result;
        const struct conform_case *one = conform_suite_case(suite, i);
        conform_vectors_run(&result, vectors, one, testee, arena);
        if (result.outcome != expected || strstr(result.actual, actual) == NULL) {
            fail_msg("%s: %s instead of %s: %s", one->id, conform_outcome_name(result.outcome),
                     conform_outcome_name(expected), result.actual);
        }
    }
    conform_testee_free(testee);
}

static void libcoloan_passes(void **state)
{
    (void)state;
    expect_all(COLOAN_TESTEE, ANSWER_MS, CONFORM_PASS, "");
}

static void each_false_answer_is_seen(void **state)
{
    (void)state;
    expect_all(COLOAN_LIAR " " COLOAN_TESTEE, ANSWER_MS, CONFORM_FAIL, "");
}

static void a_testee_that_knows_nothing_is_unsupported(void **state)
{
    (void)state;
    expect_all("exit 89", ANSWER_MS, CONFORM_UNSUPPORTED, "");
}

/* The first case of the suite, by a testee of that kind. */
static void what_happens_to_a_testee_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        int64_t answer_ms;
        enum conform_outcome outcome;
        const char *words;
    } rows[] = {
        {"exit 1", ANSWER_MS, CONFORM_FAIL, "it ended with status 1 instead of answering"},
        {"kill -SEGV $$", ANSWER_MS, CONFORM_FAIL, "it was ended by signal 11"},
        {"exec sleep 60", 100, CONFORM_FAIL, "it did not answer within 100 ms"},
        {"sleep 60 & wait", 100, CONFORM_FAIL, "it did not answer within 100 ms"},
        {"echo hello; cat >/dev/null", ANSWER_MS, CONFORM_FAIL, "begins with a length above 1 MiB"},
        {"printf '\\0\\0\\0\\4abcd'; cat >/dev/null", ANSWER_MS, CONFORM_FAIL, "is no message Answer"},
        {"printf '\\0\\0\\0\\2\\10\\7'; cat >/dev/null", ANSWER_MS, CONFORM_FAIL, "is to another question"},
        {"printf '\\0\\0\\0\\4\\10\\1\\20\\1'; cat >/dev/null", ANSWER_MS, CONFORM_UNSUPPORTED, ""},
        {"printf '\\0\\0\\0\\2\\10\\1'; cat >/dev/null", ANSWER_MS, CONFORM_FAIL, "nothing"},
        {"/nowhere/testee", ANSWER_MS, CONFORM_CONFIG_ERROR, ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct conform_result result;
        struct conform_testee *testee = conform_testee_create(rows[i].command, rows[i].answer_ms);
        conform_vectors_run(&result, vectors, conform_suite_case(suite, 0), testee, arena);
        if (result.outcome != rows[i].outcome || strstr(result.actual, rows[i].words) == NULL) {
            fail_msg("%s: %s: %s", rows[i].command, conform_outcome_name(result.outcome), result.actual);
        }
        conform_testee_free(testee);
    }
}

/* A life ends with its trouble; the next question begins another. */
static void a_crash_costs_one_case(void **state)
{
    (void)state;
    char command[1024];
    char flag[] = "/tmp/coloan-conform-XXXXXX";
    int fd = mkstemp(flag);
    assert_true(fd >= 0);
    (void)snprintf(command, sizeof command, "if [ -e %s ]; then rm %s; kill -KILL $$; fi; exec %s", flag, flag,
                   COLOAN_TESTEE);
    struct conform_testee *testee = conform_testee_create(command, ANSWER_MS);
    static const enum conform_outcome expected[] = {CONFORM_FAIL, CONFORM_PASS, CONFORM_PASS};
    for (size_t i = 0; i < 3; i++) {
        struct conform_result result;
        conform_vectors_run(&result, vectors, conform_suite_case(suite, i), testee, arena);
        assert_string_equal(conform_outcome_name(result.outcome), conform_outcome_name(expected[i]));
    }
    conform_testee_free(testee);
    (void)close(fd);
}

/* Vectors of other cases are refused, not judged. */
static void the_folder_has_to_fit(void **state)
{
    (void)state;
    struct conform_vectors *others = NULL;
    struct cl_setting_error error;
    assert_int_equal(conform_vectors_load(&others, "/nowhere", suite, &error).reason, CL_CONFIG_INVALID);
    assert_non_null(strstr(error.text, "--vectors"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(libcoloan_passes),
        cmocka_unit_test(each_false_answer_is_seen),
        cmocka_unit_test(a_testee_that_knows_nothing_is_unsupported),
        cmocka_unit_test(what_happens_to_a_testee_is_told),
        cmocka_unit_test(a_crash_costs_one_case),
        cmocka_unit_test(the_folder_has_to_fit),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
