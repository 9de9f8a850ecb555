/* Reads at any timestamp see exactly what had committed by it: random histories against a naive model. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include "base/clock.h"

enum { KEYS = 40, COMMITS = 150 };

struct version { /* the model: after each commit, the value of every key; 0 = no row */
    int64_t us;
    int64_t a[KEYS];
};

static void check(struct fixture *f, const struct version *v, int64_t at, struct scan *s, uint64_t *seed) {
    uint64_t r = random_next(seed);
    s->lo = (int64_t)(r % KEYS);
    s->hi = s->lo + (int64_t)((r >> 8) % (KEYS - (uint64_t)s->lo));
    s->pause_every = r >> 16 & 1 ? 3 : 0;
    s->when = (struct engine_when){ .at = true, .timestamp_us = at };
    if (scan_now(f->db, "T", s)) fail_msg("scan: %s", s->err.message);
    size_t n = 0;
    for (int64_t k = s->lo; k <= s->hi; k++) {
        if (!v->a[k]) continue;
        if (n >= s->n || s->pairs[n].k != k || s->pairs[n].a != v->a[k])
            fail_msg("at %lld, key %lld differs", (long long)at, (long long)k);
        n++;
    }
    assert_int_equal(s->n, n);
}

static enum code one_commit(struct fixture *f, struct version *v, uint64_t *seed) {
    struct mutation {
        struct engine_mutation m;
        struct sql_value cells[2];
        struct rows rows;
        struct delete_keys keys;
    } all[4] = { 0 };
    struct engine_mutation list[4];
    static const struct str columns[] = { STR_INIT("k"), STR_INIT("a") };
    size_t n = 1 + random_next(seed) % 4;
    enum code expected = OK;
    struct version before = *v;
    for (size_t i = 0; i < n; i++) {
        uint64_t r = random_next(seed);
        struct mutation *m = &all[i];
        int64_t k = (int64_t)(r % KEYS), a = (int64_t)(r >> 40) + 1;
        enum mutation_kind kind = (enum mutation_kind)(r >> 8 & 7) % 5;
        m->cells[0] = VALUE_INT64(k);
        m->cells[1] = VALUE_INT64(a);
        m->rows = (struct rows){ .cells = m->cells, .n_columns = 2 };
        m->keys = (struct delete_keys){ k, r >> 16 & 1 ? k : k + (int64_t)(r >> 17 & 7) };
        m->m = (struct engine_mutation){ .kind = kind,
                                         .table = STR("T"),
                                         .columns = columns,
                                         .n_columns = 2,
                                         .n_rows = 1,
                                         .row = rows_next,
                                         .keys = delete_keys_fill,
                                         .ctx = &m->rows };
        if (kind == MUTATION_DELETE) m->m.ctx = &m->keys;
        list[i] = m->m;
        if (expected) continue;
        if (kind == MUTATION_INSERT && v->a[k]) expected = ALREADY_EXISTS;
        if (kind == MUTATION_UPDATE && !v->a[k]) expected = NOT_FOUND;
        if (kind != MUTATION_DELETE) v->a[k] = a;
        for (int64_t x = m->keys.lo; kind == MUTATION_DELETE && x <= m->keys.hi && x < KEYS; x++) v->a[x] = 0;
    }
    struct engine_commit commit = { .mutations = list, .n = n };
    enum code rc = commit_now(f->db, &commit);
    if (rc != expected) fail_msg("code %d, expected %d: %s", (int)rc, (int)expected, commit.job.err.message);
    if (rc) *v = before;
    else v->us = commit.ret_timestamp_us;
    return rc;
}

