/* Statements: what is taken, what is refused, and where. */
#include "test.h"
#include <stdio.h>
#include "googlesql/parse.h"
#include "googlesql/print.h"

static void statements_are_told_apart(void **state) {
    (void)state;
    static const struct {
        const char *sql;
        enum sql_statement kind;
    } cases[] = {
        { "SELECT 1", SQL_QUERY },
        { " -- c\n /* x */ with a as (select 1) select * from a", SQL_QUERY },
        { "(SELECT 1)", SQL_QUERY },
        { "@{USE_ADDITIONAL_PARALLELISM=TRUE} DELETE FROM T WHERE true", SQL_DML },
        { "insert into T (k) values (1)", SQL_DML },
        { "Update T set k = 1 where true", SQL_DML },
        { "CREATE TABLE T (k INT64) PRIMARY KEY (k)", SQL_DDL },
        { "DROP TABLE T", SQL_DDL },
        { "CALL f()", SQL_OTHER },
        { "", SQL_QUERY },
        { "'", SQL_QUERY },
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        if (sql_classify(str_z(cases[i].sql)) != cases[i].kind) fail_msg("%s", cases[i].sql);
}

static void queries_fail_with_their_place(void **state) {
    (void)state;
    static const struct {
        const char *sql;
        enum code code;
        unsigned line, column;
    } cases[] = {
        { "SELECT", INVALID_ARGUMENT, 1, 7 },
        { "SELECT\n  FROM T", INVALID_ARGUMENT, 2, 3 },
        { "SELECT 'abc", INVALID_ARGUMENT, 1, 8 },
        { "SELECT 'a\\q'", INVALID_ARGUMENT, 1, 10 },
        { "SELECT '\\xff'", INVALID_ARGUMENT, 1, 9 },
        { "SELECT `a", INVALID_ARGUMENT, 1, 8 },
        { "SELECT /* x", INVALID_ARGUMENT, 1, 8 },
        { "SELECT 12abc", INVALID_ARGUMENT, 1, 10 },
        { "SELECT 1 ~ 2", INVALID_ARGUMENT, 1, 10 },
        { "SELECT a = b = c", INVALID_ARGUMENT, 1, 14 },
        { "SELECT 99999999999999999999", INVALID_ARGUMENT, 1, 8 },
        { "SELECT 1;SELECT 2", INVALID_ARGUMENT, 1, 10 },
        { "SELECT 'é', ?", INVALID_ARGUMENT, 1, 13 },
        { "SELECT\t?", INVALID_ARGUMENT, 1, 9 },
        { "SELECT DATE '2020-02-30'", INVALID_ARGUMENT, 1, 8 },
        { "SELECT 1 FROM T@{FORCE_INDEX=x}", INVALID_ARGUMENT, 1, 18 },
        { "SELECT 1 FROM T@{NO_SUCH=x}", INVALID_ARGUMENT, 1, 18 },
        { "INSERT INTO T (k) VALUES (1)", UNIMPLEMENTED, 1, 1 },
        { "SELECT [1]", UNIMPLEMENTED, 1, 8 },
        { "SELECT ARRAY(SELECT 1)", UNIMPLEMENTED, 1, 8 },
        { "SELECT STRUCT(1)", UNIMPLEMENTED, 1, 8 },
        { "SELECT (1, 2)", UNIMPLEMENTED, 1, 8 },
        { "SELECT NUMERIC '1'", UNIMPLEMENTED, 1, 8 },
        { "SELECT JSON '1'", UNIMPLEMENTED, 1, 8 },
        { "SELECT CAST(1 AS NUMERIC)", UNIMPLEMENTED, 1, 18 },
        { "SELECT 1 FROM UNNEST(@a)", UNIMPLEMENTED, 1, 15 },
        { "SELECT 1 IN UNNEST(@a)", UNIMPLEMENTED, 1, 13 },
        { "SELECT 1 FROM T TABLESAMPLE RESERVOIR (1 ROWS)", UNIMPLEMENTED, 1, 17 },
        { "SELECT 1 FROM T FOR UPDATE", UNIMPLEMENTED, 1, 17 },
        { "SELECT RANK() OVER (ORDER BY k) FROM T", UNIMPLEMENTED, 1, 8 },
        { "WITH RECURSIVE a AS (SELECT 1) SELECT 1", UNIMPLEMENTED, 1, 6 },
        { "FROM T |> WHERE k = 1", UNIMPLEMENTED, 1, 1 },
        { "SELECT @@x", UNIMPLEMENTED, 1, 8 },
        { "SELECT 1 FROM f(1)", UNIMPLEMENTED, 1, 15 },
        { "SELECT 1 INTERSECT ALL SELECT 1", UNIMPLEMENTED, 1, 10 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 22);
        struct sql_query *q;
        struct err err = { 0 };
        enum code rc = sql_parse_query(arena, str_z(cases[i].sql), &q, &err);
        if (rc != cases[i].code || err.line != cases[i].line || err.column != cases[i].column)
            fail_msg("%s: %s %u:%u %s", cases[i].sql, code_name(rc), err.line, err.column, err.message);
    }
}

/* CREATE TABLE and what GetDatabaseDdl makes of it. */
static void tables_are_printed_as_spanner_prints_them(void **state) {
    (void)state;
    static const struct {
        const char *name, *ddl, *printed;
    } cases[] = {
        { "trailing key", "create table T (k int64 not null, v string(MAX)) primary key (k)",
          "CREATE TABLE T (\n  k INT64 NOT NULL,\n  v STRING(MAX),\n) PRIMARY KEY(k)" },
        { "key in the parentheses", "CREATE TABLE T (k INT64, PRIMARY KEY (k DESC),)",
          "CREATE TABLE T (\n  k INT64,\n) PRIMARY KEY(k DESC)" },
        { "key of a column", "CREATE TABLE T (k BYTES(16) PRIMARY KEY, b BOOL)",
          "CREATE TABLE T (\n  k BYTES(16),\n  b BOOL,\n) PRIMARY KEY(k)" },
        { "no key part", "CREATE TABLE T (v FLOAT64) PRIMARY KEY ()", "CREATE TABLE T (\n  v FLOAT64,\n) PRIMARY KEY()" },
        { "commit timestamp",
          "CREATE TABLE `T` (k DATE, t TIMESTAMP OPTIONS (allow_commit_timestamp=true)) PRIMARY KEY (k, t)",
          "CREATE TABLE T (\n  k DATE,\n  t TIMESTAMP OPTIONS (\n    allow_commit_timestamp = true\n  ),\n) PRIMARY KEY(k, "
          "t)" },
        { "reserved words", "CREATE TABLE `Order` (`select` INT64) PRIMARY KEY (`select`)",
          "CREATE TABLE `Order` (\n  `select` INT64,\n) PRIMARY KEY(`select`)" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 22);
        DEFER(buf_free) struct buf out = BUF_INIT(4096);
        struct sql_ddl *d = NULL;
        struct err err = { 0 };
        if (sql_parse_ddl(arena, str_z(cases[i].ddl), &d, &err)) fail_msg("%s: %s", cases[i].name, err.message);
        assert_non_null(d);
        struct sql_table t = {
            .name = d->name, .columns = d->columns, .n_columns = d->n_columns, .key = d->key, .n_key = d->n_key
        };
        sql_print_table(&t, &out);
        assert_str(buf_str(&out), cases[i].printed);
        struct sql_ddl *again; /* what is printed is read again */
        assert_int_equal(sql_parse_ddl(arena, buf_str(&out), &again, &err), OK);
    }
}

static void other_ddl_is_understood(void **state) {
    (void)state;
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 22);
    struct sql_ddl *d;
    assert_int_equal(sql_parse_ddl(arena, STR("CREATE DATABASE `my-db`"), &d, NULL), OK);
    assert_int_equal(d->kind, DDL_CREATE_DATABASE);
    assert_str(d->name, "my-db");
    assert_int_equal(sql_parse_ddl(arena, STR("ALTER TABLE T ADD COLUMN IF NOT EXISTS c STRING(10) NOT NULL;"), &d, NULL),
                     OK);
    assert_int_equal(d->kind, DDL_ADD_COLUMN);
    assert_true(d->if_not_exists && d->columns[0].not_null && d->columns[0].max_length == 10);
    assert_int_equal(sql_parse_ddl(arena, STR("ALTER TABLE T DROP COLUMN c"), &d, NULL), OK);
    assert_int_equal(d->kind, DDL_DROP_COLUMN);
    assert_str(d->column, "c");
    assert_int_equal(sql_parse_ddl(arena, STR("DROP TABLE IF EXISTS T"), &d, NULL), OK);
    assert_int_equal(d->kind, DDL_DROP_TABLE);
    assert_true(d->if_exists);
    assert_int_equal(sql_parse_ddl(arena, STR("CREATE TABLE IF NOT EXISTS T (k INT64) PRIMARY KEY (k)"), &d, NULL), OK);
    assert_true(d->if_not_exists);
}

