#include "engine/value.h"

#include <math.h>
#include <string.h>
#include "base/clock.h"
#include "base/enc.h"

struct sql_value value_timestamp_us(int64_t wall_us) {
    int64_t seconds = wall_us / 1000000, rest = wall_us % 1000000;
    if (rest < 0) seconds--, rest += 1000000;
    return (struct sql_value){ .type = SQL_TIMESTAMP, .i64 = seconds, .nanos = (int32_t)(rest * 1000) };
}

static void put_big_endian(uint64_t x, unsigned bytes, uint8_t *out) {
    for (unsigned i = 0; i < bytes; i++) out[i] = (uint8_t)(x >> (8 * (bytes - 1 - i)));
}

static uint64_t get_big_endian(const char *p, unsigned bytes) {
    uint64_t x = 0;
    for (unsigned i = 0; i < bytes; i++) x = x << 8 | (uint8_t)p[i];
    return x;
}

void value_put_timestamp(int64_t seconds, int32_t nanos, uint8_t out[VALUE_TIMESTAMP_BYTES]) {
    put_big_endian((uint64_t)seconds ^ (UINT64_C(1) << 63), 8, out);
    put_big_endian((uint32_t)nanos, 4, out + 8);
}

bool value_get_timestamp(struct str bytes, int64_t *ret_seconds, int32_t *ret_nanos) {
    if (bytes.n != VALUE_TIMESTAMP_BYTES) return false;
    int64_t seconds = (int64_t)(get_big_endian(bytes.p, 8) ^ (UINT64_C(1) << 63));
    uint64_t nanos = get_big_endian(bytes.p + 8, 4);
    if (seconds < VALUE_MIN_SECONDS || seconds > VALUE_MAX_SECONDS || nanos > 999999999) return false;
    *ret_seconds = seconds;
    *ret_nanos = (int32_t)nanos;
    return true;
}

/* An empty slice may have no address, and SQLite takes NULL for the value NULL. */
static const char *address(struct str s) {
    return s.p ? s.p : "";
}

int value_bind(sqlite3_stmt *stmt, int index, const struct sql_value *v) {
    if (v->is_null) return sqlite3_bind_null(stmt, index);
    uint8_t stamp[VALUE_TIMESTAMP_BYTES];
    switch (v->type) {
    case SQL_BOOL:
    case SQL_INT64:
    case SQL_DATE: return sqlite3_bind_int64(stmt, index, v->i64);
    case SQL_FLOAT64:
        if (isnan(v->f64)) return sqlite3_bind_text(stmt, index, "NaN", 3, SQLITE_STATIC);
        return sqlite3_bind_double(stmt, index, v->f64);
    case SQL_TIMESTAMP:
        value_put_timestamp(v->i64, v->nanos, stamp);
        return sqlite3_bind_blob(stmt, index, stamp, sizeof stamp, SQLITE_TRANSIENT);
    case SQL_STRING: return sqlite3_bind_text64(stmt, index, address(v->s), v->s.n, SQLITE_STATIC, SQLITE_UTF8);
    case SQL_BYTES: return sqlite3_bind_blob64(stmt, index, address(v->s), v->s.n, SQLITE_STATIC);
    case SQL_UNKNOWN: break;
    }
    return SQLITE_MISUSE;
}

static bool read_integer(sqlite3_value *from, struct sql_value *v) {
    if (sqlite3_value_type(from) != SQLITE_INTEGER) return false;
    v->i64 = sqlite3_value_int64(from);
    if (v->type == SQL_BOOL) return v->i64 == 0 || v->i64 == 1;
    return v->type != SQL_DATE || (v->i64 >= VALUE_MIN_DATE && v->i64 <= VALUE_MAX_DATE);
}

static bool read_float(sqlite3_value *from, struct sql_value *v) {
    if (sqlite3_value_type(from) == SQLITE_TEXT) { /* the only text is 'NaN' */
        v->f64 = NAN;
        return str_eq((struct str){ (const char *)sqlite3_value_text(from), (size_t)sqlite3_value_bytes(from) },
                      STR("NaN"));
    }
    v->f64 = sqlite3_value_double(from);
    return sqlite3_value_type(from) == SQLITE_FLOAT || sqlite3_value_type(from) == SQLITE_INTEGER;
}

static bool read_bytes(sqlite3_value *from, int sqlite_type, struct str *ret) {
    if (sqlite3_value_type(from) != sqlite_type) return false;
    const void *p = sqlite_type == SQLITE_TEXT ? (const void *)sqlite3_value_text(from) : sqlite3_value_blob(from);
    *ret = (struct str){ p, (size_t)sqlite3_value_bytes(from) };
    return true;
}

bool value_read(sqlite3_value *from, enum sql_type type, struct sql_value *ret) {
    struct sql_value v = { .type = type };
    bool ok = true;
    struct str stamp = { 0 };
    if (sqlite3_value_type(from) == SQLITE_NULL) v.is_null = true;
    else switch (type) {
        case SQL_BOOL:
        case SQL_INT64:
        case SQL_DATE: ok = read_integer(from, &v); break;
        case SQL_FLOAT64: ok = read_float(from, &v); break;
        case SQL_STRING: ok = read_bytes(from, SQLITE_TEXT, &v.s); break;
        case SQL_BYTES: ok = read_bytes(from, SQLITE_BLOB, &v.s); break;
        case SQL_TIMESTAMP:
            ok = read_bytes(from, SQLITE_BLOB, &stamp) && value_get_timestamp(stamp, &v.i64, &v.nanos);
            break;
        case SQL_UNKNOWN: ok = false; break;
        }
    if (ok) *ret = v;
    return ok;
}

