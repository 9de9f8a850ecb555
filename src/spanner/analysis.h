/* analysis.h: a statement read against the schema, and what it touches as atoms. Loop thread; in the call's arena. */
#pragma once
#include "googlesql/access.h"
#include "spanner/target.h"

struct analysis {
    struct sql_analysis sql;
    struct sql_access_list access;
    bool refused; /* the text could not be understood, and the caller may not learn why: one atom refuses it */
};

MUST_USE enum code analysis_make(struct call *call, const struct target *t, struct str sql,
                                 const struct spanner_ExecuteSqlRequest_ParamTypesEntry *types, size_t n_types,
                                 struct analysis *ret, struct err *err);
/* What the handler answers when a refused statement gets that far. */
enum code analysis_refuse(struct err *err);
/* The analysis's parameters from the request's, in order. INVALID_ARGUMENT for one that is missing or of another type. */
MUST_USE enum code analysis_params(const struct analysis *a, const struct pb_Struct *params, struct arena *arena,
                                   struct sql_value **ret, struct err *err);
