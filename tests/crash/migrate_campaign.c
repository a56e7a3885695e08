/* migrate_campaign: a database is brought to the schema of this program, and two invented migrations further, and the
 * program dies on the way: at its n-th statement, or at the n-th change of its files, where the power may go as well. It
 * then has to open again, go on, and end at the same schema with the same rows as without.
 *
 * Odd runs die at a statement, even ones at a change. When neither comes up any more, the campaign ends by itself. */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/log.h"
#include "libcoloan/sha256.h"
#include "server/store/schema.h"
#include "tests/support/campaign.h"
#include "tests/support/power_vfs.h"
#include "tests/support/store_fixture.h"

enum { WAYS = 2, MIGRATIONS_MAX = 64, KILLED_AGAIN_ONE_IN = 3, CALLS_AGAIN = 60, TEXT_BYTES = 512 * 1024 };

/* What later versions do: a column, an index; and a table that is made anew with its rows. */
#define ADDITIONS                                                                                                      \
    "INSERT INTO officer_counts (officer, step, count) VALUES ('a', 1, 1), ('b', 2, 7);"                               \
    "ALTER TABLE officer_counts ADD COLUMN since_ms INTEGER NOT NULL DEFAULT 0;"                                       \
    "CREATE INDEX officer_counts_since ON officer_counts (since_ms);"                                                  \
    "UPDATE officer_counts SET since_ms = count * 10;"
static const char additions[] = ADDITIONS;
/* The planted fault: each statement is durable by itself. */
static const char in_pieces[] = "COMMIT;" ADDITIONS "BEGIN IMMEDIATE;";
static const char rebuilt[] =
    "CREATE TABLE officer_sums (officer TEXT NOT NULL, step INTEGER NOT NULL,"
    " sum INTEGER NOT NULL, since_ms INTEGER NOT NULL, PRIMARY KEY (officer, step)) STRICT;"
    "INSERT INTO officer_sums SELECT officer, step, count, since_ms FROM officer_counts;"
    "DROP TRIGGER officer_actions_count;"
    "DROP TABLE officer_counts;"
    "ALTER TABLE officer_sums RENAME TO officer_counts;"
    "CREATE TRIGGER officer_counts_grow BEFORE UPDATE ON officer_counts WHEN NEW.sum < OLD.sum"
    " BEGIN SELECT RAISE(ABORT, 'sums grow'); END;";

static struct campaign campaign;
static char folder[64], path[96];
static struct schema_migration migrations[MIGRATIONS_MAX];
static size_t migration_count;
static struct cl_digest expected;
static bool through[WAYS];
static uint64_t statements_left; /* until it dies; 0: it does not */
static bool planted;

static uint64_t deaths_at_statements, deaths_at_changes, died_again, last_place;

static const struct campaign_count told[] = {
    {"deaths_at_statements", &deaths_at_statements},
    {"deaths_at_changes", &deaths_at_changes},
    {"died_again", &died_again},
    {"last_place", &last_place},
};

/* -- Statements ----------------------------------------------------------------------------------------------- */

static int count_statement(unsigned kind, void *user, void *statement, void *text)
{
    (void)kind;
    (void)user;
    (void)statement;
    const char *sql = text;
    if (statements_left > 0 && strncmp(sql, "--", 2) != 0 && --statements_left == 0) { /* "--": inside a trigger */
        power_vfs_cut();
    }
    return 0;
}

static int watch_statements(sqlite3 *database, const char **error, const struct sqlite3_api_routines *api)
{
    (void)error;
    (void)api;
    return sqlite3_trace_v2(database, SQLITE_TRACE_STMT, count_statement, NULL);
}

/* -- One migration -------------------------------------------------------------------------------------------- */

static struct cl_status migrate(struct cl_digest *digest_out)
{
    struct sql_health health = {.failed = false};
    struct sql *sql = NULL;
    struct cl_status status = sql_open(&sql, path, SQL_WRITE, &health);
    if (cl_is_ok(status)) {
        status = schema_migrate(sql, migrations, migration_count, 1);
    }
    if (cl_is_ok(status)) {
        status = sql_checkpoint(sql, true);
    }
    if (cl_is_ok(status) && digest_out != NULL) {
        status = sql_check(sql);
    }
    sql_close(sql);
    return status;
}

/* Everything the schema says, and the rows that were moved. */
static struct cl_digest digest_of_schema(void)
{
    static const char query[] = "SELECT type || name || tbl_name || coalesce(sql, '') FROM sqlite_schema"
                                " UNION ALL SELECT number || name || hex(digest) FROM migrations"
                                " UNION ALL SELECT officer || step || sum || since_ms FROM officer_counts ORDER BY 1";
    static char text[TEXT_BYTES];
    size_t len = 0;
    sqlite3 *database = NULL;
    sqlite3_stmt *row = NULL;
    struct cl_digest digest = {{0}};
    if (sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
        sqlite3_prepare_v2(database, query, -1, &row, NULL) == SQLITE_OK) {
        while (sqlite3_step(row) == SQLITE_ROW && len < sizeof text) {
            len += (size_t)snprintf(text + len, sizeof text - len, "%s\n", (const char *)sqlite3_column_text(row, 0));
        }
    }
    (void)sqlite3_finalize(row);
    (void)sqlite3_close(database);
    cl_sha256(&digest, cl_bytes(text, len));
    return digest;
}

