/* metrics_priv.h: what a family and a series are, for src/watch alone. */
#pragma once
#include <stdatomic.h>
#include "watch/metrics.h"

/* Upper bounds of the buckets, log-linear: 128 us to 67.1 s, each power of two and one and a half of it. */
enum { BUCKET_FIRST_BIT = 7, BUCKET_LAST_BIT = 26, BUCKET_BOUNDS = 2 * (BUCKET_LAST_BIT - BUCKET_FIRST_BIT) + 1 };

/* A cell of a histogram: a count for each bound, one for what is above them all, and the sum. Else one number. */
enum { CELL_ABOVE = BUCKET_BOUNDS, CELL_SUM, CELL_HISTOGRAM };

struct series {
    uint64_t hash;
    struct str values[METRIC_LABELS_MAX];
    bool histogram;
    unsigned shards;
    size_t stride;          /* numbers from one shard's cell to the next: whole cache lines */
    _Atomic int64_t *cells; /* behind this structure, on a line of their own */
};

struct family {
    const struct metric_family *about;
    size_t n_labels;
    unsigned shards;
    struct series *other; /* without labels: the only one */
    atomic_bool has_other;
    atomic_size_t n;
    size_t slots_mask;
    struct family_slot {
        _Atomic(struct series *) series;
    } * slots; /* open addressing; filled, never emptied */
};

struct metrics {
    size_t n;
    struct family families[];
};

/* NULL: out of memory. Copies the values. */
struct series *series_new(const struct family *family, const struct str *values, uint64_t hash);
void series_free(struct series *series);                        /* NULL is fine */
uint64_t bucket_bound(size_t bucket);                           /* microseconds */
int64_t series_sum(const struct series *series, size_t number); /* over the shards */
