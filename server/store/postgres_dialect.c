/* Texts are read token by token and written at once; what cannot go on sets `wrong`, which every step looks at first, so
 * that the grammar reads straight down.
 *
 * INTEGER holds 64 bits in SQLite, so it is BIGINT; texts compare byte by byte there, so every TEXT has the collation "C".
 * A trigger is a function and a trigger of the same name. Its condition stays in the trigger, where it costs nothing when
 * it does not hold, unless it asks other tables, which PostgreSQL allows in the function only. */
#include "server/store/postgres_dialect.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "libcoloan/log.h"

enum token_kind { END, WORD, NUMBER, STRING, SIGN };

struct token {
    enum token_kind kind;
    const char *at;
    size_t len;
};

struct translation {
    const char *text, *rest;
    struct token now;
    FILE *out;
    bool wrong;
};

/* A stretch of the text, from one token up to another. */
struct stretch {
    struct token first;
    const char *end;
    bool asks; /* holds a SELECT */
};

/* -- Tokens -------------------------------------------------------------------------------------------------- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_space(const char *at)
{
    for (;;) {
        at += strspn(at, " \t\r\n");
        if (strncmp(at, "--", 2) != 0) {
            return at;
        }
        at += strcspn(at, "\n");
    }
}

static size_t word_length(const char *at)
{
    size_t len = 0;
    while (is_letter(at[len]) || is_digit(at[len])) {
        len++;
    }
    return len;
}

/* Without '' in it: no message of ours needs one. 0: it does not end. */
static size_t string_length(const char *at)
{
    size_t len = strcspn(at + 1, "'\n") + 1;
    return at[len] == '\'' && at[len + 1] != '\'' ? len + 1 : 0;
}

static size_t sign_length(const char *at)
{
    static const char *const signs[] = {"<>", "<=", ">=", "(", ")", ",", ";", ".", "=", "<", ">", "+", "-", "*"};
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++) {
        if (strncmp(at, signs[i], strlen(signs[i])) == 0) {
            return strlen(signs[i]);
        }
    }
    return 0;
}

static void next(struct translation *t)
{
    const char *at = skip_space(t->rest);
    struct token token = {.kind = END, .at = at};
    if (is_letter(*at)) {
        token.kind = WORD;
        token.len = word_length(at);
    } else if (is_digit(*at)) {
        token.kind = NUMBER;
        token.len = word_length(at);
    } else if (*at == '\'') {
        token.kind = STRING;
        token.len = string_length(at);
    } else if (*at != '\0') {
        token.kind = SIGN;
        token.len = sign_length(at);
    }
    bool glued = token.kind == WORD && at[token.len] == '\''; /* x'00' */
    t->wrong = t->wrong || glued || (token.kind != END && token.len == 0);
    t->now = token;
    t->rest = at + token.len;
}

static bool token_is(const struct token *token, const char *text)
{
    return token->len == strlen(text) && strncasecmp(token->at, text, token->len) == 0;
}

static bool is(const struct translation *t, const char *text)
{
    return !t->wrong && token_is(&t->now, text);
}

/* Whether the text goes on with that; it is taken then. */
static bool take(struct translation *t, const char *text)
{
    bool found = is(t, text);
    if (found) {
        next(t);
    }
    return found;
}

static void expect(struct translation *t, const char *text)
{
    t->wrong = !take(t, text) || t->wrong;
}

static void put(struct translation *t, const char *text)
{
    (void)fputs(text, t->out);
}

static void put_token(struct translation *t, const struct token *token)
{
    (void)fprintf(t->out, "%.*s", (int)token->len, token->at);
}

static struct token name(struct translation *t)
{
    struct token token = t->now;
    t->wrong = t->wrong || token.kind != WORD;
    next(t);
    return token;
}

/* -- Expressions and lists ----------------------------------------------------------------------------------- */

/* Words that PostgreSQL knows too, but not as the same, or that no migration needs. */
static bool means_something_else(const struct token *token)
{
    static const char *const words[] = {"LIKE", "GLOB",   "REGEXP",  "MATCH",         "ROWID",   "IFNULL", "IIF",
                                        "CAST", "PRAGMA", "COLLATE", "AUTOINCREMENT", "REPLACE", "ISNULL", "NOTNULL"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (token_is(token, words[i])) {
            return true;
        }
    }
    return false;
}

static bool ends_at(const struct translation *t, int depth, const char *const ends[], size_t end_count)
{
    if (t->now.kind == END || depth < 0) {
        return true;
    }
    for (size_t i = 0; depth == 0 && i < end_count; i++) {
        if (is(t, ends[i])) {
            return true;
        }
    }
    return false;
}

