/* The writer: takes what is queued, up to a batch, and runs it in one transaction.
 *
 * While one batch is synced to disk the next one gathers in the queue, so batches grow with the load by themselves and
 * a lone command does not wait for company.
 *
 * Order in a batch: BEGIN, each command behind a mark, COMMIT, its moment in the archive, every done(), committed(), then
 * the care of the file (keeper.h). A command that fails is undone to its mark; the transaction goes on.
 *
 * On a cluster BEGIN also takes the one turn to write, so the batches of all processes are as serial as those of one, and
 * a transaction can be lost: the server went away, or gave it up. Nobody has been answered then, so the batch is applied
 * again, or found done, once there is a server. Meanwhile commands wait in the queue, and a full queue is told. */
#include "server/store/store.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libcoloan/ids.h"
#include "libcoloan/log.h"
#include "libcoloan/queue.h"
#include "server/store/keeper.h"
#include "server/store/schema.h"

struct store_tx {
    struct sql *sql;
};

enum {
    /* An election and the promotion of a standby take some seconds, ten at most with the usual tools; whoever waits longer
       is better told by a process that ended than kept in a queue. */
    OUTAGE_MS_MAX = 60 * 1000,
    /* A stop waits for a commit that is under way, not for a server that comes back. */
    STOP_OUTAGE_MS_MAX = 5 * 1000,
    /* Between attempts; doubled from the first to the last, so that nodes do not press a server that is just starting. */
    PAUSE_MS_MIN = 50,
    PAUSE_MS_MAX = 1000,
    /* How often the server may give one batch up. With one turn for all there is nothing to collide with, so a batch that
       fails so often is a mistake. Connections that are lost count by time. */
    REPEATS_MAX = 10,
};

/* The fields are set before the writer starts; then `sql`, `batch`, `statuses` and `ran` are the writer's. */
struct store {
    char *address;
    size_t batch_max;
    void (*committed)(void *user);
    void *user;
    const struct cl_clock *clock;
    struct cl_queue *queue;
    struct sql_health health;
    struct sql *sql;
    struct sql_listener *listener; /* NULL: nobody listens, or nobody tells */
    struct keeper *keeper;         /* NULL: the database cares for itself */
    struct store_command **batch;
    struct cl_status *statuses;
    size_t ran; /* of the batch, at least once */
    atomic_uint_least64_t commits;
    bool by_hand;
    pthread_t writer; /* unless by hand */
    bool running;     /* the opener's thread only */
};

struct sql *store_tx_sql(struct store_tx *tx)
{
    return tx->sql;
}

struct cl_status store_tell(struct store_tx *tx, const char *text)
{
    assert(strlen(text) <= SQL_TELL_BYTES_MAX);
    return sql_tell(tx->sql, text);
}

/* -- Writer -------------------------------------------------------------------------------------------------- */

/* Only an error of the store itself is returned; the command's own goes to `out`. */
static struct cl_status apply_one(struct cl_status *out, struct store *store, struct store_command *command)
{
    struct store_tx tx = {.sql = store->sql};
    struct cl_status status = sql_mark(store->sql);
    if (cl_failed(status)) {
        return status;
    }
    *out = command->apply(command, &tx);
    if (sql_health_failed(&store->health)) {
        return cl_fail(CL_STORE_FAILED); /* whatever apply made of it */
    }
    if (sql_lost(store->sql)) {
        return cl_fail(CL_STORE_UNREACHABLE);
    }
    return cl_is_ok(*out) ? sql_mark_keep(store->sql) : sql_mark_undo(store->sql);
}

static struct cl_status apply_batch(struct store *store, size_t count)
{
    struct cl_status status = sql_begin(store->sql);
    for (size_t i = 0; cl_is_ok(status) && i < count; i++) {
        store->ran = i < store->ran ? store->ran : i + 1;
        status = apply_one(&store->statuses[i], store, store->batch[i]);
    }
    if (cl_is_ok(status)) {
        status = sql_commit(store->sql);
    }
    if (cl_failed(status)) {
        sql_rollback(store->sql);
    }
    return status;
}

/* -- When a transaction is lost ------------------------------------------------------------------------------- */

