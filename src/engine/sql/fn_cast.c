/* fn_cast.c: g_cast(from, to, safe, value): CAST and SAFE_CAST between GoogleSQL's types. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/clock.h"
#include "base/enc.h"
#include "engine/sql/fn.h"

/* Each answers NULL, or what is wrong with the value. */
typedef const char *cast_fn(sqlite3_context *ctx, sqlite3_value *v);

static const char *int_to_bool(sqlite3_context *ctx, sqlite3_value *v) {
    sqlite3_result_int(ctx, sqlite3_value_int64(v) != 0);
    return NULL;
}

static const char *bool_to_int(sqlite3_context *ctx, sqlite3_value *v) {
    sqlite3_result_value(ctx, v);
    return NULL;
}

/* Half away from zero. */
static const char *float_to_int(sqlite3_context *ctx, sqlite3_value *v) {
    double f = arg_float(v);
    if (isnan(f)) return "Illegal conversion of non-finite floating point number to an integer";
    f = round(f);
    if (f < -0x1p63 || f >= 0x1p63) return "int64 out of range";
    sqlite3_result_int64(ctx, (int64_t)f);
    return NULL;
}

static const char *int_to_string(sqlite3_context *ctx, sqlite3_value *v) {
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", sqlite3_value_int64(v));
    sqlite3_result_text(ctx, text, n, SQLITE_TRANSIENT);
    return NULL;
}

static const char *bool_to_string(sqlite3_context *ctx, sqlite3_value *v) {
    sqlite3_result_text(ctx, sqlite3_value_int(v) ? "true" : "false", -1, SQLITE_STATIC);
    return NULL;
}

/* 15 digits when they read back as the same number, else 17. */
static const char *float_to_string(sqlite3_context *ctx, sqlite3_value *v) {
    double f = arg_float(v);
    char text[40];
    (void)snprintf(text, sizeof text, "%.15g", f);
    if (isnan(f)) (void)snprintf(text, sizeof text, "nan");
    else if (f == 0) (void)snprintf(text, sizeof text, "0");
    else if (isfinite(f) && strtod(text, NULL) != f) (void)snprintf(text, sizeof text, "%.17g", f);
    sqlite3_result_text(ctx, text, -1, SQLITE_TRANSIENT);
    return NULL;
}

static const char *date_to_string(sqlite3_context *ctx, sqlite3_value *v) {
    struct buf b = BUF_INIT(64);
    date_print(sqlite3_value_int64(v), &b);
    result_buf(ctx, &b, true);
    return NULL;
}

static const char *time_to_string(sqlite3_context *ctx, sqlite3_value *v) {
    struct buf b = BUF_INIT(64);
    struct datetime t;
    if (!arg_time(v, &t) || !timestamp_print(t, ZONE_DEFAULT, &b)) return "Invalid time zone: is tzdata installed?";
    result_buf(ctx, &b, true);
    return NULL;
}

static const char *string_to_bytes(sqlite3_context *ctx, sqlite3_value *v) {
    result_str(ctx, arg_str(v), false);
    return NULL;
}

static const char *bytes_to_string(sqlite3_context *ctx, sqlite3_value *v) {
    if (!utf8_valid(arg_str(v))) return "Invalid cast of bytes to UTF8 string";
    result_str(ctx, arg_str(v), true);
    return NULL;
}

static const char *string_to_bool(sqlite3_context *ctx, sqlite3_value *v) {
    bool yes = str_eq_nocase(arg_str(v), STR("true"));
    if (!yes && !str_eq_nocase(arg_str(v), STR("false"))) return "Bad bool value";
    sqlite3_result_int(ctx, yes);
    return NULL;
}

static bool hex_int(struct str s, bool minus, int64_t *ret) {
    uint64_t value = 0;
    if (s.n == 0 || s.n > 16) return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        int d = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
        if (d < 0) return false;
        value = value * 16 + (uint64_t)d;
    }
    if (value > (uint64_t)INT64_MAX + (minus ? 1 : 0)) return false;
    *ret = minus ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

static const char *string_to_int(sqlite3_context *ctx, sqlite3_value *v) {
    struct str s = str_trim(arg_str(v)), digits = s;
    int64_t value;
    bool minus = str_strip_prefix(&digits, STR("-"));
    if (!minus) (void)str_strip_prefix(&digits, STR("+"));
    bool hex = str_strip_prefix(&digits, STR("0x")) || str_strip_prefix(&digits, STR("0X"));
    bool plus = s.n > 1 && s.p[0] == '+' && s.p[1] != '-';
    if (!(hex ? hex_int(digits, minus, &value) : str_i64(plus ? str_from(s, 1) : s, &value))) return "Bad int64 value";
    sqlite3_result_int64(ctx, value);
    return NULL;
}

