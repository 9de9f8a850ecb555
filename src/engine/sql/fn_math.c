/* fn_math.c: arithmetic: overflow and division by zero are errors, NaN is kept. */
#include <math.h>
#include "engine/sql/fn.h"

#define INT_OP(name, builtin)                                                                                              \
    static void name(sqlite3_context *ctx, int n, sqlite3_value **args) {                                                  \
        long long r;                                                                                                       \
        (void)n;                                                                                                           \
        if (builtin(sqlite3_value_int64(args[0]), sqlite3_value_int64(args[1]), &r)) fail_range(ctx, "int64 overflow");    \
        else sqlite3_result_int64(ctx, r);                                                                                 \
    }                                                                                                                      \
    static void safe_##name(sqlite3_context *ctx, int n, sqlite3_value **args) {                                           \
        long long r;                                                                                                       \
        (void)n;                                                                                                           \
        if (!builtin(sqlite3_value_int64(args[0]), sqlite3_value_int64(args[1]), &r)) sqlite3_result_int64(ctx, r);        \
    }
INT_OP(add_i, __builtin_saddll_overflow)
INT_OP(sub_i, __builtin_ssubll_overflow)
INT_OP(mul_i, __builtin_smulll_overflow)

/* Finite operands must give a finite result. */
static void result_checked(sqlite3_context *ctx, double a, double b, double r) {
    if (!isfinite(r) && isfinite(a) && isfinite(b)) fail_range(ctx, "double overflow");
    else result_float(ctx, r);
}

#define FLOAT_OP(name, op)                                                                                                 \
    static void name(sqlite3_context *ctx, int n, sqlite3_value **args) {                                                  \
        double a = arg_float(args[0]), b = arg_float(args[1]);                                                             \
        (void)n;                                                                                                           \
        result_checked(ctx, a, b, a op b);                                                                                 \
    }
FLOAT_OP(add_f, +)
FLOAT_OP(sub_f, -)
FLOAT_OP(mul_f, *)

static void div_f(sqlite3_context *ctx, int n, sqlite3_value **args) {
    double a = arg_float(args[0]), b = arg_float(args[1]);
    (void)n;
    if (b == 0) fail_range(ctx, "division by zero");
    else result_checked(ctx, a, b, a / b);
}

static void safe_divide(sqlite3_context *ctx, int n, sqlite3_value **args) {
    double a = arg_float(args[0]), b = arg_float(args[1]);
    (void)n;
    if (b == 0 || (!isfinite(a / b) && isfinite(a) && isfinite(b))) sqlite3_result_null(ctx);
    else result_float(ctx, a / b);
}

static void ieee_divide(sqlite3_context *ctx, int n, sqlite3_value **args) {
    double a = arg_float(args[0]), b = arg_float(args[1]);
    (void)n;
    if (b == 0) result_float(ctx, a == 0 || isnan(a) ? NAN : signbit(a) == signbit(b) ? INFINITY : -INFINITY);
    else result_float(ctx, a / b);
}

static void neg_i(sqlite3_context *ctx, int n, sqlite3_value **args) {
    int64_t a = sqlite3_value_int64(args[0]);
    (void)n;
    if (a == INT64_MIN) fail_range(ctx, "int64 overflow");
    else sqlite3_result_int64(ctx, -a);
}

static void abs_i(sqlite3_context *ctx, int n, sqlite3_value **args) {
    if (sqlite3_value_int64(args[0]) < 0) neg_i(ctx, n, args);
    else sqlite3_result_int64(ctx, sqlite3_value_int64(args[0]));
}

static void sign_i(sqlite3_context *ctx, int n, sqlite3_value **args) {
    int64_t a = sqlite3_value_int64(args[0]);
    (void)n;
    sqlite3_result_int64(ctx, (a > 0) - (a < 0));
}

static void sign_f(sqlite3_context *ctx, int n, sqlite3_value **args) {
    double a = arg_float(args[0]);
    (void)n;
    result_float(ctx, isnan(a) ? a : (double)((a > 0) - (a < 0)));
}

static void mod_i(sqlite3_context *ctx, int n, sqlite3_value **args) {
    int64_t a = sqlite3_value_int64(args[0]), b = sqlite3_value_int64(args[1]);
    (void)n;
    if (b == 0) fail_range(ctx, "division by zero");
    else sqlite3_result_int64(ctx, b == -1 ? 0 : a % b);
}

static void div_i(sqlite3_context *ctx, int n, sqlite3_value **args) {
    int64_t a = sqlite3_value_int64(args[0]), b = sqlite3_value_int64(args[1]);
    (void)n;
    if (b == 0) fail_range(ctx, "division by zero");
    else if (b == -1 && a == INT64_MIN) fail_range(ctx, "int64 overflow");
    else sqlite3_result_int64(ctx, a / b);
}

