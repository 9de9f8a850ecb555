#include "spanner/roles.h"
#include "googlesql/print.h"
#include "spanner/finish.h"

enum { MAX_STATEMENT = 1 << 20 };
#define NO_SUCH_ROLE UINT32_MAX /* an id that no role has */

/* ---- sessions ---- */

enum code role_choose(struct call *call, struct target *t, struct str name, struct err *err) {
    if (!name.n) return OK;
    if (t->far)
        return err_set(err, UNIMPLEMENTED, "On an upstream connection the database role is not chosen by the client: %.*s",
                       STR_ARG(str_upto(name, 64)));
    enum code rc = target_schema(call, t, err);
    if (rc) return rc;
    const struct sql_role *role = sql_role_find(t->catalog, name);
    t->state.role = role ? role->id : NO_SUCH_ROLE;
    if (role || !target_may_learn(call, t)) return OK; /* who holds nothing is refused anyway */
    return err_set(err, NOT_FOUND, "Role not found: %.*s", STR_ARG(str_upto(name, 200)));
}

struct str role_name(const struct target *t, uint32_t id) {
    const struct sql_role *role = id && t->catalog ? sql_role_by_id(t->catalog, id) : NULL;
    return role ? role->name : STR("");
}

/* Which privilege stands for a verb; the other verbs are none that a session can ask for. */
static const struct {
    enum verb verb;
    enum sql_privilege privilege;
} privileges[] = {
    { VERB_READ, SQL_SELECT },
    { VERB_INSERT, SQL_INSERT },
    { VERB_UPDATE, SQL_UPDATE },
    { VERB_DELETE, SQL_DELETE },
};

static bool may(const struct sql_role *role, const struct atom *atom) {
    if (atom->verb == VERB_USE) return true;
    for (size_t i = 0; i < COUNT(privileges); i++) {
        if (privileges[i].verb != atom->verb) continue;
        if (atom->any_column) return sql_role_grant(role, privileges[i].privilege, atom->object) != NULL;
        return sql_role_may(role, privileges[i].privilege, atom->object, atom->columns, atom->n_columns);
    }
    return false;
}

static enum code check(const struct call *call, struct err *err) {
    const struct target *t = call->fence_ctx;
    const struct sql_role *role = sql_role_by_id(t->catalog, t->state.role);
    if (!role) return err_set(err, PERMISSION_DENIED, "The session's database role was dropped: make a new session");
    for (size_t i = 0; i < call->atoms.n; i++)
        if (!may(role, &call->atoms.items[i]))
            return err_set(err, PERMISSION_DENIED, "Role %.*s does not have required privileges on table %.*s.",
                           STR_ARG(role->name), STR_ARG(str_upto(call->atoms.items[i].object, 200)));
    return OK;
}

enum code role_fence(struct call *call, struct target *t, struct err *err) {
    if (!t->state.role) return OK;
    call->fence = check;
    call->fence_ctx = t;
    return target_schema(call, t, err);
}

bool role_sees(const struct target *t, struct str table) {
    if (!t->state.role) return true;
    const struct sql_role *role = sql_role_by_id(t->catalog, t->state.role);
    return role && sql_role_sees(role, table);
}

/* ---- DDL ---- */

static bool keep(struct arena *arena, const struct buf *text, struct str *items, size_t *n) {
    items[*n] = str_dup(arena, buf_str(text));
    return buf_ok(text) && items[(*n)++].p;
}

static bool keep_grant(struct arena *arena, const struct sql_role *role, const struct sql_grant *grant, bool whole,
                       struct str *items, size_t *n) {
    DEFER(buf_free) struct buf text = BUF_INIT(MAX_STATEMENT);
    struct sql_privilege_item item = { grant->privilege, grant->columns, whole ? 0 : grant->n_columns };
    sql_print_grants(&(struct sql_grants){ &item, &grant->table, &role->name, 1, 1, 1 }, false, &text);
    return keep(arena, &text, items, n);
}

static bool keep_role(struct arena *arena, const struct sql_role *role, struct str *items, size_t *n) {
    DEFER(buf_free) struct buf text = BUF_INIT(MAX_STATEMENT);
    sql_print_role(role->name, &text);
    bool ok = keep(arena, &text, items, n);
    for (size_t i = 0; ok && i < role->n_grants; i++) {
        const struct sql_grant *grant = &role->grants[i];
        if (grant->whole) ok = keep_grant(arena, role, grant, true, items, n);
        if (ok && grant->n_columns) ok = keep_grant(arena, role, grant, false, items, n);
    }
    return ok;
}

bool role_statements(struct arena *arena, const struct sql_catalog *catalog, struct str **items, size_t *n) {
    size_t cap = *n, need = *n;
    for (size_t i = 0; i < catalog->n_roles; i++) need += 1 + 2 * catalog->roles[i].n_grants;
    bool ok = need == *n || arena_grow(arena, items, &cap, need, sizeof **items);
    for (size_t i = 0; ok && i < catalog->n_roles; i++) ok = keep_role(arena, &catalog->roles[i], *items, n);
    return ok;
}

/* ---- ListDatabaseRoles ---- */

/* Roles are part of the schema: who may read it may list them. */
enum code classify_list_roles(struct call *call, struct err *err) {
    const struct spanner_db_ListDatabaseRolesRequest *q = call->request;
    struct target *t = ARENA_NEW(call->arena, struct target);
    if (!t) return err_oom(err);
    call->prepared = t;
    enum code rc = target_database(call, q->parent, t, err);
    if (!rc && q->page_token.n) rc = err_set(err, INVALID_ARGUMENT, "Invalid page_token: all roles are on one page");
    if (!rc && !t->far) rc = target_schema(call, t, err);
    return rc ? rc : target_atom(call, t, (struct atom){ .verb = VERB_READ_SCHEMA }, err);
}

void handle_list_roles(struct call *call) {
    const struct target *t = call->prepared;
    struct spanner_db_ListDatabaseRolesResponse response = { 0 };
    struct spanner_db_DatabaseRole *roles = ARENA_ARRAY(call->arena, struct spanner_db_DatabaseRole,
                                                        t->catalog->n_roles + 1);
    struct err err = { 0 };
    enum code rc = roles ? OK : err_oom(&err);
    for (size_t i = 0; !rc && i < t->catalog->n_roles; i++) {
        roles[i].name = arena_printf(call->arena, "%.*s/databaseRoles/%.*s", STR_ARG(call->resource),
                                     STR_ARG(t->catalog->roles[i].name));
        if (!roles[i].name.p) rc = err_oom(&err);
    }
    response.database_roles.p = roles;
    response.database_roles.n = t->catalog->n_roles;
    finish_message(call, rc, &response, &err);
}
