/* wirescan.h - protobuf bytes checked against their descriptor before they are unpacked.
 *
 * protobuf-c unpacks more than a signed protocol may accept: NUL and broken UTF-8 in strings, the last of several
 * single fields, unknown fields, undeclared enumeration values, nesting until the stack is gone. The scan lets through
 * only what every decoder reads alike: declared fields of the declared wire type, numbers in their shortest form and
 * within their type, each single field and each oneof once, valid UTF-8 without control characters.
 *
 * It allocates nothing and borrows its input only while it runs; any thread. */
#ifndef COLOAN_WIRESCAN_H
#define COLOAN_WIRESCAN_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "libcoloan/spec.h"
#include "libcoloan/status.h"

/* At most bytes_max bytes, CL_FIELDS_MAX fields (elements of packed lists included) and CL_NESTING_MAX levels, the
 * message itself being the first. Empty bytes are a valid message without fields.
 * MESSAGE_TOO_LARGE; WIRE_MALFORMED: cut short, field number 0, a wire type or varint that cannot be; WIRE_TYPE: not
 * as declared, or a group; WIRE_VARINT: not in shortest form or not within its type; WIRE_DUPLICATE;
 * WIRE_UNKNOWN_FIELD; WIRE_TOO_DEEP; WIRE_TOO_MANY_FIELDS; TEXT_ENCODING; TEXT_CONTROL; ENUM_UNKNOWN. */
CL_MUST_CHECK struct cl_status cl_wirescan(const ProtobufCMessageDescriptor *descriptor, struct cl_bytes bytes,
                                           size_t bytes_max);

/* The same with another cap on fields, for a message that is a long list. */
CL_MUST_CHECK struct cl_status cl_wirescan_list(const ProtobufCMessageDescriptor *descriptor, struct cl_bytes bytes,
                                                size_t bytes_max, uint32_t fields_max);

/* The same by the rules of one edition: what came later is an unknown field or an undeclared value. */
CL_MUST_CHECK struct cl_status cl_wirescan_edition(const ProtobufCMessageDescriptor *descriptor, struct cl_bytes bytes,
                                                   size_t bytes_max, const struct cl_edition *edition);

/* Scans (up to CL_MESSAGE_BYTES_MAX) and unpacks into the arena. MEMORY_LIMIT when the arena's cap is reached;
 * otherwise as the scan. The message is the arena's: never free it by itself. */
CL_MUST_CHECK struct cl_status cl_unpack(ProtobufCMessage **out, struct cl_arena *arena,
                                         const ProtobufCMessageDescriptor *descriptor, struct cl_bytes bytes);

/* Unpacks what was scanned before. MEMORY_LIMIT, or WIRE_MALFORMED if protobuf-c still refuses. */
CL_MUST_CHECK struct cl_status cl_unpack_scanned(ProtobufCMessage **out, struct cl_arena *arena,
                                                 const ProtobufCMessageDescriptor *descriptor, struct cl_bytes bytes);

/* True for valid UTF-8 (shortest forms, no surrogates, at most U+10FFFF) without C0, DEL and C1. */
bool cl_text_clean(struct cl_bytes text);

#endif
