/* Intake: a right application passes; each single thing wrong with it is refused with its reason and its field. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "tests/server/domain/world.h"

static const struct persona couple = {
    .name = "couple",
    .persons = {{.id_number = "990101199006010018", .base_yuan = 20000, .balance_yuan = 90000},
                {.id_number = "990101199107040021", .base_yuan = 16000, .balance_yuan = 60000}},
    .price_yuan = 2000000,
    .total_yuan = 1500000,
    .fund_yuan = 900000,
};

static const uint8_t digest[CL_DIGEST_BYTES] = {2};
static const char too_long[] =
    "ttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt"
    "tttttttttttttttttttttttttttttttttttttttttttttttt";

/* Each function spoils one thing; its row says what must be said of it. */
#define SPOIL(name, change)                                                                                            \
    static void name(struct application *a)                                                                            \
    {                                                                                                                  \
        change;                                                                                                        \
    }

SPOIL(nothing, (void)a)
SPOIL(no_ref, a->external_ref = "")
SPOIL(long_ref, a->external_ref = too_long)
SPOIL(no_bank, a->bank = NULL)
SPOIL(nobody, a->person_count = 0)
SPOIL(crowd, a->person_count = CL_PERSONS_MAX + 1)
SPOIL(role_unknown, a->persons[0].role = PERSON_UNSPECIFIED)
SPOIL(role_new, a->persons[1].role = (enum person_role)4)
SPOIL(marital_unknown, a->persons[1].declared_marital_status = MARITAL_UNSPECIFIED)
SPOIL(staff_unknown, a->persons[0].staff_category = (enum staff_category)3)
SPOIL(staff_not_known, a->persons[0].staff_category = STAFF_UNSPECIFIED) /* RETIREMENT asks an officer then */
SPOIL(no_name, a->persons[1].name = NULL)
SPOIL(long_name, a->persons[1].name = too_long)
SPOIL(no_id, a->persons[0].id_number = NULL)
SPOIL(wrong_id, a->persons[1].id_number = "990101199107040022")
SPOIL(unborn, a->persons[1].id_number = "990101202612010012")
SPOIL(no_mobile, a->persons[0].mobile = "")
SPOIL(two_borrowers, a->persons[1].role = PERSON_BORROWER)
SPOIL(borrower_second, a->persons[0].role = PERSON_SPOUSE; a->persons[1].role = PERSON_BORROWER)
SPOIL(borrower_pays_nothing, a->persons[0].contributes = false)
SPOIL(married_alone, a->person_count = 1)
SPOIL(single_with_spouse, a->persons[0].declared_marital_status = MARITAL_SINGLE)
SPOIL(spouse_single, a->persons[1].declared_marital_status = MARITAL_SINGLE)
SPOIL(spouse_as_friend, a->persons[1].role = PERSON_CO_BORROWER)
SPOIL(twice, a->persons[1].id_number = a->persons[0].id_number)
SPOIL(employer, a->persons[1].employer_uscc = "91990000MA0000015Q")
SPOIL(wrong_employer, a->persons[1].employer_uscc = "91990000MA0000015P")
SPOIL(elsewhere, a->persons[0].contribution_centre = "320100000000000")
SPOIL(short_centre, a->persons[0].contribution_centre = "32010000000000")
SPOIL(long_centre, a->persons[0].contribution_centre = "3201000000000001")
SPOIL(lettered_centre, a->persons[0].contribution_centre = "32010000000000X")
SPOIL(elsewhere_nothing, a->persons[1].contributes = false; a->persons[1].contribution_centre = "320100000000000")
SPOIL(id_until, a->persons[0].id_valid_until = 20280229)
SPOIL(id_for_long, a->persons[0].id_valid_until = APPLICATION_ID_LONG_TERM)
SPOIL(id_until_no_day, a->persons[0].id_valid_until = 20270229)
SPOIL(id_until_negative, a->persons[0].id_valid_until = -1)
SPOIL(face, a->persons[0].face_token = "CTID-2026.1_a/b=")
SPOIL(face_of_two_words, a->persons[0].face_token = "two words")
SPOIL(long_face, a->persons[0].face_token = too_long)
SPOIL(permit, a->home.permit_no = "宁房销第2026100001号")
SPOIL(long_permit, a->home.permit_no = too_long)
SPOIL(permit_used, a->home.kind = HOME_SECOND_HAND; a->home.seller_uscc = ""; a->home.permit_no = "1")
SPOIL(account, a->has_account = true; a->account = "6222000000000001")
SPOIL(account_missing, a->has_account = true)
SPOIL(short_account, a->has_account = true; a->account = "6222000")
SPOIL(long_account, a->has_account = true; a->account = "622200000000000100000000000000001")
SPOIL(lettered_account, a->has_account = true; a->account = "6222-0000-0000-1")
SPOIL(home_kind, a->home.kind = HOME_UNSPECIFIED)
SPOIL(presale_used, a->home.kind = HOME_SECOND_HAND; a->home.presale = true)
SPOIL(presale_new, a->home.presale = true)
SPOIL(no_contract, a->home.contract_no = "")
SPOIL(no_unit, a->home.unit_no = "")
SPOIL(null_unit, a->home.unit_no = NULL)
SPOIL(wrong_unit, a->home.unit_no = "320102001001GB00001X00010001")
SPOIL(no_district, a->home.district_code = "")
SPOIL(wrong_district, a->home.district_code = "160101")
SPOIL(wrong_seller, a->home.seller_uscc = "91990000MA0000016Q")
SPOIL(no_seller, a->home.seller_uscc = "")
SPOIL(no_seller_used, a->home.kind = HOME_SECOND_HAND; a->home.seller_uscc = "")
SPOIL(no_price, a->home.price_fen = 0)
SPOIL(high_price, a->home.price_fen = APPLICATION_AMOUNT_FEN_MAX + 1)
SPOIL(low_appraisal, a->home.kind = HOME_SECOND_HAND; a->home.appraisal_fen = -1)
SPOIL(new_appraised, a->home.appraisal_fen = 100)
SPOIL(no_area, a->home.area_centi_m2 = 0)
SPOIL(large_area, a->home.area_centi_m2 = APPLICATION_AREA_CENTI_M2_MAX + 1)
SPOIL(built_this_year, a->home.built_year = 2026)
SPOIL(built_next_year, a->home.built_year = 2027)
SPOIL(built_long_ago, a->home.built_year = 1899)
SPOIL(total_negative, a->request.total_fen = -1)
SPOIL(total_is_price, a->request.total_fen = a->home.price_fen)
SPOIL(total_below_price, a->request.total_fen = a->home.price_fen - 1)
SPOIL(total_open, a->request.total_fen = 0)
SPOIL(fund_negative, a->request.fund_fen = -1)
SPOIL(fund_above_total, a->request.fund_fen = a->request.total_fen + 1)
SPOIL(fund_is_total, a->request.fund_fen = a->request.total_fen)
SPOIL(fund_above_price, a->request.total_fen = 0; a->request.fund_fen = a->home.price_fen)
SPOIL(term_11, a->request.term_months = 11)
SPOIL(term_12, a->request.term_months = 12)
SPOIL(term_480, a->request.term_months = 480)
SPOIL(term_481, a->request.term_months = 481)
SPOIL(method_unknown, a->request.method = (enum cl_repayment)3)
SPOIL(no_consents, a->consent_count = 0)
SPOIL(one_consent_less, a->consent_count--)
SPOIL(crowd_of_consents, a->consent_count = CL_CONSENTS_MAX + 1)
SPOIL(consent_unnamed, a->consents[2].consent_id = "")
SPOIL(consent_of_nobody, a->consents[2].person = 2)
SPOIL(consent_to_stranger, a->consents[2].receiver = "cn-bank-02")
SPOIL(consent_to_no_one, a->consents[2].receiver = NULL)
SPOIL(consent_for_what, a->consents[2].purpose = CONSENT_UNSPECIFIED)
SPOIL(consent_ended, a->consents[7].until_ms = world_now_ms())
SPOIL(consent_ends_soon, a->consents[7].until_ms = world_now_ms() + 1)
SPOIL(consent_without_letter, a->consents[1].document_sha256 = cl_bytes(NULL, 0))
SPOIL(consent_short_digest, a->consents[1].document_sha256.len = 31)
SPOIL(consent_id_twice, a->consents[3].consent_id = a->consents[0].consent_id)
SPOIL(consent_for_other, a->consents[3].purpose = CONSENT_VERIFY)
SPOIL(consent_of_other, a->consents[4].person = 0)
SPOIL(document, a->documents[0] = ((struct document){"contract", cl_bytes(digest, sizeof digest), 1});
      a->document_count = 1)
