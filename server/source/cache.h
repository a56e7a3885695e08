/* cache.h - answers that may serve another case which asks the same question: bounded, in memory, never on disk.
 *
 * A question is known by a keyed hash of what it asks (wording.h), so that neither a name nor a number of a person is
 * kept; the key is random, lives as long as the cache and is wiped with it. An answer is kept as long as the caller
 * allows, at most SOURCE_CACHE_LIFE_MS, and wiped when its place is taken over.
 *
 * Owner: the source. Source thread only. Fails: MEMORY_LIMIT. */
#ifndef COLOAN_SERVER_SOURCE_CACHE_H
#define COLOAN_SERVER_SOURCE_CACHE_H

#include "libcoloan/bytes.h"
#include "server/source/source.h"

enum { SOURCE_CACHE_ENTRIES = 4096 }; /* a busy day of a large centre's employers, projects and persons: 4 MiB */

/* An answer concerns people: whatever the catalogue allows, none is kept for more than a day. */
#define SOURCE_CACHE_LIFE_MS (INT64_C(24) * 3600 * 1000)

struct source_cache;

CL_MUST_CHECK struct cl_status source_cache_create(struct source_cache **out);
void source_cache_free(struct source_cache *cache); /* wipes; NULL is fine */

/* The kept answer to that question, when it may still be used; the authority, receipt, facts and times are as they were
 * given, the attempts 0. */
bool source_cache_find(struct source_answer *out, struct source_cache *cache, const struct cl_digest *question,
                       int64_t now_ms);

/* Keeps an answer until then, in place of whatever stood there. */
void source_cache_keep(struct source_cache *cache, const struct cl_digest *question, const struct source_answer *answer,
                       int64_t now_ms, int64_t until_ms);

#endif
