/* session: against a small centre over real mutual TLS that answers well or badly in every way that matters. Nothing is
 * believed that the centre did not sign for this very request, and a retry sends the very same bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <coloan/v1/application.pb-c.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/limits.h"
#include "libcoloan/rpc.h"
#include "libcoloan/session.h"
#include "tests/support/pki.h"

#define BANK        "bank:cn-alpha-js"
#define FUND        "fund:cn-example" /* the name in pki.h's server certificate */
#define ENVIRONMENT "test"
#define ASK         "coloan.v1.Directory/GetCapabilities"
#define KEYS        "coloan.v1.Directory/GetKeys"
#define DELIVER     "coloan.v1.JointApproval/Deliver"

/* -- Keys ----------------------------------------------------------------------------------------------------- */

static struct pki pki;
static struct cl_signer *bank_signer, *fund_signer, *next_signer, *other_signer, *directory_signer, *false_signer;
static struct cl_keyring *keyring;
static struct cl_bytes newer_directory, older_directory, false_directory; /* number 2 with the next key; 1; 3 */
static struct cl_arena *keys_arena;

static struct cl_signer *signer_of(uint8_t seed_byte, const char *party)
{
    uint8_t seed[CL_KEY_SEED_BYTES];
    struct cl_signer *signer = NULL;
    memset(seed, seed_byte, sizeof seed);
    assert_true(cl_is_ok(cl_signer_from_seed(&signer, seed, party)));
    return signer;
}

static struct cl_bytes issue(uint64_t number, const struct cl_signer *issuer, const struct cl_signer *fund)
{
    struct cl_key keys[3];
    int64_t now_ms = cl_clock_unix_ms(cl_clock_system());
    const struct cl_signer *signers[] = {bank_signer, fund, other_signer};
    for (size_t i = 0; i < 3; i++) {
        cl_key_describe(&keys[i], signers[i], COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, ENVIRONMENT, now_ms - 1000,
                        now_ms + 3600000);
    }
    struct cl_directory directory = {
        .number = number, .environment = ENVIRONMENT, .issued_ms = now_ms, .keys = keys, .key_count = 3};
    cl_uuid7_make(&directory.message_id, now_ms, cl_random_system());
    struct cl_bytes bytes;
    assert_true(cl_is_ok(cl_keyring_issue(&bytes, keys_arena, issuer, &directory)));
    return bytes;
}

static struct cl_directory_trust trust(void)
{
    return (struct cl_directory_trust){
        .public_key = *cl_signer_public_key(directory_signer), .centre = FUND, .environment = ENVIRONMENT};
}

/* -- The centre ----------------------------------------------------------------------------------------------- */

enum mode {
    GOOD,
    TAMPERED,
    GARBAGE,
    EMPTY,
    OTHER_REPLY_TO,
    OTHER_SENDER,
    OTHER_KEY,
    OTHER_RECIPIENT,
    OTHER_METHOD,
    OTHER_TYPE,
    OTHER_ENVIRONMENT,
    AS_REFUSAL,
    REFUSE_STATED,
    REFUSE_SIGNED,
    REFUSE_TAMPERED,
    REFUSE_OTHER_REPLY_TO,
    REFUSE_UNSAID,
    LOSE_FIRST,  /* no answer to the first attempt */
    WORKS_ON_IT, /* IN_PROGRESS twice, then the reply */
    OVERLOADS,
    KEYS_CURRENT,
    KEYS_NEWER,
    KEYS_NEWER_BY_NEXT, /* and the reply signed by the key that only the newer one holds */
    KEYS_OLDER,
    KEYS_FALSE,
    KEYS_BY_OTHER,
    STREAM_GOOD,
    STREAM_JUMPS,
    STREAM_REPEATS,
    STREAM_GAPS,
    STREAM_GAPS_BADLY,
    STREAM_HOLDS,
    STREAM_HOLDS_BADLY,
    STREAM_OTHER_OPEN,
    STREAM_OTHER_SENDER,
    STREAM_FENCES,
    STREAM_DRAINS,
};

static struct {
    _Atomic enum mode mode;
    atomic_int attempts, acks, credits;
    pthread_mutex_t lock;  /* guards the rest */
    struct cl_bytes first; /* of the first attempt; owned */
    bool same;             /* all attempts were its bytes */
    _Atomic(struct cl_rpc_call *) held;
    uint64_t resume_after, acked_sequence;
    struct cl_digest event_digest; /* of the last event sent */
    bool ack_fits;
    char reference[CL_TEXT_BYTES_MAX + 1];
} centre = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool all_attempts_were_the_same(void)
{
    (void)pthread_mutex_lock(&centre.lock);
    bool same = centre.same;
    (void)pthread_mutex_unlock(&centre.lock);
    return same;
}

static bool first_attempt_was(struct cl_bytes bytes)
{
    (void)pthread_mutex_lock(&centre.lock);
    bool same = cl_bytes_equal(centre.first, bytes);
    (void)pthread_mutex_unlock(&centre.lock);
    return same;
}

/* An answer before it is sealed: every part may be made wrong. */
struct draft {
    const char *environment, *recipient, *method;
    Coloan__V1__Direction direction;
    struct cl_digest in_reply_to;
    const struct cl_signer *signer;
    const ProtobufCMessage *body;
    uint64_t sequence;
};

static struct cl_sealed seal(struct cl_arena *arena, const struct draft *draft)
{
    int64_t now_ms = cl_clock_unix_ms(cl_clock_system());
    bool event = draft->direction == COLOAN__V1__DIRECTION__DIRECTION_EVENT;
    struct cl_message message = {.environment = draft->environment,
                                 .recipient = draft->recipient,
                                 .method = draft->method,
                                 .direction = draft->direction,
                                 .created_ms = now_ms,
                                 .expires_ms = event ? 0 : now_ms + 60000,
                                 .in_reply_to = event ? NULL : &draft->in_reply_to,
                                 .sequence = draft->sequence,
                                 .body = draft->body};
    struct cl_sealed sealed;
    cl_uuid7_make(&message.message_id, now_ms, cl_random_system());
    assert_true(cl_is_ok(cl_envelope_seal(&sealed, arena, draft->signer, &message)));
    return sealed;
}

