/* Comparisons and Booleans. Source: Microsoft Learn, "Expression and functions …", logical functions. */
#include "data/json.h"
#include "pipeline/expr_internal.h"

static enum code run_equals(struct expr_call *call, json_t **ret) {
    bool same;
    enum code rc = expr_equal(call, call->args[0], call->args[1], &same);
    return rc ? rc : expr_give_bool(call, same, ret);
}

static int number_order(const json_t *a, const json_t *b) {
    if (json_is_integer(a) && json_is_integer(b)) {
        json_int_t x = json_integer_value(a), y = json_integer_value(b);
        return (x > y) - (x < y);
    }
    double x = json_number_value(a), y = json_number_value(b);
    return (x > y) - (x < y);
}

/* Numbers with numbers, strings with strings (by code point), Booleans with Booleans. */
static enum code order(struct expr_call *call, int *ret) {
    const json_t *a = call->args[0], *b = call->args[1];
    if (json_is_number(a) && json_is_number(b)) *ret = number_order(a, b);
    else if (json_is_string(a) && json_is_string(b)) *ret = str_cmp(json_text_of(a), json_text_of(b));
    else if (json_is_boolean(a) && json_is_boolean(b)) *ret = (int)json_is_true(a) - (int)json_is_true(b);
    else return expr_refuse(call, INVALID_ARGUMENT, "%s and %s cannot be compared", expr_type_name(a), expr_type_name(b));
    return OK;
}

static enum code run_greater(struct expr_call *call, json_t **ret) {
    int o;
    enum code rc = order(call, &o);
    return rc ? rc : expr_give_bool(call, o > 0, ret);
}

static enum code run_greater_or_equals(struct expr_call *call, json_t **ret) {
    int o;
    enum code rc = order(call, &o);
    return rc ? rc : expr_give_bool(call, o >= 0, ret);
}

static enum code run_less(struct expr_call *call, json_t **ret) {
    int o;
    enum code rc = order(call, &o);
    return rc ? rc : expr_give_bool(call, o < 0, ret);
}

static enum code run_less_or_equals(struct expr_call *call, json_t **ret) {
    int o;
    enum code rc = order(call, &o);
    return rc ? rc : expr_give_bool(call, o <= 0, ret);
}

static enum code run_and(struct expr_call *call, json_t **ret) {
    bool all = true;
    for (size_t i = 0; i < call->n; i++) all = all && json_is_true(call->args[i]);
    return expr_give_bool(call, all, ret);
}

static enum code run_or(struct expr_call *call, json_t **ret) {
    bool any = false;
    for (size_t i = 0; i < call->n; i++) any = any || json_is_true(call->args[i]);
    return expr_give_bool(call, any, ret);
}

static enum code run_not(struct expr_call *call, json_t **ret) {
    return expr_give_bool(call, !json_is_true(call->args[0]), ret);
}

static enum code run_coalesce(struct expr_call *call, json_t **ret) {
    size_t i = 0;
    while (i + 1 < call->n && json_is_null(call->args[i])) i++;
    return expr_give(call, json_incref(call->args[i]), ret);
}

const struct expr_function expr_functions_logic[] = {
    { "equals", "*", 2, 2, run_equals, false, 0 },
    { "greater", "v", 2, 2, run_greater, false, 0 },
    { "greaterOrEquals", "v", 2, 2, run_greater_or_equals, false, 0 },
    { "less", "v", 2, 2, run_less, false, 0 },
    { "lessOrEquals", "v", 2, 2, run_less_or_equals, false, 0 },
    { "and", "b", 2, EXPR_ARGUMENTS_MAX, run_and, false, 0 },
    { "or", "b", 2, EXPR_ARGUMENTS_MAX, run_or, false, 0 },
    { "not", "b", 1, 1, run_not, false, 0 },
    { "if", "b**", 3, 3, NULL, false, 0 },
    { "coalesce", "*", 1, EXPR_ARGUMENTS_MAX, run_coalesce, false, 0 },
    { 0 },
};
