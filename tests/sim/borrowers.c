/* Nobody waits for the end of an action before the next look: a confirmation and a change of bank may be on their way at
 * once, and the centre has to take them in one order. */
#include "tests/sim/borrowers.h"

#include <assert.h>
#include <coloan/v1/application.pb-c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/json.h"
#include "libcoloan/personal.h"
#include "sandbox/submission.h"
#include "tests/sim/party.h"

enum {
    SUBMIT_MS_MAX = 4000,
    LOOK_MS_MIN = 700,
    LOOK_MS_MAX = 6000,
    CALM_LOOK_MS = 25000,          /* when nothing but time is waited for, */
    CONTENT_LOOK_MS = 3600 * 1000, /* and the borrower has nothing left to do */
    REFERENCE_BYTES = 32,
    HOUSEHOLDS = 100000,
};

#define STATE(name) COLOAN__V1__CASE_STATE__CASE_STATE_##name

struct borrower {
    struct borrowers *all;
    unsigned index, changes;
    uint64_t household;
    char reference[REFERENCE_BYTES];
    char application_id[CL_UUID_TEXT_BYTES];
    enum role bank; /* asked first */
    bool turned_away, supplemented, gives_up, ended;
    int state;
};

struct borrowers {
    struct sim *sim;
    struct party *channel;
    unsigned count;
    struct borrower list[BORROWERS_MAX];
};

/* -- Messages ------------------------------------------------------------------------------------------------ */

static ProtobufCMessage *parse(struct sim *sim, const ProtobufCMessageDescriptor *type, const json_t *from)
{
    ProtobufCMessage *message = NULL;
    char *text = json_dumps(from, 0);
    struct cl_json_error error;
    struct cl_status status = cl_json_parse(&message, sim->arena, type, cl_bytes_text(text), &error);
    assert(cl_is_ok(status));
    free(text);
    return message;
}

static struct submission_options options_of(const struct borrower *borrower, const char *bank, const char *reference)
{
    return (struct submission_options){.bank = bank,
                                       .fund = base_party(ROLE_CENTRE),
                                       .external_ref = reference,
                                       .now_ms = party_now_ms(borrower->all->channel)};
}

/* The application with its disclosures, as it is signed for `method`. */
static struct entry *sign_application(struct borrower *borrower, const char *method, const char *bank)
{
    struct sim *sim = borrower->all->sim;
    struct cl_random random = dice_random(&sim->ids);
    struct submission_options options = options_of(borrower, bank, borrower->reference);
    json_t *persona = people_make_generated(borrower->household);
    json_t *made = submission_make_application(persona, &options);
    json_t *personal = json_object_get(made, "personal");
    ProtobufCMessage *body = parse(sim, &coloan__v1__application__descriptor, json_object_get(made, "application"));
    Coloan__V1__Disclosure **disclosures =
        cl_arena_array(sim->arena, json_object_size(personal), sizeof(Coloan__V1__Disclosure *));
    size_t count = 0;
    const char *path = NULL;
    json_t *value = NULL;
    json_object_foreach(personal, path, value)
    {
        struct cl_status status =
            cl_personal_commit(&disclosures[count++], sim->arena, (Coloan__V1__Application *)(void *)body, path,
                               cl_bytes_text(json_string_value(value)), &random);
        assert(cl_is_ok(status));
    }
    bool is_first = borrower->application_id[0] == '\0';
    struct entry *entry =
        party_sign(borrower->all->channel, &(struct ask){.method = method,
                                                         .body = body,
                                                         .disclosures = disclosures,
                                                         .disclosure_count = count,
                                                         .application_id = is_first ? NULL : borrower->application_id});
    json_decref(made);
    json_decref(persona);
    return entry;
}

static void act(struct borrower *borrower, const char *method, const ProtobufCMessage *body)
{
    struct party *channel = borrower->all->channel;
    party_send(
        channel,
        party_sign(channel, &(struct ask){.method = method, .body = body, .application_id = borrower->application_id}),
        NULL, NULL, 0);
}

/* -- What they do -------------------------------------------------------------------------------------------- */

static void withdraw(struct borrower *borrower)
{
    Coloan__V1__Withdrawal body = COLOAN__V1__WITHDRAWAL__INIT;
    act(borrower, "coloan.v1.JointApproval/WithdrawApplication", &body.base);
}

static void confirm(struct borrower *borrower, const Coloan__V1__ApplicationView *view)
{
    Coloan__V1__OfferConfirmation body = COLOAN__V1__OFFER_CONFIRMATION__INIT;
    uint8_t paper[CL_DIGEST_BYTES] = {1};
    if (view->offer == NULL) {
        return;
    }
    body.offer_version = view->status->offer_version;
    body.terms_digest = view->offer->terms_digest;
    body.document_sha256 = (ProtobufCBinaryData){.len = sizeof paper, .data = paper};
    act(borrower, "coloan.v1.JointApproval/ConfirmOffer", &body.base);
}

