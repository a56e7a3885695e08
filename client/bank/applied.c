#include "client/bank/applied.h"

#include <stdlib.h>
#include <string.h>

void bank_applied_close(struct bank_applied_list *list)
{
    free(list->items);
    *list = (struct bank_applied_list){.items = NULL};
}

struct cl_status bank_applied_add(struct bank_applied_list *list, const struct bank_applied *applied)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : list->room * 2;
        struct bank_applied *items = realloc(list->items, room * sizeof items[0]);
        if (items == NULL) {
            return cl_fail(CL_MEMORY_LIMIT);
        }
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = *applied;
    list->sent_count += applied->sent ? 1 : 0;
    return cl_ok();
}

/* From the end: what is said was mostly applied just now. */
static struct bank_applied *find(const struct bank_applied_list *list, uint64_t sequence)
{
    for (size_t i = list->count; i > 0; i--) {
        if (list->items[i - 1].sequence == sequence) {
            return &list->items[i - 1];
        }
    }
    return NULL;
}

static void drop(struct bank_applied_list *list, struct bank_applied *gone)
{
    size_t behind = list->count - (size_t)(gone - list->items) - 1;
    list->sent_count -= gone->sent ? 1 : 0;
    memmove(gone, gone + 1, behind * sizeof *gone);
    list->count--;
}

/* Of those that were sent only the last ones stay. In one go, so that it is not done for each. */
static void forget_old(struct bank_applied_list *list)
{
    size_t left = list->sent_count;
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        bool old = list->items[i].sent && left > BANK_SENT_MAX;
        left -= list->items[i].sent ? 1 : 0;
        if (!old) {
            list->items[kept++] = list->items[i];
        }
    }
    list->count = kept;
    list->sent_count = list->sent_count < BANK_SENT_MAX ? list->sent_count : BANK_SENT_MAX;
}

void bank_applied_sent(struct bank_applied_list *list, uint64_t sequence)
{
    struct bank_applied *applied = find(list, sequence);
    if (applied == NULL || applied->sent) {
        return;
    }
    applied->sent = true;
    list->sent_count++;
    if (list->sent_count >= 2 * BANK_SENT_MAX) {
        forget_old(list);
    }
}

void bank_applied_answered(struct bank_applied_list *list, uint64_t sequence)
{
    struct bank_applied *applied = find(list, sequence);
    if (applied != NULL) {
        drop(list, applied);
    }
}

struct cl_status bank_applied_copy(struct bank_applied **out, size_t *count_out, const struct bank_applied_list *list)
{
    struct bank_applied *copy = list->count == 0 ? NULL : calloc(list->count, sizeof *copy);
    size_t never = 0;
    size_t sent = list->count - list->sent_count;
    if (list->count > 0 && copy == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; i < list->count; i++) {
        copy[list->items[i].sent ? sent++ : never++] = list->items[i];
    }
    *out = copy;
    *count_out = list->count;
    return cl_ok();
}
