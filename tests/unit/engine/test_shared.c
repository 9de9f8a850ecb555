/* Reads that wait together share one snapshot of SQLite; none gets one that is older than itself. */
#include "fixture.h"

/* A read of the row with key 1; one with a gate stops in that row until the gate opens. */
struct one {
    struct engine_read read;
    struct key_set keys;
    struct waiter arrived, *gate, done;
    int64_t a;
    size_t n;
};

static enum engine_next take(struct engine_read *read, const struct engine_row *row) {
    struct one *o = read->ctx;
    o->a = sqlite3_column_int64(row->stmt, row->first);
    o->n++;
    if (o->gate) {
        waiter_done(&o->arrived);
        waiter_wait(o->gate);
    }
    return ENGINE_MORE;
}

static void taken(struct engine_read *read) {
    waiter_done(&((struct one *)read->ctx)->done);
}

static const uint16_t column_a[] = { 1 };

static void post(struct fixture *f, const struct sql_catalog *catalog, struct one *o, struct engine_when when,
                 struct waiter *gate) {
    struct sql_value key = { .type = SQL_INT64, .i64 = 1 };
    const struct sql_table *table = sql_catalog_find(catalog, STR("T"));
    *o = (struct one){ .keys = { .arena = f->arena, .table = table }, .arrived = WAITER_INIT, .done = WAITER_INIT };
    o->gate = gate;
    assert_int_equal(key_set_add_key(&o->keys, &key, 1, NULL), OK);
    o->read = (struct engine_read){ .when = when,
                                    .table = table,
                                    .columns = column_a,
                                    .n_columns = 1,
                                    .ranges = o->keys.ranges,
                                    .n_ranges = o->keys.n,
                                    .row = take,
                                    .done = taken,
                                    .ctx = o,
                                    .ret_last = BUF_INIT(KEY_MAX_BYTES) };
    assert_int_equal(engine_post_read(f->db, &o->read, &o->read.job.err), OK);
}

static void expect(struct one *o, int64_t a) {
    waiter_wait(&o->done);
    assert_int_equal(o->read.job.code, OK);
    assert_int_equal(o->n, 1);
    assert_int_equal(o->a, a);
}

static void one_snapshot_for_those_that_wait(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, &(struct engine_options){ .readers = 1 });
    make_table(&f, "T");
    int64_t first = 0, second = 0;
    assert_int_equal(write_now(&f, "T", MUTATION_INSERT, 1, 10, &first, NULL), OK);
    const struct sql_catalog *catalog = engine_catalog(f.db);
    struct waiter gate = WAITER_INIT;
    struct one held, strong[2], at_first, at_second, late;
    post(&f, catalog, &held, (struct engine_when){ 0 }, &gate);
    waiter_wait(&held.arrived); /* the only reader stands in a snapshot */
    assert_int_equal(write_now(&f, "T", MUTATION_UPDATE, 1, 11, &second, NULL), OK);
    post(&f, catalog, &strong[0], (struct engine_when){ 0 }, NULL);
    post(&f, catalog, &at_first, (struct engine_when){ .at = true, .timestamp_us = first }, NULL);
    post(&f, catalog, &at_second, (struct engine_when){ .at = true, .timestamp_us = second }, NULL);
    post(&f, catalog, &strong[1], (struct engine_when){ 0 }, NULL);
    waiter_done(&gate);
    expect(&held, 10);
    expect(&strong[0], 11); /* not of the snapshot that stood when it was posted */
    expect(&at_first, 10);
    expect(&at_second, 11);
    expect(&strong[1], 11);
    assert_true(strong[0].read.when.ret_timestamp_us >= second);
    assert_int_equal(strong[0].read.when.ret_timestamp_us, strong[1].read.when.ret_timestamp_us); /* one snapshot */
    assert_int_equal(write_now(&f, "T", MUTATION_UPDATE, 1, 12, NULL, NULL), OK);
    post(&f, catalog, &late, (struct engine_when){ 0 }, NULL);
    expect(&late, 12);
    engine_catalog_unref(catalog);
    fixture_close(&f);
}

/* What a read does wrong, or a lost deadline, is its own: those behind it read on. */
static void a_failure_is_its_own(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, &(struct engine_options){ .readers = 1 });
    make_table(&f, "T");
    assert_int_equal(write_now(&f, "T", MUTATION_INSERT, 1, 10, NULL, NULL), OK);
    const struct sql_catalog *catalog = engine_catalog(f.db);
    struct waiter gate = WAITER_INIT;
    struct one held, old, fine;
    post(&f, catalog, &held, (struct engine_when){ 0 }, &gate);
    waiter_wait(&held.arrived);
    post(&f, catalog, &old, (struct engine_when){ .at = true, .timestamp_us = 1 }, NULL); /* older than the retention */
    post(&f, catalog, &fine, (struct engine_when){ 0 }, NULL);
    waiter_done(&gate);
    expect(&held, 10);
    waiter_wait(&old.done);
    assert_int_equal(old.read.job.code, FAILED_PRECONDITION);
    expect(&fine, 10);
    engine_catalog_unref(catalog);
    fixture_close(&f);
}

/* Many at once: whoever was told of a commit sees it, whichever reader serves, and time never goes back. */
enum { WRITERS = 8, ROUNDS = 60 };

struct witness {
    struct fixture *f;
    int64_t key;
};

static void *write_and_see(void *arg) {
    struct witness *w = arg;
    struct scan *s = calloc(1, sizeof *s);
    assert_non_null(s);
    int64_t last = 0, us = 0;
    for (int64_t i = 1; i <= ROUNDS; i++) {
        assert_int_equal(write_now(w->f, "T", MUTATION_INSERT_OR_UPDATE, w->key, i, &us, NULL), OK);
        *s = (struct scan){ .lo = w->key, .hi = w->key };
        assert_int_equal(scan_now(w->f->db, "T", s), OK);
        assert_int_equal(s->n, 1);
        assert_int_equal(s->pairs[0].a, i);
        assert_true(s->when.ret_timestamp_us >= us && s->when.ret_timestamp_us >= last);
        last = s->when.ret_timestamp_us;
    }
    free(s);
    return NULL;
}

static void acknowledged_is_seen(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, &(struct engine_options){ .readers = 2 });
    make_table(&f, "T");
    pthread_t threads[WRITERS];
    struct witness witnesses[WRITERS];
    for (int64_t i = 0; i < WRITERS; i++) {
        witnesses[i] = (struct witness){ &f, i };
        pthread_create(&threads[i], NULL, write_and_see, &witnesses[i]);
    }
    for (size_t i = 0; i < WRITERS; i++) pthread_join(threads[i], NULL);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_snapshot_for_those_that_wait),
        cmocka_unit_test(a_failure_is_its_own),
        cmocka_unit_test(acknowledged_is_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
