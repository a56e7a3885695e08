#include "server/domain/lifecycle.h"

#include <assert.h>

/* Every way a case moves. Bank and fund stand in one row because each waits for the other: the bank decides on an
 * offer, which only the fund's approval makes; the registry follows both and does not move yet. A case whose fund track
 * is APPROVED and whose offer has no commercial part is done, without the bank. */

/* Settled, or left to an officer: the rules refer such a case, unless the item is none of the centre's business (the
 * bank's own credit query). Which it is, they know and this table does not. */
static bool every_item_settled(const struct case_tracks *tracks, const struct case_input *input)
{
    (void)input;
    return tracks->items_open == 0;
}

static bool bank_is_asked(const struct case_tracks *tracks, const struct case_input *input)
{
    (void)input;
    return !tracks->fund_only;
}

static bool may_offer_again(const struct case_tracks *tracks, const struct case_input *input)
{
    return !tracks->fund_only && tracks->offer_version < input->offer_versions_max;
}

static const struct transition table[] = {
    {FUND_NONE, BANK_NONE, COMMAND_SUBMIT, NULL, FUND_PENDING, BANK_PENDING, EVENT_APPLICATION, false, false,
     "The application is accepted; its items are being settled."},

    {FUND_PENDING, BANK_PENDING, COMMAND_SETTLE_ITEM, NULL, FUND_PENDING, BANK_PENDING, EVENT_NONE, false, false,
     "An item is settled."},
    {FUND_SUPPLEMENT, BANK_PENDING, COMMAND_SETTLE_ITEM, NULL, FUND_PENDING, BANK_PENDING, EVENT_STATUS, false, false,
     "Something was added or mended; the fund decides anew."},
    {FUND_MANUAL, BANK_PENDING, COMMAND_SETTLE_ITEM, NULL, FUND_PENDING, BANK_PENDING, EVENT_STATUS, false, false,
     "An officer settled an item; the fund decides anew."},

    {FUND_PENDING, BANK_PENDING, COMMAND_FUND_APPROVE, every_item_settled, FUND_APPROVED, BANK_PENDING,
     EVENT_FUND_DECISION, true, false, "The fund approves and offers; the bank decides."},
    {FUND_PENDING, BANK_PENDING, COMMAND_FUND_APPROVE_ALONE, every_item_settled, FUND_APPROVED, BANK_PENDING,
     EVENT_FUND_DECISION, true, true, "The fund approves and lends alone."},
    {FUND_PENDING, BANK_PENDING, COMMAND_FUND_REJECT, every_item_settled, FUND_REJECTED, BANK_PENDING,
     EVENT_FUND_DECISION, false, true, "The fund rejects."},
    {FUND_PENDING, BANK_PENDING, COMMAND_FUND_SUPPLEMENT, every_item_settled, FUND_SUPPLEMENT, BANK_PENDING,
     EVENT_FUND_DECISION, false, false, "The borrower has to add or mend something."},
    {FUND_PENDING, BANK_PENDING, COMMAND_FUND_MANUAL, every_item_settled, FUND_MANUAL, BANK_PENDING,
     EVENT_FUND_DECISION, false, false, "An officer has to settle an item."},

    {FUND_APPROVED, BANK_PENDING, COMMAND_BANK_APPROVE, bank_is_asked, FUND_APPROVED, BANK_APPROVED, EVENT_NONE, false,
     true, "The bank approves the offer; both have signed the same terms."},
    {FUND_APPROVED, BANK_COUNTERED, COMMAND_BANK_APPROVE, bank_is_asked, FUND_APPROVED, BANK_APPROVED, EVENT_NONE,
     false, true, "The bank approves the offer made of its counter-offer; both have signed the same terms."},
    {FUND_APPROVED, BANK_PENDING, COMMAND_BANK_COUNTER, may_offer_again, FUND_APPROVED, BANK_COUNTERED,
     EVENT_FUND_DECISION, true, false, "The bank lends less; the fund offers anew with a higher down payment."},
    {FUND_APPROVED, BANK_COUNTERED, COMMAND_BANK_COUNTER, may_offer_again, FUND_APPROVED, BANK_COUNTERED,
     EVENT_FUND_DECISION, true, false, "The bank lends less again; the fund offers anew."},
    {FUND_APPROVED, BANK_PENDING, COMMAND_BANK_DECLINE, bank_is_asked, FUND_APPROVED, BANK_DECLINED, EVENT_NONE, false,
     true, "The bank declines."},
    {FUND_APPROVED, BANK_COUNTERED, COMMAND_BANK_DECLINE, bank_is_asked, FUND_APPROVED, BANK_DECLINED, EVENT_NONE,
     false, true, "The bank declines the offer made of its counter-offer."},
};

