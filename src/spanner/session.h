/* session.h: sessions: cheap handles, as clients make and drop them by the hundred. Any thread.
 *
 * A session is bound to its database and its owner (account and job run): used by another, it is not found, so that nothing
 * is told of it. Idle for an hour it may go. At most 1,000,000; labels are not kept. */
#pragma once
#include "engine/engine.h"

struct sessions;

struct session {
    int64_t created_us, used_us;
    uint32_t role; /* the id of the database role that it was made with (googlesql/role.h); 0 = none */
    bool multiplexed;
    bool has_txn; /* one that is not multiplexed: its latest read-write transaction */
    uint8_t txn[ENGINE_TXN_ID_BYTES];
};

struct sessions *sessions_new(void);
void sessions_free(struct sessions *sessions);
/* `database` is the resource name; ret_name gets "<database>/sessions/<id>" in the arena. RESOURCE_EXHAUSTED. */
struct arena;
MUST_USE enum code session_create(struct sessions *sessions, struct str database, struct str owner, bool multiplexed,
                                  uint32_t role, struct arena *arena, struct str *ret_name, struct session *ret,
                                  struct err *err);
/* Touches it. False: there is none for this owner. */
bool session_use(struct sessions *sessions, struct str name, struct str owner, struct session *ret);
/* A read-write transaction begins in it. */
void session_begins(struct sessions *sessions, struct str name, struct str owner, const uint8_t txn[ENGINE_TXN_ID_BYTES]);
bool session_delete(struct sessions *sessions, struct str name, struct str owner);
/* Calls fn for each of this database and owner that is not multiplexed, in no order; false stops. */
void session_each(struct sessions *sessions, struct str database, struct str owner,
                  bool (*fn)(void *ctx, struct str name, const struct session *session), void *ctx);
