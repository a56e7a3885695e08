/* One pass over each kind of row, in one read transaction. */
#include "server/verify/verify.h"

#include <inttypes.h>
#include <stdlib.h>

#include "server/store/schema.h"
#include "server/verify/rows.h"

/* -- Directories --------------------------------------------------------------------------------------------- */

static struct cl_status check_directory(struct verify *verify, struct sql_statement *statement)
{
    struct cl_keyring *keyring = NULL;
    int64_t number = sql_column_i64(statement, 0);
    struct cl_status status = cl_keyring_load(&keyring, sql_column_bytes(statement, 1), verify->options->trust, NULL);
    if (cl_failed(status)) {
        verify_fault(verify, "directory %" PRId64 " does not verify: %s", number, cl_status_name(status));
        return cl_ok();
    }
    if (cl_keyring_number(keyring) > cl_keyring_number(verify->keyring)) {
        cl_keyring_unref(verify->keyring);
        verify->keyring = cl_keyring_ref(keyring);
    }
    cl_keyring_unref(keyring);
    return cl_ok();
}

/* The newest one holds every key there ever was. */
static struct cl_status check_directories(struct verify *verify)
{
    static const char text[] = "SELECT number, envelope FROM directories";
    struct cl_status status = verify_each(verify, text, "directories", check_directory);
    verify->report->directory = cl_keyring_number(verify->keyring);
    return status;
}

/* -- All of it ----------------------------------------------------------------------------------------------- */

static struct cl_status check_file(struct verify *verify)
{
    struct sql *sql = verify->options->sql;
    static const char text[] = "SELECT coalesce(max(number), 0) FROM migrations";
    int64_t migration = 0;
    (void)fprintf(verify->options->progress, "coloand: verifying the file's pages and references\n");
    struct cl_status status = sql_check(sql);
    if (cl_is_ok(status)) {
        status = sql_ask_number(&migration, verify->options->sql, text);
    }
    if (cl_failed(status)) {
        verify_fault(verify, "SQLite finds the file damaged, or it is none of ours; nothing else was looked at");
        return status;
    }
    if (migration != (int64_t)schema_migration_count) {
        verify_fault(verify,
                     "its schema is that of migration %" PRId64 ", this program's of %zu; nothing else was looked at",
                     migration, schema_migration_count);
        return cl_fail(CL_CONFIG_INVALID);
    }
    return cl_ok();
}

static struct cl_status check_all(struct verify *verify, struct cl_arena *arena)
{
    if (cl_failed(check_file(verify))) {
        return cl_ok(); /* it is told, and no call reaches a damaged file any more */
    }
    struct cl_status status = inventory_take(&verify->report->inventory, verify->options->sql, arena);
    if (cl_is_ok(status)) {
        status = check_directories(verify);
    }
    if (cl_is_ok(status)) {
        status = verify_messages(verify);
    }
    if (cl_is_ok(status)) {
        status = verify_outbox(verify);
    }
    if (cl_is_ok(status)) {
        status = verify_delivery(verify);
    }
    if (cl_is_ok(status)) {
        status = verify_decisions(verify);
    }
    return cl_is_ok(status) ? verify_vault(verify) : status;
}

struct cl_status verify_database(struct verify_report *out, struct cl_arena *arena,
                                 const struct verify_options *options)
{
    struct verify_report *report = calloc(1, sizeof *report);
    struct verify verify = {.options = options, .report = report, .told_ms = cl_clock_monotonic_ms(options->clock)};
    struct cl_status status = report == NULL ? cl_fail(CL_MEMORY_LIMIT) : cl_ok();
    if (cl_is_ok(status)) {
        status = cl_arena_create(&verify.arena, CL_MESSAGE_ARENA_BYTES_MAX);
    }
    if (cl_is_ok(status)) {
        status = sql_hold(options->sql);
    }
    if (cl_failed(status)) {
        goto cleanup;
    }
    verify.keyring = cl_keyring_ref(options->keyring);
    status = check_all(&verify, arena);
    cl_keyring_unref(verify.keyring);
    sql_release(options->sql);
    if (cl_is_ok(status)) {
        *out = *report;
    }
cleanup:
    cl_arena_free(verify.arena);
    free(report);
    return status;
}
