/* Every way in which bytes are no message of their descriptor, next to those that are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/envelope.pb-c.h>
#include <coloan/v1/verification.pb-c.h>
#include <grpc/reflection/v1alpha/reflection.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/limits.h"
#include "libcoloan/wirescan.h"
#include "tests/support/wire.h"

#define HEX_MAX 4096

/* Scans a copy of the exact size, so that ASan sees an overread, and hands what passes to protobuf-c. */
static enum cl_reason scan(const ProtobufCMessageDescriptor *descriptor, struct cl_bytes bytes)
{
    uint8_t *copy = malloc(bytes.len > 0 ? bytes.len : 1);
    assert_non_null(copy);
    if (bytes.len > 0) {
        memcpy(copy, bytes.data, bytes.len);
    }
    struct cl_status status = cl_wirescan(descriptor, cl_bytes(copy, bytes.len), CL_MESSAGE_BYTES_MAX);
    if (cl_is_ok(status)) {
        struct cl_arena *arena = NULL;
        ProtobufCMessage *message = NULL;
        assert_true(cl_is_ok(cl_arena_create(&arena, CL_MESSAGE_ARENA_BYTES_MAX)));
        assert_true(cl_is_ok(cl_unpack(&message, arena, descriptor, cl_bytes(copy, bytes.len))));
        assert_int_equal(message->n_unknown_fields, 0);
        cl_arena_free(arena);
    }
    free(copy);
    return status.reason;
}

#define HEADER   &coloan__v1__signed_header__descriptor
#define ENVELOPE &coloan__v1__envelope__descriptor
#define HOME     &coloan__v1__home__descriptor
#define PERSON   &coloan__v1__person__descriptor
#define STATUS   &coloan__v1__application_status__descriptor
#define QUERY    &coloan__v1__verification_query__descriptor
#define REFLECT  &grpc__reflection__v1alpha__server_reflection_request__descriptor

