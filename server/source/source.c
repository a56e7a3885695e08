/* How it works.
 *
 * One thread drives all requests (wires.h). A question waits at its authority until one of the authority's slots is free
 * (the bulkhead: a slow authority fills its own slots and nobody else's), fewer requests than the total limit are on
 * the way, and the breaker lets it. It then keeps its slot through all attempts and the pauses between them.
 *
 * The breaker opens after so many failures of the way in a row. While it is open, one request at a time tries whether
 * the authority is back; the others wait, so that an outage of a second costs nobody a person's work. Who waited longer
 * than the deadline of a question is handed to an officer.
 *
 * A question that comes outside its authority's hours is not sent and not kept: it goes back unanswered, with the moment
 * to ask again, so that no personal value waits here for the morning. An answer that may serve other cases is kept under
 * a keyed hash of its question (cache.h), and the next such question is answered with it at once.
 *
 * Nothing here reads a value of an answer: wording.c judges answers, this file only moves them. */
#include "server/source/source.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "libcoloan/date.h"
#include "libcoloan/log.h"
#include "libcoloan/queue.h"
#include "server/source/authority.h"
#include "server/source/cache.h"
#include "server/source/hours.h"
#include "server/source/wires.h"

enum {
    IN_FLIGHT_MAX = 1024,
    INQUIRIES_DEFAULT = 1024, /* seconds of work, at some 20 questions each */
    INQUIRIES_MAX = 65536,
    DEADLINE_MS_DEFAULT = 5000, /* the fastest decisions take two seconds; an officer is slower than a second attempt */
    WAIT_MS_DEFAULT = 30 * 1000,
    RETRY_MS_DEFAULT = 100,
    TIME_MS_MAX = 10 * 60 * 1000,
    TAKE_MAX = 64,      /* inquiries in one turn, so that answers are not kept waiting */
    PROBE_LOOK_MS = 20, /* how often a pausing question looks whether the probe came back */
    IDLE_MS = 1000,     /* the longest sleep; new work wakes us */
    SEND_MS_MIN = 10,   /* with less time left an attempt is not worth making */
    URL_BYTES_MAX = 256 + SOURCE_URL_PATH_BYTES_MAX + 1
};

struct source {
    struct authority *authorities;
    size_t authority_count;
    size_t turn; /* the authority that is served first this turn */
    size_t in_flight, in_flight_max;
    int64_t deadline_ms, wait_ms_max, retry_ms;
    size_t inquiries_max;
    atomic_size_t inquiries; /* accepted and not handed back */
    const struct cl_clock *clock;
    void (*random)(void *user, void *out, size_t len);
    void *random_user;
    struct source_cache *cache; /* NULL: no authority's answers are kept */
    uint8_t cache_key[32];
    struct cl_queue *queue;
    struct wires *wires;
    pthread_t thread;
    bool started;
    atomic_bool stopping;
};

/* -- Making and freeing -------------------------------------------------------------------------------------- */

static void machine_random(void *user, void *out, size_t len)
{
    (void)user;
    ssize_t got = getrandom(out, len, 0);
    assert(got == (ssize_t)len); /* never short up to 256 bytes once the machine has started */
}

static void global_init(void)
{
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    assert(code == CURLE_OK);
}

static int64_t or_default(int64_t value, int64_t fallback)
{
    return value != 0 ? value : fallback;
}

static bool options_valid(const struct source_options *options)
{
    return options->authority_count >= 1 && options->authority_count <= SOURCE_AUTHORITIES_MAX &&
           options->in_flight_max <= IN_FLIGHT_MAX && options->inquiries_max <= INQUIRIES_MAX &&
           options->deadline_ms >= 0 && options->deadline_ms <= TIME_MS_MAX && options->wait_ms_max >= 0 &&
           options->wait_ms_max <= TIME_MS_MAX && options->retry_ms >= 0 && options->retry_ms <= TIME_MS_MAX;
}

