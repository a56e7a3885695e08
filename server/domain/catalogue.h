/* catalogue.h - the verification items (审批要件) as one table: who answers, for whom, how long it holds, who sees it.
 *
 * Static rows: no ownership, any thread. The enums have the numbers of coloan/v1/verification.proto. */
#ifndef COLOAN_SERVER_DOMAIN_CATALOGUE_H
#define COLOAN_SERVER_DOMAIN_CATALOGUE_H

#include "server/domain/application.h"

/* Every authority may be left out of a centre's configuration but those of items that are `needed`; an item left out
 * (application.items_unused) applies to no application. */

enum item {
    ITEM_NONE = 0,
    ITEM_ID_NUMBER = 1,
    ITEM_IDENTITY = 2,
    ITEM_MARRIAGE = 3,
    ITEM_CHILDREN = 4,
    ITEM_CONTRIBUTION = 5,
    ITEM_LOAN_HISTORY = 6,
    ITEM_FRAUD_LIST = 7,
    ITEM_CREDIT_FUND = 8,
    ITEM_CREDIT_BANK = 9,
    ITEM_HOME_COUNT = 10,
    ITEM_HOME_CONTRACT = 11,
    ITEM_GREEN_BUILDING = 12,
    ITEM_INCOME = 13,
    ITEM_RETIREMENT = 14,
    ITEM_CONSENT = 15,
    ITEM_FACE = 16,
    ITEM_ID_DOCUMENT = 17,
    ITEM_MARRIAGE_PAIR = 18,
    ITEM_CONTRIBUTION_OFFSITE = 19,
    ITEM_COURT_LIST = 20,
    ITEM_MORTGAGES = 21,
    ITEM_PROJECT = 22,
    ITEM_COMPLETION_FILING = 23,
    ITEM_SUPERVISION_ACCOUNT = 24,
    ITEM_PROPERTY_RIGHT = 25,
    ITEM_APPRAISAL = 26,
    ITEM_DOWN_PAYMENT = 27,
    ITEM_EMPLOYER = 28,
    ITEM_PRICE_SANITY = 29,
    ITEM_ACCOUNT = 30,
    ITEM_REGISTRATION = 31,
    ITEM_COUNT, /* one past the last */
};

/* One bit of a set of items. */
#define ITEM_BIT(item) (UINT64_C(1) << (unsigned)(item))

/* What a result is needed for. */
enum item_phase {
    PHASE_NONE = 0,
    PHASE_DECISION = 1,     /* the fund's decision */
    PHASE_DISBURSEMENT = 2, /* checked (again) before the money is paid */
    PHASE_REGISTRATION = 3, /* polled at the registry after signing */
    PHASE_COUNT,
};

#define PHASE_BIT(phase) (1U << (unsigned)(phase))

/* What the registry says of a registration: the fact "state" of REGISTRATION. */
enum registration_state {
    REGISTRATION_NONE = 0,
    REGISTRATION_PENDING = 1,
    REGISTRATION_NEED_MORE_MATERIAL = 2,
    REGISTRATION_REJECTED = 3,
    REGISTRATION_CANCELLED = 4,
    REGISTRATION_DONE = 5,
};

enum item_outcome {
    ITEM_OPEN = 0, /* not settled */
    ITEM_PASS = 1, /* answered; the facts count */
    ITEM_FAIL = 2,
    ITEM_MANUAL = 3,
};

enum failure_kind {
    FAILURE_NONE = 0,
    FAILURE_NOT_AUTHORISED = 1,
    FAILURE_NO_RECORD = 2,
    FAILURE_MISMATCH = 3,
    FAILURE_AMBIGUOUS = 4,
    FAILURE_STALE = 5,
    FAILURE_TIMEOUT = 6,
    FAILURE_THROTTLED = 7,
    FAILURE_SOURCE_CLOSED = 8,
    FAILURE_BAD_SIGNATURE = 9,
    FAILURE_PARSE = 10,
    FAILURE_UNREACHABLE = 11,
    FAILURE_KIND_COUNT,
};

