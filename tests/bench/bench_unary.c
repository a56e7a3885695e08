/* bench_unary - signed calls to a running coloand: every request is signed before the clock starts, a sample of the
 * replies is verified after it stopped.
 *
 *   bench_unary PROFILE SERVER_PID SERVER_CPU get|list|capabilities MS
 *   bench_unary PROFILE SERVER_PID SERVER_CPU idle CONNECTIONS
 *
 * Run it on another core than the server. get: GetApplication of the newest case, kept and committed like every method
 * that changes something; list: a page of 50 cases; capabilities: verified and signed, but not kept. After the load the
 * same core as the server's does nothing but verify such requests and sign such replies: what no server of this
 * protocol can do without. idle: what a connection on which nothing happens costs the server. Prints a table of name,
 * unit and value; tests/bench/run reads it. */
#include <assert.h>
#include <coloan/v1/application.pb-c.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/profile.h"
#include "libcoloan/clock.h"
#include "libcoloan/dsse.h"
#include "tests/bench/load.h"
#include "tests/bench/process.h"
#include "tests/bench/row.h"

enum {
    CONNECTIONS = 4,
    AT_ONCE = 16,            /* on each: 64 outstanding */
    CALLS_PER_S_MAX = 12000, /* more cannot be answered: signing and verifying alone take 84 us */
    KEEP_EVERY = 64,
    KEPT_MAX = 1024,
    MEASURE_US = 400 * 1000, /* of CPU time, so that a neighbour counts less */
    IDLE_SETTLE_MS = 1500,
    ARENA_BYTES_MAX = 1 << 20,
    REQUESTS_BYTES_MAX = 512 * 1024 * 1024,
};

static const struct method {
    const char *word, *path;
    const ProtobufCMessageDescriptor *reply_type;
} methods[] = {
    {"get", "/coloan.v1.JointApproval/GetApplication", &coloan__v1__application_view__descriptor},
    {"list", "/coloan.v1.JointApproval/ListApplications", &coloan__v1__application_list__descriptor},
    {"capabilities", "/coloan.v1.Directory/GetCapabilities", &coloan__v1__capabilities__descriptor},
};

struct bench {
    struct client_profile profile;
    struct cl_session *session;
    struct cl_arena *arena; /* requests and kept replies */
    const struct method *method;
    pid_t server_pid;
    int server_cpu;
    struct cl_request *requests;
    struct cl_bytes *envelopes;
    size_t count;
    struct kept {
        size_t request;
        struct cl_bytes reply;
    } kept[KEPT_MAX];
    size_t kept_count;
};

static void die(const char *what, const char *why)
{
    (void)fprintf(stderr, "bench_unary: %s: %s\n", what, why);
    exit(1);
}

static void must(struct cl_status status, const char *what)
{
    if (cl_failed(status)) {
        die(what, cl_status_name(status));
    }
}

/* -- Requests ------------------------------------------------------------------------------------------------- */

static char *newest_application(struct bench *bench)
{
    struct cl_answer answer;
    Coloan__V1__ApplicationListQuery query = COLOAN__V1__APPLICATION_LIST_QUERY__INIT;
    query.page_size = 1;
    must(cl_session_call(&answer, bench->session, bench->arena,
                         &(struct cl_session_call){
                             .method = methods[1].path + 1, .body = &query.base, .reply_type = methods[1].reply_type},
                         (struct cl_patience){0}),
         "ListApplications");
    const Coloan__V1__ApplicationList *list = (const Coloan__V1__ApplicationList *)(const void *)answer.body;
    if (list->n_applications == 0) {
        die("ListApplications", "submit a case first");
    }
    return list->applications[0]->application_id;
}

static void sign_requests(struct bench *bench, size_t count)
{
    Coloan__V1__ApplicationQuery get = COLOAN__V1__APPLICATION_QUERY__INIT;
    Coloan__V1__ApplicationListQuery list = COLOAN__V1__APPLICATION_LIST_QUERY__INIT;
    Coloan__V1__CapabilitiesQuery capabilities = COLOAN__V1__CAPABILITIES_QUERY__INIT;
    const ProtobufCMessage *const bodies[] = {&get.base, &list.base, &capabilities.base};
    size_t which = (size_t)(bench->method - methods);
    if (which == 0) {
        get.application_id = newest_application(bench);
    }
    bench->requests = calloc(count, sizeof bench->requests[0]);
    bench->envelopes = calloc(count, sizeof bench->envelopes[0]);
    assert(bench->requests != NULL && bench->envelopes != NULL);
    for (; bench->count < count; bench->count++) {
        struct cl_request *request = &bench->requests[bench->count];
        must(cl_session_prepare(request, bench->session, bench->arena,
                                &(struct cl_session_call){.method = bench->method->path + 1,
                                                          .body = bodies[which],
                                                          .reply_type = bench->method->reply_type}),
             "signing a request");
        bench->envelopes[bench->count] = request->envelope;
    }
}

