/* A configuration as it should be, spoilt in every way: each message names file, line, field and mend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "server/config.h"
#include "server/domain/catalogue.h"
#include "server/source/mapping.h"
#include "server/watch.h"
#include "tests/support/spoil.h"

/* RFC 8032's first test key: public, and a point of the main subgroup. */
#define KEY "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"

static const char good[] = "party: fund:cn-nj-prov\n"
                           "environment: test\n"
                           "listen: 127.0.0.1:0\n"
                           "signing_key: centre.key\n"
                           "directory: directory.bin\n"
                           "directory_key: " KEY "\n"
                           "tls: {certificate: server.pem, key: server.key, ca: ca.pem, crl: crl.pem}\n"
                           "store:\n"
                           "  database: coloan.db\n"
                           "  master_key: master.key\n"
                           "rules: [a.yaml, b.yaml]\n"
                           "authorities:\n"
                           "  - name: sandbox\n"
                           "    base_url: http://127.0.0.1:1\n"
                           "    items: [IDENTITY, MARRIAGE, CHILDREN, CONTRIBUTION, LOAN_HISTORY, FRAUD_LIST]\n"
                           "  - name: homes\n"
                           "    base_url: http://127.0.0.1:2\n"
                           "    items: [HOME_COUNT, HOME_CONTRACT, GREEN_BUILDING, CREDIT_FUND]\n"
                           "items_unused: [FACE, ID_DOCUMENT, MARRIAGE_PAIR, CONTRIBUTION_OFFSITE, COURT_LIST,\n"
                           "  MORTGAGES, PROJECT, COMPLETION_FILING, SUPERVISION_ACCOUNT, PROPERTY_RIGHT, APPRAISAL,\n"
                           "  DOWN_PAYMENT, EMPLOYER, ACCOUNT, REGISTRATION]\n";

static char folder[64], file_path[96];

static struct cl_status load(struct cl_setting_error *error)
{
    struct config config;
    error->text[0] = '\0';
    struct cl_status status = config_load(&config, file_path, error);
    if (cl_is_ok(status)) {
        config_free(&config);
    }
    return status;
}

static void test_a_good_file_reads_with_defaults(void **state)
{
    (void)state;
    struct spoil none = {"", "party:", "party:", {NULL}};
    (void)spoil_write(file_path, good, &none);
    struct config config;
    struct cl_setting_error error;
    assert_true(cl_is_ok(config_load(&config, file_path, &error)));
    assert_string_equal(config.party, "fund:cn-nj-prov");
    assert_int_equal(config.rule_count, 2);
    assert_int_equal(config.authority_count, 2);
    assert_int_equal(config.stop_grace_ms, 5000);
    assert_int_equal(config.registry.opens_ms, (8 * 60 + 30) * 60000);
    assert_int_equal(config.registry.closes_ms, (17 * 60 + 30) * 60000);
    assert_int_equal(config.registry.first_ms, 30000);
    assert_int_equal(config.registry.every_ms, 300000);
    assert_null(config.metrics);
    assert_false(config.accept_synthetic_ids);
    assert_non_null(strstr(config.database, folder)); /* paths are beside the file */
    config_free(&config);
}

static void test_a_token_is_read_from_a_file_of_its_own(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        mode_t mode;
        const char *token; /* NULL: refused */
    } rows[] = {
        {"a line", "s3cret-token\n", 0600, "s3cret-token"},
        {"read-only, without a line end", "abc", 0400, "abc"},
        {"open to others", "s3cret-token\n", 0644, NULL},
        {"empty", "", 0600, NULL},
        {"a blank within", "two words\n", 0600, NULL},
        {"a header smuggled in", "x\tAuthorization:", 0600, NULL},
        {"not there", NULL, 0600, NULL},
    };
    struct spoil with = {"", "    items: [HOME", "    token_file: token\n    items: [HOME", {NULL}};
    (void)spoil_write(file_path, good, &with);
    char path[96];
    (void)snprintf(path, sizeof path, "%s/token", folder);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)unlink(path);
        if (rows[i].text != NULL) {
            FILE *file = fopen(path, "we");
            assert_non_null(file);
            assert_true(fputs(rows[i].text, file) >= 0);
            assert_int_equal(fclose(file), 0);
            assert_int_equal(chmod(path, rows[i].mode), 0);
        }
        struct config config;
        struct cl_setting_error error;
        struct cl_status status = config_load(&config, file_path, &error);
        if (cl_is_ok(status) != (rows[i].token != NULL)) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
        if (cl_failed(status)) {
            assert_non_null(strstr(error.text, "token_file"));
            continue;
        }
        assert_null(config.authorities[0].bearer_token);
        assert_string_equal(config.authorities[1].bearer_token, rows[i].token);
        config_free(&config);
    }
}

