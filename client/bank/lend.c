#include "client/bank/lend.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "libcoloan/limits.h"
#include "libcoloan/personal.h"

enum { FILING_BYTES = 24 }; /* "REG-<fen>-" around a contract's number */

struct step {
    Coloan__V1__MilestoneKind kind;
    Coloan__V1__Leg leg;
};

/* Contracts first, the fund's before ours; then the registration; and when everything was checked again, the fund's leg
 * before ours, so that our money never leaves for a home the fund does not pay its part of. */
static bool next_step(struct step *out, const Coloan__V1__ApplicationStatus *status)
{
    bool fund_to_sign = status->fund == COLOAN__V1__FUND_TRACK__FUND_TRACK_CONFIRMED;
    bool ours_to_sign = status->bank_track == COLOAN__V1__BANK_TRACK__BANK_TRACK_APPROVED;
    bool payable = status->state == COLOAN__V1__CASE_STATE__CASE_STATE_READY ||
                   status->state == COLOAN__V1__CASE_STATE__CASE_STATE_HALF_DISBURSED;
    bool confirmed = fund_to_sign || status->fund == COLOAN__V1__FUND_TRACK__FUND_TRACK_SIGNED;
    if (fund_to_sign) {
        *out = (struct step){COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_SIGNED, COLOAN__V1__LEG__LEG_FUND};
        return true;
    }
    if (confirmed && ours_to_sign) {
        *out = (struct step){COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_SIGNED, COLOAN__V1__LEG__LEG_COMMERCIAL};
        return true;
    }
    if (status->state == COLOAN__V1__CASE_STATE__CASE_STATE_SIGNED) {
        *out = (struct step){COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_REGISTRATION_FILED,
                             COLOAN__V1__LEG__LEG_UNSPECIFIED};
        return true;
    }
    if (payable && status->fund == COLOAN__V1__FUND_TRACK__FUND_TRACK_SIGNED) {
        *out = (struct step){COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_DISBURSED, COLOAN__V1__LEG__LEG_FUND};
        return true;
    }
    if (payable && status->bank_track == COLOAN__V1__BANK_TRACK__BANK_TRACK_SIGNED) {
        *out = (struct step){COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_DISBURSED, COLOAN__V1__LEG__LEG_COMMERCIAL};
        return true;
    }
    return false;
}

/* The register's number of what we filed, which has room for the contract's; the sandbox's gives them out as sandbox/personas.yaml says. */
static char *filing_of(struct cl_arena *arena, const Coloan__V1__OfferTerms *terms, const char *contract_no)
{
    char text[CL_TEXT_BYTES_MAX + 1];
    int64_t lent_fen = (terms->fund == NULL ? 0 : terms->fund->amount_fen) +
                       (terms->commercial == NULL ? 0 : terms->commercial->amount_fen);
    (void)snprintf(text, sizeof text, "REG-%" PRId64 "-%s", lent_fen, contract_no);
    return cl_arena_text(arena, text);
}

/* Our own number, "AL-F-1-<application's last digits>": the same whenever it is made anew. */
static char *reference_of(struct cl_arena *arena, const struct step *step, const Coloan__V1__ApplicationStatus *status,
                          const char *prefix)
{
    const char *leg = step->leg == COLOAN__V1__LEG__LEG_FUND ? "F" : "C";
    const char *id = status->application_id;
    size_t len = strlen(id);
    char text[CL_TEXT_BYTES_MAX + 1];
    (void)snprintf(text, sizeof text, "%.24s-%s-%d-%s", prefix, leg, (int)step->kind, len > 12 ? id + len - 12 : id);
    return cl_arena_text(arena, text);
}

static struct cl_status pay(Coloan__V1__Milestone *milestone, Coloan__V1__Disclosure **account_out,
                            struct cl_arena *arena, const Coloan__V1__OfferTerms *terms,
                            const struct bank_lending *lending)
{
    struct cl_digest commitment;
    const Coloan__V1__LoanPart *part = milestone->leg == COLOAN__V1__LEG__LEG_FUND ? terms->fund : terms->commercial;
    struct cl_status status = cl_disclosure_make(account_out, &commitment, arena, "account",
                                                 cl_bytes_text(lending->account), lending->random);
    if (cl_failed(status) || part == NULL) {
        return cl_failed(status) ? status : cl_fail(CL_FIELD_INVALID);
    }
    milestone->amount_fen = part->amount_fen;
    milestone->account.data = cl_arena_copy(arena, cl_bytes(commitment.bytes, CL_DIGEST_BYTES));
    milestone->account.len = CL_DIGEST_BYTES;
    return milestone->account.data == NULL ? cl_fail(CL_MEMORY_LIMIT) : cl_ok();
}

struct cl_status bank_lend_next(bool *more_out, Coloan__V1__Milestone **out, Coloan__V1__Disclosure **account_out,
                                struct cl_arena *arena, const Coloan__V1__ApplicationStatus *status,
                                const Coloan__V1__OfferTerms *terms, const struct bank_lending *lending)
{
    struct step step;
    bool waits = next_step(&step, status);
    bool files = waits && step.kind == COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_REGISTRATION_FILED;
    size_t contract_len = strlen(lending->contract_no);
    bool nameless = contract_len == 0 || contract_len > CL_TEXT_BYTES_MAX - FILING_BYTES;
    if (!waits || (files && nameless)) {
        *more_out = false;
        return cl_ok();
    }
    Coloan__V1__Disclosure *account = NULL;
    Coloan__V1__Milestone *milestone = cl_arena_alloc(arena, sizeof *milestone);
    if (milestone == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    coloan__v1__milestone__init(milestone);
    milestone->kind = step.kind;
    milestone->leg = step.leg;
    milestone->bank_epoch = status->bank_epoch;
    milestone->happened_ms = lending->now_ms;
    milestone->reference =
        files ? filing_of(arena, terms, lending->contract_no) : reference_of(arena, &step, status, lending->prefix);
    struct cl_status made = milestone->reference == NULL ? cl_fail(CL_MEMORY_LIMIT) : cl_ok();
    if (cl_is_ok(made) && step.kind == COLOAN__V1__MILESTONE_KIND__MILESTONE_KIND_DISBURSED) {
        made = pay(milestone, &account, arena, terms, lending);
    }
    if (cl_failed(made)) {
        return made;
    }
    *more_out = true;
    *out = milestone;
    *account_out = account;
    return cl_ok();
}
