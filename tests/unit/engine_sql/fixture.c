#include "fixture.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/enc.h"
#include "googlesql/analyse.h"
#include "googlesql/datetime.h"
#include "googlesql/parse.h"

#define COLUMN(n, column_name, column_type)                                                                                \
    { .name = STR_INIT(column_name), .type = (column_type), .max_length = INT64_MAX, .id = (n) }

static const struct sql_column tab_columns[] = {
    COLUMN(1, "k", SQL_INT64), COLUMN(2, "s", SQL_STRING), COLUMN(3, "f", SQL_FLOAT64),   COLUMN(4, "b", SQL_BOOL),
    COLUMN(5, "y", SQL_BYTES), COLUMN(6, "d", SQL_DATE),   COLUMN(7, "t", SQL_TIMESTAMP),
};
static const struct sql_column u_columns[] = { COLUMN(1, "k", SQL_INT64), COLUMN(2, "j", SQL_INT64),
                                               COLUMN(3, "v", SQL_STRING) };
static const struct sql_key_part tab_key[] = { { 0, false } }, u_key[] = { { 0, false }, { 1, true } };
static const struct sql_table tab = {
    .name = STR_INIT("Tab"), .id = 1, .columns = tab_columns, .n_columns = COUNT(tab_columns), .key = tab_key, .n_key = 1
};
static const struct sql_table u = {
    .name = STR_INIT("U"), .id = 2, .columns = u_columns, .n_columns = COUNT(u_columns), .key = u_key, .n_key = 2
};
static const struct sql_table *const tables[] = { &tab, &u };
const struct sql_catalog fixture_catalog = { 1, tables, COUNT(tables) };

/* The engine's lk and lkz for INT64, enough for the fixture's keys: a tag, big-endian with the sign flipped; DESC
 * complemented. */
static void lk(sqlite3_context *ctx, int n, sqlite3_value **args) {
    const char *spec = (const char *)sqlite3_value_text(args[0]);
    unsigned char key[9 * 16];
    size_t size = 0;
    for (int i = 1; i < n; i++) {
        if (sqlite3_value_type(args[i]) == SQLITE_NULL) {
            sqlite3_result_null(ctx);
            return;
        }
        assert(spec[2 * (i - 1)] == 'i' && sqlite3_value_type(args[i]) == SQLITE_INTEGER);
        unsigned char flip = spec[2 * i - 1] == '-' ? 0xFF : 0;
        uint64_t v = (uint64_t)sqlite3_value_int64(args[i]) ^ (UINT64_C(1) << 63);
        key[size++] = 1 ^ flip;
        for (int b = 0; b < 8; b++) key[size++] = (unsigned char)(v >> (56 - 8 * b)) ^ flip;
    }
    sqlite3_result_blob(ctx, key, (int)size, SQLITE_TRANSIENT);
}

static void lkz(sqlite3_context *ctx, int n, sqlite3_value **args) {
    unsigned char key[200];
    (void)n;
    if (sqlite3_value_type(args[0]) == SQLITE_NULL) {
        sqlite3_result_null(ctx);
        return;
    }
    size_t size = (size_t)sqlite3_value_bytes(args[0]);
    memcpy(key, sqlite3_value_blob(args[0]), size);
    key[size] = 0xFF;
    sqlite3_result_blob(ctx, key, (int)size + 1, SQLITE_TRANSIENT);
}

static void must(sqlite3 *db, const char *sql) {
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) == SQLITE_OK) return;
    (void)fprintf(stderr, "%s: %s\n", sql, message);
    abort();
}

