#include "server/watch.h"

#include <stdlib.h>
#include <string.h>

#include "libcoloan/log.h"

/* Each reader takes a room's counters anew: metrics are read every few seconds, not in a loop. */

static int64_t api_value(const atomic_uint_least64_t *counter)
{
    return (int64_t)atomic_load_explicit(counter, memory_order_relaxed);
}

/* `user` is the counter. */
static int64_t api_counter(void *user)
{
    return api_value(user);
}

static int64_t api_replies(void *user)
{
    return api_value(&api_counters(((struct watch *)user)->api)->replies);
}

static int64_t api_repeats(void *user)
{
    return api_value(&api_counters(((struct watch *)user)->api)->repeats);
}

static int64_t push_streams(void *user)
{
    struct push_counters counters;
    push_counters(((struct watch *)user)->push, &counters);
    return (int64_t)counters.streams;
}

static int64_t push_events(void *user)
{
    struct push_counters counters;
    push_counters(((struct watch *)user)->push, &counters);
    return (int64_t)counters.events_sent;
}

static int64_t push_slow_readers(void *user)
{
    struct push_counters counters;
    push_counters(((struct watch *)user)->push, &counters);
    return (int64_t)counters.slow_readers;
}

static struct callbacks_counters calls_of(const struct watch *watch)
{
    struct callbacks_counters counters = {0};
    if (watch->callbacks != NULL) {
        callbacks_counters(watch->callbacks, &counters);
    }
    return counters;
}

static int64_t callbacks_calls(void *user)
{
    return (int64_t)calls_of(user).calls;
}

static int64_t callbacks_failures(void *user)
{
    return (int64_t)calls_of(user).failures;
}

static int64_t callbacks_open_breakers(void *user)
{
    return (int64_t)calls_of(user).open_breakers;
}

static int64_t gate_connections(void *user)
{
    struct gate_counters counters;
    gate_counters(((struct watch *)user)->gate, &counters);
    return (int64_t)counters.connections_now;
}

static int64_t gate_handshakes(void *user)
{
    struct gate_counters counters;
    gate_counters(((struct watch *)user)->gate, &counters);
    return (int64_t)counters.handshakes;
}

static int64_t gate_handshake_failures(void *user)
{
    struct gate_counters counters;
    gate_counters(((struct watch *)user)->gate, &counters);
    uint64_t sum = 0;
    for (size_t i = 0; i < GATE_HANDSHAKE_FAILURE_COUNT; i++) {
        sum += counters.handshake_failures[i];
    }
    return (int64_t)sum;
}

static int64_t gate_cuts(void *user)
{
    struct gate_counters counters;
    gate_counters(((struct watch *)user)->gate, &counters);
    uint64_t sum = 0;
    for (size_t i = 0; i < GATE_CUT_COUNT; i++) {
        sum += counters.cuts[i];
    }
    for (size_t i = 0; i < FRAMES_VERDICT_COUNT; i++) {
        sum += counters.frame_cuts[i];
    }
    return (int64_t)sum;
}

/* Over all authorities. */
static int64_t source_sum(struct watch *watch, uint64_t (*value)(const struct source_stats *stats))
{
    uint64_t sum = 0;
    struct source_stats stats;
    for (size_t i = 0; source_stats_read(&stats, watch->source, i); i++) {
        sum += value(&stats);
    }
    return (int64_t)sum;
}

static uint64_t requests_of(const struct source_stats *stats)
{
    return stats->requests;
}

static uint64_t manual_of(const struct source_stats *stats)
{
    return stats->manual;
}

static uint64_t closed_of(const struct source_stats *stats)
{
    return stats->closed;
}

static uint64_t reused_of(const struct source_stats *stats)
{
    return stats->reused;
}

static uint64_t open_breakers_of(const struct source_stats *stats)
{
    return stats->breaker_open ? 1 : 0;
}

static int64_t source_requests(void *user)
{
    return source_sum(user, requests_of);
}

static int64_t source_manual(void *user)
{
    return source_sum(user, manual_of);
}

