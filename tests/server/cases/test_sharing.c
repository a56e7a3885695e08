/* Personal values leave only for the bank that lends, by SHARE consents that were in force when the event was made and
 * still are, and only those that the submission in the event commits to: random cases against a model. */
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
#include "server/store/consents.h"
#include "tests/support/signing.h"
#include "tests/support/store_fixture.h"

enum { ROUNDS = 90, CONSENTS_MAX = 8, ARENA_BYTES = 8 * 1024 * 1024, VALUES = 7, WITHDRAWAL = 0 };

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
    (void)snprintf(key_path, sizeof key_path, "%s/master.key", store_fixture_folder(fixture));
    assert_true(cl_is_ok(vault_key_generate(key_path)));
    assert_true(cl_is_ok(vault_open(&vault, key_path)));
    centre = (struct centre){.party = SIGNING_CENTRE,
                             .environment = SIGNING_ENVIRONMENT,
                             .signer = signing.signers[SIGNING_CENTRE_SIGN],
                             .clock = cl_clock_system(),
                             .random = cl_random_system()};
    cases = (struct cases){.centre = &centre, .vault = vault};
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

/* -- A case -------------------------------------------------------------------------------------------------- */

struct given {
    unsigned person;
    Coloan__V1__ConsentPurpose purpose;
    const char *receiver;
    int64_t until_ms;
    bool withdrawn;
};

/* An application, numbered as in the fixture, with consents and its event. */
struct a_case {
    unsigned number;
    struct application_row row;
    struct signing_application submission;
    struct given consents[2 * CONSENTS_MAX];
    size_t consent_count;
    struct event_written event;
};

static const char *consent_id(size_t index)
{
    static char text[24];
    (void)snprintf(text, sizeof text, "c-%zu", index);
    return text;
}

static void give(struct a_case *a_case, struct store_tx *tx, struct given given)
{
    struct consent_row row = {
        .application_id = a_case->row.id,
        .consent_id = consent_id(a_case->consent_count),
        .person = given.person,
        .purpose = (int)given.purpose,
        .receiver = given.receiver,
        .until_ms = given.until_ms,
        .given_ms = SIGNING_NOW_MS,
        .given_by = fixture_digest(a_case->number),
    };
    a_case->consents[a_case->consent_count++] = given;
    assert_true(cl_is_ok(consents_add(tx, &row)));
}

static void withdraw(struct a_case *a_case, struct store_tx *tx, size_t index)
{
    struct cl_digest by = fixture_digest(WITHDRAWAL);
    a_case->consents[index].withdrawn = true;
    assert_true(cl_is_ok(consents_withdraw(tx, a_case->row.id, consent_id(index), SIGNING_NOW_MS, &by)));
}

static void keep_values(struct a_case *a_case, struct store_tx *tx)
{
    struct vault_value values[VALUES];
    for (size_t i = 0; i < VALUES; i++) {
        const Coloan__V1__Disclosure *disclosure = a_case->submission.disclosures[i];
        values[i].path = disclosure->path;
        values[i].value = cl_bytes(disclosure->value.data, disclosure->value.len);
        memcpy(values[i].salt, disclosure->salt.data, sizeof values[i].salt);
    }
    assert_true(cl_is_ok(vault_put(tx, vault, a_case->row.id, values, VALUES)));
}

static struct a_case *begin_case(struct store_tx *tx, unsigned number)
{
    struct a_case *a_case = cl_arena_alloc(arena, sizeof *a_case);
    assert_non_null(a_case);
    if (number == 1) {
        struct message_row withdrawal = fixture_message(WITHDRAWAL);
        assert_true(cl_is_ok(messages_add(tx, &withdrawal)));
    }
    fixture_add_application(tx, number);
    a_case->number = number;
    a_case->row = fixture_application(number);
    signing_application(&a_case->submission, arena);
    keep_values(a_case, tx);
    return a_case;
}

/* The event as the outbox keeps it. */
static void write_event(struct a_case *a_case, struct store_tx *tx, Coloan__V1__EventKind kind)
{
    struct case_effect effect = {.event_count = 0};
    struct case_tx view = case_tx_of(&cases, tx, arena, &effect);
    view.now_ms = SIGNING_NOW_MS;
    struct cl_message message = signing_message();
    message.body = &a_case->submission.application.base;
    struct cl_sealed sealed;
    assert_true(cl_is_ok(cl_envelope_seal(&sealed, arena, signing.signers[SIGNING_ALPHA_ACTIVE], &message)));
    Coloan__V1__Event event = COLOAN__V1__EVENT__INIT;
    event.kind = kind;
    event.application_envelope = signing_data(arena, sealed.stored);
    assert_true(cl_is_ok(event_write(&a_case->event, &view, &a_case->row, &event)));
}

