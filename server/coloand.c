/* Order of making: what is kept (vault, store), who we are (signer, keyring, centre), what decides (rules, cases), who
 * is asked and told (source, push), the way in (api, rpc, gate). Stopping goes the other way round, so that whatever
 * still runs finds everything it needs: the gate takes no more connections; streams are drained; rpc finishes its
 * calls; the source hands back its inquiries; the store writes what is queued; then all is freed. */
#include "server/coloand.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/date.h"
#include "libcoloan/log.h"
#include "libcoloan/rpc.h"
#include "server/api/api.h"
#include "server/authorisation/authorisation.h"
#include "server/domain/rules.h"
#include "server/gate/gate.h"
#include "server/keydir.h"
#include "server/ops/http.h"
#include "server/ops/metrics.h"
#include "server/push/callbacks.h"
#include "server/push/push.h"
#include "server/store/nodes.h"
#include "server/store/store.h"
#include "server/vault/vault.h"
#include "server/watch.h"
#include "server/whole_file.h"

enum {
    ACCEPTS_PER_THREAD = 64,              /* calls arriving at once, per method and poll thread */
    SWEEP_EVERY_MS = 2000,                /* a lost inquiry is taken up again so soon */
    RELOAD_EVERY_MS = 60000,              /* a revocation acts within a minute, also when nobody sends SIGHUP */
    AUTHORISATION_CA_BYTES_MAX = 1 << 20, /* some hundred certificates */
    IDENTITY_BYTES_MAX = 1 << 20          /* as the gate's files */
};

struct coloand {
    const struct config *config;
    const struct cl_clock *clock;
    void (*failed)(void *user);
    void *failed_user;
    atomic_bool serving;

    struct rulebook rules;
    struct vault *vault;
    struct cl_signer *signer;
    struct keydir keydir;
    atomic_bool keys_told; /* another server may have issued a directory */
    struct centre centre;
    struct authorisation *authorisation; /* NULL: letters are not verified */
    struct cases cases;
    char node[NODE_BYTES]; /* "": no other server works on the database */
    struct leaving {
        struct store_command command; /* first: a command is cast back */
        const char *node;
    } leaving;
    struct store *store;
    struct source *source;
    struct push *push;
    _Atomic(struct callbacks *) callbacks; /* NULL: no bank is called */
    struct api *api;
    _Atomic(struct api *) told; /* the api, once it may be told of failures from any thread */
    struct cl_rpc_server *rpc;
    struct gate *gate;
    struct ops_metrics *metrics;
    struct ops_http *http;
    struct watch watch;

    int64_t swept_ms, reloaded_ms;
};

/* -- Errors for the operator --------------------------------------------------------------------------------- */

static struct cl_status explain(struct cl_setting_error *error, struct cl_status status, const char *what,
                                const char *path, const char *mend)
{
    (void)snprintf(error->text, sizeof error->text, "%s%s%s: %s %s", what, path[0] == '\0' ? "" : " ", path,
                   cl_reason_info(status.reason)->text_en, mend);
    return status;
}

/* -- Who we are ---------------------------------------------------------------------------------------------- */

static struct cl_status load_signer(struct cl_signer **out, const struct config *config, struct cl_setting_error *error)
{
    struct cl_status status = cl_signer_load(out, config->signing_key, config->party);
    return cl_is_ok(status) ? status
                            : explain(error, status, "signing_key", config->signing_key,
                                      "`openssl genpkey -algorithm ED25519` makes one.");
}

static struct cl_status make_centre(struct coloand *server, struct cl_setting_error *error)
{
    struct cl_status status = load_signer(&server->signer, server->config, error);
    if (cl_is_ok(status)) {
        status = keydir_open(&server->keydir, server->config, server->clock, server->signer, error);
    }
    server->centre = (struct centre){
        .party = server->config->party,
        .environment = server->config->environment,
        .signer = server->signer,
        .keyrings = server->keydir.slot,
        .directory_signer = server->keydir.issuer,
        .directory_key = server->config->directory_key,
        .key_overlap_ms = server->config->key_overlap_ms,
        .clock = server->clock,
        .random = cl_random_system(),
        .accept_synthetic_ids = server->config->accept_synthetic_ids,
        .items_unused = server->config->items_unused,
        .registry = server->config->registry,
    };
    return status;
}

