/* Key files, key ids, signatures and what may not pass for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libcoloan/dsse.h"
#include "libcoloan/sha256.h"
#include "libcoloan/signer.h"

#define PARTY "bank:cn-alpha-js"

static struct cl_signer *known_signer(void)
{
    uint8_t seed[CL_KEY_SEED_BYTES];
    struct cl_signer *signer = NULL;
    for (size_t i = 0; i < sizeof seed; i++) {
        seed[i] = (uint8_t)i;
    }
    assert_true(cl_is_ok(cl_signer_from_seed(&signer, seed, PARTY)));
    return signer;
}

static void assert_hex(const void *data, size_t len, const char *hex)
{
    char text[2 * 256 + 1];
    assert_true(len <= 256);
    cl_hex_encode(text, cl_bytes(data, len));
    assert_string_equal(text, hex);
}

/* Covers: COL-ENV-002, COL-ENV-004 */
static void the_known_vector_holds(void **state)
{
    (void)state;
    static const char type[] = "application/vnd.hpf.clp.v1.submit-application+protobuf";
    const uint8_t payload[] = {0x0a, 0x03, 0x61, 0x62, 0x63};
    struct cl_signer *signer = known_signer();
    struct cl_arena *arena = NULL;
    struct cl_bytes pae;
    struct cl_digest digest;
    struct cl_digest streamed;
    struct cl_signature signature;
    assert_true(cl_is_ok(cl_arena_create(&arena, 4096)));
    assert_true(cl_is_ok(cl_dsse_pae(&pae, arena, type, cl_bytes(payload, sizeof payload))));
    cl_sha256(&digest, pae);
    cl_dsse_digest(&streamed, type, cl_bytes(payload, sizeof payload));
    cl_sign(&signature, signer, pae);
    assert_hex(digest.bytes, sizeof digest.bytes, "7659413c56c2fcbdea426ec5ed4705e0ded8ba7a4fe446280fe42ddda23efc96");
    assert_true(cl_digest_equal(&digest, &streamed));
    assert_hex(
        signature.bytes, sizeof signature.bytes,
        "beaf6b16288fd079a4a08225cd5ac49e0103af7134c78bfac7107b774ca4b0999c73ca324573cd31987be0e623b052bef223d0d1"
        "6438ef993292e33b5264fe00");
    assert_true(cl_signature_verify(&signature, cl_signer_public_key(signer), pae));
    assert_hex(cl_signer_public_key(signer)->bytes, CL_PUBLIC_KEY_BYTES,
               "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8");
    assert_string_equal(cl_signer_keyid(signer)->text, "cb39f0f6d246b033068073b728cf5b70");
    assert_string_equal(cl_signer_party(signer), PARTY);
    cl_arena_free(arena);
    cl_signer_free(signer);
    cl_signer_free(NULL);
}

static void a_pae_without_memory_is_told(void **state)
{
    (void)state;
    struct cl_arena *arena = NULL;
    struct cl_bytes pae = {0};
    assert_true(cl_is_ok(cl_arena_create(&arena, 16)));
    assert_int_equal(cl_dsse_pae(&pae, arena, "type", cl_bytes_text("payload")).reason, CL_MEMORY_LIMIT);
    assert_null(pae.data);
    cl_arena_free(arena);
}

/* -- Verification -------------------------------------------------------------------------------------------- */

/* Covers: COL-ENV-004 */
static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    struct cl_signer *signer = known_signer();
    uint8_t message[] = "message";
    struct cl_signature signature;
    cl_sign(&signature, signer, cl_bytes(message, sizeof message));
    for (size_t bit = 0; bit < sizeof signature.bytes * 8; bit++) {
        struct cl_signature wrong = signature;
        wrong.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(cl_signature_verify(&wrong, cl_signer_public_key(signer), cl_bytes(message, sizeof message)));
    }
    for (size_t bit = 0; bit < sizeof message * 8; bit++) {
        message[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(cl_signature_verify(&signature, cl_signer_public_key(signer), cl_bytes(message, sizeof message)));
        message[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < CL_PUBLIC_KEY_BYTES * 8; bit++) {
        struct cl_public_key wrong = *cl_signer_public_key(signer);
        wrong.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_false(cl_signature_verify(&signature, &wrong, cl_bytes(message, sizeof message)));
    }
    assert_true(cl_signature_verify(&signature, cl_signer_public_key(signer), cl_bytes(message, sizeof message)));
    cl_signer_free(signer);
}

/* S + L satisfies the same equation; only its size gives it away. */
/* Covers: COL-KEY-005 */
static void a_malleated_signature_is_refused(void **state)
{
    (void)state;
    static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                      0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10};
    struct cl_signer *signer = known_signer();
    struct cl_signature signature;
    cl_sign(&signature, signer, cl_bytes_text("message"));
    unsigned carry = 0;
    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)signature.bytes[32 + i] + order[i];
        signature.bytes[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(carry, 0);
    assert_false(cl_signature_verify(&signature, cl_signer_public_key(signer), cl_bytes_text("message")));
    cl_signer_free(signer);
}

