#include "tests/server/records.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "libcoloan/dsse.h"
#include "libcoloan/personal.h"
#include "server/cases/convert.h"

static void *kept(struct cl_arena *arena, size_t size)
{
    void *place = cl_arena_alloc(arena, size);
    assert_non_null(place);
    return place;
}

static void *kept_list(struct cl_arena *arena, size_t count, size_t size)
{
    void *place = cl_arena_array(arena, count + 1, size);
    assert_non_null(place);
    return place;
}

static Coloan__V1__Person *person_out(struct cl_arena *arena, const struct person *in)
{
    Coloan__V1__Person *out = kept(arena, sizeof *out);
    coloan__v1__person__init(out);
    out->role = (Coloan__V1__PersonRole)in->role;
    out->declared_marital_status = (Coloan__V1__MaritalStatus)in->declared_marital_status;
    out->contributes = in->contributes;
    out->staff_category = (Coloan__V1__StaffCategory)in->staff_category;
    return out;
}

static Coloan__V1__Home *home_out(struct cl_arena *arena, const struct home *in)
{
    Coloan__V1__Home *out = kept(arena, sizeof *out);
    coloan__v1__home__init(out);
    out->kind = (Coloan__V1__HomeKind)in->kind;
    out->presale = in->presale;
    convert_text(&out->contract_no, in->contract_no);
    convert_text(&out->unit_no, in->unit_no);
    convert_text(&out->district_code, in->district_code);
    out->price_fen = in->price_fen;
    out->appraisal_fen = in->appraisal_fen;
    out->area_centi_m2 = in->area_centi_m2;
    convert_text(&out->seller_uscc, in->seller_uscc);
    out->built_year = in->built_year;
    return out;
}

static Coloan__V1__LoanRequest *request_out(struct cl_arena *arena, const struct loan_request *in)
{
    Coloan__V1__LoanRequest *out = kept(arena, sizeof *out);
    coloan__v1__loan_request__init(out);
    out->total_fen = in->total_fen;
    out->fund_fen = in->fund_fen;
    out->term_months = in->term_months;
    out->method = (Coloan__V1__RepaymentMethod)in->method;
    out->accept_fund_only = in->accept_fund_only;
    return out;
}

/* The ID numbers as commitments, the values as disclosures. */
static void commit(struct made_record *record, struct cl_arena *arena, Coloan__V1__Application *out,
                   const struct application *in)
{
    Coloan__V1__Disclosure **list = kept_list(arena, in->person_count, sizeof *list);
    for (size_t i = 0; i < in->person_count; i++) {
        static const char *const paths[CL_PERSONS_MAX] = {"persons[0].id_number", "persons[1].id_number",
                                                          "persons[2].id_number", "persons[3].id_number"};
        const char *path = paths[i];
        assert_true(cl_is_ok(cl_personal_commit(&list[i], arena, out, path, cl_bytes_text(in->persons[i].id_number),
                                                cl_random_system())));
    }
    record->source.disclosures = list;
    record->source.disclosure_count = in->person_count;
}

static void put_application(struct made_record *record, struct cl_arena *arena, const struct application *in)
{
    Coloan__V1__Application out = COLOAN__V1__APPLICATION__INIT;
    struct cl_bytes bytes;
    convert_text(&out.external_ref, in->external_ref);
    convert_text(&out.bank, in->bank);
    out.n_persons = in->person_count;
    out.persons = kept_list(arena, in->person_count, sizeof *out.persons);
    for (size_t i = 0; i < in->person_count; i++) {
        out.persons[i] = person_out(arena, &in->persons[i]);
    }
    out.home = home_out(arena, &in->home);
    out.request = request_out(arena, &in->request);
    commit(record, arena, &out, in);
    assert_true(cl_is_ok(cl_pack(&bytes, arena, &out.base)));
    convert_bytes(&record->message.application, bytes);
}

