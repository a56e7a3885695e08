#include "sandbox/people.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct people {
    json_t *personas;
    json_t *by_id_number; /* ID number -> [persona's index, person's index] */
    json_t *by_contract;  /* contract -> persona's index */
    json_t *employers;    /* USCC -> facts; NULL: none */
};

/* -- The file ------------------------------------------------------------------------------------------------ */

static struct cl_status complain(struct sandbox_problem *problem, const json_t *persona, const char *what)
{
    const char *id = json_string_value(json_object_get(persona, "id"));
    (void)snprintf(problem->text, sizeof problem->text, "persona %s: %s", id == NULL ? "without id" : id, what);
    return cl_fail(CL_CONFIG_INVALID);
}

static json_t *section_of(json_t *object, const char *key)
{
    if (json_object_get(object, key) == NULL) {
        (void)json_object_set_new(object, key, json_object());
    }
    return json_object_get(object, key);
}

static bool is_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL && text[0] != '\0';
}

/* Appraised and paid for as declared unless the persona says otherwise. */
static int fill_home(json_t *facts, const json_t *home)
{
    json_int_t price_fen = json_integer_value(json_object_get(home, "priceFen"));
    json_int_t appraisal_fen = json_integer_value(json_object_get(home, "appraisalFen"));
    json_t *known =
        json_pack("{s{sI ss} s{sI sb}}", "appraisal", "value_fen", appraisal_fen > 0 ? appraisal_fen : price_fen,
                  "valued_on", "2026-11-01", "down_payment", "paid_fen", price_fen, "payer_match", 1);
    int result = json_object_update_missing(facts, known);
    json_decref(known);
    return result;
}

/* The contract is filed as declared unless the persona says otherwise. */
static int fill_contract(json_t *persona, json_t *facts)
{
    if (json_object_get(facts, "home_contract") != NULL) {
        return 0;
    }
    const json_t *home = json_object_get(persona, "home");
    json_t *contract =
        json_pack("{sI sI sb sb}", "price_fen", json_integer_value(json_object_get(home, "priceFen")), "area_centi_m2",
                  json_integer_value(json_object_get(home, "areaCentiM2")), "filed", 1, "buyers_match", 1);
    return json_object_set_new(facts, "home_contract", contract);
}

static struct cl_status index_person(struct people *people, json_t *person, size_t persona_index, size_t person_index)
{
    const char *id_number = json_string_value(json_object_get(person, "id_number"));
    json_t *place = json_pack("[ii]", (int)persona_index, (int)person_index);
    bool twice = json_object_get(people->by_id_number, id_number) != NULL;
    bool set = json_object_set_new(people->by_id_number, id_number, place) == 0;
    return set && !twice ? cl_ok() : cl_fail(CL_CONFIG_INVALID);
}

static struct cl_status take_people(struct people *people, json_t *persona, size_t index, const json_t *defaults,
                                    struct sandbox_problem *problem)
{
    size_t person_index;
    json_t *person;
    json_t *list = json_object_get(persona, "people");
    if (!json_is_array(list) || json_array_size(list) == 0) {
        return complain(problem, persona, "people: a list of 1 to 4 is needed");
    }
    json_array_foreach(list, person_index, person)
    {
        bool texts = is_text(person, "name") && is_text(person, "id_number") && is_text(person, "mobile") &&
                     is_text(person, "role") && is_text(person, "declared") && is_text(person, "staff");
        if (!texts || !json_is_boolean(json_object_get(person, "contributes"))) {
            return complain(problem, persona,
                            "people: name, id_number, mobile, role, declared, staff, contributes are needed");
        }
        (void)json_object_update_missing(section_of(person, "facts"), json_object_get(defaults, "person"));
        if (cl_failed(index_person(people, person, index, person_index))) {
            return complain(problem, persona, "people: an ID number stands twice");
        }
    }
    return cl_ok();
}

