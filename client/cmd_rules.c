/* `coloan rules`: rule sets checked, signed, listed. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/rules.h"
#include "client/view.h"
#include "libcoloan/json.h"
#include "server/domain/rules.h"

/* -- Values --------------------------------------------------------------------------------------------------- */

static void show_date(char out[RULES_TEXT_BYTES_MAX], int64_t date)
{
    (void)snprintf(out, RULES_TEXT_BYTES_MAX, "%04d-%02d-%02d", (int)(date / 10000), (int)(date / 100 % 100),
                   (int)(date % 100));
}

static const char *unit_of(const struct cli *cli, const char *unit)
{
    static const struct {
        const char *unit, *zh;
    } rows[] = {{"months", "个月"}, {"days", "天"},    {"times", "倍"},    {"loans", "次"},  {"homes", "套"},
                {"stars", "星"},    {"persons", "人"}, {"versions", "版"}, {"changes", "次"}};
    for (size_t i = 0; cli->chinese && i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].unit, unit) == 0) {
            return rows[i].zh;
        }
    }
    return unit;
}

void rules_show(char out[RULES_TEXT_BYTES_MAX], const struct cli *cli, const struct rule_field *field, int64_t number)
{
    char text[VIEW_TEXT_BYTES_MAX];
    if (field->type == RULE_BOOL) {
        (void)snprintf(out, RULES_TEXT_BYTES_MAX, "%s",
                       number != 0 ? cli_word(cli, "yes", "是") : cli_word(cli, "no", "否"));
    } else if (field->type == RULE_DATE || field->type == RULE_DATE_OR_NONE) {
        show_date(out, number);
        if (number == 0) {
            (void)snprintf(out, RULES_TEXT_BYTES_MAX, "%s", cli_word(cli, "none", "无"));
        }
    } else if (strcmp(field->unit, "fen") == 0) {
        view_money(text, number);
        (void)snprintf(out, RULES_TEXT_BYTES_MAX, "%s %s", text, cli_word(cli, "yuan", "元"));
    } else if (strncmp(field->unit, "ppm", 3) == 0) {
        view_rate(text, (int32_t)number);
        (void)snprintf(out, RULES_TEXT_BYTES_MAX, "%s", text);
    } else if (strcmp(field->unit, "0.01 m2") == 0) {
        (void)snprintf(out, RULES_TEXT_BYTES_MAX, "%" PRId64 ".%02" PRId64 " m2", number / 100, number % 100);
    } else {
        (void)snprintf(out, RULES_TEXT_BYTES_MAX, "%" PRId64 " %s", number, unit_of(cli, field->unit));
    }
}

enum cli_exit rules_read(struct rulebook *out, const struct cli *cli, const char *path)
{
    struct cl_setting_error error;
    if (cl_failed(rulebook_load(out, &path, 1, NULL, &error))) {
        return cli_fail(cli, CLI_USAGE, "`coloan rules check FILE` tells all that is wrong", "%s", error.text);
    }
    return CLI_DONE;
}

/* -- check ---------------------------------------------------------------------------------------------------- */

static void tell_fault(void *user, const char *text)
{
    const struct cli *cli = user;
    if (!cli->options.json) {
        (void)fprintf(cli->err, "%s\n", text);
        return;
    }
    const char *quoted = cl_json_quote(cli->arena, text);
    (void)fprintf(cli->out, "{\"fault\":%s}\n", quoted == NULL ? "\"?\"" : quoted);
}

static void tell_set(const struct cli *cli, const struct rulebook *book, size_t index, bool is_signed)
{
    char from[RULES_TEXT_BYTES_MAX];
    char until[RULES_TEXT_BYTES_MAX];
    char digest[CL_DIGEST_HEX_BYTES];
    const struct rule_set *set = &book->sets[index];
    int32_t last = rules_last_day(book->sets, book->count, index);
    cl_hex_encode(digest, cl_bytes(set->digest.bytes, CL_DIGEST_BYTES));
    if (cli->options.json) {
        (void)fprintf(cli->out,
                      "{\"id\":\"%s\",\"from\":%" PRId32 ",\"until\":%" PRId32 ",\"digest\":\"%s\",\"signed\":%s}\n",
                      set->id, set->effective_from, last, digest, is_signed ? "true" : "null");
        return;
    }
    show_date(from, set->effective_from);
    show_date(until, last);
    (void)fprintf(
        cli->out, "%s✓%s %-24s %s .. %-10s %s  %.16s\n", cli_colour(cli, CLI_GREEN), cli_colour(cli, CLI_PLAIN),
        set->id, from, last == 0 ? "" : until,
        is_signed ? cli_word(cli, "signed", "已签名") : cli_word(cli, "signature not looked at", "未验证签名"), digest);
}

static enum cli_exit check(struct cli *cli)
{
    const char *const *paths = (const char *const *)cli->arguments + 1;
    size_t count = (size_t)cli->argument_count - 1;
    struct cl_keyring *keyring = NULL;
    struct cl_setting_error error;
    struct rulebook book = {NULL, 0};
    if (count == 0 || count > RULEBOOK_SETS_MAX) {
        return cli_fail(cli, CLI_USAGE, "`coloan rules --help` shows examples", "check takes 1 to %d files",
                        RULEBOOK_SETS_MAX);
    }
    if (cli->options.profile != NULL || cli->options.directory != NULL) {
        enum cli_exit code = cli_load_keyring(&keyring, cli);
        if (code != CLI_DONE) {
            return code;
        }
    }
    struct rulebook_listener listener = {.fault = tell_fault, .user = cli};
    size_t faults = rulebook_check(paths, count, keyring, &listener);
    if (faults == 0 && cl_is_ok(rulebook_load(&book, paths, count, keyring, &error))) {
        for (size_t i = 0; i < book.count; i++) {
            tell_set(cli, &book, i, keyring != NULL);
        }
    }
    rulebook_free(&book);
    cl_keyring_unref(keyring);
    return faults == 0 ? CLI_DONE : CLI_FAILED;
}