/* Some time up to `longest_ms`, so that nodes that lost the same server do not all come back at once. */
static void pause_up_to(int64_t longest_ms)
{
    uint16_t chance = 0;
    cl_random_fill(cl_random_system(), &chance, sizeof chance);
    int64_t ms = longest_ms / 2 + longest_ms / 2 * chance / UINT16_MAX;
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    (void)nanosleep(&pause, NULL);
}

static bool waited_enough(const struct store *store, int64_t since_ms)
{
    int64_t waited_ms = cl_clock_monotonic_ms(store->clock) - since_ms;
    return waited_ms >= (cl_queue_closed(store->queue) ? STOP_OUTAGE_MS_MAX : OUTAGE_MS_MAX);
}

static struct cl_status give_up(struct store *store, const char *why)
{
    cl_log(CL_LOG_ERROR, "store.gave_up", cl_log_text("why", why));
    sql_health_fail(&store->health, 0);
    return cl_fail(CL_STORE_FAILED);
}

/* Until there is a server again, and it is known what became of the transaction. */
static struct cl_status settle(enum sql_fate *out, struct store *store, int64_t since_ms)
{
    int64_t pause_ms = PAUSE_MS_MIN;
    struct cl_status status = sql_settle(out, store->sql);
    while (cl_failed(status) && !sql_health_failed(&store->health)) {
        if (waited_enough(store, since_ms)) {
            return give_up(store, "no server");
        }
        pause_up_to(pause_ms);
        pause_ms = 2 * pause_ms < PAUSE_MS_MAX ? 2 * pause_ms : PAUSE_MS_MAX;
        status = sql_settle(out, store->sql);
    }
    if (cl_is_ok(status)) {
        cl_log(CL_LOG_WARNING, "store.settled",
               cl_log_text("batch", *out == SQL_DONE ? "was committed" : "is applied again"),
               cl_log_number("ms", cl_clock_monotonic_ms(store->clock) - since_ms));
    }
    return status;
}

static void make_ready_again(struct store *store)
{
    for (size_t i = 0; i < store->ran; i++) {
        if (store->batch[i]->again != NULL) {
            store->batch[i]->again(store->batch[i]);
        }
    }
}

/* Applies the batch until it is durable or the store has failed. */
static struct cl_status bring_about(struct store *store, size_t count)
{
    store->ran = 0;
    struct cl_status status = apply_batch(store, count);
    int64_t since_ms = cl_clock_monotonic_ms(store->clock);
    for (int repeats = 0; cl_failed(status) && sql_lost(store->sql);) {
        enum sql_fate fate = SQL_DONE;
        status = settle(&fate, store, since_ms);
        if (cl_failed(status) || fate == SQL_DONE) {
            return status;
        }
        repeats += fate == SQL_GIVEN_UP ? 1 : 0;
        if (repeats > REPEATS_MAX || waited_enough(store, since_ms)) {
            return give_up(store, "the same batch is lost again and again");
        }
        if (repeats > 1) {
            pause_up_to(PAUSE_MS_MIN);
        }
        make_ready_again(store);
        status = apply_batch(store, count);
    }
    return status;
}

/* -- Turns ---------------------------------------------------------------------------------------------------- */

static void run_batch(struct store *store, size_t count)
{
    struct cl_status status = bring_about(store, count);
    if (cl_is_ok(status)) {
        keeper_committed(store->keeper);
    }
    for (size_t i = 0; i < count; i++) {
        store->batch[i]->done(store->batch[i], cl_failed(status) ? status : store->statuses[i]);
    }
    if (cl_failed(status)) {
        return;
    }
    atomic_fetch_add_explicit(&store->commits, 1, memory_order_relaxed);
    if (store->committed != NULL) {
        store->committed(store->user);
    }
    keeper_after_commit(store->keeper);
}

static bool is_over(const struct store *store)
{
    return cl_queue_closed(store->queue) && cl_queue_count(store->queue) == 0;
}

/* A batch, or what is done when there is none. False when nothing came in the time. */
static bool take_turn(struct store *store, int64_t wait_ms)
{
    size_t count = cl_queue_take(store->queue, (void **)store->batch, store->batch_max, wait_ms);
    if (count > 0) {
        run_batch(store, count);
        return true;
    }
    if (!is_over(store)) {
        keeper_idle(store->keeper);
    }
    return false;
}

