#include "server/gate/peers.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Made when its number is first used and kept to the end: a table of all numbers of a process with 65,536 of them comes
 * to 20 MB if each were used, and to what is used in practice. */
struct peer {
    struct peer *next, *previous; /* of the open ones */
    struct identity identity;
    uint64_t connection;
    int64_t marked_ms; /* monotonic: when it left LIVE */
    enum peer_state state;
};

struct peers {
    pthread_mutex_t mutex; /* guards everything below and in the entries */
    struct peer **entries; /* by file number */
    size_t key_limit;
    unsigned per_party_max;
    struct peer *open; /* not CLOSED */
};

struct cl_status peers_create(struct peers **out, size_t key_limit, unsigned per_party_max)
{
    struct peers *peers = calloc(1, sizeof *peers);
    struct peer **entries = calloc(key_limit, sizeof entries[0]);
    if (peers == NULL || entries == NULL) {
        free(peers);
        free(entries);
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *peers = (struct peers){.entries = entries, .key_limit = key_limit, .per_party_max = per_party_max};
    (void)pthread_mutex_init(&peers->mutex, NULL);
    *out = peers;
    return cl_ok();
}

void peers_free(struct peers *peers)
{
    if (peers == NULL) {
        return;
    }
    assert(peers->open == NULL);
    for (size_t key = 0; key < peers->key_limit; key++) {
        free(peers->entries[key]);
    }
    free(peers->entries);
    (void)pthread_mutex_destroy(&peers->mutex);
    free(peers);
}

static void lock(struct peers *peers)
{
    (void)pthread_mutex_lock(&peers->mutex);
}

static void unlock(struct peers *peers)
{
    (void)pthread_mutex_unlock(&peers->mutex);
}

/* -- Publishing ----------------------------------------------------------------------------------------------- */

bool peers_is_free(struct peers *peers, int key, int64_t now_ms)
{
    if (key < 0 || (size_t)key >= peers->key_limit) {
        return false;
    }
    lock(peers);
    const struct peer *peer = peers->entries[key];
    bool is_free = peer == NULL || (peer->state == PEER_CLOSED && now_ms - peer->marked_ms >= PEERS_REST_MS);
    unlock(peers);
    return is_free;
}

static unsigned count_of_party(const struct peers *peers, const char *party)
{
    unsigned count = 0;
    for (const struct peer *peer = peers->open; peer != NULL; peer = peer->next) {
        count += strcmp(peer->identity.party, party) == 0 ? 1 : 0;
    }
    return count;
}

static void link_open(struct peers *peers, struct peer *peer)
{
    peer->next = peers->open;
    peer->previous = NULL;
    if (peer->next != NULL) {
        peer->next->previous = peer;
    }
    peers->open = peer;
}

static void unlink_open(struct peers *peers, struct peer *peer)
{
    struct peer **from = peer->previous == NULL ? &peers->open : &peer->previous->next;
    *from = peer->next;
    if (peer->next != NULL) {
        peer->next->previous = peer->previous;
    }
    peer->next = peer->previous = NULL;
}

struct cl_status peers_publish(struct peers *peers, struct peer **out, int key, const struct identity *identity,
                               uint64_t connection)
{
    assert(key >= 0);
    assert((size_t)key < peers->key_limit);
    struct peer *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    lock(peers);
    bool full = count_of_party(peers, identity->party) >= peers->per_party_max;
    struct peer *peer = full ? NULL : peers->entries[key];
    if (!full && peer == NULL) {
        peer = peers->entries[key] = made;
        made = NULL;
    }
    if (peer != NULL) {
        assert(peer->state == 0 || peer->state == PEER_CLOSED);
        *peer = (struct peer){.identity = *identity, .connection = connection, .state = PEER_LIVE};
        link_open(peers, peer);
    }
    unlock(peers);
    free(made);
    if (full) {
        return cl_fail(CL_OVERLOADED);
    }
    *out = peer;
    return cl_ok();
}

void peers_close(struct peers *peers, struct peer *peer, int64_t now_ms)
{
    lock(peers);
    assert(peer->state != PEER_CLOSED);
    unlink_open(peers, peer);
    peer->state = PEER_CLOSED;
    peer->marked_ms = now_ms;
    unlock(peers);
}

/* -- Asking --------------------------------------------------------------------------------------------------- */

enum peer_state peers_state(struct peers *peers, const struct peer *peer, int64_t *marked_ms_out)
{
    lock(peers);
    enum peer_state state = peer->state;
    *marked_ms_out = peer->marked_ms;
    unlock(peers);
    return state;
}

void peers_name(struct peers *peers, const struct peer *peer, char out[CL_PARTY_BYTES_MAX + 1])
{
    lock(peers);
    memcpy(out, peer->identity.party, sizeof peer->identity.party);
    unlock(peers);
}

static struct cl_status state_status(const struct peer *peer, int64_t unix_ms)
{
    switch (peer->state) {
    case PEER_LIVE:
        return unix_ms > peer->identity.not_after_ms ? cl_fail(CL_CERTIFICATE_EXPIRED) : cl_ok();
    case PEER_REVOKED:
        return cl_fail(CL_CERTIFICATE_REVOKED);
    case PEER_DISCONNECTED:
    case PEER_CLOSED:
        break;
    }
    return cl_fail(CL_PEER_UNKNOWN);
}

struct cl_status peers_find(struct peers *peers, struct gate_peer *out, int key, int64_t unix_ms)
{
    if (key < 0 || (size_t)key >= peers->key_limit) {
        return cl_fail(CL_PEER_UNKNOWN);
    }
    lock(peers);
    const struct peer *peer = peers->entries[key];
    struct cl_status status = peer == NULL ? cl_fail(CL_PEER_UNKNOWN) : state_status(peer, unix_ms);
    if (cl_is_ok(status)) {
        out->certificate = peer->identity.certificate;
        out->connection = peer->connection;
        memcpy(out->party, peer->identity.party, sizeof out->party);
    }
    unlock(peers);
    return status;
}

/* -- Marking -------------------------------------------------------------------------------------------------- */

/* Searching a list of thousands for each of thousands of peers takes about a millisecond under the lock, once a reload.
 */
unsigned peers_withdraw(struct peers *peers, const struct trust *trust, int64_t now_ms)
{
    unsigned count = 0;
    lock(peers);
    for (struct peer *peer = peers->open; peer != NULL; peer = peer->next) {
        if (peer->state == PEER_LIVE && trust_withdrawn(trust, &peer->identity)) {
            peer->state = PEER_REVOKED;
            peer->marked_ms = now_ms;
            count++;
        }
    }
    unlock(peers);
    return count;
}

unsigned peers_disconnect(struct peers *peers, const char *party, int64_t now_ms)
{
    unsigned count = 0;
    lock(peers);
    for (struct peer *peer = peers->open; peer != NULL; peer = peer->next) {
        if (peer->state == PEER_LIVE && strcmp(peer->identity.party, party) == 0) {
            peer->state = PEER_DISCONNECTED;
            peer->marked_ms = now_ms;
            count++;
        }
    }
    unlock(peers);
    return count;
}
