#include "gate/admit.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/map.h"

enum { SHARDS = 16, KEYS_A_SHARD = 65536 / SHARDS, SECOND_US = 1000000, RETRY_AT_ONCE_US = 100000 };

struct admit_count {
    struct admit_count *newer, *older; /* in the shard's list, unless something is held */
    unsigned shard;
    uint64_t held;    /* at once */
    uint64_t credit;  /* of a rate: what may come, in millionths */
    uint64_t used_us; /* when the credit was last reckoned */
    struct str key;
    char text[];
};

struct shard {
    pthread_mutex_t lock;
    struct map *counts; /* key → struct admit_count */
    struct admit_count *newest, *oldest;
};

struct admit {
    struct shard shards[SHARDS];
};

/* ---- life ---- */

struct admit *admit_new(void) {
    struct admit *a = arena_should_fail() ? NULL : calloc(1, sizeof *a);
    for (unsigned i = 0; a && i < SHARDS; i++) (void)pthread_mutex_init(&a->shards[i].lock, NULL);
    for (unsigned i = 0; a && i < SHARDS; i++) {
        a->shards[i].counts = map_new();
        if (a->shards[i].counts) continue;
        admit_free(a);
        return NULL;
    }
    return a;
}

void admit_free(struct admit *a) {
    for (unsigned i = 0; a && i < SHARDS; i++) {
        map_free(a->shards[i].counts, free);
        (void)pthread_mutex_destroy(&a->shards[i].lock);
    }
    free(a);
}

/* ---- the shards ---- */

static unsigned shard_of(struct str key) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < key.n; i++) h = (h ^ (unsigned char)key.p[i]) * 16777619u;
    return (h ^ h >> 16) % SHARDS;
}

/* In one order, so that two requests never wait for each other. */
static void lock(struct admit *a, unsigned shards) {
    for (unsigned i = 0; i < SHARDS; i++)
        if (shards >> i & 1) (void)pthread_mutex_lock(&a->shards[i].lock);
}

static void unlock(struct admit *a, unsigned shards) {
    for (unsigned i = 0; i < SHARDS; i++)
        if (shards >> i & 1) (void)pthread_mutex_unlock(&a->shards[i].lock);
}

static void unlist(struct shard *s, struct admit_count *c) {
    *(c->newer ? &c->newer->older : &s->newest) = c->older;
    *(c->older ? &c->older->newer : &s->oldest) = c->newer;
    c->newer = c->older = NULL;
}

static void list(struct shard *s, struct admit_count *c) {
    c->newer = NULL;
    c->older = s->newest;
    *(s->newest ? &s->newest->newer : &s->oldest) = c;
    s->newest = c;
}

/* A second after its last use a bucket is full, as a new one is: nothing is lost with it. */
static bool make_room(struct shard *s, uint64_t now_us) {
    struct admit_count *c = s->oldest;
    if (map_count(s->counts) < KEYS_A_SHARD) return true;
    if (!c || now_us < c->used_us + SECOND_US) return false;
    unlist(s, c);
    map_remove(s->counts, c->key);
    free(c);
    return true;
}

static struct admit_count *count_new(struct shard *s, unsigned shard, const struct admit_bound *b, uint64_t now_us) {
    if (!make_room(s, now_us)) return NULL;
    struct admit_count *c = arena_should_fail() ? NULL : malloc(sizeof *c + b->key.n);
    if (!c) return NULL;
    *c = (struct admit_count){ .shard = shard, .credit = b->most * SECOND_US, .used_us = now_us };
    memcpy(c->text, b->key.p, b->key.n);
    c->key = (struct str){ c->text, b->key.n };
    if (!map_put(s->counts, c->key, c, NULL)) {
        free(c);
        return NULL;
    }
    list(s, c);
    return c;
}

/* ---- one bound, under its shard's lock ---- */

static bool take_at_once(struct shard *s, struct admit_bound *b, struct admit_count *c, struct admit_refusal *ret) {
    ret->retry_us = RETRY_AT_ONCE_US;
    if (c->held >= b->most) return false;
    if (!c->held++) unlist(s, c);
    b->held = c;
    return true;
}

static void give_back(struct shard *s, struct admit_bound *b) {
    if (!--b->held->held) list(s, b->held);
    b->held = NULL;
}

static bool take_rate(struct shard *s, struct admit_bound *b, struct admit_count *c, uint64_t now_us,
                      struct admit_refusal *ret) {
    uint64_t passed = now_us > c->used_us ? now_us - c->used_us : 0; /* another thread's clock may have been read later */
    if (passed > SECOND_US) passed = SECOND_US;
    c->credit += passed * b->most;
    if (c->credit > b->most * SECOND_US) c->credit = b->most * SECOND_US;
    if (now_us > c->used_us) c->used_us = now_us;
    unlist(s, c);
    list(s, c);
    if (c->credit < SECOND_US) {
        ret->retry_us = (SECOND_US - c->credit + b->most - 1) / b->most;
        return false;
    }
    c->credit -= SECOND_US;
    b->held = c;
    return true;
}

static bool take(struct admit *a, struct admit_bound *b, uint64_t now_us, struct admit_refusal *ret) {
    unsigned shard = shard_of(b->key);
    struct shard *s = &a->shards[shard];
    struct admit_count *c = map_get(s->counts, b->key);
    if (!c) c = count_new(s, shard, b, now_us);
    if (!c) {
        ret->full = true;
        ret->retry_us = SECOND_US;
        return false;
    }
    return b->at_once ? take_at_once(s, b, c, ret) : take_rate(s, b, c, now_us, ret);
}

static void take_back(struct admit *a, struct admit_bound *b) {
    if (b->at_once) give_back(&a->shards[b->held->shard], b);
    else b->held->credit += SECOND_US;
}

/* ---- a request's ---- */

bool admit_enter(struct admit *a, struct admit_bound *bounds, size_t n, uint64_t now_us, struct admit_refusal *ret) {
    struct admit_refusal refusal = { 0 };
    unsigned shards = 0;
    size_t taken = 0;
    for (size_t i = 0; i < n; i++) shards |= 1u << shard_of(bounds[i].key);
    lock(a, shards);
    while (taken < n && take(a, &bounds[taken], now_us, &refusal)) taken++;
    refusal.bound = taken;
    for (size_t i = 0; taken < n && i < taken; i++) take_back(a, &bounds[i]);
    for (size_t i = 0; i < taken; i++)
        if (!bounds[i].at_once) bounds[i].held = NULL; /* a rate gives nothing back, and its count may go */
    unlock(a, shards);
    if (taken < n) *ret = refusal;
    return taken == n;
}

void admit_leave(struct admit *a, struct admit_bound *bounds, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (!bounds[i].held) continue;
        struct shard *s = &a->shards[bounds[i].held->shard];
        (void)pthread_mutex_lock(&s->lock);
        give_back(s, &bounds[i]);
        (void)pthread_mutex_unlock(&s->lock);
    }
}

size_t admit_keys(struct admit *a) {
    size_t n = 0;
    for (unsigned i = 0; i < SHARDS; i++) {
        (void)pthread_mutex_lock(&a->shards[i].lock);
        n += map_count(a->shards[i].counts);
        (void)pthread_mutex_unlock(&a->shards[i].lock);
    }
    return n;
}
