/* A party changes its signing key, over real TLS: kept and taken up by the operator's next directory; or issued by the
 * server at once. What is refused, and that nothing changed then. What an operator does beside and after it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "libcoloan/keydraft.h"
#include "server/operate.h"
#include "tests/e2e/world.h"

enum {
    ARENA_BYTES = 8 * 1024 * 1024,
    WAIT_MS = 10000,
    OVERLAP_MS = 10 * 60 * 1000 /* TLS certificates of tests live for days only */
};

static struct world world;
static struct cl_arena *arena;

/* -- Keys ---------------------------------------------------------------------------------------------------- */

static struct cl_signer *signer_of(uint8_t number, const char *party)
{
    uint8_t seed[CL_KEY_SEED_BYTES];
    struct cl_signer *signer = NULL;
    memset(seed, number, sizeof seed);
    assert_true(cl_is_ok(cl_signer_from_seed(&signer, seed, party)));
    return signer;
}

struct rotation {
    struct cl_key key;
    Coloan__V1__Key entry;
    Coloan__V1__KeyRotation body;
    char environment[8];
};

static void make_rotation(struct rotation *out, const struct cl_signer *fresh)
{
    int64_t now_ms = world_now_ms(&world);
    memcpy(out->environment, "test", 5);
    cl_key_describe(&out->key, fresh, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, "test", now_ms - 1000,
                    now_ms + 365 * CL_DAY_MS);
    cl_key_write(&out->entry, &out->key, out->environment);
    coloan__v1__key_rotation__init(&out->body);
    out->body.new_key = &out->entry;
    out->body.reason = COLOAN__V1__ROTATION_REASON__ROTATION_REASON_SCHEDULED;
}

static struct cl_session_call rotate_call(const struct rotation *rotation)
{
    return (struct cl_session_call){.method = CL_ROTATE_KEY_METHOD,
                                    .body = &rotation->body.base,
                                    .reply_type = &coloan__v1__key_rotation_receipt__descriptor};
}

static struct cl_status call(struct cl_answer *out, struct cl_session *session, const struct cl_session_call *what)
{
    return cl_session_call(out, session, arena, what, (struct cl_patience){.total_ms = WAIT_MS});
}

/* The number of the directory that the server gives out; 0 when it refuses the caller's signature. */
static uint64_t directory_number(struct cl_session *session)
{
    Coloan__V1__KeysQuery query = COLOAN__V1__KEYS_QUERY__INIT;
    struct cl_session_call what = {.method = "coloan.v1.Directory/GetKeys",
                                   .body = &query.base,
                                   .reply_type = &coloan__v1__keys_answer__descriptor};
    struct cl_answer answer;
    struct cl_status status = call(&answer, session, &what);
    if (status.reason == CL_KEY_UNKNOWN || status.reason == CL_KEY_NOT_VALID) {
        return 0;
    }
    assert_string_equal(cl_status_name(status), "OK");
    return ((const Coloan__V1__KeysAnswer *)answer.body)->number;
}

/* A session that signs with a key of its own. */
static struct cl_session *session_of(const char *certificate, enum world_key key, struct cl_signer *signer)
{
    struct cl_signer *usual = world.signers[key];
    world.signers[key] = signer;
    struct cl_session *session = world_session(&world, certificate, key);
    world.signers[key] = usual;
    return session;
}

/* -- Refusals ------------------------------------------------------------------------------------------------ */

static void weak(struct rotation *r)
{
    memset(r->key.public_key.bytes, 0, CL_PUBLIC_KEY_BYTES);
    r->key.public_key.bytes[0] = 1;
}
static void unproven(struct rotation *r)
{
    r->key.possession.bytes[0] ^= 1;
}
static void foreign(struct rotation *r)
{
    memcpy(r->key.party, WORLD_BETA, sizeof WORLD_BETA);
}
static void no_key(struct rotation *r)
{
    r->body.new_key = NULL;
}
static void no_reason(struct rotation *r)
{
    r->body.reason = 0;
}
static void production(struct rotation *r)
{
    memcpy(r->environment, "prod", 5);
}
static void too_late(struct rotation *r)
{
    r->entry.valid_from_ms += 100 * CL_DAY_MS;
}
static void for_ever(struct rotation *r)
{
    r->entry.valid_until_ms = INT64_MAX;
}
static void own_key(struct rotation *r)
{
    make_rotation(r, world.signers[WORLD_KEY_ALPHA]);
}
static void of_another(struct rotation *r)
{
    struct cl_signer *same = signer_of(0x40 + WORLD_KEY_BETA, WORLD_ALPHA); /* beta's public key, proven for alpha */
    make_rotation(r, same);
    cl_signer_free(same);
}

