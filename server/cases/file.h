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
    const struct rule_set *rules; /* that it is decided by; NULL: the centre has them no longer */
    struct case_tracks tracks;
    struct case_checks checks; /* as they are now: what REGISTER and CHECK put into the tracks */
    int64_t checks_until_ms;   /* when the first of them runs out; 0: not counted */
    /* Filled by file_load_facts. */
    struct application application; /* persons identified; personal values as texts in the arena */
    struct item_result results[CL_ITEM_RESULTS_MAX];
    Coloan__V1__VerificationResult *kept_results[CL_ITEM_RESULTS_MAX]; /* the same, as they are kept */
    size_t result_count;
};

/* In the arena. Whoever asks (NULL: the centre itself) sees a case it sent, or in which it lends. APPLICATION_UNKNOWN
 * when there is none for it; STALE_EPOCH for a bank that lent and was released: it has no business with it any more, not
 * even when it sent it. */
CL_MUST_CHECK struct cl_status file_open(struct case_file **out, struct case_tx *tx, const char *id, const char *party);

/* The file that a request is about, as far as its sender may act on it: the fund and its officers on any, others as
 * above. */
CL_MUST_CHECK struct cl_status file_open_request(struct case_file **out, struct case_tx *tx,
                                                 const struct case_request *request);

/* The submission and the items of the decision; which items apply is what was opened for it at intake, whatever the
 * centre's configuration says by now (application.items_unused; whoever opens further items sets it to the centre's
 * first). STATE_CONFLICT when the personal values were erased. */
CL_MUST_CHECK struct cl_status file_load_facts(struct case_file *file, struct case_tx *tx);

/* The results of another phase take the place of those loaded; the submission was loaded before. */
CL_MUST_CHECK struct cl_status file_load_results(struct case_file *file, struct case_tx *tx, enum item_phase phase);

/* Moves the tracks by `command`, with the counts of the decision's items read anew, keeps the fund's clock, logs the
 * step, and says which events have to be written. STATE_CONFLICT when the command does not fit. */
CL_MUST_CHECK struct cl_status file_move(struct case_file *file, struct case_tx *tx, struct case_events *events_out,
                                         enum case_command command);

/* Writes the row with everything that follows from the tracks, sets what is due by time, releases the persons when the
 * case has ended, opens and ends the officers' tasks. */
CL_MUST_CHECK struct cl_status file_save(struct case_file *file, struct case_tx *tx);

/* Fills what follows from the tracks into the row, without writing it. */
void file_derive(struct case_file *file, int64_t now_ms);

/* The status as the reply to a command on this case. */
CL_MUST_CHECK struct cl_status file_reply(ProtobufCMessage **reply_out, const struct case_file *file,
                                          struct case_tx *tx);

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

/* The terms of the current offer, which after the approval are the agreed ones. INTERNAL when there is none. */
CL_MUST_CHECK struct cl_status file_agreed(struct offer *out, const struct case_file *file, struct case_tx *tx);

/* Whether these events of a move include that one. */
bool file_tells(const struct case_events *events, enum case_event event);

/* The rule set the case is decided by; INTERNAL when the centre has it no longer. */
CL_MUST_CHECK struct cl_status file_rules(const struct rule_set **out, const struct case_file *file);

#endif
