/* The PostgreSQL engine: several processes on one cluster.
 *
 * One turn to write: each transaction begins by taking an advisory lock of the cluster, which ends with it. So batches of
 * all nodes are as serial as with SQLite's one writer; READ COMMITTED takes a snapshot for each statement, so everything
 * behind the lock sees all that was committed before it. Constraints and triggers hold all the same.
 *
 * A refused statement ends the whole transaction in PostgreSQL; sql.h promises that it had no effect and nothing else. So
 * each one that writes has a savepoint around it, sent together with it. Those that read cannot be refused; if one fails
 * all the same the transaction is lost, and the next attempt is `careful`: savepoints around everything.
 *
 * COMMIT: each transaction that wrote leaves its number in the node's row of `store_writers`. When the answer to a COMMIT
 * does not come, or comes with a warning (a standby was not waited for), the number tells on a new connection whether it
 * took place: behind the lock, so that the lost transaction has ended, and by a transaction that writes, so that its own
 * clean COMMIT proves that what it saw is as durable as everything else.
 *
 * Statements are prepared when they first run, with the types of the values that were bound; rows come all at once, which
 * their texts limit. */
#include <assert.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/clock.h"
#include "libcoloan/ids.h"
#include "libcoloan/log.h"
#include "server/store/engine.h"
#include "server/store/postgres_cluster.h"
#include "server/store/postgres_dialect.h"
#include "server/store/postgres_link.h"
#include "server/store/postgres_listener.h"

enum {
    NODE_BYTES = (POSTGRES_NODE_HEX_BYTES - 1) / 2,
    STATEMENT_NAME_BYTES = 16,
    /* A reader's thread has other things to do than to try all the time. */
    READER_PAUSE_MS = 1000,
};

/* The lock of the one turn: "coloan" in a number that no other program on the database should use. */
#define TURN "109330211758446"

/* Held by each connection for writing as long as it lives, together or alone. */
#define SEAT "109330211758447"

struct postgres {
    struct sql base;
    char *address;
    bool alone;
    struct postgres_link *link; /* NULL: none */
    int64_t connect_at_ms;      /* a reader's next attempt, monotonic */
    unsigned first_host;        /* to try: turned when a server is refused */
    unsigned generation;        /* of the link: what was prepared on an older one is not there */
    bool in_transaction;
    bool careful;
    bool cut;      /* the link went while it was needed */
    bool in_doubt; /* COMMIT was sent, and no clean answer came */
    uint8_t node[NODE_BYTES];
    int64_t batch; /* of this node: the last transaction that wrote */
    int64_t changes;
};

struct postgres_statement {
    struct sql_statement base;
    char name[STATEMENT_NAME_BYTES];
    unsigned prepared; /* in that generation; 0: never */
    bool too_large;    /* a value */
    struct postgres_values values;
    uint64_t numbers[SQL_PARAMETERS_MAX]; /* values that are numbers, as they are sent */
    struct pg_result *result;             /* NULL: not run */
    int row;
};

static struct postgres *own(struct sql *sql)
{
    return (struct postgres *)sql;
}

static struct postgres_statement *own_statement(struct sql_statement *statement)
{
    return (struct postgres_statement *)statement;
}

/* -- Outcomes ------------------------------------------------------------------------------------------------ */

static struct cl_status lose(struct postgres *postgres)
{
    postgres->base.lost = postgres->base.mode == SQL_WRITE;
    return cl_fail(CL_STORE_UNREACHABLE);
}

static void drop_link(struct postgres *postgres)
{
    postgres_link_close(postgres->link);
    postgres->link = NULL;
    postgres->in_transaction = false;
    postgres->cut = true;
}

