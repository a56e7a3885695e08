/* Keys: the master key gives, by crypto_kdf, the key that wraps data keys, and a public id by which a wrong master key is
 * told from damage. The blind indexes have a key of their own, made at random with the database and wrapped like a data
 * key, from which one for each column is derived: so the master key can be changed and every index stays as it is. Only
 * the derived keys are kept in memory, in locked pages; the master key itself is wiped.
 *
 * Sealed bytes are nonce || ciphertext. A value is sealed together with its salt. The associated data names where the
 * bytes stand, each part with its length, so that no two places give the same. */
#include "server/vault/shared.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEY_CONTEXT "clvault1"

enum {
    HEX_BYTES = 2 * KEY_BYTES,
    PATH_BYTES_MAX = 128,
    CLEAR_BYTES_MAX = CL_DISCLOSURE_SALT_BYTES + CL_DISCLOSURE_VALUE_BYTES_MAX,
    SEALED_BYTES_MAX = NONCE_BYTES + CLEAR_BYTES_MAX + TAG_BYTES,
    /* Numbers of the derived keys. */
    WRAP_KEY = 1,
    MASTER_ID = 2,
    FIRST_BLIND_KEY = 16,
};

_Static_assert((int)KEY_BYTES == (int)crypto_kdf_KEYBYTES, "the master key derives the others");
_Static_assert((int)VAULT_BLIND_BYTES == (int)crypto_generichash_BYTES, "a blind index is one keyed hash");

/* -- Master key ---------------------------------------------------------------------------------------------- */

static bool write_all(int fd, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, data, len);
        if (written < 0 && errno == EINTR) {
            continue;
        }
        if (written <= 0) {
            return false;
        }
        data += written;
        len -= (size_t)written;
    }
    return true;
}

struct cl_status vault_key_generate(const char *path)
{
    if (sodium_init() < 0) {
        return cl_fail(CL_SYSTEM);
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return cl_fail(CL_SYSTEM);
    }
    uint8_t key[KEY_BYTES];
    char text[HEX_BYTES + 1];
    crypto_kdf_keygen(key);
    (void)sodium_bin2hex(text, sizeof text, key, sizeof key);
    text[HEX_BYTES] = '\n';
    bool written = write_all(fd, text, sizeof text) && fsync(fd) == 0;
    written = close(fd) == 0 && written;
    sodium_memzero(key, sizeof key);
    sodium_memzero(text, sizeof text);
    if (!written) {
        (void)unlink(path);
        return cl_fail(CL_SYSTEM);
    }
    return cl_ok();
}

/* At most `size` bytes; the count, or -1 when the file is not fit for a key. */
static ssize_t read_key_file(uint8_t *out, size_t size, const char *path)
{
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return -1;
    }
    struct stat info;
    ssize_t length = -1;
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && (info.st_mode & 077) == 0) {
        length = read(fd, out, size);
    }
    (void)close(fd);
    return length;
}

static bool parse_key(uint8_t key[KEY_BYTES], const uint8_t *text, size_t length)
{
    if (length == KEY_BYTES) {
        memcpy(key, text, KEY_BYTES);
        return true;
    }
    if (length == HEX_BYTES + 1 && text[HEX_BYTES] == '\n') {
        length = HEX_BYTES;
    }
    size_t decoded = 0;
    return length == HEX_BYTES &&
           sodium_hex2bin(key, KEY_BYTES, (const char *)text, length, NULL, &decoded, NULL) == 0 &&
           decoded == KEY_BYTES;
}

static void derive_keys(struct vault *vault, const uint8_t master[KEY_BYTES])
{
    (void)crypto_kdf_derive_from_key(vault->wrap_key, KEY_BYTES, WRAP_KEY, KEY_CONTEXT, master);
    (void)crypto_kdf_derive_from_key(vault->master_id, MASTER_ID_BYTES, MASTER_ID, KEY_CONTEXT, master);
    vault->attached = false;
}

struct cl_status vault_open(struct vault **out, const char *key_path)
{
    if (sodium_init() < 0) {
        return cl_fail(CL_SYSTEM);
    }
    uint8_t text[HEX_BYTES + 2]; /* one more than the longest form, so that a longer file shows */
    uint8_t master[KEY_BYTES];
    ssize_t length = read_key_file(text, sizeof text, key_path);
    bool good = length > 0 && parse_key(master, text, (size_t)length);
    struct vault *vault = good ? sodium_malloc(sizeof *vault) : NULL;
    if (vault != NULL) {
        derive_keys(vault, master);
        (void)sodium_mprotect_readonly(vault);
    }
    sodium_memzero(text, sizeof text);
    sodium_memzero(master, sizeof master);
    if (vault == NULL) {
        return cl_fail(good ? CL_MEMORY_LIMIT : CL_CONFIG_INVALID);
    }
    *out = vault;
    return cl_ok();
}

