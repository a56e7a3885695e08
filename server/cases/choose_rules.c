/* ChooseRules: a case that was accepted under older rules is judged by newer ones, where these let it choose (国管中心
 * does for cases that are not paid yet). The fund decides anew, on the facts it has; what was decided holds no longer. */
#include <string.h>

#include "libcoloan/date.h"
#include "server/cases/events.h"
#include "server/cases/settle.h"
#include "server/domain/rules.h"

static struct cl_status find(const struct rule_set **out, struct case_tx *tx, const struct case_file *file,
                             const char *id)
{
    const struct rule_set *now = NULL;
    struct cl_status status = file_rules(&now, file);
    if (cl_failed(status)) {
        return status;
    }
    const struct rule_set *chosen = rules_find(tx->cases->rule_sets, tx->cases->rule_set_count, id);
    if (chosen == NULL) {
        return case_blame(tx, CL_RULE_SET_UNKNOWN, "rule_set");
    }
    bool later = chosen->effective_from > now->effective_from;
    bool begun = chosen->effective_from <= cl_date_from_ms(tx->now_ms);
    if (!later || !begun || !chosen->in_flight_choice) {
        return case_blame(tx, CL_RULE_SET_NOT_OPEN, "rule_set");
    }
    *out = chosen;
    return cl_ok();
}

static struct cl_status check(const struct rule_set **out, struct case_file *file, struct case_tx *tx,
                              const Coloan__V1__RuleChoice *body)
{
    struct case_input input = {.command = COMMAND_CHOOSE_RULES};
    if (body->document_sha256.len != CL_DIGEST_BYTES) {
        enum cl_reason reason = body->document_sha256.len == 0 ? CL_FIELD_MISSING : CL_FIELD_INVALID;
        return case_blame(tx, reason, "document_sha256");
    }
    if (lifecycle_row(&file->tracks, &input) == NULL) {
        return cl_fail(CL_STATE_CONFLICT);
    }
    return find(out, tx, file, body->rule_set);
}

struct cl_status case_choose_rules(ProtobufCMessage **reply_out, struct case_tx *tx, const struct case_request *request)
{
    struct case_file *file = NULL;
    const struct rule_set *chosen = NULL;
    struct cl_status status = file_open_request(&file, tx, request);
    if (cl_is_ok(status)) {
        status = check(&chosen, file, tx, (const Coloan__V1__RuleChoice *)request->body);
    }
    if (cl_is_ok(status)) {
        status = file_load_facts(file, tx);
    }
    if (cl_is_ok(status)) {
        file->rules = chosen;
        file->row.rule_set = chosen->id;
        status = settle_refresh(file, tx);
    }
    if (cl_is_ok(status)) {
        status = file_set_reasons(file, tx, NULL, 0);
    }
    struct case_events events;
    if (cl_is_ok(status)) {
        status = file_move(file, tx, &events, COMMAND_CHOOSE_RULES);
    }
    if (cl_is_ok(status)) {
        status = event_write_status(tx, &file->row);
    }
    if (cl_is_ok(status)) {
        status = settle_go_on(file, tx);
    }
    return cl_is_ok(status) ? file_reply(reply_out, file, tx) : status;
}
