/* The databases of one data directory. */
#include "engine/engine.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "base/file.h"
#include "engine/db.h"

struct engine {
    struct engine_options options;
    pthread_mutex_t lock; /* guards the map; held while a database is opened or dropped */
    struct map *databases;
    char *dir;   /* <data>/spanner */
    int lock_fd; /* flock: one process a data directory */
};

static void defaults(struct engine_options *o) {
    if (!o->readers) o->readers = 4;
    if (o->readers > ENGINE_MAX_READERS) o->readers = ENGINE_MAX_READERS;
    if (!o->write_queue_bytes) o->write_queue_bytes = 256 << 20;
    if (!o->read_queue_jobs) o->read_queue_jobs = 10000;
    if (!o->ring_bytes) o->ring_bytes = 16 << 20;
    if (!o->txn_read_bytes) o->txn_read_bytes = 256 << 10;
    if (!o->retention_us) o->retention_us = INT64_C(3600) * 1000000;
    if (!o->txn_idle_us) o->txn_idle_us = INT64_C(300) * 1000000;
    if (!o->max_txns) o->max_txns = 10000;
}

static char *printz(const char *fmt, ...) PRINTF_LIKE(1, 2);
static char *printz(const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char *text = NULL;
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    return n < 0 ? NULL : text;
}

static void free_text(char **text) {
    free(*text);
}

static enum code lock_directory(struct engine *e, struct err *err) {
    DEFER(free_text) char *path = printz("%s/lock", e->dir);
    if (!path) return err_oom(err);
    e->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (e->lock_fd < 0) return err_errno(err, path);
    if (flock(e->lock_fd, LOCK_EX | LOCK_NB) == 0) return OK;
    if (errno != EWOULDBLOCK) return err_errno(err, path);
    return err_set(err, FAILED_PRECONDITION, "%s is in use by another process", e->dir);
}

enum code engine_open(const struct engine_options *options, struct engine **ret, struct err *err) {
    struct engine *e = arena_should_fail() ? NULL : calloc(1, sizeof *e);
    if (!e) return err_oom(err);
    e->options = *options;
    e->lock_fd = -1;
    defaults(&e->options);
    pthread_mutex_init(&e->lock, NULL);
    e->databases = map_new();
    e->dir = printz("%s/spanner", options->data_dir);
    enum code rc = e->databases && e->dir ? file_make_dirs(e->dir, 0700, err) : err_oom(err);
    if (!rc) rc = lock_directory(e, err);
    if (rc) {
        engine_close(e);
        return rc;
    }
    *ret = e;
    return OK;
}

static void shut_and_unref(void *db) {
    db_shut(db);
    engine_db_unref(db);
}

void engine_close(struct engine *e) {
    if (!e) return;
    map_free(e->databases, shut_and_unref);
    file_close(&e->lock_fd);
    pthread_mutex_destroy(&e->lock);
    free(e->dir);
    free(e);
}

/* --- names ----------------------------------------------------------------------------------------------------------- */

static bool id_ok(struct str id, size_t most) {
    bool ok = id.n >= 2 && id.n <= most && id.p[0] >= 'a' && id.p[0] <= 'z' && id.p[id.n - 1] != '-' &&
              id.p[id.n - 1] != '_';
    for (size_t i = 0; i < id.n && ok; i++)
        ok = (id.p[i] >= 'a' && id.p[i] <= 'z') || (id.p[i] >= '0' && id.p[i] <= '9') || id.p[i] == '-' || id.p[i] == '_';
    return ok;
}

static enum code check_ids(struct str instance, struct str database, struct err *err) {
    if (!id_ok(instance, 64))
        return err_set(err, INVALID_ARGUMENT, "Invalid instance id: %.*s", STR_ARG(str_upto(instance, 100)));
    if (!id_ok(database, 30))
        return err_set(
            err, INVALID_ARGUMENT,
            "Invalid database id: %.*s: 2 to 30 characters, a-z first, then a-z, 0-9, _ and -, not _ or - at the end",
            STR_ARG(str_upto(database, 100)));
    return OK;
}

static char *file_path(const struct engine *e, struct str instance, struct str database) {
    return printz("%s/%.*s/%.*s.sqlite", e->dir, STR_ARG(instance), STR_ARG(database));
}

static bool is_database(const char *file, struct str *ret_name) {
    struct str name = str_z(file);
    if (!str_strip_suffix(&name, STR(".sqlite")) || !id_ok(name, 30)) return false;
    *ret_name = name;
    return true;
}

static int database_files(const struct dirent *entry) {
    struct str name;
    return is_database(entry->d_name, &name);
}

