/* process.h - coloand as a program of its own: started, waited for until it serves, ended in every way.
 *
 * Owner: whoever started it ends it; should the starter die, the kernel kills it. One thread (the starter's main one:
 * the kernel watches that). Fails: the program does not say that it serves. gRPC may be in use: nothing is forked,
 * only spawned. */
#ifndef COLOAN_TESTS_CRASH_PROCESS_H
#define COLOAN_TESTS_CRASH_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PROCESS_START_MS_MAX 20000 /* a sanitizer's build on a busy machine */

struct process {
    pid_t pid;  /* 0: none */
    int output; /* its standard output; -1: none */
    uint16_t port, metrics_port;
};

/* Starts it; does not wait. False when it cannot be started. */
bool process_spawn(struct process *out, const char *program, const char *config);

/* The same under other programs: the words before it on a command line, which end with NULL. */
#define PROCESS_WORDS_MAX 12
bool process_spawn_under(struct process *out, const char *const *before, const char *program, const char *config);

/* Waits for the line that says it serves, and reads the ports from it. False when it ends or stays silent. */
bool process_wait_serving(struct process *process);

/* Both; what does not come to serve is killed. */
bool process_start(struct process *out, const char *program, const char *config);

/* SIGKILL, and reaps it. Fine when it has ended or there is none. */
void process_kill(struct process *process);

/* How it ended. */
struct process_end {
    bool ended; /* in time; if not, it is still running */
    int status; /* of exit; -1: a signal ended it */
};

/* Waits; reaps it when it ended. */
struct process_end process_wait(struct process *process, int64_t wait_ms);

/* Runs the program with these arguments, NULL at their end, and waits for its end: its exit status; -1: a signal ended it,
 * or it could not be started. After kill_after_ms it is killed; negative: never. `said` gets what it wrote on both
 * outputs, cut to fit; NULL: nobody wants to know. */
int process_run(char *said, size_t said_size, const char *program, const char *const *arguments, int64_t kill_after_ms);

/* What /readyz answers now: 200, 503; 0: nothing. */
int process_readiness(const struct process *process);

/* Makes every write of the process past `bytes` of a file fail, as on a full disk; negative: no limit any more. */
bool process_limit_files(const struct process *process, int64_t bytes);

#endif
