#include "engine/sql/key_bounds.h"

static bool usable(const struct sql_expr *e, const struct key_bounds *b, enum sql_type type) {
    if (e->type != type) return false;
    if (e->kind == EX_LITERAL || e->kind == EX_PARAM) return true;
    return !b->constants && e->kind == EX_COLUMN && e->source != b->source;
}

static bool is_part(const struct sql_expr *e, const struct key_bounds *b, uint16_t part) {
    return e->kind == EX_COLUMN && e->source == b->source && e->column == b->source->table->key[part].column;
}

/* The other operand of `op` when one is the key part; *ret_swapped: the part is on the right. */
static const struct sql_expr *other(const struct sql_expr *e, const char *op, const struct key_bounds *b, uint16_t part,
                                    bool *ret_swapped) {
    if (e->kind != EX_CALL || e->n_args != 2 || !str_eq_z(e->text, op)) return NULL;
    enum sql_type type = b->source->table->columns[b->source->table->key[part].column].type;
    for (unsigned i = 0; i < 2; i++) {
        if (!is_part(e->args[i], b, part) || !usable(e->args[1 - i], b, type)) continue;
        *ret_swapped = i == 1;
        return e->args[1 - i];
    }
    return NULL;
}

static const struct sql_expr *conjunct(const struct sql_expr *condition, size_t i) {
    if (condition->kind != EX_AND) return i == 0 ? condition : NULL;
    return i < condition->n_args ? condition->args[i] : NULL;
}

static const struct sql_expr *find_equal(const struct sql_expr *condition, const struct key_bounds *b, uint16_t part) {
    bool swapped;
    for (size_t i = 0; conjunct(condition, i); i++) {
        const struct sql_expr *value = other(conjunct(condition, i), "=", b, part, &swapped);
        if (value) return value;
    }
    return NULL;
}

static bool usable_list(const struct sql_expr *e, const struct key_bounds *b, uint16_t part) {
    enum sql_type type = b->source->table->columns[b->source->table->key[part].column].type;
    if (e->kind != EX_IN || e->flag || !is_part(e->args[0], b, part)) return false;
    for (size_t i = 1; i < e->n_args; i++)
        if (!usable(e->args[i], b, type) || e->args[i]->kind == EX_COLUMN) return false;
    return true;
}

static void find_bounds(const struct sql_expr *condition, struct key_bounds *b, uint16_t part) {
    static const struct {
        const char *op;
        bool low;
    } ops[] = { { "<", false }, { "<=", false }, { ">", true }, { ">=", true } };
    enum sql_type type = b->source->table->columns[b->source->table->key[part].column].type;
    for (size_t i = 0; conjunct(condition, i); i++) {
        const struct sql_expr *e = conjunct(condition, i);
        bool between = e->kind == EX_CALL && str_eq_z(e->text, "BETWEEN") && is_part(e->args[0], b, part);
        if (between && usable(e->args[1], b, type) && usable(e->args[2], b, type)) {
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

void key_bounds_find(struct key_bounds *b, const struct sql_source *source, const struct sql_expr *condition,
                     bool constants) {
    *b = (struct key_bounds){ .source = source, .constants = constants };
    uint16_t n_key = source->table->n_key;
    while (b->n_equal < n_key && (b->equal[b->n_equal] = find_equal(condition, b, b->n_equal))) b->n_equal++;
    if (b->n_equal == n_key) return;
    if (b->n_equal + 1 == n_key)
        for (size_t i = 0; conjunct(condition, i) && !b->in; i++)
            if (usable_list(conjunct(condition, i), b, b->n_equal)) b->in = conjunct(condition, i);
    if (!b->in) find_bounds(condition, b, b->n_equal);
}

/* ---- of a place in FROM ---- */

struct conjuncts {
    struct arena *arena;
    struct sql_expr **list;
    size_t n, cap;
    bool failed;
};

static void add(struct conjuncts *c, struct sql_expr *e) {
    if (!e) return;
    if (e->kind == EX_AND) {
        for (size_t i = 0; i < e->n_args; i++) add(c, e->args[i]);
        return;
    }
    if (!arena_grow(c->arena, &c->list, &c->cap, c->n + 1, sizeof(struct sql_expr *))) c->failed = true;
    else c->list[c->n++] = e;
}

/* Adds the ON of each join around the source that no row outside of it survives: such a row would be NULLs on the side that
 * an outer join keeps whole, so that side's own rows are not bound by it. True: the source stands below. */
static bool add_joins(struct conjuncts *c, const struct sql_from *from, const struct sql_source *source) {
    if (from->kind != FROM_JOIN) return from->source == source;
    bool left = add_joins(c, from->left, source), right = !left && add_joins(c, from->right, source);
    bool inner = from->join == JOIN_INNER || from->join == JOIN_CROSS;
    if (inner ? left || right : (from->join == JOIN_LEFT && right) || (from->join == JOIN_RIGHT && left)) add(c, from->on);
    return left || right;
}

enum code key_bounds_of_source(struct key_bounds *ret, const struct sql_source *source, struct arena *arena,
                               struct err *err) {
    struct conjuncts c = { .arena = arena };
    const struct sql_query *q = source->owner;
    *ret = (struct key_bounds){ .source = source, .constants = true };
    if (!q || !q->from || !add_joins(&c, q->from, source)) return OK;
    add(&c, q->where);
    if (c.failed) return err_oom(err);
    struct sql_expr all = { .kind = EX_AND, .args = c.list, .n_args = c.n };
    key_bounds_find(ret, source, &all, true);
    return OK;
}
