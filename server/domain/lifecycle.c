#include "server/domain/lifecycle.h"

#include <assert.h>

static const char *const fund_names[FUND_TRACK_COUNT] = {
    [FUND_NONE] = "NONE",           [FUND_PENDING] = "PENDING",       [FUND_APPROVED] = "APPROVED",
    [FUND_REJECTED] = "REJECTED",   [FUND_SUPPLEMENT] = "SUPPLEMENT", [FUND_MANUAL] = "MANUAL",
    [FUND_CONFIRMED] = "CONFIRMED", [FUND_SIGNED] = "SIGNED",         [FUND_DISBURSED] = "DISBURSED",
    [FUND_SETTLED] = "SETTLED",     [FUND_WITHDRAWN] = "WITHDRAWN",   [FUND_EXPIRED] = "EXPIRED",
    [FUND_CANCELLED] = "CANCELLED",
};

static const char *const bank_names[BANK_TRACK_COUNT] = {
    [BANK_NONE] = "NONE",         [BANK_PENDING] = "PENDING",     [BANK_APPROVED] = "APPROVED",
    [BANK_DECLINED] = "DECLINED", [BANK_COUNTERED] = "COUNTERED", [BANK_NOT_NEEDED] = "NOT_NEEDED",
    [BANK_SIGNED] = "SIGNED",     [BANK_DISBURSED] = "DISBURSED", [BANK_SETTLED] = "SETTLED",
    [BANK_RELEASED] = "RELEASED",
};

static const char *const registry_names[REGISTRY_TRACK_COUNT] = {
    [REGISTRY_NONE] = "NONE",         [REGISTRY_NOT_STARTED] = "NOT_STARTED",
    [REGISTRY_FILED] = "FILED",       [REGISTRY_SUPPLEMENT] = "SUPPLEMENT",
    [REGISTRY_REJECTED] = "REJECTED", [REGISTRY_REGISTERED] = "REGISTERED",
    [REGISTRY_RELEASED] = "RELEASED", [REGISTRY_HELD] = "HELD",
};

/* -- Guards -------------------------------------------------------------------------------------------------- */

static bool always(const struct case_tracks *tracks, const struct case_input *input)
{
    (void)tracks;
    (void)input;
    return true;
}

/* Settled, or left to an officer: the rules refer such a case, unless the item is none of the centre's business (the
 * bank's own credit query). Which it is, they know and this table does not. */
static bool items_settled(const struct case_tracks *tracks, const struct case_input *input)
{
    (void)input;
    return tracks->items.open == 0;
}

static bool fund_offers(const struct case_tracks *tracks, const struct case_input *input)
{
    (void)input;
    return tracks->fund == FUND_APPROVED;
}

/* The first offer of a round and as many more as the rules allow. */
static bool may_offer_again(const struct case_tracks *tracks, const struct case_input *input)
{
    return tracks->fund == FUND_APPROVED && tracks->counters + 1 < input->offer_versions_max;
}

static bool lenders_agree(const struct case_tracks *tracks, const struct case_input *input)
{
    (void)input;
    return tracks->bank == BANK_APPROVED || tracks->bank == BANK_NOT_NEEDED;
}

static bool borrower_confirmed(const struct case_tracks *tracks, const struct case_input *input)
{
    (void)input;
    return tracks->fund == FUND_CONFIRMED || tracks->fund == FUND_SIGNED;
}

static bool a_contract_signed(const struct case_tracks *tracks, const struct case_input *input)
{
    (void)input;
    bool bank = tracks->bank == BANK_SIGNED || tracks->bank == BANK_DISBURSED;
    return bank || tracks->fund == FUND_SIGNED || tracks->fund == FUND_DISBURSED;
}

static bool no_contract_signed(const struct case_tracks *tracks, const struct case_input *input)
{
    return !a_contract_signed(tracks, input);
}

static bool bank_signed(const struct case_tracks *tracks, const struct case_input *input)
{
    (void)input;
    return tracks->bank == BANK_SIGNED;
}

static bool contracts_signed(const struct case_tracks *tracks, const struct case_input *input)
{
    (void)input;
    return tracks->fund == FUND_SIGNED && (tracks->bank == BANK_SIGNED || tracks->bank == BANK_NOT_NEEDED);
}

static bool checks_passed(const struct case_checks *checks)
{
    return checks->total > 0 && checks->open == 0 && checks->bad == 0;
}

