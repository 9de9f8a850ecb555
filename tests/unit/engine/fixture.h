/* fixture.h: a throw-away engine, and calls that wait, for tests and benches. */
#pragma once
#include "../test.h"
#include <pthread.h>
#include <stdlib.h>
#include "engine/engine.h"

struct fixture {
    char dir[64];
    struct engine *engine;
    struct engine_db *db;
    struct arena *arena;
};

void fixture_open(struct fixture *f, const struct engine_options *options); /* a new directory, database inst/db1 */
void fixture_reopen(struct fixture *f, const struct engine_options *options);
void fixture_close(struct fixture *f); /* and deletes the directory */

struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    bool done;
};
#define WAITER_INIT                                                                                                        \
    { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false }
void waiter_done(struct waiter *w);
void waiter_wait(struct waiter *w);

enum code ddl_now(struct engine_db *db, const struct engine_ddl *ddl, int64_t *ret_us, struct err *err);
/* CREATE TABLE name (k INT64 NOT NULL, a INT64, b STRING(MAX), …) PRIMARY KEY(k) */
void make_table(struct fixture *f, const char *name);

/* Rows of sql_values as a mutation. */
struct rows {
    const struct sql_value *cells;
    size_t n_columns, at;
};
enum code rows_next(void *ctx, const struct sql_column *const *columns, size_t n, struct sql_value *ret, struct err *err);
struct delete_keys { /* INT64 keys [lo, hi]; lo == hi is a point */
    int64_t lo, hi;
};
enum code delete_keys_fill(void *ctx, const struct sql_table *table, struct key_set *set, struct err *err);
/* Posts and waits. */
enum code commit_now(struct engine_db *db, struct engine_commit *commit);
/* One write of one row with the columns k, a (or only k): */
enum code write_now(struct fixture *f, const char *table, enum mutation_kind kind, int64_t k, int64_t a, int64_t *ret_us,
                    struct err *err);
enum code delete_now(struct fixture *f, const char *table, int64_t lo, int64_t hi, int64_t *ret_us, struct err *err);

/* k and a of the rows with lo <= k <= hi. */
struct pair {
    int64_t k, a;
};
struct scan {
    struct engine_when when;
    int64_t lo, hi;
    uint64_t limit;
    unsigned pause_every; /* rows a chunk; 0 = one chunk */
    struct pair pairs[4096];
    size_t n;
    struct err err;
};
enum code scan_now(struct engine_db *db, const char *table, struct scan *s);
/* state = one step of a small generator */
uint64_t random_next(uint64_t *state);
