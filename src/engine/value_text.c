/* Spanner's text forms of values. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/clock.h"
#include "base/decimal.h"
#include "base/enc.h"
#include "engine/value.h"

static void print_date(int64_t days, struct buf *out) {
    int64_t year = 0;
    unsigned month = 0, day = 0;
    clock_civil_from_days(days, &year, &month, &day);
    char text[] = "0000-00-00";
    decimal_fixed((uint64_t)year, 4, text); /* a DATE has years 1 to 9999 */
    decimal_fixed(month, 2, text + 5);
    decimal_fixed(day, 2, text + 8);
    buf_add(out, text, sizeof text - 1);
}

static void print_timestamp(int64_t seconds, int32_t nanos, struct buf *out) {
    int64_t days = seconds / 86400, rest = seconds % 86400;
    if (rest < 0) days--, rest += 86400;
    print_date(days, out);
    char text[] = "T00:00:00.000000000";
    decimal_fixed((uint64_t)rest / 3600, 2, text + 1);
    decimal_fixed((uint64_t)rest / 60 % 60, 2, text + 4);
    decimal_fixed((uint64_t)rest % 60, 2, text + 7);
    decimal_fixed((uint64_t)nanos, 9, text + 10);
    size_t n = sizeof text - 1;
    while (text[n - 1] == '0' && n > 10) n--;
    buf_add(out, text, n > 10 ? n : 9); /* without the point when no fraction is left */
    buf_add_char(out, 'Z');
}

static const struct {
    struct str word;
    double value;
} float_words[] = { { STR_INIT("NaN"), NAN }, { STR_INIT("Infinity"), INFINITY }, { STR_INIT("-Infinity"), -INFINITY } };

static void print_finite(double x, struct buf *out) {
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        double back = strtod(text, NULL);
        if (!(back < x || back > x)) break;
    }
    buf_add_z(out, text);
}

static void print_float(double x, struct buf *out) {
    if (isnan(x)) buf_add_z(out, "NaN");
    else if (isinf(x)) buf_add_z(out, x > 0 ? "Infinity" : "-Infinity");
    else print_finite(x, out);
}

static void print_int(int64_t v, struct buf *out) {
    char text[DECIMAL_MAX];
    buf_add(out, text, decimal_i64(v, text));
}

void value_print(const struct sql_value *v, struct buf *out) {
    switch (v->type) {
    case SQL_BOOL: buf_add_z(out, v->i64 ? "true" : "false"); break;
    case SQL_INT64: print_int(v->i64, out); break;
    case SQL_FLOAT64: print_float(v->f64, out); break;
    case SQL_DATE: print_date(v->i64, out); break;
    case SQL_TIMESTAMP: print_timestamp(v->i64, v->nanos, out); break;
    case SQL_STRING: buf_add_str(out, v->s); break;
    case SQL_BYTES: enc_base64(out, v->s); break;
    case SQL_UNKNOWN: break;
    }
}

static bool parse_digits(struct str s, int64_t *ret) {
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < '0' || s.p[i] > '9') return false;
    return str_i64(s, ret);
}

/* [Y]YYY-[M]M-[D]D as in Spanner, which takes one digit for month and day. */
static bool parse_date(struct str text, int64_t *ret_days) {
    struct str year_text = str_cut(&text, '-'), month_text = str_cut(&text, '-');
    int64_t year = 0, month = 0, day = 0;
    if (year_text.n != 4 || month_text.n > 2 || text.n > 2) return false;
    if (!parse_digits(year_text, &year) || !parse_digits(month_text, &month) || !parse_digits(text, &day)) return false;
    if (year < 1 || month < 1 || day < 1 || !clock_valid_date(year, (unsigned)month, (unsigned)day)) return false;
    *ret_days = clock_days_from_civil(year, (unsigned)month, (unsigned)day);
    return true;
}

static bool parse_float(struct str text, double *ret) {
    for (size_t i = 0; i < COUNT(float_words); i++)
        if (str_eq(text, float_words[i].word)) {
            *ret = float_words[i].value;
            return true;
        }
    return false;
}

enum code value_parse(enum sql_type type, struct str text, struct arena *arena, struct sql_value *ret, struct err *err) {
    struct sql_value v = { .type = type };
    bool ok = false;
    switch (type) {
    case SQL_INT64: ok = str_i64(text, &v.i64); break;
    case SQL_FLOAT64: ok = parse_float(text, &v.f64); break;
    case SQL_DATE: ok = parse_date(text, &v.i64); break;
    case SQL_TIMESTAMP: ok = clock_parse_rfc3339(text, &v.i64, &v.nanos); break;
    case SQL_STRING:
        v.s = text;
        ok = utf8_valid(text);
        break;
    case SQL_BYTES: ok = dec_base64_any(arena, text, &v.s); break;
    case SQL_BOOL:
    case SQL_UNKNOWN: break;
    }
    if (!ok)
        return err_set(err, INVALID_ARGUMENT, "Could not parse the value as %s.",
                       sql_type_name(type)); /* values stay out of errors */
    *ret = v;
    return OK;
}
