/* ruleset.h - the numbers of one rule set: what a policy sets, with the dates between which it holds.
 *
 * The logic of the rules is code; every number they use is a field here. A file rules/<id>.yaml is one rule set: a flat
 * mapping of the names in rule_fields (each once, nothing else), plus the list `rates`:
 *
 *     id: REF-NJ-2026-11              # text
 *     effective_from: 20261101        # date, yyyymmdd
 *     cap_single_fen: 80000000        # whole number
 *     equal_term: true                # true or false
 *     rates:                          # 1 to RULE_RATES_MAX mappings of exactly loan, months_max, ppm
 *       - {loan: 1, months_max: 60, ppm: 21000}
 *
 * A field that came later than the first files is optional: left out, it has the value that keeps what held before there
 * was such a field, so an old file means what it always meant. All others have to stand there. A set ends the day before
 * the next one begins (rules.h); an old file is never edited for that, and keeps its digest.
 *
 * The reader starts from rule_set_init, walks rule_fields and rule_rate_fields, puts each value with rule_put_number or rule_put_text, sets
 * `digest` to the SHA-256 of the file's bytes, and then calls rule_set_validate.
 *
 * Values only: no ownership, any thread. Fails: FIELD_INVALID and CONFIG_INVALID, for the file's author to mend. */
#ifndef COLOAN_SERVER_DOMAIN_RULESET_H
#define COLOAN_SERVER_DOMAIN_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/bytes.h"
#include "libcoloan/limits.h"
#include "libcoloan/status.h"

#define RULE_RATES_MAX 16 /* loan counts times term tiers; the reference has four rows */

/* The yearly rate of a fund loan: the row with the fund loan's number (the last number's rows serve all later ones) and
 * the smallest months_max that holds the term. */
struct rule_rate {
    int32_t loan;       /* 1: the first fund loan */
    int32_t months_max; /* up to and with this term */
    int32_t ppm;
};

/* Field by field documented in ruleset.c, next to its bounds. */
struct rule_set {
    char id[CL_TEXT_BYTES_MAX + 1];
    struct cl_digest digest; /* of the file's bytes; not a field of the file */
    int32_t effective_from;
    int32_t effective_until; /* the policy's own last day; 0: until another set follows */

    int64_t cap_single_fen;
    int64_t cap_household_fen;
    int32_t uplift_ppm;
    int64_t cap_single_stacked_fen;
    int64_t cap_household_stacked_fen;
    int64_t cap_single_second_fen;
    int64_t cap_household_second_fen;
    int32_t uplift_minors_min;
    int32_t uplift_green_stars_min;
    int32_t voucher_multiple;
    int64_t round_to_fen;

    int32_t fund_down_payment_ppm;
    int32_t down_payment_first_ppm;
    int32_t down_payment_second_ppm;
    int32_t balance_multiple;
    int64_t balance_floor_fen;
    int32_t fund_pti_ppm;
    int32_t joint_housing_ppm;
    int32_t joint_debt_ppm;

    bool co_borrowers_allowed;
    int32_t co_borrower_months_min;
    int64_t co_borrower_cap_fen;
    int64_t co_borrower_cap_stacked_fen;
    bool co_borrower_loans_count;

    int32_t contribution_months_min;
    bool offsite_contributors;
    int32_t fund_loans_max;
    bool fund_count_settled;
    int32_t homes_owned_max;
    int32_t mortgages_open_max;
    int32_t credit_window_months;
    int32_t credit_consecutive_max;
    int32_t credit_total_max;

    int32_t age_months_min;
    int32_t retirement_extra_months;
    int32_t commercial_age_months_max;
    int32_t term_months_max_fund;
    int32_t term_months_max_commercial;
    int32_t term_step_months;
    bool equal_term;
    int32_t building_age_months_max;

    struct rule_rate rates[RULE_RATES_MAX];
    size_t rate_count;
    bool second_by_loans;
    bool second_by_homes;
    int32_t commercial_rate_first_ppm;
    int32_t commercial_rate_second_ppm;
    int32_t commercial_rate_ppm_min;
    int32_t commercial_rate_ppm_max;

    int32_t offer_valid_days;
    int32_t offer_versions_max;
    int32_t supplement_days;
    int32_t bank_changes_max;
    bool in_flight_choice;

    int32_t presale_hold_from;
    bool presale_hold_fund;

    int32_t subsidy_from;
    int32_t subsidy_until;
    int32_t subsidy_area_centi_m2_max;
    int64_t subsidy_price_fen_max;
    int64_t subsidy_principal_fen_max;
};

enum rule_type {
    RULE_TEXT, /* char[size] with its NUL */
    RULE_BOOL, /* 0 or 1 */
    RULE_INT32,
    RULE_INT64,
    RULE_DATE,         /* int32_t yyyymmdd */
    RULE_DATE_OR_NONE, /* the same, or 0 */
};

/* One field of a struct rule_set or rule_rate. */
struct rule_field {
    const char *name;
    enum rule_type type;
    size_t offset;
    size_t size;
    int64_t min; /* of numbers */
    int64_t max;
    const char *unit; /* "fen", "ppm", "months", ... or "" */
    const char *doc;  /* one sentence */
    const char *zh;   /* what it is, in a few words */
    bool optional;
    int64_t absent; /* of an optional number: what it is when left out */
};

/* All zero but the optional fields, which have what they are when left out. */
void rule_set_init(struct rule_set *out);

/* Row `index`, or NULL past the end. */
const struct rule_field *rule_field_at(unsigned index);
const struct rule_field *rule_rate_field_at(unsigned index);

/* The row of that name, or NULL. */
const struct rule_field *rule_field_find(const char *name);
const struct rule_field *rule_rate_field_find(const char *name);

/* Puts a value into `record`, a struct rule_set for the rows of rule_field_at or a struct rule_rate for those of
 * rule_rate_field_at. FIELD_INVALID when it is out of the row's bounds, no date, too long, or of the other kind. */
CL_MUST_CHECK struct cl_status rule_put_number(void *record, const struct rule_field *field, int64_t value);
CL_MUST_CHECK struct cl_status rule_put_text(void *record, const struct rule_field *field, const char *value);

/* The number in `record`; 0 for a text. */
int64_t rule_number(const void *record, const struct rule_field *field);

/* Every field in its bounds and all of them consistent with each other (stacked caps above caps, rates for every term,
 * dates in order). CONFIG_INVALID with the name of the first wrong field in `field_out`, which may be NULL. */
CL_MUST_CHECK struct cl_status rule_set_validate(const struct rule_set *rules, const char **field_out);

/* The yearly rate of the `loan`-th fund loan (from 1) over `term_months`. The rules are valid, the term at most their
 * longest. */
int32_t rule_fund_rate_ppm(const struct rule_set *rules, int32_t loan, int32_t term_months);

/* Whether a leg of a loan for a home sold before completion waits for the completion filing (竣工备案): for cases
 * accepted (`accepted_date`, yyyymmdd) on the rule's first day or later. The fund's own leg only where the centre says
 * so. */
bool rule_holds_presale(const struct rule_set *rules, bool presale, bool fund_leg, int32_t accepted_date);

#endif
