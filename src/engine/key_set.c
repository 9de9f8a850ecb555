/* Sets of key ranges: google.spanner.v1.KeySet made of bytes. */
#include <stdlib.h>
#include <string.h>
#include "engine/key.h"

static enum code add(struct key_set *set, struct key_range range, struct err *err) {
    if (str_cmp(range.lo, range.hi) >= 0) return OK; /* an empty range names no row */
    if (!arena_grow(set->arena, &set->ranges, &set->cap, set->n + 1, sizeof *set->ranges)) return err_oom(err);
    set->ranges[set->n++] = range;
    return OK;
}

/* The key bytes in the arena, with one more byte behind them when `behind`. */
static enum code encode(struct key_set *set, const struct sql_value *parts, size_t n, bool behind, struct str *ret,
                        struct err *err) {
    DEFER(buf_free) struct buf b = BUF_INIT(KEY_MAX_BYTES + 1);
    enum code rc = key_encode(set->table, parts, n, &b, err);
    if (rc) return rc;
    if (behind) buf_add_char(&b, '\xff');
    if (!buf_ok(&b)) return err_oom(err);
    char *copy = arena_alloc(set->arena, b.n + 1); /* an empty key needs an address, too: NULL would bind as NULL */
    if (!copy) return err_oom(err);
    if (b.n) memcpy(copy, b.p, b.n);
    *ret = (struct str){ copy, b.n };
    return OK;
}

enum code key_set_add_key(struct key_set *set, const struct sql_value *parts, size_t n, struct err *err) {
    if (n != set->table->n_key)
        return err_set(err, INVALID_ARGUMENT, "Wrong number of key parts for %.*s. Expected: %u. Got: %zu.",
                       STR_ARG(set->table->name), set->table->n_key, n);
    struct key_range range = { .point = true };
    enum code rc = encode(set, parts, n, true, &range.hi, err);
    if (rc) return rc;
    range.lo = str_upto(range.hi, range.hi.n - 1);
    return add(set, range, err);
}

enum code key_set_add_range(struct key_set *set, struct key_bound start, struct key_bound end, struct err *err) {
    struct key_range range = { 0 };
    enum code rc = encode(set, start.parts, start.n, !start.closed, &range.lo, err);
    if (!rc) rc = encode(set, end.parts, end.n, end.closed, &range.hi, err);
    return rc ? rc : add(set, range, err);
}

enum code key_set_add_all(struct key_set *set, struct err *err) {
    return key_set_add_range(set, (struct key_bound){ .closed = true }, (struct key_bound){ .closed = true }, err);
}

enum code key_set_add_encoded(struct key_set *set, struct str lo, struct str hi, struct err *err) {
    struct key_range range = { .lo = str_dup(set->arena, lo), .hi = str_dup(set->arena, hi) };
    if (!lo.n) range.lo = STR("");
    if ((lo.n && !range.lo.p) || (hi.n && !range.hi.p)) return err_oom(err);
    return add(set, range, err);
}

static int by_lo(const void *a, const void *b) {
    return str_cmp(((const struct key_range *)a)->lo, ((const struct key_range *)b)->lo);
}

void key_set_finish(struct key_set *set) {
    if (set->n < 2) return;
    qsort(set->ranges, set->n, sizeof *set->ranges, by_lo);
    size_t last = 0;
    for (size_t i = 1; i < set->n; i++) {
        struct key_range *a = &set->ranges[last], *b = &set->ranges[i];
        if (str_cmp(b->lo, a->hi) >= 0) {
            set->ranges[++last] = *b;
            continue;
        }
        if (str_cmp(b->hi, a->hi) > 0) a->hi = b->hi;
        a->point = a->point && b->point; /* two points overlap only when equal */
    }
    set->n = last + 1;
}

bool key_ranges_hit(const struct key_range *sorted, size_t n, struct str lo, struct str hi) {
    size_t from = 0, to = n; /* the first range that ends behind lo */
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (str_cmp(sorted[middle].hi, lo) > 0) to = middle;
        else from = middle + 1;
    }
    return from < n && str_cmp(sorted[from].lo, hi) < 0;
}
