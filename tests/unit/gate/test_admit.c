/* test_admit.c: the counters of limits, with a clock of the test's own. */
#include "gate/admit.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include "../test.h"
#include "base/arena.h"

enum { SECOND = 1000000, FULL = 65536 };

static struct admit *admit;

static int set_up(void **state) {
    (void)state;
    admit = admit_new();
    return admit ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    admit_free(admit);
    return 0;
}

static struct admit_bound at_once(const char *key, uint64_t most) {
    return (struct admit_bound){ .key = str_z(key), .most = most, .at_once = true };
}

static struct admit_bound per_second(const char *key, uint64_t most) {
    return (struct admit_bound){ .key = str_z(key), .most = most };
}

static bool enter(struct admit_bound *b, uint64_t now_us) {
    struct admit_refusal refusal;
    return admit_enter(admit, b, 1, now_us, &refusal);
}

static unsigned burst(const char *key, uint64_t most, uint64_t now_us) {
    unsigned n = 0;
    for (; n < 100000; n++) {
        struct admit_bound b = per_second(key, most);
        if (!enter(&b, now_us)) return n;
    }
    return n;
}

/* ---- at once ---- */

static void so_many_and_no_more(void **state) {
    (void)state;
    struct admit_bound b[4] = { at_once("a", 3), at_once("a", 3), at_once("a", 3), at_once("a", 3) };
    struct admit_refusal refusal = { .bound = 9 };
    for (size_t i = 0; i < 3; i++) assert_true(enter(&b[i], 0));
    assert_false(admit_enter(admit, &b[3], 1, 0, &refusal));
    assert_int_equal(refusal.bound, 0);
    assert_false(refusal.full);
    assert_true(refusal.retry_us > 0);
    admit_leave(admit, &b[3], 1); /* it holds nothing */
    struct admit_bound other = at_once("b", 1);
    assert_true(enter(&other, 0)); /* a neighbour's count is its own */
    admit_leave(admit, &b[0], 1);
    admit_leave(admit, &b[0], 1); /* not twice */
    assert_true(enter(&b[3], 0));
    assert_false(enter(&b[0], 0));
}

static void a_bound_that_has_shrunk_holds_from_now_on(void **state) {
    (void)state;
    struct admit_bound b[3] = { at_once("a", 3), at_once("a", 3), at_once("a", 1) };
    assert_true(enter(&b[0], 0) && enter(&b[1], 0));
    assert_false(enter(&b[2], 0));
    admit_leave(admit, &b[0], 1);
    assert_false(enter(&b[2], 0));
    admit_leave(admit, &b[1], 1);
    assert_true(enter(&b[2], 0));
}

/* ---- a second ---- */

static void a_rate_is_exact(void **state) {
    (void)state;
    static const uint64_t rates[] = { 1, 2, 3, 7, 10, 999, 31622 };
    for (size_t i = 0; i < COUNT(rates); i++) {
        char key[32];
        uint64_t now = 5 * SECOND, n = rates[i], passed = 0;
        snprintf(key, sizeof key, "rate %zu", i);
        assert_int_equal(burst(key, n, now), n); /* one second's worth, however long it was quiet */
        for (; passed < 3 * SECOND; passed += 1000) {
            static unsigned long through;
            if (!passed) through = 0;
            through += burst(key, n, now + passed);
            assert_int_equal(through, n * passed / SECOND); /* never one too many, never one too few */
        }
        assert_int_equal(burst(key, n, now + 100 * (uint64_t)SECOND), n);
    }
}

static void who_is_refused_knows_when(void **state) {
    (void)state;
    struct admit_bound b = per_second("a", 4);
    struct admit_refusal refusal;
    assert_int_equal(burst("a", 4, SECOND), 4);
    assert_false(admit_enter(admit, &b, 1, SECOND + 1, &refusal));
    assert_int_equal(refusal.retry_us, 249999);
    assert_false(enter(&b, SECOND + 1 + refusal.retry_us - 1));
    assert_true(enter(&b, SECOND + 1 + refusal.retry_us));
}

static void a_clock_that_was_read_earlier_gives_nothing(void **state) {
    (void)state;
    assert_int_equal(burst("a", 2, 10 * SECOND), 2);
    assert_int_equal(burst("a", 2, 9 * SECOND), 0);
    assert_int_equal(burst("a", 2, 10 * SECOND + SECOND / 2), 1);
}

static void the_largest_rate_does_not_overflow(void **state) {
    (void)state;
    struct admit_bound b = per_second("a", 1000000000);
    for (uint64_t now = 0; now < 40; now++) assert_true(enter(&b, now << 57));
}

/* ---- several ---- */

static void all_or_none(void **state) {
    (void)state;
    struct admit_refusal refusal;
    struct admit_bound one[3] = { at_once("a", 5), per_second("r", 5), at_once("b", 1) };
    struct admit_bound two[3] = { at_once("a", 5), per_second("r", 5), at_once("b", 1) };
    assert_true(admit_enter(admit, one, 3, 0, &refusal));
    for (unsigned i = 0; i < 20; i++) {
        assert_false(admit_enter(admit, two, 3, 0, &refusal));
        assert_int_equal(refusal.bound, 2);
    }
    assert_int_equal(burst("r", 5, 0), 4); /* the refused took no part of the rate */
    admit_leave(admit, one, 3);
    struct admit_bound left[5];
    for (size_t i = 0; i < 5; i++) {
        left[i] = at_once("a", 5);
        assert_true(enter(&left[i], 0));
    }
    for (size_t i = 0; i < 5; i++) admit_leave(admit, &left[i], 1);
}

