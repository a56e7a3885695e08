/* Personal values leave only for whom a SHARE consent in force names: random sets of consents against a model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/cases/cases.h"
#include "server/cases/events.h"
#include "tests/support/signing.h"
#include "tests/support/store_fixture.h"

enum { ROUNDS = 300, CONSENTS_MAX = 8, ARENA_BYTES = 8 * 1024 * 1024, VALUES = 7 };

static struct signing signing;
static struct cl_arena *arena;
static struct store_fixture *fixture;
static struct vault *vault;
static struct sql *sql;
static struct centre centre;
static struct cases cases;
static uint64_t dice = 88172645463325252u; /* xorshift64: the same rounds in every run */

static unsigned roll(unsigned sides)
{
    dice ^= dice << 13;
    dice ^= dice >> 7;
    dice ^= dice << 17;
    return (unsigned)(dice % sides);
}

static const char *const paths[VALUES] = {"persons[0].name", "persons[0].id_number", "persons[0].mobile",
                                          "persons[1].name", "persons[1].id_number", "persons[1].mobile",
                                          "home.address"};

static unsigned owner(size_t path)
{
    return path >= 3 && path < 6 ? 1 : 0;
}

static int set_up(void **state)
{
    (void)state;
    char key_path[128];
    fixture = store_fixture_create();
    (void)snprintf(key_path, sizeof key_path, "%s.key", store_fixture_path(fixture));
    assert_true(cl_is_ok(vault_key_generate(key_path)));
    assert_true(cl_is_ok(vault_open(&vault, key_path)));
    centre = (struct centre){.party = SIGNING_CENTRE,
                             .environment = SIGNING_ENVIRONMENT,
                             .signer = signing.signers[SIGNING_CENTRE_SIGN],
                             .clock = cl_clock_system(),
                             .random = cl_random_system()};
    cases = (struct cases){.centre = &centre, .vault = vault};
    struct store_tx *tx = store_fixture_begin(fixture);
    fixture_add_application(tx, 1);
    struct vault_value values[VALUES];
    for (size_t i = 0; i < VALUES; i++) {
        values[i] = (struct vault_value){.path = paths[i], .value = cl_bytes_text(paths[i])};
    }
    assert_true(cl_is_ok(vault_put(tx, vault, fixture_application_id(1), values, VALUES)));
    assert_true(cl_is_ok(store_fixture_end(fixture, cl_ok())));
    assert_true(cl_is_ok(store_reader_open(&sql, store_fixture_store(fixture))));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    sql_close(sql);
    vault_close(vault);
    store_fixture_free(fixture);
    return 0;
}

/* -- Events -------------------------------------------------------------------------------------------------- */

/* An event as the outbox keeps it: the centre's, around a submission with these consents. */
static struct cl_bytes event_with(Coloan__V1__EventKind kind, Coloan__V1__Consent **consents, size_t count)
{
    struct signing_application made;
    signing_application(&made, arena);
    made.application.consents = consents;
    made.application.n_consents = count;
    struct cl_message message = signing_message();
    message.body = &made.application.base;
    struct cl_sealed sealed;
    assert_true(cl_is_ok(cl_envelope_seal(&sealed, arena, signing.signers[SIGNING_ALPHA_ACTIVE], &message)));
    Coloan__V1__Event event = COLOAN__V1__EVENT__INIT;
    event.kind = kind;
    event.application_id = cl_arena_text(arena, fixture_application_id(1));
    event.application_envelope = signing_data(arena, sealed.envelope);
    struct centre_speech speech = {.direction = COLOAN__V1__DIRECTION__DIRECTION_EVENT,
                                   .recipient = SIGNING_ALPHA,
                                   .method = EVENT_METHOD,
                                   .application_id = event.application_id,
                                   .sequence = 1,
                                   .body = &event.base,
                                   .now_ms = SIGNING_NOW_MS};
    struct centre_sealed told;
    assert_true(cl_is_ok(centre_seal(&told, arena, &centre, &speech)));
    return told.envelope;
}

static struct case_disclosures disclosed(const char *recipient, struct cl_bytes event, int64_t now_ms)
{
    struct case_disclosures out;
    struct cl_status status = case_event_disclosures(&out, arena, sql, &cases, recipient, event, now_ms);
    assert_string_equal(cl_status_name(status), "OK");
    return out;
}

static bool told(const struct case_disclosures *disclosures, const char *path)
{
    bool found = false;
    for (size_t i = 0; i < disclosures->count; i++) {
        const Coloan__V1__Disclosure *disclosure = disclosures->list[i];
        if (strcmp(disclosure->path, path) == 0) {
            assert_false(found); /* once */
            assert_true(cl_bytes_equal(cl_bytes(disclosure->value.data, disclosure->value.len), cl_bytes_text(path)));
            found = true;
        }
    }
    return found;
}

