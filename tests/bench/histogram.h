/* histogram.h: latencies in constant memory: 32 steps an octave, so a percentile is at most 3 % too high. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_STEPS = 32, HISTOGRAM_PLACES = 40 * HISTOGRAM_STEPS };

struct histogram {
    uint64_t counts[HISTOGRAM_PLACES];
    uint64_t n;
};

static inline size_t histogram_place(uint64_t us) {
    if (us < HISTOGRAM_STEPS) return (size_t)us;
    unsigned octave = 63U - (unsigned)__builtin_clzll(us);
    size_t place = (size_t)(octave - 4) * HISTOGRAM_STEPS + (size_t)(us >> (octave - 5)) - HISTOGRAM_STEPS;
    return place < HISTOGRAM_PLACES ? place : HISTOGRAM_PLACES - 1;
}

static inline void histogram_add(struct histogram *h, uint64_t us) {
    h->counts[histogram_place(us)]++;
    h->n++;
}

/* The upper edge of the place that holds the given part (0 to 1) of the values; 0 when there are none. */
static inline uint64_t histogram_at(const struct histogram *h, double part) {
    uint64_t want = (uint64_t)((double)h->n * part), seen = 0;
    for (size_t i = 0; i < HISTOGRAM_PLACES && h->n; i++) {
        seen += h->counts[i];
        if (seen <= want && seen < h->n) continue;
        if (i < HISTOGRAM_STEPS) return i;
        unsigned octave = (unsigned)(i / HISTOGRAM_STEPS) + 4;
        return ((uint64_t)(i % HISTOGRAM_STEPS) + HISTOGRAM_STEPS + 1) << (octave - 5);
    }
    return 0;
}
