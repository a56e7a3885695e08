/* application.h - an application as the rules see it, and the checks at intake.
 *
 * Plain values; texts are borrowed from whoever decoded the message. Names, ID numbers and mobile numbers are here only
 * while a submission is checked; a decision reads birth date and sex instead. The enums have the numbers of their
 * counterparts in coloan/v1/application.proto.
 *
 * Any thread. Fails: with the reason named at each function, and the path of the field to mend. */
#ifndef COLOAN_SERVER_DOMAIN_APPLICATION_H
#define COLOAN_SERVER_DOMAIN_APPLICATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/annuity.h"
#include "libcoloan/bytes.h"
#include "libcoloan/identifiers.h"
#include "libcoloan/limits.h"
#include "libcoloan/status.h"

#define APPLICATION_TERM_MONTHS_MIN    12 /* the shortest housing loan */
#define APPLICATION_AMOUNT_FEN_MAX     CL_PRINCIPAL_FEN_MAX
#define APPLICATION_AREA_CENTI_M2_MAX  10000000 /* 100,000 m2: a number, not a home */
#define APPLICATION_TEXT_BYTES_MAX     128      /* of a name or an address line, in bytes */
#define APPLICATION_ACCOUNT_DIGITS_MIN 8
#define APPLICATION_ACCOUNT_DIGITS_MAX 32
#define APPLICATION_CENTRE_DIGITS      15       /* JGJ/T 320: code of a fund centre */
#define APPLICATION_ID_LONG_TERM       99991231 /* the last day of an ID document that has none */

enum person_role {
    PERSON_UNSPECIFIED = 0,
    PERSON_BORROWER = 1,
    PERSON_SPOUSE = 2,
    PERSON_CO_BORROWER = 3,
};

enum marital_status {
    MARITAL_UNSPECIFIED = 0,
    MARITAL_SINGLE = 1,
    MARITAL_MARRIED = 2,
    MARITAL_DIVORCED = 3,
    MARITAL_WIDOWED = 4,
};

enum staff_category {
    STAFF_UNSPECIFIED = 0,
    STAFF_WORKER = 1,
    STAFF_CADRE = 2,
};

struct person {
    enum person_role role;
    enum marital_status declared_marital_status;
    bool contributes;
    enum staff_category staff_category;
    const char *employer_uscc;       /* these four: "" or 0 when not given */
    const char *contribution_centre; /* where the fund account is, when it is not here */
    int32_t id_valid_until;          /* yyyymmdd, or APPLICATION_ID_LONG_TERM */
    const char *face_token;
    int32_t birth_date; /* yyyymmdd; person_identify sets it and the sex */
    enum cl_sex sex;
    const char *name; /* these three at intake only, NULL later */
    const char *id_number;
    const char *mobile;
};

enum home_kind {
    HOME_UNSPECIFIED = 0,
    HOME_NEW = 1,
    HOME_SECOND_HAND = 2,
};

struct home {
    enum home_kind kind;
    bool presale;
    const char *contract_no;
    const char *unit_no; /* "" if not yet given */
    const char *district_code;
    int64_t price_fen;
    int64_t appraisal_fen; /* 0: none */
    int32_t area_centi_m2;
    const char *seller_uscc; /* "" when a person sells */
    int32_t built_year;      /* 0: unknown */
    const char *permit_no;   /* of the pre-sale; "" if not given */
};

struct loan_request {
    int64_t total_fen; /* 0: as much as the rules allow */
    int64_t fund_fen;  /* 0: as much as the rules allow */
    int32_t term_months;
    enum cl_repayment method;
    bool accept_fund_only;
};

enum consent_purpose {
    CONSENT_UNSPECIFIED = 0,
    CONSENT_VERIFY = 1,
    CONSENT_CREDIT_REPORT = 2,
    CONSENT_SHARE = 3,
};

struct consent {
    const char *consent_id;
    unsigned person;
    enum consent_purpose purpose;
    const char *receiver;
    int64_t until_ms;
    struct cl_bytes document_sha256;
};

struct document {
    const char *kind;
    struct cl_bytes sha256;
    int64_t size_bytes;
};

struct application {
    const char *external_ref;
    const char *bank;
    struct person persons[CL_PERSONS_MAX];
    size_t person_count;
    struct home home;
    struct loan_request request;
    struct consent consents[CL_CONSENTS_MAX];
    size_t consent_count;
    struct document documents[CL_DOCUMENTS_MAX];
    size_t document_count;
    bool has_account;      /* the borrower's repayment account is committed to */
    const char *account;   /* its number: at intake and when an authority is asked, NULL otherwise */
    uint64_t items_unused; /* items that the centre left out when the case was opened; bits of enum item */
};

/* The path of a field as the wire names it, e.g. "persons[1].id_number"; "" when no single field is to blame. */
struct field_path {
    char text[64];
};

struct intake {
    const char *centre; /* party id of this centre */
    int64_t now_ms;
    bool accept_synthetic_ids;
};

/* Fills birth date and sex from an ID number. ID_NUMBER_INVALID. */
CL_MUST_CHECK struct cl_status person_identify(struct person *person, const char *id_number, bool accept_synthetic_ids);

/* Everything that can be said of a submission without asking anybody; fills every person's birth date and sex.
 * FIELD_MISSING, FIELD_INVALID, ENUM_UNKNOWN, ID_NUMBER_INVALID, USCC_INVALID, UNIT_NUMBER_INVALID, AMOUNT_INVALID,
 * TERM_INVALID, PERSONS_INVALID, CONSENT_MISSING, CONSENT_INVALID; then `path_out` (may be NULL) says where. The first
 * failure in the order of the message counts. */
CL_MUST_CHECK struct cl_status intake_check(struct field_path *path_out, struct application *application,
                                            const struct intake *intake);

/* The consents that a change of bank brings, in application->consents; application->bank is the new bank. Each names it,
 * and every person lets it query the credit report and see what was verified. CONSENT_INVALID, CONSENT_MISSING,
 * FIELD_MISSING, FIELD_INVALID, ENUM_UNKNOWN with the path. */
CL_MUST_CHECK struct cl_status bank_consents_check(struct field_path *path_out, const struct application *application,
                                                   const struct intake *intake);

/* Whether every consent that intake asks for is still in force: for the item CONSENT, at any later moment. */
bool consents_in_force(const struct application *application, const char *centre, int64_t now_ms);

/* min(contract price, appraisal) of a second-hand home, else the contract price. */
int64_t home_price_base_fen(const struct home *home);

#endif
