/* What tables there are, their columns and keys, the target's catalogue says, in the order in which they were made: a table
 * refers to older ones only, or to itself. Columns that refer to their own table are filled when all rows are there.
 *
 * Triggers of the target rest meanwhile: they refuse what only the course of time makes (an override that has ended), and
 * count what is copied with its counts. References and checks hold as ever. */
#include "server/store/move.h"

#include <assert.h>
#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/log.h"
#include "libcoloan/sha256.h"
#include "server/store/keeper.h"
#include "server/store/schema.h"

enum {
    TABLES_MAX = 64, /* twice what there are */
    NAME_BYTES = 64, /* PostgreSQL takes no longer ones */
    TEXT_BYTES = 4096,
    PAGE_ROWS = 500, /* read at once: some hundred KiB of messages */
};

enum kind { INTEGER, TEXT, BYTES };

struct column {
    char name[NAME_BYTES];
    enum kind kind;
    int key;   /* its place in the key, from 1; 0: none */
    bool late; /* refers to its own table */
};

struct table {
    char name[NAME_BYTES];
    struct column columns[SQL_PARAMETERS_MAX];
    int column_count, key_count, late_count;
    /* Statements live as long as their connections (sql_prepare). */
    char first_page[TEXT_BYTES], next_page[TEXT_BYTES], insert[TEXT_BYTES], fill_late[TEXT_BYTES];
};

struct move {
    struct sql *from, *to;
    struct sql_health from_health, to_health;
    struct keeper *keeper; /* of a source that is a file */
    struct table tables[TABLES_MAX];
    int table_count;
};

/* -- Texts --------------------------------------------------------------------------------------------------- */

static void add(char text[TEXT_BYTES], const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(char text[TEXT_BYTES], const char *format, ...)
{
    size_t len = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    int added = vsnprintf(text + len, TEXT_BYTES - len, format, arguments);
    va_end(arguments);
    assert(added >= 0 && (size_t)added < TEXT_BYTES - len);
}

static const struct column *key_at(const struct table *table, int place)
{
    for (int i = 0; i < table->column_count; i++) {
        if (table->columns[i].key == place) {
            return &table->columns[i];
        }
    }
    assert(false);
    return NULL;
}

static void add_keys(char text[TEXT_BYTES], const struct table *table)
{
    for (int i = 1; i <= table->key_count; i++) {
        add(text, "%s%s", i == 1 ? "" : ", ", key_at(table, i)->name);
    }
}

static void write_pages(struct table *table)
{
    add(table->first_page, "SELECT ");
    for (int i = 0; i < table->column_count; i++) {
        add(table->first_page, "%s%s", i == 0 ? "" : ", ", table->columns[i].name);
    }
    add(table->first_page, " FROM %s", table->name);
    add(table->next_page, "%s WHERE (", table->first_page);
    add_keys(table->next_page, table);
    add(table->next_page, ") > (");
    for (int i = 1; i <= table->key_count; i++) {
        add(table->next_page, "%s$%d", i == 1 ? "" : ", ", i);
    }
    add(table->next_page, ")");
    char *const pages[] = {table->first_page, table->next_page};
    for (size_t i = 0; i < 2; i++) {
        add(pages[i], " ORDER BY ");
        add_keys(pages[i], table);
        add(pages[i], " LIMIT %d", PAGE_ROWS);
    }
}

/* Late columns have their numbers too, and are bound as nothing. */
static void write_insert(struct table *table)
{
    add(table->insert, "INSERT INTO %s (", table->name);
    for (int i = 0; i < table->column_count; i++) {
        add(table->insert, "%s%s", i == 0 ? "" : ", ", table->columns[i].name);
    }
    add(table->insert, ") VALUES (");
    for (int i = 0; i < table->column_count; i++) {
        add(table->insert, "%s$%d", i == 0 ? "" : ", ", i + 1);
    }
    add(table->insert, ")");
}

static void write_fill_late(struct table *table)
{
    const char *between = " SET ";
    add(table->fill_late, "UPDATE %s", table->name);
    for (int i = 0; i < table->column_count; i++) {
        if (table->columns[i].late) {
            add(table->fill_late, "%s%s = $%d", between, table->columns[i].name, i + 1);
            between = ", ";
        }
    }
    between = " WHERE ";
    for (int i = 0; i < table->column_count; i++) {
        if (table->columns[i].key > 0) {
            add(table->fill_late, "%s%s = $%d", between, table->columns[i].name, i + 1);
            between = " AND ";
        }
    }
}

/* -- The catalogue ------------------------------------------------------------------------------------------- */

static struct cl_status read_column(struct table *table, struct sql_statement *statement)
{
    enum { INT8 = 20, TEXT_TYPE = 25, BYTEA = 17 };
    if (table->column_count == SQL_PARAMETERS_MAX) {
        return cl_fail(CL_INTERNAL);
    }
    struct column *column = &table->columns[table->column_count++];
    int64_t type = sql_column_i64(statement, 1);
    (void)snprintf(column->name, sizeof column->name, "%s", sql_column_text(statement, 0));
    column->kind = type == INT8 ? INTEGER : type == TEXT_TYPE ? TEXT : BYTES;
    column->key = (int)sql_column_i64(statement, 2);
    column->late = sql_column_i64(statement, 3) != 0;
    table->key_count += column->key > 0 ? 1 : 0;
    table->late_count += column->late ? 1 : 0;
    return type == INT8 || type == TEXT_TYPE || type == BYTEA ? cl_ok() : cl_fail(CL_INTERNAL);
}

static struct cl_status read_columns(struct table *table, struct sql *sql)
{
    /* The key: the primary one, or else the oldest other one. */
    static const char text[] =
        "SELECT a.attname::text, a.atttypid::bigint, coalesce(array_position(k.indkey::int2[], a.attnum) + 1, "
        "0)::bigint,"
        " EXISTS (SELECT 1 FROM pg_constraint f WHERE f.contype = 'f' AND f.conrelid = c.oid AND f.confrelid = c.oid"
        " AND a.attnum = ANY (f.conkey)) FROM pg_class c"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " CROSS JOIN LATERAL (SELECT indkey FROM pg_index WHERE indrelid = c.oid AND indisunique AND indpred IS NULL"
        " ORDER BY indisprimary DESC, indexrelid LIMIT 1) k WHERE c.oid = to_regclass($1) ORDER BY a.attnum";
    struct sql_statement *statement = NULL;
    bool row = true;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, table->name);
    while (cl_is_ok(status) && row) {
        status = sql_step(&row, statement);
        if (cl_is_ok(status) && row) {
            status = read_column(table, statement);
        }
    }
    sql_finish(statement);
    return cl_is_ok(status) && table->key_count == 0 ? cl_fail(CL_INTERNAL) : status;
}

