/* failover_campaign: two coloand on a PostgreSQL cluster of two, under load, while what they stand on goes away: the
 * primary, its machine, the standby's machine, one coloand; or stands still for a while. Patroni and etcd elect and
 * promote. Nothing acknowledged may be lost, and nothing decided twice. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/crash/centre.h"
#include "tests/crash/cluster.h"
#include "tests/support/campaign.h"

enum {
    NODES = 2,
    BUSY_MS_MIN = 300,
    BUSY_MS_MAX = 1500,
    LOOK_MS = 20,
    AFTERWARDS_MS_MIN = 3000, /* the fault shows within this time, or never */
    FLOWING_MS = 300,         /* an acknowledgement this fresh: it goes on */
    OUTAGE_MS_MAX = 90 * 1000,
    PAUSE_MS_MAX = 20 * 1000,
};

static struct centre_files files;
static struct cluster cluster;
static struct process nodes[NODES];
static size_t served_by; /* the node that the bank talks to */
static struct bank *bank;
static struct campaign campaign;
static uint64_t chance;

static const char *program;
static uint64_t threads = 4;
static uint64_t open_cases = 100;

static int64_t now_ms(void)
{
    return cl_clock_monotonic_ms(cl_clock_system());
}

/* -- Counts --------------------------------------------------------------------------------------------------- */

static struct bank_counts counts;
static uint64_t failovers, faults_of_postgres, faults_of_machines, faults_of_standbys, pauses, killed_nodes;
static uint64_t *outages_ms;
static size_t outage_count;
static uint64_t outage_p50_ms, outage_max_ms;

static const struct campaign_count told[] = {
    {"failovers", &failovers},
    {"primaries_crashed", &faults_of_postgres},
    {"primary_machines_killed", &faults_of_machines},
    {"standby_machines_killed", &faults_of_standbys},
    {"primaries_paused", &pauses},
    {"coloands_killed", &killed_nodes},
    {"applications", &counts.applications},
    {"acknowledged", &counts.requests.acknowledged},
    {"sent_again", &counts.requests.sent_again},
    {"repeated", &counts.requests.repeated},
    {"events", &counts.events},
    {"joint_decisions", &counts.joint_decisions},
    {"outage_p50_ms", &outage_p50_ms},
    {"outage_max_ms", &outage_max_ms},
};

