/* `coloan upload`: one document of an application, named there by its digest. */
#include <stdio.h>
#include <string.h>

#include "client/cli.h"
#include "libcoloan/limits.h"
#include "libcoloan/sha256.h"

static struct cl_status read_at(void *user, uint8_t *out, int64_t offset, size_t len)
{
    FILE *file = user;
    if (fseek(file, (long)offset, SEEK_SET) != 0 || fread(out, 1, len, file) != len) {
        return cl_fail(CL_SYSTEM);
    }
    return cl_ok();
}

/* Size and digest; read once more when it is sent, so that no document has to fit into memory. */
static enum cli_exit measure(struct cl_upload *out, struct cli *cli, FILE *file)
{
    struct cl_sha256 hash;
    uint8_t buffer[CL_DOCUMENT_CHUNK_BYTES];
    out->size_bytes = 0;
    cl_sha256_init(&hash);
    for (size_t got = sizeof buffer; got == sizeof buffer && out->size_bytes <= CL_DOCUMENT_BYTES_MAX;) {
        got = fread(buffer, 1, sizeof buffer, file);
        cl_sha256_add(&hash, cl_bytes(buffer, got));
        out->size_bytes += (int64_t)got;
    }
    cl_sha256_finish(&hash, &out->sha256);
    if (ferror(file) != 0) {
        return cli_fail(cli, CLI_USAGE, NULL, "%s cannot be read", cli->arguments[1]);
    }
    if (out->size_bytes == 0 || out->size_bytes > CL_DOCUMENT_BYTES_MAX) {
        return cli_fail(cli, CLI_USAGE, NULL, "%s: a document has 1 byte to 32 MiB", cli->arguments[1]);
    }
    return CLI_DONE;
}

static void print_receipt(const struct cli *cli, const Coloan__V1__DocumentReceipt *receipt)
{
    char digest[CL_DIGEST_HEX_BYTES];
    cl_hex_encode(digest, cl_bytes(receipt->sha256.data, CL_DIGEST_BYTES));
    (void)fprintf(cli->out, "%s%s%s  %s  %lld %s\n", cli_colour(cli, CLI_GREEN), cli_word(cli, "complete", "已完成"),
                  cli_colour(cli, CLI_PLAIN), digest, (long long)receipt->size_bytes, cli_word(cli, "bytes", "字节"));
}

static enum cli_exit send(struct cli *cli, struct cl_upload *upload)
{
    struct cl_answer answer;
    enum cli_exit code = cli_connect(cli);
    if (code != CLI_DONE) {
        return code;
    }
    struct cl_patience patience = {.total_ms = cli_patience(cli).total_ms};
    struct cl_status status = cl_session_upload(&answer, cli->session, cli->arena, upload, patience);
    if (cl_failed(status)) {
        return cli_refused(cli, status, &answer);
    }
    if (cli->options.json) {
        return cli_print_json(cli, answer.body);
    }
    print_receipt(cli, (const Coloan__V1__DocumentReceipt *)(const void *)answer.body);
    return CLI_DONE;
}

enum cli_exit cmd_upload(struct cli *cli)
{
    struct cl_upload upload = {.application_id = cli->arguments[0], .read = read_at};
    FILE *file = fopen(cli->arguments[1], "rbe");
    if (file == NULL) {
        return cli_fail(cli, CLI_USAGE, NULL, "%s cannot be opened", cli->arguments[1]);
    }
    upload.user = file;
    enum cli_exit code = measure(&upload, cli, file);
    if (code == CLI_DONE) {
        code = send(cli, &upload);
    }
    (void)fclose(file);
    return code;
}
