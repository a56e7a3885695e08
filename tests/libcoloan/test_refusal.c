/* refusal: what is built is read back; what is not a refusal is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <google/rpc/status.pb-c.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/limits.h"
#include "libcoloan/refusal.h"

static struct cl_bytes bytes_of(const struct cl_refusal_details *details)
{
    return cl_bytes(details->bytes, details->len);
}

/* Covers: COL-ERR-002 */
static void every_reason_reads_back(void **state)
{
    (void)state;
    for (unsigned i = 0; cl_reason_at(i) != NULL; i++) {
        const struct cl_reason_info *reason = cl_reason_at(i);
        struct cl_refusal_details details;
        struct cl_refusal_read read;
        cl_refusal_build(&details, &(struct cl_refusal){.status = cl_fail(reason->reason)});
        assert_true(cl_is_ok(cl_refusal_read(&read, bytes_of(&details))));
        assert_int_equal(read.status.reason, reason->reason);
        assert_int_equal(read.retry_after_ms, reason->retry == CL_RETRY_DELAY ? CL_RETRY_MS_DEFAULT : 0);
        assert_string_equal(read.field, "");
        assert_int_equal(read.envelope.len, 0);
    }
}

/* Covers: COL-ERR-002, COL-ERR-003 */
static void everything_reads_back(void **state)
{
    (void)state;
    static const uint8_t envelope[1500] = {1, 2, 3};
    struct cl_refusal_details details;
    struct cl_refusal_read read;
    cl_refusal_build(&details, &(struct cl_refusal){.status = cl_fail(CL_OVERLOADED),
                                                    .retry_after_ms = 2345,
                                                    .field = "persons[0].name",
                                                    .envelope = cl_bytes(envelope, sizeof envelope)});
    assert_true(cl_is_ok(cl_refusal_read(&read, bytes_of(&details))));
    assert_int_equal(read.status.reason, CL_OVERLOADED);
    assert_int_equal(read.retry_after_ms, 2345);
    assert_string_equal(read.field, "persons[0].name");
    assert_true(cl_bytes_equal(read.envelope, cl_bytes(envelope, sizeof envelope)));
}

static const Google__Rpc__Any *find(const Google__Rpc__Status *status, const char *name)
{
    for (size_t i = 0; i < status->n_details; i++) {
        if (strcmp(strrchr(status->details[i]->type_url, '/') + 1, name) == 0) {
            return status->details[i];
        }
    }
    return NULL;
}

/* As another implementation would read it. */
static void protobuf_reads_the_standard_messages(void **state)
{
    (void)state;
    struct cl_refusal_details details;
    cl_refusal_build(&details, &(struct cl_refusal){.status = cl_fail(CL_RATE_LIMITED), .field = "a.b"});
    Google__Rpc__Status *status = google__rpc__status__unpack(NULL, details.len, details.bytes);
    assert_non_null(status);
    assert_int_equal(status->code, CL_GRPC_RESOURCE_EXHAUSTED);
    assert_string_equal(status->message, cl_reason_info(CL_RATE_LIMITED)->text_en);
    assert_int_equal(status->n_details, 4);

    const Google__Rpc__Any *any = find(status, "google.rpc.ErrorInfo");
    Google__Rpc__ErrorInfo *info = google__rpc__error_info__unpack(NULL, any->value.len, any->value.data);
    assert_string_equal(info->reason, "RATE_LIMITED");
    assert_string_equal(info->domain, "coloan.v1");
    google__rpc__error_info__free_unpacked(info, NULL);

    any = find(status, "google.rpc.LocalizedMessage");
    Google__Rpc__LocalizedMessage *text = google__rpc__localized_message__unpack(NULL, any->value.len, any->value.data);
    assert_string_equal(text->locale, "zh-CN");
    assert_string_equal(text->message, cl_reason_info(CL_RATE_LIMITED)->text_zh);
    google__rpc__localized_message__free_unpacked(text, NULL);

    any = find(status, "google.rpc.BadRequest");
    Google__Rpc__BadRequest *bad = google__rpc__bad_request__unpack(NULL, any->value.len, any->value.data);
    assert_int_equal(bad->n_field_violations, 1);
    assert_string_equal(bad->field_violations[0]->field, "a.b");
    google__rpc__bad_request__free_unpacked(bad, NULL);
    google__rpc__status__free_unpacked(status, NULL);
}

