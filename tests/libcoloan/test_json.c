/* json: every message of the contract, filled at random, comes back from its text byte for byte; what protobuf's JSON
 * does not allow, or a signed message could not carry, is refused with the place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/decision.pb-c.h>
#include <coloan/v1/directory.pb-c.h>
#include <coloan/v1/envelope.pb-c.h>
#include <coloan/v1/push.pb-c.h>
#include <coloan/v1/review.pb-c.h>
#include <coloan/v1/verification.pb-c.h>
#include <google/rpc/status.pb-c.h>
#include <grpc/health/v1/health.pb-c.h>
#include <grpc/reflection/v1alpha/reflection.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/json.h"
#include "libcoloan/limits.h"

static struct cl_arena *arena;

static int make_arena(void **state)
{
    (void)state;
    return cl_failed(cl_arena_create(&arena, CL_MESSAGE_ARENA_BYTES_MAX)) ? -1 : 0;
}

static int free_arena(void **state)
{
    (void)state;
    cl_arena_free(arena);
    arena = NULL;
    return 0;
}

/* -- Round trips ---------------------------------------------------------------------------------------------- */

static const ProtobufCMessageDescriptor *const types[] = {
    &coloan__v1__application__descriptor,
    &coloan__v1__application_receipt__descriptor,
    &coloan__v1__application_status__descriptor,
    &coloan__v1__application_query__descriptor,
    &coloan__v1__application_view__descriptor,
    &coloan__v1__application_list_query__descriptor,
    &coloan__v1__application_list__descriptor,
    &coloan__v1__withdrawal__descriptor,
    &coloan__v1__offer_confirmation__descriptor,
    &coloan__v1__bank_change__descriptor,
    &coloan__v1__rule_choice__descriptor,
    &coloan__v1__consent_withdrawal__descriptor,
    &coloan__v1__milestone__descriptor,
    &coloan__v1__document_chunk__descriptor,
    &coloan__v1__document_receipt__descriptor,
    &coloan__v1__key_rotation__descriptor,
    &coloan__v1__key_rotation_receipt__descriptor,
    &coloan__v1__loan_part__descriptor,
    &coloan__v1__offer_terms__descriptor,
    &coloan__v1__offer__descriptor,
    &coloan__v1__reason__descriptor,
    &coloan__v1__fund_decision__descriptor,
    &coloan__v1__decision_trace__descriptor,
    &coloan__v1__decision_record__descriptor,
    &coloan__v1__bank_decision__descriptor,
    &coloan__v1__joint_outcome__descriptor,
    &coloan__v1__joint_decision__descriptor,
    &coloan__v1__task_list_query__descriptor,
    &coloan__v1__task_list__descriptor,
    &coloan__v1__task_query__descriptor,
    &coloan__v1__task_view__descriptor,
    &coloan__v1__task_claim__descriptor,
    &coloan__v1__task_release__descriptor,
    &coloan__v1__task__descriptor,
    &coloan__v1__item_settlement__descriptor,
    &coloan__v1__override_request__descriptor,
    &coloan__v1__item_override__descriptor,
    &coloan__v1__decision_query__descriptor,
    &coloan__v1__counters_query__descriptor,
    &coloan__v1__counters__descriptor,
    &coloan__v1__key_directory__descriptor,
    &coloan__v1__keys_query__descriptor,
    &coloan__v1__keys_answer__descriptor,
    &coloan__v1__capabilities_query__descriptor,
    &coloan__v1__capabilities__descriptor,
    &coloan__v1__envelope__descriptor,
    &coloan__v1__signed_payload__descriptor,
    &coloan__v1__signed_header__descriptor,
    &coloan__v1__refusal__descriptor,
    &coloan__v1__open__descriptor,
    &coloan__v1__ack__descriptor,
    &coloan__v1__credit__descriptor,
    &coloan__v1__event__descriptor,
    &coloan__v1__heartbeat__descriptor,
    &coloan__v1__gap__descriptor,
    &coloan__v1__drain__descriptor,
    &coloan__v1__verification_report__descriptor,
    &coloan__v1__verification_query__descriptor,
    &coloan__v1__verification_answer__descriptor,
    &google__rpc__status__descriptor,
    &google__rpc__error_info__descriptor,
    &grpc__health__v1__health_check_response__descriptor,
    &grpc__reflection__v1alpha__server_reflection_request__descriptor,
    &grpc__reflection__v1alpha__server_reflection_response__descriptor,
};

static uint64_t random_state;