static struct cl_bytes damaged(struct cl_arena *arena, struct cl_bytes bytes)
{
    uint8_t *copy = cl_arena_copy(arena, bytes);
    copy[bytes.len / 3] ^= 1;
    return cl_bytes(copy, bytes.len);
}

static struct draft reply_to(const struct cl_opened *opened, const char *method, const ProtobufCMessage *body)
{
    return (struct draft){.environment = ENVIRONMENT,
                          .recipient = BANK,
                          .method = method,
                          .direction = COLOAN__V1__DIRECTION__DIRECTION_REPLY,
                          .in_reply_to = opened->digest,
                          .signer = fund_signer,
                          .body = body};
}

static struct cl_opened open_request(struct cl_arena *arena, struct cl_bytes bytes, const char *method,
                                     const struct cl_expected_body *bodies, size_t body_count)
{
    struct cl_opened opened;
    struct cl_expectation expected = {.keyring = keyring,
                                      .environment = ENVIRONMENT,
                                      .sender = BANK,
                                      .recipient = FUND,
                                      .method = method,
                                      .bodies = bodies,
                                      .body_count = body_count,
                                      .now_ms = cl_clock_unix_ms(cl_clock_system())};
    assert_true(cl_is_ok(cl_envelope_open(&opened, arena, bytes, &expected)));
    assert_true(cl_is_ok(cl_header_check_time(opened.header, expected.now_ms)));
    return opened;
}

static void refuse(struct cl_rpc_call *call, enum cl_reason reason, struct cl_bytes envelope)
{
    struct cl_refusal_details details;
    cl_refusal_build(&details, &(struct cl_refusal){.status = cl_fail(reason),
                                                    .retry_after_ms = 10,
                                                    .field = "home.price_fen",
                                                    .envelope = envelope});
    cl_rpc_finish(call, cl_fail(reason), cl_bytes(details.bytes, details.len));
}

static void refuse_signed(struct cl_rpc_call *call, struct cl_arena *arena, enum mode mode, struct draft *draft)
{
    Coloan__V1__Refusal body = COLOAN__V1__REFUSAL__INIT;
    body.reason = cl_arena_text(arena, "AMOUNT_INVALID");
    body.field = cl_arena_text(arena, "request.total_fen");
    draft->direction = COLOAN__V1__DIRECTION__DIRECTION_REFUSAL;
    draft->body = &body.base;
    draft->in_reply_to.bytes[0] ^= mode == REFUSE_OTHER_REPLY_TO ? 1 : 0;
    struct cl_bytes envelope = seal(arena, draft).envelope;
    refuse(call, CL_AMOUNT_INVALID, mode == REFUSE_TAMPERED ? damaged(arena, envelope) : envelope);
}

static void answer_asked(struct cl_rpc_call *call, struct cl_arena *arena, enum mode mode, struct draft draft)
{
    Coloan__V1__KeysAnswer other = COLOAN__V1__KEYS_ANSWER__INIT;
    draft.in_reply_to.bytes[31] ^= mode == OTHER_REPLY_TO ? 1 : 0;
    draft.signer = mode == OTHER_SENDER ? other_signer : (mode == OTHER_KEY ? next_signer : draft.signer);
    draft.recipient = mode == OTHER_RECIPIENT ? "bank:cn-beta-js" : draft.recipient;
    draft.method = mode == OTHER_METHOD ? KEYS : draft.method;
    draft.environment = mode == OTHER_ENVIRONMENT ? "prod" : draft.environment;
    draft.body = mode == OTHER_TYPE ? &other.base : draft.body;
    draft.direction = mode == AS_REFUSAL ? COLOAN__V1__DIRECTION__DIRECTION_REFUSAL : draft.direction;
    struct cl_bytes envelope = seal(arena, &draft).envelope;
    envelope = mode == TAMPERED ? damaged(arena, envelope) : envelope;
    envelope = mode == GARBAGE ? cl_bytes_text("\x0a\xff garbage") : envelope;
    envelope.len = mode == EMPTY ? 0 : envelope.len;
    cl_rpc_reply(call, envelope);
}

static int count_attempt(struct cl_bytes message)
{
    (void)pthread_mutex_lock(&centre.lock);
    if (centre.first.data == NULL) {
        uint8_t *copy = malloc(message.len + 1);
        memcpy(copy, message.data, message.len);
        centre.first = cl_bytes(copy, message.len);
    }
    centre.same = centre.same && cl_bytes_equal(centre.first, message);
    (void)pthread_mutex_unlock(&centre.lock);
    return atomic_fetch_add(&centre.attempts, 1) + 1;
}

static void ask(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    (void)user;
    static const struct cl_expected_body bodies[] = {
        {&coloan__v1__capabilities_query__descriptor, COLOAN__V1__DIRECTION__DIRECTION_REQUEST}};
    enum mode mode = atomic_load(&centre.mode);
    int attempt = count_attempt(message);
    struct cl_arena *arena = NULL;
    assert_true(cl_is_ok(cl_arena_create(&arena, CL_MESSAGE_ARENA_BYTES_MAX)));
    struct cl_opened opened = open_request(arena, message, ASK, bodies, 1);
    Coloan__V1__Capabilities capabilities = COLOAN__V1__CAPABILITIES__INIT;
    capabilities.message_bytes_max = 4711;
    struct draft draft = reply_to(&opened, ASK, &capabilities.base);
    if (mode == LOSE_FIRST && attempt == 1) {
        atomic_store(&centre.held, cl_rpc_call_ref(call));
    } else if (mode == WORKS_ON_IT && attempt <= 2) {
        refuse(call, CL_IN_PROGRESS, cl_bytes(NULL, 0));
    } else if (mode == OVERLOADS) {
        refuse(call, CL_OVERLOADED, cl_bytes(NULL, 0));
    } else if (mode == REFUSE_STATED) {
        refuse(call, CL_FIELD_INVALID, cl_bytes(NULL, 0));
    } else if (mode == REFUSE_UNSAID) {
        cl_rpc_finish(call, cl_fail(CL_FIELD_INVALID), cl_bytes_text("\xff"));
    } else if (mode == REFUSE_SIGNED || mode == REFUSE_TAMPERED || mode == REFUSE_OTHER_REPLY_TO) {
        refuse_signed(call, arena, mode, &draft);
    } else {
        answer_asked(call, arena, mode, draft);
    }
    cl_arena_free(arena);
}

