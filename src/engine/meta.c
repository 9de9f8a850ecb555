/* The small facts of a database's file. `clock` holds times that every commit writes, so that they share one page. */
#include "engine/db.h"

static enum code read_one(sqlite3_stmt *stmt, int64_t *ret, struct err *err) {
    int rc = sqlite3_step(stmt);
    if (rc == SQLITE_ROW) *ret = sqlite3_column_int64(stmt, 0);
    enum code code = rc == SQLITE_ROW    ? OK
                     : rc == SQLITE_DONE ? err_set(err, DATA_LOSS, "a fact is missing in the database file")
                                         : store_error(sqlite3_db_handle(stmt), rc, err);
    store_done(stmt);
    return code;
}

enum code meta_get(struct store *s, const char *name, int64_t *ret, struct err *err) {
    sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(s, STR("SELECT value FROM meta WHERE name = ?1"), &stmt, err);
    if (rc) return rc;
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    return read_one(stmt, ret, err);
}

enum code meta_set(struct store *s, const char *name, int64_t value, struct err *err) {
    sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(s, STR("INSERT OR REPLACE INTO meta(name, value) VALUES(?1, ?2)"), &stmt, err);
    if (rc) return rc;
    sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(stmt, 2, value);
    return store_run(stmt, err);
}

enum code clock_get(struct store *s, uint32_t id, int64_t *ret, struct err *err) {
    sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(s, STR("SELECT us FROM clock WHERE id = ?1"), &stmt, err);
    if (rc) return rc;
    sqlite3_bind_int64(stmt, 1, id);
    return read_one(stmt, ret, err);
}

enum code clock_set(struct store *s, uint32_t id, int64_t us, struct err *err) {
    sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(s, STR("INSERT OR REPLACE INTO clock(id, us) VALUES(?1, ?2)"), &stmt, err);
    if (rc) return rc;
    sqlite3_bind_int64(stmt, 1, id);
    sqlite3_bind_int64(stmt, 2, us);
    return store_run(stmt, err);
}