/* -- What is kept, what decides ------------------------------------------------------------------------------ */

static void store_has_failed(void *user)
{
    struct coloand *server = user;
    atomic_store(&server->serving, false);
    struct api *api = atomic_load(&server->told); /* the store can fail before there is an api */
    if (api != NULL) {
        api_set_serving(api, false);
    }
    cl_log(CL_LOG_ERROR, "coloand.store_failed", cl_log_text("action", "stopping"));
    if (server->failed != NULL) {
        server->failed(server->failed_user);
    }
}

/* What another server on the database told: "open NUMBER PARTY" of a stream, that there is a new directory, or a party for
 * which there is something. */
static void heard(void *user, const char *text)
{
    struct coloand *server = user;
    char party[CL_PARTY_BYTES_MAX + 1] = "";
    uint64_t number = 0;
    bool keys = strcmp(text, CENTRE_TELLS_KEYS) == 0;
    if (keys || text[0] == '\0') {
        atomic_store(&server->keys_told, true);
    }
    if (keys || atomic_load(&server->told) == NULL) {
        return; /* nobody is here yet; whoever comes reads what there is */
    }
    if (sscanf(text, "open %" SCNu64 " %64s", &number, party) == 2) {
        push_fence(server->push, party, number);
        return;
    }
    const char *whose = text[0] == '\0' ? NULL : text;
    struct callbacks *callbacks = atomic_load(&server->callbacks);
    push_look(server->push, whose);
    if (callbacks != NULL) {
        callbacks_notify(callbacks, whose);
    }
}

static struct cl_status attach_vault(void *user, struct store_tx *tx)
{
    return vault_attach(user, tx);
}

static struct cl_status make_store(struct coloand *server, struct cl_setting_error *error)
{
    const struct config *config = server->config;
    struct cl_status status = vault_open(&server->vault, config->master_key);
    if (cl_failed(status)) {
        return explain(error, status, "store.master_key", config->master_key,
                       "`coloand --make-master-key FILE` makes one; its mode has to be 0600.");
    }
    struct store_options options = {.address = config->database,
                                    .archive = {.folder = config->archive},
                                    .round_pages = (size_t)config->log_round_pages,
                                    .restart_pages = (size_t)config->log_restart_pages,
                                    .clock = server->clock,
                                    .heard = heard,
                                    .failed = store_has_failed,
                                    .user = server};
    status = store_open(&server->store, &options);
    if (cl_failed(status)) {
        return explain(
            error, status, "store.database", config->database,
            status.reason == CL_STORE_UNREACHABLE
                ? "The log says what the server answered."
                : "See that the folder exists (store.archive, too), no other coloand runs on it, and it is not from a"
                  " newer version.");
    }
    status = store_run(server->store, attach_vault, server->vault);
    if (cl_failed(status)) {
        return explain(error, status, "store.master_key", config->master_key,
                       status.reason == CL_STATE_CONFLICT
                           ? "A change of the master key was not finished: run --rekey-vault again."
                           : "The database was written with another master key.");
    }
    return keydir_restore(&server->keydir, server->store, error);
}

static struct cl_status check_rules_today(const struct rulebook *rules, const struct cl_clock *clock,
                                          struct cl_setting_error *error)
{
    if (rules_in_force(rules->sets, rules->count, cl_date_from_ms(cl_clock_unix_ms(clock))) == NULL) {
        return explain(error, cl_fail(CL_CONFIG_INVALID), "rules", "",
                       "No rule set is in force today; add the one that is.");
    }
    return cl_ok();
}

