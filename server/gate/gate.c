/* The gate's life, and what may be asked of it from outside. The work is in accept.c and pump.c.
 *
 * File numbers. Half of the process's are for the ends that are handed on, the keys of peers.h; the other half for
 * everything else. A connection takes two of the lower half (its TCP socket and our end of the pair) and one key. So a
 * quarter of all, less what the rest of the program needs, is what connections_max can be. */
#include "server/gate/gate.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "server/gate/accept.h"
#include "server/gate/pump.h"
#include "server/gate/room.h"
#include "server/gate/tls.h"

enum {
    FILES_RESERVED = 64,    /* for the rest of the program: store, logs, sources */
    CONNECTIONS_MIN = 8,    /* with less there is no service */
    KEYS_MAX = 1024 * 1024, /* an unlimited process needs no larger table */
};

struct gate {
    struct room room;
    struct pump *pump;
    struct acceptor *acceptor;
    pthread_mutex_t reload_mutex; /* one reload at a time; held while files are read, and by reload alone */
    bool accept_stopped, stopped;
};

/* -- Names ---------------------------------------------------------------------------------------------------- */

const char *gate_file_path(const struct gate_files *files, enum gate_file file)
{
    switch (file) {
    case GATE_FILE_CERTIFICATE:
        return files->certificate_path;
    case GATE_FILE_KEY:
        return files->key_path;
    case GATE_FILE_CA:
        return files->ca_path;
    case GATE_FILE_INTERMEDIATES:
        return files->intermediates_path;
    case GATE_FILE_CRL:
        return files->crl_path;
    case GATE_FILE_DENY:
        return files->deny_path;
    case GATE_FILE_NONE:
        break;
    }
    return "";
}

const char *gate_handshake_failure_name(enum gate_handshake_failure failure)
{
    static const char *const names[] = {
#define GATE_NAME(name, text) text,
        GATE_HANDSHAKE_FAILURES(GATE_NAME)
#undef GATE_NAME
    };
    assert((unsigned)failure < GATE_HANDSHAKE_FAILURE_COUNT);
    return names[failure];
}

const char *gate_cut_name(enum gate_cut cut)
{
    static const char *const names[] = {
#define GATE_NAME(name, text) text,
        GATE_CUTS(GATE_NAME)
#undef GATE_NAME
    };
    assert((unsigned)cut < GATE_CUT_COUNT);
    return names[cut];
}

struct gate_limits gate_limits_default(void)
{
    return (struct gate_limits){
        .connections_max = 2000,
        .connections_per_party_max = CL_CONNECTIONS_PER_PARTY_MAX,
        .handshakes_max = 256, /* half a second of one core's work */
        .handshakes_per_source_max = 50,
        .handshake_ms_max = 5000,
        .idle_ms_max = 5 * 60 * 1000,
        .age_ms_max = 75 * 60 * 1000, /* gRPC says GOAWAY after an hour, give or take a tenth, and then waits */
        .unread_ms_max = 60 * 1000,
        .frames = frames_limits_default(),
    };
}

/* -- Creation ------------------------------------------------------------------------------------------------- */

struct trust *room_trust(struct room *room)
{
    (void)pthread_mutex_lock(&room->trust_mutex);
    struct trust *trust = trust_ref(room->trust);
    (void)pthread_mutex_unlock(&room->trust_mutex);
    return trust;
}

static struct cl_status load_trust(struct trust **out, const struct gate_options *options, struct gate_fault *fault_out)
{
    struct cl_status status = trust_load(out, &options->files, cl_clock_unix_ms(options->clock), fault_out);
    if (cl_is_ok(status)) {
        tls_prepare(*out);
    }
    return status;
}

static struct cl_status size_room(struct gate *gate, int *key_first_out, int *key_limit_out)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return cl_fail(CL_SYSTEM);
    }
    rlim_t limit = files.rlim_cur < KEYS_MAX ? files.rlim_cur : KEYS_MAX;
    rlim_t lower = limit / 2;
    rlim_t carried = lower > FILES_RESERVED ? (lower - FILES_RESERVED) / 2 : 0;
    struct gate_limits *limits = &gate->room.options.limits;
    if (limits->connections_max > carried) {
        limits->connections_max = (unsigned)carried;
    }
    if (limits->connections_max < CONNECTIONS_MIN || limits->connections_per_party_max == 0 ||
        limits->handshakes_max == 0 || limits->handshakes_per_source_max == 0) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    *key_first_out = (int)lower;
    *key_limit_out = (int)limit;
    return cl_ok();
}

static struct cl_status open_room(struct gate *gate, struct gate_fault *fault_out)
{
    struct room *room = &gate->room;
    int key_first = 0;
    int key_limit = 0;
    *fault_out = (struct gate_fault){.file = GATE_FILE_NONE, .text = "too few file numbers, or a limit of zero"};
    struct cl_status status = size_room(gate, &key_first, &key_limit);
    if (cl_failed(status)) {
        return status;
    }
    status = load_trust(&room->trust, &room->options, fault_out);
    if (cl_failed(status)) {
        return status;
    }
    *fault_out = (struct gate_fault){.file = GATE_FILE_NONE, .text = "the address cannot be listened on"};
    status = peers_create(&room->peers, (size_t)key_limit, room->options.limits.connections_per_party_max);
    status = cl_failed(status) ? status : pump_create(&gate->pump, room);
    status = cl_failed(status) ? status : acceptor_create(&gate->acceptor, room, gate->pump, key_first, key_limit);
    return status;
}

