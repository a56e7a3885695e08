/* Every wait ends: libpq is used without blocking, and this file polls. Requests of one exchange go out together in
 * libpq's pipeline mode, so that a savepoint around a statement costs no journey of its own.
 *
 * Answers hold personal values; libpq frees them without wiping, which we cannot change: memory of this process is not
 * dumped (main.c) and not shared. */
#include "server/store/postgres_link.h"

#include <assert.h>
#include <endian.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/clock.h"
#include "libcoloan/log.h"

enum {
    /* One answer, whatever is asked. A COMMIT waits that long for a standby before it counts as unknown; longer than any
       wait that the session's own timeouts end. */
    ANSWER_MS_MAX = 45 * 1000,
    BINARY = 1, /* libpq's number for the only format of values and answers */
};

struct postgres_link {
    PGconn *connection;
    bool warned;
};

/* -- Addresses ----------------------------------------------------------------------------------------------- */

static const char *value_of(const PQconninfoOption *options, const char *keyword)
{
    for (const PQconninfoOption *option = options; option->keyword != NULL; option++) {
        if (strcmp(option->keyword, keyword) == 0) {
            return option->val;
        }
    }
    return NULL;
}

static bool is_local(const char *host, size_t len)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "::1", ""};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i]) == len && strncmp(host, names[i], len) == 0) {
            return true;
        }
    }
    return host[0] == '/';
}

static bool all_local(const char *hosts)
{
    while (hosts != NULL) {
        size_t len = strcspn(hosts, ",");
        if (!is_local(hosts, len)) {
            return false;
        }
        hosts = hosts[len] == ',' ? hosts + len + 1 : NULL;
    }
    return true;
}

static const char *fault_of(const PQconninfoOption *options)
{
    const char *mode = value_of(options, "sslmode");
    if (value_of(options, "password") != NULL) {
        return "it holds a password: use passfile= or a client certificate";
    }
    if (value_of(options, "dbname") == NULL) {
        return "it names no database";
    }
    bool local = all_local(value_of(options, "host")) && all_local(value_of(options, "hostaddr"));
    if (!local && (mode == NULL || strcmp(mode, "verify-full") != 0)) {
        return "it leads over a network: sslmode=verify-full is needed";
    }
    return NULL;
}

struct cl_status postgres_link_check(const char **why_out, const char *address)
{
    PQconninfoOption *options = PQconninfoParse(address, NULL);
    const char *fault = options == NULL ? "it is no connection URI" : fault_of(options);
    PQconninfoFree(options);
    *why_out = fault == NULL ? "" : fault;
    return fault == NULL ? cl_ok() : cl_fail(CL_CONFIG_INVALID);
}

/* -- Opening ------------------------------------------------------------------------------------------------- */

/* Limits of the server on this session, each shorter than ANSWER_MS_MAX, so that its own error comes first. A node that
 * hangs while it has the turn loses it after the third one. */
static const char SETTINGS[] = "SET statement_timeout = '30s';"
                               "SET lock_timeout = '" POSTGRES_LOCK_TIMEOUT "';"
                               "SET idle_in_transaction_session_timeout = '20s';"
                               "SET client_min_messages = warning;"
                               "SET standard_conforming_strings = on;";
static const char READER_SETTINGS[] = "SET default_transaction_read_only = on";

static void note_warning(void *user, const PGresult *result)
{
    struct postgres_link *link = user;
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    link->warned = true;
    cl_log(CL_LOG_WARNING, "store.server_warns", cl_log_text("sqlstate", state));
}

/* The list with its first elements, `by` of them, put to its end. Lists of another length, like one port for all hosts, keep
 * in step as libpq counts them. False: no memory. */
static bool turn_list(char **out, const char *list, unsigned by)
{
    size_t count = 1;
    for (const char *at = list; *at != '\0'; at++) {
        count += *at == ',' ? 1 : 0;
    }
    const char *rest = list;
    for (size_t i = 0; i < by % count; i++) {
        rest += strcspn(rest, ",") + 1;
    }
    if (rest == list) {
        *out = strdup(list);
        return *out != NULL;
    }
    return asprintf(out, "%s,%.*s", rest, (int)(rest - list - 1), list) > 0;
}

/* What stands before the address is a default that it may change; what stands behind it holds whatever it says, but for
 * NULL, which says nothing. */
