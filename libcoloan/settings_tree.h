/* settings_tree.h - the tree behind settings.h, for its two halves: settings.c builds it, settings_fields.c reads it.
 */
#ifndef COLOAN_SETTINGS_TREE_H
#define COLOAN_SETTINGS_TREE_H

#include <stdarg.h>

#include "libcoloan/arena.h"
#include "libcoloan/settings.h"

struct cl_setting {
    enum cl_setting_kind kind;
    unsigned line;
    unsigned index;    /* in its list or section */
    bool quoted;       /* so that "" is a text and nothing is not */
    const char *key;   /* "" in a list and for the root */
    const char *text;  /* "" unless a scalar */
    unsigned key_line; /* of a section's key */
    unsigned count;
    struct cl_setting *first, *last, *next; /* children, and the next of the parent's */
    struct cl_setting **children;           /* the same, by index; NULL until the list or section is complete */
    const struct cl_setting *parent;        /* NULL for the root */
    struct cl_settings *file;
};

struct cl_settings {
    struct cl_arena *arena;
    const char *name;   /* as given, for errors */
    const char *folder; /* "" or with its last '/' */
    struct cl_setting *root;
};

/* "name:line: " in front, cut to fit. */
void cl_setting_error_at(struct cl_setting_error *error, const char *name, unsigned line, const char *format,
                         va_list arguments) __attribute__((format(printf, 4, 0)));

#endif