static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static ProtobufCMessage *random_message(const ProtobufCMessageDescriptor *descriptor, unsigned depth);

static void fill(void *member, const ProtobufCFieldDescriptor *field, unsigned depth)
{
    static const char *const texts[] = {"", "a", "城市", "a\"b\\c/d", "x y", "\xf0\x9f\x8f\xa0"};
    static const int64_t numbers[] = {0, 1, -1, INT64_MAX, INT64_MIN, 0x123456789ab, -77};
    uint64_t number = (uint64_t)numbers[random_next() % 7];
    const ProtobufCEnumDescriptor *words = field->descriptor;
    ProtobufCBinaryData bytes = {.len = random_next() % 7};
    switch (field->type) {
    case PROTOBUF_C_TYPE_BOOL:
        *(protobuf_c_boolean *)member = number % 2 == 1;
        return;
    case PROTOBUF_C_TYPE_ENUM:
        *(int *)member = words->values[random_next() % words->n_values].value;
        return;
    case PROTOBUF_C_TYPE_STRING:
        *(char **)member = cl_arena_text(arena, texts[random_next() % 6]);
        return;
    case PROTOBUF_C_TYPE_BYTES:
        bytes.data = cl_arena_alloc(arena, 8);
        for (size_t i = 0; i < bytes.len; i++) {
            bytes.data[i] = (uint8_t)random_next();
        }
        memcpy(member, &bytes, sizeof bytes);
        return;
    case PROTOBUF_C_TYPE_MESSAGE:
        *(ProtobufCMessage **)member = random_message(field->descriptor, depth + 1);
        return;
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        memcpy(member, &number, sizeof number);
        return;
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        *(uint32_t *)member = (uint32_t)(number >> 31);
        return;
    case PROTOBUF_C_TYPE_FLOAT:
    case PROTOBUF_C_TYPE_DOUBLE:
        fail_msg("%s is floating point", field->name);
    }
}

/* As the struct members that protobuf-c generates. */
static size_t size_of(const ProtobufCFieldDescriptor *field)
{
    static const size_t sizes[] = {
        [PROTOBUF_C_TYPE_INT32] = 4,
        [PROTOBUF_C_TYPE_SINT32] = 4,
        [PROTOBUF_C_TYPE_SFIXED32] = 4,
        [PROTOBUF_C_TYPE_INT64] = 8,
        [PROTOBUF_C_TYPE_SINT64] = 8,
        [PROTOBUF_C_TYPE_SFIXED64] = 8,
        [PROTOBUF_C_TYPE_UINT32] = 4,
        [PROTOBUF_C_TYPE_FIXED32] = 4,
        [PROTOBUF_C_TYPE_UINT64] = 8,
        [PROTOBUF_C_TYPE_FIXED64] = 8,
        [PROTOBUF_C_TYPE_BOOL] = sizeof(protobuf_c_boolean),
        [PROTOBUF_C_TYPE_ENUM] = sizeof(int),
        [PROTOBUF_C_TYPE_STRING] = sizeof(char *),
        [PROTOBUF_C_TYPE_BYTES] = sizeof(ProtobufCBinaryData),
        [PROTOBUF_C_TYPE_MESSAGE] = sizeof(void *),
    };
    return sizes[field->type];
}

static ProtobufCMessage *random_message(const ProtobufCMessageDescriptor *descriptor, unsigned depth)
{
    char *message = cl_arena_alloc(arena, descriptor->sizeof_message);
    protobuf_c_message_init(descriptor, message);
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        bool oneof = (field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
        if (random_next() % 3 == 0 || (field->type == PROTOBUF_C_TYPE_MESSAGE && depth > 4)) {
            continue;
        }
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t count = random_next() % 4;
            char *list = cl_arena_array(arena, count + 1, size_of(field));
            for (size_t j = 0; j < count; j++) {
                fill(list + j * size_of(field), field, depth);
            }
            *(size_t *)(message + field->quantifier_offset) = count;
            *(char **)(message + field->offset) = list;
            continue;
        }
        if (oneof && *(uint32_t *)(message + field->quantifier_offset) != 0) {
            continue;
        }
        if (oneof) {
            *(uint32_t *)(message + field->quantifier_offset) = field->id;
        }
        fill(message + field->offset, field, depth);
    }
    return (ProtobufCMessage *)message;
}

static struct cl_bytes packed(const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = cl_arena_alloc(arena, len + 1);
    assert_non_null(bytes);
    assert_int_equal(protobuf_c_message_pack(message, bytes), len);
    return cl_bytes(bytes, len);
}

