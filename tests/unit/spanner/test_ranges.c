/* test_ranges.c: what a statement is said to have read: without all other rows it answers the same. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "../engine_sql/fixture.h"
#include "../test.h"
#include "base/enc.h"
#include "spanner/read_ranges.h"

static const char *const cases[] = {
#define CASE(sql, answer) sql,
#include "../engine_sql/cases.def"
#undef CASE
    "SELECT Tab.k, U.k FROM Tab LEFT JOIN U ON Tab.k = 1",
    "SELECT Tab.k, U.k FROM Tab LEFT JOIN U ON U.k = 1",
    "SELECT Tab.k, U.k FROM Tab LEFT JOIN U ON U.k = 1 WHERE Tab.k > 1",
    "SELECT Tab.k, U.k FROM Tab LEFT JOIN U ON Tab.k = U.k WHERE U.k = 1",
    "SELECT Tab.k, U.k FROM Tab RIGHT JOIN U ON Tab.k = 1",
    "SELECT Tab.k, U.k FROM Tab RIGHT JOIN U ON U.k = 1",
    "SELECT Tab.k, U.k FROM Tab FULL JOIN U ON Tab.k = U.k AND Tab.k = 1",
    "SELECT Tab.k, U.k FROM Tab FULL JOIN U ON Tab.k = U.k WHERE U.k = 2",
    "SELECT a.k, b.k, c.k FROM (Tab a LEFT JOIN U b ON a.k = b.k) LEFT JOIN Tab c ON b.k = c.k AND b.k = 1",
    "SELECT a.k, b.k, c.k FROM Tab a LEFT JOIN (U b JOIN Tab c ON b.k = c.k AND b.k = 2) ON a.k = c.k",
    "SELECT a.k, b.k FROM Tab a JOIN U b ON a.k = b.k AND a.k = 1 AND b.j > 1",
    "SELECT k, (SELECT COUNT(*) FROM U WHERE U.k = Tab.k AND U.j = 1) FROM Tab WHERE k >= 2",
    "SELECT COUNT(*) FROM U WHERE k = @i AND j IN (1, @i, @null)",
    "SELECT COUNT(*) FROM U WHERE k = @null OR k = 1",
    "SELECT COUNT(*) FROM U WHERE k = @null",
    "SELECT COUNT(*) FROM U WHERE k = 1 AND j < 2",
    "SELECT COUNT(*) FROM U WHERE k = 1 AND j BETWEEN @null AND 1",
    "SELECT k FROM Tab WHERE k = 1 UNION ALL SELECT k FROM U WHERE k > 2",
    "WITH w AS (SELECT k FROM U WHERE k < 3) SELECT COUNT(*) FROM w a CROSS JOIN w b WHERE a.k = 1",
    "SELECT k FROM Tab WHERE EXISTS (SELECT 1 FROM U WHERE U.k = 4) AND k = 3",
};

static unsigned n_bounded;

/* As fixture_ask binds them. */
static struct sql_value param(const struct sql_param *p) {
    if (str_eq_nocase(p->name, STR("i")) || str_eq_nocase(p->name, STR("u"))) return VALUE_INT64(2);
    if (str_eq_nocase(p->name, STR("s"))) return VALUE_STRING(STR("a"));
    if (str_eq_nocase(p->name, STR("f"))) return VALUE_FLOAT(1.5);
    if (str_eq_nocase(p->name, STR("nan"))) return VALUE_FLOAT((double)NAN);
    return VALUE_NULL(p->type);
}

/* The rows within the ranges, and no others. */
static enum code write_ranges(const struct sql_source *source, const struct sql_analysis *analysis, struct buf *out) {
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 20);
    struct sql_value params[16];
    struct err err;
    for (size_t i = 0; i < analysis->n_params; i++) params[i] = param(&analysis->params[i]);
    struct key_set set = { .arena = arena, .table = source->table };
    if (read_ranges(source, params, &set, &err)) fail_msg("%s", err.message);
    n_bounded += set.n != 1 || set.ranges[0].lo.n > 0 || set.ranges[0].hi.n != 1;
    buf_printf(out, "(SELECT * FROM t%u WHERE 0", source->table->id);
    for (size_t i = 0; i < set.n; i++) {
        buf_add_z(out, " OR (key >= x'");
        enc_hex(out, set.ranges[i].lo);
        buf_add_z(out, "' AND key < x'");
        enc_hex(out, set.ranges[i].hi);
        buf_add_z(out, "')");
    }
    buf_add_char(out, ')');
    return OK;
}

static int by_text(const void *a, const void *b) {
    struct str x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return str_cmp(x, y);
}

static void sort_rows(struct str text, struct buf *out) { /* without ORDER BY any order is right */
    struct str rows[64];
    size_t n = 0;
    while (text.n && n < COUNT(rows)) rows[n++] = str_cut(&text, '|');
    qsort(rows, n, sizeof *rows, by_text);
    for (size_t i = 0; i < n; i++) buf_printf(out, "%.*s|", STR_ARG(str_trim(rows[i])));
}

static void rows_outside_change_nothing(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f);
    assert_int_equal(key_register(f.db), SQLITE_OK); /* the engine's keys instead of the fixture's */
    assert_int_equal(
        sqlite3_exec(f.db, "UPDATE t1 SET key = lk('i+', c1); UPDATE t2 SET key = lk('i+i-', c1, c2)", NULL, NULL, NULL),
        SQLITE_OK);
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(buf_free)
        struct buf all = BUF_INIT(1 << 20), some = BUF_INIT(1 << 20), a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20);
        f.source = NULL;
        fixture_ask(&f, cases[i], true, &all);
        f.source = write_ranges;
        fixture_ask(&f, cases[i], true, &some);
        if (strstr(cases[i], "AGG(")) continue; /* of no order */
        sort_rows(buf_str(&all), &a);
        sort_rows(buf_str(&some), &b);
        if (!str_eq(buf_str(&a), buf_str(&b)))
            fail_msg("%s\n  of all rows      %.*s\n  within its ranges %.*s", cases[i], STR_ARG(buf_str(&a)),
                     STR_ARG(buf_str(&b)));
    }
    assert_true(n_bounded >= 30);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test(rows_outside_change_nothing) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
