#include "googlesql/catalog.h"

const char *sql_type_name(enum sql_type type) {
    static const char *const names[] = {
        [SQL_UNKNOWN] = "UNKNOWN",     [SQL_BOOL] = "BOOL", [SQL_INT64] = "INT64",   [SQL_FLOAT64] = "FLOAT64",
        [SQL_TIMESTAMP] = "TIMESTAMP", [SQL_DATE] = "DATE", [SQL_STRING] = "STRING", [SQL_BYTES] = "BYTES",
    };
    return (unsigned)type < COUNT(names) ? names[type] : "UNKNOWN";
}

const struct sql_table *sql_catalog_find(const struct sql_catalog *catalog, struct str name) {
    return sql_catalog_find_path(catalog, &name, 1);
}

/* Is it "a.b" when the path is a, b? */
static bool is_path(struct str name, const struct str *path, size_t n_path) {
    if (n_path == 1) return str_eq_nocase(name, path[0]);
    if (n_path != 2 || name.n != path[0].n + 1 + path[1].n || name.p[path[0].n] != '.') return false;
    return str_eq_nocase(str_upto(name, path[0].n), path[0]) && str_eq_nocase(str_from(name, path[0].n + 1), path[1]);
}

const struct sql_table *sql_catalog_find_path(const struct sql_catalog *catalog, const struct str *path, size_t n_path) {
    for (size_t i = 0; i < catalog->n_tables; i++)
        if (is_path(catalog->tables[i]->name, path, n_path)) return catalog->tables[i];
    return NULL;
}

const struct sql_other *sql_catalog_find_other(const struct sql_catalog *catalog, const struct str *path, size_t n_path) {
    for (size_t i = 0; i < catalog->n_others; i++)
        if (is_path(catalog->others[i].name, path, n_path)) return &catalog->others[i];
    return NULL;
}

int sql_table_find(const struct sql_table *table, struct str column) {
    for (uint16_t i = 0; i < table->n_columns; i++)
        if (str_eq_nocase(table->columns[i].name, column)) return i;
    return -1;
}

const struct sql_index *sql_table_index(const struct sql_table *table, struct str name) {
    for (size_t i = 0; i < table->n_indexes; i++)
        if (str_eq_nocase(table->indexes[i].name, name)) return &table->indexes[i];
    return NULL;
}

void sql_table_mark_sources(const struct sql_table *table, bool *used) {
    bool more = true; /* a generated column may be computed of another one */
    while (more) {
        more = false;
        for (uint16_t i = 0; i < table->n_columns; i++) {
            const struct sql_column *c = &table->columns[i];
            for (uint16_t k = 0; used[i] && k < c->n_sources; k++) {
                more = more || !used[c->sources[k]];
                used[c->sources[k]] = true;
            }
        }
    }
}

static bool is_in(const struct sql_table *const *tables, size_t n, const struct sql_table *table) {
    for (size_t i = 0; i < n; i++)
        if (tables[i] == table) return true;
    return false;
}

bool sql_table_cascade(struct arena *arena, const struct sql_table *table, const struct sql_table *const **ret,
                       size_t *ret_n) {
    const struct sql_table **found = NULL;
    size_t n = 0, cap = 0;
    for (size_t at = 0; at <= n; at++) { /* those that were found are looked at in turn */
        const struct sql_table *t = at ? found[at - 1] : table;
        for (size_t i = 0; i < t->n_cascades; i++) {
            if (t->cascades[i] == table || is_in(found, n, t->cascades[i])) continue;
            if (!arena_grow(arena, &found, &cap, n + 1, sizeof *found)) return false;
            found[n++] = t->cascades[i];
        }
    }
    *ret = found;
    *ret_n = n;
    return true;
}