/* Covers: COL-ERR-005 */
static void an_envelope_that_does_not_fit_is_left_out(void **state)
{
    (void)state;
    static const uint8_t envelope[CL_REFUSAL_DETAILS_BYTES_MAX] = {1};
    struct cl_refusal_details details;
    struct cl_refusal_read read;
    size_t largest = 0;
    for (size_t len = sizeof envelope - 600; len <= sizeof envelope; len++) {
        cl_refusal_build(&details,
                         &(struct cl_refusal){.status = cl_fail(CL_EXPIRED), .envelope = cl_bytes(envelope, len)});
        assert_true(details.len <= CL_REFUSAL_DETAILS_BYTES_MAX);
        largest = details.len > largest ? details.len : largest;
        assert_true(cl_is_ok(cl_refusal_read(&read, bytes_of(&details))));
        assert_true(read.envelope.len == len || read.envelope.len == 0);
    }
    assert_int_equal(largest, CL_REFUSAL_DETAILS_BYTES_MAX); /* the last one that fits fills it */
    assert_int_equal(read.envelope.len, 0);
}

static void a_field_that_is_too_long_is_left_out(void **state)
{
    (void)state;
    char field[CL_REFUSAL_FIELD_BYTES_MAX + 1] = {0};
    struct cl_refusal_details details;
    struct cl_refusal_read read;
    memset(field, 'a', CL_REFUSAL_FIELD_BYTES_MAX);
    cl_refusal_build(&details, &(struct cl_refusal){.status = cl_fail(CL_FIELD_INVALID), .field = field});
    assert_true(cl_is_ok(cl_refusal_read(&read, bytes_of(&details))));
    assert_string_equal(read.field, "");
    field[CL_REFUSAL_FIELD_BYTES_MAX - 1] = '\0';
    cl_refusal_build(&details, &(struct cl_refusal){.status = cl_fail(CL_FIELD_INVALID), .field = field});
    assert_true(cl_is_ok(cl_refusal_read(&read, bytes_of(&details))));
    assert_string_equal(read.field, field);
}

static void a_retry_is_at_most_a_day(void **state)
{
    (void)state;
    struct cl_refusal_details details;
    struct cl_refusal_read read;
    cl_refusal_build(&details, &(struct cl_refusal){.status = cl_fail(CL_OVERLOADED), .retry_after_ms = INT64_MAX});
    assert_true(cl_is_ok(cl_refusal_read(&read, bytes_of(&details))));
    assert_int_equal(read.retry_after_ms, 24 * 3600 * 1000);
}

/* -- Hostile details ----------------------------------------------------------------------------------------- */

/* Small builders of wire bytes, so that every malformed case can be written down. */
struct wire {
    uint8_t bytes[2 * CL_REFUSAL_DETAILS_BYTES_MAX];
    size_t len;
};

static void put_varint(struct wire *wire, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        wire->bytes[wire->len++] = (uint8_t)(value | 0x80);
    }
    wire->bytes[wire->len++] = (uint8_t)value;
}

static void put_number(struct wire *wire, unsigned number, uint64_t value)
{
    put_varint(wire, (uint64_t)number << 3);
    put_varint(wire, value);
}

static void put_bytes(struct wire *wire, unsigned number, const void *data, size_t len)
{
    put_varint(wire, (uint64_t)number << 3 | 2);
    put_varint(wire, len);
    memcpy(wire->bytes + wire->len, data, len);
    wire->len += len;
}

static void put_text(struct wire *wire, unsigned number, const char *text)
{
    put_bytes(wire, number, text, strlen(text));
}

static void put_any(struct wire *wire, const char *type, const struct wire *value)
{
    struct wire any = {.len = 0};
    char url[128] = "type.googleapis.com/";
    strncat(url, type, 64);
    put_text(&any, 1, url);
    put_bytes(&any, 2, value->bytes, value->len);
    put_bytes(wire, 3, any.bytes, any.len);
}

