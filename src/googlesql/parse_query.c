/* parse_query.c: [WITH …] SELECT … {set operation SELECT …} [ORDER BY …] [LIMIT …]. */
#include "googlesql/parser.h"

static enum code grow(struct parser *p, void *items, size_t *cap, size_t need, size_t each) {
    return arena_grow(p->arena, items, cap, need, each) ? OK : err_oom(p->err);
}

static enum code parse_star_except(struct parser *p, struct sql_item *item) {
    struct str *names = NULL;
    size_t cap = 0;
    if (is_keyword(p, 0, "REPLACE")) return unsupported(p, here(p), "SELECT * REPLACE");
    if (!is_keyword(p, 0, "EXCEPT") || !is_punct(p, 1, "(")) return OK;
    p->at += 2;
    do {
        enum code rc = grow(p, &names, &cap, item->n_except + 1, sizeof *names);
        if (!rc) rc = parse_name(p, &names[item->n_except++]);
        if (rc) return rc;
    } while (take_punct(p, ","));
    item->except = names;
    enum code rc = expect_punct(p, ")");
    if (!rc && is_keyword(p, 0, "REPLACE")) return unsupported(p, here(p), "SELECT * REPLACE");
    return rc;
}

/* Is it `a.b.*`? */
static bool dot_star(const struct parser *p) {
    size_t ahead = 0;
    while (is_name(p, ahead) && is_punct(p, ahead + 1, ".")) ahead += 2;
    return ahead > 0 && is_punct(p, ahead, "*");
}

static enum code parse_alias(struct parser *p, struct str *ret) {
    if (take_keyword(p, "AS")) return parse_name(p, ret);
    if (is_name(p, 0)) return parse_name(p, ret);
    return OK;
}

static enum code parse_item(struct parser *p, struct sql_item *item) {
    item->at = here(p);
    if (take_punct(p, "*")) return parse_star_except(p, item);
    if (dot_star(p)) {
        enum code rc = parse_path(p, &item->star_of, &item->n_star_of);
        if (!rc) rc = expect_punct(p, ".");
        if (!rc) rc = expect_punct(p, "*");
        return rc ? rc : parse_star_except(p, item);
    }
    enum code rc = parse_expr(p, &item->expr);
    if (rc) return rc;
    if (is_punct(p, 0, ".")) return unsupported(p, here(p), "Field access");
    return parse_alias(p, &item->alias);
}

/* What may follow a comma that ends the list. */
static bool list_ends(const struct parser *p) {
    static const char *const words[] = { "FROM", "WHERE", "UNION", "INTERSECT", "EXCEPT", "ORDER", "LIMIT" };
    if (token_at(p, 0).kind == TOKEN_END || is_punct(p, 0, ")") || is_punct(p, 0, ";")) return true;
    for (size_t i = 0; i < COUNT(words); i++)
        if (is_keyword(p, 0, words[i])) return true;
    return false;
}

static enum code parse_items(struct parser *p, struct sql_query *q) {
    size_t cap = 0;
    if (list_ends(p))
        return sql_error(p->err, INVALID_ARGUMENT, p->text, here(p), "Syntax error: SELECT list must not be empty");
    do {
        if (q->n_items > 0 && list_ends(p)) return OK;
        enum code rc = grow(p, &q->items, &cap, q->n_items + 1, sizeof *q->items);
        if (rc) return rc;
        q->items[q->n_items] = (struct sql_item){ 0 };
        rc = parse_item(p, &q->items[q->n_items++]);
        if (rc) return rc;
        if (q->n_items > SQL_MAX_COLUMNS)
            return sql_error(p->err, INVALID_ARGUMENT, p->text, here(p), "The query has more than %d columns",
                             SQL_MAX_COLUMNS);
    } while (take_punct(p, ","));
    return OK;
}

static enum code parse_group(struct parser *p, struct sql_query *q) {
    size_t cap = 0;
    enum code rc = parse_hint(p);
    if (!rc) rc = expect_keyword(p, "BY");
    if (rc) return rc;
    if (is_keyword(p, 0, "ROLLUP") || is_keyword(p, 0, "CUBE") || is_keyword(p, 0, "GROUPING") || is_keyword(p, 0, "ALL"))
        return unsupported(p, here(p), "GROUP BY ROLLUP, CUBE, GROUPING SETS and ALL");
    do {
        rc = grow(p, &q->group, &cap, q->n_group + 1, sizeof *q->group);
        if (!rc) rc = parse_expr(p, &q->group[q->n_group++]);
        if (rc) return rc;
    } while (take_punct(p, ","));
    q->grouped = true;
    return OK;
}