/* ---- bounded ---- */

static void fill(char kind, size_t from, size_t n, uint64_t now_us) {
    for (size_t i = from; i < from + n; i++) {
        char key[32];
        snprintf(key, sizeof key, "%c%zu", kind, i);
        struct admit_bound b = per_second(key, 1);
        (void)enter(&b, now_us);
    }
}

static void what_is_idle_makes_room_and_what_is_held_stays(void **state) {
    (void)state;
    struct admit_bound held = at_once("held", 1), again = at_once("held", 1);
    assert_true(enter(&held, 0));
    fill('x', 0, FULL + FULL / 2, 0); /* all within one second: those that find no room are refused */
    assert_true(admit_keys(admit) <= FULL && admit_keys(admit) > FULL - FULL / 8);
    fill('y', 0, FULL + FULL / 2, 2 * SECOND);
    assert_true(admit_keys(admit) <= FULL);
    assert_false(enter(&again, 4 * SECOND));
    admit_leave(admit, &held, 1);
    assert_true(enter(&again, 4 * SECOND));
    admit_leave(admit, &again, 1);
    fill('z', 0, 3 * FULL, 6 * SECOND);
    assert_true(admit_keys(admit) <= FULL);
}

static void a_full_table_says_so(void **state) {
    (void)state;
    struct admit_refusal refusal = { 0 };
    fill('x', 0, 2 * FULL, 0);
    unsigned full = 0;
    for (unsigned i = 0; i < 100; i++) {
        char key[32];
        snprintf(key, sizeof key, "new %u", i);
        struct admit_bound b = at_once(key, 5);
        if (!admit_enter(admit, &b, 1, SECOND / 2, &refusal)) full += refusal.full;
    }
    assert_int_equal(full, 100);
}

static void short_memory_is_a_refusal(void **state) {
    (void)state;
    struct admit_refusal refusal = { 0 };
    bool entered = false;
    unsigned n = 0;
    while (!entered) {
        struct admit *a = admit_new();
        struct admit_bound b[2] = { at_once("a", 1), per_second("b", 1) };
        arena_fail_after(++n);
        entered = admit_enter(a, b, 2, 0, &refusal);
        arena_fail_after(0);
        if (!entered) assert_true(refusal.full && !b[0].held);
        admit_leave(a, b, 2);
        struct admit_bound later[2] = { at_once("a", 1), at_once("b2", 1) };
        assert_true(admit_enter(a, later, 2, 0, &refusal)); /* nothing was left behind */
        admit_free(a);
    }
    assert_true(n > 2);
    for (n = 1; n < 18; n++) {
        arena_fail_after(n);
        struct admit *a = admit_new();
        arena_fail_after(0);
        assert_null(a);
    }
}

/* ---- threads ---- */

enum { THREADS = 6, TURNS = 20000, MOST = 3 };
static atomic_uint inside[2], seen[2], refused;

static void note(unsigned i) {
    unsigned now = atomic_fetch_add(&inside[i], 1) + 1, most = atomic_load(&seen[i]);
    while (now > most && !atomic_compare_exchange_weak(&seen[i], &most, now)) {}
}

/* Two counts in either order: no deadlock, never more than MOST. */
static void *come_and_go(void *arg) {
    uintptr_t me = (uintptr_t)arg;
    for (unsigned i = 0; i < TURNS; i++) {
        struct admit_bound both[2] = { at_once(me % 2 ? "left" : "right", MOST), at_once(me % 2 ? "right" : "left", MOST) };
        struct admit_refusal refusal;
        if (!admit_enter(admit, both, me % 3 ? 2 : 1, 0, &refusal)) {
            atomic_fetch_add(&refused, 1);
            continue;
        }
        note(me % 2);
        if (me % 3) note(1 - me % 2);
        if (me % 3) atomic_fetch_sub(&inside[1 - me % 2], 1);
        atomic_fetch_sub(&inside[me % 2], 1);
        admit_leave(admit, both, 2);
    }
    return NULL;
}

static void never_too_many_between_threads(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        union {
            uintptr_t in;
            void *out;
        } arg = { i };
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, arg.out), 0);
    }
    for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
    for (size_t i = 0; i < 2; i++) assert_in_range(atomic_load(&seen[i]), 1, MOST);
    struct admit_bound all[MOST];
    for (size_t i = 0; i < MOST; i++) {
        all[i] = at_once("left", MOST);
        assert_true(enter(&all[i], 0)); /* all places are free again */
    }
}

int main(void) {
#define TEST(Fn) cmocka_unit_test_setup_teardown(Fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(so_many_and_no_more),
        TEST(a_bound_that_has_shrunk_holds_from_now_on),
        TEST(a_rate_is_exact),
        TEST(who_is_refused_knows_when),
        TEST(a_clock_that_was_read_earlier_gives_nothing),
        TEST(the_largest_rate_does_not_overflow),
        TEST(all_or_none),
        TEST(what_is_idle_makes_room_and_what_is_held_stays),
        TEST(a_full_table_says_so),
        TEST(short_memory_is_a_refusal),
        TEST(never_too_many_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
