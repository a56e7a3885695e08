/* What the borrower's side says, by the command line, to a whole centre, with two bank cores at work: a case goes to
 * another bank and back, is mended, confirmed, given up; each bank decides anew, and forgets what is no longer its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <jansson.h>

#include "client/bank/bank.h"
#include "sandbox/submission.h"
#include "tests/e2e/world.h"
#include "tests/support/command.h"

enum { WAIT_TRIES = 400 };

static struct world world;
static int64_t begun_ms;

/* -- Files --------------------------------------------------------------------------------------------------- */

static const char *path_of(const char *name)
{
    return pki_files_path(&world.files, name);
}

static FILE *create(const char *name)
{
    FILE *file = fopen(path_of(name), "wbe");
    assert_non_null(file);
    return file;
}

/* A party's profile, each line after `indent`. */
static void write_profile(FILE *file, const char *indent, const char *name, const char *party)
{
    char hex[2 * CL_PUBLIC_KEY_BYTES + 1];
    cl_hex_encode(hex, cl_bytes(cl_signer_public_key(world.signers[WORLD_KEY_DIRECTORY])->bytes, CL_PUBLIC_KEY_BYTES));
    const char *const lines[][2] = {
        {"target", world_target(&world)},
        {"server_name", "localhost"},
        {"ca", "ca.pem"},
        {"certificate", NULL},
        {"key", NULL},
        {"signing_key", NULL},
        {"directory", "directory.bin"},
        {"directory_key", hex},
        {"party", party},
        {"centre", WORLD_CENTRE},
        {"environment", "test"},
    };
    static const char *const endings[] = {".pem", ".key", "-sign.key"};
    size_t own = 0;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        bool ours = lines[i][1] == NULL;
        (void)fprintf(file, "%s%s: %s%s\n", indent, lines[i][0], ours ? name : lines[i][1], ours ? endings[own] : "");
        own += ours ? 1 : 0;
    }
}

static void write_json(const char *name, json_t *value)
{
    FILE *file = create(name);
    assert_int_equal(json_dumpf(value, file, 0), 0);
    assert_int_equal(fclose(file), 0);
    json_decref(value);
}

/* -- Banks --------------------------------------------------------------------------------------------------- */

static struct bank_config configs[2];
static struct bank banks[2];

static void start_bank(size_t index, const char *name, const char *party)
{
    char file_name[32];
    struct cl_setting_error error = {""};
    (void)snprintf(file_name, sizeof file_name, "%s-bank.yaml", name);
    FILE *file = create(file_name);
    (void)fprintf(file, "journal: %s.journal\ncustomers: %s/sandbox/personas.yaml\nreference_prefix: %s\nprofile:\n",
                  name, COLOAN_SOURCE_DIR, name);
    write_profile(file, "  ", name, party);
    assert_int_equal(fclose(file), 0);
    if (cl_failed(bank_config_load(&configs[index], path_of(file_name), &error)) ||
        cl_failed(bank_start(&banks[index], &configs[index], false, &error))) {
        fail_msg("%s", error.text);
    }
}

static void stop_bank(size_t index)
{
    bank_stop(&banks[index]);
    assert_false(atomic_load(&banks[index].failed));
    bank_config_close(&configs[index]);
}

static bool bank_knows(size_t index, const char *application_id)
{
    struct bank_case known;
    return bank_state_case(&known, banks[index].state, application_id);
}

static void until_bank_forgot(size_t index, const char *application_id)
{
    const struct timespec pause = {.tv_nsec = 25000000};
    for (int tries = 0; tries < WAIT_TRIES && bank_knows(index, application_id); tries++) {
        (void)nanosleep(&pause, NULL);
    }
    assert_false(bank_knows(index, application_id));
}

static void count_entry(void *user, struct bank_entry *entry)
{
    (void)entry;
    ++*(size_t *)user;
}

/* Every event that came is applied: none was left lying, whatever became of its case. */
static void until_all_applied(size_t index)
{
    const struct timespec pause = {.tv_nsec = 25000000};
    size_t left = 1;
    for (int tries = 0; tries < WAIT_TRIES && left > 0; tries++) {
        left = 0;
        bank_state_each(banks[index].state, count_entry, &left);
        (void)nanosleep(&pause, NULL);
    }
    assert_int_equal(left, 0);
}

