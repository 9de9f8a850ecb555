#include "spanner/role_plan.h"
#include "googlesql/print.h"

enum { MAX_STATEMENT = 4 << 20 };

struct planner {
    const struct policy *policy;
    struct str path;
    const struct sql_catalog *catalog;
    struct arena *arena;
    struct role_plan plan;
    size_t roles_cap;
    struct err *err;
};

/* A role's statements while they are made. */
struct writing {
    struct planner *p;
    struct role_plan_role *role;
    size_t cap;
};

static enum code keep(struct writing *w, const struct buf *text) {
    struct role_plan_role *r = w->role;
    if (!arena_grow(w->p->arena, &r->statements, &w->cap, r->n_statements + 1, sizeof *r->statements))
        return err_oom(w->p->err);
    r->statements[r->n_statements] = str_dup(w->p->arena, buf_str(text));
    return buf_ok(text) && r->statements[r->n_statements++].p ? OK : err_oom(w->p->err);
}

static enum code write_grants(struct writing *w, const struct sql_privilege_item *items, size_t n, const struct str *table,
                              bool revoke) {
    DEFER(buf_free) struct buf text = BUF_INIT(MAX_STATEMENT);
    if (!n) return OK;
    sql_print_grants(&(struct sql_grants){ items, table, &w->role->name, n, 1, 1 }, revoke, &text);
    return keep(w, &text);
}

/* ---- what a role holds and should not ---- */

static const struct policy_right *wanted(const struct policy_rights *rights, const struct sql_grant *held) {
    for (size_t i = 0; i < rights->n; i++)
        if (str_eq_nocase(rights->items[i].table, held->table) &&
            generated_privilege(rights->items[i].verb) == held->privilege)
            return &rights->items[i];
    return NULL;
}

static bool names(const struct policy_right *right, struct str column) {
    for (size_t i = 0; right && i < right->n_columns; i++)
        if (str_eq_nocase(right->columns[i], column)) return true;
    return false;
}

/* Privileges on the table and on its columns are revoked one by one: neither takes the other along everywhere. Single
 * columns beside a right on the whole table change nothing: they stay. */
static enum code revoke_surplus(struct writing *w, const struct sql_grant *held) {
    const struct policy_right *right = wanted(&w->role->rights, held);
    struct sql_privilege_item item = { .privilege = held->privilege };
    if (right && !right->n_columns) return OK;
    enum code rc = held->whole ? write_grants(w, &item, 1, &held->table, true) : OK;
    struct str *columns = ARENA_ARRAY(w->p->arena, struct str, held->n_columns + 1);
    if (!rc && !columns) return err_oom(w->p->err);
    for (size_t i = 0; !rc && i < held->n_columns; i++)
        if (!names(right, held->columns[i])) columns[item.n_columns++] = held->columns[i];
    item.columns = columns;
    return rc || !item.n_columns ? rc : write_grants(w, &item, 1, &held->table, true);
}

/* ---- what it does not hold and should ---- */

/* After the revocations: a table's grant that had to go may have taken the columns' with it. */
static enum code missing(struct writing *w, const struct sql_role *role, const struct policy_right *right,
                         struct sql_privilege_item *ret, bool *ret_any) {
    enum sql_privilege privilege = generated_privilege(right->verb);
    const struct sql_grant *held = role ? sql_role_grant(role, privilege, right->table) : NULL;
    *ret = (struct sql_privilege_item){ privilege, right->columns, right->n_columns };
    *ret_any = !held || (right->n_columns ? held->whole : !held->whole);
    if (*ret_any || !right->n_columns) return OK;
    struct str *columns = ARENA_ARRAY(w->p->arena, struct str, right->n_columns);
    if (!columns) return err_oom(w->p->err);
    ret->columns = columns;
    ret->n_columns = 0;
    for (size_t i = 0; i < right->n_columns; i++)
        if (!sql_role_may(role, privilege, right->table, &right->columns[i], 1))
            columns[ret->n_columns++] = right->columns[i];
    *ret_any = ret->n_columns > 0;
    return OK;
}

/* One statement a table: its rights stand together. */
static enum code grant_missing(struct writing *w, const struct sql_role *role) {
    const struct policy_rights *rights = &w->role->rights;
    enum code rc = OK;
    for (size_t i = 0; !rc && i < rights->n;) {
        struct sql_privilege_item items[SQL_PRIVILEGES];
        const struct str *table = &rights->items[i].table;
        size_t n = 0;
        for (; !rc && i < rights->n && str_eq(rights->items[i].table, *table); i++) {
            bool any;
            rc = missing(w, role, &rights->items[i], &items[n], &any);
            n += any;
        }
        if (!rc) rc = write_grants(w, items, n, table, false);
    }
    return rc;
}

static enum code write_role(struct planner *p, struct role_plan_role *r) {
    const struct sql_role *role = sql_role_find(p->catalog, r->name);
    struct writing w = { .p = p, .role = r };
    enum code rc = OK;
    r->exists = role != NULL;
    if (!role) {
        DEFER(buf_free) struct buf text = BUF_INIT(MAX_STATEMENT);
        sql_print_role(r->name, &text);
        rc = keep(&w, &text);
    }
    for (size_t i = 0; !rc && role && i < role->n_grants; i++) rc = revoke_surplus(&w, &role->grants[i]);
    return rc ? rc : grant_missing(&w, role);
}

