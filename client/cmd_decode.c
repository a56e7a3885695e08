/* `coloan decode`: what an envelope says, as JSON. It says nothing about whether that is true: `verify` does. */
#include <inttypes.h>
#include <string.h>

#include "client/cli.h"
#include "libcoloan/dsse.h"
#include "libcoloan/json.h"
#include "libcoloan/wirescan.h"

struct decoded {
    const Coloan__V1__Envelope *envelope;
    const Coloan__V1__SignedPayload *payload;
    const ProtobufCMessage *body;
    struct cl_digest digest;
};

static struct cl_status decode(struct decoded *out, struct cl_arena *arena, struct cl_bytes bytes)
{
    Coloan__V1__Envelope *envelope = NULL;
    ProtobufCMessage *message = NULL;
    ProtobufCMessage *body = NULL;
    struct cl_status status = cl_dsse_read(&envelope, arena, bytes);
    if (cl_failed(status)) {
        return status;
    }
    struct cl_bytes payload = cl_bytes(envelope->payload.data, envelope->payload.len);
    status = cl_unpack(&message, arena, &coloan__v1__signed_payload__descriptor, payload);
    if (cl_failed(status)) {
        return status;
    }
    const ProtobufCMessageDescriptor *type = cl_payload_type_find(envelope->payload_type);
    if (type == NULL) {
        return cl_fail(CL_PAYLOAD_TYPE_WRONG);
    }
    out->envelope = envelope;
    out->payload = (const Coloan__V1__SignedPayload *)(const void *)message;
    cl_dsse_digest(&out->digest, envelope->payload_type, payload);
    status = cl_unpack(&body, arena, type, cl_bytes(out->payload->body.data, out->payload->body.len));
    out->body = body;
    return status;
}

/* ,"name":<message> */
static bool print_part(const struct cli *cli, const char *name, const ProtobufCMessage *message)
{
    const char *text = NULL;
    if (message == NULL || cl_failed(cl_json_print(&text, cli->arena, message, CL_JSON_COMPACT))) {
        return false;
    }
    (void)fprintf(cli->out, ",\"%s\":%s", name, text);
    return true;
}

static void print_signatures(const struct cli *cli, const Coloan__V1__Envelope *envelope)
{
    (void)fprintf(cli->out, ",\"keyids\":[");
    for (size_t i = 0; i < envelope->n_signatures; i++) {
        const char *keyid = cl_json_quote(cli->arena, envelope->signatures[i]->keyid);
        (void)fprintf(cli->out, "%s%s", i == 0 ? "" : ",", keyid == NULL ? "\"\"" : keyid);
    }
    (void)fprintf(cli->out, "]");
}

/* Paths only, unless --personal: what was disclosed stays undisclosed on a screen. */
static void print_disclosures(const struct cli *cli, const Coloan__V1__Envelope *envelope)
{
    (void)fprintf(cli->out, ",\"disclosures\":{");
    for (size_t i = 0; i < envelope->n_disclosures; i++) {
        const Coloan__V1__Disclosure *disclosure = envelope->disclosures[i];
        const char *path = cl_json_quote(cli->arena, disclosure->path);
        const char *value = cl_json_quote(
            cli->arena,
            (const char *)cl_arena_copy(cli->arena, cl_bytes(disclosure->value.data, disclosure->value.len)));
        (void)fprintf(cli->out, "%s%s:%s", i == 0 ? "" : ",", path == NULL ? "\"\"" : path,
                      !cli->options.personal || value == NULL ? "\"(hidden)\"" : value);
    }
    (void)fprintf(cli->out, "}");
}

enum cli_exit cmd_decode(struct cli *cli)
{
    struct decoded decoded = {.envelope = NULL};
    struct cl_bytes bytes;
    char digest[CL_DIGEST_HEX_BYTES];
    enum cli_exit code = cli_read_file(&bytes, cli, cli->arguments[0]);
    if (code != CLI_DONE) {
        return code;
    }
    struct cl_status status = decode(&decoded, cli->arena, bytes);
    if (cl_failed(status)) {
        return cli_fail(cli, CLI_USAGE, "give a file that holds one serialised coloan.v1.Envelope",
                        "%s is not an envelope: %s (%s)", cli->arguments[0], cl_reason_info(status.reason)->text_en,
                        cl_status_name(status));
    }
    cl_hex_encode(digest, cl_bytes(decoded.digest.bytes, CL_DIGEST_BYTES));
    (void)fprintf(cli->out, "{\"digest\":\"%s\",\"payloadType\":%s", digest,
                  cl_json_quote(cli->arena, decoded.envelope->payload_type));
    print_signatures(cli, decoded.envelope);
    bool printed = print_part(cli, "header", decoded.payload->header == NULL ? NULL : &decoded.payload->header->base);
    printed = print_part(cli, "body", decoded.body) && printed;
    print_disclosures(cli, decoded.envelope);
    (void)fprintf(cli->out, "}\n");
    return printed ? CLI_DONE : CLI_FAILED;
}
