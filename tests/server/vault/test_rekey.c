/* A change of the master key: whole, refused, and killed anywhere. A child process with a store of its own runs it and
 * is killed; then every value still opens, under the new key once it is finished and under no other. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/vault/rekey.h"
#include "tests/support/store_fixture.h"

enum { APPLICATIONS = 3 * VAULT_REKEY_STEP + 10, ERASED = 7, KILLS = 12, STEPS = 6 };

struct bench {
    struct store_fixture *fixture;
    char folder[64];
    char paths[3][96];
    struct vault *vaults[3]; /* the old, the new, a third */
    uint8_t blind[VAULT_BLIND_BYTES];
};

static const char *id_of(int number)
{
    static char id[40];
    (void)snprintf(id, sizeof id, "01890a5d-ac96-774b-bcce-%012d", number);
    return id;
}

static void open_vaults(struct bench *bench)
{
    for (int i = 0; i < 3; i++) {
        assert_int_equal(vault_open(&bench->vaults[i], bench->paths[i]).reason, CL_OK);
    }
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    bench->fixture = store_fixture_create();
    fixture_make_folder(bench->folder);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(bench->paths[i], sizeof bench->paths[i], "%s/%d.key", bench->folder, i);
        assert_int_equal(vault_key_generate(bench->paths[i]).reason, CL_OK);
    }
    open_vaults(bench);
    struct store_tx *tx = store_fixture_begin(bench->fixture);
    assert_int_equal(vault_attach(bench->vaults[0], tx).reason, CL_OK);
    for (int i = 0; i < APPLICATIONS; i++) {
        char text[32];
        struct vault_value value = {.path = "persons[0].name"};
        (void)snprintf(text, sizeof text, "value %d", i);
        value.value = cl_bytes_text(text);
        assert_int_equal(vault_put(tx, bench->vaults[0], id_of(i), &value, 1).reason, CL_OK);
    }
    assert_int_equal(vault_erase(tx, id_of(ERASED)).reason, CL_OK);
    assert_int_equal(store_fixture_end(bench->fixture, cl_ok()).reason, CL_OK);
    vault_blind(bench->blind, bench->vaults[0], VAULT_ID_NUMBER, cl_bytes_text("990101199603150019"));
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    for (int i = 0; i < 3; i++) {
        vault_close(bench->vaults[i]);
    }
    store_fixture_free(bench->fixture);
    fixture_remove_folder(bench->folder);
    free(bench);
    return 0;
}

static struct cl_status apply_step(void *user, struct store_tx *tx)
{
    return vault_rekey_step(user, tx);
}

/* At most `steps` of them; returns how many. */
static int run_steps(struct cl_status *status_out, struct vault_rekey *rekey, struct store *store, int steps)
{
    int done = 0;
    *status_out = cl_ok();
    while (done < steps && cl_is_ok(*status_out) && !rekey->finished) {
        *status_out = store_run(store, apply_step, rekey);
        done++;
    }
    return done;
}

static struct cl_status attach(void *user, struct store_tx *tx)
{
    return vault_attach(user, tx);
}

/* Everything is there under the new key, at its old place, and nothing under the old one. */
static void assert_changed(struct bench *bench)
{
    struct store *store = store_fixture_store(bench->fixture);
    struct cl_arena *arena = store_fixture_arena(bench->fixture);
    struct vault_values values;
    uint8_t blind[VAULT_BLIND_BYTES];
    assert_int_equal(store_run(store, attach, bench->vaults[0]).reason, CL_CONFIG_INVALID);
    assert_int_equal(store_run(store, attach, bench->vaults[1]).reason, CL_OK);
    vault_blind(blind, bench->vaults[1], VAULT_ID_NUMBER, cl_bytes_text("990101199603150019"));
    assert_memory_equal(blind, bench->blind, sizeof blind);
    struct store_tx *tx = store_fixture_begin(bench->fixture);
    for (int i = 0; i < APPLICATIONS; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "value %d", i);
        cl_arena_reset(arena);
        assert_int_equal(vault_list(&values, store_tx_sql(tx), bench->vaults[1], arena, id_of(i)).reason, CL_OK);
        assert_int_equal(values.count, i == ERASED ? 0 : 1);
        if (i != ERASED) {
            assert_true(cl_bytes_equal(values.values[0].value, cl_bytes_text(text)));
            assert_int_equal(vault_list(&values, store_tx_sql(tx), bench->vaults[0], arena, id_of(i)).reason,
                             CL_VAULT_CORRUPT);
        }
    }
    assert_int_equal(store_fixture_end(bench->fixture, cl_ok()).reason, CL_OK);
}

