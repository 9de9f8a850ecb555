/* SQLite as the house opens it. */
#include "../test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "store/store.h"

static char dir[64], path[128];

static int make_dir(void **state) {
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/linkspan-store-XXXXXX");
    if (!mkdtemp(dir)) return -1;
    snprintf(path, sizeof path, "%s/a.sqlite", dir);
    return 0;
}

static int drop_dir(void **state) {
    (void)state;
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    return system(command);
}

static int64_t number(struct store *s, const char *sql) {
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(store_prepare(s, str_z(sql), &stmt, NULL), OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t n = sqlite3_column_int64(stmt, 0);
    store_done(stmt);
    return n;
}

static void a_file_is_durable_and_modes_hold(void **state) {
    (void)state;
    struct store *s = NULL, *r = NULL;
    struct err err = { 0 };
    assert_int_equal(store_open(path, STORE_WRITE, &s, &err), NOT_FOUND);
    assert_int_equal(store_open(path, STORE_READ, &s, &err), NOT_FOUND);
    assert_int_equal(store_open(path, STORE_CREATE, &s, &err), OK);
    assert_int_equal(store_open(path, STORE_CREATE, &r, &err), ALREADY_EXISTS);
    assert_int_equal(number(s, "PRAGMA page_size"), STORE_PAGE_BYTES);
    assert_int_equal(number(s, "PRAGMA synchronous"), 2);
    assert_int_equal(number(s, "PRAGMA wal_autocheckpoint"), 0);
    assert_int_equal(store_exec(s, "CREATE TABLE t(a); INSERT INTO t VALUES(7)", &err), OK);
    assert_int_equal(store_open(path, STORE_READ, &r, &err), OK);
    assert_int_equal(number(r, "SELECT a FROM t"), 7);
    assert_int_not_equal(store_exec(r, "DELETE FROM t", &err), OK);
    store_close(r);
    store_close(s);
}

static void statements_are_prepared_once(void **state) {
    (void)state;
    struct store *s = NULL;
    sqlite3_stmt *a = NULL, *b = NULL;
    assert_int_equal(store_open(path, STORE_WRITE, &s, NULL), OK);
    assert_int_equal(store_prepare(s, STR("SELECT ?1"), &a, NULL), OK);
    assert_int_equal(store_prepare(s, STR("SELECT ?1"), &b, NULL), OK);
    assert_ptr_equal(a, b);
    for (int i = 0; i < 3 * STORE_MAX_STATEMENTS; i++) {
        char sql[32];
        snprintf(sql, sizeof sql, "SELECT %d", i);
        assert_int_equal(number(s, sql), i);
    }
    int64_t n = 0;
    for (sqlite3_stmt *x = NULL; (x = sqlite3_next_stmt(store_sqlite(s), x));) n++;
    assert_int_equal(n, STORE_MAX_STATEMENTS);
    store_close(s);
}

static void errors_say_what_they_mean(void **state) {
    (void)state;
    struct store *s = NULL;
    struct err err = { 0 };
    sqlite3_stmt *stmt = NULL;
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs("this is no database, but long enough to be looked at, and looked at again, and again, and again, and again, and "
          "once more",
          f);
    fclose(f);
    assert_int_equal(store_open(path, STORE_WRITE, &s, &err), DATA_LOSS);
    unlink(path);
    assert_int_equal(store_open(path, STORE_CREATE, &s, &err), OK);
    assert_int_equal(store_prepare(s, STR("SELECT x FROM nowhere"), &stmt, &err), INTERNAL);
    assert_str(str_z(err.message), "SQLite: no such table: nowhere");
    assert_int_equal(store_exec(s, "PRAGMA max_page_count = 2; CREATE TABLE t(a)", &err), OK);
    assert_int_equal(store_exec(s, "INSERT INTO t VALUES(zeroblob(100000))", &err), RESOURCE_EXHAUSTED);
    store_close(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_durable_and_modes_hold),
        cmocka_unit_test(statements_are_prepared_once),
        cmocka_unit_test(errors_say_what_they_mean),
    };
    return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
