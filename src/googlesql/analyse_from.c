/* analyse_from.c: tables, subqueries and joins: what they make visible. */
#include "googlesql/analyser.h"
#include "googlesql/info_schema.h"

static enum code source_new(struct analyser *a, struct scope *s, struct sql_from *from, struct sql_source **ret) {
    struct sql_source *source = ARENA_NEW(a->arena, struct sql_source);
    if (!source || !arena_grow(a->arena, &a->sources, &a->cap_sources, a->n_sources + 1, sizeof source))
        return err_oom(a->err);
    a->sources[a->n_sources++] = source;
    source->id = a->next_source++;
    source->alias = from->alias;
    source->at = from->at;
    source->owner = s->query;
    from->source = source;
    *ret = source;
    return OK;
}

static struct sql_cte *find_cte(const struct scope *s, struct str name) {
    for (const struct cte_scope *c = s->ctes; c; c = c->parent)
        if (str_eq_nocase(c->cte->name, name)) return c->cte;
    return NULL;
}

static const struct sql_table *find_table(const struct analyser *a, const struct sql_from *from) {
    if (from->n_path == 2 && str_eq_nocase(from->path[0], STR("INFORMATION_SCHEMA")))
        return sql_info_schema_table(from->path[1]);
    return sql_catalog_find_path(a->catalog, from->path, from->n_path);
}

static enum code no_table(const struct analyser *a, const struct sql_from *from) {
    struct str first = from->path[0];
    const struct sql_other *other = sql_catalog_find_other(a->catalog, from->path, from->n_path);
    if (other) return fault(a, UNIMPLEMENTED, from->at, "%.*s is %s: not supported yet", STR_ARG(other->name), other->what);
    if (from->n_path == 1) return fault(a, INVALID_ARGUMENT, from->at, "Table not found: %.*s", STR_ARG(first));
    if (from->n_path == 2 && (str_eq_nocase(first, STR("SPANNER_SYS")) || sql_info_schema_elsewhere(from->path[1])))
        return fault(a, UNIMPLEMENTED, from->at, "Table %.*s.%.*s: not supported yet", STR_ARG(first),
                     STR_ARG(from->path[1]));
    return fault(a, INVALID_ARGUMENT, from->at, "Table not found: %.*s.%.*s", STR_ARG(first), STR_ARG(from->path[1]));
}

static enum code note_schema(struct analyser *a, struct str name) {
    for (size_t i = 0; i < a->n_schemas; i++)
        if (str_eq_nocase(a->schemas[i], name)) return OK;
    if (!arena_grow(a->arena, &a->schemas, &a->cap_schemas, a->n_schemas + 1, sizeof name)) return err_oom(a->err);
    a->schemas[a->n_schemas++] = name;
    return OK;
}

static enum code refuse_as_schema(const struct analyser *a, const struct sql_source *source, struct str name) {
    for (size_t i = 0; i < a->n_schemas; i++)
        if (str_eq_nocase(a->schemas[i], name))
            return fault(a, UNIMPLEMENTED, source->at,
                         "%.*s as a schema and as a table's or column's name: give it another", STR_ARG(name));
    return OK;
}

/* `FROM t.Tags` is an array of t's wherever t is in sight, and a table of the schema t else. Arrays are not for FROM yet,
 * so no name may be both. */
enum code refuse_array_paths(const struct analyser *a) {
    enum code rc = OK;
    bool both = a->n_schemas && a->n_sources > 1; /* no table is in sight of its own path */
    for (size_t i = 0; !rc && both && i < a->n_sources; i++) {
        const struct sql_source *s = a->sources[i];
        rc = refuse_as_schema(a, s, s->alias);
        for (size_t c = 0; !rc && c < source_columns(s); c++)
            rc = refuse_as_schema(a, s, source_column_name(s, (uint16_t)c));
    }
    return rc;
}

