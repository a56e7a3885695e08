/* cli: help, mistakes and exit statuses of the command line, and everything it does without a centre. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/command.h"

static char folder[64];
static struct command_said said;

/* Runs one command line: words between blanks. */
static enum cli_exit run(const char *line)
{
    return command_run(&said, line);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int begin(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/coloan-cli-XXXXXX");
    (void)unsetenv("COLOAN_PROFILE");
    (void)setenv("LC_ALL", "C.UTF-8", 1);
    return mkdtemp(folder) == NULL ? -1 : chdir(folder);
}

static int end(void **state)
{
    (void)state;
    static const char *const names[] = {"fund.key",  "alpha.key",  "directory.key", "directory.pem", "directory.bin",
                                        "other.key", "p.yaml",     "a.json",        "bad.key",       "ca.pem",
                                        "fund.json", "alpha.json", "other.json",    "fund-y.json",   "next.bin"};
    command_forget(&said);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)unlink(names[i]);
    }
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

/* -- Help and mistakes ---------------------------------------------------------------------------------------- */

static void every_command_has_help(void **state)
{
    (void)state;
    assert_int_equal(run(""), CLI_USAGE);
    assert_int_equal(run("--help"), CLI_DONE);
    assert_int_equal(run("help"), CLI_DONE);
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        char line[64];
        assert_non_null(strstr(said.out, "exit status"));
        (void)snprintf(line, sizeof line, "%s --help", command->name);
        assert_int_equal(run(line), CLI_DONE);
        assert_true(strncmp(said.out, "usage: coloan ", 14) == 0);
        assert_non_null(strstr(said.out, command->help));
        assert_non_null(strstr(command->help, "\n  coloan ")); /* an example */
        assert_string_equal(said.err, "");
        (void)snprintf(line, sizeof line, "help %s", command->name);
        assert_int_equal(run(line), CLI_DONE);
        assert_int_equal(run("--help"), CLI_DONE);
        assert_non_null(strstr(said.out, command->summary));
    }
}