static void ddl_fails_with_its_place(void **state) {
    (void)state;
    static const struct {
        const char *ddl;
        enum code code;
        unsigned column;
    } cases[] = {
        { "CREATE TABLE T (k INT64)", INVALID_ARGUMENT, 25 },
        { "CREATE TABLE T (k INT64) PRIMARY KEY (x)", INVALID_ARGUMENT, 39 },
        { "CREATE TABLE T (k INT64) PRIMARY KEY (k, K)", INVALID_ARGUMENT, 42 },
        { "CREATE TABLE T (k INT64, K BOOL) PRIMARY KEY (k)", INVALID_ARGUMENT, 26 },
        { "CREATE TABLE T (k INT64 PRIMARY KEY) PRIMARY KEY (k)", INVALID_ARGUMENT, 50 },
        { "CREATE TABLE T (k STRING) PRIMARY KEY (k)", INVALID_ARGUMENT, 17 },
        { "CREATE TABLE T (k STRING(0)) PRIMARY KEY (k)", INVALID_ARGUMENT, 26 },
        { "CREATE TABLE T (k STRING(9999999)) PRIMARY KEY (k)", INVALID_ARGUMENT, 26 },
        { "CREATE TABLE T (k FOO) PRIMARY KEY (k)", INVALID_ARGUMENT, 19 },
        { "CREATE TABLE T (k INT64 OPTIONS (allow_commit_timestamp=true)) PRIMARY KEY (k)", INVALID_ARGUMENT, 34 },
        { "CREATE DATABASE `A`", INVALID_ARGUMENT, 17 },
        { "CREATE TABLE", INVALID_ARGUMENT, 13 },
        { "SELECT 1", INVALID_ARGUMENT, 1 },
        { "CREATE TABLE T (k NUMERIC) PRIMARY KEY (k)", UNIMPLEMENTED, 19 },
        { "CREATE TABLE T (k ARRAY<INT64>) PRIMARY KEY (k)", UNIMPLEMENTED, 19 },
        { "CREATE TABLE T (k INT64 DEFAULT (1)) PRIMARY KEY (k)", UNIMPLEMENTED, 25 },
        { "CREATE TABLE T (k INT64, FOREIGN KEY (k) REFERENCES U (k)) PRIMARY KEY (k)", UNIMPLEMENTED, 26 },
        { "CREATE TABLE T (k INT64) PRIMARY KEY (k), INTERLEAVE IN PARENT P", UNIMPLEMENTED, 41 },
        { "CREATE TABLE s.T (k INT64) PRIMARY KEY (k)", UNIMPLEMENTED, 14 },
        { "CREATE INDEX i ON T (k)", UNIMPLEMENTED, 1 },
        { "CREATE VIEW v SQL SECURITY INVOKER AS SELECT 1", UNIMPLEMENTED, 1 },
        { "ALTER TABLE T ALTER COLUMN k STRING(MAX)", UNIMPLEMENTED, 15 },
        { "ALTER TABLE T ADD CONSTRAINT c CHECK (k > 1)", UNIMPLEMENTED, 15 },
        { "GRANT SELECT ON VIEW V TO ROLE r", UNIMPLEMENTED, 17 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 22);
        struct sql_ddl *d;
        struct err err = { 0 };
        enum code rc = sql_parse_ddl(arena, str_z(cases[i].ddl), &d, &err);
        if (rc != cases[i].code || err.column != cases[i].column)
            fail_msg("%s: %s %u %s", cases[i].ddl, code_name(rc), err.column, err.message);
    }
}

