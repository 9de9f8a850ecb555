/* Read-write transactions: serializable, losers ABORTED, none starves. */
#include "fixture.h"

#include <string.h>
#include <time.h>
#include "base/clock.h"

static const struct str owner = STR_INIT("alice");

static enum code commit_txn(struct fixture *f, const uint8_t *id, struct str who, int64_t k, int64_t a, int64_t *ret_us) {
    struct sql_value cells[] = { VALUE_INT64(k), VALUE_INT64(a) };
    struct str columns[] = { STR("k"), STR("a") };
    struct rows rows = { .cells = cells, .n_columns = 2 };
    struct engine_mutation m = { .kind = MUTATION_INSERT_OR_UPDATE,
                                 .table = STR("T"),
                                 .columns = columns,
                                 .n_columns = 2,
                                 .n_rows = 1,
                                 .row = rows_next,
                                 .ctx = &rows };
    struct engine_commit commit = { .mutations = &m, .n = 1, .has_txn = true, .owner = who };
    memcpy(commit.txn, id, ENGINE_TXN_ID_BYTES);
    enum code rc = commit_now(f->db, &commit);
    if (ret_us) *ret_us = commit.ret_timestamp_us;
    return rc;
}

static enum code read_txn(struct fixture *f, struct scan *s, const uint8_t *id, int64_t lo, int64_t hi, uint64_t limit) {
    s->when = (struct engine_when){ .has_txn = true, .owner = owner };
    memcpy(s->when.txn, id, ENGINE_TXN_ID_BYTES);
    s->lo = lo, s->hi = hi, s->limit = limit, s->pause_every = 0;
    return scan_now(f->db, "T", s);
}

static void begin(struct fixture *f, const uint8_t *previous, uint8_t *id) {
    assert_int_equal(engine_txn_begin(f->db, owner, previous, id, NULL), OK);
}

struct conflict_case {
    const char *name;
    int64_t lo, hi;
    uint64_t limit;
    int64_t written; /* by another, between read and commit; negative: deletes */
    enum code code;
};
static const struct conflict_case conflicts[] = {
    /* rows 10, 20, 30 are there */
    { "the row that was read", 10, 10, 0, 10, ABORTED },
    { "another row", 10, 10, 0, 20, OK },
    { "a new row in the range", 10, 30, 0, 15, ABORTED },
    { "a new row beside the range", 10, 30, 0, 31, OK },
    { "a row that was read as absent", 5, 5, 0, 5, ABORTED },
    { "a deletion in the range", 10, 30, 0, -20, ABORTED },
    { "behind what the limit let it see", 10, 30, 1, 20, OK },
    { "before what the limit let it see", 10, 30, 2, 15, ABORTED },
};

static void conflicts_abort(void **state) {
    (void)state;
    struct fixture f;
    static struct scan s;
    fixture_open(&f, NULL);
    make_table(&f, "T");
    for (size_t i = 0; i < COUNT(conflicts); i++) {
        const struct conflict_case *c = &conflicts[i];
        assert_int_equal(delete_now(&f, "T", 0, 99, NULL, NULL), OK);
        for (int64_t k = 10; k <= 30; k += 10) assert_int_equal(write_now(&f, "T", MUTATION_INSERT, k, 1, NULL, NULL), OK);
        uint8_t id[ENGINE_TXN_ID_BYTES];
        begin(&f, NULL, id);
        assert_int_equal(read_txn(&f, &s, id, c->lo, c->hi, c->limit), OK);
        if (c->written < 0) assert_int_equal(delete_now(&f, "T", -c->written, -c->written, NULL, NULL), OK);
        else assert_int_equal(write_now(&f, "T", MUTATION_INSERT_OR_UPDATE, c->written, 2, NULL, NULL), OK);
        enum code rc = commit_txn(&f, id, owner, 99, 1, NULL);
        if (rc != c->code) fail_msg("%s: code %d", c->name, (int)rc);
    }
    fixture_close(&f);
}

