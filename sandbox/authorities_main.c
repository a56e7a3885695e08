/* coloan-authorities - the simulated verification authorities as one process. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "sandbox/authorities.h"

enum { DELAY_MS_MAX = 60 * 1000, THREADS_MAX = 64 };

static const char help[] =
    "usage: coloan-authorities --personas FILE [--port N] [--delay-ms N] [--threads N]\n"
    "\n"
    "Plays all verification authorities on http://127.0.0.1:<port>: POST /v1/identity, /v1/marriage, ... (the wire "
    "format\n"
    "stands atop server/source/items.c). Personas answer as their file says; everybody else of ID area 99, as the odds "
    "in\n"
    "sandbox/people.h have it. Prints its port on one line when it is ready; SIGTERM or SIGINT ends it.\n"
    "\n"
    "  --personas FILE  the test personas, e.g. sandbox/personas.yaml\n"
    "  --port N         0 (the default): any free port\n"
    "  --delay-ms N     let every answer take this long; 0..60000\n"
    "  --threads N      1..64; 2\n"
    "\n"
    "examples:\n"
    "  coloan-authorities --personas sandbox/personas.yaml --port 8480\n"
    "  coloan-authorities --personas sandbox/personas.yaml --delay-ms 300 > port.txt\n";

struct arguments {
    const char *personas;
    struct authorities_options server;
};

static bool read_number(long *out, const char *name, const char *text, long min, long max)
{
    char *end = NULL;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < min || number > max) {
        (void)fprintf(stderr, "coloan-authorities: --%s: expected a number from %ld to %ld\n", name, min, max);
        return false;
    }
    *out = number;
    return true;
}

/* Returns the exit code to leave with, or -1 to go on. */
static int read_arguments(struct arguments *out, int argc, char **argv)
{
    static const struct option options[] = {
        {"personas", required_argument, NULL, 'f'}, {"port", required_argument, NULL, 'p'},
        {"delay-ms", required_argument, NULL, 'd'}, {"threads", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},           {NULL, 0, NULL, 0},
    };
    long number = 0;
    for (int option = getopt_long(argc, argv, "", options, NULL); option != -1;
         option = getopt_long(argc, argv, "", options, NULL)) {
        if (option == 'h') {
            (void)fputs(help, stdout);
            return 0;
        }
        if (option == 'f') {
            out->personas = optarg;
        } else if (option == 'p' && read_number(&number, "port", optarg, 0, 65535)) {
            out->server.port = (uint16_t)number;
        } else if (option == 'd' && read_number(&number, "delay-ms", optarg, 0, DELAY_MS_MAX)) {
            out->server.delay_ms = number;
        } else if (option == 't' && read_number(&number, "threads", optarg, 1, THREADS_MAX)) {
            out->server.threads = (unsigned)number;
        } else {
            return 2;
        }
    }
    if (out->personas == NULL || optind != argc) {
        (void)fputs("coloan-authorities: --personas FILE is needed; see --help\n", stderr);
        return 2;
    }
    return -1;
}

static int serve(const struct people *people, const struct arguments *arguments, const sigset_t *ends)
{
    struct authorities *authorities = NULL;
    int signal_number = 0;
    struct cl_status status = authorities_start(&authorities, people, &arguments->server);
    if (cl_failed(status)) {
        (void)fprintf(stderr, "coloan-authorities: cannot listen on port %u; choose another with --port\n",
                      arguments->server.port);
        return 1;
    }
    (void)printf("%u\n", authorities_port(authorities));
    (void)fflush(stdout);
    (void)sigwait(ends, &signal_number);
    authorities_stop(authorities);
    return 0;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.personas = NULL};
    struct people *people = NULL;
    struct sandbox_problem problem;
    sigset_t ends;
    int code = read_arguments(&arguments, argc, argv);
    if (code >= 0) {
        return code;
    }
    (void)sigemptyset(&ends);
    (void)sigaddset(&ends, SIGTERM);
    (void)sigaddset(&ends, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &ends, NULL); /* before any thread starts, so that all inherit it */
    if (cl_failed(people_load(&people, arguments.personas, &problem))) {
        (void)fprintf(stderr, "coloan-authorities: %s\n", problem.text);
        return 2;
    }
    code = serve(people, &arguments, &ends);
    people_free(people);
    return code;
}
