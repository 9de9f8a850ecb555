/* The writer thread: gathers waiting commits, a savepoint each, one fsync for all; DDL on its own; small chores when idle.
 */
#include "base/clock.h"
#include "engine/db.h"

enum { BATCH_MOST_JOBS = 256, BATCH_MOST_BYTES = 64 << 20, SCRATCH_KEEP_BYTES = 1 << 20 };
enum { WAL_SOFT_PAGES = 2048, WAL_HARD_PAGES = 8192, IDLE_US = 200000, CHORE_US = 1000000, CHORE_STEP_US = 50000 };

static void run_done_commit(struct engine_job *job) {
    struct engine_commit *c = CONTAINER_OF(job, struct engine_commit, job);
    c->done(c);
}
static void run_done_ddl(struct engine_job *job) {
    struct engine_ddl_job *d = CONTAINER_OF(job, struct engine_ddl_job, job);
    d->done(d);
}
const struct engine_job_kind commit_kind = { .write = true, .done = run_done_commit };
const struct engine_job_kind ddl_kind = { .write = true, .done = run_done_ddl };

enum code engine_post_commit(struct engine_db *db, struct engine_commit *commit, struct err *err) {
    return queue_post(db, &commit->job, &commit_kind, commit->bytes, 0, err);
}

enum code engine_post_ddl(struct engine_db *db, struct engine_ddl_job *job, struct err *err) {
    return queue_post(db, &job->job, &ddl_kind, 0, 0, err);
}

/* The first timestamp of a batch: behind all that committed and all that was read, and not before now. */
static int64_t claim_timestamp(struct engine_db *db) {
    int64_t now = clock_wall_us();
    pthread_mutex_lock(&db->lock);
    int64_t us = db->last_us > db->floor_us ? db->last_us + 1 : db->floor_us + 1;
    if (us < now) us = now;
    db->pending_us = us;
    pthread_mutex_unlock(&db->lock);
    return us;
}

static void end_batch(struct engine_db *db, int64_t last_us) {
    pthread_mutex_lock(&db->lock);
    if (last_us) db->last_us = last_us;
    db->pending_us = 0;
    pthread_cond_broadcast(&db->batch_done);
    pthread_mutex_unlock(&db->lock);
}

static enum code write_clocks(struct engine_db *db, int64_t last_us, struct err *err) {
    enum code rc = clock_set(db->store, 0, last_us, err);
    for (struct table_state *s = db->states; s && !rc; s = s->next)
        if (s->touched) rc = clock_set(db->store, s->id, atomic_load(&s->newest_us), err);
    return rc;
}

static void rollback(struct engine_db *db) {
    if (!sqlite3_get_autocommit(store_sqlite(db->store)) && store_exec(db->store, "ROLLBACK", NULL) != OK)
        store_forget(db->store); /* nothing else holds it open */
}

/* Applies each; *ret_last is the last timestamp that was used, 0 when none succeeded. */
static enum code apply_batch(struct engine_db *db, struct engine_job *jobs, int64_t first_us, int64_t *ret_last,
                             struct err *err) {
    int64_t us = first_us;
    enum code rc = store_exec_kept(db->store, STR("BEGIN IMMEDIATE"), err);
    for (struct engine_job *job = jobs; job && !rc; job = job->next, us++) {
        job->code = commit_apply(db, CONTAINER_OF(job, struct engine_commit, job), us, &job->err);
        if (!job->code) *ret_last = us;
        if (sqlite3_get_autocommit(store_sqlite(db->store))) /* SQLite gave up all of it: the disk, or memory */
            rc = err_set(err, job->code ? job->code : INTERNAL, "%s", job->code ? job->err.message : "the batch was lost");
    }
    if (!rc) rc = outbox_flush(db, err);
    if (!rc && *ret_last) rc = write_clocks(db, *ret_last, err);
    if (!rc) rc = store_exec_kept(db->store, STR("COMMIT"), err);
    return rc;
}

