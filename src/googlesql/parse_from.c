/* parse_from.c: what follows FROM: tables, subqueries, joins from left to right. */
#include "googlesql/parser.h"

static enum code from_new(struct parser *p, enum sql_from_kind kind, uint32_t at, struct sql_from **ret) {
    struct sql_from *f = ARENA_NEW(p->arena, struct sql_from);
    if (!f) return err_oom(p->err);
    f->kind = kind;
    f->at = at;
    *ret = f;
    return OK;
}

static enum code parse_joins(struct parser *p, struct sql_from **ret);

static enum code parse_from_alias(struct parser *p, struct sql_from *f) {
    enum code rc = parse_hint(p);
    if (rc) return rc;
    if (take_keyword(p, "AS")) rc = parse_name(p, &f->alias);
    else if (is_name(p, 0) && !is_keyword(p, 0, "TABLESAMPLE")) rc = parse_name(p, &f->alias);
    if (rc) return rc;
    if (is_keyword(p, 0, "TABLESAMPLE")) return unsupported(p, here(p), "TABLESAMPLE");
    if (is_keyword(p, 0, "FOR")) return unsupported(p, here(p), "FOR UPDATE and FOR SYSTEM_TIME");
    if (is_keyword(p, 0, "WITH") && is_keyword(p, 1, "OFFSET")) return unsupported(p, here(p), "WITH OFFSET");
    return OK;
}

static bool query_opens(const struct parser *p) {
    size_t ahead = 0;
    while (is_punct(p, ahead, "(")) ahead++;
    return is_keyword(p, ahead, "SELECT") || is_keyword(p, ahead, "WITH");
}

/* After "(": a query, or a join in parentheses. `((SELECT 1) AS a JOIN …)` is a join: decided by its first token. */
static enum code parse_from_parenthesis(struct parser *p, uint32_t at, struct sql_from **ret) {
    if (is_punct(p, 0, "(") && query_opens(p)) return unsupported(p, at, "A parenthesis in a parenthesis after FROM");
    if (query_opens(p)) {
        enum code rc = from_new(p, FROM_QUERY, at, ret);
        if (!rc) rc = parse_query(p, &(*ret)->query);
        if (!rc) rc = expect_punct(p, ")");
        return rc ? rc : parse_from_alias(p, *ret);
    }
    enum code rc = enter(p, at);
    if (!rc) rc = parse_joins(p, ret);
    leave(p);
    if (rc) return rc;
    if ((*ret)->kind != FROM_JOIN) return unexpected(p);
    (*ret)->in_parentheses = true;
    return expect_punct(p, ")");
}

static enum code parse_table(struct parser *p, struct sql_from **ret) {
    uint32_t at = here(p);
    if (take_punct(p, "(")) return parse_from_parenthesis(p, at, ret);
    if (is_keyword(p, 0, "UNNEST")) return unsupported(p, at, "UNNEST");
    if (is_keyword(p, 0, "LATERAL")) return unsupported(p, at, "LATERAL");
    enum code rc = from_new(p, FROM_TABLE, at, ret);
    if (!rc) rc = parse_path(p, &(*ret)->path, &(*ret)->n_path);
    if (rc) return rc;
    if (is_punct(p, 0, "(")) return unsupported(p, at, "Table functions");
    return parse_from_alias(p, *ret);
}

static enum code parse_using(struct parser *p, struct sql_from *f) {
    struct str *names = NULL;
    uint32_t *places = NULL;
    size_t cap = 0, cap_at = 0;
    enum code rc = expect_punct(p, "(");
    do {
        if (rc) return rc;
        if (!arena_grow(p->arena, &names, &cap, f->n_using + 1, sizeof *names) ||
            !arena_grow(p->arena, &places, &cap_at, f->n_using + 1, sizeof *places))
            return err_oom(p->err);
        places[f->n_using] = here(p);
        rc = parse_name(p, &names[f->n_using++]);
    } while (!rc && take_punct(p, ","));
    f->using_names = names;
    f->using_at = places;
    return rc ? rc : expect_punct(p, ")");
}

