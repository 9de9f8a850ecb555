#include "pipeline/expr_internal.h"

#include <math.h>
#include <stdlib.h>

#include "pipeline/date.h"

enum code expr_fault(const struct expr_parser *p, size_t at, struct err *err, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char message[512];
    (void)vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    return err_at(err, INVALID_ARGUMENT, 0, expr_column(p->lexer.text, at), "%s", message);
}

struct expr_node *expr_new_node(struct expr_parser *p, enum expr_node_kind kind, size_t at) {
    struct expr_node *node = ARENA_NEW(p->arena, struct expr_node);
    if (node) {
        node->kind = kind;
        node->column = expr_column(p->lexer.text, at);
    }
    return node;
}

bool expr_add_ref(struct expr_parser *p, enum expr_ref_kind kind, struct str name, unsigned column) {
    struct expr *e = p->expr;
    if (!arena_grow(p->arena, &e->refs, &e->refs_cap, e->n_refs + 1, sizeof *e->refs)) return false;
    e->refs[e->n_refs++] = (struct expr_ref){ kind, name, column };
    return true;
}

static enum code unexpected(struct expr_parser *p, const char *wanted, struct err *err) {
    const struct expr_token *t = &p->lexer.token;
    if (t->kind == TOKEN_END) return expr_fault(p, t->at, err, "the expression ends where %s should follow", wanted);
    return expr_fault(p, t->at, err, "%s should stand here, not %.*s", wanted, STR_ARG(str_upto(t->text, 40)));
}

enum code expr_expect(struct expr_parser *p, const char *sign, struct err *err) {
    char wanted[8];
    (void)snprintf(wanted, sizeof wanted, "'%s'", sign);
    if (!expr_token_is(&p->lexer.token, sign)) return unexpected(p, wanted, err);
    return expr_lex(&p->lexer, err);
}

/* Without the quotes, '' as one '. */
static bool unquote(struct arena *arena, struct str quoted, struct str *ret) {
    char *out = arena_alloc(arena, quoted.n);
    size_t n = 0;
    if (!out) return false;
    for (size_t i = 1; i + 1 < quoted.n; i++) {
        if (quoted.p[i] == '\'') i++;
        out[n++] = quoted.p[i];
    }
    *ret = (struct str){ out, n };
    return true;
}

enum code expr_string_literal(struct expr_parser *p, const char *of, struct str *ret, struct err *err) {
    struct expr_token t = p->lexer.token;
    if (t.kind != TOKEN_STRING) return expr_fault(p, t.at, err, "%s takes a name between ', which cannot be computed", of);
    if (!unquote(p->arena, t.text, ret)) return err_oom(err);
    return expr_lex(&p->lexer, err);
}

static enum code parse_number(struct expr_parser *p, struct expr_token t, struct expr_node *node, struct err *err) {
    if (t.kind == TOKEN_INTEGER) {
        if (!str_i64(t.text, &node->integer))
            return expr_fault(p, t.at, err, "the integer is out of range: 64 bits at most");
        return OK;
    }
    char text[64];
    if (t.text.n >= sizeof text) return expr_fault(p, t.at, err, "the number has too many digits");
    memcpy(text, t.text.p, t.text.n);
    text[t.text.n] = '\0';
    node->real = strtod(text, NULL);
    if (!isfinite(node->real)) return expr_fault(p, t.at, err, "the number is out of range");
    return OK;
}

static enum code check_call(struct expr_parser *p, const struct expr_node *node, size_t at, struct err *err) {
    const struct expr_function *f = node->function;
    if (node->n_args < f->min || node->n_args > f->max) {
        if (f->min == f->max)
            return expr_fault(p, at, err, "%s takes %u arguments, not %zu", f->name, f->min, node->n_args);
        if (f->max == EXPR_ARGUMENTS_MAX)
            return expr_fault(p, at, err, "%s takes %u arguments or more, not %zu", f->name, f->min, node->n_args);
        return expr_fault(p, at, err, "%s takes %u to %u arguments, not %zu", f->name, f->min, f->max, node->n_args);
    }
    if (f->date_format == 0 || node->n_args < f->date_format) return OK;
    const struct expr_node *format = node->args[f->date_format - 1];
    struct err why;
    if (format->kind != NODE_STRING || date_format(0, format->text, NULL, &why) == OK) return OK;
    return err_at(err, INVALID_ARGUMENT, 0, format->column, "%s: %s", f->name, why.message);
}

