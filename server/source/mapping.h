/* mapping.h - how one authority calls the things of an item: where our values go in its request, where its answer says
 * what, which of its words mean what.
 *
 * Without a mapping an authority speaks the format of wording.h. A mapping is a section of the configuration:
 *
 *   - item: MARRIAGE
 *     path: /hyxx/dr                       # after the authority's base URL
 *     request: {name: data.xm, id_number: data.sfzh, request_id: head.reqid}     # value: where it goes
 *     constants: {head.appid: gjj}         # texts that every request carries
 *     response:
 *       codes:                             # one or two; all of them have to say OK
 *         - {at: head.status, words: {"0": OK, "1": SOURCE_DOWN}}
 *         - {at: head.code, words: {"0000": OK, "0204": NO_RECORD}}
 *       request_id: head.reqid             # "": it does not say
 *       receipt: head.lsh                  # "": it does not say; our request id stands for it
 *       observed: {at: head.time, form: CHINA_TIME}       # MS, S, CHINA_TIME, NOW
 *       fields:
 *         status: {at: data.0.hyzk, words: {"未婚": 1, "已婚": 2}}
 *         price_fen: {at: data.je, scale: 100}            # yuan with two decimals, as a number or a text
 *         trade_in: {value: 0}             # it does not say
 *
 * A place is a list of keys joined by dots; a number is a place in a list. Left out, everything is as without a mapping.
 *
 * Values; the texts belong to the settings they were read from. Any thread. */
#ifndef COLOAN_SERVER_SOURCE_MAPPING_H
#define COLOAN_SERVER_SOURCE_MAPPING_H

#include "libcoloan/settings.h"
#include "server/source/items.h"

enum {
    SOURCE_URL_PATH_BYTES_MAX = 63, /* of an item, behind the base URL */
    SOURCE_PLACE_BYTES_MAX = 96,
    SOURCE_PLACE_KEYS_MAX = 6, /* deeper than any gateway seen */
    SOURCE_CODES_MAX = 2,      /* a gateway's and the authority's behind it */
    SOURCE_WORDS_MAX = 24,     /* of one field or code */
    SOURCE_CONSTANTS_MAX = 16,
};

/* A set of an authority's words and what each stands for. */
struct source_words {
    struct source_word list[SOURCE_WORDS_MAX];
    size_t count;
};

/* Where a code stands; its words stand for numbers of enum source_failure. */
struct source_code {
    const char *at;
    struct source_words words;
};

enum source_observed {
    SOURCE_OBSERVED_MS,         /* Unix ms */
    SOURCE_OBSERVED_S,          /* Unix seconds */
    SOURCE_OBSERVED_CHINA_TIME, /* "2026-11-23 10:00:00" */
    SOURCE_OBSERVED_NOW,        /* it does not say: when we got the answer */
};

struct source_field_place {
    const char *under;         /* where to begin: "answer", or NULL for the whole answer */
    const char *at;            /* NULL: `value` stands for it */
    struct source_words words; /* none: as its kind says */
    int64_t scale;             /* 1, or what a number with decimals is multiplied by */
    int64_t value;
};

struct source_constant {
    const char *at, *text;
};

struct source_mapping {
    const char *path;
    const char *values[SOURCE_VALUE_COUNT]; /* where each goes; NULL: it is not sent */
    struct source_constant constants[SOURCE_CONSTANTS_MAX];
    size_t constant_count;
    struct source_code codes[SOURCE_CODES_MAX];
    size_t code_count;
    const char *request_id, *receipt; /* NULL: not said */
    const char *observed;
    enum source_observed observed_form;
    struct source_field_place fields[SOURCE_FACTS_MAX]; /* in the row's order */
};

struct source_item_mapping {
    enum source_item item;
    struct source_mapping mapping;
};

/* That of an authority that speaks our format. */
void source_mapping_default(struct source_mapping *out, const struct source_item_row *row);

/* Reads a section as above over the default; the item of it goes to `row_out`. CONFIG_INVALID with the sentence in
 * `error`. */
CL_MUST_CHECK struct cl_status source_mapping_read(struct source_mapping *out, const struct source_item_row **row_out,
                                                   const struct cl_setting *section, struct cl_setting_error *error);

/* For --help and the manual. */
void source_mapping_print_fields(FILE *out);

#endif