static struct cl_status read_names(struct move *move)
{
    static const char text[] = "SELECT relname::text FROM pg_class WHERE relkind = 'r' AND relnamespace ="
                               " current_schema()::regnamespace AND relname NOT IN ('store_writers', 'migrations')"
                               " ORDER BY oid";
    struct sql_statement *statement = NULL;
    bool row = false;
    struct cl_status status = sql_ask(&statement, &row, move->to, text);
    while (cl_is_ok(status) && row) {
        if (move->table_count == TABLES_MAX) {
            sql_finish(statement);
            return cl_fail(CL_INTERNAL);
        }
        struct table *table = &move->tables[move->table_count++];
        (void)snprintf(table->name, sizeof table->name, "%s", sql_column_text(statement, 0));
        status = sql_step(&row, statement);
    }
    return status;
}

static struct cl_status read_catalogue(struct move *move)
{
    struct cl_status status = read_names(move);
    for (int i = 0; cl_is_ok(status) && i < move->table_count; i++) {
        status = read_columns(&move->tables[i], move->to);
        if (cl_is_ok(status)) {
            write_pages(&move->tables[i]);
            write_insert(&move->tables[i]);
            write_fill_late(&move->tables[i]);
        }
    }
    return status;
}

/* -- Walking a table ----------------------------------------------------------------------------------------- */

/* The key of the last row of a page, kept for the next one. */
struct place {
    int64_t numbers[SQL_PARAMETERS_MAX];
    uint8_t bytes[SQL_PARAMETERS_MAX][512]; /* keys are ids, digests, names: CL_TEXT_BYTES_MAX and less */
    size_t lens[SQL_PARAMETERS_MAX];
};

static struct cl_status remember(struct place *place, const struct table *table, struct sql_statement *row)
{
    for (int i = 0; i < table->column_count; i++) {
        int key = table->columns[i].key - 1;
        if (key < 0) {
            continue;
        }
        struct cl_bytes value = sql_column_bytes(row, i);
        if (table->columns[i].kind == INTEGER) {
            place->numbers[key] = sql_column_i64(row, i);
            continue;
        }
        if (value.len >= sizeof place->bytes[key]) {
            return cl_fail(CL_INTERNAL);
        }
        memcpy(place->bytes[key], value.data, value.len);
        place->bytes[key][value.len] = '\0';
        place->lens[key] = value.len;
    }
    return cl_ok();
}

static void bind_place(struct sql_statement *statement, const struct table *table, const struct place *place)
{
    for (int i = 1; i <= table->key_count; i++) {
        switch (key_at(table, i)->kind) {
        case INTEGER:
            sql_bind_i64(statement, i, place->numbers[i - 1]);
            break;
        case TEXT:
            sql_bind_text(statement, i, (const char *)place->bytes[i - 1]);
            break;
        case BYTES:
            sql_bind_bytes(statement, i, cl_bytes(place->bytes[i - 1], place->lens[i - 1]));
            break;
        }
    }
}

