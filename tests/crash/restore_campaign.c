/* restore_campaign: a real coloand under load is backed up and archived, sometimes killed, and then restored to random
 * moments: what was acknowledged before the moment is there with the very answer, and nothing of what was asked after it.
 * At the end of a run the last moment is restored in the place of the database, and the bank holds the centre to all its
 * words as if nothing had happened. */
#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcoloan/sha256.h"
#include "server/moment.h"
#include "server/store/messages.h"
#include "tests/crash/centre.h"
#include "tests/support/campaign.h"

enum {
    PATH_BYTES = 512,
    SAID_BYTES = 8192,
    LOAD_MS_MIN = 150,
    LOAD_MS_MAX = 900,
    KILL_ONE_IN = 2,      /* runs in which the centre is killed */
    KILL_TOOL_ONE_IN = 3, /* backups and restores that are killed first, and then made again */
    KILL_TOOL_MS_MAX = 40,
    MOMENTS = 3, /* restored in each run, besides the last one */
    /* Commits that a crash cut off from the archive have no time of their own: no moment is chosen right before one. */
    BEFORE_KILL_MS = 500,
    STOP_MS_MAX = 60000,
    ARENA_BYTES = 4 * 1024 * 1024,
};

static struct centre_files files;
static struct bank *bank;
static struct campaign campaign;
static uint64_t chance;
static char room[64]; /* archive, backups, restored databases */
static char archive[PATH_BYTES], backups[PATH_BYTES], config[PATH_BYTES], restored[PATH_BYTES];
static char said[SAID_BYTES];

static const char *program;
static uint64_t threads = 4;
static uint64_t open_cases = 100;
static uint64_t restart_pages = 1024;
static bool planted;

static struct bank_counts counts;
static uint64_t backups_made, restores_made, tools_killed, centres_killed, entries_checked, entries_absent;

static const struct campaign_count told[] = {
    {"applications", &counts.applications},
    {"acknowledged", &counts.requests.acknowledged},
    {"backups", &backups_made},
    {"restores", &restores_made},
    {"tools_killed", &tools_killed},
    {"centres_killed", &centres_killed},
    {"answers_found", &entries_checked},
    {"rightly_absent", &entries_absent},
};

static void look(void)
{
    counts = bank_counts(bank);
}

static int64_t unix_ms(void)
{
    return cl_clock_unix_ms(cl_clock_system());
}

/* -- Files ---------------------------------------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

static void remove_tree(const char *path)
{
    (void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static bool make_room(void)
{
    strcpy(room, "/tmp/coloan-restore-XXXXXX");
    if (mkdtemp(room) == NULL) {
        return false;
    }
    (void)snprintf(archive, sizeof archive, "%s/archive", room);
    (void)snprintf(backups, sizeof backups, "%s/backups", room);
    (void)snprintf(restored, sizeof restored, "%s/restored.db", room);
    return mkdir(archive, 0700) == 0 && mkdir(backups, 0700) == 0;
}

/* The centre's configuration with another database, in the same folder, because its paths are relative. */
static bool make_config(void)
{
    char *text = pki_files_text(&files.world.files, "coloand.yaml");
    const char *place = strstr(text, "database: \"coloan.db\"");
    (void)snprintf(config, sizeof config, "%s/restore.yaml", files.world.files.folder);
    FILE *out = fopen(config, "we");
    if (place == NULL || out == NULL) {
        free(text);
        return false;
    }
    (void)fprintf(out, "%.*sdatabase: %s%s", (int)(place - text), text, restored,
                  place + strlen("database: \"coloan.db\""));
    free(text);
    return fclose(out) == 0;
}

static void remove_restored(void)
{
    static const char *const names[] = {"", "-wal", "-shm", ".lock", ".restoring"};
    char path[PATH_BYTES + 16];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", restored, names[i]);
        (void)unlink(path);
    }
}

/* -- The tools ------------------------------------------------------------------------------------------------ */

/* Sometimes killed on the way first: the next one has to cope with what it left. */
static int run_tool(const char *const *arguments)
{
    if (campaign_dice(&chance, KILL_TOOL_ONE_IN) == 0) {
        int64_t after_ms = (int64_t)campaign_dice(&chance, KILL_TOOL_MS_MAX);
        if (process_run(NULL, 0, files.program, arguments, after_ms) == -1) {
            tools_killed++;
        }
        remove_restored();
    }
    return process_run(said, sizeof said, files.program, arguments, -1);
}