static void keys(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    (void)user;
    static const struct cl_expected_body bodies[] = {
        {&coloan__v1__keys_query__descriptor, COLOAN__V1__DIRECTION__DIRECTION_REQUEST}};
    enum mode mode = atomic_load(&centre.mode);
    struct cl_arena *arena = NULL;
    assert_true(cl_is_ok(cl_arena_create(&arena, CL_MESSAGE_ARENA_BYTES_MAX)));
    struct cl_opened opened = open_request(arena, message, KEYS, bodies, 1);
    Coloan__V1__KeysAnswer body = COLOAN__V1__KEYS_ANSWER__INIT;
    struct draft draft = reply_to(&opened, KEYS, &body.base);
    struct cl_bytes directory = mode == KEYS_OLDER ? older_directory : newer_directory;
    directory = mode == KEYS_FALSE ? false_directory : directory;
    if (mode != KEYS_CURRENT) {
        body.directory = (ProtobufCBinaryData){.data = cl_arena_copy(arena, directory), .len = directory.len};
    }
    draft.signer = mode == KEYS_NEWER_BY_NEXT ? next_signer : (mode == KEYS_BY_OTHER ? other_signer : fund_signer);
    cl_rpc_reply(call, seal(arena, &draft).envelope);
    cl_arena_free(arena);
}

/* -- The centre's stream -------------------------------------------------------------------------------------- */

static void push(struct cl_rpc_call *call, struct cl_arena *arena, const struct draft *draft)
{
    struct cl_sealed sealed = seal(arena, draft);
    (void)pthread_mutex_lock(&centre.lock);
    centre.event_digest = sealed.digest;
    (void)pthread_mutex_unlock(&centre.lock);
    assert_int_equal(cl_rpc_send(call, sealed.envelope), CL_RPC_QUEUED);
}

static void push_event(struct cl_rpc_call *call, struct cl_arena *arena, struct draft draft, uint64_t sequence)
{
    Coloan__V1__Event event = COLOAN__V1__EVENT__INIT;
    event.kind = COLOAN__V1__EVENT_KIND__EVENT_KIND_STATUS;
    draft.direction = COLOAN__V1__DIRECTION__DIRECTION_EVENT;
    draft.sequence = sequence;
    draft.body = &event.base;
    push(call, arena, &draft);
}

static void push_gap(struct cl_rpc_call *call, struct cl_arena *arena, struct draft draft, uint64_t from, uint64_t to)
{
    Coloan__V1__Gap gap = COLOAN__V1__GAP__INIT;
    gap.from = from;
    gap.to = to;
    draft.body = &gap.base;
    push(call, arena, &draft);
}

static void push_held(struct cl_rpc_call *call, struct cl_arena *arena, struct draft draft, uint64_t from, uint64_t to)
{
    Coloan__V1__Held held = COLOAN__V1__HELD__INIT;
    held.from = from;
    held.to = to;
    draft.body = &held.base;
    push(call, arena, &draft);
}

static void push_heartbeat(struct cl_rpc_call *call, struct cl_arena *arena, struct draft draft)
{
    Coloan__V1__Heartbeat heartbeat = COLOAN__V1__HEARTBEAT__INIT;
    heartbeat.head = 9;
    heartbeat.received_floor = 4;
    heartbeat.server_time_ms = 12345;
    draft.body = &heartbeat.base;
    push(call, arena, &draft);
}

static void push_drain(struct cl_rpc_call *call, struct cl_arena *arena, struct draft draft)
{
    Coloan__V1__Drain drain = COLOAN__V1__DRAIN__INIT;
    drain.reconnect_after_ms = 250;
    draft.body = &drain.base;
    push(call, arena, &draft);
    cl_rpc_finish(call, cl_ok(), cl_bytes(NULL, 0));
}

static void on_open(struct cl_rpc_call *call, struct cl_arena *arena, const struct cl_opened *opened,
                    const Coloan__V1__Open *open)
{
    enum mode mode = atomic_load(&centre.mode);
    uint64_t next = open->resume_after + 1;
    struct draft draft = reply_to(opened, DELIVER, NULL);
    (void)pthread_mutex_lock(&centre.lock);
    centre.resume_after = open->resume_after;
    (void)pthread_mutex_unlock(&centre.lock);
    if (mode == STREAM_FENCES) {
        refuse(call, CL_STREAM_FENCED, cl_bytes(NULL, 0));
        return;
    }
    draft.in_reply_to.bytes[0] ^= mode == STREAM_OTHER_OPEN ? 1 : 0;
    push_heartbeat(call, arena, draft);
    draft.signer = mode == STREAM_OTHER_SENDER ? other_signer : draft.signer;
    if (mode == STREAM_DRAINS) {
        push_drain(call, arena, draft);
        return;
    }
    if (mode == STREAM_GAPS || mode == STREAM_GAPS_BADLY) {
        push_gap(call, arena, draft, next + (mode == STREAM_GAPS_BADLY ? 1 : 0), next + 4);
        push_event(call, arena, draft, next + 5);
        return;
    }
    if (mode == STREAM_HOLDS || mode == STREAM_HOLDS_BADLY) {
        push_held(call, arena, draft, next, next + (mode == STREAM_HOLDS_BADLY ? UINT64_MAX - next : 2));
        push_event(call, arena, draft, next + 3);
        push_event(call, arena, draft, next + 1);
        return;
    }
    push_event(call, arena, draft, next);
    push_event(call, arena, draft, mode == STREAM_REPEATS ? next : next + (mode == STREAM_JUMPS ? 2 : 1));
}

