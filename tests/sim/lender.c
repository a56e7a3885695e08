#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/limits.h"
#include "tests/sim/lender_shared.h"
#include "tests/sim/line.h"

enum {
    DOWN_MS_MIN = 100,
    DOWN_MS_MAX = 20000,
    REOPEN_MS_MIN = 50,
    REOPEN_MS_MAX = 2000,
    REFUSED_MS_MAX = 20000,
    REFUSALS_MAX = 5, /* of one event; after ten the centre would call a person */
};

struct note {
    struct bank_record record; /* its text and bytes are `text` and `bytes` */
    char text[CL_TEXT_BYTES_MAX + 1];
    uint8_t *bytes;
};

/* -- The journal --------------------------------------------------------------------------------------------- */

static void keep(struct lender *lender, const struct bank_record *record)
{
    if (lender->note_count == lender->note_room) {
        lender->note_room = lender->note_room == 0 ? 64 : 2 * lender->note_room;
        lender->notes = realloc(lender->notes, lender->note_room * sizeof *lender->notes);
        assert(lender->notes != NULL);
    }
    struct note *note = &lender->notes[lender->note_count++];
    *note = (struct note){.record = *record};
    (void)snprintf(note->text, sizeof note->text, "%s", record->text == NULL ? "" : record->text);
    note->bytes = malloc(record->bytes.len + 1);
    assert(note->bytes != NULL);
    if (record->bytes.len > 0) {
        memcpy(note->bytes, record->bytes.data, record->bytes.len);
    }
}

static void take(struct lender *lender, const struct bank_record *record)
{
    struct cl_status status = bank_state_take(lender->state, record);
    assert(cl_is_ok(status));
}

void lender_note(struct lender *lender, const struct bank_record *record)
{
    keep(lender, record);
    take(lender, record);
}

static void replay(struct lender *lender)
{
    for (size_t i = 0; i < lender->note_count; i++) {
        struct note *note = &lender->notes[i];
        note->record.text = note->text;
        note->record.bytes = cl_bytes(note->bytes, note->record.bytes.len);
        take(lender, &note->record);
    }
}

static void count_applied(struct lender *lender, const struct note *note)
{
    uint64_t sequence = note->record.sequence;
    if (note->record.kind != BANK_RECORD_APPLIED) {
        return;
    }
    assert(sequence < LENDER_EVENTS_MAX);
    if (++lender->applied[sequence] > 1) {
        sim_violated(lender->sim, "%s applied event %llu twice", base_party(lender->role),
                     (unsigned long long)sequence);
    }
}

void lender_sync(struct lender *lender)
{
    for (; lender->durable < lender->note_count; lender->durable++) {
        count_applied(lender, &lender->notes[lender->durable]);
    }
}

static void forget_from(struct lender *lender, size_t count)
{
    while (lender->note_count > count) {
        free(lender->notes[--lender->note_count].bytes);
    }
}

/* -- Life ---------------------------------------------------------------------------------------------------- */

static void open_stream(void *who, void *load)
{
    struct lender *lender = who;
    (void)load;
    const struct line_opening opening = {.stream = ++lender->stream,
                                         .resume_after = bank_state_received(lender->state)};
    lender->stream_open = true;
    lender->next = opening.resume_after + 1;
    line_open(lender->sim, lender->role, &opening);
    struct bank_applied *unheard = NULL;
    size_t count = 0;
    struct cl_status status = bank_state_unheard(&unheard, &count, lender->state);
    assert(cl_is_ok(status));
    for (size_t i = 0; i < count; i++) {
        lender_acknowledge(lender, unheard[i].sequence, &unheard[i].digest, unheard[i].reference);
    }
    free(unheard);
}

static void take_up(void *user, struct bank_entry *entry)
{
    lender_wants_work(user, entry->sequence);
}

static void start(void *who, void *load)
{
    struct lender *lender = who;
    (void)load;
    struct cl_status status = bank_state_create(&lender->state);
    assert(cl_is_ok(status));
    replay(lender);
    lender->up = true;
    sim_say(lender->sim, "%s starts after event %llu", base_party(lender->role),
            (unsigned long long)bank_state_received(lender->state));
    bank_state_each(lender->state, take_up, lender);
    open_stream(lender, NULL);
}

