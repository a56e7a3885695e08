#include "server/api/schedule.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/limits.h"
#include "libcoloan/log.h"
#include "server/api/shared.h"

enum {
    BATCH_MAX = 128, /* as many as share one commit; with a look each second, 20,000 cases are polled in five minutes */
    LOOK_ARENA_BYTES_MAX = 256 * 1024,
};

struct schedule {
    struct schedule_options options;
    atomic_int running; /* the look, and the work it found */
};

struct cl_status schedule_create(struct schedule **out, const struct schedule_options *options)
{
    struct schedule *schedule = calloc(1, sizeof *schedule);
    if (schedule == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    schedule->options = *options;
    *out = schedule;
    return cl_ok();
}

void schedule_free(struct schedule *schedule)
{
    free(schedule);
}

static void end_one(struct schedule *schedule)
{
    atomic_fetch_sub(&schedule->running, 1);
}

/* -- Work ---------------------------------------------------------------------------------------------------- */

struct work {
    struct store_command command; /* first: a command is cast back */
    struct schedule *schedule;
    struct cl_arena *arena;
    struct case_effect effect;
    bool put_off; /* it failed: this is the command that puts it off */
    int kind;
    char subject[]; /* with its NUL */
};

static void work_free(struct work *work)
{
    end_one(work->schedule);
    cl_arena_free(work->arena);
    free(work);
}

static struct cl_status work_apply(struct store_command *command, struct store_tx *tx)
{
    struct work *work = (struct work *)command;
    struct case_tx view = case_tx_of(work->schedule->options.cases, tx, work->arena, &work->effect);
    return work->put_off ? case_postpone(&view, work->subject, work->kind)
                         : case_run_due(&view, work->subject, work->kind);
}

static void work_again(struct store_command *command)
{
    struct work *work = (struct work *)command;
    effects_reset(&work->effect);
    cl_arena_reset(work->arena);
}

static void work_failed(struct work *work, struct cl_status status)
{
    api_count(&work->schedule->options.counters->due_failed);
    effects_reset(&work->effect);
    cl_log(CL_LOG_ERROR, "api.due_failed", cl_log_text("subject", work->subject), cl_log_number("kind", work->kind),
           cl_log_text("reason", cl_status_name(status)));
    work->put_off = true;
    if (cl_failed(store_submit(work->schedule->options.store, &work->command))) {
        work_free(work); /* the next look finds it again */
    }
}

static void work_done(struct store_command *command, struct cl_status status)
{
    struct work *work = (struct work *)command;
    if (cl_failed(status) && !work->put_off) {
        work_failed(work, status);
        return;
    }
    if (cl_is_ok(status) && !work->put_off) {
        api_count(&work->schedule->options.counters->due_done);
        effects_carry_out(work->schedule->options.effects, &work->effect);
    }
    work_free(work);
}

static void start_work(struct schedule *schedule, const struct due_row *row)
{
    size_t len = strlen(row->subject);
    struct work *work = calloc(1, sizeof *work + len + 1);
    if (work == NULL) {
        return;
    }
    if (cl_failed(cl_arena_create(&work->arena, CL_MESSAGE_ARENA_BYTES_MAX))) {
        free(work);
        return;
    }
    work->command = (struct store_command){.apply = work_apply, .done = work_done, .again = work_again};
    work->schedule = schedule;
    work->kind = row->kind;
    memcpy(work->subject, row->subject, len + 1);
    atomic_fetch_add(&schedule->running, 1);
    if (cl_failed(store_submit(schedule->options.store, &work->command))) {
        work_free(work);
    }
}

/* -- Looking ------------------------------------------------------------------------------------------------- */

struct look {
    struct store_command command; /* first: a command is cast back */
    struct schedule *schedule;
    struct cl_arena *arena;
    struct case_effect none;
    struct case_look found;
};

static struct cl_status look_apply(struct store_command *command, struct store_tx *tx)
{
    struct look *look = (struct look *)command;
    struct case_tx view = case_tx_of(look->schedule->options.cases, tx, look->arena, &look->none);
    return case_look(&look->found, &view, BATCH_MAX);
}

static void look_again(struct store_command *command)
{
    struct look *look = (struct look *)command;
    look->found = (struct case_look){.due = {.count = 0}};
    cl_arena_reset(look->arena);
}

static void count_cases(struct api_counters *counters, const struct application_tally *tally)
{
    for (size_t i = 0; i < CASE_STATE_COUNT; i++) {
        atomic_store_explicit(&counters->cases[i], tally->in_state[i], memory_order_relaxed);
    }
    atomic_store_explicit(&counters->overdue, tally->overdue, memory_order_relaxed);
}

static void look_free(struct look *look)
{
    end_one(look->schedule);
    cl_arena_free(look->arena);
    free(look);
}

static void look_done(struct store_command *command, struct cl_status status)
{
    struct look *look = (struct look *)command;
    if (cl_is_ok(status)) {
        count_cases(look->schedule->options.counters, &look->found.tally);
        for (size_t i = 0; i < look->found.due.count; i++) {
            start_work(look->schedule, &look->found.due.rows[i]);
        }
    } else {
        cl_log(CL_LOG_ERROR, "api.look_failed", cl_log_text("reason", cl_status_name(status)));
    }
    look_free(look);
}

struct cl_status schedule_look(struct schedule *schedule)
{
    int none = 0;
    if (!atomic_compare_exchange_strong(&schedule->running, &none, 1)) {
        return cl_ok();
    }
    struct look *look = calloc(1, sizeof *look);
    if (look == NULL || cl_failed(cl_arena_create(&look->arena, LOOK_ARENA_BYTES_MAX))) {
        free(look);
        end_one(schedule);
        return cl_fail(CL_MEMORY_LIMIT);
    }
    look->command = (struct store_command){.apply = look_apply, .done = look_done, .again = look_again};
    look->schedule = schedule;
    struct cl_status status = store_submit(schedule->options.store, &look->command);
    if (cl_failed(status)) {
        look_free(look);
    }
    return status;
}
