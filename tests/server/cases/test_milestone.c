/* What a bank reports after the approval: each milestone in each state of a case, and for each that fits its refused
 * neighbours: amounts, times, references, legs, another bank, an old epoch. A refusal leaves everything as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/cases/cases.h"
#include "server/cases/convert.h"
#include "server/cases/deadline.h"
#include "server/domain/lifecycle.h"
#include "server/store/case_log.h"
#include "server/store/milestones.h"
#include "server/store/offers.h"
#include "tests/server/cases/kit.h"

#define KIND(name) COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_##name
#define NO_LEG     COLOAN__V1__LEG__LEG_UNSPECIFIED
#define FUND_LEG   COLOAN__V1__LEG__LEG_FUND
#define BANK_LEG   COLOAN__V1__LEG__LEG_COMMERCIAL

/* -- Places --------------------------------------------------------------------------------------------------- */

#define UNCHECKED                                                                                                      \
    {                                                                                                                  \
        0                                                                                                              \
    }
#define PASSED                                                                                                         \
    {                                                                                                                  \
        .total = 3                                                                                                     \
    }

/* One of each kind and leg; in the order of `fits`. */
enum told {
    SIGN_FUND = 1 << 0,
    SIGN_BANK = 1 << 1,
    FILED = 1 << 2,
    PAY_FUND = 1 << 3,
    PAY_BANK = 1 << 4,
    REPAY_FUND = 1 << 5,
    REPAY_BANK = 1 << 6,
    OVERDUE_FUND = 1 << 7,
    OVERDUE_BANK = 1 << 8,
    SETTLE_FUND = 1 << 9,
    SETTLE_BANK = 1 << 10,
    CANCEL = 1 << 11,
    RELEASE = 1 << 12,
};

#define ALL_FUND (REPAY_FUND | OVERDUE_FUND | SETTLE_FUND)
#define ALL_BANK (REPAY_BANK | OVERDUE_BANK | SETTLE_BANK)

