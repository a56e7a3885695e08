/* campaign.h - what every campaign has in common: a campaign breaks one thing again and again, and holds the program to
 * a promise meanwhile. Here are its options, its progress, its counts, its verdict, and the command that runs a
 * violation again.
 *
 * Every campaign knows --runs N, --seed S, --first N, --json and --help. Run number n makes its choices from seed and n
 * alone, so `--seed S --first n --runs 1` makes the same ones again, unless the campaign says otherwise in its help.
 * Exit status: 0 kept, 1 violated, 2 wrong usage.
 *
 * Owner: the caller, in place. One thread drives it; campaign_violated may be called by any. Fails: never; a campaign
 * that cannot work says so as a violation. */
#ifndef COLOAN_TESTS_CAMPAIGN_H
#define COLOAN_TESTS_CAMPAIGN_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAMPAIGN_VIOLATION_BYTES_MAX 512

/* One of a campaign's own options: exactly one of `number`, `text` and `flag` is set. */
struct campaign_option {
    const char *name;     /* without dashes */
    const char *argument; /* as the help calls it; NULL for a flag */
    const char *meaning;
    uint64_t *number; /* min .. max */
    uint64_t min, max;
    const char **text;
    bool *flag;
};

/* What is told at the end, and now and then before. */
struct campaign_count {
    const char *name; /* snake_case, for machines and people */
    const uint64_t *value;
};

struct campaign_plan {
    const char *name;       /* of `./dev campaign NAME` */
    const char *purpose;    /* one line */
    const char *a_run;      /* what one run is */
    uint64_t runs;          /* when none are asked for */
    uint64_t group;         /* runs that go on from one another, the first of them from nothing; 0: each stands alone */
    const char *runs_alias; /* another name of --runs; NULL: none */
    const char *examples;   /* lines of the help; each ends with a line feed */
    const struct campaign_option *options;
    size_t option_count;
    const struct campaign_count *counts;
    size_t count_count;
    void (*look)(void); /* brings the counts up to date; NULL: they are */
};

struct campaign {
    const struct campaign_plan *plan;
    uint64_t runs, seed, first;
    uint64_t run; /* under way; from 1 */
    bool json;
    int argc;
    char **argv;
    int64_t started_ms, told_ms;
    pthread_mutex_t mutex; /* guards the violation */
    char violation[CAMPAIGN_VIOLATION_BYTES_MAX];
};

/* Reads the command line. False when the program is to end with `*exit_out`: after --help, or on wrong usage. */
bool campaign_begin(struct campaign *out, int *exit_out, const struct campaign_plan *plan, int argc, char **argv);

/* Goes on to the next run. False when all have run or something was violated. */
bool campaign_next(struct campaign *campaign);

/* Ends a campaign that has no next run before all that were asked for: it went through everything there is. */
void campaign_complete(struct campaign *campaign);

/* The first one counts; what follows is mostly its consequence. */
__attribute__((format(printf, 2, 3))) void campaign_violated(struct campaign *campaign, const char *format, ...);
bool campaign_is_violated(struct campaign *campaign);

/* Tells the verdict, how to run a violation again, and the counts; the exit status. */
int campaign_end(struct campaign *campaign);

/* Where the choices of the run under way come from. */
uint64_t campaign_seed_of_run(const struct campaign *campaign);

/* The next of a row of numbers, 0 .. sides - 1 (splitmix64). */
uint64_t campaign_dice(uint64_t *state, uint64_t sides);

#endif
