/* who.h: who may do this? By trying every name of the policy, alone, on every way that `act as` and `run jobs` open.
 *
 * A name is taken by itself: somebody who bears it and no other. It comes from every network that the rules tell apart, an
 * account during every job, too. A way is a list of steps, each decided as the request would be, with all who came before
 * in the chain. Any thread. Limits: MAX_DECISIONS, then RESOURCE_EXHAUSTED. */
#pragma once
#include "policy/policy.h"

struct policy_step {
    struct str text; /* "acts as transform", "runs job n/a on dataproc demo/batch as transform" */
    struct str from; /* from this network only; empty: from elsewhere, too */
    struct str rule;
};

struct policy_holder {
    struct str name;
    const struct policy_step *steps; /* how it comes to act as another; the shortest way */
    size_t n_steps;
    struct str acting;    /* as whom at last: `name` without steps */
    struct str job, from; /* during this job, from this network only; empty: not needed */
    struct str account;   /* of run job: as which */
    struct str rule;      /* the first that allows it */
};

struct policy_holders {
    struct policy_holder *items; /* by name */
    size_t n;
};

/* The atom's account may be empty for VERB_RUN_JOB: any. All columns (n_columns == 0) of a table: use any_column to ask for
 * one at least. INVALID_ARGUMENT: an atom that no rule can speak of. */
MUST_USE enum code policy_who(const struct policy *policy, const struct atom *atom, int64_t now_us, struct arena *arena,
                              struct policy_holders *ret, struct err *err);
