/* txn.h: the registry of a database's read-write transactions. Inside the engine. Any thread; its own lock.
 *
 * A transaction reads at one timestamp, remembers the ranges that it read, and is validated at Commit on the writer
 * thread. Finished ones are remembered for a while, so that a repeated Commit answers the same. One that lost
 * TXN_GATE_LOSSES times in a row holds the gate for at most TXN_GATE_US: until it ends, commits that write what it (or its
 * last attempt) read are ABORTED in its favour. */
#pragma once
#include <pthread.h>
#include "base/map.h"
#include "engine/engine.h"
#include "engine/ring.h"

enum { TXN_GATE_LOSSES = 3, TXN_GATE_US = 2000000, TXN_REMEMBER_US = 600000000 };
enum txn_state { TXN_ACTIVE, TXN_COMMITTED, TXN_ABORTED, TXN_ROLLED_BACK };

struct txn {
    uint8_t id[ENGINE_TXN_ID_BYTES];
    enum txn_state state;
    char *owner;
    size_t owner_n;
    int64_t read_us, commit_us; /* 0 = not yet */
    uint64_t used_mono_us;
    unsigned losses, readers; /* reads at work */
    struct read_set reads;    /* arena NULL: none */
    struct read_set protect;  /* what the attempt before read */
    struct txn *newer;        /* in order of creation */
};

struct txns {
    pthread_mutex_t lock;
    struct map *by_id;
    struct txn *oldest, **newest;
    struct txn *gate;
    uint64_t gate_until_mono_us;
    size_t n;
};

MUST_USE bool txns_init(struct txns *txns);
void txns_free(struct txns *txns);

/* A read begins: gives the transaction's timestamp. ABORTED, FAILED_PRECONDITION or NOT_FOUND when it cannot. */
MUST_USE enum code txn_read_begin(struct engine_db *db, const struct engine_when *when, int64_t *ret_us, struct err *err);
/* It ends: what was read. n_ranges 0 and whole: the table. */
void txn_read_add(struct engine_db *db, const struct engine_when *when, uint32_t table_id, const struct key_range *ranges,
                  size_t n_ranges, bool whole);
void txn_read_end(struct engine_db *db, const struct engine_when *when);

/* On the writer thread. *ret_again: it is committed already, at commit->ret_timestamp_us. */
MUST_USE enum code txn_validate(struct engine_db *db, struct engine_commit *commit, bool *ret_again, struct err *err);
/* Does this write set hurt the one that holds the gate? */
bool txn_gate_hit(struct engine_db *db, const struct engine_commit *commit, const struct write_set *set);
void txn_finish(struct engine_db *db, const struct engine_commit *commit, enum code outcome);
