#include "libcoloan/refusal.h"

#include <assert.h>
#include <google/rpc/status.pb-c.h>
#include <stdbool.h>
#include <string.h>

#include "libcoloan/limits.h"

#define TYPE_ERROR_INFO  "type.googleapis.com/google.rpc.ErrorInfo"
#define TYPE_RETRY_INFO  "type.googleapis.com/google.rpc.RetryInfo"
#define TYPE_BAD_REQUEST "type.googleapis.com/google.rpc.BadRequest"
#define TYPE_LOCALIZED   "type.googleapis.com/google.rpc.LocalizedMessage"
#define TYPE_ENVELOPE    "type.googleapis.com/coloan.v1.Envelope"

enum {
    ANYS_MAX = 5,           /* the types above */
    ANY_BYTES_MAX = 512,    /* of each that we build; texts are a sentence */
    RETRY_S_MAX = 24 * 3600 /* more is not advice */
};

/* -- Building ------------------------------------------------------------------------------------------------ */

struct building {
    Google__Rpc__Any anys[ANYS_MAX];
    Google__Rpc__Any *list[ANYS_MAX];
    uint8_t bytes[ANYS_MAX][ANY_BYTES_MAX];
    size_t count;
};

static Google__Rpc__Any *add(struct building *building, const char *type_url)
{
    assert(building->count < ANYS_MAX);
    Google__Rpc__Any *any = &building->anys[building->count];
    google__rpc__any__init(any);
    any->type_url = cl_unconst(type_url);
    building->list[building->count++] = any;
    return any;
}

static void add_message(struct building *building, const char *type_url, const ProtobufCMessage *message)
{
    uint8_t *bytes = building->bytes[building->count];
    Google__Rpc__Any *any = add(building, type_url);
    size_t len = protobuf_c_message_get_packed_size(message);
    assert(len <= ANY_BYTES_MAX);
    any->value = (ProtobufCBinaryData){.len = protobuf_c_message_pack(message, bytes), .data = bytes};
}

static void add_error_info(struct building *building, const struct cl_reason_info *reason)
{
    Google__Rpc__ErrorInfo info = GOOGLE__RPC__ERROR_INFO__INIT;
    info.reason = cl_unconst(reason->name);
    info.domain = cl_unconst(CL_REFUSAL_DOMAIN);
    add_message(building, TYPE_ERROR_INFO, &info.base);
}

static void add_localized(struct building *building, const struct cl_reason_info *reason)
{
    Google__Rpc__LocalizedMessage localized = GOOGLE__RPC__LOCALIZED_MESSAGE__INIT;
    localized.locale = cl_unconst("zh-CN");
    localized.message = cl_unconst(reason->text_zh);
    add_message(building, TYPE_LOCALIZED, &localized.base);
}

static void add_retry(struct building *building, const struct cl_reason_info *reason, int64_t retry_after_ms)
{
    if (reason->retry != CL_RETRY_DELAY) {
        return;
    }
    int64_t ms = retry_after_ms > 0 ? retry_after_ms : CL_RETRY_MS_DEFAULT;
    ms = ms < (int64_t)RETRY_S_MAX * 1000 ? ms : (int64_t)RETRY_S_MAX * 1000;
    Google__Rpc__Duration delay = GOOGLE__RPC__DURATION__INIT;
    delay.seconds = ms / 1000;
    delay.nanos = (int32_t)(ms % 1000 * 1000000);
    Google__Rpc__RetryInfo retry = GOOGLE__RPC__RETRY_INFO__INIT;
    retry.retry_delay = &delay;
    add_message(building, TYPE_RETRY_INFO, &retry.base);
}

static void add_field(struct building *building, const struct cl_reason_info *reason, const char *field)
{
    if (field == NULL || field[0] == '\0' || strlen(field) >= CL_REFUSAL_FIELD_BYTES_MAX) {
        return;
    }
    Google__Rpc__BadRequest__FieldViolation violation = GOOGLE__RPC__BAD_REQUEST__FIELD_VIOLATION__INIT;
    violation.field = cl_unconst(field);
    violation.description = cl_unconst(reason->text_en);
    Google__Rpc__BadRequest__FieldViolation *violations[] = {&violation};
    Google__Rpc__BadRequest request = GOOGLE__RPC__BAD_REQUEST__INIT;
    request.n_field_violations = 1;
    request.field_violations = violations;
    add_message(building, TYPE_BAD_REQUEST, &request.base);
}

