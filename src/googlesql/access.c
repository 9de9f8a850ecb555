#include "googlesql/access.h"
#include <stdlib.h>

static bool known(const struct sql_table *const *tables, size_t n, const struct sql_table *table) {
    for (size_t i = 0; i < n; i++)
        if (tables[i] == table) return true;
    return false;
}

static int by_name(const void *a, const void *b) {
    const struct sql_access *x = a, *y = b;
    return str_cmp(x->table->name, y->table->name);
}

/* The columns that any occurrence of the table reads, and what these are computed of, in the schema's order. */
static bool gather(struct arena *arena, const struct sql_analysis *analysis, struct sql_access *access) {
    const struct sql_table *table = access->table;
    struct str *columns = ARENA_ARRAY(arena, struct str, (size_t)table->n_columns + 1);
    bool *used = ARENA_ARRAY(arena, bool, (size_t)table->n_columns + 1);
    if (!columns || !used) return false;
    for (size_t i = 0; i < analysis->n_tables; i++)
        for (uint16_t c = 0; analysis->tables[i]->table == table && c < table->n_columns; c++)
            used[c] = used[c] || analysis->tables[i]->used[c];
    sql_table_mark_sources(table, used);
    for (uint16_t c = 0; c < table->n_columns; c++)
        if (used[c]) columns[access->n_columns++] = table->columns[c].name;
    access->columns = columns;
    access->any_column = access->n_columns == 0;
    return true;
}

enum code sql_access(struct arena *arena, const struct sql_analysis *analysis, struct sql_access_list *ret,
                     struct err *err) {
    size_t n = analysis->n_tables, n_tables = 0, n_info = 0;
    struct sql_access *tables = ARENA_ARRAY(arena, struct sql_access, n + 1);
    const struct sql_table **info = ARENA_ARRAY(arena, const struct sql_table *, n + 1);
    const struct sql_table **seen = ARENA_ARRAY(arena, const struct sql_table *, n + 1);
    if (!tables || !info || !seen) return err_oom(err);
    for (size_t i = 0; i < n; i++) {
        const struct sql_table *table = analysis->tables[i]->table;
        if (known(seen, n_tables, table) || known(info, n_info, table)) continue;
        if (table->schema.n) {
            info[n_info++] = table;
            continue;
        }
        seen[n_tables] = table;
        tables[n_tables] = (struct sql_access){ .table = table };
        if (!gather(arena, analysis, &tables[n_tables++])) return err_oom(err);
    }
    if (n_tables) qsort(tables, n_tables, sizeof *tables, by_name);
    *ret = (struct sql_access_list){ tables, n_tables, info, n_info };
    return OK;
}
