/* diskfull_campaign: the disk of a coloand under load fills up and is emptied again: below the floor, where it has to
 * refuse what is new with OVERLOADED and go on by itself within five seconds after there is room; or to the last byte,
 * where it may also end with status 4 and has to start again. Nothing acknowledged is lost.
 *
 * The disk is a tmpfs over /tmp that only this process and its children see, which takes root; without, it ends with
 * status 77. */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "server/store/store.h"
#include "tests/crash/centre.h"
#include "tests/support/campaign.h"

enum {
    STATUS_SKIPPED = 77,
    STATUS_STORE_FAILED = 4,
    BACK_MS_MAX = 5000,
    FULL_MS = 700, /* longer than the store looks at its disk when nobody sends */
    LOOK_EVERY_MS = 5,
    LAST_BYTE_ONE_IN = 3,
    FILL_TRIES_MAX = 100,
    MIB = 1024 * 1024,
    ROOM_MIB = 192, /* for everything, above the floor */
};

static const char BALLAST[] = "/tmp/ballast";

static struct centre_files files;
static struct bank *bank;
static struct process process;
static struct campaign campaign;

static bool planted;
static struct bank_counts counts;
static uint64_t below_floor, to_the_last_byte, ended, back_ms_max;

static const struct campaign_count told[] = {
    {"below_the_floor", &below_floor},
    {"to_the_last_byte", &to_the_last_byte},
    {"of_these_ended", &ended},
    {"back_ms_max", &back_ms_max},
    {"acknowledged", &counts.requests.acknowledged},
    {"repeated", &counts.requests.repeated},
    {"joint_decisions", &counts.joint_decisions},
};

static void look(void)
{
    counts = bank_counts(bank);
}

static int64_t now_ms(void)
{
    return cl_clock_monotonic_ms(cl_clock_system());
}

/* -- The disk ------------------------------------------------------------------------------------------------- */

/* NULL, or why it cannot be. */
static const char *make_small_disk(void)
{
    char size[64];
    (void)snprintf(size, sizeof size, "size=%" PRIu64, STORE_FREE_BYTES_DEFAULT + (uint64_t)ROOM_MIB * MIB);
    if (strncmp(COLOAN_COLOAND, "/tmp/", 5) == 0) {
        return "the program itself stands under /tmp";
    }
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", "/tmp", "tmpfs", 0, size) != 0) {
        return "a disk of its own takes root";
    }
    return NULL;
}

