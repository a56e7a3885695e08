/* bench_gate - echo over mutual TLS through the gate against gRPC's own TLS.
 *
 *   bench_gate [MS]      of each run
 *
 * The server is a process of its own on core 0, the loader on core 1. Each handler asks for the caller's identity. With
 * 64 calls outstanding on 4 connections, and at 3,000 calls a second ("calm"). */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "libcoloan/rpc.h"
#include "server/gate/gate.h"
#include "tests/bench/process.h"
#include "tests/bench/row.h"
#include "tests/support/pki_files.h"

static const struct variant {
    const char *name;
    bool gate;
    unsigned gather_events;
} variants[] = {
    {"own-tls", false, 0}, {"gate", true, 0}, {"gate-gathers", true, 1}, /* coloand's default */
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

static struct child start(int core, char *const argv[])
{
    int in[2];
    int out[2];
    if (pipe(in) != 0 || pipe(out) != 0) {
        exit(1);
    }
    pid_t pid = fork();
    if (pid == 0) {
        process_pin(core);
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
    double server_us; /* of CPU for each call */
};

static struct result load(const struct child *serving, const char *folder, const char *port, char *ms, char *rate)
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
    double cpu_s = process_cpu_s(serving->pid);
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
    cpu_s = process_cpu_s(serving->pid) - cpu_s;
    result.server_us = cpu_s * 1e9 / (result.calls_per_s * atof(ms));
    return result;
}

static void print(const char *variant, const char *what, const char *unit, double value)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s.%s", variant, what);
    row_print(name, unit, value);
}

static void measure(const struct variant *variant, char *self, const char *folder, char *ms)
{
    char rate[] = "3000";
    char which[8];
    char port[16];
    char serving[] = "serve";
    char *folder_text = strdup(folder);
    (void)snprintf(which, sizeof which, "%zu", (size_t)(variant - variants));
    char *argv[] = {self, serving, which, folder_text, NULL};
    struct child child = start(0, argv);
    read_line(child.out, port, sizeof port);
    struct result full = load(&child, folder, port, ms, NULL);
    struct result calm = load(&child, folder, port, ms, rate);
    finish(&child);
    free(folder_text);
    print(variant->name, "rate", "calls/s", full.calls_per_s);
    print(variant->name, "p50", "us", full.p50_us);
    print(variant->name, "p99", "us", full.p99_us);
    print(variant->name, "server", "us/call", full.server_us);
    print(variant->name, "calm.p50", "us", calm.p50_us);
    print(variant->name, "calm.p99", "us", calm.p99_us);
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
    char ms[16];
    (void)snprintf(ms, sizeof ms, "%d", argc > 1 ? atoi(argv[1]) : 3000);
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    if (argc > 2 || len < 0 || pki_files_create(&files) != 0) {
        (void)fprintf(stderr, "usage: bench_gate [MS]\n");
        return 2;
    }
    self[len] = '\0';
    for (size_t i = 0; i < VARIANTS; i++) {
        measure(&variants[i], self, files.folder, ms);
    }
    pki_files_remove(&files);
    return 0;
}
