/* exchange.h - one HTTP exchange with an authority: a handle that is used again and again, its request and its answer.
 *
 * Owner: the slot it is part of; the multi handle and the headers are borrowed. Source thread only. The request and the
 * answer hold personal values and are wiped as soon as they are done with. Fails only by what exchange_end returns. */
#ifndef COLOAN_SERVER_SOURCE_EXCHANGE_H
#define COLOAN_SERVER_SOURCE_EXCHANGE_H

#include <curl/curl.h>

#include "server/source/wording.h"

struct exchange {
    CURL *easy;
    void *owner;                 /* the slot */
    struct curl_slist id_header; /* ahead of the authority's headers */
    char id_line[64];            /* "X-Request-Id: ..." */
    char request_id[SOURCE_REQUEST_ID_HEX_BYTES];
    const struct source_mapping *mapping; /* of the question that was written */
    char request[SOURCE_REQUEST_BYTES_MAX];
    size_t request_len;
    uint8_t answer[SOURCE_ANSWER_BYTES_MAX];
    size_t answer_len;
    size_t header_len;
};

/* How an exchange ended. `failure` NONE: HTTP 200, and the answer is to be read. NOT_AUTHORISED: our token was refused.
 */
struct exchange_end {
    enum source_failure failure;
    int64_t retry_after_ms; /* with THROTTLED; 0: not said */
};

/* PEM files for https; each may be NULL. */
struct exchange_files {
    const char *ca;                /* root certificates; else the machine's */
    const char *certificate, *key; /* ours, for mutual TLS */
};

/* `headers` begin each request after the request id; the files' names are copied. MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status exchange_init(struct exchange *exchange, void *owner, struct curl_slist *headers,
                                             const struct exchange_files *files);
void exchange_close(struct exchange *exchange);

/* Writes the question down under a new request id, as the mapping says, which is borrowed until the exchange is done.
 * FIELD_INVALID as source_request_write. */
CL_MUST_CHECK struct cl_status exchange_write(struct exchange *exchange, const struct source_question *question,
                                              const struct source_mapping *mapping,
                                              const uint8_t request_id[SOURCE_REQUEST_ID_BYTES]);

/* Sends what was written. SYSTEM when curl refuses. */
CL_MUST_CHECK struct cl_status exchange_send(struct exchange *exchange, CURLM *multi, const char *url,
                                             int64_t timeout_ms);

/* The exchange whose handle `easy` is. */
struct exchange *exchange_of(CURL *easy);

/* Takes a finished exchange out of `multi` and says how it ended; the answer stays until exchange_wipe. */
struct exchange_end exchange_finish(struct exchange *exchange, CURLM *multi, CURLcode code);

/* Breaks off an exchange that is on the way. */
void exchange_abort(struct exchange *exchange, CURLM *multi);
void exchange_wipe(struct exchange *exchange);

#endif