static void fail_batch(struct engine_db *db, struct engine_job *jobs, const struct err *err) {
    rollback(db);
    for (struct engine_job *job = jobs; job; job = job->next) {
        struct engine_commit *c = CONTAINER_OF(job, struct engine_commit, job);
        if (job->code) continue;
        job->code = err->code;
        job->err = *err;
        c->ret_timestamp_us = 0;
        if (c->has_txn) txn_finish(db, c, job->code);
    }
}

static void clean_batch(struct engine_db *db) {
    for (struct table_state *s = db->states; s; s = s->next) s->touched = false;
    db->entries = NULL;
    db->n_entries = db->entries_cap = 0;
    arena_reset(db->scratch);
}

static void finish_jobs(struct engine_job *jobs) {
    while (jobs) {
        struct engine_job *job = jobs;
        jobs = job->next; /* `done` may free it */
        job->kind->done(job);
    }
}

static void run_commits(struct engine_db *db, struct engine_job *jobs) {
    struct err err = { 0 };
    int64_t last_us = 0;
    enum code rc = apply_batch(db, jobs, claim_timestamp(db), &last_us, &err);
    if (rc) fail_batch(db, jobs, &err);
    end_batch(db, rc ? 0 : last_us);
    for (size_t i = 0; i < db->n_entries && !rc && db->options->sink; i++)
        db->options->sink(db->options->ctx, db, db->entries[i].seq, db->entries[i].entry);
    clean_batch(db);
    finish_jobs(jobs);
}

/* --- DDL ------------------------------------------------------------------------------------------------------------- */

struct schema_change { /* what a failed commit takes back */
    struct table_state *state;
    int64_t changed_us;
};

static void mark_change(struct engine_catalog *old, struct engine_catalog *catalog, struct str table, int64_t us,
                        struct schema_change *ret) {
    const struct sql_table *before = sql_catalog_find(&old->sql, table), *after = sql_catalog_find(&catalog->sql, table);
    struct table_state *s = after ? engine_table(after)->state : before ? engine_table(before)->state : NULL;
    if (!s) return;
    *ret = (struct schema_change){ s, atomic_load(&s->changed_us) };
    if (!before) atomic_store(&s->newest_us, us);
    atomic_store(&s->changed_us, us);
    atomic_store(&s->dropped, !after);
}

static enum code ddl_commit(struct engine_db *db, const struct engine_ddl *ddl, int64_t us, struct engine_catalog **ret,
                            struct schema_change *change, struct err *err) {
    bool changed = false;
    enum code rc = store_exec(db->store, "BEGIN IMMEDIATE", err);
    if (!rc) rc = ddl_apply(db, ddl, us, &changed, err);
    if (!rc) rc = clock_set(db->store, 0, us, err);
    if (!rc && changed) rc = catalog_load(db, ret, err);
    if (!rc && changed) mark_change(db->catalog, *ret, ddl->table, us, change);
    return rc ? rc : store_exec(db->store, "COMMIT", err);
}

/* What read the table before must not commit on what it has become. */
static void remember_change(struct engine_db *db, uint32_t table_id, int64_t us) {
    struct write_entry whole = { table_id, STR(""), STR("\xff") };
    ring_add(db->ring, us, &(struct write_set){ .entries = &whole, .n = 1 });
}

static enum code run_statement(struct engine_db *db, const struct engine_ddl *ddl, int64_t *ret_us, struct err *err) {
    struct engine_catalog *catalog = NULL;
    struct schema_change change = { 0 };
    int64_t us = claim_timestamp(db);
    store_forget(db->store); /* statements on the old schema */
    enum code rc = ddl_commit(db, ddl, us, &catalog, &change, err);
    if (rc) {
        rollback(db);
        if (change.state) {
            atomic_store(&change.state->changed_us, change.changed_us);
            atomic_store(&change.state->dropped, false);
        }
        if (catalog) engine_catalog_unref(&catalog->sql);
    } else if (catalog) {
        catalog_publish(db, catalog);
        if (change.state) remember_change(db, change.state->id, us);
    }
    end_batch(db, rc ? 0 : us);
    if (!rc) *ret_us = us;
    return rc;
}

