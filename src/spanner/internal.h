/* internal.h: what the files of spanner/ share. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include "base/map.h"
#include "crypto/seal.h"
#include "service/call.h"
#include "spanner/spanner.h"

struct sessions;
struct operations;
struct statements;
struct admin_thread;
struct far_side;

struct spanner {
    struct engine *engine;
    struct spanner_connection connections[SPANNER_MAX_CONNECTIONS];
    size_t n_connections;
    struct far_side *far_sides[SPANNER_MAX_CONNECTIONS]; /* far_side.h; NULL: embedded */
    struct sealer *sealer;                               /* of tokens and read-only transactions: this process's */
    struct sealer *session_sealer;                       /* of multiplexed sessions: its key is kept */
    struct sessions *sessions;
    struct operations *operations;
    struct statements *statements;
    struct admin_thread *admin, *info; /* databases made and dropped; queries over INFORMATION_SCHEMA */
    pthread_mutex_t lock;              /* guards `databases` */
    struct map *databases;             /* "instance/database" → struct engine_db, referenced */
};

/* The database's engine, with a reference; NULL when there is none. Does not block. */
struct engine_db *spanner_database(struct spanner *s, struct str instance, struct str database);
/* Opens it and keeps it. Blocks. */
MUST_USE enum code spanner_open_database(struct spanner *s, struct str instance, struct str database, struct err *err);
void spanner_close_database(struct spanner *s, struct str instance, struct str database);
/* Those of the connection in which the caller holds something, in no order, under the lock; false stops. */
void spanner_each_database(struct call *call, const struct spanner_connection *connection,
                           bool (*fn)(void *ctx, struct engine_db *db, struct str database), void *ctx);
/* True: there is such a database; *path becomes its policy path. */
bool spanner_usable(struct call *call, const struct spanner_connection *connection, struct str *path);
const struct spanner_connection *spanner_connection_of(const struct spanner *s, struct str project, struct str instance);

/* NOT_FOUND with Spanner's text and a ResourceInfo detail. `kind`: "google.spanner.v1.Session". */
enum code spanner_not_found(struct call *call, const char *kind, const char *what, struct str name, struct err *err);
/* "spanner demo/flights" */
struct str spanner_policy_path(struct arena *arena, const struct spanner_connection *connection, struct str database);
/* Who may use a handle: the current subject and, for a job, its run. The same text for the same bearer. */
struct str spanner_owner(struct arena *arena, const struct principal *principal);
/* ABORTED carries google.rpc.RetryInfo: clients wait that long. */
void spanner_end(struct call *call, enum code code, const struct err *err);