static void add_envelope(struct building *building, struct cl_bytes envelope)
{
    union {
        const uint8_t *in;
        uint8_t *out;
    } data = {.in = envelope.data};
    if (envelope.len > 0) {
        add(building, TYPE_ENVELOPE)->value = (ProtobufCBinaryData){.len = envelope.len, .data = data.out};
    }
}

void cl_refusal_build(struct cl_refusal_details *out, const struct cl_refusal *refusal)
{
    assert(cl_failed(refusal->status));
    const struct cl_reason_info *reason = cl_reason_info(refusal->status.reason);
    struct building building = {.count = 0};
    add_error_info(&building, reason);
    add_localized(&building, reason);
    add_retry(&building, reason, refusal->retry_after_ms);
    add_field(&building, reason, refusal->field);
    size_t without_envelope = building.count;
    add_envelope(&building, refusal->envelope);

    Google__Rpc__Status status = GOOGLE__RPC__STATUS__INIT;
    status.code = (int32_t)reason->grpc_code;
    status.message = cl_unconst(reason->text_en);
    status.n_details = building.count;
    status.details = building.list;
    if (google__rpc__status__get_packed_size(&status) > sizeof out->bytes) {
        status.n_details = without_envelope;
    }
    out->len = google__rpc__status__pack(&status, out->bytes);
}

/* -- Reading ------------------------------------------------------------------------------------------------- */

struct cursor {
    const uint8_t *at, *end;
};

struct field {
    uint64_t number;
    unsigned wire_type;
    uint64_t value;        /* of a varint */
    struct cl_bytes bytes; /* of a length-delimited field */
};

enum { VARINT = 0, FIXED64 = 1, LENGTH_DELIMITED = 2, FIXED32 = 5 };

static struct cursor cursor_of(struct cl_bytes bytes)
{
    return (struct cursor){.at = bytes.data, .end = bytes.len == 0 ? bytes.data : bytes.data + bytes.len};
}

static bool read_varint(uint64_t *out, struct cursor *cursor)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (cursor->at == cursor->end) {
            return false;
        }
        uint8_t byte = *cursor->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *out = value;
            return true;
        }
    }
    return false;
}

static bool take(struct cl_bytes *out, struct cursor *cursor, uint64_t len)
{
    if (len > (uint64_t)(cursor->end - cursor->at)) {
        return false;
    }
    *out = cl_bytes(cursor->at, (size_t)len);
    cursor->at += len;
    return true;
}

/* The next field; false when the bytes are not one. Call only before the end. */
static bool read_field(struct field *out, struct cursor *cursor)
{
    uint64_t key = 0;
    if (!read_varint(&key, cursor) || key >> 3 == 0) {
        return false;
    }
    *out = (struct field){.number = key >> 3, .wire_type = (unsigned)(key & 7)};
    switch (out->wire_type) {
    case VARINT:
        return read_varint(&out->value, cursor);
    case FIXED64:
        return take(&out->bytes, cursor, 8);
    case FIXED32:
        return take(&out->bytes, cursor, 4);
    case LENGTH_DELIMITED:
        return read_varint(&out->value, cursor) && take(&out->bytes, cursor, out->value);
    default:
        return false;
    }
}

/* The last length-delimited field `number` of a message, empty when there is none: proto3's rule for a single field. */
static bool find_bytes(struct cl_bytes *out, struct cl_bytes message, uint64_t number)
{
    struct cursor cursor = cursor_of(message);
    struct field field;
    *out = cl_bytes(NULL, 0);
    while (cursor.at != cursor.end) {
        if (!read_field(&field, &cursor)) {
            return false;
        }
        if (field.number == number && field.wire_type == LENGTH_DELIMITED) {
            *out = field.bytes;
        }
    }
    return true;
}

static bool find_varint(uint64_t *out, struct cl_bytes message, uint64_t number)
{
    struct cursor cursor = cursor_of(message);
    struct field field;
    *out = 0;
    while (cursor.at != cursor.end) {
        if (!read_field(&field, &cursor)) {
            return false;
        }
        if (field.number == number && field.wire_type == VARINT) {
            *out = field.value;
        }
    }
    return true;
}

