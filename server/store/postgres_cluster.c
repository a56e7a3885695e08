#include "server/store/postgres_cluster.h"

#include <stdlib.h>
#include <string.h>

#include "libcoloan/log.h"

enum {
    VERSION_MIN = 150000, /* what it was written for and is tested with */
    /* A node takes a connection for its writer, one for each reader and one to listen; a handful of nodes, a tool beside
       them, and the server's own three need that much. */
    CONNECTIONS_MIN = 50,
};

/* One setting and how it has to be. */
struct setting {
    const char *name;
    bool (*fine)(const char *value);
    bool refuse; /* else warn */
    const char *mend;
};

static bool is_on(const char *value)
{
    return strcmp(value, "on") == 0;
}

static bool waits_for_disk(const char *value)
{
    return strcmp(value, "on") == 0 || strcmp(value, "remote_apply") == 0;
}

static bool is_utf8(const char *value)
{
    return strcmp(value, "UTF8") == 0;
}

static bool is_new_enough(const char *value)
{
    return strtol(value, NULL, 10) >= VERSION_MIN;
}

static bool has_room(const char *value)
{
    return strtol(value, NULL, 10) >= CONNECTIONS_MIN;
}

static bool names_somebody(const char *value)
{
    return value[0] != '\0';
}

static const struct setting SETTINGS[] = {
    {"server_version_num", is_new_enough, true, "use PostgreSQL 15 or newer"},
    {"server_encoding", is_utf8, true, "create the database with ENCODING 'UTF8'"},
    {"fsync", is_on, true, "set fsync = on: without it a power cut loses decisions"},
    {"full_page_writes", is_on, true, "set full_page_writes = on: without it a power cut destroys pages"},
    {"synchronous_commit", waits_for_disk, true, "set synchronous_commit = on, for this role too"},
    {"data_checksums", is_on, false, "run pg_checksums --enable: damage of the disk is not seen"},
    {"max_connections", has_room, false, "set max_connections = 50 or more"},
    {"synchronous_standby_names", names_somebody, false,
     "name standbys: what is acknowledged is on one server's disk only"},
};

static struct cl_status judge(const char *name, const char *value, bool warn)
{
    for (size_t i = 0; i < sizeof SETTINGS / sizeof SETTINGS[0]; i++) {
        const struct setting *setting = &SETTINGS[i];
        if (strcmp(name, setting->name) != 0 || setting->fine(value)) {
            continue;
        }
        if (setting->refuse || warn) {
            cl_log(setting->refuse ? CL_LOG_ERROR : CL_LOG_WARNING, "store.cluster", cl_log_text("setting", name),
                   cl_log_text("mend", setting->mend));
        }
        return setting->refuse ? cl_fail(CL_CONFIG_INVALID) : cl_ok();
    }
    return cl_ok();
}

/* Rises with every promotion of a standby. What it was replaced by, an old primary cannot know; who has seen the new one can. */
static struct cl_status check_timeline(struct sql_health *health, int64_t timeline)
{
    int64_t seen = atomic_load(&health->timeline);
    while (timeline > seen && !atomic_compare_exchange_weak(&health->timeline, &seen, timeline)) {
    }
    if (timeline >= seen) {
        return cl_ok();
    }
    cl_log(CL_LOG_ERROR, "store.old_primary", cl_log_number("timeline", timeline), cl_log_number("seen", seen),
           cl_log_text("mend", "stop that server; rewind it and start it as a standby"));
    return cl_fail(CL_CONFIG_INVALID);
}

struct cl_status postgres_cluster_check(struct postgres_link *link, struct sql_health *health, bool warn)
{
    /* A WAL file's name begins with the timeline, eight hex digits. */
    static const struct postgres_request requests[] = {
        {.text = "SELECT name, setting FROM pg_settings"},
        {.text = "SELECT ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint"},
    };
    struct pg_result *results[2] = {NULL, NULL};
    enum postgres_outcome outcome = postgres_link_exchange(results, link, requests, 2);
    struct cl_status status = outcome == POSTGRES_DONE ? cl_ok() : cl_fail(CL_STORE_UNREACHABLE);
    for (int i = 0; cl_is_ok(status) && i < postgres_result_rows(results[0]); i++) {
        status = judge(postgres_result_text(results[0], i, 0), postgres_result_text(results[0], i, 1), warn);
    }
    if (cl_is_ok(status)) {
        status = check_timeline(health, postgres_result_i64(results[1], 0, 0));
    }
    postgres_result_free(results[0]);
    postgres_result_free(results[1]);
    return status;
}
