/* jansson reads and writes the text; between its values and a message goes one walk each way over the descriptor. The
 * reader keeps the path of where it is, so that an error can say it. */
#include "libcoloan/json.h"

#include <assert.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/wirescan.h"

enum {
    NAME_BYTES_MAX = 64,   /* of a field, in either form; the longest we have is 23 */
    NUMBER_BYTES_MAX = 24, /* of a 64-bit number as text, with sign and NUL */
    FOUND_BYTES_MAX = 64   /* of what was found, in an error */
};

/* "area_centi_m2" is "areaCentiM2". */
static void camel_name(char out[NAME_BYTES_MAX], const char *name)
{
    size_t len = 0;
    bool upper = false;
    for (; *name != '\0' && len + 1 < NAME_BYTES_MAX; name++) {
        if (*name == '_') {
            upper = true;
            continue;
        }
        out[len++] = upper && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
        upper = false;
    }
    out[len] = '\0';
}

static bool is_oneof(const ProtobufCFieldDescriptor *field)
{
    return (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

/* A member of a message, at a field's offset. protobuf-c lays its structs out so. */
static void *member_at(const void *message, unsigned offset)
{
    union {
        const void *in;
        char *out;
    } cast = {.in = message};
    return cast.out + offset;
}

/* -- Printing ------------------------------------------------------------------------------------------------- */

struct printer {
    struct cl_arena *arena;
    unsigned style;
    unsigned depth;
};

static json_t *print_message(struct printer *printer, const ProtobufCMessage *message);

static json_t *print_int64(int64_t value)
{
    char text[NUMBER_BYTES_MAX];
    (void)snprintf(text, sizeof text, "%" PRId64, value);
    return json_string(text);
}

static json_t *print_uint64(uint64_t value)
{
    char text[NUMBER_BYTES_MAX];
    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    return json_string(text);
}

static json_t *print_enum(const ProtobufCEnumDescriptor *type, int number)
{
    const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(type, number);
    return value == NULL ? json_integer(number) : json_string(value->name);
}

static json_t *print_bytes(struct printer *printer, const ProtobufCBinaryData *bytes)
{
    char *text = cl_arena_alloc(printer->arena, CL_BASE64_TEXT_BYTES(bytes->len));
    if (text == NULL) {
        return NULL;
    }
    cl_base64_encode(text, cl_bytes(bytes->data, bytes->len));
    return json_string(text);
}

/* NULL when it cannot be printed. */
static json_t *print_value(struct printer *printer, const ProtobufCFieldDescriptor *field, const void *member)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return json_integer(*(const int32_t *)member);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return json_integer(*(const uint32_t *)member);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return print_int64(*(const int64_t *)member);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return print_uint64(*(const uint64_t *)member);
    case PROTOBUF_C_TYPE_BOOL:
        return json_boolean(*(const protobuf_c_boolean *)member);
    case PROTOBUF_C_TYPE_ENUM:
        return print_enum(field->descriptor, *(const int *)member);
    case PROTOBUF_C_TYPE_STRING:
        return json_string(*(char *const *)member);
    case PROTOBUF_C_TYPE_BYTES:
        return print_bytes(printer, member);
    case PROTOBUF_C_TYPE_MESSAGE:
        return print_message(printer, *(ProtobufCMessage *const *)member);
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        break;
    }
    assert(false && "the contract has no floating point");
    return NULL;
}

static size_t element_size(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(int64_t);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
    case PROTOBUF_C_TYPE_FLOAT:
        break;
    }
    return sizeof(int32_t);
}

static json_t *print_list(struct printer *printer, const ProtobufCFieldDescriptor *field,
                          const ProtobufCMessage *message)
{
    size_t count = *(size_t *)member_at(message, field->quantifier_offset);
    const char *elements = *(char **)member_at(message, field->offset);
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        if (json_array_append_new(list, print_value(printer, field, elements + i * element_size(field->type))) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* Whether a single field holds something else than its default. */
static bool is_set(const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message)
{
    const void *member = member_at(message, field->offset);
    if (is_oneof(field)) {
        return *(uint32_t *)member_at(message, field->quantifier_offset) == field->id;
    }
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return *(void *const *)member != NULL;
    }
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        const char *text = *(char *const *)member;
        return text != NULL && text[0] != '\0';
    }
    if (field->type == PROTOBUF_C_TYPE_BYTES) {
        return ((const ProtobufCBinaryData *)member)->len > 0;
    }
    static const uint8_t zeros[sizeof(int64_t)];
    return memcmp(member, zeros, element_size(field->type)) != 0;
}

