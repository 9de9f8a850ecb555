#include "spanner/commit_limits.h"

/* One mutation's rows, and what the catalog says of their columns. */
struct rows {
    const struct spanner_Mutation_Write *write;
    const struct sql_table *table;                     /* NULL: not in the catalog */
    const struct sql_column *columns[SQL_MAX_COLUMNS]; /* the cells'; NULL: not in the catalog */
    bool key[SQL_MAX_COLUMNS];
};

/* ---- mutations ---- */

static int cell_of(const struct spanner_Mutation_Write *w, struct str column) {
    for (size_t i = 0; i < w->columns.n; i++)
        if (str_eq_nocase(w->columns.p[i], column)) return (int)i;
    return -1;
}

/* Does the row have all of the index's key? A null-filtered index has no entry for one that has not. */
static bool has_entry(const struct pb_ListValue *row, const int *cells, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (cells[i] < 0 || (size_t)cells[i] >= row->values.n) return false;
        int32_t kind = row->values.p[cells[i]].kind_case;
        if (kind == pb_Value_kind_null_value || kind == pb_Value_kind_NONE) return false;
    }
    return true;
}

/* What is inserted has an entry in the index for certain; it may be no more rows than the limit has room for. */
static void add_entries(struct commit_cost *cost, const struct rows *r, const struct sql_index *index) {
    int cells[SQL_MAX_KEY_PARTS];
    if (index->n_columns > SQL_MAX_KEY_PARTS) return;
    for (size_t i = 0; i < index->n_columns; i++) cells[i] = cell_of(r->write, r->table->columns[index->columns[i]].name);
    for (size_t i = 0; i < r->write->values.n && cost->mutations <= ENGINE_MAX_MUTATIONS; i++)
        if (has_entry(&r->write->values.p[i], cells, index->n_columns)) cost->mutations++;
}

static bool touches(const struct rows *r, const struct sql_index *index) {
    for (size_t i = 0; i < index->n_columns; i++)
        if (cell_of(r->write, r->table->columns[index->columns[i]].name) >= 0) return true;
    return false;
}

/* An entry that moves is deleted and written. */
static uint64_t entries_at_most(const struct rows *r, int operation) {
    uint64_t n = 0;
    bool fresh = operation == spanner_Mutation_operation_insert;
    for (size_t i = 0; r->table && i < r->table->n_indexes; i++) {
        bool every = operation != spanner_Mutation_operation_update;
        if (every || touches(r, &r->table->indexes[i])) n += fresh ? 1 : 2;
    }
    return n;
}

static void add_write(struct commit_cost *cost, const struct rows *r, int operation) {
    const struct spanner_Mutation_Write *w = r->write;
    bool inserts = operation == spanner_Mutation_operation_insert || operation == spanner_Mutation_operation_replace;
    commit_cost_add(cost, w->table, w->values.n, w->columns.n, w->columns.n + entries_at_most(r, operation));
    for (size_t i = 0; inserts && r->table && i < r->table->n_indexes; i++) add_entries(cost, r, &r->table->indexes[i]);
}

static void add_delete(struct commit_cost *cost, const struct sql_catalog *catalog,
                       const struct spanner_Mutation_Delete *d) {
    const struct sql_table *table = sql_catalog_find(catalog, d->table);
    uint64_t n = d->key_set ? d->key_set->keys.n + d->key_set->ranges.n + d->key_set->all : 0;
    commit_cost_add(cost, d->table, n, 1, 1 + (table ? table->n_indexes : 0));
}

/* ---- bytes ---- */

/* Of the value, where its text tells: BYTES come in base64. At the least. */
static size_t bytes_of(const struct pb_Value *v, const struct sql_column *column) {
    if (v->kind_case != pb_Value_kind_string_value) return 0;
    struct str text = v->string_value;
    if (column && column->type == SQL_STRING) return text.n;
    if (column && column->type != SQL_BYTES && column->type != SQL_UNKNOWN) return 0;
    return text.n < 4 ? 0 : text.n / 4 * 3 - 2;
}

static enum code check_cell(const struct rows *r, size_t cell, const struct pb_Value *v, size_t bytes, struct err *err) {
    const struct sql_column *c = r->columns[cell];
    bool string = c && c->type == SQL_STRING;
    if (bytes <= VALUE_MAX_STRING_CHARS) return OK;
    struct sql_value value = { .type = string ? SQL_STRING : SQL_BYTES, .s = { v->string_value.p, bytes } };
    enum code rc = value_check_range(&value, err);
    return rc ? err_wrap(err, "column %.*s of table %.*s", STR_ARG(str_upto(r->write->columns.p[cell], 128)),
                         STR_ARG(str_upto(r->write->table, 128)))
              : OK;
}

static enum code check_row(const struct rows *r, const struct pb_ListValue *row, uint64_t *io_bytes, struct err *err) {
    size_t key_bytes = 0;
    for (size_t i = 0; i < row->values.n && i < r->write->columns.n; i++) {
        size_t bytes = bytes_of(&row->values.p[i], r->columns[i]);
        enum code rc = check_cell(r, i, &row->values.p[i], bytes, err);
        if (rc) return rc;
        *io_bytes += bytes;
        if (r->key[i]) key_bytes += bytes;
    }
    return key_bytes > KEY_MAX_VALUE_BYTES ? key_too_large(r->table, err) : OK;
}

static enum code check_rows(const struct rows *r, uint64_t *io_bytes, struct err *err) {
    enum code rc = OK;
    for (size_t i = 0; !rc && i < r->write->values.n; i++) rc = check_row(r, &r->write->values.p[i], io_bytes, err);
    return rc ? rc : commit_cost_check_bytes(*io_bytes, err);
}

/* ---- all ---- */

static const struct spanner_Mutation_Write *write_of(const struct spanner_Mutation *m) {
    if (m->insert) return m->insert;
    if (m->update) return m->update;
    return m->insert_or_update ? m->insert_or_update : m->replace;
}

static void look_up(struct rows *r, const struct sql_catalog *catalog, const struct spanner_Mutation_Write *w) {
    r->write = w;
    r->table = sql_catalog_find(catalog, w->table);
    for (size_t i = 0; i < w->columns.n && i < SQL_MAX_COLUMNS; i++) {
        int at = r->table ? sql_table_find(r->table, w->columns.p[i]) : -1;
        r->columns[i] = at < 0 ? NULL : &r->table->columns[at];
        r->key[i] = false;
        for (size_t k = 0; at >= 0 && k < r->table->n_key; k++) r->key[i] = r->key[i] || r->table->key[k].column == at;
    }
}

enum code commit_fits(const struct sql_catalog *catalog, const struct spanner_CommitRequest *q, size_t encoded_bytes,
                      struct err *err) {
    struct commit_cost cost = { 0 };
    struct rows r;
    uint64_t bytes = 0;
    enum code rc = OK;
    for (size_t i = 0; !rc && i < q->mutations.n; i++) {
        const struct spanner_Mutation *m = &q->mutations.p[i];
        const struct spanner_Mutation_Write *w = write_of(m);
        if (m->delete) add_delete(&cost, catalog, m->delete);
        if (!w || w->columns.n > SQL_MAX_COLUMNS) continue; /* what no table has is refused there */
        look_up(&r, catalog, w);
        add_write(&cost, &r, m->operation_case);
        if (encoded_bytes > KEY_MAX_VALUE_BYTES) rc = check_rows(&r, &bytes, err);
    }
    return rc ? rc : commit_cost_check(&cost, err);
}
