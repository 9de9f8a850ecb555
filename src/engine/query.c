/* A lowered SELECT on a reader's connection. */
#include <string.h>
#include "engine/reader.h"

enum { SQL_MAX_BYTES = 4 << 20 };

/* Text that names a timestamp would only fill the cache: it is prepared for this once. */
static bool is_kept(const struct engine_query *q) {
    return !q->when.at && !q->when.has_txn;
}

static enum code prepare(struct reader *r, struct engine_query *q, struct str sql, sqlite3_stmt **ret) {
    enum code rc = OK;
    r->untrusted = true;
    if (is_kept(q)) {
        rc = store_prepare(r->store, sql, ret, &q->job.err);
    } else {
        int sqlite_rc = sqlite3_prepare_v2(store_sqlite(r->store), sql.p, (int)sql.n, ret, NULL);
        if (sqlite_rc != SQLITE_OK) rc = reader_error(r, sqlite_rc, &q->job.err);
    }
    r->untrusted = false;
    if (rc) return rc;
    const char *taken = *ret ? sqlite3_sql(*ret) : ""; /* up to the end of the first statement */
    if (!*ret || !sqlite3_stmt_readonly(*ret) || str_trim(str_from(sql, strlen(taken))).n)
        return err_set(&q->job.err, INTERNAL, "a query must be one SELECT");
    return OK;
}

static void give_back(const struct engine_query *q, sqlite3_stmt *stmt) {
    if (is_kept(q)) store_done(stmt);
    else sqlite3_finalize(stmt);
}

static enum code bind_all(struct reader *r, struct engine_query *q, sqlite3_stmt *stmt) {
    size_t n = (size_t)sqlite3_bind_parameter_count(stmt);
    for (size_t i = 0; i < n && i < q->n_params; i++) {
        int rc = value_bind(stmt, (int)i + 1, &q->params[i]);
        if (rc != SQLITE_OK) return reader_error(r, rc, &q->job.err);
    }
    return n <= q->n_params ? OK : err_set(&q->job.err, INTERNAL, "a query has more parameters than values");
}

static enum code step_all(struct reader *r, struct engine_query *q, sqlite3_stmt *stmt) {
    struct engine_row row = { .stmt = stmt, .n = sqlite3_column_count(stmt) };
    int rc = SQLITE_ROW;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW) {
        enum engine_next next = q->row(q, &row);
        if (next == ENGINE_FAIL)
            return q->job.err.code ? q->job.err.code : err_set(&q->job.err, CANCELLED, "the query was stopped");
        q->ret_rows++;
        if (next == ENGINE_PAUSE) return OK;
    }
    if (rc == SQLITE_DONE) return OK;
    /* SQL functions report a wrong value or an overflow as an SQLite error: whoever registered them reads it */
    if (rc == SQLITE_ERROR && r->db->options->sql_error)
        return r->db->options->sql_error(store_sqlite(r->store), rc, &q->job.err);
    return reader_error(r, rc, &q->job.err);
}

static void run_query(struct engine_job *job, void *thread) {
    struct engine_query *q = CONTAINER_OF(job, struct engine_query, job);
    struct reader *r = thread;
    struct engine_snapshot snapshot;
    DEFER(buf_free) struct buf sql = BUF_INIT(SQL_MAX_BYTES);
    sqlite3_stmt *stmt = NULL;
    enum code rc = snapshot_open(r, job, &q->when, &snapshot);
    buf_add_char(&sql, ' '); /* never the text of a statement of our own, which was prepared without the authorizer */
    if (!rc) rc = q->sql(q, &snapshot, &sql, &job->err);
    if (!rc && !buf_ok(&sql)) rc = err_set(&job->err, RESOURCE_EXHAUSTED, "the lowered statement is too large");
    if (!rc) rc = prepare(r, q, buf_str(&sql), &stmt);
    if (!rc) rc = bind_all(r, q, stmt);
    if (!rc) rc = step_all(r, q, stmt);
    job->code = rc;
    give_back(q, stmt);
    snapshot_close(r, &snapshot);
}

static void done_query(struct engine_job *job) {
    struct engine_query *q = CONTAINER_OF(job, struct engine_query, job);
    q->done(q);
}
static const struct engine_job_kind query_kind = { .run = run_query, .done = done_query };

enum code engine_post_query(struct engine_db *db, struct engine_query *query, struct err *err) {
    int64_t due = 0;
    enum code rc = when_check(&query->when, &due, err);
    query->ret_rows = 0;
    return rc ? rc : queue_post(db, &query->job, &query_kind, 0, due, err);
}