static void begin_anew(void)
{
    fixture_remove_folder(folder);
    fixture_make_folder(folder);
    (void)snprintf(path, sizeof path, "%s/coloan.db", folder);
    power_vfs_set_disk(NULL);
}

static void arm(size_t way, uint64_t at)
{
    struct power_fault fault = {
        .calls = POWER_CHANGES, .at = way == 1 ? at : 0, .effect = POWER_CUT, .code = SQLITE_IOERR};
    power_vfs_arm(&fault);
    statements_left = way == 0 ? at : 0;
}

/* Whether it died. A process that is killed leaves what it wrote; the power may take of it. */
static bool die(uint64_t *dice, size_t way, uint64_t at)
{
    arm(way, at);
    struct cl_status status = migrate(NULL);
    bool died = power_vfs_strike().struck;
    statements_left = 0;
    if (cl_failed(status) != died && !(died && cl_is_ok(status))) {
        campaign_violated(&campaign, "it ended with %s", cl_status_name(status));
    }
    power_vfs_restore((enum power_remains)campaign_dice(dice, POWER_REMAINS_COUNT), dice);
    return died;
}

static void run_one(size_t way, uint64_t at)
{
    struct cl_digest digest = {{0}};
    uint64_t dice = campaign_seed_of_run(&campaign);
    begin_anew();
    bool died = die(&dice, way, at);
    deaths_at_statements += died && way == 0;
    deaths_at_changes += died && way == 1;
    through[way] = !died;
    while (campaign_dice(&dice, KILLED_AGAIN_ONE_IN) == 0) {
        died_again += die(&dice, 1, 1 + campaign_dice(&dice, CALLS_AGAIN));
    }
    struct cl_status status = migrate(&digest);
    if (cl_failed(status)) {
        campaign_violated(&campaign, "it does not go on: %s", cl_status_name(status));
        return;
    }
    digest = digest_of_schema();
    if (!cl_digest_equal(&digest, &expected)) {
        campaign_violated(&campaign, "it ended at another schema or with other rows");
    }
}

/* -- The whole ------------------------------------------------------------------------------------------------ */

static void collect_migrations(void)
{
    for (size_t i = 0; i < schema_migration_count; i++) {
        migrations[migration_count++] = schema_migrations[i];
    }
    const char *const invented[] = {planted ? in_pieces : additions, rebuilt};
    for (size_t i = 0; i < sizeof invented / sizeof invented[0]; i++) {
        migrations[migration_count] = (struct schema_migration){(int)migration_count + 1, "invented", invented[i]};
        migration_count++;
    }
}

static void run_all(void)
{
    fixture_make_folder(folder);
    begin_anew();
    struct cl_digest digest;
    if (cl_failed(migrate(&digest))) {
        campaign_violated(&campaign, "the migrations are wrong");
        return;
    }
    expected = digest_of_schema();
    while (!(through[0] && through[1]) && campaign_next(&campaign)) {
        size_t way = (campaign.run - 1) % WAYS;
        last_place = (campaign.run - 1) / WAYS + 1;
        if (!through[way]) {
            run_one(way, last_place);
        }
    }
    if (through[0] && through[1]) {
        campaign_complete(&campaign);
    }
}

static const struct campaign_option options[] = {
    {"plant", NULL, "makes one migration without a transaction, which has to be found", .flag = &planted},
};

static const struct campaign_plan plan = {
    .name = "migrate",
    .purpose = "a migration dies at every statement and every change of its files, and goes on to the same schema",
    .a_run = "one death and what follows; it ends by itself when there is no further place",
    .runs = 100000,
    .examples = "  ./dev campaign migrate\n"
                "  ./dev campaign migrate --first 301 --runs 100\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .counts = told,
    .count_count = sizeof told / sizeof told[0],
};

int main(int argc, char **argv)
{
    int result = EXIT_FAILURE;
    if (!campaign_begin(&campaign, &result, &plan, argc, argv)) {
        return result;
    }
    cl_log_set_level(CL_LOG_NONE); /* thousands of errors are made on purpose */
    power_vfs_install();
    (void)sqlite3_auto_extension((void (*)(void))watch_statements);
    collect_migrations();
    run_all();
    result = campaign_end(&campaign);
    fixture_remove_folder(folder);
    power_vfs_remove();
    return result;
}