static void mistakes_are_explained(void **state)
{
    (void)state;
    static const struct {
        const char *line, *error;
    } rows[] = {
        {"lits", "there is no command `lits`"},
        {"help lits", "there is no command `lits`"},
        {"list --colour", "--colour is not an option of this command"},
        {"list --out x", "is not an option of this command"},
        {"list --count", "needs a value"},
        {"list --count 0", "--count: found \"0\", expected a number from 1 to 1000"},
        {"list --count 1001", "from 1 to 1000"},
        {"list --count 9x", "from 1 to 1000"},
        {"list --state NOWHERE", "there is no state NOWHERE"},
        {"list --lang fr", "expected zh or en"},
        {"list extra", "usage: coloan list"},
        {"list", "no profile"},
        {"list --profile none.yaml", "none.yaml: cannot be opened"},
        {"show", "usage: coloan show APPLICATION"},
        {"decide A maybe", "`maybe` is not a decision"},
        {"submit none.json", "none.json cannot be read: No such file"},
        {"submit /", "cannot be read"},
        {"supplement A", "usage: coloan supplement APPLICATION FILE|-"},
        {"supplement A none.json", "none.json cannot be read: No such file"},
        {"change-bank A", "usage: coloan change-bank APPLICATION FILE|-"},
        {"change-bank A none.json", "none.json cannot be read: No such file"},
        {"confirm A", "usage: coloan confirm APPLICATION VERSION"},
        {"confirm A 1", "what the borrower signed is missing"},
        {"confirm A 0 --document /", "`0` is not an offer's version"},
        {"confirm A -1 --document /", "is not an option of this command"},
        {"confirm A 1x --document /", "`1x` is not an offer's version"},
        {"confirm A 4294967296 --document /", "`4294967296` is not an offer's version"},
        {"confirm A 99999999999999999999 --document /", "is not an offer's version"},
        {"confirm A 4294967295 --document none.pdf", "none.pdf cannot be read: No such file"},
        {"confirm A 1 --document /", "/ cannot be read, or is empty"},
        {"confirm A 1 --document /dev/null", "/dev/null cannot be read, or is empty"},
        {"choose-rules A R", "what the borrower signed is missing"},
        {"choose-rules A R --document none.pdf", "none.pdf cannot be read: No such file"},
        {"upload A", "usage: coloan upload APPLICATION FILE"},
        {"upload A none.pdf", "none.pdf cannot be opened"},
        {"upload A /", "/ cannot be read"},
        {"upload A /dev/null", "a document has 1 byte to 32 MiB"},
        {"upload A /dev/zero", "a document has 1 byte to 32 MiB"},
        {"withdraw", "usage: coloan withdraw APPLICATION"},
        {"withdraw A --reason X", "no profile"},
        {"timeline", "usage: coloan timeline APPLICATION"},
        {"timeline A", "no profile"},
        {"decode none.bin", "cannot be read"},
        {"verify none.bin", "cannot be read"},
        {"keys", "usage: coloan keys"},
        {"keys burn", "there is no `keys burn`"},
        {"keys generate", "usage: coloan keys generate FILE"},
        {"keys show", "usage: coloan keys show FILE"},
        {"keys issue --environment test", "issue needs --environment, --number, --directory-key, --out"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        enum cli_exit code = run(rows[i].line);
        if (code != CLI_USAGE || strstr(said.err, rows[i].error) == NULL || strncmp(said.err, "coloan: ", 8) != 0) {
            fail_msg("%s: %d: %s", rows[i].line, (int)code, said.err);
        }
        assert_string_equal(said.out, "");
    }
}

/* -- Keys ----------------------------------------------------------------------------------------------------- */

static void make_keys(void)
{
    assert_int_equal(run("keys generate fund.key"), CLI_DONE);
    assert_int_equal(run("keys generate alpha.key"), CLI_DONE);
    assert_int_equal(run("keys generate other.key"), CLI_DONE);
    assert_int_equal(run("keys generate directory.key --json"), CLI_DONE);
}

static void a_key_is_made_once_and_shown(void **state)
{
    (void)state;
    struct stat about;
    char made[256];
    assert_int_equal(run("keys generate fund.key --json"), CLI_DONE);
    (void)snprintf(made, sizeof made, "%s", said.out);
    assert_int_equal(strlen(made), strlen("{\"publicKey\":\"\",\"keyid\":\"\"}\n") + 64 + 32);
    assert_int_equal(stat("fund.key", &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(run("keys generate fund.key"), CLI_USAGE);
    assert_non_null(strstr(said.err, "never written over"));
    assert_int_equal(run("keys show fund.key --json"), CLI_DONE);
    assert_string_equal(said.out, made);
    assert_int_equal(chmod("fund.key", 0644), 0);
    assert_int_equal(run("keys show fund.key"), CLI_USAGE);
    assert_non_null(strstr(said.err, "mode 0600"));
    write_file("bad.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    assert_int_equal(chmod("bad.key", 0600), 0);
    assert_int_equal(run("keys show bad.key"), CLI_USAGE);
}

#define ISSUE "keys issue --environment test --number 3 --directory-key directory.key --out directory.bin "
#define NEXT  "keys issue --directory directory.bin --directory-key directory.key --out next.bin "
#define PROVE "keys prove %s.key --party %s --environment test --out %s.json"

static void prove(const char *name, const char *party)
{
    char line[256];
    (void)snprintf(line, sizeof line, PROVE, name, party, name);
    assert_int_equal(run(line), CLI_DONE);
}

/* Keys and their requests; `public_key` is the directory key's. */
static void make_requests(char public_key[65])
{
    make_keys();
    (void)snprintf(public_key, 65, "%s", strstr(said.out, ":\"") + 2);
    prove("fund", "fund:cn-x");
    prove("alpha", "bank:cn-alpha-js");
    prove("other", "bank:cn-beta-js");
}

static void a_request_holds_public_halves_only(void **state)
{
    (void)state;
    char public_key[65];
    make_requests(public_key);
    assert_int_equal(run("keys show alpha.key --json"), CLI_DONE);
    char *shown = strdup(said.out);
    FILE *file = fopen("alpha.json", "r");
    char text[2048] = "";
    assert_non_null(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    assert_int_equal(fclose(file), 0);
    assert_non_null(strstr(text, "\"party\": \"bank:cn-alpha-js\""));
    assert_non_null(strstr(text, "\"possession\""));
    assert_null(strstr(text, "PRIVATE"));
    prove("alpha", "bank:cn-alpha-js");
    assert_int_equal(run("keys prove alpha.key --party bank:cn-alpha-js --environment test --out alpha.json --json"),
                     CLI_DONE);
    assert_string_equal(said.out, shown);
    free(shown);
}

static void a_directory_is_issued_and_judged(void **state)
{
    (void)state;
    char public_key[65];
    char line[256];
    make_requests(public_key);
    assert_int_equal(run(ISSUE "fund.json alpha.json"), CLI_DONE);
    assert_non_null(strstr(said.out, "directory 3 of fund:cn-x for test, 2 keys"));
    assert_int_equal(run("keys show directory.bin"), CLI_DONE);
    assert_non_null(strstr(said.out, "not looked at"));
    assert_non_null(strstr(said.out, "bank:cn-alpha-js"));
    (void)snprintf(line, sizeof line, "keys show directory.bin --directory-key %s", public_key);
    assert_int_equal(run(line), CLI_DONE);
    assert_non_null(strstr(said.out, "verified"));
    line[strlen(line) - 1] = line[strlen(line) - 1] == '0' ? '1' : '0';
    assert_int_not_equal(run(line), CLI_DONE);
    assert_int_equal(run("decode directory.bin"), CLI_DONE);
    assert_non_null(strstr(said.out, "\"body\":{\"number\":\"3\",\"environment\":\"test\""));
    assert_int_equal(run("verify directory.bin --directory directory.bin"), CLI_USAGE);
    (void)snprintf(line, sizeof line,
                   "verify directory.bin --directory directory.bin --directory-key p.yaml --centre fund:cn-x "
                   "--environment test");
    write_file("p.yaml", public_key);
    assert_int_equal(run(line), CLI_FAILED);
    assert_non_null(strstr(said.err, "does not verify"));
}

/* The key id of a private key's file. */
static const char *keyid_of(const char *name)
{
    static char keyid[33];
    char line[64];
    (void)snprintf(line, sizeof line, "keys show %s --json", name);
    assert_int_equal(run(line), CLI_DONE);
    (void)snprintf(keyid, sizeof keyid, "%.32s", strstr(said.out, "\"keyid\":\"") + strlen("\"keyid\":\""));
    return keyid;
}

static void each_directory_follows_the_one_before(void **state)
{
    (void)state;
    static const struct {
        const char *command, *key, *more, *status;
    } rows[] = {
        {"retire", "alpha.key", "", "RETIRED"},
        {"compromise", "alpha.key", "", "COMPROMISED"},
        {"compromise", "alpha.key", "--since 2026-01-01", "COMPROMISED"},
    };
    char public_key[65];
    char line[256];
    make_requests(public_key);
    assert_int_equal(run(ISSUE "fund.json alpha.json"), CLI_DONE);
    assert_int_equal(run(NEXT "other.json"), CLI_DONE);
    assert_non_null(strstr(said.out, "directory 4 of fund:cn-x for test, 3 keys"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)snprintf(line, sizeof line,
                       "keys %s %s %s --directory directory.bin --directory-key directory.key --out next.bin",
                       rows[i].command, keyid_of(rows[i].key), rows[i].more);
        assert_int_equal(run(line), CLI_DONE);
        assert_non_null(strstr(said.out, "directory 4 of fund:cn-x for test, 2 keys"));
        assert_int_equal(run("keys show next.bin"), CLI_DONE);
        assert_non_null(strstr(said.out, rows[i].status));
    }
}

static void a_bad_issue_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *error;
        enum cli_exit code;
    } rows[] = {
        {ISSUE "alpha.json", "no fund centre among the parties", CLI_USAGE},
        {ISSUE "fund.json fund-y.json", "several fund centres", CLI_USAGE},
        {ISSUE "none.json", "none.json cannot be read", CLI_USAGE},
        {ISSUE "directory.key", "directory.key: ", CLI_USAGE},
        {ISSUE "--valid-days 0 fund.json", "from 1 to 3650", CLI_USAGE},
        {ISSUE "--centre bank:cn-x fund.json", "no fund centre", CLI_USAGE},
        {ISSUE "--centre fund:cn-x fund.json a.json", "a rotation follows a directory", CLI_USAGE},
        {ISSUE "fund.json alpha.json alpha.json", "KEY_KNOWN", CLI_FAILED},
        {"keys issue --environment nowhere --number 1 --directory-key directory.key --out directory.bin f",
         "--environment: `nowhere` is none", CLI_USAGE},
        {"keys issue --environment prod --number 1 --directory-key directory.key --out directory.bin fund.json",
         "ENVIRONMENT_WRONG", CLI_FAILED},
        {"keys prove alpha.key --party alpha --environment test --out x", "is not a party id", CLI_USAGE},
        {"keys prove alpha.key --party bank:cn-a --environment live --out x", "--environment: `live` is none",
         CLI_USAGE},
        {"keys prove alpha.key --party bank:cn-a --environment test", "prove needs", CLI_USAGE},
        {"keys prove none.key --party bank:cn-a --environment test --out x", "key's file is missing", CLI_USAGE},
        {"keys rotate", "usage: coloan keys rotate NEWKEY", CLI_USAGE},
        {"keys retire", "retire needs one KEYID", CLI_USAGE},
        {"keys compromise 00", "compromise needs --directory, --directory-key and --out", CLI_USAGE},
    };
    char public_key[65];
    make_requests(public_key);
    assert_int_equal(run("keys prove other.key --party fund:cn-y --environment test --out fund-y.json"), CLI_DONE);
    write_file("a.json", "not a request");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (run(rows[i].line) != rows[i].code || strstr(said.err, rows[i].error) == NULL) {
            fail_msg("%s: %s", rows[i].line, said.err);
        }
    }
    assert_int_not_equal(access("directory.bin", F_OK), 0);
}

static void a_bad_successor_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *line, *error;
        enum cli_exit code;
    } rows[] = {
        {NEXT "fund.json", "KEY_KNOWN", CLI_FAILED},
        {NEXT "--number 9 other.json", "follow from --directory", CLI_USAGE},
        {NEXT "--environment test other.json", "follow from --directory", CLI_USAGE},
        {NEXT "a.json", "a.json: ", CLI_FAILED},
        {"keys issue --directory alpha.json --directory-key directory.key --out next.bin", "is no key directory",
         CLI_USAGE},
        {"keys issue --directory directory.bin --directory-key alpha.key --out next.bin other.json", "KEY_UNKNOWN",
         CLI_FAILED},
        {"keys retire 0123 --directory directory.bin --directory-key directory.key --out next.bin", "KEY_UNKNOWN",
         CLI_FAILED},
        {"keys retire 0123 --since 2026-01-01 --directory directory.bin --directory-key directory.key --out next.bin",
         "--since belongs to compromise", CLI_USAGE},
        {"keys compromise 0123 --since 2999-01-01 --directory directory.bin --directory-key directory.key --out "
         "next.bin",
         "--since: expected a day until today", CLI_USAGE},
        {"keys compromise 0123 --since 2026-02-30 --directory directory.bin --directory-key directory.key --out "
         "next.bin",
         "--since: expected a day until today", CLI_USAGE},
        {"keys compromise 0123 --since 2026-01-01x --directory directory.bin --directory-key directory.key --out "
         "next.bin",
         "--since: expected a day until today", CLI_USAGE},
    };
    char public_key[65];
    make_requests(public_key);
    write_file("a.json", "not a request");
    assert_int_equal(run(ISSUE "fund.json alpha.json"), CLI_DONE);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (run(rows[i].line) != rows[i].code || strstr(said.err, rows[i].error) == NULL) {
            fail_msg("%s: %s", rows[i].line, said.err);
        }
    }
    assert_int_not_equal(access("next.bin", F_OK), 0);
}