static struct case_disclosures disclosed(const struct a_case *a_case, const char *recipient, int64_t now_ms)
{
    struct case_outgoing event = {.recipient = recipient,
                                  .application_id = a_case->row.id,
                                  .digest = &a_case->event.digest,
                                  .envelope = a_case->event.envelope};
    struct case_disclosures out;
    struct cl_status status = case_event_disclosures(&out, arena, sql, &cases, &event, now_ms);
    assert_string_equal(cl_status_name(status), "OK");
    return out;
}

static bool told(const struct a_case *a_case, const struct case_disclosures *disclosures, size_t path)
{
    const Coloan__V1__Disclosure *original = a_case->submission.disclosures[path];
    bool found = false;
    assert_string_equal(original->path, paths[path]);
    for (size_t i = 0; i < disclosures->count; i++) {
        const Coloan__V1__Disclosure *disclosure = disclosures->list[i];
        if (strcmp(disclosure->path, paths[path]) == 0) {
            assert_false(found); /* once */
            assert_true(cl_bytes_equal(cl_bytes(disclosure->value.data, disclosure->value.len),
                                       cl_bytes(original->value.data, original->value.len)));
            assert_true(cl_bytes_equal(cl_bytes(disclosure->salt.data, disclosure->salt.len),
                                       cl_bytes(original->salt.data, original->salt.len)));
            found = true;
        }
    }
    return found;
}

/* -- Random cases -------------------------------------------------------------------------------------------- */

static void give_some(struct a_case *a_case, struct store_tx *tx)
{
    static const char *const receivers[] = {SIGNING_ALPHA, SIGNING_BETA, SIGNING_CENTRE};
    for (size_t count = roll(CONSENTS_MAX + 1); count > 0; count--) {
        give(a_case, tx,
             (struct given){.person = roll(3),
                            .purpose = roll(2) == 0 ? COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_SHARE
                                                    : (Coloan__V1__ConsentPurpose)(1 + roll(3)),
                            .receiver = receivers[roll(5) % 3],
                            .until_ms = SIGNING_NOW_MS - 1 + (int64_t)roll(8)});
    }
}

/* Whether one of the first `count` consents, which the event was made with, lets the person's values go. */
static bool expected(const struct a_case *a_case, size_t count, unsigned person, const char *recipient, int64_t now_ms)
{
    for (size_t i = 0; i < count; i++) {
        const struct given *given = &a_case->consents[i];
        if (given->person == person && given->purpose == COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_SHARE &&
            strcmp(given->receiver, recipient) == 0 && given->until_ms > SIGNING_NOW_MS && given->until_ms > now_ms &&
            !given->withdrawn) {
            return true;
        }
    }
    return false;
}

/* Covers: COL-CON-002, COL-PER-006 */
static void test_disclosed_is_what_was_consented_to(void **state)
{
    (void)state;
    static const char *const recipients[] = {SIGNING_ALPHA, SIGNING_BETA, SIGNING_CENTRE, "bank:cn-alpha-j"};
    unsigned told_count = 0;
    unsigned kept_count = 0;
    unsigned withdrawn_count = 0;
    for (unsigned round = 1; round <= ROUNDS; round++) {
        cl_arena_reset(arena);
        struct store_tx *tx = store_fixture_begin(fixture);
        struct a_case *a_case = begin_case(tx, round);
        give_some(a_case, tx);
        write_event(a_case, tx, COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION);
        size_t made_with = a_case->consent_count;
        give_some(a_case, tx); /* later ones go with a later event */
        for (size_t i = 0; i < made_with; i++) {
            if (roll(3) == 0) {
                withdraw(a_case, tx, i);
                withdrawn_count++;
            }
        }
        if (roll(4) == 0) {
            a_case->row.bank = SIGNING_BETA;
            assert_true(cl_is_ok(applications_update(tx, &a_case->row)));
        }
        assert_true(cl_is_ok(store_fixture_end(fixture, cl_ok())));
        int64_t now_ms = SIGNING_NOW_MS + (int64_t)roll(6);
        for (size_t i = 0; i < sizeof recipients / sizeof recipients[0]; i++) {
            struct case_disclosures got = disclosed(a_case, recipients[i], now_ms);
            size_t expected_count = 0;
            for (size_t path = 0; path < VALUES; path++) {
                bool goes = i == 0 && strcmp(a_case->row.bank, SIGNING_ALPHA) == 0 &&
                            expected(a_case, made_with, owner(path), SIGNING_ALPHA, now_ms);
                assert_int_equal(told(a_case, &got, path), goes);
                expected_count += goes ? 1 : 0;
            }
            assert_int_equal(got.count, expected_count);
            told_count += got.count > 0 ? 1 : 0;
            kept_count += i == 0 && got.count < VALUES ? 1 : 0;
        }
    }
    assert_true(told_count > ROUNDS / 10 && kept_count > ROUNDS / 10 && withdrawn_count > ROUNDS); /* all kinds */
}

