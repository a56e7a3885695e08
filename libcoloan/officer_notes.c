#include "libcoloan/officer_notes.h"

#include <stddef.h>
#include <string.h>

static const struct cl_officer_note rows[] = {
#define CL_OFFICER_NOTE(name, code, settles, overrides, en, zh) {code, settles, overrides, en, zh},
#include "libcoloan/officer_notes.def"
#undef CL_OFFICER_NOTE
};

const struct cl_officer_note *cl_officer_note_at(unsigned index)
{
    return index < sizeof rows / sizeof rows[0] ? &rows[index] : NULL;
}

const struct cl_officer_note *cl_officer_note_find(const char *code)
{
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].code, code) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}