void fixture_open(struct fixture *f) {
    *f = (struct fixture){ 0 };
    if (sqlite3_open(":memory:", &f->db) != SQLITE_OK) abort();
    if (sql_functions_register(f->db, NULL)) abort();
    sqlite3_create_function(f->db, "lk", -1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, lk, NULL, NULL);
    sqlite3_create_function(f->db, "lkz", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, lkz, NULL, NULL);
    must(f->db,
         "CREATE TABLE t1(key BLOB PRIMARY KEY, c1, c2, c3, c4, c5, c6, c7) WITHOUT ROWID;"
         "INSERT INTO t1 VALUES (lk('i+', 1), 1, 'a', 1.5, 1, x'7878', 18262, x'800000005e0be10000000000'),"
         "(lk('i+', 2), 2, 'b', 'NaN', 0, NULL, NULL, NULL), (lk('i+', 3), 3, NULL, NULL, NULL, NULL, NULL, NULL);"
         "CREATE TABLE t2(key BLOB PRIMARY KEY, c1, c2, c3) WITHOUT ROWID;"
         "INSERT INTO t2 VALUES (lk('i+i-', 1, 1), 1, 1, 'x'), (lk('i+i-', 1, 2), 1, 2, 'y'), (lk('i+i-', 2, 1), 2, 1, "
         "NULL),"
         "(lk('i+i-', 4, 4), 4, 4, 'z');"
         "CREATE TEMP TABLE is_tables(c1, c2, c3, c4, c5, c6, c7, c8, c9);"
         "INSERT INTO is_tables VALUES ('', '', 'Tab', NULL, NULL, 'BASE TABLE', 'COMMITTED', NULL, NULL);"
         "CREATE TEMP TABLE is_schemata(c1, c2, c3, c4); INSERT INTO is_schemata VALUES ('', '', NULL, NULL), ('', "
         "'INFORMATION_SCHEMA', NULL, NULL);"
         "CREATE TEMP TABLE is_index_columns(c1, c2, c3, c4, c5, c6, c7, c8, c9, c10);"
         "INSERT INTO is_index_columns VALUES ('', '', 'Tab', 'PRIMARY_KEY', 'PRIMARY_KEY', 'k', 1, 'ASC', 'NO', 'INT64');"
         "CREATE TEMP TABLE is_columns(c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16, c17, c18, "
         "c19);"
         "INSERT INTO is_columns(c1, c2, c3, c4, c5, c8, c9) VALUES ('', '', 'Tab', 's', 2, 'YES', 'STRING(MAX)'), ('', "
         "'', 'Tab', "
         "'k', 1, 'NO', 'INT64');");
}

void fixture_close(struct fixture *f) {
    sqlite3_close(f->db);
}

static const struct sql_param params[] = {
    { .name = STR_INIT("i"), .type = SQL_INT64 },    { .name = STR_INIT("s"), .type = SQL_STRING },
    { .name = STR_INIT("f"), .type = SQL_FLOAT64 },  { .name = STR_INIT("nan"), .type = SQL_FLOAT64 },
    { .name = STR_INIT("null"), .type = SQL_INT64 }, { .name = STR_INIT("u"), .type = SQL_UNKNOWN },
};

static void bind(sqlite3_stmt *stmt, int index, struct str name) {
    if (str_eq_nocase(name, STR("i")) || str_eq_nocase(name, STR("u"))) sqlite3_bind_int64(stmt, index, 2);
    else if (str_eq_nocase(name, STR("s"))) sqlite3_bind_text(stmt, index, "a", 1, SQLITE_STATIC);
    else if (str_eq_nocase(name, STR("f"))) sqlite3_bind_double(stmt, index, 1.5);
    else if (str_eq_nocase(name, STR("nan"))) sqlite3_bind_text(stmt, index, "NaN", 3, SQLITE_STATIC);
}

static void print_time(sqlite3_value *v, struct buf *out) {
    struct datetime t;
    bool good = datetime_get((struct str){ sqlite3_value_blob(v), (size_t)sqlite3_value_bytes(v) }, &t);
    if (!good || !timestamp_print(t, STR("UTC"), out)) buf_add_z(out, "<no timestamp>");
}

/* A value that is not of its type's representation shows as <…>. */
static void print_value(sqlite3_value *v, enum sql_type type, struct buf *out) {
    static const int wanted[] = { [SQL_UNKNOWN] = 0,
                                  [SQL_BOOL] = SQLITE_INTEGER,
                                  [SQL_INT64] = SQLITE_INTEGER,
                                  [SQL_FLOAT64] = SQLITE_FLOAT,
                                  [SQL_TIMESTAMP] = SQLITE_BLOB,
                                  [SQL_DATE] = SQLITE_INTEGER,
                                  [SQL_STRING] = SQLITE_TEXT,
                                  [SQL_BYTES] = SQLITE_BLOB };
    int is = sqlite3_value_type(v);
    struct str bytes = { sqlite3_value_blob(v), (size_t)sqlite3_value_bytes(v) };
    if (is == SQLITE_NULL) buf_add_z(out, "NULL");
    else if (type == SQL_FLOAT64 && is == SQLITE_TEXT && str_eq(bytes, STR("NaN"))) buf_add_z(out, "nan");
    else if (is != wanted[type]) buf_printf(out, "<SQLite type %d>", is);
    else if (type == SQL_BOOL) buf_add_z(out, sqlite3_value_int(v) ? "true" : "false");
    else if (type == SQL_INT64) buf_printf(out, "%lld", sqlite3_value_int64(v));
    else if (type == SQL_FLOAT64) buf_printf(out, "%.17g", sqlite3_value_double(v));
    else if (type == SQL_DATE) date_print(sqlite3_value_int64(v), out);
    else if (type == SQL_TIMESTAMP) print_time(v, out);
    else if (type == SQL_STRING) buf_add_str(out, bytes);
    else enc_hex(out, bytes);
}

