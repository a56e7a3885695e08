/* libyaml gives events; a builder with a stack of open lists and sections makes the tree of them. Everything that YAML
 * has beyond mappings, lists and scalars is refused where it appears: anchors and aliases (a short file could stand for
 * a gigantic tree), tags (types are the reader's business) and merge keys. Children are linked while their parent is
 * open and get an index when it closes. */
#include "libcoloan/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yaml.h>

#include "libcoloan/settings_tree.h"

enum {
    ARENA_BYTES_MAX = 32 * 1024 * 1024, /* CL_SETTINGS_NODES_MAX nodes and CL_SETTINGS_BYTES_MAX of text */
    KEYS_MAX = 4096                     /* of one section: looking for doubles compares each with each */
};

/* -- Errors --------------------------------------------------------------------------------------------------- */

void cl_setting_error_at(struct cl_setting_error *error, const char *name, unsigned line, const char *format,
                         va_list arguments)
{
    int len = line == 0 ? snprintf(error->text, sizeof error->text, "%s: ", name)
                        : snprintf(error->text, sizeof error->text, "%s:%u: ", name, line);
    if (len >= 0 && (size_t)len < sizeof error->text) {
        (void)vsnprintf(error->text + len, sizeof error->text - (size_t)len, format, arguments);
    }
}

__attribute__((format(printf, 4, 5))) static struct cl_status refuse(struct cl_setting_error *error, const char *name,
                                                                     unsigned line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    cl_setting_error_at(error, name, line, format, arguments);
    va_end(arguments);
    return cl_fail(CL_CONFIG_INVALID);
}

static struct cl_status out_of_memory(struct cl_setting_error *error, const char *name)
{
    (void)refuse(error, name, 0, "there is not enough memory to read this file; make it smaller or free memory");
    return cl_fail(CL_MEMORY_LIMIT);
}

/* -- Building ------------------------------------------------------------------------------------------------- */

struct builder {
    struct cl_settings *file;
    struct cl_setting_error *error;
    struct cl_setting *open[CL_SETTINGS_DEPTH_MAX];
    unsigned depth;
    unsigned node_count;
    const char *key; /* read, and its value not yet; NULL: none */
    unsigned key_line;
    bool document_seen;
};

static unsigned line_of(const yaml_event_t *event)
{
    return (unsigned)event->start_mark.line + 1;
}

static struct cl_status close_container(struct builder *builder)
{
    struct cl_setting *done = builder->open[--builder->depth];
    done->children = cl_arena_array(builder->file->arena, done->count + 1, sizeof *done->children);
    if (done->children == NULL) {
        return out_of_memory(builder->error, builder->file->name);
    }
    struct cl_setting **slot = done->children;
    for (struct cl_setting *child = done->first; child != NULL; child = child->next) {
        *slot++ = child;
    }
    return cl_ok();
}

static void link_child(struct cl_setting *parent, struct cl_setting *child)
{
    child->parent = parent;
    child->index = parent->count++;
    if (parent->last == NULL) {
        parent->first = child;
    } else {
        parent->last->next = child;
    }
    parent->last = child;
}

static struct cl_status check_node(struct builder *builder, const yaml_event_t *event, const yaml_char_t *anchor,
                                   const yaml_char_t *tag)
{
    const char *name = builder->file->name;
    if (anchor != NULL) {
        return refuse(builder->error, name, line_of(event),
                      "found an anchor (&name), which is not allowed; write the value out where it is needed");
    }
    if (tag != NULL) {
        return refuse(builder->error, name, line_of(event),
                      "found a tag (!type), which is not allowed; write the plain value");
    }
    if (++builder->node_count > CL_SETTINGS_NODES_MAX) {
        return refuse(builder->error, name, line_of(event), "more than %d values in one file; split it",
                      CL_SETTINGS_NODES_MAX);
    }
    return cl_ok();
}

