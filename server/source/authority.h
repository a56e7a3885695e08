/* authority.h - one authority as the source sees it: who waits for it, its slots, its breaker.
 *
 * Owner: the source. Source thread only, but for the counts, which any thread may read. */
#ifndef COLOAN_SERVER_SOURCE_AUTHORITY_H
#define COLOAN_SERVER_SOURCE_AUTHORITY_H

#include <stdatomic.h>

#include "libcoloan/breaker.h"
#include "server/source/exchange.h"

/* Room for one question that is being asked. It is kept through the pauses between attempts, so that an authority in
 * trouble is asked by fewer, not by more. */
struct slot {
    struct authority *authority;
    struct slot *next_free;
    struct source_question *question; /* NULL: free */
    bool sent;                        /* on the way; else pausing until due_ms */
    int64_t due_ms;
    struct exchange exchange;
};

struct authority {
    char name[SOURCE_AUTHORITY_BYTES_MAX + 1];
    char base_url[256];
    struct curl_slist *headers; /* holds the token */
    uint64_t items;
    struct source_hours hours;
    int64_t closed_wait_ms;
    bool cache;
    struct source_item_mapping *mappings; /* one of each item it serves */
    size_t mapping_count;
    int64_t timeout_ms;
    unsigned attempts;
    int64_t retry_ms; /* 0: the source's */
    struct cl_breaker breaker;
    struct slot *slots;
    size_t slot_count;
    struct slot *free_slots;
    size_t pausing_count;
    struct source_question *waiting_head, *waiting_tail; /* in the order they were asked */

    atomic_uint_fast64_t requests, retries, passed, failed, manual, failures_of_the_way, breaker_opened, closed, reused;
    atomic_bool breaker_open;
};

/* CONFIG_INVALID, MEMORY_LIMIT; close it either way. */
CL_MUST_CHECK struct cl_status authority_init(struct authority *authority,
                                              const struct source_authority_options *options);
void authority_close(struct authority *authority);

/* How it calls the things of an item that it serves. */
const struct source_mapping *authority_mapping(const struct authority *authority, enum source_item item);

void authority_wait(struct authority *authority, struct source_question *question);
struct source_question *authority_next_waiting(struct authority *authority); /* taken out; NULL: nobody */

/* Copies the counts. */
void authority_stats(struct source_stats *out, const struct authority *authority);

#endif
