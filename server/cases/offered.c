#include "server/cases/offered.h"

static bool is_digest(ProtobufCBinaryData data, const struct cl_digest *digest)
{
    return cl_bytes_equal(cl_bytes(data.data, data.len), cl_bytes(digest->bytes, sizeof digest->bytes));
}

struct cl_status offered_find(struct offer_row *out, struct case_tx *tx, const struct case_file *file, uint32_t version,
                              ProtobufCBinaryData terms_digest)
{
    if (version != file->row.offer_version) {
        return case_blame(tx, CL_OFFER_STALE, "offer_version");
    }
    bool found = false;
    struct cl_status status = offers_get(&found, out, tx->sql, tx->arena, file->row.id, version);
    if (cl_failed(status)) {
        return status;
    }
    if (!found) {
        return cl_fail(CL_INTERNAL);
    }
    if (!is_digest(terms_digest, &out->terms_digest)) {
        return case_blame(tx, CL_TERMS_DIGEST_WRONG, "terms_digest");
    }
    return tx->now_ms < out->valid_until_ms ? cl_ok() : cl_fail(CL_OFFER_EXPIRED);
}
