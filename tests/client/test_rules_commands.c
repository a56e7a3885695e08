/* The command line on rule sets and decision records: checked, signed, compared, tried, explained, replayed. Offline. */
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

#include "tests/server/records.h"
#include "tests/support/command.h"

#define REFERENCE COLOAN_SOURCE_DIR "/rules/REF-NJ-2026-11.yaml"
#define BEFORE    COLOAN_SOURCE_DIR "/rules/REF-NJ-2026-04.yaml"
#define RELAXED   COLOAN_SOURCE_DIR "/rules/variants/RELAXED-2026-08.yaml"

#define TRUST " --directory directory.bin --directory-key directory.pub --centre fund:cn-nj-prov --environment test"

static char folder[64];
static struct command_said said;

static enum cli_exit run(const char *line)
{
    return command_run(&said, line);
}

static void says(const char *text, const char *words)
{
    if (strstr(text, words) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", words, text);
    }
}

static void write_bytes(const char *path, struct cl_bytes bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
}

static void copy_file(const char *to, const char *from, const char *more)
{
    char bytes[16384];
    FILE *file = fopen(from, "rb");
    assert_non_null(file);
    size_t len = fread(bytes, 1, sizeof bytes - 256, file);
    (void)fclose(file);
    memcpy(bytes + len, more, strlen(more));
    write_bytes(to, cl_bytes((const uint8_t *)bytes, len + strlen(more)));
}

/* Three recorded decisions by the reference: two settled loans (refused there), a cap, too few months. */
static void make_records(void)
{
    static const struct {
        const char *file, *id;
        struct persona persona;
    } rows[] = {
        {"records/1-count.bin",
         "019357a0-0000-7000-8000-000000000001",
         {.name = "P09",
          .persons = {{.id_number = "990101199603150019", .base_yuan = 18000, .balance_yuan = 62000, .loans_used = 2}},
          .price_yuan = 1300000}},
        {"records/2-cap.bin",
         "019357a0-0000-7000-8000-000000000002",
         {.name = "P01",
          .persons = {{.id_number = "990101199603150019", .base_yuan = 18000, .balance_yuan = 62000}},
          .price_yuan = 1300000,
          .total_yuan = 1040000}},
        {"records/3-months.bin",
         "019357a0-0000-7000-8000-000000000003",
         {.name = "P05",
          .persons = {{.id_number = "990101199603150019", .base_yuan = 18000, .balance_yuan = 62000, .months = 5}},
          .price_yuan = 1300000}},
    };
    struct cl_arena *arena = NULL;
    struct rule_set rules;
    world_rules(&rules);
    assert_int_equal(mkdir("records", 0700), 0);
    assert_true(cl_is_ok(cl_arena_create(&arena, 4 * 1024 * 1024)));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct made_record record;
        struct world_case world;
        cl_arena_reset(arena);
        persona_case(&world, &rows[i].persona, world_now_ms());
        record_make(&record, arena, &world, &rules, world_now_ms(), rows[i].id);
        write_bytes(rows[i].file, record.file);
        if (i == 1) {
            ProtobufCBinaryData trace = record.message.trace;
            write_bytes("trace.bin", cl_bytes(trace.data, trace.len));
        }
    }
    cl_arena_free(arena);
}

static int begin(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/coloan-rules-XXXXXX");
    (void)unsetenv("COLOAN_PROFILE");
    (void)setenv("LC_ALL", "C.UTF-8", 1);
    if (mkdtemp(folder) == NULL || chdir(folder) != 0) {
        return -1;
    }
    make_records();
    return 0;
}

static int end(void **state)
{
    (void)state;
    static const char *const names[] = {
        "records/1-count.bin", "records/2-cap.bin", "records/3-months.bin", "records/4-broken", "trace.bin", "fund.key",
        "alpha.key",           "directory.key",     "directory.bin",        "directory.pub",    "bad.yaml",  "set.yaml",
        "set.yaml.sig"};
    command_forget(&said);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)unlink(names[i]);
    }
    (void)rmdir("records");
    return chdir("/") == 0 ? rmdir(folder) : -1;
}

/* -- check ---------------------------------------------------------------------------------------------------- */

static void sets_are_checked_together(void **state)
{
    (void)state;
    assert_int_equal(run("rules check " BEFORE " " REFERENCE), CLI_DONE);
    says(said.out, "REF-NJ-2026-04");
    says(said.out, "2026-04-16 .. 2026-08-27");
    says(said.out, "2026-08-28 .. 2027-12-31");
    assert_string_equal(said.err, "");
    assert_int_equal(run("rules check --json " REFERENCE), CLI_DONE);
    says(said.out, "\"id\":\"REF-NJ-2026-11\",\"from\":20260828,\"until\":20271231");
    assert_int_equal(run("rules check " REFERENCE " " REFERENCE), CLI_FAILED);
    says(said.err, "has the id of another set");
}

