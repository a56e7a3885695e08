/* pause_campaign: coloand, or the bank, or both at once, are stopped with SIGSTOP in the middle of the load for 0.1 to 60
 * seconds and go on as if nothing had been: deadlines have passed, streams have ended, clocks have moved. The bank holds
 * the centre to every word it gave. */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/crash/centre.h"
#include "tests/support/campaign.h"

enum { PAUSE_MS_MIN = 100, LOAD_MS_MIN = 50, LOAD_MS_MAX = 1000 };

enum who { CENTRE, BANK, BOTH, WHO_COUNT };

static struct centre_files files;
static struct bank *bank;
static struct campaign campaign;
static uint64_t pause_ms_max = 60000;

static struct bank_counts counts;
static uint64_t pauses[WHO_COUNT], paused_ms;

static const struct campaign_count told[] = {
    {"of_the_centre", &pauses[CENTRE]},
    {"of_the_bank", &pauses[BANK]},
    {"of_both", &pauses[BOTH]},
    {"paused_ms", &paused_ms},
    {"applications", &counts.applications},
    {"acknowledged", &counts.requests.acknowledged},
    {"sent_again", &counts.requests.sent_again},
    {"repeated", &counts.requests.repeated},
    {"events", &counts.events},
    {"events_again", &counts.events_again},
    {"joint_decisions", &counts.joint_decisions},
};

static void look(void)
{
    counts = bank_counts(bank);
}

extern char **environ;

/* Somebody else has to wake a process that is stopped, above all this one. True when it went on again. */
static bool pause_from_outside(pid_t first, pid_t second, uint64_t ms)
{
    char script[256];
    char shell[] = "sh";
    char option[] = "-c";
    char *const arguments[] = {shell, option, script, NULL};
    pid_t pid = 0;
    int state = 0;
    (void)snprintf(script, sizeof script, "kill -STOP %d %d; sleep %u.%03u; kill -CONT %d %d", (int)first, (int)second,
                   (unsigned)(ms / 1000), (unsigned)(ms % 1000), (int)first, (int)second);
    return posix_spawnp(&pid, shell, NULL, NULL, arguments, environ) == 0 && waitpid(pid, &state, 0) == pid &&
           WIFEXITED(state) && WEXITSTATUS(state) == 0;
}

/* Short pauses are as likely as long ones: every doubling is. */
static uint64_t pause_ms(uint64_t *dice)
{
    uint64_t ms = PAUSE_MS_MIN;
    while (2 * ms <= pause_ms_max && campaign_dice(dice, 4) != 0) {
        ms *= 2;
    }
    return ms + campaign_dice(dice, ms < pause_ms_max - ms ? ms : pause_ms_max - ms + 1);
}

static const char *run_pause(const struct process *process)
{
    uint64_t dice = campaign_seed_of_run(&campaign);
    enum who who = (enum who)campaign_dice(&dice, WHO_COUNT);
    uint64_t ms = pause_ms(&dice);
    pid_t first = who == BANK ? getpid() : process->pid;
    pid_t second = who == CENTRE ? process->pid : getpid();
    (void)poll(NULL, 0, (int)(LOAD_MS_MIN + campaign_dice(&dice, LOAD_MS_MAX - LOAD_MS_MIN)));
    if (!pause_from_outside(first, second, ms)) {
        return "nobody can be paused";
    }
    pauses[who]++;
    paused_ms += ms;
    return bank_violation(bank);
}

static const char *run_all(void)
{
    struct process process;
    const char *wrong = NULL;
    if (!centre_start(&process, &files)) {
        return "the centre does not start";
    }
    if (!bank_connect(bank, process.port, BANK_BUSY)) {
        wrong = "the centre does not answer";
    }
    while (wrong == NULL && campaign_next(&campaign)) {
        wrong = run_pause(&process);
    }
    uint64_t before = bank_counts(bank).requests.acknowledged;
    (void)poll(NULL, 0, LOAD_MS_MAX);
    if (wrong == NULL && (process_wait(&process, 0).ended || bank_counts(bank).requests.acknowledged == before)) {
        wrong = "it does not go on after the pauses";
    }
    bank_disconnect(bank);
    process_kill(&process);
    return wrong == NULL ? centre_verdict(bank, &files) : wrong;
}

static const struct campaign_option options[] = {
    {"pause-ms", "N", "the longest pause", .number = &pause_ms_max, .min = PAUSE_MS_MIN, .max = 600000},
};

static const struct campaign_plan plan = {
    .name = "pause",
    .purpose = "coloand and a bank are stopped and go on in the middle of the load; nothing may be lost or doubled",
    .a_run = "a pause; threads add chance of their own",
    .runs = 100,
    .group = UINT32_MAX,
    .examples = "  ./dev campaign pause --runs 500 --seed 7\n"
                "  ./dev campaign pause --runs 50 --pause-ms 2000\n",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .counts = told,
    .count_count = sizeof told / sizeof told[0],
    .look = look,
};

int main(int argc, char **argv)
{
    int result = EXIT_FAILURE;
    if (!campaign_begin(&campaign, &result, &plan, argc, argv)) {
        return result;
    }
    struct centre_options centre = {.store = "log_round_pages: 256, log_restart_pages: 1024"};
    centre_open(&files, &centre);
    struct bank_options bank_options = {
        .world = &files.world, .seed = campaign.seed, .thread_count = 4, .open_cases_max = 200};
    bank = bank_create(&bank_options);
    const char *wrong = run_all();
    if (wrong != NULL) {
        campaign_violated(&campaign, "%s", wrong);
    }
    result = campaign_end(&campaign);
    bank_free(bank);
    centre_close(&files);
    return result;
}
