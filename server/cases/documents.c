#include "server/cases/documents.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "server/cases/convert.h"
#include "server/cases/letters.h"
#include "server/cases/settle.h"
#include "server/store/consents.h"

#define PIECE_DOCUMENT "document"
#define PIECE_HASH     "document hash"

void document_upload_close(struct document_upload *upload)
{
    vault_box_free(upload->box);
    upload->box = NULL;
}

void document_upload_go_back(struct document_upload *upload, const struct document_upload *before)
{
    if (upload->box != before->box) {
        vault_box_free(upload->box); /* opened since */
    }
    *upload = *before;
}

/* -- Form ---------------------------------------------------------------------------------------------------- */

static struct cl_status blame(struct field_path *path_out, enum cl_reason reason, const char *field)
{
    (void)snprintf(path_out->text, sizeof path_out->text, "%s", field);
    return cl_fail(reason);
}

static struct cl_status check_form(struct field_path *path_out, const Coloan__V1__DocumentChunk *chunk)
{
    if (chunk->sha256.len != CL_DIGEST_BYTES) {
        return blame(path_out, chunk->sha256.len == 0 ? CL_FIELD_MISSING : CL_FIELD_INVALID, "sha256");
    }
    if (chunk->size_bytes < 1 || chunk->size_bytes > CL_DOCUMENT_BYTES_MAX) {
        return blame(path_out, CL_FIELD_INVALID, "size_bytes");
    }
    if (chunk->offset < 0 || chunk->offset >= chunk->size_bytes || chunk->offset % CL_DOCUMENT_CHUNK_BYTES != 0 ||
        (chunk->data.len == 0 && chunk->offset != 0)) {
        return blame(path_out, CL_FIELD_INVALID, "offset");
    }
    int64_t rest = chunk->size_bytes - chunk->offset;
    int64_t wanted = rest < CL_DOCUMENT_CHUNK_BYTES ? rest : CL_DOCUMENT_CHUNK_BYTES;
    if (chunk->data.len != 0 && (int64_t)chunk->data.len != wanted) {
        return blame(path_out, CL_FIELD_INVALID, "data");
    }
    return cl_ok();
}

static bool is_of(const struct document_upload *upload, const Coloan__V1__DocumentChunk *chunk)
{
    return cl_bytes_equal(cl_bytes(chunk->sha256.data, chunk->sha256.len),
                          cl_bytes(upload->sha256.bytes, sizeof upload->sha256.bytes));
}

struct cl_status document_check(struct field_path *path_out, struct document_upload *upload, const char *application_id,
                                const Coloan__V1__DocumentChunk *chunk)
{
    struct cl_status status = check_form(path_out, chunk);
    if (cl_failed(status)) {
        return status;
    }
    if (!upload->named) {
        assert(strlen(application_id) < sizeof upload->application_id); /* the pipeline saw to it */
        (void)snprintf(upload->application_id, sizeof upload->application_id, "%s", application_id);
        memcpy(upload->sha256.bytes, chunk->sha256.data, sizeof upload->sha256.bytes);
        upload->size_bytes = chunk->size_bytes;
        upload->named = true;
        return cl_ok();
    }
    if (strcmp(upload->application_id, application_id) != 0 || !is_of(upload, chunk)) {
        return blame(path_out, CL_FIELD_INVALID, "sha256");
    }
    if (chunk->size_bytes != upload->size_bytes) {
        return blame(path_out, CL_FIELD_INVALID, "size_bytes");
    }
    if (chunk->data.len == 0) {
        return blame(path_out, CL_FIELD_MISSING, "data");
    }
    return chunk->offset == upload->received_bytes ? cl_ok() : blame(path_out, CL_DOCUMENT_OFFSET, "offset");
}

/* -- Sealing ------------------------------------------------------------------------------------------------- */

