/* far_schema.c: which schemas are known, who waits for one, and when the upstream is asked. */
#include "spanner/far_schema.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/map.h"

enum {
    SECOND = 1000000,
    USABLE_AGES = 10,
    MAX_READING = 32,
    MAX_WAITING = 10000,
    DATABASES_DEFAULT = 1000,
    BYTES_DEFAULT = 256 << 20,
    ABSENT_US = 5 * SECOND,
};

struct known {
    struct far_schema *cache;
    struct known *next, **at;
    const struct sql_catalog *snapshot; /* NULL: none */
    int64_t began_us;                   /* the last reading; the snapshot is of the one that began at read_us */
    int64_t read_us, next_us;           /* not read before next_us */
    bool reading, stale;                /* stale: since the last reading began, or before the first */
    bool changed;                       /* … for certain: no pause is kept, and what is being read is already old */
    bool anew;                          /* … under way because it was stale: those who ask wait for it */
    unsigned failures;                  /* in a row */
    enum code code;                     /* of the last failure */
    char why[300];
    struct far_schema_wait *waiting;
    uint64_t used; /* the cache's count when it was asked for last */
    struct str name;
    char text[];
};

struct far_schema {
    struct far_schema_config config;
    struct far_schema_effects effects;
    char *name;
    pthread_mutex_t lock; /* of all below */
    struct map *by_name;
    struct known *all;
    size_t bytes; /* of the snapshots */
    unsigned reading, waiting;
    uint64_t count;
};

/* ---- what is known ---- */

static void drop_snapshot(struct far_schema *s, struct known *k) {
    if (k->snapshot) s->bytes -= far_schema_bytes(k->snapshot);
    k->snapshot = far_schema_unref(k->snapshot);
}

static void forget(struct far_schema *s, struct known *k) {
    (void)map_remove(s->by_name, k->name);
    *k->at = k->next;
    if (k->next) k->next->at = k->at;
    drop_snapshot(s, k);
    free(k);
}

/* Those without a snapshot go first (names that somebody made up), then the one that was asked for longest ago. */
static struct known *least(struct far_schema *s, const struct known *but, bool with_snapshot) {
    struct known *least = NULL;
    for (struct known *k = s->all; k; k = k->next) {
        if (k == but || k->reading || (with_snapshot && !k->snapshot)) continue;
        bool worse = !least || (!k->snapshot && least->snapshot);
        if (worse || ((k->snapshot != NULL) == (least->snapshot != NULL) && k->used < least->used)) least = k;
    }
    return least;
}

static bool make_room(struct far_schema *s) {
    if (map_count(s->by_name) < s->config.max_databases) return true;
    struct known *k = least(s, NULL, false);
    if (k) forget(s, k);
    return k != NULL;
}

static struct known *find(struct far_schema *s, struct str database) {
    struct known *k = map_get(s->by_name, database);
    if (!k && make_room(s)) {
        k = arena_should_fail() ? NULL : calloc(1, sizeof *k + database.n);
        if (!k) return NULL;
        memcpy(k->text, database.p, database.n);
        k->name = (struct str){ k->text, database.n };
        if (!map_put(s->by_name, k->name, k, NULL)) {
            free(k);
            return NULL;
        }
        k->cache = s;
        k->next = s->all;
        k->at = &s->all;
        if (k->next) k->next->at = &k->next;
        s->all = k;
    }
    if (k) k->used = ++s->count;
    return k;
}

static bool usable(const struct far_schema *s, const struct known *k, int64_t now_us) {
    return k->snapshot && now_us < k->read_us + USABLE_AGES * s->config.age_us;
}

/* ---- asking ---- */

static void settle(void *arg, const struct sql_catalog *snapshot, const struct err *err);

static bool wants_reading(const struct far_schema *s, const struct known *k, int64_t now_us) {
    bool due = !k->snapshot || k->stale || now_us >= k->read_us + s->config.age_us;
    bool may = now_us >= k->next_us || (k->changed && !k->failures);
    return due && may && !k->reading;
}

