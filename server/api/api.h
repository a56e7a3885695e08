/* api.h - the centre's services on a gRPC server: makes the methods, keeps what their handlers share.
 *
 * Owner: whoever created it frees it, after the rpc server and the store have stopped. Threads: see unary.h, deliver.h.
 * Fails: creation only. */
#ifndef COLOAN_API_API_H
#define COLOAN_API_API_H

#include <stdatomic.h>

#include "libcoloan/rpc.h"
#include "server/api/pipeline.h"
#include "server/cases/cases.h"
#include "server/push/push.h"
#include "server/source/source.h"
#include "server/store/store.h"

/* Reasons in the order of reasons.def, as cl_reason_at has them; one of each is counted. */
enum api_reason {
#define CL_REASON(name, number, grpc, retry, en, zh) API_REASON_##name,
#include "libcoloan/reasons.def"
#undef CL_REASON
    API_REASON_COUNT
};

/* What waits for officers and what they did, as the last sweep found it (struct review_sums). */
struct review_counters {
    atomic_int_least64_t tasks_open[TASK_KINDS], steps[OFFICER_STEP_COUNT];
    atomic_int_least64_t referred[CL_LOAN_REASON_COUNT], overridden[CL_LOAN_REASON_COUNT];
};

/* How the events of one bank stand, as the last sweep found it. `party` is written once, before `bank_count` counts it. */
struct bank_counters {
    char party[CL_PARTY_BYTES_MAX + 1];
    atomic_int_least64_t unreceived, unapplied; /* events above the floors */
    atomic_int_least64_t unapplied_since_ms;    /* 0: all are applied */
    atomic_int_least64_t waiting, parked, tries_max;
};

/* A province has some twenty partner banks. */
#define API_BANKS_MAX 64

/* What is counted for operators, of the contract's own methods. */
struct api_counters {
    atomic_uint_least64_t calls[API_METHOD_COUNT];    /* frames of streams among them; by api_method_at's index */
    atomic_uint_least64_t refusals[API_REASON_COUNT]; /* by enum api_reason */
    atomic_uint_least64_t replies, repeats;
    atomic_uint_least64_t alarms[CASE_ALARM_COUNT];
    atomic_uint_least64_t due_done, due_failed; /* work that is due by time */
    atomic_uint_least64_t polls;                /* of authorities that would only know later */
    /* As they stood at the last look for what is due. */
    atomic_int_least64_t cases[CASE_STATE_COUNT]; /* by enum case_state */
    atomic_int_least64_t overdue;                 /* the fund has not decided in time */
    struct review_counters review;
    struct bank_counters banks[API_BANKS_MAX];
    atomic_size_t bank_count;
};

/* Whom to tell how long things took. Any thread; must be cheap and not block. Both or neither are set. */
struct api_meter {
    /* From the message's arrival to its reply, of the method with this index (api_method_at). */
    void (*replied)(void *user, size_t method, int64_t took_ms);
    /* From an application's submission to its joint decision. */
    void (*decided)(void *user, int64_t took_ms);
    void *user;
};

/* Whom to tell that there is something to deliver to a bank, or something about that was changed. Any thread; must be cheap
 * and not block. */
struct api_listener {
    void (*notified)(void *user, const char *party); /* NULL is fine */
    void *user;
};

/* Whom it reaches what a command left to do after its commit. Any thread; must not block. */
struct api_outlets {
    struct cl_status (*ask)(void *user, struct source_inquiry *inquiry); /* as source_ask */
    void (*notify)(void *user, const char *party, uint64_t sequence);    /* there is an event with this number */
    void (*tell)(void *user, const struct case_delivery *delivery);      /* what was said about the delivery of one */
    void *user;
};

/* Read by create; what it points to outlives the api. */
struct api_options {
    const struct cases *cases;
    struct store *store;
    struct source *source;
    struct push *push;
    const struct api_outlets *outlets; /* NULL: source and push; a simulation has its own, and neither of these */
    struct api_identity identity;
    struct api_meter meter;
    struct api_listener listener;
    uint32_t calls_per_second, burst; /* of one party */
};

struct api;

CL_MUST_CHECK struct cl_status api_create(struct api **out, const struct api_options *options);
void api_free(struct api *api); /* NULL is fine */

/* The methods for cl_rpc_server_create, borrowed from the api: the contract's, health and reflection. */
const struct cl_rpc_method *api_rpc_methods(const struct api *api, size_t *count_out);

/* Borrowed; read with atomic loads. */
struct api_counters *api_counters(struct api *api);

/* What the health service says; not serving at first. Any thread, does not block. */
void api_set_serving(struct api *api, bool serving);

/* Carries out what a command of another room left to do, after its commit. Any thread. */
void api_carry_out(struct api *api, struct case_effect *effect);

/* Before the rpc server stops: says for good that it does not serve, and ends what only watches. */
void api_stop(struct api *api);

/* Asks again what a restart or an overload left open: to be called at start and every few seconds. Any thread. */
CL_MUST_CHECK struct cl_status api_sweep(struct api *api);

/* Does what is due by time, a bounded batch: to be called at start and every second or so. Any thread. */
CL_MUST_CHECK struct cl_status api_look(struct api *api);

#endif
