/* Making, opening and shutting the file of one database, with its threads. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/file.h"
#include "engine/db.h"

enum { APPLICATION_ID = 0x4c4e4b53 /* "LNKS" */, SCRATCH_MAX_BYTES = 512 << 20 };

static const char format_sql[] =
    "BEGIN;"
    "CREATE TABLE meta(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE clock(id INTEGER PRIMARY KEY, us INTEGER NOT NULL);"
    "CREATE TABLE tables(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE,"
    " changed INTEGER NOT NULL);"
    "CREATE TABLE columns(id INTEGER PRIMARY KEY, table_id INTEGER NOT NULL, ordinal INTEGER NOT NULL,"
    " name TEXT NOT NULL COLLATE NOCASE, type INTEGER NOT NULL, max_length INTEGER NOT NULL,"
    " not_null INTEGER NOT NULL, allow_commit_timestamp INTEGER NOT NULL, UNIQUE(table_id, name));"
    "CREATE TABLE key_parts(table_id INTEGER NOT NULL, ordinal INTEGER NOT NULL,"
    " column_id INTEGER NOT NULL, descending INTEGER NOT NULL, PRIMARY KEY(table_id, ordinal)) WITHOUT ROWID;"
    "CREATE TABLE outbox(seq INTEGER PRIMARY KEY, entry BLOB NOT NULL);"
    "INSERT INTO meta VALUES('next_id', 2000), ('version', 1), ('pruned', 0);";

static enum code write_format(struct store *s, const struct engine_options *options, struct err *err) {
    enum code rc = store_exec(s, format_sql, err);
    int64_t now = clock_wall_us();
    if (!rc) rc = roles_make_room(s, err);
    if (!rc) rc = meta_set(s, "created", now, err);
    if (!rc) rc = clock_set(s, 0, now, err);
    DEFER(buf_free) struct buf sql = BUF_INIT(256);
    buf_printf(&sql, "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT; PRAGMA max_page_count = %u",
               APPLICATION_ID, ENGINE_FORMAT, options->max_pages_for_test ? options->max_pages_for_test : 1073741823U);
    buf_add_char(&sql, '\0');
    if (!rc) rc = buf_ok(&sql) ? store_exec(s, sql.p, err) : err_oom(err);
    return rc;
}

/* Made beside its place and renamed, so that a crash leaves no half of a database. */
enum code db_create_file(const char *path, const struct engine_options *options, struct err *err) {
    if (access(path, F_OK) == 0) return err_set(err, ALREADY_EXISTS, "Database already exists");
    DEFER(buf_free) struct buf temporary = BUF_INIT(8192);
    buf_printf(&temporary, "%s.new", path);
    buf_add_char(&temporary, '\0');
    if (!buf_ok(&temporary)) return err_oom(err);
    unlink(temporary.p);
    struct store *s = NULL;
    enum code rc = store_open(temporary.p, STORE_CREATE, &s, err);
    if (!rc) rc = write_format(s, options, err);
    store_close(s); /* the last connection: the WAL is in the file and gone */
    if (!rc && rename(temporary.p, path) != 0) rc = err_errno(err, path);
    if (rc) unlink(temporary.p);
    return rc;
}

static enum code pragma_int(struct store *s, const char *sql, int64_t *ret, struct err *err) {
    sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(s, str_z(sql), &stmt, err);
    if (rc) return rc;
    int step = sqlite3_step(stmt);
    if (step == SQLITE_ROW) *ret = sqlite3_column_int64(stmt, 0);
    else rc = store_error(store_sqlite(s), step, err);
    store_done(stmt);
    return rc;
}

static enum code check_format(struct engine_db *db, struct err *err) {
    int64_t application = 0, format = 0;
    enum code rc = pragma_int(db->store, "PRAGMA application_id", &application, err);
    if (!rc) rc = pragma_int(db->store, "PRAGMA user_version", &format, err);
    if (rc) return rc;
    if (application != APPLICATION_ID)
        return err_set(err, FAILED_PRECONDITION, "%s is a database of another program", db->path);
    if (format > ENGINE_FORMAT)
        return err_set(err, FAILED_PRECONDITION,
                       "%s was written by a newer version: its format is %lld, this program reads up to %d", db->path,
                       (long long)format, ENGINE_FORMAT);
    return OK;
}

static int note_wal(void *arg, sqlite3 *sqlite, const char *name, int pages) {
    (void)sqlite;
    (void)name;
    ((struct engine_db *)arg)->wal_pages = (size_t)pages;
    return SQLITE_OK;
}

static enum code limit_pages(struct engine_db *db, struct err *err) {
    if (!db->options->max_pages_for_test) return OK;
    DEFER(buf_free) struct buf sql = BUF_INIT(64);
    buf_printf(&sql, "PRAGMA max_page_count = %u", db->options->max_pages_for_test);
    int64_t pages = 0;
    buf_add_char(&sql, '\0');
    return buf_ok(&sql) ? pragma_int(db->store, sql.p, &pages, err) : err_oom(err);
}