static bool keep_args(struct expr_parser *p, struct expr_node *node, const struct expr_node *arg, size_t *cap) {
    if (!arena_grow(p->arena, &node->args, cap, node->n_args + 1, sizeof(struct expr_node *))) return false;
    node->args[node->n_args++] = arg;
    return true;
}

/* The token is "(". */
static enum code parse_call(struct expr_parser *p, struct expr_token name, struct expr_node **ret, struct err *err) {
    const struct expr_function *f = expr_function_find(name.text);
    if (!f) return expr_fault(p, name.at, err, "function '%.*s' is not supported", STR_ARG(str_upto(name.text, 64)));
    struct expr_node *node = expr_new_node(p, NODE_CALL, name.at);
    if (!node) return err_oom(err);
    node->function = f;
    size_t cap = 0;
    enum code rc = expr_lex(&p->lexer, err);
    while (rc == OK && !expr_token_is(&p->lexer.token, ")")) {
        const struct expr_node *arg;
        if (node->n_args == EXPR_ARGUMENTS_MAX)
            return expr_fault(p, name.at, err, "more than %d arguments", EXPR_ARGUMENTS_MAX);
        rc = node->n_args ? expr_expect(p, ",", err) : OK;
        if (rc == OK) rc = expr_parse_value(p, &arg, err);
        if (rc == OK && !keep_args(p, node, arg, &cap)) return err_oom(err);
        if (rc == OK && !expr_token_is(&p->lexer.token, ")") && !expr_token_is(&p->lexer.token, ","))
            return unexpected(p, "',' or ')'", err);
    }
    if (rc == OK) rc = expr_expect(p, ")", err);
    if (rc == OK) rc = check_call(p, node, name.at, err);
    *ret = node;
    return rc;
}

static enum code parse_word(struct expr_parser *p, struct expr_token name, struct expr_node **ret, struct err *err) {
    static const struct {
        struct str word;
        enum expr_node_kind kind;
        int64_t value;
    } words[] = { { STR_INIT("true"), NODE_BOOL, 1 },
                  { STR_INIT("false"), NODE_BOOL, 0 },
                  { STR_INIT("null"), NODE_NULL, 0 } };
    if (expr_token_is(&p->lexer.token, "(")) {
        enum code rc = expr_parse_root(p, name, ret, err);
        return rc || *ret ? rc : parse_call(p, name, ret, err);
    }
    for (size_t i = 0; i < COUNT(words); i++) {
        if (!str_eq_nocase(name.text, words[i].word)) continue;
        if (!(*ret = expr_new_node(p, words[i].kind, name.at))) return err_oom(err);
        (*ret)->integer = words[i].value;
        return OK;
    }
    return expr_fault(p, name.at, err, "'%.*s' is neither a string (between ') nor a call (with parentheses)",
                      STR_ARG(str_upto(name.text, 64)));
}

static enum code parse_primary(struct expr_parser *p, struct expr_node **ret, struct err *err) {
    struct expr_token t = p->lexer.token;
    static const enum expr_node_kind literal[] = {
        [TOKEN_STRING] = NODE_STRING, [TOKEN_INTEGER] = NODE_INTEGER, [TOKEN_REAL] = NODE_REAL
    };
    if (t.kind == TOKEN_END || t.kind == TOKEN_SIGN) return unexpected(p, "a value", err);
    enum code rc = expr_lex(&p->lexer, err);
    if (rc) return rc;
    if (t.kind == TOKEN_NAME) return parse_word(p, t, ret, err);
    struct expr_node *node = expr_new_node(p, literal[t.kind], t.at);
    if (!node) return err_oom(err);
    *ret = node;
    if (t.kind != TOKEN_STRING) return parse_number(p, t, node, err);
    return unquote(p->arena, t.text, &node->text) ? OK : err_oom(err);
}