/* A new node, linked below the open container or made the root. */
static struct cl_status add_node(struct cl_setting **out, struct builder *builder, const yaml_event_t *event,
                                 enum cl_setting_kind kind)
{
    const char *name = builder->file->name;
    if (builder->depth == 0 && kind != CL_SETTING_MAPPING) {
        return refuse(builder->error, name, line_of(event),
                      "the file must be a section of `key: value` lines, not a %s; start it with a key",
                      kind == CL_SETTING_SEQUENCE ? "list" : "single value");
    }
    struct cl_setting *node = cl_arena_alloc(builder->file->arena, sizeof *node);
    if (node == NULL) {
        return out_of_memory(builder->error, name);
    }
    *node = (struct cl_setting){.kind = kind,
                                .line = line_of(event),
                                .key = builder->key == NULL ? "" : builder->key,
                                .key_line = builder->key_line,
                                .text = "",
                                .file = builder->file};
    if (builder->depth == 0) {
        builder->file->root = node;
    } else {
        link_child(builder->open[builder->depth - 1], node);
    }
    builder->key = NULL;
    *out = node;
    return cl_ok();
}

static bool key_expected(const struct builder *builder)
{
    return builder->depth > 0 && builder->open[builder->depth - 1]->kind == CL_SETTING_MAPPING && builder->key == NULL;
}

static struct cl_status on_container(struct builder *builder, const yaml_event_t *event, enum cl_setting_kind kind)
{
    if (key_expected(builder)) {
        return refuse(builder->error, builder->file->name, line_of(event),
                      "found a list or section where a key is expected; keys are plain words");
    }
    if (builder->depth == CL_SETTINGS_DEPTH_MAX) {
        return refuse(builder->error, builder->file->name, line_of(event), "nested deeper than %d levels; flatten it",
                      CL_SETTINGS_DEPTH_MAX);
    }
    struct cl_setting *node = NULL;
    struct cl_status status = add_node(&node, builder, event, kind);
    if (cl_failed(status)) {
        return status;
    }
    builder->open[builder->depth++] = node;
    return cl_ok();
}

static struct cl_status copy_scalar(const char **out, struct builder *builder, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    if (len > CL_SETTING_TEXT_BYTES_MAX) {
        return refuse(builder->error, builder->file->name, line_of(event),
                      "a text of %zu bytes is longer than %d; shorten it", len, CL_SETTING_TEXT_BYTES_MAX);
    }
    if (memchr(value, '\0', len) != NULL) {
        return refuse(builder->error, builder->file->name, line_of(event),
                      "found a NUL character (\\0), which is not allowed; remove it");
    }
    *out = (const char *)cl_arena_copy(builder->file->arena, cl_bytes(value, len));
    return *out == NULL ? out_of_memory(builder->error, builder->file->name) : cl_ok();
}

static struct cl_status on_key(struct builder *builder, const yaml_event_t *event)
{
    const char *name = builder->file->name;
    const struct cl_setting *section = builder->open[builder->depth - 1];
    const char *key = NULL;
    struct cl_status status = copy_scalar(&key, builder, event);
    if (cl_failed(status)) {
        return status;
    }
    if (key[0] == '\0') {
        return refuse(builder->error, name, line_of(event), "found an empty key; name it");
    }
    if (strcmp(key, "<<") == 0) {
        return refuse(builder->error, name, line_of(event),
                      "found a merge key (<<), which is not allowed; write the keys out");
    }
    if (section->count == KEYS_MAX) {
        return refuse(builder->error, name, line_of(event), "more than %d keys in one section; use a list", KEYS_MAX);
    }
    for (const struct cl_setting *other = section->first; other != NULL; other = other->next) {
        if (strcmp(other->key, key) == 0) {
            return refuse(builder->error, name, line_of(event),
                          "`%.80s` stands twice in this section, first in line %u; keep one of them", key,
                          other->key_line);
        }
    }
    builder->key = key;
    builder->key_line = line_of(event);
    return cl_ok();
}

