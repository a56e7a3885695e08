/* No personal value in clear anywhere: every persona is submitted, most are decided, some are refused; then every byte of
 * the database, its write-ahead log and the log of the server at its most talkative is searched for their names, ID
 * numbers, mobiles and addresses. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "libcoloan/log.h"
#include "sandbox/submission.h"
#include "tests/e2e/world.h"

enum { ARENA_BYTES = 8 * 1024 * 1024, WAIT_MS = 10000, CANARIES_MAX = 1024, SEARCHED_MAX = 64 * 1024 * 1024 };

static struct world world;
static struct cl_arena *arena;
static char *canaries[CANARIES_MAX];
static size_t canary_count;

/* -- Doing something ------------------------------------------------------------------------------------------- */

static void add_canaries(const json_t *persona)
{
    struct submission_options options = {.bank = WORLD_ALPHA, .fund = WORLD_CENTRE, .external_ref = "x"};
    json_t *made = submission_make_application(persona, &options);
    const char *path = NULL;
    json_t *value = NULL;
    json_object_foreach(json_object_get(made, "personal"), path, value)
    {
        assert_true(canary_count < CANARIES_MAX);
        assert_true(strlen(json_string_value(value)) >= 6); /* shorter could be there by chance */
        canaries[canary_count++] = strdup(json_string_value(value));
    }
    json_decref(made);
}

static struct cl_status submit(struct cl_session *session, const json_t *persona, const char *reference,
                               const char *wrong_value)
{
    struct world_submission submission;
    world_submission(&submission, arena, persona, WORLD_ALPHA, reference);
    if (wrong_value != NULL) { /* refused for what it discloses */
        submission.disclosures[1]->value.data = cl_arena_copy(arena, cl_bytes_text(wrong_value));
        submission.disclosures[1]->value.len = strlen(wrong_value);
    }
    struct cl_session_call what = world_submit_call(&submission);
    struct cl_answer answer;
    struct cl_status status =
        cl_session_call(&answer, session, arena, &what, (struct cl_patience){.total_ms = WAIT_MS});
    if (cl_is_ok(status)) {
        struct cl_session_call report = {
            .method = "coloan.v1.JointApproval/ReportVerifications",
            .body = &world_bank_report(arena, persona)->base,
            .reply_type = &coloan__v1__application_status__descriptor,
            .application_id = ((const Coloan__V1__ApplicationReceipt *)answer.body)->application_id,
        };
        struct cl_answer ignored;
        (void)cl_is_ok(cl_session_call(&ignored, session, arena, &report, (struct cl_patience){.total_ms = WAIT_MS}));
    }
    return status;
}

/* Everything of a bank's day: taken, refused, refused before anybody looked, pushed, and asked for again. */
static void live_a_day(void)
{
    struct cl_session *alpha = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    struct cl_session *stranger = world_session(&world, "beta", WORLD_KEY_ALPHA); /* not by its own certificate */
    unsigned taken = 0;
    unsigned refused = 0;
    for (size_t i = 0; people_at(world.people, i) != NULL; i++) {
        const json_t *persona = people_at(world.people, i);
        char reference[32];
        cl_arena_reset(arena);
        add_canaries(persona);
        (void)snprintf(reference, sizeof reference, "case-%zu", i);
        assert_false(cl_is_ok(submit(stranger, persona, reference, NULL)));
        assert_false(cl_is_ok(submit(alpha, persona, reference, "990101199603150019x")));
        taken += cl_is_ok(submit(alpha, persona, reference, NULL)) ? 1 : 0;
        (void)snprintf(reference, sizeof reference, "again-%zu", i);
        refused += cl_is_ok(submit(alpha, persona, reference, NULL)) ? 0 : 1; /* unless the first was decided already */
    }
    assert_true(taken >= 10);
    assert_true(refused > 0);
    struct cl_deliver_options options = {.epoch = 1, .max_outstanding = 1000};
    struct cl_delivery *delivery = NULL;
    struct cl_delivered delivered = {.kind = CL_DELIVERED_HEARTBEAT};
    unsigned disclosed = 0;
    assert_true(cl_is_ok(cl_session_deliver_open(&delivery, alpha, &options)));
    while (delivered.kind != CL_DELIVERED_NOTHING) {
        cl_arena_reset(arena);
        assert_true(cl_is_ok(cl_session_deliver_next(&delivered, delivery, arena, 1500)));
        disclosed += delivered.kind == CL_DELIVERED_EVENT ? (unsigned)delivered.opened.disclosure_count : 0;
    }
    assert_true(disclosed > canary_count / 2); /* the values were there, and went to whom they may */
    cl_session_deliver_close(delivery);
    cl_session_free(alpha);
    cl_session_free(stranger);
}

