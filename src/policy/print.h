/* print.h: statements in canonical form. Internal. Reading what was printed gives the same statement. */
#pragma once
#include "base/buf.h"
#include "policy/ast.h"

/* Without label and comments. `wrapped`: clauses on an indented line of their own, as a file holds them; else all on one
 * line, which is what a rule's hash is made of. */
void print_stmt(struct buf *out, const struct stmt *stmt, bool wrapped);
void print_string(struct buf *out, struct str text);  /* with quotes and escapes */
void print_safe(struct buf *out, struct str text);    /* the caller's words: without control characters */
void print_table_name(struct buf *out, struct str s); /* "Sales.`Order`" */