SPOIL(document_unnamed, document(a); a->documents[0].kind = "")
SPOIL(document_digest, document(a); a->documents[0].sha256.len = 33)
SPOIL(document_empty, document(a); a->documents[0].size_bytes = 0)
SPOIL(document_large, document(a); a->documents[0].size_bytes = CL_DOCUMENT_BYTES_MAX + 1)
SPOIL(crowd_of_documents, a->document_count = CL_DOCUMENTS_MAX + 1)

static const struct {
    void (*spoil)(struct application *application);
    enum cl_reason reason;
    const char *path;
} rows[] = {
    {nothing, CL_OK, ""},
    {no_ref, CL_FIELD_MISSING, "external_ref"},
    {long_ref, CL_FIELD_INVALID, "external_ref"},
    {no_bank, CL_FIELD_MISSING, "bank"},
    {nobody, CL_PERSONS_INVALID, "persons"},
    {crowd, CL_PERSONS_INVALID, "persons"},
    {role_unknown, CL_ENUM_UNKNOWN, "persons[0].role"},
    {role_new, CL_ENUM_UNKNOWN, "persons[1].role"},
    {marital_unknown, CL_ENUM_UNKNOWN, "persons[1].declared_marital_status"},
    {staff_unknown, CL_ENUM_UNKNOWN, "persons[0].staff_category"},
    {staff_not_known, CL_OK, ""},
    {no_name, CL_FIELD_MISSING, "persons[1].name"},
    {long_name, CL_FIELD_INVALID, "persons[1].name"},
    {no_id, CL_ID_NUMBER_INVALID, "persons[0].id_number"},
    {wrong_id, CL_ID_NUMBER_INVALID, "persons[1].id_number"},
    {unborn, CL_ID_NUMBER_INVALID, "persons[1].id_number"},
    {no_mobile, CL_FIELD_INVALID, "persons[0].mobile"},
    {two_borrowers, CL_PERSONS_INVALID, "persons"},
    {borrower_second, CL_PERSONS_INVALID, "persons"},
    {borrower_pays_nothing, CL_PERSONS_INVALID, "persons[0].contributes"},
    {married_alone, CL_PERSONS_INVALID, "persons"},
    {single_with_spouse, CL_PERSONS_INVALID, "persons"},
    {spouse_single, CL_PERSONS_INVALID, "persons[1].declared_marital_status"},
    {spouse_as_friend, CL_PERSONS_INVALID, "persons"},
    {twice, CL_PERSONS_INVALID, "persons[1].id_number"},
    {employer, CL_OK, ""},
    {wrong_employer, CL_USCC_INVALID, "persons[1].employer_uscc"},
    {elsewhere, CL_OK, ""},
    {short_centre, CL_FIELD_INVALID, "persons[0].contribution_centre"},
    {long_centre, CL_FIELD_INVALID, "persons[0].contribution_centre"},
    {lettered_centre, CL_FIELD_INVALID, "persons[0].contribution_centre"},
    {elsewhere_nothing, CL_FIELD_INVALID, "persons[1].contribution_centre"},
    {id_until, CL_OK, ""},
    {id_for_long, CL_OK, ""},
    {id_until_no_day, CL_FIELD_INVALID, "persons[0].id_valid_until"},
    {id_until_negative, CL_FIELD_INVALID, "persons[0].id_valid_until"},
    {face, CL_OK, ""},
    {face_of_two_words, CL_FIELD_INVALID, "persons[0].face_token"},
    {long_face, CL_FIELD_INVALID, "persons[0].face_token"},
    {permit, CL_OK, ""},
    {long_permit, CL_FIELD_INVALID, "home.permit_no"},
    {permit_used, CL_FIELD_INVALID, "home.permit_no"},
    {account, CL_OK, ""},
    {account_missing, CL_FIELD_INVALID, "account"},
    {short_account, CL_FIELD_INVALID, "account"},
    {long_account, CL_FIELD_INVALID, "account"},
    {lettered_account, CL_FIELD_INVALID, "account"},
    {home_kind, CL_ENUM_UNKNOWN, "home.kind"},
    {presale_used, CL_FIELD_INVALID, "home.presale"},
    {presale_new, CL_OK, ""},
    {no_contract, CL_FIELD_MISSING, "home.contract_no"},
    {no_unit, CL_OK, ""},
    {null_unit, CL_OK, ""},
    {wrong_unit, CL_UNIT_NUMBER_INVALID, "home.unit_no"},
    {no_district, CL_FIELD_INVALID, "home.district_code"},
    {wrong_district, CL_FIELD_INVALID, "home.district_code"},
    {wrong_seller, CL_USCC_INVALID, "home.seller_uscc"},
    {no_seller, CL_FIELD_MISSING, "home.seller_uscc"},
    {no_seller_used, CL_OK, ""},
    {no_price, CL_AMOUNT_INVALID, "home.price_fen"},
    {high_price, CL_AMOUNT_INVALID, "home.price_fen"},
    {low_appraisal, CL_AMOUNT_INVALID, "home.appraisal_fen"},
    {new_appraised, CL_AMOUNT_INVALID, "home.appraisal_fen"},
    {no_area, CL_FIELD_INVALID, "home.area_centi_m2"},
    {large_area, CL_FIELD_INVALID, "home.area_centi_m2"},
    {built_this_year, CL_OK, ""},
    {built_next_year, CL_FIELD_INVALID, "home.built_year"},
    {built_long_ago, CL_FIELD_INVALID, "home.built_year"},
    {total_negative, CL_AMOUNT_INVALID, "request.total_fen"},
    {total_is_price, CL_AMOUNT_INVALID, "request.total_fen"},
    {total_below_price, CL_OK, ""},
    {total_open, CL_OK, ""},
    {fund_negative, CL_AMOUNT_INVALID, "request.fund_fen"},
    {fund_above_total, CL_AMOUNT_INVALID, "request.fund_fen"},
    {fund_is_total, CL_OK, ""},
    {fund_above_price, CL_AMOUNT_INVALID, "request.fund_fen"},
    {term_11, CL_TERM_INVALID, "request.term_months"},
    {term_12, CL_OK, ""},
    {term_480, CL_OK, ""},
    {term_481, CL_TERM_INVALID, "request.term_months"},
    {method_unknown, CL_ENUM_UNKNOWN, "request.method"},
    {no_consents, CL_CONSENT_MISSING, "consents"},
    {one_consent_less, CL_CONSENT_MISSING, "consents"},
    {crowd_of_consents, CL_FIELD_INVALID, "consents"},
    {consent_unnamed, CL_FIELD_MISSING, "consents[2].consent_id"},
    {consent_of_nobody, CL_CONSENT_INVALID, "consents[2].person"},
    {consent_to_stranger, CL_CONSENT_INVALID, "consents[2].receiver"},
    {consent_to_no_one, CL_CONSENT_INVALID, "consents[2].receiver"},
    {consent_for_what, CL_ENUM_UNKNOWN, "consents[2].purpose"},
    {consent_ended, CL_CONSENT_INVALID, "consents[7].until_ms"},
    {consent_ends_soon, CL_OK, ""},
    {consent_without_letter, CL_FIELD_MISSING, "consents[1].document_sha256"},
    {consent_short_digest, CL_FIELD_INVALID, "consents[1].document_sha256"},
    {consent_id_twice, CL_CONSENT_INVALID, "consents[3].consent_id"},
    {consent_for_other, CL_CONSENT_MISSING, "consents"},
    {consent_of_other, CL_CONSENT_MISSING, "consents"},
    {document, CL_OK, ""},
    {document_unnamed, CL_FIELD_MISSING, "documents[0].kind"},
    {document_digest, CL_FIELD_INVALID, "documents[0].sha256"},
    {document_empty, CL_FIELD_INVALID, "documents[0].size_bytes"},
    {document_large, CL_FIELD_INVALID, "documents[0].size_bytes"},
    {crowd_of_documents, CL_FIELD_INVALID, "documents"},
};

