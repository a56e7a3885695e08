#include "tests/crash/lies/facts.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BUSY_MS = 10000,    /* a checkpoint that begins the log anew */
    FIRST_PENDING = 32, /* what goes out next */
};

struct facts {
    sqlite3 *database;
};

struct facts *facts_open(const char *path)
{
    struct facts *facts = calloc(1, sizeof *facts);
    assert(facts != NULL);
    int opened = sqlite3_open_v2(path, &facts->database, SQLITE_OPEN_READONLY, NULL);
    assert(opened == SQLITE_OK);
    (void)sqlite3_busy_timeout(facts->database, BUSY_MS);
    return facts;
}

void facts_close(struct facts *facts)
{
    if (facts != NULL) {
        (void)sqlite3_close(facts->database);
        free(facts);
    }
}

/* -- Asking --------------------------------------------------------------------------------------------------- */

static sqlite3_stmt *prepare(struct facts *facts, const char *text)
{
    sqlite3_stmt *statement = NULL;
    int prepared = sqlite3_prepare_v2(facts->database, text, -1, &statement, NULL);
    assert(prepared == SQLITE_OK);
    return statement;
}

/* Its first row; NULL, and the statement is gone, when there is none. */
static sqlite3_stmt *step(sqlite3_stmt *statement)
{
    int stepped = sqlite3_step(statement);
    assert(stepped == SQLITE_ROW || stepped == SQLITE_DONE);
    if (stepped == SQLITE_DONE) {
        (void)sqlite3_finalize(statement);
        return NULL;
    }
    return statement;
}

/* ?1 is the bank, ?2 a number. */
static sqlite3_stmt *ask(struct facts *facts, const char *text, const char *bank, uint64_t number)
{
    sqlite3_stmt *statement = prepare(facts, text);
    (void)sqlite3_bind_text(statement, 1, bank, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(statement, 2, (int64_t)number);
    return step(statement);
}

/* The one number of a row; 0 when there is none. */
static uint64_t take_number(sqlite3_stmt *row)
{
    if (row == NULL) {
        return 0;
    }
    uint64_t number = (uint64_t)sqlite3_column_int64(row, 0);
    (void)sqlite3_finalize(row);
    return number;
}

static void copy_text(char *out, size_t out_bytes, sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);
    (void)snprintf(out, out_bytes, "%s", text == NULL ? "" : text);
}

static void copy_digest(struct cl_digest *out, sqlite3_stmt *row, int column)
{
    assert(sqlite3_column_bytes(row, column) == CL_DIGEST_BYTES);
    memcpy(out->bytes, sqlite3_column_blob(row, column), CL_DIGEST_BYTES);
}

static struct cl_bytes copy_bytes(struct cl_arena *arena, sqlite3_stmt *row, int column)
{
    size_t len = (size_t)sqlite3_column_bytes(row, column);
    if (len == 0) {
        return cl_bytes(NULL, 0);
    }
    const uint8_t *copy = cl_arena_copy(arena, cl_bytes(sqlite3_column_blob(row, column), len));
    assert(copy != NULL);
    return cl_bytes(copy, len);
}

/* -- How far everybody is ------------------------------------------------------------------------------------- */

struct facts_progress facts_progress(struct facts *facts)
{
    /* States as in coloan.v1.CaseState: verifying and offered; supplement and manual; all others are decided. */
    static const char text[] =
        "SELECT coalesce(sum(cases) FILTER (WHERE state IN (1, 4)), 0),"
        " coalesce(sum(cases) FILTER (WHERE state IN (2, 3)), 0), coalesce(sum(cases) FILTER (WHERE state > 4), 0),"
        " (SELECT count(*) FROM pending), (SELECT coalesce(sum(head), 0) FROM outbox_heads),"
        " (SELECT coalesce(sum(received_floor), 0) FROM outbox_heads),"
        " (SELECT coalesce(sum(applied_floor), 0) FROM outbox_heads) FROM case_states";
    sqlite3_stmt *row = step(prepare(facts, text));
    assert(row != NULL);
    struct facts_progress progress = {.undecided = (uint64_t)sqlite3_column_int64(row, 0),
                                      .with_a_person = (uint64_t)sqlite3_column_int64(row, 1),
                                      .decided = (uint64_t)sqlite3_column_int64(row, 2),
                                      .pending = (uint64_t)sqlite3_column_int64(row, 3),
                                      .events = (uint64_t)sqlite3_column_int64(row, 4),
                                      .received = (uint64_t)sqlite3_column_int64(row, 5),
                                      .applied = (uint64_t)sqlite3_column_int64(row, 6)};
    (void)sqlite3_finalize(row);
    return progress;
}

/* -- Events --------------------------------------------------------------------------------------------------- */