/* -- Searching ------------------------------------------------------------------------------------------------- */

/* Appends the file to `bytes`. */
static size_t read_whole(uint8_t *bytes, size_t held, const char *name)
{
    FILE *file = fopen(pki_files_path(&world.files, name), "rbe");
    assert_non_null(file);
    size_t got = fread(bytes + held, 1, SEARCHED_MAX - held, file);
    (void)fclose(file);
    assert_true(held + got < SEARCHED_MAX);
    return held + got;
}

static size_t hits(const uint8_t *bytes, size_t len)
{
    size_t found = 0;
    for (size_t i = 0; i < canary_count; i++) {
        found += memmem(bytes, len, canaries[i], strlen(canaries[i])) != NULL ? 1 : 0;
    }
    return found;
}

/* The database with what SQLite keeps beside it, and the log. */
static size_t search(size_t *files_out)
{
    uint8_t *bytes = malloc(SEARCHED_MAX);
    DIR *folder = opendir(world.files.folder);
    size_t held = 0;
    assert_non_null(bytes);
    assert_non_null(folder);
    *files_out = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (strncmp(entry->d_name, "coloan.db", 9) == 0 || strcmp(entry->d_name, "log") == 0) {
            held = read_whole(bytes, held, entry->d_name);
            (*files_out)++;
        }
    }
    (void)closedir(folder);
    assert_true(held > 100000);                        /* there was something to search */
    assert_non_null(memmem(bytes, held, "case-0", 6)); /* what is not personal is found */
    assert_non_null(memmem(bytes, held, "push.opened", 11));
    size_t found = hits(bytes, held);
    free(bytes);
    return found;
}

static int terminal;

static int log_into_file(void **state)
{
    (void)state;
    int log = open(pki_files_path(&world.files, "log"), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    terminal = dup(STDERR_FILENO);
    if (log < 0 || terminal < 0 || dup2(log, STDERR_FILENO) < 0) {
        return -1;
    }
    (void)close(log);
    cl_log_set_level(CL_LOG_DEBUG);
    return 0;
}

static int log_to_terminal(void **state)
{
    (void)state;
    cl_log_set_level(CL_LOG_ERROR);
    (void)dup2(terminal, STDERR_FILENO);
    (void)close(terminal);
    return 0;
}

/* Covers: COL-PER-007 */
static void test_no_personal_value_is_in_clear(void **state)
{
    (void)state;
    live_a_day();
    size_t files = 0;
    size_t found = search(&files);
    world_restart(&world); /* checkpoints, and reads everything again */
    size_t files_after = 0;
    size_t found_after = search(&files_after);
    assert_true(files >= 3); /* database, write-ahead log, log */
    assert_true(canary_count > 50);
    assert_int_equal(found, 0);
    assert_int_equal(found_after, 0);
}

/* The search itself: what is there is found. */
static void test_the_search_finds(void **state)
{
    (void)state;
    for (size_t i = 0; i < canary_count; i++) {
        uint8_t bytes[512] = {0};
        memcpy(bytes + 100, canaries[i], strlen(canaries[i]));
        assert_true(hits(bytes, sizeof bytes) > 0);
        bytes[100] ^= 1;
        assert_int_equal(hits(bytes, sizeof bytes), 0);
    }
}

int main(void)
{
    struct world_options options = {0};
    world_open(&world, &options);
    bool made = cl_is_ok(cl_arena_create(&arena, ARENA_BYTES));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_personal_value_is_in_clear, log_into_file, log_to_terminal),
        cmocka_unit_test(test_the_search_finds),
    };
    int failed = made ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    for (size_t i = 0; i < canary_count; i++) {
        free(canaries[i]);
    }
    cl_arena_free(arena);
    world_close(&world);
    return failed;
}
