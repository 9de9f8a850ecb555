#include "spanner/session.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/map.h"
#include "crypto/random.h"

enum { MAX_SESSIONS = 1000000, SWEEP_EVERY = 1000 };
static const int64_t IDLE_US = INT64_C(3600) * 1000000;
static const int64_t MULTIPLEXED_US = INT64_C(28) * 24 * 3600 * 1000000; /* the client makes a new one every 7 days */

struct entry {
    struct session session;
    size_t owner_n;
    char owner[];
};

struct sessions {
    pthread_mutex_t lock;
    struct map *by_name;
    unsigned since_sweep;
};

struct sessions *sessions_new(void) {
    struct sessions *s = calloc(1, sizeof *s);
    if (s && !(s->by_name = map_new())) {
        free(s);
        return NULL;
    }
    if (s) (void)pthread_mutex_init(&s->lock, NULL);
    return s;
}

void sessions_free(struct sessions *s) {
    if (!s) return;
    map_free(s->by_name, free);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

static bool is_stale(const struct entry *e, int64_t now_us) {
    return e->session.multiplexed ? now_us - e->session.created_us > MULTIPLEXED_US : now_us - e->session.used_us > IDLE_US;
}

static void sweep(struct sessions *s, int64_t now_us) {
    size_t at = 0;
    struct str name;
    void *value;
    if (++s->since_sweep < SWEEP_EVERY) return;
    s->since_sweep = 0;
    while (map_next(s->by_name, &at, &name, &value))
        if (is_stale(value, now_us)) free(map_remove(s->by_name, name));
}

static struct entry *entry_new(struct str owner, struct session session) {
    struct entry *e = malloc(sizeof *e + owner.n);
    if (!e) return NULL;
    e->session = session;
    e->owner_n = owner.n;
    if (owner.n) memcpy(e->owner, owner.p, owner.n);
    return e;
}

enum code session_create(struct sessions *s, struct str database, struct str owner, bool multiplexed, uint32_t role,
                         struct arena *arena, struct str *ret_name, struct session *ret, struct err *err) {
    DEFER(buf_free) struct buf id = BUF_INIT(64);
    random_text(&id, 16);
    struct str name = arena_printf(arena, "%.*s/sessions/%.*s", STR_ARG(database), STR_ARG(buf_str(&id)));
    int64_t now_us = clock_wall_us();
    struct session session = { .created_us = now_us, .used_us = now_us, .role = role, .multiplexed = multiplexed };
    struct entry *e = entry_new(owner, session);
    if (!name.p || !e) {
        free(e);
        return err_oom(err);
    }
    (void)pthread_mutex_lock(&s->lock);
    sweep(s, now_us);
    bool full = map_count(s->by_name) >= MAX_SESSIONS;
    bool put = !full && map_put(s->by_name, name, e, NULL);
    (void)pthread_mutex_unlock(&s->lock);
    if (!put) {
        free(e);
        return full ? err_set(err, RESOURCE_EXHAUSTED, "too many sessions: close those that are not used") : err_oom(err);
    }
    *ret_name = name;
    *ret = session;
    return OK;
}

static bool owned(const struct entry *e, struct str owner) {
    return str_eq_secret((struct str){ e->owner, e->owner_n }, owner);
}

bool session_use(struct sessions *s, struct str name, struct str owner, struct session *ret) {
    int64_t now_us = clock_wall_us();
    (void)pthread_mutex_lock(&s->lock);
    struct entry *e = map_get(s->by_name, name);
    bool found = e && owned(e, owner) && !is_stale(e, now_us);
    if (found) {
        e->session.used_us = now_us;
        *ret = e->session;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return found;
}

void session_begins(struct sessions *s, struct str name, struct str owner, const uint8_t txn[ENGINE_TXN_ID_BYTES]) {
    (void)pthread_mutex_lock(&s->lock);
    struct entry *e = map_get(s->by_name, name);
    if (e && owned(e, owner) && !e->session.multiplexed) {
        e->session.has_txn = true;
        memcpy(e->session.txn, txn, ENGINE_TXN_ID_BYTES);
    }
    (void)pthread_mutex_unlock(&s->lock);
}

bool session_delete(struct sessions *s, struct str name, struct str owner) {
    (void)pthread_mutex_lock(&s->lock);
    struct entry *e = map_get(s->by_name, name);
    bool found = e && owned(e, owner);
    if (found) free(map_remove(s->by_name, name));
    (void)pthread_mutex_unlock(&s->lock);
    return found;
}

void session_each(struct sessions *s, struct str database, struct str owner,
                  bool (*fn)(void *ctx, struct str name, const struct session *session), void *ctx) {
    size_t at = 0;
    struct str name;
    void *value;
    (void)pthread_mutex_lock(&s->lock);
    while (map_next(s->by_name, &at, &name, &value)) {
        const struct entry *e = value;
        bool here = str_starts(name, database) && str_starts(str_from(name, database.n), STR("/sessions/"));
        if (here && owned(e, owner) && !e->session.multiplexed && !fn(ctx, name, &e->session)) break;
    }
    (void)pthread_mutex_unlock(&s->lock);
}
