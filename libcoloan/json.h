/* json.h - proto3 JSON of protobuf-c messages, by their descriptors, in both ways.
 *
 * For people and tools only: what is signed is always bytes. The mapping is protobuf's own: lowerCamelCase names (the
 * original ones are read too), int64 and uint64 as strings (numbers are read too), bytes as base64 (the URL-safe
 * alphabet is read too), enumerations by name (numbers are read too), fields at their default left out, null read as
 * the default. Stricter than protobuf's: a key twice and a key of no field are refused, and so is text that a signed
 * message could not carry.
 *
 * Owner: what is made lives in the arena handed in. Any thread, one at a time per arena. Fails: JSON_INVALID, with the
 * place and the mistake in struct cl_json_error, MESSAGE_TOO_LARGE past CL_JSON_BYTES_MAX, MEMORY_LIMIT. */
#ifndef COLOAN_JSON_H
#define COLOAN_JSON_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "libcoloan/status.h"

/* A message of 256 KiB whose bytes fields became base64, with names and blanks, both ways. */
#define CL_JSON_BYTES_MAX (1024 * 1024)
/* Levels of objects and lists; a message nests at most CL_NESTING_MAX messages, each perhaps in a list. */
#define CL_JSON_DEPTH_MAX      24
#define CL_JSON_PATH_BYTES_MAX 160

/* "persons[0].role: found "X", expected one of PERSON_ROLE_..."; without a line break. */
struct cl_json_error {
    char text[384];
};

enum cl_json_style {
    CL_JSON_COMPACT = 0,
    CL_JSON_INDENTED = 1, /* two blanks a level, for people */
    CL_JSON_DEFAULTS = 2, /* fields at their default too */
};

/* Prints the fields in the order of their numbers: the same message gives the same text. `style` is a sum of
 * enum cl_json_style. JSON_INVALID when a text of the message is not UTF-8 or it nests too deep. */
CL_MUST_CHECK struct cl_status cl_json_print(const char **out, struct cl_arena *arena, const ProtobufCMessage *message,
                                             unsigned style);

/* Reads one message; the message is the arena's: never free it by itself. `error` may be NULL. */
CL_MUST_CHECK struct cl_status cl_json_parse(ProtobufCMessage **out, struct cl_arena *arena,
                                             const ProtobufCMessageDescriptor *descriptor, struct cl_bytes text,
                                             struct cl_json_error *error);

/* -- Objects that are not messages ---------------------------------------------------------------------------- */

/* One member of an object: a string's characters, or the JSON text of any other value. */
struct cl_json_member {
    const char *name;
    bool is_string;
    const char *text;
};

/* Splits an object into its members, in their order; a string with U+0000 is refused. */
CL_MUST_CHECK struct cl_status cl_json_members(const struct cl_json_member **out, size_t *count_out,
                                               struct cl_arena *arena, struct cl_bytes text,
                                               struct cl_json_error *error);

/* `text` as a JSON string, quotes included. NULL when it is not UTF-8 or the arena is full. */
const char *cl_json_quote(struct cl_arena *arena, const char *text);

#endif
