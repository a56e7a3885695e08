/* rekey.h - another master key: every data key is wrapped anew, in steps, and no value is touched.
 *
 * No server runs meanwhile (the store is opened alone). Each step is one transaction; a process that dies between
 * two, or inside one, is started again with the same two keys and goes on where it was. Until the last step the database
 * belongs to neither key alone and the server refuses to start on it; afterwards it belongs to the new one, and the
 * old key opens nothing that is in the database. The blind indexes' own key is wrapped anew as well, so every index stays
 * valid.
 *
 * Writer thread. */
#ifndef COLOAN_VAULT_REKEY_H
#define COLOAN_VAULT_REKEY_H

#include "server/vault/vault.h"

/* Keys wrapped in one transaction: some milliseconds of work. */
#define VAULT_REKEY_STEP 256

/* Zeros but for the two vaults, which need not be attached. */
struct vault_rekey {
    const struct vault *old, *fresh;
    char after[CL_TEXT_BYTES_MAX + 1]; /* the last application looked at */
    uint64_t wrapped;                  /* keys in this run */
    bool finished;
};

/* The next step. CONFIG_INVALID when the database belongs to neither key (or the keys are the same); STATE_CONFLICT when
 * a change to a third key is under way; VAULT_CORRUPT when a data key does not open: erase that application
 * (`after` precedes it in the order of ids) or mend the database, then go on. */
CL_MUST_CHECK struct cl_status vault_rekey_step(struct vault_rekey *rekey, struct store_tx *tx);

#endif