static enum code bind_table(struct analyser *a, struct scope *s, struct sql_from *from, struct sql_source *source) {
    if (source->alias.n == 0) source->alias = from->path[from->n_path - 1];
    if (from->n_path > 1 && note_schema(a, from->path[0])) return a->err->code;
    source->cte = from->n_path == 1 ? find_cte(s, from->path[0]) : NULL;
    if (source->cte) return source->query = source->cte->query, OK;
    source->table = find_table(a, from);
    if (!source->table) return no_table(a, from);
    source->used = ARENA_ARRAY(a->arena, bool, (size_t)source->table->n_columns + 1);
    if (!source->used || !arena_grow(a->arena, &a->tables, &a->cap_tables, a->n_tables + 1, sizeof *a->tables))
        return err_oom(a->err);
    a->tables[a->n_tables++] = source;
    return OK;
}

static enum code relation_of_source(struct analyser *a, struct sql_source *source, struct relation *ret) {
    size_t n = source_columns(source);
    ret->columns = ARENA_ARRAY(a->arena, struct rel_column, n + 1);
    ret->ranges = ARENA_ARRAY(a->arena, struct sql_source *, 1);
    if (!ret->columns || !ret->ranges) return err_oom(a->err);
    for (size_t i = 0; i < n; i++)
        ret->columns[i] = (struct rel_column){ source_column_name(source, (uint16_t)i), source, (uint16_t)i, NULL };
    ret->n_columns = n;
    ret->ranges[0] = source;
    ret->n_ranges = 1;
    return OK;
}

static enum code analyse_leaf(struct analyser *a, struct scope *s, struct sql_from *from, struct relation *ret) {
    struct sql_source *source = NULL;
    enum code rc = source_new(a, s, from, &source);
    if (rc) return rc;
    if (from->kind == FROM_TABLE) {
        rc = bind_table(a, s, from, source);
    } else {
        rc = analyse_query(a, s->parent, s->ctes, from->query);
        if (!rc) settle_types(from->query);
        if (!rc && from->query->correlated) s->query->correlated = true;
        source->query = from->query;
    }
    return rc ? rc : relation_of_source(a, source, ret);
}

static enum code join_ranges(struct analyser *a, const struct relation *l, const struct relation *r, struct relation *ret) {
    ret->ranges = ARENA_ARRAY(a->arena, struct sql_source *, l->n_ranges + r->n_ranges);
    ret->columns = ARENA_ARRAY(a->arena, struct rel_column, l->n_columns + r->n_columns + 1);
    if (!ret->ranges || !ret->columns) return err_oom(a->err);
    for (size_t i = 0; i < l->n_ranges; i++) ret->ranges[ret->n_ranges++] = l->ranges[i];
    for (size_t i = 0; i < r->n_ranges; i++) {
        for (size_t k = 0; k < l->n_ranges; k++)
            if (r->ranges[i]->alias.n && str_eq_nocase(r->ranges[i]->alias, l->ranges[k]->alias))
                return fault(a, INVALID_ARGUMENT, r->ranges[i]->at, "Duplicate table alias %.*s in the same FROM clause",
                             STR_ARG(r->ranges[i]->alias));
        ret->ranges[ret->n_ranges++] = r->ranges[i];
    }
    return OK;
}

/* Adds the columns of `from` that are not in `skip`. */
static void append_columns(struct relation *to, const struct relation *from, const struct rel_column *const *skip,
                           size_t n_skip) {
    for (size_t i = 0; i < from->n_columns; i++) {
        bool skipped = false;
        for (size_t k = 0; k < n_skip; k++) skipped = skipped || skip[k] == &from->columns[i];
        if (!skipped) to->columns[to->n_columns++] = from->columns[i];
    }
}

static enum code using_column(struct analyser *a, const struct relation *rel, const char *side, struct str name,
                              uint32_t at, const struct rel_column **ret) {
    const struct rel_column *hit = NULL;
    for (size_t i = 0; i < rel->n_columns; i++) {
        if (!str_eq_nocase(rel->columns[i].name, name)) continue;
        if (hit)
            return fault(a, INVALID_ARGUMENT, at, "Column %.*s in USING clause is ambiguous on %s side of join",
                         STR_ARG(name), side);
        hit = &rel->columns[i];
    }
    if (!hit)
        return fault(a, INVALID_ARGUMENT, at, "Column %.*s in USING clause not found on %s side of join", STR_ARG(name),
                     side);
    *ret = hit;
    return OK;
}

