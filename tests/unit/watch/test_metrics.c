/* Metrics: what is counted is what is printed, whoever counts at the same time; what labels cost is bounded. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "test.h"
#include "base/arena.h"
#include "watch/metrics.h"
#include "watch/metrics_priv.h"
#include "watch/process.h"

enum { PLAIN, GAUGE, SECONDS, CALLS, SPANS };
static const struct metric_family families[] = {
    [PLAIN] = { "t_plain_total", "Plain.", METRIC_COUNTER, METRIC_PLAIN, { NULL }, 0 },
    [GAUGE] = { "t_gauge_bytes", "A gauge.", METRIC_GAUGE, METRIC_PLAIN, { NULL }, 0 },
    [SECONDS] = { "t_cpu_seconds_total", "Seconds.", METRIC_COUNTER, METRIC_SECONDS, { NULL }, 0 },
    [CALLS] = { "t_calls_total", "Calls.", METRIC_COUNTER, METRIC_PLAIN, { "who", "how" }, 3 },
    [SPANS] = { "t_span_seconds", "Spans.", METRIC_HISTOGRAM, METRIC_SECONDS, { "who" }, 2 },
};

static struct metrics *make(unsigned shards) {
    struct metrics *m = metrics_new(families, COUNT(families), shards);
    assert_non_null(m);
    return m;
}

static struct series *calls(struct metrics *m, const char *who, const char *how) {
    return metrics_series(m, CALLS, (struct str[]){ str_z(who), str_z(how) });
}

static char *printed(struct metrics *m) {
    struct buf out = BUF_INIT(1 << 20);
    metrics_print(m, &out);
    buf_add_char(&out, '\0');
    if (!buf_ok(&out) || !out.p) abort();
    return out.p;
}

static void assert_has(const char *text, const char *line) {
    if (!strstr(text, line)) fail_msg("there is no \"%s\" in:\n%s", line, text ? text : "");
}

static void assert_hasnt(const char *text, const char *line) {
    if (strstr(text, line)) fail_msg("there is \"%s\" in:\n%s", line, text ? text : "");
}

static void test_text(void **state) {
    (void)state;
    struct metrics *m = make(2);
    series_add(metrics_series(m, PLAIN, NULL), 0, 3);
    series_add(metrics_series(m, PLAIN, NULL), 1, 4);
    series_set(metrics_series(m, GAUGE, NULL), 0, 5);
    series_set(metrics_series(m, GAUGE, NULL), 1, -7);
    series_set(metrics_series(m, SECONDS, NULL), 0, 12000034);
    series_add(calls(m, "a\"b\\c\nd", ""), 0, 1);
    char *text = printed(m);
    assert_has(text, "# HELP t_plain_total Plain.\n# TYPE t_plain_total counter\nt_plain_total 7\n");
    assert_has(text, "# TYPE t_gauge_bytes gauge\nt_gauge_bytes -2\n");
    assert_has(text, "\nt_cpu_seconds_total 12.000034\n");
    assert_has(text, "\nt_calls_total{who=\"a\\\"b\\\\c\\nd\",how=\"\"} 1\n");
    assert_hasnt(text, "other");
    assert_has(text, "# TYPE t_span_seconds histogram\n");
    free(text);
    metrics_free(m);
}

static void test_same_labels_same_series(void **state) {
    (void)state;
    struct metrics *m = make(1);
    char who[] = "ana";
    struct series *first = calls(m, who, "x");
    who[0] = 'A'; /* it was copied */
    assert_ptr_equal(calls(m, "ana", "x"), first);
    assert_ptr_not_equal(calls(m, "an", "ax"), first); /* where one value ends counts */
    assert_ptr_not_equal(calls(m, "Ana", "x"), first);
    metrics_free(m);
}

static void test_other(void **state) {
    (void)state;
    struct metrics *m = make(1);
    char name[16], huge[METRIC_LABEL_BYTES + 2];
    memset(huge, 'x', sizeof huge);
    huge[sizeof huge - 1] = '\0';
    series_add(calls(m, huge, ""), 0, 1);
    series_add(calls(m, "\xff", ""), 0, 1);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "u%u", i);
        series_add(calls(m, name, "x"), 0, 1);
    }
    series_add(calls(m, "u2", "x"), 0, 10); /* who was there first stays */
    char *text = printed(m);
    assert_has(text, "{who=\"u0\",how=\"x\"} 1\n");
    assert_has(text, "{who=\"u2\",how=\"x\"} 11\n");
    assert_hasnt(text, "\"u3\"");
    assert_hasnt(text, "xxx");
    assert_has(text, "t_calls_total{who=\"other\",how=\"other\"} 99\n");
    free(text);
    metrics_free(m);
}

static const struct {
    uint64_t us, bound;
} spans[] = {
    { 0, 128 },
    { 1, 128 },
    { 128, 128 },
    { 129, 192 },
    { 192, 192 },
    { 193, 256 },
    { 256, 256 },
    { 257, 384 },
    { 1000, 1024 },
    { 1024, 1024 },
    { 1025, 1536 },
    { 1536, 1536 },
    { 1537, 2048 },
    { 1000000, 1048576 },
    { 50331648, 50331648 },
    { 50331649, 67108864 },
    { 67108864, 67108864 },
    { 67108865, 0 },
    { UINT64_MAX, 0 },
};