/* -- The command line ---------------------------------------------------------------------------------------- */

static struct command_said said;

static enum cli_exit run(const char *profile, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One command line, words between blanks, with that profile. */
static enum cli_exit run(const char *profile, const char *format, ...)
{
    char line[1024];
    va_list list;
    va_start(list, format);
    int len = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    assert_true(len > 0 && (size_t)len < sizeof line - 200);
    (void)snprintf(line + len, sizeof line - (size_t)len, " --profile %s", path_of(profile));
    return command_run(&said, line);
}

#define RUN(profile, ...)                                                                                              \
    do {                                                                                                               \
        if (run(profile, __VA_ARGS__) != CLI_DONE) {                                                                   \
            fail_msg("%s", said.err);                                                                                  \
        }                                                                                                              \
    } while (0)

/* Refused by the centre, with that reason; nothing is done. */
#define RUN_REFUSED(reason, profile, ...)                                                                              \
    do {                                                                                                               \
        if (run(profile, __VA_ARGS__) != CLI_FAILED || strstr(said.err, reason ": ") == NULL ||                        \
            strstr(said.err, "the centre signed this refusal; nothing was done") == NULL) {                            \
            fail_msg("not refused with %s: %s", reason, said.err);                                                     \
        }                                                                                                              \
    } while (0)

/* A field of the JSON that was printed, by its path; the caller's to free. */
static json_t *printed(void)
{
    json_t *root = json_loads(said.out, 0, NULL);
    assert_non_null(root);
    return root;
}

/* Hands in the persona's application, as made, and gives its id. */
static const char *submit(const char *file, const char *profile)
{
    static char id[CL_TEXT_BYTES_MAX + 1];
    RUN(profile, "submit %s --json", path_of(file));
    json_t *receipt = printed();
    (void)snprintf(id, sizeof id, "%s", json_string_value(json_object_get(receipt, "applicationId")));
    json_decref(receipt);
    return id;
}

static json_t *application(const json_t *persona, const char *reference)
{
    const struct submission_options options = {
        .bank = WORLD_ALPHA, .fund = WORLD_CENTRE, .external_ref = reference, .now_ms = begun_ms};
    json_t *made = submission_make_application(persona, &options);
    assert_non_null(made);
    return made;
}

/* The case's status as an officer sees it: a number or a text of it. */
static void status_is(const char *id, const char *state, const char *bank, int bank_epoch, int offer_version)
{
    RUN("officer.yaml", "show %s --json", id);
    json_t *view = printed();
    json_t *status = json_object_get(view, "status");
    json_t *offer = json_object_get(view, "offer");
    assert_string_equal(json_string_value(json_object_get(status, "state")), state);
    assert_string_equal(json_string_value(json_object_get(status, "bank")), bank);
    assert_int_equal(json_integer_value(json_object_get(status, "bankEpoch")), bank_epoch);
    assert_int_equal(json_integer_value(json_object_get(status, "offerVersion")), offer_version);
    assert_true(offer != NULL);
    json_decref(view);
}

static void change_of_bank(const char *file, const char *persona, const char *bank, const char *reference)
{
    const struct submission_options options = {.bank = bank, .external_ref = reference, .now_ms = begun_ms};
    json_t *made = submission_make_change(people_find(world.people, persona), &options);
    assert_non_null(made);
    write_json(file, made);
}

/* -- Tests --------------------------------------------------------------------------------------------------- */

/* A consent names its letter by digest; sandbox/submission.c makes it of these words. */
static void a_letter_is_uploaded_by_hand(const char *id)
{
    FILE *letter = create("letter.txt");
    (void)fprintf(letter, "letter of authorisation B-1-0-3");
    assert_int_equal(fclose(letter), 0);
    RUN_REFUSED("DOCUMENT_UNKNOWN", "channel.yaml", "upload %s %s", id, path_of("ca.pem"));
    RUN_REFUSED("CALLER_NOT_ALLOWED", "officer.yaml", "upload %s %s", id, path_of("letter.txt"));
    for (int times = 0; times < 2; times++) {
        RUN("channel.yaml", "upload %s %s", id, path_of("letter.txt"));
        assert_non_null(strstr(said.out, "complete"));
        assert_non_null(strstr(said.out, "31 bytes"));
    }
}

/* Covers: COL-BOR-003, COL-BOR-005, COL-BOR-008, COL-JNT-006 */
static void a_case_goes_to_another_bank_and_back(void **state)
{
    (void)state;
    char id[CL_TEXT_BYTES_MAX + 1];
    write_json("p01.json", application(people_find(world.people, "P01"), "B-1"));
    change_of_bank("to-beta.json", "P01", WORLD_BETA, "B-1-beta");
    change_of_bank("to-alpha.json", "P01", WORLD_ALPHA, "B-1-alpha");
    (void)snprintf(id, sizeof id, "%s", submit("p01.json", "channel.yaml"));
    a_letter_is_uploaded_by_hand(id);
    RUN("channel.yaml", "watch %s --until APPROVED --timeout 20", id);
    status_is(id, "CASE_STATE_APPROVED", WORLD_ALPHA, 1, 1);
    assert_true(bank_knows(0, id)); /* decided, and may have to be decided again */

    RUN("channel.yaml", "confirm %s 1 --document %s", id, path_of("ca.pem"));
    assert_non_null(strstr(said.out, "CONFIRMED"));
    RUN_REFUSED("STATE_CONFLICT", "channel.yaml", "confirm %s 1 --document %s", id, path_of("ca.pem"));
    RUN_REFUSED("BANK_UNCHANGED", "channel.yaml", "change-bank %s %s", id, path_of("to-alpha.json"));

    RUN("channel.yaml", "change-bank %s %s", id, path_of("to-beta.json"));
    until_bank_forgot(0, id);
    RUN("channel.yaml", "watch %s --until APPROVED --timeout 20", id);
    status_is(id, "CASE_STATE_APPROVED", WORLD_BETA, 2, 2);
    RUN_REFUSED("STALE_EPOCH", "alpha.yaml", "show %s", id);
    RUN_REFUSED("STALE_EPOCH", "alpha.yaml", "withdraw %s", id);
    assert_int_equal(run("channel.yaml", "confirm %s 1 --document %s", id, path_of("ca.pem")), CLI_FAILED);
    assert_non_null(strstr(said.err, "the offer's version is 2 by now, not 1"));

    RUN("channel.yaml", "change-bank %s %s", id, path_of("to-alpha.json"));
    until_bank_forgot(1, id);
    RUN("channel.yaml", "watch %s --until APPROVED --timeout 20", id);
    status_is(id, "CASE_STATE_APPROVED", WORLD_ALPHA, 3, 3);
    RUN("alpha.yaml", "show %s --keep %s", id, path_of("joint.bin"));
    RUN("alpha.yaml", "verify %s", path_of("joint.bin"));
    RUN("channel.yaml", "confirm %s 3 --document %s", id, path_of("ca.pem"));

    RUN("channel.yaml", "timeline %s", id);
    static const char *const steps[] = {
        "The application is accepted", "both lenders have signed", "The borrower accepts",     "Another bank takes",
        "both lenders have signed",    "Another bank takes",       "both lenders have signed", "The borrower accepts"};
    const char *at = said.out;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        at = strstr(at, steps[i]);
        if (at == NULL) {
            fail_msg("step %zu, \"%s\", is not in its place: %s", i, steps[i], said.out);
        }
        at++;
    }
    until_all_applied(0);
    until_all_applied(1);
}