/* Two payers cannot pay at once; each needs the same token, so that the second leg can only be late, not refused. */
static bool ready_to_pay(const struct case_tracks *tracks, const struct case_input *input)
{
    (void)input;
    bool fund = tracks->fund == FUND_SIGNED || tracks->fund == FUND_DISBURSED;
    bool bank = tracks->bank == BANK_SIGNED || tracks->bank == BANK_DISBURSED || tracks->bank == BANK_NOT_NEEDED;
    return fund && bank && tracks->registry == REGISTRY_REGISTERED && checks_passed(&tracks->checks);
}

static bool nothing_paid(const struct case_tracks *tracks, const struct case_input *input)
{
    (void)input;
    return tracks->fund < FUND_DISBURSED && tracks->bank != BANK_DISBURSED && tracks->bank != BANK_SETTLED;
}

static bool all_paid(const struct case_tracks *tracks, const struct case_input *input)
{
    (void)input;
    bool fund = tracks->fund == FUND_DISBURSED || tracks->fund == FUND_SETTLED;
    return fund && (tracks->bank == BANK_DISBURSED || tracks->bank == BANK_SETTLED || tracks->bank == BANK_NOT_NEEDED);
}

static bool all_repaid(const struct case_tracks *tracks)
{
    return tracks->fund == FUND_SETTLED && (tracks->bank == BANK_SETTLED || tracks->bank == BANK_NOT_NEEDED);
}

static bool nothing_owed(const struct case_tracks *tracks, const struct case_input *input)
{
    return all_repaid(tracks) || nothing_paid(tracks, input);
}

/* -- The tables ---------------------------------------------------------------------------------------------- */

#define GUARD(name, en, zh) {name, en, zh},
#define FUND_ROW(...)
#define BANK_ROW(...)
#define REGISTRY_ROW(...)
static const struct {
    lifecycle_guard *guard;
    const char *text;
    const char *text_zh;
} guard_texts[] = {
#include "server/domain/lifecycle.def"
};
#undef GUARD
#define GUARD(...)

enum { OFFERS = 1, DECIDES = 2, REOPENS = 4 };

#define ROW(track, row_from, row_command, row_guard, row_to, row_event, flags, en, zh)                                 \
    {                                                                                                                  \
        .from = track##_##row_from,                                                                                    \
        .command = COMMAND_##row_command,                                                                              \
        .guard = (row_guard),                                                                                          \
        .to = track##_##row_to,                                                                                        \
        .event = EVENT_##row_event,                                                                                    \
        .offers = ((flags)&OFFERS) != 0,                                                                               \
        .decides = ((flags)&DECIDES) != 0,                                                                             \
        .reopens = ((flags)&REOPENS) != 0,                                                                             \
        .sentence = (en),                                                                                              \
        .sentence_zh = (zh),                                                                                           \
    },

#undef FUND_ROW
#define FUND_ROW(...) ROW(FUND, __VA_ARGS__)
static const struct transition fund_table[] = {
#include "server/domain/lifecycle.def"
};
#undef FUND_ROW
#define FUND_ROW(...)

#undef BANK_ROW
#define BANK_ROW(...) ROW(BANK, __VA_ARGS__)
static const struct transition bank_table[] = {
#include "server/domain/lifecycle.def"
};
#undef BANK_ROW
#define BANK_ROW(...)

#undef REGISTRY_ROW
#define REGISTRY_ROW(...) ROW(REGISTRY, __VA_ARGS__)
static const struct transition registry_table[] = {
#include "server/domain/lifecycle.def"
};

struct table {
    const struct transition *rows;
    unsigned count;
};

static const struct table tables[TRACK_COUNT] = {
    [TRACK_FUND] = {fund_table, sizeof fund_table / sizeof fund_table[0]},
    [TRACK_BANK] = {bank_table, sizeof bank_table / sizeof bank_table[0]},
    [TRACK_REGISTRY] = {registry_table, sizeof registry_table / sizeof registry_table[0]},
};

const struct transition *lifecycle_at(enum case_track track, unsigned index)
{
    return index < tables[track].count ? &tables[track].rows[index] : NULL;
}

enum case_track lifecycle_track_of(const struct transition *row)
{
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        if (row >= tables[track].rows && row < tables[track].rows + tables[track].count) {
            return (enum case_track)track;
        }
    }
    assert(!"a row of no table");
    return TRACK_COUNT;
}

