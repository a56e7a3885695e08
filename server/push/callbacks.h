/* callbacks.h - calls the inboxes of banks that do not keep a stream open: BankInbox.Notify, one event a call.
 *
 * Each bank has a few threads of its own, so that a slow one costs nobody else. A thread takes an event by a command of the
 * writer, calls, and writes the outcome by another (cases.h), so that a crash in between is only a call made twice. A bank
 * that cannot be reached is left alone for a while (breaker.h); an event that it refuses holds up its own application. As
 * long as the bank has a stream open, it is not called.
 *
 * Owner: callbacks_free. The threads are its own; callbacks_notify comes from any, after a commit; reload and stop from
 * one thread. Fails: creation and reload, on certificates. */
#ifndef COLOAN_PUSH_CALLBACKS_H
#define COLOAN_PUSH_CALLBACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/cases/cases.h"
#include "server/store/store.h"

#define CALLBACKS_BANKS_MAX    64
#define CALLBACKS_PARALLEL_MAX 16
/* A bank makes the event durable, no more, before it answers. */
#define CALLBACKS_CALL_MS (10 * 1000)

struct callbacks;

struct callbacks_bank {
    const char *party, *target; /* "10.0.0.5:7443" */
    const char *server_name;    /* that its certificate holds; NULL: the target's host */
    unsigned parallel;          /* calls at once, of different applications */
};

/* Texts are PEM, copied. */
struct callbacks_identity {
    const char *ca_pem, *cert_pem, *key_pem;
};

struct callbacks_options { /* read by create; what it points to outlives the callbacks, but for the identity */
    const struct cases *cases;
    struct store *store;
    const struct callbacks_bank *banks;
    size_t bank_count;
    struct callbacks_identity identity;
    /* Whether the bank has a stream open. Any thread; cheap. */
    bool (*streams)(void *user, const char *party);
    /* After the commit of what a call did. The call's thread. */
    void (*done)(void *user, struct case_effect *effect);
    void *user;
};

/* CONFIG_INVALID when the identity is not PEM, MEMORY_LIMIT, SYSTEM. The threads begin at once. */
CL_MUST_CHECK struct cl_status callbacks_create(struct callbacks **out, const struct callbacks_options *options);

/* No more calls; those under way are cut off, and made again after the next start. Idempotent; before the store stops. */
void callbacks_stop(struct callbacks *callbacks);
void callbacks_free(struct callbacks *callbacks); /* NULL is fine; stops first */

/* New certificates, from the next call on. */
CL_MUST_CHECK struct cl_status callbacks_reload(struct callbacks *callbacks, const struct callbacks_identity *identity);

/* There is something new for the party, or something about its events was changed. */
void callbacks_notify(struct callbacks *callbacks, const char *party); /* NULL: any */

struct callbacks_counters {
    uint64_t calls, failures; /* of the way or the bank */
    uint64_t open_breakers;   /* banks left alone for now */
};
void callbacks_counters(struct callbacks *callbacks, struct callbacks_counters *out); /* any thread */

#endif
