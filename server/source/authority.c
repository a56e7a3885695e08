#include "server/source/authority.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/source/hours.h"

enum {
    TIMEOUT_MS_DEFAULT = 2000, /* sources answer within 300 ms; more than 2 s is an outage */
    TIMEOUT_MS_MAX = 60 * 1000,
    ATTEMPTS_DEFAULT = 3,
    ATTEMPTS_MAX = 10,
    IN_FLIGHT_DEFAULT = 32,
    IN_FLIGHT_MAX = 256,
    RETRY_MS_MAX = 60 * 1000,
    BREAKER_FAILURES_DEFAULT = 5,
    BREAKER_FAILURES_MAX = 1000,
    BREAKER_OPEN_MS_DEFAULT = 1000,
    BREAKER_OPEN_MS_MAX = 10 * 60 * 1000,
    CLOSED_WAIT_MS_DEFAULT = 72 * 3600 * 1000,  /* over a weekend */
    CLOSED_WAIT_MS_MAX = 10 * 24 * 3600 * 1000, /* the law gives a decision ten days */
    TOKEN_BYTES_MAX = 4096                      /* a signed token with its claims */
};

/* -- Options ------------------------------------------------------------------------------------------------- */

static bool name_valid(const char *name)
{
    size_t len = name == NULL ? 0 : strlen(name);
    return len > 0 && len <= SOURCE_AUTHORITY_BYTES_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static bool has_part(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    bool found = curl_url_get(url, part, &text, 0) == CURLUE_OK;
    curl_free(text);
    return found;
}

static bool scheme_valid(CURLU *url)
{
    char *scheme = NULL;
    bool valid = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                 (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    curl_free(scheme);
    return valid;
}

static bool url_valid(const char *text, size_t bytes_max)
{
    size_t len = text == NULL ? 0 : strlen(text);
    if (len == 0 || len + 1 > bytes_max || text[len - 1] == '/') {
        return false;
    }
    CURLU *url = curl_url();
    bool valid = url != NULL && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK && scheme_valid(url) &&
                 !has_part(url, CURLUPART_USER) && !has_part(url, CURLUPART_QUERY) &&
                 !has_part(url, CURLUPART_FRAGMENT);
    curl_url_cleanup(url);
    return valid;
}

/* Printable ASCII: it becomes part of a header. */
static bool token_valid(const char *token)
{
    size_t len = strlen(token);
    for (size_t i = 0; i < len; i++) {
        if (token[i] <= ' ' || token[i] > '~') {
            return false;
        }
    }
    return len > 0 && len <= TOKEN_BYTES_MAX;
}

static bool items_valid(uint64_t items)
{
    uint64_t known = 0;
    for (size_t i = 0; source_item_at(i) != NULL; i++) {
        known |= SOURCE_ITEM_BIT(source_item_at(i)->item);
    }
    return items != 0 && (items & ~known) == 0;
}

static bool options_valid(const struct source_authority_options *options)
{
    return name_valid(options->name) && url_valid(options->base_url, sizeof((struct authority *)0)->base_url) &&
           (options->bearer_token == NULL || token_valid(options->bearer_token)) && items_valid(options->items) &&
           options->timeout_ms >= 0 && options->timeout_ms <= TIMEOUT_MS_MAX && options->attempts <= ATTEMPTS_MAX &&
           options->retry_ms >= 0 && options->retry_ms <= RETRY_MS_MAX && options->in_flight_max <= IN_FLIGHT_MAX &&
           options->breaker_failures <= BREAKER_FAILURES_MAX && options->breaker_open_ms >= 0 &&
           options->breaker_open_ms <= BREAKER_OPEN_MS_MAX && options->closed_wait_ms >= 0 &&
           options->closed_wait_ms <= CLOSED_WAIT_MS_MAX && source_hours_valid(&options->hours) &&
           (options->client_certificate == NULL) == (options->client_key == NULL);
}

/* -- Making one ---------------------------------------------------------------------------------------------- */

static bool add_header(struct authority *authority, const char *line)
{
    struct curl_slist *longer = curl_slist_append(authority->headers, line);
    authority->headers = longer == NULL ? authority->headers : longer;
    return longer != NULL;
}

static bool add_token(struct authority *authority, const char *token)
{
    char line[TOKEN_BYTES_MAX + 32];
    (void)snprintf(line, sizeof line, "Authorization: Bearer %s", token);
    bool added = add_header(authority, line);
    explicit_bzero(line, sizeof line);
    return added;
}

/* "Expect:" stops curl from waiting for a 100 Continue. */
static bool make_headers(struct authority *authority, const char *token)
{
    return add_header(authority, "Content-Type: application/json") &&
           add_header(authority, "Accept: application/json") && add_header(authority, "User-Agent: coloan") &&
           add_header(authority, "Expect:") && (token == NULL || add_token(authority, token));
}

static struct cl_status make_slots(struct authority *authority, size_t count, const struct exchange_files *files)
{
    authority->slots = calloc(count, sizeof authority->slots[0]);
    if (authority->slots == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    authority->slot_count = count;
    for (size_t i = 0; i < count; i++) {
        struct slot *slot = &authority->slots[i];
        struct cl_status status = exchange_init(&slot->exchange, slot, authority->headers, files);
        if (cl_failed(status)) {
            return status;
        }
        slot->authority = authority;
        slot->next_free = authority->free_slots;
        authority->free_slots = slot;
    }
    return cl_ok();
}

static const struct source_mapping *mapping_in(const struct source_item_mapping *mappings, size_t count,
                                               enum source_item item)
{
    for (size_t i = 0; i < count; i++) {
        if (mappings[i].item == item) {
            return &mappings[i].mapping;
        }
    }
    return NULL;
}

const struct source_mapping *authority_mapping(const struct authority *authority, enum source_item item)
{
    const struct source_mapping *mapping = mapping_in(authority->mappings, authority->mapping_count, item);
    assert(mapping != NULL);
    return mapping;
}

/* The configured ones, and our own format for the rest. */
static struct cl_status make_mappings(struct authority *authority, const struct source_authority_options *options)
{
    size_t count = 0;
    for (size_t i = 0; source_item_at(i) != NULL; i++) {
        count += (options->items & SOURCE_ITEM_BIT(source_item_at(i)->item)) != 0 ? 1 : 0;
    }
    authority->mappings = calloc(count, sizeof authority->mappings[0]);
    if (authority->mappings == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; source_item_at(i) != NULL; i++) {
        const struct source_item_row *row = source_item_at(i);
        if ((options->items & SOURCE_ITEM_BIT(row->item)) == 0) {
            continue;
        }
        const struct source_mapping *mapping = mapping_in(options->mappings, options->mapping_count, row->item);
        struct source_item_mapping *own = &authority->mappings[authority->mapping_count++];
        own->item = row->item;
        source_mapping_default(&own->mapping, row);
        if (mapping != NULL) {
            own->mapping = *mapping;
        }
    }
    return cl_ok();
}

struct cl_status authority_init(struct authority *authority, const struct source_authority_options *options)
{
    if (!options_valid(options)) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    (void)snprintf(authority->name, sizeof authority->name, "%s", options->name);
    (void)snprintf(authority->base_url, sizeof authority->base_url, "%s", options->base_url);
    authority->items = options->items;
    authority->hours = options->hours;
    authority->closed_wait_ms = options->closed_wait_ms != 0 ? options->closed_wait_ms : CLOSED_WAIT_MS_DEFAULT;
    authority->cache = options->cache;
    authority->timeout_ms = options->timeout_ms != 0 ? options->timeout_ms : TIMEOUT_MS_DEFAULT;
    authority->attempts = options->attempts != 0 ? options->attempts : ATTEMPTS_DEFAULT;
    authority->retry_ms = options->retry_ms;
    authority->breaker.failures_max =
        options->breaker_failures != 0 ? options->breaker_failures : BREAKER_FAILURES_DEFAULT;
    authority->breaker.open_ms = options->breaker_open_ms != 0 ? options->breaker_open_ms : BREAKER_OPEN_MS_DEFAULT;
    if (!make_headers(authority, options->bearer_token) || cl_failed(make_mappings(authority, options))) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    const struct exchange_files files = {
        .ca = options->ca_file, .certificate = options->client_certificate, .key = options->client_key};
    return make_slots(authority, options->in_flight_max != 0 ? options->in_flight_max : IN_FLIGHT_DEFAULT, &files);
}

void authority_close(struct authority *authority)
{
    for (size_t i = 0; i < authority->slot_count; i++) {
        exchange_close(&authority->slots[i].exchange);
    }
    free(authority->slots);
    free(authority->mappings);
    for (struct curl_slist *header = authority->headers; header != NULL; header = header->next) {
        explicit_bzero(header->data, strlen(header->data)); /* one of them is the token */
    }
    curl_slist_free_all(authority->headers);
}

/* -- Those who wait ------------------------------------------------------------------------------------------ */

void authority_wait(struct authority *authority, struct source_question *question)
{
    question->next = NULL;
    if (authority->waiting_tail == NULL) {
        authority->waiting_head = question;
    } else {
        authority->waiting_tail->next = question;
    }
    authority->waiting_tail = question;
}

struct source_question *authority_next_waiting(struct authority *authority)
{
    struct source_question *question = authority->waiting_head;
    if (question == NULL) {
        return NULL;
    }
    authority->waiting_head = question->next;
    authority->waiting_tail = authority->waiting_head == NULL ? NULL : authority->waiting_tail;
    question->next = NULL;
    return question;
}

void authority_stats(struct source_stats *out, const struct authority *authority)
{
    *out = (struct source_stats){
        .authority = authority->name,
        .requests = atomic_load(&authority->requests),
        .retries = atomic_load(&authority->retries),
        .passed = atomic_load(&authority->passed),
        .failed = atomic_load(&authority->failed),
        .manual = atomic_load(&authority->manual),
        .failures_of_the_way = atomic_load(&authority->failures_of_the_way),
        .breaker_opened = atomic_load(&authority->breaker_opened),
        .closed = atomic_load(&authority->closed),
        .reused = atomic_load(&authority->reused),
        .breaker_open = atomic_load(&authority->breaker_open),
    };
}
