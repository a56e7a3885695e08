/* base.h - what all simulations of a process have in common and none changes: people, rules, keys, the master key's file.
 *
 * Owner: whoever opened it. One thread. Aborts on failure: it is not what is tested. */
#ifndef COLOAN_TESTS_SIM_BASE_H
#define COLOAN_TESTS_SIM_BASE_H

#include "libcoloan/keyring.h"
#include "libcoloan/signer.h"
#include "sandbox/people.h"
#include "server/domain/ruleset.h"
#include "tests/sim/dice.h"
#include "tests/support/power_disk.h"

/* A Monday morning in China, at which every simulation begins. */
#define BASE_START_MS    INT64_C(1795395600000)
#define BASE_DAY_MS      INT64_C(86400000)
#define BASE_ENVIRONMENT "test"
#define BASE_LATER_RULES "SIM-LATER" /* in force from the second day on; cases in flight may choose them */

enum role {
    ROLE_DIRECTORY, /* the centre's key for its key directory; nobody who acts */
    ROLE_CENTRE,
    ROLE_CHANNEL,
    ROLE_OFFICER,
    ROLE_ALPHA, /* the banks come last */
    ROLE_BETA,
    ROLE_GAMMA,
    ROLE_COUNT,
};
enum { ROLE_BANK_COUNT = ROLE_COUNT - ROLE_ALPHA };

enum { BASE_RULE_SETS = 2 };

struct base {
    struct people *people;
    struct rule_set rules[BASE_RULE_SETS];
    struct cl_signer *signers[ROLE_COUNT];
    struct cl_keyring *keyring;
    char folder[64];
    char master_key[80], database[80]; /* files in it; what the database holds is on the disk in memory */
    struct power_disk *disk;           /* with an empty database; every simulation begins with a copy */
};

/* Whose chance libsodium has from now on is `chance`, which outlives the process's simulations; SQLite works on the disk of
 * power_vfs.h. Once, before anything else. */
void base_open(struct base *out, struct dice *chance);
void base_close(struct base *base);

const char *base_party(enum role role);

#endif
