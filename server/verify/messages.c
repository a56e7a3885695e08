/* An event has to stand in the outbox under the number that its header was signed with, and there are as many of the one as
 * of the other: so each stands there once. */
#include <coloan/v1/envelope.pb-c.h>
#include <inttypes.h>
#include <string.h>

#include "libcoloan/envelope.h"
#include "server/verify/rows.h"

static bool row_is_header(struct sql_statement *statement, const Coloan__V1__SignedHeader *header)
{
    return strcmp(sql_column_text(statement, 1), header->sender) == 0 &&
           strcmp(sql_column_text(statement, 2), header->recipient) == 0 &&
           cl_bytes_equal(sql_column_bytes(statement, 3), cl_bytes(header->message_id.data, header->message_id.len)) &&
           sql_column_i64(statement, 4) == (int64_t)header->direction;
}

/* What stands in the one column of the one row with these keys equals `digest`. */
static struct cl_status check_link(bool *same_out, struct sql_statement *statement, const struct cl_digest *digest)
{
    struct cl_digest found;
    bool row = false;
    struct cl_status status = sql_step(&row, statement);
    if (cl_is_ok(status)) {
        *same_out = row && sql_column_digest(&found, statement, 0) && cl_digest_equal(&found, digest);
        sql_finish(statement);
    }
    return status;
}

static struct cl_status check_event(struct verify *verify, const Coloan__V1__SignedHeader *header,
                                    const struct cl_digest *digest)
{
    static const char text[] = "SELECT digest FROM outbox WHERE recipient = $1 AND sequence = $2";
    struct sql_statement *statement = NULL;
    bool there = false;
    struct cl_status status = sql_prepare(&statement, verify->options->sql, text);
    if (cl_failed(status)) {
        return status;
    }
    sql_bind_text(statement, 1, header->recipient);
    sql_bind_i64(statement, 2, (int64_t)header->sequence);
    status = check_link(&there, statement, digest);
    verify->report->events++;
    if (cl_is_ok(status) && !there) {
        verify_fault(verify, "event %s stands not in the outbox of %s under %" PRIu64, verify_short(digest).text,
                     header->recipient, header->sequence);
    }
    return status;
}

/* Chunks of an upload are not kept, so what answers the first of them answers nothing here. */
static struct cl_status check_reply(struct verify *verify, const Coloan__V1__SignedHeader *header,
                                    const struct cl_digest *digest)
{
    static const char text[] = "SELECT reply FROM messages WHERE digest = $1";
    static const char upload[] = "coloan.v1.JointApproval/UploadDocument";
    struct sql_statement *statement = NULL;
    bool there = false;
    struct cl_status status = sql_prepare(&statement, verify->options->sql, text);
    if (cl_failed(status) || strcmp(header->method, upload) == 0) {
        return status;
    }
    sql_bind_bytes(statement, 1, cl_bytes(header->in_reply_to.data, header->in_reply_to.len));
    status = check_link(&there, statement, digest);
    if (cl_is_ok(status) && !there) {
        verify_fault(verify, "reply %s is not the one that its request names", verify_short(digest).text);
    }
    return status;
}

static void check_signature(struct verify *verify, struct cl_bytes envelope, const struct cl_digest *digest)
{
    struct cl_opened opened;
    struct cl_status status = cl_envelope_verify(&opened, verify->arena, envelope, verify->keyring);
    if (cl_is_ok(status)) {
        verify->report->signatures++;
    } else if (status.reason == CL_KEY_UNKNOWN) {
        verify->report->keys_unknown++;
    } else {
        verify_fault(verify, "message %s does not verify: %s", verify_short(digest).text, cl_status_name(status));
    }
}

static struct cl_status check_message(struct verify *verify, struct sql_statement *statement)
{
    struct cl_digest kept;
    struct cl_digest digest = {{0}};
    struct cl_bytes envelope = sql_copy_bytes(verify->arena, statement, 5);
    verify->report->messages++;
    (void)sql_column_digest(&kept, statement, 0);
    const Coloan__V1__SignedHeader *header = verify_header(&digest, verify, envelope);
    if (!cl_digest_equal(&digest, &kept)) {
        verify_fault(verify, "message %s: its bytes have another digest", verify_short(&kept).text);
        return cl_ok();
    }
    if (header == NULL || !row_is_header(statement, header)) {
        verify_fault(verify, "message %s: its row says other than what was signed", verify_short(&kept).text);
        return cl_ok();
    }
    check_signature(verify, envelope, &kept);
    if (header->direction == COLOAN__V1__DIRECTION__DIRECTION_EVENT) {
        return check_event(verify, header, &kept);
    }
    return header->direction == COLOAN__V1__DIRECTION__DIRECTION_REPLY ? check_reply(verify, header, &kept) : cl_ok();
}

struct cl_status verify_messages(struct verify *verify)
{
    static const char text[] = "SELECT digest, sender, recipient, message_id, direction, envelope FROM messages";
    return verify_each(verify, text, "messages", check_message);
}
