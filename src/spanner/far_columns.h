/* far_columns.h: the fence between decision and answer: an upstream's schema may change in between, and an upstream may
 * lie. Any thread. */
#pragma once
#include "base/err.h"
#include "googlesql/analyse.h"

struct spanner_ResultSetMetadata;

/* What the answer's columns must be: of a statement, those of its analysis; of a read, those that it names. */
struct far_columns {
    const struct sql_analysis *analysis; /* NULL: a read */
    const struct sql_table *table;
    const uint16_t *read; /* indexes into the table's columns */
    size_t n_read;
};

/* The columns of an answer's first message, by name (without case) and type, lengths apart. Else it is the answer to
 * something else than was decided: FAILED_PRECONDITION, "SCHEMA_CHANGED: …", nothing of it may go out, and the schema is to
 * be read anew (far_schema_stale). A type that is none of ours compares by its text in the schema. */
MUST_USE enum code far_columns_check(const struct far_columns *columns, const struct spanner_ResultSetMetadata *metadata,
                                     struct err *err);
