/* verify.h - whether a database is whole and says what was signed: pages, references, every message against its
 * signature, the outbox without a gap, each recipient's chain and acknowledgements, nothing that is neither acknowledged nor
 * on its way, decisions with their events, and every sealed value under the master key.
 *
 * It reads one snapshot and changes nothing, so it may run beside the server; meanwhile the server's log is not taken
 * over past that snapshot and grows. The calling thread. Fails only when it cannot be done at all; what is wrong with the
 * database is in the report. */
#ifndef COLOAN_SERVER_VERIFY_VERIFY_H
#define COLOAN_SERVER_VERIFY_VERIFY_H

#include <stdbool.h>
#include <stdio.h>

#include "libcoloan/clock.h"
#include "libcoloan/keyring.h"
#include "server/store/inventory.h"
#include "server/vault/vault.h"

/* Faults that are told with a sentence; more than that nobody mends one by one. */
#define VERIFY_FAULTS_MAX      20
#define VERIFY_FAULT_BYTES_MAX 256

struct verify_options {
    struct sql *sql;                        /* a connection of its own, used for nothing else meanwhile */
    struct vault *vault;                    /* not attached */
    struct cl_keyring *keyring;             /* the directory that the operator has */
    const struct cl_directory_trust *trust; /* for directories in the database, which may be newer */
    const struct cl_clock *clock;
    FILE *progress; /* a line every two seconds */
};

struct verify_report {
    struct inventory inventory;                  /* texts in the arena handed in */
    uint64_t directory;                          /* number of the one that signatures were checked against */
    uint64_t messages, signatures, keys_unknown; /* keys_unknown: the directory does not hold the signer's key */
    uint64_t events, decisions, traces;
    uint64_t vaults, erased, values, documents;
    uint64_t fault_count;
    char faults[VERIFY_FAULTS_MAX][VERIFY_FAULT_BYTES_MAX]; /* the first ones */
};

/* MEMORY_LIMIT, and STORE_FAILED when the file cannot be read on; damage that SQLite finds is a fault. */
CL_MUST_CHECK struct cl_status verify_database(struct verify_report *out, struct cl_arena *arena,
                                               const struct verify_options *options);

/* For people and for programs: heads, counts and faults. `json` writes the members of an object, without its braces. */
void verify_tell(const struct verify_report *report, FILE *out);
void verify_tell_json(const struct verify_report *report, FILE *out);

#endif
