#include "client/view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "client/terms.h"
#include "libcoloan/clock.h"
#include "libcoloan/loan_reasons.h"
#include "server/domain/rule_titles.h"

enum { LABEL_COLUMNS = 18 };

/* -- Values --------------------------------------------------------------------------------------------------- */

void view_money(char out[VIEW_TEXT_BYTES_MAX], int64_t fen)
{
    char digits[24];
    uint64_t magnitude = fen < 0 ? 0 - (uint64_t)fen : (uint64_t)fen;
    size_t len = 0;
    int digit_count = snprintf(digits, sizeof digits, "%" PRIu64, magnitude / 100);
    if (fen < 0) {
        out[len++] = '-';
    }
    for (int i = 0; i < digit_count; i++) {
        if (i > 0 && (digit_count - i) % 3 == 0) {
            out[len++] = ',';
        }
        out[len++] = digits[i];
    }
    (void)snprintf(out + len, VIEW_TEXT_BYTES_MAX - len, ".%02u", (unsigned)(magnitude % 100));
}

void view_rate(char out[VIEW_TEXT_BYTES_MAX], int32_t ppm)
{
    int32_t fraction = abs(ppm % 10000);
    int len = snprintf(out, VIEW_TEXT_BYTES_MAX, "%" PRId32 ".%04" PRId32, ppm / 10000, fraction);
    while (len > 0 && out[len - 1] == '0' && out[len - 2] != '.') {
        len--;
    }
    (void)snprintf(out + len, VIEW_TEXT_BYTES_MAX - (size_t)len, " %%");
}

void view_time(char out[VIEW_TEXT_BYTES_MAX], int64_t unix_ms)
{
    int32_t date = cl_date_china(unix_ms);
    int64_t of_day = (unix_ms / 1000 + 8 * 3600) % 86400;
    (void)snprintf(out, VIEW_TEXT_BYTES_MAX, "%04d-%02d-%02d %02d:%02d:%02d", date / 10000, date / 100 % 100,
                   date % 100, (int)(of_day / 3600), (int)(of_day / 60 % 60), (int)(of_day % 60));
}

/* The names of one enumeration share a beginning up to an '_': what UNSPECIFIED stands after. */
const char *view_enum(const ProtobufCEnumDescriptor *type, int value)
{
    const ProtobufCEnumValue *found = protobuf_c_enum_descriptor_get_value(type, value);
    const ProtobufCEnumValue *zero = protobuf_c_enum_descriptor_get_value(type, 0);
    if (found == NULL || zero == NULL) {
        return "?";
    }
    const char *tail = strstr(zero->name, "UNSPECIFIED");
    return tail == NULL ? found->name : found->name + (tail - zero->name);
}

const char *view_term(const struct cli *cli, const ProtobufCEnumDescriptor *type, int value)
{
    const char *chinese = cli->chinese ? terms_chinese(type, value) : NULL;
    return chinese == NULL ? view_enum(type, value) : chinese;
}

/* -- Rows ----------------------------------------------------------------------------------------------------- */

/* Columns on a terminal: every CJK character takes two and three bytes. */
static int columns_of(const char *text)
{
    int columns = 0;
    for (const unsigned char *c = (const unsigned char *)text; *c != '\0'; c++) {
        columns += *c >= 0xe0 ? 2 : ((*c & 0xc0) == 0x80 ? 0 : 1);
    }
    return columns;
}

void view_row(const struct cli *cli, const char *english, const char *chinese, const char *format, ...)
{
    const char *label = cli_word(cli, english, chinese);
    int blanks = LABEL_COLUMNS - columns_of(label);
    va_list arguments;
    (void)fprintf(cli->out, "  %s%s%s%*s ", cli_colour(cli, CLI_DIM), label, cli_colour(cli, CLI_PLAIN),
                  blanks > 0 ? blanks : 0, "");
    va_start(arguments, format);
    (void)vfprintf(cli->out, format, arguments);
    va_end(arguments);
    (void)fprintf(cli->out, "\n");
}

void view_heading(const struct cli *cli, const char *english, const char *chinese)
{
    (void)fprintf(cli->out, "%s%s%s\n", cli_colour(cli, CLI_BOLD), cli_word(cli, english, chinese),
                  cli_colour(cli, CLI_PLAIN));
}

