/* import_rows.c: rows as they go over the wire, sorted by key, and how they are cut into commits. */
#include <stdlib.h>
#include <string.h>
#include "cli/import.h"
#include "wire/grpc.h"
#include "wire/pb/pb_write.h"

static bool is_null(const struct import_map *m, const struct csv_field *f) {
    if (f->quoted) return false;
    for (size_t i = 0; i < m->n_nulls; i++)
        if (str_eq(f->text, m->nulls[i])) return true;
    return false;
}

static enum code bad_cell(const struct import_column *c, unsigned line, size_t field, const char *what, struct err *err) {
    return err_at(err, INVALID_ARGUMENT, line, (unsigned)field + 1, "column %.*s %s", STR_ARG(c->name), what);
}

static enum code add_values(const struct import_map *m, const struct csv *csv, unsigned line, struct buf *out,
                            struct err *err) {
    for (size_t i = 0; i < csv->n_fields; i++) {
        if (m->column_of[i] == SIZE_MAX) continue;
        const struct import_column *c = &m->table->columns[m->column_of[i]];
        const char *what = NULL;
        if (!is_null(m, &csv->fields[i])) what = cell_encode(c->type, csv->fields[i].text, out);
        else if (c->not_null) what = "may not be NULL";
        else cell_encode_null(out);
        if (what) return bad_cell(c, line, i, what, err);
    }
    return OK;
}

enum code import_row_add(const struct import_map *m, const struct csv *csv, unsigned line, struct import_rows *rows,
                         struct err *err) {
    if (csv->n_fields != m->n_fields)
        return err_at(err, INVALID_ARGUMENT, line, 1, "%zu fields, where the header has %zu", csv->n_fields, m->n_fields);
    if (rows->n == rows->cap) {
        size_t cap = rows->cap ? rows->cap * 2 : 4096;
        struct import_row *items = reallocarray(rows->items, cap, sizeof *items);
        if (!items) return err_oom(err);
        rows->items = items;
        rows->cap = cap;
    }
    struct import_row row = { .key = rows->bytes.n };
    for (size_t k = 0; k < m->table->n_key; k++) {
        const struct import_key *key = &m->table->key[k];
        const struct csv_field *f = &csv->fields[m->field_of_key[k]];
        cell_key(m->table->columns[key->column].type, f->text, is_null(m, f), key->descending, &rows->bytes);
    }
    row.value = rows->bytes.n;
    enum code rc = add_values(m, csv, line, &rows->bytes, err);
    if (!rc && !buf_ok(&rows->bytes)) rc = err_oom(err);
    if (rc) {
        rows->bytes.n = row.key;
        return rc;
    }
    row.end = rows->bytes.n;
    rows->items[rows->n++] = row;
    return OK;
}

bool import_rows_full(const struct import_rows *rows) {
    return rows->bytes.n + rows->n * sizeof *rows->items >= rows->max_bytes;
}

/* Rows of one key keep the file's order: the last one wins in the table as well. */
static int compare(const void *a, const void *b, void *ctx) {
    const struct import_row *x = a, *y = b;
    const char *bytes = ctx;
    int order = str_cmp((struct str){ bytes + x->key, x->value - x->key },
                        (struct str){ bytes + y->key, y->value - y->key });
    return order ? order : x->key < y->key ? -1 : 1;
}

void import_rows_sort(struct import_rows *rows) {
    bool sorted = true;
    for (size_t i = 1; i < rows->n && sorted; i++)
        sorted = compare(&rows->items[i - 1], &rows->items[i], rows->bytes.p) < 0;
    if (!sorted) qsort_r(rows->items, rows->n, sizeof *rows->items, compare, rows->bytes.p);
}

void import_rows_clear(struct import_rows *rows) {
    buf_clear(&rows->bytes);
    rows->n = 0;
}

void import_rows_free(struct import_rows *rows) {
    buf_free(&rows->bytes);
    free(rows->items);
    rows->items = NULL;
}

/* ---- commits ---- */

size_t import_chunk(const struct import_rows *rows, size_t from, size_t n_columns, const struct import_limits *limits) {
    size_t most = limits->cells / (n_columns ? n_columns : 1), bytes = 0, n = 0;
    for (; from + n < rows->n && n < most; n++) {
        const struct import_row *row = &rows->items[from + n];
        bytes += row->end - row->value + 8;
        if (n && bytes > limits->bytes) break;
    }
    return n ? n : 1;
}

/* CommitRequest: session 1, single_use_transaction 3 { read_write 1 }, mutations 4 { insert_or_update 3 { table 1,
 * columns 2, values 3 } }. The two marks in between hold one message each, so their lengths are known at the end. */
void import_commit_encode(struct str session, const struct import_map *map, const struct import_rows *rows, size_t from,
                          size_t count, struct buf *out) {
    static const char prefix[GRPC_PREFIX_BYTES] = { 0 };
    size_t start = out->n;
    buf_add(out, prefix, sizeof prefix);
    pb_put_bytes(out, 1, session);
    pb_put_bytes(out, 3, STR("\x0a\x00"));
    size_t mutation = pb_begin(out, 4), write = pb_begin(out, 3);
    pb_put_bytes(out, 1, map->table->name);
    for (size_t i = 0; i < map->n_columns; i++) pb_put_bytes(out, 2, map->columns[i]);
    for (size_t i = from; i < from + count; i++) {
        const struct import_row *row = &rows->items[i];
        pb_put_bytes(out, 3, (struct str){ rows->bytes.p + row->value, row->end - row->value });
    }
    pb_end(out, write);
    pb_end(out, mutation);
    if (buf_ok(out)) grpc_prefix(out->n - start - GRPC_PREFIX_BYTES, (unsigned char *)out->p + start);
}
