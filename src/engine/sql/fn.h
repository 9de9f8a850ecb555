/* fn.h: what the functions' files share: arguments in, results and errors out. Internal to this folder. */
#pragma once
#include <sqlite3.h>
#include "base/buf.h"
#include "base/err.h"
#include "engine/sql/functions.h"
#include "googlesql/datetime.h"

enum { FN_MAX_RESULT = 10 << 20 }; /* Spanner's limit of a value */

struct fn {
    const char *name;
    int args; /* -1: any number */
    void (*run)(sqlite3_context *ctx, int n, sqlite3_value **args);
    bool nulls; /* called with NULLs too; else NULL in gives NULL */
};
struct fn_list {
    const struct fn *rows;
    size_t n;
};
struct aggregate {
    const char *name;
    int args;
    void (*step)(sqlite3_context *ctx, int n, sqlite3_value **args);
    void (*final)(sqlite3_context *ctx);
};
struct aggregate_list {
    const struct aggregate *rows;
    size_t n;
};
struct fn_list fn_math(void);
struct fn_list fn_text(void);
struct fn_list fn_time(void);
struct fn_list fn_cast(void);
struct aggregate_list fn_aggregates(void);

struct str arg_str(sqlite3_value *v); /* TEXT or BLOB; borrowed */
double arg_float(sqlite3_value *v);   /* TEXT 'NaN' is NaN */
bool arg_time(sqlite3_value *v, struct datetime *ret);
void result_float(sqlite3_context *ctx, double f);
void result_time(sqlite3_context *ctx, struct datetime t); /* an error outside 0001..9999 */
void result_date(sqlite3_context *ctx, int64_t days);      /* likewise */
/* Text like `like` is (TEXT or BLOB); frees the buffer; an error when it failed. */
void result_buf(sqlite3_context *ctx, struct buf *b, bool text);
void result_str(sqlite3_context *ctx, struct str s, bool text);
bool arg_is_text(sqlite3_value *v);
void fail(sqlite3_context *ctx, enum code code, const char *message); /* no values: errors reach logs */
void fail_range(sqlite3_context *ctx, const char *message);           /* OUT_OF_RANGE */