enum { ROW_COUNT = sizeof table / sizeof table[0] };

const struct transition *lifecycle_at(unsigned index)
{
    return index < ROW_COUNT ? &table[index] : NULL;
}

static const struct transition *find(const struct case_tracks *tracks, const struct case_input *input)
{
    for (unsigned i = 0; i < ROW_COUNT; i++) {
        const struct transition *row = &table[i];
        bool fits = row->fund_from == tracks->fund && row->bank_from == tracks->bank && row->command == input->command;
        if (fits && (row->guard == NULL || row->guard(tracks, input))) {
            return row;
        }
    }
    return NULL;
}

static void take_counts(struct case_tracks *tracks, const struct case_input *input)
{
    bool brings_counts = input->command == COMMAND_SUBMIT || input->command == COMMAND_SETTLE_ITEM;
    if (!brings_counts) {
        return;
    }
    tracks->items_total = input->items_total;
    tracks->items_open = input->items_open;
    tracks->items_bank = input->items_bank;
    tracks->items_officer = input->items_officer;
}

static void tell(struct case_events *events, enum case_event event)
{
    if (event != EVENT_NONE) {
        events->list[events->count++] = event;
    }
}

struct cl_status lifecycle_apply(struct case_tracks *tracks, struct case_events *events_out,
                                 const struct case_input *input)
{
    assert(lifecycle_valid(tracks));
    const struct transition *row = find(tracks, input);
    if (row == NULL) {
        return cl_fail(CL_STATE_CONFLICT);
    }
    struct case_tracks next = *tracks;
    struct case_events events = {.count = 0};
    next.fund = row->fund_to;
    next.bank = row->bank_to;
    next.registry = REGISTRY_NOT_STARTED;
    next.offer_version += row->new_offer ? 1 : 0;
    next.fund_only = tracks->fund_only || row->command == COMMAND_FUND_APPROVE_ALONE;
    take_counts(&next, input);
    tell(&events, row->event);
    tell(&events, row->ends ? EVENT_JOINT_DECISION : EVENT_NONE);
    assert(lifecycle_valid(&next));
    *tracks = next;
    *events_out = events;
    return cl_ok();
}

/* -- Derived ------------------------------------------------------------------------------------------------- */

static enum case_state state_while_pending(const struct case_tracks *tracks)
{
    return tracks->items_open == 0 && tracks->items_officer > 0 ? CASE_MANUAL : CASE_VERIFYING;
}

static enum case_state state_after_fund_approval(const struct case_tracks *tracks)
{
    if (tracks->fund_only || tracks->bank == BANK_APPROVED) {
        return CASE_APPROVED;
    }
    return tracks->bank == BANK_DECLINED ? CASE_REJECTED : CASE_OFFERED;
}

enum case_state lifecycle_state(const struct case_tracks *tracks)
{
    switch (tracks->fund) {
    case FUND_PENDING:
        return state_while_pending(tracks);
    case FUND_APPROVED:
        return state_after_fund_approval(tracks);
    case FUND_REJECTED:
        return CASE_REJECTED;
    case FUND_SUPPLEMENT:
        return CASE_SUPPLEMENT;
    case FUND_MANUAL:
        return CASE_MANUAL;
    case FUND_NONE:
    case FUND_TRACK_COUNT:
        return CASE_NONE;
    }
    return CASE_NONE;
}

