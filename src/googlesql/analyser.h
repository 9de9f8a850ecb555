/* analyser.h: what the analyser's files share. Internal to this folder. */
#pragma once
#include "googlesql/analyse.h"
#include "googlesql/functions.h"

struct analyser {
    struct arena *arena;
    struct str text;
    const struct sql_catalog *catalog;
    struct sql_param *params; /* given first, then as met */
    size_t n_params, cap_params;
    struct sql_param *used; /* in order of appearance: what the result shows */
    size_t n_used, cap_used;
    struct sql_source **tables;
    size_t n_tables, cap_tables;
    struct sql_source **sources; /* all that FROM clauses name */
    size_t n_sources, cap_sources;
    struct str *schemas; /* the first names of tables' paths, each once */
    size_t n_schemas, cap_schemas;
    unsigned next_source, next_cte;
    struct err *err;
};

/* What a FROM clause makes visible: columns in the order of SELECT *, and the names that qualify. */
struct rel_column {
    struct str name;
    struct sql_source *source;
    uint16_t column;
    struct sql_expr *merged; /* FULL JOIN … USING: the COALESCE of both */
};
struct relation {
    struct rel_column *columns;
    size_t n_columns;
    struct sql_source **ranges;
    size_t n_ranges;
};

struct cte_scope { /* WITH names in sight */
    const struct cte_scope *parent;
    struct sql_cte *cte;
};

struct scope {
    const struct scope *parent; /* the query around a correlated one */
    const struct cte_scope *ctes;
    struct relation rel;
    struct sql_query *query;
    bool aliases;       /* select aliases are in sight: HAVING, ORDER BY */
    bool alias_items;   /* as EX_ITEM: ORDER BY */
    const char *clause; /* "WHERE clause": aggregates are not allowed there; NULL: they are */
    bool in_aggregate;
    size_t n_items_done; /* aliases of these items are known */
};

enum code fault(const struct analyser *a, enum code code, uint32_t at, const char *fmt, ...) PRINTF_LIKE(4, 5);
enum sql_type source_column_type(const struct sql_source *source, uint16_t column);
struct str source_column_name(const struct sql_source *source, uint16_t column);
size_t source_columns(const struct sql_source *source);

/* analyse_names.c */
MUST_USE enum code resolve_name(struct analyser *a, struct scope *s, struct sql_expr *e);
void column_expr(struct sql_expr *e, struct sql_source *source,
                 uint16_t column); /* makes e that column, and marks it read */
struct sql_expr *column_new(struct analyser *a, uint32_t at, const struct rel_column *column);
MUST_USE enum code resolve_param(struct analyser *a, struct sql_expr *e);

/* analyse_types.c */
enum { NO_COERCION = 1000 };
unsigned coercion_cost(const struct sql_expr *e, enum sql_type to);
MUST_USE enum code coerce(struct analyser *a, struct sql_expr **io, enum sql_type to);
/* The type to which all can be coerced, at least cost; SQL_UNKNOWN when all are untyped; false when there is none. */
bool common_type(struct sql_expr *const *args, size_t n, enum sql_type *ret);
MUST_USE enum code coerce_all(struct analyser *a, struct sql_expr **args, size_t n, enum sql_type to);

/* analyse_call.c */
MUST_USE enum code resolve_call(struct analyser *a, struct scope *s, struct sql_expr *e);
const struct sql_function *find_overload(struct str name, const struct sql_expr *e, enum sql_type *ret_any);
MUST_USE enum code apply_overload(struct analyser *a, struct sql_expr *e, const struct sql_function *f, enum sql_type any);

/* analyse_expr.c */
MUST_USE enum code analyse_expr(struct analyser *a, struct scope *s, struct sql_expr *e);
MUST_USE enum code analyse_bool(struct analyser *a, struct scope *s, struct sql_expr **io, const char *clause);

/* analyse_from.c */
MUST_USE enum code analyse_from(struct analyser *a, struct scope *s, struct sql_from *from, struct relation *ret);

MUST_USE enum code refuse_array_paths(const struct analyser *a);

/* analyse_query.c */
MUST_USE enum code analyse_query(struct analyser *a, const struct scope *outer, const struct cte_scope *ctes,
                                 struct sql_query *q);
void settle_types(struct sql_query *q); /* what stayed untyped becomes INT64 */

/* analyse_group.c */
MUST_USE enum code check_grouping(struct analyser *a, struct sql_query *q);
bool sql_has_aggregate(const struct sql_expr *e); /* of its own query: subqueries are not looked into */
bool has_own_column(const struct sql_expr *e, const struct sql_query *q, bool *ret_foreign);
