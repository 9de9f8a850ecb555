/* fn_time.c: DATE and TIMESTAMP. Weeks begin on Sunday, ISO weeks on Monday. */
#include "base/clock.h"
#include "engine/sql/fn.h"

enum { DAY_S = 86400 };

struct civil {
    int64_t year;
    unsigned month, day;
};

static struct civil civil_of(int64_t days) {
    struct civil c;
    clock_civil_from_days(days, &c.year, &c.month, &c.day);
    return c;
}

static int64_t days_of(int64_t year, unsigned month, unsigned day) {
    return clock_days_from_civil(year, month, day);
}

static int64_t floor_div(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

static int64_t weekday(int64_t days) { /* 0 = Sunday; 1970-01-01 was a Thursday */
    return ((days + 4) % 7 + 7) % 7;
}

static int64_t monday(int64_t days) {
    return days - (weekday(days) + 6) % 7;
}

static int64_t iso_year(int64_t days) {
    return civil_of(monday(days) + 3).year; /* its Thursday decides */
}

static int64_t iso_week(int64_t days) {
    return (monday(days) - monday(days_of(iso_year(days), 1, 4))) / 7 + 1;
}

static bool date_field(int64_t days, enum date_part part, int64_t *ret) {
    struct civil c = civil_of(days);
    int64_t first = days_of(c.year, 1, 1);
    switch (part) {
    case PART_YEAR: *ret = c.year; return true;
    case PART_QUARTER: *ret = (c.month - 1) / 3 + 1; return true;
    case PART_MONTH: *ret = c.month; return true;
    case PART_DAY: *ret = c.day; return true;
    case PART_DAYOFWEEK: *ret = weekday(days) + 1; return true;
    case PART_DAYOFYEAR: *ret = days - first + 1; return true;
    case PART_WEEK: *ret = (days - first + weekday(first)) / 7 + (weekday(first) == 0); return true;
    case PART_ISOWEEK: *ret = iso_week(days); return true;
    case PART_ISOYEAR: *ret = iso_year(days); return true;
    case PART_NONE:
    case PART_NANOSECOND:
    case PART_MICROSECOND:
    case PART_MILLISECOND:
    case PART_SECOND:
    case PART_MINUTE:
    case PART_HOUR:
    case PART_DATE: break;
    }
    return false;
}

static enum date_part part_arg(sqlite3_value *v) {
    return (enum date_part)sqlite3_value_int(v);
}

static void extract_d(sqlite3_context *ctx, int n, sqlite3_value **args) {
    int64_t value;
    (void)n;
    if (date_field(sqlite3_value_int64(args[1]), part_arg(args[0]), &value)) sqlite3_result_int64(ctx, value);
    else fail_range(ctx, "Invalid date part");
}

/* The wall clock's day and second of the day in the zone of args[i], or the default one. */
static bool local(sqlite3_context *ctx, struct datetime t, int n, sqlite3_value **args, int i, int64_t *ret_days,
                  int64_t *ret_clock) {
    int32_t offset;
    if (!zone_offset(n > i ? arg_str(args[i]) : ZONE_DEFAULT, t.seconds, &offset)) {
        fail_range(ctx, "Invalid time zone");
        return false;
    }
    *ret_days = floor_div(t.seconds + offset, DAY_S);
    *ret_clock = t.seconds + offset - *ret_days * DAY_S;
    return true;
}

static bool time_arg(sqlite3_context *ctx, sqlite3_value *v, struct datetime *ret) {
    if (arg_time(v, ret)) return true;
    fail(ctx, INTERNAL, "a TIMESTAMP is damaged");
    return false;
}

static void extract_t(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct datetime t;
    int64_t days, clock, value;
    enum date_part part = part_arg(args[0]);
    if (!time_arg(ctx, args[1], &t) || !local(ctx, t, n, args, 2, &days, &clock)) return;
    if (part == PART_HOUR) value = clock / 3600;
    else if (part == PART_MINUTE) value = clock / 60 % 60;
    else if (part == PART_SECOND) value = clock % 60;
    else if (part == PART_MILLISECOND) value = t.nanos / 1000000;
    else if (part == PART_MICROSECOND) value = t.nanos / 1000;
    else if (part == PART_NANOSECOND) value = t.nanos;
    else if (!date_field(days, part, &value)) {
        fail_range(ctx, "Invalid date part");
        return;
    }
    sqlite3_result_int64(ctx, value);
}

static unsigned month_days(int64_t year, unsigned month) {
    return (unsigned)(days_of(year + month / 12, month % 12 + 1, 1) - days_of(year, month, 1));
}

/* Months later; the last day of the month where the day is not there. */
static int64_t add_months(int64_t days, int64_t months) {
    struct civil c = civil_of(days);
    int64_t total = c.year * 12 + (int64_t)c.month - 1 + months, year = floor_div(total, 12);
    unsigned month = (unsigned)(total - year * 12) + 1;
    unsigned last = month_days(year, month);
    return days_of(year, month, c.day < last ? c.day : last);
}

static void date_move(sqlite3_context *ctx, sqlite3_value **args, int sign) {
    int64_t days = sqlite3_value_int64(args[0]), by = sqlite3_value_int64(args[1]);
    enum date_part part = part_arg(args[2]);
    if (by > 4000000 || by < -4000000) { /* more days than there are */
        fail_range(ctx, "date overflow");
        return;
    }
    by *= sign;
    if (part == PART_DAY) days += by;
    else if (part == PART_WEEK) days += 7 * by;
    else days = add_months(days, by * (part == PART_YEAR ? 12 : part == PART_QUARTER ? 3 : 1));
    result_date(ctx, days);
}

static void date_add(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    date_move(ctx, args, 1);
}

static void date_sub(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    date_move(ctx, args, -1);
}

/* Boundaries of the part that lie between. */
static void date_diff(sqlite3_context *ctx, int n, sqlite3_value **args) {
    int64_t a = sqlite3_value_int64(args[0]), b = sqlite3_value_int64(args[1]), diff;
    struct civil x = civil_of(a), y = civil_of(b);
    (void)n;
    switch (part_arg(args[2])) {
    case PART_WEEK: diff = ((a - weekday(a)) - (b - weekday(b))) / 7; break;
    case PART_ISOWEEK: diff = (monday(a) - monday(b)) / 7; break;
    case PART_MONTH: diff = (x.year - y.year) * 12 + (int64_t)x.month - (int64_t)y.month; break;
    case PART_QUARTER: diff = (x.year - y.year) * 4 + (int64_t)((x.month - 1) / 3) - (int64_t)((y.month - 1) / 3); break;
    case PART_YEAR: diff = x.year - y.year; break;
    case PART_ISOYEAR: diff = iso_year(a) - iso_year(b); break;
    case PART_DAY:
    case PART_NONE:
    case PART_NANOSECOND:
    case PART_MICROSECOND:
    case PART_MILLISECOND:
    case PART_SECOND:
    case PART_MINUTE:
    case PART_HOUR:
    case PART_DAYOFWEEK:
    case PART_DAYOFYEAR:
    case PART_DATE:
    default: diff = a - b; break;
    }
    sqlite3_result_int64(ctx, diff);
}

static int64_t truncated(int64_t days, enum date_part part) {
    struct civil c = civil_of(days);
    if (part == PART_WEEK) return days - weekday(days);
    if (part == PART_MONTH) return days_of(c.year, c.month, 1);
    if (part == PART_QUARTER) return days_of(c.year, (c.month - 1) / 3 * 3 + 1, 1);
    if (part == PART_YEAR) return days_of(c.year, 1, 1);
    return days;
}

static void date_trunc(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    result_date(ctx, truncated(sqlite3_value_int64(args[0]), part_arg(args[1])));
}

static void date_of(sqlite3_context *ctx, int n, sqlite3_value **args) {
    int64_t year = sqlite3_value_int64(args[0]), month = sqlite3_value_int64(args[1]), day = sqlite3_value_int64(args[2]);
    (void)n;
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > 31 ||
        !clock_valid_date(year, (unsigned)month, (unsigned)day))
        fail_range(ctx, "Input calculates to invalid date");
    else result_date(ctx, days_of(year, (unsigned)month, (unsigned)day));
}

