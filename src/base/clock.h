/* clock.h: time. Any thread.
 *
 * Wall time is microseconds since 1970-01-01T00:00:00Z (Spanner's commit timestamps have that grain). clock_wall_us never
 * steps back within the process: a clock that is set back must not revive what expired (DESIGN §7); the store of the
 * latest time seen calls clock_floor at start. */
#pragma once
#include <stdint.h>
#include "base/str.h"

int64_t clock_wall_us(void); /* never less than it was, nor than the floor */
int64_t clock_wall_s(void);
uint64_t clock_mono_us(void);             /* for durations */
void clock_floor(int64_t wall_us);        /* raises the floor */
void clock_set_for_test(int64_t wall_us); /* 0 gives the real clock back; may step back */

enum { CLOCK_RFC3339_MAX = 36 };
/* RFC 3339 with Z; micros printed as 0, 3 or 6 digits, as Google's APIs do. Returns the length. */
size_t clock_rfc3339(int64_t wall_us, char out[CLOCK_RFC3339_MAX]);
/* Seconds and nanoseconds since the epoch, 0001-01-01 to 9999-12-31, any offset, up to 9 digits. False for other text. */
bool clock_parse_rfc3339(struct str text, int64_t *ret_seconds, int32_t *ret_nanos);
/* Days since 1970-01-01 of a proleptic Gregorian date, and back. */
int64_t clock_days_from_civil(int64_t year, unsigned month, unsigned day);
void clock_civil_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day);
bool clock_valid_date(int64_t year, unsigned month, unsigned day);