static void test_an_authority_is_configured(void **state)
{
    (void)state;
    struct spoil with = {
        "",
        "    items: [HOME",
        "    hours: 22:00-06:00\n    days: 1-5\n    hours_wait: 12h\n    retry: 250ms\n    cache: true\n"
        "    client_certificate: client.pem\n    client_key: client.key\n"
        "    mapping: [{item: HOME_COUNT, path: /fw/ts}]\n    items: [HOME",
        {NULL}};
    (void)spoil_write(file_path, good, &with);
    char path[96];
    (void)snprintf(path, sizeof path, "%s/client.key", folder);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0640), 0);
    struct config config;
    struct cl_setting_error error;
    assert_int_equal(config_load(&config, file_path, &error).reason, CL_CONFIG_INVALID);
    assert_non_null(strstr(error.text, "client_key"));
    assert_int_equal(chmod(path, 0600), 0);
    assert_true(cl_is_ok(config_load(&config, file_path, &error)));
    const struct source_authority_options *homes = &config.authorities[1];
    assert_int_equal(homes->hours.opens_minute, 22 * 60);
    assert_int_equal(homes->hours.closes_minute, 6 * 60);
    assert_int_equal(homes->hours.days, 31);
    assert_int_equal(homes->closed_wait_ms, 12 * 3600 * 1000);
    assert_int_equal(homes->retry_ms, 250);
    assert_int_equal(config.authorities[0].retry_ms, 100);
    assert_true(homes->cache);
    assert_non_null(strstr(homes->client_certificate, "/client.pem"));
    assert_int_equal(homes->mapping_count, 1);
    assert_int_equal(homes->mappings[0].item, SOURCE_HOME_COUNT);
    assert_string_equal(homes->mappings[0].mapping.path, "/fw/ts");
    assert_false(config.authorities[0].cache);
    assert_int_equal(config.authorities[0].hours.days, 0);
    assert_true((config.items_unused & ITEM_BIT(ITEM_FACE)) != 0);
    assert_true((config.items_unused & ITEM_BIT(ITEM_IDENTITY)) == 0);
    config_free(&config);
    assert_int_equal(unlink(path), 0);
}

static void test_a_database_may_be_a_cluster(void **state)
{
    (void)state;
    static const char *const addresses[] = {
        "postgresql://coloan@/coloan?host=/run/postgresql",
        "postgresql://coloan@db1,db2:5433/coloan?sslmode=verify-full&passfile=/etc/coloan/pgpass",
        "postgres://coloan@localhost/coloan",
    };
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        char line[160];
        (void)snprintf(line, sizeof line, "database: %s", addresses[i]);
        struct spoil with = {"", "database: coloan.db", line, {NULL}};
        (void)spoil_write(file_path, good, &with);
        struct config config;
        struct cl_setting_error error;
        assert_true(cl_is_ok(config_load(&config, file_path, &error)));
        assert_string_equal(config.database, addresses[i]);
        config_free(&config);
    }
}