static void date_from_unix(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    result_date(ctx, sqlite3_value_int64(args[0]));
}

static void date_at(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct datetime t;
    int64_t days, clock;
    if (time_arg(ctx, args[0], &t) && local(ctx, t, n, args, 1, &days, &clock)) result_date(ctx, days);
}

static void timestamp_s(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct datetime t;
    if (timestamp_parse(arg_str(args[0]), n > 1 ? arg_str(args[1]) : ZONE_DEFAULT, &t)) result_time(ctx, t);
    else fail_range(ctx, "Invalid timestamp");
}

static void timestamp_d(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct datetime t = { 0 };
    if (zone_to_utc(n > 1 ? arg_str(args[1]) : ZONE_DEFAULT, sqlite3_value_int64(args[0]) * DAY_S, &t.seconds))
        result_time(ctx, t);
    else fail_range(ctx, "Invalid time zone");
}

static void timestamp_string(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct datetime t;
    struct buf b = BUF_INIT(64);
    if (!time_arg(ctx, args[0], &t)) return;
    if (timestamp_print(t, n > 1 ? arg_str(args[1]) : ZONE_DEFAULT, &b)) result_str(ctx, buf_str(&b), true);
    else fail_range(ctx, "Invalid time zone");
    buf_free(&b);
}

