/* items.h - the one table of what is asked of an authority and what its answer means.
 *
 * A row says where an item is asked, which values of the inquiry go out (the fewest that settle it), which fields an
 * answer must have and in which range, and what each business code becomes. The two functions beside it write a request
 * and judge an answer; both are pure. The wire format is described atop items.c.
 *
 * Static rows and values: no ownership, any thread. */
#ifndef COLOAN_SERVER_SOURCE_ITEMS_H
#define COLOAN_SERVER_SOURCE_ITEMS_H

#include "libcoloan/bytes.h"
#include "server/source/source.h"

enum {
    SOURCE_REQUEST_BYTES_MAX = 4096, /* four buyers and a name of 256 bytes, every byte escaped, take 2 KiB */
    SOURCE_ANSWER_BYTES_MAX = 8192,  /* the longest real answer has 300 bytes */
    SOURCE_ANSWER_NESTING_MAX = 4,   /* object > answer, and two to spare for fields that are skipped */
    SOURCE_REQUEST_ID_BYTES = 16,
    SOURCE_REQUEST_ID_HEX_BYTES = 33, /* with the NUL */
};

/* Which values of the inquiry go into the request. */
enum source_sends {
    SOURCE_SENDS_NAME = 1 << 0,          /* "name" */
    SOURCE_SENDS_ID_NUMBER = 1 << 1,     /* "id_number" */
    SOURCE_SENDS_SPOUSE = 1 << 2,        /* "spouse": {"name", "id_number"}, when one is declared */
    SOURCE_SENDS_AUTHORISATION = 1 << 3, /* "authorisation" and "purpose": "LOAN_APPROVAL" */
    SOURCE_SENDS_HOUSEHOLD = 1 << 4,     /* "id_numbers" of the household */
    SOURCE_SENDS_BUYERS = 1 << 5,        /* "id_numbers" of the buyers */
    SOURCE_SENDS_CONTRACT = 1 << 6,      /* "contract_no" */
    SOURCE_SENDS_DISTRICT = 1 << 7,      /* "district_code" */
};

enum source_field_kind {
    SOURCE_FIELD_NUMBER, /* a JSON integer from min to max */
    SOURCE_FIELD_FLAG,   /* true or false */
    SOURCE_FIELD_DATE,   /* "2026-11-23", or null for 0 */
    SOURCE_FIELD_STATUS, /* "SINGLE", "MARRIED", "DIVORCED", "WIDOWED" */
};

/* What becomes of a field of the answer. */
enum source_field_use {
    SOURCE_FIELD_FACT,             /* a fact of the same name */
    SOURCE_FIELD_MUST,             /* a flag that must be true, or what was declared is wrong: FAIL, MISMATCH */
    SOURCE_FIELD_MUST_WITH_SPOUSE, /* the same when a spouse was named; else not looked at */
};

/* A field that an answer has to have. */
struct source_field {
    const char *name; /* NULL ends the list */
    enum source_field_kind kind;
    enum source_field_use use;
    int64_t min, max;
};

struct source_item_row {
    enum source_item item;
    const char *name; /* "MARRIAGE", as in coloan.v1.Item without its prefix */
    const char *path; /* "/v1/marriage" */
    bool per_person;
    unsigned sends;                /* of enum source_sends */
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

/* Writes the JSON body of a request; at most SOURCE_REQUEST_BYTES_MAX. FIELD_INVALID when a value it needs is missing
 * or not UTF-8. It holds personal values: the caller wipes it. */
CL_MUST_CHECK struct cl_status source_request_write(char *out, size_t *len_out, const struct source_question *question,
                                                    const char *request_id);

/* Reads what an authority answered with HTTP status 200 and sets the answer's outcome, failure, receipt, times and
 * facts. A technical failure (PARSE, STALE, CLOSED) is only returned and leaves `answer` untouched. */
enum source_failure source_answer_read(struct source_answer *answer, const struct source_question *question,
                                       struct cl_bytes body, const char *request_id, int64_t now_ms);

/* Whether the body of an HTTP 503 says SOURCE_CLOSED: that, or FAILURE_NONE. */
enum source_failure source_error_read(struct cl_bytes body);

#endif
