/* lower.h: an analysed query → one SQLite SELECT over the representation of googlesql/type.h.
 *
 * Result columns come in order, in that representation. Parameter k of the analysis is `?<k+1>`, bound in it too (a NaN as
 * TEXT 'NaN'). The connection needs sql_functions_register. Statement text and names stay within the arena.
 * INFORMATION_SCHEMA tables are read from `temp.is_<name>` (info_schema.h). Any thread. */
#pragma once
#include "base/buf.h"
#include "googlesql/analyse.h"

struct sql_lowering {
    /* Writes the row source of a base table: "t12", or a parenthesised SELECT that gives the columns `key` and every
     * `c<id>` (history at a timestamp, one partition's key range). NULL: `t<id>`. */
    enum code (*source)(void *ctx, const struct sql_source *source, struct buf *out, struct err *err);
    void *ctx;
    int64_t now_us;     /* CURRENT_TIMESTAMP, written into the text: one instant a statement. 0: the clock's at sql_lower */
    bool no_key_ranges; /* leave out the conditions on `key` that make SQLite seek (tests compare with and without) */
};

struct sql_lowered {
    struct str sql; /* NUL-terminated beyond n */
};
MUST_USE enum code sql_lower(struct arena *arena, const struct sql_analysis *analysis, const struct sql_lowering *how,
                             struct sql_lowered *ret, struct err *err);
