#include "googlesql/parse.h"
#include <stdio.h>
#include "googlesql/parser.h"

struct token token_at(const struct parser *p, size_t ahead) {
    size_t i = p->at + ahead;
    return p->tokens.items[i < p->tokens.n ? i : p->tokens.n - 1];
}

uint32_t here(const struct parser *p) {
    return token_at(p, 0).at;
}

bool is_keyword(const struct parser *p, size_t ahead, const char *word) {
    struct token t = token_at(p, ahead);
    return t.kind == TOKEN_NAME && str_eq_nocase(token_text(p->text, t), str_z(word));
}

bool is_punct(const struct parser *p, size_t ahead, const char *text) {
    struct token t = token_at(p, ahead);
    return t.kind == TOKEN_PUNCT && str_eq_z(token_text(p->text, t), text);
}

bool is_name(const struct parser *p, size_t ahead) {
    struct token t = token_at(p, ahead);
    return t.kind == TOKEN_QUOTED || (t.kind == TOKEN_NAME && !lex_reserved(token_text(p->text, t)));
}

bool take_keyword(struct parser *p, const char *word) {
    bool there = is_keyword(p, 0, word);
    if (there) p->at++;
    return there;
}

bool take_punct(struct parser *p, const char *text) {
    bool there = is_punct(p, 0, text);
    if (there) p->at++;
    return there;
}

/* How a message names a token. Literals are not shown: messages reach logs. */
static struct str describe(const struct parser *p, char *space, size_t size) {
    struct token t = token_at(p, 0);
    struct str text = str_upto(token_text(p->text, t), 60);
    int n = 0;
    switch (t.kind) {
    case TOKEN_END: n = snprintf(space, size, "end of statement"); break;
    case TOKEN_INT: n = snprintf(space, size, "integer literal"); break;
    case TOKEN_FLOAT: n = snprintf(space, size, "floating point literal"); break;
    case TOKEN_STRING: n = snprintf(space, size, "string literal"); break;
    case TOKEN_BYTES: n = snprintf(space, size, "bytes literal"); break;
    case TOKEN_PARAM: n = snprintf(space, size, "\"@\""); break;
    case TOKEN_QUOTED: n = snprintf(space, size, "identifier %.*s", STR_ARG(text)); break;
    case TOKEN_PUNCT: n = snprintf(space, size, "\"%.*s\"", STR_ARG(text)); break;
    case TOKEN_NAME:
        n = lex_reserved(text) ? snprintf(space, size, "keyword %.*s", STR_ARG(text))
                               : snprintf(space, size, "identifier \"%.*s\"", STR_ARG(text));
        break;
    }
    return (struct str){ space, n < 0 ? 0 : (size_t)n < size ? (size_t)n : size - 1 };
}

enum code unexpected(struct parser *p) {
    char space[100];
    struct str got = describe(p, space, sizeof space);
    return sql_error(p->err, INVALID_ARGUMENT, p->text, here(p), "Syntax error: Unexpected %.*s", STR_ARG(got));
}

enum code expected(struct parser *p, const char *what) {
    char space[100];
    struct str got = describe(p, space, sizeof space);
    return sql_error(p->err, INVALID_ARGUMENT, p->text, here(p), "Syntax error: Expected %s but got %.*s", what,
                     STR_ARG(got));
}

enum code unsupported(struct parser *p, uint32_t at, const char *what) {
    return sql_error(p->err, UNIMPLEMENTED, p->text, at, "%s: not supported yet", what);
}

enum code expect_keyword(struct parser *p, const char *word) {
    if (take_keyword(p, word)) return OK;
    char what[64];
    (void)snprintf(what, sizeof what, "keyword %s", word);
    return expected(p, what);
}

enum code expect_punct(struct parser *p, const char *text) {
    if (take_punct(p, text)) return OK;
    char what[16];
    (void)snprintf(what, sizeof what, "\"%s\"", text);
    return expected(p, what);
}

enum code enter(struct parser *p, uint32_t at) {
    if (++p->depth <= SQL_MAX_DEPTH) return OK;
    return sql_error(p->err, INVALID_ARGUMENT, p->text, at, "The statement is nested deeper than %d levels", SQL_MAX_DEPTH);
}

void leave(struct parser *p) {
    p->depth--;
}

enum code parse_name(struct parser *p, struct str *ret) {
    if (!is_name(p, 0)) return unexpected(p);
    return literal_name(p->arena, p->text, p->tokens.items[p->at++], ret, p->err);
}

