#include "server/source/cache.h"

#include <stdlib.h>
#include <string.h>

struct entry {
    struct cl_digest question;
    int64_t until_ms; /* 0: free */
    struct source_answer answer;
};

struct source_cache {
    struct entry entries[SOURCE_CACHE_ENTRIES];
};

struct cl_status source_cache_create(struct source_cache **out)
{
    struct source_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *out = cache;
    return cl_ok();
}

void source_cache_free(struct source_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    explicit_bzero(cache, sizeof *cache);
    free(cache);
}

/* A question has one place: the digest is random, so who loses it to another is, too. */
static struct entry *place_of(struct source_cache *cache, const struct cl_digest *question)
{
    uint32_t number = 0;
    memcpy(&number, question->bytes, sizeof number);
    return &cache->entries[number % SOURCE_CACHE_ENTRIES];
}

bool source_cache_find(struct source_answer *out, struct source_cache *cache, const struct cl_digest *question,
                       int64_t now_ms)
{
    struct entry *entry = place_of(cache, question);
    if (entry->until_ms == 0 || memcmp(&entry->question, question, sizeof *question) != 0) {
        return false;
    }
    if (entry->until_ms < now_ms) {
        explicit_bzero(entry, sizeof *entry);
        return false;
    }
    *out = entry->answer;
    out->attempts = 0;
    return true;
}

void source_cache_keep(struct source_cache *cache, const struct cl_digest *question, const struct source_answer *answer,
                       int64_t now_ms, int64_t until_ms)
{
    int64_t latest_ms = now_ms + SOURCE_CACHE_LIFE_MS;
    if (until_ms < now_ms) {
        return;
    }
    struct entry *entry = place_of(cache, question);
    explicit_bzero(entry, sizeof *entry);
    *entry = (struct entry){
        .question = *question, .until_ms = until_ms < latest_ms ? until_ms : latest_ms, .answer = *answer};
}