static const struct {
    const char *name;
    const ProtobufCMessageDescriptor *descriptor;
    const char *hex;
    enum cl_reason reason;
} flaws[] = {
    {"nothing", HEADER, "", CL_OK},
    {"text", HEADER, "0a03312e30", CL_OK},
    {"text, no bytes", HEADER, "0a00", CL_OK},
    {"fields out of order", HEADER, "1201610a0161", CL_OK},
    {"number", HEADER, "40808002", CL_OK},
    {"explicit zero", HEADER, "4000", CL_OK},
    {"largest number", HEADER, "60ffffffffffffffffff01", CL_OK},
    {"past 64 bits", HEADER, "60ffffffffffffffffff02", CL_WIRE_MALFORMED},
    {"11 bytes", HEADER, "60ffffffffffffffffffff01", CL_WIRE_MALFORMED},
    {"negative int64", HEADER, "40ffffffffffffffffff01", CL_OK},
    {"number cut short", HEADER, "4080", CL_WIRE_MALFORMED},
    {"number missing", HEADER, "40", CL_WIRE_MALFORMED},
    {"key cut short", HEADER, "80", CL_WIRE_MALFORMED},
    {"number padded", HEADER, "408000", CL_WIRE_VARINT},
    {"number padded more", HEADER, "40ff808000", CL_WIRE_VARINT},
    {"key padded", HEADER, "8a0001 61", CL_WIRE_VARINT},
    {"length padded", HEADER, "0a810061", CL_WIRE_VARINT},
    {"length past end", HEADER, "0a0461", CL_WIRE_MALFORMED},
    {"length of 2^64-1", HEADER, "0affffffffffffffffff01", CL_WIRE_MALFORMED},
    {"length cut short", HEADER, "0a", CL_WIRE_MALFORMED},
    {"field 0", HEADER, "0200", CL_WIRE_MALFORMED},
    {"field 2^29", HEADER, "8280808010 00", CL_WIRE_MALFORMED},
    {"field 2^29-1", HEADER, "faffffff0f00", CL_WIRE_UNKNOWN_FIELD},
    {"unknown field", HEADER, "6a0161", CL_WIRE_UNKNOWN_FIELD},
    {"wire type 6", HEADER, "0e", CL_WIRE_MALFORMED},
    {"wire type 7", HEADER, "0f", CL_WIRE_MALFORMED},
    {"group", HEADER, "0b0c", CL_WIRE_TYPE},
    {"end of group", HEADER, "0c", CL_WIRE_TYPE},
    {"text as number", HEADER, "0801", CL_WIRE_TYPE},
    {"number as text", HEADER, "420161", CL_WIRE_TYPE},
    {"number as fixed64", HEADER, "410000000000000000", CL_WIRE_TYPE},
    {"number as fixed32", HEADER, "4500000000", CL_WIRE_TYPE},
    {"text twice", HEADER, "0a01610a0161", CL_WIRE_DUPLICATE},
    {"number twice", HEADER, "40014001", CL_WIRE_DUPLICATE},
    {"message twice", STATUS, "4a004a00", CL_WIRE_DUPLICATE},
    {"repeated twice", ENVELOPE, "1a001a00", CL_OK},
    {"declared enum", HEADER, "3805", CL_OK},
    {"undeclared enum", HEADER, "3806", CL_ENUM_UNKNOWN},
    {"negative enum", HEADER, "38ffffffffffffffffff01", CL_ENUM_UNKNOWN},
    {"enum + 2^32", HEADER, "38818080801 0", CL_ENUM_UNKNOWN},
    {"bool 1", PERSON, "3001", CL_OK},
    {"bool 2", PERSON, "3002", CL_WIRE_VARINT},
    {"int32 largest", HOME, "40ffffffff07", CL_OK},
    {"int32 + 1", HOME, "408080808008", CL_WIRE_VARINT},
    {"int32 -1", HOME, "40ffffffffffffffffff01", CL_OK},
    {"int32 smallest", HOME, "4080808080f8ffffffff01", CL_OK},
    {"int32 below", HOME, "40fffffffff7ffffffff01", CL_WIRE_VARINT},
    {"int32 -1 in 5 bytes", HOME, "40ffffffff0f", CL_WIRE_VARINT},
    {"uint32 largest", STATUS, "20ffffffff0f", CL_OK},
    {"uint32 + 1", STATUS, "208080808010", CL_WIRE_VARINT},
    {"packed", QUERY, "0a020102", CL_OK},
    {"packed, empty", QUERY, "0a00", CL_OK},
    {"not packed", QUERY, "08010802", CL_OK},
    {"both", QUERY, "08010a0102", CL_OK},
    {"packed, undeclared", QUERY, "0a020163", CL_ENUM_UNKNOWN},
    {"packed, padded", QUERY, "0a028100", CL_WIRE_VARINT},
    {"packed, cut short", QUERY, "0a0180", CL_WIRE_MALFORMED},
    {"packed as fixed32", QUERY, "0d00000000", CL_WIRE_TYPE},
    {"nested wire type", STATUS, "620408ff0161", CL_WIRE_TYPE},
    {"nested past its end", ENVELOPE, "1a020a05", CL_WIRE_MALFORMED},
    {"nested key at its end", ENVELOPE, "1a010a1200", CL_WIRE_MALFORMED},
    {"oneof", REFLECT, "0a01611a0161", CL_OK},
    {"oneof twice the same", REFLECT, "1a01611a0161", CL_WIRE_DUPLICATE},
    {"oneof, two", REFLECT, "1a0161220162", CL_WIRE_DUPLICATE},
    {"oneof, first and last", REFLECT, "1a01613a0162", CL_WIRE_DUPLICATE},
    {"Chinese", HEADER, "0a06e6b58be8af95", CL_OK},
    {"four bytes", HEADER, "0a04f09f8fa0", CL_OK},
    {"last code point", HEADER, "0a04f48fbfbf", CL_OK},
    {"past it", HEADER, "0a04f4908080", CL_TEXT_ENCODING},
    {"lead f5", HEADER, "0a04f5808080", CL_TEXT_ENCODING},
    {"before surrogates", HEADER, "0a03ed9fbf", CL_OK},
    {"surrogate", HEADER, "0a03eda080", CL_TEXT_ENCODING},
    {"after surrogates", HEADER, "0a03ee8080", CL_OK},
    {"overlong, 2", HEADER, "0a02c1bf", CL_TEXT_ENCODING},
    {"overlong NUL", HEADER, "0a02c080", CL_TEXT_ENCODING},
    {"overlong, 3", HEADER, "0a03e09fbf", CL_TEXT_ENCODING},
    {"shortest, 3", HEADER, "0a03e0a080", CL_OK},
    {"overlong, 4", HEADER, "0a04f08fbfbf", CL_TEXT_ENCODING},
    {"shortest, 4", HEADER, "0a04f0908080", CL_OK},
    {"lone continuation", HEADER, "0a0180", CL_TEXT_ENCODING},
    {"cut inside", HEADER, "0a02e6b5", CL_TEXT_ENCODING},
    {"cut by the next field", HEADER, "0a02e6b5120161", CL_TEXT_ENCODING},
    {"bad third", HEADER, "0a03e6b541", CL_TEXT_ENCODING},
    {"bad fourth", HEADER, "0a04f09f8f41", CL_TEXT_ENCODING},
    {"ff", HEADER, "0a01ff", CL_TEXT_ENCODING},
    {"NUL", HEADER, "0a03610062", CL_TEXT_CONTROL},
    {"newline", HEADER, "0a010a", CL_TEXT_CONTROL},
    {"1f", HEADER, "0a011f", CL_TEXT_CONTROL},
    {"space", HEADER, "0a0120", CL_OK},
    {"7e", HEADER, "0a017e", CL_OK},
    {"DEL", HEADER, "0a017f", CL_TEXT_CONTROL},
    {"U+0080", HEADER, "0a02c280", CL_TEXT_CONTROL},
    {"U+009F", HEADER, "0a02c29f", CL_TEXT_CONTROL},
    {"U+00A0", HEADER, "0a02c2a0", CL_OK},
    {"U+00C0", HEADER, "0a02c380", CL_OK},
    {"bytes hold anything", HEADER, "1a0300ff80", CL_OK},
    {"text in a list", &coloan__v1__application_list__descriptor, "0a030a0100", CL_TEXT_CONTROL},
};