static PGconn *connect_params(const char *address, const char *host, const char *hostaddr, const char *port)
{
    static const char *const keywords[] = {"connect_timeout",
                                           "tcp_user_timeout",
                                           "keepalives_idle",
                                           "keepalives_interval",
                                           "keepalives_count",
                                           "dbname",
                                           "application_name",
                                           "target_session_attrs",
                                           "client_encoding",
                                           "host",
                                           "hostaddr",
                                           "port",
                                           NULL};
    const char *values[] = {"2",          "5000", "10", "5",      "3",  address, "coloand",
                            "read-write", "UTF8", host, hostaddr, port, NULL};
    _Static_assert(sizeof keywords / sizeof keywords[0] == sizeof values / sizeof values[0], "one value for each");
    return PQconnectdbParams(keywords, values, 1);
}

/* The address's hosts, beginning with another one. */
static PGconn *connect_from(const char *address, unsigned first)
{
    static const char *const keywords[] = {"host", "hostaddr", "port"};
    char *turned[3] = {NULL, NULL, NULL};
    PQconninfoOption *options = PQconninfoParse(address, NULL);
    bool made = options != NULL;
    for (size_t i = 0; made && i < 3; i++) {
        const char *list = value_of(options, keywords[i]);
        made = list == NULL || turn_list(&turned[i], list, first);
    }
    PGconn *connection = made ? connect_params(address, turned[0], turned[1], turned[2]) : NULL;
    for (size_t i = 0; i < 3; i++) {
        free(turned[i]);
    }
    PQconninfoFree(options);
    return connection;
}

struct cl_status postgres_link_open(struct postgres_link **out, const char *address, enum sql_mode mode, unsigned first)
{
    const char *why = "";
    struct cl_status status = postgres_link_check(&why, address);
    if (cl_failed(status)) {
        cl_log(CL_LOG_ERROR, "store.address", cl_log_text("why", why));
        return status;
    }
    struct postgres_link *link = calloc(1, sizeof *link);
    if (link == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    link->connection = connect_from(address, first);
    if (link->connection == NULL || PQstatus(link->connection) != CONNECTION_OK ||
        PQsetnonblocking(link->connection, 1) != 0) {
        cl_log(CL_LOG_WARNING, "store.no_server", cl_log_text("why", PQerrorMessage(link->connection)));
        postgres_link_close(link);
        return cl_fail(CL_STORE_UNREACHABLE);
    }
    (void)PQsetNoticeReceiver(link->connection, note_warning, link);
    if (postgres_link_script(link, SETTINGS) != POSTGRES_DONE ||
        (mode == SQL_READ && postgres_link_script(link, READER_SETTINGS) != POSTGRES_DONE)) {
        postgres_link_close(link);
        return cl_fail(CL_STORE_UNREACHABLE);
    }
    *out = link;
    return cl_ok();
}

void postgres_link_close(struct postgres_link *link)
{
    if (link != NULL) {
        PQfinish(link->connection);
        free(link);
    }
}

bool postgres_link_warned(const struct postgres_link *link)
{
    return link->warned;
}

void postgres_link_clear(struct postgres_link *link)
{
    link->warned = false;
}

bool postgres_link_in_transaction(const struct postgres_link *link)
{
    return PQtransactionStatus(link->connection) != PQTRANS_IDLE;
}

/* -- Sorting failures ---------------------------------------------------------------------------------------- */

struct sorted {
    const char *prefix; /* of the SQLSTATE */
    enum postgres_outcome outcome;
};

static const struct sorted SORTED[] = {
    {"23505", POSTGRES_CONFLICT}, {"CLN01", POSTGRES_CONFLICT}, /* POSTGRES_REFUSED_BY_TRIGGER */
    {"40", POSTGRES_AGAIN},                               /* serialization failure, deadlock, transaction rolled back */
    {"55P03", POSTGRES_AGAIN},                            /* a lock was not to be had in time */
    {"57014", POSTGRES_AGAIN},                            /* took too long */
    {"53200", POSTGRES_AGAIN},                            /* out of memory, for now */
    {"25P02", POSTGRES_AGAIN},                            /* an earlier statement of the transaction failed */
    {"08", POSTGRES_GONE},        {"57P", POSTGRES_GONE}, /* shutting down, starting, ended by an administrator */
    {"25006", POSTGRES_GONE},                             /* read-only: not the primary any more */
    {"25P03", POSTGRES_GONE},                             /* idle in a transaction for too long */
    {"53300", POSTGRES_GONE},                             /* no connection left */
    {"53100", POSTGRES_FATAL},                            /* disk full */
    {"58", POSTGRES_FATAL},                               /* I/O error */
    {"XX001", POSTGRES_FATAL},                            /* data corrupted */
    {"XX002", POSTGRES_FATAL},                            /* index corrupted */
    {"XX", POSTGRES_AGAIN},                               /* internal error */
};

static enum postgres_outcome sort_state(const char *state)
{
    for (size_t i = 0; i < sizeof SORTED / sizeof SORTED[0]; i++) {
        if (strncmp(state, SORTED[i].prefix, strlen(SORTED[i].prefix)) == 0) {
            return SORTED[i].outcome;
        }
    }
    return POSTGRES_MISTAKE;
}

/* Texts of the server's errors may hold values; states and names of constraints do not. */
static enum postgres_outcome sort(const PGresult *result)
{
    if (postgres_result_is_good(result)) {
        return POSTGRES_DONE;
    }
    if (PQresultStatus(result) == PGRES_PIPELINE_ABORTED) {
        return POSTGRES_SKIPPED;
    }
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (state == NULL) {
        return POSTGRES_GONE; /* libpq's own: the connection */
    }
    enum postgres_outcome outcome = sort_state(state);
    if (outcome != POSTGRES_CONFLICT) {
        cl_log(CL_LOG_WARNING, "store.refused", cl_log_text("sqlstate", state),
               cl_log_text("constraint", PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME)));
    }
    return outcome;
}

