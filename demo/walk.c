#include "demo/walk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/profile.h"
#include "libcoloan/json.h"
#include "libcoloan/personal.h"
#include "libcoloan/wirescan.h"
#include "sandbox/submission.h"

enum { ARENA_BYTES_MAX = 4 * 1024 * 1024 };

static const struct cl_patience patience = {.attempt_ms = 10000, .total_ms = 30000};

/* -- Submitting ---------------------------------------------------------------------------------------------- */

struct submission {
    Coloan__V1__Application *application;
    Coloan__V1__Disclosure **disclosures;
    size_t disclosure_count;
};

static struct cl_status disclose(struct submission *out, struct cl_arena *arena, json_t *personal)
{
    out->disclosures = cl_arena_array(arena, json_object_size(personal), sizeof *out->disclosures);
    const char *path = NULL;
    json_t *value = NULL;
    json_object_foreach(personal, path, value)
    {
        struct cl_status status =
            cl_personal_commit(&out->disclosures[out->disclosure_count++], arena, out->application, path,
                               cl_bytes_text(json_string_value(value)), cl_random_system());
        if (cl_failed(status)) {
            return status;
        }
    }
    return cl_arena_overflowed(arena) ? cl_fail(CL_MEMORY_LIMIT) : cl_ok();
}

static struct cl_status make_submission(struct submission *out, struct cl_arena *arena, const json_t *persona,
                                        const struct submission_options *options)
{
    json_t *made = submission_make_application(persona, options);
    char *text = json_dumps(json_object_get(made, "application"), JSON_COMPACT);
    ProtobufCMessage *message = NULL;
    struct cl_status status =
        text == NULL ? cl_fail(CL_MEMORY_LIMIT)
                     : cl_json_parse(&message, arena, &coloan__v1__application__descriptor, cl_bytes_text(text), NULL);
    if (cl_is_ok(status)) {
        *out = (struct submission){.application = (Coloan__V1__Application *)message};
        status = disclose(out, arena, json_object_get(made, "personal"));
    }
    free(text);
    json_decref(made);
    return status;
}

static struct cl_status send_submission(struct walker *walker, struct cl_session *session, struct cl_arena *arena,
                                        const json_t *persona)
{
    int64_t now_ms = cl_clock_unix_ms(cl_clock_system());
    struct submission_options options = {.bank = cl_session_party(session),
                                         .fund = cl_session_centre(session),
                                         .external_ref = walker->reference,
                                         .now_ms = now_ms};
    struct submission submission = {0};
    struct cl_status status = make_submission(&submission, arena, persona, &options);
    if (cl_failed(status)) {
        return status;
    }
    struct cl_session_call call = {
        .method = "coloan.v1.JointApproval/SubmitApplication",
        .body = &submission.application->base,
        .reply_type = &coloan__v1__application_receipt__descriptor,
        .disclosures = submission.disclosures,
        .disclosure_count = submission.disclosure_count,
    };
    struct cl_answer answer;
    walker->submitted_ms = cl_clock_unix_ms(cl_clock_system());
    status = cl_session_call(&answer, session, arena, &call, patience);
    if (cl_is_ok(status)) {
        const Coloan__V1__ApplicationReceipt *receipt = (const Coloan__V1__ApplicationReceipt *)answer.body;
        (void)snprintf(walker->application_id, sizeof walker->application_id, "%s", receipt->application_id);
    }
    return status;
}

void walk_submit(struct walker *walker, struct cl_session *session, const json_t *persona, const char *reference)
{
    *walker = (struct walker){0};
    (void)snprintf(walker->reference, sizeof walker->reference, "%s", reference);
    struct cl_arena *arena = NULL;
    walker->submitted = cl_arena_create(&arena, ARENA_BYTES_MAX);
    if (cl_is_ok(walker->submitted)) {
        walker->submitted = send_submission(walker, session, arena, persona);
    }
    cl_arena_free(arena);
}

/* -- Looking ------------------------------------------------------------------------------------------------- */

static struct cl_status ask(const Coloan__V1__ApplicationView **out, struct cl_arena *arena,
                            const struct walker *walker, struct cl_session *session, bool with_trace)
{
    char id[CL_UUID_TEXT_BYTES];
    memcpy(id, walker->application_id, sizeof id);
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    query.application_id = id;
    query.with_trace = with_trace;
    struct cl_session_call call = {
        .method = "coloan.v1.JointApproval/GetApplication",
        .body = &query.base,
        .reply_type = &coloan__v1__application_view__descriptor,
    };
    struct cl_answer answer;
    struct cl_status status = cl_session_call(&answer, session, arena, &call, patience);
    *out = (const Coloan__V1__ApplicationView *)answer.body;
    return status;
}