/* Who settles an item by machine. */
enum item_owner {
    OWNER_LOCAL = 1, /* the centre, without asking anybody */
    OWNER_FUND = 2,  /* an authority the centre asks */
    OWNER_BANK = 3,  /* the bank reports it */
};

enum item_view {
    VIEW_NONE = 0,
    VIEW_VERDICT = 1, /* the outcome without facts */
    VIEW_VALUE = 2,
};

#define ITEM_FACTS_MAX 8 /* of one item; the widest has seven */

enum item_fact_kind {
    FACT_NUMBER = 0,
    FACT_DATE, /* yyyymmdd of the calendar, or 0: none */
    FACT_TEXT, /* min..max bytes; the number is 0 */
};

struct item_fact_row {
    const char *name; /* NULL ends the list */
    int64_t min;
    int64_t max;
    bool required; /* in a PASS */
    enum item_fact_kind kind;
};

/* Whether an answer may serve another case that asks the same question. */
enum item_reuse {
    REUSE_NEVER = 0,
    REUSE_SAME_DAY, /* the day in China on which it was observed */
    REUSE_VALID,    /* as long as it is valid */
};

struct catalogue_row {
    enum item item;
    const char *name; /* "CONTRIBUTION", as in coloan.v1.Item without its prefix */
    const char *title_en;
    const char *title_zh;
    const char *authority; /* "civil-affairs"; "centre" and "bank" for LOCAL and BANK */
    enum item_owner owner;
    bool per_person;
    bool (*applies)(const struct application *application, unsigned person);
    bool needed;        /* no decision without it: a centre cannot leave it out */
    unsigned phases;    /* of PHASE_BIT */
    int32_t valid_days; /* how long an answer may be used, in days after that of the observation; 0: that day only */
    enum item_reuse reuse;
    enum item_view fund_view;
    enum item_view bank_view;
    enum item_view borrower_view; /* of the borrower's own items and those of the whole case: what a channel may see */
    struct item_fact_row facts[ITEM_FACTS_MAX];
};

/* One item to settle; `person` is 0 for items of the whole case. */
struct item_key {
    enum item item;
    unsigned person;
};

/* The row of an item, or NULL for a number without one. */
const struct catalogue_row *catalogue_row(enum item item);

/* The row of a name ("CONTRIBUTION"), or NULL. */
const struct catalogue_row *catalogue_find(const char *name);

/* The fact of that name, or NULL. */
const struct item_fact_row *catalogue_fact(const struct catalogue_row *row, const char *name);

/* Writes the items that this application has to settle in that phase, in catalogue order and persons in theirs; returns
 * how many. `out` has room for CL_ITEM_RESULTS_MAX. */
size_t catalogue_items_for(struct item_key *out, const struct application *application, enum item_phase phase);

/* Whether the item (and person) is one of these, in whichever phase. */
bool catalogue_applies(const struct application *application, struct item_key key);

/* Until when an answer observed then may be used: the end of a day in China. A moment outside the calendar, which
 * item_result_check refuses, holds for no time. */
int64_t catalogue_valid_until_ms(const struct catalogue_row *row, int64_t observed_ms);

/* Whose column of the catalogue counts. */
enum item_reader {
    READER_FUND = 1,
    READER_BANK,
    READER_BORROWER, /* a channel stands for the borrower */
};

/* What that reader may see of the item of that person: nothing, the outcome, or its facts, too. The borrower sees the
 * facts of the own items and those of the whole case, of another person's the outcome. */
enum item_view catalogue_view(const struct catalogue_row *row, enum item_reader reader, unsigned person);

/* A failure of the way, not an answer: retried, then handed to an officer. The other kinds are answers. */
bool failure_is_technical(enum failure_kind kind);

#endif