static void reads_see_what_had_committed(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 4; seed++) {
        uint64_t s = seed;
        struct fixture f;
        fixture_open(&f, NULL);
        make_table(&f, "T");
        static struct version versions[COMMITS + 1];
        static struct scan scan;
        memset(versions, 0, sizeof versions);
        versions[0].us = clock_wall_us();
        size_t n = 0;
        for (int i = 0; i < COMMITS; i++) {
            versions[n + 1] = versions[n];
            if (one_commit(&f, &versions[n + 1], &s) == OK) {
                assert_true(versions[n + 1].us > versions[n].us);
                n++;
            }
            size_t pick = random_next(&s) % (n + 1);
            if (versions[pick].us > versions[0].us) check(&f, &versions[pick], versions[pick].us, &scan, &s);
            if (pick && versions[pick].us - 1 > versions[0].us)
                check(&f, &versions[pick - 1], versions[pick].us - 1, &scan, &s);
            if (i == COMMITS / 2) fixture_reopen(&f, NULL); /* the file knows it all */
        }
        scan.when = (struct engine_when){ 0 };
        scan.lo = 0, scan.hi = KEYS, scan.pause_every = 0;
        assert_int_equal(scan_now(f.db, "T", &scan), OK);
        check(&f, &versions[n], scan.when.ret_timestamp_us, &scan, &s);
        fixture_close(&f);
    }
}

/* Writers and strong readers at once: a strong read at T equals a later exact read at T. */
struct load {
    struct fixture *f;
    uint64_t seed;
    _Atomic bool *stop;
};

static void *write_load(void *arg) {
    struct load *l = arg;
    while (!atomic_load(l->stop)) {
        int64_t k = (int64_t)(random_next(&l->seed) % 100);
        if (random_next(&l->seed) % 4)
            assert_int_equal(
                write_now(l->f, "T", MUTATION_INSERT_OR_UPDATE, k, (int64_t)(random_next(&l->seed) >> 40), NULL, NULL), OK);
        else assert_int_equal(delete_now(l->f, "T", k, k + 3, NULL, NULL), OK);
    }
    return NULL;
}

/* A read at this very moment waits for what is about to commit at it. */
static void now_repeats(struct fixture *f, struct scan *first, struct scan *second) {
    first->when = second->when = (struct engine_when){ .at = true, .timestamp_us = clock_wall_us() };
    assert_int_equal(scan_now(f->db, "T", first), OK);
    assert_int_equal(write_now(f, "T", MUTATION_INSERT_OR_UPDATE, 500, 1, NULL, NULL), OK);
    assert_int_equal(scan_now(f->db, "T", second), OK);
    assert_int_equal(first->n, second->n);
    assert_memory_equal(first->pairs, second->pairs, first->n * sizeof *first->pairs);
}

static void strong_reads_repeat(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL);
    make_table(&f, "T");
    _Atomic bool stop = false;
    pthread_t threads[2];
    struct load loads[2] = { { &f, 11, &stop }, { &f, 12, &stop } };
    for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, write_load, &loads[i]);
    static struct scan strong, exact;
    int64_t last = 0;
    for (int i = 0; i < 150; i++) {
        strong.when = (struct engine_when){ 0 };
        strong.lo = 0, strong.hi = 200;
        assert_int_equal(scan_now(f.db, "T", &strong), OK);
        int64_t at = strong.when.ret_timestamp_us;
        assert_true(at >= last);
        last = at;
        exact.when = (struct engine_when){ .at = true, .timestamp_us = at };
        exact.lo = 0, exact.hi = 200, exact.pause_every = 7;
        if (scan_now(f.db, "T", &exact)) fail_msg("%s", exact.err.message);
        assert_int_equal(strong.n, exact.n);
        assert_memory_equal(strong.pairs, exact.pairs, strong.n * sizeof *strong.pairs);
        now_repeats(&f, &strong, &exact);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
    fixture_close(&f);
}

