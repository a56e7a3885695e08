/* Of ten thousand made-up applications, how much no person has to look at: items, and whole decisions. The items go the way
 * they go in a server but for the network: the catalogue says which, requests and answers are written and read as on the
 * wire, the domain reads and decides. A sample of them goes over real HTTP and has to come out the same.
 *
 * The measured table is printed, and stands in docs/PERFORMANCE.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sandbox/authorities.h"
#include "server/source/items.h"
#include "tests/population/asking.h"
#include "tests/population/population.h"
#include "tests/server/domain/world.h"

enum { SAMPLE = 100 };

static struct people *people;
static struct rule_set rules;
static struct cl_arena *arena;

struct tally {
    size_t settled, by_machine;
};

static struct tally tallies[ITEM_COUNT], all;
static size_t verdicts[VERDICT_MANUAL + 1];

/* -- One application ----------------------------------------------------------------------------------------- */

/* What the authority says, as a server would read it. */
static void answer_in_process(struct source_question *question)
{
    assert_false(source_failure_is_technical(asking_answer(question, people, NULL, world_now_ms())));
}

static void result_of(struct item_result *out, const struct population_one *one, const struct source_question *question)
{
    struct item_key key = {.item = (enum item)question->item, .person = question->person};
    const struct source_answer *answer = &question->answer;
    enum source_failure way = population_way(one, key);
    *out = (struct item_result){.key = key, .observed_ms = world_now_ms()};
    if (way != SOURCE_FAILURE_NONE) {
        out->outcome = ITEM_MANUAL;
        out->failure = (enum failure_kind)way;
        return;
    }
    out->outcome = (enum item_outcome)answer->outcome;
    out->failure = (enum failure_kind)answer->failure;
    out->fact_count = answer->fact_count;
    for (size_t i = 0; i < answer->fact_count; i++) {
        out->facts[i] = (struct item_fact){
            .name = answer->facts[i].name, .number = answer->facts[i].number, .text = answer->facts[i].text};
    }
}

/* All results of an application whose authorities have answered. */
static size_t results_of(struct item_result *out, const struct population_one *one,
                         const struct source_inquiry *inquiry)
{
    struct item_key keys[CL_ITEM_RESULTS_MAX];
    size_t asked = 0;
    size_t count = catalogue_items_for(keys, &one->application, PHASE_DECISION);
    for (size_t i = 0; i < count; i++) {
        enum item_owner owner = catalogue_row(keys[i].item)->owner;
        if (owner == OWNER_LOCAL) {
            item_settle_locally(&out[i], &one->application, WORLD_CENTRE, keys[i], world_now_ms());
        } else if (owner == OWNER_BANK) {
            population_bank(&out[i], one, keys[i]);
        } else {
            result_of(&out[i], one, &inquiry->questions[asked++]);
        }
        assert_int_equal(item_result_check(NULL, &one->application, &out[i]).reason, CL_OK);
    }
    assert_int_equal(asked, inquiry->question_count);
    return count;
}

static enum fund_verdict decide(const struct population_one *one, const struct item_result *results, size_t count)
{
    struct case_facts facts;
    struct fund_decision decision;
    cl_arena_reset(arena);
    facts_read(&facts, &one->application, results, count, world_now_ms());
    assert_true(cl_is_ok(decide_fund(&decision, arena, &rules, &one->application, &facts, world_now_ms())));
    return decision.verdict;
}

static void count_results(const struct item_result *results, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        bool by_machine = results[i].outcome == ITEM_PASS || results[i].outcome == ITEM_FAIL;
        tallies[results[i].key.item].settled++;
        tallies[results[i].key.item].by_machine += by_machine ? 1 : 0;
        all.settled++;
        all.by_machine += by_machine ? 1 : 0;
    }
}

static void print_tables(void)
{
    static const char *const names[] = {[VERDICT_APPROVE] = "approved",
                                        [VERDICT_REJECT] = "refused",
                                        [VERDICT_SUPPLEMENT] = "supplement asked for",
                                        [VERDICT_MANUAL] = "left to an officer"};
    (void)printf("\n| item | settled | by machine |\n|---|---|---|\n");
    for (unsigned item = ITEM_NONE + 1; item < ITEM_COUNT; item++) {
        const struct tally *tally = &tallies[item];
        if (tally->settled > 0) {
            (void)printf("| %s | %zu | %zu.%02zu %% |\n", catalogue_row((enum item)item)->name, tally->settled,
                         tally->by_machine * 100 / tally->settled, tally->by_machine * 10000 / tally->settled % 100);
        }
    }
    (void)printf("| all | %zu | %zu.%02zu %% |\n", all.settled, all.by_machine * 100 / all.settled,
                 all.by_machine * 10000 / all.settled % 100);
    for (unsigned verdict = VERDICT_APPROVE; verdict <= VERDICT_MANUAL; verdict++) {
        (void)printf("%s %zu.%02zu %%\n", names[verdict], verdicts[verdict] * 100 / POPULATION,
                     verdicts[verdict] * 10000 / POPULATION % 100);
    }
}

