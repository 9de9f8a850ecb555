/* Roles: their statements, what a role may, and the outline of a schema that holds more than this program serves. */
#include "test.h"
#include "googlesql/outline.h"
#include "googlesql/parse.h"
#include "googlesql/print.h"

/* ---- statements ---- */

static void print_statement(const struct sql_ddl *d, struct buf *out) {
    if (d->kind == DDL_CREATE_ROLE) sql_print_role(d->name, out);
    else if (d->kind == DDL_DROP_ROLE) buf_printf(out, "DROP ROLE %.*s", STR_ARG(d->name));
    else sql_print_grants(&d->grants, d->kind == DDL_REVOKE, out);
}

static void statements_are_read_and_printed(void **state) {
    (void)state;
    static const struct {
        const char *ddl, *printed; /* NULL: the same */
    } cases[] = {
        { "CREATE ROLE hr_rep", NULL },
        { "create role `hr_rep`;", "CREATE ROLE hr_rep" },
        { "DROP ROLE hr_rep", NULL },
        { "GRANT SELECT ON TABLE employees TO ROLE hr_rep", NULL },
        { "GRANT SELECT(name, level), INSERT, UPDATE(level), DELETE ON TABLE employees, `order` TO ROLE hr_rep, "
          "hr_director",
          NULL },
        { "grant select ( `name` ) on table Employees to role R", "GRANT SELECT(name) ON TABLE Employees TO ROLE R" },
        { "REVOKE SELECT(name), DELETE ON TABLE employees FROM ROLE hr_rep", NULL },
        { "GRANT SELECT ON TABLE model TO ROLE role", NULL },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 22);
        DEFER(buf_free) struct buf out = BUF_INIT(65536);
        struct sql_ddl *d;
        struct err err = { 0 };
        if (sql_parse_ddl(arena, str_z(cases[i].ddl), &d, &err)) fail_msg("%s: %s", cases[i].ddl, err.message);
        print_statement(d, &out);
        assert_str(buf_str(&out), cases[i].printed ? cases[i].printed : cases[i].ddl);
    }
}

