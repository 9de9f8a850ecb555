#include "identity/verified.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "crypto/hash.h"
#include "identity/live_runs.h"
#include "identity/revoke.h"

struct slot {
    uint8_t key[SHA256_BYTES];
    struct proof *proof; /* NULL = empty */
    uint64_t policy_version, revocations;
    bool used; /* since the hand passed */
};

struct verified {
    pthread_mutex_t lock;
    struct map *by_key;
    struct slot *slots;
    size_t max, hand, n;
    uint64_t cached;               /* answers from here */
    atomic_ullong proved, refused; /* by jwt_verify */
};

struct verified *verified_new(size_t max_entries) {
    struct verified *cache = calloc(1, sizeof *cache);
    if (!cache) return NULL;
    cache->by_key = map_new();
    cache->slots = calloc(max_entries ? max_entries : 1, sizeof *cache->slots);
    cache->max = max_entries ? max_entries : 1;
    if (cache->by_key && cache->slots && pthread_mutex_init(&cache->lock, NULL) == 0) return cache;
    map_free(cache->by_key, NULL);
    free(cache->slots);
    free(cache);
    return NULL;
}

void verified_free(struct verified *cache) {
    if (!cache) return;
    for (size_t i = 0; i < cache->max; i++) proof_unref(cache->slots[i].proof);
    map_free(cache->by_key, NULL);
    free(cache->slots);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

size_t verified_count(const struct verified *cache) {
    return cache->n;
}

static struct str key_str(const uint8_t key[SHA256_BYTES]) {
    return (struct str){ (const char *)key, SHA256_BYTES };
}

/* One digest of the door, of all that was asked for and of the token, behind the lengths of all but the last: what one
 * service's audience opened must not be found by another. */
static void make_key(struct str token, struct str listener, const struct jwt_ask *ask, uint8_t key[SHA256_BYTES]) {
    const size_t lengths[] = { listener.n, ask->audience.n, ask->service_audience.n };
    const struct str parts[] = {
        { (const char *)lengths, sizeof lengths }, listener, ask->audience, ask->service_audience, token
    };
    hash_sha256_n(parts, COUNT(parts), key);
}

static void drop(struct verified *cache, struct slot *slot) {
    (void)map_remove(cache->by_key, key_str(slot->key));
    slot->proof = proof_unref(slot->proof);
    cache->n--;
}

static bool revoked_since(const struct jwt_ask *ask, struct slot *slot) {
    uint64_t version = revocations_version(ask->revocations);
    if (slot->revocations == version) return false;
    if (slot->proof->own && is_revoked(ask->revocations, slot->proof->jti)) return true;
    slot->revocations = version;
    return false;
}

static bool run_ended(const struct jwt_ask *ask, const struct slot *slot) {
    struct str run = slot->proof->principal.job_run;
    return run.n && !live_runs_has(ask->runs, run);
}

static bool holds(const struct jwt_ask *ask, struct slot *slot, uint64_t policy_version, uint64_t keys_version) {
    const struct proof *proof = slot->proof;
    return slot->policy_version == policy_version && proof->keys_version == keys_version &&
           proof->expires_s + JWT_SKEW_S > ask->now_s && proof->issued_s <= ask->now_s + JWT_SKEW_S &&
           !run_ended(ask, slot) && !revoked_since(ask, slot);
}

/* issuer_version may start a fetch, which may call back: so the lock is not held around it. */
static struct proof *look_up(struct verified *cache, const struct jwt_ask *ask, const uint8_t key[SHA256_BYTES],
                             uint64_t policy_version) {
    pthread_mutex_lock(&cache->lock);
    struct slot *slot = map_get(cache->by_key, key_str(key));
    struct issuer *issuer = slot ? slot->proof->issuer : NULL;
    pthread_mutex_unlock(&cache->lock);
    if (!issuer) return NULL;
    uint64_t version = issuer_version(issuer, ask->now_s);
    pthread_mutex_lock(&cache->lock);
    struct proof *proof = NULL;
    slot = map_get(cache->by_key, key_str(key));
    if (slot && !holds(ask, slot, policy_version, version)) {
        drop(cache, slot);
    } else if (slot) {
        slot->used = true;
        cache->cached++;
        proof = proof_ref(slot->proof);
    }
    pthread_mutex_unlock(&cache->lock);
    return proof;
}

/* Second chance: the hand passes what was used since it last came by. */
static struct slot *free_slot(struct verified *cache) {
    for (;;) {
        struct slot *slot = &cache->slots[cache->hand];
        cache->hand = (cache->hand + 1) % cache->max;
        if (slot->proof && slot->used) {
            slot->used = false;
            continue;
        }
        if (slot->proof) drop(cache, slot);
        return slot;
    }
}

static void keep(struct verified *cache, const uint8_t key[SHA256_BYTES], struct proof *proof, uint64_t policy_version,
                 uint64_t revocations) {
    pthread_mutex_lock(&cache->lock);
    if (!map_get(cache->by_key, key_str(key))) {
        struct slot *slot = free_slot(cache);
        *slot = (struct slot){ .policy_version = policy_version, .revocations = revocations };
        memcpy(slot->key, key, SHA256_BYTES);
        if (map_put(cache->by_key, key_str(key), slot, NULL)) {
            slot->proof = proof_ref(proof);
            cache->n++;
        }
    }
    pthread_mutex_unlock(&cache->lock);
}

static enum jwt_outcome verify(struct verified *cache, const struct jwt_ask *ask, struct str token,
                               struct proof **ret_proof, struct refusal *ret_refusal) {
    enum jwt_outcome outcome = jwt_verify(ask, token, ret_proof, ret_refusal);
    if (outcome == JWT_PROVED) (void)atomic_fetch_add(&cache->proved, 1);
    else if (outcome == JWT_REFUSED) (void)atomic_fetch_add(&cache->refused, 1);
    return outcome;
}

void verified_stats(struct verified *cache, struct verified_stats *ret) {
    pthread_mutex_lock(&cache->lock);
    *ret = (struct verified_stats){ .cached = cache->cached, .entries = cache->n };
    pthread_mutex_unlock(&cache->lock);
    ret->proved = atomic_load(&cache->proved);
    ret->refused = atomic_load(&cache->refused);
}

enum jwt_outcome verified_token(struct verified *cache, const struct jwt_ask *ask, struct str listener,
                                uint64_t policy_version, struct str token, struct proof **ret_proof,
                                struct refusal *ret_refusal) {
    uint8_t key[SHA256_BYTES];
    if (token.n == 0 || token.n > (16 << 10)) return verify(cache, ask, token, ret_proof, ret_refusal);
    make_key(token, listener, ask, key);
    struct proof *proof = look_up(cache, ask, key, policy_version);
    if (proof) {
        *ret_proof = proof;
        return JWT_PROVED;
    }
    uint64_t revocations = revocations_version(ask->revocations); /* before the check: a later one is noticed */
    enum jwt_outcome outcome = verify(cache, ask, token, &proof, ret_refusal);
    if (outcome != JWT_PROVED) return outcome;
    keep(cache, key, proof, policy_version, revocations);
    *ret_proof = proof;
    return JWT_PROVED;
}
