/* A call is tried in a loop. Each try either yields a reply, which must verify, or a reason: the way's own, the
 * centre's stated one, or, better, the centre's signed one. Only a reason of UNAVAILABLE or DEADLINE_EXCEEDED is tried
 * again, with the same bytes: the centre answers a repetition with the reply it gave before. */
#include "libcoloan/session.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/clock.h"
#include "libcoloan/dsse.h"
#include "libcoloan/session_core.h"
#include "libcoloan/wirescan.h"

/* -- Session -------------------------------------------------------------------------------------------------- */

static struct cl_status session_fill(struct cl_session *session, const struct cl_session_options *options)
{
    session->signer = options->signer;
    session->directory_key = options->directory_key;
    session->clock = options->clock == NULL ? cl_clock_system() : options->clock;
    session->random = options->random == NULL ? cl_random_system() : options->random;
    (void)snprintf(session->centre, sizeof session->centre, "%s", cl_keyring_centre(options->keyring));
    (void)snprintf(session->environment, sizeof session->environment, "%s", cl_keyring_environment(options->keyring));
    struct cl_status status = cl_keyring_slot_create(&session->keyrings, options->keyring);
    if (cl_failed(status)) {
        return status;
    }
    return cl_rpc_client_create(&session->client, &(struct cl_rpc_client_options){.target = options->target,
                                                                                  .ca_pem = options->ca_pem,
                                                                                  .cert_pem = options->cert_pem,
                                                                                  .key_pem = options->key_pem,
                                                                                  .server_name = options->server_name,
                                                                                  .server_party = session->centre});
}

struct cl_status cl_session_create(struct cl_session **out, const struct cl_session_options *options)
{
    pthread_condattr_t monotonic;
    struct cl_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    (void)pthread_mutex_init(&session->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&session->stop, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    struct cl_status status = session_fill(session, options);
    if (cl_failed(status)) {
        cl_session_free(session);
        return status;
    }
    *out = session;
    return cl_ok();
}

void cl_session_free(struct cl_session *session)
{
    if (session == NULL) {
        return;
    }
    cl_rpc_client_free(session->client);
    cl_keyring_slot_free(session->keyrings);
    (void)pthread_cond_destroy(&session->stop);
    (void)pthread_mutex_destroy(&session->lock);
    free(session);
}

void cl_session_stop(struct cl_session *session)
{
    (void)pthread_mutex_lock(&session->lock);
    atomic_store(&session->stopped, true);
    (void)pthread_cond_broadcast(&session->stop);
    (void)pthread_mutex_unlock(&session->lock);
}

bool cl_session_stopped(const struct cl_session *session)
{
    return atomic_load(&session->stopped);
}

bool cl_session_pause(struct cl_session *session, int64_t wait_ms)
{
    struct timespec until = cl_monotonic_after(wait_ms);
    (void)pthread_mutex_lock(&session->lock);
    int waited = 0;
    while (!atomic_load(&session->stopped) && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&session->stop, &session->lock, &until);
    }
    (void)pthread_mutex_unlock(&session->lock);
    return !atomic_load(&session->stopped);
}

const char *cl_session_party(const struct cl_session *session)
{
    return cl_signer_party(session->signer);
}

const char *cl_session_centre(const struct cl_session *session)
{
    return session->centre;
}

struct cl_keyring *cl_session_keyring(struct cl_session *session)
{
    return cl_keyring_slot_take(session->keyrings);
}

/* -- Waiting longer each time --------------------------------------------------------------------------------- */

int64_t cl_backoff_next(struct cl_backoff *backoff, int64_t least_ms, const struct cl_random *random)
{
    uint16_t dice = 0;
    int64_t base = backoff->next_ms < CL_BACKOFF_MS_MIN ? CL_BACKOFF_MS_MIN : backoff->next_ms;
    backoff->next_ms = base * 2 > CL_BACKOFF_MS_MAX ? CL_BACKOFF_MS_MAX : base * 2;
    cl_random_fill(random, &dice, sizeof dice);
    int64_t wait = base * 3 / 4 + base / 2 * dice / UINT16_MAX; /* so that many clients do not come back at once */
    return wait > least_ms ? wait : least_ms;
}

/* -- Preparing ------------------------------------------------------------------------------------------------ */

