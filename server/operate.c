#include "server/operate.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "libcoloan/keydraft.h"
#include "libcoloan/log.h"
#include "server/domain/lifecycle.h"
#include "server/keydir.h"
#include "server/store/applications.h"
#include "server/store/move.h"
#include "server/store/rotations.h"
#include "server/vault/rekey.h"
#include "server/whole_file.h"

static struct cl_status fail(const struct operate *operate, struct cl_status status, const char *what, const char *next)
{
    (void)fprintf(operate->err, "coloand: %s: %s %s\n", what, cl_reason_info(status.reason)->text_en, next);
    return status;
}

struct cl_status operate_needs_file(const struct operate *operate, const char *command, const char *tool)
{
    if (sql_keeps_file(operate->config->database)) {
        return cl_ok();
    }
    (void)fprintf(operate->err,
                  "coloand: %s is for a database that is a file. Of a PostgreSQL cluster use its own: %s.\n", command,
                  tool);
    return cl_fail(CL_CONFIG_INVALID);
}

/* On a cluster what changes more than one application is done alone; an erasure goes beside the servers. */
static struct cl_status open_store(struct store **out, const struct operate *operate, bool alone)
{
    struct store_options options = {.address = operate->config->database,
                                    .archive = {.folder = operate->config->archive},
                                    .alone = alone,
                                    .clock = operate->clock};
    struct cl_status status = store_open(out, &options);
    return cl_is_ok(status)
               ? status
               : fail(operate, status, operate->config->database, "Stop the coloand that runs on it first.");
}

/* -- Rotations ----------------------------------------------------------------------------------------------- */

static struct cl_status write_rotation(const struct operate *operate, const char *folder,
                                       const struct rotation_row *row)
{
    char path[4096];
    struct cl_keyid keyid;
    cl_keyid(&keyid, CL_KEY_ED25519, row->public_key);
    int len = snprintf(path, sizeof path, "%s/%s.rotation", folder, keyid.text);
    if (len < 0 || (size_t)len >= sizeof path || cl_failed(whole_file_write(path, row->envelope))) {
        return fail(operate, cl_fail(CL_SYSTEM), folder, "Name a folder that can be written to.");
    }
    (void)fprintf(operate->out, "%s: %s\n", path, row->party);
    return cl_ok();
}

static bool in_keyring(const struct cl_keyring *keyring, struct cl_bytes public_key)
{
    const struct cl_key *keys = NULL;
    size_t count = cl_keyring_keys(keyring, &keys);
    for (size_t i = 0; i < count; i++) {
        if (cl_bytes_equal(cl_bytes(keys[i].public_key.bytes, CL_PUBLIC_KEY_BYTES), public_key)) {
            return true;
        }
    }
    return false;
}

static struct cl_status export_all(const struct operate *operate, struct sql *sql, struct cl_arena *arena,
                                   const struct cl_keyring *keyring, const char *folder)
{
    struct rotation_rows rows;
    int64_t since_ms = cl_clock_unix_ms(operate->clock) - CL_KEY_AHEAD_DAYS_MAX * CL_DAY_MS;
    size_t pending = 0;
    struct cl_status status = rotations_list(&rows, sql, arena, NULL, since_ms);
    for (size_t i = 0; cl_is_ok(status) && i < rows.count; i++) {
        if (!in_keyring(keyring, rows.rows[i].public_key)) {
            status = write_rotation(operate, folder, &rows.rows[i]);
            pending++;
        }
    }
    if (cl_is_ok(status)) {
        (void)fprintf(operate->out, "%zu pending\n", pending);
    }
    return status;
}

/* Rotations are looked at beside the running server, which owns the store: read-only. */
struct cl_status operate_export_rotations(const struct operate *operate, const char *folder)
{
    enum { ARENA_BYTES_MAX = 64 * 1024 * 1024 };
    const struct config *config = operate->config;
    struct cl_setting_error error;
    struct cl_signer *own = NULL;
    struct keydir keydir = {.slot = NULL};
    struct sql_health health = {.on_failed = NULL};
    struct sql *sql = NULL;
    struct cl_arena *arena = NULL;
    struct cl_status status = cl_signer_load(&own, config->signing_key, config->party);
    if (cl_failed(status)) {
        return fail(operate, status, config->signing_key, "");
    }
    status = keydir_open(&keydir, config, operate->clock, own, &error);
    if (cl_failed(status)) {
        (void)fprintf(operate->err, "coloand: %s\n", error.text);
        goto cleanup;
    }
    status = cl_arena_create(&arena, ARENA_BYTES_MAX);
    if (cl_is_ok(status)) {
        status = sql_open(&sql, config->database, SQL_READ, &health);
    }
    if (cl_is_ok(status)) {
        struct cl_keyring *keyring = cl_keyring_slot_take(keydir.slot);
        status = export_all(operate, sql, arena, keyring, folder);
        cl_keyring_unref(keyring);
    } else {
        status = fail(operate, status, config->database, "Does it exist, and may you read it?");
    }
cleanup:
    sql_close(sql);
    cl_arena_free(arena);
    keydir_close(&keydir);
    cl_signer_free(own);
    return status;
}

/* -- Erasing ------------------------------------------------------------------------------------------------- */

struct erasure {
    const char *application_id;
    struct cl_arena *arena;
};