static struct cl_status seal(struct cl_bytes *out, const struct document_upload *upload, struct cl_arena *arena,
                             const char *kind, struct cl_bytes clear)
{
    struct vault_piece piece = {.kind = kind, .of = &upload->sha256, .at = upload->received_bytes};
    uint8_t *room = cl_arena_alloc(arena, clear.len + VAULT_SEAL_BYTES);
    if (room == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *out = vault_box_seal(room, upload->box, &piece, clear);
    return cl_ok();
}

struct cl_status document_seal(struct document_piece *out, struct document_upload *upload, struct cl_arena *arena,
                               const Coloan__V1__DocumentChunk *chunk)
{
    assert(upload->open && chunk->offset == upload->received_bytes);
    struct cl_bytes data = cl_bytes(chunk->data.data, chunk->data.len);
    *out = (struct document_piece){.number = upload->number,
                                   .attempt = upload->attempt,
                                   .offset = upload->received_bytes,
                                   .length = (int64_t)data.len};
    struct cl_status status = seal(&out->sealed, upload, arena, PIECE_DOCUMENT, data);
    if (cl_failed(status)) {
        return status;
    }
    cl_sha256_add(&upload->hash, data);
    upload->received_bytes += (int64_t)data.len;
    return seal(&out->hash, upload, arena, PIECE_HASH, cl_bytes(upload->hash.state, sizeof upload->hash.state));
}

/* -- Which one ----------------------------------------------------------------------------------------------- */

/* Among the documents of the submission, with its size, or the letters of the consents, whose size nobody announced. */
static struct cl_status find_name(const struct document_upload *upload, struct case_tx *tx,
                                  const struct application_row *row)
{
    const ProtobufCMessage *body = NULL;
    struct cl_status status = file_kept_body(&body, tx, &row->submission, &coloan__v1__application__descriptor);
    if (cl_failed(status)) {
        return status;
    }
    struct cl_bytes wanted = cl_bytes(upload->sha256.bytes, sizeof upload->sha256.bytes);
    const Coloan__V1__Application *application = (const Coloan__V1__Application *)body;
    for (size_t i = 0; i < application->n_documents; i++) {
        const Coloan__V1__DocumentRef *named = application->documents[i];
        if (cl_bytes_equal(cl_bytes(named->sha256.data, named->sha256.len), wanted)) {
            return named->size_bytes == upload->size_bytes ? cl_ok() : case_blame(tx, CL_DOCUMENT_SIZE, "size_bytes");
        }
    }
    struct consent_rows consents;
    status = consents_list(&consents, tx->sql, tx->arena, row->id);
    if (cl_failed(status)) {
        return status;
    }
    for (size_t i = 0; i < consents.count; i++) {
        if (cl_digest_equal(&consents.rows[i].document, &upload->sha256)) {
            return cl_ok();
        }
    }
    return case_blame(tx, CL_DOCUMENT_UNKNOWN, "sha256");
}

/* Continues with the digest of what is here. */
static struct cl_status restore_hash(struct document_upload *upload, struct cl_arena *arena, struct cl_bytes sealed)
{
    cl_sha256_init(&upload->hash);
    if (upload->received_bytes == 0) {
        return cl_ok();
    }
    uint8_t *room = cl_arena_alloc(arena, sealed.len);
    if (room == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct vault_piece piece = {.kind = PIECE_HASH, .of = &upload->sha256, .at = upload->received_bytes};
    struct cl_bytes state;
    struct cl_status status = vault_box_unseal(&state, room, upload->box, &piece, sealed);
    if (cl_is_ok(status) && state.len != sizeof upload->hash.state) {
        status = cl_fail(CL_VAULT_CORRUPT);
    }
    if (cl_is_ok(status)) {
        memcpy(upload->hash.state, state.data, state.len);
    }
    return status;
}

static struct cl_status take_up(struct document_upload *upload, struct case_tx *tx, const struct document_row *row)
{
    if (row->size_bytes != upload->size_bytes) {
        return case_blame(tx, CL_DOCUMENT_SIZE, "size_bytes");
    }
    upload->number = row->number;
    upload->attempt = row->attempt;
    upload->received_bytes = row->received_bytes;
    upload->complete = row->complete;
    return upload->complete ? cl_ok() : restore_hash(upload, tx->arena, row->hash);
}

static struct cl_status open_upload(struct document_upload *upload, struct case_tx *tx, const char *sender)
{
    struct case_file *file = NULL;
    bool found = false;
    struct document_row row;
    struct cl_status status = file_open(&file, tx, upload->application_id, sender);
    if (cl_is_ok(status)) {
        status = find_name(upload, tx, &file->row);
    }
    if (cl_is_ok(status)) {
        status = vault_box_open(&upload->box, tx->sql, tx->cases->vault, file->row.id);
    }
    if (cl_is_ok(status)) {
        status = documents_get(&found, &row, tx->sql, tx->arena, file->row.id, &upload->sha256);
    }
    if (cl_is_ok(status)) {
        cl_sha256_init(&upload->hash);
        status = found ? take_up(upload, tx, &row) : cl_ok();
    }
    upload->open = cl_is_ok(status);
    return status;
}

/* -- Room for it --------------------------------------------------------------------------------------------- */

static bool is_full(const struct documents_unfinished *unfinished, int64_t size_bytes)
{
    return unfinished->count >= CL_UPLOADS_UNFINISHED_MAX ||
           unfinished->size_bytes + size_bytes > CL_UPLOAD_UNFINISHED_BYTES_MAX;
}

/* Whoever begins one may have to give up one that it left lying about. */
static struct cl_status make_room(struct case_tx *tx, const struct document_upload *upload, const char *sender)
{
    struct documents_unfinished unfinished;
    struct cl_status status = documents_unfinished(&unfinished, tx->sql, sender);
    if (cl_failed(status) || !is_full(&unfinished, upload->size_bytes)) {
        return status;
    }
    if (unfinished.count == 0 || tx->now_ms - unfinished.idle_since_ms < CL_UPLOAD_ABANDONED_MS) {
        return cl_fail(CL_UPLOADS_UNFINISHED);
    }
    status = documents_drop(tx->tx, unfinished.idlest, tx->now_ms);
    if (cl_is_ok(status)) {
        status = documents_unfinished(&unfinished, tx->sql, sender);
    }
    if (cl_is_ok(status) && is_full(&unfinished, upload->size_bytes)) {
        status = cl_fail(CL_UPLOADS_UNFINISHED);
    }
    return status;
}

static struct cl_status begin(struct document_upload *upload, struct case_tx *tx, const char *sender)
{
    struct cl_status status = upload->received_bytes == 0 ? make_room(tx, upload, sender) : cl_ok();
    if (cl_failed(status) || upload->number != 0) {
        return status;
    }
    struct document_row row = {.application_id = upload->application_id,
                               .sha256 = upload->sha256,
                               .size_bytes = upload->size_bytes,
                               .sender = sender,
                               .changed_ms = tx->now_ms};
    upload->attempt = 1;
    return documents_begin(&upload->number, tx->tx, &row);
}

/* -- Taking -------------------------------------------------------------------------------------------------- */

static struct cl_status append(struct case_tx *tx, struct document_piece piece)
{
    piece.at_ms = tx->now_ms;
    struct cl_status status = documents_append(tx->tx, &piece);
    return status.reason == CL_STATE_CONFLICT ? case_blame(tx, CL_DOCUMENT_OFFSET, "offset") : status;
}

/* All bytes are here. */
static struct cl_status finish(enum document_taken *taken_out, struct case_tx *tx, struct document_upload *upload)
{
    struct cl_digest digest;
    cl_sha256_finish(&upload->hash, &digest);
    upload->complete = cl_digest_equal(&digest, &upload->sha256);
    *taken_out = upload->complete ? DOCUMENT_COMPLETE : DOCUMENT_DROPPED;
    return upload->complete ? documents_complete(tx->tx, upload->number, tx->now_ms)
                            : documents_drop(tx->tx, upload->number, tx->now_ms);
}

/* A letter that is here now may be what the item CONSENT waits for. */
static struct cl_status take_letter(struct case_tx *tx, const struct document_upload *upload)
{
    struct case_file *file = NULL;
    struct case_input settles = {.command = COMMAND_SETTLE_ITEM};
    enum letters letters = LETTERS_GOOD;
    bool is_letter = false;
    struct cl_status status = letters_name(&is_letter, tx, upload->application_id, &upload->sha256);
    if (cl_failed(status) || !is_letter) {
        return status;
    }
    status = file_open(&file, tx, upload->application_id, NULL);
    if (cl_failed(status)) {
        return status;
    }
    if (lifecycle_row(&file->tracks, &settles) == NULL) {
        return letters_judge(&letters, tx, file->row.id); /* decided or ended: the verdict is for the record */
    }
    status = file_load_facts(file, tx);
    if (cl_is_ok(status)) {
        status = settle_consents(file, tx, false);
    }
    return cl_is_ok(status) ? settle_finish(file, tx) : status;
}

struct cl_status document_take(enum document_taken *taken_out, struct case_tx *tx, struct document_upload *upload,
                               const char *sender, const Coloan__V1__DocumentChunk *chunk,
                               const struct document_piece *piece)
{
    struct document_piece sealed;
    struct cl_status status = upload->open ? cl_ok() : open_upload(upload, tx, sender);
    if (cl_failed(status)) {
        return status;
    }
    *taken_out = upload->complete ? DOCUMENT_COMPLETE : DOCUMENT_GOES_ON;
    if (upload->complete || chunk->data.len == 0) {
        return cl_ok();
    }
    if (piece == NULL) {
        if (chunk->offset != upload->received_bytes) {
            return case_blame(tx, CL_DOCUMENT_OFFSET, "offset");
        }
        status = begin(upload, tx, sender);
        if (cl_is_ok(status)) {
            status = document_seal(&sealed, upload, tx->arena, chunk);
        }
        piece = &sealed;
    }
    if (cl_is_ok(status)) {
        status = append(tx, *piece);
    }
    if (cl_is_ok(status) && upload->received_bytes == upload->size_bytes) {
        status = finish(taken_out, tx, upload);
    }
    return cl_is_ok(status) && *taken_out == DOCUMENT_COMPLETE ? take_letter(tx, upload) : status;
}

/* -- Telling ------------------------------------------------------------------------------------------------- */

struct cl_status document_receipt(Coloan__V1__DocumentReceipt **out, struct case_tx *tx,
                                  const struct document_upload *upload)
{
    Coloan__V1__DocumentReceipt *receipt = cl_arena_alloc(tx->arena, sizeof *receipt);
    bool found = false;
    struct document_row row;
    if (receipt == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = documents_get(&found, &row, tx->sql, tx->arena, upload->application_id, &upload->sha256);
    if (cl_failed(status)) {
        return status;
    }
    coloan__v1__document_receipt__init(receipt);
    convert_digest(&receipt->sha256, &upload->sha256);
    receipt->size_bytes = upload->size_bytes;
    receipt->received_bytes = found ? row.received_bytes : 0;
    receipt->complete = found && row.complete;
    const char *letter = "";
    status = letters_verdict(&letter, tx, upload->application_id, &upload->sha256);
    convert_text(&receipt->letter, letter);
    *out = receipt;
    return status;
}

struct cl_status document_read(struct cl_bytes *out, struct cl_arena *arena, struct sql *sql, const struct vault *vault,
                               const char *application_id, const struct cl_digest *sha256, int64_t offset)
{
    bool found = false;
    struct document_row row;
    struct cl_bytes sealed = {NULL, 0};
    struct vault_box *box = NULL;
    struct cl_status status = documents_get(&found, &row, sql, arena, application_id, sha256);
    if (cl_is_ok(status) && found && row.complete) {
        status = documents_read(&found, &sealed, sql, arena, row.number, offset);
    }
    if (cl_failed(status)) {
        return status;
    }
    if (!found || !row.complete) {
        return cl_fail(CL_DOCUMENT_UNKNOWN);
    }
    uint8_t *room = cl_arena_alloc(arena, sealed.len);
    status = room == NULL ? cl_fail(CL_MEMORY_LIMIT) : vault_box_open(&box, sql, vault, application_id);
    if (cl_is_ok(status)) {
        struct vault_piece piece = {.kind = PIECE_DOCUMENT, .of = sha256, .at = offset};
        status = vault_box_unseal(out, room, box, &piece, sealed);
    }
    vault_box_free(box);
    return status;
}
