/* Roles in the engine: what DDL may do to them, and that they outlive a restart and a kill. */
#include "fixture.h"

#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static enum code role_ddl(struct fixture *f, enum engine_ddl_kind kind, const char *role, struct err *err) {
    return ddl_now(f->db, &(struct engine_ddl){ .kind = kind, .role = str_z(role) }, NULL, err);
}

/* One privilege on T, on one column or (NULL) on the table. */
static enum code grant_ddl(struct fixture *f, enum engine_ddl_kind kind, enum sql_privilege privilege, const char *column,
                           const char *role, struct err *err) {
    struct str columns[] = { str_z(column) }, tables[] = { STR("t") }, roles[] = { str_z(role) };
    struct sql_privilege_item item = { privilege, columns, column ? 1 : 0 };
    struct engine_ddl ddl = { .kind = kind, .grants = { &item, tables, roles, 1, 1, 1 } };
    return ddl_now(f->db, &ddl, NULL, err);
}

static void must(enum code rc, const struct err *err) {
    if (rc) fail_msg("%s", err->message);
}

static bool may(struct fixture *f, const char *role, enum sql_privilege privilege, const char *column) {
    const struct sql_catalog *c = engine_catalog(f->db);
    const struct sql_role *r = sql_role_find(c, str_z(role));
    struct str columns[] = { str_z(column) };
    bool yes = r && sql_role_may(r, privilege, STR("T"), columns, column ? 1 : 0);
    engine_catalog_unref(c);
    return yes;
}

static void make_roles(struct fixture *f) {
    struct err err = { 0 };
    make_table(f, "T");
    must(role_ddl(f, ENGINE_CREATE_ROLE, "Reader", &err), &err);
    must(grant_ddl(f, ENGINE_GRANT, SQL_SELECT, "A", "reader", &err), &err);
    must(grant_ddl(f, ENGINE_GRANT, SQL_SELECT, "k", "READER", &err), &err);
    must(grant_ddl(f, ENGINE_GRANT, SQL_INSERT, NULL, "reader", &err), &err);
}

static void check_roles(struct fixture *f) {
    assert_true(may(f, "reader", SQL_SELECT, "a") && may(f, "Reader", SQL_SELECT, "K"));
    assert_false(may(f, "reader", SQL_SELECT, "b"));
    assert_false(may(f, "reader", SQL_SELECT, NULL));
    assert_true(may(f, "reader", SQL_INSERT, "b") && may(f, "reader", SQL_INSERT, NULL));
    assert_false(may(f, "reader", SQL_DELETE, NULL));
}

static void roles_outlive_a_restart(void **state) {
    (void)state;
    struct fixture f;
    fixture_open(&f, NULL);
    make_roles(&f);
    check_roles(&f);
    fixture_reopen(&f, NULL);
    check_roles(&f);
    fixture_close(&f);
}

static void grants_add_and_revocations_take(void **state) {
    (void)state;
    struct fixture f;
    struct err err = { 0 };
    fixture_open(&f, NULL);
    make_roles(&f);
    must(grant_ddl(&f, ENGINE_GRANT, SQL_SELECT, "a", "reader", &err), &err); /* again: no fault */
    must(grant_ddl(&f, ENGINE_GRANT, SQL_SELECT, NULL, "reader", &err), &err);
    assert_true(may(&f, "reader", SQL_SELECT, "b"));
    must(grant_ddl(&f, ENGINE_REVOKE, SQL_SELECT, "a", "reader", &err), &err); /* the table's own stays */
    assert_true(may(&f, "reader", SQL_SELECT, "a"));
    must(grant_ddl(&f, ENGINE_REVOKE, SQL_SELECT, NULL, "reader", &err), &err); /* and takes its columns along */
    assert_false(may(&f, "reader", SQL_SELECT, "k"));
    must(grant_ddl(&f, ENGINE_REVOKE, SQL_SELECT, NULL, "reader", &err), &err);
    assert_true(may(&f, "reader", SQL_INSERT, NULL));
    fixture_close(&f);
}

