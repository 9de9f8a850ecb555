/* series.c: one series: its cells, and the buckets of a histogram. */
#include <stdlib.h>
#include <string.h>
#include "watch/metrics_priv.h"

enum { LINE_BYTES = 64 };

static size_t lines(size_t bytes) {
    return (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
}

static void copy_values(struct series *s, char *text, const struct str *values, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (values[i].n) memcpy(text, values[i].p, values[i].n);
        s->values[i] = (struct str){ text, values[i].n };
        text += values[i].n;
    }
}

struct series *series_new(const struct family *family, const struct str *values, uint64_t hash) {
    bool histogram = family->about->kind == METRIC_HISTOGRAM;
    size_t stride = lines((histogram ? CELL_HISTOGRAM : 1) * sizeof(int64_t)) / sizeof(int64_t);
    size_t head = lines(sizeof(struct series)), cells = family->shards * stride * sizeof(int64_t), text = 0;
    for (size_t i = 0; i < family->n_labels; i++) text += values[i].n;
    char *memory = aligned_alloc(LINE_BYTES, lines(head + cells + text));
    if (!memory) return NULL;
    memset(memory, 0, head + cells);
    struct series *s = (struct series *)(void *)memory;
    *s = (struct series){ .hash = hash, .histogram = histogram, .shards = family->shards, .stride = stride };
    s->cells = (_Atomic int64_t *)(void *)(memory + head);
    copy_values(s, memory + head + cells, values, family->n_labels);
    return s;
}

void series_free(struct series *s) {
    free(s);
}

static _Atomic int64_t *cell(const struct series *s, unsigned shard) {
    return s->cells + (shard < s->shards ? shard : 0) * s->stride;
}

void series_add(struct series *s, unsigned shard, int64_t n) {
    (void)atomic_fetch_add_explicit(cell(s, shard), n, memory_order_relaxed);
}

void series_set(struct series *s, unsigned shard, int64_t value) {
    atomic_store_explicit(cell(s, shard), value, memory_order_relaxed);
}

uint64_t bucket_bound(size_t bucket) {
    uint64_t power = UINT64_C(1) << (BUCKET_FIRST_BIT + bucket / 2);
    return bucket % 2 ? power + power / 2 : power;
}

/* The first bucket whose bound is not below. */
static size_t bucket_of(uint64_t us) {
    if (us <= UINT64_C(1) << BUCKET_FIRST_BIT) return 0;
    if (us > UINT64_C(1) << BUCKET_LAST_BIT) return CELL_ABOVE;
    uint64_t below = us - 1;
    unsigned bit = 63 - (unsigned)__builtin_clzll(below);
    unsigned upper_half = (unsigned)(below >> (bit - 1)) & 1;
    return 2 * (bit - BUCKET_FIRST_BIT) + 1 + upper_half;
}

void series_observe(struct series *s, unsigned shard, uint64_t us) {
    _Atomic int64_t *numbers = cell(s, shard);
    uint64_t most = UINT64_C(1) << 40; /* twelve days: so that no sum overflows */
    (void)atomic_fetch_add_explicit(&numbers[bucket_of(us)], 1, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&numbers[CELL_SUM], (int64_t)(us < most ? us : most), memory_order_relaxed);
}

int64_t series_sum(const struct series *s, size_t number) {
    int64_t sum = 0;
    for (unsigned i = 0; i < s->shards; i++) sum += atomic_load_explicit(&cell(s, i)[number], memory_order_relaxed);
    return sum;
}

int64_t series_value(const struct series *s) {
    int64_t n = 0;
    if (!s->histogram) return series_sum(s, 0);
    for (size_t i = 0; i <= CELL_ABOVE; i++) n += series_sum(s, i);
    return n;
}
