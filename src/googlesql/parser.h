/* parser.h: what the parser's files share. Internal to this folder. */
#pragma once
#include "googlesql/lex.h"

struct parser {
    struct arena *arena;
    struct str text;
    struct tokens tokens;
    size_t at; /* index of the current token */
    unsigned depth, joins, calls;
    struct err *err;
};

/* parse.c: looking at and taking tokens. Keywords compare without case, and only when not quoted. */
struct token token_at(const struct parser *p, size_t ahead);
uint32_t here(const struct parser *p);
bool is_keyword(const struct parser *p, size_t ahead, const char *word);
bool is_punct(const struct parser *p, size_t ahead, const char *text);
bool is_name(const struct parser *p, size_t ahead); /* an identifier: quoted, or no reserved word */
bool take_keyword(struct parser *p, const char *word);
bool take_punct(struct parser *p, const char *text);
MUST_USE enum code expect_keyword(struct parser *p, const char *word);
MUST_USE enum code expect_punct(struct parser *p, const char *text);
enum code unexpected(struct parser *p);                                 /* Syntax error: Unexpected … */
enum code expected(struct parser *p, const char *what);                 /* Syntax error: Expected … but got … */
enum code unsupported(struct parser *p, uint32_t at, const char *what); /* UNIMPLEMENTED: … are not supported */
MUST_USE enum code parse_name(struct parser *p, struct str *ret);       /* one identifier */
MUST_USE enum code parse_path(struct parser *p, const struct str **ret_path, size_t *ret_n);
MUST_USE enum code parse_hint(struct parser *p);                         /* @{…}, when there is one */
MUST_USE enum code parse_type(struct parser *p, struct sql_column *ret); /* INT64, STRING(MAX): type and max_length */
MUST_USE enum code enter(struct parser *p, uint32_t at);                 /* one level deeper, or the limit's error */
void leave(struct parser *p);

/* parse_expr.c */
MUST_USE enum code parse_expr(struct parser *p, struct sql_expr **ret);
MUST_USE enum code expr_new(struct parser *p, enum sql_expr_kind kind, uint32_t at, struct sql_expr **ret);
MUST_USE enum code expr_add(struct parser *p, struct sql_expr *parent, struct sql_expr *arg);

/* parse_primary.c */
MUST_USE enum code parse_primary(struct parser *p, struct sql_expr **ret);

/* parse_query.c */
MUST_USE enum code parse_query(struct parser *p, struct sql_query **ret);
/* parse_from.c */
MUST_USE enum code parse_from(struct parser *p, struct sql_from **ret);
/* parse_ddl.c */
struct sql_ddl;
MUST_USE enum code parse_object_name(struct parser *p, struct str *ret); /* of a table, column or role */
MUST_USE enum code parse_ddl_statement(struct parser *p, struct sql_ddl **ret);
/* parse_role.c: behind CREATE ROLE, DROP ROLE; from GRANT or REVOKE on */
MUST_USE enum code parse_create_role(struct parser *p, struct sql_ddl *d);
MUST_USE enum code parse_drop_role(struct parser *p, struct sql_ddl *d);
MUST_USE enum code parse_grant(struct parser *p, struct sql_ddl *d);
MUST_USE enum code parse_revoke(struct parser *p, struct sql_ddl *d);
