/* gate with rpc behind it: who may come in, who is told to be there, and how it ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/server/gate/house.h"

static struct pki_files files;
static struct house house;

static int set_up(void **state)
{
    (void)state;
    return pki_files_create(&files);
}

static int tear_down(void **state)
{
    (void)state;
    pki_files_remove(&files);
    return 0;
}

static int open_house(void **state)
{
    (void)state;
    house_prepare(&house, &files);
    house_open(&house);
    return 0;
}

static int close_house(void **state)
{
    (void)state;
    house_close(&house);
    return 0;
}

static void assert_party(struct cl_rpc_client *client, const char *expected)
{
    char party[CL_PARTY_BYTES_MAX + 1] = "";
    struct cl_status status = house_ask(client, party);
    if (cl_failed(status)) {
        fail_msg("%s", cl_status_name(status));
    }
    assert_string_equal(party, expected);
}

static void assert_refused(struct cl_rpc_client *client, enum cl_reason reason)
{
    char party[CL_PARTY_BYTES_MAX + 1] = "";
    struct cl_status status = house_ask(client, party);
    if (status.reason != reason) {
        fail_msg("%s", cl_status_name(status));
    }
}

/* No call goes through, and the gate knows why. The first may fail without a new handshake, on the old connection. */
static void assert_kept_out(struct cl_rpc_client *client, enum gate_handshake_failure failure)
{
    for (int i = 0; i < 10 && house_counters(&house).handshake_failures[failure] == 0; i++) {
        assert_refused(client, CL_PEER_UNREACHABLE);
    }
    assert_true(house_counters(&house).handshake_failures[failure] > 0);
}

/* -- Coming in ------------------------------------------------------------------------------------------------ */

/* Covers: COL-TLS-001 */
static void a_call_shows_the_party_of_its_certificate(void **state)
{
    (void)state;
    struct cl_rpc_client *alpha = house_client(&house, "alpha");
    struct cl_rpc_client *beta = house_client(&house, "beta");
    for (int i = 0; i < 3; i++) {
        assert_party(alpha, "bank:cn-alpha-js");
        assert_party(beta, "bank:cn-beta-js");
    }
    struct gate_counters counters = house_counters(&house);
    assert_int_equal(counters.accepted, 2);
    assert_int_equal(counters.handshakes, 2);
    assert_int_equal(counters.connections_now, 2);
    assert_int_equal(counters.handshakes_now, 0);
    assert_true(counters.bytes_in > 0);
    assert_true(counters.bytes_out > 0);
    cl_rpc_client_free(alpha);
    cl_rpc_client_free(beta);
}

static void large_messages_pass_whole(void **state)
{
    (void)state;
    static uint8_t bytes[200 * 1024];
    struct cl_rpc_client *alpha = house_client(&house, "alpha");
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    }
    for (size_t len = 1; len <= sizeof bytes; len = len * 3 + 1) {
        struct cl_rpc_result result;
        struct cl_status status = cl_rpc_client_call(alpha, "/test.Echo/Unary", cl_bytes(bytes, len), 5000, &result);
        assert_true(cl_is_ok(status));
        assert_int_equal(result.message.len, len);
        assert_memory_equal(result.message.data, bytes, len);
        cl_rpc_result_free(&result);
    }
    cl_rpc_client_free(alpha);
}

enum { ALERT_NONE = -1 };

