/* One pass over each kind of row, in one read transaction. An event has to stand in the outbox under the number that its
 * header was signed with, and there are as many of the one as of the other: so each stands there once. */
#include "server/verify.h"

#include <coloan/v1/envelope.pb-c.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/dsse.h"
#include "libcoloan/envelope.h"
#include "libcoloan/sha256.h"
#include "libcoloan/wirescan.h"
#include "server/cases/documents.h"
#include "server/store/rotations.h"
#include "server/store/schema.h"

enum {
    PROGRESS_EVERY_MS = 2000,
    LOOK_AT_CLOCK_EVERY = 64, /* rows */
};

struct verify {
    const struct verify_options *options;
    struct verify_report *report;
    struct cl_arena *arena; /* of the row being looked at */
    struct cl_keyring *keyring;
    int64_t told_ms;
    uint64_t rows;
};

/* -- Telling ------------------------------------------------------------------------------------------------- */

/* A damaged row may hold any text. */
static void make_plain(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\') {
            *text = '?';
        }
    }
}

__attribute__((format(printf, 2, 3))) static void fault(struct verify *verify, const char *format, ...)
{
    struct verify_report *report = verify->report;
    if (report->fault_count < VERIFY_FAULTS_MAX) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(report->faults[report->fault_count], VERIFY_FAULT_BYTES_MAX, format, arguments);
        va_end(arguments);
        make_plain(report->faults[report->fault_count]);
    }
    report->fault_count++;
}

static void tick(struct verify *verify, const char *what)
{
    if (verify->rows++ % LOOK_AT_CLOCK_EVERY != 0) {
        return;
    }
    int64_t now_ms = cl_clock_monotonic_ms(verify->options->clock);
    if (now_ms - verify->told_ms >= PROGRESS_EVERY_MS) {
        verify->told_ms = now_ms;
        (void)fprintf(verify->options->progress, "coloand: verifying %s, %" PRIu64 " rows so far\n", what,
                      verify->rows);
    }
}

/* A digest's first bytes, enough to find the row. */
struct short_digest {
    char text[17];
};

static struct short_digest shortened(const struct cl_digest *digest)
{
    struct short_digest out;
    cl_hex_encode(out.text, cl_bytes(digest->bytes, sizeof out.text / 2));
    return out;
}

/* -- Rows ---------------------------------------------------------------------------------------------------- */

/* Looks at the current row. Fails only when nothing can go on. */
typedef struct cl_status row_check(struct verify *verify, struct sql_statement *statement);

static struct cl_status each_row(struct verify *verify, const char *text, const char *what, row_check *check)
{
    struct sql_statement *statement = NULL;
    bool row = true;
    struct cl_status status = sql_prepare(&statement, verify->options->sql, text);
    while (cl_is_ok(status) && cl_is_ok(status = sql_step(&row, statement)) && row) {
        cl_arena_reset(verify->arena);
        status = check(verify, statement);
        tick(verify, what);
    }
    if (statement != NULL) {
        sql_finish(statement);
    }
    return status;
}

/* -- Messages ------------------------------------------------------------------------------------------------ */

/* The header of a kept message, believed by nobody yet; NULL: it cannot be read. */
static const Coloan__V1__SignedHeader *read_header(struct cl_digest *digest_out, struct verify *verify,
                                                   struct cl_bytes envelope)
{
    Coloan__V1__Envelope *frame = NULL;
    ProtobufCMessage *payload = NULL;
    if (cl_failed(cl_dsse_read(&frame, verify->arena, envelope))) {
        return NULL;
    }
    struct cl_bytes bytes = cl_bytes(frame->payload.data, frame->payload.len);
    cl_dsse_digest(digest_out, frame->payload_type, bytes);
    if (cl_failed(cl_unpack(&payload, verify->arena, &coloan__v1__signed_payload__descriptor, bytes))) {
        return NULL;
    }
    return ((const Coloan__V1__SignedPayload *)payload)->header;
}

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
        fault(verify, "event %s stands not in the outbox of %s under %" PRIu64, shortened(digest).text,
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
        fault(verify, "reply %s is not the one that its request names", shortened(digest).text);
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
        fault(verify, "message %s does not verify: %s", shortened(digest).text, cl_status_name(status));
    }
}