static bool is_printed(struct printer *printer, const ProtobufCFieldDescriptor *field, const ProtobufCMessage *message)
{
    bool defaults = (printer->style & CL_JSON_DEFAULTS) != 0;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return defaults || *(size_t *)member_at(message, field->quantifier_offset) > 0;
    }
    bool has_default = !is_oneof(field) && field->type != PROTOBUF_C_TYPE_MESSAGE;
    return is_set(field, message) || (defaults && has_default);
}

static json_t *print_message(struct printer *printer, const ProtobufCMessage *message)
{
    if (printer->depth == CL_JSON_DEPTH_MAX) {
        return NULL;
    }
    printer->depth++;
    json_t *object = json_object();
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        char name[NAME_BYTES_MAX];
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (!is_printed(printer, field, message)) {
            continue;
        }
        json_t *value = field->label == PROTOBUF_C_LABEL_REPEATED
                            ? print_list(printer, field, message)
                            : print_value(printer, field, member_at(message, field->offset));
        camel_name(name, field->name);
        if (json_object_set_new(object, name, value) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    printer->depth--;
    return object;
}

struct cl_status cl_json_print(const char **out, struct cl_arena *arena, const ProtobufCMessage *message,
                               unsigned style)
{
    struct printer printer = {.arena = arena, .style = style};
    json_t *object = print_message(&printer, message);
    if (object == NULL) {
        return cl_fail(cl_arena_overflowed(arena) ? CL_MEMORY_LIMIT : CL_JSON_INVALID);
    }
    char *text = json_dumps(object, (style & CL_JSON_INDENTED) != 0 ? JSON_INDENT(2) : JSON_COMPACT);
    json_decref(object);
    const char *copy = text == NULL ? NULL : cl_arena_text(arena, text);
    free(text);
    if (copy == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *out = copy;
    return cl_ok();
}

/* -- Reading -------------------------------------------------------------------------------------------------- */

struct reader {
    struct cl_arena *arena;
    struct cl_json_error *error;
    unsigned depth;
    char path[CL_JSON_PATH_BYTES_MAX];
    size_t path_len;
};

static struct cl_status read_message(ProtobufCMessage **out, struct reader *reader,
                                     const ProtobufCMessageDescriptor *descriptor, const json_t *json);

__attribute__((format(printf, 2, 3))) static void enter(struct reader *reader, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int more = vsnprintf(reader->path + reader->path_len, sizeof reader->path - reader->path_len, format, arguments);
    va_end(arguments);
    size_t room = sizeof reader->path - 1 - reader->path_len;
    reader->path_len += more < 0 ? 0 : ((size_t)more < room ? (size_t)more : room);
}

static void leave(struct reader *reader, size_t path_len)
{
    reader->path_len = path_len;
    reader->path[path_len] = '\0';
}

__attribute__((format(printf, 2, 3))) static struct cl_status refuse(struct reader *reader, const char *format, ...)
{
    if (reader->error != NULL) {
        char *text = reader->error->text;
        size_t text_bytes = sizeof reader->error->text;
        int len = snprintf(text, text_bytes, "%s%s", reader->path, reader->path_len == 0 ? "" : ": ");
        va_list arguments;
        va_start(arguments, format);
        if (len >= 0 && (size_t)len < text_bytes) {
            (void)vsnprintf(text + len, text_bytes - (size_t)len, format, arguments);
        }
        va_end(arguments);
    }
    return cl_fail(CL_JSON_INVALID);
}

/* A string's own characters are not shown: they may be personal. */
static const char *kind_of(const json_t *json)
{
    static const char *const names[] = {[JSON_OBJECT] = "an object",
                                        [JSON_ARRAY] = "a list",
                                        [JSON_STRING] = "a string",
                                        [JSON_INTEGER] = "a number",
                                        [JSON_REAL] = "a fractional number",
                                        [JSON_TRUE] = "true",
                                        [JSON_FALSE] = "false",
                                        [JSON_NULL] = "null"};
    return names[json_typeof(json)];
}

static struct cl_status unexpected(struct reader *reader, const json_t *json, const char *expected)
{
    return refuse(reader, "found %s, expected %s", kind_of(json), expected);
}

/* Decimal digits with an optional '-', no blanks, no leading zero. The magnitude and its sign. */
static bool parse_decimal(uint64_t *out, bool *negative_out, const char *text)
{
    uint64_t value = 0;
    bool negative = text[0] == '-';
    text += negative ? 1 : 0;
    if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0')) {
        return false;
    }
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9' || __builtin_mul_overflow(value, 10U, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value)) {
            return false;
        }
    }
    *out = value;
    *negative_out = negative && value > 0;
    return true;
}

