/* A request that has to wait is suspended, so that a thousand of them need no thread each; one thread resumes them when
 * they are due. All delays of a kind are the same, so two plain queues are in order by themselves. */
#include "sandbox/authorities.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libcoloan/clock.h"
#include "sandbox/answers.h"

enum {
    REQUEST_BYTES_MAX = 8192,
    THREADS_DEFAULT = 2,
    CONNECTIONS_MAX = 2048,
    IDLE_S = 120,        /* after which a silent connection is closed */
    NEVER_MS = 30 * 1000 /* longer than anybody waits for an authority */
};

struct request {
    struct MHD_Connection *connection;
    struct request *next; /* among those who wait */
    int64_t due_ms;
    bool answered; /* the answer is made; it may still have to wait */
    struct answer answer;
    size_t len;
    char body[REQUEST_BYTES_MAX];
};

struct waiting {
    struct request *head, *tail;
};

struct authorities {
    const struct people *people;
    struct history *history;
    struct MHD_Daemon *daemon;
    int64_t delay_ms;
    const struct cl_clock *clock;
    atomic_uint_fast64_t serial;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t changed;
    bool stopping;
    struct waiting delayed, never;
};

static int64_t now_ms(void)
{
    return cl_clock_monotonic_ms(cl_clock_system());
}

/* -- Waiting ------------------------------------------------------------------------------------------------- */

/* False: the server stops, answer at once. */
static bool wait_until_due(struct authorities *authorities, struct request *request, int64_t delay_ms)
{
    struct waiting *waiting = request->answer.never ? &authorities->never : &authorities->delayed;
    (void)pthread_mutex_lock(&authorities->mutex);
    bool waits = !authorities->stopping;
    if (waits) {
        MHD_suspend_connection(request->connection);
        request->due_ms = now_ms() + delay_ms;
        request->next = NULL;
        if (waiting->tail == NULL) {
            waiting->head = request;
        } else {
            waiting->tail->next = request;
        }
        waiting->tail = request;
        (void)pthread_cond_signal(&authorities->changed);
    }
    (void)pthread_mutex_unlock(&authorities->mutex);
    return waits;
}

static struct request *take_due(struct waiting *waiting, int64_t due_ms)
{
    struct request *request = waiting->head;
    if (request == NULL || request->due_ms > due_ms) {
        return NULL;
    }
    waiting->head = request->next;
    waiting->tail = waiting->head == NULL ? NULL : waiting->tail;
    return request;
}

/* With the mutex held; lets go of it while it resumes. */
static void resume_due(struct authorities *authorities, struct waiting *waiting, int64_t due_ms)
{
    for (struct request *request = take_due(waiting, due_ms); request != NULL; request = take_due(waiting, due_ms)) {
        struct MHD_Connection *connection = request->connection; /* the request is gone once it runs */
        (void)pthread_mutex_unlock(&authorities->mutex);
        MHD_resume_connection(connection);
        (void)pthread_mutex_lock(&authorities->mutex);
    }
}

static int64_t next_due_ms(const struct authorities *authorities)
{
    int64_t due_ms = authorities->delayed.head == NULL ? INT64_MAX : authorities->delayed.head->due_ms;
    bool earlier = authorities->never.head != NULL && authorities->never.head->due_ms < due_ms;
    return earlier ? authorities->never.head->due_ms : due_ms;
}

static void sleep_until(struct authorities *authorities, int64_t due_ms)
{
    if (due_ms == INT64_MAX) {
        (void)pthread_cond_wait(&authorities->changed, &authorities->mutex);
        return;
    }
    struct timespec until = {.tv_sec = due_ms / 1000, .tv_nsec = due_ms % 1000 * 1000000};
    (void)pthread_cond_timedwait(&authorities->changed, &authorities->mutex, &until);
}

static void *run(void *user)
{
    struct authorities *authorities = user;
    (void)pthread_mutex_lock(&authorities->mutex);
    while (!authorities->stopping) {
        int64_t due_ms = next_due_ms(authorities);
        if (due_ms > now_ms()) {
            sleep_until(authorities, due_ms);
        }
        resume_due(authorities, &authorities->delayed, now_ms());
        resume_due(authorities, &authorities->never, now_ms());
    }
    resume_due(authorities, &authorities->delayed, INT64_MAX);
    resume_due(authorities, &authorities->never, INT64_MAX);
    (void)pthread_mutex_unlock(&authorities->mutex);
    return NULL;
}

/* -- HTTP ---------------------------------------------------------------------------------------------------- */

static enum MHD_Result send_answer(struct request *request)
{
    struct answer *answer = &request->answer;
    struct MHD_Response *response = MHD_create_response_from_buffer(answer->len, answer->body, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) {
        return MHD_NO;
    }
    answer->body = NULL;
    (void)MHD_add_response_header(response, "Content-Type", "application/json");
    if (answer->retry_after_s != 0) {
        (void)MHD_add_response_header(response, "Retry-After", "1");
    }
    enum MHD_Result sent = MHD_queue_response(request->connection, answer->http_status, response);
    MHD_destroy_response(response);
    return sent;
}

