/* yaml_tree.h - a YAML file as a jansson tree: mappings, lists, and plain scalars that look like numbers, true, false
 * or null as those; every other scalar is a text.
 *
 * Owner: the caller decrefs the tree. Any thread. For our own files only: no aliases, no tags.
 * Fails: CONFIG_INVALID with a sentence in `problem`, MEMORY_LIMIT. */
#ifndef COLOAN_SANDBOX_YAML_TREE_H
#define COLOAN_SANDBOX_YAML_TREE_H

#include <jansson.h>

#include "libcoloan/status.h"

struct sandbox_problem {
    char text[256]; /* "file:line: what is wrong", without a line break */
};

CL_MUST_CHECK struct cl_status yaml_tree_load(json_t **out, const char *path, struct sandbox_problem *problem);

#endif
