/* The schemas of an upstream: one reading however many ask, kept, read anew by age and on demand, not asked while it is
 * down. */
#include "far_pages.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "spanner/far_schema.h"

enum { NOW = 1800000000, AGE_S = 60 };

/* ---- an upstream that answers when the test says ---- */

static struct {
    unsigned reads;
    struct {
        char database[80];
        far_read_done *done;
        void *arg;
    } pending[64];
    size_t n_pending;
    enum code at_once; /* not 0: each reading fails with it, before it returns */
} far;

static struct far_schema *cache;

static void fake_read(void *ctx, struct str database, far_read_done *done, void *arg) {
    (void)ctx;
    far.reads++;
    if (far.at_once) {
        struct err err;
        (void)err_set(&err, far.at_once, "it is out");
        done(arg, NULL, &err);
        return;
    }
    assert_true(far.n_pending < COUNT(far.pending));
    (void)snprintf(far.pending[far.n_pending].database, sizeof far.pending[0].database, "%.*s", STR_ARG(database));
    far.pending[far.n_pending].done = done;
    far.pending[far.n_pending++].arg = arg;
}

static const struct sql_catalog *music(void) {
    const struct sql_catalog *catalog = NULL;
    struct err err = { 0 };
    if (far_build_with(FAR_DIALECT, NULL, &catalog, &err)) fail_msg("%s", err.message);
    return catalog;
}

/* Answers the oldest reading: OK with a new snapshot. */
static const struct sql_catalog *answer(enum code code) {
    assert_true(far.n_pending > 0);
    far_read_done *done = far.pending[0].done;
    void *arg = far.pending[0].arg;
    struct err err = { 0 };
    far.n_pending--;
    memmove(far.pending, far.pending + 1, far.n_pending * sizeof far.pending[0]);
    const struct sql_catalog *snapshot = code ? NULL : music();
    if (code) (void)err_set(&err, code, "it is out");
    done(arg, snapshot, code ? &err : NULL);
    return snapshot; /* to compare, not to follow */
}

/* ---- who asks ---- */

struct asker {
    struct far_schema_wait wait;
    unsigned told;
    bool at_once;
    enum code code;
    const struct sql_catalog *snapshot; /* to compare */
    char why[1024];
};

static void told(struct asker *a, const struct sql_catalog *snapshot, enum code code, const struct err *err) {
    a->told++;
    a->code = code;
    a->snapshot = snapshot;
    if (!snapshot) (void)snprintf(a->why, sizeof a->why, "%s", err->message);
    (void)far_schema_unref(snapshot);
}

static void on_told(struct far_schema_wait *wait, const struct sql_catalog *snapshot, const struct err *err) {
    told(CONTAINER_OF(wait, struct asker, wait), snapshot, snapshot ? OK : err->code, err);
}

static struct asker *ask_for(struct asker *a, const char *database) {
    const struct sql_catalog *snapshot = NULL;
    struct err err = { 0 };
    *a = (struct asker){ .wait.done = on_told };
    enum code rc = far_schema_get(cache, str_z(database), &a->wait, &snapshot, &err);
    if (rc || snapshot) told(a, snapshot, rc, &err), a->at_once = true;
    return a;
}

static struct asker *ask(struct asker *a) {
    return ask_for(a, "db");
}

static void at_second(double s) {
    clock_set_for_test((int64_t)((NOW + s) * 1000000));
}

static void begin(size_t max_databases, size_t max_bytes) {
    struct far_schema_effects effects = { NULL, fake_read };
    struct far_schema_config config = {
        .name = STR("prod.spanner"), .age_us = AGE_S * 1000000, .max_databases = max_databases, .max_bytes = max_bytes
    };
    struct err err;
    memset(&far, 0, sizeof far);
    at_second(0);
    assert_int_equal(far_schema_new(&config, &effects, &cache, &err), OK);
}

