#include "engine/reader.h"

#include <inttypes.h>
#include <string.h>
#include "base/clock.h"

enum { PROGRESS_OPS = 1000 };

/* --- limits of what runs --------------------------------------------------------------------------------------------- */

static int progress(void *arg) {
    struct reader *r = arg;
    if (!r->when) return 0;
    if (atomic_load_explicit(&r->db->dropped, memory_order_relaxed)) return 1;
    if (r->when->cancel && atomic_load_explicit(r->when->cancel, memory_order_relaxed)) return 1;
    r->stopped_by_deadline = r->when->deadline_mono_us && clock_mono_us() > r->when->deadline_mono_us;
    return r->stopped_by_deadline;
}

static bool is_internal(const char *table) {
    static const char *const names[] = { "meta", "clock", "tables", "columns", "key_parts", "outbox" };
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_eq_nocase(str_z(table), str_z(names[i]))) return true;
    return sqlite3_strnicmp(table, "sqlite_", 7) == 0 || sqlite3_strnicmp(table, "pragma_", 7) == 0;
}

/* t<id>, h<id>, and SQLite's JSON tables for arrays of parameters. A name without a column may be a WITH clause's. */
static bool may_read(const char *table, const char *column) {
    if (!table) return false;
    if (column && !*column) return !is_internal(table);
    if (strcmp(table, "json_each") == 0 || strcmp(table, "json_tree") == 0) return true;
    return (table[0] == 't' || table[0] == 'h') && table[1] && strspn(table + 1, "0123456789") == strlen(table + 1);
}

static int authorize(void *arg, int action, const char *a, const char *b, const char *database, const char *trigger) {
    (void)database;
    (void)trigger;
    if (!((struct reader *)arg)->untrusted) return SQLITE_OK;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE: return SQLITE_OK;
    case SQLITE_READ: return may_read(a, b) ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_FUNCTION: return b && strcmp(b, "load_extension") == 0 ? SQLITE_DENY : SQLITE_OK;
    default: return SQLITE_DENY;
    }
}

enum code reader_error(struct reader *r, int sqlite_rc, struct err *err) {
    bool stopped = (sqlite_rc & 0xff) == SQLITE_INTERRUPT;
    if (stopped && atomic_load(&r->db->dropped)) return err_set(err, NOT_FOUND, "Database not found: %s", r->db->name);
    if (stopped && r->stopped_by_deadline) return err_set(err, DEADLINE_EXCEEDED, "The deadline passed while reading.");
    return store_error(store_sqlite(r->store), sqlite_rc, err);
}

/* --- the connection --------------------------------------------------------------------------------------------------- */