/* The text and blanks up to so many columns, at least one. */
void view_padded(const struct cli *cli, const char *text, int columns)
{
    int blanks = columns - columns_of(text);
    (void)fprintf(cli->out, "%s%*s", text, blanks > 1 ? blanks : 1, "");
}

/* -- Tables --------------------------------------------------------------------------------------------------- */

void view_status(const struct cli *cli, const Coloan__V1__ApplicationStatus *status)
{
    char time[VIEW_TEXT_BYTES_MAX];
    view_row(cli, "application", "申请编号", "%s", status->application_id);
    view_row(cli, "own number", "外部编号", "%s", status->external_ref);
    view_row(cli, "bank", "银行", "%s (epoch %u)", status->bank, status->bank_epoch);
    view_row(cli, "state", "状态", "%s%s%s", cli_colour(cli, CLI_BOLD),
             view_term(cli, &coloan__v1__case_state__descriptor, (int)status->state), cli_colour(cli, CLI_PLAIN));
    view_row(cli, "fund track", "公积金", "%s", view_term(cli, &coloan__v1__fund_track__descriptor, (int)status->fund));
    view_row(cli, "bank track", "银行", "%s",
             view_term(cli, &coloan__v1__bank_track__descriptor, (int)status->bank_track));
    view_row(cli, "registry track", "登记", "%s",
             view_term(cli, &coloan__v1__registry_track__descriptor, (int)status->registry));
    view_row(cli, "outcome", "结果", "%s", view_term(cli, &coloan__v1__outcome__descriptor, (int)status->outcome));
    if (status->items != NULL) {
        view_row(cli, "items", "要件", "%u: %u %s, %u %s, %u %s", status->items->total, status->items->by_machine,
                 cli_word(cli, "by machine", "由机器办结"), status->items->by_person,
                 cli_word(cli, "by a person", "由人工办结"), status->items->open, cli_word(cli, "open", "未办结"));
    }
    view_row(cli, "next", "下一步", "%s", view_term(cli, &coloan__v1__actor__descriptor, (int)status->next_actor));
    if (status->deadline_ms > 0) {
        view_time(time, status->deadline_ms);
        view_row(cli, "until", "期限", "%s", time);
    }
    view_time(time, status->changed_ms);
    view_row(cli, "changed", "更新时间", "%s", time);
    view_reasons(cli, status->reasons, status->n_reasons);
}

static const char *reason_text(const struct cli *cli, const char *code)
{
    const struct cl_loan_reason_info *info = cl_loan_reason_find(code);
    return info == NULL ? "" : cli_word(cli, info->text_en, info->text_zh);
}

void view_reasons(const struct cli *cli, Coloan__V1__Reason *const *reasons, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        view_row(cli, i == 0 ? "reasons" : "", i == 0 ? "原因" : "", "%-14s %-10s %s", reasons[i]->code,
                 view_term(cli, &coloan__v1__severity__descriptor, (int)reasons[i]->severity),
                 reason_text(cli, reasons[i]->code));
    }
}

void view_items(const struct cli *cli, Coloan__V1__VerificationResult *const *items, size_t count)
{
    view_heading(cli, "verification items", "要件");
    for (size_t i = 0; i < count; i++) {
        const Coloan__V1__VerificationResult *item = items[i];
        bool passed = item->outcome == COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_PASS;
        bool failed = item->failure != COLOAN__V1__FAILURE_KIND__FAILURE_KIND_UNSPECIFIED;
        (void)fprintf(cli->out, "  %-20s %s %u  %s", view_enum(&coloan__v1__item__descriptor, (int)item->item),
                      cli_word(cli, "person", "当事人"), item->person,
                      cli_colour(cli, passed ? CLI_GREEN : CLI_YELLOW));
        view_padded(cli, view_term(cli, &coloan__v1__item_outcome__descriptor, (int)item->outcome), 8);
        (void)fprintf(cli->out, "%s %-18s %s\n", cli_colour(cli, CLI_PLAIN), item->authority,
                      failed ? view_term(cli, &coloan__v1__failure_kind__descriptor, (int)item->failure) : "");
    }
}

