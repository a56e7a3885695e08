#include "tests/support/dump.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_value(FILE *out, sqlite3_stmt *row, int column)
{
    if (sqlite3_column_type(row, column) != SQLITE_BLOB) {
        const unsigned char *text = sqlite3_column_text(row, column);
        (void)fprintf(out, "%s|", text == NULL ? "NULL" : (const char *)text);
        return;
    }
    const unsigned char *bytes = sqlite3_column_blob(row, column);
    for (int i = 0; i < sqlite3_column_bytes(row, column); i++) {
        (void)fprintf(out, "%02x", bytes[i]);
    }
    (void)fprintf(out, "|");
}

static void print_rows(FILE *out, sqlite3 *database, const char *query)
{
    sqlite3_stmt *row = NULL;
    int prepared = sqlite3_prepare_v2(database, query, -1, &row, NULL);
    assert(prepared == SQLITE_OK);
    int step = SQLITE_ROW;
    while ((step = sqlite3_step(row)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(row); i++) {
            print_value(out, row, i);
        }
        (void)fprintf(out, "\n");
    }
    assert(step == SQLITE_DONE);
    (void)sqlite3_finalize(row);
}

char *dump_application(const char *database, const char *application_id)
{
    static const char tables[] =
        "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c"
        " WHERE m.type = 'table' AND m.name <> 'messages'"
        " AND (c.name IN ('application_id', 'subject') OR (m.name = 'applications' AND c.name = 'id'))"
        " ORDER BY m.name";
    sqlite3 *opened = NULL;
    sqlite3_stmt *table = NULL;
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    int status = sqlite3_open_v2(database, &opened, SQLITE_OPEN_READONLY, NULL);
    assert(out != NULL && status == SQLITE_OK);
    status = sqlite3_prepare_v2(opened, tables, -1, &table, NULL);
    assert(status == SQLITE_OK);
    unsigned count = 0;
    while (sqlite3_step(table) == SQLITE_ROW) {
        char query[256];
        const char *name = (const char *)sqlite3_column_text(table, 0);
        (void)snprintf(query, sizeof query, "SELECT * FROM %.64s WHERE %.32s = '%.64s' ORDER BY 1, 2", name,
                       (const char *)sqlite3_column_text(table, 1), application_id);
        (void)fprintf(out, "== %s\n", name);
        print_rows(out, opened, query);
        count++;
    }
    assert(count >= 8); /* the tables of a case */
    (void)sqlite3_finalize(table);
    (void)fprintf(out, "== heads\n");
    print_rows(out, opened, "SELECT * FROM outbox_heads ORDER BY 1");
    (void)sqlite3_close(opened);
    int closed = fclose(out);
    assert(closed == 0);
    return text;
}
