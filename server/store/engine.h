/* engine.h - what a database engine does behind sql.h: a table of functions. Private to server/store.
 *
 * sql.c holds what is the same for all: the statements that are kept, marks, health, copies. An engine's struct begins
 * with `struct sql`, its statement with `struct sql_statement`, and it alone knows the rest. Thread and errors are those
 * of sql.h; what a function here may assume of its caller stands beside it.
 *
 * Engines: sqlite.c, a file of one process; postgres.c, a cluster of several. */
#ifndef COLOAN_STORE_ENGINE_H
#define COLOAN_STORE_ENGINE_H

#include "server/store/sql.h"

#define SQL_STATEMENTS_MAX 512 /* at least twice the texts of the program, about 130; a power of two */

struct sql_statement {
    struct sql *sql;
    const char *text;
    bool writes;
};

struct sql_kept {
    const char *text; /* NULL: free */
    struct sql_statement *statement;
};

/* A mark is placed by the first statement behind it that writes. */
enum sql_mark_state { SQL_NO_MARK, SQL_MARK_WANTED, SQL_MARK_IS_BEGIN, SQL_MARK_SET };

struct sql {
    const struct sql_engine *engine;
    enum sql_mode mode;
    struct sql_health *health;
    size_t kept_count;
    struct sql_kept kept[SQL_STATEMENTS_MAX]; /* open addressing by the text's address */
    enum sql_mark_state mark;
    bool written;        /* something, in this transaction */
    bool all_or_nothing; /* this transaction: no statement is undone alone */
    bool lost;           /* the transaction; see sql_lost */
};

struct sql_engine {
    bool keeps_file; /* the database is a file that the process looks after (keeper.h) */

    struct cl_status (*check_address)(const char **why_out, const char *address); /* NULL: any will do */
    struct cl_status (*open)(struct sql **out, const char *address, enum sql_mode mode, struct sql_health *health);
    struct cl_status (*be_alone)(struct sql *sql); /* NULL: it is */
    void (*close)(struct sql *sql);                /* its statements are discarded by then */

    /* `writes` is set by the engine. Called once for each text. */
    struct cl_status (*compile)(struct sql_statement **out, struct sql *sql, const char *text);
    void (*discard)(struct sql_statement *statement);

    /* Numbers are checked. */
    void (*bind_i64)(struct sql_statement *statement, int number, int64_t value);
    void (*bind_text)(struct sql_statement *statement, int number, const char *text);       /* NULL binds NULL */
    void (*bind_bytes)(struct sql_statement *statement, int number, struct cl_bytes bytes); /* NULL data binds NULL */

    struct cl_status (*step)(bool *row_out, struct sql_statement *statement);
    void (*finish)(struct sql_statement *statement);
    int64_t (*changes)(struct sql *sql);

    int64_t (*column_i64)(struct sql_statement *statement, int column);
    const char *(*column_text)(struct sql_statement *statement, int column);
    struct cl_bytes (*column_bytes)(struct sql_statement *statement, int column);
    bool (*column_is_null)(struct sql_statement *statement, int column);

    struct cl_status (*begin)(struct sql *sql);
    struct cl_status (*commit)(struct sql *sql);
    void (*rollback)(struct sql *sql);
    struct cl_status (*bracket)(struct sql *sql, const char *text);  /* SAVEPOINT and its like */
    struct cl_status (*settle)(enum sql_fate *out, struct sql *sql); /* NULL: no transaction is ever lost */

    struct cl_status (*script)(struct sql *sql, const char *text);
    struct cl_status (*define)(struct sql *sql, const char *text);
    struct cl_status (*claim)(enum sql_claim *out, struct sql *sql);
    struct cl_status (*tell)(struct sql *sql, const char *text); /* NULL: there is nobody else to tell */
    struct cl_status (*listen)(struct sql_listener **out, struct sql *writer, sql_heard *heard,
                               void *user); /* the same */
    void (*unlisten)(struct sql_listener *listener);
    struct cl_status (*check)(struct sql *sql);

    size_t (*log_pages)(struct sql *sql);           /* only with keeps_file */
    uint64_t (*log_commits)(const struct sql *sql); /* the same, as those that follow */
    struct cl_status (*keep_log)(struct sql *sql);
    struct cl_status (*checkpoint)(struct sql *sql, bool truncate);
    struct cl_status (*hold)(struct sql *sql);
};

extern const struct sql_engine sql_sqlite;
extern const struct sql_engine sql_postgres;

#endif
