#include "server/source/exchange.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum {
    HEADER_BYTES_MAX = 8192,      /* of an answer, all lines together */
    RECEIVE_BUFFER_BYTES = 4096,  /* an answer comes in one piece */
    RETRY_AFTER_S_MAX = 24 * 3600 /* more is not advice */
};

static size_t take_body(char *data, size_t one, size_t len, void *user)
{
    struct exchange *exchange = user;
    (void)one;
    if (len > sizeof exchange->answer - exchange->answer_len) {
        return CURL_WRITEFUNC_ERROR;
    }
    memcpy(exchange->answer + exchange->answer_len, data, len);
    exchange->answer_len += len;
    return len;
}

static size_t take_header(char *data, size_t one, size_t len, void *user)
{
    struct exchange *exchange = user;
    (void)data;
    (void)one;
    exchange->header_len += len;
    return exchange->header_len > HEADER_BYTES_MAX ? CURL_WRITEFUNC_ERROR : len;
}

static bool set_file(CURL *easy, CURLoption option, const char *path)
{
    return path == NULL || curl_easy_setopt(easy, option, path) == CURLE_OK;
}

/* What every request has in common. Nothing is taken from the environment, no redirect is followed, nothing but
 * HTTP is spoken. */
static bool set_fixed(CURL *easy, struct exchange *exchange, const struct exchange_files *files)
{
    return curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
           set_file(easy, CURLOPT_CAINFO, files->ca) && set_file(easy, CURLOPT_SSLCERT, files->certificate) &&
           set_file(easy, CURLOPT_SSLKEY, files->key) && curl_easy_setopt(easy, CURLOPT_PROXY, "") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BUFFER_BYTES) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_MAXFILESIZE, (long)SOURCE_ANSWER_BYTES_MAX) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEDATA, exchange) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HEADERDATA, exchange) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PRIVATE, exchange) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, &exchange->id_header) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK;
}

struct cl_status exchange_init(struct exchange *exchange, void *owner, struct curl_slist *headers,
                               const struct exchange_files *files)
{
    exchange->owner = owner;
    exchange->id_header = (struct curl_slist){.data = exchange->id_line, .next = headers};
    exchange->easy = curl_easy_init();
    if (exchange->easy == NULL || !set_fixed(exchange->easy, exchange, files)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    return cl_ok();
}

void exchange_close(struct exchange *exchange)
{
    curl_easy_cleanup(exchange->easy);
    exchange->easy = NULL;
    exchange_wipe(exchange);
}

struct cl_status exchange_write(struct exchange *exchange, const struct source_question *question,
                                const struct source_mapping *mapping, const uint8_t request_id[SOURCE_REQUEST_ID_BYTES])
{
    cl_hex_encode(exchange->request_id, cl_bytes(request_id, SOURCE_REQUEST_ID_BYTES));
    (void)snprintf(exchange->id_line, sizeof exchange->id_line, "X-Request-Id: %s", exchange->request_id);
    exchange->mapping = mapping;
    return source_request_write(exchange->request, &exchange->request_len, question, mapping, exchange->request_id);
}

struct cl_status exchange_send(struct exchange *exchange, CURLM *multi, const char *url, int64_t timeout_ms)
{
    exchange->answer_len = 0;
    exchange->header_len = 0;
    bool set = curl_easy_setopt(exchange->easy, CURLOPT_URL, url) == CURLE_OK &&
               curl_easy_setopt(exchange->easy, CURLOPT_TIMEOUT_MS, (long)timeout_ms) == CURLE_OK &&
               curl_easy_setopt(exchange->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms) == CURLE_OK &&
               curl_easy_setopt(exchange->easy, CURLOPT_POSTFIELDS, exchange->request) == CURLE_OK &&
               curl_easy_setopt(exchange->easy, CURLOPT_POSTFIELDSIZE, (long)exchange->request_len) == CURLE_OK;
    return set && curl_multi_add_handle(multi, exchange->easy) == CURLM_OK ? cl_ok() : cl_fail(CL_SYSTEM);
}

struct exchange *exchange_of(CURL *easy)
{
    char *private = NULL;
    CURLcode code = curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
    assert(code == CURLE_OK && private != NULL);
    return (struct exchange *)(void *)private;
}

static enum source_failure failure_of_transfer(CURLcode code)
{
    if (code == CURLE_OPERATION_TIMEDOUT) {
        return SOURCE_TIMEOUT;
    }
    bool own_files = code == CURLE_SSL_CERTPROBLEM || code == CURLE_SSL_CACERT_BADFILE; /* unreadable, or no pair */
    if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_ISSUER_ERROR || own_files) {
        return SOURCE_BAD_SIGNATURE;
    }
    bool not_http = code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_UNSUPPORTED_PROTOCOL ||
                    code == CURLE_BAD_CONTENT_ENCODING || code == CURLE_HTTP2;
    bool too_large = code == CURLE_WRITE_ERROR || code == CURLE_FILESIZE_EXCEEDED;
    return not_http || too_large ? SOURCE_PARSE : SOURCE_UNREACHABLE;
}

static enum source_failure failure_of_status(long http_status, const struct source_mapping *mapping,
                                             struct cl_bytes body)
{
    if (http_status == 200) {
        return SOURCE_FAILURE_NONE;
    }
    if (http_status == 401 || http_status == 403) {
        return SOURCE_NOT_AUTHORISED;
    }
    if (http_status == 429) {
        return SOURCE_THROTTLED;
    }
    if (http_status == 503 && source_error_read(mapping, body) == SOURCE_CLOSED) {
        return SOURCE_CLOSED;
    }
    return http_status >= 500 ? SOURCE_UNREACHABLE : SOURCE_PARSE;
}

struct exchange_end exchange_finish(struct exchange *exchange, CURLM *multi, CURLcode code)
{
    struct exchange_end end = {.failure = failure_of_transfer(code)};
    long http_status = 0;
    curl_off_t retry_after_s = 0;
    if (code == CURLE_OK) {
        (void)curl_easy_getinfo(exchange->easy, CURLINFO_RESPONSE_CODE, &http_status);
        end.failure =
            failure_of_status(http_status, exchange->mapping, cl_bytes(exchange->answer, exchange->answer_len));
    }
    if (end.failure == SOURCE_THROTTLED) {
        (void)curl_easy_getinfo(exchange->easy, CURLINFO_RETRY_AFTER, &retry_after_s);
        bool sensible = retry_after_s > 0 && retry_after_s <= RETRY_AFTER_S_MAX;
        end.retry_after_ms = sensible ? retry_after_s * 1000 : 0;
    }
    (void)curl_multi_remove_handle(multi, exchange->easy);
    explicit_bzero(exchange->request, sizeof exchange->request);
    return end;
}

void exchange_abort(struct exchange *exchange, CURLM *multi)
{
    (void)curl_multi_remove_handle(multi, exchange->easy);
    exchange_wipe(exchange);
}

void exchange_wipe(struct exchange *exchange)
{
    explicit_bzero(exchange->request, sizeof exchange->request);
    explicit_bzero(exchange->answer, exchange->answer_len);
    exchange->answer_len = 0;
}
