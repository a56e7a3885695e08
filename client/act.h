/* act.h - commands on one case, the one of the first argument: sent, and the state they leave it in shown.
 *
 * One thread. Fails: as a command does, having said why. */
#ifndef COLOAN_CLIENT_ACT_H
#define COLOAN_CLIENT_ACT_H

#include "client/cli.h"
#include "libcoloan/bytes.h"

/* Sends `call`, whose method answers with an ApplicationStatus, about that case, and shows the answer. The session is
 * open; application and type of the reply are filled in here. */
enum cli_exit act_on_case(struct cli *cli, const struct cl_session_call *call);

/* The SHA-256 of the file of --document, of any size, which the caller's borrower signed. */
enum cli_exit act_document(struct cl_digest *out, const struct cli *cli);

#endif