static enum MHD_Result answer_request(struct authorities *authorities, struct request *request, const char *path)
{
    int64_t unix_ms = cl_clock_unix_ms(authorities->clock);
    const struct answer_moment moment = {
        .now_ms = unix_ms, .serial = atomic_fetch_add(&authorities->serial, 1) + 1, .history = authorities->history};
    answer_make(&request->answer, authorities->people, path, cl_bytes(request->body, request->len), &moment);
    if (request->answer.body == NULL) {
        return MHD_NO;
    }
    request->answered = true;
    int64_t delay_ms = request->answer.never ? NEVER_MS : authorities->delay_ms;
    return delay_ms > 0 && wait_until_due(authorities, request, delay_ms) ? MHD_YES : send_answer(request);
}

/* microhttpd calls it when the head is there, for each piece of the body, at its end, and again after a resume. */
static enum MHD_Result handle(void *user, struct MHD_Connection *connection, const char *path, const char *method,
                              const char *version, const char *upload, size_t *upload_len, void **request_out)
{
    struct request *request = *request_out;
    (void)version;
    if (request == NULL) {
        request = strcmp(method, "POST") == 0 ? calloc(1, sizeof *request) : NULL;
        *request_out = request;
        if (request == NULL) {
            return MHD_NO;
        }
        request->connection = connection;
        return MHD_YES;
    }
    if (*upload_len > 0) {
        if (*upload_len > sizeof request->body - request->len) {
            return MHD_NO;
        }
        memcpy(request->body + request->len, upload, *upload_len);
        request->len += *upload_len;
        *upload_len = 0;
        return MHD_YES;
    }
    return request->answered ? send_answer(request) : answer_request(user, request, path);
}

static void completed(void *user, struct MHD_Connection *connection, void **request_out,
                      enum MHD_RequestTerminationCode code)
{
    struct request *request = *request_out;
    (void)user;
    (void)connection;
    (void)code;
    if (request != NULL) {
        free(request->answer.body);
        free(request);
    }
    *request_out = NULL;
}

/* -- Starting and stopping ----------------------------------------------------------------------------------- */

static struct MHD_Daemon *start_daemon(struct authorities *authorities, const struct authorities_options *options)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    unsigned threads = options->threads != 0 ? options->threads : THREADS_DEFAULT;
    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, options->port, NULL, NULL, handle,
                            authorities, MHD_OPTION_SOCK_ADDR, &address, MHD_OPTION_THREAD_POOL_SIZE, threads,
                            MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)IDLE_S, MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_END);
}

static void init_lock(struct authorities *authorities)
{
    pthread_condattr_t attributes;
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&authorities->changed, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    (void)pthread_mutex_init(&authorities->mutex, NULL);
}

static void stop_waiting(struct authorities *authorities)
{
    (void)pthread_mutex_lock(&authorities->mutex);
    authorities->stopping = true;
    (void)pthread_cond_signal(&authorities->changed);
    (void)pthread_mutex_unlock(&authorities->mutex);
    (void)pthread_join(authorities->thread, NULL);
}

static void release(struct authorities *authorities)
{
    (void)pthread_cond_destroy(&authorities->changed);
    (void)pthread_mutex_destroy(&authorities->mutex);
    history_free(authorities->history);
    free(authorities);
}

struct cl_status authorities_start(struct authorities **out, const struct people *people,
                                   const struct authorities_options *options)
{
    struct authorities *authorities = calloc(1, sizeof *authorities);
    if (authorities == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    authorities->people = people;
    authorities->delay_ms = options->delay_ms;
    authorities->clock = options->clock == NULL ? cl_clock_system() : options->clock;
    init_lock(authorities);
    if (cl_failed(history_create(&authorities->history))) {
        release(authorities);
        return cl_fail(CL_MEMORY_LIMIT);
    }
    if (pthread_create(&authorities->thread, NULL, run, authorities) != 0) {
        release(authorities);
        return cl_fail(CL_SYSTEM);
    }
    authorities->daemon = start_daemon(authorities, options);
    if (authorities->daemon == NULL) {
        stop_waiting(authorities);
        release(authorities);
        return cl_fail(CL_SYSTEM);
    }
    *out = authorities;
    return cl_ok();
}

uint16_t authorities_port(const struct authorities *authorities)
{
    return MHD_get_daemon_info(authorities->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

uint64_t authorities_answered(struct authorities *authorities)
{
    return atomic_load(&authorities->serial);
}

void authorities_stop(struct authorities *authorities)
{
    if (authorities == NULL) {
        return;
    }
    stop_waiting(authorities); /* microhttpd cannot stop with a connection suspended */
    MHD_stop_daemon(authorities->daemon);
    release(authorities);
}