/* Covers: COL-TLS-001, COL-TLS-002, COL-TLS-003 */
static const struct handshake_row {
    const char *name, *certificate, *alpn;
    bool tls12;
    enum gate_handshake_failure failure;
    int alert; /* RFC 8446 section 6 */
} handshake_rows[] = {
    {"no certificate", NULL, "h2", false, GATE_HANDSHAKE_NO_CERTIFICATE, 116},
    {"no ALPN", "alpha", NULL, false, GATE_HANDSHAKE_ALPN, 120},
    {"another protocol", "alpha", "http/1.1", false, GATE_HANDSHAKE_ALPN, 120},
    {"h3", "alpha", "h3", false, GATE_HANDSHAKE_ALPN, 120},
    {"TLS 1.2", "alpha", "h2", true, GATE_HANDSHAKE_PROTOCOL, 70},
    {"another root", "foreign", "h2", false, GATE_HANDSHAKE_CHAIN, 48},
    {"an intermediate", "below", "h2", false, GATE_HANDSHAKE_CHAIN, 48},
    {"the root itself", "ca", "h2", false, GATE_HANDSHAKE_CHAIN, 43},
    {"revoked", "revoked", "h2", false, GATE_HANDSHAKE_REVOKED, 44},
    {"expired", "expired", "h2", false, GATE_HANDSHAKE_EXPIRED, 45},
    {"no usage", "no-eku", "h2", false, GATE_HANDSHAKE_CHAIN, 43},
    {"usage of a server", "server-eku", "h2", false, GATE_HANDSHAKE_CHAIN, 43},
    {"two URIs", "two-uris", "h2", false, GATE_HANDSHAKE_IDENTITY, 42},
    {"a name in the CN only", "no-uri", "h2", false, GATE_HANDSHAKE_IDENTITY, 42},
    {"a party that does not call", "authority", "h2", false, GATE_HANDSHAKE_IDENTITY, 42},
    {"upper case", "upper", "h2", false, GATE_HANDSHAKE_IDENTITY, 42},
    {"65 bytes", "long", "h2", false, GATE_HANDSHAKE_IDENTITY, 42},
};

/* With TLS 1.3 a client learns only after its own last word that it was refused. */
static int alert_of(const struct handshake_row *row)
{
    int alert = ALERT_NONE;
    struct tls_client *client = tls_client_open(&(struct tls_client_options){.port = gate_port(house.gate),
                                                                             .files = &files,
                                                                             .name = row->certificate,
                                                                             .alpn = row->alpn,
                                                                             .tls12 = row->tls12},
                                                &alert);
    if (client != NULL) {
        (void)h2_begin(client, false);
        assert_true(tls_client_closed_after(client, 2000) >= 0);
        alert = tls_client_alert(client);
        tls_client_close(client);
    }
    return alert;
}

static void who_may_not_come_in_is_told_why(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof handshake_rows / sizeof handshake_rows[0]; i++) {
        const struct handshake_row *row = &handshake_rows[i];
        uint64_t before = house_counters(&house).handshake_failures[row->failure];
        int alert = alert_of(row);
        if (alert != row->alert) {
            fail_msg("%s: alert %d", row->name, alert);
        }
        if (house_counters(&house).handshake_failures[row->failure] != before + 1) {
            fail_msg("%s: not counted as %s", row->name, gate_handshake_failure_name(row->failure));
        }
    }
    assert_int_equal(house_counters(&house).handshakes, 0);
    assert_int_equal(house_counters(&house).connections_now, 0);
}

static void no_ticket_is_offered(void **state)
{
    (void)state;
    uint8_t bytes[1024];
    struct tls_client *client = house_attacker(&house, "alpha");
    assert_true(h2_begin(client, true));
    assert_true(tls_client_read(client, bytes, sizeof bytes, 2000) > 0);
    (void)tls_client_read(client, bytes, sizeof bytes, 200);
    assert_int_equal(tls_client_tickets(client), 0);
    tls_client_close(client);
}

static void a_party_has_its_number_of_connections(void **state)
{
    (void)state;
    struct tls_client *clients[CL_CONNECTIONS_PER_PARTY_MAX];
    for (size_t i = 0; i < CL_CONNECTIONS_PER_PARTY_MAX; i++) {
        clients[i] = house_attacker(&house, "alpha");
        assert_true(h2_begin(clients[i], true));
        uint8_t bytes[64];
        assert_true(tls_client_read(clients[i], bytes, sizeof bytes, 2000) > 0); /* core's SETTINGS: it is in */
    }
    struct tls_client *fifth = house_attacker(&house, "alpha");
    assert_in_range(tls_client_closed_after(fifth, 2000), 0, 2000);
    assert_true(tls_client_goodbye(fifth));
    assert_int_equal(house_counters(&house).handshake_failures[GATE_HANDSHAKE_PARTY_FULL], 1);
    tls_client_close(fifth);
    struct cl_rpc_client *beta = house_client(&house, "beta");
    assert_party(beta, "bank:cn-beta-js");
    cl_rpc_client_free(beta);

    tls_client_close(clients[0]); /* makes room */
    for (int i = 0; i < 100 && house_counters(&house).connections_now > CL_CONNECTIONS_PER_PARTY_MAX - 1; i++) {
        (void)usleep(10000);
    }
    struct cl_rpc_client *alpha = house_client(&house, "alpha");
    assert_party(alpha, "bank:cn-alpha-js");
    cl_rpc_client_free(alpha);
    for (size_t i = 1; i < CL_CONNECTIONS_PER_PARTY_MAX; i++) {
        tls_client_close(clients[i]);
    }
}

