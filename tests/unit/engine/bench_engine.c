/* What the engine does alone, without a wire: durable load, point reads, single-row commits. Not a test: prints a table. */
#include "fixture.h"

#include <stdio.h>
#include <string.h>
#include "base/clock.h"

enum { COLUMNS = 19, BATCH = 4000, BATCHES = 60 };

static struct sql_column columns[COLUMNS];
static struct str names[COLUMNS];
static char name_text[COLUMNS][8];

static void make_flights(struct fixture *f) {
    struct engine_ddl_key key[] = { { STR("c0"), false }, { STR("c1"), false } };
    struct err err = { 0 };
    for (int i = 0; i < COLUMNS; i++) {
        snprintf(name_text[i], sizeof name_text[i], "c%d", i);
        names[i] = str_z(name_text[i]);
        columns[i] = (struct sql_column){ .name = names[i],
                                          .type = i % 5 == 1   ? SQL_STRING
                                                  : i % 5 == 4 ? SQL_FLOAT64
                                                               : SQL_INT64,
                                          .max_length = i % 5 == 1 ? 20 : 0 };
    }
    struct engine_ddl ddl = {
        .kind = ENGINE_CREATE_TABLE, .table = STR("F"), .columns = columns, .n_columns = COLUMNS, .key = key, .n_key = 2
    };
    if (ddl_now(f->db, &ddl, NULL, &err)) fail_msg("%s", err.message);
}

static enum code flight(void *ctx, const struct sql_column *const *wanted, size_t n, struct sql_value *ret,
                        struct err *err) {
    int64_t k = (*(int64_t *)ctx)++;
    (void)err;
    for (size_t i = 0; i < n; i++)
        ret[i] = wanted[i]->type == SQL_STRING    ? VALUE_STRING(STR("N14228"))
                 : wanted[i]->type == SQL_FLOAT64 ? VALUE_FLOAT((double)k * 0.5)
                                                  : VALUE_INT64(k + (int64_t)i * 7);
    return OK;
}

static double seconds(uint64_t from) {
    return (double)(clock_mono_us() - from) / 1e6;
}

static void load(struct fixture *f, enum mutation_kind kind, const char *what) {
    int64_t next = 0;
    uint64_t from = clock_mono_us();
    for (int i = 0; i < BATCHES; i++) {
        struct engine_mutation m = { .kind = kind,
                                     .table = STR("F"),
                                     .columns = names,
                                     .n_columns = COLUMNS,
                                     .n_rows = BATCH,
                                     .row = flight,
                                     .ctx = &next };
        struct engine_commit commit = { .mutations = &m, .n = 1 };
        if (commit_now(f->db, &commit)) fail_msg("%s", commit.job.err.message);
    }
    printf("%-40s %10.0f rows/s\n", what, BATCHES * BATCH / seconds(from));
}

struct client {
    struct fixture *f;
    int64_t id, n;
};

static void *committer(void *arg) {
    struct client *c = arg;
    for (int64_t i = 0; i < c->n; i++)
        if (write_now(c->f, "T", MUTATION_INSERT_OR_UPDATE, (c->id * c->n + i) * 7919 % 100000, i, NULL, NULL)) abort();
    return NULL;
}

/* A pipeline of reads: each done posts the next, as a loop does. */
struct point {
    struct engine_read read;
    struct key_set set;
    struct arena *arena;
    struct waiter *w;
    _Atomic long *left;
    uint64_t seed;
    struct engine_db *db;
};

static enum engine_next point_row(struct engine_read *read, const struct engine_row *row) {
    (void)read;
    (void)row;
    return ENGINE_MORE;
}

static void point_next(struct engine_read *read) {
    struct point *p = read->ctx;
    if (atomic_fetch_sub(p->left, 1) <= 0) {
        waiter_done(p->w);
        return;
    }
    arena_reset(p->arena);
    p->set = (struct key_set){ .arena = p->arena, .table = read->table };
    struct sql_value k = VALUE_INT64((int64_t)(random_next(&p->seed) % 40000));
    if (key_set_add_key(&p->set, &k, 1, NULL)) abort();
    read->ranges = p->set.ranges, read->n_ranges = 1;
    read->job.code = OK;
    if (engine_post_read(p->db, read, NULL)) abort();
}

