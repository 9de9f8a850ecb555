/* Schema, mutations and their refusals, the audit outbox, partitions, queries. */
#include "fixture.h"
#include "googlesql/print.h"

#include <stdio.h>
#include <string.h>
#include "base/clock.h"

struct write_case {
    const char *name;
    enum mutation_kind kind;
    int64_t k;
    enum code code;
};
static const struct write_case writes[] = {
    /* row 1 is there, row 2 is not; each case begins anew */
    { "insert what exists", MUTATION_INSERT, 1, ALREADY_EXISTS },
    { "insert", MUTATION_INSERT, 2, OK },
    { "update", MUTATION_UPDATE, 1, OK },
    { "update what is missing", MUTATION_UPDATE, 2, NOT_FOUND },
    { "upsert over", MUTATION_INSERT_OR_UPDATE, 1, OK },
    { "upsert new", MUTATION_INSERT_OR_UPDATE, 2, OK },
    { "replace over", MUTATION_REPLACE, 1, OK },
    { "replace new", MUTATION_REPLACE, 2, OK },
};

static void mutations_do_what_their_names_say(void **state) {
    (void)state;
    struct fixture f;
    static struct scan s;
    fixture_open(&f, NULL);
    make_table(&f, "T");
    for (size_t i = 0; i < COUNT(writes); i++) {
        assert_int_equal(delete_now(&f, "t", 0, 9, NULL, NULL), OK); /* names ignore case */
        assert_int_equal(write_now(&f, "T", MUTATION_INSERT, 1, 10, NULL, NULL), OK);
        enum code rc = write_now(&f, "T", writes[i].kind, writes[i].k, 77, NULL, NULL);
        if (rc != writes[i].code) fail_msg("%s: code %d", writes[i].name, (int)rc);
        s = (struct scan){ .hi = 9 };
        assert_int_equal(scan_now(f.db, "T", &s), OK);
        assert_int_equal(s.n, rc || writes[i].k == 1 ? 1 : 2);
        assert_int_equal(s.pairs[s.n - 1].a, rc ? 10 : 77);
    }
    fixture_close(&f);
}

static enum code commit_cells(struct fixture *f, enum mutation_kind kind, const struct str *columns, size_t n,
                              struct sql_value *cells, size_t rows, struct err *err, struct engine_commit *ret) {
    struct rows r = { .cells = cells, .n_columns = n };
    struct engine_mutation m = {
        .kind = kind, .table = STR("T"), .columns = columns, .n_columns = n, .n_rows = rows, .row = rows_next, .ctx = &r
    };
    struct engine_commit commit = { .mutations = &m, .n = 1 };
    enum code rc = commit_now(f->db, &commit);
    if (rc && err) *err = commit.job.err;
    if (ret) *ret = commit;
    return rc;
}

static enum code repeat_row(void *ctx, const struct sql_column *const *columns, size_t n, struct sql_value *ret,
                            struct err *err) {
    (void)columns;
    (void)n;
    (void)err;
    ret[0] = VALUE_INT64((*(int64_t *)ctx)++);
    ret[1] = VALUE_INT64(0);
    return OK;
}

static void mutations_are_limited(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL);
    make_table(&f, "T");
    struct str columns[] = { STR("k"), STR("a") };
    int64_t next = 0;
    struct engine_mutation m = { .kind = MUTATION_INSERT,
                                 .table = STR("T"),
                                 .columns = columns,
                                 .n_columns = 2,
                                 .n_rows = 40000,
                                 .row = repeat_row,
                                 .ctx = &next };
    struct engine_commit commit = { .mutations = &m, .n = 1 };
    assert_int_equal(commit_now(f.db, &commit), OK);
    assert_int_equal(commit.ret_mutation_count, 80000);
    m.n_rows = 40001;
    commit = (struct engine_commit){ .mutations = &m, .n = 1 };
    assert_int_equal(commit_now(f.db, &commit), INVALID_ARGUMENT);
    assert_non_null(strstr(commit.job.err.message, "The transaction contains too many mutations."));
    assert_non_null(strstr(commit.job.err.message, "80002"));
    fixture_close(&f);
}

