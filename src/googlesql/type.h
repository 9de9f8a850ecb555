/* type.h: the types of GoogleSQL that this program serves, and how a value of each lies in SQLite.
 *
 *   BOOL       INTEGER 0 or 1
 *   INT64      INTEGER
 *   FLOAT64    REAL; NaN is TEXT 'NaN' (SQLite turns a NaN into NULL). Infinities are REAL.
 *   STRING     TEXT, valid UTF-8, may hold NUL
 *   BYTES      BLOB
 *   DATE       INTEGER, days since 1970-01-01 (0001-01-01 to 9999-12-31)
 *   TIMESTAMP  BLOB of 12 bytes: seconds since the epoch + 2^63 as 8 bytes big-endian, then nanoseconds as 4: memcmp order
 * is time order NULL       NULL, whatever the type Columns are declared without a type in SQLite, so that no affinity
 * changes a value. */
#pragma once
#include "base/str.h"

/* The numbers are google.spanner.v1.TypeCode's. */
enum sql_type {
    SQL_UNKNOWN = 0, /* an untyped NULL or parameter */
    SQL_BOOL = 1,
    SQL_INT64 = 2,
    SQL_FLOAT64 = 3,
    SQL_TIMESTAMP = 4,
    SQL_DATE = 5,
    SQL_STRING = 6,
    SQL_BYTES = 7,
};
const char *sql_type_name(enum sql_type type); /* "INT64" */