/* Where a case can stand, at least one row for each state, and which milestones fit there. */
static const struct kit_place places[] = {
    {CASE_VERIFYING, FUND_PENDING, BANK_PENDING, REGISTRY_NOT_STARTED, UNCHECKED, 0},
    {CASE_SUPPLEMENT, FUND_SUPPLEMENT, BANK_PENDING, REGISTRY_NOT_STARTED, UNCHECKED, 0},
    {CASE_MANUAL, FUND_MANUAL, BANK_PENDING, REGISTRY_NOT_STARTED, UNCHECKED, 0},
    {CASE_OFFERED, FUND_APPROVED, BANK_PENDING, REGISTRY_NOT_STARTED, UNCHECKED, 0},
    {CASE_APPROVED, FUND_APPROVED, BANK_APPROVED, REGISTRY_NOT_STARTED, UNCHECKED, 0},
    {CASE_APPROVED, FUND_APPROVED, BANK_NOT_NEEDED, REGISTRY_NOT_STARTED, UNCHECKED, 0},
    {CASE_DECLINED, FUND_APPROVED, BANK_DECLINED, REGISTRY_NOT_STARTED, UNCHECKED, 0},
    {CASE_REJECTED, FUND_REJECTED, BANK_RELEASED, REGISTRY_NOT_STARTED, UNCHECKED, 0},
    {CASE_WITHDRAWN, FUND_WITHDRAWN, BANK_RELEASED, REGISTRY_NOT_STARTED, UNCHECKED, 0},
    {CASE_EXPIRED, FUND_EXPIRED, BANK_RELEASED, REGISTRY_NOT_STARTED, UNCHECKED, 0},
    {CASE_CANCELLED, FUND_CANCELLED, BANK_RELEASED, REGISTRY_NOT_STARTED, UNCHECKED, 0},
    {CASE_CONFIRMED, FUND_CONFIRMED, BANK_APPROVED, REGISTRY_NOT_STARTED, UNCHECKED, SIGN_FUND | SIGN_BANK},
    {CASE_CONFIRMED, FUND_CONFIRMED, BANK_NOT_NEEDED, REGISTRY_NOT_STARTED, UNCHECKED, SIGN_FUND},
    {CASE_SIGNING, FUND_SIGNED, BANK_APPROVED, REGISTRY_NOT_STARTED, UNCHECKED, SIGN_BANK | CANCEL},
    {CASE_SIGNING, FUND_CONFIRMED, BANK_SIGNED, REGISTRY_NOT_STARTED, UNCHECKED, SIGN_FUND | CANCEL},
    {CASE_SIGNED, FUND_SIGNED, BANK_SIGNED, REGISTRY_NOT_STARTED, UNCHECKED, FILED | CANCEL},
    {CASE_SIGNED, FUND_SIGNED, BANK_NOT_NEEDED, REGISTRY_NOT_STARTED, UNCHECKED, FILED | CANCEL},
    {CASE_SIGNED, FUND_SIGNED, BANK_SIGNED, REGISTRY_REJECTED, UNCHECKED, FILED | CANCEL},
    {CASE_SIGNED, FUND_SIGNED, BANK_SIGNED, REGISTRY_RELEASED, PASSED, CANCEL},
    {CASE_REGISTERING, FUND_SIGNED, BANK_SIGNED, REGISTRY_FILED, UNCHECKED, 0},
    {CASE_REGISTRY_SUPPLEMENT, FUND_SIGNED, BANK_SIGNED, REGISTRY_SUPPLEMENT, UNCHECKED, 0},
    {CASE_CHECKING, FUND_SIGNED, BANK_SIGNED, REGISTRY_REGISTERED, {.total = 3, .open = 2}, RELEASE},
    {CASE_AWAITING_COMPLETION,
     FUND_SIGNED,
     BANK_SIGNED,
     REGISTRY_REGISTERED,
     {.total = 3, .open = 1, .completion_awaited = true},
     RELEASE},
    {CASE_HELD, FUND_SIGNED, BANK_SIGNED, REGISTRY_HELD, UNCHECKED, 0},
    {CASE_HELD, FUND_SIGNED, BANK_SIGNED, REGISTRY_REGISTERED, {.total = 3, .bad = 1}, RELEASE},
    {CASE_READY, FUND_SIGNED, BANK_SIGNED, REGISTRY_REGISTERED, PASSED, PAY_FUND | PAY_BANK | RELEASE},
    {CASE_READY, FUND_SIGNED, BANK_NOT_NEEDED, REGISTRY_REGISTERED, PASSED, PAY_FUND | RELEASE},
    {CASE_HALF_DISBURSED, FUND_DISBURSED, BANK_SIGNED, REGISTRY_REGISTERED, PASSED, PAY_BANK},
    {CASE_HALF_DISBURSED, FUND_SIGNED, BANK_DISBURSED, REGISTRY_REGISTERED, PASSED, PAY_FUND},
    {CASE_REPAYING, FUND_DISBURSED, BANK_DISBURSED, REGISTRY_REGISTERED, PASSED, ALL_FUND | ALL_BANK},
    {CASE_REPAYING, FUND_DISBURSED, BANK_NOT_NEEDED, REGISTRY_REGISTERED, PASSED, ALL_FUND},
    {CASE_REPAYING, FUND_SETTLED, BANK_DISBURSED, REGISTRY_REGISTERED, PASSED, ALL_BANK},
    {CASE_REPAYING, FUND_DISBURSED, BANK_SETTLED, REGISTRY_REGISTERED, PASSED, ALL_FUND},
    {CASE_SETTLED, FUND_SETTLED, BANK_SETTLED, REGISTRY_REGISTERED, PASSED, RELEASE},
    {CASE_SETTLED, FUND_SETTLED, BANK_NOT_NEEDED, REGISTRY_REGISTERED, PASSED, RELEASE},
    {CASE_SETTLED, FUND_SETTLED, BANK_SETTLED, REGISTRY_RELEASED, PASSED, 0},
};

static const struct kit_place *place_of(enum case_state state)
{
    size_t i = 0;
    while (places[i].state != state) {
        i++;
    }
    return &places[i];
}

/* -- Reports --------------------------------------------------------------------------------------------------- */

struct telling {
    Coloan__V1__Milestone milestone;
    Coloan__V1__Disclosure *account; /* NULL: none */
    const char *sender;
};

static void with_account(struct telling *out)
{
    struct cl_digest commitment;
    struct cl_status status = cl_disclosure_make(&out->account, &commitment, kit.arena, "account",
                                                 cl_bytes_text("6222020200112233445"), signing_random());
    assert_int_equal(status.reason, CL_OK);
    out->milestone.account.len = CL_DIGEST_BYTES;
    out->milestone.account.data = cl_arena_copy(kit.arena, cl_bytes(commitment.bytes, CL_DIGEST_BYTES));
}

