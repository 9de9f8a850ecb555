/* reader.h: a reader thread: its own read-only connection, and the snapshot of the job at work. Inside the engine. */
#pragma once
#include "engine/db.h"

struct engine_snapshot {
    struct engine_db *db;
    struct engine_when *when;
    struct reader *reader;
    int64_t at_us;
    int64_t seen_us; /* the last commit in SQLite's snapshot */
    bool live;       /* SQLite's snapshot is the state at at_us: the tables themselves are read */
    bool txn;        /* a read of a read-write transaction is at work */
};

/* SQLite's snapshot, kept while reads wait that were posted before it was taken. */
struct held {
    bool open, used_up;     /* a SQLite transaction is open; something was laid into it that the next must not see */
    uint64_t posted;        /* reads up to this number may use it */
    int64_t at_us, seen_us; /* what a strong read of it is at; the last commit in it */
};

struct reader {
    struct engine_db *db;
    struct store *store; /* NULL: not connected */
    struct held held;
    struct engine_when *when; /* of the job at work, for the progress handler */
    bool untrusted;           /* a query's text is being prepared: the authorizer looks */
    bool stopped_by_deadline;
};

/* Finds SQLite's snapshot for a job and settles its timestamp; connects, and waits for the batch at work, when it must. A
 * failure is told in job->err. */
MUST_USE enum code snapshot_open(struct reader *r, struct engine_job *job, struct engine_when *when,
                                 struct engine_snapshot *ret);
void snapshot_close(struct reader *r, struct engine_snapshot *snapshot);
/* Must the table be read with its history? FAILED_PRECONDITION when its schema changed since. */
MUST_USE enum code snapshot_history(const struct engine_snapshot *snapshot, const struct sql_table *table, bool *ret,
                                    struct err *err);
/* A read-write transaction remembers what it read. */
void snapshot_remember(const struct engine_snapshot *snapshot, const struct sql_table *table, const struct key_set *read);
/* "key, ts, c7, …" */
void snapshot_put_columns(const struct sql_table *table, struct buf *out);
/* The row source of a table: itself, or with its history as of the snapshot. */
void snapshot_put_source(const struct engine_snapshot *snapshot, const struct sql_table *table, bool history,
                         struct buf *out);
/* What an SQLite error means to a reader: cancelled, out of time, its database dropped, or as store_error. */
enum code reader_error(struct reader *r, int sqlite_rc, struct err *err);
/* The post's checks of `when`; gives when the job is due. */
MUST_USE enum code when_check(const struct engine_when *when, int64_t *ret_due_us, struct err *err);
