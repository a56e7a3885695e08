/* One pass over the bytes, one small struct for each level of nesting on the stack, at most CL_NESTING_MAX of them. A
 * level remembers which of its fields it has seen as bits of one number; no message of the contract has more than 64
 * fields. */
#include "libcoloan/wirescan.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "libcoloan/limits.h"

enum {
    VARINT = 0,
    FIXED64 = 1,
    LENGTH_DELIMITED = 2,
    GROUP_START = 3,
    GROUP_END = 4,
    FIXED32 = 5,
    FIELDS_OF_MESSAGE_MAX = 64,
    FIELD_NUMBER_MAX = (1 << 29) - 1
};

struct scan {
    const uint8_t *at, *end; /* of the innermost message */
    uint32_t fields_left;
    unsigned depth;
    const struct cl_edition *edition;
};

static struct cl_status scan_message(struct scan *scan, const ProtobufCMessageDescriptor *descriptor);

/* -- Text ---------------------------------------------------------------------------------------------------- */

/* The length of the UTF-8 sequence that `lead` opens; 0: none. */
static size_t sequence_len(uint8_t lead)
{
    if (lead < 0x80) {
        return 1;
    }
    if (lead >= 0xc2 && lead <= 0xdf) {
        return 2;
    }
    if (lead >= 0xe0 && lead <= 0xef) {
        return 3;
    }
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

/* The second byte's range closes the gaps that the first leaves: overlong forms, surrogates, past U+10FFFF. */
static bool second_fits(uint8_t lead, uint8_t second)
{
    uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    return second >= low && second <= high;
}

static bool is_control(const uint8_t *at, size_t len)
{
    return len == 1 ? *at < 0x20 || *at == 0x7f : len == 2 && at[0] == 0xc2 && at[1] < 0xa0;
}

/* A text that is both is told as badly encoded only up to where it first fails. */
static struct cl_status scan_text(struct cl_bytes text)
{
    size_t at = 0;
    while (at < text.len) {
        const uint8_t *sequence = text.data + at;
        size_t len = sequence_len(*sequence);
        if (len == 0 || len > text.len - at || (len > 1 && !second_fits(sequence[0], sequence[1]))) {
            return cl_fail(CL_TEXT_ENCODING);
        }
        for (size_t i = 2; i < len; i++) {
            if (sequence[i] >> 6 != 2) {
                return cl_fail(CL_TEXT_ENCODING);
            }
        }
        if (is_control(sequence, len)) {
            return cl_fail(CL_TEXT_CONTROL);
        }
        at += len;
    }
    return cl_ok();
}

bool cl_text_clean(struct cl_bytes text)
{
    return cl_is_ok(scan_text(text));
}

/* -- Numbers ------------------------------------------------------------------------------------------------- */

static struct cl_status read_varint(uint64_t *out, struct scan *scan)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (scan->at == scan->end) {
            return cl_fail(CL_WIRE_MALFORMED);
        }
        uint8_t byte = *scan->at++;
        if (shift == 63 && byte > 1) {
            return cl_fail(CL_WIRE_MALFORMED); /* more than 64 bits */
        }
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *out = value;
            return byte == 0 && shift > 0 ? cl_fail(CL_WIRE_VARINT) : cl_ok();
        }
    }
    return cl_fail(CL_WIRE_MALFORMED);
}

/* A 32-bit number is sign-extended on the wire; decoders cut off what does not fit, so it must fit. */
static bool fits_int32(uint64_t value)
{
    return value <= INT32_MAX || value >= (uint64_t)INT32_MIN;
}

static bool enum_declares(const ProtobufCEnumDescriptor *descriptor, uint64_t value)
{
    return fits_int32(value) && protobuf_c_enum_descriptor_get_value(descriptor, (int)(int64_t)value) != NULL;
}

static struct cl_status check_varint(const struct scan *scan, const ProtobufCFieldDescriptor *field, uint64_t value)
{
    bool fits = true;
    if (field->type == PROTOBUF_C_TYPE_ENUM) {
        bool declared = enum_declares(field->descriptor, value) &&
                        cl_edition_has_value(scan->edition, field->descriptor, (int)(int64_t)value);
        return declared ? cl_ok() : cl_fail(CL_ENUM_UNKNOWN);
    }
    if (field->type == PROTOBUF_C_TYPE_BOOL) {
        fits = value <= 1;
    }
    if (field->type == PROTOBUF_C_TYPE_INT32) {
        fits = fits_int32(value);
    }
    if (field->type == PROTOBUF_C_TYPE_UINT32 || field->type == PROTOBUF_C_TYPE_SINT32) {
        fits = value <= UINT32_MAX;
    }
    return fits ? cl_ok() : cl_fail(CL_WIRE_VARINT);
}

