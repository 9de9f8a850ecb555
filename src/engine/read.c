/* Rows by key: points and ranges, in key order, at a snapshot. */
#include <string.h>
#include "engine/reader.h"

enum { SQL_MAX_BYTES = 256 << 10 };

struct reading {
    struct reader *r;
    struct engine_read *read;
    struct engine_snapshot *snapshot;
    bool history;
    sqlite3_stmt *point, *range; /* made when first needed */
    struct buf from;             /* where the first range begins when it follows `after` */
    bool stop;
};

static void put_select(const struct engine_read *q, bool history, struct buf *sql) {
    buf_add_z(sql, "SELECT key");
    for (uint16_t i = 0; i < q->n_columns; i++) buf_add_numbered(sql, ", c", q->table->columns[q->columns[i]].id);
    buf_add_numbered(sql, history ? " FROM h" : " FROM t", q->table->id);
    buf_add_z(sql, " WHERE ");
}

/* In our own text only a column or table that went away can be wrong. */
static enum code schema_changed(struct reading *w) {
    return err_set(&w->read->job.err, FAILED_PRECONDITION, "The schema of table %.*s changed. Read again.",
                   STR_ARG(w->read->table->name));
}

/* ?1 and ?2 the bounds, ?3 the timestamp. Both arms come in key order by their primary keys: SQLite merges them. */
static enum code prepare(struct reading *w, bool point, sqlite3_stmt **ret, struct err *err) {
    if (*ret) return OK;
    const char *where = point ? "key = ?1" : "key >= ?1 AND key < ?2";
    DEFER(buf_free) struct buf sql = BUF_INIT(SQL_MAX_BYTES);
    put_select(w->read, false, &sql);
    buf_add_z(&sql, where);
    if (w->history) {
        buf_add_z(&sql, " AND ts <= ?3 UNION ALL ");
        put_select(w->read, true, &sql);
        buf_add_z(&sql, where);
        buf_add_z(&sql, " AND until > ?3 AND ts <= ?3");
    }
    buf_add_z(&sql, point ? "" : " ORDER BY key");
    if (!buf_ok(&sql)) return err_oom(err);
    enum code rc = store_prepare(w->r->store, buf_str(&sql), ret, err);
    return rc == INTERNAL ? schema_changed(w) : rc;
}

static int bind(struct reading *w, sqlite3_stmt *stmt, const struct key_range *range) {
    int rc = sqlite3_bind_blob64(stmt, 1, range->lo.n ? range->lo.p : "", range->lo.n, SQLITE_STATIC);
    int n = sqlite3_bind_parameter_count(stmt);
    if (rc == SQLITE_OK && n >= 2 && !range->point)
        rc = sqlite3_bind_blob64(stmt, 2, range->hi.p, range->hi.n, SQLITE_STATIC);
    if (rc == SQLITE_OK && n >= 3) rc = sqlite3_bind_int64(stmt, 3, w->snapshot->at_us);
    return rc;
}

static void keep_last(struct engine_read *q, struct str key) {
    buf_clear(&q->ret_last);
    buf_add_str(&q->ret_last, key);
}

static enum code give_row(struct reading *w, sqlite3_stmt *stmt) {
    struct engine_read *q = w->read;
    struct engine_row row = { .stmt = stmt, .first = 1, .n = q->n_columns };
    row.key = (struct str){ sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0) };
    enum engine_next next = q->row(q, &row);
    if (next == ENGINE_FAIL)
        return q->job.err.code ? q->job.err.code : err_set(&q->job.err, CANCELLED, "the reader stopped");
    q->ret_rows++;
    bool full = q->limit && q->ret_rows >= q->limit;
    w->stop = full || next == ENGINE_PAUSE;
    q->ret_more = w->stop && !full;
    if (w->stop) keep_last(q, row.key);
    return w->stop && !buf_ok(&q->ret_last) ? err_oom(&q->job.err) : OK;
}