/* A good one. */
static struct telling tell(Coloan__V1__MilestoneKind kind, Coloan__V1__Leg leg)
{
    struct telling out = {.sender = KIT_BANK};
    int64_t leg_fen = leg == FUND_LEG ? KIT_FUND_FEN : KIT_BANK_FEN;
    coloan__v1__milestone__init(&out.milestone);
    out.milestone.kind = kind;
    out.milestone.leg = leg;
    out.milestone.bank_epoch = 1;
    out.milestone.reference = cl_arena_text(kit.arena, "R-1");
    out.milestone.happened_ms = kit.now_ms;
    if (kind == KIND(DISBURSED)) {
        out.milestone.amount_fen = leg_fen;
        with_account(&out);
    }
    if (kind == KIND(SETTLED)) {
        out.milestone.amount_fen = leg_fen;
    }
    if (kind == KIND(REPAID) || kind == KIND(OVERDUE)) {
        out.milestone.amount_fen = 100000;
    }
    out.milestone.balance_fen = kind == KIND(REPAID) ? leg_fen - 100000 : 0;
    return out;
}

static struct case_effect effect;

/* In the middle of a transaction. */
static struct cl_status report_in(struct store_tx *tx, const char *id, const struct telling *telling)
{
    effect = (struct case_effect){0};
    struct case_tx view = case_tx_of(&kit.cases, tx, kit.arena, &effect);
    struct cl_opened opened = {.digest = kit_message(tx),
                               .disclosures = &telling->account,
                               .disclosure_count = telling->account == NULL ? 0 : 1};
    view.message = &opened.digest;
    struct case_request request = {.opened = &opened,
                                   .body = &telling->milestone.base,
                                   .sender = telling->sender,
                                   .sender_kind = CL_PARTY_BANK,
                                   .application_id = id};
    ProtobufCMessage *reply = NULL;
    struct cl_status status = case_report_milestone(&reply, &view, &request);
    if (cl_is_ok(status)) {
        const Coloan__V1__ApplicationStatus *told = (const Coloan__V1__ApplicationStatus *)reply;
        assert_string_equal(told->application_id, id);
        assert_string_equal(effect.application_id, id);
    }
    return status;
}

static struct cl_status report(const char *id, const struct telling *telling)
{
    struct store_tx *tx = store_fixture_begin(kit.fixture);
    return store_fixture_end(kit.fixture, report_in(tx, id, telling));
}

/* Everything that a report could change. */
struct picture {
    char text[512];
};

static struct picture picture_of(const char *id)
{
    static const char query[] =
        "SELECT (SELECT fund || ',' || bank_track || ',' || registry || ',' || state || ',' || deadline_ms || ',' ||"
        " changed_ms FROM applications WHERE id = $1), (SELECT count(*) FROM case_log), (SELECT count(*) FROM"
        " milestones), (SELECT count(*) FROM vault_values), (SELECT count(*) FROM outbox),"
        " (SELECT CAST(coalesce(sum(at_ms + 1000 * kind), 0) AS BIGINT) FROM due), (SELECT count(*) FROM messages)";
    struct picture out = {""};
    struct sql_statement *statement = NULL;
    bool row = false;
    struct store_tx *tx = store_fixture_begin(kit.fixture);
    assert_int_equal(sql_prepare(&statement, store_tx_sql(tx), query).reason, CL_OK);
    sql_bind_text(statement, 1, id);
    assert_int_equal(sql_step(&row, statement).reason, CL_OK);
    (void)snprintf(out.text, sizeof out.text, "%s|%d|%d|%d|%d|%lld|%d", sql_column_text(statement, 0),
                   (int)sql_column_i64(statement, 1), (int)sql_column_i64(statement, 2),
                   (int)sql_column_i64(statement, 3), (int)sql_column_i64(statement, 4),
                   (long long)sql_column_i64(statement, 5), (int)sql_column_i64(statement, 6));
    sql_finish(statement);
    assert_int_equal(store_fixture_end(kit.fixture, cl_ok()).reason, CL_OK);
    return out;
}

static bool database_holds(const char *needle)
{
    return fixture_folder_holds(store_fixture_folder(kit.fixture), needle);
}

/* -- Tests ----------------------------------------------------------------------------------------------------- */