static struct cl_status init_authorities(struct source *source, const struct source_options *options)
{
    uint64_t served = 0;
    source->authorities = calloc(options->authority_count, sizeof source->authorities[0]);
    if (source->authorities == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    source->authority_count = options->authority_count;
    for (size_t i = 0; i < options->authority_count; i++) {
        struct cl_status status = authority_init(&source->authorities[i], &options->authorities[i]);
        if (cl_failed(status)) {
            return status;
        }
        if ((served & source->authorities[i].items) != 0) {
            return cl_fail(CL_CONFIG_INVALID);
        }
        served |= source->authorities[i].items;
    }
    return cl_ok();
}

/* A lower total would hold up a fast authority's questions behind a slow one's. */
static size_t all_slots(const struct source *source)
{
    size_t count = 0;
    for (size_t i = 0; i < source->authority_count; i++) {
        count += source->authorities[i].slot_count;
    }
    return count < IN_FLIGHT_MAX ? count : IN_FLIGHT_MAX;
}

static struct cl_status init(struct source *source, const struct source_options *options)
{
    source->inquiries_max = (size_t)or_default((int64_t)options->inquiries_max, INQUIRIES_DEFAULT);
    source->deadline_ms = or_default(options->deadline_ms, DEADLINE_MS_DEFAULT);
    source->wait_ms_max = or_default(options->wait_ms_max, WAIT_MS_DEFAULT);
    source->retry_ms = or_default(options->retry_ms, RETRY_MS_DEFAULT);
    source->clock = options->clock != NULL ? options->clock : cl_clock_system();
    source->random = options->random != NULL ? options->random : machine_random;
    source->random_user = options->random_user;
    struct cl_status status = cl_queue_create(&source->queue, source->inquiries_max);
    if (cl_is_ok(status)) {
        status = init_authorities(source, options);
    }
    for (size_t i = 0; cl_is_ok(status) && source->cache == NULL && i < source->authority_count; i++) {
        status = source->authorities[i].cache ? source_cache_create(&source->cache) : cl_ok();
    }
    if (cl_failed(status)) {
        return status;
    }
    source->random(source->random_user, source->cache_key, sizeof source->cache_key);
    source->in_flight_max = options->in_flight_max != 0 ? options->in_flight_max : all_slots(source);
    return wires_create(&source->wires, source->in_flight_max);
}

struct cl_status source_create(struct source **out, const struct source_options *options)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, global_init);
    if (!options_valid(options)) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    struct source *source = calloc(1, sizeof *source);
    if (source == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = init(source, options);
    if (cl_failed(status)) {
        source_free(source);
        return status;
    }
    *out = source;
    return cl_ok();
}

void source_free(struct source *source)
{
    if (source == NULL) {
        return;
    }
    assert(!source->started);
    for (size_t i = 0; i < source->authority_count; i++) {
        authority_close(&source->authorities[i]);
    }
    free(source->authorities);
    wires_free(source->wires);
    cl_queue_free(source->queue);
    source_cache_free(source->cache);
    explicit_bzero(source->cache_key, sizeof source->cache_key);
    free(source);
}

/* -- Asking, from any thread --------------------------------------------------------------------------------- */

struct cl_status source_ask(struct source *source, struct source_inquiry *inquiry)
{
    if (inquiry->question_count == 0 || inquiry->answered == NULL) {
        return cl_fail(CL_FIELD_INVALID);
    }
    if (atomic_fetch_add(&source->inquiries, 1) >= source->inquiries_max) {
        (void)atomic_fetch_sub(&source->inquiries, 1);
        return cl_fail(CL_OVERLOADED);
    }
    inquiry->stopped = false;
    inquiry->ask_again_ms = 0;
    inquiry->open_count = inquiry->question_count;
    int64_t now_ms = cl_clock_monotonic_ms(source->clock);
    for (size_t i = 0; i < inquiry->question_count; i++) {
        struct source_question *question = &inquiry->questions[i];
        question->answer = (struct source_answer){.outcome = SOURCE_OPEN};
        question->asked_at_ms = now_ms;
        question->last_failure = SOURCE_UNREACHABLE;
    }
    struct cl_status status = cl_queue_push(source->queue, inquiry);
    if (cl_failed(status)) {
        (void)atomic_fetch_sub(&source->inquiries, 1);
        return status;
    }
    wires_wake(source->wires);
    return cl_ok();
}