static enum code parse_condition(struct parser *p, struct sql_from *f) {
    if (take_keyword(p, "ON")) return parse_expr(p, &f->on);
    if (take_keyword(p, "USING")) return parse_using(p, f);
    if (f->join == JOIN_INNER) {
        f->join = JOIN_CROSS; /* INNER JOIN without a condition is a cross join, unless one still comes: a ON b ON c */
        return OK;
    }
    return expected(p, "keyword ON or keyword USING");
}

/* *ret_join and true when a join begins here; its words are taken. */
static enum code parse_join_words(struct parser *p, enum sql_join *ret_join, bool *ret_there) {
    static const struct {
        const char *word;
        enum sql_join join;
    } kinds[] = { { "INNER", JOIN_INNER },
                  { "CROSS", JOIN_CROSS },
                  { "LEFT", JOIN_LEFT },
                  { "RIGHT", JOIN_RIGHT },
                  { "FULL", JOIN_FULL } };
    static const char *const methods[] = { "HASH", "LOOKUP" };
    *ret_there = true;
    if (take_punct(p, ",")) return *ret_join = JOIN_CROSS, OK;
    if (is_keyword(p, 0, "NATURAL")) return unsupported(p, here(p), "NATURAL JOIN");
    *ret_join = JOIN_INNER;
    bool word = false;
    for (size_t i = 0; i < COUNT(kinds) && !word; i++) {
        word = take_keyword(p, kinds[i].word);
        if (word) *ret_join = kinds[i].join;
    }
    if (*ret_join == JOIN_LEFT || *ret_join == JOIN_RIGHT || *ret_join == JOIN_FULL) (void)take_keyword(p, "OUTER");
    for (size_t i = 0; i < COUNT(methods); i++)
        if (is_keyword(p, 1, "JOIN") && take_keyword(p, methods[i])) word = true;
    if (take_keyword(p, "JOIN")) return parse_hint(p);
    *ret_there = false;
    return word ? expected(p, "keyword JOIN") : OK;
}

static enum code join_new(struct parser *p, enum sql_join join, uint32_t at, struct sql_from *left, struct sql_from **ret) {
    if (++p->joins > SQL_MAX_JOINS)
        return sql_error(p->err, INVALID_ARGUMENT, p->text, at, "The statement has more than %d joins", SQL_MAX_JOINS);
    struct sql_from *f = NULL;
    enum code rc = from_new(p, FROM_JOIN, at, &f);
    if (rc || !f) return rc;
    f->join = join;
    f->left = left;
    *ret = f;
    return OK;
}

static enum code parse_joins(struct parser *p, struct sql_from **ret) {
    bool comma_before = false;
    enum code rc = parse_table(p, ret);
    while (!rc) {
        uint32_t at = here(p);
        bool comma = is_punct(p, 0, ","), there;
        enum sql_join join = JOIN_CROSS;
        struct sql_from *f = NULL;
        rc = parse_join_words(p, &join, &there);
        if (rc || !there) return rc;
        if (comma_before && (join == JOIN_RIGHT || join == JOIN_FULL))
            return sql_error(p->err, INVALID_ARGUMENT, p->text, at,
                             "Syntax error: %s JOIN must be parenthesized when following a comma join",
                             join == JOIN_RIGHT ? "RIGHT" : "FULL");
        comma_before = comma_before || comma;
        rc = join_new(p, join, at, *ret, &f);
        if (!rc) rc = parse_table(p, &f->right);
        if (!rc && join != JOIN_CROSS) rc = parse_condition(p, f);
        *ret = f;
    }
    return rc;
}

enum code parse_from(struct parser *p, struct sql_from **ret) {
    return parse_joins(p, ret);
}
