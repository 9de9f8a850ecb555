#include "policy/parse.h"

#define MAX_BOUND UINT64_C(1000000000)

/* ---- definitions ---- */

static bool claim(struct parser *p, struct names *claim, const struct name *first) {
    if (first && !p_push(p, claim, *first)) return false;
    while (!claim->n || p_take_punct(p, ".")) {
        struct name segment = p_here(p);
        if (p->tok.kind == TOKEN_STRING) p_next(p);
        else if (!p_name(p, &segment)) return false;
        if (!p_push(p, claim, segment)) return false;
    }
    return true;
}

static bool claim_test(struct parser *p, struct test *t) {
    struct name value;
    if (p_take_punct(p, "=")) t->op = TEST_EQUAL;
    else if (p_take_punct(p, "!=")) t->op = TEST_DIFFERS;
    else if (p_take(p, "in")) {
        t->op = TEST_ONE_OF;
        return p_expect_punct(p, "(") && p_strings(p, &t->values) && p_expect_punct(p, ")");
    } else return p_fail(p, "\"=\", \"!=\" or \"in\"");
    return p_string(p, &value) && p_push(p, &t->values, value);
}

/* A text may begin a claim's name or be looked for in one: what follows tells. */
static bool test(struct parser *p, struct test *t) {
    if (p->tok.kind != TOKEN_STRING) return claim(p, &t->claim, NULL) && claim_test(p, t);
    struct name first = p_here(p);
    p_next(p);
    if (!p_is(p, "in")) return claim(p, &t->claim, &first) && claim_test(p, t);
    p_next(p);
    if (p_take_punct(p, "(")) {
        t->op = TEST_ONE_OF;
        return p_push(p, &t->claim, first) && p_strings(p, &t->values) && p_expect_punct(p, ")");
    }
    t->op = TEST_CONTAINS;
    return p_push(p, &t->values, first) && claim(p, &t->claim, NULL);
}

static bool proof(struct parser *p, struct stmt *s) {
    struct token at = p->tok;
    s->kind_word = p_here(p);
    if (p_take(p, "oidc")) return p_name(p, &s->detail);
    if (p_take(p, "kerberos")) {
        p_later(p, at, "a kerberos proof");
        return p_string(p, &s->detail);
    }
    if (!p_take(p, "mtls")) return p_fail(p, "oidc, mtls or kerberos");
    p_later(p, at, "an mtls proof");
    s->extra = p_here(p);
    if (!p_take(p, "uri") && !p_take(p, "dns") && !p_take(p, "subject")) return p_fail(p, "uri, dns or subject");
    return p_string(p, &s->detail);
}

static bool identity(struct parser *p) {
    struct stmt *s = p->stmt;
    if (!p_name(p, &s->name) || !p_expect(p, "is") || !proof(p, s)) return false;
    if (!p_take(p, "where")) return true;
    do {
        struct test t = { 0 };
        if (!test(p, &t)) return false;
        if (!arena_grow(p->lexer.arena, &s->tests.items, &s->tests.cap, s->tests.n + 1, sizeof t)) {
            p->lexer.oom = true;
            return false;
        }
        s->tests.items[s->tests.n++] = t;
    } while (p_take(p, "and"));
    return true;
}

static bool domain(struct parser *p) {
    struct stmt *s = p->stmt;
    struct name path;
    if (!p_name(p, &s->name) || !p_expect(p, "covers")) return false;
    do {
        if (!p_path(p, &path) || !p_push(p, &s->members, path)) return false;
    } while (p_take_punct(p, ","));
    return p_expect(p, "owner") && p_name(p, &s->clauses.owner);
}

static bool group(struct parser *p) {
    return p_name(p, &p->stmt->name) && p_expect(p, "is") && p_names(p, &p->stmt->members);
}

static bool account(struct parser *p) {
    return p_name(p, &p->stmt->name) && p_expect(p, "is") && p_string(p, &p->stmt->detail);
}

static bool job(struct parser *p) {
    struct stmt *s = p->stmt;
    if (!p_job(p, &s->name) || !p_expect(p, "is") || !p_name(p, &s->kind_word) || !p_string(p, &s->detail)) return false;
    return !p_take(p, "sha256") || p_string(p, &s->extra);
}

static bool tables(struct parser *p) {
    struct stmt *s = p->stmt;
    return p_name(p, &s->name) && p_expect(p, "are") && p_tables(p, &s->tables) && p_expect(p, "in") && p_path(p, &s->path);
}

/* ---- rules ---- */

