/* networks.h: the classes of addresses that a policy's `from` clauses tell apart, one address each. Internal. */
#pragma once
#include "policy/snapshot.h"

struct network_class {
    struct in6_addr address;
    struct str from; /* the narrowest network that holds it, as a rule writes it; empty: none does */
};

/* The one that no rule names comes first, if there is any. False: the arena is full. */
MUST_USE bool network_classes(const struct policy *policy, struct arena *arena, struct network_class **ret, size_t *ret_n);