static struct cl_status load_rules(struct rulebook *out, const struct config *config, const struct cl_keyring *keyring,
                                   const struct cl_clock *clock, struct cl_setting_error *error)
{
    struct cl_status status =
        rulebook_load(out, config->rules, config->rule_count, config->rules_signed ? keyring : NULL, error);
    return cl_is_ok(status) ? check_rules_today(out, clock, error) : status;
}

static struct cl_status load_authorisation(struct authorisation **out, const struct config *config,
                                           struct cl_setting_error *error)
{
    char *text = NULL;
    if (config->authorisation_ca == NULL) {
        return cl_ok();
    }
    struct cl_status status = whole_file_read_text(&text, config->authorisation_ca, AUTHORISATION_CA_BYTES_MAX);
    if (cl_is_ok(status)) {
        status = authorisation_create(out, text);
    }
    free(text);
    return cl_is_ok(status) ? status
                            : explain(error, status, "authorisation_ca", config->authorisation_ca,
                                      "It has to hold the CAs' certificates, in PEM.");
}

static struct cl_status make_cases(struct coloand *server, struct cl_setting_error *error)
{
    struct cl_keyring *keyring = cl_keyring_slot_take(server->keydir.slot);
    struct cl_status status = load_rules(&server->rules, server->config, keyring, server->clock, error);
    cl_keyring_unref(keyring);
    if (cl_is_ok(status)) {
        status = load_authorisation(&server->authorisation, server->config, error);
    }
    if (!sql_keeps_file(server->config->database)) {
        uint8_t random[sizeof server->node / 2];
        cl_random_fill(cl_random_system(), random, sizeof random);
        cl_hex_encode(server->node, cl_bytes(random, sizeof random));
    }
    server->cases = (struct cases){
        .node = server->node[0] == '\0' ? NULL : server->node,
        .centre = &server->centre,
        .vault = server->vault,
        .authorisation = server->authorisation,
        .rule_sets = server->rules.sets,
        .rule_set_count = server->rules.count,
    };
    return status;
}

/* -- Who is asked and told ----------------------------------------------------------------------------------- */

static struct source_options source_options(const struct config *config, const struct cl_clock *clock)
{
    return (struct source_options){
        .authorities = config->authorities, .authority_count = config->authority_count, .clock = clock};
}

static struct cl_status explain_authorities(struct cl_setting_error *error, struct cl_status status)
{
    return explain(error, status, "authorities", "", "Names are a-z, 0-9 and '-'; URLs are plain.");
}

static struct cl_status make_source(struct coloand *server, struct cl_setting_error *error)
{
    struct source_options options = source_options(server->config, server->clock);
    struct cl_status status = source_create(&server->source, &options);
    if (cl_is_ok(status)) {
        status = source_start(server->source);
    }
    return cl_is_ok(status) ? status : explain_authorities(error, status);
}

static struct cl_status make_push(struct coloand *server)
{
    struct push_options options = {.cases = &server->cases, .store = server->store};
    return push_create(&server->push, &options);
}

/* -- The way in ---------------------------------------------------------------------------------------------- */

static struct cl_status identify(void *user, const char *rpc_peer, char party_out[CL_PARTY_BYTES_MAX + 1])
{
    struct coloand *server = user;
    struct gate_peer peer;
    struct cl_status status = gate_peer(server->gate, rpc_peer, &peer);
    if (cl_failed(status)) {
        return status;
    }
    memcpy(party_out, peer.party, sizeof peer.party);
    return cl_ok();
}

static struct cl_status adopt(int fd, void *user)
{
    struct coloand *server = user;
    return cl_rpc_server_adopt(server->rpc, fd);
}

static void notified(void *user, const char *party)
{
    struct coloand *server = user;
    struct callbacks *callbacks = atomic_load(&server->callbacks);
    if (callbacks != NULL) {
        callbacks_notify(callbacks, party);
    }
}