void vault_close(struct vault *vault)
{
    sodium_free(vault); /* makes it writable and wipes it */
}

/* -- Sealing ------------------------------------------------------------------------------------------------- */

/* What the sealed bytes are bound to. */
struct place {
    uint8_t bytes[512];
    size_t len;
};

static void add_part(struct place *place, const char *text)
{
    size_t len = strlen(text);
    assert(len < 256 && place->len + 1 + len <= sizeof place->bytes);
    place->bytes[place->len++] = (uint8_t)len;
    memcpy(place->bytes + place->len, text, len);
    place->len += len;
}

static struct place place_of_key(const char *application_id)
{
    struct place place = {.len = 0};
    add_part(&place, "vault_keys");
    add_part(&place, application_id);
    return place;
}

static struct place place_of_value(const char *application_id, const char *path, int64_t version)
{
    char number[24];
    struct place place = {.len = 0};
    (void)snprintf(number, sizeof number, "%lld", (long long)version);
    add_part(&place, "vault_values");
    add_part(&place, application_id);
    add_part(&place, path);
    add_part(&place, number);
    return place;
}

/* `out` has room for NONCE_BYTES + clear.len + TAG_BYTES, which is what it fills. */
static struct cl_bytes seal(uint8_t *out, const uint8_t key[KEY_BYTES], const struct place *place,
                            struct cl_bytes clear)
{
    unsigned long long length = 0;
    randombytes_buf(out, NONCE_BYTES);
    (void)crypto_aead_xchacha20poly1305_ietf_encrypt(out + NONCE_BYTES, &length, clear.data, clear.len, place->bytes,
                                                     place->len, NULL, out, key);
    return cl_bytes(out, NONCE_BYTES + (size_t)length);
}

/* `out` has room for sealed.len. */
static bool unseal(struct cl_bytes *clear_out, uint8_t *out, const uint8_t key[KEY_BYTES], const struct place *place,
                   struct cl_bytes sealed)
{
    unsigned long long length = 0;
    if (sealed.len < NONCE_BYTES + TAG_BYTES ||
        crypto_aead_xchacha20poly1305_ietf_decrypt(out, &length, NULL, sealed.data + NONCE_BYTES,
                                                   sealed.len - NONCE_BYTES, place->bytes, place->len, sealed.data,
                                                   key) != 0) {
        return false;
    }
    *clear_out = cl_bytes(out, (size_t)length);
    return true;
}

/* -- Data keys ----------------------------------------------------------------------------------------------- */

enum key_state { KEY_NONE, KEY_THERE, KEY_DESTROYED };

void vault_wrap(uint8_t out[WRAPPED_BYTES], const struct vault *vault, const char *name, const uint8_t key[KEY_BYTES])
{
    struct place place = place_of_key(name);
    (void)seal(out, vault->wrap_key, &place, cl_bytes(key, KEY_BYTES));
}

struct cl_status vault_unwrap(uint8_t key[KEY_BYTES], const struct vault *vault, const char *name,
                              struct cl_bytes wrapped)
{
    uint8_t out[WRAPPED_BYTES];
    struct cl_bytes clear;
    struct place place = place_of_key(name);
    if (wrapped.len != WRAPPED_BYTES || !unseal(&clear, out, vault->wrap_key, &place, wrapped)) {
        return cl_fail(CL_VAULT_CORRUPT);
    }
    memcpy(key, out, KEY_BYTES);
    sodium_memzero(out, sizeof out);
    return cl_ok();
}

static struct cl_status load_key(enum key_state *state_out, uint8_t key[KEY_BYTES], struct sql *sql,
                                 const struct vault *vault, const char *application_id)
{
    static const char text[] = "SELECT wrapped FROM vault_keys WHERE application_id = $1";
    struct sql_statement *statement = NULL;
    bool row = false;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    status = sql_step(&row, statement);
    if (cl_failed(status)) {
        return status;
    }
    if (!row || sql_column_is_null(statement, 0)) {
        *state_out = row ? KEY_DESTROYED : KEY_NONE;
        sql_finish(statement);
        return cl_ok();
    }
    status = vault_unwrap(key, vault, application_id, sql_column_bytes(statement, 0));
    sql_finish(statement);
    if (cl_is_ok(status)) {
        *state_out = KEY_THERE;
    }
    return status;
}

