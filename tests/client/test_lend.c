/* What the sample bank reports after an approval: one thing for each state that waits for it, nothing for the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "client/bank/lend.h"
#include "libcoloan/limits.h"
#include "libcoloan/personal.h"

#define STATE(name)    COLOAN__V1__CASE_STATE__CASE_STATE_##name
#define FUND(name)     COLOAN__V1__FUND_TRACK__FUND_TRACK_##name
#define BANK(name)     COLOAN__V1__BANK_TRACK__BANK_TRACK_##name
#define KIND(name)     COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_##name
#define LEG(name)      COLOAN__V1__LEG__LEG_##name
#define APPLICATION_ID "019357a0-0000-7000-8000-000000000001"

static struct cl_arena *arena;
static const char *contract_no = "TEST-P01";

static int begin(void **state)
{
    (void)state;
    return cl_failed(cl_arena_create(&arena, CL_MESSAGE_ARENA_BYTES_MAX)) ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    cl_arena_free(arena);
    return 0;
}

static struct cl_status next(bool *more, Coloan__V1__Milestone **milestone, Coloan__V1__Disclosure **account,
                             const Coloan__V1__ApplicationStatus *status, const char *number)
{
    Coloan__V1__LoanPart fund = COLOAN__V1__LOAN_PART__INIT;
    Coloan__V1__LoanPart commercial = COLOAN__V1__LOAN_PART__INIT;
    Coloan__V1__OfferTerms terms = COLOAN__V1__OFFER_TERMS__INIT;
    const struct bank_lending lending = {.prefix = "AL",
                                         .contract_no = contract_no,
                                         .account = number,
                                         .now_ms = 1795500000000,
                                         .random = cl_random_system()};
    fund.amount_fen = 80000000;
    commercial.amount_fen = 24000000;
    terms.fund = &fund;
    terms.commercial = &commercial;
    return bank_lend_next(more, milestone, account, arena, status, &terms, &lending);
}

static Coloan__V1__ApplicationStatus status_of(Coloan__V1__CaseState state, Coloan__V1__FundTrack fund,
                                               Coloan__V1__BankTrack bank)
{
    static char id[] = APPLICATION_ID;
    Coloan__V1__ApplicationStatus status = COLOAN__V1__APPLICATION_STATUS__INIT;
    status.application_id = id;
    status.bank_epoch = 2;
    status.state = state;
    status.fund = fund;
    status.bank_track = bank;
    return status;
}

static void each_state_asks_for_one_thing(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        Coloan__V1__CaseState state;
        Coloan__V1__FundTrack fund;
        Coloan__V1__BankTrack bank;
        Coloan__V1__MilestoneKind kind; /* UNSPECIFIED: nothing */
        Coloan__V1__Leg leg;
        int64_t amount_fen;
    } rows[] = {
        {"approved, not confirmed", STATE(APPROVED), FUND(APPROVED), BANK(APPROVED), KIND(UNSPECIFIED),
         LEG(UNSPECIFIED), 0},
        {"confirmed", STATE(CONFIRMED), FUND(CONFIRMED), BANK(APPROVED), KIND(SIGNED), LEG(FUND), 0},
        {"ours is signed already", STATE(SIGNING), FUND(CONFIRMED), BANK(SIGNED), KIND(SIGNED), LEG(FUND), 0},
        {"the fund's is signed", STATE(SIGNING), FUND(SIGNED), BANK(APPROVED), KIND(SIGNED), LEG(COMMERCIAL), 0},
        {"signed", STATE(SIGNED), FUND(SIGNED), BANK(SIGNED), KIND(REGISTRATION_FILED), LEG(UNSPECIFIED), 0},
        {"signed, fund alone", STATE(SIGNED), FUND(SIGNED), BANK(NOT_NEEDED), KIND(REGISTRATION_FILED),
         LEG(UNSPECIFIED), 0},
        {"registering", STATE(REGISTERING), FUND(SIGNED), BANK(SIGNED), KIND(UNSPECIFIED), LEG(UNSPECIFIED), 0},
        {"checking", STATE(CHECKING), FUND(SIGNED), BANK(SIGNED), KIND(UNSPECIFIED), LEG(UNSPECIFIED), 0},
        {"held", STATE(HELD), FUND(SIGNED), BANK(SIGNED), KIND(UNSPECIFIED), LEG(UNSPECIFIED), 0},
        {"ready", STATE(READY), FUND(SIGNED), BANK(SIGNED), KIND(DISBURSED), LEG(FUND), 80000000},
        {"half paid", STATE(HALF_DISBURSED), FUND(DISBURSED), BANK(SIGNED), KIND(DISBURSED), LEG(COMMERCIAL), 24000000},
        {"half paid the other way", STATE(HALF_DISBURSED), FUND(SIGNED), BANK(DISBURSED), KIND(DISBURSED), LEG(FUND),
         80000000},
        {"repaying", STATE(REPAYING), FUND(DISBURSED), BANK(DISBURSED), KIND(UNSPECIFIED), LEG(UNSPECIFIED), 0},
        {"offered", STATE(OFFERED), FUND(APPROVED), BANK(PENDING), KIND(UNSPECIFIED), LEG(UNSPECIFIED), 0},
        {"withdrawn", STATE(WITHDRAWN), FUND(WITHDRAWN), BANK(RELEASED), KIND(UNSPECIFIED), LEG(UNSPECIFIED), 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Coloan__V1__ApplicationStatus status = status_of(rows[i].state, rows[i].fund, rows[i].bank);
        Coloan__V1__Milestone *milestone = NULL;
        Coloan__V1__Disclosure *account = NULL;
        bool more = false;
        assert_true(cl_is_ok(next(&more, &milestone, &account, &status, "990000000000000017")));
        if (more != (rows[i].kind != KIND(UNSPECIFIED))) {
            fail_msg("%s", rows[i].name);
        }
        if (!more) {
            continue;
        }
        assert_int_equal(milestone->kind, rows[i].kind);
        assert_int_equal(milestone->leg, rows[i].leg);
        assert_int_equal(milestone->amount_fen, rows[i].amount_fen);
        assert_int_equal(milestone->bank_epoch, 2);
        assert_in_range(strlen(milestone->reference), 1, CL_TEXT_BYTES_MAX);
        assert_int_equal(account != NULL, rows[i].kind == KIND(DISBURSED));
    }
}