static int64_t source_closed(void *user)
{
    return source_sum(user, closed_of);
}

static int64_t source_reused(void *user)
{
    return source_sum(user, reused_of);
}

static int64_t source_open_breakers(void *user)
{
    return source_sum(user, open_breakers_of);
}

static int64_t store_commit_count(void *user)
{
    return (int64_t)store_commits(((struct watch *)user)->store);
}

/* -- How long things take ------------------------------------------------------------------------------------ */

static void replied(void *user, size_t method, int64_t took_ms)
{
    ops_histogram_observe(((struct watch *)user)->replies[method], took_ms);
}

static void decided(void *user, int64_t took_ms)
{
    ops_histogram_observe(((struct watch *)user)->decisions, took_ms);
}

struct cl_status watch_meter(struct api_meter *out, struct watch *watch, struct ops_metrics *metrics)
{
    /* A reply is a commit; a decision waits for authorities, a bank, and people: the law gives it ten working days. */
    static const struct ops_buckets reply_ms = {
        .bounds = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 30000}, .count = 14, .per_unit = 1000};
    static const struct ops_buckets decision_ms = {.bounds = {100, 500, 1000, 2000, 5000, 10000, 30000, 60000, 300000,
                                                              1800000, 3600000, 14400000, 86400000, 259200000,
                                                              864000000},
                                                   .count = 15,
                                                   .per_unit = 1000};
    struct ops_name name = {
        .name = "coloan_reply_seconds", .help = "From a message's arrival to its signed reply.", .label = "method"};
    struct cl_status status = cl_ok();
    for (size_t i = 0; cl_is_ok(status) && i < API_METHOD_COUNT; i++) {
        if (api_method_at(i)->way != API_STREAM) {
            name.label_value = api_method_name(api_method_at(i));
            status = ops_metrics_histogram(&watch->replies[i], metrics, &name, &reply_ms);
        }
    }
    name = (struct ops_name){.name = "coloan_decision_seconds",
                             .help = "From an application's submission to its joint decision."};
    if (cl_is_ok(status)) {
        status = ops_metrics_histogram(&watch->decisions, metrics, &name, &decision_ms);
    }
    if (cl_is_ok(status)) {
        *out = (struct api_meter){.replied = replied, .decided = decided, .user = watch};
    }
    return status;
}

/* -- What is counted ----------------------------------------------------------------------------------------- */

static struct cl_status register_calls(struct watch *watch, struct ops_metrics *metrics)
{
    struct ops_name name = {.name = "coloan_calls_total",
                            .help = "Messages that reached the api, frames of streams among them.",
                            .label = "method"};
    struct cl_status status = cl_ok();
    for (size_t i = 0; cl_is_ok(status) && i < API_METHOD_COUNT; i++) {
        name.label_value = api_method_name(api_method_at(i));
        status = ops_metrics_reader(metrics, &name, OPS_COUNTER, api_counter, &api_counters(watch->api)->calls[i]);
    }
    return status;
}

static struct cl_status register_refusals(struct watch *watch, struct ops_metrics *metrics)
{
    struct ops_name name = {
        .name = "coloan_refusals_total", .help = "Calls and streams refused with a reason.", .label = "reason"};
    struct cl_status status = cl_ok();
    for (unsigned i = 0; cl_is_ok(status) && i < API_REASON_COUNT; i++) {
        name.label_value = cl_reason_at(i)->name;
        status = ops_metrics_reader(metrics, &name, OPS_COUNTER, api_counter, &api_counters(watch->api)->refusals[i]);
    }
    return status;
}

static int64_t api_gauge(void *user)
{
    return atomic_load_explicit((atomic_int_least64_t *)user, memory_order_relaxed);
}

