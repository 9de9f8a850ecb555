/* Queries from text to rows, and the text that SQLite gets. */
#include "test.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fixture.h"
#include "googlesql/functions.h"

static const struct {
    const char *sql, *answer;
} cases[] = {
    /* The fixture's clock stands. */
    { "SELECT CURRENT_TIMESTAMP() = CURRENT_TIMESTAMP, CURRENT_TIMESTAMP()",
      ":BOOL, :TIMESTAMP | true, 2020-05-20 18:40:00.123456+00" },
    { "SELECT CURRENT_DATE(), CURRENT_DATE('Asia/Tokyo'), CURRENT_DATE('UTC')",
      ":DATE, :DATE, :DATE | 2020-05-20, 2020-05-21, 2020-05-20" },
#define CASE(sql, answer) { sql, answer },
#include "cases.def"
#undef CASE
};

static void queries_answer_as_spanner_does(void **state) {
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(buf_free) struct buf out = BUF_INIT(1 << 20);
        fixture_ask(f, cases[i].sql, true, &out);
        if (!str_eq_z(buf_str(&out), cases[i].answer))
            fail_msg("%s\n  is        %.*s\n  should be %s", cases[i].sql, STR_ARG(buf_str(&out)), cases[i].answer);
    }
}

static int by_text(const void *a, const void *b) {
    struct str x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return str_cmp(x, y);
}

/* The rows in an order of ours, for answers without ORDER BY. */
static void sort_rows(struct str text, struct buf *out) {
    struct str rows[64];
    size_t n = 0;
    while (text.n && n < COUNT(rows)) rows[n++] = str_cut(&text, '|');
    qsort(rows, n, sizeof *rows, by_text);
    for (size_t i = 0; i < n; i++) buf_printf(out, "%.*s|", STR_ARG(str_trim(rows[i])));
}

static void key_ranges_change_no_answer(void **state) {
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(buf_free)
        struct buf with = BUF_INIT(1 << 20), without = BUF_INIT(1 << 20), a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20);
        fixture_ask(f, cases[i].sql, true, &with);
        fixture_ask(f, cases[i].sql, false, &without);
        if (strstr(cases[i].sql, "AGG(")) continue; /* of no order */
        sort_rows(buf_str(&with), &a);
        sort_rows(buf_str(&without), &b);
        if (!str_eq(buf_str(&a), buf_str(&b)))
            fail_msg("%s\n  with    %.*s\n  without %.*s", cases[i].sql, STR_ARG(buf_str(&a)), STR_ARG(buf_str(&b)));
    }
}

static void conditions_on_keys_become_ranges(void **state) {
    (void)state;
    static const struct {
        const char *name, *sql, *expected;
    } rows[] = {
        { "point", "SELECT 1 FROM Tab WHERE k = 5", "AND r0.key = lk('i+', 5)" },
        { "parameter", "SELECT 1 FROM Tab WHERE @i = k", "AND r0.key = lk('i+', ?1)" },
        { "list", "SELECT 1 FROM Tab WHERE k IN (1, 2)", "AND r0.key IN (lk('i+', 1), lk('i+', 2))" },
        { "prefix", "SELECT 1 FROM U WHERE k = 5", "AND r0.key >= lk('i+', 5) AND r0.key < lkz(lk('i+', 5))" },
        { "whole key", "SELECT 1 FROM U WHERE j = 2 AND k = 5", "AND r0.key = lk('i+i-', 5, 2)" },
        { "above, ascending", "SELECT 1 FROM U WHERE k > 5", "AND r0.key >= lk('i+', 5)" },
        { "below, ascending", "SELECT 1 FROM U WHERE 5 >= k", "AND r0.key < lkz(lk('i+', 5))" },
        { "above, descending", "SELECT 1 FROM U WHERE k = 1 AND j > 5",
          "AND r0.key >= lk('i+', 1) AND r0.key < lkz(lk('i+i-', 1, 5))" },
        { "below, descending", "SELECT 1 FROM U WHERE k = 1 AND j < 5",
          "AND r0.key >= lk('i+i-', 1, 5) AND r0.key < lkz(lk('i+', 1))" },
        { "between", "SELECT 1 FROM Tab WHERE k BETWEEN 1 AND 2",
          "AND r0.key >= lk('i+', 1) AND r0.key < lkz(lk('i+', 2))" },
        { "join", "SELECT 1 FROM Tab JOIN U ON Tab.k = U.k AND U.j = 1", "AND r1.key = lk('i+i-', r0.c1, 1)" },
        { "order by the key", "SELECT v FROM U ORDER BY k, j DESC", "ORDER BY r0.key" },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        DEFER(buf_free) struct buf out = BUF_INIT(1 << 16);
        fixture_lower(rows[i].sql, &out);
        if (str_find(buf_str(&out), str_z(rows[i].expected)) < 0)
            fail_msg("%s: %.*s lacks %s", rows[i].name, STR_ARG(buf_str(&out)), rows[i].expected);
    }
}