static enum code recover(struct engine_db *db, struct err *err) {
    int64_t pruned = 0;
    enum code rc = store_open(db->path, STORE_WRITE, &db->store, err);
    if (!rc) rc = check_format(db, err);
    if (!rc) rc = limit_pages(db, err);
    if (!rc) rc = roles_make_room(db->store, err);
    if (!rc) rc = meta_get(db->store, "created", &db->created_us, err);
    if (!rc) rc = meta_get(db->store, "pruned", &pruned, err);
    if (!rc) rc = clock_get(db->store, 0, &db->last_us, err);
    if (!rc) rc = catalog_load(db, &db->catalog, err);
    if (rc) return rc;
    atomic_store(&db->pruned_us, pruned);
    clock_floor(db->last_us);       /* a clock that was set back gives no timestamp twice */
    db->floor_us = clock_wall_us(); /* reads that a process before this one served */
    db->ring = ring_new(db->options->ring_bytes, db->last_us);
    db->scratch = arena_new(SCRATCH_MAX_BYTES);
    if (!db->ring || !db->scratch) return err_oom(err);
    sqlite3_wal_hook(store_sqlite(db->store), note_wal, db);
    return outbox_replay(db, err);
}

static enum code start_threads(struct engine_db *db, struct err *err) {
    bool ok = db->writer_runs = pthread_create(&db->writer, NULL, writer_main, db) == 0;
    if (ok) ok = db->keeper_runs = pthread_create(&db->keeper, NULL, keeper_main, db) == 0;
    while (ok && db->n_readers < db->options->readers) {
        ok = pthread_create(&db->readers[db->n_readers], NULL, reader_main, db) == 0;
        db->n_readers += ok;
    }
    return ok ? OK : err_set(err, RESOURCE_EXHAUSTED, "no more threads for database %s", db->name);
}

static void init_locks(struct engine_db *db) {
    pthread_mutex_init(&db->lock, NULL);
    pthread_cond_t *conds[] = { &db->write_wake, &db->read_wake, &db->batch_done, &db->keeper_wake };
    pthread_condattr_t monotonic; /* waits do not notice when the wall clock is set */
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    for (size_t i = 0; i < COUNT(conds); i++) pthread_cond_init(conds[i], &monotonic);
    pthread_condattr_destroy(&monotonic);
}

enum code db_open(struct engine *engine, const struct engine_options *options, const char *name, const char *path,
                  struct engine_db **ret, struct err *err) {
    struct engine_db *db = arena_should_fail() ? NULL : calloc(1, sizeof *db);
    if (!db) return err_oom(err);
    db->engine = engine;
    db->options = options;
    atomic_init(&db->refs, 1);
    init_locks(db);
    bool ok = txns_init(&db->txns);
    db->name = strdup(name);
    db->path = strdup(path);
    enum code rc = ok && db->name && db->path ? recover(db, err) : err_oom(err);
    if (!rc) rc = start_threads(db, err);
    if (rc) {
        db_shut(db);
        engine_db_unref(db);
        return rc;
    }
    *ret = db;
    return OK;
}

static void join_all(struct engine_db *db) {
    if (db->writer_runs) pthread_join(db->writer, NULL);
    for (unsigned i = 0; i < db->n_readers; i++) pthread_join(db->readers[i], NULL);
    if (db->keeper_runs) pthread_join(db->keeper, NULL);
    db->writer_runs = db->keeper_runs = false;
    db->n_readers = 0;
}

void db_shut(struct engine_db *db) {
    pthread_mutex_lock(&db->lock);
    db->closing = true;
    pthread_cond_broadcast(&db->write_wake);
    pthread_cond_broadcast(&db->read_wake);
    pthread_cond_broadcast(&db->keeper_wake);
    pthread_mutex_unlock(&db->lock);
    join_all(db);
    store_close(db->store);
    db->store = NULL;
}

struct engine_db *engine_db_ref(struct engine_db *db) {
    atomic_fetch_add(&db->refs, 1);
    return db;
}

struct engine_db *engine_db_unref(struct engine_db *db) {
    if (!db || atomic_fetch_sub(&db->refs, 1) != 1) return NULL;
    if (db->catalog) engine_catalog_unref(&db->catalog->sql);
    while (db->states) {
        struct table_state *s = db->states;
        db->states = s->next;
        buf_free(&s->prune_after);
        free(s);
    }
    ring_free(db->ring);
    arena_free(db->scratch);
    txns_free(&db->txns);
    pthread_cond_t *conds[] = { &db->write_wake, &db->read_wake, &db->batch_done, &db->keeper_wake };
    for (size_t i = 0; i < COUNT(conds); i++) pthread_cond_destroy(conds[i]);
    pthread_mutex_destroy(&db->lock);
    free(db->name);
    free(db->path);
    free(db);
    return NULL;
}

struct str engine_db_name(const struct engine_db *db) {
    return str_z(db->name);
}
int64_t engine_db_create_time(const struct engine_db *db) {
    return db->created_us;
}