static void wait_cut(enum gate_cut cut, uint64_t count)
{
    int64_t began_ms = cl_monotonic_us() / 1000;
    while (house_counters(&house).cuts[cut] < count) {
        assert_true(cl_monotonic_us() / 1000 - began_ms < 1000);
        (void)usleep(5000);
    }
}

/* -- Intermediates -------------------------------------------------------------------------------------------- */

/* A house whose operator named one intermediate; all others are there to try. */
static int open_house_with_intermediate(void **state)
{
    (void)state;
    static char path[128];
    house_prepare(&house, &files);
    pki_files_copy(&files, "crl-both.pem", "live-crl.pem");
    pki_files_copy(&files, "named.pem", "live-named.pem");
    (void)snprintf(path, sizeof path, "%s", pki_files_path(&files, "live-named.pem"));
    house.options.files.intermediates_path = path;
    house_open(&house);
    return 0;
}

/* Covers: COL-TLS-008 */
static void a_named_intermediate_lets_its_parties_in(void **state)
{
    (void)state;
    static const struct handshake_row rows[] = {
        {"another intermediate of the root", "stray", "h2", false, GATE_HANDSHAKE_CHAIN, 0},
        {"two intermediates", "deep", "h2", false, GATE_HANDSHAKE_CHAIN, 0},
        {"an intermediate without a path length", "below", "h2", false, GATE_HANDSHAKE_CHAIN, 0},
        {"revoked by the intermediate", "middle-revoked", "h2", false, GATE_HANDSHAKE_REVOKED, 0},
        {"the intermediate itself", "named", "h2", false, GATE_HANDSHAKE_CHAIN, 0},
        {"another root", "foreign", "h2", false, GATE_HANDSHAKE_CHAIN, 0},
        {"revoked by the root", "revoked", "h2", false, GATE_HANDSHAKE_REVOKED, 0},
    };
    struct cl_rpc_client *direct = house_client(&house, "alpha");
    struct cl_rpc_client *alone = house_client(&house, "middle");
    struct cl_rpc_client *whole = house_client(&house, "middle-beta"); /* sends the intermediate along */
    assert_party(direct, "bank:cn-alpha-js");
    assert_party(alone, "bank:cn-alpha-js");
    assert_party(whole, "bank:cn-beta-js");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t before = house_counters(&house).handshake_failures[rows[i].failure];
        (void)alert_of(&rows[i]);
        if (house_counters(&house).handshake_failures[rows[i].failure] != before + 1) {
            fail_msg("%s: not counted as %s", rows[i].name, gate_handshake_failure_name(rows[i].failure));
        }
    }
    assert_party(alone, "bank:cn-alpha-js");
    cl_rpc_client_free(direct);
    cl_rpc_client_free(alone);
    cl_rpc_client_free(whole);
}

