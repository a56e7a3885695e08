#include "tests/crash/asks.h"

#include <assert.h>
#include <coloan/v1/decision.pb-c.h>
#include <coloan/v1/directory.pb-c.h>
#include <coloan/v1/review.pb-c.h>
#include <coloan/v1/verification.pb-c.h>
#include <stdio.h>
#include <string.h>

enum { ARENA_BYTES = 8 * 1024 * 1024, CALL_MS = 5000 };

#define JOINT     "coloan.v1.JointApproval/"
#define REVIEW    "coloan.v1.Review/"
#define DIRECTORY "coloan.v1.Directory/"

/* Methods that need no more than their application, in the header. */
static const struct plain {
    const char *method;
    const ProtobufCMessageDescriptor *request, *reply;
    bool by_officer, of_application;
} plains[] = {
    {DIRECTORY "GetKeys", &coloan__v1__keys_query__descriptor, &coloan__v1__keys_answer__descriptor, false, false},
    {DIRECTORY "GetCapabilities", &coloan__v1__capabilities_query__descriptor, &coloan__v1__capabilities__descriptor,
     false, false},
    {DIRECTORY "RotateKey", &coloan__v1__key_rotation__descriptor, &coloan__v1__key_rotation_receipt__descriptor, false,
     false},
    {JOINT "ListApplications", &coloan__v1__application_list_query__descriptor,
     &coloan__v1__application_list__descriptor, false, false},
    {JOINT "QueryVerifications", &coloan__v1__verification_query__descriptor,
     &coloan__v1__verification_answer__descriptor, false, true},
    {JOINT "SupplementApplication", &coloan__v1__application__descriptor, &coloan__v1__application_status__descriptor,
     false, true},
    {JOINT "ChangeBank", &coloan__v1__bank_change__descriptor, &coloan__v1__application_status__descriptor, false,
     true},
    {JOINT "ChooseRules", &coloan__v1__rule_choice__descriptor, &coloan__v1__application_status__descriptor, false,
     true},
    {JOINT "WithdrawConsent", &coloan__v1__consent_withdrawal__descriptor, &coloan__v1__application_status__descriptor,
     false, true},
    {REVIEW "ListTasks", &coloan__v1__task_list_query__descriptor, &coloan__v1__task_list__descriptor, true, false},
    {REVIEW "GetTask", &coloan__v1__task_query__descriptor, &coloan__v1__task_view__descriptor, true, false},
    {REVIEW "ClaimTask", &coloan__v1__task_claim__descriptor, &coloan__v1__task__descriptor, true, false},
    {REVIEW "ReleaseTask", &coloan__v1__task_release__descriptor, &coloan__v1__task__descriptor, true, false},
    {REVIEW "SettleItem", &coloan__v1__item_settlement__descriptor, &coloan__v1__application_status__descriptor, true,
     true},
    {REVIEW "Override", &coloan__v1__override_request__descriptor, &coloan__v1__item_override__descriptor, true, true},
    {REVIEW "GetCounters", &coloan__v1__counters_query__descriptor, &coloan__v1__counters__descriptor, true, false},
};

static void prepare(struct asks *asks, const struct cl_session_call *call, bool by_officer)
{
    assert(asks->count < ASKS_MAX);
    struct cl_session *session = by_officer ? asks->officer : asks->bank;
    struct cl_status status = cl_session_prepare(&asks->requests[asks->count], session, asks->arena, call);
    assert(cl_is_ok(status));
    asks->by_officer[asks->count++] = by_officer;
}

static void prepare_plain(struct asks *asks, const struct plain *plain, const char *application_id)
{
    ProtobufCMessage *body = cl_arena_alloc(asks->arena, plain->request->sizeof_message);
    assert(body != NULL);
    plain->request->message_init(body);
    struct cl_session_call call = {.method = plain->method,
                                   .body = body,
                                   .reply_type = plain->reply,
                                   .application_id = plain->of_application ? application_id : NULL};
    prepare(asks, &call, plain->by_officer);
}

/* -- What takes the case into account ------------------------------------------------------------------------- */

static const ProtobufCMessage *ask_now(struct asks *asks, const struct cl_session_call *call)
{
    struct cl_answer answer;
    struct cl_status status =
        cl_session_call(&answer, asks->bank, asks->arena, call, (struct cl_patience){.total_ms = CALL_MS});
    assert(cl_is_ok(status));
    return answer.body;
}

