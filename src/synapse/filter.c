/* filter.c: RunFilterParameters: which runs, or activity runs, in which order. Strict: unknown keys and words are named. */
#include "base/clock.h"
#include "data/json.h"
#include "synapse/synapse_priv.h"

enum { CONTINUATION_MAX = 4096, VALUE_MAX = 512 };

static bool only_keys(const json_t *object, const char *const *known, struct str *ret_unknown) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        size_t i = 0;
        while (known[i] && !str_eq_z(str_z(key), known[i])) i++;
        if (known[i]) continue;
        *ret_unknown = str_upto(str_z(key), 100);
        return false;
    }
    return true;
}

/* Inclusive at both ends: what is finer than a microsecond is rounded outwards. */
static enum code read_time(const json_t *body, const char *key, bool up, int64_t *ret, struct err *err) {
    struct str text;
    int64_t seconds;
    int32_t nanos;
    if (!json_member_str(body, key, &text)) return err_set(err, INVALID_ARGUMENT, "%s is missing, or no text", key);
    if (!clock_parse_rfc3339(text, &seconds, &nanos))
        return err_set(err, INVALID_ARGUMENT, "%s is no time such as 2026-01-31T00:00:00Z", key);
    *ret = seconds * 1000000 + (nanos + (up ? 999 : 0)) / 1000;
    if (*ret < 1) *ret = 1; /* 0 would be open */
    return OK;
}

static enum code read_values(const json_t *list, size_t at, struct arena *arena, struct run_filter *f, struct err *err) {
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n == 0 || n > RUN_QUERY_MAX_VALUES)
        return err_set(err, INVALID_ARGUMENT, "filters[%zu].values must be a list of 1 to %d texts", at,
                       RUN_QUERY_MAX_VALUES);
    bool many = f->op == FILTER_IN || f->op == FILTER_NOT_IN;
    if (!many && n != 1)
        return err_set(err, INVALID_ARGUMENT, "filters[%zu].values must hold one text for this operator", at);
    struct str *values = ARENA_ARRAY(arena, struct str, n);
    if (!values) return err_oom(err);
    for (size_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(list, i);
        if (!json_is_string(value) || json_string_length(value) > VALUE_MAX)
            return err_set(err, INVALID_ARGUMENT, "filters[%zu].values[%zu] must be a text of at most %d bytes", at, i,
                           VALUE_MAX);
        values[i] = str_dup(arena, json_text_of(value));
        if (!values[i].p) return err_oom(err);
    }
    f->values = values;
    f->n_values = n;
    return OK;
}

static enum code read_filter(const json_t *item, size_t at, struct arena *arena, struct run_filter *ret, struct err *err) {
    static const char *const known[] = { "operand", "operator", "values", NULL };
    struct str operand, operator, unknown;
    if (!json_is_object(item)) return err_set(err, INVALID_ARGUMENT, "filters[%zu] must be an object", at);
    if (!only_keys(item, known, &unknown))
        return err_set(err, INVALID_ARGUMENT, "filters[%zu] has an unknown key: %.*s", at, STR_ARG(unknown));
    if (!json_member_str(item, "operand", &operand) || !pipeline_run_field_read(operand, &ret->field))
        return err_set(err, INVALID_ARGUMENT, "filters[%zu].operand is none such as PipelineName or Status", at);
    if (!json_member_str(item, "operator", &operator) || !pipeline_filter_operator_read(operator, & ret->op))
        return err_set(err, INVALID_ARGUMENT, "filters[%zu].operator is none of Equals, NotEquals, In, NotIn", at);
    return read_values(json_object_get(item, "values"), at, arena, ret, err);
}

