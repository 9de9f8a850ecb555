/* From one type to another. Source: Microsoft Learn, "Expression and functions …", conversion functions. */
#include <math.h>
#include <stdlib.h>

#include "base/enc.h"
#include "data/json.h"
#include "pipeline/expr_internal.h"
#include "wire/url.h"

static enum code run_string(struct expr_call *call, json_t **ret) {
    DEFER(buf_free) struct buf out = BUF_INIT(EXPR_RESULT_MAX);
    enum code rc = expr_add_text(call->run, call->node->column, call->args[0], &out);
    return rc ? rc : expr_give_buf(call, &out, ret);
}

/* Any JSON value: the strict reader takes an array or object only, so the text is read as the only element of one. */
static enum code run_json(struct expr_call *call, json_t **ret) {
    DEFER(buf_free) struct buf text = BUF_INIT(EXPR_RESULT_MAX + 2);
    DEFER(json_freep) json_t *list = NULL;
    buf_add_char(&text, '[');
    buf_add_str(&text, expr_arg(call, 0));
    buf_add_char(&text, ']');
    struct err err;
    enum code rc = expr_charge(call->run, call->node->column, text.n);
    if (rc) return rc;
    rc = buf_ok(&text) ? json_read(buf_str(&text), text.max, EXPR_DEPTH_MAX + 1, &list, &err) : err_oom(&err);
    if (rc == RESOURCE_EXHAUSTED) return err_oom(call->run->err);
    if (rc) return expr_refuse(call, INVALID_ARGUMENT, "%s", err.message);
    if (json_array_size(list) != 1) return expr_refuse(call, INVALID_ARGUMENT, "not one JSON value");
    return expr_give(call, json_incref(json_array_get(list, 0)), ret);
}

static enum code run_int(struct expr_call *call, json_t **ret) {
    const json_t *v = call->args[0];
    int64_t i;
    if (json_is_integer(v)) return expr_give(call, json_incref(call->args[0]), ret);
    if (json_is_boolean(v)) return expr_give_int(call, json_is_true(v), ret);
    if (json_is_string(v)) {
        struct str text = str_trim(expr_arg(call, 0));
        if (str_starts(text, STR("+")) && text.n > 1 && text.p[1] != '-') text = str_from(text, 1);
        if (!str_i64(text, &i)) return expr_refuse(call, INVALID_ARGUMENT, "the string is no integer of 64 bits");
        return expr_give_int(call, i, ret);
    }
    double d = json_real_value(v);
    if (d != trunc(d) || d < -0x1p63 || d >= 0x1p63)
        return expr_refuse(call, INVALID_ARGUMENT, "the float is no integer of 64 bits");
    return expr_give_int(call, (int64_t)d, ret);
}

/* JSON's numbers, also with a '+' and without digits on one side of the point. */
static bool read_real(struct str s, double *ret) {
    char text[64], *end;
    s = str_trim(s);
    if (s.n == 0 || s.n >= sizeof text) return false;
    for (size_t i = 0; i < s.n; i++)
        if (!strchr("0123456789+-.eE", s.p[i])) return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    *ret = strtod(text, &end);
    return *end == '\0' && isfinite(*ret);
}

static enum code run_float(struct expr_call *call, json_t **ret) {
    double d = json_number_value(call->args[0]);
    if (json_is_boolean(call->args[0])) return expr_refuse(call, INVALID_ARGUMENT, "a Boolean is no number");
    if (json_is_string(call->args[0]) && !read_real(expr_arg(call, 0), &d))
        return expr_refuse(call, INVALID_ARGUMENT, "the string is no number");
    return expr_give(call, json_real(d), ret);
}

static enum code run_bool(struct expr_call *call, json_t **ret) {
    const json_t *v = call->args[0];
    if (json_is_boolean(v)) return expr_give(call, json_incref(call->args[0]), ret);
    if (json_is_number(v)) return expr_give_bool(call, json_number_value(v) != 0, ret);
    struct str text = str_trim(expr_arg(call, 0));
    bool yes = str_eq_nocase(text, STR("true"));
    if (!yes && !str_eq_nocase(text, STR("false")))
        return expr_refuse(call, INVALID_ARGUMENT, "the string is neither true nor false");
    return expr_give_bool(call, yes, ret);
}

static enum code run_base64(struct expr_call *call, json_t **ret) {
    DEFER(buf_free) struct buf out = BUF_INIT(EXPR_RESULT_MAX);
    enc_base64(&out, expr_arg(call, 0));
    return expr_give_buf(call, &out, ret);
}

static enum code run_base64_to_string(struct expr_call *call, json_t **ret) {
    DEFER(arena_freep) struct arena *arena = arena_new(2 * EXPR_RESULT_MAX);
    struct str text;
    if (!arena) return err_oom(call->run->err);
    if (!dec_base64(arena, expr_arg(call, 0), &text)) return expr_refuse(call, INVALID_ARGUMENT, "the text is no base64");
    if (!utf8_valid(text)) return expr_refuse(call, INVALID_ARGUMENT, "the bytes are no UTF-8");
    return expr_give_str(call, text, ret);
}

static enum code run_uri_component(struct expr_call *call, json_t **ret) {
    DEFER(buf_free) struct buf out = BUF_INIT(EXPR_RESULT_MAX);
    url_encode(&out, expr_arg(call, 0));
    return expr_give_buf(call, &out, ret);
}

static enum code run_uri_component_to_string(struct expr_call *call, json_t **ret) {
    DEFER(arena_freep) struct arena *arena = arena_new(2 * EXPR_RESULT_MAX);
    struct str text;
    struct err err;
    if (!arena) return err_oom(call->run->err);
    enum code rc = url_decode(arena, expr_arg(call, 0), &text, &err);
    if (rc == RESOURCE_EXHAUSTED) return err_oom(call->run->err);
    return rc ? expr_refuse(call, INVALID_ARGUMENT, "the text has a %% that is no escape, or its bytes are no UTF-8")
              : expr_give_str(call, text, ret);
}

const struct expr_function expr_functions_convert[] = {
    { "string", "*", 1, 1, run_string, false, 0 },
    { "json", "s", 1, 1, run_json, true, 0 },
    { "int", "v", 1, 1, run_int, false, 0 },
    { "float", "v", 1, 1, run_float, false, 0 },
    { "bool", "v", 1, 1, run_bool, false, 0 },
    { "base64", "s", 1, 1, run_base64, false, 0 },
    { "base64ToString", "s", 1, 1, run_base64_to_string, false, 0 },
    { "uriComponent", "s", 1, 1, run_uri_component, false, 0 },
    { "uriComponentToString", "s", 1, 1, run_uri_component_to_string, false, 0 },
    { 0 },
};