static void *write_batches(void *argument)
{
    struct store *store = argument;
    for (bool worked = true; worked || !is_over(store);) {
        worked = take_turn(store, keeper_wait_ms(store->keeper));
    }
    return NULL;
}

bool store_turn(struct store *store)
{
    assert(store->by_hand);
    return take_turn(store, 0);
}

/* -- Opening ------------------------------------------------------------------------------------------------- */

static struct cl_status allocate(struct store **out, const struct store_options *options)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    store->batch_max = options->batch_max == 0 ? STORE_BATCH_DEFAULT : options->batch_max;
    store->committed = options->committed;
    store->user = options->user;
    store->health.on_failed = options->failed;
    store->health.user = options->user;
    store->clock = options->clock;
    store->by_hand = options->by_hand;
    store->address = strdup(options->address);
    store->batch = calloc(store->batch_max, sizeof store->batch[0]);
    store->statuses = calloc(store->batch_max, sizeof store->statuses[0]);
    *out = store;
    if (store->address == NULL || store->batch == NULL || store->statuses == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    return cl_queue_create(&store->queue, options->queue_max == 0 ? STORE_QUEUE_DEFAULT : options->queue_max);
}

/* A migration that is cut is taken up again: each step looks what is there. */
static struct cl_status migrate(struct store *store)
{
    int64_t since_ms = cl_clock_monotonic_ms(store->clock);
    int64_t now_ms = cl_clock_unix_ms(store->clock);
    struct cl_status status = schema_migrate(store->sql, schema_migrations, schema_migration_count, now_ms);
    while (cl_failed(status) && sql_lost(store->sql) && !waited_enough(store, since_ms)) {
        enum sql_fate fate = SQL_DONE;
        status = settle(&fate, store, since_ms);
        if (cl_is_ok(status)) {
            status = schema_migrate(store->sql, schema_migrations, schema_migration_count, now_ms);
        }
    }
    return status;
}

/* A cluster has an archive of its own. */
static struct cl_status refuse_archive(const struct store_options *options)
{
    if (options->archive.folder == NULL) {
        return cl_ok();
    }
    cl_log(CL_LOG_ERROR, "archive.not_usable", cl_log_text("reason", "only a database that is a file has one"));
    return cl_fail(CL_CONFIG_INVALID);
}

/* The file, if it is one, is owned before it is opened. */
static struct cl_status open_database(struct store *store, const struct store_options *options)
{
    struct cl_status status = cl_ok();
    if (!sql_keeps_file(store->address)) {
        status = refuse_archive(options);
    } else {
        struct keeper_options keeper = {
            .path = store->address,
            .free_bytes_min = options->free_bytes_min == 0 ? STORE_FREE_BYTES_DEFAULT : options->free_bytes_min,
            .round_pages = options->round_pages == 0 ? STORE_ROUND_PAGES_DEFAULT : options->round_pages,
            .restart_pages = options->restart_pages == 0 ? STORE_RESTART_PAGES_DEFAULT : options->restart_pages,
            .idle_ms = options->idle_ms == 0 ? STORE_IDLE_MS_DEFAULT : options->idle_ms,
            .by_hand = options->by_hand,
            .archive = options->archive,
        };
        keeper.archive.clock = options->clock;
        status = keeper_create(&store->keeper, &keeper);
    }
    if (cl_is_ok(status)) {
        status = sql_open(&store->sql, store->address, SQL_WRITE, &store->health);
    }
    if (cl_is_ok(status)) {
        status = keeper_hold_log(store->keeper, store->sql);
    }
    if (cl_is_ok(status) && options->alone) {
        status = sql_be_alone(store->sql);
    }
    if (cl_is_ok(status)) {
        status = migrate(store);
    }
    return cl_is_ok(status) ? keeper_start(store->keeper, store->sql, &store->health) : status;
}

static struct cl_status start(struct store *store, const struct store_options *options)
{
    struct cl_status status = open_database(store, options);
    if (cl_is_ok(status) && options->heard != NULL) {
        status = sql_listen(&store->listener, store->sql, options->heard, options->user);
    }
    if (cl_failed(status)) {
        return status;
    }
    if (!store->by_hand && pthread_create(&store->writer, NULL, write_batches, store) != 0) {
        return cl_fail(CL_SYSTEM);
    }
    if (!store->by_hand) {
        (void)pthread_setname_np(store->writer, "store");
    }
    store->running = true;
    return cl_ok();
}

