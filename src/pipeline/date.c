#include "pipeline/date.h"

#include "base/clock.h"
#include "base/decimal.h"

static const int64_t DAYS_TO_1970 = 719162;

/* Exactly n digits. */
static bool take_digits(struct str *s, size_t n, unsigned *ret) {
    uint64_t v;
    if (s->n < n || !str_u64(str_upto(*s, n), &v)) return false;
    *s = str_from(*s, n);
    *ret = (unsigned)v;
    return true;
}

static bool take(struct str *s, char c) {
    if (s->n == 0 || s->p[0] != c) return false;
    *s = str_from(*s, 1);
    return true;
}

/* ".1234567", of which 7 digits count. */
static bool take_fraction(struct str *s, unsigned *ret) {
    size_t n = 0;
    *ret = 0;
    for (; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++)
        if (n < 7) *ret = *ret * 10 + (unsigned)(s->p[n] - '0');
    for (size_t i = n; i < 7; i++) *ret *= 10;
    *s = str_from(*s, n);
    return n > 0 && n <= 9;
}

static bool take_zone(struct str *s, int64_t *ret_minutes) {
    unsigned hours, minutes = 0;
    *ret_minutes = 0;
    if (s->n == 0 || take(s, 'Z') || take(s, 'z')) return true;
    bool minus = s->p[0] == '-';
    if (!take(s, '+') && !take(s, '-')) return false;
    if (!take_digits(s, 2, &hours)) return false;
    if (s->n && (!take(s, ':') || !take_digits(s, 2, &minutes))) return false;
    if (hours > 14 || minutes > 59) return false;
    *ret_minutes = (int64_t)(hours * 60 + minutes) * (minus ? -1 : 1);
    return true;
}

static bool take_time(struct str *s, int64_t *ret_ticks) {
    unsigned hour, minute, second = 0, fraction = 0;
    int64_t zone;
    if (!take_digits(s, 2, &hour) || !take(s, ':') || !take_digits(s, 2, &minute)) return false;
    if (take(s, ':')) {
        if (!take_digits(s, 2, &second)) return false;
        if (take(s, '.') && !take_fraction(s, &fraction)) return false;
    }
    if (hour > 23 || minute > 59 || second > 59 || !take_zone(s, &zone)) return false;
    *ret_ticks = ((int64_t)(hour * 3600 + minute * 60 + second) - zone * 60) * DATE_TICKS_PER_SECOND + fraction;
    return true;
}

bool date_read(struct str text, int64_t *ret_ticks) {
    struct str s = str_trim(text);
    unsigned year, month, day;
    int64_t time = 0;
    if (!take_digits(&s, 4, &year) || !take(&s, '-') || !take_digits(&s, 2, &month) || !take(&s, '-')) return false;
    if (!take_digits(&s, 2, &day) || year == 0 || !clock_valid_date(year, month, day)) return false;
    if (s.n && ((!take(&s, 'T') && !take(&s, ' ')) || !take_time(&s, &time))) return false;
    int64_t ticks = (clock_days_from_civil(year, month, day) + DAYS_TO_1970) * DATE_TICKS_PER_DAY + time;
    if (s.n || ticks < 0 || ticks > DATE_TICKS_MAX) return false;
    *ret_ticks = ticks;
    return true;
}

void date_split(int64_t ticks, struct date_parts *ret) {
    int64_t days = ticks / DATE_TICKS_PER_DAY, rest = ticks % DATE_TICKS_PER_DAY;
    unsigned seconds = (unsigned)(rest / DATE_TICKS_PER_SECOND);
    clock_civil_from_days(days - DAYS_TO_1970, &ret->year, &ret->month, &ret->day);
    ret->hour = seconds / 3600, ret->minute = seconds / 60 % 60, ret->second = seconds % 60;
    ret->fraction = (unsigned)(rest % DATE_TICKS_PER_SECOND);
    ret->weekday = (unsigned)((days + 1) % 7); /* 0001-01-01 was a Monday */
    ret->yearday = (unsigned)(days - DAYS_TO_1970 - clock_days_from_civil(ret->year, 1, 1)) + 1;
}

bool date_add_months(int64_t ticks, int64_t months, int64_t *ret) {
    struct date_parts parts;
    date_split(ticks, &parts);
    if (months < -120000 || months > 120000) return false;
    int64_t count = parts.year * 12 + parts.month - 1 + months, year = count / 12;
    if (year < 1 || year > 9999) return false;
    unsigned month = (unsigned)(count % 12) + 1, day = parts.day;
    while (!clock_valid_date(year, month, day)) day--;
    *ret = (clock_days_from_civil(year, month, day) + DAYS_TO_1970) * DATE_TICKS_PER_DAY + ticks % DATE_TICKS_PER_DAY;
    return true;
}
