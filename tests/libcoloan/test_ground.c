/* bytes, arena, queue, clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "libcoloan/clock.h"
#include "libcoloan/queue.h"

static void hex_reads_back_what_it_wrote(void **state)
{
    (void)state;
    const uint8_t bytes[] = {0x00, 0x7f, 0x80, 0xff};
    char text[9];
    uint8_t back[4];
    cl_hex_encode(text, cl_bytes(bytes, sizeof bytes));
    assert_string_equal(text, "007f80ff");
    assert_true(cl_is_ok(cl_hex_decode(back, sizeof back, text)));
    assert_memory_equal(back, bytes, sizeof bytes);
}

static void hex_refuses_other_text(void **state)
{
    (void)state;
    static const char *const refused[] = {"", "00", "00000000ff", "0000000g", "0000 000", "-0000000"};
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        uint8_t out[4] = {1, 2, 3, 4};
        assert_int_equal(cl_hex_decode(out, sizeof out, refused[i]).reason, CL_FIELD_INVALID);
        assert_int_equal(out[0], 1); /* untouched */
    }
}

static void arena_hands_out_zeroed_aligned_memory_again_and_again(void **state)
{
    (void)state;
    struct cl_arena *arena = NULL;
    assert_true(cl_is_ok(cl_arena_create(&arena, 1 << 20)));
    for (int round = 0; round < 3; round++) {
        for (size_t size = 1; size < 20000; size = size * 3 + 1) {
            uint8_t *memory = cl_arena_alloc(arena, size);
            assert_non_null(memory);
            assert_int_equal((uintptr_t)memory % _Alignof(max_align_t), 0);
            for (size_t i = 0; i < size; i++) {
                assert_int_equal(memory[i], 0);
            }
            memset(memory, 0xaa, size);
        }
        cl_arena_reset(arena);
        assert_int_equal(cl_arena_used(arena), 0);
    }
    cl_arena_free(arena);
    cl_arena_free(NULL);
}

static void arena_goes_back_to_a_mark_and_wipes_what_came_after(void **state)
{
    (void)state;
    struct cl_arena *arena = NULL;
    assert_true(cl_is_ok(cl_arena_create(&arena, 64 * 1024)));
    const char *kept = cl_arena_text(arena, "kept");
    const struct cl_arena_mark mark = cl_arena_mark(arena);
    size_t used = cl_arena_used(arena);
    for (int round = 0; round < 20; round++) { /* more than the cap in all */
        char *same_block = cl_arena_text(arena, "secret");
        for (int i = 0; i < 10; i++) {
            assert_non_null(cl_arena_alloc(arena, 5000));
        }
        assert_null(cl_arena_alloc(arena, 64 * 1024));
        assert_true(cl_arena_overflowed(arena));
        cl_arena_rewind(arena, &mark);
        assert_false(cl_arena_overflowed(arena));
        assert_int_equal(cl_arena_used(arena), used);
        assert_string_equal(kept, "kept");
        assert_int_equal(same_block[0], '\0'); /* the block is the arena's still */
    }
    cl_arena_free(arena);
}

static void arena_keeps_its_cap(void **state)
{
    (void)state;
    struct cl_arena *arena = NULL;
    assert_true(cl_is_ok(cl_arena_create(&arena, 1024)));
    assert_non_null(cl_arena_alloc(arena, 1024));
    assert_false(cl_arena_overflowed(arena));
    assert_null(cl_arena_alloc(arena, 1));
    assert_true(cl_arena_overflowed(arena));
    cl_arena_reset(arena);
    assert_false(cl_arena_overflowed(arena));
    assert_null(cl_arena_alloc(arena, SIZE_MAX));
    assert_null(cl_arena_array(arena, SIZE_MAX / 2, 4));
    assert_null(cl_arena_alloc(arena, 1025));
    assert_non_null(cl_arena_text(arena, "text"));
    cl_arena_free(arena);
}

static void queue_is_first_in_first_out_and_bounded(void **state)
{
    (void)state;
    struct cl_queue *queue = NULL;
    int elements[4];
    void *out[4];
    assert_true(cl_is_ok(cl_queue_create(&queue, 3)));
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 3; i++) {
            assert_true(cl_is_ok(cl_queue_push(queue, &elements[i])));
        }
        assert_int_equal(cl_queue_push(queue, &elements[3]).reason, CL_OVERLOADED);
        assert_int_equal(cl_queue_take(queue, out, 2, 0), 2);
        assert_ptr_equal(out[0], &elements[0]);
        assert_ptr_equal(out[1], &elements[1]);
        assert_int_equal(cl_queue_take(queue, out, 4, 0), 1);
        assert_ptr_equal(out[0], &elements[2]);
    }
    assert_int_equal(cl_queue_take(queue, out, 4, 1), 0);
    cl_queue_close(queue);
    assert_int_equal(cl_queue_push(queue, &elements[0]).reason, CL_SHUTTING_DOWN);
    assert_int_equal(cl_queue_take(queue, out, 4, -1), 0);
    cl_queue_free(queue);
}

enum { PRODUCERS = 3, PER_PRODUCER = 20000 };

static void *produce(void *queue)
{
    static int element;
    for (int i = 0; i < PER_PRODUCER; i++) {
        while (cl_failed(cl_queue_push(queue, &element))) {
            sched_yield();
        }
    }
    return NULL;
}

static void queue_loses_nothing_between_threads(void **state)
{
    (void)state;
    struct cl_queue *queue = NULL;
    assert_true(cl_is_ok(cl_queue_create(&queue, 64)));
    pthread_t threads[PRODUCERS];
    for (int i = 0; i < PRODUCERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, produce, queue), 0);
    }
    size_t taken = 0;
    void *out[16];
    while (taken < (size_t)PRODUCERS * PER_PRODUCER) {
        taken += cl_queue_take(queue, out, 16, 1000);
    }
    for (int i = 0; i < PRODUCERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(cl_queue_count(queue), 0);
    cl_queue_free(queue);
}

static void dates_are_chinas(void **state)
{
    (void)state;
    static const struct {
        int64_t unix_ms;
        int32_t date;
    } rows[] = {
        {0, 19700101},
        {1764000000000 - 1764000000000 % 86400000 + 15 * 3600000 + 3599999, 20251124},
        {1764000000000 - 1764000000000 % 86400000 + 16 * 3600000, 20251125},
        {1709136000000, 20240229},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(cl_date_china(rows[i].unix_ms), rows[i].date);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_reads_back_what_it_wrote),
        cmocka_unit_test(hex_refuses_other_text),
        cmocka_unit_test(arena_hands_out_zeroed_aligned_memory_again_and_again),
        cmocka_unit_test(arena_goes_back_to_a_mark_and_wipes_what_came_after),
        cmocka_unit_test(arena_keeps_its_cap),
        cmocka_unit_test(queue_is_first_in_first_out_and_bounded),
        cmocka_unit_test(queue_loses_nothing_between_threads),
        cmocka_unit_test(dates_are_chinas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
