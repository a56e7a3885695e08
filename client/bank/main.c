/* coloan-bank: options, signals, start and stop. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/bank/bank.h"

enum { DONE = 0, FAILED = 1, USAGE = 2, LOOK_MS = 200 };

static void help(FILE *out)
{
    (void)fprintf(
        out,
        "usage: coloan-bank --config FILE [--log | --list-events]\n\n"
        "A small complete bank core: takes the centre's events, verifies its customers, decides its part\n"
        "of each offer, and books joint decisions, each exactly once. Stops on SIGTERM and SIGINT.\n\n"
        "  --config FILE   the configuration (YAML)\n"
        "  --log           one JSON line on standard output for each thing done\n"
        "  --list-events   prints sequence and digest of each event in the journal, from 1 up to the first that is\n"
        "                  not here, and ends; not while the bank runs. `coloan events reconcile -` reads it\n"
        "  --help          this\n\n"
        "  coloan-bank --config alpha-bank.yaml --log\n"
        "  coloan-bank --config alpha-bank.yaml --list-events | coloan events reconcile - --profile alpha.yaml\n\n"
        "exit status: 0 stopped as asked; 1 could not go on; 2 wrong command line or configuration\n\n"
        "the configuration's fields:\n");
    cl_setting_print_fields(out, bank_config_fields, bank_config_field_count);
    (void)fprintf(out, "\nthe profile's fields:\n");
    cl_setting_print_fields(out, client_profile_fields, CLIENT_PROFILE_FIELD_COUNT);
}

/* Waits for a signal that ends us, or for the bank to fail. */
static void wait_for_end(const sigset_t *signals, struct bank *bank)
{
    const struct timespec look = {.tv_nsec = LOOK_MS * 1000000L};
    while (!atomic_load(&bank->failed) && sigtimedwait(signals, NULL, &look) < 0) {
    }
}

static int list(const char *path)
{
    struct bank_config config;
    struct cl_setting_error error = {""};
    if (cl_failed(bank_config_load(&config, path, &error))) {
        (void)fprintf(stderr, "coloan-bank: %s\n  next: `coloan-bank --help` lists the fields\n", error.text);
        return USAGE;
    }
    struct cl_status status = bank_list_events(stdout, config.journal);
    if (cl_failed(status)) {
        (void)fprintf(stderr,
                      "coloan-bank: %s cannot be read (%s)\n  next: stop the bank first; the file has to be its own\n",
                      config.journal, cl_status_name(status));
    }
    bank_config_close(&config);
    return cl_is_ok(status) ? DONE : FAILED;
}

static int run(const char *path, bool log)
{
    struct bank_config config;
    static struct bank bank;
    struct cl_setting_error error = {""};
    sigset_t signals;
    if (cl_failed(bank_config_load(&config, path, &error))) {
        (void)fprintf(stderr, "coloan-bank: %s\n  next: `coloan-bank --help` lists the fields\n", error.text);
        return USAGE;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL); /* the threads that follow inherit it */
    if (cl_failed(bank_start(&bank, &config, log, &error))) {
        (void)fprintf(stderr, "coloan-bank: %s\n", error.text);
        bank_config_close(&config);
        return USAGE;
    }
    bank_say(&bank, &(struct bank_line){.what = "started", .sequence = bank_state_received(bank.state)});
    wait_for_end(&signals, &bank);
    bank_stop(&bank);
    bool failed = atomic_load(&bank.failed);
    bank_config_close(&config);
    return failed ? FAILED : DONE;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"log", no_argument, NULL, 'l'},
                                            {"list-events", no_argument, NULL, 'e'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    const char *path = NULL;
    bool log = false;
    bool events = false;
    for (int found = 0; (found = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (found) {
        case 'c':
            path = optarg;
            break;
        case 'l':
            log = true;
            break;
        case 'e':
            events = true;
            break;
        case 'h':
            help(stdout);
            return DONE;
        default:
            (void)fprintf(stderr, "  next: `coloan-bank --help` lists the options\n");
            return USAGE;
        }
    }
    if (path == NULL || optind != argc) {
        (void)fprintf(stderr, "coloan-bank: usage: coloan-bank --config FILE [--log]\n"
                              "  next: `coloan-bank --help` shows what the file holds\n");
        return USAGE;
    }
    return events ? list(path) : run(path, log);
}
