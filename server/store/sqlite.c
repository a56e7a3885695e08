/* The SQLite driver: the only file that includes sqlite3.h.
 *
 * Durability: WAL with synchronous=FULL, so COMMIT returns after the log is on the disk. The log is taken over into the
 * database by sql_checkpoint, which the checkpointer calls beside the writer,
 * and the writer when the log begins anew or is idle; SQLite's own schedule would do it inside a COMMIT.
 *
 * Trust: SQLite goes on after a failed fsync, though the kernel may have dropped the pages it could not write. So the
 * first error of that kind latches the health of the store and no call reaches SQLite any more.
 *
 * Locks: SQLite's locks are the process's, and closing any descriptor of the file drops them. So a file that exists is
 * looked at by lstat only. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcoloan/log.h"
#include "server/store/engine.h"

enum {
    BUSY_MS = 5000, /* only recovery, and a look at a torn header, can make a connection wait */
    TEXT_BYTES_MAX = 64 * 1024,
    LOG_FILE_BYTES_MAX = 128 * 1024 * 1024, /* above what the log grows to by itself, so that its file keeps its size */
};

struct sqlite_statement {
    struct sql_statement base;
    sqlite3_stmt *handle;
    int places[SQL_PARAMETERS_MAX + 1]; /* SQLite's index of $n; 0: the text has no $n */
    int bind_error;
};

struct sqlite {
    struct sql base;
    sqlite3 *db;
    size_t log_pages;
    uint64_t log_commits;
};

static struct sqlite *own(struct sql *sql)
{
    return (struct sqlite *)sql;
}

static struct sqlite_statement *own_statement(struct sql_statement *statement)
{
    return (struct sqlite_statement *)statement;
}

/* -- Errors -------------------------------------------------------------------------------------------------- */

static struct cl_status latch(struct sql *sql, int code)
{
    sql_health_fail(sql->health, code);
    return cl_fail(CL_STORE_FAILED);
}

static bool is_taken(int code)
{
    return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
           code == SQLITE_CONSTRAINT_TRIGGER;
}

/* Memory is among the fatal ones because SQLite may have rolled the transaction back on its own. */
static bool is_fatal(const struct sql *sql, int code)
{
    switch (code & 0xff) {
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
    case SQLITE_PERM:
    case SQLITE_NOMEM:
        return true;
    case SQLITE_READONLY:
    case SQLITE_BUSY:
        return sql->mode == SQL_WRITE;
    default:
        return false;
    }
}

static struct cl_status judge(struct sql *sql, int code)
{
    if (code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE) {
        return cl_ok();
    }
    if (is_fatal(sql, code)) {
        return latch(sql, code);
    }
    if (is_taken(code)) {
        return cl_fail(CL_STATE_CONFLICT);
    }
    if ((code & 0xff) == SQLITE_TOOBIG) {
        return cl_fail(CL_MESSAGE_TOO_LARGE);
    }
    cl_log(CL_LOG_ERROR, "store.refused", cl_log_number("code", code));
    return cl_fail(CL_INTERNAL);
}

/* -- Opening ------------------------------------------------------------------------------------------------- */

static struct cl_status create_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    (void)close(fd);
    return cl_ok();
}

static struct cl_status check_file(const char *path, enum sql_mode mode)
{
    struct stat info;
    if (lstat(path, &info) != 0) {
        return errno == ENOENT && mode == SQL_WRITE ? create_file(path) : cl_fail(CL_CONFIG_INVALID);
    }
    if (!S_ISREG(info.st_mode) || (info.st_mode & 077) != 0) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    return cl_ok();
}

static void limit(struct sqlite *sql)
{
    static const struct {
        int limit, value;
    } rows[] = {
        {SQLITE_LIMIT_LENGTH, SQL_VALUE_BYTES_MAX},
        {SQLITE_LIMIT_SQL_LENGTH, TEXT_BYTES_MAX},
        {SQLITE_LIMIT_COLUMN, 64},
        {SQLITE_LIMIT_EXPR_DEPTH, 50},
        {SQLITE_LIMIT_COMPOUND_SELECT, 4},
        {SQLITE_LIMIT_FUNCTION_ARG, 8},
        {SQLITE_LIMIT_ATTACHED, 0},
        {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 64},
        {SQLITE_LIMIT_VARIABLE_NUMBER, SQL_PARAMETERS_MAX},
        {SQLITE_LIMIT_TRIGGER_DEPTH, 4},
        {SQLITE_LIMIT_WORKER_THREADS, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)sqlite3_limit(sql->db, rows[i].limit, rows[i].value);
    }
}

