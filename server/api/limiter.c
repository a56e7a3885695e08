#include "server/api/limiter.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/limits.h"

struct cell {
    char party[CL_PARTY_BYTES_MAX + 1]; /* empty: free */
    int64_t due_us;                     /* when the calls taken so far are paid for */
};

struct api_limiter {
    int64_t call_us;  /* what a call costs */
    int64_t burst_us; /* what may be owed */
    pthread_mutex_t mutex;
    struct cell cells[API_LIMITER_PARTIES_MAX];
};

struct cl_status api_limiter_create(struct api_limiter **out, uint32_t calls_per_second, uint32_t burst)
{
    assert(calls_per_second > 0 && burst > 0);
    struct api_limiter *limiter = calloc(1, sizeof *limiter);
    if (limiter == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    limiter->call_us = calls_per_second >= 1000000 ? 1 : 1000000 / (int64_t)calls_per_second;
    limiter->burst_us = limiter->call_us * (int64_t)burst;
    (void)pthread_mutex_init(&limiter->mutex, NULL);
    *out = limiter;
    return cl_ok();
}

void api_limiter_free(struct api_limiter *limiter)
{
    if (limiter == NULL) {
        return;
    }
    (void)pthread_mutex_destroy(&limiter->mutex);
    free(limiter);
}

/* FNV-1a: parties come from verified certificates, so nobody can choose them to collide. */
static size_t place_of(const char *party)
{
    uint32_t hash = 2166136261u;
    for (; *party != '\0'; party++) {
        hash = (hash ^ (uint8_t)*party) * 16777619u;
    }
    return hash % API_LIMITER_PARTIES_MAX;
}

/* The party's cell, a fresh one for a new party, or NULL when all are taken. */
static struct cell *find(struct api_limiter *limiter, const char *party)
{
    size_t place = place_of(party);
    for (size_t i = 0; i < API_LIMITER_PARTIES_MAX; i++) {
        struct cell *cell = &limiter->cells[(place + i) % API_LIMITER_PARTIES_MAX];
        if (cell->party[0] == '\0') {
            memcpy(cell->party, party, strlen(party) + 1);
            return cell;
        }
        if (strcmp(cell->party, party) == 0) {
            return cell;
        }
    }
    return NULL;
}

struct cl_status api_limiter_take(struct api_limiter *limiter, const char *party, int64_t now_us)
{
    assert(party[0] != '\0' && strlen(party) <= CL_PARTY_BYTES_MAX);
    struct cl_status status = cl_fail(CL_RATE_LIMITED);
    (void)pthread_mutex_lock(&limiter->mutex);
    struct cell *cell = find(limiter, party);
    if (cell != NULL) {
        int64_t due_us = (cell->due_us > now_us ? cell->due_us : now_us) + limiter->call_us;
        if (due_us - now_us <= limiter->burst_us) {
            cell->due_us = due_us;
            status = cl_ok();
        }
    }
    (void)pthread_mutex_unlock(&limiter->mutex);
    return status;
}
