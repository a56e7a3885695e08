/* syscall_campaign: a real coloand is killed at every system call by which it changes something, from its start to the
 * end of one whole joint approval: at the first one, then at the second, until an approval comes to its end. After each
 * kill it starts again, every few times to be killed once more while it recovers; then the bank sends everything again
 * and holds it to its word. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/crash/centre.h"
#include "tests/support/campaign.h"

enum {
    CALL_MS_MAX = 20000, /* of one approval, traced, on a busy machine */
    LOOK_EVERY_MS = 2,
    KILLED_AGAIN_ONE_IN = 4,
    RECOVERY_CALLS = 24, /* of a start with a log to take over */
    WHOLE_CHECK_ONE_IN = 64,
};

static struct centre_files files;
static struct bank *bank;
static struct campaign campaign;
static uint64_t step = 1;

static struct bank_counts counts;
static uint64_t kills, kills_before_serving, kills_again, call_last;

static const struct campaign_count told[] = {
    {"last_call", &call_last},
    {"kills", &kills},
    {"of_these_before_it_served", &kills_before_serving},
    {"killed_again", &kills_again},
    {"acknowledged", &counts.requests.acknowledged},
    {"done_before_the_kill", &counts.late_answers},
    {"repeated", &counts.requests.repeated},
    {"joint_decisions", &counts.joint_decisions},
};

static void look(void)
{
    counts = bank_counts(bank);
}

static bool spawn_to_be_killed(struct process *out, uint64_t call)
{
    char number[24];
    (void)snprintf(number, sizeof number, "%" PRIu64, call);
    const char *const under[] = {COLOAN_AT_SYSCALL, number, "kill", NULL};
    return process_spawn_under(out, under, files.program, world_config_path(&files.world));
}

static bool lives(void *user)
{
    return !process_wait(user, 0).ended;
}

/* One life up to the kill. False when an approval came to its end before it. */
static bool live(uint64_t call)
{
    struct process process;
    struct bank_watch watch = {lives, &process};
    uint64_t before = bank_counts(bank).joint_decisions;
    bool killed = false;
    bool served = spawn_to_be_killed(&process, call) && process_wait_serving(&process) &&
                  bank_connect_while(bank, process.port, BANK_BUSY, &watch);
    for (int waited_ms = 0; served && waited_ms < CALL_MS_MAX; waited_ms += LOOK_EVERY_MS) {
        killed = process_wait(&process, 0).ended;
        if (killed || bank_counts(bank).joint_decisions > before) {
            break;
        }
        (void)poll(NULL, 0, LOOK_EVERY_MS);
    }
    bool approved = bank_counts(bank).joint_decisions > before;
    process_kill(&process);
    bank_disconnect(bank);
    kills += !served || killed;
    kills_before_serving += !served;
    return !served || killed || !approved;
}

/* NULL, or what is wrong. */
static const char *recover(uint64_t *dice)
{
    struct process process;
    if (campaign.run % KILLED_AGAIN_ONE_IN == 0) {
        kills_again +=
            spawn_to_be_killed(&process, 1 + campaign_dice(dice, RECOVERY_CALLS)) && !process_wait_serving(&process);
        process_kill(&process);
    }
    if (campaign.run % WHOLE_CHECK_ONE_IN == 0) {
        return centre_verdict(bank, &files);
    }
    if (!centre_start(&process, &files)) {
        return "the centre does not start";
    }
    const char *wrong = bank_connect(bank, process.port, BANK_FINISH) ? NULL : "the centre does not answer";
    if (wrong == NULL) {
        bank_finish(bank, CENTRE_PATIENCE_MS);
        bank_check_answers(bank, CENTRE_PATIENCE_MS);
        bank_check_cases(bank);
        wrong = bank_violation(bank);
    }
    bank_disconnect(bank); /* first: in this mood nobody else may end the stream */
    process_kill(&process);
    return wrong;
}

static void run_all(void)
{
    const char *wrong = NULL;
    while (wrong == NULL && campaign_next(&campaign)) {
        uint64_t dice = campaign_seed_of_run(&campaign);
        call_last = 1 + (campaign.run - 1) * step;
        bool struck = live(call_last);
        wrong = bank_violation(bank) != NULL ? bank_violation(bank) : recover(&dice);
        if (!struck) {
            campaign_complete(&campaign);
            break;
        }
    }
    if (wrong == NULL) {
        wrong = centre_verdict(bank, &files);
    }
    if (wrong != NULL) {
        campaign_violated(&campaign, "%s", wrong);
    }
}

/* A start that made its files, so that the calls counted are those of every day. */
static bool make_files(void)
{
    struct process process;
    bool started = centre_start(&process, &files);
    process_kill(&process);
    return started;
}

static const struct campaign_option options[] = {
    {"step", "N", "only every n-th call", .number = &step, .min = 1, .max = 10000},
};

static const struct campaign_plan plan = {
    .name = "syscall",
    .purpose = "kills coloand at every system call of one joint approval that changes something",
    .a_run = "one more call, up to the last; it ends by itself after that",
    .runs = 100000,
    .examples = "  ./dev campaign syscall\n"
                "  ./dev campaign syscall --first 101 --runs 50     the calls 101 to 150\n"
                "  ./dev campaign syscall --step 40\n",
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
    struct centre_options centre = {.extra = "poll_threads: 1\n"};
    centre_open(&files, &centre);
    struct bank_options bank_options = {
        .world = &files.world, .seed = campaign.seed, .thread_count = 1, .plain = true, .open_cases_max = 1};
    bank = bank_create(&bank_options);
    if (make_files()) {
        run_all();
    } else {
        campaign_violated(&campaign, "the centre does not start");
    }
    result = campaign_end(&campaign);
    if (result == EXIT_SUCCESS) {
        centre_close(&files);
    } else {
        (void)printf("its files are kept in %s\n", files.world.files.folder);
    }
    bank_free(bank);
    return result;
}