/* -- Fields -------------------------------------------------------------------------------------------------- */

static unsigned wire_type_of(ProtobufCType type)
{
    switch (type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_BOOL:
    case PROTOBUF_C_TYPE_ENUM:
        return VARINT;
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return FIXED64;
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_FIXED32:
    case PROTOBUF_C_TYPE_FLOAT:
        return FIXED32;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
    case PROTOBUF_C_TYPE_MESSAGE:
    default:
        return LENGTH_DELIMITED;
    }
}

static struct cl_status skip(struct scan *scan, size_t len)
{
    if (len > (size_t)(scan->end - scan->at)) {
        return cl_fail(CL_WIRE_MALFORMED);
    }
    scan->at += len;
    return cl_ok();
}

static struct cl_status count_field(struct scan *scan)
{
    if (scan->fields_left == 0) {
        return cl_fail(CL_WIRE_TOO_MANY_FIELDS);
    }
    scan->fields_left--;
    return cl_ok();
}

static struct cl_status read_number(struct scan *scan, const ProtobufCFieldDescriptor *field)
{
    unsigned wire_type = wire_type_of(field->type);
    if (wire_type != VARINT) {
        return skip(scan, wire_type == FIXED64 ? 8 : 4);
    }
    uint64_t value = 0;
    struct cl_status status = read_varint(&value, scan);
    return cl_failed(status) ? status : check_varint(scan, field, value);
}

/* The elements of a packed list, each of which counts as a field. */
static struct cl_status scan_packed(struct scan *scan, const ProtobufCFieldDescriptor *field)
{
    while (scan->at != scan->end) {
        struct cl_status status = count_field(scan);
        if (cl_is_ok(status)) {
            status = read_number(scan, field);
        }
        if (cl_failed(status)) {
            return status;
        }
    }
    return cl_ok();
}

static struct cl_status scan_inside(struct scan *scan, const ProtobufCFieldDescriptor *field)
{
    if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        return scan_message(scan, field->descriptor);
    }
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        return scan_text(cl_bytes(scan->at, (size_t)(scan->end - scan->at)));
    }
    return field->type == PROTOBUF_C_TYPE_BYTES ? cl_ok() : scan_packed(scan, field);
}

static struct cl_status scan_delimited(struct scan *scan, const ProtobufCFieldDescriptor *field)
{
    uint64_t len = 0;
    struct cl_status status = read_varint(&len, scan);
    if (cl_failed(status)) {
        return status;
    }
    if (len > (uint64_t)(scan->end - scan->at)) {
        return cl_fail(CL_WIRE_MALFORMED);
    }
    const uint8_t *outer_end = scan->end;
    const uint8_t *inner_end = scan->at + len;
    scan->end = inner_end;
    status = scan_inside(scan, field);
    scan->at = inner_end;
    scan->end = outer_end;
    return status;
}

/* A single field may stand once, and of the fields of a oneof only one. */
static struct cl_status check_single(const ProtobufCMessageDescriptor *descriptor,
                                     const ProtobufCFieldDescriptor *field, uint64_t *seen)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        return cl_ok();
    }
    uint64_t conflicts = (uint64_t)1 << (field - descriptor->fields);
    for (unsigned i = 0; (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 && i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *other = &descriptor->fields[i];
        if ((other->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0 && other->quantifier_offset == field->quantifier_offset) {
            conflicts |= (uint64_t)1 << i;
        }
    }
    if ((*seen & conflicts) != 0) {
        return cl_fail(CL_WIRE_DUPLICATE);
    }
    *seen |= conflicts;
    return cl_ok();
}

static struct cl_status check_wire_type(const ProtobufCFieldDescriptor *field, unsigned wire_type)
{
    unsigned declared = wire_type_of(field->type);
    bool packed = field->label == PROTOBUF_C_LABEL_REPEATED && declared != LENGTH_DELIMITED;
    return wire_type == declared || (packed && wire_type == LENGTH_DELIMITED) ? cl_ok() : cl_fail(CL_WIRE_TYPE);
}

static struct cl_status read_key(const ProtobufCFieldDescriptor **out, unsigned *wire_type_out, struct scan *scan,
                                 const ProtobufCMessageDescriptor *descriptor)
{
    uint64_t key = 0;
    struct cl_status status = read_varint(&key, scan);
    if (cl_failed(status)) {
        return status;
    }
    unsigned wire_type = (unsigned)(key & 7);
    if (key >> 3 == 0 || key >> 3 > FIELD_NUMBER_MAX || wire_type > FIXED32) {
        return cl_fail(CL_WIRE_MALFORMED);
    }
    if (wire_type == GROUP_START || wire_type == GROUP_END) {
        return cl_fail(CL_WIRE_TYPE);
    }
    *out = protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(key >> 3));
    *wire_type_out = wire_type;
    bool known = *out != NULL && cl_edition_has_field(scan->edition, descriptor, (uint32_t)(key >> 3));
    return known ? cl_ok() : cl_fail(CL_WIRE_UNKNOWN_FIELD);
}

