#include "engine/txn.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include "base/clock.h"
#include "engine/db.h"

enum { READ_ARENA_SLACK = 4 };

bool txns_init(struct txns *txns) {
    pthread_mutex_init(&txns->lock, NULL);
    txns->newest = &txns->oldest;
    txns->by_id = map_new();
    return txns->by_id;
}

static void drop_reads(struct read_set *set) {
    arena_free(set->arena);
    *set = (struct read_set){ 0 };
}

static void txn_free(struct txn *t) {
    if (!t) return;
    drop_reads(&t->reads);
    drop_reads(&t->protect);
    free(t->owner);
    free(t);
}

void txns_free(struct txns *txns) {
    while (txns->oldest) {
        struct txn *t = txns->oldest;
        txns->oldest = t->newer;
        txn_free(t);
    }
    map_free(txns->by_id, NULL);
    pthread_mutex_destroy(&txns->lock);
}

static struct str id_key(const uint8_t *id) {
    return (struct str){ (const char *)id, ENGINE_TXN_ID_BYTES };
}

static struct txn *find(struct txns *txns, const uint8_t *id, struct str owner) {
    struct txn *t = map_get(txns->by_id, id_key(id));
    return t && str_eq((struct str){ t->owner, t->owner_n }, owner) ? t : NULL;
}

static void end(struct txns *txns, struct txn *t, enum txn_state state) {
    t->state = state;
    if (txns->gate == t) txns->gate = NULL;
    if (state != TXN_ABORTED) drop_reads(&t->reads); /* a loser's reads protect its next attempt */
    drop_reads(&t->protect);
}

/* Forgets what finished long ago, and ends what idles. Walks from the oldest; stops at the first that stays, when there is
 * room: so a begin costs little. */
static void sweep(struct txns *txns, const struct engine_options *options) {
    uint64_t now = clock_mono_us();
    bool full = txns->n >= options->max_txns;
    for (struct txn **at = &txns->oldest; *at;) {
        struct txn *t = *at;
        uint64_t idle = now - t->used_mono_us;
        if (t->state == TXN_ACTIVE && !t->readers && idle > (uint64_t)options->txn_idle_us) end(txns, t, TXN_ABORTED);
        if (t->state == TXN_ACTIVE || (!full && idle < TXN_REMEMBER_US)) {
            if (!full) return;
            at = &t->newer;
            continue;
        }
        *at = t->newer;
        if (!t->newer) txns->newest = at;
        map_remove(txns->by_id, id_key(t->id));
        txns->n--;
        txn_free(t);
        full = txns->n >= options->max_txns;
    }
}

static struct txn *txn_new(struct str owner) {
    struct txn *t = arena_should_fail() ? NULL : calloc(1, sizeof *t);
    if (!t) return NULL;
    t->owner = malloc(owner.n + 1);
    if (!t->owner || getrandom(t->id, sizeof t->id, 0) != (ssize_t)sizeof t->id) {
        txn_free(t);
        return NULL;
    }
    if (owner.n) memcpy(t->owner, owner.p, owner.n);
    t->owner_n = owner.n;
    t->used_mono_us = clock_mono_us();
    return t;
}

static void try_gate(struct txns *txns, struct txn *t) {
    uint64_t now = clock_mono_us();
    if (t->losses < TXN_GATE_LOSSES || (txns->gate && now < txns->gate_until_mono_us)) return;
    txns->gate = t;
    txns->gate_until_mono_us = now + TXN_GATE_US;
}

static void inherit(struct txns *txns, struct txn *t, struct txn *before) {
    if (!before || before->state != TXN_ABORTED) return;
    t->losses = before->losses + 1;
    t->protect = before->reads;
    before->reads = (struct read_set){ 0 };
    read_set_sort(&t->protect);
    try_gate(txns, t);
}

static enum code begin_locked(struct engine_db *db, struct str owner, const uint8_t *previous, struct txn *t,
                              struct err *err) {
    struct txns *txns = &db->txns;
    sweep(txns, db->options);
    if (txns->n >= db->options->max_txns)
        return err_set(err, RESOURCE_EXHAUSTED, "too many read-write transactions in database %s", db->name);
    if (!map_put(txns->by_id, id_key(t->id), t, NULL)) return err_oom(err);
    *txns->newest = t;
    txns->newest = &t->newer;
    txns->n++;
    inherit(txns, t, previous ? find(txns, previous, owner) : NULL);
    return OK;
}

enum code engine_txn_begin(struct engine_db *db, struct str owner, const uint8_t *previous,
                           uint8_t ret_id[ENGINE_TXN_ID_BYTES], struct err *err) {
    struct txn *t = txn_new(owner);
    if (!t) return err_oom(err);
    uint8_t id[ENGINE_TXN_ID_BYTES];
    memcpy(id, t->id, sizeof id); /* once it is in the registry it is not ours */
    pthread_mutex_lock(&db->txns.lock);
    enum code rc = begin_locked(db, owner, previous, t, err);
    pthread_mutex_unlock(&db->txns.lock);
    if (rc) txn_free(t);
    else memcpy(ret_id, id, sizeof id);
    return rc;
}

enum code engine_txn_rollback(struct engine_db *db, struct str owner, const uint8_t id[ENGINE_TXN_ID_BYTES],
                              struct err *err) {
    enum code rc = OK;
    pthread_mutex_lock(&db->txns.lock);
    struct txn *t = map_get(db->txns.by_id, id_key(id));
    if (t && !find(&db->txns, id, owner)) rc = err_set(err, NOT_FOUND, "Transaction not found.");
    else if (t && t->state == TXN_COMMITTED)
        rc = err_set(err, FAILED_PRECONDITION, "Cannot rollback a transaction after Commit() has been called.");
    else if (t && t->state == TXN_ACTIVE) end(&db->txns, t, TXN_ROLLED_BACK);
    pthread_mutex_unlock(&db->txns.lock);
    return rc;
}

