/* Numbers: integers stay integers and never wrap. Source: Microsoft Learn, "Expression and functions …", math functions. */
#include <math.h>

#include "data/json.h"
#include "pipeline/expr_internal.h"

static enum code overflow(struct expr_call *call) {
    return expr_refuse(call, OUT_OF_RANGE, "the result is out of the range of 64-bit integers");
}

static bool integers(const struct expr_call *call, int64_t *a, int64_t *b) {
    *a = json_integer_value(call->args[0]), *b = json_integer_value(call->args[1]);
    return json_is_integer(call->args[0]) && json_is_integer(call->args[1]);
}

static enum code give_real(struct expr_call *call, double d, json_t **ret) {
    if (!isfinite(d)) return expr_refuse(call, OUT_OF_RANGE, "the result is out of the range of floats");
    return expr_give(call, json_real(d), ret);
}

static double real(const struct expr_call *call, size_t i) {
    return json_number_value(call->args[i]);
}

static enum code run_add(struct expr_call *call, json_t **ret) {
    int64_t a, b, r;
    if (!integers(call, &a, &b)) return give_real(call, real(call, 0) + real(call, 1), ret);
    return __builtin_add_overflow(a, b, &r) ? overflow(call) : expr_give_int(call, r, ret);
}

static enum code run_sub(struct expr_call *call, json_t **ret) {
    int64_t a, b, r;
    if (!integers(call, &a, &b)) return give_real(call, real(call, 0) - real(call, 1), ret);
    return __builtin_sub_overflow(a, b, &r) ? overflow(call) : expr_give_int(call, r, ret);
}

static enum code run_mul(struct expr_call *call, json_t **ret) {
    int64_t a, b, r;
    if (!integers(call, &a, &b)) return give_real(call, real(call, 0) * real(call, 1), ret);
    return __builtin_mul_overflow(a, b, &r) ? overflow(call) : expr_give_int(call, r, ret);
}

static enum code run_div(struct expr_call *call, json_t **ret) {
    int64_t a, b;
    bool whole = integers(call, &a, &b);
    if (whole ? b == 0 : real(call, 1) == 0) return expr_refuse(call, INVALID_ARGUMENT, "the divisor is zero");
    if (!whole) return give_real(call, real(call, 0) / real(call, 1), ret);
    return a == INT64_MIN && b == -1 ? overflow(call) : expr_give_int(call, a / b, ret);
}

static enum code run_mod(struct expr_call *call, json_t **ret) {
    int64_t a, b;
    bool whole = integers(call, &a, &b);
    if (whole ? b == 0 : real(call, 1) == 0) return expr_refuse(call, INVALID_ARGUMENT, "the divisor is zero");
    if (!whole) return give_real(call, fmod(real(call, 0), real(call, 1)), ret);
    return expr_give_int(call, b == -1 ? 0 : a % b, ret); /* INT64_MIN % -1 traps */
}

static bool is_less(const json_t *a, const json_t *b) {
    if (json_is_integer(a) && json_is_integer(b)) return json_integer_value(a) < json_integer_value(b);
    return json_number_value(a) < json_number_value(b);
}

/* Of one array of numbers, or of all arguments. */
static enum code extreme(struct expr_call *call, bool greatest, json_t **ret) {
    bool list = call->n == 1 && json_is_array(call->args[0]);
    size_t n = list ? json_array_size(call->args[0]) : call->n;
    json_t *best = NULL;
    if (n == 0) return expr_refuse(call, INVALID_ARGUMENT, "the array is empty");
    for (size_t i = 0; i < n; i++) {
        json_t *v = list ? json_array_get(call->args[0], i) : call->args[i];
        if (!json_is_number(v))
            return expr_refuse(call, INVALID_ARGUMENT, "a number is expected, not %s", expr_type_name(v));
        if (!best || (greatest ? is_less(best, v) : is_less(v, best))) best = v;
    }
    return expr_give(call, json_incref(best), ret);
}

static enum code run_min(struct expr_call *call, json_t **ret) {
    return extreme(call, false, ret);
}

static enum code run_max(struct expr_call *call, json_t **ret) {
    return extreme(call, true, ret);
}

static enum code run_range(struct expr_call *call, json_t **ret) {
    int64_t start, count, last;
    (void)integers(call, &start, &count);
    if (count < 0) return expr_refuse(call, OUT_OF_RANGE, "the count is negative");
    if (count > EXPR_RESULT_MAX / 4) return expr_refuse(call, OUT_OF_RANGE, "the count is over %d", EXPR_RESULT_MAX / 4);
    if (__builtin_add_overflow(start, count, &last)) return overflow(call);
    enum code rc = expr_charge(call->run, call->node->column, 16 * (size_t)count);
    DEFER(json_freep) json_t *list = json_array();
    for (int64_t i = start; rc == OK && i < last; i++)
        if (json_array_append_new(list, json_integer(i))) return err_oom(call->run->err);
    return rc ? rc : expr_give(call, TAKE(list), ret);
}

const struct expr_function expr_functions_math[] = {
    { "add", "n", 2, 2, run_add, false, 0 },
    { "sub", "n", 2, 2, run_sub, false, 0 },
    { "mul", "n", 2, 2, run_mul, false, 0 },
    { "div", "n", 2, 2, run_div, false, 0 },
    { "mod", "n", 2, 2, run_mod, false, 0 },
    { "min", "*", 1, EXPR_ARGUMENTS_MAX, run_min, false, 0 },
    { "max", "*", 1, EXPR_ARGUMENTS_MAX, run_max, false, 0 },
    { "range", "i", 2, 2, run_range, true, 0 },
    { 0 },
};
