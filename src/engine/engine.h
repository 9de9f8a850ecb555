/* engine.h: the embedded Spanner engine: databases, commits, reads, queries, transactions. It knows no protobuf and no
 * HTTP.
 *
 * One SQLite file a database, `<data>/spanner/<instance>/<database>.sqlite`. Each open database has one writer thread, one
 * keeper thread (checkpoints) and a few reader threads. What takes time is a *job*: the caller owns its struct, posts it,
 * and gets `done` exactly once, on a thread of the engine; until then the struct and what it points at must stay. A post
 * that fails (queue full, database closed) never calls `done`. Callbacks must not block.
 * Timestamps are microseconds since 1970-01-01T00:00:00Z. See docs/engine.md. */
#pragma once
#include <stdatomic.h>
#include "engine/ddl.h"
#include "engine/mutation.h"

struct engine;
struct engine_db;
enum { ENGINE_TXN_ID_BYTES = 16, ENGINE_MAX_DATABASES = 100 };

/* An audit entry of a commit, durable with it. Called on the writer thread; hand it over, then engine_outbox_done. After a
 * crash the entries that were not done come again when the database is opened (from the opening thread). */
typedef void engine_sink_fn(void *ctx, struct engine_db *db, int64_t seq, struct str entry);

struct engine_options { /* 0 gives the default in brackets */
    const char *data_dir;
    unsigned readers;         /* reader threads a database [4] */
    size_t write_queue_bytes; /* waiting commits of a database [256 MiB] */
    size_t read_queue_jobs;   /* waiting reads of a database [10,000] */
    size_t ring_bytes;        /* what Commit validates against, a database [16 MiB] */
    size_t txn_read_bytes;    /* key ranges that a transaction may have read [256 KiB]; more become whole tables */
    int64_t retention_us;     /* how long old versions are kept [1 h] */
    int64_t txn_idle_us;      /* a read-write transaction without a request [5 min] */
    unsigned max_txns;    /* read-write transactions of a database, finished ones that are remembered included [10,000] */
    engine_sink_fn *sink; /* or NULL: then outbox entries stay until done */
    int (*setup)(void *ctx, sqlite3 *connection); /* registers more SQL functions on each reader's connection, or NULL */
    enum code (*sql_error)(sqlite3 *connection, int rc, struct err *err); /* reads their errors, or NULL */
    void *ctx;                                                            /* of sink and setup */
    unsigned max_pages_for_test; /* PRAGMA max_page_count of new databases: a full disk */
};

MUST_USE enum code engine_open(const struct engine_options *options, struct engine **ret, struct err *err);
void engine_close(struct engine *engine); /* drains the jobs, closes all databases; NULL is fine */

/* --- databases: these block (files, fsync); not for an event loop --------------------------------------------------- */
/* Ids: a lower-case letter, then a-z 0-9 _ -, not ending in - or _; database 2 to 30 characters, instance 2 to 64. */
MUST_USE enum code engine_create_database(struct engine *engine, struct str instance, struct str database, struct err *err);
/* Reads in work and later jobs fail with NOT_FOUND; waits for the commits in work. */
MUST_USE enum code engine_drop_database(struct engine *engine, struct str instance, struct str database, struct err *err);
typedef bool engine_name_fn(void *ctx, struct str name); /* false = enough */
MUST_USE enum code engine_list_databases(struct engine *engine, struct str instance, engine_name_fn *each, void *ctx,
                                         struct err *err); /* in name order */
/* Opens it when needed. NOT_FOUND; FAILED_PRECONDITION for a file of a newer format (named) or held by another process. */
MUST_USE enum code engine_get_database(struct engine *engine, struct str instance, struct str database,
                                       struct engine_db **ret, struct err *err);
struct engine_db *engine_db_ref(struct engine_db *db);   /* for a second holder; returns db */
struct engine_db *engine_db_unref(struct engine_db *db); /* returns NULL */
struct str engine_db_name(const struct engine_db *db);   /* "instance/database" */
int64_t engine_db_create_time(const struct engine_db *db);

/* --- schema ---------------------------------------------------------------------------------------------------------- */
/* An immutable snapshot; give it back. Any thread, does not block. */
const struct sql_catalog *engine_catalog(struct engine_db *db);
const struct sql_catalog *engine_catalog_unref(const struct sql_catalog *catalog); /* returns NULL; NULL is fine */