/* The key behind "." or "?.": a name, as a string. */
static enum code parse_name_key(struct expr_parser *p, const struct expr_node **ret, struct err *err) {
    struct expr_token t = p->lexer.token;
    if (t.kind != TOKEN_NAME) return unexpected(p, "a name", err);
    struct expr_node *key = expr_new_node(p, NODE_STRING, t.at);
    if (!key || !(key->text = str_dup(p->arena, t.text)).p) return err_oom(err);
    *ret = key;
    return expr_lex(&p->lexer, err);
}

/* What stands under activity('x'); spelled as its state's members are. */
static enum code check_activity_member(struct expr_parser *p, size_t at, struct expr_node *key, struct err *err) {
    static const struct str members[] = { STR_INIT("output"), STR_INIT("status"), STR_INIT("error"),
                                          STR_INIT("activityRunId") };
    for (size_t i = 0; key->kind == NODE_STRING && i < COUNT(members); i++)
        if (str_eq_nocase(key->text, members[i])) {
            key->text = members[i];
            return OK;
        }
    if (key->kind != NODE_STRING) return expr_fault(p, at, err, "a member of activity(…) must be named, not computed");
    return expr_fault(p, at, err, "activity(…).%.*s is not supported: output, status, error and activityRunId are",
                      STR_ARG(str_upto(key->text, 64)));
}

static enum code check_member(struct expr_parser *p, const struct expr_node *base, size_t at, const struct expr_node **key,
                              struct err *err) {
    if (base->kind == NODE_ACTIVITY) {
        struct expr_node *copy = ARENA_NEW(p->arena, struct expr_node);
        if (!copy) return err_oom(err);
        *copy = **key;
        *key = copy;
        return check_activity_member(p, at, copy, err);
    }
    if (base->kind != NODE_PARAMETERS) return OK;
    if ((*key)->kind != NODE_STRING) return expr_fault(p, at, err, "a parameter must be named, not computed");
    return expr_add_ref(p, EXPR_REF_PARAMETER, (*key)->text, (*key)->column) ? OK : err_oom(err);
}

/* One ".x", "?.x", "[x]" or "?[x]" behind *base. */
static enum code parse_member(struct expr_parser *p, struct expr_node **base, struct err *err) {
    struct expr_token sign = p->lexer.token;
    const struct expr_node *key = NULL;
    bool named = sign.text.p[sign.text.n - 1] == '.';
    enum code rc = expr_lex(&p->lexer, err);
    if (rc == OK) rc = named ? parse_name_key(p, &key, err) : expr_parse_value(p, &key, err);
    if (rc == OK && !named) rc = expr_expect(p, "]", err);
    if (rc == OK) rc = check_member(p, *base, sign.at, &key, err);
    if (rc) return rc;
    struct expr_node *node = expr_new_node(p, NODE_MEMBER, sign.at);
    const struct expr_node **args = ARENA_NEW(p->arena, const struct expr_node *);
    if (!node || !args) return err_oom(err);
    args[0] = key;
    node->base = *base, node->args = args, node->n_args = 1;
    node->safe = sign.text.p[0] == '?';
    *base = node;
    return OK;
}

static bool at_member(const struct expr_token *t) {
    return expr_token_is(t, ".") || expr_token_is(t, "?.") || expr_token_is(t, "[") || expr_token_is(t, "?[");
}

enum code expr_parse_value(struct expr_parser *p, const struct expr_node **ret, struct err *err) {
    struct expr_node *node = NULL;
    unsigned outer = p->depth++, members = 0;
    if (outer >= EXPR_DEPTH_MAX) return expr_fault(p, p->lexer.token.at, err, "nested deeper than %d", EXPR_DEPTH_MAX);
    enum code rc = parse_primary(p, &node, err);
    while (rc == OK && at_member(&p->lexer.token)) {
        if (++members > EXPR_DEPTH_MAX)
            return expr_fault(p, p->lexer.token.at, err, "more than %d members after another", EXPR_DEPTH_MAX);
        rc = parse_member(p, &node, err);
    }
    p->depth = outer;
    *ret = node;
    return rc;
}