/* The root signed both; which one counts the operator says, and may change. */
/* Covers: COL-TLS-008 */
static void only_the_named_one_counts(void **state)
{
    (void)state;
    struct gate_fault fault = {.text = ""};
    struct cl_rpc_client *alone = house_client(&house, "middle");
    assert_party(alone, "bank:cn-alpha-js");
    pki_files_copy(&files, "unnamed.pem", "live-named.pem");
    assert_int_equal(gate_reload(house.gate, &fault).reason, CL_CONFIG_INVALID); /* its list is missing */
    assert_string_equal(fault.text, "a revocation list is not of a root of ours");
    assert_party(alone, "bank:cn-alpha-js");
    char *root_list = pki_files_text(&files, "crl.pem");
    char *its_list = pki_files_text(&files, "unnamed-crl.pem");
    char *lists = NULL;
    assert_true(asprintf(&lists, "%s%s", root_list, its_list) > 0);
    house_write(&house, "live-crl.pem", lists);
    assert_int_equal(gate_reload(house.gate, &fault).reason, CL_OK);
    assert_refused(alone, CL_CERTIFICATE_REVOKED);
    struct cl_rpc_client *stray = house_client(&house, "stray");
    assert_party(stray, "bank:cn-alpha-js");
    cl_rpc_client_free(stray);
    cl_rpc_client_free(alone);
    free(root_list);
    free(its_list);
    free(lists);
}

/* Covers: COL-TLS-008 */
static void a_revoked_intermediate_takes_its_parties_along(void **state)
{
    (void)state;
    struct gate_fault fault = {.text = ""};
    struct cl_rpc_client *direct = house_client(&house, "beta");
    struct cl_rpc_client *alone = house_client(&house, "middle");
    assert_party(direct, "bank:cn-beta-js");
    assert_party(alone, "bank:cn-alpha-js");
    pki_files_copy(&files, "crl-both-no-named.pem", "live-crl.pem");
    assert_int_equal(gate_reload(house.gate, &fault).reason, CL_OK);
    assert_refused(alone, CL_CERTIFICATE_REVOKED);
    wait_cut(GATE_CUT_REVOKED, 1);
    assert_kept_out(alone, GATE_HANDSHAKE_REVOKED);
    assert_party(direct, "bank:cn-beta-js");
    cl_rpc_client_free(direct);
    cl_rpc_client_free(alone);
}

/* -- Being thrown out ----------------------------------------------------------------------------------------- */

static void reload(void)
{
    struct gate_fault fault = {.text = ""};
    struct cl_status status = gate_reload(house.gate, &fault);
    if (cl_failed(status)) {
        fail_msg("%s", fault.text);
    }
}

/* Covers: COL-TLS-004 */
static void a_revoked_certificate_is_refused_at_once_and_cut(void **state)
{
    (void)state;
    struct cl_rpc_client *alpha = house_client(&house, "alpha");
    struct cl_rpc_client *beta = house_client(&house, "beta");
    assert_party(alpha, "bank:cn-alpha-js");
    assert_party(beta, "bank:cn-beta-js");
    pki_files_copy(&files, "crl-alpha.pem", "live-crl.pem");
    reload();
    assert_refused(alpha, CL_CERTIFICATE_REVOKED);
    wait_cut(GATE_CUT_REVOKED, 1);
    assert_kept_out(alpha, GATE_HANDSHAKE_REVOKED); /* it tries to connect again and may not */
    assert_party(beta, "bank:cn-beta-js");
    assert_int_equal(house_counters(&house).cuts[GATE_CUT_REVOKED], 1);
    cl_rpc_client_free(alpha);
    cl_rpc_client_free(beta);
}

static void a_denied_fingerprint_is_refused_at_once_and_cut(void **state)
{
    (void)state;
    struct cl_rpc_client *alpha = house_client(&house, "alpha");
    assert_party(alpha, "bank:cn-alpha-js");
    pki_files_copy(&files, "alpha.print", "live-deny");
    reload();
    assert_refused(alpha, CL_CERTIFICATE_REVOKED);
    wait_cut(GATE_CUT_REVOKED, 1);
    assert_kept_out(alpha, GATE_HANDSHAKE_REVOKED);
    cl_rpc_client_free(alpha);
}

