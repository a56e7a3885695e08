/* `coloan keys prove` and `rotate`: what a party does with its own key, which never leaves it. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/keys.h"
#include "libcoloan/json.h"
#include "libcoloan/limits.h"

int64_t keys_valid_ms(const struct cli *cli)
{
    int64_t days = cli->options.valid_days > 0 ? cli->options.valid_days : KEYS_VALID_DAYS_DEFAULT;
    return days * CL_DAY_MS;
}

/* The directory's entry of one's own key, valid from an hour ago. */
static enum cli_exit describe(struct cl_key *out, const struct cli *cli, const char *path, const char *party,
                              const char *environment)
{
    struct cl_signer *signer = NULL;
    enum cli_exit code = keys_load_signer(&signer, cli, path, party);
    if (code != CLI_DONE) {
        return code;
    }
    int64_t now_ms = cl_clock_unix_ms(cl_clock_system());
    cl_key_describe(out, signer, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN, environment,
                    now_ms - CL_KEY_BACK_MS_MAX / 2, now_ms + keys_valid_ms(cli));
    cl_signer_free(signer);
    return CLI_DONE;
}

/* -- prove ---------------------------------------------------------------------------------------------------- */

static enum cli_exit write_request(const struct cli *cli, struct cl_key *key)
{
    const char *text = NULL;
    Coloan__V1__Key entry;
    char *environment = cl_arena_text(cli->arena, cli->options.environment);
    if (environment == NULL) {
        return cli_fail(cli, CLI_FAILED, NULL, "there is no memory");
    }
    cl_key_write(&entry, key, environment);
    if (cl_failed(cl_json_print(&text, cli->arena, &entry.base, CL_JSON_INDENTED))) {
        return cli_fail(cli, CLI_FAILED, NULL, "there is no memory");
    }
    if (cl_failed(client_file_write(cli->options.out, cl_bytes_text(text), 0644, true))) {
        return cli_fail(cli, CLI_USAGE, NULL, "%s cannot be written: %s", cli->options.out, strerror(errno));
    }
    keys_print_public(cli, &key->public_key);
    return CLI_DONE;
}

enum cli_exit keys_prove(struct cli *cli)
{
    struct cl_key key;
    const struct cli_options *options = &cli->options;
    if (cli->argument_count != 2 || options->party == NULL || options->environment == NULL || options->out == NULL) {
        return cli_fail(cli, CLI_USAGE, "`coloan keys --help` shows an example",
                        "prove needs a key FILE, --party, --environment and --out");
    }
    if (!cl_environment_valid(options->environment)) {
        return cli_fail(cli, CLI_USAGE, "write prod, test or conf/<run>", "--environment: `%.40s` is none",
                        options->environment);
    }
    enum cli_exit code = describe(&key, cli, cli->arguments[1], options->party, options->environment);
    return code == CLI_DONE ? write_request(cli, &key) : code;
}

/* -- rotate --------------------------------------------------------------------------------------------------- */

static enum cli_exit tell(const struct cli *cli, const Coloan__V1__KeyRotationReceipt *receipt)
{
    char until[VIEW_TEXT_BYTES_MAX];
    bool issued = receipt->state == COLOAN__V1__ROTATION_STATE__ROTATION_STATE_ISSUED;
    const char *path = cli->options.out != NULL ? cli->options.out : cli->profile.fields.directory;
    if (issued &&
        cl_failed(client_file_write(path, cl_bytes(receipt->directory.data, receipt->directory.len), 0644, true))) {
        return cli_fail(cli, CLI_USAGE, "`coloan keys fetch` gets it again", "%s cannot be written: %s", path,
                        strerror(errno));
    }
    if (cli->options.json) {
        return cli_print_json(cli, &receipt->base);
    }
    if (!issued) {
        view_row(cli, "state", "状态", "%s",
                 cli_word(cli, "pending; the old key signs until the centre's next directory",
                          "待签发；在中心签发新目录前继续使用旧密钥"));
        return CLI_DONE;
    }
    view_time(until, receipt->old_valid_until_ms);
    view_row(cli, "state", "状态", "%s", cli_word(cli, "in force", "已生效"));
    view_row(cli, "directory", "密钥目录", "%" PRIu64, receipt->number);
    view_row(cli, "old key until", "旧密钥有效至", "%s", until);
    return CLI_DONE;
}

/* The directory comes from the centre's signed reply, and the pinned key has to have signed it as well. */
static enum cli_exit check_directory(struct cli *cli, const Coloan__V1__KeyRotationReceipt *receipt)
{
    struct cl_keyring *held = cl_session_keyring(cli->session);
    struct cl_directory_trust trust = {.public_key = cli->profile.directory_key,
                                       .centre = cl_keyring_centre(held),
                                       .environment = cl_keyring_environment(held)};
    struct cl_keyring *fresh = NULL;
    struct cl_status status = cl_ok();
    if (receipt->state == COLOAN__V1__ROTATION_STATE__ROTATION_STATE_ISSUED) {
        status = cl_keyring_load(&fresh, cl_bytes(receipt->directory.data, receipt->directory.len), &trust, held);
    }
    cl_keyring_unref(fresh);
    cl_keyring_unref(held);
    return cl_is_ok(status) ? CLI_DONE
                            : cli_fail(cli, CLI_FAILED, "tell the centre", "the directory does not verify: %s (%s)",
                                       cl_reason_info(status.reason)->text_en, cl_status_name(status));
}

static enum cli_exit send_rotation(struct cli *cli, struct cl_key *key, const char *environment)
{
    struct cl_answer answer;
    Coloan__V1__Key entry;
    Coloan__V1__KeyRotation rotation = COLOAN__V1__KEY_ROTATION__INIT;
    char *copy = cl_arena_text(cli->arena, environment);
    if (copy == NULL) {
        return cli_fail(cli, CLI_FAILED, NULL, "there is no memory");
    }
    cl_key_write(&entry, key, copy);
    rotation.new_key = &entry;
    rotation.reason = cli->options.custody ? COLOAN__V1__ROTATION_REASON__ROTATION_REASON_CUSTODY
                                           : COLOAN__V1__ROTATION_REASON__ROTATION_REASON_SCHEDULED;
    struct cl_status status = cl_session_call(&answer, cli->session, cli->arena,
                                              &(struct cl_session_call){
                                                  .method = CL_ROTATE_KEY_METHOD,
                                                  .body = &rotation.base,
                                                  .reply_type = &coloan__v1__key_rotation_receipt__descriptor,
                                              },
                                              cli_patience(cli));
    if (cl_failed(status)) {
        return cli_refused(cli, status, &answer);
    }
    const Coloan__V1__KeyRotationReceipt *receipt = (const void *)answer.body;
    enum cli_exit code = check_directory(cli, receipt);
    return code == CLI_DONE ? tell(cli, receipt) : code;
}

enum cli_exit keys_rotate(struct cli *cli)
{
    struct cl_key key;
    if (cli->argument_count != 2) {
        return cli_fail(cli, CLI_USAGE, "`coloan keys --help` shows an example", "usage: coloan keys rotate NEWKEY");
    }
    enum cli_exit code = cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    struct cl_keyring *keyring = cl_session_keyring(cli->session);
    code = describe(&key, cli, cli->arguments[1], cl_session_party(cli->session), cl_keyring_environment(keyring));
    if (code == CLI_DONE) {
        code = send_rotation(cli, &key, cl_keyring_environment(keyring));
    }
    cl_keyring_unref(keyring);
    return code;
}
