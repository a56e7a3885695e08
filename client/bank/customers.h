/* customers.h - what the bank knows of its customers: income and credit conclusion, by ID number.
 *
 * Read from the personas' file (its key `bank`); whoever is not in it has values made from the ID number, the same that
 * the sandbox's authorities assume. Immutable once loaded; any thread reads. Fails: loading, CONFIG_INVALID. */
#ifndef COLOAN_BANK_CUSTOMERS_H
#define COLOAN_BANK_CUSTOMERS_H

#include <stdbool.h>
#include <stdint.h>

#include "libcoloan/settings.h"

struct bank_customers;

CL_MUST_CHECK struct cl_status bank_customers_load(struct bank_customers **out, const char *path,
                                                   struct cl_setting_error *error);
void bank_customers_free(struct bank_customers *customers); /* NULL is fine */

/* `income_fen` is monthly and the whole household's for a persona, the person's own for anybody else. */
struct bank_customer {
    bool known;         /* from the file */
    uint32_t household; /* number of the persona; people of one share their income */
    int64_t income_fen;
    bool credit_good;
};

/* `customers` may be NULL: then everybody is made up. */
struct bank_customer bank_customer_find(const struct bank_customers *customers, const char *id_number);

#endif
