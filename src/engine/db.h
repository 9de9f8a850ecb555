/* db.h: inside the engine: one open database and its threads. Not for other folders.
 *
 * Lock order: engine->lock, db->lock, txns->lock. What is marked [lock] is guarded by db->lock; [writer] is touched by the
 * writer thread alone. A table's times are raised *before* the SQLite commit that makes them true, and a reader looks at
 * them *after* its SQLite snapshot stands: so a reader never takes the live table for the state at T when it is not. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include "engine/engine.h"
#include "engine/ring.h"
#include "engine/txn.h"
#include "store/store.h"

enum { ENGINE_FORMAT = 1, ENGINE_MAX_READERS = 16, ENGINE_OUTBOX_DONE = 4096 };
#define ENGINE_FUTURE_US (INT64_C(3600) * 1000000)

struct table_state { /* lives as long as the database is open; catalogs share it */
    uint32_t id;
    _Atomic int64_t newest_us;  /* the last commit that wrote the table */
    _Atomic int64_t changed_us; /* the last change of its schema */
    _Atomic bool dropped;
    bool touched;           /* [writer] by the batch at work */
    int64_t oldest_until;   /* [writer] history that is older can be pruned; INT64_MAX = none */
    struct buf prune_after; /* [writer] where the walk over the history stands */
    int64_t prune_oldest;   /* [writer] least `until` seen on this walk */
    bool pruning;
    struct table_state *next;
};

struct engine_table {
    struct sql_table sql; /* first: a sql_table of a catalog is one of these */
    struct table_state *state;
};

struct engine_catalog {
    struct sql_catalog sql; /* first */
    _Atomic unsigned refs;
    struct arena *arena;
};

struct batch_entry {
    int64_t seq;
    struct str entry;
};

struct job_queue {
    struct engine_job *first, **last;
    size_t n, bytes;
};

struct engine_db {
    struct engine *engine;
    const struct engine_options *options;
    char *name, *path;
    _Atomic unsigned refs;
    _Atomic bool dropped; /* reads in work end */
    int64_t created_us;

    pthread_mutex_t lock;
    pthread_cond_t write_wake, read_wake, batch_done, keeper_wake;
    struct engine_catalog *catalog;                   /* [lock] */
    struct job_queue writes, reads;                   /* [lock] */
    uint64_t n_posted_reads;                          /* [lock] ever */
    unsigned idle_readers;                            /* [lock] */
    bool reader_called;                               /* [lock] one of them is on its way */
    struct engine_job *waiting;                       /* [lock] reads at a time to come, soonest first */
    bool closing, checkpoint_wanted, checkpoint_done; /* [lock] */
    int64_t last_us, pending_us,
        floor_us; /* [lock] last durable commit; first of the batch at work or 0; latest served read */
    int64_t outbox_done[ENGINE_OUTBOX_DONE]; /* [lock] */
    size_t n_outbox_done;
    _Atomic int64_t pruned_us; /* versions that ended at or before are gone */

    struct store *store;         /* [writer] */
    struct ring *ring;           /* [writer] */
    struct table_state *states;  /* [writer] after open */
    struct arena *scratch;       /* [writer] of the batch at work */
    struct batch_entry *entries; /* [writer] audit entries of the batch at work, in scratch */
    size_t n_entries, entries_cap;
    size_t wal_pages;        /* [writer] */
    size_t wal_asked;        /* [writer] its pages when the keeper was last asked */
    uint64_t pruned_mono_us; /* [writer] when it last looked for what to prune */
    struct txns txns;

    pthread_t writer, keeper, readers[ENGINE_MAX_READERS];
    unsigned n_readers;
    bool writer_runs, keeper_runs;
};

/* database.c */
MUST_USE enum code db_create_file(const char *path, const struct engine_options *options, struct err *err);
MUST_USE enum code db_open(struct engine *engine, const struct engine_options *options, const char *name, const char *path,
                           struct engine_db **ret, struct err *err);
