#include "tests/server/gate/house.h"

#include <assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/refusal.h"

static int64_t unix_ms(void *user)
{
    struct house *house = user;
    const struct cl_clock *clock = cl_clock_system();
    return clock->unix_ms(clock->user) + atomic_load(&house->ahead_ms);
}

static int64_t monotonic_ms(void *user)
{
    (void)user;
    return cl_monotonic_us() / 1000;
}

static void who(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    (void)message;
    struct house *house = user;
    struct gate_peer peer;
    struct cl_status status = gate_peer(house->gate, cl_rpc_call_peer(call), &peer);
    if (cl_failed(status)) {
        cl_rpc_finish(call, status, cl_bytes(NULL, 0));
        return;
    }
    cl_rpc_reply(call, cl_bytes_text(peer.party));
}

static struct cl_status adopt(int fd, void *user)
{
    struct house *house = user;
    return cl_rpc_server_adopt(house->server, fd);
}

void house_write(const struct house *house, const char *name, const char *text)
{
    FILE *file = fopen(pki_files_path(house->files, name), "w");
    assert(file != NULL);
    (void)fputs(text, file);
    (void)fclose(file);
}

void house_prepare(struct house *house, const struct pki_files *files)
{
    static char paths[5][128];
    static const char *const names[] = {"server.pem", "server.key", "live-ca.pem", "live-crl.pem", "live-deny"};
    *house = (struct house){.files = files};
    pki_files_copy(files, "ca.pem", "live-ca.pem");
    pki_files_copy(files, "crl.pem", "live-crl.pem");
    house_write(house, "live-deny", "# nobody yet\n");
    for (size_t i = 0; i < 5; i++) {
        (void)snprintf(paths[i], sizeof paths[i], "%s", pki_files_path(files, names[i]));
    }
    house->clock = (struct cl_clock){.unix_ms = unix_ms, .monotonic_ms = monotonic_ms, .user = house};
    house->options = (struct gate_options){
        .address = "127.0.0.1:0",
        .files = {paths[0], paths[1], paths[2], paths[3], paths[4]},
        .adopt = adopt,
        .user = house,
        .clock = &house->clock,
        .limits = gate_limits_default(),
    };
}

void house_open(struct house *house)
{
    struct cl_rpc_method methods[ECHO_METHOD_COUNT + 1];
    memcpy(methods, echo_methods, sizeof echo_methods);
    methods[ECHO_METHOD_COUNT] = (struct cl_rpc_method){"/test.Gate/Who", CL_RPC_UNARY, who, house};
    struct cl_rpc_server_options options = echo_options();
    options.methods = methods;
    options.method_count = ECHO_METHOD_COUNT + 1;
    echo_reset();
    struct cl_status status = cl_rpc_server_create(&house->server, &options);
    assert(cl_is_ok(status));
    status = cl_rpc_server_start(house->server);
    assert(cl_is_ok(status));
    struct gate_fault fault = {.text = ""};
    status = gate_create(&house->gate, &house->options, &fault);
    if (cl_failed(status)) {
        (void)fprintf(stderr, "gate: %s %s\n", gate_file_path(&house->options.files, fault.file), fault.text);
    }
    assert(cl_is_ok(status));
    status = gate_start(house->gate);
    assert(cl_is_ok(status));
}

void house_close(struct house *house)
{
    gate_stop_accepting(house->gate, 1000);
    cl_rpc_server_stop(house->server, 0);
    gate_stop(house->gate, 3000);
    gate_free(house->gate);
    echo_release_held();
    cl_rpc_server_free(house->server);
}

struct cl_rpc_client *house_client(const struct house *house, const char *name)
{
    char certificate[64];
    char key[64];
    (void)snprintf(certificate, sizeof certificate, "%s.pem", name);
    (void)snprintf(key, sizeof key, "%s.key", name);
    struct pki pki = {
        .ca = pki_files_text(house->files, "ca.pem"),
        .client_cert = pki_files_text(house->files, certificate),
        .client_key = pki_files_text(house->files, key),
    };
    struct cl_rpc_client *client = echo_client(&pki, gate_port(house->gate));
    pki_free(&pki);
    return client;
}

struct cl_status house_ask(struct cl_rpc_client *client, char *party_out)
{
    struct cl_rpc_result result;
    struct cl_status status = cl_rpc_client_call(client, "/test.Gate/Who", cl_bytes("", 0), 5000, &result);
    if (cl_is_ok(status) && result.code != CL_GRPC_OK) {
        struct cl_refusal_read refusal = {.status = cl_ok()};
        status = cl_refusal_read(&refusal, cl_bytes(result.details.data, result.details.len));
        status = cl_is_ok(status) ? refusal.status : status;
    }
    if (cl_is_ok(status)) {
        assert(result.message.len <= CL_PARTY_BYTES_MAX);
        memcpy(party_out, result.message.data, result.message.len);
        party_out[result.message.len] = '\0';
    }
    cl_rpc_result_free(&result);
    return status;
}

struct tls_client *house_attacker(const struct house *house, const char *name)
{
    int alert = -1;
    struct tls_client *client = tls_client_open(
        &(struct tls_client_options){.port = gate_port(house->gate), .files = house->files, .name = name, .alpn = "h2"},
        &alert);
    assert(client != NULL);
    return client;
}

struct gate_counters house_counters(const struct house *house)
{
    struct gate_counters counters;
    gate_counters(house->gate, &counters);
    return counters;
}

int house_count_files(void)
{
    int count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert(folder != NULL);
    while (readdir(folder) != NULL) {
        count++;
    }
    (void)closedir(folder);
    return count - 3; /* ".", "..", and the folder itself */
}
