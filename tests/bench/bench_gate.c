/* bench_gate - echo over mutual TLS through the gate against gRPC's own TLS, in one sitting.
 *
 *   bench_gate [rounds] [ms of each run]
 *
 * The server is a process of its own on core 0, the loader on core 1; the variants take turns, so that what the machine
 * does beside hits all alike. Each handler asks for the caller's identity. Prints medians and the ratio to gRPC's own
 * TLS: with 64 calls outstanding on 4 connections, and at 3,000 calls a second. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libcoloan/rpc.h"
#include "server/gate/gate.h"
#include "tests/support/pki_files.h"

enum { ROUNDS_MAX = 99, LOADS = 2 };

static const struct variant {
    const char *name;
    bool gate;
    unsigned gather_events;
} variants[] = {
    {"gRPC's own TLS", false, 0},      {"gate", true, 0},
    {"gate, gathers from 1", true, 1}, {"gate, gathers from 2", true, 2},
    {"gate, gathers from 4", true, 4},
};
enum { VARIANTS = sizeof variants / sizeof variants[0] };

/* -- Server --------------------------------------------------------------------------------------------------- */

static struct gate *gate;
static struct cl_rpc_server *server;

static void echo(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    (void)user;
    struct gate_peer peer;
    char uri[128];
    struct cl_status status = gate != NULL ? gate_peer(gate, cl_rpc_call_peer(call), &peer)
                                           : cl_rpc_call_certificate_uri(uri, sizeof uri, call);
    if (cl_failed(status)) {
        cl_rpc_finish(call, status, cl_bytes(NULL, 0));
        return;
    }
    cl_rpc_reply(call, message);
}

static struct cl_status adopt(int fd, void *user)
{
    (void)user;
    return cl_rpc_server_adopt(server, fd);
}

static void check(struct cl_status status)
{
    if (cl_failed(status)) {
        (void)fprintf(stderr, "bench_gate: %s\n", cl_status_name(status));
        exit(1);
    }
}

static uint16_t open_tls(const struct pki_files *files)
{
    uint16_t port = 0;
    char *ca = pki_files_text(files, "ca.pem");
    char *certificate = pki_files_text(files, "server.pem");
    char *key = pki_files_text(files, "server.key");
    check(cl_rpc_server_listen_tls(
        server,
        &(struct cl_rpc_listen){.address = "127.0.0.1:0", .ca_pem = ca, .cert_pem = certificate, .key_pem = key},
        &port));
    check(cl_rpc_server_start(server));
    free(ca);
    free(certificate);
    free(key);
    return port;
}

static uint16_t open_gate(const struct pki_files *files, unsigned gather_events)
{
    struct gate_fault fault;
    struct gate_options options = {
        .address = "127.0.0.1:0",
        .files = {.certificate_path = pki_files_path(files, "server.pem"),
                  .key_path = pki_files_path(files, "server.key"),
                  .ca_path = pki_files_path(files, "ca.pem"),
                  .crl_path = pki_files_path(files, "crl.pem")},
        .adopt = adopt,
        .limits = gate_limits_default(),
        .gather_events = gather_events,
    };
    check(cl_rpc_server_start(server));
    check(gate_create(&gate, &options, &fault));
    check(gate_start(gate));
    return gate_port(gate);
}

/* Says its port and serves until its input ends. */
static int serve(const struct variant *variant, const char *folder)
{
    struct pki_files files;
    char byte;
    const struct cl_rpc_method methods[] = {{"/test.Echo/Unary", CL_RPC_UNARY, echo, NULL}};
    (void)snprintf(files.folder, sizeof files.folder, "%s", folder);
    check(cl_rpc_server_create(
        &server,
        &(struct cl_rpc_server_options){
            .methods = methods, .method_count = 1, .poll_thread_count = 1, .accept_count = 128, .send_queue_max = 16}));
    uint16_t port = variant->gate ? open_gate(&files, variant->gather_events) : open_tls(&files);
    (void)printf("%u\n", port);
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
    if (gate != NULL) {
        gate_stop_accepting(gate, 0);
    }
    cl_rpc_server_stop(server, 0);
    gate_free(gate);
    cl_rpc_server_free(server);
    return 0;
}

/* -- Runs ----------------------------------------------------------------------------------------------------- */

struct child {
    pid_t pid;
    int in, out;
};

static void pin(int core)
{
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET((size_t)core, &cores);
    (void)sched_setaffinity(0, sizeof cores, &cores);
}

static struct child start(int core, char *const argv[])
{
    int in[2];
    int out[2];
    if (pipe(in) != 0 || pipe(out) != 0) {
        exit(1);
    }
    pid_t pid = fork();
    if (pid == 0) {
        pin(core);
        (void)dup2(in[0], STDIN_FILENO);
        (void)dup2(out[1], STDOUT_FILENO);
        (void)close(in[0]);
        (void)close(in[1]);
        (void)close(out[0]);
        (void)close(out[1]);
        (void)execv(argv[0], argv);
        _exit(127);
    }
    (void)close(in[0]);
    (void)close(out[1]);
    return (struct child){.pid = pid, .in = in[1], .out = out[0]};
}

