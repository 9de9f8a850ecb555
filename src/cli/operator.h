/* operator.h: commands of the operator, who reads the data directory itself. Main thread. */
#pragma once
#include "audit/entry.h"
#include "cli/setup.h"
#include "policy/policy.h"

/* The audit log's folder of this configuration. */
MUST_USE enum code operator_audit_dir(const struct args *args, struct arena *arena, struct config *config, char out[4096],
                                      struct err *err);
/* The entry of a request: its refusal or outcome rather than its intention. NOT_FOUND. */
MUST_USE enum code operator_entry(const char *audit_dir, struct str id, struct arena *arena, struct audit_entry *ret,
                                  struct err *err);
/* As the policy judges it. RESOURCE_EXHAUSTED. */
MUST_USE enum code operator_recorded(const struct audit_entry *entry, struct arena *arena, struct policy_recorded *ret,
                                     struct err *err);
