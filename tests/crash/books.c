#include "tests/crash/books.h"

#include <assert.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/store/applications.h"
#include "server/store/decisions.h"
#include "server/store/messages.h"
#include "server/store/outbox.h"
#include "tests/support/campaign.h"

#define BANK "bank:cn-alpha-js"
#define FUND "fund:cn-test-nj"

enum {
    ENVELOPE_BYTES = 600,
    LARGE_ENVELOPE_BYTES = 12000, /* three pages and more: a row that overflows */
    LARGE_ONE_IN = 12,
    REFUSED_ONE_IN = 10,
    REPEATED = 4, /* commands that are sent again after a restart */
    AGAIN = 8,    /* commands before the new ones that are looked at once more */
    ARENA_BYTES = 1 << 20,
    TEXT_BYTES = 256,
    STATE_SUBMITTED = 2,
    STATE_DECIDED = 7,
};

enum deed_kind { DEED_SUBMIT, DEED_DECIDE, DEED_ACKNOWLEDGE, DEED_REFUSED };

/* Which message of a deed. */
enum part { PART_REQUEST = 1, PART_REPLY, PART_EVENT };

struct deed {
    struct store_command command;
    struct books *books;
    enum deed_kind kind;
    uint32_t number;
    uint32_t application; /* the number of its submission */
    uint64_t sequence;    /* of the event it made, or acknowledges */
    size_t envelope_bytes;
    bool answered;
    struct cl_status status;
};

struct totals {
    int64_t messages, applications, events, decisions, acknowledgements;
};

struct books {
    uint64_t dice;
    struct deed **deeds;
    size_t deed_count, deed_room;
    uint32_t numbers;      /* used */
    size_t compared_count; /* of the deeds; all there */
    struct cl_arena *arena;
    struct books_counts counts;
    char wrong[TEXT_BYTES];
    uint64_t next_acknowledged; /* sequence */
    pthread_mutex_t mutex;      /* guards what follows, and of each deed whether it is answered */
    pthread_cond_t changed;
    size_t pending;
    bool failed, ok_after_failure;
};

/* -- Rows ----------------------------------------------------------------------------------------------------- */

static struct cl_digest digest_of(uint32_t number, enum part part)
{
    struct cl_digest digest = {{0}};
    uint64_t spread =
        (number + ((uint64_t)part << 40)) * UINT64_C(0x9e3779b97f4a7c15); /* over the index, as real ones */
    memcpy(digest.bytes, &spread, sizeof spread);
    memcpy(digest.bytes + sizeof spread, &number, sizeof number);
    digest.bytes[31] = (uint8_t)part;
    return digest;
}

/* Bytes that only this message has. */
static struct cl_bytes envelope_of(struct cl_arena *arena, const struct deed *deed, enum part part)
{
    uint8_t *bytes = cl_arena_array(arena, deed->envelope_bytes, 1);
    assert(bytes != NULL);
    memset(bytes, (int)(deed->number * 7 + (unsigned)part), deed->envelope_bytes);
    memcpy(bytes, &deed->number, sizeof deed->number);
    return cl_bytes(bytes, deed->envelope_bytes);
}

static struct message_row message_of(struct cl_arena *arena, const struct deed *deed, enum part part)
{
    bool sent = part != PART_REQUEST;
    struct message_row row = {
        .digest = digest_of(deed->number, part),
        .way = sent ? MESSAGE_SENT : MESSAGE_RECEIVED,
        .sender = sent ? FUND : BANK,
        .recipient = sent ? BANK : FUND,
        .direction = 1,
        .method = "coloan.v1.JointApproval/SubmitApplication",
        .at_ms = deed->number,
        .envelope = envelope_of(arena, deed, part),
    };
    memcpy(row.message_id, &deed->number, sizeof deed->number);
    row.message_id[8] = (uint8_t)part;
    return row;
}