static void a_root_that_is_taken_away_takes_its_parties_along(void **state)
{
    (void)state;
    pki_files_copy(&files, "both-ca.pem", "live-ca.pem");
    pki_files_copy(&files, "both-crl.pem", "live-crl.pem");
    reload();
    struct cl_rpc_client *foreign = house_client(&house, "foreign");
    struct cl_rpc_client *beta = house_client(&house, "beta");
    assert_party(foreign, "bank:cn-alpha-js");
    assert_party(beta, "bank:cn-beta-js");
    pki_files_copy(&files, "ca.pem", "live-ca.pem");
    pki_files_copy(&files, "crl.pem", "live-crl.pem");
    reload();
    assert_refused(foreign, CL_CERTIFICATE_REVOKED);
    wait_cut(GATE_CUT_REVOKED, 1);
    assert_party(beta, "bank:cn-beta-js");
    cl_rpc_client_free(foreign);
    cl_rpc_client_free(beta);
}

static void a_stream_of_a_revoked_certificate_ends(void **state)
{
    (void)state;
    struct cl_rpc_client *alpha = house_client(&house, "alpha");
    struct cl_rpc_stream *stream = NULL;
    struct cl_rpc_buffer message;
    assert_true(cl_is_ok(cl_rpc_stream_open(&stream, alpha, "/test.Echo/Chat", CL_RPC_NO_TIMEOUT)));
    assert_true(cl_is_ok(cl_rpc_stream_send(stream, cl_bytes_text("hello"))));
    assert_int_equal(cl_rpc_stream_receive(stream, 5000, &message), CL_RPC_MESSAGE);
    free(message.data);
    pki_files_copy(&files, "crl-alpha.pem", "live-crl.pem");
    reload();
    assert_int_equal(cl_rpc_stream_receive(stream, 1500, &message), CL_RPC_OVER);
    assert_true(echo_wait(&echo_ended, 1));
    assert_int_equal(atomic_load(&echo_cancelled), 1);
    cl_rpc_stream_close(stream);
    cl_rpc_client_free(alpha);
}

/* Covers: COL-TLS-004 */
static void an_expired_certificate_is_refused_on_an_open_connection(void **state)
{
    (void)state;
    const int64_t day_ms = 24 * 3600 * 1000;
    struct cl_rpc_client *alpha = house_client(&house, "alpha");
    assert_party(alpha, "bank:cn-alpha-js");
    atomic_store(&house.ahead_ms, day_ms);
    assert_party(alpha, "bank:cn-alpha-js");
    atomic_store(&house.ahead_ms, (PKI_FILES_DAYS + 1) * day_ms);
    assert_refused(alpha, CL_CERTIFICATE_EXPIRED);
    atomic_store(&house.ahead_ms, 0);
    assert_party(alpha, "bank:cn-alpha-js");
    cl_rpc_client_free(alpha);
}

static void when_the_list_runs_out_nobody_comes_in(void **state)
{
    (void)state;
    atomic_store(&house.ahead_ms, (PKI_FILES_DAYS + 1) * 24LL * 3600 * 1000);
    struct cl_rpc_client *alpha = house_client(&house, "alpha");
    assert_kept_out(alpha, GATE_HANDSHAKE_CRL);
    assert_int_equal(house_counters(&house).handshakes, 0);
    cl_rpc_client_free(alpha);
}

static void a_disconnected_party_may_come_back(void **state)
{
    (void)state;
    struct cl_rpc_client *alpha = house_client(&house, "alpha");
    struct cl_rpc_client *beta = house_client(&house, "beta");
    assert_party(alpha, "bank:cn-alpha-js");
    assert_party(beta, "bank:cn-beta-js");
    assert_int_equal(gate_disconnect_party(house.gate, "bank:cn-alpha"), 0);
    assert_int_equal(gate_disconnect_party(house.gate, "bank:cn-alpha-js"), 1);
    wait_cut(GATE_CUT_DISCONNECTED, 1);
    assert_int_equal(gate_disconnect_party(house.gate, "bank:cn-alpha-js"), 0);
    assert_party(beta, "bank:cn-beta-js");
    char party[CL_PARTY_BYTES_MAX + 1] = "";
    struct cl_status status = house_ask(alpha, party); /* may still meet the old connection's end */
    for (int i = 0; i < 20 && cl_failed(status); i++) {
        (void)usleep(100000);
        status = house_ask(alpha, party);
    }
    assert_string_equal(party, "bank:cn-alpha-js");
    cl_rpc_client_free(alpha);
    cl_rpc_client_free(beta);
}

