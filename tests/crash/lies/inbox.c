#include "tests/crash/lies/inbox.h"

#include <assert.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/rpc.h"
#include "tests/support/campaign.h"

enum {
    LIES_MAX = 6,           /* while it is open */
    SAID_MS = 30,           /* until what was answered has left */
    GRACE_MS = 50,          /* for calls that hang */
    WRITTEN_MS = 60 * 1000, /* until the centre has written what became of a call, on a busy machine */
    LOOK_EVERY_MS = 10,
    REFUSED_MS_MAX = 2000,
};

enum manner {
    SAYS_GARBAGE,
    SAYS_NOTHING, /* ends well without an answer */
    NAMES_ANOTHER,
    ANSWERS_ANOTHER,
    SAYS_AN_OLD_ANSWER,
    SAYS_IT_AS_YESTERDAY,
    SIGNS_AS_ANOTHER,
    FAILS,
    IS_OVERLOADED,
    REFUSES,
    MANNERS,
    HANGS = MANNERS,
};

/* How a try that came to that is written. */
static const struct {
    const char *name, *note;
} manners[MANNERS] = {
    [SAYS_GARBAGE] = {"says garbage", "WIRE_MALFORMED"},
    [SAYS_NOTHING] = {"says nothing", "PEER_ANSWER_INVALID"},
    [NAMES_ANOTHER] = {"names another sequence", "ACK_WRONG"},
    [ANSWERS_ANOTHER] = {"answers another digest", "IN_REPLY_TO_WRONG"},
    [SAYS_AN_OLD_ANSWER] = {"says what it said once", "METHOD_WRONG"},
    [SAYS_IT_AS_YESTERDAY] = {"says it as of yesterday", "EXPIRED"},
    [SIGNS_AS_ANOTHER] = {"signs with another's key", "KEY_UNKNOWN"},
    [FAILS] = {"fails", "FIELD_INVALID"},
    [IS_OVERLOADED] = {"is overloaded", "OVERLOADED"},
    [REFUSES] = {"refuses", "CORE_DOWN"},
};

struct lying_inbox {
    const struct world *world;
    const struct bank_role *role;
    const struct liar *liar;
    uint16_t port;
    struct cl_rpc_server *server;
    uint64_t lies;
    char wrong[LIAR_WRONG_BYTES_MAX];

    pthread_mutex_t mutex; /* guards the rest */
    bool tired;            /* lies no more */
    uint64_t dice;
    struct cl_bytes old;
    uint8_t *told; /* by sequence: lied about */
    size_t told_room;
    struct said {
        uint64_t sequence;
        enum manner manner;
    } said[LIES_MAX];
    size_t said_count;
};

struct lying_inbox *lying_inbox_create(const struct world *world, const struct bank_role *role, const struct liar *liar,
                                       uint16_t port)
{
    struct lying_inbox *inbox = calloc(1, sizeof *inbox);
    assert(inbox != NULL);
    inbox->world = world;
    inbox->role = role;
    inbox->liar = liar;
    inbox->port = port;
    (void)pthread_mutex_init(&inbox->mutex, NULL);
    return inbox;
}

void lying_inbox_free(struct lying_inbox *inbox)
{
    if (inbox == NULL) {
        return;
    }
    assert(inbox->server == NULL);
    (void)pthread_mutex_destroy(&inbox->mutex);
    free(inbox->told);
    free(inbox);
}

/* -- Answering ------------------------------------------------------------------------------------------------ */

/* Whether it was not lied about before; the mutex is held. */
static bool is_new(struct lying_inbox *inbox, uint64_t sequence)
{
    if (sequence >= inbox->told_room) {
        size_t room = (size_t)sequence * 2;
        uint8_t *told = realloc(inbox->told, room);
        assert(told != NULL);
        memset(told + inbox->told_room, 0, room - inbox->told_room);
        inbox->told = told;
        inbox->told_room = room;
    }
    bool fresh = inbox->told[sequence] == 0;
    inbox->told[sequence] = 1;
    return fresh;
}

static enum manner choose(struct lying_inbox *inbox, uint64_t sequence)
{
    enum manner manner = HANGS;
    (void)pthread_mutex_lock(&inbox->mutex);
    if (!inbox->tired && inbox->said_count < LIES_MAX && is_new(inbox, sequence)) {
        manner = (enum manner)campaign_dice(&inbox->dice, MANNERS);
        if (manner == SAYS_AN_OLD_ANSWER && inbox->old.len == 0) {
            manner = SAYS_GARBAGE;
        }
        inbox->said[inbox->said_count++] = (struct said){.sequence = sequence, .manner = manner};
    }
    (void)pthread_mutex_unlock(&inbox->mutex);
    return manner;
}