static int finish(void **state) {
    (void)state;
    assert_int_equal(far.n_pending, 0); /* a test that leaves one under way would free it under its hands */
    far_schema_free(cache);
    cache = NULL;
    clock_set_for_test(0);
    return 0;
}

/* ---- one reading ---- */

static void test_a_thousand_wait_for_one_reading(void **state) {
    (void)state;
    static struct asker askers[1000];
    begin(0, 0);
    for (size_t i = 0; i < COUNT(askers); i++) assert_int_equal(ask(&askers[i])->told, 0);
    assert_int_equal(far.reads, 1);
    assert_string_equal(far.pending[0].database, "db");
    const struct sql_catalog *first = answer(OK);
    for (size_t i = 0; i < COUNT(askers); i++) {
        assert_int_equal(askers[i].told, 1);
        assert_ptr_equal(askers[i].snapshot, first);
    }
    struct asker later;
    assert_ptr_equal(ask(&later)->snapshot, first);
    assert_true(later.at_once);
    assert_int_equal(far.reads, 1);
}

static void test_each_database_has_its_own(void **state) {
    (void)state;
    struct asker a, b;
    begin(0, 0);
    ask_for(&a, "one"), ask_for(&b, "two");
    assert_int_equal(far.reads, 2);
    const struct sql_catalog *one = answer(OK);
    assert_true(a.told && !b.told);
    const struct sql_catalog *two = answer(OK);
    assert_ptr_equal(a.snapshot, one);
    assert_ptr_equal(b.snapshot, two);
}

static void test_who_goes_away_is_not_told(void **state) {
    (void)state;
    struct asker a, b, c;
    begin(0, 0);
    ask(&a), ask(&b), ask(&c);
    assert_true(far_schema_wait_cancel(cache, &b.wait));
    assert_false(far_schema_wait_cancel(cache, &b.wait));
    answer(OK);
    assert_true(a.told && !b.told && c.told);
    assert_false(far_schema_wait_cancel(cache, &a.wait));
}

/* ---- age ---- */

static void test_older_ones_are_handed_out_while_it_is_read_anew(void **state) {
    (void)state;
    struct asker a;
    begin(0, 0);
    ask(&a);
    const struct sql_catalog *first = answer(OK);
    at_second(AGE_S - 1);
    assert_ptr_equal(ask(&a)->snapshot, first);
    assert_int_equal(far.reads, 1);
    at_second(AGE_S);
    assert_ptr_equal(ask(&a)->snapshot, first); /* at once; the reading is under way */
    assert_int_equal(far.reads, 2);
    assert_ptr_equal(ask(&a)->snapshot, first); /* and only one */
    assert_int_equal(far.reads, 2);
    const struct sql_catalog *second = answer(OK);
    assert_ptr_equal(ask(&a)->snapshot, second);
}

static void test_age_counts_from_when_the_reading_began(void **state) {
    (void)state;
    struct asker a;
    begin(0, 0);
    ask(&a);
    at_second(9);
    answer(OK);
    at_second(AGE_S + 1);
    ask(&a);
    assert_int_equal(far.reads, 2);
    answer(OK);
}

static void test_ten_times_the_age_is_the_end(void **state) {
    (void)state;
    struct asker a;
    begin(0, 0);
    ask(&a);
    answer(OK);
    at_second(AGE_S * 10 - 1);
    assert_true(ask(&a)->at_once);
    answer(UNAVAILABLE);
    at_second(AGE_S * 10 + 1);
    assert_int_equal(ask(&a)->told, 0);
    answer(UNAVAILABLE);
    assert_int_equal(a.code, UNAVAILABLE);
    assert_null(a.snapshot);
}

/* ---- failures ---- */

