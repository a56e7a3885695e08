#include "client/bank/bank.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/log.h"

/* -- Configuration -------------------------------------------------------------------------------------------- */

struct file {
    const struct cl_setting *profile;
    const char *journal, *customers, *reference_prefix, *lends_to, *listen;
    int64_t threads, outstanding, share, rate, amount;
};

const struct cl_setting_field bank_config_fields[] = {
    {"profile", CL_SETTING_SECTION, offsetof(struct file, profile), .required = true,
     .doc = "who we are and whom we talk to; its fields are listed below"},
    {"journal", CL_SETTING_PATH, offsetof(struct file, journal), .required = true,
     .doc = "the file that remembers; made when it is not there"},
    {"customers", CL_SETTING_PATH, offsetof(struct file, customers),
     .doc = "what we know of our customers (personas.yaml); without it everybody is made up"},
    {"reference_prefix", CL_SETTING_TEXT, offsetof(struct file, reference_prefix), .fallback = "L", .min = 1, .max = 32,
     .doc = "how our own numbers begin"},
    {"lends_to", CL_SETTING_TEXT, offsetof(struct file, lends_to), .min = 1, .max = 64,
     .doc = "after an approval sign, register and pay, to this account; without it that is done by hand"},
    {"listen", CL_SETTING_TEXT, offsetof(struct file, listen), .min = 3, .max = 255,
     .doc = "host:port where the centre calls our inbox, port 0 for any; without it a stream is kept open"},
    {"threads", CL_SETTING_INT64, offsetof(struct file, threads), .fallback = "8", .min = 1, .max = BANK_THREADS_MAX,
     .doc = "calls that may be under way at once"},
    {"outstanding", CL_SETTING_INT64, offsetof(struct file, outstanding), .fallback = "256", .min = 1, .max = 1000,
     .doc = "events on their way that are not yet durable here"},
    {"instalment_share_ppm", CL_SETTING_INT64, offsetof(struct file, share), .fallback = "500_000", .min = 1,
     .max = 1000000, .doc = "share of income that both instalments may take"},
    {"rate_ppm_min", CL_SETTING_INT64, offsetof(struct file, rate), .fallback = "0", .max = 360000,
     .doc = "the least rate we lend at"},
    {"amount_fen_min", CL_SETTING_INT64, offsetof(struct file, amount), .fallback = "1_000_000", .min = 1,
     .max = INT64_C(1000000000000), .doc = "the least commercial part worth lending"},
};
const size_t bank_config_field_count = sizeof bank_config_fields / sizeof bank_config_fields[0];

struct cl_status bank_config_load(struct bank_config *out, const char *path, struct cl_setting_error *error)
{
    struct bank_config config = {.settings = NULL};
    struct file file;
    struct cl_status status = cl_settings_load(&config.settings, path, error);
    if (cl_failed(status)) {
        return status;
    }
    status =
        cl_setting_read(&file, cl_settings_root(config.settings), bank_config_fields, bank_config_field_count, error);
    if (cl_is_ok(status)) {
        status = client_profile_read(&config.profile, file.profile, error);
    }
    if (cl_is_ok(status) && cl_party_kind(config.profile.fields.party) != CL_PARTY_BANK) {
        status = cl_setting_refuse(error, cl_setting_find(file.profile, "party"), "expected a bank, bank:<id>");
    }
    if (cl_failed(status)) {
        bank_config_close(&config);
        return status;
    }
    config.journal = file.journal;
    config.customers = file.customers;
    config.reference_prefix = file.reference_prefix;
    config.lends_to = file.lends_to;
    config.listen = file.listen;
    config.thread_count = file.threads;
    config.outstanding_max = file.outstanding;
    config.rules = (struct bank_rules){
        .instalment_share_ppm = file.share, .rate_ppm_min = file.rate, .amount_fen_min = file.amount};
    *out = config;
    return cl_ok();
}

