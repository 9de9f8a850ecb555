/* analyse_expr.c: expressions other than calls. */
#include "googlesql/analyser.h"
#include "googlesql/datetime.h"

static enum code analyse_args(struct analyser *a, struct scope *s, struct sql_expr *e) {
    for (size_t i = 0; i < e->n_args; i++) {
        enum code rc = analyse_expr(a, s, e->args[i]);
        if (rc) return rc;
    }
    return OK;
}

static enum code analyse_logical(struct analyser *a, struct scope *s, struct sql_expr *e) {
    const char *name = e->kind == EX_AND ? "AND" : "OR";
    enum code rc = analyse_args(a, s, e);
    if (rc) return rc;
    for (size_t i = 0; i < e->n_args; i++)
        if (coercion_cost(e->args[i], SQL_BOOL) >= NO_COERCION)
            return fault(a, INVALID_ARGUMENT, e->at, "No matching signature for operator %s for argument types: %s", name,
                         sql_type_name(e->args[i]->type));
    e->type = SQL_BOOL;
    return coerce_all(a, e->args, e->n_args, SQL_BOOL);
}

/* The THEN arms and ELSE are at 1, 3, 5 … of [when then …] and at the end. */
static enum code case_arms(struct analyser *a, struct sql_expr *e, size_t first, bool results, enum sql_type *io_type) {
    struct sql_expr *chosen[600] = { 0 };
    size_t where[600], n = 0;
    size_t end = e->n_args - (e->has_else ? 1 : 0);
    if (e->n_args > COUNT(chosen)) return fault(a, UNIMPLEMENTED, e->at, "CASE with more than 299 arms: not supported yet");
    if (!results && e->has_operand) where[n] = 0, chosen[n++] = e->args[0];
    for (size_t i = first + (results ? 1 : 0); i < end; i += 2) where[n] = i, chosen[n++] = e->args[i];
    if (results && e->has_else) where[n] = end, chosen[n++] = e->args[end];
    if (*io_type == SQL_UNKNOWN && !common_type(chosen, n, io_type))
        return fault(a, INVALID_ARGUMENT, e->at, "No matching signature for operator CASE: its arms have no common type");
    for (size_t i = 0; i < n; i++) {
        if (coercion_cost(chosen[i], *io_type) >= NO_COERCION)
            return fault(a, INVALID_ARGUMENT, e->at,
                         "No matching signature for operator CASE; WHEN must be %s but found: %s", sql_type_name(*io_type),
                         sql_type_name(chosen[i]->type));
        enum code rc = coerce(a, &e->args[where[i]], *io_type);
        if (rc) return rc;
    }
    return OK;
}

static enum code analyse_case(struct analyser *a, struct scope *s, struct sql_expr *e) {
    enum code rc = analyse_args(a, s, e);
    enum sql_type when = e->has_operand ? SQL_UNKNOWN : SQL_BOOL, then = SQL_UNKNOWN;
    if (!rc) rc = case_arms(a, e, e->has_operand ? 1 : 0, false, &when);
    if (!rc) rc = case_arms(a, e, e->has_operand ? 1 : 0, true, &then);
    e->type = then;
    return rc;
}

/* From and to: what CAST can do. */
static bool castable(enum sql_type from, enum sql_type to) {
    if (from == to || from == SQL_UNKNOWN || to == SQL_STRING || from == SQL_STRING) return true;
    bool numeric = from == SQL_INT64 && (to == SQL_FLOAT64 || to == SQL_BOOL);
    bool back = to == SQL_INT64 && (from == SQL_FLOAT64 || from == SQL_BOOL);
    bool time = (from == SQL_DATE && to == SQL_TIMESTAMP) || (from == SQL_TIMESTAMP && to == SQL_DATE);
    return numeric || back || time;
}

static enum code analyse_cast(struct analyser *a, struct scope *s, struct sql_expr *e) {
    enum code rc = analyse_expr(a, s, e->args[0]);
    if (rc) return rc;
    e->type = e->to;
    if (!castable(e->args[0]->type, e->to))
        return fault(a, INVALID_ARGUMENT, e->args[0]->at, "Invalid cast from %s to %s", sql_type_name(e->args[0]->type),
                     sql_type_name(e->to));
    return e->args[0]->type == SQL_UNKNOWN ? coerce(a, &e->args[0], e->to) : OK;
}

