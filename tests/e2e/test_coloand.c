/* The program itself: what it says and how it ends, started as an operator starts it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/rulebook.h"
#include "tests/e2e/world.h"

enum { ARGUMENTS_MAX = 5, GOOD = 0, NOT_WHOLE = 1, USAGE = 2, CONFIG = 3, WAIT_TRIES = 400 };

extern char **environ;

static struct world world;
static char *config_text; /* as world made it, with another database: the world's own server holds the first */

/* -- Running --------------------------------------------------------------------------------------------------- */

static pid_t start(const char *const arguments[ARGUMENTS_MAX])
{
    char *argv[ARGUMENTS_MAX + 2] = {strdup(COLOAN_BINARY_DIR "/server/coloand")};
    for (size_t i = 0; i < ARGUMENTS_MAX && arguments[i] != NULL; i++) {
        argv[i + 1] = strdup(arguments[i]);
    }
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_addopen(&actions, 1, pki_files_path(&world.files, "out"),
                                           O_CREAT | O_TRUNC | O_WRONLY, 0600);
    (void)posix_spawn_file_actions_addopen(&actions, 2, pki_files_path(&world.files, "err"),
                                           O_CREAT | O_TRUNC | O_WRONLY, 0600);
    int spawned = posix_spawn(&pid, argv[0], &actions, NULL, argv, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    for (size_t i = 0; argv[i] != NULL; i++) {
        free(argv[i]);
    }
    assert_int_equal(spawned, 0);
    return pid;
}

static int exit_of(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        assert_int_equal(errno, EINTR);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static bool said(const char *file, const char *words)
{
    char *text = pki_files_text(&world.files, file);
    bool found = strstr(text, words) != NULL;
    free(text);
    return found;
}

static void assert_runs(const char *const arguments[ARGUMENTS_MAX], int code, const char *file, const char *words)
{
    int got = exit_of(start(arguments));
    if (got != code || !said(file, words)) {
        char *text = pki_files_text(&world.files, file);
        fail_msg("coloand %s: %d, not %d with \"%s\": %s", arguments[0] == NULL ? "" : arguments[0], got, code, words,
                 text);
    }
}

static void write_config(const char *find, const char *put)
{
    const char *found = strstr(config_text, find);
    FILE *file = fopen(pki_files_path(&world.files, "other.yaml"), "wbe");
    assert_non_null(found);
    assert_non_null(file);
    (void)fprintf(file, "%.*s%s%s", (int)(found - config_text), config_text, put, found + strlen(find));
    assert_int_equal(fclose(file), 0);
}

/* -- Tests ----------------------------------------------------------------------------------------------------- */

static void test_usage(void **state)
{
    (void)state;
    assert_runs((const char *[ARGUMENTS_MAX]){"--help"}, GOOD, "out", "usage: coloand --config FILE");
    assert_true(said("out", "exit status: 0") && said("out", "examples:"));
    assert_runs((const char *[ARGUMENTS_MAX]){"--version"}, GOOD, "out", "coloand 0.");
    assert_runs((const char *[ARGUMENTS_MAX]){"--help-config"}, GOOD, "out", "directory_key");
    assert_true(said("out", "master_key") && said("out", "base_url"));
    assert_runs((const char *[ARGUMENTS_MAX]){NULL}, USAGE, "err", "usage: coloand");
    assert_runs((const char *[ARGUMENTS_MAX]){"--chekc"}, USAGE, "err", "--chekc");
    assert_runs((const char *[ARGUMENTS_MAX]){"--config"}, USAGE, "err", "usage: coloand");
    assert_runs((const char *[ARGUMENTS_MAX]){"--version", "more"}, USAGE, "err", "usage: coloand");
    assert_runs((const char *[ARGUMENTS_MAX]){"--check"}, USAGE, "err", "usage: coloand");
    assert_runs((const char *[ARGUMENTS_MAX]){"--erase", "id"}, USAGE, "err", "usage: coloand");
    assert_runs((const char *[ARGUMENTS_MAX]){"--check", "--erase", "id"}, USAGE, "err", "usage: coloand");
    assert_runs((const char *[ARGUMENTS_MAX]){"--verify", "--check"}, USAGE, "err", "usage: coloand");
    assert_runs((const char *[ARGUMENTS_MAX]){"--backup", "b", "--restore", "b"}, USAGE, "err", "usage: coloand");
    assert_runs((const char *[ARGUMENTS_MAX]){"--verify", "--to", "x"}, USAGE, "err", "usage: coloand");
    assert_runs((const char *[ARGUMENTS_MAX]){"--backup", "b", "--archive", "a"}, USAGE, "err", "usage: coloand");
    assert_runs((const char *[ARGUMENTS_MAX]){"--check", "--json"}, USAGE, "err", "usage: coloand");
}

static void test_a_master_key_is_never_overwritten(void **state)
{
    (void)state;
    char path[160];
    (void)snprintf(path, sizeof path, "%s", pki_files_path(&world.files, "fresh.key"));
    assert_runs((const char *[ARGUMENTS_MAX]){"--make-master-key", path}, GOOD, "out", "Keep a copy");
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_runs((const char *[ARGUMENTS_MAX]){"--make-master-key", path}, CONFIG, "err", "does not exist");
}

/* What --check finds, one mistake at a time; the running server would stumble over each. */
static void test_check_names_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *find, *put, *words;
    } rows[] = {
        {"environment: test", "environment: tset", "other.yaml:2"},
        {"signing_key: centre.key", "signing_key: nowhere.key", "nowhere.key"},
        {"signing_key: centre.key", "signing_key: beta-sign.key", "beta-sign.key"},
        {"directory: directory.bin", "directory: crl.pem", "crl.pem"},
        {"directory: directory.bin", "directory: nowhere.bin", "coloan keys issue"},
        {"master_key: master.key", "master_key: crl.pem", "--make-master-key"},
        {"REF-NJ-2026-11", "REF-XX-1999-01", "REF-XX-1999-01"},
        {"environment: test", "environment: test\nrules_signed: true", "is not signed"},
        {"certificate: server.pem", "certificate: nowhere.pem", "nowhere.pem"},
        {"certificate: server.pem", "certificate: alpha.pem", "server.key"},
        {"crl: crl.pem", "crl: crl-expired.pem", "crl-expired.pem"},
        {"crl: crl.pem", "crl: foreign-crl.pem", "crl.pem"},
        {"name: sandbox", "name: Sand box", "authorities"},
    };
    char path[160];
    (void)snprintf(path, sizeof path, "%s", pki_files_path(&world.files, "other.yaml"));
    write_config("environment: test", "environment: test");
    assert_runs((const char *[ARGUMENTS_MAX]){"--config", path, "--check"}, GOOD, "out", "the configuration is good");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        write_config(rows[i].find, rows[i].put);
        assert_runs((const char *[ARGUMENTS_MAX]){"--config", path, "--check"}, CONFIG, "err", rows[i].words);
    }
    assert_runs((const char *[ARGUMENTS_MAX]){"--config", "/nowhere.yaml", "--check"}, CONFIG, "err", "/nowhere.yaml");
}

