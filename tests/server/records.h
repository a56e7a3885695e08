/* records.h - the record of a made-up case's decision, as a centre would keep it and hand it to an officer. */
#ifndef COLOAN_TESTS_RECORDS_H
#define COLOAN_TESTS_RECORDS_H

#include "libcoloan/arena.h"
#include "server/replay.h"
#include "tests/server/domain/world.h"

struct made_record {
    Coloan__V1__DecisionRecord message;
    struct replay_source source; /* of `message` */
    struct cl_bytes file;        /* an Envelope with disclosures, of a signer that nobody knows */
};

/* Decides the case by `rules` at `now_ms` and writes it down. Everything lives in `arena`; fails the test. */
void record_make(struct made_record *out, struct cl_arena *arena, const struct world_case *world,
                 const struct rule_set *rules, int64_t now_ms, const char *application_id);

#endif