static void every_fault_has_its_place(void **state)
{
    (void)state;
    copy_file("bad.yaml", REFERENCE, "balance_multiple: 21\n");
    assert_int_equal(run("rules check bad.yaml"), CLI_FAILED);
    says(said.err, "bad.yaml:");
    copy_file("bad.yaml", REFERENCE, "nonsense: 1\nmore_nonsense: 2\n");
    assert_int_equal(run("rules check bad.yaml none.yaml"), CLI_FAILED);
    says(said.err, "nonsense: is no field");
    says(said.err, "more_nonsense: is no field");
    says(said.err, "none.yaml");
    assert_int_equal(run("rules check --json bad.yaml"), CLI_FAILED);
    says(said.out, "{\"fault\":\"bad.yaml:");
    assert_int_equal(run("rules check"), CLI_USAGE);
}

static void signatures_are_made_and_checked(void **state)
{
    (void)state;
    char public_key[65];
    assert_int_equal(run("keys generate fund.key"), CLI_DONE);
    assert_int_equal(run("keys generate alpha.key"), CLI_DONE);
    assert_int_equal(run("keys generate directory.key --json"), CLI_DONE);
    (void)snprintf(public_key, sizeof public_key, "%.64s", strstr(said.out, "\"publicKey\":\"") + 13);
    assert_int_equal(run("keys prove fund.key --party fund:cn-nj-prov --environment test --out fund.json"), CLI_DONE);
    assert_int_equal(run("keys prove alpha.key --party bank:cn-alpha-js --environment test --out alpha.json"),
                     CLI_DONE);
    assert_int_equal(run("keys issue --environment test --number 1 --directory-key directory.key --out directory.bin "
                         "fund.json alpha.json"),
                     CLI_DONE);
    copy_file("set.yaml", REFERENCE, "");
    write_bytes("directory.pub", cl_bytes_text(public_key));
    assert_int_equal(run("rules sign set.yaml"), CLI_USAGE);
    assert_int_equal(run("rules sign set.yaml --key none.key --centre fund:cn-nj-prov"), CLI_USAGE);
    copy_file("bad.yaml", REFERENCE, "nonsense: 1\n");
    assert_int_equal(run("rules sign bad.yaml --key fund.key --centre fund:cn-nj-prov"),
                     CLI_USAGE); /* looked at first */
    assert_int_equal(access("bad.yaml.sig", F_OK), -1);
    assert_int_equal(run("rules sign set.yaml --key fund.key --centre fund:cn-nj-prov"), CLI_DONE);
    says(said.out, "set.yaml.sig: fund:cn-nj-prov");
    assert_int_equal(run("rules check --lang en set.yaml" TRUST), CLI_DONE);
    says(said.out, " signed ");
    assert_int_equal(run("rules check " REFERENCE TRUST), CLI_FAILED);
    says(said.err, "is not signed");
    assert_int_equal(run("rules sign set.yaml --key alpha.key --centre fund:cn-nj-prov"), CLI_DONE); /* not its key */
    assert_int_equal(run("rules check set.yaml" TRUST), CLI_FAILED);
    says(said.err, "KEY_UNKNOWN");
    assert_int_equal(run("rules check set.yaml --directory directory.bin"), CLI_USAGE);
}

/* -- diff ----------------------------------------------------------------------------------------------------- */

static void sets_are_compared_with_units(void **state)
{
    (void)state;
    assert_int_equal(run("rules diff --lang en " BEFORE " " REFERENCE), CLI_DONE);
    says(said.out, "joint_debt_ppm");
    says(said.out, "55.0 %");
    says(said.out, "60.0 %");
    says(said.out, "480 months");
    says(said.out, "120.00 m2");
    assert_null(strstr(said.out, "cap_single_fen"));
    assert_int_equal(run("rules diff --lang zh " BEFORE " " REFERENCE), CLI_DONE);
    says(said.out, "全部债务收入比");
    says(said.out, "480 个月");
    assert_int_equal(run("rules diff --json " BEFORE " " REFERENCE), CLI_DONE);
    says(said.out, "{\"field\":\"joint_debt_ppm\",\"unit\":\"ppm\",\"a\":550000,\"b\":600000");
    assert_int_equal(run("rules diff " REFERENCE " " REFERENCE), CLI_DONE);
    says(said.out, "every number is the same");
    assert_int_equal(run("rules diff " REFERENCE), CLI_USAGE);
    assert_int_equal(run("rules diff none.yaml " REFERENCE), CLI_USAGE);
}

