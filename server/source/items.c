#include "server/source/items.h"

#include <assert.h>
#include <coloan/v1/verification.pb-c.h>
#include <string.h>

#define SAME(own, generated) _Static_assert((int)(own) == (int)(generated), "numbers of verification.proto")
SAME(SOURCE_IDENTITY, COLOAN__V1__ITEM__ITEM_IDENTITY);
SAME(SOURCE_MARRIAGE, COLOAN__V1__ITEM__ITEM_MARRIAGE);
SAME(SOURCE_CHILDREN, COLOAN__V1__ITEM__ITEM_CHILDREN);
SAME(SOURCE_CONTRIBUTION, COLOAN__V1__ITEM__ITEM_CONTRIBUTION);
SAME(SOURCE_LOAN_HISTORY, COLOAN__V1__ITEM__ITEM_LOAN_HISTORY);
SAME(SOURCE_FRAUD_LIST, COLOAN__V1__ITEM__ITEM_FRAUD_LIST);
SAME(SOURCE_CREDIT_FUND, COLOAN__V1__ITEM__ITEM_CREDIT_FUND);
SAME(SOURCE_HOME_COUNT, COLOAN__V1__ITEM__ITEM_HOME_COUNT);
SAME(SOURCE_HOME_CONTRACT, COLOAN__V1__ITEM__ITEM_HOME_CONTRACT);
SAME(SOURCE_GREEN_BUILDING, COLOAN__V1__ITEM__ITEM_GREEN_BUILDING);
SAME(SOURCE_FACE, COLOAN__V1__ITEM__ITEM_FACE);
SAME(SOURCE_ID_DOCUMENT, COLOAN__V1__ITEM__ITEM_ID_DOCUMENT);
SAME(SOURCE_MARRIAGE_PAIR, COLOAN__V1__ITEM__ITEM_MARRIAGE_PAIR);
SAME(SOURCE_CONTRIBUTION_OFFSITE, COLOAN__V1__ITEM__ITEM_CONTRIBUTION_OFFSITE);
SAME(SOURCE_COURT_LIST, COLOAN__V1__ITEM__ITEM_COURT_LIST);
SAME(SOURCE_MORTGAGES, COLOAN__V1__ITEM__ITEM_MORTGAGES);
SAME(SOURCE_PROJECT, COLOAN__V1__ITEM__ITEM_PROJECT);
SAME(SOURCE_COMPLETION_FILING, COLOAN__V1__ITEM__ITEM_COMPLETION_FILING);
SAME(SOURCE_SUPERVISION_ACCOUNT, COLOAN__V1__ITEM__ITEM_SUPERVISION_ACCOUNT);
SAME(SOURCE_PROPERTY_RIGHT, COLOAN__V1__ITEM__ITEM_PROPERTY_RIGHT);
SAME(SOURCE_APPRAISAL, COLOAN__V1__ITEM__ITEM_APPRAISAL);
SAME(SOURCE_DOWN_PAYMENT, COLOAN__V1__ITEM__ITEM_DOWN_PAYMENT);
SAME(SOURCE_EMPLOYER, COLOAN__V1__ITEM__ITEM_EMPLOYER);
SAME(SOURCE_ACCOUNT, COLOAN__V1__ITEM__ITEM_ACCOUNT);
SAME(SOURCE_REGISTRATION, COLOAN__V1__ITEM__ITEM_REGISTRATION);
SAME(SOURCE_PASS, COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_PASS);
SAME(SOURCE_FAIL, COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_FAIL);
SAME(SOURCE_MANUAL, COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_MANUAL);
SAME(SOURCE_NOT_AUTHORISED, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_NOT_AUTHORISED);
SAME(SOURCE_NO_RECORD, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_NO_RECORD);
SAME(SOURCE_MISMATCH, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_MISMATCH);
SAME(SOURCE_AMBIGUOUS, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_AMBIGUOUS);
SAME(SOURCE_STALE, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_STALE);
SAME(SOURCE_TIMEOUT, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_TIMEOUT);
SAME(SOURCE_THROTTLED, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_THROTTLED);
SAME(SOURCE_CLOSED, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_SOURCE_CLOSED);
SAME(SOURCE_BAD_SIGNATURE, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_BAD_SIGNATURE);
SAME(SOURCE_PARSE, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_PARSE);
SAME(SOURCE_UNREACHABLE, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_UNREACHABLE);