/* How every job begins. Zero it; the engine's part is private. */
struct engine_job {
    struct engine_job *next;
    struct engine_db *db;
    const struct engine_job_kind *kind;
    size_t bytes;
    uint64_t number; /* of a read: how many were posted up to it */
    int64_t due_us;  /* wall time before which a read waits */
    enum code code;  /* the outcome, for `done` */
    struct err err;
};

struct engine_ddl_job {
    struct engine_job job;
    const struct engine_ddl *statements; /* applied in order, each on its own; stops at the first that fails */
    size_t n;
    size_t done_statements;  /* out */
    int64_t *ret_timestamps; /* out: a commit timestamp a statement; may be NULL */
    void (*done)(struct engine_ddl_job *job);
    void *ctx;
};
MUST_USE enum code engine_post_ddl(struct engine_db *db, struct engine_ddl_job *job, struct err *err);

/* --- commit ---------------------------------------------------------------------------------------------------------- */
/* Writes the audit entry once the commit timestamp is known, on the writer thread. */
typedef enum code engine_entry_fn(void *ctx, int64_t commit_us, uint64_t mutation_count, struct buf *out, struct err *err);

struct engine_commit {
    struct engine_job job;
    const struct engine_mutation *mutations; /* applied in order */
    size_t n;
    size_t bytes; /* size of the request: what it takes in the queue */
    bool has_txn; /* else a transaction of its own */
    uint8_t txn[ENGINE_TXN_ID_BYTES];
    struct str owner;                           /* must be the one that began it */
    engine_entry_fn *entry;                     /* or NULL */
    void (*done)(struct engine_commit *commit); /* on the writer thread */
    void *ctx;                                  /* of entry and done */
    int64_t ret_timestamp_us;                   /* out */
    uint64_t ret_mutation_count;                /* out; also when there were too many */
    bool ret_again; /* out: the transaction had committed before; nothing was written, `entry` not called */
};
/* Codes: ALREADY_EXISTS, NOT_FOUND, FAILED_PRECONDITION, INVALID_ARGUMENT as Spanner's; ABORTED for a loser (retry);
 * RESOURCE_EXHAUSTED for a full disk: nothing of it was written. */
MUST_USE enum code engine_post_commit(struct engine_db *db, struct engine_commit *commit, struct err *err);
/* The entry is in the audit log: it may go. Any thread, does not block. */
void engine_outbox_done(struct engine_db *db, int64_t seq);

/* --- reading --------------------------------------------------------------------------------------------------------- */
enum engine_bound_kind {
    ENGINE_STRONG,
    ENGINE_READ_TIMESTAMP,
    ENGINE_MIN_READ_TIMESTAMP,
    ENGINE_MAX_STALENESS,
    ENGINE_EXACT_STALENESS
};
struct engine_bound {
    enum engine_bound_kind kind;
    int64_t us; /* a timestamp or a duration */
};
/* The read timestamp for a read-only transaction. May lie in the near future: reads at it wait. FAILED_PRECONDITION when
 * older than the retention, DEADLINE_EXCEEDED when over an hour ahead. Any thread, does not block. */
MUST_USE enum code engine_pick_timestamp(struct engine_db *db, struct engine_bound bound, int64_t *ret_us, struct err *err);

/* A row on the reader thread: valid within the call. Column i is sqlite3_column_value(stmt, first + i). */
struct engine_row {
    sqlite3_stmt *stmt;
    int first, n;
    struct str key; /* encoded; empty in a query */
};
enum engine_next {
    ENGINE_MORE,
    ENGINE_PAUSE /* this row is taken, and the chunk is full */,
    ENGINE_FAIL /* job.err is set */
};

struct engine_when { /* what both kinds of reading share */
    bool at;         /* read at timestamp_us; else strong, and ret_timestamp_us tells at which it was */
    int64_t timestamp_us;
    bool has_txn; /* a read-write transaction: reads at its own timestamp, and remembers what was read */
    uint8_t txn[ENGINE_TXN_ID_BYTES];
    struct str owner;
    _Atomic bool *cancel;      /* or NULL: the read ends with CANCELLED */
    uint64_t deadline_mono_us; /* 0 = none: DEADLINE_EXCEEDED */
    int64_t ret_timestamp_us;  /* out */
};

