/* file.h - one application's file: its row, its tracks, what was submitted and what the items say.
 *
 * Loaded inside a transaction, changed by a command, saved by file_save, which writes what is derived from the tracks.
 * Everything lives in the command's arena. Writer thread; see cases.h. */
#ifndef COLOAN_CASES_FILE_H
#define COLOAN_CASES_FILE_H

#include "server/cases/cases.h"
#include "server/domain/decide.h"
#include "server/domain/facts.h"
#include "server/domain/lifecycle.h"
#include "server/store/applications.h"
#include "server/store/items.h"

struct case_file {
    struct application_row row;
    struct case_tracks tracks;
    /* Filled by file_load_facts. */
    struct application application; /* persons identified; personal values as texts in the arena */
    struct item_result results[CL_ITEM_RESULTS_MAX];
    Coloan__V1__VerificationResult *kept_results[CL_ITEM_RESULTS_MAX]; /* the same, as they are kept */
    size_t result_count;
};

/* In the arena. APPLICATION_UNKNOWN when there is none, or `party` is neither its sender nor its bank (NULL: anybody's). */
CL_MUST_CHECK struct cl_status file_open(struct case_file **out, struct case_tx *tx, const char *id, const char *party);

/* The file that a bank's request is about. STALE_EPOCH when the bank sent the case in but does not lend (any more). */
CL_MUST_CHECK struct cl_status file_open_for_bank(struct case_file **out, struct case_tx *tx,
                                                  const struct case_request *request);

/* The submission and the items of the decision; which items apply is what was opened for it at intake, whatever the
 * centre's configuration says by now. STATE_CONFLICT when the personal values were erased. */
CL_MUST_CHECK struct cl_status file_load_facts(struct case_file *file, struct case_tx *tx);

/* The results of another phase take the place of those loaded; the submission was loaded before. */
CL_MUST_CHECK struct cl_status file_load_results(struct case_file *file, struct case_tx *tx, enum item_phase phase);

/* Moves the tracks by `command`, with the counts of the decision's items read anew, keeps the fund's clock, logs the
 * step, and says which events have to be written. STATE_CONFLICT when the command does not fit. */
CL_MUST_CHECK struct cl_status file_move(struct case_file *file, struct case_tx *tx, struct case_events *events_out,
                                         enum case_command command);

/* Writes the row with everything that follows from the tracks; releases the persons when the case has ended; opens and
 * ends the officers' tasks. */
CL_MUST_CHECK struct cl_status file_save(struct case_file *file, struct case_tx *tx);

/* Fills what follows from the tracks into the row, without writing it. */
void file_derive(struct case_file *file, int64_t now_ms);

/* Keeps the reasons in the row. */
CL_MUST_CHECK struct cl_status file_set_reasons(struct case_file *file, struct case_tx *tx,
                                                const struct decision_reason *reasons, size_t count);

/* The status message of a row, in the arena. */
CL_MUST_CHECK struct cl_status file_status(Coloan__V1__ApplicationStatus **out, struct cl_arena *arena,
                                           const struct application_row *row);

/* The body of a kept message of this type, by its digest. INTERNAL when it is not there or is something else. */
CL_MUST_CHECK struct cl_status file_kept_body(const ProtobufCMessage **out, struct case_tx *tx,
                                              const struct cl_digest *digest,
                                              const ProtobufCMessageDescriptor *descriptor);

/* Whether these events of a move include that one. */
bool file_tells(const struct case_events *events, enum case_event event);

/* The rule set the case is decided by; INTERNAL when the centre has it no longer. */
CL_MUST_CHECK struct cl_status file_rules(const struct rule_set **out, const struct case_file *file,
                                          const struct case_tx *tx);

#endif
