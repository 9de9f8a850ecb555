/* Arrays, objects, and strings as collections. Source: Microsoft Learn, "Expression and functions …", collection functions.
 */
#include "data/json.h"
#include "pipeline/expr_internal.h"
#include "pipeline/expr_utf16.h"

static enum code run_length(struct expr_call *call, json_t **ret) {
    const json_t *v = call->args[0];
    return expr_give_int(call, (int64_t)(json_is_string(v) ? utf16_length(expr_arg(call, 0)) : json_array_size(v)), ret);
}

static enum code run_empty(struct expr_call *call, json_t **ret) {
    const json_t *v = call->args[0];
    return expr_give_bool(call, json_string_length(v) + json_array_size(v) + json_object_size(v) == 0, ret);
}

static enum code has_element(struct expr_call *call, const json_t *list, const json_t *value, bool *ret) {
    *ret = false;
    for (size_t i = 0; i < json_array_size(list) && !*ret; i++) {
        enum code rc = expr_equal(call, json_array_get(list, i), value, ret);
        if (rc) return rc;
    }
    return OK;
}

static enum code run_contains(struct expr_call *call, json_t **ret) {
    const json_t *in = call->args[0], *what = call->args[1];
    bool found = false;
    if (json_is_array(in)) {
        enum code rc = has_element(call, in, what, &found);
        return rc ? rc : expr_give_bool(call, found, ret);
    }
    if (!json_is_string(what) && !json_is_null(in))
        return expr_refuse(call, INVALID_ARGUMENT, "a string is expected as argument 2, not %s", expr_type_name(what));
    struct str text = json_text_of(what);
    if (json_is_string(in)) found = text.n == 0 || str_find(expr_arg(call, 0), text) >= 0;
    if (json_is_object(in)) found = json_object_getn(in, text.n ? text.p : "", text.n) != NULL;
    return expr_give_bool(call, found, ret);
}

/* One character of a string, as .NET would give it: a pair stays whole. */
static enum code edge_of_text(struct expr_call *call, bool last, json_t **ret) {
    struct str s = expr_arg(call, 0);
    size_t from = 0, to = s.n ? 1 : 0;
    if (last && s.n) from = s.n - 1, to = s.n;
    while (from > 0 && (s.p[from] & 0xc0) == 0x80) from--;
    while (to < s.n && (s.p[to] & 0xc0) == 0x80) to++;
    return expr_give_str(call, (struct str){ s.p + from, to - from }, ret);
}

static enum code edge(struct expr_call *call, bool last, json_t **ret) {
    const json_t *list = call->args[0];
    if (json_is_string(list)) return edge_of_text(call, last, ret);
    size_t n = json_array_size(list);
    json_t *element = n ? json_array_get(list, last ? n - 1 : 0) : json_null();
    return expr_give(call, json_incref(element), ret);
}

static enum code run_first(struct expr_call *call, json_t **ret) {
    return edge(call, false, ret);
}

static enum code run_last(struct expr_call *call, json_t **ret) {
    return edge(call, true, ret);
}

static enum code slice(struct expr_call *call, size_t from, size_t to, json_t **ret) {
    DEFER(json_freep) json_t *list = json_array();
    for (size_t i = from; i < to; i++)
        if (json_array_append(list, json_array_get(call->args[0], i))) return err_oom(call->run->err);
    return expr_give(call, TAKE(list), ret);
}

static enum code cut(struct expr_call *call, bool keep_head, json_t **ret) {
    int64_t count = json_integer_value(call->args[1]);
    if (count < 0) return expr_refuse(call, OUT_OF_RANGE, "the count is negative");
    if (json_is_array(call->args[0])) {
        size_t n = json_array_size(call->args[0]), at = (uint64_t)count < n ? (size_t)count : n;
        return keep_head ? slice(call, 0, at, ret) : slice(call, at, n, ret);
    }
    struct str text = expr_arg(call, 0);
    size_t at = text.n;
    if ((uint64_t)count < utf16_length(text) && !utf16_offset(text, (uint64_t)count, &at))
        return expr_refuse(call, INVALID_ARGUMENT, "the part would cut a character in two");
    return expr_give_str(call, keep_head ? str_upto(text, at) : str_from(text, at), ret);
}

static enum code run_skip(struct expr_call *call, json_t **ret) {
    return cut(call, false, ret);
}

static enum code run_take(struct expr_call *call, json_t **ret) {
    return cut(call, true, ret);
}