static void run_ddl(struct engine_db *db, struct engine_ddl_job *d) {
    for (d->done_statements = 0; d->done_statements < d->n && !d->job.code; d->done_statements += !d->job.code) {
        int64_t us = 0;
        d->job.code = run_statement(db, &d->statements[d->done_statements], &us, &d->job.err);
        if (!d->job.code && d->ret_timestamps) d->ret_timestamps[d->done_statements] = us;
    }
    finish_jobs(&d->job);
}

/* --- the loop -------------------------------------------------------------------------------------------------------- */

/* Commits that wait, in order, up to the next DDL; or one DDL. NULL after an idle while, or when closing. */
static struct engine_job *next_batch(struct engine_db *db, bool *ret_closing) {
    struct job_queue batch = { 0 };
    pthread_mutex_lock(&db->lock);
    if (!db->writes.first && !db->closing) lock_wait_us(&db->write_wake, &db->lock, IDLE_US);
    bool ddl = db->writes.first && db->writes.first->kind == &ddl_kind;
    while (db->writes.first && batch.n < (ddl ? 1 : BATCH_MOST_JOBS) && batch.bytes < BATCH_MOST_BYTES &&
           (db->writes.first->kind == &ddl_kind) == ddl)
        queue_push(&batch, queue_pop(&db->writes));
    *ret_closing = db->closing && !batch.first;
    pthread_mutex_unlock(&db->lock);
    return batch.first;
}

/* The keeper moves most of the WAL while commits go on; the little that came meanwhile the writer moves itself, so that the
 * WAL begins anew. The keeper is asked once for each WAL_SOFT_PAGES: its fsyncs slow down the commits beside it. */
static void checkpoint(struct engine_db *db) {
    if (db->wal_pages < db->wal_asked) db->wal_asked = 0; /* it began anew */
    bool ask = db->wal_pages >= db->wal_asked + WAL_SOFT_PAGES, finish = db->wal_pages >= db->wal_asked + WAL_HARD_PAGES;
    if (ask) db->wal_asked = db->wal_pages;
    pthread_mutex_lock(&db->lock);
    finish = finish || db->checkpoint_done;
    db->checkpoint_done = false;
    if (ask) db->checkpoint_wanted = true;
    if (ask) pthread_cond_signal(&db->keeper_wake);
    pthread_mutex_unlock(&db->lock);
    if (finish) sqlite3_wal_checkpoint_v2(store_sqlite(db->store), NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

/* A failure here (a full disk) is tried again later; commits tell the user about it. */
static void chores(struct engine_db *db) {
    bool more = true, begun = store_exec(db->store, "BEGIN IMMEDIATE", NULL) == OK;
    enum code rc = begun ? outbox_flush(db, NULL) : UNAVAILABLE;
    if (!rc) rc = prune_step(db, &more, NULL);
    if (!rc) rc = store_exec(db->store, "COMMIT", NULL);
    if (rc) rollback(db);
    db->pruned_mono_us = clock_mono_us() - (rc || !more ? 0 : CHORE_US - CHORE_STEP_US);
}

void *writer_main(void *arg) {
    struct engine_db *db = arg;
    for (bool closing = false; !closing;) {
        struct engine_job *jobs = next_batch(db, &closing);
        if (jobs && jobs->kind == &ddl_kind) run_ddl(db, CONTAINER_OF(jobs, struct engine_ddl_job, job));
        else if (jobs) run_commits(db, jobs);
        checkpoint(db);
        if (closing || clock_mono_us() - db->pruned_mono_us >= CHORE_US) chores(db);
    }
    return NULL;
}