static void test_each_mistake_is_named(void **state)
{
    (void)state;
    static const struct spoil rows[] = {
        {"a bank's party", "party: fund:cn-nj-prov", "party: bank:cn-nj-prov", {"party", "fund:"}},
        {"no party", "party: fund:cn-nj-prov", "# none", {"party"}},
        {"an environment of its own", "environment: test", "environment: tset", {"environment", "prod, test"}},
        {"synthetic people in prod",
         "environment: test",
         "environment: prod\naccept_synthetic_ids: true",
         {"accept_synthetic_ids", "prod"}},
        {"unsigned rules in prod", "environment: test", "environment: prod", {"rules_signed", "prod"}},
        {"an unknown field", "listen: 127.0.0.1:0", "listen: 127.0.0.1:0\nlissten: 1", {"lissten"}},
        {"an unknown level", "listen: 127.0.0.1:0", "listen: 127.0.0.1:0\nlog_level: loud", {"log_level", "warning"}},
        {"a short key", "directory_key: d7", "directory_key: ", {"directory_key"}},
        {"a weak key",
         "directory_key: " KEY,
         "directory_key: \"0100000000000000000000000000000000000000000000000000000000000000\"",
         {"directory_key", "64 hex digits"}},
        {"no certificate", "certificate: server.pem, ", "", {"certificate"}},
        {"a database with a password",
         "database: coloan.db",
         "database: postgresql://coloan:secret@/coloan?host=/run",
         {"database", "passfile"}},
        {"a database over a network without TLS",
         "database: coloan.db",
         "database: postgresql://coloan@db1,db2/coloan",
         {"database", "verify-full"}},
        {"a database over a network with half of TLS",
         "database: coloan.db",
         "database: postgres://coloan@10.0.0.1/coloan?sslmode=require",
         {"database", "verify-full"}},
        {"a cluster without a database",
         "database: coloan.db",
         "database: postgresql://coloan@/?host=/run",
         {"names no"}},
        {"no address at all",
         "database: coloan.db",
         "database: postgresql://coloan@/coloan?colour=blue",
         {"database", "no connection URI"}},
        {"an archive of a cluster",
         "database: coloan.db",
         "database: postgresql://coloan@/coloan?host=/run\n  archive: log",
         {"archive", "archives its own log"}},
        {"no rules", "rules: [a.yaml, b.yaml]", "rules: []", {"rules"}},
        {"an item nobody answers", "IDENTITY, MARRIAGE", "IDENTITY", {"MARRIAGE", "name an authority"}},
        {"an item that is none", "IDENTITY, MARRIAGE", "IDENTITY, MARRIAGE, INCOME", {"INCOME", "no item"}},
        {"an item twice", "HOME_COUNT, HOME", "HOME_COUNT, IDENTITY, HOME", {"another authority serves"}},
        {"an item left out and not", "[FACE, ID", "[ID", {"nobody answers FACE", "items_unused"}},
        {"an item that cannot be left out", "[FACE, ID", "[FACE, CREDIT_FUND, ID", {"CREDIT_FUND", "do without"}},
        {"an item that is none left out", "[FACE, ID", "[FACE, HOROSCOPE, ID", {"HOROSCOPE"}},
        {"hours of another form", "    items: [HOME", "    hours: 7:30-22:00\n    items: [HOME", {"hours"}},
        {"hours that never are",
         "    items: [HOME",
         "    hours: 07:30-07:30\n    items: [HOME",
         {"hours", "07:30-22:00"}},
        {"days without hours", "    items: [HOME", "    days: 1-5\n    items: [HOME", {"days", "goes with hours"}},
        {"a certificate without a key",
         "    items: [HOME",
         "    client_certificate: a.pem\n    items: [HOME",
         {"client_key", "together"}},
        {"a key that is not there",
         "    items: [HOME",
         "    client_certificate: a.pem\n    client_key: b.key\n    items: [HOME",
         {"client_key", "0600"}},
        {"a mapping of another's item",
         "    items: [HOME",
         "    mapping: [{item: MARRIAGE}]\n    items: [HOME",
         {"does not answer"}},
        {"a mapping twice",
         "    items: [HOME",
         "    mapping: [{item: HOME_COUNT}, {item: HOME_COUNT}]\n    items: [HOME",
         {"twice"}},
        {"a mapping of no sense",
         "    items: [HOME",
         "    mapping: [{item: HOME_COUNT, response: {fields: {rooms: {at: x}}}}]\n    items: [HOME",
         {"rooms", "no field"}},
        {"too many threads", "listen: 127.0.0.1:0", "listen: 127.0.0.1:0\npoll_threads: 17", {"poll_threads", "16"}},
        {"a register open over night",
         "listen: 127.0.0.1:0",
         "listen: 127.0.0.1:0\nregistry: {hours: \"22:00-06:00\"}",
         {"registry.hours", "of one day"}},
        {"a register asked all the time",
         "listen: 127.0.0.1:0",
         "listen: 127.0.0.1:0\nregistry: {every: 1ms}",
         {"registry.every", "1s"}},
        {"a time without a unit", "listen: 127.0.0.1:0", "listen: 127.0.0.1:0\nstop_grace: 5", {"stop_grace"}},
        {"a log longer than it can be",
         "master_key: master.key\n",
         "master_key: master.key\n  log_restart_pages: 16385\n",
         {"store.log_restart_pages", "16384"}},
        {"a log that is never taken over",
         "master_key: master.key\n",
         "master_key: master.key\n  log_round_pages: 0\n",
         {"store.log_round_pages", "1"}},
        {"a master key is missing", "  master_key: master.key\n", "", {"master_key"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_setting_error error;
        (void)spoil_write(file_path, good, &rows[i]);
        struct cl_status status = load(&error);
        spoil_check(&rows[i], status, error.text, file_path, 0);
    }
}

static void test_addresses_of_metrics(void **state)
{
    (void)state;
    static const struct {
        const char *text, *host;
        uint16_t port;
    } rows[] = {
        {"127.0.0.1:9464", "127.0.0.1", 9464},
        {"[::1]:1", "::1", 1},
        {"localhost:0", "localhost", 0},
        {"127.0.0.1", NULL, 0},
        {":9464", NULL, 0},
        {"127.0.0.1:", NULL, 0},
        {"127.0.0.1:65536", NULL, 0},
        {"127.0.0.1:1x", NULL, 0},
        {"[::1:1", NULL, 0},
        {"[]:1", NULL, 0},
        {"", NULL, 0},
        {"127.0.0.1:-1", NULL, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char host[16] = "";
        uint16_t port = 0;
        struct cl_status status = watch_address(host, sizeof host, &port, rows[i].text);
        if (cl_is_ok(status) != (rows[i].host != NULL)) {
            fail_msg("%s: %s", rows[i].text, cl_status_name(status));
        }
        if (rows[i].host != NULL) {
            assert_string_equal(host, rows[i].host);
            assert_int_equal(port, rows[i].port);
        }
    }
}

int main(void)
{
    spoil_folder(folder, sizeof folder);
    (void)snprintf(file_path, sizeof file_path, "%s/coloand.yaml", folder);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_file_reads_with_defaults),
        cmocka_unit_test(test_a_token_is_read_from_a_file_of_its_own),
        cmocka_unit_test(test_an_authority_is_configured),
        cmocka_unit_test(test_a_database_may_be_a_cluster),
        cmocka_unit_test(test_each_mistake_is_named),
        cmocka_unit_test(test_addresses_of_metrics),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)remove(file_path);
    (void)remove(folder);
    return failed;
}