static struct cl_status make_rpc(struct coloand *server)
{
    struct api_options api = {
        .cases = &server->cases,
        .store = server->store,
        .source = server->source,
        .push = server->push,
        .identity = {.identify = identify, .user = server},
        .listener = {.notified = notified, .user = server},
        .calls_per_second = (uint32_t)server->config->calls_per_second,
        .burst = (uint32_t)server->config->burst,
    };
    struct cl_status status = watch_meter(&api.meter, &server->watch, server->metrics);
    if (cl_is_ok(status)) {
        status = api_create(&server->api, &api);
    }
    if (cl_failed(status)) {
        return status;
    }
    struct cl_rpc_server_options options = {
        .poll_thread_count = (unsigned)server->config->poll_threads,
        .accept_count = ACCEPTS_PER_THREAD,
        .send_queue_max = CL_SEND_QUEUE_MAX,
    };
    options.methods = api_rpc_methods(server->api, &options.method_count);
    status = cl_rpc_server_create(&server->rpc, &options);
    return cl_is_ok(status) ? cl_rpc_server_start(server->rpc) : status;
}

static struct gate_options gate_options(const struct config *config, const struct cl_clock *clock)
{
    struct gate_options options = {
        .address = config->listen,
        .files = {.certificate_path = config->certificate,
                  .key_path = config->key,
                  .ca_path = config->ca,
                  .intermediates_path = config->intermediates,
                  .crl_path = config->crl,
                  .deny_path = config->deny_list},
        .adopt = adopt,
        .clock = clock,
        .limits = gate_limits_default(),
        .gather_events = (unsigned)config->gather_events,
    };
    options.limits.connections_per_party_max = (unsigned)config->connections_per_party;
    return options;
}

static struct cl_status explain_gate(struct cl_setting_error *error, struct cl_status status,
                                     const struct config *config, const struct gate_fault *fault)
{
    struct gate_options options = gate_options(config, NULL);
    const char *path = gate_file_path(&options.files, fault->file);
    (void)snprintf(error->text, sizeof error->text, "%s: %s", path[0] == '\0' ? "listen" : path,
                   fault->text == NULL ? cl_reason_info(status.reason)->text_en : fault->text);
    return status;
}

static struct cl_status make_gate(struct coloand *server, struct cl_setting_error *error)
{
    struct gate_options options = gate_options(server->config, server->clock);
    options.user = server;
    struct gate_fault fault = {GATE_FILE_NONE, NULL};
    struct cl_status status = gate_create(&server->gate, &options, &fault);
    if (cl_is_ok(status)) {
        status = gate_start(server->gate);
    }
    return cl_is_ok(status) ? status : explain_gate(error, status, server->config, &fault);
}

/* -- Banks that are called ------------------------------------------------------------------------------------ */

static bool has_stream(void *user, const char *party)
{
    return push_has_stream(((struct coloand *)user)->push, party);
}

static void call_done(void *user, struct case_effect *effect)
{
    api_carry_out(((struct coloand *)user)->api, effect);
}

/* What the gate shows to parties, we show to their servers. */
struct identity {
    char *files[3];
    struct callbacks_identity texts;
};

static void free_identity(struct identity *identity)
{
    for (size_t i = 0; i < 3; i++) {
        if (identity->files[i] != NULL) {
            explicit_bzero(identity->files[i], strlen(identity->files[i]));
        }
        free(identity->files[i]);
    }
}

static struct cl_status load_identity(struct identity *out, const struct config *config)
{
    const char *const paths[3] = {config->ca, config->certificate, config->key};
    *out = (struct identity){{NULL, NULL, NULL}, {NULL, NULL, NULL}};
    struct cl_status status = cl_ok();
    for (size_t i = 0; cl_is_ok(status) && i < 3; i++) {
        status = whole_file_read_text(&out->files[i], paths[i], IDENTITY_BYTES_MAX);
    }
    out->texts =
        (struct callbacks_identity){.ca_pem = out->files[0], .cert_pem = out->files[1], .key_pem = out->files[2]};
    return status;
}

