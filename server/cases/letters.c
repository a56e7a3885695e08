#include "server/cases/letters.h"

#include <stdio.h>

#include "server/authorisation/authorisation.h"
#include "server/cases/documents.h"
#include "server/store/consents.h"

/* The letter that was read last: one of a person stands behind several consents. */
struct reading {
    const struct cl_digest *document; /* NULL: none was read */
    struct cl_status status;          /* of that letter; DOCUMENT_UNKNOWN: it is not here */
    struct letter letter;
};

static struct cl_status read_letter(struct reading *reading, struct case_tx *tx, const struct consent_row *row)
{
    if (reading->document != NULL && cl_digest_equal(reading->document, &row->document)) {
        return cl_ok();
    }
    bool found = false;
    struct document_row document;
    struct cl_bytes bytes = {NULL, 0};
    struct cl_status status = documents_get(&found, &document, tx->sql, tx->arena, row->application_id, &row->document);
    if (cl_failed(status)) {
        return status;
    }
    reading->document = &row->document;
    if (!found || !document.complete) {
        reading->status = cl_fail(CL_DOCUMENT_UNKNOWN);
        return cl_ok();
    }
    if (document.size_bytes > AUTHORISATION_LETTER_BYTES_MAX) {
        reading->status = cl_fail(CL_LETTER_FORM);
        return cl_ok();
    }
    status = document_read(&bytes, tx->arena, tx->sql, tx->cases->vault, row->application_id, &row->document, 0);
    if (cl_failed(status)) {
        return status;
    }
    reading->status = authorisation_verify(&reading->letter, tx->cases->authorisation, bytes, tx->now_ms);
    return reading->status.reason == CL_MEMORY_LIMIT ? reading->status : cl_ok();
}

static bool grants(const struct letter *letter, const struct consent_row *row)
{
    struct letter_consent consent = {.purpose = row->purpose, .until_ms = row->until_ms};
    (void)snprintf(consent.receiver, sizeof consent.receiver, "%s", row->receiver);
    (void)snprintf(consent.consent_id, sizeof consent.consent_id, "%s", row->consent_id);
    return letter_grants(letter, &row->subject, &consent);
}

/* Judges the consent's letter if it is here and was not judged before. */
static struct cl_status judge(struct consent_row *row, struct reading *reading, struct case_tx *tx)
{
    if (row->letter_judged) {
        return cl_ok();
    }
    struct cl_status status = read_letter(reading, tx, row);
    if (cl_failed(status) || reading->status.reason == CL_DOCUMENT_UNKNOWN) {
        return status;
    }
    row->letter = (int)reading->status.reason;
    if (cl_is_ok(reading->status) && !grants(&reading->letter, row)) {
        row->letter = (int)CL_LETTER_OTHER;
    }
    row->letter_judged = true;
    return consents_set_letter(tx->tx, row->application_id, row->consent_id, row->letter);
}

struct cl_status letters_judge(enum letters *out, struct case_tx *tx, const char *application_id)
{
    struct consent_rows rows;
    struct reading *reading = cl_arena_alloc(tx->arena, sizeof *reading);
    *out = LETTERS_GOOD;
    if (tx->cases->authorisation == NULL) {
        return cl_ok();
    }
    if (reading == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = consents_list(&rows, tx->sql, tx->arena, application_id);
    for (size_t i = 0; cl_is_ok(status) && i < rows.count; i++) {
        struct consent_row *row = &rows.rows[i];
        if (row->withdrawn_ms != 0 || tx->now_ms >= row->until_ms) {
            continue;
        }
        status = judge(row, reading, tx);
        enum letters one = !row->letter_judged ? LETTERS_AWAITED : row->letter == 0 ? LETTERS_GOOD : LETTERS_BAD;
        *out = one > *out ? one : *out;
    }
    return status;
}

/* The consents of a case; none where letters are not verified. */
static struct cl_status with_letters(struct consent_rows *out, struct case_tx *tx, const char *application_id)
{
    *out = (struct consent_rows){.count = 0};
    return tx->cases->authorisation == NULL ? cl_ok() : consents_list(out, tx->sql, tx->arena, application_id);
}

struct cl_status letters_name(bool *out, struct case_tx *tx, const char *application_id,
                              const struct cl_digest *document)
{
    struct consent_rows rows;
    *out = false;
    struct cl_status status = with_letters(&rows, tx, application_id);
    if (cl_failed(status)) {
        return status;
    }
    for (size_t i = 0; i < rows.count; i++) {
        *out = *out || cl_digest_equal(&rows.rows[i].document, document);
    }
    return cl_ok();
}

struct cl_status letters_verdict(const char **out, struct case_tx *tx, const char *application_id,
                                 const struct cl_digest *document)
{
    struct consent_rows rows;
    *out = "";
    struct cl_status status = with_letters(&rows, tx, application_id);
    if (cl_failed(status)) {
        return status;
    }
    int verdict = -1;
    for (size_t i = 0; i < rows.count; i++) {
        const struct consent_row *row = &rows.rows[i];
        if (row->letter_judged && cl_digest_equal(&row->document, document) && verdict <= 0) {
            verdict = row->letter;
        }
    }
    *out = verdict < 0 ? "" : cl_status_name((struct cl_status){.reason = (enum cl_reason)verdict});
    return cl_ok();
}