static const struct {
    Coloan__V1__MilestoneKind kind;
    Coloan__V1__Leg leg;
} all_told[] = {
    {KIND(SIGNED), FUND_LEG},          {KIND(SIGNED), BANK_LEG},    {KIND(REGISTRATION_FILED), NO_LEG},
    {KIND(DISBURSED), FUND_LEG},       {KIND(DISBURSED), BANK_LEG}, {KIND(REPAID), FUND_LEG},
    {KIND(REPAID), BANK_LEG},          {KIND(OVERDUE), FUND_LEG},   {KIND(OVERDUE), BANK_LEG},
    {KIND(SETTLED), FUND_LEG},         {KIND(SETTLED), BANK_LEG},   {KIND(CANCELLED), NO_LEG},
    {KIND(MORTGAGE_RELEASED), NO_LEG},
};

/* Covers: COL-MIL-002, COL-MIL-007, COL-LIF-001 */
static void each_milestone_fits_where_the_tables_say(void **state)
{
    (void)state;
    bool covered[CASE_STATE_COUNT] = {[CASE_NONE] = true};
    for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
        const char *id = kit_stand(i + 1, &places[i]);
        covered[places[i].state] = true;
        struct picture before = picture_of(id);
        for (size_t j = 0; j < sizeof all_told / sizeof all_told[0]; j++) {
            struct telling telling = tell(all_told[j].kind, all_told[j].leg);
            bool fits = (places[i].fits & (1U << j)) != 0;
            struct store_tx *tx = store_fixture_begin(kit.fixture);
            struct cl_status status = report_in(tx, id, &telling);
            /* What fits is undone, too, so that each is tried in the same place. */
            assert_int_equal(store_fixture_end(kit.fixture, cl_fail(CL_INTERNAL)).reason, CL_INTERNAL);
            if (status.reason != (fits ? CL_OK : CL_STATE_CONFLICT)) {
                fail_msg("place %u (%s), milestone %zu: %s", i, lifecycle_state_name(places[i].state), j,
                         cl_status_name(status));
            }
            assert_string_equal(picture_of(id).text, before.text);
        }
    }
    for (int i = 0; i < CASE_STATE_COUNT; i++) {
        assert_true(covered[i]);
    }
}

/* One thing wrong in a report that would be taken. */
struct wrong {
    const char *name;
    enum case_state state;
    Coloan__V1__MilestoneKind kind;
    Coloan__V1__Leg leg;
    void (*spoil)(struct telling *telling);
    enum cl_reason reason;
    const char *field;
};

static void nothing(struct telling *telling)
{
    (void)telling;
}

static void no_kind(struct telling *telling)
{
    telling->milestone.kind = KIND(UNSPECIFIED);
}

static void no_leg(struct telling *telling)
{
    telling->milestone.leg = NO_LEG;
}

static void a_leg(struct telling *telling)
{
    telling->milestone.leg = FUND_LEG;
}

static void no_reference(struct telling *telling)
{
    telling->milestone.reference = cl_arena_text(kit.arena, "");
}

static void long_reference(struct telling *telling)
{
    telling->milestone.reference =
        cl_arena_text(kit.arena, "01234567890123456789012345678901234567890123456789012345678901234");
}

static void no_time(struct telling *telling)
{
    telling->milestone.happened_ms = 0;
}

static void negative_time(struct telling *telling)
{
    telling->milestone.happened_ms = -1;
}

static void nearly_future(struct telling *telling)
{
    telling->milestone.happened_ms = kit.now_ms + CL_CLOCK_AHEAD_MS_MAX;
}

static void future(struct telling *telling)
{
    telling->milestone.happened_ms = kit.now_ms + CL_CLOCK_AHEAD_MS_MAX + 1;
}

static void as_early_as_can_be(struct telling *telling)
{
    telling->milestone.happened_ms = KIT_START_MS - CL_CLOCK_AHEAD_MS_MAX;
}

static void too_early(struct telling *telling)
{
    telling->milestone.happened_ms = KIT_START_MS - CL_CLOCK_AHEAD_MS_MAX - 1;
}

static void before_the_payment(struct telling *telling)
{
    telling->milestone.happened_ms = KIT_START_MS - 1;
}

static void old_epoch(struct telling *telling)
{
    telling->milestone.bank_epoch = 0;
}

static void next_epoch(struct telling *telling)
{
    telling->milestone.bank_epoch = 2;
}