/* -- Profiles ------------------------------------------------------------------------------------------------- */

static void write_profile(const char *field, const char *value, const char *public_key)
{
    static const char *const fields[][2] = {
        {"target", "127.0.0.1:1"},    {"ca", "ca.pem"},
        {"certificate", "ca.pem"},    {"key", "ca.pem"},
        {"signing_key", "alpha.key"}, {"directory", "directory.bin"},
        {"directory_key", NULL},      {"party", "bank:cn-alpha-js"},
        {"centre", "fund:cn-x"},      {"environment", "test"},
    };
    FILE *file = fopen("p.yaml", "w");
    assert_non_null(file);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const char *text = fields[i][1] == NULL ? public_key : fields[i][1];
        text = strcmp(field, fields[i][0]) == 0 ? value : text;
        if (text != NULL) {
            assert_true(fprintf(file, "%s: %s\n", fields[i][0], text) > 0);
        }
    }
    assert_int_equal(fclose(file), 0);
}

static void a_profile_is_checked_field_by_field(void **state)
{
    (void)state;
    static const struct {
        const char *field, *value, *error;
    } rows[] = {
        {"target", NULL, "`target` is missing"},
        {"ca", "none.pem", "p.yaml:2: ca: "},
        {"signing_key", "ca.pem", "p.yaml:5: signing_key: "},
        {"directory", "ca.pem", "p.yaml:6: directory: "},
        {"directory_key", "ca.pem", "is not an Ed25519 public key in PEM"},
        {"directory_key", "0000000000000000000000000000000000000000000000000000000000000000", "directory_key: "},
        {"party", "alpha", "p.yaml:8: party: this is not a party id"},
        {"centre", "bank:cn-x", "this is not the id of a fund centre"},
        {"centre", "fund:cn-y", "is not a key directory of fund:cn-y for test"},
        {"environment", "prod", "is not a key directory of fund:cn-x for prod"},
        {"environment", "live", "expected prod, test or conf/<run>"},
    };
    char public_key[65];
    make_requests(public_key);
    assert_int_equal(run(ISSUE "fund.json alpha.json"), CLI_DONE);
    write_file("ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_profile(rows[i].field, rows[i].value, public_key);
        enum cli_exit code = run("ping --profile p.yaml");
        if (code != CLI_USAGE || strstr(said.err, rows[i].error) == NULL) {
            fail_msg("%s %s: %d: %s", rows[i].field, rows[i].value, (int)code, said.err);
        }
    }
    write_profile("", NULL, public_key);
    assert_int_not_equal(run("ping --profile p.yaml --timeout 1"), CLI_DONE); /* no certificate: no way there */
    assert_int_equal(setenv("COLOAN_PROFILE", "none.yaml", 1), 0);
    assert_int_equal(run("ping"), CLI_USAGE);
    assert_non_null(strstr(said.err, "none.yaml"));
    assert_int_equal(unsetenv("COLOAN_PROFILE"), 0);
}

