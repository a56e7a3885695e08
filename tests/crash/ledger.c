#include "tests/crash/ledger.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/sha256.h"

struct ledger {
    pthread_mutex_t mutex; /* guards all */
    struct entry *open_first, *open_last;
    struct entry **answered; /* in the order of their answers */
    size_t answered_count, answered_room;
    size_t dropped_count;            /* of the oldest answered, without bytes */
    size_t repeat_next, repeat_end;  /* of the answered: to be sent again */
    uint64_t open_count, held_count; /* without an answer, queued or held; answered and held */
    uint64_t repeated, sent_again;
};

struct ledger *ledger_create(void)
{
    struct ledger *ledger = calloc(1, sizeof *ledger);
    assert(ledger != NULL);
    (void)pthread_mutex_init(&ledger->mutex, NULL);
    return ledger;
}

static void entry_free(struct entry *entry)
{
    free(entry->envelope);
    free(entry);
}

void ledger_free(struct ledger *ledger)
{
    if (ledger == NULL) {
        return;
    }
    for (size_t i = 0; i < ledger->answered_count; i++) {
        entry_free(ledger->answered[i]);
    }
    while (ledger->open_first != NULL) {
        struct entry *entry = ledger->open_first;
        ledger->open_first = entry->next;
        entry_free(entry);
    }
    (void)pthread_mutex_destroy(&ledger->mutex);
    free(ledger->answered);
    free(ledger);
}

static void queue(struct ledger *ledger, struct entry *entry)
{
    entry->next = NULL;
    if (ledger->open_first == NULL) {
        ledger->open_first = entry;
    } else {
        ledger->open_last->next = entry;
    }
    ledger->open_last = entry;
}

void ledger_add(struct ledger *ledger, const struct cl_request *request, enum entry_kind kind, uint64_t household)
{
    static const char *const methods[] = {
        [ENTRY_SUBMIT] = "coloan.v1.JointApproval/SubmitApplication",
        [ENTRY_REPORT] = "coloan.v1.JointApproval/ReportVerifications",
        [ENTRY_DECIDE] = "coloan.v1.JointApproval/ReportBankDecision",
    };
    assert(strcmp(request->method, methods[kind]) == 0);
    struct entry *entry = calloc(1, sizeof *entry);
    uint8_t *envelope = malloc(request->envelope.len);
    assert(entry != NULL && envelope != NULL);
    memcpy(envelope, request->envelope.data, request->envelope.len);
    *entry = (struct entry){.kind = kind,
                            .household = household,
                            .method = methods[kind],
                            .reply_type = request->reply_type,
                            .message_id = request->message_id,
                            .digest = request->digest,
                            .envelope = envelope,
                            .envelope_len = request->envelope.len,
                            .expires_ms = request->expires_ms,
                            .added_ms = cl_clock_unix_ms(cl_clock_system())};
    (void)pthread_mutex_lock(&ledger->mutex);
    queue(ledger, entry);
    ledger->open_count++;
    (void)pthread_mutex_unlock(&ledger->mutex);
}

/* -- Taking --------------------------------------------------------------------------------------------------- */

struct entry *ledger_take_open(struct ledger *ledger)
{
    (void)pthread_mutex_lock(&ledger->mutex);
    struct entry *entry = ledger->open_first;
    if (entry != NULL) {
        ledger->open_first = entry->next;
        entry->users++;
        entry->sent_count++;
    }
    (void)pthread_mutex_unlock(&ledger->mutex);
    return entry;
}

/* An answered entry; the mutex is held. */
static struct entry *hold(struct ledger *ledger, size_t index)
{
    struct entry *entry = ledger->answered[index];
    if (entry->envelope == NULL) {
        return NULL;
    }
    entry->users++;
    ledger->held_count++;
    return entry;
}

struct entry *ledger_take_repeat(struct ledger *ledger)
{
    struct entry *entry = NULL;
    (void)pthread_mutex_lock(&ledger->mutex);
    while (entry == NULL && ledger->repeat_next < ledger->repeat_end) {
        entry = hold(ledger, ledger->repeat_next++);
    }
    (void)pthread_mutex_unlock(&ledger->mutex);
    return entry;
}

