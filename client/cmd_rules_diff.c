/* `coloan rules diff`: two rule sets field by field, with units, for whoever has to explain a new policy. */
#include <inttypes.h>
#include <string.h>

#include "client/rules.h"
#include "client/view.h"
#include "libcoloan/json.h"

static void tell_field(const struct cli *cli, const struct rule_field *field, int64_t a, int64_t b)
{
    char text_a[RULES_TEXT_BYTES_MAX];
    char text_b[RULES_TEXT_BYTES_MAX];
    if (cli->options.json) {
        (void)fprintf(cli->out, "{\"field\":\"%s\",\"unit\":\"%s\",\"a\":%" PRId64 ",\"b\":%" PRId64 ",\"doc\":%s}\n",
                      field->name, field->unit, a, b, cl_json_quote(cli->arena, cli_word(cli, field->doc, field->zh)));
        return;
    }
    rules_show(text_a, cli, field, a);
    rules_show(text_b, cli, field, b);
    (void)fprintf(cli->out, "%-28s ", field->name);
    view_padded(cli, text_a, 18);
    (void)fprintf(cli->out, "-> ");
    view_padded(cli, text_b, 18);
    (void)fprintf(cli->out, "%s%s%s\n", cli_colour(cli, CLI_DIM), cli_word(cli, field->doc, field->zh),
                  cli_colour(cli, CLI_PLAIN));
}

static void tell_rate(const struct cli *cli, const struct rule_rate *row, int32_t a, int32_t b)
{
    char text_a[VIEW_TEXT_BYTES_MAX] = "-";
    char text_b[VIEW_TEXT_BYTES_MAX] = "-";
    if (cli->options.json) {
        (void)fprintf(cli->out,
                      "{\"rate\":{\"loan\":%" PRId32 ",\"monthsMax\":%" PRId32
                      "},\"unit\":\"ppm a year\",\"a\":%" PRId32 ",\"b\":%" PRId32 "}\n",
                      row->loan, row->months_max, a, b);
        return;
    }
    view_rate(text_a, a);
    view_rate(text_b, b);
    (void)fprintf(cli->out, "rates, %s %" PRId32 ", %s %" PRId32 " %s: %s -> %s\n", cli_word(cli, "loan", "第几次"),
                  row->loan, cli_word(cli, "up to", "不超过"), row->months_max, cli_word(cli, "months", "个月"), text_a,
                  text_b);
}

/* Every tier of either set, at what both make of it. A set has no rates past its longest term. */
static size_t diff_rates(const struct cli *cli, const struct rule_set *tiers, const struct rule_set *a,
                         const struct rule_set *b, bool only_own)
{
    size_t count = 0;
    for (size_t i = 0; i < tiers->rate_count; i++) {
        const struct rule_rate *row = &tiers->rates[i];
        int32_t rate_a = rule_fund_rate_ppm(a, row->loan, row->months_max);
        int32_t rate_b = rule_fund_rate_ppm(b, row->loan, row->months_max);
        bool shared = false;
        for (size_t j = 0; only_own && j < a->rate_count; j++) {
            shared = shared || (a->rates[j].loan == row->loan && a->rates[j].months_max == row->months_max);
        }
        if (rate_a != rate_b && !shared) {
            tell_rate(cli, row, rate_a, rate_b);
            count++;
        }
    }
    return count;
}

static size_t diff_sets(const struct cli *cli, const struct rule_set *a, const struct rule_set *b)
{
    size_t count = 0;
    for (unsigned i = 0; rule_field_at(i) != NULL; i++) {
        const struct rule_field *field = rule_field_at(i);
        int64_t number_a = rule_number(a, field);
        int64_t number_b = rule_number(b, field);
        if (number_a != number_b) {
            tell_field(cli, field, number_a, number_b);
            count++;
        }
    }
    count += diff_rates(cli, a, a, b, false);
    count += diff_rates(cli, b, a, b, true);
    return count;
}

enum cli_exit rules_diff(struct cli *cli, const char *a, const char *b)
{
    struct rulebook first = {NULL, 0};
    struct rulebook second = {NULL, 0};
    enum cli_exit code = rules_read(&first, cli, a);
    if (code == CLI_DONE) {
        code = rules_read(&second, cli, b);
    }
    if (code == CLI_DONE) {
        if (!cli->options.json) {
            (void)fprintf(cli->out, "%s%s -> %s%s\n", cli_colour(cli, CLI_BOLD), first.sets[0].id, second.sets[0].id,
                          cli_colour(cli, CLI_PLAIN));
        }
        size_t count = diff_sets(cli, &first.sets[0], &second.sets[0]);
        if (!cli->options.json && count == 0) {
            (void)fprintf(cli->out, "%s\n", cli_word(cli, "every number is the same", "各项数值相同"));
        }
    }
    rulebook_free(&first);
    rulebook_free(&second);
    return code;
}