/* Of something that is not undone by a savepoint. */
static struct cl_status judge(struct postgres *postgres, enum postgres_outcome outcome)
{
    switch (outcome) {
    case POSTGRES_DONE:
        return cl_ok();
    case POSTGRES_FATAL:
        sql_health_fail(postgres->base.health, 0); /* the log has the server's code */
        return cl_fail(CL_STORE_FAILED);
    case POSTGRES_GONE:
        drop_link(postgres);
        return lose(postgres);
    case POSTGRES_AGAIN:
        return lose(postgres);
    case POSTGRES_CONFLICT:
    case POSTGRES_MISTAKE:
    case POSTGRES_SKIPPED:
        break;
    }
    if (postgres->in_transaction) {
        return lose(postgres); /* the server has ended it */
    }
    return cl_fail(outcome == POSTGRES_CONFLICT ? CL_STATE_CONFLICT : CL_INTERNAL);
}

/* One statement without values or rows. */
static enum postgres_outcome run_text(struct postgres *postgres, const char *text)
{
    const struct postgres_request request = {.text = text};
    struct pg_result *result = NULL;
    enum postgres_outcome outcome = postgres_link_exchange(&result, postgres->link, &request, 1);
    postgres_result_free(result);
    return outcome;
}

/* -- Opening ------------------------------------------------------------------------------------------------- */

/* A process that just ended leaves its seat when the server notices; so long it is waited for. */
static struct cl_status take_seat(struct postgres_link *link, bool alone)
{
    const struct postgres_request requests[] = {
        {.text = "SET lock_timeout = '2s'"},
        {.text = alone ? "SELECT pg_advisory_lock(" SEAT ")" : "SELECT pg_advisory_lock_shared(" SEAT ")"},
        {.text = "SET lock_timeout = '" POSTGRES_LOCK_TIMEOUT "'"}};
    struct pg_result *results[3];
    enum postgres_outcome outcome = postgres_link_exchange(results, link, requests, 3);
    for (size_t i = 0; i < 3; i++) {
        postgres_result_free(results[i]);
    }
    if (outcome == POSTGRES_AGAIN) {
        cl_log(
            CL_LOG_ERROR, "store.seat",
            cl_log_text("why", alone ? "other processes have the database open" : "another process is at work alone"));
        return cl_fail(CL_CONFIG_INVALID);
    }
    return outcome == POSTGRES_DONE ? cl_ok() : cl_fail(CL_STORE_UNREACHABLE);
}

static struct cl_status connect_now(struct postgres *postgres, bool warn)
{
    struct postgres_link *link = NULL;
    struct cl_status status = postgres_link_open(&link, postgres->address, postgres->base.mode, postgres->first_host);
    if (cl_is_ok(status)) {
        status = postgres_cluster_check(link, postgres->base.health, warn);
        postgres->first_host += status.reason == CL_CONFIG_INVALID ? 1 : 0;
    }
    if (cl_is_ok(status) && postgres->base.mode == SQL_WRITE) {
        status = take_seat(link, postgres->alone);
    }
    if (cl_failed(status)) {
        postgres_link_close(link);
        return status;
    }
    postgres->link = link;
    postgres->generation++;
    return cl_ok();
}

static struct cl_status postgres_be_alone(struct sql *sql)
{
    struct postgres *postgres = own(sql);
    drop_link(postgres); /* with its own seat */
    postgres->alone = true;
    return connect_now(postgres, false);
}

static void postgres_close(struct sql *sql)
{
    struct postgres *postgres = own(sql);
    postgres_link_close(postgres->link);
    free(postgres->address);
    free(postgres);
}

