/* settle.h - the items of a case: opened at intake, settled by the centre itself, a source or the bank; and what
 * follows when the last one is settled.
 *
 * Writer thread; see cases.h. */
#ifndef COLOAN_CASES_SETTLE_H
#define COLOAN_CASES_SETTLE_H

#include "server/cases/file.h"

/* Writes all items of a phase that apply: open ones, and at once the results of those the centre settles by itself. */
CL_MUST_CHECK struct cl_status settle_open(struct case_file *file, struct case_tx *tx, enum item_phase phase);

/* One of them, that was not there before. */
CL_MUST_CHECK struct cl_status settle_open_one(struct case_file *file, struct case_tx *tx, enum item_phase phase,
                                               struct item_key key);

/* Who says what a result says. */
struct settle_source {
    enum item_phase phase;
    enum item_owner owner;
    const char *authority;
    const char *receipt;
};

/* Settles one item of source->phase. STATE_CONFLICT when it is not open; FIELD_INVALID, FIELD_MISSING when the result is
 * not one of the catalogue, with the path within the result. */
CL_MUST_CHECK struct cl_status settle_item(struct case_file *file, struct case_tx *tx, struct field_path *path_out,
                                           const struct item_result *result, const struct settle_source *source);

/* The row that keeps a result; without checking or writing it. */
CL_MUST_CHECK struct cl_status settle_row(struct item_row *out, const struct case_file *file, struct case_tx *tx,
                                          const struct item_result *result, const struct settle_source *source);

/* After consents were taken or withdrawn: loads those in force into file->application and brings the items in line with
 * them. CONSENT is settled anew; open items that nobody may ask about any more fail as not authorised; with `given`
 * those that failed so and may be asked about again are open again. The facts are loaded; the caller moves the case. */
CL_MUST_CHECK struct cl_status settle_consents(struct case_file *file, struct case_tx *tx, bool given);

/* -- Opening again ------------------------------------------------------------------------------------------- */

/* Which items of the decision a change concerns. */
typedef bool settle_concerned(void *user, const struct case_file *file, const struct item_row *row);

/* Opens them again; those that the centre settles by itself are settled anew. The facts are loaded. */
CL_MUST_CHECK struct cl_status settle_reopen(struct case_file *file, struct case_tx *tx, settle_concerned *concerned,
                                             void *user);

/* Opens the fund's items again whose answers have run out, so that they are asked anew instead of failing. */
CL_MUST_CHECK struct cl_status settle_refresh(struct case_file *file, struct case_tx *tx);

/* Those the bank reports: of another bank, or of other facts. */
CL_MUST_CHECK struct cl_status settle_reopen_banks(struct case_file *file, struct case_tx *tx);

/* Whether an open item waits for an authority that nobody may ask any more: a consent ended while it was open. */
CL_MUST_CHECK struct cl_status settle_is_barred(bool *out, const struct case_file *file, struct case_tx *tx);

/* What an authority's answer is as a result. */
struct source_question;
void settle_result_of(struct item_result *out, const struct source_question *question);

/* After items of the decision were settled: moves the case, lets the fund decide when nothing is open, writes the
 * events, saves. */
CL_MUST_CHECK struct cl_status settle_finish(struct case_file *file, struct case_tx *tx);

/* After a command that opened items again moved the case: asks about them, or lets the fund decide when none is open.
 * Saves. */
CL_MUST_CHECK struct cl_status settle_go_on(struct case_file *file, struct case_tx *tx);

/* The inquiry for all open items that authorities answer goes to tx->effect->inquiry; NULL when there are none. Nobody
 * is asked about what the consents in force do not cover. Those of the phase REGISTRATION are polled by whoever opened
 * them, with settle_inquire. */
CL_MUST_CHECK struct cl_status settle_ask(struct case_file *file, struct case_tx *tx);

/* One question of an inquiry. */
struct settle_question {
    enum item_phase phase;
    struct item_key key;
};

/* An inquiry about these items, open or not, to be completed (home.registry_no) and handed to tx->effect->inquiry. The
 * file's facts are loaded. */
struct source_inquiry;
CL_MUST_CHECK struct cl_status settle_inquire(struct source_inquiry **out, const struct case_file *file,
                                              const struct case_tx *tx, const struct settle_question *questions,
                                              size_t count);

#endif