static void every_message_comes_back(void **state)
{
    (void)state;
    static const unsigned styles[] = {CL_JSON_COMPACT, CL_JSON_INDENTED, CL_JSON_DEFAULTS,
                                      CL_JSON_INDENTED | CL_JSON_DEFAULTS};
    random_state = 20261125;
    for (size_t round = 0; round < 40 * sizeof types / sizeof types[0]; round++) {
        const ProtobufCMessageDescriptor *type = types[round % (sizeof types / sizeof types[0])];
        cl_arena_reset(arena);
        ProtobufCMessage *message = random_message(type, 0);
        struct cl_bytes before = packed(message);
        ProtobufCMessage *back = NULL;
        struct cl_json_error error = {""};
        const char *text = NULL;
        const char *again = NULL;
        unsigned style = styles[round / 7 % 4];
        assert_true(cl_is_ok(cl_json_print(&text, arena, message, style)));
        if (cl_failed(cl_json_parse(&back, arena, type, cl_bytes_text(text), &error))) {
            fail_msg("%s: %s in %s", type->name, error.text, text);
        }
        if (!cl_bytes_equal(before, packed(back))) {
            fail_msg("%s is another after %s", type->name, text);
        }
        assert_true(cl_is_ok(cl_json_print(&again, arena, back, style)));
        assert_string_equal(text, again);
    }
}

/* -- The exact text ------------------------------------------------------------------------------------------- */

static void the_text_is_protobufs(void **state)
{
    (void)state;
    uint8_t digest[] = {0xfb, 0xff, 0xfe};
    char code[] = "AMT-CAP";
    Coloan__V1__Reason reason = COLOAN__V1__REASON__INIT;
    Coloan__V1__Reason *reasons[] = {&reason};
    Coloan__V1__BankDecision decision = COLOAN__V1__BANK_DECISION__INIT;
    Coloan__V1__LoanPart part = COLOAN__V1__LOAN_PART__INIT;
    const char *text = NULL;
    reason.code = code;
    part.amount_fen = INT64_MIN;
    part.rate_ppm = -1;
    decision.offer_version = UINT32_MAX;
    decision.terms_digest = (ProtobufCBinaryData){.data = digest, .len = 3};
    decision.verdict = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_COUNTER;
    decision.counter = &part;
    decision.n_reasons = 1;
    decision.reasons = reasons;
    assert_true(cl_is_ok(cl_json_print(&text, arena, &decision.base, CL_JSON_COMPACT)));
    assert_string_equal(text,
                        "{\"offerVersion\":4294967295,\"termsDigest\":\"+//+\",\"verdict\":\"BANK_VERDICT_COUNTER\","
                        "\"counter\":{\"amountFen\":\"-9223372036854775808\",\"ratePpm\":-1},"
                        "\"reasons\":[{\"code\":\"AMT-CAP\"}]}");
    assert_true(cl_is_ok(cl_json_print(&text, arena, &reason.base, CL_JSON_INDENTED | CL_JSON_DEFAULTS)));
    assert_string_equal(text, "{\n  \"code\": \"AMT-CAP\",\n  \"severity\": \"SEVERITY_UNSPECIFIED\",\n"
                              "  \"person\": 0\n}");
}

static void an_undeclared_enumeration_value_is_printed_as_number(void **state)
{
    (void)state;
    Coloan__V1__Reason reason = COLOAN__V1__REASON__INIT;
    const char *text = NULL;
    reason.severity = (Coloan__V1__Severity)77;
    assert_true(cl_is_ok(cl_json_print(&text, arena, &reason.base, CL_JSON_COMPACT)));
    assert_string_equal(text, "{\"severity\":77}");
}

static void a_text_that_is_not_utf8_cannot_be_printed(void **state)
{
    (void)state;
    char code[] = "\xff";
    Coloan__V1__Reason reason = COLOAN__V1__REASON__INIT;
    const char *text = NULL;
    reason.code = code;
    assert_int_equal(cl_json_print(&text, arena, &reason.base, CL_JSON_COMPACT).reason, CL_JSON_INVALID);
    assert_null(text);
}

/* -- What is read --------------------------------------------------------------------------------------------- */

#define MESSAGE(name) &coloan__v1__##name##__descriptor

