#include "googlesql/outline.h"
#include <stdlib.h>
#include "googlesql/parse.h"
#include "googlesql/parser.h"

enum { MAX_TABLES = 5000 };

struct outline_role {
    struct sql_role role;
    struct sql_grant *grants;
    size_t cap;
};

struct sql_outline {
    struct arena *arena;
    struct sql_table **tables;
    struct outline_role *roles;
    size_t n_tables, tables_cap, n_roles, roles_cap;
};

struct sql_outline *sql_outline_new(struct arena *arena) {
    struct sql_outline *o = ARENA_NEW(arena, struct sql_outline);
    if (o) o->arena = arena;
    return o;
}

/* ---- CREATE TABLE name (column TYPE …, CONSTRAINT …, …) ---- */

/* A table's own constraints begin with words that may also be a column's name; a type follows a name. */
static bool is_column(const struct parser *p) {
    bool constraint = is_keyword(p, 0, "CONSTRAINT") && (is_keyword(p, 2, "FOREIGN") || is_keyword(p, 2, "CHECK"));
    bool key = (is_keyword(p, 0, "FOREIGN") || is_keyword(p, 0, "PRIMARY")) && is_keyword(p, 1, "KEY");
    enum token_kind first = token_at(p, 0).kind;
    return (first == TOKEN_NAME || first == TOKEN_QUOTED) && token_at(p, 1).kind == TOKEN_NAME && !constraint && !key;
}

/* To the comma behind this element, or to the parenthesis that ends the list. False: the text ends first. */
static bool skip_element(struct parser *p, bool *ret_generated) {
    *ret_generated = false;
    for (unsigned depth = 0; token_at(p, 0).kind != TOKEN_END; p->at++) {
        if (depth == 0 && is_keyword(p, 0, "AS") && is_punct(p, 1, "(")) *ret_generated = true;
        if (is_punct(p, 0, "(")) depth++;
        if (depth == 0 && (is_punct(p, 0, ",") || is_punct(p, 0, ")"))) return true;
        if (is_punct(p, 0, ")")) depth--;
    }
    return false;
}

static enum code read_columns(struct parser *p, struct sql_table *t) {
    struct sql_column *columns = NULL;
    size_t cap = 0;
    while (!take_punct(p, ")")) {
        bool column = is_column(p), generated;
        if (column) {
            if (t->n_columns >= SQL_MAX_COLUMNS)
                return sql_error(p->err, INVALID_ARGUMENT, p->text, here(p), "A table has at most %d columns",
                                 SQL_MAX_COLUMNS);
            if (!arena_grow(p->arena, &columns, &cap, t->n_columns + 1u, sizeof *columns)) return err_oom(p->err);
            enum code rc = parse_name(p, &columns[t->n_columns++].name);
            if (rc) return rc;
        }
        if (!skip_element(p, &generated)) return unexpected(p);
        if (column) columns[t->n_columns - 1].generated = generated;
        (void)take_punct(p, ",");
    }
    t->columns = columns;
    return OK;
}

static enum code add_table(struct sql_outline *o, struct parser *p, bool *ret_passed) {
    struct sql_table *t = ARENA_NEW(o->arena, struct sql_table);
    if (!t || !arena_grow(o->arena, &o->tables, &o->tables_cap, o->n_tables + 1, sizeof *o->tables)) return err_oom(p->err);
    if (o->n_tables == MAX_TABLES) return err_set(p->err, RESOURCE_EXHAUSTED, "more than %d tables", MAX_TABLES);
    if (is_keyword(p, 0, "IF")) p->at += 3; /* NOT EXISTS */
    enum code rc = parse_name(p, &t->name);
    if (rc) return rc;
    *ret_passed = is_punct(p, 0, ".");
    if (*ret_passed) return OK;
    rc = expect_punct(p, "(");
    if (!rc) rc = read_columns(p, t);
    if (!rc) o->tables[o->n_tables++] = t;
    return rc;
}

/* ---- CREATE ROLE, GRANT ---- */

static struct outline_role *find_role(const struct sql_outline *o, struct str name) {
    for (size_t i = 0; i < o->n_roles; i++)
        if (str_eq_nocase(o->roles[i].role.name, name)) return &o->roles[i];
    return NULL;
}

static const struct sql_table *find_table(const struct sql_outline *o, struct str name) {
    for (size_t i = 0; i < o->n_tables; i++)
        if (str_eq_nocase(o->tables[i]->name, name)) return o->tables[i];
    return NULL;
}

static enum code add_role(struct sql_outline *o, struct str name, struct err *err) {
    if (!arena_grow(o->arena, &o->roles, &o->roles_cap, o->n_roles + 1, sizeof *o->roles)) return err_oom(err);
    o->roles[o->n_roles++] = (struct outline_role){ .role = { .name = name, .id = (uint32_t)o->n_roles + 1 } };
    return OK;
}

