/* parse_primary.c: literals, parameters, names, calls, CASE, CAST, subqueries. */
#include <errno.h>
#include <stdlib.h>
#include "googlesql/datetime.h"
#include "googlesql/parser.h"

static enum code literal_new(struct parser *p, enum sql_type type, uint32_t at, struct sql_expr **ret) {
    enum code rc = expr_new(p, EX_LITERAL, at, ret);
    if (!rc) (*ret)->type = type;
    return rc;
}

/* Decimal or hexadecimal, with its minus: hexadecimal reaches 0xFFFFFFFFFFFFFFFF no further than INT64 does. */
static bool integer(struct str digits, bool minus, int64_t *ret) {
    uint64_t value = 0;
    bool hex = digits.n > 2 && (digits.p[1] == 'x' || digits.p[1] == 'X');
    if (!hex) {
        if (!str_u64(digits, &value)) return false;
    } else {
        if (digits.n > 18) return false;
        for (size_t i = 2; i < digits.n; i++) {
            char c = digits.p[i];
            value = value * 16 + (uint64_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        }
    }
    if (value > (uint64_t)INT64_MAX + (minus ? 1 : 0)) return false;
    *ret = minus ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

static enum code parse_int(struct parser *p, struct sql_expr **ret) {
    uint32_t at = here(p);
    bool minus = take_punct(p, "-");
    struct str digits = token_text(p->text, token_at(p, 0));
    enum code rc = literal_new(p, SQL_INT64, at, ret);
    if (rc) return rc;
    if (!integer(digits, minus, &(*ret)->i))
        return sql_error(p->err, INVALID_ARGUMENT, p->text, at, "Invalid integer literal: %s%.*s", minus ? "-" : "",
                         STR_ARG(str_upto(digits, 60)));
    p->at++;
    return OK;
}

static enum code parse_float(struct parser *p, struct sql_expr **ret) {
    uint32_t at = here(p);
    enum code rc = literal_new(p, SQL_FLOAT64, at, ret);
    if (rc) return rc;
    char *z = str_dupz(p->arena, token_text(p->text, token_at(p, 0)));
    if (!z) return err_oom(p->err);
    (*ret)->f = strtod(z, NULL);
    if ((*ret)->f > 1.7976931348623157e308)
        return sql_error(p->err, INVALID_ARGUMENT, p->text, at, "Invalid floating point literal");
    p->at++;
    return OK;
}

static enum code parse_text(struct parser *p, struct sql_expr **ret) {
    struct token t = token_at(p, 0);
    enum code rc = literal_new(p, t.kind == TOKEN_BYTES ? SQL_BYTES : SQL_STRING, t.at, ret);
    if (!rc) rc = literal_string(p->arena, p->text, t, &(*ret)->text, p->err);
    p->at++;
    if (!rc && (token_at(p, 0).kind == TOKEN_STRING || token_at(p, 0).kind == TOKEN_BYTES)) return unexpected(p);
    return rc;
}

/* DATE '2020-01-01', TIMESTAMP '…' */
static enum code parse_typed(struct parser *p, enum sql_type type, struct sql_expr **ret) {
    uint32_t at = here(p);
    struct sql_expr *text;
    p->at++;
    enum code rc = parse_text(p, &text);
    if (!rc) rc = literal_new(p, type, at, ret);
    if (rc) return rc;
    if (datetime_literal(p->arena, type, text->text, *ret)) return OK;
    return sql_error(p->err, INVALID_ARGUMENT, p->text, at, "Invalid %s literal", sql_type_name(type));
}

static enum code parse_param(struct parser *p, struct sql_expr **ret) {
    struct token t = token_at(p, 0);
    enum code rc = expr_new(p, EX_PARAM, t.at, ret);
    if (rc) return rc;
    (*ret)->text = str_from(token_text(p->text, t), 1);
    p->at++;
    return OK;
}

static enum code case_arm(struct parser *p, struct sql_expr *e, const char *word) {
    struct sql_expr *x;
    enum code rc = expect_keyword(p, word);
    if (!rc) rc = parse_expr(p, &x);
    return rc ? rc : expr_add(p, e, x);
}

static enum code parse_case(struct parser *p, struct sql_expr **ret) {
    struct sql_expr *e, *operand;
    enum code rc = expr_new(p, EX_CASE, here(p), &e);
    if (rc) return rc;
    p->at++;
    if (!is_keyword(p, 0, "WHEN")) {
        rc = parse_expr(p, &operand);
        if (!rc) rc = expr_add(p, e, operand);
        if (rc) return rc;
        e->has_operand = true;
    }
    do {
        rc = case_arm(p, e, "WHEN");
        if (!rc) rc = case_arm(p, e, "THEN");
        if (rc) return rc;
    } while (is_keyword(p, 0, "WHEN"));
    if (is_keyword(p, 0, "ELSE")) {
        rc = case_arm(p, e, "ELSE");
        if (rc) return rc;
        e->has_else = true;
    }
    *ret = e;
    return expect_keyword(p, "END");
}

static enum code parse_cast(struct parser *p, bool safe, struct sql_expr **ret) {
    struct sql_expr *e, *operand;
    enum code rc = expr_new(p, EX_CAST, here(p), &e);
    if (rc) return rc;
    p->at += 2;
    rc = parse_expr(p, &operand);
    if (!rc) rc = expr_add(p, e, operand);
    if (!rc) rc = expect_keyword(p, "AS");
    struct sql_column type = { 0 };
    uint32_t at = here(p);
    if (!rc) rc = parse_type(p, &type);
    if (rc) return rc;
    if (type.max_length != 0 && type.max_length != INT64_MAX) return unsupported(p, at, "CAST to a type with a length");
    if (is_keyword(p, 0, "FORMAT")) return unsupported(p, here(p), "CAST with FORMAT");
    e->to = type.type;
    e->flag = safe;
    *ret = e;
    return expect_punct(p, ")");
}

static enum code parse_subquery(struct parser *p, enum sql_expr_kind kind, uint32_t at, struct sql_expr **ret) {
    enum code rc = expr_new(p, kind, at, ret);
    if (!rc) rc = parse_query(p, &(*ret)->query);
    return rc ? rc : expect_punct(p, ")");
}

/* The token after the parenthesis that closes the one at `ahead`. */
static size_t after_closing(const struct parser *p, size_t ahead) {
    size_t open = 0;
    for (;; ahead++) {
        if (token_at(p, ahead).kind == TOKEN_END) return ahead;
        if (is_punct(p, ahead, "(")) open++;
        if (is_punct(p, ahead, ")") && --open == 0) return ahead + 1;
    }
}

/* After "(": is it a query? `((SELECT 1) UNION ALL …` is, `((SELECT 1) + 1` is not. */
static bool query_follows(const struct parser *p) {
    static const char *const more[] = { "UNION", "INTERSECT", "EXCEPT", "ORDER", "LIMIT" };
    if (is_keyword(p, 0, "SELECT") || is_keyword(p, 0, "WITH")) return true;
    size_t ahead = 0;
    while (is_punct(p, ahead, "(")) ahead++;
    if (ahead == 0 || (!is_keyword(p, ahead, "SELECT") && !is_keyword(p, ahead, "WITH"))) return false;
    size_t next = after_closing(p, 0);
    for (size_t i = 0; i < COUNT(more); i++)
        if (is_keyword(p, next, more[i])) return true;
    return false;
}

static enum code parse_parenthesis(struct parser *p, struct sql_expr **ret) {
    uint32_t at = here(p);
    p->at++;
    if (query_follows(p)) return parse_subquery(p, EX_SUBQUERY, at, ret);
    enum code rc = parse_expr(p, ret);
    if (rc) return rc;
    if (is_punct(p, 0, ",")) return unsupported(p, at, "STRUCT");
    if ((*ret)->kind == EX_AND || (*ret)->kind == EX_OR) (*ret)->has_else = true;
    return expect_punct(p, ")");
}

/* After EXTRACT and its parenthesis: part FROM x [AT TIME ZONE z]. */
static enum code parse_extract(struct parser *p, struct sql_expr *e) {
    struct sql_expr *part, *x;
    enum code rc = expr_new(p, EX_PART, here(p), &part);
    if (!rc) rc = parse_name(p, &part->text);
    if (!rc) rc = expr_add(p, e, part);
    if (!rc) rc = expect_keyword(p, "FROM");
    if (!rc) rc = parse_expr(p, &x);
    if (!rc) rc = expr_add(p, e, x);
    if (!rc && take_keyword(p, "AT")) {
        rc = expect_keyword(p, "TIME");
        if (!rc) rc = expect_keyword(p, "ZONE");
        if (!rc) rc = parse_expr(p, &x);
        if (!rc) rc = expr_add(p, e, x);
    }
    return rc ? rc : expect_punct(p, ")");
}

static enum code parse_interval(struct parser *p, struct sql_expr **ret) {
    struct sql_expr *e, *n;
    enum code rc = expr_new(p, EX_INTERVAL, here(p), &e);
    if (rc) return rc;
    p->at++;
    rc = parse_expr(p, &n);
    if (!rc) rc = expr_add(p, e, n);
    if (!rc) rc = parse_name(p, &e->text);
    *ret = e;
    return rc;
}

static enum code parse_argument(struct parser *p, struct sql_expr *e) {
    struct sql_expr *arg;
    enum code rc = is_keyword(p, 0, "INTERVAL") ? parse_interval(p, &arg) : parse_expr(p, &arg);
    if (rc) return rc;
    if (is_punct(p, 0, "=>") || is_punct(p, 0, "->")) return unsupported(p, here(p), "Named arguments and lambdas");
    return expr_add(p, e, arg);
}

static enum code parse_arguments(struct parser *p, struct sql_expr *e) {
    static const char *const later[] = { "ORDER", "LIMIT", "HAVING", "IGNORE", "RESPECT" };
    if (take_punct(p, ")")) return OK;
    if (is_punct(p, 0, "*") && is_punct(p, 1, ")")) {
        e->star = true;
        p->at += 2;
        return OK;
    }
    e->distinct = take_keyword(p, "DISTINCT");
    do {
        enum code rc = parse_argument(p, e);
        if (rc) return rc;
    } while (take_punct(p, ","));
    for (size_t i = 0; i < COUNT(later); i++)
        if (is_keyword(p, 0, later[i]))
            return unsupported(p, here(p), "ORDER BY, LIMIT, HAVING and NULLS within an aggregate");
    return expect_punct(p, ")");
}

static enum code parse_call(struct parser *p, struct sql_expr *e, struct str name) {
    if (++p->calls > SQL_MAX_CALLS)
        return sql_error(p->err, INVALID_ARGUMENT, p->text, e->at, "The statement has more than %d function calls",
                         SQL_MAX_CALLS);
    p->at++;
    e->kind = EX_CALL;
    e->text = name;
    enum code rc = str_eq_nocase(name, STR("EXTRACT")) ? parse_extract(p, e) : parse_arguments(p, e);
    if (rc) return rc;
    if (is_keyword(p, 0, "OVER")) return unsupported(p, e->at, "Analytic functions (OVER)");
    return OK;
}

static enum code parse_name_or_call(struct parser *p, struct sql_expr **ret) {
    struct sql_expr *e;
    enum code rc = expr_new(p, EX_NAME, here(p), &e);
    if (!rc) rc = parse_path(p, &e->path, &e->n_path);
    if (rc) return rc;
    *ret = e;
    if (!is_punct(p, 0, "(")) {
        if (is_punct(p, 0, "[")) return unsupported(p, here(p), "Array subscripts");
        return OK;
    }
    if (e->n_path == 1) return parse_call(p, e, e->path[0]);
    if (e->n_path == 2 && str_eq_nocase(e->path[0], STR("SAFE"))) {
        e->flag = true;
        return parse_call(p, e, e->path[1]);
    }
    if (e->n_path == 2 && str_eq_nocase(e->path[0], STR("NET"))) return unsupported(p, e->at, "NET functions");
    return sql_error(p->err, INVALID_ARGUMENT, p->text, e->at, "Function not found: %.*s.%.*s", STR_ARG(e->path[0]),
                     STR_ARG(e->path[1]));
}

/* Words that open an expression of their own. */
static enum code parse_word(struct parser *p, struct sql_expr **ret) {
    static const char *const later[] = { "ARRAY", "STRUCT", "NUMERIC", "JSON", "UNNEST", "NEW", "INTERVAL", "BIGNUMERIC" };
    uint32_t at = here(p);
    bool paren = is_punct(p, 1, "("), text = token_at(p, 1).kind == TOKEN_STRING;
    if (take_keyword(p, "NULL")) return expr_new(p, EX_NULL, at, ret);
    if (is_keyword(p, 0, "TRUE") || is_keyword(p, 0, "FALSE")) {
        enum code rc = literal_new(p, SQL_BOOL, at, ret);
        if (!rc) (*ret)->i = is_keyword(p, 0, "TRUE");
        p->at++;
        return rc;
    }
    if (is_keyword(p, 0, "CASE")) return parse_case(p, ret);
    if (paren && is_keyword(p, 0, "CAST")) return parse_cast(p, false, ret);
    if (paren && is_keyword(p, 0, "SAFE_CAST")) return parse_cast(p, true, ret);
    if (text && is_keyword(p, 0, "DATE")) return parse_typed(p, SQL_DATE, ret);
    if (text && is_keyword(p, 0, "TIMESTAMP")) return parse_typed(p, SQL_TIMESTAMP, ret);
    if (paren && is_keyword(p, 0, "EXISTS")) {
        p->at += 2;
        return parse_subquery(p, EX_EXISTS, at, ret);
    }
    for (size_t i = 0; i < COUNT(later); i++)
        if (is_keyword(p, 0, later[i]) && (paren || text || lex_reserved(str_z(later[i]))))
            return unsupported(p, at, later[i]);
    if (paren &&
        (is_keyword(p, 0, "IF") || is_keyword(p, 0, "LEFT") || is_keyword(p, 0, "RIGHT") || is_keyword(p, 0, "EXTRACT"))) {
        struct str name = token_text(p->text, token_at(p, 0));
        p->at++;
        enum code rc = expr_new(p, EX_CALL, at, ret);
        return rc ? rc : parse_call(p, *ret, name);
    }
    return parse_name_or_call(p, ret);
}

enum code parse_primary(struct parser *p, struct sql_expr **ret) {
    switch (token_at(p, 0).kind) {
    case TOKEN_INT: return parse_int(p, ret);
    case TOKEN_FLOAT: return parse_float(p, ret);
    case TOKEN_STRING:
    case TOKEN_BYTES: return parse_text(p, ret);
    case TOKEN_PARAM: return parse_param(p, ret);
    case TOKEN_NAME: return parse_word(p, ret);
    case TOKEN_QUOTED: return parse_name_or_call(p, ret);
    case TOKEN_PUNCT:
        if (is_punct(p, 0, "-") && token_at(p, 1).kind == TOKEN_INT) return parse_int(p, ret);
        if (is_punct(p, 0, "(")) return parse_parenthesis(p, ret);
        if (is_punct(p, 0, "[")) return unsupported(p, here(p), "ARRAY");
        return unexpected(p);
    case TOKEN_END: return unexpected(p);
    }
    return unexpected(p);
}
