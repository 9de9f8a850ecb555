/* budget.h: memory that many owners share, and what they may hold of it together. Any thread; outlives its owners. */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct budget {
    atomic_size_t held;
    size_t max;
};

/* False: more than is left, and nothing is taken. No budget (NULL) has no end. */
static inline bool budget_take(struct budget *budget, size_t bytes) {
    if (!budget || atomic_fetch_add(&budget->held, bytes) + bytes <= budget->max) return true;
    atomic_fetch_sub(&budget->held, bytes);
    return false;
}

static inline void budget_give(struct budget *budget, size_t bytes) {
    if (budget) atomic_fetch_sub(&budget->held, bytes);
}