static enum code call_of(struct analyser *a, const char *name, uint32_t at, struct sql_expr *x, struct sql_expr *y,
                         struct sql_expr **ret) {
    struct sql_expr *e = ARENA_NEW(a->arena, struct sql_expr);
    struct sql_expr **args = ARENA_ARRAY(a->arena, struct sql_expr *, 2);
    if (!e || !args || !x || !y) return err_oom(a->err);
    args[0] = x;
    args[1] = y;
    *e = (struct sql_expr){ .kind = EX_CALL, .text = str_z(name), .at = at, .args = args, .n_args = 2 };
    enum sql_type any = SQL_UNKNOWN;
    const struct sql_function *f = find_overload(e->text, e, &any);
    if (!f) return fault(a, INVALID_ARGUMENT, at, "The types of this column in USING cannot be compared");
    *ret = e;
    return apply_overload(a, e, f, any);
}

static enum code add_condition(struct analyser *a, struct sql_from *from, struct sql_expr *equal) {
    struct sql_expr *e = from->on;
    if (!e) return from->on = equal, OK;
    if (e->kind != EX_AND) {
        e = ARENA_NEW(a->arena, struct sql_expr);
        if (!e) return err_oom(a->err);
        *e = (struct sql_expr){ .kind = EX_AND, .type = SQL_BOOL, .at = from->at };
        e->args = ARENA_ARRAY(a->arena, struct sql_expr *, from->n_using);
        if (!e->args) return err_oom(a->err);
        e->args[e->n_args++] = from->on;
    }
    e->args[e->n_args++] = equal;
    from->on = e;
    return OK;
}

/* The columns of USING are one column each: the left one, the right one (RIGHT), or whichever is there (FULL). */
static enum code analyse_using(struct analyser *a, struct sql_from *from, const struct relation *l,
                               const struct relation *r, struct relation *ret) {
    const struct rel_column **skip = ARENA_ARRAY(a->arena, const struct rel_column *, 2 * from->n_using);
    if (!skip) return err_oom(a->err);
    for (size_t i = 0; i < from->n_using; i++) {
        const struct rel_column *x = NULL, *y = NULL;
        struct str name = from->using_names[i];
        struct sql_expr *equal;
        enum code rc = using_column(a, l, "left", name, from->using_at[i], &x);
        if (!rc) rc = using_column(a, r, "right", name, from->using_at[i], &y);
        if (rc) return rc;
        skip[2 * i] = x;
        skip[2 * i + 1] = y;
        struct rel_column merged = from->join == JOIN_RIGHT ? *y : *x;
        if (!rc) rc = call_of(a, "=", from->using_at[i], column_new(a, from->at, x), column_new(a, from->at, y), &equal);
        if (!rc) rc = add_condition(a, from, equal);
        if (!rc && from->join == JOIN_FULL)
            rc = call_of(a, "COALESCE", from->at, column_new(a, from->at, x), column_new(a, from->at, y), &merged.merged);
        if (rc) return rc;
        ret->columns[ret->n_columns++] = merged;
    }
    append_columns(ret, l, skip, 2 * from->n_using);
    append_columns(ret, r, skip, 2 * from->n_using);
    return OK;
}

static enum code analyse_join(struct analyser *a, struct scope *s, struct sql_from *from, struct relation *ret) {
    struct relation l = { 0 }, r = { 0 };
    enum code rc = analyse_from(a, s, from->left, &l);
    if (!rc) rc = analyse_from(a, s, from->right, &r);
    if (!rc) rc = join_ranges(a, &l, &r, ret);
    if (rc) return rc;
    if (from->n_using) return analyse_using(a, from, &l, &r, ret);
    append_columns(ret, &l, NULL, 0);
    append_columns(ret, &r, NULL, 0);
    struct scope on = *s; /* ON sees the two sides of its own join */
    on.rel = *ret;
    on.clause = "JOIN ON clause";
    return analyse_bool(a, &on, &from->on, "JOIN ON clause");
}

enum code analyse_from(struct analyser *a, struct scope *s, struct sql_from *from, struct relation *ret) {
    *ret = (struct relation){ 0 };
    return from->kind == FROM_JOIN ? analyse_join(a, s, from, ret) : analyse_leaf(a, s, from, ret);
}