static void put_decision(struct made_record *record, struct cl_arena *arena, const struct rule_set *rules,
                         const struct fund_decision *decision)
{
    Coloan__V1__DecisionRecord *message = &record->message;
    struct terms trace;
    struct terms terms;
    struct cl_digest *digest = kept(arena, sizeof *digest);
    assert_true(cl_is_ok(convert_trace(&trace, arena, rules, decision)));
    *digest = trace.digest;
    convert_bytes(&message->trace, trace.bytes);
    convert_digest(&message->trace_digest, digest);
    message->verdict = (Coloan__V1__FundVerdict)decision->verdict;
    convert_text(&message->binding_limit, cl_loan_reason_code(decision->binding_limit));
    assert_true(cl_is_ok(convert_reasons(&message->reasons, arena, decision->reasons, decision->reason_count)));
    message->n_reasons = decision->reason_count;
    if (decision->has_offer) {
        struct terms_of of = {.application_id = message->application_id,
                              .bank = message->bank,
                              .version = 1,
                              .bank_epoch = 1,
                              .offer = &decision->offer};
        assert_true(cl_is_ok(convert_terms(&terms, arena, &of)));
        convert_bytes(&message->terms, terms.bytes);
    }
}

static void seal(struct made_record *record, struct cl_arena *arena)
{
    static const uint8_t seed[CL_KEY_SEED_BYTES] = {9};
    struct cl_signer *signer = NULL;
    char type[CL_PAYLOAD_TYPE_BYTES_MAX];
    Coloan__V1__SignedPayload payload = COLOAN__V1__SIGNED_PAYLOAD__INIT;
    Coloan__V1__Envelope envelope = COLOAN__V1__ENVELOPE__INIT;
    struct cl_bytes bytes;
    assert_true(cl_is_ok(cl_signer_from_seed(&signer, seed, "fund:cn-example")));
    assert_true(cl_is_ok(cl_pack(&bytes, arena, &record->message.base)));
    convert_bytes(&payload.body, bytes);
    assert_true(cl_is_ok(cl_pack(&bytes, arena, &payload.base)));
    cl_payload_type(type, &coloan__v1__decision_record__descriptor);
    convert_text(&envelope.payload_type, type);
    convert_bytes(&envelope.payload, bytes);
    envelope.disclosures = (Coloan__V1__Disclosure **)(uintptr_t)record->source.disclosures;
    envelope.n_disclosures = record->source.disclosure_count;
    const struct cl_signer *signers[] = {signer};
    struct cl_digest digest;
    assert_true(cl_is_ok(cl_dsse_seal(&record->file, NULL, &digest, arena, signers, 1, &envelope)));
    cl_signer_free(signer);
}

void record_make(struct made_record *out, struct cl_arena *arena, const struct world_case *world,
                 const struct rule_set *rules, int64_t now_ms, const char *application_id)
{
    struct case_facts facts;
    struct fund_decision decision;
    Coloan__V1__DecisionRecord *message = &out->message;
    struct cl_digest *digest = kept(arena, sizeof *digest);
    coloan__v1__decision_record__init(message);
    facts_read(&facts, &world->application, world->results, world->result_count, now_ms);
    assert_true(cl_is_ok(decide_fund(&decision, arena, rules, &world->application, &facts, now_ms)));
    convert_text(&message->application_id, application_id);
    convert_text(&message->bank, world->application.bank);
    message->bank_epoch = 1;
    convert_text(&message->rule_set, rules->id);
    *digest = rules->digest;
    convert_digest(&message->rule_set_digest, digest);
    message->decided_ms = now_ms;
    put_application(out, arena, &world->application);
    message->items_unused = kept_list(arena, ITEM_COUNT, sizeof *message->items_unused);
    for (unsigned item = ITEM_NONE + 1; item < ITEM_COUNT; item++) {
        if ((world->application.items_unused & ITEM_BIT(item)) != 0) {
            message->items_unused[message->n_items_unused++] = (Coloan__V1__Item)item;
        }
    }
    message->n_results = world->result_count;
    message->results = kept_list(arena, world->result_count, sizeof *message->results);
    for (size_t i = 0; i < world->result_count; i++) {
        assert_true(cl_is_ok(convert_result_out(&message->results[i], arena, &world->results[i], "test", "R-1")));
    }
    put_decision(out, arena, rules, &decision);
    out->source.record = message;
    seal(out, arena);
}