static struct cl_status make_callbacks(struct coloand *server)
{
    struct identity identity;
    struct callbacks *callbacks = NULL;
    if (server->config->inbox_count == 0) {
        return cl_ok();
    }
    struct cl_status status = load_identity(&identity, server->config);
    if (cl_is_ok(status)) {
        struct callbacks_options options = {.cases = &server->cases,
                                            .store = server->store,
                                            .banks = server->config->inboxes,
                                            .bank_count = server->config->inbox_count,
                                            .identity = identity.texts,
                                            .streams = has_stream,
                                            .done = call_done,
                                            .user = server};
        status = callbacks_create(&callbacks, &options);
    }
    free_identity(&identity);
    atomic_store(&server->callbacks, callbacks);
    return status;
}

static struct cl_status reload_callbacks(struct coloand *server)
{
    struct identity identity;
    struct callbacks *callbacks = atomic_load(&server->callbacks);
    if (callbacks == NULL) {
        return cl_ok();
    }
    struct cl_status status = load_identity(&identity, server->config);
    if (cl_is_ok(status)) {
        status = callbacks_reload(callbacks, &identity.texts);
    }
    free_identity(&identity);
    return status;
}

/* -- Operators ----------------------------------------------------------------------------------------------- */

static bool is_healthy(void *user)
{
    const struct coloand *server = user;
    return server->store != NULL && !store_failed(server->store);
}

static bool is_ready(void *user)
{
    struct coloand *server = user;
    return atomic_load(&server->serving);
}

static struct cl_status make_ops(struct coloand *server, struct cl_setting_error *error)
{
    server->watch.api = server->api;
    server->watch.gate = server->gate;
    server->watch.push = server->push;
    server->watch.callbacks = atomic_load(&server->callbacks);
    server->watch.source = server->source;
    server->watch.store = server->store;
    server->watch.clock = server->clock;
    struct cl_status status = watch_register(&server->watch, server->metrics);
    if (cl_failed(status) || server->config->metrics == NULL) {
        return status;
    }
    struct ops_http_options options = {
        .metrics = server->metrics, .healthy = is_healthy, .ready = is_ready, .user = server};
    char host[64];
    status = watch_address(host, sizeof host, &options.port, server->config->metrics);
    options.address = host;
    if (cl_is_ok(status)) {
        status = ops_http_start(&server->http, &options);
    }
    return cl_is_ok(status) ? status
                            : explain(error, status, "metrics", server->config->metrics,
                                      "Name a loopback address and a free port, e.g. 127.0.0.1:9464.");
}

/* -- Life ---------------------------------------------------------------------------------------------------- */

static struct cl_status make_all(struct coloand *server, struct cl_setting_error *error)
{
    struct cl_status status = make_centre(server, error);
    if (cl_is_ok(status)) {
        status = make_store(server, error);
    }
    if (cl_is_ok(status)) {
        status = make_cases(server, error);
    }
    if (cl_is_ok(status)) {
        status = make_source(server, error);
    }
    if (cl_is_ok(status)) {
        status = make_push(server);
    }
    if (cl_is_ok(status)) {
        status = ops_metrics_create(&server->metrics);
    }
    if (cl_is_ok(status)) {
        status = make_rpc(server);
    }
    if (cl_is_ok(status)) {
        status = make_callbacks(server);
    }
    if (cl_is_ok(status)) {
        status = make_gate(server, error);
    }
    return cl_is_ok(status) ? make_ops(server, error) : status;
}