/* -- Replies -------------------------------------------------------------------------------------------------- */

static void keep(void *user, size_t request, struct cl_bytes reply)
{
    struct bench *bench = user;
    if (bench->kept_count < KEPT_MAX) {
        const uint8_t *copy = cl_arena_copy(bench->arena, reply);
        assert(copy != NULL);
        bench->kept[bench->kept_count++] = (struct kept){.request = request, .reply = cl_bytes(copy, reply.len)};
    }
}

static void open_reply(struct cl_opened *out, struct bench *bench, struct cl_arena *arena, const struct kept *kept)
{
    const struct cl_expected_body body = {bench->method->reply_type, COLOAN__V1__DIRECTION__DIRECTION_REPLY};
    const struct cl_expectation expected = {.keyring = bench->profile.keyring,
                                            .environment = bench->profile.fields.environment,
                                            .sender = bench->profile.fields.centre,
                                            .recipient = bench->profile.fields.party,
                                            .method = bench->method->path + 1,
                                            .bodies = &body,
                                            .body_count = 1,
                                            .in_reply_to = &bench->requests[kept->request].digest,
                                            .now_ms = cl_clock_unix_ms(cl_clock_system())};
    must(cl_envelope_open(out, arena, kept->reply, &expected), "a reply does not verify");
}

/* Each is signed by the centre and answers its own request. */
static void verify_sample(struct bench *bench)
{
    struct cl_arena *arena = NULL;
    must(cl_arena_create(&arena, ARENA_BYTES_MAX), "memory");
    for (size_t i = 0; i < bench->kept_count; i++) {
        struct cl_opened opened;
        ProtobufCMessage *message = NULL;
        cl_arena_reset(arena);
        open_reply(&opened, bench, arena, &bench->kept[i]);
        must(cl_opened_body(&message, arena, &opened), "a reply's body");
    }
    cl_arena_free(arena);
    if (bench->kept_count == 0) {
        die("replies", "none was kept");
    }
}

/* -- What the signatures alone cost --------------------------------------------------------------------------- */