static struct cl_status take_persona(struct people *people, json_t *persona, size_t index, const json_t *defaults,
                                     struct sandbox_problem *problem)
{
    const json_t *home = json_object_get(persona, "home");
    if (!is_text(persona, "id") || !is_text(persona, "title") || !is_text(persona, "address") ||
        !is_text(home, "contractNo") || !json_is_object(json_object_get(persona, "request")) ||
        !json_is_object(json_object_get(persona, "bank"))) {
        return complain(problem, persona, "id, title, address, home.contractNo, request and bank are needed");
    }
    const char *contract_no = json_string_value(json_object_get(home, "contractNo"));
    bool twice = json_object_get(people->by_contract, contract_no) != NULL;
    json_t *facts = section_of(persona, "facts");
    if (twice || json_object_set_new(people->by_contract, contract_no, json_integer((json_int_t)index)) != 0 ||
        json_object_update_missing(facts, json_object_get(defaults, "case")) != 0 ||
        fill_contract(persona, facts) != 0 || fill_home(facts, home) != 0) {
        return complain(problem, persona, "home.contractNo stands twice, or facts is no section");
    }
    return take_people(people, persona, index, defaults, problem);
}

static struct cl_status take_file(struct people *people, json_t *file, struct sandbox_problem *problem)
{
    size_t index;
    json_t *persona;
    const json_t *defaults = json_object_get(file, "defaults");
    people->personas = json_incref(json_object_get(file, "personas"));
    people->employers = json_incref(json_object_get(file, "employers"));
    people->by_id_number = json_object();
    people->by_contract = json_object();
    if (!json_is_array(people->personas) || !json_is_object(json_object_get(defaults, "person")) ||
        !json_is_object(json_object_get(defaults, "case"))) {
        return complain(problem, NULL, "the file needs defaults.person, defaults.case and a list of personas");
    }
    json_array_foreach(people->personas, index, persona)
    {
        struct cl_status status = take_persona(people, persona, index, defaults, problem);
        if (cl_failed(status)) {
            return status;
        }
    }
    return cl_ok();
}

struct cl_status people_load(struct people **out, const char *path, struct sandbox_problem *problem)
{
    json_t *file = NULL;
    struct cl_status status = yaml_tree_load(&file, path, problem);
    if (cl_failed(status)) {
        return status;
    }
    struct people *people = calloc(1, sizeof *people);
    status = people == NULL ? cl_fail(CL_MEMORY_LIMIT) : take_file(people, file, problem);
    json_decref(file);
    if (cl_failed(status)) {
        people_free(people);
        return status;
    }
    *out = people;
    return cl_ok();
}

void people_free(struct people *people)
{
    if (people == NULL) {
        return;
    }
    json_decref(people->personas);
    json_decref(people->employers);
    json_decref(people->by_id_number);
    json_decref(people->by_contract);
    free(people);
}

json_t *people_at(const struct people *people, size_t index)
{
    return json_array_get(people->personas, index);
}

json_t *people_find(const struct people *people, const char *id)
{
    size_t index;
    json_t *persona;
    json_array_foreach(people->personas, index, persona)
    {
        if (strcmp(json_string_value(json_object_get(persona, "id")), id) == 0) {
            return persona;
        }
    }
    return NULL;
}

json_t *people_with_id_number(const struct people *people, const char *id_number, size_t *person_out)
{
    const json_t *place = json_object_get(people->by_id_number, id_number);
    if (place == NULL) {
        return NULL;
    }
    *person_out = (size_t)json_integer_value(json_array_get(place, 1));
    return json_array_get(people->personas, (size_t)json_integer_value(json_array_get(place, 0)));
}

json_t *people_with_contract(const struct people *people, const char *contract_no)
{
    const json_t *index = json_object_get(people->by_contract, contract_no);
    return index == NULL ? NULL : json_array_get(people->personas, (size_t)json_integer_value(index));
}

json_t *people_employer(const struct people *people, const char *uscc)
{
    return json_object_get(people->employers, uscc);
}

char people_check_digit(const char *digits)
{
    static const unsigned weights[17] = {7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2};
    unsigned sum = 0;
    for (size_t i = 0; i < 17; i++) {
        sum += (unsigned)(digits[i] - '0') * weights[i];
    }
    return "10X98765432"[sum % 11];
}
