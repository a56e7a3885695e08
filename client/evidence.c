#include "client/evidence.h"

#include <string.h>

#include "libcoloan/sha256.h"
#include "libcoloan/wirescan.h"

struct cl_status client_terms_read(const Coloan__V1__OfferTerms **out, struct cl_digest *digest_out,
                                   struct cl_arena *arena, const Coloan__V1__Offer *offer)
{
    struct cl_sha256 hash;
    struct cl_digest digest;
    ProtobufCMessage *terms = NULL;
    struct cl_bytes bytes = cl_bytes(offer->terms.data, offer->terms.len);
    cl_sha256_init(&hash);
    cl_sha256_add(&hash, cl_bytes_text("coloan terms v1\n"));
    cl_sha256_add(&hash, bytes);
    cl_sha256_finish(&hash, &digest);
    if (offer->terms_digest.len != CL_DIGEST_BYTES ||
        memcmp(offer->terms_digest.data, digest.bytes, CL_DIGEST_BYTES) != 0) {
        return cl_fail(CL_TERMS_DIGEST_WRONG);
    }
    struct cl_status status = cl_unpack(&terms, arena, &coloan__v1__offer_terms__descriptor, bytes);
    if (cl_failed(status)) {
        return status;
    }
    *out = (const Coloan__V1__OfferTerms *)(const void *)terms;
    *digest_out = digest;
    return cl_ok();
}

/* Opens a kept message of that type and sender. */
static struct cl_status open_kept(struct cl_opened *out, ProtobufCMessage **body_out, struct cl_arena *arena,
                                  struct cl_bytes bytes, const struct cl_keyring *keyring,
                                  const ProtobufCMessageDescriptor *type)
{
    struct cl_status status = cl_envelope_verify(out, arena, bytes, keyring);
    if (cl_failed(status)) {
        return status;
    }
    if (out->body_type != type) {
        return cl_fail(CL_PAYLOAD_TYPE_WRONG);
    }
    return cl_opened_body(body_out, arena, out);
}

static struct cl_status open_event(struct cl_opened *out, const Coloan__V1__Event **event_out, struct cl_arena *arena,
                                   struct cl_bytes bytes, const struct cl_keyring *keyring)
{
    ProtobufCMessage *body = NULL;
    struct cl_status status = open_kept(out, &body, arena, bytes, keyring, &coloan__v1__event__descriptor);
    if (cl_failed(status)) {
        return status;
    }
    if (strcmp(out->header->sender, cl_keyring_centre(keyring)) != 0) {
        return cl_fail(CL_SENDER_WRONG);
    }
    if (out->header->direction != COLOAN__V1__DIRECTION__DIRECTION_EVENT) {
        return cl_fail(CL_DIRECTION_WRONG);
    }
    *event_out = (const Coloan__V1__Event *)(const void *)body;
    return cl_ok();
}

static struct cl_status read_joint(struct client_evidence *out, struct cl_arena *arena, struct cl_bytes envelope,
                                   const struct cl_keyring *keyring)
{
    const Coloan__V1__Event *event = NULL;
    out->step = "the centre's signed event holds a joint decision";
    struct cl_status status = open_event(&out->event, &event, arena, envelope, keyring);
    if (cl_failed(status)) {
        return status;
    }
    if (event->kind != COLOAN__V1__EVENT_KIND__EVENT_KIND_JOINT_DECISION || event->joint_decision == NULL) {
        return cl_fail(CL_PAYLOAD_TYPE_WRONG);
    }
    out->joint = event->joint_decision;
    out->has_fund = out->joint->fund_envelope.len > 0;
    out->has_bank = out->joint->bank_envelope.len > 0;
    return cl_ok();
}

static struct cl_status read_fund(struct client_evidence *out, struct cl_arena *arena, const struct cl_keyring *keyring)
{
    const Coloan__V1__Event *event = NULL;
    struct cl_digest digest;
    out->step = "the centre signed its own decision";
    struct cl_status status = open_event(
        &out->fund, &event, arena, cl_bytes(out->joint->fund_envelope.data, out->joint->fund_envelope.len), keyring);
    if (cl_failed(status)) {
        return status;
    }
    if (event->fund_decision == NULL) {
        return cl_fail(CL_PAYLOAD_TYPE_WRONG);
    }
    out->fund_decision = event->fund_decision;
    out->step = "the centre's decision is about this application";
    if (strcmp(out->fund_decision->application_id, out->joint->application_id) != 0) {
        return cl_fail(CL_APPLICATION_UNKNOWN);
    }
    out->step = "the digest of the offered terms is theirs";
    if (out->fund_decision->offer == NULL) {
        return cl_ok();
    }
    status = client_terms_read(&out->terms, &digest, arena, out->fund_decision->offer);
    if (cl_failed(status)) {
        return status;
    }
    return strcmp(out->terms->application_id, out->joint->application_id) == 0 ? cl_ok()
                                                                               : cl_fail(CL_APPLICATION_UNKNOWN);
}

