/* read_ranges.h: what a statement reads of a table, as ranges of its key: what a read-write transaction is validated
 * against at Commit. Any thread. */
#pragma once
#include "engine/key.h"
#include "googlesql/analyse.h"

/* Fills `ret` (arena and table set) with ranges outside of which rows change nothing in the result; none at all is
 * possible. `params`: in the order of the analysis. */
MUST_USE enum code read_ranges(const struct sql_source *source, const struct sql_value *params, struct key_set *ret,
                               struct err *err);
