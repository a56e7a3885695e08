/* arena.h - memory for one message being handled: many small allocations, one release, a hard cap.
 *
 * Owner: whoever created it; everything allocated lives until cl_arena_reset, cl_arena_rewind or cl_arena_free, which wipe
 * what was used, because messages hold personal data. One thread at a time; ownership travels with the command that holds it.
 * Fails: an allocation past the cap, or without memory, returns NULL and sets the arena's overflow flag. */
#ifndef COLOAN_ARENA_H
#define COLOAN_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "libcoloan/bytes.h"
#include "libcoloan/status.h"

struct cl_arena;

/* `bytes_max` caps the sum of all allocations between two resets. MEMORY_LIMIT when there is no memory. */
CL_MUST_CHECK struct cl_status cl_arena_create(struct cl_arena **out, size_t bytes_max);
void cl_arena_free(struct cl_arena *arena); /* NULL is fine */
void cl_arena_reset(struct cl_arena *arena);

/* A place to go back to: what was allocated after it is wiped and released, what stood before stays. A mark holds until the
 * arena is reset or taken back to an earlier one. */
struct cl_arena_mark {
    void *block;
    size_t block_used, bytes_used;
};
struct cl_arena_mark cl_arena_mark(const struct cl_arena *arena);
void cl_arena_rewind(struct cl_arena *arena, const struct cl_arena_mark *mark);

/* Zeroed, aligned for any type. NULL past the cap. */
void *cl_arena_alloc(struct cl_arena *arena, size_t size);

/* Zeroed room for `count` elements; NULL past the cap and on overflow of the product. */
void *cl_arena_array(struct cl_arena *arena, size_t count, size_t size);

/* NUL-terminated copies. NULL past the cap. */
char *cl_arena_text(struct cl_arena *arena, const char *text);
uint8_t *cl_arena_copy(struct cl_arena *arena, struct cl_bytes bytes);

/* True once an allocation failed since the last reset. */
bool cl_arena_overflowed(const struct cl_arena *arena);
size_t cl_arena_used(const struct cl_arena *arena);

/* For <message>__unpack: its frees do nothing. Borrowed from the arena. */
ProtobufCAllocator *cl_arena_protobuf(struct cl_arena *arena);

#endif
