#include "tests/sim/party.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/limits.h"
#include "libcoloan/refusal.h"
#include "server/api/methods.h"
#include "tests/sim/hub.h"
#include "tests/sim/network.h"

enum {
    RETRY_MS_MIN = 300, /* less than a late parcel takes: what was sent again is often overtaken by its first copy */
    RETRY_MS_MAX = 20000,
    LIFE_MS_SHORT = 5000, /* one of four requests lives no longer, so that some run out */
};

/* A request on its way, as the process has it in memory. */
struct errand {
    struct errand *next;
    struct entry *entry;
    int64_t wait_ms;
    party_ended *ended;
    void *who;
    uint64_t tag;
};

/* -- Life ---------------------------------------------------------------------------------------------------- */

static int64_t unix_ms(void *user)
{
    return party_now_ms(user);
}

static int64_t monotonic_ms(void *user)
{
    return agenda_now_ms(((struct party *)user)->sim->agenda);
}

int64_t party_now_ms(const struct party *party)
{
    return agenda_now_ms(party->sim->agenda) + party->skew_ms;
}

struct party *party_create(struct sim *sim, enum role role)
{
    struct party *party = calloc(1, sizeof *party);
    assert(party != NULL);
    *party = (struct party){.sim = sim, .role = role};
    party->clock = (struct cl_clock){.unix_ms = unix_ms, .monotonic_ms = monotonic_ms, .user = party};
    return party;
}

void party_stop(struct party *party)
{
    party->life++;
    while (party->errands != NULL) {
        struct errand *next = party->errands->next;
        free(party->errands);
        party->errands = next;
    }
}

void party_free(struct party *party)
{
    if (party != NULL) {
        party_stop(party);
        free(party);
    }
}

bool party_is_idle(const struct party *party)
{
    return party->errands == NULL;
}

/* -- Signing ------------------------------------------------------------------------------------------------- */

static size_t method_index(const char *name)
{
    size_t index = 0;
    while (strcmp(api_method_name(api_method_at(index)), name) != 0) {
        index++;
        assert(index < API_METHOD_COUNT);
    }
    return index;
}

struct entry *party_sign(struct party *party, const struct ask *ask)
{
    struct sim *sim = party->sim;
    struct cl_random random = dice_random(&sim->ids);
    struct cl_message message = {
        .environment = BASE_ENVIRONMENT,
        .recipient = base_party(ROLE_CENTRE),
        .method = ask->method,
        .direction = COLOAN__V1__DIRECTION__DIRECTION_REQUEST,
        .created_ms = party_now_ms(party),
        .application_id = ask->application_id,
        .body = ask->body,
        .disclosures = ask->disclosures,
        .disclosure_count = ask->disclosure_count,
    };
    message.expires_ms = message.created_ms + (dice_below(&sim->dice, 4) == 0 ? LIFE_MS_SHORT : CL_MESSAGE_LIFE_MS_MAX);
    cl_uuid7_make(&message.message_id, message.created_ms, &random);
    if (ask->message_id != NULL) {
        message.message_id = *ask->message_id;
    }
    struct cl_sealed sealed;
    struct cl_status status = cl_envelope_seal(&sealed, sim->arena, sim->base->signers[party->role], &message);
    assert(cl_is_ok(status));
    size_t method = method_index(ask->method);
    struct entry entry = {.role = party->role,
                          .method = method,
                          .reply_type = api_method_at(method)->reply,
                          .message_id = message.message_id,
                          .digest = sealed.digest,
                          .expires_ms = message.expires_ms,
                          .lie = ask->lie};
    struct entry *kept = ledger_keep(sim->ledger, &entry, sealed.envelope);
    sim_say(sim, "%s signs %u: %s%s", base_party(party->role), kept->number, ask->method, ask->lie ? ", a lie" : "");
    return kept;
}

/* -- Verifying ----------------------------------------------------------------------------------------------- */