static bool float_word(struct str s, double *ret) {
    bool minus = str_strip_prefix(&s, STR("-"));
    if (!minus) (void)str_strip_prefix(&s, STR("+"));
    bool inf = str_eq_nocase(s, STR("inf")) || str_eq_nocase(s, STR("infinity"));
    *ret = inf ? (minus ? -INFINITY : INFINITY) : NAN;
    return inf || str_eq_nocase(s, STR("nan"));
}

static const char *string_to_float(sqlite3_context *ctx, sqlite3_value *v) {
    struct str s = str_trim(arg_str(v));
    char text[512], *end;
    double f;
    if (!float_word(s, &f)) {
        if (s.n == 0 || s.n >= sizeof text) return "Bad double value";
        for (size_t i = 0; i < s.n; i++)
            if (!memchr("0123456789+-.eE", s.p[i], 15)) return "Bad double value"; /* strtod reads more: hex, names */
        memcpy(text, s.p, s.n);
        text[s.n] = '\0';
        f = strtod(text, &end);
        if (*end || end == text || !isfinite(f)) return "Bad double value";
    }
    result_float(ctx, f);
    return NULL;
}

static const char *string_to_date(sqlite3_context *ctx, sqlite3_value *v) {
    int64_t days;
    if (!date_parse(str_trim(arg_str(v)), &days)) return "Invalid date";
    sqlite3_result_int64(ctx, days);
    return NULL;
}

static const char *string_to_time(sqlite3_context *ctx, sqlite3_value *v) {
    struct datetime t;
    if (!timestamp_parse(str_trim(arg_str(v)), ZONE_DEFAULT, &t)) return "Invalid timestamp";
    result_time(ctx, t);
    return NULL;
}

static const char *date_to_time(sqlite3_context *ctx, sqlite3_value *v) {
    struct datetime t = { 0 };
    if (!zone_to_utc(ZONE_DEFAULT, sqlite3_value_int64(v) * 86400, &t.seconds))
        return "Invalid time zone: is tzdata installed?";
    if (!datetime_in_range(t)) return "timestamp overflow";
    result_time(ctx, t);
    return NULL;
}

static const char *time_to_date(sqlite3_context *ctx, sqlite3_value *v) {
    struct datetime t;
    int32_t offset;
    if (!arg_time(v, &t) || !zone_offset(ZONE_DEFAULT, t.seconds, &offset))
        return "Invalid time zone: is tzdata installed?";
    int64_t local = t.seconds + offset, days = local / 86400 - (local % 86400 < 0);
    if (days < DATE_MIN || days > DATE_MAX) return "date overflow";
    sqlite3_result_int64(ctx, days);
    return NULL;
}

static const struct {
    enum sql_type from, to;
    cast_fn *cast;
} casts[] = {
    { SQL_INT64, SQL_BOOL, int_to_bool },          { SQL_BOOL, SQL_INT64, bool_to_int },
    { SQL_FLOAT64, SQL_INT64, float_to_int },      { SQL_INT64, SQL_STRING, int_to_string },
    { SQL_BOOL, SQL_STRING, bool_to_string },      { SQL_FLOAT64, SQL_STRING, float_to_string },
    { SQL_DATE, SQL_STRING, date_to_string },      { SQL_TIMESTAMP, SQL_STRING, time_to_string },
    { SQL_STRING, SQL_BYTES, string_to_bytes },    { SQL_BYTES, SQL_STRING, bytes_to_string },
    { SQL_STRING, SQL_BOOL, string_to_bool },      { SQL_STRING, SQL_INT64, string_to_int },
    { SQL_STRING, SQL_FLOAT64, string_to_float },  { SQL_STRING, SQL_DATE, string_to_date },
    { SQL_STRING, SQL_TIMESTAMP, string_to_time }, { SQL_DATE, SQL_TIMESTAMP, date_to_time },
    { SQL_TIMESTAMP, SQL_DATE, time_to_date },
};

static void cast(sqlite3_context *ctx, int n, sqlite3_value **args) {
    int from = sqlite3_value_int(args[0]), to = sqlite3_value_int(args[1]);
    (void)n;
    for (size_t i = 0; i < COUNT(casts); i++) {
        if ((int)casts[i].from != from || (int)casts[i].to != to) continue;
        const char *wrong = casts[i].cast(ctx, args[3]);
        if (wrong && sqlite3_value_int(args[2])) sqlite3_result_null(ctx);
        else if (wrong) fail_range(ctx, wrong);
        return;
    }
    fail(ctx, UNIMPLEMENTED, "this CAST: not supported yet");
}

struct fn_list fn_cast(void) {
    static const struct fn rows[] = { { .name = "g_cast", .args = 4, .run = cast } };
    return (struct fn_list){ rows, COUNT(rows) };
}