static void a_master_key_is_changed_in_steps(void **state)
{
    struct bench *bench = *state;
    struct cl_status status;
    struct store *store = store_fixture_store(bench->fixture);
    struct vault_rekey rekey = {.old = bench->vaults[0], .fresh = bench->vaults[1]};
    assert_int_equal(run_steps(&status, &rekey, store, 2), 2); /* begun, and one step done */
    assert_int_equal(status.reason, CL_OK);
    assert_int_equal(rekey.wrapped, VAULT_REKEY_STEP);
    /* Meanwhile the database is nobody's, and no third key comes in. */
    assert_int_equal(store_run(store, attach, bench->vaults[0]).reason, CL_STATE_CONFLICT);
    assert_int_equal(store_run(store, attach, bench->vaults[1]).reason, CL_STATE_CONFLICT);
    struct vault_rekey third = {.old = bench->vaults[0], .fresh = bench->vaults[2]};
    assert_int_equal(store_run(store, apply_step, &third).reason, CL_STATE_CONFLICT);
    struct vault_rekey back = {.old = bench->vaults[1], .fresh = bench->vaults[0]};
    assert_int_equal(store_run(store, apply_step, &back).reason, CL_CONFIG_INVALID);
    /* Another run begins at the first application again and finds the rest. */
    struct vault_rekey again = {.old = bench->vaults[0], .fresh = bench->vaults[1]};
    (void)run_steps(&status, &again, store, STEPS);
    assert_int_equal(status.reason, CL_OK);
    assert_true(again.finished);
    assert_int_equal(again.wrapped, APPLICATIONS - 1 - VAULT_REKEY_STEP);
    assert_changed(bench);
    struct vault_rekey once_more = {.old = bench->vaults[0], .fresh = bench->vaults[1]};
    assert_int_equal(run_steps(&status, &once_more, store, STEPS), 1);
    assert_true(once_more.finished);
    assert_int_equal(once_more.wrapped, 0);
}

static void keys_that_do_not_fit_are_refused(void **state)
{
    struct bench *bench = *state;
    struct store *store = store_fixture_store(bench->fixture);
    struct vault_rekey same = {.old = bench->vaults[0], .fresh = bench->vaults[0]};
    struct vault_rekey foreign = {.old = bench->vaults[2], .fresh = bench->vaults[1]};
    assert_int_equal(store_run(store, apply_step, &same).reason, CL_CONFIG_INVALID);
    assert_int_equal(store_run(store, apply_step, &foreign).reason, CL_CONFIG_INVALID);
    assert_int_equal(store_run(store, attach, bench->vaults[0]).reason, CL_OK); /* as it was */
}

static struct cl_status spoil(void *user, struct store_tx *tx)
{
    return sql_script(store_tx_sql(tx), *(const char *const *)user);
}

