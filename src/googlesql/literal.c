/* literal.c: what stands between quotes. */
#include <string.h>
#include "base/enc.h"
#include "googlesql/lex.h"

struct unquote {
    struct str text, body; /* the statement; what is between the quotes */
    bool bytes, name;
    char *out;
    size_t n;
    struct err *err;
};

static enum code bad_escape(struct unquote *u, size_t at) {
    struct str shown = str_upto(str_from(u->body, at), 2);
    return sql_error(u->err, INVALID_ARGUMENT, u->text, (uint32_t)(u->body.p - u->text.p + (ptrdiff_t)at),
                     "Syntax error: Illegal escape sequence: %.*s", STR_ARG(shown));
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* `digits` digits of base 8 or 16 at `at`; false when they are not there. */
static bool number(struct str body, size_t at, size_t digits, unsigned base, uint32_t *ret) {
    uint32_t value = 0;
    for (size_t i = 0; i < digits; i++) {
        int d = at + i < body.n ? hex_digit(body.p[at + i]) : -1;
        if (d < 0 || (unsigned)d >= base) return false;
        value = value * base + (uint32_t)d;
    }
    *ret = value;
    return true;
}

/* A code point or byte by number. \x and octal above 7F name bytes, which a STRING must not get. */
static enum code numbered(struct unquote *u, size_t at, size_t skip, size_t digits, unsigned base, size_t *ret_used) {
    uint32_t value;
    if (!number(u->body, at + skip, digits, base, &value)) return bad_escape(u, at);
    *ret_used = skip + digits;
    bool is_byte = digits <= 3;
    if (u->bytes && (!is_byte || value > 255)) return bad_escape(u, at);
    if (u->bytes) {
        u->out[u->n++] = (char)value;
        return OK;
    }
    if (is_byte && value > 127) return bad_escape(u, at);
    size_t n = utf8_put(value, u->out + u->n);
    if (n == 0) return bad_escape(u, at);
    u->n += n;
    return OK;
}

static enum code escape(struct unquote *u, size_t at, size_t *ret_used) {
    static const char from[] = "abfnrtv\\?\"'`", to[] = "\a\b\f\n\r\t\v\\?\"'`";
    char c = at + 1 < u->body.n ? u->body.p[at + 1] : '\0';
    const char *simple = c ? strchr(from, c) : NULL;
    if (simple) {
        u->out[u->n++] = to[simple - from];
        *ret_used = 2;
        return OK;
    }
    switch (c) {
    case 'x':
    case 'X': return numbered(u, at, 2, 2, 16, ret_used);
    case 'u': return numbered(u, at, 2, 4, 16, ret_used);
    case 'U': return numbered(u, at, 2, 8, 16, ret_used);
    case '0':
    case '1':
    case '2':
    case '3': return numbered(u, at, 1, 3, 8, ret_used);
    default: return bad_escape(u, at);
    }
}

static enum code unescape(struct unquote *u, bool raw) {
    for (size_t i = 0; i < u->body.n;) {
        size_t used = 1;
        char c = u->body.p[i];
        if (c == '\\' && !raw) {
            enum code rc = escape(u, i, &used);
            if (rc) return rc;
        } else if (c == '\r') { /* in a triple-quoted literal a line end is \n, however it was typed */
            u->out[u->n++] = '\n';
            if (i + 1 < u->body.n && u->body.p[i + 1] == '\n') used = 2;
        } else {
            u->out[u->n++] = c;
        }
        i += used;
    }
    return OK;
}

enum code literal_string(struct arena *arena, struct str text, struct token token, struct str *ret, struct err *err) {
    struct str body = token_text(text, token);
    bool raw = false;
    while (*body.p != '\'' && *body.p != '"') {
        raw = raw || *body.p == 'r' || *body.p == 'R';
        body = str_from(body, 1);
    }
    bool triple = body.n >= 6 && body.p[1] == body.p[0] && body.p[2] == body.p[0];
    size_t quotes = triple ? 3 : 1;
    body = (struct str){ body.p + quotes, body.n - 2 * quotes };
    struct unquote u = { .text = text, .body = body, .bytes = token.kind == TOKEN_BYTES, .err = err };
    u.out = arena_alloc(arena, body.n + 4);
    if (!u.out) return err_oom(err);
    enum code rc = unescape(&u, raw);
    if (rc) return rc;
    *ret = (struct str){ u.out, u.n };
    return OK;
}

enum code literal_name(struct arena *arena, struct str text, struct token token, struct str *ret, struct err *err) {
    struct str body = token_text(text, token);
    if (token.kind == TOKEN_QUOTED) {
        body = (struct str){ body.p + 1, body.n - 2 };
        struct unquote u = { .text = text, .body = body, .err = err };
        u.out = arena_alloc(arena, body.n + 4);
        if (!u.out) return err_oom(err);
        enum code rc = unescape(&u, false);
        if (rc) return rc;
        body = (struct str){ u.out, u.n };
    }
    if (body.n > SQL_MAX_IDENTIFIER)
        return sql_error(err, INVALID_ARGUMENT, text, token.at, "Identifier is longer than %d characters",
                         SQL_MAX_IDENTIFIER);
    *ret = body;
    return OK;
}
