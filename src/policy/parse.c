#include "policy/parse.h"

void p_next(struct parser *p) {
    struct token tok;
    lex_next(&p->lexer, &tok);
    p->tok = tok;
    if (tok.kind != TOKEN_END && tok.column != 1) return;
    p->next = tok; /* the next statement begins */
    p->tok = (struct token){ .line = tok.line, .column = tok.column };
}

bool p_is(const struct parser *p, const char *word) {
    return p->tok.kind == TOKEN_WORD && str_eq_z(p->tok.text, word);
}

bool p_take(struct parser *p, const char *word) {
    if (!p_is(p, word)) return false;
    p_next(p);
    return true;
}

bool p_expect(struct parser *p, const char *words) {
    struct str rest = str_z(words);
    while (rest.n) {
        struct str word = str_cut(&rest, ' ');
        if (p->tok.kind != TOKEN_WORD || !str_eq(p->tok.text, word)) return p_fail(p, words);
        p_next(p);
    }
    return true;
}

bool p_is_punct(const struct parser *p, const char *punct) {
    return p->tok.kind == TOKEN_PUNCT && str_eq_z(p->tok.text, punct);
}

bool p_take_punct(struct parser *p, const char *punct) {
    if (!p_is_punct(p, punct)) return false;
    p_next(p);
    return true;
}

bool p_expect_punct(struct parser *p, const char *punct) {
    return p_take_punct(p, punct) || p_fail(p, punct);
}

bool p_fail(struct parser *p, const char *expected) {
    const struct token *t = &p->tok;
    if (t->kind == TOKEN_BAD) return false; /* reported by the lexer */
    if (t->kind == TOKEN_END)
        lex_fault(&p->lexer, t->line, t->column, "expected %s, found the end of the statement", expected);
    else lex_fault(&p->lexer, t->line, t->column, "expected %s, found \"%.*s\"", expected, STR_ARG(str_upto(t->text, 60)));
    return false;
}

void p_later(struct parser *p, struct token at, const char *what) {
    struct policy_faults *now = p->lexer.faults;
    p->lexer.faults = p->later;
    lex_fault(&p->lexer, at.line, at.column, "%s is not enforced yet", what);
    p->lexer.faults = now;
}

void p_fault_at(struct parser *p, struct name at, const char *what) {
    lex_fault(&p->lexer, at.line, at.column, "%s", what);
}

bool p_push(struct parser *p, struct names *names, struct name name) {
    if (!arena_grow(p->lexer.arena, &names->items, &names->cap, names->n + 1, sizeof name)) {
        p->lexer.oom = true;
        return false;
    }
    names->items[names->n++] = name;
    return true;
}

struct name p_here(const struct parser *p) {
    return (struct name){ p->tok.text, p->tok.line, p->tok.column };
}

bool p_name(struct parser *p, struct name *ret) {
    if (p->tok.kind != TOKEN_WORD) return p_fail(p, "a name");
    for (size_t i = 0; i < p->tok.text.n; i++)
        if (p->tok.text.p[i] >= 'A' && p->tok.text.p[i] <= 'Z') return p_fail(p, "a name in lower case");
    *ret = p_here(p);
    p_next(p);
    return true;
}

bool p_names(struct parser *p, struct names *ret) {
    struct name name = { 0 };
    do {
        if (!p_name(p, &name) || !p_push(p, ret, name)) return false;
    } while (p_take_punct(p, ","));
    return true;
}

bool p_string(struct parser *p, struct name *ret) {
    if (p->tok.kind != TOKEN_STRING) return p_fail(p, "a text in quotes");
    *ret = p_here(p);
    p_next(p);
    return true;
}

bool p_strings(struct parser *p, struct names *ret) {
    struct name text = { 0 };
    do {
        if (!p_string(p, &text) || !p_push(p, ret, text)) return false;
    } while (p_take_punct(p, ","));
    return true;
}

bool p_value(struct parser *p, const char *what, struct name *ret) {
    if (p->tok.kind != TOKEN_VALUE) return p_fail(p, what);
    *ret = p_here(p);
    p_next(p);
    return true;
}

/* One segment of a path: byte-exact, so either case. */
static bool segment(struct parser *p) {
    bool fits = p->tok.kind == TOKEN_WORD || p->tok.kind == TOKEN_VALUE;
    for (size_t i = 0; fits && i < p->tok.text.n; i++) fits = p->tok.text.p[i] != ':' && p->tok.text.p[i] != '+';
    return fits || p_fail(p, "a segment of a path");
}

/* Joins with `between`; false: memory is short. */
static bool extend(struct parser *p, struct str *text, char between, struct str more) {
    *text = arena_printf(p->lexer.arena, "%.*s%c%.*s", STR_ARG(*text), between, STR_ARG(more));
    if (!text->p) p->lexer.oom = true;
    return text->p != NULL;
}

