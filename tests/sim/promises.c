/* Two kinds of looks. A rule is a query that counts what breaks it. What is new in the message log, the outbox, the decisions
 * and the case log is read row by row: signatures, digests, numbers, and who caused it. */
#include "tests/sim/promises.h"

#include <assert.h>
#include <coloan/v1/decision.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "client/evidence.h"
#include "libcoloan/chain.h"
#include "libcoloan/limits.h"
#include "server/store/sql.h"
#include "tests/sim/borrowers.h"
#include "tests/sim/hub.h"
#include "tests/sim/ledger.h"
#include "tests/sim/lender.h"

/* A running digest of rows in order, and how many they were. */
struct rows {
    int64_t count;
    struct cl_sha256 hash;
};

struct promises {
    struct sim *sim;
    struct cl_arena *arena;
    struct rows messages, events, decisions;
    int64_t steps;        /* of the case log */
    int64_t last_message; /* rowid */
    uint64_t sequence[ROLE_COUNT];
    struct cl_digest chain[ROLE_COUNT]; /* of all up to it */
    struct promises_seen seen;
};

enum { ARENA_BYTES = 4 * 1024 * 1024 };

struct promises *promises_create(struct sim *sim)
{
    struct promises *promises = calloc(1, sizeof *promises);
    assert(promises != NULL);
    struct cl_status status = cl_arena_create(&promises->arena, ARENA_BYTES);
    assert(cl_is_ok(status));
    promises->sim = sim;
    cl_sha256_init(&promises->messages.hash);
    cl_sha256_init(&promises->events.hash);
    cl_sha256_init(&promises->decisions.hash);
    return promises;
}

void promises_free(struct promises *promises)
{
    if (promises != NULL) {
        cl_arena_free(promises->arena);
        free(promises);
    }
}

struct promises_seen promises_seen(const struct sim *sim)
{
    return sim->promises->seen;
}

/* -- Queries ------------------------------------------------------------------------------------------------- */

/* A statement of a static text; reading works, as nothing is armed while somebody looks. */
static struct sql_statement *prepare(struct sim *sim, const char *text)
{
    struct sql_statement *statement = NULL;
    struct cl_status status = sql_prepare(&statement, hub_reader(sim->hub), text);
    assert(cl_is_ok(status));
    return statement;
}

static bool step(struct sql_statement *statement)
{
    bool row = false;
    struct cl_status status = sql_step(&row, statement);
    assert(cl_is_ok(status));
    return row;
}

static int64_t number_of(struct sim *sim, const char *text)
{
    struct sql_statement *statement = prepare(sim, text);
    int64_t number = step(statement) ? sql_column_i64(statement, 0) : 0;
    sql_finish(statement);
    return number;
}

/* -- Rules --------------------------------------------------------------------------------------------------- */

/* Numbers: direction 1 request; outcome 2 approved jointly, 3 by the fund alone; bank track 2 approved, 5 not needed, 6 to
 * 8 signed to settled; fund track 6 to 9 confirmed to settled; event kind 3 joint decision; case command 5 change of bank. */