const struct transition *lifecycle_find(enum case_track track, int from, enum case_command command, int to)
{
    for (unsigned i = 0; i < tables[track].count; i++) {
        const struct transition *row = &tables[track].rows[i];
        if (row->from == from && row->command == command && row->to == to) {
            return row;
        }
    }
    return NULL;
}

static size_t guard_row(lifecycle_guard *guard)
{
    size_t i = 0;
    while (guard_texts[i].guard != guard) {
        i++;
        assert(i < sizeof guard_texts / sizeof guard_texts[0]);
    }
    return i;
}

const char *lifecycle_guard_text(lifecycle_guard *guard)
{
    return guard_texts[guard_row(guard)].text;
}

const char *lifecycle_guard_text_zh(lifecycle_guard *guard)
{
    return guard_texts[guard_row(guard)].text_zh;
}

/* -- Moving -------------------------------------------------------------------------------------------------- */

static int place_of(const struct case_tracks *tracks, enum case_track track)
{
    const int places[TRACK_COUNT] = {
        [TRACK_FUND] = (int)tracks->fund, [TRACK_BANK] = (int)tracks->bank, [TRACK_REGISTRY] = (int)tracks->registry};
    return places[track];
}

/* The rows that a command moves each track by; NULL where the track does not know the command. */
struct move {
    const struct transition *rows[TRACK_COUNT];
};

/* False when a track knows the command but has no row that fits. */
static bool find_row(const struct transition **out, enum case_track track, const struct case_tracks *tracks,
                     const struct case_input *input)
{
    bool known = false;
    *out = NULL;
    for (unsigned i = 0; i < tables[track].count; i++) {
        const struct transition *row = &tables[track].rows[i];
        if (row->command != input->command) {
            continue;
        }
        known = true;
        if (row->from == place_of(tracks, track) && row->guard(tracks, input)) {
            *out = row;
            return true;
        }
    }
    return !known;
}

static bool find_move(struct move *out, const struct case_tracks *tracks, const struct case_input *input)
{
    bool any = false;
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        if (!find_row(&out->rows[track], (enum case_track)track, tracks, input)) {
            return false;
        }
        any = any || out->rows[track] != NULL;
    }
    return any;
}

const struct transition *lifecycle_row(const struct case_tracks *from, const struct case_input *input)
{
    struct move move;
    if (!find_move(&move, from, input)) {
        return NULL;
    }
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        if (move.rows[track] != NULL) {
            return move.rows[track];
        }
    }
    return NULL;
}

/* Commands that open or settle items. */
static const bool brings_items[COMMAND_COUNT] = {
    [COMMAND_SUBMIT] = true,           [COMMAND_SETTLE_ITEM] = true, [COMMAND_DEADLINE] = true,
    [COMMAND_SUPPLEMENT] = true,       [COMMAND_CHANGE_BANK] = true, [COMMAND_CHOOSE_RULES] = true,
    [COMMAND_WITHDRAW_CONSENT] = true,
};

static void take_counts(struct case_tracks *tracks, const struct case_input *input)
{
    if (brings_items[input->command] && tracks->fund == FUND_PENDING) { /* later, what was decided on stays as it was */
        tracks->items = input->items;
    }
    if (input->command == COMMAND_REGISTER || input->command == COMMAND_CHECK) {
        tracks->checks = input->checks;
    }
}

/* Each event once: what a row of one track tells, one of another may tell, too. */
static void tell(struct case_events *events, enum case_event event)
{
    bool told = events->count > 0 && events->list[0] == event;
    if (event != EVENT_NONE && !told) {
        events->list[events->count++] = event;
    }
}

static void follow(struct case_tracks *tracks, struct case_events *events, const struct transition *row)
{
    tracks->offer_version += row->offers ? 1 : 0;
    tracks->counters += row->offers && row->command == COMMAND_BANK_COUNTER ? 1 : 0;
    if (row->reopens) {
        tracks->round++;
        tracks->counters = 0;
    }
    tell(events, row->event);
    tell(events, row->decides ? EVENT_JOINT_DECISION : EVENT_NONE);
}