/* Reads over a stretch up to one of the words, or the bracket that closes around it. */
static struct stretch stretch_until(struct translation *t, const char *const ends[], size_t end_count)
{
    struct stretch stretch = {.first = t->now, .end = t->now.at};
    int depth = 0;
    while (!t->wrong && !(depth == 0 && is(t, ")")) && !ends_at(t, depth, ends, end_count)) {
        depth += is(t, "(") ? 1 : is(t, ")") ? -1 : 0;
        stretch.asks = stretch.asks || is(t, "SELECT");
        t->wrong = t->wrong || means_something_else(&t->now);
        stretch.end = t->now.at + t->now.len;
        next(t);
    }
    t->wrong = t->wrong || depth != 0 || stretch.end == stretch.first.at;
    return stretch;
}

/* Writes it as it stands, without comments. */
static void put_stretch(struct translation *t, const struct stretch *stretch)
{
    struct translation again = {.rest = stretch->first.at};
    next(&again);
    while (again.now.kind != END && again.now.at < stretch->end) {
        put_token(t, &again.now);
        put(t, " ");
        next(&again);
    }
}

static const char UNTIL_SEMICOLON[] = ";";

static void copy_statement(struct translation *t)
{
    const char *const ends[] = {UNTIL_SEMICOLON};
    struct stretch stretch = stretch_until(t, ends, 1);
    expect(t, ";");
    put_stretch(t, &stretch);
    put(t, ";\n");
}

/* -- Tables -------------------------------------------------------------------------------------------------- */

static void put_type(struct translation *t)
{
    static const char *const types[][2] = {
        {"INTEGER", " BIGINT "}, {"TEXT", " TEXT COLLATE \"C\" "}, {"BLOB", " BYTEA "}};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (take(t, types[i][0])) {
            put(t, types[i][1]);
            return;
        }
    }
    t->wrong = true;
}

static bool begins_constraint(const struct translation *t)
{
    return is(t, "PRIMARY") || is(t, "UNIQUE") || is(t, "CHECK") || is(t, "FOREIGN");
}

/* A column, or a constraint of the table. */
static void put_element(struct translation *t)
{
    const char *const ends[] = {",", UNTIL_SEMICOLON};
    if (!begins_constraint(t)) {
        struct token column = name(t);
        put_token(t, &column);
        put_type(t);
        if (is(t, ",") || is(t, ")") || is(t, ";")) {
            return;
        }
    }
    struct stretch rest = stretch_until(t, ends, 2);
    put_stretch(t, &rest);
}

static void create_table(struct translation *t)
{
    struct token table = name(t);
    put(t, "CREATE TABLE ");
    put_token(t, &table);
    expect(t, "(");
    put(t, " (\n");
    put_element(t);
    while (take(t, ",")) {
        put(t, ",\n");
        put_element(t);
    }
    expect(t, ")");
    expect(t, "STRICT");
    if (take(t, ",")) {
        expect(t, "WITHOUT");
        expect(t, "ROWID");
    }
    expect(t, ";");
    put(t, ");\n");
}

static void alter_table(struct translation *t)
{
    expect(t, "TABLE");
    struct token table = name(t);
    expect(t, "ADD");
    (void)take(t, "COLUMN");
    put(t, "ALTER TABLE ");
    put_token(t, &table);
    put(t, " ADD COLUMN ");
    t->wrong = t->wrong || begins_constraint(t);
    put_element(t);
    expect(t, ";");
    put(t, ";\n");
}

static void create_index(struct translation *t, bool unique)
{
    put(t, unique ? "CREATE UNIQUE INDEX " : "CREATE INDEX ");
    copy_statement(t);
}

/* -- Triggers ------------------------------------------------------------------------------------------------ */

struct trigger {
    struct token name, table;
    bool before, deletes, inserts;
    struct stretch columns, condition; /* end NULL: none */
};

static void read_trigger(struct trigger *trigger, struct translation *t)
{
    const char *const on[] = {"ON"};
    const char *const begin[] = {"BEGIN"};
    *trigger = (struct trigger){.name = name(t)};
    trigger->before = take(t, "BEFORE");
    if (!trigger->before) {
        expect(t, "AFTER");
    }
    trigger->deletes = take(t, "DELETE");
    trigger->inserts = !trigger->deletes && take(t, "INSERT");
    if (!trigger->deletes && !trigger->inserts) {
        expect(t, "UPDATE");
        if (take(t, "OF")) {
            trigger->columns = stretch_until(t, on, 1);
        }
    }
    expect(t, "ON");
    trigger->table = name(t);
    if (take(t, "WHEN")) {
        trigger->condition = stretch_until(t, begin, 1);
    }
    expect(t, "BEGIN");
}