static struct cl_status check_message(struct verify *verify, struct sql_statement *statement)
{
    struct cl_digest kept;
    struct cl_digest digest = {{0}};
    struct cl_bytes envelope = sql_copy_bytes(verify->arena, statement, 5);
    verify->report->messages++;
    (void)sql_column_digest(&kept, statement, 0);
    const Coloan__V1__SignedHeader *header = read_header(&digest, verify, envelope);
    if (!cl_digest_equal(&digest, &kept)) {
        fault(verify, "message %s: its bytes have another digest", shortened(&kept).text);
        return cl_ok();
    }
    if (header == NULL || !row_is_header(statement, header)) {
        fault(verify, "message %s: its row says other than what was signed", shortened(&kept).text);
        return cl_ok();
    }
    check_signature(verify, envelope, &kept);
    if (header->direction == COLOAN__V1__DIRECTION__DIRECTION_EVENT) {
        return check_event(verify, header, &kept);
    }
    return header->direction == COLOAN__V1__DIRECTION__DIRECTION_REPLY ? check_reply(verify, header, &kept) : cl_ok();
}

static struct cl_status check_messages(struct verify *verify)
{
    static const char text[] = "SELECT digest, sender, recipient, message_id, direction, envelope FROM messages";
    return each_row(verify, text, "messages", check_message);
}

/* -- Outbox and decisions ------------------------------------------------------------------------------------ */

static struct cl_status check_head(struct verify *verify, struct sql_statement *statement)
{
    int64_t head = sql_column_i64(statement, 1);
    if (sql_column_i64(statement, 2) != head || sql_column_i64(statement, 3) != head) {
        fault(verify, "the outbox of %s has a gap, or another head than %" PRId64, sql_column_text(statement, 0), head);
    }
    return cl_ok();
}

static struct cl_status check_outbox(struct verify *verify)
{
    static const char heads[] = "SELECT recipient, head,"
                                " (SELECT count(*) FROM outbox o WHERE o.recipient = h.recipient),"
                                " (SELECT coalesce(max(sequence), 0) FROM outbox o WHERE o.recipient = h.recipient)"
                                " FROM outbox_heads h";
    static const char all[] = "SELECT count(*) FROM outbox";
    static const char headless[] = "SELECT count(*) FROM outbox WHERE recipient NOT IN"
                                   " (SELECT recipient FROM outbox_heads)";
    int64_t events = 0;
    int64_t without_head = 0;
    struct cl_status status = each_row(verify, heads, "outbox", check_head);
    if (cl_is_ok(status)) {
        status = sql_ask_number(&events, verify->options->sql, all);
    }
    if (cl_is_ok(status)) {
        status = sql_ask_number(&without_head, verify->options->sql, headless);
    }
    if (cl_is_ok(status) && (uint64_t)events != verify->report->events) {
        fault(verify, "the outbox has %" PRId64 " events, the message log %" PRIu64, events, verify->report->events);
    }
    if (cl_is_ok(status) && without_head != 0) {
        fault(verify, "%" PRId64 " events are in an outbox without a head", without_head);
    }
    return status;
}

static struct cl_status check_decision(struct verify *verify, struct sql_statement *statement)
{
    struct cl_digest digest;
    const char *application_id = sql_column_text(statement, 0);
    const Coloan__V1__SignedHeader *header =
        sql_column_is_null(statement, 1) ? NULL
                                         : read_header(&digest, verify, sql_copy_bytes(verify->arena, statement, 1));
    verify->report->decisions++;
    if (header == NULL || header->direction != COLOAN__V1__DIRECTION__DIRECTION_EVENT ||
        strcmp(header->application_id, application_id) != 0) {
        fault(verify, "the joint decision on %s has no event of its own", application_id);
    }
    return cl_ok();
}

static struct cl_status check_trace(struct verify *verify, struct sql_statement *statement)
{
    struct cl_digest kept;
    struct cl_digest digest;
    cl_sha256(&digest, sql_column_bytes(statement, 2));
    verify->report->traces++;
    if (!sql_column_digest(&kept, statement, 1) || !cl_digest_equal(&kept, &digest)) {
        fault(verify, "a trace of %s has another digest", sql_column_text(statement, 0));
    }
    return cl_ok();
}

