/* world.h - a whole centre in this process, for end-to-end tests: files, certificates, keys, the simulated authorities
 * with the personas, and coloand on a real port with mutual TLS; on SQLite, or on PostgreSQL when ctest says so.
 *
 * Everything lives in a temporary folder that world_close removes. One thread drives it. Aborts on failure: it is not
 * what is tested. Call world_open first in a program: it runs other programs, and gRPC does not outlive a fork. */
#ifndef COLOAN_TESTS_E2E_WORLD_H
#define COLOAN_TESTS_E2E_WORLD_H

#include <coloan/v1/application.pb-c.h>
#include <pthread.h>
#include <stdatomic.h>

#include "libcoloan/rpc.h"
#include "libcoloan/session.h"
#include "sandbox/authorities.h"
#include "sandbox/people.h"
#include "server/coloand.h"
#include "tests/support/pki_files.h"

#define WORLD_CENTRE  "fund:cn-nj-prov"
#define WORLD_ALPHA   "bank:cn-alpha-js"
#define WORLD_BETA    "bank:cn-beta-js"
#define WORLD_OFFICER "officer:cn-nj-prov-07"
#define WORLD_SECOND  "officer:cn-nj-prov-08"
#define WORLD_CHANNEL "channel:cn-app-js"
#define WORLD_FUND    "fund:cn-other"

/* The same numbers again, from tomorrow on, which cases in flight may choose; and from the day after, which they may not. */
#define WORLD_LATER_RULES "TEST-LATER"
#define WORLD_LAST_RULES  "TEST-LAST"

enum world_key {
    WORLD_KEY_DIRECTORY,
    WORLD_KEY_CENTRE,
    WORLD_KEY_ALPHA,
    WORLD_KEY_BETA,
    WORLD_KEY_OFFICER,
    WORLD_KEY_CHANNEL,
    WORLD_KEY_FUND,
    WORLD_KEY_SECOND,
    WORLD_KEY_COUNT
};

struct world {
    struct pki_files files;
    struct people *people;
    struct authorities *authorities;
    struct cl_signer *signers[WORLD_KEY_COUNT];
    struct cl_keyring *keyring;
    struct config config;
    char database[256];  /* its address, as in the configuration */
    bool drops_database; /* it was made for this world alone */
    struct coloand *server;
    pthread_t cutter;
    bool cuts; /* the cutter runs */
    atomic_bool over;
    atomic_long cut_count;
    atomic_bool store_failed; /* as the server told, since it was started */
    struct cl_clock clock;    /* the machine's, moved by ahead_ms */
    int64_t ahead_ms;
    struct cl_clock server_clock; /* the same, moved further by server_ahead_ms; or it stands still there */
    int64_t server_ahead_ms, server_stands_ms; /* 0: it goes */
    int64_t server_elapsed_ms;                 /* so much more went by on its monotonic clock; it only grows */
};

/* With COLOAN_TEST_CUTS in the environment, on PostgreSQL: the server's transactions are cut, again and again, by ending the
 * backend that has the turn to write; what a test sees must be the same. */
struct world_options {
    const char *database; /* the address of a cluster; NULL: a file, or as ctest says */
    int64_t authority_delay_ms;
    int64_t authority_timeout_ms; /* of one attempt; 0: 300 */
    const char *extra;            /* lines for the configuration; NULL: none */
    const char *store;            /* more fields of the store, "a: 1, b: 2"; NULL: none */
    const char *housing;          /* a field of the authority that answers for homes, "hours: ..."; NULL: none */
    const char *rules;            /* rules/<this>.yaml; NULL: REF-NJ-2026-11 */
    bool later_rules;             /* and WORLD_LATER_RULES, WORLD_LAST_RULES */
};

void world_open(struct world *world, const struct world_options *options);
void world_close(struct world *world);

/* All but the server in this process: for tests that run coloand as a program on world_config_path. */
void world_prepare(struct world *world, const struct world_options *options);
const char *world_config_path(const struct world *world);

/* The address of the server's database, which a test may read beside it. */
const char *world_database(const struct world *world);
bool world_on_file(const struct world *world); /* not on a cluster */

/* Stops the server in good order; starts another on the same database; both. */
void world_stop(struct world *world);
void world_start(struct world *world);
void world_restart(struct world *world);
/* Starts it where that may fail. */
struct cl_status world_try_start(struct world *world);

/* "127.0.0.1:<port>" of the server; one static buffer. */
const char *world_target(const struct world *world);

/* A client with that certificate of the pki folder ("alpha", "officer"), for bytes as they are. */
struct cl_rpc_client *world_raw_client(const struct world *world, const char *certificate);
struct cl_rpc_client *world_raw_client_at(const struct world *world, const char *target, const char *certificate);

/* The body of GET `path` at the metrics port; the caller's to free. */
char *world_http_get(const struct world *world, const char *path);

/* A party's session: certificate "alpha" or "beta" of the pki folder, signing with that key. */
struct cl_session *world_session(const struct world *world, const char *certificate, enum world_key key);

/* The same with a clock of its own. */
struct cl_session *world_session_by(const struct world *world, const struct cl_clock *clock, const char *certificate,
                                    enum world_key key);

/* The same as world_session with the server that listens on `target`. */
struct cl_session *world_session_at(const struct world *world, const char *target, const char *certificate,
                                    enum world_key key);

/* Both: that server, that clock. */
struct cl_session *world_session_at_by(const struct world *world, const struct cl_clock *clock, const char *target,
                                       const char *certificate, enum world_key key);

/* What somebody submits. Everything lives in `arena`. */
struct world_submission {
    Coloan__V1__Application *application; /* with commitments */
    Coloan__V1__Disclosure **disclosures;
    size_t disclosure_count;
};
void world_submission(struct world_submission *out, struct cl_arena *arena, const json_t *persona, const char *bank,
                      const char *external_ref);

/* SubmitApplication of it, answered by an ApplicationReceipt. */
struct cl_session_call world_submit_call(const struct world_submission *submission);

/* The bank's report for a persona. */
Coloan__V1__VerificationReport *world_bank_report(struct cl_arena *arena, const json_t *persona);

/* Now, as the world's clock has it. */
int64_t world_now_ms(const struct world *world);

#endif