/* A number or a string that holds one, as sign and magnitude; false when it is neither. */
static bool read_number(uint64_t *out, bool *negative_out, const json_t *json)
{
    if (json_is_string(json)) {
        return parse_decimal(out, negative_out, json_string_value(json));
    }
    if (!json_is_integer(json)) {
        return false;
    }
    json_int_t value = json_integer_value(json);
    *negative_out = value < 0;
    *out = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    return true;
}

static struct cl_status read_signed(int64_t *out, struct reader *reader, const json_t *json, int64_t max)
{
    uint64_t magnitude = 0;
    bool negative = false;
    if (!read_number(&magnitude, &negative, json)) {
        return unexpected(reader, json, "a whole number");
    }
    if (magnitude > (uint64_t)max + (negative ? 1 : 0)) {
        return refuse(reader, "the number is out of range; it must lie within %" PRId64 " to %" PRId64, -max - 1, max);
    }
    *out = negative ? -(int64_t)(magnitude - 1) - 1 : (int64_t)magnitude;
    return cl_ok();
}

static struct cl_status read_unsigned(uint64_t *out, struct reader *reader, const json_t *json, uint64_t max)
{
    uint64_t magnitude = 0;
    bool negative = false;
    if (!read_number(&magnitude, &negative, json)) {
        return unexpected(reader, json, "a whole number");
    }
    if (negative || magnitude > max) {
        return refuse(reader, "the number is out of range; it must lie within 0 to %" PRIu64, max);
    }
    *out = magnitude;
    return cl_ok();
}

static struct cl_status read_enum(int *out, struct reader *reader, const ProtobufCEnumDescriptor *type,
                                  const json_t *json)
{
    const ProtobufCEnumValue *value = NULL;
    if (json_is_string(json)) {
        value = protobuf_c_enum_descriptor_get_value_by_name(type, json_string_value(json));
    }
    if (json_is_integer(json) && json_integer_value(json) >= 0 && json_integer_value(json) <= INT32_MAX) {
        value = protobuf_c_enum_descriptor_get_value(type, (int)json_integer_value(json));
    }
    if (value != NULL) {
        *out = value->value;
        return cl_ok();
    }
    char names[256] = "";
    for (unsigned i = 0; i < type->n_values; i++) {
        size_t len = strlen(names);
        (void)snprintf(names + len, sizeof names - len, "%s%s", i == 0 ? "" : ", ", type->values[i].name);
    }
    return refuse(reader, "found %s, expected one of %s", json_is_string(json) ? "another word" : kind_of(json), names);
}

static struct cl_status read_string(char **out, struct reader *reader, const json_t *json)
{
    if (!json_is_string(json)) {
        return unexpected(reader, json, "a string");
    }
    if (!cl_text_clean(cl_bytes_text(json_string_value(json)))) { /* nor could a signed message hold it */
        return refuse(reader, "the string holds a control character; remove it");
    }
    *out = cl_arena_text(reader->arena, json_string_value(json));
    return *out == NULL ? cl_fail(CL_MEMORY_LIMIT) : cl_ok();
}

static struct cl_status read_bytes(ProtobufCBinaryData *out, struct reader *reader, const json_t *json)
{
    if (!json_is_string(json)) {
        return unexpected(reader, json, "a string of base64");
    }
    struct cl_bytes text = cl_bytes_text(json_string_value(json));
    uint8_t *data = cl_arena_alloc(reader->arena, CL_BASE64_DATA_BYTES(text.len) + 1);
    if (data == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    size_t len = 0;
    if (cl_failed(cl_base64_decode(data, &len, text))) {
        return refuse(reader, "the string is not base64");
    }
    *out = (ProtobufCBinaryData){.data = len == 0 ? NULL : data, .len = len};
    return cl_ok();
}

static struct cl_status read_int32(int32_t *out, struct reader *reader, const json_t *json)
{
    int64_t value = 0;
    struct cl_status status = read_signed(&value, reader, json, INT32_MAX);
    *out = (int32_t)value;
    return status;
}

static struct cl_status read_uint32(uint32_t *out, struct reader *reader, const json_t *json)
{
    uint64_t value = 0;
    struct cl_status status = read_unsigned(&value, reader, json, UINT32_MAX);
    *out = (uint32_t)value;
    return status;
}

static struct cl_status read_bool(protobuf_c_boolean *out, struct reader *reader, const json_t *json)
{
    *out = json_is_true(json);
    return json_is_boolean(json) ? cl_ok() : unexpected(reader, json, "true or false");
}

static struct cl_status read_value(void *member, struct reader *reader, const ProtobufCFieldDescriptor *field,
                                   const json_t *json)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return read_int32(member, reader, json);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return read_uint32(member, reader, json);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return read_signed(member, reader, json, INT64_MAX);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return read_unsigned(member, reader, json, UINT64_MAX);
    case PROTOBUF_C_TYPE_BOOL:
        return read_bool(member, reader, json);
    case PROTOBUF_C_TYPE_ENUM:
        return read_enum(member, reader, field->descriptor, json);
    case PROTOBUF_C_TYPE_STRING:
        return read_string(member, reader, json);
    case PROTOBUF_C_TYPE_BYTES:
        return read_bytes(member, reader, json);
    case PROTOBUF_C_TYPE_MESSAGE:
        return read_message(member, reader, field->descriptor, json);
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        break;
    }
    assert(false && "the contract has no floating point");
    return cl_fail(CL_JSON_INVALID);
}

