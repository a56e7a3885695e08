#include "tests/sim/ledger.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "server/api/methods.h"

struct ledger {
    struct sim *sim;
    struct entry *first, **last;
    unsigned count;
    struct entry **fresh; /* answered since the last look */
    size_t fresh_count, fresh_room;
};

struct ledger *ledger_create(struct sim *sim)
{
    struct ledger *ledger = calloc(1, sizeof *ledger);
    assert(ledger != NULL);
    ledger->sim = sim;
    ledger->last = &ledger->first;
    return ledger;
}

void ledger_free(struct ledger *ledger)
{
    if (ledger == NULL) {
        return;
    }
    while (ledger->first != NULL) {
        struct entry *next = ledger->first->next;
        free(ledger->first->envelope);
        free(ledger->first);
        ledger->first = next;
    }
    free(ledger->fresh);
    free(ledger);
}

struct entry *ledger_keep(struct ledger *ledger, const struct entry *entry, struct cl_bytes envelope)
{
    for (struct entry *known = ledger->first; known != NULL; known = known->next) {
        if (cl_digest_equal(&known->digest, &entry->digest)) {
            return known;
        }
    }
    struct entry *kept = malloc(sizeof *kept);
    assert(kept != NULL);
    *kept = *entry;
    kept->next = NULL;
    kept->number = ++ledger->count;
    kept->envelope = malloc(envelope.len);
    assert(kept->envelope != NULL);
    memcpy(kept->envelope, envelope.data, envelope.len);
    kept->envelope_len = envelope.len;
    *ledger->last = kept;
    ledger->last = &kept->next;
    return kept;
}

static void note_fresh(struct ledger *ledger, struct entry *entry)
{
    if (ledger->fresh_count == ledger->fresh_room) {
        ledger->fresh_room = ledger->fresh_room == 0 ? 64 : 2 * ledger->fresh_room;
        ledger->fresh = realloc(ledger->fresh, ledger->fresh_room * sizeof(struct entry *));
        assert(ledger->fresh != NULL);
    }
    ledger->fresh[ledger->fresh_count++] = entry;
}

void ledger_answered(struct ledger *ledger, struct entry *entry, struct cl_bytes reply)
{
    struct cl_digest digest;
    cl_sha256(&digest, reply);
    if (!entry->answered) {
        entry->answered = true;
        entry->reply = digest;
        note_fresh(ledger, entry);
        return;
    }
    if (!cl_digest_equal(&digest, &entry->reply)) {
        sim_violated(ledger->sim, "request %u (%s of %s) was repeated and got another answer", entry->number,
                     api_method_name(api_method_at(entry->method)), base_party(entry->role));
    }
}

/* -- Against the database ------------------------------------------------------------------------------------ */

static void check_entry(struct ledger *ledger, struct sql *sql, const struct entry *entry)
{
    static const char text[] = "SELECT reply.envelope FROM messages AS request JOIN messages AS reply "
                               "ON reply.digest = request.reply WHERE request.digest = $1 AND request.way = 1";
    struct sql_statement *statement = NULL;
    struct cl_digest digest = {{0}};
    bool row = false;
    struct cl_status status = sql_prepare(&statement, sql, text);
    if (cl_is_ok(status)) {
        sql_bind_digest(statement, 1, &entry->digest);
        status = sql_step(&row, statement);
    }
    if (cl_failed(status)) {
        return; /* the disk; it is looked at again after the restart */
    }
    if (row) {
        cl_sha256(&digest, sql_column_bytes(statement, 0));
        sql_finish(statement);
    }
    if (!row || !cl_digest_equal(&digest, &entry->reply)) {
        sim_violated(ledger->sim, "request %u (%s of %s) was answered, and %s in the database", entry->number,
                     api_method_name(api_method_at(entry->method)), base_party(entry->role),
                     row ? "has another answer" : "is not");
    }
}

/* Those answered from memory, or with what is kept elsewhere, are not. */
static bool is_kept(const struct entry *entry)
{
    const struct api_method *method = api_method_at(entry->method);
    return entry->answered && method->way == API_STORED && !method->fleeting;
}

void ledger_check(struct ledger *ledger, struct sql *sql, bool all)
{
    for (size_t i = 0; i < ledger->fresh_count && !all; i++) {
        check_entry(ledger, sql, ledger->fresh[i]);
    }
    ledger->fresh_count = 0;
    for (const struct entry *entry = ledger->first; entry != NULL && all; entry = entry->next) {
        if (is_kept(entry)) {
            check_entry(ledger, sql, entry);
        }
    }
}

struct entry *ledger_next(struct ledger *ledger, const struct entry *entry)
{
    return entry == NULL ? ledger->first : entry->next;
}

unsigned ledger_count(const struct ledger *ledger)
{
    return ledger->count;
}
