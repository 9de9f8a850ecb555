/* datetime.h: DATE and TIMESTAMP: text, calendar and time zones. Any thread.
 *
 * A date is days since 1970-01-01; a timestamp seconds since the epoch and nanoseconds. Both from 0001-01-01 to 9999-12-31.
 * Zones are "UTC", offsets ("+02:00", "-8") and the names of the system's zone files (/usr/share/zoneinfo); the default is
 * America/Los_Angeles, Spanner's. A zone whose file is absent is unknown: nothing is guessed. */
#pragma once
#include "base/buf.h"
#include "googlesql/ast.h"

enum { DATE_MIN = -719162, DATE_MAX = 2932896, TIMESTAMP_BYTES = 12 };
#define TIMESTAMP_MIN_S INT64_C(-62135596800)
#define TIMESTAMP_MAX_S INT64_C(253402300799)
#define ZONE_DEFAULT    STR("America/Los_Angeles")

struct datetime { /* a timestamp */
    int64_t seconds;
    int32_t nanos;
};

bool datetime_in_range(struct datetime t);
void datetime_put(struct datetime t, unsigned char out[TIMESTAMP_BYTES]); /* googlesql/type.h's representation */
bool datetime_get(struct str bytes, struct datetime *ret);

bool date_parse(struct str text, int64_t *ret_days); /* 2020-1-31 */
void date_print(int64_t days, struct buf *out);      /* 2020-01-31 */
/* 2020-1-31[ T]10:20:30.5[zone]; without a zone the given one. */
bool timestamp_parse(struct str text, struct str zone, struct datetime *ret);
/* "2020-01-31 10:20:30.500+00": 0, 3, 6 or 9 digits. False: unknown zone. */
bool timestamp_print(struct datetime t, struct str zone, struct buf *out);

/* Seconds east of Greenwich at an instant; the instant of a wall clock's time (seconds as if it were UTC). In a gap the
 * offset before it counts, in an overlap the first instant. False: unknown zone. zone.c */
bool zone_offset(struct str zone, int64_t seconds, int32_t *ret_offset);
bool zone_to_utc(struct str zone, int64_t local, int64_t *ret_seconds);

/* Fills a literal of type DATE or TIMESTAMP from text. */
bool datetime_literal(struct arena *arena, enum sql_type type, struct str text, struct sql_expr *ret);

enum date_part {
    PART_NONE,
    PART_NANOSECOND,
    PART_MICROSECOND,
    PART_MILLISECOND,
    PART_SECOND,
    PART_MINUTE,
    PART_HOUR,
    PART_DAY,
    PART_WEEK,
    PART_ISOWEEK,
    PART_MONTH,
    PART_QUARTER,
    PART_YEAR,
    PART_ISOYEAR,
    PART_DAYOFWEEK,
    PART_DAYOFYEAR,
    PART_DATE,
};
enum date_part date_part_find(struct str name); /* any case; PART_NONE for another word */