static struct cl_status register_cases(struct watch *watch, struct ops_metrics *metrics)
{
    struct api_counters *counters = api_counters(watch->api);
    struct ops_name name = {.name = "coloan_cases", .help = "Applications by state.", .label = "state"};
    struct cl_status status = cl_ok();
    for (int i = CASE_NONE + 1; cl_is_ok(status) && i < CASE_STATE_COUNT; i++) {
        name.label_value = lifecycle_state_name((enum case_state)i);
        status = ops_metrics_reader(metrics, &name, OPS_GAUGE, api_gauge, &counters->cases[i]);
    }
    struct ops_name overdue = {.name = "coloan_cases_overdue",
                               .help = "Applications that the fund has not decided within the law's time."};
    return cl_is_ok(status) ? ops_metrics_reader(metrics, &overdue, OPS_GAUGE, api_gauge, &counters->overdue) : status;
}

static struct cl_status register_time(struct watch *watch, struct ops_metrics *metrics)
{
    struct api_counters *counters = api_counters(watch->api);
    const struct {
        const char *name, *help;
        atomic_uint_least64_t *counter;
    } rows[] = {
        {"coloan_half_disbursed_total", "Alarms: one of two legs is paid; again each day until the other is.",
         &counters->alarms[CASE_ALARM_HALF_DISBURSED]},
        {"coloan_decision_overdue_total", "Alarms: the fund has not decided in time; again each day until it has.",
         &counters->alarms[CASE_ALARM_DECISION_OVERDUE]},
        {"coloan_events_parked_total", "Alarms: an event could not be delivered and was parked.",
         &counters->alarms[CASE_ALARM_EVENT_PARKED]},
        {"coloan_polls_total", "Questions asked again for what an authority did not know yet.", &counters->polls},
        {"coloan_due_done_total", "Pieces of work done because they were due.", &counters->due_done},
        {"coloan_due_failed_total", "Pieces of due work that failed and were put off.", &counters->due_failed},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ops_name name = {.name = rows[i].name, .help = rows[i].help};
        struct cl_status status = ops_metrics_reader(metrics, &name, OPS_COUNTER, api_counter, rows[i].counter);
        if (cl_failed(status)) {
            return status;
        }
    }
    return cl_ok();
}

static struct cl_status register_tasks(struct watch *watch, struct ops_metrics *metrics)
{
    static const char *const kinds[TASK_KINDS] = {
        [1] = "item",           [2] = "decision", [3] = "check",   [4] = "registration",
        [5] = "half_disbursed", [6] = "deadline", [7] = "override"};
    static const char *const steps[OFFICER_STEP_COUNT] = {
        [OFFICER_CLAIM] = "claim",     [OFFICER_RELEASE] = "release", [OFFICER_SETTLE] = "settle",
        [OFFICER_PROPOSE] = "propose", [OFFICER_CONFIRM] = "confirm", [OFFICER_WITHDRAW] = "withdraw"};
    struct review_counters *review = &api_counters(watch->api)->review;
    struct ops_name name = {
        .name = "coloan_tasks_open", .help = "Tasks that wait for officers, claimed ones among them.", .label = "kind"};
    struct cl_status status = cl_ok();
    for (size_t i = 1; cl_is_ok(status) && i < TASK_KINDS; i++) {
        name.label_value = kinds[i];
        status = ops_metrics_reader(metrics, &name, OPS_GAUGE, api_gauge, &review->tasks_open[i]);
    }
    name = (struct ops_name){.name = "coloan_officer_steps_total",
                             .help = "What officers did, since the database was made.",
                             .label = "step"};
    for (size_t i = OFFICER_CLAIM; cl_is_ok(status) && i < OFFICER_STEP_COUNT; i++) {
        name.label_value = steps[i];
        status = ops_metrics_reader(metrics, &name, OPS_COUNTER, api_gauge, &review->steps[i]);
    }
    return status;
}