static void other_bank(struct telling *telling)
{
    telling->sender = KIT_OTHER;
}

static void a_fen_less(struct telling *telling)
{
    telling->milestone.amount_fen--;
}

static void a_fen_more(struct telling *telling)
{
    telling->milestone.amount_fen++;
}

static void no_amount(struct telling *telling)
{
    telling->milestone.amount_fen = 0;
}

static void negative_amount(struct telling *telling)
{
    telling->milestone.balance_fen += telling->milestone.amount_fen + 1;
    telling->milestone.amount_fen = -1;
}

static void an_amount(struct telling *telling)
{
    telling->milestone.amount_fen = 1;
}

static void a_balance(struct telling *telling)
{
    telling->milestone.balance_fen = 1;
}

static void wrong_balance(struct telling *telling)
{
    telling->milestone.balance_fen++;
}

static void all_of_it(struct telling *telling)
{
    telling->milestone.amount_fen = KIT_FUND_FEN;
    telling->milestone.balance_fen = 0;
}

static void more_than_all(struct telling *telling)
{
    telling->milestone.amount_fen = KIT_FUND_FEN + 1;
    telling->milestone.balance_fen = -1;
}

static void every_instalment(struct telling *telling)
{
    telling->milestone.amount_fen = INT64_C(320000) * 360;
}

static void more_than_every_instalment(struct telling *telling)
{
    telling->milestone.amount_fen = INT64_C(320000) * 360 + 1;
}

static void no_account(struct telling *telling)
{
    telling->milestone.account.len = 0;
    telling->account = NULL;
}

