/* run_right.h: what the submit of a job's run asked the policy for, by whom, kept with the run and asked again by the
 * policy of now: before the run starts, which may have waited, and before each token that its metadata server gives out. So
 * the end of a `run` rule stops new starts and renewals; what the run has by then holds until it ends (docs/jobs.md).
 *
 * Asked of the submitter, with the claims and the address that the submit proved: the job itself is another subject, its
 * account. Constant once kept; any thread. */
#pragma once
#include "gate/gate.h"
#include "policy/policy.h"
#include "service/endpoints.h"

struct run_right {
    struct principal submitter; /* the chain and claims are its own; job_run is the run, for the audit */
    struct atoms asked;
};

/* Copies into the arena. False: it is full; run_right_forget is due all the same. */
MUST_USE bool run_right_keep(struct run_right *right, const struct job_endpoints_spec *spec, struct arena *arena);
void run_right_forget(struct run_right *right); /* a zeroed one is fine */

struct run_ruling {
    const struct policy_subject *subject; /* the submitter; of `policy`, in `arena` */
    struct verdict verdict;
};
/* No memory for it is a refusal, too. */
void run_right_decide(const struct run_right *right, const struct policy *policy, struct arena *arena,
                      struct run_ruling *ret);
/* A ruling's refusal for people: PERMISSION_DENIED. `id`: of the audit entry. */
enum code run_right_refuse(const struct run_right *right, const struct run_ruling *ruling, const char *id,
                           struct arena *arena, struct err *err);
/* PERMISSION_DENIED: it may not start any more, and the audit log has that. */
MUST_USE enum code run_right_start(const struct run_right *right, struct gate *gate, struct err *err);