static void on_ack(const struct cl_opened *opened, const Coloan__V1__Ack *ack)
{
    (void)pthread_mutex_lock(&centre.lock);
    centre.acked_sequence = ack->sequence;
    centre.ack_fits = memcmp(opened->header->in_reply_to.data, centre.event_digest.bytes, CL_DIGEST_BYTES) == 0;
    (void)snprintf(centre.reference, sizeof centre.reference, "%s", ack->bank_reference);
    (void)pthread_mutex_unlock(&centre.lock);
    atomic_fetch_add(&centre.acks, 1);
}

static void deliver(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    (void)user;
    static const struct cl_expected_body bodies[] = {
        {&coloan__v1__open__descriptor, COLOAN__V1__DIRECTION__DIRECTION_REQUEST},
        {&coloan__v1__ack__descriptor, COLOAN__V1__DIRECTION__DIRECTION_ACK},
        {&coloan__v1__credit__descriptor, COLOAN__V1__DIRECTION__DIRECTION_REQUEST},
    };
    struct cl_arena *arena = NULL;
    ProtobufCMessage *body = NULL;
    if (message.data == NULL) {
        cl_rpc_finish(call, cl_ok(), cl_bytes(NULL, 0));
        return;
    }
    assert_true(cl_is_ok(cl_arena_create(&arena, CL_MESSAGE_ARENA_BYTES_MAX)));
    struct cl_opened opened = open_request(arena, message, DELIVER, bodies, 3);
    assert_true(cl_is_ok(cl_opened_body(&body, arena, &opened)));
    if (opened.body_type == &coloan__v1__open__descriptor) {
        on_open(call, arena, &opened, (const void *)body);
    } else if (opened.body_type == &coloan__v1__ack__descriptor) {
        on_ack(&opened, (const void *)body);
    } else {
        atomic_fetch_add(&centre.credits, 1);
    }
    cl_arena_free(arena);
    cl_rpc_next(call);
}

/* -- Reconciling; the centre's chain(n) is n, but for what it has otherwise ------------------------------------ */

#define RECONCILE "coloan.v1.JointApproval/Reconcile"

static struct {
    _Atomic uint64_t head, other_from; /* from here on the centre's events are others than the bank's */
    atomic_bool lies;                  /* about which sequences it was asked for */
} ledger;

static struct cl_digest chain_value(uint64_t sequence, bool other)
{
    struct cl_digest value = {{0}};
    memcpy(value.bytes, &sequence, sizeof sequence);
    value.bytes[31] = other ? 1 : 0;
    return value;
}

static void mark(Coloan__V1__ChainMark *out, struct cl_arena *arena, uint64_t sequence)
{
    struct cl_digest *value = cl_arena_alloc(arena, sizeof *value);
    coloan__v1__chain_mark__init(out);
    *value = chain_value(sequence, sequence >= ledger.other_from);
    out->sequence = sequence + (atomic_load(&ledger.lies) ? 1 : 0);
    out->chain = (ProtobufCBinaryData){.data = value->bytes, .len = sizeof value->bytes};
}

static void reconcile(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    (void)user;
    static const struct cl_expected_body bodies[] = {
        {&coloan__v1__reconcile_query__descriptor, COLOAN__V1__DIRECTION__DIRECTION_REQUEST}};
    struct cl_arena *arena = NULL;
    ProtobufCMessage *body = NULL;
    assert_true(cl_is_ok(cl_arena_create(&arena, CL_MESSAGE_ARENA_BYTES_MAX)));
    struct cl_opened opened = open_request(arena, message, RECONCILE, bodies, 1);
    assert_true(cl_is_ok(cl_opened_body(&body, arena, &opened)));
    const Coloan__V1__ReconcileQuery *query = (const void *)body;
    Coloan__V1__ReconcileAnswer answer = COLOAN__V1__RECONCILE_ANSWER__INIT;
    Coloan__V1__ChainMark head;
    Coloan__V1__ChainMark marks[64];
    Coloan__V1__ChainMark *list[64];
    assert_true(query->n_sequences >= 1 && query->n_sequences <= 64);
    for (size_t i = 0; i < query->n_sequences; i++) {
        assert_true(i == 0 || query->sequences[i] > query->sequences[i - 1]);
        if (query->sequences[i] > ledger.head) {
            refuse(call, CL_EVENT_UNKNOWN, cl_bytes(NULL, 0));
            cl_arena_free(arena);
            return;
        }
        mark(&marks[i], arena, query->sequences[i]);
        list[i] = &marks[i];
    }
    mark(&head, arena, ledger.head);
    head.sequence = ledger.head;
    answer.head = &head;
    answer.marks = list;
    answer.n_marks = query->n_sequences;
    struct draft draft = reply_to(&opened, RECONCILE, &answer.base);
    cl_rpc_reply(call, seal(arena, &draft).envelope);
    cl_arena_free(arena);
}

static const struct cl_rpc_method methods[] = {
    {"/" RECONCILE, CL_RPC_UNARY, reconcile, NULL},
    {"/" ASK, CL_RPC_UNARY, ask, NULL},
    {"/" KEYS, CL_RPC_UNARY, keys, NULL},
    {"/" DELIVER, CL_RPC_BIDI, deliver, NULL},
};

/* -- Fixture -------------------------------------------------------------------------------------------------- */

static struct cl_rpc_server *server;
static struct cl_session *session;
static struct cl_arena *arena;
static char target[32];

static struct cl_session *new_session(const char *where)
{
    struct cl_session *created = NULL;
    struct cl_session_options options = {.target = where,
                                         .ca_pem = pki.ca,
                                         .cert_pem = pki.client_cert,
                                         .key_pem = pki.client_key,
                                         .signer = bank_signer,
                                         .keyring = keyring,
                                         .directory_key = *cl_signer_public_key(directory_signer)};
    assert_true(cl_is_ok(cl_session_create(&created, &options)));
    return created;
}

