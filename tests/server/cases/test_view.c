/* Whatever an application is like, however its items ended and whoever asks: a reply holds what the catalogue's column for
 * that reader says of items that concern persons who let the reader see them, and no more. Random cases, a fixed seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/cases/cases.h"
#include "server/domain/catalogue.h"
#include "server/store/consents.h"
#include "server/store/items.h"
#include "tests/support/signing.h"
#include "tests/support/store_fixture.h"

enum { ROUNDS = 400, ARENA_BYTES = 16 * 1024 * 1024, CONSENTS_MAX = 10, PERSONS = 2 };

static struct signing signing;
static struct cl_arena *arena;
static struct store_fixture *fixture;
static struct vault *vault;
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
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    vault_close(vault);
    store_fixture_free(fixture);
    return 0;
}

/* -- A random case ------------------------------------------------------------------------------------------- */

struct made_case {
    struct signing_application with;
    Coloan__V1__LoanRequest request;
    Coloan__V1__Consent consents[CONSENTS_MAX], *consent_list[CONSENTS_MAX];
    unsigned consent_count;
    char ids[CONSENTS_MAX][16];
    bool withdrawn[CONSENTS_MAX];
};

static void make_consents(struct made_case *made)
{
    static const char *const receivers[] = {SIGNING_ALPHA, SIGNING_ALPHA, SIGNING_CENTRE, SIGNING_BETA};
    made->consent_count = 1 + roll(CONSENTS_MAX);
    for (unsigned i = 0; i < made->consent_count; i++) {
        Coloan__V1__Consent *consent = &made->consents[i];
        coloan__v1__consent__init(consent);
        (void)snprintf(made->ids[i], sizeof made->ids[i], "c-%u", i);
        consent->consent_id = made->ids[i];
        consent->person = roll(PERSONS);
        consent->purpose = (Coloan__V1__ConsentPurpose)(roll(2) == 0 ? 3 : 1 + roll(3)); /* SHARE more often than not */
        consent->receiver = cl_arena_text(arena, receivers[roll(4)]);
        consent->until_ms = SIGNING_NOW_MS - 1 + (int64_t)roll(4);
        made->withdrawn[i] = roll(6) == 0;
        made->consent_list[i] = consent;
    }
    made->with.application.consents = made->consent_list;
    made->with.application.n_consents = made->consent_count;
}

static bool shares(const struct made_case *made, unsigned person, const char *receiver)
{
    for (unsigned i = 0; i < made->consent_count; i++) {
        const Coloan__V1__Consent *consent = &made->consents[i];
        if (consent->person == person && consent->purpose == COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_SHARE &&
            strcmp(consent->receiver, receiver) == 0 && consent->until_ms > SIGNING_NOW_MS && !made->withdrawn[i]) {
            return true;
        }
    }
    return false;
}

/* An item that is open, or settled with every fact of the catalogue. */
static void insert_item(struct store_tx *tx, const char *application_id, enum item_phase phase, struct item_key key)
{
    const struct catalogue_row *catalogue = catalogue_row(key.item);
    Coloan__V1__VerificationResult result = COLOAN__V1__VERIFICATION_RESULT__INIT;
    Coloan__V1__Fact facts[ITEM_FACTS_MAX];
    Coloan__V1__Fact *list[ITEM_FACTS_MAX];
    struct cl_bytes packed = {NULL, 0};
    int outcome = (int)roll(4);
    result.facts = list;
    for (size_t i = 0; i < ITEM_FACTS_MAX && catalogue->facts[i].name != NULL; i++) {
        coloan__v1__fact__init(&facts[i]);
        facts[i].name = cl_arena_text(arena, catalogue->facts[i].name);
        facts[i].number = catalogue->facts[i].max;
        list[result.n_facts++] = &facts[i];
    }
    if (outcome != 0) {
        result.outcome = (Coloan__V1__ItemOutcome)outcome;
        assert_true(cl_is_ok(cl_pack(&packed, arena, &result.base)));
    }
    struct item_row row = {.application_id = application_id,
                           .phase = (int)phase,
                           .item = (int)key.item,
                           .person = key.person,
                           .owner = (int)catalogue->owner,
                           .outcome = outcome,
                           .result = packed};
    assert_true(cl_is_ok(items_insert(tx, &row)));
}

