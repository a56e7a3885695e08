/* officer.h - what the officers' commands share: calls of the Review service, a task with its personal values checked.
 *
 * As cli.h: a command's own thread, exit statuses, everything in the command's arena. */
#ifndef COLOAN_CLIENT_OFFICER_H
#define COLOAN_CLIENT_OFFICER_H

#include <coloan/v1/review.pb-c.h>

#include "client/cli.h"

struct officer_call {
    const char *method; /* of the service, with its name in front: "coloan.v1.Review/GetTask" */
    const ProtobufCMessage *body;
    const ProtobufCMessageDescriptor *reply_type;
    const char *application_id; /* NULL: none */
};

/* Calls and says what went wrong; the session is open. */
enum cli_exit officer_call(struct cl_answer *out, struct cli *cli, const struct officer_call *call);

/* The values beside a reply have to be those that the application commits to; a reply that brings others is not believed. */
enum cli_exit officer_check_values(const struct cl_answer *answer, const struct cli *cli,
                                   const ProtobufCMessage *application);

/* A task, and the answer that it came in, with the personal values that may be seen; both checked. */
struct officer_task {
    struct cl_answer answer;
    const Coloan__V1__TaskView *view;
};
enum cli_exit officer_get_task(struct officer_task *out, struct cli *cli, const char *task_id);

/* The names behind a value: "ITEM_LOAN_HISTORY" for LOAN_HISTORY. False when there is none. */
bool officer_find_item(Coloan__V1__Item *out, const char *name);

/* What an officer found: arguments from `first` on are pass|fail and NAME=NUMBER or NAME:TEXT; the rest comes from the options. */
enum cli_exit officer_read_finding(Coloan__V1__Finding *out, struct cli *cli, int first);

#endif