struct cl_status lifecycle_apply(struct case_tracks *tracks, struct case_events *events_out,
                                 const struct case_input *input)
{
    assert(lifecycle_valid(tracks));
    struct move move;
    if (!find_move(&move, tracks, input)) {
        return cl_fail(CL_STATE_CONFLICT);
    }
    struct case_tracks next = *tracks;
    struct case_events events = {.count = 0};
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        if (move.rows[track] != NULL) {
            follow(&next, &events, move.rows[track]);
        }
    }
    next.fund = move.rows[TRACK_FUND] == NULL ? next.fund : (enum fund_track)move.rows[TRACK_FUND]->to;
    next.bank = move.rows[TRACK_BANK] == NULL ? next.bank : (enum bank_track)move.rows[TRACK_BANK]->to;
    next.registry =
        move.rows[TRACK_REGISTRY] == NULL ? next.registry : (enum registry_track)move.rows[TRACK_REGISTRY]->to;
    next.round = next.round == 0 ? 1 : next.round;
    take_counts(&next, input);
    assert(lifecycle_valid(&next));
    *tracks = next;
    *events_out = events;
    return cl_ok();
}

/* -- Derived ------------------------------------------------------------------------------------------------- */

static enum case_state state_while_pending(const struct case_tracks *tracks)
{
    return tracks->items.open == 0 && tracks->items.officer > 0 ? CASE_MANUAL : CASE_VERIFYING;
}

static enum case_state state_while_offered(const struct case_tracks *tracks)
{
    if (tracks->bank == BANK_DECLINED) {
        return CASE_DECLINED;
    }
    return lenders_agree(tracks, NULL) ? CASE_APPROVED : CASE_OFFERED;
}

static enum case_state state_before_payment(const struct case_checks *checks)
{
    if (checks->bad > 0) {
        return CASE_HELD;
    }
    if (checks->open > 0 && checks->completion_awaited) {
        return CASE_AWAITING_COMPLETION;
    }
    return checks_passed(checks) ? CASE_READY : CASE_CHECKING;
}

static enum case_state state_while_signed(const struct case_tracks *tracks)
{
    if (tracks->bank == BANK_DISBURSED) {
        return CASE_HALF_DISBURSED;
    }
    if (!contracts_signed(tracks, NULL)) {
        return CASE_SIGNING;
    }
    switch (tracks->registry) {
    case REGISTRY_FILED:
        return CASE_REGISTERING;
    case REGISTRY_SUPPLEMENT:
        return CASE_REGISTRY_SUPPLEMENT;
    case REGISTRY_HELD:
        return CASE_HELD;
    case REGISTRY_REGISTERED:
        return state_before_payment(&tracks->checks);
    case REGISTRY_NONE:
    case REGISTRY_NOT_STARTED:
    case REGISTRY_REJECTED:
    case REGISTRY_RELEASED:
    case REGISTRY_TRACK_COUNT:
        break;
    }
    return CASE_SIGNED;
}

enum case_state lifecycle_state(const struct case_tracks *tracks)
{
    switch (tracks->fund) {
    case FUND_PENDING:
        return state_while_pending(tracks);
    case FUND_APPROVED:
        return state_while_offered(tracks);
    case FUND_REJECTED:
        return CASE_REJECTED;
    case FUND_SUPPLEMENT:
        return CASE_SUPPLEMENT;
    case FUND_MANUAL:
        return CASE_MANUAL;
    case FUND_CONFIRMED:
        return tracks->bank == BANK_SIGNED ? CASE_SIGNING : CASE_CONFIRMED;
    case FUND_SIGNED:
        return state_while_signed(tracks);
    case FUND_DISBURSED:
        return tracks->bank == BANK_SIGNED ? CASE_HALF_DISBURSED : CASE_REPAYING;
    case FUND_SETTLED:
        return all_repaid(tracks) ? CASE_SETTLED : CASE_REPAYING;
    case FUND_WITHDRAWN:
        return CASE_WITHDRAWN;
    case FUND_EXPIRED:
        return CASE_EXPIRED;
    case FUND_CANCELLED:
        return CASE_CANCELLED;
    case FUND_NONE:
    case FUND_TRACK_COUNT:
        break;
    }
    return CASE_NONE;
}