static const char *id_of(struct cl_arena *arena, uint32_t application)
{
    char id[APPLICATION_ID_BYTES];
    (void)snprintf(id, sizeof id, "01900000-0000-7000-8000-%012" PRIu32, application);
    const char *copy = cl_arena_text(arena, id);
    assert(copy != NULL);
    return copy;
}

static struct application_row application_of(struct cl_arena *arena, uint32_t number, int state)
{
    return (struct application_row){
        .id = id_of(arena, number),
        .external_ref = id_of(arena, number),
        .sender = BANK,
        .bank = BANK,
        .bank_epoch = 1,
        .state = state,
        .fund = 1,
        .bank_track = 1,
        .registry = 1,
        .outcome = 1,
        .next_actor = 1,
        .round = 1,
        .rule_set = "REF-NJ-2026-11",
        .submission = digest_of(number, PART_REQUEST),
        .submitted_ms = number,
        .changed_ms = number,
    };
}

/* -- Writing, on the writer's thread -------------------------------------------------------------------------- */

static struct cl_status write_event(struct cl_arena *arena, struct deed *deed, struct store_tx *tx)
{
    struct message_row event = message_of(arena, deed, PART_EVENT);
    struct outbox_row row = {
        .recipient = BANK, .application_id = id_of(arena, deed->application), .kind = 1, .digest = event.digest};
    struct cl_status status = outbox_next(tx, BANK, &row.sequence);
    if (cl_is_ok(status)) {
        status = messages_add(tx, &event);
    }
    if (cl_is_ok(status)) {
        status = outbox_add(tx, &row);
    }
    if (cl_is_ok(status)) {
        deed->sequence = row.sequence;
    }
    return status;
}

static struct cl_status write_deed(struct cl_arena *arena, struct deed *deed, struct store_tx *tx)
{
    struct application_row application =
        application_of(arena, deed->application, deed->kind == DEED_DECIDE ? STATE_DECIDED : STATE_SUBMITTED);
    if (deed->kind == DEED_SUBMIT || deed->kind == DEED_REFUSED) {
        struct cl_status status = applications_insert(tx, &application);
        return cl_is_ok(status) ? write_event(arena, deed, tx) : status;
    }
    if (deed->kind == DEED_DECIDE) {
        struct decision_row decision = {.application_id = application.id,
                                        .round = 1,
                                        .outcome = 1,
                                        .event = digest_of(deed->number, PART_EVENT),
                                        .decided_ms = deed->number};
        struct cl_status status = write_event(arena, deed, tx);
        if (cl_is_ok(status)) {
            status = decisions_insert(tx, &decision);
        }
        return cl_is_ok(status) ? applications_update(tx, &application) : status;
    }
    struct outbox_ack ack = {.recipient = BANK,
                             .sequence = deed->sequence,
                             .level = OUTBOX_RECEIVED,
                             .digest = digest_of(deed->number, PART_REQUEST),
                             .at_ms = deed->number};
    struct outbox_rows rows;
    struct cl_status status = outbox_read(&rows, store_tx_sql(tx), arena, BANK, deed->sequence - 1, 1, 0);
    if (cl_is_ok(status)) {
        ack.event = rows.rows[0].digest;
        status = outbox_ack(tx, &ack);
    }
    return status;
}

static struct cl_status apply(struct store_command *command, struct store_tx *tx)
{
    struct deed *deed = (struct deed *)command;
    struct cl_arena *arena = NULL;
    struct cl_status status = cl_arena_create(&arena, ARENA_BYTES);
    assert(cl_is_ok(status));
    struct message_row request = message_of(arena, deed, PART_REQUEST);
    struct message_row reply = message_of(arena, deed, PART_REPLY);
    status = messages_add(tx, &request);
    if (cl_is_ok(status)) {
        status = write_deed(arena, deed, tx);
    }
    if (cl_is_ok(status)) {
        status = messages_add(tx, &reply);
    }
    if (cl_is_ok(status)) {
        status = messages_set_reply(tx, &request.digest, &reply.digest);
    }
    cl_arena_free(arena);
    return cl_is_ok(status) && deed->kind == DEED_REFUSED ? cl_fail(CL_OFFER_STALE) : status;
}

