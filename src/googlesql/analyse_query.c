/* analyse_query.c: SELECT, set operations, WITH, ORDER BY, LIMIT. */
#include "googlesql/analyser.h"

static bool excepted(const struct sql_item *item, struct str name) {
    for (size_t i = 0; i < item->n_except; i++)
        if (str_eq_nocase(item->except[i], name)) return true;
    return false;
}

struct items {
    struct sql_item *items;
    size_t n, cap;
};

static enum code add_item(struct analyser *a, struct items *out, struct sql_item item) {
    if (out->n >= SQL_MAX_COLUMNS)
        return fault(a, INVALID_ARGUMENT, item.at, "The query has more than %d columns", SQL_MAX_COLUMNS);
    if (!item.expr || !arena_grow(a->arena, &out->items, &out->cap, out->n + 1, sizeof *out->items)) return err_oom(a->err);
    out->items[out->n++] = item;
    return OK;
}

/* `*` or `t.*` becomes the columns it stands for. */
static enum code expand_star(struct analyser *a, struct scope *s, const struct sql_item *item, struct items *out) {
    size_t before = out->n, matched = 0;
    struct sql_source *only = NULL;
    if (!s->query->from) return fault(a, INVALID_ARGUMENT, item->at, "SELECT * must have a FROM clause");
    for (size_t i = 0; i < s->rel.n_ranges && item->n_star_of == 1; i++)
        if (str_eq_nocase(s->rel.ranges[i]->alias, item->star_of[0])) only = s->rel.ranges[i];
    if (item->n_star_of && !only)
        return fault(a, item->n_star_of == 1 ? INVALID_ARGUMENT : UNIMPLEMENTED, item->at, "Unrecognized name: %.*s",
                     STR_ARG(item->star_of[0]));
    size_t n = only ? source_columns(only) : s->rel.n_columns;
    for (size_t i = 0; i < n; i++) {
        struct rel_column c = only ? (struct rel_column){ source_column_name(only, (uint16_t)i), only, (uint16_t)i, NULL }
                                   : s->rel.columns[i];
        if (excepted(item, c.name)) {
            matched++;
            continue;
        }
        enum code rc = add_item(a, out,
                                (struct sql_item){ .at = item->at, .expr = column_new(a, item->at, &c), .alias = c.name });
        if (rc) return rc;
    }
    if (matched < item->n_except)
        return fault(a, INVALID_ARGUMENT, item->at, "A column in SELECT * EXCEPT list does not exist");
    if (out->n == before) return fault(a, INVALID_ARGUMENT, item->at, "SELECT * expands to zero columns");
    return OK;
}

static enum code analyse_items(struct analyser *a, struct scope *s, struct sql_query *q) {
    struct items out = { 0 };
    for (size_t i = 0; i < q->n_items; i++) {
        struct sql_item *item = &q->items[i];
        enum code rc;
        if (!item->expr) {
            rc = expand_star(a, s, item, &out);
        } else {
            struct str last = item->expr->kind == EX_NAME ? item->expr->path[item->expr->n_path - 1] : STR("");
            rc = analyse_expr(a, s, item->expr);
            if (item->alias.n == 0) item->alias = last;
            if (!rc) rc = add_item(a, &out, *item);
        }
        if (rc) return rc;
    }
    q->items = out.items;
    q->n_items = out.n;
    s->n_items_done = out.n;
    return OK;
}

/* GROUP BY 2 and ORDER BY 2 mean the second item. False when e is no integer literal. */
static bool ordinal(const struct sql_expr *e) {
    return e->kind == EX_LITERAL && e->type == SQL_INT64;
}

static enum code check_ordinal(struct analyser *a, const struct sql_query *q, const struct sql_expr *e,
                               const char *clause) {
    if (e->i >= 1 && (uint64_t)e->i <= q->n_items) return OK;
    return fault(a, INVALID_ARGUMENT, e->at, "%s is out of SELECT column number range: %lld", clause, (long long)e->i);
}

static enum code analyse_group_item(struct analyser *a, struct scope *s, struct sql_query *q, struct sql_expr *e) {
    uint32_t at = e->at;
    if (ordinal(e)) {
        enum code rc = check_ordinal(a, q, e, "GROUP BY");
        if (rc) return rc;
        *e = *q->items[e->i - 1].expr;
    } else {
        if (e->kind == EX_LITERAL || e->kind == EX_NULL)
            return fault(a, INVALID_ARGUMENT, at, "Cannot GROUP BY literal values");
        s->aliases = e->kind == EX_NAME && e->n_path == 1; /* only as a whole is an alias seen here */
        enum code rc = analyse_expr(a, s, e);
        s->aliases = false;
        if (rc) return rc;
    }
    if (sql_has_aggregate(e))
        return fault(a, INVALID_ARGUMENT, at,
                     "An expression that contains an aggregation function is not allowed in GROUP BY");
    return OK;
}

