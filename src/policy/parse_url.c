/* The URL of `call`: one spelling, whole or everything below a path. What a person reads is what is compared. */
#include <stdio.h>
#include "policy/parse.h"
#include "policy/snapshot.h"
#include "wire/url.h"

/* As the rule must spell it: `normal`, with the port as it was written. */
static struct str spelling(struct parser *p, const struct url *u) {
    bool v6 = str_find_char(u->host, ':') >= 0;
    char port[8] = "";
    if (u->port_written) (void)snprintf(port, sizeof port, ":%u", (unsigned)u->port);
    struct str out = arena_printf(p->lexer.arena, "%.*s://%s%.*s%s%s%.*s", STR_ARG(u->scheme), v6 ? "[" : "",
                                  STR_ARG(u->host), v6 ? "]" : "", port, STR_ARG(u->path));
    if (!out.p) p->lexer.oom = true;
    return out;
}

static size_t count(struct str s, char c) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += s.p[i] == c;
    return n;
}

/* "https://h/a/" and a star is everything below "https://h/a/"; a `*` anywhere else would read as more than it is. */
static enum code read_url(struct str text, bool below, char buf[URL_MAX], struct url *ret, struct err *err) {
    if (str_find_char(text, '*') >= 0)
        return err_set(err, INVALID_ARGUMENT, "holds a * that is not the whole last segment of the path");
    enum code rc = url_parse(text, buf, ret, err);
    if (rc) return rc;
    if (ret->query.p) return err_set(err, INVALID_ARGUMENT, "holds a query: a rule speaks of scheme, host, port and path");
    if (below && count(ret->path, '/') > MAX_CALL_SEGMENTS + 1)
        return err_set(err, INVALID_ARGUMENT, "has more than %d segments before its *", MAX_CALL_SEGMENTS);
    return OK;
}

void p_url(struct parser *p, struct act *act) {
    struct name at = act->named;
    char buf[URL_MAX];
    struct url u;
    struct err err;
    struct str text = at.text;
    act->below = str_ends(text, STR("/*"));
    if (act->below) text.n--;
    if (read_url(text, act->below, buf, &u, &err)) {
        p_fault_at(p, at, err.message);
        return;
    }
    struct str want = spelling(p, &u);
    if (want.p && !str_eq(want, text))
        lex_fault(&p->lexer, at.line, at.column, "has another spelling: write %.*s", STR_ARG(str_upto(want, 300)));
    act->url = str_dup(p->lexer.arena, u.normal);
    act->port = u.port_written;
    if (!act->url.p) p->lexer.oom = true;
}