static void nine_items_of_ten_need_no_person(void **state)
{
    (void)state;
    for (uint64_t number = 0; number < POPULATION; number++) {
        struct population_one one;
        struct item_result results[CL_ITEM_RESULTS_MAX];
        population_make(&one, number);
        struct source_inquiry *inquiry = population_inquiry(&one);
        for (size_t i = 0; i < inquiry->question_count; i++) {
            answer_in_process(&inquiry->questions[i]);
        }
        size_t count = results_of(results, &one, inquiry);
        count_results(results, count);
        verdicts[decide(&one, results, count)]++;
        source_inquiry_free(inquiry);
        population_free(&one);
    }
    print_tables();
    assert_true(all.by_machine * 1000 >= all.settled * 900);
    assert_true(all.by_machine < all.settled); /* some are left, or the odds were none */
    for (unsigned item = ITEM_NONE + 1; item < ITEM_COUNT; item++) {
        bool of_decision = (catalogue_row((enum item)item)->phases & PHASE_BIT(PHASE_DECISION)) != 0;
        assert_int_equal(tallies[item].settled > 0, of_decision); /* the population has every kind */
    }
    for (unsigned verdict = VERDICT_APPROVE; verdict <= VERDICT_MANUAL; verdict++) {
        assert_true(verdicts[verdict] > 0);
    }
}

/* -- Over the network ---------------------------------------------------------------------------------------- */

static void answered(struct source_inquiry *inquiry)
{
    (void)sem_post(inquiry->user);
}

static void wait_for(sem_t *done)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    assert_int_equal(sem_timedwait(done, &until), 0);
}

static void compare(const struct source_question *asked, const struct source_question *known)
{
    assert_int_equal(asked->item, known->item);
    assert_int_equal(asked->answer.outcome, known->answer.outcome);
    assert_int_equal(asked->answer.failure, known->answer.failure);
    assert_int_equal(asked->answer.fact_count, known->answer.fact_count);
    for (size_t i = 0; i < asked->answer.fact_count; i++) {
        assert_int_equal(asked->answer.facts[i].number, known->answer.facts[i].number);
        assert_string_equal(asked->answer.facts[i].text, known->answer.facts[i].text);
    }
}

static void a_sample_comes_out_the_same_over_http(void **state)
{
    (void)state;
    char url[64];
    struct authorities *authorities = NULL;
    struct source *source = NULL;
    sem_t done;
    assert_true(cl_is_ok(authorities_start(&authorities, people, &(struct authorities_options){.port = 0})));
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", authorities_port(authorities));
    struct source_authority_options authority = {.name = "all", .base_url = url, .timeout_ms = 10000};
    for (size_t i = 0; source_item_at(i) != NULL; i++) {
        authority.items |= SOURCE_ITEM_BIT(source_item_at(i)->item);
    }
    const struct source_options options = {.authorities = &authority, .authority_count = 1, .deadline_ms = 30000};
    assert_true(cl_is_ok(source_create(&source, &options)));
    assert_true(cl_is_ok(source_start(source)));
    assert_int_equal(sem_init(&done, 0, 0), 0);
    for (uint64_t number = 0; number < SAMPLE; number++) {
        struct population_one one;
        population_make(&one, number * (POPULATION / SAMPLE));
        struct source_inquiry *asked = population_inquiry(&one);
        struct source_inquiry *known = population_inquiry(&one);
        asked->answered = answered;
        asked->user = &done;
        assert_true(cl_is_ok(source_ask(source, asked)));
        wait_for(&done);
        for (size_t i = 0; i < known->question_count; i++) {
            answer_in_process(&known->questions[i]);
            compare(&asked->questions[i], &known->questions[i]);
        }
        source_inquiry_free(asked);
        source_inquiry_free(known);
        population_free(&one);
    }
    source_stop(source);
    source_free(source);
    authorities_stop(authorities);
    (void)sem_destroy(&done);
}

static int set_up(void **state)
{
    (void)state;
    struct sandbox_problem problem;
    world_rules(&rules);
    return cl_is_ok(people_load(&people, COLOAN_SOURCE_DIR "/sandbox/personas.yaml", &problem)) &&
                   cl_is_ok(cl_arena_create(&arena, 1024 * 1024))
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    (void)state;
    cl_arena_free(arena);
    people_free(people);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nine_items_of_ten_need_no_person),
        cmocka_unit_test(a_sample_comes_out_the_same_over_http),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
