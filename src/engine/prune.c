/* Versions of rows that ended before the retention go, in small steps, by a walk over each history. No index on `until` is
 * needed: a walk remembers the oldest it saw, and the next begins when that one is due. */
#include <inttypes.h>
#include "base/clock.h"
#include "engine/db.h"

enum { STEP_ROWS = 2000 };

static enum code one_row(struct engine_db *db, struct buf *sql, const struct table_state *s, struct str hi, int64_t horizon,
                         sqlite3_stmt **ret, int *ret_step, struct err *err) {
    enum code rc = buf_ok(sql) ? store_prepare(db->store, buf_str(sql), ret, err) : err_oom(err);
    if (rc) return rc;
    int n = sqlite3_bind_parameter_count(*ret);
    sqlite3_bind_blob64(*ret, 1, s->prune_after.n ? s->prune_after.p : "", s->prune_after.n, SQLITE_STATIC);
    if (n >= 2) sqlite3_bind_blob64(*ret, 2, hi.n ? hi.p : "", hi.n, SQLITE_STATIC);
    if (n >= 3) sqlite3_bind_int64(*ret, 3, horizon);
    *ret_step = sqlite3_step(*ret);
    return *ret_step == SQLITE_ROW || *ret_step == SQLITE_DONE ? OK : store_error(store_sqlite(db->store), *ret_step, err);
}

/* The last key of this step; "\xff" behind the last row. */
static enum code find_end(struct engine_db *db, const struct table_state *s, struct buf *ret_end, struct err *err) {
    DEFER(buf_free) struct buf sql = BUF_INIT(256);
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    buf_printf(&sql, "SELECT key FROM h%" PRIu32 " WHERE key >= ?1 ORDER BY key LIMIT 1 OFFSET %d", s->id, STEP_ROWS);
    int step = 0;
    enum code rc = one_row(db, &sql, s, (struct str){ 0 }, 0, &stmt, &step, err);
    if (rc) return rc;
    if (step == SQLITE_ROW) buf_add(ret_end, sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0));
    else buf_add_char(ret_end, '\xff');
    if (str_eq(buf_str(ret_end), buf_str(&s->prune_after))) buf_add_char(ret_end, '\0'); /* a key of very many versions */
    return buf_ok(ret_end) ? OK : err_oom(err);
}

static enum code delete_old(struct engine_db *db, const struct table_state *s, struct str end, int64_t horizon,
                            struct err *err) {
    DEFER(buf_free) struct buf sql = BUF_INIT(256);
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    int step = 0;
    buf_printf(&sql, "DELETE FROM h%" PRIu32 " WHERE key >= ?1 AND key <= ?2 AND until <= ?3", s->id);
    return one_row(db, &sql, s, end, horizon, &stmt, &step, err);
}

static enum code note_oldest(struct engine_db *db, struct table_state *s, struct str end, struct err *err) {
    DEFER(buf_free) struct buf sql = BUF_INIT(256);
    DEFER(store_donep) sqlite3_stmt *stmt = NULL;
    int step = 0;
    buf_printf(&sql, "SELECT min(until) FROM h%" PRIu32 " WHERE key >= ?1 AND key <= ?2", s->id);
    enum code rc = one_row(db, &sql, s, end, 0, &stmt, &step, err);
    if (rc || step != SQLITE_ROW || sqlite3_column_type(stmt, 0) == SQLITE_NULL) return rc;
    int64_t oldest = sqlite3_column_int64(stmt, 0);
    if (oldest < s->prune_oldest) s->prune_oldest = oldest;
    return OK;
}

static enum code walk_on(struct engine_db *db, struct table_state *s, int64_t horizon, struct err *err) {
    DEFER(buf_free) struct buf end = BUF_INIT(KEY_MAX_BYTES + 1);
    if (!s->pruning) { /* from the start; writes from now on end later than what this walk will note */
        s->pruning = true;
        s->prune_oldest = clock_wall_us();
        buf_clear(&s->prune_after);
    }
    enum code rc = find_end(db, s, &end, err);
    if (!rc) rc = delete_old(db, s, buf_str(&end), horizon, err);
    if (!rc) rc = note_oldest(db, s, buf_str(&end), err);
    if (rc) return rc;
    buf_clear(&s->prune_after);
    buf_add_str(&s->prune_after, buf_str(&end));
    if (!buf_ok(&s->prune_after)) s->prune_after.n = 0; /* short of memory: the walk starts again */
    if (str_eq(buf_str(&end), STR("\xff"))) {
        s->pruning = false;
        s->oldest_until = s->prune_oldest;
    }
    return OK;
}

static bool is_live(const struct engine_db *db, uint32_t id) {
    for (size_t i = 0; i < db->catalog->sql.n_tables; i++)
        if (db->catalog->sql.tables[i]->id == id) return true;
    return false;
}

enum code prune_step(struct engine_db *db, bool *ret_more, struct err *err) {
    int64_t horizon = clock_wall_us() - db->options->retention_us;
    *ret_more = false;
    for (struct table_state *s = db->states; s; s = s->next) {
        if (atomic_load(&s->dropped) || !is_live(db, s->id) || (!s->pruning && s->oldest_until > horizon)) continue;
        *ret_more = true;
        if (atomic_load(&db->pruned_us) < horizon) atomic_store(&db->pruned_us, horizon); /* before the SQLite commit */
        enum code rc = meta_set(db->store, "pruned", horizon, err);
        return rc ? rc : walk_on(db, s, horizon, err);
    }
    return OK;
}
