/* Batch signatures: trees of every small size, and proofs that do not hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "libcoloan/batch.h"
#include "libcoloan/limits.h"
#include "libcoloan/sha256.h"
#include "tests/support/signing.h"

static struct signing signing;
static struct cl_arena *arena;

static int open_all(void **state)
{
    (void)state;
    signing_init(&signing);
    return cl_is_ok(cl_arena_create(&arena, 64 * CL_MESSAGE_ARENA_BYTES_MAX)) ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    cl_arena_free(arena);
    signing_close(&signing);
    return 0;
}

/* RFC 6962, section 2.1, word for word: split at the largest power of two below n. */
static struct cl_digest tree_hash(const struct cl_digest *leaves, size_t n)
{
    const uint8_t one = 1;
    struct cl_sha256 hash;
    struct cl_digest out;
    size_t k = 1;
    if (n == 1) {
        return leaves[0];
    }
    while (k * 2 < n) {
        k *= 2;
    }
    struct cl_digest left = tree_hash(leaves, k);
    struct cl_digest right = tree_hash(leaves + k, n - k);
    cl_sha256_init(&hash);
    cl_sha256_add(&hash, cl_bytes(&one, 1));
    cl_sha256_add(&hash, cl_bytes(left.bytes, sizeof left.bytes));
    cl_sha256_add(&hash, cl_bytes(right.bytes, sizeof right.bytes));
    cl_sha256_finish(&hash, &out);
    return out;
}

/* The PAE of message i is its number here. */
static void leaf_of(struct cl_digest *out, uint32_t i)
{
    const uint8_t pae[] = {(uint8_t)(i >> 8), (uint8_t)i};
    cl_batch_leaf(out, cl_bytes(pae, sizeof pae));
}

struct proof {
    Coloan__V1__BatchProof message;
    ProtobufCBinaryData path[CL_BATCH_DEPTH_MAX + 1];
};

static void proof_init(struct proof *out, struct cl_batch_path *path, size_t count, size_t index)
{
    coloan__v1__batch_proof__init(&out->message);
    for (size_t i = 0; i < path->count; i++) {
        out->path[i] = (ProtobufCBinaryData){.len = CL_DIGEST_BYTES, .data = path->siblings[i].bytes};
    }
    out->path[path->count] = (ProtobufCBinaryData){.len = CL_DIGEST_BYTES, .data = path->siblings[0].bytes};
    out->message.count = (uint32_t)count;
    out->message.index = (uint32_t)index;
    out->message.n_path = path->count;
    out->message.path = out->path;
}

static bool leads_to(const struct proof *proof, uint32_t message, const struct cl_digest *root)
{
    const uint8_t pae[] = {(uint8_t)(message >> 8), (uint8_t)message};
    struct cl_digest got;
    return cl_batch_root(&got, cl_bytes(pae, sizeof pae), &proof->message) && cl_digest_equal(&got, root);
}

/* Covers: COL-BAT-002, COL-BAT-004 */
static void a_tree_is_as_in_rfc_6962_and_every_leaf_leads_to_its_root(void **state)
{
    (void)state;
    static const size_t counts[] = {1,  2,  3,  4,  5,  6,  7,  8,  9,   10,  11,  12,   13,
                                    14, 15, 16, 17, 31, 32, 33, 63, 100, 513, 768, 1023, CL_BATCH_MAX};
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
        static struct cl_digest leaves[CL_BATCH_MAX];
        static struct cl_batch_path paths[CL_BATCH_MAX];
        size_t count = counts[c];
        struct cl_digest root;
        for (uint32_t i = 0; i < count; i++) {
            leaf_of(&leaves[i], i);
        }
        struct cl_digest expected = tree_hash(leaves, count);
        cl_batch_tree(&root, paths, leaves, count);
        assert_true(cl_digest_equal(&root, &expected));
        for (uint32_t i = 0; i < count; i++) {
            struct proof proof;
            proof_init(&proof, &paths[i], count, i);
            assert_true(leads_to(&proof, i, &root));
            assert_false(leads_to(&proof, i + 1, &root));
        }
    }
}

/* Covers: COL-BAT-004 */
static void a_wrong_proof_leads_nowhere(void **state)
{
    (void)state;
    enum { COUNT = 11 };
    struct cl_digest leaves[COUNT];
    struct cl_batch_path paths[COUNT];
    struct cl_digest root;
    for (uint32_t i = 0; i < COUNT; i++) {
        leaf_of(&leaves[i], i);
    }
    cl_batch_tree(&root, paths, leaves, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        struct proof proof;
        proof_init(&proof, &paths[i], COUNT, i);
        for (uint32_t other = 0; other < 2 * COUNT; other++) {
            proof.message.index = other;
            assert_int_equal(leads_to(&proof, i, &root), other == i);
        }
        proof_init(&proof, &paths[i], 0, i);
        assert_false(leads_to(&proof, i, &root));
        proof_init(&proof, &paths[i], CL_BATCH_MAX + 1, i);
        assert_false(leads_to(&proof, i, &root));
        proof_init(&proof, &paths[i], COUNT, i);
        proof.message.n_path++;
        assert_false(leads_to(&proof, i, &root));
        proof.message.n_path -= 2;
        assert_false(leads_to(&proof, i, &root));
        proof_init(&proof, &paths[i], COUNT, i);
        proof.path[0].len--;
        assert_false(leads_to(&proof, i, &root));
    }
}

