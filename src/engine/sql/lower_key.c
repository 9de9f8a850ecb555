/* lower_key.c: what a condition says of a table's key, said again of its `key` BLOB, so that SQLite seeks instead of
 * scanning.
 *
 * Conjuncts that bind a prefix of the key by = and the next part by <, <=, >, >=, BETWEEN become a range of `key`
 * (engine/key.h: lk, lkn, lkz); the whole key by = becomes a point. The condition itself stays, so the range may be wider
 * than it, never narrower. Only literals, parameters and columns of other tables are used: nothing that could fail or be
 * slow. */
#include "engine/sql/lowerer.h"
#include "googlesql/functions.h"

struct bounds {
    const struct sql_source *source;
    const struct sql_expr *equal[SQL_MAX_KEY_PARTS];
    const struct sql_expr *in;         /* EX_IN over the part that ends the equalities */
    const struct sql_expr *low, *high; /* of the part after the equalities; by value, whatever the direction */
    uint16_t n_equal;
};

static bool usable(const struct sql_expr *e, const struct sql_source *source, enum sql_type type) {
    if (e->type != type) return false;
    if (e->kind == EX_LITERAL || e->kind == EX_PARAM) return true;
    return e->kind == EX_COLUMN && e->source != source;
}

static bool is_part(const struct sql_expr *e, const struct bounds *b, uint16_t part) {
    return e->kind == EX_COLUMN && e->source == b->source && e->column == b->source->table->key[part].column;
}

/* The other operand of `op` when one is the key part; *ret_swapped: the part is on the right. */
static const struct sql_expr *other(const struct sql_expr *e, const char *op, const struct bounds *b, uint16_t part,
                                    bool *ret_swapped) {
    if (e->kind != EX_CALL || e->n_args != 2 || !str_eq_z(e->text, op)) return NULL;
    enum sql_type type = b->source->table->columns[b->source->table->key[part].column].type;
    for (unsigned i = 0; i < 2; i++) {
        if (!is_part(e->args[i], b, part) || !usable(e->args[1 - i], b->source, type)) continue;
        *ret_swapped = i == 1;
        return e->args[1 - i];
    }
    return NULL;
}

static const struct sql_expr *conjunct(const struct sql_expr *condition, size_t i) {
    if (condition->kind != EX_AND) return i == 0 ? condition : NULL;
    return i < condition->n_args ? condition->args[i] : NULL;
}

static const struct sql_expr *find_equal(const struct sql_expr *condition, const struct bounds *b, uint16_t part) {
    bool swapped;
    for (size_t i = 0; conjunct(condition, i); i++) {
        const struct sql_expr *value = other(conjunct(condition, i), "=", b, part, &swapped);
        if (value) return value;
    }
    return NULL;
}

static bool usable_list(const struct sql_expr *e, const struct bounds *b, uint16_t part) {
    enum sql_type type = b->source->table->columns[b->source->table->key[part].column].type;
    if (e->kind != EX_IN || e->flag || !is_part(e->args[0], b, part)) return false;
    for (size_t i = 1; i < e->n_args; i++)
        if (!usable(e->args[i], b->source, type) || e->args[i]->kind == EX_COLUMN) return false;
    return true;
}

static void find_bounds(const struct sql_expr *condition, struct bounds *b, uint16_t part) {
    static const struct {
        const char *op;
        bool low;
    } ops[] = { { "<", false }, { "<=", false }, { ">", true }, { ">=", true } };
    enum sql_type type = b->source->table->columns[b->source->table->key[part].column].type;
    for (size_t i = 0; conjunct(condition, i); i++) {
        const struct sql_expr *e = conjunct(condition, i);
        bool between = e->kind == EX_CALL && str_eq_z(e->text, "BETWEEN") && is_part(e->args[0], b, part);
        if (between && usable(e->args[1], b->source, type) && usable(e->args[2], b->source, type)) {
            b->low = e->args[1];
            b->high = e->args[2];
        }
        for (size_t k = 0; k < COUNT(ops); k++) {
            bool swapped;
            const struct sql_expr *value = other(e, ops[k].op, b, part, &swapped);
            if (value && ops[k].low != swapped) b->low = value;
            else if (value) b->high = value;
        }
    }
}

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
static enum code write_lk(struct lowerer *l, const struct bounds *b, const struct sql_expr *last) {
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
static enum code write_range(struct lowerer *l, const struct bounds *b) {
    unsigned id = b->source->id;
    const struct sql_table *table = b->source->table;
    bool desc = b->n_equal < table->n_key && table->key[b->n_equal].desc;
    const struct sql_expr *from = desc ? b->high : b->low, *to = desc ? b->low : b->high;
    enum code rc = OK;
    if (from || b->n_equal) {
        buf_printf(&l->out, " AND r%u.key >= ", id);
        rc = write_lk(l, b, from);
    }
    if (!rc && (to || b->n_equal)) {
        buf_printf(&l->out, " AND r%u.key < lkz(", id);
        rc = write_lk(l, b, to);
        buf_add_char(&l->out, ')');
    }
    return rc;
}

static enum code write_points(struct lowerer *l, const struct bounds *b) {
    buf_printf(&l->out, b->in ? " AND r%u.key IN (" : " AND r%u.key = ", b->source->id);
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
    struct bounds b = { .source = source };
    uint16_t n_key = source->table->n_key;
    while (b.n_equal < n_key && (b.equal[b.n_equal] = find_equal(condition, &b, b.n_equal))) b.n_equal++;
    if (b.n_equal == n_key && n_key) return write_points(l, &b);
    if (b.n_equal + 1 == n_key)
        for (size_t i = 0; conjunct(condition, i) && !b.in; i++)
            if (usable_list(conjunct(condition, i), &b, b.n_equal)) b.in = conjunct(condition, i);
    if (b.in) return write_points(l, &b);
    if (b.n_equal < n_key) find_bounds(condition, &b, b.n_equal);
    return write_range(l, &b);
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
