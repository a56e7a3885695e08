/* Each watcher remembers what it was told last. Whoever changes the state looks for watchers that were told something
 * else, marks one as being told, lets the lock go, sends, and looks again; a watcher that another thread is telling is
 * passed over, because that thread will look again too. So every watcher gets every last word, in order. */
#include "server/api/health.h"

#include <assert.h>
#include <grpc/health/v1/health.pb-c.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/arena.h"
#include "libcoloan/limits.h"
#include "libcoloan/wirescan.h"

typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus serving_status;

#define SERVING         GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define NOT_SERVING     GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__NOT_SERVING
#define SERVICE_UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN
#define TOLD_NOTHING    GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__UNKNOWN

/* A request holds one name; unpacking it takes some hundred bytes. */
#define HEALTH_ARENA_BYTES_MAX ((size_t)16 * 1024)

struct watcher {
    struct cl_rpc_call *call; /* referenced; NULL: free */
    bool known;               /* the service is */
    bool busy;                /* a thread is telling it something */
    serving_status told;
};

struct health {
    const struct api_pipeline *pipeline;
    const struct contract *contract;
    pthread_mutex_t mutex; /* guards what follows */
    bool serving, stopping;
    struct watcher watchers[HEALTH_WATCHERS_MAX];
};

struct cl_status health_create(struct health **out, const struct api_pipeline *pipeline,
                               const struct contract *contract)
{
    struct health *health = calloc(1, sizeof *health);
    if (health == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    health->pipeline = pipeline;
    health->contract = contract;
    (void)pthread_mutex_init(&health->mutex, NULL);
    *out = health;
    return cl_ok();
}

void health_free(struct health *health)
{
    if (health == NULL) {
        return;
    }
    for (size_t i = 0; i < HEALTH_WATCHERS_MAX; i++) {
        assert(health->watchers[i].call == NULL);
    }
    (void)pthread_mutex_destroy(&health->mutex);
    free(health);
}

/* -- Requests ------------------------------------------------------------------------------------------------ */

static bool is_service(const struct contract *contract, const char *name)
{
    for (size_t i = 0; i < contract->service_count; i++) {
        if (strcmp(contract->services[i], name) == 0) {
            return true;
        }
    }
    return name[0] == '\0';
}

/* Who asks may ask; and whether what is asked for is here. */
static struct cl_status read_request(bool *known_out, const struct health *health, const struct cl_rpc_call *call,
                                     struct cl_bytes message)
{
    char sender[CL_PARTY_BYTES_MAX + 1];
    struct cl_arena *arena = NULL;
    ProtobufCMessage *request = NULL;
    struct cl_status status = api_identify(sender, health->pipeline, cl_rpc_call_peer(call));
    if (cl_is_ok(status)) {
        status = cl_arena_create(&arena, HEALTH_ARENA_BYTES_MAX);
    }
    if (cl_failed(status)) {
        return status;
    }
    status = cl_unpack(&request, arena, &grpc__health__v1__health_check_request__descriptor, message);
    if (cl_is_ok(status)) {
        *known_out = is_service(health->contract, ((const Grpc__Health__V1__HealthCheckRequest *)request)->service);
    }
    cl_arena_free(arena);
    return status;
}

/* -- Answers ------------------------------------------------------------------------------------------------- */

struct answer {
    uint8_t bytes[8]; /* one small enumeration takes two */
    size_t len;
};

static struct answer pack(serving_status status)
{
    Grpc__Health__V1__HealthCheckResponse response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
    struct answer answer;
    response.status = status;
    assert(grpc__health__v1__health_check_response__get_packed_size(&response) <= sizeof answer.bytes);
    answer.len = grpc__health__v1__health_check_response__pack(&response, answer.bytes);
    return answer;
}

void health_check(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    struct health *health = user;
    bool known = false;
    struct cl_status status = read_request(&known, health, call, message);
    if (cl_is_ok(status) && !known) {
        status = cl_fail(CL_SERVICE_UNKNOWN);
    }
    if (cl_failed(status)) {
        cl_rpc_finish(call, status, cl_bytes(NULL, 0));
        return;
    }
    (void)pthread_mutex_lock(&health->mutex);
    bool serving = health->serving;
    (void)pthread_mutex_unlock(&health->mutex);
    struct answer answer = pack(serving ? SERVING : NOT_SERVING);
    cl_rpc_reply(call, cl_bytes(answer.bytes, answer.len));
}

/* -- Watchers ------------------------------------------------------------------------------------------------ */

static serving_status status_for(const struct health *health, const struct watcher *watcher)
{
    return !watcher->known ? SERVICE_UNKNOWN : health->serving ? SERVING : NOT_SERVING;
}

/* What one watcher has to be told. */
struct news {
    size_t place;
    struct cl_rpc_call *call; /* referenced */
    serving_status status;
};

/* Mutex held. False when everybody knows, or is being told. */
static bool find_news(struct news *out, struct health *health)
{
    for (size_t i = 0; i < HEALTH_WATCHERS_MAX; i++) {
        struct watcher *watcher = &health->watchers[i];
        if (watcher->call == NULL || watcher->busy || watcher->told == status_for(health, watcher)) {
            continue;
        }
        watcher->busy = true;
        watcher->told = status_for(health, watcher);
        *out = (struct news){.place = i, .call = cl_rpc_call_ref(watcher->call), .status = watcher->told};
        return true;
    }
    return false;
}

static void tell(struct health *health)
{
    struct news news;
    (void)pthread_mutex_lock(&health->mutex);
    while (find_news(&news, health)) {
        (void)pthread_mutex_unlock(&health->mutex);
        struct answer answer = pack(news.status);
        if (cl_rpc_send(news.call, cl_bytes(answer.bytes, answer.len)) == CL_RPC_FULL) {
            cl_rpc_cancel(news.call); /* it has not read hundreds of them */
        }
        (void)pthread_mutex_lock(&health->mutex);
        if (health->watchers[news.place].call == news.call) {
            health->watchers[news.place].busy = false;
        }
        (void)pthread_mutex_unlock(&health->mutex);
        cl_rpc_call_unref(news.call);
        (void)pthread_mutex_lock(&health->mutex);
    }
    (void)pthread_mutex_unlock(&health->mutex);
}

static void forget(struct health *health, const struct cl_rpc_call *call)
{
    struct cl_rpc_call *held = NULL;
    (void)pthread_mutex_lock(&health->mutex);
    for (size_t i = 0; i < HEALTH_WATCHERS_MAX && held == NULL; i++) {
        if (health->watchers[i].call == call) {
            held = health->watchers[i].call;
            health->watchers[i] = (struct watcher){.call = NULL};
        }
    }
    (void)pthread_mutex_unlock(&health->mutex);
    if (held != NULL) {
        cl_rpc_call_unref(held);
    }
}

static void ended(struct cl_rpc_call *call, bool cancelled, void *user)
{
    (void)cancelled;
    forget(user, call);
}

static struct cl_status remember(struct health *health, struct cl_rpc_call *call, bool known)
{
    struct cl_status status = cl_fail(CL_OVERLOADED);
    (void)pthread_mutex_lock(&health->mutex);
    for (size_t i = 0; i < HEALTH_WATCHERS_MAX && cl_failed(status); i++) {
        if (health->watchers[i].call == NULL) {
            health->watchers[i] = (struct watcher){.call = cl_rpc_call_ref(call), .known = known, .told = TOLD_NOTHING};
            status = cl_ok();
        }
    }
    if (health->stopping) {
        status = cl_fail(CL_SHUTTING_DOWN);
    }
    (void)pthread_mutex_unlock(&health->mutex);
    return status;
}

void health_watch(struct cl_rpc_call *call, struct cl_bytes message, void *user)
{
    struct health *health = user;
    bool known = false;
    struct cl_status status = read_request(&known, health, call, message);
    if (cl_is_ok(status)) {
        status = remember(health, call, known);
    }
    if (cl_failed(status)) {
        forget(health, call);
        cl_rpc_finish(call, status, cl_bytes(NULL, 0));
        return;
    }
    if (!cl_rpc_call_on_end(call, ended, health)) {
        forget(health, call); /* over already */
        return;
    }
    tell(health);
}

/* -- Changes ------------------------------------------------------------------------------------------------- */

void health_set(struct health *health, bool serving)
{
    (void)pthread_mutex_lock(&health->mutex);
    health->serving = serving && !health->stopping;
    (void)pthread_mutex_unlock(&health->mutex);
    tell(health);
}

void health_stop(struct health *health)
{
    (void)pthread_mutex_lock(&health->mutex);
    health->stopping = true;
    (void)pthread_mutex_unlock(&health->mutex);
    health_set(health, false);
    for (size_t i = 0; i < HEALTH_WATCHERS_MAX; i++) {
        (void)pthread_mutex_lock(&health->mutex);
        struct cl_rpc_call *call = health->watchers[i].call;
        call = call == NULL ? NULL : cl_rpc_call_ref(call);
        (void)pthread_mutex_unlock(&health->mutex);
        if (call != NULL) {
            cl_rpc_finish(call, cl_fail(CL_SHUTTING_DOWN), cl_bytes(NULL, 0));
            cl_rpc_call_unref(call);
        }
    }
}