static int start_centre(void **state)
{
    (void)state;
    uint16_t port = 0;
    assert_int_equal(pki_create(&pki), 0);
    assert_true(cl_is_ok(cl_arena_create(&keys_arena, 8 * CL_MESSAGE_ARENA_BYTES_MAX)));
    bank_signer = signer_of(1, BANK);
    fund_signer = signer_of(2, FUND);
    next_signer = signer_of(3, FUND);
    other_signer = signer_of(4, "fund:cn-other");
    directory_signer = signer_of(5, FUND);
    false_signer = signer_of(6, FUND);
    older_directory = issue(1, directory_signer, fund_signer);
    newer_directory = issue(2, directory_signer, next_signer);
    false_directory = issue(3, false_signer, fund_signer);
    struct cl_directory_trust pinned = trust();
    assert_true(cl_is_ok(cl_keyring_load(&keyring, older_directory, &pinned, NULL)));
    struct cl_rpc_server_options options = {.methods = methods,
                                            .method_count = sizeof methods / sizeof methods[0],
                                            .poll_thread_count = 2,
                                            .accept_count = 8,
                                            .send_queue_max = 64};
    struct cl_rpc_listen listen = {
        .address = "127.0.0.1:0", .ca_pem = pki.ca, .cert_pem = pki.server_cert, .key_pem = pki.server_key};
    assert_true(cl_is_ok(cl_rpc_server_create(&server, &options)));
    assert_true(cl_is_ok(cl_rpc_server_listen_tls(server, &listen, &port)));
    assert_true(cl_is_ok(cl_rpc_server_start(server)));
    (void)snprintf(target, sizeof target, "127.0.0.1:%u", port);
    return 0;
}

static int stop_centre(void **state)
{
    (void)state;
    cl_rpc_server_free(server);
    cl_keyring_unref(keyring);
    struct cl_signer *signers[] = {bank_signer, fund_signer, next_signer, other_signer, directory_signer, false_signer};
    for (size_t i = 0; i < sizeof signers / sizeof signers[0]; i++) {
        cl_signer_free(signers[i]);
    }
    cl_arena_free(keys_arena);
    pki_free(&pki);
    return 0;
}

static void forget(void)
{
    (void)pthread_mutex_lock(&centre.lock);
    union {
        const uint8_t *in;
        uint8_t *out;
    } first = {.in = centre.first.data};
    free(first.out);
    centre.first = cl_bytes(NULL, 0);
    centre.same = true;
    (void)pthread_mutex_unlock(&centre.lock);
    atomic_store(&centre.attempts, 0);
    atomic_store(&centre.acks, 0);
    atomic_store(&centre.credits, 0);
}

static int begin(void **state)
{
    (void)state;
    forget();
    session = new_session(target);
    assert_true(cl_is_ok(cl_arena_create(&arena, CL_MESSAGE_ARENA_BYTES_MAX)));
    return 0;
}

static int end(void **state)
{
    (void)state;
    struct cl_rpc_call *held = atomic_exchange(&centre.held, NULL);
    if (held != NULL) {
        cl_rpc_finish(held, cl_fail(CL_INTERNAL), cl_bytes(NULL, 0));
        cl_rpc_call_unref(held);
    }
    cl_session_free(session);
    cl_arena_free(arena);
    forget();
    return 0;
}

static struct cl_status call(struct cl_answer *answer, enum mode mode, struct cl_patience patience)
{
    atomic_store(&centre.mode, mode);
    Coloan__V1__CapabilitiesQuery query = COLOAN__V1__CAPABILITIES_QUERY__INIT;
    return cl_session_call(answer, session, arena,
                           &(struct cl_session_call){
                               .method = ASK, .body = &query.base, .reply_type = &coloan__v1__capabilities__descriptor},
                           patience);
}

/* -- Unary ---------------------------------------------------------------------------------------------------- */

static const struct cl_patience once = {.attempt_ms = 5000};

static void a_good_reply_is_unpacked_and_kept(void **state)
{
    (void)state;
    struct cl_answer answer;
    struct cl_opened offline;
    assert_true(cl_is_ok(call(&answer, GOOD, once)));
    assert_int_equal(((const Coloan__V1__Capabilities *)(const void *)answer.body)->message_bytes_max, 4711);
    assert_int_equal(answer.attempt_count, 1);
    assert_false(answer.refused);
    assert_true(cl_is_ok(cl_envelope_verify(&offline, arena, answer.envelope, keyring)));
}

/* Covers: COL-CHK-008 */
static void bad_replies_are_not_believed(void **state)
{
    (void)state;
    static const struct {
        enum mode mode;
        enum cl_reason reason; /* CL_OK: any failure */
    } rows[] = {
        {TAMPERED, CL_OK},
        {GARBAGE, CL_WIRE_MALFORMED},
        {EMPTY, CL_MESSAGE_EMPTY},
        {OTHER_REPLY_TO, CL_IN_REPLY_TO_WRONG},
        {OTHER_SENDER, CL_KEY_UNKNOWN},
        {OTHER_KEY, CL_KEY_UNKNOWN},
        {OTHER_RECIPIENT, CL_RECIPIENT_WRONG},
        {OTHER_METHOD, CL_METHOD_WRONG},
        {OTHER_TYPE, CL_PAYLOAD_TYPE_WRONG},
        {OTHER_ENVIRONMENT, CL_ENVIRONMENT_WRONG},
        {AS_REFUSAL, CL_DIRECTION_WRONG},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_answer answer;
        struct cl_status status = call(&answer, rows[i].mode, once);
        if (cl_is_ok(status) || (rows[i].reason != CL_OK && status.reason != rows[i].reason)) {
            fail_msg("row %zu: %s", i, cl_status_name(status));
        }
        assert_null(answer.body);
        assert_false(answer.refused);
    }
    assert_int_equal(atomic_load(&centre.attempts), sizeof rows / sizeof rows[0]); /* none was tried again */
}

/* Covers: COL-ERR-006 */
static void refusals_are_told(void **state)
{
    (void)state;
    struct cl_answer answer;
    struct cl_opened offline;
    assert_int_equal(call(&answer, REFUSE_STATED, once).reason, CL_FIELD_INVALID);
    assert_true(answer.refused);
    assert_false(answer.refusal_signed);
    assert_string_equal(answer.field, "home.price_fen");
    assert_int_equal(answer.envelope.len, 0);

    assert_int_equal(call(&answer, REFUSE_SIGNED, once).reason, CL_AMOUNT_INVALID);
    assert_true(answer.refused);
    assert_true(answer.refusal_signed);
    assert_string_equal(answer.field, "request.total_fen");
    assert_true(cl_is_ok(cl_envelope_verify(&offline, arena, answer.envelope, keyring)));

    static const enum mode bad[] = {REFUSE_TAMPERED, REFUSE_OTHER_REPLY_TO, REFUSE_UNSAID};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(call(&answer, bad[i], once).reason, CL_PEER_ANSWER_INVALID);
        assert_false(answer.refused);
    }
}

