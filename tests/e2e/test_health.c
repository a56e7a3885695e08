/* What tools and operators see of a running centre, over real TLS and HTTP: health asked and watched, reflection
 * compared with the compiled contract, and the metrics of what was done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <coloan/v1/decision.pb-c.h>
#include <grpc/health/v1/health.pb-c.h>
#include <grpc/reflection/v1alpha/reflection.pb-c.h>

#include "libcoloan/dsse.h"
#include "libcoloan/refusal.h"
#include "libcoloan/wirescan.h"
#include "server/api/contract.h"
#include "server/api/health.h"
#include "tests/e2e/world.h"

enum { ARENA_BYTES = 4 * 1024 * 1024, WAIT_MS = 10000, SILENCE_MS = 300 };

#define CHECK   "/grpc.health.v1.Health/Check"
#define WATCH   "/grpc.health.v1.Health/Watch"
#define REFLECT "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"

#define STATUS(name) GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##name

static struct world world;
static struct cl_arena *arena;
static struct cl_rpc_client *alpha;

/* -- Health -------------------------------------------------------------------------------------------------- */

static struct cl_bytes health_request(const char *service)
{
    Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
    request.service = cl_arena_text(arena, service);
    struct cl_bytes bytes;
    assert_true(cl_is_ok(cl_pack(&bytes, arena, &request.base)));
    return bytes;
}

static int health_status(const struct cl_rpc_buffer *message)
{
    ProtobufCMessage *response = NULL;
    struct cl_status status = cl_unpack(&response, arena, &grpc__health__v1__health_check_response__descriptor,
                                        cl_bytes(message->data, message->len));
    assert_string_equal(cl_status_name(status), "OK");
    return (int)((Grpc__Health__V1__HealthCheckResponse *)response)->status;
}

static const char *reason_of(const struct cl_rpc_result *result)
{
    struct cl_refusal_read refusal;
    assert_true(result->details.len > 0);
    assert_true(cl_is_ok(cl_refusal_read(&refusal, cl_bytes(result->details.data, result->details.len))));
    return cl_status_name(refusal.status);
}