static void texts_and_their_neighbours(void **state)
{
    (void)state;
    static const struct {
        const ProtobufCMessageDescriptor *type;
        const char *json;
        const char *canonical; /* as printed again; NULL: refused */
        const char *error;     /* a part of it */
    } rows[] = {
        {MESSAGE(loan_part), "{}", "{}", NULL},
        {MESSAGE(loan_part), "{\"amountFen\": 5}", "{\"amountFen\":\"5\"}", NULL},
        {MESSAGE(loan_part), "{\"amount_fen\": \"-5\"}", "{\"amountFen\":\"-5\"}", NULL},
        {MESSAGE(loan_part), "{\"amountFen\": null}", "{}", NULL},
        {MESSAGE(loan_part), "{\"amountFen\": \"9223372036854775807\"}", "{\"amountFen\":\"9223372036854775807\"}",
         NULL},
        {MESSAGE(loan_part), "{\"amountFen\": -9223372036854775808}", "{\"amountFen\":\"-9223372036854775808\"}", NULL},
        {MESSAGE(loan_part), "{\"amountFen\": \"9223372036854775808\"}", NULL, "amountFen: the number is out of range"},
        {MESSAGE(loan_part), "{\"amountFen\": \"-9223372036854775809\"}", NULL, "out of range"},
        {MESSAGE(loan_part), "{\"amountFen\": \"18446744073709551616\"}", NULL, "expected a whole number"},
        {MESSAGE(loan_part), "{\"amountFen\": 1.5}", NULL, "found a fractional number, expected a whole number"},
        {MESSAGE(loan_part), "{\"amountFen\": \"1.5\"}", NULL, "expected a whole number"},
        {MESSAGE(loan_part), "{\"amountFen\": \" 1\"}", NULL, "expected a whole number"},
        {MESSAGE(loan_part), "{\"amountFen\": \"+1\"}", NULL, "expected a whole number"},
        {MESSAGE(loan_part), "{\"amountFen\": \"01\"}", NULL, "expected a whole number"},
        {MESSAGE(loan_part), "{\"amountFen\": \"-\"}", NULL, "expected a whole number"},
        {MESSAGE(loan_part), "{\"amountFen\": \"\"}", NULL, "expected a whole number"},
        {MESSAGE(loan_part), "{\"amountFen\": true}", NULL, "found true, expected a whole number"},
        {MESSAGE(loan_part), "{\"amountFen\": [1]}", NULL, "found a list"},
        {MESSAGE(loan_part), "{\"ratePpm\": 2147483647}", "{\"ratePpm\":2147483647}", NULL},
        {MESSAGE(loan_part), "{\"ratePpm\": 2147483648}", NULL, "-2147483648 to 2147483647"},
        {MESSAGE(loan_part), "{\"ratePpm\": \"-2147483648\"}", "{\"ratePpm\":-2147483648}", NULL},
        {MESSAGE(loan_part), "{\"ratePpm\": -2147483649}", NULL, "out of range"},
        {MESSAGE(reason), "{\"person\": 4294967295}", "{\"person\":4294967295}", NULL},
        {MESSAGE(reason), "{\"person\": 4294967296}", NULL, "0 to 4294967295"},
        {MESSAGE(reason), "{\"person\": -1}", NULL, "out of range"},
        {MESSAGE(ack), "{\"sequence\": \"18446744073709551615\"}", "{\"sequence\":\"18446744073709551615\"}", NULL},
        {MESSAGE(ack), "{\"sequence\": -1}", NULL, "out of range"},
        {MESSAGE(reason), "{\"severity\": \"SEVERITY_INFO\"}", "{\"severity\":\"SEVERITY_INFO\"}", NULL},
        {MESSAGE(reason), "{\"severity\": 1}", "{\"severity\":\"SEVERITY_INFO\"}", NULL},
        {MESSAGE(reason), "{\"severity\": 9}", NULL,
         "severity: found a number, expected one of SEVERITY_UNSPECIFIED, "},
        {MESSAGE(reason), "{\"severity\": 4294967297}", NULL, "expected one of"},
        {MESSAGE(reason), "{\"severity\": \"INFO\"}", NULL, "found another word, expected one of"},
        {MESSAGE(reason), "{\"severity\": \"1\"}", NULL, "found another word"},
        {MESSAGE(reason), "{\"code\": \"x\\u00e9\"}", "{\"code\":\"x\xc3\xa9\"}", NULL},
        {MESSAGE(reason), "{\"code\": 1}", NULL, "code: found a number, expected a string"},
        {MESSAGE(reason), "{\"code\": \"a\\u0000\"}", NULL, "this is not JSON"},
        {MESSAGE(reason), "{\"code\": \"a\\n\"}", NULL, "a control character"},
        {MESSAGE(reason), "{\"code\": \"a\\u007f\"}", NULL, "a control character"},
        {MESSAGE(reason), "{\"code\": \"a\\u0085\"}", NULL, "a control character"},
        {MESSAGE(reason), "{\"code\": \"\\ud800\"}", NULL, "this is not JSON"},
        {MESSAGE(reason), "{\"code\": \"\xff\"}", NULL, "this is not JSON"},
        {MESSAGE(application_query), "{\"withItems\": true}", "{\"withItems\":true}", NULL},
        {MESSAGE(application_query), "{\"withItems\": 1}", NULL, "expected true or false"},
        {MESSAGE(application_query), "{\"withItems\": \"true\"}", NULL, "expected true or false"},
        {MESSAGE(keys_answer), "{\"directory\": \"AAEC\"}", "{\"directory\":\"AAEC\"}", NULL},
        {MESSAGE(keys_answer), "{\"directory\": \"\"}", "{}", NULL},
        {MESSAGE(keys_answer), "{\"directory\": \"AA==\"}", "{\"directory\":\"AA==\"}", NULL},
        {MESSAGE(keys_answer), "{\"directory\": \"AA\"}", "{\"directory\":\"AA==\"}", NULL},
        {MESSAGE(keys_answer), "{\"directory\": \"AAE=\"}", "{\"directory\":\"AAE=\"}", NULL},
        {MESSAGE(keys_answer), "{\"directory\": \"-_-_\"}", "{\"directory\":\"+/+/\"}", NULL},
        {MESSAGE(keys_answer), "{\"directory\": \"A\"}", NULL, "directory: the string is not base64"},
        {MESSAGE(keys_answer), "{\"directory\": \"AA=\"}", NULL, "not base64"},
        {MESSAGE(keys_answer), "{\"directory\": \"AAEC=\"}", NULL, "not base64"},
        {MESSAGE(keys_answer), "{\"directory\": \"A===\"}", NULL, "not base64"},
        {MESSAGE(keys_answer), "{\"directory\": \"AB==\"}", NULL, "not base64"},
        {MESSAGE(keys_answer), "{\"directory\": \"A A=\"}", NULL, "not base64"},
        {MESSAGE(keys_answer), "{\"directory\": \"====\"}", NULL, "not base64"},
        {MESSAGE(keys_answer), "{\"directory\": [0]}", NULL, "expected a string of base64"},
        {MESSAGE(application), "{\"persons\": [{\"role\": 1}, {}]}",
         "{\"persons\":[{\"role\":\"PERSON_ROLE_BORROWER\"},{}]}", NULL},
        {MESSAGE(application), "{\"persons\": []}", "{}", NULL},
        {MESSAGE(application), "{\"persons\": null}", "{}", NULL},
        {MESSAGE(application), "{\"persons\": {}}", NULL, "persons: found an object, expected a list"},
        {MESSAGE(application), "{\"persons\": [{}, {\"role\": \"X\"}]}", NULL, "persons[1].role: found another word"},
        {MESSAGE(application), "{\"persons\": [null]}", NULL, "persons[0]: found null, expected an object"},
        {MESSAGE(application), "{\"home\": {\"price\": 1}}", NULL,
         "home.price: Home has no such field; it has kind, presale, contractNo"},
        {MESSAGE(application), "{\"externalRef\": \"a\", \"external_ref\": \"b\"}", NULL, "stands twice"},
        {MESSAGE(application), "{\"bank\": \"a\", \"bank\": \"b\"}", NULL, "a key stands twice"},
        {MESSAGE(application), "[]", NULL, "found a list, expected an object"},
        {MESSAGE(application), "{", NULL, "line 1, column 1: this is not JSON"},
        {MESSAGE(application), "{} {}", NULL, "this is not JSON"},
        {MESSAGE(application), "{bank: 1}", NULL, "this is not JSON"},
        {MESSAGE(application), "{\"bank\": \"a\",}", NULL, "this is not JSON"},
        {MESSAGE(application), "", NULL, "this is not JSON"},
        {&grpc__reflection__v1alpha__server_reflection_request__descriptor, "{\"host\": \"h\", \"listServices\": \"\"}",
         "{\"host\":\"h\",\"listServices\":\"\"}", NULL},
        {&grpc__reflection__v1alpha__server_reflection_request__descriptor,
         "{\"listServices\": \"\", \"fileByFilename\": \"\"}", NULL, "another field of the same choice"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        ProtobufCMessage *message = NULL;
        const char *text = NULL;
        struct cl_json_error error = {""};
        struct cl_status status = cl_json_parse(&message, arena, rows[i].type, cl_bytes_text(rows[i].json), &error);
        if (status.reason != (rows[i].canonical == NULL ? CL_JSON_INVALID : CL_OK) ||
            (rows[i].error != NULL && strstr(error.text, rows[i].error) == NULL)) {
            fail_msg("%s: %s: %s", rows[i].json, cl_status_name(status), error.text);
        }
        if (rows[i].canonical == NULL) {
            assert_null(message);
            assert_true(cl_failed(cl_json_parse(&message, arena, rows[i].type, cl_bytes_text(rows[i].json), NULL)));
            continue;
        }
        assert_true(cl_is_ok(cl_json_print(&text, arena, message, CL_JSON_COMPACT)));
        assert_string_equal(text, rows[i].canonical);
    }
}

/* What a field holds may be a name or an ID number: no error repeats it. */
static void an_error_repeats_no_value(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "{\"persons\": [{\"role\": \"SECRET\"}]}",
        "{\"persons\": [{\"name\": \"SECRET!\"}]}",
        "{\"request\": {\"totalFen\": \"SECRET\"}}",
        "{\"bank\": \"SECRET\" \"SECRET\"}",
        "{\"bank\": SECRET}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        ProtobufCMessage *message = NULL;
        struct cl_json_error error = {""};
        assert_true(cl_failed(cl_json_parse(&message, arena, MESSAGE(application), cl_bytes_text(texts[i]), &error)));
        assert_null(strstr(error.text, "SECRET"));
        assert_true(strlen(error.text) > 0);
    }
}