/* Nanoseconds of a part; 0 for one that is not of a fixed length. */
static int64_t part_nanos(enum date_part part) {
    static const int64_t nanos[] = {
        [PART_NANOSECOND] = 1,
        [PART_MICROSECOND] = 1000,
        [PART_MILLISECOND] = 1000000,
        [PART_SECOND] = 1000000000,
        [PART_MINUTE] = INT64_C(60000000000),
        [PART_HOUR] = INT64_C(3600000000000),
        [PART_DAY] = INT64_C(86400000000000),
    };
    return part < (enum date_part)COUNT(nanos) ? nanos[part] : 0;
}

__extension__ typedef __int128 int128;

static int128 nanos_of(struct datetime t) {
    return (int128)t.seconds * 1000000000 + t.nanos;
}

static void result_nanos(sqlite3_context *ctx, int128 nanos) {
    int128 seconds = nanos / 1000000000 - (nanos % 1000000000 < 0);
    if (seconds < TIMESTAMP_MIN_S || seconds > TIMESTAMP_MAX_S) fail_range(ctx, "timestamp overflow");
    else result_time(ctx, (struct datetime){ (int64_t)seconds, (int32_t)(nanos - seconds * 1000000000) });
}

static void timestamp_move(sqlite3_context *ctx, sqlite3_value **args, int sign) {
    struct datetime t;
    if (!time_arg(ctx, args[0], &t)) return;
    result_nanos(ctx, nanos_of(t) + (int128)sqlite3_value_int64(args[1]) * part_nanos(part_arg(args[2])) * sign);
}

static void timestamp_add(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    timestamp_move(ctx, args, 1);
}

static void timestamp_sub(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    timestamp_move(ctx, args, -1);
}

static void timestamp_diff(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct datetime a, b;
    int64_t part = part_nanos(part_arg(args[2]));
    (void)n;
    if (!time_arg(ctx, args[0], &a) || !time_arg(ctx, args[1], &b)) return;
    int128 diff = (nanos_of(a) - nanos_of(b)) / (part ? part : 1);
    if (diff > INT64_MAX || diff < INT64_MIN) fail_range(ctx, "int64 overflow");
    else sqlite3_result_int64(ctx, (int64_t)diff);
}

