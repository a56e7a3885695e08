#include "server/vault/rekey.h"

#include <string.h>

#include "libcoloan/log.h"
#include "server/vault/shared.h"

static bool is_of(const uint8_t id[MASTER_ID_BYTES], const struct vault *vault)
{
    return memcmp(id, vault->master_id, MASTER_ID_BYTES) == 0;
}

/* -- Beginning and end --------------------------------------------------------------------------------------- */

static struct cl_status begin(const struct vault_rekey *rekey, const struct vault_master *master, struct store_tx *tx)
{
    static const char text[] = "UPDATE vault_master SET next_master_id = $1, next_blind = $2";
    struct sql_statement *statement = NULL;
    uint8_t root[KEY_BYTES];
    uint8_t wrapped[WRAPPED_BYTES];
    struct cl_status status = vault_unwrap(root, rekey->old, BLIND_NAME, cl_bytes(master->blind, sizeof master->blind));
    if (cl_failed(status)) {
        return status;
    }
    vault_wrap(wrapped, rekey->fresh, BLIND_NAME, root);
    sodium_memzero(root, sizeof root);
    status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_bytes(statement, 1, cl_bytes(rekey->fresh->master_id, MASTER_ID_BYTES));
    sql_bind_bytes(statement, 2, cl_bytes(wrapped, sizeof wrapped));
    return sql_run(statement);
}

/* Nothing of the old key may be left. */
static struct cl_status finish(struct vault_rekey *rekey, struct store_tx *tx)
{
    static const char left[] = "SELECT count(*) FROM vault_keys WHERE wrapped IS NOT NULL AND master_id <> $1";
    static const char text[] = "UPDATE vault_master SET master_id = next_master_id, blind = next_blind,"
                               " next_master_id = NULL, next_blind = NULL";
    struct sql_statement *statement = NULL;
    bool row = false;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), left);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_bytes(statement, 1, cl_bytes(rekey->fresh->master_id, MASTER_ID_BYTES));
    status = sql_step(&row, statement);
    if (cl_failed(status)) {
        return status;
    }
    bool clean = row && sql_column_i64(statement, 0) == 0;
    sql_finish(statement);
    if (!clean) {
        return cl_fail(CL_VAULT_CORRUPT); /* wrapped by a third key */
    }
    status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_is_ok(status)) {
        status = sql_run(statement);
    }
    rekey->finished = cl_is_ok(status);
    return status;
}

/* -- Data keys ----------------------------------------------------------------------------------------------- */

struct wrapped_key {
    char application_id[CL_TEXT_BYTES_MAX + 1];
    uint8_t wrapped[WRAPPED_BYTES];
};

/* The next ones of the old key, by id. A step's rows are read whole before any is changed. */
static struct cl_status read_keys(struct wrapped_key keys[VAULT_REKEY_STEP], size_t *count_out,
                                  const struct vault_rekey *rekey, struct store_tx *tx)
{
    static const char text[] = "SELECT application_id, wrapped FROM vault_keys WHERE application_id > $1"
                               " AND wrapped IS NOT NULL AND master_id = $2 ORDER BY application_id LIMIT $3";
    struct sql_statement *statement = NULL;
    size_t count = 0;
    bool row = false;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, rekey->after);
    sql_bind_bytes(statement, 2, cl_bytes(rekey->old->master_id, MASTER_ID_BYTES));
    sql_bind_i64(statement, 3, VAULT_REKEY_STEP);
    status = sql_step(&row, statement);
    while (cl_is_ok(status) && row) {
        const char *id = sql_column_text(statement, 0);
        struct cl_bytes wrapped = sql_column_bytes(statement, 1);
        if (strlen(id) > CL_TEXT_BYTES_MAX || wrapped.len != WRAPPED_BYTES) {
            status = cl_fail(CL_VAULT_CORRUPT);
            break;
        }
        memcpy(keys[count].application_id, id, strlen(id) + 1);
        memcpy(keys[count].wrapped, wrapped.data, wrapped.len);
        count++;
        status = sql_step(&row, statement);
    }
    sql_finish(statement);
    if (cl_is_ok(status)) {
        *count_out = count;
    }
    return status;
}

static struct cl_status wrap_anew(const struct vault_rekey *rekey, struct store_tx *tx, const struct wrapped_key *key)
{
    static const char text[] = "UPDATE vault_keys SET master_id = $2, wrapped = $3 WHERE application_id = $1";
    struct sql_statement *statement = NULL;
    uint8_t clear[KEY_BYTES];
    uint8_t wrapped[WRAPPED_BYTES];
    struct cl_status status =
        vault_unwrap(clear, rekey->old, key->application_id, cl_bytes(key->wrapped, sizeof key->wrapped));
    if (cl_failed(status)) {
        cl_log(CL_LOG_ERROR, "vault.key_corrupt", cl_log_text("application", key->application_id));
        return status;
    }
    vault_wrap(wrapped, rekey->fresh, key->application_id, clear);
    sodium_memzero(clear, sizeof clear);
    status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, key->application_id);
    sql_bind_bytes(statement, 2, cl_bytes(rekey->fresh->master_id, MASTER_ID_BYTES));
    sql_bind_bytes(statement, 3, cl_bytes(wrapped, sizeof wrapped));
    return sql_run(statement);
}

static struct cl_status wrap_some(struct vault_rekey *rekey, struct store_tx *tx)
{
    static struct wrapped_key keys[VAULT_REKEY_STEP]; /* the writer's only */
    size_t count = 0;
    struct cl_status status = read_keys(keys, &count, rekey, tx);
    for (size_t i = 0; cl_is_ok(status) && i < count; i++) {
        status = wrap_anew(rekey, tx, &keys[i]);
    }
    if (cl_failed(status)) {
        return status;
    }
    if (count == 0) {
        return finish(rekey, tx);
    }
    memcpy(rekey->after, keys[count - 1].application_id, sizeof rekey->after);
    rekey->wrapped += count;
    return cl_ok();
}

/* -- A step -------------------------------------------------------------------------------------------------- */

struct cl_status vault_rekey_step(struct vault_rekey *rekey, struct store_tx *tx)
{
    struct vault_master master;
    bool found = false;
    if (is_of(rekey->old->master_id, rekey->fresh)) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    struct cl_status status = vault_master_get(&found, &master, store_tx_sql(tx));
    if (cl_failed(status)) {
        return status;
    }
    if (found && !master.changing && is_of(master.id, rekey->fresh)) {
        rekey->finished = true; /* it died after its last step */
        return cl_ok();
    }
    if (!found || !is_of(master.id, rekey->old)) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    if (!master.changing) {
        return begin(rekey, &master, tx);
    }
    return is_of(master.next_id, rekey->fresh) ? wrap_some(rekey, tx) : cl_fail(CL_STATE_CONFLICT);
}