enum case_outcome lifecycle_outcome(const struct case_tracks *tracks)
{
    switch (lifecycle_state(tracks)) {
    case CASE_NONE:
    case CASE_STATE_COUNT:
        return OUTCOME_NONE;
    case CASE_VERIFYING:
    case CASE_OFFERED:
        return OUTCOME_PENDING;
    case CASE_SUPPLEMENT:
        return OUTCOME_SUPPLEMENT;
    case CASE_MANUAL:
        return OUTCOME_MANUAL;
    case CASE_REJECTED:
        return OUTCOME_REJECTED_FUND;
    case CASE_DECLINED:
        return OUTCOME_DECLINED_BANK;
    case CASE_WITHDRAWN:
        return OUTCOME_WITHDRAWN;
    case CASE_EXPIRED:
        return OUTCOME_EXPIRED;
    case CASE_CANCELLED:
        return OUTCOME_CANCELLED;
    case CASE_APPROVED:
    case CASE_CONFIRMED:
    case CASE_SIGNING:
    case CASE_SIGNED:
    case CASE_REGISTERING:
    case CASE_REGISTRY_SUPPLEMENT:
    case CASE_CHECKING:
    case CASE_AWAITING_COMPLETION:
    case CASE_HELD:
    case CASE_READY:
    case CASE_HALF_DISBURSED:
    case CASE_REPAYING:
    case CASE_SETTLED:
        return tracks->bank == BANK_NOT_NEEDED ? OUTCOME_APPROVED_FUND_ONLY : OUTCOME_APPROVED_COMBINED;
    }
    return OUTCOME_NONE;
}

/* While items are open: the bank when nothing but its own reports is missing, else the centre. */
static enum case_actor actor_while_verifying(const struct case_tracks *tracks)
{
    bool only_the_bank = tracks->items.open > 0 && tracks->items.open == tracks->items.bank;
    return only_the_bank ? ACTOR_BANK : ACTOR_FUND;
}

enum case_actor lifecycle_next_actor(const struct case_tracks *tracks)
{
    switch (lifecycle_state(tracks)) {
    case CASE_VERIFYING:
        return actor_while_verifying(tracks);
    case CASE_MANUAL:
    case CASE_HELD:
        return ACTOR_OFFICER;
    case CASE_SUPPLEMENT:
    case CASE_APPROVED:
    case CASE_DECLINED:
    case CASE_REGISTRY_SUPPLEMENT:
    case CASE_REPAYING:
        return ACTOR_BORROWER;
    case CASE_OFFERED:
    case CASE_CONFIRMED:
    case CASE_SIGNING:
    case CASE_SIGNED:
    case CASE_READY:
    case CASE_HALF_DISBURSED:
        return ACTOR_BANK;
    case CASE_REGISTERING:
    case CASE_AWAITING_COMPLETION:
        return ACTOR_AUTHORITY;
    case CASE_CHECKING:
        return ACTOR_FUND;
    case CASE_SETTLED: /* the mortgage is still to be deleted */
        return tracks->registry == REGISTRY_RELEASED ? ACTOR_NOBODY : ACTOR_BANK;
    case CASE_REJECTED:
    case CASE_EXPIRED:
    case CASE_WITHDRAWN:
    case CASE_CANCELLED:
        return ACTOR_NOBODY;
    case CASE_NONE:
    case CASE_STATE_COUNT:
        break;
    }
    return ACTOR_NONE;
}

bool lifecycle_ended(const struct case_tracks *tracks)
{
    return lifecycle_next_actor(tracks) == ACTOR_NOBODY;
}

bool lifecycle_frees_persons(const struct case_tracks *tracks)
{
    enum case_state state = lifecycle_state(tracks);
    return lifecycle_ended(tracks) || state == CASE_REPAYING || state == CASE_SETTLED;
}

bool lifecycle_may_decide(const struct case_tracks *tracks)
{
    return tracks->fund == FUND_PENDING && tracks->items.open == 0;
}

/* -- What goes together -------------------------------------------------------------------------------------- */

static bool counts_fit(const struct case_tracks *tracks)
{
    const struct case_counts *items = &tracks->items;
    const struct case_checks *checks = &tracks->checks;
    bool items_fit =
        items->open <= items->total && items->officer <= items->total - items->open && items->bank <= items->open;
    bool checks_fit = checks->open <= checks->total && checks->bad <= checks->total - checks->open;
    return items_fit && checks_fit && (checks->open > 0 || !checks->completion_awaited);
}