bool source_stats_read(struct source_stats *out, struct source *source, size_t index)
{
    if (index >= source->authority_count) {
        return false;
    }
    authority_stats(out, &source->authorities[index]);
    return true;
}

/* -- The end of a question ----------------------------------------------------------------------------------- */

static void count_answer(struct authority *authority, const struct source_answer *answer)
{
    atomic_uint_fast64_t *count = answer->outcome == SOURCE_PASS   ? &authority->passed
                                  : answer->outcome == SOURCE_FAIL ? &authority->failed
                                                                   : &authority->manual;
    (void)atomic_fetch_add(count, 1);
}

/* With its last question the inquiry goes home. */
static void let_go(struct source *source, struct source_question *question)
{
    struct source_inquiry *inquiry = question->inquiry;
    inquiry->open_count--;
    if (inquiry->open_count > 0) {
        return;
    }
    (void)atomic_fetch_sub(&source->inquiries, 1);
    inquiry->answered(inquiry);
}

/* The question has its answer. `authority` is NULL when nobody serves it. */
static void close_question(struct source *source, struct authority *authority, struct source_question *question)
{
    assert(question->answer.outcome != SOURCE_OPEN);
    if (authority != NULL) {
        count_answer(authority, &question->answer);
    }
    let_go(source, question);
}

/* To an officer, for want of an answer. */
static void give_up(struct source *source, struct authority *authority, struct source_question *question,
                    enum source_failure failure)
{
    struct source_answer *answer = &question->answer;
    answer->outcome = SOURCE_MANUAL;
    answer->failure = failure;
    answer->observed_ms = cl_clock_unix_ms(source->clock);
    if (authority != NULL) {
        (void)snprintf(answer->authority, sizeof answer->authority, "%s", authority->name);
    }
    close_question(source, authority, question);
}

static struct source_question *release_slot(struct slot *slot)
{
    struct source_question *question = slot->question;
    exchange_wipe(&slot->exchange);
    slot->question = NULL;
    slot->next_free = slot->authority->free_slots;
    slot->authority->free_slots = slot;
    return question;
}

/* -- Sending ------------------------------------------------------------------------------------------------- */

static int64_t deadline_of(const struct source *source, const struct source_question *question)
{
    return question->first_sent_at_ms + source->deadline_ms;
}

/* SYSTEM and FIELD_INVALID are for good: nothing was sent. */
static struct cl_status send_question(struct source *source, struct slot *slot, int64_t now_ms)
{
    struct authority *authority = slot->authority;
    struct source_question *question = slot->question;
    uint8_t request_id[SOURCE_REQUEST_ID_BYTES];
    char url[URL_BYTES_MAX];
    source->random(source->random_user, request_id, sizeof request_id);
    const struct source_mapping *mapping = authority_mapping(authority, question->item);
    struct cl_status status = exchange_write(&slot->exchange, question, mapping, request_id);
    if (cl_failed(status)) {
        return status;
    }
    int64_t left_ms = deadline_of(source, question) - now_ms;
    (void)snprintf(url, sizeof url, "%s%s", authority->base_url, mapping->path);
    status = exchange_send(&slot->exchange, wires_multi(source->wires), url,
                           left_ms < authority->timeout_ms ? left_ms : authority->timeout_ms);
    if (cl_failed(status)) {
        return status;
    }
    slot->sent = true;
    source->in_flight++;
    question->answer.attempts++;
    cl_breaker_sent(&authority->breaker);
    (void)atomic_fetch_add(&authority->requests, 1);
    (void)atomic_fetch_add(&authority->retries, question->answer.attempts > 1 ? 1 : 0);
    return cl_ok();
}

