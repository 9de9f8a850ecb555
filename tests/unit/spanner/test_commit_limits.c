/* test_commit_limits.c: Spanner's limits of a commit, as they are asked before it goes on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "../test.h"
#include "spanner/commit_limits.h"

/* CREATE TABLE T (k STRING, a STRING, b BYTES, j JSON, n INT64) PRIMARY KEY (k); INDEX ByA (a); INDEX ByBN (b, n).
 * CREATE TABLE Plain (k INT64, a STRING) PRIMARY KEY (k) */
static const struct sql_column columns[] = {
    { .name = STR_INIT("k"), .type = SQL_STRING, .max_length = INT64_MAX },
    { .name = STR_INIT("a"), .type = SQL_STRING, .max_length = INT64_MAX },
    { .name = STR_INIT("b"), .type = SQL_BYTES, .max_length = INT64_MAX },
    { .name = STR_INIT("j"), .type = SQL_UNKNOWN, .other_type = STR_INIT("JSON") },
    { .name = STR_INIT("n"), .type = SQL_INT64 },
};
static const uint16_t by_a[] = { 1 }, by_bn[] = { 2, 4 };
static const struct sql_index indexes[] = { { STR_INIT("ByA"), by_a, 1 }, { STR_INIT("ByBN"), by_bn, 2 } };
static const struct sql_key_part key[] = { { 0, false } };
static const struct sql_table plain = {
    .name = STR_INIT("Plain"), .columns = columns, .n_columns = 2, .key = key, .n_key = 1
};
static const struct sql_table t = {
    .name = STR_INIT("T"), .columns = columns, .n_columns = 5, .key = key, .n_key = 1, .indexes = indexes, .n_indexes = 2
};
static const struct sql_table *const tables[] = { &plain, &t };
static const struct sql_catalog catalog = { .tables = tables, .n_tables = 2 };

static struct arena *arena;

static int set_up(void **state) {
    (void)state;
    arena = arena_new(256 << 20);
    return arena ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    arena_free(arena);
    return 0;
}

static struct str filled(size_t n) {
    char *p = arena_alloc(arena, n + 1);
    assert_non_null(p);
    memset(p, 'x', n);
    return (struct str){ p, n };
}

/* All rows alike: "k,a" of `text`; a column in upper case is NULL. */
static struct spanner_Mutation_Write *write_of(const char *table, const char *names, size_t rows, struct str text) {
    struct spanner_Mutation_Write *w = ARENA_NEW(arena, struct spanner_Mutation_Write);
    w->table = str_z(table);
    w->columns.p = ARENA_ARRAY(arena, struct str, strlen(names) + 1);
    struct pb_Value *values = ARENA_ARRAY(arena, struct pb_Value, strlen(names) + 1);
    for (struct str rest = str_z(names); rest.n;) {
        struct str name = str_cut(&rest, ',');
        bool null = name.n == 1 && name.p[0] >= 'A' && name.p[0] <= 'Z';
        values[w->columns.n] = (struct pb_Value){ .kind_case = pb_Value_kind_string_value, .string_value = text };
        if (null) values[w->columns.n] = (struct pb_Value){ .kind_case = pb_Value_kind_null_value };
        w->columns.p[w->columns.n++] = name;
    }
    w->values.p = ARENA_ARRAY(arena, struct pb_ListValue, rows + 1);
    w->values.n = rows;
    for (size_t i = 0; i < rows; i++) {
        w->values.p[i].values.p = values;
        w->values.p[i].values.n = w->columns.n;
    }
    return w;
}

enum operation { INSERT = 1, UPDATE, UPSERT, REPLACE };

static struct spanner_Mutation mutation(enum operation operation, struct spanner_Mutation_Write *w) {
    struct spanner_Mutation m = { .operation_case = (int32_t)operation };
    if (operation == INSERT) m.insert = w;
    if (operation == UPDATE) m.update = w;
    if (operation == UPSERT) m.insert_or_update = w;
    if (operation == REPLACE) m.replace = w;
    return m;
}

static enum code fits(struct spanner_Mutation *mutations, size_t n, size_t encoded, struct err *err) {
    struct spanner_CommitRequest q = { .mutations = { mutations, n } };
    return commit_fits(&catalog, &q, encoded, err);
}

