/* Names, types, parameters, and which columns a statement reads. */
#include "test.h"
#include <stdio.h>
#include "googlesql/access.h"
#include "googlesql/info_schema.h"
#include "googlesql/parse.h"

#define COLUMN(n, column_name, column_type)                                                                                \
    { .name = STR_INIT(column_name), .type = (column_type), .id = (n) }
static const struct sql_column columns[] = {
    COLUMN(1, "k", SQL_INT64), COLUMN(2, "s", SQL_STRING),    COLUMN(3, "f", SQL_FLOAT64),
    COLUMN(4, "d", SQL_DATE),  COLUMN(5, "x", SQL_TIMESTAMP),
};
static const struct sql_key_part key[] = { { 0, false } };
static const struct sql_table a_table = {
    .name = STR_INIT("A"), .id = 1, .columns = columns, .n_columns = 5, .key = key, .n_key = 1
};
static const struct sql_table b_table = {
    .name = STR_INIT("B"), .id = 2, .columns = columns, .n_columns = 2, .key = key, .n_key = 1
};
static const struct sql_table *const tables[] = { &a_table, &b_table };
static const struct sql_catalog catalog = { 1, tables, 2 };

static enum code analyse(struct arena *arena, const char *sql, struct sql_analysis *a, struct err *err) {
    static const struct sql_param given[] = { { .name = STR_INIT("Declared"), .type = SQL_STRING } };
    struct sql_query *q;
    enum code rc = sql_parse_query(arena, str_z(sql), &q, err);
    return rc ? rc : sql_analyse(arena, str_z(sql), q, &catalog, given, 1, a, err);
}

/* "A(k, s) B(*) | TABLES": any one column of B. */
static void show_access(struct arena *arena, const struct sql_analysis *a, struct buf *out) {
    struct sql_access_list list;
    assert_int_equal(sql_access(arena, a, &list, NULL), OK);
    for (size_t i = 0; i < list.n_tables; i++) {
        buf_printf(out, "%s%.*s(", i ? " " : "", STR_ARG(list.tables[i].table->name));
        if (list.tables[i].any_column) buf_add_char(out, '*');
        for (size_t c = 0; c < list.tables[i].n_columns; c++)
            buf_printf(out, "%s%.*s", c ? ", " : "", STR_ARG(list.tables[i].columns[c]));
        buf_add_char(out, ')');
    }
    for (size_t i = 0; i < list.n_info; i++) buf_printf(out, " | %.*s", STR_ARG(list.info[i]->name));
}

static void every_column_that_is_named_is_read(void **state) {
    (void)state;
    static const struct {
        const char *name, *sql, *access;
    } cases[] = {
        { "output", "SELECT s FROM A", "A(s)" },
        { "where", "SELECT k FROM A WHERE s = 'x'", "A(k, s)" },
        { "order", "SELECT k FROM A ORDER BY f", "A(k, f)" },
        { "group and having", "SELECT COUNT(*) FROM A GROUP BY s HAVING MAX(f) > 1", "A(s, f)" },
        { "star", "SELECT * FROM A", "A(k, s, f, d, x)" },
        { "star within", "SELECT k FROM (SELECT * FROM A)", "A(k, s, f, d, x)" },
        { "star but for", "SELECT * EXCEPT (s, x) FROM A", "A(k, f, d)" },
        { "count", "SELECT COUNT(*) FROM A", "A(*)" },
        { "constant", "SELECT 1 FROM A", "A(*)" },
        { "exists", "SELECT 1 FROM A WHERE EXISTS (SELECT 1 FROM B)", "A(*) B(*)" },
        { "correlated columns", "SELECT 1 FROM A WHERE EXISTS (SELECT 1 FROM B WHERE B.s = A.s)", "A(s) B(s)" },
        { "own column in a subquery", "SELECT 1 FROM A WHERE EXISTS (SELECT 1 FROM B WHERE s = 'x')", "A(*) B(s)" },
        { "order around parentheses", "SELECT ((SELECT B.k FROM B) ORDER BY f LIMIT 1) FROM A", "A(f) B(k)" },
        { "order around parentheses, of both", "SELECT ((SELECT B.k FROM B) ORDER BY s LIMIT 1) FROM A", "A(s) B(k)" },
        { "join on", "SELECT A.f FROM A JOIN B ON A.k = B.k", "A(k, f) B(k)" },
        { "using", "SELECT A.f FROM A JOIN B USING (k)", "A(k, f) B(k)" },
        { "using full", "SELECT k FROM A FULL JOIN B USING (k)", "A(k) B(k)" },
        { "cross", "SELECT A.k FROM A, B", "A(k) B(*)" },
        { "self join", "SELECT x1.s FROM A x1 JOIN A x2 ON x1.k = x2.k WHERE x2.f > 1", "A(k, s, f)" },
        { "unused CTE", "WITH w AS (SELECT s FROM B) SELECT k FROM A", "A(k) B(s)" },
        { "set operation", "SELECT k FROM A UNION ALL SELECT k FROM B", "A(k) B(k)" },
        { "scalar subquery", "SELECT (SELECT MAX(s) FROM B) FROM A", "A(*) B(s)" },
        { "in subquery", "SELECT k FROM A WHERE k IN (SELECT k FROM B)", "A(k) B(k)" },
        { "any case", "select S from a", "A(s)" },
        { "information schema", "SELECT t.TABLE_NAME FROM information_schema.tables t JOIN A ON A.s = t.TABLE_NAME",
          "A(s) | TABLES" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 22);
        DEFER(buf_free) struct buf out = BUF_INIT(4096);
        struct sql_analysis a;
        struct err err = { 0 };
        if (analyse(arena, cases[i].sql, &a, &err)) fail_msg("%s: %s", cases[i].name, err.message);
        show_access(arena, &a, &out);
        if (!str_eq_z(buf_str(&out), cases[i].access)) fail_msg("%s: %.*s", cases[i].name, STR_ARG(buf_str(&out)));
    }
}

