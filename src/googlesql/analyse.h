/* analyse.h: names, types and places of a parsed query: GoogleSQL's rules, Spanner's messages.
 *
 * sql_analyse completes the tree in place and gives result columns, parameters with their types, and every table that the
 * statement ranges over with the exact columns it reads. The catalog must outlive the analysis. Any thread.
 * Errors: INVALID_ARGUMENT ("Unrecognized name: x [at 1:8]", "Table not found: T [at 1:15]"), UNIMPLEMENTED by name. */
#pragma once
#include "googlesql/ast.h"

struct sql_param {
    struct str name;    /* without @; compares without case */
    enum sql_type type; /* SQL_UNKNOWN on the way in: to be inferred */
    bool declared;      /* out: the caller gave its type */
};

struct sql_analysis {
    struct str text;
    struct sql_query *query;
    const struct sql_result_column *columns; /* an undeclared NULL is INT64, as in Spanner */
    size_t n_columns;
    const struct sql_param *params; /* those that occur, each once; parameter k is `?<k+1>` of the lowered text */
    size_t n_params;
    struct sql_source *const *tables; /* each occurrence of a base or INFORMATION_SCHEMA table */
    size_t n_tables;
};

/* `given`: the parameters whose types the request declares (param_types). */
MUST_USE enum code sql_analyse(struct arena *arena, struct str text, struct sql_query *query,
                               const struct sql_catalog *catalog, const struct sql_param *given, size_t n_given,
                               struct sql_analysis *ret, struct err *err);

/* The table whose key ranges may partition the query (one scan; no grouping, DISTINCT, ORDER BY, LIMIT, join, set operation
 * or subquery), else NULL with *ret_why = what forbids it. */
const struct sql_source *sql_root_partitionable(const struct sql_analysis *analysis, const char **ret_why);