static enum code analyse_groups(struct analyser *a, struct scope *s, struct sql_query *q) {
    s->clause = "GROUP BY clause";
    for (size_t i = 0; i < q->n_group; i++) {
        enum code rc = analyse_group_item(a, s, q, q->group[i]);
        if (rc) return rc;
    }
    s->clause = NULL;
    return OK;
}

static enum code analyse_having(struct analyser *a, struct scope *s, struct sql_query *q) {
    if (!q->having) return OK;
    uint32_t at = q->having->at;
    s->aliases = true;
    enum code rc = analyse_bool(a, s, &q->having, "HAVING clause");
    s->aliases = false;
    if (!rc && !q->grouped)
        return fault(a, INVALID_ARGUMENT, at, "The HAVING clause requires GROUP BY or aggregation to be present");
    return rc;
}

static enum code analyse_order_item(struct analyser *a, struct scope *s, struct sql_query *q, struct sql_expr *e) {
    uint32_t at = e->at;
    if (ordinal(e)) {
        enum code rc = check_ordinal(a, q, e, "ORDER BY");
        if (rc) return rc;
        *e = (struct sql_expr){ .kind = EX_ITEM, .at = at, .type = q->items[e->i - 1].expr->type, .i = e->i - 1 };
        return OK;
    }
    if (e->kind == EX_LITERAL || e->kind == EX_NULL)
        return fault(a, INVALID_ARGUMENT, at, "Cannot ORDER BY literal values");
    enum code rc = analyse_expr(a, s, e);
    if (rc) return rc;
    for (size_t i = 0; i < q->n_items; i++) /* what is selected is ordered by its place: DISTINCT demands it */
        if (e->kind != EX_ITEM && sql_expr_equal(e, q->items[i].expr))
            *e = (struct sql_expr){ .kind = EX_ITEM, .at = at, .type = e->type, .i = (int64_t)i };
    if (q->distinct && has_own_column(e, q, &(bool){ false }))
        return fault(a, INVALID_ARGUMENT, at,
                     "ORDER BY clause expression references a column which is not visible after SELECT DISTINCT");
    if (q->distinct && sql_has_aggregate(e))
        return fault(a, UNIMPLEMENTED, at, "An aggregate in ORDER BY after SELECT DISTINCT: not supported yet");
    return OK;
}

static enum code analyse_order(struct analyser *a, struct scope *s, struct sql_query *q) {
    s->aliases = s->alias_items = true;
    for (size_t i = 0; i < q->n_order; i++) {
        enum code rc = analyse_order_item(a, s, q, q->order[i].expr);
        if (rc) return rc;
    }
    s->aliases = s->alias_items = false;
    return OK;
}

static enum code analyse_count(struct analyser *a, struct sql_expr **io, const char *clause) {
    if (!*io) return OK;
    struct scope none = { 0 };
    enum code rc = analyse_expr(a, &none, *io);
    if (rc) return rc;
    bool good = (*io)->type == SQL_INT64 || (*io)->type == SQL_UNKNOWN;
    if (!good || ((*io)->kind == EX_LITERAL && (*io)->i < 0))
        return fault(a, INVALID_ARGUMENT, (*io)->at, "%s expects a non-negative integer literal or parameter", clause);
    return coerce(a, io, SQL_INT64);
}

static enum code publish(struct analyser *a, struct sql_query *q) {
    struct sql_result_column *columns = ARENA_ARRAY(a->arena, struct sql_result_column, q->n_items);
    if (!columns) return err_oom(a->err);
    for (size_t i = 0; i < q->n_items; i++)
        columns[i] = (struct sql_result_column){ q->items[i].alias, q->items[i].expr->type };
    q->columns = columns;
    q->n_columns = q->n_items;
    return OK;
}

static enum code analyse_select(struct analyser *a, struct scope *s, struct sql_query *q) {
    enum code rc = OK;
    if (q->from) rc = analyse_from(a, s, q->from, &s->rel);
    if (!rc && q->where && !q->from)
        rc = fault(a, INVALID_ARGUMENT, q->where->at, "Query without FROM clause cannot have a WHERE clause");
    s->clause = "WHERE clause";
    if (!rc) rc = analyse_bool(a, s, &q->where, "WHERE clause");
    s->clause = NULL;
    if (!rc) rc = analyse_items(a, s, q);
    if (!rc) rc = analyse_groups(a, s, q);
    if (!rc) rc = analyse_having(a, s, q);
    if (!rc) rc = analyse_order(a, s, q);
    if (!rc && q->grouped) rc = check_grouping(a, q);
    return rc ? rc : publish(a, q);
}

