/* Database roles in the file: their names, and what they were granted, by the ids of tables and columns. */
#include "engine/db.h"

static const char room_sql[] =
    "CREATE TABLE IF NOT EXISTS roles(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE);"
    "CREATE TABLE IF NOT EXISTS grants(role_id INTEGER NOT NULL, table_id INTEGER NOT NULL, privilege INTEGER NOT NULL,"
    " column_id INTEGER NOT NULL, PRIMARY KEY(role_id, table_id, privilege, column_id)) WITHOUT ROWID"; /* column 0: the
                                                                                                           table */

enum code roles_make_room(struct store *s, struct err *err) {
    return store_exec(s, room_sql, err);
}

/* One row of SQL with ids for ?1 … */
static enum code run_ids(struct store *s, struct str sql, const int64_t *ids, int n, struct err *err) {
    sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(s, sql, &stmt, err);
    if (rc) return rc;
    for (int i = 0; i < n; i++) sqlite3_bind_int64(stmt, i + 1, ids[i]);
    return store_run(stmt, err);
}

/* ---- CREATE, DROP ---- */

static enum code create_role(struct engine_db *db, struct str name, struct err *err) {
    const struct sql_catalog *catalog = &db->catalog->sql;
    sqlite3_stmt *stmt = NULL;
    uint32_t id = 0;
    if (sql_role_find(catalog, name))
        return err_set(err, FAILED_PRECONDITION, "Duplicate name in schema: %.*s.", STR_ARG(name));
    if (catalog->n_roles >= SQL_MAX_ROLES)
        return err_set(err, FAILED_PRECONDITION, "Too many roles; the maximum is %d.", SQL_MAX_ROLES);
    enum code rc = ddl_next_id(db->store, &id, err);
    if (!rc) rc = store_prepare(db->store, STR("INSERT INTO roles VALUES(?1, ?2)"), &stmt, err);
    if (rc) return rc;
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_text64(stmt, 2, name.p, name.n, SQLITE_STATIC, SQLITE_UTF8);
    return store_run(stmt, err);
}

static enum code find_role(const struct engine_db *db, struct str name, const struct sql_role **ret, struct err *err) {
    *ret = sql_role_find(&db->catalog->sql, name);
    return *ret ? OK : err_set(err, NOT_FOUND, "Role not found: %.*s", STR_ARG(str_upto(name, 200)));
}

static enum code drop_role(struct engine_db *db, struct str name, struct err *err) {
    const struct sql_role *role;
    enum code rc = find_role(db, name, &role, err);
    if (rc) return rc;
    if (role->n_grants)
        return err_set(err, FAILED_PRECONDITION, "Cannot drop role %.*s: revoke its privileges on table %.*s first.",
                       STR_ARG(role->name), STR_ARG(role->grants[0].table));
    return run_ids(db->store, STR("DELETE FROM roles WHERE id = ?1"), &(int64_t){ role->id }, 1, err);
}

/* ---- GRANT, REVOKE ---- */

static enum code change_one(struct store *s, bool grant, const int64_t ids[4], struct err *err) {
    static const char all[] = "DELETE FROM grants WHERE role_id = ?1 AND table_id = ?2 AND privilege = ?3",
                      one[] =
                          "DELETE FROM grants WHERE role_id = ?1 AND table_id = ?2 AND privilege = ?3 AND column_id = ?4";
    if (grant) return run_ids(s, STR("INSERT OR IGNORE INTO grants VALUES(?1, ?2, ?3, ?4)"), ids, 4, err);
    return ids[3] ? run_ids(s, str_z(one), ids, 4, err) : run_ids(s, str_z(all), ids, 3, err);
}

static enum code change_item(struct store *s, bool grant, const struct sql_role *role, const struct sql_table *t,
                             const struct sql_privilege_item *item, struct err *err) {
    int64_t ids[4] = { role->id, t->id, item->privilege, 0 };
    enum code rc = item->n_columns ? OK : change_one(s, grant, ids, err);
    for (size_t i = 0; !rc && i < item->n_columns; i++) {
        int column = sql_table_find(t, item->columns[i]);
        if (column < 0)
            return err_set(err, NOT_FOUND, "Column not found in table %.*s: %.*s", STR_ARG(t->name),
                           STR_ARG(str_upto(item->columns[i], 200)));
        ids[3] = t->columns[column].id;
        rc = change_one(s, grant, ids, err);
    }
    return rc;
}

static enum code change_role(struct engine_db *db, bool grant, const struct sql_role *role, const struct sql_grants *g,
                             struct err *err) {
    enum code rc = OK;
    for (size_t i = 0; !rc && i < g->n_tables; i++) {
        const struct sql_table *t = sql_catalog_find(&db->catalog->sql, g->tables[i]);
        if (!t) return err_set(err, NOT_FOUND, "Table not found: %.*s", STR_ARG(str_upto(g->tables[i], 200)));
        for (size_t k = 0; !rc && k < g->n_privileges; k++)
            rc = change_item(db->store, grant, role, t, &g->privileges[k], err);
    }
    return rc;
}

enum code roles_apply(struct engine_db *db, const struct engine_ddl *ddl, struct err *err) {
    enum code rc = OK;
    if (ddl->kind == ENGINE_CREATE_ROLE) return create_role(db, ddl->role, err);
    if (ddl->kind == ENGINE_DROP_ROLE) return drop_role(db, ddl->role, err);
    for (size_t i = 0; !rc && i < ddl->grants.n_roles; i++) {
        const struct sql_role *role;
        rc = find_role(db, ddl->grants.roles[i], &role, err);
        if (!rc) rc = change_role(db, ddl->kind == ENGINE_GRANT, role, &ddl->grants, err);
    }
    return rc;
}