static struct cl_status read_list(ProtobufCMessage *message, struct reader *reader,
                                  const ProtobufCFieldDescriptor *field, const json_t *json)
{
    if (!json_is_array(json)) {
        return unexpected(reader, json, "a list");
    }
    size_t count = json_array_size(json);
    size_t size = element_size(field->type);
    char *elements = cl_arena_array(reader->arena, count, size);
    if (elements == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; i < count; i++) {
        size_t path_len = reader->path_len;
        enter(reader, "[%zu]", i);
        struct cl_status status = read_value(elements + i * size, reader, field, json_array_get(json, i));
        if (cl_failed(status)) {
            return status;
        }
        leave(reader, path_len);
    }
    *(size_t *)member_at(message, field->quantifier_offset) = count;
    *(void **)member_at(message, field->offset) = count == 0 ? NULL : elements;
    return cl_ok();
}

static struct cl_status read_field(ProtobufCMessage *message, struct reader *reader,
                                   const ProtobufCFieldDescriptor *field, const json_t *json)
{
    if (json_is_null(json)) {
        return cl_ok();
    }
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return read_list(message, reader, field, json);
    }
    if (is_oneof(field)) {
        uint32_t *which = member_at(message, field->quantifier_offset);
        if (*which != 0) {
            return refuse(reader, "another field of the same choice is set already; keep one of them");
        }
        *which = field->id;
    }
    return read_value(member_at(message, field->offset), reader, field, json);
}

/* The number of the field that is called so, in either form; the count of fields when there is none. */
static unsigned find_field(const ProtobufCMessageDescriptor *descriptor, const char *key)
{
    unsigned i = 0;
    for (; i < descriptor->n_fields; i++) {
        char name[NAME_BYTES_MAX];
        camel_name(name, descriptor->fields[i].name);
        if (strcmp(key, name) == 0 || strcmp(key, descriptor->fields[i].name) == 0) {
            break;
        }
    }
    return i;
}

static struct cl_status unknown_field(struct reader *reader, const ProtobufCMessageDescriptor *descriptor)
{
    char names[256] = "";
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        char name[NAME_BYTES_MAX];
        size_t len = strlen(names);
        camel_name(name, descriptor->fields[i].name);
        (void)snprintf(names + len, sizeof names - len, "%s%s", i == 0 ? "" : ", ", name);
    }
    return refuse(reader, "%s has no such field; it has %s", descriptor->short_name, names);
}

static struct cl_status read_member(ProtobufCMessage *message, bool *seen, struct reader *reader, const char *key,
                                    const json_t *value)
{
    const ProtobufCMessageDescriptor *descriptor = message->descriptor;
    unsigned i = find_field(descriptor, key);
    enter(reader, "%s%.48s", reader->path_len == 0 ? "" : ".", key);
    if (i == descriptor->n_fields) {
        return unknown_field(reader, descriptor);
    }
    if (seen[i]) {
        return refuse(reader, "the field stands twice; keep one of them");
    }
    seen[i] = true;
    return read_field(message, reader, &descriptor->fields[i], value);
}