struct engine_read {
    struct engine_job job;
    struct engine_when when;
    const struct sql_table *table; /* of a catalog that the caller holds */
    const uint16_t *columns;       /* indexes into table->columns */
    uint16_t n_columns;
    const struct key_range *ranges; /* of a finished key_set */
    size_t n_ranges;
    uint64_t limit;   /* rows; 0 = all */
    struct str after; /* encoded key: only rows behind it; empty p = from the start */
    enum engine_next (*row)(struct engine_read *read, const struct engine_row *row);
    void (*done)(struct engine_read *read); /* on the reader thread */
    void *ctx;
    bool ret_more; /* out: paused; to go on: the same with after = ret_last, at = true, timestamp_us = ret_timestamp_us */
    struct buf ret_last; /* out: the last row's key; the caller frees it. Set its max (KEY_MAX_BYTES) before posting */
    uint64_t ret_rows;
};
MUST_USE enum code engine_post_read(struct engine_db *db, struct engine_read *read, struct err *err);

/* Where a query stands: which tables, at which time. */
struct engine_snapshot;
int64_t engine_snapshot_timestamp(const struct engine_snapshot *snapshot);
/* What to write in FROM for a table: `t5`, or a parenthesised SELECT of live rows and history as of the snapshot. Its
 * columns are key, ts and c<id> for each column. FAILED_PRECONDITION when the table's schema changed after the timestamp.
 * `read`: finished; what counts as read in a read-write transaction, which Commit validates; NULL for the whole table. Rows
 * outside must not change what the query answers. */
MUST_USE enum code engine_snapshot_table(struct engine_snapshot *snapshot, const struct sql_table *table,
                                         const struct key_set *read, struct buf *out, bool *ret_history, struct err *err);
/* A query that runs again at the timestamp of an earlier run, to go on behind the rows that it gave, needs the same rows in
 * the same order. This writes for a table what engine_snapshot_table wrote then (`history`: its ret_history), over rows
 * that lie where they lay then (`seen_us`: engine_snapshot_seen of then): when the table has changed since, over a copy
 * that lasts as long as the snapshot. FAILED_PRECONDITION as above; RESOURCE_EXHAUSTED for a copy over 4 GiB. */
MUST_USE enum code engine_snapshot_replay(struct engine_snapshot *snapshot, const struct sql_table *table,
                                          const struct key_set *read, bool history, int64_t seen_us, struct buf *out,
                                          struct err *err);
int64_t engine_snapshot_seen(const struct engine_snapshot *snapshot);

struct engine_query {
    struct engine_job job;
    struct engine_when when;
    /* Writes one SQLite SELECT, on the reader thread, once the snapshot stands. Only t<id>, h<id> may be read. */
    enum code (*sql)(struct engine_query *query, struct engine_snapshot *snapshot, struct buf *out, struct err *err);
    const struct sql_value *params; /* ?1 … */
    size_t n_params;
    enum engine_next (*row)(struct engine_query *query, const struct engine_row *row); /* ENGINE_PAUSE ends the query */
    void (*done)(struct engine_query *query);
    void *ctx;
    uint64_t ret_rows;
};
MUST_USE enum code engine_post_query(struct engine_db *db, struct engine_query *query, struct err *err);

/* Keys that cut the table into at most `want` ranges of about the same number of rows, by a bounded walk over its keys. */
struct engine_split {
    struct engine_job job;
    struct engine_when when;
    const struct sql_table *table;
    const struct key_range *ranges; /* what is to be cut; of a finished key_set */
    size_t n_ranges;
    unsigned want; /* 1 to 256 */
    struct arena *arena;
    void (*done)(struct engine_split *split);
    void *ctx;
    struct str *ret_cuts; /* out, in the arena: ascending keys; partition i is [cut i-1, cut i) */
    size_t ret_n_cuts;
};
MUST_USE enum code engine_post_split(struct engine_db *db, struct engine_split *split, struct err *err);

/* --- read-write transactions (engine/txn.h holds the inside) --------------------------------------------------------- */
/* `previous`: the id of the attempt that was ABORTED, or NULL. One that keeps losing gets priority. RESOURCE_EXHAUSTED
 * when there are too many. Any thread, does not block. */
MUST_USE enum code engine_txn_begin(struct engine_db *db, struct str owner, const uint8_t *previous,
                                    uint8_t ret_id[ENGINE_TXN_ID_BYTES], struct err *err);
/* OK also for one that is unknown or aborted; FAILED_PRECONDITION when it committed; NOT_FOUND when it is another's. */
MUST_USE enum code engine_txn_rollback(struct engine_db *db, struct str owner, const uint8_t id[ENGINE_TXN_ID_BYTES],
                                       struct err *err);