static enum code check_string(struct str s, struct err *err) {
    if (!utf8_valid(s)) return err_set(err, INVALID_ARGUMENT, "the string is not valid UTF-8");
    if (s.n > VALUE_MAX_STRING_CHARS && utf8_length(s) > VALUE_MAX_STRING_CHARS)
        return err_set(err, FAILED_PRECONDITION, "the string is longer than %d characters", VALUE_MAX_STRING_CHARS);
    return OK;
}

enum code value_check_range(const struct sql_value *v, struct err *err) {
    if (v->is_null || v->is_commit_timestamp) return OK;
    switch (v->type) {
    case SQL_BOOL: return v->i64 == 0 || v->i64 == 1 ? OK : err_set(err, INVALID_ARGUMENT, "not a BOOL");
    case SQL_DATE:
        if (v->i64 >= VALUE_MIN_DATE && v->i64 <= VALUE_MAX_DATE) return OK;
        return err_set(err, INVALID_ARGUMENT, "the date is outside 0001-01-01 to 9999-12-31");
    case SQL_TIMESTAMP:
        if (v->i64 >= VALUE_MIN_SECONDS && v->i64 <= VALUE_MAX_SECONDS && v->nanos >= 0 && v->nanos <= 999999999) return OK;
        return err_set(err, INVALID_ARGUMENT, "the timestamp is outside the years 1 to 9999");
    case SQL_STRING: return check_string(v->s, err);
    case SQL_BYTES:
        if (v->s.n <= VALUE_MAX_CELL_BYTES) return OK;
        return err_set(err, FAILED_PRECONDITION, "the value is larger than %d bytes", VALUE_MAX_CELL_BYTES);
    case SQL_INT64:
    case SQL_FLOAT64: return OK;
    case SQL_UNKNOWN: break;
    }
    return err_set(err, INVALID_ARGUMENT, "the value has no type");
}

static enum code check_length(struct str table, const struct sql_column *c, const struct sql_value *v, struct err *err) {
    bool string = v->type == SQL_STRING;
    if ((!string && v->type != SQL_BYTES) || v->s.n <= (uint64_t)c->max_length) return OK;
    size_t length = string ? utf8_length(v->s) : v->s.n;
    if (length <= (uint64_t)c->max_length) return OK;
    return err_set(err, FAILED_PRECONDITION,
                   "New value exceeds the maximum size limit for this column: %.*s.%.*s, size: %zu, limit: %lld.",
                   STR_ARG(table), STR_ARG(c->name), length, (long long)c->max_length);
}

static enum code check_commit_timestamp(struct str table, const struct sql_column *c, const struct sql_value *v,
                                        struct err *err) {
    if (v->is_commit_timestamp) {
        if (c->allow_commit_timestamp && v->type == SQL_TIMESTAMP) return OK;
        return err_set(
            err, FAILED_PRECONDITION,
            "Cannot write commit timestamp because the allow_commit_timestamp column option is not set to true for "
            "column %.*s.%.*s.",
            STR_ARG(table), STR_ARG(c->name));
    }
    if (c->allow_commit_timestamp && v->i64 > clock_wall_s())
        return err_set(err, FAILED_PRECONDITION,
                       "Cannot write timestamps in the future to column %.*s.%.*s, which has allow_commit_timestamp.",
                       STR_ARG(table), STR_ARG(c->name));
    return OK;
}

enum code value_check(struct str table, const struct sql_column *column, const struct sql_value *v, struct err *err) {
    if (v->is_null) {
        if (!column->not_null) return OK;
        return err_set(err, FAILED_PRECONDITION, "%.*s must not be NULL in table %.*s.", STR_ARG(column->name),
                       STR_ARG(table));
    }
    if (v->type != column->type)
        return err_set(err, INVALID_ARGUMENT, "Invalid value for column %.*s in table %.*s: Expected %s, got %s.",
                       STR_ARG(column->name), STR_ARG(table), sql_type_name(column->type), sql_type_name(v->type));
    if (v->type == SQL_TIMESTAMP && (v->is_commit_timestamp || column->allow_commit_timestamp)) {
        enum code rc = check_commit_timestamp(table, column, v, err);
        if (rc || v->is_commit_timestamp) return rc;
    }
    enum code rc = value_check_range(v, err);
    if (rc && err) return err_wrap(err, "column %.*s of table %.*s", STR_ARG(column->name), STR_ARG(table));
    return rc ? rc : check_length(table, column, v, err);
}

static int order(int64_t a, int64_t b) {
    return (a > b) - (a < b);
}

static int compare_float(double a, double b) {
    if (isnan(a) || isnan(b)) return (isnan(a) ? 0 : 1) - (isnan(b) ? 0 : 1);
    return (a > b) - (a < b);
}

int value_compare(const struct sql_value *a, const struct sql_value *b) {
    if (a->is_null || b->is_null) return (a->is_null ? 0 : 1) - (b->is_null ? 0 : 1);
    switch (a->type) {
    case SQL_FLOAT64: return compare_float(a->f64, b->f64);
    case SQL_STRING:
    case SQL_BYTES: return str_cmp(a->s, b->s);
    case SQL_TIMESTAMP: return order(a->i64, b->i64) ? order(a->i64, b->i64) : order(a->nanos, b->nanos);
    case SQL_BOOL:
    case SQL_INT64:
    case SQL_DATE:
    case SQL_UNKNOWN: break;
    }
    return order(a->i64, b->i64);
}
