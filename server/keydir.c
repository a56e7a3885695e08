#include "server/keydir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/log.h"
#include "server/store/rotations.h"
#include "server/whole_file.h"

static struct cl_status explain(struct cl_setting_error *error, struct cl_status status, const char *what,
                                const char *path, const char *mend)
{
    (void)snprintf(error->text, sizeof error->text, "%s %s: %s %s", what, path, cl_reason_info(status.reason)->text_en,
                   mend);
    return status;
}

static struct cl_directory_trust trust_of(const struct config *config)
{
    return (struct cl_directory_trust){
        .public_key = config->directory_key, .centre = config->party, .environment = config->environment};
}

/* -- The file ------------------------------------------------------------------------------------------------ */

static struct cl_status read_file(struct cl_keyring **out, const struct config *config, struct cl_setting_error *error)
{
    struct cl_directory_trust trust = trust_of(config);
    uint8_t *bytes = NULL;
    size_t len = 0;
    struct cl_status status = whole_file_read(&bytes, &len, config->directory, CL_MESSAGE_BYTES_MAX);
    if (cl_failed(status)) {
        return explain(error, status, "directory", config->directory,
                       "It cannot be read; make it with `coloan keys issue`.");
    }
    status = cl_keyring_load(out, cl_bytes(bytes, len), &trust, NULL);
    free(bytes);
    return cl_is_ok(status) ? status
                            : explain(error, status, "directory", config->directory,
                                      "It has to be signed by directory_key for this party and environment.");
}

/* Our own key has to be in the directory and in use, or nobody could verify us. */
static struct cl_status check_own_key(const struct keydir *keydir, const struct cl_keyring *keyring,
                                      struct cl_setting_error *error)
{
    const struct config *config = keydir->config;
    const struct cl_key *keys = NULL;
    struct cl_status status = cl_fail(CL_KEY_UNKNOWN);
    size_t count = cl_keyring_candidates(keyring, config->environment, config->party,
                                         COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, &keys);
    for (size_t i = 0; i < count; i++) {
        if (memcmp(keys[i].public_key.bytes, cl_signer_public_key(keydir->own)->bytes, CL_PUBLIC_KEY_BYTES) == 0) {
            status = cl_key_check(&keys[i], CL_KEY_LIVE, cl_clock_unix_ms(keydir->clock));
        }
    }
    return cl_is_ok(status) ? status
                            : explain(error, status, "signing_key", config->signing_key,
                                      "Issue a directory in which it is valid, or name the right key.");
}

/* -- Life ---------------------------------------------------------------------------------------------------- */

static struct cl_status load_issuer(struct keydir *keydir, struct cl_setting_error *error)
{
    const struct config *config = keydir->config;
    if (config->directory_signing_key == NULL) {
        return cl_ok();
    }
    struct cl_status status = cl_signer_load(&keydir->issuer, config->directory_signing_key, config->party);
    if (cl_failed(status)) {
        return explain(error, status, "directory_signing_key", config->directory_signing_key,
                       "Leave it out to issue directories offline.");
    }
    if (memcmp(cl_signer_public_key(keydir->issuer)->bytes, config->directory_key.bytes, CL_PUBLIC_KEY_BYTES) != 0) {
        return explain(error, cl_fail(CL_CONFIG_INVALID), "directory_signing_key", config->directory_signing_key,
                       "It is not the private half of directory_key.");
    }
    return cl_ok();
}

struct cl_status keydir_open(struct keydir *out, const struct config *config, const struct cl_clock *clock,
                             const struct cl_signer *own, struct cl_setting_error *error)
{
    struct keydir keydir = {.config = config, .clock = clock, .own = own};
    struct cl_keyring *keyring = NULL;
    struct cl_status status = load_issuer(&keydir, error);
    if (cl_is_ok(status)) {
        status = read_file(&keyring, config, error);
    }
    if (cl_is_ok(status)) {
        status = check_own_key(&keydir, keyring, error);
    }
    if (cl_is_ok(status)) {
        keydir.ours = keydir.issuer != NULL;
        keydir.written = cl_keyring_number(keyring);
        status = cl_keyring_slot_create(&keydir.slot, keyring);
    }
    cl_keyring_unref(keyring);
    if (cl_failed(status)) {
        keydir_close(&keydir);
        return status;
    }
    *out = keydir;
    return cl_ok();
}

