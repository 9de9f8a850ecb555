/* fn_aggregate.c: aggregates that SQLite has not, or has with another meaning. NULLs do not count. */
#include <math.h>
#include <string.h>
#include "engine/sql/fn.h"

/* SQLite aligns an aggregate's memory to 8. */
__extension__ typedef __int128 int128 __attribute__((aligned(8)));

struct state {
    int64_t n;
    int128 sum;   /* of INT64: 2^63 rows of it fit */
    double f, m2; /* sum of FLOAT64; Welford's mean is in f then */
    bool nan, seen, started;
    double best;
    int64_t bits;
    struct buf text;
    sqlite3_value *value;
};

static struct state *state_of(sqlite3_context *ctx) {
    struct state *s = sqlite3_aggregate_context(ctx, (int)sizeof *s);
    if (!s) sqlite3_result_error_nomem(ctx);
    return s;
}

/* The state, counted up, when the first argument is not NULL. */
static struct state *counted(sqlite3_context *ctx, sqlite3_value **args) {
    if (sqlite3_value_type(args[0]) == SQLITE_NULL) return NULL;
    struct state *s = state_of(ctx);
    if (s) s->n++;
    return s;
}

/* At the end: NULL when there was no row. */
static struct state *finished(sqlite3_context *ctx) {
    struct state *s = sqlite3_aggregate_context(ctx, 0);
    return s && s->n ? s : NULL;
}

static void sum_i_step(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct state *s = counted(ctx, args);
    (void)n;
    if (s) s->sum += sqlite3_value_int64(args[0]);
}

static void sum_i_final(sqlite3_context *ctx) {
    const struct state *s = finished(ctx);
    if (!s) return;
    if (s->sum > INT64_MAX || s->sum < INT64_MIN) fail_range(ctx, "int64 overflow");
    else sqlite3_result_int64(ctx, (int64_t)s->sum);
}

static void avg_i_final(sqlite3_context *ctx) {
    const struct state *s = finished(ctx);
    if (s) result_float(ctx, (double)((long double)s->sum / (long double)s->n));
}

/* Neumaier's sum, so that the order of rows hardly matters; m2 is the compensation. */
static void sum_f_step(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct state *s = counted(ctx, args);
    (void)n;
    if (!s) return;
    double x = arg_float(args[0]), t = s->f + x;
    s->seen = s->seen || !isfinite(x); /* then an infinite sum is right */
    if (isfinite(t)) s->m2 += fabs(s->f) >= fabs(x) ? (s->f - t) + x : (x - t) + s->f;
    s->f = t;
}

static bool float_sum(sqlite3_context *ctx, const struct state *s, double *ret) {
    *ret = isfinite(s->f) ? s->f + s->m2 : s->f;
    if (isfinite(*ret) || s->seen) return true;
    fail_range(ctx, "double overflow");
    return false;
}

static void sum_f_final(sqlite3_context *ctx) {
    const struct state *s = finished(ctx);
    double sum;
    if (s && float_sum(ctx, s, &sum)) result_float(ctx, sum);
}

static void avg_f_final(sqlite3_context *ctx) {
    const struct state *s = finished(ctx);
    double sum;
    if (s && float_sum(ctx, s, &sum)) result_float(ctx, sum / (double)s->n);
}

static void extreme_step(sqlite3_context *ctx, sqlite3_value **args, bool max) {
    struct state *s = counted(ctx, args);
    if (!s) return;
    double x = arg_float(args[0]);
    s->nan = s->nan || isnan(x);
    if (!s->started || (max ? x > s->best : x < s->best)) s->best = x;
    s->started = s->started || !isnan(x);
}

static void min_f_step(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    extreme_step(ctx, args, false);
}

static void max_f_step(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    extreme_step(ctx, args, true);
}

static void extreme_final(sqlite3_context *ctx) {
    const struct state *s = finished(ctx);
    if (s) result_float(ctx, s->nan ? NAN : s->best);
}