static void only_our_own_file_numbers_have_a_party(void **state)
{
    (void)state;
    static const char *const peers[] = {"",       "fd:",        "fd:0",      "fd:99999999999999999999",
                                        "fd:-1",  "fd:10001x",  "fd: 10001", "ipv4:127.0.0.1:80",
                                        "unix:/", "fd:1048576", "fd:19999",  "FD:10000"};
    struct cl_rpc_client *alpha = house_client(&house, "alpha");
    assert_party(alpha, "bank:cn-alpha-js");
    for (size_t i = 0; i < sizeof peers / sizeof peers[0]; i++) {
        struct gate_peer peer;
        if (gate_peer(house.gate, peers[i], &peer).reason != CL_PEER_UNKNOWN) {
            fail_msg("%s", peers[i]);
        }
    }
    cl_rpc_client_free(alpha);
}

/* -- Files ---------------------------------------------------------------------------------------------------- */

static const struct file_row {
    const char *name;
    enum gate_file file;
    const char *from; /* what stands in its place; NULL: nothing */
    const char *text; /* of the fault */
} file_rows[] = {
    {"no certificate", GATE_FILE_CERTIFICATE, NULL, "the file cannot be opened"},
    {"certificate is a key", GATE_FILE_CERTIFICATE, "server.key", "not a certificate in PEM"},
    {"expired certificate", GATE_FILE_CERTIFICATE, "expired.pem", "the certificate is not valid now"},
    {"no key", GATE_FILE_KEY, NULL, "the file cannot be opened"},
    {"another's key", GATE_FILE_KEY, "alpha.key", "the key is not the certificate's"},
    {"key is a certificate", GATE_FILE_KEY, "server.pem", "not a plain key in PEM"},
    {"no roots", GATE_FILE_CA, NULL, "the file cannot be opened"},
    {"empty roots", GATE_FILE_CA, "empty", "not certificates in PEM"},
    {"intermediate among the roots", GATE_FILE_CA, "bundle.pem", "a certificate is not a self-signed root"},
    {"leaf as root", GATE_FILE_CA, "alpha.pem", "a certificate is not that of a CA"},
    {"root without a list", GATE_FILE_CA, "both-ca.pem", "the revocation list of a root is missing"},
    {"no list", GATE_FILE_CRL, NULL, "the file cannot be opened"},
    {"empty list", GATE_FILE_CRL, "empty", "the revocation list of a root is missing"},
    {"list of another root", GATE_FILE_CRL, "foreign-crl.pem", "a revocation list is not of a root of ours"},
    {"list of another root too", GATE_FILE_CRL, "both-crl.pem", "a revocation list is not of a root of ours"},
    {"expired list", GATE_FILE_CRL, "crl-expired.pem", "a revocation list has expired or is not valid yet"},
    {"list is a certificate", GATE_FILE_CRL, "ca.pem", "the revocation list of a root is missing"},
    {"no deny list", GATE_FILE_DENY, NULL, "the file cannot be opened"},
    {"deny list is a certificate", GATE_FILE_DENY, "ca.pem", "a line is not 64 hex digits"},
    {"no intermediates", GATE_FILE_INTERMEDIATES, NULL, "the file cannot be opened"},
    {"empty intermediates", GATE_FILE_INTERMEDIATES, "empty", "not certificates in PEM"},
    {"root as intermediate", GATE_FILE_INTERMEDIATES, "ca.pem", "a certificate is not that of an intermediate CA"},
    {"leaf as intermediate", GATE_FILE_INTERMEDIATES, "alpha.pem", "a certificate is not that of an intermediate CA"},
    {"intermediate that may have CAs below it", GATE_FILE_INTERMEDIATES, "intermediate.pem",
     "an intermediate needs pathlen:0 and keyUsage keyCertSign, cRLSign"},
    {"intermediate that signs no lists", GATE_FILE_INTERMEDIATES, "no-lists.pem",
     "an intermediate needs pathlen:0 and keyUsage keyCertSign, cRLSign"},
    {"intermediate of another root", GATE_FILE_INTERMEDIATES, "of-another.pem",
     "an intermediate is not signed by a root of ours"},
    {"intermediate below another", GATE_FILE_INTERMEDIATES, "deeper.pem",
     "an intermediate is not signed by a root of ours"},
    {"intermediate without a list", GATE_FILE_INTERMEDIATES, "named.pem",
     "the revocation list of an intermediate is missing"},
};

