/* date.h: points in time as .NET's DateTime has them: ticks of 100 ns since 0001-01-01T00:00:00Z, always UTC. Any thread.
 *
 * Read: ISO 8601 "2026-03-01", with "T" or a space "12:30", ":15", up to 9 digits of a fraction (7 count), "Z" or "+01:00"
 * (without: UTC). Written: .NET's custom letters and its standard formats of one letter, in the invariant culture. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

#define DATE_TICKS_PER_SECOND INT64_C(10000000)
#define DATE_TICKS_PER_DAY    (86400 * DATE_TICKS_PER_SECOND)
#define DATE_TICKS_MAX        INT64_C(3155378975999999999)
#define DATE_TICKS_UNIX       INT64_C(621355968000000000) /* 1970-01-01 */

struct date_parts {
    int64_t year;
    unsigned month, day, hour, minute, second, fraction; /* fraction in ticks */
    unsigned weekday, yearday;                           /* Sunday is 0; 1 January is 1 */
};

bool date_read(struct str text, int64_t *ret_ticks);
void date_split(int64_t ticks, struct date_parts *ret);
/* Adds months, clamping the day to the month's last. False outside of the years 1 to 9999. */
bool date_add_months(int64_t ticks, int64_t months, int64_t *ret);
/* `out` NULL: only checks the format. INVALID_ARGUMENT names what is not supported. */
MUST_USE enum code date_format(int64_t ticks, struct str format, struct buf *out, struct err *err);
