#include "server/cases/convert.h"

#include <assert.h>
#include <coloan/v1/push.pb-c.h>
#include <stdio.h>
#include <string.h>

#include "libcoloan/dsse.h"
#include "libcoloan/personal.h"
#include "libcoloan/sha256.h"
#include "libcoloan/wirescan.h"
#include "server/domain/lifecycle.h"

/* -- The numbers are the same on both sides ------------------------------------------------------------------ */

#define SAME(domain, wire) _Static_assert((int)(domain) == (int)(wire), "the wire has another number")

SAME(PERSON_CO_BORROWER, COLOAN__V1__PERSON_ROLE__PERSON_ROLE_CO_BORROWER);
SAME(MARITAL_WIDOWED, COLOAN__V1__MARITAL_STATUS__MARITAL_STATUS_WIDOWED);
SAME(STAFF_CADRE, COLOAN__V1__STAFF_CATEGORY__STAFF_CATEGORY_CADRE);
SAME(HOME_SECOND_HAND, COLOAN__V1__HOME_KIND__HOME_KIND_SECOND_HAND);
SAME(CL_REPAYMENT_EQUAL_INSTALMENT, COLOAN__V1__REPAYMENT_METHOD__REPAYMENT_METHOD_EQUAL_INSTALMENT);
SAME(CL_REPAYMENT_EQUAL_PRINCIPAL, COLOAN__V1__REPAYMENT_METHOD__REPAYMENT_METHOD_EQUAL_PRINCIPAL);
SAME(CONSENT_VERIFY, COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_VERIFY);
SAME(CONSENT_CREDIT_REPORT, COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_CREDIT_REPORT);
SAME(CONSENT_SHARE, COLOAN__V1__CONSENT_PURPOSE__CONSENT_PURPOSE_SHARE);
SAME(ITEM_ID_NUMBER, COLOAN__V1__ITEM__ITEM_ID_NUMBER);
SAME(ITEM_IDENTITY, COLOAN__V1__ITEM__ITEM_IDENTITY);
SAME(ITEM_MARRIAGE, COLOAN__V1__ITEM__ITEM_MARRIAGE);
SAME(ITEM_CHILDREN, COLOAN__V1__ITEM__ITEM_CHILDREN);
SAME(ITEM_CONTRIBUTION, COLOAN__V1__ITEM__ITEM_CONTRIBUTION);
SAME(ITEM_LOAN_HISTORY, COLOAN__V1__ITEM__ITEM_LOAN_HISTORY);
SAME(ITEM_FRAUD_LIST, COLOAN__V1__ITEM__ITEM_FRAUD_LIST);
SAME(ITEM_CREDIT_FUND, COLOAN__V1__ITEM__ITEM_CREDIT_FUND);
SAME(ITEM_CREDIT_BANK, COLOAN__V1__ITEM__ITEM_CREDIT_BANK);
SAME(ITEM_HOME_COUNT, COLOAN__V1__ITEM__ITEM_HOME_COUNT);
SAME(ITEM_HOME_CONTRACT, COLOAN__V1__ITEM__ITEM_HOME_CONTRACT);
SAME(ITEM_GREEN_BUILDING, COLOAN__V1__ITEM__ITEM_GREEN_BUILDING);
SAME(ITEM_INCOME, COLOAN__V1__ITEM__ITEM_INCOME);
SAME(ITEM_RETIREMENT, COLOAN__V1__ITEM__ITEM_RETIREMENT);
SAME(ITEM_CONSENT, COLOAN__V1__ITEM__ITEM_CONSENT);
SAME(ITEM_FACE, COLOAN__V1__ITEM__ITEM_FACE);
SAME(ITEM_ID_DOCUMENT, COLOAN__V1__ITEM__ITEM_ID_DOCUMENT);
SAME(ITEM_MARRIAGE_PAIR, COLOAN__V1__ITEM__ITEM_MARRIAGE_PAIR);
SAME(ITEM_CONTRIBUTION_OFFSITE, COLOAN__V1__ITEM__ITEM_CONTRIBUTION_OFFSITE);
SAME(ITEM_COURT_LIST, COLOAN__V1__ITEM__ITEM_COURT_LIST);
SAME(ITEM_MORTGAGES, COLOAN__V1__ITEM__ITEM_MORTGAGES);
SAME(ITEM_PROJECT, COLOAN__V1__ITEM__ITEM_PROJECT);
SAME(ITEM_COMPLETION_FILING, COLOAN__V1__ITEM__ITEM_COMPLETION_FILING);
SAME(ITEM_SUPERVISION_ACCOUNT, COLOAN__V1__ITEM__ITEM_SUPERVISION_ACCOUNT);
SAME(ITEM_PROPERTY_RIGHT, COLOAN__V1__ITEM__ITEM_PROPERTY_RIGHT);
SAME(ITEM_APPRAISAL, COLOAN__V1__ITEM__ITEM_APPRAISAL);
SAME(ITEM_DOWN_PAYMENT, COLOAN__V1__ITEM__ITEM_DOWN_PAYMENT);
SAME(ITEM_EMPLOYER, COLOAN__V1__ITEM__ITEM_EMPLOYER);
SAME(ITEM_PRICE_SANITY, COLOAN__V1__ITEM__ITEM_PRICE_SANITY);
SAME(ITEM_ACCOUNT, COLOAN__V1__ITEM__ITEM_ACCOUNT);
SAME(ITEM_REGISTRATION, COLOAN__V1__ITEM__ITEM_REGISTRATION);
SAME(PHASE_DECISION, COLOAN__V1__ITEM_PHASE__ITEM_PHASE_DECISION);
SAME(PHASE_DISBURSEMENT, COLOAN__V1__ITEM_PHASE__ITEM_PHASE_DISBURSEMENT);
SAME(PHASE_REGISTRATION, COLOAN__V1__ITEM_PHASE__ITEM_PHASE_REGISTRATION);
SAME(REGISTRATION_PENDING, COLOAN__V1__REGISTRATION_STATE__REGISTRATION_STATE_PENDING);
SAME(REGISTRATION_DONE, COLOAN__V1__REGISTRATION_STATE__REGISTRATION_STATE_DONE);
SAME(ITEM_OPEN, COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_UNSPECIFIED);
SAME(ITEM_MANUAL, COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_MANUAL);
SAME(FAILURE_UNREACHABLE, COLOAN__V1__FAILURE_KIND__FAILURE_KIND_UNREACHABLE);
SAME(CL_SEVERITY_INFO, COLOAN__V1__SEVERITY__SEVERITY_INFO);
SAME(CL_SEVERITY_REJECT, COLOAN__V1__SEVERITY__SEVERITY_REJECT);
SAME(VERDICT_APPROVE, COLOAN__V1__FUND_VERDICT__FUND_VERDICT_APPROVE);
SAME(VERDICT_MANUAL, COLOAN__V1__FUND_VERDICT__FUND_VERDICT_MANUAL);
SAME(RULE_PASS, COLOAN__V1__RULE_OUTCOME__RULE_OUTCOME_PASS);
SAME(RULE_REFUSE, COLOAN__V1__RULE_OUTCOME__RULE_OUTCOME_REFUSE);
SAME(CASE_VERIFYING, COLOAN__V1__CASE_STATE__CASE_STATE_VERIFYING);
SAME(CASE_SUPPLEMENT, COLOAN__V1__CASE_STATE__CASE_STATE_SUPPLEMENT);
SAME(CASE_MANUAL, COLOAN__V1__CASE_STATE__CASE_STATE_MANUAL);
SAME(CASE_OFFERED, COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED);
SAME(CASE_APPROVED, COLOAN__V1__CASE_STATE__CASE_STATE_APPROVED);
SAME(CASE_REJECTED, COLOAN__V1__CASE_STATE__CASE_STATE_REJECTED);
SAME(CASE_EXPIRED, COLOAN__V1__CASE_STATE__CASE_STATE_EXPIRED);
SAME(CASE_WITHDRAWN, COLOAN__V1__CASE_STATE__CASE_STATE_WITHDRAWN);
SAME(CASE_DECLINED, COLOAN__V1__CASE_STATE__CASE_STATE_DECLINED);
SAME(CASE_CONFIRMED, COLOAN__V1__CASE_STATE__CASE_STATE_CONFIRMED);
SAME(CASE_SIGNING, COLOAN__V1__CASE_STATE__CASE_STATE_SIGNING);
SAME(CASE_SIGNED, COLOAN__V1__CASE_STATE__CASE_STATE_SIGNED);
SAME(CASE_REGISTERING, COLOAN__V1__CASE_STATE__CASE_STATE_REGISTERING);
SAME(CASE_REGISTRY_SUPPLEMENT, COLOAN__V1__CASE_STATE__CASE_STATE_REGISTRY_SUPPLEMENT);
SAME(CASE_CHECKING, COLOAN__V1__CASE_STATE__CASE_STATE_CHECKING);
SAME(CASE_AWAITING_COMPLETION, COLOAN__V1__CASE_STATE__CASE_STATE_AWAITING_COMPLETION);
SAME(CASE_HELD, COLOAN__V1__CASE_STATE__CASE_STATE_HELD);
SAME(CASE_READY, COLOAN__V1__CASE_STATE__CASE_STATE_READY);
SAME(CASE_HALF_DISBURSED, COLOAN__V1__CASE_STATE__CASE_STATE_HALF_DISBURSED);
SAME(CASE_REPAYING, COLOAN__V1__CASE_STATE__CASE_STATE_REPAYING);
SAME(CASE_SETTLED, COLOAN__V1__CASE_STATE__CASE_STATE_SETTLED);
SAME(CASE_CANCELLED, COLOAN__V1__CASE_STATE__CASE_STATE_CANCELLED);
SAME(FUND_PENDING, COLOAN__V1__FUND_TRACK__FUND_TRACK_PENDING);
SAME(FUND_APPROVED, COLOAN__V1__FUND_TRACK__FUND_TRACK_APPROVED);
SAME(FUND_REJECTED, COLOAN__V1__FUND_TRACK__FUND_TRACK_REJECTED);
SAME(FUND_SUPPLEMENT, COLOAN__V1__FUND_TRACK__FUND_TRACK_SUPPLEMENT);
SAME(FUND_MANUAL, COLOAN__V1__FUND_TRACK__FUND_TRACK_MANUAL);
SAME(FUND_CONFIRMED, COLOAN__V1__FUND_TRACK__FUND_TRACK_CONFIRMED);
SAME(FUND_SIGNED, COLOAN__V1__FUND_TRACK__FUND_TRACK_SIGNED);
SAME(FUND_DISBURSED, COLOAN__V1__FUND_TRACK__FUND_TRACK_DISBURSED);
SAME(FUND_SETTLED, COLOAN__V1__FUND_TRACK__FUND_TRACK_SETTLED);
SAME(FUND_WITHDRAWN, COLOAN__V1__FUND_TRACK__FUND_TRACK_WITHDRAWN);
SAME(FUND_EXPIRED, COLOAN__V1__FUND_TRACK__FUND_TRACK_EXPIRED);
SAME(FUND_CANCELLED, COLOAN__V1__FUND_TRACK__FUND_TRACK_CANCELLED);
SAME(BANK_PENDING, COLOAN__V1__BANK_TRACK__BANK_TRACK_PENDING);
SAME(BANK_APPROVED, COLOAN__V1__BANK_TRACK__BANK_TRACK_APPROVED);
SAME(BANK_DECLINED, COLOAN__V1__BANK_TRACK__BANK_TRACK_DECLINED);
SAME(BANK_COUNTERED, COLOAN__V1__BANK_TRACK__BANK_TRACK_COUNTERED);
SAME(BANK_NOT_NEEDED, COLOAN__V1__BANK_TRACK__BANK_TRACK_NOT_NEEDED);
SAME(BANK_SIGNED, COLOAN__V1__BANK_TRACK__BANK_TRACK_SIGNED);
SAME(BANK_DISBURSED, COLOAN__V1__BANK_TRACK__BANK_TRACK_DISBURSED);
SAME(BANK_SETTLED, COLOAN__V1__BANK_TRACK__BANK_TRACK_SETTLED);
SAME(BANK_RELEASED, COLOAN__V1__BANK_TRACK__BANK_TRACK_RELEASED);
SAME(REGISTRY_NOT_STARTED, COLOAN__V1__REGISTRY_TRACK__REGISTRY_TRACK_NOT_STARTED);
SAME(REGISTRY_FILED, COLOAN__V1__REGISTRY_TRACK__REGISTRY_TRACK_FILED);
SAME(REGISTRY_SUPPLEMENT, COLOAN__V1__REGISTRY_TRACK__REGISTRY_TRACK_SUPPLEMENT);
SAME(REGISTRY_REJECTED, COLOAN__V1__REGISTRY_TRACK__REGISTRY_TRACK_REJECTED);
SAME(REGISTRY_REGISTERED, COLOAN__V1__REGISTRY_TRACK__REGISTRY_TRACK_REGISTERED);
SAME(REGISTRY_RELEASED, COLOAN__V1__REGISTRY_TRACK__REGISTRY_TRACK_RELEASED);
SAME(REGISTRY_HELD, COLOAN__V1__REGISTRY_TRACK__REGISTRY_TRACK_HELD);
SAME(ACTOR_FUND, COLOAN__V1__ACTOR__ACTOR_FUND);
SAME(ACTOR_BANK, COLOAN__V1__ACTOR__ACTOR_BANK);
SAME(ACTOR_BORROWER, COLOAN__V1__ACTOR__ACTOR_BORROWER);
SAME(ACTOR_OFFICER, COLOAN__V1__ACTOR__ACTOR_OFFICER);
SAME(ACTOR_NOBODY, COLOAN__V1__ACTOR__ACTOR_NOBODY);
SAME(ACTOR_AUTHORITY, COLOAN__V1__ACTOR__ACTOR_AUTHORITY);
SAME(OUTCOME_PENDING, COLOAN__V1__OUTCOME__OUTCOME_PENDING);
SAME(OUTCOME_APPROVED_COMBINED, COLOAN__V1__OUTCOME__OUTCOME_APPROVED_COMBINED);
SAME(OUTCOME_APPROVED_FUND_ONLY, COLOAN__V1__OUTCOME__OUTCOME_APPROVED_FUND_ONLY);
SAME(OUTCOME_REJECTED_FUND, COLOAN__V1__OUTCOME__OUTCOME_REJECTED_FUND);
SAME(OUTCOME_DECLINED_BANK, COLOAN__V1__OUTCOME__OUTCOME_DECLINED_BANK);
SAME(OUTCOME_SUPPLEMENT, COLOAN__V1__OUTCOME__OUTCOME_SUPPLEMENT);
SAME(OUTCOME_MANUAL, COLOAN__V1__OUTCOME__OUTCOME_MANUAL);
SAME(OUTCOME_WITHDRAWN, COLOAN__V1__OUTCOME__OUTCOME_WITHDRAWN);
SAME(OUTCOME_EXPIRED, COLOAN__V1__OUTCOME__OUTCOME_EXPIRED);
SAME(OUTCOME_CANCELLED, COLOAN__V1__OUTCOME__OUTCOME_CANCELLED);
SAME(EVENT_STATUS, COLOAN__V1__EVENT_KIND__EVENT_KIND_STATUS);
SAME(EVENT_FUND_DECISION, COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION);
SAME(EVENT_JOINT_DECISION, COLOAN__V1__EVENT_KIND__EVENT_KIND_JOINT_DECISION);
SAME(EVENT_APPLICATION, COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION);
SAME(EVENT_RELEASED, COLOAN__V1__EVENT_KIND__EVENT_KIND_RELEASED);
SAME(EVENT_CONSENT_WITHDRAWN, COLOAN__V1__EVENT_KIND__EVENT_KIND_CONSENT_WITHDRAWN);

