/* near.h: the rules that would have allowed a refused atom but for one thing, or two. Internal. */
#pragma once
#include "policy/snapshot.h"

enum { NEAR_MAX = 3 };

struct near_ask {
    const struct policy *policy;
    const struct policy_recorded *recorded;
    const struct policy_subject *subject;
    const struct verdict *verdict; /* for something that is missing */
    int64_t now_us;
};

/* The nearest first; those that lack most are left out when others lack less. False: the arena is full. */
MUST_USE bool near_rules(const struct near_ask *ask, struct arena *arena, struct policy_near *ret, size_t *ret_n);
