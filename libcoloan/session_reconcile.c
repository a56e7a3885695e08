/* A search with many branches: each exchange asks for as many marks as one question holds, evenly between the last sequence
 * up to which both are known to agree and the first at which they are known to differ. A million events take four. */
#include <assert.h>
#include <string.h>

#include "libcoloan/session_core.h"

enum { MARKS_MAX = 64 };

struct search {
    struct cl_session *session;
    struct cl_arena *arena;
    const struct cl_events_held *held;
    uint64_t same;   /* up to here both agree */
    uint64_t differ; /* here they do not, or one of both has no such event */
    uint64_t head;   /* the centre's */
    unsigned exchanges;
};

/* Rising, above `same`, the last one just below `differ`. */
static size_t choose(uint64_t sequences[MARKS_MAX], const struct search *search)
{
    uint64_t between = search->differ - search->same - 1;
    size_t count = between < MARKS_MAX ? (size_t)between : MARKS_MAX;
    for (size_t i = 0; i < count; i++) {
        sequences[i] = search->same + between / count * (i + 1) + between % count * (i + 1) / count;
    }
    return count;
}

static struct cl_status ask(const Coloan__V1__ReconcileAnswer **out, struct search *search, uint64_t *sequences,
                            size_t count)
{
    struct cl_answer answer;
    Coloan__V1__ReconcileQuery query = COLOAN__V1__RECONCILE_QUERY__INIT;
    query.sequences = sequences;
    query.n_sequences = count;
    cl_arena_reset(search->arena);
    struct cl_status status = cl_session_call(&answer, search->session, search->arena,
                                              &(struct cl_session_call){
                                                  .method = "coloan.v1.JointApproval/Reconcile",
                                                  .body = &query.base,
                                                  .reply_type = &coloan__v1__reconcile_answer__descriptor,
                                              },
                                              (struct cl_patience){.attempt_ms = 0});
    if (cl_failed(status)) {
        return status;
    }
    search->exchanges++;
    *out = (const Coloan__V1__ReconcileAnswer *)(const void *)answer.body;
    return (*out)->head != NULL && (*out)->n_marks == count ? cl_ok() : cl_fail(CL_PEER_ANSWER_INVALID);
}

static struct cl_status take(struct search *search, const Coloan__V1__ReconcileAnswer *answer,
                             const uint64_t *sequences)
{
    for (size_t i = 0; i < answer->n_marks; i++) {
        const Coloan__V1__ChainMark *mark = answer->marks[i];
        struct cl_digest ours;
        if (mark->sequence != sequences[i] || mark->chain.len != CL_DIGEST_BYTES) {
            return cl_fail(CL_PEER_ANSWER_INVALID);
        }
        struct cl_status status = search->held->chain(search->held->user, mark->sequence, &ours);
        if (cl_failed(status)) {
            return status;
        }
        if (memcmp(ours.bytes, mark->chain.data, CL_DIGEST_BYTES) != 0) {
            search->differ = mark->sequence;
            return cl_ok();
        }
        search->same = mark->sequence;
    }
    return cl_ok();
}

/* Where the centre stands, by asking for its first event; a bank without events learns of it, too. */
static struct cl_status begin(struct search *search)
{
    const Coloan__V1__ReconcileAnswer *answer = NULL;
    uint64_t first = 1;
    struct cl_status status = ask(&answer, search, &first, 1);
    if (status.reason == CL_EVENT_UNKNOWN) {
        search->exchanges++;
        search->head = 0;
        search->differ = 1;
        return cl_ok();
    }
    if (cl_failed(status)) {
        return status;
    }
    search->head = answer->head->sequence;
    search->differ = (search->held->count < search->head ? search->held->count : search->head) + 1;
    return search->held->count == 0 ? cl_ok() : take(search, answer, &first);
}

struct cl_status cl_session_reconcile(struct cl_reconciled *out, struct cl_session *session, struct cl_arena *arena,
                                      const struct cl_events_held *held)
{
    struct search search = {.session = session, .arena = arena, .held = held};
    struct cl_status status = begin(&search);
    while (cl_is_ok(status) && search.differ - search.same > 1) {
        const Coloan__V1__ReconcileAnswer *answer = NULL;
        uint64_t sequences[MARKS_MAX];
        size_t count = choose(sequences, &search);
        status = ask(&answer, &search, sequences, count);
        if (cl_is_ok(status)) {
            status = take(&search, answer, sequences);
        }
    }
    if (cl_failed(status)) {
        return status;
    }
    *out = (struct cl_reconciled){.head = search.head,
                                  .same = search.same,
                                  .equal = search.same == search.head && search.same == held->count,
                                  .exchanges = search.exchanges};
    return cl_ok();
}