/* -- Borrowing ----------------------------------------------------------------------------------------------- */

static ProtobufCBinaryData binary(struct cl_bytes bytes)
{
    return (ProtobufCBinaryData){.len = bytes.len, .data = (uint8_t *)cl_unconst((const char *)bytes.data)};
}

/* -- The application ----------------------------------------------------------------------------------------- */

static struct cl_bytes bytes_of(ProtobufCBinaryData data)
{
    return cl_bytes(data.data, data.len);
}

static struct cl_status too_many(struct field_path *path_out, const char *list, enum cl_reason reason)
{
    (void)snprintf(path_out->text, sizeof path_out->text, "%s", list);
    return cl_fail(reason);
}

static struct cl_status check_counts(struct field_path *path_out, const Coloan__V1__Application *in)
{
    if (in->n_persons > CL_PERSONS_MAX) {
        return too_many(path_out, "persons", CL_PERSONS_INVALID);
    }
    if (in->n_consents > CL_CONSENTS_MAX) {
        return too_many(path_out, "consents", CL_FIELD_INVALID);
    }
    if (in->n_documents > CL_DOCUMENTS_MAX) {
        return too_many(path_out, "documents", CL_FIELD_INVALID);
    }
    if (in->home == NULL) {
        return too_many(path_out, "home", CL_FIELD_MISSING);
    }
    if (in->request == NULL) {
        return too_many(path_out, "request", CL_FIELD_MISSING);
    }
    return cl_ok();
}

