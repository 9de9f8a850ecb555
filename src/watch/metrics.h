/* metrics.h: counters, gauges and histograms: written by many threads without a lock, read by a scrape.
 *
 * A family has a name, labels, and one series for each set of label values, at most `max_series`. What comes when it is
 * full is counted in one more, whose labels all say "other": no caller decides how much memory is held. Series are never
 * removed.
 *
 * A series has a cell for each shard, on cache lines of its own: threads that keep to a shard each share no line. Any shard
 * is right from any thread. A scrape sums them while they are written: each number in it is one that was true, two numbers
 * need not be of the same moment.
 *
 * Names and text: Prometheus exposition format 0.0.4. Times are given in microseconds and printed as seconds. */
#pragma once
#include "base/buf.h"

struct metrics;
struct series;

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum metric_unit { METRIC_PLAIN, METRIC_SECONDS }; /* METRIC_SECONDS: values come in microseconds */

enum { METRIC_LABELS_MAX = 4, METRIC_LABEL_BYTES = 256 };

struct metric_family {
    const char *name, *help; /* ASCII, without quotes and backslashes */
    enum metric_kind kind;
    enum metric_unit unit; /* of a histogram always METRIC_SECONDS */
    const char *labels[METRIC_LABELS_MAX];
    size_t max_series; /* with labels: at least 1 */
};

/* `families` is constant and outlives this. NULL: out of memory. */
struct metrics *metrics_new(const struct metric_family *families, size_t n, unsigned shards);
void metrics_free(struct metrics *metrics); /* NULL is fine */

/* The series with these label values (as many as the family has labels; NULL for none), made at its first use. When the
 * family is full, memory is short, or a value is no UTF-8 or longer than METRIC_LABEL_BYTES: the one for "other". Any
 * thread; lives as long as the metrics. */
struct series *metrics_series(struct metrics *metrics, size_t family, const struct str *values);

void series_add(struct series *series, unsigned shard, int64_t n);
void series_set(struct series *series, unsigned shard, int64_t value); /* this shard's part of the sum */
void series_observe(struct series *series, unsigned shard, uint64_t us);

/* The sum over the shards; of a histogram how many were observed. */
int64_t series_value(const struct series *series);

/* All families in their order. Any thread. `out` fails when they do not fit. */
void metrics_print(struct metrics *metrics, struct buf *out);
