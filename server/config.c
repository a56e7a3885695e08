#include "server/config.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "libcoloan/ids.h"
#include "libcoloan/keydraft.h"
#include "libcoloan/log.h"
#include "server/config_authorities.h"
#include "server/config_inboxes.h"
#include "server/source/hours.h"
#include "server/store/sql.h"

#define MINUTE_MS INT64_C(60000)

/* -- Fields -------------------------------------------------------------------------------------------------- */

static const char *const log_levels[] = {"debug", "info", "warning", "error", NULL};

/* The outermost section: what goes into the configuration as it is, and what has to be looked at closer. */
struct file {
    struct config config;
    const char *directory_key;
    const struct cl_setting *rules, *authorities, *items_unused, *registry, *inboxes, *tls, *store;
};

static const struct cl_setting_field file_fields[] = {
    {"party", CL_SETTING_TEXT, offsetof(struct file, config.party), true, NULL, 1, CL_PARTY_BYTES_MAX, NULL,
     "Party id of this centre, e.g. fund:cn-nj-prov; the name in its certificate and directory."},
    {"environment", CL_SETTING_TEXT, offsetof(struct file, config.environment), true, NULL, 1, CL_ENVIRONMENT_BYTES_MAX,
     NULL, "prod, test or conf/<run>; messages of another environment are refused."},
    {"accept_synthetic_ids", CL_SETTING_BOOL, offsetof(struct file, config.accept_synthetic_ids), false, "false", 0, 0,
     NULL, "Accept ID numbers of area 99, which are never given out. Not in prod."},
    {"log_level", CL_SETTING_CHOICE, offsetof(struct file, config.log_level), false, "info", 0, 0, log_levels,
     "Lines below it are not written."},
    {"listen", CL_SETTING_TEXT, offsetof(struct file, config.listen), true, NULL, 3, 255, NULL,
     "host:port for parties; port 0 lets the system choose."},
    {"signing_key", CL_SETTING_PATH, offsetof(struct file, config.signing_key), true, NULL, 1, 4096, NULL,
     "The centre's Ed25519 key (PEM PKCS#8, mode 0600) that signs its messages."},
    {"directory", CL_SETTING_PATH, offsetof(struct file, config.directory), true, NULL, 1, 4096, NULL,
     "The signed key directory, as `coloan keys issue` writes it."},
    {"directory_signing_key", CL_SETTING_PATH, offsetof(struct file, config.directory_signing_key), false, NULL, 1,
     4096, NULL,
     "The private half of directory_key (mode 0600): a party's key change is then in force at once, and whoever breaks"
     " into this server can name keys. Left out: directories are issued offline, which is safer."},
    {"key_overlap", CL_SETTING_DURATION, offsetof(struct file, config.key_overlap_ms), false, "14d", 0,
     CL_KEY_OVERLAP_DAYS_MAX *CL_DAY_MS, NULL, "How long a replaced key verifies on, with directory_signing_key."},
    {"authorisation_ca", CL_SETTING_PATH, offsetof(struct file, config.authorisation_ca), false, NULL, 0, 4096, NULL,
     "CAs (PEM) behind the signers of authorisation letters. Left out: a consent counts by its letter's digest alone."},
    {"metrics", CL_SETTING_TEXT, offsetof(struct file, config.metrics), false, NULL, 0, 255, NULL,
     "host:port for /metrics, /healthz and /readyz; loopback only. Left out: none."},
    {"directory_key", CL_SETTING_TEXT, offsetof(struct file, directory_key), true, NULL, 64, 64, NULL,
     "The public key that signs directories: 64 hex digits, pinned here out of band."},
    {"rules", CL_SETTING_LIST, offsetof(struct file, rules), true, NULL, 1, RULEBOOK_SETS_MAX, NULL,
     "Paths of the rule sets; their dates follow each other without gap or overlap."},
    {"rules_signed", CL_SETTING_BOOL, offsetof(struct file, config.rules_signed), false, "false", 0, 0, NULL,
     "Each rule set needs its signature beside it, by a key of the centre's in the directory. In prod always."},
    {"authorities", CL_SETTING_LIST, offsetof(struct file, authorities), true, NULL, 1, SOURCE_AUTHORITIES_MAX, NULL,
     "Who is asked for which items."},
    {"items_unused", CL_SETTING_LIST, offsetof(struct file, items_unused), false, NULL, 0, 0, NULL,
     "Items that this centre does without, e.g. [FACE, EMPLOYER]; applications from then on are not asked for them."},
    {"registry", CL_SETTING_SECTION, offsetof(struct file, registry), false, "{}", 0, 0, NULL,
     "How the property register is asked about what a bank filed there."},
    {"inboxes", CL_SETTING_LIST, offsetof(struct file, inboxes), false, NULL, 0, CALLBACKS_BANKS_MAX, NULL,
     "Banks that are called while they have no stream open."},
    {"tls", CL_SETTING_SECTION, offsetof(struct file, tls), true, NULL, 0, 0, NULL, "Certificates."},
    {"store", CL_SETTING_SECTION, offsetof(struct file, store), true, NULL, 0, 0, NULL, "Where everything is kept."},
    {"poll_threads", CL_SETTING_INT64, offsetof(struct file, config.poll_threads), false, "2", 1, 16, NULL,
     "Threads that verify signatures; one for each core is right."},
    {"calls_per_second", CL_SETTING_INT64, offsetof(struct file, config.calls_per_second), false, "2000", 1, 1000000,
     NULL, "Of one party, in the long run."},
    {"burst", CL_SETTING_INT64, offsetof(struct file, config.burst), false, "4000", 1, 1000000, NULL,
     "Calls of one party at once."},
    {"connections_per_party", CL_SETTING_INT64, offsetof(struct file, config.connections_per_party), false, "8", 1,
     1000, NULL, "Connections one party may hold."},
    {"gather_events", CL_SETTING_INT64, offsetof(struct file, config.gather_events), false, "1", 0, 1000, NULL,
     "The gate lets replies gather once so many events are waiting: more calls a second; on a core that others use too,"
     " each comes later. 0: never."},
    {"stop_grace", CL_SETTING_DURATION, offsetof(struct file, config.stop_grace_ms), false, "5s", 0, 30000, NULL,
     "How long calls under way may take after SIGTERM."},
};

