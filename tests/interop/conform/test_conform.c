/* The program itself: what it says, what it writes, and with which status it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/coloan-conform-XXXXXX";

/* The status; all it said is in `said`. */
static int run(char said[65536], const char *arguments)
{
    char command[4096];
    (void)snprintf(command, sizeof command, "NO_COLOR=1 LC_ALL=C.UTF-8 %s %s 2>&1", COLOAN_CONFORM, arguments);
    FILE *out = popen(command, "re"); /* the shell's own words are the arguments of a test */
    assert_non_null(out);
    size_t len = fread(said, 1, 65535, out);
    said[len] = '\0';
    int status = pclose(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void each_use_ends_as_it_should(void **state)
{
    (void)state;
    static const struct {
        const char *arguments;
        int status;
        const char *words;
    } rows[] = {
        {"--help", 0, "exit status: 0"},
        {"--version", 0, "coloan-conform 0"},
        {"", 2, "one of vectors, list and coverage is needed"},
        {"nonsense", 2, "`coloan-conform --help` has examples"},
        {"vectors", 2, "vectors needs --testee COMMAND"},
        {"vectors --nonsense", 2, "an option is wrong"},
        {"vectors --testee x --answer-ms 0", 2, "an option is wrong"},
        {"vectors --testee x --lang fr", 2, "an option is wrong"},
        {"vectors --testee x --rerun VEC-NONE-1", 2, "there is no case or profile 'VEC-NONE-1'"},
        {"list --profile batch", 0, "VEC-BAT-010"},
        {"list --lang zh", 0, "信封"},
        {"vectors --list --rerun VEC-ENV-001", 0, "envelope: one signature"},
        {"list --cases /nowhere", 3, "Name the folder of the cases with --cases"},
        {"vectors --testee x --vectors /nowhere", 3, "Name the folder of the golden vectors with --vectors"},
        {"vectors --testee " COLOAN_TESTEE, 0, "PASS          123"},
        {"vectors --testee " COLOAN_TESTEE " --known-to-fail VEC-ENV-001", 1, "XPASS         1"},
        {"vectors --testee '" COLOAN_LIAR " " COLOAN_TESTEE "' --rerun VEC-ENV-008", 1, "again       coloan-conform"},
        {"vectors --testee '" COLOAN_LIAR " " COLOAN_TESTEE "' --rerun VEC-ENV-008 --known-to-fail VEC-ENV-008", 0,
         "XFAIL         1"},
        {"vectors --testee 'exit 89'", 0, "UNSUPPORTED   123"},
        {"vectors --testee /nowhere/testee", 3, "NOT_RUN       122"},
        {"vectors --testee " COLOAN_TESTEE " --report /nowhere/reports", 4, "No such file"},
        {"coverage", 1, "requirements with MUST have a case"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static char said[65536];
        int status = run(said, rows[i].arguments);
        if (status != rows[i].status || strstr(said, rows[i].words) == NULL) {
            fail_msg("%s: %d: %s", rows[i].arguments, status, said);
        }
    }
}

static void all_reports_are_written(void **state)
{
    (void)state;
    static const char *const names[] = {"report.json", "report.xml", "report.md", "report.html"};
    static char said[65536];
    char text[512];
    (void)snprintf(text, sizeof text, "vectors --testee %s --report %s/reports", COLOAN_TESTEE, folder);
    assert_int_equal(run(said, text), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct stat info;
        (void)snprintf(text, sizeof text, "%s/reports/%s", folder, names[i]);
        assert_int_equal(stat(text, &info), 0);
        assert_true(info.st_size > 1000);
        assert_int_equal(unlink(text), 0);
    }
    (void)snprintf(text, sizeof text, "%s/reports", folder);
    assert_int_equal(rmdir(text), 0);
}

static void json_stands_alone(void **state)
{
    (void)state;
    static char said[65536];
    assert_int_equal(run(said, "vectors --json --rerun VEC-ENV-001 --testee " COLOAN_TESTEE), 0);
    assert_int_equal(said[0], '{');
    assert_non_null(strstr(said, "\"outcome\": \"PASS\""));
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_use_ends_as_it_should),
        cmocka_unit_test(all_reports_are_written),
        cmocka_unit_test(json_stands_alone),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