static void put_refusal(struct translation *t)
{
    expect(t, "SELECT");
    expect(t, "RAISE");
    expect(t, "(");
    expect(t, "ABORT");
    expect(t, ",");
    struct token message = t->now;
    t->wrong = t->wrong || message.kind != STRING;
    next(t);
    expect(t, ")");
    expect(t, ";");
    put(t, "RAISE EXCEPTION USING ERRCODE = '" POSTGRES_REFUSED_BY_TRIGGER "', MESSAGE = ");
    put_token(t, &message);
    put(t, ";\n");
}

static bool begins_change(const struct translation *t)
{
    return is(t, "INSERT") || is(t, "UPDATE") || is(t, "DELETE");
}

static void put_body(struct translation *t)
{
    while (!t->wrong && !is(t, "END")) {
        if (begins_change(t)) {
            copy_statement(t);
        } else {
            put_refusal(t);
        }
    }
    expect(t, "END");
    expect(t, ";");
}

static void put_function(struct translation *t, const struct trigger *trigger, bool conditional)
{
    put(t, "CREATE FUNCTION ");
    put_token(t, &trigger->name);
    put(t, "() RETURNS trigger LANGUAGE plpgsql AS $coloan$ BEGIN\n");
    if (conditional) {
        put(t, "IF ");
        put_stretch(t, &trigger->condition);
        put(t, "THEN\n");
    }
    put_body(t);
    put(t, conditional ? "END IF;\n" : "");
    put(t, !trigger->before ? "RETURN NULL;" : trigger->deletes ? "RETURN OLD;" : "RETURN NEW;");
    put(t, " END $coloan$;\n");
}

static void create_trigger(struct translation *t)
{
    struct trigger trigger;
    read_trigger(&trigger, t);
    if (t->wrong) {
        return;
    }
    bool conditional = trigger.condition.end != NULL;
    put_function(t, &trigger, conditional && trigger.condition.asks);
    put(t, "CREATE TRIGGER ");
    put_token(t, &trigger.name);
    put(t, trigger.before ? " BEFORE " : " AFTER ");
    put(t, trigger.deletes ? "DELETE " : trigger.inserts ? "INSERT " : "UPDATE ");
    if (trigger.columns.end != NULL) {
        put(t, "OF ");
        put_stretch(t, &trigger.columns);
    }
    put(t, "ON ");
    put_token(t, &trigger.table);
    put(t, " FOR EACH ROW ");
    if (conditional && !trigger.condition.asks) {
        put(t, "WHEN (");
        put_stretch(t, &trigger.condition);
        put(t, ") ");
    }
    put(t, "EXECUTE FUNCTION ");
    put_token(t, &trigger.name);
    put(t, "();\n");
}

/* -- Statements ---------------------------------------------------------------------------------------------- */

static void create(struct translation *t)
{
    bool unique = take(t, "UNIQUE");
    if (take(t, "INDEX")) {
        create_index(t, unique);
    } else if (!unique && take(t, "TABLE")) {
        create_table(t);
    } else if (!unique && take(t, "TRIGGER")) {
        create_trigger(t);
    } else {
        t->wrong = true;
    }
}

static void drop(struct translation *t)
{
    bool trigger = take(t, "TRIGGER");
    if (!trigger) {
        expect(t, "INDEX");
    }
    struct token dropped = name(t);
    expect(t, ";");
    put(t, trigger ? "DROP FUNCTION " : "DROP INDEX ");
    put_token(t, &dropped);
    put(t, trigger ? "() CASCADE;\n" : ";\n");
}

static void statement(struct translation *t)
{
    if (take(t, "CREATE")) {
        create(t);
    } else if (take(t, "ALTER")) {
        alter_table(t);
    } else if (take(t, "DROP")) {
        drop(t);
    } else if (begins_change(t)) {
        copy_statement(t);
    } else {
        t->wrong = true;
    }
}

static int64_t line_of(const struct translation *t)
{
    int64_t line = 1;
    for (const char *at = t->text; at < t->now.at; at++) {
        line += *at == '\n' ? 1 : 0;
    }
    return line;
}

struct cl_status postgres_translate(char **out, const char *text)
{
    char *translated = NULL;
    size_t size = 0;
    struct translation t = {.text = text, .rest = text, .out = open_memstream(&translated, &size)};
    if (t.out == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    next(&t);
    while (!t.wrong && t.now.kind != END) {
        statement(&t);
    }
    bool whole = fclose(t.out) == 0;
    if (whole && !t.wrong) {
        *out = translated;
        return cl_ok();
    }
    free(translated);
    if (whole) {
        cl_log(CL_LOG_ERROR, "store.dialect", cl_log_number("line", line_of(&t)));
    }
    return cl_fail(whole ? CL_INTERNAL : CL_MEMORY_LIMIT);
}
