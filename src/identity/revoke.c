#include "identity/revoke.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/map.h"

struct entry {
    int64_t until_s;
};

struct revocations {
    pthread_mutex_t lock;
    struct map *entries; /* jti → struct entry */
    struct revoke_store store;
    _Atomic uint64_t version;
};

struct revocations *revocations_new(const struct revoke_store *store) {
    struct revocations *set = calloc(1, sizeof *set);
    if (!set) return NULL;
    set->entries = map_new();
    if (!set->entries || pthread_mutex_init(&set->lock, NULL)) {
        map_free(set->entries, free);
        free(set);
        return NULL;
    }
    if (store) set->store = *store;
    set->version = 1;
    return set;
}

void revocations_free(struct revocations *set) {
    if (!set) return;
    map_free(set->entries, free);
    pthread_mutex_destroy(&set->lock);
    free(set);
}

static enum code insert(struct revocations *set, struct str jti, int64_t until_s, struct err *err) {
    struct entry *there = map_get(set->entries, jti);
    if (there) {
        if (there->until_s < until_s) there->until_s = until_s;
        return OK;
    }
    if (map_count(set->entries) >= REVOCATIONS_MAX)
        return err_set(err, RESOURCE_EXHAUSTED, "too many revocations are live");
    struct entry *entry = malloc(sizeof *entry);
    if (!entry) return err_oom(err);
    entry->until_s = until_s;
    if (map_put(set->entries, jti, entry, NULL)) return OK;
    free(entry);
    return err_oom(err);
}

enum code revoke_load(struct revocations *set, struct str jti, int64_t until_s, struct err *err) {
    if (jti.n == 0 || jti.n > REVOKE_ID_MAX)
        return err_set(err, INVALID_ARGUMENT, "an id to revoke has 1 to %d bytes", REVOKE_ID_MAX);
    pthread_mutex_lock(&set->lock);
    enum code rc = insert(set, jti, until_s, err);
    pthread_mutex_unlock(&set->lock);
    if (!rc) set->version++;
    return rc;
}

/* Here first: a disk that cannot be written is no reason to go on taking the token. */
enum code revocations_add(struct revocations *set, struct str jti, int64_t until_s, struct err *err) {
    enum code rc = revoke_load(set, jti, until_s, err);
    return rc || !set->store.save ? rc : set->store.save(set->store.ctx, jti, until_s, err);
}

bool is_revoked(struct revocations *set, struct str jti) {
    if (!set || jti.n == 0 || jti.n > REVOKE_ID_MAX) return false;
    pthread_mutex_lock(&set->lock);
    bool found = map_get(set->entries, jti) != NULL;
    pthread_mutex_unlock(&set->lock);
    return found;
}

uint64_t revocations_version(struct revocations *set) {
    return set ? set->version : 0;
}

/* Two minutes late: tokens are taken until a minute after their end (JWT_SKEW_S). */
void revocations_expire(struct revocations *set, int64_t now_s) {
    pthread_mutex_lock(&set->lock);
    size_t at = 0;
    struct str key;
    void *value;
    while (map_next(set->entries, &at, &key, &value)) {
        struct entry *entry = value;
        if (entry->until_s + 120 < now_s) free(map_remove(set->entries, key));
    }
    pthread_mutex_unlock(&set->lock);
}
