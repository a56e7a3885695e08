/* source.h - asks the verification authorities (公安, 民政, 住建, 人行 ...) over HTTP what they know of an application.
 *
 * An inquiry names the persons and the home once and lists questions: one item, of one person or of the whole case. All
 * questions of an inquiry are asked at once, each of the one authority that serves its item; when the last has its
 * answer, `answered` gets the inquiry back. An answer is missing only outside an authority's hours (OPEN, and the inquiry
 * says when to ask again); what the authorities do not settle becomes MANUAL, and a failure of the way never becomes
 * PASS.
 *
 * Owner: the caller makes the inquiry; a successful source_ask hands it over, `answered` hands it back, and then the
 * callee frees it. It holds personal values: source_inquiry_free wipes it.
 * Threads: source_ask and source_stats_read from any; everything else but the callback from one. `answered` runs on the
 * source's one thread (or on that of source_stop): it must not wait, may call source_ask, must not call source_stop.
 * Fails: CONFIG_INVALID, MEMORY_LIMIT, SYSTEM, OVERLOADED, SHUTTING_DOWN, FIELD_INVALID, as said below. */
#ifndef COLOAN_SERVER_SOURCE_SOURCE_H
#define COLOAN_SERVER_SOURCE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/clock.h"
#include "libcoloan/limits.h"
#include "libcoloan/status.h"

/* The items that an authority settles, with the numbers of coloan.v1.Item; the others are settled locally or by the
 * bank. Their facts have the catalogue's names; a PASS has all of them but those in brackets, a FAIL or MANUAL may have
 * them, too:
 *   IDENTITY              -
 *   MARRIAGE              status (1 single, 2 married, 3 divorced, 4 widowed)
 *   CHILDREN              minors
 *   CONTRIBUTION          months (continuous; back-paid ones do not count), base_fen, balance_fen, sealed
 *   LOAN_HISTORY          loans_used, loans_open (fund loans nationwide; the open ones are among the used)
 *   FRAUD_LIST            banned_until (yyyymmdd; 0 without a ban)
 *   CREDIT_FUND           overdue_now, overdue_consecutive, overdue_total (24 months), debts_fen (monthly), mortgages_open
 *   HOME_COUNT            homes
 *   HOME_CONTRACT         price_fen, area_centi_m2
 *   GREEN_BUILDING        stars, improved, trade_in, youth_voucher
 *   FACE, ID_DOCUMENT, MARRIAGE_PAIR, PROJECT   -
 *   CONTRIBUTION_OFFSITE  as CONTRIBUTION, and loans_used, loans_open, fraud
 *   COURT_LIST            listed, [case_no: a text]
 *   MORTGAGES             open, monthly_fen
 *   COMPLETION_FILING     filed_on (yyyymmdd; 0: not yet)
 *   SUPERVISION_ACCOUNT   account: a text
 *   PROPERTY_RIGHT        mortgaged, seized, disputed
 *   APPRAISAL             value_fen, valued_on (yyyymmdd)
 *   DOWN_PAYMENT          paid_fen
 *   EMPLOYER              active
 *   ACCOUNT               account_class (1..3)
 *   REGISTRATION          state (1 pending, 2 more material, 3 rejected, 4 cancelled, 5 done), when it is done
 *                         [mortgagee_match, amount_fen, registered_on, certificate_no: a text]
 * Flags are 0 or 1. FAIL, MISMATCH says: name and number do not belong together; the two are not married to each other;
 * contract not filed or with other buyers; permit not in force; the seller does not own the home; the payer is not of
 * the family; the account is somebody else's. What the numbers mean for the loan is the domain's to judge. */
