/* kit.h - a centre's cases without a server: a real store, vault and keys, a clock that stands still until it is moved,
 * and cases that are put wherever a test wants them.
 *
 * A case has a real submission with a couple, an offer of two parts, and whatever was reported before; no items. One
 * thread. Fails the test on failure. */
#ifndef COLOAN_TESTS_CASES_KIT_H
#define COLOAN_TESTS_CASES_KIT_H

#include "server/cases/file.h"
#include "tests/support/signing.h"
#include "tests/support/store_fixture.h"

#define KIT_MINUTE_MS (INT64_C(60) * 1000)
#define KIT_DAY_MS    (24 * 60 * KIT_MINUTE_MS)
#define KIT_BANK      SIGNING_ALPHA
#define KIT_OTHER     SIGNING_BETA
#define KIT_FUND_FEN  INT64_C(80000000)
#define KIT_BANK_FEN  INT64_C(120000000)
#define KIT_START_MS  SIGNING_NOW_MS
#define KIT_OFFER_MS  (90 * KIT_DAY_MS)

struct kit {
    struct signing signing;
    struct cl_arena *arena; /* empty again with each kit_stand */
    struct store_fixture *fixture;
    struct vault *vault;
    struct rule_set rules;
    struct centre centre;
    struct cases cases;
    int64_t now_ms;
    unsigned messages; /* numbers used */
    bool presale;      /* what is put is a home that is not built yet */
};

extern struct kit kit;

/* Once in a program; not 0 on failure. */
int kit_open(void);
void kit_close(void);

/* For each test, as cmocka has it. */
int kit_set_up(void **state);
int kit_tear_down(void **state);

/* Where a case stands. */
struct kit_place {
    enum case_state state;
    enum fund_track fund;
    enum bank_track bank;
    enum registry_track registry;
    struct case_checks checks;
    unsigned fits; /* the test's own */
};

struct case_tracks kit_tracks(const struct kit_place *place);

/* The case `number`, as if it had come to that place; its id, static. */
const char *kit_stand(unsigned number, const struct kit_place *place);

/* A message of the log, to refer to. */
struct cl_digest kit_message(struct store_tx *tx);

/* As it is in the database. */
struct application_row kit_row(const char *id);
int64_t kit_due(const char *id, int kind);

#endif
