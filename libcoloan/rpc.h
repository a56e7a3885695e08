/* rpc.h - serve and make gRPC calls over gRPC C core: bytes in, bytes out.
 *
 * rpc does not unpack messages: hostile bytes are scanned before protobuf-c sees them, and the bytes of an envelope are
 * what is signed, stored and answered. It owns everything that is gRPC's: queues, threads, deadlines, limits, refusal
 * of unknown methods, and an order of shutdown that cannot abort. Every failed call carries the details of its reason
 * (refusal.h).
 *
 * Owner: whoever created a server, client or stream frees it. A call is reference counted: the library holds it until
 * the RPC is over, a handler that keeps it longer takes a reference of its own. Bytes handed in are copied; bytes
 * handed to a handler are borrowed until it returns. Threads: handlers and end functions run on poll threads and must
 * not block; those of one call never run at the same time. Functions on a call may be called from any thread, also
 * after the RPC, and even the server, has ended. A server is driven by the thread that created it, but for
 * cl_rpc_server_adopt. A client may be used by any number of threads at once; a stream by one that sends and one that
 * receives. Fails: nothing that a peer does fails here other than as a status or an outcome of a call. */
#ifndef COLOAN_RPC_H
#define COLOAN_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/bytes.h"
#include "libcoloan/status.h"

/* -- Methods ------------------------------------------------------------------------------------------------- */

struct cl_rpc_call;

enum cl_rpc_shape { CL_RPC_UNARY = 1, CL_RPC_SERVER_STREAM, CL_RPC_CLIENT_STREAM, CL_RPC_BIDI };

/* UNARY, SERVER_STREAM: runs once, with the request. CLIENT_STREAM, BIDI: once per message, in order; message.data NULL
 * means that the peer sends no more (an empty message has data and a length of zero). The next message is read only
 * when cl_rpc_next asks for it: a peer cannot bring more than is dealt with. */
typedef void cl_rpc_handler(struct cl_rpc_call *call, struct cl_bytes message, void *user);

struct cl_rpc_method {
    const char *path; /* "/coloan.v1.JointApproval/SubmitApplication"; matched byte for byte */
    enum cl_rpc_shape shape;
    cl_rpc_handler *handler;
    void *user; /* lives until the server is stopped */
};

/* A channel argument of gRPC core that is a number. */
struct cl_rpc_argument {
    const char *name;
    int value;
};

/* The arguments that every server (client) is made with: static tables, ended by a NULL name. */
const struct cl_rpc_argument *cl_rpc_server_arguments(void);
const struct cl_rpc_argument *cl_rpc_client_arguments(void);

/* -- Server -------------------------------------------------------------------------------------------------- */

struct cl_rpc_server;

struct cl_rpc_server_options { /* read by create only */
    const struct cl_rpc_method *methods;
    size_t method_count;
    unsigned poll_thread_count; /* one per core is right */
    unsigned accept_count;      /* calls that may be arriving at once, per method and poll thread */
    unsigned send_queue_max;    /* messages waiting in one call before cl_rpc_send answers FULL */
    /* Values that differ from cl_rpc_server_arguments(), ended by a NULL name; NULL: none. Only names of that table. */
    const struct cl_rpc_argument *arguments;
};

/* METHOD_UNKNOWN when a path is not "/service/method" or stands twice, CONFIG_INVALID on an argument that is not in the
 * table. */
CL_MUST_CHECK struct cl_status cl_rpc_server_create(struct cl_rpc_server **out,
                                                    const struct cl_rpc_server_options *options);
void cl_rpc_server_free(struct cl_rpc_server *server); /* NULL is fine; stops it without grace when it runs */

/* gRPC's own mutual TLS on "host:port", port 0 for one of the system's choice: for a bank's call-back server and for
 * comparisons. Between create and start. Texts are PEM. It cannot refuse TLS 1.2 nor revoked certificates; the centre's
 * way in is the gate and cl_rpc_server_adopt. CONFIG_INVALID when it cannot listen with what was given. */
