/* keydir.h - the centre's key directory: read from its file, taken over from the database, written back.
 *
 * The operator issues directories offline and puts the file in place; or this server issues them (`directory_signing_key`)
 * and keeps them in the database, from where they come back after a crash and go out to the file. Of all there are, the
 * highest number is in force, and a number is never gone back on.
 *
 * Owner: whoever opened it closes it. Start-up and main thread; the slot is anybody's. Fails: on the operator's files,
 * with a sentence in `error`. */
#ifndef COLOAN_SERVER_KEYDIR_H
#define COLOAN_SERVER_KEYDIR_H

#include "libcoloan/clock.h"
#include "libcoloan/keyring.h"
#include "server/config.h"
#include "server/store/store.h"

struct keydir {
    const struct config *config;
    const struct cl_clock *clock;
    const struct cl_signer *own;  /* the centre's, which has to stand in every directory */
    struct cl_signer *issuer;     /* NULL: directories are issued offline */
    struct cl_keyring_slot *slot; /* the one in force */
    bool ours;                    /* the server has issued directories: the file may be behind */
    uint64_t written;             /* the file's number */
    bool write_failed;            /* was said */
};

/* Reads the file. CONFIG_INVALID and the reasons of signer.h and keyring.h. */
CL_MUST_CHECK struct cl_status keydir_open(struct keydir *out, const struct config *config,
                                           const struct cl_clock *clock, const struct cl_signer *own,
                                           struct cl_setting_error *error);
void keydir_close(struct keydir *keydir); /* harmless on zeros */

/* Puts in force what this server, or another on its database, issued last, when that is ahead. */
CL_MUST_CHECK struct cl_status keydir_restore(struct keydir *keydir, struct store *store,
                                              struct cl_setting_error *error);

/* Reads the file anew. A directory of a lower number, or another of the same, is refused and the old one stays. */
CL_MUST_CHECK struct cl_status keydir_reload(struct keydir *keydir, struct cl_setting_error *error);

/* Writes what is in force to the file when that is behind. A failure is logged once and tried again the next time: what
 * is in force is in the database. */
void keydir_publish(struct keydir *keydir);

#endif