void keydir_close(struct keydir *keydir)
{
    cl_keyring_slot_free(keydir->slot);
    cl_signer_free(keydir->issuer);
    keydir->slot = NULL;
    keydir->issuer = NULL;
}

/* -- The database -------------------------------------------------------------------------------------------- */

static struct cl_status take_over(struct keydir *keydir, const struct directory_row *row,
                                  struct cl_setting_error *error)
{
    struct cl_directory_trust trust = trust_of(keydir->config);
    struct cl_keyring *kept = NULL;
    struct cl_status status = cl_keyring_load(&kept, row->envelope, &trust, NULL);
    if (cl_failed(status)) {
        return explain(error, status, "store.database", keydir->config->database,
                       "It holds a directory that another directory_key signed; issue one of a higher number.");
    }
    status = check_own_key(keydir, kept, error);
    if (cl_is_ok(status)) {
        status = cl_keyring_slot_replace(keydir->slot, kept);
        keydir->ours = true;
    }
    cl_keyring_unref(kept);
    return status;
}

static uint64_t number_in_force(const struct keydir *keydir)
{
    struct cl_keyring *held = cl_keyring_slot_take(keydir->slot);
    uint64_t number = cl_keyring_number(held);
    cl_keyring_unref(held);
    return number;
}

struct cl_status keydir_restore(struct keydir *keydir, struct store *store, struct cl_setting_error *error)
{
    struct cl_arena *arena = NULL;
    struct sql *sql = NULL;
    struct directory_row row;
    bool found = false;
    struct cl_status status = cl_arena_create(&arena, CL_MESSAGE_ARENA_BYTES_MAX);
    if (cl_failed(status)) {
        return status;
    }
    status = store_reader_open(&sql, store);
    if (cl_is_ok(status)) {
        status = directories_newest(&found, &row, sql, arena);
    }
    if (cl_is_ok(status) && found && row.number > number_in_force(keydir)) {
        status = take_over(keydir, &row, error);
    }
    sql_close(sql);
    cl_arena_free(arena);
    return status;
}

/* -- While it runs ------------------------------------------------------------------------------------------- */

static struct cl_status refuse_reload(const struct keydir *keydir, struct cl_setting_error *error)
{
    return explain(error, cl_fail(CL_SEQUENCE_WRONG), "directory", keydir->config->directory,
                   "Its number has to be higher than the one in force.");
}

static struct cl_status take_file(struct keydir *keydir, const struct cl_keyring *held, struct cl_keyring *fresh,
                                  struct cl_setting_error *error)
{
    uint64_t number = cl_keyring_number(fresh);
    if (number < cl_keyring_number(held)) {
        keydir->written = keydir->ours ? number : keydir->written;
        return keydir->ours ? cl_ok() : refuse_reload(keydir, error);
    }
    if (number == cl_keyring_number(held)) {
        return cl_bytes_equal(cl_keyring_directory(fresh), cl_keyring_directory(held)) ? cl_ok()
                                                                                       : refuse_reload(keydir, error);
    }
    struct cl_status status = check_own_key(keydir, fresh, error);
    if (cl_is_ok(status)) {
        status = cl_keyring_slot_replace(keydir->slot, fresh);
        if (cl_failed(status)) {
            return refuse_reload(keydir, error);
        }
        keydir->written = number;
    }
    return status;
}

struct cl_status keydir_reload(struct keydir *keydir, struct cl_setting_error *error)
{
    struct cl_keyring *fresh = NULL;
    struct cl_status status = read_file(&fresh, keydir->config, error);
    if (cl_failed(status)) {
        return status;
    }
    struct cl_keyring *held = cl_keyring_slot_take(keydir->slot);
    status = take_file(keydir, held, fresh, error);
    cl_keyring_unref(held);
    cl_keyring_unref(fresh);
    return status;
}

void keydir_publish(struct keydir *keydir)
{
    struct cl_keyring *held = cl_keyring_slot_take(keydir->slot);
    uint64_t number = cl_keyring_number(held);
    if (number > keydir->written) {
        struct cl_status status = whole_file_write(keydir->config->directory, cl_keyring_directory(held));
        if (cl_is_ok(status)) {
            keydir->written = number;
            cl_log(CL_LOG_INFO, "keydir.written", cl_log_number("number", (int64_t)number));
        } else if (!keydir->write_failed) {
            cl_log(CL_LOG_WARNING, "keydir.not_written", cl_log_number("number", (int64_t)number));
        }
        keydir->write_failed = cl_failed(status);
    }
    cl_keyring_unref(held);
}