static struct cl_status create_key(uint8_t key[KEY_BYTES], struct store_tx *tx, const struct vault *vault,
                                   const char *application_id)
{
    static const char text[] = "INSERT INTO vault_keys (application_id, master_id, wrapped) VALUES ($1, $2, $3)";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    uint8_t wrapped[WRAPPED_BYTES];
    crypto_aead_xchacha20poly1305_ietf_keygen(key);
    vault_wrap(wrapped, vault, application_id, key);
    sql_bind_text(statement, 1, application_id);
    sql_bind_bytes(statement, 2, cl_bytes(vault->master_id, sizeof vault->master_id));
    sql_bind_bytes(statement, 3, cl_bytes(wrapped, sizeof wrapped));
    return sql_run(statement);
}

static struct cl_status key_for_writing(uint8_t key[KEY_BYTES], struct store_tx *tx, const struct vault *vault,
                                        const char *application_id)
{
    enum key_state state = KEY_NONE;
    struct cl_status status = load_key(&state, key, store_tx_sql(tx), vault, application_id);
    if (cl_failed(status) || state == KEY_THERE) {
        return status;
    }
    return state == KEY_DESTROYED ? cl_fail(CL_STATE_CONFLICT) : create_key(key, tx, vault, application_id);
}

/* -- The database's master key ------------------------------------------------------------------------------- */

static struct cl_status read_master(void *out, struct sql_statement *statement, struct cl_arena *arena)
{
    struct vault_master *master = out;
    struct cl_bytes id = sql_column_bytes(statement, 0);
    struct cl_bytes blind = sql_column_bytes(statement, 1);
    struct cl_bytes next = sql_column_bytes(statement, 2);
    (void)arena;
    if (id.len != sizeof master->id || blind.len != sizeof master->blind ||
        (next.len != 0 && next.len != sizeof master->next_id)) {
        return cl_fail(CL_VAULT_CORRUPT);
    }
    *master = (struct vault_master){.changing = next.len != 0};
    memcpy(master->id, id.data, id.len);
    memcpy(master->blind, blind.data, blind.len);
    if (master->changing) {
        memcpy(master->next_id, next.data, next.len);
    }
    return cl_ok();
}

struct cl_status vault_master_get(bool *found_out, struct vault_master *out, struct sql *sql)
{
    static const char text[] = "SELECT master_id, blind, next_master_id FROM vault_master";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, text);
    return cl_is_ok(status) ? sql_find(found_out, out, statement, read_master, NULL) : status;
}

/* A new database: nothing was written under any other master key, or there would be a row. */
static struct cl_status create_master(struct vault_master *out, const struct vault *vault, struct store_tx *tx)
{
    static const char text[] = "INSERT INTO vault_master (id, master_id, blind) VALUES (1, $1, $2)";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    uint8_t root[KEY_BYTES];
    crypto_kdf_keygen(root);
    *out = (struct vault_master){.changing = false};
    memcpy(out->id, vault->master_id, sizeof out->id);
    vault_wrap(out->blind, vault, BLIND_NAME, root);
    sodium_memzero(root, sizeof root);
    sql_bind_bytes(statement, 1, cl_bytes(out->id, sizeof out->id));
    sql_bind_bytes(statement, 2, cl_bytes(out->blind, sizeof out->blind));
    return sql_run(statement);
}

static struct cl_status take_blind_keys(struct vault *vault, const struct vault_master *master)
{
    uint8_t root[KEY_BYTES];
    struct cl_status status = vault_unwrap(root, vault, BLIND_NAME, cl_bytes(master->blind, sizeof master->blind));
    if (cl_failed(status)) {
        return status;
    }
    (void)sodium_mprotect_readwrite(vault);
    for (unsigned i = 0; i < COLUMNS; i++) {
        (void)crypto_kdf_derive_from_key(vault->blind_keys[i], KEY_BYTES, FIRST_BLIND_KEY + i, KEY_CONTEXT, root);
    }
    vault->attached = true;
    (void)sodium_mprotect_readonly(vault);
    sodium_memzero(root, sizeof root);
    return cl_ok();
}

static struct cl_status attach(struct vault *vault, const struct vault_master *master)
{
    if (master->changing) {
        return cl_fail(CL_STATE_CONFLICT);
    }
    if (memcmp(master->id, vault->master_id, sizeof master->id) != 0) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    return take_blind_keys(vault, master);
}

