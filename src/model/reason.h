/* reason.h: why a request was refused: POLICY.md's closed set. Any thread. */
#pragma once
#include "base/err.h"

enum reason {
    REASON_NONE = 0,
    NO_PROOF,
    TOKEN_REJECTED,
    ISSUER_UNKNOWN,
    AUDIENCE_WRONG,
    TOKEN_EXPIRED,
    REVOKED,
    BINDING_WRONG,
    REPLAYED,
    CLAIM_MISSING,
    NO_IDENTITY,
    NO_RULE,
    NO_RULE_FOR_COLUMN,
    RULE_EXPIRED,
    JOB_WRONG,
    TIME_WRONG,
    NETWORK_WRONG,
    APPROVAL_NEEDED,
    DENIED,
    MASKED_USE,
    NOT_UNDERSTOOD,
    SCHEMA_CHANGED,
    METHOD_UNKNOWN,
    HANDLE_FOREIGN,
    CHAIN_REFUSED,
    JOB_ENDED,
    LIMIT_REACHED,
    TOO_LARGE,
    AUDIT_UNAVAILABLE,
    POLICY_STALE,
    REASON_COUNT
};

const char *reason_name(enum reason reason); /* "NO_RULE"; "" for REASON_NONE */
bool reason_from_name(struct str name, enum reason *ret);
enum code reason_code(enum reason reason); /* UNAUTHENTICATED, PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNAVAILABLE, … */