/* A value that the request needs is missing or no text: nobody knows whom or what was meant. */
static void send_or_give_up(struct source *source, struct slot *slot, int64_t now_ms)
{
    struct cl_status status = send_question(source, slot, now_ms);
    if (cl_is_ok(status)) {
        return;
    }
    struct authority *authority = slot->authority;
    give_up(source, authority, release_slot(slot),
            status.reason == CL_FIELD_INVALID ? SOURCE_AMBIGUOUS : SOURCE_UNREACHABLE);
}

/* -- One authority's turn ------------------------------------------------------------------------------------ */

/* Nobody waits for ever, and for an authority that is down not longer than for its answer. Returns when the next one
 * would give up. */
static int64_t expire_waiting(struct source *source, struct authority *authority, int64_t now_ms)
{
    bool down = authority->breaker.open;
    bool slowed = now_ms < authority->breaker.held_until_ms;
    int64_t patience_ms = down ? source->deadline_ms : source->wait_ms_max;
    while (authority->waiting_head != NULL && now_ms - authority->waiting_head->asked_at_ms >= patience_ms) {
        struct source_question *question = authority_next_waiting(authority);
        give_up(source, authority, question, down ? SOURCE_UNREACHABLE : (slowed ? SOURCE_THROTTLED : SOURCE_TIMEOUT));
    }
    return authority->waiting_head == NULL ? now_ms + IDLE_MS : authority->waiting_head->asked_at_ms + patience_ms;
}

/* A slot whose pause is over tries again, if it may and there is time. */
static void wake_slot(struct source *source, struct slot *slot, int64_t now_ms)
{
    struct authority *authority = slot->authority;
    int64_t deadline_ms = deadline_of(source, slot->question);
    if (now_ms + SEND_MS_MIN > deadline_ms) {
        authority->pausing_count--;
        enum source_failure failure = slot->question->last_failure;
        give_up(source, authority, release_slot(slot), failure);
        return;
    }
    if (!cl_breaker_lets(&authority->breaker, now_ms)) {
        int64_t held_until_ms = authority->breaker.held_until_ms;
        slot->due_ms = held_until_ms > now_ms ? held_until_ms : now_ms + PROBE_LOOK_MS;
        slot->due_ms = slot->due_ms < deadline_ms ? slot->due_ms : deadline_ms;
        return;
    }
    if (source->in_flight < source->in_flight_max) {
        authority->pausing_count--;
        send_or_give_up(source, slot, now_ms);
    }
}

/* Returns when the next pause is over. What only waits for a place among all requests is woken by an answer. */
static int64_t wake_slots(struct source *source, struct authority *authority, int64_t now_ms)
{
    int64_t next_ms = now_ms + IDLE_MS;
    if (authority->pausing_count == 0) {
        return next_ms;
    }
    for (size_t i = 0; i < authority->slot_count; i++) {
        struct slot *slot = &authority->slots[i];
        if (slot->question != NULL && !slot->sent && slot->due_ms <= now_ms) {
            wake_slot(source, slot, now_ms);
        }
        bool pausing = slot->question != NULL && !slot->sent && slot->due_ms > now_ms;
        next_ms = pausing && slot->due_ms < next_ms ? slot->due_ms : next_ms;
    }
    return next_ms;
}

static void send_waiting(struct source *source, struct authority *authority, int64_t now_ms)
{
    while (authority->waiting_head != NULL && authority->free_slots != NULL &&
           source->in_flight < source->in_flight_max && cl_breaker_lets(&authority->breaker, now_ms)) {
        struct slot *slot = authority->free_slots;
        authority->free_slots = slot->next_free;
        slot->question = authority_next_waiting(authority);
        slot->question->first_sent_at_ms = now_ms;
        slot->sent = false;
        send_or_give_up(source, slot, now_ms);
    }
}

