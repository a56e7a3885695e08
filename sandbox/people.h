/* people.h - the synthetic people of the sandbox: the personas of a file, and as many more as a load test wants.
 *
 * A persona is a jansson object of the shape described atop personas.yaml, with the defaults filled in.
 *
 * Generated people: household n has its ID numbers, declarations, home and income from n alone, and what the
 * authorities say of a person comes from the ID number alone, so every process agrees without sharing anything. The
 * odds:
 *
 *   household        55 % couples, borrower born 1985..1998, home 0.80..2.60 million yuan and 60..139 m2
 *   identity         99.8 % match; face, ID document 99.5 %
 *   marriage         as declared 98.5 %, no record 1 %, otherwise 0.5 %; a couple's pair 99.5 %
 *   contribution     98 % of 12..239 months, 2 % of 1..5; base 6,000..42,400 yuan; balance 20,000..299,000 yuan;
 *                    0.5 % sealed; of another centre the same, 5 % without a record
 *   loan history     88 % none, 10 % one settled, 1 % two settled, 1 % one open
 *   fraud list       0.2 % banned; court list 0.3 % listed, 0.7 % namesakes
 *   credit           96 % clean, 2 % one or two overdue months, 1 % three in a row, 1 % overdue now; debts 0 or
 *                    500..2,900 yuan; commercial mortgages 95 % none, 4 % one, 1 % two
 *   homes            78 % none, 20 % one, 2 % two; children  60 % none, 28 % one, 12 % two
 *   employer         98.5 % live, 0.5 % closed, 1 % no record
 *   contract         98 % as it says, 0.5 % not filed, 1 % another price, 0.5 % other buyers
 *   building         80 % unrated, 20 % of one to three stars; 5 % improved; 3 % trade-in; 1 % voucher
 *   project          99 % admitted, 0.5 % not, 0.5 % no record; completion filed at the second look
 *   second-hand      30 % mortgaged, 0.3 % seized, 0.2 % disputed, 0.5 % another owner; appraised at 92..106 % of
 *                    the price
 *   account          99 % match, 1 % of a lower class; registration done at the third look, 1 % sent back for material
 *
 * A generated contract number says what was filed: SYN-<price in fen>-<area in 0.01 m2>-<anything>. The odds hold for
 * every ID number of area 99 that is not in the file, and for every contract of that form; who is not of a generated
 * household is single.
 *
 * Owner: struct people holds the personas; what is returned from it is borrowed, what a function named make_ returns is
 * the caller's. Reading is for any number of threads. Fails: CONFIG_INVALID with a sentence. */
#ifndef COLOAN_SANDBOX_PEOPLE_H
#define COLOAN_SANDBOX_PEOPLE_H

#include <stddef.h>
#include <stdint.h>

#include "sandbox/yaml_tree.h"

#define PEOPLE_GENERATED_MAX UINT64_C(2347296) /* more would share ID numbers */

struct people;

CL_MUST_CHECK struct cl_status people_load(struct people **out, const char *path, struct sandbox_problem *problem);
void people_free(struct people *people); /* NULL is fine */

/* Persona `index` in the file's order, NULL past the end; by its id; by a person's ID number, with the person's index;
 * by its home's contract. NULL when there is none. */
json_t *people_at(const struct people *people, size_t index);
json_t *people_find(const struct people *people, const char *id);
json_t *people_with_id_number(const struct people *people, const char *id_number, size_t *person_out);
json_t *people_with_contract(const struct people *people, const char *contract_no);

/* The household n < PEOPLE_GENERATED_MAX as a persona without expectations. NULL without memory. */
json_t *people_make_generated(uint64_t n);

/* What an authority says of an ID number that is not in the file: an item's answer object, or a json string with
 * another code ("NO_RECORD"). NULL for an item that is not of a person. */
json_t *people_make_person_facts(const char *item, const char *id_number);

/* The same of a home, by its contract; NO_RECORD for a contract of another form. */
json_t *people_make_home_facts(const char *item, const char *contract_no);

/* What the file says of an employer, borrowed, or NULL; and of one that is not there. */
json_t *people_employer(const struct people *people, const char *uscc);
json_t *people_make_employer_facts(const char *uscc);

/* GB 11643's check character for 17 digits. */
char people_check_digit(const char *digits);

#endif