struct cl_status vault_attach(struct vault *vault, struct store_tx *tx)
{
    struct vault_master master;
    bool found = false;
    struct cl_status status = vault_master_get(&found, &master, store_tx_sql(tx));
    if (cl_is_ok(status) && !found) {
        status = create_master(&master, vault, tx);
    }
    return cl_is_ok(status) ? attach(vault, &master) : status;
}

struct cl_status vault_attach_reader(struct vault *vault, struct sql *sql)
{
    static const char text[] = "SELECT 1 FROM vault_keys LIMIT 1";
    struct sql_statement *statement = NULL;
    struct vault_master master;
    bool found = false;
    bool keys = false;
    struct cl_status status = vault_master_get(&found, &master, sql);
    if (cl_is_ok(status)) {
        status = sql_ask(&statement, &keys, sql, text);
    }
    if (cl_failed(status)) {
        return status;
    }
    sql_finish(statement);
    if (!found) {
        return keys ? cl_fail(CL_VAULT_CORRUPT) : cl_ok();
    }
    return attach(vault, &master);
}

/* -- Values -------------------------------------------------------------------------------------------------- */

static struct cl_status check_value(const struct vault_value *value)
{
    bool good = value->value.len >= 1 && value->value.len <= CL_DISCLOSURE_VALUE_BYTES_MAX && value->path[0] != '\0' &&
                strlen(value->path) <= PATH_BYTES_MAX;
    return good ? cl_ok() : cl_fail(CL_FIELD_INVALID);
}

static struct cl_status next_version(int64_t *out, struct store_tx *tx, const char *application_id, const char *path)
{
    static const char text[] = "SELECT version FROM vault_values WHERE application_id = $1 AND path = $2";
    struct sql_statement *statement = NULL;
    bool row = false;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    sql_bind_text(statement, 2, path);
    status = sql_step(&row, statement);
    if (cl_failed(status)) {
        return status;
    }
    *out = row ? sql_column_i64(statement, 0) + 1 : 1;
    sql_finish(statement);
    return cl_ok();
}

static struct cl_bytes seal_value(uint8_t out[SEALED_BYTES_MAX], const uint8_t key[KEY_BYTES],
                                  const struct place *place, const struct vault_value *value)
{
    uint8_t clear[CLEAR_BYTES_MAX];
    memcpy(clear, value->salt, sizeof value->salt);
    memcpy(clear + sizeof value->salt, value->value.data, value->value.len);
    struct cl_bytes sealed = seal(out, key, place, cl_bytes(clear, sizeof value->salt + value->value.len));
    sodium_memzero(clear, sizeof clear);
    return sealed;
}

static struct cl_status put_one(struct store_tx *tx, const uint8_t key[KEY_BYTES], const char *application_id,
                                const struct vault_value *value)
{
    static const char text[] = "INSERT INTO vault_values (application_id, path, version, sealed)"
                               " VALUES ($1, $2, $3, $4)"
                               " ON CONFLICT (application_id, path) DO UPDATE SET version = $3, sealed = $4";
    struct sql_statement *statement = NULL;
    int64_t version = 0;
    struct cl_status status = next_version(&version, tx, application_id, value->path);
    if (cl_is_ok(status)) {
        status = sql_prepare(&statement, store_tx_sql(tx), text);
    }
    if (cl_failed(status)) {
        return status;
    }
    uint8_t sealed[SEALED_BYTES_MAX];
    struct place place = place_of_value(application_id, value->path, version);
    sql_bind_text(statement, 1, application_id);
    sql_bind_text(statement, 2, value->path);
    sql_bind_i64(statement, 3, version);
    sql_bind_bytes(statement, 4, seal_value(sealed, key, &place, value));
    return sql_run(statement);
}

struct cl_status vault_put(struct store_tx *tx, const struct vault *vault, const char *application_id,
                           const struct vault_value *values, size_t count)
{
    uint8_t key[KEY_BYTES];
    if (strlen(application_id) > PATH_BYTES_MAX) {
        return cl_fail(CL_FIELD_INVALID);
    }
    for (size_t i = 0; i < count; i++) {
        struct cl_status status = check_value(&values[i]);
        if (cl_failed(status)) {
            return status;
        }
    }
    struct cl_status status = key_for_writing(key, tx, vault, application_id);
    for (size_t i = 0; cl_is_ok(status) && i < count; i++) {
        status = put_one(tx, key, application_id, &values[i]);
    }
    sodium_memzero(key, sizeof key);
    return status;
}

