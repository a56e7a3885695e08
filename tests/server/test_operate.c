/* The operator's commands on a database at rest: what they do, what they refuse, and that a refusal leaves everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/domain/lifecycle.h"
#include "server/operate.h"
#include "server/vault/vault.h"
#include "tests/support/postgres.h"
#include "tests/support/store_fixture.h"

enum { ENDED = 1, OPEN = 2 };

static struct store_fixture *fixture;
static char folder[64], keys[3][96];
static struct config config;
static char *said;

static void run(struct cl_status (*command)(const struct operate *operate, const char *argument), const char *argument,
                enum cl_reason expected, const char *words)
{
    size_t len = 0;
    free(said);
    said = NULL;
    FILE *out = open_memstream(&said, &len);
    struct operate operate = {.config = &config, .clock = cl_clock_system(), .out = out, .err = out};
    struct cl_status status = command(&operate, argument);
    assert_int_equal(fclose(out), 0);
    if (status.reason != expected || strstr(said, words) == NULL) {
        fail_msg("%s: %s: %s", argument, cl_status_name(status), said);
    }
}

static int set_up(void **state)
{
    (void)state;
    struct vault *vault = NULL;
    fixture = store_fixture_create();
    fixture_make_folder(folder);
    for (int i = 0; i < 3; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "%s/%d.key", folder, i);
        assert_int_equal(vault_key_generate(keys[i]).reason, CL_OK);
    }
    assert_int_equal(vault_open(&vault, keys[0]).reason, CL_OK);
    struct store_tx *tx = store_fixture_begin(fixture);
    assert_int_equal(vault_attach(vault, tx).reason, CL_OK);
    for (unsigned i = ENDED; i <= OPEN; i++) {
        const struct vault_value value = {.path = "persons[0].name", .value = cl_bytes_text("a name")};
        struct application_row row = fixture_application(i);
        fixture_add_application(tx, i);
        row.next_actor = i == ENDED ? ACTOR_NOBODY : ACTOR_BANK;
        assert_int_equal(applications_update(tx, &row).reason, CL_OK);
        assert_int_equal(vault_put(tx, vault, fixture_application_id(i), &value, 1).reason, CL_OK);
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
    vault_close(vault);
    config = (struct config){.database = store_fixture_address(fixture), .master_key = keys[0]};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_fixture_free(fixture);
    fixture_remove_folder(folder);
    free(said);
    said = NULL;
    return 0;
}

/* Values of the application under that master key; -1 when the database is not that key's. */
static int values_of(const char *key, unsigned application)
{
    struct vault *vault = NULL;
    struct vault_values values = {.count = 0};
    store_fixture_reopen(fixture);
    assert_int_equal(vault_open(&vault, key).reason, CL_OK);
    struct store_tx *tx = store_fixture_begin(fixture);
    struct cl_status status = vault_attach(vault, tx);
    if (cl_is_ok(status)) {
        assert_int_equal(vault_list(&values, store_tx_sql(tx), vault, store_fixture_arena(fixture),
                                    fixture_application_id(application))
                             .reason,
                         CL_OK);
    }
    assert_int_equal(store_fixture_end(fixture, cl_ok()).reason, CL_OK);
    vault_close(vault);
    store_fixture_release(fixture);
    return cl_is_ok(status) ? (int)values.count : -1;
}

static void only_what_has_ended_is_erased(void **state)
{
    (void)state;
    if (!fixture_on_postgres()) { /* the fixture owns its file; a cluster is shared */
        run(operate_erase, fixture_application_id(ENDED), CL_CONFIG_INVALID, "Stop the coloand");
    }
    store_fixture_release(fixture);
    run(operate_erase, fixture_application_id(OPEN), CL_STATE_CONFLICT, "Only what has ended");
    run(operate_erase, fixture_application_id(9), CL_APPLICATION_UNKNOWN, "no such application");
    run(operate_erase, "", CL_APPLICATION_UNKNOWN, "no such application");
    assert_int_equal(values_of(keys[0], ENDED), 1);
    run(operate_erase, fixture_application_id(ENDED), CL_OK, "erased");
    assert_int_equal(values_of(keys[0], ENDED), 0);
    assert_int_equal(values_of(keys[0], OPEN), 1);
    run(operate_erase, fixture_application_id(ENDED), CL_OK, "erased"); /* again is harmless */
}

static void a_master_key_is_changed(void **state)
{
    (void)state;
    char missing[128];
    (void)snprintf(missing, sizeof missing, "%s/none.key", folder);
    run(operate_rekey_vault, keys[1], CL_CONFIG_INVALID, "Stop the coloand");
    store_fixture_release(fixture);
    run(operate_rekey_vault, missing, CL_CONFIG_INVALID, "--make-master-key");
    run(operate_rekey_vault, keys[0], CL_CONFIG_INVALID, "the other a new one");
    config.master_key = keys[2];
    run(operate_rekey_vault, keys[1], CL_CONFIG_INVALID, "has to be the database's");
    config.master_key = missing;
    run(operate_rekey_vault, keys[1], CL_CONFIG_INVALID, "--make-master-key");
    config.master_key = keys[0];
    assert_int_equal(values_of(keys[0], OPEN), 1);
    run(operate_rekey_vault, keys[1], CL_OK, "2 keys wrapped anew");
    assert_int_equal(values_of(keys[0], OPEN), -1);
    assert_int_equal(values_of(keys[1], OPEN), 1);
    run(operate_rekey_vault, keys[1], CL_OK, "0 keys wrapped anew"); /* again is harmless */
    run(operate_rekey_vault, keys[2], CL_CONFIG_INVALID, "has to be the database's");
}

static void a_store_moves_into_an_empty_cluster(void **state)
{
    (void)state;
    struct postgres_server server;
    char address[POSTGRES_URI_BYTES];
    run(operate_move, "postgresql://coloan:secret@/x?host=/run", CL_CONFIG_INVALID, "password");
    if (!postgres_server_shared(&server)) {
        return;
    }
    postgres_database_create(address, &server);
    run(operate_move, address, CL_CONFIG_INVALID, "out of use"); /* the fixture has it open */
    store_fixture_release(fixture);
    run(operate_move, address, CL_OK, "the same on both sides");
    assert_non_null(strstr(said, "messages"));
    run(operate_move, address, CL_CONFIG_INVALID, "empty");
    config.database = address;
    run(operate_erase, fixture_application_id(ENDED), CL_OK, "erased");
    postgres_database_drop(address);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_what_has_ended_is_erased, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_master_key_is_changed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_store_moves_into_an_empty_cluster, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
