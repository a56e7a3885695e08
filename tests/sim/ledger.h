/* ledger.h - what every party ever sent, byte for byte, and the first answer it got: against this the centre's database
 * and its later answers are held. It knows what a party that was killed has forgotten.
 *
 * Owner: the ledger owns its entries; they stay where they are until ledger_free. */
#ifndef COLOAN_TESTS_SIM_LEDGER_H
#define COLOAN_TESTS_SIM_LEDGER_H

#include "libcoloan/envelope.h"
#include "server/store/sql.h"
#include "tests/sim/sim.h"

struct entry {
    struct entry *next;
    unsigned number; /* for the trace, from 1 */
    enum role role;
    size_t method; /* its index in api_method_at */
    const ProtobufCMessageDescriptor *reply_type;
    struct cl_uuid message_id;
    struct cl_digest digest;
    uint8_t *envelope;
    size_t envelope_len;
    int64_t expires_ms;
    bool lie;               /* the party should not have said it: whatever becomes of it, nothing may break */
    bool answered;          /* with a reply */
    struct cl_digest reply; /* SHA-256 of its bytes */
    enum cl_reason refused; /* the last refusal; OK: none */
    unsigned sent;
};

struct ledger;

struct ledger *ledger_create(struct sim *sim);
void ledger_free(struct ledger *ledger); /* NULL is fine */

/* The entry of these bytes; the first time a new one, copied from `entry`. */
struct entry *ledger_keep(struct ledger *ledger, const struct entry *entry, struct cl_bytes envelope);

/* A verified reply. Violated when it is another than the first. */
void ledger_answered(struct ledger *ledger, struct entry *entry, struct cl_bytes reply);

/* Holds the database against all answers, or those since the last look. */
void ledger_check(struct ledger *ledger, struct sql *sql, bool all);

/* The next entry after `entry` (NULL: the first). */
struct entry *ledger_next(struct ledger *ledger, const struct entry *entry);

unsigned ledger_count(const struct ledger *ledger);

#endif