struct cl_status coloand_start(struct coloand **out, const struct coloand_options *options,
                               struct cl_setting_error *error)
{
    struct coloand *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    server->config = options->config;
    server->clock = options->clock == NULL ? cl_clock_system() : options->clock;
    server->failed = options->failed;
    server->failed_user = options->user;
    error->text[0] = '\0';
    struct cl_status status = make_all(server, error);
    if (cl_failed(status)) {
        if (error->text[0] == '\0') {
            (void)explain(error, status, "start", "", "");
        }
        coloand_stop(server);
        return status;
    }
    atomic_store(&server->serving, true);
    api_set_serving(server->api, true);
    atomic_store(&server->told, server->api);
    if (store_failed(server->store)) {
        api_set_serving(server->api, false); /* it failed a moment before it could tell */
    }
    server->reloaded_ms = cl_clock_monotonic_ms(server->clock);
    (void)cl_is_ok(api_sweep(server->api)); /* the next tick comes soon enough if it is refused */
    (void)cl_is_ok(api_look(server->api));
    *out = server;
    return cl_ok();
}

static struct cl_status check_authorities(const struct config *config, struct cl_setting_error *error)
{
    struct source_options options = source_options(config, cl_clock_system());
    struct source *source = NULL;
    struct cl_status status = source_create(&source, &options);
    source_free(source);
    return cl_is_ok(status) ? status : explain_authorities(error, status);
}

static struct cl_status check_certificates(const struct config *config, struct cl_setting_error *error)
{
    struct gate_options options = gate_options(config, cl_clock_system());
    struct gate_fault fault = {GATE_FILE_NONE, NULL};
    struct cl_status status = gate_check_files(&options.files, options.clock, &fault);
    return cl_is_ok(status) ? status : explain_gate(error, status, config, &fault);
}

struct cl_status coloand_check(const struct config *config, struct cl_setting_error *error)
{
    struct rulebook rules = {NULL, 0};
    struct cl_signer *signer = NULL;
    struct keydir keydir = {.slot = NULL};
    struct cl_keyring *keyring = NULL;
    struct cl_status status = load_signer(&signer, config, error);
    if (cl_is_ok(status)) {
        status = keydir_open(&keydir, config, cl_clock_system(), signer, error);
    }
    if (cl_is_ok(status)) {
        keyring = cl_keyring_slot_take(keydir.slot);
        status = load_rules(&rules, config, keyring, cl_clock_system(), error);
    }
    rulebook_free(&rules);
    cl_keyring_unref(keyring);
    keydir_close(&keydir);
    cl_signer_free(signer);
    struct vault *vault = NULL;
    if (cl_is_ok(status)) {
        status = vault_open(&vault, config->master_key);
        if (cl_failed(status)) {
            (void)explain(error, status, "store.master_key", config->master_key,
                          "`coloand --make-master-key FILE` makes one; its mode has to be 0600.");
        }
    }
    vault_close(vault);
    struct authorisation *authorisation = NULL;
    if (cl_is_ok(status)) {
        status = load_authorisation(&authorisation, config, error);
    }
    authorisation_free(authorisation);
    if (cl_is_ok(status)) {
        status = check_authorities(config, error);
    }
    return cl_is_ok(status) ? check_certificates(config, error) : status;
}

uint16_t coloand_port(const struct coloand *server)
{
    return gate_port(server->gate);
}

uint16_t coloand_metrics_port(const struct coloand *server)
{
    return server->http == NULL ? 0 : ops_http_port(server->http);
}

/* What is left of the one grace, so that callers who say nothing cannot take it three times. */
static uint32_t left_ms(const struct coloand *server, int64_t end_ms)
{
    int64_t now_ms = cl_clock_monotonic_ms(server->clock);
    return now_ms < end_ms ? (uint32_t)(end_ms - now_ms) : 0;
}

static struct cl_status leave(struct store_command *command, struct store_tx *tx)
{
    return nodes_gone(tx, ((struct leaving *)command)->node);
}

static void left(struct store_command *command, struct cl_status status)
{
    (void)command;
    (void)status; /* if it failed, the others find out by the silence */
}

/* The others need not wait for our silence. */
static void say_goodbye(struct coloand *server)
{
    if (server->store != NULL && server->node[0] != '\0') {
        server->leaving = (struct leaving){.command = {.apply = leave, .done = left}, .node = server->node};
        (void)cl_is_ok(store_submit(server->store, &server->leaving.command));
    }
}

