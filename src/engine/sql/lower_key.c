/* lower_key.c: what a condition says of a table's key, said again of its `key` BLOB, so that SQLite seeks instead of
 * scanning.
 *
 * Conjuncts that bind a prefix of the key by = and the next part by <, <=, >, >=, BETWEEN become a range of `key`
 * (engine/key.h: lk, lkn, lkz); the whole key by = becomes a point. The condition itself stays, so the range may be wider
 * than it, never narrower. Only literals, parameters and columns of other tables are used: nothing that could fail or be
 * slow. */
#include "engine/sql/key_bounds.h"
#include "engine/sql/lowerer.h"

static void write_spec(struct lowerer *l, const struct sql_table *table, uint16_t n) {
    static const char letters[] = { [SQL_BOOL] = 'b', [SQL_INT64] = 'i',  [SQL_FLOAT64] = 'f', [SQL_TIMESTAMP] = 't',
                                    [SQL_DATE] = 'd', [SQL_STRING] = 's', [SQL_BYTES] = 'y' };
    buf_add_char(&l->out, '\'');
    for (uint16_t i = 0; i < n; i++) {
        buf_add_char(&l->out, letters[table->columns[table->key[i].column].type]);
        buf_add_char(&l->out, table->key[i].desc ? '-' : '+');
    }
    buf_add_char(&l->out, '\'');
}

/* lk(spec, equalities …, last) */
static enum code write_lk(struct lowerer *l, const struct key_bounds *b, const struct sql_expr *last) {
    uint16_t n = (uint16_t)(b->n_equal + (last ? 1 : 0));
    buf_add_z(&l->out, "lk(");
    write_spec(l, b->source->table, n);
    for (uint16_t i = 0; i < n; i++) {
        buf_add_z(&l->out, ", ");
        enum code rc = lower_expr(l, i < b->n_equal ? b->equal[i] : last);
        if (rc) return rc;
    }
    buf_add_char(&l->out, ')');
    return OK;
}

/* From below: values from `low` on; from above: up to and with everything that begins with `high`. DESC turns them. */
static enum code write_range(struct lowerer *l, const struct key_bounds *b) {
    unsigned id = b->source->id;
    const struct sql_table *table = b->source->table;
    bool desc = b->n_equal < table->n_key && table->key[b->n_equal].desc;
    const struct sql_expr *from = desc ? b->high : b->low, *to = desc ? b->low : b->high;
    enum code rc = OK;
    if (from || b->n_equal) {
        buf_add_numbered(&l->out, " AND r", id);
        buf_add_z(&l->out, ".key >= ");
        rc = write_lk(l, b, from);
    }
    if (!rc && (to || b->n_equal)) {
        buf_add_numbered(&l->out, " AND r", id);
        buf_add_z(&l->out, ".key < lkz(");
        rc = write_lk(l, b, to);
        buf_add_char(&l->out, ')');
    }
    return rc;
}

static enum code write_points(struct lowerer *l, const struct key_bounds *b) {
    buf_add_numbered(&l->out, " AND r", b->source->id);
    buf_add_z(&l->out, b->in ? ".key IN (" : ".key = ");
    if (!b->in) return write_lk(l, b, NULL);
    for (size_t i = 1; i < b->in->n_args; i++) {
        if (i > 1) buf_add_z(&l->out, ", ");
        enum code rc = write_lk(l, b, b->in->args[i]);
        if (rc) return rc;
    }
    buf_add_char(&l->out, ')');
    return OK;
}

static enum code bind_source(struct lowerer *l, const struct sql_source *source, const struct sql_expr *condition) {
    struct key_bounds b;
    key_bounds_find(&b, source, condition, false);
    bool points = b.in || (b.n_equal == source->table->n_key && b.n_equal);
    return points ? write_points(l, &b) : write_range(l, &b);
}

enum code lower_key_ranges(struct lowerer *l, const struct sql_from *from, const struct sql_expr *condition) {
    if (l->how->no_key_ranges) return OK;
    if (from->kind == FROM_JOIN) {
        enum code rc = lower_key_ranges(l, from->left, condition);
        return rc ? rc : lower_key_ranges(l, from->right, condition);
    }
    const struct sql_table *table = from->source->table;
    return table && table->schema.n == 0 ? bind_source(l, from->source, condition) : OK;
}

bool lower_key_order(struct lowerer *l, const struct sql_query *q) {
    if (l->how->no_key_ranges || q->kind != QUERY_SELECT || q->grouped || q->distinct || !q->from ||
        q->from->kind != FROM_TABLE)
        return false;
    const struct sql_source *source = q->from->source;
    if (!source->table || source->table->schema.n || q->n_order > source->table->n_key) return false;
    for (size_t i = 0; i < q->n_order; i++) {
        const struct sql_expr *e = q->order[i].expr;
        const struct sql_key_part *part = &source->table->key[i];
        if (e->kind == EX_ITEM) e = q->items[e->i].expr;
        if (e->kind != EX_COLUMN || e->source != source || e->column != part->column || q->order[i].desc != part->desc)
            return false;
    }
    buf_printf(&l->out, " ORDER BY r%u.key", source->id);
    return true;
}