static void print_rows(struct fixture *f, sqlite3_stmt *stmt, const struct sql_analysis *a, struct buf *out) {
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        buf_add_z(out, " |");
        for (size_t i = 0; i < a->n_columns; i++) {
            buf_add_z(out, i ? ", " : " ");
            print_value(sqlite3_column_value(stmt, (int)i), a->columns[i].type, out);
        }
    }
    if (rc == SQLITE_DONE) return;
    struct err err;
    enum code code = sql_error_from_sqlite(f->db, rc, &err);
    buf_clear(out);
    buf_printf(out, "%s: %s", code_name(code), err.message);
}

struct sources {
    const struct fixture *f;
    const struct sql_analysis *analysis;
};

static enum code write_source(void *ctx, const struct sql_source *source, struct buf *out, struct err *err) {
    const struct sources *s = ctx;
    (void)err;
    return s->f->source(source, s->analysis, out);
}

static enum code prepare(const struct fixture *f, struct arena *arena, struct str text, bool key_ranges,
                         struct sql_analysis *a, struct sql_lowered *lowered, struct err *err) {
    struct sql_query *query;
    enum code rc = sql_parse_query(arena, text, &query, err);
    if (!rc) rc = sql_analyse(arena, text, query, &fixture_catalog, params, COUNT(params), a, err);
    struct sources sources = { f, a };
    struct sql_lowering how = { .now_us = INT64_C(1590000000123456), .no_key_ranges = !key_ranges };
    if (f && f->source) {
        how.source = write_source;
        how.ctx = &sources;
    }
    return rc ? rc : sql_lower(arena, a, &how, lowered, err);
}

void fixture_ask(struct fixture *f, const char *sql, bool key_ranges, struct buf *out) {
    DEFER(arena_freep) struct arena *arena = arena_new(64 << 20);
    struct sql_analysis a;
    struct sql_lowered lowered;
    struct err err;
    enum code rc = prepare(f, arena, str_z(sql), key_ranges, &a, &lowered, &err);
    if (rc) {
        buf_printf(out, "%s: %s", code_name(rc), err.message);
        return;
    }
    sqlite3_stmt *stmt = NULL;
    if (sqlite3_prepare_v2(f->db, lowered.sql.p, -1, &stmt, NULL) != SQLITE_OK) {
        rc = sql_error_from_sqlite(f->db, sqlite3_errcode(f->db), &err);
        if (rc == INTERNAL) buf_printf(out, "PREPARE: %s: %s", sqlite3_errmsg(f->db), lowered.sql.p);
        else buf_printf(out, "%s: %s", code_name(rc), err.message);
        return;
    }
    for (size_t i = 0; i < a.n_params; i++) bind(stmt, (int)i + 1, a.params[i].name);
    for (size_t i = 0; i < a.n_columns; i++)
        buf_printf(out, "%s%.*s:%s", i ? ", " : "", STR_ARG(a.columns[i].name), sql_type_name(a.columns[i].type));
    print_rows(f, stmt, &a, out);
    sqlite3_finalize(stmt);
}

void fixture_lower(const char *sql, struct buf *out) {
    DEFER(arena_freep) struct arena *arena = arena_new(64 << 20);
    struct sql_analysis a;
    struct sql_lowered lowered;
    struct err err;
    enum code rc = prepare(NULL, arena, str_z(sql), true, &a, &lowered, &err);
    if (rc) buf_printf(out, "%s: %s", code_name(rc), err.message);
    else buf_add_str(out, lowered.sql);
}