static void shift(sqlite3_context *ctx, sqlite3_value **args, bool left) {
    uint64_t a = (uint64_t)sqlite3_value_int64(args[0]);
    int64_t by = sqlite3_value_int64(args[1]);
    if (by < 0) fail_range(ctx, "Bitwise binary shift operators should have a non-negative shift count");
    else sqlite3_result_int64(ctx, by > 63 ? 0 : (int64_t)(left ? a << by : a >> by));
}

static void shl(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    shift(ctx, args, true);
}

static void shr(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    shift(ctx, args, false);
}

static void xor_i(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    sqlite3_result_int64(ctx, sqlite3_value_int64(args[0]) ^ sqlite3_value_int64(args[1]));
}

static double negated(double a) {
    return -a;
}

#define FLOAT_FN(name, fn)                                                                                                 \
    static void name(sqlite3_context *ctx, int n, sqlite3_value **args) {                                                  \
        (void)n;                                                                                                           \
        result_float(ctx, fn(arg_float(args[0])));                                                                         \
    }
FLOAT_FN(neg_f, negated)
FLOAT_FN(abs_f, fabs)
FLOAT_FN(round_f, round)
FLOAT_FN(trunc_f, trunc)
FLOAT_FN(ceil_f, ceil)
FLOAT_FN(floor_f, floor)

/* To `digits` behind the point: scaled, rounded, scaled back. */
static void round_to(sqlite3_context *ctx, int n, sqlite3_value **args) {
    double a = arg_float(args[0]);
    int64_t digits = sqlite3_value_int64(args[1]);
    (void)n;
    double factor = pow(10, (double)(digits < 0 ? -digits : digits));
    bool whole = digits >= 0 && !(fabs(a * factor) < 0x1p52); /* no digit there to round */
    if (!isfinite(a) || whole) {
        result_float(ctx, a);
        return;
    }
    double r = digits >= 0 ? round(a * factor) / factor : isfinite(factor) ? round(a / factor) * factor : 0;
    result_checked(ctx, a, a, r);
}

/* A finite argument that has no finite answer is an error. */
#define CHECKED_FN(name, fn, shown)                                                                                        \
    static void name(sqlite3_context *ctx, int n, sqlite3_value **args) {                                                  \
        double a = arg_float(args[0]), r = fn(a);                                                                          \
        (void)n;                                                                                                           \
        if (!isfinite(r) && isfinite(a)) fail_range(ctx, "Floating point error in function: " shown);                      \
        else result_float(ctx, r);                                                                                         \
    }
CHECKED_FN(exp_f, exp, "EXP")

/* Of a negative infinity too: NaN where the argument was none. */
static void logarithm(sqlite3_context *ctx, double a, double r, const char *message) {
    if (isnan(a)) result_float(ctx, a);
    else if (a <= 0) fail_range(ctx, message);
    else result_float(ctx, r);
}

static void ln_f(sqlite3_context *ctx, int n, sqlite3_value **args) {
    double a = arg_float(args[0]);
    (void)n;
    logarithm(ctx, a, log(a), "Floating point error in function: LN");
}

static void log_f(sqlite3_context *ctx, int n, sqlite3_value **args) {
    double a = arg_float(args[0]), base = arg_float(args[1]);
    (void)n;
    bool bad = a <= 0 || base <= 0 || base == 1 || (isinf(a) && isinf(base));
    if (isnan(a) || isnan(base)) result_float(ctx, NAN);
    else if (bad) fail_range(ctx, "Floating point error in function: LOG");
    else result_float(ctx, log(a) / log(base));
}

static void log10_f(sqlite3_context *ctx, int n, sqlite3_value **args) {
    double a = arg_float(args[0]);
    (void)n;
    logarithm(ctx, a, log10(a), "Floating point error in function: LOG10");
}

static void sqrt_f(sqlite3_context *ctx, int n, sqlite3_value **args) {
    double a = arg_float(args[0]);
    (void)n;
    if (a < 0) fail_range(ctx, "Argument to SQRT cannot be negative");
    else result_float(ctx, sqrt(a));
}

static void pow_f(sqlite3_context *ctx, int n, sqlite3_value **args) {
    double a = arg_float(args[0]), b = arg_float(args[1]), r = pow(a, b);
    (void)n;
    if (!isfinite(r) && isfinite(a) && isfinite(b)) fail_range(ctx, "Floating point error in function: POW");
    else result_float(ctx, r);
}

static void is_nan(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    sqlite3_result_int(ctx, isnan(arg_float(args[0])));
}

static void is_inf(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    sqlite3_result_int(ctx, isinf(arg_float(args[0])) != 0);
}

