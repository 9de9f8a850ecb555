/* target.h: where a request points: connection, database, session, and in which transaction it reads. Loop thread. */
#pragma once
#include "spanner/convert.h"
#include "spanner/internal.h"
#include "spanner/names.h"
#include "spanner/session.h"

struct target {
    struct spanner *spanner;
    struct spanner_name name;
    const struct spanner_connection *connection;
    struct engine_db *db;              /* embedded; given back at the call's end */
    const struct upstream *far;        /* upstream; then there is no `db` and no `state` */
    const struct sql_catalog *catalog; /* after target_schema; given back at the call's end */
    struct str session;                /* the session's full name; empty when the request names none */
    struct str far_session;            /* its name there */
    struct str begun;                  /* upstream: the transaction that the request begins, sealed; begun there already */
    int64_t begun_read_us;             /* its read timestamp; 0: not told */
    struct session state;
    struct str owner, path; /* who may use its handles; the policy's path */
};

/* NOT_FOUND (session, database) with details. Fills call->resource. */
MUST_USE enum code target_session(struct call *call, struct str name, struct target *ret, struct err *err);
MUST_USE enum code target_database(struct call *call, struct str name, struct target *ret, struct err *err);

/* Embedded: the caller's session of this name in the target's database. */
bool target_find_session(struct call *call, const struct target *t, struct str name, struct session *ret);

/* The connection alone, of which a database is asked for that need not exist; `database` may be empty. NOT_FOUND. */
MUST_USE enum code target_connection(struct call *call, struct str project, struct str instance, struct str database,
                                     struct target *ret, struct err *err);

/* The schema's snapshot into `catalog`. Of an upstream it may have to be read: then classify waits (call_wait), and a code
 * is returned. Who holds nothing in the database has an empty schema there, and nobody is asked for him. */
MUST_USE enum code target_schema(struct call *call, struct target *t, struct err *err);

/* One atom about this database. */
MUST_USE enum code target_atom(struct call *call, const struct target *t, struct atom atom, struct err *err);
/* True: the caller holds a live grant in the database. Those who do not learn nothing of its schema. */
bool target_may_learn(struct call *call, const struct target *t);

/* What a TransactionSelector means. */
struct when {
    struct engine_when engine;
    bool begun;      /* the request begins a transaction: its id goes into the metadata */
    bool read_write; /* … and precommit tokens are due */
    bool return_timestamp;
    bool single_use;
    struct str id; /* of the transaction, as clients see it; in the arena */
};
/* `query`: a single-use read-write selector is refused. Begins what is to be begun. */
MUST_USE enum code when_resolve(struct call *call, const struct target *t,
                                const struct spanner_TransactionSelector *selector, struct when *ret, struct err *err);
MUST_USE enum code when_begin(struct call *call, const struct target *t, const struct spanner_TransactionOptions *options,
                              struct when *ret, struct err *err);
/* The statement that was to begin a transaction failed: its caller never learns of the transaction, so it goes. Any thread.
 */
void when_failed(const struct target *t, const struct when *when);
/* The engine's id of a read-write transaction. FAILED_PRECONDITION for a read-only one, INVALID_ARGUMENT for other bytes.
 */
MUST_USE enum code when_write_id(struct str id, uint8_t ret[ENGINE_TXN_ID_BYTES], struct err *err);