/* -- Values -------------------------------------------------------------------------------------------------- */

static const struct source_value_row values[SOURCE_VALUE_COUNT] = {
    [SOURCE_VALUE_REQUEST_ID] = {"request_id", "request_id"},
    [SOURCE_VALUE_NAME] = {"name", "name"},
    [SOURCE_VALUE_ID_NUMBER] = {"id_number", "id_number"},
    [SOURCE_VALUE_MOBILE] = {"mobile", "mobile"},
    [SOURCE_VALUE_SPOUSE_NAME] = {"spouse_name", "spouse.name"},
    [SOURCE_VALUE_SPOUSE_ID_NUMBER] = {"spouse_id_number", "spouse.id_number"},
    [SOURCE_VALUE_ID_NUMBERS] = {"id_numbers", "id_numbers"},
    [SOURCE_VALUE_AUTHORISATION] = {"authorisation", "authorisation"},
    [SOURCE_VALUE_PURPOSE] = {"purpose", "purpose"},
    [SOURCE_VALUE_CONTRACT_NO] = {"contract_no", "contract_no"},
    [SOURCE_VALUE_DISTRICT_CODE] = {"district_code", "district_code"},
    [SOURCE_VALUE_UNIT_NO] = {"unit_no", "unit_no"},
    [SOURCE_VALUE_PERMIT_NO] = {"permit_no", "permit_no"},
    [SOURCE_VALUE_REGISTRY_NO] = {"registry_no", "registry_no"},
    [SOURCE_VALUE_FACE_TOKEN] = {"face_token", "face_token"},
    [SOURCE_VALUE_VALID_UNTIL] = {"valid_until", "valid_until"},
    [SOURCE_VALUE_CENTRE] = {"centre", "centre"},
    [SOURCE_VALUE_EMPLOYER_USCC] = {"employer_uscc", "employer_uscc"},
    [SOURCE_VALUE_ACCOUNT] = {"account", "account"},
};

const struct source_value_row *source_value_row(enum source_value value)
{
    assert(value < SOURCE_VALUE_COUNT);
    return &values[value];
}

enum source_value source_value_find(const char *name)
{
    unsigned value = 0;
    while (value < SOURCE_VALUE_COUNT && strcmp(values[value].name, name) != 0) {
        value++;
    }
    return (enum source_value)value;
}

/* -- The table ----------------------------------------------------------------------------------------------- */

#define COUNT_MAX  100                    /* of children, homes, loans: more is a broken answer */
#define MONTHS_MAX 1200                   /* a hundred years */
#define MONEY_MAX  INT64_C(1000000000000) /* ten thousand million yuan, the bound of every amount */
#define AREA_MAX   10000000               /* 100,000 m2 */
#define DATE_MAX   21991231

/* What a request is made of. */
#define REQUEST      SOURCE_VALUE_BIT(SOURCE_VALUE_REQUEST_ID)
#define ID_NUMBER    (REQUEST | SOURCE_VALUE_BIT(SOURCE_VALUE_ID_NUMBER))
#define NAME_AND_ID  (ID_NUMBER | SOURCE_VALUE_BIT(SOURCE_VALUE_NAME))
#define SPOUSE       (SOURCE_VALUE_BIT(SOURCE_VALUE_SPOUSE_NAME) | SOURCE_VALUE_BIT(SOURCE_VALUE_SPOUSE_ID_NUMBER))
#define ID_NUMBERS   (REQUEST | SOURCE_VALUE_BIT(SOURCE_VALUE_ID_NUMBERS))
#define CONTRACT     (REQUEST | SOURCE_VALUE_BIT(SOURCE_VALUE_CONTRACT_NO))
#define CREDIT_QUERY (SOURCE_VALUE_BIT(SOURCE_VALUE_AUTHORISATION) | SOURCE_VALUE_BIT(SOURCE_VALUE_PURPOSE))

#define FLAG(name)                                                                                                     \
    {                                                                                                                  \
        name, SOURCE_FIELD_FLAG, SOURCE_FIELD_FACT, 0, 1, NULL                                                         \
    }
#define MUST(name)                                                                                                     \
    {                                                                                                                  \
        name, SOURCE_FIELD_FLAG, SOURCE_FIELD_MUST, 0, 1, NULL                                                         \
    }