static void a_transaction_has_one_life(void **state) {
    (void)state;
    struct fixture f;
    static struct scan s;
    uint8_t id[ENGINE_TXN_ID_BYTES], other[ENGINE_TXN_ID_BYTES] = { 1 };
    int64_t first = 0, again = 0;
    fixture_open(&f, &(struct engine_options){ .max_txns = 50 });
    make_table(&f, "T");
    begin(&f, NULL, id);
    assert_int_equal(commit_txn(&f, id, STR("mallory"), 1, 1, NULL), NOT_FOUND);
    assert_int_equal(commit_txn(&f, other, owner, 1, 1, NULL), NOT_FOUND);
    assert_int_equal(commit_txn(&f, id, owner, 1, 1, &first), OK);
    assert_int_equal(commit_txn(&f, id, owner, 1, 2, &again), OK);
    assert_true(first == again);
    assert_int_equal(read_txn(&f, &s, id, 1, 1, 0), FAILED_PRECONDITION);
    assert_int_equal(engine_txn_rollback(f.db, owner, id, NULL), FAILED_PRECONDITION);
    begin(&f, NULL, id);
    assert_int_equal(engine_txn_rollback(f.db, STR("mallory"), id, NULL), NOT_FOUND);
    assert_int_equal(engine_txn_rollback(f.db, owner, id, NULL), OK);
    assert_int_equal(engine_txn_rollback(f.db, owner, other, NULL), OK);
    assert_int_equal(commit_txn(&f, id, owner, 1, 3, NULL), FAILED_PRECONDITION);
    enum code rc = OK;
    int begun = 0;
    for (; begun < 100 && !rc; begun++) rc = engine_txn_begin(f.db, owner, NULL, id, NULL);
    assert_int_equal(rc, RESOURCE_EXHAUSTED);
    assert_int_equal(begun, 51); /* the finished ones made room */
    fixture_close(&f);
}

static void schema_changes_abort_who_read(void **state) {
    (void)state;
    struct fixture f;
    static struct scan s;
    uint8_t id[ENGINE_TXN_ID_BYTES], late[ENGINE_TXN_ID_BYTES];
    fixture_open(&f, NULL);
    make_table(&f, "T");
    begin(&f, NULL, id);
    begin(&f, NULL, late);
    assert_int_equal(read_txn(&f, &s, id, 1, 1, 0), OK);
    assert_int_equal(read_txn(&f, &s, late, 1, 1, 0), OK);
    struct engine_ddl drop = { .kind = ENGINE_DROP_COLUMN, .table = STR("T"), .column = STR("b") };
    assert_int_equal(ddl_now(f.db, &drop, NULL, NULL), OK);
    assert_int_equal(commit_txn(&f, id, owner, 1, 1, NULL), ABORTED);
    assert_int_equal(read_txn(&f, &s, late, 1, 1, 0), ABORTED);
    fixture_close(&f);
}

/* Transfers between accounts by many threads: the sum holds, which it does only when they are serializable; and so do all
 * the balances, replayed in the order of the commit timestamps. */
enum { ACCOUNTS = 6, CLIENTS = 4, TRANSFERS = 40 };
struct transfer {
    int64_t us, k, a;
};
struct client {
    struct fixture *f;
    uint64_t seed;
    struct transfer log[TRANSFERS];
    unsigned aborted;
    _Atomic bool stop;
};

/* Reads all, and sets one account so that the sum becomes odd or even by a rule that write skew would break. */
static void *client_main(void *arg) {
    struct client *c = arg;
    struct scan *s = calloc(1, sizeof *s);
    uint8_t id[ENGINE_TXN_ID_BYTES], before[ENGINE_TXN_ID_BYTES];
    for (int i = 0; i < TRANSFERS; i++) {
        for (bool retry = false;; retry = true) {
            begin(c->f, retry ? before : NULL, id);
            memcpy(before, id, sizeof id);
            enum code rc = read_txn(c->f, s, id, 0, ACCOUNTS, 0);
            if (rc == ABORTED) continue;
            assert_int_equal(rc, OK);
            int64_t sum = 0, k = (int64_t)(random_next(&c->seed) % ACCOUNTS);
            for (size_t j = 0; j < s->n; j++) sum += s->pairs[j].a;
            rc = commit_txn(c->f, id, owner, k, sum % 1000 + 1, &c->log[i].us);
            c->log[i].k = k, c->log[i].a = sum % 1000 + 1;
            if (!rc) break;
            assert_int_equal(rc, ABORTED);
            c->aborted++;
        }
    }
    free(s);
    return NULL;
}

