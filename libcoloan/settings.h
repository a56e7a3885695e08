/* settings.h - YAML files that people write (configuration, rule sets, personas), read into checked values.
 *
 * A file becomes a tree of settings: a scalar is a text, a list or a section holds further settings. A table of fields
 * says what a section may hold and fills a struct. Only plain YAML is taken: one document of mappings, lists and
 * scalars; no anchors, aliases, tags or merge keys, no key twice, no key that the table does not name. Every error
 * names the file, the line, the field, what was found, what is expected, and what to do.
 *
 * Owner: whoever loaded a struct cl_settings frees it; every setting, text, path and list taken from it is borrowed and
 * lives as long. Looking at the tree is for any number of threads; filling structs (paths are joined in the file's own
 * memory) for one at a time. Fails: CONFIG_INVALID for anything about the
 * file, with the sentence for its author in struct cl_setting_error; MEMORY_LIMIT. */
#ifndef COLOAN_SETTINGS_H
#define COLOAN_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "libcoloan/bytes.h"
#include "libcoloan/status.h"

/* Configuration and rule sets take some KiB, a population of test persons a few hundred. */
#define CL_SETTINGS_BYTES_MAX (1024 * 1024)
/* The deepest file we ship has 6 levels. */
#define CL_SETTINGS_DEPTH_MAX 16
/* Keys, scalars, lists and sections together; 1 MiB of real settings holds about 60,000. */
#define CL_SETTINGS_NODES_MAX 100000
/* A single scalar: paths and sentences are far shorter. */
#define CL_SETTING_TEXT_BYTES_MAX 4096

/* One sentence for whoever wrote the file, without a line break at its end. */
struct cl_setting_error {
    char text[512];
};

/* -- The tree ------------------------------------------------------------------------------------------------- */

struct cl_settings;
struct cl_setting;

/* Reads the regular file at `path`. Relative paths inside it are relative to its folder. */
CL_MUST_CHECK struct cl_status cl_settings_load(struct cl_settings **out, const char *path,
                                                struct cl_setting_error *error);

/* Reads `text`; `name` stands for the file in errors, and its folder is where relative paths start. */
CL_MUST_CHECK struct cl_status cl_settings_parse(struct cl_settings **out, const char *name, struct cl_bytes text,
                                                 struct cl_setting_error *error);

void cl_settings_free(struct cl_settings *settings); /* NULL is fine */

/* The file's outermost setting, a section. Borrowed. */
const struct cl_setting *cl_settings_root(const struct cl_settings *settings);

enum cl_setting_kind { CL_SETTING_SCALAR, CL_SETTING_SEQUENCE, CL_SETTING_MAPPING };

enum cl_setting_kind cl_setting_kind(const struct cl_setting *setting);
unsigned cl_setting_line(const struct cl_setting *setting);    /* from 1 */
const char *cl_setting_key(const struct cl_setting *setting);  /* its name in its section; "" in a list */
const char *cl_setting_text(const struct cl_setting *setting); /* of a scalar; "" of the others */
size_t cl_setting_count(const struct cl_setting *setting);     /* of a list's elements or a section's keys */
/* Element or key `index`, in the file's order; NULL past the end. For lists, and sections whose keys are data. */
const struct cl_setting *cl_setting_at(const struct cl_setting *setting, size_t index);
/* The setting of that key in a section; NULL when there is none. */
const struct cl_setting *cl_setting_find(const struct cl_setting *section, const char *key);

/* -- Checked values ------------------------------------------------------------------------------------------- */

enum cl_setting_type {
    CL_SETTING_TEXT = 1, /* const char *; of min..max bytes when max is not 0 */
    CL_SETTING_PATH,     /* const char *, absolute or joined with the file's folder */
    CL_SETTING_INT64,    /* int64_t in min..max; "1_000_000" is fine */
    CL_SETTING_BOOL,     /* bool; true or false */
    CL_SETTING_DURATION, /* int64_t ms in min..max (ms); written 250ms, 30s, 15m, 12h, 90d */
    CL_SETTING_CHOICE,   /* int: index in `choices` */
    CL_SETTING_LIST,     /* const struct cl_setting *, a list of min..max elements (max 0: any) */
    CL_SETTING_SECTION,  /* const struct cl_setting *, a section */
};

/* One field of a section: what it is called, and the member of the struct at `offset` that it fills. A field that is
 * neither required nor has a default is left NULL, 0 or false. */
struct cl_setting_field {
    const char *name;
    enum cl_setting_type type;
    size_t offset;
    bool required;
    const char *fallback; /* the default as one would write it; NULL: none. Of a SECTION only {}, of a LIST none */
    int64_t min, max;
    const char *const *choices; /* ended by NULL; CHOICE only */
    const char *doc;            /* one sentence */
};

/* Fills `out`, a struct that the fields' offsets belong to. Refuses a key that no field names. On failure `out` may be
 * filled in part. */
CL_MUST_CHECK struct cl_status cl_setting_read(void *out, const struct cl_setting *section,
                                               const struct cl_setting_field *fields, size_t field_count,
                                               struct cl_setting_error *error);

/* One value by itself, e.g. an element of a list: as a field of `type` would be read. */
CL_MUST_CHECK struct cl_status cl_setting_value(void *out, const struct cl_setting *setting,
                                                const struct cl_setting_field *field, struct cl_setting_error *error);

/* For checks of one's own: writes "file:line: field: <what is wrong and how to mend it>" and gives CONFIG_INVALID. */
CL_MUST_CHECK struct cl_status cl_setting_refuse(struct cl_setting_error *error, const struct cl_setting *setting,
                                                 const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Prints a table of the fields with type, range, default and sentence: for --help and documents. */
void cl_setting_print_fields(FILE *out, const struct cl_setting_field *fields, size_t field_count);

#endif