static bool path_system(struct parser *p) {
    static const char *const systems[] = { "spanner", "dataproc", "synapse" };
    for (size_t i = 0; i < COUNT(systems); i++)
        if (p_take(p, systems[i])) return true;
    return p_fail(p, "a path: spanner, dataproc or synapse, then its name");
}

bool p_path(struct parser *p, struct name *ret) {
    struct name path = p_here(p);
    if (!path_system(p) || !segment(p) || !extend(p, &path.text, ' ', p->tok.text)) return false;
    p_next(p);
    while (p_is_punct(p, "/") && p->tok.glued) {
        p_next(p);
        if (!p->tok.glued) return p_fail(p, "a segment right after \"/\"");
        bool star = p_is_punct(p, "*");
        if ((!star && !segment(p)) || !extend(p, &path.text, '/', p->tok.text)) return false;
        p_next(p);
        if (star && p_is_punct(p, "/")) return p_fail(p, "nothing after \"*\", which stands only last");
        if (star) break;
    }
    *ret = path;
    return true;
}

bool p_job(struct parser *p, struct name *ret) {
    struct name group, job;
    if (!p_name(p, &group)) return false;
    if (!p_is_punct(p, "/") || !p->tok.glued) return p_fail(p, "\"/\" and the rest of the job's name");
    p_next(p);
    if (!p->tok.glued) return p_fail(p, "a name right after \"/\"");
    if (!p_name(p, &job)) return false;
    *ret = group;
    return extend(p, &ret->text, '/', job.text);
}

bool p_jobs(struct parser *p, struct names *ret) {
    struct name job = { 0 };
    do {
        if (!p_job(p, &job) || !p_push(p, ret, job)) return false;
    } while (p_take_punct(p, ","));
    return true;
}

/* GoogleSQL's reserved words, and those of this language that may follow or replace a table. Sorted. */
static const char *const reserved[] = {
    "all",         "and",       "any",     "array",      "as",          "asc",       "assert_rows_modified",
    "at",          "back",      "because", "between",    "by",          "cast",      "collate",
    "contains",    "create",    "cross",   "cube",       "current",     "default",   "define",
    "desc",        "distinct",  "during",  "else",       "end",         "enum",      "escape",
    "every",       "except",    "exclude", "exists",     "extract",     "false",     "fetch",
    "following",   "for",       "from",    "full",       "graph_table", "group",     "grouping",
    "groups",      "hash",      "having",  "if",         "ignore",      "in",        "inner",
    "intersect",   "interval",  "into",    "is",         "join",        "lateral",   "left",
    "like",        "limit",     "lookup",  "merge",      "natural",     "new",       "no",
    "not",         "null",      "nulls",   "of",         "on",          "or",        "order",
    "outer",       "over",      "owner",   "partition",  "preceding",   "proto",     "qualify",
    "range",       "recursive", "respect", "right",      "rollup",      "rows",      "schema",
    "select",      "set",       "some",    "statistics", "stream",      "struct",    "tables",
    "tablesample", "then",      "to",      "treat",      "true",        "unbounded", "union",
    "unnest",      "until",     "using",   "when",       "where",       "window",    "with",
    "within",
};

bool is_reserved(struct str word) {
    for (size_t i = 0; i < COUNT(reserved); i++)
        if (str_eq_nocase(word, str_z(reserved[i]))) return true;
    return false;
}