/* -- Submissions ---------------------------------------------------------------------------------------------- */

static void a_bad_submission_is_not_sent(void **state)
{
    (void)state;
    static const struct {
        const char *json, *error;
    } rows[] = {
        {"", "this is not JSON"},
        {"[]", "found a list, expected an object"},
        {"{}", "`application` is missing"},
        {"{\"application\": {}}", "`personal` is missing"},
        {"{\"application\": {}, \"personal\": {}, \"more\": 1}", "`more` has no meaning here"},
        {"{\"application\": {\"colour\": 1}, \"personal\": {}}", "application: colour: Application has no such field"},
        {"{\"application\": {}, \"personal\": []}", "personal: found a list"},
        {"{\"application\": {}, \"personal\": {\"persons[0].name\": \"x\"}}", "`persons[0].name` is not a personal"},
        {"{\"application\": {\"persons\": [{}]}, \"personal\": {\"persons[1].name\": \"x\"}}", "is not a personal"},
        {"{\"application\": {\"persons\": [{}]}, \"personal\": {\"persons[0].role\": \"x\"}}", "is not a personal"},
        {"{\"application\": {\"persons\": [{}]}, \"personal\": {\"persons[0].name\": 5}}", "must be a text of 1 to"},
        {"{\"application\": {\"persons\": [{}]}, \"personal\": {\"persons[0].name\": \"\"}}", "must be a text of 1 to"},
        {"{\"application\": {\"persons\": [{\"name\": \"AAEC\"}]}, \"personal\": {\"persons[0].name\": \"x\"}}",
         "has a commitment already"},
        {"{\"application\": {}, \"personal\": {\"home.address\": \"x\"}}", "is not a personal"},
        {"{\"application\": {\"persons\": [{}], \"home\": {}}, \"personal\": {\"persons[0].name\": \"SECRET\", "
         "\"home.address\": \"SECRET\"}}",
         "no profile"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_file("a.json", rows[i].json);
        enum cli_exit code = run("submit a.json");
        if (code != CLI_USAGE || strstr(said.err, rows[i].error) == NULL || strstr(said.err, "SECRET") != NULL) {
            fail_msg("%s: %d: %s", rows[i].json, (int)code, said.err);
        }
    }
}

/* The same reader as for a submission; that it is used shows in the file's first mistake. */
static void a_bad_supplement_or_change_of_bank_is_not_sent(void **state)
{
    (void)state;
    static const struct {
        const char *line, *json, *error;
    } rows[] = {
        {"supplement A a.json", "{\"application\": {}}", "a.json: `personal` is missing"},
        {"supplement A a.json",
         "{\"application\": {\"persons\": [{}]}, \"personal\": {\"persons[0].name\": \"SECRET\"}}", "no profile"},
        {"change-bank A a.json", "", "this is not JSON"},
        {"change-bank A a.json", "{\"application\": {}}", "application: BankChange has no such field"},
        {"change-bank A a.json", "{\"bank\": \"bank:cn-beta-js\", \"bankEpoch\": 1}", "bankEpoch is given"},
        {"change-bank A a.json", "{\"bank\": \"bank:cn-beta-js\"}", "no profile"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_file("a.json", rows[i].json);
        enum cli_exit code = run(rows[i].line);
        if (code != CLI_USAGE || strstr(said.err, rows[i].error) == NULL || strstr(said.err, "SECRET") != NULL) {
            fail_msg("%s: %d: %s", rows[i].json, (int)code, said.err);
        }
    }
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(every_command_has_help),
        ONE(mistakes_are_explained),
        ONE(a_key_is_made_once_and_shown),
        ONE(a_directory_is_issued_and_judged),
        ONE(a_bad_issue_is_refused),
        ONE(a_profile_is_checked_field_by_field),
        ONE(a_bad_submission_is_not_sent),
        ONE(a_request_holds_public_halves_only),
        ONE(each_directory_follows_the_one_before),
        ONE(a_bad_successor_is_refused),
        ONE(a_bad_supplement_or_change_of_bank_is_not_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
