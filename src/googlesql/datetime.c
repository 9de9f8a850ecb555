#include "googlesql/datetime.h"
#include <string.h>
#include "base/clock.h"

bool datetime_in_range(struct datetime t) {
    return t.seconds >= TIMESTAMP_MIN_S && t.seconds <= TIMESTAMP_MAX_S;
}

void datetime_put(struct datetime t, unsigned char out[TIMESTAMP_BYTES]) {
    uint64_t seconds = (uint64_t)t.seconds ^ (UINT64_C(1) << 63);
    for (int i = 0; i < 8; i++) out[i] = (unsigned char)(seconds >> (56 - 8 * i));
    for (int i = 0; i < 4; i++) out[8 + i] = (unsigned char)((uint32_t)t.nanos >> (24 - 8 * i));
}

bool datetime_get(struct str bytes, struct datetime *ret) {
    if (bytes.n != TIMESTAMP_BYTES) return false;
    uint64_t seconds = 0;
    uint32_t nanos = 0;
    for (int i = 0; i < 8; i++) seconds = seconds << 8 | (unsigned char)bytes.p[i];
    for (int i = 8; i < 12; i++) nanos = nanos << 8 | (unsigned char)bytes.p[i];
    *ret = (struct datetime){ (int64_t)(seconds ^ (UINT64_C(1) << 63)), (int32_t)nanos };
    return true;
}

/* Between `least` and `most` decimal digits. */
static bool take_digits(struct str *s, size_t least, size_t most, int64_t *ret) {
    size_t n = 0;
    int64_t value = 0;
    while (n < s->n && n < most && s->p[n] >= '0' && s->p[n] <= '9') value = value * 10 + (s->p[n++] - '0');
    if (n < least) return false;
    *s = str_from(*s, n);
    *ret = value;
    return true;
}

static bool take_char(struct str *s, char c) {
    if (s->n == 0 || s->p[0] != c) return false;
    *s = str_from(*s, 1);
    return true;
}

static bool take_date(struct str *s, int64_t *ret_days) {
    int64_t year, month, day;
    if (!take_digits(s, 4, 4, &year) || !take_char(s, '-') || !take_digits(s, 1, 2, &month) || !take_char(s, '-') ||
        !take_digits(s, 1, 2, &day))
        return false;
    if (year < 1 || !clock_valid_date(year, (unsigned)month, (unsigned)day)) return false;
    *ret_days = clock_days_from_civil(year, (unsigned)month, (unsigned)day);
    return true;
}

bool date_parse(struct str text, int64_t *ret_days) {
    int64_t days;
    if (!take_date(&text, &days) || text.n) return false;
    *ret_days = days;
    return true;
}

void date_print(int64_t days, struct buf *out) {
    int64_t year;
    unsigned month, day;
    clock_civil_from_days(days, &year, &month, &day);
    buf_printf(out, "%04lld-%02u-%02u", (long long)year, month, day);
}

static bool take_clock(struct str *s, int64_t *ret_seconds, int32_t *ret_nanos) {
    int64_t h, m, sec, fraction = 0;
    if (!take_digits(s, 1, 2, &h) || !take_char(s, ':') || !take_digits(s, 1, 2, &m) || !take_char(s, ':') ||
        !take_digits(s, 1, 2, &sec))
        return false;
    if (h > 23 || m > 59 || sec > 59) return false;
    if (take_char(s, '.')) {
        size_t before = s->n;
        if (!take_digits(s, 0, 9, &fraction)) return false;
        for (size_t n = before - s->n; n < 9; n++) fraction *= 10;
    }
    *ret_seconds = h * 3600 + m * 60 + sec;
    *ret_nanos = (int32_t)fraction;
    return true;
}

bool timestamp_parse(struct str text, struct str zone, struct datetime *ret) {
    int64_t days, seconds = 0;
    int32_t nanos = 0;
    if (!take_date(&text, &days)) return false;
    if (text.n > 1 && (text.p[0] == ' ' || text.p[0] == 'T' || text.p[0] == 't') && text.p[1] >= '0' && text.p[1] <= '9') {
        text = str_from(text, 1);
        if (!take_clock(&text, &seconds, &nanos)) return false;
    }
    if (text.n) {
        bool space = take_char(&text, ' ');
        if (!text.n) return false;
        bool z = str_eq_nocase(text, STR("Z"));
        if (!z && !space && text.p[0] != '+' && text.p[0] != '-') return false;
        zone = z ? STR("UTC") : text;
    }
    struct datetime t = { 0, nanos };
    if (!zone_to_utc(zone, days * 86400 + seconds, &t.seconds) || !datetime_in_range(t)) return false;
    *ret = t;
    return true;
}

static void print_fraction(int32_t nanos, struct buf *out) {
    if (nanos == 0) return;
    if (nanos % 1000000 == 0) buf_printf(out, ".%03d", nanos / 1000000);
    else if (nanos % 1000 == 0) buf_printf(out, ".%06d", nanos / 1000);
    else buf_printf(out, ".%09d", nanos);
}

bool timestamp_print(struct datetime t, struct str zone, struct buf *out) {
    int32_t offset;
    if (!zone_offset(zone, t.seconds, &offset)) return false;
    int64_t local = t.seconds + offset, days = local / 86400 - (local % 86400 < 0), clock = local - days * 86400;
    date_print(days, out);
    buf_printf(out, " %02d:%02d:%02d", (int)(clock / 3600), (int)(clock / 60 % 60), (int)(clock % 60));
    print_fraction(t.nanos, out);
    int minutes = (offset < 0 ? -offset : offset) / 60;
    buf_printf(out, "%c%02d", offset < 0 ? '-' : '+', minutes / 60);
    if (minutes % 60) buf_printf(out, ":%02d", minutes % 60);
    return true;
}

bool datetime_literal(struct arena *arena, enum sql_type type, struct str text, struct sql_expr *ret) {
    struct datetime t;
    if (type == SQL_DATE) return date_parse(text, &ret->i);
    unsigned char *bytes = arena_alloc(arena, TIMESTAMP_BYTES);
    if (!bytes || !timestamp_parse(text, ZONE_DEFAULT, &t)) return false;
    datetime_put(t, bytes);
    ret->text = (struct str){ (const char *)bytes, TIMESTAMP_BYTES };
    return true;
}

enum date_part date_part_find(struct str name) {
    static const char *const names[] = {
        [PART_NANOSECOND] = "NANOSECOND",
        [PART_MICROSECOND] = "MICROSECOND",
        [PART_MILLISECOND] = "MILLISECOND",
        [PART_SECOND] = "SECOND",
        [PART_MINUTE] = "MINUTE",
        [PART_HOUR] = "HOUR",
        [PART_DAY] = "DAY",
        [PART_WEEK] = "WEEK",
        [PART_ISOWEEK] = "ISOWEEK",
        [PART_MONTH] = "MONTH",
        [PART_QUARTER] = "QUARTER",
        [PART_YEAR] = "YEAR",
        [PART_ISOYEAR] = "ISOYEAR",
        [PART_DAYOFWEEK] = "DAYOFWEEK",
        [PART_DAYOFYEAR] = "DAYOFYEAR",
        [PART_DATE] = "DATE",
    };
    for (unsigned i = 1; i < COUNT(names); i++)
        if (str_eq_nocase(name, str_z(names[i]))) return (enum date_part)i;
    return PART_NONE;
}
