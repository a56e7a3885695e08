#include "client/bank/state.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUCKET_COUNT = 4096,
    MISSING_MAX = 100000, /* a bank that refused so many is not at work */
};

struct known_case {
    char application_id[CL_TEXT_BYTES_MAX + 1];
    struct bank_case value;
    struct known_case *next;
};

struct bank_state {
    pthread_mutex_t lock;
    uint64_t received, epoch;
    struct bank_entry *entries[BUCKET_COUNT]; /* by sequence */
    struct known_case *cases[BUCKET_COUNT];   /* by the application id's hash */
    uint64_t *missing;                        /* not above `received` and yet to come, rising */
    size_t missing_count, missing_room;
    struct bank_applied_list applied;
};

static size_t bucket_of(const char *text)
{
    uint32_t hash = 2166136261U;
    for (; *text != '\0'; text++) {
        hash = (hash ^ (uint8_t)*text) * 16777619U;
    }
    return hash % BUCKET_COUNT;
}

struct cl_status bank_state_create(struct bank_state **out)
{
    struct bank_state *state = calloc(1, sizeof *state);
    if (state == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    (void)pthread_mutex_init(&state->lock, NULL);
    *out = state;
    return cl_ok();
}

static void wipe_and_free(struct cl_bytes *bytes)
{
    union {
        const uint8_t *in;
        uint8_t *out;
    } cast = {.in = bytes->data};
    if (cast.out != NULL) {
        explicit_bzero(cast.out, bytes->len);
        free(cast.out);
    }
    *bytes = cl_bytes(NULL, 0);
}

static void entry_free(struct bank_entry *entry)
{
    wipe_and_free(&entry->envelope);
    wipe_and_free(&entry->request);
    free(entry);
}

void bank_state_free(struct bank_state *state)
{
    if (state == NULL) {
        return;
    }
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        while (state->entries[i] != NULL) {
            struct bank_entry *next = state->entries[i]->next;
            entry_free(state->entries[i]);
            state->entries[i] = next;
        }
        while (state->cases[i] != NULL) {
            struct known_case *next = state->cases[i]->next;
            free(state->cases[i]);
            state->cases[i] = next;
        }
    }
    (void)pthread_mutex_destroy(&state->lock);
    bank_applied_close(&state->applied);
    free(state->missing);
    free(state);
}

/* -- Taking records; the lock is held ------------------------------------------------------------------------- */

static bool copy_bytes(struct cl_bytes *out, struct cl_bytes bytes)
{
    uint8_t *copy = malloc(bytes.len + 1);
    if (copy == NULL) {
        return false;
    }
    if (bytes.len > 0) {
        memcpy(copy, bytes.data, bytes.len);
    }
    *out = cl_bytes(copy, bytes.len);
    return true;
}

/* Cut off where it would not fit, which no number or name does. */
static void copy_bytes_as_text(char out[CL_TEXT_BYTES_MAX + 1], struct cl_bytes bytes)
{
    size_t len = bytes.len < CL_TEXT_BYTES_MAX ? bytes.len : CL_TEXT_BYTES_MAX;
    if (len > 0) {
        memcpy(out, bytes.data, len);
    }
    out[len] = '\0';
}

static void copy_text(char out[CL_TEXT_BYTES_MAX + 1], const char *text)
{
    copy_bytes_as_text(out, cl_bytes_text(text == NULL ? "" : text));
}

static struct bank_entry *find_entry(struct bank_state *state, uint64_t sequence)
{
    struct bank_entry *entry = state->entries[sequence % BUCKET_COUNT];
    while (entry != NULL && entry->sequence != sequence) {
        entry = entry->next;
    }
    return entry;
}

