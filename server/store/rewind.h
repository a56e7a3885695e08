/* rewind.h - brings a copy of the database forward along an archive (segment.h), commit by commit, to a moment.
 *
 * The copy is a backup's; it may hold commits of the archive's part that is gone through already: a page is written whole,
 * so writing it again up to a moment after the backup comes to the same. The file must not be open anywhere; the caller
 * syncs it. The calling thread. Fails: STORE_FAILED when the file cannot be written; what is wrong with the archive is
 * CONFIG_INVALID with a sentence in the report that names the segment. */
#ifndef COLOAN_STORE_REWIND_H
#define COLOAN_STORE_REWIND_H

#include <stdio.h>

#include "libcoloan/clock.h"
#include "server/store/segment.h"

#define REWIND_FAULT_BYTES_MAX 512

struct rewind_options {
    const char *archive;    /* folder */
    uint64_t segment;       /* to begin with */
    struct cl_digest start; /* its header's chain, by which it is known */
    int64_t to_ms;          /* the last moment that counts; INT64_MAX: all there is */
    const char *database;   /* the copy */
    const struct cl_clock *clock;
    FILE *progress; /* a line every two seconds */
};

struct rewind_report {
    uint64_t segments, commits;
    int64_t last_ms;      /* of the last commit; 0: none */
    int64_t reachable_ms; /* with a fault: the last moment that the archive is whole up to; 0: none */
    char fault[REWIND_FAULT_BYTES_MAX];
};

CL_MUST_CHECK struct cl_status rewind_database(struct rewind_report *out, const struct rewind_options *options);

#endif