static void test_a_failure_is_remembered_longer_and_longer(void **state) {
    (void)state;
    static const int pauses[] = { 1, 2, 4, 8, 16, 32, 60, 60 };
    struct asker a;
    double now = 0;
    begin(0, 0);
    for (size_t i = 0; i < COUNT(pauses); i++) {
        at_second(now);
        assert_int_equal(ask(&a)->told, 0);
        answer(UNAVAILABLE);
        assert_int_equal(a.code, UNAVAILABLE);
        at_second(now + pauses[i] - 0.5);
        assert_int_equal(ask(&a)->code, UNAVAILABLE);
        assert_true(a.at_once);
        assert_int_equal(far.reads, i + 1);
        now += pauses[i];
    }
    assert_non_null(strstr(a.why, "the schema of prod.spanner could not be read: it is out; it is tried again in 1 s"));
    at_second(now);
    ask(&a);
    const struct sql_catalog *snapshot = answer(OK);
    assert_ptr_equal(a.snapshot, snapshot);
    far_schema_stale(cache, STR("db"));
    at_second(now + 2);
    ask(&a);
    answer(UNAVAILABLE);
    at_second(now + 3.1); /* it begins at a second again */
    ask(&a);
    assert_int_equal(far.reads, COUNT(pauses) + 3);
    answer(OK);
}

static void test_an_old_one_is_better_than_none(void **state) {
    (void)state;
    struct asker a;
    begin(0, 0);
    ask(&a);
    const struct sql_catalog *first = answer(OK);
    far_schema_stale(cache, STR("db"));
    at_second(2);
    assert_int_equal(ask(&a)->told, 0);
    answer(UNAVAILABLE);
    assert_ptr_equal(a.snapshot, first);
}

static void test_a_database_that_is_not_there(void **state) {
    (void)state;
    struct asker a;
    begin(0, 0);
    ask(&a);
    answer(OK);
    at_second(AGE_S);
    assert_true(ask(&a)->at_once);
    answer(NOT_FOUND); /* it was dropped: nothing of it is handed out any more */
    assert_int_equal(ask(&a)->code, NOT_FOUND);
    assert_string_equal(a.why, "it is out");
    at_second(AGE_S + 4.9);
    assert_int_equal(ask(&a)->code, NOT_FOUND);
    assert_int_equal(far.reads, 2);
    at_second(AGE_S + 5);
    assert_int_equal(ask(&a)->told, 0);
    answer(OK);
    assert_int_equal(a.code, OK);
}

static void test_a_reading_that_fails_before_it_returns(void **state) {
    (void)state;
    struct asker a;
    begin(0, 0);
    far.at_once = RESOURCE_EXHAUSTED;
    assert_int_equal(ask(&a)->told, 1);
    assert_int_equal(a.code, RESOURCE_EXHAUSTED);
    assert_false(a.at_once); /* told as one who waited */
}

/* ---- on demand ---- */

static void test_stale_is_read_anew_once_a_second(void **state) {
    (void)state;
    struct asker a, b;
    begin(0, 0);
    far_schema_stale(cache, STR("db")); /* nobody knows it yet: fine */
    ask(&a);
    const struct sql_catalog *first = answer(OK);
    far_schema_stale(cache, STR("db"));
    at_second(0.5);
    assert_ptr_equal(ask(&a)->snapshot, first); /* not twice within a second */
    assert_int_equal(far.reads, 1);
    at_second(1);
    assert_int_equal(ask(&a)->told, 0); /* those who ask now wait for the new one */
    assert_int_equal(ask(&b)->told, 0);
    assert_int_equal(far.reads, 2);
    const struct sql_catalog *second = answer(OK);
    assert_ptr_equal(a.snapshot, second);
    assert_ptr_equal(b.snapshot, second);
    at_second(3);
    assert_ptr_equal(ask(&a)->snapshot, second);
    assert_int_equal(far.reads, 2);
}

static void test_stale_during_a_reading_asks_for_another(void **state) {
    (void)state;
    struct asker a;
    begin(0, 0);
    ask(&a);
    far_schema_stale(cache, STR("db")); /* it may have been read before the change */
    answer(OK);
    at_second(1);
    assert_int_equal(ask(&a)->told, 0);
    assert_int_equal(far.reads, 2);
    answer(OK);
}

