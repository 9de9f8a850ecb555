/* ring.h: what committed lately, for the validation of read-write transactions. The writer thread's alone.
 *
 * A write set is what one commit touched; past WRITES_MAX_BYTES it becomes whole tables. The ring keeps the newest
 * write sets up to its bytes; what it forgot counts as touched. */
#pragma once
#include "engine/key.h"

enum { WRITES_MAX_BYTES = 1 << 20 };

struct write_entry {
    uint32_t table_id;
    struct str lo, hi; /* hi empty: the point lo */
};

struct write_set {
    struct arena *arena;
    struct write_entry *entries;
    size_t n, cap, bytes;
};
/* False when memory is short. The texts are copied. */
MUST_USE bool write_set_add(struct write_set *set, uint32_t table_id, struct str lo, struct str hi);

/* Ranges that a transaction read, per table. */
struct read_table {
    uint32_t table_id;
    bool whole;
    struct key_set set; /* its `table` stays NULL: only encoded ranges */
};
struct read_set {
    struct arena *arena;
    struct read_table *tables;
    size_t n, cap, bytes, max_bytes;
};
/* Past max_bytes each new range becomes its whole table. False when memory is short. */
MUST_USE bool read_set_add(struct read_set *set, uint32_t table_id, const struct key_range *ranges, size_t n);
MUST_USE bool read_set_add_table(struct read_set *set, uint32_t table_id);
void read_set_sort(struct read_set *set); /* before read_set_hit */
bool read_set_hit(const struct read_set *set, const struct write_entry *entries, size_t n);

struct ring;
struct ring *ring_new(size_t max_bytes, int64_t from_us); /* remembers all after from_us; NULL when out of memory */
void ring_free(struct ring *ring);
void ring_add(struct ring *ring, int64_t commit_us, const struct write_set *set);
/* Did something that was read at read_us change since? Also true when the ring does not go back so far. */
bool ring_hit(const struct ring *ring, int64_t read_us, const struct read_set *sorted);