static const struct cl_setting_field tls_fields[] = {
    {"certificate", CL_SETTING_PATH, offsetof(struct config, certificate), true, NULL, 1, 4096, NULL,
     "The server's certificate (PEM, leaf first)."},
    {"key", CL_SETTING_PATH, offsetof(struct config, key), true, NULL, 1, 4096, NULL, "Its private key (PEM)."},
    {"ca", CL_SETTING_PATH, offsetof(struct config, ca), true, NULL, 1, 4096, NULL,
     "The scheme's private root certificates (PEM)."},
    {"intermediates", CL_SETTING_PATH, offsetof(struct config, intermediates), false, NULL, 0, 4096, NULL,
     "CAs that a root signed and that may sign parties' certificates (PEM); none but these, and none below them."},
    {"crl", CL_SETTING_PATH, offsetof(struct config, crl), true, NULL, 1, 4096, NULL,
     "Their revocation lists (PEM); the server does not open without a valid one."},
    {"deny_list", CL_SETTING_PATH, offsetof(struct config, deny_list), false, NULL, 0, 4096, NULL,
     "SHA-256 fingerprints of certificates to refuse at once, one a line."},
};

static const struct cl_setting_field store_fields[] = {
    {"database", CL_SETTING_PATH, offsetof(struct config, database), true, NULL, 1, 4096, NULL,
     "The SQLite file, on a local disk, created when missing; or postgresql://HOST,HOST/DATABASE?OPTIONS of a cluster "
     "that"
     " several servers share (no password in it)."},
    {"master_key", CL_SETTING_PATH, offsetof(struct config, master_key), true, NULL, 1, 4096, NULL,
     "The key of the vault (mode 0600): `coloand --make-master-key FILE` makes one. Keep it apart from backups."},
    {"archive", CL_SETTING_PATH, offsetof(struct config, archive), false, NULL, 1, 4096, NULL,
     "Folder, best on another disk, that every commit is copied to: with a backup, the database can be restored as it "
     "was"
     " at any moment. It has to exist. Left out: only backups can be restored."},
    {"log_round_pages", CL_SETTING_INT64, offsetof(struct config, log_round_pages), false, "4096", 1, 4096, NULL,
     "Pages of 4 KiB in the database's log until they are taken over beside the writer. Less only for small disks."},
    {"log_restart_pages", CL_SETTING_INT64, offsetof(struct config, log_restart_pages), false, "16384", 1, 16384, NULL,
     "Pages in the log until it begins anew. Less only for small disks: everybody waits for it."},
};