/* The place of the first missing one that is not below. */
static size_t missing_place(const struct bank_state *state, uint64_t sequence)
{
    size_t low = 0;
    size_t high = state->missing_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (state->missing[middle] < sequence) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static bool is_missing(const struct bank_state *state, uint64_t sequence)
{
    size_t place = missing_place(state, sequence);
    return place < state->missing_count && state->missing[place] == sequence;
}

static void came(struct bank_state *state, uint64_t sequence)
{
    size_t place = missing_place(state, sequence);
    if (place < state->missing_count && state->missing[place] == sequence) {
        state->missing_count--;
        memmove(&state->missing[place], &state->missing[place + 1],
                (state->missing_count - place) * sizeof state->missing[0]);
    }
}

/* Everything up to `to` is here or missing from now on. */
static struct cl_status pass_over(struct bank_state *state, uint64_t to)
{
    for (uint64_t sequence = state->received + 1; sequence <= to; sequence++) {
        if (state->missing_count == MISSING_MAX) {
            return cl_fail(CL_MEMORY_LIMIT);
        }
        if (state->missing_count == state->missing_room) {
            size_t room = state->missing_room == 0 ? 64 : state->missing_room * 2;
            uint64_t *missing = realloc(state->missing, room * sizeof missing[0]);
            if (missing == NULL) {
                return cl_fail(CL_MEMORY_LIMIT);
            }
            state->missing = missing;
            state->missing_room = room;
        }
        state->missing[state->missing_count++] = sequence;
        state->received = sequence;
    }
    return cl_ok();
}

static struct cl_status take_held(struct bank_state *state, const struct bank_record *record)
{
    uint64_t from = (uint64_t)record->number;
    state->received = from > state->received + 1 ? from - 1 : state->received;
    return pass_over(state, record->sequence);
}

static struct cl_status take_event(struct bank_state *state, const struct bank_record *record)
{
    struct bank_entry *entry = calloc(1, sizeof *entry);
    if (entry == NULL || !copy_bytes(&entry->envelope, record->bytes)) {
        free(entry);
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct bank_entry **bucket = &state->entries[record->sequence % BUCKET_COUNT];
    entry->sequence = record->sequence;
    entry->digest = record->digest;
    entry->received_ms = record->number;
    entry->next = *bucket;
    copy_text(entry->application_id, record->text);
    *bucket = entry;
    struct cl_status status = pass_over(state, record->sequence);
    came(state, record->sequence);
    return status;
}

static struct known_case **find_case(struct bank_state *state, const char *application_id)
{
    struct known_case **at = &state->cases[bucket_of(application_id)];
    while (*at != NULL && strcmp((*at)->application_id, application_id) != 0) {
        at = &(*at)->next;
    }
    return at;
}

static struct cl_status take_case(struct bank_state *state, const struct bank_record *record)
{
    struct known_case **at = find_case(state, record->text == NULL ? "" : record->text);
    if (*at == NULL) {
        *at = calloc(1, sizeof **at);
    }
    if (*at == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    copy_text((*at)->application_id, record->text);
    (*at)->value = (struct bank_case){.income_fen = record->number, .credit_good = record->sequence == 1};
    copy_bytes_as_text((*at)->value.contract_no, record->bytes);
    return cl_ok();
}

static void take_ended(struct bank_state *state, const struct bank_record *record)
{
    struct known_case **at = find_case(state, record->text == NULL ? "" : record->text);
    struct known_case *gone = *at;
    if (gone != NULL) {
        *at = gone->next;
    }
    free(gone);
}

static struct cl_status take_request(struct bank_state *state, const struct bank_record *record)
{
    struct bank_entry *entry = find_entry(state, record->sequence);
    struct cl_bytes copy;
    if (entry == NULL) {
        return cl_ok();
    }
    if (!copy_bytes(&copy, record->bytes)) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    wipe_and_free(&entry->request);
    entry->request = copy;
    entry->request_digest = record->digest;
    entry->request_expires_ms = record->number;
    return cl_ok();
}

static struct cl_status take_applied(struct bank_state *state, const struct bank_record *record)
{
    struct bank_applied applied = {.sequence = record->sequence, .digest = record->digest};
    struct bank_entry **at = &state->entries[record->sequence % BUCKET_COUNT];
    copy_text(applied.reference, record->text);
    while (*at != NULL && (*at)->sequence != record->sequence) {
        at = &(*at)->next;
    }
    if (*at != NULL) {
        struct bank_entry *gone = *at;
        *at = gone->next;
        entry_free(gone);
    }
    return bank_applied_add(&state->applied, &applied);
}

static void take_said(struct bank_state *state, const struct bank_record *record)
{
    if (record->number == 1) {
        bank_applied_answered(&state->applied, record->sequence);
    } else {
        bank_applied_sent(&state->applied, record->sequence);
    }
}

static struct cl_status take(struct bank_state *state, const struct bank_record *record)
{
    switch (record->kind) {
    case BANK_RECORD_START:
        state->epoch = (uint64_t)record->number;
        return cl_ok();
    case BANK_RECORD_EVENT:
        return take_event(state, record);
    case BANK_RECORD_GAP:
        state->received = record->sequence > state->received ? record->sequence : state->received;
        return cl_ok();
    case BANK_RECORD_CASE:
        return take_case(state, record);
    case BANK_RECORD_REQUEST:
        return take_request(state, record);
    case BANK_RECORD_ENDED:
        take_ended(state, record);
        return cl_ok();
    case BANK_RECORD_APPLIED:
        return take_applied(state, record);
    case BANK_RECORD_HELD:
        return take_held(state, record);
    case BANK_RECORD_SAID:
        take_said(state, record);
        return cl_ok();
    }
    return cl_fail(CL_CONFIG_INVALID);
}

struct cl_status bank_state_take(struct bank_state *state, const struct bank_record *record)
{
    (void)pthread_mutex_lock(&state->lock);
    struct cl_status status = take(state, record);
    (void)pthread_mutex_unlock(&state->lock);
    return status;
}

/* -- Looking -------------------------------------------------------------------------------------------------- */

uint64_t bank_state_received(struct bank_state *state)
{
    (void)pthread_mutex_lock(&state->lock);
    uint64_t received = state->received;
    (void)pthread_mutex_unlock(&state->lock);
    return received;
}

bool bank_state_has(struct bank_state *state, uint64_t sequence)
{
    (void)pthread_mutex_lock(&state->lock);
    bool has = sequence <= state->received && !is_missing(state, sequence);
    (void)pthread_mutex_unlock(&state->lock);
    return has;
}

uint64_t bank_state_epoch(struct bank_state *state)
{
    (void)pthread_mutex_lock(&state->lock);
    uint64_t epoch = state->epoch;
    (void)pthread_mutex_unlock(&state->lock);
    return epoch;
}

struct bank_entry *bank_state_find(struct bank_state *state, uint64_t sequence)
{
    (void)pthread_mutex_lock(&state->lock);
    struct bank_entry *entry = find_entry(state, sequence);
    (void)pthread_mutex_unlock(&state->lock);
    return entry;
}

static int by_sequence(const void *a, const void *b)
{
    const struct bank_entry *const *left = a;
    const struct bank_entry *const *right = b;
    return ((*left)->sequence > (*right)->sequence) - ((*left)->sequence < (*right)->sequence);
}

void bank_state_each(struct bank_state *state, void (*visit)(void *user, struct bank_entry *entry), void *user)
{
    size_t count = 0;
    for (size_t i = 0; i < BUCKET_COUNT; i++) {
        for (struct bank_entry *entry = state->entries[i]; entry != NULL; entry = entry->next) {
            count++;
        }
    }
    struct bank_entry **sorted = calloc(count + 1, sizeof(struct bank_entry *));
    size_t at = 0;
    for (size_t i = 0; i < BUCKET_COUNT && sorted != NULL; i++) {
        for (struct bank_entry *entry = state->entries[i]; entry != NULL; entry = entry->next) {
            sorted[at++] = entry;
        }
    }
    if (at > 0) {
        qsort(sorted, at, sizeof(struct bank_entry *), by_sequence);
    }
    for (size_t i = 0; i < at; i++) {
        visit(user, sorted[i]);
    }
    free(sorted);
}

bool bank_state_case(struct bank_case *out, struct bank_state *state, const char *application_id)
{
    (void)pthread_mutex_lock(&state->lock);
    const struct known_case *found = *find_case(state, application_id);
    if (found != NULL) {
        *out = found->value;
    }
    (void)pthread_mutex_unlock(&state->lock);
    return found != NULL;
}

struct cl_status bank_state_unheard(struct bank_applied **out, size_t *count_out, struct bank_state *state)
{
    (void)pthread_mutex_lock(&state->lock);
    struct cl_status status = bank_applied_copy(out, count_out, &state->applied);
    (void)pthread_mutex_unlock(&state->lock);
    return status;
}
