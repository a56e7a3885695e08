/* `coloan keys`: make a signing key, look at keys and directories, fetch the newest. What a party does with its own key
 * is in keys_party.c, what the centre's operator does with directories in keys_issue.c. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/keys.h"
#include "libcoloan/dsse.h"
#include "libcoloan/limits.h"
#include "libcoloan/wirescan.h"

enum { PEM_BYTES_MAX = 160 }; /* of a private key */

/* Any party will do to read a key that is only looked at. */
#define ANYBODY "officer:anybody"

/* -- generate ------------------------------------------------------------------------------------------------- */

/* PrivateKeyInfo of an Ed25519 key is always these bytes and the seed (RFC 8410). */
static const uint8_t pkcs8[] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06,
                                0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};

void keys_print_public(const struct cli *cli, const struct cl_public_key *key)
{
    char hex[2 * CL_PUBLIC_KEY_BYTES + 1];
    struct cl_keyid keyid;
    cl_hex_encode(hex, cl_bytes(key->bytes, CL_PUBLIC_KEY_BYTES));
    cl_keyid(&keyid, CL_KEY_ED25519, cl_bytes(key->bytes, CL_PUBLIC_KEY_BYTES));
    if (cli->options.json) {
        (void)fprintf(cli->out, "{\"publicKey\":\"%s\",\"keyid\":\"%s\"}\n", hex, keyid.text);
        return;
    }
    view_row(cli, "public key", "公钥", "%s", hex);
    view_row(cli, "key id", "密钥编号", "%s", keyid.text);
}

static enum cli_exit write_private(const struct cli *cli, const char *path)
{
    uint8_t der[sizeof pkcs8 + CL_KEY_SEED_BYTES];
    char base64[CL_BASE64_TEXT_BYTES(sizeof pkcs8 + CL_KEY_SEED_BYTES)];
    char pem[PEM_BYTES_MAX];
    memcpy(der, pkcs8, sizeof pkcs8);
    cl_random_fill(cl_random_system(), der + sizeof pkcs8, CL_KEY_SEED_BYTES);
    cl_base64_encode(base64, cl_bytes(der, sizeof der));
    (void)snprintf(pem, sizeof pem, "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n", base64);
    struct cl_status status = client_file_write(path, cl_bytes_text(pem), 0600, false);
    int why = errno;
    explicit_bzero(der, sizeof der);
    explicit_bzero(base64, sizeof base64);
    explicit_bzero(pem, sizeof pem);
    return cl_is_ok(status) ? CLI_DONE
                            : cli_fail(cli, CLI_USAGE, "keys are never written over; give a new name",
                                       "%s cannot be written: %s", path, strerror(why));
}

enum cli_exit keys_load_signer(struct cl_signer **out, const struct cli *cli, const char *path, const char *party)
{
    struct cl_status status = cl_signer_load(out, path, party);
    if (status.reason == CL_FIELD_INVALID) {
        return cli_fail(cli, CLI_USAGE, "write <kind>:<id>, e.g. bank:cn-alpha-js", "%.80s is not a party id", party);
    }
    return cl_is_ok(status) ? CLI_DONE
                            : cli_fail(cli, CLI_USAGE, "`coloan keys generate FILE` makes one", "%s: %s", path,
                                       cl_reason_info(status.reason)->text_en);
}

static enum cli_exit generate(struct cli *cli)
{
    struct cl_signer *signer = NULL;
    if (cli->argument_count != 2) {
        return cli_fail(cli, CLI_USAGE, "`coloan keys --help` shows examples", "usage: coloan keys generate FILE");
    }
    enum cli_exit code = write_private(cli, cli->arguments[1]);
    if (code == CLI_DONE) {
        code = keys_load_signer(&signer, cli, cli->arguments[1], ANYBODY);
    }
    if (code == CLI_DONE) {
        keys_print_public(cli, cl_signer_public_key(signer));
        cl_signer_free(signer);
    }
    return code;
}

