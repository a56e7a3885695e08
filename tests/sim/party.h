/* party.h - a party's side of the wire: it signs, sends, sends the same bytes again until there is an answer, and believes
 * only what the centre signed about its own request. What libcoloan/session.h does, without a network and threads.
 *
 * Owner: the simulation. What a party has on its way is gone when it is stopped. */
#ifndef COLOAN_TESTS_SIM_PARTY_H
#define COLOAN_TESTS_SIM_PARTY_H

#include <coloan/v1/envelope.pb-c.h>

#include "tests/sim/ledger.h"

struct errand;

struct party {
    struct sim *sim;
    enum role role;
    struct cl_clock clock;
    int64_t skew_ms;
    unsigned life; /* raised when it stops */
    struct errand *errands;
};

struct party *party_create(struct sim *sim, enum role role);
void party_free(struct party *party); /* NULL is fine */

int64_t party_now_ms(const struct party *party);

/* Forgets what is on its way. */
void party_stop(struct party *party);

struct ask {
    const char *method; /* "coloan.v1.JointApproval/SubmitApplication" */
    const ProtobufCMessage *body;
    const char *application_id; /* NULL: none */
    Coloan__V1__Disclosure *const *disclosures;
    size_t disclosure_count;
    const struct cl_uuid *message_id; /* NULL: a fresh one */
    bool lie;
};

/* Signs a request and keeps it in the ledger. */
struct entry *party_sign(struct party *party, const struct ask *ask);

/* How a request ended: `reply` in the simulation's arena, or NULL with a refusal that the same bytes will not change. */
struct ended {
    struct entry *entry;
    struct cl_status status;
    const ProtobufCMessage *reply;
};

typedef void party_ended(void *who, uint64_t tag, const struct ended *ended);

/* Sends it until then. `ended` NULL: nobody wants to know. */
void party_send(struct party *party, struct entry *entry, party_ended *ended, void *who, uint64_t tag);

/* Sends it once more and only compares the answer. */
void party_repeat(struct party *party, struct entry *entry);

bool party_is_idle(const struct party *party);

#endif
