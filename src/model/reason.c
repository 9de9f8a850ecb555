#include "model/reason.h"

static const struct reason_row {
    const char *name;
    enum code code;
} rows[REASON_COUNT] = {
    [REASON_NONE] = { "", OK },
    [NO_PROOF] = { "NO_PROOF", UNAUTHENTICATED },
    [TOKEN_REJECTED] = { "TOKEN_REJECTED", UNAUTHENTICATED },
    [ISSUER_UNKNOWN] = { "ISSUER_UNKNOWN", UNAUTHENTICATED },
    [AUDIENCE_WRONG] = { "AUDIENCE_WRONG", UNAUTHENTICATED },
    [TOKEN_EXPIRED] = { "TOKEN_EXPIRED", UNAUTHENTICATED },
    [REVOKED] = { "REVOKED", UNAUTHENTICATED },
    [BINDING_WRONG] = { "BINDING_WRONG", UNAUTHENTICATED },
    [REPLAYED] = { "REPLAYED", UNAUTHENTICATED },
    [CLAIM_MISSING] = { "CLAIM_MISSING", UNAUTHENTICATED },
    [NO_IDENTITY] = { "NO_IDENTITY", PERMISSION_DENIED },
    [NO_RULE] = { "NO_RULE", PERMISSION_DENIED },
    [NO_RULE_FOR_COLUMN] = { "NO_RULE_FOR_COLUMN", PERMISSION_DENIED },
    [RULE_EXPIRED] = { "RULE_EXPIRED", PERMISSION_DENIED },
    [JOB_WRONG] = { "JOB_WRONG", PERMISSION_DENIED },
    [TIME_WRONG] = { "TIME_WRONG", PERMISSION_DENIED },
    [NETWORK_WRONG] = { "NETWORK_WRONG", PERMISSION_DENIED },
    [APPROVAL_NEEDED] = { "APPROVAL_NEEDED", PERMISSION_DENIED },
    [DENIED] = { "DENIED", PERMISSION_DENIED },
    [MASKED_USE] = { "MASKED_USE", PERMISSION_DENIED },
    [NOT_UNDERSTOOD] = { "NOT_UNDERSTOOD", PERMISSION_DENIED },
    [SCHEMA_CHANGED] = { "SCHEMA_CHANGED", FAILED_PRECONDITION },
    [METHOD_UNKNOWN] = { "METHOD_UNKNOWN", UNIMPLEMENTED },
    [HANDLE_FOREIGN] = { "HANDLE_FOREIGN", PERMISSION_DENIED },
    [CHAIN_REFUSED] = { "CHAIN_REFUSED", PERMISSION_DENIED },
    [JOB_ENDED] = { "JOB_ENDED", UNAUTHENTICATED },
    [LIMIT_REACHED] = { "LIMIT_REACHED", RESOURCE_EXHAUSTED },
    [TOO_LARGE] = { "TOO_LARGE", INVALID_ARGUMENT },
    [AUDIT_UNAVAILABLE] = { "AUDIT_UNAVAILABLE", UNAVAILABLE },
    [POLICY_STALE] = { "POLICY_STALE", UNAVAILABLE },
};

static const struct reason_row *row_of(enum reason reason) {
    return (unsigned)reason < REASON_COUNT ? &rows[reason] : &rows[NOT_UNDERSTOOD];
}

const char *reason_name(enum reason reason) {
    return row_of(reason)->name;
}

bool reason_from_name(struct str name, enum reason *ret) {
    for (unsigned i = 1; i < REASON_COUNT; i++) {
        if (!str_eq_z(name, rows[i].name)) continue;
        *ret = (enum reason)i;
        return true;
    }
    return false;
}

enum code reason_code(enum reason reason) {
    return row_of(reason)->code;
}