/* Lets everybody go that may; returns when to look again, at the latest. The first in turn changes, so that no
 * authority can keep the others from the places of the total limit. */
static int64_t advance(struct source *source, int64_t now_ms)
{
    int64_t next_ms = now_ms + IDLE_MS;
    source->turn++;
    for (size_t i = 0; i < source->authority_count; i++) {
        struct authority *authority = &source->authorities[(source->turn + i) % source->authority_count];
        int64_t patience_ms = expire_waiting(source, authority, now_ms);
        int64_t due_ms = wake_slots(source, authority, now_ms);
        send_waiting(source, authority, now_ms);
        int64_t held_until_ms = authority->breaker.held_until_ms;
        next_ms = patience_ms < next_ms ? patience_ms : next_ms;
        next_ms = due_ms < next_ms ? due_ms : next_ms;
        next_ms = held_until_ms > now_ms && held_until_ms < next_ms ? held_until_ms : next_ms;
    }
    return next_ms;
}

/* -- What comes back ----------------------------------------------------------------------------------------- */

static enum source_failure judge(struct source *source, struct slot *slot, struct exchange_end end)
{
    struct source_question *question = slot->question;
    if (end.failure != SOURCE_FAILURE_NONE) {
        return end.failure;
    }
    struct cl_bytes body = cl_bytes(slot->exchange.answer, slot->exchange.answer_len);
    return source_answer_read(&question->answer, question, slot->exchange.mapping, body, slot->exchange.request_id,
                              cl_clock_unix_ms(source->clock));
}

static void tell_breaker(struct authority *authority, enum source_failure failure, int64_t pause_ms, int64_t now_ms)
{
    if (!source_failure_is_technical(failure)) {
        cl_breaker_succeeded(&authority->breaker);
    } else if (failure == SOURCE_THROTTLED) {
        cl_breaker_throttled(&authority->breaker, now_ms, pause_ms);
    } else if (cl_breaker_failed(&authority->breaker, now_ms)) {
        (void)atomic_fetch_add(&authority->breaker_opened, 1);
        cl_log(CL_LOG_WARNING, "source.breaker_opened", cl_log_text("authority", authority->name),
               cl_log_number("failure_kind", failure));
    }
    bool was_open = atomic_exchange(&authority->breaker_open, authority->breaker.open);
    if (was_open && !authority->breaker.open) {
        cl_log(CL_LOG_INFO, "source.breaker_closed", cl_log_text("authority", authority->name));
    }
}

/* The authority's or the source's retry_ms, doubled with each attempt; by chance between half and whole, so that many do not come back at once. */
static int64_t pause_after(struct source *source, const struct authority *authority,
                           const struct source_question *question)
{
    uint32_t chance = 0;
    source->random(source->random_user, &chance, sizeof chance);
    int64_t whole_ms = or_default(authority->retry_ms, source->retry_ms) << (question->answer.attempts - 1);
    whole_ms = whole_ms < source->deadline_ms ? whole_ms : source->deadline_ms;
    return whole_ms / 2 + (int64_t)((uint64_t)(whole_ms - whole_ms / 2) * chance >> 32);
}

static void retry_or_give_up(struct source *source, struct slot *slot, enum source_failure failure, int64_t pause_ms,
                             int64_t now_ms)
{
    struct authority *authority = slot->authority;
    struct source_question *question = slot->question;
    question->last_failure = failure;
    bool no_more = question->answer.attempts >= authority->attempts;
    if (no_more || now_ms + pause_ms + SEND_MS_MIN > deadline_of(source, question)) {
        give_up(source, authority, release_slot(slot), failure);
        return;
    }
    slot->due_ms = now_ms + pause_ms;
    authority->pausing_count++;
}

/* The last moment of the calendar day in China, `days` - 1 after that of the observation. */
static int64_t reuse_until_ms(int64_t observed_ms, unsigned days)
{
    int64_t day_ms = INT64_C(24) * 3600 * 1000;
    return cl_date_to_ms(cl_date_from_ms(observed_ms)) + days * day_ms - 1;
}