static void write_bytes(const char *name, struct cl_bytes bytes)
{
    FILE *file = fopen(pki_files_path(&world.files, name), "wbe");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
}

/* The reference in the server's own folder, signed by one of the parties. */
static void write_signed_rules(enum world_key key)
{
    struct cl_arena *arena = NULL;
    struct cl_bytes sig;
    static char text[32768];
    FILE *file = fopen(COLOAN_SOURCE_DIR "/rules/REF-NJ-2026-11.yaml", "rbe");
    assert_non_null(file);
    struct cl_bytes bytes = cl_bytes((const uint8_t *)text, fread(text, 1, sizeof text, file));
    assert_int_equal(fclose(file), 0);
    assert_true(cl_is_ok(cl_arena_create(&arena, 1024 * 1024)));
    assert_true(cl_is_ok(rulebook_sign(&sig, arena, world.signers[key], bytes)));
    write_bytes("signed.yaml", bytes);
    write_bytes("signed.yaml.sig", sig);
    cl_arena_free(arena);
}

static void test_rules_are_signed_by_the_centre(void **state)
{
    (void)state;
    char path[160];
    (void)snprintf(path, sizeof path, "%s", pki_files_path(&world.files, "other.yaml"));
    write_config("rules: [" COLOAN_SOURCE_DIR "/rules/REF-NJ-2026-11.yaml]",
                 "rules_signed: true\nrules: [signed.yaml]");
    write_signed_rules(WORLD_KEY_CENTRE);
    assert_runs((const char *[ARGUMENTS_MAX]){"--config", path, "--check"}, GOOD, "out", "the configuration is good");
    write_signed_rules(WORLD_KEY_ALPHA);
    assert_runs((const char *[ARGUMENTS_MAX]){"--config", path, "--check"}, CONFIG, "err", "signed.yaml.sig");
    assert_true(said("err", "KEY_UNKNOWN"));
    (void)remove(pki_files_path(&world.files, "signed.yaml.sig"));
    assert_runs((const char *[ARGUMENTS_MAX]){"--config", path}, CONFIG, "err", "is not signed");
}