/* After a dot reserved words are plain names. */
static enum code name_after_dot(struct parser *p, struct str *ret) {
    enum token_kind kind = token_at(p, 0).kind;
    if (kind != TOKEN_NAME && kind != TOKEN_QUOTED) return unexpected(p);
    return literal_name(p->arena, p->text, p->tokens.items[p->at++], ret, p->err);
}

enum code parse_path(struct parser *p, const struct str **ret_path, size_t *ret_n) {
    struct str *path = NULL;
    size_t n = 0, cap = 0;
    do {
        if (n >= 8) return unexpected(p);
        if (!arena_grow(p->arena, &path, &cap, n + 1, sizeof *path)) return err_oom(p->err);
        enum code rc = n == 0 ? parse_name(p, &path[n]) : name_after_dot(p, &path[n]);
        if (rc) return rc;
        n++;
    } while (!is_punct(p, 1, "*") && take_punct(p, "."));
    *ret_path = path;
    *ret_n = n;
    return OK;
}

/* Hints change how a query runs, never its answer: they are read and dropped. An index must exist to be forced, and there
 * are none yet. */
static enum code one_hint(struct parser *p) {
    static const char *const known[] = {
        "FORCE_INDEX",
        "GROUPBY_SCAN_OPTIMIZATION",
        "INDEX_STRATEGY",
        "SCAN_METHOD",
        "JOIN_METHOD",
        "JOIN_TYPE",
        "HASH_JOIN_BUILD_SIDE",
        "HASH_JOIN_EXECUTION",
        "FORCE_JOIN_ORDER",
        "BATCH_MODE",
        "GROUP_METHOD",
        "GROUP_TYPE",
        "USE_ADDITIONAL_PARALLELISM",
        "OPTIMIZER_VERSION",
        "OPTIMIZER_STATISTICS_PACKAGE",
        "ALLOW_DISTRIBUTED_MERGE",
        "LOCK_SCANNED_RANGES",
        "EXECUTION_METHOD",
    };
    uint32_t at = here(p);
    struct str name;
    enum code rc = parse_name(p, &name);
    if (!rc) rc = expect_punct(p, "=");
    if (rc) return rc;
    struct str value = token_text(p->text, token_at(p, 0));
    if (token_at(p, 0).kind == TOKEN_END || token_at(p, 0).kind == TOKEN_PUNCT) return unexpected(p);
    p->at++;
    bool found = false;
    for (size_t i = 0; i < COUNT(known); i++) found = found || str_eq_nocase(name, str_z(known[i]));
    if (!found) return sql_error(p->err, INVALID_ARGUMENT, p->text, at, "Unsupported hint: %.*s", STR_ARG(name));
    if (str_eq_nocase(name, STR("FORCE_INDEX")) && !str_eq_nocase(value, STR("_BASE_TABLE")))
        return sql_error(p->err, INVALID_ARGUMENT, p->text, at, "The table does not have a secondary index called %.*s",
                         STR_ARG(value));
    return OK;
}

enum code parse_hint(struct parser *p) {
    if (!take_punct(p, "@{")) return OK;
    do {
        enum code rc = one_hint(p);
        if (rc) return rc;
    } while (take_punct(p, ","));
    return expect_punct(p, "}");
}

static enum code type_length(struct parser *p, struct sql_column *c) {
    c->max_length = INT64_MAX;
    if (!take_punct(p, "(")) return OK;
    struct token t = token_at(p, 0);
    int64_t most = c->type == SQL_STRING ? 2621440 : 10485760;
    if (take_keyword(p, "MAX")) return expect_punct(p, ")");
    if (t.kind != TOKEN_INT) return expected(p, "integer literal or MAX");
    uint64_t n;
    if (!str_u64(token_text(p->text, t), &n) || n < 1 || n > (uint64_t)most)
        return sql_error(p->err, INVALID_ARGUMENT, p->text, t.at, "Invalid length for %s: allowed are 1 to %lld",
                         sql_type_name(c->type), (long long)most);
    c->max_length = (int64_t)n;
    p->at++;
    return expect_punct(p, ")");
}