/* -- show ----------------------------------------------------------------------------------------------------- */

static void print_key(const struct cli *cli, const Coloan__V1__Key *key)
{
    char until[VIEW_TEXT_BYTES_MAX];
    struct cl_keyid keyid;
    cl_keyid(&keyid, (enum cl_key_algorithm)key->algorithm, cl_bytes(key->public_key.data, key->public_key.len));
    view_time(until, key->valid_until_ms);
    (void)fprintf(cli->out, "  %-28s %-8s %-10s until %s  %s\n", key->party,
                  view_enum(&coloan__v1__key_purpose__descriptor, (int)key->purpose),
                  view_enum(&coloan__v1__key_status__descriptor, (int)key->status), until, keyid.text);
}

struct cl_status keys_unpack_directory(const Coloan__V1__KeyDirectory **out, const char **centre_out,
                                       struct cl_arena *arena, struct cl_bytes bytes)
{
    Coloan__V1__Envelope *envelope = NULL;
    ProtobufCMessage *message = NULL;
    struct cl_status status = cl_dsse_read(&envelope, arena, bytes);
    if (cl_failed(status)) {
        return status;
    }
    if (cl_payload_type_find(envelope->payload_type) != &coloan__v1__key_directory__descriptor) {
        return cl_fail(CL_PAYLOAD_TYPE_WRONG);
    }
    status = cl_unpack(&message, arena, &coloan__v1__signed_payload__descriptor,
                       cl_bytes(envelope->payload.data, envelope->payload.len));
    if (cl_failed(status)) {
        return status;
    }
    const Coloan__V1__SignedPayload *payload = (const Coloan__V1__SignedPayload *)(const void *)message;
    struct cl_bytes body = cl_bytes(payload->body.data, payload->body.len);
    if (payload->header == NULL) {
        return cl_fail(CL_HEADER_INCOMPLETE);
    }
    status = cl_directory_read(out, arena, body);
    if (cl_is_ok(status)) {
        *centre_out = payload->header->sender;
    }
    return status;
}

/* With --directory-key: whether the key signed this directory. */
static enum cli_exit judge_directory(bool *verified_out, const struct cli *cli, struct cl_bytes bytes,
                                     const char *centre, const char *environment)
{
    struct cl_directory_trust trust = {.centre = centre, .environment = environment};
    struct cl_keyring *keyring = NULL;
    struct cl_bytes key_text;
    if (cli->options.directory_key == NULL) {
        return CLI_DONE;
    }
    bool hex = cl_is_ok(client_public_key(&trust.public_key, cli->options.directory_key));
    if (!hex) {
        enum cli_exit code = cli_read_file(&key_text, cli, cli->options.directory_key);
        if (code != CLI_DONE) {
            return code;
        }
    }
    if (!hex && cl_failed(client_public_key(&trust.public_key, (const char *)key_text.data))) {
        return cli_fail(cli, CLI_USAGE, "give the public key: 64 hex digits or its PEM file",
                        "%s is not an Ed25519 public key", cli->options.directory_key);
    }
    struct cl_status status = cl_keyring_load(&keyring, bytes, &trust, NULL);
    if (cl_failed(status)) {
        return cli_fail(cli, CLI_FAILED, "do not use it", "the directory does not verify: %s (%s)",
                        cl_reason_info(status.reason)->text_en, cl_status_name(status));
    }
    cl_keyring_unref(keyring);
    *verified_out = true;
    return CLI_DONE;
}

