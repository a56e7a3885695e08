#include "tests/sim/authorities.h"

#include <stdio.h>

#include "server/source/items.h"
#include "tests/population/asking.h"
#include "tests/sim/hub.h"

enum { ANSWER_MS_MIN = 20, ANSWER_MS_MAX = 3000, NEVER_MS = 40 * 1000 };

static void drop_inquiry(void *load)
{
    source_inquiry_free(load);
}

/* Nothing came of it: what source.c makes of a question after its last attempt. */
static void give_up(struct source_answer *answer, enum source_failure failure, int64_t now_ms)
{
    answer->outcome = SOURCE_MANUAL;
    answer->failure = failure;
    answer->observed_ms = now_ms;
}

static void answer_one(struct sim *sim, struct source_question *question)
{
    struct source_answer *answer = &question->answer;
    int64_t now_ms = hub_now_ms(sim->hub);
    (void)snprintf(answer->authority, sizeof answer->authority, "sandbox");
    if (sim_strikes(sim, sim->faults.failing)) {
        give_up(answer, SOURCE_TIMEOUT, now_ms);
        return;
    }
    enum source_failure failure = asking_answer(question, sim->base->people, sim->history, now_ms);
    if (failure != SOURCE_FAILURE_NONE && source_failure_is_technical(failure)) {
        give_up(answer, failure, now_ms);
    } else if (sim_strikes(sim, sim->faults.unknown) && question->item != SOURCE_REGISTRATION) {
        *answer = (struct source_answer){.outcome = source_item_row(question->item)->no_record,
                                         .failure = SOURCE_NO_RECORD,
                                         .authority = "sandbox",
                                         .receipt = "none",
                                         .observed_ms = now_ms};
    }
}

static void answer(void *who, void *load)
{
    struct sim *sim = who;
    struct source_inquiry *inquiry = load;
    for (size_t i = 0; i < inquiry->question_count; i++) {
        answer_one(sim, &inquiry->questions[i]);
    }
    const struct source_answer *last = &inquiry->questions[inquiry->question_count - 1].answer;
    sim_say(sim, "authorities answer %zu questions on %s, the last: outcome %d, failure %d", inquiry->question_count,
            inquiry->application_id, (int)last->outcome, (int)last->failure);
    inquiry->answered(inquiry);
    hub_wants_turn(sim->hub);
}

/* Its deadline has passed: every question is a person's. */
static void fall_silent(void *who, void *load)
{
    struct sim *sim = who;
    struct source_inquiry *inquiry = load;
    sim_say(sim, "authorities say nothing on %s", inquiry->application_id);
    for (size_t i = 0; i < inquiry->question_count; i++) {
        give_up(&inquiry->questions[i].answer, SOURCE_UNREACHABLE, hub_now_ms(sim->hub));
    }
    inquiry->answered(inquiry);
    hub_wants_turn(sim->hub);
}

void authorities_ask(struct sim *sim, struct source_inquiry *inquiry)
{
    bool never = sim_strikes(sim, sim->faults.unanswered);
    int64_t in_ms = never ? NEVER_MS : dice_between(&sim->dice, ANSWER_MS_MIN, ANSWER_MS_MAX);
    for (size_t i = 0; i < inquiry->question_count; i++) {
        inquiry->questions[i].inquiry = inquiry;
    }
    agenda_add(sim->agenda, in_ms,
               &(struct agenda_item){.run = never ? fall_silent : answer,
                                     .drop = drop_inquiry,
                                     .who = sim,
                                     .load = inquiry,
                                     .life = hub_life(sim->hub)});
}
