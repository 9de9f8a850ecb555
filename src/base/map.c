#include "base/map.h"
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "base/arena.h"

struct entry {
    uint64_t hash;
    char *key; /* NULL = free */
    size_t key_n;
    void *value;
    bool removed; /* a hole that a probe passes */
};

struct map {
    struct entry *entries;
    size_t cap, used, live; /* used counts holes too */
    uint64_t seed[2];
};

struct map *map_new(void) {
    struct map *m = arena_should_fail() ? NULL : calloc(1, sizeof *m);
    if (m && getrandom(m->seed, sizeof m->seed, 0) != sizeof m->seed) {
        free(m);
        return NULL;
    }
    return m;
}

static bool is_live(const struct entry *e) {
    return e->key;
}

void map_free(struct map *m, void (*free_value)(void *)) {
    if (!m) return;
    for (size_t i = 0; i < m->cap; i++) {
        if (!is_live(&m->entries[i])) continue;
        if (free_value) free_value(m->entries[i].value);
        free(m->entries[i].key);
    }
    free(m->entries);
    free(m);
}

/* SipHash-1-3 (Aumasson, Bernstein): a keyed hash that is short enough to keep here. */
#define ROTL(x, b) ((x) << (b) | (x) >> (64 - (b)))
static void sip_round(uint64_t v[4]) {
    v[0] += v[1], v[1] = ROTL(v[1], 13) ^ v[0], v[0] = ROTL(v[0], 32);
    v[2] += v[3], v[3] = ROTL(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = ROTL(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = ROTL(v[1], 17) ^ v[2], v[2] = ROTL(v[2], 32);
}

static uint64_t sip13(const uint64_t seed[2], struct str s) {
    uint64_t v[4] = { seed[0] ^ 0x736f6d6570736575u, seed[1] ^ 0x646f72616e646f6du, seed[0] ^ 0x6c7967656e657261u,
                      seed[1] ^ 0x7465646279746573u };
    size_t i = 0;
    uint64_t word;
    for (; i + 8 <= s.n; i += 8) {
        memcpy(&word, s.p + i, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = (uint64_t)s.n << 56;
    for (unsigned b = 0; i + b < s.n; b++) word |= (uint64_t)(unsigned char)s.p[i + b] << (8 * b);
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int r = 0; r < 3; r++) sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* The entry of the key, or the place where it would go (NULL only for a map without room). */
static struct entry *probe(const struct map *m, struct str key, uint64_t hash) {
    struct entry *hole = NULL;
    for (size_t i = 0; i < m->cap; i++) {
        struct entry *e = &m->entries[(hash + i) & (m->cap - 1)];
        if (e->removed && !hole) hole = e;
        if (!e->key && !e->removed) return hole ? hole : e;
        if (e->key && e->hash == hash && str_eq((struct str){ e->key, e->key_n }, key)) return e;
    }
    return hole;
}

static bool grow(struct map *m) {
    if (m->used < m->cap / 4 * 3) return true;
    size_t cap = m->live >= m->cap / 2 ? (m->cap ? m->cap * 2 : 16) : m->cap;
    struct map next = { .cap = cap, .entries = arena_should_fail() ? NULL : calloc(cap, sizeof *next.entries) };
    if (!next.entries) return false;
    for (size_t i = 0; i < m->cap; i++) {
        struct entry *e = &m->entries[i];
        if (is_live(e)) *probe(&next, (struct str){ e->key, e->key_n }, e->hash) = *e;
    }
    free(m->entries);
    m->entries = next.entries;
    m->cap = cap;
    m->used = m->live;
    return true;
}

void *map_get(const struct map *m, struct str key) {
    if (!m->live) return NULL;
    const struct entry *e = probe(m, key, sip13(m->seed, key));
    return e && is_live(e) ? e->value : NULL;
}

bool map_put(struct map *m, struct str key, void *value, void **ret_old) {
    if (ret_old) *ret_old = NULL;
    if (!grow(m)) return false;
    uint64_t hash = sip13(m->seed, key);
    struct entry *e = probe(m, key, hash);
    if (is_live(e)) {
        if (ret_old) *ret_old = e->value;
        e->value = value;
        return true;
    }
    char *copy = arena_should_fail() ? NULL : malloc(key.n + 1);
    if (!copy) return false;
    if (key.n) memcpy(copy, key.p, key.n);
    copy[key.n] = '\0';
    if (!e->removed) m->used++;
    m->live++;
    *e = (struct entry){ hash, copy, key.n, value, false };
    return true;
}

void *map_remove(struct map *m, struct str key) {
    if (!m->live) return NULL;
    struct entry *e = probe(m, key, sip13(m->seed, key));
    if (!e || !is_live(e)) return NULL;
    void *value = e->value;
    free(e->key);
    *e = (struct entry){ .removed = true };
    m->live--;
    return value;
}

size_t map_count(const struct map *m) {
    return m->live;
}

bool map_next(const struct map *m, size_t *at, struct str *ret_key, void **ret_value) {
    for (; *at < m->cap; (*at)++) {
        const struct entry *e = &m->entries[*at];
        if (!is_live(e)) continue;
        *ret_key = (struct str){ e->key, e->key_n };
        *ret_value = e->value;
        (*at)++;
        return true;
    }
    return false;
}