static void wrong_mutations_are_refused(void **state) {
    (void)state;
    struct fixture f;
    struct err err = { 0 };
    fixture_open(&f, NULL);
    make_table(&f, "T");
    struct str k_a[] = { STR("k"), STR("a") }, a[] = { STR("a") }, k_k[] = { STR("k"), STR("K") },
               k_x[] = { STR("k"), STR("x") };
    struct sql_value good[] = { VALUE_INT64(1), VALUE_INT64(2) }, null_key[] = { VALUE_NULL(SQL_INT64), VALUE_INT64(2) },
                     text[] = { VALUE_INT64(1), VALUE_STRING(STR("canary")) };
    assert_int_equal(commit_cells(&f, MUTATION_INSERT, a, 1, good, 1, &err, NULL), FAILED_PRECONDITION);
    assert_int_equal(commit_cells(&f, MUTATION_INSERT, k_k, 2, good, 1, &err, NULL), INVALID_ARGUMENT);
    assert_int_equal(commit_cells(&f, MUTATION_INSERT, k_x, 2, good, 1, &err, NULL), NOT_FOUND);
    assert_int_equal(commit_cells(&f, MUTATION_INSERT, k_a, 2, null_key, 1, &err, NULL), FAILED_PRECONDITION);
    assert_int_equal(commit_cells(&f, MUTATION_INSERT, k_a, 2, text, 1, &err, NULL), INVALID_ARGUMENT);
    assert_null(strstr(err.message, "canary"));
    assert_int_equal(write_now(&f, "U", MUTATION_INSERT, 1, 2, NULL, &err), NOT_FOUND);
    assert_str(str_z(err.message), "Table not found: U");
    fixture_close(&f);
}

/* One commit's failure takes back all of it, and nothing of its neighbours. */
static void a_commit_is_whole(void **state) {
    (void)state;
    struct fixture f;
    static struct scan s;
    fixture_open(&f, NULL);
    make_table(&f, "T");
    struct str columns[] = { STR("k"), STR("a") };
    struct sql_value cells[] = { VALUE_INT64(1), VALUE_INT64(1), VALUE_INT64(2),
                                 VALUE_INT64(2), VALUE_INT64(1), VALUE_INT64(3) };
    assert_int_equal(commit_cells(&f, MUTATION_INSERT, columns, 2, cells, 3, NULL, NULL), ALREADY_EXISTS);
    s = (struct scan){ .hi = 9 };
    assert_int_equal(scan_now(f.db, "T", &s), OK);
    assert_int_equal(s.n, 0);
    assert_int_equal(commit_cells(&f, MUTATION_REPLACE, columns, 2, cells, 3, NULL, NULL), OK);
    s.when = (struct engine_when){ 0 };
    assert_int_equal(scan_now(f.db, "T", &s), OK);
    assert_int_equal(s.n, 2);
    fixture_close(&f);
}

/* --- schema ---------------------------------------------------------------------------------------------------------- */

