/* Dates. Source: Microsoft Learn, "Expression and functions …", date functions. */
#include "data/json.h"
#include "pipeline/date.h"
#include "pipeline/expr_internal.h"

/* In the format of argument `place` (from 1), else ISO 8601 with 7 digits. */
static enum code give_date(struct expr_call *call, int64_t ticks, size_t place, json_t **ret) {
    DEFER(buf_free) struct buf out = BUF_INIT(EXPR_RESULT_MAX);
    struct err err;
    enum code rc = date_format(ticks, call->n >= place ? expr_arg(call, place - 1) : STR("o"), &out, &err);
    return rc ? expr_refuse(call, INVALID_ARGUMENT, "%s", err.message) : expr_give_buf(call, &out, ret);
}

static enum code date_arg(struct expr_call *call, int64_t *ret) {
    if (date_read(expr_arg(call, 0), ret)) return OK;
    return expr_refuse(call, INVALID_ARGUMENT,
                       "argument 1 is no timestamp: ISO 8601, such as 2026-03-01T12:30:00Z, is expected");
}

static enum code run_utc_now(struct expr_call *call, json_t **ret) {
    return give_date(call, DATE_TICKS_UNIX + call->run->context->now_us * 10, 1, ret);
}

static enum code out_of_years(struct expr_call *call) {
    return expr_refuse(call, OUT_OF_RANGE, "the result is not in the years 1 to 9999");
}

static enum code shift(struct expr_call *call, int64_t unit, size_t place, json_t **ret) {
    int64_t ticks, by;
    enum code rc = date_arg(call, &ticks);
    if (rc) return rc;
    if (__builtin_mul_overflow(json_integer_value(call->args[1]), unit, &by) || __builtin_add_overflow(ticks, by, &ticks) ||
        ticks < 0 || ticks > DATE_TICKS_MAX)
        return out_of_years(call);
    return give_date(call, ticks, place, ret);
}

static enum code run_add_days(struct expr_call *call, json_t **ret) {
    return shift(call, DATE_TICKS_PER_DAY, 3, ret);
}

static enum code run_add_hours(struct expr_call *call, json_t **ret) {
    return shift(call, 3600 * DATE_TICKS_PER_SECOND, 3, ret);
}

static enum code run_add_minutes(struct expr_call *call, json_t **ret) {
    return shift(call, 60 * DATE_TICKS_PER_SECOND, 3, ret);
}

static enum code run_add_seconds(struct expr_call *call, json_t **ret) {
    return shift(call, DATE_TICKS_PER_SECOND, 3, ret);
}

static enum code shift_months(struct expr_call *call, int64_t months_each, json_t **ret) {
    int64_t ticks, months;
    enum code rc = date_arg(call, &ticks);
    if (rc) return rc;
    if (__builtin_mul_overflow(json_integer_value(call->args[1]), months_each, &months) ||
        !date_add_months(ticks, months, &ticks))
        return out_of_years(call);
    return give_date(call, ticks, 4, ret);
}

static enum code run_add_to_time(struct expr_call *call, json_t **ret) {
    static const struct {
        struct str name;
        int64_t ticks, months;
    } units[] = {
        { STR_INIT("Second"), DATE_TICKS_PER_SECOND, 0 },
        { STR_INIT("Minute"), 60 * DATE_TICKS_PER_SECOND, 0 },
        { STR_INIT("Hour"), 3600 * DATE_TICKS_PER_SECOND, 0 },
        { STR_INIT("Day"), DATE_TICKS_PER_DAY, 0 },
        { STR_INIT("Week"), 7 * DATE_TICKS_PER_DAY, 0 },
        { STR_INIT("Month"), 0, 1 },
        { STR_INIT("Year"), 0, 12 },
    };
    for (size_t i = 0; i < COUNT(units); i++) {
        if (!str_eq_nocase(expr_arg(call, 2), units[i].name)) continue;
        return units[i].months ? shift_months(call, units[i].months, ret) : shift(call, units[i].ticks, 4, ret);
    }
    return expr_refuse(call, INVALID_ARGUMENT, "the unit is none of Second, Minute, Hour, Day, Week, Month and Year");
}

static enum code run_format(struct expr_call *call, json_t **ret) {
    int64_t ticks;
    enum code rc = date_arg(call, &ticks);
    return rc ? rc : give_date(call, ticks, 2, ret);
}

static enum code run_ticks(struct expr_call *call, json_t **ret) {
    int64_t ticks;
    enum code rc = date_arg(call, &ticks);
    return rc ? rc : expr_give_int(call, ticks, ret);
}

static enum code parts_of(struct expr_call *call, struct date_parts *parts) {
    int64_t ticks;
    enum code rc = date_arg(call, &ticks);
    if (rc == OK) date_split(ticks, parts);
    return rc;
}

static enum code run_day_of_week(struct expr_call *call, json_t **ret) {
    struct date_parts parts;
    enum code rc = parts_of(call, &parts);
    return rc ? rc : expr_give_int(call, parts.weekday, ret);
}

static enum code run_day_of_month(struct expr_call *call, json_t **ret) {
    struct date_parts parts;
    enum code rc = parts_of(call, &parts);
    return rc ? rc : expr_give_int(call, parts.day, ret);
}

static enum code run_day_of_year(struct expr_call *call, json_t **ret) {
    struct date_parts parts;
    enum code rc = parts_of(call, &parts);
    return rc ? rc : expr_give_int(call, parts.yearday, ret);
}

static enum code start_of(struct expr_call *call, int64_t unit, bool month, json_t **ret) {
    int64_t ticks;
    struct date_parts parts;
    enum code rc = date_arg(call, &ticks);
    if (rc) return rc;
    date_split(ticks, &parts);
    ticks -= ticks % unit;
    if (month) ticks -= (parts.day - 1) * DATE_TICKS_PER_DAY;
    return give_date(call, ticks, 2, ret);
}

static enum code run_start_of_day(struct expr_call *call, json_t **ret) {
    return start_of(call, DATE_TICKS_PER_DAY, false, ret);
}

static enum code run_start_of_hour(struct expr_call *call, json_t **ret) {
    return start_of(call, 3600 * DATE_TICKS_PER_SECOND, false, ret);
}

static enum code run_start_of_month(struct expr_call *call, json_t **ret) {
    return start_of(call, DATE_TICKS_PER_DAY, true, ret);
}

const struct expr_function expr_functions_date[] = {
    { "utcNow", "s", 0, 1, run_utc_now, false, 1 },
    { "addDays", "sis", 2, 3, run_add_days, false, 3 },
    { "addHours", "sis", 2, 3, run_add_hours, false, 3 },
    { "addMinutes", "sis", 2, 3, run_add_minutes, false, 3 },
    { "addSeconds", "sis", 2, 3, run_add_seconds, false, 3 },
    { "addToTime", "siss", 3, 4, run_add_to_time, false, 4 },
    { "formatDateTime", "ss", 1, 2, run_format, false, 2 },
    { "ticks", "s", 1, 1, run_ticks, false, 0 },
    { "dayOfWeek", "s", 1, 1, run_day_of_week, false, 0 },
    { "dayOfMonth", "s", 1, 1, run_day_of_month, false, 0 },
    { "dayOfYear", "s", 1, 1, run_day_of_year, false, 0 },
    { "startOfDay", "ss", 1, 2, run_start_of_day, false, 2 },
    { "startOfHour", "ss", 1, 2, run_start_of_hour, false, 2 },
    { "startOfMonth", "ss", 1, 2, run_start_of_month, false, 2 },
    { 0 },
};