static const struct rule {
    const char *text, *broken;
} rules[] = {
    {"SELECT count(*) FROM applications AS a WHERE a.bank_track IN (2, 6, 7, 8) AND NOT EXISTS (SELECT 1 FROM "
     "decisions AS "
     "d JOIN offers AS o ON o.application_id = a.id AND o.version = a.offer_version WHERE d.application_id = a.id AND "
     "d.round = a.round AND d.outcome = 2 AND d.terms_digest = o.terms_digest AND o.bank_decision IS NOT NULL AND "
     "o.bank_epoch = a.bank_epoch)",
     "a bank is bound without a joint decision on the current offer"},
    {"SELECT count(*) FROM applications AS a WHERE a.fund IN (6, 7, 8, 9) AND NOT EXISTS (SELECT 1 FROM decisions AS d "
     "WHERE d.application_id = a.id AND d.round = a.round AND d.outcome IN (2, 3))",
     "the fund is bound without a joint decision of this round"},
    {"SELECT count(*) FROM applications AS a WHERE (a.outcome = 2) <> (a.bank_track IN (2, 6, 7, 8) AND a.fund IN (2, "
     "6, "
     "7, 8, 9))",
     "half approved: outcome and tracks say different things"},
    {"SELECT count(*) FROM (SELECT 1 FROM decisions GROUP BY application_id, round HAVING count(*) > 1)",
     "a round was decided twice"},
    {"SELECT count(*) FROM outbox WHERE kind = 3 AND digest NOT IN (SELECT event FROM decisions)",
     "a joint decision was told that was not made"},
    {"SELECT count(*) FROM decisions WHERE event NOT IN (SELECT digest FROM outbox)",
     "a joint decision was made and not told"},
    {"SELECT count(*) FROM applications AS a WHERE a.bank_epoch <> (SELECT max(bank_epoch) FROM lenders WHERE "
     "application_id = a.id) OR a.bank <> (SELECT bank FROM lenders WHERE application_id = a.id AND bank_epoch = "
     "a.bank_epoch)",
     "the bank that lends is not the last one of its epochs"},
    {"SELECT count(*) FROM milestones AS m JOIN lenders AS l ON l.application_id = m.application_id AND l.bank_epoch = "
     "m.bank_epoch JOIN messages AS t ON t.digest = m.message WHERE t.sender <> l.bank OR l.bank_epoch <> (SELECT "
     "bank_epoch FROM applications WHERE id = m.application_id)",
     "a bank that does not lend reported a milestone"},
    {"SELECT count(*) FROM case_log AS c JOIN messages AS t ON t.digest = c.message JOIN lenders AS l ON "
     "l.application_id = "
     "c.application_id AND l.bank_epoch = 1 + (SELECT count(*) FROM case_log AS b WHERE b.application_id = "
     "c.application_id AND b.command = 5 AND b.number < c.number) WHERE t.sender LIKE 'bank:%' AND t.sender <> l.bank",
     "a bank that does not lend moved the case"},
    {"SELECT count(*) FROM outbox_heads AS h WHERE h.head <> (SELECT max(sequence) FROM outbox WHERE recipient = "
     "h.recipient) OR h.head <> (SELECT count(*) FROM outbox WHERE recipient = h.recipient)",
     "an outbox has a gap"},
    {"SELECT count(*) FROM outbox AS o JOIN outbox AS p ON p.recipient = o.recipient AND p.sequence = o.sequence + 1 "
     "JOIN "
     "messages AS om ON om.digest = o.digest JOIN messages AS pm ON pm.digest = p.digest WHERE pm.rowid <= om.rowid",
     "events stand in another order than they were made in"},
    {"SELECT count(*) FROM outbox AS o WHERE (NOT EXISTS (SELECT 1 FROM outbox_acks AS a WHERE a.recipient = "
     "o.recipient AND "
     "a.sequence = o.sequence)) AND NOT EXISTS (SELECT 1 FROM pending AS p WHERE p.recipient = o.recipient AND "
     "p.sequence = "
     "o.sequence)",
     "an event that nobody acknowledged is not pending any more"},
    {"SELECT count(*) FROM offers AS o JOIN messages AS t ON t.digest = o.bank_decision JOIN lenders AS l ON "
     "l.application_id = o.application_id AND l.bank_epoch = o.bank_epoch WHERE t.sender <> l.bank",
     "an offer was decided by another bank than the one it was made to"},
};

static void check_rules(struct sim *sim)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        int64_t count = number_of(sim, rules[i].text);
        if (count > 0) {
            sim_violated(sim, "%s (%lld times)", rules[i].broken, (long long)count);
        }
    }
}

/* -- New messages -------------------------------------------------------------------------------------------- */

