/* A string of the document: text, one expression, or text with expressions in it. */
#include "pipeline/expr_internal.h"

#include "base/enc.h"

struct parts {
    const struct expr_node **items;
    size_t n, cap;
};

static bool add_part(struct arena *arena, struct parts *parts, const struct expr_node *node) {
    if (!node || !arena_grow(arena, &parts->items, &parts->cap, parts->n + 1, sizeof *parts->items)) return false;
    parts->items[parts->n++] = node;
    return true;
}

static const struct expr_node *text_node(struct expr_parser *p, struct str text, size_t at) {
    struct expr_node *node = expr_new_node(p, NODE_STRING, at);
    if (!node) return NULL;
    node->text = str_dup(p->arena, text);
    return text.n && !node->text.p ? NULL : node;
}

/* "@{…}" at p->lexer.at; leaves it behind the brace. */
static enum code parse_braces(struct expr_parser *p, struct parts *parts, struct err *err) {
    const struct expr_node *node;
    size_t open = p->lexer.at;
    p->lexer.at += 2;
    enum code rc = expr_lex(&p->lexer, err);
    if (rc == OK) rc = expr_parse_value(p, &node, err);
    if (rc) return rc;
    if (!expr_token_is(&p->lexer.token, "}")) {
        if (p->lexer.token.kind == TOKEN_END) return expr_fault(p, open, err, "the @{ that begins here has no }");
        return expr_fault(p, p->lexer.token.at, err, "'}' should stand here, not %.*s",
                          STR_ARG(str_upto(p->lexer.token.text, 40)));
    }
    return add_part(p->arena, parts, node) ? OK : err_oom(err);
}

/* Text up to the next "@{" or "@@{", which stands for "@{". */
static bool parse_run(struct expr_parser *p, struct parts *parts) {
    struct str text = p->lexer.text;
    size_t from = p->lexer.at, at = from;
    for (; at < text.n; at++) {
        struct str rest = str_from(text, at);
        if (str_starts(rest, STR("@@{"))) {
            bool added = add_part(p->arena, parts, text_node(p, (struct str){ text.p + from, at - from }, from));
            p->lexer.at = at + 3;
            return added && add_part(p->arena, parts, text_node(p, STR("@{"), at));
        }
        if (str_starts(rest, STR("@{"))) break;
    }
    p->lexer.at = at;
    return at == from || add_part(p->arena, parts, text_node(p, (struct str){ text.p + from, at - from }, from));
}

static const struct expr_node *join_text(struct expr_parser *p, const struct parts *parts) {
    size_t n = 0, at = 0;
    for (size_t i = 0; i < parts->n; i++) n += parts->items[i]->text.n;
    char *text = arena_alloc(p->arena, n + 1);
    struct expr_node *node = expr_new_node(p, NODE_STRING, 0);
    if (!text || !node) return NULL;
    for (size_t i = 0; i < parts->n; i++) {
        if (parts->items[i]->text.n) memcpy(text + at, parts->items[i]->text.p, parts->items[i]->text.n);
        at += parts->items[i]->text.n;
    }
    node->text = (struct str){ text, n };
    return node;
}

static enum code parse_text(struct expr_parser *p, const struct expr_node **ret, struct err *err) {
    struct parts parts = { 0 };
    bool computed = false;
    while (p->lexer.at < p->lexer.text.n) {
        if (str_starts(str_from(p->lexer.text, p->lexer.at), STR("@{"))) {
            enum code rc = parse_braces(p, &parts, err);
            if (rc) return rc;
            computed = true;
        } else if (!parse_run(p, &parts)) {
            return err_oom(err);
        }
    }
    if (!computed) return (*ret = join_text(p, &parts)) ? OK : err_oom(err);
    struct expr_node *node = expr_new_node(p, NODE_TEXT, 0);
    if (!node) return err_oom(err);
    node->args = parts.items, node->n_args = parts.n;
    *ret = node;
    return OK;
}

static enum code parse_whole(struct expr_parser *p, const struct expr_node **ret, struct err *err) {
    p->lexer.at = 1;
    enum code rc = expr_lex(&p->lexer, err);
    if (rc == OK) rc = expr_parse_value(p, ret, err);
    if (rc || p->lexer.token.kind == TOKEN_END) return rc;
    return expr_fault(p, p->lexer.token.at, err, "the expression should end here, before %.*s",
                      STR_ARG(str_upto(p->lexer.token.text, 40)));
}

enum code expr_parse(struct arena *arena, struct str text, const struct expr **ret, struct err *err) {
    struct expr *expr = ARENA_NEW(arena, struct expr);
    struct expr_parser p = { .arena = arena, .lexer = { .text = text }, .expr = expr };
    if (!expr) return err_oom(err);
    bool escaped = str_starts(text, STR("@@")) && !str_starts(text, STR("@@{"));
    bool whole = !escaped && str_starts(text, STR("@")) && !str_starts(text, STR("@{")) && !str_starts(text, STR("@@{"));
    bool plain = str_find(text, STR("@{")) < 0 && !whole;
    if (!plain && text.n > EXPR_TEXT_MAX)
        return err_at(err, INVALID_ARGUMENT, 0, 1, "longer than the %d bytes that an expression may have", EXPR_TEXT_MAX);
    if (!utf8_valid(text)) return err_at(err, INVALID_ARGUMENT, 0, 1, "not UTF-8");
    p.lexer.at = escaped ? 1 : 0; /* the second '@' is text */
    enum code rc = whole ? parse_whole(&p, &expr->root, err) : parse_text(&p, &expr->root, err);
    if (rc) return rc;
    *ret = expr;
    return OK;
}

bool expr_is_literal(const struct expr *expr, struct str *ret_text) {
    if (expr->root->kind != NODE_STRING) return false;
    *ret_text = expr->root->text;
    return true;
}

bool expr_is_text(const struct expr *expr) {
    return expr->root->kind == NODE_STRING || expr->root->kind == NODE_TEXT;
}

const struct expr_ref *expr_refs(const struct expr *expr, size_t *ret_n) {
    *ret_n = expr->n_refs;
    return expr->refs;
}
