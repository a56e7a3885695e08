/* Blocks double from 4 KiB up to the cap; the first one is kept over resets, so that a thread that handles message after
 * message allocates nothing in the common case. */
#include "libcoloan/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_BLOCK_BYTES = 4096, ALIGNMENT = alignof(max_align_t) };

struct block {
    struct block *next;
    size_t size, used;
    alignas(max_align_t) uint8_t data[];
};

struct cl_arena {
    struct block *first, *last;
    size_t bytes_max, bytes_used;
    bool overflowed;
    ProtobufCAllocator protobuf;
};

static void *protobuf_alloc(void *arena, size_t size)
{
    return cl_arena_alloc(arena, size);
}

static void protobuf_free(void *arena, void *pointer)
{
    (void)arena;
    (void)pointer;
}

static struct block *block_create(size_t size)
{
    struct block *block = malloc(sizeof *block + size);
    if (block != NULL) {
        *block = (struct block){.size = size};
    }
    return block;
}

struct cl_status cl_arena_create(struct cl_arena **out, size_t bytes_max)
{
    struct cl_arena *arena = calloc(1, sizeof *arena);
    struct block *first = block_create(FIRST_BLOCK_BYTES);
    if (arena == NULL || first == NULL) {
        free(arena);
        free(first);
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *arena = (struct cl_arena){.first = first, .last = first, .bytes_max = bytes_max};
    arena->protobuf = (ProtobufCAllocator){.alloc = protobuf_alloc, .free = protobuf_free, .allocator_data = arena};
    *out = arena;
    return cl_ok();
}

struct cl_arena_mark cl_arena_mark(const struct cl_arena *arena)
{
    return (struct cl_arena_mark){
        .block = arena->last, .block_used = arena->last->used, .bytes_used = arena->bytes_used};
}

void cl_arena_rewind(struct cl_arena *arena, const struct cl_arena_mark *mark)
{
    struct block *last = mark->block;
    struct block *block = last->next;
    while (block != NULL) {
        struct block *next = block->next;
        explicit_bzero(block->data, block->used);
        free(block);
        block = next;
    }
    explicit_bzero(last->data + mark->block_used, last->used - mark->block_used);
    last->used = mark->block_used;
    last->next = NULL;
    arena->last = last;
    arena->bytes_used = mark->bytes_used;
    arena->overflowed = false;
}

void cl_arena_reset(struct cl_arena *arena)
{
    const struct cl_arena_mark start = {.block = arena->first};
    cl_arena_rewind(arena, &start);
}

void cl_arena_free(struct cl_arena *arena)
{
    if (arena == NULL) {
        return;
    }
    cl_arena_reset(arena);
    free(arena->first);
    free(arena);
}

static bool grow(struct cl_arena *arena, size_t size)
{
    size_t wanted = arena->last->size * 2;
    struct block *block = block_create(wanted > size ? wanted : size);
    if (block == NULL) {
        return false;
    }
    arena->last->next = block;
    arena->last = block;
    return true;
}

void *cl_arena_alloc(struct cl_arena *arena, size_t size)
{
    if (size > arena->bytes_max) {
        arena->overflowed = true;
        return NULL;
    }
    size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (rounded > arena->bytes_max - arena->bytes_used) {
        arena->overflowed = true;
        return NULL;
    }
    if (rounded > arena->last->size - arena->last->used && !grow(arena, rounded)) {
        arena->overflowed = true;
        return NULL;
    }
    struct block *block = arena->last;
    void *pointer = block->data + block->used;
    block->used += rounded;
    arena->bytes_used += rounded;
    memset(pointer, 0, rounded);
    return pointer;
}

void *cl_arena_array(struct cl_arena *arena, size_t count, size_t size)
{
    size_t total = 0;
    if (__builtin_mul_overflow(count, size, &total)) {
        arena->overflowed = true;
        return NULL;
    }
    return cl_arena_alloc(arena, total);
}

char *cl_arena_text(struct cl_arena *arena, const char *text)
{
    return (char *)cl_arena_copy(arena, cl_bytes_text(text));
}

uint8_t *cl_arena_copy(struct cl_arena *arena, struct cl_bytes bytes)
{
    uint8_t *copy = cl_arena_alloc(arena, bytes.len + 1);
    if (copy != NULL && bytes.len > 0) {
        memcpy(copy, bytes.data, bytes.len);
    }
    return copy;
}

bool cl_arena_overflowed(const struct cl_arena *arena)
{
    return arena->overflowed;
}

size_t cl_arena_used(const struct cl_arena *arena)
{
    return arena->bytes_used;
}

ProtobufCAllocator *cl_arena_protobuf(struct cl_arena *arena)
{
    return &arena->protobuf;
}