static void done(struct store_command *command, struct cl_status status)
{
    struct deed *deed = (struct deed *)command;
    struct books *books = deed->books;
    (void)pthread_mutex_lock(&books->mutex);
    deed->answered = true;
    deed->status = status;
    books->ok_after_failure = books->ok_after_failure || (books->failed && cl_is_ok(status));
    books->failed = books->failed || status.reason == CL_STORE_FAILED;
    books->pending--;
    (void)pthread_cond_signal(&books->changed);
    (void)pthread_mutex_unlock(&books->mutex);
}

/* -- The load ------------------------------------------------------------------------------------------------- */

struct books *books_create(uint64_t seed)
{
    struct books *books = calloc(1, sizeof *books);
    assert(books != NULL);
    struct cl_status status = cl_arena_create(&books->arena, ARENA_BYTES);
    assert(cl_is_ok(status));
    books->dice = seed;
    books->next_acknowledged = 1;
    (void)pthread_mutex_init(&books->mutex, NULL);
    (void)pthread_cond_init(&books->changed, NULL);
    return books;
}

void books_free(struct books *books)
{
    if (books == NULL) {
        return;
    }
    for (size_t i = 0; i < books->deed_count; i++) {
        free(books->deeds[i]);
    }
    free(books->deeds);
    cl_arena_free(books->arena);
    (void)pthread_mutex_destroy(&books->mutex);
    (void)pthread_cond_destroy(&books->changed);
    free(books);
}

/* A submission without a decision, from among the latest; NULL: none. Answered or not: it is applied before. */
static const struct deed *undecided(const struct books *books)
{
    uint32_t decided[8] = {0};
    size_t count = 0;
    for (size_t i = books->deed_count; i > 0 && count < 8; i--) {
        const struct deed *deed = books->deeds[i - 1];
        bool known = false;
        for (size_t k = 0; k < count; k++) {
            known = known || decided[k] == deed->application;
        }
        if (deed->kind == DEED_DECIDE) {
            decided[count++] = deed->application;
        } else if (deed->kind == DEED_SUBMIT && !known) {
            return deed;
        }
    }
    return NULL;
}

/* How many events the deeds make up to now, all of which are applied before the next. */
static uint64_t event_count(const struct books *books)
{
    uint64_t count = 0;
    for (size_t i = books->compared_count; i < books->deed_count; i++) {
        count += books->deeds[i]->kind == DEED_SUBMIT || books->deeds[i]->kind == DEED_DECIDE;
    }
    for (size_t i = books->compared_count; i > 0; i--) {
        const struct deed *deed = books->deeds[i - 1];
        if (deed->kind == DEED_SUBMIT || deed->kind == DEED_DECIDE) {
            return count + deed->sequence;
        }
    }
    return count;
}

static void choose(struct books *books, struct deed *deed)
{
    uint64_t way = campaign_dice(&books->dice, REFUSED_ONE_IN);
    const struct deed *submission = undecided(books);
    deed->kind = way == 0 ? DEED_REFUSED : DEED_SUBMIT;
    deed->application = deed->number;
    if (way >= 1 && way <= 3 && submission != NULL) {
        deed->kind = DEED_DECIDE;
        deed->application = submission->application;
    } else if (way >= 4 && way <= 5 && books->next_acknowledged <= event_count(books)) {
        deed->kind = DEED_ACKNOWLEDGE;
        deed->sequence = books->next_acknowledged++;
    }
    size_t most = campaign_dice(&books->dice, LARGE_ONE_IN) == 0 ? LARGE_ENVELOPE_BYTES : ENVELOPE_BYTES;
    deed->envelope_bytes = sizeof deed->number + campaign_dice(&books->dice, most);
}

