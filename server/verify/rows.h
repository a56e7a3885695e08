/* rows.h - what all parts of a verification share: going through rows, and noting what is wrong with one.
 *
 * Owner: verify.c; one thread. Fails only when nothing can go on; a fault is noted and the next row is looked at. */
#ifndef COLOAN_SERVER_VERIFY_ROWS_H
#define COLOAN_SERVER_VERIFY_ROWS_H

#include <coloan/v1/envelope.pb-c.h>

#include "server/verify/verify.h"

struct verify {
    const struct verify_options *options;
    struct verify_report *report;
    struct cl_arena *arena; /* of the row being looked at */
    struct cl_keyring *keyring;
    int64_t told_ms;
    uint64_t rows;
};

__attribute__((format(printf, 2, 3))) void verify_fault(struct verify *verify, const char *format, ...);

/* A digest's first bytes, enough to find the row. */
struct verify_short {
    char text[17];
};
struct verify_short verify_short(const struct cl_digest *digest);

/* Looks at the current row; it may use the arena, which was emptied before. */
typedef struct cl_status verify_row(struct verify *verify, struct sql_statement *statement);

/* Each row that the statement gives; `what`: for the progress. */
CL_MUST_CHECK struct cl_status verify_each(struct verify *verify, const char *text, const char *what,
                                           verify_row *check);

/* The header of a kept message, believed by nobody yet; NULL: it cannot be read. The digest is set all the same when
 * the frame can be. */
const Coloan__V1__SignedHeader *verify_header(struct cl_digest *digest_out, struct verify *verify,
                                              struct cl_bytes envelope);

/* -- The parts ------------------------------------------------------------------------------------------------ */

CL_MUST_CHECK struct cl_status verify_messages(struct verify *verify);
CL_MUST_CHECK struct cl_status verify_outbox(struct verify *verify);
CL_MUST_CHECK struct cl_status verify_delivery(struct verify *verify);
CL_MUST_CHECK struct cl_status verify_decisions(struct verify *verify);
CL_MUST_CHECK struct cl_status verify_vault(struct verify *verify);

#endif
