/* verified.h: tokens that were verified already (DESIGN §4): the same token on the same listener for the same audience
 * costs one SHA-256. Any thread.
 *
 * An entry ends with its token, with its job's run, with its issuer's key set, with its revocation, or with the policy's
 * next version. Bounded in entries: the least recently used go. */
#pragma once
#include "identity/jwt.h"

struct verified;

struct verified *verified_new(size_t max_entries); /* NULL when out of memory */
void verified_free(struct verified *cache);        /* NULL is fine */

/* As jwt_verify, by way of the cache. `listener` is which door the token came in by. */
MUST_USE enum jwt_outcome verified_token(struct verified *cache, const struct jwt_ask *ask, struct str listener,
                                         uint64_t policy_version, struct str token, struct proof **ret_proof,
                                         struct refusal *ret_refusal);
size_t verified_count(const struct verified *cache);

struct verified_stats {
    uint64_t cached, proved, refused; /* since the start: found here; proved by their signature; not accepted */
    size_t entries;
};
void verified_stats(struct verified *cache, struct verified_stats *ret);