bool books_submit(struct books *books, struct store *store)
{
    struct deed *deed = calloc(1, sizeof *deed);
    if (books->deed_count == books->deed_room) {
        books->deed_room = books->deed_room == 0 ? 256 : 2 * books->deed_room;
        books->deeds = realloc(books->deeds, books->deed_room * sizeof *books->deeds);
    }
    assert(deed != NULL && books->deeds != NULL);
    *deed = (struct deed){.command = {.apply = apply, .done = done}, .books = books, .number = ++books->numbers};
    choose(books, deed);
    (void)pthread_mutex_lock(&books->mutex);
    books->pending++;
    (void)pthread_mutex_unlock(&books->mutex);
    books->deeds[books->deed_count++] = deed;
    if (cl_is_ok(store_submit(store, &deed->command))) {
        return true;
    }
    (void)pthread_mutex_lock(&books->mutex);
    books->pending--;
    (void)pthread_mutex_unlock(&books->mutex);
    books->deed_count--;
    books->next_acknowledged -= deed->kind == DEED_ACKNOWLEDGE;
    free(deed);
    return false;
}

void books_wait(struct books *books)
{
    (void)pthread_mutex_lock(&books->mutex);
    while (books->pending > 0) {
        (void)pthread_cond_wait(&books->changed, &books->mutex);
    }
    (void)pthread_mutex_unlock(&books->mutex);
}

bool books_ok_after_failure(struct books *books)
{
    (void)pthread_mutex_lock(&books->mutex);
    bool wrong = books->ok_after_failure;
    (void)pthread_mutex_unlock(&books->mutex);
    return wrong;
}

struct books_counts books_counts(const struct books *books)
{
    return books->counts;
}

/* -- The comparison ------------------------------------------------------------------------------------------- */

