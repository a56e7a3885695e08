/* The schema in PostgreSQL's words: what each statement becomes, and what is refused. That a server takes the result and
 * that it means the same is shown by test_postgres_schema and by every test that runs on both engines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/postgres_dialect.h"

static const struct {
    const char *name, *text, *expected; /* NULL: refused */
} rows[] = {
    {"nothing", " -- only a remark\n", ""},
    {"columns", "CREATE TABLE a (n INTEGER NOT NULL PRIMARY KEY, -- remark, with ); in it\n t TEXT, b BLOB) STRICT;",
     "CREATE TABLE a (\nn BIGINT NOT NULL PRIMARY KEY ,\nt TEXT COLLATE \"C\" ,\nb BYTEA );\n"},
    {"constraints",
     "CREATE TABLE a (b BLOB CHECK (length(b) = 32), n INTEGER REFERENCES c (d) DEFERRABLE INITIALLY DEFERRED,"
     " UNIQUE (n, b), CHECK ((n IS NULL) = (b IS NULL))) STRICT, WITHOUT ROWID;",
     "CREATE TABLE a (\nb BYTEA CHECK ( length ( b ) = 32 ) ,\n"
     "n BIGINT REFERENCES c ( d ) DEFERRABLE INITIALLY DEFERRED ,\n"
     "UNIQUE ( n , b ) ,\nCHECK ( ( n IS NULL ) = ( b IS NULL ) ) );\n"},
    {"index", "CREATE UNIQUE INDEX i ON a (n, t) WHERE n <> 0;",
     "CREATE UNIQUE INDEX i ON a ( n , t ) WHERE n <> 0 ;\n"},
    {"refusal", "CREATE TRIGGER x BEFORE DELETE ON a BEGIN SELECT RAISE(ABORT, 'stays'); END;",
     "CREATE FUNCTION x() RETURNS trigger LANGUAGE plpgsql AS $coloan$ BEGIN\n"
     "RAISE EXCEPTION USING ERRCODE = 'CLN01', MESSAGE = 'stays';\nRETURN OLD; END $coloan$;\n"
     "CREATE TRIGGER x BEFORE DELETE ON a FOR EACH ROW EXECUTE FUNCTION x();\n"},
    {"refusal of some columns, when",
     "CREATE TRIGGER x BEFORE UPDATE OF n, t ON a WHEN OLD.n <> 1\n"
     "BEGIN\n SELECT RAISE(ABORT, 'once');\nEND;",
     "CREATE FUNCTION x() RETURNS trigger LANGUAGE plpgsql AS $coloan$ BEGIN\n"
     "RAISE EXCEPTION USING ERRCODE = 'CLN01', MESSAGE = 'once';\nRETURN NEW; END $coloan$;\n"
     "CREATE TRIGGER x BEFORE UPDATE OF n , t ON a FOR EACH ROW WHEN (OLD . n <> 1 ) EXECUTE FUNCTION x();\n"},
    {"a condition that asks",
     "CREATE TRIGGER x BEFORE INSERT ON a WHEN NOT EXISTS (SELECT 1 FROM c) BEGIN SELECT RAISE(ABORT, 'no'); END;",
     "CREATE FUNCTION x() RETURNS trigger LANGUAGE plpgsql AS $coloan$ BEGIN\n"
     "IF NOT EXISTS ( SELECT 1 FROM c ) THEN\n"
     "RAISE EXCEPTION USING ERRCODE = 'CLN01', MESSAGE = 'no';\nEND IF;\nRETURN NEW; END $coloan$;\n"
     "CREATE TRIGGER x BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION x();\n"},
    {"counting",
     "CREATE TRIGGER x AFTER INSERT ON a BEGIN UPDATE c SET n = n + 1; INSERT INTO d (n) VALUES (NEW.n); END;",
     "CREATE FUNCTION x() RETURNS trigger LANGUAGE plpgsql AS $coloan$ BEGIN\n"
     "UPDATE c SET n = n + 1 ;\nINSERT INTO d ( n ) VALUES ( NEW . n ) ;\nRETURN NULL; END $coloan$;\n"
     "CREATE TRIGGER x AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION x();\n"},
    {"a column more", "ALTER TABLE a ADD COLUMN m INTEGER NOT NULL DEFAULT 0;",
     "ALTER TABLE a ADD COLUMN m BIGINT NOT NULL DEFAULT 0 ;\n"},
    {"a column more, briefly", "ALTER TABLE a ADD m TEXT;", "ALTER TABLE a ADD COLUMN m TEXT COLLATE \"C\" ;\n"},
    {"dropped", "DROP TRIGGER x; DROP INDEX i;", "DROP FUNCTION x() CASCADE;\nDROP INDEX i;\n"},
    {"moved", "UPDATE a SET n = 1 WHERE n = 2;", "UPDATE a SET n = 1 WHERE n = 2 ;\n"},

    {"a table that is not strict", "CREATE TABLE a (n INTEGER);", NULL},
    {"no semicolon", "CREATE TABLE a (n INTEGER) STRICT", NULL},
    {"a column without type", "CREATE TABLE a (n) STRICT;", NULL},
    {"any type", "CREATE TABLE a (n ANY) STRICT;", NULL},
    {"another type", "CREATE TABLE a (n REAL) STRICT;", NULL},
    {"a number that counts by itself", "CREATE TABLE a (n INTEGER PRIMARY KEY AUTOINCREMENT) STRICT;", NULL},
    {"no columns", "CREATE TABLE a () STRICT;", NULL},
    {"an open bracket", "CREATE TABLE a (n INTEGER CHECK (n > 0) STRICT;", NULL},
    {"a bracket too many", "CREATE TABLE a (n INTEGER)) STRICT;", NULL},
    {"a quoted name", "CREATE TABLE \"a\" (n INTEGER) STRICT;", NULL},
    {"a literal of bytes", "UPDATE a SET b = x'00';", NULL},
    {"a text that does not end", "UPDATE a SET t = 'b;\n", NULL},
    {"a text with a quote in it", "UPDATE a SET t = 'b''c';", NULL},
    {"a sign that differs", "UPDATE a SET n = n | 1;", NULL},
    {"a quotient", "UPDATE a SET n = n / 2;", NULL},
    {"a comparison of its own", "UPDATE a SET n = 1 WHERE t LIKE 'b';", NULL},
    {"a view", "CREATE VIEW v AS SELECT 1;", NULL},
    {"a question", "SELECT 1;", NULL},
    {"a pragma", "PRAGMA foreign_keys = OFF;", NULL},
    {"instead of", "CREATE TRIGGER x INSTEAD OF INSERT ON a BEGIN DELETE FROM a; END;", NULL},
    {"another way to raise", "CREATE TRIGGER x BEFORE DELETE ON a BEGIN SELECT RAISE(IGNORE); END;", NULL},
    {"a question in a trigger", "CREATE TRIGGER x BEFORE DELETE ON a BEGIN SELECT n FROM a; END;", NULL},
    {"a trigger that does not end", "CREATE TRIGGER x BEFORE DELETE ON a BEGIN DELETE FROM c;", NULL},
    {"a unique table", "CREATE UNIQUE TABLE a (n INTEGER) STRICT;", NULL},
    {"a table dropped", "DROP TABLE a;", NULL},
    {"a column dropped", "ALTER TABLE a DROP COLUMN n;", NULL},
    {"a constraint added", "ALTER TABLE a ADD CHECK (n > 0);", NULL},
};

static void each_statement_becomes_what_it_should_or_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *translated = NULL;
        struct cl_status status = postgres_translate(&translated, rows[i].text);
        if (status.reason != (rows[i].expected == NULL ? CL_INTERNAL : CL_OK)) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
        if (rows[i].expected == NULL ? translated != NULL : strcmp(translated, rows[i].expected) != 0) {
            fail_msg("%s:\n%s", rows[i].name, translated);
        }
        free(translated);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_statement_becomes_what_it_should_or_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