/* -- Waiting ------------------------------------------------------------------------------------------------- */

/* Until an answer can be taken without blocking. */
static bool await_answer(struct postgres_link *link, int64_t until_ms)
{
    PGconn *connection = link->connection;
    for (;;) {
        int unsent = PQflush(connection);
        if (unsent < 0) {
            return false;
        }
        if (unsent == 0 && PQisBusy(connection) == 0) {
            return true;
        }
        int64_t left_ms = until_ms - cl_clock_monotonic_ms(cl_clock_system());
        struct pollfd fd = {.fd = PQsocket(connection), .events = POLLIN};
        fd.events |= unsent > 0 ? POLLOUT : 0;
        if (left_ms <= 0 || poll(&fd, 1, (int)left_ms) < 0 || PQconsumeInput(connection) == 0) {
            return false;
        }
    }
}

/* NULL: the connection failed or took too long; or the end of one request's answers. */
static PGresult *take_answer(bool *good_out, struct postgres_link *link, int64_t until_ms)
{
    *good_out = await_answer(link, until_ms);
    return *good_out ? PQgetResult(link->connection) : NULL;
}

static int64_t answer_until_ms(void)
{
    return cl_clock_monotonic_ms(cl_clock_system()) + ANSWER_MS_MAX;
}

/* -- Asking -------------------------------------------------------------------------------------------------- */

static bool send_request(struct postgres_link *link, const struct postgres_request *request)
{
    static const struct postgres_values none = {.count = 0};
    const struct postgres_values *values = request->values == NULL ? &none : request->values;
    Oid types[SQL_PARAMETERS_MAX];
    int formats[SQL_PARAMETERS_MAX];
    for (int i = 0; i < values->count; i++) {
        types[i] = (Oid)values->types[i];
        formats[i] = BINARY;
    }
    if (request->kind == POSTGRES_PREPARE) {
        return PQsendPrepare(link->connection, request->name, request->text, values->count, types) == 1;
    }
    if (request->kind == POSTGRES_PREPARED) {
        return PQsendQueryPrepared(link->connection, request->name, values->count, values->data, values->lengths,
                                   formats, BINARY) == 1;
    }
    return PQsendQueryParams(link->connection, request->text, values->count, types, values->data, values->lengths,
                             formats, BINARY) == 1;
}

static bool send_all(struct postgres_link *link, const struct postgres_request *requests, size_t count)
{
    bool sent = PQenterPipelineMode(link->connection) == 1;
    for (size_t i = 0; sent && i < count; i++) {
        sent = send_request(link, &requests[i]);
    }
    return sent && PQpipelineSync(link->connection) == 1;
}

/* One request's answer and the NULL behind it. */
static enum postgres_outcome take_one(PGresult **out, struct postgres_link *link, int64_t until_ms)
{
    bool good = false;
    *out = take_answer(&good, link, until_ms);
    if (*out == NULL) {
        return POSTGRES_GONE;
    }
    enum postgres_outcome outcome = sort(*out);
    PGresult *end = take_answer(&good, link, until_ms);
    PQclear(end);
    return good && end == NULL ? outcome : POSTGRES_GONE;
}

