/* metrics_text.c: the families as Prometheus reads them (exposition format 0.0.4). */
#include "base/decimal.h"
#include "watch/metrics_priv.h"

static const char *const kinds[] = { "counter", "gauge", "histogram" };

static void put_number(struct buf *out, enum metric_unit unit, int64_t value) {
    uint64_t n = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    char digits[DECIMAL_MAX], micros[6];
    if (value < 0) buf_add_char(out, '-');
    buf_add(out, digits, decimal_u64(unit == METRIC_SECONDS ? n / 1000000 : n, digits));
    if (unit != METRIC_SECONDS) return;
    decimal_fixed(n % 1000000, sizeof micros, micros);
    buf_add_char(out, '.');
    buf_add(out, micros, sizeof micros);
}

static void put_quoted(struct buf *out, struct str value) {
    buf_add_char(out, '"');
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        if (c == '\n') buf_add_z(out, "\\n");
        else if (c == '"' || c == '\\') buf_add(out, (char[]){ '\\', c }, 2);
        else buf_add_char(out, c);
    }
    buf_add_char(out, '"');
}

/* `name="value",…` without braces. */
static void put_labels(struct buf *out, const struct family *f, const struct series *s) {
    for (size_t i = 0; i < f->n_labels; i++) {
        if (i) buf_add_char(out, ',');
        buf_add_z(out, f->about->labels[i]);
        buf_add_char(out, '=');
        put_quoted(out, s->values[i]);
    }
}

static void put_sample(struct buf *out, const char *name, const char *suffix, struct str labels, enum metric_unit unit,
                       int64_t value) {
    buf_add_z(out, name);
    buf_add_z(out, suffix);
    if (labels.n) {
        buf_add_char(out, '{');
        buf_add_str(out, labels);
        buf_add_char(out, '}');
    }
    buf_add_char(out, ' ');
    put_number(out, unit, value);
    buf_add_char(out, '\n');
}

static void put_bucket(struct buf *out, const char *name, struct str labels, size_t bucket, int64_t count) {
    buf_add_z(out, name);
    buf_add_z(out, "_bucket{");
    buf_add_str(out, labels);
    buf_add_z(out, labels.n ? ",le=\"" : "le=\"");
    if (bucket < BUCKET_BOUNDS) put_number(out, METRIC_SECONDS, (int64_t)bucket_bound(bucket));
    else buf_add_z(out, "+Inf");
    buf_add_z(out, "\"} ");
    put_number(out, METRIC_PLAIN, count);
    buf_add_char(out, '\n');
}

/* The count is that of the last bucket, whatever is observed meanwhile. */
static void put_histogram(struct buf *out, const char *name, struct str labels, const struct series *s) {
    int64_t count = 0;
    for (size_t i = 0; i <= CELL_ABOVE; i++) {
        count += series_sum(s, i);
        put_bucket(out, name, labels, i, count);
    }
    put_sample(out, name, "_sum", labels, METRIC_SECONDS, series_sum(s, CELL_SUM));
    put_sample(out, name, "_count", labels, METRIC_PLAIN, count);
}

static void put_series(struct buf *out, const struct family *f, const struct series *s) {
    DEFER(buf_free) struct buf labels = BUF_INIT(METRIC_LABELS_MAX * (2 * METRIC_LABEL_BYTES + 128));
    put_labels(&labels, f, s);
    if (!buf_ok(&labels)) out->failed = true;
    else if (s->histogram) put_histogram(out, f->about->name, buf_str(&labels), s);
    else put_sample(out, f->about->name, "", buf_str(&labels), f->about->unit, series_sum(s, 0));
}

static void put_family(struct buf *out, struct family *f) {
    const struct metric_family *about = f->about;
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", about->name, about->help, about->name, kinds[about->kind]);
    for (size_t i = 0; i <= f->slots_mask; i++) {
        const struct series *s = atomic_load_explicit(&f->slots[i].series, memory_order_acquire);
        if (s) put_series(out, f, s);
    }
    if (!f->n_labels || atomic_load_explicit(&f->has_other, memory_order_relaxed)) put_series(out, f, f->other);
}

void metrics_print(struct metrics *m, struct buf *out) {
    for (size_t i = 0; i < m->n; i++) put_family(out, &m->families[i]);
}
