/* failover_campaign: two coloand on a PostgreSQL cluster of two, under load, while what they stand on goes away: the
 * primary, its machine, the standby's machine, one coloand; or stands still for a while; or, with --partitions, is not
 * reached by some of the others, or all. Patroni and etcd elect and promote. Nothing acknowledged may be lost, and
 * nothing decided twice. Without the packages of the group `cluster`, or with --partitions without root, it is skipped,
 * with status 77. */
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
    AFTERWARDS_MS_MIN = 3000, /* a fault, or its end, shows within this time, or never */
    OUTAGE_MS_MAX = 90 * 1000,
    LASTS_MS_MAX = 30 * 1000,
    STATUS_SKIPPED = 77,
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
static bool partitions;

static int64_t now_ms(void)
{
    return cl_clock_monotonic_ms(cl_clock_system());
}

/* -- Faults --------------------------------------------------------------------------------------------------- */

enum fault_kind {
    PRIMARY_CRASHES,
    PRIMARY_MACHINE_GOES,
    STANDBY_MACHINE_GOES,
    PRIMARY_STANDS_STILL,
    COLOAND_GOES,
    PRIMARY_ALONE,
    PRIMARY_ONLY_WITH_US, /* who write to it */
    PRIMARY_WITHOUT_US,
    PRIMARY_WITHOUT_ETCD,
    PRIMARY_WITHOUT_STANDBY,
    STANDBY_ALONE,
    ETCD_ALONE,
    FAULT_KINDS
};

static const char THE_OTHER[] = "the other node";

static const struct fault {
    unsigned share; /* of all of its sort, so many are of this kind */
    enum { AT_PRIMARY, AT_STANDBY, AT_BOTH } at;
    const char *begin, *end; /* what is done to the node; NULL: nothing */
    const char *peers[2];    /* from whom a partition cuts the node off; NULL: it is none */
    bool for_a_while;        /* then it ends, whatever became of it; else when all goes on */
} faults[FAULT_KINDS] = {
    [PRIMARY_CRASHES] = {6, AT_PRIMARY, "crash", NULL, {NULL}, false},
    [PRIMARY_MACHINE_GOES] = {1, AT_PRIMARY, "kill", "revive", {NULL}, false},
    [STANDBY_MACHINE_GOES] = {1, AT_STANDBY, "kill", "revive", {NULL}, false},
    [PRIMARY_STANDS_STILL] = {1, AT_PRIMARY, "pause", "resume", {NULL}, true},
    [COLOAND_GOES] = {1, AT_PRIMARY, NULL, NULL, {NULL}, false}, /* that we talk to, wherever it is */
    [PRIMARY_ALONE] = {3, AT_PRIMARY, "cut", "heal", {"all"}, true},
    [PRIMARY_ONLY_WITH_US] = {3, AT_PRIMARY, "cut", "heal", {"etcd", THE_OTHER}, true},
    [PRIMARY_WITHOUT_US] = {1, AT_PRIMARY, "cut", "heal", {"here"}, true},
    [PRIMARY_WITHOUT_ETCD] = {2, AT_PRIMARY, "cut", "heal", {"etcd"}, true},
    [PRIMARY_WITHOUT_STANDBY] = {1, AT_PRIMARY, "cut", "heal", {THE_OTHER}, true},
    [STANDBY_ALONE] = {1, AT_STANDBY, "cut", "heal", {"all"}, true},
    [ETCD_ALONE] = {1, AT_BOTH, "cut", "heal", {"etcd"}, true},
};

/* -- Counts --------------------------------------------------------------------------------------------------- */

static struct bank_counts counts;
static uint64_t failovers, of_kind[FAULT_KINDS], coloands_ended;
static uint64_t *outages_ms;
static size_t outage_count;
static uint64_t outage_p50_ms, outage_max_ms;