static void fields_are_listed(void **state)
{
    (void)state;
    assert_int_equal(run("rules fields --lang en"), CLI_DONE);
    for (unsigned i = 0; rule_field_at(i) != NULL; i++) {
        says(said.out, rule_field_at(i)->name);
    }
    assert_int_equal(run("rules nothing"), CLI_USAGE);
}

/* -- rehearse ------------------------------------------------------------------------------------------------- */

static void past_decisions_meet_another_set(void **state)
{
    (void)state;
    assert_int_equal(run("rules rehearse --against " REFERENCE " --records records"), CLI_DONE);
    says(said.out, "records");
    says(said.out, "0 (");
    assert_int_equal(run("rules rehearse --lang en --against " RELAXED " --records records"), CLI_DONE);
    says(said.out, "REJECT");
    says(said.out, "HPF-COUNT");
    says(said.out, "APPROVE"); /* two settled loans do not count there */
    assert_int_equal(run("rules rehearse --json --against " RELAXED " --records records/1-count.bin"), CLI_DONE);
    says(said.out, "\"then\":{\"verdict\":\"REJECT\"");
    says(said.out, "\"now\":{\"verdict\":\"APPROVE\"");
    says(said.out, "\"records\":1,\"changed\":1,\"verdicts\":1");
    write_bytes("records/4-broken", cl_bytes_text("no record"));
    assert_int_equal(run("rules rehearse --against " RELAXED " --records records"), CLI_FAILED);
    says(said.err, "4-broken is no decision record");
    (void)unlink("records/4-broken");
    assert_int_equal(run("rules rehearse --records records"), CLI_USAGE);
    assert_int_equal(run("rules rehearse --against " RELAXED " --records none"), CLI_USAGE);
}

/* -- explain and replay --------------------------------------------------------------------------------------- */

static void a_record_explains_itself(void **state)
{
    (void)state;
    assert_int_equal(run("explain records/2-cap.bin --lang en"), CLI_DONE);
    says(said.out, "AMT-CAP  The fund's cap limits the fund part.");
    says(said.out, "fund.balance_multiple");
    says(said.out, "1,240,000.00"); /* twenty times 62,000 */
    says(said.out, "800,000.00");
    assert_int_equal(run("explain records/2-cap.bin --lang zh"), CLI_DONE);
    says(said.out, "受公积金贷款最高额度限制");
    says(said.out, "账户余额倍数");
    assert_int_equal(run("explain records/3-months.bin --json"), CLI_DONE);
    says(said.out, "\"verdict\":\"REJECT\"");
    says(said.out, "\"code\":\"CON-MONTHS\"");
    says(said.out, "\"rule\":\"contribution.months\"");
    assert_int_equal(run("explain trace.bin --json"), CLI_DONE);
    says(said.out, "\"bindingLimit\":\"AMT-CAP\"");
    write_bytes("bad.yaml", cl_bytes_text("no record"));
    assert_int_equal(run("explain bad.yaml"), CLI_USAGE);
}

static void a_record_replays_byte_for_byte(void **state)
{
    (void)state;
    assert_int_equal(run("replay records/2-cap.bin --rules " REFERENCE), CLI_DONE);
    says(said.out, "byte for byte");
    assert_int_equal(run("replay records/1-count.bin --json --rules " REFERENCE), CLI_DONE);
    says(said.out, "\"same\":true");
    assert_int_equal(run("replay records/1-count.bin --rules " RELAXED), CLI_FAILED);
    says(said.err, "steps[");
    assert_int_equal(run("replay records/1-count.bin --json --rules " RELAXED), CLI_FAILED);
    says(said.out, "\"same\":false");
    says(said.out, "\"difference\":\"steps[");
    assert_int_equal(run("replay records/1-count.bin"), CLI_USAGE);
    assert_int_equal(run("replay trace.bin --rules " REFERENCE), CLI_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_are_checked_together),
        cmocka_unit_test(every_fault_has_its_place),
        cmocka_unit_test(signatures_are_made_and_checked),
        cmocka_unit_test(sets_are_compared_with_units),
        cmocka_unit_test(fields_are_listed),
        cmocka_unit_test(past_decisions_meet_another_set),
        cmocka_unit_test(a_record_explains_itself),
        cmocka_unit_test(a_record_replays_byte_for_byte),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
