/* propose.h: the statements that would let one refused request pass, and nothing wider. Internal. */
#pragma once
#include "base/buf.h"
#include "policy/snapshot.h"

struct proposal {
    const struct policy *policy;
    const struct policy_recorded *recorded;
    const struct policy_subject *subject;
    int64_t now_us;
    struct buf rule;
    const struct stmt *domain; /* where it goes */
    struct str who;            /* the name that it grants to; may point at `fresh` */
    char fresh[32];
    const char *unhelpful; /* why there is none; NULL = there is one */
};

/* Fills rule and domain, or unhelpful. The request is one that nothing denies. The caller frees rule. */
void propose(struct proposal *x);