static double thread_cpu_us(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/* On the server's core, which has nothing to do now. Sizes are those of this method's messages. */
static void measure_signatures(struct bench *bench)
{
    struct cl_arena *arena = NULL;
    struct cl_opened reply;
    struct cl_bytes request_pae;
    struct cl_bytes reply_pae;
    struct cl_signature signature;
    Coloan__V1__Envelope *request = NULL;
    process_pin(bench->server_cpu);
    must(cl_arena_create(&arena, ARENA_BYTES_MAX), "memory");
    open_reply(&reply, bench, arena, &bench->kept[0]);
    must(cl_dsse_read(&request, arena, bench->envelopes[0]), "a request");
    must(cl_dsse_pae(&request_pae, arena, request->payload_type, cl_bytes(request->payload.data, request->payload.len)),
         "memory");
    must(cl_dsse_pae(&reply_pae, arena, reply.payload_type, reply.payload), "memory");
    int64_t rounds = 0;
    double started_us = thread_cpu_us();
    for (; thread_cpu_us() - started_us < MEASURE_US; rounds++) {
        cl_sign(&signature, bench->profile.signer, reply_pae);
    }
    row_print("sign", "us", (thread_cpu_us() - started_us) / (double)rounds);
    cl_sign(&signature, bench->profile.signer, request_pae);
    rounds = 0;
    started_us = thread_cpu_us();
    for (; thread_cpu_us() - started_us < MEASURE_US; rounds++) {
        if (!cl_signature_verify(&signature, cl_signer_public_key(bench->profile.signer), request_pae)) {
            die("verifying", "a good signature was refused");
        }
    }
    row_print("verify", "us", (thread_cpu_us() - started_us) / (double)rounds);
    row_print("request", "bytes", (double)bench->envelopes[0].len);
    row_print("reply", "bytes", (double)bench->kept[0].reply.len);
    cl_arena_free(arena);
}

/* -- Runs ----------------------------------------------------------------------------------------------------- */

static void peer_of(struct load_peer *out, const struct bench *bench)
{
    const char *colon = strrchr(bench->profile.fields.target, ':');
    *out = (struct load_peer){.port = (uint16_t)atoi(colon == NULL ? "0" : colon + 1),
                              .ca_path = bench->profile.fields.ca,
                              .certificate_path = bench->profile.fields.certificate,
                              .key_path = bench->profile.fields.key};
}

static void run_calls(struct bench *bench, int64_t ms)
{
    struct load_peer peer;
    struct load *load = NULL;
    struct load_result result;
    sign_requests(bench, (size_t)(ms * CALLS_PER_S_MAX / 1000) + CONNECTIONS * AT_ONCE);
    const struct load_plan plan = {.path = bench->method->path,
                                   .requests = bench->envelopes,
                                   .request_count = bench->count,
                                   .at_once = AT_ONCE,
                                   .ms = ms,
                                   .keep_every = KEEP_EVERY,
                                   .kept = keep,
                                   .user = bench};
    peer_of(&peer, bench);
    load_open(&load, &peer, CONNECTIONS);
    double cpu_s = process_cpu_s(bench->server_pid);
    load_run(&result, load, &plan);
    cpu_s = process_cpu_s(bench->server_pid) - cpu_s;
    load_close(load);
    if (result.failed > 0) {
        die(bench->method->word, "the server refused calls; are its rate limits raised?");
    }
    verify_sample(bench);
    row_print("rate", "calls/s", result.calls_per_s);
    row_print("p50", "us", result.p50_us);
    row_print("p99", "us", result.p99_us);
    row_print("server", "us/call", cpu_s * 1e6 / (double)result.sent);
    row_print("seconds", "s", result.seconds);
    row_print("answered", "calls", (double)result.sent);
    row_print("verified", "replies", (double)bench->kept_count);
    measure_signatures(bench);
}

static void run_idle(struct bench *bench, unsigned connections)
{
    struct load_peer peer;
    struct load *load = NULL;
    if (connections < 1 || connections > LOAD_CONNECTIONS_MAX) {
        die("connections", "out of range");
    }
    peer_of(&peer, bench);
    double before_kb = process_memory_kb(bench->server_pid);
    double cpu_s = process_cpu_s(bench->server_pid);
    load_open(&load, &peer, connections);
    load_idle(load, IDLE_SETTLE_MS);
    row_print("memory", "KB/connection", (process_memory_kb(bench->server_pid) - before_kb) / connections);
    row_print("handshake", "us", (process_cpu_s(bench->server_pid) - cpu_s) * 1e6 / connections);
    load_close(load);
}

static const struct method *find_method(const char *word)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(methods[i].word, word) == 0) {
            return &methods[i];
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    static struct bench bench;
    struct cl_setting_error error;
    bool idle = argc == 6 && strcmp(argv[4], "idle") == 0;
    bench.method = argc == 6 ? find_method(argv[4]) : NULL;
    if (argc != 6 || (bench.method == NULL && !idle) || atoll(argv[5]) < 1) {
        (void)fprintf(stderr, "usage: bench_unary PROFILE SERVER_PID SERVER_CPU get|list|capabilities MS\n"
                              "       bench_unary PROFILE SERVER_PID SERVER_CPU idle CONNECTIONS\n");
        return 2;
    }
    bench.server_pid = (pid_t)atol(argv[2]);
    bench.server_cpu = atoi(argv[3]);
    struct cl_status status = client_profile_load(&bench.profile, argv[1], &error);
    if (cl_failed(status)) {
        die(argv[1], error.text);
    }
    if (idle) {
        run_idle(&bench, (unsigned)atoi(argv[5]));
    } else {
        must(cl_arena_create(&bench.arena, REQUESTS_BYTES_MAX), "memory");
        must(client_profile_connect(&bench.session, &bench.profile), "the session");
        run_calls(&bench, atoll(argv[5]));
        cl_session_free(bench.session);
        cl_arena_free(bench.arena);
        free(bench.requests);
        free(bench.envelopes);
    }
    client_profile_close(&bench.profile);
    return 0;
}
