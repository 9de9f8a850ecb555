/* functions.h: the one table of functions and operators (functions.def): what they take and give, and how they are lowered.
 *
 * A signature is a letter an argument, then '>' and the result's: B BOOL, I INT64, F FLOAT64, S STRING, Y BYTES, D DATE,
 * T TIMESTAMP, A any type but the same for all A; P a date part, N an INTERVAL (lowered to two arguments). '?' before a
 * letter: from here on optional; '*' after the last: any number more. NULL in, NULL out, unless `lower` is a template.
 * `lower` is the name of a registered SQLite function, or a template after '=': $1 … $9 the arguments, $* all of them, $n1
 * the argument with a NaN made unequal to everything; or '#' and an operator: a comparison of FLOAT64;
 * or '@' and a function
 * whose first argument is the statement's time, or nothing: the time itself; or '!': Spanner has it, and it is refused
 * here. */
#pragma once
#include "googlesql/ast.h"

enum { FN_AGGREGATE = 1, FN_NO_DISTINCT = 2, FN_ERRORS = 4 /* may raise an error: what SAFE. needs */ };

struct sql_function {
    const char *name;
    const char *signature;
    const char *lower;
    unsigned flags;
    const char *doc;
};

extern const struct sql_function sql_functions[];
extern const size_t sql_n_functions;

bool sql_function_known(struct str name);     /* in the table, any overload */
bool sql_function_elsewhere(struct str name); /* Spanner has it, this program does not serve it yet */
