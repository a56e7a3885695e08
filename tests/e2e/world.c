#include "tests/e2e/world.h"

#include <arpa/inet.h>
#include <assert.h>
#include <coloan/v1/verification.pb-c.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcoloan/date.h"
#include "libcoloan/json.h"
#include "libcoloan/log.h"
#include "libcoloan/personal.h"
#include "sandbox/submission.h"
#include "server/vault/vault.h"
#include "tests/support/postgres.h"

static void must(struct cl_status status, const char *what)
{
    if (cl_failed(status)) {
        (void)fprintf(stderr, "world: %s: %s\n", what, cl_status_name(status));
        abort();
    }
}

/* Whose clock dates submissions and reports: a process has one world. */
static const struct world *only_world;

/* -- Clock --------------------------------------------------------------------------------------------------- */

static int64_t unix_ms(void *user)
{
    const struct world *world = user;
    return cl_clock_unix_ms(cl_clock_system()) + __atomic_load_n(&world->ahead_ms, __ATOMIC_RELAXED);
}

static int64_t server_unix_ms(void *user)
{
    const struct world *world = user;
    int64_t stands_ms = __atomic_load_n(&world->server_stands_ms, __ATOMIC_RELAXED);
    return stands_ms != 0 ? stands_ms : unix_ms(user) + __atomic_load_n(&world->server_ahead_ms, __ATOMIC_RELAXED);
}

static int64_t monotonic_ms(void *user)
{
    (void)user;
    return cl_clock_monotonic_ms(cl_clock_system());
}

static int64_t server_monotonic_ms(void *user)
{
    const struct world *world = user;
    return monotonic_ms(user) + __atomic_load_n(&world->server_elapsed_ms, __ATOMIC_RELAXED);
}

int64_t world_now_ms(const struct world *world)
{
    return cl_clock_unix_ms(&world->clock);
}

/* -- Files --------------------------------------------------------------------------------------------------- */

static void write_file(const struct world *world, const char *name, const void *data, size_t len)
{
    const char *path = pki_files_path(&world->files, name);
    FILE *file = fopen(path, "wbe");
    assert(file != NULL);
    size_t written = fwrite(data, 1, len, file);
    int closed = fclose(file);
    assert(written == len && closed == 0);
    closed = chmod(path, 0600);
    assert(closed == 0);
}

/* A PKCS#8 file for a key whose seed is one byte repeated: public, never to be used for anything real. */
static void write_key(const struct world *world, const char *name, uint8_t seed)
{
    uint8_t der[48] = {0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20};
    memset(der + 16, seed, 32);
    char base64[sodium_base64_ENCODED_LEN(sizeof der, sodium_base64_VARIANT_ORIGINAL)];
    char pem[256];
    (void)sodium_bin2base64(base64, sizeof base64, der, sizeof der, sodium_base64_VARIANT_ORIGINAL);
    int len = snprintf(pem, sizeof pem, "-----BEGIN PRIVATE KEY-----\n%s\n-----END PRIVATE KEY-----\n", base64);
    write_file(world, name, pem, (size_t)len);
}

static const struct {
    const char *file, *party;
    Coloan__V1__KeyPurpose purpose;
} keys[WORLD_KEY_COUNT] = {
    [WORLD_KEY_DIRECTORY] = {"directory.key", WORLD_CENTRE, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_DIRECTORY},
    [WORLD_KEY_CENTRE] = {"centre.key", WORLD_CENTRE, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN},
    [WORLD_KEY_ALPHA] = {"alpha-sign.key", WORLD_ALPHA, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN},
    [WORLD_KEY_BETA] = {"beta-sign.key", WORLD_BETA, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN},
    [WORLD_KEY_OFFICER] = {"officer-sign.key", WORLD_OFFICER, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN},
    [WORLD_KEY_CHANNEL] = {"channel-sign.key", WORLD_CHANNEL, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN},
    [WORLD_KEY_FUND] = {"fund-sign.key", WORLD_FUND, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN},
    [WORLD_KEY_SECOND] = {"second-sign.key", WORLD_SECOND, COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN},
};