/* -- sign ----------------------------------------------------------------------------------------------------- */

/* What is signed is read and checked first: a signature says that somebody looked. */
static enum cli_exit sign_one(const struct cli *cli, const struct cl_signer *signer, const char *path)
{
    struct cl_bytes file;
    struct cl_bytes sig;
    struct rulebook book = {NULL, 0};
    char sig_path[4096 + sizeof RULEBOOK_SIG_SUFFIX];
    enum cli_exit code = rules_read(&book, cli, path);
    rulebook_free(&book);
    if (code == CLI_DONE) {
        code = cli_read_file(&file, cli, path);
    }
    if (code != CLI_DONE) {
        return code;
    }
    struct cl_status status = rulebook_sign(&sig, cli->arena, signer, file);
    if (cl_failed(status)) {
        return cli_fail(cli, CLI_FAILED, NULL, "%s: %s", path, cl_reason_info(status.reason)->text_en);
    }
    (void)snprintf(sig_path, sizeof sig_path, "%.4095s" RULEBOOK_SIG_SUFFIX, path);
    if (cl_failed(client_file_write(sig_path, sig, 0644, true))) {
        return cli_fail(cli, CLI_USAGE, NULL, "%s cannot be written: %s", sig_path, strerror(errno));
    }
    if (!cli->options.json) {
        (void)fprintf(cli->out, "%s: %s, key %s\n", sig_path, cl_signer_party(signer), cl_signer_keyid(signer)->text);
    }
    return CLI_DONE;
}

static enum cli_exit sign(struct cli *cli)
{
    struct cl_signer *signer = NULL;
    if (cli->options.key == NULL || cli->options.centre == NULL || cli->argument_count < 2) {
        return cli_fail(cli, CLI_USAGE, "e.g. coloan rules sign FILE --key fund.sign.key --centre fund:cn-nj-prov",
                        "sign needs --key, --centre and at least one file");
    }
    struct cl_status status = cl_signer_load(&signer, cli->options.key, cli->options.centre);
    if (cl_failed(status)) {
        return cli_fail(cli, CLI_USAGE, "`coloan keys generate FILE` makes a key", "%s: %s", cli->options.key,
                        cl_reason_info(status.reason)->text_en);
    }
    enum cli_exit code = CLI_DONE;
    for (int i = 1; i < cli->argument_count && code == CLI_DONE; i++) {
        code = sign_one(cli, signer, cli->arguments[i]);
    }
    cl_signer_free(signer);
    return code;
}

/* -- fields --------------------------------------------------------------------------------------------------- */

static void print_field(const struct cli *cli, const struct rule_field *field)
{
    if (cli->options.json) {
        (void)fprintf(cli->out, "{\"name\":\"%s\",\"unit\":\"%s\",\"optional\":%s,\"doc\":%s,\"zh\":%s}\n", field->name,
                      field->unit, field->optional ? "true" : "false", cl_json_quote(cli->arena, field->doc),
                      cl_json_quote(cli->arena, field->zh));
        return;
    }
    char otherwise[RULES_TEXT_BYTES_MAX] = "";
    if (field->optional) {
        rules_show(otherwise, cli, field, field->absent);
    }
    (void)fprintf(cli->out, "%-28s %-10s %s%s%s%s\n", field->name, field->unit, cli_word(cli, field->doc, field->zh),
                  field->optional ? cli_word(cli, " [left out: ", "［缺省：") : "", otherwise,
                  field->optional ? cli_word(cli, "]", "］") : "");
}

static enum cli_exit fields(struct cli *cli)
{
    for (unsigned i = 0; rule_field_at(i) != NULL; i++) {
        print_field(cli, rule_field_at(i));
    }
    if (!cli->options.json) {
        (void)fprintf(cli->out, "rates: %s\n", cli_word(cli, "a list of", "列表"));
    }
    for (unsigned i = 0; rule_rate_field_at(i) != NULL; i++) {
        print_field(cli, rule_rate_field_at(i));
    }
    return CLI_DONE;
}

static enum cli_exit diff(struct cli *cli)
{
    return cli->argument_count == 3
               ? rules_diff(cli, cli->arguments[1], cli->arguments[2])
               : cli_fail(cli, CLI_USAGE, "`coloan rules --help` shows examples", "usage: coloan rules diff A B");
}

enum cli_exit cmd_rules(struct cli *cli)
{
    static const struct {
        const char *name;
        enum cli_exit (*run)(struct cli *cli);
    } rows[] = {{"check", check}, {"sign", sign}, {"diff", diff}, {"rehearse", rules_rehearse}, {"fields", fields}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(cli->arguments[0], rows[i].name) == 0) {
            return rows[i].run(cli);
        }
    }
    return cli_fail(cli, CLI_USAGE, "write check, sign, diff, rehearse or fields", "there is no `rules %.40s`",
                    cli->arguments[0]);
}
