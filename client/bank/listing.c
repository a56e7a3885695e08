/* The events of a journal, for who compares them with the centre's. They stand in it as they came, which is not their order
 * when some were held back. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/bank/bank.h"

struct listed {
    uint64_t sequence;
    struct cl_digest digest;
};

struct listing {
    struct listed *events;
    size_t count, room;
};

static struct cl_status take(void *user, const struct bank_record *record)
{
    struct listing *listing = user;
    if (record->kind != BANK_RECORD_EVENT) {
        return cl_ok();
    }
    if (listing->count == listing->room) {
        size_t room = listing->room == 0 ? 1024 : listing->room * 2;
        struct listed *events = realloc(listing->events, room * sizeof events[0]);
        if (events == NULL) {
            return cl_fail(CL_MEMORY_LIMIT);
        }
        listing->events = events;
        listing->room = room;
    }
    listing->events[listing->count++] = (struct listed){.sequence = record->sequence, .digest = record->digest};
    return cl_ok();
}

static int by_sequence(const void *a, const void *b)
{
    const struct listed *left = a;
    const struct listed *right = b;
    return (left->sequence > right->sequence) - (left->sequence < right->sequence);
}

static void print(FILE *out, const struct listing *listing)
{
    for (size_t i = 0; i < listing->count && listing->events[i].sequence == i + 1; i++) {
        char digest[2 * CL_DIGEST_BYTES + 1];
        cl_hex_encode(digest, cl_bytes(listing->events[i].digest.bytes, CL_DIGEST_BYTES));
        (void)fprintf(out, "%" PRIu64 " %s\n", listing->events[i].sequence, digest);
    }
}

struct cl_status bank_list_events(FILE *out, const char *journal)
{
    struct listing listing = {NULL, 0, 0};
    struct bank_journal *opened = NULL;
    struct cl_status status = bank_journal_open(&opened, journal, take, &listing);
    bank_journal_close(opened);
    if (cl_is_ok(status) && listing.count > 0) {
        qsort(listing.events, listing.count, sizeof listing.events[0], by_sequence);
        print(out, &listing);
    }
    free(listing.events);
    return status;
}