/* Covers: COL-SUB-001, COL-SUB-002, COL-SUB-004, COL-SUB-005, COL-CON-001 */
static void every_single_fault_is_named(void **state)
{
    (void)state;
    struct intake intake = {.centre = WORLD_CENTRE, .now_ms = world_now_ms(), .accept_synthetic_ids = true};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct world_case world;
        struct field_path path = {""};
        persona_case(&world, &couple, world_now_ms());
        rows[i].spoil(&world.application);
        struct cl_status status = intake_check(&path, &world.application, &intake);
        if (status.reason != rows[i].reason || strcmp(path.text, rows[i].path) != 0) {
            fail_msg("row %zu: %s %s, not %s", i, cl_status_name(status), path.text, rows[i].path);
        }
        assert_int_equal(intake_check(NULL, &world.application, &intake).reason, rows[i].reason);
    }
}

/* Covers: COL-SUB-006 */
static void synthetic_numbers_only_when_switched_on(void **state)
{
    (void)state;
    struct intake intake = {.centre = WORLD_CENTRE, .now_ms = world_now_ms()};
    struct world_case world;
    struct field_path path = {""};
    persona_case(&world, &couple, world_now_ms());
    assert_int_equal(intake_check(&path, &world.application, &intake).reason, CL_ID_NUMBER_INVALID);
    assert_string_equal(path.text, "persons[0].id_number");
}

