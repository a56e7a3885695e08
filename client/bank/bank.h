/* bank.h - the bank core as a whole: one thread holds the stream, a few do the work, a journal remembers.
 *
 * The stream thread (or the inbox, when the centre calls) makes each event durable, acknowledges it RECEIVED and hands it to the worker of its application, so
 * that one case is handled in order and many at once. A worker signs what the event asks for, makes that durable before
 * it is first sent, sends it until there is an answer, makes the event applied, and lets the stream acknowledge APPLIED.
 *
 * Owner: main. Fails: bank_start; later failures that cannot be mended set `failed` and end the process. */
#ifndef COLOAN_BANK_BANK_H
#define COLOAN_BANK_BANK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "client/bank/customers.h"
#include "client/bank/decide.h"
#include "client/bank/journal.h"
#include "client/bank/state.h"
#include "client/profile.h"
#include "libcoloan/queue.h"
#include "libcoloan/session.h"

#define BANK_THREADS_MAX 16
/* Stream reading stops long before: at most max_outstanding events are on their way. */
#define BANK_QUEUE_MAX 4096

struct bank_config {
    struct cl_settings *settings;
    struct client_profile profile;
    const char *journal, *customers, *reference_prefix;
    const char *lends_to; /* NULL: nothing is done after the approval */
    const char *listen;   /* where the centre calls; NULL: a stream is kept open instead */
    int64_t thread_count, outstanding_max;
    struct bank_rules rules;
};

extern const struct cl_setting_field bank_config_fields[];
extern const size_t bank_config_field_count;

CL_MUST_CHECK struct cl_status bank_config_load(struct bank_config *out, const char *path,
                                                struct cl_setting_error *error);
void bank_config_close(struct bank_config *config);

struct bank_inbox;

struct bank {
    const struct bank_config *config;
    struct bank_customers *customers;
    struct bank_journal *journal;
    struct bank_state *state;
    struct cl_session *session;
    struct cl_queue *work[BANK_THREADS_MAX]; /* struct bank_entry, the state's */
    struct cl_queue *acks;                   /* struct bank_ack, owned by the queue */
    pthread_t workers[BANK_THREADS_MAX], stream;
    size_t worker_count;
    bool stream_runs;
    struct bank_inbox *inbox; /* NULL: a stream is kept open */
    uint16_t inbox_port;
    atomic_bool acks_lost; /* there was no room in `acks`; the state knows them */
    bool log;              /* one JSON line on standard output for each thing done */
    atomic_bool failed;
};

/* An acknowledgement on its way from a worker to the stream. */
struct bank_ack {
    uint64_t sequence;
    struct cl_digest digest;
    char reference[CL_TEXT_BYTES_MAX + 1];
};

/* Opens journal and session and starts the threads; on failure `error` says why and nothing runs. */
CL_MUST_CHECK struct cl_status bank_start(struct bank *out, const struct bank_config *config, bool log,
                                          struct cl_setting_error *error);

/* Ends the threads and frees all but the configuration. What is under way is finished or taken up at the next start. */
void bank_stop(struct bank *bank);

/* Prints "SEQUENCE DIGEST" for each event of a journal, from 1 up to the first that is not there. As bank_journal_open. */
CL_MUST_CHECK struct cl_status bank_list_events(FILE *out, const char *journal);

/* -- Between its parts ---------------------------------------------------------------------------------------- */

void *bank_work(void *argument);   /* a worker; the argument is a struct bank_worker, which it frees */
void *bank_stream(void *argument); /* the stream thread; the argument is the struct bank */

/* Serves BankInbox on config->listen; the port in `port_out`. CONFIG_INVALID when it cannot listen; SYSTEM, MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status bank_inbox_start(struct bank_inbox **out, uint16_t *port_out, struct bank *bank);
void bank_inbox_stop(struct bank_inbox *inbox); /* after the session was stopped; NULL is fine */

struct bank_worker {
    struct bank *bank;
    size_t index;
};

/* Takes a record into the journal and the state; durable after the next bank_sync or bank_remember of anybody. Sets
 * `failed` when it cannot, as do the next two. */
CL_MUST_CHECK struct cl_status bank_note(struct bank *bank, const struct bank_record *record);

/* Waits until all that was noted before is durable. */
CL_MUST_CHECK struct cl_status bank_sync(struct bank *bank);

/* Notes and waits. */
CL_MUST_CHECK struct cl_status bank_remember(struct bank *bank, const struct bank_record *record);

/* Notes that an applied event's acknowledgement left us, or that the centre answered it; durable with whatever is next. */
CL_MUST_CHECK struct cl_status bank_note_said(struct bank *bank, uint64_t sequence, bool answered);

/* Hands an entry to its worker. */
void bank_dispatch(struct bank *bank, struct bank_entry *entry);

/* The bank cannot go on. */
void bank_give_up(struct bank *bank, const char *what, struct cl_status status);

/* One line on standard output, when asked for: what was done, now and when it was first heard of. */
struct bank_line {
    const char *what;
    uint64_t sequence;
    const char *application_id;   /* NULL: none */
    int64_t made_ms, received_ms; /* 0: not said */
    const char *reason;           /* NULL: none */
};
void bank_say(const struct bank *bank, const struct bank_line *line);

#endif