static void make_directory(struct world *world)
{
    struct cl_arena *arena = NULL;
    must(cl_arena_create(&arena, 1 << 20), "arena");
    int64_t now_ms = world_now_ms(world);
    struct cl_key described[WORLD_KEY_COUNT];
    size_t count = 0;
    for (int i = 0; i < WORLD_KEY_COUNT; i++) {
        write_key(world, keys[i].file, (uint8_t)(0x40 + i));
        must(cl_signer_load(&world->signers[i], pki_files_path(&world->files, keys[i].file), keys[i].party), "key");
        if (i != WORLD_KEY_DIRECTORY) {
            cl_key_describe(&described[count++], world->signers[i], keys[i].purpose, "test", now_ms - INT64_C(86400000),
                            now_ms + INT64_C(900) * 86400000);
        }
    }
    struct cl_directory directory = {
        .number = 1, .environment = "test", .issued_ms = now_ms, .keys = described, .key_count = count};
    cl_uuid7_make(&directory.message_id, now_ms, cl_random_system());
    struct cl_bytes bytes;
    must(cl_keyring_issue(&bytes, arena, world->signers[WORLD_KEY_DIRECTORY], &directory), "directory");
    write_file(world, "directory.bin", bytes.data, bytes.len);
    struct cl_directory_trust trust = {.public_key = *cl_signer_public_key(world->signers[WORLD_KEY_DIRECTORY]),
                                       .centre = WORLD_CENTRE,
                                       .environment = "test"};
    must(cl_keyring_load(&world->keyring, bytes, &trust, NULL), "keyring");
    cl_arena_free(arena);
}

/* The rules of REF-NJ-2026-11 under another name, from `days` after today on. */
static void write_rules(const struct world *world, const char *id, int days, bool in_flight_choice)
{
    char name[64];
    char line[512];
    bool choice = false;
    FILE *from = fopen(COLOAN_SOURCE_DIR "/rules/REF-NJ-2026-11.yaml", "re");
    (void)snprintf(name, sizeof name, "%s.yaml", id);
    FILE *to = fopen(pki_files_path(&world->files, name), "we");
    assert(from != NULL && to != NULL);
    while (fgets(line, sizeof line, from) != NULL) {
        if (strncmp(line, "id:", 3) == 0) {
            (void)fprintf(to, "id: %s\n", id);
        } else if (strncmp(line, "effective_from:", 15) == 0) {
            (void)fprintf(to, "effective_from: %d\n", cl_date_from_ms(world_now_ms(world) + days * INT64_C(86400000)));
        } else if (strncmp(line, "in_flight_choice:", 17) == 0) {
            choice = true;
            (void)fprintf(to, "in_flight_choice: %s\n", in_flight_choice ? "true" : "false");
        } else {
            (void)fputs(line, to);
        }
    }
    assert(choice);
    (void)fclose(from);
    int closed = fclose(to);
    assert(closed == 0);
}

static void make_database(struct world *world, const char *address)
{
    struct postgres_server server;
    if (address != NULL) {
        (void)snprintf(world->database, sizeof world->database, "%s", address);
    } else if (postgres_server_shared(&server)) {
        postgres_database_create(world->database, &server);
        world->drops_database = true;
    } else {
        (void)snprintf(world->database, sizeof world->database, "coloan.db");
    }
}

const char *world_database(const struct world *world)
{
    return world->config.database;
}

bool world_on_file(const struct world *world)
{
    return strcmp(world->database, "coloan.db") == 0;
}

