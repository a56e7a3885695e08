/* The writer: takes what is queued, up to a batch, and runs it in one transaction.
 *
 * While one batch is synced to disk the next one gathers in the queue, so batches grow with the load by themselves and
 * a lone command does not wait for company.
 *
 * Order in a batch: BEGIN, each command behind a mark, COMMIT, every done(), committed(), then the care of the log
 * (checkpointer.h). A command that fails is undone to its mark; the transaction goes on. */
#include "server/store/store.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "libcoloan/log.h"
#include "libcoloan/queue.h"
#include "server/store/archive.h"
#include "server/store/checkpointer.h"
#include "server/store/durable.h"
#include "server/store/schema.h"

enum {
    /* 256 MiB of log that a reader keeps from being taken over: somebody should know. */
    LOG_PAGES_ALARM = 65536,
};

struct store_tx {
    struct sql *sql;
};

/* The fields are set before the writer starts; then `sql`, `batch`, `statuses` and the log's flags are the writer's. */
struct store {
    char *path;
    size_t batch_max;
    void (*committed)(void *user);
    void *user;
    int lock_fd;
    struct cl_queue *queue;
    struct sql_health health;
    struct sql *sql;
    struct store_command **batch;
    struct cl_status *statuses;
    struct checkpointer *checkpointer;
    struct archive *archive; /* NULL: none */
    size_t round_pages, restart_pages;
    int64_t idle_ms;
    size_t log_seen; /* pages in the log when the last round began; 0: none since it began anew */
    size_t log_last; /* pages in the log after the last commit that wrote */
    bool log_full;   /* that round is the last before it begins anew */
    bool log_used;   /* since it was last emptied */
    bool log_alarm;  /* was raised */
    uint64_t free_bytes_min;
    atomic_bool disk_low; /* set by the writer */
    atomic_uint_least64_t commits;
    pthread_t writer;
    bool running; /* the opener's thread only */
};

struct sql *store_tx_sql(struct store_tx *tx)
{
    return tx->sql;
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
    return cl_is_ok(*out) ? sql_mark_keep(store->sql) : sql_mark_undo(store->sql);
}