/* What the bank's track may be while the fund's is there. */
static bool lenders_fit(const struct case_tracks *tracks)
{
    enum bank_track bank = tracks->bank;
    switch (tracks->fund) {
    case FUND_NONE:
        return bank == BANK_NONE;
    case FUND_PENDING:
    case FUND_SUPPLEMENT:
    case FUND_MANUAL:
        return bank == BANK_PENDING;
    case FUND_APPROVED:
        return bank >= BANK_PENDING && bank <= BANK_NOT_NEEDED;
    case FUND_CONFIRMED:
        return bank == BANK_APPROVED || bank == BANK_NOT_NEEDED || bank == BANK_SIGNED;
    case FUND_SIGNED:
        return bank == BANK_APPROVED || bank == BANK_NOT_NEEDED || bank == BANK_SIGNED || bank == BANK_DISBURSED;
    case FUND_DISBURSED:
        return bank == BANK_NOT_NEEDED || bank == BANK_SIGNED || bank == BANK_DISBURSED || bank == BANK_SETTLED;
    case FUND_SETTLED:
        return bank == BANK_NOT_NEEDED || bank == BANK_DISBURSED || bank == BANK_SETTLED;
    case FUND_REJECTED:
    case FUND_WITHDRAWN:
    case FUND_EXPIRED:
    case FUND_CANCELLED:
        return bank == BANK_RELEASED;
    case FUND_TRACK_COUNT:
        break;
    }
    return false;
}

/* The registry moves only once all contracts are signed. */
static bool registry_fits(const struct case_tracks *tracks)
{
    if ((tracks->registry == REGISTRY_NONE) != (tracks->fund == FUND_NONE)) {
        return false;
    }
    bool idle = tracks->registry == REGISTRY_NONE || tracks->registry == REGISTRY_NOT_STARTED;
    bool signed_by_all = tracks->fund == FUND_SIGNED || tracks->fund == FUND_DISBURSED ||
                         tracks->fund == FUND_SETTLED || tracks->fund == FUND_CANCELLED;
    bool bank_fits = tracks->bank != BANK_APPROVED;
    return idle || (signed_by_all && bank_fits && tracks->registry < REGISTRY_TRACK_COUNT);
}

static bool offers_fit(const struct case_tracks *tracks)
{
    bool needs_offer = tracks->fund == FUND_APPROVED || tracks->fund == FUND_CONFIRMED || tracks->fund == FUND_SIGNED ||
                       tracks->fund == FUND_DISBURSED || tracks->fund == FUND_SETTLED;
    bool countered = tracks->bank != BANK_COUNTERED || tracks->counters > 0;
    bool counted = tracks->counters < tracks->offer_version || tracks->counters == 0;
    return (tracks->offer_version > 0 || !needs_offer) && countered && counted &&
           (tracks->round > 0) == (tracks->fund != FUND_NONE);
}

/* Nothing is paid or decided on open items, and no leg is paid before everything is registered. */
static bool progress_fits(const struct case_tracks *tracks)
{
    bool undecided = tracks->fund == FUND_NONE || tracks->fund == FUND_PENDING;
    bool ended = tracks->fund == FUND_WITHDRAWN;
    bool paid = tracks->fund == FUND_DISBURSED || tracks->fund == FUND_SETTLED || tracks->bank == BANK_DISBURSED ||
                tracks->bank == BANK_SETTLED;
    bool registered = tracks->registry == REGISTRY_REGISTERED || tracks->registry == REGISTRY_RELEASED;
    return (undecided || ended || tracks->items.open == 0) && (!paid || registered);
}

bool lifecycle_valid(const struct case_tracks *tracks)
{
    return lenders_fit(tracks) && registry_fits(tracks) && offers_fit(tracks) && counts_fit(tracks) &&
           progress_fits(tracks);
}

/* -- Names --------------------------------------------------------------------------------------------------- */

