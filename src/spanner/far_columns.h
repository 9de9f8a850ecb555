/* far_columns.h: the fence between analysis and answer: an upstream's schema may change in between. Any thread. */
#pragma once
#include "base/err.h"
#include "googlesql/analyse.h"

struct spanner_ResultSetMetadata;

/* The columns of an answer's first message must be those of the analysis, by name (without case) and type, else it is
 * another statement than the one that was decided: FAILED_PRECONDITION, "SCHEMA_CHANGED: …", nothing of the answer may go
 * out, and the schema is to be read anew (far_schema_stale). */
MUST_USE enum code far_columns_check(const struct sql_analysis *analysis, const struct spanner_ResultSetMetadata *metadata,
                                     struct err *err);
bool far_columns_same(const struct sql_analysis *analysis, const struct spanner_ResultSetMetadata *metadata);