bool facts_event(struct fact_event *out, struct facts *facts, const char *bank, uint64_t sequence)
{
    static const char text[] = "SELECT event.sequence, event.digest, event.application_id, ack.reference"
                               " FROM outbox event LEFT JOIN outbox_acks ack ON ack.recipient = event.recipient"
                               " AND ack.level = 2 AND ack.sequence = event.sequence"
                               " WHERE event.recipient = ?1 AND event.sequence = ?2";
    sqlite3_stmt *row = ask(facts, text, bank, sequence);
    if (row == NULL) {
        return false;
    }
    out->sequence = (uint64_t)sqlite3_column_int64(row, 0);
    copy_digest(&out->digest, row, 1);
    copy_text(out->application_id, sizeof out->application_id, row, 2);
    copy_text(out->reference, sizeof out->reference, row, 3);
    (void)sqlite3_finalize(row);
    return true;
}

uint64_t facts_applied_floor(struct facts *facts, const char *bank)
{
    return take_number(ask(facts, "SELECT applied_floor FROM outbox_heads WHERE recipient = ?1", bank, 0));
}

/* A number from 1 to the floor; 0: there is none. */
static uint64_t any_applied(struct facts *facts, const char *bank, uint64_t dice)
{
    uint64_t floor = facts_applied_floor(facts, bank);
    return floor == 0 ? 0 : 1 + dice % floor;
}

bool facts_applied(struct fact_event *out, struct facts *facts, const char *bank, uint64_t dice)
{
    return facts_event(out, facts, bank, any_applied(facts, bank, dice));
}

bool facts_pending(struct fact_event *out, struct facts *facts, const char *bank, uint64_t dice)
{
    static const char text[] =
        "SELECT sequence FROM pending WHERE recipient = ?1 AND state = 0 ORDER BY sequence LIMIT 1 OFFSET ?2";
    uint64_t sequence = take_number(ask(facts, text, bank, dice % FIRST_PENDING));
    if (sequence == 0) {
        sequence = take_number(ask(facts, text, bank, 0));
    }
    return sequence != 0 && facts_event(out, facts, bank, sequence);
}

bool facts_not_brought(struct fact_event *out, struct facts *facts, const char *bank, uint64_t after)
{
    /* PENDING_FRESH and PENDING_WAITING */
    static const char text[] =
        "SELECT mine.sequence FROM pending mine WHERE mine.recipient = ?1 AND mine.sequence > ?2"
        " AND mine.state IN (0, 2) AND NOT EXISTS (SELECT 1 FROM pending earlier"
        " WHERE earlier.recipient = mine.recipient AND earlier.application_id = mine.application_id"
        " AND earlier.sequence < mine.sequence) ORDER BY mine.sequence LIMIT 1";
    uint64_t sequence = take_number(ask(facts, text, bank, after));
    return sequence != 0 && facts_event(out, facts, bank, sequence);
}

uint64_t facts_head(struct facts *facts, const char *bank)
{
    return take_number(ask(facts, "SELECT head FROM outbox_heads WHERE recipient = ?1", bank, 0));
}

bool facts_is_received(struct facts *facts, const char *bank, uint64_t sequence)
{
    static const char text[] = "SELECT 1 FROM outbox_acks WHERE recipient = ?1 AND level = 1 AND sequence = ?2";
    return take_number(ask(facts, text, bank, sequence)) == 1;
}

bool facts_is_pending(struct facts *facts, const char *bank, uint64_t sequence)
{
    static const char text[] = "SELECT 1 FROM pending WHERE recipient = ?1 AND sequence = ?2";
    return take_number(ask(facts, text, bank, sequence)) == 1;
}

bool facts_is_parked(struct facts *facts, const char *bank, uint64_t sequence)
{
    static const char text[] = "SELECT 1 FROM pending WHERE recipient = ?1 AND state = 4 AND sequence = ?2";
    return take_number(ask(facts, text, bank, sequence)) == 1;
}

