#include "pipeline/expr_internal.h"

#include "base/enc.h"

unsigned expr_column(struct str text, size_t at) {
    return (unsigned)utf8_length(str_upto(text, at)) + 1;
}

bool expr_token_is(const struct expr_token *token, const char *sign) {
    return token->kind == TOKEN_SIGN && str_eq_z(token->text, sign);
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static char peek(const struct expr_lexer *l, size_t at) {
    return at < l->text.n ? l->text.p[at] : '\0';
}

static enum code finish(struct expr_lexer *l, enum expr_token_kind kind, size_t end) {
    l->token = (struct expr_token){ kind, { l->text.p + l->at, end - l->at }, l->at };
    l->at = end;
    return OK;
}

/* 'it''s': the quotes stay. */
static enum code lex_string(struct expr_lexer *l, struct err *err) {
    for (size_t end = l->at + 1; end < l->text.n; end++) {
        if (l->text.p[end] != '\'') continue;
        if (peek(l, end + 1) != '\'') return finish(l, TOKEN_STRING, end + 1);
        end++;
    }
    return err_at(err, INVALID_ARGUMENT, 0, expr_column(l->text, l->at),
                  "the string that begins here has no end: a ' is missing");
}

static size_t digits(const struct expr_lexer *l, size_t at) {
    while (is_digit(peek(l, at))) at++;
    return at;
}

static enum code lex_number(struct expr_lexer *l, struct err *err) {
    enum expr_token_kind kind = TOKEN_INTEGER;
    size_t end = digits(l, l->at + (peek(l, l->at) == '-'));
    bool good = is_digit(peek(l, end - 1));
    if (good && peek(l, end) == '.') {
        kind = TOKEN_REAL;
        end = digits(l, end + 1);
        good = is_digit(peek(l, end - 1));
    }
    if (good && (peek(l, end) == 'e' || peek(l, end) == 'E')) {
        kind = TOKEN_REAL;
        end++;
        end = digits(l, end + (peek(l, end) == '-' || peek(l, end) == '+'));
        good = is_digit(peek(l, end - 1));
    }
    if (good && !is_letter(peek(l, end))) return finish(l, kind, end);
    return err_at(err, INVALID_ARGUMENT, 0, expr_column(l->text, l->at), "not a number");
}

enum code expr_lex(struct expr_lexer *l, struct err *err) {
    while (l->at < l->text.n && (peek(l, l->at) == ' ' || (peek(l, l->at) >= '\t' && peek(l, l->at) <= '\r'))) l->at++;
    if (l->at == l->text.n) return finish(l, TOKEN_END, l->at);
    char c = peek(l, l->at);
    if (c == '\'') return lex_string(l, err);
    if (is_digit(c) || c == '-') return lex_number(l, err);
    if (is_letter(c)) {
        size_t end = l->at;
        while (is_letter(peek(l, end)) || is_digit(peek(l, end))) end++;
        return finish(l, TOKEN_NAME, end);
    }
    if (c == '?' && (peek(l, l->at + 1) == '.' || peek(l, l->at + 1) == '[')) return finish(l, TOKEN_SIGN, l->at + 2);
    if (c && strchr("()[],.}", c)) return finish(l, TOKEN_SIGN, l->at + 1);
    if (c > ' ' && c < 0x7f) {
        return err_at(err, INVALID_ARGUMENT, 0, expr_column(l->text, l->at), "'%c' has no meaning in an expression%s", c,
                      c == '"' ? ": strings stand between '" : "");
    }
    return err_at(err, INVALID_ARGUMENT, 0, expr_column(l->text, l->at), "this character has no meaning in an expression");
}