static void points(struct fixture *f, unsigned clients, long n) {
    static struct point all[32];
    struct waiter w[32];
    _Atomic long left = n;
    const struct sql_catalog *catalog = engine_catalog(f->db);
    uint16_t wanted[] = { 0, 1, 2 };
    uint64_t from = clock_mono_us();
    for (unsigned i = 0; i < clients; i++) {
        w[i] = (struct waiter)WAITER_INIT;
        all[i] = (struct point){ .arena = arena_new(1 << 20), .w = &w[i], .left = &left, .seed = i, .db = f->db };
        all[i].read = (struct engine_read){ .table = sql_catalog_find(catalog, STR("T")),
                                            .columns = wanted,
                                            .n_columns = 3,
                                            .row = point_row,
                                            .done = point_next,
                                            .ctx = &all[i],
                                            .ret_last = BUF_INIT(KEY_MAX_BYTES) };
        point_next(&all[i].read);
    }
    for (unsigned i = 0; i < clients; i++) {
        waiter_wait(&w[i]);
        arena_free(all[i].arena);
    }
    printf("point reads, %2u at once                   %10.0f /s\n", clients, (double)n / seconds(from));
    engine_catalog_unref(catalog);
}

static void commits(struct fixture *f, int64_t clients, int64_t each) {
    pthread_t threads[32];
    static struct client all[32];
    uint64_t from = clock_mono_us();
    for (int64_t i = 0; i < clients; i++) {
        all[i] = (struct client){ f, i, each };
        pthread_create(&threads[i], NULL, committer, &all[i]);
    }
    for (int64_t i = 0; i < clients; i++) pthread_join(threads[i], NULL);
    printf("single-row commits, %2d clients            %10.0f /s\n", (int)clients,
           (double)(clients * each) / seconds(from));
}

static enum engine_next scan_row(struct engine_read *read, const struct engine_row *row) {
    uint64_t *sum = read->ctx;
    *sum += (uint64_t)sqlite3_column_int64(row->stmt, row->first);
    return ENGINE_MORE;
}
static struct waiter scan_waiter = WAITER_INIT;
static void scan_end(struct engine_read *read) {
    (void)read;
    waiter_done(&scan_waiter);
}

static void scan_all(struct fixture *f, int64_t at_us, const char *what) {
    const struct sql_catalog *catalog = engine_catalog(f->db);
    const struct sql_table *t = sql_catalog_find(catalog, STR("F"));
    struct key_set set = { .arena = f->arena, .table = t };
    uint64_t sum = 0;
    uint16_t wanted[] = { 0, 1, 2, 3, 4 };
    if (key_set_add_all(&set, NULL)) abort();
    struct engine_read read = { .when = { .at = at_us != 0, .timestamp_us = at_us },
                                .table = t,
                                .columns = wanted,
                                .n_columns = 5,
                                .ranges = set.ranges,
                                .n_ranges = 1,
                                .row = scan_row,
                                .done = scan_end,
                                .ctx = &sum,
                                .ret_last = BUF_INIT(KEY_MAX_BYTES) };
    uint64_t from = clock_mono_us();
    if (engine_post_read(f->db, &read, NULL)) abort();
    waiter_wait(&scan_waiter);
    if (read.job.code) fail_msg("%s", read.job.err.message);
    printf("%-40s %10.0f rows/s\n", what, (double)read.ret_rows / seconds(from));
    engine_catalog_unref(catalog);
}

int main(void) {
    struct fixture f;
    fixture_open(&f, NULL);
    make_flights(&f);
    make_table(&f, "T");
    load(&f, MUTATION_INSERT_OR_UPDATE, "load, 4,000 rows x 19 columns a commit");
    int64_t loaded = clock_wall_us();
    scan_all(&f, 0, "scan, strong, 5 columns");
    load(&f, MUTATION_INSERT_OR_UPDATE, "the same rows over themselves");
    scan_all(&f, 0, "scan, strong, 5 columns");
    scan_all(&f, loaded, "scan through history");
    commits(&f, 1, 3000);
    commits(&f, 32, 2000);
    points(&f, 1, 100000);
    points(&f, 32, 400000);
    fixture_close(&f);
    return 0;
}
