/* Lies by unary calls: wrong acknowledgements and refusals, old and borrowed messages, decisions on what is decided. */
#include <stdio.h>
#include <string.h>

#include "server/cases/delivery.h"
#include "tests/crash/lies/lie.h"

#include <coloan/v1/decision.pb-c.h>
#include <coloan/v1/push.pb-c.h>

#define RECEIVED COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED
#define APPLIED  COLOAN__V1__ACK_LEVEL__ACK_LEVEL_APPLIED

enum { FUTURE = 100000, DELAY_MS_MAX = 2000, TOO_LONG_MS = DELIVERY_DELAY_MS_MAX + 1 };

/* -- About events --------------------------------------------------------------------------------------------- */

/* An event that the bank does not have, or, if there is none, one that it has: wrong words are wrong about both. */
static bool any_event(struct fact_event *out, struct liar *liar)
{
    return facts_pending(out, liar->options.facts, liar->bank, liar->dice) ||
           facts_applied(out, liar->options.facts, liar->bank, liar->dice);
}

static enum lie_told wrong_digest(struct liar *liar, struct cl_status *status_out)
{
    struct fact_event event;
    if (!any_event(&event, liar)) {
        return LIE_NOTHING;
    }
    event.digest.bytes[liar->dice % CL_DIGEST_BYTES] ^= 1;
    *status_out = lie_acknowledge(
        liar, liar->session,
        &(struct lie_word){.sequence = event.sequence, .digest = event.digest, .level = RECEIVED, .text = ""});
    return LIE_TOLD;
}

static enum lie_told of_the_future(struct liar *liar, struct cl_status *status_out)
{
    struct fact_event event;
    if (!any_event(&event, liar)) {
        return LIE_NOTHING;
    }
    *status_out = lie_acknowledge(
        liar, liar->session,
        &(struct lie_word){.sequence = event.sequence + FUTURE, .digest = event.digest, .level = RECEIVED, .text = ""});
    return LIE_TOLD;
}

/* The other bank's event of the same number. */
static enum lie_told of_anothers(struct liar *liar, struct cl_status *status_out)
{
    struct fact_event event;
    if (!any_event(&event, liar) ||
        !facts_event(&event, liar->options.facts, liar->options.other->party, event.sequence)) {
        return LIE_NOTHING;
    }
    *status_out = lie_acknowledge(
        liar, liar->session,
        &(struct lie_word){.sequence = event.sequence, .digest = event.digest, .level = RECEIVED, .text = ""});
    return LIE_TOLD;
}

static enum lie_told applied_otherwise(struct liar *liar, struct cl_status *status_out)
{
    struct fact_event event;
    if (!facts_applied(&event, liar->options.facts, liar->bank, liar->dice)) {
        return LIE_NOTHING;
    }
    *status_out = lie_acknowledge(
        liar, liar->session,
        &(struct lie_word){.sequence = event.sequence, .digest = event.digest, .level = APPLIED, .text = "another"});
    return LIE_TOLD;
}

static enum lie_told applied_namelessly(struct liar *liar, struct cl_status *status_out)
{
    struct fact_event event;
    if (!any_event(&event, liar)) {
        return LIE_NOTHING;
    }
    *status_out = lie_acknowledge(
        liar, liar->session,
        &(struct lie_word){.sequence = event.sequence, .digest = event.digest, .level = APPLIED, .text = ""});
    return LIE_TOLD;
}

static enum lie_told received_after_applied(struct liar *liar, struct cl_status *status_out)
{
    struct fact_event event;
    if (!facts_applied(&event, liar->options.facts, liar->bank, liar->dice)) {
        return LIE_NOTHING;
    }
    *status_out = lie_acknowledge(
        liar, liar->session,
        &(struct lie_word){.sequence = event.sequence, .digest = event.digest, .level = RECEIVED, .text = ""});
    return LIE_TOLD;
}

static enum lie_told of_yesterday(struct liar *liar, struct cl_status *status_out)
{
    struct fact_event event;
    if (!any_event(&event, liar)) {
        return LIE_NOTHING;
    }
    struct cl_answer answer;
    struct cl_request request =
        lie_word(liar, liar->old, ACKNOWLEDGE_METHOD,
                 &(struct lie_word){.sequence = event.sequence, .digest = event.digest, .level = RECEIVED, .text = ""});
    *status_out = lie_send(liar, liar->session, &request, &answer);
    return LIE_TOLD;
}

/* -- Refusing ------------------------------------------------------------------------------------------------- */

static enum lie_told refuse_what_it_has(struct liar *liar, struct cl_status *status_out)
{
    struct fact_event event;
    if (!facts_applied(&event, liar->options.facts, liar->bank, liar->dice)) {
        return LIE_NOTHING;
    }
    *status_out =
        lie_acknowledge(liar, liar->session,
                        &(struct lie_word){.sequence = event.sequence, .digest = event.digest, .text = "CORE_DOWN"});
    return LIE_TOLD;
}