/* A pass only: whatever else an authority said, it may say otherwise to the next who asks. */
static void keep_answer(struct source *source, const struct authority *authority,
                        const struct source_question *question)
{
    const struct source_answer *answer = &question->answer;
    if (!authority->cache || question->reuse_days == 0 || answer->outcome != SOURCE_PASS ||
        !cl_date_covers_ms(answer->observed_ms)) {
        return;
    }
    struct cl_digest digest;
    source_question_digest(&digest, cl_bytes(source->cache_key, sizeof source->cache_key), question);
    source_cache_keep(source->cache, &digest, answer, cl_clock_unix_ms(source->clock),
                      reuse_until_ms(answer->observed_ms, question->reuse_days));
}

/* Whether another case's answer serves. */
static bool reuse_answer(struct source *source, struct authority *authority, struct source_question *question)
{
    if (!authority->cache || question->reuse_days == 0) {
        return false;
    }
    struct cl_digest digest;
    source_question_digest(&digest, cl_bytes(source->cache_key, sizeof source->cache_key), question);
    if (!source_cache_find(&question->answer, source->cache, &digest, cl_clock_unix_ms(source->clock))) {
        return false;
    }
    (void)atomic_fetch_add(&authority->reused, 1);
    return true;
}

static void settle(struct source *source, struct slot *slot, enum source_failure failure)
{
    struct authority *authority = slot->authority;
    struct source_question *question = release_slot(slot);
    if (question->answer.outcome == SOURCE_OPEN) { /* our token was refused: the officer knows whom to call */
        cl_log(CL_LOG_ERROR, "source.token_refused", cl_log_text("authority", authority->name));
        give_up(source, authority, question, failure);
        return;
    }
    (void)snprintf(question->answer.authority, sizeof question->answer.authority, "%s", authority->name);
    keep_answer(source, authority, question);
    close_question(source, authority, question);
}

static void finish(struct source *source, struct slot *slot, CURLcode code, int64_t now_ms)
{
    struct authority *authority = slot->authority;
    struct exchange_end end = exchange_finish(&slot->exchange, wires_multi(source->wires), code);
    slot->sent = false;
    source->in_flight--;
    enum source_failure failure = judge(source, slot, end);
    int64_t pause_ms = pause_after(source, authority, slot->question);
    pause_ms = end.retry_after_ms > pause_ms ? end.retry_after_ms : pause_ms;
    tell_breaker(authority, failure, pause_ms, now_ms);
    if (!source_failure_is_technical(failure)) {
        settle(source, slot, failure);
        return;
    }
    (void)atomic_fetch_add(&authority->failures_of_the_way, 1);
    retry_or_give_up(source, slot, failure, pause_ms, now_ms);
}

static void finish_all(struct source *source)
{
    CURLM *multi = wires_multi(source->wires);
    int left = 0;
    for (CURLMsg *message = curl_multi_info_read(multi, &left); message != NULL;
         message = curl_multi_info_read(multi, &left)) {
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result; /* the message does not outlive its handle's removal */
        finish(source, exchange_of(easy)->owner, code, cl_clock_monotonic_ms(source->clock));
    }
}

/* -- The thread ---------------------------------------------------------------------------------------------- */

static struct authority *authority_for(struct source *source, enum source_item item)
{
    for (size_t i = 0; i < source->authority_count; i++) {
        if ((source->authorities[i].items & SOURCE_ITEM_BIT(item)) != 0) {
            return &source->authorities[i];
        }
    }
    return NULL;
}

/* Outside its hours: back unanswered, or to an officer when that would take too long. */
static void turn_away(struct source *source, struct authority *authority, struct source_question *question,
                      int64_t wait_ms)
{
    struct source_inquiry *inquiry = question->inquiry;
    (void)atomic_fetch_add(&authority->closed, 1);
    if (wait_ms > authority->closed_wait_ms) {
        give_up(source, authority, question, SOURCE_CLOSED);
        return;
    }
    int64_t opens_ms = cl_clock_unix_ms(source->clock) + wait_ms;
    bool first = inquiry->ask_again_ms == 0 || opens_ms < inquiry->ask_again_ms;
    inquiry->ask_again_ms = first ? opens_ms : inquiry->ask_again_ms;
    let_go(source, question);
}