const char *lifecycle_command_name(enum case_command command)
{
    static const char *const names[COMMAND_COUNT] = {
        [COMMAND_SUBMIT] = "SUBMIT",
        [COMMAND_SETTLE_ITEM] = "SETTLE_ITEM",
        [COMMAND_DEADLINE] = "DEADLINE",
        [COMMAND_SUPPLEMENT] = "SUPPLEMENT",
        [COMMAND_CHANGE_BANK] = "CHANGE_BANK",
        [COMMAND_CHOOSE_RULES] = "CHOOSE_RULES",
        [COMMAND_WITHDRAW_CONSENT] = "WITHDRAW_CONSENT",
        [COMMAND_WITHDRAW] = "WITHDRAW",
        [COMMAND_EXPIRE] = "EXPIRE",
        [COMMAND_FUND_APPROVE] = "FUND_APPROVE",
        [COMMAND_FUND_APPROVE_ALONE] = "FUND_APPROVE_ALONE",
        [COMMAND_FUND_REJECT] = "FUND_REJECT",
        [COMMAND_FUND_SUPPLEMENT] = "FUND_SUPPLEMENT",
        [COMMAND_FUND_MANUAL] = "FUND_MANUAL",
        [COMMAND_BANK_APPROVE] = "BANK_APPROVE",
        [COMMAND_BANK_COUNTER] = "BANK_COUNTER",
        [COMMAND_BANK_DECLINE] = "BANK_DECLINE",
        [COMMAND_CONFIRM] = "CONFIRM",
        [COMMAND_SIGN_FUND] = "SIGN_FUND",
        [COMMAND_SIGN_BANK] = "SIGN_BANK",
        [COMMAND_FILE] = "FILE",
        [COMMAND_REGISTRY_SUPPLEMENT] = "REGISTRY_SUPPLEMENT",
        [COMMAND_REGISTRY_PROCEED] = "REGISTRY_PROCEED",
        [COMMAND_REGISTRY_REJECT] = "REGISTRY_REJECT",
        [COMMAND_REGISTRY_HOLD] = "REGISTRY_HOLD",
        [COMMAND_REGISTER] = "REGISTER",
        [COMMAND_CHECK] = "CHECK",
        [COMMAND_DISBURSE_FUND] = "DISBURSE_FUND",
        [COMMAND_DISBURSE_BANK] = "DISBURSE_BANK",
        [COMMAND_REPAY_FUND] = "REPAY_FUND",
        [COMMAND_REPAY_BANK] = "REPAY_BANK",
        [COMMAND_OVERDUE_FUND] = "OVERDUE_FUND",
        [COMMAND_OVERDUE_BANK] = "OVERDUE_BANK",
        [COMMAND_SETTLE_FUND] = "SETTLE_FUND",
        [COMMAND_SETTLE_BANK] = "SETTLE_BANK",
        [COMMAND_CANCEL] = "CANCEL",
        [COMMAND_RELEASE_MORTGAGE] = "RELEASE_MORTGAGE",
    };
    bool known = command >= COMMAND_SUBMIT && command < COMMAND_COUNT;
    return known ? names[command] : "?";
}

const char *lifecycle_track_name(enum case_track track, int value)
{
    static const struct {
        const char *const *names;
        int count;
    } all[TRACK_COUNT] = {
        [TRACK_FUND] = {fund_names, FUND_TRACK_COUNT},
        [TRACK_BANK] = {bank_names, BANK_TRACK_COUNT},
        [TRACK_REGISTRY] = {registry_names, REGISTRY_TRACK_COUNT},
    };
    return value >= 0 && value < all[track].count ? all[track].names[value] : "?";
}

const char *lifecycle_state_name(enum case_state state)
{
    static const char *const names[CASE_STATE_COUNT] = {
        [CASE_NONE] = "NONE",
        [CASE_VERIFYING] = "VERIFYING",
        [CASE_SUPPLEMENT] = "SUPPLEMENT",
        [CASE_MANUAL] = "MANUAL",
        [CASE_OFFERED] = "OFFERED",
        [CASE_APPROVED] = "APPROVED",
        [CASE_REJECTED] = "REJECTED",
        [CASE_EXPIRED] = "EXPIRED",
        [CASE_WITHDRAWN] = "WITHDRAWN",
        [CASE_DECLINED] = "DECLINED",
        [CASE_CONFIRMED] = "CONFIRMED",
        [CASE_SIGNING] = "SIGNING",
        [CASE_SIGNED] = "SIGNED",
        [CASE_REGISTERING] = "REGISTERING",
        [CASE_REGISTRY_SUPPLEMENT] = "REGISTRY_SUPPLEMENT",
        [CASE_CHECKING] = "CHECKING",
        [CASE_AWAITING_COMPLETION] = "AWAITING_COMPLETION",
        [CASE_HELD] = "HELD",
        [CASE_READY] = "READY",
        [CASE_HALF_DISBURSED] = "HALF_DISBURSED",
        [CASE_REPAYING] = "REPAYING",
        [CASE_SETTLED] = "SETTLED",
        [CASE_CANCELLED] = "CANCELLED",
    };
    return state >= CASE_NONE && state < CASE_STATE_COUNT ? names[state] : "?";
}
