/* items.h - the one table of what is asked of an authority and what its answer has to say.
 *
 * A row says where an item is asked, which values of the inquiry go out (the fewest that settle it), which fields an
 * answer must have and in which range. How an authority calls these things is its mapping (mapping.h); requests are
 * written and answers judged by wording.h.
 *
 * Static rows: no ownership, any thread. */
#ifndef COLOAN_SERVER_SOURCE_ITEMS_H
#define COLOAN_SERVER_SOURCE_ITEMS_H

#include "server/source/source.h"

/* A value of the inquiry that a request may carry. */
enum source_value {
    SOURCE_VALUE_REQUEST_ID,
    SOURCE_VALUE_NAME,
    SOURCE_VALUE_ID_NUMBER,
    SOURCE_VALUE_MOBILE,
    SOURCE_VALUE_SPOUSE_NAME,
    SOURCE_VALUE_SPOUSE_ID_NUMBER,
    SOURCE_VALUE_ID_NUMBERS,    /* a list: of the household, or of the buyers, as the row says */
    SOURCE_VALUE_AUTHORISATION, /* of the credit query */
    SOURCE_VALUE_PURPOSE,       /* of the credit query: "LOAN_APPROVAL" */
    SOURCE_VALUE_CONTRACT_NO,
    SOURCE_VALUE_DISTRICT_CODE,
    SOURCE_VALUE_UNIT_NO,
    SOURCE_VALUE_PERMIT_NO,
    SOURCE_VALUE_REGISTRY_NO,
    SOURCE_VALUE_FACE_TOKEN,
    SOURCE_VALUE_VALID_UNTIL, /* "2036-11-22"; "9999-12-31" of a long-term document */
    SOURCE_VALUE_CENTRE,
    SOURCE_VALUE_EMPLOYER_USCC,
    SOURCE_VALUE_ACCOUNT,
    SOURCE_VALUE_COUNT,
};

#define SOURCE_VALUE_BIT(value) (1U << (unsigned)(value))

/* The name of a value in mappings, e.g. "id_number", and where it stands in a request that is not mapped. */
struct source_value_row {
    const char *name;
    const char *path; /* "spouse.name": keys joined by dots */
};

const struct source_value_row *source_value_row(enum source_value value);
/* The value of that name, or SOURCE_VALUE_COUNT. */
enum source_value source_value_find(const char *name);

/* A word and the number it stands for. */
struct source_word {
    const char *word;
    int64_t number;
};

enum source_field_kind {
    SOURCE_FIELD_NUMBER, /* a JSON integer from min to max */
    SOURCE_FIELD_FLAG,   /* true or false */
    SOURCE_FIELD_DATE,   /* "2026-11-23" or "20261123", or null for 0 */
    SOURCE_FIELD_WORD,   /* one of the words */
    SOURCE_FIELD_TEXT,   /* a clean text of min to max bytes */
};

/* What becomes of a field of the answer. */
enum source_field_use {
    SOURCE_FIELD_FACT,          /* a fact of the same name */
    SOURCE_FIELD_FACT_IF_THERE, /* the same, when it is there and not null */
    SOURCE_FIELD_MUST,          /* a flag that must be true, or what was declared is wrong: FAIL, MISMATCH */
};

/* A field of an answer. */
struct source_field {
    const char *name; /* NULL ends the list */
    enum source_field_kind kind;
    enum source_field_use use;
    int64_t min, max;
    const struct source_word *words; /* of a WORD, ended by NULL */
};

struct source_item_row {
    enum source_item item;
    const char *name; /* "MARRIAGE", as in coloan.v1.Item without its prefix */
    const char *path; /* "/v1/marriage" */
    bool per_person;
    unsigned sends;                /* SOURCE_VALUE_BIT of each value it needs */
    unsigned sends_if_known;       /* and of those that help when they are there */
    bool of_buyers;                /* ID_NUMBERS are the buyers', not the household's */
    enum source_outcome no_record; /* never a pass. MISMATCH and NOT_AUTHORISED are FAIL, AMBIGUOUS is MANUAL for all */
    struct source_field fields[SOURCE_FACTS_MAX];
};

/* The row of an item, or NULL for a number no authority settles. */
const struct source_item_row *source_item_row(enum source_item item);
/* The row of a name ("MARRIAGE"), or NULL. */
const struct source_item_row *source_item_find(const char *name);
/* Row `index`, or NULL past the end. */
const struct source_item_row *source_item_at(size_t index);

/* True for the kinds that are asked again. */
bool source_failure_is_technical(enum source_failure failure);

#endif