static void take_question(struct source *source, struct source_question *question)
{
    struct authority *authority = authority_for(source, question->item);
    if (authority == NULL) {
        give_up(source, NULL, question, SOURCE_UNREACHABLE);
        return;
    }
    if (reuse_answer(source, authority, question)) {
        close_question(source, authority, question);
        return;
    }
    int64_t wait_ms = source_hours_wait_ms(&authority->hours, cl_clock_unix_ms(source->clock));
    if (wait_ms > 0) {
        turn_away(source, authority, question, wait_ms);
        return;
    }
    authority_wait(authority, question);
}

/* The inquiry may be handed back, and freed, with its last question. */
static void spread(struct source *source, struct source_inquiry *inquiry)
{
    size_t question_count = inquiry->question_count;
    for (size_t i = 0; i < question_count; i++) {
        take_question(source, &inquiry->questions[i]);
    }
}

static bool take_inquiries(struct source *source)
{
    void *taken[TAKE_MAX];
    size_t count = cl_queue_take(source->queue, taken, TAKE_MAX, 0);
    for (size_t i = 0; i < count; i++) {
        spread(source, taken[i]);
    }
    return count == TAKE_MAX;
}

static void break_off(struct source *source, struct authority *authority, struct source_question *question)
{
    question->inquiry->stopped = true;
    give_up(source, authority, question, SOURCE_UNREACHABLE);
}

static void break_off_authority(struct source *source, struct authority *authority)
{
    for (size_t i = 0; i < authority->slot_count; i++) {
        struct slot *slot = &authority->slots[i];
        if (slot->question == NULL) {
            continue;
        }
        if (slot->sent) {
            exchange_abort(&slot->exchange, wires_multi(source->wires));
        }
        break_off(source, authority, release_slot(slot));
    }
    for (struct source_question *question = authority_next_waiting(authority); question != NULL;
         question = authority_next_waiting(authority)) {
        break_off(source, authority, question);
    }
}

/* The queue is closed: what is left in it is all there will be. */
static void hand_everything_back(struct source *source)
{
    while (take_inquiries(source)) {
    }
    for (size_t i = 0; i < source->authority_count; i++) {
        break_off_authority(source, &source->authorities[i]);
    }
    assert(atomic_load(&source->inquiries) == 0);
}

/* curl leaves signals alone as we ask, and OpenSSL under it writes to connections that may be gone. */
static void block_sigpipe(void)
{
    sigset_t pipes;
    (void)sigemptyset(&pipes);
    (void)sigaddset(&pipes, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipes, NULL);
}

static void *run(void *user)
{
    struct source *source = user;
    block_sigpipe();
    while (!atomic_load(&source->stopping)) {
        bool more = take_inquiries(source);
        int64_t now_ms = cl_clock_monotonic_ms(source->clock);
        int64_t next_ms = advance(source, now_ms);
        wires_turn(source->wires, more ? 0 : next_ms - now_ms);
        finish_all(source);
    }
    hand_everything_back(source);
    return NULL;
}

struct cl_status source_start(struct source *source)
{
    assert(!source->started);
    if (pthread_create(&source->thread, NULL, run, source) != 0) {
        return cl_fail(CL_SYSTEM);
    }
    source->started = true;
    (void)pthread_setname_np(source->thread, "source");
    return cl_ok();
}

void source_stop(struct source *source)
{
    cl_queue_close(source->queue);
    atomic_store(&source->stopping, true);
    if (!source->started) {
        hand_everything_back(source);
        return;
    }
    wires_wake(source->wires);
    (void)pthread_join(source->thread, NULL);
    source->started = false;
}