static void choose_rules(struct borrower *borrower)
{
    Coloan__V1__RuleChoice body = COLOAN__V1__RULE_CHOICE__INIT;
    uint8_t paper[CL_DIGEST_BYTES] = {2};
    body.rule_set = cl_unconst(BASE_LATER_RULES);
    body.document_sha256 = (ProtobufCBinaryData){.len = sizeof paper, .data = paper};
    act(borrower, "coloan.v1.JointApproval/ChooseRules", &body.base);
}

static void change_bank(struct borrower *borrower, const Coloan__V1__ApplicationStatus *status)
{
    struct sim *sim = borrower->all->sim;
    const char *bank = base_party((enum role)(ROLE_ALPHA + dice_below(&sim->dice, ROLE_BANK_COUNT)));
    char reference[2 * REFERENCE_BYTES];
    (void)snprintf(reference, sizeof reference, "%s-%u", borrower->reference, ++borrower->changes);
    struct submission_options options = options_of(borrower, bank, reference);
    json_t *persona = people_make_generated(borrower->household);
    json_t *made = submission_make_change(persona, &options);
    Coloan__V1__BankChange *body =
        (Coloan__V1__BankChange *)(void *)parse(sim, &coloan__v1__bank_change__descriptor, made);
    body->bank_epoch = status->bank_epoch;
    act(borrower, "coloan.v1.JointApproval/ChangeBank", &body->base);
    json_decref(made);
    json_decref(persona);
}

/* The borrower's consent that the bank asked first sees the results. */
static void withdraw_consent(struct borrower *borrower)
{
    Coloan__V1__ConsentWithdrawal body = COLOAN__V1__CONSENT_WITHDRAWAL__INIT;
    char consent[2 * REFERENCE_BYTES];
    (void)snprintf(consent, sizeof consent, "%s-0-3", borrower->reference);
    body.consent_id = consent;
    act(borrower, "coloan.v1.JointApproval/WithdrawConsent", &body.base);
}

static void supplement(struct borrower *borrower, const Coloan__V1__ApplicationStatus *status)
{
    borrower->supplemented = true;
    party_send(borrower->all->channel,
               sign_application(borrower, "coloan.v1.JointApproval/SupplementApplication", status->bank), NULL, NULL,
               0);
}

/* -- When ---------------------------------------------------------------------------------------------------- */

static bool may_withdraw(int state)
{
    return state == STATE(VERIFYING) || state == STATE(SUPPLEMENT) || state == STATE(MANUAL) ||
           state == STATE(OFFERED) || state == STATE(APPROVED) || state == STATE(DECLINED);
}

static bool is_open(int state)
{
    return may_withdraw(state) || state == STATE(CONFIRMED);
}

static bool has_ended(int state)
{
    return state == STATE(REJECTED) || state == STATE(EXPIRED) || state == STATE(WITHDRAWN) ||
           state == STATE(SETTLED) || state == STATE(CANCELLED);
}

/* Something that not every borrower does. True: it was done. */
static bool act_up(struct borrower *borrower, const Coloan__V1__ApplicationStatus *status)
{
    struct sim *sim = borrower->all->sim;
    if (is_open(borrower->state) && sim_strikes(sim, sim->faults.changes_bank)) {
        change_bank(borrower, status);
        return true;
    }
    if (is_open(borrower->state) && sim_strikes(sim, sim->faults.chooses_rules)) {
        choose_rules(borrower);
        return true;
    }
    if (may_withdraw(borrower->state) && sim_strikes(sim, sim->faults.withdraws)) {
        if (dice_below(&sim->dice, 3) == 0) {
            withdraw_consent(borrower);
        } else {
            withdraw(borrower);
        }
        return true;
    }
    return false;
}

static void decide(struct borrower *borrower, const Coloan__V1__ApplicationView *view)
{
    struct sim *sim = borrower->all->sim;
    if (act_up(borrower, view->status) || sim_strikes(sim, sim->faults.waits)) {
        return;
    }
    if (borrower->state == STATE(APPROVED)) {
        confirm(borrower, view);
    } else if (borrower->gives_up && may_withdraw(borrower->state)) {
        withdraw(borrower);
    } else if (borrower->state == STATE(SUPPLEMENT) && !borrower->supplemented) {
        supplement(borrower, view->status);
    }
}

static void look(void *who, void *load);

static void look_later(struct borrower *borrower)
{
    struct sim *sim = borrower->all->sim;
    int64_t calm_ms = is_open(borrower->state) ? CALM_LOOK_MS : CONTENT_LOOK_MS;
    int64_t in_ms = sim->calm ? calm_ms : dice_between(&sim->dice, LOOK_MS_MIN, LOOK_MS_MAX);
    agenda_add(sim->agenda, in_ms, &(struct agenda_item){.run = look, .who = borrower});
}

static void seen(void *who, uint64_t tag, const struct ended *ended)
{
    struct borrower *borrower = who;
    const Coloan__V1__ApplicationView *view = (const Coloan__V1__ApplicationView *)(const void *)ended->reply;
    (void)tag;
    if (view != NULL) {
        borrower->state = (int)view->status->state;
        sim_say(borrower->all->sim, "borrower %u sees state %d", borrower->index, borrower->state);
        decide(borrower, view);
    }
    if (has_ended(borrower->state)) {
        borrower->ended = true;
    } else {
        look_later(borrower);
    }
}