static struct cl_bytes answer_of(struct lying_inbox *inbox, struct cl_arena *arena, const struct cl_delivered *event,
                                 enum manner manner)
{
    struct cl_bytes bytes = cl_bytes_text("no envelope");
    struct cl_session *session = manner == SAYS_IT_AS_YESTERDAY ? liar_old_session(inbox->liar)
                                 : manner == SIGNS_AS_ANOTHER   ? liar_other_session(inbox->liar)
                                                                : liar_session(inbox->liar);
    struct cl_deliver_ack ack = {.sequence = event->sequence + (manner == NAMES_ANOTHER ? 1 : 0),
                                 .digest = event->opened.digest,
                                 .level = COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED};
    struct cl_deliver_nack nack = {.sequence = event->sequence,
                                   .digest = event->opened.digest,
                                   .delay_ms = (int64_t)(event->sequence % REFUSED_MS_MAX),
                                   .reason = "CORE_DOWN"};
    ack.digest.bytes[0] ^= manner == ANSWERS_ANOTHER ? 1 : 0;
    if (manner == SAYS_GARBAGE || manner == SAYS_AN_OLD_ANSWER) {
        return manner == SAYS_GARBAGE ? bytes : inbox->old;
    }
    struct cl_status status = manner == REFUSES ? cl_session_notified_nack(&bytes, session, arena, &nack)
                                                : cl_session_notified_ack(&bytes, session, arena, &ack);
    assert(cl_is_ok(status));
    return bytes;
}

/* A call that hangs has no answer until it is over. */
static void on_notify(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    struct lying_inbox *inbox = user;
    struct cl_arena *arena = NULL;
    struct cl_delivered event;
    struct cl_status status = cl_arena_create(&arena, 2 * CL_MESSAGE_ARENA_BYTES_MAX);
    assert(cl_is_ok(status));
    status = cl_session_notified(&event, liar_session(inbox->liar), arena, message);
    assert(cl_is_ok(status));
    enum manner manner = choose(inbox, event.sequence);
    if (manner == FAILS || manner == IS_OVERLOADED) {
        cl_rpc_finish(call, cl_fail(manner == FAILS ? CL_FIELD_INVALID : CL_OVERLOADED), cl_bytes(NULL, 0));
    } else if (manner == SAYS_NOTHING) {
        cl_rpc_finish(call, cl_ok(), cl_bytes(NULL, 0));
    } else if (manner != HANGS) {
        cl_rpc_reply(call, answer_of(inbox, arena, &event, manner));
    }
    cl_arena_free(arena);
}

/* -- Open and closed ------------------------------------------------------------------------------------------ */

void lying_inbox_open(struct lying_inbox *inbox, uint64_t dice, struct cl_bytes old)
{
    char name[64];
    char address[32];
    uint16_t port = 0;
    const struct cl_rpc_method method = {"/coloan.v1.BankInbox/Notify", CL_RPC_UNARY, on_notify, inbox};
    const struct cl_rpc_server_options options = {
        .methods = &method, .method_count = 1, .poll_thread_count = 1, .accept_count = 8, .send_queue_max = 8};
    inbox->dice = dice;
    inbox->old = old;
    inbox->said_count = 0;
    inbox->tired = false;
    char *ca = pki_files_text(&inbox->world->files, "ca.pem");
    (void)snprintf(name, sizeof name, "%s.pem", inbox->role->certificate);
    char *cert = pki_files_text(&inbox->world->files, name);
    (void)snprintf(name, sizeof name, "%s.key", inbox->role->certificate);
    char *key = pki_files_text(&inbox->world->files, name);
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", inbox->port);
    struct cl_rpc_listen listen = {.address = address, .ca_pem = ca, .cert_pem = cert, .key_pem = key};
    struct cl_status status = cl_rpc_server_create(&inbox->server, &options);
    if (cl_is_ok(status)) {
        status = cl_rpc_server_listen_tls(inbox->server, &listen, &port);
    }
    if (cl_is_ok(status)) {
        status = cl_rpc_server_start(inbox->server);
    }
    assert(cl_is_ok(status));
    free(ca);
    free(cert);
    free(key);
}

void lying_inbox_close(struct lying_inbox *inbox)
{
    if (inbox->server == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&inbox->mutex);
    inbox->tired = true;
    (void)pthread_mutex_unlock(&inbox->mutex);
    (void)poll(NULL, 0, SAID_MS);
    cl_rpc_server_stop(inbox->server, GRACE_MS);
    cl_rpc_server_free(inbox->server);
    inbox->server = NULL;
    inbox->lies += inbox->said_count;
}

/* What the bank has and asked for again it cannot refuse. What it acknowledged another way meanwhile, by what it had sent
 * before it died or on its next stream, is over: nothing is written of the call. */
static bool came_out(struct facts *facts, const char *bank, const struct said *said)
{
    bool asked = said->manner == REFUSES && facts_is_received(facts, bank, said->sequence);
    return facts_has_failed(facts, bank, said->sequence, manners[said->manner].note) ||
           (asked && facts_has_failed(facts, bank, said->sequence, "ACK_WRONG")) ||
           (facts_is_received(facts, bank, said->sequence) && !facts_is_pending(facts, bank, said->sequence));
}

const char *lying_inbox_wrong(struct lying_inbox *inbox, struct facts *facts)
{
    int64_t waited_ms = 0;
    for (size_t i = 0; i < inbox->said_count; i++) {
        const struct said *said = &inbox->said[i];
        while (!came_out(facts, inbox->role->party, said)) {
            if (waited_ms >= WRITTEN_MS) {
                (void)snprintf(inbox->wrong, sizeof inbox->wrong,
                               "an inbox of %s that %s about event %" PRIu64 " did not come out as %s",
                               inbox->role->party, manners[said->manner].name, said->sequence,
                               manners[said->manner].note);
                return inbox->wrong;
            }
            (void)poll(NULL, 0, LOOK_EVERY_MS);
            waited_ms += LOOK_EVERY_MS;
        }
    }
    return NULL;
}

uint64_t lying_inbox_lies(const struct lying_inbox *inbox)
{
    return inbox->lies;
}
