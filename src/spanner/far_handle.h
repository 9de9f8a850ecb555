/* far_handle.h: what a client carries of an upstream's: sessions, transactions, tokens. The client never sees the
 * upstream's own: each is sealed with its kind, the database, who may use it (account and job run) and what else it belongs
 * to. Sealing keeps no state. Any thread; in the arena. */
#pragma once
#include "spanner/target.h"

enum far_kind { FAR_SESSION, FAR_TRANSACTION, FAR_PRECOMMIT, FAR_PARTITION, FAR_RESUME, FAR_PAGE, FAR_KINDS };

/* `bind`: what it belongs to besides: the session of a transaction, the request of a token. Empty stays empty. */
MUST_USE enum code far_seal(const struct target *t, enum far_kind kind, struct str bind, struct str plain,
                            struct arena *arena, struct str *ret, struct err *err);
/* NOT_FOUND (transactions) or INVALID_ARGUMENT: not made here, for another database, owner or request. */
MUST_USE enum code far_open(const struct target *t, enum far_kind kind, struct str bind, struct str sealed,
                            struct arena *arena, struct str *ret, struct err *err);

/* "projects/P/instances/I/databases/D", as both sides call it. Empty: the arena is full. */
struct str far_database(const struct target *t, struct arena *arena);

/* ".../databases/D/sessions/S" of the upstream as its owner knows it, and back into t->far_session (NOT_FOUND). */
MUST_USE enum code far_seal_session(const struct target *t, struct str name, struct arena *arena, struct str *ret,
                                    struct err *err);
MUST_USE enum code far_target_session(struct call *call, struct target *t, struct err *err);
