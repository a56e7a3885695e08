/* The method table against the compiled contract: nothing forgotten, nothing made up, the same shapes; and who may call
 * what, as a matrix that has to be changed by hand together with the table. The matrix over real TLS is in
 * tests/e2e/test_callers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "libcoloan/dsse.h"
#include "server/api/contract.h"
#include "server/api/methods.h"
#include "server/api/protoset.h"

static struct contract contract;

/* -- Methods of the contract ----------------------------------------------------------------------------------- */

struct rpc {
    char path[128], input[64], output[64];
    bool client_streams, server_streams;
};

/* Fields of descriptors have tags of one byte and lengths of one or two. */
static bool next_field(unsigned *number_out, struct cl_bytes *value_out, struct cl_bytes *rest)
{
    if (rest->len < 2) {
        return false;
    }
    *number_out = rest->data[0] >> 3;
    bool is_bytes = (rest->data[0] & 7) == 2;
    bool is_long = rest->data[1] >= 0x80;
    size_t head = is_long ? 3 : 2;
    size_t value = rest->data[1] & 0x7fu;
    value |= is_long ? (size_t)rest->data[2] << 7 : 0;
    assert_true((rest->data[0] & 7) == 0 || is_bytes);
    assert_true(!is_bytes || head + value <= rest->len);
    *value_out = cl_bytes(rest->data + (is_bytes ? head : 1), is_bytes ? value : 1);
    size_t len = head + (is_bytes ? value : 0);
    *rest = cl_bytes(rest->data + len, rest->len - len);
    return true;
}

static void copy(char *out, size_t size, struct cl_bytes text)
{
    assert_true(text.len < size);
    (void)snprintf(out, size, "%.*s", (int)text.len, (const char *)text.data);
}

static void read_rpc(struct rpc *out, const char *service, struct cl_bytes method)
{
    unsigned number = 0;
    struct cl_bytes value;
    char name[64];
    *out = (struct rpc){.path = ""};
    while (next_field(&number, &value, &method)) {
        if (number == 1) {
            copy(name, sizeof name, value);
            (void)snprintf(out->path, sizeof out->path, "/coloan.v1.%.40s/%.60s", service, name);
        } else if (number == 2) {
            copy(out->input, sizeof out->input, value);
        } else if (number == 3) {
            copy(out->output, sizeof out->output, value);
        }
        out->client_streams = out->client_streams || (number == 5 && value.data[0] == 1);
        out->server_streams = out->server_streams || (number == 6 && value.data[0] == 1);
    }
}

/* All RPCs of services.proto; returns how many. */
static size_t read_rpcs(struct rpc *out, size_t max)
{
    const struct contract_file *file = contract_file(&contract, "coloan/v1/services.proto");
    struct cl_bytes rest = file->bytes;
    struct cl_bytes value;
    unsigned number = 0;
    size_t count = 0;
    while (next_field(&number, &value, &rest)) {
        if (number != 6) {
            continue;
        }
        char service[64] = "";
        struct cl_bytes method;
        while (next_field(&number, &method, &value)) {
            if (number == 1) {
                copy(service, sizeof service, method);
            } else if (number == 2) {
                assert_true(count < max);
                read_rpc(&out[count++], service, method);
            }
        }
    }
    return count;
}

static void test_each_rpc_has_its_row(void **state)
{
    (void)state;
    struct rpc rpcs[64];
    size_t count = read_rpcs(rpcs, 64);
    assert_int_equal(count, API_METHOD_COUNT);
    for (size_t i = 0; i < count; i++) {
        const struct api_method *method = api_method_find(rpcs[i].path);
        if (method == NULL) {
            fail_msg("no row for %s", rpcs[i].path);
        }
        assert_string_equal(rpcs[i].input, ".coloan.v1.Envelope");
        assert_string_equal(rpcs[i].output, ".coloan.v1.Envelope");
        assert_int_equal(rpcs[i].client_streams, method->way == API_STREAM || method->way == API_UPLOAD);
        assert_int_equal(rpcs[i].server_streams, method->way == API_STREAM);
        for (size_t j = 0; j < i; j++) {
            assert_ptr_not_equal(api_method_find(rpcs[j].path), method);
        }
    }
}

/* Evidence kept for years is verified and decoded by the name of its type: every body has to be known by it. */
static void assert_known(const ProtobufCMessageDescriptor *type)
{
    char name[CL_PAYLOAD_TYPE_BYTES_MAX];
    cl_payload_type(name, type);
    if (cl_payload_type_find(name) != type) {
        fail_msg("libcoloan/dsse.c does not know %s", name);
    }
}

static void test_every_body_is_known_by_its_type(void **state)
{
    (void)state;
    for (size_t i = 0; i < API_METHOD_COUNT; i++) {
        const struct api_method *method = api_method_at(i);
        for (size_t j = 0; j < method->body_count; j++) {
            assert_known(method->bodies[j].type);
        }
        if (method->reply != NULL) {
            assert_known(method->reply);
        }
    }
}