static struct cl_status read_message(ProtobufCMessage **out, struct reader *reader,
                                     const ProtobufCMessageDescriptor *descriptor, const json_t *json)
{
    const char *key = NULL;
    json_t *value = NULL;
    union {
        const json_t *in;
        json_t *out;
    } object = {.in = json}; /* jansson's iteration takes no const */
    if (!json_is_object(json)) {
        return unexpected(reader, json, "an object");
    }
    if (reader->depth == CL_JSON_DEPTH_MAX) {
        return refuse(reader, "nested deeper than %d levels", CL_JSON_DEPTH_MAX);
    }
    ProtobufCMessage *message = cl_arena_alloc(reader->arena, descriptor->sizeof_message);
    bool *seen = cl_arena_array(reader->arena, descriptor->n_fields + 1, sizeof *seen);
    if (message == NULL || seen == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    protobuf_c_message_init(descriptor, message);
    reader->depth++;
    json_object_foreach(object.out, key, value)
    {
        size_t path_len = reader->path_len;
        struct cl_status status = read_member(message, seen, reader, key, value);
        if (cl_failed(status)) {
            return status;
        }
        leave(reader, path_len);
    }
    reader->depth--;
    *out = message;
    return cl_ok();
}

static struct cl_status load(json_t **out, struct reader *reader, struct cl_bytes text)
{
    json_error_t mistake;
    if (text.len > CL_JSON_BYTES_MAX) {
        (void)refuse(reader, "the text is larger than %d bytes", CL_JSON_BYTES_MAX);
        return cl_fail(CL_MESSAGE_TOO_LARGE);
    }
    json_t *json =
        json_loadb(text.data == NULL ? "" : (const char *)text.data, text.len, JSON_REJECT_DUPLICATES, &mistake);
    if (json == NULL && json_error_code(&mistake) == json_error_duplicate_key) {
        return refuse(reader, "line %d, column %d: a key stands twice in one object; keep one of them", mistake.line,
                      mistake.column);
    }
    if (json == NULL) { /* not jansson's own text: it repeats what it found, which may be personal */
        return refuse(reader, "line %d, column %d: this is not JSON; check commas, quotes and brackets around here",
                      mistake.line, mistake.column);
    }
    *out = json;
    return cl_ok();
}

struct cl_status cl_json_parse(ProtobufCMessage **out, struct cl_arena *arena,
                               const ProtobufCMessageDescriptor *descriptor, struct cl_bytes text,
                               struct cl_json_error *error)
{
    struct reader reader = {.arena = arena, .error = error};
    ProtobufCMessage *message = NULL;
    json_t *json = NULL;
    struct cl_status status = load(&json, &reader, text);
    if (cl_failed(status)) {
        return status;
    }
    status = read_message(&message, &reader, descriptor, json);
    json_decref(json);
    if (status.reason == CL_MEMORY_LIMIT) {
        (void)refuse(&reader, "the message takes more memory than is allowed");
    }
    if (cl_failed(status)) {
        return status;
    }
    *out = message;
    return cl_ok();
}

/* -- Objects that are not messages ---------------------------------------------------------------------------- */

static struct cl_status split(const struct cl_json_member **out, size_t *count_out, struct reader *reader, json_t *json)
{
    const char *key = NULL;
    json_t *value = NULL;
    size_t count = 0;
    if (!json_is_object(json)) {
        return unexpected(reader, json, "an object");
    }
    struct cl_json_member *members = cl_arena_array(reader->arena, json_object_size(json) + 1, sizeof *members);
    if (members == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    json_object_foreach(json, key, value)
    {
        struct cl_json_member *member = &members[count++];
        char *dumped = json_is_string(value) ? NULL : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
        member->name = cl_arena_text(reader->arena, key);
        member->is_string = json_is_string(value);
        if (member->is_string || dumped != NULL) {
            member->text = cl_arena_text(reader->arena, member->is_string ? json_string_value(value) : dumped);
        }
        free(dumped);
        if (member->name == NULL || member->text == NULL) {
            return cl_fail(CL_MEMORY_LIMIT);
        }
    }
    *out = members;
    *count_out = count;
    return cl_ok();
}

struct cl_status cl_json_members(const struct cl_json_member **out, size_t *count_out, struct cl_arena *arena,
                                 struct cl_bytes text, struct cl_json_error *error)
{
    struct reader reader = {.arena = arena, .error = error};
    json_t *json = NULL;
    struct cl_status status = load(&json, &reader, text);
    if (cl_failed(status)) {
        return status;
    }
    status = split(out, count_out, &reader, json);
    json_decref(json);
    return status;
}

const char *cl_json_quote(struct cl_arena *arena, const char *text)
{
    json_t *string = json_string(text);
    char *quoted = string == NULL ? NULL : json_dumps(string, JSON_ENCODE_ANY);
    const char *copy = quoted == NULL ? NULL : cl_arena_text(arena, quoted);
    json_decref(string);
    free(quoted);
    return copy;
}