static void stop(struct lender *lender)
{
    lender->up = false;
    lender->stream_open = false;
    party_stop(lender->party);
    bank_state_free(lender->state);
    lender->state = NULL;
    forget_from(lender, lender->durable);
}

bool lender_dies(struct lender *lender, const char *where)
{
    struct sim *sim = lender->sim;
    if (!sim_strikes(sim, sim->faults.bank_stops)) {
        return false;
    }
    sim_say(sim, "%s is killed %s", base_party(lender->role), where);
    stop(lender);
    agenda_add(sim->agenda, dice_between(&sim->dice, DOWN_MS_MIN, DOWN_MS_MAX),
               &(struct agenda_item){.run = start, .who = lender});
    return true;
}

struct lender *lender_create(struct sim *sim, enum role role)
{
    struct lender *lender = calloc(1, sizeof *lender);
    assert(lender != NULL);
    lender->sim = sim;
    lender->role = role;
    lender->party = sim->parties[role];
    agenda_add(sim->agenda, 0, &(struct agenda_item){.run = start, .who = lender});
    return lender;
}

void lender_free(struct lender *lender)
{
    if (lender == NULL) {
        return;
    }
    bank_state_free(lender->state);
    forget_from(lender, 0);
    free(lender->notes);
    free(lender);
}

/* -- The stream ---------------------------------------------------------------------------------------------- */

void lender_stream_over(struct lender *lender, unsigned stream, struct cl_status status)
{
    struct sim *sim = lender->sim;
    if (!lender->up || !lender->stream_open || stream != lender->stream) {
        return;
    }
    sim_say(sim, "%s sees its stream end: %s", base_party(lender->role), cl_status_name(status));
    lender->stream_open = false;
    agenda_add(sim->agenda, dice_between(&sim->dice, REOPEN_MS_MIN, REOPEN_MS_MAX),
               &(struct agenda_item){.run = open_stream, .who = lender, .life = &lender->party->life});
}

static void say(struct lender *lender, const struct cl_digest *event, const ProtobufCMessage *body)
{
    struct sim *sim = lender->sim;
    if (!lender->stream_open) {
        return;
    }
    struct cl_random random = dice_random(&sim->ids);
    struct cl_message message = {.environment = BASE_ENVIRONMENT,
                                 .recipient = base_party(ROLE_CENTRE),
                                 .method = "coloan.v1.JointApproval/Deliver",
                                 .direction = COLOAN__V1__DIRECTION__DIRECTION_ACK,
                                 .created_ms = party_now_ms(lender->party),
                                 .in_reply_to = event,
                                 .body = body};
    message.expires_ms = message.created_ms + CL_MESSAGE_LIFE_MS_MAX;
    cl_uuid7_make(&message.message_id, message.created_ms, &random);
    struct cl_sealed sealed;
    struct cl_status status = cl_envelope_seal(&sealed, sim->arena, sim->base->signers[lender->role], &message);
    assert(cl_is_ok(status));
    line_acknowledge(sim, lender->role, lender->stream, sealed.envelope);
}

void lender_acknowledge(struct lender *lender, uint64_t sequence, const struct cl_digest *event, const char *reference)
{
    Coloan__V1__Ack body = COLOAN__V1__ACK__INIT;
    body.sequence = sequence;
    body.level =
        reference == NULL ? COLOAN__V1__ACK_LEVEL__ACK_LEVEL_RECEIVED : COLOAN__V1__ACK_LEVEL__ACK_LEVEL_APPLIED;
    body.bank_reference = cl_unconst(reference == NULL ? "" : reference);
    say(lender, event, &body.base);
}

/* Its core is busy: the centre has to come again with it, and with what follows of the same case. */
static void refuse(struct lender *lender, uint64_t sequence, const struct cl_digest *event)
{
    Coloan__V1__Nack body = COLOAN__V1__NACK__INIT;
    body.sequence = sequence;
    body.delay_ms = dice_between(&lender->sim->dice, 0, REFUSED_MS_MAX);
    body.reason = cl_unconst("CORE_BUSY");
    sim_say(lender->sim, "%s refuses event %llu", base_party(lender->role), (unsigned long long)sequence);
    say(lender, event, &body.base);
}