struct cl_status store_open(struct store **out, const struct store_options *options)
{
    assert(options->batch_max <= STORE_BATCH_MAX);
    struct store *store = NULL;
    struct cl_status status = allocate(&store, options);
    if (cl_is_ok(status)) {
        status = start(store, options);
    }
    if (cl_failed(status)) {
        store_close(store);
        return status;
    }
    *out = store;
    return cl_ok();
}

void store_stop(struct store *store)
{
    sql_listener_free(store->listener);
    store->listener = NULL;
    if (!store->running) {
        return;
    }
    cl_queue_close(store->queue);
    while (store->by_hand && store_turn(store)) {
    }
    if (!store->by_hand) {
        (void)pthread_join(store->writer, NULL);
    }
    keeper_stop(store->keeper); /* it may tell of a failure until here */
    store->running = false;
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    store_stop(store);
    keeper_close(store->keeper);
    sql_close(store->sql);
    keeper_free(store->keeper);
    cl_queue_free(store->queue);
    free(store->batch);
    free(store->statuses);
    free(store->address);
    free(store);
}

/* -- Callers ------------------------------------------------------------------------------------------------- */

uint64_t store_commits(const struct store *store)
{
    return atomic_load_explicit(&store->commits, memory_order_relaxed);
}

void store_archive_stats(const struct store *store, struct archive_stats *out)
{
    keeper_archive_stats(store->keeper, out);
}

bool store_failed(const struct store *store)
{
    return sql_health_failed(&store->health);
}

struct cl_status store_submit(struct store *store, struct store_command *command)
{
    if (store_failed(store)) {
        return cl_fail(CL_STORE_FAILED);
    }
    return keeper_disk_low(store->keeper) ? cl_fail(CL_OVERLOADED) : cl_queue_push(store->queue, command);
}

struct waiting {
    struct store_command command;
    struct cl_status (*apply)(void *user, struct store_tx *tx);
    void *user;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t ended;
    bool is_done;
    struct cl_status status;
};

static struct cl_status apply_waiting(struct store_command *command, struct store_tx *tx)
{
    struct waiting *waiting = (struct waiting *)command;
    return waiting->apply(waiting->user, tx);
}

static void waiting_done(struct store_command *command, struct cl_status status)
{
    struct waiting *waiting = (struct waiting *)command;
    (void)pthread_mutex_lock(&waiting->mutex);
    waiting->status = status;
    waiting->is_done = true;
    (void)pthread_cond_signal(&waiting->ended);
    (void)pthread_mutex_unlock(&waiting->mutex);
}

struct cl_status store_run(struct store *store, struct cl_status (*apply)(void *user, struct store_tx *tx), void *user)
{
    struct waiting waiting = {
        .command = {.apply = apply_waiting, .done = waiting_done},
        .apply = apply,
        .user = user,
        .mutex = PTHREAD_MUTEX_INITIALIZER,
        .ended = PTHREAD_COND_INITIALIZER,
    };
    struct cl_status status = store_submit(store, &waiting.command);
    if (cl_failed(status)) {
        return status;
    }
    while (store->by_hand && !waiting.is_done) {
        (void)store_turn(store);
    }
    (void)pthread_mutex_lock(&waiting.mutex);
    while (!waiting.is_done) {
        (void)pthread_cond_wait(&waiting.ended, &waiting.mutex);
    }
    (void)pthread_mutex_unlock(&waiting.mutex);
    (void)pthread_cond_destroy(&waiting.ended);
    (void)pthread_mutex_destroy(&waiting.mutex);
    return waiting.status;
}

struct cl_status store_reader_open(struct sql **out, struct store *store)
{
    return sql_open(out, store->address, SQL_READ, &store->health);
}

static struct cl_status check(void *user, struct store_tx *tx)
{
    (void)user;
    return sql_check(store_tx_sql(tx));
}

struct cl_status store_check(struct store *store)
{
    return store_run(store, check, NULL);
}