struct cl_rpc_listen {
    const char *address;
    const char *ca_pem, *cert_pem, *key_pem;
};
CL_MUST_CHECK struct cl_status cl_rpc_server_listen_tls(struct cl_rpc_server *server,
                                                        const struct cl_rpc_listen *listen, uint16_t *port_out);

/* SYSTEM when a thread cannot be started. */
CL_MUST_CHECK struct cl_status cl_rpc_server_start(struct cl_rpc_server *server);

/* Serves HTTP/2 in clear on a connected stream socket, whose calls have the peer "fd:<number>". Takes `fd`: it is
 * closed when the connection ends and also on failure. From any thread, between start and free. SHUTTING_DOWN once stop
 * began, SYSTEM on a bad fd. */
CL_MUST_CHECK struct cl_status cl_rpc_server_adopt(struct cl_rpc_server *server, int fd);

/* Refuses new calls, waits up to grace_ms for open ones, cancels the rest, joins the poll threads. When it returns no
 * handler or end function runs or will run. Idempotent. Not from a handler. */
void cl_rpc_server_stop(struct cl_rpc_server *server, uint32_t grace_ms);

/* -- Call ---------------------------------------------------------------------------------------------------- */

#define CL_RPC_NO_DEADLINE INT64_MAX

struct cl_rpc_call *cl_rpc_call_ref(struct cl_rpc_call *call); /* returns `call` */
void cl_rpc_call_unref(struct cl_rpc_call *call);

/* "fd:10001" on an adopted socket, "ipv4:..." on gRPC's own listener. Never an identity. Lives as long as the call. */
const char *cl_rpc_call_peer(const struct cl_rpc_call *call);

/* The one URI name of the client certificate that gRPC's own TLS verified; in a handler only. PEER_UNKNOWN on an
 * adopted socket, CERTIFICATE_IDENTITY when there is not exactly one or it does not fit. */
CL_MUST_CHECK struct cl_status cl_rpc_call_certificate_uri(char *out, size_t out_bytes, struct cl_rpc_call *call);

/* CLOCK_MONOTONIC ms. UNARY calls always have one, at most CL_DEADLINE_MS_DEFAULT ahead; streams may have none. */
int64_t cl_rpc_call_deadline_ms(const struct cl_rpc_call *call);

/* A slot for the handler's own pointer, NULL at first. */
void **cl_rpc_call_state(struct cl_rpc_call *call);

/* Runs end(call, cancelled, user) once, on a poll thread, when the RPC is over however it ended; `cancelled` unless the
 * peer got our outcome. False, and nothing runs, when it is over already. At most one per call. */
typedef void cl_rpc_end(struct cl_rpc_call *call, bool cancelled, void *user);
CL_MUST_CHECK bool cl_rpc_call_on_end(struct cl_rpc_call *call, cl_rpc_end *end, void *user);

enum cl_rpc_sent { CL_RPC_QUEUED, CL_RPC_FULL, CL_RPC_ENDED };

/* Copies the message and returns; messages leave in call order. FULL: the peer reads too slowly, nothing was queued.
 * ENDED: the call is over or has its outcome. For streams. */
enum cl_rpc_sent cl_rpc_send(struct cl_rpc_call *call, struct cl_bytes message);

/* CLIENT_STREAM, BIDI: reads the next message; once for each message that the handler was given, from it or from any thread
 * later. Without effect on a call that is over or has its outcome. */
void cl_rpc_next(struct cl_rpc_call *call);

/* UNARY, CLIENT_STREAM: the reply and OK. Without effect on a call that is over or has its outcome. */
void cl_rpc_reply(struct cl_rpc_call *call, struct cl_bytes message);

/* Ends the call after everything queued has left. The first outcome wins. `details` are the bytes of
 * grpc-status-details-bin, as refusal.h builds them; when empty and the outcome is a failure, those of the reason alone
 * are sent. */
void cl_rpc_finish(struct cl_rpc_call *call, struct cl_status outcome, struct cl_bytes details);

/* Ends the call at once and drops what is queued: for peers that do not read. */
void cl_rpc_cancel(struct cl_rpc_call *call);