typedef struct cl_status row_visitor(void *user, const struct table *table, struct sql_statement *row);

static struct cl_status walk_page(int *rows_out, struct place *place, struct sql_statement *statement,
                                  const struct table *table, row_visitor *visit, void *user)
{
    int rows = 0;
    bool row = false;
    struct cl_status status = sql_step(&row, statement);
    while (cl_is_ok(status) && row) {
        rows++;
        status = remember(place, table, statement);
        if (cl_is_ok(status)) {
            status = visit(user, table, statement);
        }
        if (cl_is_ok(status)) {
            status = sql_step(&row, statement);
        }
    }
    sql_finish(statement);
    *rows_out = rows;
    return status;
}

/* Every row, in the order of the key. */
static struct cl_status walk(struct sql *sql, const struct table *table, row_visitor *visit, void *user)
{
    struct place place;
    int rows = PAGE_ROWS;
    struct cl_status status = cl_ok();
    for (bool first = true; cl_is_ok(status) && rows == PAGE_ROWS; first = false) {
        struct sql_statement *statement = NULL;
        status = sql_prepare(&statement, sql, first ? table->first_page : table->next_page);
        if (cl_failed(status)) {
            return status;
        }
        if (!first) {
            bind_place(statement, table, &place);
        }
        status = walk_page(&rows, &place, statement, table, visit, user);
    }
    return status;
}

/* -- Copying ------------------------------------------------------------------------------------------------- */

static void bind_value(struct sql_statement *to, const struct table *table, int i, struct sql_statement *row)
{
    enum kind kind = table->columns[i].kind;
    if (kind == INTEGER && !sql_column_is_null(row, i)) {
        sql_bind_i64(to, i + 1, sql_column_i64(row, i));
    } else if (kind == BYTES && !sql_column_is_null(row, i)) {
        sql_bind_bytes(to, i + 1, sql_column_bytes(row, i));
    } else if (kind == TEXT) {
        sql_bind_text(to, i + 1, sql_column_text(row, i));
    } /* what is not bound is null */
}

static struct cl_status copy_row(void *user, const struct table *table, struct sql_statement *row)
{
    struct sql_statement *insert = NULL;
    struct cl_status status = sql_prepare(&insert, user, table->insert);
    if (cl_failed(status)) {
        return status;
    }
    for (int i = 0; i < table->column_count; i++) {
        if (!table->columns[i].late) {
            bind_value(insert, table, i, row);
        }
    }
    return sql_run(insert);
}

static struct cl_status fill_late(void *user, const struct table *table, struct sql_statement *row)
{
    struct sql_statement *update = NULL;
    struct cl_status status = sql_prepare(&update, user, table->fill_late);
    if (cl_failed(status)) {
        return status;
    }
    for (int i = 0; i < table->column_count; i++) {
        if (table->columns[i].late || table->columns[i].key > 0) {
            bind_value(update, table, i, row);
        }
    }
    return sql_run_one(update, CL_INTERNAL);
}

static struct cl_status rest_triggers(struct sql *sql, const struct table *table, bool rest)
{
    char text[TEXT_BYTES] = "";
    add(text, "ALTER TABLE %s %s TRIGGER USER", table->name, rest ? "DISABLE" : "ENABLE");
    return sql_script(sql, text);
}

static struct cl_status copy_table(struct move *move, const struct table *table)
{
    struct cl_status status = rest_triggers(move->to, table, true);
    if (cl_is_ok(status)) {
        status = walk(move->from, table, copy_row, move->to);
    }
    if (cl_is_ok(status) && table->late_count > 0) {
        status = walk(move->from, table, fill_late, move->to);
    }
    return status;
}

/* -- Proving ------------------------------------------------------------------------------------------------- */

struct sum {
    struct cl_sha256 hash;
    int64_t rows;
};

/* Each value with its kind and length, so that no two rows are written alike. */
static struct cl_status add_row(void *user, const struct table *table, struct sql_statement *row)
{
    struct sum *sum = user;
    for (int i = 0; i < table->column_count; i++) {
        bool null = sql_column_is_null(row, i);
        uint64_t number = htobe64((uint64_t)sql_column_i64(row, i));
        struct cl_bytes value =
            table->columns[i].kind == INTEGER ? cl_bytes(&number, sizeof number) : sql_column_bytes(row, i);
        uint8_t head[9] = {null ? 0xff : (uint8_t)table->columns[i].kind};
        uint64_t len = htobe64(null ? 0 : value.len);
        memcpy(head + 1, &len, sizeof len);
        cl_sha256_add(&sum->hash, cl_bytes(head, sizeof head));
        cl_sha256_add(&sum->hash, null ? cl_bytes(NULL, 0) : value);
    }
    sum->rows++;
    return cl_ok();
}

