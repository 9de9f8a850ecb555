#include "test.h"
#include <stdlib.h>
#include "cli/import.h"
#include "wire/pb/spanner.pb.h"
#include "wire/pb/wkt.pb.h"
#include "wire/grpc.h"

struct fixture {
    struct arena *arena;
    struct import_table *table;
    struct import_map *map;
    struct csv *csv;
    struct import_rows rows;
};

/* T(k INT64 NOT NULL, s STRING), key k; the file is s,k. */
static void set_up(struct fixture *f) {
    struct err err;
    *f = (struct fixture){ .arena = arena_new(4 << 20), .rows = { .bytes = BUF_INIT(1 << 20), .max_bytes = 1 << 19 } };
    f->table = ARENA_NEW(f->arena, struct import_table);
    f->map = ARENA_NEW(f->arena, struct import_map);
    f->csv = ARENA_NEW(f->arena, struct csv);
    f->table->name = STR("T");
    f->table->columns[0] = (struct import_column){ STR("k"), CELL_INT64, true, true };
    f->table->columns[1] = (struct import_column){ STR("s"), CELL_STRING, true, false };
    f->table->n_columns = 2;
    f->table->key[0] = (struct import_key){ 0, false };
    f->table->n_key = 1;
    f->csv->fields[0].text = STR("S");
    f->csv->fields[1].text = STR("K");
    f->csv->n_fields = 2;
    assert_int_equal(import_map_make(f->table, f->csv, NULL, f->map, &err), OK);
    f->map->nulls[f->map->n_nulls++] = STR("NA");
}

static void tear_down(struct fixture *f) {
    import_rows_free(&f->rows);
    arena_free(f->arena);
}

static enum code add(struct fixture *f, const char *s, const char *k, struct err *err) {
    f->csv->fields[0] = (struct csv_field){ str_z(s), false };
    f->csv->fields[1] = (struct csv_field){ str_z(k), false };
    return import_row_add(f->map, f->csv, 7, &f->rows, err);
}

static void test_bad_rows(void **state) {
    (void)state;
    struct fixture f;
    struct err err;
    set_up(&f);
    assert_int_equal(add(&f, "x", "NA", &err), INVALID_ARGUMENT);
    assert_string_equal(err.message, "column k may not be NULL");
    assert_int_equal(add(&f, "x", "secret", &err), INVALID_ARGUMENT);
    assert_string_equal(err.message, "column k is no INT64"); /* the value itself is not told */
    assert_int_equal(err.line, 7);
    assert_int_equal(err.column, 2);
    assert_int_equal(f.rows.n, 0);
    assert_int_equal(f.rows.bytes.n, 0);
    tear_down(&f);
}

static void test_commit(void **state) {
    (void)state;
    struct fixture f;
    struct err err;
    void *msg;
    set_up(&f);
    assert_int_equal(add(&f, "b", "10", &err) | add(&f, "NA", "-3", &err) | add(&f, "a", "9", &err), OK);
    import_rows_sort(&f.rows);
    DEFER(buf_free) struct buf out = BUF_INIT(4096);
    import_commit_encode(STR("session"), f.map, &f.rows, 0, 3, &out);
    struct str message;
    assert_int_equal(grpc_single(buf_str(&out), 4096, &message, &err), OK);
    assert_int_equal(pb_decode(&spanner_CommitRequest_msg, message, f.arena, PB_REFUSE_UNKNOWN, &msg, &err), OK);
    const struct spanner_CommitRequest *c = msg;
    assert_non_null(c->single_use_transaction->read_write);
    const struct spanner_Mutation_Write *w = c->mutations.p[0].insert_or_update;
    assert_str(w->table, "T");
    assert_str(w->columns.p[1], "k");
    assert_int_equal(w->values.n, 3);
    assert_str(w->values.p[0].values.p[1].string_value, "-3");
    assert_int_equal(w->values.p[0].values.p[0].kind_case, pb_Value_kind_null_value);
    assert_str(w->values.p[2].values.p[1].string_value, "10");
    tear_down(&f);
}

static void test_chunks(void **state) {
    (void)state;
    struct fixture f;
    struct err err;
    set_up(&f);
    for (int i = 0; i < 10; i++) assert_int_equal(add(&f, "0123456789", "1", &err), OK);
    assert_int_equal(import_chunk(&f.rows, 0, 2, &(struct import_limits){ 8, 1 << 20, 1 }), 4);
    assert_int_equal(import_chunk(&f.rows, 8, 2, &(struct import_limits){ 8, 1 << 20, 1 }), 2);
    assert_int_equal(import_chunk(&f.rows, 0, 2, &(struct import_limits){ 1, 1 << 20, 1 }), 1); /* always one */
    assert_int_equal(import_chunk(&f.rows, 0, 2, &(struct import_limits){ 100, 1, 1 }), 1);
    size_t few = import_chunk(&f.rows, 0, 2, &(struct import_limits){ 100, 100, 1 });
    assert_true(few > 1 && few < 10);
    tear_down(&f);
}

static void test_map_refused(void **state) {
    (void)state;
    struct fixture f;
    struct err err;
    set_up(&f);
    f.csv->fields[0].text = STR("nope");
    f.csv->fields[1].text = STR("k");
    assert_int_equal(import_map_make(f.table, f.csv, NULL, f.map, &err), INVALID_ARGUMENT);
    assert_int_equal(import_map_make(f.table, f.csv, "k", f.map, &err), OK);
    assert_int_equal(import_map_make(f.table, f.csv, "k,other", f.map, &err), INVALID_ARGUMENT);
    f.csv->fields[0].text = STR("K");
    assert_int_equal(import_map_make(f.table, f.csv, NULL, f.map, &err), INVALID_ARGUMENT);
    f.csv->n_fields = 1;
    f.csv->fields[0].text = STR("s");
    assert_int_equal(import_map_make(f.table, f.csv, NULL, f.map, &err), INVALID_ARGUMENT);
    assert_string_equal(err.message, "the file lacks column k of the key");
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_bad_rows), cmocka_unit_test(test_commit),
                                        cmocka_unit_test(test_chunks), cmocka_unit_test(test_map_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