/* The path of what --backup said it made. */
static bool back_up(char out[PATH_BYTES])
{
    const char *const arguments[] = {"--config", world_config_path(&files.world), "--backup", backups, NULL};
    if (run_tool(arguments) != 0) {
        return false;
    }
    const char *name = strstr(said, backups);
    const char *end = name == NULL ? NULL : strstr(name, ": ");
    if (end == NULL || strstr(said, "With the archive from segment") == NULL) {
        return false;
    }
    (void)snprintf(out, PATH_BYTES, "%.*s", (int)(end - name), name);
    backups_made++;
    return true;
}

static bool restore(const char *backup, int64_t to_ms)
{
    char moment[MOMENT_TEXT_BYTES];
    const char *arguments[] = {"--config", config,   "--restore", backup, "--archive",
                               archive,    "--json", "--to",      moment, NULL};
    moment_write(moment, to_ms == INT64_MAX ? 0 : to_ms);
    if (to_ms == INT64_MAX) {
        arguments[7] = NULL;
    }
    remove_restored();
    restores_made++;
    return run_tool(arguments) == 0;
}

/* -- What a restored database has to hold --------------------------------------------------------------------- */

struct check {
    struct sql *sql;
    struct cl_arena *arena;
    int64_t to_ms;
};

static void check_entry(void *user, const struct entry *entry)
{
    struct check *check = user;
    struct message_row row;
    struct message_row answer;
    struct cl_digest digest = {{0}};
    bool found = false;
    bool answered = false;
    cl_arena_reset(check->arena);
    struct cl_status status = messages_get(&found, &row, check->sql, check->arena, &entry->digest);
    if (cl_is_ok(status) && found && row.has_reply) {
        status = messages_get(&answered, &answer, check->sql, check->arena, &row.reply);
    }
    if (cl_failed(status)) {
        campaign_violated(&campaign, "the restored database cannot be read: %s", cl_status_name(status));
        return;
    }
    if (entry->acknowledged_ms < check->to_ms) {
        cl_sha256(&digest, answered ? answer.envelope : cl_bytes(NULL, 0));
        entries_checked++;
        if (!found || !answered || !cl_digest_equal(&digest, &entry->reply)) {
            campaign_violated(&campaign, "%s of K-%" PRIu64 ", acknowledged %" PRId64 " ms before the moment, is %s",
                              entry->method, entry->household, check->to_ms - entry->acknowledged_ms,
                              found ? "answered otherwise" : "gone");
        }
    }
    if (entry->added_ms > check->to_ms) {
        entries_absent++;
        if (found) {
            campaign_violated(&campaign, "%s of K-%" PRIu64 ", asked %" PRId64 " ms after the moment, is there",
                              entry->method, entry->household, entry->added_ms - check->to_ms);
        }
    }
}

static void check_restored(int64_t to_ms)
{
    struct check check = {.to_ms = to_ms};
    struct sql_health health = {.on_failed = NULL};
    struct cl_status status = cl_arena_create(&check.arena, ARENA_BYTES);
    if (cl_is_ok(status)) {
        status = sql_open(&check.sql, restored, SQL_READ, &health);
    }
    if (cl_failed(status)) {
        campaign_violated(&campaign, "the restored database cannot be opened: %s", cl_status_name(status));
    } else {
        bank_each_answered(bank, check_entry, &check);
    }
    sql_close(check.sql);
    cl_arena_free(check.arena);
}

/* -- Runs ----------------------------------------------------------------------------------------------------- */

static void load(struct process *process)
{
    (void)process;
    (void)poll(NULL, 0, (int)(LOAD_MS_MIN + campaign_dice(&chance, LOAD_MS_MAX - LOAD_MS_MIN)));
}

static const char *stop(struct process *process)
{
    (void)kill(process->pid, SIGTERM);
    struct process_end end = process_wait(process, STOP_MS_MAX);
    process_kill(process);
    return end.ended && end.status == 0 ? NULL : "the centre does not stop in good order";
}

static const char *start(struct process *process)
{
    if (!centre_start(process, &files)) {
        return "the centre does not start";
    }
    if (!bank_connect(bank, process->port, BANK_BUSY)) {
        process_kill(process);
        return "the centre does not answer";
    }
    return NULL;
}

struct moments {
    int64_t from_ms, killed_ms, until_ms; /* killed_ms 0: it was not */
};

/* The centre's life after the backup, with or without a kill in it. */
static const char *live_on(struct moments *moments, struct process *process)
{
    load(process);
    if (campaign_dice(&chance, KILL_ONE_IN) == 0) {
        load(process);
        moments->killed_ms = unix_ms();
        process_kill(process);
        bank_disconnect(bank);
        centres_killed++;
        const char *wrong = start(process);
        if (wrong != NULL) {
            return wrong;
        }
        load(process);
    }
    moments->until_ms = unix_ms();
    const char *wrong = stop(process);
    bank_disconnect(bank);
    return wrong;
}

