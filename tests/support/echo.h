/* echo.h - methods for tests of rpc, and a server and client that speak over gRPC's own mutual TLS on 127.0.0.1.
 *
 *   /test.Echo/Unary   answers the request, at once
 *   /test.Echo/Later   answers the request from another thread, after 20 ms
 *   /test.Echo/Hold    answers never; echo_held is the call, referenced
 *   /test.Echo/Refuse  refuses with OVERLOADED, 2.5 s, field "a.b"
 *   /test.Echo/Large   answers one byte more than is allowed
 *   /test.Echo/Whoami  answers peer and certificate name
 *   /test.Echo/Count   server stream: as many numbers as the request says, sent from another thread, then OK
 *   /test.Echo/Chat    both ways: answers each message; OK when the peer half-closed
 *   /test.Echo/Sum     client stream: takes each message after 2 ms on another thread, "here" at once; answers how many
 *                      bytes came when the peer half-closed or says "stop" */
#ifndef COLOAN_TESTS_ECHO_H
#define COLOAN_TESTS_ECHO_H

#include <stdatomic.h>

#include "libcoloan/rpc.h"
#include "tests/support/pki.h"

#define ECHO_METHOD_COUNT 9
extern const struct cl_rpc_method echo_methods[ECHO_METHOD_COUNT];

/* What happened, since echo_reset. */
extern atomic_int echo_handled, echo_ended, echo_cancelled, echo_full, echo_taken, echo_busy;
extern _Atomic(struct cl_rpc_call *) echo_held;
extern atomic_llong echo_deadline_ms;
void echo_reset(void);
void echo_release_held(void);

/* Waits up to 5 s until *counter is at least `value`; false when it is not. */
bool echo_wait(const atomic_int *counter, int value);

struct cl_rpc_server_options echo_options(void);

struct echo {
    struct cl_rpc_server *server;
    struct cl_rpc_client *client;
    uint16_t port;
};

/* Aborts the test program when something fails: it is not what is tested. */
void echo_start(struct echo *out, const struct pki *pki, const struct cl_rpc_server_options *options);
struct cl_rpc_client *echo_client(const struct pki *pki, uint16_t port);
void echo_stop(struct echo *echo);

#endif
