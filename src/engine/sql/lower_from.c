/* lower_from.c: FROM: row sources and joins. */
#include <ctype.h>
#include "engine/sql/lowerer.h"

static enum code lower_leaf(struct lowerer *l, const struct sql_from *from) {
    const struct sql_source *source = from->source;
    const struct sql_table *table = source->table;
    enum code rc = OK;
    if (source->cte) {
        buf_add_numbered(&l->out, "w", source->cte->id);
    } else if (!table) {
        buf_add_char(&l->out, '(');
        rc = lower_query(l, source->query);
        buf_add_char(&l->out, ')');
    } else if (table->schema.n) {
        buf_add_z(&l->out, "temp.is_");
        for (size_t i = 0; i < table->name.n; i++) buf_add_char(&l->out, (char)tolower((unsigned char)table->name.p[i]));
    } else if (l->how->source) {
        rc = l->how->source(l->how->ctx, source, &l->out, l->err);
    } else {
        buf_add_numbered(&l->out, "t", table->id);
    }
    buf_add_numbered(&l->out, " AS r", source->id);
    return rc;
}

static enum code lower_operand(struct lowerer *l, const struct sql_from *from, bool parenthesise) {
    bool join = from->kind == FROM_JOIN && parenthesise;
    if (join) buf_add_char(&l->out, '(');
    enum code rc = lower_from(l, from);
    if (join) buf_add_char(&l->out, ')');
    return rc;
}

/* A RIGHT JOIN B is B LEFT JOIN A; our columns are named one by one, so their order does not matter. */
static enum code lower_join(struct lowerer *l, const struct sql_from *from) {
    static const char *const words[] = {
        [JOIN_INNER] = " JOIN ",      [JOIN_CROSS] = " JOIN ",     [JOIN_LEFT] = " LEFT JOIN ",
        [JOIN_RIGHT] = " LEFT JOIN ", [JOIN_FULL] = " FULL JOIN ",
    };
    bool swap = from->join == JOIN_RIGHT;
    enum code rc = lower_operand(l, swap ? from->right : from->left, swap);
    buf_add_z(&l->out, words[from->join]);
    if (!rc) rc = lower_operand(l, swap ? from->left : from->right, true);
    if (rc || !from->on) return rc;
    buf_add_z(&l->out, " ON ");
    rc = lower_expr(l, from->on);
    return rc ? rc : lower_key_ranges(l, from, from->on);
}

enum code lower_from(struct lowerer *l, const struct sql_from *from) {
    return from->kind == FROM_JOIN ? lower_join(l, from) : lower_leaf(l, from);
}