static void put_info(struct wire *wire, const char *reason, const char *domain)
{
    struct wire info = {.len = 0};
    put_text(&info, 1, reason);
    put_text(&info, 2, domain);
    put_any(wire, "google.rpc.ErrorInfo", &info);
}

static void put_retry(struct wire *wire, uint64_t seconds, uint64_t nanos)
{
    struct wire delay = {.len = 0};
    struct wire retry = {.len = 0};
    put_number(&delay, 1, seconds);
    put_number(&delay, 2, nanos);
    put_bytes(&retry, 1, delay.bytes, delay.len);
    put_any(wire, "google.rpc.RetryInfo", &retry);
}

static void put_field(struct wire *wire, const char *field)
{
    struct wire violation = {.len = 0};
    struct wire request = {.len = 0};
    put_text(&violation, 1, field);
    put_bytes(&request, 1, violation.bytes, violation.len);
    put_any(wire, "google.rpc.BadRequest", &request);
}

static void build_nothing(struct wire *wire)
{
    (void)wire;
}

static void build_one_info(struct wire *wire)
{
    put_number(wire, 1, 8);
    put_info(wire, "EXPIRED", "coloan.v1");
}

static void build_two_infos(struct wire *wire)
{
    build_one_info(wire);
    put_info(wire, "EXPIRED", "coloan.v1");
}

static void build_foreign_info(struct wire *wire)
{
    put_info(wire, "EXPIRED", "example.com");
}

static void build_ours_beside_foreign(struct wire *wire)
{
    put_info(wire, "OTHER", "example.com");
    put_info(wire, "EXPIRED", "coloan.v1");
    put_any(wire, "google.rpc.DebugInfo", &(struct wire){.len = 0});
}

static void build_unknown_reason(struct wire *wire)
{
    put_info(wire, "NEVER_HEARD_OF", "coloan.v1");
}

static void build_reason_with_nul(struct wire *wire)
{
    struct wire info = {.len = 0};
    put_bytes(&info, 1, "EXPIRED\0", 8);
    put_text(&info, 2, "coloan.v1");
    put_any(wire, "google.rpc.ErrorInfo", &info);
}

static void build_negative_retry(struct wire *wire)
{
    build_one_info(wire);
    put_retry(wire, UINT64_MAX, 0);
}

static void build_long_retry(struct wire *wire)
{
    build_one_info(wire);
    put_retry(wire, 24 * 3600 + 1, 0);
}

static void build_many_nanos(struct wire *wire)
{
    build_one_info(wire);
    put_retry(wire, 1, 1000000000);
}

static void build_control_in_field(struct wire *wire)
{
    build_one_info(wire);
    put_field(wire, "a\nb");
}

static void build_long_field(struct wire *wire)
{
    char field[CL_REFUSAL_FIELD_BYTES_MAX + 1] = {0};
    memset(field, 'a', CL_REFUSAL_FIELD_BYTES_MAX);
    build_one_info(wire);
    put_field(wire, field);
}

static void build_length_past_end(struct wire *wire)
{
    build_one_info(wire);
    put_varint(wire, 3 << 3 | 2);
    put_varint(wire, 4000000000);
}

static void build_endless_varint(struct wire *wire)
{
    build_one_info(wire);
    put_varint(wire, 1 << 3);
    memset(wire->bytes + wire->len, 0xff, 11);
    wire->len += 11;
}

static void build_group(struct wire *wire)
{
    build_one_info(wire);
    put_varint(wire, 9 << 3 | 3);
}

static void build_field_zero(struct wire *wire)
{
    build_one_info(wire);
    put_number(wire, 0, 1);
}

static void build_garbage_in_any(struct wire *wire)
{
    put_bytes(wire, 3, "\xff\xff\xff", 3);
}

static void build_fixed_fields(struct wire *wire)
{
    put_varint(wire, 20 << 3 | 1);
    wire->len += 8;
    put_varint(wire, 21 << 3 | 5);
    wire->len += 4;
    build_one_info(wire);
}

static void build_too_large(struct wire *wire)
{
    build_one_info(wire);
    while (wire->len <= CL_REFUSAL_DETAILS_BYTES_MAX) {
        put_number(wire, 15, 1);
    }
}