bool facts_waiting(uint64_t *out, struct facts *facts, const char *bank, uint64_t after, int64_t until_ms)
{
    sqlite3_stmt *statement = prepare(facts, "SELECT sequence FROM pending WHERE recipient = ?1 AND sequence > ?2"
                                             " AND state IN (1, 2) AND next_ms > ?3 ORDER BY sequence LIMIT 1");
    (void)sqlite3_bind_text(statement, 1, bank, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(statement, 2, (int64_t)after);
    (void)sqlite3_bind_int64(statement, 3, until_ms);
    *out = take_number(step(statement));
    return *out != 0;
}

bool facts_has_failed(struct facts *facts, const char *bank, uint64_t sequence, const char *note)
{
    sqlite3_stmt *statement = prepare(facts, "SELECT 1 FROM delivery_log WHERE recipient = ?1 AND sequence = ?2"
                                             " AND step IN (1, 2) AND note = ?3");
    (void)sqlite3_bind_text(statement, 1, bank, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(statement, 2, (int64_t)sequence);
    (void)sqlite3_bind_text(statement, 3, note, -1, SQLITE_STATIC);
    return take_number(step(statement)) == 1;
}

/* -- Messages ------------------------------------------------------------------------------------------------- */

#define MESSAGE_COLUMNS "SELECT message.message_id, message.digest, message.method, message.envelope, reply.envelope"

static bool take_message(struct fact_message *out, struct cl_arena *arena, sqlite3_stmt *row)
{
    if (row == NULL) {
        return false;
    }
    assert(sqlite3_column_bytes(row, 0) == CL_UUID_BYTES);
    memcpy(out->message_id.bytes, sqlite3_column_blob(row, 0), CL_UUID_BYTES);
    copy_digest(&out->digest, row, 1);
    out->method = cl_arena_text(arena, (const char *)sqlite3_column_text(row, 2));
    assert(out->method != NULL);
    out->envelope = copy_bytes(arena, row, 3);
    out->reply = copy_bytes(arena, row, 4);
    (void)sqlite3_finalize(row);
    return true;
}

bool facts_decision(struct fact_message *out, struct facts *facts, struct cl_arena *arena, const char *bank,
                    uint64_t dice)
{
    static const char text[] =
        MESSAGE_COLUMNS " FROM outbox event JOIN offers offer ON offer.application_id = event.application_id"
                        " JOIN messages message ON message.digest = offer.bank_decision"
                        " JOIN messages reply ON reply.digest = message.reply"
                        " WHERE event.recipient = ?1 AND event.sequence = ?2 LIMIT 1";
    return take_message(out, arena, ask(facts, text, bank, any_applied(facts, bank, dice)));
}

bool facts_ack(struct fact_message *out, struct facts *facts, struct cl_arena *arena, const char *bank, int level,
               uint64_t dice)
{
    static const char received[] =
        MESSAGE_COLUMNS " FROM outbox_acks ack JOIN messages message ON message.digest = ack.digest"
                        " LEFT JOIN messages reply ON reply.digest = message.reply"
                        " WHERE ack.recipient = ?1 AND ack.level = 1 AND ack.sequence = ?2";
    static const char applied[] =
        MESSAGE_COLUMNS " FROM outbox_acks ack JOIN messages message ON message.digest = ack.digest"
                        " LEFT JOIN messages reply ON reply.digest = message.reply"
                        " WHERE ack.recipient = ?1 AND ack.level = 2 AND ack.sequence = ?2";
    struct fact_event event;
    if (!facts_applied(&event, facts, bank, dice)) {
        return false;
    }
    out->answers = event.digest;
    return take_message(out, arena, ask(facts, level == 1 ? received : applied, bank, event.sequence));
}

bool facts_has_message(struct facts *facts, const struct cl_digest *digest)
{
    sqlite3_stmt *statement = prepare(facts, "SELECT 1 FROM messages WHERE digest = ?1");
    (void)sqlite3_bind_blob(statement, 1, digest->bytes, CL_DIGEST_BYTES, SQLITE_STATIC);
    return take_number(step(statement)) == 1;
}

/* -- Offers --------------------------------------------------------------------------------------------------- */

static bool take_offer(struct fact_offer *out, sqlite3_stmt *row)
{
    if (row == NULL) {
        return false;
    }
    copy_text(out->application_id, sizeof out->application_id, row, 0);
    out->version = (uint32_t)sqlite3_column_int64(row, 1);
    out->bank_epoch = (uint32_t)sqlite3_column_int64(row, 2);
    copy_digest(&out->terms, row, 3);
    (void)sqlite3_finalize(row);
    return true;
}

bool facts_decided_offer(struct fact_offer *out, struct facts *facts, const char *bank, uint64_t dice)
{
    static const char text[] = "SELECT offer.application_id, offer.version, offer.bank_epoch, offer.terms_digest"
                               " FROM outbox event JOIN offers offer ON offer.application_id = event.application_id"
                               " JOIN applications file ON file.id = offer.application_id"
                               " WHERE event.recipient = ?1 AND event.sequence = ?2"
                               " AND file.state NOT IN (1, 2, 3, 4) LIMIT 1";
    return take_offer(out, ask(facts, text, bank, any_applied(facts, bank, dice)));
}

bool facts_open_offer(struct fact_offer *out, struct facts *facts, const char *bank)
{
    static const char text[] = "SELECT offer.application_id, offer.version, offer.bank_epoch, offer.terms_digest"
                               " FROM applications file JOIN offers offer ON offer.application_id = file.id"
                               " AND offer.version = file.offer_version"
                               " WHERE file.bank = ?1 AND file.state = ?2 ORDER BY file.submitted_ms DESC LIMIT 1";
    enum { OFFERED = 4 };
    return take_offer(out, ask(facts, text, bank, OFFERED));
}

bool facts_is_offered(struct facts *facts, const char *application_id)
{
    sqlite3_stmt *statement = prepare(facts, "SELECT 1 FROM applications WHERE id = ?1 AND state = 4");
    (void)sqlite3_bind_text(statement, 1, application_id, -1, SQLITE_STATIC);
    return take_number(step(statement)) == 1;
}