struct registry {
    const char *hours;
    int64_t first_ms, every_ms;
};

static const struct cl_setting_field registry_fields[] = {
    {"hours", CL_SETTING_TEXT, offsetof(struct registry, hours), false, "08:30-17:30", 11, 11, NULL,
     "Its hours, in China; outside them nothing moves there. 00:00-24:00: always."},
    {"first", CL_SETTING_DURATION, offsetof(struct registry, first_ms), false, "30s", 1000, CL_DAY_MS, NULL,
     "How long after the filing it is asked first."},
    {"every", CL_SETTING_DURATION, offsetof(struct registry, every_ms), false, "5m", 1000, CL_DAY_MS, NULL,
     "How often from then on, for two days; after that hourly, for thirty days in all."},
};

#define COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))

void config_print_fields(FILE *out)
{
    cl_setting_print_fields(out, file_fields, COUNT(file_fields));
    (void)fprintf(out, "\nregistry:\n");
    cl_setting_print_fields(out, registry_fields, COUNT(registry_fields));
    (void)fprintf(out, "\ntls:\n");
    cl_setting_print_fields(out, tls_fields, COUNT(tls_fields));
    (void)fprintf(out, "\nstore:\n");
    cl_setting_print_fields(out, store_fields, COUNT(store_fields));
    config_authorities_print_fields(out);
    config_inboxes_print_fields(out);
}

/* -- Closer looks -------------------------------------------------------------------------------------------- */

static struct cl_status check_party(const struct config *config, const struct cl_setting *root,
                                    struct cl_setting_error *error)
{
    if (cl_party_kind(config->party) != CL_PARTY_FUND) {
        return cl_setting_refuse(error, cl_setting_find(root, "party"),
                                 "expected the id of a fund centre, fund:<a-z, 0-9 and '-'>");
    }
    if (!cl_environment_valid(config->environment)) {
        return cl_setting_refuse(error, cl_setting_find(root, "environment"), "expected prod, test or conf/<run>");
    }
    if (config->accept_synthetic_ids && strcmp(config->environment, "prod") == 0) {
        return cl_setting_refuse(error, cl_setting_find(root, "accept_synthetic_ids"),
                                 "must be false in prod: ID numbers of area 99 belong to nobody");
    }
    if (!config->rules_signed && strcmp(config->environment, "prod") == 0) {
        const struct cl_setting *setting = cl_setting_find(root, "rules_signed");
        return cl_setting_refuse(error, setting == NULL ? root : setting,
                                 "rules_signed must be true in prod: the centre signs the rules it lends by");
    }
    return cl_ok();
}

static struct cl_status read_directory_key(struct config *config, const struct file *file,
                                           const struct cl_setting *root, struct cl_setting_error *error)
{
    struct cl_public_key *key = &config->directory_key;
    if (cl_failed(cl_hex_decode(key->bytes, sizeof key->bytes, file->directory_key)) || !cl_public_key_strong(key)) {
        return cl_setting_refuse(error, cl_setting_find(root, "directory_key"),
                                 "expected an Ed25519 public key of 64 hex digits; `coloan keys show` prints it");
    }
    return cl_ok();
}

static struct cl_status read_rules(struct config *config, const struct cl_setting *list, struct cl_setting_error *error)
{
    const struct cl_setting_field path = {
        .name = "rules", .type = CL_SETTING_PATH, .min = 1, .max = 4096, .doc = "Path of a rule set."};
    for (size_t i = 0; i < cl_setting_count(list); i++) {
        struct cl_status status = cl_setting_value(&config->rules[i], cl_setting_at(list, i), &path, error);
        if (cl_failed(status)) {
            return status;
        }
    }
    config->rule_count = cl_setting_count(list);
    return cl_ok();
}