static enum lie_told refuse_for_too_long(struct liar *liar, struct cl_status *status_out)
{
    struct fact_event event;
    if (!any_event(&event, liar)) {
        return LIE_NOTHING;
    }
    *status_out = lie_acknowledge(
        liar, liar->session,
        &(struct lie_word){
            .sequence = event.sequence, .digest = event.digest, .text = "CORE_DOWN", .delay_ms = TOO_LONG_MS});
    return LIE_TOLD;
}

static enum lie_told refuse_in_prose(struct liar *liar, struct cl_status *status_out)
{
    struct fact_event event;
    if (!any_event(&event, liar)) {
        return LIE_NOTHING;
    }
    *status_out =
        lie_acknowledge(liar, liar->session,
                        &(struct lie_word){.sequence = event.sequence, .digest = event.digest, .text = "no, thanks"});
    return LIE_TOLD;
}

/* What the dead bank had sent may still arrive: then the event is its own by now. */
static enum lie_told refuse_once(struct liar *liar, const struct fact_event *event, int64_t delay_ms,
                                 struct cl_status *status_out)
{
    *status_out = lie_acknowledge(
        liar, liar->session,
        &(struct lie_word){
            .sequence = event->sequence, .digest = event->digest, .text = "CORE_DOWN", .delay_ms = delay_ms});
    bool overtaken =
        status_out->reason == CL_ACK_WRONG && facts_is_received(liar->options.facts, liar->bank, event->sequence);
    return overtaken ? LIE_NOTHING : LIE_TOLD;
}

static enum lie_told refuse(struct liar *liar, struct cl_status *status_out)
{
    struct fact_event event;
    if (!facts_pending(&event, liar->options.facts, liar->bank, liar->dice)) {
        return LIE_NOTHING;
    }
    return refuse_once(liar, &event, (int64_t)(liar->dice % (DELAY_MS_MAX + 1)), status_out);
}

/* -- Steering ------------------------------------------------------------------------------------------------- */

static struct cl_status steer(struct liar *liar, const char *recipient, Coloan__V1__SteeringAction action,
                              uint64_t sequence)
{
    char note[] = "lies";
    Coloan__V1__EventSteering body = COLOAN__V1__EVENT_STEERING__INIT;
    body.recipient = cl_arena_text(liar->arena, recipient);
    body.action = action;
    body.from = sequence;
    body.to = sequence;
    body.note = note;
    return lie_call(liar, liar->session,
                    &(struct cl_session_call){.method = "coloan.v1.JointApproval/SteerEvents",
                                              .body = &body.base,
                                              .reply_type = &coloan__v1__event_list__descriptor});
}

/* Ten times in a row; then it is parked, and goes on when somebody lets it. INTERNAL: it was not parked. */
static enum lie_told refuse_until_parked(struct liar *liar, struct cl_status *status_out)
{
    struct fact_event event;
    enum lie_told told = LIE_TOLD;
    if (!facts_pending(&event, liar->options.facts, liar->bank, liar->dice)) {
        return LIE_NOTHING;
    }
    for (int times = 0; times < DELIVERY_REFUSALS_MAX && told == LIE_TOLD && cl_is_ok(*status_out); times++) {
        told = refuse_once(liar, &event, 0, status_out);
    }
    if (told == LIE_NOTHING || cl_failed(*status_out)) {
        return told;
    }
    if (!facts_is_parked(liar->options.facts, liar->bank, event.sequence)) {
        *status_out = cl_fail(CL_INTERNAL);
        return LIE_TOLD;
    }
    *status_out = steer(liar, liar->bank, COLOAN__V1__STEERING_ACTION__STEERING_ACTION_UNPARK, event.sequence);
    return LIE_TOLD;
}

static enum lie_told unpark_what_is_not(struct liar *liar, struct cl_status *status_out)
{
    struct fact_event event;
    if (!facts_applied(&event, liar->options.facts, liar->bank, liar->dice)) {
        return LIE_NOTHING;
    }
    *status_out = steer(liar, liar->bank, COLOAN__V1__STEERING_ACTION__STEERING_ACTION_UNPARK, event.sequence);
    return LIE_TOLD;
}

static enum lie_told park_anothers(struct liar *liar, struct cl_status *status_out)
{
    *status_out = steer(liar, liar->options.other->party, COLOAN__V1__STEERING_ACTION__STEERING_ACTION_PARK,
                        1 + liar->dice % 100);
    return LIE_TOLD;
}