void bank_config_close(struct bank_config *config)
{
    client_profile_close(&config->profile);
    cl_settings_free(config->settings);
    *config = (struct bank_config){.settings = NULL};
}

/* -- Between its parts ---------------------------------------------------------------------------------------- */

void bank_give_up(struct bank *bank, const char *what, struct cl_status status)
{
    cl_log(CL_LOG_ERROR, "bank.give_up", cl_log_text("what", what), cl_log_text("reason", cl_status_name(status)));
    atomic_store(&bank->failed, true);
    cl_session_stop(bank->session);
}

struct cl_status bank_note(struct bank *bank, const struct bank_record *record)
{
    uint64_t ticket = 0;
    struct cl_status status = bank_journal_append(&ticket, bank->journal, record);
    if (cl_is_ok(status)) {
        status = bank_state_take(bank->state, record);
    }
    if (cl_failed(status)) {
        bank_give_up(bank, "bank.journal", status);
    }
    return status;
}

struct cl_status bank_sync(struct bank *bank)
{
    struct cl_status status = bank_journal_sync(bank->journal);
    if (cl_failed(status)) {
        bank_give_up(bank, "bank.journal", status);
    }
    return status;
}

struct cl_status bank_remember(struct bank *bank, const struct bank_record *record)
{
    struct cl_status status = bank_note(bank, record);
    return cl_failed(status) ? status : bank_sync(bank);
}

struct cl_status bank_note_said(struct bank *bank, uint64_t sequence, bool answered)
{
    return bank_note(bank,
                     &(struct bank_record){.kind = BANK_RECORD_SAID, .sequence = sequence, .number = answered ? 1 : 0});
}

/* All events of one application go to one worker, in order. */
void bank_dispatch(struct bank *bank, struct bank_entry *entry)
{
    uint32_t hash = 2166136261U;
    for (const char *c = entry->application_id; *c != '\0'; c++) {
        hash = (hash ^ (uint8_t)*c) * 16777619U;
    }
    struct cl_status status = cl_queue_push(bank->work[hash % bank->worker_count], entry);
    if (cl_failed(status) && status.reason != CL_SHUTTING_DOWN) {
        bank_give_up(bank, "bank.dispatch", status);
    }
}

/* Printed with one call, so that lines of several threads do not mix. */
void bank_say(const struct bank *bank, const struct bank_line *line)
{
    if (!bank->log) {
        return;
    }
    char text[512];
    (void)snprintf(text, sizeof text,
                   "{\"atMs\":%" PRId64 ",\"what\":\"%s\",\"sequence\":%" PRIu64
                   ",\"application\":\"%.64s\",\"madeMs\":%" PRId64 ",\"receivedMs\":%" PRId64 ",\"reason\":\"%s\"}\n",
                   cl_clock_unix_ms(cl_clock_system()), line->what, line->sequence,
                   line->application_id == NULL ? "" : line->application_id, line->made_ms, line->received_ms,
                   line->reason == NULL ? "" : line->reason);
    (void)fputs(text, stdout);
    (void)fflush(stdout);
}

/* -- Start and stop ------------------------------------------------------------------------------------------- */

static struct cl_status replay(void *user, const struct bank_record *record)
{
    return bank_state_take(user, record);
}

static struct cl_status open_memory(struct bank *bank, struct cl_setting_error *error)
{
    const struct cl_setting *root = cl_settings_root(bank->config->settings);
    struct cl_status status = bank_state_create(&bank->state);
    if (cl_is_ok(status)) {
        status = bank_journal_open(&bank->journal, bank->config->journal, replay, bank->state);
    }
    if (cl_failed(status)) {
        return cl_setting_refuse(error, cl_setting_find(root, "journal"),
                                 "%s cannot be used (%s): another process has it, it is damaged, or its folder is not "
                                 "ours to write",
                                 bank->config->journal, cl_status_name(status));
    }
    const struct bank_record start = {.kind = BANK_RECORD_START, .number = (int64_t)bank_state_epoch(bank->state) + 1};
    status = bank_journal_write(bank->journal, &start);
    return cl_is_ok(status) ? bank_state_take(bank->state, &start) : status;
}

