#include "fixture.h"

#include <stdio.h>
#include <string.h>

static void open_engine(struct fixture *f, const struct engine_options *options) {
    struct engine_options o = options ? *options : (struct engine_options){ 0 };
    struct err err = { 0 };
    o.data_dir = f->dir;
    if (engine_open(&o, &f->engine, &err)) fail_msg("engine_open: %s", err.message);
}

void fixture_open(struct fixture *f, const struct engine_options *options) {
    *f = (struct fixture){ .dir = "/tmp/linkspan-engine-XXXXXX" };
    assert_non_null(mkdtemp(f->dir));
    struct err err = { 0 };
    open_engine(f, options);
    if (engine_create_database(f->engine, STR("inst"), STR("db1"), &err)) fail_msg("create: %s", err.message);
    if (engine_get_database(f->engine, STR("inst"), STR("db1"), &f->db, &err)) fail_msg("get: %s", err.message);
    f->arena = arena_new(64 << 20);
}

void fixture_reopen(struct fixture *f, const struct engine_options *options) {
    struct err err = { 0 };
    f->db = engine_db_unref(f->db);
    engine_close(f->engine);
    open_engine(f, options);
    if (engine_get_database(f->engine, STR("inst"), STR("db1"), &f->db, &err)) fail_msg("get: %s", err.message);
}

void fixture_close(struct fixture *f) {
    f->db = engine_db_unref(f->db);
    engine_close(f->engine);
    arena_free(f->arena);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
}

void waiter_done(struct waiter *w) {
    pthread_mutex_lock(&w->lock);
    w->done = true;
    pthread_cond_signal(&w->cond);
    pthread_mutex_unlock(&w->lock);
}

void waiter_wait(struct waiter *w) {
    pthread_mutex_lock(&w->lock);
    while (!w->done) pthread_cond_wait(&w->cond, &w->lock);
    w->done = false;
    pthread_mutex_unlock(&w->lock);
}

static void ddl_done(struct engine_ddl_job *job) {
    waiter_done(job->ctx);
}

enum code ddl_now(struct engine_db *db, const struct engine_ddl *ddl, int64_t *ret_us, struct err *err) {
    struct waiter w = WAITER_INIT;
    int64_t us = 0;
    struct engine_ddl_job job = { .statements = ddl, .n = 1, .ret_timestamps = &us, .done = ddl_done, .ctx = &w };
    enum code rc = engine_post_ddl(db, &job, err);
    if (rc) return rc;
    waiter_wait(&w);
    if (ret_us) *ret_us = us;
    if (job.job.code) *err = job.job.err;
    return job.job.code;
}

void make_table(struct fixture *f, const char *name) {
    static const struct sql_column columns[] = {
        { .name = STR_INIT("k"), .type = SQL_INT64, .not_null = true },
        { .name = STR_INIT("a"), .type = SQL_INT64 },
        { .name = STR_INIT("b"), .type = SQL_STRING, .max_length = INT64_MAX },
    };
    static const struct engine_ddl_key key[] = { { STR_INIT("k"), false } };
    struct engine_ddl ddl = {
        .kind = ENGINE_CREATE_TABLE, .table = str_z(name), .columns = columns, .n_columns = 3, .key = key, .n_key = 1
    };
    struct err err = { 0 };
    if (ddl_now(f->db, &ddl, NULL, &err)) fail_msg("create table: %s", err.message);
}

enum code rows_next(void *ctx, const struct sql_column *const *columns, size_t n, struct sql_value *ret, struct err *err) {
    (void)columns;
    (void)err;
    struct rows *r = ctx;
    memcpy(ret, r->cells + r->at * r->n_columns, n * sizeof *ret);
    r->at++;
    return OK;
}

enum code delete_keys_fill(void *ctx, const struct sql_table *table, struct key_set *set, struct err *err) {
    (void)table;
    struct delete_keys *d = ctx;
    struct sql_value lo = VALUE_INT64(d->lo), hi = VALUE_INT64(d->hi);
    if (d->lo == d->hi) return key_set_add_key(set, &lo, 1, err);
    return key_set_add_range(set, (struct key_bound){ &lo, 1, true }, (struct key_bound){ &hi, 1, true }, err);
}

static void commit_done(struct engine_commit *c) {
    waiter_done(c->ctx);
}

enum code commit_now(struct engine_db *db, struct engine_commit *commit) {
    struct waiter w = WAITER_INIT;
    commit->done = commit_done;
    commit->ctx = &w;
    enum code rc = engine_post_commit(db, commit, &commit->job.err);
    if (rc) return commit->job.code = rc;
    waiter_wait(&w);
    return commit->job.code;
}

