/* analyse_names.c: what a name or a parameter stands for. */
#include <stdio.h>
#include "googlesql/analyser.h"

enum code fault(const struct analyser *a, enum code code, uint32_t at, const char *fmt, ...) {
    char message[800];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    return sql_error(a->err, code, a->text, at, "%s", message);
}

enum sql_type source_column_type(const struct sql_source *source, uint16_t column) {
    return source->table ? source->table->columns[column].type : source->query->columns[column].type;
}

struct str source_column_name(const struct sql_source *source, uint16_t column) {
    return source->table ? source->table->columns[column].name : source->query->columns[column].name;
}

size_t source_columns(const struct sql_source *source) {
    return source->table ? source->table->n_columns : source->query->n_columns;
}

static void mark(struct sql_source *source, uint16_t column) {
    if (source->used) source->used[column] = true;
}

void column_expr(struct sql_expr *e, struct sql_source *source, uint16_t column) {
    e->kind = EX_COLUMN;
    e->source = source;
    e->column = column;
    e->type = source_column_type(source, column);
    mark(source, column);
}

struct sql_expr *column_new(struct analyser *a, uint32_t at, const struct rel_column *column) {
    if (column->merged) return column->merged;
    struct sql_expr *e = ARENA_NEW(a->arena, struct sql_expr);
    if (!e) return NULL;
    e->at = at;
    column_expr(e, column->source, column->column);
    return e;
}

/* A select item as what it is (GROUP BY, HAVING) or as its number (ORDER BY). *ret_found says whether the alias is there.
 */
static enum code by_alias(struct analyser *a, const struct scope *s, struct sql_expr *e, struct str name, bool *ret_found) {
    size_t found = 0, index = 0;
    for (size_t i = 0; i < s->n_items_done; i++) {
        if (s->query->items[i].alias.n == 0 || !str_eq_nocase(s->query->items[i].alias, name)) continue;
        if (found++) return fault(a, INVALID_ARGUMENT, e->at, "Column name %.*s is ambiguous", STR_ARG(name));
        index = i;
    }
    *ret_found = found > 0;
    if (!found) return OK;
    uint32_t at = e->at;
    const struct sql_expr *item = s->query->items[index].expr;
    if (s->alias_items) *e = (struct sql_expr){ .kind = EX_ITEM, .type = item->type, .i = (int64_t)index };
    else *e = *item;
    e->at = at;
    return OK;
}

static enum code by_column(struct analyser *a, const struct scope *s, struct sql_expr *e, struct str name,
                           bool *ret_found) {
    const struct rel_column *hit = NULL;
    for (size_t i = 0; i < s->rel.n_columns; i++) {
        if (!str_eq_nocase(s->rel.columns[i].name, name)) continue;
        if (hit) return fault(a, INVALID_ARGUMENT, e->at, "Column name %.*s is ambiguous", STR_ARG(name));
        hit = &s->rel.columns[i];
    }
    *ret_found = hit != NULL;
    if (!hit) return OK;
    uint32_t at = e->at;
    if (hit->merged) *e = *hit->merged;
    else column_expr(e, hit->source, hit->column);
    e->at = at;
    return OK;
}

static struct sql_source *find_range(const struct scope *s, struct str name) {
    for (size_t i = 0; i < s->rel.n_ranges; i++)
        if (str_eq_nocase(s->rel.ranges[i]->alias, name)) return s->rel.ranges[i];
    return NULL;
}

static enum code in_range(struct analyser *a, struct sql_expr *e, struct sql_source *source) {
    struct str name = e->path[1];
    int hit = -1;
    for (size_t i = 0; i < source_columns(source); i++) {
        if (!str_eq_nocase(source_column_name(source, (uint16_t)i), name)) continue;
        if (hit >= 0) return fault(a, INVALID_ARGUMENT, e->at, "Column name %.*s is ambiguous", STR_ARG(name));
        hit = (int)i;
    }
    uint32_t after_dot = e->at + (uint32_t)(e->path[0].n + 1); /* exact unless quoted or spaced */
    if (hit < 0)
        return fault(a, INVALID_ARGUMENT, after_dot, "Name %.*s not found inside %.*s", STR_ARG(name),
                     STR_ARG(source->alias));
    if (e->n_path > 2)
        return fault(a, INVALID_ARGUMENT, e->at, "Cannot access field %.*s on a value with type %s", STR_ARG(e->path[2]),
                     sql_type_name(source_column_type(source, (uint16_t)hit)));
    column_expr(e, source, (uint16_t)hit);
    return OK;
}