static void test_one_file_has_one_server(void **state)
{
    (void)state;
    if (!world_on_file(&world)) {
        return;
    }
    char path[160];
    (void)snprintf(path, sizeof path, "%s", pki_files_path(&world.files, "coloand.yaml"));
    assert_runs((const char *[ARGUMENTS_MAX]){"--config", path}, CONFIG, "err", "no other coloand runs on it");
}

/* Beside the running server, whose store nobody else may open for writing. */
static void test_operators_commands(void **state)
{
    (void)state;
    char path[160];
    (void)snprintf(path, sizeof path, "%s", pki_files_path(&world.files, "coloand.yaml"));
    assert_runs((const char *[ARGUMENTS_MAX]){"--config", path, "--erase", "id"}, CONFIG, "err",
                world_on_file(&world) ? "Stop the coloand" : "no such application");
    assert_runs((const char *[ARGUMENTS_MAX]){"--config", path, "--rekey-vault", "/nowhere.key"}, CONFIG, "err",
                "--make-master-key");
    assert_runs((const char *[ARGUMENTS_MAX]){"--config", path, "--export-rotations", "/"}, GOOD, "out", "0 pending");
}

/* Of a cluster each is refused with the name of the cluster's own tool. */
static void test_backup_restore_and_verify(void **state)
{
    (void)state;
    char path[160];
    bool file = world_on_file(&world);
    (void)snprintf(path, sizeof path, "%s", pki_files_path(&world.files, "coloand.yaml"));
    assert_runs((const char *[ARGUMENTS_MAX]){"--config", path, "--verify", "--json"}, file ? GOOD : NOT_WHOLE,
                file ? "out" : "err", file ? "\"whole\":true" : "pg_amcheck");
    assert_runs((const char *[ARGUMENTS_MAX]){"--config", path, "--backup", "/nowhere/at/all"}, CONFIG, "err",
                file ? "Name a folder that exists" : "pg_basebackup");
    assert_runs((const char *[ARGUMENTS_MAX]){"--config", path, "--restore", "/nowhere/at/all"}, NOT_WHOLE, "err",
                file ? "not the manifest of a backup" : "base backup");
}

static void wait_for(const char *file, const char *words)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    for (int tries = 0; tries < WAIT_TRIES && !said(file, words); tries++) {
        (void)nanosleep(&pause, NULL);
    }
    assert_true(said(file, words));
}

static void test_it_serves_reloads_and_stops(void **state)
{
    (void)state;
    char path[160];
    (void)snprintf(path, sizeof path, "%s", pki_files_path(&world.files, "other.yaml"));
    write_config("log_level: error", "log_level: info");
    pid_t pid = start((const char *[ARGUMENTS_MAX]){"--config", path});
    wait_for("out", "coloand serves " WORLD_CENTRE " (test) on port ");
    assert_int_equal(kill(pid, SIGHUP), 0);
    wait_for("err", "coloand.reloaded");
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(exit_of(pid), GOOD);
}

int main(void)
{
    /* coloand keeps debuggers away, the leak checker among them. */
    if (setenv("ASAN_OPTIONS", "detect_leaks=0", 1) != 0) {
        return 1;
    }
    struct world_options options = {0};
    world_open(&world, &options);
    config_text = pki_files_text(&world.files, "coloand.yaml");
    char *database = strstr(config_text, "coloan.db");
    if (database != NULL) { /* a cluster is shared */
        memcpy(database, "others.db", 9);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usage),
        cmocka_unit_test(test_a_master_key_is_never_overwritten),
        cmocka_unit_test(test_check_names_what_is_wrong),
        cmocka_unit_test(test_rules_are_signed_by_the_centre),
        cmocka_unit_test(test_one_file_has_one_server),
        cmocka_unit_test(test_operators_commands),
        cmocka_unit_test(test_backup_restore_and_verify),
        cmocka_unit_test(test_it_serves_reloads_and_stops),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(config_text);
    world_close(&world);
    return failed;
}