static const struct wrong wrongs[] = {
    {"signed", CASE_CONFIRMED, KIND(SIGNED), FUND_LEG, nothing, CL_OK, ""},
    {"signed, no kind", CASE_CONFIRMED, KIND(SIGNED), FUND_LEG, no_kind, CL_FIELD_MISSING, "kind"},
    {"signed, no leg", CASE_CONFIRMED, KIND(SIGNED), FUND_LEG, no_leg, CL_FIELD_MISSING, "leg"},
    {"signed, no reference", CASE_CONFIRMED, KIND(SIGNED), FUND_LEG, no_reference, CL_FIELD_MISSING, "reference"},
    {"signed, long reference", CASE_CONFIRMED, KIND(SIGNED), FUND_LEG, long_reference, CL_FIELD_INVALID, "reference"},
    {"signed, no time", CASE_CONFIRMED, KIND(SIGNED), FUND_LEG, no_time, CL_FIELD_MISSING, "happened_ms"},
    {"signed, negative time", CASE_CONFIRMED, KIND(SIGNED), FUND_LEG, negative_time, CL_FIELD_INVALID, "happened_ms"},
    {"signed, clock ahead", CASE_CONFIRMED, KIND(SIGNED), FUND_LEG, nearly_future, CL_OK, ""},
    {"signed, in the future", CASE_CONFIRMED, KIND(SIGNED), FUND_LEG, future, CL_FIELD_INVALID, "happened_ms"},
    {"signed, clock behind", CASE_CONFIRMED, KIND(SIGNED), FUND_LEG, as_early_as_can_be, CL_OK, ""},
    {"signed before it was confirmed", CASE_CONFIRMED, KIND(SIGNED), BANK_LEG, too_early, CL_FIELD_INVALID,
     "happened_ms"},
    {"signed, old epoch", CASE_CONFIRMED, KIND(SIGNED), FUND_LEG, old_epoch, CL_STALE_EPOCH, ""},
    {"signed, epoch to come", CASE_CONFIRMED, KIND(SIGNED), FUND_LEG, next_epoch, CL_STALE_EPOCH, ""},
    {"signed, by another bank", CASE_CONFIRMED, KIND(SIGNED), FUND_LEG, other_bank, CL_APPLICATION_UNKNOWN, ""},
    {"signed, with an amount", CASE_CONFIRMED, KIND(SIGNED), FUND_LEG, an_amount, CL_AMOUNT_INVALID, "amount_fen"},
    {"signed, with a balance", CASE_CONFIRMED, KIND(SIGNED), FUND_LEG, a_balance, CL_AMOUNT_INVALID, "balance_fen"},
    {"signed, with an account", CASE_CONFIRMED, KIND(SIGNED), FUND_LEG, with_account, CL_FIELD_INVALID, "account"},
    {"filed", CASE_SIGNED, KIND(REGISTRATION_FILED), NO_LEG, nothing, CL_OK, ""},
    {"filed, with a leg", CASE_SIGNED, KIND(REGISTRATION_FILED), NO_LEG, a_leg, CL_FIELD_INVALID, "leg"},
    {"filed, with an amount", CASE_SIGNED, KIND(REGISTRATION_FILED), NO_LEG, an_amount, CL_AMOUNT_INVALID,
     "amount_fen"},
    {"paid", CASE_READY, KIND(DISBURSED), BANK_LEG, nothing, CL_OK, ""},
    {"paid a fen less", CASE_READY, KIND(DISBURSED), BANK_LEG, a_fen_less, CL_AMOUNT_INVALID, "amount_fen"},
    {"paid a fen more", CASE_READY, KIND(DISBURSED), FUND_LEG, a_fen_more, CL_AMOUNT_INVALID, "amount_fen"},
    {"paid nothing", CASE_READY, KIND(DISBURSED), FUND_LEG, no_amount, CL_AMOUNT_INVALID, "amount_fen"},
    {"paid, with a balance", CASE_READY, KIND(DISBURSED), FUND_LEG, a_balance, CL_AMOUNT_INVALID, "balance_fen"},
    {"paid to nobody", CASE_READY, KIND(DISBURSED), FUND_LEG, no_account, CL_FIELD_MISSING, "account"},
    {"paid before it was checked", CASE_READY, KIND(DISBURSED), FUND_LEG, too_early, CL_FIELD_INVALID, "happened_ms"},
    {"paid, old epoch", CASE_READY, KIND(DISBURSED), FUND_LEG, old_epoch, CL_STALE_EPOCH, ""},
    {"repaid", CASE_REPAYING, KIND(REPAID), FUND_LEG, nothing, CL_OK, ""},
    {"repaid all", CASE_REPAYING, KIND(REPAID), FUND_LEG, all_of_it, CL_OK, ""},
    {"repaid more than all", CASE_REPAYING, KIND(REPAID), FUND_LEG, more_than_all, CL_AMOUNT_INVALID, "amount_fen"},
    {"repaid nothing", CASE_REPAYING, KIND(REPAID), FUND_LEG, no_amount, CL_AMOUNT_INVALID, "amount_fen"},
    {"repaid less than nothing", CASE_REPAYING, KIND(REPAID), FUND_LEG, negative_amount, CL_AMOUNT_INVALID,
     "amount_fen"},
    {"repaid, wrong balance", CASE_REPAYING, KIND(REPAID), FUND_LEG, wrong_balance, CL_AMOUNT_INVALID, "balance_fen"},
    {"repaid before it was paid", CASE_REPAYING, KIND(REPAID), FUND_LEG, before_the_payment, CL_FIELD_INVALID,
     "happened_ms"},
    {"overdue", CASE_REPAYING, KIND(OVERDUE), FUND_LEG, nothing, CL_OK, ""},
    {"overdue, everything", CASE_REPAYING, KIND(OVERDUE), FUND_LEG, every_instalment, CL_OK, ""},
    {"overdue, more than everything", CASE_REPAYING, KIND(OVERDUE), FUND_LEG, more_than_every_instalment,
     CL_AMOUNT_INVALID, "amount_fen"},
    {"overdue, nothing", CASE_REPAYING, KIND(OVERDUE), BANK_LEG, no_amount, CL_AMOUNT_INVALID, "amount_fen"},
    {"overdue, with a balance", CASE_REPAYING, KIND(OVERDUE), BANK_LEG, a_balance, CL_AMOUNT_INVALID, "balance_fen"},
    {"settled with the rest", CASE_REPAYING, KIND(SETTLED), BANK_LEG, nothing, CL_OK, ""},
    {"settled with a fen less", CASE_REPAYING, KIND(SETTLED), BANK_LEG, a_fen_less, CL_AMOUNT_INVALID, "amount_fen"},
    {"settled with nothing", CASE_REPAYING, KIND(SETTLED), BANK_LEG, no_amount, CL_AMOUNT_INVALID, "amount_fen"},
    {"settled, with a balance", CASE_REPAYING, KIND(SETTLED), BANK_LEG, a_balance, CL_AMOUNT_INVALID, "balance_fen"},
    {"cancelled", CASE_SIGNING, KIND(CANCELLED), NO_LEG, nothing, CL_OK, ""},
    {"cancelled, with an amount", CASE_SIGNING, KIND(CANCELLED), NO_LEG, an_amount, CL_AMOUNT_INVALID, "amount_fen"},
    {"mortgage deleted", CASE_SETTLED, KIND(MORTGAGE_RELEASED), NO_LEG, nothing, CL_OK, ""},
    {"mortgage deleted, with a leg", CASE_SETTLED, KIND(MORTGAGE_RELEASED), NO_LEG, a_leg, CL_FIELD_INVALID, "leg"},
};