static bool is_among(const struct vault_value *values, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(values[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

static struct cl_status drop(struct store_tx *tx, const char *application_id, const char *path)
{
    static const char text[] = "DELETE FROM vault_values WHERE application_id = $1 AND path = $2";
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    sql_bind_text(statement, 2, path);
    return sql_run(statement);
}

/* One at a time, so that no statement deletes under another's rows. */
static struct cl_status drop_others(struct store_tx *tx, const char *application_id, const struct vault_value *values,
                                    size_t count)
{
    static const char text[] = "SELECT path FROM vault_values WHERE application_id = $1 AND path > $2"
                               " ORDER BY path LIMIT 1";
    char path[PATH_BYTES_MAX + 1] = "";
    for (;;) {
        struct sql_statement *statement = NULL;
        bool row = false;
        struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
        if (cl_failed(status)) {
            return status;
        }
        char after[PATH_BYTES_MAX + 1];
        memcpy(after, path, sizeof after);
        sql_bind_text(statement, 1, application_id);
        sql_bind_text(statement, 2, after);
        status = sql_step(&row, statement);
        if (cl_is_ok(status) && row) {
            (void)snprintf(path, sizeof path, "%s", sql_column_text(statement, 0));
        }
        sql_finish(statement);
        if (cl_failed(status) || !row) {
            return status;
        }
        if (!is_among(values, count, path)) {
            status = drop(tx, application_id, path);
        }
        if (cl_failed(status)) {
            return status;
        }
    }
}

struct cl_status vault_replace(struct store_tx *tx, const struct vault *vault, const char *application_id,
                               const struct vault_value *values, size_t count)
{
    struct cl_status status = vault_put(tx, vault, application_id, values, count);
    return cl_is_ok(status) ? drop_others(tx, application_id, values, count) : status;
}

static struct cl_status read_value(struct vault_value *out, struct sql_statement *statement,
                                   const uint8_t key[KEY_BYTES], struct cl_arena *arena, const char *application_id)
{
    struct cl_bytes sealed = sql_column_bytes(statement, 2);
    const char *path = sql_copy_text(arena, statement, 0);
    uint8_t *room = cl_arena_alloc(arena, sealed.len);
    if (path == NULL || room == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    if (strlen(path) > PATH_BYTES_MAX) {
        return cl_fail(CL_VAULT_CORRUPT);
    }
    struct cl_bytes clear;
    struct place place = place_of_value(application_id, path, sql_column_i64(statement, 1));
    if (!unseal(&clear, room, key, &place, sealed) || clear.len <= sizeof out->salt) {
        return cl_fail(CL_VAULT_CORRUPT);
    }
    out->path = path;
    memcpy(out->salt, clear.data, sizeof out->salt);
    out->value = cl_bytes(clear.data + sizeof out->salt, clear.len - sizeof out->salt);
    return cl_ok();
}

static struct cl_status read_values(struct vault_values *out, struct sql *sql, const uint8_t key[KEY_BYTES],
                                    struct cl_arena *arena, const char *application_id)
{
    static const char text[] = "SELECT path, version, sealed FROM vault_values WHERE application_id = $1 ORDER BY path";
    struct sql_statement *statement = NULL;
    struct vault_values values = {.values = cl_arena_array(arena, CL_DISCLOSURES_MAX, sizeof values.values[0])};
    if (values.values == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    bool row = false;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    status = sql_step(&row, statement);
    while (cl_is_ok(status) && row) {
        if (values.count == CL_DISCLOSURES_MAX) {
            status = cl_fail(CL_VAULT_CORRUPT); /* no message could have brought them */
            break;
        }
        status = read_value(&values.values[values.count++], statement, key, arena, application_id);
        if (cl_is_ok(status)) {
            status = sql_step(&row, statement);
        }
    }
    sql_finish(statement);
    if (cl_is_ok(status)) {
        *out = values;
    }
    return status;
}

struct cl_status vault_list(struct vault_values *out, struct sql *sql, const struct vault *vault,
                            struct cl_arena *arena, const char *application_id)
{
    uint8_t key[KEY_BYTES];
    enum key_state state = KEY_NONE;
    struct cl_status status = load_key(&state, key, sql, vault, application_id);
    if (cl_failed(status)) {
        return status;
    }
    if (state != KEY_THERE) {
        *out = (struct vault_values){.count = 0};
        return cl_ok();
    }
    status = read_values(out, sql, key, arena, application_id);
    sodium_memzero(key, sizeof key);
    return status;
}

/* -- Pieces -------------------------------------------------------------------------------------------------- */

_Static_assert(VAULT_SEAL_BYTES == NONCE_BYTES + TAG_BYTES, "what sealing adds");

struct vault_box {
    uint8_t key[KEY_BYTES];
    char application_id[PATH_BYTES_MAX + 1];
};

struct cl_status vault_box_open(struct vault_box **out, struct sql *sql, const struct vault *vault,
                                const char *application_id)
{
    enum key_state state = KEY_NONE;
    if (strlen(application_id) > PATH_BYTES_MAX) {
        return cl_fail(CL_FIELD_INVALID);
    }
    struct vault_box *box = calloc(1, sizeof *box);
    if (box == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = load_key(&state, box->key, sql, vault, application_id);
    if (cl_is_ok(status) && state != KEY_THERE) {
        status = cl_fail(CL_STATE_CONFLICT);
    }
    if (cl_failed(status)) {
        vault_box_free(box);
        return status;
    }
    memcpy(box->application_id, application_id, strlen(application_id) + 1);
    *out = box;
    return cl_ok();
}

void vault_box_free(struct vault_box *box)
{
    if (box != NULL) {
        sodium_memzero(box, sizeof *box);
        free(box);
    }
}

static struct place place_of_piece(const struct vault_box *box, const struct vault_piece *piece)
{
    char of[CL_DIGEST_HEX_BYTES];
    char at[24];
    struct place place = {.len = 0};
    cl_hex_encode(of, cl_bytes(piece->of->bytes, sizeof piece->of->bytes));
    (void)snprintf(at, sizeof at, "%lld", (long long)piece->at);
    add_part(&place, "vault_box");
    add_part(&place, box->application_id);
    add_part(&place, piece->kind);
    add_part(&place, of);
    add_part(&place, at);
    return place;
}

struct cl_bytes vault_box_seal(uint8_t *out, const struct vault_box *box, const struct vault_piece *piece,
                               struct cl_bytes clear)
{
    struct place place = place_of_piece(box, piece);
    return seal(out, box->key, &place, clear);
}

struct cl_status vault_box_unseal(struct cl_bytes *clear_out, uint8_t *out, const struct vault_box *box,
                                  const struct vault_piece *piece, struct cl_bytes sealed)
{
    struct place place = place_of_piece(box, piece);
    return unseal(clear_out, out, box->key, &place, sealed) ? cl_ok() : cl_fail(CL_VAULT_CORRUPT);
}

/* -- Erasing ------------------------------------------------------------------------------------------------- */

static struct cl_status run_for(struct store_tx *tx, const char *text, const char *application_id)
{
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, store_tx_sql(tx), text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, application_id);
    return sql_run(statement);
}

struct cl_status vault_erase(struct store_tx *tx, const char *application_id)
{
    /* The row stays and says that there is nothing to come back. */
    static const char destroy[] = "INSERT INTO vault_keys (application_id, master_id, wrapped)"
                                  " VALUES ($1, zeroblob(16), NULL)"
                                  " ON CONFLICT (application_id) DO UPDATE SET wrapped = NULL";
    static const char remove[] = "DELETE FROM vault_values WHERE application_id = $1";
    struct cl_status status = run_for(tx, destroy, application_id);
    return cl_is_ok(status) ? run_for(tx, remove, application_id) : status;
}

/* -- Blind index --------------------------------------------------------------------------------------------- */

void vault_blind(uint8_t out[VAULT_BLIND_BYTES], const struct vault *vault, enum vault_column column,
                 struct cl_bytes value)
{
    unsigned index = (unsigned)column - 1;
    assert(index < COLUMNS && vault->attached);
    const uint8_t *key = vault->blind_keys[index];
    crypto_generichash_state hash;
    (void)crypto_generichash_init(&hash, key, KEY_BYTES, VAULT_BLIND_BYTES);
    for (size_t i = 0; i < value.len; i++) {
        uint8_t byte = column == VAULT_ID_NUMBER && value.data[i] == 'x' ? (uint8_t)'X' : value.data[i];
        (void)crypto_generichash_update(&hash, &byte, 1);
    }
    (void)crypto_generichash_final(&hash, out, VAULT_BLIND_BYTES);
    sodium_memzero(&hash, sizeof hash);
}
