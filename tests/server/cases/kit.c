/* Cases are put where a test wants them by writing their rows; what a command does with them is then the real thing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/cases/convert.h"
#include "server/store/case_log.h"
#include "server/store/milestones.h"
#include "server/store/offers.h"
#include "tests/server/cases/kit.h"

enum { ARENA_BYTES = 8 * 1024 * 1024 };

#define RULES      "REF-NJ-2026-11"
#define KIND(name) COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_##name

struct kit kit;

static int64_t unix_ms(void *user)
{
    (void)user;
    return kit.now_ms;
}

static const struct cl_clock clock_of_test = {.unix_ms = unix_ms, .monotonic_ms = unix_ms};

int kit_open(void)
{
    if (cl_failed(cl_arena_create(&kit.arena, ARENA_BYTES))) {
        return 1;
    }
    signing_init(&kit.signing);
    kit.rules = (struct rule_set){.id = RULES,
                                  .offer_versions_max = 3,
                                  .contribution_months_min = 6,
                                  .credit_consecutive_max = 2,
                                  .credit_total_max = 5};
    kit.centre = (struct centre){.party = SIGNING_CENTRE,
                                 .environment = SIGNING_ENVIRONMENT,
                                 .signer = kit.signing.signers[SIGNING_CENTRE_SIGN],
                                 .clock = &clock_of_test,
                                 .random = cl_random_system(),
                                 .accept_synthetic_ids = true};
    kit.cases = (struct cases){.centre = &kit.centre, .rule_sets = &kit.rules, .rule_set_count = 1};
    return 0;
}

void kit_close(void)
{
    signing_close(&kit.signing);
    cl_arena_free(kit.arena);
}

int kit_set_up(void **state)
{
    (void)state;
    char key_path[128];
    kit.fixture = store_fixture_create();
    (void)snprintf(key_path, sizeof key_path, "%s/master.key", store_fixture_folder(kit.fixture));
    assert_true(cl_is_ok(vault_key_generate(key_path)));
    assert_true(cl_is_ok(vault_open(&kit.vault, key_path)));
    kit.cases.vault = kit.vault;
    kit.now_ms = KIT_START_MS;
    kit.messages = 1000;
    kit.presale = false;
    cl_arena_reset(kit.arena);
    return 0;
}

int kit_tear_down(void **state)
{
    (void)state;
    vault_close(kit.vault);
    store_fixture_free(kit.fixture);
    return 0;
}

struct case_tracks kit_tracks(const struct kit_place *place)
{
    bool offered = place->fund != FUND_PENDING && place->fund != FUND_SUPPLEMENT && place->fund != FUND_MANUAL &&
                   place->fund != FUND_REJECTED;
    return (struct case_tracks){
        .fund = place->fund,
        .bank = place->bank,
        .registry = place->registry,
        .items = {.total = 14},
        .checks = place->checks,
        .offer_version = offered ? 1 : 0,
        .round = 1,
    };
}

struct cl_digest kit_message(struct store_tx *tx)
{
    struct message_row row = fixture_message(kit.messages++);
    assert_int_equal(messages_add(tx, &row).reason, CL_OK);
    return row.digest;
}

static void add_offer(struct store_tx *tx, const char *id)
{
    struct offer offer = {
        .fund = {KIT_FUND_FEN, 26000, 360, CL_REPAYMENT_EQUAL_INSTALMENT, 320000},
        .commercial = {KIT_BANK_FEN, 30500, 360, CL_REPAYMENT_EQUAL_INSTALMENT, 510000},
        .price_fen = 2 * (KIT_FUND_FEN + KIT_BANK_FEN),
        .down_payment_fen = KIT_FUND_FEN + KIT_BANK_FEN,
        .valid_until_ms = KIT_START_MS + KIT_OFFER_MS,
    };
    struct terms_of of = {.application_id = id, .bank = KIT_BANK, .version = 1, .bank_epoch = 1, .offer = &offer};
    struct terms terms;
    assert_int_equal(convert_terms(&terms, kit.arena, &of).reason, CL_OK);
    struct offer_row row = {.application_id = id,
                            .version = 1,
                            .bank_epoch = 1,
                            .terms = terms.bytes,
                            .terms_digest = terms.digest,
                            .valid_until_ms = offer.valid_until_ms,
                            .fund_event = kit_message(tx),
                            .made_ms = KIT_START_MS};
    assert_int_equal(offers_insert(tx, &row).reason, CL_OK);
}

static void add_step(struct store_tx *tx, const char *id, enum case_command command)
{
    struct case_log_row row = {
        .application_id = id, .at_ms = KIT_START_MS, .actor = SIGNING_CENTRE, .command = (int)command};
    assert_int_equal(case_log_add(tx, &row).reason, CL_OK);
}

static void add_paid(struct store_tx *tx, const char *id, int leg, int64_t amount_fen)
{
    struct milestone_row row = {.application_id = id,
                                .kind = KIND(DISBURSED),
                                .leg = leg,
                                .bank_epoch = 1,
                                .amount_fen = amount_fen,
                                .reference = "paid before",
                                .happened_ms = KIT_START_MS,
                                .message = kit_message(tx),
                                .at_ms = KIT_START_MS};
    assert_int_equal(milestones_add(tx, &row).reason, CL_OK);
}

static bool is_paid(enum case_state state)
{
    return state == CASE_HALF_DISBURSED || state == CASE_REPAYING || state == CASE_SETTLED;
}

/* A submission as it was received, with its personal values sealed. */
static struct cl_digest add_submission(struct store_tx *tx)
{
    struct signing_application made;
    signing_application(&made, kit.arena);
    Coloan__V1__LoanRequest wanted = COLOAN__V1__LOAN_REQUEST__INIT;
    made.application.request = &wanted;
    made.home.presale = kit.presale;
    struct cl_message message = signing_message();
    message.body = &made.application.base;
    struct cl_sealed sealed;
    assert_true(cl_is_ok(cl_envelope_seal(&sealed, kit.arena, kit.signing.signers[SIGNING_ALPHA_ACTIVE], &message)));
    struct message_row row = fixture_message(kit.messages++);
    row.envelope = sealed.envelope;
    assert_int_equal(messages_add(tx, &row).reason, CL_OK);
    return row.digest;
}

