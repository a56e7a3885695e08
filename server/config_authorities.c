#include "server/config_authorities.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "server/domain/catalogue.h"
#include "server/source/hours.h"
#include "server/source/mapping.h"

/* -- Fields -------------------------------------------------------------------------------------------------- */

struct authority {
    const char *name, *base_url, *token_file, *ca_file, *client_certificate, *client_key, *hours, *days;
    const struct cl_setting *items, *mapping;
    int64_t timeout_ms, attempts, retry_ms, in_flight, hours_wait_ms;
    bool cache;
};

static const struct cl_setting_field authority_fields[] = {
    {"name", CL_SETTING_TEXT, offsetof(struct authority, name), true, NULL, 1, SOURCE_AUTHORITY_BYTES_MAX, NULL,
     "Its name in results, a-z, 0-9 and '-'."},
    {"base_url", CL_SETTING_TEXT, offsetof(struct authority, base_url), true, NULL, 8, 255, NULL,
     "http:// or https://, without a slash at the end."},
    {"items", CL_SETTING_LIST, offsetof(struct authority, items), true, NULL, 1, 64, NULL,
     "What it answers, e.g. [MARRIAGE]."},
    {"mapping", CL_SETTING_LIST, offsetof(struct authority, mapping), false, NULL, 1, 64, NULL,
     "How it calls the things of an item, where that is not coloan's own format."},
    {"token_file", CL_SETTING_PATH, offsetof(struct authority, token_file), false, NULL, 0, 4096, NULL,
     "Holds the bearer token it asks for, one line, readable by its owner only."},
    {"ca_file", CL_SETTING_PATH, offsetof(struct authority, ca_file), false, NULL, 0, 4096, NULL,
     "Root certificates for https."},
    {"timeout", CL_SETTING_DURATION, offsetof(struct authority, timeout_ms), false, "2s", 10, 60000, NULL,
     "Of one attempt."},
    {"attempts", CL_SETTING_INT64, offsetof(struct authority, attempts), false, "3", 1, 10, NULL,
     "Before a person has to look."},
    {"retry", CL_SETTING_DURATION, offsetof(struct authority, retry_ms), false, "100ms", 1, 60000, NULL,
     "Pause before the second attempt, doubled for each further, by chance between half and whole."},
    {"in_flight", CL_SETTING_INT64, offsetof(struct authority, in_flight), false, "32", 1, 256, NULL,
     "Questions asked of it at a time."},
    {"client_certificate", CL_SETTING_PATH, offsetof(struct authority, client_certificate), false, NULL, 0, 4096, NULL,
     "Our certificate for its mutual TLS (PEM)."},
    {"client_key", CL_SETTING_PATH, offsetof(struct authority, client_key), false, NULL, 0, 4096, NULL,
     "The certificate's private key (PEM), readable by its owner only."},
    {"hours", CL_SETTING_TEXT, offsetof(struct authority, hours), false, NULL, 11, 11, NULL,
     "When it may be asked, in China: 07:30-22:00; 22:00-06:00 is over midnight. A case that comes at another time "
     "waits"
     " until it opens."},
    {"days", CL_SETTING_TEXT, offsetof(struct authority, days), false, NULL, 1, 16, NULL,
     "The days of these hours, Monday is 1: 1-5, or 1-4,7. Left out: every day."},
    {"hours_wait", CL_SETTING_DURATION, offsetof(struct authority, hours_wait_ms), false, "72h", 60000, 864000000, NULL,
     "When it opens later than that, a person has to look instead (SOURCE_CLOSED)."},
    {"cache", CL_SETTING_BOOL, offsetof(struct authority, cache), false, "false", 0, 0, NULL,
     "Its answers serve other cases that ask the same, where the catalogue allows: in memory, a day at most."},
};

#define COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))

void config_authorities_print_fields(FILE *out)
{
    (void)fprintf(out, "\nauthorities, each:\n");
    cl_setting_print_fields(out, authority_fields, COUNT(authority_fields));
    (void)fprintf(out, "\nauthorities, each, mapping, each:\n");
    source_mapping_print_fields(out);
}

/* -- Closer looks -------------------------------------------------------------------------------------------- */

