/* cache: what is kept, for whom, and how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "server/source/cache.h"
#include "server/source/wording.h"

#define NOW_MS INT64_C(1795500000000)

static const struct cl_digest one = {.bytes = {1}};

static void an_answer_is_kept_until_its_time(void **state)
{
    (void)state;
    static const struct {
        int64_t until_ms, asked_ms;
        bool found;
    } rows[] = {
        {1000, 0, true},
        {1000, 1000, true},
        {1000, 1001, false},
        {0, 0, true},
        {-1, 0, false}, /* of yesterday */
        {30 * SOURCE_CACHE_LIFE_MS, SOURCE_CACHE_LIFE_MS, true},
        {30 * SOURCE_CACHE_LIFE_MS, SOURCE_CACHE_LIFE_MS + 1, false}, /* a day at most */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct source_cache *cache = NULL;
        struct source_answer answer = {.outcome = SOURCE_PASS, .observed_ms = 7, .fact_count = 1, .attempts = 3};
        struct source_answer found = {.outcome = SOURCE_OPEN};
        assert_true(cl_is_ok(source_cache_create(&cache)));
        assert_false(source_cache_find(&found, cache, &one, NOW_MS));
        source_cache_keep(cache, &one, &answer, NOW_MS, NOW_MS + rows[i].until_ms);
        if (source_cache_find(&found, cache, &one, NOW_MS + rows[i].asked_ms) != rows[i].found) {
            fail_msg("row %zu", i);
        }
        assert_int_equal(found.outcome, rows[i].found ? SOURCE_PASS : SOURCE_OPEN);
        assert_int_equal(found.attempts, 0);
        assert_int_equal(found.observed_ms, rows[i].found ? 7 : 0);
        source_cache_free(cache);
    }
    source_cache_free(NULL);
}

static void another_question_takes_the_place_over(void **state)
{
    (void)state;
    struct source_cache *cache = NULL;
    struct source_answer answer = {.outcome = SOURCE_PASS};
    struct cl_digest same_place = one;
    same_place.bytes[31] = 9;
    assert_true(cl_is_ok(source_cache_create(&cache)));
    source_cache_keep(cache, &one, &answer, NOW_MS, NOW_MS + 1000);
    assert_false(source_cache_find(&answer, cache, &same_place, NOW_MS));
    source_cache_keep(cache, &same_place, &answer, NOW_MS, NOW_MS + 1000);
    assert_true(source_cache_find(&answer, cache, &same_place, NOW_MS));
    assert_false(source_cache_find(&answer, cache, &one, NOW_MS));
    source_cache_free(cache);
}

static struct source_inquiry *about(const char *name, const char *id_number, enum source_item item)
{
    struct source_inquiry *inquiry = NULL;
    assert_true(cl_is_ok(source_inquiry_create(&inquiry, 1)));
    assert_true(cl_is_ok(source_text(inquiry->persons[0].name, 64, name, strlen(name))));
    assert_true(cl_is_ok(source_text(inquiry->persons[0].id_number, 19, id_number, strlen(id_number))));
    inquiry->persons[0].household = true;
    inquiry->person_count = 1;
    assert_true(cl_is_ok(source_inquiry_add(inquiry, item, 0, 0)));
    return inquiry;
}

/* The same question is one about the same item and the same values, under the same key. */
static void a_question_is_known_by_what_it_asks(void **state)
{
    (void)state;
    static const struct {
        const char *name, *id_number, *key;
        enum source_item item;
        bool same;
    } rows[] = {
        {"测试甲", "990101199603150019", "k1", SOURCE_IDENTITY, true},
        {"测试乙", "990101199603150019", "k1", SOURCE_IDENTITY, false},
        {"测试甲", "990101199603150027", "k1", SOURCE_IDENTITY, false},
        {"测试甲", "990101199603150019", "k1", SOURCE_COURT_LIST, false}, /* asks the same values about another item */
        {"测试甲", "990101199603150019", "k2", SOURCE_IDENTITY, false},
    };
    struct cl_digest first;
    struct source_inquiry *inquiry = about("测试甲", "990101199603150019", SOURCE_IDENTITY);
    source_question_digest(&first, cl_bytes_text("k1"), &inquiry->questions[0]);
    source_inquiry_free(inquiry);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_digest digest;
        inquiry = about(rows[i].name, rows[i].id_number, rows[i].item);
        source_question_digest(&digest, cl_bytes_text(rows[i].key), &inquiry->questions[0]);
        assert_int_equal(memcmp(&first, &digest, sizeof digest) == 0, rows[i].same);
        source_inquiry_free(inquiry);
    }
    struct cl_digest alone;
    struct cl_digest with_another;
    inquiry = about("测试甲", "990101199603150019", SOURCE_CHILDREN);
    source_question_digest(&alone, cl_bytes_text("k1"), &inquiry->questions[0]);
    inquiry->persons[1] = inquiry->persons[0];
    inquiry->person_count = 2;
    source_question_digest(&with_another, cl_bytes_text("k1"), &inquiry->questions[0]);
    assert_memory_not_equal(&alone, &with_another, sizeof alone);
    source_inquiry_free(inquiry);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_is_kept_until_its_time),
        cmocka_unit_test(another_question_takes_the_place_over),
        cmocka_unit_test(a_question_is_known_by_what_it_asks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