/* The borrower keeps a marriage quiet, the register does not: the spouse has to join. */
/* Covers: COL-BOR-001, COL-BOR-006, COL-DEC-003 */
static void a_spouse_joins(void **state)
{
    (void)state;
    char id[CL_TEXT_BYTES_MAX + 1];
    json_t *alone = json_deep_copy(people_find(world.people, "P02"));
    json_t *people = json_object_get(alone, "people");
    assert_int_equal(json_array_remove(people, 1), 0);
    assert_int_equal(json_object_set_new(json_array_get(people, 0), "declared", json_string("SINGLE")), 0);
    write_json("alone.json", application(alone, "B-2"));
    json_decref(alone);
    write_json("couple.json", application(people_find(world.people, "P02"), "B-2"));
    write_json("other.json", application(people_find(world.people, "P02"), "B-3"));

    (void)snprintf(id, sizeof id, "%s", submit("alone.json", "channel.yaml"));
    RUN("officer.yaml", "watch %s --until SUPPLEMENT --timeout 20", id);
    assert_non_null(strstr(said.out, "MAR-CONTRADICT"));
    RUN_REFUSED("FIELD_INVALID", "channel.yaml", "supplement %s %s", id, path_of("other.json"));
    assert_non_null(strstr(said.err, "(external_ref)"));
    RUN("channel.yaml", "supplement %s %s", id, path_of("couple.json"));
    RUN("officer.yaml", "watch %s --until APPROVED --timeout 20", id);
    RUN_REFUSED("STATE_CONFLICT", "channel.yaml", "supplement %s %s", id, path_of("couple.json"));
    RUN_REFUSED("RULE_SET_UNKNOWN", "channel.yaml", "choose-rules %s REF-NONE --document %s", id, path_of("ca.pem"));

    RUN("channel.yaml", "withdraw %s --reason FOUND-OTHER", id);
    assert_non_null(strstr(said.out, "WITHDRAWN"));
    RUN_REFUSED("STATE_CONFLICT", "channel.yaml", "withdraw %s", id);
    until_bank_forgot(0, id);
    until_all_applied(0);
    RUN("channel.yaml", "timeline %s --lang zh", id);
    assert_non_null(strstr(said.out, "申请人已补件。"));
    assert_non_null(strstr(said.out, "已撤回"));
}