void db_shut(struct engine_db *db); /* drains, joins the threads, closes the files; the struct stays until the last unref */

/* catalog_store.c */
MUST_USE enum code catalog_load(struct engine_db *db, struct engine_catalog **ret, struct err *err);
void catalog_publish(struct engine_db *db, struct engine_catalog *catalog);
struct str catalog_text(struct arena *arena, sqlite3_stmt *stmt, int i); /* a row's column, copied; NULL: arena full */
struct table_state *table_state_find(struct engine_db *db, uint32_t id);
static inline const struct engine_table *engine_table(const struct sql_table *t) {
    return (const struct engine_table *)(const void *)t;
}

/* ddl.c: one statement within a transaction of SQLite that the caller commits. *ret_changed false: nothing to do. */
MUST_USE enum code ddl_apply(struct engine_db *db, const struct engine_ddl *ddl, int64_t commit_us, bool *ret_changed,
                             struct err *err);

MUST_USE enum code ddl_next_id(struct store *s, uint32_t *ret, struct err *err); /* of a table, column or role */

/* ddl_roles.c: the same for roles and their privileges, which the file keeps by ids of tables and columns */
MUST_USE enum code roles_make_room(struct store *s, struct err *err); /* their tables, in a file that came before them */
MUST_USE enum code roles_apply(struct engine_db *db, const struct engine_ddl *ddl, struct err *err);
MUST_USE enum code roles_check_unused(struct store *s, const struct sql_table *t, int column,
                                      struct err *err); /* -1: any */
MUST_USE enum code roles_load(struct store *s, struct arena *arena, struct sql_catalog *ret, struct err *err);

/* commit.c: one commit within its savepoint. */
MUST_USE enum code commit_apply(struct engine_db *db, struct engine_commit *commit, int64_t commit_us, struct err *err);

/* meta.c: the small facts in a database's file */
MUST_USE enum code meta_get(struct store *s, const char *name, int64_t *ret, struct err *err);
MUST_USE enum code meta_set(struct store *s, const char *name, int64_t value, struct err *err);
MUST_USE enum code clock_get(struct store *s, uint32_t id, int64_t *ret, struct err *err); /* id 0: the last commit */
MUST_USE enum code clock_set(struct store *s, uint32_t id, int64_t us, struct err *err);

/* queue.c */
struct engine_job_kind {
    bool write;
    void (*run)(struct engine_job *job, void *thread); /* a read: struct reader */
    void (*done)(struct engine_job *job);
};
MUST_USE enum code queue_post(struct engine_db *db, struct engine_job *job, const struct engine_job_kind *kind,
                              size_t bytes, int64_t due_us, struct err *err);
void queue_push(struct job_queue *queue, struct engine_job *job);
struct engine_job *queue_pop(struct job_queue *queue);
/* A read job whose time has come. NULL: there is none now; with `wait`, the database closes. */
struct engine_job *queue_next_read(struct engine_db *db, bool wait);
void lock_wait_us(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t us);

/* writer.c, prune.c, checkpoint.c, outbox.c, reader.c: the threads' bodies and what the writer does when idle */
void *writer_main(void *db);
void *reader_main(void *db);
void *keeper_main(void *db);
extern const struct engine_job_kind commit_kind, ddl_kind;
MUST_USE enum code prune_step(struct engine_db *db, bool *ret_more, struct err *err);
MUST_USE enum code outbox_add(struct engine_db *db, int64_t seq, struct str entry, struct err *err);
MUST_USE enum code outbox_flush(struct engine_db *db, struct err *err); /* deletes what is done */
MUST_USE enum code outbox_replay(struct engine_db *db, struct err *err);
/* timestamp.c */
/* Takes the lock. *ret_posted, unless NULL: how many reads had been posted by then. */
int64_t db_strong_timestamp(struct engine_db *db, uint64_t *ret_posted);
MUST_USE enum code db_check_age(struct engine_db *db, int64_t at_us, struct err *err);
