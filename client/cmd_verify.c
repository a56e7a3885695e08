/* `coloan verify`: a joint decision's signatures, without a centre or a network. */
#include <string.h>

#include "client/evidence.h"
#include "client/view.h"

enum cli_exit cli_load_keyring(struct cl_keyring **out, struct cli *cli)
{
    struct cl_bytes directory;
    struct cl_bytes key_text;
    struct cl_directory_trust trust = {.centre = cli->options.centre, .environment = cli->options.environment};
    if (cli->options.directory == NULL) {
        enum cli_exit loaded = cli_load_profile(cli);
        *out = loaded == CLI_DONE ? cl_keyring_ref(cli->profile.keyring) : NULL;
        return loaded;
    }
    if (cli->options.directory_key == NULL || cli->options.centre == NULL || cli->options.environment == NULL) {
        return cli_fail(cli, CLI_USAGE, "or give a --profile, which holds them all",
                        "--directory needs --directory-key, --centre and --environment");
    }
    enum cli_exit code = cli_read_file(&directory, cli, cli->options.directory);
    if (code == CLI_DONE) {
        code = cli_read_file(&key_text, cli, cli->options.directory_key);
    }
    if (code != CLI_DONE) {
        return code;
    }
    if (cl_failed(client_public_key(&trust.public_key, (const char *)key_text.data))) {
        return cli_fail(cli, CLI_USAGE, "give the public key's PEM file", "%s is not an Ed25519 public key",
                        cli->options.directory_key);
    }
    struct cl_status status = cl_keyring_load(out, directory, &trust, NULL);
    return cl_is_ok(status) ? CLI_DONE
                            : cli_fail(cli, CLI_USAGE, NULL, "the key directory does not verify: %s: %s",
                                       cl_status_name(status), cl_reason_info(status.reason)->text_en);
}

static void print_signature(const struct cli *cli, const char *english, const char *chinese,
                            const struct cl_opened *opened)
{
    bool compromised = opened->key.status == COLOAN__V1__KEY_STATUS__KEY_STATUS_COMPROMISED;
    char time[VIEW_TEXT_BYTES_MAX];
    char digest[CL_DIGEST_HEX_BYTES];
    view_time(time, opened->header->created_ms);
    cl_hex_encode(digest, cl_bytes(opened->digest.bytes, CL_DIGEST_BYTES));
    view_row(cli, english, chinese, "%s✓%s %s, %s, key %.16s%s", cli_colour(cli, CLI_GREEN), cli_colour(cli, CLI_PLAIN),
             opened->header->sender, time, opened->key.keyid.text, compromised ? " (compromised since)" : "");
    view_row(cli, "", "", "%s%s%s", cli_colour(cli, CLI_DIM), digest, cli_colour(cli, CLI_PLAIN));
}

static void print_evidence(const struct cli *cli, const struct client_evidence *evidence)
{
    char digest[CL_DIGEST_HEX_BYTES] = "";
    view_row(cli, "application", "申请编号", "%s", evidence->joint->application_id);
    view_row(cli, "outcome", "结果", "%s%s%s", cli_colour(cli, CLI_BOLD),
             view_enum(&coloan__v1__outcome__descriptor, (int)evidence->joint->outcome), cli_colour(cli, CLI_PLAIN));
    print_signature(cli, "joint decision", "联合审批结果", &evidence->event);
    if (evidence->has_fund) {
        print_signature(cli, "centre's decision", "中心决定", &evidence->fund);
    }
    if (evidence->has_bank) {
        print_signature(cli, "bank's decision", "银行决定", &evidence->bank);
    }
    if (evidence->joint->terms_digest.len == CL_DIGEST_BYTES) {
        cl_hex_encode(digest, cl_bytes(evidence->joint->terms_digest.data, CL_DIGEST_BYTES));
        view_row(cli, "same terms", "条款一致", "%s✓%s %s", cli_colour(cli, CLI_GREEN), cli_colour(cli, CLI_PLAIN),
                 digest);
    }
    if (evidence->terms != NULL) {
        view_terms(cli, evidence->terms);
    }
}

enum cli_exit cmd_verify(struct cli *cli)
{
    struct client_evidence evidence;
    struct cl_keyring *keyring = NULL;
    struct cl_bytes bytes;
    enum cli_exit code = cli_read_file(&bytes, cli, cli->arguments[0]);
    if (code == CLI_DONE) {
        code = cli_load_keyring(&keyring, cli);
    }
    if (code != CLI_DONE) {
        return code;
    }
    struct cl_status status = client_evidence_check(&evidence, cli->arena, bytes, keyring);
    cl_keyring_unref(keyring);
    if (cl_failed(status)) {
        return cli_fail(cli, CLI_FAILED, "do not rely on it; ask the centre for the joint decision again",
                        "does not verify: %s: %s (%s)", evidence.step, cl_reason_info(status.reason)->text_en,
                        cl_status_name(status));
    }
    if (cli->options.json) {
        return cli_print_json(cli, &evidence.joint->base);
    }
    print_evidence(cli, &evidence);
    return CLI_DONE;
}
