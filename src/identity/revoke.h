/* revoke.h: what was taken back before its end: tokens by `jti`, job runs by id. Any thread.
 *
 * An entry stays until the last token that it concerns has expired by itself. Bounded: when full, the entry is refused and
 * the caller must say so (a revocation that is lost would be worse). */
#pragma once
#include "base/err.h"

enum revoke_kind { REVOKE_TOKEN, REVOKE_JOB_RUN };
enum { REVOCATIONS_MAX = 100000, REVOKE_ID_MAX = 128 };

struct revocations;
struct revoke_store {
    void *ctx;
    /* Makes it durable before it takes effect. */
    enum code (*save)(void *ctx, enum revoke_kind kind, struct str id, int64_t until_s, struct err *err);
};

struct revocations *revocations_new(const struct revoke_store *store); /* store may be NULL; NULL when out of memory */
void revocations_free(struct revocations *set);                        /* NULL is fine */
MUST_USE enum code revocations_add(struct revocations *set, enum revoke_kind kind, struct str id, int64_t until_s,
                                   struct err *err);
/* The same without saving: what was saved earlier, at start. */
MUST_USE enum code revoke_load(struct revocations *set, enum revoke_kind kind, struct str id, int64_t until_s,
                               struct err *err);
bool is_revoked(struct revocations *set, enum revoke_kind kind, struct str id); /* NULL set: false */
uint64_t revocations_version(struct revocations *set);                          /* changes with each addition */
void revocations_expire(struct revocations *set, int64_t now_s);                /* drops what has ended */