/* Welford's method: f is the mean, m2 the sum of squares of differences. */
static void variance_step(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct state *s = counted(ctx, args);
    (void)n;
    if (!s) return;
    double x = arg_float(args[0]), d = x - s->f;
    s->nan = s->nan || !isfinite(x);
    s->f += d / (double)s->n;
    s->m2 += d * (x - s->f);
}

static void variance_of(sqlite3_context *ctx, bool root) {
    const struct state *s = finished(ctx);
    if (!s || s->n < 2) return;
    double v = s->m2 / (double)(s->n - 1);
    result_float(ctx, s->nan ? NAN : root ? sqrt(v) : v);
}

static void variance_final(sqlite3_context *ctx) {
    variance_of(ctx, false);
}

static void stddev_final(sqlite3_context *ctx) {
    variance_of(ctx, true);
}

static void bits_step(sqlite3_context *ctx, sqlite3_value **args, char op) {
    struct state *s = counted(ctx, args);
    if (!s) return;
    int64_t x = sqlite3_value_int64(args[0]);
    if (s->n == 1) s->bits = x;
    else s->bits = op == '&' ? s->bits & x : op == '|' ? s->bits | x : s->bits ^ x;
}

static void bit_and_step(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    bits_step(ctx, args, '&');
}

static void bit_or_step(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    bits_step(ctx, args, '|');
}

static void bit_xor_step(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    bits_step(ctx, args, '^');
}

static void bits_final(sqlite3_context *ctx) {
    const struct state *s = finished(ctx);
    if (s) sqlite3_result_int64(ctx, s->bits);
}

static void string_agg_step(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct state *s = counted(ctx, args);
    if (!s) return;
    s->text.max = FN_MAX_RESULT;
    if (s->n > 1) buf_add_str(&s->text, n > 1 ? arg_str(args[1]) : STR(","));
    buf_add_str(&s->text, arg_str(args[0]));
}

static void string_agg_final(sqlite3_context *ctx) {
    struct state *s = sqlite3_aggregate_context(ctx, 0);
    if (!s) return;
    if (s->n) result_buf(ctx, &s->text, true);
    else buf_free(&s->text);
}

/* The value of a scalar subquery: the second row is an error. */
static void one_step(sqlite3_context *ctx, int n, sqlite3_value **args) {
    struct state *s = state_of(ctx);
    (void)n;
    if (!s) return;
    if (s->n++) fail_range(ctx, "More than one element");
    else if (!(s->value = sqlite3_value_dup(args[0]))) sqlite3_result_error_nomem(ctx);
}

static void one_final(sqlite3_context *ctx) {
    struct state *s = sqlite3_aggregate_context(ctx, 0);
    if (!s || !s->value) return;
    if (s->n == 1) sqlite3_result_value(ctx, s->value);
    sqlite3_value_free(s->value);
}

struct aggregate_list fn_aggregates(void) {
    static const struct aggregate rows[] = {
        { "g_sum_i", 1, sum_i_step, sum_i_final },
        { "g_avg_i", 1, sum_i_step, avg_i_final },
        { "g_sum_f", 1, sum_f_step, sum_f_final },
        { "g_avg_f", 1, sum_f_step, avg_f_final },
        { "g_min_f", 1, min_f_step, extreme_final },
        { "g_max_f", 1, max_f_step, extreme_final },
        { "g_variance", 1, variance_step, variance_final },
        { "g_stddev", 1, variance_step, stddev_final },
        { "g_bit_and", 1, bit_and_step, bits_final },
        { "g_bit_or", 1, bit_or_step, bits_final },
        { "g_bit_xor", 1, bit_xor_step, bits_final },
        { "g_string_agg", -1, string_agg_step, string_agg_final },
        { "g_one", 1, one_step, one_final },
    };
    return (struct aggregate_list){ rows, COUNT(rows) };
}