/* The case went to another bank while its first one was away: what it finds in the stream is another's by then. */
static void a_bank_comes_back_to_a_case_that_went(void **state)
{
    (void)state;
    char id[CL_TEXT_BYTES_MAX + 1];
    write_json("p03.json", application(people_find(world.people, "P03"), "B-4"));
    change_of_bank("to-beta.json", "P03", WORLD_BETA, "B-4-beta");
    stop_bank(0);
    (void)snprintf(id, sizeof id, "%s", submit("p03.json", "channel.yaml"));
    RUN("channel.yaml", "change-bank %s %s", id, path_of("to-beta.json"));
    RUN("channel.yaml", "watch %s --until APPROVED --timeout 20", id);
    status_is(id, "CASE_STATE_APPROVED", WORLD_BETA, 2, 1);
    start_bank(0, "alpha", WORLD_ALPHA);
    write_json("p04.json", application(people_find(world.people, "P09"), "B-5")); /* anything after it */
    (void)snprintf(id, sizeof id, "%s", submit("p04.json", "channel.yaml"));
    RUN("channel.yaml", "watch %s --timeout 20 --until REJECTED", id);
    until_all_applied(0);
    assert_false(bank_knows(0, id));
}

static int begin(void **state)
{
    static const struct {
        const char *file, *name, *party;
    } parties[] = {{"alpha.yaml", "alpha", WORLD_ALPHA},
                   {"channel.yaml", "channel", WORLD_CHANNEL},
                   {"officer.yaml", "officer", WORLD_OFFICER}};
    (void)state;
    (void)setenv("LC_ALL", "C.UTF-8", 1); /* English, unless a command line says otherwise */
    begun_ms = cl_clock_unix_ms(cl_clock_system());
    world_open(&world, &(struct world_options){.authority_delay_ms = 0});
    for (size_t i = 0; i < sizeof parties / sizeof parties[0]; i++) {
        FILE *file = create(parties[i].file);
        write_profile(file, "", parties[i].name, parties[i].party);
        if (fclose(file) != 0) {
            return -1;
        }
    }
    start_bank(0, "alpha", WORLD_ALPHA);
    start_bank(1, "beta", WORLD_BETA);
    return 0;
}

static int end(void **state)
{
    (void)state;
    stop_bank(0);
    stop_bank(1);
    command_forget(&said);
    world_close(&world);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_case_goes_to_another_bank_and_back),
        cmocka_unit_test(a_spouse_joins),
        cmocka_unit_test(a_bank_comes_back_to_a_case_that_went),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