/* A regular file that nobody else can read. */
static bool is_private(FILE *file)
{
    struct stat about;
    return fstat(fileno(file), &about) == 0 && S_ISREG(about.st_mode) && (about.st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

/* One line of printable characters, in a file that nobody else can read. */
static struct cl_status read_token(char *out, const char *path, const struct cl_setting *setting,
                                   struct cl_setting_error *error)
{
    FILE *file = fopen(path, "re");
    bool private = file != NULL && is_private(file);
    char line[CONFIG_TOKEN_BYTES_MAX + 2] = "";
    bool read = private && fgets(line, sizeof line, file) != NULL;
    if (file != NULL) {
        (void)fclose(file);
    }
    size_t len = strcspn(line, "\r\n");
    line[len] = '\0';
    for (size_t i = 0; i < len; i++) {
        read = read && line[i] > ' ' && line[i] < 0x7f;
    }
    if (!read || len == 0 || len > CONFIG_TOKEN_BYTES_MAX) {
        explicit_bzero(line, sizeof line);
        return cl_setting_refuse(error, setting, "expected a file of mode 0600 with a token of 1 to %d characters",
                                 CONFIG_TOKEN_BYTES_MAX);
    }
    memcpy(out, line, len + 1);
    explicit_bzero(line, sizeof line);
    return cl_ok();
}

/* Both files or none; libcurl reads them when it connects, so what is checked here is that it will be able to. */
static struct cl_status read_client(struct source_authority_options *out, const struct authority *authority,
                                    const struct cl_setting *section, struct cl_setting_error *error)
{
    if ((authority->client_certificate == NULL) != (authority->client_key == NULL)) {
        return cl_setting_refuse(error, section, "client_certificate and client_key go together");
    }
    if (authority->client_key == NULL) {
        return cl_ok();
    }
    FILE *file = fopen(authority->client_key, "re");
    bool private = file != NULL && is_private(file);
    if (file != NULL) {
        (void)fclose(file);
    }
    if (!private) {
        return cl_setting_refuse(error, cl_setting_find(section, "client_key"), "expected a file of mode 0600");
    }
    out->client_certificate = authority->client_certificate;
    out->client_key = authority->client_key;
    return cl_ok();
}

static struct cl_status read_hours(struct source_authority_options *out, const struct authority *authority,
                                   const struct cl_setting *section, struct cl_setting_error *error)
{
    if (authority->hours == NULL) {
        return authority->days == NULL ? cl_ok()
                                       : cl_setting_refuse(error, cl_setting_find(section, "days"), "goes with hours");
    }
    if (cl_failed(source_hours_read(&out->hours, authority->hours, authority->days))) {
        return cl_setting_refuse(error, cl_setting_find(section, "hours"),
                                 "expected hours like 07:30-22:00 and days like 1-5 or 1-4,7");
    }
    return cl_ok();
}

static struct cl_status read_items(uint64_t *items_out, const struct cl_setting *list, struct cl_setting_error *error)
{
    for (size_t i = 0; i < cl_setting_count(list); i++) {
        const struct cl_setting *name = cl_setting_at(list, i);
        const struct source_item_row *row = source_item_find(cl_setting_text(name));
        if (row == NULL) {
            return cl_setting_refuse(error, name, "\"%.32s\" is no item that an authority answers, e.g. MARRIAGE",
                                     cl_setting_text(name));
        }
        *items_out |= SOURCE_ITEM_BIT(row->item);
    }
    return cl_ok();
}

/* What the rules cannot decide without is never left out. */
static struct cl_status read_unused(uint64_t *items_out, const struct cl_setting *list, struct cl_setting_error *error)
{
    for (size_t i = 0; i < cl_setting_count(list); i++) {
        const struct cl_setting *name = cl_setting_at(list, i);
        const struct catalogue_row *row = catalogue_find(cl_setting_text(name));
        if (row == NULL || row->needed) {
            return cl_setting_refuse(error, name, "\"%.32s\" is no item that a centre can do without, e.g. FACE",
                                     cl_setting_text(name));
        }
        *items_out |= ITEM_BIT(row->item);
    }
    return cl_ok();
}

static struct cl_status read_mapping(struct source_item_mapping *out, uint64_t *mapped, uint64_t items,
                                     const struct cl_setting *section, struct cl_setting_error *error)
{
    const struct source_item_row *row = NULL;
    struct cl_status status = source_mapping_read(&out->mapping, &row, section, error);
    if (cl_failed(status)) {
        return status;
    }
    uint64_t bit = SOURCE_ITEM_BIT(row->item);
    if ((items & bit) == 0 || (*mapped & bit) != 0) {
        return cl_setting_refuse(error, section, "maps an item that this authority does not answer, or one twice");
    }
    *mapped |= bit;
    out->item = row->item;
    return cl_ok();
}

static struct cl_status read_mappings(struct source_item_mapping **mappings_out, struct source_authority_options *out,
                                      const struct cl_setting *list, struct cl_setting_error *error)
{
    size_t count = cl_setting_count(list);
    struct source_item_mapping *mappings = calloc(count, sizeof *mappings);
    if (mappings == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *mappings_out = mappings;
    uint64_t mapped = 0;
    struct cl_status status = cl_ok();
    for (size_t i = 0; cl_is_ok(status) && i < count; i++) {
        status = read_mapping(&mappings[i], &mapped, out->items, cl_setting_at(list, i), error);
    }
    out->mappings = mappings;
    out->mapping_count = count;
    return status;
}

static struct cl_status read_authority(struct config *config, size_t index, uint64_t *served,
                                       const struct cl_setting *section, struct cl_setting_error *error)
{
    struct authority authority = {0};
    struct source_authority_options *out = &config->authorities[index];
    struct cl_status status = cl_setting_read(&authority, section, authority_fields, COUNT(authority_fields), error);
    if (cl_failed(status)) {
        return status;
    }
    *out = (struct source_authority_options){
        .name = authority.name,
        .base_url = authority.base_url,
        .ca_file = authority.ca_file,
        .timeout_ms = authority.timeout_ms,
        .attempts = (unsigned)authority.attempts,
        .retry_ms = authority.retry_ms,
        .in_flight_max = (unsigned)authority.in_flight,
        .closed_wait_ms = authority.hours_wait_ms,
        .cache = authority.cache,
    };
    if (authority.token_file != NULL) {
        status = read_token(config->tokens[index], authority.token_file, cl_setting_find(section, "token_file"), error);
    }
    if (cl_is_ok(status)) {
        status = read_client(out, &authority, section, error);
    }
    if (cl_is_ok(status)) {
        status = read_hours(out, &authority, section, error);
    }
    if (cl_is_ok(status)) {
        status = read_items(&out->items, authority.items, error);
    }
    if (cl_is_ok(status) && authority.mapping != NULL) {
        status = read_mappings(&config->mappings[index], out, authority.mapping, error);
    }
    if (cl_failed(status)) {
        return status;
    }
    if ((*served & out->items) != 0) {
        return cl_setting_refuse(error, section, "serves an item that another authority serves already");
    }
    *served |= out->items;
    return cl_ok();
}

struct cl_status config_authorities_read(struct config *config, const struct cl_setting *list,
                                         const struct cl_setting *unused, struct cl_setting_error *error)
{
    uint64_t served = 0;
    struct cl_status status = unused == NULL ? cl_ok() : read_unused(&config->items_unused, unused, error);
    for (size_t i = 0; cl_is_ok(status) && i < cl_setting_count(list); i++) {
        status = read_authority(config, i, &served, cl_setting_at(list, i), error);
    }
    if (cl_failed(status)) {
        return status;
    }
    config->authority_count = cl_setting_count(list);
    for (size_t i = 0; source_item_at(i) != NULL; i++) {
        const struct source_item_row *row = source_item_at(i);
        if (((served | config->items_unused) & SOURCE_ITEM_BIT(row->item)) == 0) {
            return cl_setting_refuse(error, list, "nobody answers %s; name an authority for it%s", row->name,
                                     catalogue_find(row->name)->needed ? "" : ", or put it into items_unused");
        }
    }
    return cl_ok();
}

void config_authorities_free(struct config *config)
{
    for (size_t i = 0; i < SOURCE_AUTHORITIES_MAX; i++) {
        free(config->mappings[i]);
        config->mappings[i] = NULL;
    }
}