#define NUMBER(name, min, max)                                                                                         \
    {                                                                                                                  \
        name, SOURCE_FIELD_NUMBER, SOURCE_FIELD_FACT, (min), (max), NULL                                               \
    }
#define DATE(name, min)                                                                                                \
    {                                                                                                                  \
        name, SOURCE_FIELD_DATE, SOURCE_FIELD_FACT, (min), DATE_MAX, NULL                                              \
    }
#define WORD(name, words, max)                                                                                         \
    {                                                                                                                  \
        name, SOURCE_FIELD_WORD, SOURCE_FIELD_FACT, 1, (max), (words)                                                  \
    }

static const struct source_word marital_words[] = {
    {"SINGLE", 1}, {"MARRIED", 2}, {"DIVORCED", 3}, {"WIDOWED", 4}, {NULL, 0}};

static const struct source_word registration_words[] = {
    {"PENDING", 1}, {"NEED_MORE_MATERIAL", 2}, {"REJECTED", 3}, {"CANCELLED", 4}, {"DONE", 5}, {NULL, 0}};

static const struct source_item_row rows[] = {
    {.item = SOURCE_IDENTITY,
     .name = "IDENTITY",
     .path = "/v1/identity",
     .per_person = true,
     .sends = NAME_AND_ID,
     .no_record = SOURCE_MANUAL,
     .fields = {MUST("match")}},

    /* Marriages from before the registers were digital, and foreign ones, have no record. */
    {.item = SOURCE_MARRIAGE,
     .name = "MARRIAGE",
     .path = "/v1/marriage",
     .per_person = true,
     .sends = NAME_AND_ID,
     .no_record = SOURCE_MANUAL,
     .fields = {WORD("status", marital_words, 4)}},

    {.item = SOURCE_CHILDREN,
     .name = "CHILDREN",
     .path = "/v1/children",
     .per_person = false,
     .sends = ID_NUMBERS,
     .no_record = SOURCE_MANUAL,
     .fields = {NUMBER("minors", 0, COUNT_MAX)}},

    /* Every contributor has an account, here or at the centre the national platform asks. */
    {.item = SOURCE_CONTRIBUTION,
     .name = "CONTRIBUTION",
     .path = "/v1/contribution",
     .per_person = true,
     .sends = ID_NUMBER,
     .no_record = SOURCE_FAIL,
     .fields = {NUMBER("months", 0, MONTHS_MAX), NUMBER("base_fen", 0, MONEY_MAX), NUMBER("balance_fen", 0, MONEY_MAX),
                FLAG("sealed")}},

    {.item = SOURCE_LOAN_HISTORY,
     .name = "LOAN_HISTORY",
     .path = "/v1/loan-history",
     .per_person = true,
     .sends = ID_NUMBER,
     .no_record = SOURCE_MANUAL,
     .fields = {NUMBER("loans_used", 0, COUNT_MAX), NUMBER("loans_open", 0, COUNT_MAX)}},

    {.item = SOURCE_FRAUD_LIST,
     .name = "FRAUD_LIST",
     .path = "/v1/fraud-list",
     .per_person = true,
     .sends = ID_NUMBER,
     .no_record = SOURCE_MANUAL,
     .fields = {DATE("banned_until", 0)}},

    {.item = SOURCE_CREDIT_FUND,
     .name = "CREDIT_FUND",
     .path = "/v1/credit",
     .per_person = true,
     .sends = NAME_AND_ID | CREDIT_QUERY,
     .no_record = SOURCE_MANUAL,
     .fields = {FLAG("overdue_now"), NUMBER("overdue_consecutive", 0, MONTHS_MAX),
                NUMBER("overdue_total", 0, MONTHS_MAX), NUMBER("debts_fen", 0, MONEY_MAX),
                NUMBER("mortgages_open", 0, COUNT_MAX)}},

    {.item = SOURCE_HOME_COUNT,
     .name = "HOME_COUNT",
     .path = "/v1/home-count",
     .per_person = false,
     .sends = ID_NUMBERS | SOURCE_VALUE_BIT(SOURCE_VALUE_DISTRICT_CODE),
     .no_record = SOURCE_MANUAL,
     .fields = {NUMBER("homes", 0, COUNT_MAX)}},

    /* A contract without a record was not filed. */
    {.item = SOURCE_HOME_CONTRACT,
     .name = "HOME_CONTRACT",
     .path = "/v1/home-contract",
     .per_person = false,
     .sends = CONTRACT | ID_NUMBERS,
     .of_buyers = true,
     .no_record = SOURCE_FAIL,
     .fields = {NUMBER("price_fen", 1, MONEY_MAX), NUMBER("area_centi_m2", 1, AREA_MAX), MUST("filed"),
                MUST("buyers_match")}},

    /* The list is complete: a home that is not on it has no rating, and the application goes on without. */
    {.item = SOURCE_GREEN_BUILDING,
     .name = "GREEN_BUILDING",
     .path = "/v1/green-building",
     .per_person = false,
     .sends = CONTRACT,
     .no_record = SOURCE_FAIL,
     .fields = {NUMBER("stars", 0, 3), FLAG("improved"), FLAG("trade_in"), FLAG("youth_voucher")}},

    {.item = SOURCE_FACE,
     .name = "FACE",
     .path = "/v1/face",
     .per_person = true,
     .sends = ID_NUMBER | SOURCE_VALUE_BIT(SOURCE_VALUE_FACE_TOKEN),
     .no_record = SOURCE_MANUAL,
     .fields = {MUST("match")}},

    {.item = SOURCE_ID_DOCUMENT,
     .name = "ID_DOCUMENT",
     .path = "/v1/id-document",
     .per_person = true,
     .sends = ID_NUMBER | SOURCE_VALUE_BIT(SOURCE_VALUE_VALID_UNTIL),
     .no_record = SOURCE_MANUAL,
     .fields = {MUST("valid")}},

    {.item = SOURCE_MARRIAGE_PAIR,
     .name = "MARRIAGE_PAIR",
     .path = "/v1/marriage-pair",
     .per_person = false,
     .sends = NAME_AND_ID | SPOUSE,
     .no_record = SOURCE_MANUAL,
     .fields = {MUST("match")}},

    /* What the other centre does not know is proved on paper. */
    {.item = SOURCE_CONTRIBUTION_OFFSITE,
     .name = "CONTRIBUTION_OFFSITE",
     .path = "/v1/contribution-offsite",
     .per_person = true,
     .sends = ID_NUMBER | SOURCE_VALUE_BIT(SOURCE_VALUE_CENTRE),
     .no_record = SOURCE_MANUAL,
     .fields = {NUMBER("months", 0, MONTHS_MAX), NUMBER("base_fen", 0, MONEY_MAX), NUMBER("balance_fen", 0, MONEY_MAX),
                FLAG("sealed"), NUMBER("loans_used", 0, COUNT_MAX), NUMBER("loans_open", 0, COUNT_MAX), FLAG("fraud")}},

    /* AMBIGUOUS: somebody else of that name is on the list. */
    {.item = SOURCE_COURT_LIST,
     .name = "COURT_LIST",
     .path = "/v1/court-list",
     .per_person = true,
     .sends = NAME_AND_ID,
     .no_record = SOURCE_MANUAL,
     .fields = {FLAG("listed"),
                {"case_no", SOURCE_FIELD_TEXT, SOURCE_FIELD_FACT_IF_THERE, 1, CL_TEXT_BYTES_MAX, NULL}}},

    {.item = SOURCE_MORTGAGES,
     .name = "MORTGAGES",
     .path = "/v1/mortgages",
     .per_person = false,
     .sends = ID_NUMBERS,
     .no_record = SOURCE_MANUAL,
     .fields = {NUMBER("open", 0, COUNT_MAX), NUMBER("monthly_fen", 0, MONEY_MAX)}},

    {.item = SOURCE_PROJECT,
     .name = "PROJECT",
     .path = "/v1/project",
     .per_person = false,
     .sends = CONTRACT,
     .sends_if_known = SOURCE_VALUE_BIT(SOURCE_VALUE_PERMIT_NO),
     .no_record = SOURCE_MANUAL,
     .fields = {MUST("admitted"), MUST("permit_valid")}},

    {.item = SOURCE_COMPLETION_FILING,
     .name = "COMPLETION_FILING",
     .path = "/v1/completion-filing",
     .per_person = false,
     .sends = CONTRACT,
     .sends_if_known = SOURCE_VALUE_BIT(SOURCE_VALUE_PERMIT_NO),
     .no_record = SOURCE_MANUAL,
     .fields = {DATE("filed_on", 0)}},

    {.item = SOURCE_SUPERVISION_ACCOUNT,
     .name = "SUPERVISION_ACCOUNT",
     .path = "/v1/supervision-account",
     .per_person = false,
     .sends = CONTRACT,
     .sends_if_known = SOURCE_VALUE_BIT(SOURCE_VALUE_PERMIT_NO),
     .no_record = SOURCE_MANUAL,
     .fields = {{"account", SOURCE_FIELD_TEXT, SOURCE_FIELD_FACT, 8, SOURCE_ACCOUNT_BYTES_MAX, NULL}}},

    /* The register knows the seller by the contract. */
    {.item = SOURCE_PROPERTY_RIGHT,
     .name = "PROPERTY_RIGHT",
     .path = "/v1/property-right",
     .per_person = false,
     .sends = CONTRACT,
     .sends_if_known = SOURCE_VALUE_BIT(SOURCE_VALUE_UNIT_NO),
     .no_record = SOURCE_MANUAL,
     .fields = {FLAG("mortgaged"), FLAG("seized"), FLAG("disputed"), MUST("owner_match")}},

    {.item = SOURCE_APPRAISAL,
     .name = "APPRAISAL",
     .path = "/v1/appraisal",
     .per_person = false,
     .sends = CONTRACT,
     .sends_if_known = SOURCE_VALUE_BIT(SOURCE_VALUE_UNIT_NO),
     .no_record = SOURCE_MANUAL,
     .fields = {NUMBER("value_fen", 1, MONEY_MAX), DATE("valued_on", 1)}},

    {.item = SOURCE_DOWN_PAYMENT,
     .name = "DOWN_PAYMENT",
     .path = "/v1/down-payment",
     .per_person = false,
     .sends = CONTRACT | ID_NUMBERS,
     .of_buyers = true,
     .no_record = SOURCE_MANUAL,
     .fields = {NUMBER("paid_fen", 0, MONEY_MAX), MUST("payer_match")}},

    {.item = SOURCE_EMPLOYER,
     .name = "EMPLOYER",
     .path = "/v1/employer",
     .per_person = true,
     .sends = REQUEST | SOURCE_VALUE_BIT(SOURCE_VALUE_EMPLOYER_USCC),
     .no_record = SOURCE_MANUAL,
     .fields = {FLAG("active")}},

    {.item = SOURCE_ACCOUNT,
     .name = "ACCOUNT",
     .path = "/v1/account",
     .per_person = false,
     .sends = NAME_AND_ID | SOURCE_VALUE_BIT(SOURCE_VALUE_MOBILE) | SOURCE_VALUE_BIT(SOURCE_VALUE_ACCOUNT),
     .no_record = SOURCE_MANUAL,
     .fields = {MUST("match"), NUMBER("account_class", 1, 3)}},

    {.item = SOURCE_REGISTRATION,
     .name = "REGISTRATION",
     .path = "/v1/registration",
     .per_person = false,
     .sends = REQUEST | SOURCE_VALUE_BIT(SOURCE_VALUE_REGISTRY_NO),
     .sends_if_known = SOURCE_VALUE_BIT(SOURCE_VALUE_UNIT_NO),
     .no_record = SOURCE_MANUAL,
     .fields = {WORD("state", registration_words, 5),
                {"mortgagee_match", SOURCE_FIELD_FLAG, SOURCE_FIELD_FACT_IF_THERE, 0, 1, NULL},
                {"amount_fen", SOURCE_FIELD_NUMBER, SOURCE_FIELD_FACT_IF_THERE, 0, MONEY_MAX, NULL},
                {"registered_on", SOURCE_FIELD_DATE, SOURCE_FIELD_FACT_IF_THERE, 1, DATE_MAX, NULL},
                {"certificate_no", SOURCE_FIELD_TEXT, SOURCE_FIELD_FACT_IF_THERE, 1, CL_TEXT_BYTES_MAX, NULL}}},

};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

const struct source_item_row *source_item_row(enum source_item item)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (rows[i].item == item) {
            return &rows[i];
        }
    }
    return NULL;
}

const struct source_item_row *source_item_find(const char *name)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

const struct source_item_row *source_item_at(size_t index)
{
    return index < ROW_COUNT ? &rows[index] : NULL;
}

bool source_failure_is_technical(enum source_failure failure)
{
    return failure >= SOURCE_STALE;
}