/* -- One by one ---------------------------------------------------------------------------------------------- */

static struct a_case *shared_case(Coloan__V1__EventKind kind)
{
    cl_arena_reset(arena);
    struct store_tx *tx = store_fixture_begin(fixture);
    struct a_case *a_case = begin_case(tx, 1);
    give(a_case, tx,
         (struct given){0, COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_SHARE, SIGNING_ALPHA, SIGNING_NOW_MS + 1, 0});
    write_event(a_case, tx, kind);
    assert_true(cl_is_ok(store_fixture_end(fixture, cl_ok())));
    return a_case;
}

static void test_the_event_names_its_consents(void **state)
{
    (void)state;
    struct a_case *a_case = shared_case(COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION);
    bool found = false;
    struct disclosure_row row;
    assert_true(cl_is_ok(disclosures_get(&found, &row, sql, arena, a_case->row.id, &a_case->event.digest)));
    assert_true(found);
    assert_string_equal(row.recipient, SIGNING_ALPHA);
    assert_int_equal(row.at_ms, SIGNING_NOW_MS);
    assert_int_equal(row.consent_count, 1);
    assert_string_equal(row.consents[0], "c-0");
    assert_int_equal(disclosed(a_case, SIGNING_ALPHA, SIGNING_NOW_MS).count, 4); /* three and the borrower's address */
    assert_int_equal(disclosed(a_case, SIGNING_ALPHA, SIGNING_NOW_MS + 1).count, 0);
    assert_int_equal(disclosed(a_case, SIGNING_BETA, SIGNING_NOW_MS).count, 0);
}

static void test_only_the_application_carries_values(void **state)
{
    (void)state;
    struct a_case *a_case = shared_case(COLOAN__V1__EVENT_KIND__EVENT_KIND_STATUS);
    bool found = true;
    struct disclosure_row row;
    assert_int_equal(disclosed(a_case, SIGNING_ALPHA, SIGNING_NOW_MS).count, 0);
    assert_true(cl_is_ok(disclosures_get(&found, &row, sql, arena, a_case->row.id, &a_case->event.digest)));
    assert_false(found);
}

/* A supplement brings new values: the old event cannot carry them, its submission commits to others. */
static void test_only_committed_values_are_told(void **state)
{
    (void)state;
    struct a_case *a_case = shared_case(COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION);
    struct vault_value changed = {.path = paths[0], .value = cl_bytes_text("mended")};
    struct store_tx *tx = store_fixture_begin(fixture);
    assert_true(cl_is_ok(vault_put(tx, vault, a_case->row.id, &changed, 1)));
    assert_true(cl_is_ok(store_fixture_end(fixture, cl_ok())));
    struct case_disclosures got = disclosed(a_case, SIGNING_ALPHA, SIGNING_NOW_MS);
    assert_int_equal(got.count, 3);
    assert_false(told(a_case, &got, 0));
}

/* Covers: COL-PER-006, COL-PER-008 */
static void test_what_was_erased_is_not_told(void **state)
{
    (void)state;
    struct a_case *a_case = shared_case(COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION);
    struct store_tx *tx = store_fixture_begin(fixture);
    assert_true(cl_is_ok(vault_erase(tx, a_case->row.id)));
    assert_true(cl_is_ok(store_fixture_end(fixture, cl_ok())));
    assert_int_equal(disclosed(a_case, SIGNING_ALPHA, SIGNING_NOW_MS).count, 0);
}

int main(void)
{
    signing_init(&signing);
    if (cl_failed(cl_arena_create(&arena, ARENA_BYTES))) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_disclosed_is_what_was_consented_to, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_event_names_its_consents, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_the_application_carries_values, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_committed_values_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_was_erased_is_not_told, set_up, tear_down),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    cl_arena_free(arena);
    signing_close(&signing);
    return failed;
}