/* Each falls under the least bound that is not below it; 0: above them all. */
static void test_buckets(void **state) {
    (void)state;
    for (size_t i = 1; i < BUCKET_BOUNDS; i++) assert_true(bucket_bound(i) > bucket_bound(i - 1));
    for (size_t i = 0; i < COUNT(spans); i++) {
        struct metrics *m = make(1);
        struct series *s = metrics_series(m, SPANS, (struct str[]){ STR("w") });
        series_observe(s, 0, spans[i].us);
        for (size_t b = 0; b < BUCKET_BOUNDS; b++)
            if (series_sum(s, b) != (bucket_bound(b) == spans[i].bound)) fail_msg("%llu", (unsigned long long)spans[i].us);
        assert_int_equal(series_sum(s, CELL_ABOVE), spans[i].bound == 0);
        assert_int_equal(series_value(s), 1);
        metrics_free(m);
    }
}

static void test_histogram_text(void **state) {
    (void)state;
    struct metrics *m = make(2);
    struct series *s = metrics_series(m, SPANS, (struct str[]){ STR("w") });
    series_observe(s, 0, 100);
    series_observe(s, 1, 130);
    series_observe(s, 1, 100000000);
    char *text = printed(m);
    assert_has(text, "\nt_span_seconds_bucket{who=\"w\",le=\"0.000128\"} 1\n");
    assert_has(text, "\nt_span_seconds_bucket{who=\"w\",le=\"0.000192\"} 2\n");
    assert_has(text, "\nt_span_seconds_bucket{who=\"w\",le=\"67.108864\"} 2\n");
    assert_has(text, "\nt_span_seconds_bucket{who=\"w\",le=\"+Inf\"} 3\n");
    assert_has(text, "\nt_span_seconds_sum{who=\"w\"} 100.000230\n");
    assert_has(text, "\nt_span_seconds_count{who=\"w\"} 3\n");
    free(text);
    metrics_free(m);
}

/* ---- threads ---- */

enum { THREADS = 4, ROUNDS = 5000, NAMES = 8 };
static const struct metric_family busy[] = {
    { "b_calls_total", "Calls.", METRIC_COUNTER, METRIC_PLAIN, { "who" }, NAMES - 2 },
    { "b_span_seconds", "Spans.", METRIC_HISTOGRAM, METRIC_SECONDS, { "who" }, NAMES + THREADS }, /* as each may make one */
};

struct writer {
    struct metrics *metrics;
    unsigned shard;
    pthread_t thread;
};

static void *write_many(void *arg) {
    struct writer *w = arg;
    char name[8];
    for (unsigned i = 0; i < ROUNDS; i++) {
        snprintf(name, sizeof name, "u%u", i % NAMES);
        struct str who = str_z(name);
        series_add(metrics_series(w->metrics, 0, &who), w->shard, 1);
        series_observe(metrics_series(w->metrics, 1, &who), w->shard, i);
    }
    return NULL;
}

/* Nothing is lost, no series is there twice, and a scrape in the middle is well formed. */
static void test_threads(void **state) {
    (void)state;
    struct metrics *m = metrics_new(busy, COUNT(busy), 3); /* two threads share a shard */
    struct writer writers[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        writers[i] = (struct writer){ .metrics = m, .shard = i % 3 };
        assert_int_equal(pthread_create(&writers[i].thread, NULL, write_many, &writers[i]), 0);
    }
    for (unsigned i = 0; i < 20; i++) free(printed(m));
    for (unsigned i = 0; i < THREADS; i++) assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
    int64_t sum = series_value(metrics_series(m, 0, (struct str[]){ STR("no such") })); /* "other" */
    unsigned n = 0;
    for (size_t i = 0; i <= m->families[0].slots_mask; i++) {
        struct series *s = atomic_load(&m->families[0].slots[i].series);
        n += s != NULL;
        sum += s ? series_value(s) : 0;
    }
    assert_true(n <= NAMES - 2);
    assert_int_equal(sum, THREADS * ROUNDS);
    for (unsigned i = 0; i < NAMES; i++) {
        char name[8];
        snprintf(name, sizeof name, "u%u", i);
        struct str who = str_z(name);
        assert_int_equal(series_value(metrics_series(m, 1, &who)), THREADS * ROUNDS / NAMES);
    }
    assert_int_equal(atomic_load(&m->families[1].n), NAMES);
    metrics_free(m);
}

static void test_process(void **state) {
    (void)state;
    struct process_usage usage;
    process_usage(&usage);
    assert_true(usage.resident_bytes > 1 << 20);
    assert_true(usage.open_fds >= 3 && usage.open_fds < 100);
    assert_true(usage.max_fds >= usage.open_fds);
    assert_true(usage.cpu_us > 0 && usage.cpu_us < 600 * 1000000LL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),    cmocka_unit_test(test_same_labels_same_series), cmocka_unit_test(test_other),
        cmocka_unit_test(test_buckets), cmocka_unit_test(test_histogram_text),          cmocka_unit_test(test_threads),
        cmocka_unit_test(test_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