/* -- Client -------------------------------------------------------------------------------------------------- */

struct cl_rpc_client;

struct cl_rpc_client_options { /* read by create only */
    const char *target;        /* "127.0.0.1:7443" */
    const char *ca_pem, *cert_pem, *key_pem;
    const char *server_name; /* the name the server's certificate must hold; NULL: the target's host */
    const char
        *server_party; /* the party its URI name must name; NULL: any of the CA's certificates with the host's name */
};

struct cl_rpc_buffer {
    uint8_t *data; /* owned; NULL when there is nothing */
    size_t len;
};

/* How a call ended. */
struct cl_rpc_result {
    enum cl_grpc_code code;
    struct cl_rpc_buffer message; /* of an OK call */
    struct cl_rpc_buffer details; /* of a refused call: read them with cl_refusal_read */
};

void cl_rpc_result_free(struct cl_rpc_result *result); /* what it owns, not itself */

/* Connects lazily, so that a key that does not fit shows as PEER_UNREACHABLE of the first call. CONFIG_INVALID when a
 * text is not PEM. */
CL_MUST_CHECK struct cl_status cl_rpc_client_create(struct cl_rpc_client **out,
                                                    const struct cl_rpc_client_options *options);
void cl_rpc_client_free(struct cl_rpc_client *client); /* NULL is fine; no call or stream left */

/* A unary call; blocks for at most timeout_ms. OK when the other side answered: with out->code OK and a message, or
 * with another code and details that say why. Otherwise what went wrong on the way: PEER_UNREACHABLE,
 * DEADLINE_EXCEEDED, CALL_CANCELLED, MESSAGE_TOO_LARGE, MESSAGE_COMPRESSED, METHOD_UNKNOWN, or PEER_ANSWER_INVALID.
 * `out` is filled in every case and is the caller's to free. */
CL_MUST_CHECK struct cl_status cl_rpc_client_call(struct cl_rpc_client *client, const char *path,
                                                  struct cl_bytes request, int64_t timeout_ms,
                                                  struct cl_rpc_result *out);

/* -- Client stream, both ways -------------------------------------------------------------------------------- */

struct cl_rpc_stream;

#define CL_RPC_NO_TIMEOUT INT64_MAX

/* Does not wait for the server. `timeout_ms` bounds the whole stream; CL_RPC_NO_TIMEOUT: nothing does. */
CL_MUST_CHECK struct cl_status cl_rpc_stream_open(struct cl_rpc_stream **out, struct cl_rpc_client *client,
                                                  const char *path, int64_t timeout_ms);

/* Waits until flow control took the message. CALL_CANCELLED when the stream is over; its outcome says why. */
CL_MUST_CHECK struct cl_status cl_rpc_stream_send(struct cl_rpc_stream *stream, struct cl_bytes message);

/* No more will be sent. The sending thread's last call. */
CL_MUST_CHECK struct cl_status cl_rpc_stream_half_close(struct cl_rpc_stream *stream);

enum cl_rpc_received { CL_RPC_MESSAGE, CL_RPC_TIMEOUT, CL_RPC_OVER };

/* Waits up to timeout_ms for the next message, which is the caller's to free (`out->data`, with free). `out` is written
 * for MESSAGE only. */
enum cl_rpc_received cl_rpc_stream_receive(struct cl_rpc_stream *stream, int64_t timeout_ms, struct cl_rpc_buffer *out);

/* After OVER, by the receiving thread: how it ended, as cl_rpc_client_call tells it, without a message. */
CL_MUST_CHECK struct cl_status cl_rpc_stream_outcome(struct cl_rpc_stream *stream, struct cl_rpc_result *out);

/* Ends the stream from any thread, so that waiting sends and receives return. */
void cl_rpc_stream_cancel(struct cl_rpc_stream *stream);

/* Cancels what is open and frees. NULL is fine; nobody may be inside another function of the stream. */
void cl_rpc_stream_close(struct cl_rpc_stream *stream);

#endif
