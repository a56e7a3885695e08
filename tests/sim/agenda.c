#include "tests/sim/agenda.h"

#include <assert.h>
#include <stdlib.h>

struct entry {
    int64_t at_ms;
    uint64_t serial;
    unsigned life_then;
    struct agenda_item item;
};

struct agenda {
    int64_t now_ms;
    uint64_t serial;
    struct entry *heap;
    size_t count, room;
};

struct agenda *agenda_create(int64_t now_ms)
{
    struct agenda *agenda = calloc(1, sizeof *agenda);
    assert(agenda != NULL);
    agenda->now_ms = now_ms;
    return agenda;
}

static void drop(const struct entry *entry)
{
    if (entry->item.drop != NULL) {
        entry->item.drop(entry->item.load);
    }
}

void agenda_free(struct agenda *agenda)
{
    if (agenda == NULL) {
        return;
    }
    for (size_t i = 0; i < agenda->count; i++) {
        drop(&agenda->heap[i]);
    }
    free(agenda->heap);
    free(agenda);
}

int64_t agenda_now_ms(const struct agenda *agenda)
{
    return agenda->now_ms;
}

static bool is_before(const struct entry *a, const struct entry *b)
{
    return a->at_ms < b->at_ms || (a->at_ms == b->at_ms && a->serial < b->serial);
}

static void swap(struct entry *a, struct entry *b)
{
    struct entry held = *a;
    *a = *b;
    *b = held;
}

void agenda_add(struct agenda *agenda, int64_t in_ms, const struct agenda_item *item)
{
    assert(in_ms >= 0);
    if (agenda->count == agenda->room) {
        agenda->room = agenda->room == 0 ? 64 : 2 * agenda->room;
        agenda->heap = realloc(agenda->heap, agenda->room * sizeof agenda->heap[0]);
        assert(agenda->heap != NULL);
    }
    size_t place = agenda->count++;
    agenda->heap[place] = (struct entry){.at_ms = agenda->now_ms + in_ms,
                                         .serial = agenda->serial++,
                                         .life_then = item->life == NULL ? 0 : *item->life,
                                         .item = *item};
    while (place > 0 && is_before(&agenda->heap[place], &agenda->heap[(place - 1) / 2])) {
        swap(&agenda->heap[place], &agenda->heap[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
}

static struct entry take_first(struct agenda *agenda)
{
    struct entry first = agenda->heap[0];
    agenda->heap[0] = agenda->heap[--agenda->count];
    for (size_t place = 0;;) {
        size_t least = place;
        for (size_t child = 2 * place + 1; child <= 2 * place + 2 && child < agenda->count; child++) {
            least = is_before(&agenda->heap[child], &agenda->heap[least]) ? child : least;
        }
        if (least == place) {
            return first;
        }
        swap(&agenda->heap[place], &agenda->heap[least]);
        place = least;
    }
}

bool agenda_run(struct agenda *agenda)
{
    while (agenda->count > 0) {
        struct entry entry = take_first(agenda);
        if (entry.item.life != NULL && *entry.item.life != entry.life_then) {
            drop(&entry);
            continue;
        }
        agenda->now_ms = entry.at_ms > agenda->now_ms ? entry.at_ms : agenda->now_ms;
        entry.item.run(entry.item.who, entry.item.load);
        return true;
    }
    return false;
}

void agenda_skip(struct agenda *agenda, int64_t by_ms)
{
    agenda->now_ms += by_ms;
}