static enum code read_order(const json_t *item, size_t at, struct run_order *ret, struct err *err) {
    static const char *const known[] = { "orderBy", "order", NULL };
    struct str by, order, unknown;
    if (!json_is_object(item)) return err_set(err, INVALID_ARGUMENT, "orderBy[%zu] must be an object", at);
    if (!only_keys(item, known, &unknown))
        return err_set(err, INVALID_ARGUMENT, "orderBy[%zu] has an unknown key: %.*s", at, STR_ARG(unknown));
    if (!json_member_str(item, "orderBy", &by) || !pipeline_run_field_read(by, &ret->field))
        return err_set(err, INVALID_ARGUMENT, "orderBy[%zu].orderBy is none such as RunStart or Status", at);
    bool has = json_member_str(item, "order", &order);
    ret->descending = has && str_eq_nocase(order, STR("desc"));
    if (!has || (!ret->descending && !str_eq_nocase(order, STR("asc"))))
        return err_set(err, INVALID_ARGUMENT, "orderBy[%zu].order must be ASC or DESC", at);
    return OK;
}

/* A list that may be absent or null. */
static enum code list_of(const json_t *body, const char *key, size_t max, const json_t **ret, struct err *err) {
    const json_t *list = json_object_get(body, key);
    *ret = NULL;
    if (!list || json_is_null(list)) return OK;
    if (!json_is_array(list) || json_array_size(list) > max)
        return err_set(err, INVALID_ARGUMENT, "%s must be a list of at most %zu", key, max);
    *ret = list;
    return OK;
}

static enum code read_filters(const json_t *body, struct arena *arena, struct run_query *ret, struct err *err) {
    const json_t *list;
    enum code rc = list_of(body, "filters", RUN_QUERY_MAX_FILTERS, &list, err);
    size_t n = json_array_size(list);
    struct run_filter *filters = ARENA_ARRAY(arena, struct run_filter, n + 1);
    if (!rc && !filters) rc = err_oom(err);
    for (size_t i = 0; !rc && i < n; i++) rc = read_filter(json_array_get(list, i), i, arena, &filters[i], err);
    ret->filters = filters;
    ret->n_filters = n;
    return rc;
}

static enum code read_orders(const json_t *body, struct arena *arena, struct run_query *ret, struct err *err) {
    const json_t *list;
    enum code rc = list_of(body, "orderBy", RUN_QUERY_MAX_ORDERS, &list, err);
    size_t n = json_array_size(list);
    struct run_order *orders = ARENA_ARRAY(arena, struct run_order, n + 1);
    if (!rc && !orders) rc = err_oom(err);
    for (size_t i = 0; !rc && i < n; i++) rc = read_order(json_array_get(list, i), i, &orders[i], err);
    ret->orders = orders;
    ret->n_orders = n;
    return rc;
}

static enum code read_continuation(const json_t *body, struct arena *arena, struct run_query *ret, struct err *err) {
    const json_t *token = json_object_get(body, "continuationToken");
    if (!token || json_is_null(token)) return OK;
    if (!json_is_string(token) || json_string_length(token) > CONTINUATION_MAX)
        return err_set(err, INVALID_ARGUMENT, "continuationToken is none of ours: ask for the first page again");
    ret->continuation = str_dup(arena, json_text_of(token));
    return ret->continuation.p ? OK : err_oom(err);
}

enum code filter_read(const json_t *body, struct arena *arena, struct run_query *ret, struct err *err) {
    static const char *const known[] = { "lastUpdatedAfter", "lastUpdatedBefore", "continuationToken",
                                         "filters",          "orderBy",           NULL };
    struct str unknown;
    *ret = (struct run_query){ 0 };
    if (!only_keys(body, known, &unknown))
        return err_set(err, INVALID_ARGUMENT, "the body has an unknown key: %.*s", STR_ARG(unknown));
    enum code rc = read_time(body, "lastUpdatedAfter", false, &ret->updated_after_us, err);
    if (!rc) rc = read_time(body, "lastUpdatedBefore", true, &ret->updated_before_us, err);
    if (!rc) rc = read_filters(body, arena, ret, err);
    if (!rc) rc = read_orders(body, arena, ret, err);
    return rc ? rc : read_continuation(body, arena, ret, err);
}
