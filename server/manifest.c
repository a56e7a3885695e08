#include "server/manifest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/json.h"
#include "server/moment.h"

#define FORMAT "coloan-backup-1"

/* -- Writing ------------------------------------------------------------------------------------------------- */

static void write_counts(FILE *out, const struct inventory *inventory)
{
    (void)fprintf(out, "  \"migration\": %" PRId64 ",\n  \"newest_message_ms\": %" PRId64 ",\n  \"rows\": {",
                  inventory->migration, inventory->newest_message_ms);
    for (size_t i = 0; i < inventory->table_count; i++) {
        (void)fprintf(out, "%s\n    \"%s\": %" PRId64, i == 0 ? "" : ",", inventory->tables[i].name,
                      inventory->tables[i].rows);
    }
    (void)fprintf(out, "\n  },\n  \"heads\": {");
    for (size_t i = 0; i < inventory->head_count; i++) {
        (void)fprintf(out, "%s\n    \"%s\": %" PRIu64, i == 0 ? "" : ",", inventory->heads[i].recipient,
                      inventory->heads[i].head);
    }
    (void)fprintf(out, "\n  }");
}

/* Names of parties and tables hold nothing that JSON would have to escape. */
void manifest_write(FILE *out, const struct manifest *manifest, const struct inventory *inventory)
{
    char made[MOMENT_TEXT_BYTES];
    char hex[CL_DIGEST_HEX_BYTES];
    moment_write(made, manifest->made_ms);
    cl_hex_encode(hex, cl_bytes(manifest->sha256.bytes, CL_DIGEST_BYTES));
    (void)fprintf(out,
                  "{\n  \"format\": \"" FORMAT "\",\n  \"coloan\": \"" COLOAN_VERSION "\",\n  \"party\": \"%s\",\n"
                  "  \"environment\": \"%s\",\n  \"made\": \"%s\",\n  \"made_ms\": %" PRId64 ",\n"
                  "  \"file\": \"" MANIFEST_DATABASE "\",\n  \"bytes\": %" PRId64 ",\n  \"sha256\": \"%s\",\n",
                  manifest->party, manifest->environment, made, manifest->made_ms, manifest->bytes, hex);
    if (manifest->has_archive) {
        cl_hex_encode(hex, cl_bytes(manifest->archive.start.bytes, CL_DIGEST_BYTES));
        (void)fprintf(out,
                      "  \"archive_segment\": %" PRIu64
                      ",\n  \"archive_start\": \"%s\",\n  \"archive_from_ms\": %" PRId64 ",\n",
                      manifest->archive.segment, hex, manifest->archive.from_ms);
    }
    write_counts(out, inventory);
    (void)fprintf(out, "\n}\n");
}

/* -- Reading ------------------------------------------------------------------------------------------------- */

struct members {
    const struct cl_json_member *list;
    size_t count;
};

/* NULL: there is none of that kind. */
static const char *find(const struct members *members, const char *name, bool is_string)
{
    for (size_t i = 0; i < members->count; i++) {
        if (strcmp(members->list[i].name, name) == 0 && members->list[i].is_string == is_string) {
            return members->list[i].text;
        }
    }
    return NULL;
}

static bool take_text(char *out, size_t size, const struct members *members, const char *name)
{
    const char *text = find(members, name, true);
    if (text == NULL || strlen(text) >= size) {
        return false;
    }
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool take_number(int64_t *out, const struct members *members, const char *name)
{
    const char *text = find(members, name, false);
    char *end = NULL;
    if (text == NULL || text[0] < '0' || text[0] > '9') {
        return false;
    }
    errno = 0;
    *out = strtoll(text, &end, 10);
    return *end == '\0' && errno == 0;
}

static bool take_digest(struct cl_digest *out, const struct members *members, const char *name)
{
    const char *text = find(members, name, true);
    return text != NULL && cl_is_ok(cl_hex_decode(out->bytes, sizeof out->bytes, text));
}

static bool is_format(const struct members *members)
{
    const char *format = find(members, "format", true);
    const char *file = find(members, "file", true);
    return format != NULL && strcmp(format, FORMAT) == 0 && file != NULL && strcmp(file, MANIFEST_DATABASE) == 0;
}

static bool take_archive(struct manifest *manifest, const struct members *members)
{
    int64_t segment = 0;
    manifest->has_archive = find(members, "archive_segment", false) != NULL;
    if (!manifest->has_archive) {
        return true;
    }
    bool good = take_number(&segment, members, "archive_segment") && segment > 0 &&
                take_digest(&manifest->archive.start, members, "archive_start") &&
                take_number(&manifest->archive.from_ms, members, "archive_from_ms");
    manifest->archive.segment = (uint64_t)segment;
    return good;
}

static bool take_all(struct manifest *manifest, const struct members *members)
{
    return is_format(members) && take_text(manifest->party, sizeof manifest->party, members, "party") &&
           take_text(manifest->environment, sizeof manifest->environment, members, "environment") &&
           take_number(&manifest->made_ms, members, "made_ms") && take_number(&manifest->bytes, members, "bytes") &&
           take_digest(&manifest->sha256, members, "sha256") && take_archive(manifest, members);
}

struct cl_status manifest_read(struct manifest *out, struct cl_bytes text)
{
    enum { ARENA_BYTES_MAX = 8 * MANIFEST_BYTES_MAX };
    struct cl_arena *arena = NULL;
    struct members members = {NULL, 0};
    struct manifest manifest = {.bytes = 0};
    struct cl_json_error error;
    struct cl_status status = cl_arena_create(&arena, ARENA_BYTES_MAX);
    if (cl_failed(status)) {
        return status;
    }
    status = cl_json_members(&members.list, &members.count, arena, text, &error);
    if (cl_failed(status) || !take_all(&manifest, &members)) {
        status = cl_fail(CL_CONFIG_INVALID);
    }
    cl_arena_free(arena);
    if (cl_is_ok(status)) {
        *out = manifest;
    }
    return status;
}