static void read_line(int fd, char *out, size_t room)
{
    size_t len = 0;
    while (len < room - 1 && read(fd, out + len, 1) == 1 && out[len] != '\n') {
        len++;
    }
    out[len] = '\0';
}

static void finish(struct child *child)
{
    int status = 0;
    (void)close(child->in);
    (void)waitpid(child->pid, &status, 0);
    (void)close(child->out);
    if (status != 0) {
        (void)fprintf(stderr, "bench_gate: a child failed\n");
        exit(1);
    }
}

struct result {
    double calls_per_s;
    unsigned p50_us, p99_us;
};

static struct result load(const char *folder, const char *port, char *ms, char *rate)
{
    char line[128];
    unsigned long long failed = 0;
    struct result result = {0};
    char program[] = COLOAN_LOADER;
    char four[] = "4";
    char sixteen[] = "16";
    char *folder_text = strdup(folder);
    char *port_text = strdup(port);
    char *argv[] = {program, port_text, folder_text, four, sixteen, ms, rate, NULL};
    struct child child = start(1, argv);
    read_line(child.out, line, sizeof line);
    finish(&child);
    free(folder_text);
    free(port_text);
    if (sscanf(line, "%lf %u %u %llu", &result.calls_per_s, &result.p50_us, &result.p99_us, &failed) != 4 ||
        (failed != 0 && rate == NULL)) {
        (void)fprintf(stderr, "bench_gate: loader said '%s'\n", line);
        exit(1);
    }
    return result;
}

static int compare_results(const void *a, const void *b)
{
    double left = ((const struct result *)a)->calls_per_s;
    double right = ((const struct result *)b)->calls_per_s;
    return left < right ? -1 : left > right;
}

static int compare_p50(const void *a, const void *b)
{
    unsigned left = ((const struct result *)a)->p50_us;
    unsigned right = ((const struct result *)b)->p50_us;
    return left < right ? -1 : left > right;
}

static struct result results[LOADS][VARIANTS][ROUNDS_MAX];

static void run_round(char *self, const char *folder, int round, char *ms)
{
    char rate[] = "3000";
    for (size_t v = 0; v < VARIANTS; v++) {
        char which[8];
        char port[16];
        char serving[] = "serve";
        (void)snprintf(which, sizeof which, "%zu", v);
        char *folder_text = strdup(folder);
        char *argv[] = {self, serving, which, folder_text, NULL};
        struct child child = start(0, argv);
        read_line(child.out, port, sizeof port);
        results[0][v][round] = load(folder, port, ms, NULL);
        results[1][v][round] = load(folder, port, ms, rate);
        finish(&child);
        free(folder_text);
    }
}

static void print(int rounds)
{
    double base = 0;
    (void)printf("%-24s %10s %7s %8s %8s   %10s %8s\n", "64 outstanding", "calls/s", "ratio", "p50 us", "p99 us",
                 "3000/s: p50", "p99 us");
    for (size_t v = 0; v < VARIANTS; v++) {
        qsort(results[0][v], (size_t)rounds, sizeof results[0][v][0], compare_results);
        qsort(results[1][v], (size_t)rounds, sizeof results[1][v][0], compare_p50);
        const struct result *full = &results[0][v][rounds / 2];
        const struct result *calm = &results[1][v][rounds / 2];
        base = v == 0 ? full->calls_per_s : base;
        (void)printf("%-24s %10.0f %7.2f %8u %8u   %10u %8u\n", variants[v].name, full->calls_per_s,
                     full->calls_per_s / base, full->p50_us, full->p99_us, calm->p50_us, calm->p99_us);
    }
}

int main(int argc, char **argv)
{
    struct pki_files files;
    char self[4096];
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc == 4 && strcmp(argv[1], "serve") == 0) {
        size_t which = (size_t)atoi(argv[2]);
        return which < VARIANTS ? serve(&variants[which], argv[3]) : 2;
    }
    int rounds = argc > 1 ? atoi(argv[1]) : 5;
    char ms[16];
    (void)snprintf(ms, sizeof ms, "%d", argc > 2 ? atoi(argv[2]) : 3000);
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (rounds < 1 || rounds > ROUNDS_MAX || len < 0 || pki_files_create(&files) != 0) {
        (void)fprintf(stderr, "usage: bench_gate [rounds] [ms]\n");
        return 2;
    }
    self[len] = '\0';
    for (int round = 0; round < rounds; round++) {
        run_round(self, files.folder, round, ms);
    }
    print(rounds);
    pki_files_remove(&files);
    return 0;
}
