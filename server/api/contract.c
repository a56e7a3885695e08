/* A descriptor set is walked as it lies there: a few hundred names, asked for by a person with a tool, need no index.
 * The numbers are those of google/protobuf/descriptor.proto, which never change. */
#include "server/api/contract.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "libcoloan/limits.h"

/* -- Fields -------------------------------------------------------------------------------------------------- */

struct field {
    uint32_t number;
    struct cl_bytes bytes; /* empty for a number */
};

static bool take_varint(uint64_t *out, struct cl_bytes *rest)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && rest->len > 0; shift += 7) {
        uint8_t byte = rest->data[0];
        *rest = cl_bytes(rest->data + 1, rest->len - 1);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return true;
        }
    }
    return false;
}

/* False when nothing is left, or what is left is not a field: then `rest` is not empty. */
static bool take_field(struct field *out, struct cl_bytes *rest)
{
    enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };
    struct cl_bytes left = *rest;
    uint64_t tag = 0;
    uint64_t value = 0;
    if (!take_varint(&tag, &left)) {
        return false;
    }
    bool is_bytes = (tag & 7) == BYTES;
    if (((tag & 7) == VARINT || is_bytes) && !take_varint(&value, &left)) {
        return false;
    }
    size_t len = (tag & 7) == FIXED64 ? 8 : (tag & 7) == FIXED32 ? 4 : 0;
    if (is_bytes) {
        len = value > left.len ? left.len + 1 : (size_t)value;
    }
    if (len > left.len || ((tag & 7) > BYTES && (tag & 7) != FIXED32)) {
        return false;
    }
    *out = (struct field){.number = (uint32_t)(tag >> 3), .bytes = cl_bytes(left.data, is_bytes ? len : 0)};
    *rest = cl_bytes(left.data + len, left.len - len);
    return true;
}

/* The first field of that number; empty when there is none. */
static struct cl_bytes find_field(struct cl_bytes message, uint32_t number)
{
    struct field field;
    while (take_field(&field, &message)) {
        if (field.number == number) {
            return field.bytes;
        }
    }
    return cl_bytes(NULL, 0);
}

/* -- Reading ------------------------------------------------------------------------------------------------- */

enum {
    SET_FILE = 1,
    NAME = 1, /* of a file, message, field, enumeration, value, service, method */
    FILE_PACKAGE = 2,
    FILE_SERVICE = 6,
};

static bool copy_name(char out[CONTRACT_NAME_MAX], struct cl_bytes name)
{
    if (name.len >= CONTRACT_NAME_MAX) {
        return false;
    }
    (void)snprintf(out, CONTRACT_NAME_MAX, "%.*s", (int)name.len, name.len == 0 ? "" : (const char *)name.data);
    return true;
}

static bool read_services(struct contract *out, const struct contract_file *file)
{
    struct cl_bytes rest = file->bytes;
    struct field field;
    while (take_field(&field, &rest)) {
        if (field.number != FILE_SERVICE) {
            continue;
        }
        char name[CONTRACT_NAME_MAX];
        if (out->service_count == CONTRACT_SERVICES_MAX || !copy_name(name, find_field(field.bytes, NAME))) {
            return false;
        }
        int len = snprintf(out->services[out->service_count++], CONTRACT_NAME_MAX, "%s.%s", file->package, name);
        if (len < 0 || len >= CONTRACT_NAME_MAX) {
            return false;
        }
    }
    return rest.len == 0;
}

static bool read_file(struct contract *out, struct cl_bytes bytes)
{
    if (out->file_count == CONTRACT_FILES_MAX) {
        return false;
    }
    struct contract_file *file = &out->files[out->file_count++];
    file->bytes = bytes;
    return copy_name(file->name, find_field(bytes, NAME)) && file->name[0] != '\0' &&
           copy_name(file->package, find_field(bytes, FILE_PACKAGE)) && read_services(out, file);
}

struct cl_status contract_read(struct contract *out, struct cl_bytes descriptor_set)
{
    memset(out, 0, sizeof *out);
    struct field field;
    while (take_field(&field, &descriptor_set)) {
        if (field.number != SET_FILE || !read_file(out, field.bytes)) {
            return cl_fail(CL_WIRE_MALFORMED);
        }
    }
    return descriptor_set.len == 0 && out->file_count > 0 ? cl_ok() : cl_fail(CL_WIRE_MALFORMED);
}

/* -- Looking up ---------------------------------------------------------------------------------------------- */

const struct contract_file *contract_file(const struct contract *contract, const char *name)
{
    for (size_t i = 0; i < contract->file_count; i++) {
        if (strcmp(contract->files[i].name, name) == 0) {
            return &contract->files[i];
        }
    }
    return NULL;
}

/* What declares names, and in which of its fields. */
enum scope { LEAF, OF_FILE, OF_MESSAGE, OF_ENUM, OF_SERVICE };

static enum scope scope_in(enum scope parent, uint32_t number, bool *declares_out)
{
    static const struct {
        enum scope parent;
        uint32_t number;
        enum scope child;
    } rows[] = {
        {OF_FILE, 4, OF_MESSAGE}, {OF_FILE, 5, OF_ENUM},       {OF_FILE, FILE_SERVICE, OF_SERVICE},
        {OF_MESSAGE, 2, LEAF},    {OF_MESSAGE, 3, OF_MESSAGE}, {OF_MESSAGE, 4, OF_ENUM},
        {OF_MESSAGE, 8, LEAF},    {OF_ENUM, 2, LEAF},          {OF_SERVICE, 2, LEAF},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].parent == parent && rows[i].number == number) {
            *declares_out = true;
            return rows[i].child;
        }
    }
    *declares_out = false;
    return LEAF;
}

/* Where `path` goes on behind `name`: "" when it is that name, NULL when it is another. */
static const char *behind(const char *path, struct cl_bytes name)
{
    if (name.len == 0 || strncmp(path, (const char *)name.data, name.len) != 0) {
        return NULL;
    }
    path += name.len;
    if (*path == '\0') {
        return path;
    }
    return path[0] == '.' && path[1] != '\0' ? path + 1 : NULL;
}

/* Whether the scope declares `path`. An enumeration's values are names of the scope around it. Goes down a level for
 * each message in a message: at most CL_NESTING_MAX. */
static bool declares(struct cl_bytes message, enum scope scope, const char *path, unsigned level)
{
    struct field field;
    bool is_declaration = false;
    while (level < CL_NESTING_MAX && take_field(&field, &message)) {
        enum scope child = scope_in(scope, field.number, &is_declaration);
        if (!is_declaration) {
            continue;
        }
        const char *rest = behind(path, find_field(field.bytes, NAME));
        if (rest != NULL && (*rest == '\0' || (child != OF_ENUM && declares(field.bytes, child, rest, level + 1)))) {
            return true;
        }
        if (child == OF_ENUM && declares(field.bytes, child, path, level + 1)) {
            return true;
        }
    }
    return false;
}

const struct contract_file *contract_file_of_symbol(const struct contract *contract, const char *symbol)
{
    for (size_t i = 0; i < contract->file_count; i++) {
        const struct contract_file *file = &contract->files[i];
        const char *path = file->package[0] == '\0' ? symbol : behind(symbol, cl_bytes_text(file->package));
        if (path != NULL && path[0] != '\0' && declares(file->bytes, OF_FILE, path, 0)) {
            return file;
        }
    }
    return NULL;
}
