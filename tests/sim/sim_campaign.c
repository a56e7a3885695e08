/* sim_campaign: a whole joint approval, centre, banks, network and disk, simulated from one seed after the other.
 *
 * The simulations run in processes of their own, every so many'th run in each; what came of a run goes through a pipe to
 * this one, which takes the runs in their order, so that what is told does not depend on how many processes there are, and
 * so that an assertion that fails in the product is a violation like others. */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/defects.h"
#include "tests/sim/sim.h"
#include "tests/support/campaign.h"

enum { JOBS_MAX = 64, REGRESS_MAX = 4096 };

static struct campaign campaign;
static uint64_t jobs = 1;
static const char *plant, *regress;
static bool trace, twice, no_faults;
static uint64_t seeds[REGRESS_MAX]; /* of the file `regress` */
static uint64_t seed_count;

static struct job {
    pid_t process;
    int results; /* the pipe's end to read */
} processes[JOBS_MAX];

/* The sums, as they are told. */
static uint64_t steps, applications, approved, requests, events, crashes, lies;

/* -- A process that simulates -------------------------------------------------------------------------------- */

static uint64_t seed_of_run(uint64_t run)
{
    const struct campaign like = {.seed = campaign.seed, .run = run};
    return regress == NULL ? campaign_seed_of_run(&like) : seeds[run - 1];
}

static void simulate(struct simulation_result *out, const struct base *base, struct dice *chance, uint64_t run)
{
    struct simulation_result again;
    const struct simulation simulation = {
        .base = base, .seed = seed_of_run(run), .aloud = trace, .no_faults = no_faults};
    simulation_run(out, &simulation, chance);
    if (!twice || out->violation[0] != '\0') {
        return;
    }
    simulation_run(&again, &simulation, chance);
    if (!cl_digest_equal(&again.trace, &out->trace)) {
        (void)snprintf(out->violation, sizeof out->violation, "the same seed went another way the second time");
    }
}

static int run_job(uint64_t job, int results)
{
    struct base base;
    struct dice chance;
    base_open(&base, &chance);
    if (plant != NULL) {
        (void)defect_choose(plant);
    }
    bool heard = true;
    for (uint64_t run = campaign.first + job; heard && run < campaign.first + campaign.runs; run += jobs) {
        struct simulation_result result;
        simulate(&result, &base, &chance, run);
        (void)fflush(stdout); /* the trace */
        heard = write(results, &result, sizeof result) == (ssize_t)sizeof result && result.violation[0] == '\0';
    }
    base_close(&base);
    return EXIT_SUCCESS;
}

/* -- The process that leads ---------------------------------------------------------------------------------- */

static void start_jobs(void)
{
    (void)signal(SIGPIPE, SIG_IGN); /* a violation ends the reading */
    for (uint64_t job = 0; job < jobs; job++) {
        int ends[2];
        int made = pipe(ends);
        assert(made == 0);
        processes[job].process = fork();
        assert(processes[job].process >= 0);
        if (processes[job].process == 0) {
            (void)close(ends[0]);
            exit(run_job(job, ends[1]));
        }
        (void)close(ends[1]);
        processes[job].results = ends[0];
    }
}

static void end_jobs(void)
{
    for (uint64_t job = 0; job < jobs; job++) {
        (void)close(processes[job].results);
        (void)waitpid(processes[job].process, NULL, 0);
    }
}

static bool read_result(struct simulation_result *out, int from)
{
    size_t len = 0;
    while (len < sizeof *out) {
        ssize_t got = read(from, (char *)out + len, sizeof *out - len);
        if (got <= 0 && !(got < 0 && errno == EINTR)) {
            return false;
        }
        len += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static void take_result(void)
{
    struct simulation_result result;
    if (!read_result(&result, processes[(campaign.run - campaign.first) % jobs].results)) {
        campaign_violated(&campaign, "the program was aborted");
        return;
    }
    steps += result.steps;
    applications += result.applications;
    approved += result.approved;
    requests += result.requests;
    events += result.events;
    crashes += result.crashes;
    lies += result.lies;
    if (result.violation[0] != '\0') {
        campaign_violated(&campaign, "%s", result.violation);
    }
}

/* -- Options ------------------------------------------------------------------------------------------------- */

static const struct campaign_option options[] = {
    {"jobs", "J", "processes that share the runs", .number = &jobs, .min = 1, .max = JOBS_MAX},
    {"trace", NULL, "what happens, one line for each thing", .flag = &trace},
    {"twice", NULL, "each run a second time: it has to go the same way", .flag = &twice},
    {"no-faults", NULL, "nothing goes wrong but what people do", .flag = &no_faults},
    {"plant", "NAME", "puts a mistake into the product, which has to be found; ? lists them", .text = &plant},
    {"regress", "FILE", "the seeds of that file, and no others", .text = &regress},
};

static const struct campaign_count told[] = {
    {"steps", &steps},   {"applications", &applications}, {"approved", &approved}, {"requests", &requests},
    {"events", &events}, {"crashes", &crashes},           {"lies", &lies},
};

static const struct campaign_plan plan = {
    .name = "sim",
    .purpose = "the centre, its banks, the network, the disk and the clocks in one thread from one seed",
    .a_run = "a simulation of one to four applications",
    .runs = 1000,
    .examples = "  ./dev campaign sim --runs 100000 --jobs 2\n"
                "  ./dev campaign sim --seed 1 --first 4711 --runs 1 --trace\n"
                "  ./dev campaign sim --plant sequence-reused   has to fail\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .counts = told,
    .count_count = sizeof told / sizeof told[0],
};

/* A line is --seed, --first and a word on what they once found; "#" begins a comment. */
static bool read_seeds(void)
{
    char line[256];
    FILE *file = fopen(regress, "re");
    while (file != NULL && seed_count < REGRESS_MAX && fgets(line, sizeof line, file) != NULL) {
        struct campaign like;
        if (sscanf(line, "%" SCNu64 " %" SCNu64, &like.seed, &like.run) == 2) {
            seeds[seed_count++] = campaign_seed_of_run(&like);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    campaign.runs = campaign.runs < seed_count ? campaign.runs : seed_count;
    return seed_count > 0;
}

static bool list_defects(void)
{
    bool known = false;
    for (size_t i = 0; defect_at(i) != NULL; i++) {
        known = known || strcmp(defect_at(i)->name, plant) == 0;
    }
    for (size_t i = 0; defect_at(i) != NULL && !known; i++) {
        (void)printf("%-22s %s\n", defect_at(i)->name, defect_at(i)->what);
    }
    return known;
}

int main(int argc, char **argv)
{
    int result = EXIT_FAILURE;
    if (!campaign_begin(&campaign, &result, &plan, argc, argv)) {
        return result;
    }
    if ((plant != NULL && !list_defects()) || (regress != NULL && !read_seeds())) {
        return 2;
    }
    (void)fflush(stdout);
    start_jobs();
    while (campaign_next(&campaign)) {
        take_result();
    }
    end_jobs();
    return campaign_end(&campaign);
}
