#include "engine/sql/fn.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

struct str arg_str(sqlite3_value *v) {
    const char *p = sqlite3_value_blob(v); /* for TEXT its bytes, NULs included */
    return (struct str){ p, (size_t)sqlite3_value_bytes(v) };
}

bool arg_is_text(sqlite3_value *v) {
    return sqlite3_value_type(v) == SQLITE_TEXT;
}

double arg_float(sqlite3_value *v) {
    return sqlite3_value_type(v) == SQLITE_TEXT ? NAN : sqlite3_value_double(v);
}

bool arg_time(sqlite3_value *v, struct datetime *ret) {
    return datetime_get(arg_str(v), ret);
}

void result_float(sqlite3_context *ctx, double f) {
    if (isnan(f)) sqlite3_result_text(ctx, "NaN", 3, SQLITE_STATIC);
    else sqlite3_result_double(ctx, f);
}

void result_str(sqlite3_context *ctx, struct str s, bool text) {
    const char *p = s.n ? s.p : "";
    if (text) sqlite3_result_text64(ctx, p, s.n, SQLITE_TRANSIENT, SQLITE_UTF8);
    else sqlite3_result_blob64(ctx, p, s.n, SQLITE_TRANSIENT);
}

void result_buf(sqlite3_context *ctx, struct buf *b, bool text) {
    if (buf_ok(b)) result_str(ctx, buf_str(b), text);
    else fail_range(ctx, "Output of a function exceeds the maximum allowed size of 10 MiB");
    buf_free(b);
}

void fail(sqlite3_context *ctx, enum code code, const char *message) {
    char text[300];
    (void)snprintf(text, sizeof text, "%s: %s", code_name(code), message);
    sqlite3_result_error(ctx, text, -1);
}

void fail_range(sqlite3_context *ctx, const char *message) {
    fail(ctx, OUT_OF_RANGE, message);
}

void result_time(sqlite3_context *ctx, struct datetime t) {
    unsigned char bytes[TIMESTAMP_BYTES];
    if (!datetime_in_range(t)) {
        fail_range(ctx, "timestamp overflow");
        return;
    }
    datetime_put(t, bytes);
    sqlite3_result_blob(ctx, bytes, sizeof bytes, SQLITE_TRANSIENT);
}

void result_date(sqlite3_context *ctx, int64_t days) {
    if (days < DATE_MIN || days > DATE_MAX) fail_range(ctx, "date overflow");
    else sqlite3_result_int64(ctx, days);
}
