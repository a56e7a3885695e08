/* shared.h - what the files of this room share: the vault's keys, and the wrapping of data keys. Private to
 * server/vault. */
#ifndef COLOAN_VAULT_SHARED_H
#define COLOAN_VAULT_SHARED_H

#include <sodium.h>

#include "server/vault/vault.h"

enum {
    KEY_BYTES = crypto_aead_xchacha20poly1305_ietf_KEYBYTES,
    NONCE_BYTES = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES,
    TAG_BYTES = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    MASTER_ID_BYTES = 16,
    WRAPPED_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES,
    COLUMNS = 2
};

struct vault {
    uint8_t wrap_key[KEY_BYTES];
    uint8_t blind_keys[COLUMNS][KEY_BYTES]; /* once attached */
    uint8_t master_id[MASTER_ID_BYTES];     /* not secret */
    bool attached;
};

/* The name under which the key of the blind indexes is wrapped; no application's id looks like it. */
#define BLIND_NAME "blind indexes"

/* A key wrapped for that name: an application's id, or BLIND_NAME. */
void vault_wrap(uint8_t out[WRAPPED_BYTES], const struct vault *vault, const char *name, const uint8_t key[KEY_BYTES]);

/* VAULT_CORRUPT: it was not wrapped by this master key for this name. The caller wipes the key. */
CL_MUST_CHECK struct cl_status vault_unwrap(uint8_t key[KEY_BYTES], const struct vault *vault, const char *name,
                                            struct cl_bytes wrapped);

/* The database's row about its master key. */
struct vault_master {
    uint8_t id[MASTER_ID_BYTES], blind[WRAPPED_BYTES];
    bool changing; /* `next_id` is the master key under which all is being wrapped anew */
    uint8_t next_id[MASTER_ID_BYTES];
};

CL_MUST_CHECK struct cl_status vault_master_get(bool *found_out, struct vault_master *out, struct sql *sql);

#endif