static const char **path_of(struct gate_files *of, enum gate_file file)
{
    const char **paths[] = {NULL,          &of->certificate_path, &of->key_path,          &of->ca_path,
                            &of->crl_path, &of->deny_path,        &of->intermediates_path};
    return paths[file];
}

static void wrong_files_keep_it_shut(void **state)
{
    (void)state;
    house_write(&house, "empty", "");
    for (size_t i = 0; i < sizeof file_rows / sizeof file_rows[0]; i++) {
        const struct file_row *row = &file_rows[i];
        struct gate_options options = house.options;
        struct gate_fault fault = {.text = ""};
        struct gate *gate = NULL;
        *path_of(&options.files, row->file) =
            row->from == NULL ? "/nonexistent/file" : pki_files_path(&files, row->from);
        struct cl_status status = gate_create(&gate, &options, &fault);
        if (status.reason != CL_CONFIG_INVALID || strcmp(fault.text, row->text) != 0) {
            fail_msg("%s: %s, %s", row->name, cl_status_name(status), fault.text);
        }
        enum gate_file expected = strstr(row->text, "revocation list") != NULL ? GATE_FILE_CRL : row->file;
        assert_int_equal(fault.file, expected);
        assert_string_equal(gate_file_path(&options.files, fault.file), *path_of(&options.files, expected));
        assert_null(gate);
    }
}

static void a_reload_with_wrong_files_changes_nothing(void **state)
{
    (void)state;
    struct cl_rpc_client *alpha = house_client(&house, "alpha");
    assert_party(alpha, "bank:cn-alpha-js");
    static const struct {
        const char *from, *to;
        enum gate_file file;
    } wrongs[] = {{"crl-expired.pem", "live-crl.pem", GATE_FILE_CRL},
                  {"bundle.pem", "live-ca.pem", GATE_FILE_CA},
                  {"ca.pem", "live-deny", GATE_FILE_DENY}};
    for (size_t i = 0; i < 3; i++) {
        struct gate_fault fault = {.text = ""};
        pki_files_copy(&files, wrongs[i].from, wrongs[i].to);
        assert_int_equal(gate_reload(house.gate, &fault).reason, CL_CONFIG_INVALID);
        assert_int_equal(fault.file, wrongs[i].file);
        assert_party(alpha, "bank:cn-alpha-js");
        pki_files_copy(&files, "crl.pem", "live-crl.pem");
        pki_files_copy(&files, "ca.pem", "live-ca.pem");
        house_write(&house, "live-deny", "");
    }
    struct cl_rpc_client *beta = house_client(&house, "beta"); /* new ones come in as before */
    assert_party(beta, "bank:cn-beta-js");
    cl_rpc_client_free(alpha);
    cl_rpc_client_free(beta);
}

static void options_that_cannot_work_are_refused(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "",      "127.0.0.1", "localhost:0", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:1x",
        "::1:0", "[::1:0"};
    struct gate_fault fault;
    struct gate *gate = NULL;
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct gate_options options = house.options;
        options.address = addresses[i];
        if (gate_create(&gate, &options, &fault).reason != CL_CONFIG_INVALID) {
            fail_msg("%s", addresses[i]);
        }
    }
    struct gate_options options = house.options;
    char taken[32];
    (void)snprintf(taken, sizeof taken, "127.0.0.1:%u", gate_port(house.gate));
    options.address = taken;
    assert_int_equal(gate_create(&gate, &options, &fault).reason, CL_SYSTEM);
    options = house.options;
    options.limits.connections_per_party_max = 0;
    assert_int_equal(gate_create(&gate, &options, &fault).reason, CL_CONFIG_INVALID);
    assert_int_equal(fault.file, GATE_FILE_NONE);
    options = house.options;
    options.limits.connections_max = 7;
    assert_int_equal(gate_create(&gate, &options, &fault).reason, CL_CONFIG_INVALID);
    assert_null(gate);
}

