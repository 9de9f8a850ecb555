/* ast.h: a GoogleSQL statement as a tree: what the parser makes, and what the analyser completes in place.
 *
 * All nodes lie in the request's arena, names and literals point into it or into the statement's text. Places are byte
 * offsets into the text (`at`); sql_place turns one into the line and column of `[at L:C]`.
 * Limits: 1,000,000 characters, nesting of 200, 20 joins, 950 parameters, 1,000 function calls (Spanner's). */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "googlesql/role.h"

enum {
    SQL_MAX_TEXT = 1000000,
    SQL_MAX_DEPTH = 200,
    SQL_MAX_JOINS = 20,
    SQL_MAX_PARAMS = 950,
    SQL_MAX_CALLS = 1000,
    SQL_MAX_IN = 10000,
};

struct sql_query;
struct sql_function;
struct sql_source;

enum sql_expr_kind {
    EX_NULL,
    EX_LITERAL, /* type says which: BOOL and INT64, DATE in i; FLOAT64 in f; STRING, BYTES, TIMESTAMP (12 bytes) in text */
    EX_PARAM,   /* text: its name; i: its index in the analysis' parameters */
    EX_NAME,    /* path: not analysed yet */
    EX_CALL,    /* a function or an operator: text is its name ("+", "ABS") */
    EX_AND,     /* two or more args */
    EX_OR,      /* two or more args */
    EX_CASE,    /* [operand] when then when then … [else]: see has_operand, has_else */
    EX_CAST,    /* to: the type; flag: SAFE_CAST */
    EX_IN,      /* args[0] IN (args[1..]); flag: NOT */
    EX_IN_QUERY,
    EX_EXISTS,
    EX_SUBQUERY,
    EX_PART,     /* DAY, in EXTRACT and DATE_ADD: text */
    EX_INTERVAL, /* INTERVAL args[0] text */
    EX_COLUMN,   /* after analysis: column `column` of `source` */
    EX_ITEM,     /* after analysis: the select item number i, in ORDER BY */
};

struct sql_expr {
    enum sql_expr_kind kind;
    enum sql_type type; /* the analyser's; the parser's for literals */
    uint32_t at;
    uint16_t depth;             /* of the tree below, for the limit */
    bool flag;                  /* NOT IN, SAFE_CAST, SAFE.f() */
    bool distinct, star;        /* f(DISTINCT x), COUNT(*) */
    bool has_operand, has_else; /* EX_CASE */
    bool literal_cast;          /* a literal that was given its type by coercion */
    struct str text;
    const struct str *path; /* EX_NAME: a, a.b, a.b.c */
    size_t n_path;
    int64_t i;
    double f;
    enum sql_type to; /* EX_CAST */
    struct sql_expr **args;
    size_t n_args;
    struct sql_query *query;
    /* By the analyser: */
    const struct sql_function *function; /* EX_CALL */
    struct sql_source *source;           /* EX_COLUMN */
    uint16_t column;                     /* EX_COLUMN: index in the source's columns */
};

/* What a name after FROM ranges over. Its id is unique within the statement: the alias `r<id>` of the lowered text. */
struct sql_source {
    unsigned id;
    struct str alias;
    const struct sql_table *table; /* a base table or INFORMATION_SCHEMA's; NULL for a subquery or WITH */
    struct sql_query *query;       /* else */
    struct sql_cte *cte;           /* when the query is one of WITH */
    struct sql_query *owner;       /* the SELECT in whose FROM it stands */
    bool *used;                    /* for each column of `table`: read by the statement */
    uint32_t at;
};

enum sql_join { JOIN_INNER, JOIN_CROSS, JOIN_LEFT, JOIN_RIGHT, JOIN_FULL };
enum sql_from_kind { FROM_TABLE, FROM_QUERY, FROM_JOIN };

struct sql_from {
    enum sql_from_kind kind;
    uint32_t at;
    const struct str *path; /* FROM_TABLE */
    size_t n_path;
    struct str alias; /* empty: none given */
    struct sql_query *query;
    enum sql_join join; /* FROM_JOIN */
    struct sql_from *left, *right;
    struct sql_expr *on; /* the analyser turns USING into it */
    const struct str *using_names;
    const uint32_t *using_at;
    size_t n_using;
    bool in_parentheses;
    struct sql_source *source; /* by the analyser: FROM_TABLE, FROM_QUERY */
};

struct sql_item { /* one of SELECT's list */
    uint32_t at;
    struct sql_expr *expr;     /* NULL for a star, which the analyser replaces by the columns it stands for */
    struct str alias;          /* given, or derived from a column's name; may be empty */
    const struct str *star_of; /* t.*: path */
    size_t n_star_of;
    const struct str *except;
    size_t n_except;
};

struct sql_order {
    struct sql_expr *expr;
    bool desc, nulls_given, nulls_first;
};

struct sql_cte {
    struct str name;
    uint32_t at;
    struct sql_query *query;
    unsigned id; /* `w<id>` of the lowered text */
};

enum sql_query_kind { QUERY_SELECT, QUERY_UNION_ALL, QUERY_UNION, QUERY_INTERSECT, QUERY_EXCEPT };

struct sql_result_column {
    struct str name; /* may be empty */
    enum sql_type type;
};

struct sql_query {
    enum sql_query_kind kind;
    uint32_t at;
    uint16_t depth;
    struct sql_cte **ctes;
    size_t n_ctes;
    struct sql_query **arms; /* of a set operation */
    size_t n_arms;
    bool distinct;
    struct sql_item *items;
    size_t n_items;
    struct sql_from *from; /* NULL: none */
    struct sql_expr *where;
    struct sql_expr **group;
    size_t n_group;
    bool grouped; /* GROUP BY or an aggregate */
    struct sql_expr *having;
    struct sql_order *order;
    size_t n_order;
    struct sql_expr *limit, *offset;
    /* By the analyser: */
    const struct sql_result_column *columns;
    size_t n_columns;
    bool correlated;
};

enum sql_ddl_kind {
    DDL_CREATE_DATABASE,
    DDL_CREATE_TABLE,
    DDL_ADD_COLUMN,
    DDL_DROP_COLUMN,
    DDL_DROP_TABLE,
    DDL_CREATE_ROLE,
    DDL_DROP_ROLE,
    DDL_GRANT,
    DDL_REVOKE
};

/* Names are checked (form, length, reserved words), key columns are found, NOT with the catalog: that is the engine's. */
struct sql_ddl {
    enum sql_ddl_kind kind;
    uint32_t at;
    struct str name;            /* of the database, table or role */
    bool if_not_exists;         /* CREATE TABLE, ADD COLUMN */
    bool if_exists;             /* DROP TABLE */
    struct sql_column *columns; /* CREATE TABLE: all; ADD COLUMN: one. Their ids are 0 */
    uint16_t n_columns;
    struct sql_key_part *key;
    uint16_t n_key;
    struct str column;        /* DROP COLUMN */
    struct sql_grants grants; /* GRANT, REVOKE */
};

void sql_place(struct str text, uint32_t at, unsigned *ret_line, unsigned *ret_column);
/* Fills err with the message and " [at L:C]". */
enum code sql_error(struct err *err, enum code code, struct str text, uint32_t at, const char *fmt, ...) PRINTF_LIKE(5, 6);
bool sql_expr_equal(const struct sql_expr *a, const struct sql_expr *b); /* the same by structure, after analysis */