/* Of the loan reasons, those that can be a reason to ask a person are few, but which they are the rules decide. */
static struct cl_status register_reviews(struct watch *watch, struct ops_metrics *metrics)
{
    struct review_counters *review = &api_counters(watch->api)->review;
    struct ops_name referred = {.name = "coloan_referrals_total",
                                .help = "Items left to a person, since the database was made.",
                                .label = "reason"};
    struct ops_name overridden = {.name = "coloan_overrides_total",
                                  .help = "Items changed by two officers, by what their answer had meant before.",
                                  .label = "reason"};
    struct cl_status status = cl_ok();
    for (unsigned i = 0; cl_is_ok(status) && i < CL_LOAN_REASON_COUNT; i++) {
        const char *code = cl_loan_reason_code((enum cl_loan_reason)i);
        referred.label_value = code[0] == '\0' ? "none" : code;
        overridden.label_value = referred.label_value;
        status = ops_metrics_reader(metrics, &referred, OPS_COUNTER, api_gauge, &review->referred[i]);
        if (cl_is_ok(status)) {
            status = ops_metrics_reader(metrics, &overridden, OPS_COUNTER, api_gauge, &review->overridden[i]);
        }
    }
    return status;
}

static struct archive_stats archive_of(void *user)
{
    struct archive_stats stats;
    store_archive_stats(((struct watch *)user)->store, &stats);
    return stats;
}

static int64_t archive_pending(void *user)
{
    return (int64_t)archive_of(user).pending;
}

static int64_t archive_lag(void *user)
{
    int64_t oldest_ms = archive_of(user).oldest_ms;
    int64_t now_ms = cl_clock_unix_ms(((struct watch *)user)->clock);
    return oldest_ms == 0 || now_ms < oldest_ms ? 0 : (now_ms - oldest_ms) / 1000;
}

static int64_t archive_breaks(void *user)
{
    return (int64_t)archive_of(user).breaks;
}

static int64_t archive_stalled(void *user)
{
    return archive_of(user).stalled ? 1 : 0;
}

static int64_t archive_broken(void *user)
{
    return archive_of(user).broken ? 1 : 0;
}

static struct cl_status register_rooms(struct watch *watch, struct ops_metrics *metrics)
{
    static const struct {
        const char *name, *help;
        enum ops_type type;
        int64_t (*read)(void *user);
    } rows[] = {
        {"coloan_replies_total", "Calls answered with a signed reply.", OPS_COUNTER, api_replies},
        {"coloan_repeats_total", "Calls answered with the reply kept from before.", OPS_COUNTER, api_repeats},
        {"coloan_store_commits_total", "Transactions committed; one carries what waited at the time.", OPS_COUNTER,
         store_commit_count},
        {"coloan_archive_pending_commits", "Commits that are not durable in the archive yet.", OPS_GAUGE,
         archive_pending},
        {"coloan_archive_lag_seconds", "Since the first of them.", OPS_GAUGE, archive_lag},
        {"coloan_archive_stalled", "1: the archive's disk does not take it; the log grows.", OPS_GAUGE,
         archive_stalled},
        {"coloan_archive_broken", "1: nothing is archived; the line broke and no other has begun.", OPS_GAUGE,
         archive_broken},
        {"coloan_archive_breaks_total", "Lines of the archive that were broken off: each needs a new backup.",
         OPS_COUNTER, archive_breaks},
        {"coloan_push_streams", "Deliver streams open.", OPS_GAUGE, push_streams},
        {"coloan_push_events_total", "Events sent on streams, repeats among them.", OPS_COUNTER, push_events},
        {"coloan_push_slow_readers_total", "Streams ended because the bank did not read.", OPS_COUNTER,
         push_slow_readers},
        {"coloan_callbacks_total", "Calls to banks' inboxes.", OPS_COUNTER, callbacks_calls},
        {"coloan_callbacks_failed_total", "Calls that the bank or the way to it failed.", OPS_COUNTER,
         callbacks_failures},
        {"coloan_callbacks_open_breakers", "Banks with an inbox that are left alone for now.", OPS_GAUGE,
         callbacks_open_breakers},
        {"coloan_gate_connections", "Connections with a verified party.", OPS_GAUGE, gate_connections},
        {"coloan_gate_handshakes_total", "TLS handshakes completed.", OPS_COUNTER, gate_handshakes},
        {"coloan_gate_handshake_failures_total", "TLS handshakes that came to nothing.", OPS_COUNTER,
         gate_handshake_failures},
        {"coloan_gate_cuts_total", "Established connections ended by a rule of the gate.", OPS_COUNTER, gate_cuts},
        {"coloan_source_requests_total", "Requests to authorities, retries among them.", OPS_COUNTER, source_requests},
        {"coloan_source_manual_total", "Questions left to a person.", OPS_COUNTER, source_manual},
        {"coloan_source_closed_total", "Questions that came outside an authority's hours.", OPS_COUNTER, source_closed},
        {"coloan_source_reused_total", "Questions answered with an answer that another case had got.", OPS_COUNTER,
         source_reused},
        {"coloan_source_open_breakers", "Authorities left alone for now.", OPS_GAUGE, source_open_breakers},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ops_name name = {.name = rows[i].name, .help = rows[i].help};
        struct cl_status status = ops_metrics_reader(metrics, &name, rows[i].type, rows[i].read, watch);
        if (cl_failed(status)) {
            return status;
        }
    }
    return cl_ok();
}