struct entry *ledger_take_any(struct ledger *ledger, uint64_t dice)
{
    struct entry *entry = NULL;
    (void)pthread_mutex_lock(&ledger->mutex);
    if (ledger->answered_count > ledger->dropped_count) {
        entry = hold(ledger, ledger->dropped_count + dice % (ledger->answered_count - ledger->dropped_count));
    }
    (void)pthread_mutex_unlock(&ledger->mutex);
    return entry;
}

void ledger_repeat_last(struct ledger *ledger, size_t count)
{
    (void)pthread_mutex_lock(&ledger->mutex);
    ledger->repeat_end = ledger->answered_count;
    ledger->repeat_next = count < ledger->answered_count ? ledger->answered_count - count : 0;
    (void)pthread_mutex_unlock(&ledger->mutex);
}

/* -- Giving back ---------------------------------------------------------------------------------------------- */

static void drop_old_bytes(struct ledger *ledger)
{
    while (ledger->answered_count - ledger->dropped_count > LEDGER_RETAINED_MAX) {
        struct entry *oldest = ledger->answered[ledger->dropped_count];
        if (oldest->users > 0) {
            return; /* the next answer comes by again */
        }
        free(oldest->envelope);
        oldest->envelope = NULL;
        ledger->dropped_count++;
    }
}

static void keep_first(struct ledger *ledger, struct entry *entry, const struct cl_digest *reply)
{
    if (ledger->answered_count == ledger->answered_room) {
        ledger->answered_room = ledger->answered_room == 0 ? 1024 : 2 * ledger->answered_room;
        struct entry **larger = realloc(ledger->answered, ledger->answered_room * sizeof *larger);
        assert(larger != NULL);
        ledger->answered = larger;
    }
    entry->acknowledged = true;
    entry->acknowledged_ms = cl_clock_unix_ms(cl_clock_system());
    entry->reply = *reply;
    ledger->answered[ledger->answered_count++] = entry;
    ledger->open_count--;
    ledger->sent_again += entry->sent_count > 1;
    drop_old_bytes(ledger);
}

bool ledger_answered(struct ledger *ledger, struct entry *entry, struct cl_bytes reply)
{
    struct cl_digest digest;
    bool same = true;
    cl_sha256(&digest, reply);
    (void)pthread_mutex_lock(&ledger->mutex);
    entry->users--;
    if (entry->acknowledged) {
        ledger->repeated++;
        ledger->held_count--;
        same = cl_digest_equal(&digest, &entry->reply);
    } else {
        keep_first(ledger, entry, &digest);
    }
    (void)pthread_mutex_unlock(&ledger->mutex);
    return same;
}

void ledger_unanswered(struct ledger *ledger, struct entry *entry)
{
    (void)pthread_mutex_lock(&ledger->mutex);
    entry->users--;
    if (entry->acknowledged) {
        ledger->held_count--;
    } else {
        queue(ledger, entry);
    }
    (void)pthread_mutex_unlock(&ledger->mutex);
}

/* -- Looking -------------------------------------------------------------------------------------------------- */

struct ledger_counts ledger_counts(struct ledger *ledger)
{
    (void)pthread_mutex_lock(&ledger->mutex);
    struct ledger_counts counts = {.acknowledged = ledger->answered_count,
                                   .open = ledger->open_count,
                                   .repeated = ledger->repeated,
                                   .sent_again = ledger->sent_again,
                                   .repeats_due = ledger->repeat_end - ledger->repeat_next + ledger->held_count};
    (void)pthread_mutex_unlock(&ledger->mutex);
    return counts;
}

void ledger_each(struct ledger *ledger, enum entry_kind kind, void (*each)(void *user, const struct entry *entry),
                 void *user)
{
    for (size_t i = 0; i < ledger->answered_count; i++) {
        if (ledger->answered[i]->kind == kind) {
            each(user, ledger->answered[i]);
        }
    }
}
