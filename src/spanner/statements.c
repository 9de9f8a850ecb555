#include "spanner/statements.h"
#include <pthread.h>
#include <stdlib.h>
#include "base/map.h"

struct statements {
    pthread_mutex_t lock;
    struct map *by_key;
    struct statement *oldest, *newest;
};

struct statement *statement_new(struct engine_db *db, struct str key) {
    struct statement *st = calloc(1, sizeof *st);
    if (!st) return NULL;
    atomic_store(&st->refs, 1);
    st->arena = arena_new(STATEMENT_MAX_BYTES);
    if (st->arena) st->key = str_dup(st->arena, key);
    if (st->key.p) st->catalog = engine_catalog(db);
    if (st->catalog) return st;
    statement_unref(st);
    return NULL;
}

void statement_unref(struct statement *st) {
    if (!st || atomic_fetch_sub(&st->refs, 1) != 1) return;
    engine_catalog_unref(st->catalog);
    arena_free(st->arena);
    free(st);
}

struct statements *statements_new(void) {
    struct statements *s = calloc(1, sizeof *s);
    if (s && !(s->by_key = map_new())) {
        free(s);
        return NULL;
    }
    if (s) (void)pthread_mutex_init(&s->lock, NULL);
    return s;
}

static void unlink_one(struct statements *s, struct statement *st) {
    *(st->older ? &st->older->newer : &s->oldest) = st->newer;
    *(st->newer ? &st->newer->older : &s->newest) = st->older;
    st->older = st->newer = NULL;
}

static void link_newest(struct statements *s, struct statement *st) {
    st->older = s->newest;
    *(s->newest ? &s->newest->newer : &s->oldest) = st;
    s->newest = st;
}

static void drop(struct statements *s, struct statement *st) {
    (void)map_remove(s->by_key, st->key);
    unlink_one(s, st);
    statement_unref(st);
}

void statements_free(struct statements *s) {
    if (!s) return;
    while (s->oldest) drop(s, s->oldest);
    map_free(s->by_key, NULL);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

struct statement *statements_find(struct statements *s, struct str key, const struct sql_catalog *catalog) {
    (void)pthread_mutex_lock(&s->lock);
    struct statement *st = map_get(s->by_key, key);
    if (st && st->catalog != catalog) {
        drop(s, st); /* of a schema that has passed */
        st = NULL;
    }
    if (st) {
        unlink_one(s, st);
        link_newest(s, st);
        atomic_fetch_add(&st->refs, 1);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return st;
}

void statements_keep(struct statements *s, struct statement *st) {
    (void)pthread_mutex_lock(&s->lock);
    struct statement *old = map_get(s->by_key, st->key);
    if (old) drop(s, old); /* two callers met it at once */
    if (map_count(s->by_key) >= STATEMENTS_MAX) drop(s, s->oldest);
    if (map_put(s->by_key, st->key, st, NULL)) {
        atomic_fetch_add(&st->refs, 1);
        link_newest(s, st);
    }
    (void)pthread_mutex_unlock(&s->lock);
}