static void intake_learns_birth_date_and_sex(void **state)
{
    (void)state;
    struct intake intake = {.centre = WORLD_CENTRE, .now_ms = world_now_ms(), .accept_synthetic_ids = true};
    struct world_case world;
    persona_case(&world, &couple, world_now_ms());
    world.application.persons[0].birth_date = 0;
    world.application.persons[1].sex = CL_SEX_UNSPECIFIED;
    assert_int_equal(intake_check(NULL, &world.application, &intake).reason, CL_OK);
    assert_int_equal(world.application.persons[0].birth_date, 19900601);
    assert_int_equal(world.application.persons[0].sex, CL_SEX_MALE);
    assert_int_equal(world.application.persons[1].birth_date, 19910704);
    assert_int_equal(world.application.persons[1].sex, CL_SEX_FEMALE);
}

static void consents_end(void **state)
{
    (void)state;
    struct world_case world;
    persona_case(&world, &couple, world_now_ms());
    int64_t until_ms = world.application.consents[0].until_ms;
    assert_true(consents_in_force(&world.application, WORLD_CENTRE, until_ms - 1));
    assert_false(consents_in_force(&world.application, WORLD_CENTRE, until_ms));
    assert_false(consents_in_force(&world.application, "cn-fund-other", world_now_ms()));
}

static void the_price_base_is_the_lower_value_of_a_used_home(void **state)
{
    (void)state;
    static const struct {
        struct home home;
        int64_t base_fen;
    } homes[] = {
        {{.kind = HOME_NEW, .price_fen = 100, .appraisal_fen = 90}, 100},
        {{.kind = HOME_SECOND_HAND, .price_fen = 100, .appraisal_fen = 90}, 90},
        {{.kind = HOME_SECOND_HAND, .price_fen = 100, .appraisal_fen = 110}, 100},
        {{.kind = HOME_SECOND_HAND, .price_fen = 100, .appraisal_fen = 0}, 100},
    };
    for (size_t i = 0; i < sizeof homes / sizeof homes[0]; i++) {
        assert_int_equal(home_price_base_fen(&homes[i].home), homes[i].base_fen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_single_fault_is_named),
        cmocka_unit_test(synthetic_numbers_only_when_switched_on),
        cmocka_unit_test(intake_learns_birth_date_and_sex),
        cmocka_unit_test(consents_end),
        cmocka_unit_test(the_price_base_is_the_lower_value_of_a_used_home),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
