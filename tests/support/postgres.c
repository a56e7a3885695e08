#include "tests/support/postgres.h"

#include <errno.h>
#include <glob.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUPERUSER "coloan"

static _Noreturn void give_up(const char *what, const char *which)
{
    (void)fprintf(stderr, "postgres for tests: %s: %s\n", what, which);
    abort();
}

/* -- Programs ------------------------------------------------------------------------------------------------ */

static void find_program(char *out, size_t size, const char *name)
{
    char pattern[128];
    glob_t found = {0};
    (void)snprintf(pattern, sizeof pattern, "/usr/lib/postgresql/*/bin/%s", name);
    if (glob(pattern, 0, NULL, &found) != 0) {
        give_up(name, "not there; the package postgresql has it");
    }
    (void)snprintf(out, size, "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
}

static const struct passwd *servant(void)
{
    return geteuid() == 0 ? getpwnam("postgres") : NULL;
}

static void become_servant(void)
{
    const struct passwd *account = servant();
    if (account != NULL && (setgid(account->pw_gid) != 0 || setuid(account->pw_uid) != 0)) {
        give_up("account", account->pw_name);
    }
}

/* In the folder of the server, with its output in a file there. */
static void run(const struct postgres_server *server, const char *name, char *const arguments[])
{
    char program[256];
    char output[128];
    int status = 0;
    find_program(program, sizeof program, name);
    (void)snprintf(output, sizeof output, "%s/%s.out", server->folder, name);
    pid_t child = fork();
    if (child == 0) {
        become_servant();
        if (chdir(server->folder) != 0 || freopen(output, "a", stdout) == NULL ||
            freopen(output, "a", stderr) == NULL) {
            _exit(126);
        }
        (void)execv(program, arguments);
        _exit(127);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        give_up(name, output);
    }
}

/* -- Servers ------------------------------------------------------------------------------------------------- */

static void make_folder(struct postgres_server *server)
{
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(server->folder, sizeof server->folder, "%s/coloan-pg-XXXXXX", base);
    if (mkdtemp(server->folder) == NULL) {
        give_up("folder", server->folder);
    }
    const struct passwd *account = servant();
    if (account != NULL && chown(server->folder, account->pw_uid, account->pw_gid) != 0) {
        give_up("folder", server->folder);
    }
}

void postgres_server_set(const struct postgres_server *server, const char *settings)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/data/postgresql.conf", server->folder);
    FILE *file = fopen(path, "a");
    if (file == NULL || fputs(settings, file) < 0 || fputs("\n", file) < 0 || fclose(file) != 0) {
        give_up("settings", path);
    }
    char data[128];
    (void)snprintf(data, sizeof data, "%s/data", server->folder);
    (void)snprintf(path, sizeof path, "%s/data/postmaster.pid", server->folder);
    if (access(path, F_OK) == 0) {
        run(server, "pg_ctl", (char *[]){"pg_ctl", "-D", data, "reload", NULL});
    }
}