static enum code connect(struct reader *r, struct err *err) {
    DEFER(store_closep) struct store *store = NULL;
    enum code rc = store_open(r->db->path, STORE_READ, &store, err);
    if (rc) return rc;
    sqlite3 *sqlite = store_sqlite(store);
    sqlite3_limit(sqlite, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_progress_handler(sqlite, PROGRESS_OPS, progress, r);
    int sql = key_register(sqlite);
    if (sql == SQLITE_OK && r->db->options->setup) sql = r->db->options->setup(r->db->options->ctx, sqlite);
    if (sql == SQLITE_OK) sql = sqlite3_set_authorizer(sqlite, authorize, r);
    if (sql != SQLITE_OK) return store_error(sqlite, sql, err);
    r->store = TAKE(store);
    return OK;
}

/* An interrupted BEGIN leaves a transaction open behind itself, and every job after it would fail: neither BEGIN nor
 * ROLLBACK may be stopped, and a connection that still does not leave its transaction goes. */
static void let_go(struct reader *r) {
    if (r->held.open && store_exec_kept(r->store, STR("ROLLBACK"), NULL) != OK) {
        store_close(r->store);
        r->store = NULL;
    }
    r->held = (struct held){ 0 };
}

/* --- snapshots ------------------------------------------------------------------------------------------------------- */

enum code when_check(const struct engine_when *when, int64_t *ret_due_us, struct err *err) {
    *ret_due_us = 0;
    if (when->has_txn || !when->at) return OK;
    int64_t ahead = when->timestamp_us - clock_wall_us();
    if (ahead > ENGINE_FUTURE_US)
        return err_set(err, DEADLINE_EXCEEDED, "The read timestamp is more than an hour in the future.");
    if (ahead > 0) *ret_due_us = when->timestamp_us;
    return OK;
}

/* After this nothing commits at or before at_us any more, and what did is durable. False: the database closes. */
static bool settle_past(struct engine_db *db, int64_t at_us) {
    pthread_mutex_lock(&db->lock);
    if (db->floor_us < at_us) db->floor_us = at_us;
    while (db->pending_us && db->pending_us <= at_us) pthread_cond_wait(&db->batch_done, &db->lock);
    bool early = at_us > clock_wall_us(); /* handed out because the database closes */
    pthread_mutex_unlock(&db->lock);
    return !early;
}

static enum code choose_time(struct reader *r, struct engine_snapshot *s, struct err *err) {
    s->at_us = s->when->timestamp_us;
    if (!s->when->has_txn) return OK;
    enum code rc = txn_read_begin(r->db, s->when, &s->at_us, err);
    s->txn = !rc;
    return rc;
}

/* The held snapshot serves a read that was posted before it was taken (all that was acknowledged by then is in it), and at
 * a time that nothing can commit at any more: so one snapshot serves all that wait, and no stream of reads keeps it. */
static bool is_held_for(const struct reader *r, const struct engine_job *job, const struct engine_snapshot *s) {
    return r->held.open && job->number <= r->held.posted && (s->live || s->at_us <= r->held.at_us);
}

/* Takes SQLite's state as it is. All that committed up to `before` is in it, nothing behind its last commit is: so it is
 * the state at the later of the two, for ever. */
static enum code take_hold(struct reader *r, struct err *err) {
    let_go(r);
    enum code rc = r->store ? OK : connect(r, err);
    int64_t before = db_strong_timestamp(r->db, &r->held.posted);
    if (!rc) rc = store_exec_kept(r->store, STR("BEGIN"), err);
    r->held.open = !rc;
    if (!rc) rc = clock_get(r->store, 0, &r->held.seen_us, err); /* takes the snapshot */
    r->held.at_us = before > r->held.seen_us ? before : r->held.seen_us;
    return rc;
}

enum code snapshot_open(struct reader *r, struct engine_job *job, struct engine_when *when, struct engine_snapshot *ret) {
    struct err *err = &job->err;
    *ret = (struct engine_snapshot){ .db = r->db, .reader = r, .when = when, .live = !when->at && !when->has_txn };
    enum code rc = ret->live ? OK : choose_time(r, ret, err);
    bool held = is_held_for(r, job, ret);
    if (!rc && !held && !ret->live && !settle_past(r->db, ret->at_us)) rc = err_set(err, CANCELLED, "the database closes");
    if (!rc && !held) rc = take_hold(r, err);
    if (rc) return rc;
    ret->seen_us = r->held.seen_us;
    if (ret->live) ret->at_us = r->held.at_us;
    else rc = db_check_age(r->db, ret->at_us, err);
    if (rc && ret->txn) rc = err_set(err, ABORTED, "Transaction was aborted: it is too old.");
    when->ret_timestamp_us = ret->at_us;
    r->when = when; /* from here on the caller's end may stop it */
    return rc;
}

void snapshot_close(struct reader *r, struct engine_snapshot *s) {
    r->when = NULL;
    if (s->txn) txn_read_end(r->db, s->when);
    s->txn = false;
}

enum code snapshot_history(const struct engine_snapshot *s, const struct sql_table *table, bool *ret, struct err *err) {
    const struct table_state *state = engine_table(table)->state;
    if (atomic_load(&state->dropped) && !s->live)
        return err_set(err, FAILED_PRECONDITION, "Table %.*s was dropped.", STR_ARG(table->name));
    *ret = !s->live && atomic_load(&state->newest_us) > s->at_us;
    if (s->live || atomic_load(&state->changed_us) <= s->at_us) return OK;
    if (s->txn)
        return err_set(err, ABORTED, "Transaction was aborted: the schema of table %.*s changed.", STR_ARG(table->name));
    return err_set(err, FAILED_PRECONDITION, "The schema of table %.*s changed after the read timestamp.",
                   STR_ARG(table->name));
}

int64_t engine_snapshot_timestamp(const struct engine_snapshot *snapshot) {
    return snapshot->at_us;
}

int64_t engine_snapshot_seen(const struct engine_snapshot *snapshot) {
    return snapshot->seen_us;
}

void snapshot_put_columns(const struct sql_table *t, struct buf *out) {
    buf_add_z(out, "key, ts");
    for (uint16_t i = 0; i < t->n_columns; i++) buf_add_numbered(out, ", c", t->columns[i].id);
}

void snapshot_put_source(const struct engine_snapshot *s, const struct sql_table *table, bool history, struct buf *out) {
    if (!history) {
        buf_add_numbered(out, "t", table->id);
        return;
    }
    buf_add_z(out, "(SELECT ");
    snapshot_put_columns(table, out);
    buf_printf(out, " FROM t%" PRIu32 " WHERE ts <= %" PRId64 " UNION ALL SELECT ", table->id, s->at_us);
    snapshot_put_columns(table, out);
    buf_printf(out, " FROM h%" PRIu32 " WHERE until > %" PRId64 " AND ts <= %" PRId64 ")", table->id, s->at_us, s->at_us);
}

void snapshot_remember(const struct engine_snapshot *s, const struct sql_table *table, const struct key_set *read) {
    if (s->txn) txn_read_add(s->db, s->when, table->id, read ? read->ranges : NULL, read ? read->n : 0, !read);
}

enum code engine_snapshot_table(struct engine_snapshot *s, const struct sql_table *table, const struct key_set *read,
                                struct buf *out, bool *ret_history, struct err *err) {
    enum code rc = snapshot_history(s, table, ret_history, err);
    if (rc) return rc;
    snapshot_remember(s, table, read);
    snapshot_put_source(s, table, *ret_history, out);
    return OK;
}

/* --- the thread ------------------------------------------------------------------------------------------------------ */

/* What fails gives up its snapshot: who knows in what state SQLite left it. */
void *reader_main(void *arg) {
    struct reader r = { .db = arg };
    for (;;) {
        struct engine_job *job = queue_next_read(r.db, !r.held.open);
        if (!job && !r.held.open) break;
        r.stopped_by_deadline = false;
        if (job) job->kind->run(job, &r);
        if (!job || job->code || r.held.used_up) let_go(&r);
        if (job) job->kind->done(job);
    }
    store_close(r.store);
    return NULL;
}