/* The centre writes meanwhile, so what is free is not known for long. */
static bool fill_disk(uint64_t leave_bytes)
{
    bool filled = false;
    off_t length = 0;
    int fd = open(BALLAST, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    for (int tries = 0; fd >= 0 && !filled && tries < FILL_TRIES_MAX; tries++) {
        struct statvfs disk;
        uint64_t free_bytes = fstatvfs(fd, &disk) == 0 ? (uint64_t)disk.f_bavail * disk.f_frsize : 0;
        if (free_bytes <= leave_bytes) {
            filled = true;
        } else if (fallocate(fd, 0, length, (off_t)(free_bytes - leave_bytes)) == 0) {
            length += (off_t)(free_bytes - leave_bytes);
        }
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return filled;
}

/* -- Runs ----------------------------------------------------------------------------------------------------- */

static bool start(void)
{
    if (!centre_start(&process, &files)) {
        campaign_violated(&campaign, "the centre does not start");
        return false;
    }
    if (!bank_connect(bank, process.port, BANK_BUSY)) {
        campaign_violated(&campaign, "the centre does not answer");
        return false;
    }
    return true;
}

/* Whether it lives; one that ended has done so as it has to. */
static bool lives(bool may_end)
{
    struct process_end end = process_wait(&process, 0);
    if (!end.ended) {
        return true;
    }
    ended++;
    if (!may_end || end.status != STATUS_STORE_FAILED) {
        campaign_violated(&campaign, "it ended with status %d", end.status);
    }
    return false;
}

/* With room again: it goes on by itself, or was ended and starts. */
static void come_back(bool may_end)
{
    int64_t begin_ms = now_ms();
    uint64_t before = bank_counts(bank).requests.acknowledged;
    while (bank_counts(bank).requests.acknowledged == before) {
        if (!lives(may_end)) {
            bank_disconnect(bank);
            (void)(campaign_is_violated(&campaign) || start());
            return;
        }
        if (now_ms() - begin_ms > BACK_MS_MAX) {
            break;
        }
        (void)poll(NULL, 0, LOOK_EVERY_MS);
    }
    uint64_t took_ms = (uint64_t)(now_ms() - begin_ms);
    back_ms_max = took_ms > back_ms_max ? took_ms : back_ms_max;
    if (took_ms > BACK_MS_MAX) {
        campaign_violated(&campaign, "it went on after %" PRIu64 " ms", took_ms);
    }
}

/* Below the floor nothing new is acknowledged once it has looked. */
static void check_refusal(void)
{
    uint64_t before = bank_counts(bank).requests.acknowledged;
    uint64_t again = bank_counts(bank).requests.repeated;
    (void)poll(NULL, 0, FULL_MS);
    struct bank_counts now = bank_counts(bank);
    if (now.requests.acknowledged + now.requests.repeated > before + again) {
        campaign_violated(&campaign, "%" PRIu64 " answers came below the floor",
                          now.requests.acknowledged + now.requests.repeated - before - again);
    }
}

static void run_one(void)
{
    uint64_t dice = campaign_seed_of_run(&campaign);
    bool last_byte = campaign_dice(&dice, LAST_BYTE_ONE_IN) == 0;
    uint64_t leave_bytes = last_byte ? 0 : STORE_FREE_BYTES_DEFAULT / 4 * (1 + campaign_dice(&dice, 3));
    (void)poll(NULL, 0, (int)(100 + campaign_dice(&dice, 500)));
    if (!fill_disk(leave_bytes)) {
        campaign_violated(&campaign, "the disk cannot be filled");
    }
    below_floor += !last_byte;
    to_the_last_byte += last_byte;
    (void)poll(NULL, 0, FULL_MS);
    if (!last_byte) {
        check_refusal();
    }
    if (!planted) {
        (void)unlink(BALLAST);
    }
    come_back(last_byte);
    if (bank_violation(bank) != NULL) {
        campaign_violated(&campaign, "%s", bank_violation(bank));
    }
}

static void run_all(void)
{
    bool started = start();
    while (started && campaign_next(&campaign)) {
        run_one();
    }
    bank_disconnect(bank);
    process_kill(&process);
    const char *wrong = campaign_is_violated(&campaign) ? NULL : centre_verdict(bank, &files);
    if (wrong != NULL) {
        campaign_violated(&campaign, "%s", wrong);
    }
}

static const struct campaign_option options[] = {
    {"plant", NULL, "leaves the disk full, so that it cannot come back, which has to be found", .flag = &planted},
};

static const struct campaign_plan plan = {
    .name = "diskfull",
    .purpose = "the disk fills up and is emptied again under load; it refuses, comes back by itself and loses nothing",
    .a_run = "a disk that was full; threads add chance of their own; takes root",
    .runs = 50,
    .group = UINT32_MAX,
    .examples = "  ./dev campaign diskfull --runs 200 --seed 7\n",
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
    const char *why = make_small_disk();
    if (why != NULL) {
        (void)printf("skipped: %s\n", why);
        return STATUS_SKIPPED;
    }
    struct centre_options centre = {.store = "log_round_pages: 256, log_restart_pages: 1024"};
    centre_open(&files, &centre);
    struct bank_options bank_options = {
        .world = &files.world, .seed = campaign.seed, .thread_count = 3, .open_cases_max = 100};
    bank = bank_create(&bank_options);
    run_all();
    result = campaign_end(&campaign);
    bank_free(bank);
    centre_close(&files);
    return result;
}