static void messages_are_spanners(void **state) {
    (void)state;
    static const struct {
        const char *sql;
        enum code code;
        const char *message;
    } cases[] = {
        { "SELECT nope FROM A", INVALID_ARGUMENT, "Unrecognized name: nope [at 1:8]" },
        { "SELECT 1 FROM Nope", INVALID_ARGUMENT, "Table not found: Nope [at 1:15]" },
        { "SELECT 1\nFROM x.Nope", INVALID_ARGUMENT, "Table not found: x.Nope [at 2:6]" },
        { "SELECT A.nope FROM A", INVALID_ARGUMENT, "Name nope not found inside A [at 1:10]" },
        { "SELECT k FROM A, B", INVALID_ARGUMENT, "Column name k is ambiguous [at 1:8]" },
        { "SELECT 1 FROM A, A", INVALID_ARGUMENT, "Duplicate table alias A in the same FROM clause [at 1:18]" },
        { "SELECT s FROM A GROUP BY k", INVALID_ARGUMENT,
          "SELECT list expression references column s which is neither grouped nor aggregated [at 1:8]" },
        { "SELECT 1 FROM A WHERE s", INVALID_ARGUMENT,
          "WHERE clause should return type BOOL, but returns STRING [at 1:23]" },
        { "SELECT 1 FROM A WHERE SUM(k) > 1", INVALID_ARGUMENT,
          "Aggregate function SUM not allowed in WHERE clause [at 1:23]" },
        { "SELECT NOPE(1)", INVALID_ARGUMENT, "Function not found: NOPE [at 1:8]" },
        { "SELECT SHA256('a')", UNIMPLEMENTED, "Function SHA256: not supported yet [at 1:8]" },
        { "SELECT 1 FROM INFORMATION_SCHEMA.MODELS", UNIMPLEMENTED,
          "Table INFORMATION_SCHEMA.MODELS: not supported yet [at 1:15]" },
        { "SELECT 1 FROM SPANNER_SYS.QUERY_STATS_TOP_MINUTE", UNIMPLEMENTED,
          "Table SPANNER_SYS.QUERY_STATS_TOP_MINUTE: not supported yet [at 1:15]" },
        { "SELECT A FROM A", UNIMPLEMENTED, "The row A as a STRUCT: not supported yet [at 1:8]" },
        { "SELECT (SELECT SUM(A.k) FROM B) FROM A", UNIMPLEMENTED,
          "An aggregate over columns of an outer query only: not supported yet [at 1:16]" },
        { "SELECT 1 FROM A WHERE d = 'canary'", INVALID_ARGUMENT, "Could not cast literal to type DATE [at 1:27]" },
        { "SELECT EXTRACT(HOUR FROM d) FROM A", INVALID_ARGUMENT, "EXTRACT does not support the HOUR date part [at 1:8]" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 22);
        struct sql_analysis a;
        struct err err = { 0 };
        enum code rc = analyse(arena, cases[i].sql, &a, &err);
        if (rc != cases[i].code) fail_msg("%s: %s", cases[i].sql, code_name(rc));
        assert_str(str_z(err.message), cases[i].message);
    }
}