static void make_config(struct world *world, const struct world_options *options)
{
    char hex[2 * CL_PUBLIC_KEY_BYTES + 1];
    cl_hex_encode(hex, cl_bytes(cl_signer_public_key(world->signers[WORLD_KEY_DIRECTORY])->bytes, CL_PUBLIC_KEY_BYTES));
    int timeout_ms = options->authority_timeout_ms == 0 ? 300 : (int)options->authority_timeout_ms;
    char text[4096];
    if (options->later_rules) {
        write_rules(world, WORLD_LATER_RULES, 1, true);
        write_rules(world, WORLD_LAST_RULES, 2, false);
    }
    int len =
        snprintf(text, sizeof text,
                 "party: " WORLD_CENTRE "\n"
                 "environment: test\n"
                 "accept_synthetic_ids: true\n"
                 "log_level: error\n"
                 "listen: 127.0.0.1:0\n"
                 "metrics: 127.0.0.1:0\n"
                 "signing_key: centre.key\n"
                 "directory: directory.bin\n"
                 "directory_key: %s\n"
                 "tls: {certificate: server.pem, key: server.key, ca: ca.pem, crl: crl.pem}\n"
                 "store: {database: \"%s\", master_key: master.key%s%s}\n"
                 "rules: [%s/rules/%s.yaml%s]\n"
                 "authorities:\n"
                 "  - name: sandbox\n"
                 "    base_url: http://127.0.0.1:%u\n"
                 "    timeout: %dms\n"
                 "    attempts: 2\n"
                 "    items: [IDENTITY, MARRIAGE, CHILDREN, CONTRIBUTION, LOAN_HISTORY, FRAUD_LIST, CREDIT_FUND,"
                 " FACE, ID_DOCUMENT, MARRIAGE_PAIR,"
                 " CONTRIBUTION_OFFSITE, COURT_LIST, MORTGAGES, DOWN_PAYMENT, EMPLOYER, ACCOUNT]\n"
                 "  - name: housing\n"
                 "    base_url: http://127.0.0.1:%u\n"
                 "    timeout: %dms\n"
                 "    attempts: 2\n"
                 "    items: [HOME_COUNT, HOME_CONTRACT, GREEN_BUILDING, PROJECT, COMPLETION_FILING,"
                 " SUPERVISION_ACCOUNT, PROPERTY_RIGHT, APPRAISAL, REGISTRATION]\n"
                 "    %s\n"
                 "%s",
                 hex, world->database, options->store == NULL ? "" : ", ", options->store == NULL ? "" : options->store,
                 COLOAN_SOURCE_DIR, options->rules == NULL ? "REF-NJ-2026-11" : options->rules,
                 options->later_rules ? ", " WORLD_LATER_RULES ".yaml, " WORLD_LAST_RULES ".yaml" : "",
                 authorities_port(world->authorities), timeout_ms, authorities_port(world->authorities), timeout_ms,
                 options->housing == NULL ? "" : options->housing, options->extra == NULL ? "" : options->extra);
    assert(len > 0 && (size_t)len < sizeof text);
    write_file(world, "coloand.yaml", text, (size_t)len);
    struct cl_setting_error error;
    struct cl_status status = config_load(&world->config, pki_files_path(&world->files, "coloand.yaml"), &error);
    if (cl_failed(status)) {
        (void)fprintf(stderr, "world: %s\n", error.text);
        abort();
    }
}

/* -- Life ---------------------------------------------------------------------------------------------------- */

static void note_failure(void *user)
{
    atomic_store((atomic_bool *)user, true);
}

static struct cl_status start(struct world *world, struct cl_setting_error *error)
{
    struct coloand_options options = {
        .config = &world->config, .clock = &world->server_clock, .failed = note_failure, .user = &world->store_failed};
    atomic_store(&world->store_failed, false);
    return coloand_start(&world->server, &options, error);
}

struct cl_status world_try_start(struct world *world)
{
    struct cl_setting_error error;
    return start(world, &error);
}

void world_start(struct world *world)
{
    struct cl_setting_error error;
    struct cl_status status = start(world, &error);
    if (cl_failed(status)) {
        (void)fprintf(stderr, "world: %s\n", error.text);
        abort();
    }
}

void world_prepare(struct world *world, const struct world_options *options)
{
    memset(world, 0, sizeof *world);
    only_world = world;
    world->clock = (struct cl_clock){.unix_ms = unix_ms, .monotonic_ms = monotonic_ms, .user = world};
    world->server_clock =
        (struct cl_clock){.unix_ms = server_unix_ms, .monotonic_ms = server_monotonic_ms, .user = world};
    int made = pki_files_create(&world->files);
    assert(made == 0);
    cl_log_set_level(CL_LOG_ERROR);
    struct sandbox_problem problem;
    must(people_load(&world->people, COLOAN_SOURCE_DIR "/sandbox/personas.yaml", &problem), "personas");
    struct authorities_options authorities = {.delay_ms = options->authority_delay_ms, .clock = &world->clock};
    must(authorities_start(&world->authorities, world->people, &authorities), "authorities");
    must(vault_key_generate(pki_files_path(&world->files, "master.key")), "master key");
    make_directory(world);
    make_database(world, options->database);
    make_config(world, options);
}

