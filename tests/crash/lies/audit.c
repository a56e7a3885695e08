#include "tests/crash/lies/audit.h"

#include <assert.h>
#include <coloan/v1/push.pb-c.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/bank/journal.h"
#include "libcoloan/chain.h"

enum {
    ARENA_BYTES = 4 * 1024 * 1024,
    WRONG_BYTES_MAX = 384,
    /* coloan.v1.CaseState */
    STATE_SUPPLEMENT = 2,
    STATE_MANUAL = 3,
    STATE_OFFERED = 4,
};

/* The sentence that says what is wrong. */
__attribute__((format(printf, 1, 2))) static const char *wrong(const char *format, ...)
{
    static char text[WRONG_BYTES_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return text;
}

/* -- A journal ------------------------------------------------------------------------------------------------ */

static struct journal_event *event_at(struct bank_books *books, uint64_t sequence)
{
    while (sequence > books->room) {
        size_t room = books->room == 0 ? 4096 : 2 * books->room;
        books->events = realloc(books->events, room * sizeof books->events[0]);
        assert(books->events != NULL);
        memset(&books->events[books->room], 0, (room - books->room) * sizeof books->events[0]);
        books->room = room;
    }
    books->count = sequence > books->count ? sequence : books->count;
    return &books->events[sequence - 1];
}

static void take_event(struct bank_books *books, const struct bank_record *record)
{
    struct cl_opened opened;
    struct journal_event *event = event_at(books, record->sequence);
    cl_arena_reset(books->arena);
    struct cl_status status = cl_envelope_verify(&opened, books->arena, record->bytes, books->keyring);
    if (cl_failed(status) || !cl_digest_equal(&opened.digest, &record->digest) ||
        opened.header->sequence != record->sequence) {
        books->wrong = wrong("event %" PRIu64 " in the journal of %s does not verify: %s", record->sequence,
                             books->name, cl_status_name(status));
    }
    event->digest = record->digest;
    event->received_times++;
}

static void take_applied(struct bank_books *books, const struct bank_record *record)
{
    char reference[CL_TEXT_BYTES_MAX + 1];
    struct journal_event *event = event_at(books, record->sequence);
    (void)snprintf(reference, sizeof reference, "%s-%" PRIu64, books->name, record->sequence);
    event->applied_times++;
    event->applied_at = ++books->applied;
    event->named_well = strcmp(record->text, reference) == 0 && cl_digest_equal(&event->digest, &record->digest);
}

static struct cl_status take_record(void *user, const struct bank_record *record)
{
    struct bank_books *books = user;
    if (record->kind == BANK_RECORD_EVENT) {
        take_event(books, record);
    } else if (record->kind == BANK_RECORD_APPLIED) {
        take_applied(books, record);
    } else if (record->kind == BANK_RECORD_GAP) {
        books->wrong = wrong("there is a gap in the journal of %s, up to %" PRIu64, books->name, record->sequence);
    }
    return cl_ok();
}

const char *bank_books_read(struct bank_books *out, const char *path, const struct bank_role *role,
                            const struct cl_keyring *keyring)
{
    struct bank_journal *journal = NULL;
    *out = (struct bank_books){.keyring = keyring, .name = role->name};
    struct cl_status status = cl_arena_create(&out->arena, ARENA_BYTES);
    assert(cl_is_ok(status));
    status = bank_journal_open(&journal, path, take_record, out);
    bank_journal_close(journal);
    return cl_is_ok(status) ? out->wrong
                            : wrong("the journal of %s cannot be read: %s", role->name, cl_status_name(status));
}

void bank_books_close(struct bank_books *books)
{
    cl_arena_free(books->arena);
    free(books->events);
    *books = (struct bank_books){.count = 0};
}

/* -- With the centre ------------------------------------------------------------------------------------------ */

static struct cl_status chain_at(void *user, uint64_t sequence, struct cl_digest *out)
{
    const struct cl_digest *chains = user;
    *out = chains[sequence];
    return cl_ok();
}

const char *audit_reconcile(const struct bank_books *books, struct cl_session *session)
{
    struct cl_reconciled found = {.equal = false};
    struct cl_arena *arena = NULL;
    struct cl_digest *chains = calloc(books->count + 1, sizeof chains[0]);
    struct cl_status status = cl_arena_create(&arena, ARENA_BYTES);
    assert(chains != NULL && cl_is_ok(status));
    for (size_t i = 0; i < books->count; i++) {
        cl_chain_next(&chains[i + 1], &chains[i], i + 1, &books->events[i].digest);
    }
    struct cl_events_held held = {.count = books->count, .chain = chain_at, .user = chains};
    status = cl_session_reconcile(&found, session, arena, &held);
    cl_arena_free(arena);
    free(chains);
    if (cl_failed(status)) {
        return wrong("%s cannot compare its events: %s", books->name, cl_status_name(status));
    }
    return found.equal ? NULL
                       : wrong("%s and the centre hold the same events only up to %" PRIu64 " of %" PRIu64, books->name,
                               found.same, found.head);
}

/* -- The centre's database ------------------------------------------------------------------------------------ */

struct audit {
    sqlite3 *database;
    const struct cl_keyring *keyring;
    struct cl_arena *arena; /* of one row */
};

static sqlite3_stmt *prepare(struct audit *audit, const char *text)
{
    sqlite3_stmt *statement = NULL;
    int prepared = sqlite3_prepare_v2(audit->database, text, -1, &statement, NULL);
    assert(prepared == SQLITE_OK);
    return statement;
}

static const char *text_of(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    return text == NULL ? "" : text;
}

static bool is_digest(sqlite3_stmt *row, int column, const struct cl_digest *digest)
{
    return cl_bytes_equal(cl_bytes(sqlite3_column_blob(row, column), (size_t)sqlite3_column_bytes(row, column)),
                          cl_bytes(digest->bytes, CL_DIGEST_BYTES));
}

/* A kept message in `column` whose digest is in the next one; NULL when it verifies. */
static const char *open_kept(struct cl_opened *out, struct audit *audit, sqlite3_stmt *row, int column)
{
    struct cl_bytes envelope = cl_bytes(sqlite3_column_blob(row, column), (size_t)sqlite3_column_bytes(row, column));
    struct cl_status status = cl_envelope_verify(out, audit->arena, envelope, audit->keyring);
    if (cl_failed(status)) {
        return wrong("a kept message does not verify: %s", cl_status_name(status));
    }
    return is_digest(row, column + 1, &out->digest) ? NULL : wrong("a kept message has another digest than its row");
}

static const char *check_nothing_pending(struct audit *audit)
{
    const char *found = NULL;
    sqlite3_stmt *row = prepare(audit, "SELECT recipient, sequence, state FROM pending LIMIT 1");
    if (sqlite3_step(row) == SQLITE_ROW) {
        found = wrong("event %" PRId64 " of %s is still pending, in state %d", (int64_t)sqlite3_column_int64(row, 1),
                      text_of(row, 0), sqlite3_column_int(row, 2));
    }
    (void)sqlite3_finalize(row);
    return found;
}

/* -- Applications --------------------------------------------------------------------------------------------- */

static const char *check_application(sqlite3_stmt *row, const struct applied_for *applied)
{
    const char *id = text_of(row, 0);
    int state = sqlite3_column_int(row, 2);
    int64_t rounds = sqlite3_column_int64(row, 3);
    int64_t joint = sqlite3_column_int64(row, 4);
    bool waits = state == STATE_SUPPLEMENT || state == STATE_MANUAL;
    if (strcmp(id, applied->application_id) != 0) {
        return wrong("application %s is lost, or %s was never applied for", applied->application_id, id);
    }
    if (!is_digest(row, 1, &applied->submission)) {
        return wrong("application %s was submitted in other words", id);
    }
    if (!waits && state <= STATE_OFFERED) {
        return wrong("application %s was never decided, it is in state %d", id, state);
    }
    if (rounds != 1 || joint != (waits ? 0 : 1)) {
        return wrong("application %s in state %d has %" PRId64 " joint decisions in round %" PRId64, id, state, joint,
                     rounds);
    }
    return NULL;
}

static const char *check_applications(struct audit *audit, const struct applied_for *applied, size_t count)
{
    static const char text[] = "SELECT file.id, file.submission, file.state, file.round, coalesce(joint.count, 0)"
                               " FROM applications file LEFT JOIN (SELECT application_id, count(*) AS count"
                               " FROM outbox WHERE kind = 3 GROUP BY application_id) joint"
                               " ON joint.application_id = file.id ORDER BY file.id";
    const char *found = NULL;
    size_t i = 0;
    sqlite3_stmt *row = prepare(audit, text);
    while (found == NULL && sqlite3_step(row) == SQLITE_ROW) {
        found = i == count ? wrong("there is an application that nobody made") : check_application(row, &applied[i]);
        i++;
    }
    (void)sqlite3_finalize(row);
    return found != NULL || i == count ? found : wrong("%zu acknowledged applications are lost", count - i);
}

/* -- Events --------------------------------------------------------------------------------------------------- */

/* The event before it in the same application. */
struct before {
    char application_id[CL_UUID_TEXT_BYTES];
    uint64_t applied_at;
};

static const char *check_event(struct audit *audit, sqlite3_stmt *row, const struct bank_books *books,
                               struct before *before)
{
    struct cl_opened opened;
    uint64_t sequence = (uint64_t)sqlite3_column_int64(row, 0);
    const char *application = text_of(row, 1);
    const char *found = open_kept(&opened, audit, row, 2);
    if (found != NULL) {
        return found;
    }
    if (sequence > books->count || books->events[sequence - 1].received_times == 0) {
        return wrong("event %" PRIu64 " never came to %s", sequence, books->name);
    }
    const struct journal_event *event = &books->events[sequence - 1];
    if (event->received_times != 1 || event->applied_times != 1) {
        return wrong("%s took event %" PRIu64 " %u times and applied it %u times", books->name, sequence,
                     event->received_times, event->applied_times);
    }
    if (!cl_digest_equal(&event->digest, &opened.digest) || !event->named_well) {
        return wrong("%s has other bytes or another reference for event %" PRIu64, books->name, sequence);
    }
    bool same = strcmp(before->application_id, application) == 0;
    if (same && event->applied_at <= before->applied_at) {
        return wrong("%s applied event %" PRIu64 " before an earlier one of its application", books->name, sequence);
    }
    (void)snprintf(before->application_id, sizeof before->application_id, "%s", application);
    before->applied_at = event->applied_at;
    return NULL;
}

static const char *check_events(struct audit *audit, const struct bank_books *books, const char *party)
{
    static const char text[] =
        "SELECT event.sequence, event.application_id, message.envelope, event.digest FROM outbox event"
        " JOIN messages message ON message.digest = event.digest WHERE event.recipient = ?1"
        " ORDER BY event.application_id, event.sequence";
    const char *found = NULL;
    struct before before = {.application_id = ""};
    size_t count = 0;
    sqlite3_stmt *row = prepare(audit, text);
    (void)sqlite3_bind_text(row, 1, party, -1, SQLITE_STATIC);
    while (found == NULL && sqlite3_step(row) == SQLITE_ROW) {
        cl_arena_reset(audit->arena);
        found = check_event(audit, row, books, &before);
        count++;
    }
    (void)sqlite3_finalize(row);
    return found != NULL || count == books->count
               ? found
               : wrong("the journal of %s has %zu events, the centre %zu", books->name, books->count, count);
}

/* -- Acknowledgements ----------------------------------------------------------------------------------------- */

static const char *check_ack(struct audit *audit, sqlite3_stmt *row, const struct bank_books *books, const char *party)
{
    struct cl_opened opened;
    ProtobufCMessage *body = NULL;
    int64_t sequence = sqlite3_column_int64(row, 0);
    int level = sqlite3_column_int(row, 1);
    char reference[CL_TEXT_BYTES_MAX + 1] = "";
    if (level == COLOAN__V1__ACK_LEVEL__ACK_LEVEL_APPLIED) {
        (void)snprintf(reference, sizeof reference, "%s-%" PRId64, books->name, sequence);
    }
    const char *found = open_kept(&opened, audit, row, 4);
    if (found != NULL) {
        return found;
    }
    bool is_ack =
        opened.body_type == &coloan__v1__ack__descriptor && cl_is_ok(cl_opened_body(&body, audit->arena, &opened));
    const Coloan__V1__Ack *ack = (const Coloan__V1__Ack *)(const void *)body;
    bool names_it = is_ack && strcmp(opened.header->sender, party) == 0 && (int64_t)ack->sequence == sequence &&
                    (int)ack->level >= level &&
                    cl_bytes_equal(cl_bytes(opened.header->in_reply_to.data, opened.header->in_reply_to.len),
                                   cl_bytes(sqlite3_column_blob(row, 3), (size_t)sqlite3_column_bytes(row, 3)));
    if (!names_it || strcmp(text_of(row, 2), reference) != 0) {
        return wrong("what %s acknowledged for event %" PRId64 " is not what its acknowledgement says", books->name,
                     sequence);
    }
    return NULL;
}

static const char *check_acks(struct audit *audit, const struct bank_books *books, const char *party)
{
    static const char text[] =
        "SELECT ack.sequence, ack.level, ack.reference, event.digest, message.envelope, ack.digest"
        " FROM outbox_acks ack JOIN messages message ON message.digest = ack.digest"
        " JOIN outbox event ON event.recipient = ack.recipient AND event.sequence = ack.sequence"
        " WHERE ack.recipient = ?1";
    const char *found = NULL;
    size_t count = 0;
    sqlite3_stmt *row = prepare(audit, text);
    (void)sqlite3_bind_text(row, 1, party, -1, SQLITE_STATIC);
    while (found == NULL && sqlite3_step(row) == SQLITE_ROW) {
        cl_arena_reset(audit->arena);
        found = check_ack(audit, row, books, party);
        count++;
    }
    (void)sqlite3_finalize(row);
    return found != NULL || count == 2 * books->count
               ? found
               : wrong("%s has %zu events and %zu acknowledgements", books->name, books->count, count);
}

const char *audit_centre(const char *database, const struct bank_books books[BANKS], const struct cl_keyring *keyring,
                         const struct applied_for *applied, size_t applied_count)
{
    struct audit audit = {.keyring = keyring};
    int opened = sqlite3_open_v2(database, &audit.database, SQLITE_OPEN_READONLY, NULL);
    struct cl_status status = cl_arena_create(&audit.arena, ARENA_BYTES);
    assert(opened == SQLITE_OK && cl_is_ok(status));
    const char *found = check_nothing_pending(&audit);
    if (found == NULL) {
        found = check_applications(&audit, applied, applied_count);
    }
    for (size_t i = 0; found == NULL && i < BANKS; i++) {
        found = check_events(&audit, &books[i], bank_roles[i].party);
        if (found == NULL) {
            found = check_acks(&audit, &books[i], bank_roles[i].party);
        }
    }
    cl_arena_free(audit.arena);
    (void)sqlite3_close(audit.database);
    return found;
}