enum code parse_type(struct parser *p, struct sql_column *ret) {
    static const struct {
        const char *name;
        enum sql_type type;
    } types[] = {
        { "BOOL", SQL_BOOL },   { "INT64", SQL_INT64 }, { "FLOAT64", SQL_FLOAT64 },     { "STRING", SQL_STRING },
        { "BYTES", SQL_BYTES }, { "DATE", SQL_DATE },   { "TIMESTAMP", SQL_TIMESTAMP },
    };
    static const char *const later[] = { "ARRAY",    "STRUCT", "NUMERIC",   "JSON",  "FLOAT32",
                                         "INTERVAL", "UUID",   "TOKENLIST", "PROTO", "ENUM" };
    uint32_t at = here(p);
    for (size_t i = 0; i < COUNT(types); i++) {
        if (!take_keyword(p, types[i].name)) continue;
        ret->type = types[i].type;
        ret->max_length = 0;
        if (ret->type != SQL_STRING && ret->type != SQL_BYTES) return OK;
        return type_length(p, ret);
    }
    for (size_t i = 0; i < COUNT(later); i++) {
        char what[64];
        (void)snprintf(what, sizeof what, "Type %s", later[i]);
        if (is_keyword(p, 0, later[i])) return unsupported(p, at, what);
    }
    struct str name;
    enum code rc = parse_name(p, &name);
    if (rc) return rc;
    return sql_error(p->err, INVALID_ARGUMENT, p->text, at, "Type not found: %.*s", STR_ARG(name));
}

/* Statements by their first word. */
static const struct {
    const char *word;
    enum sql_statement kind;
} firsts[] = {
    { "SELECT", SQL_QUERY },  { "WITH", SQL_QUERY },     { "FROM", SQL_QUERY },   { "INSERT", SQL_DML },
    { "UPDATE", SQL_DML },    { "DELETE", SQL_DML },     { "MERGE", SQL_DML },    { "CREATE", SQL_DDL },
    { "ALTER", SQL_DDL },     { "DROP", SQL_DDL },       { "RENAME", SQL_DDL },   { "GRANT", SQL_DDL },
    { "REVOKE", SQL_DDL },    { "ANALYZE", SQL_DDL },    { "CALL", SQL_OTHER },   { "GRAPH", SQL_OTHER },
    { "EXPLAIN", SQL_OTHER }, { "BEGIN", SQL_OTHER },    { "COMMIT", SQL_OTHER }, { "SET", SQL_OTHER },
    { "SHOW", SQL_OTHER },    { "ROLLBACK", SQL_OTHER },
};

static enum sql_statement classify(const struct parser *p) {
    for (size_t i = 0; i < COUNT(firsts); i++)
        if (is_keyword(p, 0, firsts[i].word)) return firsts[i].kind;
    return SQL_QUERY;
}

enum sql_statement sql_classify(struct str text) {
    DEFER(arena_freep) struct arena *arena = arena_new(SQL_MAX_TEXT * 64u);
    struct parser p = { .arena = arena, .text = text };
    if (!arena || lex(arena, text, &p.tokens, NULL) || parse_hint(&p)) return SQL_QUERY;
    return classify(&p);
}

/* One statement and nothing after it but a semicolon. */
static enum code finish(struct parser *p) {
    (void)take_punct(p, ";");
    if (token_at(p, 0).kind == TOKEN_END) return OK;
    return expected(p, "end of statement");
}

enum code sql_parse_query(struct arena *arena, struct str text, struct sql_query **ret_query, struct err *err) {
    struct parser p = { .arena = arena, .text = text, .err = err };
    enum code rc = lex(arena, text, &p.tokens, err);
    if (!rc) rc = parse_hint(&p);
    if (rc) return rc;
    if (classify(&p) != SQL_QUERY) {
        struct str word = token_text(text, token_at(&p, 0));
        return sql_error(err, UNIMPLEMENTED, text, here(&p), "%.*s statements in SQL: not supported yet", STR_ARG(word));
    }
    struct sql_query *query;
    rc = parse_query(&p, &query);
    if (!rc) rc = finish(&p);
    if (rc) return rc;
    *ret_query = query;
    return OK;
}

enum code sql_parse_ddl(struct arena *arena, struct str text, struct sql_ddl **ret_ddl, struct err *err) {
    struct parser p = { .arena = arena, .text = text, .err = err };
    enum code rc = lex(arena, text, &p.tokens, err);
    if (rc) return rc;
    struct sql_ddl *ddl;
    rc = parse_ddl_statement(&p, &ddl);
    if (!rc) rc = finish(&p);
    if (rc) return rc;
    *ret_ddl = ddl;
    return OK;
}