/* A moment of the run, not right before the kill. */
static int64_t choose(const struct moments *moments)
{
    int64_t span_ms = moments->until_ms - moments->from_ms + 1;
    int64_t moment = moments->from_ms + (int64_t)campaign_dice(&chance, (uint64_t)span_ms);
    bool blind =
        moments->killed_ms != 0 && moment > moments->killed_ms - BEFORE_KILL_MS && moment <= moments->killed_ms;
    return blind ? moments->until_ms : moment;
}

static const char *restore_moments(const char *backup, const struct moments *moments)
{
    for (int i = 0; i < MOMENTS; i++) {
        int64_t moment = choose(moments);
        if (!restore(backup, moment)) {
            return said;
        }
        check_restored(planted ? moment + LOAD_MS_MAX : moment);
        if (campaign_is_violated(&campaign)) {
            return NULL;
        }
    }
    return NULL;
}

/* The last moment, restored and put where the database was. */
static const char *restore_in_place(const char *backup)
{
    if (!restore(backup, INT64_MAX)) {
        return said;
    }
    check_restored(INT64_MAX);
    (void)unlink(pki_files_path(&files.world.files, "coloan.db-wal"));
    (void)unlink(pki_files_path(&files.world.files, "coloan.db-shm"));
    return rename(restored, pki_files_path(&files.world.files, "coloan.db")) == 0 ? NULL : "rename";
}

/* NULL, or what is wrong. */
static const char *run_once(void)
{
    char backup[PATH_BYTES];
    struct process process;
    struct moments moments = {.killed_ms = 0};
    const char *wrong = start(&process);
    if (wrong != NULL) {
        return wrong;
    }
    load(&process);
    bool backed_up = back_up(backup);
    moments.from_ms = unix_ms();
    if (!backed_up) {
        process_kill(&process);
        return said;
    }
    wrong = live_on(&moments, &process);
    if (wrong == NULL) {
        wrong = restore_moments(backup, &moments);
    }
    if (wrong == NULL && !campaign_is_violated(&campaign)) {
        wrong = restore_in_place(backup);
    }
    return wrong == NULL ? bank_violation(bank) : wrong;
}

static void run_all(void)
{
    const char *wrong = NULL;
    while (wrong == NULL && campaign_next(&campaign)) {
        chance = campaign_seed_of_run(&campaign);
        wrong = run_once();
    }
    if (wrong == NULL && !campaign_is_violated(&campaign)) {
        wrong = centre_verdict(bank, &files);
    }
    if (wrong != NULL) {
        campaign_violated(&campaign, "%s", wrong);
    }
}

static const struct campaign_option options[] = {
    {"coloand", "PATH", "the program (the one built beside this)", .text = &program},
    {"threads", "N", "that send", .number = &threads, .min = 1, .max = 16},
    {"open-cases", "N", "cases under way at once", .number = &open_cases, .min = 1, .max = 100000},
    {"restart-pages", "N", "log_restart_pages of the centre", .number = &restart_pages, .min = 1, .max = 16384},
    {"plant", NULL, "asks for more than was restored, which has to be found", .flag = &planted},
};

static const struct campaign_plan plan = {
    .name = "restore",
    .purpose =
        "restores a real coloand's database to random moments; what was acknowledged before is there, nothing later",
    .a_run = "a life of the server with a backup in it, and restores; it goes on from the last one's database",
    .runs = 20,
    .group = UINT32_MAX,
    .examples = "  ./dev campaign restore --runs 50 --seed 7\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .counts = told,
    .count_count = sizeof told / sizeof told[0],
    .look = look,
};

int main(int argc, char **argv)
{
    int result = EXIT_FAILURE;
    char store_fields[PATH_BYTES + 128];
    if (!campaign_begin(&campaign, &result, &plan, argc, argv)) {
        return result;
    }
    if (!make_room()) {
        return EXIT_FAILURE;
    }
    (void)snprintf(store_fields, sizeof store_fields, "log_round_pages: 256, log_restart_pages: %u, archive: %s",
                   (unsigned)restart_pages, archive);
    struct centre_options centre = {.program = program, .store = store_fields};
    centre_open(&files, &centre);
    struct bank_options bank_options = {.world = &files.world,
                                        .seed = campaign.seed,
                                        .thread_count = (unsigned)threads,
                                        .open_cases_max = (unsigned)open_cases};
    bank = bank_create(&bank_options);
    if (make_config()) {
        run_all();
    } else {
        campaign_violated(&campaign, "the configuration cannot be made");
    }
    result = campaign_end(&campaign);
    if (result == EXIT_SUCCESS || planted) {
        centre_close(&files);
        remove_tree(room);
    } else {
        (void)printf("its files are kept in %s and %s\n", files.world.files.folder, room);
    }
    bank_free(bank);
    return result;
}