__attribute__((format(printf, 2, 3))) static void found(struct books *books, const char *format, ...)
{
    if (books->wrong[0] != '\0') {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(books->wrong, sizeof books->wrong, format, arguments);
    va_end(arguments);
}

/* Whether a message is there, with the bytes it had. */
static struct cl_status has_message(bool *out, struct books *books, struct sql *sql, const struct deed *deed,
                                    enum part part)
{
    struct message_row expected = message_of(books->arena, deed, part);
    struct message_row row;
    struct cl_digest reply = digest_of(deed->number, PART_REPLY);
    bool there = false;
    struct cl_status status = messages_get(&there, &row, sql, books->arena, &expected.digest);
    if (cl_failed(status)) {
        return status;
    }
    if (there && (row.envelope.len != expected.envelope.len ||
                  memcmp(row.envelope.data, expected.envelope.data, row.envelope.len) != 0)) {
        found(books, "message %d of command %" PRIu32 " has other bytes", (int)part, deed->number);
    }
    if (there && part == PART_REQUEST && (!row.has_reply || !cl_digest_equal(&row.reply, &reply))) {
        found(books, "command %" PRIu32 " is there without its reply", deed->number);
    }
    *out = there;
    return cl_ok();
}

static struct cl_status has_event(bool *out, struct books *books, struct sql *sql, const struct deed *deed)
{
    struct outbox_rows rows = {.count = 0};
    struct cl_digest digest = digest_of(deed->number, PART_EVENT);
    struct cl_status status = deed->sequence == 0
                                  ? cl_ok() /* never applied */
                                  : outbox_read(&rows, sql, books->arena, BANK, deed->sequence - 1, 1, 0);
    if (cl_is_ok(status)) {
        *out = rows.count == 1 && rows.rows[0].sequence == deed->sequence &&
               cl_digest_equal(&rows.rows[0].digest, &digest);
    }
    return status;
}

static struct cl_status has_state(bool *out, struct books *books, struct sql *sql, const struct deed *deed)
{
    struct application_row row;
    struct decision_row decision;
    struct cl_status status = applications_get(&row, sql, books->arena, id_of(books->arena, deed->application));
    bool there = cl_is_ok(status);
    if (cl_failed(status) && status.reason != CL_APPLICATION_UNKNOWN) {
        return status;
    }
    if (deed->kind == DEED_DECIDE) {
        bool decided = false;
        status = decisions_get(&decided, &decision, sql, books->arena, id_of(books->arena, deed->application), 1);
        if (cl_failed(status)) {
            return status;
        }
        if (decided != (there && row.state == STATE_DECIDED)) {
            found(books, "the decision of command %" PRIu32 " is half there", deed->number);
        }
        there = decided;
    }
    *out = there;
    return cl_ok();
}

/* Whether a deed is there: all its rows, or none. */
static struct cl_status has_deed(bool *out, struct books *books, struct sql *sql, const struct deed *deed)
{
    bool request = false;
    bool others[4];
    size_t count = 0;
    cl_arena_reset(books->arena);
    struct cl_status status = has_message(&request, books, sql, deed, PART_REQUEST);
    if (cl_is_ok(status)) {
        status = has_message(&others[count++], books, sql, deed, PART_REPLY);
    }
    if (cl_is_ok(status) && deed->kind != DEED_ACKNOWLEDGE) {
        status = has_message(&others[count++], books, sql, deed, PART_EVENT);
    }
    if (cl_is_ok(status) && deed->kind != DEED_ACKNOWLEDGE) {
        status = has_event(&others[count++], books, sql, deed);
    }
    if (cl_is_ok(status) && deed->kind != DEED_ACKNOWLEDGE) {
        status = has_state(&others[count++], books, sql, deed);
    }
    if (cl_failed(status)) {
        return status;
    }
    for (size_t i = 0; i < count; i++) {
        if (others[i] != request) {
            found(books, "command %" PRIu32 " (kind %d) is there by halves", deed->number, (int)deed->kind);
        }
    }
    *out = request;
    return cl_ok();
}

/* Nothing but the disk may keep a command from its end, and what is to be refused from its refusal. */
static void check_answer(struct books *books, const struct deed *deed)
{
    enum cl_reason expected = deed->kind == DEED_REFUSED ? CL_OFFER_STALE : CL_OK;
    if (deed->status.reason != expected && deed->status.reason != CL_STORE_FAILED) {
        found(books, "command %" PRIu32 " (kind %d) was answered %s", deed->number, (int)deed->kind,
              cl_status_name(deed->status));
    }
}

/* Deeds from `kept` on came to nothing. */
static void strike_off(struct books *books, size_t kept)
{
    for (size_t i = kept; i < books->deed_count; i++) {
        books->counts.refused += books->deeds[i]->kind == DEED_REFUSED;
        books->next_acknowledged -= books->deeds[i]->kind == DEED_ACKNOWLEDGE;
        free(books->deeds[i]);
    }
    books->deed_count = books->compared_count = kept;
}

/* The deeds from `from` on: which are there, and whether they may. */
static struct cl_status look_at_deeds(struct books *books, struct sql *sql, size_t from)
{
    uint32_t first_gone = 0;
    size_t kept = from;
    for (size_t i = from; i < books->deed_count; i++) {
        struct deed *deed = books->deeds[i];
        bool there = false;
        struct cl_status status = has_deed(&there, books, sql, deed);
        if (cl_failed(status)) {
            return status;
        }
        bool ok = cl_is_ok(deed->status);
        check_answer(books, deed);
        if (deed->kind == DEED_REFUSED) {
            if (there) {
                found(books, "the refused command %" PRIu32 " is there", deed->number);
            }
            continue;
        }
        if (ok && !there) {
            found(books, "the acknowledged command %" PRIu32 " is lost", deed->number);
        }
        if (there && first_gone != 0) {
            found(books, "command %" PRIu32 " is there, and %" PRIu32 " before it is not", deed->number, first_gone);
        }
        first_gone = there || first_gone != 0 ? first_gone : deed->number;
        if (i >= books->compared_count) {
            books->counts.acknowledged += ok;
            books->counts.unanswered += !ok;
            books->counts.done_unanswered += !ok && there;
        }
        if (there) {
            deed->status = cl_ok();
            books->deeds[i] = books->deeds[kept];
            books->deeds[kept++] = deed;
        }
    }
    strike_off(books, kept);
    return cl_ok();
}

static struct totals expected_totals(const struct books *books)
{
    struct totals totals = {0};
    for (size_t i = 0; i < books->deed_count; i++) {
        bool acknowledges = books->deeds[i]->kind == DEED_ACKNOWLEDGE;
        totals.messages += acknowledges ? 2 : 3;
        totals.events += !acknowledges;
        totals.applications += books->deeds[i]->kind == DEED_SUBMIT;
        totals.decisions += books->deeds[i]->kind == DEED_DECIDE;
        totals.acknowledgements += acknowledges;
    }
    return totals;
}

static struct cl_status look_at_totals(struct books *books, struct sql *sql)
{
    static const char messages[] = "SELECT count(*) FROM messages";
    static const char applications[] = "SELECT count(*) FROM applications";
    static const char events[] = "SELECT count(*) FROM outbox";
    static const char decisions[] = "SELECT count(*) FROM decisions";
    static const char acknowledgements[] = "SELECT count(*) FROM outbox_acks";
    struct totals totals = expected_totals(books);
    const struct {
        const char *name, *text;
        int64_t expected;
    } rows[] = {
        {"messages", messages, totals.messages},
        {"applications", applications, totals.applications},
        {"events", events, totals.events},
        {"decisions", decisions, totals.decisions},
        {"acknowledgements", acknowledgements, totals.acknowledgements},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t count = 0;
        struct cl_status status = sql_ask_number(&count, sql, rows[i].text);
        if (cl_failed(status)) {
            return status;
        }
        if (count != rows[i].expected) {
            found(books, "there are %" PRId64 " %s instead of %" PRId64, count, rows[i].name, rows[i].expected);
        }
    }
    struct outbox_state state;
    struct cl_status status = outbox_state(&state, sql, BANK);
    if (cl_is_ok(status) && (int64_t)state.head != totals.events) {
        found(books, "the head is %" PRIu64 " with %" PRId64 " events", state.head, totals.events);
    }
    if (cl_is_ok(status) && (int64_t)state.received_floor != totals.acknowledgements) {
        found(books, "the floor is %" PRIu64 " with %" PRId64 " acknowledgements", state.received_floor,
              totals.acknowledgements);
    }
    return status;
}

struct comparison {
    struct books *books;
    bool all;
};

static struct cl_status compare(void *user, struct store_tx *tx)
{
    const struct comparison *comparison = user;
    struct books *books = comparison->books;
    size_t from = comparison->all || books->compared_count < AGAIN ? 0 : books->compared_count - AGAIN;
    struct cl_status status = look_at_deeds(books, store_tx_sql(tx), from);
    return cl_is_ok(status) && books->wrong[0] == '\0' ? look_at_totals(books, store_tx_sql(tx)) : status;
}

static struct cl_status repeat(void *user, struct store_tx *tx)
{
    return apply(user, tx);
}

/* What is there is refused when it comes again. */
static void send_again(struct books *books, struct store *store)
{
    for (size_t i = books->deed_count; i > 0 && books->deed_count - i < REPEATED; i--) {
        struct deed copy = *books->deeds[i - 1];
        struct cl_status status = store_run(store, repeat, &copy.command);
        if (status.reason != CL_MESSAGE_ID_REUSED && !store_failed(store)) {
            found(books, "command %" PRIu32 " came again and was answered %s", copy.number, cl_status_name(status));
        }
    }
}

const char *books_compare(struct books *books, struct store *store, bool all)
{
    struct comparison comparison = {books, all};
    books->wrong[0] = '\0';
    struct cl_status status = store_run(store, compare, &comparison);
    if (cl_failed(status)) {
        found(books, "the store cannot be read: %s", cl_status_name(status));
    }
    if (books->wrong[0] == '\0') {
        send_again(books, store);
    }
    books->failed = books->ok_after_failure = false;
    return books->wrong[0] == '\0' ? NULL : books->wrong;
}
