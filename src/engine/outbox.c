/* Audit entries that are durable with their commit and not yet in the audit log. seq is the commit timestamp: unique,
 * growing. */
#include <string.h>
#include "engine/db.h"

enum { FLUSH_MOST = 512, REPLAY_MAX_BYTES = 2 << 20 };

enum code outbox_add(struct engine_db *db, int64_t seq, struct str entry, struct err *err) {
    sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(db->store, STR("INSERT INTO outbox(seq, entry) VALUES(?1, ?2)"), &stmt, err);
    if (rc) return rc;
    sqlite3_bind_int64(stmt, 1, seq);
    sqlite3_bind_blob64(stmt, 2, entry.p, entry.n, SQLITE_STATIC);
    return store_run(stmt, err);
}

void engine_outbox_done(struct engine_db *db, int64_t seq) {
    pthread_mutex_lock(&db->lock);
    if (db->n_outbox_done < COUNT(db->outbox_done))
        db->outbox_done[db->n_outbox_done++] = seq; /* else it comes again after a restart */
    pthread_mutex_unlock(&db->lock);
}

static size_t take_done(struct engine_db *db, int64_t seqs[FLUSH_MOST]) {
    pthread_mutex_lock(&db->lock);
    size_t n = db->n_outbox_done < FLUSH_MOST ? db->n_outbox_done : FLUSH_MOST;
    memcpy(seqs, db->outbox_done, n * sizeof *seqs);
    db->n_outbox_done -= n;
    memmove(db->outbox_done, db->outbox_done + n, db->n_outbox_done * sizeof *seqs);
    pthread_mutex_unlock(&db->lock);
    return n;
}

static enum code delete_run(struct engine_db *db, int64_t first, int64_t last, struct err *err) {
    sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(db->store, STR("DELETE FROM outbox WHERE seq BETWEEN ?1 AND ?2"), &stmt, err);
    if (rc) return rc;
    sqlite3_bind_int64(stmt, 1, first);
    sqlite3_bind_int64(stmt, 2, last);
    return store_run(stmt, err);
}

/* The commits of a batch have timestamps that follow one another, and are done in that order: so there are few runs, and
 * nothing between the ends of a run that is not done. */
enum code outbox_flush(struct engine_db *db, struct err *err) {
    int64_t seqs[FLUSH_MOST];
    size_t n = take_done(db, seqs);
    enum code rc = OK;
    for (size_t i = 0, end; i < n && !rc; i = end) {
        for (end = i + 1; end < n && seqs[end] == seqs[end - 1] + 1;) end++;
        rc = delete_run(db, seqs[i], seqs[end - 1], err);
    }
    return rc;
}

enum code outbox_replay(struct engine_db *db, struct err *err) {
    if (!db->options->sink) return OK;
    sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(db->store, STR("SELECT seq, entry FROM outbox ORDER BY seq"), &stmt, err);
    if (rc) return rc;
    int step = sqlite3_step(stmt);
    for (; step == SQLITE_ROW; step = sqlite3_step(stmt)) {
        struct str entry = { sqlite3_column_blob(stmt, 1), (size_t)sqlite3_column_bytes(stmt, 1) };
        db->options->sink(db->options->ctx, db, sqlite3_column_int64(stmt, 0), entry);
    }
    if (step != SQLITE_DONE) rc = store_error(store_sqlite(db->store), step, err);
    store_done(stmt);
    return rc;
}
