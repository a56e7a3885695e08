#include "sandbox/history.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

enum { PLACES_TRIED = 16 };

struct place {
    uint64_t hash;
    unsigned count; /* 0: it is free */
};

struct history {
    pthread_mutex_t mutex; /* guards the places */
    struct place places[HISTORY_QUESTIONS_MAX];
};

struct cl_status history_create(struct history **out)
{
    struct history *history = calloc(1, sizeof *history);
    if (history == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    (void)pthread_mutex_init(&history->mutex, NULL);
    *out = history;
    return cl_ok();
}

void history_free(struct history *history)
{
    if (history == NULL) {
        return;
    }
    (void)pthread_mutex_destroy(&history->mutex);
    free(history);
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++) {
        hash = (hash ^ (uint8_t)*text) * UINT64_C(1099511628211); /* FNV-1a */
    }
    return (hash ^ 0xff) * UINT64_C(1099511628211);
}

/* The question's own place, or the first free one behind it; when all of these are others', the first of them is taken over.
 * With a single place two questions that share it would take it from each other for ever. */
static struct place *place_of(struct history *history, uint64_t hash)
{
    size_t first = (hash ^ hash >> 32) % HISTORY_QUESTIONS_MAX;
    struct place *chosen = NULL;
    for (size_t i = 0; i < PLACES_TRIED; i++) {
        struct place *place = &history->places[(first + i) % HISTORY_QUESTIONS_MAX];
        if (place->hash == hash) {
            return place;
        }
        chosen = chosen == NULL && place->count == 0 ? place : chosen;
    }
    chosen = chosen == NULL ? &history->places[first] : chosen;
    *chosen = (struct place){.hash = hash};
    return chosen;
}

unsigned history_count(struct history *history, const char *item, const char *about)
{
    if (history == NULL) {
        return 0;
    }
    uint64_t hash = hash_text(hash_text(UINT64_C(14695981039346656037), item), about);
    (void)pthread_mutex_lock(&history->mutex);
    struct place *place = place_of(history, hash);
    unsigned before = place->count++;
    (void)pthread_mutex_unlock(&history->mutex);
    return before;
}
