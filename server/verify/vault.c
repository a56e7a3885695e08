#include <inttypes.h>

#include "libcoloan/sha256.h"
#include "server/cases/documents.h"
#include "server/verify/rows.h"

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
        verify_fault(verify, "personal values of %s do not open", application_id);
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
        verify_fault(verify, "document %s of %s is not what was uploaded", verify_short(&sha256).text, application_id);
    }
    return cl_ok();
}

struct cl_status verify_vault(struct verify *verify)
{
    static const char keys[] = "SELECT application_id, wrapped IS NULL FROM vault_keys";
    static const char documents[] = "SELECT d.application_id, d.sha256, d.size_bytes FROM documents d"
                                    " JOIN vault_keys k ON k.application_id = d.application_id"
                                    " WHERE d.complete = 1 AND k.wrapped IS NOT NULL";
    struct cl_status status = vault_attach_reader(verify->options->vault, verify->options->sql);
    if (status.reason == CL_CONFIG_INVALID || status.reason == CL_STATE_CONFLICT || status.reason == CL_VAULT_CORRUPT) {
        verify_fault(verify, "%s",
                     status.reason == CL_CONFIG_INVALID   ? "the vault belongs to another master key"
                     : status.reason == CL_STATE_CONFLICT ? "a change of the master key was not finished"
                                                          : "the vault's own key does not open");
        return cl_ok();
    }
    if (cl_is_ok(status)) {
        status = verify_each(verify, keys, "personal values", check_values);
    }
    return cl_is_ok(status) ? verify_each(verify, documents, "documents", check_document) : status;
}