/* Covers: COL-SCN-001, COL-SCN-002, COL-SCN-003, COL-SCN-004, COL-SCN-005, COL-SCN-006, COL-SCN-007, COL-ENV-010 */
static void each_flaw_has_its_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof flaws / sizeof flaws[0]; i++) {
        struct wire wire = {0};
        char digits[HEX_MAX] = "";
        for (const char *c = flaws[i].hex; *c != '\0'; c++) {
            if (*c != ' ') {
                strncat(digits, c, 1);
            }
        }
        wire_zeros(&wire, strlen(digits) / 2);
        assert_true(cl_is_ok(cl_hex_decode(wire.bytes, wire.len, digits)));
        enum cl_reason reason = scan(flaws[i].descriptor, wire_bytes(&wire));
        if (reason != flaws[i].reason) {
            fail_msg("%s: %s", flaws[i].name, cl_reason_info(reason)->name);
        }
        wire_free(&wire);
    }
}

/* Covers: COL-LIM-001 */
static void size_is_capped(void **state)
{
    (void)state;
    struct wire wire = {0};
    wire_tag(&wire, 1, 2); /* payload: tag and a length of 3 bytes */
    wire_varint(&wire, CL_MESSAGE_BYTES_MAX - 4);
    wire_zeros(&wire, CL_MESSAGE_BYTES_MAX - 4);
    assert_int_equal(wire.len, CL_MESSAGE_BYTES_MAX);
    assert_int_equal(scan(ENVELOPE, wire_bytes(&wire)), CL_OK);
    assert_int_equal(cl_wirescan(ENVELOPE, wire_bytes(&wire), wire.len - 1).reason, CL_MESSAGE_TOO_LARGE);
    wire_zeros(&wire, 1);
    assert_int_equal(scan(ENVELOPE, wire_bytes(&wire)), CL_MESSAGE_TOO_LARGE);
    wire_free(&wire);
}

/* Covers: COL-SCN-008 */
static void fields_are_capped(void **state)
{
    (void)state;
    struct wire wire = {0};
    for (size_t i = 0; i < CL_FIELDS_MAX; i++) {
        wire_data(&wire, 3, NULL, 0);
    }
    assert_int_equal(scan(ENVELOPE, wire_bytes(&wire)), CL_OK);
    wire_data(&wire, 3, NULL, 0);
    assert_int_equal(scan(ENVELOPE, wire_bytes(&wire)), CL_WIRE_TOO_MANY_FIELDS);
    assert_int_equal(cl_wirescan_list(ENVELOPE, wire_bytes(&wire), CL_MESSAGE_BYTES_MAX, CL_FIELDS_MAX + 1).reason,
                     CL_OK);
    wire_free(&wire);

    uint8_t items[CL_FIELDS_MAX];
    memset(items, 1, sizeof items);
    wire_data(&wire, 1, items, sizeof items - 1); /* the list's own field is one more */
    assert_int_equal(scan(QUERY, wire_bytes(&wire)), CL_OK);
    wire_free(&wire);
    wire_data(&wire, 1, items, sizeof items);
    assert_int_equal(scan(QUERY, wire_bytes(&wire)), CL_WIRE_TOO_MANY_FIELDS);
    wire_free(&wire);
}