/* Covers: COL-BAT-003 */
static void the_count_is_signed_too(void **state)
{
    (void)state;
    const struct cl_signer *signer = signing.signers[SIGNING_ALPHA_ACTIVE];
    const struct cl_public_key *key = cl_signer_public_key(signer);
    struct cl_digest root = {{1}};
    struct cl_signature signature;
    cl_batch_sign(&signature, signer, &root, 3);
    assert_true(cl_batch_verify(&signature, key, &root, 3));
    assert_false(cl_batch_verify(&signature, key, &root, 4));
    root.bytes[31] ^= 1;
    assert_false(cl_batch_verify(&signature, key, &root, 3));
}

/* -- Envelopes ----------------------------------------------------------------------------------------------- */

enum { BATCH = 5 };

static void seal_batch(struct cl_sealed sealed[BATCH])
{
    struct signing_application with;
    struct cl_message messages[BATCH];
    signing_application(&with, arena);
    for (uint8_t i = 0; i < BATCH; i++) {
        messages[i] = signing_message();
        messages[i].message_id.bytes[15] = i;
        messages[i].body = &with.application.base;
        messages[i].disclosures = with.disclosures;
        messages[i].disclosure_count = with.disclosure_count;
    }
    const struct cl_signer *signer = signing.signers[SIGNING_ALPHA_ACTIVE];
    assert_int_equal(cl_envelope_seal_batch(sealed, arena, signer, messages, BATCH).reason, CL_OK);
}

/* Covers: COL-BAT-004 */
static void each_message_of_a_batch_opens_alone(void **state)
{
    (void)state;
    struct cl_sealed sealed[BATCH];
    struct cl_expectation expected = signing_expectation(&signing);
    struct cl_opened opened;
    seal_batch(sealed);
    for (uint8_t i = 0; i < BATCH; i++) {
        expected.batch = false;
        assert_int_equal(cl_envelope_open(&opened, arena, sealed[i].envelope, &expected).reason,
                         CL_PROFILE_UNSUPPORTED);
        expected.batch = true;
        assert_int_equal(cl_envelope_open(&opened, arena, sealed[i].envelope, &expected).reason, CL_OK);
        assert_int_equal(opened.message_id.bytes[15], i);
        assert_int_equal(opened.disclosure_count, 7);
        assert_true(cl_digest_equal(&opened.digest, &sealed[i].digest));
        assert_int_equal(cl_envelope_verify(&opened, arena, sealed[i].stored, signing.keyring).reason, CL_OK);
    }
}

static void no_flipped_bit_of_a_batched_message_is_accepted(void **state)
{
    (void)state;
    struct cl_sealed sealed[BATCH];
    struct cl_expectation expected = signing_expectation(&signing);
    struct cl_arena *own = NULL;
    expected.batch = true;
    seal_batch(sealed);
    assert_true(cl_is_ok(cl_arena_create(&own, CL_MESSAGE_ARENA_BYTES_MAX)));
    for (size_t bit = 0; bit < sealed[2].stored.len * 8; bit++) {
        struct cl_opened opened;
        cl_arena_reset(own);
        uint8_t *copy = cl_arena_copy(own, sealed[2].stored);
        assert_non_null(copy);
        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
        if (cl_is_ok(cl_envelope_open(&opened, own, cl_bytes(copy, sealed[2].stored.len), &expected))) {
            fail_msg("bit %zu", bit);
        }
    }
    cl_arena_free(own);
}

static void a_batch_is_sealed_whole_or_not_at_all(void **state)
{
    (void)state;
    struct cl_sealed sealed[2] = {{.stored = {.len = 77}}, {.stored = {.len = 77}}};
    struct signing_application with;
    signing_application(&with, arena);
    struct cl_message messages[] = {signing_message(), signing_message()};
    messages[0].body = &with.application.base;
    messages[1].body = &with.application.base;
    messages[1].application_id = "a\nb";
    const struct cl_signer *signer = signing.signers[SIGNING_ALPHA_ACTIVE];
    assert_int_equal(cl_envelope_seal_batch(sealed, arena, signer, messages, 2).reason, CL_TEXT_CONTROL);
    assert_int_equal(sealed[0].stored.len, 77);
    messages[1].application_id = NULL;
    struct cl_status status = cl_fail(CL_MEMORY_LIMIT);
    for (size_t cap = 0; cl_failed(status); cap += 64) {
        struct cl_arena *small = NULL;
        assert_true(cl_is_ok(cl_arena_create(&small, cap)));
        status = cl_envelope_seal_batch(sealed, small, signer, messages, 2);
        assert_true(status.reason == CL_OK || status.reason == CL_MEMORY_LIMIT);
        assert_true(cap < 65536);
        cl_arena_free(small);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tree_is_as_in_rfc_6962_and_every_leaf_leads_to_its_root),
        cmocka_unit_test(a_wrong_proof_leads_nowhere),
        cmocka_unit_test(the_count_is_signed_too),
        cmocka_unit_test(each_message_of_a_batch_opens_alone),
        cmocka_unit_test(no_flipped_bit_of_a_batched_message_is_accepted),
        cmocka_unit_test(a_batch_is_sealed_whole_or_not_at_all),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