/* As Spanner: what a role was granted anything on stays, so that no later table or column inherits a right by its name. */
enum code roles_check_unused(struct store *s, const struct sql_table *t, int column, struct err *err) {
    static const char sql[] = "SELECT r.name FROM grants g JOIN roles r ON r.id = g.role_id WHERE g.table_id = ?1"
                              " AND (?2 = 0 OR g.column_id = ?2) ORDER BY r.name LIMIT 1";
    sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(s, str_z(sql), &stmt, err);
    if (rc) return rc;
    sqlite3_bind_int64(stmt, 1, t->id);
    sqlite3_bind_int64(stmt, 2, column < 0 ? 0 : t->columns[column].id);
    int step = sqlite3_step(stmt);
    if (step == SQLITE_ROW)
        rc = err_set(err, FAILED_PRECONDITION,
                     "Cannot drop %s %.*s: role %.100s was granted privileges on it; revoke them first.",
                     column < 0 ? "table" : "column", STR_ARG(column < 0 ? t->name : t->columns[column].name),
                     (const char *)sqlite3_column_text(stmt, 0));
    else if (step != SQLITE_DONE) rc = store_error(store_sqlite(s), step, err);
    store_done(stmt);
    return rc;
}

/* ---- the catalog's part ---- */

/* A role's grants as they are read: those of one table and privilege stand together, the table's own first. */
struct reading {
    struct arena *arena;
    struct sql_grant *grants;
    size_t n, cap;
    struct str *columns; /* of the last grant */
    size_t columns_cap;
};

static enum code read_grant(struct reading *r, sqlite3_stmt *stmt, struct err *err) {
    enum sql_privilege privilege = (enum sql_privilege)sqlite3_column_int(stmt, 1);
    struct str table = catalog_text(r->arena, stmt, 0);
    struct sql_grant *last = r->n ? &r->grants[r->n - 1] : NULL;
    if (!table.p) return err_oom(err);
    if (last && last->privilege == privilege && str_eq(last->table, table)) return OK;
    if (!arena_grow(r->arena, &r->grants, &r->cap, r->n + 1, sizeof *r->grants)) return err_oom(err);
    r->grants[r->n++] = (struct sql_grant){ .privilege = privilege, .table = table };
    r->columns = NULL;
    r->columns_cap = 0;
    return OK;
}

static enum code read_column(struct reading *r, sqlite3_stmt *stmt, struct err *err) {
    struct sql_grant *last = &r->grants[r->n - 1];
    if (sqlite3_column_type(stmt, 2) == SQLITE_NULL) {
        last->whole = true;
        return OK;
    }
    if (!arena_grow(r->arena, &r->columns, &r->columns_cap, last->n_columns + 1, sizeof *r->columns)) return err_oom(err);
    r->columns[last->n_columns] = catalog_text(r->arena, stmt, 2);
    last->columns = r->columns;
    return r->columns[last->n_columns++].p ? OK : err_oom(err);
}

/* A grant on a column that is gone (an older program dropped it) is none. */
static enum code load_grants(struct store *s, struct arena *arena, struct sql_role *role, struct err *err) {
    static const char sql[] =
        "SELECT t.name, g.privilege, c.name FROM grants g JOIN tables t ON t.id = g.table_id LEFT JOIN columns c"
        " ON c.id = g.column_id AND c.table_id = g.table_id WHERE g.role_id = ?1 AND (g.column_id = 0 OR c.id IS NOT NULL)"
        " ORDER BY t.name COLLATE NOCASE, g.privilege, g.column_id <> 0, c.ordinal";
    struct reading r = { .arena = arena };
    sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(s, str_z(sql), &stmt, err);
    if (rc) return rc;
    DEFER(store_donep) sqlite3_stmt *done = stmt;
    sqlite3_bind_int64(done, 1, role->id);
    int step = SQLITE_DONE;
    while (!rc && (step = sqlite3_step(done)) == SQLITE_ROW) {
        rc = read_grant(&r, done, err);
        if (!rc) rc = read_column(&r, done, err);
    }
    role->grants = r.grants;
    role->n_grants = r.n;
    return rc || step == SQLITE_DONE ? rc : store_error(store_sqlite(s), step, err);
}

enum code roles_load(struct store *s, struct arena *arena, struct sql_catalog *ret, struct err *err) {
    sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(s, STR("SELECT id, name FROM roles ORDER BY name COLLATE NOCASE"), &stmt, err);
    if (rc) return rc;
    DEFER(store_donep) sqlite3_stmt *done = stmt;
    struct sql_role *roles = NULL;
    size_t n = 0, cap = 0;
    int step = SQLITE_DONE;
    while (!rc && (step = sqlite3_step(done)) == SQLITE_ROW) {
        if (!arena_grow(arena, &roles, &cap, n + 1, sizeof *roles)) return err_oom(err);
        roles[n] = (struct sql_role){ .id = (uint32_t)sqlite3_column_int64(stmt, 0), .name = catalog_text(arena, stmt, 1) };
        rc = roles[n].name.p ? load_grants(s, arena, &roles[n], err) : err_oom(err);
        n++;
    }
    ret->roles = roles;
    ret->n_roles = n;
    return rc || step == SQLITE_DONE ? rc : store_error(store_sqlite(s), step, err);
}