/* Covers: COL-DUP-001, COL-DUP-006, COL-ERR-009 */
static void a_lost_reply_is_asked_for_with_the_same_bytes(void **state)
{
    (void)state;
    struct cl_answer answer;
    assert_true(cl_is_ok(call(&answer, LOSE_FIRST, (struct cl_patience){.attempt_ms = 600, .total_ms = 20000})));
    assert_int_equal(answer.attempt_count, 2);
    assert_int_equal(atomic_load(&centre.attempts), 2);
    assert_true(all_attempts_were_the_same());
}

/* Covers: COL-ERR-007 */
static void work_in_progress_is_waited_for(void **state)
{
    (void)state;
    struct cl_answer answer;
    assert_true(cl_is_ok(call(&answer, WORKS_ON_IT, (struct cl_patience){.attempt_ms = 5000, .total_ms = 20000})));
    assert_int_equal(answer.attempt_count, 3);
    assert_true(all_attempts_were_the_same());
}

static void patience_ends(void **state)
{
    (void)state;
    struct cl_answer answer;
    assert_int_equal(call(&answer, WORKS_ON_IT, once).reason, CL_IN_PROGRESS);
    assert_int_equal(answer.attempt_count, 1);
    assert_true(answer.refused);
    assert_int_equal(call(&answer, OVERLOADS, (struct cl_patience){.attempt_ms = 5000, .total_ms = 20000}).reason,
                     CL_OVERLOADED); /* not retried on its own */
    assert_int_equal(answer.attempt_count, 1);
    assert_int_equal(answer.retry_after_ms, 10);

    struct cl_session *lost = new_session("127.0.0.1:1");
    struct cl_session *kept = session;
    session = lost;
    assert_int_equal(call(&answer, GOOD, (struct cl_patience){.attempt_ms = 2000, .total_ms = 5000}).reason,
                     CL_PEER_UNREACHABLE);
    assert_true(answer.attempt_count >= 2);
    assert_false(answer.refused);
    session = kept;
    cl_session_free(lost);
}

static void a_stopped_session_sends_nothing(void **state)
{
    (void)state;
    struct cl_answer answer;
    cl_session_stop(session);
    assert_int_equal(call(&answer, GOOD, once).reason, CL_SHUTTING_DOWN);
    assert_int_equal(atomic_load(&centre.attempts), 0);
    assert_false(cl_session_pause(session, 60000));
}

/* Covers: COL-DUP-001 */
static void a_prepared_request_is_sent_by_another_session(void **state)
{
    (void)state;
    struct cl_request request;
    struct cl_answer answer;
    struct cl_uuid id;
    Coloan__V1__CapabilitiesQuery query = COLOAN__V1__CAPABILITIES_QUERY__INIT;
    atomic_store(&centre.mode, GOOD);
    cl_uuid7_make(&id, cl_clock_unix_ms(cl_clock_system()), cl_random_system());
    struct cl_session_call asked = {
        .method = ASK, .body = &query.base, .reply_type = &coloan__v1__capabilities__descriptor, .message_id = &id};
    assert_true(cl_is_ok(cl_session_prepare(&request, session, arena, &asked)));
    assert_memory_equal(request.message_id.bytes, id.bytes, CL_UUID_BYTES);
    struct cl_session *after_restart = new_session(target);
    assert_true(cl_is_ok(cl_session_send(&answer, after_restart, arena, &request, once)));
    assert_true(first_attempt_was(request.envelope));
    request.digest.bytes[3] ^= 1;
    assert_int_equal(cl_session_send(&answer, after_restart, arena, &request, once).reason, CL_IN_REPLY_TO_WRONG);
    cl_session_free(after_restart);
}

static void text_that_is_not_pem_is_refused(void **state)
{
    (void)state;
    struct cl_session *created = NULL;
    struct cl_session_options options = {.target = target,
                                         .ca_pem = "no",
                                         .cert_pem = pki.client_cert,
                                         .key_pem = pki.client_key,
                                         .signer = bank_signer,
                                         .keyring = keyring};
    assert_int_equal(cl_session_create(&created, &options).reason, CL_CONFIG_INVALID);
    assert_null(created);
}

/* -- Keys ----------------------------------------------------------------------------------------------------- */