/* The limit that fixed the fund part; the split of the whole may have a binding step of its own. */
static void read_binding(struct walker *walker, const Coloan__V1__DecisionTrace *trace)
{
    for (size_t i = 0; trace != NULL && i < trace->n_steps; i++) {
        if (trace->steps[i]->binding && strncmp(trace->steps[i]->rule, "fund.", 5) == 0) {
            (void)snprintf(walker->binding_limit, sizeof walker->binding_limit, "%s", trace->steps[i]->reason);
        }
    }
}

static struct cl_status read_terms(struct walker *walker, struct cl_arena *arena, const Coloan__V1__Offer *offer)
{
    ProtobufCMessage *message = NULL;
    if (offer == NULL) {
        return cl_ok();
    }
    struct cl_status status =
        cl_unpack(&message, arena, &coloan__v1__offer_terms__descriptor, cl_bytes(offer->terms.data, offer->terms.len));
    if (cl_failed(status)) {
        return status;
    }
    const Coloan__V1__OfferTerms *terms = (const Coloan__V1__OfferTerms *)message;
    walker->fund_fen = terms->fund->amount_fen;
    walker->commercial_fen = terms->commercial->amount_fen;
    walker->fund_instalment_fen = terms->fund->instalment_fen;
    walker->commercial_instalment_fen = terms->commercial->instalment_fen;
    return cl_ok();
}

static void read_status(struct walker *walker, const Coloan__V1__ApplicationStatus *status)
{
    walker->outcome = status->outcome;
    walker->items_total = status->items->total;
    walker->items_by_machine = status->items->by_machine;
    walker->items_by_person = status->items->by_person;
    walker->reason_count = 0;
    for (size_t i = 0; i < status->n_reasons && i < sizeof walker->reasons / sizeof walker->reasons[0]; i++) {
        (void)snprintf(walker->reasons[i], sizeof walker->reasons[i], "%s", status->reasons[i]->code);
        walker->reason_count++;
    }
}

static struct cl_status look(struct walker *walker, struct cl_arena *arena, struct cl_session *session,
                             const struct banklog *log)
{
    const Coloan__V1__ApplicationView *view = NULL;
    struct cl_status status = ask(&view, arena, walker, session, true);
    if (cl_failed(status)) {
        return status;
    }
    Coloan__V1__Actor next = view->status->next_actor;
    int64_t received_ms = banklog_received_ms(log, walker->application_id);
    bool decided = next == COLOAN__V1__ACTOR__ACTOR_NOBODY;
    bool waits_for_a_person = next == COLOAN__V1__ACTOR__ACTOR_BORROWER || next == COLOAN__V1__ACTOR__ACTOR_OFFICER;
    if (decided ? received_ms == 0 : !waits_for_a_person) {
        return cl_ok();
    }
    walker->ended = true;
    walker->took_ms = (decided ? received_ms : view->status->changed_ms) - walker->submitted_ms;
    read_status(walker, view->status);
    read_binding(walker, view->trace);
    return read_terms(walker, arena, view->offer);
}

struct cl_status walk_look(struct walker *walker, struct cl_session *session, const struct banklog *log)
{
    struct cl_arena *arena = NULL;
    struct cl_status status = cl_arena_create(&arena, ARENA_BYTES_MAX);
    if (cl_is_ok(status)) {
        status = look(walker, arena, session, log);
    }
    cl_arena_free(arena);
    return status;
}

struct cl_status walk_keep_decision(const struct walker *walker, struct cl_session *session, const char *path)
{
    struct cl_arena *arena = NULL;
    const Coloan__V1__ApplicationView *view = NULL;
    struct cl_status status = cl_arena_create(&arena, ARENA_BYTES_MAX);
    if (cl_is_ok(status)) {
        status = ask(&view, arena, walker, session, false);
    }
    if (cl_is_ok(status) && view->joint_decision.len == 0) {
        status = cl_fail(CL_APPLICATION_UNKNOWN);
    }
    if (cl_is_ok(status)) {
        status = client_file_write(path, cl_bytes(view->joint_decision.data, view->joint_decision.len), 0644, true);
    }
    cl_arena_free(arena);
    return status;
}
