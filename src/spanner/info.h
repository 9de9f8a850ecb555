/* info.h: INFORMATION_SCHEMA: its rows, filtered to the tables on which the caller holds something, and the queries over
 * it.
 *
 * Such a query runs on a small in-memory database of its own, on a thread of its own, with a bound on SQLite's steps: these
 * tables are small. A query over INFORMATION_SCHEMA and the database's own tables together is refused. A resumed one runs
 * again and skips what was delivered; its token is bound to the rows that the caller could see, so after a change of the
 * schema or of the caller's grants it is FAILED_PRECONDITION. */
#pragma once
#include "spanner/analysis.h"
#include "spanner/rows.h"
#include "spanner/token.h"

/* Answers the call (call_end included) or returns why not. `next`: what its resume tokens say, filled here; `resume`: the
 * token that the request brought, or NULL. */
MUST_USE enum code info_query(struct call *call, const struct target *t, const struct analysis *a, struct rows *rows,
                              const struct sql_value *params, struct handle *next, const struct handle *resume,
                              struct err *err);