/* All arguments are arrays, or all are objects. */
static enum code check_same(struct expr_call *call) {
    for (size_t i = 1; i < call->n; i++)
        if (json_typeof(call->args[i]) != json_typeof(call->args[0]))
            return expr_refuse(call, INVALID_ARGUMENT, "argument %zu is %s, but argument 1 is %s", i + 1,
                               expr_type_name(call->args[i]), expr_type_name(call->args[0]));
    return OK;
}

/* Adds what the list has not yet. */
static enum code add_distinct(struct expr_call *call, json_t *list, json_t *value) {
    bool there;
    enum code rc = has_element(call, list, value, &there);
    if (rc || there) return rc;
    return json_array_append(list, value) ? err_oom(call->run->err) : OK;
}

static enum code run_union(struct expr_call *call, json_t **ret) {
    enum code rc = check_same(call);
    DEFER(json_freep) json_t *all = json_is_array(call->args[0]) ? json_array() : json_object();
    for (size_t i = 0; rc == OK && i < call->n; i++) {
        rc = expr_charge(call->run, call->node->column, json_object_size(call->args[i]));
        if (rc == OK && json_is_object(all) && json_object_update(all, call->args[i])) return err_oom(call->run->err);
        for (size_t k = 0; rc == OK && k < json_array_size(call->args[i]); k++)
            rc = add_distinct(call, all, json_array_get(call->args[i], k));
    }
    return rc ? rc : expr_give(call, TAKE(all), ret);
}

static enum code in_all(struct expr_call *call, const json_t *value, bool *ret) {
    enum code rc = OK;
    *ret = true;
    for (size_t i = 1; rc == OK && *ret && i < call->n; i++) rc = has_element(call, call->args[i], value, ret);
    return rc;
}

static enum code intersect_arrays(struct expr_call *call, json_t *all) {
    enum code rc = OK;
    for (size_t k = 0; rc == OK && k < json_array_size(call->args[0]); k++) {
        bool in;
        json_t *value = json_array_get(call->args[0], k);
        rc = in_all(call, value, &in);
        if (rc == OK && in) rc = add_distinct(call, all, value);
    }
    return rc;
}

/* The members that all objects have, with the same value. */
static enum code intersect_objects(struct expr_call *call, json_t *all) {
    const char *key;
    size_t n;
    json_t *member;
    json_object_keylen_foreach(call->args[0], key, n, member) {
        bool same = true;
        for (size_t i = 1; same && i < call->n; i++) {
            const json_t *other = json_object_getn(call->args[i], key, n);
            enum code rc = other ? expr_equal(call, member, other, &same) : OK;
            if (rc) return rc;
            same = same && other;
        }
        if (same && json_object_setn(all, key, n, member)) return err_oom(call->run->err);
    }
    return OK;
}

static enum code run_intersection(struct expr_call *call, json_t **ret) {
    enum code rc = check_same(call);
    DEFER(json_freep) json_t *all = json_is_array(call->args[0]) ? json_array() : json_object();
    if (rc == OK) rc = json_is_array(all) ? intersect_arrays(call, all) : intersect_objects(call, all);
    return rc ? rc : expr_give(call, TAKE(all), ret);
}

static enum code run_create_array(struct expr_call *call, json_t **ret) {
    DEFER(json_freep) json_t *list = json_array();
    for (size_t i = 0; i < call->n; i++)
        if (json_array_append(list, call->args[i])) return err_oom(call->run->err);
    return expr_give(call, TAKE(list), ret);
}

const struct expr_function expr_functions_collection[] = {
    { "length", "c", 1, 1, run_length, false, 0 },
    { "empty", "C", 1, 1, run_empty, false, 0 },
    { "contains", "C*", 2, 2, run_contains, false, 0 },
    { "first", "c", 1, 1, run_first, false, 0 },
    { "last", "c", 1, 1, run_last, false, 0 },
    { "skip", "ci", 2, 2, run_skip, true, 0 },
    { "take", "ci", 2, 2, run_take, true, 0 },
    { "union", "A", 2, EXPR_ARGUMENTS_MAX, run_union, true, 0 },
    { "intersection", "A", 2, EXPR_ARGUMENTS_MAX, run_intersection, true, 0 },
    { "createArray", "*", 1, EXPR_ARGUMENTS_MAX, run_create_array, true, 0 },
    { "array", "*", 1, 1, run_create_array, true, 0 },
    { 0 },
};