#define MANY "The transaction contains too many mutations. It has "

static void mutations_are_counted(void **state) {
    (void)state;
    static const struct {
        const char *name;
        enum operation operation;
        const char *table, *columns;
        size_t rows;
        const char *count, *split; /* NULL: it fits */
    } cases[] = {
        { "the last that fits", INSERT, "Plain", "k,a", 40000, NULL, NULL },
        { "one too many", INSERT, "Plain", "k,a", 40001, "80002;",
          "Split it into 2 commits: as its rows of table Plain are (40001 of them, each counts up to 2), one commit holds "
          "40000." },
        { "an unknown table", UPDATE, "Gone", "k,a", 40001, "80002;", "Split it into 2 commits" },
        { "a table's indexes count for what is new", INSERT, "T", "k,a,b,n", 13334, "at least 80001;",
          "Split it into 2 commits: as its rows of table T are (13334 of them, each counts up to 6), one commit holds "
          "13333." },
        { "and fit", INSERT, "T", "k,a,b,n", 13333, NULL, NULL },
        { "an index of NULLs may have no entry", INSERT, "T", "k,A,B,n", 20000, NULL, NULL },
        { "half a key of an index neither", INSERT, "T", "k,b", 40000, NULL, NULL },
        { "what was there may not move", UPDATE, "T", "k,a", 40000, NULL, NULL },
        { "but the advice reckons with it", UPDATE, "T", "k,a", 40001, "80002;",
          "each counts up to 4), one commit holds 20000." },
        { "an update beside the indexes", UPDATE, "T", "k,j", 40001, "80002;",
          "each counts up to 2), one commit holds 40000." },
        { "an upsert may be new", UPSERT, "T", "k,j", 40001, "80002;", "each counts up to 6), one commit holds 13333." },
        { "a replace is new", REPLACE, "T", "k,a", 26667, "at least 80001;", "Split it into 3 commits" },
        { "names in any case", INSERT, "t", "k,A", 40001, "80002;", "table t " },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spanner_Mutation m = mutation(cases[i].operation,
                                             write_of(cases[i].table, cases[i].columns, cases[i].rows, STR("v")));
        struct err err = { 0 };
        enum code rc = fits(&m, 1, 1000, &err);
        if (rc != (cases[i].count ? INVALID_ARGUMENT : OK)) fail_msg("%s: %d %s", cases[i].name, rc, err.message);
        if (!rc) continue;
        struct str said = str_z(err.message);
        if (!str_starts(said, STR(MANY)) || str_find(said, str_z(cases[i].count)) < 0 ||
            str_find(said, str_z(cases[i].split)) < 0)
            fail_msg("%s: %s", cases[i].name, err.message);
    }
}

static void many_mutations_of_one_row_are_as_many_rows(void **state) {
    (void)state;
    enum { N = 30000 };
    struct spanner_Mutation *m = ARENA_ARRAY(arena, struct spanner_Mutation, N);
    struct err err = { 0 };
    for (size_t i = 0; i < N; i++) m[i] = mutation(UPSERT, write_of(i % 3 ? "Plain" : "Other", "k,a,x", 1, STR("v")));
    assert_int_equal(fits(m, 26666, 1000, &err), OK);
    assert_int_equal(fits(m, N, 1000, &err), INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "It has 90000;"));
    assert_non_null(
        strstr(err.message, "rows of table Plain are (20000 of them, each counts up to 3), one commit holds 26666."));
}

static void keys_that_are_deleted_count_one_each(void **state) {
    (void)state;
    struct spanner_KeySet keys = { .keys = { ARENA_ARRAY(arena, struct pb_ListValue, 80000), 80000 } };
    struct spanner_Mutation_Delete d = { STR("T"), &keys };
    struct spanner_Mutation m = { .operation_case = spanner_Mutation_operation_delete, .delete = &d };
    struct err err = { 0 };
    assert_int_equal(fits(&m, 1, 1000, &err), OK);
    keys.all = true;
    assert_int_equal(fits(&m, 1, 1000, &err), INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "It has at least 80001;"));
    assert_non_null(strstr(err.message, "each counts up to 3), one commit holds 26666."));
    d.key_set = NULL;
    assert_int_equal(fits(&m, 1, 1000, &err), OK); /* refused by who decodes it */
}