static void an_account_is_committed_to_and_disclosed(void **state)
{
    (void)state;
    Coloan__V1__ApplicationStatus status = status_of(STATE(READY), FUND(SIGNED), BANK(SIGNED));
    Coloan__V1__Milestone *milestone = NULL;
    Coloan__V1__Disclosure *account = NULL;
    struct cl_digest commitment;
    bool more = false;
    assert_true(cl_is_ok(next(&more, &milestone, &account, &status, "990000000000000017")));
    cl_commitment(&commitment, "account", cl_bytes(account->salt.data, account->salt.len),
                  cl_bytes(account->value.data, account->value.len));
    assert_true(cl_bytes_equal(cl_bytes(milestone->account.data, milestone->account.len),
                               cl_bytes(commitment.bytes, CL_DIGEST_BYTES)));
    assert_int_equal(next(&more, &milestone, &account, &status, "").reason, CL_FIELD_INVALID);
}

static void the_reference_is_the_same_when_it_is_made_anew(void **state)
{
    (void)state;
    Coloan__V1__ApplicationStatus status = status_of(STATE(READY), FUND(SIGNED), BANK(SIGNED));
    Coloan__V1__Milestone *first = NULL, *again = NULL, *other = NULL;
    Coloan__V1__Disclosure *account = NULL;
    bool more = false;
    assert_true(cl_is_ok(next(&more, &first, &account, &status, "990000000000000017")));
    assert_true(cl_is_ok(next(&more, &again, &account, &status, "990000000000000017")));
    assert_string_equal(first->reference, again->reference);
    status = status_of(STATE(HALF_DISBURSED), FUND(DISBURSED), BANK(SIGNED));
    assert_true(cl_is_ok(next(&more, &other, &account, &status, "990000000000000017")));
    assert_string_not_equal(first->reference, other->reference);
}

static void a_filing_has_the_registers_number(void **state)
{
    (void)state;
    Coloan__V1__ApplicationStatus status = status_of(STATE(SIGNED), FUND(SIGNED), BANK(SIGNED));
    Coloan__V1__Milestone *milestone = NULL;
    Coloan__V1__Disclosure *account = NULL;
    bool more = false;
    assert_true(cl_is_ok(next(&more, &milestone, &account, &status, "990000000000000017")));
    assert_true(more);
    assert_string_equal(milestone->reference, "REG-104000000-TEST-P01");
    contract_no = "";
    assert_true(cl_is_ok(next(&more, &milestone, &account, &status, "990000000000000017")));
    assert_false(more);                                                              /* a person files */
    contract_no = "TEST-4567890123456789012345678901234567890123456789012345678901"; /* no room around it */
    assert_true(cl_is_ok(next(&more, &milestone, &account, &status, "990000000000000017")));
    assert_false(more);
    contract_no = "TEST-P01";
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(each_state_asks_for_one_thing, begin, end),
        cmocka_unit_test_setup_teardown(an_account_is_committed_to_and_disclosed, begin, end),
        cmocka_unit_test_setup_teardown(a_filing_has_the_registers_number, begin, end),
        cmocka_unit_test_setup_teardown(the_reference_is_the_same_when_it_is_made_anew, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