static void a_damaged_key_stops_it_and_an_erasure_lets_it_go_on(void **state)
{
    struct bench *bench = *state;
    static const char *damages[] = {
        "UPDATE vault_keys SET wrapped = zeroblob(72) WHERE application_id LIKE '%000000000300'",
        "UPDATE vault_keys SET wrapped = zeroblob(1) WHERE application_id LIKE '%000000000300'",
        "UPDATE vault_keys SET master_id = zeroblob(16) WHERE application_id LIKE '%000000000300'",
    };
    struct store *store = store_fixture_store(bench->fixture);
    struct cl_status status;
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        const struct vault *old = bench->vaults[i % 2];
        struct vault_rekey rekey = {.old = old, .fresh = bench->vaults[(i + 1) % 2]};
        struct vault_value value = {.path = "a", .value = cl_bytes_text("value 300")};
        assert_int_equal(store_run(store, spoil, &damages[i]).reason, CL_OK);
        (void)run_steps(&status, &rekey, store, STEPS);
        assert_int_equal(status.reason, CL_VAULT_CORRUPT);
        assert_false(rekey.finished);
        struct store_tx *tx = store_fixture_begin(bench->fixture);
        assert_int_equal(vault_erase(tx, id_of(300)).reason, CL_OK);
        assert_int_equal(store_fixture_end(bench->fixture, cl_ok()).reason, CL_OK);
        (void)run_steps(&status, &rekey, store, STEPS);
        assert_int_equal(status.reason, CL_OK);
        assert_true(rekey.finished);
        tx = store_fixture_begin(bench->fixture);
        assert_int_equal(
            sql_script(store_tx_sql(tx), "DELETE FROM vault_keys WHERE application_id LIKE '%000000000300'").reason,
            CL_OK);
        assert_int_equal(vault_put(tx, bench->vaults[(i + 1) % 2], id_of(300), &value, 1).reason, CL_OK);
        assert_int_equal(store_fixture_end(bench->fixture, cl_ok()).reason, CL_OK);
    }
}

/* -- Killed -------------------------------------------------------------------------------------------------- */

/* In a child: a store of its own on the fixture's file, and steps until it is killed or done. `die_after` steps it kills
 * itself, between two transactions. */
static void run_child(const struct bench *bench, int die_after)
{
    struct store *store = NULL;
    struct store_options options = {.address = store_fixture_address(bench->fixture), .clock = cl_clock_system()};
    struct vault_rekey rekey = {.old = bench->vaults[0], .fresh = bench->vaults[1]};
    struct cl_status status = store_open(&store, &options);
    if (cl_failed(status)) {
        _exit(3);
    }
    (void)run_steps(&status, &rekey, store, die_after);
    if (!rekey.finished) {
        (void)kill(getpid(), SIGKILL);
    }
    store_close(store);
    _exit(cl_is_ok(status) ? 0 : 4);
}

/* True when it finished. */
static bool run_and_kill(struct bench *bench, int die_after, unsigned kill_after_us)
{
    int result = 0;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        run_child(bench, die_after);
    }
    if (kill_after_us > 0) {
        (void)usleep(kill_after_us);
        (void)kill(child, SIGKILL);
    }
    while (waitpid(child, &result, 0) < 0) {
        assert_int_equal(errno, EINTR);
    }
    if (WIFSIGNALED(result)) {
        assert_int_equal(WTERMSIG(result), SIGKILL);
        return false;
    }
    assert_int_equal(WEXITSTATUS(result), 0);
    return true;
}

static void killed_between_steps_it_goes_on(void **state)
{
    struct bench *bench = *state;
    bool finished = false;
    store_fixture_release(bench->fixture);
    for (int died = 1; !finished; died++) {
        finished = run_and_kill(bench, 2, 0); /* each run begins and does one step, or two */
        assert_true(died <= 2 * STEPS);
    }
    store_fixture_reopen(bench->fixture);
    assert_changed(bench);
}

static void killed_at_any_moment_it_goes_on(void **state)
{
    struct bench *bench = *state;
    bool finished = false;
    store_fixture_release(bench->fixture);
    for (unsigned i = 0; i < KILLS && !finished; i++) {
        finished = run_and_kill(bench, 1000, 1000 + 1500 * i); /* in the opening, in a step, in a commit */
    }
    finished = finished || run_and_kill(bench, 1000, 0);
    assert_true(finished);
    store_fixture_reopen(bench->fixture);
    assert_changed(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_master_key_is_changed_in_steps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_that_do_not_fit_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_key_stops_it_and_an_erasure_lets_it_go_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(killed_between_steps_it_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(killed_at_any_moment_it_goes_on, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
