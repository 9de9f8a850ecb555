/* metrics.c: the families, and the series of each: a table that is only ever filled. */
#include <stdlib.h>
#include "base/enc.h"
#include "watch/metrics_priv.h"

static const struct str other_values[METRIC_LABELS_MAX] = { STR_INIT("other"), STR_INIT("other"), STR_INIT("other"),
                                                            STR_INIT("other") };

/* At most half of the slots are ever taken, so that a search ends soon. */
static size_t slots_for(size_t max_series) {
    size_t n = 2;
    while (n < 2 * max_series) n *= 2;
    return n;
}

static bool family_init(struct family *f, const struct metric_family *about, unsigned shards) {
    *f = (struct family){ .about = about, .shards = shards };
    while (f->n_labels < METRIC_LABELS_MAX && about->labels[f->n_labels]) f->n_labels++;
    size_t slots = slots_for(f->n_labels ? about->max_series : 1);
    f->slots_mask = slots - 1;
    f->slots = calloc(slots, sizeof *f->slots);
    f->other = series_new(f, other_values, 0);
    return f->slots && f->other;
}

struct metrics *metrics_new(const struct metric_family *families, size_t n, unsigned shards) {
    struct metrics *m = calloc(1, sizeof *m + n * sizeof m->families[0]);
    if (!m) return NULL;
    for (; m->n < n; m->n++)
        if (!family_init(&m->families[m->n], &families[m->n], shards ? shards : 1)) {
            m->n++; /* the half that was made */
            metrics_free(m);
            return NULL;
        }
    return m;
}

void metrics_free(struct metrics *m) {
    for (size_t i = 0; m && i < m->n; i++) {
        struct family *f = &m->families[i];
        for (size_t k = 0; f->slots && k <= f->slots_mask; k++) series_free(atomic_load(&f->slots[k].series));
        free(f->slots);
        series_free(f->other);
    }
    free(m);
}

/* Not keyed: how many there are is bounded, whoever chooses the values. */
static uint64_t hash_of(const struct family *f, const struct str *values) {
    uint64_t hash = f->n_labels;
    for (size_t i = 0; i < f->n_labels; i++) hash = (hash ^ str_hash(values[i])) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 32;
}

static bool is_it(const struct family *f, const struct series *s, uint64_t hash, const struct str *values) {
    if (s->hash != hash) return false;
    for (size_t i = 0; i < f->n_labels; i++)
        if (!str_eq(s->values[i], values[i])) return false;
    return true;
}

static bool is_lawful(const struct family *f, const struct str *values) {
    for (size_t i = 0; i < f->n_labels; i++)
        if (values[i].n > METRIC_LABEL_BYTES || !utf8_valid(values[i])) return false;
    return true;
}

/* NULL: there is no room for one more. */
static struct series *make(struct family *f, const struct str *values, uint64_t hash) {
    struct series *s = NULL;
    if (atomic_fetch_add(&f->n, 1) < f->about->max_series && is_lawful(f, values)) s = series_new(f, values, hash);
    if (!s) (void)atomic_fetch_sub(&f->n, 1);
    return s;
}

/* Who comes second takes what the first one put there. */
static struct series *add(struct family *f, size_t at, const struct str *values, uint64_t hash) {
    struct series *made = make(f, values, hash), *there = NULL;
    for (; made; at = (at + 1) & f->slots_mask, there = NULL) {
        if (atomic_compare_exchange_strong(&f->slots[at].series, &there, made)) return made;
        if (is_it(f, there, hash, values)) {
            series_free(made);
            (void)atomic_fetch_sub(&f->n, 1);
            return there;
        }
    }
    atomic_store_explicit(&f->has_other, true, memory_order_relaxed);
    return f->other;
}

struct series *metrics_series(struct metrics *m, size_t family, const struct str *values) {
    struct family *f = &m->families[family];
    if (!f->n_labels) return f->other;
    uint64_t hash = hash_of(f, values);
    size_t at = hash & f->slots_mask;
    for (struct series *s; (s = atomic_load_explicit(&f->slots[at].series, memory_order_acquire));
         at = (at + 1) & f->slots_mask)
        if (is_it(f, s, hash, values)) return s;
    return add(f, at, values, hash);
}