static void what_cannot_be_is_refused(void **state) {
    (void)state;
    struct fixture f;
    struct err err = { 0 };
    fixture_open(&f, NULL);
    make_roles(&f);
    assert_int_equal(role_ddl(&f, ENGINE_CREATE_ROLE, "READER", &err), FAILED_PRECONDITION);
    assert_int_equal(role_ddl(&f, ENGINE_DROP_ROLE, "nobody", &err), NOT_FOUND);
    assert_int_equal(role_ddl(&f, ENGINE_DROP_ROLE, "reader", &err), FAILED_PRECONDITION); /* it holds privileges */
    assert_int_equal(grant_ddl(&f, ENGINE_GRANT, SQL_SELECT, NULL, "nobody", &err), NOT_FOUND);
    assert_int_equal(grant_ddl(&f, ENGINE_GRANT, SQL_SELECT, "nix", "reader", &err), NOT_FOUND);
    struct engine_ddl drop_table = { .kind = ENGINE_DROP_TABLE, .table = STR("T") };
    struct engine_ddl drop_column = { .kind = ENGINE_DROP_COLUMN, .table = STR("T"), .column = STR("a") };
    struct engine_ddl drop_other = { .kind = ENGINE_DROP_COLUMN, .table = STR("T"), .column = STR("b") };
    assert_int_equal(ddl_now(f.db, &drop_table, NULL, &err), FAILED_PRECONDITION);
    assert_int_equal(ddl_now(f.db, &drop_column, NULL, &err), FAILED_PRECONDITION);
    must(ddl_now(f.db, &drop_other, NULL, &err), &err);
    must(grant_ddl(&f, ENGINE_REVOKE, SQL_SELECT, NULL, "reader", &err), &err);
    must(ddl_now(f.db, &drop_column, NULL, &err), &err);
    must(grant_ddl(&f, ENGINE_REVOKE, SQL_INSERT, NULL, "reader", &err), &err);
    must(role_ddl(&f, ENGINE_DROP_ROLE, "reader", &err), &err);
    must(ddl_now(f.db, &drop_table, NULL, &err), &err);
    fixture_close(&f);
}

/* A role that is made anew is another: sessions of the old one must not become its. */
static void an_id_is_never_used_again(void **state) {
    (void)state;
    struct fixture f;
    struct err err = { 0 };
    uint32_t ids[2];
    fixture_open(&f, NULL);
    for (int i = 0; i < 2; i++) {
        must(role_ddl(&f, ENGINE_CREATE_ROLE, "r", &err), &err);
        const struct sql_catalog *c = engine_catalog(f.db);
        ids[i] = sql_role_find(c, STR("r"))->id;
        engine_catalog_unref(c);
        must(role_ddl(&f, ENGINE_DROP_ROLE, "r", &err), &err);
    }
    assert_int_not_equal(ids[0], ids[1]);
    fixture_close(&f);
}

static void there_are_at_most_a_hundred(void **state) {
    (void)state;
    struct fixture f;
    struct err err = { 0 };
    char name[16];
    fixture_open(&f, NULL);
    for (int i = 0; i < SQL_MAX_ROLES; i++) {
        snprintf(name, sizeof name, "r%d", i);
        must(role_ddl(&f, ENGINE_CREATE_ROLE, name, &err), &err);
    }
    assert_int_equal(role_ddl(&f, ENGINE_CREATE_ROLE, "more", &err), FAILED_PRECONDITION);
    fixture_close(&f);
}

/* Killed right after the last statement was acknowledged. */
static void roles_outlive_a_kill(void **state) {
    (void)state;
    struct fixture f;
    int status, told[2];
    char byte;
    fixture_open(&f, NULL);
    f.db = engine_db_unref(f.db);
    engine_close(f.engine);
    f.engine = NULL;
    assert_int_equal(pipe(told), 0);
    pid_t child = fork();
    if (child == 0) {
        struct fixture mine = { 0 };
        struct err err = { 0 };
        if (engine_open(&(struct engine_options){ .data_dir = f.dir }, &mine.engine, &err) ||
            engine_get_database(mine.engine, STR("inst"), STR("db1"), &mine.db, &err))
            _exit(2);
        make_roles(&mine);
        if (write(told[1], "x", 1) != 1) _exit(3);
        pause();
    }
    assert_int_equal(read(told[0], &byte, 1), 1);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    struct err err = { 0 };
    must(engine_open(&(struct engine_options){ .data_dir = f.dir }, &f.engine, &err), &err);
    must(engine_get_database(f.engine, STR("inst"), STR("db1"), &f.db, &err), &err);
    check_roles(&f);
    close(told[0]);
    close(told[1]);
    fixture_close(&f);
}

/* A file that an older program made has no place for roles yet. */
static void an_older_file_gets_its_place(void **state) {
    (void)state;
    struct fixture f;
    char path[128];
    sqlite3 *db = NULL;
    fixture_open(&f, NULL);
    f.db = engine_db_unref(f.db);
    engine_close(f.engine);
    snprintf(path, sizeof path, "%s/spanner/inst/db1.sqlite", f.dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "DROP TABLE roles; DROP TABLE grants", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    struct err err = { 0 };
    must(engine_open(&(struct engine_options){ .data_dir = f.dir }, &f.engine, &err), &err);
    must(engine_get_database(f.engine, STR("inst"), STR("db1"), &f.db, &err), &err);
    make_roles(&f);
    check_roles(&f);
    fixture_close(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roles_outlive_a_restart),      cmocka_unit_test(grants_add_and_revocations_take),
        cmocka_unit_test(what_cannot_be_is_refused),    cmocka_unit_test(an_id_is_never_used_again),
        cmocka_unit_test(there_are_at_most_a_hundred),  cmocka_unit_test(roles_outlive_a_kill),
        cmocka_unit_test(an_older_file_gets_its_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
