/* statements.h: statements that were analysed lately, by database, text and declared parameter types: clients send the same
 * ones again and again. Any thread.
 *
 * An entry is immutable and counts for one snapshot of the schema. It holds no value of a parameter, and nothing of who
 * asked: every request makes its own atoms of it. At most STATEMENTS_MAX entries of STATEMENT_MAX_BYTES; the least recently
 * used goes first. */
#pragma once
#include "engine/engine.h"
#include "googlesql/access.h"

enum { STATEMENTS_MAX = 256, STATEMENT_MAX_BYTES = 128 << 10, STATEMENT_MAX_TEXT = 4 << 10 };

struct statements;

struct statement {
    struct arena *arena; /* its own: all of it lies there */
    const struct sql_catalog *catalog;
    struct str key, fingerprint;
    struct sql_analysis sql;
    struct sql_access_list access;
    _Atomic unsigned refs;
    struct statement *older, *newer; /* statements': in order of use */
};

struct statements *statements_new(void); /* NULL: out of memory */
void statements_free(struct statements *s);
/* Referenced, or NULL: none, or of another schema. */
struct statement *statements_find(struct statements *s, struct str key, const struct sql_catalog *catalog);
/* Keeps it, instead of one with the same key; takes a reference of its own. */
void statements_keep(struct statements *s, struct statement *statement);

/* An empty one with one reference, with a copy of the key; holds the catalog. NULL: out of memory. */
struct statement *statement_new(struct engine_db *db, struct str key);
void statement_unref(struct statement *statement);
