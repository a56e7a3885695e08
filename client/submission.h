/* submission.h - an application from its file: what is signed, and the personal values that go beside it.
 *
 * The file is one JSON object: `application` without personal values, and `personal`, those values by their path. Each
 * becomes a commitment in the application and a disclosure. What is read lives in the cli's arena. One thread. Fails: as
 * a command does, having said what is wrong with the file; never with a personal value. */
#ifndef COLOAN_CLIENT_SUBMISSION_H
#define COLOAN_CLIENT_SUBMISSION_H

#include "client/cli.h"
#include "libcoloan/personal.h"

struct client_submission {
    Coloan__V1__Application *application;
    Coloan__V1__Disclosure *disclosures[CL_PERSONAL_FIELDS_MAX];
    size_t disclosure_count;
};

enum cli_exit client_submission_read(struct client_submission *out, struct cli *cli, const char *path);

#endif