static bool allow(struct parser *p) {
    struct stmt *s = p->stmt;
    if (p_is(p, "anyone")) return p_fail(p, "names: an allow says whom");
    return p_names(p, &s->who.names) && p_expect(p, "to") && p_acts(p) && p_clauses(p);
}

static bool deny(struct parser *p) {
    return p_who(p, &p->stmt->who) && p_expect(p, "to") && p_acts(p) && p_clauses(p);
}

static bool mask_kind(struct parser *p, struct stmt *s) {
    s->kind_word = p_here(p);
    if (p_take(p, "null") || p_take(p, "hash")) return true;
    if (!p_take(p, "keep")) return p_fail(p, "null, hash, keep last or keep domain");
    s->detail = p_here(p);
    if (p_take(p, "domain")) return true;
    return p_expect(p, "last") && p_value(p, "a count", &s->extra);
}

static bool mask(struct parser *p) {
    struct stmt *s = p->stmt;
    return p_tables(p, &s->tables) && p_expect(p, "as") && mask_kind(p, s) && p_expect(p, "for") && p_who(p, &s->who) &&
           p_expect(p, "in") && p_path(p, &s->path) && p_clauses(p);
}

static bool bound(struct parser *p, struct bound *b) {
    static const char *const units[] = { "commits", "requests", "rows", "bytes" };
    if (!p_value(p, "a count", &b->count)) return false;
    b->unit = p_here(p);
    bool known = false;
    for (size_t i = 0; i < COUNT(units); i++) known = known || p_is(p, units[i]);
    if (!known) return p_fail(p, "commits, requests, rows or bytes");
    p_next(p);
    if (p_is(p, "at")) return p_expect(p, "at once");
    if (!p_expect(p, "per")) return false;
    b->per = p_here(p);
    return p_take(p, "second") || p_take(p, "query") || p_fail(p, "second or query");
}

/* Commits and requests are counted, at once and a second: other bounds are refused by their words. */
static void judge_bound(struct parser *p, struct bound *b, struct token at) {
    bool counted = str_eq(b->unit.text, STR("commits")) || str_eq(b->unit.text, STR("requests"));
    struct str words = b->per.text.n
                           ? arena_printf(p->lexer.arena, "%.*s per %.*s", STR_ARG(b->unit.text), STR_ARG(b->per.text))
                           : arena_printf(p->lexer.arena, "%.*s at once", STR_ARG(b->unit.text));
    if (!words.p) p->lexer.oom = true;
    else if (!counted || str_eq(b->per.text, STR("query"))) p_later(p, at, words.p);
    if (!str_u64(b->count.text, &b->most) || !b->most || b->most > MAX_BOUND)
        p_fault_at(p, b->count, "is no count from 1 to 1,000,000,000 (for none at all, write deny)");
}

static bool limit(struct parser *p) {
    struct stmt *s = p->stmt;
    if (!p_who(p, &s->who) || !p_expect(p, "to")) return false;
    do {
        struct bound b = { 0 };
        struct token at = p->tok;
        if (!bound(p, &b)) return false;
        judge_bound(p, &b, at);
        if (!arena_grow(p->lexer.arena, &s->bounds.items, &s->bounds.cap, s->bounds.n + 1, sizeof b)) {
            p->lexer.oom = true;
            return false;
        }
        s->bounds.items[s->bounds.n++] = b;
    } while (p_take_punct(p, ","));
    return p_expect(p, "in") && p_path(p, &s->path) && p_clauses(p);
}

bool parse_body(struct parser *p) {
    static const struct {
        const char *word;
        enum stmt_kind kind;
        bool (*parse)(struct parser *);
        bool later, rule;
    } rows[] = {
        { "domain", STMT_DOMAIN, domain, false, false }, { "identity", STMT_IDENTITY, identity, false, false },
        { "group", STMT_GROUP, group, true, false },     { "account", STMT_ACCOUNT, account, false, false },
        { "job", STMT_JOB, job, false, false },          { "tables", STMT_TABLES, tables, false, false },
        { "allow", STMT_ALLOW, allow, false, true },     { "deny", STMT_DENY, deny, false, true },
        { "mask", STMT_MASK, mask, true, true },         { "limit", STMT_LIMIT, limit, false, true },
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (!p_is(p, rows[i].word)) continue;
        if (rows[i].later) p_later(p, p->tok, rows[i].word);
        p->stmt->kind = rows[i].kind;
        p_next(p);
        return rows[i].parse(p);
    }
    return p_fail(p, "a statement: domain, identity, account, job, tables, allow, deny or limit");
}