static enum cli_exit show_directory(struct cli *cli, struct cl_bytes bytes)
{
    const Coloan__V1__KeyDirectory *directory = NULL;
    const char *centre = NULL;
    bool verified = false;
    char issued[VIEW_TEXT_BYTES_MAX];
    struct cl_status status = keys_unpack_directory(&directory, &centre, cli->arena, bytes);
    if (cl_failed(status)) {
        return cli_fail(cli, CLI_USAGE, "give a key directory, or the PEM file of a key",
                        "%s is neither a key nor a key directory: %s", cli->arguments[1], cl_status_name(status));
    }
    enum cli_exit code = judge_directory(&verified, cli, bytes, centre, directory->environment);
    if (code != CLI_DONE || cli->options.json) {
        return code != CLI_DONE ? code : cli_print_json(cli, &directory->base);
    }
    view_time(issued, directory->issued_ms);
    view_row(cli, "directory", "密钥目录", "%" PRIu64 ", %s, %s, %s", directory->number, centre, directory->environment,
             issued);
    view_row(cli, "signature", "签名", "%s",
             verified ? cli_word(cli, "verified", "已验证")
                      : cli_word(cli, "not looked at; add --directory-key FILE", "未验证，请加 --directory-key FILE"));
    for (size_t i = 0; i < directory->n_keys; i++) {
        print_key(cli, directory->keys[i]);
    }
    return CLI_DONE;
}

static enum cli_exit show(struct cli *cli)
{
    struct cl_bytes bytes;
    struct cl_public_key key;
    struct cl_signer *signer = NULL;
    if (cli->argument_count != 2) {
        return cli_fail(cli, CLI_USAGE, "`coloan keys --help` shows examples", "usage: coloan keys show FILE");
    }
    enum cli_exit code = cli_read_file(&bytes, cli, cli->arguments[1]);
    if (code != CLI_DONE) {
        return code;
    }
    if (cl_is_ok(client_public_key(&key, (const char *)bytes.data))) {
        keys_print_public(cli, &key);
        return CLI_DONE;
    }
    if (bytes.len > 0 && bytes.data[0] == '-') {
        code = keys_load_signer(&signer, cli, cli->arguments[1], ANYBODY);
        if (code == CLI_DONE) {
            keys_print_public(cli, cl_signer_public_key(signer));
            cl_signer_free(signer);
        }
        return code;
    }
    return show_directory(cli, bytes);
}

/* -- fetch ---------------------------------------------------------------------------------------------------- */

static enum cli_exit fetch(struct cli *cli)
{
    bool changed = false;
    enum cli_exit code = cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    struct cl_status status = cl_session_refresh_keys(&changed, cli->session, cli->arena, cli_patience(cli));
    if (cl_failed(status)) {
        return cli_refused(cli, status, NULL);
    }
    struct cl_keyring *keyring = cl_session_keyring(cli->session);
    const char *path = cli->options.out != NULL ? cli->options.out : cli->profile.fields.directory;
    if (changed && cl_failed(client_file_write(path, cl_keyring_directory(keyring), 0644, true))) {
        code = cli_fail(cli, CLI_USAGE, "give another place with --out FILE", "%s cannot be written: %s", path,
                        strerror(errno));
    }
    if (code == CLI_DONE) {
        view_row(cli, "directory", "密钥目录", "%" PRIu64 " (%s)", cl_keyring_number(keyring),
                 changed ? cli_word(cli, "new", "新") : cli_word(cli, "held already", "已是最新"));
    }
    cl_keyring_unref(keyring);
    return code;
}

enum cli_exit cmd_keys(struct cli *cli)
{
    static const struct {
        const char *name;
        enum cli_exit (*run)(struct cli *cli);
    } rows[] = {{"generate", generate}, {"prove", keys_prove},   {"rotate", keys_rotate},
                {"issue", keys_issue},  {"retire", keys_retire}, {"compromise", keys_compromise},
                {"show", show},         {"fetch", fetch}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(cli->arguments[0], rows[i].name) == 0) {
            return rows[i].run(cli);
        }
    }
    return cli_fail(cli, CLI_USAGE, "write generate, prove, rotate, issue, retire, compromise, show or fetch",
                    "there is no `keys %.40s`", cli->arguments[0]);
}