static bool sql_word(struct parser *p, const char *what, struct str *ret) {
    const struct token *t = &p->tok;
    if (t->kind != TOKEN_WORD && t->kind != TOKEN_QUOTED) return p_fail(p, what);
    bool fits = t->text.n > 0 && (t->text.p[0] < '0' || t->text.p[0] > '9');
    for (size_t i = 0; i < t->text.n; i++) {
        char c = t->text.p[i];
        fits = fits && (c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'));
    }
    if (!fits) return p_fail(p, what);
    if (t->kind == TOKEN_WORD && is_reserved(t->text)) {
        lex_fault(&p->lexer, t->line, t->column, "\"%.*s\" is a reserved word: write it in back-quotes", STR_ARG(t->text));
        return false;
    }
    *ret = t->text;
    p_next(p);
    return true;
}

static bool columns(struct parser *p, struct names *ret) {
    do {
        struct name column = p_here(p);
        if (!sql_word(p, "a column", &column.text) || !p_push(p, ret, column)) return false;
    } while (p_take_punct(p, ","));
    return p_expect_punct(p, ")");
}

static bool table(struct parser *p, struct table_ref *ret) {
    struct table_ref t = { .name = p_here(p) };
    if (!sql_word(p, "a table", &t.name.text)) return false;
    if (p_take_punct(p, ".")) {
        struct str rest;
        if (!sql_word(p, "a table", &rest) || !extend(p, &t.name.text, '.', rest)) return false;
    }
    t.except = p_take(p, "except");
    t.has_columns = p_is_punct(p, "(");
    if (t.except && !t.has_columns) return p_fail(p, "\"(\" and columns");
    if (p_take_punct(p, "(") && !columns(p, &t.columns)) return false;
    *ret = t;
    return true;
}

bool p_tables(struct parser *p, struct table_refs *ret) {
    struct table_ref t = { 0 };
    do {
        if (!table(p, &t)) return false;
        if (!arena_grow(p->lexer.arena, &ret->items, &ret->cap, ret->n + 1, sizeof t)) {
            p->lexer.oom = true;
            return false;
        }
        ret->items[ret->n++] = t;
    } while (p_take_punct(p, ","));
    return true;
}

bool p_who(struct parser *p, struct who *ret) {
    ret->anyone = p_take(p, "anyone");
    if (ret->anyone && !p_take(p, "except")) return true;
    return p_names(p, &ret->names);
}

/* ---- the file ---- */

/* A label is known by its colon only: `deny: allow …` is one. */
static bool colon_follows(const struct lexer *lexer) {
    size_t at = lexer->at;
    while (at < lexer->text.n && (lexer->text.p[at] == ' ' || lexer->text.p[at] == '\t')) at++;
    return at < lexer->text.n && lexer->text.p[at] == ':';
}

static bool statement(struct parser *p) {
    p->tok = p->next;
    p->next = (struct token){ 0 };
    if (p->tok.kind == TOKEN_WORD && colon_follows(&p->lexer))
        if (!p_name(p, &p->stmt->label) || !p_expect_punct(p, ":")) return false;
    return parse_body(p) && (p->tok.kind == TOKEN_END || p_fail(p, "a clause or the end of the statement"));
}

/* A comment at column 1 after the statement's begin belongs to the next one, every other to this one. */
static void share_comments(struct parser *p, struct names *own) {
    struct names *all = &p->lexer.comments, rest = { 0 };
    for (size_t i = 0; i < all->n; i++) (void)p_push(p, all->items[i].column == 1 ? &rest : own, all->items[i]);
    *all = rest;
}

static bool one(struct parser *p, struct file_ast *file) {
    struct stmt stmt = { .line = p->next.line, .blank_before = p->lexer.blank, .comments = p->lexer.comments };
    struct policy_faults *faults = p->lexer.faults;
    size_t errors = faults->n_errors;
    p->lexer.comments = (struct names){ 0 };
    p->lexer.blank = false;
    p->stmt = &stmt;
    bool read = true;
    if (p->next.column != 1) {
        lex_fault(&p->lexer, p->next.line, p->next.column, "a statement starts at column 1");
        read = false;
        p->tok = p->next;
    } else {
        read = statement(p);
    }
    if (!read && p->tok.kind != TOKEN_END) lex_resume(&p->lexer, &p->next);
    share_comments(p, &stmt.comments);
    stmt.broken = !read || errors != faults->n_errors;
    if (stmt.broken && !stmt.name.text.n) return !p->lexer.oom;
    if (!arena_grow(p->lexer.arena, &file->items, &file->cap, file->n + 1, sizeof stmt)) return false;
    file->items[file->n++] = stmt;
    return !p->lexer.oom;
}

bool policy_parse(struct policy_source source, struct arena *arena, struct file_ast *ret, struct policy_faults *faults,
                  struct policy_faults *later) {
    enum { MAX_BYTES = 1 << 20, MAX_STATEMENTS = 10000 };
    struct parser p = {
        .lexer = { .text = source.text, .line = 1, .column = 1, .arena = arena, .faults = faults, .file = source.name },
        .later = later
    };
    *ret = (struct file_ast){ .name = source.name, .text = source.text };
    if (source.text.n > MAX_BYTES) {
        lex_fault(&p.lexer, 0, 0, "is larger than 1 MiB");
        return !p.lexer.oom;
    }
    size_t errors = faults->n_errors;
    ret->faulty = true;
    if (!lex_scan(&p.lexer)) return !p.lexer.oom;
    lex_next(&p.lexer, &p.next);
    while (p.next.kind != TOKEN_END) {
        if (ret->n == MAX_STATEMENTS) {
            lex_fault(&p.lexer, p.next.line, 1, "more than %d statements", MAX_STATEMENTS);
            break;
        }
        if (!one(&p, ret)) return false;
    }
    ret->tail = p.lexer.comments;
    ret->faulty = faults->n_errors != errors;
    return !p.lexer.oom;
}