static enum code in_scope(struct analyser *a, const struct scope *s, struct sql_expr *e, bool *ret_found) {
    struct str first = e->path[0];
    *ret_found = false;
    if (s->aliases && e->n_path == 1) {
        enum code rc = by_alias(a, s, e, first, ret_found);
        if (rc || *ret_found) return rc;
    }
    struct sql_source *range = find_range(s, first);
    if (range && e->n_path == 1)
        return fault(a, UNIMPLEMENTED, e->at, "The row %.*s as a STRUCT: not supported yet", STR_ARG(first));
    if (range) return *ret_found = true, in_range(a, e, range);
    struct str second = e->n_path > 1 ? e->path[1] : STR(""); /* by_column makes e another thing */
    enum code rc = by_column(a, s, e, first, ret_found);
    if (rc || !*ret_found || second.n == 0) return rc;
    return fault(a, INVALID_ARGUMENT, e->at, "Cannot access field %.*s on a value with type %s", STR_ARG(second),
                 sql_type_name(e->type));
}

static bool current_time(struct sql_expr *e) {
    static const char *const names[] = { "CURRENT_TIMESTAMP", "CURRENT_DATE" };
    for (size_t i = 0; i < COUNT(names); i++) {
        if (e->n_path != 1 || !str_eq_nocase(e->path[0], str_z(names[i]))) continue;
        e->kind = EX_CALL;
        e->text = str_z(names[i]);
        return true;
    }
    return false;
}

/* An upstream reads names by itself. Where it sees a column less than we do (one that is hidden from a star, one of today
 * in a read of yesterday), the name means what it finds further out: so that is read as well. */
static void mark_further(const struct scope *s, const struct str *path, size_t n_path) {
    for (; s; s = s->parent) {
        const struct sql_source *range = find_range(s, path[0]);
        for (size_t i = 0; i < s->rel.n_columns; i++) {
            const struct rel_column *c = &s->rel.columns[i];
            bool in_range = c->source == range && (n_path == 1 || str_eq_nocase(c->name, path[1]));
            if (in_range || str_eq_nocase(c->name, path[0])) mark(c->source, c->column);
        }
    }
}

enum code resolve_name(struct analyser *a, struct scope *s, struct sql_expr *e) {
    const struct str *path = e->path;
    size_t n_path = e->n_path;
    for (const struct scope *at = s; at; at = at->parent) {
        bool found;
        enum code rc = in_scope(a, at, e, &found);
        if (rc) return rc;
        if (!found) continue;
        if (a->catalog->upstream) mark_further(at, path, n_path);
        for (const struct scope *inner = s; inner != at; inner = inner->parent) inner->query->correlated = true;
        return OK;
    }
    if (current_time(e)) return resolve_call(a, s, e);
    return fault(a, INVALID_ARGUMENT, e->at, "Unrecognized name: %.*s", STR_ARG(e->path[0]));
}

enum code resolve_param(struct analyser *a, struct sql_expr *e) {
    for (size_t i = 0; i < a->n_used; i++) {
        if (!str_eq_nocase(a->used[i].name, e->text)) continue;
        e->i = (int64_t)i;
        e->type = a->used[i].type;
        return OK;
    }
    if (a->n_used >= SQL_MAX_PARAMS)
        return fault(a, INVALID_ARGUMENT, e->at, "The statement has more than %d parameters", SQL_MAX_PARAMS);
    if (!arena_grow(a->arena, &a->used, &a->cap_used, a->n_used + 1, sizeof *a->used)) return err_oom(a->err);
    struct sql_param p = { .name = e->text };
    for (size_t i = 0; i < a->n_params; i++)
        if (str_eq_nocase(a->params[i].name, e->text))
            p = (struct sql_param){ e->text, a->params[i].type, a->params[i].type != SQL_UNKNOWN };
    e->i = (int64_t)a->n_used;
    e->type = p.type;
    a->used[a->n_used++] = p;
    return OK;
}