/* No message of the contract holds itself, so the descriptor is made here. */
extern const ProtobufCMessageDescriptor nest_descriptor;
struct nest {
    ProtobufCMessage base;
    struct nest *inner;
};
static const ProtobufCFieldDescriptor nest_fields[] = {{.name = "inner",
                                                        .id = 1,
                                                        .label = PROTOBUF_C_LABEL_NONE,
                                                        .type = PROTOBUF_C_TYPE_MESSAGE,
                                                        .offset = offsetof(struct nest, inner),
                                                        .descriptor = &nest_descriptor}};
static const unsigned nest_names[] = {0};
static const ProtobufCIntRange nest_ranges[] = {{1, 0}, {0, 1}};
const ProtobufCMessageDescriptor nest_descriptor = {.magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
                                                    .name = "nest",
                                                    .short_name = "nest",
                                                    .c_name = "nest",
                                                    .package_name = "",
                                                    .sizeof_message = sizeof(struct nest),
                                                    .n_fields = 1,
                                                    .fields = nest_fields,
                                                    .fields_sorted_by_name = nest_names,
                                                    .n_field_ranges = 1,
                                                    .field_ranges = nest_ranges};

static void nest(struct wire *wire, int levels)
{
    for (int i = 1; i < levels; i++) {
        struct wire outer = {0};
        wire_nested(&outer, 1, wire);
        *wire = outer;
    }
}

/* Covers: COL-SCN-008 */
static void nesting_is_capped(void **state)
{
    (void)state;
    static const struct {
        int levels;
        enum cl_reason reason;
    } rows[] = {{1, CL_OK},
                {2, CL_OK},
                {CL_NESTING_MAX, CL_OK},
                {CL_NESTING_MAX + 1, CL_WIRE_TOO_DEEP},
                {10000, CL_WIRE_TOO_DEEP}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire wire = {0};
        nest(&wire, rows[i].levels);
        assert_int_equal(scan(&nest_descriptor, wire_bytes(&wire)), rows[i].reason);
        wire_free(&wire);
    }
}

static void memory_is_capped(void **state)
{
    (void)state;
    struct cl_arena *arena = NULL;
    struct wire wire = {0};
    ProtobufCMessage *message = NULL;
    for (size_t i = 0; i < CL_FIELDS_MAX; i++) {
        wire_data(&wire, 1, NULL, 0); /* the largest struct for the fewest bytes */
    }
    assert_true(cl_is_ok(cl_arena_create(&arena, CL_MESSAGE_ARENA_BYTES_MAX)));
    assert_true(cl_is_ok(cl_unpack(&message, arena, &coloan__v1__application_list__descriptor, wire_bytes(&wire))));
    size_t needed = cl_arena_used(arena);
    cl_arena_free(arena);
    for (size_t cap = 0; cap < needed; cap += needed / 64) {
        assert_true(cl_is_ok(cl_arena_create(&arena, cap)));
        message = NULL;
        assert_int_equal(
            cl_unpack(&message, arena, &coloan__v1__application_list__descriptor, wire_bytes(&wire)).reason,
            CL_MEMORY_LIMIT);
        assert_null(message);
        cl_arena_free(arena);
    }
    wire_free(&wire);
}

static void clean_text_is_told(void **state)
{
    (void)state;
    assert_true(cl_text_clean(cl_bytes_text("")));
    assert_true(cl_text_clean(cl_bytes_text("测试甲 a·b")));
    assert_false(cl_text_clean(cl_bytes_text("a\tb")));
    assert_false(cl_text_clean(cl_bytes_text("a\xff")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_flaw_has_its_reason), cmocka_unit_test(size_is_capped),
        cmocka_unit_test(fields_are_capped),        cmocka_unit_test(nesting_is_capped),
        cmocka_unit_test(memory_is_capped),         cmocka_unit_test(clean_text_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