enum source_item {
    SOURCE_IDENTITY = 2,
    SOURCE_MARRIAGE = 3,
    SOURCE_CHILDREN = 4,
    SOURCE_CONTRIBUTION = 5,
    SOURCE_LOAN_HISTORY = 6,
    SOURCE_FRAUD_LIST = 7,
    SOURCE_CREDIT_FUND = 8,
    SOURCE_HOME_COUNT = 10,
    SOURCE_HOME_CONTRACT = 11,
    SOURCE_GREEN_BUILDING = 12,
    SOURCE_FACE = 16,
    SOURCE_ID_DOCUMENT = 17,
    SOURCE_MARRIAGE_PAIR = 18,
    SOURCE_CONTRIBUTION_OFFSITE = 19,
    SOURCE_COURT_LIST = 20,
    SOURCE_MORTGAGES = 21,
    SOURCE_PROJECT = 22,
    SOURCE_COMPLETION_FILING = 23,
    SOURCE_SUPERVISION_ACCOUNT = 24,
    SOURCE_PROPERTY_RIGHT = 25,
    SOURCE_APPRAISAL = 26,
    SOURCE_DOWN_PAYMENT = 27,
    SOURCE_EMPLOYER = 28,
    SOURCE_ACCOUNT = 30,
    SOURCE_REGISTRATION = 31,
};

/* The numbers of coloan.v1.ItemOutcome. */
enum source_outcome {
    SOURCE_OPEN = 0,   /* not answered yet; when the inquiry comes back: its authority is closed, ask again later */
    SOURCE_PASS = 1,   /* answered; judging its numbers is the domain's */
    SOURCE_FAIL = 2,   /* contradicts what was declared, or there is nothing where something must be */
    SOURCE_MANUAL = 3, /* a person has to look */
};

/* The numbers of coloan.v1.FailureKind. The first four are answers and never asked again; the others are failures of
 * the way: asked again, then MANUAL. */
enum source_failure {
    SOURCE_FAILURE_NONE = 0,
    SOURCE_NOT_AUTHORISED = 1,
    SOURCE_NO_RECORD = 2,
    SOURCE_MISMATCH = 3,
    SOURCE_AMBIGUOUS = 4,
    SOURCE_STALE = 5,         /* observed longer ago than the answer would be valid */
    SOURCE_TIMEOUT = 6,       /* no whole answer in time */
    SOURCE_THROTTLED = 7,     /* HTTP 429 */
    SOURCE_CLOSED = 8,        /* HTTP 503 with the code SOURCE_CLOSED: outside the authority's hours */
    SOURCE_BAD_SIGNATURE = 9, /* the authority's certificate does not verify */
    SOURCE_PARSE = 10,        /* not an answer to the question */
    SOURCE_UNREACHABLE = 11,  /* no connection, HTTP 5xx, breaker open, nobody serves the item, stopped */
};

enum {
    SOURCE_ID_NUMBER_BYTES_MAX = 18,
    SOURCE_DISTRICT_BYTES_MAX = 6,
    SOURCE_UNIT_BYTES_MAX = 28,
    SOURCE_USCC_BYTES_MAX = 18,
    SOURCE_CENTRE_BYTES_MAX = 15,
    SOURCE_ACCOUNT_BYTES_MAX = 32,
    SOURCE_TOKEN_BYTES_MAX = 128,    /* of a face check */
    SOURCE_AUTHORITY_BYTES_MAX = 32, /* of an authority's name */
    SOURCE_FACTS_MAX = 8,            /* of one answer; the widest has seven */
    SOURCE_AUTHORITIES_MAX = 32,     /* a centre has some fifteen */
};

/* One checked fact. */
struct source_fact {
    const char *name;                 /* static */
    int64_t number;                   /* money in fen, counts, months, dates as yyyymmdd, flags as 0 or 1 */
    char text[CL_TEXT_BYTES_MAX + 1]; /* of a fact that is a text, else "" */
};

struct source_answer {
    enum source_outcome outcome;
    enum source_failure failure;
    char authority[SOURCE_AUTHORITY_BYTES_MAX + 1];
    char receipt[CL_TEXT_BYTES_MAX + 1]; /* the authority's number of its answer; empty after a failure of the way */
    int64_t observed_ms;                 /* said by the authority; after a failure of the way, when we gave up */
    int64_t valid_until_ms;              /* observed_ms + the question's valid_ms; 0 when that was 0 */
    struct source_fact facts[SOURCE_FACTS_MAX];
    size_t fact_count;
    unsigned attempts; /* requests sent for it */
};

