#include "identity/refusal.h"

#include <stdarg.h>
#include <stdio.h>

enum reason refuse(struct refusal *refusal, enum reason reason, const char *fmt, ...) {
    if (!refusal) return reason;
    refusal->reason = reason;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(refusal->detail, sizeof refusal->detail, fmt, args);
    va_end(args);
    return reason;
}

enum reason refusal_public_reason(enum reason reason) {
    if (reason == REASON_NONE || reason == NO_PROOF || reason_code(reason) != UNAUTHENTICATED) return reason;
    return TOKEN_REJECTED;
}

const char *refusal_public_text(enum reason reason) {
    if (reason == NO_PROOF) return "no credentials were given";
    if (reason_code(reason) == UNAUTHENTICATED) return "the credentials were not accepted";
    return "the request was refused";
}
