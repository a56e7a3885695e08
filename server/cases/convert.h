/* convert.h - between the messages of the wire and the values the rules know.
 *
 * The enums on both sides have the same numbers; convert.c asserts it. What is converted borrows from its source or
 * lives in the arena handed in. Any thread. Fails: MEMORY_LIMIT, and what is named at each function. */
#ifndef COLOAN_CASES_CONVERT_H
#define COLOAN_CASES_CONVERT_H

#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/decision.pb-c.h>
#include <coloan/v1/envelope.pb-c.h>
#include <coloan/v1/verification.pb-c.h>

#include "libcoloan/arena.h"
#include "server/domain/decide.h"
#include "server/domain/facts.h"
#include "server/vault/vault.h"

/* More elements than a domain list holds. PERSONS_INVALID, FIELD_INVALID with the list's path. */
CL_MUST_CHECK struct cl_status convert_application(struct application *out, struct field_path *path_out,
                                                   const Coloan__V1__Application *in);

/* Consents in place of those of the application. FIELD_INVALID past CL_CONSENTS_MAX. */
CL_MUST_CHECK struct cl_status convert_consents(struct application *application, struct field_path *path_out,
                                                Coloan__V1__Consent *const *consents, size_t count);

/* Puts names, ID numbers and mobile numbers of the disclosures into the persons, as texts in the arena. */
CL_MUST_CHECK struct cl_status convert_personal(struct application *application, struct cl_arena *arena,
                                                Coloan__V1__Disclosure *const *disclosures, size_t disclosure_count);

/* Borrowed by the message. */
void convert_text(char **out, const char *text);
void convert_bytes(ProtobufCBinaryData *out, struct cl_bytes bytes);
void convert_digest(ProtobufCBinaryData *out, const struct cl_digest *digest);

/* The body of a message of our own log. What does not read there is a fault of ours: INTERNAL. */
CL_MUST_CHECK struct cl_status convert_kept_body(ProtobufCMessage **out, struct cl_arena *arena,
                                                 struct cl_bytes envelope,
                                                 const ProtobufCMessageDescriptor *descriptor);

/* A stored value as a disclosure that borrows from it. */
void convert_disclosure(Coloan__V1__Disclosure *out, struct vault_value *value);

/* A verification result; more facts than an item has are FIELD_INVALID. */
CL_MUST_CHECK struct cl_status convert_result(struct item_result *out, struct field_path *path_out,
                                              const Coloan__V1__VerificationResult *in);

/* A result as the store keeps it; `kept_out` (NULL is fine) is the message. INTERNAL when it does not read. */
CL_MUST_CHECK struct cl_status convert_kept_result(struct item_result *out, Coloan__V1__VerificationResult **kept_out,
                                                   struct cl_arena *arena, struct cl_bytes packed);

/* The other way; `authority` and `source_receipt` are borrowed. */
CL_MUST_CHECK struct cl_status convert_result_out(Coloan__V1__VerificationResult **out, struct cl_arena *arena,
                                                  const struct item_result *in, const char *authority,
                                                  const char *source_receipt);

/* The terms both parties sign: packed OfferTerms and their digest, SHA-256("coloan terms v1\n" || terms). */
struct terms {
    struct cl_bytes bytes;
    struct cl_digest digest;
};

struct terms_of {
    const char *application_id, *bank;
    uint32_t version, bank_epoch;
    const struct offer *offer;
};
CL_MUST_CHECK struct cl_status convert_terms(struct terms *out, struct cl_arena *arena, const struct terms_of *of);

/* Reads terms that convert_terms packed. INTERNAL when they are not. */
CL_MUST_CHECK struct cl_status convert_terms_in(struct offer *out, struct cl_arena *arena, struct cl_bytes terms);

void convert_part_in(struct loan_part *out, const Coloan__V1__LoanPart *in);

/* The decision's reasons as a list of messages. */
CL_MUST_CHECK struct cl_status convert_reasons(Coloan__V1__Reason ***out, struct cl_arena *arena,
                                               const struct decision_reason *reasons, size_t count);

/* The trace, packed, and its digest (plain SHA-256 of the bytes). */
CL_MUST_CHECK struct cl_status convert_trace(struct terms *out, struct cl_arena *arena, const struct rule_set *rules,
                                             const struct fund_decision *decision);

#endif