static struct cl_status open_answer(const ProtobufCMessage **out, const struct party *party, const struct entry *entry,
                                    struct cl_bytes bytes, const struct cl_expected_body *body)
{
    struct cl_expectation expected = {
        .keyring = party->sim->base->keyring,
        .environment = BASE_ENVIRONMENT,
        .sender = base_party(ROLE_CENTRE),
        .recipient = base_party(party->role),
        .method = api_method_name(api_method_at(entry->method)),
        .bodies = body,
        .body_count = 1,
        .in_reply_to = &entry->digest,
        .now_ms = party_now_ms(party),
    };
    struct cl_opened opened;
    ProtobufCMessage *message = NULL;
    struct cl_status status = cl_envelope_open(&opened, party->sim->arena, bytes, &expected);
    if (cl_is_ok(status)) {
        status = cl_opened_body(&message, party->sim->arena, &opened);
    }
    if (cl_is_ok(status)) {
        *out = message;
    }
    return status;
}

/* What a refusal says, by its signature when it has one. */
static struct cl_status read_refusal(const struct party *party, const struct entry *entry, struct cl_bytes details)
{
    const struct cl_expected_body body = {&coloan__v1__refusal__descriptor, COLOAN__V1__DIRECTION__DIRECTION_REFUSAL};
    struct cl_refusal_read read;
    const ProtobufCMessage *message = NULL;
    struct cl_status status = cl_refusal_read(&read, details);
    if (cl_failed(status) || read.envelope.len == 0) {
        return cl_failed(status) ? cl_fail(CL_PEER_ANSWER_INVALID) : read.status;
    }
    status = open_answer(&message, party, entry, read.envelope, &body);
    const struct cl_reason_info *said =
        cl_is_ok(status) ? cl_reason_find(((const Coloan__V1__Refusal *)(const void *)message)->reason) : NULL;
    return said == NULL ? cl_fail(CL_PEER_ANSWER_INVALID) : cl_fail(said->reason);
}

/* -- Answers ------------------------------------------------------------------------------------------------- */

static struct errand *find(const struct party *party, const struct entry *entry)
{
    struct errand *errand = party->errands;
    while (errand != NULL && errand->entry != entry) {
        errand = errand->next;
    }
    return errand;
}

static void end(struct party *party, struct errand *errand, struct cl_status status, const ProtobufCMessage *reply)
{
    struct errand **place = &party->errands;
    struct errand done = *errand;
    while (*place != errand) {
        place = &(*place)->next;
    }
    *place = errand->next;
    free(errand);
    if (done.ended != NULL) {
        done.ended(done.who, done.tag, &(struct ended){.entry = done.entry, .status = status, .reply = reply});
    }
}

/* Two refusals say that the message was not, and never will be, handled; the first as far as the centre's clock does not
 * go back. */
static void check_finality(struct sim *sim, const struct entry *entry)
{
    bool final = entry->refused == CL_MESSAGE_ID_REUSED || (entry->refused == CL_EXPIRED && sim->faults.clock == 0);
    if (entry->answered && final && !api_method_at(entry->method)->reads) {
        sim_violated(sim, "request %u was answered, and refused with %s", entry->number,
                     cl_reason_info(entry->refused)->name);
    }
}

static void take_reply(struct party *party, struct entry *entry, struct cl_bytes bytes)
{
    const struct cl_expected_body body = {entry->reply_type, COLOAN__V1__DIRECTION__DIRECTION_REPLY};
    const ProtobufCMessage *reply = NULL;
    struct cl_status status = open_answer(&reply, party, entry, bytes, &body);
    if (cl_failed(status)) {
        sim_violated(party->sim, "the answer to request %u does not verify: %s", entry->number, cl_status_name(status));
        return;
    }
    ledger_answered(party->sim->ledger, entry, bytes);
    check_finality(party->sim, entry);
    struct errand *errand = find(party, entry);
    if (errand != NULL) {
        end(party, errand, cl_ok(), reply);
    }
}

/* A clock that is wrong goes right again: the message is good then, or its time is over. */
static bool is_passing(enum cl_reason reason)
{
    return cl_reason_info(reason)->retry == CL_RETRY_DELAY || reason == CL_CREATED_IN_FUTURE;
}

static void take_refusal(struct party *party, struct entry *entry, struct cl_bytes details)
{
    struct cl_status status = read_refusal(party, entry, details);
    struct errand *errand = find(party, entry);
    sim_say(party->sim, "%s: %u is refused: %s", base_party(party->role), entry->number, cl_status_name(status));
    if (status.reason == CL_INTERNAL || status.reason == CL_PEER_ANSWER_INVALID) {
        sim_violated(party->sim, "request %u ended with %s", entry->number, cl_status_name(status));
    }
    entry->refused = status.reason;
    check_finality(party->sim, entry);
    if (errand != NULL && !is_passing(status.reason)) {
        end(party, errand, status, NULL);
    }
}