static struct cl_status open_event(const Coloan__V1__Event **out, struct cl_opened *opened, struct lender *lender,
                                   struct cl_bytes envelope)
{
    static const struct cl_expected_body body = {&coloan__v1__event__descriptor,
                                                 COLOAN__V1__DIRECTION__DIRECTION_EVENT};
    struct cl_expectation expected = {.keyring = lender->sim->base->keyring,
                                      .environment = BASE_ENVIRONMENT,
                                      .sender = base_party(ROLE_CENTRE),
                                      .recipient = base_party(lender->role),
                                      .method = "coloan.v1.JointApproval/Deliver",
                                      .bodies = &body,
                                      .body_count = 1,
                                      .now_ms = party_now_ms(lender->party)};
    ProtobufCMessage *message = NULL;
    struct cl_status status = cl_envelope_open(opened, lender->sim->arena, envelope, &expected);
    if (cl_is_ok(status)) {
        status = cl_opened_body(&message, lender->sim->arena, opened);
    }
    *out = (const Coloan__V1__Event *)(const void *)message;
    return status;
}

/* Its own words of the case, for who looks from outside. */
static void look_at(struct lender *lender, const Coloan__V1__Event *event)
{
    struct lender_case *kept = lender_case_of(lender, event->application_id);
    kept->told = true;
    if (event->kind == COLOAN__V1__EVENT_KIND__EVENT_KIND_FUND_DECISION && event->fund_decision != NULL &&
        event->fund_decision->offer != NULL) {
        kept->offered = true;
        kept->version = event->status->offer_version;
        kept->epoch = event->status->bank_epoch;
        memcpy(kept->terms.bytes, event->fund_decision->offer->terms_digest.data, CL_DIGEST_BYTES);
    }
    kept->released = event->kind == COLOAN__V1__EVENT_KIND__EVENT_KIND_RELEASED ||
                     (kept->released && event->kind != COLOAN__V1__EVENT_KIND__EVENT_KIND_APPLICATION);
}

/* An event that comes again is the one it was. */
static void compare(struct lender *lender, uint64_t sequence, const struct cl_digest *digest)
{
    static const struct cl_digest none;
    assert(sequence < LENDER_EVENTS_MAX);
    struct cl_digest *seen = &lender->seen[sequence];
    if (cl_digest_equal(seen, &none)) {
        *seen = *digest;
    } else if (!cl_digest_equal(seen, digest)) {
        sim_violated(lender->sim, "event %llu of %s changed", (unsigned long long)sequence, base_party(lender->role));
    }
}

/* Whether it takes the event now. What it refused holds up the rest of its case, which may be on its way already: that is
 * refused, too, until the first one has come again. */
static bool refuses(struct lender *lender, const Coloan__V1__Event *event, uint64_t sequence,
                    const struct cl_digest *digest)
{
    struct sim *sim = lender->sim;
    struct lender_case *kept = lender_case_of(lender, event->application_id);
    bool follows = kept->refused != 0 && sequence > kept->refused;
    bool chosen = lender->refusals[sequence] < REFUSALS_MAX && sim_strikes(sim, sim->faults.refuses);
    if (!follows && !chosen) {
        kept->refused = sequence == kept->refused ? 0 : kept->refused;
        return false;
    }
    kept->refused = follows ? kept->refused : sequence;
    lender->refusals[sequence]++;
    if (sequence > bank_state_received(lender->state)) {
        lender_note(lender,
                    &(struct bank_record){.kind = BANK_RECORD_HELD, .number = (int64_t)sequence, .sequence = sequence});
        lender_sync(lender);
    }
    refuse(lender, sequence, digest);
    return true;
}

