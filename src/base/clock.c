#include "base/clock.h"
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include "base/decimal.h"

static _Atomic int64_t latest_us; /* the floor: the latest time seen; written by any thread */
static _Atomic int64_t test_us;

void clock_floor(int64_t wall_us) {
    int64_t seen = atomic_load(&latest_us);
    while (wall_us > seen && !atomic_compare_exchange_weak(&latest_us, &seen, wall_us)) {}
}

void clock_set_for_test(int64_t wall_us) {
    atomic_store(&test_us, wall_us);
}

int64_t clock_wall_us(void) {
    int64_t fixed = atomic_load(&test_us);
    if (fixed) return fixed;
    struct timespec ts;
    (void)clock_gettime(CLOCK_REALTIME, &ts);
    clock_floor((int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000);
    return atomic_load(&latest_us);
}

int64_t clock_wall_s(void) {
    return clock_wall_us() / 1000000;
}

uint64_t clock_mono_us(void) {
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

/* Howard Hinnant's algorithms: eras of 400 years, years that begin in March. */
int64_t clock_days_from_civil(int64_t year, unsigned month, unsigned day) {
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t yoe = year - era * 400;
    int64_t doy = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
    int64_t doe = yoe * 365 + yoe / 4 - yoe / 100 + doy;
    return era * 146097 + doe - 719468;
}

void clock_civil_from_days(int64_t days, int64_t *ret_year, unsigned *ret_month, unsigned *ret_day) {
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t doe = days - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    int64_t mp = (5 * doy + 2) / 153;
    unsigned month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
    *ret_year = yoe + era * 400 + (month <= 2);
    *ret_month = month;
    *ret_day = (unsigned)(doy - (153 * mp + 2) / 5 + 1);
}

bool clock_valid_date(int64_t year, unsigned month, unsigned day) {
    static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1) return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

/* "2026-11-21T23:50:26", 19 bytes; years of more digits than four (a clock gone wrong) keep their last four. */
static size_t put_fields(char *out, int64_t year, unsigned month, unsigned day, uint64_t second_of_day) {
    memcpy(out, "0000-00-00T00:00:00", 19);
    decimal_fixed((uint64_t)year, 4, out);
    decimal_fixed(month, 2, out + 5);
    decimal_fixed(day, 2, out + 8);
    decimal_fixed(second_of_day / 3600, 2, out + 11);
    decimal_fixed(second_of_day / 60 % 60, 2, out + 14);
    decimal_fixed(second_of_day % 60, 2, out + 17);
    return 19;
}

size_t clock_rfc3339(int64_t wall_us, char out[CLOCK_RFC3339_MAX]) {
    int64_t seconds = wall_us / 1000000, micros = wall_us % 1000000;
    if (micros < 0) seconds--, micros += 1000000;
    int64_t days = seconds / 86400, rest = seconds % 86400;
    if (rest < 0) days--, rest += 86400;
    int64_t year;
    unsigned month, day;
    clock_civil_from_days(days, &year, &month, &day);
    size_t n = put_fields(out, year, month, day, (uint64_t)rest);
    if (micros) {
        bool millis = micros % 1000 == 0;
        out[n] = '.';
        decimal_fixed((uint64_t)(millis ? micros / 1000 : micros), millis ? 3 : 6, out + n + 1);
        n += millis ? 4 : 7;
    }
    out[n++] = 'Z';
    out[n] = '\0';
    return n;
}

static bool digits(struct str *s, unsigned count, unsigned *ret) {
    unsigned v = 0;
    if (s->n < count) return false;
    for (unsigned i = 0; i < count; i++) {
        if (s->p[i] < '0' || s->p[i] > '9') return false;
        v = v * 10 + (unsigned)(s->p[i] - '0');
    }
    *s = str_from(*s, count);
    *ret = v;
    return true;
}

static bool one_of(struct str *s, char a, char b, char *ret) {
    if (!s->n || (s->p[0] != a && s->p[0] != b)) return false;
    *ret = s->p[0];
    *s = str_from(*s, 1);
    return true;
}

static bool fraction(struct str *s, int32_t *ret_nanos) {
    char c;
    if (!one_of(s, '.', '.', &c)) return true;
    unsigned count = 0, digit;
    int32_t nanos = 0;
    while (count < 9 && digits(s, 1, &digit)) nanos = nanos * 10 + (int32_t)digit, count++;
    if (count == 0) return false;
    for (; count < 9; count++) nanos *= 10;
    *ret_nanos = nanos;
    return true;
}

static bool offset(struct str *s, int64_t *ret_seconds) {
    char c;
    if (one_of(s, 'Z', 'z', &c)) return true;
    unsigned h, m;
    char colon;
    if (!one_of(s, '+', '-', &c) || !digits(s, 2, &h) || !one_of(s, ':', ':', &colon) || !digits(s, 2, &m)) return false;
    if (h > 23 || m > 59) return false;
    *ret_seconds = (c == '-' ? -1 : 1) * (int64_t)(h * 3600 + m * 60);
    return true;
}

bool clock_parse_rfc3339(struct str s, int64_t *ret_seconds, int32_t *ret_nanos) {
    unsigned year, month, day, h, m, sec;
    char c;
    if (!digits(&s, 4, &year) || !one_of(&s, '-', '-', &c) || !digits(&s, 2, &month) || !one_of(&s, '-', '-', &c) ||
        !digits(&s, 2, &day) || !one_of(&s, 'T', 't', &c) || !digits(&s, 2, &h) || !one_of(&s, ':', ':', &c) ||
        !digits(&s, 2, &m) || !one_of(&s, ':', ':', &c) || !digits(&s, 2, &sec))
        return false;
    int32_t nanos = 0;
    int64_t shift = 0;
    if (!fraction(&s, &nanos) || !offset(&s, &shift) || s.n) return false;
    if (!clock_valid_date(year, month, day) || h > 23 || m > 59 || sec > 59) return false;
    int64_t seconds = clock_days_from_civil(year, month, day) * 86400 + h * 3600 + m * 60 + sec - shift;
    if (seconds < -62135596800 || seconds > 253402300799) return false;
    *ret_seconds = seconds;
    *ret_nanos = nanos;
    return true;
}
