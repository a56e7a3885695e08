/* submission: what is written fits the wire contract and keeps personal values apart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/verification.pb-c.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox/people.h"
#include "sandbox/submission.h"

#define NOW_MS INT64_C(1795500000000)

static const struct submission_options options = {
    .bank = "bank:cn-alpha-js", .fund = "fund:cn-nj-prov", .external_ref = "ref-1", .now_ms = NOW_MS};

/* "areaCentiM2" as "area_centi_m2". */
static const ProtobufCFieldDescriptor *field_of(const ProtobufCMessageDescriptor *message, const char *json_name)
{
    char name[64] = "";
    size_t len = 0;
    for (const char *at = json_name; *at != '\0' && len + 2 < sizeof name; at++) {
        if (isupper(*at)) {
            name[len++] = '_';
        }
        name[len++] = (char)tolower(*at);
    }
    return protobuf_c_message_descriptor_get_field_by_name(message, name);
}

static void assert_fits(json_t *object, const ProtobufCMessageDescriptor *message);

static void assert_value_fits(json_t *value, const ProtobufCFieldDescriptor *field)
{
    switch ((int)field->type) {
    case PROTOBUF_C_TYPE_MESSAGE:
        assert_fits(value, field->descriptor);
        return;
    case PROTOBUF_C_TYPE_ENUM:
        assert_true(json_is_string(value));
        assert_non_null(protobuf_c_enum_descriptor_get_value_by_name(field->descriptor, json_string_value(value)));
        return;
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_BYTES:
        assert_true(json_is_string(value));
        return;
    case PROTOBUF_C_TYPE_BOOL:
        assert_true(json_is_boolean(value));
        return;
    default:
        assert_true(json_is_integer(value));
    }
}

static void assert_fits(json_t *object, const ProtobufCMessageDescriptor *message)
{
    const char *key;
    json_t *value;
    size_t index;
    json_t *element;
    assert_true(json_is_object(object));
    json_object_foreach(object, key, value)
    {
        const ProtobufCFieldDescriptor *field = field_of(message, key);
        if (field == NULL) {
            fail_msg("%s has no field %s", message->short_name, key);
            return;
        }
        assert_int_equal(json_is_array(value), field->label == PROTOBUF_C_LABEL_REPEATED);
        if (!json_is_array(value)) {
            assert_value_fits(value, field);
        }
        json_array_foreach(value, index, element)
        {
            assert_value_fits(element, field);
        }
    }
}

/* No personal value may stand in the part that will be signed. */
static void assert_apart(const json_t *submission)
{
    const char *path;
    json_t *value;
    char *signed_part = json_dumps(json_object_get(submission, "application"), JSON_COMPACT);
    json_object_foreach(json_object_get(submission, "personal"), path, value)
    {
        assert_true(json_string_length(value) > 0);
        assert_null(strstr(signed_part, json_string_value(value)));
    }
    free(signed_part);
}

static void check_application(const json_t *persona)
{
    json_t *submission = submission_make_application(persona, &options);
    json_t *application = json_object_get(submission, "application");
    const json_t *personal = json_object_get(submission, "personal");
    size_t persons = json_array_size(json_object_get(persona, "people"));
    assert_int_equal(json_object_size(submission), 2);
    assert_fits(application, &coloan__v1__application__descriptor);
    assert_apart(submission);
    assert_int_equal(json_array_size(json_object_get(application, "persons")), persons);
    assert_int_equal(json_array_size(json_object_get(application, "consents")), 4 * persons);
    assert_int_equal(json_object_size(personal), 3 * persons + (json_object_get(persona, "account") == NULL ? 1 : 2));
    assert_non_null(json_object_get(personal, "persons[0].id_number"));
    assert_non_null(json_object_get(personal, "home.address"));
    json_decref(submission);
}

/* What the centre may see does not change with the bank. */
static void check_change(const json_t *persona)
{
    json_t *change = submission_make_change(persona, &options);
    const json_t *consents = json_object_get(change, "consents");
    size_t index;
    const json_t *consent;
    assert_fits(change, &coloan__v1__bank_change__descriptor);
    assert_string_equal(json_string_value(json_object_get(change, "bank")), options.bank);
    assert_int_equal(json_array_size(consents), 2 * json_array_size(json_object_get(persona, "people")));
    json_array_foreach(consents, index, consent)
    {
        assert_string_equal(json_string_value(json_object_get(consent, "receiver")), options.bank);
    }
    json_decref(change);
}