static void test_check_knows_its_services(void **state)
{
    (void)state;
    static const struct {
        const char *service, *reason;
    } rows[] = {
        {"", "OK"},
        {"coloan.v1.JointApproval", "OK"},
        {"coloan.v1.Directory", "OK"},
        {"grpc.health.v1.Health", "OK"},
        {"grpc.reflection.v1alpha.ServerReflection", "OK"},
        {"coloan.v1.JointApprova", "SERVICE_UNKNOWN"},
        {"coloan.v1.JointApproval.", "SERVICE_UNKNOWN"},
        {"coloan.v1", "SERVICE_UNKNOWN"},
        {"coloan.v1.Directory\x01", "TEXT_CONTROL"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cl_arena_reset(arena);
        struct cl_rpc_result result;
        struct cl_status status = cl_rpc_client_call(alpha, CHECK, health_request(rows[i].service), WAIT_MS, &result);
        assert_string_equal(cl_status_name(status), "OK");
        if (strcmp(rows[i].reason, "OK") == 0) {
            assert_int_equal(result.code, CL_GRPC_OK);
            assert_int_equal(health_status(&result.message), STATUS(SERVING));
        } else {
            assert_string_equal(reason_of(&result), rows[i].reason);
        }
        cl_rpc_result_free(&result);
    }
}

static struct cl_rpc_stream *watch(struct cl_rpc_client *client, const char *service)
{
    struct cl_rpc_stream *stream = NULL;
    assert_true(cl_is_ok(cl_rpc_stream_open(&stream, client, WATCH, CL_RPC_NO_TIMEOUT)));
    assert_true(cl_is_ok(cl_rpc_stream_send(stream, health_request(service))));
    assert_true(cl_is_ok(cl_rpc_stream_half_close(stream)));
    return stream;
}

static int next_status(struct cl_rpc_stream *stream)
{
    struct cl_rpc_buffer message;
    assert_int_equal(cl_rpc_stream_receive(stream, WAIT_MS, &message), CL_RPC_MESSAGE);
    int status = health_status(&message);
    free(message.data);
    return status;
}

static void assert_silent(struct cl_rpc_stream *stream)
{
    struct cl_rpc_buffer message;
    assert_int_equal(cl_rpc_stream_receive(stream, SILENCE_MS, &message), CL_RPC_TIMEOUT);
}

static void assert_ended(struct cl_rpc_stream *stream, const char *reason)
{
    struct cl_rpc_buffer message;
    struct cl_rpc_result result;
    assert_int_equal(cl_rpc_stream_receive(stream, WAIT_MS, &message), CL_RPC_OVER);
    assert_string_equal(cl_status_name(cl_rpc_stream_outcome(stream, &result)), "OK");
    assert_string_equal(reason_of(&result), reason);
    cl_rpc_result_free(&result);
    cl_rpc_stream_close(stream);
}

static void test_watch_of_an_unknown_service_stays_open(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    struct cl_rpc_stream *stream = watch(alpha, "coloan.v1.Nothing");
    assert_int_equal(next_status(stream), STATUS(SERVICE_UNKNOWN));
    assert_silent(stream);
    cl_rpc_stream_close(stream);
}

/* Connections have 64 streams each, so the watchers come over two. */
static void test_one_watcher_too_many_is_refused(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    struct cl_rpc_client *clients[] = {world_raw_client(&world, "alpha"), world_raw_client(&world, "beta")};
    struct cl_rpc_stream *streams[HEALTH_WATCHERS_MAX];
    for (size_t i = 0; i < HEALTH_WATCHERS_MAX; i++) {
        streams[i] = watch(clients[i % 2], "");
        assert_int_equal(next_status(streams[i]), STATUS(SERVING));
    }
    assert_ended(watch(clients[0], ""), "OVERLOADED");
    cl_rpc_stream_close(streams[0]);
    struct cl_rpc_stream *late = NULL; /* a place is free once the server saw the end of the first */
    for (int tries = 0; late == NULL && tries < 100; tries++) {
        struct cl_rpc_buffer message;
        late = watch(clients[0], "");
        if (cl_rpc_stream_receive(late, WAIT_MS, &message) != CL_RPC_MESSAGE) {
            cl_rpc_stream_close(late);
            late = NULL;
            continue;
        }
        free(message.data);
    }
    assert_non_null(late);
    cl_rpc_stream_close(late);
    for (size_t i = 1; i < HEALTH_WATCHERS_MAX; i++) {
        cl_rpc_stream_close(streams[i]);
    }
    cl_rpc_client_free(clients[0]);
    cl_rpc_client_free(clients[1]);
}

/* Restarts the server: a watcher is told and let go at once, so that it does not hold the stop up for its grace. */
static void test_watchers_see_the_server_stop(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    struct cl_rpc_stream *whole = watch(alpha, "");
    struct cl_rpc_stream *one = watch(alpha, "coloan.v1.Directory");
    assert_int_equal(next_status(whole), STATUS(SERVING));
    assert_int_equal(next_status(one), STATUS(SERVING));
    assert_silent(whole);
    int64_t before_ms = cl_clock_monotonic_ms(cl_clock_system());
    world_restart(&world);
    assert_true(cl_clock_monotonic_ms(cl_clock_system()) - before_ms < world.config.stop_grace_ms);
    assert_int_equal(next_status(whole), STATUS(NOT_SERVING));
    assert_ended(whole, "SHUTTING_DOWN");
    assert_int_equal(next_status(one), STATUS(NOT_SERVING));
    assert_ended(one, "SHUTTING_DOWN");
    cl_rpc_client_free(alpha);
    alpha = world_raw_client(&world, "alpha");
}

/* -- Reflection ---------------------------------------------------------------------------------------------- */

typedef Grpc__Reflection__V1alpha__ServerReflectionRequest reflection_request;
typedef Grpc__Reflection__V1alpha__ServerReflectionResponse reflection_response;

#define ASKS(what)    GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##what
#define ANSWERS(what) GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##what

static struct contract contract; /* as the build left it on disk */

static void read_contract(void)
{
    FILE *file = fopen(COLOAN_BINARY_DIR "/proto/coloan.protoset", "rbe");
    assert_non_null(file);
    static uint8_t bytes[1 << 18];
    size_t len = fread(bytes, 1, sizeof bytes, file);
    (void)fclose(file);
    assert_true(len > 0 && len < sizeof bytes);
    assert_true(cl_is_ok(contract_read(&contract, cl_bytes(bytes, len))));
}

static const reflection_response *reflect(struct cl_rpc_stream *stream, reflection_request *request)
{
    struct cl_bytes bytes;
    struct cl_rpc_buffer message;
    ProtobufCMessage *response = NULL;
    assert_true(cl_is_ok(cl_pack(&bytes, arena, &request->base)));
    assert_true(cl_is_ok(cl_rpc_stream_send(stream, bytes)));
    assert_int_equal(cl_rpc_stream_receive(stream, WAIT_MS, &message), CL_RPC_MESSAGE);
    struct cl_status status =
        cl_unpack(&response, arena, &grpc__reflection__v1alpha__server_reflection_response__descriptor,
                  cl_bytes(message.data, message.len));
    assert_string_equal(cl_status_name(status), "OK");
    free(message.data);
    const reflection_response *answer = (const reflection_response *)response;
    assert_string_equal(answer->valid_host, "localhost");
    assert_int_equal(answer->original_request->message_request_case, request->message_request_case);
    return answer;
}

static const reflection_response *ask_for(struct cl_rpc_stream *stream, int what, const char *name)
{
    reflection_request request = GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__INIT;
    request.host = cl_arena_text(arena, "localhost");
    request.message_request_case = what;
    request.list_services = cl_arena_text(arena, name); /* all of them are texts in one union */
    return reflect(stream, &request);
}

static void assert_file(const reflection_response *answer, const char *name)
{
    assert_int_equal(answer->message_response_case, ANSWERS(FILE_DESCRIPTOR_RESPONSE));
    assert_int_equal(answer->file_descriptor_response->n_file_descriptor_proto, 1);
    ProtobufCBinaryData told = answer->file_descriptor_response->file_descriptor_proto[0];
    assert_true(cl_bytes_equal(cl_bytes(told.data, told.len), contract_file(&contract, name)->bytes));
}

static void assert_error(const reflection_response *answer, enum cl_grpc_code code)
{
    assert_int_equal(answer->message_response_case, ANSWERS(ERROR_RESPONSE));
    assert_int_equal(answer->error_response->error_code, code);
    assert_true(strlen(answer->error_response->error_message) > 0);
}

static void test_reflection_is_the_compiled_contract(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    struct cl_rpc_stream *stream = NULL;
    assert_true(cl_is_ok(cl_rpc_stream_open(&stream, alpha, REFLECT, WAIT_MS)));
    const reflection_response *answer = ask_for(stream, ASKS(LIST_SERVICES), "*");
    assert_int_equal(answer->message_response_case, ANSWERS(LIST_SERVICES_RESPONSE));
    assert_int_equal(answer->list_services_response->n_service, contract.service_count);
    assert_int_equal(contract.service_count, 5);
    for (size_t i = 0; i < contract.service_count; i++) {
        assert_string_equal(answer->list_services_response->service[i]->name, contract.services[i]);
    }
    for (size_t i = 0; i < contract.file_count; i++) {
        const char *name = contract.files[i].name;
        assert_file(ask_for(stream, ASKS(FILE_BY_FILENAME), name), name);
    }
    static const struct {
        const char *symbol, *file;
    } rows[] = {
        {"coloan.v1.JointApproval", "coloan/v1/services.proto"},
        {"coloan.v1.JointApproval.Deliver", "coloan/v1/services.proto"},
        {"coloan.v1.Application", "coloan/v1/application.proto"},
        {"coloan.v1.Application.persons", "coloan/v1/application.proto"},
        {"coloan.v1.HOME_KIND_NEW", "coloan/v1/application.proto"},
        {"grpc.health.v1.HealthCheckResponse.ServingStatus", "grpc/health/v1/health.proto"},
        {"grpc.health.v1.HealthCheckResponse.SERVING", "grpc/health/v1/health.proto"},
        {"google.rpc.Status", "google/rpc/status.proto"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_file(ask_for(stream, ASKS(FILE_CONTAINING_SYMBOL), rows[i].symbol), rows[i].file);
    }
    static const char *const nothing[] = {"",
                                          "coloan.v1",
                                          "coloan.v1.",
                                          "coloan.v1.Applicatio",
                                          "coloan.v1.Application.",
                                          "coloan.v1.HomeKind.HOME_KIND_NEW",
                                          "Application",
                                          "coloan.v1.Application.x"};
    for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++) {
        assert_error(ask_for(stream, ASKS(FILE_CONTAINING_SYMBOL), nothing[i]), CL_GRPC_NOT_FOUND);
        assert_error(ask_for(stream, ASKS(FILE_BY_FILENAME), nothing[i]), CL_GRPC_NOT_FOUND);
    }
    assert_error(ask_for(stream, ASKS(ALL_EXTENSION_NUMBERS_OF_TYPE), "coloan.v1.Application"), CL_GRPC_UNIMPLEMENTED);
    reflection_request empty = GRPC__REFLECTION__V1ALPHA__SERVER_REFLECTION_REQUEST__INIT;
    empty.host = cl_arena_text(arena, "localhost");
    assert_error(reflect(stream, &empty), CL_GRPC_INVALID_ARGUMENT);
    assert_true(cl_is_ok(cl_rpc_stream_half_close(stream)));
    struct cl_rpc_buffer message;
    struct cl_rpc_result result;
    assert_int_equal(cl_rpc_stream_receive(stream, WAIT_MS, &message), CL_RPC_OVER);
    assert_true(cl_is_ok(cl_rpc_stream_outcome(stream, &result)));
    assert_int_equal(result.code, CL_GRPC_OK);
    cl_rpc_result_free(&result);
    cl_rpc_stream_close(stream);
}

static void test_a_request_that_is_none_ends_reflection(void **state)
{
    (void)state;
    static const struct {
        struct cl_bytes bytes;
        const char *reason;
    } rows[] = {
        {{(const uint8_t *)"\x0a\xff", 2}, "WIRE_MALFORMED"},
        {{(const uint8_t *)"\x3a\x01*\x3a\x01*", 6}, "WIRE_DUPLICATE"},
        {{(const uint8_t *)"\x7a\x01*", 3}, "WIRE_UNKNOWN_FIELD"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_rpc_stream *stream = NULL;
        assert_true(cl_is_ok(cl_rpc_stream_open(&stream, alpha, REFLECT, WAIT_MS)));
        assert_true(cl_is_ok(cl_rpc_stream_send(stream, rows[i].bytes)));
        assert_ended(stream, rows[i].reason);
    }
}

/* -- Metrics ------------------------------------------------------------------------------------------------- */

static long long metric(const char *name)
{
    char *text = world_http_get(&world, "/metrics");
    char line[160];
    (void)snprintf(line, sizeof line, "\n%s ", name);
    const char *found = strstr(text, line);
    if (found == NULL) {
        fail_msg("no metric %s in\n%s", name, text);
    }
    long long value = atoll(found + strlen(line));
    free(text);
    return value;
}

static struct cl_status submit(struct cl_session *session, const char *persona, const char *reference)
{
    struct world_submission submission;
    world_submission(&submission, arena, people_find(world.people, persona), WORLD_ALPHA, reference);
    struct cl_session_call what = world_submit_call(&submission);
    struct cl_answer answer;
    return cl_session_call(&answer, session, arena, &what, (struct cl_patience){.total_ms = WAIT_MS});
}

#define SUBMITTED "{method=\"coloan.v1.JointApproval/SubmitApplication\"}"
#define DUPLICATE "coloan_refusals_total{reason=\"OPEN_CASE_EXISTS\"}"

static void test_metrics_tell_methods_reasons_and_times(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    struct cl_session *session = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    assert_int_equal(metric("coloan_calls_total" SUBMITTED), 0);
    assert_int_equal(metric(DUPLICATE), 0);
    assert_string_equal(cl_status_name(submit(session, "P01", "first")), "OK");
    assert_string_equal(cl_status_name(submit(session, "P01", "second")), "OPEN_CASE_EXISTS");
    assert_int_equal(metric("coloan_calls_total" SUBMITTED), 2);
    assert_int_equal(metric("coloan_calls_total{method=\"coloan.v1.Directory/GetKeys\"}"), 0);
    assert_int_equal(metric(DUPLICATE), 1);
    assert_int_equal(metric("coloan_refusals_total{reason=\"EXPIRED\"}"), 0);
    assert_int_equal(metric("coloan_replies_total"), 1);
    assert_int_equal(metric("coloan_reply_seconds_count" SUBMITTED), 1);
    assert_int_equal(metric("coloan_decision_seconds_count"), 0);
    cl_session_free(session);
}

int main(void)
{
    struct world_options options = {0};
    world_open(&world, &options);
    bool made = cl_is_ok(cl_arena_create(&arena, ARENA_BYTES));
    alpha = world_raw_client(&world, "alpha");
    read_contract();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check_knows_its_services),
        cmocka_unit_test(test_watch_of_an_unknown_service_stays_open),
        cmocka_unit_test(test_one_watcher_too_many_is_refused),
        cmocka_unit_test(test_watchers_see_the_server_stop),
        cmocka_unit_test(test_reflection_is_the_compiled_contract),
        cmocka_unit_test(test_a_request_that_is_none_ends_reflection),
        cmocka_unit_test(test_metrics_tell_methods_reasons_and_times),
    };
    int failed = made ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    cl_rpc_client_free(alpha);
    cl_arena_free(arena);
    world_close(&world);
    return failed;
}
