/* gate.h - the centre's way in: own accept loop, mutual TLS 1.3, HTTP/2 frame limits, identity and revocation.
 *
 * Each connection that passes is handed on as one end of a socketpair that speaks HTTP/2 in clear; the gate keeps the
 * other end and moves bytes. The receiver (rpc) sees a peer "fd:<number>", and gate_peer tells whose connection that
 * number is, for every call anew: a revocation acts on the next call, not on the next connection.
 *
 * Owner: whoever created it frees it. Threads: two of its own (accept, pump); gate_peer, gate_reload, gate_counters and
 * gate_disconnect_party may be called from any thread between create and free; the other functions from one thread.
 * Fails: nothing that a client does fails here other than as a counter and the end of its own connection. Creation and
 * reload fail on files that are not exactly right; a gate that cannot check revocation does not open.
 *
 * To stop: gate_stop_accepting; then stop rpc, which closes its ends; then gate_stop; then free both. */
#ifndef COLOAN_GATE_H
#define COLOAN_GATE_H

#include <stdint.h>

#include "libcoloan/bytes.h"
#include "libcoloan/clock.h"
#include "libcoloan/limits.h"
#include "libcoloan/status.h"
#include "server/gate/frames.h"

/* -- Files ---------------------------------------------------------------------------------------------------- */

/* PEM but for the last. Read by create and by each reload; the texts live as long as the gate. */
struct gate_files {
    const char *certificate_path; /* the server's, leaf first */
    const char *key_path;
    const char *ca_path;   /* self-signed roots only */
    const char *crl_path;  /* a valid list of every root and intermediate */
    const char *deny_path; /* SHA-256 fingerprints of certificates, 64 hex digits a line, '#' comments; NULL: none */
    const char *intermediates_path; /* CAs that may stand between a root and a party; NULL: none */
};

enum gate_file {
    GATE_FILE_NONE,
    GATE_FILE_CERTIFICATE,
    GATE_FILE_KEY,
    GATE_FILE_CA,
    GATE_FILE_CRL,
    GATE_FILE_DENY,
    GATE_FILE_INTERMEDIATES,
};

/* What is wrong, for the operator. */
struct gate_fault {
    enum gate_file file; /* NONE: not a file */
    const char *text;    /* static: "the revocation list has expired" */
};

/* The path that `file` has in `files`; "" for NONE. */
const char *gate_file_path(const struct gate_files *files, enum gate_file file);

/* -- Options -------------------------------------------------------------------------------------------------- */

struct gate_limits {
    unsigned connections_max; /* as many of them as half the file numbers of the process carry */
    unsigned connections_per_party_max;
    unsigned handshakes_max;            /* in flight */
    unsigned handshakes_per_source_max; /* of one IPv4 address or IPv6 /64 */
    int64_t handshake_ms_max;
    int64_t idle_ms_max;   /* without a byte from the client; an open stream's keepalive is answered once a minute */
    int64_t age_ms_max;    /* a wall behind gRPC's own GOAWAY after about an hour */
    int64_t unread_ms_max; /* the client takes nothing of what waits for it */
    struct frames_limits frames;
};

struct gate_limits gate_limits_default(void);

struct gate_options {
    const char *address; /* "127.0.0.1:7443", "[::1]:7443"; port 0: one of the system's choice */
    struct gate_files files;
    /* Takes a connected stream socket, also on failure; runs on the accept thread. cl_rpc_server_adopt fits. */
    struct cl_status (*adopt)(int fd, void *user);
    void *user;
    const struct cl_clock *clock; /* NULL: the system's */
    struct gate_limits limits;
    /* Once one wake-up of the pump has this many events, it lets the other threads of its core write more before it
       reads: more calls a second, a little later each. 0: never. */
    unsigned gather_events;
};

/* -- Life ----------------------------------------------------------------------------------------------------- */

struct gate;

/* Listens, but does not accept yet. CONFIG_INVALID with `*fault_out` when a file, the address or a limit is wrong;
 * SYSTEM when the system refuses. */
CL_MUST_CHECK struct cl_status gate_create(struct gate **out, const struct gate_options *options,
                                           struct gate_fault *fault_out);
void gate_free(struct gate *gate); /* NULL is fine; stops it without grace when it runs */

/* What create says of the files, without listening: for a check of the configuration. */
CL_MUST_CHECK struct cl_status gate_check_files(const struct gate_files *files, const struct cl_clock *clock,
                                                struct gate_fault *fault_out);

uint16_t gate_port(const struct gate *gate);

/* SYSTEM when a thread cannot be started. */
CL_MUST_CHECK struct cl_status gate_start(struct gate *gate);

/* Closes the listener, waits up to grace_ms for handshakes in flight. When it returns `adopt` will not run again.
 * Idempotent. */
void gate_stop_accepting(struct gate *gate, int64_t grace_ms);

/* After the receiver stopped: moves bytes until it has closed all its ends and what it wrote is with the clients, at
 * most grace_ms. Idempotent. */