static void parameters_take_their_type_from_what_is_around_them(void **state) {
    (void)state;
    static const struct {
        const char *sql;
        enum sql_type type;
    } cases[] = {
        { "SELECT 1 FROM A WHERE k = @p", SQL_INT64 },
        { "SELECT 1 FROM A WHERE @p = s", SQL_STRING },
        { "SELECT 1 FROM A WHERE f > @p", SQL_FLOAT64 },
        { "SELECT 1 FROM A WHERE d IN (@p)", SQL_DATE },
        { "SELECT 1 FROM A WHERE x BETWEEN @p AND @p", SQL_TIMESTAMP },
        { "SELECT UPPER(@p)", SQL_STRING },
        { "SELECT @p", SQL_INT64 },
        { "SELECT 1 FROM A LIMIT @p", SQL_INT64 },
        { "SELECT CAST(@p AS DATE)", SQL_DATE },
        { "SELECT IF(@p, 1, 2)", SQL_BOOL },
        { "SELECT s FROM A WHERE s LIKE @p", SQL_STRING },
        { "SELECT COALESCE(d, @p) FROM A", SQL_DATE },
        { "SELECT @declared", SQL_STRING },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 22);
        struct sql_analysis a = { 0 };
        struct err err = { 0 };
        if (analyse(arena, cases[i].sql, &a, &err)) fail_msg("%s: %s", cases[i].sql, err.message);
        assert_int_equal(a.n_params, 1);
        if (a.params[0].type != cases[i].type) fail_msg("%s: %s", cases[i].sql, sql_type_name(a.params[0].type));
    }
}

static void only_simple_scans_can_be_partitioned(void **state) {
    (void)state;
    static const struct {
        const char *sql;
        bool yes;
    } cases[] = {
        { "SELECT * FROM A", true },
        { "SELECT k + 1 FROM A WHERE s LIKE 'a%'", true },
        { "SELECT k FROM A ORDER BY k", false },
        { "SELECT k FROM A LIMIT 1", false },
        { "SELECT DISTINCT k FROM A", false },
        { "SELECT COUNT(*) FROM A", false },
        { "SELECT A.k FROM A JOIN B USING (k)", false },
        { "SELECT k FROM A WHERE k IN (SELECT k FROM B)", false },
        { "SELECT (SELECT 1) FROM A", false },
        { "SELECT k FROM (SELECT k FROM A)", false },
        { "SELECT 1", false },
        { "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES", false },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 22);
        struct sql_analysis a;
        const char *why;
        assert_int_equal(analyse(arena, cases[i].sql, &a, NULL), OK);
        if ((sql_root_partitionable(&a, &why) != NULL) != cases[i].yes) fail_msg("%s", cases[i].sql);
        assert_int_equal(why == NULL, cases[i].yes);
    }
}

static void information_schema_has_no_column_twice(void **state) {
    (void)state;
    for (size_t i = 0; sql_info_schema_at(i); i++) {
        const struct sql_table *t = sql_info_schema_at(i);
        assert_ptr_equal(sql_info_schema_table(t->name), t);
        for (uint16_t c = 0; c < t->n_columns; c++) {
            assert_int_equal(t->columns[c].id, c + 1);
            assert_int_equal(sql_table_find(t, t->columns[c].name), c);
        }
    }
}

static void short_memory_is_survived(void **state) {
    (void)state;
    const char *sql = "WITH w AS (SELECT k FROM A) SELECT s, COUNT(*) FROM A JOIN w USING (k) WHERE f > 1 AND d = "
                      "'2020-01-01' GROUP BY s ORDER BY 1";
    for (unsigned n = 1; n < 300; n++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 22);
        struct sql_analysis a;
        arena_fail_after(n);
        enum code rc = analyse(arena, sql, &a, NULL);
        arena_fail_after(0);
        if (rc == OK) return;
        if (rc != RESOURCE_EXHAUSTED) fail_msg("allocation %u: %s", n, code_name(rc));
    }
    fail_msg("300 allocations were not enough");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_column_that_is_named_is_read),
        cmocka_unit_test(messages_are_spanners),
        cmocka_unit_test(parameters_take_their_type_from_what_is_around_them),
        cmocka_unit_test(only_simple_scans_can_be_partitioned),
        cmocka_unit_test(information_schema_has_no_column_twice),
        cmocka_unit_test(short_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