static struct cl_status read_registry(struct polling_plan *out, const struct cl_setting *section,
                                      struct cl_setting_error *error)
{
    struct registry registry;
    struct source_hours hours;
    struct cl_status status = cl_setting_read(&registry, section, registry_fields, COUNT(registry_fields), error);
    if (cl_failed(status)) {
        return status;
    }
    if (cl_failed(source_hours_read(&hours, registry.hours, NULL)) || hours.opens_minute > hours.closes_minute) {
        return cl_setting_refuse(error, cl_setting_find(section, "hours"),
                                 "expected hours of one day, like 08:30-17:30");
    }
    *out = (struct polling_plan){.opens_ms = hours.opens_minute * MINUTE_MS,
                                 .closes_ms = hours.closes_minute * MINUTE_MS,
                                 .first_ms = registry.first_ms,
                                 .every_ms = registry.every_ms};
    return cl_ok();
}

/* A cluster's address is no path beside the file. */
static struct cl_status read_store(struct config *config, const struct cl_setting *section,
                                   struct cl_setting_error *error)
{
    struct cl_status status = cl_setting_read(config, section, store_fields, COUNT(store_fields), error);
    if (cl_failed(status)) {
        return status;
    }
    const struct cl_setting *database = cl_setting_find(section, "database");
    const char *why = "";
    if (sql_keeps_file(cl_setting_text(database))) {
        return cl_ok();
    }
    config->database = cl_setting_text(database);
    status = sql_check_address(&why, config->database);
    if (cl_failed(status)) {
        return cl_setting_refuse(error, database, "%s", why);
    }
    return config->archive == NULL ? status
                                   : cl_setting_refuse(error, cl_setting_find(section, "archive"),
                                                       "only for a database that is a file; a cluster archives its own "
                                                       "log: archive_mode, pgBackRest");
}

static struct cl_status read_file(struct config *out, const struct cl_setting *root, struct cl_setting_error *error)
{
    struct file file = {0};
    struct cl_status status = cl_setting_read(&file, root, file_fields, COUNT(file_fields), error);
    if (cl_is_ok(status)) {
        status = check_party(&file.config, root, error);
    }
    if (cl_is_ok(status)) {
        status = read_directory_key(&file.config, &file, root, error);
    }
    if (cl_is_ok(status)) {
        status = read_rules(&file.config, file.rules, error);
    }
    if (cl_is_ok(status)) {
        status = config_authorities_read(&file.config, file.authorities, file.items_unused, error);
    }
    if (cl_is_ok(status)) {
        status = read_registry(&file.config.registry, file.registry, error);
    }
    if (cl_is_ok(status)) {
        status = config_inboxes_read(&file.config, file.inboxes, error);
    }
    if (cl_is_ok(status)) {
        status = cl_setting_read(&file.config, file.tls, tls_fields, COUNT(tls_fields), error);
    }
    if (cl_is_ok(status)) {
        status = read_store(&file.config, file.store, error);
    }
    *out = file.config;
    return status;
}

struct cl_status config_load(struct config *out, const char *path, struct cl_setting_error *error)
{
    struct cl_settings *settings = NULL;
    struct cl_status status = cl_settings_load(&settings, path, error);
    if (cl_failed(status)) {
        return status;
    }
    struct config config;
    status = read_file(&config, cl_settings_root(settings), error);
    if (cl_failed(status)) {
        config_authorities_free(&config);
        cl_settings_free(settings);
        return status;
    }
    config.settings = settings;
    *out = config;
    for (size_t i = 0; i < out->authority_count; i++) { /* only here do the tokens stand where they stay */
        out->authorities[i].bearer_token = out->tokens[i][0] == '\0' ? NULL : out->tokens[i];
    }
    explicit_bzero(config.tokens, sizeof config.tokens);
    return cl_ok();
}

void config_free(struct config *config)
{
    config_authorities_free(config);
    cl_settings_free(config->settings);
    config->settings = NULL;
    explicit_bzero(config->tokens, sizeof config->tokens);
}
