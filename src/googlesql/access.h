/* access.h: which tables and columns a query reads: what the API layer turns into atoms (POLICY.md, "What a request asks
 * for"). Every column reference counts, also in WHERE, JOIN, USING, ORDER BY; SELECT * is every column; a generated column
 * counts with what it is computed of; a table of which no column is read (COUNT(*), EXISTS) asks for any one. Any thread;
 * results in the arena. */
#pragma once
#include "googlesql/analyse.h"

struct sql_access {
    const struct sql_table *table;
    const struct str *columns; /* as the schema spells them, in its order */
    size_t n_columns;
    bool any_column; /* n_columns == 0 */
};

/* One entry a base table, however often it occurs, sorted by name; INFORMATION_SCHEMA apart, in ret_info (names in upper
 * case, as in "TABLES"). RESOURCE_EXHAUSTED when the arena is full. */
struct sql_access_list {
    const struct sql_access *tables;
    size_t n_tables;
    const struct sql_table *const *info;
    size_t n_info;
};
MUST_USE enum code sql_access(struct arena *arena, const struct sql_analysis *analysis, struct sql_access_list *ret,
                              struct err *err);
