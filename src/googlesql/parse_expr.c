/* parse_expr.c: operators, by precedence (Pratt). Operators become calls, so that the table of functions knows them. */
#include "googlesql/parser.h"

enum {
    BIND_OR = 1,
    BIND_AND,
    BIND_NOT,
    BIND_COMPARE,
    BIND_BITOR,
    BIND_BITXOR,
    BIND_BITAND,
    BIND_SHIFT,
    BIND_ADD,
    BIND_MUL,
    BIND_UNARY
};

enum code expr_new(struct parser *p, enum sql_expr_kind kind, uint32_t at, struct sql_expr **ret) {
    struct sql_expr *e = ARENA_NEW(p->arena, struct sql_expr);
    if (!e) return err_oom(p->err);
    e->kind = kind;
    e->at = at;
    *ret = e;
    return OK;
}

/* n_args is grown by powers of two: the capacity follows from the count. */
enum code expr_add(struct parser *p, struct sql_expr *parent, struct sql_expr *arg) {
    size_t n = parent->n_args, cap = n < 4 ? (n ? 4 : 0) : n & (n - 1) ? SIZE_MAX : n;
    if (cap != SIZE_MAX && n >= cap && !arena_grow(p->arena, &parent->args, &cap, n + 1, sizeof *parent->args))
        return err_oom(p->err);
    parent->args[parent->n_args++] = arg;
    if (arg->depth >= parent->depth) parent->depth = (uint16_t)(arg->depth + 1);
    if (parent->depth <= SQL_MAX_DEPTH) return OK;
    return sql_error(p->err, INVALID_ARGUMENT, p->text, arg->at, "The expression is nested deeper than %d levels",
                     SQL_MAX_DEPTH);
}

static enum code call(struct parser *p, uint32_t at, const char *name, struct sql_expr *a, struct sql_expr *b,
                      struct sql_expr **ret) {
    struct sql_expr *e;
    enum code rc = expr_new(p, EX_CALL, at, &e);
    if (rc) return rc;
    e->text = str_z(name);
    rc = expr_add(p, e, a);
    if (!rc && b) rc = expr_add(p, e, b);
    if (!rc) *ret = e;
    return rc;
}

static enum code parse_bound(struct parser *p, int least, struct sql_expr **ret);

static enum code negate(struct parser *p, bool negated, uint32_t at, struct sql_expr **io) {
    return negated ? call(p, at, "NOT", *io, NULL, io) : OK;
}

struct binary {
    const char *token, *function;
    int bind;
};

static const struct binary binaries[] = {
    { "=", "=", BIND_COMPARE },   { "!=", "!=", BIND_COMPARE }, { "<>", "!=", BIND_COMPARE }, { "<", "<", BIND_COMPARE },
    { "<=", "<=", BIND_COMPARE }, { ">", ">", BIND_COMPARE },   { ">=", ">=", BIND_COMPARE }, { "|", "|", BIND_BITOR },
    { "^", "^", BIND_BITXOR },    { "&", "&", BIND_BITAND },    { "<<", "<<", BIND_SHIFT },   { ">>", ">>", BIND_SHIFT },
    { "+", "+", BIND_ADD },       { "-", "-", BIND_ADD },       { "*", "*", BIND_MUL },       { "/", "/", BIND_MUL },
    { "||", "||", BIND_MUL },
};

static const struct binary *binary_here(const struct parser *p) {
    if (token_at(p, 0).kind != TOKEN_PUNCT) return NULL;
    for (size_t i = 0; i < COUNT(binaries); i++)
        if (is_punct(p, 0, binaries[i].token)) return &binaries[i];
    return NULL;
}

static enum code in_list(struct parser *p, struct sql_expr *e) {
    do {
        struct sql_expr *item;
        enum code rc = parse_expr(p, &item);
        if (!rc) rc = expr_add(p, e, item);
        if (rc) return rc;
        if (e->n_args > SQL_MAX_IN + 1)
            return sql_error(p->err, INVALID_ARGUMENT, p->text, e->at, "IN has more than %d values", SQL_MAX_IN);
    } while (take_punct(p, ","));
    return expect_punct(p, ")");
}

static enum code parse_in(struct parser *p, struct sql_expr *left, uint32_t at, bool negated, struct sql_expr **ret) {
    struct sql_expr *e;
    if (is_keyword(p, 0, "UNNEST")) return unsupported(p, here(p), "IN UNNEST");
    enum code rc = expect_punct(p, "(");
    if (rc) return rc;
    bool query = is_keyword(p, 0, "SELECT") || is_keyword(p, 0, "WITH");
    rc = expr_new(p, query ? EX_IN_QUERY : EX_IN, at, &e);
    if (!rc) rc = expr_add(p, e, left);
    if (rc) return rc;
    e->flag = negated;
    *ret = e;
    if (!query) return in_list(p, e);
    rc = parse_query(p, &e->query);
    return rc ? rc : expect_punct(p, ")");
}

static enum code parse_between(struct parser *p, struct sql_expr *left, uint32_t at, struct sql_expr **ret) {
    struct sql_expr *low, *high, *e;
    enum code rc = parse_bound(p, BIND_BITOR, &low);
    if (!rc) rc = expect_keyword(p, "AND");
    if (!rc) rc = parse_bound(p, BIND_BITOR, &high);
    if (!rc) rc = call(p, at, "BETWEEN", left, low, &e);
    if (!rc) rc = expr_add(p, e, high);
    if (!rc) *ret = e;
    return rc;
}