static void insert_items(struct store_tx *tx, const char *application_id)
{
    for (unsigned item = ITEM_NONE + 1; item < ITEM_COUNT; item++) {
        const struct catalogue_row *catalogue = catalogue_row((enum item)item);
        for (unsigned person = 0; person < (catalogue->per_person ? PERSONS : 1); person++) {
            for (unsigned phase = PHASE_DECISION; phase < PHASE_COUNT; phase++) {
                if ((catalogue->phases & PHASE_BIT(phase)) != 0 && roll(4) != 0) {
                    insert_item(tx, application_id, (enum item_phase)phase,
                                (struct item_key){.item = (enum item)item, .person = person});
                }
            }
        }
    }
}

static void insert_consents(struct store_tx *tx, const struct made_case *made, unsigned number)
{
    for (unsigned i = 0; i < made->consent_count; i++) {
        const Coloan__V1__Consent *consent = &made->consents[i];
        const struct cl_digest given_by = fixture_digest(number);
        const struct consent_row row = {.application_id = fixture_application_id(number),
                                        .consent_id = consent->consent_id,
                                        .person = consent->person,
                                        .purpose = (int)consent->purpose,
                                        .receiver = consent->receiver,
                                        .until_ms = consent->until_ms,
                                        .given_by = given_by};
        assert_true(cl_is_ok(consents_add(tx, &row)));
        if (made->withdrawn[i]) {
            assert_true(cl_is_ok(consents_withdraw(tx, row.application_id, row.consent_id, 1, &given_by)));
        }
    }
}

static void insert_case(struct store_tx *tx, struct made_case *made, unsigned number)
{
    signing_application(&made->with, arena);
    coloan__v1__loan_request__init(&made->request);
    made->with.application.request = &made->request;
    make_consents(made);
    struct cl_message message = signing_message();
    message.body = &made->with.application.base;
    struct cl_sealed sealed;
    assert_true(cl_is_ok(cl_envelope_seal(&sealed, arena, signing.signers[SIGNING_ALPHA_ACTIVE], &message)));
    struct message_row row = fixture_message(number);
    row.envelope = sealed.envelope;
    struct application_row application = fixture_application(number);
    application.sender = SIGNING_ALPHA;
    application.bank = SIGNING_ALPHA;
    assert_true(cl_is_ok(messages_add(tx, &row)));
    assert_true(cl_is_ok(applications_insert(tx, &application)));
    insert_consents(tx, made, number);
    insert_items(tx, application.id);
}

/* -- What is told -------------------------------------------------------------------------------------------- */

struct reader {
    const char *party;
    enum cl_party_kind kind;
    enum item_reader column;
};

static const struct reader readers[] = {{SIGNING_ALPHA, CL_PARTY_BANK, READER_BANK},
                                        {SIGNING_ALPHA, CL_PARTY_CHANNEL, READER_BORROWER},
                                        {"officer:cn-test-nj/li", CL_PARTY_OFFICER, READER_FUND}};

struct told {
    Coloan__V1__VerificationResult **list;
    size_t count;
};

static struct case_request request_of(const struct reader *reader, const ProtobufCMessage *body,
                                      const char *application_id)
{
    struct cl_opened *opened = cl_arena_alloc(arena, sizeof *opened);
    assert_non_null(opened);
    opened->digest = fixture_digest(1000 + roll(1u << 30)); /* what is told is noted under it */
    return (struct case_request){.opened = opened,
                                 .body = body,
                                 .sender = reader->party,
                                 .sender_kind = reader->kind,
                                 .application_id = application_id};
}

static struct told view_case(struct case_tx *tx, const struct reader *reader, const char *application_id)
{
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    query.application_id = cl_arena_text(arena, application_id);
    query.with_items = true;
    struct case_request request = request_of(reader, &query.base, application_id);
    ProtobufCMessage *reply = NULL;
    assert_string_equal(cl_status_name(case_get_application(&reply, tx, &request)), "OK");
    const Coloan__V1__ApplicationView *view = (const Coloan__V1__ApplicationView *)reply;
    return (struct told){.list = view->items, .count = view->n_items};
}

/* By a random consent, for random items (none: all). False when it was refused, which it is for the right reason. */
static bool query_case(struct told *out, struct case_tx *tx, const struct made_case *made, const char *application_id,
                       Coloan__V1__Item *items, size_t item_count)
{
    unsigned index = roll(made->consent_count);
    const Coloan__V1__Consent *consent = &made->consents[index];
    bool fits = !made->withdrawn[index] && consent->purpose == COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_SHARE &&
                strcmp(consent->receiver, SIGNING_ALPHA) == 0 && consent->until_ms > SIGNING_NOW_MS;
    Coloan__V1__VerificationQuery query = COLOAN__V1__VERIFICATION_QUERY__INIT;
    query.consent_id = consent->consent_id;
    query.items = items;
    query.n_items = item_count;
    struct case_request request = request_of(&readers[0], &query.base, application_id);
    ProtobufCMessage *reply = NULL;
    struct cl_status status = case_query_verifications(&reply, tx, &request);
    assert_string_equal(cl_status_name(status),
                        fits ? "OK" : (made->withdrawn[index] ? "CONSENT_WITHDRAWN" : "CONSENT_INVALID"));
    if (fits) {
        const Coloan__V1__VerificationAnswer *answer = (const Coloan__V1__VerificationAnswer *)reply;
        *out = (struct told){.list = answer->results, .count = answer->n_results};
    }
    return fits;
}