static void fingerprints_hold_no_values(void **state) {
    (void)state;
    static const struct {
        const char *sql, *fingerprint;
    } cases[] = {
        { "SELECT  a,b FROM T -- secret\nWHERE c = 'canary' AND d > 12.5", "SELECT a , b FROM T WHERE c = ? AND d > ?" },
        { "SELECT b'canary', r'canary', DATE '2020-01-01', @p", "SELECT ? , ? , DATE ? , @p" },
        { "SELECT 1 FROM T@{FORCE_INDEX=_BASE_TABLE}", "SELECT ? FROM T" },
        { "SELECT 'canary", "<unreadable>" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(buf_free) struct buf out = BUF_INIT(4096);
        sql_fingerprint(str_z(cases[i].sql), &out);
        assert_str(buf_str(&out), cases[i].fingerprint);
    }
}

/* Out of memory at any allocation is an error, never a crash. */
/* The table is searched by halves: a word out of order would be lost. */
static void reserved_words_are_known(void **state) {
    (void)state;
    static const char *const yes[] = { "ALL",     "all",      "AND",      "ASSERT_ROWS_MODIFIED",
                                       "Between", "GROUP",    "GROUPING", "GROUPS",
                                       "IN",      "INTERVAL", "INTO",     "NULL",
                                       "NULLS",   "OR",       "ORDER",    "select",
                                       "WITH",    "WITHIN" };
    static const char *const no[] = { "", "AL", "ALLE", "WITHI", "WITHINX", "GROUPER", "A", "Z", "_", "flights" };
    for (size_t i = 0; i < COUNT(yes); i++)
        if (!sql_reserved(str_z(yes[i]))) fail_msg("%s is reserved", yes[i]);
    for (size_t i = 0; i < COUNT(no); i++)
        if (sql_reserved(str_z(no[i]))) fail_msg("%s is not reserved", no[i]);
}

static void short_memory_is_survived(void **state) {
    (void)state;
    struct str sql = STR(
        "WITH w AS (SELECT k FROM T) SELECT a, COUNT(*) FROM T JOIN w USING (k) WHERE a IN (1, 'x') GROUP BY a ORDER BY 1");
    for (unsigned n = 1; n < 200; n++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 22);
        struct sql_query *q;
        arena_fail_after(n);
        enum code rc = sql_parse_query(arena, sql, &q, NULL);
        arena_fail_after(0);
        if (rc == OK) return;
        assert_int_equal(rc, RESOURCE_EXHAUSTED);
    }
    fail_msg("200 allocations were not enough");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_are_told_apart),
        cmocka_unit_test(queries_fail_with_their_place),
        cmocka_unit_test(tables_are_printed_as_spanner_prints_them),
        cmocka_unit_test(other_ddl_is_understood),
        cmocka_unit_test(ddl_fails_with_its_place),
        cmocka_unit_test(fingerprints_hold_no_values),
        cmocka_unit_test(reserved_words_are_known),
        cmocka_unit_test(short_memory_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