static struct person person_in(const Coloan__V1__Person *in)
{
    return (struct person){
        .role = (enum person_role)in->role,
        .declared_marital_status = (enum marital_status)in->declared_marital_status,
        .contributes = in->contributes != 0,
        .staff_category = (enum staff_category)in->staff_category,
        .employer_uscc = in->employer_uscc,
        .contribution_centre = in->contribution_centre,
        .id_valid_until = in->id_valid_until,
        .face_token = in->face_token,
    };
}

static struct home home_in(const Coloan__V1__Home *in)
{
    return (struct home){
        .kind = (enum home_kind)in->kind,
        .presale = in->presale != 0,
        .contract_no = in->contract_no,
        .unit_no = in->unit_no,
        .district_code = in->district_code,
        .price_fen = in->price_fen,
        .appraisal_fen = in->appraisal_fen,
        .area_centi_m2 = in->area_centi_m2,
        .seller_uscc = in->seller_uscc,
        .built_year = in->built_year,
        .permit_no = in->permit_no,
    };
}

static struct loan_request request_in(const Coloan__V1__LoanRequest *in)
{
    return (struct loan_request){
        .total_fen = in->total_fen,
        .fund_fen = in->fund_fen,
        .term_months = in->term_months,
        .method = (enum cl_repayment)in->method,
        .accept_fund_only = in->accept_fund_only != 0,
    };
}