static enum code one_mutation(struct fixture *f, const struct engine_mutation *m, int64_t *ret_us, struct err *err) {
    struct engine_commit commit = { .mutations = m, .n = 1 };
    enum code rc = commit_now(f->db, &commit);
    if (rc && err) *err = commit.job.err;
    if (!rc && ret_us) *ret_us = commit.ret_timestamp_us;
    return rc;
}

enum code write_now(struct fixture *f, const char *table, enum mutation_kind kind, int64_t k, int64_t a, int64_t *ret_us,
                    struct err *err) {
    struct sql_value cells[] = { VALUE_INT64(k), VALUE_INT64(a) };
    struct str columns[] = { STR("k"), STR("a") };
    struct rows rows = { .cells = cells, .n_columns = 2 };
    struct engine_mutation m = {
        .kind = kind, .table = str_z(table), .columns = columns, .n_columns = 2, .n_rows = 1, .row = rows_next, .ctx = &rows
    };
    return one_mutation(f, &m, ret_us, err);
}

enum code delete_now(struct fixture *f, const char *table, int64_t lo, int64_t hi, int64_t *ret_us, struct err *err) {
    struct delete_keys keys = { lo, hi };
    struct engine_mutation m = { .kind = MUTATION_DELETE, .table = str_z(table), .keys = delete_keys_fill, .ctx = &keys };
    return one_mutation(f, &m, ret_us, err);
}

struct scanning {
    struct scan *s;
    struct waiter w;
    unsigned chunk;
};

static enum engine_next scan_row(struct engine_read *read, const struct engine_row *row) {
    struct scanning *x = read->ctx;
    struct sql_value k, a;
    if (!value_read(sqlite3_column_value(row->stmt, row->first), SQL_INT64, &k) ||
        !value_read(sqlite3_column_value(row->stmt, row->first + 1), SQL_INT64, &a) || x->s->n == COUNT(x->s->pairs)) {
        read->job.err = (struct err){ .code = INTERNAL };
        return ENGINE_FAIL;
    }
    x->s->pairs[x->s->n++] = (struct pair){ k.i64, a.i64 };
    return ++x->chunk == x->s->pause_every ? ENGINE_PAUSE : ENGINE_MORE;
}

static void scan_done(struct engine_read *read) {
    waiter_done(&((struct scanning *)read->ctx)->w);
}

static enum code scan_chunks(struct engine_db *db, struct engine_read *read, struct scanning *x) {
    for (;;) {
        x->chunk = 0;
        read->job.code = OK;
        enum code rc = engine_post_read(db, read, &read->job.err);
        if (rc) return rc;
        waiter_wait(&x->w);
        if (read->job.code || !read->ret_more) return read->job.code;
        struct buf last = read->ret_last; /* the next chunk writes its own */
        read->ret_last = (struct buf)BUF_INIT(KEY_MAX_BYTES);
        static _Thread_local char after[KEY_MAX_BYTES];
        memcpy(after, last.p, last.n);
        read->after = (struct str){ after, last.n };
        buf_free(&last);
        read->when.at = true;
        read->when.timestamp_us = read->when.ret_timestamp_us;
    }
}

enum code scan_now(struct engine_db *db, const char *table, struct scan *s) {
    const struct sql_catalog *catalog = engine_catalog(db);
    struct arena *arena = arena_new(1 << 20);
    const struct sql_table *t = sql_catalog_find(catalog, str_z(table));
    assert_non_null(t);
    struct key_set set = { .arena = arena, .table = t };
    struct delete_keys range = { s->lo, s->hi };
    assert_int_equal(delete_keys_fill(&range, t, &set, NULL), OK);
    key_set_finish(&set);
    uint16_t columns[] = { 0, 1 };
    struct scanning x = { .s = s, .w = WAITER_INIT };
    struct engine_read read = { .when = s->when,
                                .table = t,
                                .columns = columns,
                                .n_columns = 2,
                                .ranges = set.ranges,
                                .n_ranges = set.n,
                                .limit = s->limit,
                                .row = scan_row,
                                .done = scan_done,
                                .ctx = &x,
                                .ret_last = BUF_INIT(KEY_MAX_BYTES) };
    s->n = 0;
    enum code rc = scan_chunks(db, &read, &x);
    s->err = read.job.err;
    s->when.ret_timestamp_us = read.when.ret_timestamp_us;
    buf_free(&read.ret_last);
    arena_free(arena);
    engine_catalog_unref(catalog);
    return rc;
}

uint64_t random_next(uint64_t *state) { /* splitmix64 */
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}