static void begin(struct far_schema *s, struct known *k, int64_t now_us) {
    k->reading = true;
    k->anew = k->stale;
    k->stale = k->changed = false;
    k->began_us = now_us;
    k->next_us = now_us + SECOND;
    s->reading++;
}

static enum code join(struct far_schema *s, struct known *k, struct far_schema_wait *wait, struct err *err) {
    if (s->waiting >= MAX_WAITING)
        return err_set(err, RESOURCE_EXHAUSTED, "%d requests wait for schemas of %s", MAX_WAITING, s->name);
    wait->next = k->waiting;
    wait->at = &k->waiting;
    if (wait->next) wait->next->at = &wait->next;
    k->waiting = wait;
    s->waiting++;
    return OK;
}

static enum code say_why(const struct far_schema *s, const struct known *k, bool crowded, int64_t now_us, struct err *err) {
    if (crowded) return err_set(err, UNAVAILABLE, "%d schemas of %s are being read: try again", MAX_READING, s->name);
    if (k->code == NOT_FOUND) return err_set(err, NOT_FOUND, "%s", k->why);
    int64_t wait_s = k->next_us > now_us ? (k->next_us - now_us + SECOND - 1) / SECOND : 1;
    return err_set(err, k->code ? k->code : UNAVAILABLE,
                   "the schema of %s could not be read: %s; it is tried again in %lld s", s->name, k->why,
                   (long long)wait_s);
}

/* Under the lock. *ret_begin: a reading that the caller must begin once the lock is let go. */
static enum code ask(struct far_schema *s, struct str database, struct far_schema_wait *wait,
                     const struct sql_catalog **ret, struct known **ret_begin, struct err *err) {
    int64_t now_us = clock_wall_us();
    struct known *k = find(s, database);
    if (!k)
        return err_set(err, RESOURCE_EXHAUSTED, "schemas of %zu databases of %s are being read, or memory is short",
                       s->config.max_databases, s->name);
    bool wanted = wants_reading(s, k, now_us), crowded = wanted && s->reading >= MAX_READING;
    bool have = usable(s, k, now_us), wait_for = k->reading || (wanted && !crowded);
    bool anew = k->changed || (k->reading ? k->anew : k->stale);
    if (have && !(wait_for && anew)) *ret = far_schema_ref(k->snapshot);
    else if (!wait_for) return say_why(s, k, crowded, now_us, err);
    else {
        enum code rc = join(s, k, wait, err);
        if (rc) return rc;
    }
    if (!wanted || crowded) return OK;
    begin(s, k, now_us);
    *ret_begin = k;
    return OK;
}

enum code far_schema_get(struct far_schema *s, struct str database, struct far_schema_wait *wait,
                         const struct sql_catalog **ret, struct err *err) {
    struct known *reading = NULL;
    const struct sql_catalog *snapshot = NULL;
    (void)pthread_mutex_lock(&s->lock);
    enum code rc = ask(s, database, wait, &snapshot, &reading, err);
    (void)pthread_mutex_unlock(&s->lock);
    if (rc) return rc;
    *ret = snapshot; /* before the reading: `done` may come in it, and the caller may be gone then */
    if (reading) s->effects.read(s->effects.ctx, reading->name, settle, reading);
    return OK;
}

