#include "store/store.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One cached statement; the text is the statement's own (sqlite3_sql). */
struct cached {
    sqlite3_stmt *stmt;
    uint64_t hash, used; /* `used`: the store's tick of the latest use */
    struct str sql;
};

struct store {
    sqlite3 *db;
    uint64_t tick;
    size_t n;
    struct cached cache[STORE_MAX_STATEMENTS];
};

enum code store_error(sqlite3 *db, int sqlite_rc, struct err *err) {
    const char *text = db ? sqlite3_errmsg(db) : sqlite3_errstr(sqlite_rc);
    switch (sqlite_rc & 0xff) {
    case SQLITE_FULL: return err_set(err, RESOURCE_EXHAUSTED, "the disk is full: nothing was written");
    case SQLITE_IOERR: return err_set(err, RESOURCE_EXHAUSTED, "the disk refused: %s", text);
    case SQLITE_NOMEM: return err_oom(err);
    case SQLITE_INTERRUPT: return err_set(err, CANCELLED, "the statement was cancelled");
    case SQLITE_BUSY: return err_set(err, UNAVAILABLE, "the database file is busy: %s", text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return err_set(err, DATA_LOSS, "the database file is damaged: %s", text);
    case SQLITE_TOOBIG: return err_set(err, RESOURCE_EXHAUSTED, "a value or statement is too large: %s", text);
    default: return err_set(err, INTERNAL, "SQLite: %s", text);
    }
}

enum code store_exec(struct store *s, const char *sql, struct err *err) {
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? OK : store_error(s->db, rc, err);
}

static enum code open_flags(const char *path, enum store_mode mode, int *ret_flags, struct err *err) {
    bool there = access(path, F_OK) == 0;
    if (mode == STORE_CREATE && there) return err_set(err, ALREADY_EXISTS, "the file is already there");
    if (mode != STORE_CREATE && !there) return err_set(err, NOT_FOUND, "there is no such database file");
    *ret_flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                 (mode == STORE_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE) |
                 (mode == STORE_CREATE ? SQLITE_OPEN_CREATE : 0);
    return OK;
}

/* page_size counts only before the first page is written; journal_mode is kept in the file. */
static enum code apply_pragmas(struct store *s, enum store_mode mode, struct err *err) {
    static const char always[] = "PRAGMA busy_timeout = 10000; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
                                 "PRAGMA cache_size = -16384;";
    enum code rc = OK;
    if (mode == STORE_CREATE) rc = store_exec(s, "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL", err);
    if (!rc) rc = store_exec(s, always, err);
    if (!rc && mode != STORE_READ) rc = store_exec(s, "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0", err);
    return rc;
}

enum code store_open(const char *path, enum store_mode mode, struct store **ret, struct err *err) {
    int flags = 0;
    enum code code = open_flags(path, mode, &flags, err);
    if (code) return code;
    DEFER(store_closep) struct store *s = calloc(1, sizeof *s);
    if (!s) return err_oom(err);
    int rc = sqlite3_open_v2(path, &s->db, flags, NULL);
    if (rc != SQLITE_OK) return store_error(s->db, rc, err);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL); /* "x" is never a string */
    sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    code = apply_pragmas(s, mode, err);
    if (code) return code;
    *ret = TAKE(s);
    return OK;
}

void store_forget(struct store *s) {
    for (size_t i = 0; i < s->n; i++) sqlite3_finalize(s->cache[i].stmt);
    s->n = 0;
}

void store_close(struct store *s) {
    if (!s) return;
    store_forget(s);
    sqlite3_close_v2(s->db);
    free(s);
}

void store_closep(struct store **s) {
    store_close(*s);
}

sqlite3 *store_sqlite(struct store *s) {
    return s->db;
}

/* Eight bytes at a time; statements are told apart by their text, this only has to differ mostly. */
static uint64_t text_hash(struct str sql) {
    uint64_t hash = sql.n, word = 0;
    for (size_t i = 0; i < sql.n; i += sizeof word) {
        size_t n = sql.n - i < sizeof word ? sql.n - i : sizeof word;
        word = 0;
        memcpy(&word, sql.p + i, n);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    return hash;
}

static struct cached *find(struct store *s, struct str sql, uint64_t hash) {
    for (size_t i = 0; i < s->n; i++)
        if (s->cache[i].hash == hash && str_eq(s->cache[i].sql, sql)) return &s->cache[i];
    return NULL;
}

/* A free place, or that of the least recently used statement that is not at work. NULL when all are. */
static struct cached *make_place(struct store *s) {
    if (s->n < COUNT(s->cache)) return &s->cache[s->n++];
    struct cached *oldest = NULL;
    for (size_t i = 0; i < s->n; i++)
        if (!sqlite3_stmt_busy(s->cache[i].stmt) && (!oldest || s->cache[i].used < oldest->used)) oldest = &s->cache[i];
    if (oldest) sqlite3_finalize(oldest->stmt);
    return oldest;
}

enum code store_prepare(struct store *s, struct str sql, sqlite3_stmt **ret, struct err *err) {
    uint64_t hash = text_hash(sql);
    struct cached *c = find(s, sql, hash);
    if (!c) {
        sqlite3_stmt *stmt = NULL;
        int rc = sqlite3_prepare_v3(s->db, sql.p, (int)sql.n, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
        if (rc != SQLITE_OK) return store_error(s->db, rc, err);
        c = make_place(s);
        if (!c) {
            sqlite3_finalize(stmt);
            return err_set(err, RESOURCE_EXHAUSTED, "too many statements at once");
        }
        *c = (struct cached){ .stmt = stmt, .hash = hash, .sql = str_z(sqlite3_sql(stmt)) };
    }
    c->used = ++s->tick;
    *ret = c->stmt;
    return OK;
}

void store_done(sqlite3_stmt *stmt) {
    if (!stmt) return;
    sqlite3_reset(stmt);
    sqlite3_clear_bindings(stmt);
}

void store_donep(sqlite3_stmt **stmt) {
    store_done(*stmt);
}

enum code store_run(sqlite3_stmt *stmt, struct err *err) {
    int rc = sqlite3_step(stmt);
    while (rc == SQLITE_ROW) rc = sqlite3_step(stmt);
    enum code code = rc == SQLITE_DONE ? OK : store_error(sqlite3_db_handle(stmt), rc, err);
    store_done(stmt);
    return code;
}

enum code store_exec_kept(struct store *s, struct str sql, struct err *err) {
    sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(s, sql, &stmt, err);
    return rc ? rc : store_run(stmt, err);
}