static bool same_text(const char *a, const char *b)
{
    return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

/* The row says of the message what the message says of itself. */
static bool row_fits(struct sql_statement *row, const struct cl_opened *opened)
{
    struct cl_digest digest;
    const Coloan__V1__SignedHeader *header = opened->header;
    return sql_column_digest(&digest, row, 1) && cl_digest_equal(&digest, &opened->digest) &&
           same_text(sql_column_text(row, 2), header->sender) &&
           same_text(sql_column_text(row, 3), header->recipient) &&
           cl_bytes_equal(sql_column_bytes(row, 4), cl_bytes(opened->message_id.bytes, CL_UUID_BYTES)) &&
           sql_column_i64(row, 5) == (int64_t)header->direction && same_text(sql_column_text(row, 6), header->method);
}

/* A reply is the one of the request it answers. */
static void check_reply(struct sim *sim, const struct cl_opened *opened)
{
    static const char text[] = "SELECT reply, sender FROM messages WHERE digest = $1 AND way = 1";
    const ProtobufCBinaryData *answers = &opened->header->in_reply_to;
    struct sql_statement *statement = prepare(sim, text);
    struct cl_digest reply = {{0}};
    sql_bind_bytes(statement, 1, cl_bytes(answers->data, answers->len));
    bool fits = step(statement) && sql_column_digest(&reply, statement, 0) &&
                cl_digest_equal(&reply, &opened->digest) &&
                same_text(sql_column_text(statement, 1), opened->header->recipient);
    sql_finish(statement);
    if (!fits) {
        sim_violated(sim, "a reply in the log is not that of its request");
    }
}

static void check_request(struct sim *sim, struct sql_statement *row, const Coloan__V1__SignedHeader *header)
{
    int64_t at_ms = sql_column_i64(row, 9);
    if (sql_column_is_null(row, 8)) {
        sim_violated(sim, "a request was handled and has no reply");
    }
    if (at_ms > header->expires_ms || at_ms < header->created_ms - CL_CLOCK_AHEAD_MS_MAX) {
        sim_violated(sim, "a request was handled outside its time");
    }
}

static void check_message(struct promises *promises, struct sql_statement *row)
{
    struct sim *sim = promises->sim;
    struct cl_opened opened;
    struct cl_bytes envelope = sql_column_bytes(row, 7);
    cl_arena_reset(promises->arena);
    struct cl_status status = cl_envelope_verify(&opened, promises->arena, envelope, sim->base->keyring);
    if (cl_failed(status) || !row_fits(row, &opened)) {
        sim_violated(sim, "a message in the log is not what its row says: %s", cl_status_name(status));
        return;
    }
    if (opened.header->direction == COLOAN__V1__DIRECTION__DIRECTION_REPLY) {
        check_reply(sim, &opened);
    }
    if (opened.header->direction == COLOAN__V1__DIRECTION__DIRECTION_REQUEST) {
        check_request(sim, row, opened.header);
    }
}

#define MESSAGE_COLUMNS "rowid, digest, sender, recipient, message_id, direction, method, envelope, reply, at_ms"

static void add_row(struct rows *rows, struct cl_bytes bytes)
{
    rows->count++;
    cl_sha256_add_u32be(&rows->hash, (uint32_t)bytes.len);
    cl_sha256_add(&rows->hash, bytes);
}

static void check_messages(struct promises *promises)
{
    static const char text[] = "SELECT " MESSAGE_COLUMNS " FROM messages WHERE rowid > $1 ORDER BY rowid";
    struct sql_statement *statement = prepare(promises->sim, text);
    sql_bind_i64(statement, 1, promises->last_message);
    while (step(statement)) {
        promises->last_message = sql_column_i64(statement, 0);
        add_row(&promises->messages, sql_column_bytes(statement, 7));
        check_message(promises, statement);
    }
}

/* -- New events ---------------------------------------------------------------------------------------------- */

static void check_events_of(struct promises *promises, enum role role)
{
    static const char text[] =
        "SELECT o.sequence, o.digest, m.envelope, o.chain FROM outbox AS o JOIN messages AS m ON m.digest = "
        "o.digest WHERE o.recipient = $1 AND o.sequence > $2 ORDER BY o.sequence";
    struct sim *sim = promises->sim;
    struct sql_statement *statement = prepare(sim, text);
    sql_bind_text(statement, 1, base_party(role));
    sql_bind_i64(statement, 2, (int64_t)promises->sequence[role]);
    while (step(statement)) {
        struct cl_opened opened = {.digest = {{0}}};
        cl_arena_reset(promises->arena);
        struct cl_status status =
            cl_envelope_verify(&opened, promises->arena, sql_column_bytes(statement, 2), sim->base->keyring);
        uint64_t sequence = (uint64_t)sql_column_i64(statement, 0);
        struct cl_digest chain = {{0}};
        cl_chain_next(&promises->chain[role], &promises->chain[role], sequence, &opened.digest);
        bool chained = sql_column_digest(&chain, statement, 3) && cl_digest_equal(&chain, &promises->chain[role]);
        if (cl_failed(status) || sequence != promises->sequence[role] + 1 || opened.header->sequence != sequence ||
            !chained || !same_text(opened.header->recipient, base_party(role))) {
            sim_violated(sim, "event %llu of %s stands where it should not", (unsigned long long)sequence,
                         base_party(role));
        }
        promises->sequence[role] = sequence;
        promises->seen.events++;
        add_row(&promises->events, sql_column_bytes(statement, 1));
    }
}

/* -- New decisions ------------------------------------------------------------------------------------------- */

/* Approved jointly only with both lenders' signatures on the same terms, as the stored bytes say. */
static void check_decision(struct promises *promises, struct sql_statement *row)
{
    struct sim *sim = promises->sim;
    struct client_evidence evidence;
    cl_arena_reset(promises->arena);
    struct cl_status status =
        client_evidence_check(&evidence, promises->arena, sql_column_bytes(row, 2), sim->base->keyring);
    int64_t outcome = sql_column_i64(row, 0);
    if (cl_failed(status)) {
        sim_violated(sim, "a joint decision does not hold by its signatures: %s, %s", evidence.step,
                     cl_status_name(status));
        return;
    }
    struct cl_digest terms;
    bool approved = outcome == COLOAN__V1__OUTCOME__OUTCOME_APPROVED_COMBINED;
    bool same = sql_column_digest(&terms, row, 1) &&
                cl_bytes_equal(cl_bytes(terms.bytes, sizeof terms.bytes),
                               cl_bytes(evidence.joint->terms_digest.data, evidence.joint->terms_digest.len));
    bool both =
        evidence.has_fund && evidence.has_bank && evidence.bank_decision != NULL &&
        cl_bytes_equal(cl_bytes(evidence.bank_decision->terms_digest.data, evidence.bank_decision->terms_digest.len),
                       cl_bytes(terms.bytes, sizeof terms.bytes)) &&
        same_text(evidence.bank.header->sender, sql_column_text(row, 3));
    if (outcome != (int64_t)evidence.joint->outcome || (approved && !(same && both))) {
        sim_violated(sim, "a case was approved without both signatures on the same terms");
    }
    promises->seen.approved += approved ? 1 : 0;
}

static void check_decisions(struct promises *promises)
{
    static const char text[] =
        "SELECT d.outcome, d.terms_digest, m.envelope, o.recipient, d.event FROM decisions AS d JOIN messages AS m ON "
        "m.digest = d.event JOIN outbox AS o ON o.digest = d.event ORDER BY m.rowid LIMIT -1 OFFSET $1";
    struct sql_statement *statement = prepare(promises->sim, text);
    sql_bind_i64(statement, 1, promises->decisions.count);
    while (step(statement)) {
        add_row(&promises->decisions, sql_column_bytes(statement, 4));
        check_decision(promises, statement);
    }
}

/* -- After every commit -------------------------------------------------------------------------------------- */

void promises_check(struct sim *sim)
{
    static const char newest[] = "SELECT coalesce(max(rowid), 0) FROM messages";
    static const char step_count[] =
        "SELECT coalesce(sum((SELECT max(number) FROM case_log WHERE application_id = a.id)), 0) "
        "FROM applications AS a";
    struct promises *promises = sim->promises;
    int64_t steps = number_of(sim, step_count);
    if (number_of(sim, newest) == promises->last_message && steps == promises->steps) {
        return; /* nothing that a promise is about */
    }
    unsigned events = promises->seen.events;
    check_messages(promises);
    for (int i = ROLE_ALPHA; i < ROLE_COUNT; i++) {
        check_events_of(promises, (enum role)i);
    }
    check_decisions(promises);
    if (steps != promises->steps || events != promises->seen.events) {
        check_rules(sim); /* a case moved, or something was told */
    }
    promises->steps = steps;
    ledger_check(sim->ledger, hub_reader(sim->hub), false);
}

/* -- After a start ------------------------------------------------------------------------------------------- */

/* The first rows are those that were seen, byte for byte. */
static void check_kept(struct sim *sim, const struct rows *known, const char *what, const char *text)
{
    struct rows now = {.count = 0};
    struct cl_sha256 hash = known->hash;
    struct cl_digest then;
    struct cl_digest again;
    cl_sha256_init(&now.hash);
    struct sql_statement *statement = prepare(sim, text);
    sql_bind_i64(statement, 1, known->count);
    while (step(statement)) {
        add_row(&now, sql_column_bytes(statement, 0));
    }
    cl_sha256_finish(&hash, &then);
    cl_sha256_finish(&now.hash, &again);
    if (now.count != known->count || !cl_digest_equal(&then, &again)) {
        sim_violated(sim, "%s: %lld were there before the restart, %lld of them are there%s", what,
                     (long long)known->count, (long long)now.count, now.count == known->count ? ", changed" : "");
    }
}

void promises_restarted(struct sim *sim)
{
    static const char messages[] = "SELECT envelope FROM messages ORDER BY rowid LIMIT $1";
    static const char decisions[] = "SELECT d.event FROM decisions AS d JOIN messages AS m ON m.digest = d.event "
                                    "ORDER BY m.rowid LIMIT $1";
    struct promises *promises = sim->promises;
    struct cl_status status = sql_check(hub_reader(sim->hub));
    if (cl_failed(status)) {
        sim_violated(sim, "the database is damaged");
        return; /* nothing can be read of it any more */
    }
    check_kept(sim, &promises->messages, "messages", messages);
    check_kept(sim, &promises->decisions, "joint decisions", decisions);
    promises_check(sim); /* and what became durable without anybody hearing of it */
    ledger_check(sim->ledger, hub_reader(sim->hub), true);
}

/* -- The end ------------------------------------------------------------------------------------------------- */

int64_t promises_next_due_ms(struct sim *sim)
{
    static const char text[] = "SELECT coalesce(min(at_ms), 0) FROM due";
    return number_of(sim, text);
}

bool promises_all_ended(struct sim *sim)
{
    /* Rejected, expired, withdrawn, repaying (all is paid), settled, cancelled. */
    static const char open[] = "SELECT count(*) FROM applications WHERE state NOT IN (6, 7, 8, 20, 21, 22)";
    static const char undelivered[] = "SELECT count(*) FROM outbox_heads WHERE applied_floor < head";
    if (!hub_is_well(sim->hub) || number_of(sim, open) > 0 || number_of(sim, undelivered) > 0) {
        return false;
    }
    for (int i = ROLE_ALPHA; i < ROLE_COUNT; i++) {
        if (!lender_is_idle(sim->lenders[i])) {
            return false;
        }
    }
    for (unsigned i = 0; i < borrowers_count(sim->borrowers); i++) {
        bool known = borrowers_application(sim->borrowers, i)[0] != '\0';
        if (!known && !borrowers_turned_away(sim->borrowers, i)) {
            return false;
        }
    }
    return true;
}

static void check_events_applied(struct sim *sim, enum role role)
{
    for (uint64_t sequence = 1; sequence <= sim->promises->sequence[role]; sequence++) {
        unsigned times = lender_applied(sim->lenders[role], sequence);
        if (times != 1) {
            sim_violated(sim, "%s applied event %llu %u times", base_party(role), (unsigned long long)sequence, times);
        }
    }
}

/* The bank that lends knows it, and no other bank believes it does. */
static void check_lender(struct sim *sim, const char *id, const char *bank, bool binds)
{
    for (int i = ROLE_ALPHA; i < ROLE_COUNT; i++) {
        bool lends = binds && strcmp(base_party((enum role)i), bank) == 0;
        if (lender_believes(sim->lenders[i], id) != lends) {
            sim_violated(sim, "%s %s that it lends for %s", base_party((enum role)i),
                         lends ? "does not know" : "believes", id);
        }
    }
}

void promises_final(struct sim *sim)
{
    static const char text[] = "SELECT id, bank, outcome, state FROM applications";
    static const char pending[] = "SELECT count(*) FROM applications";
    unsigned known = 0;
    struct sql_statement *statement = prepare(sim, text);
    while (step(statement)) {
        check_lender(sim, sql_column_text(statement, 0), sql_column_text(statement, 1),
                     sql_column_i64(statement, 2) == COLOAN__V1__OUTCOME__OUTCOME_APPROVED_COMBINED);
    }
    for (int i = ROLE_ALPHA; i < ROLE_COUNT; i++) {
        check_events_applied(sim, (enum role)i);
    }
    for (unsigned i = 0; i < borrowers_count(sim->borrowers); i++) {
        known += borrowers_application(sim->borrowers, i)[0] != '\0' ? 1 : 0;
    }
    if ((int64_t)known != number_of(sim, pending)) {
        sim_violated(sim, "%u applications are known to their borrowers, %lld to the centre", known,
                     (long long)number_of(sim, pending));
    }
    promises_restarted(sim);
}
