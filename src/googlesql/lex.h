/* lex.h: GoogleSQL text → tokens. Internal to this folder. A token points into the text; values are decoded by literal.c.
 */
#pragma once
#include "googlesql/ast.h"

enum token_kind {
    TOKEN_END,
    TOKEN_NAME,   /* an unquoted identifier or keyword */
    TOKEN_QUOTED, /* `x` */
    TOKEN_INT,
    TOKEN_FLOAT,
    TOKEN_STRING, /* with its quotes and prefixes */
    TOKEN_BYTES,
    TOKEN_PARAM, /* @x */
    TOKEN_PUNCT, /* one to two characters; "@{" opens a hint */
};

struct token {
    enum token_kind kind;
    uint32_t at, n;
};

struct tokens {
    struct token *items; /* the last is TOKEN_END */
    size_t n, cap;
};

MUST_USE enum code lex(struct arena *arena, struct str text, struct tokens *ret, struct err *err);
struct str token_text(struct str text, struct token token);
bool lex_reserved(struct str word);

/* The value of a TOKEN_STRING or TOKEN_BYTES. */
MUST_USE enum code literal_string(struct arena *arena, struct str text, struct token token, struct str *ret,
                                  struct err *err);
/* The name within back-quotes, or the text of a plain one. */
MUST_USE enum code literal_name(struct arena *arena, struct str text, struct token token, struct str *ret, struct err *err);
