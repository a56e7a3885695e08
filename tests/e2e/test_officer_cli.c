/* An officer's and a second officer's day on the command line, against a whole centre: in English, Chinese and JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include <coloan/v1/verification.pb-c.h>

#include "tests/e2e/world.h"
#include "tests/support/command.h"

enum { ARENA_BYTES = 4 * 1024 * 1024, WAIT_MS = 10000, ID_BYTES = 37 };

static struct world world;
static struct cl_arena *arena;
static struct command_said said;
static char application[64], task[64];

/* -- The command line ---------------------------------------------------------------------------------------- */

static void write_text(const char *name, const char *text)
{
    FILE *file = fopen(pki_files_path(&world.files, name), "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void write_profile(const char *name, const char *party)
{
    char hex[2 * CL_PUBLIC_KEY_BYTES + 1];
    char text[1024];
    char file[32];
    cl_hex_encode(hex, cl_bytes(cl_signer_public_key(world.signers[WORLD_KEY_DIRECTORY])->bytes, CL_PUBLIC_KEY_BYTES));
    (void)snprintf(text, sizeof text,
                   "target: %s\nserver_name: localhost\nca: ca.pem\ncertificate: %s.pem\nkey: %s.key\n"
                   "signing_key: %s-sign.key\ndirectory: directory.bin\ndirectory_key: directory.hex\n"
                   "party: %s\ncentre: " WORLD_CENTRE "\nenvironment: test\n",
                   world_target(&world), name, name, name, party);
    write_text("directory.hex", hex);
    (void)snprintf(file, sizeof file, "%s.yaml", name);
    write_text(file, text);
}

/* Words between blanks, as that party ("officer"); NULL: as nobody. */
static enum cli_exit run(const char *party, const char *line)
{
    char whole[1024];
    char profile[32];
    (void)snprintf(profile, sizeof profile, "%s.yaml", party == NULL ? "" : party);
    bool offline = party == NULL;
    (void)snprintf(whole, sizeof whole, "%s%s%s", line, offline ? "" : " --profile ",
                   offline ? "" : pki_files_path(&world.files, profile));
    return command_run(&said, whole);
}

static void must(const char *party, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void must(const char *party, const char *format, ...)
{
    char line[512];
    va_list values;
    va_start(values, format);
    (void)vsnprintf(line, sizeof line, format, values);
    va_end(values);
    enum cli_exit code = run(party, line);
    if (code != CLI_DONE) {
        fail_msg("%s: %d %s", line, (int)code, said.err);
    }
}

static void assert_says(const char *what)
{
    if (strstr(said.out, what) == NULL) {
        fail_msg("no \"%s\" in:\n%s", what, said.out);
    }
}

static void assert_hides(const char *what)
{
    if (strstr(said.out, what) != NULL) {
        fail_msg("\"%s\" in:\n%s", what, said.out);
    }
}

/* -- A case that waits ---------------------------------------------------------------------------------------- */

static const ProtobufCMessage *call(struct cl_session *session, const struct cl_session_call *what)
{
    struct cl_answer answer;
    struct cl_status status = cl_session_call(&answer, session, arena, what, (struct cl_patience){.total_ms = WAIT_MS});
    assert_string_equal(cl_status_name(status), "OK");
    return answer.body;
}

/* P24: the loan history is garbage. */
static void make_case(void)
{
    struct cl_session *alpha = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    struct world_submission submission;
    const json_t *persona = people_find(world.people, "P24");
    world_submission(&submission, arena, persona, WORLD_ALPHA, "P24");
    struct cl_session_call submits = world_submit_call(&submission);
    const Coloan__V1__ApplicationReceipt *receipt = (const Coloan__V1__ApplicationReceipt *)call(alpha, &submits);
    (void)snprintf(application, sizeof application, "%s", receipt->application_id);
    struct cl_session_call reports = {
        .method = "coloan.v1.JointApproval/ReportVerifications",
        .body = &world_bank_report(arena, persona)->base,
        .reply_type = &coloan__v1__application_status__descriptor,
        .application_id = application,
    };
    (void)call(alpha, &reports);
    cl_session_free(alpha);
}

static void test_what_waits_is_listed(void **state)
{
    (void)state;
    const struct timespec pause = {.tv_nsec = 50000000};
    make_case();
    for (int tries = 0; tries < 200; tries++) {
        must("officer", "tasks --kind ITEM --lang en");
        if (strstr(said.out, "LOAN_HISTORY") != NULL) {
            break;
        }
        (void)nanosleep(&pause, NULL);
    }
    assert_says("SYS-SOURCE");
    (void)snprintf(task, sizeof task, "%.36s", said.out);
    must("officer", "tasks --mine");
    assert_string_equal(said.out, "");
    must("officer", "tasks %s --json", application);
    assert_says("\"kind\":\"TASK_KIND_ITEM\"");
    must("officer", "tasks --kind OVERRIDE");
    assert_string_equal(said.out, "");
    assert_int_equal(run("officer", "tasks --kind ANY"), CLI_USAGE);
    assert_non_null(strstr(said.err, "there is no kind ANY"));
}

static void test_a_task_is_shown_without_and_with_values(void **state)
{
    (void)state;
    must("officer", "task %s --lang en", task);
    assert_says("why a person       SYS-SOURCE");
    assert_says("persons[0].id_number");
    assert_says("The application is accepted");
    assert_hides("99010119961024171X");
    must("officer", "task %s --personal --lang zh", task);
    assert_says("99010119961024171X");
    assert_says("转人工原因");
    assert_says("核验来源未给出可用结果");
    must("officer", "task %s --json", task);
    assert_says("\"submissionEnvelope\":");
    assert_hides("99010119961024171X");
    assert_int_equal(run("officer", "task 01890a5d-ac96-774b-bcce-b302099a8057 --lang en"), CLI_FAILED);
    assert_non_null(strstr(said.err, "TASK_UNKNOWN"));
}

static void test_a_claimed_task_is_settled(void **state)
{
    (void)state;
    char line[256];
    (void)snprintf(line, sizeof line, "settle %s pass loans_used=0 loans_open=0 --note SRC-DESK --lang en", task);
    assert_int_equal(run("officer", line), CLI_FAILED);
    assert_non_null(strstr(said.err, "TASK_NOT_CLAIMED"));
    must("officer", "claim %s --lang zh", task);
    assert_says("认领人");
    must("officer", "release %s", task);
    must("officer", "claim %s --lang en", task);
    assert_says("claimed by         " WORLD_OFFICER);
    must("officer", "tasks --mine --lang en");
    assert_says(WORLD_OFFICER);
    must("officer", "tasks --unclaimed");
    assert_string_equal(said.out, "");
    write_text("letter.txt", "proof\n");
    must("officer", "settle %s fail --failure NOT_AUTHORISED --document %s --lang en", task,
         pki_files_path(&world.files, "letter.txt"));
    assert_says("SUPPLEMENT");
    assert_says("AUT-CONSENT");
}

static void test_two_officers_override(void **state)
{
    (void)state;
    char line[256];
    (void)snprintf(line, sizeof line, "override %s confirm LOAN_HISTORY --lang en", application);
    assert_int_equal(run("second", line), CLI_FAILED);
    assert_non_null(strstr(said.err, "nothing is proposed"));
    must("officer", "override %s propose LOAN_HISTORY pass loans_used=0 loans_open=0 --note SRC-LETTER --lang en",
         application);
    assert_says("PROPOSED");
    assert_says("loans_open=0");
    assert_int_equal(run("officer", line), CLI_FAILED);
    assert_non_null(strstr(said.err, "FOUR_EYES"));
    must("officer", "override %s withdraw LOAN_HISTORY --lang zh", application);
    assert_says("已撤回");
    must("officer", "override %s propose LOAN_HISTORY pass loans_used=0 loans_open=0 --note SRC-LETTER", application);
    must("second", "override %s confirm LOAN_HISTORY --lang en", application);
    assert_says("CONFIRMED");
    assert_says("OFFERED");
    must("officer", "task %s --lang en", task);
    assert_says("SETTLED");
    assert_says("NOT_AUTHORISED");
    assert_says("The authority said so in a letter.");
}

static void test_a_decision_and_the_counters(void **state)
{
    (void)state;
    char path[128];
    struct stat about;
    (void)snprintf(path, sizeof path, "%s", pki_files_path(&world.files, "decision.bin"));
    must("second", "decision %s --out %s --lang en", application, path);
    assert_says("APPROVE");
    assert_says("REF-NJ-2026-11");
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    must("second", "decision %s --number 1 --lang en", application);
    assert_says("MANUAL");
    must(NULL, "replay %s --rules " COLOAN_SOURCE_DIR "/rules/REF-NJ-2026-11.yaml --lang en", path);
    must(NULL, "explain %s --lang en", path);
    assert_says("AMT-CAP");
    must(NULL, "decode %s", path);
    assert_says("\"persons[0].id_number\"");
    assert_hides("99010119961024171X");
    char line[128];
    (void)snprintf(line, sizeof line, "decision %s --number 99 --lang en", application);
    assert_int_equal(run("second", line), CLI_FAILED);
    assert_non_null(strstr(said.err, "DECISION_UNKNOWN"));
    must("second", "counters --lang en");
    assert_says("CONFIRM");
    assert_says("SYS-SOURCE");
    must("second", "counters --json");
    assert_says("\"step\":\"OFFICER_STEP_CONFIRM\"");
}

/* What P24's bank was sent, as its officer and the bank itself see it; and a journal that parts from it. */
static void test_events_are_looked_at_and_steered(void **state)
{
    (void)state;
    char path[256];
    char digest[2 * CL_DIGEST_BYTES + 1];
    must("officer", "events list --bank " WORLD_ALPHA " --lang en");
    assert_says("APPLICATION");
    assert_says(application);
    must("alpha", "events list --pending --count 1 --json");
    assert_says("\"state\":\"DELIVERY_STATE_PENDING\"");
    const char *found = strstr(said.out, "\"digest\":\"");
    assert_non_null(found);
    must("officer", "events park 1 --bank " WORLD_ALPHA " --reason core-down");
    assert_says("core-down");
    must("alpha", "events show 1 --lang zh");
    assert_says("已搁置");
    assert_says(WORLD_OFFICER);
    must("alpha", "events unpark 1 1");
    (void)snprintf(path, sizeof path, "%s", pki_files_path(&world.files, "event.bin"));
    must("alpha", "events show 1 --keep %s", path);
    must(NULL, "decode %s", path);
    assert_says("EVENT_KIND_APPLICATION");
    assert_int_equal(run("officer", "events show 1"), CLI_FAILED); /* whose? */
    assert_int_equal(run("alpha", "events replay 99"), CLI_FAILED);
    assert_int_equal(run("alpha", "events show"), CLI_USAGE);
    assert_int_equal(run("alpha", "events frobnicate"), CLI_USAGE);

    memset(digest, 'a', sizeof digest - 1);
    digest[sizeof digest - 1] = '\0';
    char line[128];
    (void)snprintf(line, sizeof line, "1 %s\n", digest);
    write_text("held.txt", line);
    (void)snprintf(path, sizeof path, "events reconcile %s --lang en", pki_files_path(&world.files, "held.txt"));
    assert_int_equal(run("alpha", path), CLI_FAILED);
    assert_non_null(strstr(said.err, "event 1 is not the same"));
    write_text("held.txt", "");
    assert_int_equal(run("alpha", path), CLI_FAILED);
    assert_non_null(strstr(said.err, "event 1 is missing at the bank"));
    write_text("held.txt", "2 00\n");
    assert_int_equal(run("alpha", path), CLI_USAGE);
}

static void test_mistakes_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *line, *error;
    } rows[] = {
        {"settle T maybe", "expected pass or fail"},
        {"settle T pass --failure MISMATCH", "--failure goes with fail"},
        {"settle T fail", "--failure goes with fail"},
        {"settle T fail --failure NEVER", "--failure goes with fail"},
        {"settle T pass loans", "is no fact: expected NAME=NUMBER"},
        {"settle T pass loans=", "is no fact"},
        {"settle T pass loans=1x", "is no fact"},
        {"settle T pass --document none.pdf", "cannot be read"},
        {"override A change MARRIAGE", "expected propose, confirm or withdraw"},
        {"override A propose NOTHING pass", "there is no item NOTHING"},
        {"override A propose MARRIAGE", "propose needs pass or fail"},
        {"override A confirm MARRIAGE pass", "only propose takes pass"},
        {"override A confirm", "usage: coloan override"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum cli_exit code = run("officer", rows[i].line);
        if (code != CLI_USAGE || strstr(said.err, rows[i].error) == NULL) {
            fail_msg("%s: %d: %s", rows[i].line, (int)code, said.err);
        }
    }
}

int main(void)
{
    struct world_options options = {0};
    world_open(&world, &options);
    (void)setenv("LC_ALL", "C.UTF-8", 1);
    bool made = cl_is_ok(cl_arena_create(&arena, ARENA_BYTES));
    write_profile("officer", WORLD_OFFICER);
    write_profile("second", WORLD_SECOND);
    write_profile("alpha", WORLD_ALPHA);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_waits_is_listed),
        cmocka_unit_test(test_a_task_is_shown_without_and_with_values),
        cmocka_unit_test(test_a_claimed_task_is_settled),
        cmocka_unit_test(test_two_officers_override),
        cmocka_unit_test(test_a_decision_and_the_counters),
        cmocka_unit_test(test_events_are_looked_at_and_steered),
        cmocka_unit_test(test_mistakes_are_explained),
    };
    int failed = made ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    command_forget(&said);
    cl_arena_free(arena);
    world_close(&world);
    return failed;
}
