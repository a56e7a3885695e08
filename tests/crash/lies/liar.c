#include "tests/crash/lies/lie.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA_BYTES = 8 * 1024 * 1024 };

/* -- Life ----------------------------------------------------------------------------------------------------- */

static int64_t yesterday_ms(void *user)
{
    (void)user;
    return cl_clock_unix_ms(cl_clock_system()) - LIE_YESTERDAY_MS;
}

static int64_t monotonic_ms(void *user)
{
    (void)user;
    return cl_clock_monotonic_ms(cl_clock_system());
}

struct liar *liar_create(const struct liar_options *options)
{
    char target[32];
    struct liar *liar = calloc(1, sizeof *liar);
    assert(liar != NULL);
    liar->options = *options;
    liar->bank = options->role->party;
    (void)snprintf(target, sizeof target, "127.0.0.1:%u", options->centre_port);
    liar->session = world_session_at(options->world, target, options->role->certificate, options->role->key);
    liar->other = world_session_at(options->world, target, options->other->certificate, options->other->key);
    liar->yesterday = (struct cl_clock){.unix_ms = yesterday_ms, .monotonic_ms = monotonic_ms};
    liar->old =
        world_session_at_by(options->world, &liar->yesterday, target, options->role->certificate, options->role->key);
    liar->client = world_raw_client_at(options->world, target, options->role->certificate);
    struct cl_status status = cl_arena_create(&liar->arena, ARENA_BYTES);
    liar->told = calloc(call_lie_count + stream_lie_count, sizeof liar->told[0]);
    assert(cl_is_ok(status) && liar->told != NULL);
    return liar;
}

void liar_free(struct liar *liar)
{
    if (liar == NULL) {
        return;
    }
    cl_session_free(liar->session);
    cl_session_free(liar->other);
    cl_session_free(liar->old);
    cl_rpc_client_free(liar->client);
    cl_arena_free(liar->arena);
    free(liar->told);
    free(liar);
}

struct liar_counts liar_counts(const struct liar *liar)
{
    struct liar_counts counts = liar->counts;
    counts.kinds = call_lie_count + stream_lie_count;
    for (size_t i = 0; i < counts.kinds; i++) {
        counts.kinds_told += liar->told[i] > 0;
    }
    return counts;
}

struct cl_session *liar_session(const struct liar *liar)
{
    return liar->session;
}

struct cl_session *liar_other_session(const struct liar *liar)
{
    return liar->other;
}

struct cl_session *liar_old_session(const struct liar *liar)
{
    return liar->old;
}

/* -- Saying --------------------------------------------------------------------------------------------------- */

struct cl_request lie_prepare(struct liar *liar, struct cl_session *session, const struct cl_session_call *call)
{
    struct cl_request request;
    struct cl_status status = cl_session_prepare(&request, session, liar->arena, call);
    assert(cl_is_ok(status));
    liar->said = request.digest;
    return request;
}

struct cl_status lie_send(struct liar *liar, struct cl_session *session, const struct cl_request *request,
                          struct cl_answer *answer_out)
{
    return cl_session_send(answer_out, session, liar->arena, request,
                           (struct cl_patience){.attempt_ms = LIE_ATTEMPT_MS, .total_ms = LIE_ATTEMPT_MS});
}

struct cl_status lie_call(struct liar *liar, struct cl_session *session, const struct cl_session_call *call)
{
    struct cl_answer answer;
    struct cl_request request = lie_prepare(liar, session, call);
    return lie_send(liar, session, &request, &answer);
}

struct cl_request lie_word(struct liar *liar, struct cl_session *session, const char *method,
                           const struct lie_word *word)
{
    Coloan__V1__Ack ack = COLOAN__V1__ACK__INIT;
    Coloan__V1__Nack nack = COLOAN__V1__NACK__INIT;
    char *text = cl_arena_text(liar->arena, word->text);
    bool refuses = word->level == COLOAN__V1__ACK_LEVEL__ACK_LEVEL_UNSPECIFIED;
    ack.sequence = word->sequence;
    ack.level = word->level;
    ack.bank_reference = text;
    nack.sequence = word->sequence;
    nack.delay_ms = word->delay_ms;
    nack.reason = text;
    return lie_prepare(liar, session,
                       &(struct cl_session_call){.method = method,
                                                 .body = refuses ? &nack.base : &ack.base,
                                                 .reply_type = &coloan__v1__event_state__descriptor,
                                                 .message_id = word->message_id,
                                                 .acknowledges = &word->digest});
}