void coloand_stop(struct coloand *server)
{
    if (server == NULL) {
        return;
    }
    int64_t end_ms = cl_clock_monotonic_ms(server->clock) + server->config->stop_grace_ms;
    atomic_store(&server->serving, false);
    if (server->gate != NULL) {
        gate_stop_accepting(server->gate, left_ms(server, end_ms));
    }
    if (server->push != NULL) {
        push_stop(server->push);
    }
    struct callbacks *callbacks = atomic_load(&server->callbacks);
    if (callbacks != NULL) {
        callbacks_stop(callbacks);
    }
    if (server->api != NULL) {
        api_stop(server->api);
    }
    if (server->rpc != NULL) {
        cl_rpc_server_stop(server->rpc, left_ms(server, end_ms));
    }
    if (server->gate != NULL) {
        gate_stop(server->gate, left_ms(server, end_ms));
    }
    if (server->source != NULL) {
        source_stop(server->source);
    }
    say_goodbye(server);
    if (server->store != NULL) {
        store_stop(server->store);
    }
    if (server->keydir.slot != NULL) {
        keydir_publish(&server->keydir); /* what was issued since the last tick */
    }
    ops_http_stop(server->http);
    cl_rpc_server_free(server->rpc);
    gate_free(server->gate);
    atomic_store(&server->callbacks, NULL); /* the store writes no more */
    callbacks_free(callbacks);
    api_free(server->api);
    ops_metrics_free(server->metrics); /* the api observes into it to the last */
    push_free(server->push);
    source_free(server->source);
    store_close(server->store);
    rulebook_free(&server->rules);
    authorisation_free(server->authorisation);
    vault_close(server->vault);
    keydir_close(&server->keydir);
    cl_signer_free(server->signer);
    free(server);
}

/* -- While it runs ------------------------------------------------------------------------------------------- */

struct cl_status coloand_reload(struct coloand *server, struct cl_setting_error *error)
{
    server->reloaded_ms = cl_clock_monotonic_ms(server->clock);
    struct gate_fault fault = {GATE_FILE_NONE, NULL};
    struct cl_status status = gate_reload(server->gate, &fault);
    if (cl_failed(status)) {
        (void)explain_gate(error, status, server->config, &fault);
    }
    if (cl_is_ok(status)) {
        status = reload_callbacks(server);
    }
    struct cl_setting_error other;
    struct cl_status directory = keydir_reload(&server->keydir, cl_failed(status) ? &other : error);
    return cl_failed(status) ? status : directory;
}

/* A directory that another server issued. What fails now is tried again with the next tick. */
static void take_over_keys(struct coloand *server)
{
    struct cl_setting_error error;
    if (!atomic_exchange(&server->keys_told, false)) {
        return;
    }
    struct cl_status status = keydir_restore(&server->keydir, server->store, &error);
    if (cl_failed(status)) {
        atomic_store(&server->keys_told, true);
        cl_log(CL_LOG_WARNING, "coloand.keys_not_taken", cl_log_text("reason", cl_status_name(status)));
    }
}

void coloand_tick(struct coloand *server)
{
    take_over_keys(server);
    keydir_publish(&server->keydir);
    int64_t now_ms = cl_clock_monotonic_ms(server->clock);
    if (now_ms - server->swept_ms >= SWEEP_EVERY_MS) {
        server->swept_ms = now_ms;
        (void)cl_is_ok(api_sweep(server->api));
    }
    (void)cl_is_ok(api_look(server->api));
    watch_banks(&server->watch, server->metrics);
    if (now_ms - server->reloaded_ms >= RELOAD_EVERY_MS) {
        struct cl_setting_error error;
        struct cl_status status = coloand_reload(server, &error);
        if (cl_failed(status)) {
            cl_log(CL_LOG_ERROR, "coloand.reload_failed", cl_log_text("error", error.text));
        }
    }
}