static void test_ddl_of_ours_is_seen_at_once(void **state) {
    (void)state;
    struct asker a, b;
    begin(0, 0);
    ask(&a);
    answer(OK);
    far_schema_changed(cache, STR("db"));
    assert_int_equal(ask(&a)->told, 0);   /* within the second */
    far_schema_changed(cache, STR("db")); /* and again, while it is read */
    assert_int_equal(ask(&b)->told, 0);
    answer(OK); /* that is old already: they wait for the next */
    assert_true(!a.told && !b.told);
    assert_int_equal(far.reads, 3);
    const struct sql_catalog *newest = answer(OK);
    assert_ptr_equal(a.snapshot, newest);
    assert_ptr_equal(b.snapshot, newest);
    far_schema_changed(cache, STR("db"));
    ask(&a);
    answer(UNAVAILABLE); /* one that is down is not hammered by it either */
    assert_ptr_equal(a.snapshot, newest);
    far_schema_changed(cache, STR("db"));
    assert_ptr_equal(ask(&a)->snapshot, newest);
    assert_int_equal(far.reads, 4);
}

/* ---- bounds ---- */

static void test_a_bounded_number_of_databases(void **state) {
    (void)state;
    struct asker a, b;
    begin(2, 0);
    ask_for(&a, "one"), answer(OK);
    ask_for(&a, "made-up"), answer(NOT_FOUND);
    ask_for(&a, "two"), answer(OK); /* instead of the one that is not there */
    assert_true(ask_for(&a, "one")->at_once);
    assert_true(ask_for(&a, "two")->at_once);
    assert_true(ask_for(&a, "one")->at_once);
    ask_for(&a, "three"), answer(OK); /* instead of "two" */
    assert_true(ask_for(&a, "one")->at_once);
    assert_int_equal(far.reads, 4);
    assert_false(ask_for(&a, "two")->at_once);
    assert_false(ask_for(&b, "four")->at_once);
    struct asker c;
    assert_int_equal(ask_for(&c, "five")->code, RESOURCE_EXHAUSTED); /* all places are being read */
    answer(OK), answer(OK);
}

static void test_bounded_bytes(void **state) {
    (void)state;
    const struct sql_catalog *one = music();
    size_t bytes = far_schema_bytes(one);
    struct asker a;
    (void)far_schema_unref(one);
    begin(0, 2 * bytes);
    ask_for(&a, "one"), answer(OK);
    ask_for(&a, "two"), answer(OK);
    ask_for(&a, "three"), answer(OK);
    assert_non_null(a.snapshot);
    assert_true(ask_for(&a, "three")->at_once);
    assert_true(ask_for(&a, "two")->at_once);
    assert_false(ask_for(&a, "one")->at_once);
    answer(OK);
}

static void test_bounded_readings(void **state) {
    (void)state;
    static struct asker askers[33];
    char name[16];
    begin(0, 0);
    for (unsigned i = 0; i < COUNT(askers); i++) {
        (void)snprintf(name, sizeof name, "d%u", i);
        ask_for(&askers[i], name);
    }
    assert_int_equal(far.reads, 32);
    assert_int_equal(askers[32].code, UNAVAILABLE);
    while (far.n_pending) answer(OK);
    ask_for(&askers[32], "d32");
    answer(OK);
    assert_int_equal(askers[32].code, OK);
}

static void test_bounded_waiters(void **state) {
    (void)state;
    static struct asker askers[10001];
    begin(0, 0);
    for (size_t i = 0; i < COUNT(askers); i++) ask(&askers[i]);
    assert_int_equal(askers[10000].code, RESOURCE_EXHAUSTED);
    answer(OK);
    for (size_t i = 0; i < 10000; i++) assert_int_equal(askers[i].told, 1);
}

static void test_an_age_below_a_second_is_refused(void **state) {
    (void)state;
    struct far_schema_effects effects = { NULL, fake_read };
    struct far_schema_config config = { .age_us = 999999 };
    struct err err;
    begin(0, 0);
    struct far_schema *other = NULL;
    assert_int_equal(far_schema_new(&config, &effects, &other, &err), INVALID_ARGUMENT);
}

