/* expr_internal.h: what the files of the expression language share. See expr.h. */
#pragma once
#include "base/buf.h"
#include "pipeline/expr.h"

enum { EXPR_ARGUMENTS_MAX = 256 };

enum expr_node_kind {
    NODE_STRING,
    NODE_INTEGER,
    NODE_REAL,
    NODE_BOOL,
    NODE_NULL,
    NODE_TEXT, /* the text of its parts, one after another */
    NODE_CALL,
    NODE_MEMBER,     /* base.key, base[key] */
    NODE_PARAMETERS, /* pipeline().parameters */
    NODE_SYSTEM,     /* pipeline().RunId */
    NODE_ACTIVITY,
    NODE_VARIABLE,
    NODE_ITEM,
};

struct expr_node {
    enum expr_node_kind kind;
    bool safe; /* MEMBER: "?." */
    unsigned column;
    struct str text; /* STRING; the name of an ACTIVITY or a VARIABLE */
    union {
        int64_t integer; /* INTEGER; BOOL */
        double real;
        size_t system; /* the offset in struct expr_system */
        const struct expr_function *function;
        const struct expr_node *base;
    };
    const struct expr_node **args; /* of a CALL or TEXT; a MEMBER's key */
    size_t n_args;
};

struct expr {
    const struct expr_node *root;
    struct expr_ref *refs;
    size_t n_refs, refs_cap;
};

/* --- lexer --- */
enum expr_token_kind {
    TOKEN_END,
    TOKEN_NAME,
    TOKEN_STRING, /* text has its quotes, doubled ones inside */
    TOKEN_INTEGER,
    TOKEN_REAL,
    TOKEN_SIGN, /* one of ( ) [ ] , . } or "?." or "?[" */
};
struct expr_token {
    enum expr_token_kind kind;
    struct str text;
    size_t at;
};
struct expr_lexer {
    struct str text; /* the whole string of the document: columns count from its start */
    size_t at;
    struct expr_token token; /* the next one */
};
MUST_USE enum code expr_lex(struct expr_lexer *lexer, struct err *err); /* moves on to the next token */
unsigned expr_column(struct str text, size_t at);
bool expr_token_is(const struct expr_token *token, const char *sign);

/* --- parser --- */
struct expr_parser {
    struct arena *arena;
    struct expr_lexer lexer;
    struct expr *expr; /* collects the references */
    unsigned depth;
};
/* From the next token on; the token after the expression is left. */
MUST_USE enum code expr_parse_value(struct expr_parser *p, const struct expr_node **ret, struct err *err);
enum code expr_fault(const struct expr_parser *p, size_t at, struct err *err, const char *fmt, ...) PRINTF_LIKE(4, 5);
struct expr_node *expr_new_node(struct expr_parser *p, enum expr_node_kind kind, size_t at); /* NULL: the arena is full */
bool expr_add_ref(struct expr_parser *p, enum expr_ref_kind kind, struct str name, unsigned column);
MUST_USE enum code expr_expect(struct expr_parser *p, const char *sign, struct err *err);
MUST_USE enum code expr_string_literal(struct expr_parser *p, const char *of, struct str *ret, struct err *err);
/* pipeline(), activity('x'), variables('x'), item(): *ret stays NULL when `name` is none of them. The token is "(". */
MUST_USE enum code expr_parse_root(struct expr_parser *p, struct expr_token name, struct expr_node **ret, struct err *err);

/* --- evaluation --- */
struct expr_run {
    const struct expr_context *context;
    size_t work; /* steps so far */
    struct err *err;
};
struct expr_call {
    struct expr_run *run;
    const struct expr_node *node;
    json_t **args; /* evaluated, and of the types that the function's row says */
    size_t n;
};
struct expr_function {
    const char *name;
    /* The types of the arguments, a letter each: s string, i integer, n number, b Boolean, a array, c string or array, C
     * string, array or object, A array or object, v scalar (string, number or Boolean), * any. The last repeats. */
    const char *types;
    unsigned min, max;                                      /* arguments */
    enum code (*run)(struct expr_call *call, json_t **ret); /* NULL: `if`, which evaluates one branch only */
    bool makes;           /* its result is not a part of an argument: its size is measured */
    unsigned date_format; /* the place, from 1, of an argument that is a date's format: checked when parsed; 0 = none */
};
const struct expr_function *expr_function_find(struct str name);

enum code expr_refuse(struct expr_call *call, enum code code, const char *fmt, ...) PRINTF_LIKE(3, 4); /* "name: …" */
MUST_USE enum code expr_charge(struct expr_run *run, unsigned column, size_t steps);
MUST_USE enum code expr_measure(struct expr_run *run, unsigned column, const json_t *value); /* size and depth */
MUST_USE enum code expr_equal(struct expr_call *call, const json_t *a, const json_t *b, bool *ret);
MUST_USE enum code expr_add_text(struct expr_run *run, unsigned column, const json_t *value,
                                 struct buf *out); /* as string() */
void expr_write_json(const json_t *value, struct buf *out);
const char *expr_type_name(const json_t *value); /* "an integer" */

/* What a function answers; all set *ret. */
struct str expr_arg(const struct expr_call *call, size_t i);             /* a string */
enum code expr_give(struct expr_call *call, json_t *made, json_t **ret); /* NULL: out of memory */
enum code expr_give_str(struct expr_call *call, struct str s, json_t **ret);
enum code expr_give_buf(struct expr_call *call, const struct buf *b, json_t **ret);
enum code expr_give_bool(struct expr_call *call, bool b, json_t **ret);
enum code expr_give_int(struct expr_call *call, int64_t i, json_t **ret);

/* Each group's functions: rows ending with a NULL name. */
extern const struct expr_function expr_functions_text[], expr_functions_collection[], expr_functions_logic[],
    expr_functions_convert[], expr_functions_math[], expr_functions_date[];