static struct consent consent_in(const Coloan__V1__Consent *in)
{
    return (struct consent){
        .consent_id = in->consent_id,
        .person = in->person,
        .purpose = (enum consent_purpose)in->purpose,
        .receiver = in->receiver,
        .until_ms = in->until_ms,
        .document_sha256 = bytes_of(in->document_sha256),
    };
}

struct cl_status convert_consents(struct application *application, struct field_path *path_out,
                                  Coloan__V1__Consent *const *consents, size_t count)
{
    if (count > CL_CONSENTS_MAX) {
        return too_many(path_out, "consents", CL_FIELD_INVALID);
    }
    application->consent_count = count;
    for (size_t i = 0; i < count; i++) {
        application->consents[i] = consent_in(consents[i]);
    }
    return cl_ok();
}

struct cl_status convert_application(struct application *out, struct field_path *path_out,
                                     const Coloan__V1__Application *in)
{
    struct cl_status status = check_counts(path_out, in);
    if (cl_failed(status)) {
        return status;
    }
    *out = (struct application){
        .external_ref = in->external_ref,
        .bank = in->bank,
        .person_count = in->n_persons,
        .home = home_in(in->home),
        .request = request_in(in->request),
        .consent_count = in->n_consents,
        .document_count = in->n_documents,
        .has_account = in->account.len > 0,
    };
    for (size_t i = 0; i < in->n_persons; i++) {
        out->persons[i] = person_in(in->persons[i]);
    }
    for (size_t i = 0; i < in->n_consents; i++) {
        out->consents[i] = consent_in(in->consents[i]);
    }
    for (size_t i = 0; i < in->n_documents; i++) {
        const Coloan__V1__DocumentRef *document = in->documents[i];
        out->documents[i] = (struct document){
            .kind = document->kind, .sha256 = bytes_of(document->sha256), .size_bytes = document->size_bytes};
    }
    return cl_ok();
}

