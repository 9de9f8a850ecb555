#include "wire/pb/pb_json_internal.h"

#define MIN_SECONDS          (-62135596800) /* 0001-01-01T00:00:00Z */
#define MAX_SECONDS          253402300799   /* 9999-12-31T23:59:59Z */
#define MAX_DURATION_SECONDS 315576000000   /* 10,000 years */
enum { DAY = 86400, NANOS = 1000000000 };

/* Days from 1970-01-01 in the proleptic Gregorian calendar; years are counted from March, so that a leap day comes last. */
static int64_t days_from_civil(int64_t y, int64_t m, int64_t d) {
    y -= m <= 2;
    const int64_t era = (y >= 0 ? y : y - 399) / 400, yoe = y - era * 400;
    const int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil_from_days(int64_t z, int64_t *y, int64_t *m, int64_t *d) {
    z += 719468;
    const int64_t era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
    const int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    const int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    *d = doy - (153 * mp + 2) / 5 + 1;
    *m = mp < 10 ? mp + 3 : mp - 9;
    *y = yoe + era * 400 + (*m <= 2);
}

static bool digits(struct str *s, size_t n, int64_t *ret) {
    if (s->n < n) return false;
    int64_t v = 0;
    for (size_t i = 0; i < n; i++) {
        if (s->p[i] < '0' || s->p[i] > '9') return false;
        v = v * 10 + (s->p[i] - '0');
    }
    *s = str_from(*s, n);
    *ret = v;
    return true;
}

static bool one_char(struct str *s, char a, char b) {
    if (s->n == 0 || (s->p[0] != a && s->p[0] != b)) return false;
    *s = str_from(*s, 1);
    return true;
}

/* ".5" as nanoseconds: one to nine digits; absent is 0. */
static bool fraction(struct str *s, int32_t *ret) {
    *ret = 0;
    if (!one_char(s, '.', '.')) return true;
    size_t n = 0;
    int32_t v = 0;
    for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++) {
        if (n == 9) return false;
        v = v * 10 + (s->p[n] - '0');
    }
    for (size_t i = n; i < 9; i++) v *= 10;
    *s = str_from(*s, n);
    *ret = v;
    return n > 0;
}

static bool zone(struct str *s, int64_t *ret_offset) {
    int64_t h, m;
    *ret_offset = 0;
    if (one_char(s, 'Z', 'Z')) return s->n == 0;
    const bool west = s->n && s->p[0] == '-';
    if (!one_char(s, '+', '-') || !digits(s, 2, &h) || !one_char(s, ':', ':') || !digits(s, 2, &m)) return false;
    if (s->n || h > 23 || m > 59) return false;
    *ret_offset = (h * 60 + m) * (west ? -60 : 60);
    return true;
}

static bool date(struct str *s, int64_t *ret_days) {
    static const int8_t lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    int64_t y, m, d;
    if (!digits(s, 4, &y) || !one_char(s, '-', '-') || !digits(s, 2, &m) || !one_char(s, '-', '-') || !digits(s, 2, &d)) {
        return false;
    }
    if (y < 1 || m < 1 || m > 12 || d < 1) return false;
    const bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
    if (d > lengths[m - 1] + (m == 2 && leap)) return false;
    *ret_days = days_from_civil(y, m, d);
    return true;
}

bool pb_timestamp_parse(struct str s, int64_t *ret_seconds, int32_t *ret_nanos) {
    int64_t days, h, m, sec, offset;
    int32_t nanos;
    if (!date(&s, &days) || !one_char(&s, 'T', 'T') || !digits(&s, 2, &h) || !one_char(&s, ':', ':') ||
        !digits(&s, 2, &m) || !one_char(&s, ':', ':') || !digits(&s, 2, &sec) || !fraction(&s, &nanos) ||
        !zone(&s, &offset)) {
        return false;
    }
    if (h > 23 || m > 59 || sec > 59) return false;
    const int64_t seconds = days * DAY + h * 3600 + m * 60 + sec - offset;
    if (seconds < MIN_SECONDS || seconds > MAX_SECONDS) return false;
    *ret_seconds = seconds;
    *ret_nanos = nanos;
    return true;
}

/* Nothing, or 3, 6 or 9 digits: what holds the value exactly. */
static void put_fraction(struct buf *out, int32_t nanos) {
    if (nanos == 0) return;
    if (nanos % 1000000 == 0) buf_printf(out, ".%03d", nanos / 1000000);
    else if (nanos % 1000 == 0) buf_printf(out, ".%06d", nanos / 1000);
    else buf_printf(out, ".%09d", nanos);
}

bool pb_timestamp_print(struct buf *out, int64_t seconds, int32_t nanos) {
    if (seconds < MIN_SECONDS || seconds > MAX_SECONDS || nanos < 0 || nanos >= NANOS) return false;
    int64_t y, m, d;
    const int64_t days = (seconds >= 0 ? seconds : seconds - (DAY - 1)) / DAY, rest = seconds - days * DAY;
    civil_from_days(days, &y, &m, &d);
    buf_printf(out, "%04d-%02d-%02dT%02d:%02d:%02d", (int)y, (int)m, (int)d, (int)(rest / 3600), (int)(rest / 60 % 60),
               (int)(rest % 60));
    put_fraction(out, nanos);
    buf_add_char(out, 'Z');
    return true;
}

bool pb_duration_parse(struct str s, int64_t *ret_seconds, int32_t *ret_nanos) {
    if (!str_strip_suffix(&s, STR("s"))) return false;
    const bool negative = one_char(&s, '-', '-');
    const ptrdiff_t point = str_find_char(s, '.');
    const size_t whole = point < 0 ? s.n : (size_t)point;
    int64_t seconds;
    int32_t nanos;
    if (whole < 1 || whole > 12 || !digits(&s, whole, &seconds) || !fraction(&s, &nanos) || s.n) return false;
    if (seconds > MAX_DURATION_SECONDS || (seconds == MAX_DURATION_SECONDS && nanos)) return false;
    *ret_seconds = negative ? -seconds : seconds;
    *ret_nanos = negative ? -nanos : nanos;
    return true;
}

bool pb_duration_print(struct buf *out, int64_t seconds, int32_t nanos) {
    if (seconds < -MAX_DURATION_SECONDS || seconds > MAX_DURATION_SECONDS || nanos <= -NANOS || nanos >= NANOS)
        return false;
    if ((seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0)) return false;
    const bool negative = seconds < 0 || nanos < 0;
    buf_printf(out, "%s%lld", negative ? "-" : "", (long long)(negative ? -seconds : seconds));
    put_fraction(out, negative ? -nanos : nanos);
    buf_add_char(out, 's');
    return true;
}