static struct cl_status on_scalar(struct builder *builder, const yaml_event_t *event)
{
    if (key_expected(builder)) {
        return on_key(builder, event);
    }
    const char *text = NULL;
    struct cl_setting *node = NULL;
    struct cl_status status = copy_scalar(&text, builder, event);
    if (cl_failed(status)) {
        return status;
    }
    status = add_node(&node, builder, event, CL_SETTING_SCALAR);
    if (cl_failed(status)) {
        return status;
    }
    node->text = text;
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return cl_ok();
}

static struct cl_status on_document(struct builder *builder, const yaml_event_t *event)
{
    const char *name = builder->file->name;
    if (builder->document_seen) {
        return refuse(builder->error, name, line_of(event), "a second document (---) starts here; keep one");
    }
    if (event->data.document_start.version_directive != NULL ||
        event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end) {
        return refuse(builder->error, name, line_of(event), "found a directive (%%...), which is not allowed");
    }
    builder->document_seen = true;
    return cl_ok();
}

static struct cl_status on_event(struct builder *builder, const yaml_event_t *event)
{
    struct cl_status status = cl_ok();
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return on_document(builder, event);
    case YAML_ALIAS_EVENT:
        return refuse(builder->error, builder->file->name, line_of(event),
                      "found an alias (*name), which is not allowed; write the value out");
    case YAML_SCALAR_EVENT:
        status = check_node(builder, event, event->data.scalar.anchor, event->data.scalar.tag);
        return cl_failed(status) ? status : on_scalar(builder, event);
    case YAML_SEQUENCE_START_EVENT:
        status = check_node(builder, event, event->data.sequence_start.anchor, event->data.sequence_start.tag);
        return cl_failed(status) ? status : on_container(builder, event, CL_SETTING_SEQUENCE);
    case YAML_MAPPING_START_EVENT:
        status = check_node(builder, event, event->data.mapping_start.anchor, event->data.mapping_start.tag);
        return cl_failed(status) ? status : on_container(builder, event, CL_SETTING_MAPPING);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return close_container(builder);
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
    return cl_ok();
}

static struct cl_status yaml_mistake(const struct builder *builder, const yaml_parser_t *parser)
{
    const char *name = builder->file->name;
    unsigned line = (unsigned)parser->problem_mark.line + 1;
    const char *problem = parser->problem == NULL ? "unreadable" : parser->problem;
    if (parser->error == YAML_MEMORY_ERROR) {
        return out_of_memory(builder->error, name);
    }
    if (parser->error == YAML_READER_ERROR) {
        return refuse(builder->error, name, 0, "byte %zu is not UTF-8 text (%s); save the file as UTF-8",
                      parser->problem_offset, problem);
    }
    return refuse(builder->error, name, line,
                  "this is not YAML: %s; check indentation (blanks, no tabs), colons and quotes around here", problem);
}

