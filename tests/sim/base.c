#include "tests/sim/base.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcoloan/date.h"
#include "libcoloan/log.h"
#include "server/rulebook.h"
#include "server/store/store.h"
#include "server/vault/vault.h"
#include "tests/support/power_vfs.h"

enum { ARENA_BYTES = 1 << 20 };

static const struct {
    const char *party;
    Coloan__V1__KeyPurpose purpose;
} roles[ROLE_COUNT] = {
    [ROLE_DIRECTORY] = {"fund:cn-nj-prov", COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_DIRECTORY},
    [ROLE_CENTRE] = {"fund:cn-nj-prov", COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN},
    [ROLE_CHANNEL] = {"channel:cn-app-js", COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN},
    [ROLE_OFFICER] = {"officer:cn-nj-prov-07", COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN},
    [ROLE_ALPHA] = {"bank:cn-alpha-js", COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN},
    [ROLE_BETA] = {"bank:cn-beta-js", COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN},
    [ROLE_GAMMA] = {"bank:cn-gamma-js", COLOAN__V1__KEY_PURPOSE__KEY_PURPOSE_SIGN},
};

static void must(struct cl_status status, const char *what)
{
    if (cl_failed(status)) {
        (void)fprintf(stderr, "sim: %s: %s\n", what, cl_status_name(status));
        abort();
    }
}

const char *base_party(enum role role)
{
    return roles[role].party;
}

/* -- Chance -------------------------------------------------------------------------------------------------- */

/* libsodium takes its implementation without a user. */
static struct dice *sodium_dice;

static const char *chance_name(void)
{
    return "sim";
}

static uint32_t chance_u32(void)
{
    return (uint32_t)dice_next(sodium_dice);
}

static void chance_fill(void *const out, const size_t len)
{
    dice_fill(sodium_dice, out, len);
}

static void take_chance(struct dice *chance)
{
    static randombytes_implementation chances = {
        .implementation_name = chance_name, .random = chance_u32, .buf = chance_fill};
    sodium_dice = chance;
    int set = randombytes_set_implementation(&chances);
    assert(set == 0 && sodium_init() >= 0);
}

/* -- Keys and rules ------------------------------------------------------------------------------------------ */

static void make_keys(struct base *base)
{
    struct cl_arena *arena = NULL;
    struct cl_key keys[ROLE_COUNT];
    struct dice dice;
    dice_init(&dice, 1);
    struct cl_random random = dice_random(&dice);
    must(cl_arena_create(&arena, ARENA_BYTES), "arena");
    size_t count = 0;
    for (int i = 0; i < ROLE_COUNT; i++) {
        uint8_t seed[CL_KEY_SEED_BYTES];
        memset(seed, 0x60 + i, sizeof seed); /* public, and never to be used for anything real */
        must(cl_signer_from_seed(&base->signers[i], seed, roles[i].party), "key");
        if (i != ROLE_DIRECTORY) {
            cl_key_describe(&keys[count++], base->signers[i], roles[i].purpose, BASE_ENVIRONMENT,
                            BASE_START_MS - 30 * BASE_DAY_MS, BASE_START_MS + CL_KEY_LIFE_DAYS_MAX / 2 * BASE_DAY_MS);
        }
    }
    struct cl_directory directory = {
        .number = 1, .environment = BASE_ENVIRONMENT, .issued_ms = BASE_START_MS, .keys = keys, .key_count = count};
    cl_uuid7_make(&directory.message_id, BASE_START_MS, &random);
    struct cl_bytes bytes;
    must(cl_keyring_issue(&bytes, arena, base->signers[ROLE_DIRECTORY], &directory), "directory");
    struct cl_directory_trust trust = {.public_key = *cl_signer_public_key(base->signers[ROLE_DIRECTORY]),
                                       .centre = roles[ROLE_CENTRE].party,
                                       .environment = BASE_ENVIRONMENT};
    must(cl_keyring_load(&base->keyring, bytes, &trust, NULL), "keyring");
    cl_arena_free(arena);
}

/* The reference rules, and the same again under a later name. */
static void make_rules(struct base *base)
{
    const char *const path = COLOAN_SOURCE_DIR "/rules/REF-NJ-2026-11.yaml";
    struct rulebook book;
    struct cl_setting_error error;
    must(rulebook_load(&book, &path, 1, NULL, &error), "rules");
    base->rules[0] = base->rules[1] = book.sets[0];
    (void)snprintf(base->rules[1].id, sizeof base->rules[1].id, "%s", BASE_LATER_RULES);
    base->rules[1].effective_from = cl_date_from_ms(BASE_START_MS + BASE_DAY_MS);
    base->rules[1].in_flight_choice = true;
    base->rules[1].digest.bytes[0] ^= 1;
    rulebook_free(&book);
}

/* -- The disk ------------------------------------------------------------------------------------------------ */

static int64_t start_ms(void *user)
{
    (void)user;
    return BASE_START_MS;
}

static void make_database(struct base *base)
{
    static const struct cl_clock stopped = {.unix_ms = start_ms, .monotonic_ms = start_ms};
    struct store *store = NULL;
    struct store_options options = {.address = base->database, .by_hand = true, .free_bytes_min = 1, .clock = &stopped};
    power_vfs_install();
    must(store_open(&store, &options), "database");
    store_close(store);
    base->disk = power_disk_copy(power_vfs_disk());
}

/* -- Life ---------------------------------------------------------------------------------------------------- */

void base_open(struct base *out, struct dice *chance)
{
    *out = (struct base){.folder = "/tmp/coloan-sim-XXXXXX"};
    cl_log_set_level(CL_LOG_NONE); /* the disk fails on purpose */
    take_chance(chance);
    const char *made = mkdtemp(out->folder);
    assert(made != NULL);
    (void)snprintf(out->master_key, sizeof out->master_key, "%s/master.key", out->folder);
    (void)snprintf(out->database, sizeof out->database, "%s/coloan.db", out->folder);
    must(vault_key_generate(out->master_key), "master key");
    struct sandbox_problem problem;
    must(people_load(&out->people, COLOAN_SOURCE_DIR "/sandbox/personas.yaml", &problem), "personas");
    make_keys(out);
    make_rules(out);
    make_database(out);
}

void base_close(struct base *base)
{
    cl_keyring_unref(base->keyring);
    for (int i = 0; i < ROLE_COUNT; i++) {
        cl_signer_free(base->signers[i]);
    }
    people_free(base->people);
    power_disk_free(base->disk);
    power_vfs_remove();
    char lock[sizeof base->database + sizeof ".lock"];
    (void)snprintf(lock, sizeof lock, "%s.lock", base->database);
    (void)unlink(lock);
    (void)unlink(base->database);
    (void)unlink(base->master_key);
    (void)rmdir(base->folder);
}