/* Parts below an hour are the same in each zone that is now in use with whole minutes; longer ones go by the wall clock. */
static void timestamp_trunc(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct datetime t;
    int64_t days, clock;
    enum date_part part = part_arg(args[1]);
    if (!time_arg(ctx, args[0], &t) || !local(ctx, t, n, args, 2, &days, &clock)) return;
    int64_t nanos = part_nanos(part);
    if (nanos && nanos <= 1000000000) {
        t.nanos -= (int32_t)(t.nanos % nanos);
    } else if (part == PART_MINUTE || part == PART_HOUR) {
        t.seconds -= clock % (part == PART_HOUR ? 3600 : 60);
        t.nanos = 0;
    } else {
        t = (struct datetime){ 0 };
        if (!zone_to_utc(n > 2 ? arg_str(args[2]) : ZONE_DEFAULT, truncated(days, part) * DAY_S, &t.seconds)) {
            fail_range(ctx, "Invalid time zone");
            return;
        }
    }
    result_time(ctx, t);
}

static void unix_of(sqlite3_context *ctx, sqlite3_value *v, int64_t per_second) {
    struct datetime t;
    if (time_arg(ctx, v, &t)) sqlite3_result_int64(ctx, t.seconds * per_second + t.nanos / (1000000000 / per_second));
}

static void unix_seconds(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    unix_of(ctx, args[0], 1);
}

static void unix_millis(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    unix_of(ctx, args[0], 1000);
}

static void unix_micros(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    unix_of(ctx, args[0], 1000000);
}

static void timestamp_seconds(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    result_nanos(ctx, (int128)sqlite3_value_int64(args[0]) * 1000000000);
}

static void timestamp_millis(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    result_nanos(ctx, (int128)sqlite3_value_int64(args[0]) * 1000000);
}

static void timestamp_micros(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    result_nanos(ctx, (int128)sqlite3_value_int64(args[0]) * 1000);
}

struct fn_list fn_time(void) {
    static const struct fn rows[] = {
        { .name = "g_extract_d", .args = 2, .run = extract_d },
        { .name = "g_extract_t", .args = -1, .run = extract_t },
        { .name = "g_date_add", .args = 3, .run = date_add },
        { .name = "g_date_sub", .args = 3, .run = date_sub },
        { .name = "g_date_diff", .args = 3, .run = date_diff },
        { .name = "g_date_trunc", .args = 2, .run = date_trunc },
        { .name = "g_date_of", .args = 3, .run = date_of },
        { .name = "g_date_from_unix", .args = 1, .run = date_from_unix },
        { .name = "g_date_at", .args = -1, .run = date_at },
        { .name = "g_timestamp_s", .args = -1, .run = timestamp_s },
        { .name = "g_timestamp_d", .args = -1, .run = timestamp_d },
        { .name = "g_timestamp_string", .args = -1, .run = timestamp_string },
        { .name = "g_timestamp_add", .args = 3, .run = timestamp_add },
        { .name = "g_timestamp_sub", .args = 3, .run = timestamp_sub },
        { .name = "g_timestamp_diff", .args = 3, .run = timestamp_diff },
        { .name = "g_timestamp_trunc", .args = -1, .run = timestamp_trunc },
        { .name = "g_unix_seconds", .args = 1, .run = unix_seconds },
        { .name = "g_unix_millis", .args = 1, .run = unix_millis },
        { .name = "g_unix_micros", .args = 1, .run = unix_micros },
        { .name = "g_timestamp_seconds", .args = 1, .run = timestamp_seconds },
        { .name = "g_timestamp_millis", .args = 1, .run = timestamp_millis },
        { .name = "g_timestamp_micros", .args = 1, .run = timestamp_micros },
    };
    return (struct fn_list){ rows, COUNT(rows) };
}