static struct cl_status read_bank(struct client_evidence *out, struct cl_arena *arena, const struct cl_keyring *keyring)
{
    ProtobufCMessage *body = NULL;
    out->step = "the bank signed its own decision";
    struct cl_status status =
        open_kept(&out->bank, &body, arena, cl_bytes(out->joint->bank_envelope.data, out->joint->bank_envelope.len),
                  keyring, &coloan__v1__bank_decision__descriptor);
    if (cl_failed(status)) {
        return status;
    }
    out->bank_decision = (const Coloan__V1__BankDecision *)(const void *)body;
    out->step = "the bank's decision is about this application, by the bank that the terms name";
    if (strcmp(out->bank.header->application_id, out->joint->application_id) != 0) {
        return cl_fail(CL_APPLICATION_UNKNOWN);
    }
    if (out->terms == NULL || strcmp(out->bank.header->sender, out->terms->bank) != 0) {
        return cl_fail(CL_SENDER_WRONG);
    }
    out->step = "the bank's decision names the digest of the terms that the centre offered";
    const ProtobufCBinaryData *named = &out->bank_decision->terms_digest;
    const ProtobufCBinaryData *offered = &out->fund_decision->offer->terms_digest;
    return named->len == offered->len && memcmp(named->data, offered->data, named->len) == 0 &&
                   out->bank_decision->offer_version == out->terms->version &&
                   out->bank_decision->bank_epoch == out->terms->bank_epoch
               ? cl_ok()
               : cl_fail(CL_TERMS_DIGEST_WRONG);
}

/* The outcome that the two decisions make. */
static Coloan__V1__Outcome outcome_of(const struct client_evidence *evidence)
{
    if (!evidence->has_fund) {
        return COLOAN__V1__OUTCOME__OUTCOME_UNSPECIFIED;
    }
    bool approved = evidence->fund_decision->verdict == COLOAN__V1__FUND_VERDICT__FUND_VERDICT_APPROVE;
    if (!approved || evidence->terms == NULL || evidence->terms->fund == NULL) {
        return evidence->fund_decision->verdict == COLOAN__V1__FUND_VERDICT__FUND_VERDICT_REJECT
                   ? COLOAN__V1__OUTCOME__OUTCOME_REJECTED_FUND
                   : COLOAN__V1__OUTCOME__OUTCOME_UNSPECIFIED;
    }
    bool alone = evidence->terms->commercial == NULL || evidence->terms->commercial->amount_fen == 0;
    if (!evidence->has_bank) {
        return alone ? COLOAN__V1__OUTCOME__OUTCOME_APPROVED_FUND_ONLY : COLOAN__V1__OUTCOME__OUTCOME_UNSPECIFIED;
    }
    Coloan__V1__BankVerdict verdict = evidence->bank_decision->verdict;
    if (verdict == COLOAN__V1__BANK_VERDICT__BANK_VERDICT_APPROVE) {
        return alone ? COLOAN__V1__OUTCOME__OUTCOME_APPROVED_FUND_ONLY : COLOAN__V1__OUTCOME__OUTCOME_APPROVED_COMBINED;
    }
    return verdict == COLOAN__V1__BANK_VERDICT__BANK_VERDICT_DECLINE ? COLOAN__V1__OUTCOME__OUTCOME_DECLINED_BANK
                                                                     : COLOAN__V1__OUTCOME__OUTCOME_UNSPECIFIED;
}

/* Approved: the event repeats the digest that both signed. Otherwise it may leave it out. */
static bool digest_fits(const struct client_evidence *evidence)
{
    const ProtobufCBinaryData *stated = &evidence->joint->terms_digest;
    if (stated->len == 0) {
        return evidence->joint->outcome != COLOAN__V1__OUTCOME__OUTCOME_APPROVED_COMBINED &&
               evidence->joint->outcome != COLOAN__V1__OUTCOME__OUTCOME_APPROVED_FUND_ONLY;
    }
    if (evidence->terms == NULL) {
        return false;
    }
    const ProtobufCBinaryData *offered = &evidence->fund_decision->offer->terms_digest;
    return stated->len == offered->len && memcmp(stated->data, offered->data, stated->len) == 0;
}

struct cl_status client_evidence_check(struct client_evidence *out, struct cl_arena *arena, struct cl_bytes envelope,
                                       const struct cl_keyring *keyring)
{
    *out = (struct client_evidence){.step = ""};
    struct cl_status status = read_joint(out, arena, envelope, keyring);
    if (cl_is_ok(status) && out->has_fund) {
        status = read_fund(out, arena, keyring);
    }
    if (cl_is_ok(status) && out->has_bank && !out->has_fund) {
        out->step = "a bank's decision comes with the centre's";
        status = cl_fail(CL_FIELD_MISSING);
    }
    if (cl_is_ok(status) && out->has_bank) {
        status = read_bank(out, arena, keyring);
    }
    if (cl_failed(status)) {
        return status;
    }
    out->step = "the decisions make the outcome that is stated, on the terms that are stated";
    bool fits = out->joint->outcome != COLOAN__V1__OUTCOME__OUTCOME_UNSPECIFIED &&
                outcome_of(out) == out->joint->outcome && digest_fits(out);
    return fits ? cl_ok() : cl_fail(CL_STATE_CONFLICT);
}
