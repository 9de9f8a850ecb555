/* role_plan.h: what an operator has to run so that a database has the roles which the policy asks for. Any thread; results
 * in the arena. Run again on what came of it, nothing is left to do. */
#pragma once
#include "spanner/generated_role.h"

struct role_plan_role {
    struct str name;
    struct str *bearers; /* the names, or sets of names, that need it: "extract", "analyst,oncall" */
    size_t n_bearers;
    bool exists;
    struct policy_rights rights;
    struct str *statements; /* DDL without ';' */
    size_t n_statements;
};

struct role_plan {
    struct role_plan_role *roles; /* in the order of their first bearer */
    struct role_plan_role *stale; /* roles called as ours that no name alone needs; their statements drop them */
    size_t n_roles, n_stale;
};

/* One role for each set of names that may ever do anything in the path. `sets` may be NULL: each name of the policy alone;
 * only then something can be called stale. NOT_FOUND: a name that the policy does not have. */
MUST_USE enum code role_plan_make(const struct policy *policy, struct str path, const struct sql_catalog *catalog,
                                  const struct policy_names *sets, size_t n, struct arena *arena, struct role_plan *ret,
                                  struct err *err);
