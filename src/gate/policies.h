/* policies.h: the current policy snapshot: loaded at start, swapped whole on reload. Any thread. */
#pragma once
#include "base/buf.h"
#include "gate/gate.h"
#include "policy/policy.h"

struct config;

/* Reads the directory; faults are printed into `out` as file:line:column: text, warnings too. */
/* `spanner` may be NULL: then no schema is at hand. */
MUST_USE enum code policies_load(struct spanner *spanner, const struct config *config, struct buf *out, struct policy **ret,
                                 struct err *err);

/* Reload: a policy with faults changes nothing; the log says why. */
void policies_reload(struct gate *gate);