static bool take_sync(struct postgres_link *link, int64_t until_ms)
{
    bool good = false;
    PGresult *sync = take_answer(&good, link, until_ms);
    bool is_sync = PQresultStatus(sync) == PGRES_PIPELINE_SYNC;
    PQclear(sync);
    return good && is_sync && PQexitPipelineMode(link->connection) == 1;
}

enum postgres_outcome postgres_link_exchange(struct pg_result *results_out[], struct postgres_link *link,
                                             const struct postgres_request *requests, size_t count)
{
    assert(count <= POSTGRES_EXCHANGE_MAX);
    enum postgres_outcome worst = POSTGRES_DONE;
    int64_t until_ms = answer_until_ms();
    for (size_t i = 0; i < count; i++) {
        results_out[i] = NULL;
    }
    if (!send_all(link, requests, count)) {
        return POSTGRES_GONE;
    }
    for (size_t i = 0; i < count; i++) {
        enum postgres_outcome outcome = take_one(&results_out[i], link, until_ms);
        if (outcome == POSTGRES_GONE) {
            return POSTGRES_GONE;
        }
        worst = worst == POSTGRES_DONE ? outcome : worst;
    }
    return take_sync(link, until_ms) ? worst : POSTGRES_GONE;
}

enum postgres_outcome postgres_link_script(struct postgres_link *link, const char *text)
{
    enum postgres_outcome worst = POSTGRES_DONE;
    int64_t until_ms = answer_until_ms();
    if (PQsendQuery(link->connection, text) != 1) {
        return POSTGRES_GONE;
    }
    for (;;) {
        bool good = false;
        PGresult *result = take_answer(&good, link, until_ms);
        if (!good) {
            return POSTGRES_GONE;
        }
        if (result == NULL) {
            return worst;
        }
        enum postgres_outcome outcome = sort(result);
        worst = worst == POSTGRES_DONE ? outcome : worst;
        PQclear(result);
    }
}

enum postgres_outcome postgres_link_hear(char **out, struct postgres_link *link, int wait_ms)
{
    *out = NULL;
    struct pollfd fd = {.fd = PQsocket(link->connection), .events = POLLIN};
    PGnotify *told = PQnotifies(link->connection);
    if (told == NULL && (poll(&fd, 1, wait_ms) < 0 || PQconsumeInput(link->connection) == 0)) {
        return POSTGRES_GONE;
    }
    told = told == NULL ? PQnotifies(link->connection) : told;
    if (told == NULL) {
        return PQstatus(link->connection) == CONNECTION_OK ? POSTGRES_DONE : POSTGRES_GONE;
    }
    *out = strdup(told->extra);
    PQfreemem(told);
    return *out == NULL ? POSTGRES_GONE : POSTGRES_DONE;
}

/* -- Answers ------------------------------------------------------------------------------------------------- */

void postgres_result_free(struct pg_result *result)
{
    PQclear(result);
}

bool postgres_result_is_good(const struct pg_result *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

int postgres_result_rows(const struct pg_result *result)
{
    return PQntuples(result);
}

int64_t postgres_result_changes(struct pg_result *result)
{
    return strtoll(PQcmdTuples(result), NULL, 10);
}

bool postgres_result_is_null(const struct pg_result *result, int row, int column)
{
    return PQgetisnull(result, row, column) == 1;
}

int64_t postgres_result_i64(const struct pg_result *result, int row, int column)
{
    const char *data = PQgetvalue(result, row, column);
    uint64_t wide = 0;
    uint32_t narrow = 0;
    switch (PQgetisnull(result, row, column) == 1 ? 0 : PQgetlength(result, row, column)) {
    case 8:
        memcpy(&wide, data, sizeof wide);
        return (int64_t)be64toh(wide);
    case 4: /* literals of a text */
        memcpy(&narrow, data, sizeof narrow);
        return (int32_t)be32toh(narrow);
    case 1: /* a truth */
        return data[0];
    default:
        return 0;
    }
}

const char *postgres_result_text(const struct pg_result *result, int row, int column)
{
    return PQgetisnull(result, row, column) == 1 ? NULL : PQgetvalue(result, row, column);
}

struct cl_bytes postgres_result_bytes(const struct pg_result *result, int row, int column)
{
    size_t len = (size_t)PQgetlength(result, row, column);
    return len == 0 ? cl_bytes(NULL, 0) : cl_bytes(PQgetvalue(result, row, column), len);
}
