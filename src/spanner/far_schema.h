/* far_schema.h: the schemas of an upstream's databases: read once however many ask, kept, read anew by age and when an
 * answer says that the schema is another one by now.
 *
 * A snapshot (googlesql/catalog.h; counted, immutable) is fresh for `age_us`. An older one is handed out while it is read
 * anew in the background, up to ten times that age; beyond it, and after far_schema_stale or _changed, those who ask wait
 * for the new one. A failed reading is not repeated for 1 s, doubled up to 60 s; a database that is not there, for 5 s. But
 * for DDL that went through us, none is begun more than once a second. There are no timers: what nobody asks for is not
 * read.
 *
 * No I/O here: reading is an effect that is handed in (far_schema_read.h). Any thread; time is clock_wall_us. Limits:
 * `max_databases` (1,000) databases, of which `max_bytes` (256 MiB) of snapshots: those go first that were asked for
 * longest ago; 32 readings at once; 10,000 waiting. Ask the policy first: who holds nothing in a database shall not have it
 * read. docs/upstream.md, "Schema". */
#pragma once
#include "spanner/far_schema_build.h"

struct far_schema;

typedef void far_read_done(void *arg, const struct sql_catalog *snapshot, const struct err *err);

struct far_schema_effects {
    void *ctx;
    /* Reads the schema of a database (its full name; borrowed until this returns) within a deadline of its own. `done`
     * comes exactly once, on any thread, perhaps before this returns: with a snapshot (a reference of the callee's), or
     * NULL and why (NOT_FOUND: there is no such database). */
    void (*read)(void *ctx, struct str database, far_read_done *done, void *arg);
};

struct far_schema_config {
    struct str name;                 /* "prod.spanner": what messages call the upstream. Copied */
    int64_t age_us;                  /* at least a second */
    size_t max_databases, max_bytes; /* 0: the defaults */
};

MUST_USE enum code far_schema_new(const struct far_schema_config *config, const struct far_schema_effects *effects,
                                  struct far_schema **ret, struct err *err);
void far_schema_free(struct far_schema *cache); /* after the last `done` of a reading, with nobody waiting; NULL is fine */

/* Somebody who waits: embedded in its owner, who sets `done`. `done` comes exactly once, on any thread: with a snapshot (a
 * reference of the callee's) or NULL and why. */
struct far_schema_wait {
    void (*done)(struct far_schema_wait *wait, const struct sql_catalog *snapshot, const struct err *err);
    struct far_schema_wait *next, **at; /* at != NULL: in a list */
};

/* OK with a snapshot (a reference of the caller's: far_schema_unref): at once. OK with NULL: `wait->done` comes, perhaps
 * before this returns. Else it does not come: what the last reading failed with (NOT_FOUND and others), UNAVAILABLE,
 * RESOURCE_EXHAUSTED (too many databases are being read, too many wait, memory). */
MUST_USE enum code far_schema_get(struct far_schema *cache, struct str database, struct far_schema_wait *wait,
                                  const struct sql_catalog **ret, struct err *err);
/* True: `done` will not come. False: it came, or is on its way. */
bool far_schema_wait_cancel(struct far_schema *cache, struct far_schema_wait *wait);
/* An answer said that a table or column is not there: it may be read anew, but no more than once a second. */
void far_schema_stale(struct far_schema *cache, struct str database);
/* DDL went through us and is done: who asks from now on hears of it. */
void far_schema_changed(struct far_schema *cache, struct str database);
