/* role.h: database roles, as Spanner's fine-grained access control has them: a name and what it was granted, privilege by
 * privilege, on tables or on single columns. Part of a catalog: immutable, names compare without case. Any thread.
 * Roles of roles, and privileges on other objects than tables, are not there yet. */
#pragma once
#include "googlesql/catalog.h"

enum { SQL_MAX_ROLES = 100 }; /* a database */

enum sql_privilege { SQL_SELECT, SQL_INSERT, SQL_UPDATE, SQL_DELETE, SQL_PRIVILEGES };
const char *sql_privilege_name(enum sql_privilege privilege); /* "SELECT" */

/* What a role holds of one privilege on one table. */
struct sql_grant {
    enum sql_privilege privilege;
    struct str table; /* as the schema spells it */
    bool whole;       /* granted on the table: columns that come later, too */
    const struct str *columns;
    size_t n_columns; /* granted one by one, beside it */
};

struct sql_role {
    struct str name;
    uint32_t id;                    /* never used again after DROP ROLE */
    const struct sql_grant *grants; /* by table, then privilege */
    size_t n_grants;
};

/* A GRANT or REVOKE: each privilege, on each table, of each role. */
struct sql_privilege_item {
    enum sql_privilege privilege;
    const struct str *columns;
    size_t n_columns; /* 0: the whole table */
};
struct sql_grants {
    const struct sql_privilege_item *privileges;
    const struct str *tables, *roles;
    size_t n_privileges, n_tables, n_roles;
};

const struct sql_role *sql_role_find(const struct sql_catalog *catalog, struct str name); /* or NULL */
const struct sql_role *sql_role_by_id(const struct sql_catalog *catalog, uint32_t id);    /* or NULL */
const struct sql_grant *sql_role_grant(const struct sql_role *role, enum sql_privilege privilege, struct str table);
/* All of these columns; none: the whole table. */
bool sql_role_may(const struct sql_role *role, enum sql_privilege privilege, struct str table, const struct str *columns,
                  size_t n);
bool sql_role_sees(const struct sql_role *role, struct str table); /* holds anything on it */
