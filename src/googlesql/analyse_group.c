/* analyse_group.c: after grouping, only what is grouped or aggregated has one value. */
#include "googlesql/analyser.h"

static bool is_aggregate(const struct sql_expr *e) {
    return e->kind == EX_CALL && e->function && (e->function->flags & FN_AGGREGATE);
}

bool sql_has_aggregate(const struct sql_expr *e) {
    if (is_aggregate(e)) return true;
    for (size_t i = 0; i < e->n_args; i++)
        if (sql_has_aggregate(e->args[i])) return true;
    return false;
}

/* Calls `visit` for every expression of a query; stops at the first that answers an expression. */
struct walk {
    const struct sql_expr *(*visit)(const struct walk *w, const struct sql_expr *e);
    const struct sql_query *query;
    bool *foreign;
};

static const struct sql_expr *walk_query(const struct walk *w, const struct sql_query *q);

static const struct sql_expr *walk_args(const struct walk *w, const struct sql_expr *e) {
    const struct sql_expr *hit = NULL;
    for (size_t i = 0; i < e->n_args && !hit; i++) hit = w->visit(w, e->args[i]);
    return !hit && e->query ? walk_query(w, e->query) : hit;
}

static const struct sql_expr *walk_from(const struct walk *w, const struct sql_from *f) {
    if (!f) return NULL;
    if (f->kind == FROM_QUERY) return walk_query(w, f->query);
    if (f->kind == FROM_TABLE) return NULL;
    const struct sql_expr *hit = walk_from(w, f->left);
    if (!hit) hit = walk_from(w, f->right);
    return !hit && f->on ? w->visit(w, f->on) : hit;
}

static const struct sql_expr *walk_query(const struct walk *w, const struct sql_query *q) {
    const struct sql_expr *hit = walk_from(w, q->from);
    for (size_t i = 0; i < q->n_arms && !hit; i++) hit = walk_query(w, q->arms[i]);
    for (size_t i = 0; i < q->n_items && !hit; i++) hit = w->visit(w, q->items[i].expr);
    for (size_t i = 0; i < q->n_group && !hit; i++) hit = w->visit(w, q->group[i]);
    for (size_t i = 0; i < q->n_order && !hit; i++) hit = w->visit(w, q->order[i].expr);
    if (!hit && q->where) hit = w->visit(w, q->where);
    if (!hit && q->having) hit = w->visit(w, q->having);
    return hit;
}

static const struct sql_expr *visit_ungrouped(const struct walk *w, const struct sql_expr *e) {
    for (size_t i = 0; i < w->query->n_group; i++)
        if (sql_expr_equal(e, w->query->group[i])) return NULL;
    if (is_aggregate(e)) return NULL;
    if (e->kind == EX_COLUMN) return e->source->owner == w->query ? e : NULL;
    return walk_args(w, e);
}

static enum code check(struct analyser *a, const struct sql_query *q, const struct sql_expr *e, const char *clause) {
    struct walk w = { visit_ungrouped, q, NULL };
    const struct sql_expr *hit = visit_ungrouped(&w, e);
    if (!hit) return OK;
    struct str name = source_column_name(hit->source, hit->column);
    return fault(a, INVALID_ARGUMENT, hit->at,
                 "%s expression references column %.*s which is neither grouped nor aggregated", clause, STR_ARG(name));
}

enum code check_grouping(struct analyser *a, struct sql_query *q) {
    enum code rc = OK;
    for (size_t i = 0; i < q->n_items && !rc; i++) rc = check(a, q, q->items[i].expr, "SELECT list");
    if (!rc && q->having) rc = check(a, q, q->having, "HAVING clause");
    for (size_t i = 0; i < q->n_order && !rc; i++) rc = check(a, q, q->order[i].expr, "ORDER BY clause");
    return rc;
}

static const struct sql_expr *visit_own(const struct walk *w, const struct sql_expr *e) {
    if (e->kind != EX_COLUMN) return walk_args(w, e);
    if (e->source->owner == w->query) return e;
    *w->foreign = true;
    return NULL;
}

bool has_own_column(const struct sql_expr *e, const struct sql_query *q, bool *ret_foreign) {
    struct walk w = { visit_own, q, ret_foreign };
    return visit_own(&w, e) != NULL;
}
