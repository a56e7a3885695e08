#include "sandbox/yaml_tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum {
    NESTING_MAX = 12,        /* personas nest 6 levels; an alias that holds itself would never end */
    FILE_BYTES_MAX = 1 << 20 /* hundreds of personas */
};

struct reading {
    yaml_document_t document;
    const char *path;
    struct sandbox_problem *problem;
};

static void *complain(struct reading *reading, size_t line, const char *what)
{
    if (reading->problem->text[0] == '\0') {
        (void)snprintf(reading->problem->text, sizeof reading->problem->text, "%s:%zu: %s", reading->path, line + 1,
                       what);
    }
    return NULL;
}

static json_t *read_node(struct reading *reading, yaml_node_t *node, unsigned depth);

static json_t *read_scalar(struct reading *reading, const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    size_t len = node->data.scalar.length;
    char *end = NULL;
    json_t *value = NULL;
    bool plain = node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    errno = 0;
    long long number = plain ? strtoll(text, &end, 10) : 0;
    if (plain && len > 0 && *end == '\0' && errno == 0) {
        value = json_integer(number);
    } else if (plain && (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)) {
        value = json_boolean(text[0] == 't');
    } else if (plain && strcmp(text, "null") == 0) {
        value = json_null();
    } else {
        value = json_stringn(text, len);
    }
    return value != NULL ? value : complain(reading, node->start_mark.line, "not UTF-8");
}

static json_t *read_sequence(struct reading *reading, const yaml_node_t *node, unsigned depth)
{
    json_t *list = json_array();
    for (yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
        json_t *value = read_node(reading, yaml_document_get_node(&reading->document, *item), depth + 1);
        if (value == NULL || json_array_append_new(list, value) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *read_mapping(struct reading *reading, const yaml_node_t *node, unsigned depth)
{
    json_t *object = json_object();
    for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
        const yaml_node_t *key = yaml_document_get_node(&reading->document, pair->key);
        const char *name = key->type == YAML_SCALAR_NODE ? (const char *)key->data.scalar.value : NULL;
        if (name == NULL || json_object_get(object, name) != NULL) {
            json_decref(object);
            return complain(reading, key->start_mark.line, "a key must be a text, and stand once");
        }
        json_t *value = read_node(reading, yaml_document_get_node(&reading->document, pair->value), depth + 1);
        if (value == NULL || json_object_set_new(object, name, value) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *read_node(struct reading *reading, yaml_node_t *node, unsigned depth)
{
    if (depth > NESTING_MAX) {
        return complain(reading, node->start_mark.line, "nested too deep");
    }
    switch (node->type) {
    case YAML_SCALAR_NODE:
        return read_scalar(reading, node);
    case YAML_SEQUENCE_NODE:
        return read_sequence(reading, node, depth);
    case YAML_MAPPING_NODE:
        return read_mapping(reading, node, depth);
    case YAML_NO_NODE:
        break;
    }
    return complain(reading, node->start_mark.line, "not YAML");
}

static json_t *read_document(struct reading *reading, yaml_parser_t *parser)
{
    if (!yaml_parser_load(parser, &reading->document)) {
        return complain(reading, parser->problem_mark.line, parser->problem == NULL ? "not YAML" : parser->problem);
    }
    yaml_node_t *root = yaml_document_get_root_node(&reading->document);
    json_t *tree = root == NULL ? complain(reading, 0, "empty") : read_node(reading, root, 0);
    yaml_document_delete(&reading->document);
    return tree;
}

static char *read_file(size_t *len_out, struct reading *reading)
{
    FILE *file = fopen(reading->path, "rbe");
    if (file == NULL) {
        return complain(reading, 0, strerror(errno));
    }
    char *text = malloc(FILE_BYTES_MAX);
    size_t len = text == NULL ? 0 : fread(text, 1, FILE_BYTES_MAX, file);
    (void)fclose(file);
    if (len == 0 || len == FILE_BYTES_MAX) {
        free(text);
        return complain(reading, 0, "empty, or larger than a mebibyte");
    }
    *len_out = len;
    return text;
}

struct cl_status yaml_tree_load(json_t **out, const char *path, struct sandbox_problem *problem)
{
    struct reading reading = {.path = path, .problem = problem};
    yaml_parser_t parser;
    size_t len = 0;
    problem->text[0] = '\0';
    char *text = read_file(&len, &reading);
    if (text == NULL) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    if (!yaml_parser_initialize(&parser)) {
        free(text);
        return cl_fail(CL_MEMORY_LIMIT);
    }
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    json_t *tree = read_document(&reading, &parser);
    yaml_parser_delete(&parser);
    free(text);
    if (tree == NULL) {
        return cl_fail(CL_CONFIG_INVALID);
    }
    *out = tree;
    return cl_ok();
}
