#include "googlesql/role.h"

const char *sql_privilege_name(enum sql_privilege privilege) {
    static const char *const names[SQL_PRIVILEGES] = { "SELECT", "INSERT", "UPDATE", "DELETE" };
    return (unsigned)privilege < SQL_PRIVILEGES ? names[privilege] : "?";
}

const struct sql_role *sql_role_find(const struct sql_catalog *catalog, struct str name) {
    for (size_t i = 0; i < catalog->n_roles; i++)
        if (str_eq_nocase(catalog->roles[i].name, name)) return &catalog->roles[i];
    return NULL;
}

const struct sql_role *sql_role_by_id(const struct sql_catalog *catalog, uint32_t id) {
    for (size_t i = 0; i < catalog->n_roles; i++)
        if (catalog->roles[i].id == id) return &catalog->roles[i];
    return NULL;
}

const struct sql_grant *sql_role_grant(const struct sql_role *role, enum sql_privilege privilege, struct str table) {
    for (size_t i = 0; i < role->n_grants; i++)
        if (role->grants[i].privilege == privilege && str_eq_nocase(role->grants[i].table, table)) return &role->grants[i];
    return NULL;
}

static bool has_column(const struct sql_grant *grant, struct str column) {
    for (size_t i = 0; i < grant->n_columns; i++)
        if (str_eq_nocase(grant->columns[i], column)) return true;
    return false;
}

bool sql_role_may(const struct sql_role *role, enum sql_privilege privilege, struct str table, const struct str *columns,
                  size_t n) {
    const struct sql_grant *grant = sql_role_grant(role, privilege, table);
    if (!grant || grant->whole) return grant != NULL;
    for (size_t i = 0; i < n; i++)
        if (!has_column(grant, columns[i])) return false;
    return n > 0;
}

bool sql_role_sees(const struct sql_role *role, struct str table) {
    for (size_t i = 0; i < role->n_grants; i++)
        if (str_eq_nocase(role->grants[i].table, table)) return true;
    return false;
}
