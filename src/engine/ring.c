#include "engine/ring.h"

#include <stdlib.h>
#include <string.h>

static const struct str behind_all = STR_INIT("\xff");

static bool add_entry(struct write_set *set, uint32_t table_id, struct str lo, struct str hi) {
    if (!arena_grow(set->arena, &set->entries, &set->cap, set->n + 1, sizeof *set->entries)) return false;
    set->entries[set->n++] = (struct write_entry){ table_id, lo, hi };
    set->bytes += sizeof *set->entries + lo.n + hi.n;
    return true;
}

static bool has_whole(const struct write_set *set, uint32_t table_id) {
    for (size_t i = set->n; i-- > 0;)
        if (set->entries[i].table_id == table_id && !set->entries[i].lo.n && set->entries[i].hi.n) return true;
    return false;
}

/* A large write set shrinks to the tables that it names. */
static bool widen(struct write_set *set) {
    size_t n = set->n;
    set->n = 0;
    set->bytes = WRITES_MAX_BYTES; /* stays wide */
    for (size_t i = 0; i < n; i++) /* reads ahead of what it writes: entries only shrink */
        if (!has_whole(set, set->entries[i].table_id) && !add_entry(set, set->entries[i].table_id, STR(""), behind_all))
            return false;
    return true;
}

bool write_set_add(struct write_set *set, uint32_t table_id, struct str lo, struct str hi) {
    if (set->bytes >= WRITES_MAX_BYTES) return has_whole(set, table_id) || add_entry(set, table_id, STR(""), behind_all);
    struct str lo_copy = str_dup(set->arena, lo), hi_copy = hi.n ? str_dup(set->arena, hi) : hi;
    if (!lo_copy.p || (hi.n && !hi_copy.p) || !add_entry(set, table_id, lo_copy, hi_copy)) return false;
    return set->bytes < WRITES_MAX_BYTES || widen(set);
}

/* --- read sets ------------------------------------------------------------------------------------------------------- */

static struct read_table *read_table(struct read_set *set, uint32_t table_id) {
    for (size_t i = 0; i < set->n; i++)
        if (set->tables[i].table_id == table_id) return &set->tables[i];
    if (!arena_grow(set->arena, &set->tables, &set->cap, set->n + 1, sizeof *set->tables)) return NULL;
    set->tables[set->n] = (struct read_table){ .table_id = table_id, .set.arena = set->arena };
    return &set->tables[set->n++];
}

bool read_set_add_table(struct read_set *set, uint32_t table_id) {
    struct read_table *t = read_table(set, table_id);
    if (t) t->whole = true;
    return t;
}

bool read_set_add(struct read_set *set, uint32_t table_id, const struct key_range *ranges, size_t n) {
    struct read_table *t = read_table(set, table_id);
    if (!t) return false;
    for (size_t i = 0; i < n && !t->whole; i++) {
        set->bytes += sizeof *ranges + ranges[i].lo.n + ranges[i].hi.n;
        if (set->bytes > set->max_bytes || key_set_add_encoded(&t->set, ranges[i].lo, ranges[i].hi, NULL)) t->whole = true;
    }
    return true;
}

void read_set_sort(struct read_set *set) {
    for (size_t i = 0; i < set->n; i++) key_set_finish(&set->tables[i].set);
}

/* A point is the range [lo, lo 00): no other key begins with a whole key. */
static bool entry_hits(const struct read_table *t, const struct write_entry *e) {
    if (t->whole || e->hi.n) return t->whole || key_ranges_hit(t->set.ranges, t->set.n, e->lo, e->hi);
    char point[KEY_MAX_BYTES + 1];
    if (e->lo.n) memcpy(point, e->lo.p, e->lo.n);
    point[e->lo.n] = '\0';
    return key_ranges_hit(t->set.ranges, t->set.n, e->lo, (struct str){ point, e->lo.n + 1 });
}

bool read_set_hit(const struct read_set *set, const struct write_entry *entries, size_t n) {
    for (size_t t = 0; t < set->n; t++)
        for (size_t i = 0; i < n; i++)
            if (entries[i].table_id == set->tables[t].table_id && entry_hits(&set->tables[t], &entries[i])) return true;
    return false;
}

/* --- the ring -------------------------------------------------------------------------------------------------------- */

/* One commit; the entries' bytes follow in the same block. */
struct commit_block {
    struct commit_block *newer, *older;
    int64_t commit_us;
    size_t bytes, n;
    struct write_entry entries[];
};

struct ring {
    struct commit_block *oldest, *newest;
    size_t bytes, max_bytes;
    int64_t from_us; /* what committed at or before is forgotten */
};

struct ring *ring_new(size_t max_bytes, int64_t from_us) {
    struct ring *r = calloc(1, sizeof *r);
    if (r) r->max_bytes = max_bytes, r->from_us = from_us;
    return r;
}

static void drop_oldest(struct ring *r) {
    struct commit_block *b = r->oldest;
    r->oldest = b->newer;
    if (r->oldest) r->oldest->older = NULL;
    else r->newest = NULL;
    r->bytes -= b->bytes;
    r->from_us = b->commit_us;
    free(b);
}

void ring_free(struct ring *r) {
    if (!r) return;
    while (r->oldest) drop_oldest(r);
    free(r);
}

static struct commit_block *block_new(int64_t commit_us, const struct write_set *set) {
    size_t text = 0;
    for (size_t i = 0; i < set->n; i++) text += set->entries[i].lo.n + set->entries[i].hi.n;
    size_t bytes = sizeof(struct commit_block) + set->n * sizeof(struct write_entry) + text;
    struct commit_block *b = arena_should_fail() ? NULL : malloc(bytes);
    if (!b) return NULL;
    *b = (struct commit_block){ .commit_us = commit_us, .bytes = bytes, .n = set->n };
    char *at = (char *)(b->entries + set->n);
    for (size_t i = 0; i < set->n; i++) {
        const struct write_entry *e = &set->entries[i];
        b->entries[i] = (struct write_entry){ e->table_id, { at, e->lo.n }, { at + e->lo.n, e->hi.n } };
        if (e->lo.n) memcpy(at, e->lo.p, e->lo.n);
        if (e->hi.n) memcpy(at + e->lo.n, e->hi.p, e->hi.n);
        at += e->lo.n + e->hi.n;
    }
    return b;
}

void ring_add(struct ring *r, int64_t commit_us, const struct write_set *set) {
    struct commit_block *b = block_new(commit_us, set);
    if (!b) { /* memory is short: forget everything, so that nothing is overlooked */
        while (r->oldest) drop_oldest(r);
        r->from_us = commit_us;
        return;
    }
    b->older = r->newest;
    if (r->newest) r->newest->newer = b;
    else r->oldest = b;
    r->newest = b;
    r->bytes += b->bytes;
    while (r->oldest && r->bytes > r->max_bytes) drop_oldest(r);
}

bool ring_hit(const struct ring *r, int64_t read_us, const struct read_set *sorted) {
    if (!sorted->n) return false;
    if (read_us < r->from_us) return true;
    for (const struct commit_block *b = r->newest; b && b->commit_us > read_us; b = b->older)
        if (read_set_hit(sorted, b->entries, b->n)) return true;
    return false;
}
