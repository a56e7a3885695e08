/* bench_store - what the store costs: commands a second for each number of commands that wait at once.
 *
 * A command is what an accepted request writes: the request, its reply and the link between them, and one event with
 * its message. Usage: bench_store FOLDER [SECONDS [ARCHIVE]]; ARCHIVE is the folder of an archive, to see what that
 * costs. The folders should be on the disks that will be used. */
#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "libcoloan/clock.h"
#include "server/store/applications.h"
#include "server/store/messages.h"
#include "server/store/outbox.h"
#include "server/store/store.h"
#include "tests/bench/row.h"

enum { WAITING_MAX = 512, ENVELOPE_BYTES = 1024, APPLICATION_MESSAGE = 0x7fffffff };

#define BANK "bank:cn-alpha-js"
#define FUND "fund:cn-test-nj"
#define ID   "01900000-0000-7000-8000-000000000001"

struct bench {
    struct store *store;
    atomic_bool stop;
    atomic_uint flying, number;
    atomic_ulong done, batches;
    bool write;
};

struct request {
    struct store_command command;
    struct bench *bench;
};

static uint8_t envelope[ENVELOPE_BYTES];

/* Digests are spread over the index as real ones are. */
static struct message_row message(uint32_t number, uint8_t kind, bool sent)
{
    struct message_row row = {
        .way = sent ? MESSAGE_SENT : MESSAGE_RECEIVED,
        .sender = sent ? FUND : BANK,
        .recipient = sent ? BANK : FUND,
        .direction = 1,
        .method = "coloan.v1.JointApproval/ReportVerifications",
        .application_id = ID,
        .at_ms = number,
        .envelope = cl_bytes(envelope, sizeof envelope),
    };
    uint64_t spread = (number + ((uint64_t)kind << 40)) * UINT64_C(0x9e3779b97f4a7c15);
    memcpy(row.digest.bytes, &spread, sizeof spread);
    row.message_id[0] = (uint8_t)(number >> 24);
    row.message_id[1] = (uint8_t)(number >> 16);
    row.message_id[2] = (uint8_t)(number >> 8);
    row.message_id[3] = (uint8_t)number;
    row.message_id[4] = kind;
    return row;
}

static struct cl_status write_request(uint32_t number, struct store_tx *tx)
{
    struct message_row reply = message(number, 1, true);
    struct message_row request = message(number, 2, false);
    struct message_row event = message(number, 3, true);
    struct outbox_row row = {.recipient = BANK, .application_id = ID, .kind = 1, .digest = event.digest};
    struct cl_status status = messages_add(tx, &request);
    if (cl_is_ok(status)) {
        status = messages_add(tx, &reply);
    }
    if (cl_is_ok(status)) {
        status = messages_set_reply(tx, &request.digest, &reply.digest);
    }
    if (cl_is_ok(status)) {
        status = outbox_next(tx, BANK, &row.sequence);
    }
    if (cl_is_ok(status)) {
        status = messages_add(tx, &event);
    }
    return cl_is_ok(status) ? outbox_add(tx, &row) : status;
}

static struct cl_status apply_request(struct store_command *command, struct store_tx *tx)
{
    struct bench *bench = ((struct request *)command)->bench;
    struct outbox_state state;
    return bench->write ? write_request(atomic_fetch_add(&bench->number, 1), tx)
                        : outbox_state(&state, store_tx_sql(tx), BANK);
}

/* Each answered request is followed by the next one, as a client would. */
static void request_done(struct store_command *command, struct cl_status status)
{
    struct request *request = (struct request *)command;
    struct bench *bench = request->bench;
    assert(cl_is_ok(status));
    atomic_fetch_add(&bench->done, 1);
    if (!atomic_load(&bench->stop)) {
        status = store_submit(bench->store, command);
        assert(cl_is_ok(status));
        return;
    }
    atomic_fetch_sub(&bench->flying, 1);
}

static void count_batch(void *user)
{
    atomic_fetch_add(&((struct bench *)user)->batches, 1);
}

static struct cl_status prepare(void *user, struct store_tx *tx)
{
    (void)user;
    struct message_row submission = message(APPLICATION_MESSAGE, 0, false);
    const struct application_row row = {.id = ID,
                                        .external_ref = "REF",
                                        .sender = BANK,
                                        .bank = BANK,
                                        .bank_epoch = 1,
                                        .round = 1,
                                        .rule_set = "REF",
                                        .submission = submission.digest};
    struct cl_status status = messages_add(tx, &submission);
    return cl_is_ok(status) ? applications_insert(tx, &row) : status;
}

static double cpu_seconds(void)
{
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void run(struct bench *bench, unsigned waiting, unsigned seconds, bool write)
{
    static struct request requests[WAITING_MAX];
    atomic_store(&bench->stop, false);
    atomic_store(&bench->done, 0);
    atomic_store(&bench->batches, 0);
    atomic_store(&bench->flying, waiting);
    bench->write = write;
    double cpu = cpu_seconds();
    int64_t start_us = cl_monotonic_us();
    for (unsigned i = 0; i < waiting; i++) {
        requests[i] = (struct request){.command = {.apply = apply_request, .done = request_done}, .bench = bench};
        struct cl_status status = store_submit(bench->store, &requests[i].command);
        assert(cl_is_ok(status));
    }
    (void)sleep(seconds);
    atomic_store(&bench->stop, true);
    while (atomic_load(&bench->flying) > 0) {
        (void)usleep(1000);
    }
    double elapsed = (double)(cl_monotonic_us() - start_us) / 1e6;
    double done = (double)atomic_load(&bench->done);
    char name[64];
    (void)snprintf(name, sizeof name, "%s-%u.rate", write ? "write" : "read", waiting);
    row_print(name, "commands/s", done / elapsed);
    (void)snprintf(name, sizeof name, "%s-%u.batch", write ? "write" : "read", waiting);
    row_print(name, "commands/commit", done / (double)atomic_load(&bench->batches));
    (void)snprintf(name, sizeof name, "%s-%u.cpu", write ? "write" : "read", waiting);
    row_print(name, "us/command", (cpu_seconds() - cpu) * 1e6 / done);
}

int main(int argc, char **argv)
{
    static const unsigned waiting[] = {1, 64, 256};
    struct bench bench = {.number = 1};
    char path[512];
    if (argc < 2) {
        (void)fprintf(stderr, "usage: bench_store FOLDER [SECONDS [ARCHIVE]]\n");
        return 2;
    }
    unsigned seconds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 3;
    (void)snprintf(path, sizeof path, "%s/bench.db", argv[1]);
    const struct store_options options = {.address = path,
                                          .archive = {.folder = argc > 3 ? argv[3] : NULL},
                                          .clock = cl_clock_system(),
                                          .queue_max = WAITING_MAX,
                                          .batch_max = WAITING_MAX,
                                          .committed = count_batch,
                                          .user = &bench};
    struct cl_status status = store_open(&bench.store, &options);
    if (cl_is_ok(status)) {
        status = store_run(bench.store, prepare, NULL);
    }
    if (cl_failed(status)) {
        (void)fprintf(stderr, "%s: %s (the folder has to be empty)\n", path, cl_status_name(status));
        return 1;
    }
    for (size_t i = 0; i < sizeof waiting / sizeof waiting[0]; i++) {
        run(&bench, waiting[i], seconds, true);
    }
    run(&bench, 128, 1, false);
    store_close(bench.store);
    return 0;
}