static void bounds_hold(void **state)
{
    (void)state;
    ProtobufCMessage *message = NULL;
    struct cl_json_error error = {""};
    size_t len = CL_JSON_BYTES_MAX;
    char *text = malloc(len + 1);
    assert_non_null(text);
    memset(text, ' ', len + 1);
    memcpy(text, "{}", 2);
    assert_true(cl_is_ok(cl_json_parse(&message, arena, MESSAGE(application), cl_bytes(text, len), &error)));
    assert_int_equal(cl_json_parse(&message, arena, MESSAGE(application), cl_bytes(text, len + 1), &error).reason,
                     CL_MESSAGE_TOO_LARGE);
    free(text);

    struct cl_arena *small = NULL;
    assert_true(cl_is_ok(cl_arena_create(&small, 300)));
    assert_int_equal(
        cl_json_parse(&message, small, MESSAGE(application), cl_bytes_text("{\"persons\": [{}, {}, {}, {}]}"), &error)
            .reason,
        CL_MEMORY_LIMIT);
    cl_arena_free(small);
}

/* -- Objects -------------------------------------------------------------------------------------------------- */

static void members_are_split(void **state)
{
    (void)state;
    const struct cl_json_member *members = NULL;
    size_t count = 0;
    struct cl_json_error error = {""};
    static const char text[] = "{\"b\": {\"x\": [1, 2]}, \"a\": \"\\u5f20\\\"\", \"n\": 12}";
    assert_true(cl_is_ok(cl_json_members(&members, &count, arena, cl_bytes_text(text), &error)));
    assert_int_equal(count, 3);
    assert_string_equal(members[0].name, "b");
    assert_false(members[0].is_string);
    assert_string_equal(members[0].text, "{\"x\":[1,2]}");
    assert_true(members[1].is_string);
    assert_string_equal(members[1].text, "张\"");
    assert_string_equal(members[2].text, "12");
    assert_true(cl_failed(cl_json_members(&members, &count, arena, cl_bytes_text("[]"), &error)));
    assert_true(cl_failed(cl_json_members(&members, &count, arena, cl_bytes_text("{\"a\":1,\"a\":2}"), &error)));
    assert_string_equal(cl_json_quote(arena, "a\"\n"), "\"a\\\"\\n\"");
    assert_null(cl_json_quote(arena, "\xff"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_comes_back),
        cmocka_unit_test(the_text_is_protobufs),
        cmocka_unit_test(an_undeclared_enumeration_value_is_printed_as_number),
        cmocka_unit_test(a_text_that_is_not_utf8_cannot_be_printed),
        cmocka_unit_test(texts_and_their_neighbours),
        cmocka_unit_test(an_error_repeats_no_value),
        cmocka_unit_test(bounds_hold),
        cmocka_unit_test(members_are_split),
    };
    return cmocka_run_group_tests(tests, make_arena, free_arena);
}