static enum code parse_is(struct parser *p, struct sql_expr *left, uint32_t at, struct sql_expr **ret) {
    bool negated = take_keyword(p, "NOT");
    const char *name = is_keyword(p, 0, "NULL") ? "IS NULL" : is_keyword(p, 0, "TRUE") ? "IS TRUE" : "IS FALSE";
    if (is_keyword(p, 0, "DISTINCT")) return unsupported(p, at, "IS DISTINCT FROM");
    if (!take_keyword(p, "NULL") && !take_keyword(p, "TRUE") && !take_keyword(p, "FALSE")) return unexpected(p);
    enum code rc = call(p, at, name, left, NULL, ret);
    return rc ? rc : negate(p, negated, at, ret);
}

/* LIKE, IN, BETWEEN, IS, after an optional NOT. *ret_done: was there one? */
static enum code parse_word_operator(struct parser *p, struct sql_expr **io, bool *ret_done) {
    uint32_t at = here(p);
    size_t ahead = is_keyword(p, 0, "NOT") ? 1 : 0;
    *ret_done = true;
    if (!ahead && take_keyword(p, "IS")) return parse_is(p, *io, at, io);
    bool like = is_keyword(p, ahead, "LIKE"), in = is_keyword(p, ahead, "IN"), between = is_keyword(p, ahead, "BETWEEN");
    *ret_done = like || in || between;
    if (!*ret_done) return OK;
    p->at += ahead + 1;
    if (in) return parse_in(p, *io, at, ahead == 1, io);
    enum code rc;
    if (between) {
        rc = parse_between(p, *io, at, io);
    } else {
        struct sql_expr *pattern;
        rc = parse_bound(p, BIND_BITOR, &pattern);
        if (!rc) rc = call(p, at, "LIKE", *io, pattern, io);
    }
    return rc ? rc : negate(p, ahead == 1, at, io);
}

static enum code parse_unary(struct parser *p, struct sql_expr **ret) {
    uint32_t at = here(p);
    bool minus = is_punct(p, 0, "-"), tilde = is_punct(p, 0, "~");
    if (!minus && !tilde && !is_punct(p, 0, "+")) return parse_primary(p, ret);
    if (minus && token_at(p, 1).kind == TOKEN_INT) return parse_primary(p, ret); /* -9223372036854775808 is one literal */
    p->at++;
    struct sql_expr *operand;
    enum code rc = parse_bound(p, BIND_UNARY, &operand);
    if (rc) return rc;
    return call(p, at, minus ? "-" : tilde ? "~" : "+", operand, NULL, ret);
}

/* Comparisons do not associate: a = b = c is no expression. */
static enum code after_compare(struct parser *p) {
    const struct binary *b = binary_here(p);
    if ((b && b->bind == BIND_COMPARE) || is_keyword(p, 0, "IS") || is_keyword(p, 0, "LIKE") || is_keyword(p, 0, "IN") ||
        is_keyword(p, 0, "BETWEEN"))
        return unexpected(p);
    return OK;
}

static enum code join_logical(struct parser *p, enum sql_expr_kind kind, int bind, uint32_t at, struct sql_expr **io) {
    struct sql_expr *right, *e = *io;
    p->at++;
    enum code rc = parse_bound(p, bind + 1, &right);
    if (rc) return rc;
    if (e->kind != kind || e->has_else) { /* has_else marks what stood in parentheses: a tree of its own */
        rc = expr_new(p, kind, at, &e);
        if (!rc) rc = expr_add(p, e, *io);
        if (rc) return rc;
    }
    *io = e;
    return expr_add(p, e, right);
}

static enum code parse_infix(struct parser *p, int least, struct sql_expr **io, bool *ret_more) {
    uint32_t at = here(p);
    const struct binary *b = binary_here(p);
    *ret_more = true;
    if (b && b->bind >= least) {
        struct sql_expr *right;
        p->at++;
        enum code rc = parse_bound(p, b->bind + 1, &right);
        if (!rc) rc = call(p, at, b->function, *io, right, io);
        return !rc && b->bind == BIND_COMPARE ? after_compare(p) : rc;
    }
    if (b) return *ret_more = false, OK;
    if (least <= BIND_COMPARE) {
        bool done;
        enum code rc = parse_word_operator(p, io, &done);
        if (rc) return rc;
        if (done) return after_compare(p);
    }
    if (least <= BIND_AND && is_keyword(p, 0, "AND")) return join_logical(p, EX_AND, BIND_AND, at, io);
    if (least <= BIND_OR && is_keyword(p, 0, "OR")) return join_logical(p, EX_OR, BIND_OR, at, io);
    *ret_more = false;
    return OK;
}

static enum code parse_prefix(struct parser *p, int least, struct sql_expr **ret) {
    uint32_t at = here(p);
    if (!is_keyword(p, 0, "NOT")) return parse_unary(p, ret);
    if (least > BIND_NOT) return unexpected(p);
    p->at++;
    struct sql_expr *operand;
    enum code rc = parse_bound(p, BIND_NOT, &operand);
    return rc ? rc : call(p, at, "NOT", operand, NULL, ret);
}

static enum code parse_bound(struct parser *p, int least, struct sql_expr **ret) {
    enum code rc = enter(p, here(p));
    if (!rc) rc = parse_prefix(p, least, ret);
    for (bool more = true; !rc && more;) rc = parse_infix(p, least, ret, &more);
    leave(p);
    return rc;
}

enum code parse_expr(struct parser *p, struct sql_expr **ret) {
    return parse_bound(p, BIND_OR, ret);
}