static struct cl_status erase(void *user, struct store_tx *tx)
{
    struct erasure *erasure = user;
    struct application_row row;
    struct cl_status status = applications_get(&row, store_tx_sql(tx), erasure->arena, erasure->application_id);
    if (cl_failed(status)) {
        return status;
    }
    if (row.next_actor != ACTOR_NOBODY) {
        return cl_fail(CL_STATE_CONFLICT);
    }
    return vault_erase(tx, erasure->application_id);
}

struct cl_status operate_erase(const struct operate *operate, const char *application_id)
{
    struct store *store = NULL;
    struct erasure erasure = {.application_id = application_id};
    struct cl_status status = cl_arena_create(&erasure.arena, CL_MESSAGE_ARENA_BYTES_MAX);
    if (cl_failed(status)) {
        return status;
    }
    status = open_store(&store, operate, false);
    if (cl_failed(status)) {
        goto cleanup;
    }
    status = store_run(store, erase, &erasure);
    if (cl_failed(status)) {
        status = fail(operate, status, application_id, "Only what has ended is erased.");
        goto cleanup;
    }
    cl_log(CL_LOG_INFO, "operate.erased", cl_log_text("application", application_id));
    (void)fprintf(operate->out, "%s: erased. Backups made before still hold it: see that they end.\n", application_id);
cleanup:
    store_close(store); /* empties the log, where the values stood */
    cl_arena_free(erasure.arena);
    return status;
}

/* -- Master key ---------------------------------------------------------------------------------------------- */

/* A step may run more than once before it counts, so it goes on from where the last one that counted ended. */
struct rekey_step {
    struct vault_rekey before, after;
};

static struct cl_status rekey_step(void *user, struct store_tx *tx)
{
    struct rekey_step *step = user;
    step->after = step->before;
    return vault_rekey_step(&step->after, tx);
}

static struct cl_status rekey_all(struct vault_rekey *rekey, struct store *store)
{
    struct cl_status status = cl_ok();
    while (cl_is_ok(status) && !rekey->finished) {
        struct rekey_step step = {.before = *rekey};
        status = store_run(store, rekey_step, &step);
        *rekey = cl_is_ok(status) ? step.after : *rekey;
    }
    return status;
}

static struct cl_status open_vaults(struct vault **old_out, struct vault **fresh_out, const struct operate *operate,
                                    const char *new_key)
{
    static const char mend[] = "`coloand --make-master-key FILE` makes one; its mode has to be 0600.";
    struct cl_status status = vault_open(old_out, operate->config->master_key);
    if (cl_failed(status)) {
        return fail(operate, status, operate->config->master_key, mend);
    }
    status = vault_open(fresh_out, new_key);
    return cl_is_ok(status) ? status : fail(operate, status, new_key, mend);
}

static const char *mend_rekey(enum cl_reason reason)
{
    if (reason == CL_STATE_CONFLICT) {
        return "Another new key was begun with; go on with that one.";
    }
    if (reason == CL_VAULT_CORRUPT) {
        return "The log names the application; erase it, or restore the database, and go on.";
    }
    return "store.master_key has to be the database's, the other a new one.";
}

struct cl_status operate_rekey_vault(const struct operate *operate, const char *new_key)
{
    struct store *store = NULL;
    struct vault *old = NULL;
    struct vault *fresh = NULL;
    struct cl_status status = open_vaults(&old, &fresh, operate, new_key);
    if (cl_is_ok(status)) {
        status = open_store(&store, operate, true);
    }
    if (cl_failed(status)) {
        goto cleanup;
    }
    struct vault_rekey rekey = {.old = old, .fresh = fresh};
    status = rekey_all(&rekey, store);
    if (cl_failed(status)) {
        status = fail(operate, status, new_key, mend_rekey(status.reason));
        goto cleanup;
    }
    (void)fprintf(operate->out,
                  "%" PRIu64
                  " keys wrapped anew. Now set store.master_key to %s, start coloand, back up, and keep the\n"
                  "old key as long as backups that need it.\n",
                  rekey.wrapped, new_key);
cleanup:
    store_close(store);
    vault_close(fresh);
    vault_close(old);
    return status;
}

/* -- Moving -------------------------------------------------------------------------------------------------- */

static void say_table(void *user, const char *table, int64_t rows, const struct cl_digest *digest)
{
    const struct operate *operate = user;
    char hex[2 * CL_DIGEST_BYTES + 1];
    cl_hex_encode(hex, cl_bytes(digest->bytes, sizeof digest->bytes));
    (void)fprintf(operate->out, "%-20s %12" PRId64 "  %s\n", table, rows, hex);
}

static const char *mend_move(enum cl_reason reason)
{
    if (reason == CL_STATE_CONFLICT) {
        return "Nothing was kept there; the log names the table that differs.";
    }
    if (reason == CL_STORE_UNREACHABLE) {
        return "Nothing was kept there; the log says why. Try again.";
    }
    return "Both databases have to be out of use, the new one empty, and its address one of a cluster; the log says "
           "more.";
}

struct cl_status operate_move(const struct operate *operate, const char *address)
{
    const char *why = "";
    struct cl_status status = sql_check_address(&why, address);
    if (cl_failed(status)) {
        (void)fprintf(operate->err, "coloand: --move-to: %s\n", why);
        return status;
    }
    struct operate said = *operate;
    status = store_move(operate->config->database, address, operate->clock, say_table, &said);
    if (cl_failed(status)) {
        return fail(operate, status, "--move-to", mend_move(status.reason));
    }
    (void)fprintf(operate->out,
                  "Moved, and the same on both sides. Now set store.database to the new address, start coloand, and\n"
                  "put the old file where no server starts on it again.\n");
    return cl_ok();
}