static const struct campaign_count told[] = {
    {"failovers", &failovers},
    {"primaries_crashed", &of_kind[PRIMARY_CRASHES]},
    {"primary_machines_killed", &of_kind[PRIMARY_MACHINE_GOES]},
    {"standby_machines_killed", &of_kind[STANDBY_MACHINE_GOES]},
    {"primaries_paused", &of_kind[PRIMARY_STANDS_STILL]},
    {"coloands_killed", &of_kind[COLOAND_GOES]},
    {"primaries_cut_off", &of_kind[PRIMARY_ALONE]},
    {"primaries_cut_off_but_from_us", &of_kind[PRIMARY_ONLY_WITH_US]},
    {"primaries_cut_off_from_us", &of_kind[PRIMARY_WITHOUT_US]},
    {"primaries_cut_off_from_etcd", &of_kind[PRIMARY_WITHOUT_ETCD]},
    {"primaries_cut_off_from_standby", &of_kind[PRIMARY_WITHOUT_STANDBY]},
    {"standbys_cut_off", &of_kind[STANDBY_ALONE]},
    {"etcd_cut_off", &of_kind[ETCD_ALONE]},
    {"coloands_ended", &coloands_ended},
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

/* -- Trouble -------------------------------------------------------------------------------------------------- */

/* A fault at the nodes it strikes. */
struct trouble {
    enum fault_kind kind;
    char primary, standby; /* when it began */
    int64_t began_ms, ends_ms;
    bool ended;
};

static enum fault_kind choose(void)
{
    unsigned all = 0;
    for (size_t i = 0; i < FAULT_KINDS; i++) {
        all += (faults[i].peers[0] != NULL) == partitions ? faults[i].share : 0;
    }
    uint64_t left = campaign_dice(&chance, all);
    enum fault_kind kind = PRIMARY_CRASHES;
    while ((faults[kind].peers[0] != NULL) != partitions || left >= faults[kind].share) {
        left -= (faults[kind].peers[0] != NULL) == partitions ? faults[kind].share : 0;
        kind++;
    }
    return kind;
}

static bool cut(const struct fault *fault, char node)
{
    static const char *const others[] = {['a'] = "b", ['b'] = "a"};
    bool done = true;
    for (size_t i = 0; i < sizeof fault->peers / sizeof fault->peers[0] && fault->peers[i] != NULL; i++) {
        const char *peer = fault->peers[i] == THE_OTHER ? others[(unsigned char)node] : fault->peers[i];
        done = cluster_do(&cluster, "cut", node, peer) && done;
    }
    return done;
}

static bool begin_at(const struct fault *fault, char node)
{
    return fault->peers[0] == NULL ? cluster_do(&cluster, fault->begin, node, NULL) : cut(fault, node);
}

static bool trouble_begin(struct trouble *trouble)
{
    const struct fault *fault = &faults[trouble->kind];
    bool begun = true;
    of_kind[trouble->kind]++;
    trouble->began_ms = now_ms();
    trouble->ends_ms = trouble->began_ms + (int64_t)campaign_dice(&chance, LASTS_MS_MAX);
    if (trouble->kind == COLOAND_GOES) {
        process_kill(&nodes[served_by]);
        return true;
    }
    if (fault->at != AT_STANDBY) {
        begun = begin_at(fault, trouble->primary);
    }
    if (fault->at != AT_PRIMARY) {
        begun = begin_at(fault, trouble->standby) && begun;
    }
    return begun;
}

/* Once. */
static bool trouble_end(struct trouble *trouble)
{
    const struct fault *fault = &faults[trouble->kind];
    bool done = true;
    if (trouble->ended || fault->end == NULL) {
        return true;
    }
    trouble->ended = true;
    if (fault->at != AT_STANDBY) {
        done = cluster_do(&cluster, fault->end, trouble->primary, NULL);
    }
    if (fault->at != AT_PRIMARY) {
        done = cluster_do(&cluster, fault->end, trouble->standby, NULL) && done;
    }
    return done;
}

/* Until acknowledgements flow again, after the end of what ends by itself; the longest time without one is noted. False
 * when they do not, or the node ended. */
static bool live_through(struct trouble *trouble)
{
    bool goes_on = !faults[trouble->kind].for_a_while;
    uint64_t seen = bank_counts(bank).requests.acknowledged;
    int64_t quiet_since_ms = trouble->began_ms;
    int64_t last_ms = trouble->began_ms;
    int64_t longest_ms = 0;
    while (now_ms() - last_ms < OUTAGE_MS_MAX && bank_violation(bank) == NULL && node_runs(served_by)) {
        if (!goes_on && now_ms() >= trouble->ends_ms) {
            goes_on = trouble_end(trouble);
            quiet_since_ms = now_ms();
        }
        uint64_t acknowledged = bank_counts(bank).requests.acknowledged;
        longest_ms = now_ms() - last_ms > longest_ms ? now_ms() - last_ms : longest_ms;
        last_ms = acknowledged > seen ? now_ms() : last_ms;
        seen = acknowledged;
        if (goes_on && last_ms - quiet_since_ms >= AFTERWARDS_MS_MIN) {
            outages_ms[outage_count++] = (uint64_t)longest_ms;
            return true;
        }
        (void)poll(NULL, 0, LOOK_MS);
    }
    return false;
}

/* -- Runs ----------------------------------------------------------------------------------------------------- */

static const char *be_in_trouble(struct trouble *trouble)
{
    if (!trouble_begin(trouble)) {
        return "a fault cannot be made";
    }
    bool connected = true;
    if (trouble->kind == COLOAND_GOES) {
        bank_disconnect(bank);
        connected = connect_bank();
    }
    bool flows = connected && live_through(trouble);
    bank_disconnect(bank);
    if (bank_violation(bank) != NULL) {
        return bank_violation(bank);
    }
    coloands_ended += flows || node_runs(served_by) ? 0 : 1;
    return flows || !node_runs(served_by) ? NULL : "nothing is acknowledged any more";
}

static const char *run_once(void)
{
    struct trouble trouble = {
        .kind = choose(), .primary = cluster_primary(&cluster), .standby = cluster_standby(&cluster)};
    if (!start_nodes()) {
        return "a node does not start";
    }
    served_by = (size_t)campaign_dice(&chance, NODES);
    if (!connect_bank()) {
        return "no node answers";
    }
    (void)poll(NULL, 0, (int)(BUSY_MS_MIN + campaign_dice(&chance, BUSY_MS_MAX - BUSY_MS_MIN + 1)));
    const char *wrong = be_in_trouble(&trouble);
    if (!trouble_end(&trouble) && wrong == NULL) {
        wrong = "a fault does not end";
    }
    if (wrong == NULL && !cluster_settle(&cluster)) {
        wrong = "the cluster does not settle";
    }
    failovers += wrong == NULL && cluster_primary(&cluster) != trouble.primary ? 1 : 0;
    return wrong;
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
    {"partitions", NULL, "cut lines between hosts, which are network namespaces, instead of all else (root)",
     .flag = &partitions},
};

static const struct campaign_plan plan = {
    .name = "failover",
    .purpose = "takes away what two coloand on a PostgreSQL cluster stand on; nothing acknowledged may be lost",
    .a_run = "one fault: what goes, stands still or is not reached; the system adds chance of its own",
    .runs = 20,
    .group = UINT32_MAX,
    .examples = "  ./dev campaign failover --runs 100 --seed 7\n"
                "  ./dev campaign failover --partitions --runs 50\n",
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
    if (!cluster_is_possible(partitions)) {
        (void)printf("skipped: there can be no cluster here\n");
        return STATUS_SKIPPED;
    }
    outages_ms = calloc(campaign.runs, sizeof *outages_ms);
    if (outages_ms == NULL || mkdtemp(folder) == NULL || !cluster_start(&cluster, folder, partitions)) {
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