struct source_inquiry;

struct source_question {
    enum source_item item;
    unsigned person;     /* index in the inquiry's persons; 0 for items of the whole case */
    int64_t valid_ms;    /* how long an answer may be used; 0: the caller sees to it */
    int phase;           /* the caller's: what the answer is needed for */
    unsigned reuse_days; /* calendar days in China, that of its observation the first, on which the answer may serve the
                            same question of another case; 0: never, and this one is not answered so either */
    struct source_answer answer;

    /* The source's own. */
    struct source_inquiry *inquiry;
    struct source_question *next;
    int64_t asked_at_ms, first_sent_at_ms;
    enum source_failure last_failure;
};

struct source_person {
    char name[CL_DISCLOSURE_VALUE_BYTES_MAX + 1];
    char id_number[SOURCE_ID_NUMBER_BYTES_MAX + 1];
    char credit_authorisation[CL_TEXT_BYTES_MAX + 1]; /* consent id of the credit query; needed for CREDIT_FUND only */
    char mobile[CL_TEXT_BYTES_MAX + 1];
    char employer_uscc[SOURCE_USCC_BYTES_MAX + 1];         /* from here on: "" or 0 when there is none */
    char contribution_centre[SOURCE_CENTRE_BYTES_MAX + 1]; /* who keeps the fund account */
    char face_token[SOURCE_TOKEN_BYTES_MAX + 1];
    int32_t id_valid_until; /* yyyymmdd */
    unsigned spouse;        /* 1 + index of the declared spouse; 0: none declared */
    bool buyer;             /* must be among the buyers of the filed contract */
    bool household;         /* whose homes and children count */
};

struct source_home {
    char contract_no[CL_TEXT_BYTES_MAX + 1];
    char district_code[SOURCE_DISTRICT_BYTES_MAX + 1];
    char unit_no[SOURCE_UNIT_BYTES_MAX + 1]; /* "" from here on when there is none (yet) */
    char permit_no[CL_TEXT_BYTES_MAX + 1];
    char registry_no[CL_TEXT_BYTES_MAX + 1]; /* application no. at the property register */
    char account[SOURCE_ACCOUNT_BYTES_MAX + 1];
};

struct source_inquiry {
    char application_id[CL_TEXT_BYTES_MAX + 1];
    void (*answered)(struct source_inquiry *inquiry);
    void *user;   /* the caller's, for `answered` */
    bool stopped; /* set with `answered`: the source stopped first, so some answers mean nothing; ask again later */
    int64_t
        ask_again_ms; /* set with `answered`: Unix ms at which the first closed authority opens; 0: nothing is open */
    struct source_home home;
    struct source_person persons[CL_PERSONS_MAX];
    size_t person_count;
    size_t open_count; /* the source's own: questions without an answer */
    size_t question_count, question_max;
    struct source_question questions[];
};

/* A zeroed inquiry with room for `question_max` questions, at most CL_ITEM_RESULTS_MAX. MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status source_inquiry_create(struct source_inquiry **out, size_t question_max);
void source_inquiry_free(struct source_inquiry *inquiry); /* wipes; NULL is fine */

/* Copies a text into one of the arrays above: source_text(p->name, sizeof p->name, value, len). FIELD_INVALID, and an
 * empty text, when it does not fit or holds a NUL. */
CL_MUST_CHECK struct cl_status source_text(char *out, size_t out_size, const void *value, size_t len);

/* Adds a question. FIELD_INVALID for an item no authority settles, a person that is not there, or no room. */
CL_MUST_CHECK struct cl_status source_inquiry_add(struct source_inquiry *inquiry, enum source_item item,
                                                  unsigned person, int64_t valid_ms);

/* One bit of source_authority_options.items. */
#define SOURCE_ITEM_BIT(item) (UINT64_C(1) << (unsigned)(item))

struct source_item_mapping; /* mapping.h */

/* Days of the week and hours of the day, in China; all zero: always. See hours.h. */
struct source_hours {
    int opens_minute, closes_minute; /* of the day; opening after closing: closes on the next day */
    unsigned days;                   /* bit 0 is Monday: the day on which it opens */
};

