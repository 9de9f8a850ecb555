/* fuzz_googlesql.c: any bytes as a statement: parsed as a query and as DDL, analysed, lowered, prepared by SQLite. What
 * lowers must be text that SQLite takes, and what is printed must be read again. */
#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "engine/sql/functions.h"
#include "engine/sql/lower.h"
#include "googlesql/access.h"
#include "googlesql/parse.h"
#include "googlesql/print.h"

#define COLUMN(n, column_name, column_type)                                                                                \
    { .name = STR_INIT(column_name), .type = (column_type), .max_length = INT64_MAX, .id = (n) }
static const struct sql_column columns[] = {
    COLUMN(1, "k", SQL_INT64), COLUMN(2, "s", SQL_STRING), COLUMN(3, "f", SQL_FLOAT64),   COLUMN(4, "b", SQL_BOOL),
    COLUMN(5, "y", SQL_BYTES), COLUMN(6, "d", SQL_DATE),   COLUMN(7, "t", SQL_TIMESTAMP),
};
static const struct sql_key_part key[] = { { 0, false }, { 1, true } };
static const struct sql_table table = {
    .name = STR_INIT("T"), .id = 1, .columns = columns, .n_columns = COUNT(columns), .key = key, .n_key = 2
};
static const struct sql_table *const tables[] = { &table };
static const struct sql_catalog catalog = { 1, tables, 1 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void nothing(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    (void)args;
    sqlite3_result_null(ctx);
}

static sqlite3 *database(void) {
    static sqlite3 *db;
    if (db) return db;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK || sql_functions_register(db, NULL)) abort();
    sqlite3_create_function(db, "lk", -1, SQLITE_UTF8, NULL, nothing, NULL, NULL);
    sqlite3_create_function(db, "lkz", 1, SQLITE_UTF8, NULL, nothing, NULL, NULL);
    sqlite3_exec(db, "CREATE TABLE t1(key BLOB PRIMARY KEY, c1, c2, c3, c4, c5, c6, c7) WITHOUT ROWID", NULL, NULL, NULL);
    return db;
}

static void query(struct arena *arena, struct str text) {
    struct sql_query *q;
    struct sql_analysis a;
    struct sql_access_list access;
    struct sql_lowered lowered;
    struct sql_lowering how = { 0 };
    struct err err;
    if (sql_parse_query(arena, text, &q, &err) || sql_analyse(arena, text, q, &catalog, NULL, 0, &a, &err)) return;
    if (sql_access(arena, &a, &access, &err) || sql_lower(arena, &a, &how, &lowered, &err)) return;
    if (access.n_info) return; /* their rows are another's */
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(database(), lowered.sql.p, -1, &stmt, NULL);
    if (rc != SQLITE_OK && sql_error_from_sqlite(database(), rc, &err) == INTERNAL) abort();
    sqlite3_finalize(stmt);
}

static void ddl(struct arena *arena, struct str text) {
    struct sql_ddl *d, *again;
    if (sql_parse_ddl(arena, text, &d, NULL) || d->kind != DDL_CREATE_TABLE) return;
    DEFER(buf_free) struct buf out = BUF_INIT(1 << 22);
    struct sql_table t = {
        .name = d->name, .columns = d->columns, .n_columns = d->n_columns, .key = d->key, .n_key = d->n_key
    };
    sql_print_table(&t, &out);
    if (sql_parse_ddl(arena, buf_str(&out), &again, NULL) || again->n_columns != d->n_columns || again->n_key != d->n_key)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = { (const char *)data, size };
    struct arena *arena = arena_new(64 << 20);
    struct buf fingerprint = BUF_INIT(1 << 22);
    if (!arena) return 0;
    query(arena, text);
    ddl(arena, text);
    sql_fingerprint(text, &fingerprint);
    buf_free(&fingerprint);
    arena_free(arena);
    return 0;
}