static enum code run_range(struct reading *w, const struct key_range *range) {
    struct err *err = &w->read->job.err;
    sqlite3_stmt **place = range->point ? &w->point : &w->range;
    enum code rc = prepare(w, range->point, place, err);
    if (rc) return rc;
    sqlite3_stmt *stmt = *place;
    int step = bind(w, stmt, range);
    if (step == SQLITE_OK)
        while (!rc && !w->stop && (step = sqlite3_step(stmt)) == SQLITE_ROW) rc = give_row(w, stmt);
    if (!rc && !w->stop && step != SQLITE_DONE) rc = reader_error(w->r, step, err);
    sqlite3_reset(stmt);
    return rc == INTERNAL && step == SQLITE_ERROR ? schema_changed(w) : rc;
}

/* The range behind `after`; false when none of it is left. */
static bool clip(struct reading *w, struct key_range *range) {
    struct str after = w->read->after;
    if (!after.p || str_cmp(range->lo, after) > 0) return true;
    if (range->point || str_cmp(range->hi, after) <= 0) return false;
    buf_clear(&w->from);
    buf_add_str(&w->from, after);
    buf_add_char(&w->from, '\0'); /* no key lies between */
    range->lo = buf_str(&w->from);
    return str_cmp(range->lo, range->hi) < 0;
}

/* What a read-write transaction has seen: the whole ranges, but the last only up to where the read stopped. */
static void remember(struct reading *w, const struct key_range *range, enum code rc) {
    if (!w->snapshot->txn) return;
    struct key_range seen = *range;
    if (w->stop && !rc) {
        buf_clear(&w->from);
        buf_add_str(&w->from, buf_str(&w->read->ret_last));
        buf_add_char(&w->from, '\0');
        if (buf_ok(&w->from) && !range->point) seen.hi = buf_str(&w->from);
    }
    txn_read_add(w->snapshot->db, w->snapshot->when, w->read->table->id, &seen, 1, false);
}

static enum code run_ranges(struct reading *w) {
    struct engine_read *q = w->read;
    enum code rc = snapshot_history(w->snapshot, q->table, &w->history, &q->job.err);
    for (size_t i = 0; i < q->n_ranges && !rc && !w->stop; i++) {
        struct key_range range = q->ranges[i];
        if (!clip(w, &range)) continue;
        if (w->from.failed) return err_oom(&q->job.err);
        rc = run_range(w, &range);
        range.lo = q->ranges[i].lo; /* clip's buffer is used again */
        remember(w, &range, rc);
        if (!rc && !w->stop && (i & 63) == 63 && q->when.cancel && atomic_load(q->when.cancel))
            rc = err_set(&q->job.err, CANCELLED, "the read was cancelled");
    }
    return rc;
}

static void run_read(struct engine_job *job, void *thread) {
    struct engine_read *q = CONTAINER_OF(job, struct engine_read, job);
    struct engine_snapshot snapshot;
    struct reading w = { .r = thread, .read = q, .snapshot = &snapshot, .from = BUF_INIT(KEY_MAX_BYTES + 2) };
    job->code = snapshot_open(w.r, job, &q->when, &snapshot);
    if (!job->code) job->code = run_ranges(&w);
    store_done(w.point);
    store_done(w.range);
    snapshot_close(w.r, &snapshot);
    buf_free(&w.from);
}

static void done_read(struct engine_job *job) {
    struct engine_read *q = CONTAINER_OF(job, struct engine_read, job);
    q->done(q);
}
static const struct engine_job_kind read_kind = { .run = run_read, .done = done_read };

enum code engine_post_read(struct engine_db *db, struct engine_read *read, struct err *err) {
    int64_t due = 0;
    enum code rc = when_check(&read->when, &due, err);
    read->ret_more = false;
    read->ret_rows = 0;
    return rc ? rc : queue_post(db, &read->job, &read_kind, 0, due, err);
}
