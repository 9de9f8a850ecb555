/* value.h: one value of GoogleSQL in C: a key part, a parameter, a cell of a mutation.
 *
 * The value borrows its text and bytes. How it lies in SQLite is fixed in googlesql/type.h. Any thread. */
#pragma once
#include <sqlite3.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "googlesql/catalog.h"

enum { VALUE_TIMESTAMP_BYTES = 12, VALUE_MAX_STRING_CHARS = 2621440, VALUE_MAX_CELL_BYTES = 10 << 20 };
enum { VALUE_MIN_DATE = -719162, VALUE_MAX_DATE = 2932896 }; /* 0001-01-01 and 9999-12-31 in days */
#define VALUE_MIN_SECONDS INT64_C(-62135596800)
#define VALUE_MAX_SECONDS INT64_C(253402300799)

struct sql_value {
    enum sql_type type;
    bool is_null;
    bool is_commit_timestamp; /* the placeholder spanner.commit_timestamp(); only as a cell of a mutation */
    int32_t nanos;            /* TIMESTAMP: 0..999,999,999; the seconds since the epoch are in i64 */
    union {
        int64_t i64;  /* BOOL (0 or 1), INT64, DATE (days since 1970-01-01), TIMESTAMP (seconds) */
        double f64;   /* FLOAT64 */
        struct str s; /* STRING, BYTES */
    };
};

#define VALUE_NULL(t)   ((struct sql_value){ .type = (t), .is_null = true })
#define VALUE_INT64(x)  ((struct sql_value){ .type = SQL_INT64, .i64 = (x) })
#define VALUE_BOOL(x)   ((struct sql_value){ .type = SQL_BOOL, .i64 = (x) ? 1 : 0 })
#define VALUE_DATE(x)   ((struct sql_value){ .type = SQL_DATE, .i64 = (x) })
#define VALUE_FLOAT(x)  ((struct sql_value){ .type = SQL_FLOAT64, .f64 = (x) })
#define VALUE_STRING(x) ((struct sql_value){ .type = SQL_STRING, .s = (x) })
#define VALUE_BYTES(x)  ((struct sql_value){ .type = SQL_BYTES, .s = (x) })
struct sql_value value_timestamp_us(int64_t wall_us);

/* The 12 bytes of a TIMESTAMP in SQLite, and back. */
void value_put_timestamp(int64_t seconds, int32_t nanos, uint8_t out[VALUE_TIMESTAMP_BYTES]);
bool value_get_timestamp(struct str bytes, int64_t *ret_seconds, int32_t *ret_nanos);

/* Binds at `index` (from 1). The text must stay until the statement is reset: it is not copied. An SQLite result code. */
MUST_USE int value_bind(sqlite3_stmt *stmt, int index, const struct sql_value *v);
/* Reads what SQLite holds as `type`; text and bytes live as long as the sqlite3_value. False when SQLite's value is not
 * one of that type (as after an INT64 that overflowed into a REAL). */
MUST_USE bool value_read(sqlite3_value *from, enum sql_type type, struct sql_value *ret);

/* May this value stand in this column? Type, NOT NULL, length, range, UTF-8. FAILED_PRECONDITION or INVALID_ARGUMENT. */
MUST_USE enum code value_check(struct str table, const struct sql_column *column, const struct sql_value *v,
                               struct err *err);
/* Type-free validity: ranges, UTF-8, size of a cell. */
MUST_USE enum code value_check_range(const struct sql_value *v, struct err *err);

/* Spanner's order: NULL first, NaN next. Both of the same type. */
int value_compare(const struct sql_value *a, const struct sql_value *b);

/* Spanner's text forms (google.spanner.v1.TypeCode): INT64 decimal, TIMESTAMP RFC 3339 in Z with up to nine digits (no
 * trailing zeros), DATE YYYY-MM-DD, BYTES base64, FLOAT64 as "NaN", "Infinity", "-Infinity" or the shortest decimal that
 * reads back, BOOL true/false, STRING itself. NULL is the caller's. */
void value_print(const struct sql_value *v, struct buf *out);
/* The reverse. FLOAT64 takes only the three words (numbers come as numbers on the wire); BOOL takes none. Text lives in
 * the arena or is the given slice. INVALID_ARGUMENT for other text. */
MUST_USE enum code value_parse(enum sql_type type, struct str text, struct arena *arena, struct sql_value *ret,
                               struct err *err);
