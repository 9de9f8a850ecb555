/* Cuts for partitions: every step-th key of the live table, on a walk that is bounded in time. Keys that are a little old
 * do no harm: any cut is right, only less even. */
#include <inttypes.h>
#include <string.h>
#include "base/clock.h"
#include "engine/reader.h"

enum { MOST_SAMPLES = 4096, FIRST_STEP = 16, WALK_US = 2000000, MOST_CUTS = 256 };

struct samples {
    struct arena *arena;
    struct str *keys;
    size_t n;
    unsigned step;
};

/* Too many samples: every second one goes, and the walk takes longer steps. */
static void thin(struct samples *s) {
    for (size_t i = 1; i < s->n; i += 2) s->keys[i / 2] = s->keys[i];
    s->n /= 2;
    s->step *= 2;
}

static enum code next_sample(struct reader *r, sqlite3_stmt *stmt, struct samples *s, struct str lo, struct str hi,
                             struct str *ret, struct err *err) {
    sqlite3_reset(stmt);
    sqlite3_bind_blob64(stmt, 1, lo.n ? lo.p : "", lo.n, SQLITE_STATIC);
    sqlite3_bind_blob64(stmt, 2, hi.p, hi.n, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 3, s->step);
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_DONE) {
        *ret = (struct str){ 0 };
        return OK;
    }
    if (rc != SQLITE_ROW) return reader_error(r, rc, err);
    *ret = str_dup(s->arena, (struct str){ sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0) });
    return ret->p ? OK : err_oom(err);
}

static enum code walk(struct reader *r, struct engine_split *q, sqlite3_stmt *stmt, struct samples *s) {
    uint64_t end = clock_mono_us() + WALK_US;
    for (size_t i = 0; i < q->n_ranges; i++)
        for (struct str at = q->ranges[i].lo; clock_mono_us() < end;) {
            enum code rc = next_sample(r, stmt, s, at, q->ranges[i].hi, &at, &q->job.err);
            if (rc) return rc;
            if (!at.p) break;
            if (s->n == MOST_SAMPLES) thin(s);
            s->keys[s->n++] = at;
        }
    return OK;
}

static enum code choose(struct engine_split *q, const struct samples *s) {
    unsigned want = q->want > MOST_CUTS ? MOST_CUTS : q->want;
    q->ret_cuts = ARENA_ARRAY(q->arena, struct str, want + 1);
    if (!q->ret_cuts) return err_oom(&q->job.err);
    if (s->n < want) want = (unsigned)s->n + 1; /* a small table: fewer parts, none empty for sure */
    for (unsigned i = 1; i < want; i++) {
        struct str cut = s->keys[(size_t)i * (s->n + 1) / want - 1];
        if (!q->ret_n_cuts || !str_eq(q->ret_cuts[q->ret_n_cuts - 1], cut)) q->ret_cuts[q->ret_n_cuts++] = cut;
    }
    return OK;
}

static enum code split(struct reader *r, struct engine_split *q) {
    struct samples s = { .arena = q->arena, .keys = ARENA_ARRAY(q->arena, struct str, MOST_SAMPLES), .step = FIRST_STEP };
    DEFER(buf_free) struct buf sql = BUF_INIT(256);
    buf_printf(&sql, "SELECT key FROM t%" PRIu32 " WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT 1 OFFSET ?3",
               q->table->id);
    if (!s.keys || !buf_ok(&sql)) return err_oom(&q->job.err);
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(r->store, buf_str(&sql), &stmt, &q->job.err);
    if (rc == INTERNAL) return err_set(&q->job.err, NOT_FOUND, "Table not found: %.*s", STR_ARG(q->table->name));
    if (!rc) rc = walk(r, q, stmt, &s);
    return rc ? rc : choose(q, &s);
}

static void run_split(struct engine_job *job, void *thread) {
    struct engine_split *q = CONTAINER_OF(job, struct engine_split, job);
    struct reader *r = thread;
    struct engine_snapshot snapshot;
    job->code = snapshot_open(r, job, &q->when, &snapshot);
    if (!job->code) job->code = split(r, q);
    snapshot_close(r, &snapshot);
}

static void done_split(struct engine_job *job) {
    struct engine_split *q = CONTAINER_OF(job, struct engine_split, job);
    q->done(q);
}
static const struct engine_job_kind split_kind = { .run = run_split, .done = done_split };

enum code engine_post_split(struct engine_db *db, struct engine_split *split_job, struct err *err) {
    int64_t due = 0;
    if (!split_job->want) return err_set(err, INVALID_ARGUMENT, "a table cannot be cut into no parts");
    enum code rc = when_check(&split_job->when, &due, err);
    split_job->ret_n_cuts = 0;
    return rc ? rc : queue_post(db, &split_job->job, &split_kind, 0, due, err);
}
