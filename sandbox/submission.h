/* submission.h - a persona's application, its change to another bank and its bank's report, as files for the command line
 * client.
 *
 * Application: {"application": <coloan.v1.Application in proto3 JSON without its commitments>,
 *               "personal": {"persons[0].name": "...", ..., "home.address": "...", "account": "..."}};
 * whoever submits it fills in the commitments under fresh salts and signs. Change: coloan.v1.BankChange without its epoch, with
 * the consents that the new bank needs; report: coloan.v1.VerificationReport; both in proto3 JSON.
 *
 * Owner: the caller decrefs what is made; the persona is borrowed. Any thread. NULL without memory. */
#ifndef COLOAN_SANDBOX_SUBMISSION_H
#define COLOAN_SANDBOX_SUBMISSION_H

#include <jansson.h>
#include <stdint.h>

struct submission_options {
    const char *bank;         /* party id of the lending bank; of a change the new one */
    const char *fund;         /* party id of the centre */
    const char *external_ref; /* 1..48 bytes; another one for each application and each change */
    int64_t now_ms;           /* consents hold a year from here */
};

json_t *submission_make_application(const json_t *persona, const struct submission_options *options);
json_t *submission_make_change(const json_t *persona, const struct submission_options *options);
json_t *submission_make_bank_report(const json_t *persona, int64_t now_ms);

#endif