static enum code parse_select_rest(struct parser *p, struct sql_query *q) {
    enum code rc = OK;
    if (take_keyword(p, "FROM")) rc = parse_from(p, &q->from);
    if (!rc && take_keyword(p, "WHERE")) rc = parse_expr(p, &q->where);
    if (!rc && take_keyword(p, "GROUP")) rc = parse_group(p, q);
    if (!rc && take_keyword(p, "HAVING")) rc = parse_expr(p, &q->having);
    if (!rc && is_keyword(p, 0, "QUALIFY")) return unsupported(p, here(p), "QUALIFY");
    if (!rc && is_keyword(p, 0, "WINDOW")) return unsupported(p, here(p), "WINDOW");
    return rc;
}

static enum code parse_select(struct parser *p, struct sql_query **ret) {
    struct sql_query *q = ARENA_NEW(p->arena, struct sql_query);
    if (!q) return err_oom(p->err);
    q->kind = QUERY_SELECT;
    q->at = here(p);
    enum code rc = expect_keyword(p, "SELECT");
    if (!rc) rc = parse_hint(p);
    if (rc) return rc;
    if (is_keyword(p, 0, "WITH")) return unsupported(p, here(p), "SELECT WITH");
    q->distinct = take_keyword(p, "DISTINCT");
    if (!q->distinct) (void)take_keyword(p, "ALL");
    if (is_keyword(p, 0, "AS") && (is_keyword(p, 1, "STRUCT") || is_keyword(p, 1, "VALUE")))
        return unsupported(p, here(p), "SELECT AS STRUCT and AS VALUE");
    rc = parse_items(p, q);
    if (!rc) rc = parse_select_rest(p, q);
    *ret = q;
    return rc;
}

/* A SELECT, or a query in parentheses. */
static enum code parse_arm(struct parser *p, struct sql_query **ret) {
    if (!take_punct(p, "(")) return parse_select(p, ret);
    enum code rc = parse_query(p, ret);
    return rc ? rc : expect_punct(p, ")");
}

/* At UNION, INTERSECT or EXCEPT: *ret_kind, or QUERY_SELECT when there is none. */
static enum code parse_set_operator(struct parser *p, enum sql_query_kind *ret_kind) {
    uint32_t at = here(p);
    bool all_allowed = is_keyword(p, 0, "UNION");
    *ret_kind = QUERY_SELECT;
    if (take_keyword(p, "UNION")) *ret_kind = QUERY_UNION;
    else if (take_keyword(p, "INTERSECT")) *ret_kind = QUERY_INTERSECT;
    else if (take_keyword(p, "EXCEPT")) *ret_kind = QUERY_EXCEPT;
    else return OK;
    enum code rc = parse_hint(p);
    if (rc) return rc;
    if (take_keyword(p, "ALL")) {
        if (!all_allowed) return unsupported(p, at, "INTERSECT ALL and EXCEPT ALL");
        *ret_kind = QUERY_UNION_ALL;
        return OK;
    }
    if (!take_keyword(p, "DISTINCT")) return expected(p, "keyword ALL or keyword DISTINCT");
    return OK;
}

static enum code add_arm(struct parser *p, struct sql_query *q, size_t *cap, struct sql_query *arm) {
    enum code rc = grow(p, &q->arms, cap, q->n_arms + 1, sizeof *q->arms);
    if (rc) return rc;
    if (q->n_arms >= 200) return unsupported(p, arm->at, "More than 200 set operations");
    q->arms[q->n_arms++] = arm;
    return OK;
}

static bool plain_arm(const struct sql_query *q) {
    return q->n_order == 0 && !q->limit && q->n_ctes == 0;
}

static enum code parse_set(struct parser *p, struct sql_query **ret) {
    struct sql_query *first, *q = NULL;
    enum code rc = parse_arm(p, &first);
    size_t cap = 0;
    for (;;) {
        if (rc) return rc;
        uint32_t at = here(p);
        enum sql_query_kind kind;
        rc = parse_set_operator(p, &kind);
        if (rc) return rc;
        if (kind == QUERY_SELECT) break;
        if (q && q->kind != kind)
            return sql_error(p->err, INVALID_ARGUMENT, p->text, at,
                             "Syntax error: Different set operations cannot be used in the same query without using "
                             "parentheses for grouping");
        if (!q) {
            q = ARENA_NEW(p->arena, struct sql_query);
            if (!q) return err_oom(p->err);
            q->kind = kind;
            q->at = first->at;
            rc = add_arm(p, q, &cap, first);
        }
        struct sql_query *arm;
        if (!rc) rc = parse_arm(p, &arm);
        if (!rc) rc = add_arm(p, q, &cap, arm);
    }
    *ret = q ? q : first;
    return OK;
}