/* A batch takes some milliseconds, so the turn is looked for often. */
static void *cut_transactions(void *argument)
{
    static const char text[] = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' AND"
                               " mode = 'ExclusiveLock' AND granted AND database ="
                               " (SELECT oid FROM pg_database WHERE datname = current_database())";
    struct world *world = argument;
    while (!atomic_load(&world->over)) {
        long cut = postgres_run(world->database, text);
        atomic_fetch_add(&world->cut_count, cut);
        (void)usleep(cut > 0 ? 150 * 1000 : 2 * 1000);
    }
    return NULL;
}

void world_open(struct world *world, const struct world_options *options)
{
    world_prepare(world, options);
    world_start(world);
    if (getenv("COLOAN_TEST_CUTS") != NULL && !world_on_file(world)) {
        world->cuts = pthread_create(&world->cutter, NULL, cut_transactions, world) == 0;
        assert(world->cuts);
    }
}

const char *world_config_path(const struct world *world)
{
    return pki_files_path(&world->files, "coloand.yaml");
}

void world_stop(struct world *world)
{
    coloand_stop(world->server);
    world->server = NULL;
}

void world_restart(struct world *world)
{
    world_stop(world);
    world_start(world);
}

void world_close(struct world *world)
{
    if (world->cuts) {
        atomic_store(&world->over, true);
        (void)pthread_join(world->cutter, NULL);
        (void)printf("%ld transactions were cut\n", atomic_load(&world->cut_count));
        assert(atomic_load(&world->cut_count) > 0);
    }
    coloand_stop(world->server);
    if (world->drops_database) {
        postgres_database_drop(world->database);
    }
    config_free(&world->config);
    authorities_stop(world->authorities);
    people_free(world->people);
    cl_keyring_unref(world->keyring);
    for (int i = 0; i < WORLD_KEY_COUNT; i++) {
        cl_signer_free(world->signers[i]);
    }
    pki_files_remove(&world->files);
}

const char *world_target(const struct world *world)
{
    static char target[32];
    (void)snprintf(target, sizeof target, "127.0.0.1:%u", coloand_port(world->server));
    return target;
}

struct cl_rpc_client *world_raw_client(const struct world *world, const char *certificate)
{
    return world_raw_client_at(world, world_target(world), certificate);
}

struct cl_rpc_client *world_raw_client_at(const struct world *world, const char *target, const char *certificate)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s.pem", certificate);
    char *ca = pki_files_text(&world->files, "ca.pem");
    char *cert = pki_files_text(&world->files, name);
    (void)snprintf(name, sizeof name, "%s.key", certificate);
    char *key = pki_files_text(&world->files, name);
    struct cl_rpc_client_options options = {
        .target = target, .ca_pem = ca, .cert_pem = cert, .key_pem = key, .server_name = "localhost"};
    struct cl_rpc_client *client = NULL;
    must(cl_rpc_client_create(&client, &options), "client");
    free(ca);
    free(cert);
    free(key);
    return client;
}