static void statements_fail_with_their_place(void **state) {
    (void)state;
    static const struct {
        const char *ddl;
        enum code code;
        unsigned column;
    } cases[] = {
        { "CREATE ROLE", INVALID_ARGUMENT, 12 },
        { "CREATE ROLE a b", INVALID_ARGUMENT, 15 },
        { "CREATE ROLE 1a", INVALID_ARGUMENT, 14 },
        { "CREATE ROLE `a-b`", INVALID_ARGUMENT, 13 },
        { "CREATE ROLE IF NOT EXISTS a", INVALID_ARGUMENT, 13 }, /* IF is reserved, and Spanner has no such clause */
        { "CREATE ROLE public", UNIMPLEMENTED, 13 },
        { "DROP ROLE Spanner_Info_Reader", UNIMPLEMENTED, 11 },
        { "GRANT ON TABLE T TO ROLE r", INVALID_ARGUMENT, 7 },
        { "GRANT ALL ON TABLE T TO ROLE r", INVALID_ARGUMENT, 7 },
        { "GRANT SELECT() ON TABLE T TO ROLE r", INVALID_ARGUMENT, 14 },
        { "GRANT SELECT(a,) ON TABLE T TO ROLE r", INVALID_ARGUMENT, 16 },
        { "GRANT DELETE(a) ON TABLE T TO ROLE r", INVALID_ARGUMENT, 7 },
        { "GRANT SELECT ON T TO ROLE r", INVALID_ARGUMENT, 17 },
        { "GRANT SELECT ON TABLE T TO r", INVALID_ARGUMENT, 28 },
        { "GRANT SELECT ON TABLE T FROM ROLE r", INVALID_ARGUMENT, 25 },
        { "REVOKE SELECT ON TABLE T TO ROLE r", INVALID_ARGUMENT, 26 },
        { "GRANT SELECT ON TABLE T TO ROLE public", UNIMPLEMENTED, 33 },
        { "GRANT SELECT ON TABLE s.T TO ROLE r", UNIMPLEMENTED, 23 },
        { "GRANT SELECT ON VIEW V TO ROLE r", UNIMPLEMENTED, 17 },
        { "GRANT SELECT ON ALL TABLES IN SCHEMA s TO ROLE r", UNIMPLEMENTED, 17 },
        { "GRANT EXECUTE ON TABLE FUNCTION f TO ROLE r", UNIMPLEMENTED, 7 },
        { "GRANT ROLE a TO ROLE b", UNIMPLEMENTED, 7 },
        { "REVOKE ROLE a FROM ROLE b", UNIMPLEMENTED, 8 },
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

/* ---- the outline ---- */

static struct sql_catalog outline_of(struct arena *arena, const char *const *statements, size_t n, size_t *ret_passed) {
    struct sql_outline *o = sql_outline_new(arena);
    struct sql_catalog catalog;
    struct err err = { 0 };
    for (size_t i = 0; i < n; i++) {
        bool passed;
        if (sql_outline_add(o, str_z(statements[i]), &passed, &err)) fail_msg("%s: %s", statements[i], err.message);
        if (ret_passed) *ret_passed += passed;
    }
    assert_int_equal(sql_outline_catalog(o, &catalog, &err), OK);
    return catalog;
}

static void the_outline_takes_names_whatever_stands_between(void **state) {
    (void)state;
    static const char *const ddl[] = {
        "CREATE TABLE Zoo (\n  id INT64 NOT NULL,\n  name STRING(MAX) DEFAULT (\"x, y)\"),\n  tags ARRAY<STRING(MAX)>,\n"
        "  vec ARRAY<FLOAT64>(vector_length=>128),\n  price NUMERIC AS (id + 1) STORED,\n  check BOOL,\n  `order` JSON,\n"
        "  ts TIMESTAMP NOT NULL OPTIONS (allow_commit_timestamp = true),\n"
        "  CONSTRAINT fk FOREIGN KEY(id) REFERENCES ant(id),\n  CONSTRAINT c CHECK(id < 3),\n  CHECK(id > 1),\n"
        "  FOREIGN KEY(id) REFERENCES ant(id),\n  SYNONYM(Tiere),\n) PRIMARY KEY(id),\n"
        "  ROW DELETION POLICY (OLDER_THAN(ts, INTERVAL 30 DAY))",
        "CREATE TABLE IF NOT EXISTS ant (id INT64, PRIMARY KEY(id)), INTERLEAVE IN PARENT Zoo ON DELETE CASCADE",
        "CREATE TABLE sales.Orders (id INT64) PRIMARY KEY(id)",
        "CREATE INDEX i ON Zoo(name)",
        "CREATE VIEW v SQL SECURITY INVOKER AS SELECT 1 AS one",
        "CREATE ROLE r",
        "GRANT SELECT(NAME), SELECT(id), DELETE ON TABLE zoo TO ROLE R",
        "GRANT INSERT ON TABLE Zoo, ant TO ROLE r",
        "GRANT SELECT ON VIEW v TO ROLE r",
    };
    DEFER(arena_freep) struct arena *arena = arena_new(1 << 24);
    size_t passed = 0;
    struct sql_catalog c = outline_of(arena, ddl, COUNT(ddl), &passed);
    assert_int_equal(passed, 4); /* the named schema, the index, the view, the grant on it */
    assert_int_equal(c.n_tables, 2);
    assert_str(c.tables[0]->name, "ant");
    static const char *const columns[] = { "id", "name", "tags", "vec", "price", "check", "order", "ts" };
    assert_int_equal(c.tables[1]->n_columns, COUNT(columns));
    for (size_t i = 0; i < COUNT(columns); i++) {
        assert_str(c.tables[1]->columns[i].name, columns[i]);
        assert_int_equal(c.tables[1]->columns[i].generated, i == 4);
    }
    const struct sql_role *r = sql_role_find(&c, STR("R"));
    assert_non_null(r);
    struct str both[] = { STR("Name"), STR("ID") }, more[] = { STR("Name"), STR("tags") };
    assert_true(sql_role_may(r, SQL_SELECT, STR("ZOO"), both, 2));
    assert_false(sql_role_may(r, SQL_SELECT, STR("Zoo"), more, 2));
    assert_false(sql_role_may(r, SQL_SELECT, STR("Zoo"), NULL, 0)); /* the whole table */
    assert_true(sql_role_may(r, SQL_INSERT, STR("Zoo"), more, 2));
    assert_true(sql_role_may(r, SQL_INSERT, STR("ant"), NULL, 0));
    assert_true(sql_role_may(r, SQL_DELETE, STR("Zoo"), NULL, 0));
    assert_false(sql_role_may(r, SQL_DELETE, STR("ant"), NULL, 0));
    assert_false(sql_role_may(r, SQL_UPDATE, STR("Zoo"), both, 1));
    assert_true(sql_role_sees(r, STR("ant")));
    assert_false(sql_role_sees(r, STR("bee")));
}

static void a_broken_outline_is_refused(void **state) {
    (void)state;
    static const char *const cases[] = {
        "CREATE TABLE T (id INT64",
        "CREATE TABLE T",
        "CREATE TABLE T (id INT64 DEFAULT ('x) PRIMARY KEY(id)",
        "GRANT SELECT ON TABLE T TO ROLE nobody",
        "GRANT SELECT(nix) ON TABLE A TO ROLE r",
        "GRANT SELECT ON TABLE B TO ROLE r",
        "GRANT SELECT ON TABLE A TO r",
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        DEFER(arena_freep) struct arena *arena = arena_new(1 << 22);
        struct sql_outline *o = sql_outline_new(arena);
        struct err err = { 0 };
        bool passed;
        assert_int_equal(sql_outline_add(o, STR("CREATE TABLE A (k INT64) PRIMARY KEY(k)"), &passed, &err), OK);
        assert_int_equal(sql_outline_add(o, STR("CREATE ROLE r"), &passed, &err), OK);
        enum code rc = sql_outline_add(o, str_z(cases[i]), &passed, &err);
        if (rc != INVALID_ARGUMENT) fail_msg("%s: %s", cases[i], code_name(rc));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statements_are_read_and_printed),
        cmocka_unit_test(statements_fail_with_their_place),
        cmocka_unit_test(the_outline_takes_names_whatever_stands_between),
        cmocka_unit_test(a_broken_outline_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
