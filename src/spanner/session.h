/* session.h: sessions: cheap handles, as clients make and drop them by the hundred. Any thread.
 *
 * A session is bound to its database and its owner (account and job run): used by another, it is not found, so that nothing
 * is told of it. Idle for an hour it may go. At most 1,000,000; labels are not kept.
 *
 * A multiplexed session is not deleted and lives for 28 days, whatever becomes of the server: Go's client has one for all
 * it does, and never asks for another because it is not found. So what is to know of it stands, sealed, in its name. */
#pragma once
#include "engine/engine.h"

struct sealer;
struct sessions;

struct session {
    int64_t created_us, used_us;
    int64_t database_us; /* when its database was made: one of that name may have been dropped before */
    uint32_t role;       /* the id of the database role that it was made with (googlesql/role.h); 0 = none */
    bool multiplexed;
    bool has_txn; /* one that is not multiplexed: its latest read-write transaction */
    uint8_t txn[ENGINE_TXN_ID_BYTES];
};

/* The sealer is borrowed: where its key is kept, multiplexed sessions outlive a restart. */
struct sessions *sessions_new(const struct sealer *sealer);
void sessions_free(struct sessions *sessions);
/* `database` is the resource name; of `wanted` count database, role and kind; ret_name gets "<database>/sessions/<id>" in
 * the arena. RESOURCE_EXHAUSTED. */
struct arena;
MUST_USE enum code session_create(struct sessions *sessions, struct str database, struct str owner, struct session wanted,
                                  struct arena *arena, struct str *ret_name, struct session *ret, struct err *err);
/* Touches it. False: there is none for this owner. */
bool session_use(struct sessions *sessions, struct str name, struct str owner, struct session *ret);
/* As session_use, of a multiplexed one that is not known here (any more): by its name. */
bool session_revive(struct sessions *sessions, struct str name, struct str owner, int64_t database_us, struct arena *arena,
                    struct session *ret);
/* A read-write transaction begins in it. */
void session_begins(struct sessions *sessions, struct str name, struct str owner, const uint8_t txn[ENGINE_TXN_ID_BYTES]);
/* False: there is none for this owner, or it is multiplexed. */
bool session_delete(struct sessions *sessions, struct str name, struct str owner);
/* Calls fn for each of this database and owner that is not multiplexed, in no order; false stops. */
void session_each(struct sessions *sessions, struct str database, struct str owner,
                  bool (*fn)(void *ctx, struct str name, const struct session *session), void *ctx);
