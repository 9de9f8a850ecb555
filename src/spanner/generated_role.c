#include "spanner/generated_role.h"

enum { RIGHTS_BYTES = 64 << 20 };

static bool tables_of(const struct sql_catalog *catalog, struct arena *arena, struct policy_table **ret) {
    struct policy_table *tables = ARENA_ARRAY(arena, struct policy_table, catalog->n_tables + 1);
    for (size_t i = 0; tables && i < catalog->n_tables; i++) {
        const struct sql_table *t = catalog->tables[i];
        struct str *columns = ARENA_ARRAY(arena, struct str, t->n_columns + 1u);
        if (!columns) return false;
        for (uint16_t c = 0; c < t->n_columns; c++) columns[c] = t->columns[c].name;
        tables[i] = (struct policy_table){ t->name, columns, t->n_columns };
    }
    *ret = tables;
    return tables != NULL;
}

/* Spanner grants no writing of columns that are generated. */
static void drop_generated(const struct sql_catalog *catalog, struct policy_right *right, struct str *kept) {
    const struct sql_table *t = sql_catalog_find(catalog, right->table);
    size_t n = 0;
    for (size_t i = 0; t && i < right->n_columns; i++) {
        int at = sql_table_find(t, right->columns[i]);
        if (at >= 0 && !t->columns[at].generated && !t->columns[at].n_sources) kept[n++] = right->columns[i];
    }
    right->columns = kept;
    right->n_columns = n;
}

static enum code drop_all_generated(const struct sql_catalog *catalog, struct arena *arena, struct policy_rights *rights,
                                    struct err *err) {
    size_t n = 0;
    for (size_t i = 0; i < rights->n; i++) {
        struct policy_right right = rights->items[i];
        bool listed = right.n_columns && right.verb != VERB_READ;
        struct str *kept = listed ? ARENA_ARRAY(arena, struct str, right.n_columns) : NULL;
        if (listed && !kept) return err_oom(err);
        if (listed) drop_generated(catalog, &right, kept);
        if (!listed || right.n_columns) rights->items[n++] = right;
    }
    rights->n = n;
    return OK;
}

enum code generated_rights(const struct policy *policy, const struct policy_subject *subject, struct str path,
                           const struct sql_catalog *catalog, struct arena *arena, struct policy_rights *ret,
                           struct err *err) {
    struct policy_table *tables;
    if (!tables_of(catalog, arena, &tables)) return err_oom(err);
    enum code rc = policy_rights_of(policy, subject, path, tables, catalog->n_tables, arena, ret, err);
    return rc ? rc : drop_all_generated(catalog, arena, ret, err);
}

enum code role_name_for(const struct policy *policy, const struct policy_subject *subject, struct str path,
                        const struct sql_catalog *catalog, char ret[POLICY_ROLE_NAME_BYTES], struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(RIGHTS_BYTES);
    struct policy_rights rights;
    enum code rc = arena ? generated_rights(policy, subject, path, catalog, arena, &rights, err) : err_oom(err);
    if (!rc) policy_role_name(&rights, ret);
    return rc;
}

enum sql_privilege generated_privilege(enum verb verb) {
    return verb == VERB_READ     ? SQL_SELECT
           : verb == VERB_INSERT ? SQL_INSERT
           : verb == VERB_UPDATE ? SQL_UPDATE
                                 : SQL_DELETE;
}