static int compare(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

static void look(void)
{
    counts = bank_counts(bank);
    if (outage_count > 0) {
        qsort(outages_ms, outage_count, sizeof *outages_ms, compare);
        outage_p50_ms = outages_ms[outage_count / 2];
        outage_max_ms = outages_ms[outage_count - 1];
    }
}

/* -- The nodes ------------------------------------------------------------------------------------------------ */

static bool node_runs(size_t node)
{
    return nodes[node].pid != 0 && kill(nodes[node].pid, 0) == 0;
}

/* A node that gave up its database ends by itself; an operator's service manager starts it again, as we do. */
static bool start_nodes(void)
{
    for (size_t i = 0; i < NODES; i++) {
        struct process_end end = {.ended = !node_runs(i)};
        if (!end.ended) {
            end = process_wait(&nodes[i], 0);
        }
        if (end.ended) {
            process_kill(&nodes[i]);
            if (!centre_start(&nodes[i], &files)) {
                return false;
            }
        }
    }
    return true;
}

static bool lives(void *user)
{
    (void)user;
    return node_runs(served_by);
}

/* To the one, or when it does not answer, to the other. */
static bool connect_bank(void)
{
    const struct bank_watch watch = {.lives = lives};
    for (size_t i = 0; i < NODES; i++) {
        if (bank_connect_while(bank, nodes[served_by].port, BANK_BUSY, &watch)) {
            return true;
        }
        bank_disconnect(bank);
        served_by = (served_by + 1) % NODES;
    }
    return false;
}

/* -- Faults --------------------------------------------------------------------------------------------------- */

enum fault { CRASH_PRIMARY, KILL_PRIMARY, KILL_STANDBY, PAUSE_PRIMARY, KILL_COLOAND };

static enum fault choose(void)
{
    static const enum fault faults[] = {CRASH_PRIMARY, CRASH_PRIMARY, CRASH_PRIMARY, CRASH_PRIMARY, CRASH_PRIMARY,
                                        CRASH_PRIMARY, KILL_PRIMARY,  KILL_STANDBY,  PAUSE_PRIMARY, KILL_COLOAND};
    return faults[campaign_dice(&chance, sizeof faults / sizeof faults[0])];
}

static void begin_fault(enum fault fault, char primary, char standby)
{
    switch (fault) {
    case CRASH_PRIMARY:
        faults_of_postgres++;
        (void)cluster_do(&cluster, "crash", primary);
        return;
    case KILL_PRIMARY:
        faults_of_machines++;
        (void)cluster_do(&cluster, "kill", primary);
        return;
    case KILL_STANDBY:
        faults_of_standbys++;
        (void)cluster_do(&cluster, "kill", standby);
        return;
    case PAUSE_PRIMARY:
        pauses++;
        (void)cluster_do(&cluster, "pause", primary);
        (void)poll(NULL, 0, (int)campaign_dice(&chance, PAUSE_MS_MAX));
        (void)cluster_do(&cluster, "resume", primary);
        return;
    case KILL_COLOAND:
        killed_nodes++;
        process_kill(&nodes[served_by]);
        return;
    }
}

static bool end_fault(enum fault fault, char primary, char standby)
{
    if (fault == KILL_PRIMARY) {
        return cluster_do(&cluster, "revive", primary);
    }
    return fault == KILL_STANDBY ? cluster_do(&cluster, "revive", standby) : true;
}

/* The longest time without an acknowledgement from `since_ms` on, once they flow again. False when they do not. */
static bool measure_outage(int64_t since_ms)
{
    uint64_t seen = bank_counts(bank).requests.acknowledged;
    int64_t last_ms = since_ms;
    int64_t longest_ms = 0;
    while (now_ms() - last_ms < OUTAGE_MS_MAX && bank_violation(bank) == NULL) {
        uint64_t acknowledged = bank_counts(bank).requests.acknowledged;
        longest_ms = now_ms() - last_ms > longest_ms ? now_ms() - last_ms : longest_ms;
        if (acknowledged > seen) {
            seen = acknowledged;
            last_ms = now_ms();
            if (last_ms - since_ms >= AFTERWARDS_MS_MIN) {
                outages_ms[outage_count++] = (uint64_t)longest_ms;
                return true;
            }
        }
        (void)poll(NULL, 0, LOOK_MS);
    }
    return false;
}

/* -- Runs ----------------------------------------------------------------------------------------------------- */

static const char *run_once(void)
{
    char primary = cluster_primary(&cluster);
    char standby = cluster_standby(&cluster);
    enum fault fault = choose();
    if (!start_nodes()) {
        return "a node does not start";
    }
    served_by = (size_t)campaign_dice(&chance, NODES);
    if (!connect_bank()) {
        return "no node answers";
    }
    (void)poll(NULL, 0, (int)(BUSY_MS_MIN + campaign_dice(&chance, BUSY_MS_MAX - BUSY_MS_MIN + 1)));
    int64_t began_ms = now_ms();
    begin_fault(fault, primary, standby);
    bool reconnects = fault == KILL_COLOAND;
    if (reconnects) {
        bank_disconnect(bank);
        reconnects = !connect_bank();
    }
    bool flows = !reconnects && measure_outage(began_ms);
    bank_disconnect(bank);
    if (bank_violation(bank) != NULL) {
        return bank_violation(bank);
    }
    if (!flows && node_runs(served_by)) {
        return "nothing is acknowledged any more";
    }
    if (!end_fault(fault, primary, standby) || !cluster_settle(&cluster)) {
        return "the cluster does not settle";
    }
    failovers += cluster_primary(&cluster) != primary ? 1 : 0;
    return NULL;
}

static void run_all(void)
{
    const char *wrong = NULL;
    while (wrong == NULL && campaign_next(&campaign)) {
        chance = campaign_seed_of_run(&campaign);
        wrong = run_once();
    }
    for (size_t i = 0; i < NODES; i++) {
        process_kill(&nodes[i]);
    }
    if (wrong == NULL) {
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
};

static const struct campaign_plan plan = {
    .name = "failover",
    .purpose = "takes away what two coloand on a PostgreSQL cluster stand on; nothing acknowledged may be lost",
    .a_run = "one fault: a primary or a machine that goes, or stands still; the system adds chance of its own",
    .runs = 20,
    .group = UINT32_MAX,
    .examples = "  ./dev campaign failover --runs 100 --seed 7\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .counts = told,
    .count_count = sizeof told / sizeof told[0],
    .look = look,
};

int main(int argc, char **argv)
{
    int result = EXIT_FAILURE;
    char folder[] = "/tmp/coloan-failover-XXXXXX";
    if (!campaign_begin(&campaign, &result, &plan, argc, argv)) {
        return result;
    }
    outages_ms = calloc(campaign.runs, sizeof *outages_ms);
    if (outages_ms == NULL || mkdtemp(folder) == NULL || !cluster_start(&cluster, folder)) {
        return EXIT_FAILURE;
    }
    struct centre_options centre = {.program = program, .database = cluster.address};
    centre_open(&files, &centre);
    struct bank_options bank_options = {.world = &files.world,
                                        .seed = campaign.seed,
                                        .thread_count = (unsigned)threads,
                                        .open_cases_max = (unsigned)open_cases};
    bank = bank_create(&bank_options);
    run_all();
    result = campaign_end(&campaign);
    cluster_stop(&cluster);
    if (result == EXIT_SUCCESS) {
        centre_close(&files);
    } else {
        (void)printf("its files are kept in %s, the cluster's logs in %s\n", files.world.files.folder, folder);
    }
    bank_free(bank);
    free(outages_ms);
    return result;
}
