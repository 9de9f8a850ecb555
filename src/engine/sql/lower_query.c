/* lower_query.c: queries. Result columns are o0, o1 …; range variables r<id>; WITH names w<id>. */
#include "base/clock.h"
#include "engine/sql/lowerer.h"

static enum code lower_ctes(struct lowerer *l, const struct sql_query *q) {
    for (size_t i = 0; i < q->n_ctes; i++) {
        buf_printf(&l->out, i ? ", w%u AS (" : "WITH w%u AS (", q->ctes[i]->id);
        enum code rc = lower_query(l, q->ctes[i]->query);
        if (rc) return rc;
        buf_add_z(&l->out, ")");
    }
    if (q->n_ctes) buf_add_char(&l->out, ' ');
    return OK;
}

static enum code lower_items(struct lowerer *l, const struct sql_query *q) {
    buf_add_z(&l->out, q->distinct ? "SELECT DISTINCT " : "SELECT ");
    for (size_t i = 0; i < q->n_items; i++) {
        if (i) buf_add_z(&l->out, ", ");
        enum code rc = lower_expr(l, q->items[i].expr);
        if (rc) return rc;
        buf_add_numbered(&l->out, " AS o", i);
    }
    return OK;
}

static enum code lower_where(struct lowerer *l, const struct sql_query *q) {
    if (!q->where) return OK;
    buf_add_z(&l->out, " WHERE ");
    enum code rc = lower_expr(l, q->where);
    return rc ? rc : lower_key_ranges(l, q->from, q->where);
}

/* A number alone would be an ordinal to SQLite: no expression here lowers to one but what the analyser refuses. */
static enum code lower_groups(struct lowerer *l, const struct sql_query *q) {
    for (size_t i = 0; i < q->n_group; i++) {
        buf_add_z(&l->out, i ? ", " : " GROUP BY ");
        bool constant = q->group[i]->kind == EX_LITERAL || q->group[i]->kind == EX_NULL;
        if (constant) buf_add_z(&l->out, "coalesce(");
        enum code rc = lower_expr(l, q->group[i]);
        if (rc) return rc;
        if (constant) buf_add_z(&l->out, ", NULL)");
    }
    if (!q->having) return OK;
    buf_add_z(&l->out, " HAVING ");
    return lower_expr(l, q->having);
}

/* NULL, then NaN, then numbers: SQLite would put NaN (TEXT) last. */
static enum code lower_order_float(struct lowerer *l, const struct sql_expr *e, const char *direction) {
    buf_add_char(&l->out, '(');
    enum code rc = lower_expr(l, e);
    buf_printf(&l->out, " IS NOT NULL)%s, (typeof(", direction);
    if (!rc) rc = lower_expr(l, e);
    buf_printf(&l->out, ") <> 'text')%s, ", direction);
    return rc;
}

static enum code lower_order(struct lowerer *l, const struct sql_query *q) {
    if (q->n_order == 0 || lower_key_order(l, q)) return OK;
    for (size_t i = 0; i < q->n_order; i++) {
        const struct sql_expr *e = q->order[i].expr;
        const char *direction = q->order[i].desc ? " DESC" : "";
        enum code rc = OK;
        buf_add_z(&l->out, i ? ", " : " ORDER BY ");
        if (e->type == SQL_FLOAT64) rc = lower_order_float(l, e, direction);
        if (!rc) rc = lower_expr(l, e);
        if (rc) return rc;
        buf_add_z(&l->out, direction);
    }
    return OK;
}

static enum code lower_count(struct lowerer *l, const struct sql_expr *e, const char *word) {
    if (!e) return OK;
    buf_add_z(&l->out, word);
    if (e->kind == EX_LITERAL) return lower_expr(l, e);
    buf_add_z(&l->out, "g_limit("); /* NULL and negative counts are errors, not "no limit" */
    enum code rc = lower_expr(l, e);
    buf_add_char(&l->out, ')');
    return rc;
}

static enum code lower_select(struct lowerer *l, const struct sql_query *q) {
    enum code rc = lower_items(l, q);
    if (!rc && q->from) {
        buf_add_z(&l->out, " FROM ");
        rc = lower_from(l, q->from);
    }
    if (!rc) rc = lower_where(l, q);
    return rc ? rc : lower_groups(l, q);
}

static void lower_arm_columns(struct lowerer *l, const struct sql_query *q, const struct sql_query *arm) {
    for (size_t i = 0; i < q->n_columns; i++) {
        bool widen = q->columns[i].type == SQL_FLOAT64 && arm->columns[i].type == SQL_INT64;
        buf_printf(&l->out, widen ? "%sCAST(o%zu AS REAL) AS o%zu" : "%so%zu AS o%zu", i ? ", " : "SELECT ", i, i);
    }
}

static enum code lower_set(struct lowerer *l, const struct sql_query *q) {
    static const char *const words[] = {
        [QUERY_SELECT] = "",         [QUERY_UNION_ALL] = " UNION ALL ",
        [QUERY_UNION] = " UNION ",   [QUERY_INTERSECT] = " INTERSECT ",
        [QUERY_EXCEPT] = " EXCEPT ",
    };
    buf_add_z(&l->out, "SELECT * FROM (");
    for (size_t i = 0; i < q->n_arms; i++) {
        if (i) buf_add_z(&l->out, words[q->kind]);
        lower_arm_columns(l, q, q->arms[i]);
        buf_add_z(&l->out, " FROM (");
        enum code rc = lower_query(l, q->arms[i]);
        if (rc) return rc;
        buf_add_char(&l->out, ')');
    }
    buf_add_char(&l->out, ')');
    return OK;
}

enum code lower_query(struct lowerer *l, const struct sql_query *q) {
    enum code rc = lower_ctes(l, q);
    if (!rc) rc = q->kind == QUERY_SELECT ? lower_select(l, q) : lower_set(l, q);
    if (!rc) rc = lower_order(l, q);
    if (!rc) rc = lower_count(l, q->limit, " LIMIT ");
    if (!rc) rc = lower_count(l, q->offset, " OFFSET ");
    return rc;
}

enum code sql_lower(struct arena *arena, const struct sql_analysis *analysis, const struct sql_lowering *how,
                    struct sql_lowered *ret, struct err *err) {
    struct lowerer l = { .analysis = analysis, .how = how, .out = BUF_INIT(LOWERED_MAX), .err = err };
    l.now_us = how->now_us ? how->now_us : clock_wall_us();
    enum code rc = lower_query(&l, analysis->query);
    if (!rc && !buf_ok(&l.out))
        rc = err_set(err, RESOURCE_EXHAUSTED, "The statement needs more than %d bytes when lowered", LOWERED_MAX);
    char *z = rc ? NULL : str_dupz(arena, buf_str(&l.out));
    if (!rc && !z) rc = err_oom(err);
    if (!rc) ret->sql = (struct str){ z, l.out.n };
    buf_free(&l.out);
    return rc;
}
