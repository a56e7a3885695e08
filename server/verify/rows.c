#include "server/verify/rows.h"

#include <coloan/v1/envelope.pb-c.h>
#include <inttypes.h>
#include <stdarg.h>

#include "libcoloan/dsse.h"
#include "libcoloan/wirescan.h"

enum {
    PROGRESS_EVERY_MS = 2000,
    LOOK_AT_CLOCK_EVERY = 64, /* rows */
};

/* A damaged row may hold any text. */
static void make_plain(char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < ' ' || *text > '~' || *text == '"' || *text == '\\') {
            *text = '?';
        }
    }
}

void verify_fault(struct verify *verify, const char *format, ...)
{
    struct verify_report *report = verify->report;
    if (report->fault_count < VERIFY_FAULTS_MAX) {
        va_list arguments;
        va_start(arguments, format);
        (void)vsnprintf(report->faults[report->fault_count], VERIFY_FAULT_BYTES_MAX, format, arguments);
        va_end(arguments);
        make_plain(report->faults[report->fault_count]);
    }
    report->fault_count++;
}

static void tick(struct verify *verify, const char *what)
{
    if (verify->rows++ % LOOK_AT_CLOCK_EVERY != 0) {
        return;
    }
    int64_t now_ms = cl_clock_monotonic_ms(verify->options->clock);
    if (now_ms - verify->told_ms >= PROGRESS_EVERY_MS) {
        verify->told_ms = now_ms;
        (void)fprintf(verify->options->progress, "coloand: verifying %s, %" PRIu64 " rows so far\n", what,
                      verify->rows);
    }
}

struct verify_short verify_short(const struct cl_digest *digest)
{
    struct verify_short out;
    cl_hex_encode(out.text, cl_bytes(digest->bytes, sizeof out.text / 2));
    return out;
}

struct cl_status verify_each(struct verify *verify, const char *text, const char *what, verify_row *check)
{
    struct sql_statement *statement = NULL;
    bool row = true;
    struct cl_status status = sql_prepare(&statement, verify->options->sql, text);
    while (cl_is_ok(status) && cl_is_ok(status = sql_step(&row, statement)) && row) {
        cl_arena_reset(verify->arena);
        status = check(verify, statement);
        tick(verify, what);
    }
    if (statement != NULL) {
        sql_finish(statement);
    }
    return status;
}

const Coloan__V1__SignedHeader *verify_header(struct cl_digest *digest_out, struct verify *verify,
                                              struct cl_bytes envelope)
{
    Coloan__V1__Envelope *frame = NULL;
    ProtobufCMessage *payload = NULL;
    if (cl_failed(cl_dsse_read(&frame, verify->arena, envelope))) {
        return NULL;
    }
    struct cl_bytes bytes = cl_bytes(frame->payload.data, frame->payload.len);
    cl_dsse_digest(digest_out, frame->payload_type, bytes);
    if (cl_failed(cl_unpack(&payload, verify->arena, &coloan__v1__signed_payload__descriptor, bytes))) {
        return NULL;
    }
    return ((const Coloan__V1__SignedPayload *)payload)->header;
}