static struct sql_grant *grant_of(struct sql_outline *o, struct outline_role *r, enum sql_privilege privilege,
                                  struct str table) {
    for (size_t i = 0; i < r->role.n_grants; i++)
        if (r->grants[i].privilege == privilege && str_eq(r->grants[i].table, table)) return &r->grants[i];
    if (!arena_grow(o->arena, &r->grants, &r->cap, r->role.n_grants + 1, sizeof *r->grants)) return NULL;
    r->role.grants = r->grants;
    r->grants[r->role.n_grants] = (struct sql_grant){ .privilege = privilege, .table = table };
    return &r->grants[r->role.n_grants++];
}

static enum code add_privilege(struct sql_outline *o, struct outline_role *r, const struct sql_table *t,
                               const struct sql_privilege_item *item, struct err *err) {
    struct sql_grant *g = grant_of(o, r, item->privilege, t->name);
    struct str *columns = g ? ARENA_ARRAY(o->arena, struct str, g->n_columns + item->n_columns + 1) : NULL;
    if (!columns) return err_oom(err);
    if (!item->n_columns) g->whole = true;
    for (size_t i = 0; i < g->n_columns; i++) columns[i] = g->columns[i];
    for (size_t i = 0; i < item->n_columns; i++) {
        int at = sql_table_find(t, item->columns[i]);
        if (at < 0)
            return err_set(err, INVALID_ARGUMENT, "Column not found: %.*s", STR_ARG(str_upto(item->columns[i], 200)));
        columns[g->n_columns++] = t->columns[at].name;
    }
    g->columns = columns;
    return OK;
}

static enum code add_grants(struct sql_outline *o, const struct sql_grants *grants, struct err *err) {
    enum code rc = OK;
    for (size_t i = 0; i < grants->n_roles; i++)
        for (size_t k = 0; k < grants->n_tables; k++) {
            struct outline_role *r = find_role(o, grants->roles[i]);
            const struct sql_table *t = find_table(o, grants->tables[k]);
            if (!r || !t)
                return err_set(err, INVALID_ARGUMENT, "%s not found: %.*s", r ? "Table" : "Role",
                               STR_ARG(str_upto(r ? grants->tables[k] : grants->roles[i], 200)));
            for (size_t j = 0; !rc && j < grants->n_privileges; j++)
                rc = add_privilege(o, r, t, &grants->privileges[j], err);
        }
    return rc;
}

/* Statements that this program does not serve say nothing that counts here: grants on views, roles of roles. */
static enum code add_role_statement(struct sql_outline *o, struct str statement, bool *ret_passed, struct err *err) {
    struct sql_ddl *d;
    enum code rc = sql_parse_ddl(o->arena, statement, &d, err);
    *ret_passed = rc == UNIMPLEMENTED;
    if (rc) return *ret_passed ? OK : rc;
    if (d->kind == DDL_CREATE_ROLE) return add_role(o, d->name, err);
    return add_grants(o, &d->grants, err);
}

enum code sql_outline_add(struct sql_outline *o, struct str statement, bool *ret_passed, struct err *err) {
    struct parser p = { .arena = o->arena, .text = statement, .err = err };
    *ret_passed = false;
    enum code rc = lex(o->arena, statement, &p.tokens, err);
    if (rc) return rc;
    bool create = take_keyword(&p, "CREATE");
    if (create && take_keyword(&p, "TABLE")) return add_table(o, &p, ret_passed);
    if ((create && is_keyword(&p, 0, "ROLE")) || is_keyword(&p, 0, "GRANT"))
        return add_role_statement(o, statement, ret_passed, err);
    *ret_passed = true;
    return OK;
}

/* ---- the catalog ---- */

static int fold(char c) {
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static int by_name(const void *a, const void *b) {
    struct str x = (*(const struct sql_table *const *)a)->name, y = (*(const struct sql_table *const *)b)->name;
    for (size_t i = 0; i < x.n && i < y.n; i++)
        if (fold(x.p[i]) != fold(y.p[i])) return fold(x.p[i]) - fold(y.p[i]);
    return x.n < y.n ? -1 : x.n > y.n;
}

enum code sql_outline_catalog(const struct sql_outline *o, struct sql_catalog *ret, struct err *err) {
    const struct sql_table **tables = ARENA_ARRAY(o->arena, const struct sql_table *, o->n_tables + 1);
    struct sql_role *roles = ARENA_ARRAY(o->arena, struct sql_role, o->n_roles + 1);
    if (!tables || !roles) return err_oom(err);
    for (size_t i = 0; i < o->n_tables; i++) tables[i] = o->tables[i];
    for (size_t i = 0; i < o->n_roles; i++) roles[i] = o->roles[i].role;
    qsort(tables, o->n_tables, sizeof *tables, by_name);
    *ret = (struct sql_catalog){ .tables = tables, .n_tables = o->n_tables, .roles = roles, .n_roles = o->n_roles };
    return OK;
}
