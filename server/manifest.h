/* manifest.h - the paper that travels with a backup: what the file is, what is in it, and where the archive goes on from it.
 *
 * JSON in a file beside the database's copy. Written for people and for `coloand --restore`, which reads back what it needs.
 * Values only; the calling thread. Reading fails on anything but a whole manifest, with CONFIG_INVALID. */
#ifndef COLOAN_SERVER_MANIFEST_H
#define COLOAN_SERVER_MANIFEST_H

#include <stdio.h>

#include "libcoloan/ids.h"
#include "libcoloan/keyring.h"
#include "server/store/inventory.h"

#define MANIFEST_NAME      "manifest.json"
#define MANIFEST_DATABASE  "coloan.db"
#define MANIFEST_BYTES_MAX (1024 * 1024) /* some thousand parties' heads */

/* From where on the archive brings the backup forward, and the first moment that it can be brought to. */
struct manifest_archive {
    uint64_t segment;
    struct cl_digest start;
    int64_t from_ms;
};

struct manifest {
    char party[CL_PARTY_BYTES_MAX + 1], environment[CL_ENVIRONMENT_BYTES_MAX + 1];
    int64_t made_ms; /* when the snapshot was taken */
    int64_t bytes;   /* of the file */
    struct cl_digest sha256;
    bool has_archive;
    struct manifest_archive archive;
};

void manifest_write(FILE *out, const struct manifest *manifest, const struct inventory *inventory);

/* `text` is the file's. */
CL_MUST_CHECK struct cl_status manifest_read(struct manifest *out, struct cl_bytes text);

#endif