void gate_stop(struct gate *gate, int64_t grace_ms);

/* -- Identity ------------------------------------------------------------------------------------------------- */

struct gate_peer {
    char party[CL_PARTY_BYTES_MAX + 1]; /* "bank:cn-alpha-js" */
    struct cl_digest certificate;       /* SHA-256 of the certificate */
    uint64_t connection;                /* never given twice by one gate */
};

/* Who is behind `rpc_peer`, cl_rpc_call_peer's text, at this moment. PEER_UNKNOWN when it is none of ours or closed,
 * CERTIFICATE_REVOKED, CERTIFICATE_EXPIRED. Cheap: ask for every call. */
CL_MUST_CHECK struct cl_status gate_peer(struct gate *gate, const char *rpc_peer, struct gate_peer *out);

/* -- While it runs -------------------------------------------------------------------------------------------- */

/* Reads all files anew. On failure, as create's, everything stays as it was. After success new connections meet the new
 * files, calls of connections whose certificate is no longer good are refused at once, and those connections are cut
 * within a second. Reads files: not from a poll thread. */
CL_MUST_CHECK struct cl_status gate_reload(struct gate *gate, struct gate_fault *fault_out);

/* Cuts all connections of a party; it may come back. Returns how many. */
unsigned gate_disconnect_party(struct gate *gate, const char *party);

/* -- Counters ------------------------------------------------------------------------------------------------- */

/* Why a handshake came to nothing. */
#define GATE_HANDSHAKE_FAILURES(X)                                                                                     \
    X(PROTOCOL, "protocol") /* not TLS 1.3, or broken */                                                               \
    X(ALPN, "alpn")         /* does not speak h2 */                                                                    \
    X(NO_CERTIFICATE, "no-certificate")                                                                                \
    X(CHAIN, "chain") /* not issued by a root of ours, or not for clients */                                           \
    X(REVOKED, "revoked")                                                                                              \
    X(EXPIRED, "expired")   /* or not valid yet */                                                                     \
    X(CRL, "crl")           /* our revocation list is missing or has expired: nobody comes in */                       \
    X(IDENTITY, "identity") /* not exactly one URI name of a party */                                                  \
    X(LATE, "late")                                                                                                    \
    X(CLOSED, "closed")         /* by the client */                                                                    \
    X(PARTY_FULL, "party-full") /* the party has its connections already */                                            \
    X(SYSTEM, "system")         /* no file number, no memory, or the receiver did not take it */                       \
    X(STOPPED, "stopped")

enum gate_handshake_failure {
#define GATE_ENUM(name, text) GATE_HANDSHAKE_##name,
    GATE_HANDSHAKE_FAILURES(GATE_ENUM)
#undef GATE_ENUM
        GATE_HANDSHAKE_FAILURE_COUNT
};

/* Why an established connection was ended by us; beside them each frames_verdict. */
#define GATE_CUTS(X)                                                                                                   \
    X(REVOKED, "revoked")           /* its certificate is no longer good */                                            \
    X(DISCONNECTED, "disconnected") /* gate_disconnect_party */                                                        \
    X(IDLE, "idle")                                                                                                    \
    X(AGE, "age")                                                                                                      \
    X(UNREAD, "unread")                                                                                                \
    X(KEY_UPDATES, "key-updates") /* TLS messages that carry nothing */                                                \
    X(TLS, "tls")                 /* broken records */                                                                 \
    X(LOST, "lost")               /* the client is gone without a word */                                              \
    X(MEMORY, "memory")                                                                                                \
    X(STOPPED, "stopped") /* still open after the grace of gate_stop */

enum gate_cut {
#define GATE_ENUM(name, text) GATE_CUT_##name,
    GATE_CUTS(GATE_ENUM)
#undef GATE_ENUM
        GATE_CUT_COUNT
};

/* "alpn", "idle": constants for metric labels. Frame verdicts: frames_verdict_name. */
const char *gate_handshake_failure_name(enum gate_handshake_failure failure);
const char *gate_cut_name(enum gate_cut cut);

struct gate_counters {
    uint64_t accepted;       /* TCP connections */
    uint64_t refused_full;   /* of them, closed at once: too many connections or handshakes */
    uint64_t refused_source; /* closed at once: too many handshakes of one address */
    uint64_t refused_files;  /* closed at once: no file number left */
    uint64_t handshakes;     /* completed and handed on */
    uint64_t handshake_failures[GATE_HANDSHAKE_FAILURE_COUNT];
    uint64_t cuts[GATE_CUT_COUNT];
    uint64_t frame_cuts[FRAMES_VERDICT_COUNT];
    uint64_t bytes_in, bytes_out;             /* TLS records of established connections */
    uint64_t handshakes_now, connections_now; /* gauges */
    uint64_t connections_max;                 /* what the limit came to */
};

void gate_counters(struct gate *gate, struct gate_counters *out);

#endif
