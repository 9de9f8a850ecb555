#include "googlesql/lex.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "base/enc.h"
#include "googlesql/parse.h"

struct lexer {
    struct arena *arena;
    struct str text;
    size_t at;
    struct tokens *out;
    struct err *err;
};

/* Sorted, for bsearch: GoogleSQL's reserved keywords. */
static const char *const reserved[] = {
    "ALL",      "AND",     "ANY",       "ARRAY",     "AS",          "ASC",       "ASSERT_ROWS_MODIFIED",
    "AT",       "BETWEEN", "BY",        "CASE",      "CAST",        "COLLATE",   "CONTAINS",
    "CREATE",   "CROSS",   "CUBE",      "CURRENT",   "DEFAULT",     "DEFINE",    "DESC",
    "DISTINCT", "ELSE",    "END",       "ENUM",      "ESCAPE",      "EXCEPT",    "EXCLUDE",
    "EXISTS",   "EXTRACT", "FALSE",     "FETCH",     "FOLLOWING",   "FOR",       "FROM",
    "FULL",     "GROUP",   "GROUPING",  "GROUPS",    "HASH",        "HAVING",    "IF",
    "IGNORE",   "IN",      "INNER",     "INTERSECT", "INTERVAL",    "INTO",      "IS",
    "JOIN",     "LATERAL", "LEFT",      "LIKE",      "LIMIT",       "LOOKUP",    "MERGE",
    "NATURAL",  "NEW",     "NO",        "NOT",       "NULL",        "NULLS",     "OF",
    "ON",       "OR",      "ORDER",     "OUTER",     "OVER",        "PARTITION", "PRECEDING",
    "PROTO",    "RANGE",   "RECURSIVE", "RESPECT",   "RIGHT",       "ROLLUP",    "ROWS",
    "SELECT",   "SET",     "SOME",      "STRUCT",    "TABLESAMPLE", "THEN",      "TO",
    "TREAT",    "TRUE",    "UNBOUNDED", "UNION",     "UNNEST",      "USING",     "WHEN",
    "WHERE",    "WINDOW",  "WITH",      "WITHIN",
};

static int compare_word(const void *key, const void *place) {
    const struct str *word = key;
    const char *upper = *(const char *const *)place;
    for (size_t i = 0; i < word->n; i++) {
        char c = word->p[i];
        if (c >= 'a' && c <= 'z') c = (char)(c - 'a' + 'A');
        if (c != upper[i]) return (unsigned char)c < (unsigned char)upper[i] ? -1 : 1; /* its NUL included */
    }
    return upper[word->n] ? -1 : 0;
}

bool lex_reserved(struct str word) {
    return word.n && bsearch(&word, reserved, COUNT(reserved), sizeof *reserved, compare_word);
}

bool sql_reserved(struct str name) {
    return lex_reserved(name);
}

struct str token_text(struct str text, struct token token) {
    return (struct str){ text.p + token.at, token.n };
}

static int peek(const struct lexer *l, size_t ahead) {
    return l->at + ahead < l->text.n ? (unsigned char)l->text.p[l->at + ahead] : -1;
}

static bool name_start(int c) {
    return c == '_' || (c >= 0 && c < 128 && isalpha(c));
}

static bool name_part(int c) {
    return name_start(c) || (c >= '0' && c <= '9');
}

static enum code fault(struct lexer *l, size_t at, const char *what) {
    return sql_error(l->err, INVALID_ARGUMENT, l->text, (uint32_t)at, "Syntax error: %s", what);
}

static enum code add(struct lexer *l, enum token_kind kind, size_t from) {
    struct tokens *out = l->out;
    if (!arena_grow(l->arena, &out->items, &out->cap, out->n + 1, sizeof *out->items)) return err_oom(l->err);
    out->items[out->n++] = (struct token){ kind, (uint32_t)from, (uint32_t)(l->at - from) };
    return OK;
}

static void skip_line(struct lexer *l) {
    while (peek(l, 0) >= 0 && peek(l, 0) != '\n' && peek(l, 0) != '\r') l->at++;
}

/* White space and comments: #, --, and those between slash and star. */
static enum code skip_space(struct lexer *l) {
    for (;;) {
        int c = peek(l, 0);
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            l->at++;
        } else if (c == '#' || (c == '-' && peek(l, 1) == '-')) {
            skip_line(l);
        } else if (c == '/' && peek(l, 1) == '*') {
            ptrdiff_t end = str_find(str_from(l->text, l->at + 2), STR("*/"));
            if (end < 0) return fault(l, l->at, "Unclosed comment");
            l->at += (size_t)end + 4;
        } else {
            return OK;
        }
    }
}

static enum code lex_name(struct lexer *l) {
    size_t from = l->at;
    while (name_part(peek(l, 0))) l->at++;
    return add(l, TOKEN_NAME, from);
}

static void digits(struct lexer *l) {
    while (peek(l, 0) >= '0' && peek(l, 0) <= '9') l->at++;
}

static bool exponent_follows(const struct lexer *l) {
    if (peek(l, 0) != 'e' && peek(l, 0) != 'E') return false;
    size_t ahead = peek(l, 1) == '+' || peek(l, 1) == '-' ? 2 : 1;
    return peek(l, ahead) >= '0' && peek(l, ahead) <= '9';
}