void postgres_server_start(const struct postgres_server *server)
{
    char data[128], log[128], options[256];
    (void)snprintf(data, sizeof data, "%s/data", server->folder);
    (void)snprintf(log, sizeof log, "%s/server.log", server->folder);
    (void)snprintf(options, sizeof options, "-k %s -p %u -c listen_addresses=''", server->folder, server->port);
    run(server, "pg_ctl", (char *[]){"pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "start", NULL});
}

void postgres_server_stop(const struct postgres_server *server, const char *mode)
{
    char data[128], how[16];
    (void)snprintf(data, sizeof data, "%s/data", server->folder);
    (void)snprintf(how, sizeof how, "%s", mode);
    run(server, "pg_ctl", (char *[]){"pg_ctl", "-D", data, "-m", how, "-w", "stop", NULL});
}

void postgres_server_promote(const struct postgres_server *server)
{
    char data[128];
    (void)snprintf(data, sizeof data, "%s/data", server->folder);
    run(server, "pg_ctl", (char *[]){"pg_ctl", "-D", data, "-w", "promote", NULL});
}

void postgres_server_create(struct postgres_server *server, const char *settings)
{
    char data[128];
    *server = (struct postgres_server){.port = 5432};
    make_folder(server);
    (void)snprintf(data, sizeof data, "%s/data", server->folder);
    run(server, "initdb",
        (char *[]){"initdb", "-D", data, "-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale=C", "-k", "-N", NULL});
    postgres_server_set(server, "max_connections = 100\nshared_buffers = 32MB\nlog_statement_stats = off");
    postgres_server_set(server, settings);
    postgres_server_start(server);
}

void postgres_server_follow(struct postgres_server *server, const struct postgres_server *primary, const char *name)
{
    char data[128], source[256];
    *server = (struct postgres_server){.port = 5433};
    make_folder(server);
    (void)snprintf(data, sizeof data, "%s/data", server->folder);
    (void)snprintf(source, sizeof source, "host=%s port=%u user=" SUPERUSER " application_name=%s", primary->folder,
                   primary->port, name);
    run(server, "pg_basebackup",
        (char *[]){"pg_basebackup", "-D", data, "-d", source, "-R", "-X", "stream", "-c", "fast", NULL});
    postgres_server_start(server);
}

void postgres_server_remove(struct postgres_server *server)
{
    char path[128], command[160];
    (void)snprintf(path, sizeof path, "%s/data/postmaster.pid", server->folder);
    if (access(path, F_OK) == 0) {
        postgres_server_stop(server, "immediate");
    }
    (void)snprintf(command, sizeof command, "rm -rf %s", server->folder);
    if (system(command) != 0) {
        give_up("folder", server->folder);
    }
}

/* -- Databases ----------------------------------------------------------------------------------------------- */

void postgres_server_uri(char out[POSTGRES_URI_BYTES], const struct postgres_server *server, const char *database)
{
    (void)snprintf(out, POSTGRES_URI_BYTES, "postgresql://" SUPERUSER "@/%s?host=%s&port=%u", database, server->folder,
                   server->port);
}

long postgres_run(const char *uri, const char *text)
{
    PGconn *connection = PQconnectdb(uri);
    if (PQstatus(connection) != CONNECTION_OK) {
        give_up(uri, PQerrorMessage(connection));
    }
    PGresult *result = PQexec(connection, text);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
        give_up(text, PQerrorMessage(connection));
    }
    long answer = status == PGRES_TUPLES_OK && PQntuples(result) > 0 ? strtol(PQgetvalue(result, 0, 0), NULL, 10) : -1;
    PQclear(result);
    PQfinish(connection);
    return answer;
}

void postgres_database_create(char uri[POSTGRES_URI_BYTES], const struct postgres_server *server)
{
    static atomic_uint made;
    char name[64], text[128];
    (void)snprintf(name, sizeof name, "test_%d_%u", (int)getpid(), atomic_fetch_add(&made, 1));
    (void)snprintf(text, sizeof text, "CREATE DATABASE %s", name);
    postgres_server_uri(uri, server, "postgres");
    (void)postgres_run(uri, text);
    postgres_server_uri(uri, server, name);
    (void)postgres_run(uri, "CREATE FUNCTION zeroblob(len integer) RETURNS bytea LANGUAGE sql"
                            " AS $$SELECT decode(repeat('00', len), 'hex')$$;"
                            "CREATE DOMAIN blob AS bytea;"
                            "CREATE FUNCTION instr(hay bytea, needle bytea) RETURNS integer LANGUAGE sql"
                            " AS $$SELECT position(needle IN hay)$$");
}

void postgres_database_drop(const char *uri)
{
    char other[POSTGRES_URI_BYTES], text[128];
    const char *name = strstr(uri, "@/") + 2;
    int len = (int)strcspn(name, "?");
    (void)snprintf(other, sizeof other, "%.*spostgres%s", (int)(name - uri), uri, name + len);
    (void)snprintf(text, sizeof text, "DROP DATABASE %.*s WITH (FORCE)", len, name);
    (void)postgres_run(other, text);
}

bool postgres_server_shared(struct postgres_server *server)
{
    const char *path = getenv("COLOAN_TEST_POSTGRES");
    if (path == NULL) {
        return false;
    }
    FILE *file = fopen(path, "r");
    *server = (struct postgres_server){.port = 5432};
    if (file == NULL || fscanf(file, "%63s", server->folder) != 1) {
        give_up(path, "ctest's fixture postgres_up writes it");
    }
    (void)fclose(file);
    return true;
}
