#include "tests/sim/officer.h"

#include <assert.h>
#include <coloan/v1/review.pb-c.h>
#include <stdio.h>
#include <stdlib.h>

#include "server/domain/catalogue.h"
#include "tests/sim/party.h"

enum {
    LOOK_MS_MIN = 8000,
    LOOK_MS_MAX = 30000,
    FACT_FEN = 1000000, /* of a fact that wants a number and says nothing of its size */
};

/* The task being worked on; one at a time. */
struct officer {
    struct sim *sim;
    struct party *party;
    char task[CL_UUID_TEXT_BYTES], application[CL_UUID_TEXT_BYTES];
    Coloan__V1__TaskKind kind;
    Coloan__V1__Item item;
};

static void look(void *who, void *load);

static void look_later(struct officer *officer)
{
    struct sim *sim = officer->sim;
    agenda_add(sim->agenda, dice_between(&sim->dice, LOOK_MS_MIN, LOOK_MS_MAX),
               &(struct agenda_item){.run = look, .who = officer});
}

static void ask(struct officer *officer, const char *method, const ProtobufCMessage *body, party_ended *ended)
{
    struct entry *entry = party_sign(
        officer->party, &(struct ask){.method = method,
                                      .body = body,
                                      .application_id = officer->application[0] == '\0' ? NULL : officer->application});
    party_send(officer->party, entry, ended, officer, 0);
}

static void settled(void *who, uint64_t tag, const struct ended *ended)
{
    struct officer *officer = who;
    (void)tag;
    (void)ended; /* refused: it is seen again, or is overtaken */
    look_later(officer);
}

/* -- What was found ------------------------------------------------------------------------------------------ */

static int64_t fact_number(const struct item_fact_row *row)
{
    int64_t number = row->kind == FACT_DATE || row->max < FACT_FEN ? row->min : FACT_FEN;
    return number < row->min ? row->min : number;
}

static void add_facts(Coloan__V1__Finding *out, struct cl_arena *arena, Coloan__V1__Item item)
{
    const struct catalogue_row *row = catalogue_row((enum item)item);
    out->facts = cl_arena_array(arena, ITEM_FACTS_MAX, sizeof(Coloan__V1__Fact *));
    for (const struct item_fact_row *fact = row->facts; fact->name != NULL; fact++) {
        if (!fact->required) {
            continue;
        }
        Coloan__V1__Fact *made = cl_arena_alloc(arena, sizeof *made);
        coloan__v1__fact__init(made);
        made->name = cl_unconst(fact->name);
        made->number = fact->kind == FACT_TEXT ? 0 : fact_number(fact);
        made->text = cl_unconst(fact->kind == FACT_TEXT ? "0000000000000000" : "");
        out->facts[out->n_facts++] = made;
    }
}

/* A registration is asked about again, or sent back: its numbers are the register's to say. */
static void find(Coloan__V1__Finding *out, const struct officer *officer)
{
    struct sim *sim = officer->sim;
    bool registration = officer->kind == COLOAN__V1__TASK_KIND__TASK_KIND_REGISTRATION;
    coloan__v1__finding__init(out);
    out->note = cl_unconst("SRC-DESK");
    out->outcome = COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_PASS;
    if (registration || dice_below(&sim->dice, 4) == 0) {
        out->outcome = COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_FAIL;
        out->failure = COLOAN__V1__FAILURE_KIND__FAILURE_KIND_NO_RECORD;
        return;
    }
    add_facts(out, sim->arena, officer->item);
}

/* -- Working ------------------------------------------------------------------------------------------------- */

static void claimed(void *who, uint64_t tag, const struct ended *ended)
{
    struct officer *officer = who;
    Coloan__V1__ItemSettlement body = COLOAN__V1__ITEM_SETTLEMENT__INIT;
    Coloan__V1__Finding finding;
    (void)tag;
    if (ended->reply == NULL) {
        look_later(officer);
        return;
    }
    find(&finding, officer);
    body.task_id = officer->task;
    body.finding = &finding;
    ask(officer, "coloan.v1.Review/SettleItem", &body.base, settled);
}

static bool can_be_settled(const Coloan__V1__Task *task)
{
    return task->kind == COLOAN__V1__TASK_KIND__TASK_KIND_ITEM ||
           task->kind == COLOAN__V1__TASK_KIND__TASK_KIND_CHECK ||
           task->kind == COLOAN__V1__TASK_KIND__TASK_KIND_REGISTRATION;
}

static void listed(void *who, uint64_t tag, const struct ended *ended)
{
    struct officer *officer = who;
    const Coloan__V1__TaskList *list = (const Coloan__V1__TaskList *)(const void *)ended->reply;
    (void)tag;
    for (size_t i = 0; list != NULL && i < list->n_tasks; i++) {
        const Coloan__V1__Task *task = list->tasks[i];
        if (can_be_settled(task)) {
            Coloan__V1__TaskClaim body = COLOAN__V1__TASK_CLAIM__INIT;
            (void)snprintf(officer->task, sizeof officer->task, "%s", task->task_id);
            (void)snprintf(officer->application, sizeof officer->application, "%s", task->application_id);
            officer->kind = task->kind;
            officer->item = task->item;
            body.task_id = officer->task;
            ask(officer, "coloan.v1.Review/ClaimTask", &body.base, claimed);
            return;
        }
    }
    look_later(officer);
}

static void look(void *who, void *load)
{
    struct officer *officer = who;
    Coloan__V1__TaskListQuery query = COLOAN__V1__TASK_LIST_QUERY__INIT;
    (void)load;
    officer->application[0] = '\0';
    ask(officer, "coloan.v1.Review/ListTasks", &query.base, listed);
}

struct officer *officer_create(struct sim *sim)
{
    struct officer *officer = calloc(1, sizeof *officer);
    assert(officer != NULL);
    officer->sim = sim;
    officer->party = sim->parties[ROLE_OFFICER];
    look_later(officer);
    return officer;
}

void officer_free(struct officer *officer)
{
    free(officer);
}
