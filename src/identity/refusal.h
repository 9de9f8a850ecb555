/* refusal.h: why a proof was not taken: a reason for the caller, a detail for the operator only. Plain data. */
#pragma once
#include "model/reason.h"
#include "model/refused.h"

struct refusal {
    enum reason reason;         /* REASON_NONE = not refused */
    char detail[256];           /* for the log and the audit; never for the client; holds no token */
    struct refused_token token; /* whose it was: only when its issuer had signed it */
};

/* Fills it (NULL is fine) and returns the reason. */
enum reason refuse(struct refusal *refusal, enum reason reason, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* What a client without proof may see: one text for a reason, without detail. */
const char *refusal_public_text(enum reason reason);
/* What such a client sees of the reason: NO_PROOF stays, the other token reasons become TOKEN_REJECTED. */
enum reason refusal_public_reason(enum reason reason);