/* It has what it asks for: delivery at least once means that it is nothing to it. */
static enum lie_told ask_again(struct liar *liar, struct cl_status *status_out)
{
    struct fact_event event;
    if (!facts_applied(&event, liar->options.facts, liar->bank, liar->dice)) {
        return LIE_NOTHING;
    }
    *status_out = steer(liar, liar->bank, COLOAN__V1__STEERING_ACTION__STEERING_ACTION_REPLAY, event.sequence);
    return LIE_TOLD;
}

/* -- Old messages --------------------------------------------------------------------------------------------- */

static struct cl_request captured(const struct fact_message *message, const char *method,
                                  const ProtobufCMessageDescriptor *reply_type)
{
    return (struct cl_request){.method = method,
                               .reply_type = reply_type,
                               .message_id = message->message_id,
                               .digest = message->digest,
                               .envelope = message->envelope};
}

/* A decision of the past gets the answer of the past. INTERNAL: another one. */
static enum lie_told decide_again(struct liar *liar, struct cl_status *status_out)
{
    struct fact_message old;
    struct cl_answer answer;
    if (!facts_decision(&old, liar->options.facts, liar->arena, liar->bank, liar->dice)) {
        return LIE_NOTHING;
    }
    struct cl_request request = captured(&old, old.method, &coloan__v1__joint_outcome__descriptor);
    *status_out = lie_send(liar, liar->session, &request, &answer);
    if (cl_is_ok(*status_out) && !cl_bytes_equal(answer.envelope, old.reply)) {
        *status_out = cl_fail(CL_INTERNAL);
    }
    return LIE_TOLD;
}

/* It was signed for a stream, or as the answer to a call. */
static enum lie_told acknowledge_elsewhere(struct liar *liar, struct cl_status *status_out)
{
    struct fact_message old;
    struct cl_answer answer;
    if (!facts_ack(&old, liar->options.facts, liar->arena, liar->bank, 1, liar->dice) ||
        strcmp(old.method, ACKNOWLEDGE_METHOD) == 0) {
        return LIE_NOTHING;
    }
    struct cl_request request = captured(&old, ACKNOWLEDGE_METHOD, &coloan__v1__event_state__descriptor);
    liar->untraced = true;
    *status_out = lie_send(liar, liar->session, &request, &answer);
    return LIE_TOLD;
}

/* The same bytes as before, the same answer. */
static enum lie_told acknowledge_again(struct liar *liar, struct cl_status *status_out)
{
    struct fact_message old;
    struct cl_answer answer;
    if (!facts_ack(&old, liar->options.facts, liar->arena, liar->bank, 2, liar->dice) ||
        strcmp(old.method, ACKNOWLEDGE_METHOD) != 0) {
        return LIE_NOTHING;
    }
    struct cl_request request = captured(&old, ACKNOWLEDGE_METHOD, &coloan__v1__event_state__descriptor);
    *status_out = lie_send(liar, liar->session, &request, &answer);
    if (cl_is_ok(*status_out) && !cl_bytes_equal(answer.envelope, old.reply)) {
        *status_out = cl_fail(CL_INTERNAL);
    }
    return LIE_TOLD;
}

/* The other bank's own words, from this one's mouth. */
static enum lie_told borrow(struct liar *liar, struct cl_status *status_out)
{
    struct fact_message old;
    struct cl_answer answer;
    if (!facts_decision(&old, liar->options.facts, liar->arena, liar->options.other->party, liar->dice)) {
        return LIE_NOTHING;
    }
    struct cl_request request = captured(&old, old.method, &coloan__v1__joint_outcome__descriptor);
    liar->untraced = true;
    *status_out = lie_send(liar, liar->session, &request, &answer);
    return LIE_TOLD;
}

static enum lie_told use_an_id_again(struct liar *liar, struct cl_status *status_out)
{
    struct fact_message old;
    struct fact_event event;
    if (!any_event(&event, liar) || !facts_decision(&old, liar->options.facts, liar->arena, liar->bank, liar->dice)) {
        return LIE_NOTHING;
    }
    *status_out = lie_acknowledge(liar, liar->session,
                                  &(struct lie_word){.sequence = event.sequence,
                                                     .digest = event.digest,
                                                     .level = RECEIVED,
                                                     .text = "",
                                                     .message_id = &old.message_id});
    return LIE_TOLD;
}

/* -- Decisions ------------------------------------------------------------------------------------------------ */

static struct cl_status decide(struct liar *liar, struct cl_session *session, struct fact_offer *offer)
{
    char reference[] = "lies";
    Coloan__V1__BankDecision body = COLOAN__V1__BANK_DECISION__INIT;
    body.offer_version = offer->version;
    body.bank_epoch = offer->bank_epoch;
    body.terms_digest.data = offer->terms.bytes;
    body.terms_digest.len = CL_DIGEST_BYTES;
    body.verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_APPROVE;
    body.bank_reference = reference;
    return lie_call(liar, session,
                    &(struct cl_session_call){.method = "coloan.v1.JointApproval/ReportBankDecision",
                                              .body = &body.base,
                                              .reply_type = &coloan__v1__joint_outcome__descriptor,
                                              .application_id = offer->application_id});
}