static struct cl_status sum_up(struct cl_digest *out, int64_t *rows_out, struct sql *sql, const struct table *table)
{
    struct sum sum = {.rows = 0};
    cl_sha256_init(&sum.hash);
    struct cl_status status = walk(sql, table, add_row, &sum);
    cl_sha256_finish(&sum.hash, out);
    *rows_out = sum.rows;
    return status;
}

static struct cl_status prove_table(struct move *move, const struct table *table, move_report *report, void *user)
{
    struct cl_digest from, to;
    int64_t from_rows = 0;
    int64_t to_rows = 0;
    struct cl_status status = sum_up(&from, &from_rows, move->from, table);
    if (cl_is_ok(status)) {
        status = sum_up(&to, &to_rows, move->to, table);
    }
    if (cl_failed(status)) {
        return status;
    }
    if (from_rows != to_rows || !cl_digest_equal(&from, &to)) {
        cl_log(CL_LOG_ERROR, "store.move_differs", cl_log_text("table", table->name), cl_log_number("rows", from_rows),
               cl_log_number("arrived", to_rows));
        return cl_fail(CL_STATE_CONFLICT);
    }
    report(user, table->name, to_rows, &to);
    return rest_triggers(move->to, table, false);
}

/* -- The whole ----------------------------------------------------------------------------------------------- */

static struct cl_status refuse_row(void *user, const struct table *table, struct sql_statement *row)
{
    (void)user;
    (void)row;
    cl_log(CL_LOG_ERROR, "store.move_target_not_empty", cl_log_text("table", table->name));
    return cl_fail(CL_CONFIG_INVALID);
}

static struct cl_status check_empty(struct move *move)
{
    struct cl_status status = cl_ok();
    for (int i = 0; cl_is_ok(status) && i < move->table_count; i++) {
        status = walk(move->to, &move->tables[i], refuse_row, NULL);
    }
    return status;
}

static struct cl_status copy_all(struct move *move, move_report *report, void *user)
{
    struct cl_status status = sql_begin(move->to);
    if (cl_is_ok(status)) {
        status = sql_all_or_nothing(move->to);
    }
    if (cl_is_ok(status)) {
        status = check_empty(move);
    }
    for (int i = 0; cl_is_ok(status) && i < move->table_count; i++) {
        status = copy_table(move, &move->tables[i]);
    }
    if (cl_is_ok(status)) {
        status = sql_script(move->to, "SET CONSTRAINTS ALL IMMEDIATE"); /* now, before the triggers wake */
    }
    for (int i = 0; cl_is_ok(status) && i < move->table_count; i++) {
        status = prove_table(move, &move->tables[i], report, user);
    }
    if (cl_is_ok(status)) {
        status = sql_commit(move->to);
    }
    if (cl_failed(status)) {
        sql_rollback(move->to);
    }
    return status;
}

static struct cl_status open_side(struct sql **out, const char *address, struct sql_health *health, int64_t now_ms)
{
    struct cl_status status = sql_open(out, address, SQL_WRITE, health);
    if (cl_is_ok(status) && sql_keeps_file(address)) {
        status = sql_keep_log(*out); /* an archive may not have it yet */
    }
    if (cl_is_ok(status)) {
        status = sql_be_alone(*out);
    }
    return cl_is_ok(status) ? schema_migrate(*out, schema_migrations, schema_migration_count, now_ms) : status;
}

static struct cl_status open_both(struct move *move, const char *from, const char *to, int64_t now_ms)
{
    struct cl_status status = sql_keeps_file(to) ? cl_fail(CL_CONFIG_INVALID) : cl_ok();
    if (cl_is_ok(status) && sql_keeps_file(from)) {
        const struct keeper_options keeper = {.path = from};
        status = keeper_create(&move->keeper, &keeper);
    }
    if (cl_is_ok(status)) {
        status = open_side(&move->from, from, &move->from_health, now_ms);
    }
    return cl_is_ok(status) ? open_side(&move->to, to, &move->to_health, now_ms) : status;
}

struct cl_status store_move(const char *from, const char *to, const struct cl_clock *clock, move_report *report,
                            void *user)
{
    struct move *move = calloc(1, sizeof *move);
    if (move == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = open_both(move, from, to, cl_clock_unix_ms(clock));
    if (cl_is_ok(status)) {
        status = read_catalogue(move);
    }
    if (cl_is_ok(status)) {
        status = copy_all(move, report, user);
    }
    sql_close(move->from);
    sql_close(move->to);
    keeper_free(move->keeper);
    free(move);
    return status;
}
