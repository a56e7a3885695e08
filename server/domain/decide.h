/* decide.h - the centre's decision on its part, with every rule it took into account.
 *
 * Deterministic: same application, facts, rule set and moment give the same decision and the same trace, byte for byte.
 * All rules are evaluated; the heaviest reason decides. The decision is only taken when every item is settled; an open
 * one refers the case to an officer.
 *
 * Inputs of a step. `inputs_digest` is the SHA-256 of this text, lines ended by LF, numbers in decimal, flags 0 or 1:
 *     coloan inputs v1
 *     rule=<rule>
 *     person=<1 + index, or 0>
 *     <name>=<number>            (as many as the rule reads, in the rule's order)
 *
 * Owner: steps live in the caller's arena. Any thread. Fails: MEMORY_LIMIT. */
#ifndef COLOAN_SERVER_DOMAIN_DECIDE_H
#define COLOAN_SERVER_DOMAIN_DECIDE_H

#include "libcoloan/arena.h"
#include "server/domain/offer.h"

/* The numbers of coloan.v1.FundVerdict. */
enum fund_verdict {
    VERDICT_NONE = 0,
    VERDICT_APPROVE = 1,
    VERDICT_REJECT = 2,
    VERDICT_SUPPLEMENT = 3,
    VERDICT_MANUAL = 4,
};

/* The numbers of coloan.v1.RuleOutcome. */
enum rule_outcome {
    RULE_NONE = 0,
    RULE_PASS = 1,
    RULE_LIMIT = 2,
    RULE_REFER = 3,
    RULE_REFUSE = 4,
};

struct decision_reason {
    enum cl_loan_reason reason;
    unsigned person; /* 1 + index; 0: the whole case */
};

struct decision_step {
    const char *rule; /* static, e.g. "fund.balance_multiple" */
    unsigned person;  /* 1 + index; 0: the whole case */
    enum rule_outcome outcome;
    enum cl_loan_reason reason;
    int64_t limit_fen;
    bool binding;
    struct cl_digest inputs_digest;
};

struct fund_decision {
    enum fund_verdict verdict;
    struct decision_reason reasons[CL_REASONS_MAX]; /* heaviest first; INFO only with APPROVE */
    size_t reason_count;
    enum cl_loan_reason binding_limit; /* of the fund part; CL_LOAN_NONE when no quota could be computed */
    bool has_offer;                    /* with APPROVE only */
    bool fund_only;                    /* the offer has no commercial part, so no bank has to decide */
    struct offer offer;
    struct joint joint;          /* of the offer */
    struct decision_step *steps; /* CL_TRACE_STEPS_MAX at most */
    size_t step_count;
};

/* What an item's answer means for a case by itself, whatever the facts: one table for all rules. CL_LOAN_NONE: nothing. */
enum cl_loan_reason decide_answer_reason(enum item item, enum answer answer);

CL_MUST_CHECK struct cl_status decide_fund(struct fund_decision *out, struct cl_arena *arena,
                                           const struct rule_set *rules, const struct application *application,
                                           const struct case_facts *facts, int64_t now_ms);

#endif
