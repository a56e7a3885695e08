/* house.h - a gate with libcoloan's rpc behind it, on 127.0.0.1, for tests. Failures to set up abort.
 *
 *   /test.Gate/Who    answers the party that gate_peer tells, or refuses with its reason
 *   /test.Echo/...    as in echo.h */
#ifndef COLOAN_TESTS_HOUSE_H
#define COLOAN_TESTS_HOUSE_H

#include <stdatomic.h>

#include "libcoloan/rpc.h"
#include "server/gate/gate.h"
#include "tests/support/echo.h"
#include "tests/support/tls_client.h"

struct house {
    const struct pki_files *files;
    struct gate_options options; /* read by house_open; house_prepare fills them */
    struct cl_rpc_server *server;
    struct gate *gate;
    struct cl_clock clock;
    atomic_llong ahead_ms; /* of the house's clock before the machine's, in Unix time */
};

/* Options with the files live-ca.pem, live-crl.pem, live-deny, which are written anew: ca.pem, crl.pem, none. */
void house_prepare(struct house *house, const struct pki_files *files);
void house_open(struct house *house);

/* In the order of gate.h. */
void house_close(struct house *house);

/* A client with the certificate of that name. */
struct cl_rpc_client *house_client(const struct house *house, const char *name);

/* Calls Who with the client: OK and the party's name (of at least 65 bytes), or the reason that came back. */
struct cl_status house_ask(struct cl_rpc_client *client, char *party_out);

/* A raw client with alpha's certificate and h2. */
struct tls_client *house_attacker(const struct house *house, const char *name);

struct gate_counters house_counters(const struct house *house);

/* Writes text to a file of the pki folder. */
void house_write(const struct house *house, const char *name, const char *text);

/* Open files of this process. */
int house_count_files(void);

#endif