static enum code analyse_in(struct analyser *a, struct scope *s, struct sql_expr *e) {
    enum sql_type type;
    enum code rc = analyse_args(a, s, e);
    if (rc) return rc;
    e->type = SQL_BOOL;
    if (!common_type(e->args, e->n_args, &type))
        return fault(a, INVALID_ARGUMENT, e->at,
                     "No matching signature for operator IN: its values have no common type with %s",
                     sql_type_name(e->args[0]->type));
    return coerce_all(a, e->args, e->n_args, type);
}

static enum code analyse_subquery(struct analyser *a, struct scope *s, struct sql_expr *e) {
    enum code rc = analyse_query(a, s, s->ctes, e->query);
    if (rc) return rc;
    if (e->kind == EX_EXISTS) return e->type = SQL_BOOL, OK;
    if (e->query->n_columns != 1)
        return e->kind == EX_SUBQUERY
                   ? fault(a, INVALID_ARGUMENT, e->at,
                           "Scalar subquery cannot have more than one column unless using SELECT AS STRUCT to build STRUCT "
                           "values")
                   : fault(a, INVALID_ARGUMENT, e->query->at, "Subquery of type IN must have only one output column");
    settle_types(e->query);
    e->type = e->query->columns[0].type;
    return OK;
}

static enum code analyse_in_query(struct analyser *a, struct scope *s, struct sql_expr *e) {
    enum code rc = analyse_expr(a, s, e->args[0]);
    if (!rc) rc = analyse_subquery(a, s, e);
    if (rc) return rc;
    enum sql_type type = e->query->columns[0].type;
    if (type == SQL_INT64 && e->args[0]->type == SQL_FLOAT64)
        return fault(a, UNIMPLEMENTED, e->at, "FLOAT64 IN a subquery of INT64: not supported yet");
    if (coercion_cost(e->args[0], type) >= NO_COERCION)
        return fault(a, INVALID_ARGUMENT, e->at, "Cannot execute IN subquery with uncomparable types %s and %s",
                     sql_type_name(e->args[0]->type), sql_type_name(type));
    e->type = SQL_BOOL;
    return coerce(a, &e->args[0], type);
}

enum code analyse_expr(struct analyser *a, struct scope *s, struct sql_expr *e) {
    switch (e->kind) {
    case EX_NULL: return e->type = SQL_UNKNOWN, OK;
    case EX_LITERAL:
    case EX_COLUMN:
    case EX_ITEM: return OK;
    case EX_PARAM: return resolve_param(a, e);
    case EX_NAME: return resolve_name(a, s, e);
    case EX_CALL: return resolve_call(a, s, e);
    case EX_AND:
    case EX_OR: return analyse_logical(a, s, e);
    case EX_CASE: return analyse_case(a, s, e);
    case EX_CAST: return analyse_cast(a, s, e);
    case EX_IN: return analyse_in(a, s, e);
    case EX_IN_QUERY: return analyse_in_query(a, s, e);
    case EX_EXISTS:
    case EX_SUBQUERY: return analyse_subquery(a, s, e);
    case EX_PART: return fault(a, INVALID_ARGUMENT, e->at, "Unrecognized name: %.*s", STR_ARG(e->text));
    case EX_INTERVAL: {
        enum code rc = analyse_expr(a, s, e->args[0]);
        e->i = date_part_find(e->text);
        if (!rc && coercion_cost(e->args[0], SQL_INT64) >= NO_COERCION)
            return fault(a, INVALID_ARGUMENT, e->args[0]->at, "Interval value must be coercible to INT64 type");
        return rc ? rc : coerce(a, &e->args[0], SQL_INT64);
    }
    }
    return err_set(a->err, INTERNAL, "an expression of an unknown kind");
}

enum code analyse_bool(struct analyser *a, struct scope *s, struct sql_expr **io, const char *clause) {
    if (!*io) return OK;
    enum code rc = analyse_expr(a, s, *io);
    if (rc) return rc;
    if (coercion_cost(*io, SQL_BOOL) >= NO_COERCION)
        return fault(a, INVALID_ARGUMENT, (*io)->at, "%s should return type BOOL, but returns %s", clause,
                     sql_type_name((*io)->type));
    return coerce(a, io, SQL_BOOL);
}
