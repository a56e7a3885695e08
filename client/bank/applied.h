/* applied.h - the applied events of which the centre may not have heard: those whose acknowledgement never left us,
 * however many, and the last ones that left without an answer, as on a stream.
 *
 * Owner: whoever holds the list, in place (zeros are an empty one); whoever reads it locks. Bounded by what was never
 * said: what was answered goes at once, and of what was only sent the last BANK_SENT_MAX stay. Fails: MEMORY_LIMIT. */
#ifndef COLOAN_BANK_APPLIED_H
#define COLOAN_BANK_APPLIED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/bytes.h"
#include "libcoloan/limits.h"
#include "libcoloan/status.h"

/* Acknowledgements without an answer that are repeated after a reconnect: as many as may be outstanding. */
#define BANK_SENT_MAX 1000

/* An applied event, as it is acknowledged. */
struct bank_applied {
    uint64_t sequence;
    struct cl_digest digest;
    char reference[CL_TEXT_BYTES_MAX + 1];
    bool sent;
};

struct bank_applied_list {
    struct bank_applied *items; /* in the order in which they were applied */
    size_t count, room;
    size_t sent_count;
};

void bank_applied_close(struct bank_applied_list *list);

CL_MUST_CHECK struct cl_status bank_applied_add(struct bank_applied_list *list, const struct bank_applied *applied);

/* It left us; or the centre answered. Of one that is not in the list: nothing. */
void bank_applied_sent(struct bank_applied_list *list, uint64_t sequence);
void bank_applied_answered(struct bank_applied_list *list, uint64_t sequence);

/* A copy for the caller to free: what was never said first. NULL with a count of 0 when there is nothing. */
CL_MUST_CHECK struct cl_status bank_applied_copy(struct bank_applied **out, size_t *count_out,
                                                 const struct bank_applied_list *list);

#endif
