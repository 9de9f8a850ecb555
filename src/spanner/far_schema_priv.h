/* far_schema_priv.h: a schema that is being built, for far_schema_build.c (names, the end) and far_schema_rows.c (rows). */
#pragma once
#include <stdatomic.h>
#include "base/map.h"
#include "spanner/far_schema_build.h"

struct far_snapshot {
    struct sql_catalog sql;
    struct arena *arena; /* all of it, this too */
    atomic_uint refs;
};

struct far_table {
    struct sql_table sql; /* first: the snapshot's table is one of these */
    struct far_table *next;
    const char *what; /* not NULL: no base table, and what it is */
    struct str schema;
    struct sql_column *columns;
    size_t cap_columns, cap_indexes;
    int64_t last_ordinal;
    struct sql_key_part *key; /* SQL_MAX_KEY_PARTS places; NULL: none yet */
    struct sql_index *indexes;
    const struct sql_table **cascades;
    size_t n_cascades;
};

struct far_edge {
    struct far_table *parent, *child;
};

struct far_build {
    struct arena *arena;          /* the snapshot's */
    struct map *tables, *columns; /* by name: struct far_table; index + 1 */
    struct far_table *first, *last;
    size_t n_tables, n_columns;
    struct far_edge *edges;
    size_t n_edges, cap_edges;
    struct sql_foreign_key *foreign_keys;
    size_t n_foreign_keys, cap_foreign_keys;
    bool dialect;
};

/* INTERNAL: the upstream's INFORMATION_SCHEMA is not as it should be. */
enum code far_odd(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct far_table *far_find_table(const struct far_build *b, struct str schema, struct str table); /* or NULL */
int far_find_column(const struct far_build *b, const struct far_table *t, struct str column);     /* index or -1 */
MUST_USE enum code far_put_table(struct far_build *b, struct str schema, struct str name, struct far_table *t,
                                 struct err *err);
MUST_USE enum code far_put_column(struct far_build *b, const struct far_table *t, struct str name, int at, struct err *err);
MUST_USE enum code far_add_edge(struct far_build *b, struct far_table *parent, struct far_table *child, struct err *err);