static struct cl_status check_decisions(struct verify *verify)
{
    static const char decisions[] = "SELECT d.application_id, m.envelope FROM decisions d"
                                    " LEFT JOIN messages m ON m.digest = d.event";
    static const char traces[] = "SELECT application_id, digest, trace FROM traces";
    static const char tally[] = "SELECT count(*) FROM case_states c"
                                " WHERE c.cases <> (SELECT count(*) FROM applications a WHERE a.state = c.state)";
    int64_t wrong = 0;
    struct cl_status status = each_row(verify, decisions, "decisions", check_decision);
    if (cl_is_ok(status)) {
        status = each_row(verify, traces, "traces", check_trace);
    }
    if (cl_is_ok(status)) {
        status = sql_ask_number(&wrong, verify->options->sql, tally);
    }
    if (cl_is_ok(status) && wrong != 0) {
        fault(verify, "the tally of %" PRId64 " states is not what the applications say", wrong);
    }
    return status;
}

/* -- Vault --------------------------------------------------------------------------------------------------- */

static struct cl_status check_values(struct verify *verify, struct sql_statement *statement)
{
    struct vault_values values = {.count = 0};
    const char *application_id = sql_copy_text(verify->arena, statement, 0);
    if (application_id == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    if (sql_column_i64(statement, 1) != 0) {
        verify->report->erased++;
        return cl_ok();
    }
    verify->report->vaults++;
    struct cl_status status =
        vault_list(&values, verify->options->sql, verify->options->vault, verify->arena, application_id);
    verify->report->values += values.count;
    if (status.reason == CL_VAULT_CORRUPT) {
        fault(verify, "personal values of %s do not open", application_id);
        return cl_ok();
    }
    return status;
}

/* CL_VAULT_CORRUPT and CL_DOCUMENT_UNKNOWN: a piece does not open, or is not there. */
static struct cl_status hash_document(struct cl_digest *out, struct verify *verify, const char *application_id,
                                      const struct cl_digest *sha256, int64_t size_bytes)
{
    struct cl_sha256 hash;
    cl_sha256_init(&hash);
    for (int64_t at = 0; at < size_bytes; at += CL_DOCUMENT_CHUNK_BYTES) {
        struct cl_bytes piece;
        cl_arena_reset(verify->arena);
        struct cl_status status = document_read(&piece, verify->arena, verify->options->sql, verify->options->vault,
                                                application_id, sha256, at);
        if (cl_failed(status)) {
            return status;
        }
        cl_sha256_add(&hash, piece);
    }
    cl_sha256_finish(&hash, out);
    return cl_ok();
}

static struct cl_status check_document(struct verify *verify, struct sql_statement *statement)
{
    char application_id[CL_UUID_TEXT_BYTES];
    struct cl_digest sha256;
    struct cl_digest digest = {{0}};
    (void)snprintf(application_id, sizeof application_id, "%s", sql_column_text(statement, 0));
    (void)sql_column_digest(&sha256, statement, 1);
    verify->report->documents++;
    struct cl_status status = hash_document(&digest, verify, application_id, &sha256, sql_column_i64(statement, 2));
    bool unreadable = status.reason == CL_VAULT_CORRUPT || status.reason == CL_DOCUMENT_UNKNOWN;
    if (cl_failed(status) && !unreadable) {
        return status;
    }
    if (unreadable || !cl_digest_equal(&digest, &sha256)) {
        fault(verify, "document %s of %s is not what was uploaded", shortened(&sha256).text, application_id);
    }
    return cl_ok();
}

static struct cl_status check_vault(struct verify *verify)
{
    static const char keys[] = "SELECT application_id, wrapped IS NULL FROM vault_keys";
    static const char documents[] = "SELECT d.application_id, d.sha256, d.size_bytes FROM documents d"
                                    " JOIN vault_keys k ON k.application_id = d.application_id"
                                    " WHERE d.complete = 1 AND k.wrapped IS NOT NULL";
    struct cl_status status = vault_attach_reader(verify->options->vault, verify->options->sql);
    if (status.reason == CL_CONFIG_INVALID || status.reason == CL_STATE_CONFLICT || status.reason == CL_VAULT_CORRUPT) {
        fault(verify, "%s",
              status.reason == CL_CONFIG_INVALID   ? "the vault belongs to another master key"
              : status.reason == CL_STATE_CONFLICT ? "a change of the master key was not finished"
                                                   : "the vault's own key does not open");
        return cl_ok();
    }
    if (cl_is_ok(status)) {
        status = each_row(verify, keys, "personal values", check_values);
    }
    return cl_is_ok(status) ? each_row(verify, documents, "documents", check_document) : status;
}

/* -- Directories --------------------------------------------------------------------------------------------- */

static struct cl_status check_directory(struct verify *verify, struct sql_statement *statement)
{
    struct cl_keyring *keyring = NULL;
    int64_t number = sql_column_i64(statement, 0);
    struct cl_status status = cl_keyring_load(&keyring, sql_column_bytes(statement, 1), verify->options->trust, NULL);
    if (cl_failed(status)) {
        fault(verify, "directory %" PRId64 " does not verify: %s", number, cl_status_name(status));
        return cl_ok();
    }
    if (cl_keyring_number(keyring) > cl_keyring_number(verify->keyring)) {
        cl_keyring_unref(verify->keyring);
        verify->keyring = cl_keyring_ref(keyring);
    }
    cl_keyring_unref(keyring);
    return cl_ok();
}

/* The newest one holds every key there ever was. */
static struct cl_status check_directories(struct verify *verify)
{
    static const char text[] = "SELECT number, envelope FROM directories";
    struct cl_status status = each_row(verify, text, "directories", check_directory);
    verify->report->directory = cl_keyring_number(verify->keyring);
    return status;
}

/* -- All of it ----------------------------------------------------------------------------------------------- */

static struct cl_status check_file(struct verify *verify)
{
    struct sql *sql = verify->options->sql;
    static const char text[] = "SELECT coalesce(max(number), 0) FROM migrations";
    int64_t migration = 0;
    (void)fprintf(verify->options->progress, "coloand: verifying the file's pages and references\n");
    struct cl_status status = sql_check(sql);
    if (cl_is_ok(status)) {
        status = sql_ask_number(&migration, verify->options->sql, text);
    }
    if (cl_failed(status)) {
        fault(verify, "SQLite finds the file damaged, or it is none of ours; nothing else was looked at");
        return status;
    }
    if (migration != (int64_t)schema_migration_count) {
        fault(verify, "its schema is that of migration %" PRId64 ", this program's of %zu; nothing else was looked at",
              migration, schema_migration_count);
        return cl_fail(CL_CONFIG_INVALID);
    }
    return cl_ok();
}

static struct cl_status check_all(struct verify *verify, struct cl_arena *arena)
{
    if (cl_failed(check_file(verify))) {
        return cl_ok(); /* it is told, and no call reaches a damaged file any more */
    }
    struct cl_status status = inventory_take(&verify->report->inventory, verify->options->sql, arena);
    if (cl_is_ok(status)) {
        status = check_directories(verify);
    }
    if (cl_is_ok(status)) {
        status = check_messages(verify);
    }
    if (cl_is_ok(status)) {
        status = check_outbox(verify);
    }
    if (cl_is_ok(status)) {
        status = check_decisions(verify);
    }
    return cl_is_ok(status) ? check_vault(verify) : status;
}

struct cl_status verify_database(struct verify_report *out, struct cl_arena *arena,
                                 const struct verify_options *options)
{
    struct verify_report *report = calloc(1, sizeof *report);
    struct verify verify = {.options = options, .report = report, .told_ms = cl_clock_monotonic_ms(options->clock)};
    struct cl_status status = report == NULL ? cl_fail(CL_MEMORY_LIMIT) : cl_ok();
    if (cl_is_ok(status)) {
        status = cl_arena_create(&verify.arena, CL_MESSAGE_ARENA_BYTES_MAX);
    }
    if (cl_is_ok(status)) {
        status = sql_hold(options->sql);
    }
    if (cl_failed(status)) {
        goto cleanup;
    }
    verify.keyring = cl_keyring_ref(options->keyring);
    status = check_all(&verify, arena);
    cl_keyring_unref(verify.keyring);
    sql_release(options->sql);
    if (cl_is_ok(status)) {
        *out = *report;
    }
cleanup:
    cl_arena_free(verify.arena);
    free(report);
    return status;
}

/* -- The report ---------------------------------------------------------------------------------------------- */

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