static void what_is_no_key_range_stays_a_scan(void **state) {
    (void)state;
    static const char *const sql[] = {
        "SELECT 1 FROM Tab WHERE s = 'a'",      "SELECT 1 FROM Tab WHERE k = 1 OR k = 2",
        "SELECT 1 FROM Tab WHERE k = f",        "SELECT 1 FROM Tab WHERE k + 1 = 2",
        "SELECT 1 FROM U WHERE j = 1",          "SELECT 1 FROM Tab WHERE k = k",
        "SELECT 1 FROM Tab WHERE k NOT IN (1)", "SELECT 1 FROM Tab WHERE NOT k = 1",
        "SELECT 1 FROM Tab WHERE k = 1.5",
    };
    for (size_t i = 0; i < COUNT(sql); i++) {
        DEFER(buf_free) struct buf out = BUF_INIT(1 << 16);
        fixture_lower(sql[i], &out);
        if (str_find(buf_str(&out), STR(".key")) >= 0) fail_msg("%s: %.*s", sql[i], STR_ARG(buf_str(&out)));
    }
}

/* SQLite seeks where a range was written: the plan says SEARCH. */
static void ranges_are_used_by_the_planner(void **state) {
    struct fixture *f = *state;
    static const char *const sql[] = {
        "SELECT s FROM Tab WHERE k = @i",
        "SELECT v FROM U WHERE k = 1 AND j > 1",
        "SELECT U.v FROM U WHERE k IN (1, 2) AND k = 2",
    };
    for (size_t i = 0; i < COUNT(sql); i++) {
        DEFER(buf_free) struct buf out = BUF_INIT(1 << 16);
        buf_add_z(&out, "EXPLAIN QUERY PLAN ");
        fixture_lower(sql[i], &out);
        sqlite3_stmt *stmt = NULL;
        assert_int_equal(sqlite3_prepare_v2(f->db, out.p, (int)out.n, &stmt, NULL), SQLITE_OK);
        assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
        assert_non_null(strstr((const char *)sqlite3_column_text(stmt, 3), "SEARCH"));
        sqlite3_finalize(stmt);
    }
}

/* Each name in functions.def that is no template is known to SQLite. */
static void every_function_of_the_table_is_registered(void **state) {
    struct fixture *f = *state;
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(f->db, "SELECT 1 FROM pragma_function_list WHERE name = ?", -1, &stmt, NULL),
                     SQLITE_OK);
    for (size_t i = 0; i < sql_n_functions; i++) {
        const char *lower = sql_functions[i].lower;
        if (strchr("=#!@", lower[0])) continue;
        sqlite3_bind_text(stmt, 1, lower, -1, SQLITE_STATIC);
        if (sqlite3_step(stmt) != SQLITE_ROW)
            fail_msg("%s is lowered to %s, which is not registered", sql_functions[i].name, lower);
        sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
}

static void deep_and_long_statements_end_in_an_answer_or_a_refusal(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *name, *head, *unit, *tail;
        int times;
    } rows[] = {
        { "OR chain", "SELECT k FROM Tab WHERE k = 1", " OR k = 2", "", 900 },
        { "sum", "SELECT 1", " + 1", "", 150 },
        { "parentheses", "SELECT ", "(", "1", 5000 },
        { "NOT", "SELECT ", "NOT ", "TRUE", 5000 },
        { "minus", "SELECT ", "- ", "k", 5000 },
        { "subqueries", "SELECT ", "(SELECT ", "1", 5000 },
        { "IN list", "SELECT k FROM Tab WHERE k IN (1", ", 1", ")", 9000 },
        { "CASE", "SELECT ", "CASE WHEN ", "TRUE", 5000 },
        { "joins", "SELECT 1 FROM Tab", " CROSS JOIN Tab", "", 100 },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        DEFER(buf_free) struct buf sql = BUF_INIT(1 << 20), out = BUF_INIT(1 << 20);
        buf_add_z(&sql, rows[i].head);
        for (int k = 0; k < rows[i].times; k++) buf_add_z(&sql, rows[i].unit);
        buf_add_z(&sql, rows[i].tail);
        buf_add_char(&sql, '\0');
        fixture_ask(f, sql.p, true, &out);
        struct str answer = buf_str(&out);
        bool good = str_starts(answer, STR("k:INT64")) || str_starts(answer, STR(":INT64")) ||
                    str_starts(answer, STR("INVALID_ARGUMENT")) || str_starts(answer, STR("UNIMPLEMENTED"));
        if (!good) fail_msg("%s: %.*s", rows[i].name, STR_ARG(str_upto(answer, 300)));
    }
}

static int set_up(void **state) {
    static struct fixture f;
    fixture_open(&f);
    *state = &f;
    return 0;
}

static int tear_down(void **state) {
    fixture_close(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(queries_answer_as_spanner_does),
        cmocka_unit_test(key_ranges_change_no_answer),
        cmocka_unit_test(conditions_on_keys_become_ranges),
        cmocka_unit_test(what_is_no_key_range_stays_a_scan),
        cmocka_unit_test(ranges_are_used_by_the_planner),
        cmocka_unit_test(every_function_of_the_table_is_registered),
        cmocka_unit_test(deep_and_long_statements_end_in_an_answer_or_a_refusal),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