static int harden(sqlite3 *db)
{
    static const struct {
        int option, value;
    } rows[] = {
        {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
        {SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, 0},
        {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},
        {SQLITE_DBCONFIG_ENABLE_FKEY, 1},
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 1},
        {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int now = -1;
        int code = sqlite3_db_config(db, rows[i].option, rows[i].value, &now);
        if (code != SQLITE_OK || now != rows[i].value) {
            return code == SQLITE_OK ? SQLITE_ERROR : code;
        }
    }
    return SQLITE_OK;
}

static const char SETTINGS[] = "PRAGMA synchronous = FULL;"
                               "PRAGMA cell_size_check = ON;"
                               "PRAGMA secure_delete = ON;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA mmap_size = 0;";

static const char WRITER_SETTINGS[] = "PRAGMA cache_size = -16384;" /* KiB: the indexes' upper pages stay in memory */
                                      "PRAGMA wal_autocheckpoint = 0;";

static int count_log_pages(void *user, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    struct sqlite *sqlite = user;
    sqlite->log_pages = (size_t)pages;
    sqlite->log_commits++;
    return SQLITE_OK;
}

static int note_mode(void *user, int columns, char **values, char **names)
{
    (void)names;
    *(bool *)user = columns == 1 && values[0] != NULL && strcmp(values[0], "wal") == 0;
    return 0;
}

static int set_up(struct sqlite *sql)
{
    char size_limit[64];
    (void)snprintf(size_limit, sizeof size_limit, "PRAGMA journal_size_limit = %d;", LOG_FILE_BYTES_MAX);
    (void)sqlite3_busy_timeout(sql->db, BUSY_MS);
    limit(sql);
    int code = harden(sql->db);
    if (code == SQLITE_OK) {
        code = sqlite3_exec(sql->db, SETTINGS, NULL, NULL, NULL);
    }
    if (code != SQLITE_OK || sql->base.mode == SQL_READ) {
        return code;
    }
    bool log = false;
    code = sqlite3_exec(sql->db, "PRAGMA journal_mode = WAL", note_mode, &log, NULL);
    if (code == SQLITE_OK) {
        code = log ? sqlite3_exec(sql->db, WRITER_SETTINGS, NULL, NULL, NULL) : SQLITE_PROTOCOL;
    }
    if (code != SQLITE_OK) {
        return code;
    }
    (void)sqlite3_wal_hook(sql->db, count_log_pages, sql);
    return sqlite3_exec(sql->db, size_limit, NULL, NULL, NULL);
}

/* SQLite counts its memory under a lock that all connections would share; nobody reads the count. Without effect when
 * SQLite is in use already. */
static void configure(void)
{
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static void sqlite_close(struct sql *sql)
{
    int code = sqlite3_close(own(sql)->db);
    assert(code == SQLITE_OK);
    free(sql);
}

static struct cl_status sqlite_open(struct sql **out, const char *path, enum sql_mode mode, struct sql_health *health)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, configure);
    struct cl_status status = check_file(path, mode);
    if (cl_failed(status)) {
        return status;
    }
    struct sqlite *sqlite = calloc(1, sizeof *sqlite);
    if (sqlite == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    sqlite->base = (struct sql){.engine = &sql_sqlite, .mode = mode, .health = health};
    int flags = mode == SQL_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    int code = sqlite3_open_v2(path, &sqlite->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code == SQLITE_OK) {
        code = set_up(sqlite);
    }
    if (code != SQLITE_OK) {
        status = code == SQLITE_NOTADB ? cl_fail(CL_CONFIG_INVALID) : judge(&sqlite->base, code);
        sqlite_close(&sqlite->base);
        return status;
    }
    *out = &sqlite->base;
    return cl_ok();
}

/* -- Statements ---------------------------------------------------------------------------------------------- */

/* SQLite numbers $n in the order in which they first stand in the text. */
static void find_places(struct sqlite_statement *statement)
{
    int count = sqlite3_bind_parameter_count(statement->handle);
    for (int place = 1; place <= count; place++) {
        const char *name = sqlite3_bind_parameter_name(statement->handle, place);
        assert(name != NULL && name[0] == '$');
        long number = strtol(name + 1, NULL, 10);
        assert(number >= 1 && number <= SQL_PARAMETERS_MAX);
        statement->places[number] = place;
    }
}

static struct cl_status sqlite_compile(struct sql_statement **out, struct sql *sql, const char *text)
{
    struct sqlite_statement *statement = calloc(1, sizeof *statement);
    if (statement == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    int code = sqlite3_prepare_v3(own(sql)->db, text, -1, SQLITE_PREPARE_PERSISTENT, &statement->handle, NULL);
    if (code != SQLITE_OK) {
        free(statement);
        return judge(sql, code);
    }
    statement->base.writes = sqlite3_stmt_readonly(statement->handle) == 0;
    find_places(statement);
    *out = &statement->base;
    return cl_ok();
}

static void sqlite_discard(struct sql_statement *statement)
{
    (void)sqlite3_finalize(own_statement(statement)->handle);
    free(statement);
}

static int place_of(const struct sqlite_statement *statement, int number)
{
    assert(statement->places[number] != 0);
    return statement->places[number];
}

static void note(struct sqlite_statement *statement, int code)
{
    if (statement->bind_error == SQLITE_OK) {
        statement->bind_error = code;
    }
}

static void sqlite_bind_i64(struct sql_statement *base, int number, int64_t value)
{
    struct sqlite_statement *statement = own_statement(base);
    note(statement, sqlite3_bind_int64(statement->handle, place_of(statement, number), value));
}

static void sqlite_bind_text(struct sql_statement *base, int number, const char *text)
{
    struct sqlite_statement *statement = own_statement(base);
    note(statement, sqlite3_bind_text(statement->handle, place_of(statement, number), text, -1, SQLITE_STATIC));
}

static void sqlite_bind_bytes(struct sql_statement *base, int number, struct cl_bytes bytes)
{
    struct sqlite_statement *statement = own_statement(base);
    note(statement,
         sqlite3_bind_blob64(statement->handle, place_of(statement, number), bytes.data, bytes.len, SQLITE_STATIC));
}

static void sqlite_finish(struct sql_statement *base)
{
    struct sqlite_statement *statement = own_statement(base);
    (void)sqlite3_reset(statement->handle); /* repeats the error of the step, which was reported */
    (void)sqlite3_clear_bindings(statement->handle);
    statement->bind_error = SQLITE_OK;
}

static struct cl_status sqlite_step(bool *row_out, struct sql_statement *base)
{
    struct sqlite_statement *statement = own_statement(base);
    int code = statement->bind_error;
    if (code == SQLITE_OK) {
        code = sqlite3_step(statement->handle);
    }
    if (code != SQLITE_ROW) {
        sqlite_finish(base);
    }
    struct cl_status status = judge(base->sql, code);
    if (cl_is_ok(status)) {
        *row_out = code == SQLITE_ROW;
    }
    return status;
}

static int64_t sqlite_changes(struct sql *sql)
{
    return sqlite3_changes64(own(sql)->db);
}

static int64_t sqlite_column_i64(struct sql_statement *statement, int column)
{
    return sqlite3_column_int64(own_statement(statement)->handle, column);
}

static const char *sqlite_column_text(struct sql_statement *statement, int column)
{
    return (const char *)sqlite3_column_text(own_statement(statement)->handle, column);
}

static struct cl_bytes sqlite_column_bytes(struct sql_statement *statement, int column)
{
    sqlite3_stmt *handle = own_statement(statement)->handle;
    const void *data = sqlite3_column_blob(handle, column);
    return cl_bytes(data, (size_t)sqlite3_column_bytes(handle, column));
}

static bool sqlite_column_is_null(struct sql_statement *statement, int column)
{
    return sqlite3_column_type(own_statement(statement)->handle, column) == SQLITE_NULL;
}

/* -- Transactions -------------------------------------------------------------------------------------------- */

/* If one of these fails, what is pending is unknown: the store stops. */
static struct cl_status sqlite_bracket(struct sql *sql, const char *text)
{
    struct sql_statement *statement = NULL;
    bool row = false;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_is_ok(status)) {
        status = sqlite_step(&row, statement);
    }
    if (cl_failed(status)) {
        return latch(sql, sqlite3_extended_errcode(own(sql)->db));
    }
    return cl_ok();
}

static struct cl_status sqlite_begin(struct sql *sql)
{
    static const char text[] = "BEGIN IMMEDIATE";
    return sqlite_bracket(sql, text);
}

static struct cl_status sqlite_commit(struct sql *sql)
{
    static const char text[] = "COMMIT";
    return sqlite_bracket(sql, text);
}

static void sqlite_rollback(struct sql *sql)
{
    sqlite3 *db = own(sql)->db;
    if (sqlite3_get_autocommit(db) == 0) {
        (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    }
}

static struct cl_status sqlite_script(struct sql *sql, const char *text)
{
    return judge(sql, sqlite3_exec(own(sql)->db, text, NULL, NULL, NULL));
}

/* -- Schema -------------------------------------------------------------------------------------------------- */

/* "COLN": marks the file as ours, for us and for file(1). */
#define APPLICATION_ID "1129270350"

static struct cl_status sqlite_claim(enum sql_claim *out, struct sql *sql)
{
    static const char count_text[] = "SELECT count(*) FROM sqlite_schema";
    static const char id_text[] = "PRAGMA application_id";
    static const char ours_text[] = "SELECT " APPLICATION_ID;
    int64_t tables = 0;
    int64_t id = 0;
    int64_t ours = 0;
    struct cl_status status = sql_ask_number(&tables, sql, count_text);
    if (cl_is_ok(status)) {
        status = sql_ask_number(&id, sql, id_text);
    }
    if (cl_is_ok(status)) {
        status = sql_ask_number(&ours, sql, ours_text);
    }
    bool empty = tables == 0 && id == 0;
    if (cl_is_ok(status) && empty) {
        status = sqlite_script(sql, "PRAGMA application_id = " APPLICATION_ID);
    }
    if (cl_is_ok(status)) {
        *out = empty ? SQL_EMPTY : id == ours ? SQL_OURS : SQL_FOREIGN;
    }
    return status;
}

/* -- Care ---------------------------------------------------------------------------------------------------- */

static size_t sqlite_log_pages(struct sql *sql)
{
    return own(sql)->log_pages;
}

static uint64_t sqlite_log_commits(const struct sql *sql)
{
    return ((const struct sqlite *)sql)->log_commits;
}

static struct cl_status sqlite_keep_log(struct sql *sql)
{
    int now = -1;
    int code = sqlite3_db_config(own(sql)->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, &now);
    return code == SQLITE_OK && now == 1 ? cl_ok() : latch(sql, code);
}

static struct cl_status sqlite_checkpoint(struct sql *sql, bool truncate)
{
    int in_log = 0;
    int taken = 0;
    int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
    sqlite3 *db = own(sql)->db;
    (void)sqlite3_busy_timeout(db, 0);
    int code = sqlite3_wal_checkpoint_v2(db, NULL, mode, &in_log, &taken);
    (void)sqlite3_busy_timeout(db, BUSY_MS);
    if ((code & 0xff) == SQLITE_BUSY) {
        return cl_ok(); /* a reader holds an old snapshot; the next one will do */
    }
    if (code != SQLITE_OK) {
        return judge(sql, code);
    }
    own(sql)->log_pages = (size_t)(in_log - taken);
    return cl_ok();
}

static struct cl_status expect(struct sql *sql, const char *text, const char *only_answer)
{
    struct sql_statement *statement = NULL;
    bool row = false;
    struct cl_status status = sql_ask(&statement, &row, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    bool good =
        row ? only_answer != NULL && strcmp(sql_column_text(statement, 0), only_answer) == 0 : only_answer == NULL;
    sql_finish(statement);
    return good ? cl_ok() : latch(sql, SQLITE_CORRUPT);
}

static struct cl_status sqlite_check(struct sql *sql)
{
    static const char pages[] = "PRAGMA integrity_check";
    static const char references[] = "PRAGMA foreign_key_check";
    struct cl_status status = expect(sql, pages, "ok");
    return cl_is_ok(status) ? expect(sql, references, NULL) : status;
}

/* The transaction alone holds nothing: SQLite takes the snapshot when something is read. */
static struct cl_status sqlite_hold(struct sql *sql)
{
    return sqlite_script(sql, "BEGIN; SELECT count(*) FROM sqlite_schema");
}

/* -- Copying ------------------------------------------------------------------------------------------------- */

struct sql_copy {
    struct sql *source;
    sqlite3 *target;
    sqlite3_backup *backup;
};

/* Nobody reads a copy that is not whole: no journal, and whoever asked for it syncs it. */
static int open_target(struct sql_copy *copy, const char *path)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int code = sqlite3_open_v2(path, &copy->target, flags, NULL);
    if (code == SQLITE_OK) {
        code = sqlite3_exec(copy->target, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF", NULL, NULL, NULL);
    }
    if (code != SQLITE_OK) {
        return code;
    }
    copy->backup = sqlite3_backup_init(copy->target, "main", own(copy->source)->db, "main");
    return copy->backup == NULL ? sqlite3_extended_errcode(copy->target) : SQLITE_OK;
}

struct cl_status sql_copy_begin(struct sql_copy **out, struct sql *source, const char *path)
{
    assert(source->engine == &sql_sqlite && sqlite3_get_autocommit(own(source)->db) == 0);
    struct cl_status status = create_file(path);
    if (cl_failed(status)) {
        return status;
    }
    struct sql_copy *copy = calloc(1, sizeof *copy);
    if (copy == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    copy->source = source;
    status = judge(source, open_target(copy, path));
    if (cl_failed(status)) {
        sql_copy_end(copy);
        return status;
    }
    *out = copy;
    return cl_ok();
}

struct cl_status sql_copy_step(struct sql_copied *out, struct sql_copy *copy, size_t pages)
{
    int code = sqlite3_backup_step(copy->backup, (int)pages);
    if (code != SQLITE_OK && code != SQLITE_DONE) {
        return latch(copy->source, code);
    }
    *out = (struct sql_copied){.done = code == SQLITE_DONE,
                               .pages = (size_t)sqlite3_backup_pagecount(copy->backup),
                               .pages_left = (size_t)sqlite3_backup_remaining(copy->backup)};
    return cl_ok();
}

void sql_copy_end(struct sql_copy *copy)
{
    if (copy == NULL) {
        return;
    }
    (void)sqlite3_backup_finish(copy->backup);
    (void)sqlite3_close(copy->target);
    free(copy);
}

const struct sql_engine sql_sqlite = {
    .keeps_file = true,
    .open = sqlite_open,
    .close = sqlite_close,
    .compile = sqlite_compile,
    .discard = sqlite_discard,
    .bind_i64 = sqlite_bind_i64,
    .bind_text = sqlite_bind_text,
    .bind_bytes = sqlite_bind_bytes,
    .step = sqlite_step,
    .finish = sqlite_finish,
    .changes = sqlite_changes,
    .column_i64 = sqlite_column_i64,
    .column_text = sqlite_column_text,
    .column_bytes = sqlite_column_bytes,
    .column_is_null = sqlite_column_is_null,
    .begin = sqlite_begin,
    .commit = sqlite_commit,
    .rollback = sqlite_rollback,
    .bracket = sqlite_bracket,
    .script = sqlite_script,
    .define = sqlite_script,
    .claim = sqlite_claim,
    .check = sqlite_check,
    .log_pages = sqlite_log_pages,
    .log_commits = sqlite_log_commits,
    .keep_log = sqlite_keep_log,
    .checkpoint = sqlite_checkpoint,
    .hold = sqlite_hold,
};
