#include "client/bank/customers.h"

#include <stdlib.h>
#include <string.h>

enum { ID_NUMBER_BYTES = 19, INCOME_TEN_THOUSAND_MIN = 60, INCOME_TEN_THOUSAND_MAX = 424 };

struct row {
    char id_number[ID_NUMBER_BYTES];
    struct bank_customer customer;
};

struct bank_customers {
    struct row *rows; /* sorted */
    size_t count;
};

static int compare(const void *a, const void *b)
{
    const struct row *left = a;
    const struct row *right = b;
    return strcmp(left->id_number, right->id_number);
}

/* -- Loading -------------------------------------------------------------------------------------------------- */

static const struct cl_setting_field income_field = {"income_fen", CL_SETTING_INT64, 0, .max = INT64_C(1000000000000),
                                                     .doc = "monthly, of the household"};

/* The text of `key` in a section, "" when it is not there. */
static const char *text_of(const struct cl_setting *section, const char *key)
{
    const struct cl_setting *setting = cl_setting_find(section, key);
    return setting == NULL ? "" : cl_setting_text(setting);
}

static struct cl_status read_person(struct row *out, const struct cl_setting *person, const struct cl_setting *credit,
                                    size_t index, struct cl_setting_error *error)
{
    static const char *const conclusions[] = {"FAIL", "PASS", NULL};
    static const struct cl_setting_field conclusion_field = {"credit", CL_SETTING_CHOICE, 0, .choices = conclusions};
    const char *id_number = text_of(person, "id_number");
    const struct cl_setting *conclusion = cl_setting_at(credit, index);
    int good = 0;
    if (strlen(id_number) != ID_NUMBER_BYTES - 1) {
        return cl_setting_refuse(error, person, "`id_number` must have 18 characters");
    }
    if (conclusion == NULL) {
        return cl_setting_refuse(error, credit, "there must be a conclusion for each person: PASS or FAIL");
    }
    struct cl_status status = cl_setting_value(&good, conclusion, &conclusion_field, error);
    memcpy(out->id_number, id_number, ID_NUMBER_BYTES);
    out->customer.credit_good = good == 1;
    return status;
}

/* Its people, behind those read before; `*room` rows are there. */
static struct cl_status read_persona(struct bank_customers *customers, uint32_t household,
                                     const struct cl_setting *persona, struct cl_setting_error *error)
{
    const struct cl_setting *people = cl_setting_find(persona, "people");
    const struct cl_setting *bank = cl_setting_find(persona, "bank");
    const struct cl_setting *income = bank == NULL ? NULL : cl_setting_find(bank, "income_fen");
    const struct cl_setting *credit = bank == NULL ? NULL : cl_setting_find(bank, "credit");
    int64_t income_fen = 0;
    if (people == NULL || income == NULL || credit == NULL) {
        return cl_setting_refuse(error, persona, "expected `people`, and `bank` with `income_fen` and `credit`");
    }
    struct cl_status status = cl_setting_value(&income_fen, income, &income_field, error);
    for (size_t i = 0; i < cl_setting_count(people) && cl_is_ok(status); i++) {
        struct row *rows = realloc(customers->rows, (customers->count + 1) * sizeof *rows);
        if (rows == NULL) {
            return cl_fail(CL_MEMORY_LIMIT);
        }
        customers->rows = rows;
        rows[customers->count].customer =
            (struct bank_customer){.known = true, .household = household, .income_fen = income_fen};
        status = read_person(&rows[customers->count++], cl_setting_at(people, i), credit, i, error);
    }
    return status;
}

static struct cl_status read_all(struct bank_customers *customers, const struct cl_settings *settings,
                                 struct cl_setting_error *error)
{
    const struct cl_setting *root = cl_settings_root(settings);
    const struct cl_setting *personas = cl_setting_find(root, "personas");
    if (personas == NULL) {
        return cl_setting_refuse(error, root, "`personas` is missing; add the list of customers");
    }
    struct cl_status status = cl_ok();
    for (size_t i = 0; i < cl_setting_count(personas) && cl_is_ok(status); i++) {
        status = read_persona(customers, (uint32_t)i, cl_setting_at(personas, i), error);
    }
    if (customers->count > 0) {
        qsort(customers->rows, customers->count, sizeof *customers->rows, compare);
    }
    return status;
}

struct cl_status bank_customers_load(struct bank_customers **out, const char *path, struct cl_setting_error *error)
{
    struct cl_settings *settings = NULL;
    struct bank_customers *customers = calloc(1, sizeof *customers);
    if (customers == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    struct cl_status status = cl_settings_load(&settings, path, error);
    if (cl_is_ok(status)) {
        status = read_all(customers, settings, error);
    }
    cl_settings_free(settings);
    if (cl_failed(status)) {
        bank_customers_free(customers);
        return status;
    }
    *out = customers;
    return cl_ok();
}

void bank_customers_free(struct bank_customers *customers)
{
    if (customers != NULL) {
        free(customers->rows);
        free(customers);
    }
}

/* -- Looking -------------------------------------------------------------------------------------------------- */

/* FNV-1a over "base", a separator and the text, then the finish of splitmix64: the sandbox's contribution base. */
static uint64_t base_hash(const char *id_number)
{
    static const uint8_t salt[] = {'b', 'a', 's', 'e', 0xff};
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < sizeof salt; i++) {
        hash = (hash ^ salt[i]) * UINT64_C(1099511628211);
    }
    for (const char *at = id_number; *at != '\0'; at++) {
        hash = (hash ^ (uint8_t)*at) * UINT64_C(1099511628211);
    }
    hash = (hash ^ hash >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    hash = (hash ^ hash >> 27) * UINT64_C(0x94d049bb133111eb);
    return hash ^ hash >> 31;
}

struct bank_customer bank_customer_find(const struct bank_customers *customers, const char *id_number)
{
    struct row key = {.id_number = ""};
    size_t len = strlen(id_number);
    if (customers != NULL && len == ID_NUMBER_BYTES - 1) {
        memcpy(key.id_number, id_number, len);
        const struct row *found =
            customers->count == 0 ? NULL
                                  : bsearch(&key, customers->rows, customers->count, sizeof *customers->rows, compare);
        if (found != NULL) {
            return found->customer;
        }
    }
    uint64_t spread = INCOME_TEN_THOUSAND_MAX - INCOME_TEN_THOUSAND_MIN + 1;
    return (struct bank_customer){
        .income_fen = (int64_t)(INCOME_TEN_THOUSAND_MIN + base_hash(id_number) % spread) * 10000, .credit_good = true};
}