/* -- What may be told ---------------------------------------------------------------------------------------- */

static bool may_be_told(const struct made_case *made, const struct reader *reader, const struct catalogue_row *row,
                        unsigned person)
{
    if (reader->kind != CL_PARTY_BANK) {
        return true;
    }
    return row->per_person ? shares(made, person, reader->party)
                           : shares(made, 0, reader->party) && shares(made, 1, reader->party);
}

static void check_told(const struct made_case *made, const struct reader *reader, const struct told *told)
{
    for (size_t i = 0; i < told->count; i++) {
        const Coloan__V1__VerificationResult *result = told->list[i];
        const struct catalogue_row *row = catalogue_row((enum item)result->item);
        enum item_view view = catalogue_view(row, reader->column, result->person);
        bool shown = view != VIEW_NONE && may_be_told(made, reader, row, result->person);
        bool bare = view == VIEW_VALUE || result->n_facts == 0;
        if (!shown || !bare) {
            fail_msg("%s of person %u to %s: %zu facts", row->name, result->person, reader->party, result->n_facts);
        }
    }
}

/* As many as may be: nothing is held back without a reason. */
static size_t count_allowed(const struct made_case *made, const struct reader *reader, const struct item_rows *items)
{
    size_t count = 0;
    for (size_t i = 0; i < items->count; i++) {
        const struct catalogue_row *row = catalogue_row((enum item)items->rows[i].item);
        bool seen = catalogue_view(row, reader->column, items->rows[i].person) != VIEW_NONE;
        count += seen && may_be_told(made, reader, row, items->rows[i].person) ? 1 : 0;
    }
    return count;
}

static void a_reply_is_within_view_and_consent(void **state)
{
    (void)state;
    size_t whole = 0;
    size_t partial = 0;
    size_t queried = 0;
    for (unsigned round = 0; round < ROUNDS; round++) {
        cl_arena_reset(arena);
        struct made_case made;
        struct case_effect effect = {0};
        struct item_rows items;
        struct store_tx *tx = store_fixture_begin(fixture);
        struct case_tx view = {.cases = &cases,
                               .tx = tx,
                               .sql = store_tx_sql(tx),
                               .arena = arena,
                               .now_ms = SIGNING_NOW_MS,
                               .effect = &effect};
        insert_case(tx, &made, 1);
        const char *id = fixture_application_id(1);
        assert_true(cl_is_ok(items_list(&items, view.sql, arena, id, ITEM_PHASE_ANY)));
        for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
            struct told told = view_case(&view, &readers[i], id);
            check_told(&made, &readers[i], &told);
            assert_int_equal(told.count, count_allowed(&made, &readers[i], &items));
        }
        bool first = shares(&made, 0, SIGNING_ALPHA);
        bool second = shares(&made, 1, SIGNING_ALPHA);
        whole += first && second ? 1 : 0;
        partial += first != second ? 1 : 0;
        Coloan__V1__Item asked[] = {(Coloan__V1__Item)(1 + roll(31)), (Coloan__V1__Item)(1 + roll(31))};
        size_t asked_count = roll(3);
        struct told told;
        if (query_case(&told, &view, &made, id, asked, asked_count)) {
            check_told(&made, &readers[0], &told);
            for (size_t i = 0; i < told.count; i++) {
                assert_true(asked_count == 0 || told.list[i]->item == asked[0] || told.list[i]->item == asked[1]);
            }
            queried++;
        }
        (void)store_fixture_end(fixture, cl_fail(CL_STATE_CONFLICT)); /* nothing stays for the next round */
    }
    assert_true(whole > 20 && partial > 20 && queried > 20); /* the rounds were of all kinds */
}

int main(void)
{
    signing_init(&signing);
    if (cl_failed(cl_arena_create(&arena, ARENA_BYTES))) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_within_view_and_consent),
    };
    int failed = cmocka_run_group_tests(tests, set_up, tear_down);
    cl_arena_free(arena);
    signing_close(&signing);
    return failed;
}
