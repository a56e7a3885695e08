/* What each recipient was told and what it said of it: the chain over its events, its acknowledgements, how far it is, and
 * that what it did not acknowledge is still on its way. */
#include <inttypes.h>
#include <string.h>

#include "libcoloan/chain.h"
#include "server/verify/rows.h"

/* -- The chain ------------------------------------------------------------------------------------------------ */

/* A value that differs is told once: the next one is judged by what stands here. */
static struct cl_status check_link(struct verify *verify, struct sql_statement *statement)
{
    struct cl_digest before = {{0}};
    struct cl_digest event, chain, expected;
    uint64_t sequence = (uint64_t)sql_column_i64(statement, 1);
    bool begins = sequence == 1;
    if (!sql_column_digest(&event, statement, 2) || !sql_column_digest(&chain, statement, 3) ||
        (!begins && !sql_column_digest(&before, statement, 4))) {
        return cl_ok(); /* a gap, which is told already */
    }
    cl_chain_next(&expected, &before, sequence, &event);
    if (!cl_digest_equal(&chain, &expected)) {
        verify_fault(verify, "the chain of %s breaks at event %" PRIu64, sql_column_text(statement, 0), sequence);
    }
    return cl_ok();
}

static struct cl_status check_chain_head(struct verify *verify, struct sql_statement *statement)
{
    verify_fault(verify, "the head of %s has another chain than its last event", sql_column_text(statement, 0));
    return cl_ok();
}

static struct cl_status check_chain(struct verify *verify)
{
    static const char links[] = "SELECT o.recipient, o.sequence, o.digest, o.chain, before.chain FROM outbox o"
                                " LEFT JOIN outbox before ON before.recipient = o.recipient"
                                " AND before.sequence = o.sequence - 1";
    static const char heads[] = "SELECT h.recipient FROM outbox_heads h JOIN outbox o ON o.recipient = h.recipient"
                                " AND o.sequence = h.head WHERE o.chain <> h.chain";
    struct cl_status status = verify_each(verify, links, "chains", check_link);
    return cl_is_ok(status) ? verify_each(verify, heads, "chains", check_chain_head) : status;
}

/* -- Acknowledgements ---------------------------------------------------------------------------------------- */

/* That its words verify is known; here, that they are the recipient's and about this event. */
static struct cl_status check_acknowledgement(struct verify *verify, struct sql_statement *statement)
{
    const char *recipient = sql_column_text(statement, 0);
    struct cl_digest event, digest;
    struct cl_bytes envelope = sql_copy_bytes(verify->arena, statement, 3);
    const Coloan__V1__SignedHeader *header = verify_header(&digest, verify, envelope);
    bool named = header != NULL && sql_column_digest(&event, statement, 2) && strcmp(header->sender, recipient) == 0 &&
                 cl_bytes_equal(cl_bytes(header->in_reply_to.data, header->in_reply_to.len),
                                cl_bytes(event.bytes, sizeof event.bytes));
    if (!named) {
        verify_fault(verify, "event %" PRId64 " of %s is acknowledged by words about something else",
                     sql_column_i64(statement, 1), recipient);
    }
    return cl_ok();
}

/* The floor is the last event of those that are acknowledged without a gap from the first on. */
static struct cl_status check_floor(struct verify *verify, struct sql_statement *statement)
{
    verify_fault(verify,
                 "%s has acknowledged other than its floors of %" PRId64 " received and %" PRId64 " applied say",
                 sql_column_text(statement, 0), sql_column_i64(statement, 1), sql_column_i64(statement, 2));
    return cl_ok();
}

static struct cl_status check_acknowledgements(struct verify *verify)
{
    static const char words[] = "SELECT a.recipient, a.sequence, o.digest, m.envelope FROM outbox_acks a"
                                " JOIN outbox o ON o.recipient = a.recipient AND o.sequence = a.sequence"
                                " JOIN messages m ON m.digest = a.digest";
    static const char floors[] = "SELECT recipient, received_floor, applied_floor FROM outbox_heads h WHERE"
                                 " (SELECT count(*) FROM outbox_acks a WHERE a.recipient = h.recipient AND a.level = 1"
                                 " AND a.sequence <= h.received_floor + 1) <> h.received_floor OR"
                                 " (SELECT count(*) FROM outbox_acks a WHERE a.recipient = h.recipient AND a.level = 2"
                                 " AND a.sequence <= h.applied_floor + 1) <> h.applied_floor";
    struct cl_status status = verify_each(verify, words, "acknowledgements", check_acknowledgement);
    return cl_is_ok(status) ? verify_each(verify, floors, "acknowledgements", check_floor) : status;
}

/* -- What is on its way --------------------------------------------------------------------------------------- */

static struct cl_status check_forgotten(struct verify *verify, struct sql_statement *statement)
{
    verify_fault(verify, "event %" PRId64 " of %s is not acknowledged, and not on its way either",
                 sql_column_i64(statement, 1), sql_column_text(statement, 0));
    return cl_ok();
}

static struct cl_status check_mistaken(struct verify *verify, struct sql_statement *statement)
{
    verify_fault(verify, "event %" PRId64 " of %s is on its way for another application", sql_column_i64(statement, 1),
                 sql_column_text(statement, 0));
    return cl_ok();
}

static struct cl_status check_pending(struct verify *verify)
{
    static const char forgotten[] =
        "SELECT o.recipient, o.sequence FROM outbox_heads h JOIN outbox o ON o.recipient = h.recipient"
        " AND o.sequence > h.received_floor WHERE NOT EXISTS (SELECT 1 FROM pending p"
        " WHERE p.recipient = o.recipient AND p.sequence = o.sequence) AND NOT EXISTS (SELECT 1 FROM outbox_acks a"
        " WHERE a.recipient = o.recipient AND a.level = 1 AND a.sequence = o.sequence)";
    static const char mistaken[] = "SELECT p.recipient, p.sequence FROM pending p JOIN outbox o"
                                   " ON o.recipient = p.recipient AND o.sequence = p.sequence"
                                   " WHERE o.application_id <> p.application_id";
    struct cl_status status = verify_each(verify, forgotten, "pending events", check_forgotten);
    return cl_is_ok(status) ? verify_each(verify, mistaken, "pending events", check_mistaken) : status;
}

struct cl_status verify_delivery(struct verify *verify)
{
    struct cl_status status = check_chain(verify);
    if (cl_is_ok(status)) {
        status = check_acknowledgements(verify);
    }
    return cl_is_ok(status) ? check_pending(verify) : status;
}