static char *only_application(struct asks *asks)
{
    Coloan__V1__ApplicationListQuery query = COLOAN__V1__APPLICATION_LIST_QUERY__INIT;
    struct cl_session_call call = {.method = JOINT "ListApplications",
                                   .body = &query.base,
                                   .reply_type = &coloan__v1__application_list__descriptor};
    const Coloan__V1__ApplicationList *list = (const Coloan__V1__ApplicationList *)ask_now(asks, &call);
    assert(list->n_applications == 1);
    return list->applications[0]->application_id;
}

static const Coloan__V1__ApplicationView *prepare_view(struct asks *asks, char *application_id)
{
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    query.application_id = application_id;
    query.with_items = 1;
    query.with_timeline = 1;
    struct cl_session_call call = {
        .method = JOINT "GetApplication", .body = &query.base, .reply_type = &coloan__v1__application_view__descriptor};
    prepare(asks, &call, false);
    return (const Coloan__V1__ApplicationView *)ask_now(asks, &call);
}

static void prepare_decision(struct asks *asks, char *application_id)
{
    Coloan__V1__DecisionQuery query = COLOAN__V1__DECISION_QUERY__INIT;
    query.application_id = application_id;
    struct cl_session_call call = {
        .method = REVIEW "GetDecision", .body = &query.base, .reply_type = &coloan__v1__decision_record__descriptor};
    prepare(asks, &call, true);
}

static void prepare_confirmation(struct asks *asks, const Coloan__V1__ApplicationView *view, const char *application_id)
{
    static uint8_t document[CL_DIGEST_BYTES] = {9};
    Coloan__V1__OfferConfirmation confirmation = COLOAN__V1__OFFER_CONFIRMATION__INIT;
    confirmation.offer_version = view->status->offer_version;
    confirmation.terms_digest = view->offer->terms_digest;
    confirmation.document_sha256 = (ProtobufCBinaryData){sizeof document, document};
    struct cl_session_call call = {.method = JOINT "ConfirmOffer",
                                   .body = &confirmation.base,
                                   .reply_type = &coloan__v1__application_status__descriptor,
                                   .application_id = application_id};
    prepare(asks, &call, false);
}

static void prepare_signing(struct asks *asks, const Coloan__V1__ApplicationView *view, Coloan__V1__Leg leg)
{
    char reference[16];
    Coloan__V1__Milestone milestone = COLOAN__V1__MILESTONE__INIT;
    (void)snprintf(reference, sizeof reference, "S-%d", (int)leg);
    milestone.kind = COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_SIGNED;
    milestone.leg = leg;
    milestone.bank_epoch = view->status->bank_epoch;
    milestone.reference = reference;
    milestone.happened_ms = world_now_ms(asks->world);
    struct cl_session_call call = {.method = JOINT "ReportMilestone",
                                   .body = &milestone.base,
                                   .reply_type = &coloan__v1__application_status__descriptor,
                                   .application_id = view->status->application_id};
    prepare(asks, &call, false);
}

/* -- Life ----------------------------------------------------------------------------------------------------- */

static void connect(struct asks *asks)
{
    asks->bank = world_session(asks->world, "alpha", WORLD_KEY_ALPHA);
    asks->officer = world_session(asks->world, "officer", WORLD_KEY_OFFICER);
}

static void disconnect(struct asks *asks)
{
    cl_session_free(asks->bank);
    cl_session_free(asks->officer);
}

void asks_open(struct asks *out, const struct world *world)
{
    *out = (struct asks){.world = world};
    struct cl_status status = cl_arena_create(&out->arena, ARENA_BYTES);
    assert(cl_is_ok(status));
    connect(out);
    char *application_id = only_application(out);
    const Coloan__V1__ApplicationView *view = prepare_view(out, application_id);
    prepare_decision(out, application_id);
    prepare_confirmation(out, view, application_id);
    prepare_signing(out, view, COLOAN__V1__LEG__LEG_FUND);
    prepare_signing(out, view, COLOAN__V1__LEG__LEG_COMMERCIAL);
    for (size_t i = 0; i < sizeof plains / sizeof plains[0]; i++) {
        prepare_plain(out, &plains[i], application_id);
    }
}

void asks_close(struct asks *asks)
{
    disconnect(asks);
    cl_arena_free(asks->arena);
}

void asks_reconnect(struct asks *asks)
{
    disconnect(asks);
    connect(asks);
}

void asks_send(struct asks *asks, bool (*goes_on)(void *user), void *user)
{
    for (size_t i = 0; i < asks->count && goes_on(user); i++) {
        struct cl_answer answer;
        struct cl_session *session = asks->by_officer[i] ? asks->officer : asks->bank;
        struct cl_status status = cl_session_send(&answer, session, asks->arena, &asks->requests[i],
                                                  (struct cl_patience){.attempt_ms = CALL_MS});
        asks->reasons[i] = status.reason;
    }
}
