/* rules.h - what the commands on rule sets share. */
#ifndef COLOAN_CLIENT_RULES_H
#define COLOAN_CLIENT_RULES_H

#include "client/cli.h"
#include "server/rulebook.h"

/* "1,000,000.00 yuan", "20 %", "360 months", "2026-08-28", "yes": the number of a rule set's field with its unit. */
#define RULES_TEXT_BYTES_MAX 64
void rules_show(char out[RULES_TEXT_BYTES_MAX], const struct cli *cli, const struct rule_field *field, int64_t number);

/* One rule set of a file; signatures are not looked at. */
enum cli_exit rules_read(struct rulebook *out, const struct cli *cli, const char *path);

/* The subcommands with a file of their own. */
enum cli_exit rules_diff(struct cli *cli, const char *a, const char *b);
enum cli_exit rules_rehearse(struct cli *cli);

#endif
