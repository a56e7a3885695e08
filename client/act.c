#include "client/act.h"

#include <errno.h>
#include <string.h>

#include "client/view.h"
#include "libcoloan/sha256.h"

enum cli_exit act_on_case(struct cli *cli, const struct cl_session_call *call)
{
    struct cl_answer answer;
    struct cl_session_call whole = *call;
    whole.reply_type = &coloan__v1__application_status__descriptor;
    whole.application_id = cli->arguments[0];
    struct cl_status status = cl_session_call(&answer, cli->session, cli->arena, &whole, cli_patience(cli));
    if (cl_failed(status)) {
        return cli_refused(cli, status, &answer);
    }
    if (cli->options.json) {
        return cli_print_json(cli, answer.body);
    }
    view_status(cli, (const Coloan__V1__ApplicationStatus *)(const void *)answer.body);
    return CLI_DONE;
}

static bool hash_file(struct cl_digest *out, FILE *file)
{
    uint8_t chunk[16 * 1024];
    struct cl_sha256 hash;
    size_t len = 0;
    size_t total = 0;
    cl_sha256_init(&hash);
    while ((len = fread(chunk, 1, sizeof chunk, file)) > 0) {
        cl_sha256_add(&hash, cl_bytes(chunk, len));
        total += len;
    }
    cl_sha256_finish(&hash, out);
    return total > 0 && ferror(file) == 0;
}

enum cli_exit act_document(struct cl_digest *out, const struct cli *cli)
{
    const char *path = cli->options.document;
    if (path == NULL) {
        return cli_fail(cli, CLI_USAGE, "add --document FILE; its digest is sent, the file stays here",
                        "what the borrower signed is missing");
    }
    FILE *file = fopen(path, "rbe");
    if (file == NULL) {
        return cli_fail(cli, CLI_USAGE, "check the path and who may read it", "%s cannot be read: %s", path,
                        strerror(errno));
    }
    bool hashed = hash_file(out, file);
    (void)fclose(file);
    return hashed ? CLI_DONE : cli_fail(cli, CLI_USAGE, NULL, "%s cannot be read, or is empty", path);
}
