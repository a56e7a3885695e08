/* wording.h - a question written down for an authority, and its answer judged, both through the authority's mapping.
 *
 * Without a mapping the format is the same for every authority:
 *
 *   POST <base URL>/v1/marriage                     200
 *   Authorization: Bearer <token>                   {"request_id": "<the same>",
 *   X-Request-Id: <32 hex digits>                    "code": "OK",
 *   {"request_id": "<32 hex digits>",                "receipt": "CA-2026-000017",
 *    "name": "...", "id_number": "..."}              "observed_ms": 1795500000000,
 *                                                    "answer": {"status": "MARRIED"}}
 *
 * Codes: OK with an answer; NOT_AUTHORISED, NO_RECORD, MISMATCH, AMBIGUOUS without one: these are answers, too, with
 * receipt and time. Failures of the way are HTTP statuses: 429 with Retry-After, 503 (with the code SOURCE_CLOSED
 * outside the authority's hours), any other 5xx; a gateway that answers 200 to everything may say THROTTLED,
 * SOURCE_CLOSED and SOURCE_DOWN as codes. The request id in the answer binds it to the question, so that a proxy or
 * cache that mixes answers up is found out. Fields that were not asked for are dropped unread.
 *
 * Pure: time is handed in. Any thread. */
#ifndef COLOAN_SERVER_SOURCE_WORDING_H
#define COLOAN_SERVER_SOURCE_WORDING_H

#include "libcoloan/bytes.h"
#include "server/source/mapping.h"

enum {
    SOURCE_REQUEST_BYTES_MAX = 4096, /* four buyers and a name of 256 bytes, every byte escaped, take 2 KiB */
    SOURCE_ANSWER_BYTES_MAX = 8192,  /* the longest real answer has 300 bytes; gateways wrap it up */
    SOURCE_ANSWER_NESTING_MAX = 8,   /* the longest place, and two to spare for what is skipped */
    SOURCE_REQUEST_ID_BYTES = 16,
    SOURCE_REQUEST_ID_HEX_BYTES = 33, /* with the NUL */
};

/* Writes the JSON body of a request; at most SOURCE_REQUEST_BYTES_MAX. FIELD_INVALID when a value it needs is missing
 * or not UTF-8. It holds personal values: the caller wipes it. */
CL_MUST_CHECK struct cl_status source_request_write(char *out, size_t *len_out, const struct source_question *question,
                                                    const struct source_mapping *mapping, const char *request_id);

/* Reads what an authority answered with HTTP status 200 and sets the answer's outcome, failure, receipt, times and
 * facts. A technical failure (PARSE, STALE, CLOSED ...) is only returned and leaves `answer` untouched. */
enum source_failure source_answer_read(struct source_answer *answer, const struct source_question *question,
                                       const struct source_mapping *mapping, struct cl_bytes body,
                                       const char *request_id, int64_t now_ms);

/* Whether the body of an HTTP 503 says SOURCE_CLOSED: that, or FAILURE_NONE. */
enum source_failure source_error_read(const struct source_mapping *mapping, struct cl_bytes body);

/* A value of the inquiry as the question's request carries it, "" when it is not known; ID_NUMBERS has none. Borrowed
 * from the inquiry, or `buffer`. */
struct source_value_buffer {
    char text[16];
};
const char *source_value_text(const struct source_question *question, enum source_value value,
                              struct source_value_buffer *buffer);

/* Whether the person's ID number is one of ID_NUMBERS. */
bool source_value_lists(const struct source_question *question, const struct source_person *person);

/* What a question asks, as a hash under `key`: two questions have the same when they are about the same item and the same
 * values. */
void source_question_digest(struct cl_digest *out, struct cl_bytes key, const struct source_question *question);

#endif
