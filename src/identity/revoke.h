/* revoke.h: which of our own tokens were taken back before their end, by `jti`. Any thread. (Tokens of a job's run need no
 * entry: they end with their run, live_runs.h.)
 *
 * An entry stays until the token has expired by itself. Bounded: when full, the entry is refused and the caller must say so
 * (a revocation that is lost would be worse). */
#pragma once
#include "base/err.h"

enum { REVOCATIONS_MAX = 100000, REVOKE_ID_MAX = 128 };

struct revocations;
struct revoke_store {
    void *ctx;
    /* Makes it durable. */
    enum code (*save)(void *ctx, struct str jti, int64_t until_s, struct err *err);
};

struct revocations *revocations_new(const struct revoke_store *store); /* store may be NULL; NULL when out of memory */
void revocations_free(struct revocations *set);                        /* NULL is fine */
/* Whoever asked must be told of any error. Where only saving failed the token is refused from now on all the same, but
 * perhaps not after a restart. */
MUST_USE enum code revocations_add(struct revocations *set, struct str jti, int64_t until_s, struct err *err);
/* The same without saving: what was saved earlier, at start. */
MUST_USE enum code revoke_load(struct revocations *set, struct str jti, int64_t until_s, struct err *err);
bool is_revoked(struct revocations *set, struct str jti);        /* NULL set: false */
uint64_t revocations_version(struct revocations *set);           /* changes with each addition */
void revocations_expire(struct revocations *set, int64_t now_s); /* drops what has ended */