static void add_values(struct store_tx *tx, const char *id)
{
    struct signing_application made;
    signing_application(&made, kit.arena);
    struct vault_value values[CL_PERSONAL_FIELDS_MAX];
    for (size_t i = 0; i < made.disclosure_count; i++) {
        const Coloan__V1__Disclosure *disclosure = made.disclosures[i];
        values[i] = (struct vault_value){.path = disclosure->path,
                                         .value = cl_bytes(disclosure->value.data, disclosure->value.len)};
    }
    assert_int_equal(vault_put(tx, kit.vault, id, values, made.disclosure_count).reason, CL_OK);
}

/* The case `number`, as if it had come to that place. */
const char *kit_stand(unsigned number, const struct kit_place *place)
{
    cl_arena_reset(kit.arena);
    struct store_tx *tx = store_fixture_begin(kit.fixture);
    struct case_tracks tracks = kit_tracks(place);
    assert_true(lifecycle_valid(&tracks));
    assert_int_equal(lifecycle_state(&tracks), place->state);
    struct application_row row = fixture_application(number);
    row.state = (int)place->state;
    row.fund = (int)place->fund;
    row.bank_track = (int)place->bank;
    row.registry = (int)place->registry;
    row.offer_version = tracks.offer_version;
    row.items_total = tracks.items.total;
    row.checks_total = place->checks.total;
    row.checks_open = place->checks.open;
    row.checks_bad = place->checks.bad;
    row.completion_awaited = place->checks.completion_awaited;
    row.deadline_ms = KIT_START_MS + KIT_OFFER_MS;
    row.submitted_ms = KIT_START_MS;
    row.clock_from_ms = KIT_START_MS;
    row.clock_stopped_ms = place->fund == FUND_SUPPLEMENT ? KIT_START_MS : 0;
    row.submission = add_submission(tx);
    assert_int_equal(applications_insert(tx, &row).reason, CL_OK);
    add_values(tx, row.id);
    if (tracks.offer_version > 0) {
        add_offer(tx, row.id);
    }
    add_step(tx, row.id, COMMAND_CONFIRM);
    add_step(tx, row.id, COMMAND_REGISTER);
    if (is_paid(place->state) && place->fund != FUND_SIGNED) {
        add_paid(tx, row.id, COLOAN__V1__LEG__LEG_FUND, KIT_FUND_FEN);
    }
    if (is_paid(place->state) && place->bank != BANK_SIGNED && place->bank != BANK_NOT_NEEDED) {
        add_paid(tx, row.id, COLOAN__V1__LEG__LEG_COMMERCIAL, KIT_BANK_FEN);
    }
    assert_int_equal(store_fixture_end(kit.fixture, cl_ok()).reason, CL_OK);
    return row.id;
}

struct application_row kit_row(const char *id)
{
    struct application_row row;
    struct store_tx *tx = store_fixture_begin(kit.fixture);
    assert_int_equal(applications_get(&row, store_tx_sql(tx), kit.arena, id).reason, CL_OK);
    assert_int_equal(store_fixture_end(kit.fixture, cl_ok()).reason, CL_OK);
    return row;
}

int64_t kit_due(const char *id, int kind)
{
    int64_t at_ms[DUE_KINDS_MAX];
    struct store_tx *tx = store_fixture_begin(kit.fixture);
    assert_int_equal(due_of(at_ms, store_tx_sql(tx), id).reason, CL_OK);
    assert_int_equal(store_fixture_end(kit.fixture, cl_ok()).reason, CL_OK);
    return at_ms[kind];
}
