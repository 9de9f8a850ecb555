#include "spanner/session.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/map.h"
#include "crypto/random.h"
#include "crypto/seal.h"

enum { MAX_SESSIONS = 1000000, SWEEP_EVERY = 1000 };
static const int64_t IDLE_US = INT64_C(3600) * 1000000;
static const int64_t MULTIPLEXED_US = INT64_C(28) * 24 * 3600 * 1000000; /* the client makes a new one every 7 days */

struct entry {
    struct session session;
    size_t owner_n;
    char owner[];
};

struct sessions {
    const struct sealer *sealer;
    pthread_mutex_t lock;
    struct map *by_name;
    unsigned since_sweep;
};

struct sessions *sessions_new(const struct sealer *sealer) {
    struct sessions *s = calloc(1, sizeof *s);
    if (s && !(s->by_name = map_new())) {
        free(s);
        return NULL;
    }
    if (!s) return NULL;
    s->sealer = sealer;
    (void)pthread_mutex_init(&s->lock, NULL);
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

static enum code put(struct sessions *s, struct str name, struct str owner, struct session session, struct err *err) {
    struct entry *e = entry_new(owner, session);
    void *old = NULL;
    if (!e) return err_oom(err);
    (void)pthread_mutex_lock(&s->lock);
    sweep(s, session.used_us);
    bool full = map_count(s->by_name) >= MAX_SESSIONS;
    bool put = !full && map_put(s->by_name, name, e, &old);
    (void)pthread_mutex_unlock(&s->lock);
    free(put ? old : e);
    if (put) return OK;
    return full ? err_set(err, RESOURCE_EXHAUSTED, "too many sessions: close those that are not used") : err_oom(err);
}

/* ---- what a multiplexed session's name holds ---- */

enum { SEALED_BYTES = sizeof(int64_t) + sizeof(uint32_t) }; /* when it was made, its role */

static struct str context_of(struct arena *arena, struct str database, struct str owner, int64_t database_us) {
    return arena_printf(arena, "session|%lld|%.*s|%.*s", (long long)database_us, STR_ARG(database), STR_ARG(owner));
}

static enum code seal_id(const struct sessions *s, struct str database, struct str owner, const struct session *session,
                         struct arena *arena, struct buf *id, struct err *err) {
    char plain[SEALED_BYTES];
    struct str context = context_of(arena, database, owner, session->database_us);
    if (!context.p) return err_oom(err);
    memcpy(plain, &session->created_us, sizeof session->created_us);
    memcpy(plain + sizeof session->created_us, &session->role, sizeof session->role);
    return seal(s->sealer, (struct str){ plain, sizeof plain }, context, id, err);
}

static bool unseal_name(const struct sessions *s, struct str name, struct str owner, int64_t database_us,
                        struct arena *arena, struct session *ret) {
    struct str database = { name.p, 0 }, plain;
    struct err err;
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] == '/') database.n = i;
    struct str id = str_from(name, database.n + 1);
    if (!str_ends(database, STR("/sessions"))) return false;
    struct str context = context_of(arena, str_upto(database, database.n - STR("/sessions").n), owner, database_us);
    if (!context.p || unseal(s->sealer, id, context, arena, &plain, &err) || plain.n != SEALED_BYTES) return false;
    *ret = (struct session){ .used_us = clock_wall_us(), .database_us = database_us, .multiplexed = true };
    memcpy(&ret->created_us, plain.p, sizeof ret->created_us);
    memcpy(&ret->role, plain.p + sizeof ret->created_us, sizeof ret->role);
    return true;
}

bool session_revive(struct sessions *s, struct str name, struct str owner, int64_t database_us, struct arena *arena,
                    struct session *ret) {
    struct err err;
    if (!unseal_name(s, name, owner, database_us, arena, ret)) return false;
    if (ret->used_us - ret->created_us > MULTIPLEXED_US) return false;
    (void)put(s, name, owner, *ret, &err); /* where there is no room, the next call opens its name again */
    return true;
}

enum code session_create(struct sessions *s, struct str database, struct str owner, struct session wanted,
                         struct arena *arena, struct str *ret_name, struct session *ret, struct err *err) {
    DEFER(buf_free) struct buf id = BUF_INIT(256);
    int64_t now_us = clock_wall_us();
    struct session session = wanted;
    session.created_us = session.used_us = now_us;
    enum code rc = wanted.multiplexed ? seal_id(s, database, owner, &session, arena, &id, err) : OK;
    if (!wanted.multiplexed) random_text(&id, 16);
    struct str name = arena_printf(arena, "%.*s/sessions/%.*s", STR_ARG(database), STR_ARG(buf_str(&id)));
    if (!rc) rc = name.p ? put(s, name, owner, session, err) : err_oom(err);
    if (rc) return rc;
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
    bool found = e && owned(e, owner) && !e->session.multiplexed;
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
