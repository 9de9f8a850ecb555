/* admit.h: counters of limits: so many at once, or a second, of what goes under one key. They outlive requests and
 * policies, so that a reload forgets nothing.
 *
 * A rate is a bucket of one second's worth: that many may come in a burst, and then one each 1/N s. Any thread; all bounds
 * of a request are taken together or not at all, under the locks of their shards. What is held stays until admit_leave.
 * Limits: 65,536 keys; those that hold nothing go first, the least recently used of them, and one that does hold something
 * never goes: when there is no other, whoever needs a new one is refused. */
#pragma once
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct admit;
struct admit_count; /* admit.c's own */

struct admit_bound {
    struct str key; /* borrowed until admit_enter returns */
    uint64_t most;  /* 1 to 1,000,000,000 */
    bool at_once;   /* else a second */
    struct admit_count *held;
};

struct admit_refusal {
    size_t bound;      /* which one is reached */
    uint64_t retry_us; /* when to ask again: exact for a rate, a guess for what is at once */
    bool full;         /* there is no room for another key, or no memory */
};

struct admit *admit_new(void); /* NULL: out of memory */
void admit_free(struct admit *admit);

/* `now_us`: clock_mono_us. False: one of them is reached, and nothing is held. */
MUST_USE bool admit_enter(struct admit *admit, struct admit_bound *bounds, size_t n, uint64_t now_us,
                          struct admit_refusal *ret);
/* Gives back what is held at once; a second time there is nothing to give. */
void admit_leave(struct admit *admit, struct admit_bound *bounds, size_t n);
size_t admit_keys(struct admit *admit); /* for tests */
