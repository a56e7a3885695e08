/* tasks.h - what of a case needs a person. Tasks are opened and ended in the transaction that causes it.
 *
 * They follow from the items and the tracks as they are whenever a case is saved (tasks_follow, which file_save calls): no
 * command has to think of them. Only a proposed override is opened by its command.
 *
 * Writer thread; see cases.h. */
#ifndef COLOAN_CASES_TASKS_H
#define COLOAN_CASES_TASKS_H

#include "server/cases/file.h"
#include "server/store/tasks.h"

/* The numbers of coloan.v1.TaskKind. */
enum task_kind {
    TASK_ITEM = 1,         /* an item that the fund's decision rests on has to be settled by a person */
    TASK_DECISION = 2,     /* the rules leave the case to a person, though no single item does */
    TASK_CHECK = 3,        /* a check before payment did not pass; the payment is held */
    TASK_REGISTRATION = 4, /* what the register has differs from what was contracted */
    TASK_HALF_DISBURSED = 5,
    TASK_DEADLINE = 6, /* the time for the fund's decision is nearly up */
    TASK_OVERRIDE = 7, /* a proposal waits for a second officer */
    TASK_KIND_COUNT,
};

struct task_need {
    enum task_kind kind;
    enum item item;             /* ITEM_NONE: of the whole case */
    unsigned person;            /* index */
    enum cl_loan_reason reason; /* why a person; CL_LOAN_NONE: the kind says it */
    enum failure_kind failure;  /* of the item's result */
    const char *authority;      /* that gave it; NULL: none did */
    const char *detail;  /* a code of at most CL_TEXT_BYTES_MAX, no personal value, e.g. "mortgagee"; NULL: none */
    int64_t deadline_ms; /* 0: that of the case, or TASK_MS_DEFAULT from now when it has none */
};

/* Opens the task unless the same (kind, item, person) of the case is open. One that tasks_follow does not need ends with
 * the next file_save. */
CL_MUST_CHECK struct cl_status task_open(const struct case_file *file, struct case_tx *tx,
                                         const struct task_need *need);

/* Opens and ends what follows from the items and tracks as they are now. */
CL_MUST_CHECK struct cl_status tasks_follow(const struct case_file *file, struct case_tx *tx);

#endif