struct cl_status watch_register(struct watch *watch, struct ops_metrics *metrics)
{
    struct cl_status status = register_calls(watch, metrics);
    if (cl_is_ok(status)) {
        status = register_refusals(watch, metrics);
    }
    if (cl_is_ok(status)) {
        status = register_cases(watch, metrics);
    }
    if (cl_is_ok(status)) {
        status = register_time(watch, metrics);
    }
    if (cl_is_ok(status)) {
        status = register_tasks(watch, metrics);
    }
    if (cl_is_ok(status)) {
        status = register_reviews(watch, metrics);
    }
    return cl_is_ok(status) ? register_rooms(watch, metrics) : status;
}

/* -- Banks ---------------------------------------------------------------------------------------------------- */

static struct cl_status register_bank(struct ops_metrics *metrics, struct bank_counters *bank)
{
    const struct {
        const char *name, *help;
        atomic_int_least64_t *value;
    } rows[] = {
        {"coloan_events_unreceived", "Events above the last one up to which the bank has received all.",
         &bank->unreceived},
        {"coloan_events_unapplied", "Events above the last one up to which the bank has applied all.",
         &bank->unapplied},
        {"coloan_events_unapplied_since_ms",
         "When the oldest event was made that is not applied (Unix ms); 0: all are.", &bank->unapplied_since_ms},
        {"coloan_events_waiting", "Events that failed and wait for their next try.", &bank->waiting},
        {"coloan_events_parked", "Events that somebody has to let go on.", &bank->parked},
        {"coloan_events_tries_max", "Failed tries of the event that failed most, of those that wait or are parked.",
         &bank->tries_max},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct ops_name name = {
            .name = rows[i].name, .help = rows[i].help, .label = "bank", .label_value = bank->party};
        struct cl_status status = ops_metrics_reader(metrics, &name, OPS_GAUGE, api_gauge, rows[i].value);
        if (cl_failed(status)) {
            return status;
        }
    }
    return cl_ok();
}

void watch_banks(struct watch *watch, struct ops_metrics *metrics)
{
    struct api_counters *counters = api_counters(watch->api);
    while (watch->bank_count < atomic_load(&counters->bank_count)) {
        struct bank_counters *bank = &counters->banks[watch->bank_count++];
        if (cl_failed(register_bank(metrics, bank))) {
            cl_log(CL_LOG_WARNING, "watch.no_room", cl_log_text("party", bank->party));
        }
    }
}

struct cl_status watch_address(char *host_out, size_t host_bytes, uint16_t *port_out, const char *address)
{
    const char *colon = strrchr(address, ':');
    bool bracketed = address[0] == '[';
    if (colon == NULL || colon == address || (bracketed && colon[-1] != ']')) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    char *end = NULL;
    unsigned long port = strtoul(colon + 1, &end, 10);
    const char *host = bracketed ? address + 1 : address;
    size_t len = (size_t)(colon - host) - (bracketed ? 1 : 0);
    if (end == colon + 1 || *end != '\0' || port > UINT16_MAX || len == 0 || len >= host_bytes) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    memcpy(host_out, host, len);
    host_out[len] = '\0';
    *port_out = (uint16_t)port;
    return cl_ok();
}
