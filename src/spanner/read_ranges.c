#include "spanner/read_ranges.h"
#include <math.h>
#include "engine/sql/key_bounds.h"

/* False for NULL and NaN: nothing equals them, and where they bound a range they say nothing that is worth a rule here. */
static bool value_of(const struct sql_expr *e, const struct sql_value *params, struct sql_value *ret) {
    if (e->kind == EX_PARAM) {
        *ret = params[e->i];
        return !ret->is_null && !(ret->type == SQL_FLOAT64 && isnan(ret->f64));
    }
    *ret = (struct sql_value){ .type = e->type };
    switch (e->type) {
    case SQL_BOOL:
    case SQL_INT64:
    case SQL_DATE: ret->i64 = e->i; return true;
    case SQL_FLOAT64: ret->f64 = e->f; return !isnan(e->f);
    case SQL_STRING:
    case SQL_BYTES: ret->s = e->text; return true;
    case SQL_TIMESTAMP: return value_get_timestamp(e->text, &ret->i64, &ret->nanos);
    case SQL_UNKNOWN: break;
    }
    return false;
}

/* One point a value of the list; those that are NULL or NaN are equal to nothing. */
static enum code add_points(const struct key_bounds *b, struct sql_value *parts, const struct sql_value *params,
                            struct key_set *ret, struct err *err) {
    enum code rc = OK;
    for (size_t i = 1; !rc && i < b->in->n_args; i++)
        if (value_of(b->in->args[i], params, &parts[b->n_equal])) rc = key_set_add_key(ret, parts, b->n_equal + 1u, err);
    return rc;
}

static enum code add_range(const struct key_bounds *b, const struct sql_value *parts, const struct sql_value *params,
                           struct key_set *ret, struct err *err) {
    struct sql_value from[SQL_MAX_KEY_PARTS], to[SQL_MAX_KEY_PARTS];
    bool desc = b->source->table->key[b->n_equal].desc;
    const struct sql_expr *first = desc ? b->high : b->low, *last = desc ? b->low : b->high;
    for (uint16_t i = 0; i < b->n_equal; i++) from[i] = to[i] = parts[i];
    struct key_bound start = { from, b->n_equal, true }, end = { to, b->n_equal, true };
    if (first && value_of(first, params, &from[b->n_equal])) start.n++;
    if (last && value_of(last, params, &to[b->n_equal])) end.n++;
    return key_set_add_range(ret, start, end, err);
}

static enum code fill(const struct key_bounds *b, const struct sql_value *params, struct key_set *ret, struct err *err) {
    struct sql_value parts[SQL_MAX_KEY_PARTS];
    for (uint16_t i = 0; i < b->n_equal; i++)
        if (!value_of(b->equal[i], params, &parts[i])) return OK; /* no row can be equal */
    if (b->in) return add_points(b, parts, params, ret, err);
    if (b->n_equal == ret->table->n_key && b->n_equal) return key_set_add_key(ret, parts, b->n_equal, err);
    return b->n_equal < ret->table->n_key ? add_range(b, parts, params, ret, err) : key_set_add_all(ret, err);
}

enum code read_ranges(const struct sql_source *source, const struct sql_value *params, struct key_set *ret,
                      struct err *err) {
    struct key_bounds bounds;
    enum code rc = key_bounds_of_source(&bounds, source, ret->arena, err);
    if (rc) return rc;
    rc = fill(&bounds, params, ret, err);
    if (rc == RESOURCE_EXHAUSTED) return rc;
    if (rc) { /* a value that no key can hold: wide is right, too */
        ret->n = 0;
        rc = key_set_add_all(ret, err);
    }
    if (!rc) key_set_finish(ret);
    return rc;
}