struct cl_status session_seal(struct cl_sealed *out, struct cl_message *header_out, struct cl_session *session,
                              struct cl_arena *arena, const struct session_message *message)
{
    int64_t now_ms = cl_clock_unix_ms(session->clock);
    struct cl_message header = {
        .environment = session->environment,
        .recipient = session->centre,
        .method = message->method,
        .direction = message->direction,
        .created_ms = now_ms,
        .expires_ms = now_ms + CL_MESSAGE_LIFE_MS_MAX,
        .in_reply_to = message->in_reply_to,
        .application_id = message->application_id,
        .body = message->body,
        .disclosures = message->disclosures,
        .disclosure_count = message->disclosure_count,
    };
    if (message->message_id != NULL) {
        header.message_id = *message->message_id;
    }
    if (message->message_id == NULL) {
        cl_uuid7_make(&header.message_id, now_ms, session->random);
    }
    *header_out = header;
    return cl_envelope_seal(out, arena, session->signer, &header);
}

struct cl_status cl_session_prepare(struct cl_request *out, struct cl_session *session, struct cl_arena *arena,
                                    const struct cl_session_call *call)
{
    struct cl_sealed sealed;
    struct cl_message header;
    struct cl_status status =
        session_seal(&sealed, &header, session, arena,
                     &(struct session_message){
                         .method = call->method,
                         .direction = call->acknowledges == NULL ? COLOAN__V1__DIRECTION__DIRECTION_REQUEST
                                                                 : COLOAN__V1__DIRECTION__DIRECTION_ACK,
                         .body = call->body,
                         .in_reply_to = call->acknowledges,
                         .application_id = call->application_id,
                         .message_id = call->message_id,
                         .disclosures = call->disclosures,
                         .disclosure_count = call->disclosure_count,
                     });
    if (cl_failed(status)) {
        return status;
    }
    const char *method = cl_arena_text(arena, call->method);
    if (method == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *out = (struct cl_request){.method = method,
                               .reply_type = call->reply_type,
                               .message_id = header.message_id,
                               .digest = sealed.digest,
                               .envelope = sealed.envelope,
                               .expires_ms = header.expires_ms};
    return cl_ok();
}

/* -- Verifying ------------------------------------------------------------------------------------------------ */

struct cl_expectation session_expect(struct cl_session *session, const struct cl_keyring *keyring, const char *method,
                                     const struct cl_expected_body *bodies, size_t body_count,
                                     const struct cl_digest *in_reply_to)
{
    return (struct cl_expectation){.keyring = keyring,
                                   .environment = session->environment,
                                   .sender = session->centre,
                                   .recipient = cl_session_party(session),
                                   .method = method,
                                   .bodies = bodies,
                                   .body_count = body_count,
                                   .in_reply_to = in_reply_to,
                                   .now_ms = cl_clock_unix_ms(session->clock)};
}

static struct cl_bytes keep(struct cl_arena *arena, struct cl_bytes bytes)
{
    const uint8_t *copy = cl_arena_copy(arena, bytes);
    return copy == NULL ? cl_bytes(NULL, 0) : cl_bytes(copy, bytes.len);
}

/* Opens a message that answers `request`, unpacks it, and keeps its bytes. */
static struct cl_status open_answer(struct cl_answer *out, ProtobufCMessage **body_out, struct cl_arena *arena,
                                    struct cl_bytes bytes, const struct cl_expectation *expected)
{
    struct cl_opened opened;
    struct cl_status status = cl_envelope_open(&opened, arena, bytes, expected);
    if (cl_is_ok(status)) {
        status = cl_opened_body(body_out, arena, &opened);
    }
    if (cl_failed(status)) {
        return status;
    }
    out->opened = opened;
    out->envelope = keep(arena, bytes);
    return out->envelope.data == NULL ? cl_fail(CL_MEMORY_LIMIT) : cl_ok();
}

/* The signed form of a refusal: it says the reason, not the details around it. */
static struct cl_status read_signed_refusal(struct cl_answer *out, struct cl_session *session, struct cl_arena *arena,
                                            const char *method, const struct cl_digest *request,
                                            struct cl_bytes envelope)
{
    const struct cl_expected_body body = {&coloan__v1__refusal__descriptor, COLOAN__V1__DIRECTION__DIRECTION_REFUSAL};
    ProtobufCMessage *message = NULL;
    struct cl_keyring *keyring = cl_session_keyring(session);
    struct cl_expectation expected = session_expect(session, keyring, method, &body, 1, request);
    struct cl_status status = open_answer(out, &message, arena, envelope, &expected);
    cl_keyring_unref(keyring);
    if (cl_failed(status)) {
        return cl_fail(status.reason == CL_MEMORY_LIMIT ? CL_MEMORY_LIMIT : CL_PEER_ANSWER_INVALID);
    }
    const Coloan__V1__Refusal *refusal = (const Coloan__V1__Refusal *)(const void *)message;
    const struct cl_reason_info *reason = cl_reason_find(refusal->reason);
    if (reason == NULL || reason->reason == CL_OK || strlen(refusal->field) >= sizeof out->field ||
        refusal->retry_after_ms < 0) {
        return cl_fail(CL_PEER_ANSWER_INVALID);
    }
    out->refused = true;
    out->refusal_signed = true;
    out->retry_after_ms = refusal->retry_after_ms;
    (void)snprintf(out->field, sizeof out->field, "%s", refusal->field);
    return cl_fail(reason->reason);
}

struct cl_status session_refused(struct cl_answer *out, struct cl_session *session, struct cl_arena *arena,
                                 const char *method, const struct cl_digest *request, struct cl_bytes details)
{
    struct cl_refusal_read read;
    if (cl_failed(cl_refusal_read(&read, details))) {
        return cl_fail(CL_PEER_ANSWER_INVALID);
    }
    if (read.envelope.len > 0) {
        return read_signed_refusal(out, session, arena, method, request, read.envelope);
    }
    if (cl_is_ok(read.status)) {
        return cl_fail(CL_PEER_ANSWER_INVALID);
    }
    out->refused = true;
    out->retry_after_ms = read.retry_after_ms;
    (void)snprintf(out->field, sizeof out->field, "%s", read.field);
    return read.status;
}

static struct cl_status read_reply(struct cl_answer *out, struct cl_session *session, struct cl_arena *arena,
                                   const struct cl_request *request, const struct cl_keyring *keyring,
                                   struct cl_bytes bytes)
{
    const struct cl_expected_body body = {request->reply_type, COLOAN__V1__DIRECTION__DIRECTION_REPLY};
    ProtobufCMessage *message = NULL;
    struct cl_expectation expected = session_expect(session, keyring, request->method, &body, 1, &request->digest);
    struct cl_status status = open_answer(out, &message, arena, bytes, &expected);
    out->body = cl_is_ok(status) ? message : NULL;
    return status;
}

struct cl_status session_read_reply(struct cl_answer *out, struct cl_session *session, struct cl_arena *arena,
                                    const struct cl_request *request, struct cl_bytes bytes)
{
    struct cl_keyring *keyring = cl_session_keyring(session);
    struct cl_status status = read_reply(out, session, arena, request, keyring, bytes);
    cl_keyring_unref(keyring);
    return status;
}

/* -- Sending -------------------------------------------------------------------------------------------------- */

/* One try. OK when there is a reply, whose bytes are `result`'s; nothing of it is believed yet. */
static struct cl_status try_once(struct cl_answer *out, struct cl_rpc_result *result, struct cl_session *session,
                                 struct cl_arena *arena, const struct cl_request *request, int64_t timeout_ms)
{
    char path[SESSION_PATH_BYTES_MAX];
    (void)snprintf(path, sizeof path, "/%s", request->method);
    struct cl_status status = cl_rpc_client_call(session->client, path, request->envelope, timeout_ms, result);
    if (cl_failed(status)) {
        return status;
    }
    if (result->code == CL_GRPC_OK) {
        return cl_ok();
    }
    return session_refused(out, session, arena, request->method, &request->digest,
                           cl_bytes(result->details.data, result->details.len));
}

static bool worth_another_try(struct cl_status status)
{
    enum cl_grpc_code code = cl_reason_info(status.reason)->grpc_code;
    return code == CL_GRPC_UNAVAILABLE || code == CL_GRPC_DEADLINE_EXCEEDED;
}

/* Tries until there is a reply or no time. `out` starts anew with each try. */
static struct cl_status exchange(struct cl_answer *out, struct cl_rpc_result *result, struct cl_session *session,
                                 struct cl_arena *arena, const struct cl_request *request, struct cl_patience patience)
{
    struct cl_backoff backoff = {0};
    int64_t attempt_ms = patience.attempt_ms > 0 ? patience.attempt_ms : CL_DEADLINE_MS_DEFAULT;
    int64_t end_ms = cl_clock_monotonic_ms(session->clock) + patience.total_ms;
    for (unsigned attempt = 1;; attempt++) {
        *out = (struct cl_answer){.attempt_count = attempt};
        *result = (struct cl_rpc_result){.code = CL_GRPC_OK};
        if (cl_session_stopped(session)) {
            return cl_fail(CL_SHUTTING_DOWN);
        }
        struct cl_status status = try_once(out, result, session, arena, request, attempt_ms);
        if (cl_is_ok(status) || !worth_another_try(status)) {
            return status;
        }
        int64_t wait_ms = cl_backoff_next(&backoff, out->retry_after_ms, session->random);
        if (cl_clock_monotonic_ms(session->clock) + wait_ms >= end_ms || !cl_session_pause(session, wait_ms)) {
            return status;
        }
        cl_rpc_result_free(result);
    }
}

struct cl_status cl_session_send(struct cl_answer *out, struct cl_session *session, struct cl_arena *arena,
                                 const struct cl_request *request, struct cl_patience patience)
{
    struct cl_rpc_result result;
    struct cl_status status = exchange(out, &result, session, arena, request, patience);
    if (cl_is_ok(status)) {
        status = session_read_reply(out, session, arena, request, cl_bytes(result.message.data, result.message.len));
    }
    cl_rpc_result_free(&result);
    return status;
}

struct cl_status cl_session_call(struct cl_answer *out, struct cl_session *session, struct cl_arena *arena,
                                 const struct cl_session_call *call, struct cl_patience patience)
{
    struct cl_request request;
    *out = (struct cl_answer){.attempt_count = 0};
    struct cl_status status = cl_session_prepare(&request, session, arena, call);
    return cl_failed(status) ? status : cl_session_send(out, session, arena, &request, patience);
}

/* -- Keys ----------------------------------------------------------------------------------------------------- */

/* The answer inside a reply whose signature cannot be judged yet. */
static struct cl_status peek_answer(const Coloan__V1__KeysAnswer **out, struct cl_arena *arena, struct cl_bytes bytes)
{
    Coloan__V1__Envelope *envelope = NULL;
    ProtobufCMessage *payload = NULL;
    ProtobufCMessage *body = NULL;
    struct cl_status status = cl_dsse_read(&envelope, arena, bytes);
    if (cl_is_ok(status)) {
        status = cl_unpack(&payload, arena, &coloan__v1__signed_payload__descriptor,
                           cl_bytes(envelope->payload.data, envelope->payload.len));
    }
    if (cl_is_ok(status)) {
        const Coloan__V1__SignedPayload *outer = (const Coloan__V1__SignedPayload *)(const void *)payload;
        status =
            cl_unpack(&body, arena, &coloan__v1__keys_answer__descriptor, cl_bytes(outer->body.data, outer->body.len));
    }
    if (cl_failed(status)) {
        return status;
    }
    *out = (const Coloan__V1__KeysAnswer *)(const void *)body;
    return cl_ok();
}

/* A directory proves itself by the pinned key, so it is loaded first; then the reply that brought it must verify with
 * it, or with the one held. */
static struct cl_status take_keys(bool *changed_out, struct cl_session *session, struct cl_arena *arena,
                                  const struct cl_request *request, struct cl_bytes reply)
{
    const struct cl_directory_trust trust = {
        .public_key = session->directory_key, .centre = session->centre, .environment = session->environment};
    const Coloan__V1__KeysAnswer *keys = NULL;
    struct cl_answer answer;
    struct cl_keyring *newer = NULL;
    struct cl_keyring *held = cl_session_keyring(session);
    struct cl_status status = peek_answer(&keys, arena, reply);
    if (cl_is_ok(status) && keys->directory.len > 0) {
        status = cl_keyring_load(&newer, cl_bytes(keys->directory.data, keys->directory.len), &trust, held);
    }
    if (cl_is_ok(status)) {
        status = read_reply(&answer, session, arena, request, newer != NULL ? newer : held, reply);
    }
    if (cl_failed(status) && newer != NULL) {
        status = read_reply(&answer, session, arena, request, held, reply);
    }
    if (cl_is_ok(status) && newer != NULL) {
        status = cl_keyring_slot_replace(session->keyrings, newer);
    }
    if (cl_is_ok(status) && changed_out != NULL) {
        *changed_out = newer != NULL;
    }
    cl_keyring_unref(newer);
    cl_keyring_unref(held);
    return status;
}

struct cl_status cl_session_refresh_keys(bool *changed_out, struct cl_session *session, struct cl_arena *arena,
                                         struct cl_patience patience)
{
    Coloan__V1__KeysQuery query = COLOAN__V1__KEYS_QUERY__INIT;
    struct cl_keyring *held = cl_session_keyring(session);
    query.known_number = cl_keyring_number(held);
    cl_keyring_unref(held);
    struct cl_request request;
    struct cl_answer answer;
    struct cl_rpc_result result;
    struct cl_status status = cl_session_prepare(&request, session, arena,
                                                 &(struct cl_session_call){
                                                     .method = "coloan.v1.Directory/GetKeys",
                                                     .body = &query.base,
                                                     .reply_type = &coloan__v1__keys_answer__descriptor,
                                                 });
    if (cl_failed(status)) {
        return status;
    }
    status = exchange(&answer, &result, session, arena, &request, patience);
    if (cl_is_ok(status)) {
        status = take_keys(changed_out, session, arena, &request, cl_bytes(result.message.data, result.message.len));
    }
    cl_rpc_result_free(&result);
    return status;
}