/* Covers: COL-MIL-001, COL-MIL-003, COL-MIL-004, COL-MIL-005, COL-MIL-006 */
static void what_is_wrong_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        const struct wrong *row = &wrongs[i];
        const char *id = kit_stand(i + 1, place_of(row->state));
        kit.now_ms = KIT_START_MS + KIT_MINUTE_MS;
        struct telling telling = tell(row->kind, row->leg);
        row->spoil(&telling);
        struct picture before = picture_of(id);
        struct cl_status status = report(id, &telling);
        if (status.reason != row->reason || strcmp(effect.field.text, row->field) != 0) {
            fail_msg("%s: %s, field \"%s\"", row->name, cl_status_name(status), effect.field.text);
        }
        bool same = strcmp(picture_of(id).text, before.text) == 0;
        assert_int_equal(same, cl_failed(status));
    }
}

static void must(const char *id, Coloan__V1__MilestoneKind kind, Coloan__V1__Leg leg)
{
    kit.now_ms += KIT_MINUTE_MS;
    struct telling telling = tell(kind, leg);
    struct cl_status status = report(id, &telling);
    if (cl_failed(status)) {
        fail_msg("%d of %d: %s %s", kind, leg, cl_status_name(status), effect.field.text);
    }
}

static enum cl_reason told_again(const char *id, struct telling telling, const char *reference)
{
    telling.milestone.reference = cl_arena_text(kit.arena, reference);
    return report(id, &telling).reason;
}

static int state_of(const char *id)
{
    return kit_row(id).state;
}

/* Covers: COL-MIL-005 */
static void contracts_are_signed_in_time_or_cancelled(void **state)
{
    (void)state;
    const char *id = kit_stand(1, place_of(CASE_CONFIRMED));
    must(id, KIND(SIGNED), FUND_LEG);
    assert_int_equal(state_of(id), CASE_SIGNING);
    kit.now_ms = KIT_START_MS + KIT_OFFER_MS;
    struct telling late = tell(KIND(SIGNED), BANK_LEG);
    assert_int_equal(report(id, &late).reason, CL_OFFER_EXPIRED);
    late.milestone.happened_ms = kit.now_ms - 1; /* reported late, signed in time */
    assert_int_equal(report(id, &late).reason, CL_OK);
    assert_int_equal(state_of(id), CASE_SIGNED);
    struct telling early = tell(KIND(REGISTRATION_FILED), NO_LEG);
    early.milestone.happened_ms = late.milestone.happened_ms - 1;
    assert_int_equal(report(id, &early).reason, CL_FIELD_INVALID);
    must(id, KIND(REGISTRATION_FILED), NO_LEG);
    assert_int_equal(state_of(id), CASE_REGISTERING);
}

/* Covers: COL-MIL-008 */
static void one_leg_is_an_alarm_two_are_a_loan(void **state)
{
    (void)state;
    const char *id = kit_stand(1, place_of(CASE_READY));
    must(id, KIND(DISBURSED), FUND_LEG);
    assert_int_equal(effect.alarm, CASE_ALARM_HALF_DISBURSED);
    assert_int_equal(state_of(id), CASE_HALF_DISBURSED);
    int64_t due[DUE_KINDS_MAX];
    struct store_tx *tx = store_fixture_begin(kit.fixture);
    assert_int_equal(due_of(due, store_tx_sql(tx), id).reason, CL_OK);
    assert_int_equal(store_fixture_end(kit.fixture, cl_ok()).reason, CL_OK);
    assert_true(due[DUE_HALF_PAID] > kit.now_ms && due[DUE_HALF_PAID] <= kit.now_ms + 24 * 60 * KIT_MINUTE_MS);
    must(id, KIND(DISBURSED), BANK_LEG);
    assert_int_equal(effect.alarm, CASE_ALARM_NONE);
    assert_int_equal(state_of(id), CASE_REPAYING);
    tx = store_fixture_begin(kit.fixture);
    assert_int_equal(due_of(due, store_tx_sql(tx), id).reason, CL_OK);
    struct vault_values values;
    assert_int_equal(vault_list(&values, store_tx_sql(tx), kit.vault, kit.arena, id).reason, CL_OK);
    assert_int_equal(store_fixture_end(kit.fixture, cl_ok()).reason, CL_OK);
    assert_int_equal(due[DUE_HALF_PAID], 0);
    assert_string_equal(values.values[1].path, "milestones[1].account"); /* each leg's account, sealed */
    assert_string_equal(values.values[2].path, "milestones[2].account");
    assert_false(database_holds("6222020200112233445"));
}

