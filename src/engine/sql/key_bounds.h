/* key_bounds.h: what a condition says of a table's key: the first parts by =, then IN or bounds of the next part.
 *
 * Only what is at hand counts: literals, parameters and, unless `constants`, columns of other tables. The bounds hold for
 * every row for which the condition is TRUE; there may be rows within them for which it is not. Any thread. */
#pragma once
#include "googlesql/analyse.h"

struct key_bounds {
    const struct sql_source *source;
    bool constants;
    const struct sql_expr *equal[SQL_MAX_KEY_PARTS];
    const struct sql_expr *in; /* EX_IN over the part that ends the key: points */
    const struct sql_expr *low,
        *high; /* of the part after the equalities, both inclusive; by value, whatever its direction */
    uint16_t n_equal;
};

/* `condition`: its top-level conjuncts are looked at. */
void key_bounds_find(struct key_bounds *ret, const struct sql_source *source, const struct sql_expr *condition,
                     bool constants);

/* What a statement can see of a base table at one place of its FROM: bounds of the WHERE of that SELECT and of the joins
 * around it. Rows outside change nothing in its result, whether they are there or not. RESOURCE_EXHAUSTED: the arena. */
MUST_USE enum code key_bounds_of_source(struct key_bounds *ret, const struct sql_source *source, struct arena *arena,
                                        struct err *err);