static int by_time(const void *a, const void *b) {
    int64_t x = ((const struct transfer *)a)->us, y = ((const struct transfer *)b)->us;
    return (x > y) - (x < y);
}

static void transactions_are_serializable(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL);
    make_table(&f, "T");
    int64_t balance[ACCOUNTS] = { 0 };
    for (int64_t k = 0; k < ACCOUNTS; k++)
        assert_int_equal(write_now(&f, "T", MUTATION_INSERT, k, balance[k] = k + 1, NULL, NULL), OK);
    static struct client clients[CLIENTS];
    static struct transfer all[CLIENTS * TRANSFERS];
    pthread_t threads[CLIENTS];
    for (int i = 0; i < CLIENTS; i++) {
        clients[i].f = &f;
        clients[i].seed = (uint64_t)i + 1;
        pthread_create(&threads[i], NULL, client_main, &clients[i]);
    }
    unsigned aborted = 0;
    for (int i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], NULL);
        memcpy(all + i * TRANSFERS, clients[i].log, sizeof clients[i].log);
        aborted += clients[i].aborted;
    }
    qsort(all, COUNT(all), sizeof *all, by_time);
    for (size_t i = 0; i < COUNT(all); i++) { /* each saw exactly what those before it left */
        int64_t sum = 0;
        for (int k = 0; k < ACCOUNTS; k++) sum += balance[k];
        if (all[i].a != sum % 1000 + 1) fail_msg("commit %zu read a state that never was", i);
        balance[all[i].k] = all[i].a;
    }
    assert_true(aborted > 0); /* they did collide */
    fixture_close(&f);
}

/* A slow transaction against a fast writer of the same row: it wins after a few losses. */
static void *hammer(void *arg) {
    struct client *c = arg;
    for (int64_t n = 0; !atomic_load(&c->stop); n++) {
        struct timespec pause = { 0, 2000000 };
        enum code rc = write_now(c->f, "T", MUTATION_INSERT_OR_UPDATE, 1, n, NULL, NULL);
        if (rc == ABORTED) nanosleep(&pause, NULL);
        else assert_int_equal(rc, OK);
    }
    return NULL;
}

static void losers_win_in_the_end(void **state) {
    (void)state;
    struct fixture f;
    static struct scan s;
    static struct client c;
    fixture_open(&f, NULL);
    make_table(&f, "T");
    assert_int_equal(write_now(&f, "T", MUTATION_INSERT, 1, 1, NULL, NULL), OK);
    c.f = &f;
    pthread_t thread;
    pthread_create(&thread, NULL, hammer, &c);
    uint8_t id[ENGINE_TXN_ID_BYTES], before[ENGINE_TXN_ID_BYTES];
    int tries = 0;
    for (enum code rc = ABORTED; rc == ABORTED && tries < 50; tries++) {
        struct timespec think = { 0, 30000000 };
        begin(&f, tries ? before : NULL, id);
        memcpy(before, id, sizeof id);
        rc = read_txn(&f, &s, id, 1, 1, 0);
        nanosleep(&think, NULL);
        if (!rc) rc = commit_txn(&f, id, owner, 2, 1, NULL);
    }
    atomic_store(&c.stop, true);
    pthread_join(thread, NULL);
    assert_in_range(tries, 2, 10);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conflicts_abort),
        cmocka_unit_test(a_transaction_has_one_life),
        cmocka_unit_test(schema_changes_abort_who_read),
        cmocka_unit_test(transactions_are_serializable),
        cmocka_unit_test(losers_win_in_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
