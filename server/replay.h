/* replay.h - a decision made again from its record: by the same rule set to prove it, by another to see what it would do.
 *
 * Pure: what the rules took is in the record, the moment included. Same record and rule set give the same trace, byte for
 * byte. Everything made lives in the arena handed in; any thread.
 * Fails: with the reason of the record's first part that cannot be read (as cl_unpack, convert_application,
 * convert_result, person_identify); DISCLOSURE_MISSING without a person's ID number; MEMORY_LIMIT. */
#ifndef COLOAN_SERVER_REPLAY_H
#define COLOAN_SERVER_REPLAY_H

#include <coloan/v1/decision.pb-c.h>
#include <coloan/v1/envelope.pb-c.h>

#include "libcoloan/arena.h"
#include "server/domain/decide.h"

/* A record and the ID numbers that travelled beside it; both borrowed. */
struct replay_source {
    const Coloan__V1__DecisionRecord *record;
    Coloan__V1__Disclosure *const *disclosures;
    size_t disclosure_count;
};

#define REPLAY_DIFFERENCE_BYTES_MAX 256

struct replay {
    struct application application;
    struct fund_decision decision;
    struct cl_bytes trace; /* serialised DecisionTrace */
    struct cl_digest trace_digest;
};

/* Decides again by `rules`, whichever they are. */
CL_MUST_CHECK struct cl_status replay_decision(struct replay *out, struct cl_arena *arena,
                                               const struct replay_source *source, const struct rule_set *rules);

/* Whether the decision is the recorded one: rule set, trace byte for byte, verdict, binding limit, reasons, terms. When it
 * is not, `difference` says where it first differs. */
bool replay_same(const struct replay *replay, struct cl_arena *arena, const Coloan__V1__DecisionRecord *record,
                 char difference[REPLAY_DIFFERENCE_BYTES_MAX]);

/* The recorded terms, as an offer; the record has some. INTERNAL when they cannot be read. */
CL_MUST_CHECK struct cl_status replay_recorded_offer(struct offer *out, struct cl_arena *arena,
                                                     const Coloan__V1__DecisionRecord *record);

/* Reads a record from a file's bytes: an Envelope whose body it is, with the disclosures beside it; no signature is
 * looked at. PAYLOAD_TYPE_WRONG when the body is something else; otherwise as cl_dsse_read and cl_unpack. */
CL_MUST_CHECK struct cl_status replay_read(struct replay_source *out, struct cl_arena *arena, struct cl_bytes envelope);

#endif
