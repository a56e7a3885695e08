#include "sandbox/submission.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "libcoloan/limits.h"
#include "libcoloan/sha256.h"

#define YEAR_MS (INT64_C(365) * 24 * 3600 * 1000)
#define DAY_MS  (INT64_C(24) * 3600 * 1000)

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static json_t *enum_of(const char *prefix, const json_t *object, const char *key)
{
    return json_sprintf("%s_%s", prefix, text_of(object, key));
}

static json_t *make_person(const json_t *person)
{
    json_t *made =
        json_pack("{so so sO so}", "role", enum_of("PERSON_ROLE", person, "role"), "declaredMaritalStatus",
                  enum_of("MARITAL_STATUS", person, "declared"), "contributes", json_object_get(person, "contributes"),
                  "staffCategory", enum_of("STAFF_CATEGORY", person, "staff"));
    if (json_is_object(json_object_get(person, "also"))) {
        (void)json_object_update(made, json_object_get(person, "also"));
    }
    return made;
}

/* The letter behind a consent is a made-up one of its own. */
static json_t *letter_digest(const char *consent_id)
{
    char letter[128];
    char base64[sodium_base64_ENCODED_LEN(CL_DIGEST_BYTES, sodium_base64_VARIANT_ORIGINAL)];
    struct cl_digest digest;
    struct cl_sha256 hash;
    (void)snprintf(letter, sizeof letter, "letter of authorisation %s", consent_id);
    cl_sha256_init(&hash);
    cl_sha256_add(&hash, cl_bytes_text(letter));
    cl_sha256_finish(&hash, &digest);
    return json_string(
        sodium_bin2base64(base64, sizeof base64, digest.bytes, sizeof digest.bytes, sodium_base64_VARIANT_ORIGINAL));
}

/* What each person grants, and to whom: first the centre's, then the bank's. */
enum { NEEDED_COUNT = 4, NEEDED_BANK = 2 };

/* Each person, for each purpose and receiver from `first` on. */
static json_t *make_consents(const json_t *persona, const struct submission_options *options, size_t first)
{
    const struct {
        const char *purpose;
        const char *receiver;
    } needed[NEEDED_COUNT] = {
        {"CONSENT_PURPOSE_VERIFY", options->fund},
        {"CONSENT_PURPOSE_CREDIT_REPORT", options->fund},
        {"CONSENT_PURPOSE_CREDIT_REPORT", options->bank},
        {"CONSENT_PURPOSE_SHARE", options->bank},
    };
    size_t person_count = json_array_size(json_object_get(persona, "people"));
    json_t *consents = json_array();
    for (size_t person = 0; person < person_count; person++) {
        for (size_t i = first; i < NEEDED_COUNT; i++) {
            char consent_id[CL_TEXT_BYTES_MAX + 1];
            (void)snprintf(consent_id, sizeof consent_id, "%s-%zu-%zu", options->external_ref, person, i);
            json_t *consent =
                json_pack("{ss si ss ss sI so}", "consentId", consent_id, "person", (int)person, "purpose",
                          needed[i].purpose, "receiver", needed[i].receiver, "untilMs",
                          (json_int_t)(options->now_ms + YEAR_MS), "documentSha256", letter_digest(consent_id));
            (void)json_array_append_new(consents, consent);
        }
    }
    return consents;
}

static void put_personal(json_t *personal, size_t index, const char *field, const json_t *person)
{
    char path[48];
    (void)snprintf(path, sizeof path, "persons[%zu].%s", index, field);
    (void)json_object_set(personal, path, json_object_get(person, field));
}

json_t *submission_make_application(const json_t *persona, const struct submission_options *options)
{
    size_t index;
    json_t *person;
    const json_t *people = json_object_get(persona, "people");
    json_t *persons = json_array();
    json_t *personal = json_object();
    json_array_foreach(people, index, person)
    {
        (void)json_array_append_new(persons, make_person(person));
        put_personal(personal, index, "name", person);
        put_personal(personal, index, "id_number", person);
        put_personal(personal, index, "mobile", person);
    }
    (void)json_object_set(personal, "home.address", json_object_get(persona, "address"));
    if (json_object_get(persona, "account") != NULL) {
        (void)json_object_set(personal, "account", json_object_get(persona, "account"));
    }
    return json_pack("{s{ss ss so sO sO so} so}", "application", "externalRef", options->external_ref, "bank",
                     options->bank, "persons", persons, "home", json_object_get(persona, "home"), "request",
                     json_object_get(persona, "request"), "consents", make_consents(persona, options, 0), "personal",
                     personal);
}

json_t *submission_make_change(const json_t *persona, const struct submission_options *options)
{
    return json_pack("{ss so}", "bank", options->bank, "consents", make_consents(persona, options, NEEDED_BANK));
}

static json_t *make_result(const char *item, size_t person, bool passed, int64_t now_ms)
{
    return json_pack("{ss si ss ss ss sI sI}", "item", item, "person", (int)person, "outcome",
                     passed ? "ITEM_OUTCOME_PASS" : "ITEM_OUTCOME_FAIL", "authority", "bank", "sourceReceipt",
                     "SANDBOX-BANK", "observedMs", (json_int_t)now_ms, "validUntilMs",
                     (json_int_t)(now_ms + 30 * DAY_MS));
}

json_t *submission_make_bank_report(const json_t *persona, int64_t now_ms)
{
    size_t person;
    json_t *credit;
    const json_t *bank = json_object_get(persona, "bank");
    json_t *results = json_array();
    json_t *income = make_result("ITEM_INCOME", 0, true, now_ms);
    (void)json_object_set_new(
        income, "facts", json_pack("[{ss sO}]", "name", "monthly_fen", "number", json_object_get(bank, "income_fen")));
    (void)json_array_append_new(results, income);
    json_array_foreach(json_object_get(bank, "credit"), person, credit)
    {
        bool passed = strcmp(json_string_value(credit), "PASS") == 0;
        (void)json_array_append_new(results, make_result("ITEM_CREDIT_BANK", person, passed, now_ms));
    }
    return json_pack("{so}", "results", results);
}