static struct cl_status reason_named(struct cl_bytes name)
{
    for (unsigned i = 0; cl_reason_at(i) != NULL; i++) {
        if (cl_bytes_equal(name, cl_bytes_text(cl_reason_at(i)->name))) {
            return cl_fail(cl_reason_at(i)->reason);
        }
    }
    return cl_fail(CL_INTERNAL);
}

static struct cl_status read_error_info(struct cl_refusal_read *read, struct cl_bytes value)
{
    struct cl_bytes name;
    struct cl_bytes domain;
    if (!find_bytes(&name, value, 1) || !find_bytes(&domain, value, 2)) {
        return cl_fail(CL_WIRE_MALFORMED);
    }
    if (!cl_bytes_equal(domain, cl_bytes_text(CL_REFUSAL_DOMAIN))) {
        return cl_ok(); /* another's, beside ours */
    }
    if (cl_failed(read->status)) {
        return cl_fail(CL_FIELD_MISSING); /* which of two would hold? */
    }
    read->status = reason_named(name);
    return cl_ok();
}

static struct cl_status read_retry(struct cl_refusal_read *read, struct cl_bytes value)
{
    struct cl_bytes delay;
    uint64_t seconds = 0;
    uint64_t nanos = 0;
    if (!find_bytes(&delay, value, 1) || !find_varint(&seconds, delay, 1) || !find_varint(&nanos, delay, 2)) {
        return cl_fail(CL_WIRE_MALFORMED);
    }
    if (seconds > RETRY_S_MAX || nanos > 999999999) { /* a negative number is a huge one here */
        return cl_fail(CL_FIELD_INVALID);
    }
    read->retry_after_ms = (int64_t)(seconds * 1000 + nanos / 1000000);
    return cl_ok();
}

static bool is_path(struct cl_bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!word && c != '.' && c != '[' && c != ']') {
            return false;
        }
    }
    return text.len > 0 && text.len < CL_REFUSAL_FIELD_BYTES_MAX;
}

static struct cl_status read_bad_request(struct cl_refusal_read *read, struct cl_bytes value)
{
    struct cl_bytes violation;
    struct cl_bytes field;
    if (!find_bytes(&violation, value, 1) || !find_bytes(&field, violation, 1)) {
        return cl_fail(CL_WIRE_MALFORMED);
    }
    if (!is_path(field)) {
        return cl_fail(CL_FIELD_INVALID);
    }
    memcpy(read->field, field.data, field.len);
    read->field[field.len] = '\0';
    return cl_ok();
}

static struct cl_status read_envelope(struct cl_refusal_read *read, struct cl_bytes value)
{
    read->envelope = value;
    return cl_ok();
}

static struct cl_status read_any(struct cl_refusal_read *read, struct cl_bytes any)
{
    static const struct {
        const char *type_url;
        struct cl_status (*read)(struct cl_refusal_read *read, struct cl_bytes value);
    } rows[] = {
        {TYPE_ERROR_INFO, read_error_info},
        {TYPE_RETRY_INFO, read_retry},
        {TYPE_BAD_REQUEST, read_bad_request},
        {TYPE_ENVELOPE, read_envelope},
    };
    struct cl_bytes type_url;
    struct cl_bytes value;
    if (!find_bytes(&type_url, any, 1) || !find_bytes(&value, any, 2)) {
        return cl_fail(CL_WIRE_MALFORMED);
    }
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (cl_bytes_equal(type_url, cl_bytes_text(rows[i].type_url))) {
            return rows[i].read(read, value);
        }
    }
    return cl_ok(); /* advice we do not know */
}

struct cl_status cl_refusal_read(struct cl_refusal_read *out, struct cl_bytes details)
{
    struct cl_refusal_read read = {.status = cl_ok()};
    struct cursor cursor = cursor_of(details);
    struct field field;
    if (details.len > CL_REFUSAL_DETAILS_BYTES_MAX) {
        return cl_fail(CL_MESSAGE_TOO_LARGE);
    }
    while (cursor.at != cursor.end) {
        if (!read_field(&field, &cursor)) {
            return cl_fail(CL_WIRE_MALFORMED);
        }
        bool is_detail = field.number == 3 && field.wire_type == LENGTH_DELIMITED;
        struct cl_status status = is_detail ? read_any(&read, field.bytes) : cl_ok();
        if (cl_failed(status)) {
            return status;
        }
    }
    if (cl_is_ok(read.status)) {
        return cl_fail(CL_FIELD_MISSING);
    }
    *out = read;
    return cl_ok();
}