/* All encodings of the eight points of small order, canonical and not, as key and as R. */
/* Covers: COL-KEY-002, COL-KEY-005 */
static void points_of_small_order_are_refused(void **state)
{
    (void)state;
    static const char *const points[] = {
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    };
    enum { POINT_COUNT = sizeof points / sizeof points[0] };
    for (size_t i = 0; i < POINT_COUNT; i++) {
        struct cl_public_key key;
        assert_true(cl_is_ok(cl_hex_decode(key.bytes, sizeof key.bytes, points[i])));
        assert_false(cl_public_key_strong(&key));
        for (size_t j = 0; j < POINT_COUNT; j++) {
            struct cl_signature signature = {{0}};
            assert_true(cl_is_ok(cl_hex_decode(signature.bytes, 32, points[j])));
            for (unsigned char c = 0; c < 64; c++) {
                assert_false(cl_signature_verify(&signature, &key, cl_bytes(&c, 1)));
            }
        }
    }
}

/* The right point plus a point of order two: verifies nothing that we register. */
/* Covers: COL-KEY-002 */
static void a_key_off_the_main_subgroup_is_weak(void **state)
{
    (void)state;
    struct cl_signer *signer = known_signer();
    struct cl_public_key two = {{0xec, [31] = 0x7f}};
    struct cl_public_key mixed;
    struct cl_public_key no_point = {{2}};
    memset(two.bytes + 1, 0xff, 30);
    assert_true(cl_public_key_strong(cl_signer_public_key(signer)));
    assert_int_equal(crypto_core_ed25519_add(mixed.bytes, cl_signer_public_key(signer)->bytes, two.bytes), 0);
    assert_false(cl_public_key_strong(&mixed));
    assert_false(cl_public_key_strong(&no_point));
    cl_signer_free(signer);
}