static void take_new(struct lender *lender, const Coloan__V1__Event *event, const struct cl_opened *opened,
                     struct cl_bytes envelope)
{
    uint64_t sequence = opened->header->sequence;
    lender_note(lender, &(struct bank_record){.kind = BANK_RECORD_EVENT,
                                              .sequence = sequence,
                                              .digest = opened->digest,
                                              .number = party_now_ms(lender->party),
                                              .text = event->application_id,
                                              .bytes = envelope});
    if (lender_dies(lender, "before an event is durable")) {
        return;
    }
    lender_sync(lender);
    look_at(lender, event);
    sim_say(lender->sim, "%s has event %llu", base_party(lender->role), (unsigned long long)sequence);
    lender_acknowledge(lender, sequence, &opened->digest, NULL);
    lender_wants_work(lender, sequence);
}

static bool hears(const struct lender *lender, unsigned stream)
{
    return lender->up && lender->stream_open && stream == lender->stream;
}

/* Within one application nothing comes before what is held back. */
static void check_order(struct lender *lender, const Coloan__V1__Event *event, uint64_t sequence)
{
    struct lender_case *kept = lender_case_of(lender, event->application_id);
    if (sequence < kept->last_event) {
        sim_violated(lender->sim, "%s gets event %llu of a case after its event %llu", base_party(lender->role),
                     (unsigned long long)sequence, (unsigned long long)kept->last_event);
    }
    kept->last_event = sequence;
}

void lender_take_event(struct lender *lender, unsigned stream, struct cl_bytes envelope)
{
    const Coloan__V1__Event *event = NULL;
    struct cl_opened opened;
    if (!hears(lender, stream) || lender_dies(lender, "with an event")) {
        return;
    }
    struct cl_status status = open_event(&event, &opened, lender, envelope);
    if (cl_failed(status)) {
        sim_violated(lender->sim, "an event for %s does not verify: %s", base_party(lender->role),
                     cl_status_name(status));
        return;
    }
    uint64_t sequence = opened.header->sequence;
    if (sequence > lender->next) {
        sim_violated(lender->sim, "%s gets event %llu, the next is %llu", base_party(lender->role),
                     (unsigned long long)sequence, (unsigned long long)lender->next);
        return;
    }
    lender->next += sequence == lender->next ? 1 : 0;
    compare(lender, sequence, &opened.digest);
    if (bank_state_has(lender->state, sequence)) {
        lender_acknowledge(lender, sequence, &opened.digest, NULL);
    } else if (!refuses(lender, event, sequence, &opened.digest)) {
        check_order(lender, event, sequence);
        take_new(lender, event, &opened, envelope);
    }
}

void lender_take_held(struct lender *lender, unsigned stream, uint64_t from, uint64_t to)
{
    if (!hears(lender, stream)) {
        return;
    }
    if (from != lender->next || to < from) {
        sim_violated(lender->sim, "%s hears of held events %llu to %llu, the next is %llu", base_party(lender->role),
                     (unsigned long long)from, (unsigned long long)to, (unsigned long long)lender->next);
        return;
    }
    lender->next = to + 1;
    lender_note(lender, &(struct bank_record){.kind = BANK_RECORD_HELD, .number = (int64_t)from, .sequence = to});
    lender_sync(lender);
}

/* -- Looking ------------------------------------------------------------------------------------------------- */

struct lender_case *lender_case_of(struct lender *lender, const char *application_id)
{
    for (size_t i = 0; i < lender->case_count; i++) {
        if (strcmp(lender->cases[i].id, application_id) == 0) {
            return &lender->cases[i];
        }
    }
    assert(lender->case_count < LENDER_CASES_MAX);
    struct lender_case *kept = &lender->cases[lender->case_count++];
    (void)snprintf(kept->id, sizeof kept->id, "%s", application_id);
    return kept;
}

static void note_one(void *user, struct bank_entry *entry)
{
    (void)entry;
    *(bool *)user = true;
}

bool lender_is_idle(struct lender *lender)
{
    bool waits = false;
    if (!lender->up || !party_is_idle(lender->party)) {
        return false;
    }
    bank_state_each(lender->state, note_one, &waits);
    return !waits;
}

bool lender_believes(struct lender *lender, const char *application_id)
{
    return lender_case_of(lender, application_id)->believes;
}

unsigned lender_applied(const struct lender *lender, uint64_t sequence)
{
    return sequence < LENDER_EVENTS_MAX ? lender->applied[sequence] : 0;
}

unsigned lender_lies(const struct lender *lender)
{
    return lender->lies;
}