/* Covers: COL-KEY-010 */
static void keys_are_refreshed(void **state)
{
    (void)state;
    static const struct {
        enum mode mode;
        enum cl_reason reason;
        uint64_t number; /* held afterwards */
    } rows[] = {
        {KEYS_CURRENT, CL_OK, 1},        {KEYS_OLDER, CL_SEQUENCE_WRONG, 1},
        {KEYS_FALSE, CL_KEY_UNKNOWN, 1}, {KEYS_BY_OTHER, CL_KEY_UNKNOWN, 1},
        {KEYS_NEWER, CL_OK, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool changed = false;
        atomic_store(&centre.mode, rows[i].mode);
        struct cl_status status = cl_session_refresh_keys(&changed, session, arena, once);
        struct cl_keyring *held = cl_session_keyring(session);
        if (status.reason != rows[i].reason || cl_keyring_number(held) != rows[i].number) {
            fail_msg("row %zu: %s", i, cl_status_name(status));
        }
        assert_int_equal(changed, rows[i].number == 2);
        cl_keyring_unref(held);
    }
}

static void a_new_key_brings_itself(void **state)
{
    (void)state;
    bool changed = false;
    atomic_store(&centre.mode, KEYS_NEWER_BY_NEXT);
    assert_true(cl_is_ok(cl_session_refresh_keys(&changed, session, arena, once)));
    assert_true(changed);
    struct cl_answer answer;
    assert_int_equal(call(&answer, GOOD, once).reason, CL_KEY_UNKNOWN); /* the old key is gone */
    assert_true(cl_is_ok(call(&answer, OTHER_KEY, once)));
}

/* -- Back-off ------------------------------------------------------------------------------------------------- */

static void fill_with(void *user, void *out, size_t len)
{
    memset(out, *(const int *)user, len);
}

static void waits_double_up_to_a_bound(void **state)
{
    (void)state;
    int dice = 0x00;
    struct cl_random random = {.fill = fill_with, .user = &dice};
    struct cl_backoff backoff = {0};
    static const int64_t least[] = {75, 150, 300, 600, 1200, 2400, 3750, 3750};
    for (size_t i = 0; i < sizeof least / sizeof least[0]; i++) {
        assert_int_equal(cl_backoff_next(&backoff, 0, &random), least[i]);
    }
    dice = 0xff;
    assert_int_equal(cl_backoff_next(&backoff, 0, &random), CL_BACKOFF_MS_MAX * 5 / 4);
    assert_int_equal(cl_backoff_next(&backoff, 60000, &random), 60000);
    backoff = (struct cl_backoff){0};
    assert_int_equal(cl_backoff_next(&backoff, 0, &random), 125);
}

/* -- Deliver -------------------------------------------------------------------------------------------------- */

static struct cl_delivery *open_stream(enum mode mode, uint64_t resume_after)
{
    struct cl_delivery *delivery = NULL;
    struct cl_deliver_options options = {
        .resume_after = resume_after, .session_id = {7}, .epoch = 1, .max_outstanding = 10};
    atomic_store(&centre.mode, mode);
    assert_true(cl_is_ok(cl_session_deliver_open(&delivery, session, &options)));
    return delivery;
}

static struct cl_delivered next(struct cl_delivery *delivery)
{
    struct cl_delivered delivered;
    struct cl_status status = cl_session_deliver_next(&delivered, delivery, arena, 10000);
    assert_string_equal(cl_status_name(status), "OK");
    return delivered;
}

static bool wait_for(const atomic_int *counter, int value)
{
    for (int i = 0; i < 500 && atomic_load(counter) < value; i++) {
        (void)cl_session_pause(session, 10);
    }
    return atomic_load(counter) >= value;
}

static void events_come_in_order_and_are_acknowledged(void **state)
{
    (void)state;
    struct cl_delivery *delivery = open_stream(STREAM_GOOD, 41);
    struct cl_delivered delivered = next(delivery);
    assert_int_equal(delivered.kind, CL_DELIVERED_HEARTBEAT);
    assert_int_equal(delivered.head, 9);
    assert_int_equal(delivered.received_floor, 4);
    assert_int_equal(delivered.server_time_ms, 12345);
    delivered = next(delivery);
    assert_int_equal(delivered.kind, CL_DELIVERED_EVENT);
    assert_int_equal(delivered.sequence, 42);
    assert_int_equal(delivered.event->kind, COLOAN__V1__EVENT_KIND__EVENT_KIND_STATUS);
    delivered = next(delivery);
    assert_int_equal(delivered.sequence, 43);
    (void)pthread_mutex_lock(&centre.lock);
    assert_int_equal(centre.resume_after, 41);
    (void)pthread_mutex_unlock(&centre.lock);

    struct cl_deliver_ack ack = {.sequence = 43,
                                 .digest = delivered.opened.digest,
                                 .level = COLOAN__V1__ACK_LEVEL__ACK_LEVEL_APPLIED,
                                 .reference = "L-1"};
    assert_true(cl_is_ok(cl_session_deliver_ack(delivery, arena, &ack)));
    assert_true(cl_is_ok(cl_session_deliver_credit(delivery, arena, 5)));
    assert_true(wait_for(&centre.acks, 1));
    assert_true(wait_for(&centre.credits, 1));
    (void)pthread_mutex_lock(&centre.lock);
    assert_int_equal(centre.acked_sequence, 43);
    assert_true(centre.ack_fits);
    assert_string_equal(centre.reference, "L-1");
    (void)pthread_mutex_unlock(&centre.lock);
    assert_true(cl_is_ok(cl_session_deliver_next(&delivered, delivery, arena, 50)));
    assert_int_equal(delivered.kind, CL_DELIVERED_NOTHING);
    cl_session_deliver_cancel(delivery);
    delivered = next(delivery);
    assert_int_equal(delivered.kind, CL_DELIVERED_END);
    assert_int_equal(delivered.ended.reason, CL_CALL_CANCELLED);
    assert_int_equal(cl_session_deliver_ack(delivery, arena, &ack).reason, CL_CALL_CANCELLED);
    cl_session_deliver_close(delivery);
}

static void a_stream_is_resumed(void **state)
{
    (void)state;
    struct cl_delivery *delivery = open_stream(STREAM_GOOD, 0);
    (void)next(delivery);
    assert_int_equal(next(delivery).sequence, 1);
    cl_session_deliver_close(delivery);
    delivery = open_stream(STREAM_GOOD, 1);
    (void)next(delivery);
    assert_int_equal(next(delivery).sequence, 2);
    cl_session_deliver_close(delivery);
}

/* Covers: COL-DEL-012, COL-CHK-008 */
static void frames_out_of_place_are_refused(void **state)
{
    (void)state;
    static const struct {
        enum mode mode;
        unsigned good; /* frames before */
        enum cl_reason reason;
    } rows[] = {
        {STREAM_JUMPS, 2, CL_SEQUENCE_WRONG},       {STREAM_GAPS_BADLY, 1, CL_SEQUENCE_WRONG},
        {STREAM_HOLDS_BADLY, 1, CL_SEQUENCE_WRONG}, {STREAM_OTHER_OPEN, 0, CL_IN_REPLY_TO_WRONG},
        {STREAM_OTHER_SENDER, 1, CL_KEY_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_delivered delivered = {.kind = CL_DELIVERED_NOTHING};
        struct cl_delivery *delivery = open_stream(rows[i].mode, 3);
        for (unsigned good = 0; good < rows[i].good; good++) {
            (void)next(delivery);
        }
        struct cl_status status = cl_session_deliver_next(&delivered, delivery, arena, 10000);
        if (status.reason != rows[i].reason) {
            fail_msg("row %zu: %s", i, cl_status_name(status));
        }
        cl_session_deliver_close(delivery);
    }
}

/* What was passed before is told from what is new. Covers: COL-DEL-011, COL-DEL-024 */
static void repetitions_and_held_events_are_told(void **state)
{
    (void)state;
    struct cl_delivery *delivery = open_stream(STREAM_REPEATS, 3);
    (void)next(delivery);
    struct cl_delivered delivered = next(delivery);
    assert_int_equal(delivered.sequence, 4);
    assert_false(delivered.again);
    delivered = next(delivery);
    assert_int_equal(delivered.sequence, 4);
    assert_true(delivered.again);
    cl_session_deliver_close(delivery);

    delivery = open_stream(STREAM_HOLDS, 3);
    (void)next(delivery);
    delivered = next(delivery);
    assert_int_equal(delivered.kind, CL_DELIVERED_HELD);
    assert_int_equal(delivered.from, 4);
    assert_int_equal(delivered.to, 6);
    delivered = next(delivery);
    assert_int_equal(delivered.sequence, 7);
    assert_false(delivered.again);
    delivered = next(delivery);
    assert_int_equal(delivered.sequence, 5);
    assert_true(delivered.again);
    cl_session_deliver_close(delivery);
}

static struct cl_status chain_held(void *user, uint64_t sequence, struct cl_digest *out)
{
    assert_true(sequence >= 1 && sequence <= *(const uint64_t *)user);
    *out = chain_value(sequence, false);
    return cl_ok();
}

/* Covers: COL-DEL-029 */
static void the_first_difference_is_found_in_few_exchanges(void **state)
{
    (void)state;
    static const struct {
        uint64_t held, head, other_from, same;
        bool equal;
        unsigned exchanges_max;
    } rows[] = {
        {0, 0, UINT64_MAX, 0, true, 1},
        {1, 1, UINT64_MAX, 1, true, 1},
        {5, 0, UINT64_MAX, 0, false, 1},
        {0, 5, UINT64_MAX, 0, false, 1},
        {1, 1, 1, 0, false, 1},
        {100, 100, 2, 1, false, 3},
        {100, 100, 100, 99, false, 3},
        {1000000, 1000000, UINT64_MAX, 1000000, true, 5},
        {1000000, 1000000, 654321, 654320, false, 5},
        {1000000, 1000000, 1000000, 999999, false, 5},
        {999000, 1000000, UINT64_MAX, 999000, false, 5},
        {1000000, 999000, UINT64_MAX, 999000, false, 5},
        {1000000, 999000, 3, 2, false, 5},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t count = rows[i].held;
        struct cl_events_held held = {.count = count, .chain = chain_held, .user = &count};
        struct cl_reconciled found;
        atomic_store(&ledger.head, rows[i].head);
        atomic_store(&ledger.other_from, rows[i].other_from);
        assert_string_equal(cl_status_name(cl_session_reconcile(&found, session, arena, &held)), "OK");
        if (found.same != rows[i].same || found.equal != rows[i].equal || found.exchanges > rows[i].exchanges_max ||
            found.head != rows[i].head) {
            fail_msg("row %zu: the same to %d, %u exchanges", i, (int)found.same, found.exchanges);
        }
    }
    uint64_t count = 100;
    struct cl_events_held held = {.count = count, .chain = chain_held, .user = &count};
    struct cl_reconciled found;
    atomic_store(&ledger.head, 100);
    atomic_store(&ledger.lies, true);
    assert_string_equal(cl_status_name(cl_session_reconcile(&found, session, arena, &held)), "PEER_ANSWER_INVALID");
    atomic_store(&ledger.lies, false);
}

/* Covers: COL-DEL-016 */
static void gaps_drains_and_fences_are_told(void **state)
{
    (void)state;
    struct cl_delivery *delivery = open_stream(STREAM_GAPS, 3);
    (void)next(delivery);
    struct cl_delivered delivered = next(delivery);
    assert_int_equal(delivered.kind, CL_DELIVERED_GAP);
    assert_int_equal(delivered.from, 4);
    assert_int_equal(delivered.to, 8);
    assert_int_equal(next(delivery).sequence, 9);
    cl_session_deliver_close(delivery);

    delivery = open_stream(STREAM_DRAINS, 0);
    (void)next(delivery);
    delivered = next(delivery);
    assert_int_equal(delivered.kind, CL_DELIVERED_DRAIN);
    assert_int_equal(delivered.reconnect_after_ms, 250);
    delivered = next(delivery);
    assert_int_equal(delivered.kind, CL_DELIVERED_END);
    assert_true(cl_is_ok(delivered.ended));
    cl_session_deliver_close(delivery);

    delivery = open_stream(STREAM_FENCES, 0);
    delivered = next(delivery);
    assert_int_equal(delivered.kind, CL_DELIVERED_END);
    assert_int_equal(delivered.ended.reason, CL_STREAM_FENCED);
    cl_session_deliver_close(delivery);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(a_good_reply_is_unpacked_and_kept),
        ONE(bad_replies_are_not_believed),
        ONE(refusals_are_told),
        ONE(a_lost_reply_is_asked_for_with_the_same_bytes),
        ONE(work_in_progress_is_waited_for),
        ONE(patience_ends),
        ONE(a_stopped_session_sends_nothing),
        ONE(a_prepared_request_is_sent_by_another_session),
        ONE(text_that_is_not_pem_is_refused),
        ONE(keys_are_refreshed),
        ONE(a_new_key_brings_itself),
        ONE(waits_double_up_to_a_bound),
        ONE(events_come_in_order_and_are_acknowledged),
        ONE(a_stream_is_resumed),
        ONE(frames_out_of_place_are_refused),
        ONE(repetitions_and_held_events_are_told),
        ONE(the_first_difference_is_found_in_few_exchanges),
        ONE(gaps_drains_and_fences_are_told),
    };
    return cmocka_run_group_tests(tests, start_centre, stop_centre);
}