/* ---- which roles ---- */

static enum code join_names(struct planner *p, const struct policy_names *set, struct str *ret) {
    DEFER(buf_free) struct buf text = BUF_INIT(1 << 20);
    for (size_t i = 0; i < set->n; i++) {
        if (i) buf_add_char(&text, ',');
        buf_add_str(&text, set->items[i]);
    }
    *ret = str_dup(p->arena, buf_str(&text));
    return buf_ok(&text) && ret->p ? OK : err_oom(p->err);
}

static struct role_plan_role *find_planned(struct planner *p, struct str name) {
    for (size_t i = 0; i < p->plan.n_roles; i++)
        if (str_eq(p->plan.roles[i].name, name)) return &p->plan.roles[i];
    return NULL;
}

static enum code add_bearer(struct planner *p, const struct policy_rights *rights, const struct policy_names *set,
                            size_t n_sets) {
    char name[POLICY_ROLE_NAME_BYTES];
    policy_role_name(rights, name);
    struct role_plan_role *r = find_planned(p, str_z(name));
    if (!r) {
        if (!arena_grow(p->arena, &p->plan.roles, &p->roles_cap, p->plan.n_roles + 1, sizeof *r)) return err_oom(p->err);
        r = &p->plan.roles[p->plan.n_roles];
        *r = (struct role_plan_role){ .name = str_dup(p->arena, str_z(name)),
                                      .bearers = ARENA_ARRAY(p->arena, struct str, n_sets),
                                      .rights = *rights };
        if (!r->name.p || !r->bearers) return err_oom(p->err);
        p->plan.n_roles++;
    }
    return join_names(p, set, &r->bearers[r->n_bearers++]);
}

static enum code add_set(struct planner *p, const struct policy_names *set, size_t n_sets) {
    struct policy_rights rights;
    bool may;
    const struct policy_subject *subject = policy_subject_named(p->policy, set->items, set->n, p->arena);
    if (!subject) return err_oom(p->err);
    enum code rc = policy_may_ever_use(p->policy, subject, p->path, &may, p->err);
    if (rc || !may) return rc;
    rc = generated_rights(p->policy, subject, p->path, p->catalog, p->arena, &rights, p->err);
    return rc ? rc : add_bearer(p, &rights, set, n_sets);
}

/* ---- which no more ---- */

static enum code add_stale(struct planner *p, const struct sql_role *role) {
    struct role_plan_role *r = &p->plan.stale[p->plan.n_stale++];
    struct writing w = { .p = p, .role = r };
    DEFER(buf_free) struct buf text = BUF_INIT(MAX_STATEMENT);
    *r = (struct role_plan_role){ .name = role->name, .exists = true };
    enum code rc = OK;
    for (size_t i = 0; !rc && i < role->n_grants; i++) rc = revoke_surplus(&w, &role->grants[i]);
    buf_add_z(&text, "DROP ROLE ");
    sql_print_name(role->name, &text);
    return rc ? rc : keep(&w, &text);
}

static enum code add_all_stale(struct planner *p) {
    enum code rc = OK;
    p->plan.stale = ARENA_ARRAY(p->arena, struct role_plan_role, p->catalog->n_roles + 1);
    if (!p->plan.stale) return err_oom(p->err);
    for (size_t i = 0; !rc && i < p->catalog->n_roles; i++) {
        const struct sql_role *role = &p->catalog->roles[i];
        if (policy_is_role_name(role->name) && !find_planned(p, role->name)) rc = add_stale(p, role);
    }
    return rc;
}

static enum code check_names(struct planner *p, const struct policy_names *all, const struct policy_names *set) {
    for (size_t i = 0; i < set->n; i++) {
        size_t k = 0;
        while (k < all->n && !str_eq(all->items[k], set->items[i])) k++;
        if (k == all->n)
            return err_set(p->err, NOT_FOUND, "the policy has no identity or account \"%.*s\"",
                           STR_ARG(str_upto(set->items[i], 100)));
    }
    return OK;
}

enum code role_plan_make(const struct policy *policy, struct str path, const struct sql_catalog *catalog,
                         const struct policy_names *sets, size_t n, struct arena *arena, struct role_plan *ret,
                         struct err *err) {
    struct planner p = { .policy = policy, .path = path, .catalog = catalog, .arena = arena, .err = err };
    struct policy_names all;
    if (!policy_subject_names(policy, arena, &all)) return err_oom(err);
    size_t count = sets ? n : all.n;
    enum code rc = OK;
    for (size_t i = 0; !rc && i < count; i++) {
        struct policy_names one = sets ? sets[i] : (struct policy_names){ &all.items[i], 1 };
        rc = check_names(&p, &all, &one);
        if (!rc) rc = add_set(&p, &one, count);
    }
    if (!rc && !sets) rc = add_all_stale(&p);
    for (size_t i = 0; !rc && i < p.plan.n_roles; i++) rc = write_role(&p, &p.plan.roles[i]);
    if (!rc) *ret = p.plan;
    return rc;
}
