#include <inttypes.h>

#include "server/verify/verify.h"

void verify_tell(const struct verify_report *report, FILE *out)
{
    const struct inventory *inventory = &report->inventory;
    (void)fprintf(out,
                  "messages   %" PRIu64 ", %" PRIu64 " signatures verified under directory %" PRIu64 ", %" PRIu64
                  " of keys it does not hold\n"
                  "events     %" PRIu64 "\n"
                  "decisions  %" PRIu64 ", %" PRIu64 " traces\n"
                  "vault      %" PRIu64 " applications with %" PRIu64 " values, %" PRIu64 " erased; %" PRIu64
                  " documents\n",
                  report->messages, report->signatures, report->directory, report->keys_unknown, report->events,
                  report->decisions, report->traces, report->vaults, report->values, report->erased, report->documents);
    for (size_t i = 0; i < inventory->head_count; i++) {
        (void)fprintf(out, "head       %s %" PRIu64 "\n", inventory->heads[i].recipient, inventory->heads[i].head);
    }
    for (size_t i = 0; i < report->fault_count && i < VERIFY_FAULTS_MAX; i++) {
        (void)fprintf(out, "FAULT      %s\n", report->faults[i]);
    }
    (void)fprintf(out, "%s, %" PRIu64 " faults\n", report->fault_count == 0 ? "whole" : "NOT WHOLE",
                  report->fault_count);
}

/* Names, parties and sentences of ours hold nothing that JSON would have to escape. */
void verify_tell_json(const struct verify_report *report, FILE *out)
{
    const struct inventory *inventory = &report->inventory;
    (void)fprintf(out,
                  "\"whole\":%s,\"messages\":%" PRIu64 ",\"signatures\":%" PRIu64 ",\"directory\":%" PRIu64
                  ",\"keys_unknown\":%" PRIu64 ",\"events\":%" PRIu64 ",\"decisions\":%" PRIu64 ",\"traces\":%" PRIu64
                  ",\"vaults\":%" PRIu64 ",\"values\":%" PRIu64 ",\"erased\":%" PRIu64 ",\"documents\":%" PRIu64
                  ",\"newest_message_ms\":%" PRId64 ",\"heads\":{",
                  report->fault_count == 0 ? "true" : "false", report->messages, report->signatures, report->directory,
                  report->keys_unknown, report->events, report->decisions, report->traces, report->vaults,
                  report->values, report->erased, report->documents, inventory->newest_message_ms);
    for (size_t i = 0; i < inventory->head_count; i++) {
        (void)fprintf(out, "%s\"%s\":%" PRIu64, i == 0 ? "" : ",", inventory->heads[i].recipient,
                      inventory->heads[i].head);
    }
    (void)fprintf(out, "},\"faults\":[");
    for (size_t i = 0; i < report->fault_count && i < VERIFY_FAULTS_MAX; i++) {
        (void)fprintf(out, "%s\"%s\"", i == 0 ? "" : ",", report->faults[i]);
    }
    (void)fprintf(out, "]");
}
