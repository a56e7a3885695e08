/* scripted.h - an HTTP server on 127.0.0.1 that misbehaves as told: each request gets the next action of a script, the
 * last one for ever. A thread for each connection; for tests only. */
#ifndef COLOAN_TESTS_SERVER_SOURCE_SCRIPTED_H
#define COLOAN_TESTS_SERVER_SOURCE_SCRIPTED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum action {
    ACT_END = 0, /* of a script */
    ACT_GOOD,    /* a right answer to IDENTITY */
    ACT_NO_RECORD,
    ACT_MISMATCH,
    ACT_AMBIGUOUS,
    ACT_NOT_AUTHORISED,
    ACT_GARBAGE,
    ACT_EMPTY,
    ACT_WRONG_ID, /* the answer to another request */
    ACT_OVERSIZE, /* announced */
    ACT_FLOOD,    /* not announced: chunks without end */
    ACT_HEADERS,  /* headers without end */
    ACT_NOT_HTTP,
    ACT_CUT_SHORT, /* less than announced */
    ACT_HANG_UP,   /* no byte */
    ACT_HANG,      /* no byte, and open */
    ACT_DRIP,      /* a byte now and then */
    ACT_500,
    ACT_503,
    ACT_CLOSED, /* 503 with the code */
    ACT_429,
    ACT_429_SECOND, /* Retry-After: 1 */
    ACT_429_HOUR,
    ACT_401,
    ACT_404,
    ACT_REDIRECT, /* to itself */
};

enum { SCRIPT_MAX = 8 };

struct scripted;

struct scripted *scripted_start(const enum action *script); /* up to SCRIPT_MAX, or ended by ACT_END */
/* The same over TLS, with a certificate and key in PEM. */
struct scripted *scripted_start_tls(const enum action *script, const char *certificate, const char *key);
/* From the next connection on a client needs a certificate of this CA (PEM). Of a TLS server. */
void scripted_need_client(struct scripted *server, const char *ca);
uint16_t scripted_port(const struct scripted *server);
unsigned scripted_requests(struct scripted *server);
unsigned scripted_connections(struct scripted *server);
unsigned scripted_open_max(struct scripted *server);     /* most requests at a time without an answer */
const char *scripted_last_head(struct scripted *server); /* the last request's; once nothing is on the way */
const char *scripted_last_body(struct scripted *server);
void scripted_stop(struct scripted *server);

#endif