static enum code lex_number(struct lexer *l) {
    size_t from = l->at;
    enum token_kind kind = TOKEN_INT;
    if (peek(l, 0) == '0' && (peek(l, 1) == 'x' || peek(l, 1) == 'X')) {
        l->at += 2;
        while (peek(l, 0) >= 0 && isxdigit(peek(l, 0))) l->at++;
        if (l->at == from + 2) return fault(l, from, "Invalid hexadecimal integer literal");
    } else {
        digits(l);
        if (peek(l, 0) == '.') {
            kind = TOKEN_FLOAT;
            l->at++;
            digits(l);
        }
        if (exponent_follows(l)) {
            kind = TOKEN_FLOAT;
            l->at += 2;
            digits(l);
        }
    }
    if (name_part(peek(l, 0))) return fault(l, l->at, "Missing whitespace between literal and alias");
    return add(l, kind, from);
}

/* At the opening quote; `from` is where the prefix began. */
static enum code lex_quoted(struct lexer *l, size_t from, enum token_kind kind) {
    const char *what = kind == TOKEN_BYTES ? "Unclosed bytes literal" : "Unclosed string literal";
    int quote = peek(l, 0);
    bool triple = peek(l, 1) == quote && peek(l, 2) == quote;
    l->at += triple ? 3 : 1;
    for (;;) {
        int c = peek(l, 0);
        if (c < 0 || (!triple && (c == '\n' || c == '\r'))) return fault(l, from, what);
        if (c == '\\') {
            l->at += 2;
        } else if (c == quote && (!triple || (peek(l, 1) == quote && peek(l, 2) == quote))) {
            l->at += triple ? 3 : 1;
            return add(l, kind, from);
        } else {
            l->at++;
        }
    }
}

static enum code lex_backquoted(struct lexer *l) {
    size_t from = l->at++;
    while (peek(l, 0) != '`') {
        if (peek(l, 0) < 0 || peek(l, 0) == '\n') return fault(l, from, "Unclosed identifier literal");
        l->at += peek(l, 0) == '\\' ? 2 : 1;
    }
    l->at++;
    if (l->at == from + 2) return fault(l, from, "Invalid empty identifier");
    return add(l, TOKEN_QUOTED, from);
}

static enum code lex_param(struct lexer *l) {
    size_t from = l->at++;
    if (peek(l, 0) == '{') {
        l->at++;
        return add(l, TOKEN_PUNCT, from);
    }
    if (peek(l, 0) == '@')
        return sql_error(l->err, UNIMPLEMENTED, l->text, (uint32_t)from, "System variables are not supported");
    if (!name_start(peek(l, 0))) return fault(l, from, "Illegal input character \"@\"");
    while (name_part(peek(l, 0))) l->at++;
    return add(l, TOKEN_PARAM, from);
}

static enum code lex_punct(struct lexer *l) {
    static const char *const two[] = { "<=", ">=", "<>", "!=", "||", "<<", ">>", "=>", "->", "|>" };
    size_t from = l->at;
    struct str rest = str_from(l->text, from);
    for (size_t i = 0; i < COUNT(two); i++) {
        if (!str_starts(rest, str_z(two[i]))) continue;
        l->at += 2;
        return add(l, TOKEN_PUNCT, from);
    }
    int c = peek(l, 0);
    if (c == 0 || c >= 128 || !strchr("()[]{},.;*+-/<>=&|^~?:!$", c)) return fault(l, from, "Illegal input character");
    l->at++;
    return add(l, TOKEN_PUNCT, from);
}

/* r'…', b'…', rb'…', br'…' in any case: the length of the prefix before the quote, or 0. */
static size_t string_prefix(const struct lexer *l, enum token_kind *ret_kind) {
    *ret_kind = TOKEN_STRING;
    size_t n = 0;
    bool raw = false, bytes = false;
    for (; n < 2; n++) {
        int c = peek(l, n);
        if ((c == 'r' || c == 'R') && !raw) raw = true;
        else if ((c == 'b' || c == 'B') && !bytes) bytes = true;
        else break;
    }
    if (peek(l, n) != '\'' && peek(l, n) != '"') return 0;
    if (bytes) *ret_kind = TOKEN_BYTES;
    return n;
}

static enum code lex_one(struct lexer *l) {
    int c = peek(l, 0);
    enum token_kind kind;
    size_t prefix = string_prefix(l, &kind);
    if (prefix || c == '\'' || c == '"') {
        size_t from = l->at;
        l->at += prefix;
        return lex_quoted(l, from, kind);
    }
    if (name_start(c)) return lex_name(l);
    if ((c >= '0' && c <= '9') || (c == '.' && peek(l, 1) >= '0' && peek(l, 1) <= '9')) {
        const struct tokens *out = l->out; /* `t.1`, which is no number, is refused by the parser */
        if (c != '.' || !out->n || out->items[out->n - 1].kind != TOKEN_NAME) return lex_number(l);
    }
    if (c == '`') return lex_backquoted(l);
    if (c == '@') return lex_param(l);
    return lex_punct(l);
}

enum code lex(struct arena *arena, struct str text, struct tokens *ret, struct err *err) {
    if (text.n > 4u * SQL_MAX_TEXT)
        return err_set(err, INVALID_ARGUMENT, "Query string length exceeds maximum allowed length");
    if (!utf8_valid(text)) return err_set(err, INVALID_ARGUMENT, "The statement is not valid UTF-8");
    if (utf8_length(text) > SQL_MAX_TEXT)
        return err_set(err, INVALID_ARGUMENT, "Query string length of %zu exceeds maximum allowed length of %d",
                       utf8_length(text), SQL_MAX_TEXT);
    *ret = (struct tokens){ 0 };
    struct lexer l = { arena, text, 0, ret, err };
    for (;;) {
        enum code rc = skip_space(&l);
        if (rc) return rc;
        if (l.at >= text.n) break;
        rc = lex_one(&l);
        if (rc) return rc;
        if (l.at > text.n) return fault(&l, text.n, "Unclosed string literal");
    }
    l.at = text.n;
    return add(&l, TOKEN_END, text.n);
}