static struct cl_status open_parts(struct bank *bank, struct cl_setting_error *error)
{
    struct cl_status status = cl_ok();
    if (bank->config->customers != NULL) {
        status = bank_customers_load(&bank->customers, bank->config->customers, error);
    }
    if (cl_is_ok(status)) {
        status = open_memory(bank, error);
    }
    if (cl_is_ok(status)) {
        status = client_profile_connect(&bank->session, &bank->config->profile);
    }
    if (cl_is_ok(status)) {
        status = cl_queue_create(&bank->acks, BANK_QUEUE_MAX);
    }
    return status;
}

static struct cl_status start_worker(struct bank *bank)
{
    size_t index = bank->worker_count;
    struct bank_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL || cl_failed(cl_queue_create(&bank->work[index], BANK_QUEUE_MAX))) {
        free(worker);
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *worker = (struct bank_worker){.bank = bank, .index = index};
    if (pthread_create(&bank->workers[index], NULL, bank_work, worker) != 0) {
        free(worker);
        cl_queue_free(bank->work[index]);
        bank->work[index] = NULL;
        return cl_fail(CL_SYSTEM);
    }
    bank->worker_count++;
    return cl_ok();
}

static void take_up(void *user, struct bank_entry *entry)
{
    bank_dispatch(user, entry);
}

static struct cl_status start_stream(struct bank *bank)
{
    bank->stream_runs = pthread_create(&bank->stream, NULL, bank_stream, bank) == 0;
    return bank->stream_runs ? cl_ok() : cl_fail(CL_SYSTEM);
}

static struct cl_status open_inbox(struct bank *bank, struct cl_setting_error *error)
{
    struct cl_status status = bank_inbox_start(&bank->inbox, &bank->inbox_port, bank);
    if (status.reason == CL_CONFIG_INVALID) {
        const struct cl_setting *root = cl_settings_root(bank->config->settings);
        return cl_setting_refuse(error, cl_setting_find(root, "listen"),
                                 "cannot listen on %s: is the port free, and may the certificate be a server's?",
                                 bank->config->listen);
    }
    return status;
}

struct cl_status bank_start(struct bank *out, const struct bank_config *config, bool log,
                            struct cl_setting_error *error)
{
    *out = (struct bank){.config = config, .log = log};
    (void)snprintf(error->text, sizeof error->text, "the system refused threads or memory");
    struct cl_status status = open_parts(out, error);
    while (cl_is_ok(status) && out->worker_count < (size_t)config->thread_count) {
        status = start_worker(out);
    }
    if (cl_is_ok(status)) {
        bank_state_each(out->state, take_up, out);
        status = config->listen == NULL ? start_stream(out) : open_inbox(out, error);
    }
    if (cl_failed(status)) {
        bank_stop(out);
    }
    return status;
}

static void drain(struct cl_queue *queue, bool owned)
{
    void *element = NULL;
    while (queue != NULL && cl_queue_take(queue, &element, 1, 0) == 1) {
        if (owned) {
            free(element);
        }
    }
    cl_queue_free(queue);
}

void bank_stop(struct bank *bank)
{
    if (bank->session != NULL) {
        cl_session_stop(bank->session);
    }
    if (bank->stream_runs) {
        (void)pthread_join(bank->stream, NULL);
    }
    bank_inbox_stop(bank->inbox);
    for (size_t i = 0; i < bank->worker_count; i++) {
        cl_queue_close(bank->work[i]);
        (void)pthread_join(bank->workers[i], NULL);
        drain(bank->work[i], false);
    }
    drain(bank->acks, true);
    cl_session_free(bank->session);
    bank_journal_close(bank->journal);
    bank_state_free(bank->state);
    bank_customers_free(bank->customers);
    bool failed = atomic_load(&bank->failed);
    *bank = (struct bank){.config = bank->config};
    atomic_store(&bank->failed, failed);
}