static struct cl_status build(struct builder *builder, struct cl_bytes text)
{
    yaml_parser_t parser;
    if (yaml_parser_initialize(&parser) == 0) {
        return out_of_memory(builder->error, builder->file->name);
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, text.data == NULL ? (const unsigned char *)"" : text.data, text.len);
    struct cl_status status = cl_ok();
    for (bool more = true; more;) {
        yaml_event_t event;
        if (yaml_parser_parse(&parser, &event) == 0) {
            status = yaml_mistake(builder, &parser);
            break;
        }
        status = on_event(builder, &event);
        more = cl_is_ok(status) && event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    if (cl_is_ok(status) && builder->file->root == NULL) {
        return refuse(builder->error, builder->file->name, 0, "the file is empty; write `key: value` lines");
    }
    return status;
}

/* -- Loading -------------------------------------------------------------------------------------------------- */

static const char *folder_of(struct cl_arena *arena, const char *name)
{
    const char *slash = strrchr(name, '/');
    return (const char *)cl_arena_copy(arena, cl_bytes(name, slash == NULL ? 0 : (size_t)(slash - name) + 1));
}

struct cl_status cl_settings_parse(struct cl_settings **out, const char *name, struct cl_bytes text,
                                   struct cl_setting_error *error)
{
    struct cl_arena *arena = NULL;
    if (text.len > CL_SETTINGS_BYTES_MAX) {
        return refuse(error, name, 0, "the file is larger than %d bytes; split it", CL_SETTINGS_BYTES_MAX);
    }
    struct cl_status status = cl_arena_create(&arena, ARENA_BYTES_MAX);
    if (cl_failed(status)) {
        return out_of_memory(error, name);
    }
    struct cl_settings *file = cl_arena_alloc(arena, sizeof *file);
    struct builder builder = {.file = file, .error = error};
    if (file != NULL) {
        *file = (struct cl_settings){.arena = arena};
        file->name = cl_arena_text(arena, name);
        file->folder = folder_of(arena, name);
    }
    if (file == NULL || file->name == NULL || file->folder == NULL) {
        cl_arena_free(arena);
        return out_of_memory(error, name);
    }
    status = build(&builder, text);
    if (cl_failed(status)) {
        cl_arena_free(arena);
        return status;
    }
    *out = file;
    return cl_ok();
}

void cl_settings_free(struct cl_settings *settings)
{
    if (settings != NULL) {
        cl_arena_free(settings->arena);
    }
}

static struct cl_status read_all(uint8_t *out, size_t *len_out, int fd, const char *path,
                                 struct cl_setting_error *error)
{
    size_t len = 0;
    while (len <= CL_SETTINGS_BYTES_MAX) {
        ssize_t got = read(fd, out + len, CL_SETTINGS_BYTES_MAX + 1 - len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return refuse(error, path, 0, "cannot be read: %s", strerror(errno));
        }
        if (got == 0) {
            break;
        }
        len += (size_t)got;
    }
    *len_out = len;
    return cl_ok();
}

/* O_NONBLOCK, so that a FIFO in the file's place is refused and not waited for. */
struct cl_status cl_settings_load(struct cl_settings **out, const char *path, struct cl_setting_error *error)
{
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return refuse(error, path, 0, "cannot be opened: %s; check the path and who may read it", strerror(errno));
    }
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode)) {
        (void)close(fd);
        return refuse(error, path, 0, "is not a regular file; give the path of a YAML file");
    }
    uint8_t *text = malloc(CL_SETTINGS_BYTES_MAX + 1);
    size_t len = 0;
    struct cl_status status = text == NULL ? out_of_memory(error, path) : read_all(text, &len, fd, path, error);
    (void)close(fd);
    if (cl_is_ok(status)) {
        status = cl_settings_parse(out, path, cl_bytes(text, len), error);
    }
    free(text);
    return status;
}

/* -- Looking -------------------------------------------------------------------------------------------------- */

const struct cl_setting *cl_settings_root(const struct cl_settings *settings)
{
    return settings->root;
}

enum cl_setting_kind cl_setting_kind(const struct cl_setting *setting)
{
    return setting->kind;
}

unsigned cl_setting_line(const struct cl_setting *setting)
{
    return setting->line;
}

const char *cl_setting_key(const struct cl_setting *setting)
{
    return setting->key;
}

const char *cl_setting_text(const struct cl_setting *setting)
{
    return setting->text;
}

size_t cl_setting_count(const struct cl_setting *setting)
{
    return setting->count;
}

const struct cl_setting *cl_setting_at(const struct cl_setting *setting, size_t index)
{
    return index < setting->count ? setting->children[index] : NULL;
}

const struct cl_setting *cl_setting_find(const struct cl_setting *section, const char *key)
{
    for (const struct cl_setting *child = section->first; child != NULL; child = child->next) {
        if (strcmp(child->key, key) == 0) {
            return child;
        }
    }
    return NULL;
}