static struct cl_status postgres_open(struct sql **out, const char *address, enum sql_mode mode,
                                      struct sql_health *health)
{
    struct postgres *postgres = calloc(1, sizeof *postgres);
    if (postgres == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    postgres->base = (struct sql){.engine = &sql_postgres, .mode = mode, .health = health};
    postgres->address = strdup(address);
    cl_random_fill(cl_random_system(), postgres->node, sizeof postgres->node);
    struct cl_status status = postgres->address == NULL ? cl_fail(CL_MEMORY_LIMIT) : connect_now(postgres, true);
    if (cl_failed(status)) {
        postgres_close(&postgres->base);
        return status;
    }
    *out = &postgres->base;
    return cl_ok();
}

/* A writer is connected again by settling; a reader by itself. */
static struct cl_status need_link(struct postgres *postgres)
{
    if (postgres->link != NULL) {
        return cl_ok();
    }
    int64_t now_ms = cl_clock_monotonic_ms(cl_clock_system());
    if (postgres->base.mode == SQL_WRITE || now_ms < postgres->connect_at_ms) {
        return lose(postgres);
    }
    struct cl_status status = connect_now(postgres, false);
    postgres->connect_at_ms = cl_clock_monotonic_ms(cl_clock_system()) + READER_PAUSE_MS;
    return status;
}

/* -- Statements ---------------------------------------------------------------------------------------------- */

/* Which numbers the text has. One that is never bound has the type that the server sees fit; one that the text leaves out
 * needs some type all the same. */
static void find_values(struct postgres_values *out, const char *text)
{
    for (int i = 0; i < SQL_PARAMETERS_MAX; i++) {
        out->types[i] = POSTGRES_TEXT;
    }
    for (const char *at = strchr(text, '$'); at != NULL; at = strchr(at + 1, '$')) {
        long number = strtol(at + 1, NULL, 10);
        assert(number >= 1 && number <= SQL_PARAMETERS_MAX);
        out->types[number - 1] = POSTGRES_UNKNOWN;
        out->count = (int)number > out->count ? (int)number : out->count;
    }
}

static struct cl_status postgres_compile(struct sql_statement **out, struct sql *sql, const char *text)
{
    static const char select[] = "SELECT";
    struct postgres_statement *statement = calloc(1, sizeof *statement);
    if (statement == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    statement->base.writes = strncmp(text, select, sizeof select - 1) != 0;
    find_values(&statement->values, text);
    (void)snprintf(statement->name, sizeof statement->name, "s%zu", sql->kept_count);
    *out = &statement->base;
    return cl_ok();
}

static void postgres_finish(struct sql_statement *base)
{
    struct postgres_statement *statement = own_statement(base);
    postgres_result_free(statement->result);
    statement->result = NULL;
    statement->too_large = false;
    memset(statement->values.data, 0, sizeof statement->values.data);
}

static void postgres_discard(struct sql_statement *base)
{
    postgres_finish(base);
    free(base);
}

/* Texts keep within SQLite's limit for a whole row, so that what one engine takes the other takes too. */
static void bind(struct sql_statement *base, int number, enum postgres_type type, const void *data, size_t len)
{
    struct postgres_statement *statement = own_statement(base);
    int i = number - 1;
    assert(number <= statement->values.count);
    statement->too_large = statement->too_large || len >= SQL_VALUE_BYTES_MAX;
    statement->values.types[i] = type;
    statement->values.data[i] = data;
    statement->values.lengths[i] = statement->too_large ? 0 : (int)len;
}

static void postgres_bind_i64(struct sql_statement *base, int number, int64_t value)
{
    uint64_t *sent = &own_statement(base)->numbers[number - 1];
    *sent = htobe64((uint64_t)value);
    bind(base, number, POSTGRES_INT8, sent, sizeof *sent);
}

static void postgres_bind_text(struct sql_statement *base, int number, const char *text)
{
    bind(base, number, POSTGRES_TEXT, text, text == NULL ? 0 : strlen(text));
}

static void postgres_bind_bytes(struct sql_statement *base, int number, struct cl_bytes bytes)
{
    bind(base, number, POSTGRES_BYTEA, bytes.data, bytes.len);
}

static const char GUARD[] = "SAVEPOINT statement";
static const char RELEASE[] = "RELEASE SAVEPOINT statement";
static const char UNDO[] = "ROLLBACK TO SAVEPOINT statement";

/* Back to before the statement, which was refused. */
static struct cl_status undo_statement(struct postgres *postgres, enum postgres_outcome refused)
{
    static const struct postgres_request requests[] = {{.text = UNDO}, {.text = RELEASE}};
    struct pg_result *results[2];
    enum postgres_outcome outcome = postgres_link_exchange(results, postgres->link, requests, 2);
    postgres_result_free(results[0]);
    postgres_result_free(results[1]);
    if (outcome != POSTGRES_DONE) {
        return judge(postgres, outcome);
    }
    return cl_fail(refused == POSTGRES_CONFLICT ? CL_STATE_CONFLICT : CL_INTERNAL);
}

static bool is_refused(enum postgres_outcome outcome)
{
    return outcome == POSTGRES_CONFLICT || outcome == POSTGRES_MISTAKE;
}

/* What goes out for one statement: a savepoint, the text if it is not known there, the values, the savepoint's end. */
struct journey {
    struct postgres_request requests[POSTGRES_EXCHANGE_MAX];
    struct pg_result *results[POSTGRES_EXCHANGE_MAX];
    size_t count, prepares_at, runs_at;
    bool guarded, prepares;
};

static void plan(struct journey *out, const struct postgres *postgres, const struct postgres_statement *statement)
{
    *out = (struct journey){
        .guarded =
            postgres->in_transaction && !postgres->base.all_or_nothing && (statement->base.writes || postgres->careful),
        .prepares = statement->prepared != postgres->generation,
    };
    if (out->guarded) {
        out->requests[out->count++] = (struct postgres_request){.text = GUARD};
    }
    if (out->prepares) {
        out->prepares_at = out->count;
        out->requests[out->count++] = (struct postgres_request){.kind = POSTGRES_PREPARE,
                                                                .name = statement->name,
                                                                .text = statement->base.text,
                                                                .values = &statement->values};
    }
    out->runs_at = out->count;
    out->requests[out->count++] =
        (struct postgres_request){.kind = POSTGRES_PREPARED, .name = statement->name, .values = &statement->values};
    if (out->guarded) {
        out->requests[out->count++] = (struct postgres_request){.text = RELEASE};
    }
}

static struct cl_status execute(struct postgres *postgres, struct postgres_statement *statement)
{
    struct journey journey;
    plan(&journey, postgres, statement);
    enum postgres_outcome outcome =
        postgres_link_exchange(journey.results, postgres->link, journey.requests, journey.count);
    if (journey.prepares && postgres_result_is_good(journey.results[journey.prepares_at])) {
        statement->prepared = postgres->generation; /* stays, also when the transaction does not */
    }
    if (outcome == POSTGRES_DONE) {
        statement->result = journey.results[journey.runs_at];
        statement->row = -1;
        journey.results[journey.runs_at] = NULL;
    }
    for (size_t i = 0; i < journey.count; i++) {
        postgres_result_free(journey.results[i]);
    }
    if (outcome == POSTGRES_DONE) {
        return cl_ok();
    }
    return journey.guarded && is_refused(outcome) ? undo_statement(postgres, outcome) : judge(postgres, outcome);
}

static struct cl_status run_first(struct postgres *postgres, struct postgres_statement *statement)
{
    if (statement->too_large) {
        return cl_fail(CL_MESSAGE_TOO_LARGE);
    }
    struct cl_status status = need_link(postgres);
    if (cl_is_ok(status)) {
        status = execute(postgres, statement);
    }
    if (cl_is_ok(status) && statement->base.writes) {
        postgres->changes = postgres_result_changes(statement->result);
    }
    return status;
}

static struct cl_status postgres_step(bool *row_out, struct sql_statement *base)
{
    struct postgres_statement *statement = own_statement(base);
    struct cl_status status = statement->result == NULL ? run_first(own(base->sql), statement) : cl_ok();
    bool row = cl_is_ok(status) && ++statement->row < postgres_result_rows(statement->result);
    if (!row) {
        postgres_finish(base);
    }
    if (cl_is_ok(status)) {
        *row_out = row;
    }
    return status;
}

static int64_t postgres_changes(struct sql *sql)
{
    return own(sql)->changes;
}

static int64_t postgres_column_i64(struct sql_statement *statement, int column)
{
    return postgres_result_i64(own_statement(statement)->result, own_statement(statement)->row, column);
}

static const char *postgres_column_text(struct sql_statement *statement, int column)
{
    return postgres_result_text(own_statement(statement)->result, own_statement(statement)->row, column);
}

static struct cl_bytes postgres_column_bytes(struct sql_statement *statement, int column)
{
    return postgres_result_bytes(own_statement(statement)->result, own_statement(statement)->row, column);
}

static bool postgres_column_is_null(struct sql_statement *statement, int column)
{
    return postgres_result_is_null(own_statement(statement)->result, own_statement(statement)->row, column);
}

/* -- Transactions -------------------------------------------------------------------------------------------- */

static struct cl_status postgres_begin(struct sql *sql)
{
    static const struct postgres_request requests[] = {{.text = "BEGIN ISOLATION LEVEL READ COMMITTED"},
                                                       {.text = "SELECT pg_advisory_xact_lock(" TURN ")"}};
    struct postgres *postgres = own(sql);
    struct pg_result *results[2];
    struct cl_status status = need_link(postgres);
    if (cl_failed(status)) {
        return status;
    }
    postgres->in_transaction = true;
    enum postgres_outcome outcome = postgres_link_exchange(results, postgres->link, requests, 2);
    postgres_result_free(results[0]);
    postgres_result_free(results[1]);
    return judge(postgres, outcome);
}

/* Two values: the node and a number. */
static struct postgres_values stamp_values(const struct postgres *postgres, const uint64_t *sent)
{
    return (struct postgres_values){
        .count = 2,
        .types = {POSTGRES_BYTEA, POSTGRES_INT8},
        .data = {(const char *)postgres->node, (const char *)sent},
        .lengths = {sizeof postgres->node, sizeof *sent},
    };
}

/* Leaves the number and ends the transaction, together. */
static enum postgres_outcome commit_stamped(struct postgres *postgres)
{
    static const char text[] = "INSERT INTO store_writers (node, batch, at) VALUES ($1, $2, now())"
                               " ON CONFLICT (node) DO UPDATE SET batch = $2, at = now()";
    const uint64_t sent = htobe64((uint64_t)postgres->batch);
    const struct postgres_values values = stamp_values(postgres, &sent);
    const struct postgres_request requests[] = {{.text = text, .values = &values}, {.text = "COMMIT"}};
    struct pg_result *results[2];
    postgres_link_clear(postgres->link);
    enum postgres_outcome outcome = postgres_link_exchange(results, postgres->link, requests, 2);
    postgres_result_free(results[0]);
    postgres_result_free(results[1]);
    return outcome;
}

/* Whether that COMMIT is known to be durable, or known not to have been. */
static bool is_certain(const struct postgres *postgres, enum postgres_outcome outcome)
{
    return outcome != POSTGRES_GONE && outcome != POSTGRES_FATAL && !postgres_link_warned(postgres->link);
}

static struct cl_status postgres_commit(struct sql *sql)
{
    struct postgres *postgres = own(sql);
    if (!sql->written) {
        struct cl_status status = judge(postgres, run_text(postgres, "COMMIT"));
        postgres->in_transaction = postgres->in_transaction && cl_failed(status);
        return status;
    }
    postgres->batch++;
    enum postgres_outcome outcome = commit_stamped(postgres);
    postgres->in_doubt = !is_certain(postgres, outcome);
    if (postgres->in_doubt && outcome != POSTGRES_FATAL) {
        outcome = POSTGRES_GONE; /* what a new connection sees is what counts */
    }
    struct cl_status status = judge(postgres, outcome);
    if (cl_is_ok(status)) {
        postgres->in_transaction = false;
        postgres->careful = false;
    }
    return status;
}

static void postgres_rollback(struct sql *sql)
{
    struct postgres *postgres = own(sql);
    bool open = postgres->link != NULL && postgres_link_in_transaction(postgres->link);
    if (open && run_text(postgres, "ROLLBACK") != POSTGRES_DONE) {
        drop_link(postgres);
        (void)lose(postgres);
    }
    postgres->in_transaction = false;
}

static struct cl_status postgres_bracket(struct sql *sql, const char *text)
{
    struct postgres *postgres = own(sql);
    return judge(postgres, run_text(postgres, text));
}

/* -- Settling ------------------------------------------------------------------------------------------------ */

/* Behind the lock: whether the node's row has the number of the transaction in doubt. */
static enum postgres_outcome look_for_stamp(bool *found_out, struct postgres *postgres)
{
    static const char text[] = "SELECT 1 FROM store_writers WHERE node = $1 AND batch = $2";
    const uint64_t sent = htobe64((uint64_t)postgres->batch);
    const struct postgres_values values = stamp_values(postgres, &sent);
    const struct postgres_request request = {.text = text, .values = &values};
    struct pg_result *result = NULL;
    enum postgres_outcome outcome = postgres_link_exchange(&result, postgres->link, &request, 1);
    if (outcome == POSTGRES_DONE) {
        *found_out = postgres_result_rows(result) == 1;
    }
    postgres_result_free(result);
    return outcome;
}

/* Behind the lock, so the transaction has ended and its row is there or never will be. What is there is confirmed by a
 * COMMIT that has to be clean; else the doubt stays, and the next attempt looks again. */
static struct cl_status resolve(bool *done_out, struct postgres *postgres)
{
    bool found = false;
    struct cl_status status = postgres_begin(&postgres->base);
    if (cl_failed(status)) {
        return status;
    }
    enum postgres_outcome outcome = look_for_stamp(&found, postgres);
    if (outcome == POSTGRES_DONE) {
        outcome = found ? commit_stamped(postgres) : run_text(postgres, "ROLLBACK");
    }
    if (outcome != POSTGRES_DONE || (found && postgres_link_warned(postgres->link))) {
        drop_link(postgres);
        return cl_fail(CL_STORE_UNREACHABLE);
    }
    postgres->in_transaction = false;
    postgres->in_doubt = false;
    *done_out = found;
    return cl_ok();
}

static struct cl_status postgres_settle(enum sql_fate *out, struct sql *sql)
{
    struct postgres *postgres = own(sql);
    struct cl_status status = postgres->link == NULL ? connect_now(postgres, true) : cl_ok();
    if (cl_failed(status)) {
        return status;
    }
    bool done = false;
    if (postgres->in_doubt) {
        status = resolve(&done, postgres);
    }
    if (cl_is_ok(status)) {
        sql->lost = false;
        postgres->careful = !done;
        *out = done ? SQL_DONE : postgres->cut ? SQL_CUT_OFF : SQL_GIVEN_UP;
        postgres->cut = false;
    }
    return status;
}

/* -- Scripts and schema -------------------------------------------------------------------------------------- */

static struct cl_status guarded_script(struct postgres *postgres, const char *text)
{
    enum postgres_outcome outcome = run_text(postgres, GUARD);
    if (outcome == POSTGRES_DONE) {
        outcome = postgres_link_script(postgres->link, text);
        if (is_refused(outcome)) {
            return undo_statement(postgres, outcome);
        }
    }
    if (outcome == POSTGRES_DONE) {
        outcome = run_text(postgres, RELEASE);
    }
    return judge(postgres, outcome);
}

static struct cl_status postgres_script(struct sql *sql, const char *text)
{
    struct postgres *postgres = own(sql);
    struct cl_status status = need_link(postgres);
    if (cl_failed(status)) {
        return status;
    }
    return postgres->in_transaction && !sql->all_or_nothing
               ? guarded_script(postgres, text)
               : judge(postgres, postgres_link_script(postgres->link, text));
}

static struct cl_status postgres_define(struct sql *sql, const char *text)
{
    char *translated = NULL;
    struct cl_status status = postgres_translate(&translated, text);
    if (cl_is_ok(status)) {
        status = postgres_script(sql, translated);
        free(translated);
    }
    return status;
}

/* The table of the nodes marks the schema as ours. A node's row is of use as long as its process lives, and a week is
 * longer than any process looks back. */
static struct cl_status postgres_claim(enum sql_claim *out, struct sql *sql)
{
    static const char count[] = "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace";
    static const char mark[] = "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
                               " AND relname = 'store_writers' AND obj_description(oid, 'pg_class') = 'coloan'";
    static const char create[] = "CREATE TABLE store_writers (node BYTEA NOT NULL PRIMARY KEY, batch BIGINT NOT NULL,"
                                 " at TIMESTAMPTZ NOT NULL); COMMENT ON TABLE store_writers IS 'coloan'";
    static const char prune[] = "DELETE FROM store_writers WHERE at < now() - interval '7 days'";
    int64_t tables = 0;
    int64_t ours = 0;
    struct cl_status status = sql_ask_number(&tables, sql, count);
    if (cl_is_ok(status)) {
        status = sql_ask_number(&ours, sql, mark);
    }
    if (cl_is_ok(status) && tables == 0) {
        status = sql_script(sql, create);
    }
    if (cl_is_ok(status) && ours == 1) {
        status = sql_script(sql, prune);
    }
    if (cl_is_ok(status)) {
        *out = tables == 0 ? SQL_EMPTY : ours == 1 ? SQL_OURS : SQL_FOREIGN;
    }
    return status;
}

/* -- Other nodes --------------------------------------------------------------------------------------------- */

static void node_hex(char out[POSTGRES_NODE_HEX_BYTES], const struct postgres *postgres)
{
    cl_hex_encode(out, cl_bytes(postgres->node, sizeof postgres->node));
}

/* Counts as writing: what a command told is taken back with the command. */
static struct cl_status postgres_tell(struct sql *sql, const char *text)
{
    static const char notify[] = "SELECT pg_notify('" POSTGRES_CHANNEL "', $1)";
    char node[POSTGRES_NODE_HEX_BYTES];
    char told[POSTGRES_NODE_HEX_BYTES + SQL_TELL_BYTES_MAX + 1];
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, sql, notify);
    if (cl_failed(status)) {
        return status;
    }
    node_hex(node, own(sql));
    (void)snprintf(told, sizeof told, "%s %s", node, text);
    statement->writes = true;
    sql_bind_text(statement, 1, told);
    return sql_run(statement);
}

static struct cl_status postgres_listen(struct sql_listener **out, struct sql *writer, sql_heard *heard, void *user)
{
    char node[POSTGRES_NODE_HEX_BYTES];
    node_hex(node, own(writer));
    return postgres_listener_create(out, own(writer)->address, node, heard, user);
}

/* -- Care ---------------------------------------------------------------------------------------------------- */

/* The server checks each page's sum as it reads it, and counts what it found. */
static struct cl_status postgres_check(struct sql *sql)
{
    static const char text[] = "SELECT coalesce(sum(checksum_failures), 0)::bigint FROM pg_stat_database";
    int64_t failures = 0;
    struct cl_status status = sql_ask_number(&failures, sql, text);
    if (cl_is_ok(status) && failures > 0) {
        sql_health_fail(sql->health, 0);
        return cl_fail(CL_STORE_FAILED);
    }
    return status;
}

const struct sql_engine sql_postgres = {
    .check_address = postgres_link_check,
    .open = postgres_open,
    .be_alone = postgres_be_alone,
    .close = postgres_close,
    .compile = postgres_compile,
    .discard = postgres_discard,
    .bind_i64 = postgres_bind_i64,
    .bind_text = postgres_bind_text,
    .bind_bytes = postgres_bind_bytes,
    .step = postgres_step,
    .finish = postgres_finish,
    .changes = postgres_changes,
    .column_i64 = postgres_column_i64,
    .column_text = postgres_column_text,
    .column_bytes = postgres_column_bytes,
    .column_is_null = postgres_column_is_null,
    .begin = postgres_begin,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
    .bracket = postgres_bracket,
    .settle = postgres_settle,
    .script = postgres_script,
    .define = postgres_define,
    .claim = postgres_claim,
    .tell = postgres_tell,
    .listen = postgres_listen,
    .unlisten = postgres_listener_free,
    .check = postgres_check,
};