struct answer {
    struct entry *entry;
    bool replied;
    size_t len;
    uint8_t bytes[];
};

static void take_answer(void *to, void *load)
{
    struct answer *answer = load;
    struct cl_bytes bytes = cl_bytes(answer->bytes, answer->len);
    if (answer->replied) {
        take_reply(to, answer->entry, bytes);
    } else {
        take_refusal(to, answer->entry, bytes);
    }
    free(answer);
}

/* -- Sending ------------------------------------------------------------------------------------------------- */

struct letter {
    struct party *from;
    struct entry *entry;
    unsigned life; /* of the sender: a connection ends with whoever holds it */
};

static void *copy_letter(const void *load)
{
    struct letter *copy = malloc(sizeof *copy);
    assert(copy != NULL);
    *copy = *(const struct letter *)load;
    return copy;
}

/* The hub answers: the connection may be gone by now. */
static void hub_says(void *user, const struct exchange_answer *said)
{
    struct letter *letter = user;
    struct party *party = letter->from;
    bool replied = cl_is_ok(said->status);
    struct cl_bytes bytes = replied ? said->reply : cl_bytes(said->refusal->bytes, said->refusal->len);
    if (letter->life == party->life && !hub_is_mute(party->sim->hub)) {
        struct answer *answer = malloc(sizeof *answer + bytes.len);
        assert(answer != NULL);
        *answer = (struct answer){.entry = letter->entry, .replied = replied, .len = bytes.len};
        memcpy(answer->bytes, bytes.data, bytes.len);
        network_send(party->sim, &(struct parcel){.what = "an answer",
                                                  .to = party,
                                                  .load = answer,
                                                  .arrive = take_answer,
                                                  .drop = free,
                                                  .life = &party->life});
    }
    free(letter);
}

static void arrive(void *to, void *load)
{
    struct letter *letter = load;
    const struct entry *entry = letter->entry;
    hub_take(to, &(struct hub_request){.from = base_party(entry->role),
                                       .method = entry->method,
                                       .number = entry->number,
                                       .message = cl_bytes(entry->envelope, entry->envelope_len),
                                       .answered = hub_says,
                                       .user = letter,
                                       .drop = free});
}

static void send_once(struct party *party, struct entry *entry)
{
    struct letter letter = {.from = party, .entry = entry, .life = party->life};
    entry->sent++;
    network_send(party->sim, &(struct parcel){.what = "a request",
                                              .to = party->sim->hub,
                                              .load = copy_letter(&letter),
                                              .arrive = arrive,
                                              .drop = free,
                                              .copy = copy_letter});
}

static void try_again(void *who, void *load);

static void set_timer(struct party *party, const struct errand *errand)
{
    agenda_add(party->sim->agenda, errand->wait_ms,
               &(struct agenda_item){.run = try_again, .who = party, .load = errand->entry, .life = &party->life});
}

static void try_again(void *who, void *load)
{
    struct party *party = who;
    struct errand *errand = find(party, load);
    if (errand == NULL) {
        return;
    }
    errand->wait_ms = 2 * errand->wait_ms < RETRY_MS_MAX ? 2 * errand->wait_ms : RETRY_MS_MAX;
    send_once(party, errand->entry);
    set_timer(party, errand);
}

void party_send(struct party *party, struct entry *entry, party_ended *ended, void *who, uint64_t tag)
{
    assert(find(party, entry) == NULL);
    struct errand *errand = malloc(sizeof *errand);
    assert(errand != NULL);
    *errand = (struct errand){.next = party->errands,
                              .entry = entry,
                              .wait_ms = dice_between(&party->sim->dice, RETRY_MS_MIN, 5 * RETRY_MS_MIN),
                              .ended = ended,
                              .who = who,
                              .tag = tag};
    party->errands = errand;
    send_once(party, entry);
    set_timer(party, errand);
}

void party_repeat(struct party *party, struct entry *entry)
{
    send_once(party, entry);
}