/* -- Stopping under load -------------------------------------------------------------------------------------- */

static atomic_bool finish;
static atomic_int answered;

static void *call_often(void *argument)
{
    struct cl_rpc_client *client = argument;
    char party[CL_PARTY_BYTES_MAX + 1];
    while (!atomic_load(&finish)) {
        if (cl_is_ok(house_ask(client, party))) {
            (void)atomic_fetch_add(&answered, 1);
        }
    }
    return NULL;
}

static void restart_once(void)
{
    static const char *const names[] = {"alpha", "beta", "alpha"};
    struct cl_rpc_client *clients[3];
    pthread_t threads[3];
    house_prepare(&house, &files);
    house_open(&house);
    atomic_store(&finish, false);
    atomic_store(&answered, 0);
    for (size_t i = 0; i < 3; i++) {
        clients[i] = house_client(&house, names[i]);
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, clients[i]), 0);
    }
    assert_true(echo_wait(&answered, 20));
    int64_t began_ms = cl_monotonic_us() / 1000;
    gate_stop_accepting(house.gate, 1000);
    cl_rpc_server_stop(house.server, 500);
    gate_stop(house.gate, 3000);
    assert_true(cl_monotonic_us() / 1000 - began_ms < 5000);
    assert_int_equal(house_counters(&house).cuts[GATE_CUT_STOPPED], 0); /* core ended each, and each was told */
    assert_int_equal(house_counters(&house).connections_now, 0);
    atomic_store(&finish, true);
    for (size_t i = 0; i < 3; i++) {
        (void)pthread_join(threads[i], NULL);
        cl_rpc_client_free(clients[i]);
    }
    house_close(&house);
}

static void restarts_under_load_leave_nothing_behind(void **state)
{
    (void)state;
    int files_before = 0;
    for (int i = 0; i < 8; i++) {
        restart_once();
        files_before = i == 1 ? house_count_files() : files_before;
    }
    for (int i = 0; i < 200 && house_count_files() > files_before; i++) {
        (void)usleep(10000); /* core closes its clients' sockets a little later */
    }
    assert_true(house_count_files() <= files_before);
}

#define WITH_HOUSE(test) cmocka_unit_test_setup_teardown(test, open_house, close_house)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOUSE(a_call_shows_the_party_of_its_certificate),
        WITH_HOUSE(large_messages_pass_whole),
        WITH_HOUSE(who_may_not_come_in_is_told_why),
        WITH_HOUSE(no_ticket_is_offered),
        WITH_HOUSE(a_party_has_its_number_of_connections),
        WITH_HOUSE(a_revoked_certificate_is_refused_at_once_and_cut),
        WITH_HOUSE(a_denied_fingerprint_is_refused_at_once_and_cut),
        WITH_HOUSE(a_root_that_is_taken_away_takes_its_parties_along),
        WITH_HOUSE(a_stream_of_a_revoked_certificate_ends),
        WITH_HOUSE(an_expired_certificate_is_refused_on_an_open_connection),
        WITH_HOUSE(when_the_list_runs_out_nobody_comes_in),
        WITH_HOUSE(a_disconnected_party_may_come_back),
        WITH_HOUSE(only_our_own_file_numbers_have_a_party),
        WITH_HOUSE(wrong_files_keep_it_shut),
        WITH_HOUSE(a_reload_with_wrong_files_changes_nothing),
        WITH_HOUSE(options_that_cannot_work_are_refused),
        cmocka_unit_test_setup_teardown(a_named_intermediate_lets_its_parties_in, open_house_with_intermediate,
                                        close_house),
        cmocka_unit_test_setup_teardown(only_the_named_one_counts, open_house_with_intermediate, close_house),
        cmocka_unit_test_setup_teardown(a_revoked_intermediate_takes_its_parties_along, open_house_with_intermediate,
                                        close_house),
        cmocka_unit_test(restarts_under_load_leave_nothing_behind),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