/* Covers: COL-ERR-002, COL-ERR-004 */
static void details_are_read_with_care(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        void (*build)(struct wire *wire);
        enum cl_reason read, says;
    } rows[] = {
        {"nothing", build_nothing, CL_FIELD_MISSING, CL_OK},
        {"one info", build_one_info, CL_OK, CL_EXPIRED},
        {"two infos", build_two_infos, CL_FIELD_MISSING, CL_OK},
        {"foreign info", build_foreign_info, CL_FIELD_MISSING, CL_OK},
        {"ours beside foreign", build_ours_beside_foreign, CL_OK, CL_EXPIRED},
        {"unknown reason", build_unknown_reason, CL_OK, CL_INTERNAL},
        {"reason with NUL", build_reason_with_nul, CL_OK, CL_INTERNAL},
        {"negative retry", build_negative_retry, CL_FIELD_INVALID, CL_OK},
        {"long retry", build_long_retry, CL_FIELD_INVALID, CL_OK},
        {"many nanos", build_many_nanos, CL_FIELD_INVALID, CL_OK},
        {"control in field", build_control_in_field, CL_FIELD_INVALID, CL_OK},
        {"long field", build_long_field, CL_FIELD_INVALID, CL_OK},
        {"length past end", build_length_past_end, CL_WIRE_MALFORMED, CL_OK},
        {"endless varint", build_endless_varint, CL_WIRE_MALFORMED, CL_OK},
        {"group", build_group, CL_WIRE_MALFORMED, CL_OK},
        {"field zero", build_field_zero, CL_WIRE_MALFORMED, CL_OK},
        {"garbage in any", build_garbage_in_any, CL_WIRE_MALFORMED, CL_OK},
        {"fixed fields", build_fixed_fields, CL_OK, CL_EXPIRED},
        {"too large", build_too_large, CL_MESSAGE_TOO_LARGE, CL_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire wire = {.len = 0};
        struct cl_refusal_read read = {.status = cl_fail(CL_SYSTEM)};
        rows[i].build(&wire);
        struct cl_status status = cl_refusal_read(&read, cl_bytes(wire.bytes, wire.len));
        if (status.reason != rows[i].read) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
        assert_int_equal(read.status.reason, cl_is_ok(status) ? rows[i].says : CL_SYSTEM); /* untouched on failure */
    }
}

/* Every prefix and every flipped bit of a full refusal, each in a block of its exact size so that ASan sees an
 * overread. */
static void damaged_details_do_no_harm(void **state)
{
    (void)state;
    struct cl_refusal_details details;
    cl_refusal_build(&details, &(struct cl_refusal){.status = cl_fail(CL_OVERLOADED),
                                                    .field = "persons[1].id_number",
                                                    .envelope = cl_bytes_text("envelope")});
    for (size_t len = 0; len < details.len; len++) {
        struct cl_refusal_read read;
        uint8_t *copy = malloc(len + 1);
        memcpy(copy + 1, details.bytes, len);
        struct cl_status status = cl_refusal_read(&read, cl_bytes(copy + 1, len));
        assert_true(status.reason == CL_OK || status.reason == CL_WIRE_MALFORMED || status.reason == CL_FIELD_MISSING);
        free(copy);
    }
    for (size_t bit = 0; bit < details.len * 8; bit++) {
        struct cl_refusal_read read;
        uint8_t *copy = malloc(details.len);
        memcpy(copy, details.bytes, details.len);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        struct cl_status status = cl_refusal_read(&read, cl_bytes(copy, details.len));
        assert_true(cl_failed(status) || cl_failed(read.status));
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_reads_back),
        cmocka_unit_test(everything_reads_back),
        cmocka_unit_test(protobuf_reads_the_standard_messages),
        cmocka_unit_test(an_envelope_that_does_not_fit_is_left_out),
        cmocka_unit_test(a_field_that_is_too_long_is_left_out),
        cmocka_unit_test(a_retry_is_at_most_a_day),
        cmocka_unit_test(details_are_read_with_care),
        cmocka_unit_test(damaged_details_do_no_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