static void look(void *who, void *load)
{
    struct borrower *borrower = who;
    struct party *channel = borrower->all->channel;
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    (void)load;
    query.application_id = borrower->application_id;
    party_send(
        channel,
        party_sign(channel, &(struct ask){.method = "coloan.v1.JointApproval/GetApplication", .body = &query.base}),
        seen, borrower, 0);
}

/* -- Submitting ---------------------------------------------------------------------------------------------- */

static void submit(void *who, void *load);

static void take_id(struct borrower *borrower, const char *application_id)
{
    (void)snprintf(borrower->application_id, sizeof borrower->application_id, "%s", application_id);
    sim_say(borrower->all->sim, "borrower %u has application %s", borrower->index, application_id);
    look_later(borrower);
}

/* It was refused although it may be there: by an attempt before. */
static void listed(void *who, uint64_t tag, const struct ended *ended)
{
    struct borrower *borrower = who;
    const Coloan__V1__ApplicationList *list = (const Coloan__V1__ApplicationList *)(const void *)ended->reply;
    (void)tag;
    if (list == NULL) {
        submit(borrower, NULL);
        return;
    }
    for (size_t i = 0; i < list->n_applications; i++) {
        if (strcmp(list->applications[i]->external_ref, borrower->reference) == 0) {
            take_id(borrower, list->applications[i]->application_id);
            return;
        }
    }
    borrower->turned_away = true;
}

static void submitted(void *who, uint64_t tag, const struct ended *ended)
{
    struct borrower *borrower = who;
    struct party *channel = borrower->all->channel;
    (void)tag;
    if (ended->reply != NULL) {
        take_id(borrower, ((const Coloan__V1__ApplicationReceipt *)(const void *)ended->reply)->application_id);
    } else if (ended->status.reason == CL_EXPIRED) {
        submit(borrower, NULL);
    } else {
        Coloan__V1__ApplicationListQuery query = COLOAN__V1__APPLICATION_LIST_QUERY__INIT;
        party_send(channel,
                   party_sign(channel,
                              &(struct ask){.method = "coloan.v1.JointApproval/ListApplications", .body = &query.base}),
                   listed, borrower, 0);
    }
}

static void submit(void *who, void *load)
{
    struct borrower *borrower = who;
    (void)load;
    struct entry *entry =
        sign_application(borrower, "coloan.v1.JointApproval/SubmitApplication", base_party(borrower->bank));
    party_send(borrower->all->channel, entry, submitted, borrower, 0);
}

/* -- Life ---------------------------------------------------------------------------------------------------- */

/* Not one of those whose registration waits for material that nobody brings. */
static uint64_t draw_household(struct sim *sim)
{
    for (;;) {
        uint64_t household = dice_below(&sim->dice, HOUSEHOLDS);
        json_t *persona = people_make_generated(household);
        const json_t *home = json_object_get(persona, "home");
        json_t *facts = people_make_home_facts("REGISTRATION", json_string_value(json_object_get(home, "contractNo")));
        const char *state = json_string_value(json_object_get(facts, "state"));
        bool ends = state != NULL && strcmp(state, "DONE") == 0;
        json_decref(facts);
        json_decref(persona);
        if (ends) {
            return household;
        }
    }
}

struct borrowers *borrowers_create(struct sim *sim)
{
    struct borrowers *all = calloc(1, sizeof *all);
    assert(all != NULL);
    all->sim = sim;
    all->channel = sim->parties[ROLE_CHANNEL];
    all->count = 1 + (unsigned)dice_below(&sim->dice, BORROWERS_MAX);
    for (unsigned i = 0; i < all->count; i++) {
        struct borrower *borrower = &all->list[i];
        borrower->all = all;
        borrower->index = i;
        borrower->household = draw_household(sim);
        borrower->bank = (enum role)(ROLE_ALPHA + dice_below(&sim->dice, ROLE_BANK_COUNT));
        (void)snprintf(borrower->reference, sizeof borrower->reference, "S-%u", i);
        agenda_add(sim->agenda, dice_between(&sim->dice, 0, SUBMIT_MS_MAX),
                   &(struct agenda_item){.run = submit, .who = borrower});
    }
    return all;
}

void borrowers_free(struct borrowers *borrowers)
{
    free(borrowers);
}

unsigned borrowers_count(const struct borrowers *borrowers)
{
    return borrowers->count;
}

const char *borrowers_application(const struct borrowers *borrowers, unsigned index)
{
    return index < borrowers->count ? borrowers->list[index].application_id : NULL;
}

bool borrowers_turned_away(const struct borrowers *borrowers, unsigned index)
{
    return borrowers->list[index].turned_away;
}

void borrowers_give_up(struct borrowers *borrowers)
{
    for (unsigned i = 0; i < borrowers->count; i++) {
        borrowers->list[i].gives_up = true;
    }
}
