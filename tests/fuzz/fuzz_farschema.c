/* An upstream's INFORMATION_SCHEMA as text (queries between NUL, rows between newlines, cells between '|', "~" is NULL): no
 * crash, and what is built holds together. */
#include <stdlib.h>
#include "spanner/far_schema_build.h"
#include "wire/pb/spanner.pb.h"
#include "wire/pb/wkt.pb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_ROWS = 300, MAX_CELLS = 12 };

static size_t cells_of(struct str line, struct pb_Value cells[MAX_CELLS]) {
    size_t n = 0;
    for (bool more = true; more && n < MAX_CELLS; n++) {
        struct str cell = str_cut(&line, '|');
        more = line.p != NULL;
        cells[n] = (struct pb_Value){ .kind_case = pb_Value_kind_string_value, .string_value = cell };
        if (str_eq_z(cell, "~")) cells[n] = (struct pb_Value){ .kind_case = pb_Value_kind_null_value };
    }
    return n;
}

static bool add_page(struct far_build *build, enum far_query query, struct str text) {
    static struct pb_Value cells[MAX_ROWS][MAX_CELLS];
    static struct pb_ListValue rows[MAX_ROWS];
    struct spanner_ResultSet page = { .rows = { rows, 0 } };
    while (text.n && page.rows.n < MAX_ROWS) {
        size_t i = page.rows.n++;
        rows[i].values.p = cells[i];
        rows[i].values.n = cells_of(str_cut(&text, '\n'), cells[i]);
    }
    return far_build_page(build, query, &page, NULL) == OK;
}

static void check_table(const struct sql_catalog *c, const struct sql_table *t, struct arena *arena) {
    const struct sql_table *const *children;
    size_t n;
    if (sql_catalog_find(c, t->name) != t || t->n_columns > SQL_MAX_COLUMNS || t->n_key > SQL_MAX_KEY_PARTS) abort();
    bool *used = ARENA_ARRAY(arena, bool, t->n_columns + 1u);
    for (uint16_t i = 0; i < t->n_columns; i++) {
        const struct sql_column *column = &t->columns[i];
        if (sql_table_find(t, column->name) != i || (column->type == SQL_UNKNOWN) != (column->other_type.n > 0)) abort();
        for (uint16_t k = 0; k < column->n_sources; k++)
            if (column->sources[k] >= t->n_columns) abort();
        if (used) used[i] = true;
    }
    for (uint16_t i = 0; i < t->n_key; i++)
        if (t->key[i].column >= t->n_columns) abort();
    for (size_t i = 0; i < t->n_indexes; i++)
        for (uint16_t k = 0; k < t->indexes[i].n_columns; k++)
            if (t->indexes[i].columns[k] >= t->n_columns) abort();
    for (size_t i = 0; i < t->n_indexes; i++)
        for (uint16_t k = 0; k < t->indexes[i].n_stored; k++)
            if (t->indexes[i].stored[k] >= t->n_columns) abort();
    if (used) sql_table_mark_sources(t, used);
    if (sql_table_cascade(arena, t, &children, &n) && n >= c->n_tables) abort();
}

static void check_catalog(const struct sql_catalog *c, struct arena *arena) {
    for (size_t i = 0; i < c->n_tables; i++) check_table(c, c->tables[i], arena);
    for (size_t i = 0; i < c->n_foreign_keys; i++)
        if (sql_catalog_find(c, c->foreign_keys[i].child->name) != c->foreign_keys[i].child ||
            sql_catalog_find(c, c->foreign_keys[i].parent->name) != c->foreign_keys[i].parent)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct str text = { (const char *)data, size };
    const struct sql_catalog *c = NULL;
    struct far_build *build = NULL;
    struct arena *arena = arena_new(1 << 22);
    if (!arena || far_build_new(&build, NULL)) abort();
    bool good = true;
    for (unsigned q = 0; good && q < FAR_QUERIES; q++) good = add_page(build, (enum far_query)q, str_cut(&text, '\0'));
    if (good && far_build_end(build, &c, NULL) == OK) check_catalog(c, arena);
    far_schema_unref(c);
    far_build_free(build);
    arena_free(arena);
    return 0;
}