static enum code parse_order(struct parser *p, struct sql_query *q) {
    size_t cap = 0;
    enum code rc = parse_hint(p);
    if (!rc) rc = expect_keyword(p, "BY");
    if (rc) return rc;
    do {
        rc = grow(p, &q->order, &cap, q->n_order + 1, sizeof *q->order);
        if (rc) return rc;
        struct sql_order *o = &q->order[q->n_order++];
        *o = (struct sql_order){ 0 };
        rc = parse_expr(p, &o->expr);
        if (rc) return rc;
        if (is_keyword(p, 0, "COLLATE")) return unsupported(p, here(p), "COLLATE");
        o->desc = take_keyword(p, "DESC");
        if (!o->desc) (void)take_keyword(p, "ASC");
        if (is_keyword(p, 0, "NULLS"))
            return sql_error(p->err, INVALID_ARGUMENT, p->text, here(p), "NULLS FIRST and NULLS LAST are not supported");
    } while (take_punct(p, ","));
    return OK;
}

static enum code parse_count(struct parser *p, const char *clause, struct sql_expr **ret) {
    enum token_kind kind = token_at(p, 0).kind;
    if (kind == TOKEN_INT || kind == TOKEN_PARAM) return parse_primary(p, ret);
    if (is_keyword(p, 0, "CAST")) return unsupported(p, here(p), "CAST in LIMIT and OFFSET");
    return sql_error(p->err, INVALID_ARGUMENT, p->text, here(p),
                     "Syntax error: %s expects a non-negative integer literal or parameter", clause);
}

static enum code parse_tail(struct parser *p, struct sql_query *q) {
    enum code rc = OK;
    if (take_keyword(p, "ORDER")) rc = parse_order(p, q);
    if (!rc && take_keyword(p, "LIMIT")) {
        rc = parse_count(p, "LIMIT", &q->limit);
        if (!rc && take_keyword(p, "OFFSET")) rc = parse_count(p, "OFFSET", &q->offset);
    }
    if (!rc && is_keyword(p, 0, "FOR")) return unsupported(p, here(p), "FOR UPDATE and FOR SYSTEM_TIME");
    return rc;
}

static enum code parse_cte(struct parser *p, struct sql_cte **ret) {
    struct sql_cte *cte = ARENA_NEW(p->arena, struct sql_cte);
    if (!cte) return err_oom(p->err);
    cte->at = here(p);
    enum code rc = parse_name(p, &cte->name);
    if (!rc && is_punct(p, 0, "(")) return unsupported(p, here(p), "Column lists in WITH");
    if (!rc) rc = expect_keyword(p, "AS");
    if (!rc) rc = expect_punct(p, "(");
    if (!rc) rc = parse_query(p, &cte->query);
    *ret = cte;
    return rc ? rc : expect_punct(p, ")");
}

static enum code parse_with(struct parser *p, struct sql_cte ***ret, size_t *ret_n) {
    size_t cap = 0, n = 0;
    struct sql_cte **ctes = NULL;
    if (is_keyword(p, 0, "RECURSIVE")) return unsupported(p, here(p), "WITH RECURSIVE");
    do {
        enum code rc = grow(p, &ctes, &cap, n + 1, sizeof *ctes);
        if (!rc) rc = parse_cte(p, &ctes[n++]);
        if (rc) return rc;
    } while (take_punct(p, ","));
    *ret = ctes;
    *ret_n = n;
    return OK;
}

/* A query in parentheses is the only arm of one that orders it: what it selects is in sight there, and not what from. */
static enum code wrap(struct parser *p, struct sql_query **io) {
    struct sql_query *q = ARENA_NEW(p->arena, struct sql_query);
    size_t cap = 0;
    if (!q) return err_oom(p->err);
    q->kind = QUERY_UNION_ALL;
    q->at = (*io)->at;
    enum code rc = add_arm(p, q, &cap, *io);
    *io = q;
    return rc;
}

static enum code parse_levels(struct parser *p, struct sql_query **ret) {
    struct sql_cte **ctes = NULL;
    size_t n_ctes = 0;
    uint32_t at = here(p);
    enum code rc = OK;
    if (is_keyword(p, 0, "FROM")) return unsupported(p, at, "Pipe syntax");
    if (take_keyword(p, "WITH")) rc = parse_with(p, &ctes, &n_ctes);
    bool opened = is_punct(p, 0, "(");
    if (!rc) rc = parse_set(p, ret);
    if (rc) return rc;
    bool tail = is_keyword(p, 0, "ORDER") || is_keyword(p, 0, "LIMIT") || n_ctes > 0;
    if (tail && ((opened && (*ret)->kind == QUERY_SELECT) || !plain_arm(*ret))) rc = wrap(p, ret);
    if (rc) return rc;
    (*ret)->ctes = n_ctes ? ctes : (*ret)->ctes;
    (*ret)->n_ctes = n_ctes ? n_ctes : (*ret)->n_ctes;
    return parse_tail(p, *ret);
}

enum code parse_query(struct parser *p, struct sql_query **ret) {
    enum code rc = enter(p, here(p));
    if (!rc) rc = parse_levels(p, ret);
    leave(p);
    return rc;
}
