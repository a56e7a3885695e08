/* officer_notes.h - the codes by which an officer says why: rows of officer_notes.def.
 *
 * Values only: static rows, any thread, cannot fail. */
#ifndef COLOAN_OFFICER_NOTES_H
#define COLOAN_OFFICER_NOTES_H

#include <stdbool.h>

struct cl_officer_note {
    const char *code; /* "DOC-PAPER" */
    bool settles;     /* may stand in a SettleItem */
    bool overrides;   /* may stand in an Override */
    const char *text_en;
    const char *text_zh;
};

/* The row with that code, or NULL. */
const struct cl_officer_note *cl_officer_note_find(const char *code);

/* Row `index` in the table's order, or NULL past the end. */
const struct cl_officer_note *cl_officer_note_at(unsigned index);

#endif