enum code engine_list_databases(struct engine *e, struct str instance, engine_name_fn *each, void *ctx, struct err *err) {
    if (!id_ok(instance, 64))
        return err_set(err, INVALID_ARGUMENT, "Invalid instance id: %.*s", STR_ARG(str_upto(instance, 100)));
    DEFER(free_text) char *dir = printz("%s/%.*s", e->dir, STR_ARG(instance));
    if (!dir) return err_oom(err);
    struct dirent **entries = NULL;
    int n = scandir(dir, &entries, database_files, alphasort);
    if (n < 0) return errno == ENOENT ? OK : err_errno(err, dir);
    bool go_on = true;
    for (int i = 0; i < n; i++) {
        struct str name;
        if (go_on && is_database(entries[i]->d_name, &name)) go_on = each(ctx, name);
        free(entries[i]);
    }
    free(entries);
    return OK;
}

static bool count_one(void *ctx, struct str name) {
    (void)name;
    ++*(unsigned *)ctx;
    return true;
}

/* --- create, get, drop ----------------------------------------------------------------------------------------------- */

static enum code create_locked(struct engine *e, struct str instance, struct str database, struct err *err) {
    DEFER(free_text) char *path = file_path(e, instance, database);
    DEFER(free_text) char *dir = printz("%s/%.*s", e->dir, STR_ARG(instance));
    unsigned count = 0;
    if (!path || !dir) return err_oom(err);
    enum code rc = file_make_dirs(dir, 0700, err);
    if (!rc) rc = engine_list_databases(e, instance, count_one, &count, err);
    if (!rc && access(path, F_OK) == 0)
        return err_set(err, ALREADY_EXISTS, "Database already exists: %.*s", STR_ARG(database));
    if (!rc && count >= ENGINE_MAX_DATABASES)
        return err_set(err, RESOURCE_EXHAUSTED, "Instance %.*s has %d databases, the most that are possible",
                       STR_ARG(instance), ENGINE_MAX_DATABASES);
    if (!rc) rc = db_create_file(path, &e->options, err);
    return rc ? rc : file_sync_dir(dir, err);
}

enum code engine_create_database(struct engine *e, struct str instance, struct str database, struct err *err) {
    enum code rc = check_ids(instance, database, err);
    if (rc) return rc;
    pthread_mutex_lock(&e->lock);
    rc = create_locked(e, instance, database, err);
    pthread_mutex_unlock(&e->lock);
    return rc;
}

static enum code get_locked(struct engine *e, struct str instance, struct str database, struct engine_db **ret,
                            struct err *err) {
    DEFER(free_text) char *name = printz("%.*s/%.*s", STR_ARG(instance), STR_ARG(database));
    DEFER(free_text) char *path = file_path(e, instance, database);
    if (!name || !path) return err_oom(err);
    struct engine_db *db = map_get(e->databases, str_z(name));
    if (!db) {
        if (access(path, F_OK) != 0) return err_set(err, NOT_FOUND, "Database not found: %s", name);
        enum code rc = db_open(e, &e->options, name, path, &db, err);
        if (rc) return rc;
        if (!map_put(e->databases, str_z(name), db, NULL)) {
            shut_and_unref(db);
            return err_oom(err);
        }
    }
    atomic_fetch_add(&db->refs, 1);
    *ret = db;
    return OK;
}

enum code engine_get_database(struct engine *e, struct str instance, struct str database, struct engine_db **ret,
                              struct err *err) {
    enum code rc = check_ids(instance, database, err);
    if (rc) return rc;
    pthread_mutex_lock(&e->lock);
    rc = get_locked(e, instance, database, ret, err);
    pthread_mutex_unlock(&e->lock);
    return rc;
}

static enum code drop_locked(struct engine *e, struct str instance, struct str database, struct err *err) {
    DEFER(free_text) char *name = printz("%.*s/%.*s", STR_ARG(instance), STR_ARG(database));
    DEFER(free_text) char *path = file_path(e, instance, database);
    DEFER(free_text) char *wal = path ? printz("%s-wal", path) : NULL;
    DEFER(free_text) char *shm = path ? printz("%s-shm", path) : NULL;
    if (!name || !path || !wal || !shm) return err_oom(err);
    struct engine_db *db = map_remove(e->databases, str_z(name));
    if (db) {
        atomic_store(&db->dropped, true);
        shut_and_unref(db);
    }
    if (unlink(path) != 0)
        return errno == ENOENT ? err_set(err, NOT_FOUND, "Database not found: %s", name) : err_errno(err, path);
    unlink(wal);
    unlink(shm);
    *strrchr(path, '/') = '\0';
    return file_sync_dir(path, err);
}

enum code engine_drop_database(struct engine *e, struct str instance, struct str database, struct err *err) {
    enum code rc = check_ids(instance, database, err);
    if (rc) return rc;
    pthread_mutex_lock(&e->lock);
    rc = drop_locked(e, instance, database, err);
    pthread_mutex_unlock(&e->lock);
    return rc;
}