char *world_http_get(const struct world *world, const char *path)
{
    enum { ANSWER_BYTES_MAX = 1 << 20 };
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(coloand_metrics_port(world->server)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(fd >= 0);
    int connected = connect(fd, (const struct sockaddr *)&address, sizeof address);
    assert(connected == 0);
    char request[128];
    int len = snprintf(request, sizeof request, "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", path);
    ssize_t written = write(fd, request, (size_t)len);
    assert(written == len);
    char *answer = calloc(1, ANSWER_BYTES_MAX);
    assert(answer != NULL);
    size_t held = 0;
    for (ssize_t got = 1; got > 0 && held < ANSWER_BYTES_MAX - 1; held += (size_t)(got > 0 ? got : 0)) {
        got = read(fd, answer + held, ANSWER_BYTES_MAX - 1 - held);
    }
    (void)close(fd);
    const char *body = strstr(answer, "\r\n\r\n");
    assert(body != NULL);
    memmove(answer, body + 4, strlen(body + 4) + 1);
    return answer;
}

struct cl_session *world_session(const struct world *world, const char *certificate, enum world_key key)
{
    return world_session_at(world, world_target(world), certificate, key);
}

struct cl_session *world_session_at_by(const struct world *world, const struct cl_clock *clock, const char *target,
                                       const char *certificate, enum world_key key)
{
    char name[64];
    char *ca = pki_files_text(&world->files, "ca.pem");
    (void)snprintf(name, sizeof name, "%s.pem", certificate);
    char *cert = pki_files_text(&world->files, name);
    (void)snprintf(name, sizeof name, "%s.key", certificate);
    char *tls_key = pki_files_text(&world->files, name);
    struct cl_session_options options = {
        .target = target,
        .server_name = "localhost",
        .ca_pem = ca,
        .cert_pem = cert,
        .key_pem = tls_key,
        .signer = world->signers[key],
        .keyring = world->keyring,
        .directory_key = *cl_signer_public_key(world->signers[WORLD_KEY_DIRECTORY]),
        .clock = clock,
    };
    struct cl_session *session = NULL;
    must(cl_session_create(&session, &options), "session");
    free(ca);
    free(cert);
    free(tls_key);
    return session;
}

struct cl_session *world_session_at(const struct world *world, const char *target, const char *certificate,
                                    enum world_key key)
{
    return world_session_at_by(world, &world->clock, target, certificate, key);
}

struct cl_session *world_session_by(const struct world *world, const struct cl_clock *clock, const char *certificate,
                                    enum world_key key)
{
    return world_session_at_by(world, clock, world_target(world), certificate, key);
}

/* -- Submissions --------------------------------------------------------------------------------------------- */

void world_submission(struct world_submission *out, struct cl_arena *arena, const json_t *persona, const char *bank,
                      const char *external_ref)
{
    struct submission_options options = {
        .bank = bank, .fund = WORLD_CENTRE, .external_ref = external_ref, .now_ms = world_now_ms(only_world)};
    json_t *made = submission_make_application(persona, &options);
    char *text = json_dumps(json_object_get(made, "application"), 0);
    ProtobufCMessage *message = NULL;
    struct cl_json_error error;
    struct cl_status status =
        cl_json_parse(&message, arena, &coloan__v1__application__descriptor, cl_bytes_text(text), &error);
    if (cl_failed(status)) {
        (void)fprintf(stderr, "world: %s\n", error.text);
        abort();
    }
    free(text);
    out->application = (Coloan__V1__Application *)message;
    json_t *personal = json_object_get(made, "personal");
    out->disclosure_count = 0;
    out->disclosures = cl_arena_array(arena, json_object_size(personal), sizeof *out->disclosures);
    const char *path = NULL;
    json_t *value = NULL;
    json_object_foreach(personal, path, value)
    {
        must(cl_personal_commit(&out->disclosures[out->disclosure_count++], arena, out->application, path,
                                cl_bytes_text(json_string_value(value)), cl_random_system()),
             "disclosure");
    }
    json_decref(made);
}

struct cl_session_call world_submit_call(const struct world_submission *submission)
{
    return (struct cl_session_call){
        .method = "coloan.v1.JointApproval/SubmitApplication",
        .body = &submission->application->base,
        .reply_type = &coloan__v1__application_receipt__descriptor,
        .disclosures = submission->disclosures,
        .disclosure_count = submission->disclosure_count,
    };
}

Coloan__V1__VerificationReport *world_bank_report(struct cl_arena *arena, const json_t *persona)
{
    json_t *made = submission_make_bank_report(persona, world_now_ms(only_world));
    char *text = json_dumps(made, 0);
    ProtobufCMessage *message = NULL;
    must(cl_json_parse(&message, arena, &coloan__v1__verification_report__descriptor, cl_bytes_text(text), NULL),
         "report");
    free(text);
    json_decref(made);
    return (Coloan__V1__VerificationReport *)message;
}
