/* info_roles.c: INFORMATION_SCHEMA's tables of roles: who was granted what, on the tables that the caller sees. A session
 * with a role sees that role alone. */
#include "base/clock.h"
#include "googlesql/role.h"
#include "policy/policy.h"
#include "spanner/info_fill.h"

static bool is_own(const struct filler *f, const struct sql_role *role) {
    return !f->target->state.role || f->target->state.role == role->id;
}

/* ---- ROLES ---- */

static bool may_read_schema(const struct filler *f) {
    struct atom atom = { .verb = VERB_READ_SCHEMA, .path = f->target->path };
    struct verdict verdict;
    policy_decide(f->call->policy, f->call->subject, &(struct atoms){ &atom, 1, 1 }, clock_wall_us(), &verdict);
    return verdict.reason == REASON_NONE;
}

static bool grants_something_visible(const struct filler *f, const struct sql_role *role) {
    for (size_t i = 0; i < role->n_grants; i++) {
        const struct sql_table *table = sql_catalog_find(f->target->catalog, role->grants[i].table);
        if (table && info_is_visible(f, table)) return true;
    }
    return false;
}

enum code info_fill_roles(struct filler *f) {
    const struct sql_catalog *catalog = f->target->catalog;
    enum code rc = OK;
    for (size_t i = 0; !rc && i < catalog->n_roles; i++) {
        const struct sql_role *role = &catalog->roles[i];
        bool chosen = f->target->state.role == role->id;
        if (!is_own(f, role) || (!chosen && !may_read_schema(f) && !grants_something_visible(f, role))) continue;
        const struct cell cells[] = { { "ROLE_NAME", TEXT(role->name) }, { "IS_SYSTEM", VALUE_BOOL(false) } };
        rc = info_put(f, cells, COUNT(cells));
    }
    return rc;
}

/* ---- privileges ---- */

/* Without a column: the table's own. */
static enum code put_grant(struct filler *f, const struct sql_role *role, const struct sql_grant *grant,
                           struct str column) {
    const struct cell cells[] = {
        { "TABLE_CATALOG", WORD("") },        { "TABLE_SCHEMA", WORD("") },
        { "TABLE_NAME", TEXT(grant->table) }, { "PRIVILEGE_TYPE", TEXT(str_z(sql_privilege_name(grant->privilege))) },
        { "GRANTEE", TEXT(role->name) },      { "COLUMN_NAME", TEXT(column) }
    };
    return info_put(f, cells, column.n ? COUNT(cells) : COUNT(cells) - 1);
}

static enum code put_table(struct filler *f, const struct sql_role *role, const struct sql_grant *grant,
                           const struct sql_table *table) {
    (void)table;
    return grant->whole ? put_grant(f, role, grant, STR("")) : OK;
}

/* Those of the table count for each of its columns. */
static enum code put_columns(struct filler *f, const struct sql_role *role, const struct sql_grant *grant,
                             const struct sql_table *table) {
    enum code rc = OK;
    if (grant->privilege == SQL_DELETE) return OK;
    for (uint16_t i = 0; !rc && i < table->n_columns; i++)
        if (sql_role_may(role, grant->privilege, table->name, &table->columns[i].name, 1))
            rc = put_grant(f, role, grant, table->columns[i].name);
    return rc;
}

static enum code each_grant(struct filler *f, const struct sql_table *table,
                            enum code (*put)(struct filler *f, const struct sql_role *role, const struct sql_grant *grant,
                                             const struct sql_table *table)) {
    const struct sql_catalog *catalog = f->target->catalog;
    enum code rc = OK;
    for (size_t i = 0; !rc && i < catalog->n_roles; i++)
        for (int p = 0; !rc && p < SQL_PRIVILEGES && is_own(f, &catalog->roles[i]); p++) {
            const struct sql_grant *grant = sql_role_grant(&catalog->roles[i], (enum sql_privilege)p, table->name);
            if (grant) rc = put(f, &catalog->roles[i], grant, table);
        }
    return rc;
}

enum code info_fill_table_grants(struct filler *f, const struct sql_table *table) {
    return each_grant(f, table, put_table);
}

enum code info_fill_column_grants(struct filler *f, const struct sql_table *table) {
    return each_grant(f, table, put_columns);
}
