/* The schema in the file, and the immutable catalogs made of it. */
#include <stdlib.h>
#include "engine/db.h"

enum { CATALOG_MAX_BYTES = 64 << 20 };

static const char tables_sql[] = "SELECT id, name FROM tables ORDER BY name COLLATE NOCASE";
static const char columns_sql[] = "SELECT id, name, type, max_length, not_null, allow_commit_timestamp FROM columns"
                                  " WHERE table_id = ?1 ORDER BY ordinal";
static const char key_sql[] =
    "SELECT (SELECT count(*) FROM columns b WHERE b.table_id = k.table_id AND b.ordinal < c.ordinal),"
    " k.descending FROM key_parts k JOIN columns c ON c.id = k.column_id AND c.table_id = k.table_id"
    " WHERE k.table_id = ?1 ORDER BY k.ordinal";

struct table_state *table_state_find(struct engine_db *db, uint32_t id) {
    for (struct table_state *s = db->states; s; s = s->next)
        if (s->id == id) return s;
    return NULL;
}

static enum code state_get(struct engine_db *db, uint32_t id, struct table_state **ret, struct err *err) {
    struct table_state *s = table_state_find(db, id);
    if (!s) {
        int64_t newest = 0, changed = 0;
        enum code rc = clock_get(db->store, id, &newest, err);
        sqlite3_stmt *stmt = NULL;
        if (!rc) rc = store_prepare(db->store, STR("SELECT changed FROM tables WHERE id = ?1"), &stmt, err);
        if (rc) return rc;
        sqlite3_bind_int64(stmt, 1, id);
        if (sqlite3_step(stmt) == SQLITE_ROW) changed = sqlite3_column_int64(stmt, 0);
        store_done(stmt);
        s = arena_should_fail() ? NULL : calloc(1, sizeof *s);
        if (!s) return err_oom(err);
        s->id = id;
        atomic_store(&s->newest_us, newest);
        atomic_store(&s->changed_us, changed);
        s->prune_after.max = KEY_MAX_BYTES + 1;
        s->next = db->states;
        db->states = s;
    }
    *ret = s;
    return OK;
}

struct str catalog_text(struct arena *arena, sqlite3_stmt *stmt, int i) {
    return str_dup(arena,
                   (struct str){ (const char *)sqlite3_column_text(stmt, i), (size_t)sqlite3_column_bytes(stmt, i) });
}

static enum code load_columns(struct engine_db *db, struct arena *arena, struct sql_table *t, struct err *err) {
    sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(db->store, str_z(columns_sql), &stmt, err);
    if (rc) return rc;
    DEFER(store_donep) sqlite3_stmt *done = stmt;
    sqlite3_bind_int64(stmt, 1, t->id);
    struct sql_column *columns = NULL;
    size_t cap = 0;
    while (sqlite3_step(done) == SQLITE_ROW) {
        if (!arena_grow(arena, &columns, &cap, t->n_columns + 1u, sizeof *columns)) return err_oom(err);
        struct sql_column *c = &columns[t->n_columns++];
        *c = (struct sql_column){
            .id = (uint32_t)sqlite3_column_int64(stmt, 0),
            .name = catalog_text(arena, stmt, 1),
            .type = (enum sql_type)sqlite3_column_int(stmt, 2),
            .max_length = sqlite3_column_int64(stmt, 3),
            .not_null = sqlite3_column_int(stmt, 4) != 0,
            .allow_commit_timestamp = sqlite3_column_int(stmt, 5) != 0,
        };
        if (!c->name.p) return err_oom(err);
    }
    t->columns = columns;
    return OK;
}

static enum code load_key(struct engine_db *db, struct arena *arena, struct sql_table *t, struct err *err) {
    sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(db->store, str_z(key_sql), &stmt, err);
    if (rc) return rc;
    DEFER(store_donep) sqlite3_stmt *done = stmt;
    sqlite3_bind_int64(stmt, 1, t->id);
    struct sql_key_part *key = NULL;
    size_t cap = 0;
    while (sqlite3_step(done) == SQLITE_ROW) {
        if (!arena_grow(arena, &key, &cap, t->n_key + 1u, sizeof *key)) return err_oom(err);
        key[t->n_key++] = (struct sql_key_part){ (uint16_t)sqlite3_column_int(stmt, 0), sqlite3_column_int(stmt, 1) != 0 };
    }
    t->key = key;
    return OK;
}

static enum code load_table(struct engine_db *db, struct arena *arena, struct engine_table *t, struct err *err) {
    enum code rc = load_columns(db, arena, &t->sql, err);
    if (!rc) rc = load_key(db, arena, &t->sql, err);
    return rc ? rc : state_get(db, t->sql.id, &t->state, err);
}

/* First the names, then each table: one statement at work at a time. */
static enum code load_tables(struct engine_db *db, struct engine_catalog *c, struct err *err) {
    sqlite3_stmt *stmt = NULL;
    enum code rc = store_prepare(db->store, str_z(tables_sql), &stmt, err);
    if (rc) return rc;
    DEFER(store_donep) sqlite3_stmt *done = stmt;
    const struct sql_table **tables = NULL;
    size_t cap = 0;
    while (sqlite3_step(done) == SQLITE_ROW) {
        struct engine_table *t = ARENA_NEW(c->arena, struct engine_table);
        if (!t || !arena_grow(c->arena, &tables, &cap, c->sql.n_tables + 1, sizeof(const struct sql_table *)))
            return err_oom(err);
        t->sql.id = (uint32_t)sqlite3_column_int64(stmt, 0);
        t->sql.name = catalog_text(c->arena, stmt, 1);
        if (!t->sql.name.p) return err_oom(err);
        tables[c->sql.n_tables++] = &t->sql;
        rc = load_table(db, c->arena, t, err);
        if (rc) return rc;
    }
    c->sql.tables = tables;
    return OK;
}

enum code catalog_load(struct engine_db *db, struct engine_catalog **ret, struct err *err) {
    DEFER(arena_freep) struct arena *arena = arena_new(CATALOG_MAX_BYTES);
    struct engine_catalog *c = arena ? ARENA_NEW(arena, struct engine_catalog) : NULL;
    if (!c) return err_oom(err);
    c->arena = arena;
    atomic_init(&c->refs, 1);
    int64_t version = 0;
    enum code rc = meta_get(db->store, "version", &version, err);
    if (!rc) rc = load_tables(db, c, err);
    if (!rc) rc = roles_load(db->store, arena, &c->sql, err);
    if (rc) return rc;
    c->sql.version = (uint64_t)version;
    arena = NULL; /* it is the catalog's now */
    *ret = c;
    return OK;
}

const struct sql_catalog *engine_catalog_unref(const struct sql_catalog *catalog) {
    if (!catalog) return NULL;
    struct engine_catalog *c = CONTAINER_OF((uintptr_t)catalog, struct engine_catalog, sql);
    if (atomic_fetch_sub(&c->refs, 1) == 1) arena_free(c->arena);
    return NULL;
}

const struct sql_catalog *engine_catalog(struct engine_db *db) {
    pthread_mutex_lock(&db->lock);
    struct engine_catalog *c = db->catalog;
    atomic_fetch_add(&c->refs, 1);
    pthread_mutex_unlock(&db->lock);
    return &c->sql;
}

void catalog_publish(struct engine_db *db, struct engine_catalog *catalog) {
    pthread_mutex_lock(&db->lock);
    struct engine_catalog *old = db->catalog;
    db->catalog = catalog;
    pthread_mutex_unlock(&db->lock);
    if (old) engine_catalog_unref(&old->sql);
}
