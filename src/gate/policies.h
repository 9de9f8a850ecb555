/* policies.h: the current policy snapshot: loaded at start, swapped whole on reload. Any thread. */
#pragma once
#include "base/buf.h"
#include "gate/gate.h"
#include "policy/policy.h"

struct config;

/* What the policy's check may know of the outside; `engine` may be NULL (linkspan check). */
struct policies_context {
    const struct config *config;
    struct policy_context policy; /* filled by policies_context_init */
};
void policies_context_init(struct policies_context *context, const struct config *config);

/* Reads the directory; faults are printed into `out` as file:line:column: text, warnings too. */
MUST_USE enum code policies_load(const struct config *config, struct buf *out, struct policy **ret, struct err *err);

/* Reload: a policy with faults changes nothing; the log says why. */
void policies_reload(struct gate *gate);
