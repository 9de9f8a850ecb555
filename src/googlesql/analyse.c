#include "googlesql/analyse.h"
#include "googlesql/analyser.h"

static void settle_params(struct analyser *a) {
    for (size_t i = 0; i < a->n_used; i++)
        if (a->used[i].type == SQL_UNKNOWN) a->used[i].type = SQL_INT64;
}

/* Columns whose type is none of ours have no meaning here, wherever they stand: one place refuses them all. */
static enum code refuse_other_types(const struct analyser *a) {
    for (size_t i = 0; i < a->n_tables; i++) {
        const struct sql_source *s = a->tables[i];
        for (uint16_t c = 0; c < s->table->n_columns; c++) {
            const struct sql_column *column = &s->table->columns[c];
            if (s->used[c] && column->other_type.n)
                return fault(a, UNIMPLEMENTED, s->at, "Column %.*s.%.*s of type %.*s in a statement: not supported yet",
                             STR_ARG(s->table->name), STR_ARG(column->name), STR_ARG(str_upto(column->other_type, 100)));
        }
    }
    return OK;
}

enum code sql_analyse(struct arena *arena, struct str text, struct sql_query *query, const struct sql_catalog *catalog,
                      const struct sql_param *given, size_t n_given, struct sql_analysis *ret, struct err *err) {
    struct analyser a = { .arena = arena, .text = text, .catalog = catalog, .err = err };
    a.params = ARENA_ARRAY(arena, struct sql_param, n_given + 1);
    if (!a.params) return err_oom(err);
    for (size_t i = 0; i < n_given; i++) a.params[a.n_params++] = given[i];
    enum code rc = analyse_query(&a, NULL, NULL, query);
    if (!rc) rc = refuse_array_paths(&a);
    if (!rc) rc = refuse_other_types(&a);
    if (rc) return rc;
    settle_types(query);
    settle_params(&a);
    *ret = (struct sql_analysis){ text, query, query->columns, query->n_columns, a.used, a.n_used, a.tables, a.n_tables };
    return OK;
}

static bool has_subquery(const struct sql_expr *e) {
    if (!e) return false;
    if (e->query) return true;
    for (size_t i = 0; i < e->n_args; i++)
        if (has_subquery(e->args[i])) return true;
    return false;
}

const struct sql_source *sql_root_partitionable(const struct sql_analysis *analysis, const char **ret_why) {
    const struct sql_query *q = analysis->query;
    const char *why = NULL;
    if (q->kind != QUERY_SELECT) why = "a set operation";
    else if (q->n_ctes) why = "WITH";
    else if (!q->from || q->from->kind != FROM_TABLE || !q->from->source->table) why = "no single table after FROM";
    else if (q->from->source->table->schema.n) why = "a table of INFORMATION_SCHEMA";
    else if (q->grouped) why = "GROUP BY or an aggregate";
    else if (q->distinct) why = "DISTINCT";
    else if (q->n_order) why = "ORDER BY";
    else if (q->limit) why = "LIMIT";
    else if (has_subquery(q->where)) why = "a subquery";
    for (size_t i = 0; !why && i < q->n_items; i++)
        if (has_subquery(q->items[i].expr)) why = "a subquery";
    *ret_why = why;
    return why ? NULL : q->from->source;
}