/* Covers: COL-KEY-004 */
static void possession_binds_party_environment_and_key(void **state)
{
    (void)state;
    struct cl_signer *signer = known_signer();
    struct cl_signature proof;
    char long_text[128];
    memset(long_text, 'a', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    cl_possession_prove(&proof, signer, "test");
    const struct cl_public_key *key = cl_signer_public_key(signer);
    assert_true(cl_possession_verify(&proof, key, PARTY, "test"));
    assert_false(cl_possession_verify(&proof, key, PARTY, "prod"));
    assert_false(cl_possession_verify(&proof, key, "bank:cn-beta-js", "test"));
    assert_false(cl_possession_verify(&proof, key, PARTY "\n", "test"));
    assert_false(cl_possession_verify(&proof, key, long_text, "test"));
    assert_false(cl_possession_verify(&proof, key, PARTY, long_text));
    static const char text[] = "coloan key possession v1\n" PARTY "\ntest\n";
    uint8_t message[sizeof text - 1 + CL_PUBLIC_KEY_BYTES];
    struct cl_signature expected;
    memcpy(message, text, sizeof text - 1);
    memcpy(message + sizeof text - 1, key->bytes, CL_PUBLIC_KEY_BYTES);
    cl_sign(&expected, signer, cl_bytes(message, sizeof message));
    assert_memory_equal(proof.bytes, expected.bytes, sizeof proof.bytes);
    cl_signer_free(signer);
}

/* -- Files --------------------------------------------------------------------------------------------------- */

#define FOLDER_TEMPLATE "/tmp/coloan-signer-XXXXXX"

static char folder[sizeof FOLDER_TEMPLATE];
static char path[sizeof FOLDER_TEMPLATE + 16];

static int make_folder(void **state)
{
    (void)state;
    memcpy(folder, FOLDER_TEMPLATE, sizeof folder);
    bool made = mkdtemp(folder) != NULL && setenv("KEYS", folder, 1) == 0;
    (void)snprintf(path, sizeof path, "%s/key.pem", folder);
    return made ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return system("rm -r \"$KEYS\"") == 0 ? 0 : -1;
}

static void write_file(const char *text, size_t len)
{
    (void)remove(path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

static void a_key_made_by_openssl_is_read(void **state)
{
    (void)state;
    struct cl_signer *signer = NULL;
    uint8_t der[64];
    assert_int_equal(system("umask 077 && cd \"$KEYS\" && openssl genpkey -algorithm ED25519 -out key.pem && "
                            "openssl pkey -in key.pem -pubout -outform DER -out key.pub"),
                     0);
    assert_int_equal(cl_signer_load(&signer, path, PARTY).reason, CL_OK);
    char public_path[sizeof path];
    (void)snprintf(public_path, sizeof public_path, "%s/key.pub", folder);
    FILE *file = fopen(public_path, "r");
    assert_non_null(file);
    assert_int_equal(fread(der, 1, sizeof der, file), 44); /* 12 bytes of SubjectPublicKeyInfo and the key */
    assert_int_equal(fclose(file), 0);
    assert_memory_equal(der + 12, cl_signer_public_key(signer)->bytes, CL_PUBLIC_KEY_BYTES);
    cl_signer_free(signer);
}

/* Covers: COL-KEY-001 */
static void a_key_file_of_others_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *command;
        enum cl_reason reason;
    } rows[] = {
        {"chmod 600 key.pem", CL_OK},
        {"chmod 400 key.pem", CL_OK},
        {"chmod 640 key.pem", CL_KEY_FILE_MODE},
        {"chmod 604 key.pem", CL_KEY_FILE_MODE},
        {"chmod 620 key.pem", CL_KEY_FILE_MODE},
        {"chmod 700 key.pem", CL_KEY_FILE_MODE},
        {"chmod 600 key.pem; mv key.pem key.old", CL_KEY_FILE_MISSING},
        {"mkdir -m 700 key.pem", CL_KEY_FILE_MODE},
        {"rmdir key.pem; mkfifo -m 600 key.pem", CL_KEY_FILE_MODE},
        {"rm key.pem; ln -s key.pem key.pem", CL_SYSTEM},
        {"rm key.pem; ln -s key.old key.pem", CL_OK},
        {"rm key.pem; mv key.old key.pem", CL_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_signer *signer = NULL;
        char command[256];
        (void)snprintf(command, sizeof command, "cd \"$KEYS\" && %s", rows[i].command);
        assert_int_equal(system(command), 0);
        struct cl_status status = cl_signer_load(&signer, path, PARTY);
        if (status.reason != rows[i].reason) {
            fail_msg("%s: %s", rows[i].command, cl_status_name(status));
        }
        assert_int_equal(signer != NULL, cl_is_ok(status));
        cl_signer_free(signer);
    }
    struct cl_signer *signer = NULL;
    char below[sizeof path + 2];
    (void)snprintf(below, sizeof below, "%s/a", path);
    assert_int_equal(cl_signer_load(&signer, below, PARTY).reason, CL_KEY_FILE_MISSING);
    assert_int_equal(cl_signer_load(&signer, path, "bank").reason, CL_FIELD_INVALID);
}

#define BEGIN "-----BEGIN PRIVATE KEY-----\n"
#define END   "\n-----END PRIVATE KEY-----\n"
/* Seed 00 01 .. 1f: a published test key. */
#define GOOD "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

static void other_contents_are_no_key(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text;
        enum cl_reason reason;
    } rows[] = {
        {"good", BEGIN GOOD END, CL_OK},
        {"no last newline", BEGIN GOOD "\n-----END PRIVATE KEY-----", CL_OK},
        {"two last newlines", BEGIN GOOD END "\n", CL_KEY_FILE_INVALID},
        {"empty", "", CL_KEY_FILE_INVALID},
        {"text before", "x" BEGIN GOOD END, CL_KEY_FILE_INVALID},
        {"another kind", "-----BEGIN PUBLIC KEYXX-----\n" GOOD END, CL_KEY_FILE_INVALID},
        {"another end", BEGIN GOOD "\n-----END PRIVATE KEYX----\n", CL_KEY_FILE_INVALID},
        {"short", BEGIN "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4" END, CL_KEY_FILE_INVALID},
        {"no base64", BEGIN "!C4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f" END,
         CL_KEY_FILE_INVALID},
        {"padded", BEGIN "MC4CAQAwBQYDK2VwBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4=" END, CL_KEY_FILE_INVALID},
        {"X25519", BEGIN "MC4CAQAwBQYDK2VuBCIEIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f" END, CL_KEY_FILE_INVALID},
        {"carriage returns", "-----BEGIN PRIVATE KEY-----\r\n" GOOD END, CL_KEY_FILE_INVALID},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_signer *signer = NULL;
        write_file(rows[i].text, strlen(rows[i].text));
        struct cl_status status = cl_signer_load(&signer, path, PARTY);
        if (status.reason != rows[i].reason) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
        if (cl_is_ok(status)) {
            assert_string_equal(cl_signer_keyid(signer)->text, "cb39f0f6d246b033068073b728cf5b70");
        }
        cl_signer_free(signer);
    }
    char large[4096];
    memset(large, 'a', sizeof large);
    write_file(large, sizeof large);
    struct cl_signer *signer = NULL;
    assert_int_equal(cl_signer_load(&signer, path, PARTY).reason, CL_KEY_FILE_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_known_vector_holds),
        cmocka_unit_test(a_pae_without_memory_is_told),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(a_malleated_signature_is_refused),
        cmocka_unit_test(points_of_small_order_are_refused),
        cmocka_unit_test(a_key_off_the_main_subgroup_is_weak),
        cmocka_unit_test(possession_binds_party_environment_and_key),
        cmocka_unit_test(a_key_made_by_openssl_is_read),
        cmocka_unit_test(a_key_file_of_others_is_refused),
        cmocka_unit_test(other_contents_are_no_key),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