/* --- reading --------------------------------------------------------------------------------------------------------- */

static enum code check_active(const struct txn *t, const char *what, struct err *err) {
    if (!t) return err_set(err, NOT_FOUND, "Transaction not found.");
    switch (t->state) {
    case TXN_ACTIVE: return OK;
    case TXN_ABORTED: return err_set(err, ABORTED, "Transaction was aborted. Retry it.");
    case TXN_COMMITTED: return err_set(err, FAILED_PRECONDITION, "Cannot %s in a transaction that is committed.", what);
    case TXN_ROLLED_BACK: break;
    }
    return err_set(err, FAILED_PRECONDITION, "Cannot %s in a transaction that is rolled back.", what);
}

enum code txn_read_begin(struct engine_db *db, const struct engine_when *when, int64_t *ret_us, struct err *err) {
    int64_t now = db_strong_timestamp(db, NULL); /* before our lock: see the lock order */
    pthread_mutex_lock(&db->txns.lock);
    struct txn *t = find(&db->txns, when->txn, when->owner);
    enum code rc = check_active(t, "read", err);
    if (!rc && !t->reads.arena) {
        t->reads.arena = arena_new(db->options->txn_read_bytes * READ_ARENA_SLACK + 65536);
        t->reads.max_bytes = db->options->txn_read_bytes;
        if (!t->reads.arena) rc = err_oom(err);
    }
    if (!rc) {
        if (!t->read_us) t->read_us = now;
        *ret_us = t->read_us;
        t->readers++;
        t->used_mono_us = clock_mono_us();
        if (db->txns.gate != t) try_gate(&db->txns, t);
    }
    pthread_mutex_unlock(&db->txns.lock);
    return rc;
}

void txn_read_add(struct engine_db *db, const struct engine_when *when, uint32_t table_id, const struct key_range *ranges,
                  size_t n_ranges, bool whole) {
    pthread_mutex_lock(&db->txns.lock);
    struct txn *t = find(&db->txns, when->txn, when->owner);
    bool active = t && t->state == TXN_ACTIVE;
    bool ok = !active ||
              (whole ? read_set_add_table(&t->reads, table_id) : read_set_add(&t->reads, table_id, ranges, n_ranges));
    if (!ok) end(&db->txns, t, TXN_ABORTED); /* what it read is not known any more */
    pthread_mutex_unlock(&db->txns.lock);
}

void txn_read_end(struct engine_db *db, const struct engine_when *when) {
    pthread_mutex_lock(&db->txns.lock);
    struct txn *t = find(&db->txns, when->txn, when->owner);
    if (t && t->readers) t->readers--;
    if (t) t->used_mono_us = clock_mono_us();
    pthread_mutex_unlock(&db->txns.lock);
}

/* --- commit, on the writer thread ------------------------------------------------------------------------------------ */

static enum code validate(struct engine_db *db, struct txn *t, struct engine_commit *commit, bool *ret_again,
                          struct err *err) {
    if (t && t->state == TXN_COMMITTED) {
        commit->ret_timestamp_us = t->commit_us;
        *ret_again = true;
        return OK;
    }
    enum code rc = check_active(t, "commit", err);
    if (rc || !t->reads.arena) return rc;
    if (t->readers) return err_set(err, ABORTED, "Transaction was aborted: a read of it was still at work.");
    read_set_sort(&t->reads);
    if (!ring_hit(db->ring, t->read_us, &t->reads)) return OK;
    return err_set(err, ABORTED, "Transaction was aborted: what it read has changed. Retry it.");
}

enum code txn_validate(struct engine_db *db, struct engine_commit *commit, bool *ret_again, struct err *err) {
    pthread_mutex_lock(&db->txns.lock);
    enum code rc = validate(db, find(&db->txns, commit->txn, commit->owner), commit, ret_again, err);
    pthread_mutex_unlock(&db->txns.lock);
    return rc;
}

bool txn_gate_hit(struct engine_db *db, const struct engine_commit *commit, const struct write_set *set) {
    pthread_mutex_lock(&db->txns.lock);
    struct txn *gate = db->txns.gate;
    bool hit = false;
    if (gate && clock_mono_us() < db->txns.gate_until_mono_us &&
        !(commit->has_txn && memcmp(gate->id, commit->txn, sizeof gate->id) == 0)) {
        read_set_sort(&gate->reads);
        hit = read_set_hit(&gate->reads, set->entries, set->n) || read_set_hit(&gate->protect, set->entries, set->n);
    }
    pthread_mutex_unlock(&db->txns.lock);
    return hit;
}

void txn_finish(struct engine_db *db, const struct engine_commit *commit, enum code outcome) {
    pthread_mutex_lock(&db->txns.lock);
    struct txn *t = find(&db->txns, commit->txn, commit->owner);
    if (t && (t->state == TXN_ACTIVE || (t->state == TXN_COMMITTED && outcome))) {
        t->commit_us = commit->ret_timestamp_us;
        t->used_mono_us = clock_mono_us();
        end(&db->txns, t, outcome == OK ? TXN_COMMITTED : outcome == ABORTED ? TXN_ABORTED : TXN_ROLLED_BACK);
    }
    pthread_mutex_unlock(&db->txns.lock);
}