static void schema_changes(void **state) {
    (void)state;
    struct fixture f;
    struct err err = { 0 };
    static struct scan s;
    fixture_open(&f, NULL);
    static const struct sql_column columns[] = {
        { .name = STR_INIT("Origin"), .type = SQL_STRING, .max_length = 3, .not_null = true },
        { .name = STR_INIT("order"), .type = SQL_INT64 },
        { .name = STR_INIT("at"), .type = SQL_TIMESTAMP, .allow_commit_timestamp = true },
    };
    static const struct engine_ddl_key key[] = { { STR_INIT("origin"), false }, { STR_INIT("order"), true } };
    struct engine_ddl create = {
        .kind = ENGINE_CREATE_TABLE, .table = STR("Flights"), .columns = columns, .n_columns = 3, .key = key, .n_key = 2
    };
    assert_int_equal(ddl_now(f.db, &create, NULL, &err), OK);
    assert_int_equal(ddl_now(f.db, &create, NULL, &err), FAILED_PRECONDITION);
    assert_str(str_z(err.message), "Duplicate name in schema: Flights.");
    create.if_exists = true;
    assert_int_equal(ddl_now(f.db, &create, NULL, &err), OK);
    fixture_reopen(&f, NULL);
    const struct sql_catalog *c = engine_catalog(f.db);
    struct buf text = BUF_INIT(10000);
    sql_print_table(sql_catalog_find(c, STR("FLIGHTS")), &text);
    assert_str(buf_str(&text),
               "CREATE TABLE Flights (\n  Origin STRING(3) NOT NULL,\n  `order` INT64,\n  `at` TIMESTAMP OPTIONS (\n"
               "    allow_commit_timestamp = true\n  ),\n) PRIMARY KEY(Origin, `order` DESC)");
    buf_free(&text);
    engine_catalog_unref(c);
    make_table(&f, "T");
    int64_t wrote = 0;
    assert_int_equal(write_now(&f, "T", MUTATION_INSERT, 1, 10, &wrote, NULL), OK);
    struct engine_ddl add = { .kind = ENGINE_ADD_COLUMN, .table = STR("T"), .columns = columns, .n_columns = 1 };
    assert_int_equal(ddl_now(f.db, &add, NULL, &err), FAILED_PRECONDITION); /* NOT NULL on a table with rows */
    struct sql_column widened = { .name = STR("c"), .type = SQL_STRING, .max_length = 5 };
    add.columns = &widened;
    assert_int_equal(ddl_now(f.db, &add, NULL, &err), OK);
    struct engine_ddl drop = { .kind = ENGINE_DROP_COLUMN, .table = STR("T"), .column = STR("k") };
    assert_int_equal(ddl_now(f.db, &drop, NULL, &err), FAILED_PRECONDITION);
    drop.column = STR("b");
    assert_int_equal(ddl_now(f.db, &drop, NULL, &err), OK);
    drop.kind = ENGINE_ALTER_COLUMN, drop.column = STR("c"), drop.columns = &widened, drop.n_columns = 1;
    widened.max_length = 4;
    assert_int_equal(ddl_now(f.db, &drop, NULL, &err), UNIMPLEMENTED);
    widened.max_length = INT64_MAX;
    assert_int_equal(ddl_now(f.db, &drop, NULL, &err), OK);
    s = (struct scan){ .when = { .at = true, .timestamp_us = wrote }, .hi = 9 };
    assert_int_equal(scan_now(f.db, "T", &s), FAILED_PRECONDITION); /* before the change of its schema */
    assert_non_null(strstr(s.err.message, "schema"));
    s.when = (struct engine_when){ 0 };
    assert_int_equal(scan_now(f.db, "T", &s), OK);
    assert_int_equal(s.n, 1);
    struct engine_ddl gone = { .kind = ENGINE_DROP_TABLE, .table = STR("T") };
    assert_int_equal(ddl_now(f.db, &gone, NULL, &err), OK);
    assert_int_equal(ddl_now(f.db, &gone, NULL, &err), NOT_FOUND);
    make_table(&f, "T");
    assert_int_equal(scan_now(f.db, "T", &s), OK);
    assert_int_equal(s.n, 0);
    fixture_close(&f);
}

static bool note_name(void *ctx, struct str name) {
    buf_add_str(ctx, name);
    buf_add_char(ctx, ' ');
    return true;
}