static Coloan__V1__Consent *consent(unsigned person, Coloan__V1__ConsentPurpose purpose, const char *receiver,
                                    int64_t until_ms)
{
    Coloan__V1__Consent *made = cl_arena_alloc(arena, sizeof *made);
    assert_non_null(made);
    coloan__v1__consent__init(made);
    made->consent_id = cl_arena_text(arena, "c");
    made->person = person;
    made->purpose = purpose;
    made->receiver = cl_arena_text(arena, receiver);
    made->until_ms = until_ms;
    return made;
}

/* -- Tests --------------------------------------------------------------------------------------------------- */

static void test_disclosed_is_what_was_consented_to(void **state)
{
    (void)state;
    static const char *const receivers[] = {SIGNING_ALPHA, SIGNING_BETA, SIGNING_CENTRE, "bank:cn-alpha-j"};
    unsigned told_count = 0;
    unsigned kept_count = 0;
    for (int round = 0; round < ROUNDS; round++) {
        cl_arena_reset(arena);
        Coloan__V1__Consent *consents[CONSENTS_MAX];
        size_t count = roll(CONSENTS_MAX + 1);
        for (size_t i = 0; i < count; i++) {
            consents[i] = consent(roll(3), (Coloan__V1__ConsentPurpose)(1 + roll(3)), receivers[roll(3)],
                                  SIGNING_NOW_MS - 1 + (int64_t)roll(4));
        }
        const char *recipient = receivers[roll(2)];
        struct cl_bytes event = event_with(COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION, consents, count);
        struct case_disclosures got = disclosed(recipient, event, SIGNING_NOW_MS);
        size_t expected_count = 0;
        for (size_t path = 0; path < VALUES; path++) {
            bool expected = false;
            for (size_t i = 0; i < count; i++) {
                expected =
                    expected || (consents[i]->person == owner(path) && strcmp(consents[i]->receiver, recipient) == 0 &&
                                 consents[i]->purpose == COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_SHARE &&
                                 consents[i]->until_ms > SIGNING_NOW_MS);
            }
            assert_int_equal(told(&got, paths[path]), expected);
            expected_count += expected ? 1 : 0;
        }
        assert_int_equal(got.count, expected_count);
        told_count += got.count > 0 ? 1 : 0;
        kept_count += got.count < VALUES ? 1 : 0;
    }
    assert_true(told_count > ROUNDS / 20 && kept_count > ROUNDS / 20); /* the rounds were of both kinds */
}

static void test_only_the_application_carries_values(void **state)
{
    (void)state;
    static const Coloan__V1__EventKind kinds[] = {COLOAN__V1__EVENT_KIND__EVENT_KIND_STATUS,
                                                  COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION,
                                                  COLOAN__V1__EVENT_KIND__EVENT_KIND_JOINT_DECISION};
    cl_arena_reset(arena);
    Coloan__V1__Consent *consents[] = {
        consent(0, COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_SHARE, SIGNING_ALPHA, SIGNING_NOW_MS + 1)};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        assert_int_equal(disclosed(SIGNING_ALPHA, event_with(kinds[i], consents, 1), SIGNING_NOW_MS).count, 0);
    }
    struct cl_bytes event = event_with(COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION, consents, 1);
    assert_int_equal(disclosed(SIGNING_ALPHA, event, SIGNING_NOW_MS).count, 4); /* three and the borrower's address */
    assert_int_equal(disclosed(SIGNING_ALPHA, event, SIGNING_NOW_MS + 1).count, 0);
    assert_int_equal(disclosed(SIGNING_BETA, event, SIGNING_NOW_MS).count, 0);
}

static void test_what_was_erased_is_not_told(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    Coloan__V1__Consent *consents[] = {
        consent(0, COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_SHARE, SIGNING_ALPHA, SIGNING_NOW_MS + 1)};
    struct cl_bytes event = event_with(COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION, consents, 1);
    struct store_tx *tx = store_fixture_begin(fixture);
    assert_true(cl_is_ok(vault_erase(tx, fixture_application_id(1))));
    assert_true(cl_is_ok(store_fixture_end(fixture, cl_ok())));
    assert_int_equal(disclosed(SIGNING_ALPHA, event, SIGNING_NOW_MS).count, 0);
}

int main(void)
{
    signing_init(&signing);
    if (cl_failed(cl_arena_create(&arena, ARENA_BYTES))) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_disclosed_is_what_was_consented_to, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_the_application_carries_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_erased_is_not_told, set_up, tear_down),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cl_arena_free(arena);
    signing_close(&signing);
    return failed;
}
