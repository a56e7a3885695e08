/* Two passes. The first moves `sent` through the outbox. The second looks at what is pending at or below `sent`: mostly
 * events whose lease runs, so it is made only when something can have changed - a lease or a wait ended, an acknowledgement
 * may let others go, somebody ordered something - and else every LANE_LOOK_MS.
 *
 * A bank that reconnects says up to where it has come (resume_after). What it has not acknowledged of that goes out again
 * at once, before anything else: it may be under way, lost with the last stream, or have been held back when it was
 * passed, and what follows in its application must not overtake it. */
#include "server/push/lane.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/pending.h"

void lane_init(struct lane *lane, const char *party)
{
    *lane = (struct lane){.look_ms = INT64_MAX};
    memcpy(lane->party, party, strlen(party) + 1);
}

void lane_close(struct lane *lane)
{
    free(lane->leases);
    lane->leases = NULL;
}

/* -- Leases --------------------------------------------------------------------------------------------------- */

/* The place of the first lease that is not below. */
static size_t place_of(const struct lane *lane, uint64_t sequence)
{
    size_t low = 0;
    size_t high = lane->lease_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (lane->leases[middle].sequence < sequence) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static struct lane_lease *find(const struct lane *lane, uint64_t sequence)
{
    size_t place = place_of(lane, sequence);
    return place < lane->lease_count && lane->leases[place].sequence == sequence ? &lane->leases[place] : NULL;
}

static void drop(struct lane *lane, struct lane_lease *lease)
{
    size_t behind = lane->lease_count - (size_t)(lease - lane->leases) - 1;
    memmove(lease, lease + 1, behind * sizeof *lease);
    lane->lease_count--;
}

static struct cl_status make_room(struct lane *lane)
{
    if (lane->lease_count < lane->lease_room) {
        return cl_ok();
    }
    size_t room = lane->lease_room == 0 ? 16 : lane->lease_room * 2;
    struct lane_lease *leases = realloc(lane->leases, room * sizeof leases[0]);
    if (leases == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    lane->leases = leases;
    lane->lease_room = room;
    return cl_ok();
}

static struct cl_status begin_lease(struct lane *lane, uint64_t sequence, struct lane_now now)
{
    struct lane_lease *lease = find(lane, sequence);
    struct cl_status status = lease == NULL ? make_room(lane) : cl_ok();
    if (cl_failed(status)) {
        return status;
    }
    if (lease == NULL) {
        size_t place = place_of(lane, sequence);
        lease = &lane->leases[place];
        memmove(lease + 1, lease, (lane->lease_count - place) * sizeof *lease);
        *lease = (struct lane_lease){.sequence = sequence};
        lane->lease_count++;
    }
    lease->until_ms = now.monotonic_ms + ((int64_t)LANE_LEASE_MS << lease->times);
    lease->times += lease->times < LANE_LEASE_DOUBLINGS_MAX ? 1 : 0;
    lane->look_ms = lease->until_ms < lane->look_ms ? lease->until_ms : lane->look_ms;
    return cl_ok();
}

/* -- What the bank says --------------------------------------------------------------------------------------- */

void lane_resume(struct lane *lane, uint64_t resume_after, uint32_t window)
{
    lane->lease_count = 0;
    lane->sent = resume_after;
    lane->window = window;
    lane->look_ms = 0;
}

void lane_credit(struct lane *lane, uint32_t more)
{
    lane->window += more;
    if (lane->behind) {
        lane->look_ms = 0;
    }
}

void lane_look(struct lane *lane)
{
    lane->behind = true;
    lane->look_ms = 0;
}

void lane_received(struct lane *lane, uint64_t sequence)
{
    struct lane_lease *lease = find(lane, sequence);
    if (lease != NULL) {
        drop(lane, lease);
    }
    if (lane->behind) {
        lane->look_ms = 0;
    }
}

void lane_refused(struct lane *lane, uint64_t sequence)
{
    struct lane_lease *lease = find(lane, sequence);
    if (lease != NULL) {
        drop(lane, lease);
    }
    lane_look(lane);
}

void lane_in_progress(struct lane *lane, uint64_t sequence, struct lane_now now)
{
    struct lane_lease *lease = find(lane, sequence);
    if (lease != NULL) {
        lease->until_ms = now.monotonic_ms + LANE_LEASE_MS;
        lease->times = 1;
    }
}

/* -- Behind the first pass ------------------------------------------------------------------------------------ */

/* Whether nobody is busy with it. What goes out again after a lease has its place in the window; else it takes one of
 * `*room`. */
static bool may_go(struct lane *lane, const struct pending_row *row, size_t *room, struct lane_now now)
{
    const struct lane_lease *lease = find(lane, row->sequence);
    if (lease != NULL) {
        return now.monotonic_ms >= lease->until_ms;
    }
    if (*room == 0) {
        lane->behind = true;
        return false;
    }
    (*room)--;
    return true;
}

static struct cl_status add_event(struct lane_items *items, const struct lane *lane, struct sql *sql,
                                  struct cl_arena *arena, uint64_t sequence, struct lane_now now)
{
    struct lane_item *item = &items->items[items->count];
    bool found = false;
    struct cl_status status = outbox_find(&found, &item->event, sql, arena, lane->party, sequence, now.unix_ms);
    if (cl_failed(status) || !found || !item->event.pending || item->event.held) {
        return status; /* acknowledged meanwhile, or held */
    }
    item->kind = LANE_EVENT;
    item->again = true;
    items->count++;
    return cl_ok();
}

/* A lease ended, but as far as one page of rows goes: those on a lease fill it and are passed over. */
static struct cl_status look_behind(struct lane_items *items, struct lane *lane, struct sql *sql,
                                    struct cl_arena *arena, size_t room, struct lane_now now)
{
    struct pending_look look = {
        .recipient = lane->party, .up_to = lane->sent, .now_ms = now.unix_ms, .max = LANE_READ_MAX};
    size_t bytes = 0;
    for (;;) {
        struct pending_rows rows;
        struct cl_status status = pending_ready(&rows, sql, arena, &look);
        for (size_t i = 0; cl_is_ok(status) && i < rows.count && items->count < LANE_READ_MAX; i++) {
            if (may_go(lane, &rows.rows[i], &room, now)) {
                status = add_event(items, lane, sql, arena, rows.rows[i].sequence, now);
            }
        }
        bytes = items->count == 0 ? 0 : bytes + items->items[items->count - 1].event.envelope.len;
        if (cl_failed(status) || rows.count < look.max || items->count == LANE_READ_MAX || bytes >= OUTBOX_READ_BYTES) {
            return status;
        }
        look.after = rows.rows[rows.count - 1].sequence;
    }
}

/* When something behind the first pass changes by time alone. */
static void set_alarm(struct lane *lane, const struct pending_holds *holds, struct lane_now now)
{
    int64_t at_ms = now.monotonic_ms + LANE_LOOK_MS;
    if (holds->next_ms > now.unix_ms && holds->next_ms - now.unix_ms < LANE_LOOK_MS) {
        at_ms = now.monotonic_ms + holds->next_ms - now.unix_ms;
    }
    for (size_t i = 0; i < lane->lease_count; i++) {
        at_ms = lane->leases[i].until_ms < at_ms ? lane->leases[i].until_ms : at_ms;
    }
    lane->look_ms = at_ms;
}

static struct cl_status look(struct lane_items *items, struct lane *lane, struct sql *sql, struct cl_arena *arena,
                             size_t room, struct lane_now now)
{
    struct pending_holds holds;
    struct cl_status status = pending_holds(&holds, sql, lane->party);
    if (cl_failed(status)) {
        return status;
    }
    lane->behind = holds.any;
    status = look_behind(items, lane, sql, arena, room, now);
    if (cl_is_ok(status) && items->count == 0) {
        set_alarm(lane, &holds, now);
    }
    return status;
}

/* -- The first pass ------------------------------------------------------------------------------------------- */

static void add_held(struct lane_items *items, uint64_t sequence)
{
    struct lane_item *last = items->count == 0 ? NULL : &items->items[items->count - 1];
    if (last != NULL && last->kind == LANE_HELD && last->to + 1 == sequence) {
        last->to = sequence;
        return;
    }
    items->items[items->count++] = (struct lane_item){.kind = LANE_HELD, .from = sequence, .to = sequence};
}

static struct cl_status go_on(struct lane_items *items, const struct lane *lane, struct sql *sql,
                              struct cl_arena *arena, size_t room, struct lane_now now)
{
    struct outbox_rows rows;
    struct cl_status status = outbox_read(&rows, sql, arena, lane->party, lane->sent, room, now.unix_ms);
    for (size_t i = 0; cl_is_ok(status) && i < rows.count; i++) {
        assert(rows.rows[i].sequence == lane->sent + i + 1);
        if (rows.rows[i].held) {
            add_held(items, rows.rows[i].sequence);
        } else {
            items->items[items->count++] = (struct lane_item){.kind = LANE_EVENT, .event = rows.rows[i]};
        }
    }
    return status;
}

struct cl_status lane_next(struct lane_items *out, struct lane *lane, struct sql *sql, struct cl_arena *arena,
                           uint64_t head, struct lane_now now)
{
    struct lane_items items = {.items = cl_arena_array(arena, LANE_READ_MAX, sizeof items.items[0])};
    struct cl_status status = items.items == NULL ? cl_fail(CL_MEMORY_LIMIT) : cl_ok();
    size_t room = lane->lease_count < lane->window ? lane->window - lane->lease_count : 0;
    room = room < LANE_READ_MAX ? room : LANE_READ_MAX;
    if (cl_is_ok(status) && now.monotonic_ms >= lane->look_ms) {
        status = look(&items, lane, sql, arena, room, now);
    }
    if (cl_is_ok(status) && items.count == 0 && room > 0 && lane->sent < head) {
        status = go_on(&items, lane, sql, arena, room, now);
    }
    if (cl_is_ok(status)) {
        *out = items;
    }
    return status;
}

struct cl_status lane_sent(struct lane *lane, const struct lane_item *item, struct lane_now now)
{
    if (item->kind == LANE_HELD) {
        assert(item->from == lane->sent + 1);
        lane->sent = item->to;
        lane_look(lane); /* for when it is due */
        return cl_ok();
    }
    struct cl_status status = item->event.pending ? begin_lease(lane, item->event.sequence, now) : cl_ok();
    if (cl_is_ok(status) && !item->again) {
        assert(item->event.sequence == lane->sent + 1);
        lane->sent = item->event.sequence;
    }
    return status;
}