static void databases_come_and_go(void **state) {
    (void)state;
    struct fixture f;
    struct engine_db *db = NULL;
    fixture_open(&f, NULL);
    assert_int_equal(engine_create_database(f.engine, STR("inst"), STR("db1"), NULL), ALREADY_EXISTS);
    static const char *const bad[] = {
        "", "a", "Ab", "1a", "a/../b", "a-", "a_", "a.b", "abcdefghijklmnopqrstuvwxyz01234"
    };
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_int_equal(engine_create_database(f.engine, STR("inst"), str_z(bad[i]), NULL), INVALID_ARGUMENT);
    assert_int_equal(engine_create_database(f.engine, STR("inst"), STR("db0"), NULL), OK);
    struct buf names = BUF_INIT(100);
    assert_int_equal(engine_list_databases(f.engine, STR("inst"), note_name, &names, NULL), OK);
    assert_str(buf_str(&names), "db0 db1 ");
    buf_free(&names);
    assert_int_equal(engine_drop_database(f.engine, STR("inst"), STR("db0"), NULL), OK);
    assert_int_equal(engine_get_database(f.engine, STR("inst"), STR("db0"), &db, NULL), NOT_FOUND);
    struct engine *second = NULL;
    struct err err = { 0 };
    assert_int_equal(engine_open(&(struct engine_options){ .data_dir = f.dir }, &second, &err), FAILED_PRECONDITION);
    assert_non_null(strstr(err.message, "in use by another process"));
    f.db = engine_db_unref(f.db);
    engine_close(f.engine);
    char path[128];
    snprintf(path, sizeof path, "%s/spanner/inst/db1.sqlite", f.dir);
    sqlite3 *sqlite = NULL;
    assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
    assert_int_equal(sqlite3_exec(sqlite, "PRAGMA user_version = 2", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(sqlite);
    assert_int_equal(engine_open(&(struct engine_options){ .data_dir = f.dir }, &f.engine, &err), OK);
    assert_int_equal(engine_get_database(f.engine, STR("inst"), STR("db1"), &db, &err), FAILED_PRECONDITION);
    assert_non_null(strstr(err.message, "newer version"));
    fixture_close(&f);
}

static void values_keep_their_bits(void **state) {
    (void)state;
    struct fixture f;
    struct err err = { 0 };
    fixture_open(&f, NULL);
    static const struct sql_column columns[] = {
        { .name = STR_INIT("k"), .type = SQL_INT64 },
        { .name = STR_INIT("f"), .type = SQL_FLOAT64 },
        { .name = STR_INIT("at"), .type = SQL_TIMESTAMP, .allow_commit_timestamp = true },
    };
    struct engine_ddl create = { .kind = ENGINE_CREATE_TABLE, .table = STR("T"), .columns = columns, .n_columns = 3 };
    assert_int_equal(ddl_now(f.db, &create, NULL, &err), OK); /* no key: a table of one row */
    double values[] = { -0.0, 1e308 * 10, -1e308 * 10, 0.0 / 0.0, 1.0 };
    for (size_t i = 0; i < COUNT(values); i++) {
        struct str names[] = { STR("f"), STR("at"), STR("k") };
        struct sql_value cells[] = { VALUE_FLOAT(values[i]),
                                     { .type = SQL_TIMESTAMP, .is_commit_timestamp = true },
                                     VALUE_INT64(INT64_MIN) };
        struct engine_commit commit;
        assert_int_equal(
            commit_cells(&f, i ? MUTATION_INSERT_OR_UPDATE : MUTATION_INSERT, names, 3, cells, 1, &err, &commit), OK);
        char path[128], sql[128];
        const struct sql_catalog *c = engine_catalog(f.db);
        const struct sql_table *t = c->tables[0];
        snprintf(path, sizeof path, "%s/spanner/inst/db1.sqlite", f.dir);
        snprintf(sql, sizeof sql, "SELECT c%u, c%u FROM t%u WHERE key = x''", t->columns[1].id, t->columns[2].id, t->id);
        engine_catalog_unref(c);
        sqlite3 *db = NULL;
        sqlite3_stmt *stmt = NULL;
        assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        struct sql_value v, at;
        assert_true(value_read(sqlite3_column_value(stmt, 0), SQL_FLOAT64, &v));
        assert_true(value_compare(&v, &cells[0]) == 0 &&
                    __builtin_signbit(v.f64) == __builtin_signbit(values[i] != values[i] ? v.f64 : values[i]));
        assert_true(value_read(sqlite3_column_value(stmt, 1), SQL_TIMESTAMP, &at));
        assert_true(at.i64 * 1000000 + at.nanos / 1000 == commit.ret_timestamp_us);
        sqlite3_finalize(stmt);
        sqlite3_close(db);
    }
    fixture_close(&f);
}

/* --- the outbox ------------------------------------------------------------------------------------------------------ */

struct sunk {
    pthread_mutex_t lock;
    int64_t seqs[8];
    size_t n;
};

static void sink(void *ctx, struct engine_db *db, int64_t seq, struct str entry) {
    struct sunk *s = ctx;
    (void)db;
    assert_true(str_starts(entry, STR("entry of ")));
    pthread_mutex_lock(&s->lock);
    assert_true(s->n < COUNT(s->seqs));
    s->seqs[s->n++] = seq;
    pthread_mutex_unlock(&s->lock);
}

static enum code entry(void *ctx, int64_t commit_us, uint64_t count, struct buf *out, struct err *err) {
    (void)ctx;
    (void)err;
    buf_printf(out, "entry of %lld: %llu", (long long)commit_us, (unsigned long long)count);
    return OK;
}

static enum code commit_with_entry(struct fixture *f, int64_t k, int64_t *ret_us) {
    struct sql_value cells[] = { VALUE_INT64(k) };
    struct str columns[] = { STR("k") };
    struct rows rows = { .cells = cells, .n_columns = 1 };
    struct engine_mutation m = { .kind = MUTATION_INSERT,
                                 .table = STR("T"),
                                 .columns = columns,
                                 .n_columns = 1,
                                 .n_rows = 1,
                                 .row = rows_next,
                                 .ctx = &rows };
    struct engine_commit commit = { .mutations = &m, .n = 1, .entry = entry };
    enum code rc = commit_now(f->db, &commit);
    *ret_us = commit.ret_timestamp_us;
    return rc;
}

static void audit_entries_come_until_they_are_done(void **state) {
    (void)state;
    struct fixture f;
    struct sunk sunk = { .lock = PTHREAD_MUTEX_INITIALIZER };
    struct engine_options options = { .sink = sink, .ctx = &sunk };
    int64_t us[3];
    fixture_open(&f, &options);
    make_table(&f, "T");
    assert_int_equal(commit_with_entry(&f, 1, &us[0]), OK);
    assert_int_equal(commit_with_entry(&f, 2, &us[1]), OK);
    assert_int_equal(commit_with_entry(&f, 2, &us[2]), ALREADY_EXISTS); /* leaves none */
    assert_int_equal(sunk.n, 2);
    assert_true(sunk.seqs[0] == us[0] && sunk.seqs[1] == us[1]);
    engine_outbox_done(f.db, us[0]);
    sunk.n = 0;
    fixture_reopen(&f, &options);
    assert_int_equal(sunk.n, 1);
    assert_true(sunk.seqs[0] == us[1]);
    fixture_close(&f);
}

/* --- partitions and queries ------------------------------------------------------------------------------------------ */

static void split_done(struct engine_split *q) {
    waiter_done(q->ctx);
}

static void tables_are_cut_evenly(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL);
    make_table(&f, "T");
    struct str columns[] = { STR("k"), STR("a") };
    int64_t next = 0;
    struct engine_mutation m = { .kind = MUTATION_INSERT,
                                 .table = STR("T"),
                                 .columns = columns,
                                 .n_columns = 2,
                                 .n_rows = 20000,
                                 .row = repeat_row,
                                 .ctx = &next };
    struct engine_commit commit = { .mutations = &m, .n = 1 };
    assert_int_equal(commit_now(f.db, &commit), OK);
    const struct sql_catalog *c = engine_catalog(f.db);
    struct key_set all = { .arena = f.arena, .table = c->tables[0] };
    assert_int_equal(key_set_add_all(&all, NULL), OK);
    struct waiter w = WAITER_INIT;
    struct engine_split q = { .table = c->tables[0],
                              .ranges = all.ranges,
                              .n_ranges = 1,
                              .want = 4,
                              .arena = f.arena,
                              .done = split_done,
                              .ctx = &w };
    assert_int_equal(engine_post_split(f.db, &q, NULL), OK);
    waiter_wait(&w);
    assert_int_equal(q.job.code, OK);
    assert_int_equal(q.ret_n_cuts, 3);
    for (size_t i = 0; i < 3; i++) {
        struct sql_value k;
        assert_true(key_decode(c->tables[0], q.ret_cuts[i], f.arena, &k));
        int64_t ideal = 5000 * ((int64_t)i + 1);
        if (k.i64 < ideal - 500 || k.i64 > ideal + 500) fail_msg("cut %zu at %lld", i, (long long)k.i64);
    }
    engine_catalog_unref(c);
    fixture_close(&f);
}

struct querying {
    struct waiter w;
    const struct sql_table *table;
    const char *format; /* %s: what stands in FROM */
    int64_t result;
};

static enum code query_sql(struct engine_query *q, struct engine_snapshot *snapshot, struct buf *out, struct err *err) {
    struct querying *x = q->ctx;
    buf_add_z(out, x->format);
    bool history;
    return engine_snapshot_table(snapshot, x->table, NULL, out, &history, err);
}
static enum engine_next query_row(struct engine_query *q, const struct engine_row *row) {
    ((struct querying *)q->ctx)->result = sqlite3_column_int64(row->stmt, 0);
    return ENGINE_MORE;
}
static void query_done(struct engine_query *q) {
    waiter_done(&((struct querying *)q->ctx)->w);
}

static struct engine_query query_of(struct querying *x, const struct sql_value *param, struct engine_when when) {
    return (struct engine_query){
        .when = when, .sql = query_sql, .params = param, .n_params = 1, .row = query_row, .done = query_done, .ctx = x
    };
}

static enum code query_now(struct fixture *f, struct querying *x, struct engine_when when, struct err *err) {
    struct sql_value param = VALUE_INT64(100);
    struct engine_query q = query_of(x, &param, when);
    enum code rc = engine_post_query(f->db, &q, err);
    if (rc) return rc;
    waiter_wait(&x->w);
    *err = q.job.err;
    return q.job.code;
}

#define ENDLESS "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n, "

static void queries_read_at_a_timestamp(void **state) {
    (void)state;
    struct fixture f;
    struct err err = { 0 };
    int64_t first = 0;
    fixture_open(&f, NULL);
    make_table(&f, "T");
    assert_int_equal(write_now(&f, "T", MUTATION_INSERT, 1, 10, &first, NULL), OK);
    assert_int_equal(write_now(&f, "T", MUTATION_UPDATE, 1, 30, NULL, NULL), OK);
    assert_int_equal(write_now(&f, "T", MUTATION_INSERT, 2, 5, NULL, NULL), OK);
    const struct sql_catalog *c = engine_catalog(f.db);
    char sum[64];
    snprintf(sum, sizeof sum, "SELECT sum(c%u) + ?1 FROM ", c->tables[0]->columns[1].id);
    struct querying x = { .w = WAITER_INIT, .table = c->tables[0], .format = sum };
    assert_int_equal(query_now(&f, &x, (struct engine_when){ 0 }, &err), OK);
    assert_int_equal(x.result, 135);
    assert_int_equal(query_now(&f, &x, (struct engine_when){ .at = true, .timestamp_us = first }, &err), OK);
    assert_int_equal(x.result, 110);
    static const char *const refused[] = { "SELECT value FROM meta, ",         "DELETE FROM ",
                                           "ATTACH 'x' AS y; SELECT 1 FROM ",  "SELECT load_extension('x') FROM ",
                                           "SELECT name FROM sqlite_schema, ", "SELECT entry FROM outbox, " };
    for (size_t i = 0; i < COUNT(refused); i++) {
        x.format = refused[i];
        if (query_now(&f, &x, (struct engine_when){ 0 }, &err) == OK) fail_msg("allowed: %s", refused[i]);
    }
    x.format = ENDLESS;
    assert_int_equal(query_now(&f, &x, (struct engine_when){ .deadline_mono_us = clock_mono_us() + 50000 }, &err),
                     DEADLINE_EXCEEDED);
    _Atomic bool cancel = true;
    assert_int_equal(query_now(&f, &x, (struct engine_when){ .cancel = &cancel }, &err), CANCELLED);
    engine_catalog_unref(c);
    fixture_close(&f);
}

/* A query that nobody waits for any more may have an hour left: its database goes at once all the same. */
static void a_drop_ends_reads(void **state) {
    (void)state;
    struct fixture f;
    struct sql_value param = VALUE_INT64(100);
    fixture_open(&f, NULL);
    make_table(&f, "T");
    assert_int_equal(write_now(&f, "T", MUTATION_INSERT, 1, 10, NULL, NULL), OK);
    const struct sql_catalog *c = engine_catalog(f.db);
    struct querying x = { .w = WAITER_INIT, .table = c->tables[0], .format = ENDLESS };
    struct engine_query q = query_of(&x, &param, (struct engine_when){ .deadline_mono_us = clock_mono_us() + 10000000 });
    assert_int_equal(engine_post_query(f.db, &q, NULL), OK);
    assert_int_equal(engine_drop_database(f.engine, STR("inst"), STR("db1"), NULL), OK);
    waiter_wait(&x.w);
    assert_int_equal(q.job.code, NOT_FOUND);
    assert_non_null(strstr(q.job.err.message, "inst/db1"));
    engine_catalog_unref(c);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mutations_do_what_their_names_say),
        cmocka_unit_test(mutations_are_limited),
        cmocka_unit_test(wrong_mutations_are_refused),
        cmocka_unit_test(a_commit_is_whole),
        cmocka_unit_test(schema_changes),
        cmocka_unit_test(databases_come_and_go),
        cmocka_unit_test(values_keep_their_bits),
        cmocka_unit_test(audit_entries_come_until_they_are_done),
        cmocka_unit_test(tables_are_cut_evenly),
        cmocka_unit_test(queries_read_at_a_timestamp),
        cmocka_unit_test(a_drop_ends_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
