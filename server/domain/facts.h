/* facts.h - from settled items to typed facts that the rules read.
 *
 * What an item says is kept apart from whether it may be used: a rule looks at `answer` first, and only ANSWER_YES lets
 * it go on. The values of an answer that passed but is out of date are there too, for what was decided while it was in
 * force. No record is never a yes; a source that failed is never a no.
 *
 * Values only; any thread. */
#ifndef COLOAN_SERVER_DOMAIN_FACTS_H
#define COLOAN_SERVER_DOMAIN_FACTS_H

#include "server/domain/catalogue.h"

/* A fact as an item carries it, by its catalogue name. */
struct item_fact {
    const char *name;
    int64_t number;
    const char *text; /* of a FACT_TEXT, borrowed; NULL or "" for the others */
};

struct item_result {
    struct item_key key;
    enum item_outcome outcome;
    enum failure_kind failure;
    int64_t observed_ms;
    int64_t valid_until_ms; /* 0: as the catalogue says */
    struct item_fact facts[ITEM_FACTS_MAX];
    size_t fact_count;
};

enum answer {
    ANSWER_UNUSED = 0, /* the item does not apply to this application */
    ANSWER_OPEN,       /* no result yet */
    ANSWER_YES,        /* passed, with every required fact in range, and not out of date */
    ANSWER_NO,         /* a definite no: mismatch, not found out true */
    ANSWER_NO_RECORD,  /* the authority knows nothing of it */
    ANSWER_REFUSED,    /* the authority was not authorised to answer */
    ANSWER_MANUAL,     /* a person has to look */
    ANSWER_TECHNICAL,  /* the source failed, the answer is unreadable, incomplete or out of date */
};

struct person_facts {
    enum answer answer[ITEM_COUNT]; /* of the items per person */
    enum marital_status marital_status;
    int32_t contribution_months;
    int64_t contribution_base_fen;
    int64_t contribution_balance_fen;
    bool contribution_sealed;
    int32_t fund_loans_used; /* settled and unsettled */
    int32_t fund_loans_open;
    int32_t banned_until; /* yyyymmdd; 0: no ban */
    bool overdue_now;
    int32_t overdue_consecutive; /* within the rule set's window */
    int32_t overdue_total;
    int64_t debts_fen; /* monthly payments on all running debts */
    int32_t mortgages_open;
    int32_t retirement_months; /* statutory retirement age */
    bool offsite_fraud;        /* flagged by the other centre that keeps the account */
    bool court_listed;
    bool employer_active;
};

/* What the registry says; of a registration that is not done only the state counts. */
struct registration_facts {
    enum registration_state state;
    bool complete; /* done, with everything below */
    bool mortgagee_match;
    int64_t amount_fen;
    int32_t registered_on;      /* yyyymmdd */
    const char *certificate_no; /* borrowed; "" if none */
};

struct case_facts {
    struct person_facts persons[CL_PERSONS_MAX];
    enum answer answer[ITEM_COUNT]; /* of the items per case */
    int32_t minors;
    int32_t homes;
    int64_t contract_price_fen;
    int32_t contract_area_centi_m2;
    int32_t green_stars;
    bool improved_home;
    bool trade_in;
    bool youth_voucher;
    int64_t income_fen;     /* monthly, of the household */
    int32_t mortgages_open; /* of the household, as the banks say */
    int64_t appraisal_fen;  /* 0: not asked or not known */
    bool mortgaged, seized, disputed;
    int64_t unit_price_fen; /* of a square metre */
    bool price_doubtful;
    int32_t account_class; /* 1..3; 0: not known */
    /* Of the phase DISBURSEMENT. */
    int32_t completion_filed_on;     /* yyyymmdd; 0: not yet */
    const char *supervision_account; /* borrowed; NULL: not known */
    int64_t down_paid_fen;
    /* Of the phase REGISTRATION. */
    struct registration_facts registration;
};

/* Whether a result may be taken in: an item that applies to the application, an outcome and a failure kind that go
 * together, facts of the catalogue, each once and in range, all required ones with a PASS. FIELD_INVALID,
 * FIELD_MISSING; `path_out` (may be NULL) says where within the result, e.g. "facts[2].number". */
CL_MUST_CHECK struct cl_status item_result_check(struct field_path *path_out, const struct application *application,
                                                 const struct item_result *result);

/* Reads the results of the phase DECISION as they stand at `now_ms`. Never fails: whatever is missing, doubtful or out of
 * date becomes an answer that is not a yes. Of several results for one item the last counts. Texts are borrowed from the
 * results. */
void facts_read(struct case_facts *out, const struct application *application, const struct item_result *results,
                size_t result_count, int64_t now_ms);

/* The same of another phase: items that are not of it are ANSWER_UNUSED. */
void facts_read_phase(struct case_facts *out, const struct application *application, enum item_phase phase,
                      const struct item_result *results, size_t result_count, int64_t now_ms);

/* What the loan is measured by: the contract price, of a second-hand home min(contract, appraisal). The appraiser's value
 * counts when it was asked for, the declared one otherwise. */
int64_t facts_price_base_fen(const struct application *application, const struct case_facts *facts);

/* What a result that was taken in says at `now_ms`. */
enum answer facts_answer(const struct item_result *result, int64_t now_ms);

/* Settles one of the LOCAL items: ID_NUMBER (an application that passed intake has none that is not well-formed),
 * RETIREMENT, CONSENT and PRICE_SANITY. `key` is one of them and applies; the persons are identified. */
void item_settle_locally(struct item_result *out, const struct application *application, const char *centre,
                         struct item_key key, int64_t now_ms);

#endif