static void lt(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    sqlite3_result_int(ctx, arg_float(args[0]) < arg_float(args[1]));
}

static void le(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    sqlite3_result_int(ctx, arg_float(args[0]) <= arg_float(args[1]));
}

/* A NaN becomes what no FLOAT64 is, so that it equals nothing. */
static void not_nan(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    if (sqlite3_value_type(args[0]) == SQLITE_TEXT) sqlite3_result_zeroblob(ctx, 0);
    else sqlite3_result_value(ctx, args[0]);
}

static void extreme_f(sqlite3_context *ctx, int n, sqlite3_value **args, bool greatest) {
    double best = arg_float(args[0]);
    for (int i = 1; i < n; i++) {
        double f = arg_float(args[i]);
        if (isnan(f) || isnan(best)) best = NAN;
        else if (greatest ? f > best : f < best) best = f;
    }
    result_float(ctx, best);
}

static void greatest_f(sqlite3_context *ctx, int n, sqlite3_value **args) {
    extreme_f(ctx, n, args, true);
}

static void least_f(sqlite3_context *ctx, int n, sqlite3_value **args) {
    extreme_f(ctx, n, args, false);
}

/* LIMIT and OFFSET by parameter. */
static void limit(sqlite3_context *ctx, int n, sqlite3_value **args) {
    (void)n;
    if (sqlite3_value_type(args[0]) == SQLITE_NULL) fail(ctx, INVALID_ARGUMENT, "LIMIT and OFFSET must not be NULL");
    else if (sqlite3_value_int64(args[0]) < 0) fail(ctx, INVALID_ARGUMENT, "LIMIT and OFFSET must not be negative");
    else sqlite3_result_int64(ctx, sqlite3_value_int64(args[0]));
}

struct fn_list fn_math(void) {
    static const struct fn rows[] = {
        { .name = "g_add_i", .args = 2, .run = add_i },
        { .name = "g_sub_i", .args = 2, .run = sub_i },
        { .name = "g_mul_i", .args = 2, .run = mul_i },
        { .name = "g_safe_add", .args = 2, .run = safe_add_i },
        { .name = "g_safe_sub", .args = 2, .run = safe_sub_i },
        { .name = "g_safe_mul", .args = 2, .run = safe_mul_i },
        { .name = "g_add_f", .args = 2, .run = add_f },
        { .name = "g_sub_f", .args = 2, .run = sub_f },
        { .name = "g_mul_f", .args = 2, .run = mul_f },
        { .name = "g_div_f", .args = 2, .run = div_f },
        { .name = "g_safe_divide", .args = 2, .run = safe_divide },
        { .name = "g_ieee_divide", .args = 2, .run = ieee_divide },
        { .name = "g_neg_i", .args = 1, .run = neg_i },
        { .name = "g_neg_f", .args = 1, .run = neg_f },
        { .name = "g_abs_i", .args = 1, .run = abs_i },
        { .name = "g_abs_f", .args = 1, .run = abs_f },
        { .name = "g_sign_i", .args = 1, .run = sign_i },
        { .name = "g_sign_f", .args = 1, .run = sign_f },
        { .name = "g_mod", .args = 2, .run = mod_i },
        { .name = "g_div_i", .args = 2, .run = div_i },
        { .name = "g_shl", .args = 2, .run = shl },
        { .name = "g_shr", .args = 2, .run = shr },
        { .name = "g_xor", .args = 2, .run = xor_i },
        { .name = "g_round", .args = 1, .run = round_f },
        { .name = "g_trunc", .args = 1, .run = trunc_f },
        { .name = "g_round_to", .args = 2, .run = round_to },
        { .name = "g_log", .args = 2, .run = log_f },
        { .name = "g_ceil", .args = 1, .run = ceil_f },
        { .name = "g_floor", .args = 1, .run = floor_f },
        { .name = "g_sqrt", .args = 1, .run = sqrt_f },
        { .name = "g_pow", .args = 2, .run = pow_f },
        { .name = "g_exp", .args = 1, .run = exp_f },
        { .name = "g_ln", .args = 1, .run = ln_f },
        { .name = "g_log10", .args = 1, .run = log10_f },
        { .name = "g_is_nan", .args = 1, .run = is_nan },
        { .name = "g_is_inf", .args = 1, .run = is_inf },
        { .name = "g_lt", .args = 2, .run = lt },
        { .name = "g_le", .args = 2, .run = le },
        { .name = "g_nan", .args = 1, .run = not_nan },
        { .name = "g_greatest_f", .args = -1, .run = greatest_f },
        { .name = "g_least_f", .args = -1, .run = least_f },
        { .name = "g_limit", .args = 1, .run = limit, .nulls = true },
    };
    return (struct fn_list){ rows, COUNT(rows) };
}