static void sizes_are_bounded(void **state) {
    (void)state;
    enum { CHARS = 2621440, CELL = 10 << 20, KEY = 8192 };
    const struct {
        const char *name, *columns;
        size_t text, rows;
        enum code code;
        const char *says;
    } cases[] = {
        { "the longest string", "a", CHARS, 1, OK, "" },
        { "a longer one", "a", CHARS + 1, 1, FAILED_PRECONDITION,
          "column a of table T: the string is longer than 2621440 characters" },
        { "the largest bytes", "b", CELL / 3 * 4, 1, OK, "" },
        { "larger bytes", "b", CELL / 3 * 4 + 12, 1, FAILED_PRECONDITION,
          "column b of table T: the value is larger than 10485760 bytes" },
        { "of a type that is none of ours", "j", CELL * 2, 1, FAILED_PRECONDITION, "column j of table T" },
        { "the longest key", "k", KEY, 1, OK, "" },
        { "a longer key", "k", KEY + 1, 1, FAILED_PRECONDITION, "The key of a row of table T is larger than 8192 bytes." },
        { "a commit of 100 MiB", "a", 1 << 20, 100, OK, "" },
        { "a larger commit", "a", 1 << 20, 101, INVALID_ARGUMENT, "maximum commit size of 104857600 bytes. Split it" },
        { "numbers as text", "n", 1 << 20, 101, OK, "" },
        { "a column that nobody knows", "zz", 1 << 20, 101, OK, "" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct spanner_Mutation m = mutation(UPSERT, write_of("T", cases[i].columns, cases[i].rows, filled(cases[i].text)));
        struct err err = { 0 };
        enum code rc = fits(&m, 1, cases[i].text * cases[i].rows + 100, &err);
        if (rc != cases[i].code || !strstr(err.message, cases[i].says))
            fail_msg("%s: %d %s", cases[i].name, rc, err.message);
        if (rc) assert_null(strstr(err.message, "xx")); /* no value is told */
    }
}

static void characters_are_not_bytes(void **state) {
    (void)state;
    struct str text = filled(3000000 * 2);
    char *p = arena_alloc(arena, text.n);
    for (size_t i = 0; i < text.n; i += 2) memcpy(p + i, "\xc3\xa9", 2);
    struct err err = { 0 };
    struct spanner_Mutation m = mutation(INSERT, write_of("T", "k,a", 1, STR("v")));
    m.insert->values.p[0].values.p[1].string_value = (struct str){ p, 2 * 2621440 };
    assert_int_equal(fits(&m, 1, 6000000, &err), OK);
    m.insert->values.p[0].values.p[1].string_value.n += 2;
    assert_int_equal(fits(&m, 1, 6000000, &err), FAILED_PRECONDITION);
}

/* Whatever the request says of its rows, nothing is read that is not there. */
static void odd_requests_are_left_to_who_decodes_them(void **state) {
    (void)state;
    struct err err = { 0 };
    struct spanner_Mutation m = mutation(INSERT, write_of("T", "k,a,b,n", 3, STR("v")));
    m.insert->values.p[0].values.n = 0;
    m.insert->values.p[1].values.n = 2;
    assert_int_equal(fits(&m, 1, 100000, &err), OK);
    m = mutation(INSERT, write_of("T", "", 3, STR("v")));
    assert_int_equal(fits(&m, 1, 100000, &err), OK);
    char *wide = arena_alloc(arena, 8192);
    for (size_t i = 0; i < 4000; i += 2) memcpy(wide + i, "k,", 2);
    m = mutation(INSERT, write_of("T", wide, 3, STR("v")));
    assert_int_equal(fits(&m, 1, 100000, &err), OK);
    m = (struct spanner_Mutation){ 0 };
    assert_int_equal(fits(&m, 1, 100000, &err), OK);
}

int main(void) {
#define TEST(Fn) cmocka_unit_test_setup_teardown(Fn, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(mutations_are_counted),
        TEST(many_mutations_of_one_row_are_as_many_rows),
        TEST(keys_that_are_deleted_count_one_each),
        TEST(sizes_are_bounded),
        TEST(characters_are_not_bytes),
        TEST(odd_requests_are_left_to_who_decodes_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