enum case_outcome lifecycle_outcome(const struct case_tracks *tracks)
{
    switch (lifecycle_state(tracks)) {
    case CASE_VERIFYING:
    case CASE_OFFERED:
        return OUTCOME_PENDING;
    case CASE_SUPPLEMENT:
        return OUTCOME_SUPPLEMENT;
    case CASE_MANUAL:
        return OUTCOME_MANUAL;
    case CASE_APPROVED:
        return tracks->fund_only ? OUTCOME_APPROVED_FUND_ONLY : OUTCOME_APPROVED_COMBINED;
    case CASE_REJECTED:
        return tracks->fund == FUND_REJECTED ? OUTCOME_REJECTED_FUND : OUTCOME_DECLINED_BANK;
    case CASE_EXPIRED: /* these two have no commands yet */
    case CASE_WITHDRAWN:
    case CASE_NONE:
        return OUTCOME_NONE;
    }
    return OUTCOME_NONE;
}

/* While items are open: the bank when nothing but its own reports is missing, else the centre. */
static enum case_actor actor_while_verifying(const struct case_tracks *tracks)
{
    bool only_the_bank = tracks->items_open > 0 && tracks->items_open == tracks->items_bank;
    return only_the_bank ? ACTOR_BANK : ACTOR_FUND;
}

enum case_actor lifecycle_next_actor(const struct case_tracks *tracks)
{
    switch (lifecycle_state(tracks)) {
    case CASE_VERIFYING:
        return actor_while_verifying(tracks);
    case CASE_SUPPLEMENT:
        return ACTOR_BORROWER;
    case CASE_MANUAL:
        return ACTOR_OFFICER;
    case CASE_OFFERED:
        return ACTOR_BANK;
    case CASE_APPROVED:
    case CASE_REJECTED:
    case CASE_EXPIRED:
    case CASE_WITHDRAWN:
        return ACTOR_NOBODY;
    case CASE_NONE:
        return ACTOR_NONE;
    }
    return ACTOR_NONE;
}

bool lifecycle_may_decide(const struct case_tracks *tracks)
{
    return tracks->fund == FUND_PENDING && tracks->items_open == 0;
}

static bool counts_fit(const struct case_tracks *tracks)
{
    bool within = tracks->items_open <= tracks->items_total &&
                  tracks->items_officer <= tracks->items_total - tracks->items_open &&
                  tracks->items_bank <= tracks->items_open;
    bool undecided = tracks->fund == FUND_NONE || tracks->fund == FUND_PENDING;
    return within && (undecided || tracks->items_open == 0);
}

bool lifecycle_valid(const struct case_tracks *tracks)
{
    bool submitted = tracks->fund != FUND_NONE;
    bool approved = tracks->fund == FUND_APPROVED;
    bool bank_has_decided = tracks->bank > BANK_PENDING;
    if (tracks->fund >= FUND_TRACK_COUNT || tracks->bank >= BANK_TRACK_COUNT) {
        return false;
    }
    if ((tracks->bank != BANK_NONE) != submitted || (tracks->registry == REGISTRY_NOT_STARTED) != submitted) {
        return false;
    }
    if ((tracks->offer_version > 0) != approved || (tracks->fund_only && !approved)) {
        return false;
    }
    if (bank_has_decided && (!approved || tracks->fund_only)) { /* the bank decides on an offer to it, never before */
        return false;
    }
    if (tracks->bank == BANK_COUNTERED && tracks->offer_version < 2) {
        return false;
    }
    return counts_fit(tracks);
}

const char *lifecycle_command_name(enum case_command command)
{
    static const char *const names[COMMAND_COUNT] = {
        [COMMAND_SUBMIT] = "SUBMIT",
        [COMMAND_SETTLE_ITEM] = "SETTLE_ITEM",
        [COMMAND_FUND_APPROVE] = "FUND_APPROVE",
        [COMMAND_FUND_APPROVE_ALONE] = "FUND_APPROVE_ALONE",
        [COMMAND_FUND_REJECT] = "FUND_REJECT",
        [COMMAND_FUND_SUPPLEMENT] = "FUND_SUPPLEMENT",
        [COMMAND_FUND_MANUAL] = "FUND_MANUAL",
        [COMMAND_BANK_APPROVE] = "BANK_APPROVE",
        [COMMAND_BANK_COUNTER] = "BANK_COUNTER",
        [COMMAND_BANK_DECLINE] = "BANK_DECLINE",
    };
    bool known = command >= COMMAND_SUBMIT && command < COMMAND_COUNT;
    return known ? names[command] : "?";
}