/* ---- threads and memory ---- */

struct patient {
    struct far_schema_wait wait;
    atomic_bool told;
};

static void note(struct far_schema_wait *wait, const struct sql_catalog *snapshot, const struct err *err) {
    (void)err;
    (void)far_schema_unref(snapshot);
    atomic_store(&CONTAINER_OF(wait, struct patient, wait)->told, true);
}

static void instant_read(void *ctx, struct str database, far_read_done *done, void *arg) {
    (void)ctx, (void)database;
    done(arg, music(), NULL);
}

static void *hammer(void *arg) {
    static const char *const names[] = { "a", "b", "c", "d" };
    (void)arg;
    for (unsigned i = 0; i < 300; i++) {
        const struct sql_catalog *snapshot = NULL;
        struct patient p = { .wait.done = note };
        struct err err;
        struct str name = str_z(names[i % COUNT(names)]);
        if (i % 7 == 0) far_schema_stale(cache, name);
        if (far_schema_get(cache, name, &p.wait, &snapshot, &err)) continue; /* all three places are being read */
        bool waits = !snapshot && (i % 3 || !far_schema_wait_cancel(cache, &p.wait));
        (void)far_schema_unref(snapshot);
        while (waits && !atomic_load(&p.told)) (void)sched_yield();
    }
    return NULL;
}

static void test_many_threads(void **state) {
    (void)state;
    pthread_t threads[4];
    struct far_schema_effects effects = { NULL, instant_read };
    struct far_schema_config config = { .name = STR("x"), .age_us = 1000000, .max_databases = 3 };
    struct err err;
    memset(&far, 0, sizeof far);
    assert_int_equal(far_schema_new(&config, &effects, &cache, &err), OK);
    for (size_t i = 0; i < COUNT(threads); i++) assert_int_equal(pthread_create(&threads[i], NULL, hammer, NULL), 0);
    for (size_t i = 0; i < COUNT(threads); i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static void test_memory_runs_out(void **state) {
    (void)state;
    bool whole = false;
    for (unsigned n = 1; !whole; n++) {
        struct far_schema_effects effects = { NULL, fake_read };
        struct far_schema_config config = { .name = STR("x"), .age_us = 1000000 };
        struct err err;
        memset(&far, 0, sizeof far);
        arena_fail_after(n);
        whole = far_schema_new(&config, &effects, &cache, &err) == OK;
        struct asker a = { 0 };
        if (whole) whole = ask(&a)->told == 0;
        arena_fail_after(0);
        if (whole) answer(OK);
        else if (cache) assert_int_equal(a.code, RESOURCE_EXHAUSTED);
        far_schema_free(cache);
        cache = NULL;
        assert_true(n < 100);
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, finish)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_a_thousand_wait_for_one_reading),
        TEST(test_each_database_has_its_own),
        TEST(test_who_goes_away_is_not_told),
        TEST(test_older_ones_are_handed_out_while_it_is_read_anew),
        TEST(test_age_counts_from_when_the_reading_began),
        TEST(test_ten_times_the_age_is_the_end),
        TEST(test_a_failure_is_remembered_longer_and_longer),
        TEST(test_an_old_one_is_better_than_none),
        TEST(test_a_database_that_is_not_there),
        TEST(test_a_reading_that_fails_before_it_returns),
        TEST(test_stale_is_read_anew_once_a_second),
        TEST(test_stale_during_a_reading_asks_for_another),
        TEST(test_ddl_of_ours_is_seen_at_once),
        TEST(test_a_bounded_number_of_databases),
        TEST(test_bounded_bytes),
        TEST(test_bounded_readings),
        TEST(test_bounded_waiters),
        TEST(test_an_age_below_a_second_is_refused),
        TEST(test_many_threads),
        TEST(test_memory_runs_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