/* Covers: COL-MIL-003 */
static void the_balance_is_followed_to_the_end(void **state)
{
    (void)state;
    const char *id = kit_stand(1, place_of(CASE_REPAYING));
    must(id, KIND(REPAID), FUND_LEG); /* 100,000 fen */
    struct telling again = tell(KIND(REPAID), FUND_LEG);
    assert_int_equal(report(id, &again).reason, CL_REFERENCE_USED);
    assert_int_equal(told_again(id, again, "R-2"), CL_AMOUNT_INVALID); /* from the old balance */
    again.milestone.balance_fen -= 100000;
    assert_int_equal(told_again(id, again, "R-2"), CL_OK);
    again.milestone.balance_fen -= 100000;
    again.milestone.happened_ms -= 1;
    assert_int_equal(told_again(id, again, "R-3"), CL_FIELD_INVALID); /* before the last one */
    struct telling end = tell(KIND(SETTLED), FUND_LEG);
    assert_int_equal(report(id, &end).reason, CL_AMOUNT_INVALID); /* the whole leg again */
    end.milestone.amount_fen = KIT_FUND_FEN - 200000;
    assert_int_equal(report(id, &end).reason, CL_OK);
    assert_int_equal(state_of(id), CASE_REPAYING);
    assert_int_equal(report(id, &end).reason, CL_REFERENCE_USED);
    must(id, KIND(SETTLED), BANK_LEG);
    assert_int_equal(state_of(id), CASE_SETTLED);
    must(id, KIND(MORTGAGE_RELEASED), NO_LEG);
    struct telling twice = tell(KIND(MORTGAGE_RELEASED), NO_LEG);
    assert_int_equal(told_again(id, twice, "R-9"), CL_STATE_CONFLICT);
}

/* A bank that sent the case in but lends no more may see it, and learns why it is not heard. */
/* Covers: COL-JNT-006, COL-MIL-001 */
static void a_bank_that_was_is_fenced_off(void **state)
{
    (void)state;
    const char *id = kit_stand(1, place_of(CASE_CONFIRMED));
    struct store_tx *tx = store_fixture_begin(kit.fixture);
    struct application_row row;
    assert_int_equal(applications_get(&row, store_tx_sql(tx), kit.arena, id).reason, CL_OK);
    row.bank = KIT_OTHER;
    row.bank_epoch = 2;
    assert_int_equal(applications_update(tx, &row).reason, CL_OK);
    assert_int_equal(store_fixture_end(kit.fixture, cl_ok()).reason, CL_OK);
    struct telling old = tell(KIND(SIGNED), BANK_LEG);
    assert_int_equal(report(id, &old).reason, CL_STALE_EPOCH);
    old.milestone.bank_epoch = 2;
    assert_int_equal(report(id, &old).reason, CL_STALE_EPOCH);
    old.sender = KIT_OTHER;
    assert_int_equal(report(id, &old).reason, CL_OK);
}

int main(void)
{
    if (kit_open() != 0) {
        return 1;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_milestone_fits_where_the_tables_say, kit_set_up, kit_tear_down),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_refused_and_changes_nothing, kit_set_up, kit_tear_down),
        cmocka_unit_test_setup_teardown(contracts_are_signed_in_time_or_cancelled, kit_set_up, kit_tear_down),
        cmocka_unit_test_setup_teardown(one_leg_is_an_alarm_two_are_a_loan, kit_set_up, kit_tear_down),
        cmocka_unit_test_setup_teardown(the_balance_is_followed_to_the_end, kit_set_up, kit_tear_down),
        cmocka_unit_test_setup_teardown(a_bank_that_was_is_fenced_off, kit_set_up, kit_tear_down),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    kit_close();
    return failed;
}