static void view_part(const struct cli *cli, const char *english, const char *chinese, const Coloan__V1__LoanPart *part)
{
    char amount[VIEW_TEXT_BYTES_MAX];
    char rate[VIEW_TEXT_BYTES_MAX];
    char instalment[VIEW_TEXT_BYTES_MAX];
    if (part == NULL || part->amount_fen == 0) {
        view_row(cli, english, chinese, "-");
        return;
    }
    view_money(amount, part->amount_fen);
    view_rate(rate, part->rate_ppm);
    view_money(instalment, part->instalment_fen);
    view_row(cli, english, chinese, "%s%15s%s  %-8s %3d %s  %s %s  %s", cli_colour(cli, CLI_BOLD), amount,
             cli_colour(cli, CLI_PLAIN), rate, part->term_months, cli_word(cli, "months", "个月"),
             cli_word(cli, "first instalment", "首期月供"), instalment,
             part->method == COLOAN__V1__REPAYMENT_METHOD__REPAYMENT_METHOD_EQUAL_PRINCIPAL
                 ? cli_word(cli, "equal principal", "等额本金")
                 : cli_word(cli, "equal instalments", "等额本息"));
}

void view_terms(const struct cli *cli, const Coloan__V1__OfferTerms *terms)
{
    char text[VIEW_TEXT_BYTES_MAX];
    view_heading(cli, "offer", "方案");
    view_row(cli, "version", "版本", "%u", terms->version);
    view_part(cli, "fund part", "公积金部分", terms->fund);
    view_part(cli, "commercial part", "商业部分", terms->commercial);
    view_money(text, terms->price_fen);
    view_row(cli, "price", "房价", "%15s", text);
    view_money(text, terms->down_payment_fen);
    view_row(cli, "down payment", "首付", "%15s", text);
    view_time(text, terms->valid_until_ms);
    view_row(cli, "valid until", "有效期至", "%s", text);
    view_row(cli, "subsidy", "财政贴息", "%s",
             terms->interest_subsidy ? cli_word(cli, "yes", "是") : cli_word(cli, "no", "否"));
}

void view_trace(const struct cli *cli, const Coloan__V1__DecisionTrace *trace)
{
    view_heading(cli, "how the rules came to it", "规则轨迹");
    view_row(cli, "rule set", "规则集", "%s", trace->rule_set);
    for (size_t i = 0; i < trace->n_steps; i++) {
        const Coloan__V1__RuleStep *step = trace->steps[i];
        char limit[VIEW_TEXT_BYTES_MAX] = "";
        const struct rule_title *title = rule_title_find(step->rule);
        if (step->limit_fen != 0) { /* a limited term has no amount */
            view_money(limit, step->limit_fen);
        }
        (void)fprintf(cli->out, "  %s%s %-24s ", cli_colour(cli, step->binding ? CLI_BOLD : CLI_PLAIN),
                      step->binding ? ">" : " ", step->rule);
        view_padded(cli, title == NULL ? "" : cli_word(cli, title->en, title->zh), 34);
        view_padded(cli, view_term(cli, &coloan__v1__rule_outcome__descriptor, (int)step->outcome), 8);
        (void)fprintf(cli->out, "%15s  %-12s %s%s\n", limit, step->reason, reason_text(cli, step->reason),
                      cli_colour(cli, CLI_PLAIN));
    }
}

/* Sentences are the centre's; nothing else is told about a step that a person here needs. */
void view_timeline(const struct cli *cli, Coloan__V1__TimelineEntry *const *entries, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const Coloan__V1__TimelineEntry *entry = entries[i];
        char time[VIEW_TEXT_BYTES_MAX];
        view_time(time, entry->at_ms);
        (void)fprintf(cli->out, "%s  %s", time, cli_colour(cli, CLI_BOLD));
        view_padded(cli, view_term(cli, &coloan__v1__case_state__descriptor, (int)entry->state), 20);
        (void)fprintf(cli->out, "%s ", cli_colour(cli, CLI_PLAIN));
        view_padded(cli, entry->by, 20);
        (void)fprintf(cli->out, " %s\n", cli_word(cli, entry->sentence_en, entry->sentence_zh));
    }
}
