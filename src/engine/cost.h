/* cost.h: what a commit costs, as Spanner counts it, and how to split one that costs too much.
 *
 * A row that is written counts one for each of its columns, a key or range that is deleted one, and each index entry that
 * changes counts besides. Two sums are kept: `mutations`, what it counts at the least, which refuses; and with every index
 * entry that it may touch, which the advice is reckoned by. Any thread; plain data. */
#pragma once
#include "base/err.h"
#include "engine/mutation.h"

enum { COST_TABLES = 16 }; /* told apart; rows of more tables go with the last */

struct commit_cost {
    uint64_t mutations, most;
    struct {
        struct str table; /* borrowed */
        uint64_t rows, most;
    } tables[COST_TABLES];
    size_t n;
};

/* Rows of one table, or keys and ranges that are deleted: each counts `least`, or with its index entries up to `most`. */
void commit_cost_add(struct commit_cost *cost, struct str table, uint64_t rows, uint64_t least, uint64_t most);
/* INVALID_ARGUMENT in Spanner's words beyond ENGINE_MAX_MUTATIONS, and into how many commits to split it. */
MUST_USE enum code commit_cost_check(const struct commit_cost *cost, struct err *err);
/* The same of a commit's size in bytes: ENGINE_MAX_COMMIT_BYTES. */
MUST_USE enum code commit_cost_check_bytes(uint64_t bytes, struct err *err);