static void check_report(const json_t *persona)
{
    json_t *report = submission_make_bank_report(persona, NOW_MS);
    assert_fits(report, &coloan__v1__verification_report__descriptor);
    assert_int_equal(json_array_size(json_object_get(report, "results")),
                     1 + json_array_size(json_object_get(persona, "people")));
    json_decref(report);
}

static void everything_fits_the_contract(void **state)
{
    (void)state;
    struct people *people = NULL;
    struct sandbox_problem problem;
    assert_true(cl_is_ok(people_load(&people, COLOAN_SOURCE_DIR "/sandbox/personas.yaml", &problem)));
    for (size_t i = 0; people_at(people, i) != NULL; i++) {
        check_application(people_at(people, i));
        check_change(people_at(people, i));
        check_report(people_at(people, i));
    }
    for (uint64_t n = 0; n < 200; n++) {
        json_t *persona = people_make_generated(n);
        check_application(persona);
        check_change(persona);
        check_report(persona);
        json_decref(persona);
    }
    people_free(people);
}

static void consents_cover_each_purpose_and_receiver(void **state)
{
    (void)state;
    static const struct {
        const char *purpose, *receiver;
    } needed[] = {{"CONSENT_PURPOSE_VERIFY", "fund:cn-nj-prov"},
                  {"CONSENT_PURPOSE_CREDIT_REPORT", "fund:cn-nj-prov"},
                  {"CONSENT_PURPOSE_CREDIT_REPORT", "bank:cn-alpha-js"},
                  {"CONSENT_PURPOSE_SHARE", "bank:cn-alpha-js"}};
    json_t *persona = people_make_generated(7);
    json_t *submission = submission_make_application(persona, &options);
    const json_t *consents = json_object_get(json_object_get(submission, "application"), "consents");
    for (size_t i = 0; i < 4; i++) {
        const json_t *consent = json_array_get(consents, i);
        assert_string_equal(json_string_value(json_object_get(consent, "purpose")), needed[i].purpose);
        assert_string_equal(json_string_value(json_object_get(consent, "receiver")), needed[i].receiver);
        assert_int_equal(json_integer_value(json_object_get(consent, "untilMs")),
                         NOW_MS + INT64_C(365) * 24 * 3600 * 1000);
        assert_int_equal(json_string_length(json_object_get(consent, "documentSha256")), 44); /* 32 bytes */
        for (size_t j = 0; j < i; j++) {
            assert_false(json_equal(json_object_get(consent, "consentId"),
                                    json_object_get(json_array_get(consents, j), "consentId")));
        }
    }
    json_decref(submission);
    json_decref(persona);
}

static void a_bank_reports_what_it_knows(void **state)
{
    (void)state;
    struct people *people = NULL;
    struct sandbox_problem problem;
    assert_true(cl_is_ok(people_load(&people, COLOAN_SOURCE_DIR "/sandbox/personas.yaml", &problem)));
    json_t *report = submission_make_bank_report(people_find(people, "P10"), NOW_MS);
    const json_t *results = json_object_get(report, "results");
    const json_t *income = json_array_get(json_object_get(json_array_get(results, 0), "facts"), 0);
    assert_string_equal(json_string_value(json_object_get(income, "name")), "monthly_fen");
    assert_int_equal(json_integer_value(json_object_get(income, "number")), 3200000);
    assert_string_equal(json_string_value(json_object_get(json_array_get(results, 1), "outcome")), "ITEM_OUTCOME_PASS");
    assert_string_equal(json_string_value(json_object_get(json_array_get(results, 2), "outcome")), "ITEM_OUTCOME_FAIL");
    json_decref(report);
    people_free(people);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_fits_the_contract),
        cmocka_unit_test(consents_cover_each_purpose_and_receiver),
        cmocka_unit_test(a_bank_reports_what_it_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