static void test_rows_are_whole(void **state)
{
    (void)state;
    assert_null(api_method_at(API_METHOD_COUNT));
    assert_null(api_method_find("coloan.v1.Directory/GetKeys"));
    assert_null(api_method_find("/coloan.v1.Directory/GetKeys/"));
    assert_null(api_method_find(""));
    for (size_t i = 0; i < API_METHOD_COUNT; i++) {
        const struct api_method *method = api_method_at(i);
        assert_true(strlen(api_method_name(method)) <= CL_METHOD_BYTES_MAX);
        assert_true(method->body_count >= 1 && method->body_count <= API_BODIES_MAX);
        assert_int_equal(method->reply == NULL, method->way == API_STREAM);
        assert_int_equal(method->handler == NULL, method->way == API_DIRECT || method->way == API_UPLOAD);
        assert_false(method->creates && method->needs_application);
        assert_int_not_equal(method->callers, 0);
        for (size_t j = 0; j < method->body_count; j++) {
            assert_non_null(method->bodies[j].type);
        }
    }
}

/* -- Who may call ---------------------------------------------------------------------------------------------- */

/* Covers: COL-CHK-005 */
static void test_nobody_else_may_call(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        bool fund, bank, channel, officer;
    } rows[API_METHOD_COUNT] = {
        {"/coloan.v1.JointApproval/SubmitApplication", false, true, true, false},
        {"/coloan.v1.JointApproval/GetApplication", false, true, true, true},
        {"/coloan.v1.JointApproval/ListApplications", false, true, true, true},
        {"/coloan.v1.JointApproval/ReportVerifications", false, true, false, false},
        {"/coloan.v1.JointApproval/QueryVerifications", false, true, false, false},
        {"/coloan.v1.JointApproval/ReportBankDecision", false, true, false, false},
        {"/coloan.v1.JointApproval/SupplementApplication", false, true, true, false},
        {"/coloan.v1.JointApproval/ChangeBank", true, false, true, false},
        {"/coloan.v1.JointApproval/WithdrawApplication", false, true, true, false},
        {"/coloan.v1.JointApproval/ConfirmOffer", false, true, true, false},
        {"/coloan.v1.JointApproval/ChooseRules", false, true, true, false},
        {"/coloan.v1.JointApproval/WithdrawConsent", false, true, true, false},
        {"/coloan.v1.JointApproval/ReportMilestone", false, true, false, false},
        {"/coloan.v1.JointApproval/UploadDocument", false, true, true, false},
        {"/coloan.v1.JointApproval/Deliver", false, true, false, false},
        {"/coloan.v1.JointApproval/AcknowledgeEvent", false, true, false, false},
        {"/coloan.v1.JointApproval/ListEvents", false, true, false, true},
        {"/coloan.v1.JointApproval/GetEvent", false, true, false, true},
        {"/coloan.v1.JointApproval/SteerEvents", false, true, false, true},
        {"/coloan.v1.JointApproval/Reconcile", false, true, false, false},
        {"/coloan.v1.Review/ListTasks", false, false, false, true},
        {"/coloan.v1.Review/GetTask", false, false, false, true},
        {"/coloan.v1.Review/ClaimTask", false, false, false, true},
        {"/coloan.v1.Review/ReleaseTask", false, false, false, true},
        {"/coloan.v1.Review/SettleItem", false, false, false, true},
        {"/coloan.v1.Review/Override", false, false, false, true},
        {"/coloan.v1.Review/GetDecision", false, false, false, true},
        {"/coloan.v1.Review/GetCounters", false, false, false, true},
        {"/coloan.v1.Directory/GetKeys", true, true, true, true},
        {"/coloan.v1.Directory/RotateKey", true, true, true, true},
        {"/coloan.v1.Directory/GetCapabilities", true, true, true, true},
    };
    for (size_t i = 0; i < API_METHOD_COUNT; i++) {
        const struct api_method *method = api_method_find(rows[i].path);
        assert_non_null(method);
        assert_int_equal(api_method_allows(method, CL_PARTY_FUND), rows[i].fund);
        assert_int_equal(api_method_allows(method, CL_PARTY_BANK), rows[i].bank);
        assert_int_equal(api_method_allows(method, CL_PARTY_CHANNEL), rows[i].channel);
        assert_int_equal(api_method_allows(method, CL_PARTY_OFFICER), rows[i].officer);
        assert_false(api_method_allows(method, CL_PARTY_AUTHORITY));
        assert_false(api_method_allows(method, CL_PARTY_NONE));
    }
}

int main(void)
{
    if (cl_failed(contract_read(&contract, cl_bytes(api_protoset, api_protoset_len)))) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_rpc_has_its_row),
        cmocka_unit_test(test_rows_are_whole),
        cmocka_unit_test(test_every_body_is_known_by_its_type),
        cmocka_unit_test(test_nobody_else_may_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