/* Covers: COL-KEY-012, COL-KEY-013 */
static void refusals_change_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*spoil)(struct rotation *rotation);
        enum cl_reason expected;
        const char *field;
    } rows[] = {
        {"weak point", weak, CL_KEY_WEAK, "new_key.public_key"},
        {"bad possession", unproven, CL_KEY_POSSESSION, "new_key.possession"},
        {"foreign party", foreign, CL_KEY_NOT_OWNED, "new_key.party"},
        {"key in use", own_key, CL_KEY_KNOWN, "new_key.public_key"},
        {"key of another", of_another, CL_KEY_KNOWN, "new_key.public_key"},
        {"no key", no_key, CL_FIELD_MISSING, "new_key"},
        {"no reason", no_reason, CL_FIELD_MISSING, "reason"},
        {"another environment", production, CL_ENVIRONMENT_WRONG, "new_key.environment"},
        {"too far ahead", too_late, CL_FIELD_INVALID, "new_key.valid_from_ms"},
        {"for ever", for_ever, CL_FIELD_INVALID, "new_key.valid_until_ms"},
    };
    struct cl_session *alpha = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    struct cl_signer *fresh = signer_of(0x70, WORLD_ALPHA);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct rotation rotation;
        struct cl_answer answer;
        make_rotation(&rotation, fresh);
        rows[i].spoil(&rotation);
        struct cl_session_call what = rotate_call(&rotation);
        struct cl_status status = call(&answer, alpha, &what);
        if (status.reason != rows[i].expected || !answer.refusal_signed || strcmp(answer.field, rows[i].field) != 0) {
            fail_msg("%s: %s, %s", rows[i].name, cl_status_name(status), answer.field);
        }
    }
    assert_int_equal(directory_number(alpha), 1);
    cl_signer_free(fresh);
    cl_session_free(alpha);
}

/* -- Offline ------------------------------------------------------------------------------------------------- */

static void export_rotations(char folder[64], const char *expected)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    struct operate operate = {.config = &world.config, .clock = &world.clock, .out = out, .err = out};
    (void)snprintf(folder, 64, "/tmp/coloan-rotate-XXXXXX");
    assert_non_null(mkdtemp(folder));
    assert_string_equal(cl_status_name(operate_export_rotations(&operate, folder)), "OK");
    assert_int_equal(fclose(out), 0);
    if (strstr(text, expected) == NULL) {
        fail_msg("%s: %s", expected, text);
    }
    free(text);
}