struct cl_status gate_create(struct gate **out, const struct gate_options *options, struct gate_fault *fault_out)
{
    assert(options->adopt != NULL);
    struct gate *gate = calloc(1, sizeof *gate);
    if (gate == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    gate->room.options = *options;
    if (gate->room.options.clock == NULL) {
        gate->room.options.clock = cl_clock_system();
    }
    (void)pthread_mutex_init(&gate->room.trust_mutex, NULL);
    (void)pthread_mutex_init(&gate->reload_mutex, NULL);
    struct gate_fault fault;
    struct cl_status status = open_room(gate, &fault);
    if (cl_failed(status)) {
        *fault_out = fault;
        gate_free(gate);
        return status;
    }
    *out = gate;
    return cl_ok();
}

void gate_free(struct gate *gate)
{
    if (gate == NULL) {
        return;
    }
    gate_stop(gate, 0);
    acceptor_free(gate->acceptor);
    pump_free(gate->pump);
    peers_free(gate->room.peers);
    trust_unref(gate->room.trust);
    (void)pthread_mutex_destroy(&gate->reload_mutex);
    (void)pthread_mutex_destroy(&gate->room.trust_mutex);
    free(gate);
}

struct cl_status gate_check_files(const struct gate_files *files, const struct cl_clock *clock,
                                  struct gate_fault *fault_out)
{
    struct trust *trust = NULL;
    struct cl_status status = trust_load(&trust, files, cl_clock_unix_ms(clock), fault_out);
    trust_unref(trust);
    return status;
}

uint16_t gate_port(const struct gate *gate)
{
    return acceptor_port(gate->acceptor);
}

struct cl_status gate_start(struct gate *gate)
{
    struct cl_status status = pump_start(gate->pump);
    return cl_failed(status) ? status : acceptor_start(gate->acceptor);
}

void gate_stop_accepting(struct gate *gate, int64_t grace_ms)
{
    if (!gate->accept_stopped && gate->acceptor != NULL) {
        acceptor_stop(gate->acceptor, grace_ms);
    }
    gate->accept_stopped = true;
}

void gate_stop(struct gate *gate, int64_t grace_ms)
{
    gate_stop_accepting(gate, 0);
    if (!gate->stopped && gate->pump != NULL) {
        pump_stop(gate->pump, grace_ms);
    }
    gate->stopped = true;
}

/* -- Asking --------------------------------------------------------------------------------------------------- */

/* "fd:10001"; -1 when it is not that. */
static int read_key(const char *rpc_peer)
{
    static const char prefix[] = "fd:";
    if (strncmp(rpc_peer, prefix, sizeof prefix - 1) != 0) {
        return -1;
    }
    int key = 0;
    const char *at = rpc_peer + sizeof prefix - 1;
    for (; *at >= '0' && *at <= '9' && key < KEYS_MAX; at++) {
        key = key * 10 + (*at - '0');
    }
    return *at == '\0' && at != rpc_peer + sizeof prefix - 1 ? key : -1;
}

struct cl_status gate_peer(struct gate *gate, const char *rpc_peer, struct gate_peer *out)
{
    return peers_find(gate->room.peers, out, read_key(rpc_peer), cl_clock_unix_ms(gate->room.options.clock));
}

/* -- While it runs -------------------------------------------------------------------------------------------- */

struct cl_status gate_reload(struct gate *gate, struct gate_fault *fault_out)
{
    struct room *room = &gate->room;
    struct trust *trust = NULL;
    struct gate_fault fault = {.file = GATE_FILE_NONE, .text = "no memory"};
    (void)pthread_mutex_lock(&gate->reload_mutex);
    struct cl_status status = load_trust(&trust, &room->options, &fault);
    if (cl_failed(status)) {
        (void)pthread_mutex_unlock(&gate->reload_mutex);
        *fault_out = fault;
        return status;
    }
    (void)pthread_mutex_lock(&room->trust_mutex);
    struct trust *before = room->trust;
    room->trust = trust;
    (void)pthread_mutex_unlock(&room->trust_mutex);
    trust_unref(before);
    (void)peers_withdraw(room->peers, trust, room_now_ms(room));
    (void)pthread_mutex_unlock(&gate->reload_mutex);
    pump_look(gate->pump);
    return cl_ok();
}

unsigned gate_disconnect_party(struct gate *gate, const char *party)
{
    unsigned count = peers_disconnect(gate->room.peers, party, room_now_ms(&gate->room));
    pump_look(gate->pump);
    return count;
}

void gate_counters(struct gate *gate, struct gate_counters *out)
{
    struct room_counters *from = &gate->room.counters;
    *out = (struct gate_counters){
        .accepted = atomic_load(&from->accepted),
        .refused_full = atomic_load(&from->refused_full),
        .refused_source = atomic_load(&from->refused_source),
        .refused_files = atomic_load(&from->refused_files),
        .handshakes = atomic_load(&from->handshakes),
        .bytes_in = atomic_load(&from->bytes_in),
        .bytes_out = atomic_load(&from->bytes_out),
        .handshakes_now = atomic_load(&from->handshakes_now),
        .connections_now = atomic_load(&from->connections_now),
        .connections_max = gate->room.options.limits.connections_max,
    };
    for (unsigned i = 0; i < GATE_HANDSHAKE_FAILURE_COUNT; i++) {
        out->handshake_failures[i] = atomic_load(&from->handshake_failures[i]);
    }
    for (unsigned i = 0; i < GATE_CUT_COUNT; i++) {
        out->cuts[i] = atomic_load(&from->cuts[i]);
    }
    for (unsigned i = 0; i < FRAMES_VERDICT_COUNT; i++) {
        out->frame_cuts[i] = atomic_load(&from->frame_cuts[i]);
    }
}
