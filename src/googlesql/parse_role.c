/* parse_role.c: CREATE ROLE, DROP ROLE, GRANT and REVOKE of privileges on tables. The rest by name: roles of roles, and
 * privileges on views, change streams, sequences, models and schemas. */
#include "googlesql/parser.h"

/* Spanner's own roles cannot be made or dropped, and here nothing is granted to them. */
static enum code parse_role_name(struct parser *p, struct str *ret) {
    uint32_t at = here(p);
    enum code rc = parse_object_name(p, ret);
    if (rc) return rc;
    if (str_eq_nocase(*ret, STR("public")) || str_eq_nocase(str_upto(*ret, 8), STR("spanner_")))
        return sql_error(p->err, UNIMPLEMENTED, p->text, at, "System roles are not supported: %.*s", STR_ARG(*ret));
    if (ret->n <= SQL_MAX_IDENTIFIER) return OK;
    return sql_error(p->err, INVALID_ARGUMENT, p->text, at, "A role's name has at most %d characters", SQL_MAX_IDENTIFIER);
}

enum code parse_create_role(struct parser *p, struct sql_ddl *d) {
    d->kind = DDL_CREATE_ROLE;
    return parse_role_name(p, &d->name);
}

enum code parse_drop_role(struct parser *p, struct sql_ddl *d) {
    d->kind = DDL_DROP_ROLE;
    return parse_role_name(p, &d->name);
}

/* a, b, c */
static enum code parse_names(struct parser *p, enum code (*one)(struct parser *p, struct str *ret), const struct str **ret,
                             size_t *ret_n) {
    struct str *names = NULL;
    size_t n = 0, cap = 0;
    enum code rc;
    do {
        if (!arena_grow(p->arena, &names, &cap, n + 1, sizeof *names)) return err_oom(p->err);
        rc = one(p, &names[n]);
        if (rc) return rc;
        n++;
    } while (take_punct(p, ","));
    *ret = names;
    *ret_n = n;
    return OK;
}

/* SELECT, INSERT(a, b), … */
static enum code parse_privilege(struct parser *p, struct sql_privilege_item *ret) {
    uint32_t at = here(p);
    int found = 0;
    while (found < SQL_PRIVILEGES && !take_keyword(p, sql_privilege_name((enum sql_privilege)found))) found++;
    if (found == SQL_PRIVILEGES) {
        if (is_keyword(p, 0, "EXECUTE") || is_keyword(p, 0, "USAGE"))
            return unsupported(p, at, "Privileges other than SELECT, INSERT, UPDATE and DELETE");
        return expected(p, "SELECT, INSERT, UPDATE or DELETE");
    }
    *ret = (struct sql_privilege_item){ .privilege = (enum sql_privilege)found };
    if (!is_punct(p, 0, "(")) return OK;
    if (ret->privilege == SQL_DELETE)
        return sql_error(p->err, INVALID_ARGUMENT, p->text, at, "DELETE is granted on tables, not on columns");
    enum code rc = expect_punct(p, "(");
    if (!rc) rc = parse_names(p, parse_object_name, &ret->columns, &ret->n_columns);
    return rc ? rc : expect_punct(p, ")");
}

static enum code parse_privileges(struct parser *p, struct sql_grants *g) {
    struct sql_privilege_item *items = NULL;
    size_t cap = 0;
    do {
        if (!arena_grow(p->arena, &items, &cap, g->n_privileges + 1, sizeof *items)) return err_oom(p->err);
        enum code rc = parse_privilege(p, &items[g->n_privileges]);
        if (rc) return rc;
        g->n_privileges++;
    } while (take_punct(p, ","));
    g->privileges = items;
    return OK;
}

static enum code parse_tables(struct parser *p, struct sql_grants *g) {
    static const char *const later[] = { "VIEW", "CHANGE", "SEQUENCE", "MODEL", "SCHEMA", "ALL" };
    enum code rc = expect_keyword(p, "ON");
    if (rc) return rc;
    for (size_t i = 0; i < COUNT(later); i++)
        if (is_keyword(p, 0, later[i])) return unsupported(p, here(p), "Privileges on other objects than named tables");
    rc = expect_keyword(p, "TABLE");
    return rc ? rc : parse_names(p, parse_object_name, &g->tables, &g->n_tables);
}

static enum code parse_granting(struct parser *p, struct sql_ddl *d, const char *preposition) {
    if (is_keyword(p, 0, "ROLE")) return unsupported(p, here(p), "Roles that are granted to roles");
    enum code rc = parse_privileges(p, &d->grants);
    if (!rc) rc = parse_tables(p, &d->grants);
    if (!rc) rc = expect_keyword(p, preposition);
    if (!rc) rc = expect_keyword(p, "ROLE");
    return rc ? rc : parse_names(p, parse_role_name, &d->grants.roles, &d->grants.n_roles);
}

enum code parse_grant(struct parser *p, struct sql_ddl *d) {
    d->kind = DDL_GRANT;
    return parse_granting(p, d, "TO");
}

enum code parse_revoke(struct parser *p, struct sql_ddl *d) {
    d->kind = DDL_REVOKE;
    return parse_granting(p, d, "FROM");
}