static struct cl_status personal_text(const char **out, struct cl_arena *arena,
                                      Coloan__V1__Disclosure *const *disclosures, size_t count, const char *path)
{
    struct cl_bytes value = cl_disclosure_value(disclosures, count, path);
    char *text = cl_arena_alloc(arena, value.len + 1);
    if (text == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    if (value.len > 0) {
        memcpy(text, value.data, value.len);
    }
    *out = text;
    return cl_ok();
}

struct cl_status convert_personal(struct application *application, struct cl_arena *arena,
                                  Coloan__V1__Disclosure *const *disclosures, size_t disclosure_count)
{
    for (size_t i = 0; i < application->person_count; i++) {
        struct person *person = &application->persons[i];
        const struct {
            const char *field;
            const char **text;
        } fields[] = {{"name", &person->name}, {"id_number", &person->id_number}, {"mobile", &person->mobile}};
        for (size_t f = 0; f < sizeof fields / sizeof fields[0]; f++) {
            char path[CL_PERSONAL_PATH_BYTES_MAX];
            (void)snprintf(path, sizeof path, "persons[%zu].%s", i, fields[f].field);
            struct cl_status status = personal_text(fields[f].text, arena, disclosures, disclosure_count, path);
            if (cl_failed(status)) {
                return status;
            }
        }
    }
    return personal_text(&application->account, arena, disclosures, disclosure_count, "account");
}

struct cl_status convert_kept_body(ProtobufCMessage **out, struct cl_arena *arena, struct cl_bytes envelope,
                                   const ProtobufCMessageDescriptor *descriptor)
{
    Coloan__V1__Envelope *frame = NULL;
    struct cl_status status = cl_dsse_read(&frame, arena, envelope);
    ProtobufCMessage *message = NULL;
    if (cl_is_ok(status)) {
        status = cl_unpack(&message, arena, &coloan__v1__signed_payload__descriptor,
                           cl_bytes(frame->payload.data, frame->payload.len));
    }
    if (cl_is_ok(status)) {
        const Coloan__V1__SignedPayload *payload = (const Coloan__V1__SignedPayload *)message;
        status = cl_unpack(out, arena, descriptor, cl_bytes(payload->body.data, payload->body.len));
    }
    return cl_is_ok(status) || status.reason == CL_MEMORY_LIMIT ? status : cl_fail(CL_INTERNAL);
}

void convert_disclosure(Coloan__V1__Disclosure *out, struct vault_value *value)
{
    coloan__v1__disclosure__init(out);
    out->path = cl_unconst(value->path);
    out->salt = binary(cl_bytes(value->salt, sizeof value->salt));
    out->value = binary(value->value);
}

/* -- Verification results ------------------------------------------------------------------------------------ */

struct cl_status convert_result(struct item_result *out, struct field_path *path_out,
                                const Coloan__V1__VerificationResult *in)
{
    if (in->n_facts > ITEM_FACTS_MAX) {
        return too_many(path_out, "facts", CL_FIELD_INVALID);
    }
    *out = (struct item_result){
        .key = {.item = (enum item)in->item, .person = in->person},
        .outcome = (enum item_outcome)in->outcome,
        .failure = (enum failure_kind)in->failure,
        .observed_ms = in->observed_ms,
        .valid_until_ms = in->valid_until_ms,
        .fact_count = in->n_facts,
    };
    for (size_t i = 0; i < in->n_facts; i++) {
        const Coloan__V1__Fact *fact = in->facts[i];
        out->facts[i] = (struct item_fact){.name = fact->name, .number = fact->number, .text = fact->text};
    }
    return cl_ok();
}

struct cl_status convert_kept_result(struct item_result *out, Coloan__V1__VerificationResult **kept_out,
                                     struct cl_arena *arena, struct cl_bytes packed)
{
    ProtobufCMessage *message = NULL;
    struct field_path ignored;
    struct cl_status status = cl_unpack(&message, arena, &coloan__v1__verification_result__descriptor, packed);
    if (cl_is_ok(status)) {
        status = convert_result(out, &ignored, (const Coloan__V1__VerificationResult *)message);
    }
    if (cl_failed(status)) {
        return status.reason == CL_MEMORY_LIMIT ? status : cl_fail(CL_INTERNAL);
    }
    if (kept_out != NULL) {
        *kept_out = (Coloan__V1__VerificationResult *)message;
    }
    return cl_ok();
}

void convert_text(char **out, const char *text)
{
    *out = cl_unconst(text);
}

void convert_bytes(ProtobufCBinaryData *out, struct cl_bytes bytes)
{
    *out = binary(bytes);
}

void convert_digest(ProtobufCBinaryData *out, const struct cl_digest *digest)
{
    *out = binary(cl_bytes(digest->bytes, sizeof digest->bytes));
}

static ProtobufCBinaryData binary_digest(const struct cl_digest *digest)
{
    return binary(cl_bytes(digest->bytes, sizeof digest->bytes));
}

static struct cl_status facts_out(Coloan__V1__VerificationResult *out, struct cl_arena *arena,
                                  const struct item_result *in)
{
    out->facts = cl_arena_array(arena, in->fact_count, sizeof(Coloan__V1__Fact *));
    Coloan__V1__Fact *facts = cl_arena_array(arena, in->fact_count, sizeof *facts);
    if (out->facts == NULL || facts == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; i < in->fact_count; i++) {
        coloan__v1__fact__init(&facts[i]);
        facts[i].name = cl_unconst(in->facts[i].name);
        facts[i].number = in->facts[i].number;
        facts[i].text = cl_unconst(in->facts[i].text == NULL ? "" : in->facts[i].text);
        out->facts[i] = &facts[i];
    }
    out->n_facts = in->fact_count;
    return cl_ok();
}

struct cl_status convert_result_out(Coloan__V1__VerificationResult **out, struct cl_arena *arena,
                                    const struct item_result *in, const char *authority, const char *source_receipt)
{
    Coloan__V1__VerificationResult *result = cl_arena_alloc(arena, sizeof *result);
    if (result == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__verification_result__init(result);
    result->item = (Coloan__V1__Item)in->key.item;
    result->person = in->key.person;
    result->outcome = (Coloan__V1__ItemOutcome)in->outcome;
    result->failure = (Coloan__V1__FailureKind)in->failure;
    result->authority = cl_unconst(authority);
    result->source_receipt = cl_unconst(source_receipt);
    result->observed_ms = in->observed_ms;
    result->valid_until_ms = in->valid_until_ms;
    if (in->fact_count > 0) {
        struct cl_status status = facts_out(result, arena, in);
        if (cl_failed(status)) {
            return status;
        }
    }
    *out = result;
    return cl_ok();
}

/* -- Offers -------------------------------------------------------------------------------------------------- */

static void part_out(Coloan__V1__LoanPart *out, const struct loan_part *in)
{
    coloan__v1__loan_part__init(out);
    out->amount_fen = in->amount_fen;
    out->rate_ppm = in->rate_ppm;
    out->term_months = in->term_months;
    out->method = (Coloan__V1__RepaymentMethod)in->method;
    out->instalment_fen = in->instalment_fen;
}

void convert_part_in(struct loan_part *out, const Coloan__V1__LoanPart *in)
{
    *out = (struct loan_part){
        .amount_fen = in->amount_fen,
        .rate_ppm = in->rate_ppm,
        .term_months = in->term_months,
        .method = (enum cl_repayment)in->method,
        .instalment_fen = in->instalment_fen,
    };
}

static void terms_digest(struct cl_digest *out, struct cl_bytes terms)
{
    struct cl_sha256 hash;
    cl_sha256_init(&hash);
    cl_sha256_add(&hash, cl_bytes_text("coloan terms v1\n"));
    cl_sha256_add(&hash, terms);
    cl_sha256_finish(&hash, out);
}

struct cl_status convert_terms(struct terms *out, struct cl_arena *arena, const struct terms_of *of)
{
    Coloan__V1__LoanPart fund;
    Coloan__V1__LoanPart commercial;
    part_out(&fund, &of->offer->fund);
    part_out(&commercial, &of->offer->commercial);
    Coloan__V1__OfferTerms message = COLOAN__V1__OFFER_TERMS__INIT;
    message.application_id = cl_unconst(of->application_id);
    message.version = of->version;
    message.bank_epoch = of->bank_epoch;
    message.bank = cl_unconst(of->bank);
    message.fund = &fund;
    message.commercial = &commercial;
    message.price_fen = of->offer->price_fen;
    message.down_payment_fen = of->offer->down_payment_fen;
    message.valid_until_ms = of->offer->valid_until_ms;
    message.interest_subsidy = of->offer->interest_subsidy;
    struct cl_bytes bytes;
    struct cl_status status = cl_pack(&bytes, arena, &message.base);
    if (cl_failed(status)) {
        return status;
    }
    out->bytes = bytes;
    terms_digest(&out->digest, bytes);
    return cl_ok();
}

struct cl_status convert_terms_in(struct offer *out, struct cl_arena *arena, struct cl_bytes terms)
{
    ProtobufCMessage *message = NULL;
    struct cl_status status = cl_unpack(&message, arena, &coloan__v1__offer_terms__descriptor, terms);
    if (cl_failed(status)) {
        return status.reason == CL_MEMORY_LIMIT ? status : cl_fail(CL_INTERNAL);
    }
    const Coloan__V1__OfferTerms *in = (const Coloan__V1__OfferTerms *)message;
    if (in->fund == NULL || in->commercial == NULL) {
        return cl_fail(CL_INTERNAL);
    }
    struct offer offer = {
        .price_fen = in->price_fen,
        .down_payment_fen = in->down_payment_fen,
        .valid_until_ms = in->valid_until_ms,
        .interest_subsidy = in->interest_subsidy != 0,
    };
    convert_part_in(&offer.fund, in->fund);
    convert_part_in(&offer.commercial, in->commercial);
    *out = offer;
    return cl_ok();
}

/* -- Decisions ----------------------------------------------------------------------------------------------- */

struct cl_status convert_reasons(Coloan__V1__Reason ***out, struct cl_arena *arena,
                                 const struct decision_reason *reasons, size_t count)
{
    Coloan__V1__Reason **list = cl_arena_array(arena, count + 1, sizeof *list);
    Coloan__V1__Reason *rows = cl_arena_array(arena, count + 1, sizeof *rows);
    if (list == NULL || rows == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; i < count; i++) {
        const struct cl_loan_reason_info *info = cl_loan_reason_info(reasons[i].reason);
        coloan__v1__reason__init(&rows[i]);
        rows[i].code = cl_unconst(info->code);
        rows[i].severity = (Coloan__V1__Severity)info->severity;
        rows[i].person = reasons[i].person;
        list[i] = &rows[i];
    }
    *out = list;
    return cl_ok();
}

static void step_out(Coloan__V1__RuleStep *out, const struct decision_step *in)
{
    coloan__v1__rule_step__init(out);
    out->rule = cl_unconst(in->rule);
    out->outcome = (Coloan__V1__RuleOutcome)in->outcome;
    out->reason = cl_unconst(cl_loan_reason_code(in->reason));
    out->limit_fen = in->limit_fen;
    out->binding = in->binding;
    out->person = in->person;
    out->inputs_digest = binary_digest(&in->inputs_digest);
}

struct cl_status convert_trace(struct terms *out, struct cl_arena *arena, const struct rule_set *rules,
                               const struct fund_decision *decision)
{
    Coloan__V1__RuleStep **list = cl_arena_array(arena, decision->step_count + 1, sizeof *list);
    Coloan__V1__RuleStep *rows = cl_arena_array(arena, decision->step_count + 1, sizeof *rows);
    if (list == NULL || rows == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; i < decision->step_count; i++) {
        step_out(&rows[i], &decision->steps[i]);
        list[i] = &rows[i];
    }
    Coloan__V1__DecisionTrace message = COLOAN__V1__DECISION_TRACE__INIT;
    message.rule_set = cl_unconst(rules->id);
    message.rule_set_digest = binary_digest(&rules->digest);
    message.steps = list;
    message.n_steps = decision->step_count;
    struct cl_status status = cl_pack(&out->bytes, arena, &message.base);
    if (cl_failed(status)) {
        return status;
    }
    cl_sha256(&out->digest, out->bytes);
    return cl_ok();
}
