/* spanner.h: the Cloud Spanner API over the embedded engine, or in front of another Spanner: google.spanner.v1,
 * admin.database.v1, admin.instance.v1 and longrunning, as gRPC and REST from one table each (methods.c).
 *
 * One object serves all embedded Spanner connections. classify runs on loops and never blocks; handlers post jobs to the
 * engine and answer from its threads; what blocks (creating databases) runs on a thread of its own. */
#pragma once
#include "engine/engine.h"
#include "service/method.h"

enum { SPANNER_MAX_CONNECTIONS = 16 };

struct upstream;
struct loop;

struct spanner_connection {
    struct str name;                   /* "demo": what policy calls it */
    struct str project, instance;      /* in resource names */
    const struct upstream *far;        /* back: upstream: where requests go on to, as their callers; NULL: embedded */
    const struct upstream *far_schema; /* the same, for the account that reads its schema */
    struct loop *schema_loop;          /* on which it is read */
    int64_t schema_age_us;
    bool roles; /* sessions there have a database role made from the caller's rules */
};

struct spanner_config {
    struct engine *engine;
    struct spanner_connection connections[SPANNER_MAX_CONNECTIONS]; /* text borrowed */
    size_t n_connections;
    /* The folder of the keys of what outlives a restart: multiplexed sessions, each upstream's handles; borrowed. NULL,
     * only without upstreams: nothing does. */
    const char *keys;
};

struct spanner;

/* Opens every database there is: their outboxes are drained to the engine's sink. Blocks. */
MUST_USE enum code spanner_new(const struct spanner_config *config, struct spanner **ret, struct err *err);
void spanner_free(struct spanner *spanner); /* after the last call ended; before engine_close; NULL is fine */
/* The data services answer on jobs' own endpoints too; so do the two admin services (which create nothing there). */
struct service spanner_service(struct spanner *spanner);

/* For engine_options.setup: GoogleSQL's functions on each reader's connection. */
int spanner_setup_connection(void *ctx, sqlite3 *connection);

/* Does the schema know it? For policy's check: -1 no such database, 0 absent, 1 present. Any thread. */
int spanner_knows(struct spanner *spanner, struct str connection, struct str database, struct str table, struct str column);
