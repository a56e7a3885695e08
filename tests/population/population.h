/* population.h - ten thousand made-up applications and what comes back on them, so that the share of items which no
 * person has to look at can be measured. Everything follows from the number of the application: the same in every run.
 *
 * People, homes and what authorities say of them have the odds of sandbox/people.h. On top of them:
 *
 *   home             35 % second-hand; of the new ones 45 % sold before completion, all with a permit number
 *   said beside      employer 60 %, face check 50 %, last day of the ID document 70 %, repayment account 40 %
 *   fund account     8 % at another centre
 *   authorities      of a thousand questions 4 get no answer in time, 2 find the authority down, 1 gets an answer that is
 *                    none: after every attempt, so a person has to look
 *   the bank         income verified 97 %, not enough 2 %, left to a person 1 %; its credit query passes 97 %, fails
 *                    2.5 %, is left to a person 0.5 %
 *
 * The odds are made up, in the order of what published figures and public interfaces suggest: 90 % of items by machine is
 * what a centre is promised, and how far the catalogue carries with such answers is what is measured. They are no
 * measurement of any real population.
 *
 * Owner: population_free releases what an application holds. One thread. */
#ifndef COLOAN_TESTS_POPULATION_H
#define COLOAN_TESTS_POPULATION_H

#include <jansson.h>

#include "server/domain/facts.h"
#include "server/source/source.h"

enum { POPULATION = 10000 };

struct population_one {
    struct application application;
    json_t *persona; /* borrowed texts of the application */
    char texts[CL_CONSENTS_MAX][24];
    char permit_no[24];
    uint64_t number;
};

void population_make(struct population_one *out, uint64_t number);
void population_free(struct population_one *one);

/* Everything that the application has to be asked of authorities for its decision, in catalogue order. */
struct source_inquiry *population_inquiry(const struct population_one *one);

/* What the way does to a question of that application: FAILURE_NONE, TIMEOUT, UNREACHABLE or PARSE. */
enum source_failure population_way(const struct population_one *one, struct item_key key);

/* The bank's result of one of its items. */
void population_bank(struct item_result *out, const struct population_one *one, struct item_key key);

#endif