bool far_schema_wait_cancel(struct far_schema *s, struct far_schema_wait *wait) {
    (void)pthread_mutex_lock(&s->lock);
    bool waits = wait->at != NULL;
    if (waits) {
        *wait->at = wait->next;
        if (wait->next) wait->next->at = wait->at;
        wait->at = NULL;
        s->waiting--;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return waits;
}

static void mark(struct far_schema *s, struct str database, bool changed) {
    (void)pthread_mutex_lock(&s->lock);
    struct known *k = map_get(s->by_name, database);
    if (k) k->stale = true;
    if (k && changed) k->changed = true;
    (void)pthread_mutex_unlock(&s->lock);
}

void far_schema_stale(struct far_schema *s, struct str database) {
    mark(s, database, false);
}

void far_schema_changed(struct far_schema *s, struct str database) {
    mark(s, database, true);
}

/* ---- the end of a reading ---- */

static void note_failure(struct far_schema *s, struct known *k, const struct err *err) {
    size_t n = strnlen(err->message, sizeof k->why - 1);
    memcpy(k->why, err->message, n);
    k->why[n] = 0;
    k->code = err->code ? err->code : UNAVAILABLE;
    k->stale = k->stale || k->anew;
    int64_t now_us = clock_wall_us(), pause_us = ABSENT_US;
    if (k->code == NOT_FOUND) {
        drop_snapshot(s, k);
        k->failures = 0;
    } else {
        k->failures++;
        pause_us = k->failures > 6 ? 60LL * SECOND : (int64_t)SECOND << (k->failures - 1);
    }
    k->next_us = now_us + pause_us;
}

static void note_snapshot(struct far_schema *s, struct known *k, const struct sql_catalog *snapshot) {
    drop_snapshot(s, k);
    k->snapshot = far_schema_ref(snapshot);
    k->read_us = k->began_us;
    k->failures = 0;
    k->code = OK;
    s->bytes += far_schema_bytes(snapshot);
    struct known *gone;
    while (s->bytes > s->config.max_bytes && (gone = least(s, k, true))) forget(s, gone);
}

/* The waiting ones, who are nobody's any more. */
static struct far_schema_wait *take_waiting(struct far_schema *s, struct known *k) {
    struct far_schema_wait *first = k->waiting;
    for (struct far_schema_wait *w = first; w; w = w->next) w->at = NULL, s->waiting--;
    k->waiting = NULL;
    return first;
}

static void tell(struct far_schema_wait *w, const struct sql_catalog *answer, const struct err *why) {
    while (w) {
        struct far_schema_wait *next = w->next;
        w->done(w, far_schema_ref(answer), answer ? NULL : why);
        w = next;
    }
}

static void settle(void *arg, const struct sql_catalog *snapshot, const struct err *err) {
    struct known *k = arg;
    struct far_schema *s = k->cache;
    struct err why = { 0 };
    (void)pthread_mutex_lock(&s->lock);
    if (snapshot) note_snapshot(s, k, snapshot);
    else note_failure(s, k, err);
    int64_t now_us = clock_wall_us();
    k->reading = false;
    s->reading--;
    bool again = snapshot && k->changed && k->waiting; /* it changed while it was read: they asked for what came after */
    if (again) begin(s, k, now_us);
    const struct sql_catalog *answer = !again && usable(s, k, now_us) ? far_schema_ref(k->snapshot) : NULL;
    if (!answer && !again) (void)say_why(s, k, false, now_us, &why);
    struct far_schema_wait *waiting = again ? NULL : take_waiting(s, k);
    (void)pthread_mutex_unlock(&s->lock);
    tell(waiting, answer, &why);
    (void)far_schema_unref(answer);
    (void)far_schema_unref(snapshot);
    if (again) s->effects.read(s->effects.ctx, k->name, settle, k);
}

/* ---- life ---- */

enum code far_schema_new(const struct far_schema_config *config, const struct far_schema_effects *effects,
                         struct far_schema **ret, struct err *err) {
    if (config->age_us < SECOND) return err_set(err, INVALID_ARGUMENT, "a schema's age is at least one second");
    struct far_schema *s = arena_should_fail() ? NULL : calloc(1, sizeof *s);
    if (!s || pthread_mutex_init(&s->lock, NULL)) {
        free(s);
        return err_oom(err);
    }
    s->config = *config;
    s->effects = *effects;
    if (!s->config.max_databases) s->config.max_databases = DATABASES_DEFAULT;
    if (!s->config.max_bytes) s->config.max_bytes = BYTES_DEFAULT;
    s->name = strndup(config->name.p ? config->name.p : "", config->name.n);
    s->by_name = map_new();
    if (!s->name || !s->by_name) {
        far_schema_free(s);
        return err_oom(err);
    }
    *ret = s;
    return OK;
}

void far_schema_free(struct far_schema *s) {
    if (!s) return;
    while (s->all) forget(s, s->all);
    map_free(s->by_name, NULL);
    (void)pthread_mutex_destroy(&s->lock);
    free(s->name);
    free(s);
}