static struct cl_status scan_field(struct scan *scan, const ProtobufCMessageDescriptor *descriptor, uint64_t *seen)
{
    const ProtobufCFieldDescriptor *field = NULL;
    unsigned wire_type = 0;
    struct cl_status status = count_field(scan);
    if (cl_is_ok(status)) {
        status = read_key(&field, &wire_type, scan, descriptor);
    }
    if (cl_is_ok(status)) {
        status = check_wire_type(field, wire_type);
    }
    if (cl_is_ok(status)) {
        status = check_single(descriptor, field, seen);
    }
    if (cl_failed(status)) {
        return status;
    }
    return wire_type == LENGTH_DELIMITED ? scan_delimited(scan, field) : read_number(scan, field);
}

static struct cl_status scan_message(struct scan *scan, const ProtobufCMessageDescriptor *descriptor)
{
    assert(descriptor->n_fields <= FIELDS_OF_MESSAGE_MAX);
    if (scan->depth == CL_NESTING_MAX) {
        return cl_fail(CL_WIRE_TOO_DEEP);
    }
    scan->depth++;
    uint64_t seen = 0;
    while (scan->at != scan->end) {
        struct cl_status status = scan_field(scan, descriptor, &seen);
        if (cl_failed(status)) {
            return status;
        }
    }
    scan->depth--;
    return cl_ok();
}

/* -- The module ---------------------------------------------------------------------------------------------- */

static struct cl_status scan_all(const ProtobufCMessageDescriptor *descriptor, struct cl_bytes bytes, size_t bytes_max,
                                 uint32_t fields_max, const struct cl_edition *edition)
{
    if (bytes.len > bytes_max) {
        return cl_fail(CL_MESSAGE_TOO_LARGE);
    }
    if (bytes.len == 0) {
        return cl_ok();
    }
    struct scan scan = {.at = bytes.data, .end = bytes.data + bytes.len, .fields_left = fields_max, .edition = edition};
    return scan_message(&scan, descriptor);
}

static const struct cl_edition everything;

struct cl_status cl_wirescan_list(const ProtobufCMessageDescriptor *descriptor, struct cl_bytes bytes, size_t bytes_max,
                                  uint32_t fields_max)
{
    return scan_all(descriptor, bytes, bytes_max, fields_max, &everything);
}

struct cl_status cl_wirescan(const ProtobufCMessageDescriptor *descriptor, struct cl_bytes bytes, size_t bytes_max)
{
    return scan_all(descriptor, bytes, bytes_max, CL_FIELDS_MAX, &everything);
}

struct cl_status cl_wirescan_edition(const ProtobufCMessageDescriptor *descriptor, struct cl_bytes bytes,
                                     size_t bytes_max, const struct cl_edition *edition)
{
    return scan_all(descriptor, bytes, bytes_max, CL_FIELDS_MAX, edition);
}

struct cl_status cl_unpack_scanned(ProtobufCMessage **out, struct cl_arena *arena,
                                   const ProtobufCMessageDescriptor *descriptor, struct cl_bytes bytes)
{
    static const uint8_t nothing[1] = {0};
    const uint8_t *data = bytes.len > 0 ? bytes.data : nothing; /* protobuf-c is not made for NULL */
    ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, cl_arena_protobuf(arena), bytes.len, data);
    if (message == NULL) {
        return cl_fail(cl_arena_overflowed(arena) ? CL_MEMORY_LIMIT : CL_WIRE_MALFORMED);
    }
    *out = message;
    return cl_ok();
}

struct cl_status cl_unpack(ProtobufCMessage **out, struct cl_arena *arena, const ProtobufCMessageDescriptor *descriptor,
                           struct cl_bytes bytes)
{
    struct cl_status status = cl_wirescan(descriptor, bytes, CL_MESSAGE_BYTES_MAX);
    return cl_failed(status) ? status : cl_unpack_scanned(out, arena, descriptor, bytes);
}