struct cl_status lie_acknowledge(struct liar *liar, struct cl_session *session, const struct lie_word *word)
{
    struct cl_answer answer;
    struct cl_request request = lie_word(liar, session, ACKNOWLEDGE_METHOD, word);
    return lie_send(liar, session, &request, &answer);
}

/* -- Lying ---------------------------------------------------------------------------------------------------- */

static const struct lie *lie_at(size_t number)
{
    return number < call_lie_count ? &call_lies[number] : &stream_lies[number - call_lie_count];
}

static const char *tell(struct liar *liar, size_t number)
{
    const struct lie *lie = lie_at(number);
    struct cl_status status = cl_ok();
    cl_arena_reset(liar->arena);
    liar->untraced = false;
    if (lie->tell(liar, &status) == LIE_NOTHING) {
        return NULL;
    }
    if (status.reason != lie->expected) {
        (void)snprintf(liar->wrong, sizeof liar->wrong, "the lie '%s' of %s came out as %s, not as %s", lie->name,
                       liar->bank, cl_status_name(status), cl_reason_info(lie->expected)->name);
        return liar->wrong;
    }
    if (cl_failed(status) && !liar->untraced && facts_has_message(liar->options.facts, &liar->said)) {
        (void)snprintf(liar->wrong, sizeof liar->wrong, "the lie '%s' of %s was refused and kept", lie->name,
                       liar->bank);
        return liar->wrong;
    }
    liar->told[number]++;
    liar->counts.refused += cl_failed(status);
    liar->counts.tolerated += cl_is_ok(status);
    return NULL;
}

const char *liar_tell(struct liar *liar, uint64_t dice, bool dead)
{
    size_t number = dice % call_lie_count;
    liar->dice = dice / call_lie_count;
    if (dead) {
        number = liar->next++ % (call_lie_count + stream_lie_count);
    }
    while (!dead && call_lies[number].only_when_dead) {
        number = (number + 1) % call_lie_count;
    }
    return tell(liar, number);
}

/* -- The truth ------------------------------------------------------------------------------------------------ */

const char *liar_hasten(struct liar *liar, int64_t wait_ms)
{
    uint64_t sequence = 0;
    char note[] = "lies: waits for long";
    int64_t until_ms = cl_clock_unix_ms(cl_clock_system()) + wait_ms;
    while (facts_waiting(&sequence, liar->options.facts, liar->bank, sequence, until_ms)) {
        Coloan__V1__EventSteering body = COLOAN__V1__EVENT_STEERING__INIT;
        cl_arena_reset(liar->arena);
        body.action = COLOAN__V1__STEERING_ACTION__STEERING_ACTION_REPLAY;
        body.from = sequence;
        body.to = sequence;
        body.note = note;
        struct cl_status status =
            lie_call(liar, liar->session,
                     &(struct cl_session_call){.method = "coloan.v1.JointApproval/SteerEvents",
                                               .body = &body.base,
                                               .reply_type = &coloan__v1__event_list__descriptor});
        if (cl_failed(status)) {
            (void)snprintf(liar->wrong, sizeof liar->wrong, "event %llu of %s cannot be asked for: %s",
                           (unsigned long long)sequence, liar->bank, cl_status_name(status));
            return liar->wrong;
        }
    }
    return NULL;
}

bool liar_steal(struct liar *liar, uint64_t after)
{
    struct fact_event event;
    cl_arena_reset(liar->arena);
    return facts_not_brought(&event, liar->options.facts, liar->bank, after) &&
           cl_is_ok(lie_acknowledge(liar, liar->session,
                                    &(struct lie_word){.sequence = event.sequence,
                                                       .digest = event.digest,
                                                       .level = COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED,
                                                       .text = ""}));
}