static void old_versions_are_pruned_and_refused(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, &(struct engine_options){ .retention_us = 300000 });
    make_table(&f, "T");
    int64_t first = 0;
    static struct scan s;
    assert_int_equal(write_now(&f, "T", MUTATION_INSERT, 1, 10, &first, NULL), OK);
    assert_int_equal(write_now(&f, "T", MUTATION_UPDATE, 1, 11, NULL, NULL), OK);
    s = (struct scan){ .when = { .at = true, .timestamp_us = first }, .hi = 9 };
    assert_int_equal(scan_now(f.db, "T", &s), OK);
    assert_int_equal(s.pairs[0].a, 10);
    struct timespec pause = { 2, 0 };
    nanosleep(&pause, NULL);
    assert_int_equal(scan_now(f.db, "T", &s), FAILED_PRECONDITION);
    assert_non_null(strstr(s.err.message, "too old"));
    fixture_reopen(&f, NULL); /* with a longer retention: what is gone stays refused */
    assert_int_equal(scan_now(f.db, "T", &s), FAILED_PRECONDITION);
    char command[256], path[128];
    snprintf(path, sizeof path, "%s/spanner/inst/db1.sqlite", f.dir);
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    const struct sql_catalog *c = engine_catalog(f.db);
    snprintf(command, sizeof command, "SELECT count(*) FROM h%u", c->tables[0]->id);
    engine_catalog_unref(c);
    assert_int_equal(sqlite3_prepare_v2(db, command, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int(stmt, 0), 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    fixture_close(&f);
}

static void near_future_reads_wait(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL);
    make_table(&f, "T");
    static struct scan s;
    int64_t at = clock_wall_us() + 100000, us = 0;
    s = (struct scan){ .when = { .at = true, .timestamp_us = at }, .hi = 9 };
    assert_int_equal(scan_now(f.db, "T", &s), OK);
    assert_true(clock_wall_us() >= at);
    assert_int_equal(write_now(&f, "T", MUTATION_INSERT, 1, 10, &us, NULL), OK);
    assert_true(us > at); /* nothing commits at a time that was read */
    s.when.timestamp_us = clock_wall_us() + INT64_C(3601) * 1000000;
    assert_int_equal(scan_now(f.db, "T", &s), DEADLINE_EXCEEDED);
    int64_t got = 0;
    assert_int_equal(
        engine_pick_timestamp(f.db, (struct engine_bound){ ENGINE_READ_TIMESTAMP, s.when.timestamp_us }, &got, NULL),
        DEADLINE_EXCEEDED);
    assert_int_equal(
        engine_pick_timestamp(f.db, (struct engine_bound){ ENGINE_EXACT_STALENESS, INT64_C(3601) * 1000000 }, &got, NULL),
        FAILED_PRECONDITION);
    assert_int_equal(engine_pick_timestamp(f.db, (struct engine_bound){ ENGINE_STRONG, 0 }, &got, NULL), OK);
    assert_true(got >= us);
    fixture_close(&f);
}

static void timestamps_grow_though_the_clock_does_not(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL);
    make_table(&f, "T");
    int64_t last = 0, us = 0, start = clock_wall_us();
    static struct scan s;
    for (int i = 0; i < 20; i++) {
        clock_set_for_test(start - i * 1000000);
        assert_int_equal(write_now(&f, "T", MUTATION_INSERT_OR_UPDATE, 1, i, &us, NULL), OK);
        assert_true(us > last);
        s = (struct scan){ .hi = 9 };
        assert_int_equal(scan_now(f.db, "T", &s), OK);
        assert_true(s.when.ret_timestamp_us >= us);
        last = s.when.ret_timestamp_us;
    }
    clock_set_for_test(0);
    fixture_close(&f);
}

/* SQLite counts a cached statement's steps over all its uses, and asks every 1,000 whether to stop: a BEGIN that was
 * stopped so left its connection in a transaction for ever. */
static void cancelled_reads_leave_nothing_open(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL);
    make_table(&f, "T");
    assert_int_equal(write_now(&f, "T", MUTATION_INSERT, 1, 1, NULL, NULL), OK);
    _Atomic bool cancel = true;
    static struct scan s;
    for (int i = 0; i < 4000; i++) {
        s = (struct scan){ .hi = 9, .when = { .cancel = &cancel } };
        (void)scan_now(f.db, "T", &s); /* too short for a cancel to be seen: both ends are right */
    }
    for (int i = 0; i < 50; i++) {
        s = (struct scan){ .hi = 9 };
        assert_int_equal(scan_now(f.db, "T", &s), OK);
        assert_int_equal(s.n, 1);
    }
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_see_what_had_committed),
        cmocka_unit_test(strong_reads_repeat),
        cmocka_unit_test(old_versions_are_pruned_and_refused),
        cmocka_unit_test(near_future_reads_wait),
        cmocka_unit_test(timestamps_grow_though_the_clock_does_not),
        cmocka_unit_test(cancelled_reads_leave_nothing_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