static enum code unify(struct analyser *a, const struct sql_query *q, size_t column, enum sql_type *io) {
    for (size_t i = 0; i < q->n_arms; i++) {
        enum sql_type t = q->arms[i]->columns[column].type;
        bool widen = (*io == SQL_INT64 && t == SQL_FLOAT64) || *io == SQL_UNKNOWN;
        if (widen) *io = t;
        else if (t != SQL_UNKNOWN && t != *io && !(*io == SQL_FLOAT64 && t == SQL_INT64))
            return fault(a, INVALID_ARGUMENT, q->arms[i]->at,
                         "Column %zu in a set operation has incompatible types: %s, %s", column + 1, sql_type_name(*io),
                         sql_type_name(t));
    }
    return OK;
}

/* A set operation's columns are named by its first arm. ORDER BY sees these names and nothing else. */
static enum code analyse_set(struct analyser *a, const struct scope *outer, const struct cte_scope *ctes, struct scope *s,
                             struct sql_query *q) {
    for (size_t i = 0; i < q->n_arms; i++) {
        enum code rc = analyse_query(a, outer, ctes, q->arms[i]);
        if (rc) return rc;
        q->correlated = q->correlated || q->arms[i]->correlated;
        if (q->arms[i]->n_columns != q->arms[0]->n_columns)
            return fault(a, INVALID_ARGUMENT, q->arms[i]->at,
                         "Queries in a set operation have mismatched column count; query 1 has %zu columns, query %zu has "
                         "%zu columns",
                         q->arms[0]->n_columns, i + 1, q->arms[i]->n_columns);
    }
    struct items out = { 0 };
    for (size_t c = 0; c < q->arms[0]->n_columns; c++) {
        struct sql_expr *e = ARENA_NEW(a->arena, struct sql_expr);
        if (!e) return err_oom(a->err);
        *e = (struct sql_expr){ .kind = EX_ITEM, .at = q->at, .i = (int64_t)c };
        enum code rc = unify(a, q, c, &e->type);
        if (!rc) rc = add_item(a, &out, (struct sql_item){ .at = q->at, .expr = e, .alias = q->arms[0]->columns[c].name });
        if (rc) return rc;
    }
    q->items = out.items;
    s->n_items_done = q->n_items = out.n;
    s->clause = "ORDER BY clause after a set operation";
    enum code rc = analyse_order(a, s, q);
    return rc ? rc : publish(a, q);
}

static enum code analyse_ctes(struct analyser *a, const struct scope *outer, struct sql_query *q,
                              const struct cte_scope **io) {
    for (size_t i = 0; i < q->n_ctes; i++) {
        struct cte_scope *c = ARENA_NEW(a->arena, struct cte_scope);
        if (!c) return err_oom(a->err);
        for (size_t k = 0; k < i; k++)
            if (str_eq_nocase(q->ctes[k]->name, q->ctes[i]->name))
                return fault(a, INVALID_ARGUMENT, q->ctes[i]->at, "Duplicate alias %.*s for WITH subquery",
                             STR_ARG(q->ctes[i]->name));
        enum code rc = analyse_query(a, outer, *io, q->ctes[i]->query);
        if (rc) return rc;
        settle_types(q->ctes[i]->query);
        if (q->ctes[i]->query->correlated)
            return fault(a, UNIMPLEMENTED, q->ctes[i]->at, "A correlated WITH subquery: not supported yet");
        q->ctes[i]->id = a->next_cte++;
        *c = (struct cte_scope){ *io, q->ctes[i] };
        *io = c;
    }
    return OK;
}

enum code analyse_query(struct analyser *a, const struct scope *outer, const struct cte_scope *ctes, struct sql_query *q) {
    enum code rc = analyse_ctes(a, outer, q, &ctes);
    struct scope s = { .parent = outer, .ctes = ctes, .query = q };
    if (!rc) rc = q->kind == QUERY_SELECT ? analyse_select(a, &s, q) : analyse_set(a, outer, ctes, &s, q);
    if (!rc) rc = analyse_count(a, &q->limit, "LIMIT");
    if (!rc) rc = analyse_count(a, &q->offset, "OFFSET");
    return rc;
}

void settle_types(struct sql_query *q) {
    for (size_t i = 0; i < q->n_columns; i++) {
        struct sql_result_column *c = (struct sql_result_column *)(uintptr_t)&q->columns[i]; /* ours: made by publish */
        if (c->type == SQL_UNKNOWN) c->type = SQL_INT64;
    }
}
