/* config.h - the server's configuration file: what stands in it, read and checked.
 *
 * Owner: config_free; everything in it is borrowed from the settings it keeps. Start-up thread. Fails: CONFIG_INVALID
 * with file, line, field and mend in `error`. */
#ifndef COLOAN_SERVER_CONFIG_H
#define COLOAN_SERVER_CONFIG_H

#include "libcoloan/settings.h"
#include "libcoloan/signer.h"
#include "server/domain/polling.h"
#include "server/push/callbacks.h"
#include "server/rulebook.h"
#include "server/source/source.h"

#define CONFIG_TOKEN_BYTES_MAX 1024

struct config {
    struct cl_settings *settings;

    const char *party, *environment;
    bool accept_synthetic_ids;
    int log_level; /* enum cl_log_level */

    const char *listen;
    const char *certificate, *key, *ca, *intermediates, *crl, *deny_list; /* intermediates, deny_list NULL: none */
    const char *signing_key, *directory;
    const char *directory_signing_key; /* NULL: directories are issued offline */
    int64_t key_overlap_ms;
    const char *authorisation_ca; /* NULL: letters are not verified */
    struct cl_public_key directory_key;

    const char *database; /* a path, or the address of a cluster (store/sql.h) */
    const char *master_key;
    const char *archive; /* NULL: none; of a file only */
    int64_t log_round_pages, log_restart_pages;
    const char *rules[RULEBOOK_SETS_MAX];
    size_t rule_count;
    bool rules_signed;

    struct source_authority_options authorities[SOURCE_AUTHORITIES_MAX];
    size_t authority_count;
    struct source_item_mapping *mappings[SOURCE_AUTHORITIES_MAX]; /* of each authority; their texts are the settings' */
    uint64_t items_unused;                                        /* bits of enum item */
    char tokens[SOURCE_AUTHORITIES_MAX][CONFIG_TOKEN_BYTES_MAX + 1]; /* wiped by config_free */

    struct polling_plan registry;

    struct callbacks_bank inboxes[CALLBACKS_BANKS_MAX]; /* of banks that are called */
    size_t inbox_count;

    const char *metrics; /* "127.0.0.1:9464"; NULL: none */
    int64_t poll_threads, calls_per_second, burst, connections_per_party;
    int64_t gather_events, stop_grace_ms;
};

CL_MUST_CHECK struct cl_status config_load(struct config *out, const char *path, struct cl_setting_error *error);
void config_free(struct config *config);

/* All fields with type, range, default and meaning: for --help and the manual. */
void config_print_fields(FILE *out);

#endif