/* All zero numbers mean the default. */
struct source_authority_options {
    const char *name;         /* "civil-affairs": 1..32 of a-z, 0-9, '-' */
    const char *base_url;     /* http:// or https://, without a trailing slash, user, query or fragment */
    const char *bearer_token; /* NULL: none */
    const char *ca_file;      /* for https; NULL: the machine's */
    const char *client_certificate, *client_key; /* PEM files for mutual TLS, both or none (NULL) */
    struct source_hours hours;                   /* outside them it is not asked */
    int64_t closed_wait_ms; /* a question whose authority opens later than that goes to an officer; 72 hours */
    bool cache;             /* answers may serve other cases, as far as their questions allow */
    uint64_t items;         /* SOURCE_ITEM_BIT of each item it serves */
    const struct source_item_mapping *mappings; /* how it calls the things of an item; none: as wording.h says */
    size_t mapping_count;
    int64_t timeout_ms;        /* of one attempt; 2,000 */
    unsigned attempts;         /* 1..10; 3 */
    int64_t retry_ms;          /* pause before its second attempt; 0: the source's */
    unsigned in_flight_max;    /* questions being asked of it at a time, 1..256; 32. A slow authority holds up only its
                                  own questions */
    unsigned breaker_failures; /* failures of the way in a row after which it is left alone; 5 */
    int64_t breaker_open_ms;   /* how long, before one probe; 1,000 */
};

struct source_options {
    const struct source_authority_options *authorities;
    size_t authority_count; /* 1..SOURCE_AUTHORITIES_MAX; each item is served by at most one */
    unsigned in_flight_max; /* requests on the way in total, 1..1024; what the authorities take together */
    size_t inquiries_max;   /* accepted and not answered; 1,024. More is OVERLOADED */
    int64_t deadline_ms;    /* of one question, from its first request; 5,000. While a breaker is open, questions
                               that were never sent give up after the same time */
    int64_t wait_ms_max;    /* of one question for its first request; 30,000 */
    int64_t retry_ms;       /* pause before the second attempt, doubled for each further, halved to whole by chance;
                               100 */
    const struct cl_clock *clock; /* NULL: the machine's */
    /* Fills `out` with random bytes: request ids and the chance in pauses. NULL: the machine's. */
    void (*random)(void *user, void *out, size_t len);
    void *random_user;
};

struct source;

/* Copies the options, but for the texts of mappings, which outlive the source. CONFIG_INVALID when one is out of range or
 * not a URL, or an item is served twice. */
CL_MUST_CHECK struct cl_status source_create(struct source **out, const struct source_options *options);
CL_MUST_CHECK struct cl_status source_start(struct source *source); /* SYSTEM without a thread */

/* Breaks off what is on the way; every accepted inquiry is handed back before this returns, the unfinished ones with
 * `stopped` set and MANUAL, UNREACHABLE in place of the missing answers. Once; fine before source_start, too. */
void source_stop(struct source *source);
void source_free(struct source *source); /* stopped before, or never started; NULL is fine */

/* Takes the inquiry. OVERLOADED past inquiries_max, SHUTTING_DOWN after source_stop, FIELD_INVALID without a question
 * or a callback; the caller still owns it then. A question whose item needs a value that the inquiry lacks is not sent:
 * MANUAL, AMBIGUOUS. */
CL_MUST_CHECK struct cl_status source_ask(struct source *source, struct source_inquiry *inquiry);

/* What became of an authority's questions since the start. */
struct source_stats {
    const char *authority; /* borrowed from the source */
    uint64_t requests;     /* sent, retries among them */
    uint64_t retries;
    uint64_t passed, failed, manual; /* answers given */
    uint64_t failures_of_the_way;    /* of requests */
    uint64_t breaker_opened;
    uint64_t closed; /* questions that came outside its hours */
    uint64_t reused; /* answers that another case had got; they are not among the requests */
    bool breaker_open;
};

/* Of the authority at that index of the options; false past the end. */
bool source_stats_read(struct source_stats *out, struct source *source, size_t index);

#endif