static enum lie_told decide_the_decided(struct liar *liar, struct cl_status *status_out)
{
    struct fact_offer offer;
    if (!facts_decided_offer(&offer, liar->options.facts, liar->bank, liar->dice)) {
        return LIE_NOTHING;
    }
    *status_out = decide(liar, liar->session, &offer);
    return LIE_TOLD;
}

static enum lie_told decide_in_another_epoch(struct liar *liar, struct cl_status *status_out)
{
    struct fact_offer offer;
    if (!facts_decided_offer(&offer, liar->options.facts, liar->bank, liar->dice)) {
        return LIE_NOTHING;
    }
    offer.bank_epoch++;
    *status_out = decide(liar, liar->session, &offer);
    return LIE_TOLD;
}

static enum lie_told decide_anothers(struct liar *liar, struct cl_status *status_out)
{
    struct fact_offer offer;
    if (!facts_decided_offer(&offer, liar->options.facts, liar->options.other->party, liar->dice)) {
        return LIE_NOTHING;
    }
    *status_out = decide(liar, liar->session, &offer);
    return LIE_TOLD;
}

/* The bank is dead, but what it had sent may still arrive. */
static enum lie_told on_an_open_offer(struct liar *liar, struct fact_offer *offer, struct cl_status *status_out)
{
    *status_out = decide(liar, liar->session, offer);
    bool overtaken =
        status_out->reason == CL_STATE_CONFLICT && !facts_is_offered(liar->options.facts, offer->application_id);
    return overtaken ? LIE_NOTHING : LIE_TOLD;
}

static enum lie_told decide_another_version(struct liar *liar, struct cl_status *status_out)
{
    struct fact_offer offer;
    if (!facts_open_offer(&offer, liar->options.facts, liar->bank)) {
        return LIE_NOTHING;
    }
    offer.version--; /* the one before; 0 is older than any */
    return on_an_open_offer(liar, &offer, status_out);
}

static enum lie_told decide_other_terms(struct liar *liar, struct cl_status *status_out)
{
    struct fact_offer offer;
    if (!facts_open_offer(&offer, liar->options.facts, liar->bank)) {
        return LIE_NOTHING;
    }
    offer.terms.bytes[0] ^= 1;
    return on_an_open_offer(liar, &offer, status_out);
}

/* -- All of them ---------------------------------------------------------------------------------------------- */

const struct lie call_lies[] = {
    {"acknowledges another digest", CL_ACK_WRONG, false, wrong_digest},
    {"acknowledges what is still to come", CL_EVENT_UNKNOWN, false, of_the_future},
    {"acknowledges another bank's event", CL_ACK_WRONG, false, of_anothers},
    {"applied it under another reference", CL_ACK_WRONG, false, applied_otherwise},
    {"applied it under no reference", CL_FIELD_INVALID, false, applied_namelessly},
    {"receives after it applied", CL_OK, false, received_after_applied},
    {"acknowledges since yesterday", CL_EXPIRED, false, of_yesterday},
    {"refuses what it has", CL_ACK_WRONG, false, refuse_what_it_has},
    {"refuses for more than a day", CL_FIELD_INVALID, false, refuse_for_too_long},
    {"refuses in prose", CL_FIELD_INVALID, false, refuse_in_prose},
    {"refuses", CL_OK, true, refuse},
    {"refuses until it is parked", CL_OK, true, refuse_until_parked},
    {"lets go on what is not parked", CL_STATE_CONFLICT, false, unpark_what_is_not},
    {"parks another bank's event", CL_BANK_UNKNOWN, false, park_anothers},
    {"asks for what it has", CL_OK, false, ask_again},
    {"decides once more, in the same bytes", CL_OK, false, decide_again},
    {"acknowledges elsewhere", CL_METHOD_WRONG, false, acknowledge_elsewhere},
    {"acknowledges once more, in the same bytes", CL_OK, false, acknowledge_again},
    {"says what another bank said", CL_KEY_UNKNOWN, false, borrow},
    {"says something else under an old id", CL_MESSAGE_ID_REUSED, false, use_an_id_again},
    {"decides what is decided", CL_STATE_CONFLICT, false, decide_the_decided},
    {"decides in an epoch that is not", CL_STALE_EPOCH, false, decide_in_another_epoch},
    {"decides on another bank's case", CL_APPLICATION_UNKNOWN, false, decide_anothers},
    {"decides on an old offer", CL_OFFER_STALE, true, decide_another_version},
    {"decides on other terms", CL_TERMS_DIGEST_WRONG, true, decide_other_terms},
};
const size_t call_lie_count = sizeof call_lies / sizeof call_lies[0];
