#include "server/ops/http.h"

#include <arpa/inet.h>
#include <assert.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    THREAD_COUNT = 2,                /* one may be slow with a large answer, health still answers */
    CONNECTIONS_MAX = 32,            /* monitoring holds one or two */
    CONNECTION_BYTES_MAX = 8 * 1024, /* request line and headers; a longer one is refused */
    IDLE_S_MAX = 5,                  /* a silent connection is closed */
};

struct ops_http {
    struct MHD_Daemon *daemon;
    struct ops_http_options options;
    uint16_t port;
};

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } socket;
};

static bool read_loopback(struct address *out, const char *text, uint16_t port)
{
    struct address address = {.socket.v6.sin6_family = AF_INET6};
    if (inet_pton(AF_INET6, text, &address.socket.v6.sin6_addr) == 1) {
        address.socket.v6.sin6_port = htons(port);
        *out = address;
        return IN6_IS_ADDR_LOOPBACK(&address.socket.v6.sin6_addr);
    }
    address = (struct address){.socket.v4.sin_family = AF_INET};
    if (inet_pton(AF_INET, text, &address.socket.v4.sin_addr) != 1) {
        return false;
    }
    address.socket.v4.sin_port = htons(port);
    *out = address;
    return ntohl(address.socket.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

/* -- Answers ------------------------------------------------------------------------------------------------- */

struct answer {
    unsigned code;
    const char *type;
    char *text; /* freed by libmicrohttpd when `owned`, else static */
    size_t len;
    bool owned;
};

static void answer_static(struct answer *out, unsigned code, char *text)
{
    *out = (struct answer){.code = code, .type = "text/plain; charset=utf-8", .text = text, .len = strlen(text)};
}

static void answer_state(struct answer *out, bool good)
{
    static char yes[] = "ok\n";
    static char no[] = "unavailable\n";
    answer_static(out, good ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, good ? yes : no);
}

static void answer_health(struct answer *out, const struct ops_http *http)
{
    answer_state(out, http->options.healthy(http->options.user));
}

static void answer_readiness(struct answer *out, const struct ops_http *http)
{
    answer_state(out, http->options.ready(http->options.user));
}

static void answer_metrics(struct answer *out, const struct ops_http *http)
{
    static char failed[] = "no memory\n";
    struct answer answer = {.code = MHD_HTTP_OK, .type = OPS_METRICS_CONTENT_TYPE, .owned = true};
    if (cl_failed(ops_metrics_text(&answer.text, &answer.len, http->options.metrics))) {
        answer_static(out, MHD_HTTP_INTERNAL_SERVER_ERROR, failed);
        return;
    }
    *out = answer;
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, const struct answer *answer)
{
    enum MHD_ResponseMemoryMode mode = answer->owned ? MHD_RESPMEM_MUST_FREE : MHD_RESPMEM_PERSISTENT;
    struct MHD_Response *response = MHD_create_response_from_buffer(answer->len, answer->text, mode);
    if (response == NULL) {
        if (answer->owned) {
            free(answer->text);
        }
        return MHD_NO; /* closes the connection */
    }
    enum MHD_Result result = MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
    if (result == MHD_YES) {
        result = MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    }
    if (result == MHD_YES && answer->code == MHD_HTTP_METHOD_NOT_ALLOWED) {
        result = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    }
    if (result == MHD_YES) {
        result = MHD_queue_response(connection, answer->code, response);
    }
    MHD_destroy_response(response);
    return result;
}

/* libmicrohttpd calls this once the headers are read; an answer queued now means that a body is never read. */
static enum MHD_Result handle(void *user, struct MHD_Connection *connection, const char *url, const char *method,
                              const char *version, const char *upload, size_t *upload_len, void **state)
{
    static const struct {
        const char *path;
        void (*answer)(struct answer *out, const struct ops_http *http);
    } routes[] = {
        {"/metrics", answer_metrics},
        {"/healthz", answer_health},
        {"/readyz", answer_readiness},
    };
    static char not_found[] = "not found\n";
    static char not_allowed[] = "only GET and HEAD\n";
    (void)version;
    (void)upload;
    (void)upload_len;
    (void)state;
    struct answer answer;
    answer_static(&answer, MHD_HTTP_NOT_FOUND, not_found);
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        answer_static(&answer, MHD_HTTP_METHOD_NOT_ALLOWED, not_allowed);
        return send_answer(connection, &answer);
    }
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (strcmp(url, routes[i].path) == 0) {
            routes[i].answer(&answer, user);
        }
    }
    return send_answer(connection, &answer);
}

/* -- Start and stop ------------------------------------------------------------------------------------------ */

struct cl_status ops_http_start(struct ops_http **out, const struct ops_http_options *options)
{
    assert(options->metrics != NULL && options->healthy != NULL && options->ready != NULL);
    struct address address;
    if (!read_loopback(&address, options->address, options->port)) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    struct ops_http *http = calloc(1, sizeof *http);
    if (http == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    http->options = *options;
    http->options.address = NULL; /* was only borrowed for the start */
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | (address.socket.any.sa_family == AF_INET6 ? MHD_USE_IPv6 : 0);
    http->daemon =
        MHD_start_daemon(flags, options->port, NULL, NULL, handle, http, MHD_OPTION_SOCK_ADDR, &address.socket.any,
                         MHD_OPTION_THREAD_POOL_SIZE, (unsigned)THREAD_COUNT, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_BYTES_MAX,
                         MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_S_MAX, MHD_OPTION_END);
    if (http->daemon == NULL) {
        free(http);
        return cl_fail(CL_SYSTEM);
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT);
    assert(info != NULL);
    http->port = info->port;
    *out = http;
    return cl_ok();
}

uint16_t ops_http_port(const struct ops_http *http)
{
    return http->port;
}

void ops_http_stop(struct ops_http *http)
{
    if (http == NULL) {
        return;
    }
    MHD_stop_daemon(http->daemon);
    free(http);
}
