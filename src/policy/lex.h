/* lex.h: the words of a policy file. Internal; sans I/O; a lexer lives on the stack of the parse. */
#pragma once
#include "policy/ast.h"

enum token_kind {
    TOKEN_END,
    TOKEN_WORD,   /* letters, digits, '_', '-', beginning with a letter or '_' */
    TOKEN_VALUE,  /* beginning with a digit: 20, 1h, 08:00, 2027-03-31, 2027-03-31T12:00:00+01:00 */
    TOKEN_STRING, /* text: without quotes and escapes */
    TOKEN_QUOTED, /* in back-quotes */
    TOKEN_PUNCT,  /* one of : , ( ) . / * = and "!=" */
    TOKEN_BAD     /* reported; the statement cannot go on */
};

struct token {
    enum token_kind kind;
    struct str text;
    unsigned line, column;
    bool glued; /* nothing stands between it and the token before */
};

struct lexer {
    struct str text;
    size_t at;
    unsigned line, column;
    struct arena *arena;
    struct policy_faults *faults;
    struct str file;
    struct names comments; /* met since the parser took them away */
    bool blank;            /* an empty line was met since the parser cleared it */
    bool oom;
};

/* Reports what may stand nowhere in a file: bytes that are not UTF-8, control characters, bidirectional controls.
 * False: not UTF-8, so that nothing more can be said. */
bool lex_scan(struct lexer *lexer);
void lex_next(struct lexer *lexer, struct token *ret);
/* Goes to the next token at column 1; comments and blank lines are gathered on the way. */
void lex_resume(struct lexer *lexer, struct token *ret);

/* At most 1,000 are kept; the counting goes on. False: memory is short. */
bool policy_fault_add(struct policy_faults *faults, struct arena *arena, struct policy_fault fault);
void lex_fault(struct lexer *lexer, unsigned line, unsigned column, const char *fmt, ...) PRINTF_LIKE(4, 5);