/* What the operator's `coloan keys issue` does with the exported file of that key. */
static void issue_next(const char *folder, const struct cl_signer *fresh)
{
    char path[160];
    uint8_t bytes[8192];
    struct cl_keydraft draft;
    struct cl_bytes directory;
    (void)snprintf(path, sizeof path, "%s/%s.rotation", folder, cl_signer_keyid(fresh)->text);
    FILE *file = fopen(path, "rbe");
    assert_non_null(file);
    size_t len = fread(bytes, 1, sizeof bytes, file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(unlink(path), 0);
    assert_true(cl_is_ok(cl_keydraft_follow(&draft, arena, world.keyring)));
    assert_string_equal(
        cl_status_name(cl_keydraft_take_rotation(&draft, arena, world.keyring, cl_bytes(bytes, len), OVERLAP_MS, NULL)),
        "OK");
    assert_true(cl_is_ok(cl_keydraft_issue(&directory, arena, &draft, world.signers[WORLD_KEY_DIRECTORY],
                                           world_now_ms(&world), cl_random_system())));
    file = fopen(world.config.directory, "wbe");
    assert_non_null(file);
    assert_int_equal(fwrite(directory.data, 1, directory.len, file), directory.len);
    assert_int_equal(fclose(file), 0);
}

/* Covers: COL-KEY-014 */
static void a_rotation_waits_for_the_operator(void **state)
{
    (void)state;
    struct cl_session *alpha = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    struct cl_signer *fresh = signer_of(0x71, WORLD_ALPHA);
    struct rotation rotation;
    struct cl_request request;
    struct cl_answer answer;
    struct cl_answer again;
    char folder[64];
    make_rotation(&rotation, fresh);
    struct cl_session_call what = rotate_call(&rotation);
    struct cl_patience patience = {.total_ms = WAIT_MS};
    assert_true(cl_is_ok(cl_session_prepare(&request, alpha, arena, &what)));
    assert_string_equal(cl_status_name(cl_session_send(&answer, alpha, arena, &request, patience)), "OK");
    const Coloan__V1__KeyRotationReceipt *receipt = (const void *)answer.body;
    assert_int_equal(receipt->state, COLOAN__V1__ROTATION_STATE__ROTATION_STATE_PENDING);
    assert_int_equal(receipt->number, 1);
    assert_int_equal(receipt->directory.len, 0);
    assert_int_equal(receipt->old_valid_until_ms, 0);
    /* The same bytes again: the same answer, byte for byte, and no second rotation. */
    assert_string_equal(cl_status_name(cl_session_send(&again, alpha, arena, &request, patience)), "OK");
    assert_true(cl_bytes_equal(answer.envelope, again.envelope));
    assert_string_equal(cl_status_name(call(&again, alpha, &what)), "KEY_KNOWN"); /* as a new message */
    export_rotations(folder, "1 pending");

    struct cl_session *next = session_of("alpha", WORLD_KEY_ALPHA, fresh);
    assert_int_equal(directory_number(next), 0); /* not yet */
    issue_next(folder, fresh);
    assert_int_equal(rmdir(folder), 0);
    struct cl_setting_error error;
    assert_string_equal(cl_status_name(coloand_reload(world.server, &error)), "OK");
    assert_int_equal(directory_number(next), 2);
    assert_int_equal(directory_number(alpha), 2); /* both, for a while */
    export_rotations(folder, "0 pending");
    assert_int_equal(rmdir(folder), 0);

    /* A retiring key may still replace itself, but not after its time. */
    __atomic_store_n(&world.ahead_ms, OVERLAP_MS, __ATOMIC_RELAXED);
    assert_int_equal(directory_number(next), 2);
    assert_int_equal(directory_number(alpha), 0);
    struct cl_signer *later = signer_of(0x72, WORLD_ALPHA);
    make_rotation(&rotation, later);
    assert_string_equal(cl_status_name(call(&again, alpha, &what)), "KEY_NOT_VALID");
    __atomic_store_n(&world.ahead_ms, 0, __ATOMIC_RELAXED);
    cl_signer_free(later);
    cl_session_free(next);
    cl_session_free(alpha);
    cl_signer_free(fresh);
}

/* Covers: COL-KEY-013 */
static void too_many_wait(void **state)
{
    (void)state;
    struct cl_session *officer = world_session(&world, "officer", WORLD_KEY_OFFICER);
    for (int i = 0; i <= CL_ROTATIONS_PENDING_MAX; i++) {
        struct cl_signer *fresh = signer_of((uint8_t)(0x80 + i), WORLD_OFFICER);
        struct rotation rotation;
        struct cl_answer answer;
        make_rotation(&rotation, fresh);
        struct cl_session_call what = rotate_call(&rotation);
        struct cl_status status = call(&answer, officer, &what);
        assert_string_equal(cl_status_name(status), i < CL_ROTATIONS_PENDING_MAX ? "OK" : "ROTATIONS_PENDING");
        cl_signer_free(fresh);
    }
    char folder[64];
    export_rotations(folder, "4 pending");
    for (int i = 0; i < CL_ROTATIONS_PENDING_MAX; i++) {
        struct cl_signer *fresh = signer_of((uint8_t)(0x80 + i), WORLD_OFFICER);
        char path[160];
        (void)snprintf(path, sizeof path, "%s/%s.rotation", folder, cl_signer_keyid(fresh)->text);
        assert_int_equal(unlink(path), 0);
        cl_signer_free(fresh);
    }
    assert_int_equal(rmdir(folder), 0);
    cl_session_free(officer);
}

/* -- Issued at once ------------------------------------------------------------------------------------------ */

static uint64_t number_in_file(void)
{
    static uint8_t bytes[CL_MESSAGE_BYTES_MAX];
    struct cl_directory_trust trust = {.public_key = *cl_signer_public_key(world.signers[WORLD_KEY_DIRECTORY]),
                                       .centre = WORLD_CENTRE,
                                       .environment = "test"};
    struct cl_keyring *keyring = NULL;
    FILE *file = fopen(world.config.directory, "rbe");
    assert_non_null(file);
    size_t len = fread(bytes, 1, sizeof bytes, file);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(cl_status_name(cl_keyring_load(&keyring, cl_bytes(bytes, len), &trust, NULL)), "OK");
    uint64_t number = cl_keyring_number(keyring);
    cl_keyring_unref(keyring);
    return number;
}

/* Covers: COL-KEY-014 */
static void a_server_with_the_key_issues_at_once(void **state)
{
    (void)state;
    world.config.directory_signing_key = strdup(pki_files_path(&world.files, "directory.key"));
    world_restart(&world);
    struct cl_session *beta = world_session(&world, "beta", WORLD_KEY_BETA);
    struct cl_signer *fresh = signer_of(0x73, WORLD_BETA);
    struct cl_session *next = session_of("beta", WORLD_KEY_BETA, fresh);
    uint64_t before = directory_number(beta);
    struct rotation rotation;
    struct cl_answer answer;
    make_rotation(&rotation, fresh);
    struct cl_session_call what = rotate_call(&rotation);
    assert_string_equal(cl_status_name(call(&answer, beta, &what)), "OK");
    const Coloan__V1__KeyRotationReceipt *receipt = (const void *)answer.body;
    assert_int_equal(receipt->state, COLOAN__V1__ROTATION_STATE__ROTATION_STATE_ISSUED);
    assert_int_equal(receipt->number, before + 1);
    assert_true(receipt->directory.len > 0);
    assert_int_equal(receipt->old_valid_until_ms, rotation.key.valid_from_ms + world.config.key_overlap_ms);
    assert_int_equal(directory_number(next), before + 1); /* in force when it is told */
    assert_int_equal(directory_number(beta), before + 1);
    assert_string_equal(cl_status_name(call(&answer, beta, &what)), "KEY_KNOWN");
    assert_int_equal(directory_number(beta), before + 1);

    /* The file follows; when it did not, the database knows better. */
    assert_int_equal(number_in_file(), before);
    world_restart(&world);
    assert_int_equal(number_in_file(), before + 1);
    cl_session_free(beta);
    cl_session_free(next);
    next = session_of("beta", WORLD_KEY_BETA, fresh);
    assert_int_equal(directory_number(next), before + 1);
    cl_session_free(next);
    cl_signer_free(fresh);
}

/* Of several servers on a database one issues; the others do not wait for a file. */
static void another_server_on_the_database_takes_it_over(void **state)
{
    (void)state;
    if (world_on_file(&world)) {
        skip(); /* a file has one server */
    }
    struct coloand *other = NULL;
    struct cl_setting_error error;
    const struct coloand_options options = {.config = &world.config, .clock = &world.clock};
    assert_true(cl_is_ok(coloand_start(&other, &options, &error)));
    char target[32];
    (void)snprintf(target, sizeof target, "127.0.0.1:%u", coloand_port(other));
    struct cl_session *channel = world_session_at(&world, target, "channel", WORLD_KEY_CHANNEL);
    struct cl_session *alpha = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    uint64_t before = directory_number(channel);
    struct cl_signer *fresh = signer_of(0x75, WORLD_ALPHA);
    struct rotation rotation;
    struct cl_answer answer;
    make_rotation(&rotation, fresh);
    struct cl_session_call what = rotate_call(&rotation);
    assert_string_equal(cl_status_name(call(&answer, alpha, &what)), "OK");
    int64_t end_ms = cl_clock_monotonic_ms(cl_clock_system()) + WAIT_MS;
    while (directory_number(channel) == before && cl_clock_monotonic_ms(cl_clock_system()) < end_ms) {
        coloand_tick(other);
    }
    assert_int_equal(directory_number(channel), before + 1);
    cl_session_free(channel);
    cl_session_free(alpha);
    cl_signer_free(fresh);
    coloand_stop(other);
    coloand_tick(world.server);
}

static void the_file_that_fell_behind_is_written_again(void **state)
{
    (void)state;
    struct cl_session *channel = world_session(&world, "channel", WORLD_KEY_CHANNEL);
    uint64_t before = directory_number(channel);
    struct cl_bytes old = cl_keyring_directory(world.keyring); /* number 1 */
    struct cl_setting_error error;
    FILE *file = fopen(world.config.directory, "wbe");
    assert_non_null(file);
    assert_int_equal(fwrite(old.data, 1, old.len, file), old.len);
    assert_int_equal(fclose(file), 0);
    assert_string_equal(cl_status_name(coloand_reload(world.server, &error)), "OK");
    assert_int_equal(directory_number(channel), before);
    coloand_tick(world.server);
    assert_int_equal(number_in_file(), before);
    cl_session_free(channel);
}

/* Without the server's own, a number is never gone back on; nor is another directory of the same number taken. */
static void an_older_file_is_refused(void **state)
{
    (void)state;
    char *wrong = strdup(pki_files_path(&world.files, "beta-sign.key"));
    const char *right = world.config.directory_signing_key;
    struct cl_setting_error error;
    world.config.directory_signing_key = wrong;
    assert_string_equal(cl_status_name(coloand_check(&world.config, &error)), "CONFIG_INVALID");
    assert_non_null(strstr(error.text, "not the private half"));
    world.config.directory_signing_key = "/nonexistent/key";
    assert_string_equal(cl_status_name(coloand_check(&world.config, &error)), "KEY_FILE_MISSING");
    world.config.directory_signing_key = right;
    free(wrong);
}

/* -- Operators ----------------------------------------------------------------------------------------------- */

static void the_running_server_owns_its_store(void **state)
{
    (void)state;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    struct operate operate = {.config = &world.config, .clock = &world.clock, .out = out, .err = out};
    /* A cluster is shared: an erasure goes beside the servers, a change of the master key does not. */
    assert_string_equal(cl_status_name(operate_erase(&operate, "01890a5d-ac96-774b-bcce-b302099a8057")),
                        world_on_file(&world) ? "CONFIG_INVALID" : "APPLICATION_UNKNOWN");
    assert_string_equal(cl_status_name(operate_rekey_vault(&operate, "/nonexistent/key")), "CONFIG_INVALID");
    assert_int_equal(fclose(out), 0);
    assert_true(strstr(text, "Stop the coloand") != NULL || !world_on_file(&world));
    assert_non_null(strstr(text, "--make-master-key"));
    free(text);
}

static int begin(void **state)
{
    (void)state;
    return cl_is_ok(cl_arena_create(&arena, ARENA_BYTES)) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    cl_arena_free(arena);
    return 0;
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct world_options options = {.authority_delay_ms = 0};
    world_open(&world, &options);
    const struct CMUnitTest tests[] = {
        ONE(refusals_change_nothing),
        ONE(a_rotation_waits_for_the_operator),
        ONE(too_many_wait),
        ONE(a_server_with_the_key_issues_at_once),
        ONE(another_server_on_the_database_takes_it_over),
        ONE(the_file_that_fell_behind_is_written_again),
        ONE(an_older_file_is_refused),
        ONE(the_running_server_owns_its_store),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    char *key = (char *)(uintptr_t)world.config.directory_signing_key;
    world_close(&world);
    free(key);
    return failed;
}