static struct cl_status apply_batch(struct store *store, size_t count)
{
    struct cl_status status = sql_begin(store->sql);
    for (size_t i = 0; cl_is_ok(status) && i < count; i++) {
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

/* The archive first has all of the log, and knows the database file that holds it; until then it stays. */
static struct cl_status empty_log(bool *emptied_out, struct store *store)
{
    *emptied_out = false;
    if (!archive_before_round(store->archive)) {
        return cl_ok();
    }
    if (store->archive != NULL) {
        struct cl_status status = sql_checkpoint(store->sql, false);
        if (cl_failed(status)) {
            return status;
        }
    }
    *emptied_out = archive_release(store->archive, true);
    return *emptied_out ? sql_checkpoint(store->sql, true) : cl_ok();
}

static void take_over_log(struct store *store, bool truncate)
{
    bool let_go = true;
    if (checkpointer_busy(store->checkpointer)) {
        return; /* two would be in each other's way */
    }
    if (!truncate && !archive_release(store->archive, false)) {
        return; /* the log goes on; the next round is followed by another try */
    }
    struct cl_status status = truncate ? empty_log(&let_go, store) : sql_checkpoint(store->sql, false);
    if (cl_failed(status)) {
        return; /* latched */
    }
    size_t pages = sql_log_pages(store->sql);
    if (truncate) {
        store->log_used = pages > 0 || !let_go;
    }
    bool alarm = pages >= LOG_PAGES_ALARM;
    if (alarm && !store->log_alarm) {
        cl_log(CL_LOG_WARNING, "store.log_held_by_reader", cl_log_number("pages", (int64_t)pages));
    }
    store->log_alarm = alarm;
}

/* A reader that keeps the log from beginning anew makes it longer, and the rounds go on. */
static void care_for_log(struct store *store)
{
    size_t pages = sql_log_pages(store->sql);
    if (pages == store->log_last) {
        return; /* the batch wrote nothing: a round must never begin on a log that is wholly taken over (checkpointer.h) */
    }
    store->log_last = pages;
    if (pages < store->log_seen) {
        store->log_seen = 0;
        store->log_full = false;
    }
    if (pages < store->log_seen + store->round_pages && !store->log_full) {
        return;
    }
    if (checkpointer_busy(store->checkpointer)) {
        return;
    }
    if (store->log_full) {
        store->log_full = false;
        take_over_log(store, false);
        return;
    }
    if (!archive_before_round(store->archive)) {
        return; /* the next commit asks again */
    }
    store->log_seen = pages;
    store->log_full = pages >= store->restart_pages;
    checkpointer_begin(store->checkpointer);
}

/* A disk that cannot be asked counts as low: what it would say next is a failed write. */
static void look_at_disk(struct store *store)
{
    struct statvfs disk;
    bool low = statvfs(store->path, &disk) != 0 || (uint64_t)disk.f_bavail * disk.f_frsize < store->free_bytes_min;
    if (low != atomic_exchange(&store->disk_low, low)) {
        cl_log(low ? CL_LOG_ERROR : CL_LOG_INFO, low ? "store.disk_low" : "store.disk_fine",
               cl_log_number("free_bytes_min", (int64_t)store->free_bytes_min));
    }
}

static void run_batch(struct store *store, size_t count)
{
    struct cl_status status = apply_batch(store, count);
    if (cl_is_ok(status)) {
        archive_committed(store->archive, store->sql);
    }
    for (size_t i = 0; i < count; i++) {
        store->batch[i]->done(store->batch[i], cl_failed(status) ? status : store->statuses[i]);
    }
    if (cl_failed(status)) {
        return;
    }
    store->log_used = true;
    atomic_fetch_add_explicit(&store->commits, 1, memory_order_relaxed);
    if (store->committed != NULL) {
        store->committed(store->user);
    }
    care_for_log(store);
    look_at_disk(store);
}

static void *write_batches(void *argument)
{
    struct store *store = argument;
    for (;;) {
        int64_t wait_ms = store->log_used || atomic_load(&store->disk_low) ? store->idle_ms : -1;
        size_t count = cl_queue_take(store->queue, (void **)store->batch, store->batch_max, wait_ms);
        if (count > 0) {
            run_batch(store, count);
            continue;
        }
        if (cl_queue_closed(store->queue) && cl_queue_count(store->queue) == 0) {
            return NULL;
        }
        take_over_log(store, true);
        look_at_disk(store);
    }
}

/* -- Opening ------------------------------------------------------------------------------------------------- */

static struct cl_status lock_file(struct store *store)
{
    return durable_own(&store->lock_fd, store->path);
}

static struct cl_status allocate(struct store **out, const struct store_options *options)
{
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    store->lock_fd = -1;
    store->batch_max = options->batch_max == 0 ? STORE_BATCH_DEFAULT : options->batch_max;
    store->committed = options->committed;
    store->user = options->user;
    store->health.on_failed = options->failed;
    store->health.user = options->user;
    store->free_bytes_min = options->free_bytes_min == 0 ? STORE_FREE_BYTES_DEFAULT : options->free_bytes_min;
    store->round_pages = options->round_pages == 0 ? STORE_ROUND_PAGES_DEFAULT : options->round_pages;
    store->restart_pages = options->restart_pages == 0 ? STORE_RESTART_PAGES_DEFAULT : options->restart_pages;
    store->idle_ms = options->idle_ms == 0 ? STORE_IDLE_MS_DEFAULT : options->idle_ms;
    store->path = strdup(options->path);
    store->batch = calloc(store->batch_max, sizeof store->batch[0]);
    store->statuses = calloc(store->batch_max, sizeof store->statuses[0]);
    *out = store;
    if (store->path == NULL || store->batch == NULL || store->statuses == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    return cl_queue_create(&store->queue, options->queue_max == 0 ? STORE_QUEUE_DEFAULT : options->queue_max);
}

/* Before anything is taken over: a crash may have left what the archive does not have. */
static struct cl_status start_archive(struct store *store, const struct store_options *options)
{
    struct archive_options archive = options->archive;
    if (archive.folder == NULL) {
        return cl_ok();
    }
    archive.database = store->path;
    archive.clock = options->clock;
    struct cl_status status = archive_create(&store->archive, &archive);
    if (cl_failed(status)) {
        cl_log(CL_LOG_ERROR, "archive.not_usable", cl_log_text("reason", cl_status_name(status)));
    }
    return status;
}

static struct cl_status start(struct store *store, const struct store_options *options)
{
    bool emptied = false;
    struct cl_status status = lock_file(store);
    if (cl_is_ok(status)) {
        status = sql_open(&store->sql, store->path, SQL_WRITE, &store->health);
    }
    if (cl_is_ok(status) && options->archive.folder != NULL) {
        status = sql_keep_log(store->sql);
    }
    if (cl_is_ok(status)) {
        status =
            schema_migrate(store->sql, schema_migrations, schema_migration_count, cl_clock_unix_ms(options->clock));
    }
    if (cl_is_ok(status)) {
        status = start_archive(store, options);
    }
    if (cl_is_ok(status)) {
        status = empty_log(&emptied, store); /* what a crash left */
    }
    if (cl_is_ok(status)) {
        status = durable_sync_folder(store->path);
    }
    if (cl_failed(status)) {
        return status;
    }
    status = checkpointer_create(&store->checkpointer, store->path, &store->health);
    if (cl_failed(status)) {
        return status;
    }
    store->log_used = !emptied;
    look_at_disk(store);
    if (pthread_create(&store->writer, NULL, write_batches, store) != 0) {
        return cl_fail(CL_SYSTEM);
    }
    (void)pthread_setname_np(store->writer, "store");
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
    if (!store->running) {
        return;
    }
    cl_queue_close(store->queue);
    (void)pthread_join(store->writer, NULL);
    checkpointer_free(store->checkpointer); /* it may tell of a failure until here */
    store->checkpointer = NULL;
    if (store->archive != NULL) {
        bool emptied = false;
        (void)cl_is_ok(empty_log(&emptied, store)); /* what stays is archived by the next start */
    }
    store->running = false;
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    store_stop(store);
    checkpointer_free(store->checkpointer);
    archive_free(store->archive);
    sql_close(store->sql);
    cl_queue_free(store->queue);
    if (store->lock_fd >= 0) {
        (void)close(store->lock_fd);
    }
    free(store->batch);
    free(store->statuses);
    free(store->path);
    free(store);
}

/* -- Callers ------------------------------------------------------------------------------------------------- */

uint64_t store_commits(const struct store *store)
{
    return atomic_load_explicit(&store->commits, memory_order_relaxed);
}

void store_archive_stats(const struct store *store, struct archive_stats *out)
{
    archive_stats(store->archive, out);
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
    return atomic_load(&store->disk_low) ? cl_fail(CL_OVERLOADED) : cl_queue_push(store->queue, command);
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
    return sql_open(out, store->path, SQL_READ, &store->health);
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
